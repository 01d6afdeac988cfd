/* SPDX-License-Identifier: Apache-2.0 */
/* The Neutron northbound, generic over the schema.
 *
 *     POST   collection        create or replace, one or many
 *     PUT    collection/{id}   replace, keeping what identifies
 *     DELETE collection/{id}   done also if it was done before
 *     GET    collection/{id}   one; lists are in list.c
 *
 * Which collections there are, what their members mean and which values are
 * refused is in the resources' tables; this file knows envelopes, verbs and
 * status codes.  Two rule sets exist, chosen by 'compat_opendaylight':
 *
 *     default        what networking-odl needs: POST of what exists replaces
 *                    it, PUT replaces, DELETE may be repeated
 *     opendaylight   what OpenDaylight's own tests demand: 409, 442, PUT
 *                    merges, DELETE of the unknown is 404, a list is stored
 *                    one after the other until the first failure
 *
 * A write is decoded here, then handed to the model as an edit that runs in
 * the store's transaction; its answer is written in the edit, sent when the
 * transaction is durable.  References are not checked unless the resource's
 * check does so: parents may come later.
 *
 * Costs: O(size of the request and the object). */

#include "api/api-private.h"

/* What a path names. */
struct target {
    const struct resource *resource;
    const struct field *parent; /* The field that the path gives, or null. */
    char *parent_text;          /* Its value, or null. */
    const char *id;             /* Text behind the collection, or null. */
    const char *action;         /* Text behind the id, or null. */
};

enum write_kind {
    WRITE_CREATE,
    WRITE_UPDATE,
    WRITE_DELETE,
};

/* A write on its way through the store. */
struct write {
    struct call *call;
    enum write_kind kind;
    const struct resource *resource;
    struct uuid id; /* UPDATE, DELETE. */
    bool is_list;
    struct entity **entities; /* Null where the transaction took it. */
    size_t n_entities, allocated_entities;
    struct entity **embedded; /* Objects inside others, made with them. */
    size_t n_embedded, allocated_embedded;
    struct err *failure; /* After earlier objects were stored. */
};

/* Small questions. */

const struct field *
rest_field(const struct resource *resource, const char *name)
{
    for (size_t i = 0; i < resource->shape.n_fields; i++) {
        if (!strcmp(resource->shape.fields[i].name, name)) {
            return &resource->shape.fields[i];
        }
    }
    return NULL;
}

static bool
entity_has(const struct entity *e, const struct field *field)
{
    return (e->fields.set & ~e->fields.null) >> field->index & 1;
}

static struct err *
missing(const struct resource *resource)
{
    return err_new(ERR_MISSING, NULL, "%s UUID does not exist.",
                   resource->title ? resource->title : resource->shape.name);
}

static bool
is_strict(const struct call *call)
{
    return call->api->settings.compat_opendaylight;
}

const struct entity *
rest_present(const struct api *api, const struct entity *e,
             struct entity **scratchp)
{
    if (api->settings.compat_opendaylight
        || strcmp(e->resource->shape.name, "port")) {
        return e;
    }
    const struct field *status = rest_field(e->resource, "status");
    if (!status || status->kind != FIELD_TEXT) {
        return e;
    }

    size_t size = e->resource->shape.size;
    if (!*scratchp) {
        *scratchp = mem_alloc(size);
    }
    memcpy(*scratchp, e, size);
    bool wired = api->fabric && fabric_is_wired(api->fabric, &e->id);
    const char *text = wired ? "ACTIVE" : "DOWN";
    memcpy((char *) *scratchp + status->offset, &text, sizeof text);
    (*scratchp)->fields.set |= UINT64_C(1) << status->index;
    (*scratchp)->fields.null &= ~(UINT64_C(1) << status->index);
    return *scratchp;
}

static void
entity_answer(const struct api *api, const struct entity *e,
              const char *const *members, struct ds *body)
{
    struct entity *scratch = NULL;
    entity_put_json(rest_present(api, e, &scratch), ENTITY_ANSWER, members,
                    body);
    free(scratch);
}

/* Answers with what went wrong. */
static void
rest_fail(struct call *call, struct err *err_)
{
    AUTO(err) *err = err_;
    int status = err_http_status(err->kind);

    if (is_strict(call) && (status == 409 || status == 442)) {
        ds_clear(&call->response.body);
        ds_put_buffer(&call->response.body, call->request->body,
                      call->request->body_size);
        call_answer(call, status);
    } else if (is_strict(call) && status == 500) {
        ds_clear(&call->response.body);
        call_answer(call, status);
    } else {
        if (err->kind == ERR_UNAVAILABLE) {
            call_put_header(call, "Retry-After", mem_text("1"));
        }
        AUTO_TEXT *text = err_to_text(err);
        call_text(call, status, "%s", text);
    }
}

/* Paths. */

/* Does 'path' begin with the segments of 'pattern', of which "{...}" stands
 * for any one?  Returns what follows ("" or "/...") or null.  Stores the
 * position of the segment that "{...}" matched. */
static const char *
path_match(const char *pattern, const char *path, const char **argumentp,
           size_t *lengthp)
{
    while (*pattern) {
        if (*pattern == '{') {
            *argumentp = path;
            *lengthp = strcspn(path, "/");
            if (!*lengthp) {
                return NULL;
            }
            path += *lengthp;
            pattern += strcspn(pattern, "}");
            pattern += *pattern == '}';
        } else if (*pattern++ != *path++) {
            return NULL;
        }
    }
    return *path == '\0' || *path == '/' ? path : NULL;
}

static bool
target_match(struct target *target, const struct resource *resource,
             const char *pattern, const char *path)
{
    const char *argument = NULL;
    size_t length = 0;
    const char *rest = path_match(pattern, path, &argument, &length);
    if (!rest) {
        return false;
    }

    const char *id = *rest ? rest + 1 : NULL;
    const char *action = id ? strchr(id, '/') : NULL;
    if (action && strcmp(action, "/add_router_interface")
        && strcmp(action, "/remove_router_interface")) {
        return false;
    }
    target->resource = resource;
    target->id = id;
    target->action = action ? action + 1 : NULL;
    if (argument && resource->parent) {
        target->parent = rest_field(resource, resource->parent);
        target->parent_text = mem_alloc(length + 1);
        memcpy(target->parent_text, argument, length);
        target->parent_text[length] = '\0';
    }
    return true;
}

/* Finds what 'path' (below the base) names.  The caller frees
 * 'target->parent_text'. */
static bool
target_find(struct target *target, const struct model *model, const char *path)
{
    memset(target, 0, sizeof *target);
    for (size_t i = 0; i < model_n_resources(model); i++) {
        const struct resource *resource = model_resource_at(model, i);
        if (!resource->path) {
            continue;
        }
        if (target_match(target, resource, resource->path, path)) {
            return true;
        }
        for (size_t j = 0; j < N_ITEMS(resource->path_alias); j++) {
            if (resource->path_alias[j]
                && target_match(target, resource, resource->path_alias[j],
                                path)) {
                return true;
            }
        }
    }
    return false;
}

/* Writes. */

static void
write_destroy(struct write *write)
{
    if (write) {
        for (size_t i = 0; i < write->n_entities; i++) {
            entity_destroy(write->entities[i]);
        }
        for (size_t i = 0; i < write->n_embedded; i++) {
            entity_destroy(write->embedded[i]);
        }
        free(write->entities);
        free(write->embedded);
        err_destroy(write->failure);
        free(write);
    }
}
AUTO_DEFINE(write)

struct txn_check {
    struct check up;
    const struct txn *txn;
};

static const struct entity *
txn_check_find(const struct check *check, const char *name,
               const struct uuid *id)
{
    const struct txn *txn = check->aux;
    const struct resource *resource = model_resource(txn_model(txn), name);
    return resource ? txn_find(txn, resource, id) : NULL;
}

/* Runs the check of the entity's resource. */
static struct err *OVS_WARN_UNUSED_RESULT
write_check(const struct write *write, const struct txn *txn, struct entity *e)
{
    if (!e->resource->check) {
        return NULL;
    }
    struct check check = {
        .find = txn_check_find,
        .aux = txn,
        .strict = is_strict(write->call),
        .creating = write->kind == WRITE_CREATE,
    };
    return e->resource->check(&check, e);
}

static void
write_put_embedded(struct write *write, struct txn *txn)
{
    for (size_t i = 0; i < write->n_embedded; i++) {
        struct entity *e = write->embedded[i];
        if (!txn_find(txn, e->resource, &e->id)
            && !txn_was_deleted(txn, e->resource, &e->id)) {
            struct err *err = write_check(write, txn, e);
            if (err) {
                /* It comes again by itself, and is answered then. */
                err_destroy(err);
                continue;
            }
            txn_put(txn, STEAL(write->embedded[i]));
        }
    }
}

static struct err *OVS_WARN_UNUSED_RESULT
write_create_one(struct write *write, struct txn *txn, struct entity **ep)
{
    struct entity *e = *ep;
    const struct entity *old = txn_find(txn, e->resource, &e->id);
    bool put = true;

    struct err *err = write_check(write, txn, e);
    if (!err && old && is_strict(write->call)) {
        e->number = old->number;
        put = false;
        if (!entity_equals(e, old)) {
            err = err_new(ERR_IN_USE, "id", "exists already");
        }
    }
    if (err) {
        return err_about(err, "%s " UID_FMT, e->resource->shape.name,
                         UID_ARGS(&e->id));
    }

    struct ds *body = &write->call->response.body;
    if (write->is_list && ep != write->entities) {
        ds_put_char(body, ',');
    }
    entity_answer(write->call->api, e, NULL, body);
    if (put) {
        txn_put(txn, STEAL(*ep));
    }
    return NULL;
}

static struct err *OVS_WARN_UNUSED_RESULT
write_create(struct write *write, struct txn *txn)
{
    struct ds *body = &write->call->response.body;

    ds_put_format(body, write->is_list ? "{\"%s\":[" : "{\"%s\":",
                  write->is_list ? write->resource->plural
                                 : write->resource->shape.name);
    for (size_t i = 0; i < write->n_entities; i++) {
        struct err *err = write_create_one(write, txn, &write->entities[i]);
        if (err && write->is_list) {
            err = err_within(err, "%s[%zu].", write->resource->plural, i);
        }
        if (err && i && is_strict(write->call)) {
            err_destroy(write->failure);
            write->failure = err; /* What came before stays. */
            return NULL;
        }
        if (err) {
            return err;
        }
    }
    ds_put_cstr(body, write->is_list ? "]}" : "}");
    write_put_embedded(write, txn);
    return NULL;
}

static int64_t
entity_int(const struct entity *e, const struct field *field)
{
    int64_t value;
    memcpy(&value, (const char *) e + field->offset, sizeof value);
    return value;
}

/* Is 'e' strictly older than 'old'? */
static bool
is_stale(const struct entity *e, const struct entity *old)
{
    const struct field *revision = rest_field(e->resource, "revision_number");
    return (revision && revision->kind == FIELD_INT && entity_has(e, revision)
            && entity_has(old, revision)
            && entity_int(e, revision) < entity_int(old, revision));
}

static struct err *OVS_WARN_UNUSED_RESULT
write_update(struct write *write, struct txn *txn)
{
    struct entity *e = write->entities[0];
    const struct entity *old = txn_find(txn, write->resource, &write->id);
    if (!old) {
        return missing(write->resource);
    }
    if (is_stale(e, old)) {
        return NULL; /* 200 without a body. */
    }

    struct err *err = NULL;
    if (is_strict(write->call)) {
        entity_merge(e, old);
    } else {
        entity_inherit(e, old);
        err = entity_complete(e);
    }
    if (!err) {
        err = write_check(write, txn, e);
    }
    if (err) {
        return err_about(err, "%s " UID_FMT, write->resource->shape.name,
                         UID_ARGS(&write->id));
    }
    struct ds *body = &write->call->response.body;
    ds_put_format(body, "{\"%s\":", write->resource->shape.name);
    entity_answer(write->call->api, e, NULL, body);
    ds_put_char(body, '}');
    txn_put(txn, STEAL(write->entities[0]));
    return NULL;
}

static struct err *OVS_WARN_UNUSED_RESULT
write_delete(struct write *write, struct txn *txn)
{
    if (txn_find(txn, write->resource, &write->id)) {
        txn_delete(txn, write->resource, &write->id);
        return NULL;
    }
    if (!is_strict(write->call)
        && txn_was_deleted(txn, write->resource, &write->id)) {
        return NULL;
    }
    return missing(write->resource);
}

/* A 'model_edit'. */
static struct err *
write_edit(struct txn *txn, void *write_)
{
    struct write *write = write_;
    if (!write->call->api) {
        return err_new(ERR_UNAVAILABLE, NULL, "stopping");
    }
    ds_clear(&write->call->response.body);
    switch (write->kind) {
    case WRITE_CREATE:
        return write_create(write, txn);
    case WRITE_UPDATE:
        return write_update(write, txn);
    case WRITE_DELETE:
        return write_delete(write, txn);
    }
    ovs_assert(false);
    return NULL;
}

/* A 'model_done'. */
static void
write_done(struct err *err, void *write_)
{
    AUTO(write) *write = write_;
    struct call *call = write->call;

    if (!err) {
        err = STEAL(write->failure);
    }
    if (!call->api) {
        err_destroy(err);
        call_answer(call, 503); /* Only frees it. */
    } else if (err) {
        rest_fail(call, err);
    } else if (write->kind == WRITE_CREATE) {
        call_answer(call, 201);
    } else if (write->kind == WRITE_UPDATE) {
        call_answer(call, 200);
    } else {
        call_answer(call, 204);
    }
}

/* Hands the write to the store. */
static void
write_send(struct write *write)
{
    model_write(write->call->api->model, write_edit, write_done, write);
}

static struct write *
write_create_context(struct call *call, enum write_kind kind,
                     const struct resource *resource)
{
    struct write *write = NEW(struct write);
    write->call = call;
    write->kind = kind;
    write->resource = resource;
    return write;
}

/* Decoding. */

/* Parses the body, which must be an object. */
static struct err *OVS_WARN_UNUSED_RESULT
body_parse(const struct call *call, struct json **jsonp)
{
    struct json *json = NULL;
    struct err *err = json_parse_limited(
        call->request->body ? call->request->body : "",
        call->request->body_size, call->api->settings.max_depth, &json);
    if (err) {
        return err;
    }
    if (json->type != JSON_OBJECT) {
        json_destroy(json);
        return err_new(ERR_INVALID, NULL, "the body is not a JSON object");
    }
    *jsonp = json;
    return NULL;
}

/* Finds the object or the list of objects inside its wrapper. */
static const struct json *
body_unwrap(const struct json *body, const struct resource *resource)
{
    const struct json *inner = jget(body, resource->shape.name);
    if (inner && (inner->type == JSON_OBJECT || inner->type == JSON_ARRAY)) {
        return inner;
    }
    inner = jget(body, resource->plural);
    return inner && inner->type == JSON_ARRAY ? inner : NULL;
}

static void
write_add_embedded(struct write *write, struct entity *e)
{
    ARRAY_GROW(write->embedded, write->n_embedded, write->allocated_embedded);
    write->embedded[write->n_embedded++] = e;
}

/* Rules inside a new security group count as if they had been posted one by
 * one, as Neutron's driver does too.  Those that are malformed are left to
 * their own requests. */
static void
write_decode_embedded(struct write *write, const struct json *object)
{
    const struct resource *rules =
        model_resource(write->call->api->model, "security_group_rule");
    const struct json *list = jget(object, "security_group_rules");
    const char *group = jget_text(object, "id");

    if (!rules || !list || list->type != JSON_ARRAY || !group
        || is_strict(write->call)
        || strcmp(write->resource->shape.name, "security_group")) {
        return;
    }
    for (size_t i = 0; i < json_array(list)->n; i++) {
        const struct json *rule = json_array(list)->elems[i];
        const char *of = jget_text(rule, "security_group_id");
        struct entity *e = NULL;
        if (!of || strcmp(of, group)) {
            continue;
        }
        struct err *err = entity_from_json(rules, rule, NULL, 0, &e);
        if (!err) {
            err = entity_complete(e);
        }
        if (err) {
            err_destroy(err);
            entity_destroy(e);
        } else {
            write_add_embedded(write, e);
        }
    }
}

/* Decodes one object of a create. */
static struct err *OVS_WARN_UNUSED_RESULT
write_decode_one(struct write *write, const struct target *target,
                 struct json *object)
{
    if (object->type != JSON_OBJECT) {
        return err_new(ERR_INVALID, NULL, "%s is not a JSON object",
                       write->resource->shape.name);
    }
    if (target->parent) {
        json_object_put_string(object, field_json_name(target->parent),
                               target->parent_text);
    }

    AUTO(entity) *e = NULL;
    struct err *err = entity_from_json(write->resource, object, NULL, 0, &e);
    if (!err) {
        err = entity_complete(e);
    }
    if (err) {
        const char *id = jget_text(object, "id");
        return (id ? err_about(err, "%s %s", write->resource->shape.name, id)
                   : err_about(err, "%s", write->resource->shape.name));
    }
    ARRAY_GROW(write->entities, write->n_entities, write->allocated_entities);
    write->entities[write->n_entities++] = STEAL(e);
    write_decode_embedded(write, object);
    return NULL;
}

static struct err *OVS_WARN_UNUSED_RESULT
write_decode_create(struct write *write, const struct target *target)
{
    AUTO(json) *body = NULL;
    struct err *err = body_parse(write->call, &body);
    if (err) {
        return err;
    }
    const struct json *inner = body_unwrap(body, write->resource);
    if (!inner) {
        return err_new(ERR_INVALID, NULL, "Invalid requests");
    }

    write->is_list = inner->type == JSON_ARRAY;
    if (!write->is_list) {
        AUTO(json) *object = json_clone(inner);
        return write_decode_one(write, target, object);
    }
    const struct json_array *list = json_array(inner);
    for (size_t i = 0; i < list->n; i++) {
        err = write_decode_one(write, target, list->elems[i]);
        if (err && i && is_strict(write->call)) {
            write->failure = err; /* What came before is stored. */
            return NULL;
        }
        if (err) {
            return err_within(err, "%s[%zu].", write->resource->plural, i);
        }
    }
    return NULL;
}

static struct err *OVS_WARN_UNUSED_RESULT
write_decode_update(struct write *write, const struct target *target)
{
    AUTO(json) *body = NULL;
    struct err *err = body_parse(write->call, &body);
    if (err) {
        return err;
    }
    const struct json *inner = body_unwrap(body, write->resource);
    if (!inner) {
        return err_new(ERR_INVALID, NULL, "Invalid requests");
    }
    if (inner->type != JSON_OBJECT) {
        return err_new(ERR_INVALID, NULL, "Only singleton edit supported");
    }

    AUTO(json) *object = json_clone(inner);
    if (target->parent) {
        json_object_put_string(object, field_json_name(target->parent),
                               target->parent_text);
    }
    AUTO(entity) *e = NULL;
    err = entity_from_json(write->resource, object, &write->id, 0, &e);
    if (err) {
        return err_about(err, "%s %s", write->resource->shape.name,
                         target->id);
    }
    write->entities = mem_alloc(sizeof *write->entities);
    write->entities[write->n_entities++] = STEAL(e);
    return NULL;
}

/* Verbs. */

static void
rest_create(struct call *call, const struct target *target)
{
    AUTO(write) *write =
        write_create_context(call, WRITE_CREATE, target->resource);
    struct err *err = write_decode_create(write, target);
    if (err) {
        rest_fail(call, err);
    } else {
        write_send(STEAL(write));
    }
}

static void
rest_update(struct call *call, const struct target *target,
            const struct uuid *id)
{
    AUTO(write) *write =
        write_create_context(call, WRITE_UPDATE, target->resource);
    write->id = *id;
    struct err *err = write_decode_update(write, target);
    if (err) {
        rest_fail(call, err);
    } else {
        write_send(STEAL(write));
    }
}

static void
rest_delete(struct call *call, const struct target *target,
            const struct uuid *id)
{
    struct write *write =
        write_create_context(call, WRITE_DELETE, target->resource);
    write->id = *id;
    write_send(write);
}

static void
rest_show(struct call *call, const struct target *target,
          const struct uuid *id)
{
    const struct entity *e =
        model_find(call->api->model, target->resource, id);
    if (!e
        || (target->parent
            && !entity_matches(e, target->parent, target->parent_text))) {
        rest_fail(call, missing(target->resource));
        return;
    }

    const char **members = list_members(call->request);
    struct ds *body = &call->response.body;
    ds_put_format(body, "{\"%s\":", target->resource->shape.name);
    entity_answer(call->api, e, members, body);
    ds_put_char(body, '}');
    free(members);
    call_answer(call, 200);
}

/* PUT router/{id}/add_router_interface and remove_router_interface: hints
 * that are echoed.  Interfaces are made from ports. */
static void
rest_act(struct call *call, const struct target *target)
{
    if (strcmp(call->request->method, "PUT")) {
        call_put_header(call, "Allow", mem_text("PUT"));
        call_text(call, 405, "%s: only PUT", target->action);
        return;
    }
    struct json *body = NULL;
    struct err *err = body_parse(call, &body);
    if (err) {
        rest_fail(call, err);
    } else {
        call_json(call, 200, body);
    }
}

static void
rest_refuse_method(struct call *call, const struct target *target)
{
    const char *allowed =
        (!target->id                ? "GET, HEAD, POST"
         : target->resource->no_put ? "GET, HEAD, DELETE"
                                    : "GET, HEAD, PUT, DELETE");
    call_put_header(call, "Allow", mem_text(allowed));
    call_text(call, 405, "%s: method %s is not allowed",
              target->resource->shape.name, call->request->method);
}

static void
rest_handle_collection(struct call *call, const struct target *target)
{
    const char *method = call->request->method;
    if (!strcmp(method, "GET") || !strcmp(method, "HEAD")) {
        list_handle(call, target->resource, target->parent,
                    target->parent_text);
    } else if (!strcmp(method, "POST")) {
        rest_create(call, target);
    } else {
        rest_refuse_method(call, target);
    }
}

static void
rest_handle_item(struct call *call, const struct target *target)
{
    const char *method = call->request->method;
    struct uuid id;

    if (!strcmp(method, "PUT")
            ? target->resource->no_put
            : strcmp(method, "GET") && strcmp(method, "HEAD")
                  && strcmp(method, "DELETE")) {
        rest_refuse_method(call, target);
    } else if (!uid_from_text(target->id, &id)) {
        rest_fail(call, missing(target->resource));
    } else if (!strcmp(method, "PUT")) {
        rest_update(call, target, &id);
    } else if (!strcmp(method, "DELETE")) {
        rest_delete(call, target, &id);
    } else {
        rest_show(call, target, &id);
    }
}

void
rest_handle(struct call *call)
{
    const char *path = call->request->path + strlen(NEUTRON_BASE "/");
    struct target target;

    if (!target_find(&target, call->api->model, path)) {
        call_text(call, 404, "%s: no such collection", call->request->path);
        return;
    }
    if (target.action) {
        rest_act(call, &target);
    } else if (target.id) {
        rest_handle_item(call, &target);
    } else {
        rest_handle_collection(call, &target);
    }
    free(target.parent_text);
}
