/* SPDX-License-Identifier: Apache-2.0 */

/* Listeners.
 *
 * A channel in clear belongs to 'accepted' as soon as its connection is
 * accepted.  With TLS it first is half open:
 *
 *     kernel's queue ─► half open (handshake, 10 s) ─► accepted()
 *        1024                 at most 256          └─► dropped, logged
 *
 * While MAX_HALF_OPEN handshakes are open, no connection is accepted: peers
 * wait in the kernel's queue, so strangers who connect and say nothing cost a
 * bounded amount of memory, and delay others by 10 s at most.  When the
 * process runs out of descriptors, accepting pauses as well. */

#include "base/loop-private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <sys/socket.h>
#include <unistd.h>

#include "openvswitch/vlog.h"

VLOG_DEFINE_THIS_MODULE(listener);

#define KERNEL_QUEUE  1024
#define MAX_HALF_OPEN 256
#define PAUSE_S       1 /* When the process is out of descriptors. */

/* A channel whose handshake is open. */
struct half_open {
    struct ovs_list node; /* In the listener's 'half_open'. */
    struct listener *listener;
    struct channel *channel;
};

struct listener {
    struct loop *loop;
    struct tls_context *tls; /* Or null. */
    void (*accepted)(struct channel *, void *aux);
    void *aux;

    uint16_t port;
    struct evconnlistener *conn;
    struct event *pause;
    struct ovs_list half_open;
    size_t n_half_open;
};

static void listener_accept(struct evconnlistener *, int fd, struct sockaddr *,
                            int length, void *listener);
static void listener_error(struct evconnlistener *, void *listener);
static void listener_resume(int fd, short what, void *listener);

/* Returns a socket bound to 'address' and 'port', or the negative of an
 * errno. */
static int
bind_socket(const struct in6_addr *addr, uint16_t port)
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
    int fd = socket(v4 ? AF_INET : AF_INET6,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int yes = 1;
    int no = 0;

    if (fd < 0) {
        return -errno;
    }
    (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (!v4) {
        /* "::" serves both families. */
        (void) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    }
    if (bind(fd, sa, v4 ? sizeof sin : sizeof sin6) < 0
        || listen(fd, KERNEL_QUEUE) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

static uint16_t
bound_port(int fd)
{
    struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
    socklen_t length = sizeof ss;
    struct sockaddr_in6 sin6;

    /* The port is at the same place in both families. */
    (void) getsockname(fd, (struct sockaddr *) &ss, &length);
    memcpy(&sin6, &ss, sizeof sin6);
    return ntohs(sin6.sin6_port);
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

    int fd = bind_socket(&addr, port);
    if (fd < 0) {
        return err_new(ERR_UNAVAILABLE, NULL,
                       "cannot listen on %s port %u: %s", address, port,
                       strerror(-fd));
    }

    struct listener *listener = NEW(struct listener);
    listener->loop = loop;
    listener->tls = tls_or_null;
    listener->accepted = accepted;
    listener->aux = aux;
    listener->port = bound_port(fd);
    ovs_list_init(&listener->half_open);
    listener->pause =
        loop_event_create(loop, -1, 0, listener_resume, listener);
    listener->conn = evconnlistener_new(
        loop_event_base(loop), listener_accept, listener,
        LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    ovs_assert(listener->conn);
    evconnlistener_set_error_cb(listener->conn, listener_error);
    *listenerp = listener;
    return NULL;
}

uint16_t
listener_port(const struct listener *listener)
{
    return listener->port;
}

/* Also ends the handshakes that are open.  Channels already accepted live
 * on. */
void
listener_destroy(struct listener *listener)
{
    if (!listener) {
        return;
    }

    struct half_open *half_open;
    LIST_FOR_EACH_POP (half_open, node, &listener->half_open) {
        channel_destroy(half_open->channel);
        free(half_open);
    }
    event_free(listener->pause);
    evconnlistener_free(listener->conn);
    free(listener);
}

/* The handshake is over. */
static void
half_open_over(struct channel *channel, const char *reason, void *half_open_)
{
    struct half_open *half_open = half_open_;
    struct listener *listener = half_open->listener;

    ovs_list_remove(&half_open->node);
    free(half_open);
    if (listener->n_half_open-- == MAX_HALF_OPEN) {
        evconnlistener_enable(listener->conn);
    }

    if (reason) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

        VLOG_WARN_RL(&rl, "port %u: refused %s: %s", listener->port,
                     channel_peer(channel), reason);
        channel_destroy(channel);
    } else {
        listener->accepted(channel, listener->aux);
    }
}

static void
listener_accept(struct evconnlistener *conn OVS_UNUSED, int fd,
                struct sockaddr *sa OVS_UNUSED, int length OVS_UNUSED,
                void *listener_)
{
    struct listener *listener = listener_;

    if (!listener->tls) {
        struct channel *channel =
            channel_accept(listener->loop, fd, NULL, NULL, NULL);
        listener->accepted(channel, listener->aux);
        return;
    }

    struct half_open *half_open = NEW(struct half_open);
    half_open->listener = listener;
    half_open->channel = channel_accept(listener->loop, fd, listener->tls,
                                        half_open_over, half_open);
    ovs_list_push_back(&listener->half_open, &half_open->node);
    if (++listener->n_half_open == MAX_HALF_OPEN) {
        evconnlistener_disable(listener->conn);
    }
}

static void
listener_error(struct evconnlistener *conn, void *listener_)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);
    struct timeval tv = { .tv_sec = PAUSE_S };
    struct listener *listener = listener_;
    int error = EVUTIL_SOCKET_ERROR();

    VLOG_WARN_RL(&rl, "port %u: cannot accept connections: %s", listener->port,
                 strerror(error));
    evconnlistener_disable(conn);
    event_add(listener->pause, &tv);
}

static void
listener_resume(int fd OVS_UNUSED, short what OVS_UNUSED, void *listener_)
{
    struct listener *listener = listener_;

    if (listener->n_half_open < MAX_HALF_OPEN) {
        evconnlistener_enable(listener->conn);
    }
}
