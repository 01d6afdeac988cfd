/* SPDX-License-Identifier: Apache-2.0 */

/* What is around the northbound: RESTCONF, events, views, users, and calls
 * that are answered late. */

#include "api_fixture.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* RESTCONF. */

static void
test_host_configs(void **state)
{
    struct fixture *f = *state;

    expect(f, 404, "GET", NEUTRON "hostconfigs/", NULL);
    model_write_facts(f->model, put_host, NULL);
    f->fabric.connected = true;
    expect(f, 200, "GET", NEUTRON "hostconfigs/", NULL);
    AUTO(json) *answer = body_json(f);
    const struct json *list = jget(jget(answer, "hostconfigs"), "hostconfig");
    assert_int_equal(json_array(list)->n, 1);
    const struct json *host = json_array(list)->elems[0];
    assert_string_equal(jget_text(host, "host-id"), "compute-1");
    assert_string_equal(jget_text(host, "host-type"), "ODL L2");
    AUTO(json) *config = json_from_string(jget_text(host, "config"));
    assert_string_equal(jget_text(config, "datapath_type"), "netdev");
    assert_int_equal(json_array(jget(config, "supported_vnic_types"))->n, 1);

    expect(f, 200, "GET", NEUTRON "hostconfigs/hostconfig/compute-1/ODL%20L2",
           NULL);
    expect_text(f, "{\"hostconfig\":[{");
    expect(f, 404, "GET", NEUTRON "hostconfigs/hostconfig/compute-2/ODL%20L2",
           NULL);
    expect(f, 404, "GET", NEUTRON "hostconfigs/hostconfig/compute-1/X", NULL);

    /* A short absence is none. */
    f->fabric.connected = false;
    expect(f, 200, "GET", NEUTRON "hostconfigs", NULL);
}

static void
test_restconf(void **state)
{
    struct fixture *f = *state;
    const char *subscribe = "/restconf/operations/"
                            "sal-remote:create-data-change-event-subscription";

    expect(f, 200, "GET", NEUTRON "neutron:features/", NULL);
    expect_text(f, "neutron-extensions:operational-port-status");
    expect(f, 200, "GET", "/restconf/modules", NULL);
    expect(f, 404, "GET", "/restconf/operational/other", NULL);
    expect(f, 405, "DELETE", "/restconf/modules", NULL);

    expect(f, 400, "POST", subscribe, "{\"input\":{\"path\":\"/x\"}}");
    expect(f, 400, "POST", subscribe, "");
    expect(f, 200, "POST", subscribe,
           "{\"input\":{\"path\":\"/neutron:neutron/neutron:ports\"}}");
    AUTO(json) *answer = body_json(f);
    const char *name = jget_text(jget(answer, "output"), "stream-name");
    assert_string_equal(name,
                        "data-change-event-subscription/neutron:neutron/"
                        "neutron:ports/datastore=OPERATIONAL/scope=SUBTREE/"
                        "JSON");
    AUTO_TEXT *path = mem_textf("/restconf/streams/stream/%s"
                                "?odl-leaf-nodes-only=true",
                                name);
    expect(f, 200, "GET", path, NULL);
    assert_int_equal(strncmp(f->location, "ws://localhost/data-change", 26),
                     0);
    /* Without the token there is no stream; with it, and an upgrade, there
     * is. */
    AUTO_TEXT *bare = mem_textf("/%s", name);
    AUTO_TEXT *whole = mem_text(strstr(f->location, "/data-change"));
    expect(f, 404, "GET", "/restconf/streams/stream/other", NULL);
    expect(f, 404, "GET", bare, NULL);
    expect(f, 426, "GET", whole, NULL);
    struct request *request = request_from_text("GET", whole, NULL);
    request->upgrade = true; /* And no password. */
    send_request(f, request);
    assert_int_equal(f->status, 101);
    assert_non_null(f->feed);
    feed_destroy(STEAL(f->feed));
}

/* Feeds. */

static void
put_status(struct fixture *f, const char *status)
{
    AUTO(json) *data = json_object_create();
    json_object_put_string(data, "id", ID(5));
    json_object_put_string(data, "status", status);
    api_event(f->api, "status", data);
}

static void
test_events(void **state)
{
    struct fixture *f = *state;
    ds_init(&fed);
    n_finished = 0;

    expect(f, 200, "GET", "/weft/v1/events?kind=object", NULL);
    assert_string_equal(f->type, "text/event-stream");
    struct feed *objects = f->feed;
    feed_attach(objects, &recorder, NULL);
    put_status(f, "ACTIVE");
    expect(f, 201, "POST", BASE "networks", "{\"network\":" NET1 "}");
    assert_non_null(strstr(ds_cstr(&fed),
                           "event: object\ndata: {\"id\":\"" ID(
                               1) "\",\"op\":\"create\",\"resource\":"
                                  "\"network\"}\n\n"));
    assert_null(strstr(ds_cstr(&fed), "ACTIVE"));
    ds_clear(&fed);

    expect(f, 200, "GET", "/weft/v1/events?kind=status,host", NULL);
    struct feed *states = f->feed;
    feed_attach(states, &recorder, NULL);
    put_status(f, "DOWN");
    assert_non_null(strstr(ds_cstr(&fed), "event: status\ndata: "));
    expect(f, 204, "DELETE", BASE "networks/" ID(1), NULL);
    assert_non_null(strstr(ds_cstr(&fed), "\"op\":\"delete\""));

    api_drain(f->api);
    assert_int_equal(n_finished, 2);
    assert_true(api_is_idle(f->api));
    feed_destroy(objects);
    feed_destroy(states);
    ds_destroy(&fed);
}

static void
test_notifications(void **state)
{
    struct fixture *f = *state;
    ds_init(&fed);
    expect(f, 200, "GET",
           "/restconf/streams/stream/"
           "data-change-event-subscription/neutron:neutron/neutron:ports/"
           "datastore=OPERATIONAL/scope=SUBTREE/JSON",
           NULL);
    AUTO_TEXT *path = mem_text(strstr(f->location, "/data-change"));
    struct request *request = request_from_text("GET", path, NULL);
    request->upgrade = true;
    send_request(f, request);
    struct feed *feed = f->feed;
    feed_attach(feed, &recorder, NULL);
    put_status(f, "ACTIVE");

    AUTO(json) *frame = json_from_string(ds_cstr(&fed));
    const struct json *events =
        jget(jget(jget(frame, "notification"), "data-changed-notification"),
             "data-change-event");
    const struct json *event = json_array(events)->elems[0];
    assert_string_equal(
        jget_text(event, "path"),
        "/neutron:neutron/"
        "neutron:ports/neutron:port[neutron:uuid='" ID(5) "']/neutron:status");
    assert_string_equal(jget_text(event, "operation"), "updated");
    assert_string_equal(
        jget_text(jget(jget(event, "data"), "status"), "content"), "ACTIVE");
    feed_destroy(feed);
    ds_destroy(&fed);
}

/* Views. */

static void
echo_view(struct view_call *call, const struct request *request,
          const char *argument, void *aux)
{
    if (!strcmp(argument, "bad")) {
        view_fail(call, err_new(ERR_IN_USE, "name", "is bad"));
    } else {
        view_answer(call, json_string_create(argument));
    }
}

static void
ready_view(struct view_call *call, const struct request *request,
           const char *argument, void *aux)
{
    assert_null(argument);
    view_answer(call, json_object_create());
}

static void
test_views(void **state)
{
    static const struct view views[] = {
        { "GET", "/weft/v1/echo/{}", "Says it again", echo_view },
        { "GET", "/ready", "Ready?", ready_view },
    };
    struct fixture *f = *state;
    api_add_view(f->api, &views[0], NULL);
    api_add_view(f->api, &views[1], NULL);

    expect(f, 200, "GET", "/weft/v1/echo/a%20b", NULL);
    assert_string_equal(f->body, "\"a b\"");
    expect(f, 409, "GET", "/weft/v1/echo/bad", NULL);
    assert_string_equal(f->body, "{\"error\":{\"field\":\"name\",\"kind\":"
                                 "\"Conflict\",\"object\":null,\"text\":"
                                 "\"is bad\"}}");
    expect(f, 404, "GET", "/weft/v1/echo", NULL);
    expect(f, 404, "GET", "/weft/v1/echo/a/b", NULL);
    expect(f, 405, "POST", "/weft/v1/echo/a", NULL);
    expect(f, 200, "GET", "/", NULL);
    expect_text(f, "/weft/v1/echo/{}");

    send_request(f, request_from_text("GET", "/ready", NULL));
    assert_int_equal(f->status, 200);
    send_request(f, request_from_text("GET", "/weft/v1/echo/a", NULL));
    assert_int_equal(f->status, 401);

    expect(f, 200, "GET", "/weft/v1/openapi.json", NULL);
    AUTO(json) *openapi = body_json(f);
    assert_non_null(jget(jget(openapi, "paths"), "/weft/v1/echo/{argument}"));
    expect(f, 200, "GET", "/weft/v1/schema", NULL);
    expect_text(f, "\"path\":\"security-groups\"");
    expect_no_text(f, "\"name\":\"plug\"");
}

/* Users. */

#define NOBODY "Basic bm9ib2R5OnNlY3JldA==" /* nobody:secret */
#define ADMIN  "Basic YWRtaW46YWRtaW4="     /* admin:admin */

static void
test_users(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask_as(f, NULL, NULL), 401);
    assert_int_equal(ask_as(f, WRONG, NULL), 401);
    assert_int_equal(ask_as(f, WRONG, NULL), 401);
    assert_int_equal(ask_as(f, NOBODY, NULL), 401);
    assert_int_equal(ask_as(f, ADMIN, NULL), 401);
    assert_int_equal(ask_as(f, "Basic", NULL), 401);
    assert_int_equal(ask_as(f, "Basic !!!!", NULL), 401);
    assert_int_equal(ask_as(f, "Bearer x", NULL), 401);
    assert_int_equal(ask_as(f, BOB, NULL), 200);
    assert_non_null(f->cookies);
    AUTO_TEXT *cookie = mem_text(strstr(f->cookies, "JSESSIONID"));
    cookie[strcspn(cookie, ";")] = '\0';
    assert_int_equal(ask_as(f, NULL, cookie), 200);
    assert_int_equal(ask_as(f, WRONG, cookie), 401);
    assert_int_equal(ask_as(f, BOB, cookie), 200);
    assert_null(f->cookies);
    assert_int_equal(ask_as(f, NULL, "JSESSIONID=abc"), 401);
    cookie[strlen(cookie) - 1] ^= 1;
    assert_int_equal(ask_as(f, NULL, cookie), 401);

    /* A reload forgets everything. */
    assert_null(users_set_password(f->users_path, "bob", "other"));
    assert_int_equal(ask_as(f, BOB, NULL), 200);
    assert_null(api_reload(f->api, &f->settings));
    assert_int_equal(ask_as(f, BOB, NULL), 401);

    f->settings.development = true;
    assert_null(api_reload(f->api, &f->settings));
    assert_int_equal(ask_as(f, ADMIN, NULL), 200);
    f->settings.development = false;
    f->settings.listen_address = "127.0.0.1";
    assert_null(api_reload(f->api, &f->settings));
    assert_int_equal(ask_as(f, ADMIN, NULL), 200);
}

static void
test_guessing_is_limited(void **state)
{
    struct fixture *f = *state;
    int status = 401;
    assert_int_equal(ask_as(f, BOB, NULL), 200);
    for (int i = 0; i < 100 && status == 401; i++) {
        AUTO_TEXT *header =
            mem_textf("Basic Ym9iOn%c%cMA==", 'a' + i % 26, 'A' + i / 26);
        status = ask_as(f, header, NULL);
    }
    assert_int_equal(status, 503);
    assert_int_equal(ask_as(f, BOB, NULL), 200);
}

static void
test_users_file(void **state)
{
    struct fixture *f = *state;
    struct stat s;
    char *password = NULL;

    struct err *err = users_set_password(f->users_path, "a:b", "x");
    assert_non_null(err);
    err_destroy(err);
    assert_null(users_bootstrap(f->loop, f->users_path, &password));
    assert_null(password);
    assert_int_equal(unlink(f->users_path), 0);
    assert_null(users_bootstrap(f->loop, f->users_path, &password));
    assert_non_null(password);
    assert_true(strlen(password) >= 26);
    free(password);
    assert_int_equal(stat(f->users_path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
    assert_null(users_set_password(f->users_path, "carol", "pw"));

    char line[256];
    int n_lines = 0;
    FILE *file = fopen(f->users_path, "r");
    while (fgets(line, sizeof line, file)) {
        n_lines++;
        assert_non_null(strstr(line, ":$y$"));
    }
    fclose(file);
    assert_int_equal(n_lines, 2);
}

/* A call may outlive the api. */

static struct view_call *held;

static void
slow_view(struct view_call *call, const struct request *request,
          const char *argument, void *aux)
{
    held = call;
}

static void
never_answered(struct request *request, struct response *response, void *aux)
{
    fail();
}

static void
test_held_call(void **state)
{
    static const struct view view = { "GET", "/slow", "Slow", slow_view };
    struct fixture *f = *state;
    api_add_view(f->api, &view, NULL);
    struct request *request = request_from_text("GET", "/slow", NULL);
    request->trusted = true;
    api_handle(f->api, request, never_answered, NULL);
    assert_false(api_is_idle(f->api));
    api_destroy(f->api);
    view_answer(held, json_object_create());
    f->api = api_create(f->loop, f->model, NULL, &f->settings);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(host_configs, default),
        TEST(restconf, default),
        TEST(events, default),
        TEST(notifications, default),
        TEST(views, default),
        TEST(users, users),
        TEST(guessing_is_limited, users),
        TEST(users_file, users),
        TEST(held_call, default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
