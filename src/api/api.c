/* SPDX-License-Identifier: Apache-2.0 */
/* One request: who asks, and who answers.
 *
 *     transport ──► api_handle() ──► admitted? ──► dispatch by path
 *                        │               │            rest, restconf,
 *                      call              │            events, views
 *                        │               └─ users_verify(), later
 *                        └──────────────► call_answer(), now or later
 *
 * A 'struct call' accompanies a request until its answer.  Whoever holds it
 * answers it exactly once.  When the api is destroyed first, calls that are
 * still held (by the store, a helper thread, a view) are told so by a null
 * 'api'; their answers then only free them.
 *
 * Costs: O(1) besides what the handler does.  One thread. */

#include "api/api-private.h"

#include <ctype.h>

#include "openvswitch/vlog.h"

VLOG_DEFINE_THIS_MODULE(api);

/* What a Host header may hold (RFC 9110 section 7.2), so that it can be put
 * into addresses. */
#define HOST_LETTERS                                                          \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]%"

/* Requests. */

struct request *
request_create(void)
{
    return NEW(struct request);
}

void
request_destroy(struct request *request)
{
    if (request) {
        free(request->query);
        text_free(request->user);
        free(request->storage);
        free(request);
    }
}

const char *
request_query(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->n_query; i++) {
        if (!strcmp(request->query[i].name, name)) {
            return request->query[i].value;
        }
    }
    return NULL;
}

const char *
request_host(const struct request *request)
{
    const char *host = request->host;
    return (host && *host && !host[strspn(host, HOST_LETTERS)] ? host
                                                               : "localhost");
}

static int
hex_value(char c)
{
    return (isdigit((unsigned char) c)    ? c - '0'
            : isxdigit((unsigned char) c) ? (c | 0x20) - 'a' + 10
                                          : -1);
}

/* Percent-decodes 'text' in place (RFC 3986 section 2.1); '+' is a space in a
 * query. */
static void
text_decode(char *text, bool in_query)
{
    char *out = text;
    for (const char *in = text; *in; in++) {
        int high = *in == '%' ? hex_value(in[1]) : -1;
        int low = high >= 0 ? hex_value(in[2]) : -1;
        if (low >= 0) {
            *out++ = (char) (high << 4 | low);
            in += 2;
        } else {
            *out++ = in_query && *in == '+' ? ' ' : *in;
        }
    }
    *out = '\0';
}

static void
request_parse_query(struct request *request, char *query)
{
    size_t allocated = 0;
    char *save = NULL;
    for (char *item = strtok_r(query, "&", &save); item;
         item = strtok_r(NULL, "&", &save)) {
        char *value = strchr(item, '=');
        if (value) {
            *value++ = '\0';
        } else {
            value = item + strlen(item);
        }
        text_decode(item, true);
        text_decode(value, true);
        ARRAY_GROW(request->query, request->n_query, allocated);
        request->query[request->n_query].name = item;
        request->query[request->n_query].value = value;
        request->n_query++;
    }
}

struct request *
request_from_text(const char *method, const char *target, const char *body)
{
    size_t method_size = strlen(method) + 1;
    size_t target_size = strlen(target) + 1;
    size_t body_size = body ? strlen(body) + 1 : 0;
    struct request *request = request_create();

    request->storage = mem_alloc(method_size + target_size + body_size);
    char *at = request->storage;
    request->method = memcpy(at, method, method_size);
    at += method_size;
    char *path = memcpy(at, target, target_size);
    at += target_size;
    if (body) {
        request->body = memcpy(at, body, body_size);
        request->body_size = body_size - 1;
    }

    char *query = strchr(path, '?');
    if (query) {
        *query++ = '\0';
        request_parse_query(request, query);
    }
    text_decode(path, false);
    size_t length = strlen(path);
    if (length > 1 && path[length - 1] == '/') {
        path[length - 1] = '\0';
    }
    request->path = path;
    return request;
}

/* Settings. */

static char *
text_or_null(const char *text)
{
    return text && *text ? mem_text(text) : NULL;
}

void
api_settings_clone(struct api_settings *dst, const struct api_settings *src)
{
    *dst = *src;
    dst->listen_address = mem_text(src->listen_address);
    dst->socket_path = text_or_null(src->socket_path);
    dst->tls_key = text_or_null(src->tls_key);
    dst->tls_certificate = text_or_null(src->tls_certificate);
    dst->users_path = text_or_null(src->users_path);
    if (!dst->max_body_size) {
        dst->max_body_size = 16 * 1024 * 1024;
    }
    if (dst->max_depth <= 0) {
        dst->max_depth = 32;
    }
    if (!dst->max_connections) {
        dst->max_connections = 1000;
    }
    if (!dst->max_header_size) {
        dst->max_header_size = 32 * 1024;
    }
}

void
api_settings_uninit(struct api_settings *settings)
{
    text_free(settings->listen_address);
    text_free(settings->socket_path);
    text_free(settings->tls_key);
    text_free(settings->tls_certificate);
    text_free(settings->users_path);
}

/* Life. */

struct api *
api_create(struct loop *loop, struct model *model, const struct fabric *fabric,
           const struct api_settings *settings)
{
    struct api *api = NEW(struct api);
    api->loop = loop;
    api->model = model;
    api->fabric = fabric;
    api_settings_clone(&api->settings, settings);
    ovs_list_init(&api->calls);
    api->users = users_create(loop, &api->settings);
    api->events = events_create(api);
    api->hosts = hosts_create(api);
    api->views = views_create(api);
    return api;
}

struct err *
api_start(struct api *api)
{
    ovs_assert(!api->http);
    return http_create(api, &api->http);
}

void
api_drain(struct api *api)
{
    api->draining = true;
    events_finish(api->events);
    if (api->http) {
        http_drain(api->http);
    }
}

bool
api_is_idle(const struct api *api)
{
    return !api->n_calls && (!api->http || http_is_idle(api->http));
}

void
api_destroy(struct api *api)
{
    if (!api) {
        return;
    }

    struct call *call;
    LIST_FOR_EACH (call, node, &api->calls) {
        call->api = NULL;
    }
    ovs_list_poison(&api->calls);
    events_finish(api->events);
    http_destroy(api->http);
    hosts_destroy(api->hosts);
    events_destroy(api->events);
    views_destroy(api->views);
    users_destroy(api->users);
    api_settings_uninit(&api->settings);
    free(api);
}

struct err *
api_reload(struct api *api, const struct api_settings *settings)
{
    struct api_settings old = api->settings;
    api_settings_clone(&api->settings, settings);

    struct err *err = api->http ? http_reload(api->http) : NULL;
    if (err) {
        api_settings_uninit(&api->settings);
        api->settings = old;
        return err;
    }
    api_settings_uninit(&old);
    users_reload(api->users, &api->settings);
    return NULL;
}

void
api_event(struct api *api, const char *kind, const struct json *data)
{
    if (!strcmp(kind, "host")) {
        hosts_event(api->hosts, data);
    }
    events_put(api->events, kind, data);
}

/* Calls. */

static void
call_destroy(struct call *call)
{
    if (call->api) {
        ovs_list_remove(&call->node);
        call->api->n_calls--;
    }
    feed_destroy(call->response.feed);
    ds_destroy(&call->response.body);
    shash_destroy_free_data(&call->response.headers);
    request_destroy(call->request);
    free(call);
}

void
call_answer(struct call *call, int status)
{
    call->response.status = status;
    if (call->api) {
        call->answer(call->request, &call->response, call->aux);
    }
    call_destroy(call);
}

void
call_text(struct call *call, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    ds_clear(&call->response.body);
    ds_put_format_valist(&call->response.body, format, args);
    va_end(args);
    call->response.content_type = "text/plain; charset=utf-8";
    call_answer(call, status);
}

void
call_json(struct call *call, int status, struct json *json)
{
    ds_clear(&call->response.body);
    json_to_ds(json, JSSF_SORT, &call->response.body);
    json_destroy(json);
    call_answer(call, status);
}

void
call_fail(struct call *call, struct err *err)
{
    int status = err_http_status(err->kind);
    struct json *json = view_error(err);
    err_destroy(err);
    call_json(call, status, json);
}

void
call_put_header(struct call *call, const char *name, char *value)
{
    shash_add(&call->response.headers, name, value);
}

/* Dispatch. */

bool
api_is_public(const struct request *request)
{
    return (views_is_public(request)
            || (request->upgrade && events_is_socket_path(request->path)));
}

static void
call_dispatch(struct call *call)
{
    const struct request *request = call->request;
    const char *path = request->path;

    if (call->api->draining) {
        call_put_header(call, "Connection", mem_text("close"));
    }
    if (text_starts_with(path, NEUTRON_BASE "/")) {
        rest_handle(call);
    } else if (text_starts_with(path, "/restconf/")
               || text_starts_with(path, "/controller/statistics/")) {
        restconf_handle(call);
    } else if (!strcmp(path, EVENTS_PATH) && !strcmp(request->method, "GET")) {
        events_handle(call);
    } else if (events_is_socket_path(path)) {
        events_upgrade(call);
    } else {
        views_handle(call);
    }
}

static void
call_refuse(struct call *call, enum users_verdict verdict)
{
    if (verdict == USERS_REFUSED) {
        call_put_header(call, "WWW-Authenticate",
                        mem_text("Basic realm=\"weft\", charset=\"UTF-8\""));
        call_text(call, 401,
                  "user name and password are required, or they "
                  "are wrong");
    } else {
        call_put_header(call, "Retry-After", mem_text("1"));
        call_text(call, 503, "too many failed logins, try again");
    }
}

static void
call_verified(void *call_)
{
    struct call *call = call_;
    if (!call->api) {
        call_destroy(call);
        return;
    }

    enum users_verdict verdict = users_check(call->api->users, call->request);
    if (verdict == USERS_ALLOWED) {
        users_put_cookies(call->api->users, call->request, &call->response);
        call_dispatch(call);
    } else {
        call_refuse(call, verdict);
    }
}

static void
call_admit(struct call *call)
{
    struct api *api = call->api;
    struct request *request = call->request;

    if (api_is_public(request)) {
        call_dispatch(call);
        return;
    }
    if (request->trusted && !request->user) {
        request->user = mem_text("local");
    }
    enum users_verdict verdict =
        (request->user ? USERS_ALLOWED : users_check(api->users, request));
    if (verdict == USERS_ALLOWED) {
        if (request->authorization && !request->trusted) {
            users_put_cookies(api->users, request, &call->response);
        }
        call_dispatch(call);
    } else if (verdict == USERS_UNKNOWN) {
        users_verify(api->users, request->authorization, call_verified, call);
    } else {
        call_refuse(call, verdict);
    }
}

void
api_handle(struct api *api, struct request *request,
           void (*answer)(struct request *, struct response *, void *aux),
           void *aux)
{
    struct call *call = NEW(struct call);
    call->api = api;
    call->request = request;
    call->answer = answer;
    call->aux = aux;
    ds_init(&call->response.body);
    shash_init(&call->response.headers);
    ovs_list_push_back(&api->calls, &call->node);
    api->n_calls++;
    call_admit(call);
}
