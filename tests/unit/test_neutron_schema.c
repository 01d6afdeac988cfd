/* SPDX-License-Identifier: Apache-2.0 */
/* Neutron's resources: defaults, forms, checks, and that the tables are what
 * the API needs them to be. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model_fixture.h"

#include "features/features.h"
#include "features/neutron/neutron.h"

#define ID1 "11111111-1111-4111-8111-111111111111"
#define ID2 "22222222-2222-4222-8222-222222222222"
#define ID3 "33333333-3333-4333-8333-333333333333"

enum mode { LENIENT, STRICT };

/* Knows the objects ID1 and nothing else. */
static const struct entity *
find_known(const struct check *check, const char *resource,
           const struct uuid *id)
{
    struct uuid known;

    assert_true(uid_from_text(ID1, &known));
    return uid_equals(id, &known) ? check->aux : NULL;
}

/* What POST does before it stores. */
static struct err *
try_create(const struct resource *resource, enum mode mode, const char *text,
           struct entity **entityp)
{
    AUTO_TEXT *plain = quoted(text);
    AUTO(json) *json = json_from_string(plain);
    AUTO(entity) *entity = NULL;
    AUTO(entity) *known = entity_create(resource, &(struct uuid){ { 0 } });
    struct check check = {
        .find = find_known,
        .aux = known,
        .strict = mode == STRICT,
        .creating = true,
    };

    struct err *err = entity_from_json(resource, json, NULL, 0, &entity);
    if (!err) {
        err = entity_complete(entity);
    }
    if (!err) {
        err = resource->check(&check, entity);
    }
    if (!err) {
        *entityp = STEAL(entity);
    }
    return err;
}

static struct entity *
create(const struct resource *resource, enum mode mode, const char *text)
{
    struct entity *entity = NULL;
    AUTO(err) *err = try_create(resource, mode, text, &entity);

    if (err) {
        AUTO_TEXT *why = err_to_text(err);
        fail_msg("%s: %s", text, why);
    }
    return entity;
}

static void
assert_refused(const struct resource *resource, enum mode mode,
               const char *text, enum err_kind kind, const char *expected)
{
    AUTO(entity) *entity = NULL;
    AUTO(err) *err = try_create(resource, mode, text, &entity);

    assert_non_null(err);
    assert_int_equal(err->kind, kind);
    AUTO_TEXT *found = mem_textf("%s: %s", err->field, err->text);
    assert_string_equal(found, expected);
}

static void
assert_answer(const struct entity *entity, const char *expected)
{
    AUTO_TEXT *text = text_of(entity, ENTITY_ANSWER);
    AUTO_TEXT *plain = quoted(expected);

    assert_string_equal(text, plain);
}

/* PUT in default mode. */
static struct entity *
replace(const struct entity *old, const char *text)
{
    struct entity *entity = entity_of(old->resource, text);

    entity_inherit(entity, old);
    AUTO(err) *err = entity_complete(entity);
    assert_null(err);
    return entity;
}

/* Tables. */

static void
test_tables(void **state)
{
    AUTO(model) *model = model_create();
    neutron_register(model);
    assert_int_equal(model_n_resources(model), 35);

    for (size_t i = 0; i < model_n_resources(model); i++) {
        const struct resource *resource = model_resource_at(model, i);
        int n_columns = 0;
        assert_non_null(resource->path);
        assert_non_null(resource->title);
        assert_non_null(resource->check);
        assert_non_null(shape_find(&resource->shape, "tenant_id"));
        assert_non_null(shape_find(&resource->shape, "project_id"));
        assert_non_null(shape_find(&resource->shape, "revision_number"));
        if (resource->parent) {
            assert_non_null(shape_find(&resource->shape, resource->parent));
        }
        for (size_t j = 0; j < resource->shape.n_fields; j++) {
            const struct field *field = &resource->shape.fields[j];
            n_columns += field->column;
            if (field->target && !model_resource(model, field->target)) {
                fail_msg("%s.%s names no resource", resource->shape.name,
                         field->name);
            }
            for (size_t k = 0; k < j; k++) {
                assert_string_not_equal(
                    field_json_name(field),
                    field_json_name(&resource->shape.fields[k]));
            }
        }
        assert_in_range(n_columns, 2, 7);
        for (size_t j = 0; j < i; j++) {
            const struct resource *other = model_resource_at(model, j);
            assert_string_not_equal(resource->path, other->path);
            assert_string_not_equal(resource->plural, other->plural);
        }
    }
}

static void
test_openapi(void **state)
{
    AUTO(model) *model = model_create();
    neutron_register(model);
    AUTO(json) *made = model_openapi(model, "/controller/nb/v2/neutron");
    AUTO_TEXT *text = json_to_string(made, 0);
    AUTO(json) *doc = json_from_string(text);
    assert_int_equal(doc->type, JSON_OBJECT);

    const struct json *schemas = jget(jget(doc, "components"), "schemas");
    for (size_t i = 0; i < model_n_resources(model); i++) {
        assert_non_null(
            jget(schemas, model_resource_at(model, i)->shape.name));
    }
    const struct json *paths = jget(doc, "paths");
    assert_non_null(jget(paths, "/qos/policies/{id}"));
    assert_non_null(jget(paths, "/lbaas/pools/{pool_id}/members/{id}"));
    assert_non_null(jget(paths, "/tap/flows/{tap_service_id}/flows/{id}"));
    assert_null(jget(jget(paths, "/metering/metering-labels/{id}"), "put"));
}

static void
test_random(void **state)
{
    struct random random = random_from_environment();
    AUTO(model) *model = model_create();
    neutron_register(model);

    for (size_t i = 0; i < model_n_resources(model); i++) {
        check_random_entities(&random, model_resource_at(model, i), 100);
    }
}

/* Networks. */

static void
test_network(void **state)
{
    AUTO(entity) *e = create(
        &network_resource, LENIENT,
        "{'id':'" ID1 "','name':'n','tenant_id':'t','mtu':1450,"
        "'provider:network_type':'vxlan','provider:segmentation_id':'77',"
        "'provider:physical_network':null,'router:external':'True',"
        "'tags':[],'created_at':'2024'}");

    assert_answer(
        e,
        "{'id':'" ID1 "','name':'n','admin_state_up':true,'status':'ACTIVE',"
        "'shared':false,'router:external':true,"
        "'provider:network_type':'vxlan','provider:segmentation_id':77,"
        "'vlan_transparent':false,'mtu':1450,'tenant_id':'t',"
        "'project_id':'t','created_at':'2024','tags':[]}");
    assert_ptr_equal(shape_find(&network_resource.shape, "router_external"),
                     shape_find(&network_resource.shape, "router:external"));
    assert_true(entity_matches(
        e, shape_find(&network_resource.shape, "provider_segmentation_id"),
        "77"));
}

static void
test_network_segments(void **state)
{
    AUTO(entity) *e = create(
        &network_resource, STRICT,
        "{'id':'" ID1 "','tenant_id':'bd8db3a8-2B30-4083-a8b3-b3fd46401142',"
        "'segments':[{'provider:network_type':'vlan',"
        "'provider:segmentation_id':'5','provider:physical_network':'p'},"
        "{'provider:network_type':'stt','provider:segmentation_id':null}]}");

    assert_answer(
        e, "{'id':'" ID1 "','admin_state_up':true,'status':'ACTIVE',"
           "'shared':false,'router:external':false,'segments':["
           "{'provider:network_type':'vlan','provider:physical_network':'p',"
           "'provider:segmentation_id':5},{'provider:network_type':'stt'}],"
           "'vlan_transparent':false,"
           "'tenant_id':'bd8db3a82b304083a8b3b3fd46401142',"
           "'project_id':'bd8db3a82b304083a8b3b3fd46401142'}");
}

static void
test_network_policy(void **state)
{
    const char *unknown = "{'id':'" ID1 "','qos_policy_id':'" ID2 "'}";

    entity_destroy(create(&network_resource, LENIENT, unknown));
    assert_refused(&network_resource, STRICT, unknown, ERR_DEPENDENCY,
                   "qos_policy_id: there is no policy " ID2);
    entity_destroy(create(&network_resource, STRICT,
                          "{'id':'" ID1 "','qos_policy_id':'" ID1 "'}"));
}

static void
test_network_replaced(void **state)
{
    AUTO(entity) *old =
        create(&network_resource, LENIENT,
               "{'id':'" ID1 "','name':'n','tenant_id':'t','status':'DOWN',"
               "'qos_policy_id':'" ID2 "','subnets':['" ID3 "'],'mtu':9000,"
               "'revision_number':4,'tags':['x']}");
    AUTO(entity) *e = replace(old, "{'id':'" ID1 "','name':'m',"
                                   "'tenant_id':'other'}");

    assert_answer(
        e, "{'id':'" ID1 "','name':'m','admin_state_up':true,'status':'DOWN',"
           "'shared':false,'router:external':false,'vlan_transparent':false,"
           "'subnets':['" ID3 "'],'tenant_id':'t','project_id':'t',"
           "'revision_number':4}");
}

/* Subnets. */

/* Checks the gateway and the pools that a subnet gets. */
static void
assert_pools(const char *members, const char *gateway, const char *pools)
{
    AUTO_TEXT *text =
        mem_textf("{'id':'" ID1 "','network_id':'" ID2 "',%s}", members);
    AUTO(entity) *e = create(&subnet_resource, LENIENT, text);
    AUTO_TEXT *gateway_text =
        field_to_text(shape_find(&subnet_resource.shape, "gateway_ip"), e);
    AUTO_TEXT *found = field_to_text(
        shape_find(&subnet_resource.shape, "allocation_pools"), e);
    AUTO_DS ds = DS_EMPTY_INITIALIZER;
    const struct subnet *subnet = subnet_cast(e);

    assert_string_equal(gateway_text ? gateway_text : "none", gateway);
    for (size_t i = 0; i < subnet->allocation_pools.n; i++) {
        char start[INET6_ADDRSTRLEN], end[INET6_ADDRSTRLEN];
        ipaddr_to_text(&subnet->allocation_pools.items[i].start, start);
        ipaddr_to_text(&subnet->allocation_pools.items[i].end, end);
        ds_put_format(&ds, "%s%s-%s", i ? " " : "", start, end);
    }
    assert_string_equal(ds_cstr(&ds), pools);
    assert_non_null(found);
    assert_int_equal(subnet->ip_version, prefix_is_v4(&subnet->cidr) ? 4 : 6);
}

static void
test_subnet_pools(void **state)
{
    assert_pools("'cidr':'10.0.0.0/24'", "10.0.0.1", "10.0.0.2-10.0.0.254");
    assert_pools("'cidr':'10.0.0.77/24'", "10.0.0.1", "10.0.0.2-10.0.0.254");
    assert_pools("'cidr':'10.0.0.0/24','gateway_ip':'10.0.0.5'", "10.0.0.5",
                 "10.0.0.1-10.0.0.4 10.0.0.6-10.0.0.254");
    assert_pools("'cidr':'10.0.0.0/24','gateway_ip':'10.0.0.254'",
                 "10.0.0.254", "10.0.0.1-10.0.0.253");
    assert_pools("'cidr':'10.0.0.0/24','gateway_ip':null", "none",
                 "10.0.0.1-10.0.0.254");
    assert_pools("'cidr':'10.0.0.0/24','gateway_ip':'10.9.9.9'", "10.9.9.9",
                 "10.0.0.1-10.0.0.254");
    assert_pools("'cidr':'10.0.0.0/24','allocation_pools':"
                 "[{'start':'10.0.0.9','end':'10.0.0.11'}]",
                 "none", "10.0.0.9-10.0.0.11");
    assert_pools("'cidr':'10.0.0.0/24','allocation_pools':[]", "none", "");
    assert_pools("'cidr':'10.0.255.0/16'", "10.0.0.1",
                 "10.0.0.2-10.0.255.254");
    assert_pools("'cidr':'10.0.0.4/30'", "10.0.0.5", "10.0.0.6-10.0.0.6");
    assert_pools("'cidr':'10.0.0.4/31'", "10.0.0.4", "10.0.0.5-10.0.0.5");
    assert_pools("'cidr':'10.0.0.4/32'", "10.0.0.4", "");
    assert_pools("'cidr':'0.0.0.0/0'", "0.0.0.1", "0.0.0.2-255.255.255.254");
    assert_pools("'cidr':'2001:db8::/64','ip_version':6", "2001:db8::1",
                 "2001:db8::2-2001:db8::ffff:ffff:ffff:ffff");
    assert_pools("'cidr':'2001:db8::/64','gateway_ip':'2001:db8::'",
                 "2001:db8::", "2001:db8::1-2001:db8::ffff:ffff:ffff:ffff");
    assert_pools("'cidr':'2001:db8::/127'",
                 "2001:db8::", "2001:db8::1-2001:db8::1");
    assert_pools("'cidr':'2001:db8::/128'", "2001:db8::", "");
}

static void
test_subnet_refused(void **state)
{
    static const char *const cases[][2] = {
        { "'cidr':'nonsense'", "cidr: not an IP prefix: \"nonsense\"" },
        { "'name':'x'", "cidr: is required" },
        { "'cidr':'10.0.0.0/8','ip_version':6",
          "cidr: is not of IP version 6" },
        { "'cidr':'2001:db8::/64','ip_version':'4'",
          "cidr: is not of IP version 4" },
        { "'cidr':'10.0.0.0/8','ip_version':5",
          "cidr: is not of IP version 5" },
        { "'cidr':'10.0.0.0/8','gateway_ip':'::1'",
          "gateway_ip: is not of the CIDR's IP version" },
        { "'cidr':'10.0.0.0/8','allocation_pools':[{'start':'10.0.0.1'}]",
          "allocation_pools[0]: is not two addresses of the CIDR's IP "
          "version" },
        { "'cidr':'10.0.0.0/8','ipv6_ra_mode':'magic'",
          "ipv6_ra_mode: not one of slaac|dhcpv6-stateful|dhcpv6-stateless|"
          "off: \"magic\"" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO_TEXT *text = mem_textf(
            "{'id':'" ID1 "','network_id':'" ID2 "',%s}", cases[i][0]);
        assert_refused(&subnet_resource, LENIENT, text, ERR_INVALID,
                       cases[i][1]);
    }
}

static void
test_subnet_replaced(void **state)
{
    AUTO(entity) *old =
        create(&subnet_resource, LENIENT,
               "{'id':'" ID1 "','network_id':'" ID2 "','cidr':'10.0.0.0/30',"
               "'subnetpool_id':'" ID3 "','tenant_id':'t'}");
    AUTO(entity) *e = replace(
        old,
        "{'id':'" ID1 "','network_id':'" ID3 "','cidr':'10.9.0.0/30',"
        "'gateway_ip':null,'enable_dhcp':false,'allocation_pools':[],"
        "'host_routes':[{'destination':'10.5.0.0/16','nexthop':'10.0.0.2'}],"
        "'dns_nameservers':['8.8.8.8']}");

    assert_answer(
        e,
        "{'id':'" ID1 "','network_id':'" ID2 "','ip_version':4,"
        "'cidr':'10.0.0.0/30','enable_dhcp':false,"
        "'dns_nameservers':['8.8.8.8'],'allocation_pools':[],"
        "'host_routes':[{'destination':'10.5.0.0/16','nexthop':'10.0.0.2'}],"
        "'tenant_id':'t','project_id':'t'}");
}

/* Ports. */

static void
test_port(void **state)
{
    AUTO(entity) *e = create(
        &port_resource, LENIENT,
        "{'id':'" ID1 "','network_id':'" ID2 "','name':'',"
        "'mac_address':'FA:16:3E:00:00:01','tenant_id':'t','project_id':'',"
        "'fixed_ips':[{'subnet_id':'" ID3 "','ip_address':'10.0.0.5'}],"
        "'security_groups':[{'id':'" ID1 "','name':'default','rules':[1]},"
        "'" ID2 "'],'allowed_address_pairs':[{'ip_address':'10.0.0.9'},"
        "{'ip_address':'10.1.0.0/16','mac_address':'fa:16:3e:00:00:02'},"
        "{'ip_address':'10.2.0.1/32'}],'binding:profile':'{}',"
        "'binding:vif_details':{'port_filter':true},'binding:host_id':'',"
        "'extra_dhcp_opts':[{'opt_name':'a','opt_value':'b'}]}");

    assert_answer(
        e,
        "{'id':'" ID1 "','name':'','network_id':'" ID2 "',"
        "'mac_address':'fa:16:3e:00:00:01',"
        "'fixed_ips':[{'subnet_id':'" ID3 "','ip_address':'10.0.0.5'}],"
        "'admin_state_up':true,'status':'ACTIVE',"
        "'security_groups':[{'id':'" ID1 "'},{'id':'" ID2 "'}],"
        "'allowed_address_pairs':["
        "{'mac_address':'fa:16:3e:00:00:01','ip_address':'10.0.0.9'},"
        "{'mac_address':'fa:16:3e:00:00:02','ip_address':'10.1.0.0/16'},"
        "{'mac_address':'fa:16:3e:00:00:01','ip_address':'10.2.0.1'}],"
        "'port_security_enabled':true,'binding:host_id':'',"
        "'binding:profile':'{}','binding:vif_details':{'port_filter':true},"
        "'extra_dhcp_opts':[{'opt_name':'a','opt_value':'b','ip_version':4}],"
        "'tenant_id':'t','project_id':''}");
    assert_refused(&port_resource, LENIENT, "{'id':'" ID1 "'}", ERR_INVALID,
                   "network_id: is required");
}

static void
test_port_replaced(void **state)
{
    AUTO(entity) *old =
        create(&port_resource, LENIENT,
               "{'id':'" ID1 "','network_id':'" ID2 "','tenant_id':'t',"
               "'mac_address':'fa:16:3e:00:00:01','qos_policy_id':'" ID3 "',"
               "'fixed_ips':[{'ip_address':'10.0.0.5'}],'dns_name':'d',"
               "'trunk_details':{'a':1},'security_groups':['" ID1 "']}");
    AUTO(entity) *e = replace(old, "{'id':'" ID1 "','binding:host_id':'c1'}");

    assert_answer(
        e, "{'id':'" ID1 "','network_id':'" ID2 "',"
           "'mac_address':'fa:16:3e:00:00:01',"
           "'fixed_ips':[{'ip_address':'10.0.0.5'}],'admin_state_up':true,"
           "'status':'ACTIVE','security_groups':[],'allowed_address_pairs':[],"
           "'port_security_enabled':true,'binding:host_id':'c1',"
           "'extra_dhcp_opts':[],'tenant_id':'t','project_id':'t'}");
}

/* Routers, floating IPs. */

static void
test_router(void **state)
{
    AUTO(entity) *none = create(
        &router_resource, LENIENT,
        "{'id':'" ID1 "','external_gateway_info':{},'gw_port_id':null}");
    assert_null(router_cast(none)->external_gateway_info);

    AUTO(entity) *e = create(
        &router_resource, LENIENT,
        "{'id':'" ID1 "','external_gateway_info':{'network_id':'" ID2 "',"
        "'external_fixed_ips':[{'ip_address':'1.1.1.1'}],'new':1}}");
    assert_answer(e,
                  "{'id':'" ID1 "','admin_state_up':true,'status':'ACTIVE',"
                  "'external_gateway_info':{'network_id':'" ID2
                  "','enable_snat':true,"
                  "'external_fixed_ips':[{'ip_address':'1.1.1.1'}],'new':1},"
                  "'routes':[]}");
}

static void
test_floatingip(void **state)
{
    AUTO(entity) *e = create(
        &floatingip_resource, LENIENT,
        "{'id':'" ID1 "','port_id':'" ID2 "','router_id':'" ID3 "',"
        "'floating_ip_address':'1.1.1.1','fixed_ip_address':'10.0.0.5'}");
    assert_string_equal(floatingip_cast(e)->status, "ACTIVE");

    /* Disassociation: the driver leaves the keys out. */
    AUTO(entity) *gone = replace(e, "{'id':'" ID1 "','status':'DOWN',"
                                    "'floating_ip_address':'1.1.1.1'}");
    assert_answer(gone, "{'id':'" ID1 "','floating_ip_address':'1.1.1.1',"
                        "'status':'DOWN'}");

    AUTO(entity) *alone = create(&floatingip_resource, LENIENT,
                                 "{'id':'" ID1 "','port_id':null}");
    assert_string_equal(floatingip_cast(alone)->status, "DOWN");
}

/* Security groups. */

static void
assert_protocol(const struct resource *resource, enum mode mode,
                const char *protocol, bool accepted)
{
    AUTO_TEXT *text = mem_textf("{'id':'" ID1 "','security_group_id':'" ID1
                                "','protocol':%s}",
                                protocol);
    AUTO(entity) *entity = NULL;
    AUTO(err) *err = try_create(resource, mode, text, &entity);

    if (!err != accepted) {
        fail_msg("%s %s", resource->shape.name, protocol);
    }
    if (err) {
        assert_int_equal(err->kind, ERR_INVALID);
        assert_string_equal(err->field, "protocol");
    }
}

static void
test_protocols(void **state)
{
    static const struct {
        const struct resource *resource;
        const char *protocol;
        bool strict, lenient;
    } cases[] = {
        { &security_group_rule_resource, "null", true, true },
        { &security_group_rule_resource, "''", true, true },
        { &security_group_rule_resource, "'tcp'", true, true },
        { &security_group_rule_resource, "'icmpv6'", true, true },
        { &security_group_rule_resource, "'TCP'", false, false },
        { &security_group_rule_resource, "'sctp'", false, true },
        { &security_group_rule_resource, "'ipv6-icmp'", false, true },
        { &security_group_rule_resource, "0", true, true },
        { &security_group_rule_resource, "'255'", true, true },
        { &security_group_rule_resource, "256", false, false },
        { &security_group_rule_resource, "'-1'", false, false },
        { &firewall_rule_resource, "'udp'", true, true },
        { &firewall_rule_resource, "'UDP'", false, false },
        { &flowclassifier_resource, "'udp'", true, true },
        { &flowclassifier_resource, "'TCP'", false, false },
        { &lb_listener_resource, "'TERMINATED_HTTPS'", true, true },
        { &lb_listener_resource, "'UDP'", false, true },
        { &lb_listener_resource, "'http'", false, false },
        { &lb_pool_resource, "'HTTP'", true, true },
        { &lb_pool_resource, "'tcp'", false, false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_protocol(cases[i].resource, STRICT, cases[i].protocol,
                        cases[i].strict);
        assert_protocol(cases[i].resource, LENIENT, cases[i].protocol,
                        cases[i].lenient);
    }
    assert_refused(&security_group_rule_resource, LENIENT,
                   "{'id':'" ID1 "','security_group_id':'" ID1 "',"
                   "'protocol':'TCP'}",
                   ERR_INVALID, "protocol: Protocol TCP is not supported");
}

static void
test_security_group_rule(void **state)
{
    const struct resource *rule = &security_group_rule_resource;
    const char *alone = "{'id':'" ID1 "','direction':'ingress'}";
    const char *unknown = "{'id':'" ID1 "','security_group_id':'" ID2 "'}";
    const char *remote = "{'id':'" ID1 "','security_group_id':'" ID1 "',"
                         "'remote_group_id':'" ID2 "'}";

    assert_refused(rule, STRICT, alone, ERR_CORRUPT,
                   "security_group_id: is required");
    assert_refused(rule, LENIENT, alone, ERR_INVALID,
                   "security_group_id: is required");
    assert_refused(rule, STRICT, unknown, ERR_DEPENDENCY,
                   "security_group_id: there is no security_group " ID2);
    assert_refused(rule, STRICT, remote, ERR_DEPENDENCY,
                   "remote_group_id: there is no security_group " ID2);
    entity_destroy(create(rule, LENIENT, unknown));
    entity_destroy(create(rule, LENIENT, remote));

    AUTO(entity) *e = create(
        rule, STRICT,
        "{'id':'" ID1 "','security_group_id':'" ID1 "','protocol':6,"
        "'direction':'ingress','ethertype':'IPv4','port_range_min':'77',"
        "'port_range_max':77,'remote_ip_prefix':'10.10.10.10/16',"
        "'remote_group_id':null,'name':'kept'}");
    assert_answer(e, "{'id':'" ID1 "','security_group_id':'" ID1 "',"
                     "'direction':'ingress','ethertype':'IPv4','protocol':'6',"
                     "'port_range_min':77,'port_range_max':77,"
                     "'remote_ip_prefix':'10.10.10.10/16','name':'kept'}");

    /* A PUT without the group is not completed from the stored rule. */
    AUTO(entity) *put = entity_of(rule, "{'id':'" ID1 "','protocol':'udp'}");
    entity_merge(put, e);
    assert_false(HAS(security_group_rule, security_group_rule_cast(put),
                     security_group));
    assert_true(
        HAS(security_group_rule, security_group_rule_cast(put), direction));
}

/* The rest. */

static void
test_qos(void **state)
{
    AUTO(entity) *e =
        create(&qos_policy_resource, LENIENT,
               "{'id':'" ID1 "','bandwidth_limit_rules':[{'id':'" ID2 "',"
               "'tenant_id':'t','max_kbps':'25','max_burst_kbps':100}],"
               "'rules':[{'type':'dscp_marking','dscp_mark':8}]}");

    assert_answer(
        e, "{'id':'" ID1 "','shared':false,'bandwidth_limit_rules':[{"
           "'id':'" ID2 "','direction':'egress','max_kbps':25,"
           "'max_burst_kbps':100,'tenant_id':'t'}],'dscp_marking_rules':[],"
           "'rules':[{'type':'dscp_marking','dscp_mark':8}]}");
    assert_string_equal(qos_policy_resource.shape.name, "policy");
}

static void
test_others(void **state)
{
    AUTO(entity) *trunk = create(
        &trunk_resource, LENIENT,
        "{'id':'" ID1 "','port_id':'" ID2 "','sub_ports':[{'port_id':"
        "'" ID3 "','segmentation_id':'7','segmentation_type':'vlan'}]}");
    assert_answer(trunk,
                  "{'id':'" ID1 "','port_id':'" ID2 "','admin_state_up':true,"
                  "'status':'DOWN','sub_ports':[{'port_id':'" ID3 "',"
                  "'segmentation_type':'vlan','segmentation_id':7}]}");

    AUTO(entity) *vpn = create(
        &bgpvpn_resource, LENIENT,
        "{'id':'" ID1 "','route_targets':'64512:1','networks':['" ID2 "']}");
    assert_int_equal(bgpvpn_cast(vpn)->route_targets.n, 1);
    assert_string_equal(bgpvpn_cast(vpn)->type, "l3");

    AUTO(entity) *connection = create(&l2gateway_connection_resource, LENIENT,
                                      "{'id':'" ID1 "','l2_gateway_id':'" ID2
                                      "','segmentation_id':''}");
    assert_answer(connection, "{'id':'" ID1 "','gateway_id':'" ID2 "',"
                              "'segmentation_id':''}");

    AUTO(entity) *gateway =
        create(&l2_gateway_resource, LENIENT,
               "{'id':'" ID1 "','devices':[{'device_name':'d','interfaces':"
               "[{'name':'i','segmentation_id':[100,'50']}]}]}");
    assert_answer(gateway, "{'id':'" ID1 "','devices':[{'device_name':'d',"
                           "'interfaces':[{'name':'i',"
                           "'segmentation_id':['100','50']}]}]}");

    AUTO(entity) *ipsec = create(&ipsec_site_connection_resource, LENIENT,
                                 "{'id':'" ID1 "','psk':'secret'}");
    AUTO_TEXT *answer = text_of(ipsec, ENTITY_ANSWER);
    assert_null(strstr(answer, "secret"));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_openapi),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_network_segments),
        cmocka_unit_test(test_network_policy),
        cmocka_unit_test(test_network_replaced),
        cmocka_unit_test(test_subnet_pools),
        cmocka_unit_test(test_subnet_refused),
        cmocka_unit_test(test_subnet_replaced),
        cmocka_unit_test(test_port),
        cmocka_unit_test(test_port_replaced),
        cmocka_unit_test(test_router),
        cmocka_unit_test(test_floatingip),
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_security_group_rule),
        cmocka_unit_test(test_qos),
        cmocka_unit_test(test_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
