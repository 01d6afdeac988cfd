/* SPDX-License-Identifier: Apache-2.0 */

/* The base layer: memory, errors, identifiers, addresses, hashing, text, JSON,
 * the generic difference. */

#include "base/base.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/bytes.h"

#define LENGTH(ARRAY) (sizeof(ARRAY) / sizeof *(ARRAY))

/* Memory. */

static void
test_mem(void **state OVS_UNUSED)
{
    AUTO_TEXT *zeros = mem_zalloc(10);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(zeros[i], 0);
    }
    AUTO_TEXT *empty = mem_alloc(0);
    assert_non_null(empty);
    AUTO_TEXT *clone = mem_clone("abc", 4);
    assert_string_equal(clone, "abc");
    AUTO_TEXT *nothing = mem_clone(NULL, 0);
    assert_non_null(nothing);
    assert_null(mem_text(NULL));
    AUTO_TEXT *formatted = mem_textf("%d-%s", 7, "x");
    assert_string_equal(formatted, "7-x");

    AUTO_TEXT *stolen = STEAL(formatted);
    assert_null(formatted);
    assert_string_equal(stolen, "7-x");
}

static void
test_array_grow(void **state OVS_UNUSED)
{
    int *numbers = NULL;
    size_t n = 0;
    size_t allocated = 0;

    for (int i = 0; i < 100; i++) {
        ARRAY_GROW(numbers, n, allocated);
        numbers[n++] = i;
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(numbers[i], i);
    }
    assert_true(allocated >= n);
    free(numbers);
}

/* Errors. */

static void
check_err_text(const struct err *err, const char *expected)
{
    AUTO_TEXT *text = err_to_text(err);
    assert_string_equal(text, expected);
}

static void
test_err(void **state OVS_UNUSED)
{
    AUTO(err) *err =
        err_new(ERR_INVALID, "ip_address", "not an address: %s", "zz");
    check_err_text(err, "ip_address: not an address: zz");
    assert_ptr_equal(err_within(err, "fixed_ips[%d].", 1), err);
    check_err_text(err, "fixed_ips[1].ip_address: not an address: zz");
    assert_ptr_equal(err_about(err, "port %s", "p1"), err);
    assert_ptr_equal(err_about(err, "network %s", "n1"), err);
    check_err_text(err,
                   "port p1: fixed_ips[1].ip_address: not an address: zz");

    AUTO(err) *copy = err_clone(err);
    check_err_text(copy,
                   "port p1: fixed_ips[1].ip_address: not an address: zz");
    assert_int_equal(copy->kind, ERR_INVALID);

    AUTO(err) *bare = err_new(ERR_MISSING, NULL, "gone");
    check_err_text(bare, "gone");
    assert_ptr_equal(err_within(bare, "tags[2]."), bare);
    check_err_text(bare, "tags[2]: gone");

    assert_null(err_about(NULL, "x"));
    assert_null(err_within(NULL, "x"));
    assert_null(err_clone(NULL));
    err_destroy(NULL);
}

static void
test_err_kinds(void **state OVS_UNUSED)
{
    assert_int_equal(err_http_status(ERR_INVALID), 400);
    assert_string_equal(err_kind_name(ERR_INVALID), "BadRequest");
    assert_int_equal(err_http_status(ERR_UNAVAILABLE), 503);
    assert_string_equal(err_kind_name(ERR_UNAVAILABLE), "TryAgain");
    assert_int_equal(err_http_status(ERR_DEPENDENCY), 442);
}

/* Identifiers. */

#define UID_TEXT "6f0c1c2a-1234-4abc-8def-00000000ff01"

static struct uuid
uid(const char *text)
{
    struct uuid u;
    assert_true(uid_from_text(text, &u));
    return u;
}

static void
test_uid_text(void **state OVS_UNUSED)
{
    static const char *const good[] = {
        UID_TEXT,
        "6F0C1C2A-1234-4ABC-8DEF-00000000FF01",
        "6f0c1c2a12344abc8def00000000ff01",
    };
    static const char *const bad[] = {
        "",
        "6f0c1c2a",
        "6f0c1c2a-1234-4abc-8def-00000000ff0",
        "6f0c1c2a-1234-4abc-8def-00000000ff012",
        "6f0c1c2a-1234-4abc-8def-00000000ff0g",
        "g f0c1c2a1234-4abc-8def-00000000ff01",
        "6f0c1c2a+1234-4abc-8def-00000000ff01",
        "6f0c1c2a1-234-4abc-8def-00000000ff01",
        "6f0c1c2a-12344abc8def00000000ff01",
        "6f0c1c2a12344abc8def00000000ff0",
        "6f0c1c2a12344abc8def00000000ff01 ",
        " 6f0c1c2a12344abc8def00000000ff0",
        "6f0c1c2a12344abc8def00000000f\377\60\61",
        "{6f0c1c2a-1234-4abc-8def-00000000ff}",
    };
    char text[UID_LENGTH + 1];

    for (size_t i = 0; i < LENGTH(good); i++) {
        struct uuid u = uid(good[i]);
        uid_to_text(&u, text);
        assert_string_equal(text, UID_TEXT);
    }
    for (size_t i = 0; i < LENGTH(bad); i++) {
        struct uuid u = { .parts = { 1, 2, 3, 4 } };
        assert_false(uid_from_text(bad[i], &u));
        assert_int_equal(u.parts[0], 1);
        assert_int_equal(u.parts[3], 4);
    }

    struct uuid u = uid(UID_TEXT);
    assert_int_equal(u.parts[0], 0x6f0c1c2a);
    assert_int_equal(u.parts[1], 0x12344abc);
    assert_int_equal(u.parts[2], 0x8def0000);
    assert_int_equal(u.parts[3], 0x0000ff01);
    AUTO_TEXT *formatted = mem_textf(UID_FMT, UID_ARGS(&u));
    assert_string_equal(formatted, UID_TEXT);
}

static void
test_uid_order(void **state OVS_UNUSED)
{
    static const char *const sorted[] = {
        "00000000-0000-0000-0000-000000000000",
        "00000000-0000-0000-0000-000000000001",
        "00000000-0000-0000-0001-000000000000",
        "00000000-0001-0000-0000-000000000000",
        "7fffffff-0000-0000-0000-000000000000",
        "80000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    };

    for (size_t i = 0; i < LENGTH(sorted); i++) {
        for (size_t j = 0; j < LENGTH(sorted); j++) {
            struct uuid a = uid(sorted[i]);
            struct uuid b = uid(sorted[j]);
            assert_int_equal(uid_compare(&a, &b), i < j ? -1 : i > j);
            assert_int_equal(uid_equals(&a, &b), i == j);
            assert_int_equal(uid_hash(&a) == uid_hash(&b), i == j);
        }
    }
    struct uuid zero = uid(sorted[0]);
    struct uuid one = uid(sorted[1]);
    assert_true(uid_is_zero(&zero));
    assert_false(uid_is_zero(&one));
}

static void
check_derived(const struct uuid *u)
{
    assert_int_equal(u->parts[1] >> 12 & 15, 8); /* Version. */
    assert_int_equal(u->parts[2] >> 30, 2);      /* Variant. */
}

static void
test_uid_derived(void **state OVS_UNUSED)
{
    struct uuid a = uid_from_name("host", "compute-1");
    struct uuid b = uid_from_name("host", "compute-2");
    struct uuid c = uid_from_name("hos", "tcompute-1");
    struct uuid again = uid_from_name("host", "compute-1");

    check_derived(&a);
    assert_true(uid_equals(&a, &again));
    assert_false(uid_equals(&a, &b));
    assert_false(uid_equals(&a, &c));

    struct uuid ab = uid_from_pair(&a, &b);
    struct uuid ab2 = uid_from_pair(&a, &b);
    struct uuid ba = uid_from_pair(&b, &a);
    check_derived(&ab);
    assert_true(uid_equals(&ab, &ab2));
    assert_false(uid_equals(&ab, &ba));

    /* These are stored, so they may never change.  The first is SHA-256 of
     * "host\0compute-1", cut to 128 bits. */
    char text[UID_LENGTH + 1];
    uid_to_text(&a, text);
    assert_string_equal(text, "d32373c6-f05a-823b-b88e-d44bbc2c29ae");
    struct uuid p = uid(UID_TEXT);
    struct uuid pp = uid_from_pair(&p, &p);
    uid_to_text(&pp, text);
    assert_string_equal(text, "bb9f7342-22ba-8b62-af0c-9989841b15a5");
}

/* Addresses. */

static void
test_ipaddr(void **state OVS_UNUSED)
{
    static const struct {
        const char *in;
        const char *out; /* Null if 'in' is bad. */
        bool v4;
    } cases[] = {
        { "0.0.0.0", "0.0.0.0", true },
        { "10.1.20.255", "10.1.20.255", true },
        { "255.255.255.255", "255.255.255.255", true },
        { "::ffff:10.0.0.1", "10.0.0.1", true },
        { "::", "::", false },
        { "2001:DB8:0:0:1::1", "2001:db8::1:0:0:1", false },
        { "fe80::1", "fe80::1", false },
        { "", NULL, false },
        { "10.0.0", NULL, false },
        { "10.0.0.256", NULL, false },
        { "010.0.0.1", NULL, false },
        { "10.0.0.1 ", NULL, false },
        { " 10.0.0.1", NULL, false },
        { "10.0.0.1/8", NULL, false },
        { "0x0a.0.0.1", NULL, false },
        { "fe80::1%eth0", NULL, false },
        { "1::2::3", NULL, false },
        { "12345::", NULL, false },
        { "example.com", NULL, false },
    };

    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct in6_addr addr;
        char text[INET6_ADDRSTRLEN];

        bool ok = ipaddr_from_text(cases[i].in, &addr);
        assert_int_equal(ok, cases[i].out != NULL);
        if (ok) {
            ipaddr_to_text(&addr, text);
            assert_string_equal(text, cases[i].out);
            assert_int_equal(ipaddr_is_v4(&addr), cases[i].v4);
        }
    }

    struct in6_addr v4 = ipaddr_from_v4(htonl(0x0a000001));
    assert_int_equal(ipaddr_v4(&v4), htonl(0x0a000001));
    struct in6_addr v6;
    assert_true(ipaddr_from_text("::1", &v6));
    assert_int_equal(ipaddr_v4(&v6), 0);
}

static void
test_prefix_text(void **state OVS_UNUSED)
{
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        { "10.0.0.0/8", "10.0.0.0/8" },
        { "10.1.2.3/8", "10.1.2.3/8" },
        { "10.1.2.3", "10.1.2.3/32" },
        { "0.0.0.0/0", "0.0.0.0/0" },
        { "10.0.0.0/32", "10.0.0.0/32" },
        { "::/0", "::/0" },
        { "2001:db8::/64", "2001:db8::/64" },
        { "2001:db8::1", "2001:db8::1/128" },
        { "::ffff:10.0.0.0/104", "10.0.0.0/8" },
        { "::ffff:10.0.0.1", "10.0.0.1/32" },
        { "10.0.0.0/33", NULL },
        { "10.0.0.0/", NULL },
        { "10.0.0.0/-1", NULL },
        { "10.0.0.0/-0", NULL },
        { "10.0.0.0/+8", NULL },
        { "10.0.0.0/8 ", NULL },
        { "10.0.0.0/8/8", NULL },
        { "10.0.0.0/255.0.0.0", NULL },
        { "10.0.0.0/99999999999999999999", NULL },
        { "::/129", NULL },
        { "::ffff:10.0.0.0/95", NULL },
        { "/8", NULL },
        { "", NULL },
        { "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb/8", NULL },
    };

    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct prefix prefix = { .plen = 77 };

        bool ok = prefix_from_text(cases[i].in, &prefix);
        assert_int_equal(ok, cases[i].out != NULL);
        if (ok) {
            AUTO_TEXT *text = prefix_to_text(&prefix);
            assert_string_equal(text, cases[i].out);
        } else {
            assert_int_equal(prefix.plen, 77);
        }
    }
}

static void
test_prefix_contains(void **state OVS_UNUSED)
{
    static const struct {
        const char *prefix;
        const char *addr;
        bool contains;
    } cases[] = {
        { "10.0.0.0/8", "10.255.0.1", true },
        { "10.9.9.9/8", "10.255.0.1", true },
        { "10.0.0.0/8", "11.0.0.0", false },
        { "10.0.0.128/25", "10.0.0.129", true },
        { "10.0.0.128/25", "10.0.0.127", false },
        { "10.0.0.1/32", "10.0.0.1", true },
        { "10.0.0.1/32", "10.0.0.0", false },
        { "0.0.0.0/0", "203.0.113.1", true },
        { "0.0.0.0/0", "::1", false },
        { "::/0", "10.0.0.1", false },
        { "::/0", "fe80::1", true },
        { "2001:db8::/33", "2001:db8:7fff::1", true },
        { "2001:db8::/33", "2001:db8:8000::1", false },
        { "2001:db8::1/128", "2001:db8::1", true },
        { "2001:db8::1/128", "2001:db8::2", false },
    };

    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct prefix prefix;
        struct in6_addr addr;

        assert_true(prefix_from_text(cases[i].prefix, &prefix));
        assert_true(ipaddr_from_text(cases[i].addr, &addr));
        assert_int_equal(prefix_contains(&prefix, &addr), cases[i].contains);
    }
}

static void
test_mac(void **state OVS_UNUSED)
{
    static const char *const bad[] = {
        "",
        "fa:16:3e:00:00",
        "fa:16:3e:00:00:0",
        "fa:16:3e:00:00:010",
        "fa-16-3e-00-00-01",
        "fa:16:3e:00:00:0g",
        "fa:16:3e:00:00:01 ",
        "fa163e000001",
        "fa:16:3e:00::0001",
        ":fa:16:3e:00:00:1",
    };
    char text[MAC_LENGTH + 1];
    struct eth_addr mac;

    assert_true(mac_from_text("FA:16:3e:00:0a:01", &mac));
    mac_to_text(mac, text);
    assert_string_equal(text, "fa:16:3e:00:0a:01");
    assert_false(mac_is_multicast(mac));
    assert_true(mac_from_text("01:00:5e:00:00:01", &mac));
    assert_true(mac_is_multicast(mac));
    for (size_t i = 0; i < LENGTH(bad); i++) {
        assert_false(mac_from_text(bad[i], &mac));
    }
    assert_int_equal(mac.ea[0], 1);
}

/* Hashing. */

static void
test_hash64(void **state OVS_UNUSED)
{
    /* Known answers of XXH64. */
    assert_int_equal(hash64("", 0, 0), UINT64_C(0xef46db3751d8e999));
    assert_int_equal(hash64(NULL, 0, 0), UINT64_C(0xef46db3751d8e999));
    assert_int_equal(hash64_text("a", 0), UINT64_C(0xd24ec4f1a98c6e5b));
    assert_int_equal(hash64_text("abc", 0), UINT64_C(0x44bc2cf5ad770999));
    assert_int_equal(hash64_text("Nobody inspects the spammish repetition", 0),
                     UINT64_C(0xfbcea83c8a378bf1));
    assert_int_equal(hash64_text("xxhash", 20141025),
                     UINT64_C(0xb559b98d844e0635));

    /* Every length and every byte counts, wherever it is in memory. */
    uint8_t data[100 + 8];
    uint64_t hashes[101];
    for (int i = 0; i < 108; i++) {
        data[i] = i;
    }
    for (int n = 0; n <= 100; n++) {
        hashes[n] = hash64(data, n, 1);
        for (int i = 0; i < n; i++) {
            assert_true(hashes[i] != hashes[n]);
            data[i] ^= 0x10;
            assert_true(hash64(data, n, 1) != hashes[n]);
            data[i] ^= 0x10;
        }
    }
    for (int shift = 1; shift < 8; shift++) {
        memmove(data + shift, data + shift - 1, 100);
        assert_int_equal(hash64(data + shift, 100, 1), hashes[100]);
    }
}

static void
test_hash64_mix(void **state OVS_UNUSED)
{
    uint64_t ab = hash64_mix(1, 2);

    assert_true(ab != hash64_mix(2, 1));
    assert_true(ab != hash64_mix(1, 3));
    assert_true(hash64_mix(0, 0) != 0);

    /* Flipping one bit of either side flips about half of the result. */
    for (int side = 0; side < 2; side++) {
        int n_flipped = 0;
        for (int bit = 0; bit < 64; bit++) {
            uint64_t other = (side ? hash64_mix(1, 2 ^ UINT64_C(1) << bit)
                                   : hash64_mix(1 ^ UINT64_C(1) << bit, 2));
            n_flipped += __builtin_popcountll(ab ^ other);
        }
        assert_in_range(n_flipped, 64 * 28, 64 * 36);
    }
}

/* Text. */

static void
test_text_to_int(void **state OVS_UNUSED)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } cases[] = {
        { "0", true, 0 },
        { "-0", true, 0 },
        { "007", true, 7 },
        { "9223372036854775807", true, INT64_MAX },
        { "-9223372036854775808", true, INT64_MIN },
        { "9223372036854775808", false, 0 },
        { "-9223372036854775809", false, 0 },
        { "", false, 0 },
        { "-", false, 0 },
        { "+1", false, 0 },
        { " 1", false, 0 },
        { "1 ", false, 0 },
        { "1.0", false, 0 },
        { "0x10", false, 0 },
        { "--1", false, 0 },
    };
    int64_t value;

    for (size_t i = 0; i < LENGTH(cases); i++) {
        value = 42;
        assert_int_equal(
            text_to_int(cases[i].text, INT64_MIN, INT64_MAX, &value),
            cases[i].ok);
        assert_int_equal(value, cases[i].ok ? cases[i].value : 42);
    }
    assert_true(text_to_int("10", 10, 20, &value));
    assert_true(text_to_int("20", 10, 20, &value));
    assert_false(text_to_int("9", 10, 20, &value));
    assert_false(text_to_int("21", 10, 20, &value));
}

static void
test_text_comparison(void **state OVS_UNUSED)
{
    assert_true(text_equals_nocase("True", "tRUE"));
    assert_true(text_equals_nocase("", ""));
    assert_false(text_equals_nocase("true", "tru"));
    assert_false(text_equals_nocase("tru", "true"));
    assert_true(text_starts_with("tap1234", "tap"));
    assert_true(text_starts_with("tap", ""));
    assert_false(text_starts_with("ta", "tap"));
    assert_true(text_equals_secret("s3cret", "s3cret"));
    assert_true(text_equals_secret("", ""));
    assert_false(text_equals_secret("s3cre", "s3cret"));
    assert_false(text_equals_secret("s3cret", "s3cre"));
    assert_false(text_equals_secret("S3cret", "s3cret"));
    assert_false(text_equals_secret("", "s3cret"));
    assert_false(text_equals_secret("s3crets3cret", "s3cret"));
}

static void
check_list(const char *list, const char *separators, const char *expected)
{
    AUTO_TEXT *copy = mem_text(list);
    AUTO_DS got = DS_EMPTY_INITIALIZER;
    char *cursor = copy;

    for (const char *item; (item = text_next(&cursor, separators)) != NULL;) {
        ds_put_format(&got, "<%s>", item);
    }
    assert_null(text_next(&cursor, separators));
    assert_string_equal(ds_cstr(&got), expected);
}

static void
test_text_next(void **state OVS_UNUSED)
{
    check_list("a,b", ",", "<a><b>");
    check_list(" a b , c\t,,d,", ",", "<a b><c><d>");
    check_list("a b;c", " ;", "<a><b><c>");
    check_list("", ",", "");
    check_list(" , ", ",", "");
    check_list(NULL, ",", "");
}

static void
test_text_put_printable(void **state OVS_UNUSED)
{
    AUTO_DS ds = DS_EMPTY_INITIALIZER;

    text_put_printable(&ds, "ok ~\n\x7f\xff\0x", 9);
    assert_string_equal(ds_cstr(&ds), "ok ~\\x0a\\x7f\\xff\\x00x");
}

/* JSON. */

static void
check_json(const char *text, size_t size, const char *expected)
{
    AUTO(json) *json = NULL;
    AUTO(err) *err = json_parse_limited(text, size, 3, &json);

    if (err) {
        fail_msg("%s: %s", text, err->text);
    }
    AUTO_TEXT *printed = json_to_string(json, JSSF_SORT);
    assert_string_equal(printed, expected);
}

static void
check_bad_json(const char *text, size_t size, const char *expected)
{
    struct json *json = NULL;
    AUTO(err) *err = json_parse_limited(text, size, 3, &json);

    assert_null(json);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_INVALID);
    if (!strstr(err->text, expected)) {
        fail_msg("%s: expected \"%s\", got \"%s\"", text, expected, err->text);
    }
}

#define GOOD(TEXT, EXPECTED) check_json(TEXT, sizeof TEXT - 1, EXPECTED)
#define BAD(TEXT, EXPECTED)  check_bad_json(TEXT, sizeof TEXT - 1, EXPECTED)

static void
test_json_good(void **state OVS_UNUSED)
{
    GOOD("{}", "{}");
    GOOD(" \r\n\t[ ]", "[]");
    GOOD("{\"b\": 1, \"a\": [true, false, null]}",
         "{\"a\":[true,false,null],\"b\":1}");
    GOOD("{\"a\":1,\"a\":2}", "{\"a\":2}");
    GOOD("[-0, 1.0, 1e2, -12.5, 9223372036854775807]",
         "[0,1,100,-12.5,9223372036854775807]");

    /* Scalars. */
    GOOD("12", "12");
    GOOD("-12.5 ", "-12.5");
    GOOD("null", "null");
    GOOD("true", "true");
    GOOD("\"x\"", "\"x\"");
    GOOD("\"\"", "\"\"");

    /* What follows is ignored. */
    GOOD("{} garbage", "{}");
    GOOD("[1]]", "[1]");
    GOOD("[1][2]", "[1]");
    GOOD("[1]\xff", "[1]");
    GOOD("\"a\"\"b\"", "\"a\"");
    GOOD("1,2", "1");
    check_json("[1]garbage", 3, "[1]");

    /* Three levels are allowed; brackets in strings do not count. */
    GOOD("[[[]]]", "[[[]]]");
    GOOD("[[[\"[[[[\"]], {}]", "[[[\"[[[[\"]],{}]");
    GOOD("[\"\\\"[[[[\"]", "[\"\\\"[[[[\"]");

    /* Characters. */
    GOOD("\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"",
         "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"");
    GOOD("\"\\u00e9\\ud83d\\uDE00\"", "\"\xc3\xa9\xf0\x9f\x98\x80\"");
    GOOD("\"\\\\udc00\"", "\"\\\\udc00\"");
    GOOD("\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"",
         "\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"");
}

static void
test_json_bad(void **state OVS_UNUSED)
{
    BAD("", "line 1, column 1: there is no value");
    BAD(" \n ", "line 2, column 2: there is no value");
    BAD("}", "line 1, column 1");
    BAD(",", "line 1, column 1: unexpected ','");
    BAD("'a'", "line 1, column 1: unexpected '''");
    BAD("nul", "invalid keyword 'nul'");
    BAD("[1,]", "line 1, column 4");
    BAD("{\"a\" 1}", "line 1, column 7: syntax error");
    BAD("{\"a\": 1,\n \"b\": @}", "line 2, column 7: unexpected '@'");
    BAD("{\"a\": 1,\n \"b\": tru}", "line 2, column 10: invalid keyword");
    BAD("{a: 1}", "line 1, column");
    BAD("{1: 1}", "line 1, column");
    BAD("[1}", "line 1, column 3");
    BAD("{]", "line 1, column 2");
    BAD("[01]", "leading zeros");
    BAD("[+1]", "line 1");
    BAD("[.5]", "line 1");
    BAD("[1.]", "decimal point");
    BAD("[1e999]", "number outside valid range");
    BAD("[1e99999999999]", "exponent");

    /* Ends too early. */
    BAD("[", "unexpected end of input");
    BAD("{\"a\": [1, 2", "unexpected end of input");
    BAD("{\"a\": [1, 2 3", "line 1, column 14");
    BAD("\"abc", "unexpected end of input in quoted string");
    BAD("\"abc\\", "unexpected end of input in quoted string");
    BAD("\"abc\\\"", "unexpected end of input in quoted string");
    check_bad_json("[1, 2]", 5, "unexpected end of input");
    check_bad_json("\"abc\"", 4, "unexpected end of input");

    /* Too deep. */
    BAD("[[[[]]]]", "line 1, column 4: nested deeper than 3 levels");
    BAD("{\"a\": {\"a\": {\"a\": {\"a\": 1}}}}", "nested deeper");
    BAD("[[[[", "nested deeper");

    /* Characters. */
    BAD("[\"a\nb\"]", "line 1, column 4: control character in string");
    BAD("[1\0002]", "line 1, column 3: unexpected '\\x00'");
    BAD("[\"a\0\"]", "control character in string");
    BAD("[\"\\\0\"]", "bad escape");
    BAD("[\"\\q\"]", "bad escape");
    BAD("[\"\\u12\"]", "ends within \\u escape");
    BAD("[\"\\u12gh\"]", "malformed \\u escape");
    BAD("[\"\\u0000\"]", "null bytes not supported");
    BAD("[\"\\udc00\"]", "trailing surrogate");
    BAD("[\"\\ud83dx\"]", "surrogate");
    BAD("[\"\\ud83d\\ud83d\"]", "surrogate");
    BAD("[\"\\ud83d\\n\"]", "surrogate");
    BAD("[\"\xff\"]", "string is not UTF-8");
    BAD("[\"\x80\"]", "string is not UTF-8");
    BAD("[\"\xc0\x80\"]", "string is not UTF-8");
    BAD("[\"\xe0\x9f\xbf\"]", "string is not UTF-8");
    BAD("[\"\xed\xa0\x80\"]", "string is not UTF-8");
    BAD("[\"\xf0\x8f\xbf\xbf\"]", "string is not UTF-8");
    BAD("[\"\xf4\x90\x80\x80\"]", "string is not UTF-8");
    BAD("[\"\xe2\x82\"]", "string is not UTF-8");
    BAD("[\"\xe2\x82", "string is not UTF-8");
    BAD("[\xc3\xa9]", "unexpected '\\xc3'");
}

static void
test_json_long(void **state OVS_UNUSED)
{
    AUTO_DS ds = DS_EMPTY_INITIALIZER;
    AUTO(json) *json = NULL;

    ds_put_char(&ds, '[');
    for (int i = 0; i < 10000; i++) {
        ds_put_format(&ds, "%s{\"n\": %d, \"s\": \"x\\ty\"}", i ? "," : "", i);
    }
    ds_put_char(&ds, ']');
    AUTO(err) *err = json_parse_limited(ds.string, ds.length, 2, &json);
    assert_null(err);
    assert_int_equal(json_array(json)->n, 10000);

    int64_t n = 0;
    assert_true(jget_int(json_array(json)->elems[9999], "n", &n));
    assert_int_equal(n, 9999);
}

static void
test_jget(void **state OVS_UNUSED)
{
    static const char text[] = "{\"s\": \"x\", \"i\": 7, \"r\": 1.5, "
                               "\"t\": true, \"f\": false, \"z\": null}";
    AUTO(json) *json = NULL;
    assert_null(json_parse_limited(text, strlen(text), 9, &json));

    assert_string_equal(jget_text(json, "s"), "x");
    assert_null(jget_text(json, "i"));
    assert_null(jget_text(json, "nothing"));
    assert_null(jget_text(NULL, "s"));
    assert_int_equal(jget(json, "z")->type, JSON_NULL);
    assert_null(jget(jget(json, "s"), "s"));

    int64_t i = 1;
    assert_true(jget_int(json, "i", &i));
    assert_int_equal(i, 7);
    assert_false(jget_int(json, "r", &i));
    assert_false(jget_int(json, "s", &i));
    assert_false(jget_int(json, "nothing", &i));
    assert_int_equal(i, 7);

    bool b = false;
    assert_true(jget_bool(json, "t", &b));
    assert_true(b);
    assert_true(jget_bool(json, "f", &b));
    assert_false(b);
    assert_false(jget_bool(json, "z", &b));
    assert_false(jget_bool(json, "i", &b));
}

/* The generic difference. */

static int
compare_letters(const void *a, const void *b)
{
    return *(const char *) a - *(const char *) b;
}

static void
note_difference(enum diff_side side, const void *old, const void *new,
                void *ds_)
{
    struct ds *ds = ds_;

    assert_int_equal(old == NULL, side == DIFF_ONLY_NEW);
    assert_int_equal(new == NULL, side == DIFF_ONLY_OLD);
    ds_put_format(ds, "%c%c",
                  (side == DIFF_ONLY_OLD   ? '-'
                   : side == DIFF_ONLY_NEW ? '+'
                                           : '='),
                  *(const char *) (old ? old : new));
}

static void
check_diff(const char *old, const char *new, const char *expected)
{
    const void *olds[10];
    const void *news[10];
    AUTO_DS ds = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < strlen(old); i++) {
        olds[i] = &old[i];
    }
    for (size_t i = 0; i < strlen(new); i++) {
        news[i] = &new[i];
    }
    diff_sorted(olds, strlen(old), news, strlen(new), compare_letters,
                note_difference, &ds);
    assert_string_equal(ds_cstr(&ds), expected);
}

static void
test_diff(void **state OVS_UNUSED)
{
    check_diff("", "", "");
    check_diff("abd", "bcd", "-a=b+c=d");
    check_diff("abc", "", "-a-b-c");
    check_diff("", "abc", "+a+b+c");
    check_diff("abc", "abc", "=a=b=c");
    check_diff("ace", "bdf", "-a+b-c+d-e+f");
}

/* The queue of bytes behind channels. */

static void
test_bytes(void **state OVS_UNUSED)
{
    struct bytes b = { .size = 0 };
    uint32_t random = 1;
    uint8_t next_in = 0;
    uint8_t next_out = 0;

    for (int i = 0; i < 20000; i++) {
        random = random * 1664525 + 1013904223;
        size_t n = random >> 16 & 1023;
        if (random >> 31) {
            uint8_t *room = bytes_room(&b, n);
            for (size_t j = 0; j < n; j++) {
                room[j] = next_in++;
            }
            bytes_added(&b, n);
        } else {
            n = n < b.size ? n : b.size;
            for (size_t j = 0; j < n; j++) {
                assert_int_equal(bytes_data(&b)[j], next_out);
                next_out++;
            }
            bytes_consume(&b, n);
        }
    }
    bytes_consume(&b, b.size);
    assert_true(b.allocated <= 4096);
    bytes_put(&b, NULL, 0);
    bytes_put(&b, "ab", 2);
    assert_memory_equal(bytes_data(&b), "ab", 2);
    bytes_uninit(&b);
    assert_int_equal(b.size, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mem),
        cmocka_unit_test(test_array_grow),
        cmocka_unit_test(test_err),
        cmocka_unit_test(test_err_kinds),
        cmocka_unit_test(test_uid_text),
        cmocka_unit_test(test_uid_order),
        cmocka_unit_test(test_uid_derived),
        cmocka_unit_test(test_ipaddr),
        cmocka_unit_test(test_prefix_text),
        cmocka_unit_test(test_prefix_contains),
        cmocka_unit_test(test_mac),
        cmocka_unit_test(test_hash64),
        cmocka_unit_test(test_hash64_mix),
        cmocka_unit_test(test_text_to_int),
        cmocka_unit_test(test_text_comparison),
        cmocka_unit_test(test_text_next),
        cmocka_unit_test(test_text_put_printable),
        cmocka_unit_test(test_json_good),
        cmocka_unit_test(test_json_bad),
        cmocka_unit_test(test_json_long),
        cmocka_unit_test(test_jget),
        cmocka_unit_test(test_diff),
        cmocka_unit_test(test_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
