/* SPDX-License-Identifier: Apache-2.0 */
/* The transport: real sockets, real libmicrohttpd.
 *
 * The loop runs in the main thread; each test's client is a thread with
 * blocking sockets, so that it sees what a client sees.  Writes are parked for
 * a moment, as a store would do. */

#include "api/api-private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define BASE  "/controller/nb/v2/neutron/"
#define ID(N) "00000000-0000-4000-8000-00000000000" #N
#define NET1  "{\"network\":{\"id\":\"" ID(1) "\",\"name\":\"one\"}}"
#define AUTH  "Authorization: Basic YWRtaW46YWRtaW4=\r\n"

bool
fabric_is_wired(const struct fabric *fabric, const struct uuid *id)
{
    return false;
}

struct json *
fabric_hosts(const struct fabric *fabric)
{
    return json_array_create_empty();
}

/* A store that takes a moment. */

struct parked {
    struct ovs_list node;
    model_edit edit;
    model_done done;
    void *aux;
};

struct slow_store {
    struct loop *loop;
    struct model *model;
    struct timer *timer;
    struct ovs_list parked;
    uint64_t delay_us;
};

static void
slow_store_run(void *store_)
{
    struct slow_store *store = store_;
    struct parked *parked;
    LIST_FOR_EACH_SAFE (parked, node, &store->parked) {
        ovs_list_remove(&parked->node);
        struct txn *txn = txn_create(store->model);
        struct err *err = parked->edit(txn, parked->aux);
        if (err) {
            txn_destroy(txn);
        } else {
            txn_apply(txn);
        }
        parked->done(err, parked->aux);
        free(parked);
    }
}

static void
slow_store_write(void *store_, model_edit edit, model_done done, void *aux)
{
    struct slow_store *store = store_;
    struct parked *parked = NEW(struct parked);
    parked->edit = edit;
    parked->done = done;
    parked->aux = aux;
    ovs_list_push_back(&store->parked, &parked->node);
    loop_timer_set(store->timer, store->delay_us);
}

/* The server. */

struct fixture {
    struct loop *loop;
    struct model *model;
    struct slow_store store;
    struct api_settings settings;
    struct api *api;
    char *dir;
    uint16_t port;
    void (*client)(struct fixture *);
    volatile bool done;
    volatile bool wants_status; /* Asks the main thread for an event. */
    int failures;
};

static uint16_t
free_port(void)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    socklen_t size = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *) &in, sizeof in), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &in, &size), 0);
    close(fd);
    return ntohs(in.sin_port);
}

static int
setup(void **state)
{
    static const struct model_writer writer = { .write = slow_store_write };
    char dir[] = "/tmp/weft-test-http-XXXXXX";
    struct fixture *f = NEW(struct fixture);

    f->dir = mem_text(mkdtemp(dir));
    f->port = free_port();
    f->settings.listen_address = "127.0.0.1";
    f->settings.ports[0] = f->port;
    f->settings.socket_path = mem_textf("%s/weft.sock", f->dir);
    f->settings.max_body_size = 100000;
    f->settings.max_header_size = 8192;
    f->loop = loop_create();
    f->model = model_create();
    net_register(f->model);
    neutron_register(f->model);
    f->store.loop = f->loop;
    f->store.model = f->model;
    f->store.delay_us = 1000;
    f->store.timer = loop_timer_create(f->loop, slow_store_run, &f->store);
    ovs_list_init(&f->store.parked);
    model_set_writer(f->model, &writer, &f->store);
    f->api = api_create(f->loop, f->model, NULL, &f->settings);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    slow_store_run(&f->store);
    api_destroy(f->api);
    loop_timer_destroy(f->store.timer);
    model_destroy(f->model);
    loop_destroy(f->loop);
    text_free(f->settings.socket_path);
    text_free(f->settings.tls_key);
    text_free(f->settings.tls_certificate);
    AUTO_TEXT *command = mem_textf("rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
    free(f->dir);
    free(f);
    return 0;
}

static void *
client_main(void *f_)
{
    struct fixture *f = f_;
    f->client(f);
    f->done = true;
    return NULL;
}

static void
put_status(struct fixture *f)
{
    AUTO(json) *data = json_object_create();
    json_object_put_string(data, "id", ID(5));
    json_object_put_string(data, "status", "ACTIVE");
    api_event(f->api, "status", data);
}

/* Runs the loop while 'client' runs in a thread. */
static void
run(struct fixture *f, void (*client)(struct fixture *))
{
    pthread_t thread;
    f->client = client;
    f->done = false;
    assert_int_equal(pthread_create(&thread, NULL, client_main, f), 0);
    while (!f->done) {
        loop_run_once(f->loop, 20);
        if (f->wants_status) {
            f->wants_status = false;
            put_status(f);
        }
    }
    pthread_join(thread, NULL);
    assert_int_equal(f->failures, 0);
}

static void
start(struct fixture *f)
{
    struct err *err = api_start(f->api);
    if (err) {
        AUTO_TEXT *text = err_to_text(err);
        fail_msg("%s", text);
    }
}

/* The client.  Asserts of cmocka are for the main thread only. */

#define CHECK(F, CONDITION)                                                   \
    ((CONDITION)                                                              \
         ? (void) 0                                                           \
         : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #CONDITION),   \
            (void) (F)->failures++))

struct client {
    int fd;
    char buf[200000];
    size_t n; /* Bytes read and not used. */
    int status;
    char *head; /* Of the last answer. */
    char *body;
};

static struct client *
client_from_fd(int fd)
{
    struct timeval timeout = { .tv_sec = 5 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    struct client *c = NEW(struct client);
    c->fd = fd;
    return c;
}

static struct client *
client_open(uint16_t port)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *) &in, sizeof in)) {
        close(fd);
        return NULL;
    }
    return client_from_fd(fd);
}

static struct client *
client_open_path(const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *) &un, sizeof un)) {
        close(fd);
        return NULL;
    }
    return client_from_fd(fd);
}

static void
client_close(struct client *c)
{
    if (c) {
        close(c->fd);
        free(c->head);
        free(c->body);
        free(c);
    }
}

static void
client_send(struct client *c, const char *text)
{
    size_t size = strlen(text);
    while (size) {
        ssize_t n = send(c->fd, text, size, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        text += n;
        size -= (size_t) n;
    }
}

/* Reads until 'mark' is there, or the end; returns what follows the mark. */
static char *
client_read_until(struct client *c, const char *mark)
{
    for (;;) {
        c->buf[c->n] = '\0';
        char *at = *mark ? strstr(c->buf, mark) : NULL;
        if (at) {
            return at + strlen(mark);
        }
        ssize_t n = recv(c->fd, c->buf + c->n, sizeof c->buf - 1 - c->n, 0);
        if (n <= 0) {
            return NULL;
        }
        c->n += (size_t) n;
    }
}

static void
client_consume(struct client *c, const char *up_to)
{
    size_t used = (size_t) (up_to - c->buf);
    memmove(c->buf, up_to, c->n - used);
    c->n -= used;
    c->buf[c->n] = '\0';
}

/* Reads one answer with a Content-Length, or only its head. */
static int
client_receive(struct client *c, bool whole)
{
    free(c->head);
    free(c->body);
    c->head = mem_text("");
    c->body = mem_text("");
    c->status = 0;
    char *end = client_read_until(c, "\r\n\r\n");
    if (!end) {
        return 0;
    }
    free(c->head);
    c->head = mem_text(c->buf);
    c->head[end - c->buf] = '\0';
    client_consume(c, end);
    sscanf(c->head, "HTTP/1.1 %d", &c->status);

    const char *field = strstr(c->head, "Content-Length: ");
    size_t size = field && whole ? strtoul(field + 16, NULL, 10) : 0;
    while (c->n < size) {
        ssize_t n = recv(c->fd, c->buf + c->n, sizeof c->buf - 1 - c->n, 0);
        if (n <= 0) {
            return 0;
        }
        c->n += (size_t) n;
    }
    free(c->body);
    c->body = mem_clone(c->buf, size + 1);
    c->body[size] = '\0';
    client_consume(c, c->buf + size);
    return c->status;
}

static void
client_request(struct client *c, const char *method, const char *target,
               const char *headers, const char *body)
{
    AUTO_TEXT *text = mem_textf(
        "%s %s HTTP/1.1\r\nHost: h\r\n%sContent-Length: %zu\r\n\r\n%s", method,
        target, headers, body ? strlen(body) : 0, body ? body : "");
    client_send(c, text);
}

static int
client_ask(struct client *c, const char *method, const char *target,
           const char *body)
{
    client_request(c, method, target, AUTH, body);
    return client_receive(c, strcmp(method, "HEAD"));
}

/* The tests. */

static void
client_verbs(struct fixture *f)
{
    struct client *c = client_open(f->port);
    CHECK(f, client_ask(c, "GET", BASE "networks/", NULL) == 200);
    CHECK(f, !strcmp(c->body, "{\"networks\":[]}"));
    CHECK(f, client_ask(c, "POST", BASE "networks", NET1) == 201);
    CHECK(f, strstr(c->body, "\"one\""));
    CHECK(f, strstr(c->head, "application/json"));
    CHECK(f, client_ask(c, "PUT", BASE "networks/" ID(1),
                        "{\"network\":{\"name\":\"two\"}}")
                 == 200);
    CHECK(f, client_ask(c, "GET", BASE "networks/" ID(1) "?fields=name", NULL)
                 == 200);
    CHECK(f, !strcmp(c->body, "{\"network\":{\"name\":\"two\"}}"));
    CHECK(f, client_ask(c, "HEAD", BASE "networks", NULL) == 200);
    CHECK(f, client_ask(c, "GET", BASE "networks?name=t%77o&x", NULL) == 200);
    CHECK(f, strstr(c->body, ID(1)));
    CHECK(f, client_ask(c, "DELETE", BASE "networks/" ID(1), NULL) == 204);
    CHECK(f, client_ask(c, "DELETE", BASE "networks/" ID(1), NULL) == 204);
    CHECK(f, client_ask(c, "GET", BASE "networks/" ID(1), NULL) == 404);
    CHECK(f, client_ask(c, "PATCH", BASE "networks/" ID(1), NULL) == 405);
    CHECK(f, strstr(c->head, "Allow: "));

    /* Pipelined. */
    client_request(c, "POST", BASE "networks", AUTH, NET1);
    client_request(c, "GET", BASE "networks/" ID(1), AUTH, NULL);
    CHECK(f, client_receive(c, true) == 201);
    CHECK(f, client_receive(c, true) == 200);
    client_close(c);
}

static void
test_verbs(void **state)
{
    struct fixture *f = *state;
    start(f);
    run(f, client_verbs);
}

static void
client_parallel(struct fixture *f)
{
    enum { N = 40, ROUNDS = 10 };
    struct client *clients[N];
    for (int i = 0; i < N; i++) {
        clients[i] = client_open(f->port);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < N; i++) {
            AUTO_TEXT *body = mem_textf(
                "{\"network\":{\"id\":\"00000000-0000-4000-8000-%012d\"}}",
                i + N * round);
            client_request(clients[i], "POST", BASE "networks", AUTH, body);
        }
        for (int i = 0; i < N; i++) {
            CHECK(f, client_receive(clients[i], true) == 201);
        }
    }
    for (int i = 0; i < N; i++) {
        client_close(clients[i]);
    }
}

static void
test_parallel(void **state)
{
    struct fixture *f = *state;
    start(f);
    run(f, client_parallel);
    const struct resource *networks = model_resource(f->model, "network");
    assert_int_equal(model_count(f->model, networks), 400);
}

static void
client_limits(struct fixture *f)
{
    struct client *c = client_open(f->port);
    char *big = mem_alloc(150001);
    memset(big, ' ', 150000);
    big[150000] = '\0';
    CHECK(f, client_ask(c, "POST", BASE "networks", big) == 413);
    CHECK(f, client_ask(c, "POST", BASE "networks", NET1) == 201);

    /* In pieces, of a size not told before. */
    client_send(c, "POST " BASE "networks HTTP/1.1\r\nHost: h\r\n" AUTH
                   "Transfer-Encoding: chunked\r\n\r\n");
    client_send(c, "10\r\n{\"network\":{\"id\"\r\n");
    client_send(c, "2b\r\n:\"" ID(2) "\"}}xx\r\n0\r\n\r\n");
    CHECK(f, client_receive(c, true) == 201);
    client_close(c);

    c = client_open(f->port);
    big[9000] = '\0';
    memset(big, 'x', 9000);
    AUTO_TEXT *header = mem_textf("X: %s\r\n", big);
    client_request(c, "GET", BASE "networks", header, NULL);
    CHECK(f, client_receive(c, true) == 431);
    client_close(c);

    c = client_open(f->port);
    client_send(c, "no http at all\r\n\r\n");
    CHECK(f, client_receive(c, true) / 100 != 2);
    client_close(c);
    free(big);

    /* A client that stalls holds up nobody. */
    struct client *slow = client_open(f->port);
    client_send(slow, "POST " BASE "networks HTTP/1.1\r\nHost: h\r\n" AUTH
                      "Content-Length: 100\r\n\r\n{");
    c = client_open(f->port);
    CHECK(f, client_ask(c, "GET", BASE "networks", NULL) == 200);
    client_close(c);
    client_close(slow);
}

static void
test_limits(void **state)
{
    struct fixture *f = *state;
    start(f);
    run(f, client_limits);
}

static void
client_users(struct fixture *f)
{
    struct client *c = client_open(f->port);
    client_request(c, "GET", BASE "networks", "", NULL);
    CHECK(f, client_receive(c, true) == 401);
    CHECK(f, strstr(c->head, "WWW-Authenticate: Basic"));
    client_request(c, "GET", BASE "networks",
                   "Authorization: Basic Ym9iOnNlY3JldA==\r\n", NULL);
    CHECK(f, client_receive(c, true) == 200);
    CHECK(f, strstr(c->head, "JSESSIONIDSSO="));
    const char *cookie = strstr(c->head, "JSESSIONID=");
    AUTO_TEXT *header =
        mem_textf("Cookie: a=b; %.43s; c=d\r\n", cookie ? cookie : "");
    client_request(c, "GET", BASE "networks", header, NULL);
    CHECK(f, client_receive(c, true) == 200);

    /* Refused before the body is there. */
    client_send(c, "POST " BASE "networks HTTP/1.1\r\nHost: h\r\n"
                   "Authorization: Basic Ym9iOndyb25n\r\n"
                   "Content-Length: 10\r\n\r\n");
    CHECK(f, client_receive(c, true) == 401);
    client_close(c);
}

static void
test_users(void **state)
{
    struct fixture *f = *state;
    AUTO_TEXT *path = mem_textf("%s/users", f->dir);
    assert_null(users_set_password(path, "bob", "secret"));
    f->settings.users_path = path;
    assert_null(api_reload(f->api, &f->settings));
    start(f);
    run(f, client_users);
}

static void
client_local(struct fixture *f)
{
    struct client *c = client_open_path(f->settings.socket_path);
    client_request(c, "GET", BASE "networks", "", NULL);
    CHECK(f, client_receive(c, true) == 200);
    client_close(c);
}

static void
test_local_socket(void **state)
{
    struct fixture *f = *state;
    struct stat s;

    start(f);
    run(f, client_local);
    assert_int_equal(stat(f->settings.socket_path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0660);

    /* Somebody listens there already. */
    struct api_settings settings = f->settings;
    settings.ports[0] = 0;
    struct api *other = api_create(f->loop, f->model, NULL, &settings);
    struct err *err = api_start(other);
    assert_non_null(err);
    assert_non_null(strstr(err->text, f->settings.socket_path));
    err_destroy(err);
    api_destroy(other);
    run(f, client_local);

    /* Left by a daemon that was killed. */
    api_destroy(f->api);
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    snprintf(un.sun_path, sizeof un.sun_path, "%s", f->settings.socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &un, sizeof un), 0);
    close(fd);
    f->api = api_create(f->loop, f->model, NULL, &f->settings);
    start(f);
    run(f, client_local);
}

static void
client_events(struct fixture *f)
{
    struct client *listener = client_open(f->port);
    client_request(listener, "GET", "/weft/v1/events?kind=object", AUTH, NULL);
    CHECK(f, client_receive(listener, false) == 200);
    CHECK(f, strstr(listener->head, "text/event-stream"));
    CHECK(f, client_read_until(listener, "retry: "));

    struct client *c = client_open(f->port);
    CHECK(f, client_ask(c, "POST", BASE "networks", NET1) == 201);
    CHECK(f, client_read_until(listener, "\"op\":\"create\""));
    CHECK(f, client_ask(c, "DELETE", BASE "networks/" ID(1), NULL) == 204);
    CHECK(f, client_read_until(listener, "\"op\":\"delete\""));
    client_close(c);
    client_close(listener);
}

static void
test_events(void **state)
{
    struct fixture *f = *state;
    start(f);
    run(f, client_events);
}

#define STREAM                                                                \
    "data-change-event-subscription/neutron:neutron/neutron:ports/"           \
    "datastore=OPERATIONAL/scope=SUBTREE/JSON"
#define HANDSHAKE                                                             \
    "Connection: Upgrade\r\nUpgrade: websocket\r\n"                           \
    "Sec-WebSocket-Version: 13\r\n"                                           \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

/* Reads until the buffer holds 'n' bytes. */
static bool
client_fill(struct client *c, size_t n)
{
    while (c->n < n) {
        ssize_t got = recv(c->fd, c->buf + c->n, sizeof c->buf - 1 - c->n, 0);
        if (got <= 0) {
            return false;
        }
        c->n += (size_t) got;
    }
    return true;
}

static void
client_websocket(struct fixture *f)
{
    struct client *c = client_open(f->port);
    client_request(c, "GET", "/restconf/streams/stream/" STREAM, AUTH, NULL);
    CHECK(f, client_receive(c, true) == 200);
    const char *location = strstr(c->head, "Location: ws://h/");
    CHECK(f, location);
    AUTO_TEXT *path = mem_text(location ? location + 16 : "/");
    path[strcspn(path, "\r")] = '\0';

    /* No password; the token in the path is enough. */
    AUTO_TEXT *upgrade =
        mem_textf("GET %s HTTP/1.1\r\nHost: h\r\n" HANDSHAKE "\r\n", path);
    client_send(c, upgrade);
    CHECK(f, client_receive(c, false) == 101);
    /* RFC 6455 section 1.3 gives this pair as its example. */
    CHECK(f, strstr(c->head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));

    /* A ping, masked with zeros, is answered. */
    static const uint8_t ping[] = { 0x89, 0x82, 0, 0, 0, 0, 'h', 'i' };
    CHECK(f, send(c->fd, ping, sizeof ping, 0) == sizeof ping);
    CHECK(f, client_fill(c, 4));
    CHECK(f, !memcmp(c->buf, "\x8a\x02hi", 4));
    client_consume(c, c->buf + 4);

    f->wants_status = true;
    CHECK(f, client_read_until(c, "\"content\":\"ACTIVE\""));
    CHECK(f, (uint8_t) c->buf[0] == 0x81);
    client_close(c);
}

static void
client_drained(struct fixture *f)
{
    struct client *c = client_open(f->port);
    client_request(c, "GET", "/restconf/streams/stream/" STREAM, AUTH, NULL);
    CHECK(f, client_receive(c, true) == 200);
    AUTO_TEXT *path = mem_text(strstr(c->head, "//h/") + 3);
    path[strcspn(path, "\r")] = '\0';
    AUTO_TEXT *upgrade =
        mem_textf("GET %s HTTP/1.1\r\nHost: h\r\n" HANDSHAKE "\r\n", path);
    client_send(c, upgrade);
    CHECK(f, client_receive(c, false) == 101);

    /* A parked write, then the order to stop. */
    struct client *writer = client_open(f->port);
    client_request(writer, "POST", BASE "networks", AUTH, NET1);
    client_request(writer, "GET", BASE "networks", AUTH, NULL);
    while (!ovs_list_size(&f->store.parked)) {
        sched_yield();
    }
    f->done = true;
    CHECK(f, client_receive(writer, true) == 201);
    CHECK(f, client_fill(c, 2));
    CHECK(f, (uint8_t) c->buf[0] == 0x88);
    client_close(writer);
    client_close(c);
}

static void *
drained_main(void *f_)
{
    client_drained(f_);
    return NULL;
}

static void
test_websocket(void **state)
{
    struct fixture *f = *state;
    start(f);
    run(f, client_websocket);
}

static void
test_drain(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;

    start(f);
    f->store.delay_us = 100000;
    assert_int_equal(pthread_create(&thread, NULL, drained_main, f), 0);
    while (!f->done) {
        loop_run_once(f->loop, 5);
    }
    api_drain(f->api);
    assert_false(api_is_idle(f->api));
    assert_null(client_open(f->port));
    while (!api_is_idle(f->api)) {
        loop_run_once(f->loop, 5);
    }
    pthread_join(thread, NULL);
    assert_int_equal(f->failures, 0);
}

static void
client_leaves(struct fixture *f)
{
    for (int i = 0; i < 20; i++) {
        struct client *c = client_open(f->port);
        client_request(c, i % 2 ? "POST" : "GET",
                       i % 2 ? BASE "networks" : "/weft/v1/events", AUTH,
                       i % 2 ? NET1 : NULL);
        if (i % 4 == 0) {
            /* By then the server has seen the request. */
            struct client *other = client_open(f->port);
            CHECK(f, client_ask(other, "GET", BASE "networks", NULL) == 200);
            client_close(other);
        }
        client_close(c);
    }
    struct client *c = client_open(f->port);
    CHECK(f, client_ask(c, "GET", BASE "networks", NULL) == 200);
    client_close(c);
}

/* Clients go away in the middle, then the server does. */
static void
test_leave(void **state)
{
    struct fixture *f = *state;
    start(f);
    run(f, client_leaves);
    f->store.delay_us = 60000000;
    struct client *c = client_open(f->port);
    client_request(c, "POST", BASE "networks", AUTH, NET1);
    struct client *listener = client_open(f->port);
    client_request(listener, "GET", "/weft/v1/events", AUTH, NULL);
    for (int i = 0; i < 20; i++) {
        loop_run_once(f->loop, 5);
    }
    slow_store_run(&f->store); /* Leaves the answers unsent. */
    client_request(c, "POST", BASE "networks", AUTH, NET1);
    for (int i = 0; i < 20; i++) {
        loop_run_once(f->loop, 5);
    }
    api_destroy(f->api);
    slow_store_run(&f->store); /* For requests nobody waits for. */
    client_close(c);
    client_close(listener);
    f->api = api_create(f->loop, f->model, NULL, &f->settings);
}

static uint16_t second_port;

static void
client_second(struct fixture *f)
{
    struct client *c = client_open(second_port);
    CHECK(f, c);
    if (c) {
        CHECK(f, client_ask(c, "GET", BASE "networks", NULL) == 200);
    }
    client_close(c);
}

static void
client_first(struct fixture *f)
{
    struct client *c = client_open(f->port);
    CHECK(f, c && client_ask(c, "GET", BASE "networks", NULL) == 200);
    client_close(c);
}

static void
test_reload(void **state)
{
    struct fixture *f = *state;
    struct api_settings settings = f->settings;

    start(f);
    run(f, client_first);
    second_port = free_port();
    settings.ports[1] = second_port;
    assert_null(api_reload(f->api, &settings));
    run(f, client_first);
    run(f, client_second);
    settings.ports[0] = second_port;
    settings.ports[1] = 0;
    assert_null(api_reload(f->api, &settings));
    run(f, client_second);
    assert_null(client_open(f->port));

    settings.tls_key = "/nonexistent";
    settings.tls_certificate = "/nonexistent";
    struct err *err = api_reload(f->api, &settings);
    assert_non_null(err);
    err_destroy(err);
    run(f, client_second);
}

/* TLS. */

/* Forgets what was read, then reads until 'mark' is there. */
static bool
tls_read_until(struct client *c, SSL *ssl, const char *mark)
{
    c->n = 0;
    for (;;) {
        int n = SSL_read(ssl, c->buf + c->n, 1000);
        if (n <= 0 || c->n > 100000) {
            return false;
        }
        c->n += (size_t) n;
        c->buf[c->n] = '\0';
        if (memmem(c->buf, c->n, mark, strlen(mark))) {
            return true;
        }
    }
}

static void
client_tls(struct fixture *f)
{
    struct client *c = client_open(f->port);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, c->fd);
    CHECK(f, SSL_connect(ssl) == 1);

    AUTO_TEXT *text =
        mem_textf("POST " BASE "networks HTTP/1.1\r\nHost: h\r\n" AUTH
                  "Content-Length: %zu\r\n\r\n" NET1,
                  strlen(NET1));
    CHECK(f, SSL_write(ssl, text, (int) strlen(text)) > 0);
    CHECK(f, tls_read_until(c, ssl, "}}"));
    CHECK(f, strstr(c->buf, "HTTP/1.1 201"));
    CHECK(f, strstr(c->buf, "; Secure"));

    AUTO_TEXT *find = mem_textf("GET /restconf/streams/stream/" STREAM
                                " HTTP/1.1\r\nHost: h\r\n" AUTH "\r\n");
    CHECK(f, SSL_write(ssl, find, (int) strlen(find)) > 0);
    CHECK(f, tls_read_until(c, ssl, "\"}"));
    const char *location = strstr(c->buf, "wss://h/");
    CHECK(f, location);
    AUTO_TEXT *path = mem_text(location ? location + 7 : "/");
    path[strcspn(path, "\r\"")] = '\0';
    AUTO_TEXT *upgrade =
        mem_textf("GET %s HTTP/1.1\r\nHost: h\r\n" HANDSHAKE "\r\n", path);
    CHECK(f, SSL_write(ssl, upgrade, (int) strlen(upgrade)) > 0);
    CHECK(f, tls_read_until(c, ssl, "\r\n\r\n"));
    CHECK(f, strstr(c->buf, "HTTP/1.1 101"));
    f->wants_status = true;
    CHECK(f, tls_read_until(c, ssl, "ACTIVE"));
    SSL_free(ssl);
    SSL_CTX_free(context);
    client_close(c);
}

static void
test_tls(void **state)
{
    struct fixture *f = *state;
    AUTO_TEXT *command = mem_textf(
        "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem "
        "-out cert.pem -subj /CN=h -days 2 2>/dev/null",
        f->dir);
    assert_int_equal(system(command), 0);
    f->settings.tls_key = mem_textf("%s/key.pem", f->dir);
    f->settings.tls_certificate = mem_textf("%s/cert.pem", f->dir);
    assert_null(api_reload(f->api, &f->settings));
    start(f);
    run(f, client_tls);

    /* A wrong pair is refused and changes nothing. */
    struct api_settings settings = f->settings;
    settings.tls_certificate = settings.tls_key;
    struct err *err = api_reload(f->api, &settings);
    assert_non_null(err);
    err_destroy(err);
    run(f, client_tls);
}

#define TEST(NAME)                                                            \
    cmocka_unit_test_setup_teardown(test_##NAME, setup, teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(verbs),        TEST(parallel), TEST(limits),    TEST(users),
        TEST(local_socket), TEST(events),   TEST(websocket), TEST(drain),
        TEST(leave),        TEST(reload),   TEST(tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
