/* SPDX-License-Identifier: Apache-2.0 */

/* Fuzzes the reading of objects: the input is the body of a request,
 * {"port": {...}}, for any of Neutron's resources.
 *
 * What is accepted must survive storing, copying, completing, checking under
 * both rule sets, merging with itself, and answering. */

#include "fuzz/fuzz.h"

#include "features/features.h"

#define MAX_DEPTH 20

static const struct entity *
find_half(const struct check *check, const char *resource,
          const struct uuid *id)
{
    return id->parts[0] & 1 ? check->aux : NULL;
}

static char *
text_of(const struct entity *entity, enum entity_flags flags)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    entity_put_json(entity, flags, NULL, &ds);
    return ds_steal_cstr(&ds);
}

/* Stores the entity and reads it back. */
static void
check_stored(const struct entity *entity)
{
    AUTO_TEXT *text = text_of(entity, ENTITY_STORED);
    struct json *parsed = NULL;
    AUTO(err) *bad =
        json_parse_limited(text, strlen(text), MAX_DEPTH, &parsed);
    ovs_assert(!bad);

    AUTO(json) *json = parsed;
    struct entity *read = NULL;
    AUTO(err) *err = entity_from_json(entity->resource, json, &entity->id,
                                      ENTITY_STORED, &read);
    ovs_assert(!err);
    AUTO(entity) *again = read;
    ovs_assert(entity_equals(entity, again));

    AUTO(entity) *merged = entity_clone(entity);
    entity_merge(merged, again);
    ovs_assert(entity_equals(entity, merged));
    AUTO(json) *answer = entity_to_json(entity, ENTITY_ANSWER);
    ovs_assert(answer->type == JSON_OBJECT);
}

static void
check_rules(const struct entity *entity, bool strict)
{
    AUTO(entity) *e = entity_clone(entity);
    struct check check = {
        .find = find_half,
        .aux = entity,
        .strict = strict,
        .creating = true,
    };

    AUTO(err) *err = entity_complete(e);
    if (!err) {
        AUTO(err) *refused = e->resource->check(&check, e);
        ovs_assert(!refused || refused->field);
        check_stored(e);
    }
}

static void
check_fields(const struct entity *entity)
{
    const struct shape *shape = &entity->resource->shape;

    for (size_t i = 0; i < shape->n_fields; i++) {
        AUTO_TEXT *text = field_to_text(&shape->fields[i], entity);
        if (text && shape->fields[i].kind < FIELD_JSON) {
            ovs_assert(entity_matches(entity, &shape->fields[i], text));
        }
    }
}

static void
fuzz_resource(const struct resource *resource, const struct json *body)
{
    const struct json *object = jget(body, resource->shape.name);
    struct entity *read = NULL;

    if (!object) {
        return;
    }
    AUTO(err) *err = entity_from_json(resource, object, NULL, 0, &read);
    if (err) {
        ovs_assert(!read && err->kind == ERR_INVALID);
        return;
    }

    AUTO(entity) *entity = read;
    check_stored(entity);
    check_fields(entity);
    check_rules(entity, false);
    check_rules(entity, true);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json *parsed = NULL;
    AUTO(err) *err =
        json_parse_limited((const char *) data, size, MAX_DEPTH, &parsed);
    AUTO(json) *body = parsed;

    if (!err && body->type == JSON_OBJECT) {
        AUTO(model) *model = model_create();
        neutron_register(model);
        for (size_t i = 0; i < model_n_resources(model); i++) {
            fuzz_resource(model_resource_at(model, i), body);
        }
    }
    return 0;
}
