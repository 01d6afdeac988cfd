/* SPDX-License-Identifier: Apache-2.0 */
/* One rule or bucket per function here.  Together they call every when_ and
 * every then_ function of the pipeline; see samples.h. */

#include "tests/packet/samples.h"

#include <netinet/icmp6.h>

static const struct eth_addr mac = ETH_ADDR_C(fa, 16, 3e, 00, 00, 01);
static const struct eth_addr mac2 = ETH_ADDR_C(fa, 16, 3e, 00, 00, 02);

static struct scope_id
scope(void)
{
    struct uuid id = uid_from_name("segment", "one");
    return scope_segment(&id);
}

static struct prefix
prefix(const char *text)
{
    struct prefix p;
    ovs_assert(prefix_from_text(text, &p));
    return p;
}

static struct in6_addr
address(const char *text)
{
    struct in6_addr a;
    ovs_assert(ipaddr_from_text(text, &a));
    return a;
}

static void
local(struct draft *r)
{
    draft_init_rule(r, scope(), T_LOCAL, 100);
    when_register(r, R_SEGMENT, 17);
    when_eth_dst(r, mac);
    then_set(r, R_TARGET, 5);
    then_goto(r, T_EGRESS);
}

static void
classify(struct draft *r)
{
    draft_init_rule(r, scope(), T_CLASSIFY, 100);
    when_in_port(r, 7);
    when_no_vlan(r);
    then_set(r, R_SEGMENT, 17);
    then_set(r, R_SENDER, 9);
    then_set(r, R_ORIGIN, ORIGIN_LOCAL);
    then_set(r, R_CARRIER, CARRIER_VXLAN);
    then_goto(r, T_GUARD);
}

static void
classify_uplink(struct draft *r)
{
    draft_init_rule(r, scope(), T_CLASSIFY, 90);
    when_in_port(r, 0xfffe);
    then_set(r, R_ORIGIN, ORIGIN_PHYSICAL);
    then_set(r, R_PHYSNET, 3);
    then_goto(r, T_DECAP);
}

static void
decap_tunnel(struct draft *r)
{
    draft_init_rule(r, scope(), T_DECAP, 100);
    when_register(r, R_ORIGIN, ORIGIN_TUNNEL);
    when_register(r, R_CARRIER, CARRIER_VXLAN);
    when_tunnel_key(r, 5001);
    struct in6_addr peer = address("172.16.0.2");
    when_tunnel_source(r, &peer);
    then_set(r, R_SEGMENT, 17);
    then_goto(r, T_LOCAL);
}

static void
decap_tunnel6(struct draft *r)
{
    draft_init_rule(r, scope(), T_DECAP, 101);
    when_tunnel_key(r, UINT64_C(0x123456789abcdef0));
    struct in6_addr peer = address("fd00::2");
    when_tunnel_source(r, &peer);
    then_resubmit(r, T_LOCAL);
}

static void
decap_vlan(struct draft *r)
{
    draft_init_rule(r, scope(), T_DECAP, 90);
    when_register(r, R_PHYSNET, 3);
    when_vlan(r, 200);
    then_pop_vlan(r);
    then_set(r, R_SEGMENT, 18);
    then_goto(r, T_LOCAL);
}

static void
guard_ip(struct draft *r)
{
    draft_init_rule(r, scope(), T_GUARD, 60);
    when_register(r, R_SENDER, 9);
    when_eth_src(r, mac);
    struct prefix p = prefix("10.0.0.4/32");
    when_ip_src(r, &p);
    then_goto(r, T_ANSWER);
}

static void
guard_ip6(struct draft *r)
{
    draft_init_rule(r, scope(), T_GUARD, 61);
    when_register(r, R_SENDER, 9);
    struct prefix p = prefix("fd00:1::/64");
    when_ip_src(r, &p);
    p = prefix("ff02::/16");
    when_ip_dst(r, &p);
    then_goto(r, T_GUARD_SOURCE);
}

static void
guard_dhcp(struct draft *r)
{
    draft_init_rule(r, scope(), T_GUARD, 62);
    struct prefix p = prefix("255.255.255.255");
    when_ip_dst(r, &p);
    when_ip_proto(r, IPPROTO_UDP);
    when_tp_src(r, 68);
    when_tp_dst(r, 67);
    then_controller(r, 3, 1500);
}

static void
guard_arp(struct draft *r)
{
    draft_init_rule(r, scope(), T_GUARD, 63);
    when_arp_op(r, 2);
    struct prefix p = prefix("10.0.0.0/24");
    when_arp_spa(r, &p);
    when_arp_sha(r, mac);
    then_goto(r, T_ANSWER);
}

static void
guard_drop(struct draft *r)
{
    draft_init_rule(r, scope(), T_GUARD, 1);
    when_eth_type(r, 0x88cc);
    then_drop(r);
}

static void
guard_advertisement(struct draft *r)
{
    draft_init_rule(r, scope(), T_GUARD_CLAIM, 60);
    when_icmpv6(r, ND_NEIGHBOR_ADVERT);
    struct prefix p = prefix("fd00:1::4");
    when_nd_target(r, &p);
    when_nd_tll(r, mac);
    then_goto(r, T_ANSWER);
}

static void
answer_arp(struct draft *r)
{
    draft_init_rule(r, scope(), T_ANSWER, 100);
    when_register(r, R_SEGMENT, 17);
    when_arp_op(r, 1);
    when_arp_tpa(r, htonl(0x0a000005));
    then_arp_reply(r, mac2, htonl(0x0a000005));
    then_output_in_port(r);
}

static void
answer_solicitation(struct draft *r)
{
    draft_init_rule(r, scope(), T_ANSWER, 101);
    when_icmpv6(r, ND_NEIGHBOR_SOLICIT);
    struct prefix p = prefix("fd00:1::5");
    when_nd_target(r, &p);
    when_nd_sll(r, mac);
    then_nd_become_advertisement(r);
    then_goto(r, T_ANSWER_ND);
}

static void
answer_advertise(struct draft *r)
{
    draft_init_rule(r, scope(), T_ANSWER_ND, 100);
    when_icmpv6(r, ND_NEIGHBOR_ADVERT);
    struct prefix p = prefix("fd00:1::5");
    when_nd_target(r, &p);
    then_nd_advertise(r, mac2, &p.address, false);
    then_output_in_port(r);
}

static void
local_flood(struct draft *r)
{
    draft_init_rule(r, scope(), T_LOCAL, 50);
    when_register(r, R_SEGMENT, 17);
    when_multicast(r);
    then_group(r, group_number(GROUP_FLOOD_LOCAL, 17));
    then_goto(r, T_REMOTE);
}

static void
encap_vlan(struct draft *r)
{
    draft_init_rule(r, scope(), T_ENCAP, 100);
    when_register(r, R_SEGMENT, 18);
    then_push_vlan(r, 200);
    then_goto(r, T_WIRE);
}

static void
encap_tunnel(struct draft *r)
{
    draft_init_rule(r, scope(), T_ENCAP, 101);
    when_register(r, R_SEGMENT, 17);
    then_tunnel_key(r, 5001);
    then_goto(r, T_TUNNEL);
}

static void
tunnel(struct draft *r)
{
    draft_init_rule(r, scope(), T_TUNNEL, 100);
    when_register(r, R_HOST, 4);
    struct in6_addr peer = address("172.16.0.4");
    then_tunnel_remote(r, &peer);
    then_goto(r, T_WIRE);
}

static void
output(struct draft *r)
{
    draft_init_rule(r, scope(), T_OUTPUT, 100);
    when_register(r, R_TARGET, 5);
    then_output(r, 7);
}

static void
bucket_local(struct draft *r)
{
    draft_init_bucket(r, scope(), group_number(GROUP_FLOOD_LOCAL, 17), 5);
    then_set(r, R_TARGET, 5);
    then_resubmit(r, T_EGRESS);
}

static void
bucket_remote(struct draft *r)
{
    draft_init_bucket(r, scope(), group_number(GROUP_FLOOD_REMOTE, 17), 4);
    struct in6_addr peer = address("172.16.0.4");
    then_tunnel(r, 5001, &peer);
    then_set(r, R_CARRIER, CARRIER_GENEVE);
    then_resubmit(r, T_WIRE);
}

static void
bucket_remote6(struct draft *r)
{
    draft_init_bucket(r, scope(), group_number(GROUP_UNKNOWN_REMOTE, 17), 4);
    struct in6_addr peer = address("fd00::4");
    then_tunnel(r, 5001, &peer);
    then_output(r, 100);
}

static void
bucket_wire(struct draft *r)
{
    draft_init_bucket(r, scope(), group_number(GROUP_FLOOD_REMOTE, 18), 1);
    then_push_vlan(r, 200);
    then_resubmit(r, T_WIRE);
}

const struct sample samples[] = {
    { local, "LOCAL 100 SEGMENT=17,eth_dst=fa:16:3e:00:00:01 -> TARGET=5,goto "
             "EGRESS" },
    { classify, "CLASSIFY 100 in_port=7,untagged -> SEGMENT=17,SENDER=9,"
                "ORIGIN=local,CARRIER=vxlan,goto GUARD" },
    { classify_uplink,
      "CLASSIFY 90 in_port=LOCAL -> ORIGIN=physical,PHYSNET=3,goto "
      "DECAP" },
    { decap_tunnel, "DECAP 100 ORIGIN=tunnel,CARRIER=vxlan,tun_id=5001,"
                    "tun_src=172.16.0.2 -> SEGMENT=17,goto LOCAL" },
    { decap_tunnel6,
      "DECAP 101 tun_id=1311768467463790320,tun_ipv6_src=fd00::2 -> "
      "resubmit LOCAL" },
    { decap_vlan,
      "DECAP 90 PHYSNET=3,vlan=200 -> pop_vlan,SEGMENT=18,goto LOCAL" },
    { guard_ip,
      "GUARD 60 SENDER=9,ip,eth_src=fa:16:3e:00:00:01,ip_src=10.0.0.4 "
      "-> goto ANSWER" },
    { guard_ip6,
      "GUARD 61 SENDER=9,ipv6,ipv6_src=fd00:1::/64,ipv6_dst=ff02::/16 "
      "-> goto GUARD_SOURCE" },
    { guard_dhcp, "GUARD 62 udp,ip_dst=255.255.255.255,tp_src=68,tp_dst=67 -> "
                  "controller(reason=3 max_length=1500)" },
    { guard_arp, "GUARD 63 arp,arp_spa=10.0.0.0/24,arp_op=2,"
                 "arp_sha=fa:16:3e:00:00:01 -> goto ANSWER" },
    { guard_drop, "GUARD 1 eth_type=0x88cc -> drop" },
    { guard_advertisement,
      "GUARD_CLAIM 60 icmp6,icmp_type=136,icmp_code=0,"
      "nd_target=fd00:1::4,nd_tll=fa:16:3e:00:00:01 -> goto ANSWER" },
    { answer_arp,
      "ANSWER 100 SEGMENT=17,arp,arp_tpa=10.0.0.5,arp_op=1 -> move "
      "eth_src->eth_dst,eth_src=fa:16:3e:00:00:02,arp_op=2,move "
      "arp_sha->arp_tha,arp_sha=fa:16:3e:00:00:02,move "
      "arp_spa->arp_tpa,arp_spa=10.0.0.5,IN_PORT" },
    { answer_solicitation,
      "ANSWER 101 icmp6,icmp_type=135,icmp_code=0,nd_target=fd00:1::5,"
      "nd_sll=fa:16:3e:00:00:01 -> icmpv6_type=136,goto ANSWER_ND" },
    { answer_advertise,
      "ANSWER_ND 100 icmp6,icmp_type=136,icmp_code=0,"
      "nd_target=fd00:1::5 -> nd_options_type=2,nd_reserved=0x60000000,"
      "nd_tll=fa:16:3e:00:00:02,move eth_src->eth_dst,"
      "eth_src=fa:16:3e:00:00:02,move ipv6_src->ipv6_dst,"
      "ipv6_src=fd00:1::5,IN_PORT" },
    { local_flood,
      "LOCAL 50 SEGMENT=17,eth_dst=multicast -> group:FLOOD_LOCAL(17),"
      "goto REMOTE" },
    { encap_vlan,
      "ENCAP 100 SEGMENT=18 -> push_vlan:0x8100,vlan_vid=200,goto WIRE" },
    { encap_tunnel, "ENCAP 101 SEGMENT=17 -> tun_id=5001,goto TUNNEL" },
    { tunnel, "TUNNEL 100 HOST=4 -> tun_dst=172.16.0.4,goto WIRE" },
    { output, "OUTPUT 100 TARGET=5 -> output:7" },
    { bucket_local,
      "group FLOOD_LOCAL(17) bucket 5 -> TARGET=5,resubmit EGRESS" },
    { bucket_remote, "group FLOOD_REMOTE(17) bucket 4 -> tun_id=5001,"
                     "tun_dst=172.16.0.4,CARRIER=geneve,resubmit WIRE" },
    { bucket_remote6, "group UNKNOWN_REMOTE(17) bucket 4 -> tun_id=5001,"
                      "tun_ipv6_dst=fd00::4,output:100" },
    { bucket_wire, "group FLOOD_REMOTE(18) bucket 1 -> push_vlan:0x8100,"
                   "vlan_vid=200,resubmit WIRE" },
};
const size_t n_samples = sizeof samples / sizeof samples[0];
