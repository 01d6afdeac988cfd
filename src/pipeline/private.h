/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_PRIVATE_H
#define PIPELINE_PRIVATE_H 1

/* What the files of this layer share and nobody else sees. */

#include "openvswitch/meta-flow.h"
#include "pipeline/pipeline.h"

/* A row of pipeline.def: bits 'first'...'first' + 'n_bits' - 1 of the
 * OpenFlow register 'reg'. */
struct register_info {
    const char *name;
    const char *meaning;
    uint8_t reg; /* 0 for REG0, and so on. */
    uint8_t first;
    uint8_t n_bits;
};
const struct register_info *register_get(enum register_id);
enum mf_field_id register_field(enum register_id);
uint32_t register_mask(enum register_id); /* Within its field. */
uint32_t register_max(enum register_id);  /* Largest value. */

/* Bit 1u << T_X is set if a packet may go from 'table' to X. */
uint32_t table_next(enum table_id table);

const char *group_use_name(enum group_use);

/* Aborts, after logging what is wrong, if the draft breaks the declarations
 * of pipeline.def or would be refused by a switch as inconsistent. */
void draft_check(const struct draft *);

/* New items with one reference, in no scope.  The draft must be checked. */
struct item *item_from_draft(const struct draft *);
struct item *item_from_group(uint32_t group);
struct item *item_from_carrier(enum carrier);

/* The flow_mod of an ITEM_RULE, decoded.  'ofpacts' must be initialised and
 * stays the caller's; 'match' and '*ofpacts' are filled in. */
void item_rule_decode(const struct item *, struct match *match,
                      struct ofpbuf *ofpacts);

int scope_id_compare(const struct scope_id *, const struct scope_id *);

#endif /* pipeline/private.h */
