/* SPDX-License-Identifier: Apache-2.0 */

/* The laboratory of "lab/lab.h". */

#include "lab/lab.h"

#include <stdio.h>

static void OVS_NO_RETURN OVS_PRINTF_FORMAT(1, 2)
    lab_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("lab: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

static void
lab_applied(const struct change *changes, size_t n, void *lab_)
{
    struct lab *lab = lab_;
    engine_changed(lab->engine, changes, n);
}

static const struct pass *lab_passes[64];
static const struct index_def *lab_indexes[32];

static void
gather_passes(void)
{
    size_t n = 0;
    for (size_t i = 0; neutron_passes[i]; i++) {
        lab_passes[n++] = neutron_passes[i];
    }
    for (size_t i = 0; compile_passes[i]; i++) {
        lab_passes[n++] = compile_passes[i];
    }
    lab_passes[n] = NULL;
    n = 0;
    for (size_t i = 0; neutron_indexes[i]; i++) {
        lab_indexes[n++] = neutron_indexes[i];
    }
    for (size_t i = 0; compile_indexes[i]; i++) {
        lab_indexes[n++] = compile_indexes[i];
    }
    lab_indexes[n] = NULL;
}

struct lab *
lab_create(void)
{
    struct lab *lab = NEW(struct lab);
    lab->model = model_create();
    net_register(lab->model);
    neutron_register(lab->model);
    lab->scopes = scopes_create();
    gather_passes();
    lab->engine =
        engine_create(lab->model, lab->scopes, lab_passes, lab_indexes,
                      &(struct compile_settings){ .underlay_mtu = 1500 });
    model_observe(lab->model, lab_applied, lab);
    return lab;
}

void
lab_destroy(struct lab *lab)
{
    if (lab) {
        engine_destroy(lab->engine);
        scopes_destroy(lab->scopes);
        model_destroy(lab->model);
        free(lab);
    }
}

void
lab_put_json(struct lab *lab, const char *name, const struct json *body)
{
    const struct resource *resource = model_resource(lab->model, name);
    if (!resource) {
        lab_fail("no resource %s", name);
    }
    AUTO(entity) *entity = NULL;
    AUTO(err) *err = entity_from_json(resource, body, NULL, 0, &entity);
    if (!err) {
        err = entity_complete(entity);
    }
    if (err) {
        lab_fail("%s: %s: %s", name, err->field, err->text);
    }
    struct txn *txn = txn_create(lab->model);
    txn_put(txn, STEAL(entity));
    txn_apply(txn);
}

void
lab_put(struct lab *lab, const char *name, const char *body)
{
    AUTO(json) *json = json_from_string(body);
    if (json->type == JSON_STRING) {
        lab_fail("%s: %s", body, json_string(json));
    }
    lab_put_json(lab, name, json);
}

static void
lab_delete_id(struct lab *lab, const struct resource *resource,
              const struct uuid *id)
{
    struct txn *txn = txn_create(lab->model);
    if (txn_find(txn, resource, id)) {
        txn_delete(txn, resource, id);
    }
    txn_apply(txn);
}

static struct uuid
parse_id(const char *text)
{
    struct uuid id;
    if (!text || !uid_from_text(text, &id)) {
        lab_fail("%s is not an id", text);
    }
    return id;
}

void
lab_delete(struct lab *lab, const char *name, const char *id_text)
{
    struct uuid id = parse_id(id_text);
    lab_delete_id(lab, model_resource(lab->model, name), &id);
}

struct uuid
lab_host_id(const char *name)
{
    return host_id_from_name(name);
}

static void
lab_put_physnet(struct lab *lab, const char *name)
{
    struct uuid id = physnet_id_from_name(name);
    AUTO_TEXT *body = mem_textf("{\"id\":\"" UID_FMT "\",\"name\":\"%s\"}",
                                UID_ARGS(&id), name);
    lab_put(lab, "physnet", body);
}

void
lab_host(struct lab *lab, const char *name, const char *tunnel_address,
         const char *physnet)
{
    struct uuid id = lab_host_id(name);
    AUTO_DS body = DS_EMPTY_INITIALIZER;
    ds_put_format(&body, "{\"id\":\"" UID_FMT "\",\"name\":\"%s\"",
                  UID_ARGS(&id), name);
    if (tunnel_address) {
        ds_put_format(&body,
                      ",\"tunnel_address\":\"%s\",\"tunnels\":["
                      "{\"carrier\":\"vxlan\",\"ofport\":1},"
                      "{\"carrier\":\"gre\",\"ofport\":2},"
                      "{\"carrier\":\"geneve\",\"ofport\":3}]",
                      tunnel_address);
    }
    if (physnet) {
        lab_put_physnet(lab, physnet);
        ds_put_format(&body,
                      ",\"physnets\":[{\"name\":\"%s\",\"target\":\"eth1\","
                      "\"ofport\":4}]",
                      physnet);
    }
    ds_put_char(&body, '}');
    lab_put(lab, "host", ds_cstr(&body));
}

void
lab_plug(struct lab *lab, const char *host, const char *endpoint_text,
         uint32_t ofport)
{
    struct uuid host_id = lab_host_id(host);
    struct uuid endpoint = parse_id(endpoint_text);
    struct uuid id = plug_id(&host_id, &endpoint);
    AUTO_TEXT *body = mem_textf(
        "{\"id\":\"" UID_FMT "\",\"host\":\"" UID_FMT "\","
        "\"endpoint\":\"" UID_FMT "\",\"ofport\":%u}",
        UID_ARGS(&id), UID_ARGS(&host_id), UID_ARGS(&endpoint), ofport);
    lab_put(lab, "plug", body);
}

void
lab_unplug(struct lab *lab, const char *host, const char *endpoint_text)
{
    struct uuid host_id = lab_host_id(host);
    struct uuid endpoint = parse_id(endpoint_text);
    struct uuid id = plug_id(&host_id, &endpoint);
    lab_delete_id(lab, &plug_resource, &id);
}

static void
lab_step(struct lab *lab, const struct json *step)
{
    const char *text;
    int64_t ofport = 0;
    if ((text = jget_text(step, "put"))) {
        lab_put_json(lab, text, jget(step, "body"));
    } else if ((text = jget_text(step, "delete"))) {
        lab_delete(lab, text, jget_text(step, "id"));
    } else if ((text = jget_text(step, "plug"))) {
        (void) jget_int(step, "ofport", &ofport);
        lab_plug(lab, jget_text(step, "host"), text, ofport);
    } else if ((text = jget_text(step, "unplug"))) {
        lab_unplug(lab, jget_text(step, "host"), text);
    } else if ((text = jget_text(step, "host"))) {
        lab_host(lab, text, jget_text(step, "tunnel_address"),
                 jget_text(step, "physnet"));
    } else {
        lab_fail("a step is none of put, delete, host, plug, unplug");
    }
}

void
lab_steps(struct lab *lab, const struct json *root)
{
    const struct json *steps = jget(root, "steps");
    if (!steps || steps->type != JSON_ARRAY) {
        lab_fail("no \"steps\"");
    }
    for (size_t i = 0; i < steps->array.n; i++) {
        lab_step(lab, steps->array.elems[i]);
    }
}

void
lab_run(struct lab *lab)
{
    AUTO_DS report = DS_EMPTY_INITIALIZER;
    (void) engine_run(lab->engine, SIZE_MAX);
    scopes_publish(lab->scopes);
    if (engine_check(lab->engine, &report)) {
        lab_fail("incremental differs from scratch:\n%s", ds_cstr(&report));
    }
}

static int
compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static void
dump_scope(const struct scope *scope, struct ds *out)
{
    struct scope_id id = scope_id(scope);
    AUTO_TEXT *name = scope_id_to_text(&id);
    char **lines = NULL;
    size_t n = 0, allocated = 0;
    const struct item *item;
    SCOPE_FOR_EACH_ITEM (item, scope) {
        ARRAY_GROW(lines, n, allocated);
        lines[n++] = item_to_text(item);
    }
    if (n) {
        qsort(lines, n, sizeof *lines, compare_texts);
        ds_put_format(out, "%s (%zu subscribers)\n", name,
                      scope_n_subscribers(scope));
    }
    for (size_t i = 0; i < n; i++) {
        ds_put_format(out, "  %s\n", lines[i]);
        free(lines[i]);
    }
    free(lines);
}

static void
dump_notes(const struct lab *lab, struct ds *out)
{
    size_t n;
    const struct note **notes = engine_notes(lab->engine, NULL, &n);
    for (size_t i = 0; i < n; i++) {
        ds_put_format(out, "note " UID_FMT ": %s\n",
                      UID_ARGS(&notes[i]->about), notes[i]->text);
    }
    free(notes);
}

void
lab_dump(const struct lab *lab, struct ds *out)
{
    size_t n;
    const struct scope **scopes = scopes_list(lab->scopes, &n);
    for (size_t i = 0; i < n; i++) {
        dump_scope(scopes[i], out);
    }
    free(scopes);
    dump_notes(lab, out);
}
