/* SPDX-License-Identifier: Apache-2.0 */

/* Random steps.
 *
 * The cloud is small (a few objects of each kind, few MACs and addresses), so
 * that everything meets everything soon: duplicates, dangling references,
 * addresses on two ports, a port plugged on two hosts, types that cannot
 * work.  Each attribute that a pass reads is varied, also by leaving it out
 * and by null. */

#include "oracle/steps.h"

#include <stdio.h>

#include "net/net.h"

#define N_NETWORKS 7
#define N_SUBNETS  7
#define N_PORTS    12
#define N_MACS     9

uint64_t
dice_roll(struct dice *dice)
{
    return hash64_mix(hash64_mix(0x9e3779b97f4a7c15, dice->seed), ++dice->n);
}

uint64_t
dice_below(struct dice *dice, uint64_t n)
{
    return dice_roll(dice) % n;
}

bool
dice_chance(struct dice *dice, int percent)
{
    return dice_below(dice, 100) < (uint64_t) percent;
}

static const char *
choose(struct dice *dice, const char *const *choices, size_t n)
{
    return choices[dice_below(dice, n)];
}
#define CHOOSE(DICE, ...)                                                     \
    choose(DICE, (const char *const[]){ __VA_ARGS__ },                        \
           sizeof((const char *const[]){ __VA_ARGS__ })                       \
               / sizeof(const char *))

const char *
step_host_name(size_t index)
{
    static const char *const names[N_STEP_HOSTS] = { "h0", "h1", "h2" };
    return names[index];
}

static char *
object_id(char kind, uint64_t index)
{
    return mem_textf("%c%c%c%c%c%c%c%c-0000-4000-8000-%012x", kind, kind, kind,
                     kind, kind, kind, kind, kind, (unsigned int) index);
}

static char *
random_id(struct dice *dice, char kind)
{
    return object_id(kind, dice_below(dice, kind == 'a'   ? N_NETWORKS
                                            : kind == 'b' ? N_SUBNETS
                                                          : N_PORTS));
}

static void
put_text(struct json *object, const char *name, char *text)
{
    json_object_put(object, name, json_string_create_nocopy(text));
}

static void
put_bool(struct json *object, const char *name, bool b)
{
    json_object_put(object, name, json_boolean_create(b));
}

static void
put_int(struct json *object, const char *name, int64_t n)
{
    json_object_put(object, name, json_integer_create(n));
}

static struct json *
put_step(const char *resource, struct json *body)
{
    struct json *step = json_object_create();
    json_object_put_string(step, "put", resource);
    json_object_put(step, "body", body);
    return step;
}

static struct json *
delete_step(const char *resource, char *id)
{
    struct json *step = json_object_create();
    json_object_put_string(step, "delete", resource);
    put_text(step, "id", id);
    return step;
}

/* Users' objects. */

static void
put_provider(struct dice *dice, struct json *object)
{
    const char *type = CHOOSE(dice, "vxlan", "vxlan", "vxlan", "gre", "geneve",
                              "vlan", "vlan", "flat", "local", "bogus");
    json_object_put_string(object, "provider:network_type", type);
    if (!dice_chance(dice, 5)) {
        put_int(object, "provider:segmentation_id",
                1 + dice_below(dice, dice_chance(dice, 5) ? 100000000 : 6));
    }
    if (!strcmp(type, "vlan") || !strcmp(type, "flat")
        || dice_chance(dice, 5)) {
        if (!dice_chance(dice, 5)) {
            json_object_put_string(object, "provider:physical_network",
                                   CHOOSE(dice, "pn0", "pn1", "pn2"));
        }
    }
}

static struct json *
random_network(struct dice *dice)
{
    struct json *body = json_object_create();
    put_text(body, "id", random_id(dice, 'a'));
    json_object_put_string(body, "name", CHOOSE(dice, "red", "blue"));
    if (dice_chance(dice, 90)) {
        put_provider(dice, body);
    } else if (dice_chance(dice, 70)) {
        struct json *segments = json_array_create_empty();
        for (uint64_t n = 1 + dice_below(dice, 2); n > 0; n--) {
            struct json *segment = json_object_create();
            put_provider(dice, segment);
            json_array_add(segments, segment);
        }
        json_object_put(body, "segments", segments);
    }
    if (dice_chance(dice, 50)) {
        put_int(body, "mtu",
                dice_chance(dice, 50) ? 1450 : 1400 + dice_below(dice, 200));
    }
    if (dice_chance(dice, 70)) {
        put_bool(body, "admin_state_up", dice_chance(dice, 85));
    }
    if (dice_chance(dice, 20)) {
        put_bool(body, "router:external", dice_chance(dice, 50));
    }
    return put_step("network", body);
}

static struct json *
random_subnet(struct dice *dice)
{
    struct json *body = json_object_create();
    uint64_t index = dice_below(dice, N_SUBNETS);
    bool v6 = index & 1;
    put_text(body, "id", object_id('b', index));
    put_text(body, "network_id", random_id(dice, 'a'));
    put_int(body, "ip_version", v6 ? 6 : 4);
    put_text(
        body, "cidr",
        mem_textf(v6 ? "fd00:%u::/64" : "10.0.%u.0/24", (unsigned int) index));
    if (dice_chance(dice, 60)) {
        put_text(
            body, "gateway_ip",
            mem_textf(v6 ? "fd00:%u::1" : "10.0.%u.1", (unsigned int) index));
    }
    put_bool(body, "enable_dhcp", dice_chance(dice, 50));
    return put_step("subnet", body);
}

static char *
random_mac(struct dice *dice)
{
    return mem_textf("fa:16:3e:00:00:%02x",
                     (unsigned int) dice_below(dice, N_MACS));
}

static char *
random_address(struct dice *dice, uint64_t subnet)
{
    return mem_textf(subnet & 1 ? "fd00:%u::%u" : "10.0.%u.%u",
                     (unsigned int) subnet,
                     2 + (unsigned int) dice_below(dice, 8));
}

static struct json *
random_fixed_ips(struct dice *dice)
{
    struct json *array = json_array_create_empty();
    for (uint64_t n = dice_below(dice, 4); n > 0; n--) {
        struct json *fixed = json_object_create();
        uint64_t subnet = dice_below(dice, N_SUBNETS);
        put_text(fixed, "subnet_id", object_id('b', subnet));
        put_text(fixed, "ip_address", random_address(dice, subnet));
        json_array_add(array, fixed);
    }
    return array;
}

static struct json *
random_pairs(struct dice *dice)
{
    struct json *array = json_array_create_empty();
    for (uint64_t n = dice_below(dice, 3); n > 0; n--) {
        struct json *pair = json_object_create();
        char *address = random_address(dice, dice_below(dice, N_SUBNETS));
        if (dice_chance(dice, 30)) {
            char *prefix =
                mem_textf("%s/%u", address, strchr(address, ':') ? 120 : 28);
            free(address);
            address = prefix;
        }
        put_text(pair, "ip_address", address);
        if (dice_chance(dice, 60)) {
            put_text(pair, "mac_address", random_mac(dice));
        }
        json_array_add(array, pair);
    }
    return array;
}

static void
put_binding(struct dice *dice, struct json *body)
{
    if (dice_chance(dice, 80)) {
        json_object_put_string(
            body, "binding:host_id",
            CHOOSE(dice, "h0", "h1", "h2", "alias1", "", "nowhere"));
    }
    if (dice_chance(dice, 80)) {
        json_object_put_string(body, "device_owner",
                               CHOOSE(dice, "compute:nova", "compute:nova",
                                      "network:dhcp", "", "baremetal:none",
                                      "network:router_interface"));
    }
}

static struct json *
random_port(struct dice *dice)
{
    struct json *body = json_object_create();
    put_text(body, "id", random_id(dice, 'c'));
    put_text(body, "network_id", random_id(dice, 'a'));
    if (dice_chance(dice, 97)) {
        put_text(body, "mac_address", random_mac(dice));
    }
    if (dice_chance(dice, 90)) {
        json_object_put(body, "fixed_ips", random_fixed_ips(dice));
    }
    if (dice_chance(dice, 30)) {
        json_object_put(body, "allowed_address_pairs", random_pairs(dice));
    }
    if (dice_chance(dice, 60)) {
        put_bool(body, "admin_state_up", dice_chance(dice, 85));
    }
    if (dice_chance(dice, 40)) {
        put_bool(body, "port_security_enabled", dice_chance(dice, 50));
    }
    put_binding(dice, body);
    return put_step("port", body);
}

/* Facts. */

static char *
uid_text(struct uuid id)
{
    return mem_textf(UID_FMT, UID_ARGS(&id));
}

static struct json *
random_tunnels(struct dice *dice)
{
    static const char *const carriers[] = { "vxlan", "gre", "geneve" };
    struct json *array = json_array_create_empty();
    for (size_t i = 0; i < 3; i++) {
        if (dice_chance(dice, 85)) {
            struct json *tunnel = json_object_create();
            json_object_put_string(tunnel, "carrier", carriers[i]);
            put_int(tunnel, "ofport", dice_chance(dice, 90) ? 1 + i : 7 + i);
            json_array_add(array, tunnel);
        }
    }
    return array;
}

static struct json *
random_physnets(struct dice *dice)
{
    static const char *const names[] = { "pn0", "pn1", "pn2" };
    struct json *array = json_array_create_empty();
    for (size_t i = 0; i < 3; i++) {
        if (dice_chance(dice, 60)) {
            struct json *physnet = json_object_create();
            json_object_put_string(physnet, "name", names[i]);
            json_object_put_string(physnet, "target", "eth1");
            put_int(physnet, "ofport", dice_chance(dice, 85) ? 4 + i : 0);
            json_array_add(array, physnet);
        }
    }
    return array;
}

static struct json *
random_host(struct dice *dice)
{
    struct json *body = json_object_create();
    size_t index = dice_below(dice, N_STEP_HOSTS);
    const char *name = step_host_name(index);
    put_text(body, "id", uid_text(host_id_from_name(name)));
    json_object_put_string(body, "name", name);
    struct json *aliases = json_array_create_1(json_string_create(name));
    if (dice_chance(dice, 30)) {
        json_array_add(aliases, json_string_create("alias1"));
    }
    json_object_put(body, "aliases", aliases);
    if (dice_chance(dice, 90)) {
        unsigned int n = index + (dice_chance(dice, 20) ? 10 : 1);
        put_text(body, "tunnel_address",
                 dice_chance(dice, 85) ? mem_textf("192.0.2.%u", n)
                                       : mem_textf("2001:db8::%u", n));
    }
    if (dice_chance(dice, 20)) {
        put_int(body, "underlay_mtu", dice_chance(dice, 50) ? 1500 : 9000);
    }
    json_object_put(body, "tunnels", random_tunnels(dice));
    json_object_put(body, "physnets", random_physnets(dice));
    return put_step("host", body);
}

static struct uuid
random_plug_id(struct dice *dice, struct uuid *host, struct uuid *endpoint)
{
    *host = host_id_from_name(step_host_name(dice_below(dice, N_STEP_HOSTS)));
    AUTO_TEXT *text = random_id(dice, 'c');
    bool ok = uid_from_text(text, endpoint);
    ovs_assert(ok);
    return plug_id(host, endpoint);
}

static struct json *
random_plug(struct dice *dice)
{
    struct uuid host, endpoint;
    struct uuid id = random_plug_id(dice, &host, &endpoint);
    struct json *body = json_object_create();
    put_text(body, "id", uid_text(id));
    put_text(body, "host", uid_text(host));
    put_text(body, "endpoint", uid_text(endpoint));
    json_object_put_string(body, "name", "tap");
    put_int(body, "ofport",
            dice_chance(dice, 95) ? 20 + (endpoint.parts[3] & 0xff)
                                  : 20 + dice_below(dice, 4));
    if (dice_chance(dice, 50)) {
        put_int(body, "mtu", dice_chance(dice, 70) ? 1450 : 1500);
    }
    return put_step("plug", body);
}

static struct json *
random_physnet(struct dice *dice)
{
    const char *name = CHOOSE(dice, "pn0", "pn1", "pn2");
    struct json *body = json_object_create();
    put_text(body, "id", uid_text(physnet_id_from_name(name)));
    json_object_put_string(body, "name", name);
    return put_step("physnet", body);
}

static struct json *
random_fact_delete(struct dice *dice)
{
    struct uuid host, endpoint;
    struct uuid id = random_plug_id(dice, &host, &endpoint);
    switch (dice_below(dice, 6)) {
    case 0:
        return delete_step("host", uid_text(host));
    case 1:
        return delete_step("physnet", uid_text(physnet_id_from_name("pn1")));
    default:
        return delete_step("plug", uid_text(id));
    }
}

struct json *
step_random(struct dice *dice)
{
    uint64_t kind = dice_below(dice, 100);
    return (kind < 12   ? random_network(dice)
            : kind < 22 ? random_subnet(dice)
            : kind < 47 ? random_port(dice)
            : kind < 55 ? random_host(dice)
            : kind < 75 ? random_plug(dice)
            : kind < 77 ? random_physnet(dice)
            : kind < 80 ? delete_step("network", random_id(dice, 'a'))
            : kind < 84 ? delete_step("subnet", random_id(dice, 'b'))
            : kind < 91 ? delete_step("port", random_id(dice, 'c'))
                        : random_fact_delete(dice));
}
