/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon, put together.
 *
 * Each applied transaction marks units of the engine dirty and defers one
 * turn of it, so that all transactions of a turn of the loop are compiled
 * together.  A turn runs at most UNITS_PER_TURN units; what is left runs in
 * the next one, so that requests and sessions are served in between.  When
 * nothing is dirty the scopes are complete: they are published, switches that
 * wait may be reconciled, and the fabric looks at who is wired.
 *
 * At the start the engine runs until it is idle before any port is open, so
 * that the first switch to dial in finds what it is to hold, and nothing is
 * removed from it because it was not computed yet.
 *
 * The order of destruction is the reverse, except that the store goes first:
 * it answers what waits in it, and the answers need everything else. */

#include "daemon.h"

#include <sys/param.h>

#include "admin.h"
#include "net/net.h"

#define UNITS_PER_TURN 1000

static void daemon_turn(void *daemon_);
static void daemon_run_engine(struct daemon *);
static void daemon_model_changed(const struct change *, size_t n,
                                 void *daemon_);
static void daemon_status_changed(const struct uuid *, bool wired,
                                  void *daemon_);
static void daemon_host_changed(const struct uuid *, void *daemon_);
static void daemon_create_engine(struct daemon *);
static void daemon_create_switches(struct daemon *);
static void daemon_create_api(struct daemon *);

/* Settings borrow from the configuration. */

static void
switches_settings_init(struct switches_settings *settings,
                       const struct config *config)
{
    *settings = (struct switches_settings){
        .listen_address = config->switches.listen,
        .ovsdb_port = config->switches.ovsdb_port,
        .controller_address = config->switches.controller_address,
        .active = (const char *const *) config->switches.active.items,
        .n_active = config->switches.active.n,
        .tls = { .key = config->switches.tls_key,
                 .certificate = config->switches.tls_certificate,
                 .ca = config->switches.tls_ca },
        .bridge = config->switches.bridge,
        .prefer_netdev = config->switches.prefer_netdev,
        .max_sessions = config->switches.max_sessions,
        .probe_ms = config->switches.probe_seconds * 1000,
    };
    for (size_t i = 0; i < MIN(config->switches.openflow_ports.n, 2); i++) {
        settings->openflow_ports[i] = config->switches.openflow_ports.items[i];
    }
}

/* 'paths' own what the settings point to. */
struct api_paths {
    char *socket;
    char *users;
};

static void
api_paths_uninit(struct api_paths *paths)
{
    free(paths->socket);
    free(paths->users);
}

static void
api_settings_init(struct api_settings *settings, struct api_paths *paths,
                  const struct config *config)
{
    AUTO_TEXT *run_dir = config_run_dir(config);
    paths->socket = mem_textf("%s/weft.sock", run_dir);
    paths->users = config_users_path(config);
    *settings = (struct api_settings){
        .listen_address = config->northbound.listen,
        .socket_path = paths->socket,
        .tls_key = config->northbound.tls_key,
        .tls_certificate = config->northbound.tls_certificate,
        .users_path = paths->users,
        .development = config->northbound.development,
        .compat_opendaylight =
            !strcmp(config->northbound.compat, "opendaylight"),
        .max_body_size = config->northbound.max_body,
        .max_depth = config->northbound.max_depth,
        .max_connections = config->northbound.max_connections,
        .max_header_size = config->northbound.max_header,
    };
    memcpy(settings->ports, config->northbound.ports.items,
           config->northbound.ports.n * sizeof *settings->ports);
}

/* Life. */

struct err *
daemon_create(struct loop *loop, struct config *config, const char *store_path,
              struct daemon **daemonp)
{
    AUTO_TEXT *path =
        store_path ? mem_text(store_path) : config_store_path(config);
    AUTO(model) *model = model_create();
    net_register(model);
    neutron_register(model);
    struct store *store;
    struct err *err = store_open(loop, path, model, &store);
    if (err) {
        return err;
    }

    struct daemon *daemon = NEW(struct daemon);
    daemon->loop = loop;
    daemon->config = config;
    daemon->started = loop_wall(loop);
    daemon->model = STEAL(model);
    daemon->store = store;
    daemon_create_engine(daemon);
    daemon_create_switches(daemon);
    daemon_create_api(daemon);
    *daemonp = daemon;
    return NULL;
}

void
daemon_close(struct daemon *daemon)
{
    daemon->ready = false;
    daemon->draining = true;
    store_close(STEAL(daemon->store));
}

void
daemon_destroy(struct daemon *daemon)
{
    if (!daemon) {
        return;
    }
    daemon_close(daemon);
    while (daemon->turn_deferred) {
        loop_run_once(daemon->loop, 0);
    }
    api_destroy(daemon->api);
    switches_destroy(daemon->switches);
    fabric_destroy(daemon->fabric);
    engine_destroy(daemon->engine);
    scopes_destroy(daemon->scopes);
    model_destroy(daemon->model);
    config_destroy(daemon->config);
    free(daemon->passes);
    free(daemon->indexes);
    free(daemon);
}

/* All passes: features' first, for they make what the compiler's read. */
static void
daemon_create_engine(struct daemon *daemon)
{
    const struct pass *passes[64];
    const struct index_def *indexes[64];
    size_t n_passes = 0, n_indexes = 0;
    const struct pass *const *const all_passes[] = { neutron_passes,
                                                     compile_passes };
    const struct index_def *const *const all_indexes[] = { neutron_indexes,
                                                           compile_indexes };
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; all_passes[i][j]; j++) {
            ovs_assert(n_passes < 63);
            passes[n_passes++] = all_passes[i][j];
        }
        for (size_t j = 0; all_indexes[i][j]; j++) {
            ovs_assert(n_indexes < 63);
            indexes[n_indexes++] = all_indexes[i][j];
        }
    }
    passes[n_passes++] = NULL;
    indexes[n_indexes++] = NULL;
    daemon->passes = mem_clone(passes, n_passes * sizeof *passes);
    daemon->indexes = mem_clone(indexes, n_indexes * sizeof *indexes);

    struct compile_settings settings = {
        .underlay_mtu = daemon->config->fabric.underlay_mtu
    };
    daemon->scopes = scopes_create();
    daemon->engine = engine_create(daemon->model, daemon->scopes,
                                   daemon->passes, daemon->indexes, &settings);
    daemon->fabric =
        fabric_create(daemon->loop, daemon->model, daemon->engine);
    model_observe(daemon->model, daemon_model_changed, daemon);
}

static void
daemon_create_switches(struct daemon *daemon)
{
    struct switches_settings settings;
    switches_settings_init(&settings, daemon->config);
    daemon->switches = switches_create(daemon->loop, daemon->scopes, &settings,
                                       &fabric_events, daemon->fabric);
    fabric_attach(daemon->fabric, daemon->switches);

    while (!engine_run(daemon->engine, UNITS_PER_TURN)) {
        continue;
    }
    scopes_publish(daemon->scopes);
    switches_ready(daemon->switches);
}

static void
daemon_create_api(struct daemon *daemon)
{
    struct api_settings settings;
    struct api_paths paths;
    api_settings_init(&settings, &paths, daemon->config);
    daemon->api =
        api_create(daemon->loop, daemon->model, daemon->fabric, &settings);
    api_paths_uninit(&paths);
    admin_register(daemon);
    fabric_observe(daemon->fabric, daemon_status_changed, daemon_host_changed,
                   daemon);
}

/* Says which option an error is about. */
static struct err *
err_in_option(struct err *err, const char *option)
{
    if (err && !err->field) {
        err->field = mem_text(option);
    }
    return err;
}

struct err *
daemon_listen_switches(struct daemon *daemon)
{
    return err_in_option(switches_start(daemon->switches),
                         "switches.ovsdb_port, switches.openflow_ports");
}

struct err *
daemon_listen_northbound(struct daemon *daemon)
{
    struct err *err =
        err_in_option(api_start(daemon->api), "northbound.ports");
    daemon->ready = !err;
    return err;
}

struct err *
daemon_reload(struct daemon *daemon, struct config *config)
{
    struct switches_settings switches;
    switches_settings_init(&switches, config);
    struct err *err = err_in_option(
        switches_reload(daemon->switches, &switches), "switches");
    if (!err) {
        struct api_settings api;
        struct api_paths paths;
        api_settings_init(&api, &paths, config);
        err = err_in_option(api_reload(daemon->api, &api), "northbound");
        api_paths_uninit(&paths);
    }
    if (!err) {
        config_destroy(daemon->config);
        daemon->config = config;
    }
    return err;
}

void
daemon_drain(struct daemon *daemon)
{
    daemon->draining = true;
    daemon->ready = false;
    api_drain(daemon->api);
}

bool
daemon_is_idle(const struct daemon *daemon)
{
    return api_is_idle(daemon->api) && store_is_idle(daemon->store);
}

/* From changes to rules. */

static void
daemon_model_changed(const struct change *changes, size_t n, void *daemon_)
{
    struct daemon *daemon = daemon_;
    engine_changed(daemon->engine, changes, n);
    daemon_run_engine(daemon);
}

/* Sees to it that the engine runs. */
static void
daemon_run_engine(struct daemon *daemon)
{
    if (!daemon->turn_deferred) {
        daemon->turn_deferred = true;
        loop_defer(daemon->loop, daemon_turn, daemon);
    }
}

static void
daemon_turn(void *daemon_)
{
    struct daemon *daemon = daemon_;
    daemon->turn_deferred = false;
    if (!engine_run(daemon->engine, UNITS_PER_TURN)) {
        daemon_run_engine(daemon);
        return;
    }
    scopes_publish(daemon->scopes);
    switches_ready(daemon->switches);
    fabric_run(daemon->fabric);
}

/* Events. */

static void
daemon_status_changed(const struct uuid *endpoint, bool wired, void *daemon_)
{
    struct daemon *daemon = daemon_;
    char id[UID_LENGTH + 1];
    uid_to_text(endpoint, id);
    AUTO(json) *data = json_object_create();
    json_object_put_string(data, "id", id);
    json_object_put_string(data, "status", wired ? "ACTIVE" : "DOWN");
    api_event(daemon->api, "status", data);
}

static void
daemon_host_changed(const struct uuid *id, void *daemon_)
{
    struct daemon *daemon = daemon_;

    /* It may have said nothing new, and then no change of the model brings
     * the turn that it and the status of its ports wait for. */
    daemon_run_engine(daemon);
    const struct host *host =
        host_cast(model_find(daemon->model, &host_resource, id));
    if (host && host->name) {
        bool up = switches_is_connected(daemon->switches, id);
        AUTO(json) *data = json_object_create();
        json_object_put_string(data, "name", host->name);
        json_object_put(data, "connected", json_boolean_create(up));
        api_event(daemon->api, "host", data);
    }
}
