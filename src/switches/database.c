/* SPDX-License-Identifier: Apache-2.0 */
/* OVSDB sessions (RFC 7047).
 *
 *     bytes ──scan──► one JSON text ──► answer to us, update, or echo
 *                                          │        │
 *                     state machine ◄──────┘        ▼
 *                                                replica ──► host
 *
 * JSON-RPC over TCP has no framing but JSON itself.  The scan finds where a
 * text ends, and bounds its size, depth and number of values before a parser
 * has built anything from them.  A peer that sends anything else, does not
 * answer, or does not read is closed with a reason.
 *
 * A session only ends in two places, the callbacks of its channel and of its
 * work timer; everything below returns an error or sets 'doom'.
 *
 * At most one transaction is under way.  After its answer the plan is made
 * again from the replica, so that writing is a loop that ends when nothing
 * differs; a fight with somebody else over a row is slowed down and named. */

#include "switches/database.h"

#include <inttypes.h>
#include <stdio.h>

#include "openvswitch/vlog.h"
#include "switches/provision.h"

VLOG_DEFINE_THIS_MODULE(database);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 60);

enum {
    MAX_MESSAGE = 16 * 1024 * 1024, /* Bytes; 10 000 ports take 8 MB. */
    MAX_DEPTH = 32,                 /* The protocol needs about 10. */
    MAX_VALUES = 1000 * 1000,       /* In one message. */
    MAX_BACKLOG = 16 * 1024 * 1024, /* Bytes the peer does not read. */
    MAX_MESSAGES_PER_TURN = 64,
    MAX_UNANSWERED = 2,    /* Echo requests. */
    MAX_TRANSACTIONS = 20, /* In WINDOW_MS, then slower. */
    WINDOW_MS = 60 * 1000,
    SLOW_RETRY_MS = 30 * 1000,
    MIN_RETRY_MS = 1000,
    MAX_RETRY_MS = 60 * 1000,
    MAX_START_S = 30, /* Until the replica is there. */
    URGENT_MS = 2000,
    HIGHEST_OPENFLOW = 5,
    LOWEST_OPENFLOW = 3,
};

static const char *const state_names[] = {
#define DATABASE_STATE(ID) [DATABASE_##ID] = #ID,
    DATABASE_STATES
#undef DATABASE_STATE
};

static void database_readable(struct channel *, void *);
static void database_drained(struct channel *, void *);
static void database_closed(struct channel *, const char *, void *);
static void database_work(void *);
static void database_tick(void *);
static void database_retry(void *);
static void send_request(struct database *, const char *method,
                         struct json *params, const char *id);
static struct err *take_message(struct database *, const struct json *);

static const struct channel_events events = {
    .readable = database_readable,
    .drained = database_drained,
    .closed = database_closed,
};

struct database *
database_create(struct switches *switches, struct channel *channel,
                struct dial *dial, const char *address)
{
    struct database *database = NEW(struct database);

    database->switches = switches;
    database->channel = channel;
    database->dial = dial;
    database->address = mem_text(address);
    database->local_address =
        mem_text(channel ? channel_local_address(channel) : "127.0.0.1");
    database->is_tls = switches->tls != NULL;
    database->max_version = HIGHEST_OPENFLOW;
    database->since = loop_wall(switches->loop);
    replica_init(&database->replica);
    ovs_list_push_back(&switches->databases, &database->node);
    database->probe_timer =
        loop_timer_create(switches->loop, database_tick, database);
    database->retry_timer =
        loop_timer_create(switches->loop, database_retry, database);
    database->work_timer =
        loop_timer_create(switches->loop, database_work, database);
    loop_timer_set(database->probe_timer,
                   UINT64_C(1000) * switches->settings.probe_ms);
    if (channel) {
        channel_set_events(channel, &events, database);
    }
    send_request(database, "list_dbs", json_array_create_empty(), "list");
    return database;
}

void
database_close(struct database *database, const char *reason)
{
    struct switches *switches = database->switches;

    VLOG_INFO_RL(&rl, "%s: database session%s%s closed: %s", database->address,
                 database->name ? " of " : "",
                 database->name ? database->name : "", reason);
    if (database->host) {
        host_lose_database(database->host, reason);
    }
    switches_release_database(switches, database);

    ovs_list_remove(&database->node);
    channel_destroy(database->channel);
    json_parser_abort(database->parser);
    replica_uninit(&database->replica);
    loop_timer_destroy(database->probe_timer);
    loop_timer_destroy(database->retry_timer);
    loop_timer_destroy(database->work_timer);
    free(database->name);
    free(database->address);
    free(database->local_address);
    free(database->transaction);
    free(database->doom);
    free(database);
}

void
database_doom(struct database *database, const char *format, ...)
{
    if (database->doom) {
        return;
    }

    va_list args;
    va_start(args, format);
    struct ds ds = DS_EMPTY_INITIALIZER;
    ds_put_format_valist(&ds, format, args);
    va_end(args);
    database->doom = ds_steal_cstr(&ds);
    loop_timer_set(database->work_timer, 0);
}

bool
database_is_ready(const struct database *database)
{
    return database->state == DATABASE_READY;
}

/* Events of the channel and timers. */

static void
run_input(struct database *database)
{
    size_t size, consumed = 0;
    const uint8_t *bytes = channel_peek(database->channel, &size);

    AUTO(err) *err = database_input(database, bytes, size, &consumed);
    if (!err && !database->doom) {
        channel_consume(database->channel, consumed);
        if (consumed < size) {
            loop_timer_set(database->work_timer, 0);
        }
        return;
    }

    AUTO_TEXT *reason = err ? err_to_text(err) : mem_text(database->doom);
    database_close(database, reason);
}

static void
database_readable(struct channel *channel OVS_UNUSED, void *database_)
{
    struct database *database = database_;

    database->is_heard = true;
    run_input(database);
}

static void
database_drained(struct channel *channel OVS_UNUSED, void *database OVS_UNUSED)
{
    /* What we write is bounded by what the peer provokes. */
}

static void
database_closed(struct channel *channel OVS_UNUSED, const char *reason,
                void *database)
{
    database_close(database, reason);
}

static void
database_work(void *database_)
{
    struct database *database = database_;

    if (database->doom) {
        AUTO_TEXT *reason = mem_text(database->doom);
        database_close(database, reason);
    } else if (database->channel) {
        run_input(database);
    }
}

/* If it was probed because another claims its name, that is settled. */
static void
note_alive(struct database *database)
{
    if (database->is_urgent) {
        database->is_urgent = false;
        switches_database_answered(database);
    }
}

static void
database_tick(void *database_)
{
    struct database *database = database_;
    uint64_t interval_ms = database->switches->settings.probe_ms;

    if (database->state < DATABASE_READY
        && loop_wall(database->switches->loop)
               > database->since + MAX_START_S) {
        database_doom(database, "does not show its database");
        return;
    }
    if (database->is_heard) {
        database->n_unanswered = 0;
        note_alive(database);
    } else if (database->n_unanswered >= MAX_UNANSWERED
               || database->is_urgent) {
        database_doom(database, "no answer to echo requests");
        return;
    } else {
        send_request(database, "echo", json_array_create_empty(), "echo");
        database->n_unanswered++;
    }
    database->is_heard = false;
    loop_timer_set(database->probe_timer, 1000 * interval_ms);
}

void
database_probe(struct database *database)
{
    if (!database->is_urgent) {
        database->is_urgent = true;
        database->is_heard = false;
        send_request(database, "echo", json_array_create_empty(), "echo");
        loop_timer_set(database->probe_timer, URGENT_MS * UINT64_C(1000));
    }
}

/* Sending. */

static void
send_message(struct database *database, struct json *message)
{
    AUTO_TEXT *text = json_to_string(message, 0);

    json_destroy(message);
    if (!database->channel || database->doom) {
        return;
    }
    channel_write(database->channel, text, strlen(text));
    if (channel_backlog(database->channel) > MAX_BACKLOG) {
        database_doom(database, "does not read what it is sent");
    }
}

static void
send_request(struct database *database, const char *method,
             struct json *params, const char *id)
{
    struct json *message = json_object_create();

    json_object_put_string(message, "method", method);
    json_object_put(message, "params", params);
    json_object_put_string(message, "id", id);
    send_message(database, message);
}

static void
send_reply(struct database *database, const struct json *id,
           struct json *result, const char *error_or_null)
{
    struct json *message = json_object_create();

    json_object_put(message, "result", result);
    json_object_put(message, "error",
                    (error_or_null ? json_string_create(error_or_null)
                                   : json_null_create()));
    json_object_put(message, "id", json_clone(id));
    send_message(database, message);
}

/* Framing. */

static bool
is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Takes one more byte of a text.  Stores in '*donep' whether it is the last
 * one. */
static struct err *
scan_byte(struct json_scan *scan, uint8_t c, bool *donep)
{
    *donep = false;
    scan->size++;
    if (scan->is_escaped) {
        scan->is_escaped = false;
    } else if (scan->in_string) {
        scan->is_escaped = c == '\\';
        scan->in_string = c != '"';
    } else if (c == '"') {
        scan->in_string = true;
    } else if (c == '{' || c == '[') {
        scan->depth++;
        scan->n_values++;
    } else if (c == '}' || c == ']') {
        scan->depth--;
        *donep = !scan->depth;
    } else if (c == ',' || c == ':') {
        scan->n_values++;
    }

    if (scan->size > MAX_MESSAGE || scan->n_values > MAX_VALUES) {
        return err_new(ERR_TOO_LARGE, NULL, "message too large");
    }
    if (scan->depth > MAX_DEPTH) {
        return err_new(ERR_TOO_LARGE, NULL, "message nested too deep");
    }
    return NULL;
}

/* Feeds bytes to the parser until a text is complete or they are used up.
 * Stores how many in '*np', and the text in '*jsonp' if it is complete. */
static struct err *
parse_some(struct database *database, const uint8_t *bytes, size_t size,
           size_t *np, struct json **jsonp)
{
    size_t n = 0;
    bool done = false;

    if (!database->parser) {
        if (bytes[0] != '{') {
            return err_new(ERR_INVALID, NULL, "this is not JSON-RPC");
        }
        database->parser = json_parser_create(0);
        database->scan = (struct json_scan){ .depth = 0 };
    }
    while (n < size && !done) {
        struct err *err = scan_byte(&database->scan, bytes[n++], &done);
        if (err) {
            return err;
        }
    }
    json_parser_feed(database->parser, (const char *) bytes, n);
    *np = n;
    if (!done) {
        return NULL;
    }

    AUTO(json) *json = json_parser_finish(STEAL(database->parser));
    if (json->type == JSON_STRING) {
        AUTO_DS ds = DS_EMPTY_INITIALIZER;
        text_put_printable(&ds, json_string(json), strlen(json_string(json)));
        return err_new(ERR_INVALID, NULL, "bad JSON: %s", ds_cstr(&ds));
    }
    *jsonp = STEAL(json);
    return NULL;
}

struct err *
database_input(struct database *database, const void *bytes_, size_t size,
               size_t *consumedp)
{
    const uint8_t *bytes = bytes_;
    size_t n = 0;

    for (int i = 0; i < MAX_MESSAGES_PER_TURN && !database->doom;) {
        while (n < size && !database->parser && is_space(bytes[n])) {
            n++;
        }
        if (n >= size) {
            break;
        }

        size_t used = 0;
        AUTO(json) *json = NULL;
        struct err *err =
            parse_some(database, bytes + n, size - n, &used, &json);
        if (!err && json) {
            err = take_message(database, json);
            i++;
        }
        if (err) {
            return err;
        }
        n += used;
    }
    *consumedp = n;
    return NULL;
}

/* Transactions. */

/* What an answer to "transact" complains about, or null; '*textp' borrowed
 * from it. */
static const struct json *
find_failure(const struct json *result)
{
    if (!result || result->type != JSON_ARRAY) {
        return NULL;
    }
    for (size_t i = 0; i < json_array(result)->n; i++) {
        const struct json *one = json_array(result)->elems[i];
        if (one->type == JSON_OBJECT && jget_text(one, "error")) {
            return one;
        }
    }
    return NULL;
}

static void
retry_later(struct database *database, uint64_t delay_ms)
{
    database->is_retry_armed = true;
    loop_timer_set(database->retry_timer, 1000 * delay_ms);
}

static void
database_retry(void *database_)
{
    struct database *database = database_;

    database->is_retry_armed = false;
    database_provision(database);
}

static void
take_failure(struct database *database, const struct json *failure)
{
    const char *error = jget_text(failure, "error");
    const char *details = jget_text(failure, "details");
    AUTO_DS ds = DS_EMPTY_INITIALIZER;

    text_put_printable(&ds, error, strlen(error));
    if (details) {
        ds_put_cstr(&ds, ": ");
        text_put_printable(&ds, details, strlen(details));
    }

    /* An old schema does not list the later versions. */
    if (!strcmp(error, "constraint violation") && details
        && strstr(details, "OpenFlow")
        && database->max_version > LOWEST_OPENFLOW) {
        database->max_version--;
        retry_later(database, 0);
        return;
    }

    /* A guard that did not hold: somebody was quicker, which is normal. */
    if (strcmp(error, "timed out") != 0) {
        host_note_error(database->host, "database", "%s", ds_cstr(&ds));
        database->host->counters.database_errors++;
    }
    database->retry_ms =
        (!database->retry_ms                     ? MIN_RETRY_MS
         : database->retry_ms < MAX_RETRY_MS / 2 ? 2 * database->retry_ms
                                                 : MAX_RETRY_MS);
    retry_later(database, database->retry_ms);
}

static void
take_transaction_reply(struct database *database, const struct json *result,
                       const struct json *error)
{
    free(STEAL(database->transaction));
    if (!database->host) {
        return;
    }

    const struct json *failure = find_failure(result);
    if (failure) {
        take_failure(database, failure);
    } else if (error && error->type != JSON_NULL) {
        AUTO_TEXT *text = json_to_string(error, JSSF_SORT);
        host_note_error(database->host, "database",
                        "transaction refused: "
                        "%.200s",
                        text);
        database->retry_ms = MAX_RETRY_MS;
        retry_later(database, MAX_RETRY_MS);
    } else {
        database->retry_ms = 0;
        /* If the update is still to come, it provisions. */
        if (database->n_updates != database->n_updates_before) {
            database_provision(database);
        }
    }
}

/* Whether transactions follow each other so closely that somebody undoes
 * them. */
static bool
is_fighting(struct database *database)
{
    uint64_t now = loop_now(database->switches->loop);

    if (now - database->window_start > WINDOW_MS * UINT64_C(1000)) {
        database->window_start = now;
        database->n_recent = 0;
    }
    return ++database->n_recent > MAX_TRANSACTIONS;
}

void
database_provision(struct database *database)
{
    struct host *host = database->host;

    if (!host || database->state != DATABASE_READY || database->is_rival) {
        return;
    }

    struct json *lacks = json_array_create_empty();
    AUTO(json) *operations = provision_operations(database, lacks);
    json_destroy(host->lacks);
    host->lacks = lacks;
    if (!operations || database->transaction || database->is_retry_armed) {
        return;
    }
    if (is_fighting(database)) {
        host_note_error(host, "database",
                        "something keeps changing what "
                        "Weft sets; trying again more slowly");
        retry_later(database, SLOW_RETRY_MS);
        return;
    }

    database->transaction =
        mem_textf("transact-%" PRIu64, database->next_id++);
    database->n_updates_before = database->n_updates;
    host->counters.transactions++;
    VLOG_DBG("%s: changing the database", host->name);
    send_request(database, "transact", STEAL(operations),
                 database->transaction);
}

/* Messages. */

static void
request_monitor(struct database *database, const struct json *schema)
{
    database->state = DATABASE_MONITORING;
    send_request(database,
                 database->is_plain_monitor ? "monitor" : "monitor_cond",
                 json_array_create_3(json_string_create("Open_vSwitch"),
                                     json_string_create("weft"),
                                     replica_monitor_requests(schema)),
                 "monitor");
}

static struct err *
take_list(struct database *database, const struct json *result)
{
    if (!result || result->type != JSON_ARRAY) {
        return err_new(ERR_INVALID, NULL, "no list of databases");
    }
    for (size_t i = 0; i < json_array(result)->n; i++) {
        const struct json *name = json_array(result)->elems[i];
        if (name->type == JSON_STRING
            && !strcmp(json_string(name), "Open_vSwitch")) {
            request_monitor(database, NULL);
            return NULL;
        }
    }
    VLOG_INFO_RL(&rl, "%s: has no Open_vSwitch database; left alone",
                 database->address);
    database->state = DATABASE_FOREIGN;
    return NULL;
}

/* Finds out whose replica this is: the name of the host, else the identifier
 * of its row. */
static void
claim_host(struct database *database)
{
    const struct row *root = replica_root(&database->replica);
    char id[UID_LENGTH + 1];

    if (!root) {
        return;
    }
    const char *name = row_key(root, C_SWITCH_EXTERNAL_IDS, "system-id");
    if (!name || !name[0]) {
        uid_to_text(&root->id, id);
        name = id;
    }
    if (database->name && !strcmp(database->name, name)) {
        return;
    }
    if (database->host) {
        database_doom(database, "the switch is now called %s", name);
        return;
    }
    free(database->name);
    database->name = mem_text(name);
    database->is_rival =
        !host_claim(host_get(database->switches, name), database);
}

static void
replica_changed(struct database *database)
{
    database->n_updates++;
    claim_host(database);
    if (database->host && !database->doom) {
        database->host->counters.database_updates++;
        host_database_changed(database->host);
    }
}

static struct err *
take_monitor(struct database *database, const struct json *result,
             const struct json *error)
{
    if (error && error->type != JSON_NULL) {
        if (!database->is_plain_monitor) {
            /* Before Open vSwitch 2.5. */
            database->is_plain_monitor = true;
            request_monitor(database, NULL);
            return NULL;
        }
        if (database->is_schema_known) {
            return err_new(ERR_INVALID, NULL, "cannot be monitored");
        }
        database->state = DATABASE_SCHEMA;
        send_request(database, "get_schema",
                     json_array_create_1(json_string_create("Open_vSwitch")),
                     "schema");
        return NULL;
    }
    if (!result) {
        return err_new(ERR_INVALID, NULL, "no answer to monitor");
    }

    struct err *err = replica_apply(
        &database->replica, result,
        (database->is_plain_monitor ? UPDATE_WHOLE : UPDATE_DIFFERENCE));
    if (!err) {
        database->state = DATABASE_READY;
        replica_changed(database);
    }
    return err;
}

static struct err *
take_reply(struct database *database, const char *id,
           const struct json *message)
{
    const struct json *result = jget(message, "result");
    const struct json *error = jget(message, "error");
    bool has_result = result && result->type != JSON_NULL;

    if (!strcmp(id, "list") && database->state == DATABASE_LISTING) {
        return take_list(database, result);
    } else if (!strcmp(id, "monitor")
               && database->state == DATABASE_MONITORING) {
        return take_monitor(database, has_result ? result : NULL, error);
    } else if (!strcmp(id, "schema") && database->state == DATABASE_SCHEMA) {
        if (!has_result) {
            return err_new(ERR_INVALID, NULL, "no schema");
        }
        database->is_schema_known = true;
        request_monitor(database, result);
    } else if (!strcmp(id, "echo")) {
        database->n_unanswered = 0;
        note_alive(database);
    } else if (database->transaction && !strcmp(id, database->transaction)) {
        take_transaction_reply(database, has_result ? result : NULL, error);
    }
    return NULL;
}

static struct err *
take_update(struct database *database, const struct json *params,
            enum update_form form)
{
    if (!params || params->type != JSON_ARRAY || json_array(params)->n != 2) {
        return err_new(ERR_INVALID, "params", "bad update");
    }
    if (database->state != DATABASE_READY) {
        return err_new(ERR_INVALID, NULL, "update in state %s",
                       state_names[database->state]);
    }

    struct err *err =
        replica_apply(&database->replica, json_array(params)->elems[1], form);
    if (!err) {
        replica_changed(database);
    }
    return err;
}

static struct err *
take_message(struct database *database, const struct json *message)
{
    const struct json *id = jget(message, "id");
    const char *method = jget_text(message, "method");
    const struct json *params = jget(message, "params");

    if (!method) {
        return (id && id->type == JSON_STRING
                    ? take_reply(database, json_string(id), message)
                    : NULL);
    }
    if (!strcmp(method, "echo")) {
        if (id) {
            send_reply(
                database, id,
                (params ? json_clone(params) : json_array_create_empty()),
                NULL);
        }
        return NULL;
    }
    if (!strcmp(method, "update")) {
        return take_update(database, params, UPDATE_WHOLE);
    } else if (!strcmp(method, "update2")) {
        return take_update(database, params, UPDATE_DIFFERENCE);
    }
    if (id && id->type != JSON_NULL) {
        send_reply(database, id, json_null_create(), "unknown method");
    }
    return NULL;
}
