/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_API_PRIVATE_H
#define API_API_PRIVATE_H 1

/* What the files of this layer share.  No other layer includes this. */

#include "api/api.h"

#define NEUTRON_BASE "/controller/nb/v2/neutron"
#define EVENTS_PATH  "/weft/v1/events"

/* Frees a text that is const for everybody but its owner. */
static inline void
text_free(const char *text)
{
    free((void *) (uintptr_t) text);
}

#define N_ITEMS(ARRAY) (sizeof(ARRAY) / sizeof(ARRAY)[0])

struct events;
struct hosts;
struct http;
struct users;
struct views;

struct api {
    struct loop *loop;
    struct model *model;
    const struct fabric *fabric;  /* Or null. */
    struct api_settings settings; /* Texts are ours. */
    struct users *users;
    struct events *events;
    struct hosts *hosts;
    struct views *views;
    struct http *http;     /* Null until api_start(). */
    struct ovs_list calls; /* struct call, not yet answered. */
    size_t n_calls;
    bool draining;
};

/* A request on its way through us, from api_handle() to its answer. */
struct call {
    struct ovs_list node; /* In api->calls. */
    struct api *api;      /* Null once the api is gone: then nobody
                                     * waits and the request is not valid. */
    struct request *request;
    struct response response;
    void (*answer)(struct request *, struct response *, void *aux);
    void *aux;
};

/* Each of these answers and destroys the call. */
void call_answer(struct call *, int status); /* As in 'response'. */
void call_text(struct call *, int status, const char *format, ...)
    OVS_PRINTF_FORMAT(3, 4);
void call_json(struct call *, int status, struct json *); /* Takes it. */
void call_fail(struct call *, struct err *); /* As views do: JSON. */
/* Adds a header to the answer to come; takes 'value'. */
void call_put_header(struct call *, const char *name, char *value);

/* The host by which the client knows us, fit for an address. */
const char *request_host(const struct request *);
/* Is the request allowed without a password? */
bool api_is_public(const struct request *);

/* settings: deep copies. */
void api_settings_clone(struct api_settings *, const struct api_settings *);
void api_settings_uninit(struct api_settings *);

/* rest.c */
void rest_handle(struct call *);
/* Looks at 'e' as an answer shows it: ports carry the status of the fabric.
 * Returns 'e' or '*scratchp', a shallow copy that the caller frees with
 * free() and may use again for the next entity of the same resource. */
const struct entity *rest_present(const struct api *, const struct entity *e,
                                  struct entity **scratchp);
/* The field that path or query name by its name in C, or null. */
const struct field *rest_field(const struct resource *, const char *name);

/* list.c */
void list_handle(struct call *, const struct resource *,
                 const struct field *parent, const char *parent_text);
/* The members asked for with 'fields', null-terminated, or null for all.
 * The caller frees the array. */
const char **list_members(const struct request *);

/* restconf.c */
void restconf_handle(struct call *);

/* hosts.c */
struct hosts *hosts_create(struct api *);
void hosts_destroy(struct hosts *);
void hosts_event(struct hosts *, const struct json *data);
void hosts_changed(struct hosts *, const struct change *);
/* An array of {"host-id", "host-type", "config"}: of all hosts that are
 * there, or of one host and type. */
struct json *hosts_configs(struct hosts *, const char *id, const char *type);

/* events.c */

/* Where a feed's text goes; set by the transport.  'send' may drop the
 * transport's end later, never at once; after 'finish' there are no more
 * calls. */
struct feed_sink {
    void (*send)(void *aux, const char *text, size_t size);
    void (*finish)(void *aux);
};

struct events *events_create(struct api *);
void events_destroy(struct events *);
/* Ends all feeds. */
void events_finish(struct events *);
void events_put(struct events *, const char *kind, const struct json *);
void events_handle(struct call *);
/* Subscriptions as RESTCONF has them. */
void events_subscribe(struct call *, const struct json *input);
void events_locate(struct call *, const char *name);
void events_upgrade(struct call *);
bool events_is_socket_path(const char *path);
bool events_has_host_feeds(const struct events *);
/* A host configuration came, changed, or went. */
void events_host_config(struct events *, const char *host, const char *type,
                        bool gone);

/* Sends what was put meanwhile and everything to come to 'sink'. */
void feed_attach(struct feed *, const struct feed_sink *, void *aux);
void feed_destroy(struct feed *); /* Accepts null. */

/* users.c */
struct users *users_create(struct loop *, const struct api_settings *);
void users_destroy(struct users *);
void users_reload(struct users *, const struct api_settings *);

enum users_verdict {
    USERS_ALLOWED,
    USERS_REFUSED,
    USERS_UNKNOWN, /* Not known yet: users_verify() finds out. */
    USERS_BUSY,    /* Too many wrong guesses at the moment. */
};
/* O(1): looks into what is known.  Sets the request's user if allowed. */
enum users_verdict users_check(struct users *, struct request *);
/* Checks the password in a helper thread; 'done' is called later, after
 * which users_check() knows. */
void users_verify(struct users *, const char *authorization,
                  void (*done)(void *aux), void *aux);
/* Session cookies for a request that logged in by password. */
void users_put_cookies(struct users *, const struct request *,
                       struct response *);

/* digest.c */
#define DIGEST_SIZE 32

void digest_salted(const uint8_t *salt, size_t salt_size, const char *text,
                   uint8_t digest[DIGEST_SIZE]);
/* The bytes that 'text' stands for, with a null byte behind them, or null.
 * Caller frees. */
char *base64_decode(const char *text, size_t length, size_t *sizep);
/* The value of Sec-WebSocket-Accept (RFC 6455 section 4.2.2).  Caller
 * frees. */
char *websocket_accept_key(const char *key);

/* views.c */
struct views *views_create(struct api *);
void views_destroy(struct views *);
void views_handle(struct call *);
bool views_is_public(const struct request *);
struct json *view_error(const struct err *);

/* http.c */
struct err *http_create(struct api *, struct http **) OVS_WARN_UNUSED_RESULT;
void http_destroy(struct http *);
struct err *http_reload(struct http *) OVS_WARN_UNUSED_RESULT;
void http_drain(struct http *);
bool http_is_idle(const struct http *);

#endif /* api/api-private.h */
