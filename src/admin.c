/* SPDX-License-Identifier: Apache-2.0 */
/* Views for operators.
 *
 * Each is a row of 'admin_views' and a function that reads what the layers
 * offer and writes JSON.  None changes anything except the three that say so
 * by their method (forget a host, log level, backup).  None is on a hot path:
 * a view may visit everything.
 *
 * A view whose answer comes later (a dump of a switch, a backup) carries its
 * call along; the call outlives the api if need be. */

#include "admin.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/stat.h>

#include "openvswitch/vlog.h"

#include "daemon.h"
#include "net/net.h"
#include "weft-config.h"

#define MAX_PROBLEMS 100 /* Shown; the rest is counted. */

/* Names. */

/* The host called 'name' (its system-id, an alias, or its id), or null. */
static const struct host *
find_host(const struct daemon *daemon, const char *name)
{
    struct uuid id;
    if (uid_from_text(name, &id)) {
        const struct entity *host =
            model_find(daemon->model, &host_resource, &id);
        if (host) {
            return host_cast(host);
        }
    }
    size_t n;
    const struct entity **list = model_list(daemon->model, &host_resource, &n);
    const struct host *found = NULL;
    for (size_t i = 0; i < n && !found; i++) {
        const struct host *host = host_cast(list[i]);
        bool same = host->name && !strcmp(host->name, name);
        for (size_t j = 0; j < host->aliases.n && !same; j++) {
            same = !strcmp(host->aliases.items[j], name);
        }
        found = same ? host : NULL;
    }
    free(list);
    return found;
}

/* The host that the query names, or an error. */
static struct err *OVS_WARN_UNUSED_RESULT
require_host(const struct daemon *daemon, const char *name,
             const struct host **hostp)
{
    *hostp = name ? find_host(daemon, name) : NULL;
    return *hostp ? NULL
           : name ? err_new(ERR_MISSING, "host",
                            "there is no host \"%s\"; `weft hosts` lists them",
                            name)
                  : err_new(ERR_INVALID, "host", "say which host: ?host=NAME");
}

/* The name of any object, or null.  Caller frees. */
static char *
entity_name(const struct entity *entity)
{
    const struct field *field =
        entity ? shape_find(&entity->resource->shape, "name") : NULL;
    return field ? field_to_text(field, entity) : NULL;
}

/* "port 6f0c...", or just the id if nothing has it.  Caller frees. */
static char *
describe_id(const struct daemon *daemon, const struct uuid *id)
{
    for (size_t i = 0; i < model_n_resources(daemon->model); i++) {
        const struct resource *resource = model_resource_at(daemon->model, i);
        const struct entity *entity = model_find(daemon->model, resource, id);
        if (entity) {
            AUTO_TEXT *name = entity_name(entity);
            return resource == &host_resource && name
                       ? mem_textf("host %s", name)
                       : mem_textf("%s " UID_FMT "%s%s%s",
                                   resource->shape.name, UID_ARGS(id),
                                   name && *name ? " (" : "",
                                   name && *name ? name : "",
                                   name && *name ? ")" : "");
        }
    }
    return mem_textf(UID_FMT, UID_ARGS(id));
}

static struct json *
json_from_lines(const char *text)
{
    struct json *lines = json_array_create_empty();
    while (*text) {
        size_t length = strcspn(text, "\n");
        json_array_add(lines, json_string_create_nocopy(
                                  mem_textf("%.*s", (int) length, text)));
        text += length + (text[length] == '\n');
    }
    return lines;
}

/* Status. */

static void
view_ready(struct view_call *call, const struct request *request,
           const char *argument, void *daemon_)
{
    const struct daemon *daemon = daemon_;
    if (!daemon->ready) {
        view_fail(call, err_new(ERR_UNAVAILABLE, NULL, "%s",
                                daemon->draining ? "stopping" : "starting"));
        return;
    }
    struct json *answer = json_object_create();
    json_object_put(answer, "ready", json_boolean_create(true));
    view_answer(call, answer);
}

static void
put_problem(struct json *problems, const char *level, const char *about,
            const char *text)
{
    struct json *problem = json_object_create();
    json_object_put_string(problem, "level", level);
    json_object_put_string(problem, "about", about);
    json_object_put_string(problem, "text", text);
    json_array_add(problems, problem);
}

static void
put_host_problems(const struct daemon *daemon, struct json *problems)
{
    AUTO(json) *hosts = fabric_hosts(daemon->fabric);
    for (size_t i = 0; i < hosts->array.n; i++) {
        const struct json *host = hosts->array.elems[i];
        const char *name = jget_text(host, "name");
        AUTO_TEXT *about = mem_textf("host %s", name ? name : "?");
        bool connected = false;
        if (jget_bool(host, "connected", &connected) && !connected) {
            const char *why = jget_text(host, "last_error");
            put_problem(problems, "error", about, why ? why : "not connected");
        }
        const struct json *lacks = jget(host, "lacks");
        for (size_t j = 0;
             lacks && lacks->type == JSON_ARRAY && j < lacks->array.n; j++) {
            if (lacks->array.elems[j]->type == JSON_STRING) {
                put_problem(problems, "warning", about,
                            json_string(lacks->array.elems[j]));
            }
        }
    }
}

static struct json *
problems_to_json(const struct daemon *daemon)
{
    static const char *const levels[] = { "info", "warning", "error" };
    struct json *problems = json_array_create_empty();
    AUTO(json) *store = store_status(daemon->store);
    bool writable = true;
    if (jget_bool(store, "writable", &writable) && !writable) {
        put_problem(problems, "error", "store",
                    jget_text(store, "last_error"));
    }
    put_host_problems(daemon, problems);

    size_t n, n_left_out = 0;
    const struct note **notes = engine_notes(daemon->engine, NULL, &n);
    for (size_t i = 0; i < n; i++) {
        if (problems->array.n >= MAX_PROBLEMS) {
            n_left_out++;
            continue;
        }
        AUTO_TEXT *about = describe_id(daemon, &notes[i]->about);
        put_problem(problems, levels[notes[i]->level], about, notes[i]->text);
    }
    free(notes);
    if (n_left_out) {
        AUTO_TEXT *text =
            mem_textf("%zu more problems are not shown", n_left_out);
        put_problem(problems, "info", "all", text);
    }
    return problems;
}

static struct json *
objects_to_json(const struct daemon *daemon)
{
    struct json *objects = json_object_create();
    for (size_t i = 0; i < model_n_resources(daemon->model); i++) {
        const struct resource *resource = model_resource_at(daemon->model, i);
        if (!resource->internal && !resource->volatile_) {
            json_object_put(
                objects, resource->shape.name,
                json_integer_create(model_count(daemon->model, resource)));
        }
    }
    return objects;
}

static struct json *
host_counts_to_json(const struct daemon *daemon)
{
    size_t n, n_connected = 0;
    const struct entity **hosts =
        model_list(daemon->model, &host_resource, &n);
    for (size_t i = 0; i < n; i++) {
        n_connected += switches_is_connected(daemon->switches, &hosts[i]->id);
    }
    free(hosts);
    struct json *counts = json_object_create();
    json_object_put(counts, "known", json_integer_create(n));
    json_object_put(counts, "connected", json_integer_create(n_connected));
    return counts;
}

static void
view_status(struct view_call *call, const struct request *request,
            const char *argument, void *daemon_)
{
    const struct daemon *daemon = daemon_;
    if (!daemon->store) {
        view_fail(call, err_new(ERR_UNAVAILABLE, NULL, "stopping"));
        return;
    }
    struct json *status = json_object_create();
    json_object_put_string(status, "version", WEFT_VERSION);
    json_object_put(status, "started",
                    json_integer_create((long long) daemon->started));
    json_object_put(status, "uptime_s",
                    json_integer_create((long long) (loop_wall(daemon->loop)
                                                     - daemon->started)));
    json_object_put(status, "ready", json_boolean_create(daemon->ready));
    json_object_put_string(status, "compat",
                           daemon->config->northbound.compat);
    json_object_put(status, "objects", objects_to_json(daemon));
    json_object_put(status, "hosts", host_counts_to_json(daemon));
    json_object_put(status, "store", store_status(daemon->store));
    json_object_put(status, "engine", engine_status(daemon->engine));
    json_object_put(status, "rules",
                    json_integer_create(scopes_n_items(daemon->scopes)));
    json_object_put(status, "problems", problems_to_json(daemon));
    view_answer(call, status);
}

/* Hosts. */

static void
view_hosts(struct view_call *call, const struct request *request,
           const char *argument, void *daemon_)
{
    const struct daemon *daemon = daemon_;
    struct json *answer = json_object_create();
    json_object_put(answer, "hosts", fabric_hosts(daemon->fabric));
    view_answer(call, answer);
}

static void
forget_done(struct err *err, void *call)
{
    if (err) {
        view_fail(call, err);
    } else {
        view_answer(call, json_object_create());
    }
}

static void
view_forget_host(struct view_call *call, const struct request *request,
                 const char *argument, void *daemon_)
{
    const struct daemon *daemon = daemon_;
    fabric_forget_host(daemon->fabric, argument, forget_done, call);
}

/* Rules. */

static int
compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static struct json *
scope_to_json(const struct daemon *daemon, const struct scope *scope)
{
    char **texts = NULL;
    size_t n = 0, allocated = 0;
    const struct item *item;
    SCOPE_FOR_EACH_ITEM (item, scope) {
        ARRAY_GROW(texts, n, allocated);
        texts[n++] = item_to_text(item);
    }
    struct json *items = json_array_create_empty();
    if (n) {
        qsort(texts, n, sizeof *texts, compare_texts);
    }
    for (size_t i = 0; i < n; i++) {
        json_array_add(items, json_string_create_nocopy(texts[i]));
    }
    free(texts);

    struct scope_id id = scope_id(scope);
    const struct resource *resource =
        id.kind == SCOPE_HOST      ? &host_resource
        : id.kind == SCOPE_SEGMENT ? model_resource(daemon->model, "network")
        : id.kind == SCOPE_ROUTER  ? model_resource(daemon->model, "router")
                                   : NULL;
    AUTO_TEXT *name =
        resource ? entity_name(model_find(daemon->model, resource, &id.id))
                 : NULL;
    struct json *json = json_object_create();
    json_object_put(json, "scope",
                    json_string_create_nocopy(scope_id_to_text(&id)));
    json_object_put_string(json, "name", name ? name : "");
    json_object_put(json, "subscribers",
                    json_integer_create(scope_n_subscribers(scope)));
    json_object_put(json, "items", items);
    return json;
}

/* "all", "host:compute-1", "segment:<id>", as in ?scope=. */
static struct err *OVS_WARN_UNUSED_RESULT
scope_from_text(const struct daemon *daemon, const char *text,
                struct scope_id *idp)
{
    struct scope_id id = { .kind = SCOPE_ALL };
    const char *colon = strchr(text, ':');
    static const char *const kinds[] = {
#define SCOPE_KIND(ID, NAME) NAME,
        SCOPE_KINDS
#undef SCOPE_KIND
    };
    size_t length = colon ? colon - text : strlen(text);
    while (id.kind < N_SCOPE_KINDS
           && (strlen(kinds[id.kind]) != length
               || memcmp(kinds[id.kind], text, length))) {
        id.kind++;
    }
    if (id.kind == N_SCOPE_KINDS || (id.kind != SCOPE_ALL && !colon)) {
        return err_new(ERR_INVALID, "scope",
                       "\"%s\" is not a scope: all, host:NAME, segment:ID",
                       text);
    }
    if (id.kind == SCOPE_HOST) {
        const struct host *host;
        struct err *err = require_host(daemon, colon + 1, &host);
        if (err) {
            return err;
        }
        id.id = host->entity.id;
    } else if (id.kind != SCOPE_ALL && !uid_from_text(colon + 1, &id.id)) {
        return err_new(ERR_INVALID, "scope", "\"%s\" is not an id", colon + 1);
    }
    *idp = id;
    return NULL;
}

/* The scopes asked for: '*np' of them in an array that the caller frees. */
static struct err *OVS_WARN_UNUSED_RESULT
select_scopes(const struct daemon *daemon, const struct request *request,
              const struct scope ***scopesp, size_t *np)
{
    const char *wanted = request_query(request, "scope");
    const char *name = request_query(request, "host");
    if (wanted) {
        struct scope_id id;
        struct err *err = scope_from_text(daemon, wanted, &id);
        if (err) {
            return err;
        }
        const struct scope *scope = scopes_find(daemon->scopes, id);
        *scopesp = mem_clone(&scope, sizeof scope);
        *np = scope != NULL;
    } else if (name) {
        const struct host *host;
        struct err *err = require_host(daemon, name, &host);
        if (err) {
            return err;
        }
        *scopesp = scopes_of_host(daemon->scopes, &host->entity.id, np);
    } else {
        *scopesp = scopes_list(daemon->scopes, np);
    }
    return NULL;
}

static int
compare_scopes(const void *a_, const void *b_)
{
    struct scope_id a = scope_id(*(const struct scope *const *) a_);
    struct scope_id b = scope_id(*(const struct scope *const *) b_);
    return a.kind != b.kind ? (a.kind < b.kind ? -1 : 1)
                            : uid_compare(&a.id, &b.id);
}

static void
view_rules(struct view_call *call, const struct request *request,
           const char *argument, void *daemon_)
{
    const struct daemon *daemon = daemon_;
    const struct scope **scopes;
    size_t n;
    struct err *err = select_scopes(daemon, request, &scopes, &n);
    if (err) {
        view_fail(call, err);
        return;
    }
    if (n) {
        qsort(scopes, n, sizeof *scopes, compare_scopes);
    }
    struct json *list = json_array_create_empty();
    for (size_t i = 0; i < n; i++) {
        json_array_add(list, scope_to_json(daemon, scopes[i]));
    }
    free(scopes);
    struct json *answer = json_object_create();
    json_object_put(answer, "scopes", list);
    view_answer(call, answer);
}

/* What a switch says, later. */
struct live {
    struct view_call *call;
    char *host;
};

static void
live_done(struct json *result, void *live_)
{
    struct live *live = live_;
    const char *problem =
        result ? jget_text(result, "error") : "not connected";
    if (problem) {
        view_fail(live->call, err_new(ERR_UNAVAILABLE, "host", "host %s: %s",
                                      live->host, problem));
        json_destroy(result);
    } else {
        view_answer(live->call, result);
    }
    free(live->host);
    free(live);
}

static void
view_live(struct view_call *call, const struct request *request,
          const char *argument, void *daemon_)
{
    struct daemon *daemon = daemon_;
    const struct host *host;
    struct err *err =
        require_host(daemon, request_query(request, "host"), &host);
    if (!err && !switches_is_connected(daemon->switches, &host->entity.id)) {
        err = err_new(ERR_UNAVAILABLE, "host", "host %s is not connected",
                      host->name ? host->name : "?");
    }
    if (err) {
        view_fail(call, err);
        return;
    }
    struct live *live = NEW(struct live);
    live->call = call;
    live->host = mem_text(host->name ? host->name : "?");
    switches_dump(daemon->switches, &host->entity.id, live_done, live);
}

static void
explain_done(struct json *explanation, void *call)
{
    if (explanation) {
        view_answer(call, explanation);
    } else {
        view_fail(call, err_new(ERR_MISSING, "port", "no such port"));
    }
}

static void
view_explain(struct view_call *call, const struct request *request,
             const char *argument, void *daemon_)
{
    const struct daemon *daemon = daemon_;
    struct uuid id;
    if (!uid_from_text(argument, &id)) {
        view_fail(call, err_new(ERR_INVALID, "port", "\"%s\" is not an id",
                                argument));
        return;
    }
    fabric_explain(daemon->fabric, &id, explain_done, call);
}

/* Checks. */

static void
view_check_engine(struct view_call *call, const struct request *request,
                  const char *argument, void *daemon_)
{
    const struct daemon *daemon = daemon_;
    AUTO_DS report = DS_EMPTY_INITIALIZER;
    size_t n = engine_check(daemon->engine, &report);
    struct json *answer = json_object_create();
    json_object_put(answer, "differences", json_integer_create(n));
    json_object_put(answer, "report", json_from_lines(ds_cstr(&report)));
    view_answer(call, answer);
}

static void
check_done(struct json *result, void *call)
{
    view_answer(call, result);
}

static void
view_check_switches(struct view_call *call, const struct request *request,
                    const char *argument, void *daemon_)
{
    struct daemon *daemon = daemon_;
    const char *name = request_query(request, "host");
    const struct host *host = NULL;
    struct err *err = name ? require_host(daemon, name, &host) : NULL;
    if (err) {
        view_fail(call, err);
        return;
    }
    switches_check(daemon->switches, host ? &host->entity.id : NULL,
                   check_done, call);
}

/* Log levels. */

static void
view_log(struct view_call *call, const struct request *request,
         const char *argument, void *daemon_)
{
    /* A table whose first two columns are module and level on the console,
     * below two lines of heading. */
    char *table = vlog_get_levels();
    char *cursor = table;
    char *line;
    struct json *modules = json_array_create_empty();
    for (int i = 0; (line = strsep(&cursor, "\n")) != NULL; i++) {
        char module[64], level[16];
        if (i < 2 || sscanf(line, "%63s %15s", module, level) != 2) {
            continue;
        }
        for (char *c = level; *c; c++) {
            *c = tolower((unsigned char) *c);
        }
        struct json *one = json_object_create();
        json_object_put_string(one, "module", module);
        json_object_put_string(one, "level", level);
        json_array_add(modules, one);
    }
    free(table);
    struct json *answer = json_object_create();
    json_object_put(answer, "modules", modules);
    view_answer(call, answer);
}

struct err *
admin_set_log_level(const char *module, const char *level)
{
    if (vlog_get_level_val(level) >= VLL_N_LEVELS) {
        return err_new(ERR_INVALID, "level",
                       "\"%s\" is not off, err, warn, info or dbg", level);
    }
    bool all = !strcmp(module, "all");
    if (!all
        && (!*module || strpbrk(module, " ,:\t")
            || vlog_get_destination_val(module) < VLF_N_DESTINATIONS)) {
        return err_new(ERR_INVALID, "module", "\"%s\" is not a module",
                       module);
    }
    static const char *const destinations[] = { "console", "file" };
    for (size_t i = 0; i < 2; i++) {
        AUTO_TEXT *words = mem_textf("%s:%s:%s", all ? "any" : module,
                                     destinations[i], level);
        AUTO_TEXT *problem = vlog_set_levels_from_string(words);
        if (problem) {
            return err_new(ERR_INVALID, "module",
                           "there is no module \"%s\"; `weft log` lists them",
                           module);
        }
    }
    return NULL;
}

/* The body as a JSON object. */
static struct err *OVS_WARN_UNUSED_RESULT
body_parse(const struct request *request, struct json **bodyp)
{
    struct err *err = json_parse_limited(request->body ? request->body : "",
                                         request->body_size, 8, bodyp);
    if (!err && (*bodyp)->type != JSON_OBJECT) {
        json_destroy(STEAL(*bodyp));
        err = err_new(ERR_INVALID, NULL, "the body is not a JSON object");
    }
    return err;
}

static void
view_set_log(struct view_call *call, const struct request *request,
             const char *argument, void *daemon_)
{
    AUTO(json) *body = NULL;
    struct err *err = body_parse(request, &body);
    if (!err) {
        const char *module = jget_text(body, "module");
        const char *level = jget_text(body, "level");
        err = module && level
                  ? admin_set_log_level(module, level)
                  : err_new(ERR_INVALID, module ? "level" : "module",
                            "must be given, as in "
                            "{\"module\": \"store\", \"level\": \"dbg\"}");
    }
    if (err) {
        view_fail(call, err);
    } else {
        view_log(call, request, argument, daemon_);
    }
}

/* Backup. */

struct backup_call {
    struct view_call *call;
    char *path;
};

static void
backup_call_done(struct err *err, void *backup_)
{
    struct backup_call *backup = backup_;
    struct stat st;
    if (err) {
        view_fail(backup->call, err);
    } else {
        long long int bytes = stat(backup->path, &st) ? 0 : st.st_size;
        struct json *answer = json_object_create();
        json_object_put_string(answer, "path", backup->path);
        json_object_put(answer, "bytes", json_integer_create(bytes));
        view_answer(backup->call, answer);
    }
    free(backup->path);
    free(backup);
}

static void
view_backup(struct view_call *call, const struct request *request,
            const char *argument, void *daemon_)
{
    struct daemon *daemon = daemon_;
    AUTO(json) *body = NULL;
    struct err *err = body_parse(request, &body);
    const char *path = err ? NULL : jget_text(body, "path");
    if (!err && (!path || *path != '/')) {
        err = err_new(ERR_INVALID, "path",
                      "must be an absolute path, on the machine of weftd");
    } else if (!err && !daemon->store) {
        err = err_new(ERR_UNAVAILABLE, NULL, "stopping");
    }
    if (err) {
        view_fail(call, err);
        return;
    }
    struct backup_call *backup = NEW(struct backup_call);
    backup->call = call;
    backup->path = mem_text(path);
    store_backup(daemon->store, path, backup_call_done, backup);
}

static const struct view admin_views[] = {
    { "GET", "/ready", "Is the daemon ready to serve?", view_ready },
    { "GET", "/weft/v1/status", "How the daemon is doing", view_status },
    { "GET", "/weft/v1/hosts", "Hosts and their switches", view_hosts },
    { "DELETE", "/weft/v1/hosts/{}", "Forget a host that is gone for good",
      view_forget_host },
    { "GET", "/weft/v1/rules",
      "What switches should hold: ?host=NAME or ?scope=KIND:ID", view_rules },
    { "GET", "/weft/v1/live", "What a switch holds: ?host=NAME", view_live },
    { "GET", "/weft/v1/explain/{}", "Why a port works or does not",
      view_explain },
    { "POST", "/weft/v1/check/engine",
      "Compare the rules with rules compiled from scratch",
      view_check_engine },
    { "POST", "/weft/v1/check/switches",
      "Compare what switches hold with what they should",
      view_check_switches },
    { "GET", "/weft/v1/log", "Log levels by module", view_log },
    { "PUT", "/weft/v1/log", "Set the log level of a module", view_set_log },
    { "POST", "/weft/v1/backup", "Copy the store to a file", view_backup },
};

void
admin_register(struct daemon *daemon)
{
    for (size_t i = 0; i < sizeof admin_views / sizeof *admin_views; i++) {
        api_add_view(daemon->api, &admin_views[i], daemon);
    }
}
