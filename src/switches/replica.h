/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SWITCHES_REPLICA_H
#define SWITCHES_REPLICA_H 1

/* A compact copy of the rows of one switch's database that matter here. */

#include "base/base.h"

enum db_table {
#define DB_TABLE(ID, NAME) DB_##ID,
#define DB_COLUMN(TABLE, ID, KIND, NAME)
#include "switches/replica.def"
#undef DB_TABLE
#undef DB_COLUMN
    N_DB_TABLES
};

enum db_column {
#define DB_TABLE(ID, NAME)
#define DB_COLUMN(TABLE, ID, KIND, NAME) C_##TABLE##_##ID,
#include "switches/replica.def"
#undef DB_TABLE
#undef DB_COLUMN
    N_DB_COLUMNS
};

/* A set or a map: 'n' atoms, or 'n' keys each followed by its value, as texts
 * that each end in a null byte. */
struct value {
    uint32_t n;
    uint32_t size; /* Bytes in 'text'. */
    bool is_map;
    char text[];
};

struct row {
    struct hmap_node node; /* In 'rows' of its replica. */
    struct uuid id;
    enum db_table table;
    struct value *values[]; /* Null: empty. */
};

/* What the last update touched, for those who need not look at everything. */
struct replica_touched {
    /* Nothing but interfaces of machines (with an iface-id, neither tunnel
     * nor patch), their ports, and which ports one bridge has. */
    bool is_only_machines;
    size_t n_bridges;
    struct uuid *interfaces; /* May repeat. */
    size_t n, allocated;
};

struct replica {
    struct hmap rows[N_DB_TABLES];
    size_t n_rows;
    struct replica_touched touched;
};

void replica_init(struct replica *);
void replica_uninit(struct replica *);

/* The <monitor-requests> of RFC 7047, section 4.1.5 (also good for
 * "monitor_cond", ovsdb-server(7)), for what 'schema' (the answer to
 * get_schema) has, or for everything if it is null. */
struct json *replica_monitor_requests(const struct json *schema_or_null);

/* How an update says what changed. */
enum update_form {
    UPDATE_WHOLE,      /* "update": rows whole (RFC 7047, section 4.1.6). */
    UPDATE_DIFFERENCE, /* "update2": differences (ovsdb-server(7)). */
};

/* Applies <table-updates> of that form.  On an error the replica may hold part
 * of the update: the session has to be closed. */
struct err *replica_apply(struct replica *, const struct json *updates,
                          enum update_form) OVS_WARN_UNUSED_RESULT;

const char *db_table_name(enum db_table);
const char *db_column_name(enum db_column);

const struct row *replica_find(const struct replica *, enum db_table,
                               const char *text);
const struct row *replica_find_id(const struct replica *, enum db_table,
                                  const struct uuid *);
/* The first row whose column 'name_column' is 'name', or null. */
const struct row *replica_find_name(const struct replica *,
                                    enum db_column name_column,
                                    const char *name);
/* The only row of a table that has one, or null. */
const struct row *replica_root(const struct replica *);

/* The first atom, or "" if there is none. */
const char *row_text(const struct row *, enum db_column);
/* The value of a key of a map, or null. */
const char *row_key(const struct row *, enum db_column, const char *wanted);
bool row_has(const struct row *, enum db_column, const char *atom);
int64_t row_int(const struct row *, enum db_column, int64_t fallback);
size_t row_n(const struct row *, enum db_column);

/* Next atom after 'prev' of a column, null at the end.  'prev' null starts. */
const char *row_next(const struct row *, enum db_column, const char *prev);
#define ROW_FOR_EACH(ATOM, ROW, COLUMN)                                       \
    for (const char *ATOM = row_next(ROW, COLUMN, NULL); ATOM;                \
         ATOM = row_next(ROW, COLUMN, ATOM))
/* Likewise for the keys of a map; nothing if the column is not a map. */
const char *row_next_pair(const struct row *, enum db_column,
                          const char *prev);
#define ROW_FOR_EACH_PAIR(KEY, ROW, COLUMN)                                   \
    for (const char *KEY = row_next_pair(ROW, COLUMN, NULL); KEY;             \
         KEY = row_next_pair(ROW, COLUMN, KEY))
static inline const char *
row_value_of(const char *key)
{
    return key + strlen(key) + 1;
}

#define REPLICA_FOR_EACH(ROW, REPLICA, TABLE)                                 \
    HMAP_FOR_EACH (ROW, node, &(REPLICA)->rows[TABLE])

#endif /* switches/replica.h */
