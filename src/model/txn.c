/* SPDX-License-Identifier: Apache-2.0 */

/* Transactions: changes asked for, seen before they are true.
 *
 *     txn ── entries, one per (resource, id), in order of first change
 *        │      entry: what it shall be ── entity, or null: deleted
 *        └─ undo, one per step, newest last
 *               step: entry, what it was to be before
 *
 * The store runs the edits of many requests in one transaction, so that one
 * fsync serves all.  A request that fails goes back to its mark, and the
 * others never see that it was there: undoing restores entries, and the
 * numbers of objects that were to be created are free again.
 *
 * What a transaction was built on may change under it (facts are applied at
 * once, while a commit is under way), so an entry remembers no old entity; it
 * looks in the model when asked.
 *
 * Everything is O(1) per step. */

#include "model/tables.h"

struct entry {
    struct hmap_node node; /* In txn->index. */
    struct table *table;
    struct uuid id;
    struct entity *wanted; /* Owned.  Null: to be deleted. */
    uint32_t number;       /* Of the entity, also while deleted. */
    bool reserved;         /* Is 'number' this transaction's to free? */
};

struct step {
    struct entry *entry;
    struct entity *before; /* Owned: the entry's 'wanted' before. */
    bool first;            /* Made the entry. */
};

struct txn {
    struct model *model;
    struct hmap index; /* struct entry, by id. */
    struct entry **entries;
    size_t n_entries, allocated_entries;
    struct step *steps;
    size_t n_steps, allocated_steps;
};

struct txn *
txn_create(struct model *model)
{
    struct txn *txn = NEW(struct txn);

    txn->model = model;
    hmap_init(&txn->index);
    return txn;
}

/* Frees everything but gives no number back. */
static void
free_all(struct txn *txn)
{
    for (size_t i = 0; i < txn->n_steps; i++) {
        entity_destroy(txn->steps[i].before);
    }
    for (size_t i = 0; i < txn->n_entries; i++) {
        entity_destroy(txn->entries[i]->wanted);
        free(txn->entries[i]);
    }
    hmap_destroy(&txn->index);
    free(txn->entries);
    free(txn->steps);
    free(txn);
}

void
txn_destroy(struct txn *txn)
{
    if (txn) {
        txn_rollback(txn, 0);
        free_all(txn);
    }
}

const struct model *
txn_model(const struct txn *txn)
{
    return txn->model;
}

static struct entry *
find_entry(const struct txn *txn, const struct resource *resource,
           const struct uuid *id)
{
    struct entry *entry;

    HMAP_FOR_EACH_WITH_HASH (entry, node, uid_hash(id), &txn->index) {
        if (entry->table->resource == resource && uid_equals(&entry->id, id)) {
            return entry;
        }
    }
    return NULL;
}

const struct entity *
txn_find(const struct txn *txn, const struct resource *resource,
         const struct uuid *id)
{
    const struct entry *entry = find_entry(txn, resource, id);

    return entry ? entry->wanted : model_find(txn->model, resource, id);
}

bool
txn_was_deleted(const struct txn *txn, const struct resource *resource,
                const struct uuid *id)
{
    const struct entry *entry = find_entry(txn, resource, id);

    return ((entry && !entry->wanted)
            || model_was_deleted(txn->model, resource, id));
}

/* Changing. */

static struct entry *
make_entry(struct txn *txn, struct table *table, const struct uuid *id)
{
    struct entry *entry = NEW(struct entry);
    const struct entity *old = table_find(table, id);

    entry->table = table;
    entry->id = *id;
    entry->number = old ? old->number : numbers_reserve(table->numbers);
    entry->reserved = !old;
    hmap_insert(&txn->index, &entry->node, uid_hash(id));
    ARRAY_GROW(txn->entries, txn->n_entries, txn->allocated_entries);
    txn->entries[txn->n_entries++] = entry;
    return entry;
}

/* Makes 'wanted' (takes it over) what shall be under 'id'. */
static void
set_wanted(struct txn *txn, const struct resource *resource,
           const struct uuid *id, struct entity *wanted)
{
    struct entry *entry = find_entry(txn, resource, id);
    bool first = !entry;

    if (first) {
        struct table *table = model_table(txn->model, resource);
        ovs_assert(table);
        entry = make_entry(txn, table, id);
    }
    ARRAY_GROW(txn->steps, txn->n_steps, txn->allocated_steps);
    txn->steps[txn->n_steps++] = (struct step){
        .entry = entry,
        .before = entry->wanted,
        .first = first,
    };
    entry->wanted = wanted;
    if (wanted) {
        wanted->number = entry->number;
    }
}

/* Putting what is already there changes nothing: clients repeat themselves,
 * and that shall cost neither a write to the disk nor a compilation. */
void
txn_put(struct txn *txn, struct entity *entity)
{
    const struct entity *old = txn_find(txn, entity->resource, &entity->id);

    if (old) {
        entity->number = old->number;
        if (entity_equals(old, entity)) {
            entity_destroy(entity);
            return;
        }
    }
    set_wanted(txn, entity->resource, &entity->id, entity);
}

void
txn_delete(struct txn *txn, const struct resource *resource,
           const struct uuid *id)
{
    if (txn_find(txn, resource, id)) {
        set_wanted(txn, resource, id, NULL);
    }
}

/* Going back. */

size_t
txn_mark(const struct txn *txn)
{
    return txn->n_steps;
}

static void
undo(struct txn *txn, struct step *step)
{
    struct entry *entry = step->entry;

    entity_destroy(entry->wanted);
    entry->wanted = step->before;
    if (step->first) {
        ovs_assert(entry == txn->entries[txn->n_entries - 1]);
        txn->n_entries--;
        hmap_remove(&txn->index, &entry->node);
        if (entry->reserved) {
            numbers_release(entry->table->numbers, entry->number);
        }
        free(entry);
    }
}

void
txn_rollback(struct txn *txn, size_t mark)
{
    ovs_assert(mark <= txn->n_steps);
    while (txn->n_steps > mark) {
        undo(txn, &txn->steps[--txn->n_steps]);
    }
}

/* For the store. */

size_t
txn_n_changes(const struct txn *txn)
{
    return txn->n_entries;
}

void
txn_get(const struct txn *txn, size_t index, struct change *change)
{
    ovs_assert(index < txn->n_entries);
    const struct entry *entry = txn->entries[index];

    change->resource = entry->table->resource;
    change->id = entry->id;
    change->old = table_find(entry->table, &entry->id);
    change->new_ = entry->wanted;
}

/* Keeps the numbers right when 'old' becomes 'new_'; either may be null. */
static void
settle_number(struct entry *entry, const struct entity *old,
              struct entity *new_)
{
    struct numbers *numbers = entry->table->numbers;

    if (!new_ && entry->reserved) {
        numbers_release(numbers, entry->number);
    } else if (new_ && !old && !entry->reserved) {
        /* The object was deleted by a transaction that overtook this one. */
        new_->number = numbers_claim(numbers, new_->number);
    }
    if (old && (!new_ || old->number != new_->number)) {
        numbers_release(numbers, old->number);
    }
}

/* Makes one entry true.  Returns what it replaces, now the caller's. */
static struct entity *
apply(struct txn *txn, struct entry *entry, struct change *change)
{
    const struct resource *resource = entry->table->resource;
    struct entity *new_ = STEAL(entry->wanted);
    struct entity *old = table_replace(entry->table, &entry->id, new_);

    settle_number(entry, old, new_);
    if (!new_ && !resource->internal) {
        model_remember_deleted(txn->model, resource, &entry->id);
    }
    change->resource = resource;
    change->id = entry->id;
    change->old = old;
    change->new_ = new_;
    return old;
}

void
txn_apply(struct txn *txn)
{
    struct change *changes = mem_alloc((txn->n_entries + 1) * sizeof *changes);
    struct entity **olds = mem_alloc((txn->n_entries + 1) * sizeof *olds);
    size_t n = 0;

    for (size_t i = 0; i < txn->n_entries; i++) {
        olds[n] = apply(txn, txn->entries[i], &changes[n]);
        n += changes[n].old || changes[n].new_;
    }
    if (n) {
        model_notify(txn->model, changes, n);
    }
    for (size_t i = 0; i < n; i++) {
        entity_destroy(olds[i]);
    }
    free(olds);
    free(changes);
    free_all(txn);
}
