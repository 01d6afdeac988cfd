/* SPDX-License-Identifier: Apache-2.0 */

/* Where endpoints are.
 *
 *     endpoint, plugs, host asked for ──► attachment per host
 *                                         placement: the one others send to
 *                                         presence of the segment per host
 *
 * An endpoint is attached to each host where it is plugged, and to the host
 * its owner asked for (binding:host_id), plugged there or not yet, so that
 * everything but the port number is in place before the plug.
 *
 * Others send to the host asked for if it is plugged there; else to where it
 * is plugged; else to the host asked for.  So during a migration frames follow
 * the interface, not the intention, and a port plugged where nobody asked for
 * it works.
 *
 * An endpoint that is down, or whose segment is, is nowhere. */

#include "compile/passes.h"

static void
keys_plugs_by_endpoint(const struct entity *entity, struct unit *u)
{
    const struct plug *plug = plug_cast(entity);
    index_key(u, hash64(&plug->endpoint, sizeof plug->endpoint, 0));
}

const struct index_def plugs_by_endpoint = { "plugs_by_endpoint",
                                             &plug_resource,
                                             keys_plugs_by_endpoint };

static void
keys_plugs_by_host(const struct entity *entity, struct unit *u)
{
    const struct plug *plug = plug_cast(entity);
    index_key(u, hash64(&plug->host, sizeof plug->host, 0));
}

const struct index_def plugs_by_host = { "plugs_by_host", &plug_resource,
                                         keys_plugs_by_host };

static void
keys_hosts_by_name(const struct entity *entity, struct unit *u)
{
    const struct host *host = host_cast(entity);
    if (host->name) {
        index_key(u, hash64_text(host->name, 0));
    }
    for (size_t i = 0; i < host->aliases.n; i++) {
        index_key(u, hash64_text(host->aliases.items[i], 0));
    }
}

const struct index_def hosts_by_name = { "hosts_by_name", &host_resource,
                                         keys_hosts_by_name };

static void
keys_attachments_by_endpoint(const struct entity *entity, struct unit *u)
{
    const struct attachment *attachment = attachment_cast(entity);
    index_key(u, hash64(&attachment->endpoint, sizeof(struct uuid), 0));
}

const struct index_def attachments_by_endpoint = {
    "attachments_by_endpoint", &attachment_resource,
    keys_attachments_by_endpoint
};

bool
endpoint_takes_unknown(const struct endpoint *endpoint)
{
    if (!endpoint->guarded) {
        return true;
    }
    for (size_t i = 0; i < endpoint->allowed_pairs.n; i++) {
        const struct net_pair *pair = &endpoint->allowed_pairs.items[i];
        if (memcmp(&pair->mac, &endpoint->mac, sizeof pair->mac)) {
            return true;
        }
    }
    return false;
}

/* The host that goes by 'name', or null: the one with the lowest id if
 * several say so. */
static const struct host *
find_host(struct unit *u, const char *name)
{
    if (!name || !*name) {
        return NULL;
    }
    size_t n;
    const struct entity *const *hosts =
        unit_lookup(u, &hosts_by_name, hash64_text(name, 0), &n);
    return n ? host_cast(hosts[0]) : NULL;
}

static void
emit_attachment(struct unit *u, const struct endpoint *endpoint,
                const struct uuid *host, int64_t ofport)
{
    struct uuid id = uid_from_pair(&endpoint->entity.id, host);
    struct attachment *attachment = MAKE(attachment, &id);
    attachment->endpoint = endpoint->entity.id;
    attachment->host = *host;
    attachment->segment = endpoint->segment;
    attachment->ofport = ofport;
    SET(attachment, attachment, endpoint);
    SET(attachment, attachment, host);
    SET(attachment, attachment, segment);
    SET(attachment, attachment, ofport);
    unit_emit(u, &attachment->entity);

    id = uid_from_pair(&endpoint->segment, host);
    struct presence *presence = MAKE(presence, &id);
    presence->segment = endpoint->segment;
    presence->host = *host;
    SET(presence, presence, segment);
    SET(presence, presence, host);
    unit_emit(u, &presence->entity);

    if (endpoint_takes_unknown(endpoint)) {
        struct unknown_presence *unknown = MAKE(unknown_presence, &id);
        unknown->segment = endpoint->segment;
        unknown->host = *host;
        SET(unknown_presence, unknown, segment);
        SET(unknown_presence, unknown, host);
        unit_emit(u, &unknown->entity);
    }
}

static void
locate(struct unit *u, const struct entity *entity)
{
    const struct endpoint *endpoint = endpoint_cast(entity);
    const struct segment *segment = GET(u, segment, &endpoint->segment);
    if (!endpoint->up || !segment || !segment->up) {
        return;
    }

    const struct host *asked = find_host(u, endpoint->requested_host);
    const struct uuid *place = asked ? &asked->entity.id : NULL;
    bool plugged_where_asked = false;

    size_t n;
    const struct entity *const *plugs = unit_lookup(
        u, &plugs_by_endpoint, hash64(&entity->id, sizeof entity->id, 0), &n);
    const struct uuid *plugged_at = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct plug *plug = GET(u, plug, &plugs[i]->id);
        if (!plug || !uid_equals(&plug->endpoint, &entity->id)) {
            continue;
        }
        emit_attachment(u, endpoint, &plug->host, plug->ofport);
        if (asked && uid_equals(&plug->host, &asked->entity.id)) {
            plugged_where_asked = true;
        }
        if (!plugged_at || uid_compare(&plug->host, plugged_at) < 0) {
            plugged_at = &plug->host;
        }
    }
    if (asked && !plugged_where_asked) {
        emit_attachment(u, endpoint, &asked->entity.id, 0);
    }
    if (!plugged_where_asked && plugged_at) {
        place = plugged_at;
    }
    if (place) {
        struct placement *placement = MAKE(placement, &entity->id);
        placement->endpoint = entity->id;
        placement->host = *place;
        SET(placement, placement, endpoint);
        SET(placement, placement, host);
        unit_emit(u, &placement->entity);
    }
}

const struct pass pass_locate = { "locate", &endpoint_resource, locate };
