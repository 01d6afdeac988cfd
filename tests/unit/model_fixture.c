/* SPDX-License-Identifier: Apache-2.0 */

/* See "model_fixture.h".
 *
 * A random object uses each row with some chance and writes its value in one
 * of the forms that clients use, taken from a small domain, so that two random
 * objects are often alike. */

#include "model_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/param.h>
#include <time.h>
#include <cmocka.h>

struct random
random_from_environment(void)
{
    const char *text = getenv("WEFT_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t) time(NULL);

    print_message("WEFT_SEED=%llu\n", (unsigned long long) seed);
    return (struct random){ hash64_mix(seed, 1) };
}

uint32_t
random_below(struct random *random, uint32_t limit)
{
    random->state = hash64_mix(random->state, 0x9e3779b97f4a7c15);
    return (random->state >> 32) % limit;
}

char *
quoted(const char *text)
{
    char *copy = mem_text(text);

    for (char *p = copy; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    return copy;
}

static struct json *
json_of(const char *text)
{
    AUTO_TEXT *plain = quoted(text);
    struct json *json = json_from_string(plain);

    if (json->type == JSON_STRING) {
        fail_msg("%s: %s", plain, json_string(json));
    }
    return json;
}

struct entity *
entity_of(const struct resource *resource, const char *text)
{
    AUTO(json) *json = json_of(text);
    struct entity *entity = NULL;
    AUTO(err) *err = entity_from_json(resource, json, NULL, 0, &entity);

    if (err) {
        AUTO_TEXT *why = err_to_text(err);
        fail_msg("%s: %s", text, why);
    }
    return entity;
}

char *
error_of(const struct resource *resource, const char *text)
{
    AUTO(json) *json = json_of(text);
    AUTO(entity) *entity = NULL;
    AUTO(err) *err = entity_from_json(resource, json, NULL, 0, &entity);
    AUTO(err) *late = err ? NULL : entity_complete(entity);
    const struct err *any = err ? err : late;

    return (any ? mem_textf("%s: %s", any->field ? any->field : "-", any->text)
                : NULL);
}

char *
text_of(const struct entity *entity, enum entity_flags flags)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    entity_put_json(entity, flags, NULL, &ds);
    return ds_steal_cstr(&ds);
}

/* Random JSON. */

struct uuid
random_uid(struct random *random)
{
    AUTO_TEXT *name = mem_textf("%u", random_below(random, 4));

    return uid_from_name("random", name);
}

static struct json *
one_of(struct random *random, const char *const *texts)
{
    size_t n = 0;

    while (texts[n]) {
        n++;
    }
    return json_string_create(texts[random_below(random, n)]);
}

static struct json *
random_text(struct random *random)
{
    static const char *const texts[] = {
        "",
        "a",
        "net \"1\"",
        "tab\there",
        "caf\xc3\xa9",
        "\\",
        "\x01\x1f",
        "\x7f",
        "17",
        "a rather longer text, as in a description",
        NULL
    };

    return (random_below(random, 8)
                ? one_of(random, texts)
                : json_integer_create(random_below(random, 100)));
}

static struct json *
random_enumerated(struct random *random, const char *values)
{
    AUTO_TEXT *copy = mem_text(values);
    char *cursor = copy;
    char *value = text_next(&cursor, "|");
    char *next;

    while (random_below(random, 2)
           && (next = text_next(&cursor, "|")) != NULL) {
        value = next;
    }
    return json_string_create(random_below(random, 8) ? value : "");
}

static struct json *
random_int(struct random *random, const struct field *field)
{
    bool bounded = field->min || field->max;
    int64_t min = bounded ? field->min : -3;
    int64_t max = bounded ? MIN(field->max, field->min + 3) : 3;
    int64_t value = min + random_below(random, max - min + 1);

    if (random_below(random, 4)) {
        return json_integer_create(value);
    }
    return json_string_create_nocopy(mem_textf("%lld", (long long) value));
}

static struct json *
random_any(struct random *random, int depth)
{
    struct json *json;

    switch (random_below(random, depth > 3 ? 4 : 6)) {
    case 0:
        return json_null_create();
    case 1:
        return json_boolean_create(random_below(random, 2));
    case 2:
        return json_real_create(random_below(random, 9) / 7.0);
    case 3:
        return random_text(random);
    case 4:
        json = json_array_create_empty();
        while (random_below(random, 3)) {
            json_array_add(json, random_any(random, depth + 1));
        }
        return json;
    default:
        json = json_object_create();
        while (random_below(random, 3)) {
            json_object_put_nocopy(json,
                                   mem_textf("m%u", random_below(random, 9)),
                                   random_any(random, depth + 1));
        }
        return json;
    }
}

static struct json *
random_id(struct random *random)
{
    struct uuid uid = random_uid(random);
    char text[UID_LENGTH + 1];

    uid_to_text(&uid, text);
    struct json *json = json_string_create(text);
    return random_below(random, 4) ? json : json_array_create_1(json);
}

/* An identifier as itself or, where 'wrap', maybe as {"id": ...}. */
static struct json *
random_ref(struct random *random, bool wrap)
{
    struct json *id = random_id(random);

    if (id->type == JSON_ARRAY) {
        struct json *inner = json_clone(json_array(id)->elems[0]);
        json_destroy(id);
        if (!wrap) {
            return inner;
        }
        id = json_object_create();
        json_object_put(id, "id", inner);
        json_object_put(id, "name", random_text(random));
    }
    return id;
}

static struct json *
random_scalar(struct random *random, const struct field *field)
{
    static const char *const addresses[] = { "10.0.0.1",    "10.0.0.2",
                                             "2001:db8::1", "2001:DB8::2",
                                             "fe80::",      NULL };
    static const char *const prefixes[] = { "10.0.0.1",  "10.1.2.3/16",
                                            "0.0.0.0/0", "2001:db8::/64",
                                            "::1/128",   "10.0.0.9/32",
                                            NULL };
    static const char *const macs[] = { "fa:16:3e:00:00:01",
                                        "FA:16:3E:00:00:0A", NULL };
    static const char *const bools[] = { "true", "False", "TRUE", NULL };

    switch (field->kind) {
    case FIELD_TEXT:
        return (field->values ? random_enumerated(random, field->values)
                              : random_text(random));
    case FIELD_BOOL:
        return (random_below(random, 2)
                    ? one_of(random, bools)
                    : json_boolean_create(random_below(random, 2)));
    case FIELD_INT:
        return random_int(random, field);
    case FIELD_UID:
    case FIELD_REF:
        return random_ref(random, false);
    case FIELD_ADDR:
        return one_of(random, addresses);
    case FIELD_PREFIX:
        return one_of(random, prefixes);
    case FIELD_MAC:
        return one_of(random, macs);
    default:
        return random_any(random, 0);
    }
}

static struct json *
random_item(struct random *random, const struct field *field)
{
    struct field scalar = { .kind = FIELD_TEXT };

    switch (field->kind) {
    case FIELD_LIST:
        return random_object(random, field->shape);
    case FIELD_REFS:
        return random_ref(random, true);
    case FIELD_INTS:
        scalar.kind = FIELD_INT;
        break;
    case FIELD_ADDRS:
        scalar.kind = FIELD_ADDR;
        break;
    default:
        break;
    }
    return random_scalar(random, &scalar);
}

static struct json *
random_value(struct random *random, const struct field *field)
{
    struct json *list;

    if (!random_below(random, 8)) {
        return json_null_create();
    }
    switch (field->kind) {
    case FIELD_TEXTS:
    case FIELD_INTS:
    case FIELD_ADDRS:
    case FIELD_REFS:
    case FIELD_LIST:
        list = json_array_create_empty();
        while (random_below(random, 3)) {
            json_array_add(list, random_item(random, field));
        }
        return list;
    case FIELD_OBJECT:
        return random_object(random, field->shape);
    default:
        return random_scalar(random, field);
    }
}

struct json *
random_object(struct random *random, const struct shape *shape)
{
    struct json *object = json_object_create();

    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct field *field = &shape->fields[i];
        if (!field->rest && (field->required || random_below(random, 3))) {
            bool alias = field->alias && random_below(random, 2);
            json_object_put(object,
                            alias ? field->alias : field_json_name(field),
                            random_value(random, field));
        }
    }
    while (!random_below(random, 4)) {
        json_object_put_nocopy(object,
                               mem_textf("x%u", random_below(random, 5)),
                               random_any(random, 0));
    }
    return object;
}

/* Self-consistency. */

static struct entity *
random_entity(struct random *random, const struct resource *resource)
{
    AUTO(json) *json = random_object(random, &resource->shape);
    struct uuid id = random_uid(random);
    struct entity *entity = NULL;
    AUTO(err) *err = entity_from_json(resource, json, &id, 0, &entity);

    if (err) {
        AUTO_TEXT *why = err_to_text(err);
        AUTO_TEXT *text = json_to_string(json, 0);
        fail_msg("%s: %s: %s", resource->shape.name, why, text);
    }
    if (random_below(random, 2)) {
        /* Rows that are required may be null here. */
        AUTO(err) *missing = entity_complete(entity);
        assert_true(!missing || missing->kind == ERR_INVALID);
    }
    return entity;
}

/* Through text and back: nothing is lost. */
static void
check_round_trip(const struct entity *entity)
{
    AUTO_TEXT *text = text_of(entity, ENTITY_STORED);
    AUTO(json) *json = json_from_string(text);
    AUTO(entity) *again = NULL;
    AUTO(err) *err = entity_from_json(entity->resource, json, &entity->id,
                                      ENTITY_STORED, &again);

    assert_null(err);
    AUTO_TEXT *text_again = text_of(again, ENTITY_STORED);
    assert_string_equal(text, text_again);
    assert_true(entity_equals(entity, again));

    AUTO(json) *answer = entity_to_json(entity, ENTITY_ANSWER);
    assert_int_equal(answer->type, JSON_OBJECT);
}

static void
check_changes(const struct entity *a, const struct entity *b)
{
    AUTO(entity) *merged = entity_clone(a);
    AUTO(entity) *inherited = entity_clone(a);

    assert_true(entity_equals(a, merged));
    entity_merge(merged, a);
    assert_true(entity_equals(a, merged));
    entity_merge(merged, b);
    entity_inherit(inherited, b);
    check_round_trip(merged);
    check_round_trip(inherited);
}

void
check_random_entities(struct random *random, const struct resource *resource,
                      int n)
{
    AUTO(entity) *before = random_entity(random, resource);

    for (int i = 0; i < n; i++) {
        struct entity *entity = random_entity(random, resource);
        check_round_trip(entity);

        int cmp = entity_compare(entity, before);
        assert_int_equal(cmp > 0, entity_compare(before, entity) < 0);
        assert_int_equal(!cmp, entity_equals(entity, before));
        check_changes(entity, before);
        for (size_t j = 0; j < resource->shape.n_fields; j++) {
            const struct field *field = &resource->shape.fields[j];
            AUTO_TEXT *text = field_to_text(field, entity);
            if (text && field->kind < FIELD_JSON) {
                assert_true(entity_matches(entity, field, text));
            }
        }
        entity_destroy(before);
        before = entity;
    }
}
