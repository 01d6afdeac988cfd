/* SPDX-License-Identifier: Apache-2.0 */

/* The copy of a switch's database: differences, and what an update touched. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "switches/replica.h"

#define MAP_OF_TWO   "[\"map\",[[\"a\",\"1\"],[\"b\",\"2\"]]]"
#define BRIDGE       "22222222-2222-2222-2222-222222222222"
#define OTHER        "23232323-2323-2323-2323-232323232323"
#define PORT(N)      "33333333-3333-3333-3333-33333333333" N
#define INTERFACE(N) "44444444-4444-4444-4444-44444444444" N

static int
setup(void **state)
{
    struct replica *replica = NEW(struct replica);
    replica_init(replica);
    *state = replica;
    return 0;
}

static int
teardown(void **state)
{
    replica_uninit(*state);
    free(*state);
    return 0;
}

static void
apply(struct replica *replica, const char *text)
{
    AUTO(json) *json = json_from_string(text);
    assert_int_not_equal(json->type, JSON_STRING);
    struct err *err = replica_apply(replica, json, UPDATE_DIFFERENCE);
    assert_null(err);
}

static void
refuse(struct replica *replica, const char *text)
{
    AUTO(json) *json = json_from_string(text);
    AUTO(err) *err = replica_apply(replica, json, UPDATE_DIFFERENCE);
    assert_non_null(err);
}

static const struct row *
bridge(const struct replica *replica)
{
    const struct row *row = replica_find(replica, DB_BRIDGE, BRIDGE);
    assert_non_null(row);
    return row;
}

static void
differences_are_applied(void **state)
{
    struct replica *replica = *state;

    apply(replica,
          "{\"Bridge\":{\"" BRIDGE "\":{\"initial\":{\"name\":\"br-int\","
          "\"fail_mode\":\"secure\",\"other_config\":" MAP_OF_TWO ","
          "\"ports\":[\"uuid\",\"" PORT("1") "\"]}}}}");

    /* A set: what is there goes, what is not comes.  A map: an equal pair
     * goes, another replaces, a new one comes.  One: the new value. */
    apply(replica,
          "{\"Bridge\":{\"" BRIDGE "\":{\"modify\":{\"ports\":[\"set\","
          "[[\"uuid\",\"" PORT("1") "\"],[\"uuid\",\"" PORT(
              "2") "\"]]],"
                   "\"fail_mode\":\"standalone\",\"other_config\":[\"map\","
                   "[[\"a\",\"1\"],[\"b\",\"3\"],[\"c\",\"4\"]]]}}}}");
    assert_int_equal(row_n(bridge(replica), C_BRIDGE_PORTS), 1);
    assert_true(row_has(bridge(replica), C_BRIDGE_PORTS, PORT("2")));
    assert_string_equal(row_text(bridge(replica), C_BRIDGE_FAIL_MODE),
                        "standalone");
    assert_string_equal(row_text(bridge(replica), C_BRIDGE_NAME), "br-int");
    assert_null(row_key(bridge(replica), C_BRIDGE_OTHER_CONFIG, "a"));
    assert_string_equal(row_key(bridge(replica), C_BRIDGE_OTHER_CONFIG, "b"),
                        "3");
    assert_string_equal(row_key(bridge(replica), C_BRIDGE_OTHER_CONFIG, "c"),
                        "4");

    /* To nothing, and from nothing. */
    apply(replica, "{\"Bridge\":{\"" BRIDGE
                   "\":{\"modify\":{\"ports\":[\"uuid\",\"" PORT(
                       "2") "\"],\"fail_mode\":[\"set\",[]]}}}}");
    assert_int_equal(row_n(bridge(replica), C_BRIDGE_PORTS), 0);
    assert_string_equal(row_text(bridge(replica), C_BRIDGE_FAIL_MODE), "");
    apply(replica,
          "{\"Bridge\":{\"" BRIDGE
          "\":{\"modify\":{\"ports\":[\"uuid\",\"" PORT("3") "\"]}}}}");
    assert_int_equal(row_n(bridge(replica), C_BRIDGE_PORTS), 1);

    apply(replica, "{\"Bridge\":{\"" BRIDGE "\":{\"delete\":null}}}");
    assert_null(replica_find(replica, DB_BRIDGE, BRIDGE));
}

static void
nonsense_is_refused(void **state)
{
    struct replica *replica = *state;

    refuse(replica, "{\"Bridge\":{\"" BRIDGE "\":{\"modify\":{}}}}");
    apply(replica, "{\"Bridge\":{\"" BRIDGE "\":{\"initial\":{"
                   "\"ports\":[\"uuid\",\"" PORT("1") "\"]}}}}");
    refuse(replica, "{\"Bridge\":{\"" BRIDGE "\":{\"modify\":{\"ports\":"
                    "[\"map\",[[\"a\",\"b\"]]]}}}}");
    refuse(replica, "{\"Bridge\":{\"" BRIDGE "\":{\"modify\":{\"ports\":"
                    "[\"set\",[{}]]}}}}");
}

#define MACHINE(N)                                                            \
    "\"" INTERFACE(N) "\":{\"insert\":{\"name\":\"tap" N "\",\"ofport\":" N   \
                      ",\"external_ids\":[\"map\",[[\"iface-id\",\"x\"]]]}}"
#define PLAIN_PORT(N)                                                         \
    "\"" PORT(N) "\":{\"insert\":{\"interfaces\":[\"uuid\",\"" INTERFACE(     \
        N) "\"]}}"

static void
machines_are_told_apart(void **state)
{
    struct replica *replica = *state;

    apply(replica, "{\"Bridge\":{\"" BRIDGE "\":{\"initial\":{\"name\":"
                   "\"br-int\"}},\"" OTHER "\":{\"initial\":{}}}}");
    assert_false(replica->touched.is_only_machines);

    apply(replica, "{\"Bridge\":{\"" BRIDGE "\":{\"modify\":{\"ports\":"
                   "[\"uuid\",\"" PORT("1") "\"]}}},\"Port\":{" PLAIN_PORT(
                       "1") "},\"Interface\":{" MACHINE("1") "}}");
    assert_true(replica->touched.is_only_machines);
    assert_int_equal(replica->touched.n, 2);

    /* Another column of the bridge, two bridges, a marked port, a tunnel. */
    apply(replica, "{\"Bridge\":{\"" BRIDGE "\":{\"modify\":{\"fail_mode\":"
                   "\"secure\"}}}}");
    assert_false(replica->touched.is_only_machines);
    apply(replica, "{\"Bridge\":{\"" BRIDGE "\":{\"modify\":{\"ports\":"
                   "[\"uuid\",\"" PORT(
                       "1") "\"]}},\"" OTHER
                            "\":{\"modify\":{\"ports\":[\"uuid\",\"" PORT(
                                "1") "\"]}}}}");
    assert_false(replica->touched.is_only_machines);
    apply(replica,
          "{\"Port\":{\"" PORT(
              "1") "\":{\"modify\":{"
                   "\"external_ids\":[\"map\",[[\"weft\",\"tunnel\"]]]}}}}");
    assert_false(replica->touched.is_only_machines);
    apply(replica,
          "{\"Interface\":{\"" INTERFACE(
              "9") "\":{\"insert\":{"
                   "\"type\":\"vxlan\",\"options\":[\"map\",[[\"key\","
                   "\"flow\"]]]}}}}");
    assert_false(replica->touched.is_only_machines);

    /* A machine that goes. */
    apply(replica,
          "{\"Interface\":{\"" INTERFACE("1") "\":{\"delete\":null}}}");
    assert_true(replica->touched.is_only_machines);
    assert_int_equal(replica->touched.n, 1);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(differences_are_applied),
        TEST(nonsense_is_refused),
        TEST(machines_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
