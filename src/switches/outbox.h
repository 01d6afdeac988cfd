/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SWITCHES_OUTBOX_H
#define SWITCHES_OUTBOX_H 1

/* Changes on their way to a switch: queued, sent in batches, acknowledged. */

#include "openvswitch/ofp-errors.h"
#include "switches/groups.h"
#include "switches/openflow.h"

/* In the order in which they must reach the switch. */
enum change_kind {
    CHANGE_GROUP_ADD,  /* With all its buckets. */
    CHANGE_GROUP_SET,  /* Likewise; it is there. */
    CHANGE_BUCKET_SET, /* Replace one that is there; 1.5. */
    CHANGE_BUCKET_ADD, /* OpenFlow 1.5 only. */
    CHANGE_RULE_ADD,
    CHANGE_RULE_DELETE,   /* By 'item', or by 'message'. */
    CHANGE_BUCKET_DELETE, /* OpenFlow 1.5 only. */
    CHANGE_GROUP_DELETE,
    N_CHANGE_KINDS
};

struct change {
    enum change_kind kind;
    uint32_t group, bucket;
    struct item *item;      /* A reference, or null. */
    struct ofpbuf *message; /* Owned, or null. */
};

struct batch;

struct outbox {
    struct openflow *openflow;
    struct groups *groups; /* What whole groups are encoded from. */

    struct change *queue; /* A ring would save nothing: drained whole. */
    size_t n_queued, allocated, n_taken;
    struct ovs_list batches; /* Sent, not acknowledged; oldest first. */
    size_t n_sent;           /* Changes in 'batches'. */

    bool is_plain;       /* No bundles now: first fill, or distrust. */
    bool has_no_bundles; /* The switch does not know them. */
    bool is_failed;      /* A bundle failed: resync. */
    size_t n_refused;    /* Changes the switch refused, since reset. */
    uint32_t next_bundle;
    struct timer *timer; /* Continues to send in a later turn. */
};

void outbox_init(struct outbox *, struct openflow *, struct groups *);
void outbox_uninit(struct outbox *);
/* Forgets what is not sent. */
void outbox_clear(struct outbox *);

/* Queues a change.  Takes references of its own to 'item'; takes ownership of
 * 'message'. */
void outbox_add(struct outbox *, enum change_kind, const struct item *,
                struct ofpbuf *message);
void outbox_add_group(struct outbox *, enum change_kind, uint32_t group,
                      uint32_t bucket);
/* Sends what may be sent now. */
void outbox_run(struct outbox *);
bool outbox_is_empty(const struct outbox *); /* All is acknowledged. */
size_t outbox_n_queued(const struct outbox *);
size_t outbox_n_pending(const struct outbox *);
/* Changes are being added that belong to 'sequence' as well: nothing sent so
 * far may claim it. */
void outbox_reopen(struct outbox *, uint64_t sequence);

/* True if 'xid' is one of its own. */
bool outbox_take_error(struct outbox *, uint32_t xid, enum ofperr);
/* Likewise; '*sequencep' is what is acknowledged by it, 0: nothing new. */
bool outbox_take_barrier(struct outbox *, uint32_t xid, uint64_t *sequencep);

#endif /* switches/outbox.h */
