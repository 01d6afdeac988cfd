/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_CLOUD_H
#define SIM_CLOUD_H 1

/* A whole cloud under virtual time: one daemon on a simulated disk, model
 * switches, and a client that remembers what it was promised.
 *
 *     client ──api_handle()──► daemon ◄──channels──► ovs, ovs, ovs
 *                                │
 *                            sim disk
 *
 * What the client may expect of an object is one version if its last write
 * was answered, or one of two if the daemon died with the write under way. */

#include "daemon.h"
#include "ovs.h"
#include "sim.h"

#define N_HOSTS    4
#define N_NETWORKS 6
#define N_PORTS    20
#define N_OBJECTS  (2 * N_NETWORKS + N_PORTS) /* A subnet per network. */

enum object_kind { OBJECT_NETWORK, OBJECT_SUBNET, OBJECT_PORT };

struct object {
    enum object_kind kind;
    unsigned int index;
    char id[UID_LENGTH + 1];
    int version; /* As answered; 0: it is not there. */
    bool busy;   /* A write is under way, to ... */
    int next_version;
    int host; /* Port: where it is bound. */
    int next_host;
    int plugged; /* Port: where it is plugged, or -1. */
};

struct call;
struct cloud {
    struct loop *loop;
    struct sim_disk *disk;
    struct daemon *daemon;
    struct ovs *hosts[N_HOSTS];
    struct object objects[N_OBJECTS];
    struct ovs_list calls; /* struct call: not answered yet. */
    int last_version;
    size_t n_answered, n_refused; /* 2xx, 503. */
    struct err *start_error;      /* Why the daemon did not start. */
};

/* 'seed' also chooses delays of the network.  Nothing runs yet. */
struct cloud *cloud_create(uint64_t seed);
void cloud_destroy(struct cloud *);
AUTO_DEFINE(cloud)

/* The daemon.  cloud_start() returns false and sets 'start_error' if it
 * refuses to. */
bool cloud_start(struct cloud *);
void cloud_stop(struct cloud *);             /* In an orderly way. */
void cloud_crash(struct cloud *, bool torn); /* Power failure. */

struct object *cloud_network(struct cloud *, unsigned int index);
struct object *cloud_subnet(struct cloud *, unsigned int index);
struct object *cloud_port(struct cloud *, unsigned int index);

/* Requests; nothing happens if one for the object is under way. */
void cloud_put(struct cloud *, struct object *);
void cloud_delete(struct cloud *, struct object *);
/* Binds a port to another host. */
void cloud_move(struct cloud *, struct object *, int host);
void cloud_plug(struct cloud *, struct object *, int host);
void cloud_unplug(struct cloud *, struct object *);
/* Sends any request, runs until it is answered, and returns the status and,
 * if 'bodyp' is not null, the body, which the caller frees.  0 if there is no
 * answer in a minute. */
int cloud_request(struct cloud *, const char *method, const char *path,
                  const char *body, char **bodyp);

/* Everything at once, plugged. */
void cloud_fill(struct cloud *);
/* Ends all troubles of the network. */
void cloud_heal(struct cloud *);
/* Runs until nothing changes any more, at most 'max_us'; false if it does
 * not come to that. */
bool cloud_quiesce(struct cloud *, uint64_t max_us);

/* Is everything as it should be?  Fails the test if not. */
void cloud_check(struct cloud *);
/* One host only: its tables are its scopes. */
void cloud_check_host(struct cloud *, int host);
void cloud_check_answered_writes(struct cloud *);

/* Changes made to switches so far. */
struct cloud_work {
    uint64_t flow_mods, group_mods, database_changes, errors;
};
struct cloud_work cloud_work(const struct cloud *);

#endif /* sim/cloud.h */
