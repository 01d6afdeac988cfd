/* SPDX-License-Identifier: Apache-2.0 */
/* The model switch's OVSDB protocol: JSON-RPC over a channel (RFC 7047
 * section 4, and the extensions of ovsdb-server(7): monitor_cond,
 * monitor_cond_since).
 *
 * A session is one connection, dialled to the manager or accepted from a
 * tool.  Conditions of monitor_cond are not evaluated: everything matches.
 * Updates are sent before the reply that caused them. */

#include "ovs-private.h"

struct monitor {
    struct ovs_list list_node; /* In session->monitors. */
    struct json *id;
    int version; /* 1: update, 2: update2, 3: update3. */
    bool wants[N_OVSDB_COLUMNS];
    bool wants_table[N_OVSDB_TABLES];
    struct {
        bool initial, insert, delete, modify;
    } select;
};

struct jsonrpc_session {
    struct ovs_list list_node; /* In ovs->sessions. */
    struct ovs *ovs;
    struct channel *channel;
    bool to_manager, is_dead;
    struct json_parser *parser;
    struct ovs_list monitors;
};

/* Sending. */

static void
send_json(struct jsonrpc_session *session, struct json *message_)
{
    AUTO(json) *message = message_;
    AUTO_TEXT *text = json_to_string(message, 0);
    channel_write(session->channel, text, strlen(text));
}

static void
send_reply(struct jsonrpc_session *session, const struct json *id,
           struct json *result)
{
    struct json *reply = json_object_create();
    json_object_put(reply, "id", json_clone(id));
    json_object_put(reply, "result", result);
    json_object_put(reply, "error", json_null_create());
    send_json(session, reply);
}

static void
send_error(struct jsonrpc_session *session, const struct json *id,
           const char *error)
{
    struct json *reply = json_object_create();
    json_object_put(reply, "id", json_clone(id));
    json_object_put(reply, "result", json_null_create());
    json_object_put_string(reply, "error", error);
    send_json(session, reply);
    ovs_note_error(session->ovs, "jsonrpc: %s", error);
}

/* Monitors. */

static void
monitor_destroy(struct monitor *monitor)
{
    ovs_list_remove(&monitor->list_node);
    json_destroy(monitor->id);
    free(monitor);
}

/* Of one row, all wanted columns, or with 'only_changed' those that differ
 * from what they were; 'old' takes the old values. */
static struct json *
row_to_wire(const struct ovsdb *db, const struct row *row,
            const struct monitor *monitor, bool old, bool only_changed)
{
    struct json *object = json_object_create();
    for (size_t c = 0; c < N_OVSDB_COLUMNS; c++) {
        if (column_defs[c].table != row->table || !monitor->wants[c]) {
            continue;
        }
        const struct json *then = dbrow_get_old(db, row, c);
        const struct json *now = dbrow_get(db, row, c);
        if (only_changed && json_equal(then, now)) {
            continue;
        }
        json_object_put(object, column_defs[c].name,
                        value_to_wire(c, old ? then : now));
    }
    return object;
}

/* As row_to_wire() for a new row, but without columns of default value. */
static struct json *
row_to_wire_terse(const struct ovsdb *db, const struct row *row,
                  const struct monitor *monitor)
{
    struct json *object = json_object_create();
    for (size_t i = 0; i < row->n_cells; i++) {
        enum ovsdb_column c = row->cells[i].column;
        if (monitor->wants[c]
            && !json_equal(row->cells[i].value, value_default(db, c))) {
            json_object_put(object, column_defs[c].name,
                            value_to_wire(c, row->cells[i].value));
        }
    }
    return object;
}

/* The elements that are in one only, for update2: the new pair where a map's
 * value changed. */
static struct json *
value_difference(enum ovsdb_column column, const struct json *then,
                 const struct json *now)
{
    if (column_defs[column].max == 1) {
        return value_to_wire(column, now);
    }
    AUTO(json) *difference = json_array_create_empty();
    const struct json *sides[2] = { now, then };
    for (int side = 0; side < 2; side++) {
        const struct json *other = sides[!side];
        for (size_t i = 0; i < sides[side]->array.n; i++) {
            struct json *element = sides[side]->array.elems[i];
            bool pair = element->type == JSON_ARRAY;
            size_t j =
                value_find(other, pair ? element->array.elems[0] : element);
            if (j == SIZE_MAX
                || (!side && !json_equal(other->array.elems[j], element))) {
                json_array_add(difference, json_clone(element));
            }
        }
    }
    /* A set of one must not look like a replacement: it is one atom either
     * way, as ovsdb-server sends it. */
    return value_to_wire(column, difference);
}

static struct json *
row_difference(const struct ovsdb *db, const struct row *row,
               const struct monitor *monitor)
{
    struct json *object = json_object_create();
    for (size_t c = 0; c < N_OVSDB_COLUMNS; c++) {
        if (column_defs[c].table == row->table && monitor->wants[c]) {
            const struct json *then = dbrow_get_old(db, row, c);
            const struct json *now = dbrow_get(db, row, c);
            if (!json_equal(then, now)) {
                json_object_put(object, column_defs[c].name,
                                value_difference(c, then, now));
            }
        }
    }
    return object;
}

/* What a monitor is told about a touched row, or null. */
static struct json *
row_update(const struct ovsdb *db, const struct row *row,
           const struct monitor *monitor)
{
    bool v1 = monitor->version == 1;
    AUTO(json) *update = json_object_create();
    if (row->inserted) {
        if (!monitor->select.insert) {
            return NULL;
        } else if (v1) {
            json_object_put(update, "new",
                            row_to_wire(db, row, monitor, false, false));
        } else {
            json_object_put(update, "insert",
                            row_to_wire_terse(db, row, monitor));
        }
    } else if (row->deleted) {
        if (!monitor->select.delete) {
            return NULL;
        }
        json_object_put(update, v1 ? "old" : "delete",
                        v1 ? row_to_wire(db, row, monitor, true, false)
                           : json_null_create());
    } else {
        struct json *difference =
            (v1 ? row_to_wire(db, row, monitor, true, true)
                : row_difference(db, row, monitor));
        json_object_put(update, v1 ? "old" : "modify", difference);
        if (!monitor->select.modify || shash_is_empty(difference->object)) {
            return NULL;
        } else if (v1) {
            json_object_put(update, "new",
                            row_to_wire(db, row, monitor, false, false));
        }
    }
    return STEAL(update);
}

static void
put_row(struct json *tables, const struct row *row, struct json *update)
{
    const char *name = table_defs[row->table].name;
    struct json *table = shash_find_data(tables->object, name);
    if (!table) {
        table = json_object_create();
        json_object_put(tables, name, table);
    }
    char uuid[UID_LENGTH + 1];
    uid_to_text(&row->uuid, uuid);
    json_object_put(table, uuid, update);
}

static const char zero_id[] = "00000000-0000-0000-0000-000000000000";

static void
monitor_notify(struct jsonrpc_session *session, const struct monitor *monitor)
{
    const struct ovsdb *db = &session->ovs->db;
    AUTO(json) *tables = json_object_create();
    const struct row *row;
    LIST_FOR_EACH (row, touched_node, &db->touched) {
        if (monitor->wants_table[row->table] && dbrow_changed(db, row)) {
            struct json *update = row_update(db, row, monitor);
            if (update) {
                put_row(tables, row, update);
            }
        }
    }
    if (shash_is_empty(tables->object)) {
        return;
    }
    struct json *params = json_array_create_1(json_clone(monitor->id));
    if (monitor->version == 3) {
        json_array_add(params, json_string_create(zero_id));
    }
    json_array_add(params, json_clone(tables));
    struct json *message = json_object_create();
    json_object_put(message, "id", json_null_create());
    json_object_put_string(message, "method",
                           monitor->version == 1   ? "update"
                           : monitor->version == 2 ? "update2"
                                                   : "update3");
    json_object_put(message, "params", params);
    send_json(session, message);
}

void
jsonrpc_notify(struct ovs *ovs)
{
    struct jsonrpc_session *session;
    LIST_FOR_EACH (session, list_node, &ovs->sessions) {
        const struct monitor *monitor;
        LIST_FOR_EACH (monitor, list_node, &session->monitors) {
            monitor_notify(session, monitor);
        }
    }
}

static void
monitor_add_select(struct monitor *monitor, const struct json *request)
{
    const struct json *select = jget(request, "select");
    bool yes = true;
    monitor->select.initial |=
        !select || !jget_bool(select, "initial", &yes) || yes;
    yes = true;
    monitor->select.insert |=
        !select || !jget_bool(select, "insert", &yes) || yes;
    yes = true;
    monitor->select.delete |=
        !select || !jget_bool(select, "delete", &yes) || yes;
    yes = true;
    monitor->select.modify |=
        !select || !jget_bool(select, "modify", &yes) || yes;
}

/* Adds a <monitor-request>; false if it names an unknown column. */
static bool
monitor_add_request(struct monitor *monitor, enum ovsdb_table table,
                    const struct json *request)
{
    const struct json *columns = jget(request, "columns");
    monitor->wants_table[table] = true;
    monitor_add_select(monitor, request);
    if (!columns) {
        for (size_t c = 0; c < N_OVSDB_COLUMNS; c++) {
            monitor->wants[c] |= column_defs[c].table == table;
        }
        return true;
    }
    for (size_t i = 0; columns->type == JSON_ARRAY && i < columns->array.n;
         i++) {
        const char *name = json_string(columns->array.elems[i]);
        enum ovsdb_column c;
        if (column_from_text(table, name, &c)) {
            monitor->wants[c] = true;
        } else if (name[0] != '_') {
            return false;
        }
    }
    return true;
}

static struct json *
monitor_initial(const struct ovsdb *db, const struct monitor *monitor)
{
    struct json *tables = json_object_create();
    for (size_t t = 0; monitor->select.initial && t < N_OVSDB_TABLES; t++) {
        const struct row *row;
        HMAP_FOR_EACH (row, node, &db->rows[t]) {
            if (monitor->wants_table[t]) {
                struct json *update = json_object_create();
                if (monitor->version == 1) {
                    json_object_put(
                        update, "new",
                        row_to_wire(db, row, monitor, false, false));
                } else {
                    json_object_put(update, "initial",
                                    row_to_wire_terse(db, row, monitor));
                }
                put_row(tables, row, update);
            }
        }
    }
    return tables;
}

/* Reads the <monitor-requests>; an error's text, or null. */
static const char *
monitor_read(struct monitor *monitor, const struct json *requests)
{
    struct shash_node *node;
    SHASH_FOR_EACH (node, json_object(requests)) {
        const struct json *request = node->data;
        bool many = request->type == JSON_ARRAY;
        enum ovsdb_table table;
        if (!table_from_text(node->name, &table)) {
            return "unknown table";
        }
        for (size_t i = 0; i < (many ? request->array.n : 1); i++) {
            if (!monitor_add_request(monitor, table,
                                     many ? request->array.elems[i]
                                          : request)) {
                return "unknown column";
            }
        }
    }
    return NULL;
}

static void
handle_monitor(struct jsonrpc_session *session, const struct json *id,
               const struct json *params, int version)
{
    const struct json_array *array = &params->array;
    if (array->n < 3 || array->elems[0]->type != JSON_STRING
        || strcmp(json_string(array->elems[0]), "Open_vSwitch")
        || array->elems[2]->type != JSON_OBJECT) {
        send_error(session, id, "unknown database");
        return;
    }
    struct monitor *monitor = NEW(struct monitor);
    monitor->id = json_clone(array->elems[1]);
    monitor->version = version;
    ovs_list_push_back(&session->monitors, &monitor->list_node);

    const char *error = monitor_read(monitor, array->elems[2]);
    if (error) {
        monitor_destroy(monitor);
        send_error(session, id, error);
        return;
    }
    struct json *initial = monitor_initial(&session->ovs->db, monitor);
    if (version == 3) {
        initial = json_array_create_3(json_boolean_create(false),
                                      json_string_create(zero_id), initial);
    }
    send_reply(session, id, initial);
}

static void
handle_monitor_cancel(struct jsonrpc_session *session, const struct json *id,
                      const struct json *params)
{
    struct monitor *monitor;
    LIST_FOR_EACH (monitor, list_node, &session->monitors) {
        if (params->array.n
            && json_equal(monitor->id, params->array.elems[0])) {
            monitor_destroy(monitor);
            send_reply(session, id, json_object_create());
            return;
        }
    }
    send_error(session, id, "unknown monitor");
}

/* Schema. */

static struct json *
base_type(enum atom_type type, const char *ref, const char *allowed)
{
    static const char *const names[] = { "void",    "integer", "real",
                                         "boolean", "string",  "uuid" };
    struct json *base = json_object_create();
    json_object_put_string(base, "type", names[type]);
    if (type == ATOM_UUID && ref) {
        json_object_put_string(base, "refTable", ref);
    }
    if (type == ATOM_STRING && allowed) {
        AUTO_TEXT *copy = mem_text(allowed);
        char *cursor = copy;
        struct json *set = json_array_create_empty();
        for (char *s; (s = text_next(&cursor, "|"));) {
            json_array_add(set, json_string_create(s));
        }
        json_object_put(base, "enum",
                        json_array_create_2(json_string_create("set"), set));
    }
    return base;
}

static struct json *
column_schema(const struct column_def *def)
{
    struct json *type = json_object_create();
    json_object_put(type, "key", base_type(def->key, def->ref, def->allowed));
    if (def->value != ATOM_VOID) {
        json_object_put(type, "value", base_type(def->value, def->ref, NULL));
    }
    json_object_put(type, "min", json_integer_create(def->min));
    json_object_put(type, "max",
                    def->max == 99999 ? json_string_create("unlimited")
                                      : json_integer_create(def->max));
    struct json *column = json_object_create();
    json_object_put(column, "type", type);
    return column;
}

static struct json *
schema_to_json(void)
{
    struct json *tables = json_object_create();
    for (size_t t = 0; t < N_OVSDB_TABLES; t++) {
        struct json *columns = json_object_create();
        for (size_t c = 0; c < N_OVSDB_COLUMNS; c++) {
            if (column_defs[c].table == t) {
                json_object_put(columns, column_defs[c].name,
                                column_schema(&column_defs[c]));
            }
        }
        struct json *table = json_object_create();
        json_object_put(table, "columns", columns);
        if (table_defs[t].root) {
            json_object_put(table, "isRoot", json_boolean_create(true));
        }
        json_object_put(tables, table_defs[t].name, table);
    }
    struct json *schema = json_object_create();
    json_object_put_string(schema, "name", "Open_vSwitch");
    json_object_put_string(schema, "version", "8.3.1");
    json_object_put_string(schema, "cksum", "0 0");
    json_object_put(schema, "tables", tables);
    return schema;
}

/* Messages. */

static void
handle_get_schema(struct jsonrpc_session *session, const struct json *id,
                  const struct json *params)
{
    if (params->array.n < 1 || params->array.elems[0]->type != JSON_STRING
        || strcmp(json_string(params->array.elems[0]), "Open_vSwitch")) {
        send_error(session, id, "unknown database");
        return;
    }
    send_reply(session, id, schema_to_json());
}

static struct json *
locked(void)
{
    struct json *result = json_object_create();
    json_object_put(result, "locked", json_boolean_create(true));
    return result;
}

static void
handle_request(struct jsonrpc_session *session, const char *method,
               const struct json *params, const struct json *id)
{
    if (!strcmp(method, "echo")) {
        send_reply(session, id, json_clone(params));
    } else if (!strcmp(method, "list_dbs")) {
        send_reply(session, id,
                   json_array_create_1(json_string_create("Open_vSwitch")));
    } else if (!strcmp(method, "get_schema")) {
        handle_get_schema(session, id, params);
    } else if (!strcmp(method, "monitor")) {
        handle_monitor(session, id, params, 1);
    } else if (!strcmp(method, "monitor_cond")) {
        handle_monitor(session, id, params, 2);
    } else if (!strcmp(method, "monitor_cond_since")) {
        handle_monitor(session, id, params, 3);
    } else if (!strcmp(method, "monitor_cond_change")
               || !strcmp(method, "set_db_change_aware")) {
        send_reply(session, id, json_object_create());
    } else if (!strcmp(method, "monitor_cancel")) {
        handle_monitor_cancel(session, id, params);
    } else if (!strcmp(method, "get_server_id")) {
        send_reply(session, id, uuid_atom(&session->ovs->root));
    } else if (!strcmp(method, "lock") || !strcmp(method, "steal")) {
        send_reply(session, id, locked());
    } else if (!strcmp(method, "unlock")) {
        send_reply(session, id, json_object_create());
    } else if (!strcmp(method, "transact") && params->array.n >= 1) {
        send_reply(
            session, id,
            ovs_transact(session->ovs, &params->array, session->to_manager));
    } else {
        send_error(session, id, "unknown method");
    }
}

/* False if the peer does not speak JSON-RPC. */
static bool
handle_message(struct jsonrpc_session *session, const struct json *message)
{
    if (message->type != JSON_OBJECT) {
        return false;
    }
    const char *method = jget_text(message, "method");
    const struct json *params = jget(message, "params");
    const struct json *id = jget(message, "id");
    if (!method) {
        return jget(message, "result") || jget(message, "error");
    } else if (!params || params->type != JSON_ARRAY || !id) {
        return false;
    }
    if (id->type != JSON_NULL) {
        handle_request(session, method, params, id);
    }
    return true;
}

void
jsonrpc_session_read(struct jsonrpc_session *session)
{
    while (!session->ovs->is_stalled && !session->is_dead) {
        size_t size;
        const uint8_t *data = channel_peek(session->channel, &size);
        if (!size) {
            return;
        }
        if (!session->parser) {
            session->parser = json_parser_create(0);
        }
        size_t used =
            json_parser_feed(session->parser, (const char *) data, size);
        channel_consume(session->channel, used);
        if (json_parser_is_done(session->parser)) {
            AUTO(json) *message = json_parser_finish(STEAL(session->parser));
            if (!handle_message(session, message)) {
                ovs_note_error(session->ovs, "jsonrpc: bad message");
                session->is_dead = true;
            }
        }
    }
    if (session->is_dead) {
        struct ovs *ovs = session->ovs;
        bool to_manager = session->to_manager;
        jsonrpc_session_destroy(session);
        if (to_manager) {
            ovs_manager_lost(ovs);
        }
    }
}

static void
session_readable(struct channel *channel OVS_UNUSED, void *session)
{
    jsonrpc_session_read(session);
}

static void
session_connected(struct channel *channel OVS_UNUSED, void *session_)
{
    struct jsonrpc_session *session = session_;
    session->ovs->counters.n_database_connects++;
    session->ovs->manager_is_connected = true;
}

static void
session_closed(struct channel *channel OVS_UNUSED,
               const char *reason OVS_UNUSED, void *session_)
{
    struct jsonrpc_session *session = session_;
    struct ovs *ovs = session->ovs;
    bool to_manager = session->to_manager;
    jsonrpc_session_destroy(session);
    if (to_manager) {
        ovs_manager_lost(ovs);
    }
}

/* Takes ownership of the channel. */
struct jsonrpc_session *
jsonrpc_session_create(struct ovs *ovs, struct channel *channel,
                       bool to_manager)
{
    static const struct channel_events events = {
        .readable = session_readable,
        .connected = session_connected,
        .closed = session_closed,
    };
    struct jsonrpc_session *session = NEW(struct jsonrpc_session);
    session->ovs = ovs;
    session->to_manager = to_manager;
    session->channel =
        (channel ? channel
                 : ovs_dial(ovs, ovs->manager_address, ovs->manager_port,
                            &events, session));
    if (channel) {
        channel_set_events(channel, &events, session);
    }
    ovs_list_init(&session->monitors);
    ovs_list_push_back(&ovs->sessions, &session->list_node);
    return session;
}

void
jsonrpc_session_destroy(struct jsonrpc_session *session)
{
    if (!session) {
        return;
    }
    struct monitor *monitor;
    LIST_FOR_EACH_SAFE (monitor, list_node, &session->monitors) {
        monitor_destroy(monitor);
    }
    if (session->ovs->manager == session) {
        session->ovs->manager = NULL;
        session->ovs->manager_is_connected = false;
    }
    if (session->parser) {
        json_parser_abort(session->parser);
    }
    ovs_list_remove(&session->list_node);
    channel_destroy(session->channel);
    free(session);
}

void
jsonrpc_destroy_all(struct ovs *ovs)
{
    struct jsonrpc_session *session;
    LIST_FOR_EACH_SAFE (session, list_node, &ovs->sessions) {
        jsonrpc_session_destroy(session);
    }
}
