# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: a site (rig, weftd, three hosts) per module,
and a network with its machines per test.

A site takes about two seconds to make.  Every test leaves it as it found it;
that this is so, and that the rules equal those compiled from scratch, is
checked after each.

Needs root; skipped otherwise.  WEFT_BUILD names the build directory.
"""

import os
import re
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "demo"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from cloud import Cloud, Events, Weftd              # noqa: E402
from rig import Rig, wait_until                     # noqa: E402

BUILD = os.environ.get("WEFT_BUILD", os.path.join(TOP, "build"))


def pytest_collection_modifyitems(items):
    if os.geteuid():
        for item in items:
            item.add_marker(pytest.mark.skip(reason="needs root"))


class Network:
    """A Neutron network with one IPv4 and one IPv6 subnet."""

    def __init__(self, site, segment, kind="vxlan", number=0, physnet=None,
                 **more):
        self.site = site
        self.segment = segment
        self.prefix4 = f"10.{number}.0."
        self.prefix6 = f"fd00:{number}::"
        self.body = site.cloud.network(f"net-{segment}", segment, kind,
                                       physnet, **more)
        self.mtu = self.body["mtu"]
        self.subnet4 = site.cloud.subnet(
            self.body, self.prefix4 + "0/24", self.prefix4 + "1")
        self.subnet6 = site.cloud.subnet(
            self.body, self.prefix6 + "/64", self.prefix6 + "1")

    def addresses(self, part):
        return self.prefix4 + str(part), self.prefix6 + str(part)

    def port(self, part, host="", mac=None, **more):
        four, six = self.addresses(part)
        return self.site.cloud.port(
            self.body, mac or self.site.next_mac(),
            [(self.subnet4, four), (self.subnet6, six)], host, **more)

    def machine(self, hypervisor, part, port):
        """A VM with the port's addresses that is not plugged yet."""
        four, six = self.addresses(part)
        vm = hypervisor.add_vm(
            self.site.next_name(), port["mac_address"],
            [four + "/24", six + "/64"], mtu=self.mtu)
        vm.port, vm.four, vm.six = port, four, six
        return vm

    def vm(self, number, part, wait=True, **more):
        """A port on hypervisor 'number' and its VM, plugged; the test goes
        on when it is ACTIVE."""
        hypervisor = self.site.rig.hypervisors[number - 1]
        port = self.port(part, hypervisor.name, **more)
        vm = self.machine(hypervisor, part, port)
        hypervisor.plug(vm, port["id"])
        if wait:
            self.site.wait_active(vm)
        return vm


class Site:
    """Rig, daemon and three connected hosts."""

    def __init__(self, options="", **rig_options):
        self.rig = Rig(BUILD, **rig_options)
        self.n_names = 0
        self.events = None
        try:
            self.rig.open_underlay()
            self.weftd = Weftd(self.rig, options)
            self.weftd.start()
            self.rig.open_hypervisors()
        except BaseException:
            self.rig.close()
            raise
        self.cloud = Cloud(self.weftd.client())
        self.hosts = self.rig.hypervisors
        self.names = [host.name for host in self.hosts]

    def connect(self, **options):
        for host in self.hosts:
            host.connect(**options)
        self.weftd.wait_hosts(self.names)
        self.follow()

    def follow(self):
        """(Again) follows the event stream: it ends with the daemon."""
        if self.events:
            self.events.close()
        self.events = Events(self.weftd.client())

    def next_name(self):
        self.n_names += 1
        return f"m{self.n_names}"

    def next_mac(self):
        self.n_names += 1
        return f"fa:16:3e:00:{self.n_names >> 8:02x}:{self.n_names & 255:02x}"

    def status(self, port):
        return self.cloud.get("port", port["id"]).get("status")

    def wait_status(self, status, *ports, seconds=15):
        wait_until(
            lambda: all(self.status(port) == status for port in ports),
            lambda: f"not {status}: " + "".join(
                "\n" + self.weftd.weft("explain", port["id"], check=False)
                for port in ports if self.status(port) != status),
            seconds)

    def wait_active(self, *vms):
        self.wait_status("ACTIVE", *(vm.port for vm in vms))
        self.settle()

    def settle(self):
        """Waits until every host has acknowledged all it should hold."""
        self.weftd.wait_hosts(self.names)

    def clean(self):
        for vm in list(self.rig.vms()):
            vm.delete()
        self.cloud.clean()

    def check(self):
        """The oracle: nothing missing, nothing stale, nothing that a
        compilation from scratch would do otherwise."""
        self.settle()
        engine = self.weftd.call("POST", "/weft/v1/check/engine")
        assert not engine["differences"], engine["report"]
        switches = self.weftd.call("POST", "/weft/v1/check/switches")
        bad = [host for host in switches["hosts"] if not host["ok"]]
        assert not bad, bad
        assert len(switches["hosts"]) == len(self.hosts)

    def close(self):
        """Ends all; a daemon that was built with sanitizers must not have
        complained, nor leaked."""
        if self.events:
            self.events.close()
        took = self.weftd.daemon.end()
        log = self.weftd.daemon.tail(100000)
        self.rig.close()
        assert "Sanitizer" not in log and "runtime error:" not in log, log
        assert took < 2.0


@pytest.fixture(scope="module")
def bare_site():
    """Three hosts, connected; modules that need more define their own."""
    site = Site()
    site.connect()
    yield site
    site.close()


def shape(host):
    """The flows of a host without port numbers, which a port that is taken
    away and given back changes."""
    return sorted(re.sub(r"cookie=\w+, |(?<=in_port=)\d+|(?<=output:)\d+", "",
                         flow) for flow in host.flows())


@pytest.fixture
def site(bare_site):
    """The module's site; checked and cleaned after the test."""
    baseline = [shape(host) for host in bare_site.hosts]
    yield bare_site
    bare_site.check()
    bare_site.clean()
    bare_site.check()
    assert [shape(host) for host in bare_site.hosts] == baseline


@pytest.fixture
def network(site):
    return Network(site, 7001)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure comes with the end of weftd's log."""
    report = (yield).get_result()
    site = item.funcargs.get("bare_site") if hasattr(item, "funcargs") else (
        None)
    if report.failed and site is not None and site.weftd.daemon:
        report.sections.append(("weftd", site.weftd.daemon.tail(60)))
