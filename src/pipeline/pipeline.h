/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_PIPELINE_H
#define PIPELINE_PIPELINE_H 1

/* The pipeline: tables, registers, rules, and the scopes that hold them.
 *
 *     unit ──owns──► item ──in──► scope "segment 6f0c" ──► subscriber: host 1
 *                    rule           rule   rule  bucket ──► subscriber: host 2
 *                    group            (encoded once)
 *                    bucket
 *                    tunnel
 *
 * An ITEM is one thing a switch should hold: a rule (a flow), a group, a
 * bucket of a group, or a tunnel port.  It belongs to one scope and to
 * whoever added it (a unit of the compiler, opaque here).
 *
 * Within a scope items are found by IDENTITY: for a rule its table, priority
 * and match.  Several owners may add an item of the same identity.  Identical
 * ones count as one; if their content differs, the one with the lowest cookie
 * is in force whatever the order of arrival, and 'contested' says so.
 *
 * The COOKIE is a hash of an item's whole content under COOKIE_TAG, so that a
 * dump of a switch can be compared with what is wanted by looking at cookies
 * only, and any flow leads back to its owner.
 *
 * A switch wants the union of the scopes it subscribes to.  When a scope of
 * kind SCOPE_HOST and another hold the same identity, the host's wins; no
 * other two scopes that one switch subscribes to may hold the same identity.
 *
 * Adding or removing is O(1) plus O(subscribers) to note the change.  Bytes
 * are encoded at most once per OpenFlow version; OpenFlow 1.5 is the stored
 * form.  Not thread-safe. */

#include "base/base.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofpbuf.h"

/* Tables and registers. */

enum table_id {
#define TO(ID)
#define TABLE(ID, NUMBER, QUESTION, NEXT) T_##ID,
#define REGISTER(ID, FIELD, FIRST, BITS, MEANING)
#include "pipeline/pipeline.def"
#undef TABLE
#undef REGISTER
    N_TABLES
};

enum register_id {
#define TABLE(ID, NUMBER, QUESTION, NEXT)
#define REGISTER(ID, FIELD, FIRST, BITS, MEANING) R_##ID,
#include "pipeline/pipeline.def"
#undef TABLE
#undef REGISTER
#undef TO
    N_REGISTERS
};

/* Values of R_ORIGIN. */
enum origin { ORIGIN_LOCAL = 1, ORIGIN_TUNNEL, ORIGIN_PHYSICAL };

/* Values of R_CARRIER: how frames travel between hosts.  Name, OVSDB
 * interface type or null, bytes of overhead over IPv4 (outer Ethernet not
 * counted, inner Ethernet counted; IPv6 adds 20).
 * VXLAN RFC 7348: 20 + 8 + 8 + 14.  GRE RFC 2890 with key: 20 + 8 + 14.
 * Geneve RFC 8926 without options: as VXLAN; Neutron reserves 8 more. */
#define CARRIERS                                                              \
    CARRIER(VXLAN, "vxlan", "vxlan", 50)                                      \
    CARRIER(GRE, "gre", "gre", 42)                                            \
    CARRIER(GENEVE, "geneve", "geneve", 58)                                   \
    CARRIER(VLAN, "vlan", NULL, 0)                                            \
    CARRIER(FLAT, "flat", NULL, 0)                                            \
    CARRIER(NONE, "local", NULL, 0)
enum carrier {
    CARRIER_UNKNOWN,
#define CARRIER(ID, NAME, TYPE, OVERHEAD) CARRIER_##ID,
    CARRIERS
#undef CARRIER
        N_CARRIERS
};
bool carrier_from_text(const char *, enum carrier *);
const char *carrier_name(enum carrier);
const char *carrier_interface_type(enum carrier); /* Null: no tunnel. */
int carrier_overhead(enum carrier);
bool carrier_is_tunnel(enum carrier);

const char *table_name(enum table_id);
uint8_t table_number(enum table_id);
bool table_from_number(uint8_t, enum table_id *);
bool table_from_name(const char *, enum table_id *);
const char *table_question(enum table_id);
/* docs/generated/pipeline.md.  Caller frees. */
char *pipeline_to_markdown(void);

/* Cookies: 16 bits of tag, 48 of content. */
#define COOKIE_TAG  UINT64_C(0x7765000000000000) /* "we" */
#define COOKIE_MASK UINT64_C(0xffff000000000000)
/* Group ids of ours, likewise: 0x77 in the top byte. */
#define GROUP_TAG   0x77000000u
#define GROUP_MASK  0xff000000u
/* Kinds of groups share the 24 bits below: 2 bits of kind, 22 of number. */
#define GROUP_USES                                                            \
    GROUP_USE(FLOOD_LOCAL, "members of a segment on this host")               \
    GROUP_USE(FLOOD_REMOTE, "other hosts with members of a segment")          \
    GROUP_USE(UNKNOWN_LOCAL, "local members that want unknown unicast")       \
    GROUP_USE(UNKNOWN_REMOTE, "hosts with members that want it")
enum group_use {
#define GROUP_USE(ID, MEANING) GROUP_##ID,
    GROUP_USES
#undef GROUP_USE
        N_GROUP_USES
};
#define GROUP_NUMBER_MAX ((1u << 22) - 1)
uint32_t group_number(enum group_use, uint32_t number);

/* Scopes. */

#define SCOPE_KINDS                                                           \
    SCOPE_KIND(ALL, "all")         /* Every switch; id is zero. */            \
    SCOPE_KIND(HOST, "host")       /* One host. */                            \
    SCOPE_KIND(SEGMENT, "segment") /* Hosts with members of a segment. */     \
    SCOPE_KIND(ROUTER, "router")                                              \
    SCOPE_KIND(GROUP, "group") /* An address set. */
enum scope_kind {
#define SCOPE_KIND(ID, NAME) SCOPE_##ID,
    SCOPE_KINDS
#undef SCOPE_KIND
        N_SCOPE_KINDS
};
struct scope_id {
    enum scope_kind kind;
    struct uuid id;
};
const char *scope_kind_name(enum scope_kind);
static inline struct scope_id
scope_all(void)
{
    return (struct scope_id){ .kind = SCOPE_ALL };
}
static inline struct scope_id
scope_host(const struct uuid *host)
{
    return (struct scope_id){ SCOPE_HOST, *host };
}
static inline struct scope_id
scope_segment(const struct uuid *segment)
{
    return (struct scope_id){ SCOPE_SEGMENT, *segment };
}
char *scope_id_to_text(const struct scope_id *); /* "host 6f0c...". */

/* Items. */

enum item_kind { ITEM_RULE, ITEM_GROUP, ITEM_BUCKET, ITEM_TUNNEL };

struct scope;

/* Immutable once added.  Reference-counted, because a removed item is still
 * needed by switches that have not yet been told (item_ref, item_unref). */
struct item {
    struct hmap_node node; /* In its scope, by 'identity', if in force. */
    struct hmap_node shared_node; /* For scope.c. */
    struct item *variant;         /* Next of the same identity: higher or equal
                                 * cookie. */
    struct item *previous;        /* Likewise before it; null if in force. */
    struct scope *scope;          /* Null once removed. */
    const void *owner;            /* Opaque; see scope_add().  Null once
                                 * removed. */
    uint64_t identity;            /* Hash of kind and what identifies it. */
    uint64_t cookie;              /* Hash of everything, with COOKIE_TAG. */
    uint32_t n_refs;
    uint8_t kind;      /* enum item_kind. */
    uint8_t table;     /* ITEM_RULE: enum table_id. */
    uint16_t priority; /* ITEM_RULE. */
    uint32_t group;    /* ITEM_GROUP, ITEM_BUCKET: group id.
                                 * ITEM_TUNNEL: enum carrier. */
    uint32_t bucket;   /* ITEM_BUCKET: bucket id. */
    uint32_t size;     /* Bytes in 'body'. */
    /* ITEM_RULE: an OpenFlow 1.5 OFPFC_ADD flow_mod, xid 0, ready to send.
     * ITEM_BUCKET: the bucket's actions as OpenFlow 1.5 action list.
     * ITEM_GROUP: empty (type ALL).  ITEM_TUNNEL: empty. */
    uint8_t body[] __attribute__((aligned(8)));
};

/* True if somebody added another content for the same identity. */
bool item_is_contested(const struct item *);
struct item *item_ref(const struct item *);
void item_unref(struct item *);
/* "LOCAL 100 SEGMENT=17,eth_dst=fa:16:3e:00:00:01 -> TARGET=5,goto EGRESS":
 * names, never bare numbers.  Caller frees. */
char *item_to_text(const struct item *);

/* OpenFlow messages for an item.  Null where the version cannot say it.
 * 'command': OFPFC_ADD or OFPFC_DELETE_STRICT.  Caller owns; xid is not set.
 * Cheap for OpenFlow 1.5 OFPFC_ADD: a copy of 'body'. */
struct ofpbuf *item_rule_encode(const struct item *, uint16_t command,
                                enum ofputil_protocol);
/* The flow of a dump that corresponds to an item: names and all, for
 * 'weft rules --live'.  Caller frees. */
struct ofputil_flow_stats;
char *pipeline_flow_to_text(const struct ofputil_flow_stats *);
/* The bucket's actions decoded into 'ofpacts' (struct ofpact list). */
void item_bucket_actions(const struct item *, struct ofpbuf *ofpacts);
/* The cookie that a bucket with these actions has, to compare a dump. */
uint64_t bucket_cookie(uint32_t group, uint32_t bucket, const struct ofpact *,
                       size_t ofpacts_len);

/* Drafts: an item being written.
 *
 * The compiler's RULE block opens one and adds it to its scope when the block
 * ends.  Conditions and actions of OpenFlow that have no function here are
 * reached through 'match' and 'ofpacts' directly. */
struct draft {
    struct scope_id scope;
    enum item_kind kind;
    enum table_id table;
    uint16_t priority;
    uint32_t group, bucket;
    struct match match;
    struct ofpbuf ofpacts;
};
void draft_init_rule(struct draft *, struct scope_id, enum table_id,
                     uint16_t priority);
void draft_init_bucket(struct draft *, struct scope_id, uint32_t group,
                       uint32_t bucket);
void draft_uninit(struct draft *);

void when_register(struct draft *, enum register_id, uint32_t value);
void when_in_port(struct draft *, uint32_t ofport);
void when_eth_src(struct draft *, struct eth_addr);
void when_eth_dst(struct draft *, struct eth_addr);
void when_multicast(struct draft *); /* eth_dst group bit set. */
void when_eth_type(struct draft *, uint16_t);
void when_ip_src(struct draft *, const struct prefix *); /* Sets type. */
void when_ip_dst(struct draft *, const struct prefix *);
void when_ip_proto(struct draft *, uint8_t); /* After a type is set. */
void when_tp_src(struct draft *, uint16_t);
void when_tp_dst(struct draft *, uint16_t);
void when_arp_op(struct draft *, uint16_t); /* Sets eth_type ARP. */
void when_arp_spa(struct draft *, const struct prefix *);
void when_arp_tpa(struct draft *, ovs_be32);
void when_arp_sha(struct draft *, struct eth_addr);
void when_icmpv6(struct draft *, uint8_t type); /* Code 0. */
void when_nd_target(struct draft *, const struct prefix *);
void when_nd_sll(struct draft *, struct eth_addr);
void when_nd_tll(struct draft *, struct eth_addr);
void when_vlan(struct draft *, uint16_t vid); /* Tagged with 'vid'. */
void when_no_vlan(struct draft *);
void when_tunnel_key(struct draft *, uint64_t);
void when_tunnel_source(struct draft *, const struct in6_addr *);

void then_set(struct draft *, enum register_id, uint32_t value);
void then_goto(struct draft *, enum table_id);
void then_resubmit(struct draft *, enum table_id);
void then_output(struct draft *, uint32_t ofport);
void then_output_in_port(struct draft *);
void then_group(struct draft *, uint32_t group);
void then_tunnel(struct draft *, uint64_t key, const struct in6_addr *remote);
void then_tunnel_key(struct draft *, uint64_t);
void then_tunnel_remote(struct draft *, const struct in6_addr *);
void then_push_vlan(struct draft *, uint16_t vid);
void then_pop_vlan(struct draft *);
/* Turn an ARP request into its reply from 'mac', or a neighbour solicitation
 * into (part one) and an advertisement (part two, after ANSWER_ND). */
void then_arp_reply(struct draft *, struct eth_addr, ovs_be32 address);
void then_nd_become_advertisement(struct draft *);
void then_nd_advertise(struct draft *, struct eth_addr,
                       const struct in6_addr *, bool router);
/* 'reason' travels as userdata, four bytes in network order, which a switch
 * only sends in the packet-in format NXPIF_NXT_PACKET_IN2. */
void then_controller(struct draft *, uint32_t reason, uint16_t max_length);
/* Nothing after it: an explicit, named drop. */
void then_drop(struct draft *);

/* Scopes hold items, and hosts subscribe. */

struct scopes;
struct scopes *scopes_create(void);
void scopes_destroy(struct scopes *);
AUTO_DEFINE(scopes)

/* Checks the draft against the declarations (legal jump, known register: a
 * violation is a bug of ours and asserts) and adds it.  'owner' is opaque and
 * is found again from an item.  Returns a reference that the caller gives
 * back with scope_remove(). */
struct item *scope_add(struct scopes *, const struct draft *,
                       const void *owner);
struct item *scope_add_group(struct scopes *, struct scope_id, uint32_t group,
                             const void *owner);
struct item *scope_add_tunnel(struct scopes *, struct scope_id, enum carrier,
                              const void *owner);
void scope_remove(struct scopes *, struct item *);

/* A host wants a scope.  Counted: as many unwants as wants.  The scope of a
 * host is only for that host. */
void scopes_want(struct scopes *, const struct uuid *host, struct scope_id);
void scopes_unwant(struct scopes *, const struct uuid *host, struct scope_id);

/* Reading, for switches and views. */
const struct scope *scopes_find(const struct scopes *, struct scope_id);
/* Items in force (not variants that lost) of a scope, in no order. */
#define SCOPE_FOR_EACH_ITEM(ITEM, SCOPE)                                      \
    HMAP_FOR_EACH (ITEM, node, scope_items(SCOPE))
const struct hmap *scope_items(const struct scope *);
struct scope_id scope_id(const struct scope *);
size_t scope_n_subscribers(const struct scope *);
/* Hosts that subscribe, sorted; '*np' of them; caller frees the array. */
const struct uuid **scope_subscribers(const struct scope *, size_t *np);
/* The item in force for an identity in one scope, or null. */
const struct item *scope_find(const struct scope *, uint64_t identity);
/* The item a host wants for an identity, over all scopes it subscribes to. */
const struct item *scopes_wanted(const struct scopes *,
                                 const struct uuid *host, uint64_t identity);
/* Scopes a host subscribes to, in no order; '*np' of them; caller frees. */
const struct scope **scopes_of_host(const struct scopes *,
                                    const struct uuid *host, size_t *np);
/* Anything, anywhere, with this cookie: for tracing a flow of a dump. */
const struct item *scopes_find_cookie(const struct scopes *, uint64_t cookie);
/* All scopes, sorted by kind and id, for dumps; caller frees the array. */
const struct scope **scopes_list(const struct scopes *, size_t *np);
size_t scopes_n_items(const struct scopes *);

/* Deltas.
 *
 * Between scopes_publish() calls changes gather; publish hands the net
 * differences to the listeners, each host's in one call: what was removed
 * (references, valid during the call) and what is now wanted.  An item whose
 * content did not change in the end is not mentioned.  Subscriptions made and
 * ended are turned into items here too. */
struct scope_delta {
    const struct uuid *host;
    const struct item *const *removed; /* Identity no longer wanted. */
    size_t n_removed;
    const struct item *const *wanted; /* New or changed. */
    size_t n_wanted;
};
/* The state at the time of the call is not delivered: read it through
 * scopes_of_host().  The callback must not call anything that changes
 * scopes. */
void scopes_listen(struct scopes *, const struct uuid *host,
                   void (*changed)(const struct scope_delta *, void *aux),
                   void *aux);
void scopes_unlisten(struct scopes *, const struct uuid *host);
void scopes_publish(struct scopes *);

/* Differences between two sets of scopes, as text for people, one line each,
 * "-" for what only 'a' has and "+" for what only 'b' has; the permanent
 * oracle.  Returns the number of differences. */
size_t scopes_compare(const struct scopes *a, const struct scopes *b,
                      struct ds *report);

#endif /* pipeline/pipeline.h */
