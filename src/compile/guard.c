/* SPDX-License-Identifier: Apache-2.0 */

/* Port security: what an endpoint may send.
 *
 *   GUARD         MAC address           one rule per (endpoint, MAC)
 *   GUARD_SOURCE  IPv4, IPv6, ARP source
 *   GUARD_CLAIM   what ND messages claim: target and link-layer option
 *
 * All match SENDER, so none needs a port number and all are in place before
 * the plug.  What does not depend on the endpoint (asking for an address by
 * DHCP, joining multicast groups, a RARP after migration) is said once for
 * everybody, after the MAC address was found good.
 *
 * Allowed: each of the endpoint's MAC and IP addresses, each allowed address
 * pair, and the IPv6 link-local address made from each MAC (RFC 4291,
 * appendix A).  Refused in particular: answers of a DHCP server and router
 * advertisements. */

#include "compile/passes.h"

#include <netinet/icmp6.h>
#include <netinet/ip6.h>

enum {
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_IPV6_ = 0x86dd,
    ETHERTYPE_REVARP_ = 0x8035, /* RFC 903; sent after migration. */
    ETHERTYPE_ARP_ = 0x0806,
    PROTOCOL_UDP = 17,
    PORT_DHCP_SERVER = 67,
    PORT_DHCP_CLIENT = 68,
    PORT_DHCP6_CLIENT = 546,
    PORT_DHCP6_SERVER = 547,
    MLD2_REPORT = 143, /* RFC 3810, section 5.2. */
};

static const struct prefix unspecified4 = {
    .address.s6_addr = { [10] = 0xff, [11] = 0xff }, .plen = 32
};
static const struct prefix unspecified6 = { .plen = 128 };

/* What guarded senders may and may not do whoever they are. */

static void
guard_refuse_servers(struct unit *u)
{
    RULE (u, scope_all(), GUARD_SOURCE, PRIORITY_EXCEPTION) {
        when_eth_type(r, ETHERTYPE_IPV4);
        when_ip_proto(r, PROTOCOL_UDP);
        when_tp_src(r, PORT_DHCP_SERVER);
        when_tp_dst(r, PORT_DHCP_CLIENT);
        then_drop(r);
    }
    RULE (u, scope_all(), GUARD_SOURCE, PRIORITY_EXCEPTION) {
        when_eth_type(r, ETHERTYPE_IPV6_);
        when_ip_proto(r, PROTOCOL_UDP);
        when_tp_src(r, PORT_DHCP6_SERVER);
        when_tp_dst(r, PORT_DHCP6_CLIENT);
        then_drop(r);
    }
    RULE (u, scope_all(), GUARD_SOURCE, PRIORITY_EXCEPTION) {
        when_icmpv6(r, ND_ROUTER_ADVERT);
        then_drop(r);
    }
}

static void
guard_allow_unspecified(struct unit *u)
{
    static const uint8_t types[] = { MLD_LISTENER_REPORT,
                                     MLD_LISTENER_REDUCTION, MLD2_REPORT,
                                     ND_ROUTER_SOLICIT };

    RULE (u, scope_all(), GUARD_SOURCE, PRIORITY_EXACT) {
        when_ip_src(r, &unspecified4);
        when_ip_proto(r, PROTOCOL_UDP);
        when_tp_src(r, PORT_DHCP_CLIENT);
        when_tp_dst(r, PORT_DHCP_SERVER);
        then_goto(r, T_ANSWER);
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        RULE (u, scope_all(), GUARD_SOURCE, PRIORITY_EXACT) {
            when_ip_src(r, &unspecified6);
            when_icmpv6(r, types[i]);
            then_goto(r, T_ANSWER);
        }
    }
    /* Duplicate address detection (RFC 4862, section 5.4). */
    RULE (u, scope_all(), GUARD_SOURCE, PRIORITY_EXACT) {
        when_ip_src(r, &unspecified6);
        when_icmpv6(r, ND_NEIGHBOR_SOLICIT);
        then_goto(r, T_GUARD_CLAIM);
    }
    RULE (u, scope_all(), GUARD_SOURCE, PRIORITY_EXACT) {
        when_eth_type(r, ETHERTYPE_REVARP_);
        then_goto(r, T_ANSWER);
    }
}

static void
guard_claims(struct unit *u)
{
    RULE (u, scope_all(), GUARD_CLAIM, PRIORITY_CLASS) {
        when_icmpv6(r, ND_NEIGHBOR_ADVERT);
        then_drop(r);
    }
    RULE (u, scope_all(), GUARD_CLAIM, PRIORITY_CLASS) {
        when_icmpv6(r, ND_NEIGHBOR_SOLICIT);
        then_drop(r);
    }
    /* Without a source link-layer option nothing is claimed. */
    RULE (u, scope_all(), GUARD_CLAIM, PRIORITY_EXACT) {
        when_icmpv6(r, ND_NEIGHBOR_SOLICIT);
        when_nd_sll(r, (struct eth_addr){ { { 0, 0, 0, 0, 0, 0 } } });
        then_goto(r, T_ANSWER);
    }
    RULE (u, scope_all(), GUARD_CLAIM, PRIORITY_DEFAULT) {
        then_goto(r, T_ANSWER);
    }
}

static void
guard_fabric(struct unit *u, const struct entity *entity)
{
    RULE (u, scope_all(), GUARD, PRIORITY_EXACT) {
        when_register(r, R_GUARDED, 0);
        then_goto(r, T_ANSWER);
    }
    guard_refuse_servers(u);
    guard_allow_unspecified(u);
    guard_claims(u);
}

const struct pass pass_guard_fabric = { "guard_fabric", &fabric_rules_resource,
                                        guard_fabric };

/* One endpoint. */

struct guarded {
    struct unit *u;
    struct scope_id here;
    uint32_t sender;
};

static struct prefix
link_local(struct eth_addr mac)
{
    struct prefix prefix = { .plen = 128 };
    uint8_t *a = prefix.address.s6_addr;
    a[0] = 0xfe;
    a[1] = 0x80;
    a[8] = mac.ea[0] ^ 2;
    a[9] = mac.ea[1];
    a[10] = mac.ea[2];
    a[11] = 0xff;
    a[12] = 0xfe;
    a[13] = mac.ea[3];
    a[14] = mac.ea[4];
    a[15] = mac.ea[5];
    return prefix;
}

static void
guard_mac(const struct guarded *g, struct eth_addr mac)
{
    RULE (g->u, g->here, GUARD, PRIORITY_EXACT) {
        when_register(r, R_SENDER, g->sender);
        when_eth_src(r, mac);
        then_goto(r, T_GUARD_SOURCE);
    }
    /* ARP probe (RFC 5227, section 1.1). */
    RULE (g->u, g->here, GUARD_SOURCE, PRIORITY_EXACT) {
        when_register(r, R_SENDER, g->sender);
        when_eth_src(r, mac);
        when_arp_op(r, 1);
        when_arp_spa(r, &unspecified4);
        when_arp_sha(r, mac);
        then_goto(r, T_ANSWER);
    }
    RULE (g->u, g->here, GUARD_CLAIM, PRIORITY_EXACT) {
        when_register(r, R_SENDER, g->sender);
        when_eth_src(r, mac);
        when_icmpv6(r, ND_NEIGHBOR_SOLICIT);
        when_nd_sll(r, mac);
        then_goto(r, T_ANSWER);
    }
}

static void
guard_ipv4(const struct guarded *g, struct eth_addr mac,
           const struct prefix *prefix)
{
    RULE (g->u, g->here, GUARD_SOURCE, PRIORITY_EXACT) {
        when_register(r, R_SENDER, g->sender);
        when_eth_src(r, mac);
        when_ip_src(r, prefix);
        then_goto(r, T_ANSWER);
    }
    RULE (g->u, g->here, GUARD_SOURCE, PRIORITY_EXACT) {
        when_register(r, R_SENDER, g->sender);
        when_eth_src(r, mac);
        when_eth_type(r, ETHERTYPE_ARP_);
        when_arp_spa(r, prefix);
        when_arp_sha(r, mac);
        then_goto(r, T_ANSWER);
    }
}

static void
guard_ipv6(const struct guarded *g, struct eth_addr mac,
           const struct prefix *prefix)
{
    const struct eth_addr none = { { { 0, 0, 0, 0, 0, 0 } } };

    RULE (g->u, g->here, GUARD_SOURCE, PRIORITY_EXACT) {
        when_register(r, R_SENDER, g->sender);
        when_eth_src(r, mac);
        when_ip_src(r, prefix);
        then_goto(r, T_GUARD_CLAIM);
    }
    /* With the target's link-layer option, and without. */
    for (int i = 0; i < 2; i++) {
        RULE (g->u, g->here, GUARD_CLAIM, PRIORITY_EXACT) {
            when_register(r, R_SENDER, g->sender);
            when_eth_src(r, mac);
            when_icmpv6(r, ND_NEIGHBOR_ADVERT);
            when_nd_target(r, prefix);
            when_nd_tll(r, i ? mac : none);
            then_goto(r, T_ANSWER);
        }
    }
}

static void
guard_prefix(const struct guarded *g, struct eth_addr mac,
             const struct prefix *prefix)
{
    if (prefix_is_v4(prefix)) {
        guard_ipv4(g, mac, prefix);
    } else {
        guard_ipv6(g, mac, prefix);
    }
}

/* Has an earlier pair (or the endpoint itself) this MAC address? */
static bool
mac_seen(const struct endpoint *endpoint, size_t before, struct eth_addr mac)
{
    if (!memcmp(&mac, &endpoint->mac, sizeof mac)) {
        return true;
    }
    for (size_t i = 0; i < before; i++) {
        if (!memcmp(&mac, &endpoint->allowed_pairs.items[i].mac, sizeof mac)) {
            return true;
        }
    }
    return false;
}

static void
guard_own_address(const struct guarded *g, const struct endpoint *endpoint)
{
    struct prefix local = link_local(endpoint->mac);
    bool any6 = false;

    guard_mac(g, endpoint->mac);
    for (size_t i = 0; i < endpoint->addresses.n; i++) {
        const struct in6_addr *ip = &endpoint->addresses.items[i].ip;
        bool v4 = ipaddr_is_v4(ip);
        struct prefix prefix = { *ip, v4 ? 32 : 128 };
        any6 |= !v4;
        if (memcmp(ip, &local.address, sizeof *ip)) {
            guard_prefix(g, endpoint->mac, &prefix);
        }
    }
    if (any6) {
        guard_ipv6(g, endpoint->mac, &local);
    }
}

static void
guard_run(struct unit *u, const struct entity *entity)
{
    const struct attachment *attachment = attachment_cast(entity);
    const struct endpoint *endpoint = GET(u, endpoint, &attachment->endpoint);
    if (!endpoint || !endpoint->guarded) {
        return;
    }

    struct guarded g = { u, scope_host(&attachment->host),
                         endpoint->entity.number };
    guard_own_address(&g, endpoint);
    for (size_t i = 0; i < endpoint->allowed_pairs.n; i++) {
        const struct net_pair *pair = &endpoint->allowed_pairs.items[i];
        if (!mac_seen(endpoint, i, pair->mac)) {
            guard_mac(&g, pair->mac);
        }
        guard_prefix(&g, pair->mac, &pair->prefix);
    }
}

const struct pass pass_guard = { "guard", &attachment_resource, guard_run };
