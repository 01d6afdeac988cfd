/* SPDX-License-Identifier: Apache-2.0 */

/* The incremental engine: see "compile/compile.h" for what it promises.
 *
 * A change enters through engine_changed() (model) or through a unit that
 * made other net entities than before.  Both end in entity_changed(), which
 * moves the entity between index keys and marks dirty: the units of passes
 * whose input it is, the units that have read it, and the readers of index
 * keys whose set of members changed.
 *
 * Dirty units wait in one queue per pass.  engine_run() always takes from the
 * first pass that has any.  A pass reads only what earlier passes make, so a
 * unit that ran cannot become dirty again in the same run; mark_dirty()
 * asserts it.
 *
 * A unit that runs again first makes its new outputs, then gives back the old
 * ones.  Scopes and nodes count, so what is the same before and after never
 * goes away in between. */

#include "compile/graph.h"

#include <stdio.h>

struct want {
    struct uuid host;
    struct scope_id scope;
};

/* A net entity a unit made, and the node it is in. */
struct made {
    struct node *node;
    struct entity *entity;
};

/* What one run of a unit made. */
struct outputs {
    struct made *made;
    struct item **items;
    struct want *wants;
    struct note *notes;
    uint32_t n_made, n_items, n_wants, n_notes;
};

struct unit {
    struct hmap_node hmap_node; /* In engine->units. */
    struct ovs_list dirty_node; /* In engine->dirty[rank]; else empty. */
    struct engine *engine;
    struct uuid id; /* Of the input entity. */
    uint16_t rank;  /* Index of the pass. */
    uint32_t n_edges;
    struct edge *edges;
    struct outputs out;
};

/* Arrays that grow during a run; what a unit keeps is cut to size after. */
struct scratch {
    struct outputs out;
    size_t allocated_made, allocated_items, allocated_wants, allocated_notes;
    struct {
        struct node *node;
        bool existence;
    } * reads;
    size_t n_reads, allocated_reads;
    const struct entity ***lookups; /* Arrays handed out. */
    size_t n_lookups, allocated_lookups;
    uint64_t *keys;
    size_t n_keys, allocated_keys;
    struct draft draft;
    bool draft_open;
};

struct engine {
    const struct model *model;
    struct scopes *scopes;
    struct compile_settings settings;
    const struct pass *const *passes;
    size_t n_passes;
    const struct index_def *const *indexes;
    struct graph graph;
    struct hmap units;
    struct ovs_list *dirty; /* One list per pass. */
    size_t n_dirty;
    size_t running; /* Rank of the running pass; SIZE_MAX: none. */
    struct scratch scratch;
    uint64_t *n_runs; /* Per pass. */
    void (*observer)(const struct entity *old, const struct entity *new_,
                     void *aux);
    void *observer_aux;
};

static void
outputs_uninit(struct outputs *out)
{
    free(out->made);
    free(out->items);
    free(out->wants);
    for (size_t i = 0; i < out->n_notes; i++) {
        free(out->notes[i].text);
    }
    free(out->notes);
}

/* Finding and marking. */

static uint32_t
unit_hash(size_t rank, const struct uuid *id)
{
    return hash64_mix(rank + 1, uid_hash(id));
}

static struct unit *
unit_find(const struct engine *engine, size_t rank, const struct uuid *id)
{
    struct unit *unit;
    HMAP_FOR_EACH_WITH_HASH (unit, hmap_node, unit_hash(rank, id),
                             &engine->units) {
        if (unit->rank == rank && uid_equals(&unit->id, id)) {
            return unit;
        }
    }
    return NULL;
}

static void
mark_dirty(struct unit *unit)
{
    struct engine *engine = unit->engine;
    ovs_assert(engine->running == SIZE_MAX || unit->rank > engine->running);
    if (ovs_list_is_empty(&unit->dirty_node)) {
        ovs_list_push_back(&engine->dirty[unit->rank], &unit->dirty_node);
        engine->n_dirty++;
    }
}

static struct unit *
unit_create(struct engine *engine, size_t rank, const struct uuid *id)
{
    struct unit *unit = NEW(struct unit);
    unit->engine = engine;
    unit->rank = rank;
    unit->id = *id;
    ovs_list_init(&unit->dirty_node);
    hmap_insert(&engine->units, &unit->hmap_node, unit_hash(rank, id));
    return unit;
}

static void
node_mark_readers(const struct node *node, bool existence_changed)
{
    const struct edge *edge;
    LIST_FOR_EACH (edge, in_node, &node->readers) {
        if (existence_changed || !edge->existence) {
            mark_dirty(edge->unit);
        }
    }
}

/* Indexes. */

void
index_key(struct unit *unit, uint64_t key)
{
    struct scratch *s = &unit->engine->scratch;
    ARRAY_GROW(s->keys, s->n_keys, s->allocated_keys);
    s->keys[s->n_keys++] = key;
}

static int
compare_keys(const void *a_, const void *b_)
{
    const uint64_t *a = a_, *b = b_;
    return *a < *b ? -1 : *a > *b;
}

/* Sorted keys of 'entity' without duplicates in '*keysp'; caller frees. */
static size_t
index_keys(struct engine *engine, const struct index_def *index,
           const struct entity *entity, uint64_t **keysp)
{
    *keysp = NULL;
    if (!entity) {
        return 0;
    }
    struct scratch *s = &engine->scratch;
    struct unit collector = { .engine = engine };
    s->n_keys = 0;
    index->keys(entity, &collector);
    if (!s->n_keys) {
        return 0;
    }
    qsort(s->keys, s->n_keys, sizeof *s->keys, compare_keys);
    size_t n = 1;
    for (size_t i = 1; i < s->n_keys; i++) {
        if (s->keys[i] != s->keys[n - 1]) {
            s->keys[n++] = s->keys[i];
        }
    }
    *keysp = mem_clone(s->keys, n * sizeof *s->keys);
    return n;
}

static void
index_move(struct engine *engine, const struct index_def *index,
           const struct uuid *id, uint64_t key, bool add)
{
    struct uuid node_id = index_node_id(key);
    struct node *node = graph_get(&engine->graph, index, &node_id);
    if (add) {
        node_add_member(node, id);
    } else {
        node_remove_member(node, id);
    }
    node_mark_readers(node, true);
    graph_release(&engine->graph, node);
}

static void
index_update(struct engine *engine, const struct index_def *index,
             const struct uuid *id, const struct entity *old,
             const struct entity *new_)
{
    uint64_t *olds, *news;
    size_t n_olds = index_keys(engine, index, old, &olds);
    size_t n_news = index_keys(engine, index, new_, &news);
    size_t i = 0, j = 0;
    while (i < n_olds || j < n_news) {
        if (j == n_news || (i < n_olds && olds[i] < news[j])) {
            index_move(engine, index, id, olds[i++], false);
        } else if (i == n_olds || olds[i] > news[j]) {
            index_move(engine, index, id, news[j++], true);
        } else {
            i++, j++;
        }
    }
    free(olds);
    free(news);
}

/* An entity, of the model or of net, is not what it was: tells everybody whom
 * it concerns.  'old' and 'new_' may be null. */
static void
entity_changed(struct engine *engine, const struct resource *resource,
               const struct uuid *id, const struct entity *old,
               const struct entity *new_)
{
    for (size_t i = 0; engine->indexes[i]; i++) {
        if (engine->indexes[i]->resource == resource) {
            index_update(engine, engine->indexes[i], id, old, new_);
        }
    }
    for (size_t rank = 0; rank < engine->n_passes; rank++) {
        if (engine->passes[rank]->input == resource) {
            struct unit *unit = unit_find(engine, rank, id);
            if (!unit && new_) {
                unit = unit_create(engine, rank, id);
            }
            if (unit) {
                mark_dirty(unit);
            }
        }
    }
    if (engine->observer && resource->volatile_) {
        engine->observer(old, new_, engine->observer_aux);
    }
    const struct node *node = graph_find(&engine->graph, resource, id);
    if (node) {
        bool existence = !old || !new_ || old->number != new_->number;
        node_mark_readers(node, existence);
    }
}

/* What passes call. */

static const struct entity *
engine_entity(const struct engine *engine, const struct resource *resource,
              const struct uuid *id)
{
    return (resource->volatile_
                ? node_entity(graph_find(&engine->graph, resource, id))
                : model_find(engine->model, resource, id));
}

static struct node *
unit_read(struct unit *unit, const void *space, const struct uuid *id,
          bool existence)
{
    struct scratch *s = &unit->engine->scratch;
    struct node *node = graph_get(&unit->engine->graph, space, id);
    for (size_t i = 0; i < s->n_reads; i++) {
        if (s->reads[i].node == node) {
            s->reads[i].existence &= existence;
            return node;
        }
    }
    ARRAY_GROW(s->reads, s->n_reads, s->allocated_reads);
    s->reads[s->n_reads].node = node;
    s->reads[s->n_reads++].existence = existence;
    return node;
}

const struct entity *
unit_get(struct unit *unit, const struct resource *resource,
         const struct uuid *id)
{
    if (uid_is_zero(id)) {
        return NULL;
    }
    const struct node *node = unit_read(unit, resource, id, false);
    return (resource->volatile_
                ? node_entity(node)
                : model_find(unit->engine->model, resource, id));
}

uint32_t
unit_number(struct unit *unit, const struct resource *resource,
            const struct uuid *id)
{
    if (uid_is_zero(id)) {
        return 0;
    }
    (void) unit_read(unit, resource, id, true);
    const struct entity *entity = engine_entity(unit->engine, resource, id);
    return entity ? entity->number : 0;
}

const struct entity *const *
unit_lookup(struct unit *unit, const struct index_def *index, uint64_t key,
            size_t *np)
{
    struct scratch *s = &unit->engine->scratch;
    struct uuid id = index_node_id(key);
    const struct node *node = unit_read(unit, index, &id, false);

    *np = node->n_members;
    const struct entity **found = mem_alloc((*np + 1) * sizeof *found);
    for (size_t i = 0; i < *np; i++) {
        found[i] =
            engine_entity(unit->engine, index->resource, &node->members[i]);
    }
    ARRAY_GROW(s->lookups, s->n_lookups, s->allocated_lookups);
    s->lookups[s->n_lookups++] = found;
    return found;
}

const struct compile_settings *
unit_settings(const struct unit *unit)
{
    return &unit->engine->settings;
}

void
unit_emit(struct unit *unit, struct entity *entity)
{
    struct engine *engine = unit->engine;
    struct scratch *s = &engine->scratch;
    ovs_assert(entity->resource->volatile_);

    struct node *node =
        graph_get(&engine->graph, entity->resource, &entity->id);
    /* A unit that makes one entity twice makes it once. */
    for (size_t i = 0; i < s->out.n_made; i++) {
        if (s->out.made[i].node == node) {
            entity_destroy(entity);
            return;
        }
    }
    ARRAY_GROW(s->out.made, s->out.n_made, s->allocated_made);
    s->out.made[s->out.n_made++] = (struct made){ node, entity };
}

void
unit_want(struct unit *unit, const struct uuid *host, struct scope_id scope)
{
    struct scratch *s = &unit->engine->scratch;
    ARRAY_GROW(s->out.wants, s->out.n_wants, s->allocated_wants);
    s->out.wants[s->out.n_wants++] = (struct want){ *host, scope };
    scopes_want(unit->engine->scopes, host, scope);
}

static void
unit_add_item(struct unit *unit, struct item *item)
{
    struct scratch *s = &unit->engine->scratch;
    ARRAY_GROW(s->out.items, s->out.n_items, s->allocated_items);
    s->out.items[s->out.n_items++] = item;
}

void
unit_group(struct unit *unit, struct scope_id scope, uint32_t group)
{
    unit_add_item(unit,
                  scope_add_group(unit->engine->scopes, scope, group, unit));
}

void
unit_tunnel(struct unit *unit, struct scope_id scope, enum carrier carrier)
{
    unit_add_item(
        unit, scope_add_tunnel(unit->engine->scopes, scope, carrier, unit));
}

struct draft *
unit_rule_open(struct unit *unit, struct scope_id scope, enum table_id table,
               uint16_t priority)
{
    struct scratch *s = &unit->engine->scratch;
    ovs_assert(!s->draft_open);
    s->draft_open = true;
    draft_init_rule(&s->draft, scope, table, priority);
    return &s->draft;
}

struct draft *
unit_bucket_open(struct unit *unit, struct scope_id scope, uint32_t group,
                 uint32_t bucket)
{
    struct scratch *s = &unit->engine->scratch;
    ovs_assert(!s->draft_open);
    s->draft_open = true;
    draft_init_bucket(&s->draft, scope, group, bucket);
    return &s->draft;
}

struct draft *
unit_close(struct unit *unit, struct draft *draft)
{
    unit_add_item(unit, scope_add(unit->engine->scopes, draft, unit));
    draft_uninit(draft);
    unit->engine->scratch.draft_open = false;
    return NULL;
}

void
unit_note(struct unit *unit, enum note_level level, const struct uuid *about,
          const char *format, ...)
{
    struct scratch *s = &unit->engine->scratch;
    AUTO_DS text = DS_EMPTY_INITIALIZER;
    va_list args;
    va_start(args, format);
    ds_put_format_valist(&text, format, args);
    va_end(args);

    ARRAY_GROW(s->out.notes, s->out.n_notes, s->allocated_notes);
    s->out.notes[s->out.n_notes++] =
        (struct note){ level, *about, ds_steal_cstr(&text) };
}

/* Running one unit. */

static void
unit_drop_edges(struct unit *unit)
{
    for (size_t i = 0; i < unit->n_edges; i++) {
        struct node *node = unit->edges[i].node;
        ovs_list_remove(&unit->edges[i].in_node);
        graph_release(&unit->engine->graph, node);
    }
    free(unit->edges);
    unit->edges = NULL;
    unit->n_edges = 0;
}

static bool
unit_reads_are_same(const struct unit *unit, const struct scratch *s)
{
    if (unit->n_edges != s->n_reads) {
        return false;
    }
    for (size_t i = 0; i < s->n_reads; i++) {
        if (unit->edges[i].node != s->reads[i].node
            || unit->edges[i].existence != s->reads[i].existence) {
            return false;
        }
    }
    return true;
}

static void
unit_replace_edges(struct unit *unit)
{
    struct scratch *s = &unit->engine->scratch;
    if (unit_reads_are_same(unit, s)) {
        return;
    }
    struct edge *edges =
        s->n_reads ? mem_alloc(s->n_reads * sizeof *edges) : NULL;
    for (size_t i = 0; i < s->n_reads; i++) {
        edges[i].unit = unit;
        edges[i].node = s->reads[i].node;
        edges[i].existence = s->reads[i].existence;
        ovs_list_push_back(&edges[i].node->readers, &edges[i].in_node);
    }
    unit_drop_edges(unit);
    unit->edges = edges;
    unit->n_edges = s->n_reads;
}

/* Changes what a unit claims of one node from 'old' to 'new_' (null: not at
 * all), and tells if what is in force changed.  Returns the claimed entity. */
static struct entity *
unit_reclaim(struct unit *unit, struct node *node, const struct entity *old,
             struct entity *new_)
{
    struct engine *engine = unit->engine;
    const struct entity *before = node_entity(node);
    struct entity *freed = NULL;
    struct entity *claimed = new_ ? node_claim(node, new_) : NULL;
    if (old) {
        node_unclaim(node, old, &freed);
    }
    const struct entity *after = node_entity(node);
    if (before != after
        && !(before && after && entity_equals(before, after))) {
        const struct entity *any = before ? before : after;
        entity_changed(engine, any->resource, &node->id, before, after);
    }
    entity_destroy(freed);
    return claimed;
}

static int
compare_made(const void *a_, const void *b_)
{
    const struct made *a = a_, *b = b_;
    return a->node < b->node ? -1 : a->node > b->node;
}

/* Claims what was made now and gives up what was made before; both sorted by
 * node. */
static void
unit_replace_made(struct unit *unit, struct outputs *out)
{
    const struct outputs *old = &unit->out;
    size_t i = 0, j = 0;
    while (i < old->n_made || j < out->n_made) {
        struct node *o = i < old->n_made ? old->made[i].node : NULL;
        struct node *n = j < out->n_made ? out->made[j].node : NULL;
        if (!n || (o && o < n)) {
            unit_reclaim(unit, o, old->made[i++].entity, NULL);
            graph_release(&unit->engine->graph, o);
        } else {
            bool both = o == n;
            struct made *made = &out->made[j++];
            made->entity =
                unit_reclaim(unit, n, both ? old->made[i].entity : NULL,
                             (struct entity *) (uintptr_t) made->entity);
            i += both;
        }
    }
}

/* Gives back items and subscriptions of an earlier run. */
static void
outputs_release(struct engine *engine, struct outputs *out)
{
    for (size_t i = 0; i < out->n_items; i++) {
        scope_remove(engine->scopes, out->items[i]);
    }
    for (size_t i = 0; i < out->n_wants; i++) {
        scopes_unwant(engine->scopes, &out->wants[i].host,
                      out->wants[i].scope);
    }
    outputs_uninit(out);
}

#define KEEP(ARRAY, N) ((N) ? mem_clone(ARRAY, (N) * sizeof *(ARRAY)) : NULL)

/* Ends a run: what is in the scratch becomes what the unit has. */
static void
unit_take_outputs(struct unit *unit)
{
    struct scratch *s = &unit->engine->scratch;
    struct outputs out = {
        .n_made = s->out.n_made,
        .n_items = s->out.n_items,
        .n_wants = s->out.n_wants,
        .n_notes = s->out.n_notes,
        .made = KEEP(s->out.made, s->out.n_made),
        .items = KEEP(s->out.items, s->out.n_items),
        .wants = KEEP(s->out.wants, s->out.n_wants),
        .notes = KEEP(s->out.notes, s->out.n_notes),
    };
    if (out.n_made > 1) {
        qsort(out.made, out.n_made, sizeof *out.made, compare_made);
    }
    /* Edges last: they keep alive the nodes that were read. */
    unit_replace_made(unit, &out);
    unit_replace_edges(unit);
    outputs_release(unit->engine, &unit->out);
    unit->out = out;

    for (size_t i = 0; i < s->n_lookups; i++) {
        free(s->lookups[i]);
    }
    s->n_lookups = s->n_reads = 0;
    s->out.n_made = s->out.n_items = s->out.n_wants = s->out.n_notes = 0;
}

static void
unit_destroy(struct unit *unit)
{
    hmap_remove(&unit->engine->units, &unit->hmap_node);
    free(unit);
}

static void
unit_run(struct unit *unit)
{
    struct engine *engine = unit->engine;
    const struct pass *pass = engine->passes[unit->rank];
    const struct entity *input = engine_entity(engine, pass->input, &unit->id);

    engine->running = unit->rank;
    engine->n_runs[unit->rank]++;
    if (input) {
        pass->run(unit, input);
    }
    unit_take_outputs(unit);
    engine->running = SIZE_MAX;
    if (!input) {
        unit_destroy(unit);
    }
}

/* Engine. */

static void
engine_load(struct engine *engine)
{
    size_t n_resources = model_n_resources(engine->model);
    for (size_t i = 0; i < n_resources; i++) {
        const struct resource *resource = model_resource_at(engine->model, i);
        size_t n;
        const struct entity **all = model_list(engine->model, resource, &n);
        for (size_t j = 0; j < n; j++) {
            entity_changed(engine, resource, &all[j]->id, NULL, all[j]);
        }
        free(all);
    }
}

struct engine *
engine_create(const struct model *model, struct scopes *scopes,
              const struct pass *const *passes,
              const struct index_def *const *indexes,
              const struct compile_settings *settings)
{
    struct engine *engine = NEW(struct engine);
    engine->model = model;
    engine->scopes = scopes;
    engine->settings = *settings;
    engine->passes = passes;
    while (passes[engine->n_passes]) {
        engine->n_passes++;
    }
    engine->indexes = indexes;
    engine->running = SIZE_MAX;
    engine->dirty = mem_alloc((engine->n_passes + 1) * sizeof *engine->dirty);
    for (size_t i = 0; i < engine->n_passes; i++) {
        ovs_list_init(&engine->dirty[i]);
    }
    engine->n_runs =
        mem_zalloc((engine->n_passes + 1) * sizeof *engine->n_runs);
    graph_init(&engine->graph);
    hmap_init(&engine->units);
    engine_load(engine);
    return engine;
}

void
engine_destroy(struct engine *engine)
{
    if (!engine) {
        return;
    }
    struct unit *unit;
    HMAP_FOR_EACH_SAFE (unit, hmap_node, &engine->units) {
        free(unit->edges);
        outputs_release(engine, &unit->out);
        unit_destroy(unit);
    }
    hmap_destroy(&engine->units);
    graph_uninit(&engine->graph);
    struct scratch *s = &engine->scratch;
    outputs_uninit(&s->out);
    free(s->reads);
    free(s->lookups);
    free(s->keys);
    free(engine->dirty);
    free(engine->n_runs);
    free(engine);
}

void
engine_observe(struct engine *engine,
               void (*observer)(const struct entity *old,
                                const struct entity *new_, void *aux),
               void *aux)
{
    engine->observer = observer;
    engine->observer_aux = aux;
}

void
engine_changed(struct engine *engine, const struct change *changes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        entity_changed(engine, changes[i].resource, &changes[i].id,
                       changes[i].old, changes[i].new_);
    }
}

bool
engine_is_idle(const struct engine *engine)
{
    return !engine->n_dirty;
}

bool
engine_run(struct engine *engine, size_t max_units)
{
    size_t rank = 0;
    while (engine->n_dirty) {
        if (ovs_list_is_empty(&engine->dirty[rank])) {
            rank++;
            continue;
        }
        if (!max_units--) {
            return false;
        }
        struct ovs_list *node = ovs_list_pop_front(&engine->dirty[rank]);
        struct unit *unit = CONTAINER_OF(node, struct unit, dirty_node);
        ovs_list_init(&unit->dirty_node);
        engine->n_dirty--;
        unit_run(unit);
    }
    return true;
}

/* Views. */

const struct scopes *
engine_scopes(const struct engine *engine)
{
    return engine->scopes;
}

const struct entity *
engine_find(const struct engine *engine, const struct resource *resource,
            const struct uuid *id)
{
    return engine_entity(engine, resource, id);
}

static int
compare_entities(const void *a_, const void *b_)
{
    const struct entity *const *a = a_, *const *b = b_;
    return uid_compare(&(*a)->id, &(*b)->id);
}

const struct entity **
engine_list(const struct engine *engine, const struct resource *resource,
            size_t *np)
{
    if (!resource->volatile_) {
        return model_list(engine->model, resource, np);
    }
    const struct entity **list = NULL;
    size_t n = 0, allocated = 0;
    const struct node *node;
    HMAP_FOR_EACH (node, hmap_node, &engine->graph.nodes) {
        if (node->space == resource && node->n_variants) {
            ARRAY_GROW(list, n, allocated);
            list[n++] = node_entity(node);
        }
    }
    if (n) {
        qsort(list, n, sizeof *list, compare_entities);
    }
    *np = n;
    return list;
}

const struct entity **
engine_lookup(const struct engine *engine, const struct index_def *index,
              uint64_t key, size_t *np)
{
    struct uuid id = index_node_id(key);
    const struct node *node = graph_find(&engine->graph, index, &id);
    *np = node ? node->n_members : 0;
    const struct entity **list = mem_alloc((*np + 1) * sizeof *list);
    for (size_t i = 0; i < *np; i++) {
        list[i] = engine_entity(engine, index->resource, &node->members[i]);
    }
    return list;
}

static int
compare_notes(const void *a_, const void *b_)
{
    const struct note *a = *(const struct note *const *) a_;
    const struct note *b = *(const struct note *const *) b_;
    if (a->level != b->level) {
        return a->level > b->level ? -1 : 1;
    }
    int order = uid_compare(&a->about, &b->about);
    return order ? order : strcmp(a->text, b->text);
}

const struct note **
engine_notes(const struct engine *engine, const struct uuid *about, size_t *np)
{
    const struct note **notes = NULL;
    size_t n = 0, allocated = 0;
    const struct unit *unit;
    HMAP_FOR_EACH (unit, hmap_node, &engine->units) {
        for (size_t i = 0; i < unit->out.n_notes; i++) {
            const struct note *note = &unit->out.notes[i];
            if (!about || uid_equals(&note->about, about)) {
                ARRAY_GROW(notes, n, allocated);
                notes[n++] = note;
            }
        }
    }
    if (n) {
        qsort(notes, n, sizeof *notes, compare_notes);
    }
    *np = n;
    return notes;
}

struct owner
engine_owner(const struct item *item)
{
    const struct unit *unit = item->owner;
    const struct pass *pass = unit->engine->passes[unit->rank];
    return (struct owner){ pass->name, pass->input, unit->id };
}

struct json *
engine_status(const struct engine *engine)
{
    struct json *status = json_object_create();
    json_object_put(status, "units",
                    json_integer_create(hmap_count(&engine->units)));
    json_object_put(status, "dirty", json_integer_create(engine->n_dirty));
    json_object_put(status, "nodes",
                    json_integer_create(hmap_count(&engine->graph.nodes)));
    struct json *runs = json_object_create();
    for (size_t i = 0; i < engine->n_passes; i++) {
        json_object_put(runs, engine->passes[i]->name,
                        json_integer_create(engine->n_runs[i]));
    }
    json_object_put(status, "runs", runs);
    return status;
}

/* The oracle. */

struct comparison {
    struct ds *report;
    size_t n;
};

static int
compare_entity_ids(const void *a_, const void *b_)
{
    const struct entity *a = a_, *b = b_;
    return uid_compare(&a->id, &b->id);
}

static void
report_entity(enum diff_side side, const void *old_, const void *new_,
              void *aux)
{
    const struct entity *old = old_, *fresh = new_;
    struct comparison *c = aux;
    if (side == DIFF_BOTH && entity_equals(old, fresh)) {
        return;
    }
    const struct entity *any = old ? old : fresh;
    const char *what = (side == DIFF_BOTH       ? "differs"
                        : side == DIFF_ONLY_OLD ? "should not exist"
                                                : "is missing");
    ds_put_format(c->report, "%s " UID_FMT " %s\n", any->resource->shape.name,
                  UID_ARGS(&any->id), what);
    for (int i = 0; i < 2; i++) {
        const struct entity *e = i ? fresh : old;
        if (e) {
            ds_put_format(c->report, "  %s: ", i ? "fresh" : "running");
            entity_put_json(e, ENTITY_STORED, NULL, c->report);
            ds_put_char(c->report, '\n');
        }
    }
    c->n++;
}

static void
compare_net(const struct engine *a, const struct engine *b,
            struct comparison *c)
{
    for (size_t i = 0; net_resources[i]; i++) {
        size_t n_a, n_b;
        const struct entity **as = engine_list(a, net_resources[i], &n_a);
        const struct entity **bs = engine_list(b, net_resources[i], &n_b);
        diff_sorted((const void *const *) as, n_a, (const void *const *) bs,
                    n_b, compare_entity_ids, report_entity, c);
        free(as);
        free(bs);
    }
}

static void
compare_all_notes(const struct engine *a, const struct engine *b,
                  struct comparison *c)
{
    size_t n_a, n_b;
    const struct note **as = engine_notes(a, NULL, &n_a);
    const struct note **bs = engine_notes(b, NULL, &n_b);
    bool same = n_a == n_b;
    for (size_t i = 0; same && i < n_a; i++) {
        same = !compare_notes(&as[i], &bs[i]);
    }
    if (!same) {
        ds_put_format(c->report, "notes differ: %zu running, %zu fresh\n", n_a,
                      n_b);
        c->n++;
    }
    free(as);
    free(bs);
}

size_t
engine_check(const struct engine *engine, struct ds *report)
{
    AUTO(scopes) *scopes = scopes_create();
    AUTO(engine) *fresh = engine_create(engine->model, scopes, engine->passes,
                                        engine->indexes, &engine->settings);
    (void) engine_run(fresh, SIZE_MAX);

    struct comparison c = { report, 0 };
    compare_net(engine, fresh, &c);
    compare_all_notes(engine, fresh, &c);
    c.n += scopes_compare(engine->scopes, scopes, report);
    return c.n;
}
