/* SPDX-License-Identifier: Apache-2.0 */
/* Views: what operators and monitoring see of the switches.
 *
 *     check ──► one part per connected host ──► answer ──turn──► done()
 *
 * An ANSWER gathers the parts of one check or dump.  Every part is answered
 * exactly once, by the dump or by an error, and the whole is handed over by a
 * turn of the loop, so never from within the call that asked for it. */

#include <inttypes.h>

#include "switches/database.h"
#include "switches/host.h"
#include "switches/openflow.h"
#include "switches/ports.h"
#include "switches/reconcile.h"

struct answer {
    struct ovs_list node; /* In 'answers' of 'switches'. */
    struct switches *switches;
    struct json *result;
    size_t n_missing; /* Parts not answered yet. */
    void (*done)(struct json *, void *aux);
    void *aux;
};

struct part {
    struct answer *answer;
    struct json *into; /* Borrowed: an object in 'result'. */
};

/* Answers. */

static struct answer *
answer_create(struct switches *switches,
              void (*done)(struct json *, void *aux), void *aux)
{
    struct answer *answer = NEW(struct answer);

    *answer = (struct answer){
        .switches = switches,
        .result = json_object_create(),
        .done = done,
        .aux = aux,
    };
    ovs_list_push_back(&switches->answers, &answer->node);
    switches_later(switches);
    return answer;
}

static void
answer_destroy(struct answer *answer)
{
    ovs_list_remove(&answer->node);
    json_destroy(answer->result);
    free(answer);
}

void
views_run(struct switches *switches)
{
    struct answer *answer;

    LIST_FOR_EACH_SAFE (answer, node, &switches->answers) {
        if (!answer->n_missing) {
            ovs_list_remove(&answer->node);
            ovs_list_init(&answer->node);
            /* Takes ownership of the result. */
            answer->done(STEAL(answer->result), answer->aux);
            answer_destroy(answer);
        }
    }
}

void
views_uninit(struct switches *switches)
{
    struct answer *answer;

    LIST_FOR_EACH_SAFE (answer, node, &switches->answers) {
        answer_destroy(answer);
    }
}

/* Puts the members of 'json' into the object of the part. */
static void
part_done(struct json *json, void *part_)
{
    struct part *part = part_;
    struct shash_node *node;

    SHASH_FOR_EACH (node, json_object(json)) {
        json_object_put(part->into, node->name, json_clone(node->data));
    }
    json_destroy(json);
    part->answer->n_missing--;
    switches_later(part->answer->switches);
    free(part);
}

static void
ask(struct answer *answer, struct host *host, enum audit_purpose purpose,
    struct json *into)
{
    struct part *part = NEW(struct part);

    *part = (struct part){ .answer = answer, .into = into };
    answer->n_missing++;
    reconcile_view(host->openflow->reconcile, purpose, part_done, part);
}

static bool
is_askable(const struct host *host)
{
    return host && host->openflow && host->openflow->reconcile;
}

static void
check_host(struct answer *answer, struct host *host, struct json *hosts)
{
    struct json *into = json_object_create();
    char id[UID_LENGTH + 1];

    uid_to_text(&host->id, id);
    json_object_put_string(into, "host", host->name);
    json_object_put_string(into, "id", id);
    json_object_put(into, "ok", json_boolean_create(false));
    json_object_put(into, "rules", json_integer_create(0));
    json_object_put(into, "missing", json_array_create_empty());
    json_object_put(into, "stale", json_array_create_empty());
    json_array_add(hosts, into);
    if (is_askable(host)) {
        ask(answer, host, AUDIT_CHECK, into);
    } else {
        json_object_put_string(into, "error", "not connected");
    }
}

void
switches_check(struct switches *switches, const struct uuid *id,
               void (*done)(struct json *, void *aux), void *aux)
{
    struct answer *answer = answer_create(switches, done, aux);
    struct json *hosts = json_array_create_empty();
    struct host *host;

    json_object_put(answer->result, "hosts", hosts);
    HMAP_FOR_EACH (host, node, &switches->hosts) {
        if (id ? uid_equals(id, &host->id) : is_askable(host)) {
            check_host(answer, host, hosts);
        }
    }
}

void
switches_dump(struct switches *switches, const struct uuid *id,
              void (*done)(struct json *, void *aux), void *aux)
{
    struct answer *answer = answer_create(switches, done, aux);
    struct host *host = host_find(switches, id);

    if (host) {
        json_object_put_string(answer->result, "host", host->name);
    }
    json_object_put(answer->result, "flows", json_array_create_empty());
    if (is_askable(host)) {
        ask(answer, host, AUDIT_LIST, answer->result);
    } else {
        json_object_put_string(answer->result, "error",
                               host ? "not connected" : "no such host");
    }
}

/* Status. */

static struct json *
connected_json(bool ovsdb, bool openflow)
{
    struct json *json = json_object_create();

    json_object_put(json, "ovsdb", json_boolean_create(ovsdb));
    json_object_put(json, "openflow", json_boolean_create(openflow));
    return json;
}

static struct json *
errors_json(const struct host *host)
{
    struct json *errors = json_array_create_empty();

    for (size_t i = 0; i < host->n_errors; i++) {
        const struct host_error *error = &host->errors[i];
        struct json *json = json_object_create();

        if (error->object) {
            json_object_put_string(json, "object", error->object);
        }
        json_object_put_string(json, "error", error->text);
        json_object_put(json, "when", json_real_create(error->when));
        json_object_put(json, "times", json_integer_create(error->times));
        json_array_add(errors, json);
    }
    return errors;
}

static struct json *
counters_json(const struct counters *counters)
{
    struct json *json = json_object_create();

#define COUNTER(NAME)                                                         \
    json_object_put(json, #NAME,                                              \
                    json_integer_create((long long int) counters->NAME));
    COUNTERS
#undef COUNTER
    return json;
}

static struct json *
lacks_json(const struct host *host)
{
    struct json *lacks =
        (host->lacks && host->database ? json_deep_clone(host->lacks)
                                       : json_array_create_empty());

    if (!host->database) {
        json_array_add(
            lacks, json_string_create(
                       "no database session; run there: ovs-vsctl set-manager "
                       "tcp:ADDRESS:6640"));
        return lacks;
    }
    ports_lacks(host, lacks);
    if (!host->openflow) {
        json_array_add(lacks,
                       json_string_create(
                           "the bridge has not connected; see 'ovs-vsctl list "
                           "controller' "
                           "there, and whether a firewall is between"));
    }
    return lacks;
}

static void
put_last_error(const struct host *host, struct json *json)
{
    if (host->n_errors) {
        const struct host_error *error = &host->errors[0];
        json_object_put_format(json, "last_error", "%s%s%s",
                               error->object ? error->object : "",
                               error->object ? ": " : "", error->text);
    } else {
        json_object_put(json, "last_error", json_null_create());
    }
}

static struct json *
host_status(const struct host *host)
{
    const struct openflow *openflow = host->openflow;
    const struct reconcile *reconcile = openflow ? openflow->reconcile : NULL;
    struct json *json = json_object_create();
    char id[UID_LENGTH + 1];

    uid_to_text(&host->id, id);
    json_object_put_string(json, "version", "");
    json_object_put_string(json, "tunnel_address", "");
    json_object_put(json, "tunnels", json_object_create());
    json_object_put(json, "physnets", json_array_create_empty());
    ports_report_status(host->report, json);
    json_object_put_string(json, "host", host->name);
    json_object_put_string(json, "id", id);
    json_object_put_string(json, "address",
                           host->address ? host->address : "");
    json_object_put(json, "connected",
                    connected_json(host->database, openflow));
    json_object_put_string(json, "openflow_version",
                           openflow ? openflow_version_name(openflow) : "");
    json_object_put(json, "since", json_real_create(host->since));
    json_object_put_string(json, "bridge", host->switches->settings.bridge);
    json_object_put_format(json, "datapath_id", "%016" PRIx64,
                           host->datapath_id);
    json_object_put(json, "ports",
                    json_integer_create(ports_report_n_plugs(host->report)));
    json_object_put(json, "lacks", lacks_json(host));
    put_last_error(host, json);
    json_object_put(json, "errors", errors_json(host));
    json_object_put_string(
        json, "state",
        (reconcile ? reconcile_state_name(reconcile) : "not connected"));
    json_object_put(
        json, "pending",
        json_integer_create(reconcile ? reconcile_n_pending(reconcile) : 0));
    json_object_put(
        json, "acknowledged",
        json_integer_create(switches_acknowledged(host->switches, &host->id)));
    json_object_put(json, "counters", counters_json(&host->counters));
    return json;
}

static struct json *
session_status(const char *address, bool is_openflow, uint64_t datapath_id,
               const char *lack)
{
    struct json *json = json_object_create();

    json_object_put_format(json, "host", "unclaimed %s", address);
    json_object_put_string(json, "id", "");
    json_object_put_string(json, "address", address);
    json_object_put(json, "connected",
                    connected_json(!is_openflow, is_openflow));
    json_object_put_format(json, "datapath_id", "%016" PRIx64, datapath_id);
    json_object_put(json, "lacks",
                    json_array_create_1(json_string_create(lack)));
    return json;
}

struct json *
switches_status(const struct switches *switches)
{
    struct json *array = json_array_create_empty();
    const struct database *database;
    const struct openflow *openflow;
    const struct host *host;

    HMAP_FOR_EACH (host, node, &switches->hosts) {
        json_array_add(array, host_status(host));
    }
    LIST_FOR_EACH (openflow, node, &switches->openflows) {
        if (openflow->state != OPENFLOW_BOUND) {
            json_array_add(
                array,
                session_status(
                    openflow->address, true, openflow->datapath_id,
                    switches_expects(switches, openflow)
                        ? "its switch has another OpenFlow session, or no "
                          "database session now"
                        : "no switch database names this datapath; run there: "
                          "ovs-vsctl set-manager tcp:ADDRESS:6640"));
        }
    }
    LIST_FOR_EACH (database, node, &switches->databases) {
        if (!database->host) {
            json_array_add(
                array,
                session_status(database->address, false, 0,
                               database->state == DATABASE_FOREIGN
                                   ? "not an Open vSwitch; left alone"
                               : database->is_rival
                                   ? "its switch has another database session"
                                   : "has not said yet who it is"));
        }
    }
    return array;
}
