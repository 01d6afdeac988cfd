/* SPDX-License-Identifier: Apache-2.0 */
/* The store on real files: what is answered is there after a reopen, nothing
 * else is, one turn costs one commit, a disk that fails is survived, a file
 * that is damaged is refused.
 *
 * The failing disk is an SQLite VFS, "faulty", which passes everything on to
 * the system's but refuses to write while 'disk_fails' is set.  It has no
 * shared memory, as a simulated disk, which tests that way of opening too. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/disk.h"
#include "store/store.h"

#define SCHEMA_DEF "../tests/unit/store.def"
#include "model/expand-structs.h"
#define SCHEMA_DEF "../tests/unit/store.def"
#include "model/expand-tables.h"

/* A store with what it needs, and a directory of its own. */
struct bed {
    char directory[64];
    char path[128];
    struct loop *loop;
    struct model *model;
    struct store *store;
    int n_done, n_failed;
    enum err_kind kind; /* Of the last failure. */
};

static void
bed_forget_model(struct bed *bed)
{
    store_close(bed->store);
    bed->store = NULL;
    model_destroy(bed->model);
    bed->model = NULL;
}

static struct err *
bed_try_open(struct bed *bed)
{
    bed->model = model_create();
    model_register(bed->model, &box_resource);
    model_register(bed->model, &rumour_resource);
    return store_open(bed->loop, bed->path, bed->model, &bed->store);
}

static void
bed_open(struct bed *bed)
{
    struct err *err = bed_try_open(bed);
    if (err) {
        fail_msg("%s", err->text);
    }
}

static void
bed_reopen(struct bed *bed)
{
    bed_forget_model(bed);
    bed_open(bed);
}

static int
bed_setup(void **state)
{
    struct bed *bed = NEW(struct bed);
    snprintf(bed->directory, sizeof bed->directory, "/tmp/weft-store-XXXXXX");
    assert_non_null(mkdtemp(bed->directory));
    snprintf(bed->path, sizeof bed->path, "%s/weft.db", bed->directory);
    bed->loop = loop_create();
    bed_open(bed);
    *state = bed;
    return 0;
}

static int
bed_teardown(void **state)
{
    struct bed *bed = *state;
    bed_forget_model(bed);
    loop_destroy(bed->loop);
    AUTO_TEXT *command = mem_textf("rm -rf '%s'", bed->directory);
    assert_int_equal(system(command), 0);
    free(bed);
    return 0;
}

/* Runs the loop until 'CONDITION', at most for ten seconds. */
#define BED_WAIT(BED, CONDITION)                                              \
    do {                                                                      \
        uint64_t deadline = loop_now((BED)->loop) + 10000000;                 \
        while (!(CONDITION)) {                                                \
            assert_true(loop_now((BED)->loop) < deadline);                    \
            loop_run_once((BED)->loop, 10);                                   \
        }                                                                     \
    } while (0)

/* Requests. */

struct put {
    struct bed *bed;
    struct uuid id;
    char name[32];
    int size;           /* Negative: delete. */
    bool refuse;        /* After having changed something. */
    bool expect_absent; /* Refuse if it is there. */
};

static struct uuid
box_id(int i)
{
    AUTO_TEXT *name = mem_textf("%d", i);
    return uid_from_name("box", name);
}

static struct err *
put_edit(struct txn *txn, void *put_)
{
    const struct put *put = put_;
    if (put->expect_absent && txn_find(txn, &box_resource, &put->id)) {
        return err_new(ERR_IN_USE, NULL, "exists");
    }
    if (put->size < 0) {
        txn_delete(txn, &box_resource, &put->id);
    } else {
        struct box *box =
            (struct box *) (void *) entity_create(&box_resource, &put->id);
        box->name = mem_text(put->name);
        SET(box, box, name);
        box->size = put->size;
        SET(box, box, size);
        txn_put(txn, &box->entity);
    }
    return put->refuse ? err_new(ERR_INVALID, "size", "refused") : NULL;
}

static void
put_done(struct err *err, void *put_)
{
    struct put *put = put_;
    if (err) {
        put->bed->n_failed++;
        put->bed->kind = err->kind;
        err_destroy(err);
    } else {
        put->bed->n_done++;
    }
    free(put);
}

static struct put *
put_create(struct bed *bed, int i, int size)
{
    struct put *put = NEW(struct put);
    put->bed = bed;
    put->id = box_id(i);
    put->size = size;
    snprintf(put->name, sizeof put->name, "box \"%d\" \xc3\xa9", i);
    return put;
}

static void
bed_put(struct bed *bed, int i, int size)
{
    model_write(bed->model, put_edit, put_done, put_create(bed, i, size));
}

static void
bed_settle(struct bed *bed)
{
    BED_WAIT(bed, store_is_idle(bed->store));
}

static const struct box *
bed_box(const struct bed *bed, int i)
{
    struct uuid id = box_id(i);
    return box_cast(model_find(bed->model, &box_resource, &id));
}

static void
rumour_edit(struct txn *txn, void *text)
{
    struct uuid id = uid_from_name("rumour", "one");
    if (!text) {
        txn_delete(txn, &rumour_resource, &id);
        return;
    }
    struct rumour *rumour =
        (struct rumour *) (void *) entity_create(&rumour_resource, &id);
    rumour->text = mem_text(text);
    SET(rumour, rumour, text);
    txn_put(txn, &rumour->entity);
}

static const char *
bed_rumour(const struct bed *bed)
{
    struct uuid id = uid_from_name("rumour", "one");
    const struct rumour *rumour =
        rumour_cast(model_find(bed->model, &rumour_resource, &id));
    return rumour ? rumour->text : NULL;
}

static int64_t
bed_status(const struct bed *bed, const char *member)
{
    AUTO(json) *status = store_status(bed->store);
    int64_t value = -1;
    assert_true(jget_int(status, member, &value));
    return value;
}

/* Tests. */

static void
test_answered_is_there(void **state)
{
    struct bed *bed = *state;
    for (int i = 0; i < 100; i++) {
        bed_put(bed, i, i);
    }
    assert_int_equal(bed->n_done, 0);
    bed_settle(bed);
    assert_int_equal(bed->n_done, 100);
    assert_int_equal(bed_status(bed, "commits"), 1);
    uint32_t number = bed_box(bed, 77)->entity.number;
    bed_put(bed, 3, -1);
    bed_put(bed, 4, 40);
    bed_settle(bed);

    bed_reopen(bed);
    assert_int_equal(model_count(bed->model, &box_resource), 99);
    assert_null(bed_box(bed, 3));
    struct uuid gone = box_id(3), never = box_id(1000);
    assert_true(model_was_deleted(bed->model, &box_resource, &gone));
    assert_false(model_was_deleted(bed->model, &box_resource, &never));
    assert_int_equal(bed_box(bed, 4)->size, 40);
    assert_string_equal(bed_box(bed, 77)->name, "box \"77\" \xc3\xa9");
    assert_int_equal(bed_box(bed, 77)->entity.number, number);
}

static void
test_refused_leaves_nothing(void **state)
{
    struct bed *bed = *state;
    bed_put(bed, 1, 1);
    struct put *put = put_create(bed, 2, 2);
    put->refuse = true;
    model_write(bed->model, put_edit, put_done, put);
    put = put_create(bed, 1, 3);
    put->expect_absent = true; /* Sees what came before it. */
    model_write(bed->model, put_edit, put_done, put);
    bed_put(bed, 4, 4);
    bed_settle(bed);
    assert_int_equal(bed->n_done, 2);
    assert_int_equal(bed->n_failed, 2);
    assert_int_equal(bed->kind, ERR_IN_USE);
    assert_int_equal(bed_box(bed, 1)->size, 1);
    assert_null(bed_box(bed, 2));
    bed_reopen(bed);
    assert_int_equal(model_count(bed->model, &box_resource), 2);

    /* Alone, without anything to commit. */
    put = put_create(bed, 2, 2);
    put->refuse = true;
    model_write(bed->model, put_edit, put_done, put);
    bed_settle(bed);
    assert_int_equal(bed->n_failed, 3);
    assert_int_equal(bed_status(bed, "commits"), 0);
}

static void
test_waiting_keep_their_order(void **state)
{
    struct bed *bed = *state;
    bed_put(bed, 1, 0);
    loop_run_once(bed->loop, 0); /* Its commit is in flight. */
    for (int size = 1; size <= 3000; size++) {
        bed_put(bed, 1, size);
    }
    bed_settle(bed);
    assert_int_equal(bed->n_done, 3001);
    assert_int_equal(bed_box(bed, 1)->size, 3000);
    assert_in_range(bed_status(bed, "commits"), 2, 5);
    bed_reopen(bed);
    assert_int_equal(bed_box(bed, 1)->size, 3000);
}

static void
test_facts(void **state)
{
    struct bed *bed = *state;
    char text[16];
    for (int i = 0; i < 50; i++) {
        snprintf(text, sizeof text, "%d", i);
        model_write_facts(bed->model, rumour_edit, text);
        assert_string_equal(bed_rumour(bed), text); /* At once. */
    }
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "commits"), 1);
    bed_reopen(bed);
    assert_string_equal(bed_rumour(bed), "49");

    model_write_facts(bed->model, rumour_edit, NULL);
    assert_null(bed_rumour(bed));
    bed_reopen(bed); /* Closing makes it durable. */
    assert_null(bed_rumour(bed));
    struct uuid id = uid_from_name("rumour", "one");
    assert_false(model_was_deleted(bed->model, &rumour_resource, &id));
}

static struct err *
forget_edit(struct txn *txn, void *bed)
{
    rumour_edit(txn, NULL);
    return NULL;
}

static void
forget_done(struct err *err, void *bed_)
{
    struct bed *bed = bed_;
    assert_null(err);
    bed->n_done++;
}

/* A fact that changes while a request to delete it is in flight: whatever
 * wins, file and model agree. */
static void
test_facts_overtake(void **state)
{
    struct bed *bed = *state;
    char text[] = "one";
    model_write_facts(bed->model, rumour_edit, text);
    bed_settle(bed);
    for (int turns = 0; turns < 3; turns++) {
        char two[] = "two", three[] = "three";
        model_write_facts(bed->model, rumour_edit, two);
        model_write(bed->model, forget_edit, forget_done, bed);
        for (int i = 0; i < turns; i++) {
            loop_run_once(bed->loop, 0);
        }
        model_write_facts(bed->model, rumour_edit, three);
        bed_settle(bed);
        AUTO_TEXT *before = mem_text(bed_rumour(bed));
        bed_reopen(bed);
        const char *after = bed_rumour(bed);
        assert_string_equal(before ? before : "-", after ? after : "-");
    }
}

/* The faulty disk. */

static bool disk_fails;

struct faulty_file {
    sqlite3_file base;
    sqlite3_file *real;
};

#define REAL(FILE) (((struct faulty_file *) (void *) (FILE))->real)

static int
faulty_close(sqlite3_file *f)
{
    int rc = REAL(f)->pMethods->xClose(REAL(f));
    sqlite3_free(REAL(f));
    return rc;
}

static int
faulty_read(sqlite3_file *f, void *data, int n, sqlite3_int64 at)
{
    return REAL(f)->pMethods->xRead(REAL(f), data, n, at);
}

static int
faulty_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
    return disk_fails ? SQLITE_FULL
                      : REAL(f)->pMethods->xWrite(REAL(f), data, n, at);
}

static int
faulty_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return REAL(f)->pMethods->xTruncate(REAL(f), size);
}

static int
faulty_sync(sqlite3_file *f, int flags)
{
    return disk_fails ? SQLITE_IOERR_FSYNC
                      : REAL(f)->pMethods->xSync(REAL(f), flags);
}

static int
faulty_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return REAL(f)->pMethods->xFileSize(REAL(f), size);
}

static int
faulty_lock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xLock(REAL(f), level);
}

static int
faulty_unlock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xUnlock(REAL(f), level);
}

static int
faulty_reserved(sqlite3_file *f, int *result)
{
    return REAL(f)->pMethods->xCheckReservedLock(REAL(f), result);
}

static int
faulty_control(sqlite3_file *f, int op, void *arg)
{
    return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}

static int
faulty_sector(sqlite3_file *f)
{
    return REAL(f)->pMethods->xSectorSize(REAL(f));
}

static int
faulty_device(sqlite3_file *f)
{
    return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}

static int
faulty_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *f,
            int flags, int *out_flags)
{
    static const sqlite3_io_methods methods = {
        1,
        faulty_close,
        faulty_read,
        faulty_write,
        faulty_truncate,
        faulty_sync,
        faulty_size,
        faulty_lock,
        faulty_unlock,
        faulty_reserved,
        faulty_control,
        faulty_sector,
        faulty_device,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
    };
    sqlite3_vfs *real = vfs->pAppData;
    struct faulty_file *file = (void *) f;
    file->real = sqlite3_malloc(real->szOsFile);
    memset(file->real, 0, real->szOsFile);
    int rc = real->xOpen(real, name, file->real, flags, out_flags);
    file->base.pMethods = rc ? NULL : &methods;
    if (rc) {
        sqlite3_free(file->real);
    }
    return rc;
}

static void
faulty_register(void)
{
    static sqlite3_vfs vfs;
    if (!vfs.zName) {
        sqlite3_vfs *real = sqlite3_vfs_find(NULL);
        vfs = *real;
        vfs.pAppData = real;
        vfs.szOsFile = sizeof(struct faulty_file);
        vfs.zName = "faulty";
        vfs.xOpen = faulty_open;
        sqlite3_vfs_register(&vfs, 0);
    }
}

static void
test_failing_disk(void **state)
{
    struct bed *bed = *state;
    bed_forget_model(bed);
    faulty_register();
    snprintf(bed->path, sizeof bed->path, "file:%s/weft.db?vfs=faulty",
             bed->directory);
    bed_open(bed);
    bed_put(bed, 1, 1);
    bed_settle(bed);

    disk_fails = true;
    for (int i = 0; i < 10; i++) {
        bed_put(bed, 1, 2 + i);
        bed_put(bed, 100 + i, 1);
        struct put *put = put_create(bed, 2, 2);
        put->refuse = true;
        model_write(bed->model, put_edit, put_done, put);
        bed_settle(bed);
    }
    assert_int_equal(bed->n_done, 1);
    assert_int_equal(bed->n_failed, 30);
    assert_int_equal(bed->kind, ERR_UNAVAILABLE);
    assert_int_equal(bed_box(bed, 1)->size, 1);
    assert_null(bed_box(bed, 100));

    char text[] = "heard";
    model_write_facts(bed->model, rumour_edit, text);
    assert_string_equal(bed_rumour(bed), "heard");
    BED_WAIT(bed, bed_status(bed, "failed_commits") >= 12);
    assert_false(store_is_idle(bed->store));

    disk_fails = false; /* It heals without being asked. */
    BED_WAIT(bed, store_is_idle(bed->store));
    AUTO(json) *status = store_status(bed->store);
    bool writable;
    assert_true(jget_bool(status, "writable", &writable) && writable);
    assert_non_null(jget_text(status, "last_error"));
    bed_put(bed, 1, 99);
    bed_settle(bed);
    bed_reopen(bed);
    assert_int_equal(bed_box(bed, 1)->size, 99);
    assert_string_equal(bed_rumour(bed), "heard");
    assert_int_equal(model_count(bed->model, &box_resource), 1);
}

/* What is waiting for a retry does not hold up the end. */
static void
test_close_with_failing_disk(void **state)
{
    struct bed *bed = *state;
    bed_forget_model(bed);
    faulty_register();
    snprintf(bed->path, sizeof bed->path, "file:%s/weft.db?vfs=faulty",
             bed->directory);
    bed_open(bed);
    disk_fails = true;
    char text[] = "unheard";
    model_write_facts(bed->model, rumour_edit, text);
    bed_put(bed, 1, 1);
    store_close(bed->store);
    bed->store = NULL;
    assert_int_equal(bed->n_failed, 1);
    disk_fails = false;
}

/* Nobody is promised anything by a store that is closed. */
static void
test_closed(void **state)
{
    struct bed *bed = *state;
    store_close(STEAL(bed->store));
    bed_put(bed, 1, 1);
    assert_int_equal(bed->n_failed, 1);
    assert_int_equal(bed->kind, ERR_UNAVAILABLE);
    assert_null(bed_box(bed, 1));
    char text[] = "late";
    model_write_facts(bed->model, rumour_edit, text);
    assert_string_equal(bed_rumour(bed), "late");
}

static void
test_close_finishes(void **state)
{
    struct bed *bed = *state;
    bed_put(bed, 1, 1);
    loop_run_once(bed->loop, 0);
    bed_put(bed, 2, 2);
    bed_reopen(bed);
    assert_int_equal(bed->n_done, 2);
    assert_int_equal(bed_box(bed, 2)->size, 2);
}

/* Damage. */

static void
file_copy(const char *from, const char *to)
{
    AUTO_TEXT *command = mem_textf("cp '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
}

static void
file_flip(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    uint8_t byte;
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x15;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

/* Whatever byte flips: the file is refused, or nothing is lost. */
static void
test_damaged_file(void **state)
{
    struct bed *bed = *state;
    for (int i = 0; i < 60; i++) {
        bed_put(bed, i, i);
    }
    bed_settle(bed);
    bed_forget_model(bed);

    char good[128];
    snprintf(good, sizeof good, "%s/good.db", bed->directory);
    file_copy(bed->path, good);
    struct stat st;
    assert_int_equal(stat(good, &st), 0);
    int n_refused = 0;
    for (off_t at = 3; at < st.st_size; at += 101) {
        file_copy(good, bed->path);
        file_flip(bed->path, at);
        struct err *err = bed_try_open(bed);
        if (err) {
            assert_true(err->kind == ERR_CORRUPT
                        || err->kind == ERR_UNAVAILABLE);
            assert_non_null(strstr(err->text, bed->path));
            n_refused += err->kind == ERR_CORRUPT;
            err_destroy(err);
        } else {
            assert_int_equal(model_count(bed->model, &box_resource), 60);
            for (int i = 0; i < 60; i++) {
                assert_int_equal(bed_box(bed, i)->size, i);
            }
        }
        bed_forget_model(bed);
    }
    assert_true(n_refused > 20);

    file_copy(good, bed->path);
    assert_int_equal(truncate(bed->path, st.st_size / 2), 0);
    AUTO(err) *err = bed_try_open(bed);
    assert_int_equal(err->kind, ERR_CORRUPT);
    assert_non_null(strstr(err->text, "weft restore"));
}

static void
expect_refusal(struct bed *bed, const char *sql, const char *says)
{
    bed_forget_model(bed);
    AUTO_TEXT *command = mem_textf("rm -f %s*; sqlite3 %s '%s' >/dev/null",
                                   bed->path, bed->path, sql);
    assert_int_equal(system(command), 0);
    AUTO(err) *err = bed_try_open(bed);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_CORRUPT);
    assert_non_null(strstr(err->text, says));
    assert_non_null(strstr(err->text, bed->path));
}

static void
test_not_our_file(void **state)
{
    struct bed *bed = *state;
    expect_refusal(bed, "CREATE TABLE t (a)", "not a store");
    expect_refusal(bed,
                   "PRAGMA application_id=1464157780;"
                   "PRAGMA user_version=1000; CREATE TABLE t (a)",
                   "newer");
    bed_forget_model(bed);
    AUTO_TEXT *command = mem_textf("rm -f %s*; echo hello hello hello hello "
                                   "hello hello >%s",
                                   bed->path, bed->path);
    assert_int_equal(system(command), 0);
    AUTO(err) *err = bed_try_open(bed);
    assert_int_equal(err->kind, ERR_CORRUPT);

    bed_forget_model(bed);
    snprintf(bed->path, sizeof bed->path, "/nowhere/at/all/weft.db");
    AUTO(err) *missing = bed_try_open(bed);
    assert_int_equal(missing->kind, ERR_UNAVAILABLE);
}

static void
test_unknown_resource_is_kept(void **state)
{
    struct bed *bed = *state;
    bed_put(bed, 1, 1);
    char text[] = "kept";
    model_write_facts(bed->model, rumour_edit, text);
    bed_forget_model(bed);

    bed->model = model_create();
    model_register(bed->model, &box_resource);
    struct err *err =
        store_open(bed->loop, bed->path, bed->model, &bed->store);
    assert_null(err);
    assert_int_equal(bed_status(bed, "unknown_objects"), 1);
    bed_reopen(bed);
    assert_string_equal(bed_rumour(bed), "kept");
}

static void
test_migration(void **state)
{
    struct bed *bed = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/old.db", bed->directory);
    const char *steps[] = {
        disk_format.steps[0],
        "ALTER TABLE object ADD COLUMN colour TEXT NOT NULL DEFAULT 'red';"
        "CREATE INDEX object_by_colour ON object (colour)",
        "CREATE NONSENSE",
    };
    struct disk_row row = { .action = DISK_PUT,
                            .resource = "box",
                            .id = box_id(1),
                            .number = 7,
                            .body = "{\"size\": 1}",
                            .size = 11 };
    struct disk_format format = { steps, 1 };
    struct disk *disk;
    assert_null(disk_open(path, &format, &disk));
    assert_null(disk_write(disk, &row, 1));
    disk_destroy(disk);

    /* A step that fails leaves the format before it, whole. */
    format.n_steps = 3;
    AUTO(err) *err = disk_open(path, &format, &disk);
    assert_non_null(err);

    format.n_steps = 2;
    for (int again = 0; again < 2; again++) {
        assert_null(disk_open(path, &format, &disk));
        assert_null(disk_write(disk, &row, 1));
        disk_destroy(disk);
        AUTO_TEXT *command =
            mem_textf("test \"$(sqlite3 %s 'SELECT colour, number FROM object;"
                      "PRAGMA user_version')\" = \"$(printf 'red|7\\n2')\"",
                      path);
        assert_int_equal(system(command), 0);
    }
    format.n_steps = 1;
    AUTO(err) *newer = disk_open(path, &format, &disk);
    assert_non_null(strstr(newer->text, "newer"));
}

/* Backup and restore. */

static void
backup_done(struct err *err, void *bed_)
{
    struct bed *bed = bed_;
    if (err) {
        bed->n_failed++;
        bed->kind = err->kind;
        err_destroy(err);
    } else {
        bed->n_done++;
    }
}

static void
test_backup_and_restore(void **state)
{
    struct bed *bed = *state;
    char backup[128];
    snprintf(backup, sizeof backup, "%s/backup.db", bed->directory);
    for (int i = 0; i < 50; i++) {
        bed_put(bed, i, i);
    }
    bed_settle(bed);
    bed->n_done = 0;
    for (int round = 0; round < 2; round++) { /* Replaces an older one. */
        store_backup(bed->store, backup, backup_done, bed);
        bed_put(bed, 50 + round, 1); /* While it runs. */
        bed_settle(bed);
    }
    assert_int_equal(bed->n_done, 4);
    store_backup(bed->store, bed->path, backup_done, bed);
    bed_settle(bed);
    assert_int_equal(bed->kind, ERR_INVALID);
    store_backup(bed->store, "/nowhere/backup.db", backup_done, bed);
    bed_settle(bed);
    assert_int_equal(bed->kind, ERR_UNAVAILABLE);

    AUTO(err) *in_use = store_restore(backup, bed->path);
    assert_non_null(in_use);
    assert_int_equal(in_use->kind, ERR_IN_USE);

    bed_put(bed, 1, 1000);
    bed_put(bed, 2, -1);
    bed_settle(bed);
    bed_forget_model(bed);
    assert_null(store_restore(backup, bed->path));
    bed_open(bed);
    assert_in_range(model_count(bed->model, &box_resource), 51, 52);
    assert_int_equal(bed_box(bed, 1)->size, 1);
    assert_int_equal(bed_box(bed, 2)->size, 2);

    /* The old one was kept; a damaged one can be replaced, too. */
    bed_forget_model(bed);
    AUTO_TEXT *kept = mem_textf("%s.before-restore", bed->path);
    assert_null(store_restore(kept, bed->path));
    bed_open(bed);
    assert_int_equal(bed_box(bed, 1)->size, 1000);
    bed_forget_model(bed);
    file_flip(bed->path, 20);
    file_flip(bed->path, 3);
    assert_null(store_restore(backup, bed->path));
    bed_open(bed);
    assert_int_equal(bed_box(bed, 1)->size, 1);
}

/* It is refused, and harms nothing. */
static void
test_restore_of_damaged_backup(void **state)
{
    struct bed *bed = *state;
    AUTO_TEXT *backup = mem_textf("%s/backup.db", bed->directory);
    for (int i = 0; i < 50; i++) {
        bed_put(bed, i, i);
    }
    bed_settle(bed);
    store_backup(bed->store, backup, backup_done, bed);
    bed_settle(bed);
    bed_forget_model(bed);

    file_flip(backup, 4096 + 1500);
    struct stat st;
    assert_int_equal(stat(backup, &st), 0);
    assert_int_equal(truncate(backup, st.st_size - 4096), 0);
    AUTO(err) *damaged = store_restore(backup, bed->path);
    assert_non_null(damaged);
    AUTO(err) *none = store_restore("/nowhere/backup.db", bed->path);
    assert_non_null(none);
    bed_open(bed);
    assert_int_equal(model_count(bed->model, &box_resource), 50);
}

static void
test_memory(void **state)
{
    struct bed *bed = *state;
    bed_forget_model(bed);
    snprintf(bed->path, sizeof bed->path, ":memory:");
    bed_open(bed);
    bed_put(bed, 1, 1);
    bed_settle(bed);
    assert_int_equal(bed_box(bed, 1)->size, 1);
    store_backup(bed->store, "/tmp/never", backup_done, bed);
    bed_settle(bed);
    assert_int_equal(bed->kind, ERR_INVALID);
}

/* Bounded: the file does not grow with the number of writes. */
static void
test_file_stays_small(void **state)
{
    struct bed *bed = *state;
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < 20; i++) {
            bed_put(bed, i, round);
        }
        bed_put(bed, 1000 + round, 1);
        bed_put(bed, 1000 + round - 1, -1);
        bed_settle(bed);
    }
    AUTO_TEXT *log = mem_textf("%s-wal", bed->path);
    assert_true(disk_size(bed->path) < 1 << 20);
    assert_true(disk_size(log) < 20 << 20);
}

int
main(void)
{
#define TEST(NAME)                                                            \
    cmocka_unit_test_setup_teardown(NAME, bed_setup, bed_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_answered_is_there),
        TEST(test_refused_leaves_nothing),
        TEST(test_waiting_keep_their_order),
        TEST(test_facts),
        TEST(test_facts_overtake),
        TEST(test_failing_disk),
        TEST(test_close_with_failing_disk),
        TEST(test_close_finishes),
        TEST(test_closed),
        TEST(test_damaged_file),
        TEST(test_not_our_file),
        TEST(test_unknown_resource_is_kept),
        TEST(test_migration),
        TEST(test_backup_and_restore),
        TEST(test_restore_of_damaged_backup),
        TEST(test_memory),
        TEST(test_file_stays_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
