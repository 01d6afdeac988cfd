/* SPDX-License-Identifier: Apache-2.0 */
/* Reconciliation: one path for first contact, reconnect, restart and repair.
 *
 *     WAIT_READY ──ready──► WAIT_TURN ──► DUMP ──compare──► PUSH ──► DONE
 *          ▲                                                 │        │
 *          └── DRAIN ◄── a bundle failed, too much is queued ┴────────┘
 *
 * WAIT_READY ends when the owner, having been told the host's facts, says
 * that the scopes are complete, so that what is about to be wanted is never
 * removed.  It always says so in the end: see switches_ready().  What is
 * wanted is read from the scopes at that moment and kept true by deltas from
 * then on, because the compiler may be half-way through a run at any other
 * time.
 *
 * In PUSH and DONE a delta becomes changes at once.  While there is too much
 * under way already (a slow switch), nothing is queued any more: DRAIN waits
 * until what was sent is through, and then all is compared again.
 *
 * A change that a switch refuses is named to the operator, does not hold up
 * the others, and is tried again by a comparison after RETRY_MIN_MS, then
 * twice that, and so on; never in a loop.
 *
 * Only so many dumps run at once over all switches, so that a thousand
 * reconnects need the memory of a few. */

#include "switches/reconcile.h"

#include <inttypes.h>

#include "openvswitch/vlog.h"
#include "switches/outbox.h"

VLOG_DEFINE_THIS_MODULE(reconcile);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 60);

enum {
    MAX_QUEUED = 64 * 1024, /* Changes of deltas that wait. */
    MAX_DUMPS = 32,
    MAX_VIEWS = 16, /* Of one switch, waiting. */
    RETRY_MIN_MS = 5 * 1000,
    RETRY_MAX_MS = 300 * 1000,
    DUMP_TIMEOUT_MS = 60 * 1000, /* Without any part of an answer. */
    VIEW_TIMEOUT_MS = 30 * 1000,
    TICK_MS = 500,
    MAX_VIEW_TRIES = 3,
};

/* Each with its exits. */
#define SYNC_STATES                                                           \
    SYNC_STATE(WAIT_READY, "waiting for the compiler")  /* WAIT_TURN. */      \
    SYNC_STATE(WAIT_TURN, "waiting for other switches") /* DUMP. */           \
    SYNC_STATE(DUMP, "reading tables")                  /* PUSH. */           \
    SYNC_STATE(PUSH, "writing")                         /* DONE, DRAIN. */    \
    SYNC_STATE(DONE, "in step")                         /* DRAIN. */          \
    SYNC_STATE(DRAIN, "catching up")                    /* WAIT_READY. */
enum sync_state {
#define SYNC_STATE(ID, TEXT) SYNC_##ID,
    SYNC_STATES
#undef SYNC_STATE
};

static const char *const state_texts[] = {
#define SYNC_STATE(ID, TEXT) [SYNC_##ID] = TEXT,
    SYNC_STATES
#undef SYNC_STATE
};

struct view {
    struct ovs_list node; /* In 'views'. */
    enum audit_purpose purpose;
    void (*done)(struct json *, void *aux);
    void *aux;
    uint64_t deadline;
    uint64_t n_deltas; /* When its dump began. */
    unsigned int n_tries;
};

struct reconcile {
    struct openflow *openflow;
    enum sync_state state;
    struct groups groups; /* What is wanted. */
    struct outbox outbox;
    struct audit *audit; /* WAIT_TURN, DUMP. */
    uint64_t dump_deadline;

    struct ovs_list views; /* The first is under way if 'view_audit'. */
    struct audit *view_audit;
    uint64_t n_deltas;

    bool is_told; /* WAIT_READY: the owner has the facts. */
    uint64_t retry_ms;
    uint64_t retry_time; /* When to compare again; 0: no need. */
    struct timer *timer; /* Every TICK_MS if anything is waited for. */
    bool is_timer_set;   /* Setting it again would put it off. */
};

static void start_dump(struct reconcile *);
static void begin_drain(struct reconcile *);
static void advance(struct reconcile *);
static void next_view(struct reconcile *);
static uint64_t now(const struct reconcile *);
static void arm_timer(struct reconcile *);
static void reconcile_tick(void *);

struct reconcile *
reconcile_create(struct openflow *openflow)
{
    struct reconcile *r = NEW(struct reconcile);

    r->openflow = openflow;
    r->state = SYNC_WAIT_READY;
    groups_init(&r->groups);
    outbox_init(&r->outbox, openflow, &r->groups);
    ovs_list_init(&r->views);
    r->timer = loop_timer_create(openflow->switches->loop, reconcile_tick, r);
    return r;
}

/* Takes the first view off and gives it its result. */
static void
answer_view(struct reconcile *r, struct json *result)
{
    struct view *view =
        CONTAINER_OF(ovs_list_pop_front(&r->views), struct view, node);
    view->done(result, view->aux);
    free(view);
}

static struct json *
error_json(const char *text)
{
    struct json *json = json_object_create();

    json_object_put_string(json, "error", text);
    return json;
}

static void
end_dump(struct reconcile *r)
{
    if (r->state == SYNC_DUMP) {
        r->openflow->switches->n_dumps--;
    }
    audit_destroy(r->audit);
    r->audit = NULL;
}

void
reconcile_destroy(struct reconcile *r)
{
    if (!r) {
        return;
    }

    struct switches *switches = r->openflow->switches;
    bool was_dumping = r->state == SYNC_DUMP;
    while (!ovs_list_is_empty(&r->views)) {
        answer_view(r, error_json("the switch disconnected"));
    }
    end_dump(r);
    audit_destroy(r->view_audit);
    outbox_uninit(&r->outbox);
    groups_uninit(&r->groups);
    loop_timer_destroy(r->timer);
    r->openflow->reconcile = NULL;
    free(r);
    if (was_dumping) {
        switches_end_dump(switches);
    }
}

bool
reconcile_is_waiting(const struct reconcile *r)
{
    return r->state == SYNC_WAIT_READY || r->state == SYNC_WAIT_TURN;
}

bool
reconcile_is_done(const struct reconcile *r)
{
    return r->state == SYNC_DONE && outbox_is_empty(&r->outbox);
}

size_t
reconcile_n_pending(const struct reconcile *r)
{
    return outbox_n_pending(&r->outbox);
}

const char *
reconcile_state_name(const struct reconcile *r)
{
    return state_texts[r->state];
}

static uint64_t
now(const struct reconcile *r)
{
    return loop_now(r->openflow->switches->loop);
}

static void
arm_timer(struct reconcile *r)
{
    if (!r->is_timer_set) {
        r->is_timer_set = true;
        loop_timer_set(r->timer, TICK_MS * UINT64_C(1000));
    }
}

/* What is wanted. */

static void
put_group(const struct item *item, void *groups)
{
    bool is_new, replaced;

    if (item->kind == ITEM_GROUP || item->kind == ITEM_BUCKET) {
        groups_put(groups, item, &is_new, &replaced);
    }
}

/* Reads what is wanted from the scopes. */
static void
take_wanted(struct reconcile *r)
{
    struct switches *switches = r->openflow->switches;

    groups_clear(&r->groups);
    audit_for_each_wanted(switches->scopes, &r->openflow->host->id, put_group,
                          &r->groups);
    r->audit = audit_create(r->openflow, AUDIT_REPAIR);
    r->state = SYNC_WAIT_TURN;
    r->is_told = false;
    host_update_tunnels(r->openflow->host);
    reconcile_take_turn(r);
}

void
reconcile_ready(struct reconcile *r)
{
    if (r->state == SYNC_WAIT_READY && r->is_told) {
        take_wanted(r);
    }
}

void
reconcile_expect_ready(struct reconcile *r)
{
    r->is_told = true;
}

void
reconcile_take_turn(struct reconcile *r)
{
    if (r->state == SYNC_WAIT_TURN
        && r->openflow->switches->n_dumps < MAX_DUMPS) {
        start_dump(r);
    }
}

static void
start_dump(struct reconcile *r)
{
    r->state = SYNC_DUMP;
    r->openflow->switches->n_dumps++;
    r->openflow->host->counters.resyncs++;
    r->dump_deadline = now(r) + DUMP_TIMEOUT_MS * UINT64_C(1000);
    audit_start(r->audit);
    arm_timer(r);
}

/* Whether single buckets of a group can be changed; else it is said whole. */
static bool
can_change_buckets(const struct reconcile *r, const struct group_state *state)
{
    return (r->openflow->version >= OFP15_VERSION
            && group_n_usable(state) == state->n_buckets);
}

/* Enters a wanted group or bucket; queues it if 'outbox' is not null. */
static void
want_group(struct reconcile *r, const struct item *item, struct outbox *outbox)
{
    bool is_new, replaced;
    struct group_state *state =
        groups_put(&r->groups, item, &is_new, &replaced);

    if (!outbox || state->is_queued) {
        return;
    }
    if (is_new) {
        state->is_queued = true;
        outbox_add_group(outbox, CHANGE_GROUP_ADD, item->group, 0);
    } else if (item->kind == ITEM_BUCKET && can_change_buckets(r, state)) {
        outbox_add(outbox, (replaced ? CHANGE_BUCKET_SET : CHANGE_BUCKET_ADD),
                   item, NULL);
    } else if (item->kind == ITEM_BUCKET) {
        state->is_queued = true;
        outbox_add_group(outbox, CHANGE_GROUP_SET, item->group, 0);
    }
}

static void
unwant_group(struct reconcile *r, const struct item *item,
             struct outbox *outbox)
{
    struct group_state *state = groups_find(&r->groups, item->group);
    bool was_there = state != NULL;
    bool is_singly = was_there && can_change_buckets(r, state);

    state = groups_take(&r->groups, item);
    if (!outbox || !was_there || (state && state->is_queued)) {
        return;
    }
    if (!state) {
        outbox_add_group(outbox, CHANGE_GROUP_DELETE, item->group, 0);
    } else if (item->kind == ITEM_BUCKET && is_singly) {
        outbox_add_group(outbox, CHANGE_BUCKET_DELETE, item->group,
                         item->bucket);
    } else if (item->kind == ITEM_BUCKET) {
        state->is_queued = true;
        outbox_add_group(outbox, CHANGE_GROUP_SET, item->group, 0);
    }
}

/* Takes over the items of one kind of a delta, wanted or removed. */
static void
take_items(struct reconcile *r, const struct item *const *items, size_t n,
           bool is_rule, bool is_wanted)
{
    bool is_sending = r->state == SYNC_PUSH || r->state == SYNC_DONE;
    struct outbox *outbox = is_sending ? &r->outbox : NULL;

    for (size_t i = 0; i < n; i++) {
        const struct item *item = items[i];

        if (item->kind == ITEM_TUNNEL
            || (item->kind == ITEM_RULE) != is_rule) {
            continue;
        }
        if (!is_rule) {
            (is_wanted ? want_group : unwant_group)(r, item, outbox);
        } else if (outbox) {
            outbox_add(outbox,
                       (is_wanted ? CHANGE_RULE_ADD : CHANGE_RULE_DELETE),
                       item, NULL);
        } else if (r->audit) {
            (is_wanted ? audit_want : audit_unwant)(r->audit, item);
        }
    }
}

void
reconcile_delta(struct reconcile *r, const struct scope_delta *delta)
{
    if (r->state == SYNC_WAIT_READY || r->state == SYNC_DRAIN) {
        return; /* All is read from the scopes later. */
    }

    r->n_deltas++;
    outbox_reopen(&r->outbox, r->openflow->switches->sequence);
    take_items(r, delta->wanted, delta->n_wanted, false, true);
    take_items(r, delta->wanted, delta->n_wanted, true, true);
    take_items(r, delta->removed, delta->n_removed, true, false);
    take_items(r, delta->removed, delta->n_removed, false, false);

    if (r->state == SYNC_DONE && outbox_n_queued(&r->outbox) > MAX_QUEUED) {
        VLOG_INFO_RL(&rl,
                     "switch %s: too slow for the changes; they are "
                     "put together",
                     r->openflow->host->name);
        begin_drain(r);
        return;
    }
    outbox_run(&r->outbox);
}

void
reconcile_run(struct reconcile *r)
{
    outbox_run(&r->outbox);
}

/* Steps. */

/* Nothing more is queued; when all that was sent is through, everything is
 * compared. */
static void
begin_drain(struct reconcile *r)
{
    r->state = SYNC_DRAIN;
    outbox_clear(&r->outbox);
    advance(r);
}

static void
begin_again(struct reconcile *r)
{
    r->state = SYNC_WAIT_READY;
    r->outbox.is_plain = r->outbox.is_failed || r->outbox.n_refused;
    r->outbox.is_failed = false;
    r->outbox.n_refused = 0;
    r->retry_time = 0;
    host_request_ready(r->openflow->host);
}

/* All changes of a comparison are through. */
static void
finish_push(struct reconcile *r)
{
    r->state = SYNC_DONE;
    r->outbox.is_plain = false;
    if (!r->outbox.n_refused) {
        r->retry_ms = 0;
    }
    next_view(r);
}

/* Sets the time of the next attempt after something was refused. */
static void
plan_retry(struct reconcile *r)
{
    if (!r->outbox.n_refused || r->retry_time) {
        return;
    }
    r->retry_ms = (!r->retry_ms                     ? RETRY_MIN_MS
                   : r->retry_ms < RETRY_MAX_MS / 2 ? 2 * r->retry_ms
                                                    : RETRY_MAX_MS);
    r->retry_time = now(r) + 1000 * r->retry_ms;
    arm_timer(r);
}

static void
advance(struct reconcile *r)
{
    if (r->state == SYNC_PUSH || r->state == SYNC_DONE) {
        if (r->outbox.is_failed) {
            r->state = SYNC_DRAIN;
            outbox_clear(&r->outbox);
        } else {
            plan_retry(r);
        }
    }
    if (!outbox_is_empty(&r->outbox)) {
        return;
    }
    if (r->state == SYNC_PUSH) {
        finish_push(r);
        host_acknowledge(r->openflow->host, r->openflow->switches->sequence);
    } else if (r->state == SYNC_DRAIN) {
        begin_again(r);
    }
}

/* The dump is complete. */
static void
compare(struct reconcile *r)
{
    bool was_empty = audit_repair(r->audit, &r->groups, &r->outbox);
    struct host *host = r->openflow->host;

    end_dump(r);
    r->state = SYNC_PUSH;
    r->outbox.is_plain = r->outbox.is_plain || was_empty;
    VLOG_INFO("switch %s: %zu differences", host->name,
              outbox_n_queued(&r->outbox));
    outbox_run(&r->outbox);
    advance(r);
    switches_end_dump(host->switches);
}

/* Messages from the switch. */

void
reconcile_take_barrier(struct reconcile *r, uint32_t xid)
{
    uint64_t sequence;

    if (!outbox_take_barrier(&r->outbox, xid, &sequence)) {
        return;
    }
    outbox_run(&r->outbox);
    /* Whoever claims a sequence was the last of the queue: the comparison is
     * through, even if deltas have been added since. */
    if (r->state == SYNC_PUSH && sequence && !r->outbox.is_failed) {
        finish_push(r);
    }
    advance(r);
    if (reconcile_is_done(r)) {
        /* Also what was published since and is not for this host. */
        host_acknowledge(r->openflow->host, r->openflow->switches->sequence);
    } else if (sequence && r->state == SYNC_DONE) {
        host_acknowledge(r->openflow->host, sequence);
    }
}

void
reconcile_take_error(struct reconcile *r, uint32_t xid, enum ofperr error)
{
    if (outbox_take_error(&r->outbox, xid, error)) {
        return;
    }

    const char *name = error ? ofperr_get_name(error) : "an unknown error";
    if ((r->state == SYNC_DUMP && audit_owns_xid(r->audit, xid))
        || (r->view_audit && audit_owns_xid(r->view_audit, xid))) {
        openflow_doom(r->openflow, "refuses to show its tables: %s", name);
    } else {
        VLOG_WARN_RL(&rl, "switch %s: %s for message 0x%08" PRIx32,
                     r->openflow->host->name, name, xid);
        host_note_error(r->openflow->host, NULL, "%s", name);
    }
}

/* The view's dump is complete. */
static void
finish_view(struct reconcile *r)
{
    struct view *view =
        CONTAINER_OF(ovs_list_front(&r->views), struct view, node);
    struct audit *audit = STEAL(r->view_audit);
    struct json *result =
        (view->purpose == AUDIT_LIST ? audit_list(audit)
                                     : audit_check(audit, &r->groups));
    bool ok = true;

    audit_destroy(audit);
    (void) jget_bool(result, "ok", &ok); /* A list has none. */
    if (!ok && view->n_deltas != r->n_deltas
        && ++view->n_tries < MAX_VIEW_TRIES) {
        json_destroy(result); /* It looked at a moving target. */
    } else {
        answer_view(r, result);
    }
    next_view(r);
}

static void
note_progress(struct reconcile *r)
{
    r->dump_deadline = now(r) + DUMP_TIMEOUT_MS * UINT64_C(1000);
}

struct err *
reconcile_take_flows(struct reconcile *r, const struct ofp_header *oh)
{
    struct err *err = NULL;
    bool done = false;

    if (r->state == SYNC_DUMP) {
        note_progress(r);
        err = audit_take_flows(r->audit, oh, &done);
        if (done) {
            compare(r);
        }
    } else if (r->view_audit) {
        err = audit_take_flows(r->view_audit, oh, &done);
        if (done) {
            finish_view(r);
        }
    }
    return err;
}

struct err *
reconcile_take_groups(struct reconcile *r, const struct ofp_header *oh)
{
    bool done;

    if (r->state == SYNC_DUMP) {
        note_progress(r);
        return audit_take_groups(r->audit, oh, &done);
    } else if (r->view_audit) {
        return audit_take_groups(r->view_audit, oh, &done);
    }
    return NULL;
}

/* Views. */

/* Starts the next view.  Only when nothing is under way, so that what is
 * dumped is what was acknowledged. */
static void
next_view(struct reconcile *r)
{
    if (!r->view_audit && !ovs_list_is_empty(&r->views)
        && r->state == SYNC_DONE) {
        struct view *view =
            CONTAINER_OF(ovs_list_front(&r->views), struct view, node);
        view->n_deltas = r->n_deltas;
        r->view_audit = audit_create(r->openflow, view->purpose);
        audit_start(r->view_audit);
    }
}

void
reconcile_view(struct reconcile *r, enum audit_purpose purpose,
               void (*done)(struct json *, void *aux), void *aux)
{
    struct view *view = NEW(struct view);

    *view = (struct view){
        .purpose = purpose,
        .done = done,
        .aux = aux,
        .deadline = now(r) + VIEW_TIMEOUT_MS * UINT64_C(1000),
    };
    if (ovs_list_size(&r->views) >= MAX_VIEWS) {
        view->deadline = 0; /* Answered by the next tick. */
    }
    ovs_list_push_back(&r->views, &view->node);
    next_view(r);
    arm_timer(r);
}

static void
expire_views(struct reconcile *r)
{
    struct view *view;

    LIST_FOR_EACH_SAFE (view, node, &r->views) {
        if (now(r) < view->deadline) {
            continue;
        }
        if (r->view_audit && &view->node == ovs_list_front(&r->views)) {
            audit_destroy(r->view_audit);
            r->view_audit = NULL;
        }
        ovs_list_remove(&view->node);
        view->done(error_json(r->state == SYNC_DONE
                                  ? "the switch did not answer in time"
                                  : state_texts[r->state]),
                   view->aux);
        free(view);
    }
    next_view(r);
}

static void
reconcile_tick(void *r_)
{
    struct reconcile *r = r_;

    r->is_timer_set = false;
    expire_views(r);
    if (r->state == SYNC_DUMP && now(r) > r->dump_deadline) {
        openflow_doom(r->openflow, "does not show its tables");
        return;
    }
    if (r->retry_time && now(r) >= r->retry_time && r->state == SYNC_DONE) {
        begin_drain(r);
    }
    if (r->retry_time || r->state == SYNC_DUMP
        || !ovs_list_is_empty(&r->views)) {
        arm_timer(r);
    }
}
