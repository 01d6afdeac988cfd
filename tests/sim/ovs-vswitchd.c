/* SPDX-License-Identifier: Apache-2.0 */
/* The model switch's ovs-vswitchd: makes what runs from what the database
 * says.
 *
 * It runs a little after each change of the database that was not its own, as
 * the real one does, and compares rows with what runs: of interfaces that came
 * or went only those, so that a plug costs the same on a host with many; after
 * any other change, all.  It numbers interfaces, makes bridges and their flow
 * tables, and keeps one OpenFlow session per Controller row. */

#include "ovs-private.h"

#include <inttypes.h>
#include <stdio.h>

#define OFPORT_LOCAL 65534

/* Did only this column of a touched row change? */
static bool
only_changed(const struct ovsdb *db, const struct row *row,
             enum ovsdb_column column)
{
    for (size_t c = 0; c < N_OVSDB_COLUMNS; c++) {
        if (column_defs[c].table == row->table && c != column
            && dbrow_get(db, row, c) != dbrow_get_old(db, row, c)
            && !json_equal(dbrow_get(db, row, c), dbrow_get_old(db, row, c))) {
            return false;
        }
    }
    return !row->inserted && !row->deleted;
}

/* The one bridge of which the open transaction changed the ports and nothing
 * else; null if it changed more than interfaces that come or go. */
static const struct row *
changed_bridge(const struct ovs *ovs)
{
    const struct row *bridge = NULL;
    const struct row *row;
    LIST_FOR_EACH (row, touched_node, &ovs->db.touched) {
        bool came_or_went = row->inserted || row->deleted;
        if (row->table == TABLE_Bridge && !bridge
            && only_changed(&ovs->db, row, COLUMN_Bridge_ports)) {
            bridge = row;
        } else if (row->table == TABLE_Open_vSwitch
                       ? !only_changed(&ovs->db, row,
                                       COLUMN_Open_vSwitch_next_cfg)
                       : !came_or_went
                             || (row->table != TABLE_Interface
                                 && row->table != TABLE_Port)) {
            return NULL;
        }
    }
    return bridge;
}

void
vswitchd_note_dirty(struct ovs *ovs)
{
    const struct row *bridge = changed_bridge(ovs);
    const struct row *row;
    if (!bridge) {
        ovs->is_all_dirty = true;
        return;
    }
    LIST_FOR_EACH (row, touched_node, &ovs->db.touched) {
        if (row->table == TABLE_Interface) {
            ARRAY_GROW(ovs->dirty, ovs->n_dirty, ovs->allocated_dirty);
            ovs->dirty[ovs->n_dirty++] =
                (struct dirty_interface){ row->uuid, bridge->uuid };
        }
    }
}

/* Bridges. */

struct bridge *
ovs_bridge_find(const struct ovs *ovs, const char *name)
{
    struct bridge *bridge;
    LIST_FOR_EACH (bridge, list_node, &ovs->bridges) {
        if (!strcmp(bridge->name, name)) {
            return bridge;
        }
    }
    return NULL;
}

struct row *
vswitchd_bridge_row(const struct ovs *ovs, const char *name)
{
    struct row *row;
    for (size_t i = 0;
         (row = dbrow_next_ref(&ovs->db, ovs_root_row(ovs),
                               COLUMN_Open_vSwitch_bridges, &i));) {
        if (!strcmp(dbrow_text(&ovs->db, row, COLUMN_Bridge_name), name)) {
            return row;
        }
    }
    return NULL;
}

static struct eth_addr
mac_from_name(const char *host, const char *name)
{
    uint64_t hash = hash64_text(name, hash64_text(host, 1));
    struct eth_addr mac;
    for (int i = 0; i < 6; i++) {
        mac.ea[i] = hash >> 8 * i;
    }
    mac.ea[0] = (mac.ea[0] & 0xfc) | 2;
    return mac;
}

static struct bridge *
bridge_create(struct ovs *ovs, struct row *row)
{
    struct bridge *bridge = NEW(struct bridge);
    bridge->ovs = ovs;
    bridge->row = row->uuid;
    bridge->name = mem_text(dbrow_text(&ovs->db, row, COLUMN_Bridge_name));
    bridge->next_ofport = 1 + ovs->salt;
    bridge->used_ofports = mem_zalloc(65536 / 8);
    flow_tables_init(&bridge->tables);
    hmap_init(&bridge->ports);
    ovs_list_init(&bridge->sessions);
    ovs_list_push_back(&ovs->bridges, &bridge->list_node);

    const char *given = dbrow_map_text(
        &ovs->db, row, COLUMN_Bridge_other_config, "datapath-id");
    const char *hwaddr =
        dbrow_map_text(&ovs->db, row, COLUMN_Bridge_other_config, "hwaddr");
    struct eth_addr mac = mac_from_name(ovs->name, bridge->name);
    if (hwaddr) {
        mac_from_text(hwaddr, &mac);
    }
    for (int i = 0; i < 6; i++) {
        bridge->datapath_id = bridge->datapath_id << 8 | mac.ea[i];
    }
    if (given) {
        bridge->datapath_id = strtoull(given, NULL, 16);
    }
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, bridge->datapath_id);
    dbrow_set_text(&ovs->db, row, COLUMN_Bridge_datapath_id, text);
    dbrow_set_text(&ovs->db, row, COLUMN_Bridge_datapath_version, "3.1.0");
    return bridge;
}

static void
bridge_port_destroy(struct bridge *bridge, struct bridge_port *port)
{
    hmap_remove(&bridge->ports, &port->node);
    bridge->used_ofports[port->ofport / 8] &= ~(1 << port->ofport % 8);
    free(port->name);
    free(port);
}

static void
bridge_destroy(struct bridge *bridge)
{
    struct openflow_session *session;
    LIST_FOR_EACH_SAFE (session, list_node, &bridge->sessions) {
        openflow_session_destroy(session);
    }
    struct bridge_port *port;
    HMAP_FOR_EACH_SAFE (port, node, &bridge->ports) {
        bridge_port_destroy(bridge, port);
    }
    hmap_destroy(&bridge->ports);
    free(bridge->used_ofports);
    flow_tables_uninit(&bridge->tables);
    ovs_list_remove(&bridge->list_node);
    free(bridge->name);
    free(bridge);
}

void
vswitchd_stop(struct ovs *ovs)
{
    struct bridge *bridge;
    LIST_FOR_EACH_SAFE (bridge, list_node, &ovs->bridges) {
        bridge_destroy(bridge);
    }
}

/* Ports. */

static struct bridge_port *
bridge_port_find(const struct bridge *bridge, const struct uuid *interface)
{
    struct bridge_port *port;
    HMAP_FOR_EACH_WITH_HASH (port, node, uid_hash(interface), &bridge->ports) {
        if (uid_equals(&port->interface, interface)) {
            return port;
        }
    }
    return NULL;
}

static bool
ofport_is_free(const struct bridge *bridge, int64_t n)
{
    return n > 0 && n <= MAX_OFPORT
           && !(bridge->used_ofports[n / 8] & 1 << n % 8);
}

/* As iface_pick_ofport(): the one asked for, else the one it had, else the
 * next. */
static uint32_t
pick_ofport(struct bridge *bridge, const struct row *interface)
{
    const struct ovsdb *db = &bridge->ovs->db;
    int64_t wanted =
        dbrow_int(db, interface, COLUMN_Interface_ofport_request, 0);
    int64_t had = dbrow_int(db, interface, COLUMN_Interface_ofport, 0);
    if (!strcmp(dbrow_text(db, interface, COLUMN_Interface_name),
                bridge->name)) {
        return OFPORT_LOCAL;
    } else if (ofport_is_free(bridge, wanted)) {
        return wanted;
    } else if (ofport_is_free(bridge, had)) {
        return had;
    }
    while (!ofport_is_free(bridge, bridge->next_ofport)) {
        bridge->next_ofport = bridge->next_ofport % (MAX_OFPORT) + 1;
    }
    return bridge->next_ofport;
}

/* Why an interface cannot be opened, or null. */
static const char *
interface_problem(const struct ovs *ovs, const struct row *interface)
{
    const char *type = dbrow_text(&ovs->db, interface, COLUMN_Interface_type);
    const char *name = dbrow_text(&ovs->db, interface, COLUMN_Interface_name);
    AUTO(json) *atom = json_string_create(*type ? type : "system");
    const struct json *types = dbrow_get(&ovs->db, ovs_root_row(ovs),
                                         COLUMN_Open_vSwitch_iface_types);
    if (value_find(types, atom) == SIZE_MAX) {
        return "could not open network device (unknown type)";
    }
    return (text_starts_with(name, "missing")
                ? "could not open network device (No such device)"
                : NULL);
}

static void
interface_fail(struct ovs *ovs, struct row *row, const char *problem)
{
    dbrow_set_int(&ovs->db, row, COLUMN_Interface_ofport, -1);
    dbrow_set_text(&ovs->db, row, COLUMN_Interface_error, problem);
}

static void
interface_open(struct bridge *bridge, struct row *row)
{
    struct ovs *ovs = bridge->ovs;
    struct bridge_port *port = NEW(struct bridge_port);
    port->interface = row->uuid;
    port->name = mem_text(dbrow_text(&ovs->db, row, COLUMN_Interface_name));
    port->mac = mac_from_name(ovs->name, port->name);
    port->ofport = pick_ofport(bridge, row);
    port->marked = true;
    bridge->used_ofports[port->ofport / 8] |= 1 << port->ofport % 8;
    hmap_insert(&bridge->ports, &port->node, uid_hash(&row->uuid));

    char mac[MAC_LENGTH + 1];
    mac_to_text(port->mac, mac);
    dbrow_set_int(&ovs->db, row, COLUMN_Interface_ofport, port->ofport);
    dbrow_set_text(&ovs->db, row, COLUMN_Interface_mac_in_use, mac);
    dbrow_set_text(&ovs->db, row, COLUMN_Interface_admin_state, "up");
    dbrow_set_text(&ovs->db, row, COLUMN_Interface_link_state, "up");
    const char *type = dbrow_text(&ovs->db, row, COLUMN_Interface_type);
    if (!*type || !strcmp(type, "internal")) { /* Tunnels have none. */
        dbrow_set_int(&ovs->db, row, COLUMN_Interface_mtu, 1500);
    }
    openflow_port_status(bridge, port, true);
}

static void
interface_close(struct bridge *bridge, struct bridge_port *port)
{
    openflow_port_status(bridge, port, false);
    bridge_port_destroy(bridge, port);
}

static void
reconfigure_interface(struct bridge *bridge, struct row *row)
{
    struct bridge_port *port = bridge_port_find(bridge, &row->uuid);
    const char *problem = interface_problem(bridge->ovs, row);
    if (problem) {
        interface_fail(bridge->ovs, row, problem);
    } else if (port) {
        port->marked = true;
    } else {
        interface_open(bridge, row);
    }
}

static void
reconfigure_ports(struct bridge *bridge, struct row *row)
{
    const struct ovsdb *db = &bridge->ovs->db;
    struct bridge_port *port;
    HMAP_FOR_EACH (port, node, &bridge->ports) {
        port->marked = false;
    }
    struct row *port_row, *interface;
    for (size_t i = 0;
         (port_row = dbrow_next_ref(db, row, COLUMN_Bridge_ports, &i));) {
        for (size_t j = 0; (interface = dbrow_next_ref(
                                db, port_row, COLUMN_Port_interfaces, &j));) {
            reconfigure_interface(bridge, interface);
        }
    }
    HMAP_FOR_EACH_SAFE (port, node, &bridge->ports) {
        if (!port->marked) {
            interface_close(bridge, port);
        }
    }
}

/* Controllers. */

static bool
bridge_has_controller(const struct bridge *bridge, const struct row *row,
                      const struct openflow_session *session)
{
    const struct ovsdb *db = &bridge->ovs->db;
    struct row *controller;
    for (size_t i = 0; (controller = dbrow_next_ref(
                            db, row, COLUMN_Bridge_controller, &i));) {
        if (uid_equals(&controller->uuid, &session->controller)
            && !strcmp(dbrow_text(db, controller, COLUMN_Controller_target),
                       session->target)) {
            return true;
        }
    }
    return false;
}

static bool
bridge_has_session(const struct bridge *bridge, const struct uuid *controller)
{
    const struct openflow_session *session;
    LIST_FOR_EACH (session, list_node, &bridge->sessions) {
        if (session->target && uid_equals(&session->controller, controller)) {
            return true;
        }
    }
    return false;
}

static void
reconfigure_controllers(struct bridge *bridge, const struct row *row)
{
    const struct ovsdb *db = &bridge->ovs->db;
    struct openflow_session *session;
    LIST_FOR_EACH_SAFE (session, list_node, &bridge->sessions) {
        if (session->target && !bridge_has_controller(bridge, row, session)) {
            openflow_session_destroy(session);
        }
    }
    struct row *controller;
    for (size_t i = 0; (controller = dbrow_next_ref(
                            db, row, COLUMN_Bridge_controller, &i));) {
        if (!bridge_has_session(bridge, &controller->uuid)) {
            openflow_session_create(
                bridge, &controller->uuid,
                dbrow_text(db, controller, COLUMN_Controller_target), NULL);
        }
    }
}

static void
reconfigure_bridges(struct ovs *ovs)
{
    struct bridge *bridge;
    LIST_FOR_EACH_SAFE (bridge, list_node, &ovs->bridges) {
        struct row *row = vswitchd_bridge_row(ovs, bridge->name);
        if (!row || !uid_equals(&row->uuid, &bridge->row)) {
            bridge_destroy(bridge);
        }
    }
    struct row *row;
    for (size_t i = 0;
         (row = dbrow_next_ref(&ovs->db, ovs_root_row(ovs),
                               COLUMN_Open_vSwitch_bridges, &i));) {
        const char *name = dbrow_text(&ovs->db, row, COLUMN_Bridge_name);
        bridge = ovs_bridge_find(ovs, name);
        if (!bridge) {
            bridge = bridge_create(ovs, row);
        }
        reconfigure_ports(bridge, row);
        reconfigure_controllers(bridge, row);
    }
}

static void
reconfigure_dirty(struct ovs *ovs, const struct dirty_interface *dirty)
{
    struct bridge *bridge;
    LIST_FOR_EACH (bridge, list_node, &ovs->bridges) {
        if (uid_equals(&bridge->row, &dirty->bridge)) {
            struct row *row =
                dbrow_find(&ovs->db, TABLE_Interface, &dirty->interface);
            struct bridge_port *port =
                bridge_port_find(bridge, &dirty->interface);
            if (row) {
                reconfigure_interface(bridge, row);
            } else if (port) {
                interface_close(bridge, port);
            }
        }
    }
}

void
vswitchd_reconfigure(void *ovs_)
{
    struct ovs *ovs = ovs_;
    ovs->vswitchd_is_down = false;
    if (ovs->is_all_dirty) {
        reconfigure_bridges(ovs);
    } else {
        for (size_t i = 0; i < ovs->n_dirty; i++) {
            reconfigure_dirty(ovs, &ovs->dirty[i]);
        }
    }
    ovs->is_all_dirty = false;
    ovs->n_dirty = 0;
    struct row *root = ovs_root_row(ovs);
    dbrow_set_int(&ovs->db, root, COLUMN_Open_vSwitch_cur_cfg,
                  dbrow_int(&ovs->db, root, COLUMN_Open_vSwitch_next_cfg, 0));
    ovs_commit_own(ovs, true);
    if (!shash_is_empty(&ovs->waiting) && vswitchd_bridge_row(ovs, "br-int")) {
        ovs_plug_waiting(ovs);
    }
}
