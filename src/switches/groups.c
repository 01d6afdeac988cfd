/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of a switch.
 *
 *     group 0x77000011 ── bucket 3 (item, reference)
 *                      ── bucket 9 (item, reference)
 *
 * Buckets come from several scopes and may come before the ITEM_GROUP that
 * they belong to: a group exists as long as it has an item or a bucket.
 *
 * OpenFlow 1.5 (section 7.3.4.3) can insert and remove one bucket; before, a
 * group is only said whole.
 *
 * A message is at most 64 kB.  When Open vSwitch describes a group that is
 * larger, the length overflows and the session can no longer be read, so no
 * group is ever made larger than MAX_GROUP_BYTES: buckets beyond are left out,
 * the same ones each time, and the operator is told. */

#include "switches/groups.h"

#include "openflow/openflow.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-group.h"
#include "openvswitch/ofp-msgs.h"

enum {
    MAX_GROUP_BYTES = 60 * 1024,
    BUCKET_OVERHEAD = 16, /* Of one bucket, in any version. */
};

void
groups_init(struct groups *groups)
{
    hmap_init(&groups->states);
}

static void
drop_state(struct groups *groups, struct group_state *state)
{
    hmap_remove(&groups->states, &state->node);
    for (size_t i = 0; i < state->n_buckets; i++) {
        item_unref(state->buckets[i]);
    }
    free(state->buckets);
    free(state);
}

void
groups_clear(struct groups *groups)
{
    struct group_state *state;

    HMAP_FOR_EACH_SAFE (state, node, &groups->states) {
        drop_state(groups, state);
    }
}

void
groups_uninit(struct groups *groups)
{
    groups_clear(groups);
    hmap_destroy(&groups->states);
}

static uint32_t
hash_id(uint32_t id)
{
    return hash64_mix(id, 0);
}

struct group_state *
groups_find(const struct groups *groups, uint32_t id)
{
    struct group_state *state;

    HMAP_FOR_EACH_WITH_HASH (state, node, hash_id(id), &groups->states) {
        if (state->id == id) {
            return state;
        }
    }
    return NULL;
}

/* Where a bucket is, or would be. */
static size_t
bucket_index(const struct group_state *state, uint32_t bucket)
{
    size_t low = 0, high = state->n_buckets;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (state->buckets[middle]->bucket < bucket) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

size_t
group_n_usable(const struct group_state *state)
{
    size_t size = 0;

    for (size_t i = 0; i < state->n_buckets; i++) {
        size += state->buckets[i]->size + BUCKET_OVERHEAD;
        if (size > MAX_GROUP_BYTES) {
            return i;
        }
    }
    return state->n_buckets;
}

static bool
is_bucket_at(const struct group_state *state, size_t i, uint32_t bucket)
{
    return i < state->n_buckets && state->buckets[i]->bucket == bucket;
}

bool
group_has_bucket(const struct group_state *state, uint32_t bucket)
{
    size_t i = bucket_index(state, bucket);

    return is_bucket_at(state, i, bucket) && i < group_n_usable(state);
}

static bool
put_bucket(struct group_state *state, const struct item *item)
{
    size_t i = bucket_index(state, item->bucket);

    if (is_bucket_at(state, i, item->bucket)) {
        item_unref(state->buckets[i]);
        state->buckets[i] = item_ref(item);
        return true;
    }
    ARRAY_GROW(state->buckets, state->n_buckets, state->allocated);
    memmove(&state->buckets[i + 1], &state->buckets[i],
            (state->n_buckets - i) * sizeof *state->buckets);
    state->buckets[i] = item_ref(item);
    state->n_buckets++;
    return false;
}

struct group_state *
groups_put(struct groups *groups, const struct item *item, bool *is_newp,
           bool *replacedp)
{
    struct group_state *state = groups_find(groups, item->group);

    *is_newp = !state;
    *replacedp = false;
    if (!state) {
        state = NEW(struct group_state);
        state->id = item->group;
        hmap_insert(&groups->states, &state->node, hash_id(item->group));
    }
    if (item->kind == ITEM_GROUP) {
        state->has_item = true;
    } else {
        *replacedp = put_bucket(state, item);
    }
    return state;
}

struct group_state *
groups_take(struct groups *groups, const struct item *item)
{
    struct group_state *state = groups_find(groups, item->group);

    if (!state) {
        return NULL;
    }
    if (item->kind == ITEM_GROUP) {
        state->has_item = false;
    } else {
        size_t i = bucket_index(state, item->bucket);
        if (is_bucket_at(state, i, item->bucket)) {
            item_unref(state->buckets[i]);
            state->n_buckets--;
            memmove(&state->buckets[i], &state->buckets[i + 1],
                    (state->n_buckets - i) * sizeof *state->buckets);
        }
    }
    if (!state->has_item && !state->n_buckets) {
        drop_state(groups, state);
        return NULL;
    }
    return state;
}

/* Encoding. */

static void
init_group_mod(struct ofputil_group_mod *gm, uint16_t command, uint32_t id)
{
    *gm = (struct ofputil_group_mod){
        .command = command,
        .type = OFPGT11_ALL,
        .group_id = id,
        .command_bucket_id = OFPG15_BUCKET_ALL,
    };
    ovs_list_init(&gm->buckets);
}

static struct ofpbuf *
finish_group_mod(struct ofputil_group_mod *gm, uint8_t version)
{
    struct ofpbuf *message = ofputil_encode_group_mod(version, gm, NULL, -1);

    ofputil_uninit_group_mod(gm);
    return message;
}

static void
add_bucket(struct ofputil_group_mod *gm, const struct item *item)
{
    struct ofputil_bucket *bucket = NEW(struct ofputil_bucket);
    struct ofpbuf ofpacts;

    ofpbuf_init(&ofpacts, 64);
    item_bucket_actions(item, &ofpacts);
    bucket->watch_port = OFPP_ANY;
    bucket->watch_group = OFPG_ANY;
    bucket->bucket_id = item->bucket;
    bucket->ofpacts_len = ofpacts.size;
    bucket->ofpacts = ofpbuf_steal_data(&ofpacts);
    ovs_list_push_back(&gm->buckets, &bucket->list_node);
}

void
group_encode_whole(const struct group_state *state, uint16_t command,
                   uint8_t version, struct ovs_list *messages)
{
    struct ofputil_group_mod gm;
    size_t n = group_n_usable(state);

    init_group_mod(&gm, command, state->id);
    for (size_t i = 0; i < n; i++) {
        add_bucket(&gm, state->buckets[i]);
    }

    struct ofpbuf *message = finish_group_mod(&gm, version);
    ovs_list_push_back(messages, &message->list_node);
}

struct ofpbuf *
group_encode_delete(uint32_t id, uint8_t version)
{
    struct ofputil_group_mod gm;

    init_group_mod(&gm, OFPGC11_DELETE, id);
    return finish_group_mod(&gm, version);
}

struct ofpbuf *
group_encode_insert(const struct item *bucket)
{
    struct ofputil_group_mod gm;

    init_group_mod(&gm, OFPGC15_INSERT_BUCKET, bucket->group);
    gm.command_bucket_id = OFPG15_BUCKET_LAST;
    add_bucket(&gm, bucket);
    return finish_group_mod(&gm, OFP15_VERSION);
}

struct ofpbuf *
group_encode_remove(uint32_t id, uint32_t bucket)
{
    struct ofputil_group_mod gm;

    init_group_mod(&gm, OFPGC15_REMOVE_BUCKET, id);
    gm.command_bucket_id = bucket;
    return finish_group_mod(&gm, OFP15_VERSION);
}
