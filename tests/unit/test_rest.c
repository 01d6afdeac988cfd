/* SPDX-License-Identifier: Apache-2.0 */

/* The Neutron northbound, under both rule sets: envelopes, verbs, status
 * codes, filters, pages, paths. */

#include "api_fixture.h"

#define NET2 "{\"id\":\"" ID(2) "\",\"name\":\"two\",\"tenant_id\":\"t\"}"
#define NET3 "{\"id\":\"" ID(3) "\",\"name\":\"three\",\"tenant_id\":\"u\"}"

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
    expect(f, 409, "POST", BASE "networks",
           "{\"networks\":[" NET1
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
    const char *other =
        "{\"network\":{\"id\":\"" ID(1) "\",\"name\":\"other\"}}";
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
    expect(
        f, 201, "POST", BASE "floatingips",
        "{\"floatingip\":{\"id\":\"" ID(
            5) "\",\"tenant_id\":\"t\",\"floating_ip_address\":\"10.0.0.9\","
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
    expect(f, 400, "PUT", fip,
           "{\"floatingip\":"
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
    expect(f, 201, "POST", BASE "ports",
           "{\"port\":{\"id\":\"" ID(
               5) "\","
                  "\"network_id\":\"" ID(
                      1) "\",\"name\":\"p\","
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

    expect(f, 201, "POST", BASE "networks",
           "{\"network\":{\"id\":\"" ID(
               1) "\",\"name\":\"a\",\"revision_number\":5}}");
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
    expect(f, 442, "POST", BASE "networks",
           "{\"network\":{\"id\":\"" ID(1) "\",\"qos_policy_id\":\"" ID(
               9) "\"}}");
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
           "{\"security_group\":{\"id\":\"" ID(
               7) "\","
                  "\"security_group_rules\":["
                  "{\"id\":\"" ID(8) "\",\"security_group_id\":\"" ID(
                      7) "\"},"
                         "{\"id\":\"" ID(9) "\",\"security_group_id\":\"" ID(
                             7) "\"},"
                                "{\"id\":\"junk\",\"security_group_id\":\"" ID(
                                    7) "\"}]}}");
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
    expect_text(f, "\"http://localhost" BASE
                   "networks?limit=2&marker=" ID(2) "\"");
    expect_no_text(f, "previous");
    expect(f, 200, "GET", BASE "networks?limit=2&marker=" ID(2), NULL);
    assert_int_equal(body_count(f, "networks"), 1);
    expect_text(f, "marker=" ID(3) "&page_reverse=True");
    expect_no_text(f, "\"next\"");
    expect(f, 200, "GET",
           BASE "networks?limit=2&page_reverse=True&marker=" ID(3), NULL);
    assert_int_equal(body_count(f, "networks"), 2);
    expect_no_text(f, "previous");
    expect(f, 200, "GET",
           BASE "networks?limit=1&page_reverse=true&marker=" ID(3), NULL);
    assert_int_equal(body_count(f, "networks"), 1);
    expect_text(f, "previous");
    expect(f, 200, "GET", BASE "networks?limit=2&marker=" ID(3), NULL);
    assert_int_equal(body_count(f, "networks"), 0);
    expect_text(f, "previous");
    expect(f, 400, "GET",
           BASE "networks?limit=2&page_reverse=true&marker=" ID(1), NULL);
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

    expect(f, 201, "POST", members,
           "{\"member\":{\"id\":\"" ID(
               2) "\",\"address\":\"10.0.0.1\",\"protocol_port\":\"80\"}}");
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
    expect(f, 405, "GET", BASE "routers/" ID(1) "/add_router_interface", NULL);
}

#define PORT5 "{\"port\":{\"id\":\"" ID(5) "\",\"network_id\":\"" ID(1) "\"}}"

static void
test_port_status(void **state)
{
    struct fixture *f = *state;
    const char *pull =
        "/restconf/operational/neutron:neutron/ports/port/" ID(5);

    expect(f, 404, "GET", pull, NULL);
    expect(f, 201, "POST", BASE "ports", PORT5);
    expect_text(f, "\"status\":\"DOWN\"");
    expect(f, 200, "GET", pull, NULL);
    assert_string_equal(
        f->body, "{\"port\":[{\"status\":\"DOWN\",\"uuid\":\"" ID(5) "\"}]}");
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
