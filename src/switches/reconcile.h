/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SWITCHES_RECONCILE_H
#define SWITCHES_RECONCILE_H 1

/* Makes what one switch has equal to what its scopes say. */

#include "switches/audit.h"
#include "switches/openflow.h"

/* Bytes on the way to a switch above which changes wait. */
enum { RECONCILE_BACKLOG = 4 * 1024 * 1024 };

struct reconcile;

struct reconcile *reconcile_create(struct openflow *);
void reconcile_destroy(struct reconcile *);

/* The scopes are complete: if this waits for that, it goes on. */
void reconcile_ready(struct reconcile *);
/* The owner was told the facts, and is to say that it is ready. */
void reconcile_expect_ready(struct reconcile *);
/* Starts its dump if it waits for its turn and not too many are under way. */
void reconcile_take_turn(struct reconcile *);
bool reconcile_is_waiting(const struct reconcile *);
/* What the host wants changed. */
void reconcile_delta(struct reconcile *, const struct scope_delta *);
/* The switch takes more. */
void reconcile_run(struct reconcile *);

/* True if the switch holds all that is wanted now. */
bool reconcile_is_done(const struct reconcile *);
size_t reconcile_n_pending(const struct reconcile *);
const char *reconcile_state_name(const struct reconcile *);

/* Messages from the switch. */
void reconcile_take_error(struct reconcile *, uint32_t xid, enum ofperr);
void reconcile_take_barrier(struct reconcile *, uint32_t xid);
struct err *reconcile_take_flows(struct reconcile *, const struct ofp_header *)
    OVS_WARN_UNUSED_RESULT;
struct err *
reconcile_take_groups(struct reconcile *,
                      const struct ofp_header *) OVS_WARN_UNUSED_RESULT;

/* A fresh dump for a view: calls 'done' exactly once, from the loop, with the
 * result of audit_check() or audit_list(), or {"error": text}.  'done' takes
 * ownership. */
void reconcile_view(struct reconcile *, enum audit_purpose,
                    void (*done)(struct json *, void *aux), void *aux);

#endif /* switches/reconcile.h */
