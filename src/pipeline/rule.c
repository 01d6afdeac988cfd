/* SPDX-License-Identifier: Apache-2.0 */
/* Drafts: rules and buckets while they are being written.
 *
 *     draft_init_rule ─► when_...  (fills 'match')
 *                        then_...  (appends to 'ofpacts')
 *                                    ─► scope_add ─► item
 *
 * A when_ function adds one condition and the conditions that OpenFlow wants
 * before it where that is unambiguous (OpenFlow 1.5, section 7.2.3.6).  A
 * then_ function appends one action.  Numbers of registers and tables come
 * from pipeline.def through private.h.
 *
 * Arguments are facts that our own code computed; one that OpenFlow cannot
 * express is a bug of ours and asserts. */

#include "pipeline/private.h"

#include <endian.h>
#include <netinet/icmp6.h>

#include "openflow/nicira-ext.h"
#include "openvswitch/packets.h"

#define TYPE_ARP      0x0806
#define TYPE_IPV4     0x0800
#define TYPE_IPV6     0x86dd
#define TYPE_VLAN     0x8100
#define VLAN_VID_MAX  4095
/* OpenFlow 1.5, section 7.2.3.8: a VID in this field carries this bit. */
#define VID_PRESENT   0x1000
#define ARP_REPLY     2
/* RFC 4861, section 4.4: router, solicited, override. */
#define ND_ROUTER     0x80000000u
#define ND_SOLICITED  0x40000000u
#define ND_OVERRIDE   0x20000000u
#define ND_OPTION_TLL 2

void
draft_init_rule(struct draft *draft, struct scope_id scope,
                enum table_id table, uint16_t priority)
{
    memset(draft, 0, sizeof *draft);
    draft->scope = scope;
    draft->kind = ITEM_RULE;
    draft->table = table;
    draft->priority = priority;
    match_init_catchall(&draft->match);
    ofpbuf_init(&draft->ofpacts, 256);
}

void
draft_init_bucket(struct draft *draft, struct scope_id scope, uint32_t group,
                  uint32_t bucket)
{
    memset(draft, 0, sizeof *draft);
    draft->scope = scope;
    draft->kind = ITEM_BUCKET;
    draft->group = group;
    draft->bucket = bucket;
    match_init_catchall(&draft->match);
    ofpbuf_init(&draft->ofpacts, 128);
}

void
draft_uninit(struct draft *draft)
{
    ofpbuf_uninit(&draft->ofpacts);
}

/* Conditions. */

static ovs_be64
to_be64(uint64_t x)
{
    return (OVS_FORCE ovs_be64) htobe64(x);
}

static ofp_port_t
to_port(uint32_t ofport)
{
    ovs_assert(ofport < 0xff00 || ofport == 0xfffe);
    return OFP_PORT_C(ofport);
}

static ovs_be32
ipv4_mask(uint8_t plen)
{
    ovs_assert(plen <= 32);
    return htonl(plen ? UINT32_MAX << (32 - plen) : 0);
}

static struct in6_addr
ipv6_mask(uint8_t plen)
{
    ovs_assert(plen <= 128);
    struct in6_addr mask;
    for (int i = 0; i < 16; i++) {
        int n_bits = plen - 8 * i;
        mask.s6_addr[i] = n_bits >= 8   ? 0xff
                          : n_bits <= 0 ? 0
                                        : 0xff00 >> n_bits;
    }
    return mask;
}

void
when_register(struct draft *draft, enum register_id id, uint32_t value)
{
    ovs_assert(value <= register_max(id));

    const struct register_info *info = register_get(id);
    uint32_t *reg = &draft->match.flow.regs[info->reg];
    uint32_t *mask = &draft->match.wc.masks.regs[info->reg];
    match_set_reg_masked(&draft->match, info->reg,
                         (*reg & ~register_mask(id)) | value << info->first,
                         *mask | register_mask(id));
}

void
when_in_port(struct draft *draft, uint32_t ofport)
{
    match_set_in_port(&draft->match, to_port(ofport));
}

void
when_eth_src(struct draft *draft, struct eth_addr mac)
{
    match_set_dl_src(&draft->match, mac);
}

void
when_eth_dst(struct draft *draft, struct eth_addr mac)
{
    match_set_dl_dst(&draft->match, mac);
}

void
when_multicast(struct draft *draft)
{
    static const struct eth_addr group_bit = { .ea = { 1, 0, 0, 0, 0, 0 } };
    match_set_dl_dst_masked(&draft->match, group_bit, group_bit);
}

void
when_eth_type(struct draft *draft, uint16_t type)
{
    match_set_dl_type(&draft->match, htons(type));
}

void
when_ip_src(struct draft *draft, const struct prefix *prefix)
{
    if (prefix_is_v4(prefix)) {
        when_eth_type(draft, TYPE_IPV4);
        match_set_nw_src_masked(&draft->match, ipaddr_v4(&prefix->address),
                                ipv4_mask(prefix->plen));
    } else {
        struct in6_addr mask = ipv6_mask(prefix->plen);
        when_eth_type(draft, TYPE_IPV6);
        match_set_ipv6_src_masked(&draft->match, &prefix->address, &mask);
    }
}

void
when_ip_dst(struct draft *draft, const struct prefix *prefix)
{
    if (prefix_is_v4(prefix)) {
        when_eth_type(draft, TYPE_IPV4);
        match_set_nw_dst_masked(&draft->match, ipaddr_v4(&prefix->address),
                                ipv4_mask(prefix->plen));
    } else {
        struct in6_addr mask = ipv6_mask(prefix->plen);
        when_eth_type(draft, TYPE_IPV6);
        match_set_ipv6_dst_masked(&draft->match, &prefix->address, &mask);
    }
}

void
when_ip_proto(struct draft *draft, uint8_t proto)
{
    match_set_nw_proto(&draft->match, proto);
}

void
when_tp_src(struct draft *draft, uint16_t port)
{
    match_set_tp_src(&draft->match, htons(port));
}

void
when_tp_dst(struct draft *draft, uint16_t port)
{
    match_set_tp_dst(&draft->match, htons(port));
}

void
when_arp_op(struct draft *draft, uint16_t op)
{
    /* Open vSwitch keeps the low 8 bits of the operation here. */
    when_eth_type(draft, TYPE_ARP);
    match_set_nw_proto(&draft->match, op);
}

void
when_arp_spa(struct draft *draft, const struct prefix *prefix)
{
    ovs_assert(prefix_is_v4(prefix));
    when_eth_type(draft, TYPE_ARP);
    match_set_nw_src_masked(&draft->match, ipaddr_v4(&prefix->address),
                            ipv4_mask(prefix->plen));
}

void
when_arp_tpa(struct draft *draft, ovs_be32 address)
{
    when_eth_type(draft, TYPE_ARP);
    match_set_nw_dst(&draft->match, address);
}

void
when_arp_sha(struct draft *draft, struct eth_addr mac)
{
    when_eth_type(draft, TYPE_ARP);
    match_set_arp_sha(&draft->match, mac);
}

void
when_icmpv6(struct draft *draft, uint8_t type)
{
    when_eth_type(draft, TYPE_IPV6);
    match_set_nw_proto(&draft->match, IPPROTO_ICMPV6);
    match_set_icmp_type(&draft->match, type);
    match_set_icmp_code(&draft->match, 0);
}

void
when_nd_target(struct draft *draft, const struct prefix *prefix)
{
    ovs_assert(!prefix_is_v4(prefix));
    struct in6_addr mask = ipv6_mask(prefix->plen);
    match_set_nd_target_masked(&draft->match, &prefix->address, &mask);
}

void
when_nd_sll(struct draft *draft, struct eth_addr mac)
{
    /* One place in Open vSwitch's flow serves ARP and ND. */
    match_set_arp_sha(&draft->match, mac);
}

void
when_nd_tll(struct draft *draft, struct eth_addr mac)
{
    match_set_arp_tha(&draft->match, mac);
}

void
when_vlan(struct draft *draft, uint16_t vid)
{
    ovs_assert(vid <= VLAN_VID_MAX);
    match_set_vlan_vid(&draft->match, htons(vid | VID_PRESENT));
}

void
when_no_vlan(struct draft *draft)
{
    match_set_vlan_vid(&draft->match, htons(0));
}

void
when_tunnel_key(struct draft *draft, uint64_t key)
{
    match_set_tun_id(&draft->match, to_be64(key));
}

void
when_tunnel_source(struct draft *draft, const struct in6_addr *address)
{
    if (ipaddr_is_v4(address)) {
        match_set_tun_src(&draft->match, ipaddr_v4(address));
    } else {
        match_set_tun_ipv6_src(&draft->match, address);
    }
}

/* Actions. */

static void
put_set(struct draft *draft, enum mf_field_id id, const void *value)
{
    ofpact_put_set_field(&draft->ofpacts, mf_from_id(id), value, NULL);
}

static void
put_set_u8(struct draft *draft, enum mf_field_id id, uint8_t value)
{
    put_set(draft, id, &value);
}

static void
put_set_be16(struct draft *draft, enum mf_field_id id, uint16_t host_value)
{
    ovs_be16 value = htons(host_value);
    put_set(draft, id, &value);
}

static void
put_set_be32(struct draft *draft, enum mf_field_id id, ovs_be32 value)
{
    put_set(draft, id, &value);
}

static void
put_move(struct draft *draft, enum mf_field_id from, enum mf_field_id to)
{
    const struct mf_field *src = mf_from_id(from);
    const struct mf_field *dst = mf_from_id(to);
    ovs_assert(src->n_bits == dst->n_bits);

    struct ofpact_reg_move *move = ofpact_put_REG_MOVE(&draft->ofpacts);
    move->src = (struct mf_subfield){ src, 0, src->n_bits };
    move->dst = (struct mf_subfield){ dst, 0, dst->n_bits };
}

void
then_set(struct draft *draft, enum register_id id, uint32_t value)
{
    ovs_assert(value <= register_max(id));

    ovs_be32 bits = htonl(value << register_get(id)->first);
    ovs_be32 mask = htonl(register_mask(id));
    ofpact_put_set_field(&draft->ofpacts, mf_from_id(register_field(id)),
                         &bits, &mask);
}

void
then_goto(struct draft *draft, enum table_id table)
{
    /* An instruction, which buckets do not have: they resubmit. */
    ovs_assert(draft->kind == ITEM_RULE);
    ofpact_put_GOTO_TABLE(&draft->ofpacts)->table_id = table_number(table);
}

void
then_resubmit(struct draft *draft, enum table_id table)
{
    struct ofpact_resubmit *resubmit = ofpact_put_RESUBMIT(&draft->ofpacts);
    resubmit->in_port = OFPP_IN_PORT;
    resubmit->table_id = table_number(table);
}

void
then_output(struct draft *draft, uint32_t ofport)
{
    ofpact_put_OUTPUT(&draft->ofpacts)->port = to_port(ofport);
}

void
then_output_in_port(struct draft *draft)
{
    ofpact_put_OUTPUT(&draft->ofpacts)->port = OFPP_IN_PORT;
}

void
then_group(struct draft *draft, uint32_t group)
{
    ofpact_put_GROUP(&draft->ofpacts)->group_id = group;
}

void
then_tunnel(struct draft *draft, uint64_t key, const struct in6_addr *remote)
{
    then_tunnel_key(draft, key);
    then_tunnel_remote(draft, remote);
}

void
then_tunnel_key(struct draft *draft, uint64_t key)
{
    ovs_be64 value = to_be64(key);
    put_set(draft, MFF_TUN_ID, &value);
}

void
then_tunnel_remote(struct draft *draft, const struct in6_addr *remote)
{
    if (ipaddr_is_v4(remote)) {
        put_set_be32(draft, MFF_TUN_DST, ipaddr_v4(remote));
    } else {
        put_set(draft, MFF_TUN_IPV6_DST, remote);
    }
}

void
then_push_vlan(struct draft *draft, uint16_t vid)
{
    ovs_assert(vid <= VLAN_VID_MAX);
    ofpact_put_PUSH_VLAN(&draft->ofpacts)->ethertype = htons(TYPE_VLAN);
    put_set_be16(draft, MFF_VLAN_VID, vid | VID_PRESENT);
}

void
then_pop_vlan(struct draft *draft)
{
    ofpact_put_STRIP_VLAN(&draft->ofpacts);
}

void
then_arp_reply(struct draft *draft, struct eth_addr mac, ovs_be32 address)
{
    put_move(draft, MFF_ETH_SRC, MFF_ETH_DST);
    put_set(draft, MFF_ETH_SRC, &mac);
    put_set_be16(draft, MFF_ARP_OP, ARP_REPLY);
    put_move(draft, MFF_ARP_SHA, MFF_ARP_THA);
    put_set(draft, MFF_ARP_SHA, &mac);
    put_move(draft, MFF_ARP_SPA, MFF_ARP_TPA);
    put_set_be32(draft, MFF_ARP_SPA, address);
}

void
then_nd_become_advertisement(struct draft *draft)
{
    put_set_u8(draft, MFF_ICMPV6_TYPE, ND_NEIGHBOR_ADVERT);
}

/* The rule must match ICMPv6 type 136: Open vSwitch checks the fields below
 * against the match, not against what earlier actions did, which is why it
 * takes two tables. */
void
then_nd_advertise(struct draft *draft, struct eth_addr mac,
                  const struct in6_addr *address, bool router)
{
    put_set_u8(draft, MFF_ND_OPTIONS_TYPE, ND_OPTION_TLL);
    put_set_be32(draft, MFF_ND_RESERVED,
                 htonl(ND_SOLICITED | ND_OVERRIDE | (router ? ND_ROUTER : 0)));
    put_set(draft, MFF_ND_TLL, &mac);
    put_move(draft, MFF_ETH_SRC, MFF_ETH_DST);
    put_set(draft, MFF_ETH_SRC, &mac);
    put_move(draft, MFF_IPV6_SRC, MFF_IPV6_DST);
    put_set(draft, MFF_IPV6_SRC, address);
}

void
then_controller(struct draft *draft, uint32_t reason, uint16_t max_length)
{
    struct ofpact_controller *controller =
        ofpact_put_CONTROLLER(&draft->ofpacts);
    controller->max_len = max_length;
    controller->reason = OFPR_ACTION;
    controller->meter_id = NX_CTLR_NO_METER;
    controller->provider_meter_id = UINT32_MAX;
    controller->userdata_len = sizeof(ovs_be32);

    ovs_be32 userdata = htonl(reason);
    ofpbuf_put(&draft->ofpacts, &userdata, sizeof userdata);
    controller = draft->ofpacts.header;
    ofpact_finish_CONTROLLER(&draft->ofpacts, &controller);
}

void
then_drop(struct draft *draft)
{
    ovs_assert(!draft->ofpacts.size);
}
