/* SPDX-License-Identifier: Apache-2.0 */
/* OpenFlow sessions, versions 1.3 to 1.5.
 *
 *     HELLO ──versions──► FEATURES ──datapath id──► WAITING ──► BOUND
 *
 * The switch dials; each side says hello (OpenFlow 1.3.5, section 6.3.1, with
 * a bitmap of versions), then we ask for the features and with them for the
 * datapath id, by which a host's database names its bridge.  Either session of
 * a switch may come first, so a session that no host knows waits a while.  If
 * the host has a session already, the new one waits as long as the old one
 * lives, because a switch may have several controllers that all are us; the
 * old one is asked for a sign of life.
 *
 * Framing is the length in the 8-byte header.  Each message is copied to
 * aligned memory before anything looks at it.  A session only ends in the
 * callbacks of its channel and of its work timer; everything below returns an
 * error or sets 'doom'. */

#include "switches/openflow.h"

#include <stdio.h>

#include "openflow/nicira-ext.h"
#include "openflow/openflow.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-connection.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/vlog.h"
#include "switches/reconcile.h"

VLOG_DEFINE_THIS_MODULE(openflow);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 60);

enum {
    MAX_MESSAGES_PER_TURN = 256,
    MAX_UNANSWERED = 2,
    MAX_STRANGE = 100,
    MAX_WAIT_S = 60,                /* For a host to claim the datapath. */
    MAX_BACKLOG = 64 * 1024 * 1024, /* Far above what we queue. */
    URGENT_MS = 2000,
    PACKETS_PER_SECOND = 1000,
    PACKET_BURST = 2000,
};

#define OUR_VERSIONS                                                          \
    (1u << OFP13_VERSION | 1u << OFP14_VERSION | 1u << OFP15_VERSION)

static void openflow_readable(struct channel *, void *);
static void openflow_drained(struct channel *, void *);
static void openflow_closed(struct channel *, const char *, void *);
static void openflow_work(void *);
static void openflow_tick(void *);
static struct err *take_message(struct openflow *, const struct ofp_header *);

static const struct channel_events events = {
    .readable = openflow_readable,
    .drained = openflow_drained,
    .closed = openflow_closed,
};

struct openflow *
openflow_create(struct switches *switches, struct channel *channel,
                const char *address)
{
    struct openflow *openflow = NEW(struct openflow);

    openflow->switches = switches;
    openflow->channel = channel;
    openflow->address = mem_text(address);
    openflow->next_xid = 1;
    openflow->packet_tokens = PACKET_BURST;
    openflow->since = loop_wall(switches->loop);
    ovs_list_push_back(&switches->openflows, &openflow->node);
    openflow->probe_timer =
        loop_timer_create(switches->loop, openflow_tick, openflow);
    openflow->work_timer =
        loop_timer_create(switches->loop, openflow_work, openflow);
    loop_timer_set(openflow->probe_timer,
                   UINT64_C(1000) * switches->settings.probe_ms);
    if (channel) {
        channel_limit_backlog(channel, RECONCILE_BACKLOG);
        channel_set_events(channel, &events, openflow);
    }
    openflow_send(openflow, ofputil_encode_hello(OUR_VERSIONS));
    return openflow;
}

void
openflow_close(struct openflow *openflow, const char *reason)
{
    VLOG_INFO_RL(&rl, "%s: OpenFlow session%s%s closed: %s", openflow->address,
                 openflow->host ? " of " : "",
                 openflow->host ? openflow->host->name : "", reason);
    if (openflow->host) {
        host_lose_openflow(openflow->host, reason);
    }
    reconcile_destroy(openflow->reconcile);
    openflow->reconcile = NULL;

    ovs_list_remove(&openflow->node);
    channel_destroy(openflow->channel);
    loop_timer_destroy(openflow->probe_timer);
    loop_timer_destroy(openflow->work_timer);
    free(openflow->address);
    free(openflow->doom);
    free(openflow);
}

void
openflow_doom(struct openflow *openflow, const char *format, ...)
{
    if (openflow->doom) {
        return;
    }

    va_list args;
    va_start(args, format);
    struct ds ds = DS_EMPTY_INITIALIZER;
    ds_put_format_valist(&ds, format, args);
    va_end(args);
    openflow->doom = ds_steal_cstr(&ds);
    loop_timer_set(openflow->work_timer, 0);
}

void
openflow_bind(struct openflow *openflow, struct host *host)
{
    VLOG_INFO("%s: OpenFlow session is that of host %s", openflow->address,
              host->name);
    openflow->state = OPENFLOW_BOUND;
    openflow->host = host;
    host->openflow = openflow;
    openflow->reconcile = reconcile_create(openflow);
}

const char *
openflow_version_name(const struct openflow *openflow)
{
    return (openflow->version ? ofputil_version_to_string(openflow->version)
                              : "");
}

/* Events of the channel and timers. */

static void
run_input(struct openflow *openflow)
{
    size_t size, consumed = 0;
    const uint8_t *bytes = channel_peek(openflow->channel, &size);

    AUTO(err) *err = openflow_input(openflow, bytes, size, &consumed);
    if (!err && !openflow->doom) {
        channel_consume(openflow->channel, consumed);
        if (consumed && consumed < size) {
            loop_timer_set(openflow->work_timer, 0);
        }
        return;
    }

    AUTO_TEXT *reason = err ? err_to_text(err) : mem_text(openflow->doom);
    openflow_close(openflow, reason);
}

static void
openflow_readable(struct channel *channel OVS_UNUSED, void *openflow_)
{
    struct openflow *openflow = openflow_;

    openflow->is_heard = true;
    run_input(openflow);
}

static void
openflow_drained(struct channel *channel OVS_UNUSED, void *openflow_)
{
    struct openflow *openflow = openflow_;

    /* It reads, so it lives. */
    openflow->is_heard = true;
    if (openflow->reconcile) {
        reconcile_run(openflow->reconcile);
    }
}

static void
openflow_closed(struct channel *channel OVS_UNUSED, const char *reason,
                void *openflow)
{
    openflow_close(openflow, reason);
}

static void
openflow_work(void *openflow_)
{
    struct openflow *openflow = openflow_;

    if (openflow->doom) {
        AUTO_TEXT *reason = mem_text(openflow->doom);
        openflow_close(openflow, reason);
    } else if (openflow->channel) {
        run_input(openflow);
    }
}

static void
send_echo(struct openflow *openflow)
{
    openflow_send(openflow, ofputil_encode_echo_request(openflow->version
                                                            ? openflow->version
                                                            : OFP13_VERSION));
    openflow->n_unanswered++;
}

static void
openflow_tick(void *openflow_)
{
    struct openflow *openflow = openflow_;
    uint64_t interval_ms = openflow->switches->settings.probe_ms;

    if (openflow->state != OPENFLOW_BOUND && !openflow->is_urgent
        && !switches_expects(openflow->switches, openflow)
        && loop_wall(openflow->switches->loop)
               > openflow->since + MAX_WAIT_S) {
        openflow_doom(openflow, openflow->state == OPENFLOW_WAITING
                                    ? "no switch database names this datapath"
                                    : "does not complete the handshake");
        return;
    }
    if (openflow->is_heard) {
        openflow->n_unanswered = 0;
        openflow->is_urgent = false;
    } else if (openflow->n_unanswered >= MAX_UNANSWERED
               || openflow->is_urgent) {
        openflow_doom(openflow, "no answer to echo requests");
        return;
    } else {
        send_echo(openflow);
    }
    openflow->is_heard = false;
    loop_timer_set(openflow->probe_timer, 1000 * interval_ms);
}

void
openflow_probe(struct openflow *openflow)
{
    if (!openflow->is_urgent) {
        openflow->is_urgent = true;
        openflow->is_heard = false;
        send_echo(openflow);
        loop_timer_set(openflow->probe_timer, URGENT_MS * UINT64_C(1000));
    }
}

/* Sending. */

uint32_t
openflow_xid(struct openflow *openflow)
{
    uint32_t xid = openflow->next_xid++;

    /* 0 is what a switch uses for what it says by itself. */
    return xid ? xid : openflow->next_xid++;
}

void
openflow_send_xid(struct openflow *openflow, struct ofpbuf *message,
                  uint32_t xid)
{
    struct ofp_header *header = message->data;

    ofpmsg_update_length(message);
    header->xid = htonl(xid);
    if (openflow->channel && !openflow->doom) {
        channel_write(openflow->channel, message->data, message->size);
        if (channel_backlog(openflow->channel) > MAX_BACKLOG) {
            openflow_doom(openflow, "does not read what it is sent");
        }
    }
    ofpbuf_delete(message);
}

uint32_t
openflow_send(struct openflow *openflow, struct ofpbuf *message)
{
    uint32_t xid = openflow_xid(openflow);

    openflow_send_xid(openflow, message, xid);
    return xid;
}

size_t
openflow_backlog(const struct openflow *openflow)
{
    return openflow->channel ? channel_backlog(openflow->channel) : 0;
}

void
openflow_send_packet(struct openflow *openflow, uint32_t in_port,
                     uint32_t ofport, const void *frame, size_t size)
{
    uint64_t stub[64 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    ofp_port_t port;

    if (ofputil_port_from_ofp11(htonl(ofport), &port)) {
        port = (OVS_FORCE ofp_port_t)(ofport & 0xffff);
    }
    ofpact_put_OUTPUT(&ofpacts)->port = port;

    struct ofputil_packet_out po = {
        .packet = frame,
        .packet_len = size,
        .buffer_id = UINT32_MAX,
        .ofpacts = ofpacts.data,
        .ofpacts_len = ofpacts.size,
    };
    match_init_catchall(&po.flow_metadata);
    if (ofputil_port_from_ofp11(htonl(in_port), &port)) {
        port = (OVS_FORCE ofp_port_t)(in_port & 0xffff);
    }
    match_set_in_port(&po.flow_metadata, port ? port : OFPP_CONTROLLER);
    openflow_send(openflow,
                  ofputil_encode_packet_out(&po, openflow->protocol));
    ofpbuf_uninit(&ofpacts);
    if (openflow->host) {
        openflow->host->counters.packet_outs++;
    }
}

/* Framing. */

struct err *
openflow_input(struct openflow *openflow, const void *bytes_, size_t size,
               size_t *consumedp)
{
    const uint8_t *bytes = bytes_;
    struct ofp_header *header = (void *) openflow->switches->scratch;
    size_t n = 0;

    for (int i = 0; i < MAX_MESSAGES_PER_TURN && !openflow->doom; i++) {
        if (size - n < sizeof *header) {
            break;
        }
        memcpy(header, bytes + n, sizeof *header);

        size_t length = ntohs(header->length);
        if (length < sizeof *header
            || (openflow->version && header->version != openflow->version)
            || header->version < OFP10_VERSION
            || header->version > OFP15_VERSION) {
            return err_new(ERR_INVALID, NULL, "this is not OpenFlow");
        }
        if (size - n < length) {
            break;
        }
        memcpy(header, bytes + n, length);
        n += length;

        struct err *err = take_message(openflow, header);
        if (err) {
            return err;
        }
    }
    *consumedp = n;
    return NULL;
}

/* Messages. */

static struct err *
take_hello(struct openflow *openflow, const struct ofp_header *oh)
{
    uint32_t versions;

    if (openflow->state != OPENFLOW_HELLO) {
        return NULL;
    }
    (void) ofputil_decode_hello(oh, &versions); /* Always sets it. */
    versions &= OUR_VERSIONS;
    if (!versions) {
        openflow_send(openflow, ofperr_encode_hello(
                                    OFPERR_OFPHFC_INCOMPATIBLE, OFP13_VERSION,
                                    "OpenFlow 1.3, 1.4 or 1.5 is required"));
        return err_new(ERR_INVALID, NULL,
                       "speaks no OpenFlow version of "
                       "1.3, 1.4 and 1.5; run: ovs-vsctl set bridge %s "
                       "protocols=OpenFlow13,OpenFlow14,OpenFlow15",
                       openflow->switches->settings.bridge);
    }
    openflow->version = (versions & 1u << OFP15_VERSION   ? OFP15_VERSION
                         : versions & 1u << OFP14_VERSION ? OFP14_VERSION
                                                          : OFP13_VERSION);
    openflow->protocol = ofputil_protocol_from_ofp_version(openflow->version);
    openflow->state = OPENFLOW_FEATURES;
    openflow_send(openflow, ofpraw_alloc(OFPRAW_OFPT_FEATURES_REQUEST,
                                         openflow->version, 0));
    return NULL;
}

/* Asks for packets with what the rule adds to them, and for no news that
 * nobody reads. */
static void
configure(struct openflow *openflow)
{
    struct ofputil_switch_config config = {
        .frag = OFPUTIL_FRAG_NORMAL,
        .invalid_ttl_to_controller = -1,
        .miss_send_len = UINT16_MAX,
    };
    struct ofputil_async_cfg async =
        ofputil_async_cfg_default(openflow->version);

    openflow_send(openflow,
                  ofputil_encode_set_config(&config, openflow->version));
    openflow_send(openflow, ofputil_encode_set_packet_in_format(
                                openflow->version, OFPUTIL_PACKET_IN_NXT2));
    async.primary[OAM_PORT_STATUS] = 0;
    async.primary[OAM_FLOW_REMOVED] = 0;
    async.secondary[OAM_PORT_STATUS] = 0;
    openflow_send(openflow,
                  ofputil_encode_set_async_config(
                      &async, 1u << OAM_PORT_STATUS | 1u << OAM_FLOW_REMOVED,
                      openflow->version));
}

static struct err *
take_features(struct openflow *openflow, const struct ofp_header *oh)
{
    struct ofputil_switch_features features;
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));

    if (openflow->state != OPENFLOW_FEATURES) {
        return NULL;
    }
    if (ofputil_pull_switch_features(&b, &features)) {
        return err_new(ERR_INVALID, NULL, "bad features");
    }
    if (features.auxiliary_id) {
        return err_new(ERR_INVALID, NULL,
                       "auxiliary connections are not "
                       "used");
    }
    openflow->datapath_id = features.datapath_id;
    openflow->state = OPENFLOW_WAITING;
    configure(openflow);
    switches_bind_openflow(openflow->switches, openflow);
    return NULL;
}

/* Whether one more packet is within the rate. */
static bool
admit_packet(struct openflow *openflow)
{
    uint64_t now = loop_now(openflow->switches->loop);

    openflow->packet_tokens +=
        ((now - openflow->packet_time) * (PACKETS_PER_SECOND / 1e6));
    openflow->packet_time = now;
    if (openflow->packet_tokens > PACKET_BURST) {
        openflow->packet_tokens = PACKET_BURST;
    }
    if (openflow->packet_tokens < 1) {
        return false;
    }
    openflow->packet_tokens--;
    return true;
}

static void
take_packet_in(struct openflow *openflow, const struct ofp_header *oh)
{
    struct host *host = openflow->host;
    struct ofputil_packet_in pin;
    size_t total_length;
    uint32_t buffer_id;

    if (!host) {
        return;
    }
    host->counters.packet_ins++;
    if (!admit_packet(openflow)) {
        host->counters.packet_ins_dropped++;
        return;
    }

    /* Without a continuation, 'pin' borrows from 'oh'. */
    if (ofputil_decode_packet_in(oh, true, NULL, NULL, &pin, &total_length,
                                 &buffer_id, NULL)) {
        openflow->n_strange++;
        return;
    }

    uint32_t reason = pin.reason;
    if (pin.userdata_len >= sizeof(ovs_be32)) {
        ovs_be32 userdata;
        memcpy(&userdata, pin.userdata, sizeof userdata);
        reason = ntohl(userdata);
    }
    host_packet(host,
                (OVS_FORCE uint32_t) pin.flow_metadata.flow.in_port.ofp_port,
                reason, pin.packet, pin.packet_len);
}

static struct err *
take_error(struct openflow *openflow, const struct ofp_header *oh)
{
    enum ofperr error = ofperr_decode_msg(oh, NULL);

    if (openflow->state < OPENFLOW_WAITING) {
        return err_new(ERR_INVALID, NULL, "refuses the handshake: %s",
                       error ? ofperr_get_name(error) : "unknown error");
    }
    if (openflow->reconcile) {
        reconcile_take_error(openflow->reconcile, ntohl(oh->xid), error);
    }
    return NULL;
}

/* Messages of a bound session that the reconciliation asked for. */
static struct err *
take_reply(struct openflow *openflow, enum ofptype type,
           const struct ofp_header *oh)
{
    if (!openflow->reconcile) {
        return NULL;
    }
    if (type == OFPTYPE_BARRIER_REPLY) {
        reconcile_take_barrier(openflow->reconcile, ntohl(oh->xid));
        return NULL;
    } else if (type == OFPTYPE_FLOW_STATS_REPLY) {
        return reconcile_take_flows(openflow->reconcile, oh);
    } else if (type == OFPTYPE_GROUP_DESC_STATS_REPLY) {
        return reconcile_take_groups(openflow->reconcile, oh);
    }
    return NULL;
}

static struct err *
take_message(struct openflow *openflow, const struct ofp_header *oh)
{
    enum ofptype type;

    if (ofptype_decode(&type, oh)) {
        if (++openflow->n_strange > MAX_STRANGE) {
            return err_new(ERR_INVALID, NULL, "sends what is not OpenFlow");
        }
        return NULL;
    }

    if (type == OFPTYPE_HELLO) {
        return take_hello(openflow, oh);
    } else if (type == OFPTYPE_ECHO_REQUEST) {
        struct ofpbuf *reply = ofputil_encode_echo_reply(oh);
        openflow_send_xid(openflow, reply, ntohl(oh->xid));
        return NULL;
    } else if (type == OFPTYPE_ECHO_REPLY) {
        openflow->n_unanswered = 0;
        return NULL;
    } else if (type == OFPTYPE_ERROR) {
        return take_error(openflow, oh);
    } else if (type == OFPTYPE_FEATURES_REPLY) {
        return take_features(openflow, oh);
    } else if (type == OFPTYPE_PACKET_IN) {
        take_packet_in(openflow, oh);
        return NULL;
    }
    return take_reply(openflow, type, oh);
}
