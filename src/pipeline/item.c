/* SPDX-License-Identifier: Apache-2.0 */
/* Items: what a switch should hold, in one allocation each.
 *
 *     draft ──encode──► struct item { ..., body[] }
 *                         identity = hash(kind, what identifies it)
 *                         cookie   = COOKIE_TAG | hash(kind, whole content)
 *
 * The body of a rule is its OpenFlow 1.5 flow_mod.  Both hashes are over
 * bytes in network order, so that they are the same on every machine and in
 * every version of ours that encodes the same bytes:
 *
 *   rule    identity: table, priority, match as OXM; content: the message with
 *           a zero cookie
 *   bucket  identity: group id, bucket id; content: the action list
 *   group   the group id
 *   tunnel  the carrier
 *
 * Open vSwitch gives actions back as it got them, but which of several
 * encodings of "set field" an OpenFlow 1.3 switch uses is remembered in
 * 'raw'; bucket_cookie() forgets it. */

#include "pipeline/private.h"

#include <endian.h>

#include "openflow/openflow.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-msgs.h"

#define IDENTITY_SEED UINT64_C(0x6964656e74697479) /* "identity" */
#define CONTENT_SEED  UINT64_C(0x636f6e74656e7421) /* "content!" */

/* Where the parts of an OpenFlow 1.5 flow_mod are (section 7.3.4.2). */
#define MATCH_OFFSET                                                          \
    (sizeof(struct ofp_header) + sizeof(struct ofp11_flow_mod))
#define COOKIE_OFFSET                                                         \
    (sizeof(struct ofp_header) + offsetof(struct ofp11_flow_mod, cookie))
#define XID_OFFSET offsetof(struct ofp_header, xid)

static uint64_t
hash_key(enum item_kind kind, uint32_t a, uint32_t b, uint64_t seed)
{
    ovs_be32 key[3] = { htonl(kind), htonl(a), htonl(b) };
    return hash64(key, sizeof key, seed);
}

static uint64_t
content_cookie(uint64_t hash)
{
    return COOKIE_TAG | (hash & ~COOKIE_MASK);
}

static struct item *
item_create(enum item_kind kind, const void *body, size_t size)
{
    struct item *item = mem_alloc(sizeof *item + size);
    memset(item, 0, sizeof *item);
    item->kind = kind;
    item->n_refs = 1;
    item->size = size;
    if (size) {
        memcpy(item->body, body, size);
    }
    return item;
}

struct item *
item_ref(const struct item *item_)
{
    /* Constant for everybody but for its count. */
    struct item *item = (struct item *) (uintptr_t) item_;
    if (item) {
        ovs_assert(item->n_refs < UINT32_MAX);
        item->n_refs++;
    }
    return item;
}

void
item_unref(struct item *item)
{
    if (item && !--item->n_refs) {
        free(item);
    }
}

static struct ofpbuf *
encode_flow_mod(uint16_t command, enum table_id table, uint16_t priority,
                uint64_t cookie, const struct match *match,
                const struct ofpbuf *ofpacts, enum ofputil_protocol protocol)
{
    bool is_add = command == OFPFC_ADD;
    struct ofputil_flow_mod fm = {
        .priority = priority,
        .new_cookie = is_add ? (OVS_FORCE ovs_be64) htobe64(cookie) : 0,
        .table_id = table_number(table),
        .command = command,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
    };
    if (is_add) {
        fm.ofpacts = ofpacts->data;
        fm.ofpacts_len = ofpacts->size;
    } else {
        /* Never somebody else's flow, whatever content ours has now. */
        fm.cookie = (OVS_FORCE ovs_be64) htobe64(COOKIE_TAG);
        fm.cookie_mask = (OVS_FORCE ovs_be64) htobe64(COOKIE_MASK);
    }
    minimatch_init(&fm.match, match);
    struct ofpbuf *message = ofputil_encode_flow_mod(&fm, protocol);
    minimatch_destroy(&fm.match);
    ofpmsg_update_length(message);
    memset((uint8_t *) message->data + XID_OFFSET, 0, sizeof(ovs_be32));
    return message;
}

static struct item *
item_from_rule(const struct draft *draft)
{
    struct ofpbuf *message =
        encode_flow_mod(OFPFC_ADD, draft->table, draft->priority, 0,
                        &draft->match, &draft->ofpacts, OFPUTIL_P_OF15_OXM);
    struct item *item = item_create(ITEM_RULE, message->data, message->size);
    ofpbuf_delete(message);
    item->table = draft->table;
    item->priority = draft->priority;

    const struct ofp11_match_header *match =
        (const void *) (item->body + MATCH_OFFSET);
    item->identity = hash64(
        match, ntohs(match->length),
        hash_key(ITEM_RULE, draft->table, draft->priority, IDENTITY_SEED));
    item->cookie =
        content_cookie(hash64(item->body, item->size, CONTENT_SEED));
    uint64_t cookie = htobe64(item->cookie);
    memcpy(item->body + COOKIE_OFFSET, &cookie, sizeof cookie);
    return item;
}

static uint64_t
cookie_of_bucket(uint32_t group, uint32_t bucket, const void *actions,
                 size_t size)
{
    return content_cookie(hash64(
        actions, size, hash_key(ITEM_BUCKET, group, bucket, CONTENT_SEED)));
}

static struct item *
item_from_bucket(const struct draft *draft)
{
    struct ofpbuf actions;
    ofpbuf_init(&actions, 128);
    ofpacts_put_openflow_actions(draft->ofpacts.data, draft->ofpacts.size,
                                 &actions, OFP15_VERSION);
    struct item *item = item_create(ITEM_BUCKET, actions.data, actions.size);
    item->group = draft->group;
    item->bucket = draft->bucket;
    item->identity =
        hash_key(ITEM_BUCKET, draft->group, draft->bucket, IDENTITY_SEED);
    item->cookie = cookie_of_bucket(draft->group, draft->bucket, actions.data,
                                    actions.size);
    ofpbuf_uninit(&actions);
    return item;
}

struct item *
item_from_draft(const struct draft *draft)
{
    return (draft->kind == ITEM_RULE ? item_from_rule(draft)
                                     : item_from_bucket(draft));
}

static struct item *
item_from_number(enum item_kind kind, uint32_t number)
{
    struct item *item = item_create(kind, NULL, 0);
    item->group = number;
    item->identity = hash_key(kind, number, 0, IDENTITY_SEED);
    item->cookie = content_cookie(hash_key(kind, number, 0, CONTENT_SEED));
    return item;
}

struct item *
item_from_group(uint32_t group)
{
    return item_from_number(ITEM_GROUP, group);
}

struct item *
item_from_carrier(enum carrier carrier)
{
    ovs_assert(carrier_is_tunnel(carrier));
    return item_from_number(ITEM_TUNNEL, carrier);
}

void
item_rule_decode(const struct item *item, struct match *match,
                 struct ofpbuf *ofpacts)
{
    ovs_assert(item->kind == ITEM_RULE);
    struct ofputil_flow_mod fm;
    enum ofperr error = ofputil_decode_flow_mod(&fm, (const void *) item->body,
                                                OFPUTIL_P_OF15_OXM, NULL, NULL,
                                                ofpacts, OFPP_MAX, 254);
    ovs_assert(!error);
    minimatch_expand(&fm.match, match);
    minimatch_destroy(&fm.match);
}

struct ofpbuf *
item_rule_encode(const struct item *item, uint16_t command,
                 enum ofputil_protocol protocol)
{
    ovs_assert(item->kind == ITEM_RULE);
    ovs_assert(command == OFPFC_ADD || command == OFPFC_DELETE_STRICT);
    if (!(protocol & OFPUTIL_P_OF13_UP)) {
        return NULL;
    }
    if (command == OFPFC_ADD && protocol == OFPUTIL_P_OF15_OXM) {
        return ofpbuf_clone_data(item->body, item->size);
    }

    uint64_t stub[1024 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    struct match match;
    item_rule_decode(item, &match, &ofpacts);
    struct ofpbuf *message =
        encode_flow_mod(command, item->table, item->priority, item->cookie,
                        &match, &ofpacts, protocol);
    ofpbuf_uninit(&ofpacts);
    return message;
}

void
item_bucket_actions(const struct item *item, struct ofpbuf *ofpacts)
{
    ovs_assert(item->kind == ITEM_BUCKET);
    struct ofpbuf actions = ofpbuf_const_initializer(item->body, item->size);
    enum ofperr error = ofpacts_pull_openflow_actions(
        &actions, item->size, OFP15_VERSION, NULL, NULL, ofpacts);
    ovs_assert(!error);
}

/* Makes 'ofpacts' independent of how they were encoded when they came in.
 * 'raw' of a SET_FIELD only tells which of several actions with the same
 * meaning it was. */
static void
forget_encoding(struct ofpbuf *ofpacts)
{
    struct ofpact *a;
    OFPACT_FOR_EACH_FLATTENED(a, ofpacts->data, ofpacts->size)
    {
        if (a->type == OFPACT_SET_FIELD) {
            a->raw = 0;
        }
    }
}

uint64_t
bucket_cookie(uint32_t group, uint32_t bucket, const struct ofpact *ofpacts_,
              size_t ofpacts_len)
{
    struct ofpbuf ofpacts, actions;
    ofpbuf_init(&ofpacts, ofpacts_len);
    if (ofpacts_len) {
        ofpbuf_put(&ofpacts, ofpacts_, ofpacts_len);
    }
    forget_encoding(&ofpacts);
    ofpbuf_init(&actions, 128);
    ofpacts_put_openflow_actions(ofpacts.data, ofpacts.size, &actions,
                                 OFP15_VERSION);
    uint64_t cookie =
        cookie_of_bucket(group, bucket, actions.data, actions.size);
    ofpbuf_uninit(&actions);
    ofpbuf_uninit(&ofpacts);
    return cookie;
}
