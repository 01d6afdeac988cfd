/* SPDX-License-Identifier: Apache-2.0 */
/* Expands SCHEMA_DEF into field tables.  See "model/schema.h".  Included in
 * exactly one .c file per schema, after the structs. */

#define SHAPE(NAME, ...) static const struct field NAME##_fields[] = {
#define SHAPE_END(NAME)                                                       \
    }                                                                         \
    ;                                                                         \
    const struct shape NAME##_shape = { #NAME, sizeof(struct NAME),           \
                                        NAME##_fields, NAME##_n_fields };
#define RESOURCE(NAME, PLURAL, ...)              SHAPE(NAME)
#define RESOURCE_AS(NAME, SINGULAR, PLURAL, ...) SHAPE(NAME)
#define FIELD(OWNER, NAME, KIND, ...)                                         \
    { .name = #NAME,                                                          \
      .kind = FIELD_##KIND,                                                   \
      .offset = offsetof(struct OWNER, NAME),                                 \
      .index = OWNER##_f_##NAME,                                              \
      __VA_ARGS__ },
#define REF(OWNER, NAME, TARGET, ...)                                         \
    { .name = #NAME,                                                          \
      .kind = FIELD_REF,                                                      \
      .offset = offsetof(struct OWNER, NAME),                                 \
      .index = OWNER##_f_##NAME,                                              \
      .target = #TARGET,                                                      \
      __VA_ARGS__ },
#define REFS(OWNER, NAME, TARGET, ...)                                        \
    { .name = #NAME,                                                          \
      .kind = FIELD_REFS,                                                     \
      .offset = offsetof(struct OWNER, NAME),                                 \
      .index = OWNER##_f_##NAME,                                              \
      .target = #TARGET,                                                      \
      __VA_ARGS__ },
#define LIST(OWNER, NAME, SHAPE, ...)                                         \
    { .name = #NAME,                                                          \
      .kind = FIELD_LIST,                                                     \
      .offset = offsetof(struct OWNER, NAME),                                 \
      .index = OWNER##_f_##NAME,                                              \
      .shape = &SHAPE##_shape,                                                \
      __VA_ARGS__ },
#define OBJECT(OWNER, NAME, SHAPE, ...)                                       \
    { .name = #NAME,                                                          \
      .kind = FIELD_OBJECT,                                                   \
      .offset = offsetof(struct OWNER, NAME),                                 \
      .index = OWNER##_f_##NAME,                                              \
      .shape = &SHAPE##_shape,                                                \
      __VA_ARGS__ },
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

/* The second round makes the resources, with the options of the RESOURCE and
 * of the END row. */
#define SHAPE(NAME, ...)
#define SHAPE_END(NAME)
#define FIELD(OWNER, NAME, KIND, ...)
#define REF(OWNER, NAME, TARGET, ...)
#define REFS(OWNER, NAME, TARGET, ...)
#define LIST(OWNER, NAME, SHAPE, ...)
#define OBJECT(OWNER, NAME, SHAPE, ...)
#define RESOURCE(NAME, PLURAL, ...)                                           \
    RESOURCE_AS(NAME, #NAME, PLURAL __VA_OPT__(, ) __VA_ARGS__)
#define RESOURCE_AS(NAME, SINGULAR, PLURAL, ...)                              \
    const struct resource NAME##_resource = {                                 \
        .shape = { SINGULAR, sizeof(struct NAME), NAME##_fields,              \
                   NAME##_n_fields },                                         \
        .plural = PLURAL __VA_OPT__(, ) __VA_ARGS__
#define END(NAME, ...)                                                        \
    __VA_OPT__(, ) __VA_ARGS__                                                \
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
#undef SCHEMA_DEF
