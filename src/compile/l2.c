/* SPDX-License-Identifier: Apache-2.0 */

/* Frames between endpoints of a segment.
 *
 *   CLASSIFY ─► (guard, answer) ─► LOCAL ─► REMOTE ─► ENCAP ─► TUNNEL ─► WIRE
 *      │                            │  ▲
 *      └──────────► DECAP ──────────┼──┘
 *                                   └────► EGRESS ─► OUTPUT
 *
 * Known unicast goes to the endpoint's port if LOCAL has it (host scope), else
 * to its host (REMOTE, segment scope: one rule for all hosts).  Multicast and
 * broadcast go to the local members and, if they started here, to one bucket
 * per host with members.  Unknown unicast goes to nobody but endpoints that
 * ask for it, and on a physical network out to the wire.
 *
 * A frame that came from a tunnel or a physical network is never sent to one
 * again (split horizon): REMOTE's rules ask for ORIGIN=local.
 *
 * What a rule needs to know of another host is its number only; the number
 * becomes an address in TUNNEL, one rule per host in the scope of all.  So a
 * host whose tunnel address changes costs one rule, not one per endpoint. */

#include "compile/passes.h"

/* What every switch of the fabric holds alike. */
static void
fabric(struct unit *u, const struct entity *entity)
{
    RULE (u, scope_all(), LOCAL, PRIORITY_DEFAULT) {
        then_goto(r, T_REMOTE);
    }
    RULE (u, scope_all(), REMOTE, PRIORITY_CLASS) {
        when_register(r, R_ORIGIN, ORIGIN_TUNNEL);
        when_multicast(r);
        then_drop(r);
    }
    RULE (u, scope_all(), REMOTE, PRIORITY_CLASS) {
        when_register(r, R_ORIGIN, ORIGIN_PHYSICAL);
        when_multicast(r);
        then_drop(r);
    }
    RULE (u, scope_all(), EGRESS, PRIORITY_DEFAULT) {
        then_goto(r, T_OUTPUT);
    }
}

const struct pass pass_fabric = { "fabric", &fabric_rules_resource, fabric };

/* Hosts. */

static void
host_tunnels(struct unit *u, const struct host *host)
{
    struct scope_id here = scope_host(&host->entity.id);

    RULE (u, scope_all(), TUNNEL, PRIORITY_EXACT) {
        when_register(r, R_HOST, host->entity.number);
        then_tunnel_remote(r, &host->tunnel_address);
        then_goto(r, T_WIRE);
    }
    RULE (u, here, TUNNEL, PRIORITY_EXCEPTION) {
        when_register(r, R_HOST, host->entity.number);
        then_drop(r);
    }
    for (size_t i = 0; i < host->tunnels.n; i++) {
        const struct host_tunnel *tunnel = &host->tunnels.items[i];
        enum carrier carrier;
        if (!tunnel->carrier || !carrier_from_text(tunnel->carrier, &carrier)
            || !tunnel->ofport) {
            continue;
        }
        RULE (u, here, CLASSIFY, PRIORITY_EXACT) {
            when_in_port(r, tunnel->ofport);
            then_set(r, R_ORIGIN, ORIGIN_TUNNEL);
            then_set(r, R_CARRIER, carrier);
            then_goto(r, T_DECAP);
        }
        RULE (u, here, WIRE, PRIORITY_EXACT) {
            when_register(r, R_CARRIER, carrier);
            then_output(r, tunnel->ofport);
        }
    }
}

static void
host_physnets(struct unit *u, const struct host *host)
{
    struct scope_id here = scope_host(&host->entity.id);

    for (size_t i = 0; i < host->physnets.n; i++) {
        const struct host_physnet *physnet = &host->physnets.items[i];
        if (!physnet->name || !physnet->ofport) {
            continue;
        }
        struct uuid id = physnet_id_from_name(physnet->name);
        uint32_t number = unit_number(u, &physnet_resource, &id);
        if (!number) {
            continue;
        }
        RULE (u, here, CLASSIFY, PRIORITY_EXACT) {
            when_in_port(r, physnet->ofport);
            then_set(r, R_ORIGIN, ORIGIN_PHYSICAL);
            then_set(r, R_PHYSNET, number);
            then_goto(r, T_DECAP);
        }
        RULE (u, here, WIRE, PRIORITY_EXACT) {
            when_register(r, R_PHYSNET, number);
            then_output(r, physnet->ofport);
        }
    }
}

static void
host_run(struct unit *u, const struct entity *entity)
{
    const struct host *host = host_cast(entity);

    unit_want(u, &entity->id, scope_all());
    unit_want(u, &entity->id, scope_host(&entity->id));

    struct fabric_rules *rules = MAKE(fabric_rules, &fabric_rules_id);
    rules->version = 1;
    SET(fabric_rules, rules, version);
    unit_emit(u, &rules->entity);

    if (HAS(host, host, tunnel_address)) {
        host_tunnels(u, host);
    }
    host_physnets(u, host);
}

const struct pass pass_host = { "host", &host_resource, host_run };

/* Segments. */

/* How frames of the segment leave a host, and are known on arrival. */
static void
segment_on_tunnel(struct unit *u, const struct segment *segment)
{
    struct scope_id scope = scope_segment(&segment->entity.id);
    uint32_t number = segment->entity.number;

    RULE (u, scope, ENCAP, PRIORITY_EXACT) {
        when_register(r, R_SEGMENT, number);
        then_set(r, R_CARRIER, segment->carrier);
        then_tunnel_key(r, segment->key);
        then_goto(r, T_TUNNEL);
    }
    RULE (u, scope, DECAP, PRIORITY_EXACT) {
        when_register(r, R_ORIGIN, ORIGIN_TUNNEL);
        when_register(r, R_CARRIER, segment->carrier);
        when_tunnel_key(r, segment->key);
        then_set(r, R_SEGMENT, number);
        then_goto(r, T_LOCAL);
    }
    RULE (u, scope, REMOTE, PRIORITY_CLASS) {
        when_register(r, R_ORIGIN, ORIGIN_LOCAL);
        when_register(r, R_SEGMENT, number);
        when_multicast(r);
        then_group(r, group_number(GROUP_FLOOD_REMOTE, number));
    }
    RULE (u, scope, REMOTE, PRIORITY_SEGMENT) {
        when_register(r, R_ORIGIN, ORIGIN_LOCAL);
        when_register(r, R_SEGMENT, number);
        then_group(r, group_number(GROUP_UNKNOWN_LOCAL, number));
        then_group(r, group_number(GROUP_UNKNOWN_REMOTE, number));
    }
    unit_group(u, scope, group_number(GROUP_FLOOD_REMOTE, number));
    unit_group(u, scope, group_number(GROUP_UNKNOWN_REMOTE, number));
}

static void
segment_on_physnet(struct unit *u, const struct segment *segment)
{
    struct scope_id scope = scope_segment(&segment->entity.id);
    uint32_t number = segment->entity.number;
    bool tagged = segment->carrier == CARRIER_VLAN;
    struct uuid id = physnet_id_from_name(segment->physnet);
    uint32_t physnet = unit_number(u, &physnet_resource, &id);
    if (!physnet) {
        unit_note(u, NOTE_WARNING, &segment->entity.id,
                  "no host has physical network \"%s\" in its "
                  "other_config:provider_mappings",
                  segment->physnet);
        return;
    }

    RULE (u, scope, ENCAP, PRIORITY_EXACT) {
        when_register(r, R_SEGMENT, number);
        then_set(r, R_PHYSNET, physnet);
        if (tagged) {
            then_push_vlan(r, segment->key);
        }
        then_goto(r, T_WIRE);
    }
    RULE (u, scope, DECAP, PRIORITY_EXACT) {
        when_register(r, R_ORIGIN, ORIGIN_PHYSICAL);
        when_register(r, R_PHYSNET, physnet);
        if (tagged) {
            when_vlan(r, segment->key);
            then_pop_vlan(r);
        } else {
            when_no_vlan(r);
        }
        then_set(r, R_SEGMENT, number);
        then_goto(r, T_LOCAL);
    }
    RULE (u, scope, REMOTE, PRIORITY_CLASS) {
        when_register(r, R_ORIGIN, ORIGIN_LOCAL);
        when_register(r, R_SEGMENT, number);
        when_multicast(r);
        then_goto(r, T_ENCAP);
    }
    RULE (u, scope, REMOTE, PRIORITY_SEGMENT) {
        when_register(r, R_ORIGIN, ORIGIN_LOCAL);
        when_register(r, R_SEGMENT, number);
        then_group(r, group_number(GROUP_UNKNOWN_LOCAL, number));
        then_goto(r, T_ENCAP);
    }
}

static void
segment_note_mtu(struct unit *u, const struct segment *segment)
{
    if (segment->mtu && segment->mtu_max && segment->mtu > segment->mtu_max) {
        unit_note(u, NOTE_ERROR, &segment->entity.id,
                  "MTU %lld does not fit: %s over an underlay MTU of %d "
                  "carries at most %lld; lower the network's mtu or raise "
                  "[fabric] underlay_mtu",
                  (long long) segment->mtu, carrier_name(segment->carrier),
                  unit_settings(u)->underlay_mtu,
                  (long long) segment->mtu_max);
    }
}

static void
segment_run(struct unit *u, const struct entity *entity)
{
    const struct segment *segment = segment_cast(entity);
    struct scope_id scope = scope_segment(&entity->id);
    uint32_t number = entity->number;
    if (!segment->up) {
        return;
    }

    unit_group(u, scope, group_number(GROUP_FLOOD_LOCAL, number));
    unit_group(u, scope, group_number(GROUP_UNKNOWN_LOCAL, number));
    RULE (u, scope, LOCAL, PRIORITY_CLASS) {
        when_register(r, R_SEGMENT, number);
        when_multicast(r);
        then_group(r, group_number(GROUP_FLOOD_LOCAL, number));
        then_goto(r, T_REMOTE);
    }
    RULE (u, scope, REMOTE, PRIORITY_SEGMENT_REMOTE) {
        when_register(r, R_SEGMENT, number);
        then_group(r, group_number(GROUP_UNKNOWN_LOCAL, number));
    }
    if (carrier_is_tunnel(segment->carrier)) {
        segment_on_tunnel(u, segment);
    } else if (segment->physnet) {
        segment_on_physnet(u, segment);
    }
    segment_note_mtu(u, segment);
}

const struct pass pass_segment = { "segment", &segment_resource, segment_run };

/* A host has members of a segment. */

static void
flood_to_host(struct unit *u, enum group_use use, const struct uuid *segment,
              const struct uuid *host)
{
    uint32_t segment_number = unit_number(u, &segment_resource, segment);
    uint32_t host_number = unit_number(u, &host_resource, host);
    BUCKET (u, scope_segment(segment), group_number(use, segment_number),
            host_number) {
        then_set(r, R_HOST, host_number);
        then_resubmit(r, T_ENCAP);
    }
}

static void
presence_note_host(struct unit *u, const struct segment *segment,
                   const struct host *host)
{
    if (carrier_is_tunnel(segment->carrier)) {
        if (!HAS(host, host, tunnel_address)) {
            unit_note(u, NOTE_WARNING, &host->entity.id,
                      "host %s has ports of %s networks but no tunnel "
                      "address; run there: ovs-vsctl set Open_vSwitch . "
                      "other_config:local_ip=ADDRESS",
                      host->name, carrier_name(segment->carrier));
        }
        return;
    }
    if (!segment->physnet) {
        return;
    }
    for (size_t i = 0; i < host->physnets.n; i++) {
        const struct host_physnet *physnet = &host->physnets.items[i];
        if (physnet->ofport && physnet->name
            && !strcmp(physnet->name, segment->physnet)) {
            return;
        }
    }
    unit_note(u, NOTE_WARNING, &host->entity.id,
              "host %s has ports of physical network \"%s\" but no usable "
              "mapping for it; run there: ovs-vsctl set Open_vSwitch . "
              "other_config:provider_mappings=%s:INTERFACE_OR_BRIDGE",
              host->name, segment->physnet, segment->physnet);
}

static void
presence_run(struct unit *u, const struct entity *entity)
{
    const struct presence *presence = presence_cast(entity);
    const struct segment *segment = GET(u, segment, &presence->segment);
    const struct host *host = GET(u, host, &presence->host);
    if (!segment || !host) {
        return;
    }

    unit_want(u, &presence->host, scope_segment(&presence->segment));
    presence_note_host(u, segment, host);
    if (carrier_is_tunnel(segment->carrier)) {
        unit_tunnel(u, scope_host(&presence->host), segment->carrier);
        flood_to_host(u, GROUP_FLOOD_REMOTE, &presence->segment,
                      &presence->host);
    }
}

const struct pass pass_presence = { "presence", &presence_resource,
                                    presence_run };

static void
unknown_run(struct unit *u, const struct entity *entity)
{
    const struct unknown_presence *unknown = unknown_presence_cast(entity);
    const struct segment *segment = GET(u, segment, &unknown->segment);
    if (segment && carrier_is_tunnel(segment->carrier)
        && unit_number(u, &host_resource, &unknown->host)) {
        flood_to_host(u, GROUP_UNKNOWN_REMOTE, &unknown->segment,
                      &unknown->host);
    }
}

const struct pass pass_unknown = { "unknown", &unknown_presence_resource,
                                   unknown_run };

/* An endpoint on a host. */

static void
attachment_port(struct unit *u, const struct attachment *attachment,
                const struct endpoint *endpoint, uint32_t segment)
{
    struct scope_id here = scope_host(&attachment->host);

    RULE (u, here, CLASSIFY, PRIORITY_EXACT) {
        when_in_port(r, attachment->ofport);
        when_no_vlan(r);
        then_set(r, R_SEGMENT, segment);
        then_set(r, R_SENDER, endpoint->entity.number);
        then_set(r, R_ORIGIN, ORIGIN_LOCAL);
        if (endpoint->guarded) {
            then_set(r, R_GUARDED, 1);
        }
        then_goto(r, T_GUARD);
    }
    RULE (u, here, OUTPUT, PRIORITY_EXACT) {
        when_register(r, R_TARGET, endpoint->entity.number);
        then_output(r, attachment->ofport);
    }
}

static void
attachment_run(struct unit *u, const struct entity *entity)
{
    const struct attachment *attachment = attachment_cast(entity);
    const struct endpoint *endpoint = GET(u, endpoint, &attachment->endpoint);
    uint32_t segment = unit_number(u, &segment_resource, &attachment->segment);
    if (!endpoint || !segment) {
        return;
    }

    struct scope_id here = scope_host(&attachment->host);
    uint32_t number = endpoint->entity.number;
    if (attachment->ofport) {
        attachment_port(u, attachment, endpoint, segment);
    }
    RULE (u, here, LOCAL, PRIORITY_EXACT) {
        when_register(r, R_SEGMENT, segment);
        when_eth_dst(r, endpoint->mac);
        then_set(r, R_TARGET, number);
        then_goto(r, T_EGRESS);
    }
    BUCKET (u, here, group_number(GROUP_FLOOD_LOCAL, segment), number) {
        then_set(r, R_TARGET, number);
        then_resubmit(r, T_EGRESS);
    }
    if (endpoint_takes_unknown(endpoint)) {
        BUCKET (u, here, group_number(GROUP_UNKNOWN_LOCAL, segment), number) {
            then_set(r, R_TARGET, number);
            then_resubmit(r, T_EGRESS);
        }
    }
}

const struct pass pass_attachment = { "attachment", &attachment_resource,
                                      attachment_run };

/* An endpoint, as other hosts see it. */

static void
endpoint_run(struct unit *u, const struct entity *entity)
{
    const struct endpoint *endpoint = endpoint_cast(entity);
    const struct placement *placement = GET(u, placement, &entity->id);
    const struct segment *segment = GET(u, segment, &endpoint->segment);
    if (!placement || !segment) {
        return;
    }
    uint32_t host = unit_number(u, &host_resource, &placement->host);
    if (!host || segment->carrier == CARRIER_NONE) {
        return;
    }

    RULE (u, scope_segment(&endpoint->segment), REMOTE, PRIORITY_EXACT) {
        when_register(r, R_ORIGIN, ORIGIN_LOCAL);
        when_register(r, R_SEGMENT, segment->entity.number);
        when_eth_dst(r, endpoint->mac);
        then_set(r, R_HOST, host);
        then_goto(r, T_ENCAP);
    }
}

const struct pass pass_endpoint = { "endpoint", &endpoint_resource,
                                    endpoint_run };
