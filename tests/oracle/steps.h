/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ORACLE_STEPS_H
#define ORACLE_STEPS_H 1

/* Random steps over a small cloud, in the form that "lab/lab.h" reads:
 * {"put": resource, "body": {...}} or {"delete": resource, "id": "..."}.
 *
 * A step depends on the dice only, not on what is there, so that any part of
 * a history is a history: what makes shrinking sound. */

#include "base/base.h"

#define N_STEP_HOSTS 3

/* Repeatable random numbers. */
struct dice {
    uint64_t seed, n;
};
uint64_t dice_roll(struct dice *);
uint64_t dice_below(struct dice *, uint64_t n);
bool dice_chance(struct dice *, int percent);

const char *step_host_name(size_t index);
/* Caller owns. */
struct json *step_random(struct dice *);

#endif /* oracle/steps.h */
