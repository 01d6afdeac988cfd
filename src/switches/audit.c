/* SPDX-License-Identifier: Apache-2.0 */
/* Dump and compare.
 *
 *     wanted: by cookie, by identity          dump: groups, then flows
 *          └──────────────┬─────────────────────────┘
 *                 seen │ missing │ stale
 *
 * The same comparison serves every first contact, reconnect, restart, repair
 * and check.
 *
 * A flow of a dump is judged by its cookie, which is a hash of the content of
 * the item it was made from; table and priority must fit as well.  Only flows
 * that nobody wants are decoded.  A removal names match, priority and the
 * exact cookie, so that it cannot hit a flow that replaced it meanwhile.
 *
 * What is wanted may change while a dump is under way: audit_want() and
 * audit_unwant() keep the index true, and the result is taken at the end.  An
 * item that was dumped as wanted and is not wanted any more is removed by
 * itself ('late').  Memory is transient: about 100 bytes per wanted rule. */

#include "switches/audit.h"

#include <endian.h>

#include "openflow/openflow.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-group.h"
#include "openvswitch/ofp-msgs.h"
#include "switches/outbox.h"

enum {
    MAX_STALE = 4 * 1000 * 1000, /* Flows under our tag. */
    /* From so many differing buckets on a group is said whole. */
    MANY_BUCKETS = 8,
};

struct wanted {
    struct hmap_node cookie_node;   /* In 'by_cookie'. */
    struct hmap_node identity_node; /* In 'by_identity'. */
    struct item *item;
    bool is_seen;
};

struct stale {
    uint64_t cookie;
    struct ofpbuf *removal; /* AUDIT_REPAIR. */
    char *text;             /* AUDIT_CHECK. */
};

struct dumped_bucket {
    uint32_t id;
    uint64_t cookie;        /* If ids are known (OpenFlow 1.5). */
    struct ofpact *ofpacts; /* If not. */
    size_t ofpacts_len;
};

struct dumped_group {
    struct hmap_node node; /* In 'groups', by 'id'. */
    uint32_t id;
    bool is_all; /* Of type ALL. */
    bool is_wanted;
    struct dumped_bucket *buckets; /* In the order of the dump. */
    size_t n_buckets;
};

struct audit {
    struct openflow *openflow;
    enum audit_purpose purpose;
    uint32_t xid; /* Of the request under way, or 0. */
    struct hmap by_cookie;
    struct hmap by_identity;
    struct stale *stale;
    size_t n_stale, allocated_stale;
    struct item **late;
    size_t n_late, allocated_late;
    struct hmap groups;
    size_t n_flows;     /* Of ours. */
    struct json *texts; /* AUDIT_LIST. */
};

static void visit_wanted(const struct item *, void *);

/* What is wanted. */

void
audit_for_each_wanted(const struct scopes *scopes, const struct uuid *host,
                      void (*visit)(const struct item *, void *aux), void *aux)
{
    size_t n;
    const struct scope **all = scopes_of_host(scopes, host, &n);
    const struct scope *own = scopes_find(scopes, scope_host(host));

    for (size_t i = 0; i < n; i++) {
        const struct item *item;

        SCOPE_FOR_EACH_ITEM (item, all[i]) {
            if (all[i] == own || !own || !scope_find(own, item->identity)) {
                visit(item, aux);
            }
        }
    }
    free(all);
}

struct audit *
audit_create(struct openflow *openflow, enum audit_purpose purpose)
{
    struct audit *audit = NEW(struct audit);

    audit->openflow = openflow;
    audit->purpose = purpose;
    hmap_init(&audit->by_cookie);
    hmap_init(&audit->by_identity);
    hmap_init(&audit->groups);
    if (purpose == AUDIT_LIST) {
        audit->texts = json_array_create_empty();
    } else {
        audit_for_each_wanted(openflow->switches->scopes, &openflow->host->id,
                              visit_wanted, audit);
    }
    return audit;
}

static void
drop_wanted(struct audit *audit, struct wanted *wanted)
{
    hmap_remove(&audit->by_cookie, &wanted->cookie_node);
    hmap_remove(&audit->by_identity, &wanted->identity_node);
    item_unref(wanted->item);
    free(wanted);
}

static void
dumped_group_destroy(struct dumped_group *group)
{
    for (size_t i = 0; i < group->n_buckets; i++) {
        free(group->buckets[i].ofpacts);
    }
    free(group->buckets);
    free(group);
}

void
audit_destroy(struct audit *audit)
{
    struct wanted *wanted;
    struct dumped_group *group;

    if (!audit) {
        return;
    }
    HMAP_FOR_EACH_SAFE (wanted, cookie_node, &audit->by_cookie) {
        drop_wanted(audit, wanted);
    }
    HMAP_FOR_EACH_POP (group, node, &audit->groups) {
        dumped_group_destroy(group);
    }
    for (size_t i = 0; i < audit->n_stale; i++) {
        ofpbuf_delete(audit->stale[i].removal);
        free(audit->stale[i].text);
    }
    for (size_t i = 0; i < audit->n_late; i++) {
        item_unref(audit->late[i]);
    }
    free(audit->stale);
    free(audit->late);
    hmap_destroy(&audit->by_cookie);
    hmap_destroy(&audit->by_identity);
    hmap_destroy(&audit->groups);
    json_destroy(audit->texts);
    free(audit);
}

static uint32_t
fold(uint64_t number)
{
    return number ^ number >> 32;
}

static struct wanted *
find_cookie(const struct audit *audit, uint64_t cookie)
{
    struct wanted *wanted;

    HMAP_FOR_EACH_WITH_HASH (wanted, cookie_node, fold(cookie),
                             &audit->by_cookie) {
        if (wanted->item->cookie == cookie) {
            return wanted;
        }
    }
    return NULL;
}

static struct wanted *
find_identity(const struct audit *audit, uint64_t identity)
{
    struct wanted *wanted;

    HMAP_FOR_EACH_WITH_HASH (wanted, identity_node, fold(identity),
                             &audit->by_identity) {
        if (wanted->item->identity == identity) {
            return wanted;
        }
    }
    return NULL;
}

void
audit_want(struct audit *audit, const struct item *item)
{
    struct wanted *old = find_identity(audit, item->identity);

    if (old && old->item->cookie == item->cookie) {
        return;
    }
    if (old) {
        drop_wanted(audit, old);
    }

    struct wanted *wanted = NEW(struct wanted);
    wanted->item = item_ref(item);
    hmap_insert(&audit->by_cookie, &wanted->cookie_node, fold(item->cookie));
    hmap_insert(&audit->by_identity, &wanted->identity_node,
                fold(item->identity));
}

void
audit_unwant(struct audit *audit, const struct item *item)
{
    struct wanted *wanted = find_identity(audit, item->identity);

    if (!wanted) {
        return;
    }
    if (wanted->is_seen) {
        ARRAY_GROW(audit->late, audit->n_late, audit->allocated_late);
        audit->late[audit->n_late++] = item_ref(wanted->item);
    }
    drop_wanted(audit, wanted);
}

static void
visit_wanted(const struct item *item, void *audit)
{
    if (item->kind == ITEM_RULE) {
        audit_want(audit, item);
    }
}

/* The dump. */

static void
request_flows(struct audit *audit)
{
    struct ofputil_flow_stats_request request = {
        .cookie = (OVS_FORCE ovs_be64) htobe64(COOKIE_TAG),
        .cookie_mask = (OVS_FORCE ovs_be64) htobe64(COOKIE_MASK),
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .table_id = OFPTT_ALL,
    };

    match_init_catchall(&request.match);
    audit->xid = openflow_send(audit->openflow,
                               ofputil_encode_flow_stats_request(
                                   &request, audit->openflow->protocol));
}

void
audit_start(struct audit *audit)
{
    if (audit->purpose == AUDIT_LIST) {
        request_flows(audit);
    } else {
        audit->xid = openflow_send(audit->openflow,
                                   ofputil_encode_group_desc_request(
                                       audit->openflow->version, OFPG_ALL));
    }
}

bool
audit_owns_xid(const struct audit *audit, uint32_t xid)
{
    return audit->xid && audit->xid == xid;
}

/* Groups. */

static void
keep_group(struct audit *audit, struct ofputil_group_desc *desc)
{
    struct dumped_group *group = NEW(struct dumped_group);
    struct ofputil_bucket *bucket;
    size_t allocated = 0;

    group->id = desc->group_id;
    group->is_all = desc->type == OFPGT11_ALL;
    LIST_FOR_EACH (bucket, list_node, &desc->buckets) {
        ARRAY_GROW(group->buckets, group->n_buckets, allocated);

        struct dumped_bucket *kept = &group->buckets[group->n_buckets++];
        *kept = (struct dumped_bucket){ .id = bucket->bucket_id };
        if (audit->openflow->version >= OFP15_VERSION) {
            kept->cookie = bucket_cookie(desc->group_id, bucket->bucket_id,
                                         bucket->ofpacts, bucket->ofpacts_len);
        } else {
            kept->ofpacts = STEAL(bucket->ofpacts);
            kept->ofpacts_len = bucket->ofpacts_len;
            bucket->ofpacts_len = 0;
        }
    }
    hmap_insert(&audit->groups, &group->node, group->id);
}

struct err *
audit_take_groups(struct audit *audit, const struct ofp_header *oh,
                  bool *donep)
{
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));

    *donep = false;
    if (!audit_owns_xid(audit, ntohl(oh->xid))) {
        return NULL;
    }
    for (;;) {
        struct ofputil_group_desc desc;
        int error = ofputil_decode_group_desc_reply(&desc, &b, oh->version);

        if (error == EOF) {
            break;
        } else if (error) {
            return err_new(ERR_INVALID, NULL, "bad description of groups");
        }
        if ((desc.group_id & GROUP_MASK) == GROUP_TAG) {
            keep_group(audit, &desc);
        }
        ofputil_uninit_group_desc(&desc);
    }
    if (!ofpmp_more(oh)) {
        request_flows(audit);
    }
    return NULL;
}

/* Flows. */

/* What a flow of a dump says of itself, read without its match. */
struct flow_entry {
    size_t length;
    uint64_t cookie;
    uint8_t table;
    uint16_t priority;
};

/* Reads the header of the entry at the beginning of 'b'; false: not well
 * formed.  OpenFlow 1.5, section 7.3.5.2, and 1.3.5, section 7.3.5.2. */
static bool
read_entry(enum ofpraw raw, const struct ofpbuf *b, struct flow_entry *entry)
{
    if (raw == OFPRAW_OFPST15_FLOW_REPLY) {
        const struct ofp15_flow_desc *d = ofpbuf_at(b, 0, sizeof *d);
        if (!d) {
            return false;
        }
        *entry = (struct flow_entry){
            .length = ntohs(d->length),
            .cookie = be64toh(d->cookie),
            .table = d->table_id,
            .priority = ntohs(d->priority),
        };
        return (entry->length >= sizeof *d && entry->length <= b->size
                && !(entry->length % 8));
    }

    const struct ofp11_flow_stats *s = ofpbuf_at(b, 0, sizeof *s);
    if (!s) {
        return false;
    }
    *entry = (struct flow_entry){
        .length = ntohs(s->length),
        .cookie = be64toh(s->cookie),
        .table = s->table_id,
        .priority = ntohs(s->priority),
    };
    return (entry->length >= sizeof *s && entry->length <= b->size
            && !(entry->length % 8));
}

static struct ofpbuf *
encode_removal(const struct audit *audit, const struct ofputil_flow_stats *fs)
{
    struct ofputil_flow_mod fm = {
        .priority = fs->priority,
        .cookie = fs->cookie,
        .cookie_mask = OVS_BE64_MAX,
        .table_id = fs->table_id,
        .command = OFPFC_DELETE_STRICT,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
    };

    minimatch_init(&fm.match, &fs->match);
    struct ofpbuf *message =
        ofputil_encode_flow_mod(&fm, audit->openflow->protocol);
    minimatch_destroy(&fm.match);
    return message;
}

/* Keeps a flow that nobody wants, from the decoded entry. */
static struct err *
keep_flow(struct audit *audit, const struct ofputil_flow_stats *fs)
{
    if (audit->purpose == AUDIT_LIST) {
        json_array_add(audit->texts,
                       json_string_create_nocopy(pipeline_flow_to_text(fs)));
        return NULL;
    }
    if (audit->n_stale >= MAX_STALE) {
        return err_new(ERR_TOO_LARGE, NULL, "too many flows");
    }
    ARRAY_GROW(audit->stale, audit->n_stale, audit->allocated_stale);
    audit->stale[audit->n_stale++] = (struct stale){
        .cookie = be64toh(fs->cookie),
        .removal = (audit->purpose == AUDIT_REPAIR ? encode_removal(audit, fs)
                                                   : NULL),
        .text =
            (audit->purpose == AUDIT_CHECK ? pipeline_flow_to_text(fs) : NULL),
    };
    return NULL;
}

/* Decodes the entry at the beginning of 'b', which has the header of the
 * message. */
static struct err *
decode_and_keep(struct audit *audit, const struct ofpbuf *b, size_t length)
{
    uint64_t stub[1024 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    struct ofpbuf one = *b;
    struct ofputil_flow_stats fs;
    struct err *err;

    one.size = length;
    err = (ofputil_decode_flow_stats_reply(&fs, &one, false, &ofpacts)
               ? err_new(ERR_INVALID, NULL, "bad description of a flow")
               : keep_flow(audit, &fs));
    ofpbuf_uninit(&ofpacts);
    return err;
}

static struct err *
take_entry(struct audit *audit, const struct ofpbuf *b,
           const struct flow_entry *entry)
{
    /* Some switches ignore the cookie mask of a request. */
    if ((entry->cookie & COOKIE_MASK) != COOKIE_TAG) {
        return NULL;
    }
    audit->n_flows++;

    struct wanted *wanted =
        (audit->purpose == AUDIT_LIST ? NULL
                                      : find_cookie(audit, entry->cookie));
    if (wanted && table_number(wanted->item->table) == entry->table
        && wanted->item->priority == entry->priority) {
        wanted->is_seen = true;
        return NULL;
    }
    return decode_and_keep(audit, b, entry->length);
}

struct err *
audit_take_flows(struct audit *audit, const struct ofp_header *oh, bool *donep)
{
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));
    enum ofpraw raw;

    *donep = false;
    if (!audit_owns_xid(audit, ntohl(oh->xid))) {
        return NULL;
    }
    if (ofpraw_pull(&raw, &b)
        || (raw != OFPRAW_OFPST15_FLOW_REPLY
            && raw != OFPRAW_OFPST13_FLOW_REPLY)) {
        return err_new(ERR_INVALID, NULL, "bad description of flows");
    }
    while (b.size) {
        struct flow_entry entry;

        if (!read_entry(raw, &b, &entry)) {
            return err_new(ERR_INVALID, NULL, "bad description of a flow");
        }
        struct err *err = take_entry(audit, &b, &entry);
        if (err) {
            return err;
        }
        ofpbuf_pull(&b, entry.length);
    }
    if (!ofpmp_more(oh)) {
        audit->xid = 0;
        *donep = true;
    }
    return NULL;
}

/* Comparing groups. */

static struct dumped_group *
find_dumped(const struct audit *audit, uint32_t id)
{
    struct dumped_group *group;

    HMAP_FOR_EACH_WITH_HASH (group, node, id, &audit->groups) {
        if (group->id == id) {
            return group;
        }
    }
    return NULL;
}

static const struct dumped_bucket *
find_dumped_bucket(const struct dumped_group *group, uint32_t id,
                   size_t likely)
{
    if (likely < group->n_buckets && group->buckets[likely].id == id) {
        return &group->buckets[likely];
    }
    for (size_t i = 0; i < group->n_buckets; i++) {
        if (group->buckets[i].id == id) {
            return &group->buckets[i];
        }
    }
    return NULL;
}

/* Without ids, buckets are compared in the order in which they were sent. */
static bool
is_group_equal(const struct group_state *state,
               const struct dumped_group *group)
{
    if (group_n_usable(state) != group->n_buckets) {
        return false;
    }
    for (size_t i = 0; i < group->n_buckets; i++) {
        const struct item *item = state->buckets[i];
        const struct dumped_bucket *dumped = &group->buckets[i];

        if (bucket_cookie(item->group, item->bucket, dumped->ofpacts,
                          dumped->ofpacts_len)
            != item->cookie) {
            return false;
        }
    }
    return true;
}

struct bucket_counts {
    size_t n_missing, n_changed, n_extra;
};

/* Queues the differences of one group, or only counts them if 'outbox' is
 * null. */
static struct bucket_counts
compare_buckets(const struct group_state *state,
                const struct dumped_group *group, struct outbox *outbox)
{
    struct bucket_counts counts = { .n_missing = 0 };
    size_t n = group_n_usable(state);

    for (size_t i = 0; i < n; i++) {
        const struct item *item = state->buckets[i];
        const struct dumped_bucket *dumped =
            find_dumped_bucket(group, item->bucket, i);
        bool is_changed = dumped && dumped->cookie != item->cookie;

        counts.n_missing += !dumped;
        counts.n_changed += is_changed;
        if (outbox && (!dumped || is_changed)) {
            outbox_add(outbox,
                       (dumped ? CHANGE_BUCKET_SET : CHANGE_BUCKET_ADD), item,
                       NULL);
        }
    }
    for (size_t i = 0; i < group->n_buckets; i++) {
        bool is_likely =
            (i < n && state->buckets[i]->bucket == group->buckets[i].id);
        if (!is_likely && !group_has_bucket(state, group->buckets[i].id)) {
            counts.n_extra++;
            if (outbox) {
                outbox_add_group(outbox, CHANGE_BUCKET_DELETE, group->id,
                                 group->buckets[i].id);
            }
        }
    }
    return counts;
}

/* Returns whether the group is as wanted, and queues what makes it so if
 * 'outbox' is not null. */
static bool
compare_group(const struct audit *audit, struct group_state *state,
              struct outbox *outbox)
{
    struct dumped_group *group = find_dumped(audit, state->id);
    bool is_whole = !group || !group->is_all;

    if (group) {
        group->is_wanted = true;
    }
    if (group && audit->openflow->version < OFP15_VERSION) {
        if (group->is_all && is_group_equal(state, group)) {
            return true;
        }
        is_whole = true;
    } else if (group && group->is_all) {
        struct bucket_counts counts = compare_buckets(state, group, NULL);
        size_t n = counts.n_missing + counts.n_changed + counts.n_extra;

        if (!n) {
            return true;
        }
        is_whole = n > MANY_BUCKETS;
    }
    if (outbox && is_whole) {
        state->is_queued = true;
        outbox_add_group(outbox, group ? CHANGE_GROUP_SET : CHANGE_GROUP_ADD,
                         state->id, 0);
    } else if (outbox) {
        (void) compare_buckets(state, group, outbox); /* Counted above. */
    }
    return false;
}

/* Results. */

/* A flow found stale that is wanted after all, because what is wanted changed
 * while the dump was under way, is there. */
static void
settle(struct audit *audit)
{
    size_t n = 0;

    for (size_t i = 0; i < audit->n_stale; i++) {
        struct stale *stale = &audit->stale[i];
        struct wanted *wanted = find_cookie(audit, stale->cookie);

        if (wanted && !wanted->is_seen) {
            wanted->is_seen = true;
            ofpbuf_delete(stale->removal);
            free(stale->text);
        } else {
            audit->stale[n++] = *stale;
        }
    }
    audit->n_stale = n;
}

static void
queue_removals(struct audit *audit, struct outbox *outbox)
{
    for (size_t i = 0; i < audit->n_stale; i++) {
        outbox_add(outbox, CHANGE_RULE_DELETE, NULL,
                   STEAL(audit->stale[i].removal));
    }
    for (size_t i = 0; i < audit->n_late; i++) {
        if (!find_identity(audit, audit->late[i]->identity)) {
            outbox_add(outbox, CHANGE_RULE_DELETE, audit->late[i], NULL);
        }
    }
}

bool
audit_repair(struct audit *audit, struct groups *groups, struct outbox *outbox)
{
    struct group_state *state;
    struct dumped_group *group;
    struct wanted *wanted;

    settle(audit);
    HMAP_FOR_EACH (state, node, &groups->states) {
        compare_group(audit, state, outbox);
    }
    HMAP_FOR_EACH (wanted, cookie_node, &audit->by_cookie) {
        if (!wanted->is_seen) {
            outbox_add(outbox, CHANGE_RULE_ADD, wanted->item, NULL);
        }
    }
    queue_removals(audit, outbox);
    HMAP_FOR_EACH (group, node, &audit->groups) {
        if (!group->is_wanted) {
            outbox_add_group(outbox, CHANGE_GROUP_DELETE, group->id, 0);
        }
    }
    return !audit->n_flows;
}

static void
list_groups(const struct audit *audit, const struct groups *groups,
            struct json *missing, struct json *stale)
{
    struct group_state *state;
    struct dumped_group *group;

    HMAP_FOR_EACH (state, node, &groups->states) {
        if (!compare_group(audit, state, NULL)) {
            json_array_add(
                missing, json_string_create_nocopy(mem_textf(
                             "group 0x%08x is not there or has other buckets",
                             state->id)));
        }
    }
    HMAP_FOR_EACH (group, node, &audit->groups) {
        if (!group->is_wanted) {
            json_array_add(stale, json_string_create_nocopy(
                                      mem_textf("group 0x%08x", group->id)));
        }
    }
}

struct json *
audit_check(struct audit *audit, const struct groups *groups)
{
    const struct openflow *openflow = audit->openflow;
    struct json *missing = json_array_create_empty();
    struct json *stale = json_array_create_empty();
    struct json *result = json_object_create();
    struct wanted *wanted;

    settle(audit);
    list_groups(audit, groups, missing, stale);
    HMAP_FOR_EACH (wanted, cookie_node, &audit->by_cookie) {
        /* It may have changed while the dump was under way. */
        const struct item *now =
            scopes_wanted(openflow->switches->scopes, &openflow->host->id,
                          wanted->item->identity);
        if (!wanted->is_seen && now && now->cookie == wanted->item->cookie) {
            json_array_add(missing, json_string_create_nocopy(
                                        item_to_text(wanted->item)));
        }
    }
    for (size_t i = 0; i < audit->n_stale; i++) {
        json_array_add(stale,
                       json_string_create_nocopy(STEAL(audit->stale[i].text)));
    }
    json_object_put(
        result, "ok",
        json_boolean_create(!json_array(missing)->n && !json_array(stale)->n));
    json_object_put(result, "rules", json_integer_create(audit->n_flows));
    json_object_put(result, "missing", missing);
    json_object_put(result, "stale", stale);
    return result;
}

struct json *
audit_list(struct audit *audit)
{
    struct json *result = json_object_create();

    json_object_put(result, "flows", STEAL(audit->texts));
    return result;
}
