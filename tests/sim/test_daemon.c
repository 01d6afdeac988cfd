/* SPDX-License-Identifier: Apache-2.0 */

/* The whole daemon under virtual time, with model switches.
 *
 * Each test makes its trouble, ends it, waits until nothing changes any more,
 * and demands that every switch holds exactly what its scopes say, that every
 * answered write is there, and that ports are ACTIVE exactly when plugged.
 * What must cost nothing (reconnecting, restarting) is counted at the
 * switches.
 *
 * Environment: WEFT_SIM_SEED, first seed (a number), and WEFT_SIM_RUNS, how
 * many random lives are led; WEFT_SIM_LOG, if set, lets the daemon log. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "openvswitch/vlog.h"

#include "cloud.h"

#define QUIET_US (300 * SECOND)

static uint64_t
first_seed(void)
{
    const char *text = getenv("WEFT_SIM_SEED");
    return text ? strtoull(text, NULL, 0) : 1;
}

static struct cloud *
started_cloud(uint64_t seed)
{
    struct cloud *cloud = cloud_create(seed);
    assert_true(cloud_start(cloud));
    return cloud;
}

static void
quiesce(struct cloud *cloud)
{
    if (!cloud_quiesce(cloud, QUIET_US)) {
        struct cloud_work work = cloud_work(cloud);
        for (int i = 0; i < N_HOSTS; i++) {
            print_message("%s: database %d, openflow %d, last error: %s\n",
                          ovs_name(cloud->hosts[i]),
                          ovs_database_is_connected(cloud->hosts[i]),
                          ovs_openflow_is_connected(cloud->hosts[i]),
                          ovs_last_error(cloud->hosts[i]));
        }
        fail_msg("no rest after %" PRIu64 " s: %zu calls open, engine %d, "
                 "store %d, %" PRIu64 " flow_mods, %" PRIu64 " transactions",
                 QUIET_US / SECOND, ovs_list_size(&cloud->calls),
                 engine_is_idle(cloud->daemon->engine),
                 store_is_idle(cloud->daemon->store), work.flow_mods,
                 work.database_changes);
    }
}

static struct cloud *
full_cloud(uint64_t seed)
{
    struct cloud *cloud = started_cloud(seed);
    cloud_fill(cloud);
    quiesce(cloud);
    cloud_check(cloud);
    return cloud;
}

static void
assert_nothing_changed(const struct cloud *cloud,
                       const struct cloud_work *before)
{
    struct cloud_work after = cloud_work(cloud);
    assert_int_equal(after.flow_mods, before->flow_mods);
    assert_int_equal(after.group_mods, before->group_mods);
    assert_int_equal(after.database_changes, before->database_changes);
}

/* First contact. */

static void
test_everything_works(void **state OVS_UNUSED)
{
    AUTO(cloud) *cloud = full_cloud(first_seed());
    size_t n_flows = 0;
    for (int i = 0; i < N_HOSTS; i++) {
        n_flows += ovs_n_flows(cloud->hosts[i]);
        assert_true(ovs_has_bridge(cloud->hosts[i]));
    }
    assert_true(n_flows > N_PORTS * 4);
    assert_int_equal(cloud_work(cloud).errors, 0);

    for (unsigned int i = 0; i < N_PORTS; i++) {
        AUTO_TEXT *path = mem_textf("/controller/nb/v2/neutron/ports/%s",
                                    cloud_port(cloud, i)->id);
        char *text = NULL;
        assert_int_equal(cloud_request(cloud, "GET", path, NULL, &text), 200);
        AUTO_TEXT *owned = text;
        AUTO(json) *body = json_from_string(owned);
        const char *status = jget_text(jget(body, "port"), "status");
        assert_string_equal(status, "ACTIVE");
    }
}

static void
test_deleting_leaves_nothing(void **state OVS_UNUSED)
{
    AUTO(cloud) *cloud = full_cloud(first_seed());
    for (int i = N_OBJECTS - 1; i >= 0; i--) {
        cloud_delete(cloud, &cloud->objects[i]);
    }
    for (unsigned int i = 0; i < N_PORTS; i++) {
        cloud_unplug(cloud, cloud_port(cloud, i));
    }
    quiesce(cloud);
    cloud_check(cloud);
    assert_int_equal(model_count(cloud->daemon->model,
                                 model_resource(cloud->daemon->model, "port")),
                     0);
}

/* What must cost nothing. */

static void
test_reconnect_changes_nothing(void **state OVS_UNUSED)
{
    AUTO(cloud) *cloud = full_cloud(first_seed());
    struct cloud_work before = cloud_work(cloud);
    for (int i = 0; i < N_HOSTS; i++) {
        ovs_disconnect(cloud->hosts[i]);
    }
    sim_advance(cloud->loop, 20 * SECOND);
    cloud_heal(cloud);
    quiesce(cloud);
    for (int i = 0; i < N_HOSTS; i++) {
        ovs_break_openflow(cloud->hosts[i]);
    }
    quiesce(cloud);
    assert_nothing_changed(cloud, &before);
    cloud_check(cloud);
}

static void
test_restart_changes_nothing(void **state OVS_UNUSED)
{
    AUTO(cloud) *cloud = full_cloud(first_seed());
    struct cloud_work before = cloud_work(cloud);
    cloud_stop(cloud);
    sim_advance(cloud->loop, 5 * SECOND);
    assert_true(cloud_start(cloud));
    quiesce(cloud);
    assert_nothing_changed(cloud, &before);
    cloud_check(cloud);

    cloud_crash(cloud, true);
    sim_advance(cloud->loop, 5 * SECOND);
    assert_true(cloud_start(cloud));
    quiesce(cloud);
    assert_nothing_changed(cloud, &before);
    cloud_check(cloud);
}

static void
test_same_again_changes_nothing(void **state OVS_UNUSED)
{
    AUTO(cloud) *cloud = full_cloud(first_seed());
    struct object *port = cloud_port(cloud, 3);
    AUTO_TEXT *path =
        mem_textf("/controller/nb/v2/neutron/ports/%s", port->id);
    char *text = NULL;
    assert_int_equal(cloud_request(cloud, "GET", path, NULL, &text), 200);
    AUTO_TEXT *owned = text;
    struct cloud_work before = cloud_work(cloud);
    assert_int_equal(cloud_request(cloud, "PUT", path, owned, NULL), 200);
    quiesce(cloud);
    assert_nothing_changed(cloud, &before);
}

/* Switches that lose everything, or are told wrong things. */

static void
test_vswitchd_restart(void **state OVS_UNUSED)
{
    AUTO(cloud) *cloud = full_cloud(first_seed());
    struct cloud_work before = cloud_work(cloud);
    ovs_restart_vswitchd(cloud->hosts[0], false);
    ovs_restart_vswitchd(cloud->hosts[1], false);
    assert_int_equal(ovs_n_flows(cloud->hosts[0]), 0);
    quiesce(cloud);
    cloud_check(cloud);
    assert_int_equal(cloud_work(cloud).database_changes,
                     before.database_changes);

    ovs_restart_vswitchd(cloud->hosts[2], true);
    quiesce(cloud);
    cloud_check(cloud);
}

static void
test_daemon_and_switch_restart(void **state OVS_UNUSED)
{
    AUTO(cloud) *cloud = full_cloud(first_seed());
    cloud_stop(cloud);
    for (int i = 0; i < N_HOSTS; i++) {
        ovs_restart_vswitchd(cloud->hosts[i], true);
    }
    cloud_unplug(cloud, cloud_port(cloud, 0));
    cloud_plug(cloud, cloud_port(cloud, 1), cloud_port(cloud, 1)->host);
    sim_advance(cloud->loop, 5 * SECOND);
    assert_true(cloud_start(cloud));
    quiesce(cloud);
    cloud_check(cloud);
}

struct one_cookie {
    uint64_t cookie;
};

static void
remember_cookie(const struct ovs_flow *flow, void *one_)
{
    struct one_cookie *one = one_;
    if ((flow->cookie & COOKIE_MASK) == COOKIE_TAG) {
        one->cookie = flow->cookie;
    }
}

static void
test_damage_is_repaired_and_others_kept(void **state OVS_UNUSED)
{
    AUTO(cloud) *cloud = full_cloud(first_seed());
    struct ovs *ovs = cloud->hosts[0];
    struct one_cookie one = { 0 };
    ovs_for_each_flow(ovs, remember_cookie, &one);
    ovs_delete_flow(ovs, one.cookie);
    ovs_add_foreign_flow(ovs, 0x1234, 77);          /* Somebody else's. */
    ovs_add_foreign_flow(ovs, COOKIE_TAG | 99, 78); /* A stale one. */
    ovs_break_openflow(ovs);
    quiesce(cloud);
    assert_true(ovs_has_flow_cookie(ovs, one.cookie));
    assert_true(ovs_has_flow_cookie(ovs, 0x1234));
    assert_false(ovs_has_flow_cookie(ovs, COOKIE_TAG | 99));
    cloud_check(cloud);
}

static void
test_refused_rules_are_reported(void **state OVS_UNUSED)
{
    AUTO(cloud) *cloud = started_cloud(first_seed());
    quiesce(cloud);
    ovs_refuse_flows(cloud->hosts[0], 3);
    cloud_fill(cloud);
    quiesce(cloud);
    char *text = NULL;
    assert_int_equal(
        cloud_request(cloud, "GET", "/weft/v1/hosts", NULL, &text), 200);
    AUTO_TEXT *owned = text;
    assert_non_null(strstr(owned, "OFPFMFC_TABLE_FULL"));
    for (int i = 1; i < N_HOSTS; i++) {
        cloud_check_host(cloud, i);
    }
    ovs_break_openflow(cloud->hosts[0]);
    quiesce(cloud);
    cloud_check(cloud);
}

static void
test_local_ip_change(void **state OVS_UNUSED)
{
    AUTO(cloud) *cloud = full_cloud(first_seed());
    ovs_set_local_ip(cloud->hosts[2], "198.51.100.7");
    quiesce(cloud);
    cloud_check(cloud);
    struct uuid id = host_id_from_name(ovs_name(cloud->hosts[2]));
    const struct host *host =
        host_cast(model_find(cloud->daemon->model, &host_resource, &id));
    char text[INET6_ADDRSTRLEN];
    ipaddr_to_text(&host->tunnel_address, text);
    assert_string_equal(text, "198.51.100.7");
}

static void
test_port_moves(void **state OVS_UNUSED)
{
    AUTO(cloud) *cloud = full_cloud(first_seed());
    struct object *port = cloud_port(cloud, 2);
    int to = (port->host + 1) % N_HOSTS;
    cloud_move(cloud, port, to);
    quiesce(cloud);
    cloud_plug(cloud, port, to); /* Gone there, appeared here. */
    quiesce(cloud);
    cloud_check(cloud);
}

/* Peers that misbehave. */

/* A port made and plugged while others misbehave must work at once. */
static void
assert_others_work(struct cloud *cloud, int host)
{
    struct object *port = cloud_port(cloud, 0);
    cloud_unplug(cloud, port);
    sim_advance(cloud->loop, SECOND);
    cloud_move(cloud, port, host);
    sim_advance(cloud->loop, SECOND);
    cloud_plug(cloud, port, host);
    sim_advance(cloud->loop, 2 * SECOND);
    struct uuid id;
    assert_true(uid_from_text(port->id, &id));
    assert_true(fabric_is_wired(cloud->daemon->fabric, &id));
    cloud_check_host(cloud, host);
}

static size_t
largest_backlog(const struct loop *loop)
{
    size_t max = 0;
    for (struct channel *c = NULL; (c = sim_channel_next(loop, c));) {
        size_t backlog = channel_backlog(c);
        max = backlog > max ? backlog : max;
    }
    return max;
}

static void
test_slow_reader_costs_itself(void **state OVS_UNUSED)
{
    AUTO(cloud) *cloud = full_cloud(first_seed());
    ovs_stall(cloud->hosts[3], true);
    for (int round = 0; round < 20; round++) {
        for (unsigned int i = 0; i < N_PORTS; i++) {
            cloud_put(cloud, cloud_port(cloud, i));
        }
        sim_advance(cloud->loop, SECOND / 2);
        assert_true(largest_backlog(cloud->loop) < 4 * 1024 * 1024);
    }
    assert_others_work(cloud, 1);
    sim_advance(cloud->loop, 60 * SECOND);
    assert_others_work(cloud, 2);
    cloud_heal(cloud);
    quiesce(cloud);
    cloud_check(cloud);
}

static void
peer_closed(struct channel *channel OVS_UNUSED, const char *reason OVS_UNUSED,
            void *closedp)
{
    *(bool *) closedp = true;
}

static const struct channel_events peer_events = { .closed = peer_closed };

/* Dials 'port', says 'data' 'n' times, and demands to be thrown out. */
static void
assert_thrown_out(struct cloud *cloud, uint16_t port, const void *data,
                  size_t size, size_t n)
{
    bool closed = false;
    sim_set_local_address(cloud->loop, "203.0.113.66");
    struct channel *channel = channel_dial(cloud->loop, "192.0.2.1", port,
                                           NULL, &peer_events, &closed);
    for (size_t i = 0; i < n && !closed; i++) {
        channel_write(channel, data, size);
        sim_advance(cloud->loop, 10 * MILLISECOND);
    }
    for (int i = 0; i < 120 && !closed; i++) {
        sim_advance(cloud->loop, SECOND);
    }
    assert_true(closed);
    channel_destroy(channel);
}

static void
test_garbage_peers(void **state OVS_UNUSED)
{
    AUTO(cloud) *cloud = full_cloud(first_seed());
    static const uint16_t ports[] = { 6640, 6653, 6633 };
    for (size_t i = 0; i < 3; i++) {
        uint8_t noise[1000];
        loop_random(cloud->loop, noise, sizeof noise);
        assert_thrown_out(cloud, ports[i], noise, sizeof noise, 20);
        assert_thrown_out(cloud, ports[i], "", 0, 1); /* Says nothing. */
        assert_thrown_out(cloud, ports[i], "{", 1, 1);
    }
    AUTO_TEXT *big = mem_alloc(1 << 20);
    memset(big, '[', 1 << 20);
    assert_thrown_out(cloud, 6640, big, 1 << 20, 64);
    memset(big, 'x', 1 << 20);
    assert_thrown_out(cloud, 6640, "{\"id\":\"", 7, 1);
    static const uint8_t hello[] = { 6, 0, 0, 8, 0, 0, 0, 1 };
    assert_thrown_out(cloud, 6653, hello, sizeof hello, 1);
    static const uint8_t short_length[] = { 6, 0, 0, 8, 0, 0, 0, 1,
                                            6, 2, 0, 3, 0, 0, 0, 2 };
    assert_thrown_out(cloud, 6653, short_length, sizeof short_length, 1);
    assert_others_work(cloud, 1);
    quiesce(cloud);
    cloud_check(cloud);
}

static void
test_half_open(void **state OVS_UNUSED)
{
    AUTO(cloud) *cloud = full_cloud(first_seed());
    sim_partition(cloud->loop, "192.0.2.13", true);
    assert_others_work(cloud, 1);
    sim_advance(cloud->loop, 60 * SECOND);
    assert_others_work(cloud, 2);
    cloud_heal(cloud);
    quiesce(cloud);
    cloud_check(cloud);
}

/* The disk. */

static void
test_disk_full(void **state OVS_UNUSED)
{
    AUTO(cloud) *cloud = full_cloud(first_seed());
    struct object *port = cloud_port(cloud, 5);
    AUTO_TEXT *path =
        mem_textf("/controller/nb/v2/neutron/ports/%s", port->id);
    sim_disk_full(cloud->disk, true);
    cloud_put(cloud, port);
    cloud_delete(cloud, cloud_port(cloud, 6));
    sim_advance(cloud->loop, 10 * SECOND);
    assert_int_equal(cloud->n_refused, 2);
    assert_int_equal(cloud_request(cloud, "GET", path, NULL, NULL), 200);
    /* Switches go on; facts wait. */
    cloud_plug(cloud, cloud_port(cloud, 7), cloud_port(cloud, 7)->host);
    sim_advance(cloud->loop, 10 * SECOND);

    sim_disk_full(cloud->disk, false);
    cloud_put(cloud, port);
    sim_advance(cloud->loop, 10 * SECOND);
    assert_int_equal(cloud->n_refused, 2);
    quiesce(cloud);
    cloud_check(cloud);
    cloud_crash(cloud, false);
    assert_true(cloud_start(cloud));
    quiesce(cloud);
    cloud_check(cloud);
}

static void
test_lying_disk(void **state OVS_UNUSED)
{
    for (uint64_t seed = first_seed(); seed < first_seed() + 5; seed++) {
        AUTO(cloud) *cloud = full_cloud(seed);
        sim_disk_lie(cloud->disk, true);
        for (int i = 0; i < N_OBJECTS; i++) {
            cloud_put(cloud, &cloud->objects[i]);
        }
        sim_advance(cloud->loop, 5 * SECOND);
        cloud_crash(cloud, true);
        cloud_heal(cloud);
        /* It starts with what is there, or says what is wrong. */
        if (!cloud_start(cloud)) {
            assert_int_equal(cloud->start_error->kind, ERR_CORRUPT);
        }
    }
}

/* Random lives. */

static void
random_object(struct cloud *cloud)
{
    struct object *object =
        &cloud->objects[sim_random(cloud->loop, 0, N_OBJECTS - 1)];
    if (sim_chance(cloud->loop, 75)) {
        cloud_put(cloud, object);
    } else {
        cloud_delete(cloud, object);
    }
}

static void
random_plug(struct cloud *cloud)
{
    struct object *port =
        cloud_port(cloud, sim_random(cloud->loop, 0, N_PORTS - 1));
    uint64_t what = sim_random(cloud->loop, 0, 9);
    if (what < 6) {
        cloud_plug(cloud, port, port->host);
    } else if (what < 8) {
        cloud_unplug(cloud, port);
    } else {
        int to = sim_random(cloud->loop, 0, N_HOSTS - 1);
        cloud_move(cloud, port, to);
    }
}

static void
random_trouble(struct cloud *cloud)
{
    struct ovs *ovs = cloud->hosts[sim_random(cloud->loop, 0, N_HOSTS - 1)];
    AUTO_TEXT *address = mem_textf(
        "192.0.2.%d", 10 + (int) sim_random(cloud->loop, 0, N_HOSTS - 1));
    switch (sim_random(cloud->loop, 0, 8)) {
    case 0:
        ovs_disconnect(ovs);
        break;
    case 1:
        ovs_reconnect(ovs);
        break;
    case 2:
        ovs_break_openflow(ovs);
        break;
    case 3:
        ovs_restart_vswitchd(ovs, sim_chance(cloud->loop, 50));
        break;
    case 4:
        ovs_stall(ovs, sim_chance(cloud->loop, 50));
        break;
    case 5:
        sim_partition(cloud->loop, address, sim_chance(cloud->loop, 30));
        break;
    case 6:
        sim_cut_address(cloud->loop, address);
        break;
    case 7:
        ovs_refuse_flows(ovs, sim_random(cloud->loop, 0, 2));
        break;
    default:
        cloud_heal(cloud);
        break;
    }
}

static void
random_daemon_trouble(struct cloud *cloud)
{
    if (sim_chance(cloud->loop, 30)) {
        sim_disk_full(cloud->disk, true);
        sim_advance(cloud->loop, sim_random(cloud->loop, 1, 3 * SECOND));
        sim_disk_full(cloud->disk, false);
    } else {
        if (sim_chance(cloud->loop, 50)) {
            cloud_crash(cloud, sim_chance(cloud->loop, 50));
        } else {
            cloud_stop(cloud);
        }
        sim_advance(cloud->loop, sim_random(cloud->loop, 1, 10 * SECOND));
        assert_true(cloud_start(cloud));
        cloud_check_answered_writes(cloud);
    }
}

/* Networks differ: near and far, and some cut everything to pieces. */
static void
random_network_quality(struct cloud *cloud)
{
    if (sim_chance(cloud->loop, 30)) {
        sim_set_splitting(cloud->loop, 100);
    }
    if (sim_chance(cloud->loop, 30)) {
        sim_set_latency(cloud->loop, 1000, 80000);
    }
    if (sim_chance(cloud->loop, 30)) {
        sim_set_window(cloud->loop, 4096);
    }
    if (sim_chance(cloud->loop, 30)) {
        sim_set_work_time(cloud->loop, 1000, 300000);
    }
}

static void
live_randomly(uint64_t seed)
{
    AUTO(cloud) *cloud = started_cloud(seed);
    random_network_quality(cloud);
    for (int i = 0; i < 250; i++) {
        uint64_t what = sim_random(cloud->loop, 0, 99);
        if (what < 50) {
            random_object(cloud);
        } else if (what < 80) {
            random_plug(cloud);
        } else if (what < 97) {
            random_trouble(cloud);
        } else {
            random_daemon_trouble(cloud);
        }
        if (sim_chance(cloud->loop, 50)) {
            sim_advance(cloud->loop,
                        sim_random(cloud->loop, 1, 400 * MILLISECOND));
        }
    }
    cloud_heal(cloud);
    /* A host that refused a rule is repaired at the next contact. */
    for (int i = 0; i < N_HOSTS; i++) {
        ovs_break_openflow(cloud->hosts[i]);
    }
    quiesce(cloud);
    cloud_check(cloud);

    struct cloud_work before = cloud_work(cloud);
    cloud_crash(cloud, true);
    assert_true(cloud_start(cloud));
    quiesce(cloud);
    cloud_check(cloud);
    assert_nothing_changed(cloud, &before);
}

static void
test_random_lives(void **state OVS_UNUSED)
{
    const char *text = getenv("WEFT_SIM_RUNS");
    uint64_t n = text ? strtoull(text, NULL, 0) : 10;
    for (uint64_t seed = first_seed(); seed < first_seed() + n; seed++) {
        print_message("WEFT_SIM_SEED=%" PRIu64 "\n", seed);
        live_randomly(seed);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_works),
        cmocka_unit_test(test_deleting_leaves_nothing),
        cmocka_unit_test(test_reconnect_changes_nothing),
        cmocka_unit_test(test_restart_changes_nothing),
        cmocka_unit_test(test_same_again_changes_nothing),
        cmocka_unit_test(test_vswitchd_restart),
        cmocka_unit_test(test_daemon_and_switch_restart),
        cmocka_unit_test(test_damage_is_repaired_and_others_kept),
        cmocka_unit_test(test_refused_rules_are_reported),
        cmocka_unit_test(test_local_ip_change),
        cmocka_unit_test(test_port_moves),
        cmocka_unit_test(test_slow_reader_costs_itself),
        cmocka_unit_test(test_garbage_peers),
        cmocka_unit_test(test_half_open),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_lying_disk),
        cmocka_unit_test(test_random_lives),
    };
    if (!getenv("WEFT_SIM_LOG")) {
        vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
