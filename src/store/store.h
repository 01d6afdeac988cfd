/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_STORE_H
#define STORE_STORE_H 1

/* The store: durability for a model.
 *
 * SQLite in WAL mode, synchronous=FULL.  Group commit: while one transaction
 * is being made durable by a helper thread, edits wait; then all that wait are
 * run into one transaction, committed with one fsync, applied, and answered.
 *
 * A failed commit (disk full) fails every edit in it with ERR_UNAVAILABLE and
 * changes nothing; the next one tries again, so the store heals when the disk
 * does.  Facts that could not be written stay queued.
 *
 * The file has a format version (PRAGMA user_version); older formats are
 * migrated forward when opened, newer ones refused. */

#include "base/loop.h"
#include "model/model.h"

struct store;

/* Opens or creates 'path' (":memory:" for tests), loads every object into
 * 'model', and becomes its writer.  ERR_CORRUPT, naming the file and what to
 * do, if the file is damaged or newer than this program. */
struct err *store_open(struct loop *, const char *path, struct model *,
                       struct store **) OVS_WARN_UNUSED_RESULT;
/* Finishes what is queued, then closes; blocks for one commit at most.  From
 * then on, and while it runs, who writes to the model is refused with
 * ERR_UNAVAILABLE before model_write() returns; facts are applied, but not
 * stored.  Accepts null. */
void store_close(struct store *);
bool store_is_idle(const struct store *);

/* Copies a consistent snapshot to 'path' while serving; 'done' gets null or
 * the error. */
void store_backup(struct store *, const char *path, model_done done,
                  void *aux);
/* Replaces the file of a stopped daemon by a backup, after checking it; the
 * old file is kept as PATH.before-restore. */
struct err *store_restore(const char *backup,
                          const char *path) OVS_WARN_UNUSED_RESULT;

/* {"path", "bytes", "objects", "unknown_objects", "commits", "edits",
 *  "failed_commits", "writable", "last_error", "commit_ms": {"last", "mean",
 *  "max"}} */
struct json *store_status(const struct store *);

#endif /* store/store.h */
