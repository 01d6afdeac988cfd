/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions with switches alone, without compiler, for test_switches.py.
 *
 *     stdin: commands, one a line ──► scopes, switches
 *     stdout: events and answers, one JSON object a line
 *
 * Commands:
 *
 *     listen OVSDB_PORT OPENFLOW_PORT [KEY CERTIFICATE CA]
 *     dial TARGET
 *     add NAME rule SCOPE PRIORITY SEGMENT VALUE
 *     add NAME call SCOPE PRIORITY SEGMENT GROUP   (a rule that uses a group)
 *     add NAME punt SCOPE PRIORITY SEGMENT REASON
 *     add NAME group SCOPE GROUP
 *     add NAME bucket SCOPE GROUP BUCKET VALUE
 *     add NAME tunnel SCOPE CARRIER
 *     del NAME
 *     want HOST SCOPE | unwant HOST SCOPE
 *     publish | status | check | dump HOST | packet HOST OFPORT | quit
 *
 * SCOPE is "all", "host:NAME" or "segment:NAME"; identifiers are made from
 * names.  The rig is the owner: it wants "all" and its own scope for every
 * host that shows up, and says that it is ready after each event of facts. */

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "switches/switches.h"

struct rig {
    struct loop *loop;
    struct scopes *scopes;
    struct switches *switches;
    struct shash items; /* "struct item *". */
    struct shash hosts; /* Names of those wanted for. */
    char *targets[8];
    size_t n_targets;
    struct ds line;
};

static void
print(struct json *json)
{
    char *text = json_to_string(json, JSSF_SORT);

    puts(text);
    fflush(stdout);
    free(text);
    json_destroy(json);
}

static struct json *
event(const char *name)
{
    struct json *json = json_object_create();

    json_object_put_string(json, "event", name);
    return json;
}

static void
put_uid(struct json *json, const char *member, const struct uuid *id)
{
    char text[UID_LENGTH + 1];

    uid_to_text(id, text);
    json_object_put_string(json, member, text);
}

/* The owner. */

static struct json *
plug_json(const struct switch_plug *plug)
{
    struct json *json = json_object_create();

    put_uid(json, "endpoint", &plug->endpoint);
    json_object_put_string(json, "name", plug->name);
    json_object_put(json, "ofport", json_integer_create(plug->ofport));
    return json;
}

static void
ready(void *rig_)
{
    struct rig *rig = rig_;

    scopes_publish(rig->scopes);
    switches_ready(rig->switches);
}

static void
on_facts(const struct switch_facts *facts, const struct switch_plug *plugs,
         size_t n_plugs, void *rig_)
{
    struct rig *rig = rig_;
    struct json *json = event("facts");
    struct json *array = json_array_create_empty();
    struct json *tunnels = json_object_create();
    struct json *physnets = json_object_create();

    for (size_t i = 0; i < n_plugs; i++) {
        json_array_add(array, plug_json(&plugs[i]));
    }
    for (size_t i = 0; i < facts->n_tunnels; i++) {
        json_object_put(tunnels, carrier_name(facts->tunnels[i].carrier),
                        json_integer_create(facts->tunnels[i].ofport));
    }
    for (size_t i = 0; i < facts->n_physnets; i++) {
        json_object_put(physnets, facts->physnets[i].name,
                        json_integer_create(facts->physnets[i].ofport));
    }
    put_uid(json, "id", &facts->host);
    json_object_put_string(json, "host", facts->name);
    json_object_put(json, "plugs", array);
    json_object_put(json, "tunnels", tunnels);
    json_object_put(json, "physnets", physnets);
    print(json);

    if (shash_add_once(&rig->hosts, facts->name, NULL)) {
        scopes_want(rig->scopes, &facts->host, scope_all());
        scopes_want(rig->scopes, &facts->host, scope_host(&facts->host));
    }
    loop_defer(rig->loop, ready, rig);
}

static void
on_plugged(const struct uuid *host, const struct switch_plug *plug, void *rig)
{
    struct json *json = event("plugged");

    put_uid(json, "id", host);
    json_object_put(json, "plug", plug_json(plug));
    print(json);
}

static void
on_unplugged(const struct uuid *host, const struct uuid *endpoint, void *rig)
{
    struct json *json = event("unplugged");

    put_uid(json, "id", host);
    put_uid(json, "endpoint", endpoint);
    print(json);
}

static void
on_acknowledged(const struct uuid *host, uint64_t sequence, void *rig_)
{
    struct json *json = event("acknowledged");

    put_uid(json, "id", host);
    json_object_put(json, "sequence", json_integer_create(sequence));
    print(json);
}

static void
on_connected(const struct uuid *host, bool up, const char *reason, void *rig)
{
    struct json *json = event(up ? "up" : "down");

    put_uid(json, "id", host);
    json_object_put_string(json, "reason", reason ? reason : "");
    print(json);
}

static void
on_packet(const struct uuid *host, uint32_t in_port, uint32_t reason,
          const void *frame, size_t size, void *rig)
{
    struct json *json = event("packet");

    put_uid(json, "id", host);
    json_object_put(json, "in_port", json_integer_create(in_port));
    json_object_put(json, "reason", json_integer_create(reason));
    json_object_put(json, "size", json_integer_create(size));
    print(json);
}

static const struct switches_events events = {
    .facts = on_facts,
    .plugged = on_plugged,
    .unplugged = on_unplugged,
    .acknowledged = on_acknowledged,
    .connected = on_connected,
    .packet = on_packet,
};

/* Commands. */

static struct scope_id
scope_from_text(const char *text)
{
    const char *colon = strchr(text, ':');
    struct uuid id;

    if (!colon) {
        return scope_all();
    }
    if (text_starts_with(text, "host:")) {
        id = uid_from_name("host", colon + 1);
        return scope_host(&id);
    }
    id = uid_from_name("segment", colon + 1);
    return scope_segment(&id);
}

static uint32_t
number(const char *text)
{
    return text ? strtoul(text, NULL, 0) : 0;
}

static struct item *
add_rule(struct rig *rig, char **words)
{
    struct draft draft;

    draft_init_rule(&draft, scope_from_text(words[3]), T_LOCAL,
                    number(words[4]));
    when_register(&draft, R_SEGMENT, number(words[5]));
    if (!strcmp(words[2], "call")) {
        then_group(&draft, number(words[6]));
    } else if (!strcmp(words[2], "punt")) {
        then_controller(&draft, number(words[6]), UINT16_MAX);
    } else {
        then_set(&draft, R_TARGET, number(words[6]));
        then_goto(&draft, T_EGRESS);
    }
    struct item *item = scope_add(rig->scopes, &draft, rig);
    draft_uninit(&draft);
    return item;
}

static struct item *
add_bucket(struct rig *rig, char **words)
{
    struct draft draft;

    draft_init_bucket(&draft, scope_from_text(words[3]), number(words[4]),
                      number(words[5]));
    then_set(&draft, R_TARGET, number(words[6]));
    then_resubmit(&draft, T_EGRESS);
    struct item *item = scope_add(rig->scopes, &draft, rig);
    draft_uninit(&draft);
    return item;
}

static void
add(struct rig *rig, char **words)
{
    struct item *item;

    if (!strcmp(words[2], "group")) {
        item = scope_add_group(rig->scopes, scope_from_text(words[3]),
                               number(words[4]), rig);
    } else if (!strcmp(words[2], "bucket")) {
        item = add_bucket(rig, words);
    } else if (!strcmp(words[2], "tunnel")) {
        enum carrier carrier = CARRIER_VXLAN;
        (void) carrier_from_text(words[4], &carrier);
        item = scope_add_tunnel(rig->scopes, scope_from_text(words[3]),
                                carrier, rig);
    } else {
        item = add_rule(rig, words);
    }
    shash_add(&rig->items, words[1], item);
}

static void
start(struct rig *rig, char **words, size_t n)
{
    struct switches_settings settings = {
        .listen_address = "127.0.0.1",
        .ovsdb_port = number(words[1]),
        .openflow_ports = { number(words[2]), 0 },
        .active = (const char *const *) rig->targets,
        .n_active = rig->n_targets,
        .bridge = "br-int",
        .probe_ms = 1000,
        .max_sessions = 100,
    };
    if (n >= 6) {
        settings.tls = (struct tls_files){ words[3], words[4], words[5] };
    }
    rig->switches =
        switches_create(rig->loop, rig->scopes, &settings, &events, rig);
    struct err *err = switches_start(rig->switches);
    struct json *json = event(err ? "failed" : "listening");
    if (err) {
        char *text = err_to_text(err);
        json_object_put_string(json, "error", text);
        free(text);
        err_destroy(err);
    }
    print(json);
}

static void
answered(struct json *json, void *name)
{
    json_object_put_string(json, "event", name);
    print(json);
}

static void
send_frame(struct rig *rig, char **words)
{
    struct uuid id = uid_from_name("host", words[1]);
    uint8_t frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02,
                          0,    0,    0,    0,    1,    0x88, 0xb5 };

    switches_send_packet(rig->switches, &id, 0, number(words[2]), frame,
                         sizeof frame);
}

static void
obey_host(struct rig *rig, char **words)
{
    static char dump[] = "dump";
    struct uuid id = uid_from_name("host", words[1]);

    if (!strcmp(words[0], "want")) {
        scopes_want(rig->scopes, &id, scope_from_text(words[2]));
    } else if (!strcmp(words[0], "unwant")) {
        scopes_unwant(rig->scopes, &id, scope_from_text(words[2]));
    } else if (!strcmp(words[0], "dump")) {
        switches_dump(rig->switches, &id, answered, dump);
    }
}

static void
obey(struct rig *rig, char **words, size_t n)
{
    static char check[] = "check";

    if (!strcmp(words[0], "listen")) {
        start(rig, words, n);
    } else if (!strcmp(words[0], "dial")) {
        rig->targets[rig->n_targets++] = mem_text(words[1]);
    } else if (!strcmp(words[0], "add")) {
        add(rig, words);
    } else if (!strcmp(words[0], "del")) {
        scope_remove(rig->scopes,
                     shash_find_and_delete(&rig->items, words[1]));
    } else if (!strcmp(words[0], "publish")) {
        scopes_publish(rig->scopes);
        switches_ready(rig->switches);
        struct json *json = event("published");
        json_object_put(json, "sequence",
                        json_integer_create(switches_sequence(rig->switches)));
        print(json);
    } else if (!strcmp(words[0], "status")) {
        struct json *json = event("status");
        json_object_put(json, "hosts", switches_status(rig->switches));
        print(json);
    } else if (!strcmp(words[0], "check")) {
        switches_check(rig->switches, NULL, answered, check);
    } else if (!strcmp(words[0], "packet")) {
        send_frame(rig, words);
    } else if (!strcmp(words[0], "quit")) {
        loop_stop(rig->loop);
    } else {
        obey_host(rig, words);
    }
}

static void
obey_line(struct rig *rig, char *line)
{
    char *words[16] = { NULL };
    size_t n = 0;
    char *cursor = line;

    for (char *word; n < 15 && (word = text_next(&cursor, " ")) != NULL;) {
        words[n++] = word;
    }
    if (n) {
        obey(rig, words, n);
    }
}

static void
on_input(void *rig_)
{
    struct rig *rig = rig_;
    char buffer[4096];
    ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);

    if (n <= 0) {
        loop_stop(rig->loop);
        return;
    }
    for (ssize_t i = 0; i < n; i++) {
        if (buffer[i] == '\n') {
            obey_line(rig, ds_cstr(&rig->line));
            ds_clear(&rig->line);
        } else {
            ds_put_char(&rig->line, buffer[i]);
        }
    }
}

int
main(void)
{
    struct rig rig = {
        .loop = loop_create(),
        .scopes = scopes_create(),
        .items = SHASH_INITIALIZER(&rig.items),
        .hosts = SHASH_INITIALIZER(&rig.hosts),
        .line = DS_EMPTY_INITIALIZER,
    };
    struct fdwatch *watch =
        loop_watch_fd(rig.loop, STDIN_FILENO, on_input, &rig);
    loop_run(rig.loop);

    loop_unwatch_fd(watch);
    switches_destroy(rig.switches);
    struct shash_node *node;
    SHASH_FOR_EACH (node, &rig.items) {
        scope_remove(rig.scopes, node->data);
    }
    shash_destroy(&rig.items);
    shash_destroy(&rig.hosts);
    scopes_destroy(rig.scopes);
    for (size_t i = 0; i < rig.n_targets; i++) {
        free(rig.targets[i]);
    }
    ds_destroy(&rig.line);
    loop_destroy(rig.loop);
    return 0;
}
