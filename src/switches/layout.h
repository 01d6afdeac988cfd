/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SWITCHES_LAYOUT_H
#define SWITCHES_LAYOUT_H 1

/* What is where in a switch's database: questions, no changes. */

#include "pipeline/pipeline.h"
#include "switches/replica.h"

/* external_ids key that marks rows of ours, and its values. */
#define MARK            "weft"
#define MARK_TUNNEL     "tunnel"
#define MARK_PHYSNET    "physnet"
#define MARK_BRIDGE     "bridge"
#define MARK_CONTROLLER "controller"

/* Linux limits the name of an interface to 15 characters. */
enum { INTERFACE_NAME_SIZE = 16 };

/* Goes through the interfaces of all ports of a bridge: 'PORT' and 'INTERFACE'
 * are rows.  'break' leaves only the innermost of its loops: use 'return'. */
/* clang-format off */
#define BRIDGE_FOR_EACH_INTERFACE(PORT, INTERFACE, REPLICA, BRIDGE)           \
    ROW_FOR_EACH (port_id__, BRIDGE, C_BRIDGE_PORTS)                          \
        for (const struct row *PORT                                           \
                 = replica_find(REPLICA, DB_PORT, port_id__);                 \
             PORT; PORT = NULL)                                               \
            ROW_FOR_EACH (interface_id__, PORT, C_PORT_INTERFACES)            \
                for (const struct row *INTERFACE                              \
                         = replica_find(REPLICA, DB_INTERFACE,                \
                                        interface_id__);                      \
                     INTERFACE; INTERFACE = NULL)
/* clang-format on */

/* An interface of 'bridge' by name, or null; '*portp' (if not null) is its
 * port. */
const struct row *layout_interface(const struct replica *,
                                   const struct row *bridge, const char *name,
                                   const struct row **portp);
/* The bridge that has a port of this name, or null. */
const struct row *layout_bridge_of_port(const struct replica *,
                                        const char *name);
bool layout_is_marked(const struct row *port, const char *mark);

/* other_config:local_ip; false: absent or not an address. */
bool layout_local_ip(const struct replica *, struct in6_addr *);
/* The flow-based tunnel interface of 'bridge' for a carrier that sends from
 * 'local_ip', ours first, or null. */
const struct row *layout_tunnel(const struct replica *,
                                const struct row *bridge, enum carrier,
                                const char *local_ip);
/* "weft-vxlan" */
void layout_tunnel_name(enum carrier, char name[INTERFACE_NAME_SIZE]);

/* A provider mapping and how far it is carried out. */
enum attachment_kind {
    ATTACH_NOT,   /* Cannot be; see 'problem'. */
    ATTACH_PATCH, /* 'target' is another bridge. */
    ATTACH_PORT,  /* 'target' is, or will be, on the bridge. */
};
struct physnet_layout {
    char *name;
    char *target;
    enum attachment_kind kind;
    const struct row *target_bridge; /* ATTACH_PATCH. */
    const struct row *interface;     /* On our bridge; null: not there. */
    const struct row *peer;          /* ATTACH_PATCH: on the other; or null. */
    char *problem;                   /* Or null. */
};
/* All mappings of the switch, sorted by name; '*np' of them. */
struct physnet_layout *layout_physnets(const struct replica *,
                                       const struct row *bridge, size_t *np);
void layout_physnets_destroy(struct physnet_layout *, size_t n);
/* Names of the patch pair that leads to 'target': on our bridge and on the
 * other. */
void layout_patch_names(const char *target, char inner[INTERFACE_NAME_SIZE],
                        char outer[INTERFACE_NAME_SIZE]);

#endif /* switches/layout.h */
