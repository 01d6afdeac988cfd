/* SPDX-License-Identifier: Apache-2.0 */
/* Changes on their way to a switch.
 *
 *     queue ──encode──► batch ──► bundle, barrier ──► switch
 *                         │                              │
 *                      batches ◄── barrier reply, errors ┘
 *
 * A BATCH is up to MAX_BATCH changes that share a barrier.  Unless there is
 * only one, or this is the first fill of an empty switch, they travel in an
 * ordered and atomic bundle (OpenFlow 1.4, section 7.3.9; for 1.3 ONF
 * extension 230), opened, filled and committed without waiting.  Several
 * batches may be under way.
 *
 * Encoding happens when a change is sent, so that what waits costs a
 * reference only, and a whole group is said as it is wanted then.  What is
 * sent and not yet read by the switch is bounded; the rest waits here.
 *
 * An error names its message by transaction id.  A message that is refused
 * when it is added to a bundle does not stop the bundle; if the commit fails,
 * nothing of the bundle took effect, 'is_failed' is set, and the owner dumps,
 * compares and sends without bundles, which names each culprit. */

#include "switches/outbox.h"

#include <inttypes.h>

#include "openflow/openflow.h"
#include "openvswitch/ofp-bundle.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/vlog.h"
#include "switches/reconcile.h"

VLOG_DEFINE_THIS_MODULE(outbox);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 60);

enum {
    MAX_BATCH = 1000,     /* Old switches need bounded bundles. */
    MAX_SENT = 50 * 1000, /* Changes not acknowledged. */
    MAX_PER_TURN = 4000,
    BUNDLE_FLAGS = OFPBF_ATOMIC | OFPBF_ORDERED,
};

struct batch {
    struct ovs_list node; /* In 'batches' of its outbox. */
    struct change *changes;
    size_t n_changes;
    uint32_t first_xid;        /* Of message 0 of 'n_messages'. */
    uint32_t *message_changes; /* Index of the change of each message. */
    enum ofperr *errors;       /* Of each message; null: none. */
    size_t n_messages, allocated;
    uint32_t bundle_id; /* 0: no bundle. */
    uint32_t open_xid, close_xid, commit_xid;
    uint32_t barrier_xid;
    bool is_failed;
    uint64_t sequence; /* Claimed when it is acknowledged, or 0. */
};

static void outbox_continue(void *);

static void
change_uninit(struct change *change)
{
    item_unref(change->item);
    ofpbuf_delete(change->message);
}

static void
batch_destroy(struct batch *batch)
{
    for (size_t i = 0; i < batch->n_changes; i++) {
        change_uninit(&batch->changes[i]);
    }
    free(batch->changes);
    free(batch->message_changes);
    free(batch->errors);
    free(batch);
}

void
outbox_init(struct outbox *outbox, struct openflow *openflow,
            struct groups *groups)
{
    *outbox = (struct outbox){
        .openflow = openflow,
        .groups = groups,
        .next_bundle = 1,
    };
    ovs_list_init(&outbox->batches);
    outbox->timer =
        loop_timer_create(openflow->switches->loop, outbox_continue, outbox);
}

void
outbox_clear(struct outbox *outbox)
{
    for (size_t i = outbox->n_taken; i < outbox->n_queued; i++) {
        change_uninit(&outbox->queue[i]);
    }
    free(outbox->queue);
    outbox->queue = NULL;
    outbox->n_queued = outbox->n_taken = outbox->allocated = 0;
}

void
outbox_uninit(struct outbox *outbox)
{
    struct batch *batch;

    outbox_clear(outbox);
    LIST_FOR_EACH_POP (batch, node, &outbox->batches) {
        batch_destroy(batch);
    }
    loop_timer_destroy(outbox->timer);
}

static struct change *
push_change(struct outbox *outbox)
{
    ARRAY_GROW(outbox->queue, outbox->n_queued, outbox->allocated);
    return &outbox->queue[outbox->n_queued++];
}

void
outbox_add(struct outbox *outbox, enum change_kind kind,
           const struct item *item, struct ofpbuf *message)
{
    *push_change(outbox) = (struct change){
        .kind = kind,
        .group = item ? item->group : 0,
        .bucket = item ? item->bucket : 0,
        .item = item_ref(item),
        .message = message,
    };
}

void
outbox_add_group(struct outbox *outbox, enum change_kind kind, uint32_t group,
                 uint32_t bucket)
{
    *push_change(outbox) = (struct change){
        .kind = kind,
        .group = group,
        .bucket = bucket,
    };
}

size_t
outbox_n_queued(const struct outbox *outbox)
{
    return outbox->n_queued - outbox->n_taken;
}

size_t
outbox_n_pending(const struct outbox *outbox)
{
    return outbox_n_queued(outbox) + outbox->n_sent;
}

bool
outbox_is_empty(const struct outbox *outbox)
{
    return !outbox_n_queued(outbox) && ovs_list_is_empty(&outbox->batches);
}

void
outbox_reopen(struct outbox *outbox, uint64_t sequence)
{
    struct batch *batch;

    LIST_FOR_EACH (batch, node, &outbox->batches) {
        if (batch->sequence >= sequence) {
            batch->sequence = sequence - 1;
        }
    }
}

/* Encoding. */

/* Appends the message of a change about one rule. */
static void
encode_rule(const struct outbox *outbox, struct change *change,
            struct ovs_list *messages)
{
    struct ofpbuf *message = STEAL(change->message);

    if (!message) {
        message = item_rule_encode(change->item,
                                   (change->kind == CHANGE_RULE_ADD
                                        ? OFPFC_ADD
                                        : OFPFC_DELETE_STRICT),
                                   outbox->openflow->protocol);
    }
    if (message) {
        ovs_list_push_back(messages, &message->list_node);
    } else {
        AUTO_TEXT *text = item_to_text(change->item);
        host_note_error(outbox->openflow->host, text, "cannot be said in %s",
                        openflow_version_name(outbox->openflow));
    }
}

static void
note_size(const struct outbox *outbox, const struct group_state *state)
{
    size_t n = group_n_usable(state);

    if (n < state->n_buckets) {
        AUTO_TEXT *name = mem_textf("group 0x%08" PRIx32, state->id);
        host_note_error(outbox->openflow->host, name,
                        "only %zu of %zu buckets fit a message; frames to "
                        "the others are not sent",
                        n, state->n_buckets);
    }
}

static void
encode_group(const struct outbox *outbox, const struct change *change,
             struct ovs_list *messages)
{
    struct group_state *state = groups_find(outbox->groups, change->group);

    /* It may be gone again; then its removal follows. */
    if (state) {
        state->is_queued = false;
        group_encode_whole(
            state,
            (change->kind == CHANGE_GROUP_ADD ? OFPGC11_ADD : OFPGC11_MODIFY),
            outbox->openflow->version, messages);
        note_size(outbox, state);
    }
}

static void
encode_change(const struct outbox *outbox, struct change *change,
              struct ovs_list *messages)
{
    struct ofpbuf *message = NULL;

    switch (change->kind) {
    case CHANGE_GROUP_ADD:
    case CHANGE_GROUP_SET:
        encode_group(outbox, change, messages);
        return;

    case CHANGE_RULE_ADD:
    case CHANGE_RULE_DELETE:
        encode_rule(outbox, change, messages);
        return;

    case CHANGE_BUCKET_SET:
        message = group_encode_remove(change->group, change->bucket);
        ovs_list_push_back(messages, &message->list_node);
        message = group_encode_insert(change->item);
        break;

    case CHANGE_BUCKET_ADD:
        message = group_encode_insert(change->item);
        break;

    case CHANGE_BUCKET_DELETE:
        message = group_encode_remove(change->group, change->bucket);
        break;

    case CHANGE_GROUP_DELETE:
        message =
            group_encode_delete(change->group, outbox->openflow->version);
        break;

    case N_CHANGE_KINDS:
    default:
        ovs_assert(false);
        return;
    }
    ovs_list_push_back(messages, &message->list_node);
}

/* Sending. */

static uint32_t
send_bundle_control(struct openflow *openflow, uint32_t bundle_id,
                    uint16_t type)
{
    struct ofputil_bundle_ctrl_msg control = {
        .bundle_id = bundle_id,
        .type = type,
        .flags = BUNDLE_FLAGS,
    };

    return openflow_send(openflow, ofputil_encode_bundle_ctrl_request(
                                       openflow->version, &control));
}

static void
count_message(struct counters *counters, const struct change *change)
{
    if (change->kind == CHANGE_RULE_ADD
        || change->kind == CHANGE_RULE_DELETE) {
        counters->flow_mods++;
    } else {
        counters->group_mods++;
    }
}

/* Sends one message of change 'index', wrapped if there is a bundle.  Takes
 * ownership. */
static void
send_message(struct outbox *outbox, struct batch *batch, size_t index,
             struct ofpbuf *message)
{
    struct openflow *openflow = outbox->openflow;
    uint32_t xid = openflow_xid(openflow);

    if (!batch->n_messages) {
        batch->first_xid = xid;
    }
    ARRAY_GROW(batch->message_changes, batch->n_messages, batch->allocated);
    batch->message_changes[batch->n_messages++] = index;
    count_message(&openflow->host->counters, &batch->changes[index]);

    if (batch->bundle_id) {
        struct ofp_header *header = message->data;
        ofpmsg_update_length(message);
        header->xid = htonl(xid);

        struct ofputil_bundle_add_msg add = {
            .bundle_id = batch->bundle_id,
            .flags = BUNDLE_FLAGS,
            .msg = header,
        };
        struct ofpbuf *wrapped =
            ofputil_encode_bundle_add(openflow->version, &add);
        ofpbuf_delete(message);
        message = wrapped;
    }
    openflow_send_xid(openflow, message, xid);
}

static struct batch *
take_batch(struct outbox *outbox)
{
    struct batch *batch = NEW(struct batch);
    size_t n = outbox_n_queued(outbox);

    batch->n_changes = n < MAX_BATCH ? n : MAX_BATCH;
    batch->changes = mem_clone(&outbox->queue[outbox->n_taken],
                               batch->n_changes * sizeof *batch->changes);
    outbox->n_taken += batch->n_changes;
    if (outbox->n_taken == outbox->n_queued) {
        outbox_clear(outbox);
    }
    ovs_list_push_back(&outbox->batches, &batch->node);
    outbox->n_sent += batch->n_changes;
    return batch;
}

static void
send_batch(struct outbox *outbox)
{
    struct openflow *openflow = outbox->openflow;
    struct counters *counters = &openflow->host->counters;
    struct batch *batch = take_batch(outbox);

    if (openflow->next_xid > UINT32_MAX / 2) {
        openflow->next_xid = 1; /* Contiguous within a batch. */
    }
    if (batch->n_changes > 1 && !outbox->is_plain && !outbox->has_no_bundles) {
        batch->bundle_id = outbox->next_bundle++;
        batch->open_xid = send_bundle_control(openflow, batch->bundle_id,
                                              OFPBCT_OPEN_REQUEST);
        counters->bundles++;
    }
    for (size_t i = 0; i < batch->n_changes; i++) {
        struct ovs_list messages = OVS_LIST_INITIALIZER(&messages);
        struct ofpbuf *message;

        encode_change(outbox, &batch->changes[i], &messages);
        LIST_FOR_EACH_POP (message, list_node, &messages) {
            send_message(outbox, batch, i, message);
        }
    }
    if (batch->bundle_id) {
        batch->close_xid = send_bundle_control(openflow, batch->bundle_id,
                                               OFPBCT_CLOSE_REQUEST);
        batch->commit_xid = send_bundle_control(openflow, batch->bundle_id,
                                                OFPBCT_COMMIT_REQUEST);
    }
    batch->barrier_xid = openflow_send(
        openflow, ofputil_encode_barrier_request(openflow->version));
    counters->barriers++;
    if (!outbox_n_queued(outbox)) {
        batch->sequence = openflow->switches->sequence;
    }
}

void
outbox_run(struct outbox *outbox)
{
    size_t budget = MAX_PER_TURN;

    while (outbox_n_queued(outbox) && outbox->n_sent < MAX_SENT
           && openflow_backlog(outbox->openflow) < RECONCILE_BACKLOG
           && !outbox->openflow->doom) {
        if (budget < MAX_BATCH) {
            loop_timer_set(outbox->timer, 0);
            break;
        }
        budget -= MAX_BATCH;
        send_batch(outbox);
    }
}

static void
outbox_continue(void *outbox)
{
    outbox_run(outbox);
}

/* Receiving. */

static char *
change_to_text(const struct change *change)
{
    if (change->item) {
        return item_to_text(change->item);
    }
    return (change->kind == CHANGE_RULE_DELETE
                ? mem_text("removal of a stale flow")
                : mem_textf("group 0x%08" PRIx32 " bucket %" PRIu32,
                            change->group, change->bucket));
}

static void
note_refusal(struct outbox *outbox, const struct change *change,
             enum ofperr error)
{
    struct host *host = outbox->openflow->host;
    AUTO_TEXT *text = change_to_text(change);
    const char *name = error ? ofperr_get_name(error) : "an unknown error";

    VLOG_WARN_RL(&rl, "switch %s: refused %s: %s", host->name, text, name);
    if (change->item) {
        host_note_error(host, text, "%s (cookie 0x%016" PRIx64 ")", name,
                        change->item->cookie);
    } else {
        host_note_error(host, text, "%s", name);
    }
    host->counters.refused++;
    outbox->n_refused++;
}

static void
note_message_error(struct outbox *outbox, struct batch *batch, size_t index,
                   enum ofperr error)
{
    if (!batch->bundle_id) {
        note_refusal(outbox, &batch->changes[batch->message_changes[index]],
                     error);
        return;
    }
    /* Whether it stops the bundle is seen when it is over. */
    if (!batch->errors) {
        batch->errors = mem_zalloc(batch->n_messages * sizeof *batch->errors);
    }
    batch->errors[index] = error ? error : OFPERR_OFPBRC_BAD_TYPE;
}

bool
outbox_take_error(struct outbox *outbox, uint32_t xid, enum ofperr error)
{
    struct batch *batch;

    LIST_FOR_EACH (batch, node, &outbox->batches) {
        if (batch->bundle_id
            && (xid == batch->open_xid || xid == batch->close_xid
                || xid == batch->commit_xid)) {
            batch->is_failed = true;
            if (xid == batch->open_xid) {
                outbox->has_no_bundles = true;
            }
            return true;
        }
        if (xid - batch->first_xid < batch->n_messages) {
            note_message_error(outbox, batch, xid - batch->first_xid, error);
            return true;
        }
        if (xid == batch->barrier_xid) {
            return true;
        }
    }
    return false;
}

static void
finish_batch(struct outbox *outbox, struct batch *batch, uint64_t *sequencep)
{
    ovs_list_remove(&batch->node);
    outbox->n_sent -= batch->n_changes;
    if (batch->is_failed) {
        VLOG_WARN_RL(&rl,
                     "switch %s: refused a bundle of %zu changes; "
                     "trying them one by one",
                     outbox->openflow->host->name, batch->n_changes);
        outbox->is_failed = true;
    } else {
        for (size_t i = 0; batch->errors && i < batch->n_messages; i++) {
            if (batch->errors[i]) {
                note_refusal(outbox,
                             &batch->changes[batch->message_changes[i]],
                             batch->errors[i]);
            }
        }
        if (batch->sequence) {
            *sequencep = batch->sequence;
        }
    }
    batch_destroy(batch);
}

bool
outbox_take_barrier(struct outbox *outbox, uint32_t xid, uint64_t *sequencep)
{
    struct batch *batch;
    bool is_ours = false;

    *sequencep = 0;
    LIST_FOR_EACH (batch, node, &outbox->batches) {
        is_ours = is_ours || batch->barrier_xid == xid;
    }
    if (!is_ours) {
        return false;
    }

    /* Replies come in order: what was sent before is through as well. */
    LIST_FOR_EACH_SAFE (batch, node, &outbox->batches) {
        bool is_last = batch->barrier_xid == xid;

        finish_batch(outbox, batch, sequencep);
        if (is_last) {
            break;
        }
    }
    return true;
}
