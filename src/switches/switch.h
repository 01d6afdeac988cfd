/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SWITCHES_SWITCH_H
#define SWITCHES_SWITCH_H 1

/* What the files of this layer share: the set of switches, and what sessions
 * tell it. */

#include "switches/switches.h"

struct database;
struct dial;
struct host;
struct openflow;

struct switches {
    struct loop *loop;
    struct scopes *scopes;
    struct switches_settings settings; /* Owned copies. */
    const struct switches_events *events;
    void *aux;
    bool is_closing; /* Tells the owner nothing any more. */

    struct tls_context *tls;
    struct listener *database_listener;
    struct listener *openflow_listeners[2];
    struct ovs_list dials;

    struct hmap hosts;
    struct ovs_list databases;
    struct ovs_list openflows;

    uint64_t sequence;
    bool is_sequence_open;    /* Deltas of one turn share a number. */
    struct timer *turn_timer; /* Ends that turn; tells what waits. */
    struct ovs_list answers;  /* Views to be answered by that turn. */

    size_t n_dumps;    /* Dumps under way for reconciling. */
    uint64_t *scratch; /* 64 kB, for aligning a message. */
};

/* Has switches_turn() called by a later turn of the loop. */
void switches_later(struct switches *);
/* A number for what is being published. */
void switches_open_sequence(struct switches *);
/* A dump is over: another host may begin. */
void switches_end_dump(struct switches *);

/* The database session is going: its dial may try again later. */
void switches_release_database(struct switches *, struct database *);
/* A session that was probed because another claims its name is alive. */
void switches_database_answered(struct database *);

/* An OpenFlow session knows its datapath: binds it to its host, if any. */
void switches_bind_openflow(struct switches *, struct openflow *);
/* Whether a host that is known, but has no database session or another
 * OpenFlow session now, would take this one. */
bool switches_expects(const struct switches *, const struct openflow *);

/* "tcp:10.0.0.1:6653": where the bridge of a switch finds us, in
 * 'target_or_null' ("tcp:10.0.0.1:6640", a manager target) or at 'address'.
 * Null if the target is not of an active kind.  Caller frees. */
char *switches_controller_target(const struct switches *,
                                 const char *target_or_null,
                                 const char *address, bool is_tls);

/* "tcp:10.0.0.1:6640", "ssl:[::1]:6640": stores the parts; caller frees
 * '*addressp'. */
bool switches_parse_target(const char *, bool *is_tlsp, char **addressp,
                           uint16_t *portp);

/* Answers that are complete and wait for a turn. */
void views_run(struct switches *);
void views_uninit(struct switches *);

#endif /* switches/switch.h */
