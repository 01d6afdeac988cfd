/* SPDX-License-Identifier: Apache-2.0 */

/* Entities: the life of one object.
 *
 *     POST:  entity_from_json ── entity_complete ── check ── txn_put
 *     PUT:   entity_from_json ── entity_inherit or entity_merge ──
 *                                entity_complete ── check ── txn_put
 *
 * An entity is built, and then never changed again: whoever has a pointer to
 * one that was put in a transaction may rely on its content.  A copy is deep;
 * nothing is shared between two entities.
 *
 * Members that the schema does not know ('extra') are one JSON text with
 * sorted names, because they are only ever stored, compared and given back. */

#include "model/walk.h"

struct entity *
entity_create(const struct resource *resource, const struct uuid *id)
{
    struct entity *entity = mem_zalloc(resource->shape.size);

    entity->resource = resource;
    entity->id = *id;
    return entity;
}

void
entity_destroy(struct entity *entity)
{
    if (entity) {
        owner_uninit(&entity->resource->shape, entity);
        free(entity->extra);
        free(entity);
    }
}

struct entity *
entity_clone(const struct entity *entity)
{
    const struct shape *shape = &entity->resource->shape;
    struct entity *clone = mem_clone(entity, shape->size);

    memset(&clone->node, 0, sizeof clone->node);
    clone->extra = mem_text(entity->extra);
    owner_own(shape, clone);
    return clone;
}

bool
entity_equals(const struct entity *a, const struct entity *b)
{
    return !entity_compare(a, b);
}

int
entity_compare(const struct entity *a, const struct entity *b)
{
    if (a->resource != b->resource) {
        int cmp = strcmp(a->resource->shape.name, b->resource->shape.name);
        return cmp ? cmp : a->resource < b->resource ? -1 : 1;
    }

    int cmp = uid_compare(&a->id, &b->id);
    if (cmp) {
        return cmp;
    } else if (a->number != b->number) {
        return a->number < b->number ? -1 : 1;
    }

    cmp = owner_compare(&a->resource->shape, a, b);
    if (cmp || (!a->extra && !b->extra)) {
        return cmp;
    }
    return (a->extra && b->extra ? strcmp(a->extra, b->extra)
            : a->extra           ? 1
                                 : -1);
}

/* JSON. */

/* Sets '*idp' to the identifier inside the object. */
static struct err *OVS_WARN_UNUSED_RESULT
id_from_body(const struct json *json, struct uuid *idp)
{
    const struct json *id =
        (json->type == JSON_OBJECT ? jget(json, "id") : NULL);

    if (json->type != JSON_OBJECT) {
        return err_new(ERR_INVALID, NULL, "not an object");
    } else if (!id || id->type == JSON_NULL) {
        return err_new(ERR_INVALID, "id", "is required");
    } else if (id->type != JSON_STRING
               || !uid_from_text(json_string(id), idp)) {
        return err_new(ERR_INVALID, "id", "not a UUID");
    }
    return NULL;
}

struct err *
entity_from_json(const struct resource *resource, const struct json *json,
                 const struct uuid *id, enum entity_flags flags,
                 struct entity **entityp)
{
    struct uuid body_id;
    struct err *err = id ? NULL : id_from_body(json, &body_id);
    if (err) {
        return err_about(err, "%s", resource->shape.name);
    }

    AUTO(entity) *entity = entity_create(resource, id ? id : &body_id);
    err = owner_decode(&resource->shape, json, flags, "id", entity,
                       &entity->extra);
    if (err) {
        return err_about(err, "%s " UID_FMT, resource->shape.name,
                         UID_ARGS(&entity->id));
    }
    *entityp = STEAL(entity);
    return NULL;
}

struct err *
entity_complete(struct entity *entity)
{
    struct err *err = owner_complete(&entity->resource->shape, entity);

    return err_about(err, "%s " UID_FMT, entity->resource->shape.name,
                     UID_ARGS(&entity->id));
}

/* Changes. */

void
entity_inherit(struct entity *new_, const struct entity *old)
{
    const struct shape *shape = &new_->resource->shape;

    ovs_assert(new_->resource == old->resource);
    new_->number = old->number;
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct field *field = &shape->fields[i];
        if (field->immutable || (field->identity && !owner_is_set(new_, i))) {
            owner_copy_field(shape, new_, old, i);
        }
    }
}

/* Adds the members of 'old' that 'new_' lacks. */
static void
merge_extra(struct entity *new_, const struct entity *old)
{
    if (!old->extra) {
        return;
    } else if (!new_->extra) {
        new_->extra = mem_text(old->extra);
        return;
    }

    AUTO(json) *from = json_from_string(old->extra);
    AUTO(json) *to = json_from_string(new_->extra);
    struct shash_node *node;
    SHASH_FOR_EACH (node, json_object(from)) {
        if (!shash_find(json_object(to), node->name)) {
            json_object_put(to, node->name, json_clone(node->data));
        }
    }

    AUTO_DS ds = DS_EMPTY_INITIALIZER;
    json_to_ds(to, JSSF_SORT, &ds);
    free(new_->extra);
    new_->extra = mem_text(ds_cstr(&ds));
}

void
entity_merge(struct entity *new_, const struct entity *old)
{
    const struct shape *shape = &new_->resource->shape;

    entity_inherit(new_, old);
    for (size_t i = 0; i < shape->n_fields; i++) {
        if (!owner_is_set(new_, i) && !shape->fields[i].always) {
            owner_copy_field(shape, new_, old, i);
        }
    }
    merge_extra(new_, old);
}
