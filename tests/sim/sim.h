/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_SIM_H
#define SIM_SIM_H 1

/* What a simulation can do to the world behind "base/loop.h".
 *
 * Link with 'sim_loop' instead of 'real_loop' and everything above the loop
 * runs under a virtual clock, in one process and one thread, without sockets
 * or files.  The same seed gives the same run, to the microsecond and byte.
 *
 * All participants share one 'struct loop': the daemon under test listens and
 * dials as always, and so do the models of its peers.  A test goes
 *
 *     struct loop *loop = loop_create();
 *     sim_seed(loop, seed);
 *     struct sim_disk *disk = sim_disk_register(loop);
 *     ...start the daemon and its peers...
 *     assert_true(sim_run_until(loop, all_connected, &world, 10 * SECOND));
 *     sim_cut(some_channel);
 *     ...
 *
 * Nothing happens between calls: time passes only in sim_advance(),
 * sim_run_until(), loop_run() and loop_run_once(). */

#include "base/loop.h"

#define MILLISECOND UINT64_C(1000)
#define SECOND      UINT64_C(1000000)

/* Time and chance. */

/* Starts the random numbers of 'loop' anew.  Do it first. */
void sim_seed(struct loop *, uint64_t seed);
/* A number from 'min' to 'max', both included. */
uint64_t sim_random(struct loop *, uint64_t min, uint64_t max);
/* True with a probability of 'percent'. */
bool sim_chance(struct loop *, int percent);

/* Runs everything that happens in the next 'us', and lets them pass. */
void sim_advance(struct loop *, uint64_t us);
/* Runs until 'predicate' is true, and returns true, or until 'max_us' have
 * passed or loop_stop() is called, and returns false. */
bool sim_run_until(struct loop *, bool (*predicate)(void *aux), void *aux,
                   uint64_t max_us);
/* Is nothing going on?  True if no byte, connection or work is under way and
 * no call is deferred, except what a stall, cut or partition holds up.  Timers
 * do not count. */
bool sim_is_quiet(const struct loop *);
/* Runs until sim_is_quiet(), at most 'max_us'; returns whether it became. */
bool sim_settle(struct loop *, uint64_t max_us);
/* Turns run so far: two runs of the same seed agree on it. */
uint64_t sim_n_turns(const struct loop *);

/* How the world is by default. */

/* One way, for every piece of data.  Default 50...500 us. */
void sim_set_latency(struct loop *, uint64_t min_us, uint64_t max_us);
/* How often data is split at random places.  Default 20 percent; at 100 a
 * message hardly ever arrives in one piece. */
void sim_set_splitting(struct loop *, int percent);
/* At most this many bytes are under way per channel and direction; what is
 * more stays in the sender's backlog.  Default 256 KiB. */
void sim_set_window(struct loop *, size_t bytes);
/* How long loop_work() takes.  Default 50...2000 us. */
void sim_set_work_time(struct loop *, uint64_t min_us, uint64_t max_us);

/* The address that channels are dialed from, from now on.  Default
 * "192.0.2.1".  Lets a test be many hosts. */
void sim_set_local_address(struct loop *, const char *address);
/* While on, nothing reaches 'address' and nothing comes from it.  Data waits
 * (as TCP would repeat it), dials time out after 10 s. */
void sim_partition(struct loop *, const char *address, bool on);

/* Channels. */

/* Enumerates the live channels of 'loop', oldest first: null starts. */
struct channel *sim_channel_next(const struct loop *, const struct channel *);
/* The other end, or null if it is gone. */
struct channel *sim_channel_other(const struct channel *);
/* Did the listening side get this one?  Otherwise it was dialed. */
bool sim_channel_is_accepted(const struct channel *);
bool sim_channel_is_open(const struct channel *);

/* Breaks the connection: data under way is lost, both sides see it closed. */
void sim_cut(struct channel *);
/* Breaks the connection for 'channel' only: it sees it closed, and the other
 * side hears nothing any more, whatever it writes. */
void sim_cut_half(struct channel *);
/* While on, no data is delivered to 'channel'. */
void sim_stall(struct channel *, bool on);
/* Cuts every channel from or to 'address', as when that host loses power. */
void sim_cut_address(struct loop *, const char *address);

/* The disk: an SQLite VFS.
 *
 * A file is two images: what programs see, and what is durable.  Writing
 * changes the first, syncing copies it to the second. */

struct sim_disk;

/* Makes a new, empty disk and registers it with SQLite as the default VFS,
 * named "sim".  Paths mean nothing beyond their text.  Destroy it after all
 * its connections and before 'loop'. */
struct sim_disk *sim_disk_register(struct loop *);
void sim_disk_destroy(struct sim_disk *); /* Accepts null. */

/* The power fails: every file becomes its durable image.  If 'torn', of each
 * file a random subset of the 512-byte sectors written since keeps what was
 * written.  Connections from before fail in everything from now on, and need
 * only be closed. */
void sim_disk_crash(struct sim_disk *, bool torn);
/* While on, writing fails as if the disk were full. */
void sim_disk_full(struct sim_disk *, bool on);
/* While on, writing and syncing fail. */
void sim_disk_io_error(struct sim_disk *, bool on);
/* While on, syncing does nothing and says that it did. */
void sim_disk_lie(struct sim_disk *, bool on);

bool sim_disk_exists(const struct sim_disk *, const char *path);
/* Adds 'mask' to (exclusive or) the byte at 'offset' of both images, as
 * decaying hardware would.  False if there is no such byte. */
bool sim_disk_corrupt(struct sim_disk *, const char *path, size_t offset,
                      uint8_t mask);
size_t sim_disk_file_size(const struct sim_disk *, const char *path);
uint64_t sim_disk_n_syncs(const struct sim_disk *);

#endif /* sim/sim.h */
