/* SPDX-License-Identifier: Apache-2.0 */

/* From values to JSON text.
 *
 * Answers are written straight into the buffer that is sent: a list of 25 000
 * ports passes through here, and building a tree of JSON values first would
 * cost ten times as much.  Members come in the order of the rows.  There is
 * no white space.
 *
 * The cost is linear in the size of the text. */

#include "model/walk.h"

#include <inttypes.h>

/* Is every byte of 'text' written as itself? */
static bool
is_plain(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = text[i];
        if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static void
put_quoted(const char *text, size_t length, struct ds *ds)
{
    char *p = ds_put_uninit(ds, length + 2);
    p[0] = '"';
    memcpy(p + 1, text, length);
    p[length + 1] = '"';
}

void
put_json_string(const char *text, struct ds *ds)
{
    size_t length = strlen(text);

    if (is_plain(text, length)) {
        put_quoted(text, length, ds);
    } else {
        json_string_escape(text, ds);
    }
}

static void
put_int(int64_t value, struct ds *ds)
{
    char digits[24];
    char *end = digits + sizeof digits;
    char *p = end;
    uint64_t rest = value < 0 ? -(uint64_t) value : (uint64_t) value;

    do {
        *--p = '0' + rest % 10;
        rest /= 10;
    } while (rest);
    if (value < 0) {
        *--p = '-';
    }
    ds_put_buffer(ds, p, end - p);
}

static void
put_uid(const struct uuid *uid, struct ds *ds)
{
    char text[UID_LENGTH + 1];

    uid_to_text(uid, text);
    put_quoted(text, UID_LENGTH, ds);
}

static void
put_addr(const struct in6_addr *addr, struct ds *ds)
{
    char text[INET6_ADDRSTRLEN];

    ipaddr_to_text(addr, text);
    put_quoted(text, strlen(text), ds);
}

static void
put_prefix(const struct field *field, const struct prefix *prefix,
           struct ds *ds)
{
    if (field->bare && prefix->plen == (prefix_is_v4(prefix) ? 32 : 128)) {
        put_addr(&prefix->address, ds);
    } else {
        AUTO_TEXT *text = prefix_to_text(prefix);
        put_quoted(text, strlen(text), ds);
    }
}

static void
put_mac(struct eth_addr mac, struct ds *ds)
{
    char text[MAC_LENGTH + 1];

    mac_to_text(mac, text);
    put_quoted(text, MAC_LENGTH, ds);
}

static void
put_owner(const struct shape *shape, const void *owner,
          enum entity_flags flags, struct ds *ds)
{
    bool first = true;

    ds_put_char(ds, '{');
    owner_put_members(shape, owner, flags, NULL, &first, ds);
    ds_put_char(ds, '}');
}

static void
put_ref(const struct field *field, const struct uuid *uid,
        enum entity_flags flags, struct ds *ds)
{
    if (field->id_member && !(flags & ENTITY_STORED)) {
        ds_put_format(ds, "{\"%s\":", field->id_member);
        put_uid(uid, ds);
        ds_put_char(ds, '}');
    } else {
        put_uid(uid, ds);
    }
}

static void
put_item(const struct field *field, const struct shapes *list, size_t i,
         enum entity_flags flags, struct ds *ds)
{
    switch (field->kind) {
    case FIELD_TEXTS:
        put_json_string(((char **) list->items)[i], ds);
        break;
    case FIELD_INTS:
        put_int(((int64_t *) list->items)[i], ds);
        break;
    case FIELD_ADDRS:
        put_addr(&((struct in6_addr *) list->items)[i], ds);
        break;
    case FIELD_REFS:
        put_ref(field, &((struct uuid *) list->items)[i], flags, ds);
        break;
    default:
        put_owner(field->shape, shapes_item(field->shape, list, i), flags, ds);
        break;
    }
}

static void
put_list(const struct field *field, const struct shapes *list,
         enum entity_flags flags, struct ds *ds)
{
    ds_put_char(ds, '[');
    for (size_t i = 0; i < list->n; i++) {
        if (i) {
            ds_put_char(ds, ',');
        }
        put_item(field, list, i, flags, ds);
    }
    ds_put_char(ds, ']');
}

static void
put_number(const struct field *field, int64_t value, struct ds *ds)
{
    if (field->as_text) {
        ds_put_char(ds, '"');
        put_int(value, ds);
        ds_put_char(ds, '"');
    } else {
        put_int(value, ds);
    }
}

void
value_put_json(const struct field *field, const void *value,
               enum entity_flags flags, struct ds *ds)
{
    switch (field->kind) {
    case FIELD_TEXT: {
        const char *text = *(char *const *) value;
        put_json_string(text ? text : "", ds);
        break;
    }
    case FIELD_JSON: {
        const char *text = *(char *const *) value;
        ds_put_cstr(ds, text ? text : "null");
        break;
    }
    case FIELD_BOOL:
        ds_put_cstr(ds, *(const bool *) value ? "true" : "false");
        break;
    case FIELD_INT:
        put_number(field, *(const int64_t *) value, ds);
        break;
    case FIELD_UID:
    case FIELD_REF:
        put_uid(value, ds);
        break;
    case FIELD_ADDR:
        put_addr(value, ds);
        break;
    case FIELD_PREFIX:
        put_prefix(field, value, ds);
        break;
    case FIELD_MAC:
        put_mac(*(const struct eth_addr *) value, ds);
        break;
    case FIELD_TEXTS:
    case FIELD_INTS:
    case FIELD_ADDRS:
    case FIELD_REFS:
    case FIELD_LIST:
        put_list(field, value, flags, ds);
        break;
    case FIELD_OBJECT:
        if (*(void *const *) value) {
            put_owner(field->shape, *(void *const *) value, flags, ds);
        } else {
            ds_put_cstr(ds, "null");
        }
        break;
    }
}

static bool
is_wanted(const struct field *field, const char *const *only)
{
    const char *name = field_json_name(field);

    for (; only && *only; only++) {
        if (!strcmp(*only, name)
            || (field->alias && !strcmp(*only, field->alias))) {
            return true;
        }
    }
    return !only;
}

/* Is the row's member part of the text at all? */
static bool
is_written(const struct field *field, const void *owner,
           enum entity_flags flags)
{
    if (!owner_is_set(owner, field->index)) {
        return false;
    } else if (flags & ENTITY_STORED) {
        return true;
    }
    return (!(field->secret && flags & ENTITY_ANSWER)
            && (field->answer_null || !owner_is_null(owner, field->index)));
}

/* The members of a JSON object's text, without its braces. */
static void
put_inner(const char *object, bool *firstp, struct ds *ds)
{
    size_t length = strlen(object);

    if (length > 2) {
        ds_put_cstr(ds, *firstp ? "" : ",");
        ds_put_buffer(ds, object + 1, length - 2);
        *firstp = false;
    }
}

void
owner_put_members(const struct shape *shape, const void *owner,
                  enum entity_flags flags, const char *const *only,
                  bool *firstp, struct ds *ds)
{
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct field *field = &shape->fields[i];
        const void *value = owner_value(owner, field);

        if (!is_written(field, owner, flags)) {
            continue;
        } else if (field->rest) {
            put_inner(*(char *const *) value, firstp, ds);
            continue;
        } else if (!is_wanted(field, only)) {
            continue;
        }

        const char *name = field_json_name(field);
        ds_put_cstr(ds, *firstp ? "" : ",");
        *firstp = false;
        put_quoted(name, strlen(name), ds);
        ds_put_char(ds, ':');
        if (owner_is_null(owner, i)) {
            ds_put_cstr(ds, "null");
        } else {
            value_put_json(field, value, flags, ds);
        }
    }
}

/* Appends those members of the entity's extra ones that are wanted. */
static void
put_extra(const struct entity *entity, const char *const *only, bool *firstp,
          struct ds *ds)
{
    if (!entity->extra) {
        return;
    } else if (!only) {
        put_inner(entity->extra, firstp, ds);
        return;
    }

    AUTO(json) *extra = NULL;
    for (; *only; only++) {
        if (shape_find(&entity->resource->shape, *only)) {
            continue;
        }
        extra = extra ? extra : json_from_string(entity->extra);
        const struct json *value = jget(extra, *only);
        if (value) {
            ds_put_cstr(ds, *firstp ? "" : ",");
            *firstp = false;
            put_json_string(*only, ds);
            ds_put_char(ds, ':');
            json_to_ds(value, JSSF_SORT, ds);
        }
    }
}

static bool
wants_id(const char *const *only)
{
    for (; only && *only; only++) {
        if (!strcmp(*only, "id")) {
            return true;
        }
    }
    return !only;
}

void
entity_put_json(const struct entity *entity, enum entity_flags flags,
                const char *const *only, struct ds *ds)
{
    bool first = true;

    ds_put_char(ds, '{');
    if (wants_id(only)) {
        ds_put_cstr(ds, "\"id\":");
        put_uid(&entity->id, ds);
        first = false;
    }
    owner_put_members(&entity->resource->shape, entity, flags, only, &first,
                      ds);
    put_extra(entity, only, &first, ds);
    ds_put_char(ds, '}');
}

struct json *
entity_to_json(const struct entity *entity, enum entity_flags flags)
{
    AUTO_DS ds = DS_EMPTY_INITIALIZER;

    entity_put_json(entity, flags, NULL, &ds);
    return json_from_string(ds_cstr(&ds));
}
