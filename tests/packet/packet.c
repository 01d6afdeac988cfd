/* SPDX-License-Identifier: Apache-2.0 */
/* The interpreter.
 *
 *     scopes ─► items the host wants, decoded ─► rules by priority, buckets
 *     frame  ─► struct flow ─► lookup ─► actions ─► lookup ... ─► outputs
 *
 * What it does on purpose as Open vSwitch 3.1 does (ofproto-dpif-xlate.c):
 *
 *   - a frame is not sent to the port it came from, except by IN_PORT;
 *   - a resubmit keeps what the other table changed, a bucket does not;
 *   - a bucket is an action set, so of output and resubmit only one counts;
 *   - a field is only set if the packet has it;
 *   - no rule: drop. */

#include "tests/packet/packet.h"

#include <endian.h>
#include <stdio.h>

#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-flow.h"

#define MAX_DEPTH   64
#define TAG_PRESENT 0x1000

struct rule {
    const struct item *item;
    struct match match;
    struct ofpbuf ofpacts;
};

struct program {
    struct rule *rules; /* By table, then descending priority. */
    size_t n_rules, allocated_rules;
    struct rule *buckets; /* By group, then bucket id. */
    size_t n_buckets, allocated_buckets;
};

struct run {
    const struct program *program;
    const struct frame *frame;
    struct packet_result *result;
    struct flow flow;
    bool tunnel_set;
    int depth;
};

static void execute(struct run *, const struct ofpact *, size_t);

/* What the host wants, as a program. */

static void
decode_rule(struct rule *rule, const struct item *item)
{
    rule->item = item;
    ofpbuf_init(&rule->ofpacts, 128);
    if (item->kind == ITEM_BUCKET) {
        item_bucket_actions(item, &rule->ofpacts);
        return;
    }
    struct ofputil_flow_mod fm;
    enum ofperr error = ofputil_decode_flow_mod(&fm, (const void *) item->body,
                                                OFPUTIL_P_OF15_OXM, NULL, NULL,
                                                &rule->ofpacts, OFPP_MAX, 254);
    ovs_assert(!error);
    minimatch_expand(&fm.match, &rule->match);
    minimatch_destroy(&fm.match);
}

static void
add_item(struct program *program, const struct item *item)
{
    if (item->kind == ITEM_RULE) {
        ARRAY_GROW(program->rules, program->n_rules, program->allocated_rules);
        decode_rule(&program->rules[program->n_rules++], item);
    } else if (item->kind == ITEM_BUCKET) {
        ARRAY_GROW(program->buckets, program->n_buckets,
                   program->allocated_buckets);
        decode_rule(&program->buckets[program->n_buckets++], item);
    }
}

static int
compare_rules(const void *a_, const void *b_)
{
    const struct item *a = ((const struct rule *) a_)->item;
    const struct item *b = ((const struct rule *) b_)->item;
    return (a->table != b->table ? a->table - b->table
                                 : b->priority - a->priority);
}

static int
compare_buckets(const void *a_, const void *b_)
{
    const struct item *a = ((const struct rule *) a_)->item;
    const struct item *b = ((const struct rule *) b_)->item;
    return (a->group != b->group    ? (a->group < b->group ? -1 : 1)
            : a->bucket < b->bucket ? -1
                                    : a->bucket > b->bucket);
}

static void
program_init(struct program *program, const struct scopes *scopes,
             const struct uuid *host)
{
    memset(program, 0, sizeof *program);
    size_t n;
    const struct scope **array = scopes_of_host(scopes, host, &n);
    for (size_t i = 0; i < n; i++) {
        const struct item *item;
        SCOPE_FOR_EACH_ITEM (item, array[i]) {
            if (scopes_wanted(scopes, host, item->identity) == item) {
                add_item(program, item);
            }
        }
    }
    free(array);
    if (program->n_rules) {
        qsort(program->rules, program->n_rules, sizeof *program->rules,
              compare_rules);
    }
    if (program->n_buckets) {
        qsort(program->buckets, program->n_buckets, sizeof *program->buckets,
              compare_buckets);
    }
}

static void
program_uninit(struct program *program)
{
    for (size_t i = 0; i < program->n_rules; i++) {
        ofpbuf_uninit(&program->rules[i].ofpacts);
    }
    for (size_t i = 0; i < program->n_buckets; i++) {
        ofpbuf_uninit(&program->buckets[i].ofpacts);
    }
    free(program->rules);
    free(program->buckets);
}

/* Execution. */

static void
put_trace(struct run *run, const struct item *item)
{
    AUTO_TEXT *text = item_to_text(item);
    ds_put_char_multiple(&run->result->trace, ' ', 2 * run->depth);
    ds_put_format(&run->result->trace, "%s\n", text);
}

static bool
matches(const struct match *match, const struct flow *flow)
{
    const uint64_t *want = (const uint64_t *) &match->flow;
    const uint64_t *mask = (const uint64_t *) &match->wc.masks;
    const uint64_t *have = (const uint64_t *) flow;
    for (size_t i = 0; i < FLOW_U64S; i++) {
        if ((want[i] ^ have[i]) & mask[i]) {
            return false;
        }
    }
    return true;
}

/* Aborts if 'rule' won only by chance: which of two rules of one priority is
 * taken is undefined (OpenFlow 1.5, section 5.3). */
static void
check_unambiguous(const struct run *run, const struct rule *rule)
{
    const struct rule *end = run->program->rules + run->program->n_rules;
    for (const struct rule *other = rule + 1;
         other < end && !compare_rules(rule, other); other++) {
        if (matches(&other->match, &run->flow)
            && !ofpacts_equal(rule->ofpacts.data, rule->ofpacts.size,
                              other->ofpacts.data, other->ofpacts.size)) {
            AUTO_TEXT *a = item_to_text(rule->item);
            AUTO_TEXT *b = item_to_text(other->item);
            fprintf(stderr, "%s%s\nor\n%s?\n", ds_cstr_ro(&run->result->trace),
                    a, b);
            abort();
        }
    }
}

static void
lookup(struct run *run, uint8_t number)
{
    enum table_id table;
    ovs_assert(table_from_number(number, &table));
    ovs_assert(run->depth < MAX_DEPTH);
    run->depth++;
    for (size_t i = 0; i < run->program->n_rules; i++) {
        const struct rule *rule = &run->program->rules[i];
        if (rule->item->table == table && matches(&rule->match, &run->flow)) {
            check_unambiguous(run, rule);
            put_trace(run, rule->item);
            execute(run, rule->ofpacts.data, rule->ofpacts.size);
            run->depth--;
            return;
        }
    }
    ds_put_char_multiple(&run->result->trace, ' ', 2 * run->depth);
    ds_put_format(&run->result->trace, "%s: no rule\n", table_name(table));
    run->depth--;
}

static struct packet_output *
add_output(struct run *run, uint32_t ofport)
{
    struct packet_result *result = run->result;
    ARRAY_GROW(result->outputs, result->n_outputs, result->allocated_outputs);
    struct packet_output *output = &result->outputs[result->n_outputs++];
    memset(output, 0, sizeof *output);
    output->ofport = ofport;
    output->frame = frame_compose(run->frame, &run->flow);
    if (run->tunnel_set) {
        const struct flow_tnl *tunnel = &run->flow.tunnel;
        output->has_tunnel = true;
        output->tunnel.key = be64toh((OVS_FORCE uint64_t) tunnel->tun_id);
        output->tunnel.remote =
            (tunnel->ip_dst ? ipaddr_from_v4(tunnel->ip_dst)
                            : tunnel->ipv6_dst);
    }
    return output;
}

static void
execute_output(struct run *run, const struct ofpact_output *output)
{
    uint32_t in_port = (OVS_FORCE uint32_t) run->flow.in_port.ofp_port;
    uint32_t port = (OVS_FORCE uint32_t) output->port;
    if (output->port == OFPP_IN_PORT) {
        add_output(run, in_port);
    } else if (port == in_port) {
        ds_put_char_multiple(&run->result->trace, ' ', 2 * run->depth);
        ds_put_format(&run->result->trace, "not back to port %" PRIu32 "\n",
                      port);
    } else {
        add_output(run, port);
    }
}

static void
execute_controller(struct run *run, const struct ofpact_controller *action)
{
    struct packet_output *output = add_output(run, PACKET_CONTROLLER);
    ovs_be32 reason = 0;
    ovs_assert(action->userdata_len == sizeof reason);
    memcpy(&reason, action->userdata, sizeof reason);
    output->reason = ntohl(reason);
}

static void
execute_set_field(struct run *run, const struct ofpact_set_field *set)
{
    const union mf_value *mask =
        (const void *) ((const uint8_t *) set->value
                        + ROUND_UP(set->field->n_bytes, OFPACT_ALIGNTO));
    if (mf_are_prereqs_ok(set->field, &run->flow, NULL)) {
        mf_set_flow_value_masked(set->field, set->value, mask, &run->flow);
    }
    if (set->field->id == MFF_TUN_ID || set->field->id == MFF_TUN_DST
        || set->field->id == MFF_TUN_IPV6_DST) {
        run->tunnel_set = true;
    }
}

static void
execute_group(struct run *run, uint32_t group)
{
    for (size_t i = 0; i < run->program->n_buckets; i++) {
        const struct rule *bucket = &run->program->buckets[i];
        if (bucket->item->group != group) {
            continue;
        }
        struct run saved = *run;
        run->depth++;
        put_trace(run, bucket->item);
        struct ofpbuf list;
        ofpbuf_init(&list, 0);
        ofpacts_execute_action_set(&list, &bucket->ofpacts);
        execute(run, list.data, list.size);
        ofpbuf_uninit(&list);
        *run = saved;
    }
}

static void
push_vlan(struct flow *flow, ovs_be16 type)
{
    ovs_assert(!flow->vlans[1].tci);
    flow->vlans[1] = flow->vlans[0];
    flow->vlans[0].tpid = type;
    flow->vlans[0].tci = htons(TAG_PRESENT);
}

static void
pop_vlan(struct flow *flow)
{
    flow->vlans[0] = flow->vlans[1];
    flow->vlans[1].qtag = 0;
}

static void
execute_action(struct run *run, const struct ofpact *a)
{
    switch ((int) a->type) {
    case OFPACT_OUTPUT:
        execute_output(run, ofpact_get_OUTPUT(a));
        break;
    case OFPACT_CONTROLLER:
        execute_controller(run, ofpact_get_CONTROLLER(a));
        break;
    case OFPACT_GROUP:
        execute_group(run, ofpact_get_GROUP(a)->group_id);
        break;
    case OFPACT_SET_FIELD:
        execute_set_field(run, ofpact_get_SET_FIELD(a));
        break;
    case OFPACT_REG_MOVE:
        mf_subfield_copy(&ofpact_get_REG_MOVE(a)->src,
                         &ofpact_get_REG_MOVE(a)->dst, &run->flow, NULL);
        break;
    case OFPACT_RESUBMIT:
        lookup(run, ofpact_get_RESUBMIT(a)->table_id);
        break;
    case OFPACT_GOTO_TABLE:
        lookup(run, ofpact_get_GOTO_TABLE(a)->table_id);
        break;
    case OFPACT_PUSH_VLAN:
        push_vlan(&run->flow, ofpact_get_PUSH_VLAN(a)->ethertype);
        break;
    case OFPACT_STRIP_VLAN:
        pop_vlan(&run->flow);
        break;
    default:
        fprintf(stderr, "packet interpreter: %s is not known\n",
                ofpact_name(a->type));
        abort();
    }
}

static void
execute(struct run *run, const struct ofpact *ofpacts, size_t size)
{
    const struct ofpact *a;
    OFPACT_FOR_EACH (a, ofpacts, size) {
        execute_action(run, a);
    }
}

static void
put_tunnel(struct flow_tnl *flow_tunnel, const struct packet_tunnel *tunnel)
{
    flow_tunnel->tun_id = (OVS_FORCE ovs_be64) htobe64(tunnel->key);
    if (ipaddr_is_v4(&tunnel->remote)) {
        flow_tunnel->ip_src = ipaddr_v4(&tunnel->remote);
    } else {
        flow_tunnel->ipv6_src = tunnel->remote;
    }
}

void
packet_run(const struct scopes *scopes, const struct uuid *host,
           uint32_t in_port, const struct packet_tunnel *tunnel,
           const struct frame *frame, struct packet_result *result)
{
    struct program program;
    program_init(&program, scopes, host);
    memset(result, 0, sizeof *result);
    ds_init(&result->trace);

    struct run run = {
        .program = &program,
        .frame = frame,
        .result = result,
    };
    run.flow.in_port.ofp_port = OFP_PORT_C(in_port);
    if (tunnel) {
        put_tunnel(&run.flow.tunnel, tunnel);
    }
    frame_parse(frame, &run.flow);
    lookup(&run, table_number(T_CLASSIFY));
    program_uninit(&program);
}

void
packet_result_uninit(struct packet_result *result)
{
    free(result->outputs);
    ds_destroy(&result->trace);
}

static int
compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static char *
output_to_text(const struct packet_output *output)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    if (output->ofport == PACKET_CONTROLLER) {
        ds_put_format(&s, "controller(%" PRIu32 ")", output->reason);
    } else {
        ds_put_format(&s, "%" PRIu32, output->ofport);
    }
    if (output->has_tunnel) {
        char remote[INET6_ADDRSTRLEN];
        ipaddr_to_text(&output->tunnel.remote, remote);
        ds_put_format(&s, "(tunnel %" PRIu64 " to %s)", output->tunnel.key,
                      remote);
    }
    return ds_steal_cstr(&s);
}

char *
packet_result_to_text(const struct packet_result *result)
{
    if (!result->n_outputs) {
        return mem_text("drop");
    }
    char **texts = mem_alloc(result->n_outputs * sizeof *texts);
    for (size_t i = 0; i < result->n_outputs; i++) {
        texts[i] = output_to_text(&result->outputs[i]);
    }
    qsort(texts, result->n_outputs, sizeof *texts, compare_texts);
    struct ds s = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < result->n_outputs; i++) {
        ds_put_format(&s, "%s%s", i ? " " : "", texts[i]);
        free(texts[i]);
    }
    free(texts);
    return ds_steal_cstr(&s);
}

const struct packet_output *
packet_only_output(const struct packet_result *result, uint32_t ofport)
{
    if (result->n_outputs != 1 || result->outputs[0].ofport != ofport) {
        AUTO_TEXT *text = packet_result_to_text(result);
        fprintf(stderr, "wanted one frame on port %" PRIu32 ", got: %s\n%s",
                ofport, text, ds_cstr_ro(&result->trace));
        abort();
    }
    return &result->outputs[0];
}
