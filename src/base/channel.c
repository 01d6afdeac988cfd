/* SPDX-License-Identifier: Apache-2.0 */

/* Channels on libevent's bufferevents.
 *
 *     CONNECTING ──► HANDSHAKE ──► OPEN ──► CLOSED
 *     (dialed only)  (TLS only)
 *
 * A channel has a socket of its own and an event for it while CONNECTING, and
 * a bufferevent from then on.  Bufferevents call back deferred
 * (BEV_OPT_DEFER_CALLBACKS), so nothing is ever called from within a function
 * of ours; and every callback below calls the owner last, so that the owner
 * may destroy the channel.
 *
 * Input is moved from the bufferevent to a contiguous queue (bytes.c), at most
 * 'input_limit' bytes.  This costs one copy and spares the quadratic cost of
 * making a growing evbuffer contiguous for each peek.  When the queue is full,
 * reading from the socket stops until the owner consumes.
 *
 *     socket ─► TLS ─► bufferevent's input ─► input ─► channel_peek()
 *
 * If the peer closes while there still is something behind a full queue, the
 * owner hears of it only when all has been moved to the queue. */

#include "base/loop-private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"

#define DEFAULT_INPUT_LIMIT (1024 * 1024)
#define HANDSHAKE_S         10    /* To connect and for the TLS handshake. */
#define READ_SIZE           65536 /* At most this much per channel and turn. */

enum channel_state {
    CONNECTING, /* To HANDSHAKE, OPEN or CLOSED. */
    HANDSHAKE,  /* TLS; to OPEN or CLOSED. */
    OPEN,       /* To CLOSED. */
    CLOSED,
};

struct channel {
    struct loop *loop;
    enum channel_state state;
    struct channel_events events;
    void *aux;

    /* CONNECTING. */
    int fd; /* -1 when the bufferevent has taken it. */
    struct event *connecting;
    struct tls_context *tls; /* Or null. */
    struct evbuffer *early;  /* Written before there is a bufferevent. */

    /* Later. */
    struct bufferevent *bev;
    struct event *deadline; /* Of CONNECTING and HANDSHAKE, or null. */
    void (*accepted)(struct channel *, const char *reason, void *aux);
    void *accepted_aux; /* For a handshake of channel_accept(). */
    char *reason;       /* Why it ended, if it has. */

    struct bytes input;
    size_t input_limit;
    size_t backlog_limit;
    bool backlogged; /* Above half of the limit; 'drained' due. */

    char *peer;
    char *peer_address;
    char *local_address;
    char *peer_name;
};

static void channel_connecting(int fd, short what, void *channel);
static void channel_deadline(int fd, short what, void *channel);
static void channel_opened(struct channel *);
static void channel_ended(struct channel *, char *reason);
static void attach(struct channel *, bool accepting);
static void bev_event(struct bufferevent *, short what, void *channel);
static void bev_read(struct bufferevent *, void *channel);
static void bev_write(struct bufferevent *, void *channel);

/* Ends the channel with 'reason', in a later turn because the caller may have
 * been called by the owner. */
static void
end_later(struct channel *channel, char *reason)
{
    struct timeval now = { .tv_sec = 0 };

    free(channel->reason);
    channel->reason = reason;
    event_add(channel->deadline, &now);
}

static struct channel *
channel_create(struct loop *loop, int fd)
{
    struct channel *channel = NEW(struct channel);

    channel->loop = loop;
    channel->fd = fd;
    channel->input_limit = DEFAULT_INPUT_LIMIT;
    return channel;
}

static void
set_deadline(struct channel *channel)
{
    struct timeval tv = { .tv_sec = HANDSHAKE_S };

    channel->deadline =
        loop_event_create(channel->loop, -1, 0, channel_deadline, channel);
    event_add(channel->deadline, &tv);
}

static void
clear_deadline(struct channel *channel)
{
    if (channel->deadline) {
        event_free(channel->deadline);
        channel->deadline = NULL;
    }
}

/* Returns the address in 'ss' and stores its port in '*portp'. */
static struct in6_addr
sockaddr_parse(const struct sockaddr_storage *ss, uint16_t *portp)
{
    if (ss->ss_family == AF_INET) {
        struct sockaddr_in sin;
        memcpy(&sin, ss, sizeof sin);
        *portp = ntohs(sin.sin_port);
        return ipaddr_from_v4(sin.sin_addr.s_addr);
    } else {
        struct sockaddr_in6 sin6;
        memcpy(&sin6, ss, sizeof sin6);
        *portp = ntohs(sin6.sin6_port);
        return sin6.sin6_addr;
    }
}

static void
set_peer(struct channel *channel, const char *address, uint16_t port)
{
    channel->peer_address = mem_text(address);
    channel->peer =
        mem_textf(strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, port);
}

static void
set_local_address(struct channel *channel)
{
    struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
    socklen_t length = sizeof ss;
    char text[INET6_ADDRSTRLEN];
    uint16_t port;

    (void) getsockname(channel->fd, (struct sockaddr *) &ss, &length);
    struct in6_addr addr = sockaddr_parse(&ss, &port);
    ipaddr_to_text(&addr, text);
    channel->local_address = mem_text(text);
}

struct channel *
channel_accept(struct loop *loop, int fd, struct tls_context *tls_or_null,
               void (*cb)(struct channel *, const char *reason, void *aux),
               void *aux)
{
    struct channel *channel = channel_create(loop, fd);
    struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
    socklen_t length = sizeof ss;
    char text[INET6_ADDRSTRLEN];
    uint16_t port;

    (void) getpeername(fd, (struct sockaddr *) &ss, &length);
    struct in6_addr addr = sockaddr_parse(&ss, &port);
    ipaddr_to_text(&addr, text);
    set_peer(channel, text, port);
    set_local_address(channel);

    channel->tls = tls_or_null;
    if (tls_or_null) {
        channel->accepted = cb;
        channel->accepted_aux = aux;
        set_deadline(channel);
    }
    attach(channel, true);
    return channel;
}

/* Opens a socket and starts to connect it.  Returns 0 or a positive errno. */
static int
start_connect(struct channel *channel, const struct in6_addr *addr,
              uint16_t port)
{
    bool v4 = ipaddr_is_v4(addr);
    struct sockaddr_in sin = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = ipaddr_v4(addr),
    };
    struct sockaddr_in6 sin6 = {
        .sin6_family = AF_INET6,
        .sin6_port = htons(port),
        .sin6_addr = *addr,
    };
    const struct sockaddr *sa = (v4 ? (const struct sockaddr *) &sin
                                    : (const struct sockaddr *) &sin6);

    channel->fd = socket(v4 ? AF_INET : AF_INET6,
                         SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (channel->fd < 0) {
        return errno;
    }
    if (connect(channel->fd, sa, v4 ? sizeof sin : sizeof sin6) < 0
        && errno != EINPROGRESS) {
        return errno;
    }
    channel->connecting = loop_event_create(
        channel->loop, channel->fd, EV_WRITE, channel_connecting, channel);
    event_add(channel->connecting, NULL);
    return 0;
}

struct channel *
channel_dial(struct loop *loop, const char *address, uint16_t port,
             struct tls_context *tls_or_null,
             const struct channel_events *events, void *aux)
{
    struct channel *channel = channel_create(loop, -1);
    struct in6_addr addr;

    channel->state = CONNECTING;
    channel->tls = tls_or_null;
    channel->events = *events;
    channel->aux = aux;
    channel->early = evbuffer_new();
    ovs_assert(channel->early);
    set_peer(channel, address, port);
    set_deadline(channel);

    if (!ipaddr_from_text(address, &addr)) {
        end_later(channel, mem_text("not an IP address"));
    } else {
        int error = start_connect(channel, &addr, port);
        if (error) {
            end_later(channel, mem_text(strerror(error)));
        }
    }
    return channel;
}

void
channel_set_events(struct channel *channel,
                   const struct channel_events *events, void *aux)
{
    channel->events = *events;
    channel->aux = aux;
    if (channel->bev && channel->state == OPEN
        && (channel->input.size
            || evbuffer_get_length(bufferevent_get_input(channel->bev)))) {
        bufferevent_trigger(channel->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
    }
}

void
channel_destroy(struct channel *channel)
{
    if (!channel) {
        return;
    }

    clear_deadline(channel);
    if (channel->connecting) {
        event_free(channel->connecting);
    }
    if (channel->bev) {
        /* The bufferevent closes the socket when libevent gets around to it,
         * but the peer is to know now. */
        (void) shutdown(bufferevent_getfd(channel->bev), SHUT_RDWR);
        bufferevent_free(channel->bev);
    }
    if (channel->early) {
        evbuffer_free(channel->early);
    }
    if (channel->fd >= 0) {
        close(channel->fd);
    }
    bytes_uninit(&channel->input);
    free(channel->reason);
    free(channel->peer);
    free(channel->peer_address);
    free(channel->local_address);
    free(channel->peer_name);
    free(channel);
}

/* Moves as much as fits from the bufferevent to 'input', and stops or resumes
 * reading accordingly.  Returns true if it moved anything. */
static bool
fill_input(struct channel *channel)
{
    if (!channel->bev) {
        return false;
    }

    struct evbuffer *buffer = bufferevent_get_input(channel->bev);
    size_t waiting = evbuffer_get_length(buffer);
    size_t room = (channel->input.size < channel->input_limit
                       ? channel->input_limit - channel->input.size
                       : 0);
    size_t n = waiting < room ? waiting : room;

    if (n) {
        int moved = evbuffer_remove(buffer, bytes_room(&channel->input, n), n);
        ovs_assert(moved == n);
        bytes_added(&channel->input, n);
    }
    if (channel->state == OPEN) {
        bool reading = bufferevent_get_enabled(channel->bev) & EV_READ;
        bool wanted = channel->input.size < channel->input_limit;
        if (wanted && !reading) {
            bufferevent_enable(channel->bev, EV_READ);
        } else if (!wanted && reading) {
            bufferevent_disable(channel->bev, EV_READ);
        }
    }
    return n > 0;
}

const uint8_t *
channel_peek(struct channel *channel, size_t *sizep)
{
    *sizep = channel->input.size;
    return channel->input.size ? bytes_data(&channel->input)
                               : (const uint8_t *) "";
}

/* 'n' must not be more than channel_peek() said. */
void
channel_consume(struct channel *channel, size_t n)
{
    bytes_consume(&channel->input, n);
    if (n && fill_input(channel)) {
        bufferevent_trigger(channel->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
    }
}

void
channel_limit_input(struct channel *channel, size_t max)
{
    channel->input_limit = max ? max : 1;
    if (fill_input(channel)) {
        bufferevent_trigger(channel->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
    }
}

/* What is written to a channel that has ended is lost, as it would be if the
 * peer went away a little later. */
void
channel_write(struct channel *channel, const void *data, size_t size)
{
    if (channel->state == CLOSED) {
        return;
    }

    int error = (channel->bev ? bufferevent_write(channel->bev, data, size)
                              : evbuffer_add(channel->early, data, size));
    ovs_assert(!error);
    if (channel->backlog_limit
        && channel_backlog(channel) > channel->backlog_limit / 2) {
        channel->backlogged = true;
    }
}

size_t
channel_backlog(const struct channel *channel)
{
    return (channel->bev
                ? evbuffer_get_length(bufferevent_get_output(channel->bev))
            : channel->early ? evbuffer_get_length(channel->early)
                             : 0);
}

static void
set_write_watermark(struct channel *channel)
{
    if (channel->bev) {
        bufferevent_setwatermark(channel->bev, EV_WRITE,
                                 channel->backlog_limit / 2, 0);
    }
}

void
channel_limit_backlog(struct channel *channel, size_t low_water_twice)
{
    channel->backlog_limit = low_water_twice;
    channel->backlogged =
        (low_water_twice && channel_backlog(channel) > low_water_twice / 2);
    set_write_watermark(channel);
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

/* Returns "" before a dialed channel is connected. */
const char *
channel_local_address(const struct channel *channel)
{
    return channel->local_address ? channel->local_address : "";
}

const char *
channel_peer_name(const struct channel *channel)
{
    return channel->peer_name;
}

/* The connection is made, or failed. */
static void
channel_connecting(int fd, short what OVS_UNUSED, void *channel_)
{
    struct channel *channel = channel_;
    int error = 0;
    socklen_t length = sizeof error;

    event_free(channel->connecting);
    channel->connecting = NULL;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) {
        error = errno;
    }
    if (error) {
        channel_ended(channel, mem_text(strerror(error)));
        return;
    }

    set_local_address(channel);
    attach(channel, false);
    if (channel->state == OPEN) {
        channel_opened(channel);
    }
}

/* Time is over, or end_later() was called. */
static void
channel_deadline(int fd OVS_UNUSED, short what OVS_UNUSED, void *channel_)
{
    struct channel *channel = channel_;

    if (channel->reason) {
        channel_ended(channel, STEAL(channel->reason));
    } else {
        channel_ended(channel, mem_text(channel->state == CONNECTING
                                            ? "connecting timed out"
                                            : "TLS handshake timed out"));
    }
}

/* Gives the connected socket to a new bufferevent. */
static void
attach(struct channel *channel, bool accepting)
{
    struct event_base *base = loop_event_base(channel->loop);
    int options = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS;
    int yes = 1;

    (void) setsockopt(channel->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (channel->tls) {
        channel->bev = bufferevent_openssl_socket_new(
            base, channel->fd, tls_session_create(channel->tls),
            accepting ? BUFFEREVENT_SSL_ACCEPTING : BUFFEREVENT_SSL_CONNECTING,
            options);
    } else {
        channel->bev = bufferevent_socket_new(base, channel->fd, options);
    }
    ovs_assert(channel->bev);
    channel->fd = -1;
    channel->tls = NULL;

    bufferevent_set_max_single_read(channel->bev, READ_SIZE);
    bufferevent_setcb(channel->bev, bev_read, bev_write, bev_event, channel);
    set_write_watermark(channel);
    if (channel->early) {
        bufferevent_write_buffer(channel->bev, channel->early);
        evbuffer_free(channel->early);
        channel->early = NULL;
    }
    channel->state =
        bufferevent_openssl_get_ssl(channel->bev) ? HANDSHAKE : OPEN;
    bufferevent_enable(
        channel->bev,
        (channel->state == OPEN ? EV_READ | EV_WRITE : EV_WRITE));
}

/* The channel can be used from now on: tells the owner, or whoever is about to
 * be. */
static void
channel_opened(struct channel *channel)
{
    clear_deadline(channel);
    channel->state = OPEN;
    bufferevent_enable(channel->bev, EV_READ);

    if (channel->accepted) {
        void (*cb)(struct channel *, const char *, void *) = channel->accepted;

        channel->accepted = NULL;
        cb(channel, NULL, channel->accepted_aux);
    } else if (channel->events.connected) {
        channel->events.connected(channel, channel->aux);
    }
}

/* The channel is of no use any more: tells the owner, or whoever was to become
 * it.  Takes over 'reason'. */
static void
channel_ended(struct channel *channel, char *reason)
{
    clear_deadline(channel);
    free(channel->reason);
    channel->reason = reason;
    channel->state = CLOSED;
    if (channel->connecting) {
        event_del(channel->connecting);
    }
    if (channel->bev) {
        bufferevent_disable(channel->bev, EV_READ | EV_WRITE);
    }

    if (channel->accepted) {
        channel->accepted(channel, reason, channel->accepted_aux);
    } else if (channel->events.closed) {
        channel->events.closed(channel, reason, channel->aux);
    }
}

/* Callbacks of the bufferevent.  Each calls the owner at most once, last. */

/* Returns why the connection ended, for the caller to free. */
static char *
why(struct channel *channel, short what)
{
    int error = EVUTIL_SOCKET_ERROR();
    const struct ssl_st *ssl = bufferevent_openssl_get_ssl(channel->bev);
    unsigned long tls_error = bufferevent_get_openssl_error(channel->bev);
    char *problem = ssl ? tls_session_problem(ssl, tls_error) : NULL;

    if (problem) {
        return problem;
    } else if (error && !(what & BEV_EVENT_EOF)) {
        return mem_text(strerror(error));
    } else if (channel->state == HANDSHAKE) {
        return mem_text("peer closed the connection in the TLS handshake");
    } else {
        return mem_text("peer closed the connection");
    }
}

static void
bev_event(struct bufferevent *bev, short what, void *channel_)
{
    struct channel *channel = channel_;

    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) {
        if (!channel->reason) {
            channel->reason = why(channel, what);
        }
        /* If the queue is full, bev_read() calls for this again. */
        if (!evbuffer_get_length(bufferevent_get_input(bev))) {
            channel_ended(channel, STEAL(channel->reason));
        }
    } else if (what & BEV_EVENT_CONNECTED && channel->state == HANDSHAKE) {
        struct ssl_st *ssl = bufferevent_openssl_get_ssl(bev);
        channel->peer_name = tls_session_peer_name(ssl);
        channel_opened(channel);
    }
}

static void
bev_read(struct bufferevent *bev, void *channel_)
{
    struct channel *channel = channel_;

    fill_input(channel);
    if (channel->reason && channel->state == OPEN
        && !evbuffer_get_length(bufferevent_get_input(bev))) {
        bufferevent_trigger_event(bev, BEV_EVENT_EOF,
                                  BEV_TRIG_DEFER_CALLBACKS);
    }
    if (channel->input.size && channel->state == OPEN
        && channel->events.readable) {
        channel->events.readable(channel, channel->aux);
    }
}

static void
bev_write(struct bufferevent *bev OVS_UNUSED, void *channel_)
{
    struct channel *channel = channel_;

    if (channel->backlogged
        && channel_backlog(channel) <= channel->backlog_limit / 2) {
        channel->backlogged = false;
        if (channel->state == OPEN && channel->events.drained) {
            channel->events.drained(channel, channel->aux);
        }
    }
}
