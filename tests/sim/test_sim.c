/* SPDX-License-Identifier: Apache-2.0 */

/* The simulated world itself: chance is repeatable, connections break in the
 * ways they should, and the disk loses exactly what was not synced.  That it
 * keeps the contract of "base/loop.h" is tested by test_loop.c. */

#include "sim/sim.h"

#include <inttypes.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>

struct side {
    struct channel *channel;
    struct ds got;
    int n_pieces;
    bool connected;
    char *reason;
};

struct world {
    struct loop *loop;
    struct listener *listener;
    struct side client;
    struct side server;
};

static void
side_readable(struct channel *channel, void *side_)
{
    struct side *side = side_;
    size_t size;
    const uint8_t *data = channel_peek(channel, &size);

    ds_put_buffer(&side->got, (const char *) data, size);
    channel_consume(channel, size);
    side->n_pieces++;
}

static void
side_connected(struct channel *channel OVS_UNUSED, void *side_)
{
    struct side *side = side_;

    side->connected = true;
}

static void
side_closed(struct channel *channel, const char *reason, void *side_)
{
    struct side *side = side_;

    side->reason = mem_text(reason);
    side->channel = NULL;
    channel_destroy(channel);
}

static const struct channel_events side_events = {
    .readable = side_readable,
    .connected = side_connected,
    .closed = side_closed,
};

static void
server_accepted(struct channel *channel, void *world_)
{
    struct world *world = world_;

    world->server.channel = channel;
    channel_set_events(channel, &side_events, &world->server);
}

static void
side_uninit(struct side *side)
{
    channel_destroy(side->channel);
    ds_destroy(&side->got);
    free(side->reason);
    memset(side, 0, sizeof *side);
}

static struct world *
world_create(uint64_t seed)
{
    struct world *world = NEW(struct world);

    world->loop = loop_create();
    sim_seed(world->loop, seed);
    assert_null(listener_create(world->loop, "0.0.0.0", 6640, NULL,
                                server_accepted, world, &world->listener));
    return world;
}

static void
world_destroy(struct world *world)
{
    side_uninit(&world->client);
    side_uninit(&world->server);
    listener_destroy(world->listener);
    loop_destroy(world->loop);
    free(world);
}

AUTO_DEFINE(world)

static void
world_dial(struct world *world)
{
    world->client.channel = channel_dial(world->loop, "192.0.2.100", 6640,
                                         NULL, &side_events, &world->client);
}

static struct world *
world_connected(uint64_t seed)
{
    struct world *world = world_create(seed);

    world_dial(world);
    assert_true(sim_settle(world->loop, SECOND));
    assert_true(world->client.connected);
    assert_non_null(world->server.channel);
    return world;
}

static void
send_text(struct side *side, const char *text)
{
    channel_write(side->channel, text, strlen(text));
}

/* Time and chance. */

static char *
history(uint64_t seed)
{
    AUTO(world) *world = world_connected(seed);
    AUTO_TEXT *data = mem_zalloc(100000);
    uint64_t random;

    for (int i = 0; i < 20; i++) {
        channel_write(world->client.channel, data, 100000);
        sim_advance(world->loop, 700);
    }
    assert_true(sim_settle(world->loop, SECOND));
    assert_int_equal(world->server.got.length, 2000000);
    loop_random(world->loop, &random, sizeof random);
    return mem_textf("%d pieces, %" PRIu64 " turns, now %" PRIu64 ", "
                     "random %" PRIx64,
                     world->server.n_pieces, sim_n_turns(world->loop),
                     loop_now(world->loop), random);
}

static void
test_same_seed_same_history(void **state OVS_UNUSED)
{
    AUTO_TEXT *a = history(1);
    AUTO_TEXT *b = history(1);
    AUTO_TEXT *c = history(2);

    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
}

static void
test_latency_and_splitting(void **state OVS_UNUSED)
{
    AUTO(world) *world = world_connected(1);

    sim_set_latency(world->loop, 30 * MILLISECOND, 30 * MILLISECOND);
    sim_set_splitting(world->loop, 0);
    send_text(&world->client, "in one piece");
    sim_advance(world->loop, 30 * MILLISECOND - 1);
    assert_int_equal(world->server.got.length, 0);
    assert_false(sim_is_quiet(world->loop));
    sim_advance(world->loop, 1);
    assert_string_equal(ds_cstr(&world->server.got), "in one piece");
    assert_int_equal(world->server.n_pieces, 1);
    assert_true(sim_is_quiet(world->loop));

    sim_set_splitting(world->loop, 100);
    send_text(&world->server, "in several pieces of some size");
    assert_true(sim_settle(world->loop, SECOND));
    assert_string_equal(ds_cstr(&world->client.got),
                        "in several pieces of some size");
    assert_true(world->client.n_pieces > 1);
}

static bool
never(void *aux OVS_UNUSED)
{
    return false;
}

static void
test_run_until_gives_up(void **state OVS_UNUSED)
{
    AUTO(world) *world = world_create(1);
    uint64_t start = loop_now(world->loop);

    assert_false(sim_run_until(world->loop, never, NULL, 5 * SECOND));
    assert_int_equal(loop_now(world->loop), start + 5 * SECOND);
}

static void
note_order(void *ds)
{
    ds_put_char(ds, '0' + ((struct ds *) ds)->length);
}

static void
note_work(void *ds)
{
    ds_put_cstr(ds, "w");
}

static void
note_done(void *ds)
{
    ds_put_cstr(ds, "d");
}

static void
test_timers_of_one_instant_keep_order(void **state OVS_UNUSED)
{
    AUTO(world) *world = world_create(1);
    AUTO_DS log = DS_EMPTY_INITIALIZER;
    struct timer *timers[50];

    for (int i = 0; i < 50; i++) {
        timers[i] = loop_timer_create(world->loop,
                                      i == 49 ? note_order : note_work, &log);
        loop_timer_set(timers[i], i % 2 ? 10 : 20);
    }
    /* Cancelling from the middle keeps the heap in order. */
    for (int i = 0; i < 49; i++) {
        if (i % 3) {
            loop_timer_cancel(timers[i]);
        }
    }
    sim_advance(world->loop, 10);
    assert_int_equal(log.length, 9);
    assert_int_equal(log.string[8], '8');
    sim_advance(world->loop, 10);
    assert_int_equal(log.length, 18);
    for (int i = 0; i < 50; i++) {
        loop_timer_destroy(timers[i]);
    }
}

static void
test_work_takes_time(void **state OVS_UNUSED)
{
    AUTO(world) *world = world_create(1);
    AUTO_DS log = DS_EMPTY_INITIALIZER;

    sim_set_work_time(world->loop, 2000, 2000);
    loop_work(world->loop, LANE_COMMIT, note_work, note_done, &log);
    loop_work(world->loop, LANE_COMMIT, note_work, note_done, &log);
    assert_string_equal(ds_cstr(&log), "");
    sim_advance(world->loop, 1000);
    assert_string_equal(ds_cstr(&log), "w");
    sim_advance(world->loop, 1000);
    assert_string_equal(ds_cstr(&log), "wd");
    assert_true(sim_settle(world->loop, SECOND));
    assert_string_equal(ds_cstr(&log), "wdwd");
}

/* Connections. */

static void
test_cut(void **state OVS_UNUSED)
{
    AUTO(world) *world = world_connected(1);

    send_text(&world->client, "lost");
    sim_advance(world->loop, 1);
    sim_cut(world->client.channel);
    assert_true(sim_settle(world->loop, SECOND));
    assert_string_equal(world->client.reason, "Connection reset by peer");
    assert_string_equal(world->server.reason, "Connection reset by peer");
    assert_int_equal(world->server.got.length, 0);
    assert_null(sim_channel_next(world->loop, NULL));
}

static void
test_cut_half(void **state OVS_UNUSED)
{
    AUTO(world) *world = world_connected(1);

    sim_cut_half(world->client.channel);
    sim_advance(world->loop, 60 * SECOND);
    assert_non_null(world->client.reason);
    assert_null(world->server.reason);
    send_text(&world->server, "hello?");
    sim_advance(world->loop, 60 * SECOND);
    assert_null(world->server.reason);
    assert_int_equal(channel_backlog(world->server.channel), 6);
    assert_true(sim_is_quiet(world->loop));
}

static void
test_stall(void **state OVS_UNUSED)
{
    AUTO(world) *world = world_connected(1);
    AUTO_TEXT *data = mem_zalloc(1000000);

    sim_stall(world->server.channel, true);
    channel_write(world->client.channel, data, 1000000);
    sim_advance(world->loop, 60 * SECOND);
    assert_true(sim_is_quiet(world->loop));
    assert_int_equal(world->server.got.length, 0);
    assert_in_range(channel_backlog(world->client.channel), 500000, 999999);
    send_text(&world->server, "other way");
    sim_advance(world->loop, SECOND);
    assert_string_equal(ds_cstr(&world->client.got), "other way");

    sim_stall(world->server.channel, false);
    assert_true(sim_settle(world->loop, SECOND));
    assert_int_equal(world->server.got.length, 1000000);
    assert_int_equal(channel_backlog(world->client.channel), 0);
}

static void
test_partition(void **state OVS_UNUSED)
{
    AUTO(world) *world = world_create(1);

    sim_set_local_address(world->loop, "192.0.2.7");
    world_dial(world);
    sim_settle(world->loop, SECOND);
    assert_string_equal(channel_peer_address(world->server.channel),
                        "192.0.2.7");

    sim_partition(world->loop, "192.0.2.7", true);
    send_text(&world->client, "late");
    sim_advance(world->loop, 60 * SECOND);
    assert_int_equal(world->server.got.length, 0);
    sim_partition(world->loop, "192.0.2.7", false);
    sim_advance(world->loop, SECOND);
    assert_string_equal(ds_cstr(&world->server.got), "late");

    sim_cut_address(world->loop, "192.0.2.7");
    sim_advance(world->loop, SECOND);
    assert_non_null(world->server.reason);

    /* A dial times out, or succeeds if the partition heals in time. */
    side_uninit(&world->client);
    side_uninit(&world->server);
    sim_partition(world->loop, "192.0.2.7", true);
    world_dial(world);
    assert_false(sim_run_until(world->loop, never, NULL, 9 * SECOND));
    assert_null(world->client.reason);
    sim_advance(world->loop, 2 * SECOND);
    assert_string_equal(world->client.reason, "connecting timed out");
    side_uninit(&world->client);
    world_dial(world);
    sim_advance(world->loop, 3 * SECOND);
    assert_false(world->client.connected);
    sim_partition(world->loop, "192.0.2.7", false);
    sim_advance(world->loop, 7 * SECOND);
    assert_true(world->client.connected);
}

static void
test_enumeration(void **state OVS_UNUSED)
{
    AUTO(world) *world = world_connected(1);

    struct channel *first = sim_channel_next(world->loop, NULL);
    struct channel *second = sim_channel_next(world->loop, first);
    assert_ptr_equal(first, world->client.channel);
    assert_ptr_equal(second, world->server.channel);
    assert_null(sim_channel_next(world->loop, second));
    assert_ptr_equal(sim_channel_other(first), second);
    assert_true(sim_channel_is_accepted(second));
    assert_false(sim_channel_is_accepted(first));
    assert_true(sim_channel_is_open(first));
}

static void
test_tls(void **state OVS_UNUSED)
{
    AUTO(world) *world = world_create(1);
    struct tls_context *ours, *theirs;
    const struct tls_files a = { "k", "/etc/a/weft.pem", "ca" };
    const struct tls_files b = { "k", "/etc/a/compute-1.pem", "other ca" };

    assert_null(tls_context_create(&a, &ours));
    assert_null(tls_context_create(&b, &theirs));
    listener_destroy(world->listener);
    assert_null(listener_create(world->loop, "0.0.0.0", 6640, ours,
                                server_accepted, world, &world->listener));
    world->client.channel = channel_dial(world->loop, "192.0.2.100", 6640,
                                         theirs, &side_events, &world->client);
    sim_advance(world->loop, SECOND);
    assert_string_equal(world->client.reason,
                        "TLS: certificate verify failed");

    side_uninit(&world->client);
    world->client.channel = channel_dial(world->loop, "192.0.2.100", 6640,
                                         ours, &side_events, &world->client);
    sim_advance(world->loop, SECOND);
    assert_string_equal(channel_peer_name(world->server.channel), "weft.pem");
    tls_context_destroy(ours);
    tls_context_destroy(theirs);
}

/* The disk. */

struct bench {
    struct loop *loop;
    struct sim_disk *disk;
};

#define PATH "/var/lib/weft/weft.db"

static void
bench_init(struct bench *bench, uint64_t seed)
{
    bench->loop = loop_create();
    sim_seed(bench->loop, seed);
    bench->disk = sim_disk_register(bench->loop);
}

static void
bench_uninit(struct bench *bench)
{
    sim_disk_destroy(bench->disk);
    loop_destroy(bench->loop);
}

static sqlite3 *
open_database(void)
{
    sqlite3 *db;
    assert_int_equal(
        sqlite3_open_v2(PATH, &db,
                        (SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE), NULL),
        SQLITE_OK);
    return db;
}

static int
execute(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* Returns the result of a query that gives one number. */
static int
query(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int result = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return result;
}

static sqlite3 *
create_table(void)
{
    sqlite3 *db = open_database();

    assert_int_equal(execute(db, "PRAGMA journal_mode = WAL;"
                                 "PRAGMA synchronous = FULL;"
                                 "CREATE TABLE t (n INTEGER, filling TEXT);"),
                     SQLITE_OK);
    return db;
}

/* "filling" makes a row span several sectors. */
static int
insert(sqlite3 *db, int n)
{
    AUTO_TEXT *sql =
        mem_textf("INSERT INTO t VALUES (%d, hex(zeroblob(900)))", n);
    return execute(db, sql);
}

static void
check_sound(sqlite3 *db)
{
    sqlite3_stmt *stmt;

    assert_int_equal(
        sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_string_equal((const char *) sqlite3_column_text(stmt, 0), "ok");
    sqlite3_finalize(stmt);
}

static void
test_disk_commit_survives(void **state OVS_UNUSED)
{
    for (int torn = 0; torn < 2; torn++) {
        for (int seed = 0; seed < 20; seed++) {
            struct bench bench;

            bench_init(&bench, seed);
            sqlite3 *db = create_table();
            for (int i = 1; i <= 5; i++) {
                assert_int_equal(insert(db, i), SQLITE_OK);
            }

            /* A transaction that is under way does not. */
            assert_int_equal(execute(db, "BEGIN"), SQLITE_OK);
            assert_int_equal(insert(db, 6), SQLITE_OK);
            sim_disk_crash(bench.disk, torn);

            sqlite3 *after = open_database();
            assert_int_equal(query(after, "SELECT count(*) FROM t"), 5);
            assert_int_equal(query(after, "SELECT max(n) FROM t"), 5);
            check_sound(after);

            /* The old connection is of no use, and does no harm. */
            assert_int_not_equal(execute(db, "COMMIT"), SQLITE_OK);
            sqlite3_close(db);
            assert_int_equal(insert(after, 7), SQLITE_OK);
            check_sound(after);
            sqlite3_close(after);
            bench_uninit(&bench);
        }
    }
}

static void
test_disk_unsynced_is_lost(void **state OVS_UNUSED)
{
    struct bench bench;

    bench_init(&bench, 1);
    sqlite3 *db = create_table();
    assert_int_equal(insert(db, 1), SQLITE_OK);
    assert_int_equal(execute(db, "PRAGMA wal_checkpoint(TRUNCATE);"
                                 "PRAGMA synchronous = OFF"),
                     SQLITE_OK);
    assert_int_equal(insert(db, 2), SQLITE_OK);
    assert_int_equal(query(db, "SELECT count(*) FROM t"), 2);
    sim_disk_crash(bench.disk, false);
    sqlite3_close(db);

    db = open_database();
    assert_int_equal(query(db, "SELECT count(*) FROM t"), 1);
    check_sound(db);
    sqlite3_close(db);
    bench_uninit(&bench);
}

static void
test_disk_that_lies(void **state OVS_UNUSED)
{
    struct bench bench;

    bench_init(&bench, 1);
    sqlite3 *db = create_table();
    assert_int_equal(insert(db, 1), SQLITE_OK);
    sim_disk_lie(bench.disk, true);
    uint64_t n_syncs = sim_disk_n_syncs(bench.disk);
    assert_int_equal(insert(db, 2), SQLITE_OK);
    assert_true(sim_disk_n_syncs(bench.disk) > n_syncs);
    sim_disk_crash(bench.disk, false);
    sim_disk_lie(bench.disk, false);
    sqlite3_close(db);

    db = open_database();
    assert_int_equal(query(db, "SELECT count(*) FROM t"), 1);
    check_sound(db);
    sqlite3_close(db);
    bench_uninit(&bench);
}

static void
test_disk_full_and_io_error(void **state OVS_UNUSED)
{
    struct bench bench;

    bench_init(&bench, 1);
    sqlite3 *db = create_table();
    assert_int_equal(insert(db, 1), SQLITE_OK);
    sim_disk_full(bench.disk, true);
    assert_int_equal(insert(db, 2), SQLITE_FULL);
    sim_disk_full(bench.disk, false);
    assert_int_equal(insert(db, 3), SQLITE_OK);
    sim_disk_io_error(bench.disk, true);
    assert_int_equal(insert(db, 4), SQLITE_IOERR);
    assert_int_equal(query(db, "SELECT count(*) FROM t"), 2);
    sim_disk_io_error(bench.disk, false);
    assert_int_equal(insert(db, 5), SQLITE_OK);
    assert_int_equal(query(db, "SELECT count(*) FROM t"), 3);
    check_sound(db);
    sqlite3_close(db);
    bench_uninit(&bench);
}

static void
test_disk_corruption(void **state OVS_UNUSED)
{
    struct bench bench;

    bench_init(&bench, 1);
    sqlite3 *db = create_table();
    assert_int_equal(insert(db, 1), SQLITE_OK);
    assert_true(sim_disk_exists(bench.disk, PATH "-wal"));
    sqlite3_close(db);
    assert_false(sim_disk_exists(bench.disk, PATH "-wal"));
    assert_true(sim_disk_file_size(bench.disk, PATH) >= 8192);

    assert_false(sim_disk_corrupt(bench.disk, PATH, 1 << 30, 1));
    assert_false(sim_disk_corrupt(bench.disk, "/nothing", 0, 1));
    assert_true(sim_disk_corrupt(bench.disk, PATH, 0, 0xff));
    db = open_database();
    assert_int_equal(execute(db, "SELECT * FROM t"), SQLITE_NOTADB);
    sqlite3_close(db);
    bench_uninit(&bench);
}

/* Readers and a writer at once, as a backup does it; and rollback journals. */
static void
test_disk_many_connections(void **state OVS_UNUSED)
{
    struct bench bench;

    bench_init(&bench, 1);
    sqlite3 *writer = create_table();
    sqlite3 *reader = open_database();
    assert_int_equal(insert(writer, 1), SQLITE_OK);
    assert_int_equal(execute(reader, "BEGIN"), SQLITE_OK);
    assert_int_equal(query(reader, "SELECT count(*) FROM t"), 1);
    assert_int_equal(insert(writer, 2), SQLITE_OK);
    assert_int_equal(query(reader, "SELECT count(*) FROM t"), 1);
    assert_int_equal(execute(writer, "BEGIN IMMEDIATE"), SQLITE_OK);
    sqlite3 *second = open_database();
    assert_int_equal(execute(second, "BEGIN IMMEDIATE"), SQLITE_BUSY);
    assert_int_equal(execute(writer, "COMMIT"), SQLITE_OK);
    assert_int_equal(execute(reader, "COMMIT"), SQLITE_OK);
    assert_int_equal(query(reader, "SELECT count(*) FROM t"), 2);
    assert_int_equal(execute(second, "VACUUM INTO '/backup.db'"), SQLITE_OK);
    assert_true(sim_disk_exists(bench.disk, "/backup.db"));
    sqlite3_close(second);
    sqlite3_close(reader);

    assert_int_equal(query(writer, "SELECT 'delete' = (SELECT * FROM "
                                   "pragma_journal_mode)"),
                     0);
    assert_int_equal(execute(writer, "PRAGMA journal_mode = DELETE"),
                     SQLITE_OK);
    assert_int_equal(insert(writer, 3), SQLITE_OK);
    sim_disk_crash(bench.disk, true);
    sqlite3_close(writer);
    writer = open_database();
    assert_int_equal(query(writer, "SELECT count(*) FROM t"), 3);
    sqlite3_close(writer);
    bench_uninit(&bench);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_history),
        cmocka_unit_test(test_latency_and_splitting),
        cmocka_unit_test(test_run_until_gives_up),
        cmocka_unit_test(test_timers_of_one_instant_keep_order),
        cmocka_unit_test(test_work_takes_time),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_cut_half),
        cmocka_unit_test(test_stall),
        cmocka_unit_test(test_partition),
        cmocka_unit_test(test_enumeration),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_disk_commit_survives),
        cmocka_unit_test(test_disk_unsynced_is_lost),
        cmocka_unit_test(test_disk_that_lies),
        cmocka_unit_test(test_disk_full_and_io_error),
        cmocka_unit_test(test_disk_corruption),
        cmocka_unit_test(test_disk_many_connections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
