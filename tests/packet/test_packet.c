/* SPDX-License-Identifier: Apache-2.0 */
/* The interpreter and the frames themselves.  What the product's rules do to
 * packets is tested elsewhere, with this as the tool. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/packet/packet.h"

static const struct eth_addr mac_a = ETH_ADDR_C(fa, 16, 3e, 00, 00, 0a);
static const struct eth_addr mac_b = ETH_ADDR_C(fa, 16, 3e, 00, 00, 0b);

enum {
    PORT_A = 10,
    PORT_B = 11,
    PORT_TUNNEL = 1,
    PORT_WIRE = 4,
    SEGMENT = 17,
    NUMBER_A = 1,
    NUMBER_B = 2,
    NUMBER_PEER = 9
};

struct fixture {
    struct scopes *scopes;
    struct uuid host;
    struct draft draft;
};

static struct draft *
begin(struct fixture *f, enum table_id table, uint16_t priority)
{
    draft_init_rule(&f->draft, scope_host(&f->host), table, priority);
    return &f->draft;
}

static struct draft *
begin_bucket(struct fixture *f, uint32_t group, uint32_t bucket)
{
    draft_init_bucket(&f->draft, scope_host(&f->host), group, bucket);
    return &f->draft;
}

static void
end(struct fixture *f)
{
    scope_add(f->scopes, &f->draft, NULL);
    draft_uninit(&f->draft);
}

static void
add_port(struct fixture *f, uint32_t ofport, uint32_t number,
         struct eth_addr mac)
{
    struct draft *r = begin(f, T_CLASSIFY, 100);
    when_in_port(r, ofport);
    then_set(r, R_SEGMENT, SEGMENT);
    then_set(r, R_SENDER, number);
    then_set(r, R_ORIGIN, ORIGIN_LOCAL);
    then_goto(r, T_GUARD);
    end(f);

    r = begin(f, T_LOCAL, 100);
    when_register(r, R_SEGMENT, SEGMENT);
    when_eth_dst(r, mac);
    then_set(r, R_TARGET, number);
    then_goto(r, T_EGRESS);
    end(f);

    r = begin_bucket(f, group_number(GROUP_FLOOD_LOCAL, SEGMENT), number);
    then_set(r, R_TARGET, number);
    then_resubmit(r, T_EGRESS);
    end(f);

    r = begin(f, T_OUTPUT, 100);
    when_register(r, R_TARGET, number);
    then_output(r, ofport);
    end(f);
}

static void
add_defaults(struct fixture *f)
{
    struct draft *r = begin(f, T_GUARD, 0);
    then_goto(r, T_ANSWER);
    end(f);
    r = begin(f, T_ANSWER, 0);
    then_goto(r, T_LOCAL);
    end(f);
    r = begin(f, T_EGRESS, 0);
    then_goto(r, T_OUTPUT);
    end(f);
    r = begin(f, T_LOCAL, 50);
    when_multicast(r);
    then_group(r, group_number(GROUP_FLOOD_LOCAL, SEGMENT));
    then_goto(r, T_REMOTE);
    end(f);
}

static void
add_tunnel(struct fixture *f)
{
    struct draft *r = begin(f, T_CLASSIFY, 90);
    when_in_port(r, PORT_TUNNEL);
    then_set(r, R_ORIGIN, ORIGIN_TUNNEL);
    then_goto(r, T_DECAP);
    end(f);
    r = begin(f, T_DECAP, 100);
    when_tunnel_key(r, 5001);
    then_set(r, R_SEGMENT, SEGMENT);
    then_goto(r, T_LOCAL);
    end(f);
    r = begin(f, T_REMOTE, 100);
    when_register(r, R_ORIGIN, ORIGIN_LOCAL);
    then_set(r, R_HOST, NUMBER_PEER);
    then_goto(r, T_ENCAP);
    end(f);
    r = begin(f, T_ENCAP, 100);
    when_register(r, R_SEGMENT, SEGMENT);
    then_tunnel_key(r, 5001);
    then_goto(r, T_TUNNEL);
    end(f);
    r = begin(f, T_TUNNEL, 100);
    when_register(r, R_HOST, NUMBER_PEER);
    struct in6_addr peer;
    assert_true(ipaddr_from_text("172.16.0.2", &peer));
    then_tunnel_remote(r, &peer);
    then_goto(r, T_WIRE);
    end(f);
    r = begin(f, T_WIRE, 100);
    then_output(r, PORT_TUNNEL);
    end(f);
}

static void
add_answers(struct fixture *f)
{
    struct draft *r = begin(f, T_ANSWER, 100);
    when_arp_op(r, 1);
    when_arp_tpa(r, htonl(0x0a00000b));
    then_arp_reply(r, mac_b, htonl(0x0a00000b));
    then_output_in_port(r);
    end(f);

    struct prefix target;
    assert_true(prefix_from_text("fd00::b", &target));
    r = begin(f, T_ANSWER, 100);
    when_icmpv6(r, 135);
    when_nd_target(r, &target);
    then_nd_become_advertisement(r);
    then_goto(r, T_ANSWER_ND);
    end(f);
    r = begin(f, T_ANSWER_ND, 100);
    when_icmpv6(r, 136);
    when_nd_target(r, &target);
    then_nd_advertise(r, mac_b, &target.address, true);
    then_output_in_port(r);
    end(f);
}

static int
set_up(void **state)
{
    struct fixture *f = NEW(struct fixture);
    f->scopes = scopes_create();
    f->host = uid_from_name("host", "one");
    scopes_want(f->scopes, &f->host, scope_host(&f->host));
    add_defaults(f);
    add_port(f, PORT_A, NUMBER_A, mac_a);
    add_port(f, PORT_B, NUMBER_B, mac_b);
    add_tunnel(f);
    add_answers(f);
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;
    scopes_destroy(f->scopes);
    free(f);
    return 0;
}

static void
expect(struct fixture *f, uint32_t in_port, const struct packet_tunnel *tunnel,
       const struct frame *frame, const char *outputs)
{
    struct packet_result r;
    packet_run(f->scopes, &f->host, in_port, tunnel, frame, &r);
    AUTO_TEXT *text = packet_result_to_text(&r);
    assert_string_equal(text, outputs);
    for (size_t i = 0; i < r.n_outputs; i++) {
        assert_true(frame_equals(&r.outputs[i].frame, frame));
    }
    packet_result_uninit(&r);
}

static void
test_unicast(void **state)
{
    struct frame frame = frame_echo(mac_a, mac_b, "10.0.0.10", "10.0.0.11");
    expect(*state, PORT_A, NULL, &frame, "11");
    frame = frame_tcp(mac_b, mac_a, "fd00::b", "fd00::a", 1000, 80);
    expect(*state, PORT_B, NULL, &frame, "10");
}

static void
test_unknown_is_dropped(void **state)
{
    struct eth_addr mac_c = ETH_ADDR_C(fa, 16, 3e, 00, 00, 0c);
    struct frame frame =
        frame_udp(mac_a, mac_c, "10.0.0.10", "10.0.0.12", 5, 6);
    expect(*state, PORT_A, NULL, &frame, "drop");
    expect(*state, 55, NULL, &frame, "drop");
}

/* Everybody but the sender, and the tunnel. */
static void
test_flood(void **state)
{
    struct frame frame = frame_arp_request(mac_a, "10.0.0.10", "10.0.0.99");
    expect(*state, PORT_A, NULL, &frame, "1(tunnel 5001 to 172.16.0.2) 11");
}

/* From a tunnel to local ports only. */
static void
test_from_tunnel(void **state)
{
    struct packet_tunnel tunnel = { .key = 5001 };
    assert_true(ipaddr_from_text("172.16.0.2", &tunnel.remote));
    struct frame frame = frame_arp_request(mac_a, "10.0.0.10", "10.0.0.99");
    expect(*state, PORT_TUNNEL, &tunnel, &frame, "10 11");
    tunnel.key = 5002;
    expect(*state, PORT_TUNNEL, &tunnel, &frame, "drop");
}

static void
test_arp_is_answered(void **state)
{
    struct fixture *f = *state;
    struct frame frame = frame_arp_request(mac_a, "10.0.0.10", "10.0.0.11");
    struct packet_result r;
    packet_run(f->scopes, &f->host, PORT_A, NULL, &frame, &r);
    const struct packet_output *output = packet_only_output(&r, PORT_A);
    struct frame want = frame_arp(2, mac_b, "10.0.0.11", mac_a, "10.0.0.10");
    assert_true(frame_equals(&output->frame, &want));
    assert_string_equal(
        ds_cstr(&r.trace),
        "  CLASSIFY 100 in_port=10 -> SEGMENT=17,SENDER=1,ORIGIN=local,"
        "goto GUARD\n"
        "    GUARD 0 any -> goto ANSWER\n"
        "      ANSWER 100 arp,arp_tpa=10.0.0.11,arp_op=1 -> "
        "move eth_src->eth_dst,eth_src=fa:16:3e:00:00:0b,arp_op=2,"
        "move arp_sha->arp_tha,arp_sha=fa:16:3e:00:00:0b,"
        "move arp_spa->arp_tpa,arp_spa=10.0.0.11,IN_PORT\n");
    packet_result_uninit(&r);
}

/* RFC 4861, section 4.4, byte by byte. */
static void
test_solicitation_is_answered(void **state)
{
    struct fixture *f = *state;
    struct frame frame = frame_solicitation(mac_a, "fd00::a", "fd00::b");
    struct packet_result r;
    packet_run(f->scopes, &f->host, PORT_A, NULL, &frame, &r);
    const struct frame *got = &packet_only_output(&r, PORT_A)->frame;

    struct flow flow;
    memset(&flow, 0, sizeof flow);
    frame_parse(got, &flow);
    char text[INET6_ADDRSTRLEN];
    assert_true(!memcmp(&flow.dl_dst, &mac_a, sizeof mac_a));
    assert_true(!memcmp(&flow.dl_src, &mac_b, sizeof mac_b));
    ipaddr_to_text(&flow.ipv6_src, text);
    assert_string_equal(text, "fd00::b");
    ipaddr_to_text(&flow.ipv6_dst, text);
    assert_string_equal(text, "fd00::a");
    assert_int_equal(ntohs(flow.tp_src), 136);
    assert_int_equal(ntohl(flow.igmp_group_ip4), 0xe0000000);
    assert_int_equal(ntohs(flow.tcp_flags), 2);
    assert_true(!memcmp(&flow.arp_tha, &mac_b, sizeof mac_b));
    packet_result_uninit(&r);
}

/* Parsing and composing again changes nothing; a tag goes on and off. */
static void
test_frames_round_trip(void **state OVS_UNUSED)
{
    struct frame frames[] = {
        frame_arp_request(mac_a, "10.0.0.10", "10.0.0.11"),
        frame_echo(mac_a, mac_b, "10.0.0.10", "10.0.0.11"),
        frame_echo(mac_a, mac_b, "fd00::a", "fd00::b"),
        frame_udp(mac_a, mac_b, "10.0.0.10", "10.0.0.11", 68, 67),
        frame_tcp(mac_a, mac_b, "fd00::a", "fd00::b", 1, 2),
        frame_solicitation(mac_a, "fd00::a", "fd00::b"),
        frame_solicitation(mac_a, "::", "fd00::b"),
        frame_advertisement(mac_a, "fd00::a", "fd00::a", mac_a),
        frame_mld_report(mac_a, "fe80::a"),
        frame_ethernet(mac_a, mac_b, 0x88cc, "lldp", 4),
        frame_ethernet(mac_a, mac_b, 4, "llc", 4),
    };
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        struct flow flow;
        memset(&flow, 0, sizeof flow);
        frame_parse(&frames[i], &flow);
        struct frame same = frame_compose(&frames[i], &flow);
        assert_true(frame_equals(&same, &frames[i]));

        struct frame tagged = frame_tagged(&frames[i], 200);
        assert_int_equal(tagged.size, frames[i].size + 4);
        struct flow tagged_flow;
        memset(&tagged_flow, 0, sizeof tagged_flow);
        frame_parse(&tagged, &tagged_flow);
        assert_int_equal(ntohs(tagged_flow.vlans[0].tci), 0x1000 | 200);
        assert_int_equal(tagged_flow.dl_type, flow.dl_type);
        memset(tagged_flow.vlans, 0, sizeof tagged_flow.vlans);
        struct frame bare = frame_compose(&tagged, &tagged_flow);
        assert_true(frame_equals(&bare, &frames[i]));
    }
}

/* What is behind an extension header is seen. */
static void
test_extension_header(void **state OVS_UNUSED)
{
    struct frame frame = frame_mld_report(mac_a, "fe80::a");
    struct flow flow;
    memset(&flow, 0, sizeof flow);
    frame_parse(&frame, &flow);
    assert_int_equal(flow.nw_proto, 58);
    assert_int_equal(ntohs(flow.tp_src), 143);
}

/* Changing an address there and back restores the checksums, too. */
static void
test_checksums(void **state OVS_UNUSED)
{
    struct frame frames[] = {
        frame_echo(mac_a, mac_b, "10.0.0.10", "10.0.0.11"),
        frame_udp(mac_a, mac_b, "10.0.0.10", "10.0.0.11", 68, 67),
        frame_tcp(mac_a, mac_b, "10.0.0.10", "10.0.0.11", 1, 2),
    };
    struct frame wants[] = {
        frame_echo(mac_a, mac_b, "10.0.0.99", "10.0.0.11"),
        frame_udp(mac_a, mac_b, "10.0.0.99", "10.0.0.11", 68, 67),
        frame_tcp(mac_a, mac_b, "10.0.0.99", "10.0.0.11", 1, 2),
    };
    for (int i = 0; i < 3; i++) {
        struct flow flow;
        memset(&flow, 0, sizeof flow);
        frame_parse(&frames[i], &flow);
        flow.nw_src = htonl(0x0a000063);
        struct frame got = frame_compose(&frames[i], &flow);
        assert_true(frame_equals(&got, &wants[i]));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unicast, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_is_dropped, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_flood, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_from_tunnel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_arp_is_answered, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_solicitation_is_answered, set_up,
                                        tear_down),
        cmocka_unit_test(test_frames_round_trip),
        cmocka_unit_test(test_extension_header),
        cmocka_unit_test(test_checksums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
