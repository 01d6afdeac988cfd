/* SPDX-License-Identifier: Apache-2.0 */

/* Turns, timers, work and clocks of "base/loop.h", tested on both of its
 * implementations: this file is linked with the loop on libevent and, compiled
 * with SIMULATED, with the one under a virtual clock.  Channels are in
 * test_channel.c; what only the simulation can do is in tests/sim/test_sim.c.
 *
 * Nothing sleeps: wait_until() runs the loop until a condition holds. */

#include "base/loop.h"

#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <unistd.h>

struct world {
    struct loop *loop;
};

static int
setup(void **state)
{
    struct world *world = NEW(struct world);

    world->loop = loop_create();
    *state = world;
    return 0;
}

static int
teardown(void **state)
{
    struct world *world = *state;

    loop_destroy(world->loop);
    free(world);
    return 0;
}

#define wait_until(WORLD, CONDITION)                                          \
    do {                                                                      \
        uint64_t deadline__ = loop_now((WORLD)->loop) + 20 * 1000 * 1000;     \
        while (!(CONDITION)) {                                                \
            assert_true(loop_now((WORLD)->loop) < deadline__);                \
            loop_run_once((WORLD)->loop, 100);                                \
        }                                                                     \
    } while (0)

struct note {
    struct loop *loop;
    struct ds *log;
    const char *text;
    int again;
};

static void
take_note(void *note_)
{
    struct note *note = note_;

    ds_put_cstr(note->log, note->text);
    if (note->again) {
        note->again--;
        loop_defer(note->loop, take_note, note);
    }
}

static void
test_deferred_calls(void **state)
{
    struct world *world = *state;
    AUTO_DS log = DS_EMPTY_INITIALIZER;
    struct note a = { world->loop, &log, "a", 1 };
    struct note b = { world->loop, &log, "b", 0 };

    loop_defer(world->loop, take_note, &a);
    loop_defer(world->loop, take_note, &b);
    assert_int_equal(log.length, 0);
    loop_run_once(world->loop, 1000);
    assert_string_equal(ds_cstr(&log), "ab");
    loop_run_once(world->loop, 1000);
    assert_string_equal(ds_cstr(&log), "aba");
}

static void
defer_note(void *note_)
{
    struct note *note = note_;

    ds_put_cstr(note->log, "t");
    loop_defer(note->loop, take_note, note);
}

static void
test_deferred_after_all_ready_events(void **state)
{
    struct world *world = *state;
    AUTO_DS log = DS_EMPTY_INITIALIZER;
    struct note note = { world->loop, &log, "d", 0 };
    struct timer *timers[3];

    for (int i = 0; i < 3; i++) {
        timers[i] = loop_timer_create(world->loop, defer_note, &note);
        loop_timer_set(timers[i], 1);
    }
#ifndef SIMULATED
    /* So that all three are ready. */
    uint64_t start = loop_now(world->loop);
    while (loop_now(world->loop) < start + 2000) {
        continue;
    }
#endif
    wait_until(world, log.length);
    assert_string_equal(ds_cstr(&log), "tttddd");
    for (int i = 0; i < 3; i++) {
        loop_timer_destroy(timers[i]);
    }
}

static void
stop_loop(void *loop)
{
    loop_stop(loop);
}

static void
test_timers(void **state)
{
    struct world *world = *state;
    AUTO_DS log = DS_EMPTY_INITIALIZER;
    struct note a = { world->loop, &log, "a", 0 };
    struct note b = { world->loop, &log, "b", 0 };
    struct note c = { world->loop, &log, "c", 0 };
    uint64_t start = loop_now(world->loop);

    struct timer *ta = loop_timer_create(world->loop, take_note, &a);
    struct timer *tb = loop_timer_create(world->loop, take_note, &b);
    struct timer *tc = loop_timer_create(world->loop, take_note, &c);
    struct timer *stop =
        loop_timer_create(world->loop, stop_loop, world->loop);
    loop_timer_set(ta, 3000);
    loop_timer_set(tb, 60 * 1000 * 1000);
    loop_timer_set(tc, 1000);
    loop_timer_set(tb, 6000); /* Replaces. */
    loop_timer_set(stop, 9000);
    loop_run(world->loop);
    assert_string_equal(ds_cstr(&log), "cab");
    assert_true(loop_now(world->loop) >= start + 9000);

    loop_timer_set(ta, 500);
    loop_timer_cancel(ta);
    loop_timer_cancel(ta);
    loop_timer_set(tb, 0);
    loop_timer_set(stop, 3000);
    loop_run(world->loop);
    assert_string_equal(ds_cstr(&log), "cabb");

    loop_timer_destroy(ta);
    loop_timer_destroy(tb);
    loop_timer_destroy(tc);
    loop_timer_destroy(stop);
    loop_timer_destroy(NULL);
}

static void
test_timer_is_never_early(void **state)
{
    struct world *world = *state;
    struct timer *timer =
        loop_timer_create(world->loop, stop_loop, world->loop);

    for (int i = 1; i <= 20; i++) {
        uint64_t due = loop_now(world->loop) + i * 37;
        loop_timer_set(timer, i * 37);
        loop_run(world->loop);
        assert_true(loop_now(world->loop) >= due);
    }
    loop_timer_destroy(timer);
}

struct self_destroyer {
    struct timer *timer;
    bool fired;
};

static void
destroy_own_timer(void *destroyer_)
{
    struct self_destroyer *destroyer = destroyer_;

    loop_timer_destroy(destroyer->timer);
    destroyer->fired = true;
}

static void
test_timer_destroyed_in_callback(void **state)
{
    struct world *world = *state;
    struct self_destroyer destroyer = { .fired = false };

    destroyer.timer =
        loop_timer_create(world->loop, destroy_own_timer, &destroyer);
    loop_timer_set(destroyer.timer, 100);
    wait_until(world, destroyer.fired);
}

static void
test_run_once_times_out(void **state)
{
    struct world *world = *state;
    uint64_t start = loop_now(world->loop);

    loop_run_once(world->loop, 0);
    loop_run_once(world->loop, 5);
    assert_true(loop_now(world->loop) >= start + 4900);
}

static void
test_stop_before_run(void **state)
{
    struct world *world = *state;

    loop_stop(world->loop);
    loop_run(world->loop);
}

static void
test_clock_and_random(void **state)
{
    struct world *world = *state;
    uint8_t a[32], b[32];

    assert_true(loop_wall(world->loop) > 1.6e9);
    loop_random(world->loop, a, sizeof a);
    loop_random(world->loop, b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

struct labour {
    int *n_worked;
    int number;
    int *done; /* Numbers of those that are done. */
    int *n_done;
};

static void
labour_work(void *labour_)
{
    struct labour *labour = labour_;

    /* Of one lane, so nobody else touches it. */
    assert_int_equal(*labour->n_worked, labour->number);
    ++*labour->n_worked;
}

static void
labour_done(void *labour_)
{
    struct labour *labour = labour_;

    assert_true(*labour->n_worked > labour->number);
    labour->done[(*labour->n_done)++] = labour->number;
}

static void
test_work_is_done_in_order(void **state)
{
    struct world *world = *state;
    struct labour labours[N_LANES][10];
    int n_worked[N_LANES] = { 0 };
    int n_done[N_LANES] = { 0 };
    int done[N_LANES][10];

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5; i++) {
            for (int lane = 0; lane < N_LANES; lane++) {
                struct labour *l = &labours[lane][round * 5 + i];
                *l = (struct labour){ &n_worked[lane], round * 5 + i,
                                      done[lane], &n_done[lane] };
                loop_work(world->loop, lane, labour_work, labour_done, l);
            }
        }
        for (int lane = 0; lane < N_LANES; lane++) {
            wait_until(world, n_done[lane] == (round + 1) * 5);
        }
    }
    for (int lane = 0; lane < N_LANES; lane++) {
        for (int i = 0; i < 10; i++) {
            assert_int_equal(done[lane][i], i);
        }
    }
}

/* Loop destroyed with work left: it is finished, 'done' is not called. */
static void
test_work_at_the_end(void **state OVS_UNUSED)
{
    struct loop *loop = loop_create();
    int n_worked = 0;
    struct labour labour = { &n_worked, 0, NULL, NULL };

    loop_work(loop, LANE_OTHER, labour_work, labour_done, &labour);
    loop_destroy(loop);
    assert_int_equal(n_worked, 1);
    loop_destroy(NULL);
}

#ifndef SIMULATED
/* What the simulation does not have. */

static void
note_signal(int signo, void *signop)
{
    *(int *) signop = signo;
}

static void
test_signal(void **state)
{
    struct world *world = *state;
    int signo = 0;

    loop_on_signal(world->loop, SIGUSR1, note_signal, &signo);
    kill(getpid(), SIGUSR1);
    wait_until(world, signo == SIGUSR1);
}

struct pipe_reader {
    int fds[2];
    struct fdwatch *watch;
    char got;
};

static void
read_pipe(void *reader_)
{
    struct pipe_reader *reader = reader_;

    assert_int_equal(read(reader->fds[0], &reader->got, 1), 1);
    loop_unwatch_fd(reader->watch);
}

static void
test_watch_fd(void **state)
{
    struct world *world = *state;
    struct pipe_reader reader = { .got = 0 };

    assert_int_equal(pipe(reader.fds), 0);
    reader.watch =
        loop_watch_fd(world->loop, reader.fds[0], read_pipe, &reader);
    loop_run_once(world->loop, 5);
    assert_int_equal(reader.got, 0);
    assert_int_equal(write(reader.fds[1], "xy", 2), 2);
    wait_until(world, reader.got);
    loop_run_once(world->loop, 5);
    assert_int_equal(reader.got, 'x');
    close(reader.fds[0]);
    close(reader.fds[1]);
    loop_unwatch_fd(NULL);
}

#endif

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_deferred_calls),
        TEST(test_deferred_after_all_ready_events),
        TEST(test_timers),
        TEST(test_timer_is_never_early),
        TEST(test_timer_destroyed_in_callback),
        TEST(test_run_once_times_out),
        TEST(test_stop_before_run),
        TEST(test_clock_and_random),
        TEST(test_work_is_done_in_order),
        TEST(test_work_at_the_end),
#ifndef SIMULATED
        TEST(test_signal),
        TEST(test_watch_fd),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
