/* SPDX-License-Identifier: Apache-2.0 */
/* Host configurations: what Neutron is told about hosts, so that its driver
 * can bind ports to them (spec of the driver, section 6.2).
 *
 * A host says them itself, in the external_ids that networking-odl's script
 * writes; they arrive as facts of the model.  For a host that says nothing one
 * is made from what its switch reports, so that forgetting the script is no
 * trap any more.
 *
 * A host is listed while it is connected and for a minute after, because
 * Neutron takes a host that is not listed for dead, and a short reconnect is
 * no death.  After a start every known host has that minute.
 *
 * Costs: O(hosts) per list, which a Neutron server asks for every 30 s. */

#include "api/api-private.h"

#define GRACE        UINT64_C(60000000)
#define DEFAULT_TYPE "ODL L2"

struct host_state {
    bool connected;
    bool announced_gone;
    uint64_t gone_since;
};

struct hosts {
    struct api *api;
    uint64_t started;
    struct shash states; /* struct host_state, by host name. */
    struct timer *grace;
};

struct hosts *
hosts_create(struct api *api)
{
    struct hosts *hosts = NEW(struct hosts);
    hosts->api = api;
    hosts->started = loop_now(api->loop);
    shash_init(&hosts->states);
    return hosts;
}

void
hosts_destroy(struct hosts *hosts)
{
    if (hosts) {
        loop_timer_destroy(hosts->grace);
        shash_destroy_free_data(&hosts->states);
        free(hosts);
    }
}

/* What is there. */

static bool
hosts_is_listed(const struct hosts *hosts, const struct host *host)
{
    uint64_t now = loop_now(hosts->api->loop);
    const struct host_state *state =
        host->name ? shash_find_data(&hosts->states, host->name) : NULL;
    return (state && state->connected
                ? true
                : now - (state ? state->gone_since : hosts->started) < GRACE);
}

static const char *
host_public_id(const struct host *host)
{
    return host->aliases.n ? host->aliases.items[0] : host->name;
}

static void hosts_expire(void *hosts_);

static void
hosts_note(struct hosts *hosts, const char *name, bool connected)
{
    struct host_state *state = shash_find_data(&hosts->states, name);
    if (!state) {
        state = NEW(struct host_state);
        state->gone_since = hosts->started;
        shash_add(&hosts->states, name, state);
    }
    if (state->connected && !connected) {
        state->gone_since = loop_now(hosts->api->loop);
        if (!hosts->grace) {
            hosts->grace =
                loop_timer_create(hosts->api->loop, hosts_expire, hosts);
        }
        loop_timer_set(hosts->grace, GRACE);
    }
    state->connected = connected;
    if (connected) {
        state->announced_gone = false;
    }
}

/* Asks the fabric, whose word is newer than any event. */
static void
hosts_refresh(struct hosts *hosts)
{
    if (!hosts->api->fabric) {
        return;
    }

    AUTO(json) *list = fabric_hosts(hosts->api->fabric);
    if (!list || list->type != JSON_ARRAY) {
        return;
    }
    for (size_t i = 0; i < json_array(list)->n; i++) {
        const struct json *host = json_array(list)->elems[i];
        const char *name = jget_text(host, "name");
        bool connected = false;
        if (name && jget_bool(host, "connected", &connected)) {
            hosts_note(hosts, name, connected);
        }
    }
}

/* Configurations. */

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
host_vif_details(const struct host *host)
{
    struct json *details = json_object_create();
    struct json *addresses = json_array_create_empty();
    bool netdev =
        (host->datapath_type && !strcmp(host->datapath_type, "netdev"));

    if (HAS(host, host, tunnel_address)) {
        char text[INET6_ADDRSTRLEN];
        ipaddr_to_text(&host->tunnel_address, text);
        json_array_add(addresses, json_string_create(text));
    }
    json_object_put_string(details, "uuid",
                           host->ovs_uuid ? host->ovs_uuid : "");
    json_object_put(details, "host_addresses", addresses);
    json_object_put(details, "port_filter", json_boolean_create(true));
    json_object_put(details, "has_datapath_type_netdev",
                    json_boolean_create(netdev));
    json_object_put(details, "support_vhost_user", json_boolean_create(false));
    return details;
}

/* The configuration of a host that gives none.  Caller frees. */
static char *
host_default_config(const struct host *host)
{
    static const char *const types[] = { "local", "flat", "vlan",
                                         "vxlan", "gre",  "geneve" };

    struct json *mappings = json_object_create();
    for (size_t i = 0; i < host->physnets.n; i++) {
        const struct host_physnet *physnet = &host->physnets.items[i];
        if (physnet->name && physnet->target) {
            json_object_put_string(mappings, physnet->name, physnet->target);
        }
    }

    struct json *vnic = json_object_create();
    json_object_put_string(vnic, "vnic_type", "normal");
    json_object_put_string(vnic, "vif_type", "ovs");
    json_object_put(vnic, "vif_details", host_vif_details(host));

    AUTO(json) *config = json_object_create();
    json_object_put(config, "allowed_network_types",
                    texts_to_json(types, N_ITEMS(types)));
    json_object_put(config, "bridge_mappings", mappings);
    json_object_put_string(config, "datapath_type",
                           host->datapath_type && *host->datapath_type
                               ? host->datapath_type
                               : "system");
    json_object_put(config, "supported_vnic_types", json_array_create_1(vnic));
    return json_to_string(config, JSSF_SORT);
}

static void
put_config(struct json *list, const char *id, const char *type,
           const char *config, const char *wanted_type)
{
    if (!wanted_type || !strcmp(type, wanted_type)) {
        struct json *entry = json_object_create();
        json_object_put_string(entry, "host-id", id);
        json_object_put_string(entry, "host-type", type);
        json_object_put_string(entry, "config", config);
        json_array_add(list, entry);
    }
}

static void
host_put_configs(const struct host *host, const char *type, struct json *list)
{
    const char *id = host_public_id(host);
    bool has_config = false;

    /* An entry that lacks a member makes the driver skip all that follow. */
    for (size_t i = 0; i < host->configs.n; i++) {
        const struct host_config *config = &host->configs.items[i];
        if (config->type && config->config) {
            has_config = true;
            put_config(list, id, config->type, config->config, type);
        }
    }
    if (!has_config) {
        AUTO_TEXT *config = host_default_config(host);
        put_config(list, id, DEFAULT_TYPE, config, type);
    }
}

struct json *
hosts_configs(struct hosts *hosts, const char *id, const char *type)
{
    const struct model *model = hosts->api->model;
    struct json *list = json_array_create_empty();

    hosts_refresh(hosts);
    if (!model_resource(model, host_resource.shape.name)) {
        return list;
    }
    size_t n;
    const struct entity **entities = model_list(model, &host_resource, &n);
    for (size_t i = 0; i < n; i++) {
        const struct host *host = host_cast(entities[i]);
        if (host_public_id(host) && hosts_is_listed(hosts, host)
            && (!id || !strcmp(id, host_public_id(host)))) {
            host_put_configs(host, type, list);
        }
    }
    free(entities);
    return list;
}

/* Changes. */

static void
hosts_announce(struct hosts *hosts, const struct host *host, bool gone)
{
    if (!host_public_id(host)) {
        return;
    }
    AUTO(json) *list = json_array_create_empty();
    host_put_configs(host, NULL, list);
    for (size_t i = 0; i < json_array(list)->n; i++) {
        const struct json *config = json_array(list)->elems[i];
        events_host_config(hosts->api->events, jget_text(config, "host-id"),
                           jget_text(config, "host-type"), gone);
    }
}

/* Announces hosts that did not come back in time. */
static void
hosts_expire(void *hosts_)
{
    struct hosts *hosts = hosts_;
    size_t n;
    const struct entity **entities =
        model_list(hosts->api->model, &host_resource, &n);
    for (size_t i = 0; i < n; i++) {
        const struct host *host = host_cast(entities[i]);
        struct host_state *state =
            host->name ? shash_find_data(&hosts->states, host->name) : NULL;
        if (state && !state->announced_gone && !hosts_is_listed(hosts, host)) {
            state->announced_gone = true;
            hosts_announce(hosts, host, true);
        }
    }
    free(entities);

    /* Others may have gone meanwhile. */
    struct shash_node *node;
    SHASH_FOR_EACH (node, &hosts->states) {
        const struct host_state *state = node->data;
        if (!state->connected && !state->announced_gone) {
            loop_timer_set(hosts->grace, GRACE / 6);
            return;
        }
    }
}

void
hosts_event(struct hosts *hosts, const struct json *data)
{
    const char *name = jget_text(data, "name");
    bool connected = false;
    if (!name || !jget_bool(data, "connected", &connected)) {
        return;
    }

    const struct host_state *state = shash_find_data(&hosts->states, name);
    bool is_new = connected && (!state || state->announced_gone);
    hosts_note(hosts, name, connected);
    if (is_new) {
        events_host_config(hosts->api->events, name, DEFAULT_TYPE, false);
    }
}

void
hosts_changed(struct hosts *hosts, const struct change *change)
{
    if (change->new_) {
        if (events_has_host_feeds(hosts->api->events)) {
            hosts_announce(hosts, host_cast(change->new_), false);
        }
    } else if (change->old) {
        const struct host *host = host_cast(change->old);
        hosts_announce(hosts, host, true);
        if (host->name) {
            free(shash_find_and_delete(&hosts->states, host->name));
        }
    }
}
