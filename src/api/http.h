/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_HTTP_H
#define API_HTTP_H 1

/* What the three files of the transport share: http.c listens, exchange.c
 * carries one request, websocket.c what became of it after an upgrade. */

#include <sys/types.h>

#include <microhttpd.h>

#include "api/api-private.h"

struct websockets;

/* One libmicrohttpd daemon: one listening socket. */
struct server {
    struct ovs_list node; /* In http->servers. */
    struct http *http;
    struct MHD_Daemon *daemon;
    char *name; /* "127.0.0.1:8080", or a path. */
    int fd;     /* Listening, or -1 once retired. */
    bool local; /* The command's socket: trusted. */
    bool secure;
    struct fdwatch *watch;
    struct timer *timer;
    bool woken; /* Asked to run again. */
    struct ovs_list exchanges;
    size_t n_exchanges;
};

struct http {
    struct api *api;
    struct ovs_list servers;
    struct websockets *websockets;
    char *key, *certificate; /* PEM, or null. */
};

/* http.c: runs libmicrohttpd soon, after something was changed from outside:
 * a connection resumed, an upgraded one closed. */
void server_wake(struct server *);

/* exchange.c: callbacks for libmicrohttpd; 'cls' is the server. */
enum MHD_Result exchange_handle(void *cls, struct MHD_Connection *,
                                const char *url, const char *method,
                                const char *version, const char *upload_data,
                                size_t *upload_data_size, void **con_cls);
void exchange_completed(void *cls, struct MHD_Connection *, void **con_cls,
                        enum MHD_RequestTerminationCode);
/* Before the daemon stops: nothing may stay suspended. */
void exchanges_release(struct server *);

/* websocket.c */
struct websockets *websockets_create(struct loop *);
void websockets_destroy(struct websockets *); /* Closes all. */
/* Takes the feed and the upgraded socket. */
void websockets_open(struct websockets *, struct server *, struct feed *,
                     struct MHD_UpgradeResponseHandle *, int fd,
                     const char *early, size_t early_size);

#endif /* api/http.h */
