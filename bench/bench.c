/* SPDX-License-Identifier: Apache-2.0 */

/* Samples, waiting, and a small HTTP client for measuring.
 *
 * The client knows as much of RFC 9112 as our own server needs: answers with
 * Content-Length, and for streams whatever comes after the header, in which
 * the lines of chunk sizes do no harm. */

#include "bench.h"

#include <stdio.h>

#define AUTHORIZATION "Basic YWRtaW46YWRtaW4=" /* admin:admin. */

void
bench_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static void
nothing(void *aux OVS_UNUSED)
{
}

void
bench_wait(struct loop *loop, bool (*predicate)(void *aux), void *aux,
           int seconds, const char *what)
{
    uint64_t end = loop_now(loop) + seconds * UINT64_C(1000000);
    while (!predicate(aux)) {
        if (loop_now(loop) > end) {
            bench_fail("%s: not within %d s", what, seconds);
        }
        loop_run_once(loop, 10);
    }
}

void
bench_sleep(struct loop *loop, uint64_t us)
{
    struct timer *timer = loop_timer_create(loop, nothing, NULL);
    uint64_t end = loop_now(loop) + us;
    while (loop_now(loop) < end) {
        loop_timer_set(timer, end - loop_now(loop));
        loop_run_once(loop, 10);
    }
    loop_timer_destroy(timer);
}

/* Samples. */

void
samples_add(struct samples *samples, double value)
{
    ARRAY_GROW(samples->items, samples->n, samples->allocated);
    samples->items[samples->n++] = value;
}

static int
compare_doubles(const void *a_, const void *b_)
{
    const double *a = a_;
    const double *b = b_;
    return *a < *b ? -1 : *a > *b;
}

double
samples_percentile(struct samples *samples, double percent)
{
    if (!samples->n) {
        return 0;
    }
    qsort(samples->items, samples->n, sizeof *samples->items, compare_doubles);
    size_t index = samples->n * percent / 100;
    return samples->items[index < samples->n ? index : samples->n - 1];
}

void
samples_uninit(struct samples *samples)
{
    free(samples->items);
}

void
samples_put(struct samples *samples, struct json *object, const char *name)
{
    AUTO_TEXT *p50 = mem_textf("%s_p50", name);
    AUTO_TEXT *p99 = mem_textf("%s_p99", name);
    json_object_put(object, p50,
                    json_real_create(samples_percentile(samples, 50)));
    json_object_put(object, p99,
                    json_real_create(samples_percentile(samples, 99)));
}

/* HTTP. */

struct http_client {
    struct loop *loop;
    struct channel *channel;
    void (*answered)(int status, const char *body, size_t size, void *aux);
    void (*line)(const char *, void *aux);
    void *aux;
    bool in_stream;
};

/* The value of Content-Length in a header, or -1. */
static long
content_length(const char *header)
{
    const char *p = strcasestr(header, "\ncontent-length:");
    return p ? strtol(p + 16, NULL, 10) : -1;
}

static void
read_lines(struct http_client *client)
{
    size_t size;
    const char *data = (const char *) channel_peek(client->channel, &size);
    const char *end;
    while (size && (end = memchr(data, '\n', size))) {
        AUTO_TEXT *line = mem_textf("%.*s", (int) (end - data), data);
        channel_consume(client->channel, end - data + 1);
        client->line(line, client->aux);
        data = (const char *) channel_peek(client->channel, &size);
    }
}

static void
client_readable(struct channel *channel, void *client_)
{
    struct http_client *client = client_;
    if (client->in_stream) {
        read_lines(client);
        return;
    }
    size_t size;
    const char *data = (const char *) channel_peek(channel, &size);
    const char *end = size ? memmem(data, size, "\r\n\r\n", 4) : NULL;
    if (!end) {
        return;
    }
    size_t header_size = end + 4 - data;
    AUTO_TEXT *header = mem_textf("%.*s", (int) header_size, data);
    int status = (int) strtol(header + 9, NULL, 10);
    if (client->line) {
        if (status != 200) {
            bench_fail("stream: answered %d", status);
        }
        channel_consume(channel, header_size);
        client->in_stream = true;
        read_lines(client);
        return;
    }
    long length = status == 204 ? 0 : content_length(header);
    if (length < 0) {
        bench_fail("no Content-Length: %s", header);
    } else if (size < header_size + length) {
        return;
    }
    AUTO_TEXT *body = mem_textf("%.*s", (int) length, data + header_size);
    channel_consume(channel, header_size + length);
    client->answered(status, body, length, client->aux);
}

static void
client_closed(struct channel *channel OVS_UNUSED, const char *reason,
              void *client OVS_UNUSED)
{
    bench_fail("HTTP connection closed: %s", reason);
}

struct http_client *
http_client_create(struct loop *loop, uint16_t port)
{
    static const struct channel_events events = {
        .readable = client_readable,
        .closed = client_closed,
    };
    struct http_client *client = NEW(struct http_client);
    client->loop = loop;
    client->channel =
        channel_dial(loop, "127.0.0.1", port, NULL, &events, client);
    channel_limit_input(client->channel, 64 << 20);
    return client;
}

void
http_client_destroy(struct http_client *client)
{
    if (client) {
        channel_destroy(client->channel);
        free(client);
    }
}

void
http_client_send(struct http_client *client, const char *method,
                 const char *path, const char *body,
                 void (*answered)(int, const char *, size_t, void *),
                 void *aux)
{
    client->answered = answered;
    client->aux = aux;
    AUTO_DS text = DS_EMPTY_INITIALIZER;
    ds_put_format(&text,
                  "%s %s HTTP/1.1\r\nHost: localhost\r\n"
                  "Authorization: " AUTHORIZATION "\r\n"
                  "Content-Length: %zu\r\n%s\r\n%s",
                  method, path, body ? strlen(body) : 0,
                  body ? "Content-Type: application/json\r\n" : "",
                  body ? body : "");
    channel_write(client->channel, ds_cstr(&text), text.length);
}

struct ask {
    bool done;
    int status;
    char *body;
};

static void
ask_answered(int status, const char *body, size_t size OVS_UNUSED, void *ask_)
{
    struct ask *ask = ask_;
    ask->done = true;
    ask->status = status;
    ask->body = mem_text(body);
}

static bool
ask_is_done(void *ask_)
{
    const struct ask *ask = ask_;
    return ask->done;
}

int
http_client_ask(struct http_client *client, const char *method,
                const char *path, const char *body, char **bodyp)
{
    struct ask ask = { .done = false };
    http_client_send(client, method, path, body, ask_answered, &ask);
    bench_wait(client->loop, ask_is_done, &ask, 60, path);
    if (bodyp) {
        *bodyp = ask.body;
    } else {
        free(ask.body);
    }
    return ask.status;
}

void
http_client_stream(struct http_client *client, const char *path,
                   void (*line)(const char *, void *aux), void *aux)
{
    client->line = line;
    client->aux = aux;
    AUTO_TEXT *text = mem_textf("GET %s HTTP/1.1\r\nHost: localhost\r\n"
                                "Authorization: " AUTHORIZATION "\r\n\r\n",
                                path);
    channel_write(client->channel, text, strlen(text));
}
