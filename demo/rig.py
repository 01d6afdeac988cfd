# SPDX-License-Identifier: Apache-2.0
"""A cloud in network namespaces: what the demo and the system tests run on.

      weft-PID-ctl            weft-PID-hv1        weft-PID-hv2       ...
     +--------------+        +---------------+   +---------------+
     | weftd        |        | ovsdb-server  |   | ovsdb-server  |
     |              |        | ovs-vswitchd  |   | ovs-vswitchd  |
     |              |        |  br-int       |   |  br-int       |
     |              |        |  br-phy  eth1 |   |  br-phy  eth1 |
     +------eth0----+        +----eth0---+---+   +----eth0---+---+
             |                      |     |             |     |
     ========+======= ubr =========+===== | ============+=    |
                    (underlay)            +==== pbr ==========+
                                          (physical network)
     weft-PID-ul

Each hypervisor is a namespace with its own real Open vSwitch (userspace
datapath: no kernel module is needed) and nothing of Weft.  'br-phy' is the
host's own: it holds the host's address on the underlay, which the userspace
datapath needs for tunnels.  A VM is a namespace with a veth pair whose other
end is plugged into br-int the way Nova does it.

Everything a rig makes carries its prefix (weft-<pid of the maker>) and is
gone after close(), which is also called when the program ends in any way that
Python survives.  What an earlier, killed program left behind is swept when
the next rig starts.

Processes are made by the main thread only: they die with it (setpriv
--pdeathsig), so that even a kill -9 leaves no daemon behind.

Needs root, /usr/bin/python3 and the packages of tools/deps; no other module.
"""

import atexit
import contextlib
import ctypes
import errno
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

UNDERLAY = "172.31.0.{}"
CONTROLLER = 100                # Host part of weftd's address.
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
libc = ctypes.CDLL(None, use_errno=True)


class RigError(Exception):
    """Something the rig needs did not happen; the text says what."""


def run(*argv, check=True, timeout=30, text=None):
    """Runs a command and returns what it printed."""
    done = subprocess.run([str(a) for a in argv], input=text, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=timeout, check=False)
    if check and done.returncode:
        raise RigError(f"{' '.join(str(a) for a in argv)}: exit status "
                       f"{done.returncode}\n{done.stdout}")
    return done.stdout


def wait_until(condition, what, seconds=10.0, every=0.02):
    """Waits until 'condition()' is true and returns its value; RigError with
    'what' (text or callable) when the deadline passes."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise RigError("timed out after %g s: %s"
                           % (seconds, what() if callable(what) else what))
        time.sleep(every)


@contextlib.contextmanager
def inside(namespace):
    """The calling thread is in 'namespace' for the length of the block:
    sockets made in it stay there."""
    with open("/proc/thread-self/ns/net") as home, \
            open(f"/run/netns/{namespace}") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns " + namespace)
        try:
            yield
        finally:
            if libc.setns(home.fileno(), CLONE_NEWNET):
                os._exit(70)    # Nothing may go on in the wrong namespace.


def is_running(pid):
    """False also for a zombie: its parent may reap it late."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def sweep():
    """Removes namespaces and directories of rigs whose maker is gone."""
    names = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    for name in names:
        match = re.match(r"weft-(\d+)-", name)
        if match and not is_running(int(match.group(1))):
            run("ip", "netns", "del", name, check=False)
    for name in os.listdir(tempfile.gettempdir()):
        match = re.match(r"weft-(\d+)$", name)
        if match and not is_running(int(match.group(1))):
            shutil.rmtree(os.path.join(tempfile.gettempdir(), name),
                          ignore_errors=True)


class Namespace:
    """A network namespace of the rig."""

    def __init__(self, rig, name):
        self.rig = rig
        self.name = f"{rig.prefix}-{name}"
        # Before it exists: a signal may end us at any moment.
        rig.namespaces.append(self)
        run("ip", "netns", "add", self.name)
        # No waiting for duplicate address detection, no surprises.
        self.run("sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0",
                 "net.ipv6.conf.default.accept_dad=0",
                 "net.ipv6.conf.default.accept_ra=0",
                 "net.ipv6.conf.default.router_solicitations=0")
        self.ip("link", "set", "lo", "up")

    def command(self, *argv):
        return ["nsenter", f"--net=/run/netns/{self.name}", *argv]

    def run(self, *argv, **options):
        return run(*self.command(*argv), **options)

    def ip(self, *argv, check=True):
        return run("ip", "-n", self.name, *argv, check=check)

    def delete(self):
        if self in self.rig.namespaces:
            self.rig.namespaces.remove(self)
            run("ip", "netns", "del", self.name, check=False)


class Sniffer:
    """Collects the frames that pass an interface; nothing is lost for being
    late, because the kernel starts to collect when the socket is bound."""

    def __init__(self, namespace, interface):
        with inside(namespace.name):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                        socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self.socket.bind((interface, ETH_P_ALL))
        self.socket.setblocking(False)

    def frames(self, direction=None):
        """What has come so far and was not asked for yet.  'direction' "in"
        leaves out what this interface sent itself."""
        frames = []
        while True:
            try:
                frame, address = self.socket.recvfrom(65536)
            except BlockingIOError:
                return frames
            except OSError as error:        # The interface went away.
                if error.errno == errno.ENETDOWN:
                    return frames
                raise
            outgoing = address[2] == socket.PACKET_OUTGOING
            if direction == "in" and outgoing:
                continue
            frames.append(frame)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Daemon:
    """A process of the rig that writes its output to a log file."""

    def __init__(self, rig, name, argv, log, environment=None):
        self.name = name
        self.log = log
        # It dies with us, and a Ctrl-C at the terminal is ours alone.
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *argv],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={**os.environ, **(environment or {})},
                start_new_session=True)
        self.pid = self.process.pid
        rig.daemons.append(self)

    def is_running(self):
        return self.process.poll() is None

    def end(self, signo=signal.SIGTERM, seconds=5.0):
        """Sends 'signo', waits, kills what is left.  Returns the seconds it
        took."""
        start = time.monotonic()
        if self.is_running():
            self.process.send_signal(signo)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return time.monotonic() - start

    def tail(self, lines=20):
        try:
            with open(self.log, errors="replace") as file:
                return "".join(file.readlines()[-lines:])
        except OSError:
            return ""


class VM:
    """A namespace that stands for a virtual machine."""

    def __init__(self, hypervisor, name, mac, addresses, mtu, tap):
        self.name = name
        self.hypervisor = hypervisor
        self.mac = mac
        self.tap = tap
        self.iface_id = None
        self.namespace = Namespace(hypervisor.rig, "vm-" + name)
        self.namespace.ip(
            "link", "add", "eth0", "address", mac, "type", "veth",
            "peer", "name", tap, "netns", hypervisor.namespace.name)
        hypervisor.namespace.ip("link", "set", tap, "up")
        # The userspace datapath does not complete partial checksums.
        self.run("ethtool", "-K", "eth0", "tx", "off", check=False)
        self.ip("link", "set", "eth0", "mtu", str(mtu), "up")
        for address in addresses:
            self.add_address(address)
        hypervisor.vms.append(self)

    def ip(self, *argv, **options):
        return self.namespace.ip(*argv, **options)

    def run(self, *argv, **options):
        return self.namespace.run(*argv, **options)

    def add_address(self, address):
        self.ip("addr", "add", address, "dev", "eth0",
                *(["nodad"] if ":" in address else []))

    def remove_address(self, address):
        self.ip("addr", "del", address, "dev", "eth0")

    def set_mac(self, mac):
        """The machine itself changes its address; its port does not."""
        self.ip("link", "set", "eth0", "down")
        self.ip("link", "set", "eth0", "address", mac, "up")

    def forget_neighbours(self):
        self.ip("neigh", "flush", "all", check=False)
        self.ip("-6", "neigh", "flush", "all", check=False)

    def link_local(self):
        """Its link-local address (RFC 4291 appendix A)."""
        ea = bytes.fromhex(self.mac.replace(":", ""))
        return "fe80::%02x%02x:%02xff:fe%02x:%02x%02x" % (ea[0] ^ 2, *ea[1:])

    def ping(self, address, count=1, seconds=1.0, source=None, size=None,
             interval=0.2):
        """How many of 'count' echo requests were answered."""
        output = self.run(
            "ping", "-n", "-q", "-c", str(count), "-i", str(interval),
            "-W", str(seconds), *(["-I", source] if source else []),
            *(["-s", str(size), "-M", "do"] if size else []), address,
            check=False, timeout=30 + count * (seconds + interval))
        match = re.search(r"(\d+) received", output)
        return int(match.group(1)) if match else 0

    def reaches(self, address, seconds=5.0, **options):
        """True as soon as one echo is answered, tried until 'seconds' have
        passed."""
        deadline = time.monotonic() + seconds
        while True:
            if self.ping(address, seconds=0.5, **options):
                return True
            if time.monotonic() > deadline:
                return False

    def start_ping(self, address, count, interval):
        """A ping in the background; its output is in the returned Popen."""
        return subprocess.Popen(
            self.namespace.command("ping", "-n", "-q", "-c", str(count),
                                   "-i", str(interval), "-W", "1", address),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def sniff(self):
        return Sniffer(self.namespace, "eth0")

    def send(self, *frames):
        """Sends raw Ethernet frames as if the machine had."""
        with inside(self.namespace.name):
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        with raw:
            raw.bind(("eth0", 0))
            for frame in frames:
                raw.send(frame)

    def delete(self):
        self.hypervisor.unplug(self)
        if self in self.hypervisor.vms:
            self.hypervisor.vms.remove(self)
        self.namespace.delete()


class Hypervisor:
    """A host: a namespace with its own ovsdb-server and ovs-vswitchd."""

    def __init__(self, rig, number, underlay_mtu, extra_nic):
        self.rig = rig
        self.number = number
        self.name = f"hv{number}"
        self.address = UNDERLAY.format(number)
        self.mac = f"02:00:00:00:00:{number:02x}"
        self.underlay_mtu = underlay_mtu
        self.vms = []
        self.database = self.switch = None
        self.directory = os.path.join(rig.directory, self.name)
        os.mkdir(self.directory)
        self.namespace = Namespace(rig, self.name)
        rig.add_leg(self.namespace, "eth0", "ubr", underlay_mtu)
        if extra_nic:
            rig.add_leg(self.namespace, "eth1", "pbr", 1500)
        self.environment = {key: self.directory for key in (
            "OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR")}

    def path(self, name):
        return os.path.join(self.directory, name)

    # The two daemons.

    def start_database(self):
        if not os.path.exists(self.path("conf.db")):
            run("ovsdb-tool", "create", self.path("conf.db"), SCHEMA)
        self.database = Daemon(
            self.rig, self.name + " ovsdb-server",
            self.namespace.command(
                "ovsdb-server", self.path("conf.db"),
                "--remote=punix:" + self.path("db.sock"),
                "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
                "--private-key=db:Open_vSwitch,SSL,private_key",
                "--certificate=db:Open_vSwitch,SSL,certificate",
                "--ca-cert=db:Open_vSwitch,SSL,ca_cert",
                "--pidfile=" + self.path("ovsdb-server.pid"),
                "--unixctl=" + self.path("ovsdb-server.ctl"),
                "--log-file=" + self.path("ovsdb-server.log"),
                "-vsyslog:off", "-vconsole:off"),
            self.path("ovsdb-server.out"), self.environment)

    def wait_database(self):
        wait_until(lambda: os.path.exists(self.path("db.sock"))
                   and os.path.exists(self.path("ovsdb-server.pid")),
                   lambda: f"{self.name}: ovsdb-server: "
                           + self.database.tail())

    def start_switch(self):
        self.switch = Daemon(
            self.rig, self.name + " ovs-vswitchd",
            self.namespace.command(
                "ovs-vswitchd", "unix:" + self.path("db.sock"),
                "--pidfile=" + self.path("ovs-vswitchd.pid"),
                "--unixctl=" + self.path("ovs-vswitchd.ctl"),
                "--log-file=" + self.path("ovs-vswitchd.log"),
                "-vsyslog:off", "-vconsole:off"),
            self.path("ovs-vswitchd.out"), self.environment)

    def kill_switch(self, signo=signal.SIGKILL):
        self.switch.end(signo)
        for name in ("ovs-vswitchd.pid", "ovs-vswitchd.ctl"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path(name))

    def restart_switch(self, signo=signal.SIGKILL):
        """Kills ovs-vswitchd and starts it again: its flows are gone, its
        database is not, and the host's own address has to be set again, as
        the distribution's network scripts do."""
        self.kill_switch(signo)
        self.start_switch()
        self.set_underlay()

    def restart_database(self):
        self.database.end(signal.SIGKILL)
        for name in ("ovsdb-server.pid", "ovsdb-server.ctl", "db.sock"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path(name))
        self.start_database()
        self.wait_database()

    def set_base(self):
        """What the distribution's start script writes, and the host's own
        bridge on the underlay."""
        version = re.search(r"\d+\.\d+\.\d+", run("ovs-vswitchd",
                                                  "--version")).group(0)
        self.vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".",
                   "external_ids:system-id=" + self.name,
                   "external_ids:hostname=" + self.name,
                   "ovs-version=" + version,
                   "other_config:n-handler-threads=1",
                   "other_config:n-revalidator-threads=1")

    def set_underlay(self):
        self.vsctl(
            "--timeout=20", "--may-exist", "add-br", "br-phy", "--", "set",
            "bridge", "br-phy", "datapath_type=netdev", "fail_mode=standalone",
            f'other_config:hwaddr="{self.mac}"', "--",
            "--may-exist", "add-port", "br-phy", "eth0")
        wait_until(lambda: "br-phy" in self.namespace.ip("-br", "link"),
                   f"{self.name}: br-phy")
        self.namespace.ip("addr", "replace", self.address + "/24", "dev",
                          "br-phy")
        self.namespace.ip("link", "set", "br-phy", "up", "mtu",
                          str(self.underlay_mtu))
        self.namespace.run("ethtool", "-K", "br-phy", "tx", "off",
                           check=False)

    def seed_neighbours(self):
        """The first packet to a neighbour the datapath does not know is
        lost; tests that count packets cannot have that."""
        for other in self.rig.hypervisors:
            if other is not self:
                self.appctl("tnl/neigh/set", "br-phy", other.address,
                            other.mac)

    # What an operator does for Weft, and the whole of it.

    def connect(self, local_ip=True, scheme="tcp", mappings=None):
        if local_ip:
            self.vsctl("set", "Open_vSwitch", ".",
                       "other_config:local_ip=" + self.address)
        if mappings:
            self.vsctl("set", "Open_vSwitch", ".",
                       "other_config:provider_mappings=" + mappings)
        self.vsctl("set-manager", f"{scheme}:{self.rig.address}:6640")

    # What an operator looks with.

    def vsctl(self, *argv, **options):
        return run("ovs-vsctl", "--timeout=20",
                   "--db=unix:" + self.path("db.sock"), *argv, **options)

    def ofctl(self, *argv, **options):
        return run("env", "OVS_RUNDIR=" + self.directory, "ovs-ofctl", "-O",
                   "OpenFlow15", *argv, **options)

    def appctl(self, *argv, **options):
        return run("ovs-appctl", "-t", self.path("ovs-vswitchd.ctl"), *argv,
                   **options)

    def changes(self):
        """What grows when somebody changes this host: revalidations caused by
        changed flows, and the bytes of the database's transaction log.
        Equal before and after means that nothing was touched.

        The switch's threads add up their counters now and then, so this
        waits until the figures have stood still for two seconds."""
        last, since = None, time.monotonic()
        while True:
            text = self.appctl("coverage/read-counter", "rev_flow_table")
            now = int(text), os.stat(self.path("conf.db")).st_size
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > 2:
                return now
            time.sleep(0.1)

    def flows(self, bridge="br-int"):
        """The flows of a bridge as sorted text without statistics."""
        lines = self.ofctl("--no-stats", "--no-names", "dump-flows", bridge,
                           check=False).splitlines()
        return sorted(line.strip() for line in lines if "actions=" in line)

    def flow_ages(self, bridge="br-int"):
        """{flow without statistics: seconds since it was installed}."""
        ages = {}
        for line in self.ofctl("dump-flows", "--no-names", bridge,
                               check=False).splitlines():
            age = re.search(r"duration=([\d.]+)s", line)
            if age:
                key = re.sub(r"(duration|n_packets|n_bytes|idle_age|hard_age)"
                             r"=[^,]*, ?", "", line.strip())
                ages[key] = float(age.group(1))
        return ages

    # VMs, the way Nova does it.

    def add_vm(self, name, mac, addresses=(), mtu=1450, iface_id=None):
        """A VM, plugged if 'iface_id' is given."""
        tap = "tap" + (iface_id or name)[:11]
        vm = VM(self, name, mac, addresses, mtu, tap)
        if iface_id:
            self.plug(vm, iface_id)
        return vm

    def plug(self, vm, iface_id):
        vm.iface_id = iface_id
        self.vsctl(
            "--no-wait", "--may-exist", "add-port", "br-int", vm.tap, "--",
            "set", "Interface", vm.tap, f"external_ids:iface-id={iface_id}",
            f'external_ids:attached-mac="{vm.mac}"',
            "external_ids:iface-status=active")

    def unplug(self, vm):
        self.vsctl("--no-wait", "--if-exists", "del-port", "br-int", vm.tap,
                   check=False)
        vm.iface_id = None


class Rig:
    """The whole: underlay, weftd, hypervisors.  Use as a context manager."""

    def __init__(self, build="build", n_hypervisors=3, underlay_mtu=1500,
                 extra_nic=False):
        if os.geteuid():
            raise RigError("network namespaces need root: run with sudo")
        self.build = os.path.abspath(build)
        self.prefix = f"weft-{os.getpid()}"
        self.address = UNDERLAY.format(CONTROLLER)
        self.directory = os.path.join(tempfile.gettempdir(), self.prefix)
        self.underlay_mtu = underlay_mtu
        self.extra_nic = extra_nic
        self.n_hypervisors = n_hypervisors
        self.namespaces, self.daemons, self.hypervisors = [], [], []
        self.n_legs = 0
        self.weftd = None
        self.closed = False
        atexit.register(self.close)

    def __enter__(self):
        try:
            return self.open()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

    def open(self):
        self.open_underlay()
        self.open_hypervisors()
        return self

    def open_underlay(self):
        sweep()
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory, mode=0o755)
        self.underlay = Namespace(self, "ul")
        for bridge in ["ubr"] + (["pbr"] if self.extra_nic else []):
            self.underlay.ip("link", "add", bridge, "type", "bridge")
            self.underlay.ip("link", "set", bridge, "mtu",
                             str(self.underlay_mtu), "up")
        self.control = Namespace(self, "ctl")
        self.add_leg(self.control, "eth0", "ubr", self.underlay_mtu)
        self.control.ip("addr", "add", self.address + "/24", "dev", "eth0")

    def open_hypervisors(self):
        for number in range(1, self.n_hypervisors + 1):
            self.hypervisors.append(Hypervisor(
                self, number, self.underlay_mtu, self.extra_nic))
        # Step by step over all of them: they start at the same time.
        for step in (Hypervisor.start_database, Hypervisor.wait_database,
                     Hypervisor.set_base, Hypervisor.start_switch,
                     Hypervisor.set_underlay, Hypervisor.seed_neighbours):
            for hypervisor in self.hypervisors:
                step(hypervisor)

    def add_leg(self, namespace, interface, bridge, mtu):
        """A network card of 'namespace' on a bridge of the underlay."""
        self.n_legs += 1
        leg = f"u{self.n_legs}"
        namespace.ip("link", "add", interface, "mtu", str(mtu), "type",
                     "veth", "peer", "name", leg, "netns", self.underlay.name)
        self.underlay.ip("link", "set", leg, "mtu", str(mtu), "master",
                         bridge, "up")
        namespace.ip("link", "set", interface, "up")
        namespace.run("ethtool", "-K", interface, "tx", "off", "rx", "off",
                      check=False)
        return leg

    def vms(self):
        return [vm for host in self.hypervisors for vm in host.vms]

    def close(self):
        """Removes everything.  Safe to call at any time, and again."""
        if self.closed:
            return
        self.closed = True
        atexit.unregister(self.close)
        # weftd first: it should see an orderly end, not dying switches.
        for daemon in sorted(self.daemons, key=lambda d: d.name != "weftd"):
            daemon.end(signal.SIGTERM if daemon.name == "weftd"
                       else signal.SIGKILL, 2.0)
        for namespace in list(self.namespaces):
            namespace.delete()
        shutil.rmtree(self.directory, ignore_errors=True)
