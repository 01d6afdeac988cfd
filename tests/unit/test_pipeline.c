/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, drafts, encoding and texts of the pipeline.
 *
 * 'all_rules' and 'all_buckets' use every when_ and then_ function;
 * tests/system/test_pipeline_ovs.c gives the same to a real switch. */

#include <endian.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "openflow/openflow.h"
#include "openvswitch/ofp-flow.h"
#include "pipeline/pipeline.h"
#include "tests/packet/samples.h"

static struct scope_id
some_scope(void)
{
    struct uuid id = uid_from_name("segment", "one");
    return scope_segment(&id);
}

static char *
text_of(const struct draft *draft)
{
    AUTO(scopes) *scopes = scopes_create();
    struct item *item = scope_add(scopes, draft, NULL);
    return item_to_text(item);
}

static void
test_packets_only_move_down(void **state OVS_UNUSED)
{
#define TO(ID) assert_true(table_number(T_##ID) > number);
#define TABLE(ID, NUMBER, QUESTION, NEXT)                                     \
    {                                                                         \
        uint8_t number = table_number(T_##ID);                                \
        enum table_id table;                                                  \
        assert_int_equal(number, NUMBER);                                     \
        assert_true(table_from_number(number, &table) && table == T_##ID);    \
        assert_true(table_from_name(#ID, &table) && table == T_##ID);         \
        NEXT                                                                  \
    }
#define REGISTER(ID, FIELD, FIRST, BITS, MEANING)
#include "pipeline/pipeline.def"
#undef TO
#undef TABLE
#undef REGISTER
    enum table_id table;
    assert_false(table_from_number(255, &table));
    assert_false(table_from_name("NOWHERE", &table));
}

static void
test_registers_do_not_overlap(void **state OVS_UNUSED)
{
    uint64_t used[16] = { 0 };
#define TABLE(ID, NUMBER, QUESTION, NEXT)
#define REGISTER(ID, FIELD, FIRST, BITS, MEANING)                             \
    {                                                                         \
        uint64_t mask = ((UINT64_C(1) << (BITS)) - 1) << (FIRST);             \
        assert_true((FIRST) + (BITS) <= 32);                                  \
        assert_false(used[MFF_##FIELD - MFF_REG0] & mask);                    \
        used[MFF_##FIELD - MFF_REG0] |= mask;                                 \
    }
#include "pipeline/pipeline.def"
#undef TABLE
#undef REGISTER
}

static void
test_carriers(void **state OVS_UNUSED)
{
    enum carrier carrier;
    assert_true(carrier_from_text("vxlan", &carrier));
    assert_int_equal(carrier, CARRIER_VXLAN);
    assert_true(carrier_is_tunnel(carrier));
    assert_int_equal(carrier_overhead(carrier), 50);
    assert_string_equal(carrier_interface_type(carrier), "vxlan");
    assert_true(carrier_from_text("vlan", &carrier));
    assert_false(carrier_is_tunnel(carrier));
    assert_string_equal(carrier_name(CARRIER_NONE), "local");
    assert_false(carrier_from_text("unknown", &carrier));
    assert_false(carrier_from_text("", &carrier));
}

static void
test_group_numbers(void **state OVS_UNUSED)
{
    uint32_t a = group_number(GROUP_FLOOD_LOCAL, 17);
    uint32_t b = group_number(GROUP_UNKNOWN_REMOTE, GROUP_NUMBER_MAX);
    assert_int_equal(a & GROUP_MASK, GROUP_TAG);
    assert_int_equal(b & GROUP_MASK, GROUP_TAG);
    assert_int_not_equal(a, group_number(GROUP_FLOOD_REMOTE, 17));
    assert_int_equal(b, 0x77ffffff);
}

static void
test_samples_to_text(void **state OVS_UNUSED)
{
    for (size_t i = 0; i < n_samples; i++) {
        struct draft draft;
        samples[i].write(&draft);
        AUTO_TEXT *text = text_of(&draft);
        draft_uninit(&draft);
        if (strcmp(text, samples[i].text)) {
            fail_msg("sample %zu:\n got  %s\n want %s", i, text,
                     samples[i].text);
        }
    }
}

static void
decode(const struct ofpbuf *message, enum ofputil_protocol protocol,
       struct ofputil_flow_mod *fm, struct match *match,
       struct ofpbuf *ofpacts)
{
    assert_int_equal(0,
                     ofputil_decode_flow_mod(fm, message->data, protocol, NULL,
                                             NULL, ofpacts, OFPP_MAX, 254));
    minimatch_expand(&fm->match, match);
    minimatch_destroy(&fm->match);
}

static void
assert_same_match(const struct match *a_, const struct match *b_)
{
    /* Decoding says what is silent otherwise: this is about Ethernet. */
    struct match a = *a_;
    struct match b = *b_;
    match_set_default_packet_type(&a);
    match_set_default_packet_type(&b);
    if (!match_equal(&a, &b)) {
        AUTO_TEXT *a_text = match_to_string(&a, NULL, 0);
        AUTO_TEXT *b_text = match_to_string(&b, NULL, 0);
        fail_msg("%s differs from %s", a_text, b_text);
    }
}

static void
check_encoding(const struct item *item, const struct draft *draft,
               enum ofputil_protocol protocol)
{
    struct ofpbuf *message = item_rule_encode(item, OFPFC_ADD, protocol);
    struct ofputil_flow_mod fm;
    struct match match;
    struct ofpbuf ofpacts;
    ofpbuf_init(&ofpacts, 0);
    decode(message, protocol, &fm, &match, &ofpacts);
    assert_int_equal(fm.command, OFPFC_ADD);
    assert_int_equal(fm.priority, draft->priority);
    assert_int_equal(fm.table_id, table_number(draft->table));
    assert_true(fm.new_cookie == htobe64(item->cookie));
    assert_same_match(&match, &draft->match);
    /* Actions may be encoded another way, but print the same. */
    struct ofputil_flow_stats fs = {
        .match = match,
        .table_id = fm.table_id,
        .priority = fm.priority,
        .ofpacts = ofpacts.data,
        .ofpacts_len = ofpacts.size,
        .packet_count = UINT64_MAX,
    };
    AUTO_TEXT *text = pipeline_flow_to_text(&fs);
    AUTO_TEXT *expected = item_to_text(item);
    assert_string_equal(text, expected);
    ofpbuf_uninit(&ofpacts);
    ofpbuf_delete(message);
}

static void
check_delete(const struct item *item, const struct draft *draft,
             enum ofputil_protocol protocol)
{
    struct ofpbuf *message =
        item_rule_encode(item, OFPFC_DELETE_STRICT, protocol);
    struct ofputil_flow_mod fm;
    struct match match;
    struct ofpbuf ofpacts;
    ofpbuf_init(&ofpacts, 0);
    decode(message, protocol, &fm, &match, &ofpacts);
    assert_int_equal(fm.command, OFPFC_DELETE_STRICT);
    assert_int_equal(fm.priority, draft->priority);
    assert_true(fm.cookie == htobe64(COOKIE_TAG));
    assert_true(fm.cookie_mask == htobe64(COOKIE_MASK));
    assert_same_match(&match, &draft->match);
    ofpbuf_uninit(&ofpacts);
    ofpbuf_delete(message);
}

static void
test_samples_round_trip(void **state OVS_UNUSED)
{
    static const enum ofputil_protocol protocols[] = {
        OFPUTIL_P_OF13_OXM,
        OFPUTIL_P_OF14_OXM,
        OFPUTIL_P_OF15_OXM,
    };
    for (size_t i = 0; i < n_samples; i++) {
        AUTO(scopes) *scopes = scopes_create();
        struct draft draft;
        samples[i].write(&draft);
        struct item *item = scope_add(scopes, &draft, NULL);
        for (int p = 0; draft.kind == ITEM_RULE && p < 3; p++) {
            check_encoding(item, &draft, protocols[p]);
            check_delete(item, &draft, protocols[p]);
        }
        if (draft.kind == ITEM_BUCKET) {
            struct ofpbuf ofpacts;
            ofpbuf_init(&ofpacts, 0);
            item_bucket_actions(item, &ofpacts);
            assert_int_equal(item->cookie,
                             bucket_cookie(draft.group, draft.bucket,
                                           ofpacts.data, ofpacts.size));
            assert_int_equal(item->cookie,
                             bucket_cookie(draft.group, draft.bucket,
                                           draft.ofpacts.data,
                                           draft.ofpacts.size));
            assert_true(item->cookie
                        != bucket_cookie(draft.group, draft.bucket + 1,
                                         ofpacts.data, ofpacts.size));
            ofpbuf_uninit(&ofpacts);
        }
        draft_uninit(&draft);
    }
}

/* A switch may show us a bucket of ours that somebody emptied. */
static void
test_empty_bucket_has_a_cookie(void **state OVS_UNUSED)
{
    uint64_t cookie = bucket_cookie(group_number(0, 1), 1, NULL, 0);
    assert_true((cookie & COOKIE_MASK) == COOKIE_TAG);
    assert_true(cookie != bucket_cookie(group_number(0, 1), 2, NULL, 0));
}

static void
test_old_protocols_cannot_say_it(void **state OVS_UNUSED)
{
    AUTO(scopes) *scopes = scopes_create();
    struct draft draft;
    samples[0].write(&draft);
    struct item *item = scope_add(scopes, &draft, NULL);
    draft_uninit(&draft);
    assert_null(item_rule_encode(item, OFPFC_ADD, OFPUTIL_P_OF10_NXM));
    assert_null(item_rule_encode(item, OFPFC_ADD, OFPUTIL_P_OF12_OXM));
}

static void
test_bytes_are_ready_to_send(void **state OVS_UNUSED)
{
    AUTO(scopes) *scopes = scopes_create();
    struct draft draft;
    samples[0].write(&draft);
    struct item *item = scope_add(scopes, &draft, NULL);
    draft_uninit(&draft);

    const struct ofp_header *oh = (const void *) item->body;
    assert_int_equal(oh->version, OFP15_VERSION);
    assert_int_equal(ntohs(oh->length), item->size);
    assert_int_equal(oh->xid, 0);
    struct ofpbuf *message =
        item_rule_encode(item, OFPFC_ADD, OFPUTIL_P_OF13_OXM);
    oh = message->data;
    assert_int_equal(oh->version, OFP13_VERSION);
    assert_int_equal(ntohs(oh->length), message->size);
    assert_int_equal(oh->xid, 0);
    ofpbuf_delete(message);
}

static void
write_rule(struct draft *draft, uint32_t segment, uint32_t target)
{
    draft_init_rule(draft, some_scope(), T_LOCAL, 100);
    when_register(draft, R_SEGMENT, segment);
    then_set(draft, R_TARGET, target);
    then_goto(draft, T_EGRESS);
}

static struct item *
add_rule(struct scopes *scopes, uint32_t segment, uint32_t target)
{
    struct draft draft;
    write_rule(&draft, segment, target);
    struct item *item = scope_add(scopes, &draft, NULL);
    draft_uninit(&draft);
    return item;
}

static void
test_identity_and_cookie(void **state OVS_UNUSED)
{
    AUTO(scopes) *scopes = scopes_create();
    const struct item *a = add_rule(scopes, 17, 5);
    const struct item *same = add_rule(scopes, 17, 5);
    const struct item *content = add_rule(scopes, 17, 6);
    const struct item *other = add_rule(scopes, 18, 5);
    assert_true(a->identity == same->identity && a->cookie == same->cookie);
    assert_true(a->identity == content->identity);
    assert_true(a->cookie != content->cookie);
    assert_true(a->identity != other->identity && a->cookie != other->cookie);
    assert_true((a->cookie & COOKIE_MASK) == COOKIE_TAG);

    /* A switch remembers cookies over our upgrades: if this changes, every
     * flow of every switch is sent again once. */
    assert_int_equal(a->cookie, UINT64_C(0x77655b403d333766));
}

static void
test_numbers_are_identity_of_groups_and_tunnels(void **state OVS_UNUSED)
{
    AUTO(scopes) *scopes = scopes_create();
    uint32_t group = group_number(GROUP_FLOOD_LOCAL, 17);
    const struct item *a = scope_add_group(scopes, some_scope(), group, NULL);
    const struct item *b =
        scope_add_tunnel(scopes, some_scope(), CARRIER_VXLAN, NULL);
    const struct item *c =
        scope_add_tunnel(scopes, some_scope(), CARRIER_GRE, NULL);
    assert_true(a->identity != b->identity && b->identity != c->identity);
    AUTO_TEXT *a_text = item_to_text(a);
    AUTO_TEXT *b_text = item_to_text(b);
    assert_string_equal(a_text, "group FLOOD_LOCAL(17)");
    assert_string_equal(b_text, "tunnel vxlan");
}

static void
test_foreign_flow_to_text(void **state OVS_UNUSED)
{
    struct ofputil_flow_stats fs = {
        .table_id = 33,
        .priority = 1,
        .packet_count = 7,
        .byte_count = 700,
    };
    match_init_catchall(&fs.match);
    AUTO_TEXT *text = pipeline_flow_to_text(&fs);
    assert_string_equal(text, "table 33 1 any -> drop "
                              "[7 packets, 700 bytes]");
}

/* A draft that breaks the declarations ends the process.  Each case runs in a
 * child. */

static void
jump_up(struct draft *draft)
{
    then_goto(draft, T_GUARD);
}

static void
jump_over(struct draft *draft)
{
    then_resubmit(draft, T_OUTPUT);
}

static void
action_after_goto(struct draft *draft)
{
    then_goto(draft, T_EGRESS);
    then_output(draft, 1);
}

static void
undeclared_register(struct draft *draft)
{
    match_set_reg(&draft->match, 15, 1);
}

static void
undeclared_bits(struct draft *draft)
{
    match_set_reg(&draft->match, 4, 1);
}

static void
set_undeclared_register(struct draft *draft)
{
    ovs_be32 one = htonl(1);
    ofpact_put_set_field(&draft->ofpacts, mf_from_id(MFF_REG14), &one, NULL);
}

static void
inconsistent_field(struct draft *draft)
{
    struct eth_addr mac = ETH_ADDR_C(02, 00, 00, 00, 00, 01);
    then_arp_reply(draft, mac, htonl(0x0a000001));
}

static void
pop_without_tag(struct draft *draft)
{
    then_pop_vlan(draft);
}

static void
value_too_wide(struct draft *draft)
{
    then_set(draft, R_ORIGIN, 4);
}

static void
match_too_wide(struct draft *draft)
{
    when_register(draft, R_CARRIER, 16);
}

static void
drop_after_action(struct draft *draft)
{
    then_output(draft, 1);
    then_drop(draft);
}

static void
nothing(struct draft *draft OVS_UNUSED)
{
}

static void
output_twice(struct draft *draft)
{
    then_output(draft, 1);
    then_output(draft, 2);
}

static void
goto_in_bucket(struct draft *draft)
{
    then_goto(draft, T_EGRESS);
}

static void
init_rule(struct draft *draft)
{
    draft_init_rule(draft, some_scope(), T_LOCAL, 1);
}

static void
init_bucket(struct draft *draft)
{
    draft_init_bucket(draft, some_scope(), group_number(0, 1), 1);
}

static bool
child_dies(void (*init)(struct draft *), void (*write)(struct draft *))
{
    pid_t pid = fork();
    if (!pid) {
        assert_non_null(freopen("/dev/null", "w", stderr));
        signal(SIGABRT, SIG_DFL);
        AUTO(scopes) *scopes = scopes_create();
        struct draft draft;
        init(&draft);
        write(&draft);
        scope_add(scopes, &draft, NULL);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status);
}

static void
test_illegal_drafts_abort(void **state OVS_UNUSED)
{
    assert_false(child_dies(init_rule, then_drop));
    assert_true(child_dies(init_rule, jump_up));
    assert_true(child_dies(init_rule, jump_over));
    assert_true(child_dies(init_rule, action_after_goto));
    assert_true(child_dies(init_rule, undeclared_register));
    assert_true(child_dies(init_rule, undeclared_bits));
    assert_true(child_dies(init_rule, set_undeclared_register));
    assert_true(child_dies(init_rule, inconsistent_field));
    assert_true(child_dies(init_rule, pop_without_tag));
    assert_true(child_dies(init_rule, value_too_wide));
    assert_true(child_dies(init_rule, match_too_wide));
    assert_true(child_dies(init_rule, drop_after_action));

    assert_false(child_dies(init_rule, output_twice));
    assert_true(child_dies(init_bucket, output_twice));
    assert_true(child_dies(init_bucket, nothing));
    assert_true(child_dies(init_bucket, goto_in_bucket));
}

/* docs/generated/pipeline.md is what the code says.  UPDATE=1 rewrites. */
static void
test_generated_page(void **state OVS_UNUSED)
{
    const char *root = getenv("WEFT_SOURCE_ROOT");
    if (!root) {
        skip();
    }
    AUTO_TEXT *path = mem_textf("%s/docs/generated/pipeline.md", root);
    AUTO_TEXT *want = pipeline_to_markdown();
    if (getenv("UPDATE")) {
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        assert_true(fputs(want, out) >= 0);
        assert_int_equal(fclose(out), 0);
    }
    char got[16384] = "";
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    got[fread(got, 1, sizeof got - 1, in)] = '\0';
    fclose(in);
    assert_string_equal(got, want);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets_only_move_down),
        cmocka_unit_test(test_registers_do_not_overlap),
        cmocka_unit_test(test_carriers),
        cmocka_unit_test(test_group_numbers),
        cmocka_unit_test(test_samples_to_text),
        cmocka_unit_test(test_samples_round_trip),
        cmocka_unit_test(test_empty_bucket_has_a_cookie),
        cmocka_unit_test(test_old_protocols_cannot_say_it),
        cmocka_unit_test(test_bytes_are_ready_to_send),
        cmocka_unit_test(test_identity_and_cookie),
        cmocka_unit_test(test_numbers_are_identity_of_groups_and_tunnels),
        cmocka_unit_test(test_foreign_flow_to_text),
        cmocka_unit_test(test_illegal_drafts_abort),
        cmocka_unit_test(test_generated_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
