/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_MODEL_FIXTURE_H
#define UNIT_MODEL_FIXTURE_H 1

/* What tests of schemas share: objects from text, text from objects, and
 * random objects of any schema. */

#include <stdint.h>

#include "model/model.h"

struct random {
    uint64_t state;
};

/* From WEFT_SEED or the clock; printed. */
struct random random_from_environment(void);
uint32_t random_below(struct random *, uint32_t limit);

/* 'text' with each ' become a ", so that JSON is legible in C. */
char *quoted(const char *text);
/* Decodes; the error's text as a test fails, or in '*errorp'. */
struct entity *entity_of(const struct resource *, const char *text);
char *error_of(const struct resource *, const char *text);
char *text_of(const struct entity *, enum entity_flags);

/* A JSON object with random values, mostly valid, for random rows of the
 * shape. */
struct json *random_object(struct random *, const struct shape *);
struct uuid random_uid(struct random *);

/* Decodes random objects of a resource and checks that everything the model
 * does with an entity agrees with itself. */
void check_random_entities(struct random *, const struct resource *, int n);

#endif /* unit/model_fixture.h */
