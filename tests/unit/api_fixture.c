/* SPDX-License-Identifier: Apache-2.0 */

/* A server without a transport or a store, and the questions that tests ask
 * it.  See "api_fixture.h". */

#include "api_fixture.h"

#include <stdio.h>
#include <unistd.h>

/* Test doubles of the fabric. */

bool
fabric_is_wired(const struct fabric *fabric, const struct uuid *id)
{
    return fabric->wired;
}

struct json *
fabric_hosts(const struct fabric *fabric)
{
    struct json *host = json_object_create();
    json_object_put_string(host, "name", "sys-1");
    json_object_put(host, "connected", json_boolean_create(fabric->connected));
    return json_array_create_1(host);
}

/* The thing under test. */

static void
fixture_forget(struct fixture *f)
{
    free(f->body);
    free(f->type);
    free(f->location);
    free(f->cookies);
    f->body = f->type = f->location = f->cookies = NULL;
    f->status = 0;
}

void
fixture_open(struct fixture *f, bool strict)
{
    f->settings.listen_address = "0.0.0.0";
    f->settings.compat_opendaylight = strict;
    f->settings.users_path = f->users_path;
    f->settings.max_depth = 16;
    f->loop = loop_create();
    f->model = model_create();
    net_register(f->model);
    neutron_register(f->model);
    f->api = api_create(f->loop, f->model, &f->fabric, &f->settings);
}

static void
fixture_close(struct fixture *f)
{
    fixture_forget(f);
    api_destroy(f->api);
    model_destroy(f->model);
    loop_destroy(f->loop);
    if (f->users_path) {
        unlink(f->users_path);
        free(f->users_path);
    }
    free(f);
}

int
setup_default(void **state)
{
    struct fixture *f = NEW(struct fixture);
    fixture_open(f, false);
    *state = f;
    return 0;
}

int
setup_strict(void **state)
{
    struct fixture *f = NEW(struct fixture);
    fixture_open(f, true);
    *state = f;
    return 0;
}

int
teardown(void **state)
{
    fixture_close(*state);
    return 0;
}

static void
answered(struct request *request, struct response *response, void *f_)
{
    struct fixture *f = f_;
    f->n_answers++;
    f->status = response->status;
    f->body = ds_steal_cstr(&response->body);
    f->type = mem_text(response->content_type ? response->content_type
                                              : "application/json");
    f->location = mem_text(shash_find_data(&response->headers, "Location"));
    f->cookies = mem_text(shash_find_data(&response->headers, "Set-Cookie"));
    if (response->feed) {
        f->feed = STEAL(response->feed);
    }
}

void
send_request(struct fixture *f, struct request *request)
{
    fixture_forget(f);
    int before = f->n_answers;
    api_handle(f->api, request, answered, f);
    while (f->n_answers == before) {
        loop_run_once(f->loop, 100);
    }
    assert_int_equal(f->n_answers, before + 1);
}

/* Sends a request and returns the status. */
static int
ask(struct fixture *f, const char *method, const char *target,
    const char *body)
{
    struct request *request = request_from_text(method, target, body);
    request->trusted = true;
    send_request(f, request);
    return f->status;
}

void
expect(struct fixture *f, int status, const char *method, const char *target,
       const char *body)
{
    ask(f, method, target, body);
    if (f->status != status) {
        fail_msg("%s %s: %d instead of %d: %s", method, target, f->status,
                 status, f->body);
    }
}

void
expect_text(const struct fixture *f, const char *part)
{
    if (!strstr(f->body, part)) {
        fail_msg("\"%s\" is not in: %s", part, f->body);
    }
}

void
expect_no_text(const struct fixture *f, const char *part)
{
    if (strstr(f->body, part)) {
        fail_msg("\"%s\" is in: %s", part, f->body);
    }
}

struct json *
body_json(const struct fixture *f)
{
    struct json *json = json_from_string(f->body);
    if (json->type == JSON_STRING) {
        fail_msg("%s: %s", json_string(json), f->body);
    }
    return json;
}

/* How many objects are in the list that was answered? */
size_t
body_count(const struct fixture *f, const char *plural)
{
    AUTO(json) *json = body_json(f);
    const struct json *list = jget(json, plural);
    assert_non_null(list);
    assert_int_equal(list->type, JSON_ARRAY);
    return json_array(list)->n;
}

/* Feeds. */

struct ds fed;
int n_finished;

static void
sink_send(void *aux, const char *text, size_t size)
{
    ds_put_buffer(&fed, text, size);
}

static void
sink_finish(void *aux)
{
    n_finished++;
}

const struct feed_sink recorder = { sink_send, sink_finish };

void
put_host(struct txn *txn, void *aux)
{
    struct uuid id = host_id_from_name("sys-1");
    struct entity *e = entity_create(&host_resource, &id);
    struct host *host = (struct host *) (void *) e;
    host->name = mem_text("sys-1");
    SET(host, host, name);
    host->aliases.items = mem_alloc(sizeof(char *));
    host->aliases.items[0] = mem_text("compute-1");
    host->aliases.n = 1;
    SET(host, host, aliases);
    host->datapath_type = mem_text("netdev");
    SET(host, host, datapath_type);
    assert_true(ipaddr_from_text("192.0.2.1", &host->tunnel_address));
    SET(host, host, tunnel_address);
    txn_put(txn, e);
}

int
setup_users(void **state)
{
    struct fixture *f = NEW(struct fixture);
    f->users_path = mem_textf("/tmp/weft-test-users-%d", (int) getpid());
    unlink(f->users_path);
    assert_null(users_set_password(f->users_path, "bob", "secret"));
    fixture_open(f, false);
    *state = f;
    return 0;
}

int
ask_as(struct fixture *f, const char *authorization, const char *cookie)
{
    struct request *request = request_from_text("GET", BASE "networks", NULL);
    request->authorization = authorization;
    request->cookie = cookie;
    send_request(f, request);
    return f->status;
}
