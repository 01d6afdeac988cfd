/* SPDX-License-Identifier: Apache-2.0 */
/* Settings: what is accepted, what is refused and with which words, and the
 * texts made of the rows.  packaging/weft.conf and docs/generated/options.md
 * are pinned: UPDATE=1 in the environment rewrites them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "config.h"

static void
parse(struct config *config, const char *text)
{
    struct err *err = config_parse(config, text, "f");
    if (err) {
        fail_msg("%s", err->text);
    }
}

/* Everything in 'words' (with '|' between them) is in the refusal. */
static void
refuse(const char *text, const char *words)
{
    AUTO(config) *config = config_create();
    AUTO(err) *err = config_parse(config, text, "weft.conf");
    assert_non_null(err);
    AUTO_TEXT *copy = mem_text(words);
    char *cursor = copy;
    const char *word;
    while ((word = text_next(&cursor, "|")) != NULL) {
        if (!strstr(err->text, word)) {
            fail_msg("\"%s\" is not in \"%s\"", word, err->text);
        }
    }
}

static void
test_defaults(void **state)
{
    AUTO(config) *config = config_create();
    assert_string_equal(config->daemon.state_dir, "/var/lib/weft");
    assert_null(config->daemon.user);
    assert_string_equal(config->northbound.compat, "driver");
    assert_int_equal(config->northbound.ports.n, 2);
    assert_int_equal(config->northbound.ports.items[1], 8181);
    assert_int_equal(config->northbound.max_body, 16 << 20);
    assert_false(config->northbound.development);
    assert_int_equal(config->switches.ovsdb_port, 6640);
    assert_int_equal(config->switches.active.n, 0);
    assert_int_equal(config->fabric.underlay_mtu, 1500);
    assert_null(config_check(config));

    AUTO_TEXT *run_dir = config_run_dir(config);
    assert_string_equal(run_dir, "/run/weft");
    assert_null(config_set(config, "daemon.state_dir=/tmp/x"));
    AUTO_TEXT *moved = config_run_dir(config);
    assert_string_equal(moved, "/tmp/x");
    AUTO_TEXT *store = config_store_path(config);
    assert_string_equal(store, "/tmp/x/weft.db");
}

static void
test_values(void **state)
{
    AUTO(config) *config = config_create();
    parse(config, "\xef\xbb\xbf# A comment.\n"
                  "[northbound]\r\n"
                  "  ports = 80,443 ; here, too\n"
                  "compat=opendaylight\n"
                  "development = Yes\n"
                  "max_body = 2 kib\n"
                  "tls_key =\n"
                  "\n"
                  "[switches]\n"
                  "active = tcp:10.0.0.1:6640,\n"
                  "  ssl:[fd00::1]:6640 ; and here\n"
                  "\ttcp:10.0.0.3:6640\n"
                  "ovsdb_port = 0\n"
                  "[daemon]\n"
                  "log_level = warn, store:dbg");
    assert_int_equal(config->northbound.ports.items[0], 80);
    assert_string_equal(config->northbound.compat, "opendaylight");
    assert_true(config->northbound.development);
    assert_int_equal(config->northbound.max_body, 2048);
    assert_null(config->northbound.tls_key);
    assert_int_equal(config->switches.active.n, 3);
    assert_string_equal(config->switches.active.items[1],
                        "ssl:[fd00::1]:6640");
    assert_int_equal(config->switches.ovsdb_port, 0);
    assert_int_equal(config->daemon.log_level.n, 2);

    /* The command line replaces, also lists. */
    assert_null(config_set(config, "switches.active=tcp:1.1.1.1:1"));
    assert_int_equal(config->switches.active.n, 1);
    assert_null(config_set(config, "northbound.ports="));
    assert_int_equal(config->northbound.ports.n, 0);
}

static void
test_refusals(void **state)
{
    refuse("\n[northbund]\nports = 1\n",
           "weft.conf:3: |northbund|did you mean \"northbound\"?");
    refuse("[switches]\nopenflow_port = 1\n",
           "weft.conf:2: |[switches]|did you mean \"openflow_ports\"?");
    refuse("[daemon]\nbridge = x\n", "bridge|there is one in [switches]");
    refuse("[fabric]\nzzzzzzzz = x\n", "zzzzzzzz|there are underlay_mtu");
    refuse("[zzzzzzzz]\na = x\n", "there are daemon, northbound");
    refuse("ports = 1\n", "weft.conf:1: |before the first [section]");
    refuse("[daemon]\nnonsense\n", "weft.conf:2: |option = value");
    refuse("[daemon\nlog_file = x\n", "weft.conf:1: |[section]");
    refuse("[northbound]\ncompat = odl\n",
           "compat = odl|driver or opendaylight");
    refuse("[northbound]\ndevelopment = maybe\n", "true or false");
    refuse("[northbound]\nmax_depth = 3\n", "from 4 to 1000");
    refuse("[northbound]\nmax_depth = 12x\n", "max_depth = 12x");
    refuse("[northbound]\nmax_depth =\n", "from 4 to 1000");
    refuse("[northbound]\nmax_body = 99999999999999999999\n", "a size from");
    refuse("[northbound]\nmax_body = 4 GiB\n", "a size from");
    refuse("[northbound]\nports = 1, 2, 3, 4, 5\n", "up to four ports");
    refuse("[northbound]\nports = 0\n", "from 1 to 65535");
    refuse("[daemon]\nlog_level = loud\n", "off, err, warn");
    refuse("[daemon]\nlog_level = info, :dbg\n", "module:level");
    refuse("[daemon]\nuser = a\nuser = b\n", "weft.conf:3: |twice");

    AUTO_DS text = DS_EMPTY_INITIALIZER;
    ds_put_cstr(&text, "[daemon]\nlog_file = /");
    ds_put_char_multiple(&text, 'x', 500);
    refuse(ds_cstr(&text), "weft.conf:2: |characters");
}

static void
test_set_refusals(void **state)
{
    static const char *const bad[] = {
        "",        "daemon",     "daemon.user",
        "=",       "a.b=c",      "daemon.=x",
        ".user=x", "daemon=x.y", "fabric.underlay_mtu=1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        AUTO(config) *config = config_create();
        AUTO(err) *err = config_set(config, bad[i]);
        assert_non_null(err);
    }
}

static void
check_refuses(const char *assignment, const char *field)
{
    AUTO(config) *config = config_create();
    assert_null(config_set(config, assignment));
    AUTO(err) *err = config_check(config);
    assert_non_null(err);
    assert_string_equal(err->field, field);
}

static void
test_check(void **state)
{
    check_refuses("northbound.tls_key=/k", "northbound.tls_certificate");
    check_refuses("northbound.tls_certificate=/c", "northbound.tls_key");
    check_refuses("switches.tls_key=/k", "switches.tls_certificate");
    check_refuses("switches.tls_ca=/k", "switches.tls_key");
    check_refuses("switches.openflow_ports=1,2,3", "switches.openflow_ports");
    check_refuses("daemon.state_dir=", "daemon.state_dir");
    check_refuses("switches.listen=", "switches.listen");
}

static void
test_files(void **state)
{
    AUTO(config) *config = config_create();
    AUTO(err) *none = config_read(config, "/nowhere/weft.conf");
    assert_non_null(strstr(none->text, "/nowhere/weft.conf"));
    AUTO(err) *directory = config_read(config, "/tmp");
    assert_non_null(directory);
    AUTO(err) *binary = config_read(config, "/proc/self/exe");
    assert_non_null(strstr(binary->text, "not a text file"));
}

/* What --print-config prints is read back as the same. */
static void
test_round_trip(void **state)
{
    AUTO(config) *a = config_create();
    assert_null(config_set(a, "switches.active=tcp:1.1.1.1:1,tcp:2.2.2.2:2"));
    assert_null(config_set(a, "northbound.max_body=5 MiB"));
    assert_null(config_set(a, "northbound.max_header=1025"));
    assert_null(config_set(a, "northbound.ports="));
    assert_null(config_set(a, "daemon.user=weft"));
    AUTO_TEXT *text = config_to_text(a);
    AUTO(config) *b = config_create();
    parse(b, text);
    AUTO_TEXT *again = config_to_text(b);
    assert_string_equal(text, again);
    assert_int_equal(b->northbound.max_header, 1025);

    assert_null(config_restart_options(a, b));
    AUTO(config) *c = config_create();
    AUTO_TEXT *options = config_restart_options(a, c);
    assert_string_equal(options, "daemon.user, northbound.ports, "
                                 "northbound.max_header");
}

/* Compares 'text' with a file of the source tree. */
static void
check_pinned(const char *name, const char *text)
{
    const char *root = getenv("WEFT_SOURCE_ROOT");
    if (!root) {
        skip();
    }
    AUTO_TEXT *path = mem_textf("%s/%s", root, name);
    if (getenv("UPDATE")) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
    }
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    AUTO_DS pinned = DS_EMPTY_INITIALIZER;
    int c;
    while ((c = getc(file)) != EOF) {
        ds_put_char(&pinned, c);
    }
    fclose(file);
    if (strcmp(ds_cstr(&pinned), text)) {
        fail_msg("%s is not what src/options.def says; UPDATE=1 in the "
                 "environment of this test rewrites it",
                 name);
    }
}

static void
test_pinned(void **state)
{
    AUTO(config) *config = config_create();
    AUTO_TEXT *sample = config_to_text(config);
    check_pinned("packaging/weft.conf", sample);
    AUTO_TEXT *markdown = config_to_markdown();
    check_pinned("docs/generated/options.md", markdown);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),   cmocka_unit_test(test_values),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_set_refusals),
        cmocka_unit_test(test_check),      cmocka_unit_test(test_files),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
