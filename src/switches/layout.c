/* SPDX-License-Identifier: Apache-2.0 */
/* What is where in a switch's database.
 *
 *     Open_vSwitch ── Bridge br-int ── Port ── Interface weft-vxlan
 *        │                          └─ Port ── Interface tap0 (iface-id)
 *        │                          └─ Port ── Interface wi-br-ex ─┐ patch
 *        └─────────── Bridge br-ex ─── Port ── Interface wp-br-ex ─┘
 *
 * Used both to decide what has to be changed ("provision.c") and to report
 * what there is ("ports.c"), so that the two cannot disagree.  All pointers to
 * rows are borrowed from the replica and valid until its next update.  A
 * lookup by name is linear in the interfaces of a bridge. */

#include "switches/layout.h"

#include <stdio.h>

const struct row *
layout_interface(const struct replica *replica, const struct row *bridge,
                 const char *name, const struct row **portp)
{
    BRIDGE_FOR_EACH_INTERFACE(port, interface, replica, bridge)
    {
        if (!strcmp(row_text(interface, C_INTERFACE_NAME), name)) {
            if (portp) {
                *portp = port;
            }
            return interface;
        }
    }
    return NULL;
}

const struct row *
layout_bridge_of_port(const struct replica *replica, const char *name)
{
    const struct row *bridge;

    REPLICA_FOR_EACH(bridge, replica, DB_BRIDGE)
    {
        if (layout_interface(replica, bridge, name, NULL)) {
            return bridge;
        }
    }
    return NULL;
}

bool
layout_is_marked(const struct row *port, const char *mark)
{
    const char *value = row_key(port, C_PORT_EXTERNAL_IDS, MARK);
    return value && !strcmp(value, mark);
}

bool
layout_local_ip(const struct replica *replica, struct in6_addr *address)
{
    const struct row *root = replica_root(replica);
    const char *text =
        root ? row_key(root, C_SWITCH_OTHER_CONFIG, "local_ip") : NULL;
    return text && ipaddr_from_text(text, address);
}

static bool
option_is(const struct row *interface, const char *key, const char *wanted)
{
    const char *value = row_key(interface, C_INTERFACE_OPTIONS, key);
    return value ? wanted && !strcmp(value, wanted) : !wanted;
}

/* Whether frames sent through 'interface' are what 'carrier' means: every
 * peer, any key, the standard port. */
static bool
is_flow_tunnel(const struct row *interface, enum carrier carrier)
{
    return (!strcmp(row_text(interface, C_INTERFACE_TYPE),
                    carrier_interface_type(carrier))
            && option_is(interface, "remote_ip", "flow")
            && option_is(interface, "key", "flow")
            && option_is(interface, "dst_port", NULL)
            && option_is(interface, "packet_type", NULL));
}

const struct row *
layout_tunnel(const struct replica *replica, const struct row *bridge,
              enum carrier carrier, const char *local_ip)
{
    const struct row *found = NULL;

    BRIDGE_FOR_EACH_INTERFACE(port, interface, replica, bridge)
    {
        if (!is_flow_tunnel(interface, carrier)) {
            continue;
        }
        if (layout_is_marked(port, MARK_TUNNEL)) {
            return interface;
        }
        if (option_is(interface, "local_ip", local_ip)
            || option_is(interface, "local_ip", NULL)) {
            found = interface;
        }
    }
    return found;
}

void
layout_tunnel_name(enum carrier carrier, char name[INTERFACE_NAME_SIZE])
{
    snprintf(name, INTERFACE_NAME_SIZE, "weft-%s", carrier_name(carrier));
}

void
layout_patch_names(const char *target, char inner[INTERFACE_NAME_SIZE],
                   char outer[INTERFACE_NAME_SIZE])
{
    char stem[INTERFACE_NAME_SIZE - 3];

    if (strlen(target) < sizeof stem) {
        snprintf(stem, sizeof stem, "%s", target);
    } else {
        snprintf(stem, sizeof stem, "%08x", (uint32_t) hash64_text(target, 0));
    }
    snprintf(inner, INTERFACE_NAME_SIZE, "wi-%s", stem);
    snprintf(outer, INTERFACE_NAME_SIZE, "wp-%s", stem);
}

/* Finds any patch pair between the two bridges, ours or not: a second one
 * would be a loop. */
static void
find_patch(const struct replica *replica, const struct row *bridge,
           struct physnet_layout *physnet)
{
    char inner[INTERFACE_NAME_SIZE], outer[INTERFACE_NAME_SIZE];
    const struct row *other = physnet->target_bridge;

    BRIDGE_FOR_EACH_INTERFACE(port, interface, replica, bridge)
    {
        const char *name = row_key(interface, C_INTERFACE_OPTIONS, "peer");
        if (!name
            || strcmp(row_text(interface, C_INTERFACE_TYPE), "patch") != 0) {
            continue;
        }

        const struct row *peer = layout_interface(replica, other, name, NULL);
        if (peer
            && option_is(peer, "peer",
                         row_text(interface, C_INTERFACE_NAME))) {
            physnet->interface = interface;
            physnet->peer = peer;
            return;
        }
    }

    /* Perhaps one half of ours is left. */
    layout_patch_names(physnet->target, inner, outer);
    physnet->interface = layout_interface(replica, bridge, inner, NULL);
    physnet->peer = layout_interface(replica, other, outer, NULL);
}

static void
find_attachment(const struct replica *replica, const struct row *bridge,
                struct physnet_layout *physnet)
{
    const char *target = physnet->target;
    const struct row *other =
        replica_find_name(replica, C_BRIDGE_NAME, target);
    if (other == bridge) {
        physnet->problem =
            mem_textf("%s is the integration bridge itself", target);
        return;
    }
    if (other) {
        physnet->kind = ATTACH_PATCH;
        physnet->target_bridge = other;
        find_patch(replica, bridge, physnet);
        return;
    }

    physnet->interface = layout_interface(replica, bridge, target, NULL);
    if (!physnet->interface) {
        other = layout_bridge_of_port(replica, target);
        if (other) {
            physnet->problem = mem_textf(
                "%s is a port of bridge %s; map the physical network to %s",
                target, row_text(other, C_BRIDGE_NAME),
                row_text(other, C_BRIDGE_NAME));
            return;
        }
    }
    physnet->kind = ATTACH_PORT;
}

static void
note_interface_problem(struct physnet_layout *physnet)
{
    const struct row *interface = physnet->interface;

    if (physnet->problem) {
        return;
    }
    if (!interface || (physnet->kind == ATTACH_PATCH && !physnet->peer)) {
        physnet->problem =
            mem_textf("%s is not attached yet", physnet->target);
        return;
    }

    const char *error = row_text(interface, C_INTERFACE_ERROR);
    if (error[0]) {
        physnet->problem = mem_textf("%s: %s", physnet->target, error);
    } else if (row_int(interface, C_INTERFACE_OFPORT, 0) <= 0) {
        physnet->problem =
            mem_textf("%s has no OpenFlow port yet", physnet->target);
    }
}

static int
compare_physnets(const void *a_, const void *b_)
{
    const struct physnet_layout *a = a_, *b = b_;
    int names = strcmp(a->name, b->name);
    return names ? names : strcmp(a->target, b->target);
}

static void
parse_mapping(const struct replica *replica, const struct row *bridge,
              char *item, struct physnet_layout *physnet)
{
    char *colon = strchr(item, ':');

    *physnet = (struct physnet_layout){ .kind = ATTACH_NOT };
    if (!colon || colon == item || !colon[1]) {
        physnet->name = mem_text(item);
        physnet->target = mem_text("");
        physnet->problem = mem_textf("provider mapping \"%s\" is not "
                                     "NETWORK:TARGET",
                                     item);
        return;
    }

    *colon = '\0';
    physnet->name = mem_text(item);
    physnet->target = mem_text(colon + 1);
    find_attachment(replica, bridge, physnet);
    note_interface_problem(physnet);
}

static void
remove_repeated(struct physnet_layout *physnets, size_t *np)
{
    size_t n = 0;

    for (size_t i = 0; i < *np; i++) {
        if (n && !strcmp(physnets[n - 1].name, physnets[i].name)) {
            free(physnets[i].name);
            free(physnets[i].target);
            free(physnets[i].problem);
            free(physnets[n - 1].problem);
            physnets[n - 1].problem =
                mem_textf("physical network %s is mapped more than once",
                          physnets[n - 1].name);
        } else {
            physnets[n++] = physnets[i];
        }
    }
    *np = n;
}

struct physnet_layout *
layout_physnets(const struct replica *replica, const struct row *bridge,
                size_t *np)
{
    const struct row *root = replica_root(replica);
    const char *text =
        (root ? row_key(root, C_SWITCH_OTHER_CONFIG, "provider_mappings")
              : NULL);
    AUTO_TEXT *copy = mem_text(text ? text : "");
    struct physnet_layout *physnets = NULL;
    size_t n = 0, allocated = 0;
    char *cursor = copy;

    for (char *item; (item = text_next(&cursor, ",")) != NULL;) {
        ARRAY_GROW(physnets, n, allocated);
        parse_mapping(replica, bridge, item, &physnets[n++]);
    }
    if (n) {
        qsort(physnets, n, sizeof *physnets, compare_physnets);
        remove_repeated(physnets, &n);
    }
    *np = n;
    return physnets;
}

void
layout_physnets_destroy(struct physnet_layout *physnets, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(physnets[i].name);
        free(physnets[i].target);
        free(physnets[i].problem);
    }
    free(physnets);
}
