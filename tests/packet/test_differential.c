/* SPDX-License-Identifier: Apache-2.0 */
/* The interpreter against a real switch: random rules over all our tables,
 * random packets, the same outputs and the same bytes.
 *
 *     random rules ──► scopes ──► packet_run() ──► outputs, frames
 *                         └─────► ovs-vswitchd ─┬► ofproto/trace
 *                                               └► frames on its ports
 *
 * Tunnels are compared by trace only, since their packets would need an
 * underlay.  The seed is printed; WEFT_SEED=n repeats a run. */

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "openvswitch/vconn.h"
#include "tests/packet/packet.h"
#include "tests/packet/real_switch.h"

enum {
    FIRST_PORT = 10,
    N_PORTS = 4,
    TUNNEL_PORT = 1,
    N_ROUNDS = 12,
    N_PACKETS = 12,
    MAX_FRAMES = 1000,
    DEADLINE_S = 10
};

/* Where packets that were given a tunnel header leave. */
#define UNDERLAY_PORT "90"

static const struct eth_addr macs[] = {
    ETH_ADDR_C(fa, 16, 3e, 00, 00, 01),
    ETH_ADDR_C(fa, 16, 3e, 00, 00, 02),
    ETH_ADDR_C(fa, 16, 3e, 00, 00, 03),
    ETH_ADDR_C(ff, ff, ff, ff, ff, ff),
};
static const char *const ips[] = { "10.0.0.1", "10.0.0.2", "10.0.1.3" };
static const char *const ip6s[] = { "fd00::1", "fd00::2", "fd00:1::3" };
static const char *const peers[] = { "172.16.0.2", "172.16.0.3" };

struct fixture {
    struct real_switch *sw;
    struct vconn *vconn;
    uint64_t seed;
    struct uuid host;
    struct scopes *scopes;
    long offsets[N_PORTS]; /* Read so far of each port's capture. */
    int notify;            /* Readable when a capture grew. */
    size_t n_compared;
};

static uint32_t
dice(struct fixture *f, uint32_t sides)
{
    f->seed = hash64_mix(f->seed, 0x9e3779b9);
    return (f->seed >> 32) % sides;
}

/* Random rules.  Each priority of a table is used once, so that exactly one
 * rule matches best. */

static struct prefix
random_prefix(struct fixture *f, const char *const *addresses, uint8_t wide)
{
    struct prefix p;
    assert_true(prefix_from_text(addresses[dice(f, 3)], &p));
    if (dice(f, 2)) {
        p.plen = wide;
    }
    return p;
}

static void
when_arp_question(struct fixture *f, struct draft *r)
{
    when_arp_op(r, 1 + dice(f, 2));
    if (dice(f, 2)) {
        struct in6_addr a;
        assert_true(ipaddr_from_text(ips[dice(f, 3)], &a));
        when_arp_tpa(r, ipaddr_v4(&a));
    } else if (dice(f, 2)) {
        struct prefix p = random_prefix(f, ips, 24);
        when_arp_spa(r, &p);
    } else {
        when_arp_sha(r, macs[dice(f, 3)]);
    }
}

static void
when_nd(struct fixture *f, struct draft *r, uint8_t type)
{
    when_icmpv6(r, type);
    if (dice(f, 2)) {
        struct prefix p = random_prefix(f, ip6s, 64);
        when_nd_target(r, &p);
    } else if (type == 135) {
        when_nd_sll(r, macs[dice(f, 3)]);
    } else {
        when_nd_tll(r, macs[dice(f, 3)]);
    }
}

static void
when_l3(struct fixture *f, struct draft *r)
{
    struct prefix p;
    switch (dice(f, 7)) {
    case 0:
        p = random_prefix(f, ips, 24);
        when_ip_src(r, &p);
        break;
    case 5:
        when_icmpv6(r, 143);
        break;
    case 1:
        p = random_prefix(f, ips, 24);
        when_ip_dst(r, &p);
        when_ip_proto(r, IPPROTO_UDP);
        when_tp_dst(r, 67 + dice(f, 2));
        break;
    case 2:
        p = random_prefix(f, ip6s, 64);
        when_ip_src(r, &p);
        break;
    case 3:
        when_arp_question(f, r);
        break;
    case 4:
        when_nd(f, r, 135 + dice(f, 2));
        break;
    default:
        when_eth_type(r, 0x88cc);
    }
}

static void
when_l2(struct fixture *f, struct draft *r)
{
    switch (dice(f, 5)) {
    case 0:
        when_eth_src(r, macs[dice(f, 3)]);
        break;
    case 1:
        when_eth_dst(r, macs[dice(f, 4)]);
        break;
    case 2:
        when_multicast(r);
        break;
    case 3:
        when_no_vlan(r);
        break;
    default:
        break;
    }
}

static void
when_metadata(struct fixture *f, struct draft *r)
{
    switch (dice(f, 6)) {
    case 0:
        when_in_port(r, FIRST_PORT + dice(f, N_PORTS));
        break;
    case 1:
        when_register(r, R_SEGMENT, dice(f, 3));
        break;
    case 2:
        when_register(r, R_ORIGIN, dice(f, 3));
        break;
    case 3:
        when_register(r, R_CARRIER, dice(f, 3));
        when_register(r, R_ORIGIN, dice(f, 3));
        break;
    case 4:
        when_tunnel_key(r, 5000 + dice(f, 2));
        break;
    default:
        break;
    }
}

static void
then_some_sets(struct fixture *f, struct draft *r)
{
    for (int i = dice(f, 4); i > 0; i--) {
        struct in6_addr peer;
        switch (dice(f, 5)) {
        case 0:
            then_set(r, R_SEGMENT, dice(f, 3));
            break;
        case 1:
            then_set(r, R_ORIGIN, dice(f, 3));
            break;
        case 2:
            then_set(r, R_CARRIER, dice(f, 3));
            break;
        case 3:
            then_tunnel_key(r, 5000 + dice(f, 2));
            break;
        default:
            assert_true(ipaddr_from_text(peers[dice(f, 2)], &peer));
            then_tunnel_remote(r, &peer);
        }
    }
}

static void
then_some_output(struct fixture *f, struct draft *r)
{
    /* A bucket goes to EGRESS or OUTPUT: a group there would be a loop. */
    switch (dice(f, r->table < T_EGRESS ? 8 : 5)) {
    case 0:
    case 1:
    case 2:
        then_output(r, FIRST_PORT + dice(f, N_PORTS));
        break;
    case 3:
        then_output(r, TUNNEL_PORT);
        break;
    case 4:
        then_output_in_port(r);
        break;
    case 5:
    case 6:
        then_group(r, group_number(GROUP_FLOOD_LOCAL, dice(f, 3)));
        break;
    default:
        then_controller(r, 5, 100);
    }
}

/* A table that 'from' may send to, at random; false if there is none. */
static bool
random_next(struct fixture *f, enum table_id from, enum table_id *next)
{
    enum table_id nexts[N_TABLES];
    uint32_t n = 0;
#define TO(ID) nexts[n++] = T_##ID;
#define TABLE(ID, NUMBER, QUESTION, NEXT)                                     \
    if (from == T_##ID) {                                                     \
        NEXT                                                                  \
    }
#define REGISTER(ID, FIELD, FIRST, BITS, MEANING)
#include "pipeline/pipeline.def"
#undef TO
#undef TABLE
#undef REGISTER
    if (n) {
        *next = nexts[dice(f, n)];
    }
    return n > 0;
}

static void
then_some_jump(struct fixture *f, struct draft *r)
{
    enum table_id next;
    if (!random_next(f, r->table, &next)) {
        then_some_output(f, r);
        return;
    }
    if (!dice(f, 12)) {
        then_resubmit(r, next);
        then_some_sets(f, r);
        assert_true(random_next(f, r->table, &next));
    }
    if (dice(f, 8)) {
        then_goto(r, next);
    }
}

static void
write_plain(struct fixture *f, struct draft *r)
{
    when_metadata(f, r);
    when_l2(f, r);
    if (dice(f, 2)) {
        when_l3(f, r);
    }
    then_some_sets(f, r);
    if (!dice(f, 4)) {
        then_some_output(f, r);
    }
    then_some_jump(f, r);
}

static void
write_tag(struct fixture *f, struct draft *r)
{
    when_no_vlan(r);
    then_push_vlan(r, 200 + dice(f, 2));
    then_some_sets(f, r);
    then_some_jump(f, r);
}

static void
write_untag(struct fixture *f, struct draft *r)
{
    when_vlan(r, 200 + dice(f, 2));
    then_pop_vlan(r);
    then_some_sets(f, r);
    then_some_jump(f, r);
}

static void
write_arp_answer(struct fixture *f, struct draft *r)
{
    when_arp_question(f, r);
    struct in6_addr a;
    assert_true(ipaddr_from_text(ips[dice(f, 3)], &a));
    then_arp_reply(r, macs[dice(f, 3)], ipaddr_v4(&a));
    then_output_in_port(r);
}

static void
write_nd_part_one(struct fixture *f, struct draft *r)
{
    when_nd(f, r, 135);
    then_nd_become_advertisement(r);
    then_goto(r, T_ANSWER_ND);
}

static void
write_nd_part_two(struct fixture *f, struct draft *r)
{
    when_icmpv6(r, 136);
    struct in6_addr a;
    assert_true(ipaddr_from_text(ip6s[dice(f, 3)], &a));
    then_nd_advertise(r, macs[dice(f, 3)], &a, dice(f, 2));
    then_output_in_port(r);
}

static void
write_rule(struct fixture *f, struct draft *r)
{
    uint32_t kind = dice(f, 4);
    if (r->table == T_ANSWER_ND && kind) {
        write_nd_part_two(f, r);
    } else if (r->table == T_ANSWER && kind == 1) {
        write_arp_answer(f, r);
    } else if (r->table == T_ANSWER && kind == 2) {
        write_nd_part_one(f, r);
    } else if (!dice(f, 8)) {
        write_untag(f, r);
    } else if (!dice(f, 8)) {
        write_tag(f, r);
    } else {
        write_plain(f, r);
    }
}

static void
write_buckets(struct fixture *f, uint32_t group)
{
    for (uint32_t i = 0; i < 3; i++) {
        struct draft r;
        draft_init_bucket(&r, scope_host(&f->host), group, i);
        then_some_sets(f, &r);
        if (dice(f, 2)) {
            if (dice(f, 2)) {
                then_push_vlan(&r, 200 + dice(f, 2));
            }
            then_output(&r, FIRST_PORT + dice(f, N_PORTS));
        } else {
            then_resubmit(&r, T_EGRESS + dice(f, 2));
        }
        scope_add(f->scopes, &r, NULL);
        draft_uninit(&r);
    }
}

static void
write_program(struct fixture *f)
{
    f->scopes = scopes_create();
    scopes_want(f->scopes, &f->host, scope_host(&f->host));
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t group = group_number(GROUP_FLOOD_LOCAL, i);
        scope_add_group(f->scopes, scope_host(&f->host), group, NULL);
        write_buckets(f, group);
    }
    for (enum table_id table = 0; table < N_TABLES; table++) {
        for (int priority = 6; priority >= 0; priority--) {
            struct draft r;
            draft_init_rule(&r, scope_host(&f->host), table, priority);
            if (priority) {
                write_rule(f, &r);
            } else {
                then_some_sets(f, &r);
                then_some_jump(f, &r);
            }
            scope_add(f->scopes, &r, NULL);
            draft_uninit(&r);
        }
    }
}

static struct frame
random_frame(struct fixture *f)
{
    struct eth_addr src = macs[dice(f, 3)], dst = macs[dice(f, 4)];
    const char *from = ips[dice(f, 3)], *to = ips[dice(f, 3)];
    const char *from6 = ip6s[dice(f, 3)], *to6 = ip6s[dice(f, 3)];
    switch (dice(f, 10)) {
    case 8:
        return frame_mld_report(src, from6);
    case 0:
        return frame_arp_request(src, from, to);
    case 1:
        return frame_arp(2, src, from, dst, to);
    case 2:
        return frame_udp(src, dst, from, to, 68, 67 + dice(f, 2));
    case 3:
        return frame_tcp(src, dst, from6, to6, 1000, 80);
    case 4:
        return frame_echo(src, dst, from, to);
    case 5:
        return frame_solicitation(src, dice(f, 4) ? from6 : "::", to6);
    case 6:
        return frame_advertisement(src, from6, from6, macs[dice(f, 3)]);
    case 7:
        return frame_echo(src, dst, from6, to6);
    default:
        return frame_ethernet(src, dst, 0x88cc, "some lldp", 9);
    }
}

/* Outputs as text, in one form for both sides. */

static int
compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Sorts and joins 'texts', and frees them. */
static char *
join(char **texts, size_t n)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    if (n) {
        qsort(texts, n, sizeof *texts, compare_texts);
    } else {
        ds_put_cstr(&s, "drop");
    }
    for (size_t i = 0; i < n; i++) {
        ds_put_format(&s, "%s%s", i ? " " : "", texts[i]);
        free(texts[i]);
    }
    return ds_steal_cstr(&s);
}

static char *
outputs_of_result(const struct packet_result *r)
{
    char *texts[MAX_FRAMES];
    size_t n = 0;
    for (size_t i = 0; i < r->n_outputs; i++) {
        const struct packet_output *output = &r->outputs[i];
        assert_true(n < MAX_FRAMES);
        if (output->ofport == PACKET_CONTROLLER) {
            texts[n++] = mem_text("controller");
        } else if (output->ofport != TUNNEL_PORT) {
            texts[n++] = mem_textf("%u", output->ofport);
        } else if (output->has_tunnel
                   && !uid_is_zero((const void *) &output->tunnel.remote)) {
            char remote[INET6_ADDRSTRLEN];
            ipaddr_to_text(&output->tunnel.remote, remote);
            texts[n++] =
                mem_textf("tunnel %llu to %s",
                          (unsigned long long) output->tunnel.key, remote);
        }
    }
    return join(texts, n);
}

/* Splits at commas outside of parentheses. */
static char *
next_token(char **cursorp)
{
    char *start = *cursorp;
    int depth = 0;
    if (!*start) {
        return NULL;
    }
    for (char *p = start;; p++) {
        depth += (*p == '(') - (*p == ')');
        if (!*p || (*p == ',' && !depth)) {
            *cursorp = *p ? p + 1 : p;
            *p = '\0';
            return start;
        }
    }
}

static char *
output_of_token(const char *token)
{
    if (text_starts_with(token, "userspace(")) {
        return mem_text("controller");
    } else if (strstr(token, "tnl_push(")) {
        const char *ip = strstr(token, "ipv4(");
        const char *vni = strstr(token, "vni=");
        char remote[64];
        unsigned int key = 0;
        assert_true(ip && vni && sscanf(vni, "vni=%x", &key) == 1
                    && sscanf(strstr(ip, "dst="), "dst=%63[0-9.]", remote)
                           == 1);
        return mem_textf("tunnel %u to %s", key, remote);
    } else if (*token >= '0' && *token <= '9'
               && strcmp(token, UNDERLAY_PORT)) {
        return mem_text(token);
    }
    return NULL;
}

/* Datapath ports have the numbers of their names, hence of OpenFlow. */
static char *
outputs_of_trace(char *trace)
{
    static const char marker[] = "Datapath actions: ";
    char *cursor = strstr(trace, marker);
    assert_non_null(cursor);
    cursor += strlen(marker);
    cursor[strcspn(cursor, "\n")] = '\0';
    char *texts[MAX_FRAMES];
    size_t n = 0;
    char *token;
    while ((token = next_token(&cursor))) {
        char *text = output_of_token(token);
        if (text) {
            assert_true(n < MAX_FRAMES);
            texts[n++] = text;
        }
    }
    return join(texts, n);
}

static void
compare_trace(struct fixture *f, uint32_t in_port,
              const struct packet_tunnel *tunnel, const struct frame *frame,
              const struct packet_result *result)
{
    AUTO_DS flow = DS_EMPTY_INITIALIZER;
    ds_put_format(&flow, "in_port=%u", in_port);
    if (tunnel) {
        char remote[INET6_ADDRSTRLEN];
        ipaddr_to_text(&tunnel->remote, remote);
        ds_put_format(&flow, ",tun_id=%llu,tun_src=%s,tun_dst=172.16.0.1",
                      (unsigned long long) tunnel->key, remote);
    }
    AUTO_TEXT *hex = frame_to_hex(frame);
    AUTO_TEXT *trace = real_switch_shell(
        f->sw, "$APPCTL ofproto/trace br-int '%s' %s", ds_cstr(&flow), hex);
    AUTO_TEXT *whole = mem_text(trace);
    AUTO_TEXT *want = outputs_of_trace(trace);
    AUTO_TEXT *got = outputs_of_result(result);
    if (strcmp(got, want)) {
        fail_msg("interpreter: %s\nswitch: %s\n%s\n%s", got, want,
                 ds_cstr_ro(&result->trace), whole);
    }
    f->n_compared++;
}

/* Frames that really leave. */

/* Takes the next frame from the port's capture, if it is complete. */
static bool
read_captured(struct fixture *f, int port, struct frame *frame)
{
    uint32_t header[4]; /* Seconds, microseconds, sizes. */
    AUTO_TEXT *path = mem_textf("%s/p%d.pcap", real_switch_directory(f->sw),
                                FIRST_PORT + port);
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    assert_int_equal(0, fseek(stream, f->offsets[port], SEEK_SET));
    bool complete = fread(header, sizeof header, 1, stream) == 1
                    && header[2] <= FRAME_MAX
                    && fread(frame->bytes, header[2], 1, stream) == 1;
    fclose(stream);
    if (complete) {
        frame->size = header[2];
        f->offsets[port] += sizeof header + frame->size;
    }
    return complete;
}

static bool
next_captured(struct fixture *f, int port, time_t deadline,
              struct frame *frame)
{
    char events[4096];
    while (!read_captured(f, port, frame)) {
        struct pollfd growth = { .fd = f->notify, .events = POLLIN };
        time_t left = deadline - time(NULL);
        if (left <= 0 || poll(&growth, 1, left * 1000) <= 0) {
            return false;
        }
        assert_true(read(f->notify, events, sizeof events) > 0);
    }
    return true;
}

/* In any order: that of a group's buckets is the switch's own choice. */
static void
compare_port(struct fixture *f, int port, const struct packet_result *result)
{
    char *wants[MAX_FRAMES], *gots[MAX_FRAMES];
    size_t n = 0;
    time_t deadline = time(NULL) + DEADLINE_S;
    for (size_t i = 0; i < result->n_outputs; i++) {
        const struct packet_output *output = &result->outputs[i];
        if (output->ofport == (uint32_t) (FIRST_PORT + port)) {
            struct frame got = { .size = 0 };
            assert_true(n < MAX_FRAMES);
            if (!next_captured(f, port, deadline, &got)) {
                print_error("no frame on port %d\n", FIRST_PORT + port);
            }
            wants[n] = frame_to_hex(&output->frame);
            gots[n++] = frame_to_hex(&got);
        }
    }
    AUTO_TEXT *want = join(wants, n);
    AUTO_TEXT *got = join(gots, n);
    if (strcmp(want, got)) {
        print_error("%s", ds_cstr_ro(&result->trace));
        fail_msg("port %d:\ninterpreter %s\nswitch      %s", FIRST_PORT + port,
                 want, got);
    }
}

static void
compare_frames(struct fixture *f, uint32_t in_port, const struct frame *frame,
               const struct packet_result *result)
{
    AUTO_TEXT *hex = frame_to_hex(frame);
    free(real_switch_shell(f->sw, "$APPCTL netdev-dummy/receive p%u %s",
                           in_port, hex));
    for (int port = 0; port < N_PORTS; port++) {
        compare_port(f, port, result);
    }
}

static void
compare_packet(struct fixture *f)
{
    struct packet_result result;
    struct frame frame = random_frame(f);
    if (!dice(f, 4)) {
        frame = frame_tagged(&frame, 200 + dice(f, 2));
    }
    if (!dice(f, 4)) {
        struct packet_tunnel tunnel = { .key = 5000 + dice(f, 2) };
        assert_true(ipaddr_from_text(peers[dice(f, 2)], &tunnel.remote));
        packet_run(f->scopes, &f->host, TUNNEL_PORT, &tunnel, &frame, &result);
        compare_trace(f, TUNNEL_PORT, &tunnel, &frame, &result);
    } else {
        uint32_t in_port = FIRST_PORT + dice(f, N_PORTS);
        packet_run(f->scopes, &f->host, in_port, NULL, &frame, &result);
        compare_trace(f, in_port, NULL, &frame, &result);
        compare_frames(f, in_port, &frame, &result);
    }
    packet_result_uninit(&result);
}

static void
set_up_ports(struct fixture *f)
{
    for (int i = FIRST_PORT; i < FIRST_PORT + N_PORTS; i++) {
        free(real_switch_shell(
            f->sw,
            "$VSCTL add-port br-int p%d -- set interface p%d "
            "type=dummy ofport_request=%d options:tx_pcap=$D/p%d.pcap",
            i, i, i, i));
        f->offsets[i - FIRST_PORT] = 24; /* The file's header. */
    }
    assert_true(
        inotify_add_watch(f->notify, real_switch_directory(f->sw), IN_MODIFY)
        >= 0);
    free(real_switch_shell(
        f->sw,
        "$VSCTL add-port br-int vxlan -- set interface vxlan "
        "type=vxlan options:remote_ip=flow options:key=flow "
        "ofport_request=%d -- add-br br-phy -- set bridge br-phy "
        "datapath_type=dummy other_config:hwaddr=aa:55:aa:55:00:01 -- "
        "add-port br-phy p90 -- set interface p90 type=dummy && "
        "$APPCTL netdev-dummy/ip4addr br-phy 172.16.0.1/24 && "
        "$APPCTL ovs/route/add 172.16.0.0/24 br-phy && "
        "$APPCTL tnl/neigh/set br-phy 172.16.0.2 aa:55:aa:55:00:02 && "
        "$APPCTL tnl/neigh/set br-phy 172.16.0.3 aa:55:aa:55:00:03",
        TUNNEL_PORT));
}

static int
set_up(void **state)
{
    struct fixture *f = NEW(struct fixture);
    const char *seed = getenv("WEFT_SEED");
    f->seed = seed ? strtoull(seed, NULL, 0) : (uint64_t) time(NULL);
    print_message("WEFT_SEED=%llu\n", (unsigned long long) f->seed);
    f->host = uid_from_name("host", "one");
    f->notify = inotify_init1(IN_CLOEXEC);
    f->sw = real_switch_create();
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;
    vconn_close(f->vconn);
    scopes_destroy(f->scopes);
    real_switch_destroy(f->sw);
    close(f->notify);
    free(f);
    return 0;
}

static void
test_same_as_a_switch(void **state)
{
    struct fixture *f = *state;
    if (!f->sw) {
        skip();
    }
    set_up_ports(f);
    f->vconn = real_switch_connect(f->sw, OFP15_VERSION);
    for (int round = 0; round < N_ROUNDS; round++) {
        free(real_switch_shell(
            f->sw, "ovs-ofctl -O OpenFlow15 del-flows unix:$D/br-int.mgmt && "
                   "ovs-ofctl -O OpenFlow15 del-groups unix:$D/br-int.mgmt"));
        write_program(f);
        real_switch_program(f->vconn, f->scopes, &f->host);
        /* Or old decisions live on for a moment. */
        free(real_switch_shell(f->sw, "$APPCTL revalidator/purge"));
        for (int i = 0; i < N_PACKETS; i++) {
            compare_packet(f);
        }
        scopes_destroy(f->scopes);
        f->scopes = NULL;
    }
    assert_int_equal(f->n_compared, N_ROUNDS * N_PACKETS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_same_as_a_switch, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
