/* SPDX-License-Identifier: Apache-2.0 */
/* Output for people: aligned tables, members below each other, colours where
 * there is a terminal; and JSON for programs.
 *
 * A peer's text is never trusted: control characters are made visible before
 * they reach a terminal. */

#include "cli/weft.h"

#include <stdio.h>

#define MAX_NESTED 6 /* Members of an object shown in a line. */

void
grid_init(struct grid *grid, const char *const *titles, size_t n_columns)
{
    *grid = (struct grid){ .titles = titles, .n_columns = n_columns };
}

void
grid_put(struct grid *grid, const char *text)
{
    ARRAY_GROW(grid->cells, grid->n_cells, grid->allocated_cells);
    grid->cells[grid->n_cells++] = mem_text(text && text[0] ? text : "-");
}

static bool
is_uid(const struct json *json)
{
    struct uuid uuid;
    return json->type == JSON_STRING && strlen(json_string(json)) == UID_LENGTH
           && uid_from_text(json_string(json), &uuid);
}

/* A list of objects in one cell: of each object, what people read.  Ids of
 * other objects are left to 'show'. */
static char *
list_to_cell(const struct json *list)
{
    AUTO_DS ds = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < list->array.n; i++) {
        const struct json *one = list->array.elems[i];
        if (one->type != JSON_OBJECT) {
            return value_to_text(list);
        }
        ds_put_cstr(&ds, i ? ", " : "");
        struct shash_node *node;
        bool any = false;
        SHASH_FOR_EACH (node, json_object(one)) {
            if (!is_uid(node->data)) {
                AUTO_TEXT *value = value_to_text(node->data);
                ds_put_format(&ds, "%s%s", any ? " " : "", value);
                any = true;
            }
        }
    }
    return mem_text(ds_cstr(&ds));
}

void
grid_put_json(struct grid *grid, const struct json *json)
{
    AUTO_TEXT *text = json && json->type == JSON_ARRAY ? list_to_cell(json)
                                                       : value_to_text(json);
    grid_put(grid, text);
}

static int
compare_names(const void *a_, const void *b_)
{
    const struct json *const *a = a_, *const *b = b_;
    const char *first = jget_text(*a, "name");
    const char *second = jget_text(*b, "name");
    return strcmp(first ? first : "", second ? second : "");
}

void
sort_by_name(const struct json *objects)
{
    if (objects && objects->type == JSON_ARRAY && objects->array.n) {
        qsort(objects->array.elems, objects->array.n,
              sizeof *objects->array.elems, compare_names);
    }
}

/* Columns that 'text' takes: bytes of UTF-8 that begin a character. */
static size_t
width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++) {
        width += (*text & 0xc0) != 0x80;
    }
    return width;
}

static void
print_cell(const char *text, size_t width, bool last)
{
    printf("%s", text);
    if (!last) {
        printf("%*s", (int) (width - width_of(text)) + 2, "");
    }
}

void
grid_print(const struct weft *weft, const struct grid *grid)
{
    ovs_assert(grid->n_columns);
    size_t *widths = mem_zalloc((grid->n_columns + 1) * sizeof *widths);
    for (size_t i = 0; i < grid->n_columns; i++) {
        widths[i] = width_of(grid->titles[i]);
    }
    for (size_t i = 0; i < grid->n_cells; i++) {
        size_t *width = &widths[i % grid->n_columns];
        size_t cell = width_of(grid->cells[i]);
        *width = cell > *width ? cell : *width;
    }
    printf("%s", colour(weft, COLOUR_TITLE));
    for (size_t i = 0; i < grid->n_columns; i++) {
        print_cell(grid->titles[i], widths[i], i + 1 == grid->n_columns);
    }
    printf("%s\n", colour(weft, COLOUR_OFF));
    for (size_t i = 0; i < grid->n_cells; i++) {
        bool last = (i + 1) % grid->n_columns == 0;
        print_cell(grid->cells[i], widths[i % grid->n_columns], last);
        if (last) {
            printf("\n");
        }
    }
    free(widths);
}

void
grid_uninit(struct grid *grid)
{
    for (size_t i = 0; i < grid->n_cells; i++) {
        free(grid->cells[i]);
    }
    free(grid->cells);
}

/* Makes control characters visible; keeps UTF-8. */
static char *
printable(const char *text)
{
    AUTO_DS ds = DS_EMPTY_INITIALIZER;
    for (; *text; text++) {
        if ((unsigned char) *text < 0x20 || *text == 0x7f) {
            ds_put_format(&ds, "\\x%02x", (unsigned char) *text);
        } else {
            ds_put_char(&ds, *text);
        }
    }
    return mem_text(ds_cstr(&ds));
}

static char *
array_to_text(const struct json *json)
{
    AUTO_DS ds = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < json->array.n; i++) {
        AUTO_TEXT *item = value_to_text(json->array.elems[i]);
        ds_put_format(&ds, "%s%s", i ? ", " : "", item);
    }
    return mem_text(ds.length ? ds_cstr(&ds) : "-");
}

/* "ip_address 10.0.0.1 subnet_id ..."; one member alone: its value. */
static char *
object_to_text(const struct json *json)
{
    AUTO_DS ds = DS_EMPTY_INITIALIZER;
    size_t n = shash_count(json_object(json));
    const struct shash_node **nodes = shash_sort(json_object(json));
    for (size_t i = 0; i < n; i++) {
        AUTO_TEXT *value = value_to_text(nodes[i]->data);
        if (n == 1) {
            ds_put_cstr(&ds, value);
        } else {
            ds_put_format(&ds, "%s%s %s", i ? " " : "", nodes[i]->name, value);
        }
    }
    free(nodes);
    return mem_text(ds.length ? ds_cstr(&ds) : "-");
}

char *
value_to_text(const struct json *json)
{
    if (!json || json->type == JSON_NULL) {
        return mem_text("-");
    }
    switch (json->type) {
    case JSON_STRING:
        return printable(json_string(json));
    case JSON_TRUE:
        return mem_text("yes");
    case JSON_FALSE:
        return mem_text("no");
    case JSON_ARRAY:
        return array_to_text(json);
    case JSON_OBJECT:
        return object_to_text(json);
    case JSON_REAL:
        return mem_textf("%.3g", json_real(json));
    case JSON_NULL:
    case JSON_INTEGER:
    case JSON_SERIALIZED_OBJECT:
    case JSON_N_TYPES:
    default:
        return json_to_string(json, 0);
    }
}

void
print_members(const struct weft *weft, const struct json *object, int indent)
{
    if (!object || object->type != JSON_OBJECT) {
        return;
    }
    size_t n = shash_count(json_object(object));
    const struct shash_node **nodes = shash_sort(json_object(object));
    size_t width = 0;
    for (size_t i = 0; i < n; i++) {
        size_t name = width_of(nodes[i]->name);
        width = name > width ? name : width;
    }
    for (size_t i = 0; i < n; i++) {
        const struct json *member = nodes[i]->data;
        size_t n_nested =
            (member->type == JSON_OBJECT ? shash_count(json_object(member))
                                         : 0);
        AUTO_TEXT *value =
            n_nested > MAX_NESTED
                ? mem_textf("%zu values, see them with -o json", n_nested)
                : value_to_text(member);
        printf("%*s%s%-*s%s  %s\n", indent, "", colour(weft, COLOUR_TITLE),
               (int) width, nodes[i]->name, colour(weft, COLOUR_OFF), value);
    }
    free(nodes);
}

void
print_json(const struct json *json)
{
    AUTO_TEXT *text = json_to_string(json, JSSF_PRETTY | JSSF_SORT);
    printf("%s\n", text);
}

void
print_lines(const struct json *lines, int indent)
{
    if (!lines || lines->type != JSON_ARRAY) {
        return;
    }
    for (size_t i = 0; i < lines->array.n; i++) {
        AUTO_TEXT *text = value_to_text(lines->array.elems[i]);
        printf("%*s%s\n", indent, "", text);
    }
}

const char *
colour(const struct weft *weft, enum colour which)
{
    if (!weft->options.colours) {
        return "";
    }
    switch (which) {
    case COLOUR_TITLE:
        return "\033[1m";
    case COLOUR_GOOD:
        return "\033[32m";
    case COLOUR_BAD:
        return "\033[31m";
    case COLOUR_OFF:
    default:
        return "\033[0m";
    }
}
