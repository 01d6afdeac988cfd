# SPDX-License-Identifier: Apache-2.0
"""Switch sessions against real Open vSwitch (dummy datapath), without the
compiler: the rules are made by hand through switch-rig.

What is proved: a switch is set up and adopted; nothing foreign is touched;
every kind of restart converges; and when nothing changed, nothing is sent,
by our count and by the switch's own.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.environ.get("WEFT_BUILD", os.path.join(TOP, "build"))
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
TABLE_LOCAL = 60


def wait_until(condition, what="condition", seconds=10):
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, \
            what() if callable(what) else "timed out: " + what
        threading.Event().wait(0.01)


def wait_quietly(condition, seconds):
    try:
        return wait_until(condition, seconds=seconds)
    except AssertionError:
        return None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Switch:
    """One ovsdb-server and ovs-vswitchd."""

    def __init__(self, name):
        self.name = name
        self.dir = tempfile.mkdtemp(prefix="weft-ovs-")
        self.env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_LOGDIR=self.dir,
                        OVS_DBDIR=self.dir, OVS_SYSCONFDIR=self.dir)
        self.pids = {}
        subprocess.check_call(["ovsdb-tool", "create",
                               self.dir + "/conf.db", SCHEMA])
        self.start_database()
        self.vsctl("--no-wait", "init")
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".",
                   "external_ids:system-id=" + name,
                   "external_ids:hostname=" + name + ".example")
        self.start_switch()

    def run(self, name, *args):
        pidfile = f"{self.dir}/{name}.pid"
        subprocess.check_call(
            [name, *args, "--no-chdir", "--detach", "--pidfile=" + pidfile,
             f"--log-file={self.dir}/{name}.log",
             f"--unixctl={self.dir}/{name}.ctl", "-vsyslog:off",
             "-vconsole:off"], env=self.env)
        with open(pidfile) as f:
            self.pids[name] = int(f.read())

    def start_database(self):
        self.run("ovsdb-server", self.dir + "/conf.db",
                 f"--remote=punix:{self.dir}/db.sock",
                 "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
                 "--private-key=db:Open_vSwitch,SSL,private_key",
                 "--certificate=db:Open_vSwitch,SSL,certificate",
                 "--ca-cert=db:Open_vSwitch,SSL,ca_cert")

    def start_switch(self):
        self.run("ovs-vswitchd", f"unix:{self.dir}/db.sock",
                 "--enable-dummy=override", "--disable-system")

    def stop(self, name):
        pid = self.pids.pop(name, None)
        if pid:
            os.kill(pid, signal.SIGKILL)
            # A dead process whose parent does not collect it stays a zombie.
            wait_until(lambda: not os.path.exists(f"/proc/{pid}/exe")
                       or not os.path.lexists(f"/proc/{pid}/fd/0"),
                       name + " ends")

    def close(self):
        self.stop("ovs-vswitchd")
        self.stop("ovsdb-server")
        shutil.rmtree(self.dir)

    def tool(self, *args):
        return subprocess.run(args, env=self.env, check=True, text=True,
                              capture_output=True, timeout=20).stdout

    def vsctl(self, *args):
        return self.tool("ovs-vsctl", f"--db=unix:{self.dir}/db.sock",
                         "--timeout=10", *args).strip()

    def ofctl(self, *args, version="OpenFlow15"):
        return self.tool("ovs-ofctl", "-O", version, *args)

    def appctl(self, *args):
        return self.tool("ovs-appctl", "-t", self.dir + "/ovs-vswitchd.ctl",
                         *args)

    def has(self, table, condition):
        return self.vsctl("--columns=_uuid", "--bare", "find", table,
                          condition)

    def flows(self, bridge="br-int", version="OpenFlow15"):
        """Without counters, sorted."""
        text = self.ofctl("--no-stats", "dump-flows", bridge, version=version)
        return sorted(re.sub(r"reset_counts ", "", line).strip()
                      for line in text.splitlines() if "priority=" in line)

    def groups(self, version="OpenFlow15"):
        text = self.ofctl("dump-groups", "br-int", version=version)
        return sorted(line.strip() for line in text.splitlines()
                      if "group_id=" in line)

    def break_openflow(self):
        """Makes ovs-vswitchd close the session to us.  Another controller
        stays, because Open vSwitch empties its tables when it loses the
        last."""
        if "tcp:127.0.0.9:1" not in self.vsctl("get-controller", "br-int"):
            self.vsctl("--", "--id=@c", "create", "controller",
                       'target="tcp:127.0.0.9:1"', "--", "add", "bridge",
                       "br-int", "controller", "@c")
        ours = self.has("controller", "external_ids:weft=controller")
        if ours:
            self.vsctl("remove", "bridge", "br-int", "controller", ours)


class Watch:
    """Everything that changes in a switch's tables and database, as its own
    tools see it."""

    COLUMNS = {
        "Open_vSwitch": "bridges,other_config,external_ids,manager_options",
        "Bridge": "", "Port": "", "Controller": "target,external_ids",
        "Interface": "name,type,options,external_ids",
    }

    def __init__(self, switch):
        self.lines = []
        self.processes = [self.start(
            switch, "ovs-ofctl", "-O", "OpenFlow13", "monitor", "br-int",
            "watch:!initial")]
        for table, columns in self.COLUMNS.items():
            self.processes.append(self.start(
                switch, "ovsdb-client", "-f", "csv", "--no-headings",
                "monitor", f"unix:{switch.dir}/db.sock", "Open_vSwitch",
                table, *([columns] if columns else []), "!initial"))

    def start(self, switch, *args):
        process = subprocess.Popen(args, env=switch.env, text=True,
                                   stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        threading.Thread(target=self.read, args=(process,),
                         daemon=True).start()
        return process

    def read(self, process):
        for line in process.stdout:
            if line.strip():
                self.lines.append(line.strip())

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()


class Rig:
    """The process under test."""

    def __init__(self, tls=(), targets=()):
        self.ovsdb_port = free_port()
        self.openflow_port = free_port()
        self.process = subprocess.Popen(
            [BUILD + "/tests/system/switch-rig"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.events = []
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        for target in targets:
            self.say("dial", target)
        self.say("listen", self.ovsdb_port, self.openflow_port, *tls)
        assert self.next("listening", "failed")["event"] == "listening"

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.events.append(json.loads(line))
                self.changed.notify_all()

    def say(self, *words):
        self.process.stdin.write(" ".join(str(w) for w in words) + "\n")
        self.process.stdin.flush()

    def next(self, *names, seconds=10, **members):
        """Takes off the next event of a name."""
        def find():
            for i, e in enumerate(self.events):
                if e["event"] in names and all(e.get(k) == v for k, v
                                               in members.items()):
                    return i
            return None

        with self.changed:
            if not self.changed.wait_for(lambda: find() is not None,
                                         seconds):
                raise AssertionError(f"no {names} in {self.events[-5:]}")
            return self.events.pop(find())

    def drain(self):
        with self.changed:
            events, self.events = self.events, []
        return events

    def host(self, name):
        self.say("status")
        for host in self.next("status")["hosts"]:
            if host["host"] == name:
                return host
        return None

    def status(self):
        self.say("status")
        return self.next("status")["hosts"]

    def in_step(self, name):
        host = self.host(name)
        return (host and all(host["connected"].values())
                and host["state"] == "in step" and not host["pending"]
                and host)

    def wait(self, name, seconds=15):
        return wait_until(lambda: self.in_step(name),
                          lambda: f"not in step: {self.status()}", seconds)

    def publish(self):
        self.say("publish")
        return self.next("published")["sequence"]

    def settle(self, name):
        sequence = self.publish()
        wait_until(lambda: self.host(name)["acknowledged"] >= sequence,
                   "acknowledged")
        return self.wait(name)

    def check(self, name):
        self.say("check")
        for host in self.next("check", seconds=30)["hosts"]:
            if host["host"] == name:
                return host
        raise AssertionError("not checked: " + name)

    def close(self):
        self.say("quit")
        assert self.process.wait(timeout=10) == 0
        self.reader.join()


@pytest.fixture
def switch():
    switch = Switch("h1")
    yield switch
    switch.close()


@pytest.fixture
def rig():
    rig = Rig()
    yield rig
    rig.close()


GROUP = 0x77000001


def add_rules(rig, host="h1", n=20):
    for i in range(n):
        rig.say("add", f"r{i}", "rule", f"host:{host}", 100, i + 1, i + 1)
    rig.say("add", "shared", "rule", "all", 50, 7, 8)
    rig.say("add", "g", "group", f"host:{host}", GROUP)
    for i in range(3):
        rig.say("add", f"b{i}", "bucket", f"host:{host}", GROUP, i + 1, i + 1)
    rig.say("add", "use", "call", f"host:{host}", 100, 99, GROUP)


def reconnect_openflow(rig, switch):
    """Makes a new OpenFlow session, and waits until it is compared."""
    resyncs = rig.host(switch.name)["counters"]["resyncs"]

    def is_resynced():
        # We may be so quick to write the controller again that ovs-vswitchd
        # never sees it missing.
        if rig.host(switch.name)["connected"]["openflow"]:
            switch.break_openflow()
        return wait_quietly(
            lambda: rig.host(switch.name)["counters"]["resyncs"] > resyncs, 3)

    wait_until(is_resynced, "resync", 20)
    rig.wait(switch.name)


def connect(rig, switch):
    switch.vsctl("set-manager", f"tcp:127.0.0.1:{rig.ovsdb_port}")
    return rig.wait(switch.name)


def test_new_switch(rig, switch):
    add_rules(rig)
    rig.publish()
    switch.vsctl("set", "Open_vSwitch", ".",
                 "other_config:local_ip=127.0.0.1")
    host = connect(rig, switch)

    assert switch.vsctl("get", "bridge", "br-int", "fail_mode") == "secure"
    other = switch.vsctl("get", "bridge", "br-int", "other_config")
    assert 'disable-in-band="true"' in other
    mac = re.search(r'hwaddr="(..):', other).group(1)
    assert int(mac, 16) & 3 == 2
    for version in ("OpenFlow13", "OpenFlow14", "OpenFlow15"):
        assert version in switch.vsctl("get", "bridge", "br-int", "protocols")
    assert switch.vsctl("get-controller", "br-int") \
        == f"tcp:127.0.0.1:{rig.openflow_port}"
    wait_until(lambda: switch.has("controller", "is_connected=true"),
               "controller connected")
    options = switch.vsctl("get", "interface", "weft-vxlan", "options")
    for option in ('remote_ip=flow', 'key=flow', 'local_ip="127.0.0.1"'):
        assert option in options
    assert host["openflow_version"] == "OpenFlow15"
    assert host["aliases"] == ["h1.example", "h1"]
    assert host["tunnels"].keys() == {"vxlan"}
    assert host["lacks"] == []
    assert len(switch.flows()) == 22
    assert "bucket=bucket_id:2," in switch.groups()[0].replace(" ", "")
    assert rig.check("h1")["ok"]
    # Facts come before the connection, and that before what is acknowledged.
    order = [e["event"] for e in rig.drain()
             if e["event"] in ("facts", "up", "acknowledged")]
    assert order.index("facts") < order.index("up") \
        < order.index("acknowledged")


def test_lacks_local_ip(rig, switch):
    host = connect(rig, switch)
    assert any("no local_ip" in lack for lack in host["lacks"])
    switch.vsctl("set", "Open_vSwitch", ".", "other_config:local_ip=nonsense")
    wait_until(lambda: any("not an address" in lack
                           for lack in rig.host("h1")["lacks"]), "lacks")


def test_delta(rig, switch):
    add_rules(rig)
    rig.publish()
    connect(rig, switch)
    before = rig.host("h1")["counters"]

    rig.say("del", "r3")
    rig.say("add", "r3", "rule", "host:h1", 100, 4, 44)     # Changed.
    rig.say("del", "r4")
    rig.say("add", "new", "rule", "host:h1", 100, 1000, 5)
    rig.say("del", "b1")
    rig.say("add", "b9", "bucket", "host:h1", GROUP, 9, 9)
    rig.settle("h1")
    after = rig.host("h1")["counters"]
    assert after["flow_mods"] - before["flow_mods"] == 3
    assert after["group_mods"] - before["group_mods"] == 2
    assert after["bundles"] - before["bundles"] == 1
    assert after["resyncs"] == before["resyncs"]
    assert rig.check("h1")["ok"]
    flows = "\n".join(switch.flows())
    assert "reg0=0x3e8" in flows and "load:0x2c->" not in flows
    assert "bucket_id:9" in switch.groups()[0]
    assert "bucket_id:2" not in switch.groups()[0]

    # A scope that is wanted and not wanted any more.
    rig.say("add", "s1", "rule", "segment:s", 60, 500, 1)
    rig.say("want", "h1", "segment:s")
    rig.settle("h1")
    assert any("reg0=0x1f4" in flow for flow in switch.flows())
    rig.say("unwant", "h1", "segment:s")
    rig.say("del", "use")
    for name in ("g", "b0", "b2", "b9"):
        rig.say("del", name)
    rig.settle("h1")
    assert not any("reg0=0x1f4" in flow for flow in switch.flows())
    assert switch.groups() == []
    assert rig.check("h1")["ok"]


def touch(switch, watch):
    """Makes a foreign change until the watch shows it."""
    switch.ofctl("add-flow", "br-int", "table=9,priority=9,actions=drop")
    switch.ofctl("del-flows", "br-int", "table=9")
    switch.vsctl("set", "port", "weft-vxlan", "external_ids:seen=1")
    switch.vsctl("remove", "port", "weft-vxlan", "external_ids", "seen")
    if (any("table=9" in line for line in watch.lines)
            and any("seen=" in line for line in watch.lines)):
        wait_quietly(lambda: False, 0.3)
        watch.lines.clear()
        return True
    return False


def test_nothing_changed_nothing_sent(rig, switch):
    add_rules(rig)
    rig.publish()
    switch.vsctl("set", "Open_vSwitch", ".",
                 "other_config:local_ip=127.0.0.1")
    connect(rig, switch)
    wait_until(lambda: rig.host("h1")["tunnels"], "tunnel")
    rig.settle("h1")
    before = rig.host("h1")["counters"]
    flows, groups = switch.flows(), switch.groups()
    # The watch sees what is done: then it can testify that nothing is.
    watch = Watch(switch)
    wait_until(lambda: touch(switch, watch), "watching")

    # The network goes and comes back.
    switch.vsctl("del-manager")
    wait_until(lambda: not rig.host("h1")["connected"]["ovsdb"], "gone")
    switch.vsctl("set-manager", f"tcp:127.0.0.1:{rig.ovsdb_port}")
    rig.wait("h1")
    # The OpenFlow session alone.
    target = switch.vsctl("get-controller", "br-int")
    reconnect_openflow(rig, switch)
    assert target in switch.vsctl("get-controller", "br-int").split()

    after = rig.host("h1")["counters"]
    assert after["resyncs"] > before["resyncs"]
    for name in ("flow_mods", "group_mods", "bundles"):
        assert after[name] == before[name], name
    assert (switch.flows(), switch.groups()) == (flows, groups)

    # And a whole new process of ours.
    second = Rig()
    try:
        add_rules(second)
        second.publish()
        switch.vsctl("set-manager", f"tcp:127.0.0.1:{second.ovsdb_port}")
        host = second.wait("h1")
        assert host["counters"]["flow_mods"] == 0
        assert host["counters"]["group_mods"] == 0
        assert switch.flows() == flows
        # Its controller replaced that of the first, and nothing else.
        assert host["counters"]["transactions"] == 1
        assert set(switch.vsctl("get-controller", "br-int").split()) \
            == {"tcp:127.0.0.9:1", f"tcp:127.0.0.1:{second.openflow_port}"}
    finally:
        second.close()
        watch.close()
    seen = [line for line in watch.lines if "cookie=0x7765" in line]
    assert seen == []
    # Of the database: managers and controllers only, which the test itself
    # and the second process changed.
    assert [line for line in watch.lines
            if "weft-vxlan" in line or "datapath_type" in line] == []


def test_foreign_is_untouched(rig, switch):
    add_rules(rig)
    rig.publish()
    switch.vsctl(
        "add-br", "br-int", "--", "set-fail-mode", "br-int", "standalone",
        "--", "set-controller", "br-int", "tcp:127.0.0.9:1",
        "--", "add-port", "br-int", "foreign", "--", "add-port", "br-int",
        "old-vxlan", "--", "set", "interface", "old-vxlan", "type=vxlan",
        "options:remote_ip=10.0.0.9", "options:key=5", "--", "add-br",
        "br-other", "--", "add-port", "br-other", "p9")
    switch.vsctl("set", "Open_vSwitch", ".",
                 "other_config:local_ip=127.0.0.1")
    switch.ofctl("add-flow", "br-int", "table=60,priority=7,ip,"
                 "actions=drop")
    switch.ofctl("add-flow", "br-int", "table=60,cookie=0x1234,priority=100,"
                 "reg0=77,actions=drop")
    switch.ofctl("add-flow", "br-other", "priority=9,actions=drop")
    switch.ofctl("add-group", "br-int", "group_id=5,type=all,bucket=bucket_id"
                 "=0,actions=drop")
    # And what an earlier life of ours left behind.
    switch.ofctl("add-flow", "br-int", "table=60,cookie=0x7765000000000123,"
                 "priority=3,ip,actions=drop")
    switch.ofctl("add-group", "br-int", f"group_id={GROUP + 5},type=all,"
                 "bucket=bucket_id=0,actions=drop")
    connect(rig, switch)
    wait_until(lambda: rig.host("h1")["tunnels"], "tunnel")

    flows = "\n".join(switch.flows())
    assert "priority=7,ip" in flows and "cookie=0x1234" in flows
    assert "0x7765000000000123" not in flows
    assert any("group_id=5," in group for group in switch.groups())
    assert not any(f"group_id={GROUP + 5}," in g for g in switch.groups())
    assert any("priority=9" in flow for flow in switch.flows("br-other"))
    ports = switch.vsctl("list-ports", "br-int").split()
    assert {"foreign", "old-vxlan", "weft-vxlan"} == set(ports)
    assert switch.vsctl("list-ports", "br-other") == "p9"
    assert set(switch.vsctl("get-controller", "br-int").split()) \
        == {"tcp:127.0.0.9:1", f"tcp:127.0.0.1:{rig.openflow_port}"}
    assert "hwaddr" not in switch.vsctl("get", "bridge", "br-int",
                                        "other_config")
    assert switch.vsctl("get", "bridge", "br-int", "fail_mode") == "secure"
    assert rig.check("h1")["ok"]


def test_plugs(rig, switch):
    connect(rig, switch)
    rig.drain()
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    switch.vsctl("add-port", "br-int", "tap1", "--", "set", "interface",
                 "tap1", "external_ids:iface-id=" + first)
    plug = rig.next("plugged")["plug"]
    assert plug["endpoint"] == first and plug["name"] == "tap1"
    assert plug["ofport"] > 0

    # The same endpoint again: the lowest port wins, and it is said.
    switch.vsctl("add-port", "br-int", "tap2", "--", "set", "interface",
                 "tap2", "external_ids:iface-id=" + first)
    wait_until(lambda: any("several interfaces" in lack
                           for lack in rig.host("h1")["lacks"]), "lacks")
    # The row changes its endpoint.
    switch.vsctl("set", "interface", "tap2",
                 "external_ids:iface-id=" + second)
    assert rig.next("plugged")["plug"]["endpoint"] == second
    switch.vsctl("del-port", "tap1")
    assert rig.next("unplugged")["endpoint"] == first

    switch.vsctl("add-port", "br-int", "bad", "--", "set", "interface",
                 "bad", "type=nonsense", "external_ids:iface-id=" + first)
    wait_until(lambda: any("interface bad" in lack
                           for lack in rig.host("h1")["lacks"]), "lacks")
    switch.vsctl("set", "interface", "tap2", "external_ids:iface-id=vm-7")
    assert rig.next("unplugged")["endpoint"] == second
    wait_until(lambda: any("not a UUID" in lack
                           for lack in rig.host("h1")["lacks"]), "lacks")


def test_restart_of_vswitchd(rig, switch):
    add_rules(rig)
    rig.publish()
    connect(rig, switch)
    flows, groups = switch.flows(), switch.groups()
    transactions = rig.host("h1")["counters"]["transactions"]
    switch.stop("ovs-vswitchd")
    wait_until(lambda: not rig.host("h1")["connected"]["openflow"], "gone")
    switch.start_switch()
    rig.wait("h1")
    assert (switch.flows(), switch.groups()) == (flows, groups)
    assert rig.check("h1")["ok"]
    assert rig.host("h1")["counters"]["transactions"] == transactions


def test_restart_of_database(rig, switch):
    add_rules(rig)
    rig.publish()
    connect(rig, switch)
    before = rig.host("h1")["counters"]
    switch.stop("ovsdb-server")
    wait_until(lambda: not rig.host("h1")["connected"]["ovsdb"], "gone")
    # Changes go on while only the database is away.
    rig.say("add", "new", "rule", "host:h1", 100, 1000, 5)
    rig.publish()
    switch.start_database()
    rig.wait("h1")
    wait_until(lambda: any("reg0=0x3e8" in flow for flow in switch.flows()),
               "flow")
    after = rig.host("h1")["counters"]
    assert after["transactions"] == before["transactions"]
    assert after["flow_mods"] == before["flow_mods"] + 1


def test_change_while_away(rig, switch):
    add_rules(rig)
    rig.publish()
    connect(rig, switch)
    switch.vsctl("del-manager")
    wait_until(lambda: not rig.host("h1")["connected"]["ovsdb"], "gone")
    switch.break_openflow()
    wait_until(lambda: not any(rig.host("h1")["connected"].values()), "gone")
    acknowledged = rig.host("h1")["acknowledged"]
    rig.say("del", "r1")
    rig.say("add", "new", "rule", "host:h1", 100, 1000, 5)
    assert rig.publish() > acknowledged
    assert rig.host("h1")["acknowledged"] == acknowledged
    host = connect(rig, switch)
    assert host["counters"]["flow_mods"] == 22 + 2
    assert rig.check("h1")["ok"]


def test_administrator_breaks_it(rig, switch):
    add_rules(rig)
    rig.publish()
    connect(rig, switch)
    switch.ofctl("del-flows", "br-int", "table=60,reg0=1")
    switch.ofctl("add-flow", "br-int", "table=60,cookie=0x7765000000000001,"
                 "priority=1,ip,actions=drop")
    switch.ofctl("mod-group", "br-int", f"group_id={GROUP},type=all,bucket="
                 "bucket_id=1,actions=drop")
    result = rig.check("h1")
    assert not result["ok"]
    assert len(result["missing"]) == 2 and len(result["stale"]) == 1
    assert any(text.startswith("LOCAL 100") for text in result["missing"])
    # Nothing was changed by looking; the next comparison mends it.
    assert len(rig.check("h1")["stale"]) == 1
    reconnect_openflow(rig, switch)
    assert rig.check("h1")["ok"]


def test_dump(rig, switch):
    add_rules(rig)
    rig.publish()
    connect(rig, switch)
    rig.say("dump", "h1")
    flows = rig.next("dump")["flows"]
    assert len(flows) == 22
    assert any(f.startswith("LOCAL 100 SEGMENT=5 ") and "packets" in f
               for f in flows)
    rig.say("dump", "nobody")
    assert rig.next("dump")["error"] == "no such host"


def test_refused_rule_names_itself(rig, switch):
    add_rules(rig)
    # Calls a group that does not exist.
    rig.say("add", "bad", "call", "host:h1", 100, 555, GROUP + 9)
    rig.publish()
    host = connect(rig, switch)
    assert host["counters"]["refused"] == 1
    assert "OFPBAC_BAD_OUT_GROUP" in host["last_error"]
    assert "LOCAL 100 SEGMENT=555" in host["last_error"]
    assert len(switch.flows()) == 22

    # In a bundle of a change, the others still get in.
    rig.say("add", "bad2", "call", "host:h1", 100, 556, GROUP + 9)
    rig.say("add", "good", "rule", "host:h1", 100, 557, 1)
    rig.publish()
    wait_until(lambda: any("reg0=0x22d" in flow for flow in switch.flows()),
               "good flow")
    wait_until(lambda: any("SEGMENT=556" in error["object"] for error
                           in rig.host("h1")["errors"]), "named")
    # Once the group is there, a later attempt succeeds.
    rig.say("add", "g9", "group", "host:h1", GROUP + 9)
    rig.publish()
    wait_until(lambda: rig.in_step("h1") and rig.check("h1")["ok"],
               "mended", 20)


def test_failed_commit_names_itself(rig, switch):
    add_rules(rig)
    rig.publish()
    connect(rig, switch)
    # Somebody takes the group that we are about to make: only the commit of
    # the bundle finds out.
    switch.ofctl("add-group", "br-int", f"group_id={GROUP + 1},type=all,"
                 "bucket=bucket_id=0,actions=drop")
    rig.say("add", "g1", "group", "host:h1", GROUP + 1)
    rig.say("add", "b1-1", "bucket", "host:h1", GROUP + 1, 1, 1)
    rig.say("add", "new", "rule", "host:h1", 100, 1000, 5)
    rig.settle("h1")
    assert rig.check("h1")["ok"]
    assert any("reg0=0x3e8" in flow for flow in switch.flows())
    assert "0x1->" in "".join(switch.groups()) or rig.check("h1")["ok"]


@pytest.mark.parametrize("version", ["OpenFlow13", "OpenFlow14"])
def test_older_version(rig, switch, version):
    switch.vsctl("add-br", "br-int", "--", "set", "bridge", "br-int",
                 "protocols=" + version)
    add_rules(rig)
    rig.publish()
    host = connect(rig, switch)
    assert host["openflow_version"] == version
    assert switch.vsctl("get", "bridge", "br-int", "protocols") \
        == f"[{version}]"
    assert len(switch.flows(version=version)) == 22
    assert rig.check("h1")["ok"]
    rig.say("del", "b1")
    rig.say("add", "b9", "bucket", "host:h1", GROUP, 9, 9)
    rig.say("del", "r5")
    rig.say("add", "new", "rule", "host:h1", 100, 1000, 5)
    before = rig.host("h1")["counters"]
    rig.settle("h1")
    after = rig.host("h1")["counters"]
    assert after["bundles"] == before["bundles"] + 1
    assert after["group_mods"] == before["group_mods"] + 1
    assert rig.check("h1")["ok"]
    assert switch.groups(version=version)[0].count("bucket=") == 3
    # The same again is nothing.
    reconnect_openflow(rig, switch)
    again = rig.host("h1")["counters"]
    assert again["flow_mods"] == after["flow_mods"]
    assert again["group_mods"] == after["group_mods"]


def test_local_ip_changes(rig, switch):
    switch.vsctl("set", "Open_vSwitch", ".",
                 "other_config:local_ip=127.0.0.1")
    connect(rig, switch)
    wait_until(lambda: rig.host("h1")["tunnels"], "tunnel")
    rig.drain()
    switch.vsctl("set", "Open_vSwitch", ".",
                 "other_config:local_ip=127.0.0.2")
    wait_until(lambda: "127.0.0.2" in switch.vsctl(
        "get", "interface", "weft-vxlan", "options"), "options")
    wait_until(lambda: rig.host("h1")["tunnel_address"] == "127.0.0.2",
               "address")
    assert rig.next("facts")

    # More tunnels as scopes want them, and fewer.
    rig.say("add", "t", "tunnel", "all", "geneve")
    rig.publish()
    wait_until(lambda: set(rig.host("h1")["tunnels"])
               == {"vxlan", "geneve"}, "geneve")
    rig.say("del", "t")
    rig.publish()
    wait_until(lambda: set(rig.host("h1")["tunnels"]) == {"vxlan"},
               "no geneve")
    switch.vsctl("remove", "Open_vSwitch", ".", "other_config", "local_ip")
    wait_until(lambda: "weft-vxlan" not in switch.vsctl("list-ports",
                                                        "br-int"), "no port")
    assert rig.host("h1")["tunnels"] == {}


def test_existing_tunnel_is_used(rig, switch):
    switch.vsctl("set", "Open_vSwitch", ".",
                 "other_config:local_ip=127.0.0.1", "--", "add-br", "br-int",
                 "--", "add-port", "br-int", "mine", "--", "set",
                 "interface", "mine", "type=vxlan", "options:key=flow",
                 "options:remote_ip=flow")
    connect(rig, switch)
    wait_until(lambda: rig.host("h1")["tunnels"], "tunnel")
    assert switch.vsctl("list-ports", "br-int") == "mine"
    assert str(rig.host("h1")["tunnels"]["vxlan"]) \
        == switch.vsctl("get", "interface", "mine", "ofport")


def test_provider_mappings(rig, switch):
    switch.vsctl("add-br", "br-ex", "--", "add-br", "br-with-a-long-n")
    switch.vsctl("add-br", "br-int", "--", "add-port", "br-int", "there")
    switch.vsctl("add-port", "br-ex", "taken")
    switch.vsctl("set", "Open_vSwitch", ".",
                 "other_config:provider_mappings=ext:br-ex,phys1:eth7,"
                 "phys2:there,phys3:taken,long:br-with-a-long-n,bad")
    connect(rig, switch)
    wait_until(lambda: all(p["ofport"] for p in rig.host("h1")["physnets"]
                           if p["name"] not in ("phys3", "bad")), "attached")
    physnets = {p["name"]: p for p in rig.host("h1")["physnets"]}
    assert "port of bridge br-ex" in physnets["phys3"]["problem"]
    assert "NETWORK:TARGET" in physnets["bad"]["problem"]
    assert any("phys3" in lack for lack in rig.host("h1")["lacks"])
    inner = set(switch.vsctl("list-ports", "br-int").split())
    assert {"wi-br-ex", "eth7", "there"} < inner
    assert all(len(name) <= 15 for name in inner)
    assert "wp-br-ex" in switch.vsctl("list-ports", "br-ex").split()
    assert switch.vsctl("get", "interface", "wi-br-ex", "options") \
        == "{peer=wp-br-ex}"
    assert physnets["phys2"]["ofport"] == int(
        switch.vsctl("get", "interface", "there", "ofport"))
    transactions = rig.host("h1")["counters"]["transactions"]

    # What is not mapped any more goes, if it was ours.
    switch.vsctl("set", "Open_vSwitch", ".",
                 "other_config:provider_mappings=phys2:there")
    wait_until(lambda: switch.vsctl("list-ports", "br-int") == "there",
               "ports gone")
    wait_until(lambda: switch.vsctl("list-ports", "br-ex") == "taken",
               "patch gone")
    assert rig.host("h1")["counters"]["transactions"] == transactions + 1


def test_existing_patch_is_used(rig, switch):
    switch.vsctl(
        "add-br", "br-ex", "--", "add-br", "br-int", "--", "add-port",
        "br-int", "int-br-ex", "--", "set", "interface", "int-br-ex",
        "type=patch", "options:peer=phy-br-ex", "--", "add-port", "br-ex",
        "phy-br-ex", "--", "set", "interface", "phy-br-ex", "type=patch",
        "options:peer=int-br-ex")
    switch.vsctl("set", "Open_vSwitch", ".",
                 "other_config:provider_mappings=ext:br-ex")
    connect(rig, switch)
    wait_until(lambda: rig.host("h1")["physnets"][0]["ofport"], "attached")
    assert switch.vsctl("list-ports", "br-int") == "int-br-ex"


def test_active_connection(switch):
    port = free_port()
    switch.vsctl("set-manager", f"ptcp:{port}:127.0.0.1")
    rig = Rig(targets=[f"tcp:127.0.0.1:{port}"])
    try:
        add_rules(rig)
        rig.publish()
        rig.wait("h1")
        # With nobody to name an address, that of the session is it.
        assert switch.vsctl("get-controller", "br-int") \
            == f"tcp:127.0.0.1:{rig.openflow_port}"
        switch.stop("ovsdb-server")
        wait_until(lambda: not rig.host("h1")["connected"]["ovsdb"], "gone")
        switch.start_database()
        rig.wait("h1")
    finally:
        rig.close()


def test_two_switches_with_one_name(rig, switch):
    connect(rig, switch)
    other = Switch("h1")
    try:
        other.vsctl("set-manager", f"tcp:127.0.0.1:{rig.ovsdb_port}")
        wait_until(lambda: "another switch also calls itself h1"
                   in (rig.host("h1")["last_error"] or ""), "named")
        assert not other.has("bridge", "name=br-int")
        assert rig.in_step("h1")
        # When the first is gone, the second is it.
        switch.vsctl("del-manager", "--", "del-br", "br-int")
        wait_until(lambda: other.has("bridge", "name=br-int"), "taken over",
                   20)
        rig.wait("h1")
    finally:
        other.close()


def test_packets(rig, switch):
    switch.vsctl("add-br", "br-int", "--", "add-port", "br-int", "p1", "--",
                 "set", "interface", "p1", "type=dummy", "ofport_request=7")
    rig.say("add", "punt", "punt", "all", 10, 0, 4711)
    rig.publish()
    connect(rig, switch)
    # Into the table of the rule from outside.
    switch.ofctl("add-flow", "br-int", "table=0,priority=1,in_port=7,"
                 "actions=resubmit(,60)")
    switch.appctl("netdev-dummy/receive", "p1",
                  "in_port(7),eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02"
                  "),eth_type(0x88b5)")
    packet = rig.next("packet")
    assert packet["in_port"] == 7 and packet["reason"] == 4711
    rig.say("packet", "h1", 7)
    wait_until(lambda: "n_packets=1" in switch.ofctl("dump-ports", "br-int",
                                                     "p1")
               or re.search(r"tx pkts=1\b", switch.ofctl(
                   "dump-ports", "br-int", "p1")), "sent")


def test_many_rules(rig, switch):
    for i in range(5000):
        rig.say("add", f"m{i}", "rule", "host:h1", 100, i + 1, i + 1)
    rig.publish()
    host = connect(rig, switch)
    assert host["counters"]["bundles"] == 0         # First fill: a stream.
    assert host["counters"]["flow_mods"] == 5000
    for i in range(2500):
        rig.say("del", f"m{i}")
    host = rig.settle("h1")
    assert host["counters"]["bundles"] == 3
    assert len(switch.flows()) == 2500
    assert rig.check("h1")["ok"]


def test_large_group(rig, switch):
    rig.say("add", "g", "group", "host:h1", GROUP)
    for i in range(1000):
        rig.say("add", f"b{i}", "bucket", "host:h1", GROUP, i + 1, i + 1)
    rig.publish()
    host = connect(rig, switch)
    assert host["counters"]["refused"] == 0
    assert host["last_error"] is None
    assert rig.check("h1")["ok"]

    # Open vSwitch could not describe a group of more than 64 kB.
    for i in range(1000, 3000):
        rig.say("add", f"b{i}", "bucket", "host:h1", GROUP, i + 1, i + 1)
    host = rig.settle("h1")
    assert "buckets fit a message" in host["last_error"]
    assert rig.check("h1")["ok"]
    reconnect_openflow(rig, switch)
    assert rig.check("h1")["ok"]
    assert rig.host("h1")["counters"]["group_mods"] \
        == host["counters"]["group_mods"]
    for i in range(3000):
        if i % 3:
            rig.say("del", f"b{i}")
    rig.settle("h1")
    assert rig.check("h1")["ok"]
    assert switch.groups()[0].count("bucket=") == 1000


def make_pki(directory):
    """A certificate authority and a certificate for each side."""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=directory, check=True,
                       capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", "/CN=test CA", "-keyout", "ca.key", "-out", "ca.pem")
    for name in ("weft", "switch"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj",
                "/CN=" + name, "-keyout", name + ".key", "-out",
                name + ".csr")
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem",
                "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-out",
                name + ".pem")


def test_tls(switch, tmp_path):
    make_pki(tmp_path)
    rig = Rig(tls=[tmp_path / "weft.key", tmp_path / "weft.pem",
                   tmp_path / "ca.pem"])
    try:
        add_rules(rig)
        rig.publish()
        switch.vsctl("set-ssl", f"{tmp_path}/switch.key",
                     f"{tmp_path}/switch.pem", f"{tmp_path}/ca.pem", "--",
                     "set-manager", f"ssl:127.0.0.1:{rig.ovsdb_port}")
        rig.wait("h1")
        assert switch.vsctl("get-controller", "br-int") \
            == f"ssl:127.0.0.1:{rig.openflow_port}"
        assert len(switch.flows()) == 22
    finally:
        rig.close()


def test_hostile_peers(rig, switch):
    """Whatever else connects, the switch does not notice."""
    add_rules(rig)
    rig.publish()
    peers = []
    for port, data in ((rig.ovsdb_port, b"GET / HTTP/1.0\r\n\r\n"),
                       (rig.ovsdb_port, b"{" + b"[" * 100000),
                       (rig.ovsdb_port, b'{"id":null,"method":"update"}'),
                       (rig.ovsdb_port, b'{"a":"'),
                       (rig.ovsdb_port, b""),
                       (rig.openflow_port, b"GET / HTTP/1.0\r\n\r\n"),
                       (rig.openflow_port, bytes([4, 0, 0, 4, 0, 0, 0, 0])),
                       (rig.openflow_port, bytes([1, 0, 0, 8, 0, 0, 0, 0])),
                       (rig.openflow_port, b"\x06\x00"),
                       (rig.openflow_port, b"")):
        peer = socket.create_connection(("127.0.0.1", port))
        try:
            peer.sendall(data)
        except OSError:
            pass
        peers.append(peer)
    connect(rig, switch)
    assert rig.check("h1")["ok"]
    # Those that say nothing or nothing sensible are gone by themselves.
    wait_until(lambda: len(rig.status()) == 1,
               lambda: f"left: {rig.status()}", 20)
    for peer in peers:
        peer.close()
