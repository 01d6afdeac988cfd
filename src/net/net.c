/* SPDX-License-Identifier: Apache-2.0 */

/* The internal network vocabulary: its tables, and the identifiers of things
 * that nobody named.
 *
 * A fact is stored under an id made from what it is about, so that the same
 * switch, the same interface, the same physical network is the same object
 * after every restart and on every replica, without anybody looking it up. */

#include "net/net.h"

#define SCHEMA_DEF "net/net.def"
#include "model/expand-tables.h"

const struct uuid fabric_rules_id = { .parts = { 0, 0x8000, 0x80000000, 1 } };

/* What the model keeps. */
static const struct resource *const facts[] = {
    &host_resource,
    &plug_resource,
    &physnet_resource,
};

/* What passes make. */
const struct resource *const net_resources[] = {
    &fabric_rules_resource,
    &segment_resource,
    &endpoint_resource,
    &attachment_resource,
    &placement_resource,
    &presence_resource,
    &unknown_presence_resource,
    &gateway_resource,
    &route_resource,
    &nat_resource,
    &filter_resource,
    &group_resource,
    &chain_resource,
    &tap_resource,
    &meter_resource,
    NULL,
};

/* A resource of net.def that is in neither list fails here. */
#define SHAPE(NAME, ...)
#define SHAPE_END(NAME)
#define RESOURCE(NAME, PLURAL, ...) ROW_##NAME,
#define FIELD(OWNER, NAME, KIND, ...)
#define REF(OWNER, NAME, TARGET, ...)
#define REFS(OWNER, NAME, TARGET, ...)
#define LIST(OWNER, NAME, SHAPE, ...)
#define OBJECT(OWNER, NAME, SHAPE, ...)
#define END(NAME, ...)
enum {
#include "net/net.def"
    N_ROWS
};
#define N_FACTS (sizeof facts / sizeof facts[0])
BUILD_ASSERT_DECL(N_ROWS
                  == N_FACTS + sizeof net_resources / sizeof net_resources[0]
                         - 1);

void
net_register(struct model *model)
{
    for (size_t i = 0; i < N_FACTS; i++) {
        model_register(model, facts[i]);
    }
}

struct uuid
host_id_from_name(const char *system_id)
{
    return uid_from_name("host", system_id);
}

struct uuid
physnet_id_from_name(const char *name)
{
    return uid_from_name("physnet", name);
}

struct uuid
plug_id(const struct uuid *host, const struct uuid *endpoint)
{
    return uid_from_pair(host, endpoint);
}
