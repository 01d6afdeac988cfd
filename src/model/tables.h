/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_TABLES_H
#define MODEL_TABLES_H 1

/* What model.c shows to txn.c.  Private to the model layer. */

#include "model/model.h"

/* Numbers in use in one number space. */
struct numbers;

/* All entities of one resource. */
struct table {
    struct hmap_node node; /* In the model, by resource. */
    const struct resource *resource;
    struct hmap entities;    /* struct entity, by id. */
    struct numbers *numbers; /* Shared by the tables of a space. */
};

struct table *model_table(const struct model *, const struct resource *);
struct entity *table_find(const struct table *, const struct uuid *id);

/* Makes 'new_' (takes it over, may be null) what the table has under 'id' and
 * returns what it had, now the caller's. */
struct entity *table_replace(struct table *, const struct uuid *id,
                             struct entity *new_);

/* The lowest number that is free, from 1; no longer free then. */
uint32_t numbers_reserve(struct numbers *);
/* This number if it is free, else the lowest that is. */
uint32_t numbers_claim(struct numbers *, uint32_t);
void numbers_release(struct numbers *, uint32_t);

void model_remember_deleted(struct model *, const struct resource *,
                            const struct uuid *id);
void model_notify(struct model *, const struct change *, size_t n);

#endif /* model/tables.h */
