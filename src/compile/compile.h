/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMPILE_COMPILE_H
#define COMPILE_COMPILE_H 1

/* The compiler: model and facts to scopes, incrementally, without handlers.
 *
 *     entity (model, net) ──read by──► unit ──owns──► net entities
 *          ▲                             │            items in scopes
 *          └───────── makes ─────────────┘            subscriptions, notes
 *
 * A PASS is a pure function over the entities of one resource.  A UNIT is one
 * pass applied to one entity.  While it runs, everything it follows (GET,
 * index lookups) is recorded, also what was not there; when something it read
 * changes, the unit runs again whole, its old and new outputs are compared,
 * and only differences travel.  A pass must not read anything else: no
 * globals, no clock.
 *
 * Passes run in the order of registration; a pass may only read net resources
 * that earlier passes make.  So each unit runs at most once per change.
 *
 * Several units may make the same net entity (presence): it exists while at
 * least one does.  If they differ in content, the smallest by
 * entity_compare() is in force.
 *
 * Cost of a change: the units that read what changed, each what it emits. */

#include "net/net.h"
#include "pipeline/pipeline.h"

struct engine;
struct unit;

struct pass {
    const char *name; /* "l2_local". */
    const struct resource *input;
    void (*run)(struct unit *, const struct entity *);
};

/* An index: entities of 'resource' by the keys that 'keys' gives for each
 * (calls index_key() any number of times). */
struct index_def {
    const char *name;
    const struct resource *resource;
    void (*keys)(const struct entity *, struct unit *);
};
void index_key(struct unit *, uint64_t key); /* Only from 'keys'. */

/* Follows a reference; null if there is no such entity. */
const struct entity *unit_get(struct unit *, const struct resource *,
                              const struct uuid *);
#define GET(U, TYPE, ID) TYPE##_cast(unit_get(U, &TYPE##_resource, (ID)))
/* The number of an entity, 0 if there is none: depends on its existence only,
 * not on its content. */
uint32_t unit_number(struct unit *, const struct resource *,
                     const struct uuid *);
/* The entities an index has for a key, sorted by id: '*np' of them, valid
 * until the unit ends.  Depends on the set; GET each to depend on content. */
const struct entity *const *
unit_lookup(struct unit *, const struct index_def *, uint64_t key, size_t *np);

/* Outputs. */

/* A new net entity to be filled in and then given to unit_emit(). */
#define MAKE(TYPE, ID)                                                        \
    ((struct TYPE *) (void *) entity_create(&TYPE##_resource, (ID)))
/* Takes ownership. */
void unit_emit(struct unit *, struct entity *);
void unit_want(struct unit *, const struct uuid *host, struct scope_id);
void unit_group(struct unit *, struct scope_id, uint32_t group);
void unit_tunnel(struct unit *, struct scope_id, enum carrier);

/* A block that writes one rule or bucket into 'r'. */
#define RULE(U, SCOPE, TABLE, PRIORITY)                                       \
    for (struct draft *r = unit_rule_open(U, SCOPE, T_##TABLE, PRIORITY); r;  \
         r = unit_close(U, r))
#define BUCKET(U, SCOPE, GROUP, BUCKET_ID)                                    \
    for (struct draft *r = unit_bucket_open(U, SCOPE, GROUP, BUCKET_ID); r;   \
         r = unit_close(U, r))
struct draft *unit_rule_open(struct unit *, struct scope_id, enum table_id,
                             uint16_t priority);
struct draft *unit_bucket_open(struct unit *, struct scope_id, uint32_t group,
                               uint32_t bucket);
struct draft *unit_close(struct unit *, struct draft *); /* Null. */

/* Something the operator should know about the object 'about': a
 * configuration that cannot work, an object without effect and why. */
enum note_level { NOTE_INFO, NOTE_WARNING, NOTE_ERROR };
void unit_note(struct unit *, enum note_level, const struct uuid *about,
               const char *format, ...) OVS_PRINTF_FORMAT(4, 5);

/* What a pass may read besides entities: fixed when the engine is made. */
struct compile_settings {
    int underlay_mtu; /* Bytes of an IP packet between hosts. */
};
const struct compile_settings *unit_settings(const struct unit *);

/* Engine. */

/* 'passes' (lowering passes of features first, then compile_passes) and
 * 'indexes' are null-terminated. */
struct engine *engine_create(const struct model *, struct scopes *,
                             const struct pass *const *passes,
                             const struct index_def *const *indexes,
                             const struct compile_settings *);
void engine_destroy(struct engine *);
AUTO_DEFINE(engine)

/* The compiler's own, to be put behind the features'. */
extern const struct pass *const compile_passes[];
extern const struct index_def *const compile_indexes[];

/* Calls 'observer' for each net entity that comes, changes or goes (null for
 * what was or is not there), during engine_run(). */
void engine_observe(struct engine *,
                    void (*observer)(const struct entity *old,
                                     const struct entity *new_, void *aux),
                    void *aux);

/* Tells what changed in the model; cheap. */
void engine_changed(struct engine *, const struct change *, size_t n);
/* Runs dirty units until none is left (returns true) or 'max_units' ran.
 * Then the scopes are complete and may be published. */
bool engine_run(struct engine *, size_t max_units);
bool engine_is_idle(const struct engine *);

/* Views. */

const struct scopes *engine_scopes(const struct engine *);
const struct entity *engine_find(const struct engine *,
                                 const struct resource *, const struct uuid *);
const struct entity **engine_list(const struct engine *,
                                  const struct resource *, size_t *np);
/* Entities of an index; '*np', sorted; caller frees the array. */
const struct entity **engine_lookup(const struct engine *,
                                    const struct index_def *, uint64_t key,
                                    size_t *np);
extern const struct index_def plugs_by_endpoint, plugs_by_host, hosts_by_name,
    attachments_by_endpoint;

struct note {
    enum note_level level;
    struct uuid about;
    char *text;
};
/* Notes about one object, or all if null; sorted; caller frees the array
 * only. */
const struct note **engine_notes(const struct engine *, const struct uuid *,
                                 size_t *np);
/* Who owns an item: pass name and entity. */
struct owner {
    const char *pass;
    const struct resource *resource;
    struct uuid id;
};
struct owner engine_owner(const struct item *);
/* Units run, by pass, for metrics and tests; JSON object. */
struct json *engine_status(const struct engine *);

/* The permanent oracle: compiles the whole model from scratch into scopes of
 * its own, compares scopes, subscriptions and net entities, and returns the
 * number of differences, described in 'report'. */
size_t engine_check(const struct engine *, struct ds *report);

#endif /* compile/compile.h */
