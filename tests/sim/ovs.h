/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_OVS_H
#define SIM_OVS_H 1

/* The model switch: what a controller sees of one Open vSwitch host.
 *
 *     ovsdb-server ── dials the manager ──► JSON-RPC, RFC 7047
 *          │ Open_vSwitch, Bridge, Port, Interface, Controller, ...
 *     ovs-vswitchd ── dials each Controller ──► OpenFlow 1.3 to 1.5
 *          flow tables, groups
 *
 * It is written on "base/loop.h" only, so it runs on the simulated loop (in
 * one process with the daemon, under virtual time) and on the real one (the
 * benchmark's fleet of hundreds over loopback).  It holds flows and groups as
 * Open vSwitch does but forwards nothing.
 *
 * An idle switch costs about 30 kB.  Not thread-safe. */

#include "base/loop.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"

struct ovs;

struct ovs_settings {
    const char *name;              /* system-id and hostname. */
    const char *local_ip;          /* other_config:local_ip, or null. */
    const char *provider_mappings; /* other_config, or null. */
    const char *manager_address;   /* Null: has no manager. */
    uint16_t manager_port;
    uint8_t openflow_version; /* Highest spoken; 0 means OpenFlow 1.5. */
    uint32_t reconfigure_us;  /* From a change of the database until
                                 * ovs-vswitchd acted on it; 0 means 2 ms. */
    uint32_t backoff_us;      /* Between attempts to connect; 0 means 1 s. */
};

/* Strings are copied. */
struct ovs *ovs_create(struct loop *, const struct ovs_settings *);
void ovs_destroy(struct ovs *);
AUTO_DEFINE(ovs)
const char *ovs_name(const struct ovs *);

/* What happens to a host. */

/* A VM's interface appears on br-int with external_ids:iface-id, or goes.
 * Before there is a br-int, the plug waits for it. */
void ovs_plug(struct ovs *, const char *ifname, const char *iface_id);
void ovs_unplug(struct ovs *, const char *ifname);
/* ovs-vswitchd dies, takes flows and groups with it, and is started again.
 * 'renumber': port numbers change too, as after a reboot. */
void ovs_restart_vswitchd(struct ovs *, bool renumber);
/* The network to the controller goes, and comes back. */
void ovs_disconnect(struct ovs *);
void ovs_reconnect(struct ovs *);
/* Only the OpenFlow connections break, and are dialled again. */
void ovs_break_openflow(struct ovs *);
/* Stops reading everything (a slow reader), or goes on. */
void ovs_stall(struct ovs *, bool stalled);
void ovs_set_local_ip(struct ovs *, const char *);
void ovs_set_provider_mappings(struct ovs *, const char *);
void ovs_set_manager(struct ovs *, const char *address, uint16_t port);
/* The next 'n' flow_mods are answered by OFPFMFC_TABLE_FULL. */
void ovs_refuse_flows(struct ovs *, unsigned int n);
/* Another application's flow on br-int: table 0, a match of its own. */
void ovs_add_foreign_flow(struct ovs *, uint64_t cookie, uint16_t priority);
/* An administrator's mistake: ovs-ofctl del-flows for one cookie. */
void ovs_delete_flow(struct ovs *, uint64_t cookie);
/* A frame that a flow sent to the controller. */
void ovs_packet_in(struct ovs *, uint32_t in_port, uint64_t cookie,
                   const void *userdata, size_t userdata_size,
                   const void *frame, size_t size);
void ovs_on_packet_out(struct ovs *,
                       void (*sent)(struct ovs *, uint32_t in_port,
                                    const struct ofpact *, size_t ofpacts_len,
                                    const void *frame, size_t size, void *aux),
                       void *aux);

/* 'dialing' is called just before the host dials anybody: where a simulation
 * sets the address it comes from. */
void ovs_on_dial(struct ovs *, void (*dialing)(struct ovs *, void *aux),
                 void *aux);

/* For real tools: 'ovs-vsctl --db=tcp:127.0.0.1:PORT', 'ovs-ofctl -O
 * OpenFlow15 ... tcp:127.0.0.1:PORT' (br-int).  Returns the port, or 0. */
uint16_t ovs_listen_database(struct ovs *, uint16_t port);
uint16_t ovs_listen_openflow(struct ovs *, uint16_t port);

/* What a host has. */

struct ovs_flow {
    uint8_t table;
    uint16_t priority;
    uint64_t cookie;
    const struct minimatch *match;
    const struct ofpact *ofpacts;
    size_t ofpacts_len;
};
/* Flows of br-int, in no order. */
void ovs_for_each_flow(const struct ovs *,
                       void (*visit)(const struct ovs_flow *, void *aux),
                       void *aux);
size_t ovs_n_flows(const struct ovs *);
bool ovs_has_flow_cookie(const struct ovs *, uint64_t cookie);

struct ovs_bucket {
    uint32_t group, bucket;
    const struct ofpact *ofpacts;
    size_t ofpacts_len;
};
void ovs_for_each_bucket(const struct ovs *,
                         void (*visit)(const struct ovs_bucket *, void *aux),
                         void *aux);
void ovs_for_each_group(const struct ovs *,
                        void (*visit)(uint32_t group, uint8_t type, void *aux),
                        void *aux);

bool ovs_has_bridge(const struct ovs *); /* br-int. */
/* Names of br-int's interfaces of a type ("vxlan"), of all types if null. */
size_t ovs_n_interfaces(const struct ovs *, const char *type);
/* 0: none of that name, or no number yet. */
uint32_t ovs_ofport(const struct ovs *, const char *ifname);
bool ovs_database_is_connected(const struct ovs *);
bool ovs_openflow_is_connected(const struct ovs *); /* Past the hello. */

struct ovs_counters {
    uint64_t n_flow_mods; /* Received, also within bundles. */
    uint64_t n_group_mods;
    uint64_t n_database_changes; /* The manager's transactions that
                                         * changed something. */
    uint64_t n_database_errors;  /* Transactions refused. */
    uint64_t n_bundles;          /* Committed. */
    uint64_t n_barriers;
    uint64_t n_errors; /* OpenFlow error messages sent. */
    uint64_t n_packet_outs;
    uint64_t n_database_connects, n_openflow_connects;
    uint64_t last_fenced_us; /* loop_now() at the last barrier request that
                                 * had changes of flows before it. */
};
const struct ovs_counters *ovs_counters(const struct ovs *);
/* The last OpenFlow error or database error, for failure messages; or "". */
const char *ovs_last_error(const struct ovs *);

#endif /* tests/sim/ovs.h */
