/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SWITCHES_AUDIT_H
#define SWITCHES_AUDIT_H 1

/* A dump of a switch's flows and groups, compared with what is wanted. */

#include "switches/groups.h"
#include "switches/openflow.h"

/* Calls 'visit' for each item a host wants, from all its scopes, the host's
 * own winning. */
void audit_for_each_wanted(const struct scopes *, const struct uuid *host,
                           void (*visit)(const struct item *, void *aux),
                           void *aux);

struct audit;

/* What to keep of the dump besides what the comparison needs. */
enum audit_purpose {
    AUDIT_REPAIR, /* Messages that remove what is stale. */
    AUDIT_CHECK,  /* Texts of what is stale. */
    AUDIT_LIST,   /* Texts of all; compares nothing. */
};

/* Starts with what is wanted now.  Sends nothing yet. */
struct audit *audit_create(struct openflow *, enum audit_purpose);
void audit_destroy(struct audit *);
/* Asks for the dump. */
void audit_start(struct audit *);

/* What is wanted changes meanwhile: rules only. */
void audit_want(struct audit *, const struct item *);
void audit_unwant(struct audit *, const struct item *);

/* A part of the answer.  Stores in '*donep' whether the dump is complete. */
struct err *audit_take_groups(struct audit *, const struct ofp_header *,
                              bool *donep) OVS_WARN_UNUSED_RESULT;
struct err *audit_take_flows(struct audit *, const struct ofp_header *,
                             bool *donep) OVS_WARN_UNUSED_RESULT;
/* True if 'xid' is that of its request: the switch refused to answer. */
bool audit_owns_xid(const struct audit *, uint32_t xid);

/* Results, when the dump is complete. */

struct outbox;
/* Queues what makes the switch equal to what is wanted; 'groups' are those
 * wanted.  True if the switch had no flow of ours. */
bool audit_repair(struct audit *, struct groups *, struct outbox *);
/* {"ok", "rules", "missing": [...], "stale": [...]} */
struct json *audit_check(struct audit *, const struct groups *);
/* {"flows": [...]} */
struct json *audit_list(struct audit *);

#endif /* switches/audit.h */
