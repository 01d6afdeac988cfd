/* SPDX-License-Identifier: Apache-2.0 */

/* The cloud of "sim/cloud.h".
 *
 * A crash is made in this order: the disk loses what was not durable and
 * refuses everything from then on, calls under way are forgotten, then the
 * daemon is destroyed, which can no longer write or answer. */

#include "cloud.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define BASE       "/controller/nb/v2/neutron/"
#define STORE_PATH "/weft.db"
#define OVSDB_PORT 6640

/* A request on its way. */
struct call {
    struct ovs_list list_node; /* In cloud->calls. */
    struct cloud *cloud;
    struct object *object; /* Or null: cloud_request(). */
    bool answered;
    int status;
    char *body;
};

static const char *
kind_name(enum object_kind kind)
{
    return (kind == OBJECT_NETWORK  ? "network"
            : kind == OBJECT_SUBNET ? "subnet"
                                    : "port");
}

static const struct resource *
object_resource(const struct cloud *cloud, const struct object *object)
{
    return model_resource(cloud->daemon->model, kind_name(object->kind));
}

static struct uuid
object_uuid(const struct object *object)
{
    struct uuid id;
    bool ok = uid_from_text(object->id, &id);
    ovs_assert(ok);
    return id;
}

/* Life. */

static void
object_init(struct object *object, enum object_kind kind, unsigned int index)
{
    *object = (struct object){
        .kind = kind, .index = index, .plugged = -1, .host = index % N_HOSTS
    };
    snprintf(object->id, sizeof object->id, "%08x-0000-4000-8000-%012x",
             0xa0000000u + (unsigned int) kind, index);
}

static void
host_dialing(struct ovs *ovs, void *cloud_)
{
    struct cloud *cloud = cloud_;
    for (int i = 0; i < N_HOSTS; i++) {
        if (cloud->hosts[i] == ovs) {
            AUTO_TEXT *address = mem_textf("192.0.2.%d", 10 + i);
            sim_set_local_address(cloud->loop, address);
        }
    }
}

static struct ovs *
host_create(struct cloud *cloud, int index)
{
    AUTO_TEXT *name = mem_textf("compute-%d", index);
    AUTO_TEXT *local_ip = mem_textf("192.0.2.%d", 10 + index);
    struct ovs_settings settings = {
        .name = name,
        .local_ip = local_ip,
        .provider_mappings = "physnet1:eth1",
        .manager_address = "192.0.2.1",
        .manager_port = OVSDB_PORT,
        /* The oldest version that is supported, and the newest. */
        .openflow_version = index == 1 ? OFP13_VERSION : OFP15_VERSION,
    };
    struct ovs *ovs = ovs_create(cloud->loop, &settings);
    ovs_on_dial(ovs, host_dialing, cloud);
    return ovs;
}

struct cloud *
cloud_create(uint64_t seed)
{
    struct cloud *cloud = NEW(struct cloud);
    cloud->loop = loop_create();
    sim_seed(cloud->loop, seed);
    cloud->disk = sim_disk_register(cloud->loop);
    ovs_list_init(&cloud->calls);
    for (unsigned int i = 0; i < N_NETWORKS; i++) {
        object_init(cloud_network(cloud, i), OBJECT_NETWORK, i);
        object_init(cloud_subnet(cloud, i), OBJECT_SUBNET, i);
    }
    for (unsigned int i = 0; i < N_PORTS; i++) {
        object_init(cloud_port(cloud, i), OBJECT_PORT, i);
    }
    for (int i = 0; i < N_HOSTS; i++) {
        cloud->hosts[i] = host_create(cloud, i);
    }
    return cloud;
}

static void
call_destroy(struct call *call)
{
    ovs_list_remove(&call->list_node);
    free(call->body);
    free(call);
}

void
cloud_destroy(struct cloud *cloud)
{
    if (!cloud) {
        return;
    }
    cloud_stop(cloud);
    for (int i = 0; i < N_HOSTS; i++) {
        ovs_destroy(cloud->hosts[i]);
    }
    sim_disk_destroy(cloud->disk);
    err_destroy(cloud->start_error);
    loop_destroy(cloud->loop);
    free(cloud);
}

static struct config *
make_config(void)
{
    struct config *config = config_create();
    AUTO(err) *err = config_set(config, "switches.listen=0.0.0.0");
    ovs_assert(!err);
    return config;
}

bool
cloud_start(struct cloud *cloud)
{
    struct config *config = make_config();
    err_destroy(cloud->start_error);
    cloud->start_error =
        daemon_create(cloud->loop, config, STORE_PATH, &cloud->daemon);
    if (cloud->start_error) {
        config_destroy(config);
        cloud->daemon = NULL;
        return false;
    }
    AUTO(err) *err = daemon_listen_switches(cloud->daemon);
    ovs_assert(!err);
    return true;
}

/* Calls that are not answered never will be: what they asked for may have
 * happened. */
static void
forget_calls(struct cloud *cloud)
{
    struct call *call;
    LIST_FOR_EACH_SAFE (call, list_node, &cloud->calls) {
        call_destroy(call);
    }
}

void
cloud_stop(struct cloud *cloud)
{
    daemon_destroy(STEAL(cloud->daemon));
    forget_calls(cloud);
}

void
cloud_crash(struct cloud *cloud, bool torn)
{
    sim_disk_crash(cloud->disk, torn);
    struct call *call;
    LIST_FOR_EACH (call, list_node, &cloud->calls) {
        call->cloud = NULL; /* Hears no answer. */
    }
    daemon_destroy(STEAL(cloud->daemon));
    forget_calls(cloud);
}

struct object *
cloud_network(struct cloud *cloud, unsigned int index)
{
    return &cloud->objects[index];
}

struct object *
cloud_subnet(struct cloud *cloud, unsigned int index)
{
    return &cloud->objects[N_NETWORKS + index];
}

struct object *
cloud_port(struct cloud *cloud, unsigned int index)
{
    return &cloud->objects[2 * N_NETWORKS + index];
}

/* Requests. */

static void
object_answered(struct cloud *cloud, struct object *object, int status)
{
    object->busy = false;
    if (status == 503) {
        cloud->n_refused++;
    } else if (status >= 200 && status < 300) {
        cloud->n_answered++;
        object->version = object->next_version;
        object->host = object->next_host;
    } else if (status == 404 && !object->next_version) {
        assert_int_equal(object->version, 0);
    } else {
        fail_msg("%s %s: answered %d", kind_name(object->kind), object->id,
                 status);
    }
}

static void
answered(struct request *request OVS_UNUSED, struct response *response,
         void *call_)
{
    struct call *call = call_;
    if (!call->cloud) {
        return;
    }
    call->answered = true;
    call->status = response->status;
    call->body = mem_text(ds_cstr(&response->body));
    if (call->object) {
        object_answered(call->cloud, call->object, call->status);
        call_destroy(call);
    }
}

static struct call *
send_request(struct cloud *cloud, struct object *object, const char *method,
             const char *path, const char *body)
{
    struct call *call = NEW(struct call);
    call->cloud = cloud;
    call->object = object;
    ovs_list_push_back(&cloud->calls, &call->list_node);
    struct request *request = request_from_text(method, path, body);
    request->trusted = true;
    api_handle(cloud->daemon->api, request, answered, call);
    return call;
}

static bool
call_is_answered(void *call_)
{
    const struct call *call = call_;
    return call->answered;
}

int
cloud_request(struct cloud *cloud, const char *method, const char *path,
              const char *body, char **bodyp)
{
    struct call *call = send_request(cloud, NULL, method, path, body);
    (void) sim_run_until(cloud->loop, call_is_answered, call, 60 * SECOND);
    int status = call->answered ? call->status : 0;
    if (bodyp) {
        *bodyp = STEAL(call->body);
    }
    call_destroy(call);
    return status;
}

static char *
network_body(const struct object *object, int version)
{
    static const char *const types[] = { "vxlan", "gre", "geneve", "vlan" };
    return mem_textf(
        "{\"network\":{\"id\":\"%s\",\"name\":\"v%d\",\"tenant_id\":\"t\","
        "\"provider:network_type\":\"%s\","
        "\"provider:physical_network\":\"physnet1\","
        "\"provider:segmentation_id\":%u,\"admin_state_up\":true}}",
        object->id, version, types[object->index % 4], 100 + object->index);
}

static char *
subnet_body(struct cloud *cloud, const struct object *object, int version)
{
    return mem_textf(
        "{\"subnet\":{\"id\":\"%s\",\"name\":\"v%d\",\"tenant_id\":\"t\","
        "\"network_id\":\"%s\",\"ip_version\":4,"
        "\"cidr\":\"10.0.%u.0/24\",\"gateway_ip\":\"10.0.%u.1\","
        "\"enable_dhcp\":false}}",
        object->id, version, cloud_network(cloud, object->index)->id,
        object->index, object->index);
}

/* Some attributes follow from the version, so that updates change rules. */
static char *
port_body(struct cloud *cloud, const struct object *object, int version,
          int host)
{
    unsigned int network = object->index % N_NETWORKS;
    return mem_textf(
        "{\"port\":{\"id\":\"%s\",\"name\":\"v%d\",\"tenant_id\":\"t\","
        "\"network_id\":\"%s\",\"mac_address\":\"fa:16:3e:00:00:%02x\","
        "\"fixed_ips\":[{\"subnet_id\":\"%s\","
        "\"ip_address\":\"10.0.%u.%u\"}],\"device_owner\":\"compute:nova\","
        "\"port_security_enabled\":%s,\"admin_state_up\":true,"
        "\"binding:host_id\":\"%s\"}}",
        object->id, version, cloud_network(cloud, network)->id, object->index,
        cloud_subnet(cloud, network)->id, network, 10 + object->index,
        version % 3 ? "true" : "false", ovs_name(cloud->hosts[host]));
}

static char *
object_body(struct cloud *cloud, const struct object *object)
{
    return (object->kind == OBJECT_NETWORK
                ? network_body(object, object->next_version)
            : object->kind == OBJECT_SUBNET
                ? subnet_body(cloud, object, object->next_version)
                : port_body(cloud, object, object->next_version,
                            object->next_host));
}

static void
write_object(struct cloud *cloud, struct object *object, int host)
{
    if (object->busy || !cloud->daemon) {
        return;
    }
    bool put = object->version && sim_chance(cloud->loop, 50);
    object->busy = true;
    object->next_version = ++cloud->last_version;
    object->next_host = host;
    AUTO_TEXT *body = object_body(cloud, object);
    AUTO_TEXT *path = mem_textf(put ? BASE "%ss/%s" : BASE "%ss",
                                kind_name(object->kind), object->id);
    send_request(cloud, object, put ? "PUT" : "POST", path, body);
}

void
cloud_put(struct cloud *cloud, struct object *object)
{
    write_object(cloud, object, object->host);
}

void
cloud_move(struct cloud *cloud, struct object *object, int host)
{
    write_object(cloud, object, host);
}

void
cloud_delete(struct cloud *cloud, struct object *object)
{
    if (object->busy || !cloud->daemon) {
        return;
    }
    object->busy = true;
    object->next_version = 0;
    object->next_host = object->host;
    AUTO_TEXT *path =
        mem_textf(BASE "%ss/%s", kind_name(object->kind), object->id);
    send_request(cloud, object, "DELETE", path, NULL);
}

/* Switches. */

void
cloud_unplug(struct cloud *cloud, struct object *port)
{
    if (port->plugged >= 0) {
        AUTO_TEXT *name = mem_textf("tap%u", port->index);
        ovs_unplug(cloud->hosts[port->plugged], name);
        port->plugged = -1;
    }
}

void
cloud_plug(struct cloud *cloud, struct object *port, int host)
{
    AUTO_TEXT *name = mem_textf("tap%u", port->index);
    cloud_unplug(cloud, port);
    ovs_plug(cloud->hosts[host], name, port->id);
    port->plugged = host;
}

void
cloud_fill(struct cloud *cloud)
{
    for (int i = 0; i < N_OBJECTS; i++) {
        struct object *object = &cloud->objects[i];
        cloud_put(cloud, object);
        if (object->kind == OBJECT_PORT) {
            cloud_plug(cloud, object, object->host);
        }
    }
}

void
cloud_heal(struct cloud *cloud)
{
    for (int i = 0; i < N_HOSTS; i++) {
        AUTO_TEXT *address = mem_textf("192.0.2.%d", 10 + i);
        sim_partition(cloud->loop, address, false);
        ovs_stall(cloud->hosts[i], false);
        ovs_reconnect(cloud->hosts[i]);
        ovs_refuse_flows(cloud->hosts[i], 0);
    }
    sim_disk_full(cloud->disk, false);
    sim_disk_io_error(cloud->disk, false);
    sim_disk_lie(cloud->disk, false);
}

struct cloud_work
cloud_work(const struct cloud *cloud)
{
    struct cloud_work work = { 0 };
    for (int i = 0; i < N_HOSTS; i++) {
        const struct ovs_counters *c = ovs_counters(cloud->hosts[i]);
        work.flow_mods += c->n_flow_mods;
        work.group_mods += c->n_group_mods;
        work.database_changes += c->n_database_changes;
        work.errors += c->n_errors + c->n_database_errors;
    }
    return work;
}

static bool
is_quiet(const struct cloud *cloud)
{
    if (!ovs_list_is_empty(&cloud->calls) || !cloud->daemon
        || !engine_is_idle(cloud->daemon->engine)
        || !store_is_idle(cloud->daemon->store)) {
        return false;
    }
    for (int i = 0; i < N_HOSTS; i++) {
        if (!ovs_database_is_connected(cloud->hosts[i])
            || !ovs_openflow_is_connected(cloud->hosts[i])) {
            return false;
        }
    }
    return true;
}

bool
cloud_quiesce(struct cloud *cloud, uint64_t max_us)
{
    uint64_t end = loop_now(cloud->loop) + max_us;
    struct cloud_work before = cloud_work(cloud);
    while (loop_now(cloud->loop) < end) {
        sim_advance(cloud->loop, 3 * SECOND);
        struct cloud_work after = cloud_work(cloud);
        if (is_quiet(cloud) && !memcmp(&before, &after, sizeof after)) {
            return true;
        }
        before = after;
    }
    return false;
}

/* Checks. */

struct held_bucket {
    uint32_t group, bucket;
    const struct ofpact *ofpacts;
    size_t ofpacts_len;
};

struct tally {
    const struct cloud *cloud;
    const struct uuid *host;
    size_t n_rules, n_groups, n_buckets;
    bool has_bucket_ids; /* OpenFlow 1.5. */
    struct held_bucket *buckets;
    size_t n_held_buckets, allocated_buckets;
    struct shash groups;
};

static void
tally_flow(const struct ovs_flow *flow, void *tally_)
{
    struct tally *tally = tally_;
    tally->n_rules += (flow->cookie & COOKIE_MASK) == COOKIE_TAG;
}

static void
tally_group(uint32_t group, uint8_t type OVS_UNUSED, void *tally_)
{
    struct tally *tally = tally_;
    if ((group & GROUP_MASK) == GROUP_TAG) {
        AUTO_TEXT *key = mem_textf("%u", group);
        shash_add(&tally->groups, key, NULL);
    }
}

static void
tally_bucket(const struct ovs_bucket *bucket, void *tally_)
{
    struct tally *tally = tally_;
    if ((bucket->group & GROUP_MASK) == GROUP_TAG) {
        ARRAY_GROW(tally->buckets, tally->n_held_buckets,
                   tally->allocated_buckets);
        tally->buckets[tally->n_held_buckets++] =
            (struct held_bucket){ bucket->group, bucket->bucket,
                                  bucket->ofpacts, bucket->ofpacts_len };
    }
}

static void
check_rule(const struct ovs *ovs, const struct item *item)
{
    if (!ovs_has_flow_cookie(ovs, item->cookie)) {
        AUTO_TEXT *text = item_to_text(item);
        fail_msg("%s lacks %s (last error: %s)", ovs_name(ovs), text,
                 ovs_last_error(ovs));
    }
}

/* OpenFlow 1.3 has no bucket ids: there only what a bucket does counts. */
static void
check_bucket(const struct ovs *ovs, const struct tally *tally,
             const struct item *item)
{
    for (size_t i = 0; i < tally->n_held_buckets; i++) {
        const struct held_bucket *held = &tally->buckets[i];
        if (held->group == item->group
            && (held->bucket == item->bucket || !tally->has_bucket_ids)
            && item->cookie
                   == bucket_cookie(held->group, item->bucket, held->ofpacts,
                                    held->ofpacts_len)) {
            return;
        }
    }
    AUTO_TEXT *text = item_to_text(item);
    fail_msg("%s lacks %s (last error: %s)", ovs_name(ovs), text,
             ovs_last_error(ovs));
}

static void
check_group(const struct ovs *ovs, const struct tally *tally,
            const struct item *item)
{
    AUTO_TEXT *key = mem_textf("%u", item->group);
    if (!shash_find(&tally->groups, key)) {
        fail_msg("%s lacks group %s", ovs_name(ovs), key);
    }
}

static void
check_item(const struct ovs *ovs, struct tally *tally, const struct item *item)
{
    const struct scopes *scopes = tally->cloud->daemon->scopes;
    if (scopes_wanted(scopes, tally->host, item->identity) != item) {
        return; /* Another scope's wins. */
    }
    switch ((enum item_kind) item->kind) {
    case ITEM_RULE:
        check_rule(ovs, item);
        tally->n_rules--;
        break;
    case ITEM_GROUP:
        check_group(ovs, tally, item);
        tally->n_groups++;
        break;
    case ITEM_BUCKET:
        check_bucket(ovs, tally, item);
        tally->n_buckets++;
        break;
    case ITEM_TUNNEL:
        assert_int_equal(
            ovs_n_interfaces(ovs, carrier_interface_type(item->group)), 1);
        break;
    }
}

static void
check_scopes(const struct ovs *ovs, struct tally *tally)
{
    size_t n;
    const struct scope **scopes =
        scopes_of_host(tally->cloud->daemon->scopes, tally->host, &n);
    for (size_t i = 0; i < n; i++) {
        const struct item *item;
        SCOPE_FOR_EACH_ITEM (item, scopes[i]) {
            check_item(ovs, tally, item);
        }
    }
    free(scopes);
}

void
cloud_check_host(struct cloud *cloud, int index)
{
    const struct ovs *ovs = cloud->hosts[index];
    struct uuid host = host_id_from_name(ovs_name(ovs));
    struct tally tally = { .cloud = cloud,
                           .host = &host,
                           .has_bucket_ids = index != 1 };
    shash_init(&tally.groups);
    ovs_for_each_flow(ovs, tally_flow, &tally);
    ovs_for_each_group(ovs, tally_group, &tally);
    ovs_for_each_bucket(ovs, tally_bucket, &tally);
    check_scopes(ovs, &tally);
    if (tally.n_rules || tally.n_groups != shash_count(&tally.groups)
        || tally.n_buckets != tally.n_held_buckets) {
        fail_msg("%s has what it should not: %d rules, %d groups, %d buckets",
                 ovs_name(ovs), (int) tally.n_rules,
                 (int) (shash_count(&tally.groups) - tally.n_groups),
                 (int) (tally.n_held_buckets - tally.n_buckets));
    }
    shash_destroy(&tally.groups);
    free(tally.buckets);
}

/* The version that the daemon has of an object, 0 if none. */
static int
stored_version(const struct cloud *cloud, const struct object *object)
{
    struct uuid id = object_uuid(object);
    const struct resource *resource = object_resource(cloud, object);
    const struct entity *entity =
        model_find(cloud->daemon->model, resource, &id);
    if (!entity) {
        return 0;
    }
    AUTO(json) *json = entity_to_json(entity, ENTITY_ANSWER);
    const char *name = jget_text(json, "name");
    return name ? (int) strtol(name + 1, NULL, 10) : -1;
}

void
cloud_check_answered_writes(struct cloud *cloud)
{
    for (int i = 0; i < N_OBJECTS; i++) {
        struct object *object = &cloud->objects[i];
        int version = stored_version(cloud, object);
        if (object->busy && version == object->next_version) {
            object->version = version;
            object->host = object->next_host;
        }
        object->busy = false;
        if (version != object->version) {
            fail_msg("%s %s: version %d was answered, %d is there",
                     kind_name(object->kind), object->id, object->version,
                     version);
        }
    }
}

static void
check_status(struct cloud *cloud, const struct object *port)
{
    unsigned int network = port->index % N_NETWORKS;
    struct uuid id = object_uuid(port);
    bool wired = fabric_is_wired(cloud->daemon->fabric, &id);
    bool should = port->version && port->plugged == port->host
                  && cloud_network(cloud, network)->version;
    if (port->plugged >= 0 && port->plugged != port->host) {
        return; /* In the middle of a move: either. */
    }
    if (wired != should) {
        fail_msg("port %u: wired %d, should be %d (version %d, on host %d, "
                 "bound to %d)",
                 port->index, wired, should, port->version, port->plugged,
                 port->host);
    }
}

void
cloud_check(struct cloud *cloud)
{
    AUTO_DS report = DS_EMPTY_INITIALIZER;
    cloud_check_answered_writes(cloud);
    if (engine_check(cloud->daemon->engine, &report)) {
        fail_msg("incremental differs from scratch:\n%s", ds_cstr(&report));
    }
    for (int i = 0; i < N_HOSTS; i++) {
        cloud_check_host(cloud, i);
    }
    for (unsigned int i = 0; i < N_PORTS; i++) {
        check_status(cloud, cloud_port(cloud, i));
    }
}
