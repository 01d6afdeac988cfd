/* SPDX-License-Identifier: Apache-2.0 */
/* The model switch: one host.
 *
 *     ovsdb-server  the database and the sessions on it; never restarts
 *     ovs-vswitchd  the bridges, their flow tables and OpenFlow sessions
 *
 * This file makes and ends a host, does to it what happens to hosts, and
 * tells what it has. */

#include "ovs-private.h"

#include "openvswitch/ofp-msgs.h"

static void dial_manager(void *ovs);

void
ovs_note_error(struct ovs *ovs, const char *format, ...)
{
    AUTO_DS text = DS_EMPTY_INITIALIZER;
    va_list args;
    va_start(args, format);
    ds_put_format_valist(&text, format, args);
    va_end(args);
    free(ovs->last_error);
    ovs->last_error = ds_steal_cstr(&text);
}

/* The database. */

const char *
ovs_commit(struct ovs *ovs, bool from_vswitchd, bool *changedp)
{
    const char *error = ovsdb_prepare(&ovs->db);
    if (error) {
        ovsdb_abort(&ovs->db);
        return error;
    }
    bool changed = ovsdb_has_changes(&ovs->db);
    if (changed) {
        jsonrpc_notify(ovs);
        if (!from_vswitchd) {
            vswitchd_note_dirty(ovs);
        }
    }
    ovsdb_finish(&ovs->db);
    if (changed && !from_vswitchd && !ovs->vswitchd_is_down) {
        loop_timer_set(ovs->reconfigure, ovs->reconfigure_us);
    }
    if (changedp) {
        *changedp = changed;
    }
    return NULL;
}

void
ovs_commit_own(struct ovs *ovs, bool from_vswitchd)
{
    const char *error = ovs_commit(ovs, from_vswitchd, NULL);
    ovs_assert(!error);
}

struct row *
ovs_root_row(const struct ovs *ovs)
{
    return dbrow_find(&ovs->db, TABLE_Open_vSwitch, &ovs->root);
}

static void
set_texts(struct ovs *ovs, struct row *row, enum ovsdb_column column,
          const char *list)
{
    AUTO_TEXT *copy = mem_text(list);
    char *cursor = copy;
    for (char *s; (s = text_next(&cursor, " "));) {
        AUTO(json) *atom = json_string_create(s);
        dbrow_set(&ovs->db, row, column,
                  value_with(dbrow_get(&ovs->db, row, column), atom));
    }
}

static void
fill_database(struct ovs *ovs, const struct ovs_settings *settings)
{
    struct ovsdb *db = &ovs->db;
    struct row *root = dbrow_insert(db, TABLE_Open_vSwitch, NULL);
    ovs->root = root->uuid;
    dbrow_set_text(db, root, COLUMN_Open_vSwitch_ovs_version, "3.1.0");
    dbrow_set_text(db, root, COLUMN_Open_vSwitch_db_version, "8.3.1");
    dbrow_set_text(db, root, COLUMN_Open_vSwitch_system_type, "debian");
    dbrow_set_text(db, root, COLUMN_Open_vSwitch_system_version, "12");
    dbrow_set_map(db, root, COLUMN_Open_vSwitch_external_ids, "system-id",
                  ovs->name);
    dbrow_set_map(db, root, COLUMN_Open_vSwitch_external_ids, "hostname",
                  ovs->name);
    set_texts(ovs, root, COLUMN_Open_vSwitch_datapath_types, "netdev system");
    set_texts(ovs, root, COLUMN_Open_vSwitch_iface_types,
              "geneve gre internal patch system tap vxlan");
    if (settings->local_ip) {
        dbrow_set_map(db, root, COLUMN_Open_vSwitch_other_config, "local_ip",
                      settings->local_ip);
    }
    if (settings->provider_mappings) {
        dbrow_set_map(db, root, COLUMN_Open_vSwitch_other_config,
                      "provider_mappings", settings->provider_mappings);
    }
    ovs_commit_own(ovs, true);
}

void
ovs_set_manager(struct ovs *ovs, const char *address, uint16_t port)
{
    struct ovsdb *db = &ovs->db;
    struct row *root = ovs_root_row(ovs);
    free(ovs->manager_address);
    ovs->manager_address = mem_text(address);
    ovs->manager_port = port;

    dbrow_set(db, root, COLUMN_Open_vSwitch_manager_options,
              json_array_create_empty());
    if (address) {
        struct row *manager = dbrow_insert(db, TABLE_Manager, NULL);
        AUTO_TEXT *target = mem_textf(
            strchr(address, ':') ? "tcp:[%s]:%u" : "tcp:%s:%u", address, port);
        dbrow_set_text(db, manager, COLUMN_Manager_target, target);
        dbrow_add_ref(db, root, COLUMN_Open_vSwitch_manager_options, manager);
    }
    ovs_commit_own(ovs, false);
    jsonrpc_session_destroy(ovs->manager);
    loop_timer_set(ovs->retry, 0);
}

static void
dial_manager(void *ovs_)
{
    struct ovs *ovs = ovs_;
    if (!ovs->manager && ovs->manager_address && !ovs->is_cut) {
        ovs->manager = jsonrpc_session_create(ovs, NULL, true);
    }
}

void
ovs_manager_lost(struct ovs *ovs)
{
    loop_timer_set(ovs->retry, ovs->backoff_us);
}

struct channel *
ovs_dial(struct ovs *ovs, const char *address, uint16_t port,
         const struct channel_events *events, void *aux)
{
    if (ovs->dialing) {
        ovs->dialing(ovs, ovs->dialing_aux);
    }
    return channel_dial(ovs->loop, address, port, NULL, events, aux);
}

void
ovs_plug_waiting(struct ovs *ovs)
{
    struct shash waiting;
    struct shash_node *node;
    shash_init(&waiting);
    shash_swap(&waiting, &ovs->waiting);
    SHASH_FOR_EACH (node, &waiting) {
        ovs_plug(ovs, node->name, node->data);
    }
    shash_destroy_free_data(&waiting);
}

/* Lifecycle. */

struct ovs *
ovs_create(struct loop *loop, const struct ovs_settings *settings)
{
    struct ovs *ovs = NEW(struct ovs);
    ovs->loop = loop;
    ovs->name = mem_text(settings->name);
    ovs->openflow_version =
        (settings->openflow_version ? settings->openflow_version
                                    : OFP15_VERSION);
    ovs->reconfigure_us =
        settings->reconfigure_us ? settings->reconfigure_us : 2000;
    ovs->backoff_us = settings->backoff_us ? settings->backoff_us : 1000000;
    ovs_list_init(&ovs->bridges);
    ovs_list_init(&ovs->sessions);
    shash_init(&ovs->waiting);
    shash_init(&ovs->plugs);
    ovs->is_all_dirty = true;
    ovsdb_init(&ovs->db, hash64_text(settings->name, 0));
    ovs->reconfigure = loop_timer_create(loop, vswitchd_reconfigure, ovs);
    ovs->retry = loop_timer_create(loop, dial_manager, ovs);
    fill_database(ovs, settings);
    ovs_set_manager(ovs, settings->manager_address, settings->manager_port);
    return ovs;
}

void
ovs_destroy(struct ovs *ovs)
{
    if (!ovs) {
        return;
    }
    vswitchd_stop(ovs);
    jsonrpc_destroy_all(ovs);
    listener_destroy(ovs->database_listener);
    listener_destroy(ovs->openflow_listener);
    loop_timer_destroy(ovs->reconfigure);
    loop_timer_destroy(ovs->retry);
    ovsdb_uninit(&ovs->db);
    shash_destroy_free_data(&ovs->waiting);
    shash_destroy_free_data(&ovs->plugs);
    free(ovs->dirty);
    free(ovs->manager_address);
    free(ovs->last_error);
    free(ovs->name);
    free(ovs);
}

const char *
ovs_name(const struct ovs *ovs)
{
    return ovs->name;
}

/* What happens to a host. */

/* The port row of br-int with this name, or null. */
static struct row *
port_row_find(const struct ovs *ovs, const char *name)
{
    const struct uuid *plug = shash_find_data(&ovs->plugs, name);
    if (plug) {
        return dbrow_find(&ovs->db, TABLE_Port, plug);
    }
    struct row *bridge = vswitchd_bridge_row(ovs, "br-int");
    struct row *port;
    for (size_t i = 0; bridge
                       && (port = dbrow_next_ref(&ovs->db, bridge,
                                                 COLUMN_Bridge_ports, &i));) {
        if (!strcmp(dbrow_text(&ovs->db, port, COLUMN_Port_name), name)) {
            return port;
        }
    }
    return NULL;
}

void
ovs_plug(struct ovs *ovs, const char *ifname, const char *iface_id)
{
    struct ovsdb *db = &ovs->db;
    struct row *bridge = vswitchd_bridge_row(ovs, "br-int");
    if (!bridge) {
        free(shash_find_and_delete(&ovs->waiting, ifname));
        shash_add(&ovs->waiting, ifname, mem_text(iface_id));
        return;
    } else if (shash_find(&ovs->plugs, ifname)) {
        ovs_unplug(ovs, ifname);
    }
    struct row *interface = dbrow_insert(db, TABLE_Interface, NULL);
    struct row *port = dbrow_insert(db, TABLE_Port, NULL);
    dbrow_set_text(db, interface, COLUMN_Interface_name, ifname);
    dbrow_set_map(db, interface, COLUMN_Interface_external_ids, "iface-id",
                  iface_id);
    dbrow_set_map(db, interface, COLUMN_Interface_external_ids, "iface-status",
                  "active");
    dbrow_set_text(db, port, COLUMN_Port_name, ifname);
    dbrow_add_ref(db, port, COLUMN_Port_interfaces, interface);
    dbrow_add_ref(db, bridge, COLUMN_Bridge_ports, port);
    shash_add(&ovs->plugs, ifname, mem_clone(&port->uuid, sizeof port->uuid));
    ovs_commit_own(ovs, false);
}

void
ovs_unplug(struct ovs *ovs, const char *ifname)
{
    struct row *port = port_row_find(ovs, ifname);
    free(shash_find_and_delete(&ovs->waiting, ifname));
    free(shash_find_and_delete(&ovs->plugs, ifname));
    if (port) {
        dbrow_remove_ref(&ovs->db, vswitchd_bridge_row(ovs, "br-int"),
                         COLUMN_Bridge_ports, port);
        ovs_commit_own(ovs, false);
    }
}

static void
forget_ofports(struct ovs *ovs)
{
    struct row *row;
    HMAP_FOR_EACH (row, node, &ovs->db.rows[TABLE_Interface]) {
        dbrow_set(&ovs->db, row, COLUMN_Interface_ofport,
                  json_array_create_empty());
    }
    ovs->salt += 100;
}

void
ovs_restart_vswitchd(struct ovs *ovs, bool renumber)
{
    vswitchd_stop(ovs);
    struct row *row;
    HMAP_FOR_EACH (row, node, &ovs->db.rows[TABLE_Controller]) {
        dbrow_set_bool(&ovs->db, row, COLUMN_Controller_is_connected, false);
    }
    if (renumber) {
        forget_ofports(ovs);
    }
    ovs_commit_own(ovs, true);
    ovs->vswitchd_is_down = true;
    ovs->is_all_dirty = true;
    loop_timer_set(ovs->reconfigure, 100000);
}

void
ovs_break_openflow(struct ovs *ovs)
{
    struct bridge *bridge;
    LIST_FOR_EACH (bridge, list_node, &ovs->bridges) {
        struct openflow_session *session;
        LIST_FOR_EACH_SAFE (session, list_node, &bridge->sessions) {
            openflow_session_break(session);
        }
    }
}

void
ovs_disconnect(struct ovs *ovs)
{
    ovs->is_cut = true;
    ovs_break_openflow(ovs);
    jsonrpc_session_destroy(ovs->manager);
}

void
ovs_reconnect(struct ovs *ovs)
{
    ovs->is_cut = false;
    loop_timer_set(ovs->retry, 0);
    struct bridge *bridge;
    LIST_FOR_EACH (bridge, list_node, &ovs->bridges) {
        struct openflow_session *session;
        LIST_FOR_EACH (session, list_node, &bridge->sessions) {
            loop_timer_set(session->retry, 0);
        }
    }
}

void
ovs_stall(struct ovs *ovs, bool stalled)
{
    ovs->is_stalled = stalled;
    if (stalled) {
        return;
    }
    struct bridge *bridge;
    LIST_FOR_EACH (bridge, list_node, &ovs->bridges) {
        struct openflow_session *session;
        LIST_FOR_EACH_SAFE (session, list_node, &bridge->sessions) {
            openflow_session_read(session);
        }
    }
    if (ovs->manager) {
        jsonrpc_session_read(ovs->manager);
    }
}

static void
set_other_config(struct ovs *ovs, const char *key, const char *value)
{
    dbrow_set_map(&ovs->db, ovs_root_row(ovs),
                  COLUMN_Open_vSwitch_other_config, key, value);
    ovs_commit_own(ovs, false);
}

void
ovs_set_local_ip(struct ovs *ovs, const char *local_ip)
{
    set_other_config(ovs, "local_ip", local_ip);
}

void
ovs_set_provider_mappings(struct ovs *ovs, const char *mappings)
{
    set_other_config(ovs, "provider_mappings", mappings);
}

void
ovs_refuse_flows(struct ovs *ovs, unsigned int n)
{
    ovs->n_refuse = n;
}

void
ovs_add_foreign_flow(struct ovs *ovs, uint64_t cookie, uint16_t priority)
{
    struct bridge *bridge = ovs_bridge_find(ovs, "br-int");
    struct flow_changes changes = { 0 };
    struct match match;
    if (!bridge) {
        return;
    }
    match_init_catchall(&match);
    match_set_in_port(&match, port_from_int(MAX_OFPORT));
    struct ofputil_flow_mod fm = {
        .priority = priority,
        .new_cookie = to_be64(cookie),
        .command = OFPFC_ADD,
    };
    minimatch_init(&fm.match, &match);
    enum ofperr error = flow_tables_flow_mod(&bridge->tables, &fm, &changes);
    ovs_assert(!error);
    flow_changes_keep(&changes);
    minimatch_destroy(&fm.match);
}

static struct flow_entry *
find_cookie(const struct ovs *ovs, uint64_t cookie)
{
    const struct bridge *bridge = ovs_bridge_find(ovs, "br-int");
    struct flow_entry *flow;
    if (bridge) {
        HMAP_FOR_EACH_WITH_HASH (flow, cookie_node,
                                 (uint32_t) (cookie ^ cookie >> 32),
                                 &bridge->tables.flows_by_cookie) {
            if (flow->cookie == cookie) {
                return flow;
            }
        }
    }
    return NULL;
}

void
ovs_delete_flow(struct ovs *ovs, uint64_t cookie)
{
    struct bridge *bridge = ovs_bridge_find(ovs, "br-int");
    struct flow_entry *flow = find_cookie(ovs, cookie);
    if (flow) {
        struct flow_changes changes = { 0 };
        struct ofputil_flow_mod fm = {
            .priority = flow->priority,
            .table_id = flow->table,
            .command = OFPFC_DELETE_STRICT,
            .out_port = OFPP_ANY,
            .out_group = OFPG_ANY,
        };
        minimatch_clone(&fm.match, &flow->match);
        enum ofperr error =
            flow_tables_flow_mod(&bridge->tables, &fm, &changes);
        ovs_assert(!error);
        flow_changes_keep(&changes);
        minimatch_destroy(&fm.match);
    }
}

void
ovs_on_packet_out(struct ovs *ovs,
                  void (*sent)(struct ovs *, uint32_t in_port,
                               const struct ofpact *, size_t ofpacts_len,
                               const void *frame, size_t size, void *aux),
                  void *aux)
{
    ovs->packet_out = sent;
    ovs->packet_out_aux = aux;
}

void
ovs_on_dial(struct ovs *ovs, void (*dialing)(struct ovs *, void *), void *aux)
{
    ovs->dialing = dialing;
    ovs->dialing_aux = aux;
}

/* For real tools. */

static void
database_accepted(struct channel *channel, void *ovs)
{
    jsonrpc_session_create(ovs, channel, false);
}

static void
openflow_accepted(struct channel *channel, void *ovs)
{
    struct bridge *bridge = ovs_bridge_find(ovs, "br-int");
    if (bridge) {
        openflow_session_create(bridge, NULL, NULL, channel);
    } else {
        channel_destroy(channel);
    }
}

static uint16_t
listen_on(struct ovs *ovs, uint16_t port, struct listener **listenerp,
          void (*accepted)(struct channel *, void *))
{
    AUTO(err) *err = listener_create(ovs->loop, "127.0.0.1", port, NULL,
                                     accepted, ovs, listenerp);
    return err ? 0 : listener_port(*listenerp);
}

uint16_t
ovs_listen_database(struct ovs *ovs, uint16_t port)
{
    return listen_on(ovs, port, &ovs->database_listener, database_accepted);
}

uint16_t
ovs_listen_openflow(struct ovs *ovs, uint16_t port)
{
    return listen_on(ovs, port, &ovs->openflow_listener, openflow_accepted);
}

/* What a host has. */

void
ovs_for_each_flow(const struct ovs *ovs,
                  void (*visit)(const struct ovs_flow *, void *aux), void *aux)
{
    const struct bridge *bridge = ovs_bridge_find(ovs, "br-int");
    const struct flow_entry *flow;
    if (bridge) {
        HMAP_FOR_EACH (flow, node, &bridge->tables.flows) {
            visit(&(struct ovs_flow){ flow->table, flow->priority,
                                      flow->cookie, &flow->match,
                                      flow->ofpacts, flow->ofpacts_len },
                  aux);
        }
    }
}

size_t
ovs_n_flows(const struct ovs *ovs)
{
    const struct bridge *bridge = ovs_bridge_find(ovs, "br-int");
    return bridge ? hmap_count(&bridge->tables.flows) : 0;
}

bool
ovs_has_flow_cookie(const struct ovs *ovs, uint64_t cookie)
{
    return find_cookie(ovs, cookie) != NULL;
}

void
ovs_for_each_group(const struct ovs *ovs,
                   void (*visit)(uint32_t group, uint8_t type, void *aux),
                   void *aux)
{
    const struct bridge *bridge = ovs_bridge_find(ovs, "br-int");
    const struct group_entry *group;
    if (bridge) {
        HMAP_FOR_EACH (group, node, &bridge->tables.groups) {
            visit(group->id, group->type, aux);
        }
    }
}

void
ovs_for_each_bucket(const struct ovs *ovs,
                    void (*visit)(const struct ovs_bucket *, void *aux),
                    void *aux)
{
    const struct bridge *bridge = ovs_bridge_find(ovs, "br-int");
    const struct group_entry *group;
    if (!bridge) {
        return;
    }
    HMAP_FOR_EACH (group, node, &bridge->tables.groups) {
        const struct ofputil_bucket *bucket;
        LIST_FOR_EACH (bucket, list_node, &group->buckets) {
            visit(&(struct ovs_bucket){ group->id, bucket->bucket_id,
                                        bucket->ofpacts, bucket->ofpacts_len },
                  aux);
        }
    }
}

bool
ovs_has_bridge(const struct ovs *ovs)
{
    return vswitchd_bridge_row(ovs, "br-int") != NULL;
}

size_t
ovs_n_interfaces(const struct ovs *ovs, const char *type)
{
    const struct ovsdb *db = &ovs->db;
    struct row *bridge = vswitchd_bridge_row(ovs, "br-int");
    struct row *port, *interface;
    size_t n = 0;
    for (size_t i = 0;
         bridge
         && (port = dbrow_next_ref(db, bridge, COLUMN_Bridge_ports, &i));) {
        for (size_t j = 0; (interface = dbrow_next_ref(
                                db, port, COLUMN_Port_interfaces, &j));) {
            n += !type
                 || !strcmp(dbrow_text(db, interface, COLUMN_Interface_type),
                            type);
        }
    }
    return n;
}

uint32_t
ovs_ofport(const struct ovs *ovs, const char *ifname)
{
    const struct row *port = port_row_find(ovs, ifname);
    size_t i = 0;
    const struct row *interface =
        port ? dbrow_next_ref(&ovs->db, port, COLUMN_Port_interfaces, &i)
             : NULL;
    int64_t n =
        (interface ? dbrow_int(&ovs->db, interface, COLUMN_Interface_ofport, 0)
                   : 0);
    return n > 0 ? n : 0;
}

bool
ovs_database_is_connected(const struct ovs *ovs)
{
    return ovs->manager_is_connected;
}

bool
ovs_openflow_is_connected(const struct ovs *ovs)
{
    const struct bridge *bridge = ovs_bridge_find(ovs, "br-int");
    const struct openflow_session *session;
    if (bridge) {
        LIST_FOR_EACH (session, list_node, &bridge->sessions) {
            if (session->version && session->target) {
                return true;
            }
        }
    }
    return false;
}

const struct ovs_counters *
ovs_counters(const struct ovs *ovs)
{
    return &ovs->counters;
}

const char *
ovs_last_error(const struct ovs *ovs)
{
    return ovs->last_error ? ovs->last_error : "";
}
