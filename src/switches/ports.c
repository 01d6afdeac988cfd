/* SPDX-License-Identifier: Apache-2.0 */
/* What a switch says of itself, told to the owner.
 *
 *     replica ──► facts, plugs ──compare──► events: facts (everything), or
 *                                │          plugged, unplugged (one each)
 *                              report
 *
 * A PLUG is an interface on the bridge with external_ids:iface-id and an
 * OpenFlow port.  If several interfaces of a host claim the same identifier,
 * the one with the lowest OpenFlow port is it, whatever the order they came
 * in.
 *
 * The report is what the owner was last told.  Plugs are an array sorted by
 * endpoint; the facts are kept as text, because all that is needed of them is
 * whether they changed.
 *
 * An update that touches only interfaces of machines, as nearly all do, costs
 * what it touches (and a search for its port by text); any other one walk over
 * the bridge's interfaces. */

#include "switches/ports.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "switches/layout.h"

struct ports_report {
    char *facts;               /* JSON text; see facts_to_json(). */
    struct switch_plug *plugs; /* Sorted by endpoint; names are owned. */
    struct uuid *interfaces;   /* The row of each plug. */
    size_t n_plugs;
    bool has_repeated; /* Several interfaces claimed one endpoint. */
};

/* A plug, its name borrowed, and the row of its interface. */
struct found {
    struct switch_plug plug;
    struct uuid interface;
};

/* Facts being gathered; texts are borrowed from the replica. */
struct survey {
    const struct replica *replica;
    const struct row *root;
    const struct row *bridge;
    struct switch_facts facts;
    const char *aliases[3];
    const char **interface_types;
    struct switch_tunnel tunnels[N_CARRIERS];
    struct physnet_layout *layouts;
    struct switch_physnet *physnets;
    struct switch_config *configs;
    struct found *found; /* Sorted; may repeat endpoints. */
    size_t n_found;
};

static void
destroy_plugs(struct switch_plug *plugs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free((char *) (uintptr_t) plugs[i].name);
    }
    free(plugs);
}

void
ports_report_destroy(struct ports_report *report)
{
    if (report) {
        destroy_plugs(report->plugs, report->n_plugs);
        free(report->interfaces);
        free(report->facts);
        free(report);
    }
}

size_t
ports_report_n_plugs(const struct ports_report *report)
{
    return report ? report->n_plugs : 0;
}

void
ports_report_status(const struct ports_report *report, struct json *status)
{
    if (!report) {
        return;
    }

    struct json *facts = json_from_string(report->facts);
    if (facts->type == JSON_OBJECT) {
        struct shash_node *node;

        SHASH_FOR_EACH (node, json_object(facts)) {
            json_object_put(status, node->name, json_clone(node->data));
        }
    }
    json_destroy(facts);
}

/* Survey. */

static void
survey_aliases(struct survey *s)
{
    const char *const candidates[] = {
        row_key(s->root, C_SWITCH_EXTERNAL_IDS, "odl_os_hostconfig_hostid"),
        row_key(s->root, C_SWITCH_EXTERNAL_IDS, "hostname"),
        s->facts.name,
    };

    for (size_t i = 0; i < 3; i++) {
        bool is_known = !candidates[i] || !candidates[i][0];
        for (size_t j = 0; j < s->facts.n_aliases && !is_known; j++) {
            is_known = !strcmp(s->aliases[j], candidates[i]);
        }
        if (!is_known) {
            s->aliases[s->facts.n_aliases++] = candidates[i];
        }
    }
    s->facts.aliases = s->aliases;
}

static void
survey_interface_types(struct survey *s)
{
    size_t n = row_n(s->root, C_SWITCH_IFACE_TYPES);

    s->interface_types = mem_alloc((n + 1) * sizeof *s->interface_types);
    ROW_FOR_EACH(type, s->root, C_SWITCH_IFACE_TYPES)
    {
        s->interface_types[s->facts.n_interface_types++] = type;
    }
    s->facts.interface_types = s->interface_types;
}

static uint32_t
ofport_of(const struct row *interface)
{
    int64_t ofport = row_int(interface, C_INTERFACE_OFPORT, 0);

    /* Above are reserved ports (OpenFlow 1.5.1, section 7.2.1.1). */
    return ofport > 0 && ofport < 0xff00 ? ofport : 0;
}

static void
survey_tunnels(struct survey *s)
{
    if (!layout_local_ip(s->replica, &s->facts.tunnel_address)) {
        return;
    }
    const char *local_ip = row_key(s->root, C_SWITCH_OTHER_CONFIG, "local_ip");
    for (enum carrier c = 0; c < N_CARRIERS; c++) {
        const struct row *tunnel =
            (carrier_is_tunnel(c)
                 ? layout_tunnel(s->replica, s->bridge, c, local_ip)
                 : NULL);
        if (tunnel && ofport_of(tunnel)) {
            s->tunnels[s->facts.n_tunnels++] = (struct switch_tunnel){
                .carrier = c,
                .ofport = ofport_of(tunnel),
            };
        }
    }
    s->facts.tunnels = s->tunnels;
}

static void
survey_physnets(struct survey *s)
{
    s->layouts = layout_physnets(s->replica, s->bridge, &s->facts.n_physnets);
    s->physnets = mem_zalloc((s->facts.n_physnets + 1) * sizeof *s->physnets);
    for (size_t i = 0; i < s->facts.n_physnets; i++) {
        const struct physnet_layout *layout = &s->layouts[i];

        s->physnets[i] = (struct switch_physnet){
            .name = layout->name,
            .target = layout->target,
            .ofport =
                (layout->problem || !layout->interface ? 0
                                                       : ofport_of(
                                                           layout->interface)),
            .problem = layout->problem,
        };
    }
    s->facts.physnets = s->physnets;
}

/* The host type of a key "odl_os_hostconfig_config_odl_l2": "ODL L2", at most
 * 8 characters of the key. */
static char *
config_type(const char *key, const char *prefix)
{
    AUTO_TEXT *type = mem_textf("ODL %.8s", key + strlen(prefix));

    for (char *p = type; *p; p++) {
        *p = toupper((unsigned char) *p);
    }
    return STEAL(type);
}

static void
survey_configs(struct survey *s)
{
    static const char prefix[] = "odl_os_hostconfig_config_odl_";
    size_t n = row_n(s->root, C_SWITCH_EXTERNAL_IDS);

    s->configs = mem_zalloc((n + 1) * sizeof *s->configs);
    ROW_FOR_EACH_PAIR(key, s->root, C_SWITCH_EXTERNAL_IDS)
    {
        if (text_starts_with(key, prefix) && key[strlen(prefix)]) {
            s->configs[s->facts.n_configs++] = (struct switch_config){
                .type = config_type(key, prefix),
                .config = row_value_of(key),
            };
        }
    }
    s->facts.configs = s->configs;
}

static int
compare_found(const void *a_, const void *b_)
{
    const struct found *a = a_, *b = b_;
    int endpoints = uid_compare(&a->plug.endpoint, &b->plug.endpoint);

    return (endpoints ? endpoints
            : a->plug.ofport < b->plug.ofport
                ? -1
                : a->plug.ofport > b->plug.ofport);
}

/* Describes an interface as a plug, its name borrowed; false: it is none. */
static bool
plug_from_interface(const struct row *interface, struct switch_plug *plug)
{
    const char *id = row_key(interface, C_INTERFACE_EXTERNAL_IDS, "iface-id");
    int64_t mtu = row_int(interface, C_INTERFACE_MTU, 0);

    *plug = (struct switch_plug){
        .name = row_text(interface, C_INTERFACE_NAME),
        .ofport = ofport_of(interface),
        .mtu = mtu > 0 && mtu <= UINT16_MAX ? mtu : 0,
    };
    return id && plug->ofport && uid_from_text(id, &plug->endpoint);
}

static void
survey_plugs(struct survey *s)
{
    size_t allocated = 0;

    BRIDGE_FOR_EACH_INTERFACE(port, interface, s->replica, s->bridge)
    {
        struct switch_plug plug;

        if (plug_from_interface(interface, &plug)) {
            ARRAY_GROW(s->found, s->n_found, allocated);
            s->found[s->n_found++] = (struct found){ plug, interface->id };
        }
    }
    if (s->n_found) {
        qsort(s->found, s->n_found, sizeof *s->found, compare_found);
    }
}

/* False if the switch is not ready to be described. */
static bool
survey_init(struct survey *s, const struct host *host)
{
    const struct database *database = host->database;
    static const struct survey empty;

    *s = empty;
    s->replica = &database->replica;
    s->root = replica_root(s->replica);
    s->bridge = replica_find_name(s->replica, C_BRIDGE_NAME,
                                  host->switches->settings.bridge);
    if (!s->root || !s->bridge) {
        return false;
    }

    s->facts.host = host->id;
    s->facts.name = host->name;
    s->facts.ovs_version = row_text(s->root, C_SWITCH_OVS_VERSION);
    s->facts.datapath_type = row_text(s->bridge, C_BRIDGE_DATAPATH_TYPE);
    survey_aliases(s);
    survey_interface_types(s);
    survey_tunnels(s);
    survey_physnets(s);
    survey_configs(s);
    survey_plugs(s);
    return true;
}

static void
survey_uninit(struct survey *s)
{
    free(s->found);
    for (size_t i = 0; i < s->facts.n_configs; i++) {
        free((char *) (uintptr_t) s->configs[i].type);
    }
    free(s->configs);
    layout_physnets_destroy(s->layouts, s->facts.n_physnets);
    free(s->physnets);
    free(s->interface_types);
}

static struct json *
texts_to_json(const char *const *texts, size_t n)
{
    struct json *array = json_array_create_empty();

    for (size_t i = 0; i < n; i++) {
        json_array_add(array, json_string_create(texts[i]));
    }
    return array;
}

static struct json *
physnet_to_json(const struct switch_physnet *physnet)
{
    struct json *json = json_object_create();

    json_object_put_string(json, "name", physnet->name);
    json_object_put_string(json, "target", physnet->target);
    json_object_put(json, "ofport", json_integer_create(physnet->ofport));
    if (physnet->problem) {
        json_object_put_string(json, "problem", physnet->problem);
    }
    return json;
}

static struct json *
facts_to_json(const struct switch_facts *facts)
{
    struct json *json = json_object_create();
    struct json *tunnels = json_object_create();
    struct json *physnets = json_array_create_empty();
    struct json *configs = json_object_create();
    char address[INET6_ADDRSTRLEN] = "";

    if (!IN6_IS_ADDR_UNSPECIFIED(&facts->tunnel_address)) {
        ipaddr_to_text(&facts->tunnel_address, address);
    }
    for (size_t i = 0; i < facts->n_tunnels; i++) {
        json_object_put(tunnels, carrier_name(facts->tunnels[i].carrier),
                        json_integer_create(facts->tunnels[i].ofport));
    }
    for (size_t i = 0; i < facts->n_physnets; i++) {
        json_array_add(physnets, physnet_to_json(&facts->physnets[i]));
    }
    for (size_t i = 0; i < facts->n_configs; i++) {
        json_object_put_string(configs, facts->configs[i].type,
                               facts->configs[i].config);
    }
    json_object_put(json, "aliases",
                    texts_to_json(facts->aliases, facts->n_aliases));
    json_object_put_string(json, "tunnel_address", address);
    json_object_put_string(json, "version", facts->ovs_version);
    json_object_put_string(json, "datapath_type", facts->datapath_type);
    json_object_put_string(json, "ovs_uuid", facts->ovs_uuid);
    json_object_put(
        json, "interface_types",
        texts_to_json(facts->interface_types, facts->n_interface_types));
    json_object_put(json, "tunnels", tunnels);
    json_object_put(json, "physnets", physnets);
    json_object_put(json, "configs", configs);
    return json;
}

/* Telling. */

static bool
is_same_plug(const struct switch_plug *a, const struct switch_plug *b)
{
    return (a->ofport == b->ofport && a->mtu == b->mtu
            && !strcmp(a->name, b->name));
}

/* Reports the difference between two sorted arrays of plugs. */
static void
tell_plugs(struct host *host, const struct ports_report *old,
           const struct ports_report *new)
{
    const struct switches *switches = host->switches;
    size_t i = 0, j = 0;

    while (i < old->n_plugs || j < new->n_plugs) {
        int order =
            (i >= old->n_plugs   ? 1
             : j >= new->n_plugs ? -1
                                 : uid_compare(&old->plugs[i].endpoint,
                                               &new->plugs[j].endpoint));
        if (order < 0) {
            switches->events->unplugged(&host->id, &old->plugs[i++].endpoint,
                                        switches->aux);
        } else {
            if (order > 0 || !is_same_plug(&old->plugs[i], &new->plugs[j])) {
                switches->events->plugged(&host->id, &new->plugs[j],
                                          switches->aux);
            }
            i += !order;
            j++;
        }
    }
}

/* Puts a plug at its place; its name is copied. */
static void
report_insert(struct ports_report *report, size_t at,
              const struct switch_plug *plug, const struct uuid *interface)
{
    size_t n = report->n_plugs;

    report->plugs = mem_resize(report->plugs, (n + 1) * sizeof *report->plugs);
    report->interfaces =
        mem_resize(report->interfaces, (n + 1) * sizeof *report->interfaces);
    memmove(&report->plugs[at + 1], &report->plugs[at],
            (n - at) * sizeof *report->plugs);
    memmove(&report->interfaces[at + 1], &report->interfaces[at],
            (n - at) * sizeof *report->interfaces);
    report->plugs[at] = *plug;
    report->plugs[at].name = mem_text(plug->name);
    report->interfaces[at] = *interface;
    report->n_plugs++;
}

static void
report_remove(struct ports_report *report, size_t at)
{
    size_t n = --report->n_plugs;

    free((char *) (uintptr_t) report->plugs[at].name);
    memmove(&report->plugs[at], &report->plugs[at + 1],
            (n - at) * sizeof *report->plugs);
    memmove(&report->interfaces[at], &report->interfaces[at + 1],
            (n - at) * sizeof *report->interfaces);
}

/* Of several with the same endpoint the first is it. */
static void
report_take_plugs(struct ports_report *report, const struct survey *s)
{
    report->plugs = mem_alloc((s->n_found + 1) * sizeof *report->plugs);
    report->interfaces =
        mem_alloc((s->n_found + 1) * sizeof *report->interfaces);
    for (size_t i = 0; i < s->n_found; i++) {
        const struct found *found = &s->found[i];
        size_t n = report->n_plugs;

        if (n
            && uid_equals(&report->plugs[n - 1].endpoint,
                          &found->plug.endpoint)) {
            report->has_repeated = true;
            continue;
        }
        report->plugs[n] = found->plug;
        report->plugs[n].name = mem_text(found->plug.name);
        report->interfaces[n] = found->interface;
        report->n_plugs++;
    }
}

bool
ports_tell(struct host *host, bool is_whole)
{
    struct survey s;
    char id[UID_LENGTH + 1];

    if (!survey_init(&s, host)) {
        return false;
    }
    uid_to_text(&s.root->id, id);
    s.facts.ovs_uuid = id;

    struct json *json = facts_to_json(&s.facts);
    struct ports_report *report = NEW(struct ports_report);
    report->facts = json_to_string(json, JSSF_SORT);
    json_destroy(json);
    report_take_plugs(report, &s);

    struct ports_report *old = host->report;
    host->report = report;
    if (is_whole || !old || strcmp(old->facts, report->facts) != 0) {
        host->switches->events->facts(&s.facts, report->plugs, report->n_plugs,
                                      host->switches->aux);
    } else {
        tell_plugs(host, old, report);
    }
    ports_report_destroy(old);
    survey_uninit(&s);
    return true;
}

/* The quick path. */

/* Index of the plug of an interface, or the number of plugs. */
static size_t
report_find_interface(const struct ports_report *report,
                      const struct uuid *interface)
{
    size_t i = 0;

    while (i < report->n_plugs
           && !uid_equals(&report->interfaces[i], interface)) {
        i++;
    }
    return i;
}

/* Index of the first plug whose endpoint is not less. */
static size_t
report_position(const struct ports_report *report, const struct uuid *endpoint)
{
    size_t low = 0, high = report->n_plugs;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (uid_compare(&report->plugs[middle].endpoint, endpoint) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool
is_on_bridge(const struct replica *replica, const struct row *bridge,
             const struct row *interface)
{
    char id[UID_LENGTH + 1];
    const struct row *port;

    uid_to_text(&interface->id, id);
    REPLICA_FOR_EACH(port, replica, DB_PORT)
    {
        if (row_has(port, C_PORT_INTERFACES, id)) {
            uid_to_text(&port->id, id);
            return row_has(bridge, C_BRIDGE_PORTS, id);
        }
    }
    return false;
}

/* Tells what became of one interface; false if another claims its endpoint. */
static bool
tell_interface(struct host *host, const struct row *bridge,
               const struct uuid *id)
{
    struct ports_report *report = host->report;
    const struct switches_events *events = host->switches->events;
    const struct replica *replica = &host->database->replica;
    const struct row *interface = replica_find_id(replica, DB_INTERFACE, id);
    struct switch_plug plug;
    bool is_plug = interface && plug_from_interface(interface, &plug)
                   && is_on_bridge(replica, bridge, interface);
    size_t at = report_find_interface(report, id);
    bool was_plug = at < report->n_plugs;

    if (was_plug && is_plug
        && uid_equals(&report->plugs[at].endpoint, &plug.endpoint)) {
        if (is_same_plug(&report->plugs[at], &plug)) {
            return true;
        }
    } else if (is_plug) {
        size_t to = report_position(report, &plug.endpoint);
        if (to < report->n_plugs
            && uid_equals(&report->plugs[to].endpoint, &plug.endpoint)) {
            return false;
        }
    }
    if (was_plug) {
        struct uuid endpoint = report->plugs[at].endpoint;
        report_remove(report, at);
        if (!is_plug || !uid_equals(&endpoint, &plug.endpoint)) {
            events->unplugged(&host->id, &endpoint, host->switches->aux);
        }
    }
    if (is_plug) {
        report_insert(report, report_position(report, &plug.endpoint), &plug,
                      id);
        events->plugged(&host->id, &plug, host->switches->aux);
    }
    return true;
}

bool
ports_tell_touched(struct host *host)
{
    const struct replica *replica = &host->database->replica;
    const struct replica_touched *touched = &replica->touched;
    const struct row *bridge = replica_find_name(
        replica, C_BRIDGE_NAME, host->switches->settings.bridge);

    if (!host->report || host->report->has_repeated || !bridge
        || !touched->is_only_machines) {
        return false;
    }
    for (size_t i = 0; i < touched->n; i++) {
        if (!tell_interface(host, bridge, &touched->interfaces[i])) {
            return false;
        }
    }
    return true;
}

/* Problems. */

static void
note_interface(const struct row *interface, struct json *lacks)
{
    const char *name = row_text(interface, C_INTERFACE_NAME);
    const char *error = row_text(interface, C_INTERFACE_ERROR);
    const char *id = row_key(interface, C_INTERFACE_EXTERNAL_IDS, "iface-id");
    struct uuid endpoint;

    if (!id) {
        return;
    }
    if (error[0] || row_int(interface, C_INTERFACE_OFPORT, 0) < 0) {
        json_array_add(
            lacks, json_string_create_nocopy(mem_textf(
                       "interface %s of port %s is not usable: %s", name, id,
                       error[0] ? error : "Open vSwitch could not open it")));
    } else if (!uid_from_text(id, &endpoint)) {
        AUTO_DS ds = DS_EMPTY_INITIALIZER;
        text_put_printable(&ds, id, strlen(id));
        json_array_add(
            lacks, json_string_create_nocopy(
                       mem_textf("interface %s: iface-id \"%s\" is not a UUID",
                                 name, ds_cstr(&ds))));
    }
}

static void
note_repeated(const struct replica *replica, const struct row *bridge,
              struct json *lacks)
{
    struct shash seen = SHASH_INITIALIZER(&seen);

    BRIDGE_FOR_EACH_INTERFACE(port, interface, replica, bridge)
    {
        const char *id =
            row_key(interface, C_INTERFACE_EXTERNAL_IDS, "iface-id");
        if (id && ofport_of(interface) && !shash_add_once(&seen, id, NULL)) {
            json_array_add(
                lacks,
                json_string_create_nocopy(mem_textf(
                    "several interfaces claim port %s; the one with the "
                    "lowest OpenFlow port is used",
                    id)));
        }
    }
    shash_destroy(&seen);
}

void
ports_lacks(const struct host *host, struct json *lacks)
{
    const struct replica *replica = &host->database->replica;
    const struct row *bridge = replica_find_name(
        replica, C_BRIDGE_NAME, host->switches->settings.bridge);

    if (bridge) {
        BRIDGE_FOR_EACH_INTERFACE(port, interface, replica, bridge)
        {
            note_interface(interface, lacks);
        }
        note_repeated(replica, bridge, lacks);
    }
}
