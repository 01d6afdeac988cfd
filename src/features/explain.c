/* SPDX-License-Identifier: Apache-2.0 */

/* Views of the fabric: hosts, and why a port works or does not.
 *
 * Nothing here is on a hot path; a view may visit every item of the scopes a
 * host subscribes to. */

#include "features/fabric.h"

static void
put_text(struct json *object, const char *member, const char *text)
{
    if (text) {
        json_object_put_string(object, member, text);
    }
}

static void
put_uid(struct json *object, const char *member, const struct uuid *id)
{
    char text[UID_LENGTH + 1];
    uid_to_text(id, text);
    json_object_put_string(object, member, text);
}

/* Copies every member of 'from' that 'to' lacks. */
static void
put_missing_members(struct json *to, const struct json *from)
{
    if (!from || from->type != JSON_OBJECT) {
        return;
    }
    struct shash_node *node;
    SHASH_FOR_EACH (node, json_object(from)) {
        if (!shash_find(json_object(to), node->name)) {
            json_object_put(to, node->name,
                            json_clone((const struct json *) node->data));
        }
    }
}

/* Hosts. */

static struct json *
host_to_json(const struct fabric *fabric, const struct host *host)
{
    struct json *object = json_object_create();
    put_text(object, "name", host->name);
    put_uid(object, "id", &host->entity.id);
    json_object_put(object, "connected",
                    json_boolean_create(switches_is_connected(
                        fabric_switches(fabric), &host->entity.id)));
    put_text(object, "ovs_version", host->ovs_version);
    if (HAS(host, host, tunnel_address)) {
        char text[INET6_ADDRSTRLEN];
        ipaddr_to_text(&host->tunnel_address, text);
        json_object_put_string(object, "tunnel_address", text);
    }
    struct json *tunnels = json_array_create_empty();
    for (size_t i = 0; i < host->tunnels.n; i++) {
        json_array_add(tunnels,
                       json_string_create(host->tunnels.items[i].carrier));
    }
    json_object_put(object, "tunnels", tunnels);
    struct json *physnets = json_array_create_empty();
    for (size_t i = 0; i < host->physnets.n; i++) {
        const struct host_physnet *physnet = &host->physnets.items[i];
        json_array_add(physnets, json_string_create_nocopy(mem_textf(
                                     "%s:%s%s", physnet->name,
                                     physnet->target ? physnet->target : "?",
                                     physnet->ofport ? "" : " (not usable)")));
    }
    json_object_put(object, "physnets", physnets);
    size_t n;
    free(engine_lookup(fabric_engine(fabric), &plugs_by_host,
                       hash64(&host->entity.id, sizeof(struct uuid), 0), &n));
    json_object_put(object, "ports", json_integer_create(n));
    return object;
}

struct json *
fabric_hosts(const struct fabric *fabric)
{
    AUTO(json) *status = switches_status(fabric_switches(fabric));
    struct shash by_id = SHASH_INITIALIZER(&by_id);
    for (size_t i = 0; status->type == JSON_ARRAY && i < status->array.n;
         i++) {
        const struct json *one = status->array.elems[i];
        const char *id = jget_text(one, "id");
        if (id) {
            shash_add_once(&by_id, id, one);
        }
    }

    struct json *hosts = json_array_create_empty();
    size_t n;
    const struct entity **list =
        engine_list(fabric_engine(fabric), &host_resource, &n);
    for (size_t i = 0; i < n; i++) {
        struct json *host = host_to_json(fabric, host_cast(list[i]));
        put_missing_members(host,
                            shash_find_data(&by_id, jget_text(host, "id")));
        json_array_add(hosts, host);
    }
    free(list);
    shash_destroy(&by_id);
    return hosts;
}

/* One port. */

struct explanation {
    const struct fabric *fabric;
    const struct engine *engine;
    struct uuid id;
    struct json *why;    /* Array of sentences. */
    struct json *should; /* Array of {"scope", "item", "pass"}. */
};

static void because(struct explanation *, const char *format, ...)
    OVS_PRINTF_FORMAT(2, 3);

static void
because(struct explanation *x, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_DS text = DS_EMPTY_INITIALIZER;
    ds_put_format_valist(&text, format, args);
    va_end(args);
    json_array_add(x->why, json_string_create(ds_cstr(&text)));
}

/* Does the unit that owns 'item' stand for this port: for itself, or for one
 * of its attachments? */
static bool
item_is_of_port(const struct explanation *x, const struct item *item)
{
    struct owner owner = engine_owner(item);
    if (uid_equals(&owner.id, &x->id)) {
        return true;
    }
    if (owner.resource != &attachment_resource) {
        return false;
    }
    const struct attachment *attachment = attachment_cast(
        engine_find(x->engine, &attachment_resource, &owner.id));
    return attachment && uid_equals(&attachment->endpoint, &x->id);
}

/* In the order a packet meets them, highest priority first; then groups. */
static int
compare_items(const void *a_, const void *b_)
{
    const struct item *a = *(const struct item *const *) a_;
    const struct item *b = *(const struct item *const *) b_;
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    } else if (a->table != b->table) {
        return a->table < b->table ? -1 : 1;
    } else if (a->priority != b->priority) {
        return a->priority > b->priority ? -1 : 1;
    }
    return a->identity < b->identity ? -1 : a->identity > b->identity;
}

static void
explain_item(struct explanation *x, const struct item *item)
{
    struct scope_id id = scope_id(item->scope);
    struct json *object = json_object_create();
    json_object_put(object, "scope",
                    json_string_create_nocopy(scope_id_to_text(&id)));
    json_object_put_string(object, "pass", engine_owner(item).pass);
    json_object_put(object, "item",
                    json_string_create_nocopy(item_to_text(item)));
    json_array_add(x->should, object);
}

static void
explain_items(struct explanation *x, const struct uuid *host)
{
    const struct item **items = NULL;
    size_t n_scopes, n = 0, allocated = 0;
    const struct scope **scopes =
        scopes_of_host(fabric_scopes(x->fabric), host, &n_scopes);
    for (size_t i = 0; i < n_scopes; i++) {
        const struct item *item;
        SCOPE_FOR_EACH_ITEM (item, scopes[i]) {
            if (item_is_of_port(x, item)) {
                ARRAY_GROW(items, n, allocated);
                items[n++] = item;
            }
        }
    }
    if (n) {
        qsort(items, n, sizeof *items, compare_items);
    }
    for (size_t i = 0; i < n; i++) {
        explain_item(x, items[i]);
    }
    free(items);
    free(scopes);
}

/* Every reason why an endpoint that exists is not placed. */
static void
explain_unplaced(struct explanation *x, const struct endpoint *endpoint)
{
    const struct segment *segment = segment_cast(
        engine_find(x->engine, &segment_resource, &endpoint->segment));
    if (!endpoint->up) {
        because(x, "the port's admin_state_up is false");
    }
    if (!segment) {
        because(x, "its network " UID_FMT " is not known (yet)",
                UID_ARGS(&endpoint->segment));
    } else if (!segment->up) {
        because(x, "its network's admin_state_up is false");
    }
    if (!endpoint->requested_host) {
        because(
            x,
            "it is not bound to a host (binding:host_id is empty) and "
            "no switch has an interface with external_ids:iface-id=" UID_FMT,
            UID_ARGS(&x->id));
        return;
    }
    size_t n;
    free(engine_lookup(x->engine, &hosts_by_name,
                       hash64_text(endpoint->requested_host, 0), &n));
    if (!n) {
        because(x,
                "it is bound to host \"%s\", which no switch calls itself "
                "(system-id, hostname or odl_os_hostconfig_hostid)",
                endpoint->requested_host);
    }
}

static void
explain_placed(struct explanation *x, const struct endpoint *endpoint,
               const struct placement *placement, struct json *object)
{
    const struct host *host =
        host_cast(engine_find(x->engine, &host_resource, &placement->host));
    struct uuid id = uid_from_pair(&x->id, &placement->host);
    const struct attachment *attachment =
        attachment_cast(engine_find(x->engine, &attachment_resource, &id));
    const char *name = host && host->name ? host->name : "?";

    json_object_put_string(object, "host", name);
    if (!attachment || !attachment->ofport) {
        because(x,
                "host %s has no interface with external_ids:iface-id=" UID_FMT
                " and a port number",
                name, UID_ARGS(&x->id));
    }
    if (!switches_is_connected(fabric_switches(x->fabric), &placement->host)) {
        because(x, "host %s is not connected", name);
    } else if (attachment && attachment->ofport
               && !fabric_is_wired(x->fabric, &x->id)) {
        because(x, "host %s has not acknowledged the port's rules yet", name);
    }
    if (endpoint->requested_host && host) {
        bool same = !strcmp(endpoint->requested_host, name);
        for (size_t i = 0; i < host->aliases.n && !same; i++) {
            same = !strcmp(endpoint->requested_host, host->aliases.items[i]);
        }
        if (!same) {
            because(x, "it is bound to host \"%s\" but plugged on %s",
                    endpoint->requested_host, name);
        }
    }
    explain_items(x, &placement->host);
}

static void
explain_notes(struct explanation *x, const struct uuid *about)
{
    size_t n;
    const struct note **notes = engine_notes(x->engine, about, &n);
    for (size_t i = 0; i < n; i++) {
        because(x, "%s", notes[i]->text);
    }
    free(notes);
}

static void
explain_segment(struct explanation *x, const struct uuid *id,
                struct json *object)
{
    const struct segment *segment =
        segment_cast(engine_find(x->engine, &segment_resource, id));
    put_uid(object, "network", id);
    if (segment) {
        json_object_put_string(object, "carrier",
                               carrier_name(segment->carrier));
        json_object_put(object, "key", json_integer_create(segment->key));
        json_object_put(object, "mtu", json_integer_create(segment->mtu));
        json_object_put(object, "mtu_max",
                        json_integer_create(segment->mtu_max));
    }
    explain_notes(x, id);
}

/* A network: how it travels, what fits, and who has members. */
static struct json *
explain_network(struct explanation *x)
{
    struct json *object = json_object_create();
    explain_segment(x, &x->id, object);

    struct json *hosts = json_array_create_empty();
    size_t n;
    const struct entity **presences =
        engine_list(x->engine, &presence_resource, &n);
    for (size_t i = 0; i < n; i++) {
        const struct presence *presence = presence_cast(presences[i]);
        const struct host *host =
            host_cast(engine_find(x->engine, &host_resource, &presence->host));
        if (host && uid_equals(&presence->segment, &x->id)) {
            json_array_add(hosts, json_string_create(host->name));
            explain_notes(x, &presence->host);
        }
    }
    free(presences);
    json_object_put(object, "hosts", hosts);
    json_object_put(object, "why", x->why);
    json_object_put(object, "should", x->should);
    return object;
}

/* What does not depend on the host's answer.  Stores the host to ask in
 * '*hostp', or zero. */
static struct json *
explain_intended(const struct fabric *fabric, const struct uuid *id,
                 struct uuid *hostp)
{
    const struct engine *engine = fabric_engine(fabric);
    const struct endpoint *endpoint =
        endpoint_cast(engine_find(engine, &endpoint_resource, id));
    struct explanation x = {
        .fabric = fabric,
        .engine = engine,
        .id = *id,
        .why = json_array_create_empty(),
        .should = json_array_create_empty(),
    };
    if (!endpoint && engine_find(engine, &segment_resource, id)) {
        return explain_network(&x);
    }
    struct json *object = json_object_create();
    put_uid(object, "port", id);
    json_object_put_string(object, "status",
                           fabric_is_wired(fabric, id) ? "ACTIVE" : "DOWN");
    explain_notes(&x, id);
    if (endpoint) {
        const struct placement *placement =
            placement_cast(engine_find(engine, &placement_resource, id));
        put_text(object, "bound_to", endpoint->requested_host);
        explain_segment(&x, &endpoint->segment, object);
        if (placement) {
            *hostp = placement->host;
            explain_placed(&x, endpoint, placement, object);
            explain_notes(&x, &placement->host);
        } else {
            explain_unplaced(&x, endpoint);
        }
    } else {
        size_t n;
        free(engine_lookup(engine, &plugs_by_endpoint,
                           hash64(id, sizeof *id, 0), &n));
        because(&x, n ? "a switch has an interface with this iface-id, but no "
                        "port with this id was created (yet)"
                      : "no port with this id was created, and no switch has "
                        "an interface with this iface-id");
    }
    json_object_put(object, "why", x.why);
    json_object_put(object, "should", x.should);
    return object;
}

struct explain_call {
    struct json *object;
    void (*done)(struct json *, void *aux);
    void *aux;
};

/* Splits "should" into what the host has and what it lacks. */
static void
explain_actual(struct json *object, const struct json *missing)
{
    struct shash lacking = SHASH_INITIALIZER(&lacking);
    for (size_t i = 0; i < missing->array.n; i++) {
        if (missing->array.elems[i]->type == JSON_STRING) {
            shash_add_once(&lacking, json_string(missing->array.elems[i]),
                           object);
        }
    }
    const struct json *should = jget(object, "should");
    struct json *lacks = json_array_create_empty();
    for (size_t i = 0; i < should->array.n; i++) {
        const char *item = jget_text(should->array.elems[i], "item");
        if (shash_find(&lacking, item)) {
            json_array_add(lacks, json_string_create(item));
        }
    }
    json_object_put(object, "has",
                    json_integer_create(should->array.n - lacks->array.n));
    json_object_put(object, "missing", lacks);
    shash_destroy(&lacking);
}

/* Owns 'checked'. */
static void
explain_checked(struct json *checked, void *call_)
{
    struct explain_call *call = call_;
    const struct json *hosts = checked ? jget(checked, "hosts") : NULL;
    const struct json *missing =
        (hosts && hosts->type == JSON_ARRAY && hosts->array.n == 1
             ? jget(hosts->array.elems[0], "missing")
             : NULL);
    if (missing && missing->type == JSON_ARRAY) {
        explain_actual(call->object, missing);
    }
    json_destroy(checked);
    call->done(call->object, call->aux);
    free(call);
}

void
fabric_explain(const struct fabric *fabric, const struct uuid *id,
               void (*done)(struct json *, void *aux), void *aux)
{
    struct uuid host = { { 0, 0, 0, 0 } };
    struct explain_call *call = NEW(struct explain_call);
    call->object = explain_intended(fabric, id, &host);
    call->done = done;
    call->aux = aux;
    if (!uid_is_zero(&host)
        && switches_is_connected(fabric_switches(fabric), &host)) {
        switches_check(fabric_switches(fabric), &host, explain_checked, call);
    } else {
        explain_checked(NULL, call);
    }
}
