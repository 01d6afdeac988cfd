/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SWITCHES_DATABASE_H
#define SWITCHES_DATABASE_H 1

/* One OVSDB session (RFC 7047), whoever dialled. */

#include "switches/replica.h"
#include "switches/host.h"

/* Each with its exits.  LISTING: list_dbs sent.  MONITORING: monitor sent;
 * SCHEMA is next if the switch does not know all that is asked for.  SCHEMA:
 * get_schema sent.  READY: the replica is complete.  FOREIGN: it has no
 * Open_vSwitch database. */
#define DATABASE_STATES                                                       \
    DATABASE_STATE(LISTING)    /* MONITORING, FOREIGN. */                     \
    DATABASE_STATE(MONITORING) /* READY, SCHEMA. */                           \
    DATABASE_STATE(SCHEMA)     /* MONITORING. */                              \
    DATABASE_STATE(READY)      /* None. */                                    \
    DATABASE_STATE(FOREIGN)    /* None. */
enum database_state {
#define DATABASE_STATE(ID) DATABASE_##ID,
    DATABASE_STATES
#undef DATABASE_STATE
};

/* Where one JSON text ends and the next begins. */
struct json_scan {
    int depth;
    bool in_string;
    bool is_escaped;
    size_t size;
    size_t n_values;
};

struct database {
    struct ovs_list node; /* In 'databases' of 'switches'. */
    struct switches *switches;
    struct channel *channel; /* Null in a test that feeds bytes. */
    struct dial *dial;       /* Who dialled, if we did. */
    struct host *host;       /* Null: not claimed. */
    bool is_rival;           /* Waits: its host has another session. */
    char *name;              /* system-id, once known. */
    char *address;           /* Of the peer. */
    char *local_address;
    bool is_tls;

    enum database_state state;
    struct json_parser *parser;
    struct json_scan scan;
    struct replica replica;
    bool is_plain_monitor; /* It does not know "monitor_cond". */
    bool is_schema_known;  /* Asked once. */
    int max_version;       /* OpenFlow 1.x it can be set to. */

    /* The transaction under way. */
    char *transaction; /* Its id, or null. */
    uint64_t n_updates, n_updates_before;
    uint64_t retry_ms;
    uint64_t window_start; /* Of 'n_recent' transactions. */
    uint32_t n_recent;
    uint64_t next_id;

    struct timer *probe_timer;
    struct timer *retry_timer; /* Armed: provision then, not before. */
    struct timer *work_timer;  /* Continues input, or carries out 'doom'. */
    bool is_retry_armed;
    bool is_heard; /* Since the last probe. */
    unsigned int n_unanswered;
    bool is_urgent; /* Probed because of a rival; any sign of
                                 * life counts. */
    char *doom;     /* Why it is to be closed, or null. */
    double since;
};

/* Takes ownership of 'channel', which may be null. */
struct database *database_create(struct switches *, struct channel *,
                                 struct dial *, const char *address);
/* Closes it and tells its host. */
void database_close(struct database *, const char *reason);
/* Has it closed by a later turn. */
void database_doom(struct database *, const char *format, ...)
    OVS_PRINTF_FORMAT(2, 3);

/* Takes bytes from the peer; '*consumedp' of them are used up, all unless
 * there was much to do.  On an error the session has to be closed. */
struct err *database_input(struct database *, const void *, size_t,
                           size_t *consumedp) OVS_WARN_UNUSED_RESULT;

/* Compares what the database should have with what it has and sends what
 * differs, unless a transaction is under way. */
void database_provision(struct database *);
/* Asks for a sign of life within two seconds. */
void database_probe(struct database *);
bool database_is_ready(const struct database *);

#endif /* switches/database.h */
