/* SPDX-License-Identifier: Apache-2.0 */
/* One request on the wire.
 *
 * libmicrohttpd calls exchange_handle() again and again for a request: once
 * when the headers are there, then for each piece of the body, then once more
 * at the end.
 *
 *     NEW ──► admitted ──► body ... ──► handed to api_handle()
 *      │ ▲                                   │
 *      │ └ password checked                  ├─ answered at once
 *      └─► refused before a body is read     └─ suspended, answered later,
 *                                               resumed
 *
 * A suspended connection costs nothing until it is resumed; libmicrohttpd
 * must not be stopped while there is one (exchanges_release()).
 *
 * Server-sent events are an answer whose body is asked for piece by piece
 * (feed_read()); while there is nothing to send the connection is suspended.
 * A WebSocket is an answer 101, after which the socket leaves us.
 *
 * The body is kept in one piece of memory, at most 'max_body_size'; what is
 * beyond is read and thrown away, so that the client gets to hear 413, up to
 * a bound. */

#include "api/http.h"

#include <stdio.h>

#include "openvswitch/vlog.h"

VLOG_DEFINE_THIS_MODULE(exchange);
static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

#define MAX_DISCARD    (256 * 1024 * 1024) /* Of a body that is too large. */
#define MAX_FEED_QUEUE (1024 * 1024)
#define FEED_BLOCK     4096

enum exchange_state {
    EXCHANGE_NEW,      /* Headers only.  To ADMITTED, HANDED. */
    EXCHANGE_ADMITTED, /* Takes the body.  To HANDED. */
    EXCHANGE_HANDED,   /* The api has it, or answered. */
};

struct exchange {
    struct ovs_list node;  /* In server->exchanges. */
    struct server *server; /* Null: gone while the password was checked,
                                 * which will free us. */
    struct MHD_Connection *connection;
    enum exchange_state state;
    struct request *request; /* Until handed over. */
    char *body;
    size_t body_size, body_allocated;
    size_t discarded;
    bool suspended;
    bool verifying; /* The password is being checked. */

    struct MHD_Response *reply; /* Until it is queued. */
    int status;

    struct feed *feed; /* Of a reply that is a stream. */
    struct ds queue;   /* What the feed sent, from 'sent' on. */
    size_t sent;
    bool finished; /* The feed sends no more. */
};

static void
exchange_suspend(struct exchange *x)
{
    x->suspended = true;
    MHD_suspend_connection(x->connection);
}

static void
exchange_resume(struct exchange *x)
{
    if (x->suspended) {
        x->suspended = false;
        MHD_resume_connection(x->connection);
        server_wake(x->server);
    }
}

static void
exchange_destroy(struct exchange *x)
{
    request_destroy(x->request);
    if (x->reply) {
        MHD_destroy_response(x->reply);
    }
    feed_destroy(x->feed);
    ds_destroy(&x->queue);
    free(x->body);
    free(x);
}

/* The request as the api sees it. */

static const char *
exchange_header(const struct exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

struct query_reader {
    struct request *request;
    size_t allocated;
};

static enum MHD_Result
query_read(void *reader_, enum MHD_ValueKind kind, const char *name,
           const char *value)
{
    static char empty[1];
    struct query_reader *reader = reader_;
    struct request *request = reader->request;
    ARRAY_GROW(request->query, request->n_query, reader->allocated);
    request->query[request->n_query].name = (char *) (uintptr_t) name;
    request->query[request->n_query].value =
        value ? (char *) (uintptr_t) value : empty;
    request->n_query++;
    return MHD_YES;
}

static struct exchange *
exchange_create(struct server *server, struct MHD_Connection *connection,
                const char *url, const char *method)
{
    struct exchange *x = NEW(struct exchange);
    x->server = server;
    x->connection = connection;
    ds_init(&x->queue);
    ovs_list_push_back(&server->exchanges, &x->node);
    server->n_exchanges++;

    struct request *request = request_create();
    x->request = request;
    request->method = method;
    request->storage = mem_text(url);
    size_t length = strlen(url);
    if (length > 1 && url[length - 1] == '/') {
        request->storage[length - 1] = '\0';
    }
    request->path = request->storage;
    request->host = exchange_header(x, MHD_HTTP_HEADER_HOST);
    request->authorization = exchange_header(x, MHD_HTTP_HEADER_AUTHORIZATION);
    request->cookie = exchange_header(x, MHD_HTTP_HEADER_COOKIE);
    request->secure = server->secure;
    request->trusted = server->local;
    const char *upgrade = exchange_header(x, MHD_HTTP_HEADER_UPGRADE);
    request->upgrade = upgrade && text_equals_nocase(upgrade, "websocket");
    request->transport = x;

    struct query_reader reader = { .request = request };
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, query_read,
                              &reader);
    return x;
}

/* Answers. */

static void
exchange_reply_text(struct exchange *x, int status, const char *text)
{
    x->status = status;
    x->reply = MHD_create_response_from_buffer(
        strlen(text), (void *) (uintptr_t) text, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(x->reply, MHD_HTTP_HEADER_CONTENT_TYPE,
                            "text/plain; charset=utf-8");
}

/* The feed's sink for server-sent events. */

static void
exchange_feed_send(void *x_, const char *text, size_t size)
{
    struct exchange *x = x_;
    if (x->finished) {
        return;
    }
    if (x->queue.length - x->sent + size > MAX_FEED_QUEUE) {
        VLOG_WARN_RL(&rl, "a listener does not read its events: dropped");
        x->finished = true;
    } else {
        if (x->sent == x->queue.length) {
            ds_clear(&x->queue);
            x->sent = 0;
        }
        ds_put_buffer(&x->queue, text, size);
    }
    exchange_resume(x);
}

static void
exchange_feed_finish(void *x_)
{
    struct exchange *x = x_;
    x->finished = true;
    exchange_resume(x);
}

static const struct feed_sink exchange_sink = {
    .send = exchange_feed_send,
    .finish = exchange_feed_finish,
};

/* Gives libmicrohttpd the next piece of a stream. */
static ssize_t
feed_read(void *x_, uint64_t pos, char *buf, size_t max)
{
    struct exchange *x = x_;
    size_t n = x->queue.length - x->sent;
    if (n) {
        n = n < max ? n : max;
        memcpy(buf, x->queue.string + x->sent, n);
        x->sent += n;
        return (ssize_t) n;
    }
    if (x->finished) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    exchange_suspend(x);
    return 0;
}

static void
exchange_upgraded(void *x_, struct MHD_Connection *connection, void *con_cls,
                  const char *early, size_t early_size, MHD_socket fd,
                  struct MHD_UpgradeResponseHandle *handle)
{
    struct exchange *x = x_;
    websockets_open(x->server->http->websockets, x->server, STEAL(x->feed),
                    handle, fd, early, early_size);
}

static void
exchange_reply_upgrade(struct exchange *x, struct response *response)
{
    const char *key = exchange_header(x, "Sec-WebSocket-Key");
    const char *version = exchange_header(x, "Sec-WebSocket-Version");
    if (!key || strlen(key) > 64 || !version || strcmp(version, "13")) {
        exchange_reply_text(x, 400, "not a WebSocket handshake\n");
        return;
    }

    AUTO_TEXT *accept = websocket_accept_key(key);
    x->feed = STEAL(response->feed);
    x->status = MHD_HTTP_SWITCHING_PROTOCOLS;
    x->reply = MHD_create_response_for_upgrade(exchange_upgraded, x);
    MHD_add_response_header(x->reply, MHD_HTTP_HEADER_UPGRADE, "websocket");
    MHD_add_response_header(x->reply, "Sec-WebSocket-Accept", accept);
}

static void
exchange_reply_body(struct exchange *x, struct response *response)
{
    x->status = response->status;
    if (response->feed) {
        x->feed = STEAL(response->feed);
        x->reply = MHD_create_response_from_callback(
            MHD_SIZE_UNKNOWN, FEED_BLOCK, feed_read, x, NULL);
        feed_attach(x->feed, &exchange_sink, x);
    } else {
        size_t size = response->body.length;
        char *body = size ? ds_steal_cstr(&response->body) : NULL;
        x->reply = MHD_create_response_from_buffer(
            size, body, body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    }
    if (response->body.length || x->feed || response->content_type
        || x->status != 204) {
        MHD_add_response_header(x->reply, MHD_HTTP_HEADER_CONTENT_TYPE,
                                response->content_type ? response->content_type
                                                       : "application/json");
    }
    struct shash_node *node;
    SHASH_FOR_EACH (node, &response->headers) {
        MHD_add_response_header(x->reply, node->name, node->data);
    }
}

/* Called by the api, maybe inside exchange_hand_over(). */
static void
exchange_answered(struct request *request, struct response *response, void *x_)
{
    struct exchange *x = x_;
    if (response->status == 101) {
        exchange_reply_upgrade(x, response);
    } else {
        exchange_reply_body(x, response);
    }
    exchange_resume(x);
}

static void
exchange_hand_over(struct exchange *x)
{
    x->state = EXCHANGE_HANDED;
    x->request->body = x->body;
    x->request->body_size = x->body_size;
    api_handle(x->server->http->api, STEAL(x->request), exchange_answered, x);
}

static enum MHD_Result
exchange_queue_reply(struct exchange *x)
{
    struct MHD_Response *reply = STEAL(x->reply);
    enum MHD_Result result =
        MHD_queue_response(x->connection, (unsigned int) x->status, reply);
    MHD_destroy_response(reply);
    return result;
}

/* Before the body. */

static void
exchange_verified(void *x_)
{
    struct exchange *x = x_;
    x->verifying = false;
    if (!x->server) {
        exchange_destroy(x);
    } else {
        exchange_resume(x);
    }
}

static bool
exchange_has_body(const struct exchange *x)
{
    const char *length = exchange_header(x, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return ((length && strcmp(length, "0"))
            || exchange_header(x, MHD_HTTP_HEADER_TRANSFER_ENCODING));
}

/* Looks who asks, before a body is read.  Whoever is refused is handed to the
 * api without one, which answers; libmicrohttpd then closes the connection,
 * so this is not done where there is no body to be spared. */
static enum MHD_Result
exchange_admit(struct exchange *x)
{
    struct api *api = x->server->http->api;
    struct request *request = x->request;

    if (!request->trusted && !api_is_public(request) && !request->user) {
        enum users_verdict verdict = users_check(api->users, request);
        if (verdict == USERS_UNKNOWN) {
            x->verifying = true;
            exchange_suspend(x);
            users_verify(api->users, request->authorization, exchange_verified,
                         x);
            return MHD_YES;
        }
        if (verdict != USERS_ALLOWED && exchange_has_body(x)) {
            exchange_hand_over(x);
            if (!x->reply) {
                exchange_suspend(x);
                return MHD_YES;
            }
            return exchange_queue_reply(x);
        }
    }

    x->state = EXCHANGE_ADMITTED;
    const char *length = exchange_header(x, MHD_HTTP_HEADER_CONTENT_LENGTH);
    int64_t size;
    if (length && text_to_int(length, 1, INT64_MAX, &size)
        && (uint64_t) size <= api->settings.max_body_size) {
        x->body_allocated = (size_t) size + 1;
        x->body = mem_alloc(x->body_allocated);
    }
    return MHD_YES;
}

static enum MHD_Result
exchange_take_body(struct exchange *x, const char *data, size_t *sizep)
{
    size_t size = *sizep;
    size_t max = x->server->http->api->settings.max_body_size;
    *sizep = 0;
    if (x->discarded || size > max - x->body_size) {
        x->discarded += size;
        return x->discarded <= MAX_DISCARD ? MHD_YES : MHD_NO;
    }
    if (x->body_size + size + 1 > x->body_allocated) {
        x->body_allocated = 2 * (x->body_size + size + 1);
        x->body = mem_resize(x->body, x->body_allocated);
    }
    memcpy(x->body + x->body_size, data, size);
    x->body_size += size;
    x->body[x->body_size] = '\0';
    return MHD_YES;
}

enum MHD_Result
exchange_handle(/* house: parameters libmicrohttpd calls it */
                void *server_, struct MHD_Connection *connection,
                const char *url, const char *method, const char *version,
                const char *upload_data, size_t *upload_data_size,
                void **con_cls)
{
    struct exchange *x = *con_cls;
    if (!x) {
        x = exchange_create(server_, connection, url, method);
        *con_cls = x;
    }

    if (x->state == EXCHANGE_NEW) {
        return exchange_admit(x);
    }
    if (x->state == EXCHANGE_ADMITTED) {
        if (*upload_data_size) {
            return exchange_take_body(x, upload_data, upload_data_size);
        }
        if (x->discarded) {
            x->state = EXCHANGE_HANDED;
            exchange_reply_text(x, 413,
                                "the body is larger than this server "
                                "accepts\n");
        } else {
            exchange_hand_over(x);
        }
    }
    if (x->reply) {
        return exchange_queue_reply(x);
    }
    exchange_suspend(x);
    return MHD_YES;
}

void
exchange_completed(void *server_, struct MHD_Connection *connection,
                   void **con_cls, enum MHD_RequestTerminationCode code)
{
    struct exchange *x = *con_cls;
    if (x) {
        *con_cls = NULL;
        ovs_list_remove(&x->node);
        x->server->n_exchanges--;
        x->server = NULL;
        if (!x->verifying) {
            exchange_destroy(x);
        }
    }
}

void
exchanges_release(struct server *server)
{
    struct exchange *x;
    LIST_FOR_EACH (x, node, &server->exchanges) {
        x->finished = true;
        exchange_resume(x);
    }
}
