/* SPDX-License-Identifier: Apache-2.0 */
/* Expands SCHEMA_DEF into structs.  See "model/schema.h".  No include guard:
 * included once per schema. */

#define SHAPE(NAME, ...)                                                      \
    struct NAME {                                                             \
        struct fields NAME##_fields_at;
#define SHAPE_END(NAME)                                                       \
    }                                                                         \
    ;
#define RESOURCE(NAME, PLURAL, ...)                                           \
    struct NAME {                                                             \
        union {                                                               \
            struct entity entity;                                             \
            struct fields NAME##_fields_at;                                   \
        };
#define RESOURCE_AS(NAME, SINGULAR, PLURAL, ...) RESOURCE(NAME, PLURAL)
#define FIELD(OWNER, NAME, KIND, ...)            FIELD_TYPE_##KIND NAME;
#define REF(OWNER, NAME, TARGET, ...)            struct uuid NAME;
#define REFS(OWNER, NAME, TARGET, ...)           struct uids NAME;
#define LIST(OWNER, NAME, SHAPE, ...)                                         \
    struct {                                                                  \
        struct SHAPE *items;                                                  \
        size_t n;                                                             \
    } NAME;
#define OBJECT(OWNER, NAME, SHAPE, ...) struct SHAPE *NAME;
#define END(NAME, ...)                                                        \
    }                                                                         \
    ;
#include SCHEMA_DEF
#undef SHAPE
#undef SHAPE_END
#undef RESOURCE
#undef RESOURCE_AS
#undef FIELD
#undef REF
#undef REFS
#undef LIST
#undef OBJECT
#undef END

#define SHAPE(NAME, ...) enum {
#define SHAPE_END(NAME)                                                       \
    NAME##_n_fields                                                           \
    }                                                                         \
    ;                                                                         \
    _Static_assert(NAME##_n_fields <= 64, "too many fields");                 \
    extern const struct shape NAME##_shape;
#define RESOURCE(NAME, PLURAL, ...)              enum {
#define RESOURCE_AS(NAME, SINGULAR, PLURAL, ...) RESOURCE(NAME, PLURAL)
#define FIELD(OWNER, NAME, KIND, ...)            OWNER##_f_##NAME,
#define REF(OWNER, NAME, TARGET, ...)            OWNER##_f_##NAME,
#define REFS(OWNER, NAME, TARGET, ...)           OWNER##_f_##NAME,
#define LIST(OWNER, NAME, SHAPE, ...)            OWNER##_f_##NAME,
#define OBJECT(OWNER, NAME, SHAPE, ...)          OWNER##_f_##NAME,
#define END(NAME, ...)                                                        \
    NAME##_n_fields                                                           \
    }                                                                         \
    ;                                                                         \
    _Static_assert(NAME##_n_fields <= 64, "too many fields");                 \
    extern const struct resource NAME##_resource;                             \
    static inline const struct NAME *NAME##_cast(const struct entity *e)      \
    {                                                                         \
        ovs_assert(!e || e->resource == &NAME##_resource);                    \
        return (const struct NAME *) (const void *) e;                        \
    }
#include SCHEMA_DEF
#undef SHAPE
#undef SHAPE_END
#undef RESOURCE
#undef RESOURCE_AS
#undef FIELD
#undef REF
#undef REFS
#undef LIST
#undef OBJECT
#undef END
#undef SCHEMA_DEF
