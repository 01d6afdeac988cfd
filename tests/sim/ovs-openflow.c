/* SPDX-License-Identifier: Apache-2.0 */
/* The model switch's OpenFlow protocol: one session per Controller row of a
 * bridge, dialled again after it broke, or one that a tool dialled.
 *
 * Messages are handled in the order they come, each to its end, so a barrier
 * is answered at once.  A message is decoded by libopenvswitch; what it
 * refuses is answered by the error it names, as Open vSwitch does.  A bundle
 * is kept as messages and applied as one when it is committed. */

#include "ovs-private.h"

#include "openvswitch/ofp-bundle.h"
#include "openvswitch/ofp-connection.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-print.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-table.h"
#include "openvswitch/ofp-util.h"

void
openflow_session_send(struct openflow_session *session, struct ofpbuf *msg)
{
    ofpmsg_update_length(msg);
    channel_write(session->channel, msg->data, msg->size);
    ofpbuf_delete(msg);
}

static void
send_all(struct openflow_session *session, struct ovs_list *replies)
{
    struct ofpbuf *reply;
    LIST_FOR_EACH_POP (reply, list_node, replies) {
        openflow_session_send(session, reply);
    }
}

static enum ofputil_protocol
protocol(const struct openflow_session *session)
{
    return ofputil_protocol_from_ofp_version(session->version);
}

static void
send_error(struct openflow_session *session, const struct ofp_header *request,
           enum ofperr error)
{
    struct ovs *ovs = session->bridge->ovs;
    AUTO_TEXT *text =
        ofp_to_string(request, ntohs(request->length), NULL, NULL, 2);
    ovs_note_error(ovs, "openflow: %s: %s", ofperr_to_string(error), text);
    ovs->counters.n_errors++;
    openflow_session_send(session, ofperr_encode_reply(error, request));
}

/* Changes. */

static enum ofperr
apply_flow_mod(struct openflow_session *session, const struct ofp_header *oh,
               struct flow_changes *changes)
{
    struct ovs *ovs = session->bridge->ovs;
    struct ofputil_flow_mod fm;
    struct ofpbuf ofpacts;
    ofpbuf_init(&ofpacts, 0);
    enum ofperr error =
        ofputil_decode_flow_mod(&fm, oh, protocol(session), NULL, NULL,
                                &ofpacts, port_from_int(MAX_OFPORT + 1), 254);
    if (!error) {
        ovs->counters.n_flow_mods++;
        if (ovs->n_refuse) {
            ovs->n_refuse--;
            error = OFPERR_OFPFMFC_TABLE_FULL;
        } else {
            error =
                flow_tables_flow_mod(&session->bridge->tables, &fm, changes);
        }
        minimatch_destroy(&fm.match);
    }
    ofpbuf_uninit(&ofpacts);
    return error;
}

static enum ofperr
apply_group_mod(struct openflow_session *session, const struct ofp_header *oh,
                struct flow_changes *changes)
{
    struct ofputil_group_mod gm;
    enum ofperr error = ofputil_decode_group_mod(oh, &gm);
    if (!error) {
        session->bridge->ovs->counters.n_group_mods++;
        error = flow_tables_group_mod(&session->bridge->tables, &gm, changes);
        ofputil_uninit_group_mod(&gm);
    }
    return error;
}

static enum ofperr
apply(struct openflow_session *session, const struct ofp_header *oh,
      enum ofptype type, struct flow_changes *changes)
{
    return (type == OFPTYPE_FLOW_MOD    ? apply_flow_mod(session, oh, changes)
            : type == OFPTYPE_GROUP_MOD ? apply_group_mod(session, oh, changes)
                                        : 0);
}

static enum ofperr
handle_mod(struct openflow_session *session, const struct ofp_header *oh,
           enum ofptype type)
{
    struct flow_changes changes = { 0 };
    enum ofperr error = apply(session, oh, type, &changes);
    if (error) {
        flow_changes_undo(&session->bridge->tables, &changes);
    } else {
        flow_changes_keep(&changes);
        session->has_changes = true;
    }
    return error;
}

/* Bundles (OpenFlow 1.5 section 6.9). */

static struct openflow_bundle *
bundle_find(struct openflow_session *session, uint32_t id)
{
    struct openflow_bundle *bundle;
    LIST_FOR_EACH (bundle, list_node, &session->bundles) {
        if (bundle->id == id) {
            return bundle;
        }
    }
    return NULL;
}

static void
bundle_destroy(struct openflow_bundle *bundle)
{
    for (size_t i = 0; i < bundle->n; i++) {
        free(bundle->messages[i]);
    }
    free(bundle->messages);
    ovs_list_remove(&bundle->list_node);
    free(bundle);
}

static enum ofperr
bundle_add(struct openflow_session *session, const struct ofp_header *oh)
{
    struct ofputil_bundle_add_msg add;
    enum ofptype type;
    enum ofperr error = ofputil_decode_bundle_add(oh, &add, &type);
    if (error) {
        return error;
    }
    struct openflow_bundle *bundle = bundle_find(session, add.bundle_id);
    if (!bundle) { /* Open vSwitch opens one. */
        bundle = NEW(struct openflow_bundle);
        bundle->id = add.bundle_id;
        ovs_list_push_back(&session->bundles, &bundle->list_node);
    } else if (bundle->closed) {
        return OFPERR_OFPBFC_BUNDLE_CLOSED;
    }
    ARRAY_GROW(bundle->messages, bundle->n, bundle->allocated);
    bundle->messages[bundle->n++] = mem_clone(add.msg, ntohs(add.msg->length));
    return 0;
}

/* All of the bundle, or nothing: then the message at fault is answered by its
 * error. */
static enum ofperr
bundle_commit(struct openflow_session *session, struct openflow_bundle *bundle)
{
    struct flow_changes changes = { 0 };
    for (size_t i = 0; i < bundle->n; i++) {
        enum ofptype type;
        enum ofperr error = ofptype_decode(&type, bundle->messages[i]);
        if (!error) {
            error = apply(session, bundle->messages[i], type, &changes);
        }
        if (error) {
            send_error(session, bundle->messages[i], error);
            flow_changes_undo(&session->bridge->tables, &changes);
            return OFPERR_OFPBFC_MSG_FAILED;
        }
    }
    flow_changes_keep(&changes);
    session->has_changes = true;
    session->bridge->ovs->counters.n_bundles++;
    return 0;
}

static enum ofperr
bundle_control(struct openflow_session *session, const struct ofp_header *oh,
               const struct ofputil_bundle_ctrl_msg *ctrl, uint16_t *replyp)
{
    struct openflow_bundle *bundle = bundle_find(session, ctrl->bundle_id);
    enum ofperr error = 0;
    switch (ctrl->type) {
    case OFPBCT_OPEN_REQUEST:
        if (bundle) {
            bundle_destroy(bundle);
            return OFPERR_OFPBFC_BUNDLE_EXIST;
        }
        bundle = NEW(struct openflow_bundle);
        bundle->id = ctrl->bundle_id;
        ovs_list_push_back(&session->bundles, &bundle->list_node);
        *replyp = OFPBCT_OPEN_REPLY;
        return 0;
    case OFPBCT_CLOSE_REQUEST:
        if (!bundle) {
            return OFPERR_OFPBFC_BAD_ID;
        } else if (bundle->closed) {
            return OFPERR_OFPBFC_BUNDLE_CLOSED;
        }
        bundle->closed = true;
        *replyp = OFPBCT_CLOSE_REPLY;
        return 0;
    case OFPBCT_COMMIT_REQUEST:
        if (!bundle) {
            return OFPERR_OFPBFC_BAD_ID;
        }
        error = bundle_commit(session, bundle);
        bundle_destroy(bundle);
        *replyp = OFPBCT_COMMIT_REPLY;
        return error;
    case OFPBCT_DISCARD_REQUEST:
        if (!bundle) {
            return OFPERR_OFPBFC_BAD_ID;
        }
        bundle_destroy(bundle);
        *replyp = OFPBCT_DISCARD_REPLY;
        return 0;
    default:
        return OFPERR_OFPBFC_BAD_TYPE;
    }
}

static enum ofperr
handle_bundle_control(struct openflow_session *session,
                      const struct ofp_header *oh)
{
    struct ofputil_bundle_ctrl_msg ctrl;
    enum ofperr error = ofputil_decode_bundle_ctrl(oh, &ctrl);
    if (!error) {
        struct ofputil_bundle_ctrl_msg reply = { .bundle_id = ctrl.bundle_id,
                                                 .flags = ctrl.flags };
        error = bundle_control(session, oh, &ctrl, &reply.type);
        if (!error) {
            openflow_session_send(
                session, ofputil_encode_bundle_ctrl_reply(oh, &reply));
        }
    }
    return error;
}

/* Questions. */

static void
send_flow_stats(struct openflow_session *session, const struct ofp_header *oh,
                const struct ofputil_flow_stats_request *fsr)
{
    struct ovs_list replies;
    const struct flow_entry *flow;
    ofpmp_init(&replies, oh);
    HMAP_FOR_EACH (flow, node, &session->bridge->tables.flows) {
        uint64_t mask = from_be64(fsr->cookie_mask);
        if ((fsr->table_id != OFPTT_ALL && fsr->table_id != flow->table)
            || ((flow->cookie ^ from_be64(fsr->cookie)) & mask)
            || !flow_entry_is_within(flow, &fsr->match, NULL)) {
            continue;
        }
        struct ofputil_flow_stats fs = {
            .cookie = to_be64(flow->cookie),
            .table_id = flow->table,
            .priority = flow->priority,
            .idle_age = -1,
            .hard_age = -1,
            .ofpacts = flow->ofpacts,
            .ofpacts_len = flow->ofpacts_len,
            .flags = flow->flags,
        };
        minimatch_expand(&flow->match, &fs.match);
        ofputil_append_flow_stats_reply(&fs, &replies, NULL);
    }
    send_all(session, &replies);
}

static enum ofperr
handle_flow_stats(struct openflow_session *session,
                  const struct ofp_header *oh)
{
    struct ofputil_flow_stats_request fsr;
    enum ofperr error =
        ofputil_decode_flow_stats_request(&fsr, oh, NULL, NULL);
    if (error) {
        return error;
    } else if (!fsr.aggregate) {
        send_flow_stats(session, oh, &fsr);
        return 0;
    }
    struct ofputil_aggregate_stats stats = { 0 };
    const struct flow_entry *flow;
    HMAP_FOR_EACH (flow, node, &session->bridge->tables.flows) {
        stats.flow_count += flow_entry_is_within(flow, &fsr.match, NULL);
    }
    openflow_session_send(session,
                          ofputil_encode_aggregate_stats_reply(&stats, oh));
    return 0;
}

static enum ofperr
handle_group_desc(struct openflow_session *session,
                  const struct ofp_header *oh)
{
    uint32_t wanted = ofputil_decode_group_desc_request(oh);
    struct ovs_list replies;
    const struct group_entry *group;
    ofpmp_init(&replies, oh);
    HMAP_FOR_EACH (group, node, &session->bridge->tables.groups) {
        if (wanted == OFPG_ALL || wanted == group->id) {
            struct ofputil_group_desc desc = { .type = group->type,
                                               .group_id = group->id };
            ofputil_append_group_desc_reply(&desc, &group->buckets, &replies);
        }
    }
    send_all(session, &replies);
    return 0;
}

static struct ofputil_phy_port
phy_port(const struct bridge_port *port)
{
    struct ofputil_phy_port pp = {
        .port_no = port_from_int(port->ofport),
        .hw_addr = port->mac,
        .curr = NETDEV_F_10GB_FD,
        .curr_speed = 10000000,
        .max_speed = 10000000,
    };
    snprintf(pp.name, sizeof pp.name, "%.15s", port->name);
    return pp;
}

static enum ofperr
handle_port_desc(struct openflow_session *session, const struct ofp_header *oh)
{
    struct ovs_list replies;
    const struct bridge_port *port;
    ofpmp_init(&replies, oh);
    HMAP_FOR_EACH (port, node, &session->bridge->ports) {
        struct ofputil_phy_port pp = phy_port(port);
        ofputil_append_port_desc_stats_reply(&pp, &replies);
    }
    send_all(session, &replies);
    return 0;
}

static enum ofperr
handle_desc(struct openflow_session *session, const struct ofp_header *oh)
{
    struct ofpbuf *reply = ofpraw_alloc_stats_reply(oh, 0);
    struct ofp_desc_stats *desc = ofpbuf_put_zeros(reply, sizeof *desc);
    snprintf(desc->mfr_desc, sizeof desc->mfr_desc, "Nicira, Inc.");
    snprintf(desc->hw_desc, sizeof desc->hw_desc, "Open vSwitch");
    snprintf(desc->sw_desc, sizeof desc->sw_desc, "3.1.0");
    snprintf(desc->serial_num, sizeof desc->serial_num, "None");
    snprintf(desc->dp_desc, sizeof desc->dp_desc, "%.200s",
             session->bridge->name);
    openflow_session_send(session, reply);
    return 0;
}

/* Says of the first table that it is there, so that tools go on. */
static enum ofperr
handle_table_features(struct openflow_session *session,
                      const struct ofp_header *oh)
{
    const struct ofputil_table_features features = {
        .name = "table0",
        .max_entries = 1000000,
        .supports_eviction = -1,
        .supports_vacancy_events = -1,
    };
    struct ovs_list replies;
    ofpmp_init(&replies, oh);
    ofputil_append_table_features(&features, NULL, &replies);
    send_all(session, &replies);
    return 0;
}

static enum ofperr
handle_features(struct openflow_session *session, const struct ofp_header *oh)
{
    struct ofputil_switch_features features = {
        .datapath_id = session->bridge->datapath_id,
        .n_tables = 254,
        .capabilities = OFPUTIL_C_FLOW_STATS | OFPUTIL_C_TABLE_STATS
                        | OFPUTIL_C_PORT_STATS | OFPUTIL_C_GROUP_STATS
                        | OFPUTIL_C_BUNDLES,
    };
    openflow_session_send(session, ofputil_encode_switch_features(
                                       &features, protocol(session), oh->xid));
    return 0;
}

static enum ofperr
handle_set_config(struct openflow_session *session,
                  const struct ofp_header *oh)
{
    struct ofputil_switch_config config;
    enum ofperr error = ofputil_decode_set_config(oh, &config);
    if (!error) {
        session->config_flags = config.frag;
        session->miss_send_len = config.miss_send_len;
    }
    return error;
}

static enum ofperr
handle_get_config(struct openflow_session *session,
                  const struct ofp_header *oh)
{
    struct ofputil_switch_config config = {
        .frag = session->config_flags,
        .invalid_ttl_to_controller = -1,
        .miss_send_len = session->miss_send_len,
    };
    openflow_session_send(session,
                          ofputil_encode_get_config_reply(oh, &config));
    return 0;
}

static enum ofperr
handle_role(struct openflow_session *session, const struct ofp_header *oh)
{
    struct ofputil_role_request request;
    enum ofperr error = ofputil_decode_role_message(oh, &request);
    if (!error) {
        if (request.role != OFPCR12_ROLE_NOCHANGE) {
            session->role = request.role;
        }
        struct ofputil_role_request reply = { .role = session->role };
        openflow_session_send(session, ofputil_encode_role_reply(oh, &reply));
    }
    return error;
}

static enum ofperr
handle_packet_out(struct openflow_session *session,
                  const struct ofp_header *oh)
{
    struct ovs *ovs = session->bridge->ovs;
    struct ofputil_packet_out po;
    struct ofpbuf ofpacts;
    ofpbuf_init(&ofpacts, 0);
    enum ofperr error = ofputil_decode_packet_out(&po, oh, NULL, &ofpacts);
    if (!error) {
        ovs->counters.n_packet_outs++;
        if (ovs->packet_out) {
            ovs->packet_out(
                ovs, port_to_int(po.flow_metadata.flow.in_port.ofp_port),
                po.ofpacts, po.ofpacts_len, po.packet, po.packet_len,
                ovs->packet_out_aux);
        }
    }
    ofpbuf_uninit(&ofpacts);
    return error;
}

static enum ofperr
handle_barrier(struct openflow_session *session, const struct ofp_header *oh)
{
    struct ovs *ovs = session->bridge->ovs;
    ovs->counters.n_barriers++;
    if (session->has_changes) {
        session->has_changes = false;
        ovs->counters.last_fenced_us = loop_now(ovs->loop);
    }
    openflow_session_send(
        session, ofpraw_alloc_reply(OFPRAW_OFPT11_BARRIER_REPLY, oh, 0));
    return 0;
}

static enum ofperr
handle_message(struct openflow_session *session, const struct ofp_header *oh)
{
    enum ofptype type;
    enum ofperr error = ofptype_decode(&type, oh);
    if (error) {
        return error;
    }
    switch ((int) type) {
    case OFPTYPE_ECHO_REQUEST:
        openflow_session_send(session, ofputil_encode_echo_reply(oh));
        return 0;
    case OFPTYPE_FLOW_MOD:
    case OFPTYPE_GROUP_MOD:
        return handle_mod(session, oh, type);
    case OFPTYPE_BUNDLE_CONTROL:
        return handle_bundle_control(session, oh);
    case OFPTYPE_BUNDLE_ADD_MESSAGE:
        return bundle_add(session, oh);
    case OFPTYPE_BARRIER_REQUEST:
        return handle_barrier(session, oh);
    case OFPTYPE_FLOW_STATS_REQUEST:
    case OFPTYPE_AGGREGATE_STATS_REQUEST:
        return handle_flow_stats(session, oh);
    case OFPTYPE_GROUP_DESC_STATS_REQUEST:
        return handle_group_desc(session, oh);
    case OFPTYPE_PORT_DESC_STATS_REQUEST:
        return handle_port_desc(session, oh);
    case OFPTYPE_DESC_STATS_REQUEST:
        return handle_desc(session, oh);
    case OFPTYPE_TABLE_FEATURES_STATS_REQUEST:
        return handle_table_features(session, oh);
    case OFPTYPE_FEATURES_REQUEST:
        return handle_features(session, oh);
    case OFPTYPE_GET_CONFIG_REQUEST:
        return handle_get_config(session, oh);
    case OFPTYPE_SET_CONFIG:
        return handle_set_config(session, oh);
    case OFPTYPE_ROLE_REQUEST:
        return handle_role(session, oh);
    case OFPTYPE_PACKET_OUT:
        return handle_packet_out(session, oh);
    case OFPTYPE_HELLO:
    case OFPTYPE_ERROR:
    case OFPTYPE_ECHO_REPLY:
    case OFPTYPE_SET_ASYNC_CONFIG:
    case OFPTYPE_SET_PACKET_IN_FORMAT:
    case OFPTYPE_SET_CONTROLLER_ID:
    case OFPTYPE_NXT_TLV_TABLE_MOD:
        return 0;
    default:
        return (ofpmsg_is_stat_request(oh) ? OFPERR_OFPBRC_BAD_STAT
                                           : OFPERR_OFPBRC_BAD_TYPE);
    }
}

/* Events. */

void
openflow_port_status(struct bridge *bridge, const struct bridge_port *port,
                     bool added)
{
    struct ofputil_port_status status = {
        .reason = added ? OFPPR_ADD : OFPPR_DELETE,
        .desc = phy_port(port),
    };
    struct openflow_session *session;
    LIST_FOR_EACH (session, list_node, &bridge->sessions) {
        if (session->version) {
            openflow_session_send(session, ofputil_encode_port_status(
                                               &status, protocol(session)));
        }
    }
}

void
ovs_packet_in(struct ovs *ovs, uint32_t in_port, uint64_t cookie,
              const void *userdata, size_t userdata_size, const void *frame,
              size_t size)
{
    struct bridge *bridge = ovs_bridge_find(ovs, "br-int");
    struct openflow_session *session;
    if (!bridge) {
        return;
    }
    AUTO_TEXT *copy = mem_clone(frame, size);
    AUTO_TEXT *data = mem_clone(userdata, userdata_size);
    struct ofputil_packet_in_private pin = {
        .base = {
            .packet = copy,
            .packet_len = size,
            .reason = OFPR_ACTION,
            .cookie = to_be64(cookie),
            .userdata = (uint8_t *) data,
            .userdata_len = userdata_size,
        },
    };
    match_init_catchall(&pin.base.flow_metadata);
    match_set_in_port(&pin.base.flow_metadata, port_from_int(in_port));
    LIST_FOR_EACH (session, list_node, &bridge->sessions) {
        if (session->version) {
            openflow_session_send(
                session, ofputil_encode_packet_in_private(
                             &pin, protocol(session), OFPUTIL_PACKET_IN_NXT2));
        }
    }
}

/* Sessions. */

static const struct channel_events session_events;

static void
session_dial(void *session_)
{
    struct openflow_session *session = session_;
    struct ovs *ovs = session->bridge->ovs;
    AUTO_TEXT *copy = mem_text(session->target);
    char *host = strchr(copy, ':');
    char *port = strrchr(copy, ':');
    int64_t number;
    if (session->channel || ovs->is_cut || !host || host == port
        || strncmp(copy, "tcp:", 4)
        || !text_to_int(port + 1, 1, 65535, &number)) {
        return;
    }
    *port = '\0';
    host++;
    if (*host == '[') {
        host++;
        port[-1] = '\0';
    }
    session->channel = ovs_dial(ovs, host, number, &session_events, session);
}

static void
set_status(struct openflow_session *session, bool connected)
{
    struct ovs *ovs = session->bridge->ovs;
    struct row *row =
        dbrow_find(&ovs->db, TABLE_Controller, &session->controller);
    if (row) {
        dbrow_set_bool(&ovs->db, row, COLUMN_Controller_is_connected,
                       connected);
        dbrow_set_map(&ovs->db, row, COLUMN_Controller_status, "state",
                      connected ? "ACTIVE" : "BACKOFF");
        (void) ovs_commit(ovs, true, NULL); /* Refers to nothing. */
    }
}

/* Closes the connection; it is dialled again if it is one that we dial. */
void
openflow_session_break(struct openflow_session *session)
{
    struct ovs *ovs = session->bridge->ovs;
    struct openflow_bundle *bundle;
    LIST_FOR_EACH_SAFE (bundle, list_node, &session->bundles) {
        bundle_destroy(bundle);
    }
    channel_destroy(STEAL(session->channel));
    if (session->version && session->target) {
        set_status(session, false);
    }
    session->version = 0;
    session->connected = false;
    if (!session->target) {
        openflow_session_destroy(session);
    } else if (!ovs->is_cut) {
        loop_timer_set(session->retry, ovs->backoff_us);
    }
}

static void
session_connected(struct channel *channel OVS_UNUSED, void *session_)
{
    struct openflow_session *session = session_;
    session->connected = true;
    uint32_t versions = 0;
    for (int v = OFP13_VERSION; v <= session->bridge->ovs->openflow_version;
         v++) {
        versions |= 1u << v;
    }
    openflow_session_send(session, ofputil_encode_hello(versions));
}

static void
session_closed(struct channel *channel OVS_UNUSED,
               const char *reason OVS_UNUSED, void *session)
{
    openflow_session_break(session);
}

/* False if there is no common version. */
static bool
handle_hello(struct openflow_session *session, const struct ofp_header *oh)
{
    struct ovs *ovs = session->bridge->ovs;
    uint32_t theirs;
    enum ofptype type;
    if (ofptype_decode(&type, oh) || type != OFPTYPE_HELLO
        || !ofputil_decode_hello(oh, &theirs)) {
        ovs_note_error(ovs, "openflow: no hello");
        return false;
    }
    for (int v = ovs->openflow_version; v >= OFP13_VERSION; v--) {
        if (theirs & 1u << v) {
            session->version = v;
            ovs->counters.n_openflow_connects++;
            if (session->target) {
                set_status(session, true);
            }
            return true;
        }
    }
    ovs_note_error(ovs, "openflow: no common version");
    return false;
}

/* One message; false if the connection is of no use. */
static bool
session_take(struct openflow_session *session, const uint8_t *data,
             size_t length)
{
    /* A copy, because decoding needs 8-byte alignment. */
    struct ofp_header *oh = mem_clone(data, length);
    bool ok = true;
    if (!session->version) {
        ok = handle_hello(session, oh);
    } else if (oh->version != session->version) {
        send_error(session, oh, OFPERR_OFPBRC_BAD_VERSION);
    } else {
        enum ofperr error = handle_message(session, oh);
        if (error) {
            send_error(session, oh, error);
        }
    }
    free(oh);
    return ok;
}

void
openflow_session_read(struct openflow_session *session)
{
    while (!session->bridge->ovs->is_stalled && session->channel) {
        size_t size;
        const uint8_t *data = channel_peek(session->channel, &size);
        if (size < 8) {
            return;
        }
        size_t length = data[2] << 8 | data[3];
        if (length < 8) {
            openflow_session_break(session);
            return;
        } else if (size < length) {
            return;
        }
        bool ok = session_take(session, data, length);
        channel_consume(session->channel, length);
        if (!ok) {
            openflow_session_break(session);
            return;
        }
    }
}

static void
session_readable(struct channel *channel OVS_UNUSED, void *session)
{
    openflow_session_read(session);
}

static const struct channel_events session_events = {
    .readable = session_readable,
    .connected = session_connected,
    .closed = session_closed,
};

/* 'target' is what a Controller row says, or null for a 'channel' that a tool
 * opened, of which ownership is taken. */
struct openflow_session *
openflow_session_create(struct bridge *bridge, const struct uuid *controller,
                        const char *target, struct channel *channel)
{
    struct openflow_session *session = NEW(struct openflow_session);
    session->bridge = bridge;
    session->target = mem_text(target);
    session->role = OFPCR12_ROLE_EQUAL;
    ovs_list_init(&session->bundles);
    ovs_list_push_back(&bridge->sessions, &session->list_node);
    session->retry =
        loop_timer_create(bridge->ovs->loop, session_dial, session);
    if (channel) {
        session->channel = channel;
        channel_set_events(channel, &session_events, session);
        session_connected(channel, session);
    } else {
        session->controller = *controller;
        session_dial(session);
    }
    return session;
}

void
openflow_session_destroy(struct openflow_session *session)
{
    if (!session) {
        return;
    }
    struct openflow_bundle *bundle;
    LIST_FOR_EACH_SAFE (bundle, list_node, &session->bundles) {
        bundle_destroy(bundle);
    }
    ovs_list_remove(&session->list_node);
    loop_timer_destroy(session->retry);
    channel_destroy(session->channel);
    free(session->target);
    free(session);
}
