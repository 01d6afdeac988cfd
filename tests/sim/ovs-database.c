/* SPDX-License-Identifier: Apache-2.0 */
/* The model switch's database: the data model of RFC 7047.
 *
 *     table ── row ── cells: only what differs from the column's default
 *                 └── old cells, while a transaction touches the row
 *
 * There is at most one transaction at a time and it is never open when control
 * returns to the loop.  It changes rows in place and remembers what they were;
 * the old state serves both ovsdb_abort() and the monitors' notifications.
 *
 * ovsdb_prepare() removes rows of tables that are not roots and to which no
 * strong reference leads, as section 3.2 of the RFC wants, and refuses a
 * reference that leads nowhere.  References are counted, cycles do not occur;
 * the cost is that of what the transaction touched. */

#include "ovs-private.h"

#include "openvswitch/hmap.h"

const struct table_def table_defs[N_OVSDB_TABLES] = {
#define OVSDB_TABLE(NAME, ROOT, MAX) { #NAME, ROOT, MAX },
#define OVSDB_COLUMN(TABLE, NAME, KEY, VALUE, MIN, MAX, REF, ALLOWED)
#include "vswitch-schema.def"
#undef OVSDB_TABLE
#undef OVSDB_COLUMN
};

const struct column_def column_defs[N_OVSDB_COLUMNS] = {
#define OVSDB_TABLE(NAME, ROOT, MAX)
#define OVSDB_COLUMN(TABLE, NAME, KEY, VALUE, MIN, MAX, REF, ALLOWED)         \
    { TABLE_##TABLE, #NAME, ATOM_##KEY, ATOM_##VALUE, MIN, MAX, REF, ALLOWED },
#include "vswitch-schema.def"
#undef OVSDB_TABLE
#undef OVSDB_COLUMN
};

bool
table_from_text(const char *name, enum ovsdb_table *tablep)
{
    for (size_t i = 0; name && i < N_OVSDB_TABLES; i++) {
        if (!strcmp(table_defs[i].name, name)) {
            *tablep = i;
            return true;
        }
    }
    return false;
}

bool
column_from_text(enum ovsdb_table table, const char *name,
                 enum ovsdb_column *columnp)
{
    for (size_t i = 0; i < N_OVSDB_COLUMNS; i++) {
        if (column_defs[i].table == table
            && !strcmp(column_defs[i].name, name)) {
            *columnp = i;
            return true;
        }
    }
    return false;
}

/* Values. */

static bool
column_is_map(enum ovsdb_column column)
{
    return column_defs[column].value != ATOM_VOID;
}

static bool
column_is_scalar(enum ovsdb_column column)
{
    const struct column_def *def = &column_defs[column];
    return !column_is_map(column) && def->min == 1 && def->max == 1;
}

struct json *
uuid_atom(const struct uuid *uuid)
{
    return json_string_create_nocopy(mem_textf(UID_FMT, UID_ARGS(uuid)));
}

bool
uuid_from_atom(const struct json *atom, struct uuid *uuid)
{
    return atom->type == JSON_STRING && uid_from_text(json_string(atom), uuid);
}

int
atom_compare(const struct json *a, const struct json *b)
{
    if (a->type != b->type) {
        return a->type < b->type ? -1 : 1;
    }
    switch ((int) a->type) {
    case JSON_INTEGER:
        return a->integer < b->integer ? -1 : a->integer > b->integer;
    case JSON_REAL:
        return a->real < b->real ? -1 : a->real > b->real;
    case JSON_STRING:
        return strcmp(json_string(a), json_string(b));
    default:
        return 0;
    }
}

/* What an element is found by: an atom itself, a pair's first. */
static const struct json *
element_key(const struct json *element)
{
    return element->type == JSON_ARRAY ? element->array.elems[0] : element;
}

static int
compare_elements(const void *a_, const void *b_)
{
    const struct json *const *a = a_;
    const struct json *const *b = b_;
    return atom_compare(element_key(*a), element_key(*b));
}

static void
value_sort(struct json *value)
{
    if (value->array.n) {
        qsort(value->array.elems, value->array.n, sizeof *value->array.elems,
              compare_elements);
    }
}

/* Values are sorted: a bridge may have thousands of ports. */
size_t
value_find(const struct json *value, const struct json *key)
{
    size_t low = 0, high = value->array.n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int c = atom_compare(element_key(value->array.elems[middle]), key);
        if (!c) {
            return middle;
        } else if (c < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return SIZE_MAX;
}

/* A copy of 'value' with a borrowed 'element' in place of one with the same
 * key. */
struct json *
value_with(const struct json *value, const struct json *element)
{
    struct json *copy = json_array_create_empty();
    bool added = false;
    for (size_t i = 0; i < value->array.n; i++) {
        struct json *other = value->array.elems[i];
        int c = atom_compare(element_key(element), element_key(other));
        if (c <= 0 && !added) {
            json_array_add(copy, json_clone(element));
            added = true;
        }
        if (c) {
            json_array_add(copy, json_clone(other));
        }
    }
    if (!added) {
        json_array_add(copy, json_clone(element));
    }
    return copy;
}

struct json *
value_without(const struct json *value, size_t index)
{
    struct json *copy = json_array_create_empty();
    for (size_t i = 0; i < value->array.n; i++) {
        if (i != index) {
            json_array_add(copy, json_clone(value->array.elems[i]));
        }
    }
    return copy;
}

static struct json *
named_uuid(struct shash *named, const char *name)
{
    struct uuid *uuid = named ? shash_find_data(named, name) : NULL;
    return uuid ? uuid_atom(uuid) : NULL;
}

/* An atom of 'type' from the wire, or null. */
struct json *
atom_from_wire(enum atom_type type, const struct json *wire,
               struct shash *named)
{
    switch (type) {
    case ATOM_INTEGER:
        return wire->type == JSON_INTEGER ? json_clone(wire) : NULL;
    case ATOM_REAL:
        return (wire->type == JSON_REAL      ? json_clone(wire)
                : wire->type == JSON_INTEGER ? json_real_create(wire->integer)
                                             : NULL);
    case ATOM_BOOLEAN:
        return (wire->type == JSON_TRUE || wire->type == JSON_FALSE
                    ? json_clone(wire)
                    : NULL);
    case ATOM_STRING:
        return wire->type == JSON_STRING ? json_clone(wire) : NULL;
    case ATOM_UUID:
        if (wire->type == JSON_ARRAY && wire->array.n == 2
            && wire->array.elems[0]->type == JSON_STRING
            && wire->array.elems[1]->type == JSON_STRING) {
            const char *kind = json_string(wire->array.elems[0]);
            const char *text = json_string(wire->array.elems[1]);
            struct uuid uuid;
            if (!strcmp(kind, "uuid") && uid_from_text(text, &uuid)) {
                return uuid_atom(&uuid);
            } else if (!strcmp(kind, "named-uuid")) {
                return named_uuid(named, text);
            }
        }
        return NULL;
    case ATOM_VOID:
    default:
        return NULL;
    }
}

static bool
is_allowed(const struct column_def *def, const struct json *atom)
{
    if (!def->allowed || atom->type != JSON_STRING) {
        return true;
    }
    const char *text = json_string(atom);
    size_t length = strlen(text);
    for (const char *p = def->allowed; p; p = strchr(p, '|')) {
        p += *p == '|';
        if (!strncmp(p, text, length) && (!p[length] || p[length] == '|')) {
            return true;
        }
    }
    return false;
}

/* Adds one element; false if it is of the wrong type. */
static bool
add_from_wire(const struct column_def *def, const struct json *wire,
              struct shash *named, struct json *value)
{
    struct json *element;
    if (def->value == ATOM_VOID) {
        element = atom_from_wire(def->key, wire, named);
        if (!element) {
            return false;
        }
    } else {
        if (wire->type != JSON_ARRAY || wire->array.n != 2) {
            return false;
        }
        AUTO(json) *k = atom_from_wire(def->key, wire->array.elems[0], named);
        AUTO(json) *v =
            atom_from_wire(def->value, wire->array.elems[1], named);
        if (!k || !v) {
            return false;
        }
        element = json_array_create_2(json_clone(k), json_clone(v));
    }
    json_array_add(value, element);
    return is_allowed(def, element_key(element));
}

/* The members of a set or map on the wire, or null if it is an atom. */
static const struct json_array *
wire_members(const struct json *wire)
{
    if (wire->type == JSON_ARRAY && wire->array.n == 2
        && wire->array.elems[0]->type == JSON_STRING
        && wire->array.elems[1]->type == JSON_ARRAY) {
        const char *kind = json_string(wire->array.elems[0]);
        if (!strcmp(kind, "set") || !strcmp(kind, "map")) {
            return &wire->array.elems[1]->array;
        }
    }
    return NULL;
}

struct json *
value_from_wire(enum ovsdb_column column, const struct json *wire,
                struct shash *named, char **errorp)
{
    const struct column_def *def = &column_defs[column];
    const struct json_array *members = wire_members(wire);
    AUTO(json) *value = json_array_create_empty();
    bool ok = true;
    if (members) {
        for (size_t i = 0; i < members->n && ok; i++) {
            ok = add_from_wire(def, members->elems[i], named, value);
        }
    } else {
        ok = def->value == ATOM_VOID && add_from_wire(def, wire, named, value);
    }
    if (!ok || value->array.n < def->min || value->array.n > def->max) {
        AUTO_TEXT *text = json_to_string(wire, 0);
        *errorp = mem_textf("%s.%s: bad value %.80s",
                            table_defs[def->table].name, def->name, text);
        return NULL;
    }
    value_sort(value);
    return STEAL(value);
}

static struct json *
atom_to_wire(enum atom_type type, const struct json *atom)
{
    return (type == ATOM_UUID ? json_array_create_2(json_string_create("uuid"),
                                                    json_clone(atom))
                              : json_clone(atom));
}

struct json *
value_to_wire(enum ovsdb_column column, const struct json *value)
{
    const struct column_def *def = &column_defs[column];
    if (!column_is_map(column) && value->array.n == 1) {
        return atom_to_wire(def->key, value->array.elems[0]);
    }
    struct json *members = json_array_create_empty();
    for (size_t i = 0; i < value->array.n; i++) {
        const struct json *element = value->array.elems[i];
        if (column_is_map(column)) {
            struct json *const *pair = element->array.elems;
            json_array_add(members, json_array_create_2(
                                        atom_to_wire(def->key, pair[0]),
                                        atom_to_wire(def->value, pair[1])));
        } else {
            json_array_add(members, atom_to_wire(def->key, element));
        }
    }
    return json_array_create_2(
        json_string_create(column_is_map(column) ? "map" : "set"), members);
}

const struct json *
value_default(const struct ovsdb *db, enum ovsdb_column column)
{
    return column_is_scalar(column) ? db->defaults[column_defs[column].key]
                                    : db->empty;
}

/* The database. */

void
ovsdb_init(struct ovsdb *db, uint64_t seed)
{
    static const struct uuid zero;

    *db = (struct ovsdb){ .seed = seed };
    for (size_t i = 0; i < N_OVSDB_TABLES; i++) {
        hmap_init(&db->rows[i]);
    }
    ovs_list_init(&db->touched);
    db->empty = json_array_create_empty();
    db->defaults[ATOM_INTEGER] = json_array_create_1(json_integer_create(0));
    db->defaults[ATOM_REAL] = json_array_create_1(json_real_create(0));
    db->defaults[ATOM_BOOLEAN] =
        json_array_create_1(json_boolean_create(false));
    db->defaults[ATOM_STRING] = json_array_create_1(json_string_create(""));
    db->defaults[ATOM_UUID] = json_array_create_1(uuid_atom(&zero));
}

static void
cells_destroy(struct cell *cells, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        json_destroy(cells[i].value);
    }
    free(cells);
}

static void
row_free(struct ovsdb *db, struct row *row)
{
    hmap_remove(&db->rows[row->table], &row->node);
    cells_destroy(row->cells, row->n_cells);
    cells_destroy(row->old_cells, row->n_old_cells);
    free(row);
}

void
ovsdb_uninit(struct ovsdb *db)
{
    for (size_t i = 0; i < N_OVSDB_TABLES; i++) {
        struct row *row;
        HMAP_FOR_EACH_SAFE (row, node, &db->rows[i]) {
            row_free(db, row);
        }
        hmap_destroy(&db->rows[i]);
    }
    for (size_t i = 0; i <= ATOM_UUID; i++) {
        json_destroy(db->defaults[i]);
    }
    json_destroy(db->empty);
}

struct uuid
ovsdb_new_uuid(struct ovsdb *db)
{
    uint64_t a = hash64_mix(db->seed, ++db->next_uuid);
    uint64_t b = hash64_mix(a, db->seed);
    return (struct uuid){ .parts = { a >> 32, (a & 0xffff0fff) | 0x4000,
                                     (b >> 34) | 0x80000000, b } };
}

/* Finds a row that may be deleted by the open transaction. */
static struct row *
row_lookup(const struct ovsdb *db, enum ovsdb_table table,
           const struct uuid *uuid)
{
    struct row *row;
    HMAP_FOR_EACH_WITH_HASH (row, node, uid_hash(uuid), &db->rows[table]) {
        if (uid_equals(&row->uuid, uuid)) {
            return row;
        }
    }
    return NULL;
}

struct row *
dbrow_find(const struct ovsdb *db, enum ovsdb_table table,
           const struct uuid *uuid)
{
    struct row *row = row_lookup(db, table, uuid);
    return row && !row->deleted ? row : NULL;
}

static const struct json *
cells_get(const struct ovsdb *db, const struct cell *cells, size_t n,
          enum ovsdb_column column)
{
    for (size_t i = 0; i < n; i++) {
        if (cells[i].column == column) {
            return cells[i].value;
        }
    }
    return value_default(db, column);
}

const struct json *
dbrow_get(const struct ovsdb *db, const struct row *row,
          enum ovsdb_column column)
{
    return cells_get(db, row->cells, row->n_cells, column);
}

const struct json *
dbrow_get_old(const struct ovsdb *db, const struct row *row,
              enum ovsdb_column column)
{
    return (row->touched
                ? cells_get(db, row->old_cells, row->n_old_cells, column)
                : dbrow_get(db, row, column));
}

const char *
dbrow_text(const struct ovsdb *db, const struct row *row,
           enum ovsdb_column column)
{
    const struct json *value = dbrow_get(db, row, column);
    return value->array.n ? json_string(value->array.elems[0]) : "";
}

int64_t
dbrow_int(const struct ovsdb *db, const struct row *row,
          enum ovsdb_column column, int64_t dflt)
{
    const struct json *value = dbrow_get(db, row, column);
    return value->array.n ? json_integer(value->array.elems[0]) : dflt;
}

const char *
dbrow_map_text(const struct ovsdb *db, const struct row *row,
               enum ovsdb_column column, const char *key)
{
    const struct json *value = dbrow_get(db, row, column);
    for (size_t i = 0; i < value->array.n; i++) {
        struct json *const *pair = value->array.elems[i]->array.elems;
        if (!strcmp(json_string(pair[0]), key)) {
            return json_string(pair[1]);
        }
    }
    return NULL;
}

struct row *
dbrow_next_ref(const struct ovsdb *db, const struct row *row,
               enum ovsdb_column column, size_t *ip)
{
    const struct json *value = dbrow_get(db, row, column);
    while (*ip < value->array.n) {
        const struct json *element = value->array.elems[(*ip)++];
        struct uuid uuid;
        enum ovsdb_table table;
        if (uuid_from_atom(column_is_map(column) ? element->array.elems[1]
                                                 : element,
                           &uuid)
            && table_from_text(column_defs[column].ref, &table)) {
            struct row *target = dbrow_find(db, table, &uuid);
            if (target) {
                return target;
            }
        }
    }
    return NULL;
}

bool
dbrow_changed(const struct ovsdb *db, const struct row *row)
{
    if (row->inserted || row->deleted) {
        return row->inserted != row->deleted;
    }
    for (size_t i = 0; i < row->n_cells; i++) {
        const struct cell *cell = &row->cells[i];
        if (!json_equal(cell->value, dbrow_get_old(db, row, cell->column))) {
            return true;
        }
    }
    for (size_t i = 0; i < row->n_old_cells; i++) {
        const struct cell *cell = &row->old_cells[i];
        if (!json_equal(cell->value, dbrow_get(db, row, cell->column))) {
            return true;
        }
    }
    return false;
}

/* Changes. */

static void
row_touch(struct ovsdb *db, struct row *row)
{
    if (row->touched) {
        return;
    }
    row->touched = true;
    ovs_list_push_back(&db->touched, &row->touched_node);
    row->n_old_cells = row->n_cells;
    row->old_cells = mem_alloc((row->n_cells + 1) * sizeof *row->cells);
    for (size_t i = 0; i < row->n_cells; i++) {
        row->old_cells[i].column = row->cells[i].column;
        row->old_cells[i].value = json_clone(row->cells[i].value);
    }
}

struct row *
dbrow_insert(struct ovsdb *db, enum ovsdb_table table, const struct uuid *uuid)
{
    struct row *row = NEW(struct row);
    row->uuid = uuid ? *uuid : ovsdb_new_uuid(db);
    row->table = table;
    hmap_insert(&db->rows[table], &row->node, uid_hash(&row->uuid));
    row_touch(db, row);
    row->inserted = true;
    db->refs_changed = true;
    return row;
}

void
dbrow_delete(struct ovsdb *db, struct row *row)
{
    row_touch(db, row);
    row->deleted = true;
    db->refs_changed = true;
}

void
dbrow_set(struct ovsdb *db, struct row *row, enum ovsdb_column column,
          struct json *value_)
{
    AUTO(json) *value = value_;
    if (json_equal(value, dbrow_get(db, row, column))) {
        return;
    }
    row_touch(db, row);
    db->refs_changed |= column_defs[column].ref != NULL;
    for (size_t i = 0; i < row->n_cells; i++) {
        if (row->cells[i].column == column) {
            json_destroy(row->cells[i].value);
            row->cells[i].value = STEAL(value);
            return;
        }
    }
    row->cells =
        mem_resize(row->cells, (row->n_cells + 1) * sizeof *row->cells);
    row->cells[row->n_cells].column = column;
    row->cells[row->n_cells++].value = STEAL(value);
}

void
dbrow_set_text(struct ovsdb *db, struct row *row, enum ovsdb_column column,
               const char *text)
{
    dbrow_set(db, row, column, json_array_create_1(json_string_create(text)));
}

void
dbrow_set_int(struct ovsdb *db, struct row *row, enum ovsdb_column column,
              int64_t n)
{
    dbrow_set(db, row, column, json_array_create_1(json_integer_create(n)));
}

void
dbrow_set_bool(struct ovsdb *db, struct row *row, enum ovsdb_column column,
               bool b)
{
    dbrow_set(db, row, column, json_array_create_1(json_boolean_create(b)));
}

void
dbrow_set_map(struct ovsdb *db, struct row *row, enum ovsdb_column column,
              const char *key, const char *text)
{
    const struct json *value = dbrow_get(db, row, column);
    AUTO(json) *name = json_string_create(key);
    if (text) {
        AUTO(json) *pair =
            json_array_create_2(json_clone(name), json_string_create(text));
        dbrow_set(db, row, column, value_with(value, pair));
    } else {
        dbrow_set(db, row, column,
                  value_without(value, value_find(value, name)));
    }
}

void
dbrow_add_ref(struct ovsdb *db, struct row *row, enum ovsdb_column column,
              const struct row *target)
{
    AUTO(json) *atom = uuid_atom(&target->uuid);
    dbrow_set(db, row, column, value_with(dbrow_get(db, row, column), atom));
}

void
dbrow_remove_ref(struct ovsdb *db, struct row *row, enum ovsdb_column column,
                 const struct row *target)
{
    AUTO(json) *atom = uuid_atom(&target->uuid);
    const struct json *value = dbrow_get(db, row, column);
    dbrow_set(db, row, column, value_without(value, value_find(value, atom)));
}

/* The end of a transaction. */

static struct row *
ref_target(const struct ovsdb *db, enum ovsdb_column column,
           const struct json *element)
{
    struct uuid uuid;
    enum ovsdb_table table;
    const struct json *atom =
        column_is_map(column) ? element->array.elems[1] : element;
    return (uuid_from_atom(atom, &uuid)
                    && table_from_text(column_defs[column].ref, &table)
                ? row_lookup(db, table, &uuid)
                : NULL);
}

/* Counts a reference more or less; false if it leads nowhere. */
static bool
count_ref(struct ovsdb *db, enum ovsdb_column column,
          const struct json *element, int delta)
{
    struct row *target = ref_target(db, column, element);
    if (!target || (delta > 0 && target->deleted)) {
        return false;
    }
    target->n_refs += delta;
    if (!target->n_refs) {
        row_touch(db, target); /* Looked at before the end. */
    }
    return true;
}

/* Counts what is in one of two sorted values only. */
static bool
count_difference(struct ovsdb *db, enum ovsdb_column column,
                 const struct json *then, const struct json *now)
{
    size_t i = 0, j = 0;
    while (i < then->array.n || j < now->array.n) {
        const struct json *a = i < then->array.n ? then->array.elems[i] : NULL;
        const struct json *b = j < now->array.n ? now->array.elems[j] : NULL;
        int c = (!a       ? 1
                 : !b     ? -1
                 : a == b ? 0
                          : atom_compare(element_key(a), element_key(b)));
        if (!c && (a == b || json_equal(a, b))) {
            i++;
            j++;
        } else if (c <= 0) {
            (void) count_ref(db, column, a, -1);
            i++;
        } else if (!count_ref(db, column, b, 1)) {
            return false;
        } else {
            j++;
        }
    }
    return true;
}

/* Counts what changed in a row's references: from 'olds' to 'news'. */
static bool
count_cells(struct ovsdb *db, enum ovsdb_table table, const struct cell *olds,
            size_t n_olds, const struct cell *news, size_t n_news)
{
    for (size_t c = 0; c < N_OVSDB_COLUMNS; c++) {
        if (column_defs[c].table == table && column_defs[c].ref) {
            const struct json *then = cells_get(db, olds, n_olds, c);
            const struct json *now = cells_get(db, news, n_news, c);
            if (then != now && !count_difference(db, c, then, now)) {
                return false;
            }
        }
    }
    return true;
}

/* Deletes the touched rows that nothing refers to any more; true if there was
 * one, so that others may follow. */
static bool
collect_garbage(struct ovsdb *db)
{
    bool any = false;
    struct row *row;
    LIST_FOR_EACH (row, touched_node, &db->touched) {
        if (!row->deleted && !row->n_refs && !table_defs[row->table].root) {
            row->deleted = true;
            (void) count_cells(db, row->table, row->cells, row->n_cells, NULL,
                               0);
            any = true;
        }
    }
    return any;
}

const char *
ovsdb_prepare(struct ovsdb *db)
{
    struct row *row;
    if (!db->refs_changed) {
        return NULL;
    }
    db->is_counted = true;
    LIST_FOR_EACH (row, touched_node, &db->touched) {
        if (!count_cells(db, row->table, row->old_cells, row->n_old_cells,
                         row->cells, row->deleted ? 0 : row->n_cells)) {
            return "referential integrity violation";
        }
    }
    while (collect_garbage(db)) {
        continue;
    }
    LIST_FOR_EACH (row, touched_node, &db->touched) {
        if (row->deleted && row->n_refs) {
            return "referential integrity violation";
        } else if (row->inserted
                   && hmap_count(&db->rows[row->table])
                          > table_defs[row->table].max_rows) {
            return "constraint violation";
        }
    }
    return NULL;
}

/* Counts all references anew, after a transaction was undone half counted. */
static void
recount(struct ovsdb *db)
{
    struct row *row;
    for (size_t i = 0; i < N_OVSDB_TABLES; i++) {
        HMAP_FOR_EACH (row, node, &db->rows[i]) {
            row->n_refs = 0;
        }
    }
    for (size_t i = 0; i < N_OVSDB_TABLES; i++) {
        HMAP_FOR_EACH (row, node, &db->rows[i]) {
            bool ok =
                count_cells(db, row->table, NULL, 0, row->cells, row->n_cells);
            ovs_assert(ok);
        }
    }
}

bool
ovsdb_has_changes(const struct ovsdb *db)
{
    const struct row *row;
    LIST_FOR_EACH (row, touched_node, &db->touched) {
        if (dbrow_changed(db, row)) {
            return true;
        }
    }
    return false;
}

static void
row_settle(struct row *row)
{
    row->touched = row->inserted = row->deleted = false;
    row->old_cells = NULL;
    row->n_old_cells = 0;
}

void
ovsdb_finish(struct ovsdb *db)
{
    struct row *row;
    LIST_FOR_EACH_SAFE (row, touched_node, &db->touched) {
        if (row->deleted) {
            row_free(db, row);
        } else {
            cells_destroy(row->old_cells, row->n_old_cells);
            row_settle(row);
        }
    }
    ovs_list_init(&db->touched);
    db->refs_changed = db->is_counted = false;
}

void
ovsdb_abort(struct ovsdb *db)
{
    struct row *row;
    LIST_FOR_EACH_SAFE (row, touched_node, &db->touched) {
        if (row->inserted) {
            row_free(db, row);
        } else {
            cells_destroy(row->cells, row->n_cells);
            row->cells = row->old_cells;
            row->n_cells = row->n_old_cells;
            row_settle(row);
        }
    }
    ovs_list_init(&db->touched);
    if (db->is_counted) {
        recount(db);
        ovs_list_init(&db->touched);
    }
    db->refs_changed = db->is_counted = false;
}
