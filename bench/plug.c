/* SPDX-License-Identifier: Apache-2.0 */

/* Plug to wired on one host with a real ovs-vswitchd, against the bare probe.
 *
 * usage: bench-plug API-PORT OVSDB-PORT PROBE-PORT N
 *
 * OVSDB-PORT is the host's ovsdb-server.  PROBE-PORT is where its bridge
 * br-probe, which is none of weftd's, listens for OpenFlow.  N times, one
 * after the other:
 *
 *     probe   insert an interface into br-probe, wait for its ofport, send as
 *             many flow_mods as a plug takes and a barrier, wait for the reply
 *     plug    insert an interface with the iface-id of a port that exists
 *             into br-int, wait for the event that the port is ACTIVE
 *     change  create a port whose interface is plugged already, wait for the
 *             event that it is ACTIVE
 *     answer  the part of 'change' until the request is answered
 *
 * The probe is what nobody could do without: the difference is our cost. */

#include "bench.h"

#include <openflow/openflow.h>
#include <stdio.h>

#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-util.h"

#define BASE       "/controller/nb/v2/neutron/"
#define NETWORK_ID "00000000-0000-4000-8001-0000000000cc"

struct bench {
    struct loop *loop;
    struct http_client *client, *events;
    struct channel *ovsdb, *openflow;
    struct json_parser *parser;
    uint64_t n_replies;     /* Of transactions. */
    char *waited_interface; /* Seen with an ofport: then null. */
    char *waited_port;      /* Event of this port and status: then null. */
    const char *waited_status;
    bool has_hello, has_barrier;
    int n_flows; /* What a plug adds to br-int. */
};

/* OVSDB. */

static void
see_updates(struct bench *bench, const struct json *interfaces)
{
    struct shash_node *node;
    SHASH_FOR_EACH (node, json_object(interfaces)) {
        const struct json *row = jget(node->data, "new");
        const char *name = row ? jget_text(row, "name") : NULL;
        int64_t ofport;
        if (name && bench->waited_interface
            && !strcmp(name, bench->waited_interface)
            && jget_int(row, "ofport", &ofport) && ofport > 0) {
            free(STEAL(bench->waited_interface));
        }
    }
}

static void
take_message(struct bench *bench, const struct json *message)
{
    const char *method = jget_text(message, "method");
    const struct json *params = jget(message, "params");
    if (method && !strcmp(method, "echo")) {
        struct json *reply = json_object_create();
        AUTO(json) *owned = reply;
        json_object_put(reply, "id", json_clone(jget(message, "id")));
        json_object_put(reply, "result", json_clone(params));
        json_object_put(reply, "error", json_null_create());
        AUTO_TEXT *text = json_to_string(owned, 0);
        channel_write(bench->ovsdb, text, strlen(text));
    } else if (method && !strcmp(method, "update")) {
        const struct json *table = jget(params->array.elems[1], "Interface");
        if (table) {
            see_updates(bench, table);
        }
    } else {
        AUTO_TEXT *text = json_to_string(message, 0);
        if (strstr(text, "\"details\"")) {
            bench_fail("OVSDB: %s", text);
        }
        bench->n_replies++;
    }
}

static void
ovsdb_readable(struct channel *channel, void *bench_)
{
    struct bench *bench = bench_;
    size_t size;
    const char *data;
    while (data = (const char *) channel_peek(channel, &size), size) {
        if (!bench->parser) {
            bench->parser = json_parser_create(0);
        }
        channel_consume(channel, json_parser_feed(bench->parser, data, size));
        if (json_parser_is_done(bench->parser)) {
            AUTO(json) *message = json_parser_finish(STEAL(bench->parser));
            take_message(bench, message);
        }
    }
}

static void
peer_closed(struct channel *channel, const char *reason,
            void *bench OVS_UNUSED)
{
    bench_fail("%s closed: %s", channel_peer(channel), reason);
}

static bool
has_reply(void *bench_)
{
    const struct bench *bench = bench_;
    return bench->n_replies > 0;
}

static void
ovsdb_call(struct bench *bench, const char *method, const char *params)
{
    AUTO_TEXT *text = mem_textf("{\"id\":1,\"method\":\"%s\",\"params\":%s}",
                                method, params);
    bench->n_replies = 0;
    channel_write(bench->ovsdb, text, strlen(text));
}

static void
ovsdb_call_and_wait(struct bench *bench, const char *method,
                    const char *params)
{
    ovsdb_call(bench, method, params);
    bench_wait(bench->loop, has_reply, bench, 10, "OVSDB reply");
}

/* Sends the insertion of an interface and returns at once. */
static void
insert_port(struct bench *bench, const char *bridge, const char *name,
            const char *iface_id)
{
    AUTO_TEXT *params = mem_textf(
        "[\"Open_vSwitch\","
        "{\"op\":\"insert\",\"table\":\"Interface\",\"uuid-name\":\"i\","
        "\"row\":{\"name\":\"%s\",\"external_ids\":[\"map\","
        "[[\"%s\",\"%s\"]]]}},"
        "{\"op\":\"insert\",\"table\":\"Port\",\"uuid-name\":\"p\","
        "\"row\":{\"name\":\"%s\",\"interfaces\":[\"named-uuid\",\"i\"]}},"
        "{\"op\":\"mutate\",\"table\":\"Bridge\","
        "\"where\":[[\"name\",\"==\",\"%s\"]],\"mutations\":"
        "[[\"ports\",\"insert\",[\"named-uuid\",\"p\"]]]},"
        "{\"op\":\"mutate\",\"table\":\"Open_vSwitch\",\"where\":[],"
        "\"mutations\":[[\"next_cfg\",\"+=\",1]]}]",
        name, iface_id ? "iface-id" : "probe", iface_id ? iface_id : "yes",
        name, bridge);
    ovsdb_call(bench, "transact", params);
}

/* The UUID of a port row, as ["uuid", "..."] in text. */
static char *
find_port(const char *name)
{
    AUTO_TEXT *command =
        mem_textf("ovs-vsctl --no-wait --bare get port %s _uuid", name);
    char uuid[64] = "";
    FILE *file = popen(command, "r");
    if (!file || !fgets(uuid, sizeof uuid, file)) {
        bench_fail("%s failed", command);
    }
    pclose(file);
    uuid[strcspn(uuid, "\n")] = '\0';
    return mem_textf("[\"uuid\",\"%s\"]", uuid);
}

static void
delete_port(struct bench *bench, const char *bridge, const char *name)
{
    AUTO_TEXT *uuid = find_port(name);
    AUTO_TEXT *params =
        mem_textf("[\"Open_vSwitch\",{\"op\":\"mutate\",\"table\":\"Bridge\","
                  "\"where\":[[\"name\",\"==\",\"%s\"]],\"mutations\":"
                  "[[\"ports\",\"delete\",%s]]},"
                  "{\"op\":\"mutate\",\"table\":\"Open_vSwitch\",\"where\":[],"
                  "\"mutations\":[[\"next_cfg\",\"+=\",1]]}]",
                  bridge, uuid);
    ovsdb_call_and_wait(bench, "transact", params);
}

static bool
interface_is_seen(void *bench_)
{
    const struct bench *bench = bench_;
    return !bench->waited_interface;
}

/* OpenFlow to br-probe. */

static void
openflow_readable(struct channel *channel, void *bench_)
{
    struct bench *bench = bench_;
    for (;;) {
        size_t size;
        const uint8_t *data = channel_peek(channel, &size);
        if (size < 8 || size < (size_t) (data[2] << 8 | data[3])) {
            return;
        }
        size_t length = data[2] << 8 | data[3];
        struct ofp_header *oh = mem_clone(data, length);
        enum ofptype type;
        if (ofptype_decode(&type, oh) || type == OFPTYPE_ERROR) {
            bench_fail("OpenFlow error in the probe");
        }
        bench->has_hello |= type == OFPTYPE_HELLO;
        bench->has_barrier |= type == OFPTYPE_BARRIER_REPLY;
        free(oh);
        channel_consume(channel, length);
    }
}

static bool
has_hello(void *bench_)
{
    const struct bench *bench = bench_;
    return bench->has_hello;
}

static bool
has_barrier(void *bench_)
{
    const struct bench *bench = bench_;
    return bench->has_barrier;
}

static void
send_openflow(struct bench *bench, struct ofpbuf *msg)
{
    ofpmsg_update_length(msg);
    channel_write(bench->openflow, msg->data, msg->size);
    ofpbuf_delete(msg);
}

static void
send_flow(struct bench *bench, uint32_t n)
{
    struct match match;
    struct ofpbuf ofpacts;
    match_init_catchall(&match);
    match_set_reg(&match, 1, n);
    match_set_dl_type(&match, htons(0x0800));
    ofpbuf_init(&ofpacts, 64);
    ofpact_put_RESUBMIT(&ofpacts)->table_id = 20;
    struct ofputil_flow_mod fm = {
        .priority = 100,
        .table_id = 10,
        .command = OFPFC_ADD,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .ofpacts = ofpacts.data,
        .ofpacts_len = ofpacts.size,
    };
    minimatch_init(&fm.match, &match);
    send_openflow(bench, ofputil_encode_flow_mod(&fm, OFPUTIL_P_OF15_OXM));
    minimatch_destroy(&fm.match);
    ofpbuf_uninit(&ofpacts);
}

static void
send_flows_and_wait(struct bench *bench, uint32_t first)
{
    bench->has_barrier = false;
    for (int i = 0; i < bench->n_flows; i++) {
        send_flow(bench, first * 1000 + i);
    }
    send_openflow(bench, ofputil_encode_barrier_request(OFP15_VERSION));
    bench_wait(bench->loop, has_barrier, bench, 10, "barrier reply");
}

/* Events of weftd. */

static void
event_line(const char *line, void *bench_)
{
    struct bench *bench = bench_;
    if (bench->waited_port && strstr(line, bench->waited_port)
        && strstr(line, bench->waited_status)) {
        free(STEAL(bench->waited_port));
    }
}

static bool
event_is_seen(void *bench_)
{
    const struct bench *bench = bench_;
    return !bench->waited_port;
}

static void
expect_event(struct bench *bench, const char *port, const char *status)
{
    bench->waited_port = mem_text(port);
    bench->waited_status = status;
}

static void
wait_event(struct bench *bench)
{
    bench_wait(bench->loop, event_is_seen, bench, 10, "port status event");
}

/* Northbound. */

static void
post(struct bench *bench, const char *collection, const char *body)
{
    AUTO_TEXT *path = mem_textf(BASE "%s", collection);
    int status = http_client_ask(bench->client, "POST", path, body, NULL);
    if (status != 201) {
        bench_fail("%s: answered %d", path, status);
    }
}

static char *
port_id(int n)
{
    return mem_textf("00000000-0000-4000-8003-%012x", n);
}

static void
post_port(struct bench *bench, int n, const char *id)
{
    AUTO_TEXT *body = mem_textf(
        "{\"port\":{\"id\":\"%s\",\"name\":\"vm-%d\",\"tenant_id\":\"t\","
        "\"network_id\":\"" NETWORK_ID "\","
        "\"mac_address\":\"fa:16:3e:00:%02x:%02x\",\"admin_state_up\":true,"
        "\"device_owner\":\"compute:nova\",\"fixed_ips\":[{\"subnet_id\":"
        "\"00000000-0000-4000-8002-0000000000cc\",\"ip_address\":"
        "\"10.0.%d.%d\"}],\"security_groups\":[],"
        "\"binding:host_id\":\"bench\"}}",
        id, n, n >> 8 & 0xff, n & 0xff, n >> 8 & 0xff, n & 0xff);
    post(bench, "ports", body);
}

static void
delete_neutron_port(struct bench *bench, const char *id)
{
    AUTO_TEXT *path = mem_textf(BASE "ports/%s", id);
    int status = http_client_ask(bench->client, "DELETE", path, NULL, NULL);
    if (status != 204) {
        bench_fail("%s: answered %d", path, status);
    }
}

static int
count_flows(void)
{
    FILE *file = popen("ovs-ofctl -O OpenFlow15 dump-flows br-int "
                       "--no-stats | wc -l",
                       "r");
    int n = 0;
    if (!file || fscanf(file, "%d", &n) != 1) {
        bench_fail("cannot count the flows of br-int");
    }
    pclose(file);
    return n;
}

/* Measuring. */

struct series {
    struct samples ofport, probe, plug, change, answer;
};

static double
since(const struct bench *bench, uint64_t start)
{
    return (loop_now(bench->loop) - start) / 1e3;
}

static void
measure_probe(struct bench *bench, int i, struct series *series)
{
    AUTO_TEXT *name = mem_textf("probe%d", i);
    bench->waited_interface = mem_text(name);
    uint64_t start = loop_now(bench->loop);
    insert_port(bench, "br-probe", name, NULL);
    bench_wait(bench->loop, interface_is_seen, bench, 10, "ofport");
    samples_add(&series->ofport, since(bench, start));
    send_flows_and_wait(bench, i);
    samples_add(&series->probe, since(bench, start));
    delete_port(bench, "br-probe", name);
}

static void
measure_plug(struct bench *bench, int i, struct series *series)
{
    AUTO_TEXT *name = mem_textf("tap%d", i);
    AUTO_TEXT *id = port_id(i);
    post_port(bench, i, id);
    bench_sleep(bench->loop, 20000);
    int n_before = i ? 0 : count_flows();
    expect_event(bench, id, "ACTIVE");
    uint64_t start = loop_now(bench->loop);
    insert_port(bench, "br-int", name, id);
    wait_event(bench);
    if (i) {
        samples_add(&series->plug, since(bench, start));
    } else { /* The first tells how many flows it takes. */
        bench->n_flows = count_flows() - n_before;
    }
    expect_event(bench, id, "DOWN");
    delete_port(bench, "br-int", name);
    wait_event(bench);
    delete_neutron_port(bench, id);
}

static void
measure_change(struct bench *bench, int i, struct series *series)
{
    AUTO_TEXT *name = mem_textf("change%d", i);
    AUTO_TEXT *id = port_id(i + 0x8000);
    bench->waited_interface = mem_text(name);
    insert_port(bench, "br-int", name, id);
    bench_wait(bench->loop, interface_is_seen, bench, 10, "ofport");
    bench_sleep(bench->loop, 20000);
    expect_event(bench, id, "ACTIVE");
    uint64_t start = loop_now(bench->loop);
    post_port(bench, i, id);
    samples_add(&series->answer, since(bench, start));
    wait_event(bench);
    samples_add(&series->change, since(bench, start));
    delete_neutron_port(bench, id);
    delete_port(bench, "br-int", name);
    bench_sleep(bench->loop, 20000);
}

static void
connect_all(struct bench *bench, int64_t api, int64_t ovsdb, int64_t probe)
{
    static const struct channel_events ovsdb_events = {
        .readable = ovsdb_readable,
        .closed = peer_closed,
    };
    static const struct channel_events openflow_events = {
        .readable = openflow_readable,
        .closed = peer_closed,
    };
    bench->client = http_client_create(bench->loop, api);
    bench->events = http_client_create(bench->loop, api);
    http_client_stream(bench->events, "/weft/v1/events", event_line, bench);
    bench->ovsdb = channel_dial(bench->loop, "127.0.0.1", ovsdb, NULL,
                                &ovsdb_events, bench);
    bench->openflow = channel_dial(bench->loop, "127.0.0.1", probe, NULL,
                                   &openflow_events, bench);
    ovsdb_call_and_wait(bench, "monitor",
                        "[\"Open_vSwitch\",null,{\"Interface\":{\"columns\":"
                        "[\"name\",\"ofport\"]}}]");
    send_openflow(bench, ofputil_encode_hello(1u << OFP15_VERSION));
    bench_wait(bench->loop, has_hello, bench, 10, "hello of br-probe");
}

static void
make_network(struct bench *bench)
{
    post(bench, "networks",
         "{\"network\":{\"id\":\"" NETWORK_ID "\",\"name\":\"plug\","
         "\"tenant_id\":\"t\",\"provider:network_type\":\"vxlan\","
         "\"provider:segmentation_id\":77,\"admin_state_up\":true}}");
    post(bench, "subnets",
         "{\"subnet\":{\"id\":\"00000000-0000-4000-8002-0000000000cc\","
         "\"tenant_id\":\"t\",\"network_id\":\"" NETWORK_ID "\","
         "\"ip_version\":4,\"cidr\":\"10.0.0.0/16\","
         "\"gateway_ip\":\"10.0.255.1\"}}");
}

static void
print_series(struct series *series, int n_flows)
{
    struct json *result = json_object_create();
    AUTO(json) *owned = result;
    samples_put(&series->ofport, result, "probe_ofport");
    samples_put(&series->probe, result, "probe");
    samples_put(&series->plug, result, "plug_to_wired");
    samples_put(&series->change, result, "change_to_wired");
    samples_put(&series->answer, result, "change_answer");
    json_object_put(result, "plug_flows", json_integer_create(n_flows));
    AUTO_TEXT *text = json_to_string(owned, 0);
    puts(text);
}

static void
bench_close(struct bench *bench)
{
    http_client_destroy(bench->client);
    http_client_destroy(bench->events);
    channel_destroy(bench->ovsdb);
    channel_destroy(bench->openflow);
    if (bench->parser) {
        json_parser_abort(bench->parser);
    }
    loop_destroy(bench->loop);
}

int
main(int argc, char **argv)
{
    int64_t api, ovsdb, probe, n;
    if (argc != 5 || !text_to_int(argv[1], 1, 65535, &api)
        || !text_to_int(argv[2], 1, 65535, &ovsdb)
        || !text_to_int(argv[3], 1, 65535, &probe)
        || !text_to_int(argv[4], 1, 10000, &n)) {
        bench_fail("usage: bench-plug API-PORT OVSDB-PORT PROBE-PORT N");
    }
    struct bench bench = { .loop = loop_create() };
    struct series series = { .ofport = { 0 } };
    connect_all(&bench, api, ovsdb, probe);
    make_network(&bench);
    bench_sleep(bench.loop, 500000);
    for (int i = 0; i <= n; i++) {
        measure_plug(&bench, i, &series);
        if (i) {
            measure_probe(&bench, i, &series);
            measure_change(&bench, i, &series);
        }
    }
    print_series(&series, bench.n_flows);
    samples_uninit(&series.ofport);
    samples_uninit(&series.probe);
    samples_uninit(&series.plug);
    samples_uninit(&series.change);
    samples_uninit(&series.answer);
    bench_close(&bench);
    return 0;
}
