# SPDX-License-Identifier: Apache-2.0
"""Layer 2 with real packets on real Open vSwitch: who reaches whom, over
what, who may say what, and what never leaves a host."""

import pytest
from conftest import Network, Site
from frames import (BROADCAST, ETH_VLAN, advertisement, arp, ethernet, inner,
                    ip, is_arp_request, is_solicitation, kind, mac, udp)
from rig import Namespace, Sniffer, wait_until

PHYSNET = "physnet1"
ALIEN = "02:aa:aa:aa:aa:aa"


@pytest.fixture(scope="module")
def bare_site():
    """Each host maps the physical network another way: to an interface, to a
    bridge, to a port that is on br-int already."""
    site = Site(extra_nic=True)
    one, two, three = site.hosts
    two.vsctl("add-br", "br-prov", "--", "set", "bridge", "br-prov",
              "datapath_type=netdev", "--", "add-port", "br-prov", "eth1")
    one.connect(mappings=PHYSNET + ":eth1")
    two.connect(mappings=PHYSNET + ":br-prov")
    three.connect(mappings=PHYSNET + ":eth1")
    three.vsctl("--", "wait-until", "Bridge", "br-int", "--", "--may-exist",
                "add-port", "br-int", "eth1")
    site.weftd.wait_hosts(site.names)
    site.follow()
    yield site
    site.close()


def underlay(site, number):
    """What passes the network card of a host on the underlay."""
    return Sniffer(site.hosts[number - 1].namespace, "eth0")


def carried(frames, network):
    """The inner frames of a VXLAN network among 'frames'."""
    found = [inner(frame) for frame in frames]
    return [one[1] for one in found if one and one[0] == network.segment]


def marked(frames, mark):
    return [frame for frame in frames if mark in frame]


# Reach.

@pytest.mark.parametrize("carrier", ["vxlan", "gre", "geneve"])
def test_across_hosts(site, carrier):
    network = Network(site, 7100, carrier)
    one, two = network.vm(1, 11), network.vm(2, 12)
    assert one.reaches(two.four)
    assert one.reaches(two.six)
    assert two.reaches(one.four)
    # The largest packet that the network's MTU promises.
    assert one.reaches(two.four, size=network.mtu - 28)
    assert one.reaches(two.six, size=network.mtu - 48)
    assert one.ping(two.four, count=200, interval=0.002) == 200


def test_on_one_host(site, network):
    one, two = network.vm(1, 11), network.vm(1, 12)
    with underlay(site, 1) as wire:
        assert one.reaches(two.four)
        assert one.reaches(two.six)
        assert not carried(wire.frames(), network)


def test_all_carriers_at_once(site):
    """Three encapsulations on the same hosts, the same key."""
    networks = [Network(site, 88, carrier, number)
                for number, carrier in enumerate(["vxlan", "gre", "geneve"])]
    pairs = [(n.vm(1, 11), n.vm(3, 13)) for n in networks]
    for one, three in pairs:
        assert one.reaches(three.four)
        assert one.reaches(three.six)


def test_tenants_with_the_same_addresses(site):
    red, blue = Network(site, 7201), Network(site, 7202)
    red1, red2 = red.vm(1, 11), red.vm(2, 12)
    blue1, blue2 = blue.vm(1, 11), blue.vm(2, 12)
    only_blue = blue.vm(1, 14)
    assert red1.reaches(red2.four) and blue1.reaches(blue2.four)
    with blue2.sniff() as sniffer, only_blue.sniff() as beside:
        assert red1.ping(red2.four, count=5, interval=0.05) == 5
        assert not red1.ping(only_blue.four)
        assert not red1.ping(only_blue.six)
        for frame in sniffer.frames("in") + beside.frames("in"):
            assert frame[6:12] != mac(red1.mac)


# VLAN and flat: all three forms of provider mapping.

def wire_of(site):
    """What passes the physical network."""
    return Sniffer(site.rig.underlay, "pbr")


@pytest.mark.parametrize("pair", [(1, 2), (2, 3), (1, 3)])
def test_vlan(site, pair):
    network = Network(site, 120, "vlan", physnet=PHYSNET)
    one, two = network.vm(pair[0], 11), network.vm(pair[1], 12)
    leg = Sniffer(site.hosts[pair[0] - 1].namespace, "eth1")
    with leg:
        assert one.reaches(two.four)
        assert one.reaches(two.six)
        seen = [frame for frame in leg.frames()
                if mac(one.mac) in frame[:12] and mac(two.mac) in frame[:12]]
    # The kernel may have taken the tag out of the frame for us: untagged
    # copies are only right when none is tagged.
    tagged = [frame for frame in seen if kind(frame) == ETH_VLAN]
    assert seen
    for frame in tagged:
        assert int.from_bytes(frame[14:16], "big") & 0xfff == 120
    assert one.reaches(two.four, size=1472)


def test_vlans_are_apart(site):
    one = Network(site, 121, "vlan", physnet=PHYSNET).vm(1, 11)
    two = Network(site, 122, "vlan", physnet=PHYSNET).vm(2, 12)
    assert not one.ping(two.four)
    assert not one.ping(two.six)


def test_flat_reaches_outside(site):
    """A machine of the physical network that Neutron does not know."""
    network = Network(site, None, "flat", physnet=PHYSNET,
                      **{"router:external": True, "shared": True})
    outside = Namespace(site.rig, "out")
    try:
        site.rig.add_leg(outside, "eth0", "pbr", 1500)
        outside.ip("addr", "add", network.prefix4 + "200/24", "dev", "eth0")
        outside.ip("addr", "add", network.prefix6 + "200/64", "dev", "eth0",
                   "nodad")
        vms = [network.vm(number, 10 + number) for number in (1, 2, 3)]
        for vm in vms:
            assert vm.reaches(network.prefix4 + "200")
            assert vm.reaches(network.prefix6 + "200")
        assert vms[0].reaches(vms[1].four)
        assert vms[1].reaches(vms[2].six)
    finally:
        outside.delete()


# What is not flooded.

def test_broadcast_reaches_members_only(site, network):
    one, two = network.vm(1, 11), network.vm(2, 12)
    same_host = network.vm(1, 13)
    stranger = Network(site, 7002, number=1).vm(2, 12)
    mark = b"to all members"
    frames = [udp(one.mac, BROADCAST, one.four, "255.255.255.255", mark),
              udp(one.mac, "33:33:00:00:00:01", one.six, "ff02::1", mark),
              udp(one.mac, "01:00:5e:01:02:03", one.four, "239.1.2.3", mark)]
    with two.sniff() as member, same_host.sniff() as beside, \
            stranger.sniff() as other, underlay(site, 3) as empty, \
            one.sniff() as own:
        one.send(*frames)
        got = []
        wait_until(lambda: got.extend(marked(member.frames("in"), mark))
                   or len(got) >= 3, lambda: f"{len(got)} of 3 arrived")
        got_beside = []
        wait_until(lambda: got_beside.extend(marked(beside.frames("in"),
                                                    mark))
                   or len(got_beside) >= 3, "not on the same host")
        assert len(got) == 3 and len(got_beside) == 3
        assert not marked(other.frames(), mark)
        assert not marked(empty.frames(), mark)
        assert not marked(own.frames("in"), mark)


def test_arp_and_nd_are_answered_at_the_first_switch(site, network):
    one, two = network.vm(1, 11), network.vm(2, 12)
    assert one.reaches(two.four) and one.reaches(two.six)
    for vm in (one, two):
        vm.forget_neighbours()
    with underlay(site, 1) as wire, two.sniff() as target:
        assert one.reaches(two.four)
        assert one.reaches(two.six)
        across = carried(wire.frames(), network)
        arrived = target.frames("in")
    assert not [f for f in across + arrived if is_arp_request(f, two.four)]
    assert not [f for f in across + arrived if is_solicitation(f, two.six)]


def test_unknown_unicast_is_not_flooded(site, network):
    one, two, beside = network.vm(1, 11), network.vm(2, 12), network.vm(1, 13)
    assert one.reaches(two.four)
    mark = b"to nobody we know"
    with two.sniff() as far, beside.sniff() as near, \
            underlay(site, 1) as wire:
        one.send(udp(one.mac, ALIEN, one.four, network.prefix4 + "77", mark))
        assert one.reaches(two.four)        # What was sent before is done.
        assert not marked(far.frames(), mark)
        assert not marked(near.frames(), mark)
        assert not marked(wire.frames(), mark)


def test_unknown_unicast_where_a_port_needs_it(site, network):
    """A port without port security may hide machines behind it: it gets what
    nobody else is known to have."""
    one, two = network.vm(1, 11), network.vm(2, 12)
    bridge = network.vm(3, 13, port_security_enabled=False)
    mark = b"to somebody behind"
    with bridge.sniff() as sniffer, two.sniff() as other:
        one.send(udp(one.mac, ALIEN, one.four, network.prefix4 + "77", mark))
        got = []
        wait_until(lambda: got.extend(marked(sniffer.frames("in"), mark))
                   or got, "nothing arrived")
        assert len(got) == 1
        assert not marked(other.frames(), mark)


# Port security.

def says(site, sender, receiver, *frames, mark):
    """Does what 'sender' says arrive?  An honest frame follows each lie, so
    that its absence means something."""
    honest = b"honest"
    with receiver.sniff() as sniffer:
        sender.send(*frames)
        sender.send(udp(sender.port["mac_address"], receiver.mac, sender.four,
                        receiver.four, honest))
        got = []
        wait_until(lambda: got.extend(sniffer.frames("in"))
                   or marked(got, honest), "the honest frame was lost")
        return bool(marked(got, mark))


def test_spoofing_is_blocked(site, network):
    one, two = network.vm(1, 11), network.vm(2, 12)
    assert one.reaches(two.four) and one.reaches(two.six)
    other4, other6 = network.addresses(99)
    mark = b"a lie"
    for frame in (
            udp(ALIEN, two.mac, one.four, two.four, mark),
            udp(one.mac, two.mac, other4, two.four, mark),
            udp(one.mac, two.mac, other6, two.six, mark),
            udp(ALIEN, two.mac, other6, two.six, mark)):
        assert not says(site, one, two, frame, mark=mark)


def test_arp_and_nd_spoofing_is_blocked(site, network):
    one, two = network.vm(1, 11), network.vm(2, 12)
    assert one.reaches(two.four) and one.reaches(two.six)
    other4, other6 = network.addresses(99)
    # Claims another address; claims an own one for another machine.
    assert not says(site, one, two, arp(one.mac, other4, two.four, 2,
                                        two.mac, ethernet_target=two.mac),
                    mark=ip(other4))
    assert not says(site, one, two, arp(ALIEN, one.four, two.four, 2, two.mac,
                                        ethernet_source=one.mac,
                                        ethernet_target=two.mac),
                    mark=mac(ALIEN))
    assert not says(site, one, two,
                    advertisement(one.mac, one.six, other6), mark=ip(other6))
    assert not says(site, one, two,
                    advertisement(one.mac, one.six, one.six,
                                  target_mac=ALIEN), mark=mac(ALIEN))
    # Its own are let through.
    assert says(site, one, two, arp(one.mac, one.four, two.four, 2, two.mac,
                                    ethernet_target=two.mac),
                mark=mac(one.mac) + ip(one.four))


def test_link_local_is_the_machines_own(site, network):
    one, two = network.vm(1, 11), network.vm(2, 12)
    own = one.link_local()
    mark = b"link local"
    target = "ff02::1"
    assert says(site, one, two, udp(one.mac, "33:33:00:00:00:01", own, target,
                                    mark), mark=mark)
    assert not says(site, one, two,
                    udp(one.mac, "33:33:00:00:00:01", "fe80::bad", target,
                        mark), mark=mark)


def test_allowed_address_pairs(site, network):
    one, two = network.vm(1, 11), network.vm(2, 12)
    extra4 = network.prefix4 + "50"
    mark = b"as allowed"
    frame = udp(one.mac, two.mac, extra4, two.four, mark)
    subnet = udp(ALIEN, two.mac, network.prefix4 + "67", two.four, mark)
    assert not says(site, one, two, frame, mark=mark)
    port = site.cloud.update_port(one.port, allowed_address_pairs=[
        {"ip_address": extra4, "mac_address": one.mac},
        {"ip_address": network.prefix4 + "64/26", "mac_address": ALIEN}])
    site.settle()
    assert says(site, one, two, frame, mark=mark)
    assert says(site, one, two, subnet, mark=mark)
    one.add_address(extra4 + "/24")
    assert two.reaches(extra4)
    one.remove_address(extra4 + "/24")
    site.cloud.update_port(port, allowed_address_pairs=[])
    site.settle()
    assert not says(site, one, two, frame, mark=mark)
    assert not says(site, one, two, subnet, mark=mark)


def test_port_security_off(site, network):
    one, two = network.vm(1, 11), network.vm(2, 12)
    mark = b"anything goes"
    frame = udp(ALIEN, two.mac, network.prefix4 + "99", two.four, mark)
    assert not says(site, one, two, frame, mark=mark)
    port = site.cloud.update_port(one.port, port_security_enabled=False)
    site.settle()
    assert says(site, one, two, frame, mark=mark)
    site.cloud.update_port(port, port_security_enabled=True)
    site.settle()
    assert not says(site, one, two, frame, mark=mark)


def test_other_ethertypes(site, network):
    """Port security is about addresses: a protocol without any of ours is
    let through only from a port that is not guarded."""
    one, two = network.vm(1, 11), network.vm(2, 12,
                                             port_security_enabled=False)
    mark = b"neither of both"
    frame = ethernet(two.mac, one.mac, 0x88b5, mark)
    with one.sniff() as sniffer:
        two.send(frame)
        got = []
        wait_until(lambda: got.extend(marked(sniffer.frames("in"), mark))
                   or got, "nothing arrived")


# Life of a port.

def test_admin_state_of_port(site, network):
    one, two = network.vm(1, 11), network.vm(2, 12)
    assert one.reaches(two.four)
    port = site.cloud.update_port(one.port, admin_state_up=False)
    site.wait_status("DOWN", port)
    site.settle()
    assert not one.ping(two.four)
    assert not two.ping(one.six)
    site.cloud.update_port(port, admin_state_up=True)
    site.wait_active(one)
    assert one.reaches(two.four) and two.reaches(one.six)


def test_admin_state_of_network(site, network):
    one, two = network.vm(1, 11), network.vm(2, 12)
    near = network.vm(1, 13)
    assert one.reaches(two.four)
    body = {key: value for key, value in network.body.items()
            if key not in ("id", "tenant_id", "project_id", "status",
                           "subnets")}
    site.cloud.update("network", network.body["id"],
                      {**body, "admin_state_up": False})
    wait_until(lambda: not one.ping(two.four, seconds=0.2), "still reaches")
    assert not one.ping(near.four)
    site.cloud.update("network", network.body["id"],
                      {**body, "admin_state_up": True})
    assert one.reaches(two.four) and one.reaches(near.six)


def test_plugged_before_the_port_exists(site, network):
    """OpenDaylight dropped such ports; here order does not matter."""
    two = network.vm(2, 12)
    four, six = network.addresses(11)
    body = network.port_body = site.cloud.port_body(
        network.body, site.next_mac(),
        [(network.subnet4, four), (network.subnet6, six)], "hv1")
    ident = "6f0c5bb6-1f3c-4a53-9d3a-%012x" % site.n_names
    one = site.hosts[0].add_vm(site.next_name(), body["mac_address"],
                               [four + "/24", six + "/64"], mtu=1450,
                               iface_id=ident)
    assert not one.ping(two.four, seconds=0.3)
    one.port = site.cloud.create("port", {**body, "id": ident})
    site.wait_active(one)
    assert one.reaches(two.four) and one.reaches(two.six)


def test_children_before_parents(site):
    """Port, then subnet, then network: the driver sends in any order."""
    template = Network(site, 7301)
    bodies = (template.body, template.subnet4, template.subnet6)
    site.cloud.clean()
    network, subnet4, subnet6 = bodies
    four, six = template.addresses(11)
    vms = []
    for number in (1, 2):
        address = template.addresses(10 + number)
        port = site.cloud.port(network, site.next_mac(),
                               [(subnet4, address[0]), (subnet6, address[1])],
                               f"hv{number}")
        vm = template.machine(site.hosts[number - 1], 10 + number, port)
        vm.hypervisor.plug(vm, port["id"])
        vms.append(vm)
    assert not vms[0].ping(vms[1].four, seconds=0.3)
    site.cloud.create("subnet", subnet6)
    site.cloud.create("subnet", subnet4)
    site.cloud.create("network", network)
    site.wait_active(*vms)
    assert vms[0].reaches(vms[1].four) and vms[0].reaches(vms[1].six)
    assert (four, six) == (vms[0].four, vms[0].six)


def test_unplug_is_down_and_replug_active(site, network):
    one, two = network.vm(1, 11), network.vm(2, 12)
    assert two.reaches(one.four)
    site.hosts[0].unplug(one)
    site.wait_status("DOWN", one.port)
    assert not two.ping(one.four, seconds=0.3)
    site.hosts[0].plug(one, one.port["id"])
    site.wait_active(one)
    assert two.reaches(one.four)


def test_moved_to_another_host(site, network):
    one, two = network.vm(1, 11), network.vm(2, 12)
    beside = network.vm(1, 13)
    assert two.reaches(one.four) and beside.reaches(one.four)
    # As a cold migration: unplugged here, bound and plugged there.
    site.hosts[0].unplug(one)
    one.namespace.delete()
    site.hosts[0].vms.remove(one)
    port = site.cloud.update_port(one.port, **{"binding:host_id": "hv3"})
    moved = network.machine(site.hosts[2], 11, port)
    site.hosts[2].plug(moved, port["id"])
    site.wait_active(moved)
    assert two.reaches(moved.four) and beside.reaches(moved.four)
    assert two.reaches(moved.six) and moved.reaches(beside.six)


def test_address_change(site, network):
    one, two = network.vm(1, 11), network.vm(2, 12)
    assert two.reaches(one.four)
    new4, new6 = network.addresses(21)
    site.cloud.update_port(one.port, fixed_ips=[
        {"subnet_id": network.subnet4["id"], "ip_address": new4},
        {"subnet_id": network.subnet6["id"], "ip_address": new6}])
    site.settle()
    for old, new, plen in ((one.four, new4, 24), (one.six, new6, 64)):
        one.remove_address(f"{old}/{plen}")
        one.add_address(f"{new}/{plen}")
    assert two.reaches(new4) and two.reaches(new6)
    assert not two.ping(one.four, seconds=0.3)


# The host's side.

def test_tunnel_address_change(site, network):
    """other_config:local_ip moves at run time, and the tunnels with it."""
    one, two = network.vm(1, 11), network.vm(2, 12)
    assert one.reaches(two.four)
    host = site.hosts[0]
    new = "172.31.0.61"
    host.namespace.ip("addr", "add", new + "/24", "dev", "br-phy")
    for other in site.hosts[1:]:
        other.appctl("tnl/neigh/set", "br-phy", new, host.mac)
    try:
        host.vsctl("set", "Open_vSwitch", ".", "other_config:local_ip=" + new)
        wait_until(lambda: site.weftd.hosts()["hv1"]["tunnel_address"] == new,
                   lambda: site.weftd.hosts()["hv1"])
        site.settle()
        with underlay(site, 2) as wire:
            assert one.reaches(two.four) and two.reaches(one.six)
            used = {frame[26:30] for frame in wire.frames() if inner(frame)}
        assert ip(new) in used and ip(host.address) not in used
    finally:
        host.vsctl("set", "Open_vSwitch", ".",
                   "other_config:local_ip=" + host.address)
        wait_until(lambda: site.weftd.hosts()["hv1"]["tunnel_address"]
                   == host.address, "the old address")
        site.settle()
        host.namespace.ip("addr", "del", new + "/24", "dev", "br-phy")
    assert one.reaches(two.four)


def test_what_is_not_ours_is_left_alone(site, network):
    host = site.hosts[0]
    host.vsctl("add-br", "br-other", "--", "set", "bridge", "br-other",
               "datapath_type=netdev", "--", "add-port", "br-other", "oth0",
               "--", "set", "interface", "oth0", "type=internal")
    host.ofctl("add-flow", "br-other",
               "table=3,priority=7,in_port=LOCAL,actions=drop")
    foreign = "table=0,priority=9,cookie=0xbeef,dl_type=0x88cc,actions=drop"
    host.ofctl("add-flow", "br-int", foreign)
    host.vsctl("add-port", "br-int", "mine0", "--", "set", "interface",
               "mine0", "type=internal")
    try:
        before = host.flows("br-other")
        one, two = network.vm(1, 11), network.vm(2, 12)
        assert one.reaches(two.four)
        site.weftd.daemon.end()
        site.weftd.start()
        site.follow()
        site.settle()
        assert host.flows("br-other") == before
        assert any("cookie=0xbeef" in flow or "dl_type=0x88cc" in flow
                   for flow in host.flows())
        assert "mine0" in host.vsctl("list-ports", "br-int")
        assert one.reaches(two.four)
    finally:
        host.vsctl("--if-exists", "del-br", "br-other", "--", "--if-exists",
                   "del-port", "br-int", "mine0")
        host.ofctl("--strict", "del-flows", "br-int",
                   "table=0,priority=9,dl_type=0x88cc")


def test_largest_mtu_is_known(site):
    """A network whose MTU does not fit its encapsulation is reported."""
    network = Network(site, 7401, mtu=1500)
    network.vm(1, 11)
    network.vm(2, 12)
    problems = wait_until(
        lambda: [p for p in site.weftd.call("GET", "/weft/v1/status")[
            "problems"] if "1450" in str(p)],
        lambda: site.weftd.call("GET", "/weft/v1/status")["problems"])
    assert "mtu" in str(problems).lower()


def test_wire_is_quiet(site):
    """No member anywhere: nothing of ours on the physical network."""
    with wire_of(site) as wire:
        Network(site, 7501).vm(1, 11)
        assert not [f for f in wire.frames() if inner(f)]


# Changes that Neutron allows while ports are wired.

def test_segmentation_id_change(site, network):
    one, two = network.vm(1, 11), network.vm(2, 12)
    assert one.reaches(two.four)
    body = {key: value for key, value in network.body.items()
            if key not in ("id", "tenant_id", "project_id", "status",
                           "subnets")}
    site.cloud.update("network", network.body["id"],
                      {**body, "provider:segmentation_id": 7999})
    site.settle()
    with underlay(site, 1) as wire:
        assert one.reaches(two.four) and one.reaches(two.six)
        used = {found[0] for found in map(inner, wire.frames()) if found}
    assert used == {7999}


def test_mac_change(site, network):
    one, two = network.vm(1, 11), network.vm(2, 12)
    assert two.reaches(one.four)
    new = site.next_mac()
    one.port = site.cloud.update_port(one.port, mac_address=new)
    site.settle()
    one.set_mac(new)
    one.add_address(one.six + "/64")
    for vm in (one, two):
        vm.forget_neighbours()
    assert two.reaches(one.four) and two.reaches(one.six)


def test_what_a_new_machine_must_send(site, network):
    """A machine without an address yet asks for one, and makes sure that its
    own is nobody else's; it is not a DHCP server."""
    one, two = network.vm(1, 11), network.vm(2, 12)
    discover, probe = b"DHCPDISCOVER", b"a router solicitation"
    offer = b"DHCPOFFER of a rogue"
    with two.sniff() as sniffer:
        one.send(udp(one.mac, BROADCAST, "0.0.0.0", "255.255.255.255",
                     discover, source_port=68, target_port=67),
                 udp(one.mac, "33:33:00:01:00:02", one.link_local(),
                     "ff02::1:2", probe, source_port=546, target_port=547),
                 arp(one.mac, "0.0.0.0", one.four))
        got = []
        wait_until(lambda: got.extend(sniffer.frames("in"))
                   or (marked(got, discover) and marked(got, probe)),
                   "not both arrived")
    assert not says(site, one, two,
                    udp(one.mac, BROADCAST, one.four, "255.255.255.255",
                        offer, source_port=67, target_port=68), mark=offer)


def test_guarded_until_it_is_known(site, network):
    """A port that is plugged but unknown says nothing to anybody."""
    two = network.vm(2, 12)
    vm = site.hosts[0].add_vm(
        site.next_name(), ALIEN, ["10.0.0.66/24"],
        iface_id="11111111-2222-4333-8444-%012x" % site.n_names)
    site.settle()
    with two.sniff() as sniffer:
        vm.send(arp(ALIEN, "10.0.0.66", two.four))
        assert not vm.ping(two.four, seconds=0.3)
        assert not [f for f in sniffer.frames("in")
                    if f[6:12] == mac(ALIEN)]


# What a host may lack.

def test_host_without_tunnel_address(site, network):
    """It is told, by the host and by the port; and mended while running."""
    host = site.hosts[0]
    host.vsctl("remove", "Open_vSwitch", ".", "other_config", "local_ip")
    try:
        wait_until(lambda: any("local_ip" in lack for lack in
                               site.weftd.hosts()["hv1"]["lacks"]),
                   lambda: site.weftd.hosts()["hv1"])
        two = network.vm(2, 12)
        one = network.vm(1, 11, wait=False)
        assert not one.ping(two.four, seconds=0.3)
        wait_until(lambda: "local_ip" in site.weftd.weft(
            "explain", one.port["id"]),
            lambda: site.weftd.weft("explain", one.port["id"]))
    finally:
        host.vsctl("set", "Open_vSwitch", ".",
                   "other_config:local_ip=" + host.address)
    wait_until(lambda: not site.weftd.hosts()["hv1"]["lacks"],
               lambda: site.weftd.hosts()["hv1"])
    site.wait_active(one)
    assert one.reaches(two.four)


def test_provider_mapping_change(site):
    """Mappings are taken away and given back while ports use them."""
    network = Network(site, 123, "vlan", physnet=PHYSNET)
    one, two = network.vm(1, 11), network.vm(2, 12)
    assert one.reaches(two.four)
    host = site.hosts[0]
    host.vsctl("remove", "Open_vSwitch", ".", "other_config",
               "provider_mappings")
    try:
        wait_until(lambda: not one.ping(two.four, seconds=0.2),
                   "still reaches")
        wait_until(lambda: PHYSNET in site.weftd.weft(
            "explain", one.port["id"]),
            lambda: site.weftd.weft("explain", one.port["id"]))
    finally:
        host.vsctl("set", "Open_vSwitch", ".",
                   f"other_config:provider_mappings={PHYSNET}:eth1")
    assert one.reaches(two.four, seconds=10)
    site.settle()
