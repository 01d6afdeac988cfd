/* SPDX-License-Identifier: Apache-2.0 */
/* WebSockets (RFC 6455): the notification streams of Neutron's driver.
 *
 *     feed ──send──► wslay's queue ──► socket that libmicrohttpd gave away
 *
 * We only send; what the client says is read to answer pings and to notice
 * its end.  The loop watches for reading only, so each socket sits in an
 * epoll instance of its own, which becomes readable whenever the socket is
 * ready for what we want of it.
 *
 * A client that does not read has MAX_QUEUE bytes, then it is dropped.  Dead
 * peers are found by TCP keepalive.  Nothing is destroyed inside a call from a
 * feed: a timer of zero delay does what follows. */

#include "api/http.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <wslay/wslay.h>

#include "openvswitch/vlog.h"

VLOG_DEFINE_THIS_MODULE(websocket);
static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

#define MAX_QUEUE   (1024 * 1024)
#define MAX_MESSAGE 4096              /* Of the client's. */
#define FLUSH_TIME  UINT64_C(3000000) /* For the last frames. */

struct websocket {
    struct ovs_list node;
    struct websockets *owner;
    struct server *server;
    struct feed *feed;
    struct MHD_UpgradeResponseHandle *handle;
    int fd;
    int epoll_fd;
    uint32_t interest; /* Of 'epoll_fd'. */
    struct fdwatch *watch;
    struct timer *timer;
    wslay_event_context_ptr context;
    char *early; /* Read by libmicrohttpd before us. */
    size_t early_size, early_used;
    bool finishing;    /* Close once all is sent ... */
    uint64_t deadline; /* ... or at this time. */
    bool broken;
};

struct websockets {
    struct loop *loop;
    struct ovs_list list;
};

/* wslay's callbacks. */

static ssize_t
websocket_recv_cb(wslay_event_context_ptr context, uint8_t *buf, size_t size,
                  int flags, void *ws_)
{
    struct websocket *ws = ws_;
    if (ws->early_used < ws->early_size) {
        size_t n = ws->early_size - ws->early_used;
        n = n < size ? n : size;
        memcpy(buf, ws->early + ws->early_used, n);
        ws->early_used += n;
        return (ssize_t) n;
    }

    ssize_t n;
    do {
        n = recv(ws->fd, buf, size, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        bool again = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
        wslay_event_set_error(context, again ? WSLAY_ERR_WOULDBLOCK
                                             : WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    return n;
}

static ssize_t
websocket_send_cb(wslay_event_context_ptr context, const uint8_t *data,
                  size_t size, int flags, void *ws_)
{
    const struct websocket *ws = ws_;
    ssize_t n;
    do {
        n = send(ws->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        bool again = errno == EAGAIN || errno == EWOULDBLOCK;
        wslay_event_set_error(context, again ? WSLAY_ERR_WOULDBLOCK
                                             : WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    return n;
}

/* Life. */

static void
websocket_destroy(struct websocket *ws)
{
    feed_destroy(ws->feed);
    ovs_list_remove(&ws->node);
    loop_unwatch_fd(ws->watch);
    loop_timer_destroy(ws->timer);
    close(ws->epoll_fd);
    wslay_event_context_free(ws->context);
    free(ws->early);
    MHD_upgrade_action(ws->handle, MHD_UPGRADE_ACTION_CLOSE);
    server_wake(ws->server);
    free(ws);
}

static void
websocket_set_interest(struct websocket *ws)
{
    uint32_t interest =
        EPOLLIN | (wslay_event_want_write(ws->context) ? EPOLLOUT : 0);
    if (interest != ws->interest) {
        struct epoll_event event = { .events = interest };
        int op = ws->interest ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
        ws->interest = interest;
        if (epoll_ctl(ws->epoll_fd, op, ws->fd, &event)) {
            ws->broken = true;
        }
    }
}

/* Reads and writes what can be, and destroys the socket when it is over. */
static void
websocket_run(void *ws_)
{
    struct websocket *ws = ws_;

    if (!ws->broken && wslay_event_want_read(ws->context)
        && wslay_event_recv(ws->context)) {
        ws->broken = true;
    }
    if (!ws->broken && wslay_event_want_write(ws->context)
        && wslay_event_send(ws->context)) {
        ws->broken = true;
    }
    bool idle = !wslay_event_want_write(ws->context);
    if (ws->broken || (idle && !wslay_event_want_read(ws->context))
        || (ws->finishing
            && (idle || loop_now(ws->owner->loop) >= ws->deadline))) {
        websocket_destroy(ws);
        return;
    }
    websocket_set_interest(ws);
    if (ws->broken) {
        loop_timer_set(ws->timer, 0);
    } else if (ws->finishing) {
        loop_timer_set(ws->timer, FLUSH_TIME);
    }
}

/* The feed's sink. */

static void
websocket_send(void *ws_, const char *text, size_t size)
{
    struct websocket *ws = ws_;
    struct wslay_event_msg message = {
        .opcode = WSLAY_TEXT_FRAME,
        .msg = (const uint8_t *) text,
        .msg_length = size,
    };

    if (ws->broken) {
        return;
    }
    if (wslay_event_get_queued_msg_length(ws->context) > MAX_QUEUE) {
        VLOG_WARN_RL(&rl, "a listener does not read its events: dropped");
        ws->broken = true;
    } else if (wslay_event_queue_msg(ws->context, &message)) {
        ws->broken = true;
    }
    loop_timer_set(ws->timer, 0);
}

static void
websocket_finish(void *ws_)
{
    static const char reason[] = "read again";
    struct websocket *ws = ws_;
    ws->finishing = true;
    ws->deadline = loop_now(ws->owner->loop) + FLUSH_TIME;
    if (wslay_event_queue_close(ws->context, WSLAY_CODE_GOING_AWAY,
                                (const uint8_t *) reason, sizeof reason - 1)) {
        ws->broken = true;
    }
    loop_timer_set(ws->timer, 0);
}

static const struct feed_sink websocket_sink = {
    .send = websocket_send,
    .finish = websocket_finish,
};

static void
socket_keep_alive(int fd)
{
    static const struct {
        int level, option, value;
    } options[] = {
        { SOL_SOCKET, SO_KEEPALIVE, 1 },    { IPPROTO_TCP, TCP_KEEPIDLE, 30 },
        { IPPROTO_TCP, TCP_KEEPINTVL, 10 }, { IPPROTO_TCP, TCP_KEEPCNT, 3 },
        { IPPROTO_TCP, TCP_NODELAY, 1 },
    };
    for (size_t i = 0; i < N_ITEMS(options); i++) {
        /* Fails on the socket pair that stands for a TLS connection, where
         * libmicrohttpd holds the real one. */
        (void) setsockopt(fd, options[i].level, options[i].option,
                          &options[i].value, sizeof options[i].value);
    }
}

void
websockets_open(struct websockets *owner, struct server *server,
                struct feed *feed, struct MHD_UpgradeResponseHandle *handle,
                int fd, const char *early, size_t early_size)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = websocket_recv_cb,
        .send_callback = websocket_send_cb,
    };

    struct websocket *ws = NEW(struct websocket);
    ws->owner = owner;
    ws->server = server;
    ws->feed = feed;
    ws->handle = handle;
    ws->fd = fd;
    ws->early = early_size ? mem_clone(early, early_size) : NULL;
    ws->early_size = early_size;
    ovs_list_push_back(&owner->list, &ws->node);
    wslay_event_context_server_init(&ws->context, &callbacks, ws);
    ovs_assert(ws->context);
    wslay_event_config_set_max_recv_msg_length(ws->context, MAX_MESSAGE);
    socket_keep_alive(fd);

    ws->timer = loop_timer_create(owner->loop, websocket_run, ws);
    ws->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (ws->epoll_fd < 0) {
        ws->broken = true;
    } else {
        ws->watch =
            loop_watch_fd(owner->loop, ws->epoll_fd, websocket_run, ws);
        websocket_set_interest(ws);
    }
    feed_attach(feed, &websocket_sink, ws);
    loop_timer_set(ws->timer, 0);
}

struct websockets *
websockets_create(struct loop *loop)
{
    struct websockets *owner = NEW(struct websockets);
    owner->loop = loop;
    ovs_list_init(&owner->list);
    return owner;
}

void
websockets_destroy(struct websockets *owner)
{
    if (owner) {
        struct websocket *ws;
        LIST_FOR_EACH_SAFE (ws, node, &owner->list) {
            /* Says goodbye if that does not block. */
            (void) wslay_event_send(ws->context);
            websocket_destroy(ws);
        }
        free(owner);
    }
}
