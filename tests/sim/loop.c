/* SPDX-License-Identifier: Apache-2.0 */

/* "base/loop.h" under a virtual clock: time, chance, timers and work.
 * Channels are in channel.c, the disk in disk.c.
 *
 * Everything that will happen is a 'struct happening' in one heap, ordered by
 * time and, at the same time, by when it was scheduled:
 *
 *     now ──► 120 timer ── 133 data arrives ── 133 timer ── 140 work done
 *
 * The clock jumps from one to the next.  A turn is all that is due at one
 * time, as far as it was scheduled when the turn began, and then the deferred
 * calls.  A timer takes at least 1 us, so that time passes even if a callback
 * always sets one without delay.
 *
 * All chance comes from one generator (splitmix64), so a run is a function of
 * the seed and of the program.  What the program does must not depend on
 * addresses in memory; nothing here does. */

#include "sim/sim-private.h"

#define FIRST_WALL_TIME 1700000000.0

struct deferred {
    struct ovs_list node;
    void (*cb)(void *aux);
    void *aux;
};

struct job {
    struct ovs_list node; /* In its lane's 'jobs'. */
    void (*work)(void *aux);
    void (*done)(void *aux);
    void *aux;
};

struct lane {
    struct ovs_list jobs; /* The first is being worked on. */
    bool worked;          /* For the first, only 'done' is left. */
    struct happening step;
};

struct loop {
    uint64_t now;
    uint64_t random; /* State of the generator. */
    bool stopping;
    uint64_t n_turns;

    struct happening **heap;
    size_t n_heap;
    size_t allocated_heap;
    uint64_t next_sequence;
    size_t n_busy; /* In the heap and not 'idle'. */

    struct ovs_list deferred;
    struct lane lanes[N_LANES];
    uint64_t min_latency, max_latency;
    uint64_t min_work, max_work;
    struct net *net;
};

struct timer {
    struct happening happening;
    void (*cb)(void *aux);
    void *aux;
};

struct fdwatch {
    int fd;
};

static void lane_step(void *lane);

/* The heap. */

static bool
is_before(const struct happening *a, const struct happening *b)
{
    return a->due < b->due || (a->due == b->due && a->sequence < b->sequence);
}

static void
heap_place(struct loop *loop, size_t i, struct happening *h)
{
    loop->heap[i] = h;
    h->position = i + 1;
}

static void
heap_up(struct loop *loop, size_t i, struct happening *h)
{
    while (i > 0 && is_before(h, loop->heap[(i - 1) / 2])) {
        heap_place(loop, i, loop->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    heap_place(loop, i, h);
}

static void
heap_down(struct loop *loop, size_t i, struct happening *h)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < loop->n_heap
            && is_before(loop->heap[child + 1], loop->heap[child])) {
            child++;
        }
        if (child >= loop->n_heap || is_before(h, loop->heap[child])) {
            break;
        }
        heap_place(loop, i, loop->heap[child]);
        i = child;
    }
    heap_place(loop, i, h);
}

void
happening_init(struct happening *h, struct loop *loop, void (*cb)(void *aux),
               void *aux)
{
    *h = (struct happening){ .loop = loop, .cb = cb, .aux = aux };
}

void
happening_schedule(struct happening *h, uint64_t delay_us)
{
    struct loop *loop = h->loop;

    happening_cancel(h);
    h->due = loop->now + delay_us;
    h->sequence = loop->next_sequence++;
    ARRAY_GROW(loop->heap, loop->n_heap, loop->allocated_heap);
    heap_up(loop, loop->n_heap++, h);
    loop->n_busy += !h->idle;
}

void
happening_hasten(struct happening *h, uint64_t delay_us)
{
    if (!h->position || h->due > h->loop->now + delay_us) {
        happening_schedule(h, delay_us);
    }
}

void
happening_cancel(struct happening *h)
{
    if (!h->position) {
        return;
    }

    struct loop *loop = h->loop;
    size_t i = h->position - 1;
    struct happening *last = loop->heap[--loop->n_heap];

    h->position = 0;
    loop->n_busy -= !h->idle;
    if (last != h) {
        if (i > 0 && is_before(last, loop->heap[(i - 1) / 2])) {
            heap_up(loop, i, last);
        } else {
            heap_down(loop, i, last);
        }
    }
}

/* Turns. */

static void
run_deferred(struct loop *loop)
{
    if (ovs_list_is_empty(&loop->deferred)) {
        return;
    }

    struct ovs_list batch;
    ovs_list_move(&batch, &loop->deferred);
    ovs_list_init(&loop->deferred);

    struct deferred *deferred;
    LIST_FOR_EACH_POP (deferred, node, &batch) {
        void (*cb)(void *) = deferred->cb;
        void *aux = deferred->aux;

        free(deferred);
        cb(aux);
    }
}

static void
run_turn(struct loop *loop)
{
    uint64_t end = loop->next_sequence;

    while (loop->n_heap && loop->heap[0]->due <= loop->now
           && loop->heap[0]->sequence < end) {
        struct happening *h = loop->heap[0];

        happening_cancel(h);
        h->cb(h->aux);
    }
    run_deferred(loop);
    loop->n_turns++;
}

/* Goes to the next time when there is something to do, and does it, unless
 * that is after 'limit'. */
static bool
step(struct loop *loop, uint64_t limit)
{
    if (ovs_list_is_empty(&loop->deferred)) {
        if (!loop->n_heap || loop->heap[0]->due > limit) {
            return false;
        }
        if (loop->heap[0]->due > loop->now) {
            loop->now = loop->heap[0]->due;
        }
    }
    run_turn(loop);
    return true;
}

struct loop *
loop_create(void)
{
    struct loop *loop = NEW(struct loop);

    loop->now = SECOND; /* So that 0 can mean "never". */
    loop->min_latency = 50;
    loop->max_latency = 500;
    loop->min_work = 50;
    loop->max_work = 2000;
    ovs_list_init(&loop->deferred);
    for (int i = 0; i < N_LANES; i++) {
        struct lane *lane = &loop->lanes[i];
        ovs_list_init(&lane->jobs);
        happening_init(&lane->step, loop, lane_step, lane);
    }
    loop->net = NEW(struct net);
    net_init(loop->net);
    return loop;
}

void
loop_destroy(struct loop *loop)
{
    if (!loop) {
        return;
    }

    struct deferred *deferred;
    LIST_FOR_EACH_POP (deferred, node, &loop->deferred) {
        free(deferred);
    }
    for (int i = 0; i < N_LANES; i++) {
        struct lane *lane = &loop->lanes[i];
        bool worked = lane->worked;
        struct job *job;

        LIST_FOR_EACH_POP (job, node, &lane->jobs) {
            if (!worked) {
                job->work(job->aux);
            }
            worked = false;
            free(job);
        }
    }
    net_uninit(loop->net);
    free(loop->net);
    free(loop->heap);
    free(loop);
}

/* Returns also if nothing is left that could ever happen. */
void
loop_run(struct loop *loop)
{
    while (!loop->stopping && step(loop, UINT64_MAX)) {
        continue;
    }
    loop->stopping = false;
}

void
loop_run_once(struct loop *loop, int timeout_ms)
{
    uint64_t limit =
        (timeout_ms < 0 ? UINT64_MAX : loop->now + timeout_ms * MILLISECOND);

    if (!step(loop, limit) && timeout_ms > 0) {
        loop->now = limit;
    }
}

void
loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

uint64_t
loop_now(const struct loop *loop)
{
    return loop->now;
}

double
loop_wall(const struct loop *loop)
{
    return FIRST_WALL_TIME + loop->now / 1e6;
}

/* splitmix64, public domain by Sebastiano Vigna. */
static uint64_t
next_random(struct loop *loop)
{
    uint64_t x = loop->random += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

void
loop_random(struct loop *loop, void *data, size_t size)
{
    uint8_t *p = data;

    for (size_t i = 0; i < size; i++) {
        p[i] = next_random(loop) >> 56;
    }
}

void
loop_defer(struct loop *loop, void (*cb)(void *aux), void *aux)
{
    struct deferred *deferred = NEW(struct deferred);

    deferred->cb = cb;
    deferred->aux = aux;
    ovs_list_push_back(&loop->deferred, &deferred->node);
}

static void
timer_fire(void *timer_)
{
    struct timer *timer = timer_;

    timer->cb(timer->aux);
}

struct timer *
loop_timer_create(struct loop *loop, void (*cb)(void *aux), void *aux)
{
    struct timer *timer = NEW(struct timer);

    happening_init(&timer->happening, loop, timer_fire, timer);
    timer->happening.idle = true;
    timer->cb = cb;
    timer->aux = aux;
    return timer;
}

void
loop_timer_set(struct timer *timer, uint64_t delay_us)
{
    happening_schedule(&timer->happening, delay_us ? delay_us : 1);
}

void
loop_timer_cancel(struct timer *timer)
{
    happening_cancel(&timer->happening);
}

void
loop_timer_destroy(struct timer *timer)
{
    if (timer) {
        happening_cancel(&timer->happening);
        free(timer);
    }
}

/* There are no signals here. */
void
loop_on_signal(struct loop *loop OVS_UNUSED, int signo OVS_UNUSED,
               void (*cb)(int signo, void *) OVS_UNUSED, void *aux OVS_UNUSED)
{
}

/* Nor descriptors. */
struct fdwatch *
loop_watch_fd(struct loop *loop OVS_UNUSED, int fd,
              void (*cb)(void *aux) OVS_UNUSED, void *aux OVS_UNUSED)
{
    struct fdwatch *watch = NEW(struct fdwatch);

    watch->fd = fd;
    return watch;
}

void
loop_unwatch_fd(struct fdwatch *watch)
{
    free(watch);
}

static void
lane_schedule(struct lane *lane)
{
    struct loop *loop = lane->step.loop;

    happening_schedule(
        &lane->step, sim_random(loop, loop->min_work / 2, loop->max_work / 2));
}

/* Half of the time passes before the work, half between it and 'done': a crash
 * may come before, or after, what it did to the disk. */
static void
lane_step(void *lane_)
{
    struct lane *lane = lane_;
    struct job *job =
        CONTAINER_OF(ovs_list_front(&lane->jobs), struct job, node);

    if (!lane->worked) {
        lane->worked = true;
        lane_schedule(lane);
        job->work(job->aux);
        return;
    }

    ovs_list_remove(&job->node);
    lane->worked = false;
    if (!ovs_list_is_empty(&lane->jobs)) {
        lane_schedule(lane);
    }

    void (*done)(void *) = job->done;
    void *aux = job->aux;
    free(job);
    done(aux);
}

void
loop_work(struct loop *loop, enum loop_lane index, void (*work)(void *aux),
          void (*done)(void *aux), void *aux)
{
    struct lane *lane = &loop->lanes[index];
    struct job *job = NEW(struct job);

    job->work = work;
    job->done = done;
    job->aux = aux;
    ovs_list_push_back(&lane->jobs, &job->node);
    if (!happening_is_scheduled(&lane->step) && !lane->worked
        && ovs_list_is_singleton(&lane->jobs)) {
        lane_schedule(lane);
    }
}

/* What only tests can do. */

void
sim_seed(struct loop *loop, uint64_t seed)
{
    loop->random = seed;
}

uint64_t
sim_random(struct loop *loop, uint64_t min, uint64_t max)
{
    return min >= max ? min : min + next_random(loop) % (max - min + 1);
}

bool
sim_chance(struct loop *loop, int percent)
{
    return next_random(loop) % 100 < percent;
}

void
sim_advance(struct loop *loop, uint64_t us)
{
    uint64_t end = loop->now + us;

    while (step(loop, end)) {
        continue;
    }
    loop->now = end;
}

bool
sim_run_until(struct loop *loop, bool (*predicate)(void *aux), void *aux,
              uint64_t max_us)
{
    uint64_t end = loop->now + max_us;

    while (!predicate(aux)) {
        if (loop->stopping) {
            return false;
        } else if (!step(loop, end)) {
            loop->now = end;
            return predicate(aux);
        }
    }
    return true;
}

bool
sim_is_quiet(const struct loop *loop)
{
    return !loop->n_busy && ovs_list_is_empty(&loop->deferred);
}

static bool
is_quiet(void *loop)
{
    return sim_is_quiet(loop);
}

bool
sim_settle(struct loop *loop, uint64_t max_us)
{
    return sim_run_until(loop, is_quiet, loop, max_us);
}

uint64_t
sim_n_turns(const struct loop *loop)
{
    return loop->n_turns;
}

void
sim_set_latency(struct loop *loop, uint64_t min_us, uint64_t max_us)
{
    loop->min_latency = min_us;
    loop->max_latency = max_us;
}

void
sim_set_work_time(struct loop *loop, uint64_t min_us, uint64_t max_us)
{
    loop->min_work = min_us;
    loop->max_work = max_us;
}

uint64_t
loop_latency(struct loop *loop)
{
    return sim_random(loop, loop->min_latency, loop->max_latency);
}

struct net *
loop_net(const struct loop *loop)
{
    return loop->net;
}
