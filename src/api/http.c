/* SPDX-License-Identifier: Apache-2.0 */
/* Listening: libmicrohttpd inside our loop.
 *
 *     server  one per port, and one for the command's local socket
 *       │
 *       └─ a daemon of libmicrohttpd without threads: its epoll descriptor is
 *          watched by the loop, and a timer stands in for its timeouts
 *
 * We open the listening sockets ourselves: so errors name the address, a
 * daemon can be replaced (other certificate, other limits) without closing
 * its socket, and a local socket works at all.
 *
 * A server that is replaced or drained is "retired": it listens no more,
 * finishes what is under way, and goes when its last connection has gone.
 *
 * A client that sends or reads slowly holds one connection, and libmicrohttpd
 * closes it after IDLE_TIME without a byte.  When all connections are in use,
 * new ones wait in the listening socket's queue. */

#include "api/http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "openvswitch/vlog.h"

VLOG_DEFINE_THIS_MODULE(http);
static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

#define IDLE_TIME             120 /* Seconds. */
#define BACKLOG               1024
#define MAX_LOCAL_CONNECTIONS 64
#define MAX_PEM               (256 * 1024)

/* Running libmicrohttpd. */

static void server_destroy(struct server *);

static void
server_run(void *server_)
{
    struct server *server = server_;
    server->woken = false;
    MHD_run(server->daemon);

    if (server->fd < 0) {
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(
            server->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
        if (!info || !info->num_connections) {
            server_destroy(server);
            return;
        }
    }
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    if (server->woken) {
        loop_timer_set(server->timer, 0);
    } else if (MHD_get_timeout(server->daemon, &timeout_ms) == MHD_YES) {
        loop_timer_set(server->timer, timeout_ms * 1000);
    } else {
        loop_timer_cancel(server->timer);
    }
}

void
server_wake(struct server *server)
{
    server->woken = true;
    loop_timer_set(server->timer, 0);
}

static void OVS_PRINTF_FORMAT(2, 0)
    http_log(void *server_, const char *format, va_list args)
{
    const struct server *server = server_;
    char text[256];
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\r\n")] = '\0';
    VLOG_DBG_RL(&rl, "%s: %s", server->name, text);
}

static struct MHD_Daemon *
server_start_daemon(struct server *server)
{
    const struct http *http = server->http;
    const struct api_settings *settings = &http->api->settings;
    unsigned int flags =
        (MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE
         | MHD_USE_ERROR_LOG | (server->secure ? MHD_USE_TLS : 0));
    unsigned int max_connections =
        (server->local ? MAX_LOCAL_CONNECTIONS : settings->max_connections);
    struct MHD_OptionItem tls[] = {
        { MHD_OPTION_HTTPS_MEM_KEY, 0, http->key },
        { MHD_OPTION_HTTPS_MEM_CERT, 0, http->certificate },
        { MHD_OPTION_END, 0, NULL },
    };

    return MHD_start_daemon(
        flags, 0, NULL, NULL, exchange_handle, server,
        MHD_OPTION_EXTERNAL_LOGGER, http_log, server, MHD_OPTION_LISTEN_SOCKET,
        server->fd, MHD_OPTION_NOTIFY_COMPLETED, exchange_completed, server,
        MHD_OPTION_CONNECTION_LIMIT, max_connections,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int) IDLE_TIME,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, settings->max_header_size,
        MHD_OPTION_ARRAY, server->secure ? tls : &tls[N_ITEMS(tls) - 1],
        MHD_OPTION_END);
}

/* Starts serving on 'fd', which it takes on success. */
static struct err *OVS_WARN_UNUSED_RESULT
server_create(struct http *http, const char *name, bool local, int fd,
              struct server **serverp)
{
    struct server *server = NEW(struct server);
    server->http = http;
    server->name = mem_text(name);
    server->local = local;
    server->secure = !local && http->key;
    server->fd = fd;
    ovs_list_init(&server->exchanges);
    server->daemon = server_start_daemon(server);
    const union MHD_DaemonInfo *info =
        (server->daemon
             ? MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)
             : NULL);
    if (!info || info->epoll_fd < 0) {
        if (server->daemon) {
            MHD_quiesce_daemon(server->daemon);
            MHD_stop_daemon(server->daemon);
        }
        free(server->name);
        free(server);
        return err_new(ERR_UNAVAILABLE, NULL, "cannot serve HTTP on %s", name);
    }

    struct loop *loop = http->api->loop;
    server->watch = loop_watch_fd(loop, info->epoll_fd, server_run, server);
    server->timer = loop_timer_create(loop, server_run, server);
    server_wake(server);
    ovs_list_push_back(&http->servers, &server->node);
    *serverp = server;
    return NULL;
}

static void
server_destroy(struct server *server)
{
    if (server->fd >= 0) {
        MHD_quiesce_daemon(server->daemon);
        close(server->fd);
        if (server->local) {
            (void) unlink(server->name); /* Whoever is next does so too. */
        }
    }
    exchanges_release(server);
    loop_unwatch_fd(server->watch);
    MHD_stop_daemon(server->daemon);
    loop_timer_destroy(server->timer);
    ovs_list_remove(&server->node);
    free(server->name);
    free(server);
}

/* Stops listening and returns the listening socket, which the caller owns. */
static int
server_retire(struct server *server)
{
    int fd = server->fd;
    MHD_quiesce_daemon(server->daemon);
    server->fd = -1;
    server_wake(server);
    return fd;
}

/* Sockets. */

static struct err *
socket_error(int fd, const char *name, const char *what)
{
    struct err *err =
        err_new(ERR_UNAVAILABLE, NULL, "cannot listen on %s: %s: %s", name,
                what, strerror(errno));
    if (fd >= 0) {
        close(fd);
    }
    return err;
}

static struct err *OVS_WARN_UNUSED_RESULT
socket_listen(const char *name, const struct sockaddr *address, socklen_t size,
              int *fdp)
{
    int fd = socket(address->sa_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return socket_error(fd, name, "socket");
    }
    int on = 1, off = 0;
    if (address->sa_family == AF_UNIX) {
        /* Sets the mode of the file to come; bind() applies the umask. */
        (void) fchmod(fd, 0660);
    } else if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on)) {
        return socket_error(fd, name, "SO_REUSEADDR");
    }
    if (address->sa_family == AF_INET6
        && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off)) {
        return socket_error(fd, name, "IPV6_V6ONLY");
    }
    if (bind(fd, address, size)) {
        return socket_error(fd, name, "bind");
    }
    if (listen(fd, BACKLOG)) {
        return socket_error(fd, name, "listen");
    }
    *fdp = fd;
    return NULL;
}

static struct err *OVS_WARN_UNUSED_RESULT
socket_listen_ip(const char *name, const char *text, uint16_t port, int *fdp)
{
    struct in6_addr ip;
    if (!ipaddr_from_text(text, &ip)) {
        return err_new(ERR_INVALID, "listen_address", "not an address: %s",
                       text);
    }
    if (ipaddr_is_v4(&ip)) {
        struct sockaddr_in in = {
            .sin_family = AF_INET,
            .sin_port = htons(port),
            .sin_addr.s_addr = (uint32_t) ipaddr_v4(&ip),
        };
        return socket_listen(name, (const struct sockaddr *) &in, sizeof in,
                             fdp);
    }
    struct sockaddr_in6 in6 = {
        .sin6_family = AF_INET6,
        .sin6_port = htons(port),
        .sin6_addr = ip,
    };
    return socket_listen(name, (const struct sockaddr *) &in6, sizeof in6,
                         fdp);
}

/* Removes the socket that a killed daemon left at 'path'; leaves one alone
 * that somebody listens on. */
static void
socket_remove_stale(const struct sockaddr_un *un)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        if (connect(fd, (const struct sockaddr *) un, sizeof *un)
            && errno == ECONNREFUSED) {
            (void) unlink(un->sun_path); /* bind() tells. */
        }
        close(fd);
    }
}

static struct err *OVS_WARN_UNUSED_RESULT
socket_listen_path(const char *path, int *fdp)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof un.sun_path) {
        return err_new(ERR_INVALID, "socket_path", "too long: %s", path);
    }
    memcpy(un.sun_path, path, strlen(path) + 1);
    socket_remove_stale(&un);

    int fd;
    struct err *err =
        socket_listen(path, (const struct sockaddr *) &un, sizeof un, &fd);
    if (err) {
        return err;
    }
    if (chmod(path, 0660)) {
        return socket_error(fd, path, "chmod");
    }
    *fdp = fd;
    return NULL;
}

/* TLS. */

/* Caller frees. */
static struct err *OVS_WARN_UNUSED_RESULT
pem_read(const char *path, char **textp)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return err_new(ERR_UNAVAILABLE, NULL, "%s: %s", path, strerror(errno));
    }
    char *text = mem_zalloc(MAX_PEM + 1);
    size_t n = fread(text, 1, MAX_PEM, file);
    fclose(file);
    if (!n) {
        free(text);
        return err_new(ERR_INVALID, NULL, "%s: is empty or cannot be read",
                       path);
    }
    *textp = text;
    return NULL;
}

static void
secret_free(char *text)
{
    if (text) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

/* Can this key and certificate be served with?  Tries, so that nothing is
 * given up for a pair that is no good. */
static struct err *OVS_WARN_UNUSED_RESULT
tls_check(const char *path, const char *key, const char *certificate)
{
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_TLS | MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET
            | MHD_ALLOW_SUSPEND_RESUME,
        0, NULL, NULL, exchange_handle, NULL, MHD_OPTION_HTTPS_MEM_KEY, key,
        MHD_OPTION_HTTPS_MEM_CERT, certificate, MHD_OPTION_END);
    if (!daemon) {
        return err_new(ERR_INVALID, NULL,
                       "%s: not a PEM certificate, or the "
                       "key does not belong to it",
                       path);
    }
    MHD_stop_daemon(daemon);
    return NULL;
}

static struct err *OVS_WARN_UNUSED_RESULT
tls_read(const struct api_settings *settings, char **keyp, char **certificatep)
{
    char *key = NULL, *certificate = NULL;
    if (!settings->tls_key != !settings->tls_certificate) {
        return err_new(ERR_INVALID, NULL,
                       "TLS needs both a key and a certificate");
    }
    if (settings->tls_key) {
        struct err *err = pem_read(settings->tls_key, &key);
        if (!err) {
            err = pem_read(settings->tls_certificate, &certificate);
        }
        if (!err) {
            err = tls_check(settings->tls_certificate, key, certificate);
        }
        if (err) {
            secret_free(key);
            free(certificate);
            return err;
        }
    }
    *keyp = key;
    *certificatep = certificate;
    return NULL;
}

/* All servers. */

static struct server *
http_find(const struct http *http, const char *name)
{
    struct server *server;
    LIST_FOR_EACH (server, node, &http->servers) {
        if (server->fd >= 0 && !strcmp(server->name, name)) {
            return server;
        }
    }
    return NULL;
}

/* Serves on a port, or on a path if 'port' is 0; takes the socket over from
 * the server that has it now. */
static struct err *OVS_WARN_UNUSED_RESULT
http_listen(struct http *http, const char *where, uint16_t port)
{
    AUTO_TEXT *name =
        (!port ? mem_text(where)
               : mem_textf(strchr(where, ':') ? "[%s]:%u" : "%s:%u", where,
                           port));
    struct server *old = http_find(http, name);
    struct server *server = NULL;
    struct err *err = NULL;
    int fd = -1;

    if (old) {
        fd = server_retire(old);
    } else {
        err = (port ? socket_listen_ip(name, where, port, &fd)
                    : socket_listen_path(where, &fd));
    }
    if (!err) {
        err = server_create(http, name, !port, fd, &server);
        if (err) {
            close(fd);
        }
    }
    return err;
}

static bool
settings_want(const struct api_settings *settings, const struct server *server)
{
    if (server->local) {
        return settings->socket_path
               && !strcmp(settings->socket_path, server->name);
    }
    for (size_t i = 0; i < N_ITEMS(settings->ports) && settings->ports[i];
         i++) {
        AUTO_TEXT *name = mem_textf(
            strchr(settings->listen_address, ':') ? "[%s]:%u" : "%s:%u",
            settings->listen_address, settings->ports[i]);
        if (!strcmp(name, server->name)) {
            return true;
        }
    }
    return false;
}

/* Listens where the settings say. */
static struct err *OVS_WARN_UNUSED_RESULT
http_listen_all(struct http *http)
{
    const struct api_settings *settings = &http->api->settings;
    struct err *err = tls_read(settings, &http->key, &http->certificate);

    if (!err && settings->socket_path && *settings->socket_path) {
        err = http_listen(http, settings->socket_path, 0);
    }
    for (size_t i = 0;
         !err && i < N_ITEMS(settings->ports) && settings->ports[i]; i++) {
        err = http_listen(http, settings->listen_address, settings->ports[i]);
    }
    return err;
}

struct err *
http_create(struct api *api, struct http **httpp)
{
    struct http *http = NEW(struct http);
    http->api = api;
    ovs_list_init(&http->servers);
    http->websockets = websockets_create(api->loop);
    struct err *err = http_listen_all(http);
    if (err) {
        http_destroy(http);
        return err;
    }
    *httpp = http;
    return NULL;
}

/* Every daemon is replaced by a new one on the same socket, which costs
 * nothing to clients: connections under way stay with the old one. */
struct err *
http_reload(struct http *http)
{
    char *key = NULL, *certificate = NULL;
    struct err *err = tls_read(&http->api->settings, &key, &certificate);
    if (err) {
        return err;
    }
    secret_free(key); /* Only to see that it can be read. */
    free(certificate);

    secret_free(STEAL(http->key));
    free(STEAL(http->certificate));
    err = http_listen_all(http);
    if (err) {
        return err;
    }
    struct server *server;
    LIST_FOR_EACH (server, node, &http->servers) {
        if (server->fd >= 0 && !settings_want(&http->api->settings, server)) {
            bool local = server->local;
            close(server_retire(server));
            if (local) {
                (void) unlink(server->name);
            }
        }
    }
    return NULL;
}

void
http_drain(struct http *http)
{
    struct server *server;
    LIST_FOR_EACH (server, node, &http->servers) {
        if (server->fd >= 0) {
            close(server_retire(server));
            if (server->local) {
                (void) unlink(server->name);
            }
        }
    }
}

bool
http_is_idle(const struct http *http)
{
    const struct server *server;
    LIST_FOR_EACH (server, node, &http->servers) {
        if (server->n_exchanges) {
            return false;
        }
    }
    return true;
}

void
http_destroy(struct http *http)
{
    if (http) {
        websockets_destroy(http->websockets);
        struct server *server;
        LIST_FOR_EACH_SAFE (server, node, &http->servers) {
            server_destroy(server);
        }
        secret_free(http->key);
        free(http->certificate);
        free(http);
    }
}
