/* SPDX-License-Identifier: Apache-2.0 */
/* The store's file: SQLite.
 *
 *     object(resource, id, number, body, digest)   one row per object
 *     deleted(seq, resource, id)                   the last deletions
 *     health(id, probes)                           one row, see disk_write()
 *
 * WAL mode with synchronous=FULL: a commit costs one fsync of the log, readers
 * (a backup, the 'sqlite3' command) do not disturb writers, and the log is
 * folded into the file every CHECKPOINT_PAGES pages, so that it stays small.
 *
 * What can damage a file and how it is found when the file is opened:
 *
 *     not our file                  application_id
 *     written by a newer program    user_version
 *     torn or missing pages         PRAGMA quick_check
 *     bytes flipped in a row        'digest', checked while reading
 *
 * The digest is FNV-1a: it guards against accidents, not against people.
 *
 * Ids are stored as 16 bytes in text order, numbers and digests as SQLite
 * integers.  All errors name the file and say what to do about it.  A 'struct
 * disk' may be used by one thread at a time. */

#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* printf() format of file and finding. */
#define DISK_DAMAGED                                                          \
    "%s is damaged (%s); restore a backup with `weft restore FILE`, or move " \
    "the file away to start empty: Neutron's driver then sends everything "   \
    "again"

#define CHECKPOINT_PAGES 2000     /* 8 MB of log. */
#define LOG_SIZE_LIMIT   33554432 /* The log is cut back to 32 MB. */
#define BUSY_TIMEOUT_MS  5000
#define N_DELETED        100000 /* Deletions remembered. */

static const char *const format_steps[] = {
    "CREATE TABLE object ("
    " resource TEXT NOT NULL, id BLOB NOT NULL, number INTEGER NOT NULL,"
    " body TEXT NOT NULL, digest INTEGER NOT NULL,"
    " PRIMARY KEY (resource, id)) WITHOUT ROWID, STRICT;"
    "CREATE TABLE deleted ("
    " seq INTEGER PRIMARY KEY, resource TEXT NOT NULL, id BLOB NOT NULL)"
    " STRICT;"
    "CREATE TABLE health (id INTEGER PRIMARY KEY, probes INTEGER NOT NULL)"
    " STRICT;"
    "INSERT INTO health VALUES (1, 0);",
};
const struct disk_format disk_format = {
    format_steps, sizeof format_steps / sizeof *format_steps
};

#define STATEMENTS                                                            \
    STATEMENT(BEGIN, "BEGIN IMMEDIATE")                                       \
    STATEMENT(COMMIT, "COMMIT")                                               \
    STATEMENT(PUT, "INSERT OR REPLACE INTO object"                            \
                   " (resource, id, number, body, digest)"                    \
                   " VALUES (?, ?, ?, ?, ?)")                                 \
    STATEMENT(DELETE, "DELETE FROM object WHERE resource = ? AND id = ?")     \
    STATEMENT(REMEMBER, "INSERT INTO deleted (resource, id) VALUES (?, ?)")   \
    STATEMENT(TRIM, "DELETE FROM deleted WHERE"                               \
                    " seq <= (SELECT max(seq) FROM deleted) - ?")             \
    STATEMENT(PROBE, "UPDATE health SET probes = probes + 1")

enum statement_id {
#define STATEMENT(ID, SQL) S_##ID,
    STATEMENTS
#undef STATEMENT
        N_STATEMENTS
};

struct disk {
    sqlite3 *db;
    char *path;
    sqlite3_stmt *statements[N_STATEMENTS];
};

static void connection_auto(sqlite3 **);
static void statement_auto(sqlite3_stmt **);
#define AUTO_CONNECTION __attribute__((cleanup(connection_auto))) sqlite3
#define AUTO_STATEMENT  __attribute__((cleanup(statement_auto))) sqlite3_stmt

static struct err *disk_check(sqlite3 *, const char *path, size_t newest,
                              int64_t *version);
static int disk_configure(sqlite3 *);
static struct err *disk_migrate(sqlite3 *, const char *path,
                                const struct disk_format *, int64_t version);
static struct err *disk_prepare(struct disk *);
static struct err *disk_read_objects(sqlite3 *, const char *path,
                                     const struct disk_reader *, void *aux);
static int disk_read_deleted(sqlite3 *, const struct disk_reader *, void *aux);
static int disk_write_row(struct disk *, const struct disk_row *);
static int disk_step(struct disk *, enum statement_id);
static struct err *disk_copy(const char *source, const char *target);
static struct err *disk_verify(const char *path);
static struct err *disk_retire(const char *path);
static struct err *rename_durably(const char *from, const char *to);
static struct err *err_from_sqlite(sqlite3 *, const char *path, int rc);
static struct err *err_from_errno(const char *verb, const char *path);
static int query_int(sqlite3 *, const char *sql, int64_t *);
static int64_t row_digest(const struct disk_row *);
static void id_to_blob(const struct uuid *, uint8_t blob[16]);
static bool id_from_column(sqlite3_stmt *, int column, struct uuid *);

/* Opening. */

struct err *
disk_open(const char *path, const struct disk_format *format,
          struct disk **diskp)
{
    AUTO(disk) *disk = NEW(struct disk);
    disk->path = mem_text(path);

    int rc = sqlite3_open_v2(path, &disk->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                 | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX
                                 | SQLITE_OPEN_EXRESCODE,
                             NULL);
    rc = rc ? rc : disk_configure(disk->db);
    if (rc) {
        return err_from_sqlite(disk->db, path, rc);
    }

    int64_t version;
    struct err *err = disk_check(disk->db, path, format->n_steps, &version);
    if (err) {
        return err;
    }
    int64_t unused;
    rc = query_int(disk->db, "PRAGMA journal_mode=WAL", &unused);
    if (rc) {
        return err_from_sqlite(disk->db, path, rc);
    }
    err = disk_migrate(disk->db, path, format, version);
    err = err ? err : disk_prepare(disk);
    if (err) {
        return err;
    }
    *diskp = STEAL(disk);
    return NULL;
}

void
disk_destroy(struct disk *disk)
{
    if (!disk) {
        return;
    }
    for (size_t i = 0; i < N_STATEMENTS; i++) {
        sqlite3_finalize(disk->statements[i]);
    }
    /* Folds the log into the file and removes it. */
    sqlite3_close(disk->db);
    free(disk->path);
    free(disk);
}

/* Settings that need no look into the file yet. */
static int
disk_configure(sqlite3 *db)
{
    sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);

    /* A file system without shared memory (a simulated one) can have a log
     * all the same if nobody else opens the file. */
    sqlite3_file *file = NULL;
    sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    bool shared = file && file->pMethods && file->pMethods->iVersion >= 2
                  && file->pMethods->xShmMap;
    AUTO_TEXT *sql = mem_textf(
        "PRAGMA locking_mode=%s; PRAGMA synchronous=FULL;"
        "PRAGMA wal_autocheckpoint=%d; PRAGMA journal_size_limit=%d;"
        "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
        "PRAGMA temp_store=MEMORY",
        shared ? "NORMAL" : "EXCLUSIVE", CHECKPOINT_PAGES, LOG_SIZE_LIMIT);
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* Is the file whole, ours, and not newer than format 'newest'?  Stores its
 * format, 0 for an empty file. */
static struct err *
disk_check(sqlite3 *db, const char *path, size_t newest, int64_t *versionp)
{
    int64_t application, version, n_tables;
    int rc = query_int(db, "PRAGMA application_id", &application);
    rc = rc ? rc : query_int(db, "PRAGMA user_version", &version);
    rc = rc ? rc
            : query_int(db, "SELECT count(*) FROM sqlite_schema", &n_tables);
    if (rc) {
        return err_from_sqlite(db, path, rc);
    }
    if (!application && !version && !n_tables) {
        *versionp = 0;
        return NULL;
    }
    if (application != DISK_APPLICATION_ID) {
        return err_new(ERR_CORRUPT, NULL,
                       "%s is not a store of Weft; name another file, or "
                       "move this one away to start empty",
                       path);
    }
    if (version < 0 || (uint64_t) version > newest) {
        return err_new(ERR_CORRUPT, NULL,
                       "%s was written by a newer Weft (format %" PRId64
                       ", this one knows up to %zu); install that version "
                       "again, or restore a backup made by this one",
                       path, version, newest);
    }

    AUTO_STATEMENT *check = NULL;
    rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &check, NULL);
    if (rc || sqlite3_step(check) != SQLITE_ROW) {
        return err_from_sqlite(db, path, sqlite3_errcode(db));
    }
    const char *verdict = (const char *) sqlite3_column_text(check, 0);
    if (!verdict || strcmp(verdict, "ok")) {
        return err_new(ERR_CORRUPT, NULL, DISK_DAMAGED, path,
                       verdict ? verdict : "no verdict");
    }
    *versionp = version;
    return NULL;
}

static struct err *
disk_migrate(sqlite3 *db, const char *path, const struct disk_format *format,
             int64_t version)
{
    for (size_t i = version; i < format->n_steps; i++) {
        AUTO_TEXT *sql =
            mem_textf("BEGIN IMMEDIATE; %s; PRAGMA application_id=%d;"
                      "PRAGMA user_version=%zu; COMMIT",
                      format->steps[i], DISK_APPLICATION_ID, i + 1);
        int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
        if (rc) {
            struct err *err = err_from_sqlite(db, path, rc);
            (void) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
            return err;
        }
    }
    return NULL;
}

static struct err *
disk_prepare(struct disk *disk)
{
    static const char *const sql[N_STATEMENTS] = {
#define STATEMENT(ID, SQL) SQL,
        STATEMENTS
#undef STATEMENT
    };
    for (size_t i = 0; i < N_STATEMENTS; i++) {
        int rc =
            sqlite3_prepare_v3(disk->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &disk->statements[i], NULL);
        if (rc) {
            return err_from_sqlite(disk->db, disk->path, rc);
        }
    }
    return NULL;
}

/* Reading. */

struct err *
disk_read(struct disk *disk, const struct disk_reader *reader, void *aux)
{
    struct err *err = disk_read_objects(disk->db, disk->path, reader, aux);
    if (err) {
        return err;
    }
    int rc = disk_read_deleted(disk->db, reader, aux);
    return rc ? err_from_sqlite(disk->db, disk->path, rc) : NULL;
}

static struct err *
disk_read_objects(sqlite3 *db, const char *path,
                  const struct disk_reader *reader, void *aux)
{
    AUTO_STATEMENT *query = NULL;
    int rc = sqlite3_prepare_v2(db,
                                "SELECT resource, id, number, body, digest"
                                " FROM object ORDER BY resource, id",
                                -1, &query, NULL);
    if (rc) {
        return err_from_sqlite(db, path, rc);
    }
    while ((rc = sqlite3_step(query)) == SQLITE_ROW) {
        int64_t number = sqlite3_column_int64(query, 2);
        struct disk_row row = {
            .action = DISK_PUT,
            .resource = (const char *) sqlite3_column_text(query, 0),
            .number = number,
            .body = (const char *) sqlite3_column_text(query, 3),
            .size = sqlite3_column_bytes(query, 3),
        };
        if (!row.resource || !row.body || !id_from_column(query, 1, &row.id)
            || number < 0 || number > UINT32_MAX
            || sqlite3_column_int64(query, 4) != row_digest(&row)) {
            AUTO_TEXT *what = mem_textf(
                "%s " UID_FMT " does not match its digest",
                row.resource ? row.resource : "row", UID_ARGS(&row.id));
            return err_new(ERR_CORRUPT, NULL, DISK_DAMAGED, path, what);
        }
        struct err *err = reader->object(&row, aux);
        if (err) {
            return err;
        }
    }
    return rc == SQLITE_DONE ? NULL : err_from_sqlite(db, path, rc);
}

static int
disk_read_deleted(sqlite3 *db, const struct disk_reader *reader, void *aux)
{
    AUTO_STATEMENT *query = NULL;
    int rc = sqlite3_prepare_v2(
        db, "SELECT resource, id FROM deleted ORDER BY seq", -1, &query, NULL);
    if (rc) {
        return rc;
    }
    while ((rc = sqlite3_step(query)) == SQLITE_ROW) {
        struct uuid id;
        const char *resource = (const char *) sqlite3_column_text(query, 0);
        if (resource && id_from_column(query, 1, &id)) {
            reader->deleted(resource, &id, aux);
        }
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Writing. */

struct err *
disk_write(struct disk *disk, const struct disk_row *rows, size_t n)
{
    bool trim = false;
    int rc = disk_step(disk, S_BEGIN);
    for (size_t i = 0; i < n && !rc; i++) {
        trim |= rows[i].action == DISK_DELETE;
        rc = disk_write_row(disk, &rows[i]);
    }
    if (!rc && trim) {
        sqlite3_bind_int(disk->statements[S_TRIM], 1, N_DELETED);
        rc = disk_step(disk, S_TRIM);
    }
    if (!rc && !n) {
        rc = disk_step(disk, S_PROBE);
    }
    rc = rc ? rc : disk_step(disk, S_COMMIT);
    if (!rc) {
        return NULL;
    }

    struct err *err = err_from_sqlite(disk->db, disk->path, rc);
    if (!sqlite3_get_autocommit(disk->db)) {
        /* Cannot fail in a way that matters: what it would undo is not in the
         * file. */
        (void) sqlite3_exec(disk->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return err;
}

static int
disk_write_row(struct disk *disk, const struct disk_row *row)
{
    uint8_t id[16];
    id_to_blob(&row->id, id);

    enum statement_id which = row->action == DISK_PUT ? S_PUT : S_DELETE;
    for (;;) {
        sqlite3_stmt *s = disk->statements[which];
        sqlite3_bind_text(s, 1, row->resource, -1, SQLITE_STATIC);
        sqlite3_bind_blob(s, 2, id, sizeof id, SQLITE_STATIC);
        if (which == S_PUT) {
            sqlite3_bind_int64(s, 3, row->number);
            sqlite3_bind_text(s, 4, row->body, row->size, SQLITE_STATIC);
            sqlite3_bind_int64(s, 5, row_digest(row));
        }
        int rc = disk_step(disk, which);
        if (rc || which != S_DELETE || row->action == DISK_FORGET) {
            return rc;
        }
        which = S_REMEMBER;
    }
}

/* Runs a statement that returns no rows, with what is bound to it. */
static int
disk_step(struct disk *disk, enum statement_id which)
{
    sqlite3_stmt *statement = disk->statements[which];
    int rc = sqlite3_step(statement);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* Backup and restore. */

struct err *
disk_backup(const char *source, const char *target)
{
    struct stat a, b;
    if (!stat(source, &a) && !stat(target, &b) && a.st_dev == b.st_dev
        && a.st_ino == b.st_ino) {
        return err_new(ERR_INVALID, "path",
                       "%s is the store itself; name another file", target);
    }
    AUTO_TEXT *partial = mem_textf("%s.partial", target);
    if (unlink(partial) && errno != ENOENT) {
        return err_from_errno("write", partial);
    }
    struct err *err = disk_copy(source, partial);
    err = err ? err : rename_durably(partial, target);
    if (err) {
        (void) unlink(partial); /* The first error is what counts. */
    }
    return err;
}

struct err *
disk_restore(const char *backup, const char *path)
{
    struct err *err = disk_verify(backup);
    if (err) {
        return err;
    }
    AUTO_TEXT *partial = mem_textf("%s.partial", path);
    if (unlink(partial) && errno != ENOENT) {
        return err_from_errno("write", partial);
    }
    err = disk_copy(backup, partial);
    err = err ? err : disk_retire(path);
    if (!err) {
        /* The daemon must be able to open what root put there. */
        AUTO_TEXT *copy = mem_text(path);
        struct stat st;
        if (!geteuid() && (!stat(path, &st) || !stat(dirname(copy), &st))
            && chown(partial, st.st_uid, st.st_gid)) {
            err = err_from_errno("set the owner of", partial);
        }
    }
    err = err ? err : rename_durably(partial, path);
    if (err) {
        (void) unlink(partial); /* The first error is what counts. */
    }
    return err;
}

uint64_t
disk_size(const char *path)
{
    struct stat st;
    return stat(path, &st) ? 0 : st.st_size;
}

/* Makes 'target' a copy of what 'source' holds now, as one plain file.  In one
 * step: a reader does not hold up writers, and a copy in several steps would
 * start over at each commit. */
static struct err *
disk_copy(const char *source, const char *target)
{
    AUTO_CONNECTION *from = NULL;
    int rc = sqlite3_open_v2(source, &from,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, NULL);
    if (rc) {
        return err_from_sqlite(from, source, rc);
    }
    AUTO_CONNECTION *to = NULL;
    rc = sqlite3_open_v2(target, &to,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (rc) {
        return err_from_sqlite(to, target, rc);
    }
    sqlite3_busy_timeout(from, BUSY_TIMEOUT_MS);
    sqlite3_busy_timeout(to, BUSY_TIMEOUT_MS);

    sqlite3_backup *copy = sqlite3_backup_init(to, "main", from, "main");
    if (!copy) {
        return err_from_sqlite(to, target, sqlite3_errcode(to));
    }
    (void) sqlite3_backup_step(copy, -1); /* 'finish' says it again. */
    rc = sqlite3_backup_finish(copy);
    int64_t unused;
    rc = rc ? rc : query_int(to, "PRAGMA journal_mode=DELETE", &unused);
    return rc ? err_from_sqlite(to, target, rc) : NULL;
}

static struct err *
verify_object(const struct disk_row *row, void *aux)
{
    return NULL;
}

static void
verify_deleted(const char *resource, const struct uuid *id, void *aux)
{
}

/* Is 'path' a whole file of ours that this program can read? */
static struct err *
disk_verify(const char *path)
{
    AUTO_CONNECTION *db = NULL;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
    if (rc) {
        return err_from_sqlite(db, path, rc);
    }
    int64_t version;
    struct err *err = disk_check(db, path, disk_format.n_steps, &version);
    if (!err && !version) {
        err = err_new(ERR_INVALID, NULL, "%s is empty: not a backup", path);
    }
    if (err) {
        return err;
    }
    static const struct disk_reader reader = { .object = verify_object,
                                               .deleted = verify_deleted };
    return disk_read_objects(db, path, &reader, NULL);
}

/* Folds the log into the file, for which nobody else may have it open.  A
 * damaged file cannot, and keeps its log. */
static struct err *
disk_fold(const char *path)
{
    AUTO_CONNECTION *db = NULL;
    int64_t unused;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
    rc = rc ? rc : query_int(db, "PRAGMA journal_mode=DELETE", &unused);
    return rc == SQLITE_BUSY || rc == SQLITE_LOCKED ? err_new(
               ERR_IN_USE, NULL, "%s is in use; stop weftd first", path)
                                                    : NULL;
}

/* Keeps the file at 'path', if there is one, as PATH.before-restore, whole,
 * while it stays where it is until something replaces it. */
static struct err *
disk_retire(const char *path)
{
    if (access(path, F_OK)) {
        return NULL;
    }
    struct err *err = disk_fold(path);
    if (err) {
        return err;
    }
    AUTO_TEXT *kept = mem_textf("%s.before-restore", path);
    AUTO_TEXT *kept_log = mem_textf("%s-wal", kept);
    AUTO_TEXT *log = mem_textf("%s-wal", path);
    AUTO_TEXT *index = mem_textf("%s-shm", path);
    if ((unlink(kept) && errno != ENOENT)
        || (unlink(kept_log) && errno != ENOENT) || link(path, kept)
        || (rename(log, kept_log) && errno != ENOENT)
        || (unlink(index) && errno != ENOENT)) {
        return err_from_errno("keep the old store as", kept);
    }
    return NULL;
}

static struct err *
rename_durably(const char *from, const char *to)
{
    if (rename(from, to)) {
        return err_from_errno("write", to);
    }
    AUTO_TEXT *copy = mem_text(to);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd)) {
        struct err *err = err_from_errno("write", to);
        if (fd >= 0) {
            close(fd);
        }
        return err;
    }
    close(fd);
    return NULL;
}

/* Small things. */

static struct err *
err_from_sqlite(sqlite3 *db, const char *path, int rc)
{
    /* The connection is null only if memory ran out. */
    const char *text = db && sqlite3_errcode(db) != SQLITE_OK
                           ? sqlite3_errmsg(db)
                           : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
        return err_new(ERR_CORRUPT, NULL, DISK_DAMAGED, path, text);
    default:
        return err_new(ERR_UNAVAILABLE, NULL, "cannot use %s: %s", path, text);
    }
}

static struct err *
err_from_errno(const char *verb, const char *path)
{
    return err_new(ERR_UNAVAILABLE, NULL, "cannot %s %s: %s", verb, path,
                   strerror(errno));
}

/* The first column of the first row as a number, 0 if it is text. */
static int
query_int(sqlite3 *db, const char *sql, int64_t *valuep)
{
    AUTO_STATEMENT *query = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &query, NULL);
    if (rc) {
        return rc;
    }
    rc = sqlite3_step(query);
    if (rc != SQLITE_ROW) {
        return rc == SQLITE_DONE ? SQLITE_ERROR : rc;
    }
    *valuep = sqlite3_column_int64(query, 0);
    return SQLITE_OK;
}

static uint64_t
fnv1a(uint64_t hash, const void *data, size_t size)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static int64_t
row_digest(const struct disk_row *row)
{
    uint8_t head[16 + 4];
    id_to_blob(&row->id, head);
    for (int i = 0; i < 4; i++) {
        head[16 + i] = row->number >> (8 * i);
    }
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    hash = fnv1a(hash, row->resource, strlen(row->resource) + 1);
    hash = fnv1a(hash, head, sizeof head);
    hash = fnv1a(hash, row->body, row->size);
    return (int64_t) hash;
}

static void
id_to_blob(const struct uuid *id, uint8_t blob[16])
{
    for (int i = 0; i < 16; i++) {
        blob[i] = id->parts[i / 4] >> (24 - 8 * (i % 4));
    }
}

static bool
id_from_column(sqlite3_stmt *query, int column, struct uuid *id)
{
    const uint8_t *blob = sqlite3_column_blob(query, column);
    if (!blob || sqlite3_column_bytes(query, column) != 16) {
        return false;
    }
    memset(id, 0, sizeof *id);
    for (int i = 0; i < 16; i++) {
        id->parts[i / 4] |= (uint32_t) blob[i] << (24 - 8 * (i % 4));
    }
    return true;
}

static void
connection_auto(sqlite3 **db)
{
    sqlite3_close(*db);
}

static void
statement_auto(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
}
