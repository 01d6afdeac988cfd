/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H 1

/* The loop: everything that touches the clock, a socket, a disk, a thread or
 * randomness.
 *
 * There are two implementations, chosen at link time: "base/loop.c" on
 * libevent for the daemon, and "tests/sim/loop.c" under a virtual clock, with
 * in-process channels that delay, split, stall and drop, and a disk that
 * fails or lies, for simulation.  Nothing above this header can tell which one
 * it runs on.
 *
 * One thread owns a loop and everything that is called back from it.
 * Callbacks never nest: a function of this header never calls back before it
 * returns, it arranges for a later turn.  A callback may destroy any object,
 * also the one it is called for.
 *
 * Units: microseconds of a clock that never goes back (loop_now), seconds
 * since 1970 for wall time. */

#include "base/base.h"

struct loop;
struct timer;
struct channel;
struct listener;

struct loop *loop_create(void);
void loop_destroy(struct loop *);
AUTO_DEFINE(loop)

/* Runs until loop_stop(). */
void loop_run(struct loop *);
/* Runs what is due now, at most until 'timeout_ms' for the first event. */
void loop_run_once(struct loop *, int timeout_ms);
void loop_stop(struct loop *);

uint64_t loop_now(const struct loop *); /* Microseconds, monotonic. */
double loop_wall(const struct loop *);  /* Seconds since 1970. */
void loop_random(struct loop *, void *, size_t);

/* Deferred calls and timers. */

/* Calls 'cb' once, in this turn after all events that are ready now: the
 * place to do something once for all of them. */
void loop_defer(struct loop *, void (*cb)(void *aux), void *aux);

/* A timer starts idle.  Setting it again replaces the earlier deadline. */
struct timer *loop_timer_create(struct loop *, void (*cb)(void *aux),
                                void *aux);
void loop_timer_set(struct timer *, uint64_t delay_us);
void loop_timer_cancel(struct timer *);
void loop_timer_destroy(struct timer *); /* Accepts null. */

/* Unix signals, file descriptors of libraries that bring their own (the HTTP
 * server's epoll descriptor).  The simulation has neither. */
void loop_on_signal(struct loop *, int signo, void (*cb)(int signo, void *),
                    void *aux);
struct fdwatch;
struct fdwatch *loop_watch_fd(struct loop *, int fd, void (*cb)(void *aux),
                              void *aux); /* Readable. */
void loop_unwatch_fd(struct fdwatch *);   /* Accepts null. */

/* Work that blocks.
 *
 * Runs 'work(aux)' in a helper thread, then 'done(aux)' in the loop's thread.
 * Work handed in with the same 'lane' runs one at a time and in order. */
enum loop_lane { LANE_COMMIT, LANE_OTHER, N_LANES };
void loop_work(struct loop *, enum loop_lane, void (*work)(void *aux),
               void (*done)(void *aux), void *aux);

/* Channels: byte streams to a peer, in clear or TLS. */

/* Files for TLS, all PEM.  A peer must present a certificate signed by
 * 'ca'. */
struct tls_files {
    const char *key;
    const char *certificate;
    const char *ca;
};
struct tls_context;
struct err *tls_context_create(const struct tls_files *,
                               struct tls_context **) OVS_WARN_UNUSED_RESULT;
void tls_context_destroy(struct tls_context *); /* Accepts null. */

struct channel_events {
    /* More bytes than before are waiting; consume what you can use. */
    void (*readable)(struct channel *, void *aux);
    /* The backlog fell below half of the limit given to
     * channel_limit_backlog(). */
    void (*drained)(struct channel *, void *aux);
    /* Connected (active opens; after the TLS handshake if any). */
    void (*connected)(struct channel *, void *aux);
    /* The peer is gone, or never came: 'reason' says why.  The last call for
     * this channel; the owner must still destroy it. */
    void (*closed)(struct channel *, const char *reason, void *aux);
};

/* Listens on 'port' of 'address' ("0.0.0.0", "::", "127.0.0.1").  'accepted'
 * receives ownership of the new channel, whose TLS handshake, if any, is
 * complete, and must set its events.  At most 'max_half_open' handshakes are
 * open at once; each has 10 s. */
struct err *listener_create(struct loop *, const char *address, uint16_t port,
                            struct tls_context *tls_or_null,
                            void (*accepted)(struct channel *, void *aux),
                            void *aux,
                            struct listener **) OVS_WARN_UNUSED_RESULT;
uint16_t listener_port(const struct listener *); /* When 0 was asked. */
void listener_destroy(struct listener *);        /* Accepts null. */

/* Dials 'address' (an IP address).  Never fails at once: see events. */
struct channel *channel_dial(struct loop *, const char *address, uint16_t port,
                             struct tls_context *tls_or_null,
                             const struct channel_events *, void *aux);
void channel_set_events(struct channel *, const struct channel_events *,
                        void *aux);
/* Closes at once, without flushing; no more events.  Accepts null. */
void channel_destroy(struct channel *);

/* What has arrived and is not consumed: contiguous, '*sizep' bytes, valid
 * until the next call on this channel.  At most 'channel_limit_input' bytes
 * (default 1 MiB) are read ahead; then the peer waits. */
const uint8_t *channel_peek(struct channel *, size_t *sizep);
void channel_consume(struct channel *, size_t);
void channel_limit_input(struct channel *, size_t max);

/* Queues 'size' bytes (copies them). */
void channel_write(struct channel *, const void *, size_t size);
size_t channel_backlog(const struct channel *); /* Bytes not yet sent. */
void channel_limit_backlog(struct channel *, size_t low_water_twice);

const char *channel_peer(const struct channel *);         /* "10.0.0.1:5555" */
const char *channel_peer_address(const struct channel *); /* "10.0.0.1" */
const char *channel_local_address(const struct channel *);
const char *channel_peer_name(const struct channel *); /* TLS CN or null. */

#endif /* base/loop.h */
