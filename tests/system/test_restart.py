# SPDX-License-Identifier: Apache-2.0
"""Restarts: of the daemon, which traffic must not notice; of a switch, which
must recover by itself; and of the daemon by kill -9 in the middle of work."""

import signal
import threading
import time
import uuid

import pytest
from conftest import Network
from rig import wait_until

PINGS = 4000                    # One a millisecond.


@pytest.fixture
def pair(site):
    network = Network(site, 7001)
    one, two = network.vm(1, 11), network.vm(2, 12)
    assert one.reaches(two.four) and one.reaches(two.six)
    return one, two


def lost(ping):
    """(sent, lost) of a finished ping."""
    text = ping.communicate(timeout=60)[0]
    words = text.replace(",", " ").split()
    sent = int(words[words.index("packets") - 1])
    received = int(words[words.index("received") - 1])
    return sent, sent - received


def settled(site):
    site.weftd.wait_hosts(site.names)
    site.follow()


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGKILL])
def test_daemon_restart_is_not_noticed(site, pair, signo):
    """0 packets lost at one a millisecond; not one flow or row touched."""
    one, two = pair
    before = [host.changes() for host in site.hosts]
    flows = [host.flows() for host in site.hosts]
    start = time.monotonic()
    ping = one.start_ping(two.four, PINGS, 0.001)
    took = site.weftd.daemon.end(signo)
    assert took < 1.0, f"took {took:.2f} s to end"
    site.weftd.start()
    settled(site)
    site.wait_status("ACTIVE", one.port, two.port)
    sent, missing = lost(ping)
    assert sent == PINGS
    assert not missing, f"{missing} of {sent} lost"
    elapsed = time.monotonic() - start
    assert [host.flows() for host in site.hosts] == flows
    for host in site.hosts:
        young = [flow for flow, age in host.flow_ages().items()
                 if "cookie=0x7765" in flow and age < elapsed - 0.5]
        assert not young, young
    assert [host.changes() for host in site.hosts] == before


def test_daemon_is_away(site, pair):
    """While it is away everything that was wired goes on working, and what
    happens meanwhile is done when it is back."""
    one, two = pair
    network = Network(site, 7002, number=1)
    early = network.vm(3, 13)
    late_port = network.port(14, "hv1")
    site.weftd.daemon.end()
    assert one.ping(two.four, count=20, interval=0.01) == 20
    late = network.machine(site.hosts[0], 14, late_port)
    site.hosts[0].plug(late, late_port["id"])
    site.hosts[2].unplug(early)
    assert one.ping(two.six, count=20, interval=0.01) == 20
    site.weftd.start()
    settled(site)
    site.wait_active(late)
    site.wait_status("DOWN", early.port)


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGKILL])
def test_switch_restart_recovers(site, pair, signo):
    one, two = pair
    host = site.hosts[0]
    host.restart_switch(signo)
    host.seed_neighbours()
    wait_until(lambda: one.ping(two.four, seconds=0.2),
               lambda: site.weftd.weft("hosts", check=False), 30)
    site.settle()
    assert one.reaches(two.six)
    site.wait_status("ACTIVE", one.port, two.port)


def test_switch_database_restart(site, pair):
    """ovsdb-server restarts, ovs-vswitchd and its flows stay."""
    one, two = pair
    ping = one.start_ping(two.four, 2000, 0.001)
    flows = site.hosts[0].flows()
    site.hosts[0].restart_database()
    settled(site)
    assert lost(ping)[1] == 0
    assert site.hosts[0].flows() == flows


def test_flows_wiped_by_hand(site, pair):
    """Somebody deletes all flows and weftd's session is renewed: what is
    missing is put back, without a restart of anything else."""
    one, two = pair
    host = site.hosts[0]
    host.ofctl("del-flows", "br-int", "cookie=0x7765000000000000/"
               "0xffff000000000000")
    site.weftd.daemon.end()
    site.weftd.start()
    settled(site)
    assert one.reaches(two.four)


def test_switch_and_daemon_restart(site, pair):
    one, two = pair
    site.weftd.daemon.end(signal.SIGKILL)
    site.hosts[0].restart_switch()
    site.hosts[1].restart_switch()
    for host in site.hosts:
        host.seed_neighbours()
    site.weftd.start()
    settled(site)
    assert one.reaches(two.four, seconds=20) and one.reaches(two.six)
    site.wait_status("ACTIVE", one.port, two.port)


def test_killed_while_creating_ports(site):
    """kill -9 during 500 creations: every answered one is there, none is
    half there, and those plugged work."""
    network = Network(site, 7003, number=3)
    answered, stop = [], threading.Event()

    def create():
        client = site.weftd.client()
        for number in range(500):
            if stop.is_set():
                break
            ident = str(uuid.uuid4())
            body = site.cloud.port_body(
                network.body, f"fa:16:3e:99:{number >> 8:02x}:"
                f"{number & 255:02x}",
                [(network.subnet4, f"10.3.{1 + (number >> 8)}."
                  f"{number & 255}")], "hv1", id=ident,
                tenant_id=site.cloud.tenant)
            try:
                status, _ = client.request(
                    "POST", "/controller/nb/v2/neutron/ports", {"port": body})
            except OSError:
                continue
            if status == 201:
                answered.append(ident)
        client.close()

    vm = network.vm(2, 12)
    workers = [threading.Thread(target=create) for _ in range(1)]
    for worker in workers:
        worker.start()
    wait_until(lambda: len(answered) > 100, lambda: f"{len(answered)}", 30)
    site.weftd.daemon.end(signal.SIGKILL)
    site.weftd.start()
    wait_until(lambda: len(answered) > 250, lambda: f"{len(answered)}", 30)
    site.weftd.daemon.end(signal.SIGKILL)
    site.weftd.start()
    for worker in workers:
        worker.join()
    settled(site)
    site.cloud.made += [("ports", ident) for ident in answered]
    stored = {port["id"] for port in site.weftd.call(
        "GET", "/controller/nb/v2/neutron/ports")["ports"]}
    assert not set(answered) - stored
    # A request whose answer was lost may or may not have been done.
    unanswered = stored - set(answered) - {vm.port["id"]}
    assert len(unanswered) <= 4
    site.cloud.made += [("ports", ident) for ident in unanswered]
    four, six = network.addresses(11)
    one = network.vm(1, 11)
    assert one.reaches(vm.four) and one.reaches(vm.six)
    assert (four, six) == (one.four, one.six)
