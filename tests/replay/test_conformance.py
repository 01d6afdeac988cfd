#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""OpenDaylight's answers, under [northbound] compat = opendaylight.

What OpenDaylight's own end-to-end tests of this API check: for each collection
create, list, filter by every simple attribute, show, update, delete, and the
status codes of what goes wrong; and then the steps of the CSIT suite
010__ovsdb_flow.  Written from their descriptions.
"""

import sys
import urllib.parse

from weftd import BASE, Client, Weftd, require_program

TENANT = "9bacb3c5d39d41a79512987f338cf177"


def ident(n):
    return f"d32019d3-bc6e-4319-9c1d-6722fc13{n:04x}"


NETWORK, SUBNET, PORT, ROUTER, GROUP, QOS = (ident(n) for n in range(6))
OTHER = ident(99)


def named(n, **more):
    return {"id": ident(n), "tenant_id": TENANT, "name": f"object {n}",
            **more}


# Collection, singular, plural, an object, a change.
COLLECTIONS = [
    ("networks", "network", "networks",
     named(0, admin_state_up=True, shared=False, status="ACTIVE",
           **{"router:external": False, "provider:network_type": "vxlan",
              "provider:segmentation_id": "2", "segments": []}),
     {"name": "changed", "admin_state_up": False}),
    ("subnets", "subnet", "subnets",
     named(1, network_id=NETWORK, ip_version=4, cidr="10.0.0.0/24",
           gateway_ip="10.0.0.1", enable_dhcp=True, dns_nameservers=[],
           allocation_pools=[{"start": "10.0.0.2", "end": "10.0.0.254"}],
           host_routes=[], ipv6_address_mode=None, ipv6_ra_mode=None),
     {"name": "changed"}),
    ("ports", "port", "ports",
     named(2, network_id=NETWORK, admin_state_up=True,
           mac_address="FA:16:3E:C9:CB:F0", device_id=OTHER,
           device_owner="compute:nova", port_security_enabled=True,
           fixed_ips=[{"ip_address": "10.0.0.2", "subnet_id": SUBNET}],
           security_groups=[GROUP],
           allowed_address_pairs=[{"mac_address": "fa:16:3e:11:11:5e",
                                   "ip_address": "192.168.1.200/32"}],
           extra_dhcp_opts=[{"opt_name": "testdata",
                             "opt_value": "123.123.123.456"}],
           **{"binding:host_id": "192.168.210.10", "binding:vif_type": "ovs",
              "binding:vnic_type": "normal", "binding:profile": {},
              "binding:vif_details": {"port_filter": True}}),
     {"device_id": "changed"}),
    ("routers", "router", "routers",
     named(3, admin_state_up=True, distributed=False, routes=[],
           external_gateway_info={
               "network_id": NETWORK, "enable_snat": True,
               "external_fixed_ips": [{"ip_address": "10.0.0.3",
                                       "subnet_id": SUBNET}]}),
     {"name": "changed"}),
    ("floatingips", "floatingip", "floatingips",
     {"id": ident(20), "tenant_id": TENANT, "floating_network_id": NETWORK,
      "router_id": ROUTER, "port_id": None, "fixed_ip_address": None,
      "floating_ip_address": "10.0.0.9", "status": "ACTIVE"},
     {"port_id": PORT}),
    ("security-groups", "security_group", "security_groups",
     named(4), {"name": "changed"}),
    ("security-group-rules", "security_group_rule", "security_group_rules",
     {"id": ident(21), "tenant_id": TENANT, "security_group_id": GROUP,
      "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
      "port_range_min": 80, "port_range_max": 80, "remote_group_id": GROUP,
      "remote_ip_prefix": "10.10.10.10/16"},
     {"security_group_id": GROUP, "protocol": "udp"}),
    ("fw/firewalls", "firewall", "firewalls",
     named(22, admin_state_up=True, shared=False,
           firewall_policy_id=ident(23)), {"name": "changed"}),
    ("fw/firewall_policies", "firewall_policy", "firewall_policies",
     named(23, shared=False, audited=False), {"name": "changed"}),
    ("fw/firewall_rules", "firewall_rule", "firewall_rules",
     named(24, shared=False, protocol="tcp", ip_version=4, action="allow",
           enabled=True, position=1, source_ip_address="10.0.0.0/8",
           destination_ip_address="10.0.0.7", source_port_range_min=1,
           source_port_range_max=2, destination_port_range_min=3,
           destination_port_range_max=4), {"action": "deny"}),
    ("lbaas/loadbalancers", "loadbalancer", "loadbalancers",
     named(25, admin_state_up=True, vip_address="10.0.0.4",
           vip_subnet_id=SUBNET), {"name": "changed"}),
    ("lbaas/listeners", "listener", "listeners",
     named(26, admin_state_up=True, protocol="HTTP", protocol_port=80,
           connection_limit=100, default_pool_id=ident(27),
           loadbalancers=[{"id": ident(25)}]), {"name": "changed"}),
    ("lbaas/pools", "pool", "pools",
     named(27, admin_state_up=True, protocol="HTTP",
           lb_algorithm="ROUND_ROBIN", healthmonitor_id=ident(29),
           listeners=[{"id": ident(26)}], members=[],
           session_persistence={"type": "HTTP_COOKIE",
                                "cookie_name": "cookie"}),
     {"name": "changed"}),
    (f"lbaas/pools/{ident(27)}/members", "member", "members",
     {"id": ident(28), "tenant_id": TENANT, "address": "10.0.0.8",
      "protocol_port": 80, "weight": 1, "admin_state_up": True,
      "subnet_id": SUBNET}, {"weight": 5}),
    ("lbaas/healthmonitors", "healthmonitor", "healthmonitors",
     {"id": ident(29), "tenant_id": TENANT, "type": "HTTP", "delay": 1,
      "timeout": 1, "max_retries": 5, "http_method": "GET", "url_path": "/",
      "expected_codes": "200", "admin_state_up": True,
      "pools": [{"id": ident(27)}]}, {"delay": 2}),
    ("metering/metering-labels", "metering_label", "metering_labels",
     named(30, shared=False), None),
    ("metering/metering-label-rules", "metering_label_rule",
     "metering_label_rules",
     {"id": ident(31), "tenant_id": TENANT, "direction": "ingress",
      "excluded": False, "remote_ip_prefix": "10.10.10.10/16",
      "metering_label_id": ident(30)}, None),
    ("vpn/vpnservices", "vpnservice", "vpnservices",
     named(32, admin_state_up=True, router_id=ROUTER, subnet_id=SUBNET),
     {"name": "changed"}),
    ("vpn/ikepolicies", "ikepolicy", "ikepolicies",
     named(33, auth_algorithm="sha1", encryption_algorithm="aes-256",
           phase1_negotiation_mode="main", pfs="group5", ike_version="v1",
           lifetime={"units": "seconds", "value": 3600}),
     {"name": "changed"}),
    ("vpn/ipsecpolicies", "ipsecpolicy", "ipsecpolicies",
     named(34, transform_protocol="esp", encapsulation_mode="tunnel",
           auth_algorithm="sha1", encryption_algorithm="aes-256",
           pfs="group5", lifetime={"units": "seconds", "value": 3600}),
     {"name": "changed"}),
    ("vpn/ipsecsiteconnections", "ipsec_site_connection",
     "ipsec_site_connections",
     named(35, admin_state_up=True, peer_address="172.24.4.233",
           peer_id="172.24.4.233", peer_cidrs=["10.2.0.0/24"],
           route_mode="static", mtu=1500, auth_mode="psk", psk="secret",
           initiator="bi-directional", ikepolicy_id=ident(33),
           ipsecpolicy_id=ident(34), vpnservice_id=ident(32),
           dpd={"action": "hold", "interval": 60, "timeout": 240}),
     {"name": "changed"}),
    ("bgpvpns", "bgpvpn", "bgpvpns",
     named(36, admin_state_up=True, type="l3", auto_aggregate=False,
           route_targets="64512:1", import_targets=["64512:2"],
           export_targets=[], route_distinguishers=["64512:3"], vni="1000",
           networks=[NETWORK], routers=[ROUTER]), {"name": "changed"}),
    ("bgpvpn/networkassociations", "bgpvpn_network_association",
     "bgpvpn_network_associations",
     {"id": ident(37), "tenant_id": TENANT, "bgpvpn_id": ident(36),
      "network_id": NETWORK}, {"network_id": OTHER}),
    ("bgpvpn/routerassociations", "bgpvpn_router_association",
     "bgpvpn_router_associations",
     {"id": ident(38), "tenant_id": TENANT, "bgpvpn_id": ident(36),
      "router_id": ROUTER}, {"router_id": OTHER}),
    ("l2-gateways", "l2_gateway", "l2_gateways",
     named(39, devices=[{"device_name": "device1", "interfaces": [
         {"name": "port1", "segmentation_id": [100]}]}]),
     {"name": "changed"}),
    ("l2gateway-connections", "l2gateway_connection",
     "l2gateway_connections",
     {"id": ident(40), "tenant_id": TENANT, "gateway_id": ident(39),
      "network_id": NETWORK, "segmentation_id": 100, "port_id": PORT}, None),
    ("sfc/flowclassifiers", "flowclassifier", "flowclassifiers",
     named(41, ethertype="IPv4", protocol="tcp", source_port_range_min=100,
           source_port_range_max=200, destination_port_range_min=100,
           destination_port_range_max=200, source_ip_prefix="10.0.0.0/24",
           destination_ip_prefix="11.0.0.0/24", logical_source_port=PORT,
           logical_destination_port=PORT, l7_parameters={}),
     {"name": "changed"}),
    ("sfc/portpairs", "portpair", "portpairs",
     named(42, ingress=PORT, egress=PORT,
           service_function_parameters=[{"correlation": "mpls"}]),
     {"name": "changed"}),
    ("sfc/portpairgroups", "portpairgroup", "portpairgroups",
     named(43, port_pairs=[ident(42)]), {"name": "changed"}),
    ("sfc/portchains", "portchain", "portchains",
     named(44, port_pair_groups=[ident(43)], flow_classifiers=[ident(41)],
           chain_parameters=[{"correlation": "mpls"}]),
     {"name": "changed"}),
    ("qos/policies", "policy", "policies",
     named(5, shared=False, bandwidth_limit_rules=[
         {"id": ident(50), "tenant_id": TENANT, "max_kbps": "10000",
          "max_burst_kbps": "0"}],
         dscp_marking_rules=[{"id": ident(51), "tenant_id": TENANT,
                              "dscp_mark": "8"}]), {"name": "changed"}),
    ("trunks", "trunk", "trunks",
     named(45, port_id=PORT, admin_state_up=True, status="DOWN",
           sub_ports=[{"port_id": OTHER, "segmentation_type": "vlan",
                       "segmentation_id": 101}]), {"name": "changed"}),
    ("tap/services", "tap_service", "tap_services",
     named(46, port_id=PORT), {"name": "changed"}),
    (f"tap/flows/{ident(46)}/flows", "tap_flow", "tap_flows",
     named(47, tap_service_id=ident(46), source_port=PORT, direction="BOTH"),
     {"name": "changed"}),
]

# Collection, singular, an object whose protocol is unknown.
WRONG_PROTOCOLS = [
    ("security-group-rules", "security_group_rule",
     {"id": OTHER, "security_group_id": GROUP, "direction": "ingress",
      "protocol": "TCP"}),
    ("fw/firewall_rules", "firewall_rule", named(60, protocol="ABC")),
    ("lbaas/listeners", "listener", named(60, protocol="http")),
    ("lbaas/pools", "pool", named(60, protocol="http")),
    ("sfc/flowclassifiers", "flowclassifier", named(60, protocol="TCP")),
]

# Collection, singular, the least that can be sent, members, their defaults.
DEFAULTS = [
    ("networks", "network", {"id": ident(70)},
     {"status": "ACTIVE", "shared": False, "vlan_transparent": False,
      "admin_state_up": True}),
    ("ports", "port", {"id": ident(71), "network_id": NETWORK},
     {"status": "ACTIVE", "admin_state_up": True,
      "port_security_enabled": True}),
    ("trunks", "trunk", {"id": ident(72), "port_id": PORT},
     {"status": "DOWN", "admin_state_up": True}),
]


class Check:
    def __init__(self, weftd):
        self.client = Client(weftd.port)
        self.n = 0
        self.n_wrong = 0

    def expect(self, status, method, path, body=None):
        """One request below the base."""
        answer = self.client.ask(method, f"{BASE}/{path}", body)
        self.true(answer.status == status,
                  f"{method} {path}: {answer.status}, not {status}: "
                  f"{answer.text[:300]}")
        return answer

    def true(self, condition, text):
        self.n += 1
        if not condition:
            self.n_wrong += 1
            print(text)


def check_life(check, collection, singular, plural, item, change):
    """Create, list, filter, show; update and delete come later."""
    identity = item["id"]
    path = f"{collection}/{identity}"
    check.expect(404, "GET", path)
    check.expect(201, "POST", collection, {singular: item})
    check.expect(200, "GET", path)
    answer = check.expect(200, "GET", collection)
    check.true(answer.text.startswith(f'{{"{plural}":['),
               f"{collection}: the list is not the first member")
    check.true(answer.json().get(plural), f"{collection}: empty list")
    for name, value in item.items():
        if isinstance(value, (str, int)):
            text = urllib.parse.urlencode({name: value})
            answer = check.expect(200, "GET", f"{collection}?{text}")
            check.true(answer.json().get(plural),
                       f"{collection}?{text}: nothing found")
    # A repeated request, and another object of the same id.
    check.expect(201, "POST", collection, {singular: item})
    if "name" in item:
        other = {singular: dict(item, name="not the same")}
        answer = check.expect(409, "POST", collection, other)
        check.true(answer.json() == other, f"{collection}: 409 is no echo")
    if change is None:
        check.expect(405, "PUT", path, {singular: item})
        return
    answer = check.expect(200, "PUT", path, {singular: change})
    name, value = next(iter(change.items()))
    stored = answer.json()[singular]
    check.true(stored.get(name) == value, f"{path}: {name} is not {value}")
    for name in item:           # A secret is kept, but never given back.
        if name not in change and name != "psk" and item[name]:
            check.true(name in stored, f"{path}: PUT lost {name}")
    check.expect(400, "PUT", path, {plural: [change]})


def check_references(check):
    rule = {"id": ident(80), "security_group_id": ident(81),
            "direction": "ingress", "protocol": None}
    body = {"security_group_rule": rule}
    path = f"security-group-rules/{ident(80)}"
    check.expect(404, "DELETE", path)
    check.expect(404, "PUT", path, body)
    answer = check.expect(442, "POST", "security-group-rules", body)
    check.true(answer.json() == body, "442 is no echo")
    check.expect(201, "POST", "security-groups",
                 {"security_group": {"id": ident(81), "name": "g"}})
    check.expect(201, "POST", "security-group-rules", body)
    missing = {"security_group_rule": {"id": ident(82),
                                       "direction": "ingress"}}
    answer = check.expect(500, "POST", "security-group-rules", missing)
    check.true(not answer.text, "500 has a body")
    check.expect(500, "PUT", path, missing)
    far = {"security_group_rule": dict(rule, id=ident(83),
                                       remote_group_id=OTHER)}
    check.expect(442, "POST", "security-group-rules", far)
    check.expect(204, "DELETE", f"security-groups/{ident(81)}")
    check.expect(442, "PUT", path, body)
    check.expect(204, "DELETE", path)
    check.expect(404, "DELETE", path)
    check.expect(442, "POST", "networks",
                 {"network": {"id": ident(84), "qos_policy_id": OTHER}})
    for collection, singular, item in WRONG_PROTOCOLS:
        answer = check.expect(400, "POST", collection, {singular: item})
        check.true("is not supported" in answer.text, answer.text)


def check_defaults(check):
    for collection, singular, item, defaults in DEFAULTS:
        check.expect(201, "POST", collection, {singular: item})
        for name, value in defaults.items():
            answer = check.expect(
                200, "GET", f"{collection}/{item['id']}?fields={name}")
            check.true(answer.json() == {singular: {name: value}},
                       f"{collection}: {name}: {answer.text}")
        check.expect(204, "DELETE", f"{collection}/{item['id']}")


def check_revisions(check):
    path = f"networks/{ident(90)}"
    check.expect(201, "POST", "networks",
                 {"network": {"id": ident(90), "revision_number": 5}})
    answer = check.expect(200, "PUT", path, {
        "network": {"name": "old", "revision_number": 4}})
    check.true(not answer.text, "an old revision is answered with a body")
    answer = check.expect(200, "PUT", path, {
        "network": {"name": "new", "revision_number": 5}})
    check.true(answer.json()["network"]["name"] == "new", answer.text)
    check.expect(204, "DELETE", path)


def check_pages(check):
    ids = [ident(n) for n in range(100, 107)]
    check.expect(201, "POST", "networks",
                 {"networks": [{"id": i, "tenant_id": "pages"}
                               for i in ids]})
    seen, path = [], "networks?tenant_id=pages&limit=3"
    while path:
        page = check.expect(200, "GET", path).json()
        seen += [n["id"] for n in page["networks"]]
        links = {link["ref"]: link["href"] for link in page["networks_links"]}
        path = links.get("next", "").partition(BASE + "/")[2]
    check.true(seen == ids, f"pages gave {seen}")
    check.true("previous" in links, "the last page has no previous")
    check.expect(404, "GET", f"networks?limit=2&marker={OTHER}")
    check.expect(400, "GET", "networks?tenant_id=pages&limit=2&"
                 f"page_reverse=True&marker={ids[0]}")
    for i in ids:
        check.expect(204, "DELETE", f"networks/{i}")


def check_flow(check):
    """The steps of CSIT's 010__ovsdb_flow."""
    net, sub, router, port = (ident(n) for n in range(110, 114))
    owner = {"tenant_id": TENANT}
    check.expect(200, "GET", "networks")
    check.expect(201, "POST", "networks", {"networks": [{
        "id": net, "name": "ext", "admin_state_up": True, "shared": False,
        "router:external": True, "provider:network_type": "flat",
        "provider:physical_network": "physnetext1", "segments": [],
        "provider:segmentation_id": None, **owner}]})
    check.expect(201, "POST", "subnets", {"subnet": {
        "id": sub, "network_id": net, "cidr": "192.168.111.0/24",
        "ip_version": 4, "gateway_ip": "192.168.111.254", "shared": False,
        "enable_dhcp": False, "ipv6_ra_mode": None, "dns_nameservers": [],
        "ipv6_address_mode": None, "host_routes": [],
        "allocation_pools": [{"start": "192.168.111.21",
                              "end": "192.168.111.40"}], **owner}})
    check.expect(201, "POST", "routers", {"router": {
        "id": router, "name": "ext-rtr", "admin_state_up": True,
        "status": "ACTIVE", "external_gateway_info": None, **owner}})
    body = {"id": port, "network_id": net, "admin_state_up": True,
            "status": "DOWN", "name": "", "allowed_address_pairs": [],
            "mac_address": "FA:16:3E:7E:A0:D8",
            "fixed_ips": [{"subnet_id": sub,
                           "ip_address": "192.168.111.22"}],
            "device_owner": "network:router_gateway", "device_id": router,
            "security_groups": [], "binding:host_id": "",
            "binding:vif_details": {}, "binding:vnic_type": "normal",
            "binding:vif_type": "unbound", "binding:profile": {},
            "tenant_id": ""}
    check.expect(201, "POST", "ports", {"port": body})
    check.expect(200, "PUT", f"routers/{router}", {"router": {
        "name": "ext-rtr", "admin_state_up": True,
        "external_gateway_info": {
            "network_id": net, "enable_snat": True, "external_fixed_ips": [
                {"subnet_id": sub, "ip_address": "192.168.111.22"}]}}})
    answer = check.expect(200, "PUT", f"ports/{port}", {"port": {
        "binding:host_id": "compute", "device_id": "dhcp-1",
        "device_owner": "network:dhcp"}})
    stored = answer.json()["port"]
    check.true(stored["network_id"] == net and stored["fixed_ips"],
               f"a partial PUT lost something: {stored}")
    hint = {"id": router, "subnet_id": sub, "port_id": port, **owner}
    answer = check.expect(200, "PUT", f"routers/{router}/"
                          "add_router_interface", hint)
    check.true(answer.json() == hint, "add_router_interface is no echo")
    floating = {"id": ident(115), "floating_network_id": net,
                "port_id": None, "fixed_ip_address": None, "router_id": None,
                "floating_ip_address": "192.168.111.23", **owner}
    check.expect(201, "POST", "floatingips", {"floatingip": floating})
    check.expect(200, "PUT", f"floatingips/{ident(115)}", {"floatingip": dict(
        floating, port_id=port, router_id=router,
        fixed_ip_address="10.1.0.2")})
    for path in (f"floatingips/{ident(115)}", f"ports/{port}",
                 f"routers/{router}", f"subnets/{sub}", f"networks/{net}"):
        check.expect(204, "DELETE", path)


def check_sloppy(check):
    # OpenDaylight's tests send a brace too many.
    check.expect(201, "POST", "security-groups",
                 '{"security_group": {"id": "%s"}}}' % ident(120))
    check.expect(204, "DELETE", f"security-groups/{ident(120).upper()}")
    answer = check.expect(400, "POST", "networks", {"something": {}})
    check.true(answer.text.startswith("Invalid requests"), answer.text)
    check.expect(200, "GET", "networks/")


def main():
    require_program()
    with Weftd(compat="opendaylight") as weftd:
        check = Check(weftd)
        # A parent before its children, where 442 says so.
        order = sorted(COLLECTIONS, key=lambda c: c[0] != "security-groups")
        for collection in order:
            check_life(check, *collection)
        check_references(check)
        check_defaults(check)
        check_revisions(check)
        check_pages(check)
        check_flow(check)
        check_sloppy(check)
        for collection, _, plural, item, _ in reversed(order):
            path = f"{collection}/{item['id']}"
            check.expect(204, "DELETE", path)
            check.expect(404, "GET", path)
            check.expect(404, "DELETE", path)
        check.client.close()
    print(f"{check.n} checks, {check.n_wrong} failed")
    return 1 if check.n_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
