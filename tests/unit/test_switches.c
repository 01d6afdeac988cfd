/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of the switch sessions against peers made by hand: what a broken,
 * slow or hostile peer costs, and what a well-behaved one gets. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "openflow/openflow.h"
#include "openvswitch/vlog.h"
#include "switches/switches.h"

/* Types of messages, OpenFlow 1.3.5, section 7.1. */
enum {
    OFPT_HELLO = 0,
    OFPT_ECHO_REQUEST = 2,
    OFPT_ECHO_REPLY = 3,
    OFPT_FEATURES_REQUEST = 5,
    OFPT_FEATURES_REPLY = 6,
    OFPT_MULTIPART_REQUEST = 18,
    OFPT_MULTIPART_REPLY = 19,
    OFPT_BARRIER_REQUEST = 20,
    OFPT_BARRIER_REPLY = 21,
};

enum { PROBE_MS = 100, DEADLINE_MS = 20 * 1000 };

struct world {
    struct loop *loop;
    struct scopes *scopes;
    struct switches *switches;
    unsigned int n_facts, n_up, n_down;
    struct json *answer;
};

struct peer {
    struct world *world;
    struct channel *channel;
    bool is_closed;
    bool reads; /* Else input is left where it is. */
    struct ds input;
    void (*take)(struct peer *);
};

/* The owner. */

static void
on_facts(const struct switch_facts *facts,
         const struct switch_plug *plugs OVS_UNUSED, size_t n_plugs OVS_UNUSED,
         void *world_)
{
    struct world *world = world_;

    world->n_facts++;
    scopes_want(world->scopes, &facts->host, scope_all());
}

static void
on_plugged(const struct uuid *host OVS_UNUSED,
           const struct switch_plug *plug OVS_UNUSED, void *world OVS_UNUSED)
{
}

static void
on_unplugged(const struct uuid *host OVS_UNUSED,
             const struct uuid *endpoint OVS_UNUSED, void *world OVS_UNUSED)
{
}

static void
on_acknowledged(const struct uuid *host OVS_UNUSED,
                uint64_t sequence OVS_UNUSED, void *world OVS_UNUSED)
{
}

static void
on_connected(const struct uuid *host OVS_UNUSED, bool up,
             const char *reason OVS_UNUSED, void *world_)
{
    struct world *world = world_;

    *(up ? &world->n_up : &world->n_down) += 1;
}

static void
on_packet(const struct uuid *host OVS_UNUSED, uint32_t in_port OVS_UNUSED,
          uint32_t reason OVS_UNUSED, const void *frame OVS_UNUSED,
          size_t size OVS_UNUSED, void *world OVS_UNUSED)
{
}

static const struct switches_events owner = {
    .facts = on_facts,
    .plugged = on_plugged,
    .unplugged = on_unplugged,
    .acknowledged = on_acknowledged,
    .connected = on_connected,
    .packet = on_packet,
};

static void
accept_nothing(struct channel *channel, void *aux OVS_UNUSED)
{
    channel_destroy(channel);
}

static uint16_t
free_port(struct loop *loop)
{
    struct listener *listener;
    struct err *err = listener_create(loop, "127.0.0.1", 0, NULL,
                                      accept_nothing, NULL, &listener);
    assert_null(err);
    uint16_t port = listener_port(listener);
    listener_destroy(listener);
    return port;
}

static int
setup(void **state)
{
    struct world *world = NEW(struct world);

    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    world->loop = loop_create();
    world->scopes = scopes_create();
    /* A port that is free may be taken before it is listened on. */
    for (int i = 0; i < 20 && !world->switches; i++) {
        struct switches_settings settings = {
            .listen_address = "127.0.0.1",
            .ovsdb_port = free_port(world->loop),
            .openflow_ports = { free_port(world->loop), 0 },
            .bridge = "br-int",
            .max_sessions = 8,
            .probe_ms = PROBE_MS,
        };
        world->switches = switches_create(world->loop, world->scopes,
                                          &settings, &owner, world);
        AUTO(err) *err = switches_start(world->switches);
        if (err) {
            switches_destroy(STEAL(world->switches));
        }
    }
    assert_non_null(world->switches);
    *state = world;
    return 0;
}

static int
teardown(void **state)
{
    struct world *world = *state;

    switches_destroy(world->switches);
    scopes_destroy(world->scopes);
    loop_destroy(world->loop);
    json_destroy(world->answer);
    free(world);
    return 0;
}

/* Peers. */

static void
peer_readable(struct channel *channel, void *peer_)
{
    struct peer *peer = peer_;
    size_t size;

    if (!peer->reads) {
        return;
    }
    const uint8_t *bytes = channel_peek(channel, &size);
    for (size_t i = 0; i < size; i++) {
        ds_put_char(&peer->input, bytes[i]);
    }
    channel_consume(channel, size);
    if (peer->take) {
        peer->take(peer);
    }
}

static void
peer_event(struct channel *channel OVS_UNUSED, void *peer OVS_UNUSED)
{
}

static void
peer_closed(struct channel *channel OVS_UNUSED, const char *reason OVS_UNUSED,
            void *peer_)
{
    struct peer *peer = peer_;

    peer->is_closed = true;
}

static const struct channel_events peer_events = {
    .readable = peer_readable,
    .drained = peer_event,
    .connected = peer_event,
    .closed = peer_closed,
};

static void
peer_dial(struct peer *peer, struct world *world, uint16_t port)
{
    *peer = (struct peer){
        .world = world,
        .reads = true,
        .input = DS_EMPTY_INITIALIZER,
    };
    peer->channel =
        channel_dial(world->loop, "127.0.0.1", port, NULL, &peer_events, peer);
}

static void
peer_hang_up(struct peer *peer)
{
    channel_destroy(peer->channel);
    ds_destroy(&peer->input);
}

static void
say(struct peer *peer, const char *text)
{
    channel_write(peer->channel, text, strlen(text));
}

/* Runs until '*flag'. */
static void
run_until(struct world *world, const bool *flag)
{
    uint64_t end = loop_now(world->loop) + DEADLINE_MS * UINT64_C(1000);

    while (!*flag && loop_now(world->loop) < end) {
        loop_run_once(world->loop, 10);
    }
    assert_true(*flag);
}

static void
run_for(struct world *world, uint64_t ms)
{
    uint64_t end = loop_now(world->loop) + ms * 1000;

    while (loop_now(world->loop) < end) {
        loop_run_once(world->loop, 10);
    }
}

static size_t
n_sessions(struct world *world)
{
    AUTO(json) *status = switches_status(world->switches);

    return json_array(status)->n;
}

static void
expect_refused(struct world *world, uint16_t port, const void *bytes,
               size_t size)
{
    struct peer peer;

    peer_dial(&peer, world, port);
    channel_write(peer.channel, bytes, size);
    run_until(world, &peer.is_closed);
    peer_hang_up(&peer);
}

/* Databases. */

static void
test_database_garbage(void **state)
{
    struct world *world = *state;
    uint16_t port = switches_ovsdb_port(world->switches);
    static const char *const texts[] = {
        "GET / HTTP/1.0\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01", /* A TLS hello. */
        "{]",
        "{\"id\":}",
        "{\"method\":\"update\",\"params\":[],\"id\":null}",
        "{\"method\":\"update\",\"params\":[null,{}],\"id\":null}",
        "{\"id\":\"list\",\"result\":7,\"error\":null}",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        expect_refused(world, port, texts[i], strlen(texts[i]));
    }
}

static void
test_database_too_deep(void **state)
{
    struct world *world = *state;
    char text[1000];

    memset(text, '[', sizeof text);
    text[0] = '{';
    expect_refused(world, switches_ovsdb_port(world->switches), text,
                   sizeof text);
}

static void
test_database_too_large(void **state)
{
    struct world *world = *state;
    size_t size = 17 * 1024 * 1024;
    char *text = mem_alloc(size);

    /* One endless string, and too many values. */
    memset(text, 'x', size);
    memcpy(text, "{\"a\":\"", 6);
    expect_refused(world, switches_ovsdb_port(world->switches), text, size);
    memset(text, ',', size);
    memcpy(text, "{\"a\":[1", 7);
    expect_refused(world, switches_ovsdb_port(world->switches), text, size);
    free(text);
}

static void
test_database_silent(void **state)
{
    struct world *world = *state;
    struct peer peer;

    peer_dial(&peer, world, switches_ovsdb_port(world->switches));
    run_until(world, &peer.is_closed);
    /* It was asked twice. */
    assert_non_null(strstr(ds_cstr(&peer.input), "list_dbs"));
    assert_non_null(strstr(ds_cstr(&peer.input), "echo"));
    peer_hang_up(&peer);
}

/* Somebody who asks, and does not read the answers. */
static void
test_database_does_not_read(void **state)
{
    struct world *world = *state;
    struct peer peer;
    size_t size = 1024 * 1024;
    char *text = mem_alloc(size);

    memset(text, 'x', size);
    peer_dial(&peer, world, switches_ovsdb_port(world->switches));
    peer.reads = false;
    channel_limit_input(peer.channel, 1024);
    for (int i = 0; i < 64; i++) {
        say(&peer, "{\"method\":\"echo\",\"id\":1,\"params\":[\"");
        channel_write(peer.channel, text, size);
        say(&peer, "\"]}");
        run_for(world, 10);
    }
    /* It would not notice, so ask the other side. */
    for (int i = 0; i < 500 && n_sessions(world); i++) {
        run_for(world, 10);
    }
    assert_int_equal(n_sessions(world), 0);
    peer_hang_up(&peer);
    free(text);
}

/* Pieces of one byte each make a message all the same. */
static void
test_database_in_pieces(void **state)
{
    struct world *world = *state;
    static const char echo[] =
        " {\"method\": \"echo\", \"params\": [\"}{\\\"\"], \"id\": 5}\n";
    struct peer peer;
    bool found = false;

    peer_dial(&peer, world, switches_ovsdb_port(world->switches));
    for (size_t i = 0; i < strlen(echo); i++) {
        channel_write(peer.channel, &echo[i], 1);
        run_for(world, 1);
    }
    for (int i = 0; i < 100 && !found; i++) {
        run_for(world, 10);
        found = strstr(ds_cstr(&peer.input), "\"result\":[\"}{\\\"\"]");
    }
    assert_true(found);
    assert_false(peer.is_closed);
    peer_hang_up(&peer);
}

static void
test_too_many_sessions(void **state)
{
    struct world *world = *state;
    uint16_t port = switches_ovsdb_port(world->switches);
    struct peer peers[9];

    for (size_t i = 0; i < 9; i++) {
        peer_dial(&peers[i], world, port);
        run_for(world, 5);
    }
    run_until(world, &peers[8].is_closed);
    for (size_t i = 0; i < 9; i++) {
        peer_hang_up(&peers[i]);
    }
}

/* OpenFlow. */

static void
test_openflow_garbage(void **state)
{
    struct world *world = *state;
    uint16_t port = switches_openflow_port(world->switches);
    static const uint8_t http[] = "GET / HTTP/1.0\r\n\r\n";
    static const uint8_t shorter[] = { 4, 0, 0, 7, 0, 0, 0, 0 };
    static const uint8_t old[] = { 1, 0, 0, 8, 0, 0, 0, 1 };
    static const uint8_t unknown[] = { 9, 0, 0, 8, 0, 0, 0, 1 };
    static const uint8_t swapped[] = {
        4, 0, 0, 8, 0, 0, 0, 1, /* Hello, OpenFlow 1.3. */
        5, 2, 0, 8, 0, 0, 0, 2, /* Echo, OpenFlow 1.4. */
    };

    expect_refused(world, port, http, sizeof http);
    expect_refused(world, port, shorter, sizeof shorter);
    expect_refused(world, port, old, sizeof old);
    expect_refused(world, port, unknown, sizeof unknown);
    expect_refused(world, port, swapped, sizeof swapped);
}

static void
test_openflow_half_open(void **state)
{
    struct world *world = *state;
    static const uint8_t part[] = { 4, 0, 0xff, 0xff };

    expect_refused(world, switches_openflow_port(world->switches), part,
                   sizeof part);
    expect_refused(world, switches_openflow_port(world->switches), part, 0);
}

/* A switch made by hand: its database. */

static void
answer(struct peer *peer, const char *id, const char *result)
{
    AUTO_TEXT *text = mem_textf("{\"id\":\"%s\",\"error\":null,"
                                "\"result\":%s}",
                                id, result);
    say(peer, text);
}

static const char replica[] =
    "{\"Open_vSwitch\":{\"11111111-1111-1111-1111-111111111111\":{\"new\":{"
    "\"bridges\":[\"uuid\",\"22222222-2222-2222-2222-222222222222\"],"
    "\"external_ids\":[\"map\",[[\"system-id\",\"h1\"]]],"
    "\"other_config\":[\"map\",[]],"
    "\"datapath_types\":[\"set\",[\"netdev\",\"system\"]]}}},"
    "\"Bridge\":{\"22222222-2222-2222-2222-222222222222\":{\"new\":{"
    "\"name\":\"br-int\",\"datapath_id\":\"00000000000000aa\","
    "\"fail_mode\":\"secure\",\"protocols\":[\"set\",[\"OpenFlow13\"]],"
    "\"other_config\":[\"map\",[[\"disable-in-band\",\"true\"]]]}}}}";

static void
database_take(struct peer *peer)
{
    const char *text = ds_cstr(&peer->input);

    if (strstr(text, "list_dbs")) {
        answer(peer, "list", "[\"_Server\",\"Open_vSwitch\"]");
    }
    if (strstr(text, "\"monitor_cond\"")) {
        /* It is an old one. */
        say(peer, "{\"id\":\"monitor\",\"result\":null,"
                  "\"error\":\"unknown method\"}");
    } else if (strstr(text, "\"monitor\"")) {
        answer(peer, "monitor", replica);
    }
    if (strstr(text, "echo")) {
        answer(peer, "echo", "[]");
    }
    ds_clear(&peer->input);
}

/* Its bridge: OpenFlow 1.3, empty tables, which acknowledges everything. */

static void
send_body(struct peer *peer, uint8_t type, ovs_be32 xid, const void *body,
          size_t size)
{
    struct ofp_header header = {
        .version = OFP13_VERSION,
        .type = type,
        .length = htons(sizeof header + size),
        .xid = xid,
    };

    channel_write(peer->channel, &header, sizeof header);
    if (size) {
        channel_write(peer->channel, body, size);
    }
}

static void
bridge_answer(struct peer *peer, const struct ofp_header *oh,
              const uint8_t *body)
{
    static const uint8_t features[24] = { 0,    0, 0, 0, 0, 0,  0,
                                          0xaa, 0, 0, 0, 0, 254 };
    uint8_t multipart[8] = { 0 };

    switch (oh->type) {
    case OFPT_HELLO:
        send_body(peer, OFPT_HELLO, 0, NULL, 0);
        break;
    case OFPT_ECHO_REQUEST:
        send_body(peer, OFPT_ECHO_REPLY, oh->xid, NULL, 0);
        break;
    case OFPT_FEATURES_REQUEST:
        send_body(peer, OFPT_FEATURES_REPLY, oh->xid, features,
                  sizeof features);
        break;
    case OFPT_MULTIPART_REQUEST: /* There is nothing. */
        memcpy(multipart, body, 2);
        send_body(peer, OFPT_MULTIPART_REPLY, oh->xid, multipart,
                  sizeof multipart);
        break;
    case OFPT_BARRIER_REQUEST:
        send_body(peer, OFPT_BARRIER_REPLY, oh->xid, NULL, 0);
        break;
    default:
        break;
    }
}

static void
bridge_take(struct peer *peer)
{
    const uint8_t *bytes = (const uint8_t *) ds_cstr(&peer->input);
    size_t n = 0;

    while (peer->input.length - n >= sizeof(struct ofp_header)) {
        struct ofp_header header;
        memcpy(&header, bytes + n, sizeof header);
        size_t length = ntohs(header.length);
        if (peer->input.length - n < length) {
            break;
        }
        bridge_answer(peer, &header, bytes + n + sizeof header);
        n += length;
    }
    size_t left = peer->input.length - n;
    memmove(peer->input.string, peer->input.string + n, left);
    ds_truncate(&peer->input, left);
}

static void
hand_made_switch(struct world *world, struct peer *database,
                 struct peer *bridge)
{
    peer_dial(bridge, world, switches_openflow_port(world->switches));
    bridge->take = bridge_take;
    run_for(world, 20);
    peer_dial(database, world, switches_ovsdb_port(world->switches));
    database->take = database_take;
    for (int i = 0; i < 500 && !world->n_up; i++) {
        run_for(world, 10);
    }
    assert_int_equal(world->n_up, 1);
    assert_int_equal(world->n_facts, 1);
    scopes_publish(world->scopes);
    switches_ready(world->switches);
}

static void
add_rules(struct world *world, unsigned int first, unsigned int n,
          struct item **items)
{
    for (unsigned int i = 0; i < n; i++) {
        struct draft draft;

        draft_init_rule(&draft, scope_all(), T_LOCAL, 10);
        when_register(&draft, R_SEGMENT, first + i);
        then_goto(&draft, T_EGRESS);
        items[i] = scope_add(world->scopes, &draft, world);
        draft_uninit(&draft);
    }
    scopes_publish(world->scopes);
    switches_ready(world->switches);
}

static void
remove_rules(struct world *world, unsigned int n, struct item **items)
{
    for (unsigned int i = 0; i < n; i++) {
        scope_remove(world->scopes, items[i]);
    }
    scopes_publish(world->scopes);
}

static uint64_t
counter(struct world *world, const char *name)
{
    AUTO(json) *status = switches_status(world->switches);
    int64_t value = 0;

    assert_true(json_array(status)->n >= 1);
    assert_true(jget_int(jget(json_array(status)->elems[0], "counters"), name,
                         &value));
    return value;
}

static bool
is_acknowledged(struct world *world)
{
    struct uuid id = uid_from_name("host", "h1");

    return (switches_acknowledged(world->switches, &id)
            >= switches_sequence(world->switches));
}

static void
run_until_acknowledged(struct world *world)
{
    for (int i = 0; i < 2000 && !is_acknowledged(world); i++) {
        run_for(world, 10);
    }
    assert_true(is_acknowledged(world));
}

static void
test_hand_made(void **state)
{
    struct world *world = *state;
    struct peer database, bridge;
    struct item *items[10];

    hand_made_switch(world, &database, &bridge);
    run_until_acknowledged(world);
    assert_int_equal(counter(world, "flow_mods"), 0);
    assert_int_equal(counter(world, "resyncs"), 1);
    add_rules(world, 1, 10, items);
    assert_false(is_acknowledged(world));
    run_until_acknowledged(world);
    assert_int_equal(counter(world, "flow_mods"), 10);
    assert_int_equal(counter(world, "resyncs"), 1);
    /* Added and taken back before anybody saw it. */
    remove_rules(world, 10, items);
    add_rules(world, 1, 10, items);
    run_until_acknowledged(world);
    remove_rules(world, 10, items);
    peer_hang_up(&database);
    peer_hang_up(&bridge);
}

/* A bridge that stops reading: what it misses is not queued without bound,
 * and it is compared again when it reads. */
static void
test_slow_reader(void **state)
{
    enum { ROUNDS = 40, PER_ROUND = 5000 };
    struct world *world = *state;
    struct peer database, bridge;
    struct item **items = mem_zalloc(PER_ROUND * sizeof *items);

    hand_made_switch(world, &database, &bridge);
    run_until_acknowledged(world);
    bridge.reads = false;
    channel_limit_input(bridge.channel, 1024);
    for (unsigned int i = 0; i < ROUNDS; i++) {
        add_rules(world, 1 + i * PER_ROUND, PER_ROUND, items);
        remove_rules(world, PER_ROUND, items);
        /* It still answers as far as we can see. */
        send_body(&bridge, OFPT_ECHO_REPLY, 0, NULL, 0);
        loop_run_once(world->loop, 0);
        AUTO(json) *status = switches_status(world->switches);
        int64_t pending;
        assert_true(
            jget_int(json_array(status)->elems[0], "pending", &pending));
        assert_true(pending < 64 * 1024 + 50 * 1000 + 2 * PER_ROUND);
    }
    assert_false(bridge.is_closed);
    assert_true(counter(world, "flow_mods") < ROUNDS * PER_ROUND);

    bridge.reads = true;
    peer_readable(bridge.channel, &bridge);
    for (int i = 0; i < 2000 && counter(world, "resyncs") < 2; i++) {
        switches_ready(world->switches);
        run_for(world, 10);
    }
    assert_int_equal(counter(world, "resyncs"), 2);
    run_until_acknowledged(world);
    peer_hang_up(&database);
    peer_hang_up(&bridge);
    free(items);
}

/* A bridge that does nothing at all any more is closed, the rest stays. */
static void
test_dead_bridge(void **state)
{
    struct world *world = *state;
    struct peer database, bridge;

    hand_made_switch(world, &database, &bridge);
    run_until_acknowledged(world);
    bridge.reads = false;
    run_until(world, &bridge.is_closed);
    assert_int_equal(world->n_down, 1);
    assert_false(database.is_closed);
    peer_hang_up(&database);
    peer_hang_up(&bridge);
}

/* A second session of the same bridge waits, and takes over. */
static void
test_second_session(void **state)
{
    struct world *world = *state;
    struct peer database, bridge, second;

    hand_made_switch(world, &database, &bridge);
    run_until_acknowledged(world);
    peer_dial(&second, world, switches_openflow_port(world->switches));
    second.take = bridge_take;
    run_for(world, 3 * PROBE_MS);
    assert_false(bridge.is_closed);
    assert_false(second.is_closed);
    assert_int_equal(world->n_up, 1);

    peer_hang_up(&bridge);
    for (int i = 0; i < 500 && world->n_up < 2; i++) {
        run_for(world, 10);
    }
    assert_int_equal(world->n_up, 2);
    assert_int_equal(world->n_down, 1);
    peer_hang_up(&database);
    peer_hang_up(&second);
}

static void
take_answer(struct json *json, void *world_)
{
    struct world *world = world_;

    world->answer = json;
}

static void
test_check_of_a_switch_that_goes(void **state)
{
    struct world *world = *state;
    struct peer database, bridge;
    bool ok = true;

    hand_made_switch(world, &database, &bridge);
    run_until_acknowledged(world);
    bridge.reads = false;
    switches_check(world->switches, NULL, take_answer, world);
    assert_null(world->answer); /* Never from within the call. */
    peer_hang_up(&bridge);
    for (int i = 0; i < 500 && !world->answer; i++) {
        run_for(world, 10);
    }
    assert_non_null(world->answer);
    const struct json *hosts = jget(world->answer, "hosts");
    assert_int_equal(json_array(hosts)->n, 1);
    assert_true(jget_bool(json_array(hosts)->elems[0], "ok", &ok));
    assert_false(ok);
    assert_non_null(jget_text(json_array(hosts)->elems[0], "error"));
    peer_hang_up(&database);
}

static void
test_reload(void **state)
{
    struct world *world = *state;
    struct peer database, bridge;
    uint16_t ovsdb_port = free_port(world->loop);
    uint16_t openflow_port = free_port(world->loop);
    struct switches_settings settings = {
        .listen_address = "127.0.0.1",
        .ovsdb_port = ovsdb_port,
        .openflow_ports = { openflow_port, 0 },
        .bridge = "br-int",
        .max_sessions = 8,
        .probe_ms = PROBE_MS,
    };
    static const char *const bad[] = { "udp:10.0.0.1:6640" };

    hand_made_switch(world, &database, &bridge);
    assert_null(switches_reload(world->switches, &settings));
    assert_int_equal(switches_ovsdb_port(world->switches), ovsdb_port);
    assert_int_equal(switches_openflow_port(world->switches), openflow_port);
    run_until_acknowledged(world);
    assert_false(bridge.is_closed);

    settings.active = bad;
    settings.n_active = 1;
    struct err *err = switches_reload(world->switches, &settings);
    assert_non_null(err);
    err_destroy(err);
    assert_int_equal(switches_ovsdb_port(world->switches), ovsdb_port);
    peer_hang_up(&database);
    peer_hang_up(&bridge);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_database_garbage),
        TEST(test_database_too_deep),
        TEST(test_database_too_large),
        TEST(test_database_silent),
        TEST(test_database_does_not_read),
        TEST(test_database_in_pieces),
        TEST(test_too_many_sessions),
        TEST(test_openflow_garbage),
        TEST(test_openflow_half_open),
        TEST(test_hand_made),
        TEST(test_slow_reader),
        TEST(test_dead_bridge),
        TEST(test_second_session),
        TEST(test_check_of_a_switch_that_goes),
        TEST(test_reload),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
