/* SPDX-License-Identifier: Apache-2.0 */

/* Fuzzes what a switch's database says: JSON-RPC, RFC 7047.  The first byte
 * is the size of the pieces in which the rest arrives. */

#include "fuzz/fuzz.h"
#include "fuzz/fuzz_switches.h"
#include "switches/database.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_world world;

    if (!size) {
        return 0;
    }
    fuzz_world_init(&world);
    struct database *database =
        database_create(world.switches, NULL, NULL, "192.0.2.1:1");
    size_t piece = data[0] ? data[0] : size;
    struct err *err = NULL;

    /* As a channel does: what is not consumed is there again. */
    size_t start = 1, end = 1;
    while (end < size && !err && !database->doom) {
        size_t consumed = 0;
        end = size - end > piece ? end + piece : size;
        do {
            start += consumed;
            consumed = 0;
            err =
                database_input(database, data + start, end - start, &consumed);
            ovs_assert(err || consumed <= end - start);
        } while (!err && consumed && start + consumed < end
                 && !database->doom);
        start += consumed;
    }
    if (err) {
        ovs_assert(err->text[0]);
        err_destroy(err);
        database_close(database, "refused");
    }
    fuzz_world_uninit(&world);
    return 0;
}
