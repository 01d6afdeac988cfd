/* SPDX-License-Identifier: Apache-2.0 */

/* From JSON to values: what clients send, in all the forms they send it.
 *
 * Clients of this API are many and old.  What is read here beyond the obvious
 * form, because some of them sends it:
 *
 *     null                  for every field: no value
 *     ""                    for ids, numbers, addresses, enumerated texts and
 *                           lists: no value
 *     {}                    for an OBJECT: no value
 *     "17", 17              for numbers and for texts
 *     "True", "FALSE"       for booleans
 *     "x"                   for a list of texts or ids: a list of one
 *     {"id": "..."}         for an id in a list, with any other members
 *
 * Everything else is refused, naming the field as the client wrote it.
 * Members that no row names are kept as JSON text, sorted by name, so that
 * equal content is equal text.
 *
 * The cost is linear in the size of the JSON, times the number of rows whose
 * name starts with the same letter. */

#include "model/walk.h"

#include <inttypes.h>
#include <sys/param.h>

/* Nothing real comes near; a request's memory must not be a multiple of its
 * size. */
#define MAX_ITEMS 100000

static struct err *refuse(const char *expected,
                          const struct json *) OVS_WARN_UNUSED_RESULT;

/* Says that 'json' is not 'expected', as in "not a MAC address: "zz"". */
static struct err *
refuse(const char *expected, const struct json *json)
{
    AUTO_DS found = DS_EMPTY_INITIALIZER;

    if (json->type == JSON_STRING) {
        size_t length = strlen(json_string(json));
        ds_put_cstr(&found, ": \"");
        text_put_printable(&found, json_string(json), MIN(length, 64));
        ds_put_cstr(&found, length > 64 ? "...\"" : "\"");
    } else if (json->type == JSON_INTEGER) {
        ds_put_format(&found, ": %" PRId64, json_integer(json));
    }
    return err_new(ERR_INVALID, NULL, "not %s%s", expected, ds_cstr(&found));
}

/* Scalars. */

static struct err *OVS_WARN_UNUSED_RESULT
decode_enumerated(const struct field *field, const struct json *json)
{
    const char *text = json_string(json);
    size_t length = strlen(text);

    for (const char *p = field->values; *p; p += strspn(p, "|")) {
        size_t n = strcspn(p, "|");
        if (n == length && !memcmp(p, text, n)) {
            return NULL;
        }
        p += n;
    }

    AUTO_TEXT *expected = mem_textf("one of %s", field->values);
    return refuse(expected, json);
}

static struct err *OVS_WARN_UNUSED_RESULT
decode_text(const struct field *field, const struct json *json,
            enum entity_flags flags, char **textp, bool *nullp)
{
    if (json->type == JSON_INTEGER) {
        *textp = mem_textf("%" PRId64, json_integer(json));
        return NULL;
    } else if (json->type != JSON_STRING) {
        return refuse("a string", json);
    }

    if (field->values && !(flags & ENTITY_STORED)) {
        if (!*json_string(json)) {
            *nullp = true;
            return NULL;
        }
        struct err *err = decode_enumerated(field, json);
        if (err) {
            return err;
        }
    }
    *textp = mem_text(json_string(json));
    return NULL;
}

static struct err *OVS_WARN_UNUSED_RESULT
decode_bool(const struct json *json, bool *boolp)
{
    if (json->type == JSON_TRUE || json->type == JSON_FALSE) {
        *boolp = json->type == JSON_TRUE;
        return NULL;
    } else if (json->type == JSON_STRING) {
        bool is_true = text_equals_nocase(json_string(json), "true");
        if (is_true || text_equals_nocase(json_string(json), "false")) {
            *boolp = is_true;
            return NULL;
        }
    }
    return refuse("true or false", json);
}

static struct err *OVS_WARN_UNUSED_RESULT
decode_int(const struct field *field, const struct json *json,
           enum entity_flags flags, int64_t *intp)
{
    int64_t number;

    if (json->type == JSON_INTEGER) {
        number = json_integer(json);
    } else if (json->type != JSON_STRING
               || !text_to_int(json_string(json), INT64_MIN, INT64_MAX,
                               &number)) {
        return refuse("a whole number", json);
    }

    if ((field->min || field->max) && !(flags & ENTITY_STORED)
        && (number < field->min || number > field->max)) {
        AUTO_TEXT *expected = mem_textf("within %" PRId64 " to %" PRId64,
                                        field->min, field->max);
        return refuse(expected, json);
    }
    *intp = number;
    return NULL;
}

/* The kinds that are a string with a grammar. */
static struct err *OVS_WARN_UNUSED_RESULT
decode_parsed(enum field_kind kind, const struct json *json, void *value)
{
    const char *text = json->type == JSON_STRING ? json_string(json) : "";

    switch (kind) {
    case FIELD_UID:
    case FIELD_REF:
        return uid_from_text(text, value) ? NULL : refuse("a UUID", json);
    case FIELD_ADDR:
        return (ipaddr_from_text(text, value) ? NULL
                                              : refuse("an IP address", json));
    case FIELD_PREFIX:
        return (prefix_from_text(text, value) ? NULL
                                              : refuse("an IP prefix", json));
    case FIELD_MAC:
        return (mac_from_text(text, value) ? NULL
                                           : refuse("a MAC address", json));
    default:
        abort();
    }
}

/* Lists. */

/* Is 'json' the way some clients write "nothing" inside of a list? */
static bool
is_nothing(const struct json *json)
{
    return (json->type == JSON_NULL
            || (json->type == JSON_STRING && !*json_string(json)));
}

static struct err *OVS_WARN_UNUSED_RESULT
decode_item(const struct field *field, const struct json *json,
            enum entity_flags flags, struct shapes *list)
{
    static const struct field text_row = { .kind = FIELD_TEXT };
    static const struct field int_row = { .kind = FIELD_INT };
    size_t i = list->n;
    bool is_null;

    switch (field->kind) {
    case FIELD_TEXTS:
        list->n++;
        return decode_text(&text_row, json, flags, &((char **) list->items)[i],
                           &is_null);
    case FIELD_INTS:
        list->n++;
        return decode_int(&int_row, json, flags,
                          &((int64_t *) list->items)[i]);
    case FIELD_ADDRS:
        if (is_nothing(json)) {
            return NULL;
        }
        list->n++;
        return decode_parsed(FIELD_ADDR, json,
                             &((struct in6_addr *) list->items)[i]);
    case FIELD_REFS:
        if (json->type == JSON_OBJECT && jget(json, "id")) {
            json = jget(json, "id");
        }
        if (is_nothing(json)) {
            return NULL;
        }
        list->n++;
        return decode_parsed(FIELD_REF, json,
                             &((struct uuid *) list->items)[i]);
    default:
        list->n++;
        return owner_decode(field->shape, json, flags, NULL,
                            shapes_item_rw(field->shape, list, i), NULL);
    }
}

/* Puts where in the list the error is in front of its field. */
static struct err *
err_at_item(struct err *err, size_t i)
{
    return err_within(err, "[%zu].", i);
}

static struct err *OVS_WARN_UNUSED_RESULT
decode_list(const struct field *field, const struct json *json,
            enum entity_flags flags, struct shapes *list)
{
    struct json *const *elems = NULL;
    size_t n;

    if (json->type == JSON_ARRAY) {
        elems = json_array(json)->elems;
        n = json_array(json)->n;
    } else if (json->type == JSON_STRING && field->kind != FIELD_LIST) {
        n = 1;
    } else {
        return refuse("a list", json);
    }
    if (n > MAX_ITEMS) {
        return err_new(ERR_INVALID, NULL, "more than %d items", MAX_ITEMS);
    } else if (!n) {
        return NULL;
    }

    list->items = mem_zalloc(n * value_item_size(field));
    for (size_t i = 0; i < n; i++) {
        struct err *err =
            decode_item(field, elems ? elems[i] : json, flags, list);
        if (err) {
            return elems ? err_at_item(err, i) : err;
        }
    }
    if (!list->n) {
        free(list->items);
        list->items = NULL;
    }
    return NULL;
}

static struct err *OVS_WARN_UNUSED_RESULT
decode_object(const struct field *field, const struct json *json,
              enum entity_flags flags, void **objectp, bool *nullp)
{
    if (json->type == JSON_OBJECT && shash_is_empty(json_object(json))
        && !(flags & ENTITY_STORED)) {
        *nullp = true;
        return NULL;
    }

    *objectp = mem_zalloc(field->shape->size);
    return owner_decode(field->shape, json, flags, NULL, *objectp, NULL);
}

/* Values. */

struct err *
value_decode(const struct field *field, const struct json *json,
             enum entity_flags flags, void *value, bool *nullp)
{
    *nullp = (json->type == JSON_NULL
              || (field->kind != FIELD_TEXT && field->kind != FIELD_JSON
                  && json->type == JSON_STRING && !*json_string(json)));
    if (*nullp) {
        return NULL;
    }

    switch (field->kind) {
    case FIELD_TEXT:
        return decode_text(field, json, flags, value, nullp);
    case FIELD_BOOL:
        return decode_bool(json, value);
    case FIELD_INT:
        return decode_int(field, json, flags, value);
    case FIELD_UID:
    case FIELD_REF:
    case FIELD_ADDR:
    case FIELD_PREFIX:
    case FIELD_MAC:
        return decode_parsed(field->kind, json, value);
    case FIELD_JSON: {
        AUTO_DS ds = DS_EMPTY_INITIALIZER;
        json_to_ds(json, JSSF_SORT, &ds);
        *(char **) value = mem_text(ds_cstr(&ds));
        return NULL;
    }
    case FIELD_TEXTS:
    case FIELD_INTS:
    case FIELD_ADDRS:
    case FIELD_REFS:
    case FIELD_LIST:
        return decode_list(field, json, flags, value);
    case FIELD_OBJECT:
        return decode_object(field, json, flags, value, nullp);
    }
    abort();
}

/* Members of no row. */

struct leftovers {
    const struct shash_node **nodes;
    size_t n, allocated;
};

static int
compare_nodes(const void *a_, const void *b_)
{
    const struct shash_node *const *a = a_;
    const struct shash_node *const *b = b_;
    return strcmp((*a)->name, (*b)->name);
}

/* Returns the members as the text of a JSON object, null if there are none,
 * and frees the array. */
static char *
leftovers_finish(struct leftovers *rest)
{
    char *text = NULL;

    if (rest->n) {
        AUTO_DS ds = DS_EMPTY_INITIALIZER;
        qsort(rest->nodes, rest->n, sizeof *rest->nodes, compare_nodes);
        for (size_t i = 0; i < rest->n; i++) {
            ds_put_char(&ds, i ? ',' : '{');
            put_json_string(rest->nodes[i]->name, &ds);
            ds_put_char(&ds, ':');
            json_to_ds(rest->nodes[i]->data, JSSF_SORT, &ds);
        }
        ds_put_char(&ds, '}');
        text = mem_text(ds_cstr(&ds));
    }
    free(rest->nodes);
    return text;
}

/* Owners. */

/* The row that a member of this name belongs to.  An alias stands back for
 * the name proper. */
static const struct field *
find_row(const struct shape *shape, const struct shash *members,
         const char *name)
{
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct field *field = &shape->fields[i];
        const char *proper = field_json_name(field);
        if (proper[0] == name[0] && !strcmp(proper, name) && !field->rest) {
            return field;
        }
        if (field->alias && !strcmp(field->alias, name)
            && !shash_find(members, proper)) {
            return field;
        }
    }
    return NULL;
}

static struct err *OVS_WARN_UNUSED_RESULT
decode_member(const struct field *field, const struct shash_node *node,
              enum entity_flags flags, void *owner)
{
    bool is_null;
    struct err *err = value_decode(field, node->data, flags,
                                   owner_value_rw(owner, field), &is_null);
    if (err) {
        return err_within(err,
                          err->field && err->field[0] != '[' ? "%s." : "%s",
                          node->name);
    }

    struct fields *fields = owner;
    fields->set |= UINT64_C(1) << field->index;
    fields->null |= (uint64_t) is_null << field->index;
    return NULL;
}

/* Stores '*restp', taking it over, in the row made for it, if any. */
static void
keep_rest(const struct shape *shape, void *owner, char *rest)
{
    for (size_t i = 0; rest && i < shape->n_fields; i++) {
        const struct field *field = &shape->fields[i];
        if (field->rest) {
            *(char **) owner_value_rw(owner, field) = STEAL(rest);
            ((struct fields *) owner)->set |= UINT64_C(1) << i;
        }
    }
    free(rest);
}

struct err *
owner_decode(const struct shape *shape, const struct json *json,
             enum entity_flags flags, const char *except, void *owner,
             char **restp)
{
    if (json->type != JSON_OBJECT) {
        return refuse("an object", json);
    }

    struct shash *members = json_object(json);
    struct leftovers leftovers = { .n = 0 };
    struct err *err = NULL;
    struct shash_node *node;
    SHASH_FOR_EACH (node, members) {
        if (except && !strcmp(node->name, except)) {
            continue;
        }
        const struct field *field = find_row(shape, members, node->name);
        if (field) {
            err = decode_member(field, node, flags, owner);
            if (err) {
                break;
            }
        } else {
            ARRAY_GROW(leftovers.nodes, leftovers.n, leftovers.allocated);
            leftovers.nodes[leftovers.n++] = node;
        }
    }

    char *rest = leftovers_finish(&leftovers);
    if (err) {
        free(rest);
    } else if (restp) {
        *restp = rest;
    } else {
        keep_rest(shape, owner, rest);
    }
    return err;
}

/* Defaults. */

/* Decodes the usual defaults without a detour through struct json: this runs
 * for every field that a request leaves out. */
static bool
dflt_quickly(const struct field *field, void *value)
{
    const char *dflt = field->dflt;
    size_t length = strlen(dflt);

    switch (field->kind) {
    case FIELD_BOOL:
        *(bool *) value = !strcmp(dflt, "true");
        return true;
    case FIELD_INT:
        return text_to_int(dflt, INT64_MIN, INT64_MAX, value);
    case FIELD_TEXT:
        if (length < 2 || strchr(dflt, '\\')) {
            return false;
        }
        *(char **) value = mem_textf("%.*s", (int) length - 2, dflt + 1);
        return true;
    case FIELD_TEXTS:
    case FIELD_INTS:
    case FIELD_ADDRS:
    case FIELD_REFS:
    case FIELD_LIST:
        return !strcmp(dflt, "[]");
    default:
        return false;
    }
}

static void
apply_dflt(const struct field *field, void *owner)
{
    struct fields *fields = owner;
    void *value = owner_value_rw(owner, field);
    bool is_null = !strcmp(field->dflt, "null");

    if (!is_null && !dflt_quickly(field, value)) {
        struct json *parsed;
        AUTO(err) *err =
            json_parse_limited(field->dflt, strlen(field->dflt), 8, &parsed);
        ovs_assert(!err);
        AUTO(json) *json = parsed;
        AUTO(err) *bad = value_decode(field, json, 0, value, &is_null);
        ovs_assert(!bad);
    }
    fields->set |= UINT64_C(1) << field->index;
    fields->null |= (uint64_t) is_null << field->index;
}

/* Copies the value of the field named 'from' to the absent 'field'. */
static void
apply_dflt_from(const struct shape *shape, const struct field *field,
                void *owner)
{
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct field *from = &shape->fields[i];
        if (!strcmp(from->name, field->dflt_from) && owner_has(owner, i)) {
            ovs_assert(from->kind == field->kind);
            void *value = owner_value_rw(owner, field);
            memcpy(value, owner_value(owner, from), value_size(from->kind));
            value_own(field, value);
            ((struct fields *) owner)->set |= UINT64_C(1) << field->index;
        }
    }
}

/* Completes what is nested in a field that is there. */
static struct err *OVS_WARN_UNUSED_RESULT
complete_nested(const struct field *field, void *value)
{
    struct err *err = NULL;

    if (field->kind == FIELD_LIST) {
        struct shapes *list = value;
        for (size_t i = 0; !err && i < list->n; i++) {
            err = owner_complete(field->shape,
                                 shapes_item_rw(field->shape, list, i));
            err = err ? err_at_item(err, i) : NULL;
        }
    } else if (field->kind == FIELD_OBJECT && *(void **) value) {
        err = owner_complete(field->shape, *(void **) value);
        err = err ? err_within(err, ".") : NULL;
    }
    return err ? err_within(err, "%s", field_json_name(field)) : NULL;
}

struct err *
owner_complete(const struct shape *shape, void *owner)
{
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct field *field = &shape->fields[i];
        if (!owner_is_set(owner, i) && field->dflt_from) {
            apply_dflt_from(shape, field, owner);
        }
        if (!owner_is_set(owner, i) && field->dflt) {
            apply_dflt(field, owner);
        }
        if (field->required && !owner_has(owner, i)) {
            return err_new(ERR_INVALID, field_json_name(field), "is required");
        }
        struct err *err = complete_nested(field, owner_value_rw(owner, field));
        if (err) {
            return err;
        }
    }
    return NULL;
}
