#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The product in one command: a small cloud in network namespaces.

Starts weftd and three hypervisors, each with its own real Open vSwitch and
nothing of Weft on it; makes two tenants' networks with the same addresses
through the HTTP interface, as OpenStack's driver would; plugs six VMs; proves
with real packets that the networks work and that they are kept apart.

Exit status 0 only if every proof held.  On a terminal it stays up until
Ctrl-C.  Everything it made is gone afterwards.
"""

import argparse
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from cloud import Cloud, Events, HttpError, Weftd       # noqa: E402
from rig import Rig, RigError, is_running               # noqa: E402

# name, hypervisor, host part of the addresses
RED = [("red1", 1, 11), ("red2", 2, 12), ("red3", 3, 13)]
BLUE = [("blue1", 1, 11), ("blue2", 2, 12), ("blue4", 3, 14)]


class Screen:
    """Lines with the time since the start; marks where the terminal can."""

    def __init__(self):
        self.start = time.monotonic()
        # Python calls the C locale UTF-8; the terminal may not.
        locale = next((os.environ[name] for name in (
            "LC_ALL", "LC_CTYPE", "LANG") if os.environ.get(name)), "")
        fancy = "utf8" in locale.lower().replace("-", "")
        self.good, self.bad = ("\u2713", "\u2717") if fancy else ("ok  ",
                                                                  "FAIL")
        colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.colours = {"good": "\033[32m", "bad": "\033[31m",
                        "title": "\033[1m", "off": "\033[0m"}
        if not colours:
            self.colours = dict.fromkeys(self.colours, "")
        self.failed = self.held = 0

    def title(self, text):
        print(f"\n{self.colours['title']}{text}{self.colours['off']}",
              flush=True)

    def step(self, text):
        print(f"{time.monotonic() - self.start:7.2f} s  {text}", flush=True)

    def proof(self, held, text, why=""):
        mark, colour = ((self.good, "good") if held else (self.bad, "bad"))
        self.held += bool(held)
        self.failed += not held
        self.step(f"{self.colours[colour]}{mark}{self.colours['off']} {text}"
                  + (f": {why}" if why and not held else ""))


class Demo:
    def __init__(self, rig, screen):
        self.rig = rig
        self.screen = screen
        self.vms = {}                   # {name: VM}
        self.ports = {}                 # {name: port}
        self.tenants = {}               # {colour: Cloud}

    def start(self):
        step = self.screen.step
        self.screen.title("A cloud of three hypervisors")
        self.rig.open_underlay()
        self.weftd = Weftd(self.rig)
        seconds = self.weftd.start()
        step(f"weftd serves at {self.rig.address}, {seconds:.2f} s after its "
             "start (HTTP 8080, OVSDB 6640, OpenFlow 6653)")
        self.rig.open_hypervisors()
        step("three hosts run Open vSwitch, and nothing of Weft")
        for host in self.rig.hypervisors:
            host.connect()
        first = self.rig.hypervisors[0]
        step("each host is pointed at Weft; on hv1 that was")
        print("             ovs-vsctl set Open_vSwitch . "
              f"other_config:local_ip={first.address}")
        print(f"             ovs-vsctl set-manager tcp:{self.rig.address}"
              ":6640")
        self.weftd.wait_hosts([h.name for h in self.rig.hypervisors])
        step("all three are connected and hold their rules")

    def make_networks(self):
        """Two tenants who chose the same addresses."""
        self.screen.title("Two tenants, overlapping addresses, over HTTP as "
                          "Neutron's driver does")
        for colour, segment, members in (("red", 5001, RED),
                                         ("blue", 5002, BLUE)):
            cloud = Cloud(self.weftd.client())
            self.tenants[colour] = cloud
            network = cloud.network(colour + "-net", segment)
            v4 = cloud.subnet(network, "10.0.0.0/24", "10.0.0.1")
            v6 = cloud.subnet(network, "fd00::/64", "fd00::1")
            for name, number, host_part in members:
                mac = (f"fa:16:3e:00:{'01' if colour == 'red' else '02'}:"
                       f"{host_part:02x}")
                self.ports[name] = cloud.port(
                    network, mac,
                    [(v4, f"10.0.0.{host_part}"), (v6, f"fd00::{host_part}")],
                    host=f"hv{number}", name=name)
            self.screen.step(
                f"{colour}: network (VXLAN {segment}), subnets 10.0.0.0/24 "
                f"and fd00::/64, ports for "
                + ", ".join(name for name, _, _ in members))

    def plug(self):
        self.events = Events(self.weftd.client())
        begin = time.monotonic()
        for name, number, host_part in RED + BLUE:
            port = self.ports[name]
            self.vms[name] = self.rig.hypervisors[number - 1].add_vm(
                name, port["mac_address"],
                [f"10.0.0.{host_part}/24", f"fd00::{host_part}/64"],
                iface_id=port["id"])
        ids = [port["id"] for port in self.ports.values()]
        late = self.events.wait_status(ids)
        seconds = time.monotonic() - begin
        self.screen.proof(
            not late, f"six VMs plugged and reported ACTIVE in {seconds:.2f} "
            "s, once their switches had acknowledged the rules",
            f"still not ACTIVE: {late}")
        self.events.close()

    # Proofs.

    def prove_reach(self):
        self.screen.title("Proofs: the same network works across hosts")
        for source, target, part in (("red1", "red2", 12),
                                     ("red1", "red3", 13),
                                     ("blue1", "blue2", 12),
                                     ("blue2", "blue4", 14)):
            for address, family in ((f"10.0.0.{part}", "IPv4"),
                                    (f"fd00::{part}", "IPv6")):
                self.screen.proof(
                    self.vms[source].reaches(address),
                    f"{source} reaches {target} at {address} ({family})")
        self.screen.proof(
            self.vms["red1"].reaches("10.0.0.12", size=1422),
            "a packet as large as the network's MTU (1450) passes")

    def prove_isolation(self):
        self.screen.title("Proofs: tenants are kept apart")
        vms = self.vms
        sniffers = {name: vms[name].sniff() for name in vms
                    if name.startswith("blue")}
        reached = vms["red1"].ping("10.0.0.14", count=3, interval=0.1)
        reached6 = vms["red1"].ping("fd00::14", count=3, interval=0.1)
        self.screen.proof(not reached and not reached6,
                          "red1 cannot reach 10.0.0.14 and fd00::14, which "
                          "only blue has", f"{reached} + {reached6} answers")
        own = vms["red1"].ping("10.0.0.12", count=3, interval=0.1)
        red = {bytes.fromhex(vms[name].mac.replace(":", ""))
               for name in vms if name.startswith("red")}
        leaked = {name: sum(frame[6:12] in red for frame in s.frames())
                  for name, s in sniffers.items()}
        for sniffer in sniffers.values():
            sniffer.close()
        self.screen.proof(own == 3, "red1 reaches its own 10.0.0.12 at the "
                          "same time", f"{own} of 3 answers")
        self.screen.proof(not any(leaked.values()),
                          "not one frame of red arrived at a VM of blue",
                          str(leaked))

    def prove_guard(self):
        self.screen.title("Proofs: a VM that lies about who it is is blocked")
        spoofer, victim = self.vms["red1"], self.vms["red2"]
        spoofer.add_address("10.0.0.99/24")
        with victim.sniff() as sniffer:
            answers = spoofer.ping("10.0.0.12", count=3, interval=0.1,
                                   source="10.0.0.99")
            wrong = [f for f in sniffer.frames("in")
                     if bytes([10, 0, 0, 99]) in f[14:]]
        self.screen.proof(not answers and not wrong,
                          "red1 with the address 10.0.0.99, not its own",
                          f"{answers} answers, {len(wrong)} frames")
        spoofer.remove_address("10.0.0.99/24")
        spoofer.add_address("fd00::99/64")
        answers = spoofer.ping("fd00::12", count=3, interval=0.1,
                               source="fd00::99")
        self.screen.proof(not answers, "red1 with the address fd00::99",
                          f"{answers} answers")
        spoofer.remove_address("fd00::99/64")
        mac = spoofer.mac
        spoofer.set_mac("fa:16:3e:00:01:99")
        with victim.sniff() as sniffer:
            answers = spoofer.ping("10.0.0.12", count=3, interval=0.1)
            wrong = [f for f in sniffer.frames("in")
                     if f[6:12] == bytes.fromhex("fa163e000199")]
        self.screen.proof(not answers and not wrong,
                          "red1 with a MAC address that is not its own",
                          f"{answers} answers, {len(wrong)} frames")
        spoofer.set_mac(mac)
        # Linux drops IPv6 addresses when a link goes down.
        spoofer.ip("addr", "replace", "fd00::11/64", "dev", "eth0", "nodad")
        self.screen.proof(spoofer.reaches("10.0.0.12")
                          and spoofer.reaches("fd00::12"),
                          "red1 with its own addresses again reaches red2")

    def show_commands(self):
        weft = os.path.join(self.rig.build, "cli", "weft")
        first = self.rig.hypervisors[0]
        vm = self.vms["red1"].namespace.name
        self.screen.title("Look around (as root, in another terminal)")
        port = self.ports["red1"]["id"]
        for line in (
                f"alias weft='{weft} --socket {self.weftd.socket}'",
                "weft status",
                "weft hosts",
                "weft port list",
                f"weft explain {port[:8]}",
                "weft rules hv1",
                "weft check switches",
                f"ip netns exec {vm} ping 10.0.0.12",
                f"ovs-vsctl --db=unix:{first.path('db.sock')} show",
                f"OVS_RUNDIR={first.directory} ovs-ofctl -O OpenFlow15 "
                "dump-flows br-int",
                f"ip netns exec {self.rig.control.name} curl -u admin:admin "
                f"http://{self.rig.address}:8080/controller/nb/v2/neutron/"
                "ports"):
            print("    " + line)
        print(flush=True)

    def run(self):
        self.start()
        self.make_networks()
        self.plug()
        self.prove_reach()
        self.prove_isolation()
        self.prove_guard()


def on_signal(signo, _frame):
    raise SystemExit(128 + signo)


def stay(weftd):
    print("The cloud stays up until Ctrl-C.", flush=True)
    while is_running(weftd.daemon.pid):
        time.sleep(0.5)
    print("weftd ended:\n" + weftd.daemon.tail())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", default="build",
                        help="where weftd and weft were built (build)")
    parser.add_argument("--keep", action="store_true",
                        help="stay up until Ctrl-C, also without a terminal")
    parser.add_argument("--no-keep", action="store_true",
                        help="do not stay up")
    options = parser.parse_args()
    for signo in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signo, on_signal)
    screen = Screen()
    status = 1
    finished = False
    rig = None
    try:
        rig = Rig(options.build)
        demo = Demo(rig, screen)
        demo.run()
        total = screen.held + screen.failed
        screen.title(f"{screen.held} of {total} proofs held, "
                     f"{time.monotonic() - screen.start:.1f} s in all")
        status = 1 if screen.failed else 0
        finished = True
        demo.show_commands()
        if options.keep or (sys.stdout.isatty() and sys.stdin.isatty()
                            and not options.no_keep):
            stay(demo.weftd)
    except KeyboardInterrupt:
        print()
        # Before all proofs were made nothing was shown.
        status = status if finished else 130
    except (RigError, HttpError, OSError, RuntimeError) as error:
        print(f"demo: {error}", file=sys.stderr)
        if rig and rig.weftd and rig.weftd.daemon:
            print("the last lines of weftd's log:\n"
                  + rig.weftd.daemon.tail(), file=sys.stderr)
    finally:
        # Nothing may interrupt the removal of what was made.
        for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signo, signal.SIG_IGN)
        if rig:
            rig.close()
            print("Everything the demo made is gone.", flush=True)
    return status


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
