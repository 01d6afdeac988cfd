/* SPDX-License-Identifier: Apache-2.0 */

/* What the api layer does as time passes, under the simulation's virtual
 * clock: heartbeats, streams that end, hosts that are gone for long, sessions
 * that nobody uses. */

#include "api_fixture.h"

#include <unistd.h>

#include "sim/sim.h"

#define MINUTE (60 * SECOND)

static void
test_heartbeat(void **state)
{
    struct fixture *f = *state;
    ds_init(&fed);
    expect(f, 200, "GET", "/weft/v1/events", NULL);
    feed_attach(f->feed, &recorder, NULL);
    ds_clear(&fed);
    sim_advance(f->loop, 31 * SECOND);
    assert_string_equal(ds_cstr(&fed), ":\n\n:\n\n");
    feed_destroy(STEAL(f->feed));
    ds_destroy(&fed);
}

/* Opens the stream of host configurations. */
static void
open_host_feed(struct fixture *f)
{
    feed_destroy(STEAL(f->feed));
    n_finished = 0;
    ds_clear(&fed);
    expect(f, 200, "GET",
           "/restconf/streams/stream/"
           "data-change-event-subscription/neutron:neutron/"
           "neutron:hostconfigs/datastore=OPERATIONAL/scope=SUBTREE/JSON",
           NULL);
    AUTO_TEXT *path = mem_text(strstr(f->location, "/data-change"));
    struct request *request = request_from_text("GET", path, NULL);
    request->upgrade = true;
    send_request(f, request);
    assert_int_equal(f->status, 101);
    feed_attach(f->feed, &recorder, NULL);
}

static void
report(struct fixture *f, bool connected)
{
    AUTO(json) *data = json_object_create();
    json_object_put_string(data, "name", "sys-1");
    json_object_put(data, "connected", json_boolean_create(connected));
    f->fabric.connected = connected;
    api_event(f->api, "host", data);
}

static void
test_host_streams(void **state)
{
    struct fixture *f = *state;
    ds_init(&fed);

    /* The driver reads the list again whenever the stream ends: soon enough
     * for Neutron to take the hosts for alive, ... */
    open_host_feed(f);
    sim_advance(f->loop, 30 * SECOND);
    assert_int_equal(n_finished, 0);
    sim_advance(f->loop, 30 * SECOND);
    assert_int_equal(n_finished, 1);

    /* ... and when there is a new host. */
    open_host_feed(f);
    model_write_facts(f->model, put_host, NULL);
    assert_int_equal(n_finished, 1);
    assert_int_equal(fed.length, 0);
    open_host_feed(f);
    report(f, true);
    assert_int_equal(n_finished, 1);

    /* One that is away for a minute is gone. */
    report(f, false);
    sim_advance(f->loop, 50 * SECOND);
    open_host_feed(f);
    expect(f, 200, "GET", NEUTRON "hostconfigs", NULL);
    assert_int_equal(fed.length, 0);
    sim_advance(f->loop, 11 * SECOND);
    expect(f, 404, "GET", NEUTRON "hostconfigs", NULL);
    assert_non_null(strstr(ds_cstr(&fed), "[neutron:host-id='compute-1']"
                                          "[neutron:host-type='ODL L2']"));
    assert_non_null(strstr(ds_cstr(&fed), "\"deleted\""));
    assert_int_equal(n_finished, 0);
    report(f, true);
    assert_int_equal(n_finished, 1);
    expect(f, 200, "GET", NEUTRON "hostconfigs", NULL);
    feed_destroy(STEAL(f->feed));
    ds_destroy(&fed);
}

static void
test_sessions(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask_as(f, BOB, NULL), 200);
    AUTO_TEXT *cookie = mem_text(f->cookies);
    cookie[strcspn(cookie, ";")] = '\0';
    sim_advance(f->loop, 59 * MINUTE);
    assert_int_equal(ask_as(f, NULL, cookie), 200);
    sim_advance(f->loop, 59 * MINUTE);
    assert_int_equal(ask_as(f, NULL, cookie), 200);
    sim_advance(f->loop, 61 * MINUTE);
    assert_int_equal(ask_as(f, NULL, cookie), 401);
    assert_int_equal(ask_as(f, BOB, NULL), 200);

    /* The bucket of wrong guesses fills again. */
    int n = 0;
    while (ask_as(f, WRONG, NULL) == 401) {
        assert_int_not_equal(++n, 100);
        sim_advance(f->loop, 0);
        assert_null(api_reload(f->api, &f->settings));
    }
    assert_int_equal(f->status, 503);
    sim_advance(f->loop, SECOND);
    assert_int_equal(ask_as(f, WRONG, NULL), 401);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(heartbeat, default),
        TEST(host_streams, default),
        TEST(sessions, users),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
