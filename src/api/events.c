/* SPDX-License-Identifier: Apache-2.0 */
/* Events: what happened, told to those who listen.
 *
 *     model observer ──► "object" ─┐          ┌─► server-sent events
 *     main.c ──────────► "status" ─┼─ events ─┤     GET /weft/v1/events
 *     main.c ──────────► "host"   ─┘          └─► WebSockets of the driver
 *
 * A feed is one listener.  It belongs to its transport, which attaches a sink
 * and destroys the feed when the connection ends; a feed without a sink yet
 * keeps what was put meanwhile.  Events are not remembered: who was away reads
 * the state again.
 *
 * Server-sent events are those of the HTML standard (section 9.2): id, event,
 * data, and a comment as heartbeat.
 *
 * WebSockets carry OpenDaylight's data-change notifications, as networking-odl
 * reads them (spec of the driver, section 6.3): one text frame per port whose
 * status changed.  The driver cannot log in on the WebSocket, so the address
 * it is told holds a token that only those get who may ask.  Host
 * configurations (section 6.2) need help: the driver crashes on the event of a
 * new one and never reads the list again by itself, but does so whenever the
 * connection closes.  So a removed host is an event, a new or changed one
 * closes the connection, and so does every minute.
 *
 * Costs: an event is written once per kind of listener, then O(listeners). */

#include "api/api-private.h"

#include <stdio.h>
#include <time.h>

#define HEARTBEAT          UINT64_C(15000000)
#define HOST_FEED_LIFE     UINT64_C(55000000)
#define MAX_FEEDS          256
#define TOKEN_LENGTH       32

#define STREAM_PREFIX      "data-change-event-subscription/neutron:neutron/"
#define STREAM_SUFFIX      "/datastore=OPERATIONAL/scope=SUBTREE/JSON"
#define SUBSCRIBED_PREFIX  "/neutron:neutron/"
#define NOTIFICATION_XMLNS "urn:ietf:params:xml:ns:netconf:notification:1.0"
#define CHANGED_XMLNS                                                         \
    "urn:opendaylight:params:xml:ns:yang:controller:md:sal:remote"

/* What a WebSocket can be about: kind, path below "/neutron:neutron/". */
#define TOPICS                                                                \
    TOPIC(PORTS, "neutron:ports")                                             \
    TOPIC(HOSTS, "neutron:hostconfigs")

enum topic {
#define TOPIC(NAME, PATH) TOPIC_##NAME,
    TOPICS
#undef TOPIC
        N_TOPICS,
    TOPIC_EVENTS = N_TOPICS, /* Server-sent events. */
};

static const char *const topic_paths[N_TOPICS] = {
#define TOPIC(NAME, PATH) [TOPIC_##NAME] = PATH,
    TOPICS
#undef TOPIC
};

struct feed {
    struct ovs_list node;  /* In events->feeds, unless finished. */
    struct events *events; /* Null once finished. */
    enum topic topic;
    char *kinds; /* ",object,status," or null for all. */
    uint64_t opened;
    struct ds early; /* Put before a sink was attached. */
    const struct feed_sink *sink;
    void *aux;
};

struct events {
    struct api *api;
    struct ovs_list feeds;
    size_t n_feeds;
    size_t n_by_topic[N_TOPICS + 1];
    uint64_t n_events; /* The next id. */
    struct timer *heartbeat;
    char token[TOKEN_LENGTH + 1];
};

/* Feeds. */

static struct feed *
feed_create(struct events *events, enum topic topic, char *kinds)
{
    struct feed *feed = NEW(struct feed);
    feed->events = events;
    feed->topic = topic;
    feed->kinds = kinds;
    feed->opened = loop_now(events->api->loop);
    ds_init(&feed->early);
    ovs_list_push_back(&events->feeds, &feed->node);
    events->n_feeds++;
    events->n_by_topic[topic]++;
    if (events->n_feeds == 1) {
        loop_timer_set(events->heartbeat, HEARTBEAT);
    }
    return feed;
}

/* Takes the feed off the list of those that listen. */
static void
feed_leave(struct feed *feed)
{
    struct events *events = feed->events;
    if (events) {
        ovs_list_remove(&feed->node);
        events->n_feeds--;
        events->n_by_topic[feed->topic]--;
        if (!events->n_feeds) {
            loop_timer_cancel(events->heartbeat);
        }
        feed->events = NULL;
    }
}

static void
feed_finish(struct feed *feed)
{
    feed_leave(feed);
    if (feed->sink) {
        feed->sink->finish(feed->aux);
    }
}

static void
feed_send(struct feed *feed, const char *text, size_t size)
{
    if (feed->sink) {
        feed->sink->send(feed->aux, text, size);
    } else if (feed->topic == TOPIC_EVENTS) {
        ds_put_buffer(&feed->early, text, size);
    }
}

void
feed_attach(struct feed *feed, const struct feed_sink *sink, void *aux)
{
    feed->sink = sink;
    feed->aux = aux;
    if (feed->early.length) {
        sink->send(aux, feed->early.string, feed->early.length);
        ds_clear(&feed->early);
    }
    if (!feed->events) {
        sink->finish(aux);
    }
}

void
feed_destroy(struct feed *feed)
{
    if (feed) {
        feed_leave(feed);
        ds_destroy(&feed->early);
        free(feed->kinds);
        free(feed);
    }
}

static bool
feed_wants(const struct feed *feed, const char *kind)
{
    if (!feed->kinds) {
        return true;
    }
    AUTO_TEXT *item = mem_textf(",%s,", kind);
    return strstr(feed->kinds, item) != NULL;
}

/* Sends 'text' to all feeds of 'topic'. */
static void
events_send(struct events *events, enum topic topic, const struct ds *text)
{
    struct feed *feed;
    LIST_FOR_EACH_SAFE (feed, node, &events->feeds) {
        if (feed->topic == topic) {
            feed_send(feed, text->string, text->length);
        }
    }
}

/* Notifications. */

/* Wraps one change; takes 'data', which may be null. */
static void
events_notify(struct events *events, enum topic topic, const char *path,
              const char *operation, struct json *data)
{
    struct json *event = json_object_create();
    json_object_put_string(event, "path", path);
    json_object_put_string(event, "operation", operation);
    if (data) {
        json_object_put(event, "data", data);
    }
    struct json *changed = json_object_create();
    json_object_put_string(changed, "xmlns", CHANGED_XMLNS);
    json_object_put(changed, "data-change-event", json_array_create_1(event));

    char text[32];
    struct tm tm;
    time_t now = (time_t) loop_wall(events->api->loop);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    struct json *notification = json_object_create();
    json_object_put_string(notification, "xmlns", NOTIFICATION_XMLNS);
    json_object_put_string(notification, "eventTime", text);
    json_object_put(notification, "data-changed-notification", changed);

    AUTO(json) *frame = json_object_create();
    json_object_put(frame, "notification", notification);
    AUTO_DS ds;
    ds_init(&ds);
    json_to_ds(frame, 0, &ds);
    events_send(events, topic, &ds);
}

static void
events_notify_status(struct events *events, const struct json *data)
{
    const char *id = jget_text(data, "id");
    const char *status = jget_text(data, "status");
    if (!id || !status) {
        return;
    }

    AUTO_TEXT *path = mem_textf(SUBSCRIBED_PREFIX
                                "neutron:ports/neutron:port[neutron:uuid='%s']"
                                "/neutron:status",
                                id);
    struct json *content = json_object_create();
    json_object_put_string(content, "xmlns", "urn:opendaylight:neutron");
    json_object_put_string(content, "content", status);
    struct json *change = json_object_create();
    json_object_put(change, "status", content);
    events_notify(events, TOPIC_PORTS, path, "updated", change);
}

static void
events_finish_hosts(struct events *events, uint64_t opened_before)
{
    struct feed *feed;
    LIST_FOR_EACH_SAFE (feed, node, &events->feeds) {
        if (feed->topic == TOPIC_HOSTS && feed->opened <= opened_before) {
            feed_finish(feed);
        }
    }
}

bool
events_has_host_feeds(const struct events *events)
{
    return events->n_by_topic[TOPIC_HOSTS] > 0;
}

void
events_host_config(struct events *events, const char *host, const char *type,
                   bool gone)
{
    if (!events_has_host_feeds(events)) {
        return;
    }
    if (!gone) {
        events_finish_hosts(events, UINT64_MAX);
        return;
    }
    AUTO_TEXT *path = mem_textf(
        SUBSCRIBED_PREFIX "neutron:hostconfigs/neutron:hostconfig"
                          "[neutron:host-id='%s'][neutron:host-type='%s']",
        host, type);
    events_notify(events, TOPIC_HOSTS, path, "deleted", NULL);
}

/* Events. */

void
events_put(struct events *events, const char *kind, const struct json *data)
{
    uint64_t id = events->n_events++;

    if (events->n_by_topic[TOPIC_PORTS] && !strcmp(kind, "status")) {
        events_notify_status(events, data);
    }
    if (!events->n_by_topic[TOPIC_EVENTS]) {
        return;
    }

    AUTO_DS text;
    ds_init(&text);
    ds_put_format(
        &text, "id: %llu\nevent: %s\ndata: ", (unsigned long long) id, kind);
    json_to_ds(data, JSSF_SORT, &text);
    ds_put_cstr(&text, "\n\n");
    struct feed *feed;
    LIST_FOR_EACH_SAFE (feed, node, &events->feeds) {
        if (feed->topic == TOPIC_EVENTS && feed_wants(feed, kind)) {
            feed_send(feed, text.string, text.length);
        }
    }
}

/* A model observer: "object" events, and facts of hosts. */
static void
events_applied(const struct change *changes, size_t n, void *events_)
{
    struct events *events = events_;

    for (size_t i = 0; i < n; i++) {
        const struct change *change = &changes[i];
        if (!strcmp(change->resource->shape.name, "host")) {
            hosts_changed(events->api->hosts, change);
        }
        if (!events->n_by_topic[TOPIC_EVENTS] || !change->resource->path) {
            continue;
        }
        char id[UID_LENGTH + 1];
        uid_to_text(&change->id, id);
        AUTO(json) *data = json_object_create();
        json_object_put_string(data, "op",
                               !change->old    ? "create"
                               : !change->new_ ? "delete"
                                               : "update");
        json_object_put_string(data, "resource", change->resource->shape.name);
        json_object_put_string(data, "id", id);
        events_put(events, "object", data);
    }
}

static void
events_beat(void *events_)
{
    struct events *events = events_;
    uint64_t now = loop_now(events->api->loop);
    struct ds beat = DS_EMPTY_INITIALIZER;

    ds_put_cstr(&beat, ":\n\n");
    events_send(events, TOPIC_EVENTS, &beat);
    ds_destroy(&beat);
    if (now >= HOST_FEED_LIFE - HEARTBEAT) {
        events_finish_hosts(events, now - (HOST_FEED_LIFE - HEARTBEAT));
    }
    if (events->n_feeds) {
        loop_timer_set(events->heartbeat, HEARTBEAT);
    }
}

/* Requests. */

/* ",object,status," from "?kind=object,status" or "?kind=object&kind=status";
 * null if there is none.  Caller frees. */
static char *
request_kinds(const struct request *request)
{
    struct ds kinds = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < request->n_query; i++) {
        if (!strcmp(request->query[i].name, "kind")
            && *request->query[i].value) {
            ds_put_format(&kinds, ",%s,", request->query[i].value);
        }
    }
    return kinds.length ? ds_steal_cstr(&kinds) : NULL;
}

void
events_handle(struct call *call)
{
    struct events *events = call->api->events;
    if (call->api->draining || events->n_feeds >= MAX_FEEDS) {
        call_fail(call, err_new(ERR_UNAVAILABLE, NULL,
                                "no more listeners at the moment"));
        return;
    }

    struct feed *feed =
        feed_create(events, TOPIC_EVENTS, request_kinds(call->request));
    ds_put_cstr(&feed->early, "retry: 2000\n\n");
    call->response.feed = feed;
    call->response.content_type = "text/event-stream";
    call_put_header(call, "Cache-Control", mem_text("no-store"));
    call_answer(call, 200);
}

/* The topic of "data-change-event-subscription/...", or N_TOPICS.  Stores
 * what follows the name. */
static enum topic
topic_from_stream(const char *name, const char **restp)
{
    if (!text_starts_with(name, STREAM_PREFIX)) {
        return N_TOPICS;
    }
    name += strlen(STREAM_PREFIX);
    for (int topic = 0; topic < N_TOPICS; topic++) {
        AUTO_TEXT *whole =
            mem_textf("%s%s", topic_paths[topic], STREAM_SUFFIX);
        if (text_starts_with(name, whole)) {
            *restp = name + strlen(whole);
            return topic;
        }
    }
    return N_TOPICS;
}

/* POST create-data-change-event-subscription. */
void
events_subscribe(struct call *call, const struct json *body)
{
    const char *path = jget_text(jget(body, "input"), "path");

    for (int topic = 0; path && topic < N_TOPICS; topic++) {
        if (!text_starts_with(path, SUBSCRIBED_PREFIX)
            || strcmp(path + strlen(SUBSCRIBED_PREFIX), topic_paths[topic])) {
            continue;
        }
        AUTO_TEXT *name =
            mem_textf(STREAM_PREFIX "%s" STREAM_SUFFIX, topic_paths[topic]);
        struct json *output = json_object_create();
        json_object_put_string(output, "stream-name", name);
        struct json *answer = json_object_create();
        json_object_put(answer, "output", output);
        call_json(call, 200, answer);
        return;
    }
    call_fail(call,
              err_new(ERR_INVALID, "input.path", "nothing to subscribe to: %s",
                      path ? path : "null"));
}

/* GET streams/stream/{name}: where the WebSocket is. */
void
events_locate(struct call *call, const char *name)
{
    const char *rest;
    if (topic_from_stream(name, &rest) == N_TOPICS || *rest) {
        call_fail(call, err_new(ERR_MISSING, NULL, "no stream %s", name));
        return;
    }

    const struct request *request = call->request;
    char *location =
        mem_textf("%s://%s/%s/%s", request->secure ? "wss" : "ws",
                  request_host(request), name, call->api->events->token);
    struct json *answer = json_object_create();
    json_object_put_string(answer, "location", location);
    call_put_header(call, "Location", location);
    call_json(call, 200, answer);
}

bool
events_is_socket_path(const char *path)
{
    return text_starts_with(path, "/" STREAM_PREFIX);
}

/* GET /{stream name}/{token} with "Upgrade: websocket". */
void
events_upgrade(struct call *call)
{
    struct events *events = call->api->events;
    const char *rest = "";
    enum topic topic = topic_from_stream(call->request->path + 1, &rest);
    bool proven =
        (*rest == '/' && text_equals_secret(rest + 1, events->token));

    /* OpenDaylight asks for no token. */
    if (!*rest && call->api->settings.compat_opendaylight) {
        proven = true;
    }
    if (topic == N_TOPICS || !proven) {
        call_fail(call, err_new(ERR_MISSING, NULL, "no such stream"));
    } else if (!call->request->upgrade) {
        call_put_header(call, "Upgrade", mem_text("websocket"));
        call_text(call, 426, "this is the address of a WebSocket");
    } else if (call->api->draining || events->n_feeds >= MAX_FEEDS) {
        call_fail(call, err_new(ERR_UNAVAILABLE, NULL,
                                "no more listeners at the moment"));
    } else {
        call->response.feed = feed_create(events, topic, NULL);
        call_answer(call, 101);
    }
}

/* Life. */

struct events *
events_create(struct api *api)
{
    struct events *events = NEW(struct events);
    events->api = api;
    ovs_list_init(&events->feeds);
    events->heartbeat = loop_timer_create(api->loop, events_beat, events);

    uint8_t random[TOKEN_LENGTH / 2];
    loop_random(api->loop, random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++) {
        snprintf(events->token + 2 * i, 3, "%02x", random[i]);
    }
    model_observe(api->model, events_applied, events);
    return events;
}

void
events_finish(struct events *events)
{
    struct feed *feed;
    LIST_FOR_EACH_SAFE (feed, node, &events->feeds) {
        feed_finish(feed);
    }
}

void
events_destroy(struct events *events)
{
    if (events) {
        events_finish(events);
        loop_timer_destroy(events->heartbeat);
        free(events);
    }
}
