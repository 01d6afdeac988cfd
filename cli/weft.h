/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_WEFT_H
#define CLI_WEFT_H 1

/* The parts of the command 'weft'.
 *
 *     main.c        options, the table of commands, help, completion
 *     client.c      asks weftd
 *     output.c      tables, JSON, colours
 *     operate.c     commands about the daemon and its switches
 *     resources.c   commands about the objects users made, by the schema
 *
 * The command knows no resource by name: it asks weftd for the schema. */

#include "base/base.h"

#define N_OF(ARRAY) (sizeof(ARRAY) / sizeof((ARRAY)[0]))

/* What was said on the command line or in the environment. */
enum output {
    OUTPUT_TABLE,
    OUTPUT_JSON,
    OUTPUT_IDS, /* One identifier a line: for scripts. */
};

struct options {
    const char *socket; /* Local socket of weftd. */
    const char *url;    /* Or null: use the socket. */
    const char *user;
    char *password; /* Owned. */
    const char *ca; /* File, or null: the system's. */
    enum output output;
    bool live; /* rules: what the switch holds. */
    bool colours;
    bool unicode;
};

/* One run of the command. */
struct weft {
    struct options options;
    int n_args; /* After the command's name. */
    char **args;
    bool problem; /* What was checked is not as it should be. */
};

/* client.c */

/* Asks weftd and stores the answer, owned by the caller, in '*answerp'.
 * 'body' is borrowed and may be null. */
struct err *client_call(const struct weft *, const char *method,
                        const char *path, const struct json *body,
                        struct json **answerp) OVS_WARN_UNUSED_RESULT;
/* GET that does not end: calls 'line' for each line that arrives. */
struct err *client_follow(const struct weft *, const char *path,
                          void (*line)(const char *, void *aux),
                          void *aux) OVS_WARN_UNUSED_RESULT;
/* Appends 'text' to a path or query, %-escaped. */
void client_put_escaped(struct ds *, const char *text);

/* output.c */

/* A table is filled cell by cell, row by row, and printed aligned. */
struct grid {
    const char *const *titles;
    size_t n_columns;
    char **cells; /* Owned texts. */
    size_t n_cells, allocated_cells;
};

void grid_init(struct grid *, const char *const *titles, size_t n_columns);
void grid_put(struct grid *, const char *text_or_null);
void grid_put_json(struct grid *, const struct json *or_null);
void grid_print(const struct weft *, const struct grid *);
void grid_uninit(struct grid *);

/* Sorts an array of objects by their member "name", in place. */
void sort_by_name(const struct json *or_null);
/* "text", "a, b", "yes", "17", "-" for null: a value for people.  The caller
 * frees it. */
char *value_to_text(const struct json *or_null);
/* Prints an object's members, one per line, below each other. */
void print_members(const struct weft *, const struct json *object, int indent);
void print_json(const struct json *);
/* Text in a colour: "good", "bad", "title", where the terminal has any. */
enum colour {
    COLOUR_TITLE,
    COLOUR_GOOD,
    COLOUR_BAD,
    COLOUR_OFF,
};
const char *colour(const struct weft *, enum colour);
/* The lines of a JSON array of strings, indented. */
void print_lines(const struct json *or_null, int indent);

/* operate.c */

struct err *command_status(struct weft *);
struct err *command_hosts(struct weft *);
struct err *command_host(struct weft *);
struct err *command_rules(struct weft *);
struct err *command_explain(struct weft *);
struct err *command_check(struct weft *);
struct err *command_log(struct weft *);
struct err *command_backup(struct weft *);
struct err *command_restore(struct weft *);
struct err *command_events(struct weft *);

/* resources.c */

struct err *command_resources(struct weft *);
/* "RESOURCE list|show ...": 'word' is what stands where a command would.
 * ERR_MISSING if weftd knows no such resource. */
struct err *command_resource(struct weft *, const char *word);
/* The id of the 'resource' that 'text' means: an id, the unique beginning of
 * one, or a unique name.  Caller frees. */
struct err *resource_find(const struct weft *, const char *resource,
                          const char *text, char **idp) OVS_WARN_UNUSED_RESULT;

#endif /* weft.h */
