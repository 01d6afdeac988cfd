/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SWITCHES_SWITCHES_H
#define SWITCHES_SWITCHES_H 1

/* Sessions with switches: OVSDB (RFC 7047) and OpenFlow 1.3 to 1.5.
 *
 *     Open vSwitch ──dials 6640──► database session: finds out who it is,
 *                                  makes or adopts br-int, tunnel ports,
 *                                  provider ports; reports facts
 *     br-int ──dials 6653──► OpenFlow session: bound to the host by its
 *                            datapath id; dumps, compares with the host's
 *                            scopes, sends differences, fenced by barriers
 *
 * One code path serves first contact, reconnect, restart and change: make
 * what the switch has equal to what its scopes say, touching nothing that is
 * equal and nothing that is not ours.  What is ours: flows with COOKIE_TAG,
 * groups with GROUP_TAG, OVSDB rows with external_ids:weft=... or that br-int
 * needs (see docs/features/switches.md).
 *
 * A host is reconciled only after its interfaces are known and reported and
 * the owner has said switches_ready() (the compiler is idle), so that a
 * restart never removes what is about to be wanted.
 *
 * A peer that misbehaves costs itself only: every buffer, queue and time is
 * bounded; the session is closed with a reason that the operator can read. */

#include "base/loop.h"
#include "pipeline/pipeline.h"

struct switches;

/* What a switch says about itself.  Borrowed during the call. */
struct switch_tunnel {
    enum carrier carrier;
    uint32_t ofport;
};
struct switch_physnet {
    const char *name;
    const char *target;  /* Interface, bridge or port it maps to. */
    uint32_t ofport;     /* On br-int; 0: not (yet) usable. */
    const char *problem; /* Why not, or null. */
};
struct switch_config {
    const char *type;   /* "ODL L2". */
    const char *config; /* JSON text. */
};
struct switch_facts {
    struct uuid host;           /* From uid_from_name("host", name). */
    const char *name;           /* external_ids:system-id, else row uuid. */
    const char *const *aliases; /* odl_os_hostconfig_hostid, hostname, name. */
    size_t n_aliases;
    struct in6_addr tunnel_address; /* other_config:local_ip, or zero. */
    const char *ovs_version;
    const char *ovs_uuid;
    const char *datapath_type; /* Of br-int. */
    const char *const *interface_types;
    size_t n_interface_types;
    const struct switch_tunnel *tunnels;
    size_t n_tunnels;
    const struct switch_physnet *physnets;
    size_t n_physnets;
    const struct switch_config *configs;
    size_t n_configs;
};
struct switch_plug {
    struct uuid endpoint; /* external_ids:iface-id; not a UUID: not
                                 * reported. */
    const char *name;     /* Interface name. */
    uint32_t ofport;      /* Always assigned and valid. */
    uint32_t mtu;         /* 0: unknown. */
};

/* All called from the loop, never from within a call of this header. */
struct switches_events {
    /* The host is connected, or what it says of itself changed.  'plugs' is
     * complete: what is not in it is not plugged.  Called before the host is
     * first reconciled. */
    void (*facts)(const struct switch_facts *, const struct switch_plug *,
                  size_t n_plugs, void *aux);
    /* One interface appeared, changed or went: the quick path between two
     * calls of 'facts'. */
    void (*plugged)(const struct uuid *host, const struct switch_plug *,
                    void *aux);
    void (*unplugged)(const struct uuid *host, const struct uuid *endpoint,
                      void *aux);
    /* The host's switch acknowledged everything it was to hold when its
     * scopes were at 'sequence' (see switches_sequence()). */
    void (*acknowledged)(const struct uuid *host, uint64_t sequence,
                         void *aux);
    void (*connected)(const struct uuid *host, bool up, const char *reason,
                      void *aux);
    /* A packet a rule sent to the controller. */
    void (*packet)(const struct uuid *host, uint32_t in_port, uint32_t reason,
                   const void *frame, size_t size, void *aux);
};

struct switches_settings {
    const char *listen_address;     /* "::" and IPv4. */
    uint16_t ovsdb_port;            /* 6640; 0: do not listen. */
    uint16_t openflow_ports[2];     /* 6653, 6633; 0: not. */
    const char *controller_address; /* Advertised; null: derive (manager
                                         * target, else local address of the
                                         * OVSDB session). */
    const char *const *active;      /* "tcp:10.0.0.1:6640", ... to dial. */
    size_t n_active;
    struct tls_files tls; /* All null: no TLS. */
    const char *bridge;   /* "br-int". */
    bool prefer_netdev;   /* When the switch offers it. */
    uint32_t max_sessions;
    uint32_t probe_ms; /* Echo after so long of silence. */
};

struct switches *switches_create(struct loop *, struct scopes *,
                                 const struct switches_settings *,
                                 const struct switches_events *, void *aux);
/* Opens the listeners. */
struct err *switches_start(struct switches *) OVS_WARN_UNUSED_RESULT;
void switches_destroy(struct switches *);
AUTO_DEFINE(switches)
struct err *
switches_reload(struct switches *,
                const struct switches_settings *) OVS_WARN_UNUSED_RESULT;
/* Actual ports when 0 was configured in a test. */
uint16_t switches_ovsdb_port(const struct switches *);
uint16_t switches_openflow_port(const struct switches *);

/* The scopes hold all that follows from facts given so far: hosts that wait
 * may be reconciled.  The owner calls it after each engine run, and after each
 * call of 'facts' even if nothing followed from it. */
void switches_ready(struct switches *);
/* Increases with every publish; what 'acknowledged' refers to. */
uint64_t switches_sequence(const struct switches *);
uint64_t switches_acknowledged(const struct switches *,
                               const struct uuid *host);
bool switches_is_connected(const struct switches *, const struct uuid *host);

/* Sends a frame out of a port of a host, or into its pipeline at CLASSIFY
 * when 'ofport' is OFPP_TABLE. */
void switches_send_packet(struct switches *, const struct uuid *host,
                          uint32_t in_port, uint32_t ofport, const void *frame,
                          size_t size);

/* Views. */

/* [{"host", "id", "address", "connected": {"ovsdb", "openflow"}, "version",
 *   "openflow_version", "since", "bridge", "datapath_id", "lacks": [...],
 *   "last_error", "errors": [...], "pending", "counters": {...}}, ...] */
struct json *switches_status(const struct switches *);
/* Asks every connected switch (or one) for a fresh dump and compares it with
 * what it should have: {"hosts": [{"host", "missing": [...], "stale": [...],
 * "rules", "ok"}]}.  Never changes anything. */
void switches_check(struct switches *, const struct uuid *host_or_null,
                    void (*done)(struct json *, void *aux), void *aux);
/* The flows of ours that a host has, with counters, as text lines. */
void switches_dump(struct switches *, const struct uuid *host,
                   void (*done)(struct json *, void *aux), void *aux);

#endif /* switches/switches.h */
