/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of the Neutron northbound: filters, members, pages.
 *
 *     all of a resource, by id
 *         │  filters: one per attribute, values ORed, attributes ANDed
 *         ▼
 *     what matches
 *         │  page: limit, marker, page_reverse
 *         ▼
 *     {"networks": [...], "networks_links": [...]}
 *
 * A parameter that is no simple attribute of the resource is ignored, as
 * the upstream tests demand.  The page arithmetic is OpenDaylight's.
 *
 * Costs: O(n log n) in the objects of the resource. */

#include "api/api-private.h"

#include <ctype.h>
#include <sys/param.h>

struct criterion {
    const struct field *field; /* Null: the id. */
    const char *name;
    const char *value;
};

struct list {
    struct call *call;
    const struct resource *resource;
    struct criterion *filters;
    size_t n_filters;
    const struct entity **entities; /* What matches, by id. */
    size_t n;
    size_t start, end; /* The page. */
    bool has_next, has_previous;
    int64_t limit; /* 0: not paged. */
};

const char **
list_members(const struct request *request)
{
    const char **members = NULL;
    size_t n = 0, allocated = 0;

    for (size_t i = 0; i < request->n_query; i++) {
        if (!strcmp(request->query[i].name, "fields")
            && *request->query[i].value) {
            ARRAY_GROW(members, n, allocated);
            members[n++] = request->query[i].value;
        }
    }
    if (members) {
        ARRAY_GROW(members, n, allocated);
        members[n] = NULL;
    }
    return members;
}

/* Filters. */

static bool
field_is_filter(const struct field *field)
{
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_BOOL:
    case FIELD_INT:
    case FIELD_UID:
    case FIELD_REF:
    case FIELD_ADDR:
    case FIELD_PREFIX:
    case FIELD_MAC:
    case FIELD_TEXTS:
    case FIELD_INTS:
    case FIELD_ADDRS:
    case FIELD_REFS:
        return !field->secret;
    case FIELD_JSON:
    case FIELD_LIST:
    case FIELD_OBJECT:
        return false;
    }
    return false;
}

static void
list_read_filters(struct list *list)
{
    const struct request *request = list->call->request;
    size_t allocated = 0;

    for (size_t i = 0; i < request->n_query; i++) {
        struct criterion filter = {
            .name = request->query[i].name,
            .value = request->query[i].value,
        };
        if (strcmp(filter.name, "id")) {
            filter.field = shape_find(&list->resource->shape, filter.name);
            if (!filter.field || !field_is_filter(filter.field)) {
                continue;
            }
        }
        ARRAY_GROW(list->filters, list->n_filters, allocated);
        list->filters[list->n_filters++] = filter;
    }
}

static bool
criterion_matches(const struct criterion *filter, const struct entity *e)
{
    if (filter->field) {
        return entity_matches(e, filter->field, filter->value);
    }
    struct uuid id;
    return uid_from_text(filter->value, &id) && uid_equals(&id, &e->id);
}

/* Does one of the values given for each attribute match?  O(n_filters ^ 2),
 * and requests are short. */
static bool
list_matches(const struct list *list, const struct entity *e)
{
    for (size_t i = 0; i < list->n_filters; i++) {
        bool found = false;
        for (size_t j = 0; j < list->n_filters && !found; j++) {
            found = (list->filters[j].field == list->filters[i].field
                     && criterion_matches(&list->filters[j], e));
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static void
list_select(struct list *list, const struct field *parent,
            const char *parent_text)
{
    const struct api *api = list->call->api;
    struct entity *scratch = NULL;
    size_t n = 0;

    list->entities = model_list(api->model, list->resource, &list->n);
    for (size_t i = 0; i < list->n; i++) {
        const struct entity *e = list->entities[i];
        if ((!parent || entity_matches(e, parent, parent_text))
            && (!list->n_filters
                || list_matches(list, rest_present(api, e, &scratch)))) {
            list->entities[n++] = e;
        }
    }
    list->n = n;
    free(scratch);
}

/* Pages. */

/* Finds the position of the marker, or ERR_MISSING. */
static struct err *OVS_WARN_UNUSED_RESULT
list_find_marker(const struct list *list, const char *marker, size_t *indexp)
{
    struct uuid id;
    if (uid_from_text(marker, &id)) {
        for (size_t i = 0; i < list->n; i++) {
            if (uid_equals(&list->entities[i]->id, &id)) {
                *indexp = i;
                return NULL;
            }
        }
    }
    return err_new(ERR_MISSING, "marker", "no %s %s in the list",
                   list->resource->shape.name, marker);
}

/* Computes the page (spec of the northbound, section 5). */
static struct err *OVS_WARN_UNUSED_RESULT
list_page(struct list *list)
{
    const struct request *request = list->call->request;
    const char *limit_text = request_query(request, "limit");
    const char *marker = request_query(request, "marker");
    const char *reverse_text = request_query(request, "page_reverse");
    bool reverse = reverse_text && text_equals_nocase(reverse_text, "true");
    int64_t limit;

    list->end = list->n;
    if (!list->resource->paged || !limit_text || list->n <= 1) {
        return NULL;
    }
    if (!text_to_int(limit_text, 0, INT32_MAX, &limit)) {
        return err_new(ERR_INVALID, "limit", "not a number: %s", limit_text);
    }
    if (!limit) {
        return NULL; /* Neutron's "no limit". */
    }

    size_t index = 0;
    if (marker) {
        struct err *err = list_find_marker(list, marker, &index);
        if (err) {
            return err;
        }
    }
    int64_t n = (int64_t) list->n;
    int64_t start = (!marker   ? 0
                     : reverse ? (int64_t) index - limit
                               : (int64_t) index + 1);
    int64_t end = start + limit;
    if (end <= 0) {
        return err_new(ERR_INVALID, "marker", "the page is out of bounds");
    }
    list->limit = limit;
    list->start = (size_t) MAX(start, 0);
    list->end = (size_t) MIN(end, n);
    list->has_next = end < n;
    list->has_previous = start > 0;
    return NULL;
}

static void
put_encoded(struct ds *ds, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char) *text;
        if (isalnum(c) || strchr("-._~", c)) {
            ds_put_char(ds, (char) c);
        } else {
            ds_put_format(ds, "%%%02X", c);
        }
    }
}

static void
list_put_link(const struct list *list, const char *ref,
              const struct entity *marker, const char *more, struct ds *body)
{
    const struct request *request = list->call->request;
    AUTO_DS href;
    ds_init(&href);
    ds_put_format(&href, "%s://%s%s?limit=%lld",
                  request->secure ? "https" : "http", request_host(request),
                  request->path, (long long) list->limit);
    if (marker) {
        ds_put_format(&href, "&marker=" UID_FMT, UID_ARGS(&marker->id));
    }
    ds_put_cstr(&href, more);
    for (size_t i = 0; i < list->n_filters; i++) {
        ds_put_char(&href, '&');
        put_encoded(&href, list->filters[i].name);
        ds_put_char(&href, '=');
        put_encoded(&href, list->filters[i].value);
    }
    ds_put_format(body, "{\"ref\":\"%s\",\"rel\":\"%s\",\"href\":", ref, ref);
    json_string_escape(ds_cstr(&href), body);
    ds_put_char(body, '}');
}

static void
list_put_links(const struct list *list, struct ds *body)
{
    ds_put_format(body, ",\"%s_links\":[", list->resource->plural);
    if (list->has_next) {
        list_put_link(list, "next", list->entities[list->end - 1], "", body);
    }
    if (list->has_previous) {
        if (list->has_next) {
            ds_put_char(body, ',');
        }
        /* The page behind the last one is empty: before it comes the last. */
        const struct entity *first =
            list->entities[MIN(list->start, list->n - 1)];
        list_put_link(list, "previous", first, "&page_reverse=True", body);
    }
    ds_put_char(body, ']');
}

static void
list_put(const struct list *list, struct ds *body)
{
    const char **members = list_members(list->call->request);
    struct entity *scratch = NULL;

    ds_put_format(body, "{\"%s\":[", list->resource->plural);
    for (size_t i = list->start; i < list->end; i++) {
        if (i > list->start) {
            ds_put_char(body, ',');
        }
        entity_put_json(
            rest_present(list->call->api, list->entities[i], &scratch),
            ENTITY_ANSWER, members, body);
    }
    ds_put_char(body, ']');
    if (list->limit) {
        list_put_links(list, body);
    }
    ds_put_char(body, '}');
    free(scratch);
    free(members);
}

void
list_handle(struct call *call, const struct resource *resource,
            const struct field *parent, const char *parent_text)
{
    struct list list = { .call = call, .resource = resource };

    list_read_filters(&list);
    list_select(&list, parent, parent_text);
    struct err *err = list_page(&list);
    if (!err) {
        list_put(&list, &call->response.body);
    }
    free(list.filters);
    free(list.entities);
    if (err) {
        AUTO_TEXT *text = err_to_text(err);
        int status = err_http_status(err->kind);
        err_destroy(err);
        call_text(call, status, "%s", text);
    } else {
        call_answer(call, 200);
    }
}
