/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_WALK_H
#define MODEL_WALK_H 1

/* Walking the field tables.  Private to the model layer.
 *
 * An 'owner' is any struct that a schema generated: a resource's or a
 * shape's.  It begins with 'struct fields'.  A 'value' is one field of it. */

#include "model/model.h"

static inline const struct fields *
owner_fields(const void *owner)
{
    return owner;
}

static inline bool
owner_is_set(const void *owner, size_t index)
{
    return owner_fields(owner)->set >> index & 1;
}

static inline bool
owner_is_null(const void *owner, size_t index)
{
    return owner_fields(owner)->null >> index & 1;
}

/* Is there a value? */
static inline bool
owner_has(const void *owner, size_t index)
{
    return owner_is_set(owner, index) && !owner_is_null(owner, index);
}

static inline const void *
owner_value(const void *owner, const struct field *field)
{
    return (const char *) owner + field->offset;
}

static inline void *
owner_value_rw(void *owner, const struct field *field)
{
    return (char *) owner + field->offset;
}

static inline const void *
shapes_item(const struct shape *shape, const struct shapes *list, size_t i)
{
    return (const char *) list->items + i * shape->size;
}

static inline void *
shapes_item_rw(const struct shape *shape, struct shapes *list, size_t i)
{
    return (char *) list->items + i * shape->size;
}

/* Values (schema.c). */

size_t value_size(enum field_kind);
/* Of one item of a list. */
size_t value_item_size(const struct field *);
void value_uninit(const struct field *, void *value);
/* 'value' holds the bytes of another: replaces what they point to by
 * copies. */
void value_own(const struct field *, void *value);
int value_compare(const struct field *, const void *a, const void *b);

/* Owners (schema.c). */

void owner_uninit(const struct shape *, void *owner);
void owner_own(const struct shape *, void *owner);
int owner_compare(const struct shape *, const void *a, const void *b);
/* Makes field 'index' of 'dst' what it is in 'src', absent or null too. */
void owner_copy_field(const struct shape *, void *dst, const void *src,
                      size_t index);

/* Reading JSON (decode.c).  These fill in a value or owner of zeros; on error
 * it may be half filled, and is to be destroyed. */

/* 'except', if not null, is a member to pass over.  Members of no row are
 * stored in '*restp' as JSON object text. */
struct err *owner_decode(const struct shape *, const struct json *,
                         enum entity_flags, const char *except, void *owner,
                         char **restp) OVS_WARN_UNUSED_RESULT;
/* Sets '*nullp' if 'json' means that there is no value. */
struct err *value_decode(const struct field *, const struct json *,
                         enum entity_flags, void *value,
                         bool *nullp) OVS_WARN_UNUSED_RESULT;
/* Applies defaults to absent fields, of nested shapes too, and reports
 * required ones that are missing. */
struct err *owner_complete(const struct shape *,
                           void *owner) OVS_WARN_UNUSED_RESULT;

/* Writing JSON (encode.c). */

/* Appends ", " separated members; '*firstp' says whether one came before. */
void owner_put_members(const struct shape *, const void *owner,
                       enum entity_flags, const char *const *only,
                       bool *firstp, struct ds *);
void value_put_json(const struct field *, const void *value, enum entity_flags,
                    struct ds *);
void put_json_string(const char *, struct ds *);

#endif /* model/walk.h */
