/* SPDX-License-Identifier: Apache-2.0 */

/* The loop on libevent: turns, deferred calls, timers, signals, and work in
 * helper threads.  Channels are in channel.c.
 *
 * A turn is one round of libevent, which ends when no event is active any
 * more, and then the deferred calls that were handed in until then:
 *
 *     wait ─► timers, sockets, signals, finished work ─► deferred calls ─┐
 *      ▲                                                                 │
 *      └─────────────────────────────────────────────────────────────────┘
 *
 * A call deferred by a deferred call belongs to the next turn, which then does
 * not wait.
 *
 * Time is read afresh for each timer (EVENT_BASE_FLAG_NO_CACHE_TIME) from the
 * same clock as loop_now(), so that a timer never fires before loop_now() says
 * that its delay is over.
 *
 * Helper threads, one per lane, start with the first work for their lane.
 * They touch nothing but the queues of 'struct lane', under the one mutex of
 * the loop, and wake the loop through an eventfd, so libevent itself needs no
 * locks.  All signals are blocked in them.
 *
 * Everything made from a loop must be destroyed before it. */

#include "base/loop-private.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

struct deferred {
    struct ovs_list node; /* In 'struct loop's 'deferred'. */
    void (*cb)(void *aux);
    void *aux;
};

struct job {
    struct ovs_list node; /* In a lane's queue, then in 'finished'. */
    void (*work)(void *aux);
    void (*done)(void *aux);
    void *aux;
};

/* A helper thread and the work it has yet to do. */
struct lane {
    struct loop *loop;
    bool started;
    bool stopping; /* Under the mutex, like 'jobs'. */
    pthread_t thread;
    pthread_cond_t cond;
    struct ovs_list jobs;
};

struct loop {
    struct event_base *base;
    bool stopping;
    struct ovs_list deferred;
    struct ovs_list signals; /* Of 'struct signal_watch'. */
    struct event *timeout;   /* Ends the wait of loop_run_once(). */

    /* Work. */
    pthread_mutex_t mutex;
    struct lane lanes[N_LANES];
    struct ovs_list finished; /* Jobs to call 'done' for.  Under 'mutex'. */
    int wake_fd;
    struct event *wake;
};

struct timer {
    struct event *event;
    void (*cb)(void *aux);
    void *aux;
};

struct signal_watch {
    struct ovs_list node;
    struct event *event;
    void (*cb)(int signo, void *aux);
    void *aux;
};

struct fdwatch {
    struct event *event;
    void (*cb)(void *aux);
    void *aux;
};

static void ignore_event(int fd, short what, void *aux);
static void finish_jobs(int fd, short what, void *loop);
static void lane_stop(struct lane *);
static void run_deferred(struct loop *);
static void run_turn(struct loop *, int flags);
static void *lane_main(void *lane);

static void
check(bool ok, const char *what)
{
    if (!ok) {
        ovs_assert_failure(OVS_SOURCE_LOCATOR, "loop", what);
    }
}

/* Returns a new loop for the calling thread.  Also makes the process ignore
 * SIGPIPE. */
struct loop *
loop_create(void)
{
    struct loop *loop = NEW(struct loop);

    signal(SIGPIPE, SIG_IGN);

    struct event_config *config = event_config_new();
    check(config, "event_config_new");
    event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
    event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    check(loop->base, "event_base_new");

    ovs_list_init(&loop->deferred);
    ovs_list_init(&loop->signals);
    ovs_list_init(&loop->finished);
    loop->timeout = loop_event_create(loop, -1, 0, ignore_event, NULL);

    pthread_mutex_init(&loop->mutex, NULL);
    for (int i = 0; i < N_LANES; i++) {
        struct lane *lane = &loop->lanes[i];
        lane->loop = loop;
        ovs_list_init(&lane->jobs);
        pthread_cond_init(&lane->cond, NULL);
    }

    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    check(loop->wake_fd >= 0, "eventfd");
    loop->wake = loop_event_create(loop, loop->wake_fd, EV_READ | EV_PERSIST,
                                   finish_jobs, loop);
    event_add(loop->wake, NULL);
    return loop;
}

/* Accepts null.  Waits until the work handed in is done, but neither calls
 * its 'done' nor any deferred call. */
void
loop_destroy(struct loop *loop)
{
    if (!loop) {
        return;
    }

    for (int i = 0; i < N_LANES; i++) {
        lane_stop(&loop->lanes[i]);
    }
    pthread_mutex_destroy(&loop->mutex);

    struct job *job;
    LIST_FOR_EACH_POP (job, node, &loop->finished) {
        free(job);
    }
    struct deferred *deferred;
    LIST_FOR_EACH_POP (deferred, node, &loop->deferred) {
        free(deferred);
    }
    struct signal_watch *watch;
    LIST_FOR_EACH_POP (watch, node, &loop->signals) {
        event_free(watch->event);
        free(watch);
    }
    event_free(loop->timeout);
    event_free(loop->wake);
    event_base_free(loop->base);
    close(loop->wake_fd);
    free(loop);
}

void
loop_run(struct loop *loop)
{
    while (!loop->stopping) {
        run_turn(loop, EVLOOP_ONCE);
    }
    loop->stopping = false;
}

/* Waits forever if 'timeout_ms' is negative. */
void
loop_run_once(struct loop *loop, int timeout_ms)
{
    if (timeout_ms > 0) {
        struct timeval tv = {
            .tv_sec = timeout_ms / 1000,
            .tv_usec = timeout_ms % 1000 * 1000,
        };
        event_add(loop->timeout, &tv);
    }
    run_turn(loop, EVLOOP_ONCE | (timeout_ms ? 0 : EVLOOP_NONBLOCK));
    event_del(loop->timeout);
}

/* Makes loop_run() return at the end of this turn, or at once if it is called
 * later. */
void
loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

uint64_t
loop_now(const struct loop *loop OVS_UNUSED)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * UINT64_C(1000000) + ts.tv_nsec / 1000;
}

double
loop_wall(const struct loop *loop OVS_UNUSED)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Fills 'data' with bytes that nobody can predict. */
void
loop_random(struct loop *loop OVS_UNUSED, void *data, size_t size)
{
    uint8_t *p = data;

    while (size > 0) {
        ssize_t n = getrandom(p, size, 0);
        check(n > 0 || errno == EINTR, "getrandom");
        if (n > 0) {
            p += n;
            size -= n;
        }
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
timer_fire(int fd OVS_UNUSED, short what OVS_UNUSED, void *timer_)
{
    struct timer *timer = timer_;

    timer->cb(timer->aux);
}

struct timer *
loop_timer_create(struct loop *loop, void (*cb)(void *aux), void *aux)
{
    struct timer *timer = NEW(struct timer);

    timer->cb = cb;
    timer->aux = aux;
    timer->event = loop_event_create(loop, -1, 0, timer_fire, timer);
    return timer;
}

void
loop_timer_set(struct timer *timer, uint64_t delay_us)
{
    struct timeval tv = {
        .tv_sec = delay_us / 1000000,
        .tv_usec = delay_us % 1000000,
    };
    event_add(timer->event, &tv);
}

void
loop_timer_cancel(struct timer *timer)
{
    event_del(timer->event);
}

void
loop_timer_destroy(struct timer *timer)
{
    if (timer) {
        event_free(timer->event);
        free(timer);
    }
}

static void
signal_fire(int signo, short what OVS_UNUSED, void *watch_)
{
    struct signal_watch *watch = watch_;

    watch->cb(signo, watch->aux);
}

void
loop_on_signal(struct loop *loop, int signo, void (*cb)(int signo, void *),
               void *aux)
{
    struct signal_watch *watch = NEW(struct signal_watch);

    watch->cb = cb;
    watch->aux = aux;
    watch->event = loop_event_create(loop, signo, EV_SIGNAL | EV_PERSIST,
                                     signal_fire, watch);
    ovs_list_push_back(&loop->signals, &watch->node);
    event_add(watch->event, NULL);
}

static void
fdwatch_fire(int fd OVS_UNUSED, short what OVS_UNUSED, void *watch_)
{
    struct fdwatch *watch = watch_;

    watch->cb(watch->aux);
}

struct fdwatch *
loop_watch_fd(struct loop *loop, int fd, void (*cb)(void *aux), void *aux)
{
    struct fdwatch *watch = NEW(struct fdwatch);

    watch->cb = cb;
    watch->aux = aux;
    watch->event =
        loop_event_create(loop, fd, EV_READ | EV_PERSIST, fdwatch_fire, watch);
    event_add(watch->event, NULL);
    return watch;
}

/* Does not close the descriptor. */
void
loop_unwatch_fd(struct fdwatch *watch)
{
    if (watch) {
        event_free(watch->event);
        free(watch);
    }
}

/* 'work' must not use the loop. */
void
loop_work(struct loop *loop, enum loop_lane index, void (*work)(void *aux),
          void (*done)(void *aux), void *aux)
{
    struct lane *lane = &loop->lanes[index];
    struct job *job = NEW(struct job);

    job->work = work;
    job->done = done;
    job->aux = aux;
    pthread_mutex_lock(&loop->mutex);
    ovs_list_push_back(&lane->jobs, &job->node);
    pthread_cond_signal(&lane->cond);
    pthread_mutex_unlock(&loop->mutex);

    if (!lane->started) {
        sigset_t all, old;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        int error = pthread_create(&lane->thread, NULL, lane_main, lane);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        check(!error, "pthread_create");
        lane->started = true;
    }
}

struct event_base *
loop_event_base(const struct loop *loop)
{
    return loop->base;
}

struct event *
loop_event_create(struct loop *loop, int fd, short what,
                  void (*cb)(int fd, short what, void *aux), void *aux)
{
    struct event *event = event_new(loop->base, fd, what, cb, aux);
    check(event, "event_new");
    return event;
}

static void
ignore_event(int fd OVS_UNUSED, short what OVS_UNUSED, void *aux OVS_UNUSED)
{
    /* It was enough to end the wait. */
}

static void
run_turn(struct loop *loop, int flags)
{
    if (!ovs_list_is_empty(&loop->deferred)) {
        flags |= EVLOOP_NONBLOCK;
    }
    event_base_loop(loop->base, flags);
    run_deferred(loop);
}

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

/* Calls 'done' for all finished jobs. */
static void
finish_jobs(int fd, short what OVS_UNUSED, void *loop_)
{
    struct loop *loop = loop_;
    uint64_t n;

    /* Resets the counter; there is nothing to learn from its value. */
    (void) !read(fd, &n, sizeof n);

    struct ovs_list batch;
    ovs_list_init(&batch);
    pthread_mutex_lock(&loop->mutex);
    if (!ovs_list_is_empty(&loop->finished)) {
        ovs_list_move(&batch, &loop->finished);
        ovs_list_init(&loop->finished);
    }
    pthread_mutex_unlock(&loop->mutex);

    struct job *job;
    LIST_FOR_EACH_POP (job, node, &batch) {
        void (*done)(void *) = job->done;
        void *aux = job->aux;

        free(job);
        done(aux);
    }
}

/* Lets the thread of 'lane' do what is queued and end. */
static void
lane_stop(struct lane *lane)
{
    pthread_mutex_lock(&lane->loop->mutex);
    lane->stopping = true;
    pthread_cond_signal(&lane->cond);
    pthread_mutex_unlock(&lane->loop->mutex);

    if (lane->started) {
        pthread_join(lane->thread, NULL);
    }
    pthread_cond_destroy(&lane->cond);
}

/* The helper thread. */
static void *
lane_main(void *lane_)
{
    struct lane *lane = lane_;
    struct loop *loop = lane->loop;
    const uint64_t one = 1;

    pthread_mutex_lock(&loop->mutex);
    for (;;) {
        if (!ovs_list_is_empty(&lane->jobs)) {
            struct job *job = CONTAINER_OF(ovs_list_pop_front(&lane->jobs),
                                           struct job, node);
            pthread_mutex_unlock(&loop->mutex);
            job->work(job->aux);
            pthread_mutex_lock(&loop->mutex);
            ovs_list_push_back(&loop->finished, &job->node);

            /* Fails only when the counter overflows, that is, if the loop is
             * awake already. */
            (void) !write(loop->wake_fd, &one, sizeof one);
        } else if (lane->stopping) {
            break;
        } else {
            pthread_cond_wait(&lane->cond, &loop->mutex);
        }
    }
    pthread_mutex_unlock(&loop->mutex);
    return NULL;
}
