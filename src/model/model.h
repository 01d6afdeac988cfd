/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H 1

/* The model: typed objects, by resource and id.
 *
 *     schema ── resource ── field, field, ...         (static tables)
 *     model  ── per resource: id -> entity            (what is true now)
 *     txn    ── list of changes over a model          (what is asked for)
 *
 * The model is a function of the store: it changes only by txn_apply(), which
 * the store calls when the transaction is durable.  An entity never changes
 * after it was put: a change replaces it by a new one.  References may dangle.
 *
 * Every entity has a 'number', reserved when it is created, unique and stable
 * within its resource (or number space) for its life, dense (the lowest free
 * one, from 1), and stored with it: registers, group ids and conntrack zones
 * are made from it, so that reload and replicas agree.
 *
 * Costs: find is O(1); a transaction costs O(its changes). */

#include "model/schema.h"

struct model;
struct txn;

/* The head of every typed struct of a resource. */
struct entity {
    struct fields fields; /* Must be first. */
    const struct resource *resource;
    struct hmap_node node; /* In the model's or the engine's table. */
    struct uuid id;
    uint32_t number; /* Reserved; 0 until put in a transaction. */
    char *extra;     /* Members of no field: JSON object text, or
                                 * null.  Given back unchanged. */
};

/* Entities. */

struct entity *entity_create(const struct resource *, const struct uuid *id);
void entity_destroy(struct entity *);
AUTO_DEFINE(entity)
struct entity *entity_clone(const struct entity *);

/* Same resource, id, number, fields and extra? */
bool entity_equals(const struct entity *, const struct entity *);
/* A total order of content, for choosing among variants. */
int entity_compare(const struct entity *, const struct entity *);

/* Marks a field as given (setters for code that fills a typed struct). */
#define SET(OWNER, P, FIELD)                                                  \
    ((P)->OWNER##_fields_at.set |= UINT64_C(1) << OWNER##_f_##FIELD,          \
     (P)->OWNER##_fields_at.null &= ~(UINT64_C(1) << OWNER##_f_##FIELD))

/* How to read and write JSON. */
enum entity_flags {
    ENTITY_STORED = 1 << 0, /* Exact: no defaults, no checks of required
                                 * fields; nulls written.  The number is not
                                 * part of the text. */
    ENTITY_ANSWER = 1 << 1, /* As a client sees it: null members left out
                                 * unless 'answer_null'; both tenant_id and
                                 * project_id; secrets left out. */
};

/* Decodes 'object' (what is inside the wrapper).  Knows every kind's sloppy
 * forms (numbers as text, "" for absent ids, enums and addresses).  The error
 * names the field as the client wrote it ("fixed_ips[1].ip_address").
 * 'id' is null to take the body's, which must then be there.
 * Does not apply defaults: see entity_complete(). */
struct err *entity_from_json(const struct resource *, const struct json *,
                             const struct uuid *id, enum entity_flags,
                             struct entity **) OVS_WARN_UNUSED_RESULT;
/* Applies defaults and reports missing required fields: on create. */
struct err *entity_complete(struct entity *) OVS_WARN_UNUSED_RESULT;
/* PUT: 'new_' replaces 'old', but keeps what the rows call 'identity' (where
 * absent in 'new_') and 'immutable' (always), and the number. */
void entity_inherit(struct entity *new_, const struct entity *old);
/* PUT with "absent keeps, null clears": copies every field and extra member
 * absent in 'new_' from 'old' (compat = opendaylight). */
void entity_merge(struct entity *new_, const struct entity *old);

/* Appends the entity as a JSON object.  'only', if not null, is a
 * null-terminated list of the members wanted (JSON names). */
void entity_put_json(const struct entity *, enum entity_flags,
                     const char *const *only, struct ds *);
struct json *entity_to_json(const struct entity *, enum entity_flags);

/* Does 'field' of the entity equal 'text' as a list filter means it (text
 * exact, booleans any case, numbers numerically, ids any case)?  For a list of
 * texts, numbers, ids or addresses: is it in the list?  An absent or null
 * field equals "" only. */
bool entity_matches(const struct entity *, const struct field *,
                    const char *text);
/* The row for a JSON name, its alias or its filter name, or null.  "id" has
 * no row. */
const struct field *shape_find(const struct shape *, const char *json_name);
const char *field_json_name(const struct field *);
/* The value of a TEXT, INT, ... field of any struct of the shape as text for
 * people, or null if absent.  Caller frees. */
char *field_to_text(const struct field *, const void *owner);

/* Model. */

struct model *model_create(void);
void model_destroy(struct model *);
AUTO_DEFINE(model)

/* Adds a resource; before any object of it arrives. */
void model_register(struct model *, const struct resource *);
const struct resource *model_resource(const struct model *, const char *name);
size_t model_n_resources(const struct model *);
const struct resource *model_resource_at(const struct model *, size_t index);

const struct entity *model_find(const struct model *, const struct resource *,
                                const struct uuid *id);
size_t model_count(const struct model *, const struct resource *);
/* All entities of a resource sorted by id; '*np' of them.  Caller frees the
 * array, not the entities. */
const struct entity **model_list(const struct model *, const struct resource *,
                                 size_t *np);

/* Called after each applied transaction, in order of registration. */
struct change {
    const struct resource *resource;
    struct uuid id;
    const struct entity *old;  /* Null: created. */
    const struct entity *new_; /* Null: deleted. */
};
void model_observe(struct model *,
                   void (*applied)(const struct change *, size_t n, void *aux),
                   void *aux);

/* OpenAPI 3.0 document of all resources with a path, below 'base'. */
struct json *model_openapi(const struct model *, const char *base);

/* Was the id ever deleted since the store was made?  (A repeated DELETE is
 * 204; 404 only for what never existed.)  Bounded: remembers at least the last
 * 100 000 deletions, persistently. */
bool model_was_deleted(const struct model *, const struct resource *,
                       const struct uuid *id);
/* The same, but also true for what this transaction deleted. */
bool txn_was_deleted(const struct txn *, const struct resource *,
                     const struct uuid *id);

/* Transactions: what requests build. */

/* What txn_find() returns is borrowed until the next change to the txn. */
const struct entity *txn_find(const struct txn *, const struct resource *,
                              const struct uuid *id);
/* Takes ownership; creates or replaces; reserves the number. */
void txn_put(struct txn *, struct entity *);
void txn_delete(struct txn *, const struct resource *, const struct uuid *id);
/* A point to go back to when one request of several fails. */
size_t txn_mark(const struct txn *);
void txn_rollback(struct txn *, size_t mark);
const struct model *txn_model(const struct txn *);

/* For the store. */
struct txn *txn_create(struct model *);
void txn_destroy(struct txn *);
AUTO_DEFINE(txn)
size_t txn_n_changes(const struct txn *);
/* In the order they were made; one per (resource, id).  'old' and 'new_' are
 * both null for what was created and deleted again. */
void txn_get(const struct txn *, size_t index, struct change *);
/* Makes the changes true and tells the observers.  Destroys the txn. */
void txn_apply(struct txn *);
/* Puts an entity read from the store, with its number; no observers. */
void model_load(struct model *, struct entity *, uint32_t number);
void model_load_deleted(struct model *, const char *resource,
                        const struct uuid *);

/* Writing.
 *
 * 'edit' runs inside a transaction that may hold other requests' changes too
 * (see txn_find); if it returns an error its own changes are rolled back and
 * 'done' gets that error.  Else 'done' gets null once the transaction is
 * durable and applied, or ERR_UNAVAILABLE if it could not be made durable, in
 * which case nothing of it is true.  'done' is never called before this
 * function returns.  Edits run in the order of the calls.
 *
 * The store gives the model this ability with model_set_writer().  Without a
 * store (tests of single layers) the change is applied at once, and 'done' is
 * called, against the rule above, at the end of model_write(). */
typedef struct err *(*model_edit)(struct txn *, void *aux);
typedef void (*model_done)(struct err *, void *aux); /* Owns the err. */
void model_write(struct model *, model_edit, model_done, void *aux);

/* Facts: what switches report about themselves.  Applied at once and made
 * durable soon; never refused.  Only for 'internal' resources. */
void model_write_facts(struct model *, void (*edit)(struct txn *, void *aux),
                       void *aux);

struct model_writer {
    void (*write)(void *store, model_edit, model_done, void *aux);
    void (*write_facts)(void *store, void (*edit)(struct txn *, void *aux),
                        void *aux);
};
void model_set_writer(struct model *, const struct model_writer *,
                      void *store);

#endif /* model/model.h */
