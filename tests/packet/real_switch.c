/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, asking and stopping a real switch.  Waiting is left to the tools:
 * daemons detach when they serve, ovs-vsctl returns when ovs-vswitchd has
 * done what it asks. */

#include "tests/packet/real_switch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-group.h"
#include "openvswitch/ofp-print.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vconn.h"

struct real_switch {
    char *directory;
};

static const char start_script[] =
    "cd $D && export PATH=$PATH:/usr/sbin && exec </dev/null && "
    "ovsdb-tool create conf.db /usr/share/openvswitch/vswitch.ovsschema && "
    "ovsdb-server $D/conf.db --remote=punix:$D/db.sock --detach "
    "  --no-chdir --pidfile=$D/ovsdb-server.pid --unixctl=$D/ovsdb-server.ctl "
    "  --log-file=$D/ovsdb-server.log -vconsole:off -vsyslog:off && "
    "$VSCTL --no-wait init && "
    "ovs-vswitchd unix:$D/db.sock --enable-dummy --disable-system "
    "  --disable-system-route --detach --no-chdir "
    "  --pidfile=$D/ovs-vswitchd.pid --unixctl=$D/ovs-vswitchd.ctl "
    "  --log-file=$D/ovs-vswitchd.log "
    "  -vconsole:off -vsyslog:off && "
    "$VSCTL add-br br-int -- set bridge br-int datapath_type=dummy "
    "  fail_mode=secure protocols=OpenFlow13,OpenFlow14,OpenFlow15 "
    "  other_config:hwaddr=aa:55:aa:55:00:00";

static const char stop_script[] =
    "for f in ovs-vswitchd ovsdb-server; do "
    "  ovs-appctl -t $D/$f.ctl exit 2>/dev/null; done; rm -rf $D";

/* A test that aborts must not leave daemons behind. */
static const char watch_script[] =
    "(while kill -0 %d 2>/dev/null; do sleep 1; done; %s) "
    "</dev/null >/dev/null 2>&1 &";

struct real_switch *
real_switch_create(void)
{
    if (system("command -v ovs-vswitchd ovsdb-server ovsdb-tool >/dev/null "
               "|| test -x /usr/sbin/ovs-vswitchd")) {
        return NULL;
    }
    char directory[] = "/tmp/weft-switch-XXXXXX";
    assert_non_null(mkdtemp(directory));
    struct real_switch *sw = NEW(struct real_switch);
    sw->directory = mem_text(directory);
    AUTO_TEXT *watch = mem_textf(watch_script, (int) getpid(), stop_script);
    free(real_switch_shell(sw, "%s\n%s", watch, start_script));
    return sw;
}

void
real_switch_destroy(struct real_switch *sw)
{
    if (sw) {
        free(real_switch_shell(sw, "%s", stop_script));
        free(sw->directory);
        free(sw);
    }
}

char *
real_switch_shell(const struct real_switch *sw, const char *format, ...)
{
    struct ds command = DS_EMPTY_INITIALIZER;
    ds_put_format(&command,
                  "D=%s; export OVS_RUNDIR=$D OVS_LOGDIR=$D OVS_DBDIR=$D; "
                  "VSCTL=\"ovs-vsctl --db=unix:$D/db.sock\"; "
                  "APPCTL=\"ovs-appctl -t $D/ovs-vswitchd.ctl\"; ",
                  sw->directory);
    va_list args;
    va_start(args, format);
    ds_put_format_valist(&command, format, args);
    va_end(args);

    struct ds output = DS_EMPTY_INITIALIZER;
    FILE *stream = popen(ds_cstr(&command), "r");
    assert_non_null(stream);
    int c;
    while ((c = getc(stream)) != EOF) {
        ds_put_char(&output, c);
    }
    int status = pclose(stream);
    if (status) {
        print_error("%s\n%s\n", ds_cstr(&command), ds_cstr(&output));
    }
    assert_int_equal(status, 0);
    ds_destroy(&command);
    return ds_steal_cstr(&output);
}

const char *
real_switch_directory(const struct real_switch *sw)
{
    return sw->directory;
}

struct vconn *
real_switch_connect(const struct real_switch *sw, enum ofp_version version)
{
    AUTO_TEXT *name = mem_textf("unix:%s/br-int.mgmt", sw->directory);
    struct vconn *vconn;
    assert_int_equal(0,
                     vconn_open_block(name, 1u << version, 0, 10000, &vconn));
    assert_int_equal(vconn_get_version(vconn), version);
    return vconn;
}

static void
send_or_fail(struct vconn *vconn, struct ofpbuf *message, const char *what)
{
    struct ofpbuf *reply;
    assert_int_equal(0, vconn_transact_noreply(vconn, message, &reply));
    if (reply) {
        enum ofperr error = ofperr_decode_msg(reply->data, NULL);
        fail_msg("%s: %s", what, ofperr_get_name(error));
    }
}

static void
add_bucket(struct ovs_list *buckets, const struct item *item)
{
    struct ofputil_bucket *bucket = mem_zalloc(sizeof *bucket);
    struct ofpbuf ofpacts;
    ofpbuf_init(&ofpacts, 0);
    item_bucket_actions(item, &ofpacts);
    bucket->bucket_id = item->bucket;
    bucket->watch_port = OFPP_ANY;
    bucket->watch_group = OFPG_ANY;
    bucket->ofpacts_len = ofpacts.size;
    bucket->ofpacts = ofpbuf_steal_data(&ofpacts);
    ovs_list_push_back(buckets, &bucket->list_node);
}

static void
add_group(struct vconn *vconn, uint32_t group, const struct item *const *items,
          size_t n)
{
    struct ofputil_group_mod gm = {
        .command = OFPGC11_ADD,
        .type = OFPGT11_ALL,
        .group_id = group,
        .command_bucket_id = OFPG15_BUCKET_ALL,
    };
    ovs_list_init(&gm.buckets);
    for (size_t i = 0; i < n; i++) {
        if (items[i]->kind == ITEM_BUCKET && items[i]->group == group) {
            add_bucket(&gm.buckets, items[i]);
        }
    }
    send_or_fail(
        vconn,
        ofputil_encode_group_mod(vconn_get_version(vconn), &gm, NULL, -1),
        "group");
    ofputil_bucket_list_destroy(&gm.buckets);
}

void
real_switch_add_items(struct vconn *vconn, const struct item *const *items,
                      size_t n)
{
    enum ofputil_protocol protocol =
        ofputil_protocol_from_ofp_version(vconn_get_version(vconn));
    /* A switch takes a rule only if the groups it names exist. */
    for (size_t i = 0; i < n; i++) {
        if (items[i]->kind == ITEM_GROUP) {
            add_group(vconn, items[i]->group, items, n);
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (items[i]->kind == ITEM_RULE) {
            AUTO_TEXT *text = item_to_text(items[i]);
            send_or_fail(
                vconn, item_rule_encode(items[i], OFPFC_ADD, protocol), text);
        }
    }
}

void
real_switch_program(struct vconn *vconn, const struct scopes *scopes,
                    const struct uuid *host)
{
    size_t n_scopes, n = 0, allocated = 0;
    const struct item **items = NULL;
    const struct scope **array = scopes_of_host(scopes, host, &n_scopes);
    for (size_t i = 0; i < n_scopes; i++) {
        const struct item *item;
        SCOPE_FOR_EACH_ITEM (item, array[i]) {
            if (scopes_wanted(scopes, host, item->identity) == item) {
                ARRAY_GROW(items, n, allocated);
                items[n++] = item;
            }
        }
    }
    real_switch_add_items(vconn, items, n);
    free(items);
    free(array);
}
