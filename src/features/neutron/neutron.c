/* SPDX-License-Identifier: Apache-2.0 */

/* Neutron: its resources, and the rules about them that no row can state.
 *
 * A check runs on a complete object before it is put.  There are two rule
 * sets, since there are two kinds of client:
 *
 *     default   what Neutron's own driver needs: parents may be unknown, what
 *               is malformed is refused with 400
 *     strict    the answers of late OpenDaylight, which its API tests pin:
 *               442 for an unknown group or policy, 500 for a rule of no
 *               group, fewer protocol names, project ids without dashes
 *
 * A check may also complete the object with what depends on other fields.  It
 * never replaces what the client gave.
 *
 * Everything here is O(1), except for subnet pools and lists of pairs, which
 * are linear in their length. */

#include "features/neutron/neutron.h"

#include <ctype.h>

#include "features/features.h"

static struct err *plain_check(const struct check *, struct entity *);
static struct err *network_check(const struct check *, struct entity *);
static struct err *subnet_check(const struct check *, struct entity *);
static struct err *port_check(const struct check *, struct entity *);
static struct err *floatingip_check(const struct check *, struct entity *);
static struct err *security_group_rule_check(const struct check *,
                                             struct entity *);
static struct err *qos_policy_check(const struct check *, struct entity *);
static struct err *flowclassifier_check(const struct check *, struct entity *);
static struct err *firewall_rule_check(const struct check *, struct entity *);
static struct err *lb_listener_check(const struct check *, struct entity *);
static struct err *lb_pool_check(const struct check *, struct entity *);

#define SCHEMA_DEF "features/neutron/neutron.def"
#include "model/expand-tables.h"

/* The typed struct of an entity that is still being made. */
#define EDIT(TYPE, ENTITY) ((struct TYPE *) (void *) (ENTITY))

/* Every resource of neutron.def, in its order. */
static const struct resource *const resources[] = {
#define SHAPE(NAME, ...)
#define SHAPE_END(NAME)
#define RESOURCE(NAME, PLURAL, ...)              &NAME##_resource,
#define RESOURCE_AS(NAME, SINGULAR, PLURAL, ...) &NAME##_resource,
#define FIELD(OWNER, NAME, KIND, ...)
#define REF(OWNER, NAME, TARGET, ...)
#define REFS(OWNER, NAME, TARGET, ...)
#define LIST(OWNER, NAME, SHAPE, ...)
#define OBJECT(OWNER, NAME, SHAPE, ...)
#define END(NAME, ...)
#include "features/neutron/neutron.def"
#undef SHAPE
#undef SHAPE_END
#undef RESOURCE
#undef RESOURCE_AS
#undef FIELD
#undef REF
#undef REFS
#undef LIST
#undef OBJECT
#undef END
};

void
neutron_register(struct model *model)
{
    for (size_t i = 0; i < sizeof resources / sizeof resources[0]; i++) {
        model_register(model, resources[i]);
    }
}

/* What applies to every resource. */

/* Takes the dashes out of a project id that was sent as a UUID. */
static void
undash(char *text)
{
    struct uuid uid;

    if (text && strlen(text) == UID_LENGTH && uid_from_text(text, &uid)) {
        char *out = text;
        for (const char *in = text; *in; in++) {
            if (*in != '-') {
                *out++ = tolower((unsigned char) *in);
            }
        }
        *out = '\0';
    }
}

static struct err *OVS_WARN_UNUSED_RESULT
plain_check(const struct check *check, struct entity *entity)
{
    static const char *const names[] = { "tenant_id", "project_id" };

    for (size_t i = 0; check->strict && i < 2; i++) {
        const struct field *field =
            shape_find(&entity->resource->shape, names[i]);
        if (field && field->kind == FIELD_TEXT) {
            undash(*(char **) (void *) ((char *) entity + field->offset));
        }
    }
    return NULL;
}

/* In strict mode, refuses a reference to nothing with 442. */
static struct err *OVS_WARN_UNUSED_RESULT
require_parent(const struct check *check, const char *resource,
               const struct uuid *id, const char *field)
{
    if (!check->strict || check->find(check, resource, id)) {
        return NULL;
    }
    return err_new(ERR_DEPENDENCY, field, "there is no %s " UID_FMT, resource,
                   UID_ARGS(id));
}

/* Protocols.  Names are case-sensitive. */

static bool
is_listed(const char *text, const char *const *names)
{
    for (; *names; names++) {
        if (!strcmp(*names, text)) {
            return true;
        }
    }
    return false;
}

static struct err *OVS_WARN_UNUSED_RESULT
refuse_protocol(const char *text)
{
    AUTO_DS ds = DS_EMPTY_INITIALIZER;

    text_put_printable(&ds, text, strnlen(text, 64));
    return err_new(ERR_INVALID, "protocol", "Protocol %s is not supported",
                   ds_cstr(&ds));
}

/* Accepts the names, and the others unless in strict mode, and the numbers of
 * IP protocols. */
static struct err *OVS_WARN_UNUSED_RESULT
check_protocol(const struct check *check, const char *text,
               const char *const *names, const char *const *others)
{
    int64_t number;

    if (is_listed(text, names) || (!check->strict && is_listed(text, others))
        || text_to_int(text, 0, 255, &number)) {
        return NULL;
    }
    return refuse_protocol(text);
}

/* The names Neutron has, beyond those each resource has always had. */
static const char *const other_protocols[] = {
    "ah",        "dccp",       "egp",       "esp",       "gre",
    "hopopt",    "icmp",       "icmpv6",    "igmp",      "ip",
    "ipip",      "ipv6-encap", "ipv6-frag", "ipv6-icmp", "ipv6-nonxt",
    "ipv6-opts", "ipv6-route", "ospf",      "pgm",       "rsvp",
    "sctp",      "tcp",        "udp",       "udplite",   "vrrp",
    "any",       NULL
};

/* Checks the field 'index', an IP protocol.  "" means any, like null, and is
 * stored as that. */
static struct err *OVS_WARN_UNUSED_RESULT
settle_protocol(const struct check *check, struct entity *entity, int index,
                char **protocolp, const char *const *names)
{
    if (!*protocolp) {
        return NULL;
    } else if (!**protocolp) {
        free(*protocolp);
        *protocolp = NULL;
        entity->fields.null |= UINT64_C(1) << index;
        return NULL;
    }
    return check_protocol(check, *protocolp, names, other_protocols);
}

static struct err *OVS_WARN_UNUSED_RESULT
check_groups(const struct check *check, const struct security_group_rule *rule)
{
    if (!HAS(security_group_rule, rule, security_group)) {
        return err_new(check->strict ? ERR_CORRUPT : ERR_INVALID,
                       "security_group_id", "is required");
    }

    struct err *err = require_parent(
        check, "security_group", &rule->security_group, "security_group_id");
    if (!err && HAS(security_group_rule, rule, remote_group)) {
        err = require_parent(check, "security_group", &rule->remote_group,
                             "remote_group_id");
    }
    return err;
}

static struct err *OVS_WARN_UNUSED_RESULT
security_group_rule_check(const struct check *check, struct entity *entity)
{
    static const char *const names[] = { "icmp",   "tcp",  "udp",
                                         "icmpv6", "igmp", NULL };
    struct security_group_rule *rule = EDIT(security_group_rule, entity);
    struct err *err = settle_protocol(
        check, entity, security_group_rule_f_protocol, &rule->protocol, names);

    if (!err) {
        err = check_groups(check, rule);
    }
    return err ? err : plain_check(check, entity);
}

static const char *const classic_protocols[] = { "tcp", "udp", "icmp", NULL };

static struct err *OVS_WARN_UNUSED_RESULT
flowclassifier_check(const struct check *check, struct entity *entity)
{
    struct flowclassifier *classifier = EDIT(flowclassifier, entity);
    struct err *err =
        settle_protocol(check, entity, flowclassifier_f_protocol,
                        &classifier->protocol, classic_protocols);

    return err ? err : plain_check(check, entity);
}

static struct err *OVS_WARN_UNUSED_RESULT
firewall_rule_check(const struct check *check, struct entity *entity)
{
    struct firewall_rule *rule = EDIT(firewall_rule, entity);
    struct err *err = settle_protocol(check, entity, firewall_rule_f_protocol,
                                      &rule->protocol, classic_protocols);

    return err ? err : plain_check(check, entity);
}

/* The protocols of load balancers are no IP protocols.  'text' may be
 * null. */
static struct err *OVS_WARN_UNUSED_RESULT
check_lb_protocol(const struct check *check, const char *text)
{
    static const char *const names[] = { "HTTP", "HTTPS", "TCP",
                                         "TERMINATED_HTTPS", NULL };
    static const char *const others[] = { "PROMETHEUS", "PROXY", "PROXYV2",
                                          "SCTP",       "UDP",   NULL };

    if (!text || is_listed(text, names)
        || (!check->strict && is_listed(text, others))) {
        return NULL;
    }
    return refuse_protocol(text);
}

static struct err *OVS_WARN_UNUSED_RESULT
lb_listener_check(const struct check *check, struct entity *entity)
{
    struct err *err =
        check_lb_protocol(check, EDIT(lb_listener, entity)->protocol);

    return err ? err : plain_check(check, entity);
}

static struct err *OVS_WARN_UNUSED_RESULT
lb_pool_check(const struct check *check, struct entity *entity)
{
    struct err *err =
        check_lb_protocol(check, EDIT(lb_pool, entity)->protocol);

    return err ? err : plain_check(check, entity);
}

/* Networks, ports, floating IPs, QoS. */

static struct err *OVS_WARN_UNUSED_RESULT
network_check(const struct check *check, struct entity *entity)
{
    struct network *network = EDIT(network, entity);
    struct err *err = plain_check(check, entity);

    if (!err && HAS(network, network, qos_policy)) {
        err = require_parent(check, "policy", &network->qos_policy,
                             "qos_policy_id");
    }
    return err;
}

static struct err *OVS_WARN_UNUSED_RESULT
port_check(const struct check *check, struct entity *entity)
{
    struct port *port = EDIT(port, entity);

    for (size_t i = 0; i < port->allowed_address_pairs.n; i++) {
        struct address_pair *pair = &port->allowed_address_pairs.items[i];
        if (!HAS(address_pair, pair, mac_address)
            && HAS(port, port, mac_address)) {
            pair->mac_address = port->mac_address;
            SET(address_pair, pair, mac_address);
        }
    }
    return plain_check(check, entity);
}

static struct err *OVS_WARN_UNUSED_RESULT
floatingip_check(const struct check *check, struct entity *entity)
{
    struct floatingip *floatingip = EDIT(floatingip, entity);

    if (!HAS(floatingip, floatingip, status)) {
        floatingip->status =
            mem_text(HAS(floatingip, floatingip, port) ? "ACTIVE" : "DOWN");
        SET(floatingip, floatingip, status);
    }
    return plain_check(check, entity);
}

static void
default_direction(struct qos_rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!HAS(qos_rule, &rules[i], direction)) {
            rules[i].direction = mem_text("egress");
            SET(qos_rule, &rules[i], direction);
        }
    }
}

static struct err *OVS_WARN_UNUSED_RESULT
qos_policy_check(const struct check *check, struct entity *entity)
{
    struct qos_policy *policy = EDIT(qos_policy, entity);

    default_direction(policy->bandwidth_limit_rules.items,
                      policy->bandwidth_limit_rules.n);
    default_direction(policy->minimum_bandwidth_rules.items,
                      policy->minimum_bandwidth_rules.n);
    return plain_check(check, entity);
}

/* Subnets. */

/* Sets the 'n_bits' last bits of an address. */
static void
set_host_bits(struct in6_addr *addr, int n_bits, bool value)
{
    for (int i = 0; i < n_bits; i++) {
        uint8_t *byte = &addr->s6_addr[15 - i / 8];
        uint8_t bit = 1 << i % 8;
        *byte = value ? *byte | bit : *byte & ~bit;
    }
}

/* Moves an address by one, up or down. */
static void
step_address(struct in6_addr *addr, int delta)
{
    for (int i = 15; i >= 0; i--) {
        uint8_t before = addr->s6_addr[i];
        addr->s6_addr[i] = before + delta;
        if (before != (delta > 0 ? 0xff : 0)) {
            return;
        }
    }
}

/* Addresses compare as in numbers, since both are in network byte order and
 * of the same family. */
static int
compare_addresses(const struct in6_addr *a, const struct in6_addr *b)
{
    return memcmp(a, b, sizeof *a);
}

/* The first and last address that a host may have.  All are hosts' in the
 * small prefixes of RFC 3021 and RFC 6164; else the first is the network's
 * own, or that of all its routers, and the last of IPv4 is for broadcast. */
static void
host_range(const struct prefix *cidr, struct in6_addr *first,
           struct in6_addr *last)
{
    int n_bits = (prefix_is_v4(cidr) ? 32 : 128) - cidr->plen;

    *first = *last = cidr->address;
    set_host_bits(first, n_bits, false);
    set_host_bits(last, n_bits, true);
    if (n_bits > 1) {
        step_address(first, 1);
        if (prefix_is_v4(cidr)) {
            step_address(last, -1);
        }
    }
}

static void
add_pool(struct subnet *subnet, const struct in6_addr *start,
         const struct in6_addr *end)
{
    if (compare_addresses(start, end) <= 0) {
        struct allocation_pool *pool =
            &subnet->allocation_pools.items[subnet->allocation_pools.n++];
        pool->start = *start;
        SET(allocation_pool, pool, start);
        pool->end = *end;
        SET(allocation_pool, pool, end);
    }
}

/* Gives the subnet all its host addresses but the gateway's: one pool, or two
 * around the gateway. */
static void
default_pools(struct subnet *subnet)
{
    struct in6_addr first, last;

    host_range(&subnet->cidr, &first, &last);
    subnet->allocation_pools.items =
        mem_zalloc(2 * sizeof *subnet->allocation_pools.items);
    SET(subnet, subnet, allocation_pools);

    const struct in6_addr *gateway = &subnet->gateway_ip;
    if (!HAS(subnet, subnet, gateway_ip)
        || compare_addresses(gateway, &first) < 0
        || compare_addresses(gateway, &last) > 0) {
        add_pool(subnet, &first, &last);
        return;
    }

    struct in6_addr before = *gateway, after = *gateway;
    step_address(&before, -1);
    step_address(&after, 1);
    if (compare_addresses(gateway, &first)) {
        add_pool(subnet, &first, &before);
    }
    if (compare_addresses(gateway, &last)) {
        add_pool(subnet, &after, &last);
    }
    if (!subnet->allocation_pools.n) {
        free(subnet->allocation_pools.items);
        subnet->allocation_pools.items = NULL;
    }
}

static struct err *OVS_WARN_UNUSED_RESULT
check_families(const struct subnet *subnet)
{
    bool is_v4 = prefix_is_v4(&subnet->cidr);

    if (subnet->ip_version != (is_v4 ? 4 : 6)) {
        return err_new(ERR_INVALID, "cidr", "is not of IP version %d",
                       (int) subnet->ip_version);
    } else if (HAS(subnet, subnet, gateway_ip)
               && ipaddr_is_v4(&subnet->gateway_ip) != is_v4) {
        return err_new(ERR_INVALID, "gateway_ip",
                       "is not of the CIDR's IP version");
    }
    for (size_t i = 0; i < subnet->allocation_pools.n; i++) {
        const struct allocation_pool *pool =
            &subnet->allocation_pools.items[i];
        if (!HAS(allocation_pool, pool, start)
            || !HAS(allocation_pool, pool, end)
            || ipaddr_is_v4(&pool->start) != is_v4
            || ipaddr_is_v4(&pool->end) != is_v4) {
            AUTO_TEXT *field = mem_textf("allocation_pools[%zu]", i);
            return err_new(ERR_INVALID, field,
                           "is not two addresses of the "
                           "CIDR's IP version");
        }
    }
    return NULL;
}

static bool
is_given(const struct entity *entity, int index)
{
    return entity->fields.set >> index & 1;
}

/* A gateway that is absent is made up only for a new subnet without pools of
 * its own: null means that there shall be none, and whoever gave pools knew
 * about the addresses. */
static struct err *OVS_WARN_UNUSED_RESULT
subnet_check(const struct check *check, struct entity *entity)
{
    struct subnet *subnet = EDIT(subnet, entity);

    if (!HAS(subnet, subnet, ip_version)) {
        subnet->ip_version = prefix_is_v4(&subnet->cidr) ? 4 : 6;
        SET(subnet, subnet, ip_version);
    }
    struct err *err = check_families(subnet);
    if (err) {
        return err;
    }

    bool has_pools = is_given(entity, subnet_f_allocation_pools);
    if (check->creating && !has_pools) {
        if (!is_given(entity, subnet_f_gateway_ip)) {
            struct in6_addr last;
            host_range(&subnet->cidr, &subnet->gateway_ip, &last);
            SET(subnet, subnet, gateway_ip);
        }
        default_pools(subnet);
    }
    return plain_check(check, entity);
}
