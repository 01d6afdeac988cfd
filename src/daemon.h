/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_H
#define DAEMON_H 1

/* The daemon: all layers put together on a loop and a configuration.
 *
 *     store ──loads──► model ──changes──► engine ──► scopes ──► switches
 *                        ▲                              fabric ◄──┘
 *       api ──writes─────┘
 *
 * main.c runs it on the real loop; the simulation runs the same on a virtual
 * one.  Members are for reading by views and tests. */

#include "api/api.h"
#include "compile/compile.h"
#include "config.h"
#include "features/features.h"
#include "store/store.h"
#include "switches/switches.h"

struct daemon {
    struct loop *loop;
    struct config *config;
    struct model *model;
    struct store *store;
    struct scopes *scopes;
    struct engine *engine;
    struct fabric *fabric;
    struct switches *switches;
    struct api *api;
    const struct pass **passes; /* Null-terminated. */
    const struct index_def **indexes;

    double started;     /* loop_wall(). */
    bool turn_deferred; /* daemon_turn() is going to be called. */
    bool ready;         /* Serving. */
    bool draining;
};

/* Loads the store and computes all rules; opens no port.  Takes ownership of
 * 'config' if it succeeds.  'store_path' is null for the configured one. */
struct err *daemon_create(struct loop *, struct config *,
                          const char *store_path,
                          struct daemon **) OVS_WARN_UNUSED_RESULT;
/* Makes durable what is asked for and closes the store; the end of all
 * service.  Blocks for one commit at most. */
void daemon_close(struct daemon *);
/* Closes, and frees everything, which takes its time. */
void daemon_destroy(struct daemon *); /* Accepts null. */
AUTO_DEFINE(daemon)

/* Opens the ports: of switches and, where there is a transport, of HTTP.  The
 * error names the option. */
struct err *daemon_listen_switches(struct daemon *) OVS_WARN_UNUSED_RESULT;
struct err *daemon_listen_northbound(struct daemon *) OVS_WARN_UNUSED_RESULT;

/* Applies what of 'config' can change while running, and takes ownership.
 * What needs a restart keeps the value it has. */
struct err *daemon_reload(struct daemon *,
                          struct config *) OVS_WARN_UNUSED_RESULT;

/* Accepts no new requests; daemon_is_idle() tells when the last is done. */
void daemon_drain(struct daemon *);
bool daemon_is_idle(const struct daemon *);

#endif /* daemon.h */
