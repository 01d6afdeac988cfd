/* SPDX-License-Identifier: Apache-2.0 */

/* Packets through the compiled rules of a small cloud: who receives what.
 *
 *   h1 172.16.0.1   h2 172.16.0.2   h3 172.16.0.3     physnet1 on h1, h2
 *   a (10)          b (10)          c (10, security off)   on VXLAN "net"
 *   v (11)          w (11)                                 on VLAN 200
 *   x (12): same addresses as b, on VXLAN "other"
 *
 * send() follows a frame across hosts: what leaves by a tunnel enters the
 * host with that address, what leaves by the wire enters every other host of
 * the physical network.  It returns who got it, as "h2:10 h3:10". */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "lab/lab.h"
#include "tests/packet/packet.h"

#define NET     "10000000-0000-0000-0000-000000000001"
#define OTHER   "10000000-0000-0000-0000-000000000002"
#define VLAN    "10000000-0000-0000-0000-000000000003"
#define SUBNET4 "20000000-0000-0000-0000-000000000004"
#define SUBNET6 "20000000-0000-0000-0000-000000000006"
#define PORT(N) "30000000-0000-0000-0000-0000000000" N

static const struct eth_addr mac_a = ETH_ADDR_C(fa, 16, 3e, 00, 00, 0a);
static const struct eth_addr mac_b = ETH_ADDR_C(fa, 16, 3e, 00, 00, 0b);
static const struct eth_addr mac_c = ETH_ADDR_C(fa, 16, 3e, 00, 00, 0c);
static const struct eth_addr mac_v = ETH_ADDR_C(fa, 16, 3e, 00, 00, 01);
static const struct eth_addr mac_w = ETH_ADDR_C(fa, 16, 3e, 00, 00, 02);
static const struct eth_addr mac_stranger = ETH_ADDR_C(fa, 16, 3e, ff, ff, ff);
static const struct eth_addr broadcast = ETH_ADDR_C(ff, ff, ff, ff, ff, ff);

enum { WIRE = 4, VXLAN = 1 };

static const char *const host_names[] = { "h1", "h2", "h3" };

/* The cloud. */

static void
put_port(struct lab *lab, const char *id, const char *network, const char *mac,
         const char *addresses, const char *host, const char *more)
{
    AUTO_TEXT *body = mem_textf(
        "{\"id\":\"%s\",\"network_id\":\"%s\",\"mac_address\":\"%s\","
        "\"fixed_ips\":[%s],\"binding:host_id\":\"%s\","
        "\"device_owner\":\"compute:nova\"%s}",
        id, network, mac, addresses, host, more);
    lab_put(lab, "port", body);
}

#define FIXED4(IP) "{\"subnet_id\":\"" SUBNET4 "\",\"ip_address\":\"" IP "\"}"
#define FIXED6(IP) "{\"subnet_id\":\"" SUBNET6 "\",\"ip_address\":\"" IP "\"}"

static int
setup(void **state)
{
    struct lab *lab = lab_create();
    lab_host(lab, "h1", "172.16.0.1", "physnet1");
    lab_host(lab, "h2", "172.16.0.2", "physnet1");
    lab_host(lab, "h3", "172.16.0.3", NULL);
    lab_put(lab, "network",
            "{\"id\":\"" NET "\",\"provider:network_type\":\"vxlan\","
            "\"provider:segmentation_id\":1001}");
    lab_put(lab, "network",
            "{\"id\":\"" OTHER "\",\"provider:network_type\":\"vxlan\","
            "\"provider:segmentation_id\":1002}");
    lab_put(lab, "network",
            "{\"id\":\"" VLAN "\",\"provider:network_type\":\"vlan\","
            "\"provider:physical_network\":\"physnet1\","
            "\"provider:segmentation_id\":200}");
    lab_put(lab, "subnet",
            "{\"id\":\"" SUBNET4 "\",\"network_id\":\"" NET "\","
            "\"cidr\":\"10.0.0.0/24\",\"ip_version\":4}");
    lab_put(lab, "subnet",
            "{\"id\":\"" SUBNET6 "\",\"network_id\":\"" NET "\","
            "\"cidr\":\"fd00::/64\",\"ip_version\":6}");
    put_port(lab, PORT("0a"), NET, "fa:16:3e:00:00:0a",
             FIXED4("10.0.0.10") "," FIXED6("fd00::10"), "h1", "");
    put_port(lab, PORT("0b"), NET, "fa:16:3e:00:00:0b",
             FIXED4("10.0.0.11") "," FIXED6("fd00::11"), "h2", "");
    put_port(lab, PORT("0c"), NET, "fa:16:3e:00:00:0c", FIXED4("10.0.0.12"),
             "h3", ",\"port_security_enabled\":false");
    put_port(lab, PORT("0d"), OTHER, "fa:16:3e:00:00:0b", FIXED4("10.0.0.11"),
             "h2", "");
    put_port(lab, PORT("01"), VLAN, "fa:16:3e:00:00:01", FIXED4("10.0.0.1"),
             "h1", "");
    put_port(lab, PORT("02"), VLAN, "fa:16:3e:00:00:02", FIXED4("10.0.0.2"),
             "h2", "");
    lab_plug(lab, "h1", PORT("0a"), 10);
    lab_plug(lab, "h2", PORT("0b"), 10);
    lab_plug(lab, "h3", PORT("0c"), 10);
    lab_plug(lab, "h1", PORT("01"), 11);
    lab_plug(lab, "h2", PORT("02"), 11);
    lab_plug(lab, "h2", PORT("0d"), 12);
    lab_run(lab);
    *state = lab;
    return 0;
}

static int
teardown(void **state)
{
    lab_destroy(*state);
    return 0;
}

/* Following a frame. */

static const char *
host_of_address(const struct in6_addr *address)
{
    uint32_t last = address->s6_addr[15];
    return last >= 1 && last <= 3 ? host_names[last - 1] : NULL;
}

static void
note_receiver(struct ds *receivers, const char *host, uint32_t ofport)
{
    ds_put_format(receivers, "%s%s:%u", receivers->length ? " " : "", host,
                  ofport);
}

static void
enter(struct lab *lab, const char *host, uint32_t in_port,
      const struct packet_tunnel *tunnel, const struct frame *frame,
      struct ds *receivers, int depth)
{
    struct uuid id = lab_host_id(host);
    struct packet_result result;
    assert_true(depth < 4);
    packet_run(lab->scopes, &id, in_port, tunnel, frame, &result);
    for (size_t i = 0; i < result.n_outputs; i++) {
        const struct packet_output *out = &result.outputs[i];
        if (out->ofport == VXLAN) {
            const char *peer = host_of_address(&out->tunnel.remote);
            assert_non_null(peer);
            assert_string_not_equal(peer, host);
            enter(lab, peer, VXLAN, &out->tunnel, &out->frame, receivers,
                  depth + 1);
        } else if (out->ofport == WIRE) {
            for (int h = 0; h < 2; h++) {
                if (strcmp(host_names[h], host)) {
                    enter(lab, host_names[h], WIRE, NULL, &out->frame,
                          receivers, depth + 1);
                }
            }
        } else {
            note_receiver(receivers, host, out->ofport);
        }
    }
    packet_result_uninit(&result);
}

/* Asserts that exactly 'expected' receive 'frame' sent into 'port' of
 * 'host'. */
static void
expect(struct lab *lab, const char *host, uint32_t port,
       const struct frame frame, const char *expected)
{
    AUTO_DS receivers = DS_EMPTY_INITIALIZER;
    enter(lab, host, port, NULL, &frame, &receivers, 0);
    assert_string_equal(ds_cstr(&receivers), expected);
}

/* Tests. */

static void
unicast_crosses_hosts(void **state)
{
    expect(*state, "h1", 10,
           frame_echo(mac_a, mac_b, "10.0.0.10", "10.0.0.11"), "h2:10");
    expect(*state, "h1", 10, frame_echo(mac_a, mac_b, "fd00::10", "fd00::11"),
           "h2:10");
    expect(*state, "h2", 10,
           frame_echo(mac_b, mac_a, "10.0.0.11", "10.0.0.10"), "h1:10");
}

static void
tenants_are_isolated(void **state)
{
    expect(*state, "h2", 12,
           frame_echo(mac_b, mac_a, "10.0.0.11", "10.0.0.10"), "");
    expect(*state, "h2", 12,
           frame_arp_request(mac_b, "10.0.0.11", "10.0.0.99"), "");
}

static void
broadcast_goes_to_members_only(void **state)
{
    expect(*state, "h1", 10,
           frame_udp(mac_a, broadcast, "10.0.0.10", "255.255.255.255", 5000,
                     5000),
           "h2:10 h3:10");
    expect(*state, "h1", 10,
           frame_arp_request(mac_a, "10.0.0.10", "10.0.0.99"), "h2:10 h3:10");
}

static void
unknown_unicast_goes_where_a_port_needs_it(void **state)
{
    expect(*state, "h1", 10,
           frame_echo(mac_a, mac_stranger, "10.0.0.10", "10.0.0.77"), "h3:10");
    expect(*state, "h3", 10,
           frame_echo(mac_c, mac_stranger, "10.0.0.12", "10.0.0.77"), "");
}

static void
known_addresses_are_answered_at_once(void **state)
{
    struct lab *lab = *state;
    struct uuid h1 = lab_host_id("h1");
    struct packet_result result;
    struct flow flow = { .in_port.ofp_port = 0 };

    struct frame request = frame_arp_request(mac_a, "10.0.0.10", "10.0.0.11");
    packet_run(lab->scopes, &h1, 10, NULL, &request, &result);
    struct frame expected =
        frame_arp(2, mac_b, "10.0.0.11", mac_a, "10.0.0.10");
    assert_true(
        frame_equals(&packet_only_output(&result, 10)->frame, &expected));
    packet_result_uninit(&result);

    struct frame solicitation =
        frame_solicitation(mac_a, "fd00::10", "fd00::11");
    packet_run(lab->scopes, &h1, 10, NULL, &solicitation, &result);
    frame_parse(&packet_only_output(&result, 10)->frame, &flow);
    assert_int_equal(ntohs(flow.tp_src), 136);
    assert_memory_equal(&flow.arp_tha, &mac_b, sizeof mac_b);
    assert_memory_equal(&flow.dl_dst, &mac_a, sizeof mac_a);
    packet_result_uninit(&result);
}

static void
nobody_is_told_its_own_address_is_taken(void **state)
{
    /* ARP probe, announcement, and duplicate address detection. */
    expect(*state, "h1", 10, frame_arp_request(mac_a, "0.0.0.0", "10.0.0.10"),
           "h2:10 h3:10");
    expect(*state, "h1", 10,
           frame_arp_request(mac_a, "10.0.0.10", "10.0.0.10"), "h2:10 h3:10");
    expect(*state, "h1", 10, frame_solicitation(mac_a, "::", "fd00::10"),
           "h2:10 h3:10");
}

static void
spoofers_are_stopped(void **state)
{
    struct frame frames[] = {
        frame_echo(mac_stranger, mac_b, "10.0.0.10", "10.0.0.11"),
        frame_echo(mac_a, mac_b, "10.0.0.66", "10.0.0.11"),
        frame_echo(mac_a, mac_b, "fd00::66", "fd00::11"),
        frame_arp_request(mac_stranger, "10.0.0.10", "10.0.0.99"),
        frame_arp_request(mac_a, "10.0.0.11", "10.0.0.99"),
        frame_advertisement(mac_a, "fd00::10", "fd00::11", mac_a),
        frame_advertisement(mac_a, "fd00::10", "fd00::10", mac_stranger),
        frame_solicitation(mac_stranger, "fd00::10", "fd00::99"),
        frame_udp(mac_a, broadcast, "10.0.0.10", "255.255.255.255", 67, 68),
        frame_udp(mac_a, broadcast, "fd00::10", "ff02::1", 547, 546),
        frame_ethernet(mac_a, mac_b, 0x88cc, "lldp", 4),
    };
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        expect(*state, "h1", 10, frames[i], "");
    }
    struct frame tagged = frame_echo(mac_a, mac_b, "10.0.0.10", "10.0.0.11");
    expect(*state, "h1", 10, frame_tagged(&tagged, 200), "");
}

static void
what_a_guarded_port_needs_passes(void **state)
{
    expect(*state, "h1", 10,
           frame_udp(mac_a, broadcast, "0.0.0.0", "255.255.255.255", 68, 67),
           "h2:10 h3:10");
    expect(*state, "h1", 10,
           frame_advertisement(mac_a, "fd00::10", "fd00::10", mac_a),
           "h2:10 h3:10");
    expect(*state, "h1", 10,
           frame_ethernet(mac_a, broadcast, 0x8035, "rarp", 4), "h2:10 h3:10");
}

static void
security_off_means_off(void **state)
{
    expect(*state, "h3", 10,
           frame_echo(mac_stranger, mac_b, "192.0.2.1", "10.0.0.11"), "h2:10");
}

static void
allowed_pairs_pass(void **state)
{
    struct lab *lab = *state;
    put_port(lab, PORT("0a"), NET, "fa:16:3e:00:00:0a", FIXED4("10.0.0.10"),
             "h1",
             ",\"allowed_address_pairs\":[{\"ip_address\":\"10.9.0.0/16\"},"
             "{\"ip_address\":\"10.0.0.100\","
             "\"mac_address\":\"00:00:5e:00:01:01\"}]");
    lab_run(lab);
    const struct eth_addr virtual_mac = ETH_ADDR_C(00, 00, 5e, 00, 01, 01);
    expect(lab, "h1", 10, frame_echo(mac_a, mac_b, "10.9.3.4", "10.0.0.11"),
           "h2:10");
    expect(lab, "h1", 10,
           frame_echo(virtual_mac, mac_b, "10.0.0.100", "10.0.0.11"), "h2:10");
    expect(lab, "h1", 10,
           frame_echo(virtual_mac, mac_b, "10.0.0.10", "10.0.0.11"), "");
    /* Frames to the virtual MAC address find their way. */
    expect(lab, "h2", 10,
           frame_echo(mac_b, virtual_mac, "10.0.0.11", "10.0.0.100"),
           "h1:10 h3:10");
}

static void
vlan_networks_use_the_wire(void **state)
{
    struct lab *lab = *state;
    expect(lab, "h1", 11, frame_echo(mac_v, mac_w, "10.0.0.1", "10.0.0.2"),
           "h2:11");
    expect(lab, "h1", 11,
           frame_udp(mac_v, broadcast, "10.0.0.1", "255.255.255.255", 1, 1),
           "h2:11");

    /* Somebody outside, in the right VLAN and in a wrong one. */
    struct frame outside =
        frame_echo(mac_stranger, mac_v, "10.0.0.254", "10.0.0.1");
    expect(lab, "h1", WIRE, frame_tagged(&outside, 200), "h1:11");
    expect(lab, "h1", WIRE, frame_tagged(&outside, 201), "");
    expect(lab, "h1", WIRE, outside, "");

    /* To somebody outside: tagged, on the wire. */
    struct uuid h1 = lab_host_id("h1");
    struct packet_result result;
    struct frame out =
        frame_echo(mac_v, mac_stranger, "10.0.0.1", "10.0.0.254");
    struct frame tagged = frame_tagged(&out, 200);
    packet_run(lab->scopes, &h1, 11, NULL, &out, &result);
    assert_true(
        frame_equals(&packet_only_output(&result, WIRE)->frame, &tagged));
    packet_result_uninit(&result);
}

static void
tunnel_keys_are_not_trusted_blindly(void **state)
{
    struct lab *lab = *state;
    struct uuid h1 = lab_host_id("h1");
    struct packet_result result;
    struct frame frame = frame_echo(mac_b, mac_a, "10.0.0.11", "10.0.0.10");
    struct packet_tunnel unknown = { .key = 77 };
    packet_run(lab->scopes, &h1, VXLAN, &unknown, &frame, &result);
    assert_int_equal(result.n_outputs, 0);
    packet_result_uninit(&result);
}

static void
a_moved_port_is_followed(void **state)
{
    struct lab *lab = *state;
    struct frame frame = frame_echo(mac_a, mac_b, "10.0.0.10", "10.0.0.11");

    /* Plugged at its new host, not yet bound to it. */
    lab_plug(lab, "h3", PORT("0b"), 20);
    lab_run(lab);
    expect(lab, "h1", 10, frame, "h2:10");
    /* Bound. */
    put_port(lab, PORT("0b"), NET, "fa:16:3e:00:00:0b", FIXED4("10.0.0.11"),
             "h3", "");
    lab_run(lab);
    expect(lab, "h1", 10, frame, "h3:20");
    /* Gone from the old one. */
    lab_unplug(lab, "h2", PORT("0b"));
    lab_run(lab);
    expect(lab, "h1", 10, frame, "h3:20");
}

static void
down_means_silent(void **state)
{
    struct lab *lab = *state;
    put_port(lab, PORT("0b"), NET, "fa:16:3e:00:00:0b", FIXED4("10.0.0.11"),
             "h2", ",\"admin_state_up\":false");
    lab_run(lab);
    expect(lab, "h1", 10, frame_echo(mac_a, mac_b, "10.0.0.10", "10.0.0.11"),
           "h3:10");
    expect(lab, "h2", 10, frame_echo(mac_b, mac_a, "10.0.0.11", "10.0.0.10"),
           "");

    lab_put(lab, "network",
            "{\"id\":\"" NET "\",\"provider:network_type\":\"vxlan\","
            "\"provider:segmentation_id\":1001,\"admin_state_up\":false}");
    lab_run(lab);
    expect(lab, "h1", 10,
           frame_udp(mac_a, broadcast, "10.0.0.10", "255.255.255.255", 1, 1),
           "");
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(unicast_crosses_hosts),
        TEST(tenants_are_isolated),
        TEST(broadcast_goes_to_members_only),
        TEST(unknown_unicast_goes_where_a_port_needs_it),
        TEST(known_addresses_are_answered_at_once),
        TEST(nobody_is_told_its_own_address_is_taken),
        TEST(spoofers_are_stopped),
        TEST(what_a_guarded_port_needs_passes),
        TEST(security_off_means_off),
        TEST(allowed_pairs_pass),
        TEST(vlan_networks_use_the_wire),
        TEST(tunnel_keys_are_not_trusted_blindly),
        TEST(a_moved_port_is_followed),
        TEST(down_means_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
