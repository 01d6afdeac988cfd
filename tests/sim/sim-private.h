/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_SIM_PRIVATE_H
#define SIM_SIM_PRIVATE_H 1

/* What the files of the simulation share. */

#include "base/bytes.h"
#include "sim/sim.h"

/* Something that is to happen at a time.  Part of whatever it happens to. */
struct happening {
    struct loop *loop;
    void (*cb)(void *aux);
    void *aux;
    bool idle; /* Does not keep sim_is_quiet() from being
                                 * true, as a timer. */

    size_t position; /* In the heap plus 1, 0 if not scheduled. */
    uint64_t due;
    uint64_t sequence; /* Orders what is due at the same time. */
};

void happening_init(struct happening *, struct loop *, void (*cb)(void *aux),
                    void *aux);
/* Replaces an earlier time. */
void happening_schedule(struct happening *, uint64_t delay_us);
/* Does nothing if it is scheduled for an earlier or the same time. */
void happening_hasten(struct happening *, uint64_t delay_us);
void happening_cancel(struct happening *);
static inline bool
happening_is_scheduled(const struct happening *h)
{
    return h->position > 0;
}

uint64_t loop_latency(struct loop *);

/* What channel.c keeps in each loop. */
struct net {
    struct ovs_list channels; /* Of 'struct channel', oldest first. */
    struct ovs_list listeners;
    struct shash partitioned; /* Addresses, no data. */
    char *local_address;
    uint16_t next_port;
    int splitting; /* Percent. */
    size_t window;
};

void net_init(struct net *);
void net_uninit(struct net *);
struct net *loop_net(const struct loop *);

#endif /* sim/sim-private.h */
