/* SPDX-License-Identifier: Apache-2.0 */
/* The model switch's 'transact' (RFC 7047 section 4.1.3 and 5.2).
 *
 * Operations run one by one inside the database's one open transaction; the
 * first that fails ends it and undoes what went before.  There is no blocking
 * 'wait': one that is not fulfilled has timed out. */

#include "ovs-private.h"

/* One run of 'transact'. */
struct transact {
    struct ovs *ovs;
    struct shash named; /* uuid-name to struct uuid. */
    const char *error;
    char *details;
};

static struct json *
op_error(struct ovs *ovs, const char *error, const char *details)
{
    struct json *result = json_object_create();
    json_object_put_string(result, "error", error);
    json_object_put_string(result, "details", details ? details : "");
    ovs_note_error(ovs, "transact: %s: %s", error, details ? details : "");
    return result;
}

static bool
fail(struct transact *t, const char *error, char *details)
{
    t->error = error;
    free(t->details);
    t->details = details;
    return false;
}

/* [column, function, value]. */
static bool
clause_matches(struct transact *t, const struct row *row,
               const struct json *clause, bool *matchp)
{
    const struct json_array *array = &clause->array;
    if (clause->type != JSON_ARRAY || array->n != 3
        || array->elems[0]->type != JSON_STRING
        || array->elems[1]->type != JSON_STRING) {
        return fail(t, "syntax error", mem_text("bad condition"));
    }
    const char *name = json_string(array->elems[0]);
    const char *function = json_string(array->elems[1]);
    AUTO(json) *arg = NULL;
    AUTO(json) *value = NULL;
    if (!strcmp(name, "_uuid")) {
        struct json *atom =
            atom_from_wire(ATOM_UUID, array->elems[2], &t->named);
        if (!atom) {
            return fail(t, "syntax error", mem_text("bad _uuid condition"));
        }
        arg = json_array_create_1(atom);
        value = json_array_create_1(uuid_atom(&row->uuid));
    } else {
        enum ovsdb_column c;
        if (!column_from_text(row->table, name, &c)) {
            return fail(t, "unknown column", mem_text(name));
        }
        char *error = NULL;
        arg = value_from_wire(c, array->elems[2], &t->named, &error);
        if (!arg) {
            return fail(t, "constraint violation", error);
        }
        value = json_clone(dbrow_get(&t->ovs->db, row, c));
    }

    size_t n_found = 0;
    for (size_t i = 0; i < arg->array.n; i++) {
        for (size_t j = 0; j < value->array.n; j++) {
            n_found += json_equal(arg->array.elems[i], value->array.elems[j]);
        }
    }
    *matchp = (!strcmp(function, "==")         ? json_equal(value, arg)
               : !strcmp(function, "!=")       ? !json_equal(value, arg)
               : !strcmp(function, "includes") ? n_found == arg->array.n
               : !strcmp(function, "excludes") ? n_found == 0
                                               : false);
    return true;
}

static bool
row_matches(struct transact *t, const struct row *row,
            const struct json *where, bool *matchp)
{
    *matchp = true;
    for (size_t i = 0; i < where->array.n && *matchp; i++) {
        if (!clause_matches(t, row, where->array.elems[i], matchp)) {
            return false;
        }
    }
    return true;
}

/* Rows that an operation's table and where name, in a new array. */
static struct row **
select_rows(struct transact *t, const struct json *op, size_t *np)
{
    enum ovsdb_table table;
    const struct json *where = jget(op, "where");
    *np = 0;
    if (!table_from_text(jget_text(op, "table"), &table)) {
        fail(t, "unknown table", NULL);
        return NULL;
    } else if (!where || where->type != JSON_ARRAY) {
        fail(t, "syntax error", mem_text("where is missing"));
        return NULL;
    }
    struct row **rows = NULL;
    size_t allocated = 0;
    struct row *row;
    HMAP_FOR_EACH (row, node, &t->ovs->db.rows[table]) {
        bool match = false;
        if (!row->deleted && row_matches(t, row, where, &match) && match) {
            ARRAY_GROW(rows, *np, allocated);
            rows[(*np)++] = row;
        }
    }
    return rows;
}

static bool
set_columns(struct transact *t, struct row *row, const struct json *columns)
{
    struct shash_node *node;
    if (!columns || columns->type != JSON_OBJECT) {
        return fail(t, "syntax error", mem_text("row is missing"));
    }
    SHASH_FOR_EACH (node, columns->object) {
        enum ovsdb_column c;
        if (!column_from_text(row->table, node->name, &c)) {
            return fail(t, "unknown column", mem_text(node->name));
        }
        char *error = NULL;
        struct json *value = value_from_wire(c, node->data, &t->named, &error);
        if (!value) {
            return fail(t, "constraint violation", error);
        }
        dbrow_set(&t->ovs->db, row, c, value);
    }
    return true;
}

static struct json *
op_insert(struct transact *t, const struct json *op)
{
    enum ovsdb_table table;
    if (!table_from_text(jget_text(op, "table"), &table)) {
        fail(t, "unknown table", NULL);
        return NULL;
    }
    const char *name = jget_text(op, "uuid-name");
    struct uuid *uuid = name ? shash_find_data(&t->named, name) : NULL;
    struct row *row = dbrow_insert(&t->ovs->db, table, uuid);
    if (!set_columns(t, row, jget(op, "row"))) {
        return NULL;
    }
    struct json *result = json_object_create();
    json_object_put(result, "uuid",
                    json_array_create_2(json_string_create("uuid"),
                                        uuid_atom(&row->uuid)));
    return result;
}

static struct json *
count_result(size_t n)
{
    struct json *result = json_object_create();
    json_object_put(result, "count", json_integer_create(n));
    return result;
}

/* Applies a set or map mutator; the new value, or null. */
static struct json *
mutate_members(enum ovsdb_column c, const struct json *value,
               const struct json *arg, bool insert)
{
    bool map = column_defs[c].value != ATOM_VOID;
    struct json *result = json_clone(value);
    for (size_t i = 0; i < arg->array.n; i++) {
        const struct json *element = arg->array.elems[i];
        bool pair = element->type == JSON_ARRAY;
        size_t at =
            value_find(result, pair ? element->array.elems[0] : element);
        struct json *next = NULL;
        if (insert) { /* A key that is there stays as it is. */
            next = at == SIZE_MAX ? value_with(result, element) : NULL;
        } else if (at != SIZE_MAX
                   && (!map || !pair
                       || json_equal(result->array.elems[at], element))) {
            next = value_without(result, at);
        }
        if (next) {
            json_destroy(result);
            result = next;
        }
    }
    return result;
}

/* The argument of a mutation of column 'c': a map's "delete" also takes a set
 * of keys. */
static struct json *
mutation_arg(struct transact *t, enum ovsdb_column c, const char *mutator,
             const struct json *wire)
{
    const struct json *kind = wire->type == JSON_ARRAY && wire->array.n
                                  ? wire->array.elems[0]
                                  : NULL;
    char *error = NULL;
    if (column_defs[c].value != ATOM_VOID && !strcmp(mutator, "delete")
        && (!kind || kind->type != JSON_STRING
            || strcmp(json_string(kind), "map"))) {
        if (wire->type == JSON_STRING) {
            return json_array_create_1(json_clone(wire));
        } else if (kind && kind->type == JSON_STRING
                   && !strcmp(json_string(kind), "set") && wire->array.n == 2
                   && wire->array.elems[1]->type == JSON_ARRAY) {
            return json_clone(wire->array.elems[1]);
        }
    }
    struct json *arg = value_from_wire(c, wire, &t->named, &error);
    if (!arg) {
        fail(t, "constraint violation", error);
    }
    return arg;
}

static bool
mutate_row(struct transact *t, struct row *row, const struct json *mutation)
{
    const struct json_array *array = &mutation->array;
    enum ovsdb_column c;
    if (mutation->type != JSON_ARRAY || array->n != 3
        || array->elems[0]->type != JSON_STRING
        || array->elems[1]->type != JSON_STRING) {
        return fail(t, "syntax error", mem_text("bad mutation"));
    } else if (!column_from_text(row->table, json_string(array->elems[0]),
                                 &c)) {
        return fail(t, "unknown column", NULL);
    }
    const char *mutator = json_string(array->elems[1]);
    AUTO(json) *arg = mutation_arg(t, c, mutator, array->elems[2]);
    if (!arg) {
        return false;
    }
    const struct json *value = dbrow_get(&t->ovs->db, row, c);
    bool insert = !strcmp(mutator, "insert");
    if (insert || !strcmp(mutator, "delete")) {
        struct json *next = mutate_members(c, value, arg, insert);
        if (next->array.n < column_defs[c].min
            || next->array.n > column_defs[c].max) {
            json_destroy(next);
            return fail(t, "constraint violation", NULL);
        }
        dbrow_set(&t->ovs->db, row, c, next);
        return true;
    }
    if (column_defs[c].key == ATOM_INTEGER && value->array.n == 1
        && arg->array.n == 1) {
        int64_t n = json_integer(value->array.elems[0]);
        int64_t m = json_integer(arg->array.elems[0]);
        if (!strcmp(mutator, "+=") || !strcmp(mutator, "-=")) {
            dbrow_set_int(&t->ovs->db, row, c,
                          *mutator == '+' ? n + m : n - m);
            return true;
        }
    }
    return fail(t, "syntax error", mem_text("unknown mutator"));
}

static struct json *
op_change(struct transact *t, const struct json *op, const char *name)
{
    size_t n;
    struct row **rows = select_rows(t, op, &n);
    const struct json *mutations = jget(op, "mutations");
    for (size_t i = 0; i < n && !t->error; i++) {
        if (!strcmp(name, "delete")) {
            dbrow_delete(&t->ovs->db, rows[i]);
        } else if (!strcmp(name, "update")) {
            set_columns(t, rows[i], jget(op, "row"));
        } else {
            for (size_t j = 0; mutations && j < mutations->array.n; j++) {
                mutate_row(t, rows[i], mutations->array.elems[j]);
            }
        }
    }
    free(rows);
    return t->error ? NULL : count_result(n);
}

/* One row as 'select' and 'wait' see it. */
static struct json *
selected_row(struct transact *t, const struct row *row,
             const struct json *columns)
{
    struct json *object = json_object_create();
    for (size_t c = 0; c < N_OVSDB_COLUMNS; c++) {
        bool wanted = column_defs[c].table == row->table && !columns;
        for (size_t i = 0; columns && i < columns->array.n; i++) {
            wanted |= column_defs[c].table == row->table
                      && !strcmp(json_string(columns->array.elems[i]),
                                 column_defs[c].name);
        }
        if (wanted) {
            json_object_put(object, column_defs[c].name,
                            value_to_wire(c, dbrow_get(&t->ovs->db, row, c)));
        }
    }
    return object;
}

static struct json *
op_select(struct transact *t, const struct json *op)
{
    size_t n;
    struct row **rows = select_rows(t, op, &n);
    if (t->error) {
        free(rows);
        return NULL;
    }
    struct json *array = json_array_create_empty();
    for (size_t i = 0; i < n; i++) {
        struct json *object = selected_row(t, rows[i], jget(op, "columns"));
        if (!jget(op, "columns")) {
            json_object_put(object, "_uuid",
                            json_array_create_2(json_string_create("uuid"),
                                                uuid_atom(&rows[i]->uuid)));
        }
        json_array_add(array, object);
    }
    free(rows);
    struct json *result = json_object_create();
    json_object_put(result, "rows", array);
    return result;
}

/* Does 'wire' say of the row what is so? */
static bool
row_is(struct transact *t, const struct row *row, const struct json *wire)
{
    struct shash_node *node;
    SHASH_FOR_EACH (node, json_object(wire)) {
        enum ovsdb_column c;
        char *error = NULL;
        if (!column_from_text(row->table, node->name, &c)) {
            return fail(t, "unknown column", mem_text(node->name));
        }
        AUTO(json) *value = value_from_wire(c, node->data, &t->named, &error);
        if (!value) {
            return fail(t, "constraint violation", error);
        } else if (!json_equal(value, dbrow_get(&t->ovs->db, row, c))) {
            return false;
        }
    }
    return true;
}

static struct json *
op_wait(struct transact *t, const struct json *op)
{
    const struct json *wanted = jget(op, "rows");
    const char *until = jget_text(op, "until");
    if (!wanted || wanted->type != JSON_ARRAY || !until) {
        fail(t, "syntax error", mem_text("bad wait"));
        return NULL;
    }
    size_t n, n_equal = 0;
    struct row **rows = select_rows(t, op, &n);
    for (size_t i = 0; i < n && !t->error; i++) {
        for (size_t j = 0; j < wanted->array.n; j++) {
            if (row_is(t, rows[i], wanted->array.elems[j])) {
                n_equal++;
                break;
            }
        }
    }
    free(rows);
    bool equal = n_equal == n && n == wanted->array.n;
    if (!t->error && equal != !strcmp(until, "==")) {
        fail(t, "timed out", mem_text("\"wait\" is not fulfilled"));
    }
    return t->error ? NULL : json_object_create();
}

static struct json *
run_op(struct transact *t, const struct json *op)
{
    const char *name = op->type == JSON_OBJECT ? jget_text(op, "op") : NULL;
    if (!name) {
        fail(t, "syntax error", mem_text("not an operation"));
        return NULL;
    } else if (!strcmp(name, "insert")) {
        return op_insert(t, op);
    } else if (!strcmp(name, "update") || !strcmp(name, "mutate")
               || !strcmp(name, "delete")) {
        return op_change(t, op, name);
    } else if (!strcmp(name, "select")) {
        return op_select(t, op);
    } else if (!strcmp(name, "wait")) {
        return op_wait(t, op);
    } else if (!strcmp(name, "comment") || !strcmp(name, "commit")
               || !strcmp(name, "assert")) {
        return json_object_create();
    } else if (!strcmp(name, "abort")) {
        fail(t, "aborted", mem_text("aborted by request"));
        return NULL;
    }
    fail(t, "unknown operation", mem_text(name));
    return NULL;
}

/* Every uuid-name gets its UUID before the first operation runs, so that they
 * may be used before their insert. */
static void
name_uuids(struct transact *t, const struct json_array *ops)
{
    for (size_t i = 1; i < ops->n; i++) {
        const char *name = (ops->elems[i]->type == JSON_OBJECT
                                ? jget_text(ops->elems[i], "uuid-name")
                                : NULL);
        if (name && !shash_find(&t->named, name)) {
            struct uuid uuid = ovsdb_new_uuid(&t->ovs->db);
            shash_add(&t->named, name, mem_clone(&uuid, sizeof uuid));
        }
    }
}

static void
finish_transact(struct transact *t, bool from_manager, struct json *results,
                size_t n_ops)
{
    struct ovs *ovs = t->ovs;
    bool changed = false;
    if (!t->error) {
        const char *error = ovs_commit(ovs, false, &changed);
        if (error) {
            json_array_add(results, op_error(ovs, error, NULL));
            ovs->counters.n_database_errors++;
        }
    } else {
        json_array_add(results, op_error(ovs, t->error, t->details));
        while (results->array.n < n_ops) {
            json_array_add(results, json_null_create());
        }
        ovsdb_abort(&ovs->db);
        ovs->counters.n_database_errors++;
    }
    ovs->counters.n_database_changes += changed && from_manager;
}

struct json *
ovs_transact(struct ovs *ovs, const struct json_array *params,
             bool from_manager)
{
    struct transact t = { .ovs = ovs };
    struct json *results = json_array_create_empty();
    shash_init(&t.named);
    name_uuids(&t, params);
    for (size_t i = 1; i < params->n && !t.error; i++) {
        struct json *result = run_op(&t, params->elems[i]);
        if (t.error) {
            json_destroy(result);
        } else {
            json_array_add(results, result);
        }
    }
    finish_transact(&t, from_manager, results, params->n - 1);
    shash_destroy_free_data(&t.named);
    free(t.details);
    return results;
}
