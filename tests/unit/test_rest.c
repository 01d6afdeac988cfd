/* SPDX-License-Identifier: Apache-2.0 */
/* The api layer without a transport: requests through api_handle(), a model
 * without a store, and a fabric that says what the test wants. */

#include "api/api-private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define BASE "/controller/nb/v2/neutron/"
#define ID(N) "00000000-0000-4000-8000-00000000000" #N
#define NET1 "{\"id\":\"" ID(1) "\",\"name\":\"one\",\"tenant_id\":\"t\"}"
#define NET2 "{\"id\":\"" ID(2) "\",\"name\":\"two\",\"tenant_id\":\"t\"}"
#define NET3 "{\"id\":\"" ID(3) "\",\"name\":\"three\",\"tenant_id\":\"u\"}"

/* Test doubles of the fabric. */

struct fabric {
    bool wired;
    bool connected;
};

bool
fabric_is_wired(const struct fabric *fabric, const struct uuid *id)
{
    return fabric->wired;
}

struct json *
fabric_hosts(const struct fabric *fabric)
{
    struct json *host = json_object_create();
    json_object_put_string(host, "name", "sys-1");
    json_object_put(host, "connected",
                    json_boolean_create(fabric->connected));
    return json_array_create_1(host);
}

/* The thing under test. */

struct fixture {
    struct loop *loop;
    struct model *model;
    struct fabric fabric;
    struct api_settings settings;
    struct api *api;
    char *users_path;
    /* The last answer. */
    int n_answers;
    int status;
    char *body, *type, *location, *cookies;
    struct feed *feed;
};

static void
fixture_forget(struct fixture *f)
{
    free(f->body);
    free(f->type);
    free(f->location);
    free(f->cookies);
    f->body = f->type = f->location = f->cookies = NULL;
    f->status = 0;
}

static void
fixture_open(struct fixture *f, bool strict)
{
    f->settings.listen_address = "0.0.0.0";
    f->settings.compat_opendaylight = strict;
    f->settings.users_path = f->users_path;
    f->settings.max_depth = 16;
    f->loop = loop_create();
    f->model = model_create();
    net_register(f->model);
    neutron_register(f->model);
    f->api = api_create(f->loop, f->model, &f->fabric, &f->settings);
}

static void
fixture_close(struct fixture *f)
{
    fixture_forget(f);
    api_destroy(f->api);
    model_destroy(f->model);
    loop_destroy(f->loop);
    if (f->users_path) {
        unlink(f->users_path);
        free(f->users_path);
    }
    free(f);
}

static int
setup_default(void **state)
{
    struct fixture *f = NEW(struct fixture);
    fixture_open(f, false);
    *state = f;
    return 0;
}

static int
setup_strict(void **state)
{
    struct fixture *f = NEW(struct fixture);
    fixture_open(f, true);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    fixture_close(*state);
    return 0;
}

static void
answered(struct request *request, struct response *response, void *f_)
{
    struct fixture *f = f_;
    f->n_answers++;
    f->status = response->status;
    f->body = ds_steal_cstr(&response->body);
    f->type = mem_text(response->content_type ? response->content_type
                       : "application/json");
    f->location = mem_text(shash_find_data(&response->headers, "Location"));
    f->cookies = mem_text(shash_find_data(&response->headers, "Set-Cookie"));
    f->feed = STEAL(response->feed);
}

static void
send_request(struct fixture *f, struct request *request)
{
    fixture_forget(f);
    int before = f->n_answers;
    api_handle(f->api, request, answered, f);
    while (f->n_answers == before) {
        loop_run_once(f->loop, 100);
    }
    assert_int_equal(f->n_answers, before + 1);
}

/* Sends a request and returns the status. */
static int
ask(struct fixture *f, const char *method, const char *target,
    const char *body)
{
    struct request *request = request_from_text(method, target, body);
    request->trusted = true;
    send_request(f, request);
    return f->status;
}

static void
expect(struct fixture *f, int status, const char *method, const char *target,
       const char *body)
{
    ask(f, method, target, body);
    if (f->status != status) {
        fail_msg("%s %s: %d instead of %d: %s", method, target, f->status,
                 status, f->body);
    }
}

static void
expect_text(const struct fixture *f, const char *part)
{
    if (!strstr(f->body, part)) {
        fail_msg("\"%s\" is not in: %s", part, f->body);
    }
}

static void
expect_no_text(const struct fixture *f, const char *part)
{
    if (strstr(f->body, part)) {
        fail_msg("\"%s\" is in: %s", part, f->body);
    }
}

static struct json *
body_json(const struct fixture *f)
{
    struct json *json = json_from_string(f->body);
    if (json->type == JSON_STRING) {
        fail_msg("%s: %s", json_string(json), f->body);
    }
    return json;
}

/* How many objects are in the list that was answered? */
static size_t
body_count(const struct fixture *f, const char *plural)
{
    AUTO(json) *json = body_json(f);
    const struct json *list = jget(json, plural);
    assert_non_null(list);
    assert_int_equal(list->type, JSON_ARRAY);
    return json_array(list)->n;
}

/* The tests. */

static void
test_envelopes(void **state)
{
    struct fixture *f = *state;

    expect(f, 201, "POST", BASE "networks", "{\"network\":" NET1 "}}");
    expect_text(f, "{\"network\":{");
    expect_text(f, "\"status\":\"ACTIVE\"");
    expect(f, 201, "POST", BASE "networks/",
           "{\"networks\":[" NET2 "," NET3 "]}");
    assert_int_equal(body_count(f, "networks"), 2);
    expect(f, 201, "POST", BASE "networks", "{\"network\":[" NET1 "]}");
    expect(f, 201, "POST", BASE "networks", "{\"networks\":[" NET1 "]}");
    expect(f, 201, "POST", BASE "networks", "{\"networks\":[]}");
    expect(f, 200, "GET", BASE "networks", NULL);
    assert_int_equal(body_count(f, "networks"), 3);
    assert_int_equal(strncmp(f->body, "{\"networks\":[", 13), 0);
    expect(f, 200, "GET", BASE "subnets/", NULL);
    assert_string_equal(f->body, "{\"subnets\":[]}");

    expect(f, 400, "POST", BASE "networks", "{\"net\":{}}");
    expect_text(f, "Invalid requests");
    assert_int_equal(strncmp(f->type, "text/plain", 10), 0);
    expect(f, 400, "POST", BASE "networks", "");
    expect(f, 400, "POST", BASE "networks", NULL);
    expect(f, 400, "POST", BASE "networks", "[]");
    expect(f, 400, "POST", BASE "networks", "{\"network\":7}");
    expect(f, 400, "POST", BASE "networks", "{\"networks\":[7]}");
    expect(f, 400, "POST", BASE "networks", "{\"network\":{\"name\":\"x\"}}");
    expect_text(f, "id");
    expect(f, 400, "POST", BASE "networks",
           "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]}");
    expect(f, 404, "GET", BASE "nothings", NULL);
    expect(f, 404, "GET", BASE "networks/" ID(1) "/more", NULL);
    expect(f, 404, "GET", BASE "networks/not-an-id", NULL);
    expect(f, 405, "DELETE", BASE "networks", NULL);
    expect(f, 405, "PATCH", BASE "networks/" ID(1), NULL);
    expect(f, 405, "PUT", BASE "l2gateway-connections/" ID(1), "{}");
}

static void
test_bulk_is_one_transaction(void **state)
{
    struct fixture *f = *state;
    expect(f, 400, "POST", BASE "networks",
           "{\"networks\":[" NET1 ",{\"id\":\"" ID(2) "\",\"mtu\":\"x\"}]}");
    expect_text(f, "networks[1].mtu");
    expect(f, 404, "GET", BASE "networks/" ID(1), NULL);
}

static void
test_bulk_strict(void **state)
{
    struct fixture *f = *state;
    expect(f, 201, "POST", BASE "networks", "{\"network\":" NET2 "}");
    expect(f, 409, "POST", BASE "networks", "{\"networks\":[" NET1
           ",{\"id\":\"" ID(2) "\",\"name\":\"changed\"}," NET3 "]}");
    expect_text(f, "changed");
    expect(f, 200, "GET", BASE "networks/" ID(1), NULL);
    expect(f, 404, "GET", BASE "networks/" ID(3), NULL);
}

static void
test_create_twice(void **state)
{
    struct fixture *f = *state;
    expect(f, 201, "POST", BASE "networks", "{\"network\":" NET1 "}");
    expect(f, 201, "POST", BASE "networks",
           "{\"network\":{\"id\":\"" ID(1) "\",\"name\":\"new\"}}");
    expect(f, 200, "GET", BASE "networks/" ID(1), NULL);
    expect_text(f, "\"new\"");
    expect_no_text(f, "\"tenant_id\"");
    expect_text(f, "\"shared\":false");
}

static void
test_create_twice_strict(void **state)
{
    struct fixture *f = *state;
    const char *other = "{\"network\":{\"id\":\"" ID(1)
                        "\",\"name\":\"other\"}}";
    expect(f, 201, "POST", BASE "networks", "{\"network\":" NET1 "}");
    expect(f, 201, "POST", BASE "networks", "{\"network\":" NET1 "}");
    expect(f, 409, "POST", BASE "networks", other);
    assert_string_equal(f->body, other);
    expect(f, 200, "GET", BASE "networks/" ID(1), NULL);
    expect_text(f, "\"one\"");
}

static void
test_update(void **state)
{
    struct fixture *f = *state;
    const char *fip = BASE "floatingips/" ID(5);

    expect(f, 404, "PUT", fip, "{\"floatingip\":{}}");
    expect_text(f, "Floating IP UUID does not exist.");
    expect(f, 201, "POST", BASE "floatingips", "{\"floatingip\":{\"id\":\""
           ID(5) "\",\"tenant_id\":\"t\",\"floating_ip_address\":\"10.0.0.9\","
           "\"port_id\":\"" ID(6) "\",\"odd\":{\"kept\":[1,null]}}}");
    expect_text(f, "\"kept\"");
    expect_text(f, ID(6));
    expect(f, 200, "PUT", fip,
           "{\"floatingip\":{\"floating_ip_address\":\"10.0.0.9\"}}");
    expect(f, 200, "GET", fip, NULL);
    expect_no_text(f, "port_id");
    expect_text(f, "\"tenant_id\":\"t\"");
    expect(f, 400, "PUT", fip, "{\"floatingips\":[{}]}");
    expect_text(f, "Only singleton edit supported");
    expect(f, 400, "PUT", fip, "{\"floatingip\":[{}]}");
    expect(f, 400, "PUT", fip, "{}");
    expect(f, 400, "PUT", fip, "{\"floatingip\":"
           "{\"floating_ip_address\":\"300.0.0.1\"}}");
    expect_text(f, "floating_ip_address");
    expect_text(f, ID(5));

    /* The path wins over the body. */
    expect(f, 200, "PUT", fip, "{\"floatingip\":{\"id\":\"" ID(7) "\"}}");
    expect_text(f, ID(5));
    expect(f, 404, "GET", BASE "floatingips/" ID(7), NULL);
}

static void
test_update_strict(void **state)
{
    struct fixture *f = *state;
    const char *port = BASE "ports/" ID(5);
    expect(f, 201, "POST", BASE "ports", "{\"port\":{\"id\":\"" ID(5) "\","
           "\"network_id\":\"" ID(1) "\",\"name\":\"p\","
           "\"mac_address\":\"FA:16:3E:00:00:01\"}}");
    expect_text(f, "\"status\":\"ACTIVE\"");
    expect(f, 200, "PUT", port, "{\"port\":{\"device_id\":\"vm\"}}");
    expect_text(f, "\"name\":\"p\"");
    expect_text(f, "\"fa:16:3e:00:00:01\"");
    expect(f, 200, "PUT", port, "{\"port\":{\"device_id\":null}}");
    expect_no_text(f, "device_id");
}

static void
test_revision(void **state)
{
    struct fixture *f = *state;
    const char *path = BASE "networks/" ID(1);

    expect(f, 201, "POST", BASE "networks", "{\"network\":{\"id\":\"" ID(1)
           "\",\"name\":\"a\",\"revision_number\":5}}");
    expect(f, 200, "PUT", path,
           "{\"network\":{\"name\":\"old\",\"revision_number\":4}}");
    assert_string_equal(f->body, "");
    expect(f, 200, "PUT", path,
           "{\"network\":{\"name\":\"same\",\"revision_number\":5}}");
    expect_text(f, "same");
    expect(f, 200, "PUT", path, "{\"network\":{\"name\":\"none\"}}");
    expect(f, 200, "GET", path, NULL);
    expect_text(f, "none");
    expect_text(f, "\"revision_number\":5");
}

static void
test_delete(void **state)
{
    struct fixture *f = *state;
    expect(f, 404, "DELETE", BASE "networks/" ID(1), NULL);
    expect_text(f, "Network UUID does not exist.");
    expect(f, 201, "POST", BASE "networks", "{\"network\":" NET1 "}");
    expect(f, 204, "DELETE", BASE "networks/" ID(1), NULL);
    assert_string_equal(f->body, "");
    expect(f, 204, "DELETE", BASE "networks/" ID(1), "");
    expect(f, 404, "DELETE", BASE "networks/" ID(2), NULL);
    expect(f, 404, "GET", BASE "networks/" ID(1), NULL);
}

static void
test_delete_strict(void **state)
{
    struct fixture *f = *state;
    expect(f, 201, "POST", BASE "networks", "{\"network\":" NET1 "}");
    expect(f, 204, "DELETE", BASE "networks/" ID(1), NULL);
    expect(f, 404, "DELETE", BASE "networks/" ID(1), NULL);
}

#define SG_RULE(GROUP, MORE)                                                  \
    "{\"security_group_rule\":{\"id\":\"" ID(8) "\",\"direction\":"           \
    "\"ingress\"" GROUP MORE "}}"
#define IN_GROUP ",\"security_group_id\":\"" ID(7) "\""

static void
test_group_rules_strict(void **state)
{
    struct fixture *f = *state;
    const char *rules = BASE "security-group-rules";
    const char *rule = BASE "security-group-rules/" ID(8);

    expect(f, 442, "POST", rules, SG_RULE(IN_GROUP, ""));
    assert_string_equal(f->body, SG_RULE(IN_GROUP, ""));
    expect(f, 404, "PUT", rule, SG_RULE(IN_GROUP, ""));
    expect(f, 201, "POST", BASE "security-groups",
           "{\"security_group\":{\"id\":\"" ID(7) "\"}}");
    expect(f, 500, "POST", rules, SG_RULE("", ""));
    assert_string_equal(f->body, "");
    expect(f, 400, "POST", rules, SG_RULE(IN_GROUP, ",\"protocol\":\"TCP\""));
    expect_text(f, "Protocol TCP is not supported");
    expect(f, 201, "POST", rules, SG_RULE(IN_GROUP, ",\"protocol\":\"tcp\""));
    expect(f, 500, "PUT", rule, SG_RULE("", ""));
    expect(f, 200, "PUT", rule, SG_RULE(IN_GROUP, ""));
    expect(f, 204, "DELETE", BASE "security-groups/" ID(7), NULL);
    expect(f, 442, "PUT", rule, SG_RULE(IN_GROUP, ""));
    expect(f, 204, "DELETE", rule, NULL);
    expect(f, 442, "POST", BASE "networks", "{\"network\":{\"id\":\"" ID(1)
           "\",\"qos_policy_id\":\"" ID(9) "\"}}");
}

static void
test_group_rules(void **state)
{
    struct fixture *f = *state;
    const char *rules = BASE "security-group-rules";

    /* Parents may come later. */
    expect(f, 201, "POST", rules, SG_RULE(IN_GROUP, ",\"protocol\":132"));
    expect(f, 400, "POST", rules, SG_RULE("", ""));
    expect(f, 204, "DELETE", BASE "security-group-rules/" ID(8), NULL);

    /* Rules inside a new group count, but not those deleted already. */
    expect(f, 201, "POST", BASE "security-groups",
           "{\"security_group\":{\"id\":\"" ID(7) "\","
           "\"security_group_rules\":["
           "{\"id\":\"" ID(8) "\",\"security_group_id\":\"" ID(7) "\"},"
           "{\"id\":\"" ID(9) "\",\"security_group_id\":\"" ID(7) "\"},"
           "{\"id\":\"junk\",\"security_group_id\":\"" ID(7) "\"}]}}");
    expect(f, 200, "GET", rules, NULL);
    assert_int_equal(body_count(f, "security_group_rules"), 1);
    expect_text(f, ID(9));
}

static void
test_filters(void **state)
{
    struct fixture *f = *state;
    expect(f, 201, "POST", BASE "networks",
           "{\"networks\":[" NET1 "," NET2 "," NET3 "]}");
    expect(f, 200, "GET", BASE "networks?name=one", NULL);
    assert_int_equal(body_count(f, "networks"), 1);
    expect(f, 200, "GET", BASE "networks?name=one&name=two", NULL);
    assert_int_equal(body_count(f, "networks"), 2);
    expect(f, 200, "GET", BASE "networks?name=one&name=three&tenant_id=u",
           NULL);
    assert_int_equal(body_count(f, "networks"), 1);
    expect(f, 200, "GET", BASE "networks?shared=False", NULL);
    assert_int_equal(body_count(f, "networks"), 3);
    expect(f, 200, "GET", BASE "networks?router_external=TRUE", NULL);
    assert_string_equal(f->body, "{\"networks\":[]}");
    expect(f, 200, "GET", BASE "networks?id=" ID(2), NULL);
    assert_int_equal(body_count(f, "networks"), 1);
    expect(f, 200, "GET", BASE "networks?id=x", NULL);
    assert_int_equal(body_count(f, "networks"), 0);
    expect(f, 200, "GET", BASE "networks?unheard=of&sort_key=id", NULL);
    assert_int_equal(body_count(f, "networks"), 3);
    expect(f, 200, "GET", BASE "networks?fields=id&fields=name&fields=huh",
           NULL);
    assert_int_equal(body_count(f, "networks"), 3);
    expect_no_text(f, "shared");
    expect(f, 200, "GET", BASE "networks/" ID(1) "?fields=status", NULL);
    assert_string_equal(f->body, "{\"network\":{\"status\":\"ACTIVE\"}}");
}

static void
test_pages(void **state)
{
    struct fixture *f = *state;
    expect(f, 201, "POST", BASE "networks",
           "{\"networks\":[" NET3 "," NET1 "," NET2 "]}");
    expect(f, 200, "GET", BASE "networks?limit=2", NULL);
    expect_text(f, ID(1));
    expect_text(f, ID(2));
    expect_no_text(f, ID(3));
    expect_text(f, "\"networks_links\":[{\"ref\":\"next\"");
    expect_text(f, "\"http://localhost" BASE "networks?limit=2&marker=" ID(2)
                "\"");
    expect_no_text(f, "previous");
    expect(f, 200, "GET", BASE "networks?limit=2&marker=" ID(2), NULL);
    assert_int_equal(body_count(f, "networks"), 1);
    expect_text(f, "marker=" ID(3) "&page_reverse=True");
    expect_no_text(f, "\"next\"");
    expect(f, 200, "GET", BASE "networks?limit=2&page_reverse=True&marker="
           ID(3), NULL);
    assert_int_equal(body_count(f, "networks"), 2);
    expect_no_text(f, "previous");
    expect(f, 200, "GET", BASE "networks?limit=1&page_reverse=true&marker="
           ID(3), NULL);
    assert_int_equal(body_count(f, "networks"), 1);
    expect_text(f, "previous");
    expect(f, 200, "GET", BASE "networks?limit=2&marker=" ID(3), NULL);
    assert_int_equal(body_count(f, "networks"), 0);
    expect_text(f, "previous");
    expect(f, 400, "GET", BASE "networks?limit=2&page_reverse=true&marker="
           ID(1), NULL);
    expect(f, 404, "GET", BASE "networks?limit=2&marker=" ID(9), NULL);
    expect(f, 400, "GET", BASE "networks?limit=x", NULL);
    expect(f, 200, "GET", BASE "networks?limit=2&name=one", NULL);
    expect_no_text(f, "links");
    expect(f, 200, "GET", BASE "routers?limit=2", NULL);
    assert_string_equal(f->body, "{\"routers\":[]}");
}

static void
test_paths(void **state)
{
    struct fixture *f = *state;
    const char *members = BASE "lbaas/pools/" ID(1) "/members";

    expect(f, 201, "POST", members, "{\"member\":{\"id\":\"" ID(2)
           "\",\"address\":\"10.0.0.1\",\"protocol_port\":\"80\"}}");
    expect_text(f, "\"protocol_port\":80");
    expect(f, 200, "GET", members, NULL);
    assert_int_equal(body_count(f, "members"), 1);
    expect(f, 200, "GET", BASE "lbaas/pools/" ID(3) "/members", NULL);
    assert_int_equal(body_count(f, "members"), 0);
    expect(f, 200, "GET", BASE "pools/" ID(1) "/members/" ID(2), NULL);
    expect(f, 404, "GET", BASE "pools/" ID(3) "/members/" ID(2), NULL);
    expect(f, 204, "DELETE", BASE "lbaas/pools/" ID(1) "/members/" ID(2),
           NULL);

    expect(f, 201, "POST", BASE "tap/flows/" ID(1) "/flows",
           "{\"tap_flow\":{\"id\":\"" ID(4) "\",\"direction\":\"IN\"}}");
    expect_text(f, "\"tap_service_id\":\"" ID(1));
    expect(f, 200, "GET", BASE "tap/flows", NULL);
    assert_int_equal(body_count(f, "tap_flows"), 1);
    expect(f, 200, "GET", BASE "tap/flows/" ID(1) "/flows/" ID(4), NULL);

    expect(f, 201, "POST", BASE "bgpvpn-network-associations",
           "{\"bgpvpn_network_association\":{\"id\":\"" ID(4) "\"}}");
    expect(f, 200, "GET", BASE "bgpvpn/networkassociations/" ID(4), NULL);
    expect(f, 201, "POST", BASE "fw/firewalls_policies",
           "{\"firewall_policy\":{\"id\":\"" ID(4) "\"}}");
    expect(f, 200, "GET", BASE "fw/firewall_policies/" ID(4), NULL);

    expect(f, 200, "PUT", BASE "routers/" ID(1) "/add_router_interface",
           "{\"subnet_id\":\"" ID(2) "\"}");
    assert_string_equal(f->body, "{\"subnet_id\":\"" ID(2) "\"}");
    expect(f, 200, "PUT", BASE "routers/" ID(1) "/remove_router_interface",
           "{}");
    expect(f, 405, "GET", BASE "routers/" ID(1) "/add_router_interface",
           NULL);
}

#define PORT5                                                                 \
    "{\"port\":{\"id\":\"" ID(5) "\",\"network_id\":\"" ID(1) "\"}}"

static void
test_port_status(void **state)
{
    struct fixture *f = *state;
    const char *pull
        = "/restconf/operational/neutron:neutron/ports/port/" ID(5);

    expect(f, 404, "GET", pull, NULL);
    expect(f, 201, "POST", BASE "ports", PORT5);
    expect_text(f, "\"status\":\"DOWN\"");
    expect(f, 200, "GET", pull, NULL);
    assert_string_equal(f->body, "{\"port\":[{\"status\":\"DOWN\",\"uuid\":\""
                        ID(5) "\"}]}");
    f->fabric.wired = true;
    expect(f, 200, "GET", BASE "ports/" ID(5), NULL);
    expect_text(f, "\"status\":\"ACTIVE\"");
    expect(f, 200, "GET", BASE "ports?status=ACTIVE", NULL);
    assert_int_equal(body_count(f, "ports"), 1);
    expect(f, 200, "GET", BASE "ports?status=DOWN", NULL);
    assert_int_equal(body_count(f, "ports"), 0);
    expect(f, 200, "GET", pull, NULL);
    expect_text(f, "ACTIVE");
}

/* RESTCONF. */

static void
put_host(struct txn *txn, void *aux)
{
    struct uuid id = host_id_from_name("sys-1");
    struct entity *e = entity_create(&host_resource, &id);
    struct host *host = (struct host *) (void *) e;
    host->name = mem_text("sys-1");
    SET(host, host, name);
    host->aliases.items = mem_alloc(sizeof(char *));
    host->aliases.items[0] = mem_text("compute-1");
    host->aliases.n = 1;
    SET(host, host, aliases);
    host->datapath_type = mem_text("netdev");
    SET(host, host, datapath_type);
    assert_true(ipaddr_from_text("192.0.2.1", &host->tunnel_address));
    SET(host, host, tunnel_address);
    txn_put(txn, e);
}

#define NEUTRON "/restconf/operational/neutron:neutron/"

static void
test_host_configs(void **state)
{
    struct fixture *f = *state;

    expect(f, 404, "GET", NEUTRON "hostconfigs/", NULL);
    model_write_facts(f->model, put_host, NULL);
    f->fabric.connected = true;
    expect(f, 200, "GET", NEUTRON "hostconfigs/", NULL);
    AUTO(json) *answer = body_json(f);
    const struct json *list = jget(jget(answer, "hostconfigs"), "hostconfig");
    assert_int_equal(json_array(list)->n, 1);
    const struct json *host = json_array(list)->elems[0];
    assert_string_equal(jget_text(host, "host-id"), "compute-1");
    assert_string_equal(jget_text(host, "host-type"), "ODL L2");
    AUTO(json) *config = json_from_string(jget_text(host, "config"));
    assert_string_equal(jget_text(config, "datapath_type"), "netdev");
    assert_int_equal(json_array(jget(config, "supported_vnic_types"))->n, 1);

    expect(f, 200, "GET", NEUTRON "hostconfigs/hostconfig/compute-1/ODL%20L2",
           NULL);
    expect_text(f, "{\"hostconfig\":[{");
    expect(f, 404, "GET", NEUTRON "hostconfigs/hostconfig/compute-2/ODL%20L2",
           NULL);
    expect(f, 404, "GET", NEUTRON "hostconfigs/hostconfig/compute-1/X", NULL);

    /* A short absence is none. */
    f->fabric.connected = false;
    expect(f, 200, "GET", NEUTRON "hostconfigs", NULL);
}

static void
test_restconf(void **state)
{
    struct fixture *f = *state;
    const char *subscribe = "/restconf/operations/"
        "sal-remote:create-data-change-event-subscription";

    expect(f, 200, "GET", NEUTRON "neutron:features/", NULL);
    expect_text(f, "neutron-extensions:operational-port-status");
    expect(f, 200, "GET", "/restconf/modules", NULL);
    expect(f, 404, "GET", "/restconf/operational/other", NULL);
    expect(f, 405, "DELETE", "/restconf/modules", NULL);

    expect(f, 400, "POST", subscribe, "{\"input\":{\"path\":\"/x\"}}");
    expect(f, 400, "POST", subscribe, "");
    expect(f, 200, "POST", subscribe,
           "{\"input\":{\"path\":\"/neutron:neutron/neutron:ports\"}}");
    AUTO(json) *answer = body_json(f);
    const char *name = jget_text(jget(answer, "output"), "stream-name");
    assert_string_equal(name, "data-change-event-subscription/neutron:neutron/"
                        "neutron:ports/datastore=OPERATIONAL/scope=SUBTREE/"
                        "JSON");
    AUTO_TEXT *path = mem_textf("/restconf/streams/stream/%s"
                                "?odl-leaf-nodes-only=true", name);
    expect(f, 200, "GET", path, NULL);
    assert_int_equal(strncmp(f->location, "ws://localhost/data-change", 26),
                     0);
    /* Without the token there is no stream; with it, and an upgrade, there
     * is. */
    AUTO_TEXT *bare = mem_textf("/%s", name);
    AUTO_TEXT *whole = mem_text(strstr(f->location, "/data-change"));
    expect(f, 404, "GET", "/restconf/streams/stream/other", NULL);
    expect(f, 404, "GET", bare, NULL);
    expect(f, 426, "GET", whole, NULL);
    struct request *request = request_from_text("GET", whole, NULL);
    request->upgrade = true;        /* And no password. */
    send_request(f, request);
    assert_int_equal(f->status, 101);
    assert_non_null(f->feed);
    feed_destroy(STEAL(f->feed));
}

/* Feeds. */

static struct ds fed;
static int n_finished;

static void
sink_send(void *aux, const char *text, size_t size)
{
    ds_put_buffer(&fed, text, size);
}

static void
sink_finish(void *aux)
{
    n_finished++;
}

static const struct feed_sink sink = { sink_send, sink_finish };


static void
put_status(struct fixture *f, const char *status)
{
    AUTO(json) *data = json_object_create();
    json_object_put_string(data, "id", ID(5));
    json_object_put_string(data, "status", status);
    api_event(f->api, "status", data);
}

static void
test_events(void **state)
{
    struct fixture *f = *state;
    ds_init(&fed);
    n_finished = 0;

    expect(f, 200, "GET", "/weft/v1/events?kind=object", NULL);
    assert_string_equal(f->type, "text/event-stream");
    struct feed *objects = f->feed;
    feed_attach(objects, &sink, NULL);
    put_status(f, "ACTIVE");
    expect(f, 201, "POST", BASE "networks", "{\"network\":" NET1 "}");
    assert_non_null(strstr(ds_cstr(&fed), "event: object\ndata: {\"id\":\""
                           ID(1) "\",\"op\":\"create\",\"resource\":"
                           "\"network\"}\n\n"));
    assert_null(strstr(ds_cstr(&fed), "ACTIVE"));
    ds_clear(&fed);

    expect(f, 200, "GET", "/weft/v1/events?kind=status,host", NULL);
    struct feed *states = f->feed;
    feed_attach(states, &sink, NULL);
    put_status(f, "DOWN");
    assert_non_null(strstr(ds_cstr(&fed), "event: status\ndata: "));
    expect(f, 204, "DELETE", BASE "networks/" ID(1), NULL);
    assert_non_null(strstr(ds_cstr(&fed), "\"op\":\"delete\""));

    api_drain(f->api);
    assert_int_equal(n_finished, 2);
    assert_true(api_is_idle(f->api));
    feed_destroy(objects);
    feed_destroy(states);
    ds_destroy(&fed);
}

static void
test_notifications(void **state)
{
    struct fixture *f = *state;
    ds_init(&fed);
    expect(f, 200, "GET", "/restconf/streams/stream/"
           "data-change-event-subscription/neutron:neutron/neutron:ports/"
           "datastore=OPERATIONAL/scope=SUBTREE/JSON", NULL);
    AUTO_TEXT *path = mem_text(strstr(f->location, "/data-change"));
    struct request *request = request_from_text("GET", path, NULL);
    request->upgrade = true;
    send_request(f, request);
    struct feed *feed = f->feed;
    feed_attach(feed, &sink, NULL);
    put_status(f, "ACTIVE");

    AUTO(json) *frame = json_from_string(ds_cstr(&fed));
    const struct json *events
        = jget(jget(jget(frame, "notification"), "data-changed-notification"),
               "data-change-event");
    const struct json *event = json_array(events)->elems[0];
    assert_string_equal(jget_text(event, "path"), "/neutron:neutron/"
                        "neutron:ports/neutron:port[neutron:uuid='" ID(5)
                        "']/neutron:status");
    assert_string_equal(jget_text(event, "operation"), "updated");
    assert_string_equal(jget_text(jget(jget(event, "data"), "status"),
                                  "content"), "ACTIVE");
    feed_destroy(feed);
    ds_destroy(&fed);
}

/* Views. */

static void
echo_view(struct view_call *call, const struct request *request,
          const char *argument, void *aux)
{
    if (!strcmp(argument, "bad")) {
        view_fail(call, err_new(ERR_IN_USE, "name", "is bad"));
    } else {
        view_answer(call, json_string_create(argument));
    }
}

static void
ready_view(struct view_call *call, const struct request *request,
           const char *argument, void *aux)
{
    assert_null(argument);
    view_answer(call, json_object_create());
}

static void
test_views(void **state)
{
    static const struct view views[] = {
        { "GET", "/weft/v1/echo/{}", "Says it again", echo_view },
        { "GET", "/ready", "Ready?", ready_view },
    };
    struct fixture *f = *state;
    api_add_view(f->api, &views[0], NULL);
    api_add_view(f->api, &views[1], NULL);

    expect(f, 200, "GET", "/weft/v1/echo/a%20b", NULL);
    assert_string_equal(f->body, "\"a b\"");
    expect(f, 409, "GET", "/weft/v1/echo/bad", NULL);
    assert_string_equal(f->body, "{\"error\":{\"field\":\"name\",\"kind\":"
                        "\"Conflict\",\"object\":null,\"text\":"
                        "\"is bad\"}}");
    expect(f, 404, "GET", "/weft/v1/echo", NULL);
    expect(f, 404, "GET", "/weft/v1/echo/a/b", NULL);
    expect(f, 405, "POST", "/weft/v1/echo/a", NULL);
    expect(f, 200, "GET", "/", NULL);
    expect_text(f, "/weft/v1/echo/{}");

    send_request(f, request_from_text("GET", "/ready", NULL));
    assert_int_equal(f->status, 200);
    send_request(f, request_from_text("GET", "/weft/v1/echo/a", NULL));
    assert_int_equal(f->status, 401);

    expect(f, 200, "GET", "/weft/v1/openapi.json", NULL);
    AUTO(json) *openapi = body_json(f);
    assert_non_null(jget(jget(openapi, "paths"), "/weft/v1/echo/{argument}"));
    expect(f, 200, "GET", "/weft/v1/schema", NULL);
    expect_text(f, "\"path\":\"security-groups\"");
    expect_no_text(f, "\"name\":\"plug\"");
}

/* Users. */

static int
setup_users(void **state)
{
    struct fixture *f = NEW(struct fixture);
    f->users_path = mem_textf("/tmp/weft-test-users-%d", (int) getpid());
    unlink(f->users_path);
    assert_null(users_set_password(f->users_path, "bob", "secret"));
    fixture_open(f, false);
    *state = f;
    return 0;
}

static int
ask_as(struct fixture *f, const char *authorization, const char *cookie)
{
    struct request *request = request_from_text("GET", BASE "networks", NULL);
    request->authorization = authorization;
    request->cookie = cookie;
    send_request(f, request);
    return f->status;
}

#define BOB "Basic Ym9iOnNlY3JldA=="        /* bob:secret */
#define WRONG "Basic Ym9iOndyb25n"          /* bob:wrong */
#define NOBODY "Basic bm9ib2R5OnNlY3JldA==" /* nobody:secret */
#define ADMIN "Basic YWRtaW46YWRtaW4="      /* admin:admin */

static void
test_users(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask_as(f, NULL, NULL), 401);
    assert_int_equal(ask_as(f, WRONG, NULL), 401);
    assert_int_equal(ask_as(f, WRONG, NULL), 401);
    assert_int_equal(ask_as(f, NOBODY, NULL), 401);
    assert_int_equal(ask_as(f, ADMIN, NULL), 401);
    assert_int_equal(ask_as(f, "Basic", NULL), 401);
    assert_int_equal(ask_as(f, "Basic !!!!", NULL), 401);
    assert_int_equal(ask_as(f, "Bearer x", NULL), 401);
    assert_int_equal(ask_as(f, BOB, NULL), 200);
    assert_non_null(f->cookies);
    AUTO_TEXT *cookie = mem_text(strstr(f->cookies, "JSESSIONID"));
    cookie[strcspn(cookie, ";")] = '\0';
    assert_int_equal(ask_as(f, NULL, cookie), 200);
    assert_int_equal(ask_as(f, WRONG, cookie), 401);
    assert_int_equal(ask_as(f, BOB, cookie), 200);
    assert_null(f->cookies);
    assert_int_equal(ask_as(f, NULL, "JSESSIONID=abc"), 401);
    cookie[strlen(cookie) - 1] ^= 1;
    assert_int_equal(ask_as(f, NULL, cookie), 401);

    /* A reload forgets everything. */
    assert_null(users_set_password(f->users_path, "bob", "other"));
    assert_int_equal(ask_as(f, BOB, NULL), 200);
    assert_null(api_reload(f->api, &f->settings));
    assert_int_equal(ask_as(f, BOB, NULL), 401);

    f->settings.development = true;
    assert_null(api_reload(f->api, &f->settings));
    assert_int_equal(ask_as(f, ADMIN, NULL), 200);
    f->settings.development = false;
    f->settings.listen_address = "127.0.0.1";
    assert_null(api_reload(f->api, &f->settings));
    assert_int_equal(ask_as(f, ADMIN, NULL), 200);
}

static void
test_guessing_is_limited(void **state)
{
    struct fixture *f = *state;
    int status = 401;
    assert_int_equal(ask_as(f, BOB, NULL), 200);
    for (int i = 0; i < 100 && status == 401; i++) {
        AUTO_TEXT *header = mem_textf("Basic Ym9iOn%c%cMA==", 'a' + i % 26,
                                      'A' + i / 26);
        status = ask_as(f, header, NULL);
    }
    assert_int_equal(status, 503);
    assert_int_equal(ask_as(f, BOB, NULL), 200);
}

static void
test_users_file(void **state)
{
    struct fixture *f = *state;
    struct stat s;
    char *password = NULL;

    struct err *err = users_set_password(f->users_path, "a:b", "x");
    assert_non_null(err);
    err_destroy(err);
    assert_null(users_bootstrap(f->loop, f->users_path, &password));
    assert_null(password);
    assert_int_equal(unlink(f->users_path), 0);
    assert_null(users_bootstrap(f->loop, f->users_path, &password));
    assert_non_null(password);
    assert_true(strlen(password) >= 26);
    free(password);
    assert_int_equal(stat(f->users_path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
    assert_null(users_set_password(f->users_path, "carol", "pw"));

    char line[256];
    int n_lines = 0;
    FILE *file = fopen(f->users_path, "r");
    while (fgets(line, sizeof line, file)) {
        n_lines++;
        assert_non_null(strstr(line, ":$y$"));
    }
    fclose(file);
    assert_int_equal(n_lines, 2);
}

/* A call may outlive the api. */

static struct view_call *held;

static void
slow_view(struct view_call *call, const struct request *request,
          const char *argument, void *aux)
{
    held = call;
}

static void
never_answered(struct request *request, struct response *response, void *aux)
{
    fail();
}

static void
test_held_call(void **state)
{
    static const struct view view = { "GET", "/slow", "Slow", slow_view };
    struct fixture *f = *state;
    api_add_view(f->api, &view, NULL);
    struct request *request = request_from_text("GET", "/slow", NULL);
    request->trusted = true;
    api_handle(f->api, request, never_answered, NULL);
    assert_false(api_is_idle(f->api));
    api_destroy(f->api);
    view_answer(held, json_object_create());
    f->api = api_create(f->loop, f->model, NULL, &f->settings);
}

#define TEST(NAME, SETUP)                                                     \
    cmocka_unit_test_setup_teardown(test_##NAME, setup_##SETUP, teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(envelopes, default),
        TEST(envelopes, strict),
        TEST(bulk_is_one_transaction, default),
        TEST(bulk_strict, strict),
        TEST(create_twice, default),
        TEST(create_twice_strict, strict),
        TEST(update, default),
        TEST(update_strict, strict),
        TEST(revision, default),
        TEST(revision, strict),
        TEST(delete, default),
        TEST(delete_strict, strict),
        TEST(group_rules, default),
        TEST(group_rules_strict, strict),
        TEST(filters, default),
        TEST(filters, strict),
        TEST(pages, default),
        TEST(paths, default),
        TEST(paths, strict),
        TEST(port_status, default),
        TEST(host_configs, default),
        TEST(restconf, default),
        TEST(events, default),
        TEST(notifications, default),
        TEST(views, default),
        TEST(users, users),
        TEST(guessing_is_limited, users),
        TEST(users_file, users),
        TEST(held_call, default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
