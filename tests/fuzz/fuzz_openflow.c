/* SPDX-License-Identifier: Apache-2.0 */

/* Fuzzes what a switch's bridge says: OpenFlow 1.3 to 1.5, from the middle of
 * a conversation in which a dump has been asked for (transactions 6 and 7) and
 * rules wait.  The first byte chooses the version. */

#include "fuzz/fuzz.h"
#include "fuzz/fuzz_switches.h"
#include "switches/openflow.h"

/* Hello, and the features of datapath 0xaa. */
static void
greet(struct openflow *openflow, uint8_t version)
{
    uint8_t bytes[8 + 32] = {
        version, 0, 0, 8, 0, 0, 0, 1, version, 6, 0, 32, 0, 0,   0,
        2,       0, 0, 0, 0, 0, 0, 0, 0xaa,    0, 0, 0,  0, 254,
    };
    size_t consumed;
    struct err *err = openflow_input(openflow, bytes, sizeof bytes, &consumed);

    ovs_assert(!err && consumed == sizeof bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_world world;
    struct item *items[4];

    if (!size) {
        return 0;
    }
    fuzz_world_init(&world);
    fuzz_world_add_host(&world);
    fuzz_world_add_items(&world, items);
    struct openflow *openflow =
        openflow_create(world.switches, NULL, "192.0.2.1:2");
    greet(openflow, 4 + data[0] % 3);
    ovs_assert(openflow->host);
    scopes_publish(world.scopes);
    switches_ready(world.switches);

    size_t consumed = 0;
    struct err *err = NULL;
    for (size_t n = 1; n < size && !err && !openflow->doom; n += consumed) {
        err = openflow_input(openflow, data + n, size - n, &consumed);
        ovs_assert(err || consumed <= size - n);
        if (!consumed) {
            break;
        }
    }
    if (err) {
        ovs_assert(err->text[0]);
        err_destroy(err);
        openflow_close(openflow, "refused");
    }
    json_destroy(switches_status(world.switches));
    fuzz_world_remove_items(&world, items);
    scopes_publish(world.scopes);
    fuzz_world_uninit(&world);
    return 0;
}
