/* SPDX-License-Identifier: Apache-2.0 */

/* The model: what is true now.
 *
 *     model ── table (network) ── id -> entity, entity, ...
 *           │                  └─ numbers "segment":  1 1 1 0 1 ...  (bitmap)
 *           ├─ table (port) ...
 *           ├─ deleted: the last 100 000 ids that went away, a ring
 *           └─ observers: the engine, the events, ...
 *
 * A model changes in two ways only: model_load() while the store fills it,
 * and txn_apply() (txn.c) afterwards.
 *
 * Numbers are the lowest free ones, so that they stay dense: they become
 * registers, group ids and conntrack zones, whose ranges are small.  A number
 * is taken when a transaction first puts an object and is free again when
 * the object is gone, or the transaction is.
 *
 * Finding is O(1); reserving a number is a scan over a bitmap of which one
 * word covers 64 objects; listing sorts. */

#include "model/tables.h"

#include <sys/param.h>

#define MAX_DELETED 100000

struct numbers {
    struct ovs_list node; /* In the model. */
    const char *name;     /* Name of the space. */
    uint64_t *words;      /* Bit i of word w: number 64 w + i + 1. */
    size_t n_words;
    size_t first; /* No word below has a free number. */
};

/* An id that is gone. */
struct deleted {
    struct hmap_node node;     /* In the model, by id. */
    struct ovs_list list_node; /* Oldest first. */
    const struct resource *resource;
    struct uuid id;
};

struct observer {
    void (*applied)(const struct change *, size_t n, void *aux);
    void *aux;
};

struct model {
    struct hmap tables;                /* struct table, by resource. */
    const struct resource **resources; /* In order of registration. */
    size_t n_resources, allocated_resources;
    struct ovs_list numbers; /* struct numbers. */

    struct hmap deleted; /* struct deleted. */
    struct ovs_list deleted_list;

    struct observer *observers;
    size_t n_observers, allocated_observers;

    const struct model_writer *writer;
    void *store;
};

struct model *
model_create(void)
{
    struct model *model = NEW(struct model);

    hmap_init(&model->tables);
    hmap_init(&model->deleted);
    ovs_list_init(&model->deleted_list);
    ovs_list_init(&model->numbers);
    return model;
}

static void
table_destroy(struct table *table)
{
    struct entity *entity, *next;

    HMAP_FOR_EACH_SAFE (entity, next, node, &table->entities) {
        hmap_remove(&table->entities, &entity->node);
        entity_destroy(entity);
    }
    hmap_destroy(&table->entities);
    free(table);
}

static void
forget_oldest(struct model *model)
{
    struct deleted *oldest = CONTAINER_OF(
        ovs_list_pop_front(&model->deleted_list), struct deleted, list_node);

    hmap_remove(&model->deleted, &oldest->node);
    free(oldest);
}

void
model_destroy(struct model *model)
{
    struct table *table, *next_table;
    struct numbers *numbers, *next_numbers;

    if (!model) {
        return;
    }
    HMAP_FOR_EACH_SAFE (table, next_table, node, &model->tables) {
        hmap_remove(&model->tables, &table->node);
        table_destroy(table);
    }
    hmap_destroy(&model->tables);
    LIST_FOR_EACH_SAFE (numbers, next_numbers, node, &model->numbers) {
        ovs_list_remove(&numbers->node);
        free(numbers->words);
        free(numbers);
    }
    while (!ovs_list_is_empty(&model->deleted_list)) {
        forget_oldest(model);
    }
    hmap_destroy(&model->deleted);
    free(model->resources);
    free(model->observers);
    free(model);
}

/* Resources. */

static struct numbers *
numbers_get(struct model *model, const char *name)
{
    struct numbers *numbers;

    LIST_FOR_EACH (numbers, node, &model->numbers) {
        if (!strcmp(numbers->name, name)) {
            return numbers;
        }
    }
    numbers = NEW(struct numbers);
    numbers->name = name;
    ovs_list_push_back(&model->numbers, &numbers->node);
    return numbers;
}

static uint32_t
hash_resource(const struct resource *resource)
{
    return hash64_mix((uintptr_t) resource, 0) >> 32;
}

void
model_register(struct model *model, const struct resource *resource)
{
    ovs_assert(!model_resource(model, resource->shape.name));

    struct table *table = NEW(struct table);
    table->resource = resource;
    table->numbers =
        numbers_get(model, resource->number_space ? resource->number_space
                                                  : resource->shape.name);
    hmap_init(&table->entities);
    hmap_insert(&model->tables, &table->node, hash_resource(resource));

    ARRAY_GROW(model->resources, model->n_resources,
               model->allocated_resources);
    model->resources[model->n_resources++] = resource;
}

const struct resource *
model_resource(const struct model *model, const char *name)
{
    for (size_t i = 0; i < model->n_resources; i++) {
        if (!strcmp(model->resources[i]->shape.name, name)) {
            return model->resources[i];
        }
    }
    return NULL;
}

size_t
model_n_resources(const struct model *model)
{
    return model->n_resources;
}

const struct resource *
model_resource_at(const struct model *model, size_t index)
{
    ovs_assert(index < model->n_resources);
    return model->resources[index];
}

struct table *
model_table(const struct model *model, const struct resource *resource)
{
    struct table *table;

    HMAP_FOR_EACH_WITH_HASH (table, node, hash_resource(resource),
                             &model->tables) {
        if (table->resource == resource) {
            return table;
        }
    }
    return NULL;
}

/* Entities. */

struct entity *
table_find(const struct table *table, const struct uuid *id)
{
    struct entity *entity;

    HMAP_FOR_EACH_WITH_HASH (entity, node, uid_hash(id), &table->entities) {
        if (uid_equals(&entity->id, id)) {
            return entity;
        }
    }
    return NULL;
}

const struct entity *
model_find(const struct model *model, const struct resource *resource,
           const struct uuid *id)
{
    const struct table *table = model_table(model, resource);

    return table ? table_find(table, id) : NULL;
}

size_t
model_count(const struct model *model, const struct resource *resource)
{
    const struct table *table = model_table(model, resource);

    return table ? hmap_count(&table->entities) : 0;
}

static int
compare_ids(const void *a_, const void *b_)
{
    const struct entity *const *a = a_;
    const struct entity *const *b = b_;

    return uid_compare(&(*a)->id, &(*b)->id);
}

const struct entity **
model_list(const struct model *model, const struct resource *resource,
           size_t *np)
{
    size_t n = model_count(model, resource);
    const struct entity **entities = mem_alloc((n + 1) * sizeof *entities);

    size_t i = 0;
    if (n) {
        const struct entity *entity;
        HMAP_FOR_EACH (entity, node, &model_table(model, resource)->entities) {
            entities[i++] = entity;
        }
        qsort(entities, n, sizeof *entities, compare_ids);
    }
    *np = n;
    return entities;
}

struct entity *
table_replace(struct table *table, const struct uuid *id, struct entity *new_)
{
    struct entity *old = table_find(table, id);

    if (old && new_) {
        hmap_replace(&table->entities, &old->node, &new_->node);
    } else if (old) {
        hmap_remove(&table->entities, &old->node);
    } else if (new_) {
        hmap_insert(&table->entities, &new_->node, uid_hash(id));
    }
    return old;
}

/* Numbers. */

static void
numbers_extend(struct numbers *numbers, size_t n_words)
{
    if (n_words > numbers->n_words) {
        size_t n = MAX(n_words, 2 * numbers->n_words);
        numbers->words =
            mem_resize(numbers->words, n * sizeof *numbers->words);
        memset(&numbers->words[numbers->n_words], 0,
               (n - numbers->n_words) * sizeof *numbers->words);
        numbers->n_words = n;
    }
}

uint32_t
numbers_reserve(struct numbers *numbers)
{
    size_t word = numbers->first;

    while (word < numbers->n_words && numbers->words[word] == UINT64_MAX) {
        word++;
    }
    numbers->first = word;
    numbers_extend(numbers, word + 1);

    int bit = __builtin_ctzll(~numbers->words[word]);
    numbers->words[word] |= UINT64_C(1) << bit;
    return word * 64 + bit + 1;
}

uint32_t
numbers_claim(struct numbers *numbers, uint32_t number)
{
    if (!number) {
        return numbers_reserve(numbers);
    }

    size_t word = (number - 1) / 64;
    uint64_t bit = UINT64_C(1) << (number - 1) % 64;
    numbers_extend(numbers, word + 1);
    if (numbers->words[word] & bit) {
        return numbers_reserve(numbers);
    }
    numbers->words[word] |= bit;
    return number;
}

void
numbers_release(struct numbers *numbers, uint32_t number)
{
    size_t word = (number - 1) / 64;

    ovs_assert(number && word < numbers->n_words);
    numbers->words[word] &= ~(UINT64_C(1) << (number - 1) % 64);
    numbers->first = MIN(numbers->first, word);
}

/* Loading. */

/* Two objects with one number would mean that the store is damaged in a way
 * its own checks did not find; the second one then gets another number, which
 * costs a reprogramming of the switches and nothing else. */
void
model_load(struct model *model, struct entity *entity, uint32_t number)
{
    struct table *table = model_table(model, entity->resource);

    ovs_assert(table && !table_find(table, &entity->id));
    entity->number = numbers_claim(table->numbers, number);
    AUTO(entity) *old = table_replace(table, &entity->id, entity);
    ovs_assert(!old);
}

void
model_load_deleted(struct model *model, const char *name,
                   const struct uuid *id)
{
    const struct resource *resource = model_resource(model, name);

    if (resource) {
        model_remember_deleted(model, resource, id);
    }
}

/* What is gone. */

static struct deleted *
find_deleted(const struct model *model, const struct resource *resource,
             const struct uuid *id)
{
    struct deleted *deleted;

    HMAP_FOR_EACH_WITH_HASH (deleted, node, uid_hash(id), &model->deleted) {
        if (deleted->resource == resource && uid_equals(&deleted->id, id)) {
            return deleted;
        }
    }
    return NULL;
}

bool
model_was_deleted(const struct model *model, const struct resource *resource,
                  const struct uuid *id)
{
    return find_deleted(model, resource, id) != NULL;
}

void
model_remember_deleted(struct model *model, const struct resource *resource,
                       const struct uuid *id)
{
    struct deleted *deleted = find_deleted(model, resource, id);

    if (deleted) {
        ovs_list_remove(&deleted->list_node);
    } else {
        if (hmap_count(&model->deleted) >= MAX_DELETED) {
            forget_oldest(model);
        }
        deleted = NEW(struct deleted);
        deleted->resource = resource;
        deleted->id = *id;
        hmap_insert(&model->deleted, &deleted->node, uid_hash(id));
    }
    ovs_list_push_back(&model->deleted_list, &deleted->list_node);
}

/* Observers. */

void
model_observe(struct model *model,
              void (*applied)(const struct change *, size_t n, void *aux),
              void *aux)
{
    ARRAY_GROW(model->observers, model->n_observers,
               model->allocated_observers);
    model->observers[model->n_observers++] = (struct observer){
        .applied = applied,
        .aux = aux,
    };
}

void
model_notify(struct model *model, const struct change *changes, size_t n)
{
    for (size_t i = 0; i < model->n_observers; i++) {
        model->observers[i].applied(changes, n, model->observers[i].aux);
    }
}

/* Writing. */

void
model_set_writer(struct model *model, const struct model_writer *writer,
                 void *store)
{
    model->writer = writer;
    model->store = store;
}

void
model_write(struct model *model, model_edit edit, model_done done, void *aux)
{
    if (model->writer) {
        model->writer->write(model->store, edit, done, aux);
        return;
    }

    struct txn *txn = txn_create(model);
    struct err *err = edit(txn, aux);
    if (err) {
        txn_destroy(txn);
    } else {
        txn_apply(txn);
    }
    done(err, aux);
}

void
model_write_facts(struct model *model, void (*edit)(struct txn *, void *aux),
                  void *aux)
{
    if (model->writer) {
        model->writer->write_facts(model->store, edit, aux);
        return;
    }

    struct txn *txn = txn_create(model);
    edit(txn, aux);
    txn_apply(txn);
}
