/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_OVS_PRIVATE_H
#define SIM_OVS_PRIVATE_H 1

/* The parts of the model switch; see "ovs.h".
 *
 *     ovs.c            one host: lifecycle, plugs, what it has
 *     ovs-vswitchd.c   bridges and ports, made from the database
 *     ovs-database.c   tables, transactions, garbage collection
 *     ovs-jsonrpc.c    the OVSDB protocol on top of that
 *     ovs-flows.c      flow tables and groups, with undo
 *     ovs-openflow.c   the OpenFlow protocol on top of that */

#include <endian.h>

#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-group.h"
#include "ovs.h"

static inline uint64_t
from_be64(ovs_be64 x)
{
    return be64toh((OVS_FORCE uint64_t) x);
}

static inline ovs_be64
to_be64(uint64_t x)
{
    return (OVS_FORCE ovs_be64) htobe64(x);
}

/* Database. */

enum ovsdb_table {
#define OVSDB_TABLE(NAME, ROOT, MAX) TABLE_##NAME,
#define OVSDB_COLUMN(TABLE, NAME, KEY, VALUE, MIN, MAX, REF, ALLOWED)
#include "vswitch-schema.def"
#undef OVSDB_TABLE
#undef OVSDB_COLUMN
    N_OVSDB_TABLES
};

enum ovsdb_column {
#define OVSDB_TABLE(NAME, ROOT, MAX)
#define OVSDB_COLUMN(TABLE, NAME, KEY, VALUE, MIN, MAX, REF, ALLOWED)         \
    COLUMN_##TABLE##_##NAME,
#include "vswitch-schema.def"
#undef OVSDB_TABLE
#undef OVSDB_COLUMN
    N_OVSDB_COLUMNS
};

enum atom_type {
    ATOM_VOID,
    ATOM_INTEGER,
    ATOM_REAL,
    ATOM_BOOLEAN,
    ATOM_STRING,
    ATOM_UUID
};

struct column_def {
    enum ovsdb_table table;
    const char *name;
    enum atom_type key, value;
    unsigned int min, max;
    const char *ref; /* Strong references to this table. */
    const char *allowed;
};
struct table_def {
    const char *name;
    bool root;
    unsigned int max_rows;
};
extern const struct column_def column_defs[N_OVSDB_COLUMNS];
extern const struct table_def table_defs[N_OVSDB_TABLES];

bool table_from_text(const char *, enum ovsdb_table *);
bool column_from_text(enum ovsdb_table, const char *, enum ovsdb_column *);

struct ovsdb;

/* A value is a JSON array, sorted, without duplicates: of atoms for a scalar
 * (exactly one) or a set, of [key, value] pairs for a map.  Atoms are as on
 * the wire, but a UUID is a string.  Values never change: they are shared and
 * replaced. */
struct json *value_from_wire(enum ovsdb_column, const struct json *wire,
                             struct shash *named, char **errorp);
struct json *value_to_wire(enum ovsdb_column, const struct json *value);
const struct json *value_default(const struct ovsdb *, enum ovsdb_column);
struct json *atom_from_wire(enum atom_type, const struct json *wire,
                            struct shash *named);
int atom_compare(const struct json *, const struct json *);
/* Index of the element with this key, or SIZE_MAX. */
size_t value_find(const struct json *value, const struct json *key);
struct json *value_with(const struct json *value, const struct json *element);
struct json *value_without(const struct json *value, size_t index);
struct json *uuid_atom(const struct uuid *);
bool uuid_from_atom(const struct json *, struct uuid *);

struct cell {
    enum ovsdb_column column;
    struct json *value;
};
struct row {
    struct hmap_node node; /* In ovsdb->rows[table], by uuid. */
    struct uuid uuid;
    enum ovsdb_table table;
    struct cell *cells; /* Only those that differ from default. */
    size_t n_cells;
    unsigned int n_refs; /* Strong references to it. */

    /* While a transaction touches it. */
    struct ovs_list touched_node;
    bool touched, inserted, deleted;
    struct cell *old_cells;
    size_t n_old_cells;
};

struct ovsdb {
    struct hmap rows[N_OVSDB_TABLES];
    struct json *defaults[ATOM_UUID + 1]; /* Scalars' default by type. */
    struct json *empty;
    struct ovs_list touched; /* Rows of the open transaction. */
    bool refs_changed, is_counted;
    uint64_t next_uuid;
    uint64_t seed;
};

void ovsdb_init(struct ovsdb *, uint64_t seed);
void ovsdb_uninit(struct ovsdb *);
struct uuid ovsdb_new_uuid(struct ovsdb *);
struct row *dbrow_find(const struct ovsdb *, enum ovsdb_table,
                       const struct uuid *);
const struct json *dbrow_get(const struct ovsdb *, const struct row *,
                             enum ovsdb_column);
const struct json *dbrow_get_old(const struct ovsdb *, const struct row *,
                                 enum ovsdb_column);
/* First or only atom as text or number. */
const char *dbrow_text(const struct ovsdb *, const struct row *,
                       enum ovsdb_column); /* "" if empty. */
int64_t dbrow_int(const struct ovsdb *, const struct row *, enum ovsdb_column,
                  int64_t dflt);
/* Value of a key of a map of strings, or null. */
const char *dbrow_map_text(const struct ovsdb *, const struct row *,
                           enum ovsdb_column, const char *key);
/* The rows a column of references names, one by one: '*ip' starts at 0; null
 * at the end. */
struct row *dbrow_next_ref(const struct ovsdb *, const struct row *,
                           enum ovsdb_column, size_t *ip);
bool dbrow_changed(const struct ovsdb *, const struct row *);

/* Changes: between ovsdb_begin() and ovsdb_finish() or ovsdb_abort(). */
struct row *dbrow_insert(struct ovsdb *, enum ovsdb_table,
                         const struct uuid *);
void dbrow_delete(struct ovsdb *, struct row *);
void dbrow_set(struct ovsdb *, struct row *, enum ovsdb_column,
               struct json *value); /* Takes ownership. */
void dbrow_set_text(struct ovsdb *, struct row *, enum ovsdb_column,
                    const char *);
void dbrow_set_int(struct ovsdb *, struct row *, enum ovsdb_column, int64_t);
void dbrow_set_bool(struct ovsdb *, struct row *, enum ovsdb_column, bool);
void dbrow_set_map(struct ovsdb *, struct row *, enum ovsdb_column,
                   const char *key, const char *value_or_null);
void dbrow_add_ref(struct ovsdb *, struct row *, enum ovsdb_column,
                   const struct row *);
void dbrow_remove_ref(struct ovsdb *, struct row *, enum ovsdb_column,
                      const struct row *);
/* Collects garbage and checks references.  Null, or the error; then only
 * ovsdb_abort() may follow. */
const char *ovsdb_prepare(struct ovsdb *);
/* Did the open transaction change anything? */
bool ovsdb_has_changes(const struct ovsdb *);
void ovsdb_finish(struct ovsdb *); /* After monitors were told. */
void ovsdb_abort(struct ovsdb *);

/* JSON-RPC sessions. */

struct jsonrpc_session;
struct jsonrpc_session *jsonrpc_session_create(struct ovs *, struct channel *,
                                               bool to_manager);
void jsonrpc_session_destroy(struct jsonrpc_session *);
void jsonrpc_destroy_all(struct ovs *);
void jsonrpc_session_read(struct jsonrpc_session *);
/* Tells every session's monitors about the open transaction. */
void jsonrpc_notify(struct ovs *);

/* Runs the operations params[1...] and returns their results. */
struct json *ovs_transact(struct ovs *, const struct json_array *params,
                          bool from_manager);

/* Flow tables. */

struct flow_entry {
    struct hmap_node node; /* By table, priority and match. */
    struct hmap_node cookie_node;
    struct minimatch match;
    uint64_t cookie;
    uint8_t table;
    uint16_t priority;
    uint16_t flags;
    uint32_t ofpacts_len;
    struct ofpact *ofpacts;
};
struct group_entry {
    struct hmap_node node;
    uint32_t id;
    uint8_t type;
    struct ovs_list buckets; /* struct ofputil_bucket. */
};
/* Entries never change but are replaced; a change list can be undone. */
struct flow_change {
    bool added;
    struct flow_entry *flow; /* Either. */
    struct group_entry *group;
};
struct flow_changes {
    struct flow_change *items;
    size_t n, allocated;
};
struct flow_tables {
    struct hmap flows, flows_by_cookie, groups;
};
void flow_tables_init(struct flow_tables *);
void flow_tables_uninit(struct flow_tables *);
enum ofperr flow_tables_flow_mod(struct flow_tables *,
                                 const struct ofputil_flow_mod *,
                                 struct flow_changes *);
enum ofperr flow_tables_group_mod(struct flow_tables *,
                                  const struct ofputil_group_mod *,
                                  struct flow_changes *);
void flow_changes_keep(struct flow_changes *);
void flow_changes_undo(struct flow_tables *, struct flow_changes *);
bool flow_entry_is_within(const struct flow_entry *, const struct match *,
                          const struct minimatch *);

/* Bridges and OpenFlow sessions. */

static inline ofp_port_t
port_from_int(uint32_t n)
{
    return (OVS_FORCE ofp_port_t) n;
}

static inline uint32_t
port_to_int(ofp_port_t port)
{
    return (OVS_FORCE uint32_t) port;
}

/* The largest that is not reserved. */
#define MAX_OFPORT 0xfeff

struct bridge_port {
    struct hmap_node node; /* In bridge->ports, by uuid. */
    struct uuid interface; /* Its row. */
    char *name;
    uint32_t ofport;
    struct eth_addr mac;
    bool marked;
};

struct bridge {
    struct ovs_list list_node; /* In ovs->bridges. */
    struct ovs *ovs;
    struct uuid row;
    char *name;
    uint64_t datapath_id;
    struct flow_tables tables;
    struct ovs_list sessions; /* struct openflow_session. */
    struct hmap ports;        /* struct bridge_port. */
    uint8_t *used_ofports;    /* A bit for each number. */
    uint32_t next_ofport;
};

struct openflow_bundle {
    struct ovs_list list_node;
    uint32_t id;
    bool closed, failed;
    struct ofp_header **messages;
    size_t n, allocated;
};
struct openflow_session {
    struct ovs_list list_node; /* In bridge->sessions. */
    struct bridge *bridge;
    struct uuid controller; /* Row; zero for a tool that dialled us. */
    char *target;
    struct channel *channel; /* Null between attempts. */
    struct timer *retry;
    enum ofp_version version; /* 0 until the hello. */
    bool connected;
    struct ovs_list bundles;
    bool has_changes; /* Since the last barrier. */
    uint16_t miss_send_len, config_flags;
    enum ofp12_controller_role role;
};
struct openflow_session *openflow_session_create(struct bridge *,
                                                 const struct uuid *controller,
                                                 const char *target,
                                                 struct channel *);
void openflow_session_destroy(struct openflow_session *);
void openflow_session_break(struct openflow_session *);
void openflow_session_read(struct openflow_session *);
void openflow_session_send(struct openflow_session *, struct ofpbuf *);
/* 'added': else removed. */
void openflow_port_status(struct bridge *, const struct bridge_port *,
                          bool added);

/* One host. */

/* An interface that came or went, with its bridge. */
struct dirty_interface {
    struct uuid interface, bridge;
};

struct ovs {
    struct loop *loop;
    char *name;
    char *manager_address;
    uint16_t manager_port;
    uint8_t openflow_version;
    uint32_t reconfigure_us, backoff_us;
    struct ovsdb db;
    struct uuid root;        /* The Open_vSwitch row. */
    struct ovs_list bridges; /* struct bridge: what ovs-vswitchd runs. */
    struct timer *reconfigure, *retry;
    bool vswitchd_is_down, is_cut, is_stalled;
    struct jsonrpc_session *manager; /* Null between attempts. */
    bool manager_is_connected;
    struct ovs_list sessions; /* struct jsonrpc_session, all. */
    struct listener *database_listener, *openflow_listener;
    struct shash plugs; /* Interface name to struct uuid of its Port. */
    struct dirty_interface *dirty; /* For reconfigure(), unless all is. */
    size_t n_dirty, allocated_dirty;
    bool is_all_dirty;
    struct shash waiting; /* Interface name to iface-id: no br-int. */
    unsigned int n_refuse;
    uint32_t salt; /* So that new port numbers differ. */
    struct ovs_counters counters;
    char *last_error;
    void (*packet_out)(struct ovs *, uint32_t in_port, const struct ofpact *,
                       size_t, const void *, size_t, void *);
    void *packet_out_aux;
    void (*dialing)(struct ovs *, void *);
    void *dialing_aux;
};

/* Ends the open transaction: checks, tells monitors, wakes ovs-vswitchd.
 * 'from_manager' counts it.  Null, or the error; then nothing is changed. */
const char *ovs_commit(struct ovs *, bool from_vswitchd, bool *changedp);
void ovs_note_error(struct ovs *, const char *format, ...)
    OVS_PRINTF_FORMAT(2, 3);
/* Ends a change of our own, which breaks no rule. */
void ovs_commit_own(struct ovs *, bool from_vswitchd);
struct row *ovs_root_row(const struct ovs *);
/* Plugs what was plugged before there was a br-int. */
void ovs_plug_waiting(struct ovs *);

/* Remembers what vswitchd_reconfigure() has to look at. */
void vswitchd_note_dirty(struct ovs *);
void vswitchd_reconfigure(void *ovs);
void vswitchd_stop(struct ovs *);
struct row *vswitchd_bridge_row(const struct ovs *, const char *name);
struct bridge *ovs_bridge_find(const struct ovs *, const char *name);
/* As channel_dial(). */
struct channel *ovs_dial(struct ovs *, const char *address, uint16_t port,
                         const struct channel_events *, void *aux);
/* Is the channel's owner to retry after this?  Called when it closed. */
void ovs_manager_lost(struct ovs *);

#endif /* tests/sim/ovs-private.h */
