/* SPDX-License-Identifier: Apache-2.0 */

/* Neutron lowered into net: networks become segments, ports endpoints.
 *
 * A reference that dangles is absent: an address whose subnet is not there
 * (not yet, or not any more: deleting a SLAAC subnet takes addresses from
 * ports without telling) has no effect, a port without its network is
 * nowhere.  Both take effect when the other side appears. */

#include "features/neutron/neutron.h"
#include "features/features.h"

/* Networks. */

struct encapsulation {
    const char *type;
    const char *physnet;
    int64_t key;
    bool has_key;
};

static struct encapsulation
network_encapsulation(const struct network *network)
{
    return (struct encapsulation){
        .type = network->provider_network_type,
        .physnet = network->provider_physical_network,
        .key = network->provider_segmentation_id,
        .has_key = HAS(network, network, provider_segmentation_id),
    };
}

static struct encapsulation
segment_encapsulation(const struct network_segment *segment)
{
    return (struct encapsulation){
        .type = segment->network_type,
        .physnet = segment->physical_network,
        .key = segment->segmentation_id,
        .has_key = HAS(network_segment, segment, segmentation_id),
    };
}

/* Of a multi-segment network the first tunnel segment counts, because every
 * host can reach it; else the first. */
static struct encapsulation
choose_encapsulation(struct unit *u, const struct network *network)
{
    struct encapsulation chosen = network_encapsulation(network);
    if (chosen.type || !network->segments.n) {
        return chosen;
    }
    chosen = segment_encapsulation(&network->segments.items[0]);
    for (size_t i = 0; i < network->segments.n; i++) {
        struct encapsulation one =
            segment_encapsulation(&network->segments.items[i]);
        enum carrier carrier;
        if (one.type && carrier_from_text(one.type, &carrier)
            && carrier_is_tunnel(carrier)) {
            chosen = one;
            break;
        }
    }
    if (network->segments.n > 1) {
        unit_note(u, NOTE_INFO, &network->entity.id,
                  "network has %zu segments; its ports use the %s one",
                  network->segments.n, chosen.type ? chosen.type : "first");
    }
    return chosen;
}

/* Largest key of each carrier: RFC 7348, RFC 2890, RFC 8926, IEEE 802.1Q. */
static int64_t
carrier_max_key(enum carrier carrier)
{
    switch (carrier) {
    case CARRIER_VXLAN:
    case CARRIER_GENEVE:
        return 0xffffff;
    case CARRIER_GRE:
        return 0xffffffff;
    case CARRIER_VLAN:
        return 4094;
    default:
        return 0;
    }
}

/* The carrier of 'e' if it can work, else CARRIER_NONE with a note why: the
 * network then works within each host only. */
static enum carrier
encapsulation_carrier(struct unit *u, const struct network *network,
                      const struct encapsulation *e)
{
    const struct uuid *id = &network->entity.id;
    enum carrier carrier;
    if (!e->type) {
        return CARRIER_NONE;
    }
    if (!carrier_from_text(e->type, &carrier)) {
        unit_note(u, NOTE_ERROR, id,
                  "provider:network_type \"%s\" is not supported; ports of "
                  "one host reach each other only",
                  e->type);
        return CARRIER_NONE;
    }
    int64_t max = carrier_max_key(carrier);
    if (max && (!e->has_key || e->key < 1 || e->key > max)) {
        unit_note(u, NOTE_ERROR, id,
                  "%s needs a provider:segmentation_id in 1...%lld; ports of "
                  "one host reach each other only",
                  e->type, (long long) max);
        return CARRIER_NONE;
    }
    bool physical = carrier == CARRIER_VLAN || carrier == CARRIER_FLAT;
    if (physical && (!e->physnet || !*e->physnet)) {
        unit_note(u, NOTE_ERROR, id,
                  "%s needs a provider:physical_network; ports of one host "
                  "reach each other only",
                  e->type);
        return CARRIER_NONE;
    }
    return carrier;
}

static void
lower_network(struct unit *u, const struct entity *entity)
{
    const struct network *network = network_cast(entity);
    struct encapsulation e = choose_encapsulation(u, network);
    enum carrier carrier = encapsulation_carrier(u, network, &e);

    struct segment *segment = MAKE(segment, &entity->id);
    segment->entity.number = entity->number;
    segment->carrier = carrier;
    segment->key = carrier_max_key(carrier) ? e.key : 0;
    segment->up =
        !HAS(network, network, admin_state_up) || network->admin_state_up;
    segment->mtu = HAS(network, network, mtu) ? network->mtu : 0;
    segment->mtu_max =
        (carrier == CARRIER_NONE
             ? 0
             : unit_settings(u)->underlay_mtu - carrier_overhead(carrier));
    segment->external =
        HAS(network, network, router_external) && network->router_external;
    SET(segment, segment, carrier);
    SET(segment, segment, key);
    SET(segment, segment, up);
    SET(segment, segment, mtu);
    SET(segment, segment, mtu_max);
    SET(segment, segment, external);
    if (carrier == CARRIER_VLAN || carrier == CARRIER_FLAT) {
        segment->physnet = mem_text(e.physnet);
        SET(segment, segment, physnet);
    }
    unit_emit(u, &segment->entity);
}

static const struct pass pass_lower_network = { "neutron_network",
                                                &network_resource,
                                                lower_network };

/* Ports. */

static void
lower_addresses(struct unit *u, const struct port *port,
                struct endpoint *endpoint)
{
    size_t n = port->fixed_ips.n;
    endpoint->addresses.items =
        mem_zalloc((n + 1) * sizeof *endpoint->addresses.items);
    for (size_t i = 0; i < n; i++) {
        const struct fixed_ip *fixed = &port->fixed_ips.items[i];
        if (!HAS(fixed_ip, fixed, ip_address)
            || !unit_number(u, &subnet_resource, &fixed->subnet)) {
            continue;
        }
        struct net_address *address =
            &endpoint->addresses.items[endpoint->addresses.n++];
        address->ip = fixed->ip_address;
        address->subnet = fixed->subnet;
        SET(net_address, address, ip);
        SET(net_address, address, subnet);
    }
    SET(endpoint, endpoint, addresses);
}

static void
lower_pairs(const struct port *port, struct endpoint *endpoint)
{
    size_t n = port->allowed_address_pairs.n;
    endpoint->allowed_pairs.items =
        mem_zalloc((n + 1) * sizeof *endpoint->allowed_pairs.items);
    for (size_t i = 0; i < n; i++) {
        const struct address_pair *given =
            &port->allowed_address_pairs.items[i];
        if (!HAS(address_pair, given, ip_address)) {
            continue;
        }
        struct net_pair *pair =
            &endpoint->allowed_pairs.items[endpoint->allowed_pairs.n++];
        pair->mac =
            (HAS(address_pair, given, mac_address) ? given->mac_address
                                                   : port->mac_address);
        pair->prefix = given->ip_address;
        SET(net_pair, pair, mac);
        SET(net_pair, pair, prefix);
    }
    SET(endpoint, endpoint, allowed_pairs);
}

/* Ports that belong to the network itself are trusted, as Neutron does. */
static bool
port_is_guarded(const struct port *port)
{
    if (port->device_owner
        && text_starts_with(port->device_owner, "network:")) {
        return false;
    }
    return !HAS(port, port, port_security_enabled)
           || port->port_security_enabled;
}

static const char *
port_role(const struct port *port)
{
    const char *owner = port->device_owner;
    if (!owner || !*owner) {
        return "none";
    }
    if (text_starts_with(owner, "compute:")) {
        return "vm";
    }
    return text_starts_with(owner, "network:") ? owner + 8 : owner;
}

static void
lower_port(struct unit *u, const struct entity *entity)
{
    const struct port *port = port_cast(entity);
    if (!HAS(port, port, mac_address) || !HAS(port, port, network)) {
        unit_note(u, NOTE_WARNING, &entity->id,
                  "port has no %s and is not wired",
                  HAS(port, port, network) ? "mac_address" : "network_id");
        return;
    }

    struct endpoint *endpoint = MAKE(endpoint, &entity->id);
    endpoint->entity.number = entity->number;
    endpoint->segment = port->network;
    endpoint->mac = port->mac_address;
    endpoint->guarded = port_is_guarded(port);
    endpoint->up = !HAS(port, port, admin_state_up) || port->admin_state_up;
    endpoint->role = mem_text(port_role(port));
    SET(endpoint, endpoint, segment);
    SET(endpoint, endpoint, mac);
    SET(endpoint, endpoint, guarded);
    SET(endpoint, endpoint, up);
    SET(endpoint, endpoint, role);
    if (HAS(port, port, binding_host_id) && *port->binding_host_id) {
        endpoint->requested_host = mem_text(port->binding_host_id);
        SET(endpoint, endpoint, requested_host);
    }
    lower_addresses(u, port, endpoint);
    lower_pairs(port, endpoint);
    unit_emit(u, &endpoint->entity);
}

static const struct pass pass_lower_port = { "neutron_port", &port_resource,
                                             lower_port };

const struct pass *const neutron_passes[] = {
    &pass_lower_network,
    &pass_lower_port,
    NULL,
};

const struct index_def *const neutron_indexes[] = { NULL };
