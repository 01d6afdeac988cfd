/* SPDX-License-Identifier: Apache-2.0 */
/* What a switch's database should have.
 *
 * Wanted is a function of the settings, of what the operator wrote into the
 * switch's own database, and of the tunnels its scopes ask for:
 *
 *     Bridge br-int       fail_mode secure, not in-band, OpenFlow 1.3 to 1.5
 *       Controller        one per manager that leads to us, marked
 *       weft-vxlan, ...   one flow-based port per encapsulation, marked
 *       wi-X ══ wp-X      patch to bridge X of a provider mapping, marked
 *       eth1              interface of a provider mapping, marked
 *
 * It is compared with the replica, and only rows that differ are written, in
 * one transaction, so that the switch reconfigures once.  Nothing is written
 * when all is equal.  A row is removed only if it carries our mark.
 *
 * A bridge that is there already is adopted: its ports, flows and other
 * controllers stay.  A bridge whose owner restricted 'protocols' keeps that
 * restriction as long as it allows a version we speak.
 *
 * Facts about Open vSwitch used here: port names are unique in a switch (the
 * schema has an index); two tunnel ports of the same kind and options are
 * refused; datapath_types stays empty until ovs-vswitchd has run. */

#include "switches/provision.h"

#include <stdio.h>

#include "switches/layout.h"

struct plan {
    const struct database *database;
    const struct replica *replica;
    const struct switches_settings *settings;
    const struct row *root;   /* Of table Open_vSwitch. */
    const struct row *bridge; /* Or null. */
    struct json *operations;
    struct json *lacks;
    struct ds comment;
    unsigned int n_names; /* Of new rows. */
};

static void plan_bridge(struct plan *);
static void plan_new_bridge(struct plan *);
static void plan_controllers(struct plan *, struct json *into);
static void plan_tunnels(struct plan *);
static void plan_physnets(struct plan *);

struct json *
provision_operations(const struct database *database, struct json *lacks)
{
    const struct replica *replica = &database->replica;
    struct plan plan = {
        .database = database,
        .replica = replica,
        .settings = &database->switches->settings,
        .root = replica_root(replica),
        .operations = json_array_create_1(json_string_create("Open_vSwitch")),
        .lacks = lacks,
        .comment = DS_EMPTY_INITIALIZER,
    };

    plan.bridge =
        replica_find_name(replica, C_BRIDGE_NAME, plan.settings->bridge);
    if (!plan.root) {
        json_array_add(
            lacks, json_string_create(
                       "no row in table Open_vSwitch; run: ovs-vsctl init"));
    } else if (plan.bridge) {
        plan_bridge(&plan);
        plan_tunnels(&plan);
        plan_physnets(&plan);
    } else {
        plan_new_bridge(&plan);
    }

    if (json_array(plan.operations)->n > 1) {
        struct json *operation = json_object_create();
        json_object_put_string(operation, "op", "comment");
        json_object_put_format(operation, "comment", "weft:%s",
                               ds_cstr(&plan.comment));
        json_array_add(plan.operations, operation);
    } else {
        json_destroy(plan.operations);
        plan.operations = NULL;
    }
    ds_destroy(&plan.comment);
    return plan.operations;
}

/* JSON of RFC 7047, section 5.1. */

static struct json *
pair_json(const char *kind, struct json *value)
{
    return json_array_create_2(json_string_create(kind), value);
}

static struct json *
uuid_json(const struct uuid *id)
{
    char text[UID_LENGTH + 1];

    uid_to_text(id, text);
    return pair_json("uuid", json_string_create(text));
}

static struct json *
text_pair_json(const char *key, const char *value)
{
    return json_array_create_2(json_string_create(key),
                               json_string_create(value));
}

/* A map of 'n' pairs: key, value, key, value. */
static struct json *
map_json(const char *const *pairs, size_t n)
{
    struct json *array = json_array_create_empty();

    for (size_t i = 0; i < n; i++) {
        json_array_add(array, text_pair_json(pairs[2 * i], pairs[2 * i + 1]));
    }
    return pair_json("map", array);
}

static struct json *
mark_json(const char *mark)
{
    return map_json((const char *const[]){ MARK, mark }, 1);
}

static struct json *
where_json(const struct uuid *id)
{
    return json_array_create_1(json_array_create_3(
        json_string_create("_uuid"), json_string_create("=="), uuid_json(id)));
}

/* Operations of RFC 7047, section 5.2, appended to the plan. */

static struct json *
add_operation(struct plan *plan, const char *name, enum db_table table)
{
    struct json *operation = json_object_create();

    json_object_put_string(operation, "op", name);
    json_object_put_string(operation, "table", db_table_name(table));
    json_array_add(plan->operations, operation);
    return operation;
}

/* Inserts 'row' (takes ownership) and returns a reference to it. */
static struct json *
add_insert(struct plan *plan, enum db_table table, struct json *row)
{
    AUTO_TEXT *name = mem_textf("row%u", plan->n_names++);
    struct json *operation = add_operation(plan, "insert", table);

    json_object_put(operation, "row", row);
    json_object_put_string(operation, "uuid-name", name);
    return pair_json("named-uuid", json_string_create(name));
}

/* Takes ownership of 'value'. */
static void
add_update(struct plan *plan, const struct row *row, enum db_column column,
           struct json *value)
{
    struct json *operation = add_operation(plan, "update", row->table);
    struct json *content = json_object_create();

    json_object_put(content, db_column_name(column), value);
    json_object_put(operation, "where", where_json(&row->id));
    json_object_put(operation, "row", content);
}

/* Takes ownership of 'value'. */
static void
add_mutate(struct plan *plan, const struct row *row, enum db_column column,
           const char *mutator, struct json *value)
{
    struct json *operation = add_operation(plan, "mutate", row->table);

    json_object_put(operation, "where", where_json(&row->id));
    json_object_put(operation, "mutations",
                    json_array_create_1(json_array_create_3(
                        json_string_create(db_column_name(column)),
                        json_string_create(mutator), value)));
}

/* Fails the transaction if a set of references is not what the plan was made
 * from, so that two plans cannot both add the same thing. */
static void
add_wait(struct plan *plan, const struct row *row, enum db_column column)
{
    struct json *operation = add_operation(plan, "wait", row->table);
    struct json *set = json_array_create_empty();
    struct json *content = json_object_create();

    ROW_FOR_EACH(atom, row, column)
    {
        json_array_add(set, pair_json("uuid", json_string_create(atom)));
    }
    json_object_put(content, db_column_name(column), pair_json("set", set));
    json_object_put(operation, "where", where_json(&row->id));
    json_object_put(
        operation, "columns",
        json_array_create_1(json_string_create(db_column_name(column))));
    json_object_put_string(operation, "until", "==");
    json_object_put(operation, "rows", json_array_create_1(content));
    json_object_put(operation, "timeout", json_integer_create(0));
}

static void OVS_PRINTF_FORMAT(2, 3)
    add_lack(struct plan *plan, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    AUTO_DS ds = DS_EMPTY_INITIALIZER;
    ds_put_format_valist(&ds, format, args);
    va_end(args);
    json_array_add(plan->lacks, json_string_create(ds_cstr(&ds)));
}

static void
say(struct plan *plan, const char *what)
{
    ds_put_format(&plan->comment, " %s", what);
}

/* The bridge. */

static struct json *
protocols_json(const struct plan *plan)
{
    static const struct {
        const char *name;
        int version;
    } protocols[] = {
        /* Not for us: ovs-ofctl and old tools speak 1.0 unless told. */
        { "OpenFlow10", 0 },
        { "OpenFlow13", 3 },
        { "OpenFlow14", 4 },
        { "OpenFlow15", 5 },
    };
    struct json *set = json_array_create_empty();

    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        if (protocols[i].version <= plan->database->max_version) {
            json_array_add(set, json_string_create(protocols[i].name));
        }
    }
    return pair_json("set", set);
}

static bool
has_usable_protocol(const struct row *bridge)
{
    return (row_has(bridge, C_BRIDGE_PROTOCOLS, "OpenFlow13")
            || row_has(bridge, C_BRIDGE_PROTOCOLS, "OpenFlow14")
            || row_has(bridge, C_BRIDGE_PROTOCOLS, "OpenFlow15"));
}

static void
plan_bridge(struct plan *plan)
{
    const struct row *bridge = plan->bridge;
    const char *in_band =
        row_key(bridge, C_BRIDGE_OTHER_CONFIG, "disable-in-band");

    if (strcmp(row_text(bridge, C_BRIDGE_FAIL_MODE), "secure") != 0) {
        add_update(plan, bridge, C_BRIDGE_FAIL_MODE,
                   json_string_create("secure"));
        say(plan, "fail mode");
    }
    if (!has_usable_protocol(bridge)) {
        add_mutate(plan, bridge, C_BRIDGE_PROTOCOLS, "insert",
                   protocols_json(plan));
        say(plan, "protocols");
    }
    if (!in_band || strcmp(in_band, "true") != 0) {
        add_mutate(plan, bridge, C_BRIDGE_OTHER_CONFIG, "delete",
                   pair_json("set", json_array_create_1(json_string_create(
                                        "disable-in-band"))));
        add_mutate(
            plan, bridge, C_BRIDGE_OTHER_CONFIG, "insert",
            map_json((const char *const[]){ "disable-in-band", "true" }, 1));
        say(plan, "in-band");
    }
    plan_controllers(plan, NULL);
}

/* Whether the operator of the switch runs userspace datapaths: the setting,
 * a bridge of that kind, or the configuration written for Neutron. */
static bool
host_asks_for_netdev(const struct plan *plan)
{
    const struct row *bridge;

    if (plan->settings->prefer_netdev) {
        return true;
    }
    REPLICA_FOR_EACH(bridge, plan->replica, DB_BRIDGE)
    {
        if (!strcmp(row_text(bridge, C_BRIDGE_DATAPATH_TYPE), "netdev")) {
            return true;
        }
    }

    ROW_FOR_EACH_PAIR(key, plan->root, C_SWITCH_EXTERNAL_IDS)
    {
        if (!text_starts_with(key, "odl_os_hostconfig_config_odl_")) {
            continue;
        }
        const char *text = row_value_of(key);
        AUTO(json) *config = NULL;
        AUTO(err) *err = json_parse_limited(text, strlen(text), 32, &config);
        const char *type = err ? NULL : jget_text(config, "datapath_type");
        if (type && !strcmp(type, "netdev")) {
            return true;
        }
    }
    return false;
}

/* A locally administered unicast address, so that the bridge keeps its MAC
 * when ports come and go. */
static void
random_mac(struct loop *loop, char text[MAC_LENGTH + 1])
{
    struct eth_addr mac;

    loop_random(loop, &mac, sizeof mac);
    mac.ea[0] = (mac.ea[0] & ~1) | 2;
    mac_to_text(mac, text);
}

/* Inserts a port of one interface and returns a reference to it. */
static struct json *
insert_port(struct plan *plan, const char *name, const char *type,
            struct json *options_or_null, const char *mark)
{
    struct json *interface = json_object_create();
    json_object_put_string(interface, "name", name);
    json_object_put_string(interface, "type", type);
    json_object_put(interface, "external_ids", mark_json(mark));
    if (options_or_null) {
        json_object_put(interface, "options", options_or_null);
    }

    struct json *port = json_object_create();
    json_object_put_string(port, "name", name);
    json_object_put(port, "external_ids", mark_json(mark));
    json_object_put(port, "interfaces",
                    add_insert(plan, DB_INTERFACE, interface));
    return add_insert(plan, DB_PORT, port);
}

static void
plan_new_bridge(struct plan *plan)
{
    const char *name = plan->settings->bridge;
    char mac[MAC_LENGTH + 1];

    if (!row_n(plan->root, C_SWITCH_DATAPATH_TYPES)
        && plan->database->is_schema_known == false) {
        add_lack(plan, "ovs-vswitchd has not started on this host");
        return;
    }

    random_mac(plan->database->switches->loop, mac);
    struct json *bridge = json_object_create();
    json_object_put_string(bridge, "name", name);
    json_object_put_string(bridge, "fail_mode", "secure");
    json_object_put(bridge, "protocols", protocols_json(plan));
    json_object_put(bridge, "external_ids", mark_json(MARK_BRIDGE));
    json_object_put(bridge, "other_config",
                    map_json((const char *const[]){ "disable-in-band", "true",
                                                    "hwaddr", mac },
                             2));
    if (row_has(plan->root, C_SWITCH_DATAPATH_TYPES, "netdev")
        && host_asks_for_netdev(plan)) {
        json_object_put_string(bridge, "datapath_type", "netdev");
    }
    json_object_put(bridge, "ports",
                    insert_port(plan, name, "internal", NULL, MARK_BRIDGE));

    struct json *controllers = json_array_create_empty();
    plan_controllers(plan, controllers);
    json_object_put(bridge, "controller", pair_json("set", controllers));
    add_mutate(plan, plan->root, C_SWITCH_BRIDGES, "insert",
               add_insert(plan, DB_BRIDGE, bridge));
    say(plan, "bridge");
}

/* Controllers. */

/* The targets that lead to us, by spec: the configured address, else each
 * manager of the switch, else where the session came in. */
static void
wanted_targets(const struct plan *plan, struct shash *targets)
{
    const struct database *database = plan->database;
    const struct switches *switches = database->switches;

    if (plan->settings->controller_address) {
        char *target = switches_controller_target(
            switches, NULL, plan->settings->controller_address,
            database->is_tls);
        shash_add_once(targets, target, NULL);
        free(target);
        return;
    }

    ROW_FOR_EACH(id, plan->root, C_SWITCH_MANAGER_OPTIONS)
    {
        const struct row *manager =
            replica_find(plan->replica, DB_MANAGER, id);
        char *target =
            manager ? switches_controller_target(
                switches, row_text(manager, C_MANAGER_TARGET), NULL, false)
                    : NULL;
        if (target) {
            shash_add_once(targets, target, NULL);
        }
        free(target);
    }
    if (shash_is_empty(targets)) {
        char *target = switches_controller_target(
            switches, NULL, database->local_address, database->is_tls);
        shash_add_once(targets, target, NULL);
        free(target);
    }
}

/* Strikes targets that the bridge has from 'wanted'; returns those rows of
 * ours that are stale. */
static struct json *
compare_controllers(const struct plan *plan, struct shash *wanted)
{
    struct json *stale = json_array_create_empty();

    ROW_FOR_EACH(id, plan->bridge, C_BRIDGE_CONTROLLER)
    {
        const struct row *row = replica_find(plan->replica, DB_CONTROLLER, id);
        if (!row) {
            continue;
        }

        const char *target = row_text(row, C_CONTROLLER_TARGET);
        struct shash_node *node = shash_find(wanted, target);
        if (node) {
            shash_delete(wanted, node);
        } else if (row_key(row, C_CONTROLLER_EXTERNAL_IDS, MARK)) {
            json_array_add(stale, uuid_json(&row->id));
        }
    }
    return stale;
}

/* Adds controllers to 'into' if there is no bridge yet, else to the bridge. */
static void
plan_controllers(struct plan *plan, struct json *into)
{
    struct shash wanted = SHASH_INITIALIZER(&wanted);
    struct json *stale = NULL;
    struct shash_node *node;
    struct json *fresh = into ? into : json_array_create_empty();

    wanted_targets(plan, &wanted);
    if (plan->bridge) {
        stale = compare_controllers(plan, &wanted);
        if (json_array(stale)->n || !shash_is_empty(&wanted)) {
            add_wait(plan, plan->bridge, C_BRIDGE_CONTROLLER);
            say(plan, "controllers");
        }
    }
    SHASH_FOR_EACH (node, &wanted) {
        struct json *row = json_object_create();
        json_object_put_string(row, "target", node->name);
        json_object_put(row, "external_ids", mark_json(MARK_CONTROLLER));
        json_array_add(fresh, add_insert(plan, DB_CONTROLLER, row));
    }
    shash_destroy(&wanted);

    if (into) {
        return;
    }
    if (json_array(stale)->n) {
        add_mutate(plan, plan->bridge, C_BRIDGE_CONTROLLER, "delete",
                   pair_json("set", json_clone(stale)));
    }
    json_destroy(stale);
    if (json_array(fresh)->n) {
        add_mutate(plan, plan->bridge, C_BRIDGE_CONTROLLER, "insert",
                   pair_json("set", json_clone(fresh)));
    }
    json_destroy(fresh);
}

/* Tunnels. */

static struct json *
tunnel_options(const char *local_ip)
{
    return map_json((const char *const[]){ "key", "flow", "local_ip", local_ip,
                                           "remote_ip", "flow" },
                    3);
}

static void
plan_tunnel(struct plan *plan, enum carrier carrier, const char *local_ip)
{
    const struct row *bridge = plan->bridge;
    const struct row *tunnel =
        layout_tunnel(plan->replica, bridge, carrier, local_ip);
    const char *type = carrier_interface_type(carrier);
    const struct row *port = NULL;
    char name[INTERFACE_NAME_SIZE];

    if (row_n(plan->root, C_SWITCH_IFACE_TYPES)
        && !row_has(plan->root, C_SWITCH_IFACE_TYPES, type)) {
        add_lack(plan, "this Open vSwitch does not offer %s tunnels", type);
        return;
    }

    layout_tunnel_name(carrier, name);
    const struct row *ours =
        layout_interface(plan->replica, bridge, name, &port);
    if (ours && layout_is_marked(port, MARK_TUNNEL)) {
        const char *options[] = { "key",    "flow",      "local_ip",
                                  local_ip, "remote_ip", "flow" };
        bool is_equal = row_n(ours, C_INTERFACE_OPTIONS) == 3;
        for (size_t i = 0; i < 6; i += 2) {
            const char *value = row_key(ours, C_INTERFACE_OPTIONS, options[i]);
            is_equal = is_equal && value && !strcmp(value, options[i + 1]);
        }
        if (!is_equal) {
            add_update(plan, ours, C_INTERFACE_OPTIONS,
                       tunnel_options(local_ip));
            say(plan, name);
        }
    } else if (!tunnel) {
        add_mutate(plan, bridge, C_BRIDGE_PORTS, "insert",
                   insert_port(plan, name, type, tunnel_options(local_ip),
                               MARK_TUNNEL));
        say(plan, name);
        return;
    }

    tunnel = ours ? ours : tunnel;
    const char *error = row_text(tunnel, C_INTERFACE_ERROR);
    if (error[0]) {
        add_lack(plan, "tunnel port %s: %s",
                 row_text(tunnel, C_INTERFACE_NAME), error);
    }
}

/* Carriers that are to have a tunnel port, as bits. */
static uint32_t
wanted_tunnels(const struct plan *plan, bool has_local_ip)
{
    const struct host *host = plan->database->host;

    if (!has_local_ip) {
        return 0;
    }
    return 1u << CARRIER_VXLAN | (host ? host->tunnels : 0);
}

static void
plan_tunnels(struct plan *plan)
{
    const struct host *host = plan->database->host;
    const char *text = row_key(plan->root, C_SWITCH_OTHER_CONFIG, "local_ip");
    struct in6_addr address;
    bool has_local_ip = layout_local_ip(plan->replica, &address);
    uint32_t wanted = wanted_tunnels(plan, has_local_ip);

    if (!text) {
        add_lack(plan, "no local_ip: tunnels cannot be made; run: ovs-vsctl "
                       "set Open_vSwitch . other_config:local_ip=ADDRESS");
    } else if (!has_local_ip) {
        add_lack(plan,
                 "other_config:local_ip is \"%s\", which is not an "
                 "address",
                 text);
    }

    for (enum carrier c = 0; c < N_CARRIERS; c++) {
        const struct row *port = NULL;
        char name[INTERFACE_NAME_SIZE];

        if (!carrier_is_tunnel(c)) {
            continue;
        }
        if (wanted & 1u << c) {
            plan_tunnel(plan, c, text);
            continue;
        }

        layout_tunnel_name(c, name);
        if (layout_interface(plan->replica, plan->bridge, name, &port)
            && layout_is_marked(port, MARK_TUNNEL)
            && (!has_local_ip || (host && host->tunnels_known))) {
            add_mutate(plan, plan->bridge, C_BRIDGE_PORTS, "delete",
                       uuid_json(&port->id));
            say(plan, name);
        }
    }
}

/* Provider networks. */

static struct json *
patch_options(const char *peer)
{
    return map_json((const char *const[]){ "peer", peer }, 1);
}

static void
plan_patch(struct plan *plan, const struct physnet_layout *physnet)
{
    char inner[INTERFACE_NAME_SIZE], outer[INTERFACE_NAME_SIZE];

    layout_patch_names(physnet->target, inner, outer);
    if (!physnet->interface) {
        add_mutate(plan, plan->bridge, C_BRIDGE_PORTS, "insert",
                   insert_port(plan, inner, "patch", patch_options(outer),
                               MARK_PHYSNET));
        say(plan, inner);
    }
    if (!physnet->peer) {
        add_mutate(plan, physnet->target_bridge, C_BRIDGE_PORTS, "insert",
                   insert_port(plan, outer, "patch", patch_options(inner),
                               MARK_PHYSNET));
        say(plan, outer);
    }
}

/* Whether a port of ours still belongs to a mapping. */
static bool
is_port_wanted(const char *name, const struct physnet_layout *physnets,
               size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char inner[INTERFACE_NAME_SIZE], outer[INTERFACE_NAME_SIZE];

        layout_patch_names(physnets[i].target, inner, outer);
        if ((physnets[i].kind == ATTACH_PATCH
             && (!strcmp(name, inner) || !strcmp(name, outer)))
            || (physnets[i].kind == ATTACH_PORT
                && !strcmp(name, physnets[i].target))) {
            return true;
        }
    }
    return false;
}

static void
remove_stale_ports(struct plan *plan, const struct physnet_layout *physnets,
                   size_t n)
{
    const struct row *bridge;

    REPLICA_FOR_EACH(bridge, plan->replica, DB_BRIDGE)
    {
        ROW_FOR_EACH(id, bridge, C_BRIDGE_PORTS)
        {
            const struct row *port = replica_find(plan->replica, DB_PORT, id);
            if (port && layout_is_marked(port, MARK_PHYSNET)
                && !is_port_wanted(row_text(port, C_PORT_NAME), physnets, n)) {
                add_mutate(plan, bridge, C_BRIDGE_PORTS, "delete",
                           uuid_json(&port->id));
                say(plan, row_text(port, C_PORT_NAME));
            }
        }
    }
}

static void
plan_physnets(struct plan *plan)
{
    size_t n;
    struct physnet_layout *physnets =
        layout_physnets(plan->replica, plan->bridge, &n);
    struct shash added = SHASH_INITIALIZER(&added);

    for (size_t i = 0; i < n; i++) {
        const struct physnet_layout *physnet = &physnets[i];

        /* Two networks may share an interface. */
        if (physnet->kind != ATTACH_NOT
            && shash_add_once(&added, physnet->target, NULL)) {
            if (physnet->kind == ATTACH_PATCH) {
                plan_patch(plan, physnet);
            } else if (!physnet->interface) {
                add_mutate(plan, plan->bridge, C_BRIDGE_PORTS, "insert",
                           insert_port(plan, physnet->target, "", NULL,
                                       MARK_PHYSNET));
                say(plan, physnet->target);
            }
        }
        if (physnet->problem) {
            add_lack(plan, "physical network %s: %s", physnet->name,
                     physnet->problem);
        }
    }
    remove_stale_ports(plan, physnets, n);
    shash_destroy(&added);
    layout_physnets_destroy(physnets, n);
}
