/* SPDX-License-Identifier: Apache-2.0 */
/* What we encode, shown to a real switch in every version we speak: it takes
 * every rule and bucket of samples.c, gives the same back in its dumps, with
 * cookies that still say so, and deletes what we ask. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <endian.h>
#include <cmocka.h>

#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-group.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/vconn.h"
#include "tests/packet/real_switch.h"
#include "tests/packet/samples.h"

#define MAX_ITEMS 100

struct fixture {
    struct real_switch *sw;
    struct scopes *scopes;
    const struct item *items[MAX_ITEMS];
    size_t n_items;
    size_t n_rules, n_buckets;
};

static struct scope_id
some_scope(void)
{
    struct uuid id = uid_from_name("segment", "one");
    return scope_segment(&id);
}

static void
add_groups(struct fixture *f)
{
    static const struct {
        enum group_use use;
        uint32_t number;
    } groups[] = {
        { GROUP_FLOOD_LOCAL, 17 },
        { GROUP_FLOOD_REMOTE, 17 },
        { GROUP_UNKNOWN_REMOTE, 17 },
        { GROUP_FLOOD_REMOTE, 18 },
    };
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        f->items[f->n_items++] = scope_add_group(
            f->scopes, some_scope(),
            group_number(groups[i].use, groups[i].number), NULL);
    }
}

static int
set_up(void **state)
{
    struct fixture *f = NEW(struct fixture);
    f->sw = real_switch_create();
    f->scopes = scopes_create();
    for (size_t i = 0; i < n_samples; i++) {
        struct draft draft;
        samples[i].write(&draft);
        f->items[f->n_items++] = scope_add(f->scopes, &draft, NULL);
        f->n_rules += draft.kind == ITEM_RULE;
        f->n_buckets += draft.kind == ITEM_BUCKET;
        draft_uninit(&draft);
    }
    add_groups(f);
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;
    real_switch_destroy(f->sw);
    scopes_destroy(f->scopes);
    free(f);
    return 0;
}

static void
check_flow(const struct fixture *f, struct ofputil_flow_stats *fs)
{
    const struct item *item =
        scopes_find_cookie(f->scopes, be64toh(fs->cookie));
    assert_non_null(item);
    fs->packet_count = UINT64_MAX;
    AUTO_TEXT *got = pipeline_flow_to_text(fs);
    AUTO_TEXT *want = item_to_text(item);
    assert_string_equal(got, want);
}

static size_t
dump_flows(const struct fixture *f, struct vconn *vconn)
{
    struct ofputil_flow_stats_request request = {
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .table_id = OFPTT_ALL,
    };
    match_init_catchall(&request.match);
    struct ofputil_flow_stats *flows;
    size_t n;
    enum ofputil_protocol protocol =
        ofputil_protocol_from_ofp_version(vconn_get_version(vconn));
    assert_int_equal(0,
                     vconn_dump_flows(vconn, &request, protocol, &flows, &n));
    for (size_t i = 0; i < n; i++) {
        check_flow(f, &flows[i]);
        free((void *) (uintptr_t) flows[i].ofpacts);
    }
    free(flows);
    return n;
}

static size_t
check_group(const struct fixture *f, const struct ofputil_group_desc *gd,
            bool has_bucket_ids)
{
    size_t n = 0;
    assert_int_equal(gd->type, OFPGT11_ALL);
    const struct ofputil_bucket *bucket;
    LIST_FOR_EACH (bucket, list_node, &gd->buckets) {
        const struct item *item = NULL;
        for (size_t i = 0; i < f->n_items; i++) {
            if (f->items[i]->kind == ITEM_BUCKET
                && f->items[i]->group == gd->group_id) {
                item = f->items[i];
            }
        }
        assert_non_null(item);
        if (has_bucket_ids) {
            assert_int_equal(item->bucket, bucket->bucket_id);
        }
        assert_int_equal(item->cookie,
                         bucket_cookie(gd->group_id, item->bucket,
                                       bucket->ofpacts, bucket->ofpacts_len));
        n++;
    }
    return n;
}

static size_t
dump_buckets(const struct fixture *f, struct vconn *vconn)
{
    enum ofp_version version = vconn_get_version(vconn);
    struct ovs_list requests, replies;
    ovs_list_init(&requests);
    struct ofpbuf *request =
        ofputil_encode_group_desc_request(version, OFPG_ALL);
    ovs_list_push_back(&requests, &request->list_node);
    assert_int_equal(0, vconn_transact_multipart(vconn, &requests, &replies));
    size_t n = 0;
    struct ofpbuf *reply;
    LIST_FOR_EACH_POP (reply, list_node, &replies) {
        struct ofputil_group_desc gd;
        while (!ofputil_decode_group_desc_reply(&gd, reply, version)) {
            n += check_group(f, &gd, version >= OFP15_VERSION);
            ofputil_uninit_group_desc(&gd);
        }
        ofpbuf_delete(reply);
    }
    return n;
}

static void
check_version(struct fixture *f, enum ofp_version version)
{
    struct vconn *vconn = real_switch_connect(f->sw, version);
    assert_int_equal(dump_flows(f, vconn), 0);
    real_switch_add_items(vconn, f->items, f->n_items);
    assert_int_equal(dump_flows(f, vconn), f->n_rules);
    assert_int_equal(dump_buckets(f, vconn), f->n_buckets);
    for (size_t i = 0; i < f->n_items; i++) {
        if (f->items[i]->kind == ITEM_RULE) {
            struct ofpbuf *reply;
            struct ofpbuf *message =
                item_rule_encode(f->items[i], OFPFC_DELETE_STRICT,
                                 ofputil_protocol_from_ofp_version(version));
            assert_int_equal(0,
                             vconn_transact_noreply(vconn, message, &reply));
            assert_null(reply);
        }
    }
    assert_int_equal(dump_flows(f, vconn), 0);
    vconn_close(vconn);
    free(real_switch_shell(f->sw, "ovs-ofctl -O OpenFlow15 del-groups "
                                  "unix:$D/br-int.mgmt"));
}

static void
check_or_skip(void **state, enum ofp_version version)
{
    struct fixture *f = *state;
    if (!f->sw) {
        skip();
    }
    check_version(f, version);
}

static void
test_openflow_13(void **state)
{
    check_or_skip(state, OFP13_VERSION);
}

static void
test_openflow_14(void **state)
{
    check_or_skip(state, OFP14_VERSION);
}

static void
test_openflow_15(void **state)
{
    check_or_skip(state, OFP15_VERSION);
}

/* A flow of another application at the same place stays. */
static void
test_delete_spares_strangers(void **state)
{
    struct fixture *f = *state;
    if (!f->sw) {
        skip();
    }
    free(real_switch_shell(
        f->sw, "ovs-ofctl -O OpenFlow15 add-flow unix:$D/br-int.mgmt "
               "'cookie=0x77,table=90,priority=100,reg2=5,actions=drop'"));
    struct vconn *vconn = real_switch_connect(f->sw, OFP15_VERSION);
    for (size_t i = 0; i < f->n_items; i++) {
        if (f->items[i]->kind == ITEM_RULE) {
            struct ofpbuf *reply;
            struct ofpbuf *message = item_rule_encode(
                f->items[i], OFPFC_DELETE_STRICT, OFPUTIL_P_OF15_OXM);
            vconn_transact_noreply(vconn, message, &reply);
            assert_null(reply);
        }
    }
    vconn_close(vconn);
    AUTO_TEXT *dump = real_switch_shell(
        f->sw, "ovs-ofctl -O OpenFlow15 dump-flows unix:$D/br-int.mgmt");
    assert_non_null(strstr(dump, "cookie=0x77,"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openflow_13),
        cmocka_unit_test(test_openflow_14),
        cmocka_unit_test(test_openflow_15),
        cmocka_unit_test(test_delete_spares_strangers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
