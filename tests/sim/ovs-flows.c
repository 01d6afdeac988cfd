/* SPDX-License-Identifier: Apache-2.0 */
/* The model switch's flow tables and groups, with Open vSwitch's semantics
 * (OpenFlow 1.5 section 6.4 and 6.7, ofproto/ofproto.c where it is silent).
 *
 * An entry never changes: a modification takes it out and puts another in.
 * Every message notes what it took out and put in, so that one that fails, or
 * a whole bundle, is undone by going backwards. */

#include "ovs-private.h"

void
flow_tables_init(struct flow_tables *tables)
{
    hmap_init(&tables->flows);
    hmap_init(&tables->flows_by_cookie);
    hmap_init(&tables->groups);
}

static void
flow_entry_destroy(struct flow_entry *flow)
{
    minimatch_destroy(&flow->match);
    free(flow->ofpacts);
    free(flow);
}

static void
group_entry_destroy(struct group_entry *group)
{
    ofputil_bucket_list_destroy(&group->buckets);
    free(group);
}

void
flow_tables_uninit(struct flow_tables *tables)
{
    struct flow_entry *flow;
    HMAP_FOR_EACH_SAFE (flow, node, &tables->flows) {
        hmap_remove(&tables->flows, &flow->node);
        flow_entry_destroy(flow);
    }
    struct group_entry *group;
    HMAP_FOR_EACH_SAFE (group, node, &tables->groups) {
        hmap_remove(&tables->groups, &group->node);
        group_entry_destroy(group);
    }
    hmap_destroy(&tables->flows);
    hmap_destroy(&tables->flows_by_cookie);
    hmap_destroy(&tables->groups);
}

/* Change lists. */

static void
note(struct flow_changes *changes, bool added, struct flow_entry *flow,
     struct group_entry *group)
{
    ARRAY_GROW(changes->items, changes->n, changes->allocated);
    changes->items[changes->n++] = (struct flow_change){ added, flow, group };
}

static void
flow_link(struct flow_tables *tables, struct flow_entry *flow)
{
    uint32_t basis = flow->table << 16 | flow->priority;
    hmap_insert(&tables->flows, &flow->node,
                minimatch_hash(&flow->match, basis));
    hmap_insert(&tables->flows_by_cookie, &flow->cookie_node,
                (uint32_t) (flow->cookie ^ flow->cookie >> 32));
}

static void
flow_unlink(struct flow_tables *tables, struct flow_entry *flow)
{
    hmap_remove(&tables->flows, &flow->node);
    hmap_remove(&tables->flows_by_cookie, &flow->cookie_node);
}

static void
flow_put(struct flow_tables *tables, struct flow_entry *flow,
         struct flow_changes *changes)
{
    flow_link(tables, flow);
    note(changes, true, flow, NULL);
}

static void
flow_take(struct flow_tables *tables, struct flow_entry *flow,
          struct flow_changes *changes)
{
    flow_unlink(tables, flow);
    note(changes, false, flow, NULL);
}

static void
group_put(struct flow_tables *tables, struct group_entry *group,
          struct flow_changes *changes)
{
    hmap_insert(&tables->groups, &group->node, group->id);
    note(changes, true, NULL, group);
}

static void
group_take(struct flow_tables *tables, struct group_entry *group,
           struct flow_changes *changes)
{
    hmap_remove(&tables->groups, &group->node);
    note(changes, false, NULL, group);
}

static void
change_free(const struct flow_change *change)
{
    if (change->flow) {
        flow_entry_destroy(change->flow);
    } else {
        group_entry_destroy(change->group);
    }
}

void
flow_changes_keep(struct flow_changes *changes)
{
    for (size_t i = 0; i < changes->n; i++) {
        if (!changes->items[i].added) {
            change_free(&changes->items[i]);
        }
    }
    free(changes->items);
    *changes = (struct flow_changes){ 0 };
}

void
flow_changes_undo(struct flow_tables *tables, struct flow_changes *changes)
{
    for (size_t i = changes->n; i-- > 0;) {
        const struct flow_change *change = &changes->items[i];
        if (change->flow && change->added) {
            flow_unlink(tables, change->flow);
        } else if (change->flow) {
            flow_link(tables, change->flow);
        } else if (change->added) {
            hmap_remove(&tables->groups, &change->group->node);
        } else {
            hmap_insert(&tables->groups, &change->group->node,
                        change->group->id);
        }
        if (change->added) {
            change_free(change);
        }
    }
    free(changes->items);
    *changes = (struct flow_changes){ 0 };
}

/* Flows. */

static struct flow_entry *
flow_find(const struct flow_tables *tables, uint8_t table, uint16_t priority,
          const struct minimatch *match)
{
    uint32_t hash = minimatch_hash(match, table << 16 | priority);
    struct flow_entry *flow;
    HMAP_FOR_EACH_WITH_HASH (flow, node, hash, &tables->flows) {
        if (flow->table == table && flow->priority == priority
            && minimatch_equal(&flow->match, match)) {
            return flow;
        }
    }
    return NULL;
}

static struct group_entry *
group_find(const struct flow_tables *tables, uint32_t id)
{
    struct group_entry *group;
    HMAP_FOR_EACH_WITH_HASH (group, node, id, &tables->groups) {
        if (group->id == id) {
            return group;
        }
    }
    return NULL;
}

/* Is 'flow' at least as specific as 'loose' (the same as 'mini')? */
bool
flow_entry_is_within(const struct flow_entry *flow, const struct match *loose,
                     const struct minimatch *mini)
{
    if (mini && minimatch_equal(&flow->match, mini)) {
        return true;
    }
    struct match match;
    minimatch_expand(&flow->match, &match);

    const uint64_t *lw = (const uint64_t *) (const void *) &loose->wc.masks;
    const uint64_t *lf = (const uint64_t *) (const void *) &loose->flow;
    const uint64_t *fw = (const uint64_t *) (const void *) &match.wc.masks;
    const uint64_t *ff = (const uint64_t *) (const void *) &match.flow;
    for (size_t i = 0; i < sizeof(struct flow) / sizeof(uint64_t); i++) {
        if (lw[i] & ~fw[i] || (lf[i] ^ ff[i]) & lw[i]) {
            return false;
        }
    }
    return true;
}

static struct flow_entry *
flow_from_mod(const struct ofputil_flow_mod *fm)
{
    struct flow_entry *flow = NEW(struct flow_entry);
    minimatch_clone(&flow->match, &fm->match);
    flow->cookie = from_be64(fm->new_cookie);
    flow->table = fm->table_id == OFPTT_ALL ? 0 : fm->table_id;
    flow->priority = fm->priority;
    flow->flags = fm->flags & OFPUTIL_FF_STATE;
    flow->ofpacts_len = fm->ofpacts_len;
    flow->ofpacts = mem_clone(fm->ofpacts, fm->ofpacts_len);
    return flow;
}

/* Every group that actions name must be there. */
static enum ofperr
check_actions(const struct flow_tables *tables, const struct ofpact *ofpacts,
              size_t ofpacts_len)
{
    const struct ofpact *a;
    OFPACT_FOR_EACH_FLATTENED(a, ofpacts, ofpacts_len)
    {
        if (a->type == OFPACT_GROUP
            && !group_find(tables, ofpact_get_GROUP(a)->group_id)) {
            return OFPERR_OFPBAC_BAD_OUT_GROUP;
        }
    }
    return 0;
}

static bool
is_selected(const struct flow_entry *flow, const struct ofputil_flow_mod *fm)
{
    uint64_t cookie = from_be64(fm->cookie);
    uint64_t mask = from_be64(fm->cookie_mask);
    return (fm->table_id == OFPTT_ALL || flow->table == fm->table_id)
           && !((flow->cookie ^ cookie) & mask)
           && (fm->out_port == OFPP_ANY
               || ofpacts_output_to_port(flow->ofpacts, flow->ofpacts_len,
                                         fm->out_port))
           && (fm->out_group == OFPG_ANY
               || ofpacts_output_to_group(flow->ofpacts, flow->ofpacts_len,
                                          fm->out_group));
}

/* The flows that a modify or delete is about, in a new array. */
static struct flow_entry **
select_flows(const struct flow_tables *tables,
             const struct ofputil_flow_mod *fm, bool strict, size_t *np)
{
    struct flow_entry **flows = NULL;
    size_t n = 0, allocated = 0;
    struct flow_entry *flow;
    if (strict && fm->table_id != OFPTT_ALL) {
        flow = flow_find(tables, fm->table_id, fm->priority, &fm->match);
        if (flow && is_selected(flow, fm)) {
            ARRAY_GROW(flows, n, allocated);
            flows[n++] = flow;
        }
        *np = n;
        return flows;
    }

    struct match loose;
    minimatch_expand(&fm->match, &loose);
    HMAP_FOR_EACH (flow, node, &tables->flows) {
        if (is_selected(flow, fm)
            && (strict ? flow->priority == fm->priority
                             && minimatch_equal(&flow->match, &fm->match)
                       : flow_entry_is_within(flow, &loose, &fm->match))) {
            ARRAY_GROW(flows, n, allocated);
            flows[n++] = flow;
        }
    }
    *np = n;
    return flows;
}

static void
flow_add(struct flow_tables *tables, const struct ofputil_flow_mod *fm,
         struct flow_changes *changes)
{
    uint8_t table = fm->table_id == OFPTT_ALL ? 0 : fm->table_id;
    struct flow_entry *old =
        flow_find(tables, table, fm->priority, &fm->match);
    if (old) {
        flow_take(tables, old, changes);
    }
    flow_put(tables, flow_from_mod(fm), changes);
}

static void
flow_modify(struct flow_tables *tables, const struct ofputil_flow_mod *fm,
            bool strict, struct flow_changes *changes)
{
    size_t n;
    struct flow_entry **flows = select_flows(tables, fm, strict, &n);
    for (size_t i = 0; i < n; i++) {
        struct flow_entry *new_ = flow_from_mod(fm);
        new_->table = flows[i]->table;
        new_->priority = flows[i]->priority;
        new_->cookie =
            fm->modify_cookie ? from_be64(fm->new_cookie) : flows[i]->cookie;
        minimatch_destroy(&new_->match);
        minimatch_clone(&new_->match, &flows[i]->match);
        flow_take(tables, flows[i], changes);
        flow_put(tables, new_, changes);
    }
    if (!n && !fm->cookie_mask && fm->new_cookie != OVS_BE64_MAX) {
        flow_add(tables, fm, changes);
    }
    free(flows);
}

static void
flow_delete(struct flow_tables *tables, const struct ofputil_flow_mod *fm,
            bool strict, struct flow_changes *changes)
{
    size_t n;
    struct flow_entry **flows = select_flows(tables, fm, strict, &n);
    for (size_t i = 0; i < n; i++) {
        flow_take(tables, flows[i], changes);
    }
    free(flows);
}

enum ofperr
flow_tables_flow_mod(struct flow_tables *tables,
                     const struct ofputil_flow_mod *fm,
                     struct flow_changes *changes)
{
    if (fm->command <= OFPFC_MODIFY_STRICT) {
        enum ofperr error =
            check_actions(tables, fm->ofpacts, fm->ofpacts_len);
        if (error) {
            return error;
        }
    }
    switch (fm->command) {
    case OFPFC_ADD:
        flow_add(tables, fm, changes);
        return 0;
    case OFPFC_MODIFY:
    case OFPFC_MODIFY_STRICT:
        flow_modify(tables, fm, fm->command == OFPFC_MODIFY_STRICT, changes);
        return 0;
    case OFPFC_DELETE:
    case OFPFC_DELETE_STRICT:
        flow_delete(tables, fm, fm->command == OFPFC_DELETE_STRICT, changes);
        return 0;
    default:
        return OFPERR_OFPFMFC_BAD_COMMAND;
    }
}

/* Groups. */

static struct group_entry *
group_create(uint32_t id, uint8_t type)
{
    struct group_entry *group = NEW(struct group_entry);
    group->id = id;
    group->type = type;
    ovs_list_init(&group->buckets);
    return group;
}

static void
group_delete(struct flow_tables *tables, struct group_entry *group,
             struct flow_changes *changes)
{
    struct flow_entry *flow;
    HMAP_FOR_EACH_SAFE (flow, node, &tables->flows) {
        if (ofpacts_output_to_group(flow->ofpacts, flow->ofpacts_len,
                                    group->id)) {
            flow_take(tables, flow, changes);
        }
    }
    group_take(tables, group, changes);
}

/* Puts a clone of 'gm's buckets where 'command_bucket_id' says. */
static enum ofperr
insert_buckets(struct group_entry *group, const struct ofputil_group_mod *gm)
{
    const struct ofputil_bucket *bucket;
    LIST_FOR_EACH (bucket, list_node, &gm->buckets) {
        if (ofputil_bucket_find(&group->buckets, bucket->bucket_id)) {
            return OFPERR_OFPGMFC_BUCKET_EXISTS;
        }
    }
    struct ovs_list *before = &group->buckets;
    if (gm->command_bucket_id == OFPG15_BUCKET_FIRST) {
        before = ovs_list_front(&group->buckets);
    } else if (gm->command_bucket_id != OFPG15_BUCKET_LAST) {
        struct ofputil_bucket *after =
            ofputil_bucket_find(&group->buckets, gm->command_bucket_id);
        if (!after) {
            return OFPERR_OFPGMFC_UNKNOWN_BUCKET;
        }
        before = after->list_node.next;
    }
    struct ovs_list clones;
    ovs_list_init(&clones);
    ofputil_bucket_clone_list(&clones, &gm->buckets, NULL);
    if (!ovs_list_is_empty(&clones)) {
        ovs_list_splice(before, ovs_list_front(&clones), &clones);
    }
    return 0;
}

static enum ofperr
remove_buckets(struct group_entry *group, const struct ofputil_group_mod *gm)
{
    struct ovs_list *buckets = &group->buckets;
    if (gm->command_bucket_id == OFPG15_BUCKET_ALL) {
        ofputil_bucket_list_destroy(buckets);
        return 0;
    }
    struct ofputil_bucket *bucket =
        (gm->command_bucket_id == OFPG15_BUCKET_FIRST
             ? ofputil_bucket_list_front(buckets)
         : gm->command_bucket_id == OFPG15_BUCKET_LAST
             ? ofputil_bucket_list_back(buckets)
             : ofputil_bucket_find(buckets, gm->command_bucket_id));
    if (!bucket) {
        return OFPERR_OFPGMFC_UNKNOWN_BUCKET;
    }
    struct ovs_list gone;
    ovs_list_init(&gone);
    ovs_list_remove(&bucket->list_node);
    ovs_list_push_back(&gone, &bucket->list_node);
    ofputil_bucket_list_destroy(&gone);
    return 0;
}

static enum ofperr
group_change_buckets(struct flow_tables *tables, struct group_entry *old,
                     const struct ofputil_group_mod *gm,
                     struct flow_changes *changes)
{
    struct group_entry *new_ = group_create(old->id, old->type);
    ofputil_bucket_clone_list(&new_->buckets, &old->buckets, NULL);
    enum ofperr error =
        (gm->command == OFPGC15_INSERT_BUCKET ? insert_buckets(new_, gm)
                                              : remove_buckets(new_, gm));
    if (error) {
        group_entry_destroy(new_);
        return error;
    }
    group_take(tables, old, changes);
    group_put(tables, new_, changes);
    return 0;
}

static void
group_set(struct flow_tables *tables, struct group_entry *old,
          const struct ofputil_group_mod *gm, struct flow_changes *changes)
{
    struct group_entry *new_ = group_create(gm->group_id, gm->type);
    ofputil_bucket_clone_list(&new_->buckets, &gm->buckets, NULL);
    if (old) {
        group_take(tables, old, changes);
    }
    group_put(tables, new_, changes);
}

static void
group_delete_all(struct flow_tables *tables, struct flow_changes *changes)
{
    struct group_entry *group;
    HMAP_FOR_EACH_SAFE (group, node, &tables->groups) {
        group_delete(tables, group, changes);
    }
}

enum ofperr
flow_tables_group_mod(struct flow_tables *tables,
                      const struct ofputil_group_mod *gm,
                      struct flow_changes *changes)
{
    struct group_entry *group = group_find(tables, gm->group_id);
    switch (gm->command) {
    case OFPGC11_ADD:
        if (group) {
            return OFPERR_OFPGMFC_GROUP_EXISTS;
        }
        group_set(tables, NULL, gm, changes);
        return 0;
    case OFPGC11_MODIFY:
        if (!group) {
            return OFPERR_OFPGMFC_UNKNOWN_GROUP;
        }
        group_set(tables, group, gm, changes);
        return 0;
    case OFPGC11_ADD_OR_MOD:
        group_set(tables, group, gm, changes);
        return 0;
    case OFPGC11_DELETE:
        if (gm->group_id == OFPG_ALL) {
            group_delete_all(tables, changes);
        } else if (group) {
            group_delete(tables, group, changes);
        }
        return 0;
    case OFPGC15_INSERT_BUCKET:
    case OFPGC15_REMOVE_BUCKET:
        return (group ? group_change_buckets(tables, group, gm, changes)
                      : OFPERR_OFPGMFC_UNKNOWN_GROUP);
    default:
        return OFPERR_OFPGMFC_BAD_COMMAND;
    }
}
