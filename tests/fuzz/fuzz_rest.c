/* SPDX-License-Identifier: Apache-2.0 */

/* Fuzzes the northbound from the request on: the input is a list of requests,
 * separated by lines of "%%".  Of each, the first line is method and target,
 * the rest is the body.  A '!' in front of everything chooses OpenDaylight's
 * rule set.
 *
 * Every request is answered exactly once, with a status that a client knows
 * and a body that is what its type says; and what is stored in the end can be
 * listed. */

#include "fuzz/fuzz.h"

#include "api/api.h"

#define BASE         "/controller/nb/v2/neutron/"
#define MAX_REQUESTS 16

bool
fabric_is_wired(const struct fabric *fabric, const struct uuid *id)
{
    return id->parts[3] & 1;
}

struct json *
fabric_hosts(const struct fabric *fabric)
{
    return json_array_create_empty();
}

struct run {
    struct api *api;
    bool strict;
    int n_answers;
    int status;
};

static void
answered(struct request *request, struct response *response, void *run_)
{
    struct run *run = run_;
    run->n_answers++;
    run->status = response->status;
    ovs_assert(response->status >= 101 && response->status < 600);
    ovs_assert(response->status != 406 && response->status / 100 != 3);
    if (response->feed) {
        return;
    }

    /* These echo what was sent. */
    bool echo =
        run->strict && (response->status == 409 || response->status == 442);
    if (!response->content_type && response->body.length && !echo) {
        struct json *json = NULL;
        struct err *err = json_parse_limited(
            response->body.string, response->body.length, 100, &json);
        ovs_assert(!err && json->type != JSON_STRING);
        json_destroy(json);
    }
}

static void
send_request(struct run *run, const char *method, const char *target,
             const char *body)
{
    struct request *request = request_from_text(method, target, body);
    request->trusted = true;
    int before = run->n_answers;
    api_handle(run->api, request, answered, run);
    ovs_assert(run->n_answers == before + 1);
}

/* Sends the request in 'text', which it takes apart. */
static void
send_text(struct run *run, char *text)
{
    char *body = strchr(text, '\n');
    if (body) {
        *body++ = '\0';
    }
    char *target = strchr(text, ' ');
    if (target) {
        *target++ = '\0';
        if (*target == '/') {
            send_request(run, text, target, body);
        } else {
            AUTO_TEXT *whole = mem_textf(BASE "%s", target);
            send_request(run, text, whole, body);
        }
    }
}

static void
list_all(struct run *run, const struct model *model)
{
    for (size_t i = 0; i < model_n_resources(model); i++) {
        const struct resource *resource = model_resource_at(model, i);
        if (resource->path && !strchr(resource->path, '{')) {
            AUTO_TEXT *path = mem_textf(BASE "%s", resource->path);
            send_request(run, "GET", path, NULL);
            ovs_assert(run->status == 200);
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(loop) *loop = loop_create();
    AUTO(model) *model = model_create();
    struct run run = { .strict = size && data[0] == '!' };
    struct api_settings settings = {
        .listen_address = "::",
        .compat_opendaylight = run.strict,
        .max_depth = 20,
    };
    net_register(model);
    neutron_register(model);
    run.api = api_create(loop, model, NULL, &settings);

    char *text = mem_zalloc(size + 1);
    memcpy(text, data + run.strict, size - run.strict);
    char *at = text;
    for (int i = 0; at && i < MAX_REQUESTS; i++) {
        char *next = strstr(at, "\n%%\n");
        if (next) {
            *next = '\0';
            next += strlen("\n%%\n");
        }
        send_text(&run, at);
        at = next;
    }
    list_all(&run, model);
    free(text);
    api_destroy(run.api);
    return 0;
}
