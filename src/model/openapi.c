/* SPDX-License-Identifier: Apache-2.0 */

/* The OpenAPI 3.0 document, from the field tables.
 *
 *     components/schemas   one per resource and per shape nested in one
 *     paths                one per collection and one per item of it
 *
 * Whoever adds a row to a schema has documented it: name, type, limits,
 * default, allowed values and the sentence in 'help' appear here.
 *
 * Made anew for each request of the document; some 10 ms. */

#include "model/walk.h"

static struct json *
object_1(const char *name, struct json *value)
{
    struct json *object = json_object_create();

    json_object_put(object, name, value);
    return object;
}

static struct json *
text_1(const char *name, const char *value)
{
    return object_1(name, json_string_create(value));
}

static struct json *
schema_ref(const char *name)
{
    AUTO_TEXT *path = mem_textf("#/components/schemas/%s", name);

    return text_1("$ref", path);
}

/* Schemas. */

static const char *
kind_type(enum field_kind kind)
{
    switch (kind) {
    case FIELD_TEXT:
    case FIELD_UID:
    case FIELD_REF:
    case FIELD_ADDR:
    case FIELD_PREFIX:
    case FIELD_MAC:
        return "string";
    case FIELD_BOOL:
        return "boolean";
    case FIELD_INT:
        return "integer";
    case FIELD_TEXTS:
    case FIELD_INTS:
    case FIELD_ADDRS:
    case FIELD_REFS:
    case FIELD_LIST:
        return "array";
    case FIELD_JSON:
    case FIELD_OBJECT:
        return NULL;
    }
    abort();
}

static const char *
kind_format(enum field_kind kind)
{
    switch (kind) {
    case FIELD_INT:
    case FIELD_INTS:
        return "int64";
    case FIELD_UID:
    case FIELD_REF:
    case FIELD_REFS:
        return "uuid";
    case FIELD_ADDR:
    case FIELD_ADDRS:
        return "ip";
    case FIELD_PREFIX:
        return "ip-prefix";
    case FIELD_MAC:
        return "mac";
    case FIELD_TEXT:
    case FIELD_BOOL:
    case FIELD_JSON:
    case FIELD_TEXTS:
    case FIELD_LIST:
    case FIELD_OBJECT:
        return NULL;
    }
    abort();
}

static struct json *
items_schema(const struct field *field)
{
    if (field->kind == FIELD_LIST) {
        return schema_ref(field->shape->name);
    }

    struct json *items =
        text_1("type", field->kind == FIELD_INTS ? "integer" : "string");
    if (kind_format(field->kind)) {
        json_object_put_string(items, "format", kind_format(field->kind));
    }
    return (field->id_member
                ? object_1("properties", object_1(field->id_member, items))
                : items);
}

static struct json *
values_array(const char *values)
{
    struct json *array = json_array_create_empty();
    AUTO_TEXT *copy = mem_text(values);
    char *cursor = copy;

    for (char *value; (value = text_next(&cursor, "|")) != NULL;) {
        json_array_add(array, json_string_create(value));
    }
    return array;
}

static void
put_description(struct json *schema, const struct field *field)
{
    AUTO_DS ds = DS_EMPTY_INITIALIZER;

    ds_put_cstr(&ds, field->help ? field->help : "");
    if (field->target) {
        ds_put_format(&ds, "%sId of a %s", ds.length ? ".  " : "",
                      field->target);
    }
    if (field->alias) {
        ds_put_format(&ds, "%sAlso accepted as %s", ds.length ? ".  " : "",
                      field->alias);
    }
    if (ds.length) {
        json_object_put_string(schema, "description", ds_cstr(&ds));
    }
}

static void
put_constraints(struct json *schema, const struct field *field)
{
    if (field->min || field->max) {
        json_object_put(schema, "minimum", json_integer_create(field->min));
        json_object_put(schema, "maximum", json_integer_create(field->max));
    }
    if (field->values) {
        json_object_put(schema, "enum", values_array(field->values));
    }
    if (field->dflt) {
        struct json *dflt;
        AUTO(err) *err =
            json_parse_limited(field->dflt, strlen(field->dflt), 8, &dflt);
        ovs_assert(!err);
        json_object_put(schema, "default", dflt);
    }
    if (field->secret) {
        json_object_put(schema, "writeOnly", json_boolean_create(true));
    }
    if (!field->required) {
        json_object_put(schema, "nullable", json_boolean_create(true));
    }
}

static struct json *
field_schema(const struct field *field)
{
    struct json *schema = json_object_create();
    const char *type = kind_type(field->kind);

    if (type) {
        json_object_put_string(schema, "type", type);
    }
    if (type && !strcmp(type, "array")) {
        json_object_put(schema, "items", items_schema(field));
    } else if (kind_format(field->kind)) {
        json_object_put_string(schema, "format", kind_format(field->kind));
    } else if (field->kind == FIELD_OBJECT) {
        json_object_put(schema, "allOf",
                        json_array_create_1(schema_ref(field->shape->name)));
    }
    put_description(schema, field);
    put_constraints(schema, field);
    return schema;
}

/* Adds the schema of 'shape', and of those nested in it, to 'schemas'.
 * 'resource' is the shape's resource, null for nested ones. */
static void
put_shape(struct json *schemas, const struct shape *shape,
          const struct resource *resource)
{
    if (shash_find(json_object(schemas), shape->name)) {
        return;
    }

    struct json *schema = text_1("type", "object");
    json_object_put(schemas, shape->name, schema);
    struct json *properties = json_object_create();
    json_object_put(schema, "properties", properties);
    struct json *required = json_array_create_empty();
    if (resource) {
        struct json *id = text_1("type", "string");
        json_object_put_string(id, "format", "uuid");
        json_object_put(properties, "id", id);
        json_array_add(required, json_string_create("id"));
    }
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct field *field = &shape->fields[i];
        if (field->rest) {
            continue;
        }
        const char *name = field_json_name(field);
        json_object_put(properties, name, field_schema(field));
        if (field->required) {
            json_array_add(required, json_string_create(name));
        }
        if (field->shape) {
            put_shape(schemas, field->shape, NULL);
        }
    }
    if (json_array(required)->n) {
        json_object_put(schema, "required", required);
    } else {
        json_destroy(required);
    }
}

/* Paths. */

static struct json *
parameter(const char *name, const char *in, const char *type,
          const char *description)
{
    struct json *json = text_1("name", name);

    json_object_put_string(json, "in", in);
    if (!strcmp(in, "path")) {
        json_object_put(json, "required", json_boolean_create(true));
    }
    json_object_put(json, "schema", text_1("type", type));
    if (description) {
        json_object_put_string(json, "description", description);
    }
    return json;
}

/* The filters and other query parameters of a list. */
static void
add_list_parameters(struct json *parameters, const struct resource *resource)
{
    json_array_add(parameters, parameter("fields", "query", "string",
                                         "Only this member; may be repeated"));
    json_array_add(parameters, parameter("id", "query", "string", NULL));
    for (size_t i = 0; i < resource->shape.n_fields; i++) {
        const struct field *field = &resource->shape.fields[i];
        const char *type = kind_type(field->kind);
        if (type && strcmp(type, "array") && !field->secret) {
            json_array_add(parameters,
                           parameter(field->filter ? field->filter
                                                   : field_json_name(field),
                                     "query", type,
                                     "Only objects with this value"));
        }
    }
    if (resource->paged) {
        json_array_add(parameters, parameter("limit", "query", "integer",
                                             "Objects per page"));
        json_array_add(parameters,
                       parameter("marker", "query", "string",
                                 "Id of the last object of the page before"));
        json_array_add(parameters,
                       parameter("page_reverse", "query", "boolean",
                                 "The page before the marker"));
    }
}

/* {"description", "content": {"application/json": {"schema": SCHEMA}}} */
static struct json *
content(const char *description, struct json *schema)
{
    struct json *json = object_1(
        "content", object_1("application/json", object_1("schema", schema)));

    if (description) {
        json_object_put_string(json, "description", description);
    }
    return json;
}

static struct json *
wrapped_schema(const struct resource *resource, bool list)
{
    struct json *inner = schema_ref(resource->shape.name);

    if (list) {
        struct json *array = text_1("type", "array");
        json_object_put(array, "items", inner);
        inner = array;
    }

    struct json *schema = text_1("type", "object");
    json_object_put(
        schema, "properties",
        object_1(list ? resource->plural : resource->shape.name, inner));
    return schema;
}

static void
put_failure(struct json *responses, enum err_kind kind)
{
    AUTO_TEXT *status = mem_textf("%d", err_http_status(kind));

    json_object_put(responses, status,
                    text_1("description", err_kind_name(kind)));
}

/* 'verb' is "list", "create", "show", "update" or "delete". */
static struct json *
operation(const struct resource *resource, const char *verb, struct json *body,
          const char *status, struct json *response)
{
    bool list = !strcmp(verb, "list");
    const char *name = list ? resource->plural : resource->shape.name;
    AUTO_TEXT *id = mem_textf("%s_%s", verb, name);
    struct json *json = text_1("operationId", id);

    json_object_put(json, "tags",
                    json_array_create_1(json_string_create(resource->plural)));
    if (body) {
        json_object_put(json, "requestBody", content(NULL, body));
    }

    struct json *responses = object_1(status, response);
    put_failure(responses, ERR_INVALID);
    put_failure(responses, ERR_DENIED);
    if (!list && strcmp(verb, "create")) {
        put_failure(responses, ERR_MISSING);
    }
    put_failure(responses, ERR_UNAVAILABLE);
    json_object_put(json, "responses", responses);
    return json;
}

/* A body that is one object, or a list of them. */
static struct json *
create_schema(const struct resource *resource)
{
    return object_1("oneOf",
                    json_array_create_2(wrapped_schema(resource, false),
                                        wrapped_schema(resource, true)));
}

/* Returns 'path' with the parent's name in place of "{}". */
static char *
name_parent(const char *path, const struct resource *resource)
{
    const char *hole = strstr(path, "{}");

    return (hole ? mem_textf("%.*s{%s}%s", (int) (hole - path), path,
                             resource->parent, hole + 2)
                 : mem_text(path));
}

static void
put_path(struct json *paths, const struct resource *resource,
         const char *pattern)
{
    AUTO_TEXT *path = name_parent(pattern, resource);
    struct json *shared = json_array_create_empty();
    if (strchr(path, '{')) {
        json_array_add(shared,
                       parameter(resource->parent, "path", "string", NULL));
    }

    struct json *list = operation(
        resource, "list", NULL, "200",
        content("The objects that match", wrapped_schema(resource, true)));
    struct json *parameters = json_array_create_empty();
    add_list_parameters(parameters, resource);
    json_object_put(list, "parameters", parameters);

    struct json *collection = object_1("get", list);
    json_object_put(collection, "parameters", json_deep_clone(shared));
    json_object_put(collection, "post",
                    operation(resource, "create", create_schema(resource),
                              "201",
                              content("What was stored, with defaults",
                                      wrapped_schema(resource, false))));
    AUTO_TEXT *collection_path = mem_textf("/%s", path);
    json_object_put(paths, collection_path, collection);

    struct json *one = content("The object", wrapped_schema(resource, false));
    struct json *item = object_1(
        "get", operation(resource, "show", NULL, "200", json_clone(one)));
    if (!resource->no_put) {
        json_object_put(item, "put",
                        operation(resource, "update",
                                  wrapped_schema(resource, false), "200",
                                  json_clone(one)));
    }
    json_destroy(one);
    json_object_put(item, "delete",
                    operation(resource, "delete", NULL, "204",
                              text_1("description", "It is gone")));
    json_array_add(shared, parameter("id", "path", "string", NULL));
    json_object_put(item, "parameters", shared);
    AUTO_TEXT *item_path = mem_textf("/%s/{id}", path);
    json_object_put(paths, item_path, item);
}

/* A collection whose items have a parent in their path may list all of them
 * without; then the path that names the parent is an alias. */
static void
put_paths(struct json *paths, const struct resource *resource)
{
    const char *const *aliases = resource->path_alias;
    size_t n = sizeof resource->path_alias / sizeof aliases[0];
    const char *pattern = resource->path;

    for (size_t i = 0; i < n; i++) {
        const char *alias = aliases[i];
        if (alias && strstr(alias, "{}") && !strstr(pattern, "{}")) {
            put_path(paths, resource, alias);
        }
    }
    put_path(paths, resource, pattern);
}

/* The document. */

static struct json *
basic_security(void)
{
    struct json *scheme = text_1("type", "http");

    json_object_put_string(scheme, "scheme", "basic");
    return object_1("basic", scheme);
}

struct json *
model_openapi(const struct model *model, const char *base)
{
    struct json *schemas = json_object_create();
    struct json *paths = json_object_create();

    for (size_t i = 0; i < model_n_resources(model); i++) {
        const struct resource *resource = model_resource_at(model, i);
        if (resource->path) {
            put_shape(schemas, &resource->shape, resource);
            put_paths(paths, resource);
        }
    }

    struct json *components = object_1("schemas", schemas);
    json_object_put(components, "securitySchemes", basic_security());

    struct json *info = text_1("title", "Weft networking API");
    json_object_put_string(info, "version", "2.0");

    struct json *document = text_1("openapi", "3.0.3");
    json_object_put(document, "info", info);
    json_object_put(document, "servers",
                    json_array_create_1(text_1("url", base)));
    json_object_put(
        document, "security",
        json_array_create_1(object_1("basic", json_array_create_empty())));
    json_object_put(document, "components", components);
    json_object_put(document, "paths", paths);
    return document;
}
