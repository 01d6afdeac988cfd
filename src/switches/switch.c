/* SPDX-License-Identifier: Apache-2.0 */
/* The set of switches: listeners, dials, and who belongs to whom.
 *
 *     listener 6640 ─┐
 *     dial tcp:...  ─┴─► database sessions ─► hosts ◄─ OpenFlow sessions
 *                                                       ▲
 *                                     listeners 6653, 6633
 *
 * Sessions are few things bounded in number by 'max_sessions'; one over the
 * limit is closed at once.  Everything that a peer can say is bounded in the
 * session that hears it.
 *
 * The sequence number grows with every turn of the loop in which something
 * was published that a known host wants.  A host that has nothing under way
 * has acknowledged the latest number without being told so: the owner asks
 * first (switches_acknowledged()), then waits for the event. */

#include "switches/switch.h"

#include <inttypes.h>
#include <stdio.h>

#include "openvswitch/vlog.h"
#include "switches/database.h"
#include "switches/host.h"
#include "switches/openflow.h"
#include "switches/reconcile.h"
#include "switches/settings.h"

VLOG_DEFINE_THIS_MODULE(switches);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 60);

enum {
    SCRATCH_SIZE = 64 * 1024,
    MAX_BACKOFF_MS = 8000,
    MIN_BACKOFF_MS = 500,
    MAX_HOSTS_AWAY = 20 * 1000, /* Known, without a session. */
};

/* A switch that we dial, for as long as it is configured. */
struct dial {
    struct ovs_list node; /* In 'dials' of 'switches'. */
    struct switches *switches;
    char *target;
    bool is_tls;
    char *address;
    uint16_t port;
    struct channel *channel;   /* While dialling. */
    struct database *database; /* Once connected. */
    struct timer *timer;
    uint64_t backoff_ms;
};

static void switches_turn(void *);
static void dial_now(void *);
static void dial_create(struct switches *, const char *target);
static void dial_destroy(struct dial *);
static void dial_retry(struct dial *);
static void accept_database(struct channel *, void *);
static void accept_openflow(struct channel *, void *);

/* Life. */

struct switches *
switches_create(struct loop *loop, struct scopes *scopes,
                const struct switches_settings *settings,
                const struct switches_events *events, void *aux)
{
    struct switches *switches = NEW(struct switches);

    switches->loop = loop;
    switches->scopes = scopes;
    switches->events = events;
    switches->aux = aux;
    settings_copy(&switches->settings, settings);
    ovs_list_init(&switches->dials);
    hmap_init(&switches->hosts);
    ovs_list_init(&switches->databases);
    ovs_list_init(&switches->openflows);
    ovs_list_init(&switches->answers);
    switches->sequence = 1;
    switches->turn_timer = loop_timer_create(loop, switches_turn, switches);
    switches->scratch = mem_alloc(SCRATCH_SIZE);
    return switches;
}

static struct err *
load_tls(const struct switches_settings *settings,
         struct tls_context **contextp)
{
    *contextp = NULL;
    if (!settings->tls.key && !settings->tls.certificate
        && !settings->tls.ca) {
        return NULL;
    }
    return tls_context_create(&settings->tls, contextp);
}

static struct err *
open_listeners(struct switches *switches)
{
    const struct switches_settings *settings = &switches->settings;

    if (settings->ovsdb_port) {
        struct err *err = listener_create(
            switches->loop, settings->listen_address, settings->ovsdb_port,
            switches->tls, accept_database, switches,
            &switches->database_listener);
        if (err) {
            return err;
        }
    }
    for (size_t i = 0; i < 2; i++) {
        if (settings->openflow_ports[i]) {
            struct err *err = listener_create(
                switches->loop, settings->listen_address,
                settings->openflow_ports[i], switches->tls, accept_openflow,
                switches, &switches->openflow_listeners[i]);
            if (err) {
                return err;
            }
        }
    }
    return NULL;
}

static void
close_listeners(struct switches *switches)
{
    listener_destroy(switches->database_listener);
    switches->database_listener = NULL;
    for (size_t i = 0; i < 2; i++) {
        listener_destroy(switches->openflow_listeners[i]);
        switches->openflow_listeners[i] = NULL;
    }
}

static struct dial *
find_dial(const struct switches *switches, const char *target)
{
    struct dial *dial;

    LIST_FOR_EACH (dial, node, &switches->dials) {
        if (!strcmp(dial->target, target)) {
            return dial;
        }
    }
    return NULL;
}

static bool
is_dial_wanted(const struct switches *switches, const char *target)
{
    for (size_t i = 0; i < switches->settings.n_active; i++) {
        if (!strcmp(switches->settings.active[i], target)) {
            return true;
        }
    }
    return false;
}

/* Makes the dials those of the settings. */
static void
update_dials(struct switches *switches)
{
    struct dial *dial;

    LIST_FOR_EACH_SAFE (dial, node, &switches->dials) {
        if (!is_dial_wanted(switches, dial->target)) {
            dial_destroy(dial);
        }
    }
    for (size_t i = 0; i < switches->settings.n_active; i++) {
        const char *target = switches->settings.active[i];
        if (!find_dial(switches, target)) {
            dial_create(switches, target);
        }
    }
}

static struct err *
check_settings(const struct switches_settings *settings)
{
    for (size_t i = 0; i < settings->n_active; i++) {
        char *address = NULL;
        bool is_tls;
        uint16_t port;

        if (!switches_parse_target(settings->active[i], &is_tls, &address,
                                   &port)) {
            return err_new(ERR_INVALID, "active",
                           "\"%s\" is not "
                           "tcp:ADDRESS:PORT or ssl:ADDRESS:PORT",
                           settings->active[i]);
        }
        free(address);
        if (is_tls && !settings->tls.key) {
            return err_new(ERR_INVALID, "active", "%s needs TLS files",
                           settings->active[i]);
        }
    }
    return NULL;
}

struct err *
switches_start(struct switches *switches)
{
    struct err *err = check_settings(&switches->settings);

    if (!err) {
        err = load_tls(&switches->settings, &switches->tls);
    }
    if (!err) {
        err = open_listeners(switches);
    }
    if (err) {
        close_listeners(switches);
        return err;
    }
    update_dials(switches);
    return NULL;
}

void
switches_destroy(struct switches *switches)
{
    struct database *database;
    struct openflow *openflow;
    struct dial *dial;
    struct host *host;

    if (!switches) {
        return;
    }
    switches->is_closing = true;
    close_listeners(switches);
    LIST_FOR_EACH_SAFE (openflow, node, &switches->openflows) {
        openflow_close(openflow, "shutting down");
    }
    LIST_FOR_EACH_SAFE (dial, node, &switches->dials) {
        dial_destroy(dial);
    }
    while (!ovs_list_is_empty(&switches->databases)) {
        database = CONTAINER_OF(ovs_list_front(&switches->databases),
                                struct database, node);
        database_close(database, "shutting down");
    }
    HMAP_FOR_EACH_SAFE (host, node, &switches->hosts) {
        host_destroy(host);
    }
    views_uninit(switches);
    hmap_destroy(&switches->hosts);
    loop_timer_destroy(switches->turn_timer);
    tls_context_destroy(switches->tls);
    settings_uninit(&switches->settings);
    free(switches->scratch);
    free(switches);
}

/* Sessions that are open stay; new ones follow the new settings. */
struct err *
switches_reload(struct switches *switches,
                const struct switches_settings *settings)
{
    struct tls_context *tls = NULL;
    struct err *err = check_settings(settings);

    if (!err) {
        err = load_tls(settings, &tls);
    }
    if (err) {
        return err;
    }

    struct switches_settings old = switches->settings;
    struct tls_context *old_tls = switches->tls;
    close_listeners(switches);
    settings_copy(&switches->settings, settings);
    switches->tls = tls;
    err = open_listeners(switches);
    if (err) {
        close_listeners(switches);
        settings_uninit(&switches->settings);
        switches->settings = old;
        switches->tls = old_tls;
        tls_context_destroy(tls);
        AUTO(err) *again = open_listeners(switches);
        if (again) {
            VLOG_ERR("the former ports cannot be opened again either");
        }
        return err;
    }

    settings_uninit(&old);
    tls_context_destroy(old_tls);
    update_dials(switches);
    struct database *database;
    LIST_FOR_EACH (database, node, &switches->databases) {
        database_provision(database);
    }
    return NULL;
}

uint16_t
switches_ovsdb_port(const struct switches *switches)
{
    return (switches->database_listener
                ? listener_port(switches->database_listener)
                : 0);
}

uint16_t
switches_openflow_port(const struct switches *switches)
{
    for (size_t i = 0; i < 2; i++) {
        if (switches->openflow_listeners[i]) {
            return listener_port(switches->openflow_listeners[i]);
        }
    }
    return 0;
}

/* Turns, sequence, readiness. */

void
switches_later(struct switches *switches)
{
    loop_timer_set(switches->turn_timer, 0);
}

void
switches_open_sequence(struct switches *switches)
{
    if (!switches->is_sequence_open) {
        switches->is_sequence_open = true;
        switches->sequence++;
        switches_later(switches);
    }
}

static void
switches_turn(void *switches_)
{
    struct switches *switches = switches_;
    struct host *host;

    switches->is_sequence_open = false;
    HMAP_FOR_EACH (host, node, &switches->hosts) {
        host_turn(host);
    }
    views_run(switches);
}

void
switches_ready(struct switches *switches)
{
    struct host *host;

    HMAP_FOR_EACH (host, node, &switches->hosts) {
        if (host->openflow && host->openflow->reconcile) {
            reconcile_ready(host->openflow->reconcile);
        }
    }
}

void
switches_end_dump(struct switches *switches)
{
    struct openflow *openflow;

    LIST_FOR_EACH (openflow, node, &switches->openflows) {
        if (openflow->reconcile) {
            reconcile_take_turn(openflow->reconcile);
        }
    }
}

uint64_t
switches_sequence(const struct switches *switches)
{
    return switches->sequence;
}

uint64_t
switches_acknowledged(const struct switches *switches,
                      const struct uuid *host_id)
{
    const struct host *host = host_find(switches, host_id);

    if (!host) {
        return 0;
    }
    return (host->openflow && host->openflow->reconcile
                    && reconcile_is_done(host->openflow->reconcile)
                ? switches->sequence
                : host->acknowledged);
}

bool
switches_is_connected(const struct switches *switches, const struct uuid *id)
{
    const struct host *host = host_find(switches, id);

    return host && host->connected;
}

void
switches_send_packet(struct switches *switches, const struct uuid *id,
                     uint32_t in_port, uint32_t ofport, const void *frame,
                     size_t size)
{
    const struct host *host = host_find(switches, id);

    if (host && host->openflow
        && openflow_backlog(host->openflow) < RECONCILE_BACKLOG) {
        openflow_send_packet(host->openflow, in_port, ofport, frame, size);
    }
}

/* Accepting. */

/* Whether one session more is within the limit; closes the channel if not. */
static bool
admit(struct switches *switches, struct channel *channel)
{
    size_t n = (ovs_list_size(&switches->databases)
                + ovs_list_size(&switches->openflows));

    if (n < switches->settings.max_sessions) {
        return true;
    }
    VLOG_WARN_RL(&rl, "%s: refused: there are %zu sessions already",
                 channel_peer(channel), n);
    channel_destroy(channel);
    return false;
}

static void
accept_database(struct channel *channel, void *switches)
{
    if (admit(switches, channel)) {
        database_create(switches, channel, NULL, channel_peer(channel));
    }
}

static void
accept_openflow(struct channel *channel, void *switches)
{
    if (admit(switches, channel)) {
        openflow_create(switches, channel, channel_peer(channel));
    }
}

/* Who belongs to whom. */

/* Drops hosts that are away, if there are too many. */
static void
forget_hosts(struct switches *switches)
{
    struct host *host;

    HMAP_FOR_EACH_SAFE (host, node, &switches->hosts) {
        if (hmap_count(&switches->hosts) <= MAX_HOSTS_AWAY) {
            break;
        }
        if (!host->database && !host->openflow) {
            host_destroy(host);
        }
    }
}

void
switches_release_database(struct switches *switches, struct database *database)
{
    struct dial *dial = database->dial;

    if (dial) {
        dial->database = NULL;
        dial_retry(dial);
    }
    if (!switches->is_closing) {
        forget_hosts(switches);
    }
}

void
switches_database_answered(struct database *alive)
{
    const struct row *root = replica_root(&alive->replica);
    struct database *other;

    LIST_FOR_EACH (other, node, &alive->switches->databases) {
        const struct row *its = replica_root(&other->replica);

        if (!other->is_rival || !alive->host || !root || !its
            || strcmp(other->name, alive->host->name) != 0
            || uid_equals(&root->id, &its->id)) {
            continue; /* The same switch twice does no harm. */
        }
        host_note_error(alive->host, other->address,
                        "another switch also "
                        "calls itself %s; it is refused; set another "
                        "external_ids:system-id there",
                        alive->host->name);
        database_doom(other, "the name %s is taken by %s", other->name,
                      alive->address);
    }
}

static struct host *
host_of_datapath(const struct switches *switches, uint64_t datapath_id)
{
    struct host *host;

    HMAP_FOR_EACH (host, node, &switches->hosts) {
        if (datapath_id && host->datapath_id == datapath_id) {
            return host;
        }
    }
    return NULL;
}

void
switches_bind_openflow(struct switches *switches, struct openflow *openflow)
{
    struct host *host = host_of_datapath(switches, openflow->datapath_id);

    if (!host || !host->database) {
        return;
    }
    if (host->openflow) {
        openflow_probe(host->openflow);
    } else {
        openflow_bind(openflow, host);
        host_openflow_bound(host);
    }
}

bool
switches_expects(const struct switches *switches,
                 const struct openflow *openflow)
{
    return host_of_datapath(switches, openflow->datapath_id) != NULL;
}

/* Targets. */

bool
switches_parse_target(const char *target, bool *is_tlsp, char **addressp,
                      uint16_t *portp)
{
    bool is_tls = text_starts_with(target, "ssl:");
    if (!is_tls && !text_starts_with(target, "tcp:")) {
        return false;
    }

    AUTO_TEXT *copy = mem_text(target + 4);
    char *colon = strrchr(copy, ':');
    int64_t port = 6640;
    struct in6_addr address;
    if (colon && colon[1] && text_to_int(colon + 1, 1, 65535, &port)
        && (copy[0] != '[' || colon[-1] == ']')) {
        *colon = '\0';
    } else {
        port = 6640; /* OVSDB's own, RFC 7047 section 7. */
    }
    size_t length = strlen(copy);
    char *text = copy;
    if (text[0] == '[' && text[length - 1] == ']') {
        text[length - 1] = '\0';
        text++;
    }
    if (!ipaddr_from_text(text, &address)) {
        return false;
    }
    *is_tlsp = is_tls;
    *addressp = mem_text(text);
    *portp = port;
    return true;
}

char *
switches_controller_target(const struct switches *switches, const char *target,
                           const char *address, bool is_tls)
{
    AUTO_TEXT *parsed = NULL;
    uint16_t port = switches_openflow_port(switches);
    uint16_t ignored;

    if (target) {
        if (!switches_parse_target(target, &is_tls, &parsed, &ignored)) {
            return NULL;
        }
        address = parsed;
    }
    if (!port) {
        port = switches->settings.openflow_ports[0];
    }
    return mem_textf("%s:%s%s%s:%" PRIu16, is_tls ? "ssl" : "tcp",
                     strchr(address, ':') ? "[" : "", address,
                     strchr(address, ':') ? "]" : "", port);
}

/* Dials. */

static void
dial_connected(struct channel *channel, void *dial_)
{
    struct dial *dial = dial_;

    dial->channel = NULL;
    if (admit(dial->switches, channel)) {
        dial->backoff_ms = 0;
        dial->database =
            database_create(dial->switches, channel, dial, dial->target);
    } else {
        dial_retry(dial);
    }
}

static void
dial_closed(struct channel *channel, const char *reason, void *dial_)
{
    struct dial *dial = dial_;

    VLOG_INFO_RL(&rl, "%s: cannot connect: %s", dial->target, reason);
    channel_destroy(channel);
    dial->channel = NULL;
    dial_retry(dial);
}

static void
dial_ignore(struct channel *channel OVS_UNUSED, void *dial OVS_UNUSED)
{
}

static const struct channel_events dial_events = {
    .readable = dial_ignore,
    .drained = dial_ignore,
    .connected = dial_connected,
    .closed = dial_closed,
};

static void
dial_create(struct switches *switches, const char *target)
{
    struct dial *dial = NEW(struct dial);

    dial->switches = switches;
    dial->target = mem_text(target);
    bool is_valid = switches_parse_target(target, &dial->is_tls,
                                          &dial->address, &dial->port);
    ovs_assert(is_valid); /* See check_settings(). */
    dial->timer = loop_timer_create(switches->loop, dial_now, dial);
    ovs_list_push_back(&switches->dials, &dial->node);
    loop_timer_set(dial->timer, 0);
}

static void
dial_destroy(struct dial *dial)
{
    if (dial->database) {
        dial->database->dial = NULL;
        database_doom(dial->database, "not configured any more");
    }
    channel_destroy(dial->channel);
    loop_timer_destroy(dial->timer);
    ovs_list_remove(&dial->node);
    free(dial->target);
    free(dial->address);
    free(dial);
}

static void
dial_now(void *dial_)
{
    struct dial *dial = dial_;

    dial->channel = channel_dial(
        dial->switches->loop, dial->address, dial->port,
        dial->is_tls ? dial->switches->tls : NULL, &dial_events, dial);
}

/* Tries again after a while: half of it certain, half of it chance, so that
 * many do not come at once. */
static void
dial_retry(struct dial *dial)
{
    uint16_t chance;

    dial->backoff_ms =
        (!dial->backoff_ms                       ? MIN_BACKOFF_MS
         : dial->backoff_ms < MAX_BACKOFF_MS / 2 ? 2 * dial->backoff_ms
                                                 : MAX_BACKOFF_MS);
    loop_random(dial->switches->loop, &chance, sizeof chance);
    loop_timer_set(dial->timer,
                   500 * dial->backoff_ms
                       + 500 * dial->backoff_ms * chance / UINT16_MAX);
}
