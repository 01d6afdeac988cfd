/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_NET_H
#define NET_NET_H 1

/* The one internal language.  Every vocabulary lowers into it; the compiler
 * and every southbound driver read only it.
 *
 *     facts (reported by switches, stored)
 *       host         a switch with br-int; its id is made from its system-id
 *       plug         an interface with iface-id on a host
 *       physnet      a physical network's name and number
 *
 *     net objects (made by lowering passes from the model and the facts)
 *       segment      a broadcast domain and how it travels between hosts
 *       endpoint     something with a MAC on a segment: a VM's port, ...
 *       attachment   an endpoint on a host: plugged, or expected there
 *       placement    the one host that others send an endpoint's frames to
 *       presence     a host has at least one attachment of a segment
 *       unknown_presence  ... one that takes frames for unknown MACs
 *       fabric_rules what every switch of the fabric holds alike
 *       gateway, route, nat, filter, group, chain, tap, meter
 *                    defined, not yet made by any pass
 *
 * A net object that stands for a user's object has the same id and number.
 * The ids of attachment, presence, ... are made from the pair they join. */

#include "model/model.h"

#define SCHEMA_DEF "net/net.def"
#include "model/expand-structs.h"

/* Registers the facts with the model. */
void net_register(struct model *);

struct uuid host_id_from_name(const char *system_id);
struct uuid physnet_id_from_name(const char *);
struct uuid plug_id(const struct uuid *host, const struct uuid *endpoint);

/* The one entity that stands for rules every switch holds; made by any
 * host. */
extern const struct uuid fabric_rules_id;

/* All resources of net.def that are net objects; null-terminated. */
extern const struct resource *const net_resources[];

#endif /* net/net.h */
