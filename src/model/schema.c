/* SPDX-License-Identifier: Apache-2.0 */

/* The schema's walker: life, order and text of values that only their field
 * tables describe.
 *
 *     owner (struct port)             table (port_fields)
 *     ┌──────────────────┐
 *     │ fields: set null │  bit i ── row i
 *     │ entity head ...  │
 *     │ name        ─────┼─ "web"   { "name", TEXT, offset }
 *     │ mac_address      │          { "mac_address", MAC, offset }
 *     │ fixed_ips  ──────┼─ item    { "fixed_ips", LIST, offset, &shape }
 *     │                  │  item      an item is an owner, too
 *     └──────────────────┘
 *
 * A value that is absent or null is all zeros.  Everything a value points to
 * belongs to it; lists are allocated to their exact size, since a model holds
 * tens of thousands of them and none ever grows.
 *
 * Every function is linear in the size of what it is given. */

#include "model/walk.h"

#include <sys/param.h>

/* Rows and names. */

const char *
field_json_name(const struct field *field)
{
    return field->json ? field->json : field->name;
}

const struct field *
shape_find(const struct shape *shape, const char *name)
{
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct field *field = &shape->fields[i];
        if (!field->rest
            && (!strcmp(field_json_name(field), name)
                || (field->alias && !strcmp(field->alias, name))
                || (field->filter && !strcmp(field->filter, name)))) {
            return field;
        }
    }
    return NULL;
}

/* Values. */

size_t
value_size(enum field_kind kind)
{
    switch (kind) {
#define FIELD_KIND(KIND, TYPE)                                                \
    case FIELD_##KIND:                                                        \
        return sizeof(TYPE);
        FIELD_KINDS
#undef FIELD_KIND
    }
    abort();
}

size_t
value_item_size(const struct field *field)
{
    switch (field->kind) {
    case FIELD_INTS:
        return sizeof(int64_t);
    case FIELD_ADDRS:
        return sizeof(struct in6_addr);
    case FIELD_REFS:
        return sizeof(struct uuid);
    case FIELD_TEXTS:
        return sizeof(char *);
    default:
        return field->shape->size;
    }
}

void
value_uninit(const struct field *field, void *value)
{
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_JSON:
        free(*(char **) value);
        break;
    case FIELD_TEXTS: {
        struct texts *texts = value;
        for (size_t i = 0; i < texts->n; i++) {
            free(texts->items[i]);
        }
        free(texts->items);
        break;
    }
    case FIELD_LIST: {
        struct shapes *list = value;
        for (size_t i = 0; i < list->n; i++) {
            owner_uninit(field->shape, shapes_item_rw(field->shape, list, i));
        }
        free(list->items);
        break;
    }
    case FIELD_INTS:
    case FIELD_ADDRS:
    case FIELD_REFS:
        free(((struct shapes *) value)->items);
        break;
    case FIELD_OBJECT:
        if (*(void **) value) {
            owner_uninit(field->shape, *(void **) value);
            free(*(void **) value);
        }
        break;
    case FIELD_BOOL:
    case FIELD_INT:
    case FIELD_UID:
    case FIELD_REF:
    case FIELD_ADDR:
    case FIELD_PREFIX:
    case FIELD_MAC:
        break;
    }
}

/* All array kinds look the same to a walker: items and their number. */
BUILD_ASSERT_DECL(sizeof(struct texts) == sizeof(struct shapes));
BUILD_ASSERT_DECL(sizeof(struct ints) == sizeof(struct shapes));
BUILD_ASSERT_DECL(sizeof(struct addrs) == sizeof(struct shapes));
BUILD_ASSERT_DECL(sizeof(struct uids) == sizeof(struct shapes));

void
value_own(const struct field *field, void *value)
{
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_JSON: {
        char **textp = value;
        *textp = mem_text(*textp);
        break;
    }
    case FIELD_TEXTS:
    case FIELD_INTS:
    case FIELD_ADDRS:
    case FIELD_REFS:
    case FIELD_LIST: {
        struct shapes *list = value;
        list->items =
            (list->n ? mem_clone(list->items, list->n * value_item_size(field))
                     : NULL);
        for (size_t i = 0; i < list->n; i++) {
            if (field->kind == FIELD_TEXTS) {
                char **items = list->items;
                items[i] = mem_text(items[i]);
            } else if (field->kind == FIELD_LIST) {
                owner_own(field->shape, shapes_item_rw(field->shape, list, i));
            }
        }
        break;
    }
    case FIELD_OBJECT:
        if (*(void **) value) {
            *(void **) value = mem_clone(*(void **) value, field->shape->size);
            owner_own(field->shape, *(void **) value);
        }
        break;
    case FIELD_BOOL:
    case FIELD_INT:
    case FIELD_UID:
    case FIELD_REF:
    case FIELD_ADDR:
    case FIELD_PREFIX:
    case FIELD_MAC:
        break;
    }
}

/* Order. */

static int
compare_ints(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int
compare_texts(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) : compare_ints(a != NULL, b != NULL);
}

static int
compare_item(const struct field *field, const struct shapes *a,
             const struct shapes *b, size_t i)
{
    switch (field->kind) {
    case FIELD_TEXTS:
        return compare_texts(((char **) a->items)[i], ((char **) b->items)[i]);
    case FIELD_INTS:
        return compare_ints(((int64_t *) a->items)[i],
                            ((int64_t *) b->items)[i]);
    case FIELD_ADDRS:
        return memcmp(&((struct in6_addr *) a->items)[i],
                      &((struct in6_addr *) b->items)[i],
                      sizeof(struct in6_addr));
    case FIELD_REFS:
        return uid_compare(&((struct uuid *) a->items)[i],
                           &((struct uuid *) b->items)[i]);
    default:
        return owner_compare(field->shape, shapes_item(field->shape, a, i),
                             shapes_item(field->shape, b, i));
    }
}

static int
compare_lists(const struct field *field, const struct shapes *a,
              const struct shapes *b)
{
    for (size_t i = 0; i < MIN(a->n, b->n); i++) {
        int cmp = compare_item(field, a, b, i);
        if (cmp) {
            return cmp;
        }
    }
    return compare_ints(a->n, b->n);
}

static int
compare_objects(const struct field *field, const void *a, const void *b)
{
    return (a && b ? owner_compare(field->shape, a, b)
                   : compare_ints(a != NULL, b != NULL));
}

int
value_compare(const struct field *field, const void *a, const void *b)
{
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_JSON:
        return compare_texts(*(char *const *) a, *(char *const *) b);
    case FIELD_BOOL:
        return compare_ints(*(const bool *) a, *(const bool *) b);
    case FIELD_INT:
        return compare_ints(*(const int64_t *) a, *(const int64_t *) b);
    case FIELD_UID:
    case FIELD_REF:
        return uid_compare(a, b);
    case FIELD_ADDR:
        return memcmp(a, b, sizeof(struct in6_addr));
    case FIELD_PREFIX: {
        const struct prefix *pa = a;
        const struct prefix *pb = b;
        int cmp = memcmp(&pa->address, &pb->address, sizeof pa->address);
        return cmp ? cmp : compare_ints(pa->plen, pb->plen);
    }
    case FIELD_MAC:
        return memcmp(a, b, sizeof(struct eth_addr));
    case FIELD_TEXTS:
    case FIELD_INTS:
    case FIELD_ADDRS:
    case FIELD_REFS:
    case FIELD_LIST:
        return compare_lists(field, a, b);
    case FIELD_OBJECT:
        return compare_objects(field, *(void *const *) a, *(void *const *) b);
    }
    abort();
}

/* Owners. */

void
owner_uninit(const struct shape *shape, void *owner)
{
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct field *field = &shape->fields[i];
        value_uninit(field, owner_value_rw(owner, field));
    }
}

void
owner_own(const struct shape *shape, void *owner)
{
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct field *field = &shape->fields[i];
        value_own(field, owner_value_rw(owner, field));
    }
}

int
owner_compare(const struct shape *shape, const void *a, const void *b)
{
    const struct fields *fa = owner_fields(a);
    const struct fields *fb = owner_fields(b);

    if (fa->set != fb->set) {
        return fa->set < fb->set ? -1 : 1;
    } else if (fa->null != fb->null) {
        return fa->null < fb->null ? -1 : 1;
    }
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct field *field = &shape->fields[i];
        int cmp =
            value_compare(field, owner_value(a, field), owner_value(b, field));
        if (cmp) {
            return cmp;
        }
    }
    return 0;
}

void
owner_copy_field(const struct shape *shape, void *dst, const void *src,
                 size_t index)
{
    const struct field *field = &shape->fields[index];
    void *value = owner_value_rw(dst, field);

    value_uninit(field, value);
    memcpy(value, owner_value(src, field), value_size(field->kind));
    value_own(field, value);

    struct fields *fields = dst;
    uint64_t bit = UINT64_C(1) << index;
    fields->set = (fields->set & ~bit) | (owner_fields(src)->set & bit);
    fields->null = (fields->null & ~bit) | (owner_fields(src)->null & bit);
}

/* Text for people. */

char *
field_to_text(const struct field *field, const void *owner)
{
    if (!owner_has(owner, field->index)) {
        return NULL;
    }

    const void *value = owner_value(owner, field);
    AUTO_DS ds = DS_EMPTY_INITIALIZER;
    if (field->kind == FIELD_TEXT) {
        return mem_text(*(char *const *) value);
    } else if (field->kind == FIELD_TEXTS) {
        const struct texts *texts = value;
        for (size_t i = 0; i < texts->n; i++) {
            ds_put_format(&ds, "%s%s", i ? "," : "", texts->items[i]);
        }
        return mem_text(ds_cstr(&ds));
    }

    value_put_json(field, value, 0, &ds);
    size_t length = ds.length;
    if (field->kind != FIELD_JSON && length >= 2 && ds.string[0] == '"') {
        return mem_textf("%.*s", (int) length - 2, &ds.string[1]);
    }
    return mem_text(ds_cstr(&ds));
}

/* Filters. */

/* Are two names of a project the same?  Some send them with dashes. */
static bool
loose_equals(const char *a, const char *b)
{
    for (;;) {
        a += strspn(a, "-");
        b += strspn(b, "-");
        if (!*a || !*b) {
            return *a == *b;
        }
        char pair[2][2] = { { *a++ }, { *b++ } };
        if (!text_equals_nocase(pair[0], pair[1])) {
            return false;
        }
    }
}

static bool
text_matches(const struct field *field, const char *value, const char *text)
{
    return field->loose ? loose_equals(value, text) : !strcmp(value, text);
}

static bool
json_matches(const char *value, const char *text)
{
    if (*value != '"') {
        return !strcmp(value, text);
    }

    char *plain;
    bool ok = json_string_unescape(value + 1, strlen(value) - 2, &plain);
    bool equal = ok && !strcmp(plain, text);
    free(plain);
    return equal;
}

static bool
list_matches(const struct field *field, const struct shapes *list,
             const char *text)
{
    struct uuid uid;
    struct in6_addr addr;
    int64_t number;

    switch (field->kind) {
    case FIELD_TEXTS:
        for (size_t i = 0; i < list->n; i++) {
            if (text_matches(field, ((char **) list->items)[i], text)) {
                return true;
            }
        }
        return false;
    case FIELD_INTS:
        for (size_t i = 0;
             text_to_int(text, INT64_MIN, INT64_MAX, &number) && i < list->n;
             i++) {
            if (((int64_t *) list->items)[i] == number) {
                return true;
            }
        }
        return false;
    case FIELD_ADDRS:
        for (size_t i = 0; ipaddr_from_text(text, &addr) && i < list->n; i++) {
            if (!memcmp(&((struct in6_addr *) list->items)[i], &addr,
                        sizeof addr)) {
                return true;
            }
        }
        return false;
    case FIELD_REFS:
        for (size_t i = 0; uid_from_text(text, &uid) && i < list->n; i++) {
            if (uid_equals(&((struct uuid *) list->items)[i], &uid)) {
                return true;
            }
        }
        return false;
    default:
        return false;
    }
}

static bool
value_matches(const struct field *field, const void *value, const char *text)
{
    struct uuid uid;
    struct in6_addr addr;
    struct prefix prefix;
    struct eth_addr mac;
    int64_t number;

    switch (field->kind) {
    case FIELD_TEXT:
        return text_matches(field, *(char *const *) value, text);
    case FIELD_BOOL:
        return text_equals_nocase(*(const bool *) value ? "true" : "false",
                                  text);
    case FIELD_INT:
        return (text_to_int(text, INT64_MIN, INT64_MAX, &number)
                && number == *(const int64_t *) value);
    case FIELD_UID:
    case FIELD_REF:
        return uid_from_text(text, &uid) && uid_equals(value, &uid);
    case FIELD_ADDR:
        return (ipaddr_from_text(text, &addr)
                && !memcmp(value, &addr, sizeof addr));
    case FIELD_PREFIX:
        return (prefix_from_text(text, &prefix)
                && !value_compare(field, value, &prefix));
    case FIELD_MAC:
        return mac_from_text(text, &mac) && !memcmp(value, &mac, sizeof mac);
    case FIELD_JSON:
        return json_matches(*(char *const *) value, text);
    default:
        return list_matches(field, value, text);
    }
}

bool
entity_matches(const struct entity *entity, const struct field *field,
               const char *text)
{
    return (owner_has(entity, field->index)
                ? value_matches(field, owner_value(entity, field), text)
                : !*text);
}
