/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SWITCHES_HOST_H
#define SWITCHES_HOST_H 1

/* A switch with its bridge, known by name.  Stays when its sessions go. */

#include "switches/switch.h"

struct ports_report;

enum { MAX_ERRORS = 16 };

/* What sessions count, kept per host over reconnects, because "nothing was
 * sent" must be provable. */
#define COUNTERS                                                              \
    COUNTER(flow_mods) /* Messages sent, bundled or not. */                   \
    COUNTER(group_mods)                                                       \
    COUNTER(bundles)                                                          \
    COUNTER(barriers)                                                         \
    COUNTER(resyncs) /* Dumps compared with what is wanted. */                \
    COUNTER(refused) /* Changes answered with an error. */                    \
    COUNTER(packet_ins)                                                       \
    COUNTER(packet_ins_dropped) /* Over the rate limit. */                    \
    COUNTER(packet_outs)                                                      \
    COUNTER(transactions) /* Of the database, sent. */                        \
    COUNTER(database_updates)                                                 \
    COUNTER(database_errors)
struct counters {
#define COUNTER(NAME) uint64_t NAME;
    COUNTERS
#undef COUNTER
};

struct host_error {
    double when;
    uint32_t times;
    char *object; /* What it is about, or null. */
    char *text;
};

struct host {
    struct hmap_node node; /* In 'hosts' of 'switches', by 'id'. */
    struct switches *switches;
    struct uuid id;
    char *name;
    char *address;        /* Of the last database session, or null. */
    uint64_t datapath_id; /* Of its bridge, or 0. */

    struct database *database; /* Null: not there. */
    struct openflow *openflow; /* Null: not there. */
    bool connected;            /* As told to the owner. */
    double since;              /* Of 'connected'. */

    struct ports_report *report; /* What was last told, or null. */
    bool is_tell_wanted;         /* Tell everything in a later turn. */
    struct json *lacks;          /* Array of sentences, or null. */
    uint32_t tunnels;            /* Bits of enum carrier that scopes want. */
    bool tunnels_known;
    uint64_t acknowledged; /* Sequence, as told to the owner. */

    struct host_error errors[MAX_ERRORS]; /* Latest first. */
    size_t n_errors;
    struct counters counters;
};

struct host *host_find(const struct switches *, const struct uuid *);
/* Finds or makes. */
struct host *host_get(struct switches *, const char *name);
void host_destroy(struct host *);

/* Notes an error, newest first; repeated ones are counted. */
void host_note_error(struct host *, const char *object, const char *format,
                     ...) OVS_PRINTF_FORMAT(3, 4);

/* What sessions tell the host.  May call the owner. */

/* The database session knows who it is: 'true' if the host is now its own,
 * 'false' if another live session has it (this one waits). */
bool host_claim(struct host *, struct database *);
/* The replica of the host's database changed. */
void host_database_changed(struct host *);
/* The session ends; it is still whole. */
void host_lose_database(struct host *, const char *reason);
void host_lose_openflow(struct host *, const char *reason);
/* The host has a new OpenFlow session. */
void host_openflow_bound(struct host *);
void host_packet(struct host *, uint32_t in_port, uint32_t reason,
                 const void *frame, size_t size);

/* Tells the owner everything again, after which it says when scopes are
 * complete: the way into every comparison. */
void host_request_ready(struct host *);
/* Everything up to 'sequence' is on the switch. */
void host_acknowledge(struct host *, uint64_t sequence);
/* Reads anew what tunnels the scopes want. */
void host_update_tunnels(struct host *);
/* Carries out what waits for a turn of the loop. */
void host_turn(struct host *);

#endif /* switches/host.h */
