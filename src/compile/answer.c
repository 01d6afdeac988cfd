/* SPDX-License-Identifier: Apache-2.0 */

/* ARP requests and neighbour solicitations for known addresses are answered
 * at the first switch and go nowhere.
 *
 *   ANSWER     request for a known address ─► reply out of the port it came
 *   ANSWER_ND  second half for ND: the switch accepts a target link-layer
 *              option only on what already is an advertisement
 *
 * One rule per address in the segment's scope, for all hosts.  Left to the
 * owner, as any other frame: a solicitation without a source link-layer
 * option (among them duplicate address detection, RFC 4862 section 5.4),
 * which a flow cannot answer.  An endpoint that asks for its own address by
 * ARP looks for a duplicate (RFC 5227) or announces itself: no answer. */

#include "compile/passes.h"

#include <netinet/icmp6.h>

static void
answer_fabric(struct unit *u, const struct entity *entity)
{
    RULE (u, scope_all(), ANSWER, PRIORITY_EXCEPTION) {
        when_icmpv6(r, ND_NEIGHBOR_SOLICIT);
        when_nd_sll(r, (struct eth_addr){ { { 0, 0, 0, 0, 0, 0 } } });
        then_goto(r, T_LOCAL);
    }
    RULE (u, scope_all(), ANSWER, PRIORITY_DEFAULT) {
        then_goto(r, T_LOCAL);
    }
}

const struct pass pass_answer_fabric = { "answer_fabric",
                                         &fabric_rules_resource,
                                         answer_fabric };

static void
answer_arp(struct unit *u, const struct endpoint *endpoint, uint32_t segment,
           ovs_be32 ip)
{
    RULE (u, scope_segment(&endpoint->segment), ANSWER, PRIORITY_EXACT) {
        when_register(r, R_SEGMENT, segment);
        when_arp_op(r, 1);
        when_arp_tpa(r, ip);
        then_arp_reply(r, endpoint->mac, ip);
        then_output_in_port(r);
    }
}

static void
answer_nd(struct unit *u, const struct endpoint *endpoint, uint32_t segment,
          const struct in6_addr *ip)
{
    struct scope_id scope = scope_segment(&endpoint->segment);
    struct prefix target = { *ip, 128 };

    RULE (u, scope, ANSWER, PRIORITY_EXACT) {
        when_register(r, R_SEGMENT, segment);
        when_icmpv6(r, ND_NEIGHBOR_SOLICIT);
        when_nd_target(r, &target);
        then_nd_become_advertisement(r);
        then_goto(r, T_ANSWER_ND);
    }
    RULE (u, scope, ANSWER_ND, PRIORITY_EXACT) {
        when_register(r, R_SEGMENT, segment);
        when_icmpv6(r, ND_NEIGHBOR_ADVERT);
        when_nd_target(r, &target);
        then_nd_advertise(r, endpoint->mac, ip, false);
        then_output_in_port(r);
    }
}

static void
answer_run(struct unit *u, const struct entity *entity)
{
    const struct endpoint *endpoint = endpoint_cast(entity);
    const struct segment *segment = GET(u, segment, &endpoint->segment);
    if (!endpoint->up || !segment || !segment->up) {
        return;
    }
    for (size_t i = 0; i < endpoint->addresses.n; i++) {
        const struct in6_addr *ip = &endpoint->addresses.items[i].ip;
        if (ipaddr_is_v4(ip)) {
            answer_arp(u, endpoint, segment->entity.number, ipaddr_v4(ip));
        } else {
            answer_nd(u, endpoint, segment->entity.number, ip);
        }
    }
}

const struct pass pass_answer = { "answer", &endpoint_resource, answer_run };

static void
answer_self_run(struct unit *u, const struct entity *entity)
{
    const struct attachment *attachment = attachment_cast(entity);
    const struct endpoint *endpoint = GET(u, endpoint, &attachment->endpoint);
    if (!endpoint) {
        return;
    }
    for (size_t i = 0; i < endpoint->addresses.n; i++) {
        const struct in6_addr *ip = &endpoint->addresses.items[i].ip;
        if (!ipaddr_is_v4(ip)) {
            continue;
        }
        RULE (u, scope_host(&attachment->host), ANSWER, PRIORITY_EXCEPTION) {
            when_register(r, R_SENDER, endpoint->entity.number);
            when_arp_op(r, 1);
            when_arp_tpa(r, ipaddr_v4(ip));
            then_goto(r, T_LOCAL);
        }
    }
}

const struct pass pass_answer_self = { "answer_self", &attachment_resource,
                                       answer_self_run };
