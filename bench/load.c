/* SPDX-License-Identifier: Apache-2.0 */

/* Durable writes and plain reads per second.
 *
 * usage: bench-load API-PORT SECONDS
 *
 * Creates ports one by one with 1 and with 64 clients that each keep their
 * connection and wait for each answer, so that an answer is a durable write;
 * then reads one network with 64 clients, as what the same server can answer
 * when nothing has to be durable. */

#include "bench.h"

#include <stdio.h>

#define BASE        "/controller/nb/v2/neutron/"
#define NETWORK_ID  "00000000-0000-4000-8000-0000000000aa"
#define MAX_CLIENTS 64

struct load {
    struct loop *loop;
    bool writes;
    bool stopped;
    size_t n_busy;
    uint64_t n_answers;
    uint64_t n_ports; /* Made so far: next id. */
    struct samples latencies;
};

struct worker {
    struct load *load;
    struct http_client *client;
    uint64_t sent_us;
};

static void worker_send(struct worker *);

static void
worker_answered(int status, const char *body, size_t size OVS_UNUSED,
                void *worker_)
{
    struct worker *worker = worker_;
    struct load *load = worker->load;
    if (status != (load->writes ? 201 : 200)) {
        bench_fail("answered %d: %s", status, body);
    }
    load->n_answers++;
    samples_add(&load->latencies,
                (loop_now(load->loop) - worker->sent_us) / 1e3);
    if (load->stopped) {
        load->n_busy--;
    } else {
        worker_send(worker);
    }
}

static char *
port_body(uint64_t n)
{
    unsigned int a = n >> 16 & 0xff, b = n >> 8 & 0xff, c = n & 0xff;
    return mem_textf(
        "{\"port\":{\"id\":\"00000000-0000-4000-8001-%012x\","
        "\"network_id\":\"" NETWORK_ID "\",\"name\":\"port%u\","
        "\"tenant_id\":\"0123456789abcdef0123456789abcdef\","
        "\"mac_address\":\"fa:16:3e:%02x:%02x:%02x\","
        "\"admin_state_up\":true,\"device_owner\":\"compute:nova\","
        "\"device_id\":\"00000000-0000-4000-8002-%012x\","
        "\"fixed_ips\":[{\"ip_address\":\"10.%u.%u.%u\","
        "\"subnet_id\":\"00000000-0000-4000-8000-0000000000bb\"}],"
        "\"security_groups\":[],\"binding:host_id\":\"compute-%u\","
        "\"binding:vnic_type\":\"normal\"}}",
        (unsigned int) n, (unsigned int) n, a, b, c, (unsigned int) n, a, b, c,
        (unsigned int) n % 50);
}

static void
worker_send(struct worker *worker)
{
    struct load *load = worker->load;
    worker->sent_us = loop_now(load->loop);
    if (load->writes) {
        AUTO_TEXT *body = port_body(load->n_ports++);
        http_client_send(worker->client, "POST", BASE "ports", body,
                         worker_answered, worker);
    } else {
        http_client_send(worker->client, "GET", BASE "networks/" NETWORK_ID,
                         NULL, worker_answered, worker);
    }
}

static bool
is_idle(void *load_)
{
    const struct load *load = load_;
    return !load->n_busy;
}

/* Returns answers per second. */
static double
run(struct load *load, uint16_t port, size_t n_clients, double seconds)
{
    struct worker workers[MAX_CLIENTS];
    load->stopped = false;
    load->n_busy = n_clients;
    load->n_answers = 0;
    load->latencies.n = 0;
    for (size_t i = 0; i < n_clients; i++) {
        workers[i] = (struct worker){
            .load = load,
            .client = http_client_create(load->loop, port),
        };
        worker_send(&workers[i]);
    }
    bench_sleep(load->loop, 300000); /* Warm up. */
    uint64_t start = loop_now(load->loop);
    uint64_t n = load->n_answers;
    bench_sleep(load->loop, seconds * 1e6);
    double rate =
        (load->n_answers - n) / ((loop_now(load->loop) - start) / 1e6);
    load->stopped = true;
    bench_wait(load->loop, is_idle, load, 10, "last answers");
    for (size_t i = 0; i < n_clients; i++) {
        http_client_destroy(workers[i].client);
    }
    return rate;
}

static void
make_network(struct loop *loop, uint16_t port)
{
    struct http_client *client = http_client_create(loop, port);
    int status = http_client_ask(
        client, "POST", BASE "networks",
        "{\"network\":{\"id\":\"" NETWORK_ID "\",\"name\":\"load\","
        "\"tenant_id\":\"t\",\"provider:network_type\":\"vxlan\","
        "\"provider:segmentation_id\":4242,\"admin_state_up\":true}}",
        NULL);
    if (status != 201) {
        bench_fail("network: answered %d", status);
    }
    http_client_destroy(client);
}

int
main(int argc, char **argv)
{
    int64_t port, seconds;
    if (argc != 3 || !text_to_int(argv[1], 1, 65535, &port)
        || !text_to_int(argv[2], 1, 60, &seconds)) {
        bench_fail("usage: bench-load API-PORT SECONDS");
    }
    AUTO(loop) *loop = loop_create();
    struct load load = { .loop = loop };
    struct json *result = json_object_create();
    AUTO(json) *owned = result;
    make_network(loop, port);

    load.writes = true;
    json_object_put(result, "durable_writes_1",
                    json_real_create(run(&load, port, 1, seconds)));
    samples_put(&load.latencies, result, "write_latency_1");
    json_object_put(result, "durable_writes_64",
                    json_real_create(run(&load, port, 64, seconds)));
    samples_put(&load.latencies, result, "write_latency_64");
    load.writes = false;
    json_object_put(result, "http_reads_64",
                    json_real_create(run(&load, port, 64, seconds)));
    samples_put(&load.latencies, result, "read_latency_64");

    AUTO_TEXT *text = json_to_string(owned, 0);
    puts(text);
    samples_uninit(&load.latencies);
    return 0;
}
