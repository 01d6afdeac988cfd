/* SPDX-License-Identifier: Apache-2.0 */
/* A compact copy of a switch's database.
 *
 *     replica ── rows[DB_INTERFACE] ── row ── values[] ── "iface-id" "6f0c"
 *             ── rows[DB_BRIDGE] ...
 *
 * Only the columns that "switches/replica.def" names are kept, each as one
 * block of text, because a row is read rarely and there are many: a JSON tree
 * of the same content takes ten times the memory.
 *
 * The source is RFC 7047: an update gives a row's "new" content whole (section
 * 4.1.6), so that applying it is replacing the row; or the form "update2" of
 * ovsdb-server(7), which gives differences: of a set the members that come or
 * go, of a map the pairs.  So a bridge with a thousand ports that gains one
 * costs one.  What a peer sends is
 * checked for type as far as it is used: a set of anything else than strings,
 * numbers, booleans and UUIDs is refused.  The number of rows is bounded. */

#include "switches/replica.h"

#include <inttypes.h>

/* Far above what one switch can hold. */
enum { MAX_ROWS = 200 * 1000 };

static const struct {
    const char *name;
} tables[N_DB_TABLES] = {
#define DB_TABLE(ID, NAME) [DB_##ID] = { NAME },
#define DB_COLUMN(TABLE, ID, KIND, NAME)
#include "switches/replica.def"
#undef DB_TABLE
#undef DB_COLUMN
};

enum column_kind { COLUMN_ONE, COLUMN_SET, COLUMN_MAP };

static const struct {
    const char *name;
    enum db_table table;
    enum column_kind kind;
} columns[N_DB_COLUMNS] = {
#define DB_TABLE(ID, NAME)
#define DB_COLUMN(TABLE, ID, KIND, NAME)                                      \
    [C_##TABLE##_##ID] = { NAME, DB_##TABLE, COLUMN_##KIND },
#include "switches/replica.def"
#undef DB_TABLE
#undef DB_COLUMN
};

static enum db_column first_column(enum db_table);
static const struct value *row_value(const struct row *, enum db_column);
static void row_destroy(struct row *);
static struct err *update_row(struct replica *, enum db_table,
                              const char *text, const struct json *update,
                              enum update_form);
static struct err *value_from_json(const struct json *, struct value **);

void
replica_init(struct replica *replica)
{
    for (size_t i = 0; i < N_DB_TABLES; i++) {
        hmap_init(&replica->rows[i]);
    }
    replica->n_rows = 0;
    replica->touched = (struct replica_touched){ .is_only_machines = false };
}

void
replica_uninit(struct replica *replica)
{
    for (size_t i = 0; i < N_DB_TABLES; i++) {
        struct row *row;

        HMAP_FOR_EACH_POP (row, node, &replica->rows[i]) {
            row_destroy(row);
        }
        hmap_destroy(&replica->rows[i]);
    }
    free(replica->touched.interfaces);
}

const char *
db_table_name(enum db_table table)
{
    return tables[table].name;
}

const char *
db_column_name(enum db_column column)
{
    return columns[column].name;
}

static const struct json *
schema_columns(const struct json *schema, enum db_table table)
{
    const struct json *t = jget(jget(schema, "tables"), tables[table].name);
    return jget(t, "columns");
}

struct json *
replica_monitor_requests(const struct json *schema)
{
    struct json *requests = json_object_create();

    for (enum db_table t = 0; t < N_DB_TABLES; t++) {
        const struct json *known = schema ? schema_columns(schema, t) : NULL;
        struct json *names = json_array_create_empty();

        for (enum db_column c = first_column(t);
             c < N_DB_COLUMNS && columns[c].table == t; c++) {
            if (!schema || jget(known, columns[c].name)) {
                json_array_add(names, json_string_create(columns[c].name));
            }
        }
        if (!json_array(names)->n) {
            json_destroy(names);
            continue;
        }

        struct json *request = json_object_create();
        json_object_put(request, "columns", names);
        json_object_put(requests, tables[t].name, request);
    }
    return requests;
}

struct err *
replica_apply(struct replica *replica, const struct json *updates,
              enum update_form form)
{
    if (updates->type != JSON_OBJECT) {
        return err_new(ERR_INVALID, NULL, "table updates are not an object");
    }

    replica->touched.is_only_machines = true;
    replica->touched.n = replica->touched.n_bridges = 0;
    for (enum db_table t = 0; t < N_DB_TABLES; t++) {
        const struct json *rows = jget(updates, tables[t].name);
        if (!rows) {
            continue;
        }
        if (rows->type != JSON_OBJECT) {
            return err_new(ERR_INVALID, tables[t].name,
                           "table update is not an object");
        }

        struct shash_node *node;
        SHASH_FOR_EACH (node, json_object(rows)) {
            struct err *err =
                update_row(replica, t, node->name, node->data, form);
            if (err) {
                return err;
            }
        }
    }
    return NULL;
}

static struct row *
find_row(const struct replica *replica, enum db_table table,
         const struct uuid *id)
{
    struct row *row;

    HMAP_FOR_EACH_WITH_HASH (row, node, uid_hash(id), &replica->rows[table]) {
        if (uid_equals(&row->id, id)) {
            return row;
        }
    }
    return NULL;
}

const struct row *
replica_find(const struct replica *replica, enum db_table table,
             const char *text)
{
    struct uuid id;

    return uid_from_text(text, &id) ? find_row(replica, table, &id) : NULL;
}

const struct row *
replica_find_id(const struct replica *replica, enum db_table table,
                const struct uuid *id)
{
    return find_row(replica, table, id);
}

const struct row *
replica_find_name(const struct replica *replica, enum db_column column,
                  const char *name)
{
    const struct row *row;

    REPLICA_FOR_EACH(row, replica, columns[column].table)
    {
        if (!strcmp(row_text(row, column), name)) {
            return row;
        }
    }
    return NULL;
}

const struct row *
replica_root(const struct replica *replica)
{
    const struct row *row;

    REPLICA_FOR_EACH(row, replica, DB_SWITCH)
    {
        return row;
    }
    return NULL;
}

static const struct value *
row_value(const struct row *row, enum db_column column)
{
    ovs_assert(row->table == columns[column].table);
    return row->values[column - first_column(row->table)];
}

const char *
row_text(const struct row *row, enum db_column column)
{
    const struct value *value = row_value(row, column);
    return value && value->n ? value->text : "";
}

const char *
row_key(const struct row *row, enum db_column column, const char *wanted)
{
    ROW_FOR_EACH_PAIR(key, row, column)
    {
        if (!strcmp(key, wanted)) {
            return row_value_of(key);
        }
    }
    return NULL;
}

bool
row_has(const struct row *row, enum db_column column, const char *wanted)
{
    ROW_FOR_EACH(atom, row, column)
    {
        if (!strcmp(atom, wanted)) {
            return true;
        }
    }
    return false;
}

int64_t
row_int(const struct row *row, enum db_column column, int64_t fallback)
{
    int64_t number;

    return (text_to_int(row_text(row, column), INT64_MIN, INT64_MAX, &number)
                ? number
                : fallback);
}

size_t
row_n(const struct row *row, enum db_column column)
{
    const struct value *value = row_value(row, column);
    return value ? value->n : 0;
}

const char *
row_next(const struct row *row, enum db_column column, const char *prev)
{
    const struct value *value = row_value(row, column);
    if (!value || !value->n) {
        return NULL;
    }
    if (!prev) {
        return value->text;
    }

    const char *next = row_value_of(prev);
    if (value->is_map) {
        next = row_value_of(next);
    }
    return next < value->text + value->size ? next : NULL;
}

const char *
row_next_pair(const struct row *row, enum db_column column, const char *prev)
{
    const struct value *value = row_value(row, column);
    return value && value->is_map ? row_next(row, column, prev) : NULL;
}

static enum db_column
first_column(enum db_table table)
{
    enum db_column c = 0;

    while (columns[c].table != table) {
        c++;
    }
    return c;
}

static size_t
n_columns(enum db_table table)
{
    size_t n = 0;

    for (enum db_column c = 0; c < N_DB_COLUMNS; c++) {
        n += columns[c].table == table;
    }
    return n;
}

static void
row_destroy(struct row *row)
{
    if (row) {
        for (size_t i = 0; i < n_columns(row->table); i++) {
            free(row->values[i]);
        }
        free(row);
    }
}
AUTO_DEFINE(row)

static struct row *
row_create(enum db_table table, const struct uuid *id)
{
    struct row *row =
        mem_zalloc(sizeof *row + n_columns(table) * sizeof *row->values);
    row->table = table;
    row->id = *id;
    return row;
}

static struct err *
row_from_json(enum db_table table, const struct uuid *id,
              const struct json *content, struct row **rowp)
{
    AUTO(row) *row = row_create(table, id);
    enum db_column first = first_column(table);

    for (size_t i = 0; i < n_columns(table); i++) {
        const struct json *json = jget(content, columns[first + i].name);
        if (!json) {
            continue;
        }

        struct err *err = value_from_json(json, &row->values[i]);
        if (err) {
            return err_about(err, "%s." UID_FMT ".%s", tables[table].name,
                             UID_ARGS(id), columns[first + i].name);
        }
    }
    *rowp = STEAL(row);
    return NULL;
}

/* What an update touches. */

static bool
values_equal(const struct value *a, const struct value *b)
{
    return (a && b ? a->n == b->n && a->size == b->size
                         && !memcmp(a->text, b->text, a->size)
                   : a == b);
}

static void
touch_interface(struct replica_touched *touched, const struct uuid *id)
{
    ARRAY_GROW(touched->interfaces, touched->n, touched->allocated);
    touched->interfaces[touched->n++] = *id;
}

/* Nothing but the ports of one bridge may change.  A port that goes from one
 * bridge to another changes two. */
static bool
is_only_ports(struct replica_touched *touched, const struct row *old,
              const struct row *new)
{
    if (!old || !new || touched->n_bridges++) {
        return false;
    }
    for (enum db_column c = first_column(DB_BRIDGE);
         c < N_DB_COLUMNS && columns[c].table == DB_BRIDGE; c++) {
        if (c != C_BRIDGE_PORTS
            && !values_equal(row_value(old, c), row_value(new, c))) {
            return false;
        }
    }
    return true;
}

/* A port that is nobody's mark and whose interfaces stay what they are. */
static bool
is_plain_port(struct replica_touched *touched, const struct row *old,
              const struct row *new)
{
    const struct row *any = new ? new : old;

    if (row_n(any, C_PORT_EXTERNAL_IDS)
        || (old && new
            && !values_equal(row_value(old, C_PORT_INTERFACES),
                             row_value(new, C_PORT_INTERFACES)))) {
        return false;
    }
    ROW_FOR_EACH(text, any, C_PORT_INTERFACES)
    {
        struct uuid id;
        if (uid_from_text(text, &id)) {
            touch_interface(touched, &id);
        }
    }
    return true;
}

static bool
is_machine(const struct row *interface)
{
    if (!interface) {
        return true;
    }
    return row_key(interface, C_INTERFACE_EXTERNAL_IDS, "iface-id")
           && !row_n(interface, C_INTERFACE_OPTIONS);
}

static void
note_touched(struct replica *replica, enum db_table table,
             const struct uuid *id, const struct row *old,
             const struct row *new)
{
    struct replica_touched *touched = &replica->touched;

    if (!touched->is_only_machines || (!old && !new)) {
        return;
    }
    if (table == DB_INTERFACE) {
        touched->is_only_machines = is_machine(old) && is_machine(new);
        touch_interface(touched, id);
    } else if (table == DB_PORT) {
        touched->is_only_machines = is_plain_port(touched, old, new);
    } else {
        touched->is_only_machines =
            table == DB_BRIDGE && is_only_ports(touched, old, new);
    }
}

/* Differences. */

static struct value *
value_create(uint32_t n, bool is_map, const struct ds *ds)
{
    if (!n) {
        return NULL;
    }
    struct value *value = mem_alloc(sizeof *value + ds->length);
    *value = (struct value){ .n = n, .size = ds->length, .is_map = is_map };
    memcpy(value->text, ds->string, ds->length);
    return value;
}

static const char *
value_next(const struct value *value, const char *prev)
{
    if (!value) {
        return NULL;
    }
    const char *next = value->text;
    if (prev) {
        next = row_value_of(prev);
        next = value->is_map ? row_value_of(next) : next;
    }
    return next < value->text + value->size ? next : NULL;
}

/* The member, or the key, of 'value' that is 'wanted', or null. */
static const char *
value_find(const struct value *value, const char *wanted)
{
    const char *atom = NULL;
    while ((atom = value_next(value, atom)) && strcmp(atom, wanted) != 0) {
        continue;
    }
    return atom;
}

/* Appends the member or pair at 'atom'. */
static void
put_member(struct ds *ds, const struct value *value, const char *atom)
{
    const char *end = row_value_of(atom);
    ds_put_buffer(ds, atom, (value->is_map ? row_value_of(end) : end) - atom);
}

/* 'old' with 'difference' applied: members in one of them only, and pairs of
 * the difference that do not say what 'old' says. */
static struct value *
value_apply(const struct value *old, const struct value *difference)
{
    AUTO_DS ds = DS_EMPTY_INITIALIZER;
    bool is_map = (difference ? difference : old)->is_map;
    uint32_t n = 0;

    for (const char *a = NULL; (a = value_next(old, a));) {
        if (!value_find(difference, a)) {
            put_member(&ds, old, a);
            n++;
        }
    }
    for (const char *a = NULL; (a = value_next(difference, a));) {
        const char *had = value_find(old, a);
        if (!had
            || (is_map && strcmp(row_value_of(had), row_value_of(a)) != 0)) {
            put_member(&ds, difference, a);
            n++;
        }
    }
    return value_create(n, is_map, &ds);
}

static struct value *
value_clone(const struct value *value)
{
    return value ? mem_clone(value, sizeof *value + value->size) : NULL;
}

/* Makes 'row', which holds differences, what 'old' becomes by them; 'content'
 * says which columns have any. */
static struct err *
row_apply(struct row *row, const struct row *old, const struct json *content)
{
    enum db_column first = first_column(row->table);

    for (size_t i = 0; i < n_columns(row->table); i++) {
        struct value *difference = row->values[i];
        const struct value *was = old->values[i];

        if (!jget(content, columns[first + i].name)) {
            row->values[i] = value_clone(was);
        } else if (columns[first + i].kind != COLUMN_ONE
                   && (was || difference)) {
            if (was && difference && was->is_map != difference->is_map) {
                return err_new(ERR_INVALID, columns[first + i].name,
                               "difference of another type");
            }
            row->values[i] = value_apply(was, difference);
            free(difference);
        }
    }
    return NULL;
}

/* The row that 'update' leaves, or null if it goes. */
static struct err *
updated_row(enum db_table table, const struct uuid *id, const struct row *old,
            const struct json *update, enum update_form form,
            struct row **rowp)
{
    const struct json *content = jget(update, "new");
    bool is_difference = false;

    if (form == UPDATE_DIFFERENCE) {
        content = jget(update, "initial");
        content = content ? content : jget(update, "insert");
        if (!content && (content = jget(update, "modify"))) {
            is_difference = true;
            if (!old) {
                return err_new(ERR_INVALID, tables[table].name,
                               "a row that is not there is modified");
            }
        }
    }
    if (!content) {
        *rowp = NULL;
        return NULL;
    }

    AUTO(row) *row = NULL;
    struct err *err = row_from_json(table, id, content, &row);
    if (!err && is_difference) {
        err = row_apply(row, old, content);
    }
    if (!err) {
        *rowp = STEAL(row);
    }
    return err;
}

static struct err *
update_row(struct replica *replica, enum db_table table, const char *text,
           const struct json *update, enum update_form form)
{
    struct uuid id;
    if (!uid_from_text(text, &id) || update->type != JSON_OBJECT) {
        return err_new(ERR_INVALID, tables[table].name, "bad row update");
    }

    AUTO(row) *row = NULL;
    struct row *old = find_row(replica, table, &id);
    struct err *err = updated_row(table, &id, old, update, form, &row);
    if (err) {
        return err;
    }

    note_touched(replica, table, &id, old, row);
    if (old) {
        hmap_remove(&replica->rows[table], &old->node);
        replica->n_rows--;
        row_destroy(old);
    }
    if (row) {
        if (replica->n_rows >= MAX_ROWS) {
            return err_new(ERR_TOO_LARGE, NULL, "more than %d rows", MAX_ROWS);
        }
        hmap_insert(&replica->rows[table], &row->node, uid_hash(&id));
        replica->n_rows++;
        row = NULL;
    }
    return NULL;
}

/* Appends an <atom> of RFC 7047, section 5.1, with its null byte. */
static bool
put_atom(struct ds *ds, const struct json *atom)
{
    switch (atom->type) {
    case JSON_STRING:
        ds_put_cstr(ds, json_string(atom));
        break;
    case JSON_INTEGER:
        ds_put_format(ds, "%" PRId64, json_integer(atom));
        break;
    case JSON_REAL:
        ds_put_format(ds, "%g", json_real(atom));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        ds_put_cstr(ds, atom->type == JSON_TRUE ? "true" : "false");
        break;
    case JSON_ARRAY:
        if (json_array(atom)->n != 2
            || json_array(atom)->elems[0]->type != JSON_STRING
            || json_array(atom)->elems[1]->type != JSON_STRING
            || strcmp(json_string(json_array(atom)->elems[0]), "uuid") != 0) {
            return false;
        }
        ds_put_cstr(ds, json_string(json_array(atom)->elems[1]));
        break;
    case JSON_NULL:
    case JSON_OBJECT:
    case JSON_N_TYPES:
    case JSON_SERIALIZED_OBJECT:
    default:
        return false;
    }
    ds_put_char(ds, '\0');
    return true;
}

/* The elements of ["set", [...]] or ["map", [...]], or null. */
static const struct json_array *
collection(const struct json *json, const char *kind)
{
    if (json->type != JSON_ARRAY || json_array(json)->n != 2) {
        return NULL;
    }

    struct json *const *elems = json_array(json)->elems;
    if (elems[0]->type != JSON_STRING || elems[1]->type != JSON_ARRAY
        || strcmp(json_string(elems[0]), kind) != 0) {
        return NULL;
    }
    return json_array(elems[1]);
}

static bool
put_pair(struct ds *ds, const struct json *pair)
{
    return (pair->type == JSON_ARRAY && json_array(pair)->n == 2
            && put_atom(ds, json_array(pair)->elems[0])
            && put_atom(ds, json_array(pair)->elems[1]));
}

static bool
put_value(struct ds *ds, const struct json *json, uint32_t *np, bool *is_mapp)
{
    const struct json_array *map = collection(json, "map");
    const struct json_array *set = collection(json, "set");
    const struct json_array *all = map ? map : set;

    if (!all) {
        *np = 1;
        return put_atom(ds, json);
    }
    for (size_t i = 0; i < all->n; i++) {
        if (!(map ? put_pair(ds, all->elems[i])
                  : put_atom(ds, all->elems[i]))) {
            return false;
        }
    }
    *np = all->n;
    *is_mapp = map != NULL;
    return true;
}

static struct err *
value_from_json(const struct json *json, struct value **valuep)
{
    AUTO_DS ds = DS_EMPTY_INITIALIZER;
    uint32_t n = 0;
    bool is_map = false;

    if (!put_value(&ds, json, &n, &is_map)) {
        return err_new(ERR_INVALID, NULL, "not a value of the database");
    }
    *valuep = value_create(n, is_map, &ds);
    return NULL;
}
