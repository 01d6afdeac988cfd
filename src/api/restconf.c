/* SPDX-License-Identifier: Apache-2.0 */
/* The RESTCONF paths that Neutron's driver reads (spec of the driver, section
 * 6; spec of the northbound, sections 10 to 13).
 *
 *     operational/neutron:neutron/neutron:features       what we can do
 *     operational/neutron:neutron/hostconfigs            where to bind ports
 *     operational/neutron:neutron/ports/port/{id}        status, pulled
 *     operations/sal-remote:create-data-change-...       status, pushed
 *     streams/stream/{name}                              ... where
 *     modules                                            is anybody there?
 *
 * No more of RESTCONF is offered. */

#include "api/api-private.h"

#define NEUTRON_PATH "/restconf/operational/neutron:neutron/"
#define SUBSCRIBE_PATH                                                        \
    "/restconf/operations/sal-remote:create-data-change-event-subscription"
#define STREAM_PATH "/restconf/streams/stream/"

/* Announced to the driver.  Not "qos-rules": it would open rule types to users
 * that no switch obeys yet. */
static const char *const features[] = {
    "neutron-extensions:operational-port-status",
    "neutron-extensions:bgpvpn-vni",
};

static void
answer_wrapped(struct call *call, const char *name, struct json *inner)
{
    struct json *answer = json_object_create();
    json_object_put(answer, name, inner);
    call_json(call, 200, answer);
}

static void
answer_missing(struct call *call)
{
    call_fail(call, err_new(ERR_MISSING, NULL, "%s: no such data",
                            call->request->path));
}

static void
restconf_features(struct call *call, const char *rest)
{
    struct json *list = json_array_create_empty();
    for (size_t i = 0; i < N_ITEMS(features); i++) {
        struct json *feature = json_object_create();
        json_object_put_string(feature, "service-provider-feature",
                               features[i]);
        json_array_add(list, feature);
    }
    struct json *inner = json_object_create();
    json_object_put(inner, "feature", list);
    answer_wrapped(call, "features", inner);
}

static void
restconf_hosts(struct call *call, const char *rest)
{
    struct json *list = hosts_configs(call->api->hosts, NULL, NULL);
    if (!json_array(list)->n) {
        json_destroy(list);
        answer_missing(call);
        return;
    }
    struct json *inner = json_object_create();
    json_object_put(inner, "hostconfig", list);
    answer_wrapped(call, "hostconfigs", inner);
}

/* 'rest' is "host-id/host-type". */
static void
restconf_host(struct call *call, const char *rest)
{
    const char *type = strrchr(rest, '/');
    if (!type || type == rest) {
        answer_missing(call);
        return;
    }

    AUTO_TEXT *id = mem_text(rest);
    id[type - rest] = '\0';
    struct json *list = hosts_configs(call->api->hosts, id, type + 1);
    if (!json_array(list)->n) {
        json_destroy(list);
        answer_missing(call);
        return;
    }
    answer_wrapped(call, "hostconfig", list);
}

static void
restconf_port(struct call *call, const char *rest)
{
    const struct api *api = call->api;
    const struct resource *ports = model_resource(api->model, "port");
    struct uuid id;
    if (!ports || !uid_from_text(rest, &id)
        || !model_find(api->model, ports, &id)) {
        answer_missing(call);
        return;
    }

    bool wired = api->fabric && fabric_is_wired(api->fabric, &id);
    char text[UID_LENGTH + 1];
    uid_to_text(&id, text);
    struct json *port = json_object_create();
    json_object_put_string(port, "uuid", text);
    json_object_put_string(port, "status", wired ? "ACTIVE" : "DOWN");
    answer_wrapped(call, "port", json_array_create_1(port));
}

static void
restconf_modules(struct call *call, const char *rest)
{
    struct json *inner = json_object_create();
    json_object_put(inner, "module", json_array_create_empty());
    answer_wrapped(call, "modules", inner);
}

static void
restconf_statistics(struct call *call, const char *rest)
{
    answer_wrapped(call, "flow_capable_switches", json_array_create_empty());
}

static void
restconf_subscribe(struct call *call, const char *rest)
{
    struct json *body = NULL;
    struct err *err = json_parse_limited(
        call->request->body ? call->request->body : "",
        call->request->body_size, call->api->settings.max_depth, &body);
    if (err) {
        call_fail(call, err);
        return;
    }
    events_subscribe(call, body);
    json_destroy(body);
}

static const struct {
    const char *method;
    const char *path;
    bool takes_more; /* A path below, given as 'rest'. */
    void (*handle)(struct call *, const char *rest);
} paths[] = {
    { "GET", NEUTRON_PATH "neutron:features", false, restconf_features },
    { "GET", NEUTRON_PATH "features", false, restconf_features },
    { "GET", NEUTRON_PATH "hostconfigs", false, restconf_hosts },
    { "GET", NEUTRON_PATH "neutron:hostconfigs", false, restconf_hosts },
    { "GET", NEUTRON_PATH "hostconfigs/hostconfig/", true, restconf_host },
    { "GET", NEUTRON_PATH "ports/port/", true, restconf_port },
    { "POST", SUBSCRIBE_PATH, false, restconf_subscribe },
    { "GET", STREAM_PATH, true, events_locate },
    { "GET", "/restconf/modules", false, restconf_modules },
    { "GET", "/controller/statistics/flow-capable-switches", false,
      restconf_statistics },
};

void
restconf_handle(struct call *call)
{
    const char *path = call->request->path;
    bool known = false;

    for (size_t i = 0; i < N_ITEMS(paths); i++) {
        if (paths[i].takes_more ? !text_starts_with(path, paths[i].path)
                                : strcmp(path, paths[i].path)) {
            continue;
        }
        known = true;
        if (!strcmp(call->request->method, paths[i].method)
            || (!strcmp(call->request->method, "HEAD")
                && !strcmp(paths[i].method, "GET"))) {
            paths[i].handle(call, path + strlen(paths[i].path));
            return;
        }
    }
    if (known) {
        call_fail(call, err_new(ERR_METHOD, NULL, "%s: not with %s", path,
                                call->request->method));
    } else {
        answer_missing(call);
    }
}
