/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_FUZZ_SWITCHES_H
#define FUZZ_FUZZ_SWITCHES_H 1

/* The surroundings of a session that is fed by a fuzzer: an owner that does
 * nothing but want scopes. */

#include "openvswitch/vlog.h"
#include "switches/database.h"

struct fuzz_world {
    struct loop *loop;
    struct scopes *scopes;
    struct switches *switches;
    bool is_wanted;
};

static inline void
fuzz_on_facts(const struct switch_facts *facts,
              const struct switch_plug *plugs OVS_UNUSED,
              size_t n_plugs OVS_UNUSED, void *world_)
{
    struct fuzz_world *world = world_;

    ovs_assert(facts->name && facts->n_aliases);
    if (!world->is_wanted) {
        world->is_wanted = true;
        scopes_want(world->scopes, &facts->host, scope_all());
    }
}

static inline void
fuzz_on_plugged(const struct uuid *host OVS_UNUSED,
                const struct switch_plug *plug, void *world OVS_UNUSED)
{
    ovs_assert(plug->ofport);
}

static inline void
fuzz_on_unplugged(const struct uuid *host OVS_UNUSED,
                  const struct uuid *endpoint OVS_UNUSED,
                  void *world OVS_UNUSED)
{
}

static inline void
fuzz_on_acknowledged(const struct uuid *host OVS_UNUSED,
                     uint64_t sequence OVS_UNUSED, void *world OVS_UNUSED)
{
}

static inline void
fuzz_on_connected(const struct uuid *host OVS_UNUSED, bool up OVS_UNUSED,
                  const char *reason OVS_UNUSED, void *world OVS_UNUSED)
{
}

static inline void
fuzz_on_packet(const struct uuid *host OVS_UNUSED, uint32_t in_port OVS_UNUSED,
               uint32_t reason OVS_UNUSED, const void *frame, size_t size,
               void *world OVS_UNUSED)
{
    /* All of it can be read. */
    (void) hash64(frame, size, 0);
}

static const struct switches_events fuzz_events = {
    .facts = fuzz_on_facts,
    .plugged = fuzz_on_plugged,
    .unplugged = fuzz_on_unplugged,
    .acknowledged = fuzz_on_acknowledged,
    .connected = fuzz_on_connected,
    .packet = fuzz_on_packet,
};

static inline void
fuzz_world_init(struct fuzz_world *world)
{
    struct switches_settings settings = {
        .listen_address = "127.0.0.1",
        .ovsdb_port = 6640,
        .openflow_ports = { 6653, 6633 },
        .bridge = "br-int",
    };

    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    *world = (struct fuzz_world){ .loop = loop_create(),
                                  .scopes = scopes_create() };
    world->switches = switches_create(world->loop, world->scopes, &settings,
                                      &fuzz_events, world);
}

static inline void
fuzz_world_uninit(struct fuzz_world *world)
{
    switches_destroy(world->switches);
    scopes_destroy(world->scopes);
    loop_destroy(world->loop);
}

/* A database session of a host whose bridge has datapath 0xaa. */
static inline void
fuzz_world_add_host(struct fuzz_world *world)
{
    static const char conversation[] =
        "{\"id\":\"list\",\"error\":null,\"result\":[\"Open_vSwitch\"]}"
        "{\"id\":\"monitor\",\"error\":null,\"result\":{"
        "\"Open_vSwitch\":{\"11111111-1111-1111-1111-111111111111\":"
        "{\"initial\":{\"external_ids\":[\"map\",[[\"system-id\",\"h1\"]]],"
        "\"datapath_types\":\"system\"}}},"
        "\"Bridge\":{\"22222222-2222-2222-2222-222222222222\":{\"initial\":{"
        "\"name\":\"br-int\",\"datapath_id\":\"00000000000000aa\"}}}}}";
    struct database *database =
        database_create(world->switches, NULL, NULL, "192.0.2.1:1");
    size_t consumed;
    struct err *err = database_input(database, conversation,
                                     strlen(conversation), &consumed);

    ovs_assert(!err && database->host);
}

static inline void
fuzz_world_add_items(struct fuzz_world *world, struct item *items[4])
{
    for (uint32_t i = 0; i < 2; i++) {
        struct draft draft;

        draft_init_rule(&draft, scope_all(), T_LOCAL, 10);
        when_register(&draft, R_SEGMENT, i + 1);
        then_goto(&draft, T_EGRESS);
        items[i] = scope_add(world->scopes, &draft, world);
        draft_uninit(&draft);
    }
    items[2] =
        scope_add_group(world->scopes, scope_all(), GROUP_TAG | 1, world);
    struct draft draft;
    draft_init_bucket(&draft, scope_all(), GROUP_TAG | 1, 1);
    then_set(&draft, R_TARGET, 1);
    then_resubmit(&draft, T_EGRESS);
    items[3] = scope_add(world->scopes, &draft, world);
    draft_uninit(&draft);
}

static inline void
fuzz_world_remove_items(struct fuzz_world *world, struct item *items[4])
{
    for (int i = 0; i < 4; i++) {
        scope_remove(world->scopes, items[i]);
    }
}

#endif /* fuzz/fuzz_switches.h */
