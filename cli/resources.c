/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about the objects users made: list and show, for every resource of
 * weftd's schema.
 *
 * Nothing here knows a resource by name.  Words on the command line use
 * dashes where the schema has underscores, singular or plural. */

#include "cli/weft.h"

#include <stdio.h>

#define BASE "/controller/nb/v2/neutron/"

/* Does 'word' mean 'name'?  Dashes and underscores are the same. */
static bool
means(const char *word, const char *name)
{
    if (!name) {
        return false;
    }
    for (; *word && *name; word++, name++) {
        char a = *word == '_' ? '-' : *word;
        char b = *name == '_' ? '-' : *name;
        if (a != b) {
            return false;
        }
    }
    return *word == *name;
}

static const struct json *
resource_array(const struct json *schema)
{
    const struct json *resources = jget(schema, "resources");
    return resources && resources->type == JSON_ARRAY ? resources : NULL;
}

/* Asks for the schema and finds the resource that 'word' means in it.  The
 * caller owns '*schemap', of which '*resourcep' is a part. */
static struct err *
find_resource(const struct weft *weft, const char *word, struct json **schemap,
              const struct json **resourcep)
{
    struct json *schema = NULL;
    struct err *err =
        client_call(weft, "GET", "/weft/v1/schema", NULL, &schema);
    if (err) {
        return err;
    }
    const struct json *resources = resource_array(schema);
    for (size_t i = 0; resources && i < resources->array.n; i++) {
        const struct json *resource = resources->array.elems[i];
        if (means(word, jget_text(resource, "name"))
            || means(word, jget_text(resource, "plural"))) {
            *schemap = schema;
            *resourcep = resource;
            return NULL;
        }
    }
    json_destroy(schema);
    return err_new(ERR_INVALID, NULL,
                   "there is no command and no resource "
                   "\"%s\": 'weft help' lists commands, 'weft resources' "
                   "resources",
                   word);
}

static void
put_path(struct ds *ds, const struct json *resource)
{
    const char *path = jget_text(resource, "path");
    ds_put_format(ds, "%s%s", path && path[0] == '/' ? "" : BASE,
                  path ? path : "");
}

/* The first member of 'answer' that is of 'type': the server wraps objects
 * and lists in an object with one member. */
static const struct json *
unwrap(const struct json *answer, enum json_type type)
{
    if (answer->type != JSON_OBJECT) {
        return NULL;
    }
    struct shash_node *node;
    SHASH_FOR_EACH (node, json_object(answer)) {
        const struct json *value = node->data;
        if (value->type == type) {
            return value;
        }
    }
    return NULL;
}

/* GET of the collection with 'query' ("" or "?..."). */
static struct err *
get_list(const struct weft *weft, const struct json *resource,
         const char *query, struct json **answerp)
{
    AUTO_DS path = DS_EMPTY_INITIALIZER;
    put_path(&path, resource);
    ds_put_cstr(&path, query);
    struct json *answer = NULL;
    struct err *err = client_call(weft, "GET", ds_cstr(&path), NULL, &answer);
    if (!err && !unwrap(answer, JSON_ARRAY)) {
        json_destroy(answer);
        return err_new(ERR_CORRUPT, NULL,
                       "the answer to a list of %s has no "
                       "list in it",
                       jget_text(resource, "name"));
    }
    if (!err) {
        *answerp = answer;
    }
    return err;
}

/* Chooses among 'objects' the one that 'text' means. */
static struct err *
choose(const struct json *objects, const char *kind, const char *text,
       char **idp)
{
    const char *found = NULL;
    size_t n_found = 0;
    AUTO_DS matches = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < objects->array.n; i++) {
        const char *id = jget_text(objects->array.elems[i], "id");
        const char *name = jget_text(objects->array.elems[i], "name");
        if (id
            && (text_starts_with(id, text) || (name && !strcmp(name, text)))) {
            found = id;
            if (n_found++ < 5) {
                ds_put_format(&matches, "\n    %s  %s", id, name ? name : "");
            }
        }
    }
    if (!n_found) {
        return err_new(ERR_MISSING, NULL,
                       "there is no %s with the id or "
                       "name \"%s\": 'weft %s list' lists them",
                       kind, text, kind);
    } else if (n_found > 1) {
        return err_new(ERR_INVALID, NULL,
                       "\"%s\" could be any of %zu"
                       ":%s",
                       text, n_found, ds_cstr(&matches));
    }
    *idp = mem_text(found);
    return NULL;
}

static struct err *
find_object(const struct weft *weft, const struct json *resource,
            const char *text, char **idp)
{
    struct uuid uuid;
    if (strlen(text) == UID_LENGTH && uid_from_text(text, &uuid)) {
        *idp = mem_text(text);
        return NULL;
    }
    AUTO(json) *answer = NULL;
    struct err *err =
        get_list(weft, resource, "?fields=id&fields=name", &answer);
    return err ? err
               : choose(unwrap(answer, JSON_ARRAY),
                        jget_text(resource, "name"), text, idp);
}

struct err *
resource_find(const struct weft *weft, const char *name, const char *text,
              char **idp)
{
    AUTO(json) *schema = NULL;
    const struct json *resource = NULL;
    struct err *err = find_resource(weft, name, &schema, &resource);
    return err ? err : find_object(weft, resource, text, idp);
}

/* list */

/* "?a=b&c=d" from the arguments "a=b" "c=d". */
static struct err *
filters_to_query(const struct weft *weft, struct ds *query)
{
    for (int i = 1; i < weft->n_args; i++) {
        const char *equals = strchr(weft->args[i], '=');
        if (!equals || equals == weft->args[i]) {
            return err_new(ERR_INVALID, NULL,
                           "a filter is FIELD=VALUE, not "
                           "\"%s\"",
                           weft->args[i]);
        }
        AUTO_TEXT *name = mem_text(weft->args[i]);
        name[equals - weft->args[i]] = '\0';
        ds_put_char(query, i == 1 ? '?' : '&');
        client_put_escaped(query, name);
        ds_put_char(query, '=');
        client_put_escaped(query, equals + 1);
    }
    return NULL;
}

/* The names of the schema's columns for 'resource', in order, after "id".
 * Returns their number; the caller frees '*namesp', but not the names. */
static size_t
columns_of(const struct json *resource, const char ***namesp)
{
    const struct json *fields = jget(resource, "fields");
    size_t n_fields =
        fields && fields->type == JSON_ARRAY ? fields->array.n : 0;
    const char **names = mem_zalloc((n_fields + 1) * sizeof *names);
    size_t n = 0;
    names[n++] = "id";
    for (size_t i = 0; i < n_fields; i++) {
        const struct json *field = fields->array.elems[i];
        const char *name = jget_text(field, "name");
        bool column = false;
        if (name && strcmp(name, "id") && jget_bool(field, "column", &column)
            && column) {
            names[n++] = name;
        }
    }
    *namesp = names;
    return n;
}

/* "binding:host_id" -> "BINDING:HOST ID".  Caller frees. */
static char *
title_of(const char *name)
{
    char *title = mem_text(name);
    for (char *p = title; *p; p++) {
        *p = *p == '_' ? ' ' : *p >= 'a' && *p <= 'z' ? *p - 32 : *p;
    }
    return title;
}

static void
print_table(const struct weft *weft, const struct json *resource,
            const struct json *objects)
{
    const char **names = NULL;
    size_t n = columns_of(resource, &names);
    char **titles = mem_zalloc(n * sizeof *titles);
    for (size_t i = 0; i < n; i++) {
        titles[i] = title_of(names[i]);
    }
    struct grid grid;
    grid_init(&grid, (const char *const *) titles, n);
    for (size_t i = 0; i < objects->array.n; i++) {
        for (size_t j = 0; j < n; j++) {
            grid_put_json(&grid, jget(objects->array.elems[i], names[j]));
        }
    }
    grid_print(weft, &grid);
    grid_uninit(&grid);
    for (size_t i = 0; i < n; i++) {
        free(titles[i]);
    }
    free(titles);
    free(names);
}

static struct err *
list(struct weft *weft, const struct json *resource)
{
    AUTO_DS query = DS_EMPTY_INITIALIZER;
    struct err *err = filters_to_query(weft, &query);
    AUTO(json) *answer = NULL;
    if (!err) {
        err = get_list(weft, resource, ds_cstr(&query), &answer);
    }
    if (err) {
        return err;
    }
    const struct json *objects = unwrap(answer, JSON_ARRAY);
    sort_by_name(objects);
    if (weft->options.output == OUTPUT_JSON) {
        print_json(objects);
    } else if (weft->options.output == OUTPUT_IDS) {
        for (size_t i = 0; i < objects->array.n; i++) {
            const char *id = jget_text(objects->array.elems[i], "id");
            printf("%s\n", id ? id : "");
        }
    } else if (!objects->array.n) {
        printf("no %s\n", jget_text(resource, "plural"));
    } else {
        print_table(weft, resource, objects);
    }
    return NULL;
}

/* show */

static struct err *
show(struct weft *weft, const struct json *resource)
{
    if (weft->n_args != 2) {
        return err_new(ERR_INVALID, NULL, "usage: weft %s show ID|NAME",
                       jget_text(resource, "name"));
    }
    AUTO_TEXT *id = NULL;
    struct err *err = find_object(weft, resource, weft->args[1], &id);
    if (err) {
        return err;
    }
    AUTO_DS path = DS_EMPTY_INITIALIZER;
    put_path(&path, resource);
    ds_put_format(&path, "/%s", id);
    AUTO(json) *answer = NULL;
    err = client_call(weft, "GET", ds_cstr(&path), NULL, &answer);
    if (err) {
        return err;
    }
    const struct json *object = unwrap(answer, JSON_OBJECT);
    object = object ? object : answer;
    if (weft->options.output == OUTPUT_JSON) {
        print_json(object);
    } else if (weft->options.output == OUTPUT_IDS) {
        printf("%s\n", id);
    } else {
        print_members(weft, object, 0);
    }
    return NULL;
}

struct err *
command_resource(struct weft *weft, const char *word)
{
    AUTO(json) *schema = NULL;
    const struct json *resource = NULL;
    struct err *err = find_resource(weft, word, &schema, &resource);
    if (err) {
        return err;
    }
    if (!weft->n_args || !strcmp(weft->args[0], "list")) {
        return list(weft, resource);
    } else if (!strcmp(weft->args[0], "show")) {
        return show(weft, resource);
    }
    return err_new(ERR_INVALID, NULL,
                   "usage: weft %s list [FIELD=VALUE]... "
                   "| show ID|NAME",
                   word);
}

struct err *
command_resources(struct weft *weft)
{
    static const char *const titles[] = { "RESOURCE", "WHAT IT IS" };
    AUTO(json) *schema = NULL;
    struct err *err =
        client_call(weft, "GET", "/weft/v1/schema", NULL, &schema);
    if (err) {
        return err;
    }
    const struct json *resources = resource_array(schema);
    if (weft->options.output == OUTPUT_JSON) {
        print_json(schema);
        return NULL;
    }
    struct grid grid;
    grid_init(&grid, titles, N_OF(titles));
    for (size_t i = 0; resources && i < resources->array.n; i++) {
        const struct json *resource = resources->array.elems[i];
        AUTO_TEXT *name = value_to_text(jget(resource, "name"));
        for (char *p = name; *p; p++) {
            *p = *p == '_' ? '-' : *p;
        }
        if (weft->options.output == OUTPUT_IDS) {
            printf("%s\n", name);
            continue;
        }
        grid_put(&grid, name);
        grid_put_json(&grid, jget(resource, "title"));
    }
    if (weft->options.output != OUTPUT_IDS) {
        grid_print(weft, &grid);
    }
    grid_uninit(&grid);
    return NULL;
}
