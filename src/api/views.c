/* SPDX-License-Identifier: Apache-2.0 */
/* Views: everything that is not the northbound.
 *
 * Other layers are not called from here; main.c hands in what they offer with
 * api_add_view(), and this file matches paths, answers JSON, and describes
 * all of it: OpenAPI, the schema, a page at "/" that says where to look.
 *
 * Errors are {"error": {"kind", "object", "field", "text"}} under the kind's
 * status.  Costs: O(views) to match. */

#include "api/api-private.h"

#include "weft-config.h"

/* Its own type outside, a 'struct call' inside. */
struct view_call {
    struct call call;
};

struct view_entry {
    struct view view;
    void *aux;
};

struct views {
    struct api *api;
    struct view_entry *entries;
    size_t n, allocated;
};

static struct call *
call_from_view(struct view_call *view_call)
{
    return &view_call->call;
}

static struct view_call *
view_from_call(struct call *call)
{
    return CONTAINER_OF(call, struct view_call, call);
}

void
view_answer(struct view_call *view_call, struct json *json)
{
    call_json(call_from_view(view_call), 200, json);
}

void
view_fail(struct view_call *view_call, struct err *err)
{
    call_fail(call_from_view(view_call), err);
}

static void
put_nullable(struct json *object, const char *member, const char *text)
{
    json_object_put(object, member,
                    text ? json_string_create(text) : json_null_create());
}

/* A text that may quote what a client sent: JSON must be UTF-8. */
static void
put_quoting(struct json *object, const char *member, const char *text)
{
    struct ds printable = DS_EMPTY_INITIALIZER;
    if (text) {
        text_put_printable(&printable, text, strlen(text));
    }
    put_nullable(object, member, text ? ds_cstr(&printable) : NULL);
    ds_destroy(&printable);
}

struct json *
view_error(const struct err *err)
{
    struct json *inner = json_object_create();
    json_object_put_string(inner, "kind", err_kind_name(err->kind));
    put_quoting(inner, "object", err->object);
    put_quoting(inner, "field", err->field);
    put_quoting(inner, "text", err->text);
    struct json *error = json_object_create();
    json_object_put(error, "error", inner);
    return error;
}

/* Matching. */

/* Does 'path' match 'pattern', in which "{}" stands for one segment?  Stores
 * the segment, which the caller frees, or null. */
static bool
view_match(const char *pattern, const char *path, char **argumentp)
{
    char *argument = NULL;
    while (*pattern) {
        if (*pattern == '{') {
            size_t length = strcspn(path, "/");
            if (!length || argument) {
                break;
            }
            argument = mem_alloc(length + 1);
            memcpy(argument, path, length);
            argument[length] = '\0';
            path += length;
            pattern += strcspn(pattern, "}");
            pattern += *pattern == '}';
        } else if (*pattern == *path) {
            pattern++;
            path++;
        } else {
            break;
        }
    }
    if (*pattern || *path) {
        free(argument);
        return false;
    }
    *argumentp = argument;
    return true;
}

bool
views_is_public(const struct request *request)
{
    return (!strcmp(request->path, "/ready")
            && (!strcmp(request->method, "GET")
                || !strcmp(request->method, "HEAD")));
}

void
views_handle(struct call *call)
{
    const struct views *views = call->api->views;
    const struct request *request = call->request;
    bool known = false;
    const char *method =
        (!strcmp(request->method, "HEAD") ? "GET" : request->method);

    for (size_t i = 0; i < views->n; i++) {
        const struct view_entry *entry = &views->entries[i];
        char *argument;
        if (!view_match(entry->view.pattern, request->path, &argument)) {
            continue;
        }
        known = true;
        if (!strcmp(method, entry->view.method)) {
            entry->view.handle(view_from_call(call), request, argument,
                               entry->aux);
            free(argument);
            return;
        }
        free(argument);
    }
    call_fail(call, known ? err_new(ERR_METHOD, NULL, "%s: not with %s",
                                    request->path, request->method)
                          : err_new(ERR_MISSING, NULL,
                                    "%s: nothing here; see / for what "
                                    "there is",
                                    request->path));
}

/* Our own views. */

static void
view_index(struct view_call *view_call, const struct request *request,
           const char *argument, void *views_)
{
    const struct views *views = views_;
    struct json *list = json_array_create_empty();
    for (size_t i = 0; i < views->n; i++) {
        const struct view *view = &views->entries[i].view;
        struct json *one = json_object_create();
        json_object_put_string(one, "method", view->method);
        json_object_put_string(one, "path", view->pattern);
        json_object_put_string(one, "summary", view->summary);
        json_array_add(list, one);
    }
    struct json *index = json_object_create();
    json_object_put_string(index, "name", "weft");
    json_object_put_string(index, "version", WEFT_VERSION);
    json_object_put_string(index, "neutron", NEUTRON_BASE);
    json_object_put_string(index, "openapi", "/weft/v1/openapi.json");
    json_object_put_string(index, "events", EVENTS_PATH);
    json_object_put(index, "views", list);
    view_answer(view_call, index);
}

static struct json *
schema_field(const struct field *field)
{
    static const char *const kinds[] = {
#define FIELD_KIND(KIND, TYPE) #KIND,
        FIELD_KINDS
#undef FIELD_KIND
    };
    struct json *json = json_object_create();
    json_object_put_string(json, "name", field_json_name(field));
    json_object_put_string(json, "kind", kinds[field->kind]);
    json_object_put(json, "column", json_boolean_create(field->column));
    put_nullable(json, "target", field->target);
    if (field->help) {
        json_object_put_string(json, "help", field->help);
    }
    return json;
}

static struct json *
schema_resource(const struct resource *resource)
{
    struct json *fields = json_array_create_empty();
    for (size_t i = 0; i < resource->shape.n_fields; i++) {
        json_array_add(fields, schema_field(&resource->shape.fields[i]));
    }
    struct json *json = json_object_create();
    json_object_put_string(json, "name", resource->shape.name);
    json_object_put_string(json, "plural", resource->plural);
    json_object_put_string(json, "path", resource->path);
    json_object_put_format(json, "url", NEUTRON_BASE "/%s", resource->path);
    json_object_put_string(json, "title",
                           resource->title ? resource->title
                                           : resource->shape.name);
    json_object_put(json, "writable", json_boolean_create(!resource->no_put));
    json_object_put(json, "fields", fields);
    return json;
}

static void
view_schema(struct view_call *view_call, const struct request *request,
            const char *argument, void *views_)
{
    const struct model *model = ((const struct views *) views_)->api->model;
    struct json *list = json_array_create_empty();
    for (size_t i = 0; i < model_n_resources(model); i++) {
        const struct resource *resource = model_resource_at(model, i);
        if (resource->path) {
            json_array_add(list, schema_resource(resource));
        }
    }
    struct json *schema = json_object_create();
    json_object_put(schema, "resources", list);
    view_answer(view_call, schema);
}

/* Adds one view to an OpenAPI document's "paths". */
static void
openapi_put_view(struct json *paths, const struct view *view)
{
    char *hole = strstr(view->pattern, "{}");
    AUTO_TEXT *path =
        (hole ? mem_textf("%.*s{argument}%s", (int) (hole - view->pattern),
                          view->pattern, hole + 2)
              : mem_text(view->pattern));

    struct json *ok = json_object_create();
    json_object_put_string(ok, "description", "JSON");
    struct json *responses = json_object_create();
    json_object_put(responses, "200", ok);
    struct json *operation = json_object_create();
    json_object_put_string(operation, "summary", view->summary);
    json_object_put(operation, "responses", responses);
    if (hole) {
        struct json *type = json_object_create();
        json_object_put_string(type, "type", "string");
        struct json *parameter = json_object_create();
        json_object_put_string(parameter, "name", "argument");
        json_object_put_string(parameter, "in", "path");
        json_object_put(parameter, "required", json_boolean_create(true));
        json_object_put(parameter, "schema", type);
        json_object_put(operation, "parameters",
                        json_array_create_1(parameter));
    }

    AUTO_TEXT *method = mem_text(view->method);
    for (char *c = method; *c; c++) {
        *c |= 0x20;
    }
    struct json *item = shash_find_data(json_object(paths), path);
    if (!item) {
        item = json_object_create();
        json_object_put(paths, path, item);
    }
    json_object_put(item, method, operation);
}

static void
view_openapi(struct view_call *view_call, const struct request *request,
             const char *argument, void *views_)
{
    const struct views *views = views_;
    struct json *document = model_openapi(views->api->model, NEUTRON_BASE);
    struct json *paths = shash_find_data(json_object(document), "paths");
    if (!paths) {
        paths = json_object_create();
        json_object_put(document, "paths", paths);
    }
    for (size_t i = 0; i < views->n; i++) {
        openapi_put_view(paths, &views->entries[i].view);
    }
    view_answer(view_call, document);
}

/* Life. */

static const struct view own_views[] = {
    { "GET", "/", "What this server offers", view_index },
    { "GET", "/weft/v1/schema", "Resources and their fields", view_schema },
    { "GET", "/weft/v1/openapi.json", "This document", view_openapi },
};

struct views *
views_create(struct api *api)
{
    struct views *views = NEW(struct views);
    views->api = api;
    api->views = views;
    for (size_t i = 0; i < N_ITEMS(own_views); i++) {
        api_add_view(api, &own_views[i], views);
    }
    return views;
}

void
views_destroy(struct views *views)
{
    if (views) {
        free(views->entries);
        free(views);
    }
}

void
api_add_view(struct api *api, const struct view *view, void *aux)
{
    struct views *views = api->views;
    ARRAY_GROW(views->entries, views->n, views->allocated);
    views->entries[views->n++] = (struct view_entry){ *view, aux };
}
