/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_SCHEMA_H
#define MODEL_SCHEMA_H 1

/* Schema: every field of every resource, written once.
 *
 * A `.def` file lists resources and the shapes nested in them:
 *
 *     SHAPE(fixed_ip)
 *     REF(fixed_ip, subnet, subnet, .json = "subnet_id")
 *     FIELD(fixed_ip, ip_address, ADDR)
 *     SHAPE_END(fixed_ip)
 *
 *     RESOURCE(port, "ports", .path = "ports", .title = "Port")
 *     REF(port, network, network, .json = "network_id", .required = true)
 *     FIELD(port, mac_address, MAC)
 *     LIST(port, fixed_ips, fixed_ip, .dflt = "[]")
 *     END(port, .check = port_check)
 *
 * and is expanded several times, each time by defining SCHEMA_DEF and
 * including one of
 *
 *     "model/expand-structs.h"   struct port, enum of its fields, and the
 *                                declaration of 'port_resource'
 *     "model/expand-tables.h"    the definition of 'port_resource' (one .c)
 *
 * RESOURCE_AS(lb_pool, "pool", "pools", ...) is a RESOURCE whose name in C is
 * not its name: for names too general to be a struct's.
 *
 * so that the struct is typed for people who write passes, and walkable for
 * everything else: JSON, defaults, limits, filters, OpenAPI, the store, CLI
 * columns, fuzzing, comparison and printing know no resource by name.
 *
 * Every struct generated here begins with 'struct fields', which says of each
 * field whether it was given.  Absent, null and a value are three things. */

#include "base/base.h"

/* What a field holds: kind, C type, and how it looks in JSON. */
#define FIELD_KINDS                                                           \
    FIELD_KIND(TEXT, char *)          /* String. */                           \
    FIELD_KIND(BOOL, bool)            /* true, false; "True", "false". */     \
    FIELD_KIND(INT, int64_t)          /* Number, or string of digits. */      \
    FIELD_KIND(UID, struct uuid)      /* String. */                           \
    FIELD_KIND(REF, struct uuid)      /* String; names another object. */     \
    FIELD_KIND(ADDR, struct in6_addr) /* String, either family. */            \
    FIELD_KIND(PREFIX, struct prefix) /* String "10.0.0.0/8". */              \
    FIELD_KIND(MAC, struct eth_addr)  /* String, any case. */                 \
    FIELD_KIND(JSON, char *)          /* Anything; kept as JSON text. */      \
    FIELD_KIND(TEXTS, struct texts)   /* Array of strings (or a string). */   \
    FIELD_KIND(INTS, struct ints)     /* Array of numbers. */                 \
    FIELD_KIND(ADDRS, struct addrs)   /* Array of addresses. */               \
    FIELD_KIND(REFS, struct uids)     /* Array of ids, or of {"id": ...}. */  \
    FIELD_KIND(LIST, struct shapes)   /* Array of objects of one shape. */    \
    FIELD_KIND(OBJECT, void *)        /* One object of a shape, or null. */

enum field_kind {
#define FIELD_KIND(KIND, TYPE) FIELD_##KIND,
    FIELD_KINDS
#undef FIELD_KIND
};

struct texts {
    char **items;
    size_t n;
};
struct ints {
    int64_t *items;
    size_t n;
};
struct addrs {
    struct in6_addr *items;
    size_t n;
};
struct uids {
    struct uuid *items;
    size_t n;
};
struct shapes {  /* What LIST fields look like to a walker. */
    void *items; /* 'n' structs of the shape, in a row. */
    size_t n;
};

typedef char *FIELD_TYPE_TEXT; /* Types by pasting; used only by FIELD(). */
typedef bool FIELD_TYPE_BOOL;
typedef int64_t FIELD_TYPE_INT;
typedef struct uuid FIELD_TYPE_UID;
typedef struct in6_addr FIELD_TYPE_ADDR;
typedef struct prefix FIELD_TYPE_PREFIX;
typedef struct eth_addr FIELD_TYPE_MAC;
typedef char *FIELD_TYPE_JSON;
typedef struct texts FIELD_TYPE_TEXTS;
typedef struct ints FIELD_TYPE_INTS;
typedef struct addrs FIELD_TYPE_ADDRS;

/* One bit per field, in the order of its rows; at most 64 fields. */
struct fields {
    uint64_t set;  /* Given, maybe as null. */
    uint64_t null; /* Given as null: a subset of 'set'. */
};

/* Was the field given with a value?  HAS(port, p, mac_address). */
#define HAS(OWNER, P, FIELD)                                                  \
    ((((P)->OWNER##_fields_at.set & ~(P)->OWNER##_fields_at.null)             \
      >> OWNER##_f_##FIELD)                                                   \
     & 1)

struct shape;
struct resource;
struct entity;

/* One row.  Options beyond the first four are given by name in the .def. */
struct field {
    const char *name; /* Name in C. */
    enum field_kind kind;
    size_t offset;
    const struct shape *shape; /* LIST, OBJECT. */
    const char *target;        /* REF, REFS: name of the resource. */
    uint8_t index;             /* Its bit in 'struct fields'. */

    const char *json;      /* Name in JSON; null means 'name'. */
    const char *alias;     /* Another JSON name accepted on input. */
    const char *filter;    /* Query parameter; null means JSON name. */
    const char *dflt;      /* Default on create, as JSON text. */
    const char *values;    /* TEXT: allowed values "a|b|c". */
    const char *dflt_from; /* C name of the field to copy if absent. */
    int64_t min, max;      /* INT: bounds, unless both are 0. */
    const char *id_member; /* REFS as objects: emit [{"id": ...}]. */
    const char *help;      /* One sentence for OpenAPI and forms. */
    bool required;         /* On create. */
    bool identity;         /* PUT without it keeps the stored value. */
    bool immutable;        /* PUT never changes it. */
    bool answer_null;      /* Given back as null, not left out. */
    bool secret;           /* Never logged, never in lists. */
    bool as_text;          /* INT: written as a string in answers. */
    bool column;           /* Shown in the CLI's lists. */
    bool loose;            /* TEXT: an id in free form; filters compare
                                 * it without dashes and case. */
    bool bare;             /* PREFIX: a host prefix is written as an
                                 * address. */
    bool always;           /* Must be in every PUT too: entity_merge()
                                 * does not fill it in. */
    bool rest;             /* JSON, in a shape: has no name, gathers the
                                 * members of no row. */
};

struct shape {
    const char *name;
    size_t size;
    const struct field *fields;
    size_t n_fields;
};

/* What a check may ask.  'find' also sees objects earlier in the same
 * transaction. */
struct check {
    const struct entity *(*find)(const struct check *, const char *resource,
                                 const struct uuid *);
    const void *aux;
    bool strict; /* compat = opendaylight. */
    bool creating;
};

struct resource {
    struct shape shape; /* shape.name is the singular: "network". */
    const char *plural; /* Collection key: "networks". */

    const char *path;          /* Below the API's base; null: no REST. */
    const char *path_alias[3]; /* Other spellings that work as well. */
    const char *title;         /* For 404 texts: "Network". */
    const char *parent;        /* Field that the path names, or null. */
    const char *number_space;  /* Resources that share numbers name the same
                                 * space; null: the resource's own. */
    bool no_put;               /* PUT is answered 405. */
    bool paged;                /* Honours limit, marker, page_reverse. */
    bool internal;             /* A fact of ours, not a user's object. */
    bool volatile_;            /* Not stored: net objects. */
    /* Rules no row can state.  Runs after decoding; may also complete the
     * object.  The error names the field. */
    struct err *(*check)(const struct check *, struct entity *);
};

#endif /* model/schema.h */
