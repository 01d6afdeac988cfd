/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SWITCHES_OPENFLOW_H
#define SWITCHES_OPENFLOW_H 1

/* One OpenFlow session: framing, handshake, liveness, messages in and out.
 * What the switch should hold is in "switches/reconcile.h". */

#include "openvswitch/ofp-protocol.h"
#include "switches/host.h"

/* Each with its exits. */
#define OPENFLOW_STATES                                                       \
    OPENFLOW_STATE(HELLO)    /* Versions not agreed: FEATURES. */             \
    OPENFLOW_STATE(FEATURES) /* Datapath not known: WAITING. */               \
    OPENFLOW_STATE(WAITING)  /* No host has this datapath, or the host has \
                                 * another session: BOUND. */  \
    OPENFLOW_STATE(BOUND)    /* No exit. */
enum openflow_state {
#define OPENFLOW_STATE(ID) OPENFLOW_##ID,
    OPENFLOW_STATES
#undef OPENFLOW_STATE
};

struct reconcile;

struct openflow {
    struct ovs_list node; /* In 'openflows' of 'switches'. */
    struct switches *switches;
    struct channel *channel; /* Null in a test that feeds bytes. */
    struct host *host;       /* OPENFLOW_BOUND. */
    char *address;
    enum openflow_state state;
    uint8_t version; /* OFP13_VERSION...OFP15_VERSION, or 0. */
    enum ofputil_protocol protocol;
    uint64_t datapath_id;
    uint32_t next_xid;
    struct reconcile *reconcile; /* OPENFLOW_BOUND. */

    struct timer *probe_timer;
    struct timer *work_timer; /* Continues input, or carries out 'doom'. */
    bool is_heard;
    unsigned int n_unanswered;
    bool is_urgent;
    unsigned int n_strange; /* Messages that could not be decoded. */
    char *doom;
    double since;

    /* Packets from the switch: a token bucket. */
    uint64_t packet_time; /* Microseconds. */
    double packet_tokens;
};

/* Takes ownership of 'channel', which may be null. */
struct openflow *openflow_create(struct switches *, struct channel *,
                                 const char *address);
void openflow_close(struct openflow *, const char *reason);
void openflow_doom(struct openflow *, const char *format, ...)
    OVS_PRINTF_FORMAT(2, 3);
/* See database_input(). */
struct err *openflow_input(struct openflow *, const void *, size_t,
                           size_t *consumedp) OVS_WARN_UNUSED_RESULT;
/* Gives the session to a host that has none. */
void openflow_bind(struct openflow *, struct host *);
/* Asks for a sign of life within two seconds. */
void openflow_probe(struct openflow *);

/* Sends a message with a new xid, which it returns.  Takes ownership. */
uint32_t openflow_send(struct openflow *, struct ofpbuf *);
/* Likewise, with the xid 'xid' (from openflow_xid()). */
void openflow_send_xid(struct openflow *, struct ofpbuf *, uint32_t xid);
uint32_t openflow_xid(struct openflow *);
size_t openflow_backlog(const struct openflow *);
void openflow_send_packet(struct openflow *, uint32_t in_port, uint32_t ofport,
                          const void *frame, size_t size);
const char *openflow_version_name(const struct openflow *);

#endif /* switches/openflow.h */
