/* SPDX-License-Identifier: Apache-2.0 */

/* A big cloud: memory per port, and one change in a small and in a big one.
 *
 * usage: bench-cloud API-PORT OVSDB-PORT WEFTD-PID
 *
 * 50 model switches dial the real daemon over loopback.  The shape is that of
 * tenants: networks of 50 ports, each network on 10 of the hosts.  First 8
 * networks (400 ports), then 500 (25 000); at each size a port is made and
 * plugged, again and again, and timed from the request until the last barrier
 * at any switch. */

#include "bench.h"

#include <errno.h>
#include <stdio.h>

#include "ovs.h"

#define BASE              "/controller/nb/v2/neutron/"
#define N_HOSTS           50
#define PORTS_PER_NETWORK 50
#define HOSTS_PER_NETWORK 10
#define SMALL_NETWORKS    8
#define BIG_NETWORKS      500
#define N_CHANGES         200
#define QUIET_US          15000

struct bench {
    struct loop *loop;
    struct http_client *client;
    struct ovs *hosts[N_HOSTS];
    pid_t daemon;
    unsigned int n_networks, n_extra;
    uint64_t answered_us;
};

/* A text field of /proc/PID/status in kB. */
static double
daemon_kb(const struct bench *bench, const char *field)
{
    AUTO_TEXT *path = mem_textf("/proc/%d/status", (int) bench->daemon);
    FILE *file = fopen(path, "r");
    char line[256];
    double kb = -1;
    if (!file) {
        bench_fail("%s: %s", path, strerror(errno));
    }
    while (fgets(line, sizeof line, file)) {
        if (!strncmp(line, field, strlen(field))) {
            kb = strtod(line + strlen(field) + 1, NULL);
        }
    }
    fclose(file);
    return kb;
}

static bool
all_connected(void *bench_)
{
    const struct bench *bench = bench_;
    for (int i = 0; i < N_HOSTS; i++) {
        if (!ovs_openflow_is_connected(bench->hosts[i])) {
            return false;
        }
    }
    return true;
}

static void
connect_hosts(struct bench *bench, uint16_t ovsdb_port)
{
    for (int i = 0; i < N_HOSTS; i++) {
        AUTO_TEXT *name = mem_textf("compute-%d", i);
        AUTO_TEXT *local_ip = mem_textf("10.99.0.%d", i + 1);
        bench->hosts[i] =
            ovs_create(bench->loop, &(struct ovs_settings){
                                        .name = name,
                                        .local_ip = local_ip,
                                        .manager_address = "127.0.0.1",
                                        .manager_port = ovsdb_port,
                                        .reconfigure_us = 1,
                                    });
    }
    bench_wait(bench->loop, all_connected, bench, 60, "switches connect");
    bench_sleep(bench->loop, 2000000);
}

struct work {
    uint64_t n, last_fenced_us;
};

static struct work
sum_work(const struct bench *bench)
{
    struct work work = { 0 };
    for (int i = 0; i < N_HOSTS; i++) {
        const struct ovs_counters *c = ovs_counters(bench->hosts[i]);
        work.n += c->n_flow_mods + c->n_group_mods + c->n_barriers
                  + c->n_database_changes;
        if (c->last_fenced_us > work.last_fenced_us) {
            work.last_fenced_us = c->last_fenced_us;
        }
    }
    return work;
}

/* Runs until switches hear nothing for 'quiet_us'. */
static void
settle(struct bench *bench, uint64_t quiet_us)
{
    struct work before = sum_work(bench);
    for (;;) {
        bench_sleep(bench->loop, quiet_us);
        struct work after = sum_work(bench);
        if (after.n == before.n) {
            return;
        }
        before = after;
    }
}

static int
host_of(unsigned int network, unsigned int index)
{
    return (network * 7 + index % HOSTS_PER_NETWORK) % N_HOSTS;
}

static void
post(struct bench *bench, const char *collection, const char *body)
{
    AUTO_TEXT *path = mem_textf(BASE "%s", collection);
    char *answer = NULL;
    int status = http_client_ask(bench->client, "POST", path, body, &answer);
    AUTO_TEXT *owned = answer;
    if (status != 201) {
        bench_fail("%s: answered %d: %s", collection, status, owned);
    }
}

static char *
port_id(unsigned int network, unsigned int index)
{
    return mem_textf("00000000-0000-4000-8003-%06x%06x", network, index);
}

static void
put_port(struct ds *body, unsigned int network, unsigned int index)
{
    AUTO_TEXT *id = port_id(network, index);
    ds_put_format(
        body,
        "{\"id\":\"%s\",\"name\":\"vm-%u-%u\","
        "\"tenant_id\":\"0123456789abcdef01234567%08x\","
        "\"network_id\":\"00000000-0000-4000-8001-%012x\","
        "\"mac_address\":\"fa:16:%02x:%02x:%02x:%02x\","
        "\"admin_state_up\":true,\"device_owner\":\"compute:nova\","
        "\"device_id\":\"%s\",\"port_security_enabled\":true,"
        "\"fixed_ips\":[{\"subnet_id\":\"00000000-0000-4000-8002-%012x\","
        "\"ip_address\":\"10.0.%u.%u\"}],\"security_groups\":[],"
        "\"binding:vnic_type\":\"normal\",\"binding:host_id\":\"compute-%d\"}",
        id, network, index, network / 5, network, network >> 8, network & 0xff,
        index >> 8, index & 0xff, id, network, index >> 8, index & 0xff,
        host_of(network, index));
}

static void
make_network(struct bench *bench, unsigned int n)
{
    AUTO_TEXT *network = mem_textf(
        "{\"network\":{\"id\":\"00000000-0000-4000-8001-%012x\","
        "\"name\":\"net-%u\",\"tenant_id\":\"0123456789abcdef01234567%08x\","
        "\"provider:network_type\":\"vxlan\","
        "\"provider:segmentation_id\":%u,\"admin_state_up\":true}}",
        n, n, n / 5, 1000 + n);
    AUTO_TEXT *subnet =
        mem_textf("{\"subnet\":{\"id\":\"00000000-0000-4000-8002-%012x\","
                  "\"tenant_id\":\"0123456789abcdef01234567%08x\","
                  "\"network_id\":\"00000000-0000-4000-8001-%012x\","
                  "\"ip_version\":4,\"cidr\":\"10.0.0.0/16\","
                  "\"gateway_ip\":\"10.0.255.1\"}}",
                  n, n / 5, n);
    AUTO_DS ports = DS_EMPTY_INITIALIZER;
    post(bench, "networks", network);
    post(bench, "subnets", subnet);
    ds_put_cstr(&ports, "{\"ports\":[");
    for (unsigned int i = 0; i < PORTS_PER_NETWORK; i++) {
        if (i) {
            ds_put_char(&ports, ',');
        }
        put_port(&ports, n, i);
    }
    ds_put_cstr(&ports, "]}");
    post(bench, "ports", ds_cstr(&ports));
    for (unsigned int i = 0; i < PORTS_PER_NETWORK; i++) {
        AUTO_TEXT *id = port_id(n, i);
        AUTO_TEXT *name = mem_textf("tap%u-%u", n, i);
        ovs_plug(bench->hosts[host_of(n, i)], name, id);
    }
}

static void
grow(struct bench *bench, unsigned int n_networks)
{
    while (bench->n_networks < n_networks) {
        make_network(bench, bench->n_networks++);
        loop_run_once(bench->loop, 0);
    }
    settle(bench, 1000000);
}

/* Has a switch had a change and its barrier since the last answer? */
static bool
is_fenced(void *bench_)
{
    const struct bench *bench = bench_;
    return sum_work(bench).last_fenced_us > bench->answered_us;
}

struct change_series {
    struct samples total, answer, wire; /* wire = total - answer. */
};

static void
change_once(struct bench *bench, struct change_series *series)
{
    unsigned int network = bench->n_extra % SMALL_NETWORKS;
    unsigned int index = PORTS_PER_NETWORK + bench->n_extra++;
    struct ovs *host = bench->hosts[host_of(network, index)];
    AUTO_TEXT *id = port_id(network, index);
    AUTO_TEXT *name = mem_textf("extra%u", index);
    AUTO_DS body = DS_EMPTY_INITIALIZER;
    ds_put_cstr(&body, "{\"port\":");
    put_port(&body, network, index);
    ds_put_char(&body, '}');

    uint64_t start = loop_now(bench->loop);
    post(bench, "ports", ds_cstr(&body));
    uint64_t answered = loop_now(bench->loop);
    samples_add(&series->answer, (answered - start) / 1e3);
    ovs_plug(host, name, id);
    bench->answered_us = answered;
    bench_wait(bench->loop, is_fenced, bench, 10, "rules of a new port");
    settle(bench, QUIET_US);
    uint64_t end = sum_work(bench).last_fenced_us;
    samples_add(&series->total, (end - start) / 1e3);
    samples_add(&series->wire, (end - answered) / 1e3);

    AUTO_TEXT *path = mem_textf(BASE "ports/%s", id);
    ovs_unplug(host, name);
    int status = http_client_ask(bench->client, "DELETE", path, NULL, NULL);
    if (status != 204) {
        bench_fail("%s: answered %d", path, status);
    }
    settle(bench, QUIET_US);
}

static void
measure_changes(struct bench *bench, struct json *result, const char *name)
{
    struct change_series series = { .total = { 0 } };
    AUTO_TEXT *answer_name = mem_textf("%s_answer", name);
    AUTO_TEXT *wire_name = mem_textf("%s_wire", name);
    for (int i = 0; i < N_CHANGES; i++) {
        change_once(bench, &series);
    }
    samples_put(&series.total, result, name);
    samples_put(&series.answer, result, answer_name);
    samples_put(&series.wire, result, wire_name);
    samples_uninit(&series.total);
    samples_uninit(&series.answer);
    samples_uninit(&series.wire);
}

static void
put_real(struct json *object, const char *name, double value)
{
    json_object_put(object, name, json_real_create(value));
}

static size_t
n_flows(const struct bench *bench)
{
    size_t n = 0;
    for (int i = 0; i < N_HOSTS; i++) {
        n += ovs_n_flows(bench->hosts[i]);
    }
    return n;
}

int
main(int argc, char **argv)
{
    int64_t api_port, ovsdb_port, pid;
    if (argc != 4 || !text_to_int(argv[1], 1, 65535, &api_port)
        || !text_to_int(argv[2], 1, 65535, &ovsdb_port)
        || !text_to_int(argv[3], 1, INT32_MAX, &pid)) {
        bench_fail("usage: bench-cloud API-PORT OVSDB-PORT WEFTD-PID");
    }
    AUTO(loop) *loop = loop_create();
    struct bench bench = { .loop = loop, .daemon = pid };
    struct json *result = json_object_create();
    AUTO(json) *owned = result;
    bench.client = http_client_create(loop, api_port);
    connect_hosts(&bench, ovsdb_port);

    double empty_kb = daemon_kb(&bench, "VmRSS");
    grow(&bench, SMALL_NETWORKS);
    measure_changes(&bench, result, "change_400");
    uint64_t start = loop_now(loop);
    grow(&bench, BIG_NETWORKS);
    put_real(result, "fill_25000_seconds", (loop_now(loop) - start) / 1e6 - 1);
    double full_kb = daemon_kb(&bench, "VmRSS");
    measure_changes(&bench, result, "change_25000");

    put_real(result, "rss_empty_kb", empty_kb);
    put_real(result, "rss_full_kb", full_kb);
    put_real(result, "rss_per_port",
             (full_kb - empty_kb) / (BIG_NETWORKS * PORTS_PER_NETWORK));
    put_real(result, "flows_per_host", (double) n_flows(&bench) / N_HOSTS);
    AUTO_TEXT *text = json_to_string(owned, 0);
    puts(text);
    for (int i = 0; i < N_HOSTS; i++) {
        ovs_destroy(bench.hosts[i]);
    }
    http_client_destroy(bench.client);
    return 0;
}
