/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_API_H
#define API_API_H 1

/* HTTP.
 *
 *     http.c       transport: libmicrohttpd in our loop, TLS, limits
 *     websocket.c  transport of the notification streams
 *     api.c        one request: who asks, who answers
 *     users.c      passwords and sessions, checked
 *     passwords.c  ... and set
 *     rest.c       the Neutron northbound, generic over the schema
 *     list.c       its lists: filters, members, pages
 *     restconf.c   the RESTCONF paths that Neutron's driver reads
 *     hosts.c      host configurations among them
 *     events.c     server-sent events, data-change notifications
 *     views.c      everything else, wired by main.c; OpenAPI, schema
 *
 * The transport turns a request into a 'struct request', hands it to
 * api_handle(), and sends the answer when api_answer() is called, which may
 * be at once or much later (a write is parked until it is durable).  The
 * simulation calls api_handle() without a transport. */

#include "base/loop.h"
#include "features/features.h"
#include "model/model.h"
#include "store/store.h"

struct api;
struct feed;

struct request {
    /* Filled by the transport.  Borrowed: texts and body must stay until the
     * request is answered.  (The array 'query' is freed with the request.)
     * See request_from_text() for one that owns everything. */
    const char *method;        /* "GET". */
    const char *path;          /* Decoded, no query, one trailing slash
                                 * removed. */
    const char *host;          /* Host header or null: for absolute links. */
    bool secure;               /* Came over TLS. */
    bool trusted;              /* Came through the local socket: needs no
                                 * password. */
    const char *authorization; /* Header or null. */
    const char *cookie;        /* Header or null. */
    struct {
        char *name, *value; /* Decoded. */
    } * query;
    size_t n_query;
    const char *body;
    size_t body_size;

    bool upgrade; /* Asks to become a WebSocket. */

    /* For the handler; freed with the request. */
    const char *user; /* Set once authenticated; owned. */
    char *storage;    /* Whatever the texts point into, or null. */
    void *transport;  /* Not freed. */
};

struct response {
    int status;
    const char *content_type; /* Null: "application/json". */
    struct ds body;
    struct shash headers; /* char * values, owned. */
    struct feed *feed;    /* Not null: the body does not end (status
                                 * 200), or a WebSocket follows (101).  The
                                 * transport takes it. */
};

const char *request_query(const struct request *, const char *name);

/* Settings; strings are copied. */
struct api_settings {
    const char *listen_address;
    uint16_t ports[4];       /* 8080, 8181; 0 ends the list. */
    const char *socket_path; /* Local socket of the 'weft' command. */
    const char *tls_key, *tls_certificate; /* Null: no TLS. */
    const char *users_path;                /* name:hash per line, crypt(3). */
    bool development;                      /* Accept admin/admin. */
    bool compat_opendaylight;              /* [northbound] compat. */
    size_t max_body_size;                  /* 413 above. */
    int max_depth;                         /* 400 above. */
    uint32_t max_connections;
    size_t max_header_size;
};

/* 'fabric' may be null (then no port is wired and only api_event() tells
 * about hosts).  The model must not change after api_destroy(): close the
 * store first. */
struct api *api_create(struct loop *, struct model *, const struct fabric *,
                       const struct api_settings *);
struct err *api_start(struct api *) OVS_WARN_UNUSED_RESULT; /* Listens. */
/* Stops accepting; requests under way are finished. */
void api_drain(struct api *);
bool api_is_idle(const struct api *);
void api_destroy(struct api *);
AUTO_DEFINE(api)
struct err *api_reload(struct api *,
                       const struct api_settings *) OVS_WARN_UNUSED_RESULT;

/* Handles a request (takes ownership; create with request_create()) and calls
 * 'answer' exactly once, maybe before it returns.  Request and response are
 * borrowed by 'answer', which may take the body out of the response.  After
 * api_destroy() no answer comes any more. */
struct request *request_create(void);
/* A request that owns copies: 'target' is a path as on the wire, maybe
 * percent-encoded and with a query; 'body' may be null. */
struct request *request_from_text(const char *method, const char *target,
                                  const char *body);
void request_destroy(struct request *);
void api_handle(struct api *, struct request *,
                void (*answer)(struct request *, struct response *, void *aux),
                void *aux);

/* Views that other layers provide, wired by main.c.  '{}' in 'pattern'
 * matches one path segment and is given to the handler as 'argument'. */
struct view_call;
struct view {
    const char *method;
    const char *pattern; /* "/weft/v1/explain/{}". */
    const char *summary; /* For OpenAPI. */
    /* Must call view_answer() or view_fail() once, maybe later. */
    void (*handle)(struct view_call *, const struct request *,
                   const char *argument, void *aux);
};
void api_add_view(struct api *, const struct view *, void *aux);
void view_answer(struct view_call *, struct json *); /* Takes the JSON. */
void view_fail(struct view_call *, struct err *);    /* Takes the error. */

/* Events: "object", "status" {"id", "status"}, "host" {"name", "connected"}.
 * "object" events come from the api itself, which observes the model; the
 * others from main.c.  Sent as server-sent events to
 * GET /weft/v1/events and, for port status and host configurations, as
 * OpenDaylight data-change notifications to WebSocket subscribers. */
void api_event(struct api *, const char *kind, const struct json *data);

/* Users. */
struct err *users_set_password(const char *path, const char *name,
                               const char *password) OVS_WARN_UNUSED_RESULT;
/* First start: if there is no users file, makes one with 'admin' and a
 * generated password, which is returned once for printing.  Null otherwise. */
struct err *users_bootstrap(struct loop *, const char *path,
                            char **passwordp) OVS_WARN_UNUSED_RESULT;

#endif /* api/api.h */
