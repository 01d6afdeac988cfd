/* SPDX-License-Identifier: Apache-2.0 */
/* The store: group commit for a model.
 *
 *     model_write ──► edits ──run──► open txn ──flush──► commit ──► file
 *                       │                                  │ in flight
 *                       └──► waiting (a commit is in flight)
 *     model_write_facts ──► applied at once; its keys are dirty
 *
 * An edit that arrives while nothing is in flight runs into the open
 * transaction at once, and the flush is deferred to the end of the turn, so
 * that every request that is ready in this turn shares its fsync.  While a
 * commit is in flight the model stands still for edits: they wait, and run in
 * order when it has ended.  So an edit always sees what is durable plus what
 * will become durable with it, and nothing else.
 *
 * The error of an edit, too, is told only when its transaction has ended:
 * it may follow from another edit's change, which is not true before.
 *
 * Facts are true when they are reported, durable or not.  Only their keys are
 * remembered; what is written is what the model says at the next commit, so
 * that a thousand reports about one host cost one row, and file and model
 * agree whatever happened to the object in between.
 *
 * A commit that fails is undone: its transaction is thrown away, its edits are
 * told, its keys are dirty again.  A timer then tries again, with a
 * transaction of no rows if need be, until the disk works.
 *
 * Costs: an edit costs what it changes, a commit one fsync whatever the
 * number of edits, at most BATCH of them so that a turn of the loop is
 * bounded.  Everything runs in the loop's thread except commit_write() and
 * backup_copy(), which get rows and names, never the model. */

#include "store/store.h"

#include <inttypes.h>
#include <sys/param.h>

#include "openvswitch/vlog.h"

#include "store/disk.h"

VLOG_DEFINE_THIS_MODULE(store);

#define BATCH          1000 /* Edits in a commit. */
#define FACTS_DELAY_US 50000
#define RETRY_MIN_US   250000
#define RETRY_MAX_US   2000000

struct edit {
    struct ovs_list node;
    model_edit run;
    model_done done;
    void *aux;
    struct err *err; /* Its own, told when it is time. */
};

/* An object whose row may differ from the model. */
struct dirty {
    struct hmap_node node;
    const struct resource *resource;
    struct uuid id;
};

/* What is being made durable. */
struct commit {
    struct store *store;
    struct txn *txn; /* Or null. */
    struct ovs_list edits;
    struct hmap dirty;
    struct disk_row *rows;
    size_t n_rows, allocated_rows;
    struct ds bodies; /* Of the rows, one after another. */
    uint64_t begun;   /* loop_now(). */
    struct err *err;
};

struct store {
    struct loop *loop;
    struct model *model;
    struct disk *disk;
    char *path;

    struct txn *txn;       /* Open, or null. */
    struct ovs_list edits; /* Ran into 'txn'. */
    size_t n_edits;
    struct ovs_list waiting; /* Have not run. */
    struct hmap dirty;
    struct commit *commit; /* In flight, or null. */

    bool flush_deferred;
    struct timer *timer; /* Dirty rows, or a retry. */
    bool timer_set;
    bool failing;      /* The last commit failed. */
    uint64_t retry_us; /* Delay of the next retry. */
    bool closing;
    size_t n_backups;

    uint64_t n_loaded, n_unknown;
    uint64_t n_commits, n_edits_done, n_failed;
    uint64_t commit_us, commit_us_max, commit_us_total;
    char *last_error;
};

struct backup {
    struct store *store;
    char *target;
    model_done done;
    void *aux;
    struct err *err;
};

static void store_flush(void *store_);
static void store_timer(void *store_);
static void store_commit(struct store *, bool probe);
static void store_run_waiting(struct store *);
static void store_run_edit(struct store *, struct edit *);
static void store_arm(struct store *, uint64_t delay_us);
static void store_fail(struct store *, const struct err *);
static void commit_add_rows(struct commit *, const struct model *);
static void commit_add_row(struct commit *, enum disk_action,
                           const struct resource *, const struct uuid *,
                           const struct entity *);
static void commit_write(void *commit_);
static void commit_done(void *commit_);
static void commit_end(struct commit *);
static void dirty_add(struct hmap *, const struct resource *,
                      const struct uuid *);
static void dirty_move(struct hmap *to, struct hmap *from);
static void backup_copy(void *backup_);
static void backup_done(void *backup_);

static const struct model_writer store_writer, closed_writer;
static const struct disk_reader store_reader;

/* Opening and closing. */

struct err *
store_open(struct loop *loop, const char *path, struct model *model,
           struct store **storep)
{
    uint64_t begun = loop_now(loop);
    AUTO(disk) *disk = NULL;
    struct err *err = disk_open(path, &disk_format, &disk);
    if (err) {
        return err;
    }
    struct store *store = NEW(struct store);
    store->loop = loop;
    store->model = model;
    store->path = mem_text(path);
    ovs_list_init(&store->edits);
    ovs_list_init(&store->waiting);
    hmap_init(&store->dirty);
    err = disk_read(disk, &store_reader, store);
    if (err) {
        free(store->path);
        free(store);
        return err;
    }
    VLOG_INFO("%s: %" PRIu64 " objects, read in %" PRIu64 " ms", path,
              store->n_loaded, (loop_now(loop) - begun) / 1000);
    if (store->n_unknown) {
        VLOG_WARN("%s: %" PRIu64 " objects are of resources that this version "
                  "does not know; they are kept as they are",
                  path, store->n_unknown);
    }
    store->disk = STEAL(disk);
    store->timer = loop_timer_create(loop, store_timer, store);
    model_set_writer(model, &store_writer, store);
    *storep = store;
    return NULL;
}

void
store_close(struct store *store)
{
    if (!store) {
        return;
    }
    store->closing = true;
    loop_timer_cancel(store->timer);
    store->timer_set = false;
    for (;;) {
        if (!store->commit) {
            store_run_waiting(store);
            store_commit(store, false);
        }
        if (store_is_idle(store) && !store->flush_deferred) {
            break;
        }
        loop_run_once(store->loop, 10);
    }
    model_set_writer(store->model, &closed_writer, store->model);
    loop_timer_destroy(store->timer);
    disk_destroy(store->disk);
    hmap_destroy(&store->dirty);
    free(store->last_error);
    free(store->path);
    free(store);
}

bool
store_is_idle(const struct store *store)
{
    return !store->commit && ovs_list_is_empty(&store->edits)
           && ovs_list_is_empty(&store->waiting)
           && hmap_is_empty(&store->dirty) && !store->n_backups;
}

static struct err *
load_object(const struct disk_row *row, void *store_)
{
    struct store *store = store_;
    const struct resource *resource =
        model_resource(store->model, row->resource);
    if (!resource) {
        store->n_unknown++;
        return NULL;
    }

    AUTO(json) *body = NULL;
    struct err *err =
        json_parse_limited(row->body, row->size, INT32_MAX, &body);
    struct entity *entity = NULL;
    if (!err) {
        err =
            entity_from_json(resource, body, &row->id, ENTITY_STORED, &entity);
    }
    if (err) {
        AUTO_TEXT *why = err_to_text(err);
        err_destroy(err);
        return err_new(ERR_CORRUPT, NULL,
                       "%s: cannot understand %s " UID_FMT ": %s; restore a "
                       "backup with `weft restore FILE`",
                       store->path, row->resource, UID_ARGS(&row->id), why);
    }
    model_load(store->model, entity, row->number);
    store->n_loaded++;
    return NULL;
}

static void
load_deleted(const char *resource, const struct uuid *id, void *store_)
{
    struct store *store = store_;
    model_load_deleted(store->model, resource, id);
}

static const struct disk_reader store_reader = { .object = load_object,
                                                 .deleted = load_deleted };

/* Writing. */

/* Once the store is closed, or about to be: nothing can be promised. */
static void
closed_write(void *model, model_edit run, model_done done, void *aux)
{
    done(err_new(ERR_UNAVAILABLE, NULL, "the store is closed"), aux);
}

static void
closed_write_facts(void *model, void (*edit)(struct txn *, void *aux),
                   void *aux)
{
    struct txn *txn = txn_create(model);
    edit(txn, aux);
    txn_apply(txn);
}

static const struct model_writer closed_writer = { .write = closed_write,
                                                   .write_facts =
                                                       closed_write_facts };

static void
store_write(void *store_, model_edit run, model_done done, void *aux)
{
    struct store *store = store_;
    if (store->closing) {
        closed_write(NULL, run, done, aux);
        return;
    }
    struct edit *edit = NEW(struct edit);
    edit->run = run;
    edit->done = done;
    edit->aux = aux;
    ovs_list_push_back(&store->waiting, &edit->node);
    if (!store->commit) {
        store_run_waiting(store);
    }
}

static void
store_write_facts(void *store_, void (*edit)(struct txn *, void *aux),
                  void *aux)
{
    struct store *store = store_;
    struct txn *txn = txn_create(store->model);
    edit(txn, aux);
    for (size_t i = 0; i < txn_n_changes(txn); i++) {
        struct change change;
        txn_get(txn, i, &change);
        dirty_add(&store->dirty, change.resource, &change.id);
    }
    txn_apply(txn);
    if (!hmap_is_empty(&store->dirty) && !store->timer_set) {
        store_arm(store, FACTS_DELAY_US);
    }
}

static const struct model_writer store_writer = { .write = store_write,
                                                  .write_facts =
                                                      store_write_facts };

/* Runs edits that wait, in order, as many as one commit takes. */
static void
store_run_waiting(struct store *store)
{
    while (!ovs_list_is_empty(&store->waiting) && store->n_edits < BATCH) {
        struct edit *edit = CONTAINER_OF(ovs_list_pop_front(&store->waiting),
                                         struct edit, node);
        store_run_edit(store, edit);
    }
    if (!ovs_list_is_empty(&store->edits) && !store->flush_deferred) {
        store->flush_deferred = true;
        loop_defer(store->loop, store_flush, store);
    }
}

static void
store_run_edit(struct store *store, struct edit *edit)
{
    if (!store->txn) {
        store->txn = txn_create(store->model);
    }
    size_t mark = txn_mark(store->txn);
    edit->err = edit->run(store->txn, edit->aux);
    if (edit->err) {
        txn_rollback(store->txn, mark);
    }
    ovs_list_push_back(&store->edits, &edit->node);
    store->n_edits++;
}

static void
store_flush(void *store_)
{
    struct store *store = store_;
    store->flush_deferred = false;
    if (!store->commit) {
        store_commit(store, false);
    }
}

static void
store_timer(void *store_)
{
    struct store *store = store_;
    store->timer_set = false;
    if (!store->commit) {
        store_commit(store, store->failing);
    }
}

static void
store_arm(struct store *store, uint64_t delay_us)
{
    loop_timer_set(store->timer, delay_us);
    store->timer_set = true;
}

/* Commits. */

/* Begins to make durable what the open transaction and the dirty keys ask
 * for.  'probe': even if that is nothing. */
static void
store_commit(struct store *store, bool probe)
{
    if (ovs_list_is_empty(&store->edits) && hmap_is_empty(&store->dirty)
        && !probe) {
        return;
    }
    struct commit *commit = NEW(struct commit);
    commit->store = store;
    commit->txn = STEAL(store->txn);
    ovs_list_init(&commit->edits);
    ovs_list_push_back_all(&commit->edits, &store->edits);
    hmap_init(&commit->dirty);
    hmap_swap(&commit->dirty, &store->dirty);
    ds_init(&commit->bodies);
    commit->begun = loop_now(store->loop);
    commit_add_rows(commit, store->model);
    store->n_edits = 0;
    store->commit = commit;
    if (commit->n_rows || probe) {
        loop_work(store->loop, LANE_COMMIT, commit_write, commit_done, commit);
    } else {
        commit_end(commit);
    }
}

static void
commit_add_rows(struct commit *commit, const struct model *model)
{
    /* What the model says now comes first: the transaction follows it there,
     * too. */
    struct dirty *dirty;
    HMAP_FOR_EACH (dirty, node, &commit->dirty) {
        const struct entity *entity =
            model_find(model, dirty->resource, &dirty->id);
        commit_add_row(commit, entity ? DISK_PUT : DISK_FORGET,
                       dirty->resource, &dirty->id, entity);
    }

    size_t n = commit->txn ? txn_n_changes(commit->txn) : 0;
    for (size_t i = 0; i < n; i++) {
        struct change c;
        txn_get(commit->txn, i, &c);
        if (c.old || c.new_) {
            enum disk_action action = c.new_                 ? DISK_PUT
                                      : c.resource->internal ? DISK_FORGET
                                                             : DISK_DELETE;
            commit_add_row(commit, action, c.resource, &c.id, c.new_);
        }
    }

    const char *body = ds_cstr(&commit->bodies);
    for (size_t i = 0; i < commit->n_rows; i++) {
        commit->rows[i].body = body;
        body += commit->rows[i].size;
    }
}

static void
commit_add_row(struct commit *commit, enum disk_action action,
               const struct resource *resource, const struct uuid *id,
               const struct entity *entity)
{
    if (resource->volatile_) {
        return;
    }
    ARRAY_GROW(commit->rows, commit->n_rows, commit->allocated_rows);
    struct disk_row *row = &commit->rows[commit->n_rows++];
    *row = (struct disk_row){ .action = action,
                              .resource = resource->shape.name,
                              .id = *id };
    if (entity) {
        size_t start = commit->bodies.length;
        entity_put_json(entity, ENTITY_STORED, NULL, &commit->bodies);
        row->size = commit->bodies.length - start;
        row->number = entity->number;
    }
}

/* In a helper thread. */
static void
commit_write(void *commit_)
{
    struct commit *commit = commit_;
    commit->err =
        disk_write(commit->store->disk, commit->rows, commit->n_rows);
}

static void
commit_done(void *commit_)
{
    struct commit *commit = commit_;
    struct store *store = commit->store;
    if (commit->err) {
        store_fail(store, commit->err);
        if (!store->closing) {
            dirty_move(&store->dirty, &commit->dirty);
        }
    } else {
        store->n_commits++;
        store->commit_us = loop_now(store->loop) - commit->begun;
        store->commit_us_max = MAX(store->commit_us_max, store->commit_us);
        store->commit_us_total += store->commit_us;
        if (store->failing) {
            VLOG_INFO("%s: can be written again", store->path);
            store->failing = false;
            store->retry_us = 0;
        }
    }
    commit_end(commit);
}

/* Notes a failed commit and sees to it that there will be another. */
static void
store_fail(struct store *store, const struct err *err)
{
    AUTO_TEXT *text = err_to_text(err);
    if (!store->failing) {
        VLOG_WARN("changes are refused until the store works again: %s", text);
    }
    store->failing = true;
    store->n_failed++;
    free(store->last_error);
    store->last_error = STEAL(text);
    if (!store->closing && !store->timer_set) {
        store->retry_us =
            MIN(MAX(2 * store->retry_us, RETRY_MIN_US), RETRY_MAX_US);
        store_arm(store, store->retry_us);
    }
}

/* Makes true what was made durable, tells everybody, and goes on with what
 * waits. */
static void
commit_end(struct commit *commit)
{
    struct store *store = commit->store;
    bool failed = commit->err != NULL;
    if (failed) {
        txn_destroy(commit->txn);
    } else if (commit->txn) {
        txn_apply(commit->txn);
    }
    store->commit = NULL;

    struct edit *edit;
    LIST_FOR_EACH_POP (edit, node, &commit->edits) {
        struct err *err = STEAL(edit->err);
        if (failed) {
            err_destroy(err);
            err = err_new(ERR_UNAVAILABLE, NULL,
                          "the change could not be stored: %s",
                          commit->err->text);
        } else {
            store->n_edits_done++;
        }
        edit->done(err, edit->aux);
        free(edit);
    }
    struct dirty *dirty;
    HMAP_FOR_EACH_POP (dirty, node, &commit->dirty) {
        free(dirty);
    }
    hmap_destroy(&commit->dirty);
    ds_destroy(&commit->bodies);
    err_destroy(commit->err);
    free(commit->rows);
    free(commit);

    store_run_waiting(store);
    if (!hmap_is_empty(&store->dirty) && !store->timer_set
        && !store->closing) {
        store_arm(store, FACTS_DELAY_US);
    }
}

/* Dirty keys. */

static void
dirty_add(struct hmap *set, const struct resource *resource,
          const struct uuid *id)
{
    uint32_t hash = uid_hash(id);
    struct dirty *dirty;
    HMAP_FOR_EACH_WITH_HASH (dirty, node, hash, set) {
        if (dirty->resource == resource && uid_equals(&dirty->id, id)) {
            return;
        }
    }
    dirty = NEW(struct dirty);
    dirty->resource = resource;
    dirty->id = *id;
    hmap_insert(set, &dirty->node, hash);
}

static void
dirty_move(struct hmap *to, struct hmap *from)
{
    struct dirty *dirty;
    HMAP_FOR_EACH_POP (dirty, node, from) {
        dirty_add(to, dirty->resource, &dirty->id);
        free(dirty);
    }
}

/* Backup, restore, status. */

void
store_backup(struct store *store, const char *path, model_done done, void *aux)
{
    struct backup *backup = NEW(struct backup);
    backup->store = store;
    backup->target = mem_text(path);
    backup->done = done;
    backup->aux = aux;
    store->n_backups++;
    loop_work(store->loop, LANE_OTHER, backup_copy, backup_done, backup);
}

/* In a helper thread. */
static void
backup_copy(void *backup_)
{
    struct backup *backup = backup_;
    const char *source = backup->store->path;
    backup->err =
        !strcmp(source, ":memory:")
            ? err_new(ERR_INVALID, NULL, "a store in memory has no backup")
            : disk_backup(source, backup->target);
}

static void
backup_done(void *backup_)
{
    struct backup *backup = backup_;
    backup->store->n_backups--;
    backup->done(STEAL(backup->err), backup->aux);
    free(backup->target);
    free(backup);
}

struct err *
store_restore(const char *backup, const char *path)
{
    return disk_restore(backup, path);
}

struct json *
store_status(const struct store *store)
{
    size_t n_objects = store->n_unknown;
    for (size_t i = 0; i < model_n_resources(store->model); i++) {
        const struct resource *resource = model_resource_at(store->model, i);
        if (!resource->volatile_) {
            n_objects += model_count(store->model, resource);
        }
    }

    struct json *status = json_object_create();
    json_object_put_string(status, "path", store->path);
    json_object_put(status, "bytes",
                    json_integer_create(disk_size(store->path)));
    json_object_put(status, "objects", json_integer_create(n_objects));
    json_object_put(status, "unknown_objects",
                    json_integer_create(store->n_unknown));
    json_object_put(status, "commits", json_integer_create(store->n_commits));
    json_object_put(status, "edits", json_integer_create(store->n_edits_done));
    json_object_put(status, "failed_commits",
                    json_integer_create(store->n_failed));
    json_object_put(status, "writable", json_boolean_create(!store->failing));
    json_object_put(status, "last_error",
                    store->last_error ? json_string_create(store->last_error)
                                      : json_null_create());

    struct json *ms = json_object_create();
    double mean =
        store->n_commits ? store->commit_us_total / 1e3 / store->n_commits : 0;
    json_object_put(ms, "last", json_real_create(store->commit_us / 1e3));
    json_object_put(ms, "mean", json_real_create(mean));
    json_object_put(ms, "max", json_real_create(store->commit_us_max / 1e3));
    json_object_put(status, "commit_ms", ms);
    return status;
}
