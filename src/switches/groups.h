/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SWITCHES_GROUPS_H
#define SWITCHES_GROUPS_H 1

/* The groups a switch should hold, each with its buckets. */

#include "openvswitch/list.h"
#include "pipeline/pipeline.h"

struct group_state {
    struct hmap_node node; /* In 'groups', by 'id'. */
    uint32_t id;
    bool has_item;         /* An ITEM_GROUP says so. */
    bool is_queued;        /* A message with all buckets is to be sent:
                                 * later changes are in it. */
    struct item **buckets; /* References, sorted by bucket id. */
    size_t n_buckets, allocated;
};

struct groups {
    struct hmap states;
};

void groups_init(struct groups *);
void groups_clear(struct groups *);
void groups_uninit(struct groups *);
struct group_state *groups_find(const struct groups *, uint32_t id);
/* How many buckets, from the first on, a switch is given; see "groups.c". */
size_t group_n_usable(const struct group_state *);
/* Whether a bucket is among the usable ones. */
bool group_has_bucket(const struct group_state *, uint32_t bucket);

/* Enters an ITEM_GROUP or ITEM_BUCKET.  Stores in '*is_newp' whether the
 * group was not there, and in '*replacedp' whether a bucket of the same id
 * was. */
struct group_state *groups_put(struct groups *, const struct item *,
                               bool *is_newp, bool *replacedp);
/* Takes it out again; null if the group is gone with it. */
struct group_state *groups_take(struct groups *, const struct item *);

/* Messages that make a group so, as a list of struct ofpbuf: 'command' is
 * OFPGC11_ADD or OFPGC11_MODIFY. */
void group_encode_whole(const struct group_state *, uint16_t command,
                        uint8_t version, struct ovs_list *messages);
struct ofpbuf *group_encode_delete(uint32_t id, uint8_t version);
/* OpenFlow 1.5 only. */
struct ofpbuf *group_encode_insert(const struct item *bucket);
struct ofpbuf *group_encode_remove(uint32_t id, uint32_t bucket);

#endif /* switches/groups.h */
