/* SPDX-License-Identifier: Apache-2.0 */

/* Channels and listeners of "base/loop.h", tested on both of its
 * implementations, as test_loop.c does.  What only sockets can show (TLS,
 * limits of strangers) is tested on libevent only.
 *
 * Nothing sleeps: wait_until() runs the loop until a condition holds. */

#include "base/loop.h"

#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

/* One side of a connection, with everything that happened to it. */
struct end {
    struct channel *channel;
    struct ds got;
    bool connected;
    bool closed;
    char *reason;
    int n_readable;
    int n_drained;
    bool echo; /* Sends back what it gets. */
    bool lazy; /* Consumes nothing. */
    enum { KEEP, DESTROY_ON_READ, DESTROY_ON_CONNECT, DESTROY_ON_DRAIN } plan;
};

#define MAX_ENDS 300

struct server {
    struct listener *listener;
    struct end ends[MAX_ENDS];
    size_t n_ends;
    bool echo;
    bool lazy;
    bool destroy_on_accept;
    bool destroy_listener_on_accept;
};

struct world {
    struct loop *loop;
    struct server server;
    struct end client;
};

static void
end_uninit(struct end *end)
{
    channel_destroy(end->channel);
    end->channel = NULL;
    ds_destroy(&end->got);
    free(end->reason);
}

static void
end_destroy_channel(struct end *end)
{
    channel_destroy(end->channel);
    end->channel = NULL;
}

static void
end_readable(struct channel *channel, void *end_)
{
    struct end *end = end_;
    size_t size;

    end->n_readable++;
    if (end->plan == DESTROY_ON_READ) {
        end_destroy_channel(end);
        return;
    }
    if (end->lazy) {
        return;
    }

    const uint8_t *data = channel_peek(channel, &size);
    assert_true(size > 0);
    ds_put_buffer(&end->got, (const char *) data, size);
    if (end->echo) {
        AUTO_TEXT *copy = mem_clone(data, size);
        channel_consume(channel, size);
        channel_write(channel, copy, size);
    } else {
        channel_consume(channel, size);
    }
}

static void
end_drained(struct channel *channel OVS_UNUSED, void *end_)
{
    struct end *end = end_;

    end->n_drained++;
    if (end->plan == DESTROY_ON_DRAIN) {
        end_destroy_channel(end);
    }
}

static void
end_connected(struct channel *channel OVS_UNUSED, void *end_)
{
    struct end *end = end_;

    assert_false(end->connected);
    end->connected = true;
    if (end->plan == DESTROY_ON_CONNECT) {
        end_destroy_channel(end);
    }
}

static void
end_closed(struct channel *channel, const char *reason, void *end_)
{
    struct end *end = end_;

    assert_false(end->closed);
    assert_ptr_equal(channel, end->channel);
    end->closed = true;
    end->reason = mem_text(reason);
    end_destroy_channel(end);
}

static const struct channel_events end_events = {
    .readable = end_readable,
    .drained = end_drained,
    .connected = end_connected,
    .closed = end_closed,
};

static void
server_accepted(struct channel *channel, void *server_)
{
    struct server *server = server_;
    struct end *end = &server->ends[server->n_ends++];

    assert_true(server->n_ends <= MAX_ENDS);
    if (server->destroy_on_accept) {
        channel_destroy(channel);
    } else {
        end->channel = channel;
        end->echo = server->echo;
        end->lazy = server->lazy;
        channel_set_events(channel, &end_events, end);
    }
    if (server->destroy_listener_on_accept) {
        listener_destroy(server->listener);
        server->listener = NULL;
    }
}

static int
setup(void **state)
{
    struct world *world = NEW(struct world);

    world->loop = loop_create();
    *state = world;
    return 0;
}

static int
teardown(void **state)
{
    struct world *world = *state;

    end_uninit(&world->client);
    for (size_t i = 0; i < world->server.n_ends; i++) {
        end_uninit(&world->server.ends[i]);
    }
    listener_destroy(world->server.listener);
    loop_destroy(world->loop);
    free(world);
    return 0;
}

static void
listen_on(struct world *world, const char *address, struct tls_context *tls)
{
    assert_null(listener_create(world->loop, address, 0, tls, server_accepted,
                                &world->server, &world->server.listener));
}

static void
dial(struct world *world, struct end *end, const char *address,
     struct tls_context *tls)
{
    end->channel = channel_dial(world->loop, address,
                                listener_port(world->server.listener), tls,
                                &end_events, end);
}

#define wait_until(WORLD, CONDITION)                                          \
    do {                                                                      \
        uint64_t deadline__ = loop_now((WORLD)->loop) + 20 * 1000 * 1000;     \
        while (!(CONDITION)) {                                                \
            assert_true(loop_now((WORLD)->loop) < deadline__);                \
            loop_run_once((WORLD)->loop, 100);                                \
        }                                                                     \
    } while (0)

static void
check_echo(struct world *world, const char *listen_address,
           const char *dial_address)
{
    world->server.echo = true;
    listen_on(world, listen_address, NULL);
    dial(world, &world->client, dial_address, NULL);
    assert_false(world->client.connected);
    channel_write(world->client.channel, "early ", 6);
    wait_until(world, world->client.connected);
    channel_write(world->client.channel, "bird", 4);
    wait_until(world, world->client.got.length == 10);
    assert_string_equal(ds_cstr(&world->client.got), "early bird");

    struct channel *accepted = world->server.ends[0].channel;
    AUTO_TEXT *peer =
        mem_textf(strchr(dial_address, ':') ? "[%s]:%u" : "%s:%u",
                  dial_address, listener_port(world->server.listener));
    assert_string_equal(channel_peer(world->client.channel), peer);
    assert_string_equal(channel_peer_address(world->client.channel),
                        dial_address);
    assert_string_equal(channel_local_address(accepted), dial_address);
    assert_string_equal(channel_peer_address(accepted),
                        channel_local_address(world->client.channel));
    assert_null(channel_peer_name(accepted));
    assert_int_equal(channel_backlog(accepted), 0);
}

static void
test_echo(void **state)
{
    check_echo(*state, "127.0.0.1", "127.0.0.1");
}

static void
test_echo_ipv6(void **state)
{
    check_echo(*state, "::1", "::1");
}

static void
test_echo_dual_stack(void **state)
{
    check_echo(*state, "::", "127.0.0.1");
}

static void
test_close(void **state)
{
    struct world *world = *state;
    struct end *server_end = &world->server.ends[0];

    listen_on(world, "127.0.0.1", NULL);
    dial(world, &world->client, "127.0.0.1", NULL);
    wait_until(world, world->client.connected && server_end->channel);
    channel_write(server_end->channel, "last words", 10);
    wait_until(world, !channel_backlog(server_end->channel));
    end_destroy_channel(server_end);
    wait_until(world, world->client.closed);
    assert_string_equal(ds_cstr(&world->client.got), "last words");
    assert_string_equal(world->client.reason, "peer closed the connection");
    assert_false(server_end->closed);
}

static void
test_refused(void **state)
{
    struct world *world = *state;

    listen_on(world, "127.0.0.1", NULL);
    uint16_t port = listener_port(world->server.listener);
    listener_destroy(world->server.listener);
    world->server.listener = NULL;
    world->client.channel = channel_dial(world->loop, "127.0.0.1", port, NULL,
                                         &end_events, &world->client);
    channel_write(world->client.channel, "x", 1);
    wait_until(world, world->client.closed);
    assert_false(world->client.connected);
    assert_string_equal(world->client.reason, "Connection refused");
}

static void
test_bad_addresses(void **state)
{
    struct world *world = *state;
    struct listener *listener = NULL;

    listen_on(world, "127.0.0.1", NULL);
    dial(world, &world->client, "example.com", NULL);
    wait_until(world, world->client.closed);
    assert_string_equal(world->client.reason, "not an IP address");

    AUTO(err) *err = listener_create(world->loop, "localhost", 0, NULL,
                                     server_accepted, NULL, &listener);
    assert_int_equal(err->kind, ERR_INVALID);
    AUTO(err) *err2 = listener_create(world->loop, "127.0.0.1",
                                      listener_port(world->server.listener),
                                      NULL, server_accepted, NULL, &listener);
    assert_int_equal(err2->kind, ERR_UNAVAILABLE);
    assert_non_null(strstr(err2->text, "Address already in use"));
    assert_null(listener);
}

static void
fill_pattern(uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        data[i] = i * 7 + i / 256;
    }
}

#define BIG (5 * 1000 * 1000)

static void
check_big_transfer(struct world *world, struct tls_context *tls)
{
    uint8_t *data = mem_alloc(BIG);

    fill_pattern(data, BIG);
    world->server.echo = true;
    listen_on(world, "127.0.0.1", tls);
    dial(world, &world->client, "127.0.0.1", tls);
    wait_until(world, world->client.connected && world->server.n_ends);
    channel_limit_input(world->server.ends[0].channel, 10000);
    channel_write(world->client.channel, data, BIG);
    wait_until(world, world->client.got.length == BIG);
    assert_memory_equal(world->client.got.string, data, BIG);
    free(data);
}

static void
test_big_transfer(void **state)
{
    check_big_transfer(*state, NULL);
}

static void
check_limited_input(struct world *world, struct tls_context *tls)
{
    struct end *end = &world->server.ends[0];
    uint8_t data[50000];
    size_t n_read = 0;
    size_t size;

    fill_pattern(data, sizeof data);
    world->server.lazy = true;
    listen_on(world, "127.0.0.1", tls);
    dial(world, &world->client, "127.0.0.1", tls);
    wait_until(world, end->channel);
    channel_limit_input(end->channel, 1000);
    channel_write(world->client.channel, data, sizeof data);

    /* In small and large bites, each after a new event. */
    while (n_read < sizeof data) {
        size_t wanted = sizeof data - n_read;
        wanted = wanted > 1000 ? 1000 : wanted;
        wait_until(world, (channel_peek(end->channel, &size), size == wanted));
        assert_memory_equal(channel_peek(end->channel, &size), data + n_read,
                            size);
        int n_readable = end->n_readable;
        size_t bite = n_read % 3 ? size : size < 100 ? size : 100;
        channel_consume(end->channel, bite);
        n_read += bite;
        if (n_read + size - bite < sizeof data) {
            wait_until(world, end->n_readable > n_readable);
        }
    }
    loop_run_once(world->loop, 5);
    channel_peek(end->channel, &size);
    assert_int_equal(size, 0);
}

static void
test_limited_input(void **state)
{
    check_limited_input(*state, NULL);
}

/* What a peer sent before it closed arrives even if it does not fit. */
static void
check_limited_input_and_close(struct world *world, struct tls_context *tls)
{
    struct end *end = &world->server.ends[0];
    uint8_t data[3000];
    size_t n_read = 0;

    fill_pattern(data, sizeof data);
    world->server.lazy = true;
    listen_on(world, "127.0.0.1", tls);
    dial(world, &world->client, "127.0.0.1", tls);
    wait_until(world, end->channel && world->client.connected);
    channel_limit_input(end->channel, 100);
    channel_write(world->client.channel, data, sizeof data);
#ifdef SIMULATED
    /* Here the kernel's buffers are not larger than the limit. */
    channel_limit_input(end->channel, sizeof data);
#endif
    wait_until(world, !channel_backlog(world->client.channel));
    end_destroy_channel(&world->client);
    while (n_read < sizeof data) {
        size_t size;

        assert_false(end->closed);
        channel_peek(end->channel, &size);
        channel_consume(end->channel, size);
        n_read += size;
        if (n_read < sizeof data) {
            loop_run_once(world->loop, 100);
        }
    }
    wait_until(world, end->closed);
}

static void
test_limited_input_and_close(void **state)
{
    check_limited_input_and_close(*state, NULL);
}

static void
test_backlog(void **state)
{
    struct world *world = *state;
    struct end *end = &world->server.ends[0];
    AUTO_TEXT *data = mem_zalloc(BIG);

    world->server.lazy = true;
    listen_on(world, "127.0.0.1", NULL);
    dial(world, &world->client, "127.0.0.1", NULL);
    wait_until(world, end->channel && world->client.connected);
    channel_limit_input(end->channel, 1000);
    channel_limit_backlog(world->client.channel, 10000);

    channel_write(world->client.channel, data, 400);
    wait_until(world, !channel_backlog(world->client.channel));
    assert_int_equal(world->client.n_drained, 0);

    for (int i = 0; i < 10; i++) {
        channel_write(world->client.channel, data, BIG);
    }
    assert_int_equal(channel_backlog(world->client.channel), 10 * BIG);
    loop_run_once(world->loop, 10);
    assert_true(channel_backlog(world->client.channel) > 10000);
    assert_int_equal(world->client.n_drained, 0);

    size_t size;
    channel_limit_input(end->channel, 1024 * 1024);
    end->lazy = false;
    channel_peek(end->channel, &size);
    channel_consume(end->channel, size);
    wait_until(world, world->client.n_drained);
    assert_true(channel_backlog(world->client.channel) <= 5000);
    wait_until(world, !channel_backlog(world->client.channel));
    assert_int_equal(world->client.n_drained, 1);
}

static void
check_destroy_in_callbacks(struct world *world, struct tls_context *tls)
{
    AUTO_TEXT *data = mem_zalloc(BIG);

    /* In 'connected'. */
    world->server.echo = true;
    listen_on(world, "127.0.0.1", tls);
    world->client.plan = DESTROY_ON_CONNECT;
    dial(world, &world->client, "127.0.0.1", tls);
    channel_write(world->client.channel, "x", 1);
    wait_until(world, world->client.connected && world->server.n_ends == 1
                          && world->server.ends[0].closed);
    assert_null(world->client.channel);

    /* In 'readable', with more to come. */
    world->client = (struct end){ .plan = DESTROY_ON_READ };
    dial(world, &world->client, "127.0.0.1", tls);
    channel_write(world->client.channel, data, BIG);
    wait_until(world,
               world->server.n_ends == 2 && world->server.ends[1].closed);
    assert_null(world->client.channel);
    assert_false(world->client.closed);

    /* In 'drained'. */
    world->client = (struct end){ .plan = DESTROY_ON_DRAIN };
    dial(world, &world->client, "127.0.0.1", tls);
    channel_limit_backlog(world->client.channel, 1000);
    channel_write(world->client.channel, data, BIG);
    wait_until(world,
               world->server.n_ends == 3 && world->server.ends[2].closed);
    assert_int_equal(world->client.n_drained, 1);
    assert_null(world->client.channel);
}

static void
test_destroy_in_callbacks(void **state)
{
    check_destroy_in_callbacks(*state, NULL);
}

static void
test_destroy_when_accepted(void **state)
{
    struct world *world = *state;

    world->server.destroy_on_accept = true;
    world->server.destroy_listener_on_accept = true;
    listen_on(world, "127.0.0.1", NULL);
    dial(world, &world->client, "127.0.0.1", NULL);
    wait_until(world, world->client.closed);
    assert_null(world->server.listener);
}

static void
test_destroy_at_once(void **state)
{
    struct world *world = *state;

    listen_on(world, "127.0.0.1", NULL);
    dial(world, &world->client, "127.0.0.1", NULL);
    channel_write(world->client.channel, "x", 1);
    end_destroy_channel(&world->client);
    channel_destroy(NULL);
    loop_run_once(world->loop, 10);
    assert_false(world->client.connected);
    assert_false(world->client.closed);
}

/* Events set late still tell of what came early. */
static void
keep_silent_channel(struct channel *channel, void *world_)
{
    struct world *world = world_;

    world->server.ends[world->server.n_ends++].channel = channel;
}

static void
test_events_set_late(void **state)
{
    struct world *world = *state;
    struct end *end = &world->server.ends[0];
    size_t size;

    assert_null(listener_create(world->loop, "127.0.0.1", 0, NULL,
                                keep_silent_channel, world,
                                &world->server.listener));
    dial(world, &world->client, "127.0.0.1", NULL);
    channel_write(world->client.channel, "hello", 5);
    wait_until(world,
               end->channel && (channel_peek(end->channel, &size), size == 5));
    channel_set_events(end->channel, &end_events, end);
    wait_until(world, end->got.length == 5);
}

static void
test_write_after_end(void **state)
{
    struct world *world = *state;
    struct end *end = &world->server.ends[0];
    AUTO_TEXT *data = mem_zalloc(BIG);

    listen_on(world, "127.0.0.1", NULL);
    dial(world, &world->client, "127.0.0.1", NULL);
    wait_until(world, end->channel && world->client.connected);
    end_destroy_channel(end);
    channel_write(world->client.channel, data, BIG);
    loop_run_once(world->loop, 10);
    if (world->client.channel) {
        channel_write(world->client.channel, data, BIG);
    }
    wait_until(world, world->client.closed);
}

static void
test_many_channels(void **state)
{
    struct world *world = *state;
    struct end *clients = mem_zalloc(100 * sizeof *clients);
    size_t n_echoed = 0;

    world->server.echo = true;
    listen_on(world, "127.0.0.1", NULL);
    for (int i = 0; i < 100; i++) {
        dial(world, &clients[i], "127.0.0.1", NULL);
        channel_write(clients[i].channel, &"0123456789"[i % 10], 1);
    }
    for (int i = 0; i < 100; i++) {
        wait_until(world, clients[i].got.length);
        assert_int_equal(clients[i].got.string[0], '0' + i % 10);
        n_echoed++;
        end_uninit(&clients[i]);
    }
    assert_int_equal(n_echoed, 100);
    free(clients);
}

#ifndef SIMULATED
/* What needs sockets. */

/* Certificates of two authorities, made once. */
struct pki {
    char directory[64];
    char *paths[9]; /* What the others point to. */
    size_t n_paths;
    struct tls_files server;  /* Signed by authority "a". */
    struct tls_files client;  /* Signed by authority "a". */
    struct tls_files foreign; /* Signed by "b", trusts "a". */
};

static const char *
pki_path(struct pki *pki, const char *name, const char *extension)
{
    char *path = mem_textf("%s/%s.%s", pki->directory, name, extension);

    pki->paths[pki->n_paths++] = path;
    return path;
}

static struct pki *
pki_create(void)
{
    struct pki *pki = NEW(struct pki);

    strncpy(pki->directory, "/tmp/weft-test-pki-XXXXXX",
            sizeof pki->directory - 1);
    assert_non_null(mkdtemp(pki->directory));
    AUTO_TEXT *script = mem_textf(
        "set -e; cd %s; exec 2>log\n"
        "new='openssl req -x509 -newkey ec -pkeyopt"
        " ec_paramgen_curve:prime256v1 -nodes -days 3'\n"
        "$new -subj /CN=ca-a -keyout ca-a.key -out ca-a.pem\n"
        "$new -subj /CN=ca-b -keyout ca-b.key -out ca-b.pem\n"
        "$new -subj /CN=server -CA ca-a.pem -CAkey ca-a.key"
        " -keyout server.key -out server.pem\n"
        "$new -subj '/O=Weft/CN=compute-1' -CA ca-a.pem -CAkey ca-a.key"
        " -keyout client.key -out client.pem\n"
        "$new -subj /CN=foreign -CA ca-b.pem -CAkey ca-b.key"
        " -keyout foreign.key -out foreign.pem\n",
        pki->directory);
    assert_int_equal(system(script), 0);

    const char *names[] = { "server", "client", "foreign" };
    struct tls_files *files[] = { &pki->server, &pki->client, &pki->foreign };
    for (int i = 0; i < 3; i++) {
        files[i]->key = pki_path(pki, names[i], "key");
        files[i]->certificate = pki_path(pki, names[i], "pem");
        files[i]->ca = pki_path(pki, "ca-a", "pem");
    }
    return pki;
}

static void
pki_destroy(struct pki *pki)
{
    AUTO_TEXT *command = mem_textf("rm -rf %s", pki->directory);
    assert_int_equal(system(command), 0);
    for (size_t i = 0; i < pki->n_paths; i++) {
        free(pki->paths[i]);
    }
    free(pki);
}

AUTO_DEFINE(pki)
AUTO_DEFINE(tls_context)

static struct tls_context *
tls_create(const struct tls_files *files)
{
    struct tls_context *tls;
    assert_null(tls_context_create(files, &tls));
    return tls;
}

static void
test_tls_echo(void **state)
{
    struct world *world = *state;
    AUTO(pki) *pki = pki_create();
    struct tls_context *server = tls_create(&pki->server);
    struct tls_context *client = tls_create(&pki->client);

    world->server.echo = true;
    listen_on(world, "127.0.0.1", server);
    dial(world, &world->client, "127.0.0.1", client);
    channel_write(world->client.channel, "early ", 6);
    wait_until(world, world->client.connected);
    channel_write(world->client.channel, "bird", 4);
    wait_until(world, world->client.got.length == 10);
    assert_string_equal(ds_cstr(&world->client.got), "early bird");
    assert_string_equal(channel_peer_name(world->client.channel), "server");
    assert_string_equal(channel_peer_name(world->server.ends[0].channel),
                        "compute-1");

    end_destroy_channel(&world->server.ends[0]);
    wait_until(world, world->client.closed);
    assert_string_equal(world->client.reason, "peer closed the connection");

    /* The next one is as good as the first. */
    end_uninit(&world->client);
    world->client = (struct end){ .plan = KEEP };
    dial(world, &world->client, "127.0.0.1", client);
    channel_write(world->client.channel, "x", 1);
    wait_until(world, world->client.got.length == 1);

    listener_destroy(world->server.listener);
    world->server.listener = NULL;
    tls_context_destroy(server);
    tls_context_destroy(client);
}

static void
test_tls_big_transfer(void **state)
{
    struct world *world = *state;
    AUTO(pki) *pki = pki_create();
    AUTO(tls_context) *tls = tls_create(&pki->server);

    check_big_transfer(world, tls);
}

static void
test_tls_limited_input(void **state)
{
    struct world *world = *state;
    AUTO(pki) *pki = pki_create();
    AUTO(tls_context) *tls = tls_create(&pki->server);

    check_limited_input(world, tls);
}

static void
test_tls_limited_input_and_close(void **state)
{
    struct world *world = *state;
    AUTO(pki) *pki = pki_create();
    AUTO(tls_context) *tls = tls_create(&pki->server);

    check_limited_input_and_close(world, tls);
    listener_destroy(STEAL(world->server.listener));
}

static void
test_tls_destroy_in_callbacks(void **state)
{
    struct world *world = *state;
    AUTO(pki) *pki = pki_create();
    AUTO(tls_context) *tls = tls_create(&pki->server);

    check_destroy_in_callbacks(world, tls);
    listener_destroy(STEAL(world->server.listener));
}

/* The listener refuses who is not signed by its authority, who has no
 * certificate, and who does not speak TLS, and still serves the next. */
static void
test_tls_refusal(void **state)
{
    struct world *world = *state;
    AUTO(pki) *pki = pki_create();
    AUTO(tls_context) *server = tls_create(&pki->server);
    AUTO(tls_context) *foreign = tls_create(&pki->foreign);
    AUTO(tls_context) *client = tls_create(&pki->client);

    listen_on(world, "127.0.0.1", server);
    dial(world, &world->client, "127.0.0.1", foreign);
    wait_until(world, world->client.closed);
    assert_int_equal(world->server.n_ends, 0);

    end_uninit(&world->client);
    world->client = (struct end){ .plan = KEEP };
    dial(world, &world->client, "127.0.0.1", NULL);
    channel_write(world->client.channel, "GET / HTTP/1.0\r\n\r\n", 18);
    wait_until(world, world->client.closed);
    assert_int_equal(world->server.n_ends, 0);

    AUTO_TEXT *command = mem_textf(
        "cd %s; (openssl s_client -connect 127.0.0.1:%u -CAfile ca-a.pem"
        " </dev/null >s_client.log 2>&1; touch finished) &",
        pki->directory, listener_port(world->server.listener));
    AUTO_TEXT *finished = mem_textf("%s/finished", pki->directory);
    assert_int_equal(system(command), 0);
    wait_until(world, !access(finished, F_OK));
    assert_int_equal(world->server.n_ends, 0);

    end_uninit(&world->client);
    world->client = (struct end){ .plan = KEEP };
    dial(world, &world->client, "127.0.0.1", client);
    wait_until(world, world->server.n_ends == 1);
    assert_string_equal(channel_peer_name(world->server.ends[0].channel),
                        "compute-1");
    listener_destroy(STEAL(world->server.listener));
}

/* The dialer, too, refuses a foreign certificate. */
static void
test_tls_dial_refuses(void **state)
{
    struct world *world = *state;
    AUTO(pki) *pki = pki_create();
    AUTO(tls_context) *foreign = tls_create(&pki->foreign);
    AUTO(tls_context) *client = tls_create(&pki->client);

    listen_on(world, "127.0.0.1", foreign);
    dial(world, &world->client, "127.0.0.1", client);
    wait_until(world, world->client.closed);
    assert_false(world->client.connected);
    assert_non_null(strstr(world->client.reason, "certificate verify failed"));
    assert_int_equal(world->server.n_ends, 0);
    listener_destroy(STEAL(world->server.listener));
}

static void
test_tls_bad_files(void **state OVS_UNUSED)
{
    AUTO(pki) *pki = pki_create();
    struct tls_context *tls = NULL;
    struct tls_files files;

    files = pki->server;
    files.certificate = "/nonexistent.pem";
    AUTO(err) *missing = tls_context_create(&files, &tls);
    assert_string_equal(missing->field, "certificate");
    assert_non_null(strstr(missing->text, "No such file or directory"));

    files = pki->server;
    files.key = pki->client.key;
    AUTO(err) *other = tls_context_create(&files, &tls);
    assert_string_equal(other->field, "key");

    files = pki->server;
    files.ca = pki->client.key;
    AUTO(err) *empty = tls_context_create(&files, &tls);
    assert_string_equal(empty->field, "ca");
    assert_null(tls);
}

#define MAX_HALF_OPEN 256 /* Of listener.c. */

/* Strangers who connect and say nothing keep others waiting, but only for a
 * while, and in a bounded number. */
static void
test_tls_half_open_limit(void **state)
{
    struct world *world = *state;
    AUTO(pki) *pki = pki_create();
    AUTO(tls_context) *server = tls_create(&pki->server);
    AUTO(tls_context) *client = tls_create(&pki->client);
    struct end *strangers = mem_zalloc(MAX_HALF_OPEN * sizeof *strangers);

    listen_on(world, "127.0.0.1", server);
    for (int i = 0; i < MAX_HALF_OPEN; i++) {
        dial(world, &strangers[i], "127.0.0.1", NULL);
    }
    for (int i = 0; i < MAX_HALF_OPEN; i++) {
        wait_until(world, strangers[i].connected);
    }
    dial(world, &world->client, "127.0.0.1", client);
    for (int i = 0; i < 20; i++) {
        loop_run_once(world->loop, 10);
    }
    assert_false(world->client.connected);
    end_uninit(&strangers[0]);
    wait_until(world, world->client.connected && world->server.n_ends == 1);

    for (int i = 1; i < MAX_HALF_OPEN; i++) {
        end_uninit(&strangers[i]);
    }
    free(strangers);
    listener_destroy(STEAL(world->server.listener));
}
#endif

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_echo),
        TEST(test_echo_ipv6),
        TEST(test_echo_dual_stack),
        TEST(test_close),
        TEST(test_refused),
        TEST(test_bad_addresses),
        TEST(test_big_transfer),
        TEST(test_limited_input),
        TEST(test_limited_input_and_close),
        TEST(test_backlog),
        TEST(test_destroy_in_callbacks),
        TEST(test_destroy_when_accepted),
        TEST(test_destroy_at_once),
        TEST(test_events_set_late),
        TEST(test_write_after_end),
        TEST(test_many_channels),
#ifndef SIMULATED
        TEST(test_tls_echo),
        TEST(test_tls_big_transfer),
        TEST(test_tls_limited_input),
        TEST(test_tls_limited_input_and_close),
        TEST(test_tls_destroy_in_callbacks),
        TEST(test_tls_refusal),
        TEST(test_tls_dial_refuses),
        TEST(test_tls_bad_files),
        TEST(test_tls_half_open_limit),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
