/* SPDX-License-Identifier: Apache-2.0 */

/* Channels and listeners of the simulation.
 *
 * A connection is two channels that know each other.  What is written to one
 * waits in its 'output', travels as segments in the 'arrivals' of the other,
 * and ends in the 'input' of the other:
 *
 *     a: output ──pump──► b: arrivals ──deliver──► b: input ──► b's owner
 *                           (latency, random sizes, in order)
 *
 * 'pump' stops when as much is under way as the window allows or as the
 * receiver's input has room for, as TCP's flow control does; what remains is
 * the sender's backlog.  The end of a connection is a segment too, the last.
 *
 * A stalled or partitioned channel keeps its arrivals.  A mute one (whose
 * other side is gone without a word) keeps its output for ever.
 *
 * Callbacks are called from happenings only, each of which calls at most one,
 * last. */

#include "sim/sim-private.h"

#include <errno.h>
#include <stdio.h>

#define DEFAULT_INPUT_LIMIT (1024 * 1024)
#define DIAL_TIMEOUT        (10 * SECOND)

enum channel_state {
    CONNECTING, /* Dialed; to OPEN or CLOSED. */
    HANDSHAKE,  /* To be accepted; to OPEN. */
    OPEN,       /* To CLOSED. */
    CLOSED,
};

/* A piece of data that arrives at 'due', or the end of the connection. */
struct segment {
    struct ovs_list node;
    uint64_t due;
    char *reason; /* The end if not null. */
    size_t size;
    uint8_t data[];
};

struct channel {
    struct loop *loop;
    struct ovs_list node;  /* In 'struct net's 'channels'. */
    struct channel *other; /* Null if gone, or not there yet. */
    bool is_accepted;
    enum channel_state state;
    struct channel_events events;
    void *aux;

    /* Being set up. */
    struct happening setup;  /* Connect, be connected, be accepted. */
    uint16_t port;           /* Dialed. */
    struct tls_context *tls; /* To dial with, or null. */
    uint64_t dialed_at;
    struct listener *listener; /* In HANDSHAKE. */
    char *refusal;             /* What a dial will fail with. */

    /* Data. */
    struct bytes output;
    struct happening pump;
    struct ovs_list arrivals; /* Of 'struct segment'. */
    size_t n_arriving;        /* Bytes in 'arrivals'. */
    uint64_t last_due;        /* Of 'arrivals'. */
    struct happening arrive;
    struct bytes input;
    size_t input_limit;
    struct happening readable;
    size_t backlog_limit;
    bool backlogged;
    struct happening drained;
    bool stalled;
    bool mute;

    char *peer;
    char *peer_address;
    char *local_address;
    char *peer_name;
};

struct listener {
    struct ovs_list node; /* In 'struct net's 'listeners'. */
    struct loop *loop;
    char *address;
    uint16_t port;
    struct tls_context *tls;
    void (*accepted)(struct channel *, void *aux);
    void *aux;
};

struct tls_context {
    char *certificate;
    char *ca;
};

static void arrive(void *channel);
static void pump(void *channel);
static void setup(void *channel);
static void tell_drained(void *channel);
static void tell_readable(void *channel);

void
net_init(struct net *net)
{
    ovs_list_init(&net->channels);
    ovs_list_init(&net->listeners);
    shash_init(&net->partitioned);
    net->local_address = mem_text("192.0.2.1");
    net->next_port = 32768;
    net->splitting = 20;
    net->window = 256 * 1024;
}

void
net_uninit(struct net *net)
{
    ovs_assert(ovs_list_is_empty(&net->channels));
    ovs_assert(ovs_list_is_empty(&net->listeners));
    shash_destroy(&net->partitioned);
    free(net->local_address);
}

struct err *
tls_context_create(const struct tls_files *files, struct tls_context **tlsp)
{
    if (!files->key || !files->certificate || !files->ca) {
        return err_new(ERR_INVALID,
                       !files->key           ? "key"
                       : !files->certificate ? "certificate"
                                             : "ca",
                       "no file is given");
    }

    struct tls_context *tls = NEW(struct tls_context);
    tls->certificate = mem_text(files->certificate);
    tls->ca = mem_text(files->ca);
    *tlsp = tls;
    return NULL;
}

void
tls_context_destroy(struct tls_context *tls)
{
    if (tls) {
        free(tls->certificate);
        free(tls->ca);
        free(tls);
    }
}

/* Listeners. */

static bool
is_any(const char *address)
{
    return !strcmp(address, "0.0.0.0") || !strcmp(address, "::");
}

static struct listener *
find_listener(const struct loop *loop, const char *address, uint16_t port)
{
    struct listener *listener;

    LIST_FOR_EACH (listener, node, &loop_net(loop)->listeners) {
        if (listener->port == port
            && (is_any(address) || is_any(listener->address)
                || !strcmp(listener->address, address))) {
            return listener;
        }
    }
    return NULL;
}

struct err *
listener_create(struct loop *loop, const char *address, uint16_t port,
                struct tls_context *tls_or_null,
                void (*accepted)(struct channel *, void *aux), void *aux,
                struct listener **listenerp)
{
    struct in6_addr addr;

    if (!ipaddr_from_text(address, &addr)) {
        return err_new(ERR_INVALID, NULL,
                       "not an IP address to listen on: \"%s\"", address);
    }
    if (port && find_listener(loop, address, port)) {
        return err_new(ERR_UNAVAILABLE, NULL,
                       "cannot listen on %s port %u: %s", address, port,
                       strerror(EADDRINUSE));
    }

    struct listener *listener = NEW(struct listener);
    listener->loop = loop;
    listener->address = mem_text(address);
    listener->port = port ? port : loop_net(loop)->next_port++;
    listener->tls = tls_or_null;
    listener->accepted = accepted;
    listener->aux = aux;
    ovs_list_push_back(&loop_net(loop)->listeners, &listener->node);
    *listenerp = listener;
    return NULL;
}

uint16_t
listener_port(const struct listener *listener)
{
    return listener->port;
}

void
listener_destroy(struct listener *listener)
{
    if (!listener) {
        return;
    }

    struct channel *channel, *next;
    LIST_FOR_EACH_SAFE (channel, next, node,
                        &loop_net(listener->loop)->channels) {
        if (channel->listener == listener) {
            channel_destroy(channel);
        }
    }
    ovs_list_remove(&listener->node);
    free(listener->address);
    free(listener);
}

/* Channels. */

static bool
is_partitioned(const struct loop *loop, const char *address)
{
    return shash_find(&loop_net(loop)->partitioned, address) != NULL;
}

/* Does nothing reach 'channel' at the moment? */
static bool
is_blocked(const struct channel *channel)
{
    return (channel->stalled || channel->mute
            || is_partitioned(channel->loop, channel->peer_address)
            || is_partitioned(channel->loop, channel->local_address));
}

/* Has 'channel' hear of what is next in its arrivals, when it is time. */
static void
expect_arrival(struct channel *channel)
{
    if (ovs_list_is_empty(&channel->arrivals) || channel->state != OPEN
        || is_blocked(channel)) {
        happening_cancel(&channel->arrive);
        return;
    }

    const struct segment *first =
        CONTAINER_OF(ovs_list_front(&channel->arrivals), struct segment, node);
    uint64_t now = loop_now(channel->loop);
    happening_schedule(&channel->arrive,
                       first->due > now ? first->due - now : 0);
}

/* Sends 'size' bytes to 'channel', or the end if 'reason' is not null. */
static void
send_segment(struct channel *channel, const void *data, size_t size,
             const char *reason)
{
    struct segment *segment = mem_zalloc(sizeof *segment + size);
    uint64_t due = loop_now(channel->loop) + loop_latency(channel->loop);

    if (due <= channel->last_due) {
        due = channel->last_due + 1;
    }
    channel->last_due = due;
    segment->due = due;
    segment->reason = mem_text(reason);
    segment->size = size;
    if (size) {
        memcpy(segment->data, data, size);
    }
    channel->n_arriving += size;
    ovs_list_push_back(&channel->arrivals, &segment->node);
    if (!happening_is_scheduled(&channel->arrive)) {
        expect_arrival(channel);
    }
}

static void
drop_arrivals(struct channel *channel)
{
    struct segment *segment;

    LIST_FOR_EACH_POP (segment, node, &channel->arrivals) {
        free(segment->reason);
        free(segment);
    }
    channel->n_arriving = 0;
}

static struct channel *
channel_create(struct loop *loop, const char *local_address,
               const char *peer_address, uint16_t peer_port)
{
    struct channel *channel = NEW(struct channel);

    channel->loop = loop;
    channel->input_limit = DEFAULT_INPUT_LIMIT;
    channel->local_address = mem_text(local_address);
    channel->peer_address = mem_text(peer_address);
    channel->peer = mem_textf(strchr(peer_address, ':') ? "[%s]:%u" : "%s:%u",
                              peer_address, peer_port);
    ovs_list_init(&channel->arrivals);
    happening_init(&channel->setup, loop, setup, channel);
    happening_init(&channel->pump, loop, pump, channel);
    happening_init(&channel->arrive, loop, arrive, channel);
    happening_init(&channel->readable, loop, tell_readable, channel);
    happening_init(&channel->drained, loop, tell_drained, channel);
    ovs_list_push_back(&loop_net(loop)->channels, &channel->node);
    return channel;
}

struct channel *
channel_dial(struct loop *loop, const char *address, uint16_t port,
             struct tls_context *tls_or_null,
             const struct channel_events *events, void *aux)
{
    struct channel *channel =
        channel_create(loop, loop_net(loop)->local_address, address, port);
    struct in6_addr addr;

    channel->state = CONNECTING;
    channel->events = *events;
    channel->aux = aux;
    channel->port = port;
    channel->tls = tls_or_null;
    channel->dialed_at = loop_now(loop);
    if (!ipaddr_from_text(address, &addr)) {
        channel->refusal = mem_text("not an IP address");
    }
    happening_schedule(&channel->setup, loop_latency(loop));
    return channel;
}

void
channel_set_events(struct channel *channel,
                   const struct channel_events *events, void *aux)
{
    channel->events = *events;
    channel->aux = aux;
    if (channel->state == OPEN && channel->input.size) {
        happening_hasten(&channel->readable, 0);
    }
}

void
channel_destroy(struct channel *channel)
{
    if (!channel) {
        return;
    }

    struct channel *other = channel->other;
    if (other) {
        other->other = NULL;
        bytes_uninit(&other->output);
        send_segment(other, NULL, 0, "peer closed the connection");
    }
    happening_cancel(&channel->setup);
    happening_cancel(&channel->pump);
    happening_cancel(&channel->arrive);
    happening_cancel(&channel->readable);
    happening_cancel(&channel->drained);
    drop_arrivals(channel);
    bytes_uninit(&channel->input);
    bytes_uninit(&channel->output);
    ovs_list_remove(&channel->node);
    free(channel->refusal);
    free(channel->peer);
    free(channel->peer_address);
    free(channel->local_address);
    free(channel->peer_name);
    free(channel);
}

const uint8_t *
channel_peek(struct channel *channel, size_t *sizep)
{
    *sizep = channel->input.size;
    return channel->input.size ? bytes_data(&channel->input)
                               : (const uint8_t *) "";
}

/* The other side may send more, once it hears of it. */
static void
open_window(struct channel *channel)
{
    struct channel *other = channel->other;

    if (other && other->output.size && other->state == OPEN) {
        happening_hasten(&other->pump, loop_latency(channel->loop));
    }
}

void
channel_consume(struct channel *channel, size_t n)
{
    bytes_consume(&channel->input, n);
    open_window(channel);
}

void
channel_limit_input(struct channel *channel, size_t max)
{
    channel->input_limit = max ? max : 1;
    open_window(channel);
}

void
channel_write(struct channel *channel, const void *data, size_t size)
{
    if (channel->state == CLOSED
        || (!channel->other && !channel->mute
            && channel->state != CONNECTING)) {
        return;
    }

    bytes_put(&channel->output, data, size);
    if (channel->backlog_limit
        && channel->output.size > channel->backlog_limit / 2) {
        channel->backlogged = true;
    }
    if (channel->state == OPEN && !channel->mute) {
        happening_hasten(&channel->pump, 0);
    }
}

size_t
channel_backlog(const struct channel *channel)
{
    return channel->output.size;
}

void
channel_limit_backlog(struct channel *channel, size_t low_water_twice)
{
    channel->backlog_limit = low_water_twice;
    channel->backlogged =
        (low_water_twice && channel->output.size > low_water_twice / 2);
}

const char *
channel_peer(const struct channel *channel)
{
    return channel->peer;
}

const char *
channel_peer_address(const struct channel *channel)
{
    return channel->peer_address;
}

const char *
channel_local_address(const struct channel *channel)
{
    return channel->local_address;
}

const char *
channel_peer_name(const struct channel *channel)
{
    return channel->peer_name;
}

/* Happenings. */

static void
close_channel(struct channel *channel, const char *reason)
{
    channel->state = CLOSED;
    bytes_uninit(&channel->output);
    happening_cancel(&channel->setup);
    happening_cancel(&channel->pump);
    happening_cancel(&channel->arrive);
    happening_cancel(&channel->readable);
    happening_cancel(&channel->drained);
    drop_arrivals(channel);
    if (channel->events.closed) {
        channel->events.closed(channel, reason, channel->aux);
    }
}

static void
tell_readable(void *channel_)
{
    struct channel *channel = channel_;

    if (channel->state == OPEN && channel->input.size
        && channel->events.readable) {
        channel->events.readable(channel, channel->aux);
    }
}

static void
tell_drained(void *channel_)
{
    struct channel *channel = channel_;

    if (channel->state == OPEN && channel->events.drained) {
        channel->events.drained(channel, channel->aux);
    }
}

/* Something reaches 'channel'. */
static void
arrive(void *channel_)
{
    struct channel *channel = channel_;
    bool grown = false;

    while (!ovs_list_is_empty(&channel->arrivals)) {
        struct segment *segment = CONTAINER_OF(
            ovs_list_front(&channel->arrivals), struct segment, node);
        if (segment->due > loop_now(channel->loop)
            || (segment->reason && grown)) {
            break;
        }

        ovs_list_remove(&segment->node);
        if (segment->reason) {
            AUTO_TEXT *reason = STEAL(segment->reason);
            free(segment);
            close_channel(channel, reason);
            return;
        }
        bytes_put(&channel->input, segment->data, segment->size);
        channel->n_arriving -= segment->size;
        grown = true;
        free(segment);
    }
    expect_arrival(channel);
    if (grown) {
        happening_cancel(&channel->readable);
        tell_readable(channel);
    }
}

/* How many bytes 'channel' may send now. */
static size_t
room_to_send(const struct channel *channel)
{
    const struct channel *other = channel->other;
    size_t ahead = other->n_arriving + other->input.size;
    size_t window = loop_net(channel->loop)->window;

    if (ahead >= other->input_limit || other->n_arriving >= window) {
        return 0;
    }

    size_t room = other->input_limit - ahead;
    if (room > window - other->n_arriving) {
        room = window - other->n_arriving;
    }
    return room < channel->output.size ? room : channel->output.size;
}

/* Puts under way what may be. */
static void
pump(void *channel_)
{
    struct channel *channel = channel_;
    struct loop *loop = channel->loop;

    while (channel->other && !channel->mute && channel->output.size) {
        size_t n = room_to_send(channel);
        if (!n) {
            break;
        }
        if (sim_chance(loop, loop_net(loop)->splitting)) {
            n = sim_random(loop, 1, n);
        }
        send_segment(channel->other, bytes_data(&channel->output), n, NULL);
        bytes_consume(&channel->output, n);
    }
    if (channel->backlogged
        && channel->output.size <= channel->backlog_limit / 2) {
        channel->backlogged = false;
        happening_hasten(&channel->drained, 0);
    }
}

/* Why 'listener', which may be null, does not talk to 'channel', or null. */
static const char *
refusal(const struct channel *channel, const struct listener *listener)
{
    if (!listener) {
        return "Connection refused";
    } else if (!listener->tls && channel->tls) {
        return "TLS: wrong version number";
    } else if (listener->tls && !channel->tls) {
        return "peer closed the connection";
    } else if (listener->tls && strcmp(listener->tls->ca, channel->tls->ca)) {
        return "TLS: certificate verify failed";
    } else {
        return NULL;
    }
}

static char *
certificate_name(const struct tls_context *tls)
{
    const char *slash = strrchr(tls->certificate, '/');
    return mem_text(slash ? slash + 1 : tls->certificate);
}

/* The dial of 'channel' reaches 'listener': makes the other side. */
static void
meet(struct channel *channel, struct listener *listener)
{
    struct loop *loop = channel->loop;
    struct channel *other =
        channel_create(loop, channel->peer_address, channel->local_address,
                       loop_net(loop)->next_port);

    loop_net(loop)->next_port += loop_net(loop)->next_port < UINT16_MAX;
    other->is_accepted = true;
    other->state = HANDSHAKE;
    other->listener = listener;
    other->other = channel;
    channel->other = other;
    if (listener->tls) {
        other->peer_name = certificate_name(channel->tls);
        channel->peer_name = certificate_name(listener->tls);
    }

    happening_schedule(&channel->setup, loop_latency(loop));
    channel->last_due = channel->setup.due;
    happening_schedule(&other->setup,
                       listener->tls ? 2 * loop_latency(loop) : 0);
}

/* A dial arrives. */
static void
setup_dial(struct channel *channel)
{
    struct loop *loop = channel->loop;

    if (is_blocked(channel)) {
        /* Repeated as TCP does. */
        uint64_t passed = loop_now(loop) - channel->dialed_at;
        if (passed >= DIAL_TIMEOUT) {
            close_channel(channel, "connecting timed out");
        } else {
            uint64_t left = DIAL_TIMEOUT - passed;
            uint64_t delay = passed > SECOND ? passed : SECOND;
            channel->setup.idle = true;
            happening_schedule(&channel->setup, delay < left ? delay : left);
        }
        return;
    }

    channel->setup.idle = false;
    struct listener *listener =
        find_listener(loop, channel->peer_address, channel->port);
    const char *reason = refusal(channel, listener);
    if (reason) {
        channel->refusal = mem_text(reason);
        happening_schedule(&channel->setup, loop_latency(loop));
    } else {
        meet(channel, listener);
    }
}

/* The next step in setting up 'channel'. */
static void
setup(void *channel_)
{
    struct channel *channel = channel_;

    if (channel->refusal) {
        close_channel(channel, channel->refusal);
    } else if (channel->state == HANDSHAKE) {
        struct listener *listener = channel->listener;

        channel->listener = NULL;
        channel->state = OPEN;
        expect_arrival(channel);
        listener->accepted(channel, listener->aux);
    } else if (channel->last_due) {
        channel->state = OPEN;
        expect_arrival(channel);
        if (channel->output.size) {
            happening_hasten(&channel->pump, 0);
        }
        if (channel->events.connected) {
            channel->events.connected(channel, channel->aux);
        }
    } else {
        setup_dial(channel);
    }
}

/* What only tests can do. */

void
sim_set_splitting(struct loop *loop, int percent)
{
    loop_net(loop)->splitting = percent;
}

void
sim_set_window(struct loop *loop, size_t bytes)
{
    loop_net(loop)->window = bytes;
}

void
sim_set_local_address(struct loop *loop, const char *address)
{
    struct net *net = loop_net(loop);

    free(net->local_address);
    net->local_address = mem_text(address);
}

void
sim_partition(struct loop *loop, const char *address, bool on)
{
    struct net *net = loop_net(loop);
    struct channel *channel;

    if (on) {
        shash_add_once(&net->partitioned, address, NULL);
    } else {
        shash_find_and_delete(&net->partitioned, address);
    }
    LIST_FOR_EACH (channel, node, &net->channels) {
        expect_arrival(channel);
    }
}

struct channel *
sim_channel_next(const struct loop *loop, const struct channel *channel)
{
    struct ovs_list *channels = &loop_net(loop)->channels;
    struct ovs_list *next = channel ? channel->node.next : channels->next;

    return (next == channels ? NULL
                             : CONTAINER_OF(next, struct channel, node));
}

struct channel *
sim_channel_other(const struct channel *channel)
{
    return channel->other;
}

bool
sim_channel_is_accepted(const struct channel *channel)
{
    return channel->is_accepted;
}

bool
sim_channel_is_open(const struct channel *channel)
{
    return channel->state == OPEN;
}

/* Has 'channel' end, whatever holds it up, and everything that is under way
 * to it lost. */
static void
break_off(struct channel *channel)
{
    if (channel->state == CLOSED) {
        return;
    }

    bytes_uninit(&channel->output);
    drop_arrivals(channel);
    channel->other = NULL;
    if (channel->state == CONNECTING) {
        channel->refusal = mem_text("Connection reset by peer");
        happening_schedule(&channel->setup, loop_latency(channel->loop));
    } else {
        channel->stalled = false;
        happening_cancel(&channel->arrive);
        send_segment(channel, NULL, 0, "Connection reset by peer");
    }
}

void
sim_cut(struct channel *channel)
{
    struct channel *other = channel->other;

    break_off(channel);
    if (other) {
        break_off(other);
    }
}

void
sim_cut_half(struct channel *channel)
{
    struct channel *other = channel->other;

    break_off(channel);
    if (other) {
        other->other = NULL;
        other->mute = true;
        drop_arrivals(other);
        expect_arrival(other);
    }
}

void
sim_stall(struct channel *channel, bool on)
{
    channel->stalled = on;
    expect_arrival(channel);
}

void
sim_cut_address(struct loop *loop, const char *address)
{
    struct channel *channel;

    LIST_FOR_EACH (channel, node, &loop_net(loop)->channels) {
        if (!strcmp(channel->peer_address, address)
            || !strcmp(channel->local_address, address)) {
            sim_cut(channel);
        }
    }
}
