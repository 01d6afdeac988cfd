/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts: where the two sessions of a switch meet.
 *
 *     database session ─┐              ┌─► facts, plugs, connected
 *                       ├─► host ──────┤
 *     OpenFlow session ─┘              └─► acknowledged, packet
 *
 * A host is told to the owner when both sessions are there: first its facts,
 * then that it is connected; its tables are compared after that.  It stays
 * when its sessions go, so that what it lacked and what went wrong can still
 * be read.
 *
 * Deltas of scopes are listened to from the first day of a host, also while
 * it is away: each opens a new sequence number, which only a comparison or a
 * barrier acknowledges, so that nothing is taken for done that was published
 * while nobody was there.
 *
 * The owner is only called from callbacks of the loop.  What begins in a call
 * of the owner, a resync, waits for host_turn(). */

#include "switches/host.h"

#include <inttypes.h>
#include <stdio.h>

#include "openvswitch/vlog.h"
#include "switches/database.h"
#include "switches/layout.h"
#include "switches/ports.h"
#include "switches/reconcile.h"

VLOG_DEFINE_THIS_MODULE(host);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 60);

static void host_delta(const struct scope_delta *, void *host);

struct host *
host_find(const struct switches *switches, const struct uuid *id)
{
    struct host *host;

    HMAP_FOR_EACH_WITH_HASH (host, node, uid_hash(id), &switches->hosts) {
        if (uid_equals(&host->id, id)) {
            return host;
        }
    }
    return NULL;
}

struct host *
host_get(struct switches *switches, const char *name)
{
    struct uuid id = uid_from_name("host", name);
    struct host *host = host_find(switches, &id);

    if (!host) {
        host = NEW(struct host);
        host->switches = switches;
        host->id = id;
        host->name = mem_text(name);
        host->since = loop_wall(switches->loop);
        hmap_insert(&switches->hosts, &host->node, uid_hash(&id));
        scopes_listen(switches->scopes, &id, host_delta, host);
    }
    return host;
}

void
host_destroy(struct host *host)
{
    scopes_unlisten(host->switches->scopes, &host->id);
    hmap_remove(&host->switches->hosts, &host->node);
    for (size_t i = 0; i < host->n_errors; i++) {
        free(host->errors[i].object);
        free(host->errors[i].text);
    }
    ports_report_destroy(host->report);
    json_destroy(host->lacks);
    free(host->name);
    free(host->address);
    free(host);
}

static bool
is_same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

void
host_note_error(struct host *host, const char *object, const char *format, ...)
{
    struct ds ds = DS_EMPTY_INITIALIZER;
    va_list args;

    va_start(args, format);
    ds_put_format_valist(&ds, format, args);
    va_end(args);

    struct host_error error = {
        .times = 1,
        .object = mem_text(object),
        .text = ds_steal_cstr(&ds),
    };
    size_t i;
    for (i = 0; i < host->n_errors; i++) {
        if (is_same_text(host->errors[i].object, object)
            && !strcmp(host->errors[i].text, error.text)) {
            error.times += host->errors[i].times;
            break;
        }
    }

    /* Position 'i' falls out: the same error, or the oldest. */
    if (i < host->n_errors || i == MAX_ERRORS) {
        i = i == MAX_ERRORS ? MAX_ERRORS - 1 : i;
        free(host->errors[i].object);
        free(host->errors[i].text);
    } else {
        host->n_errors++;
    }
    memmove(&host->errors[1], &host->errors[0], i * sizeof host->errors[0]);
    error.when = loop_wall(host->switches->loop);
    host->errors[0] = error;
}

/* Connection. */

static void
set_connected(struct host *host, bool connected, const char *reason)
{
    struct switches *switches = host->switches;

    if (host->connected == connected) {
        return;
    }
    host->connected = connected;
    host->since = loop_wall(switches->loop);
    VLOG_INFO_RL(&rl, "switch %s: %s%s%s", host->name,
                 connected ? "connected" : "disconnected", reason ? ": " : "",
                 reason ? reason : "");
    if (!switches->is_closing) {
        switches->events->connected(&host->id, connected, reason,
                                    switches->aux);
    }
}

/* Tells the owner what the switch says of itself, if both sessions are there:
 * everything if 'is_whole', else what changed. */
static void
tell(struct host *host, bool is_whole)
{
    struct openflow *openflow = host->openflow;

    if (!host->database || !openflow || host->switches->is_closing) {
        return;
    }
    if (!ports_tell(host, is_whole || !host->connected)) {
        return;
    }
    host->is_tell_wanted = false;
    set_connected(host, true, NULL);
    if (host->openflow && host->openflow->reconcile) {
        reconcile_expect_ready(host->openflow->reconcile);
    }
}

/* Gives the host a waiting session with its datapath, if there is one. */
static void
bind_waiting(struct host *host)
{
    struct openflow *openflow;

    if (host->switches->is_closing) {
        return;
    }
    LIST_FOR_EACH (openflow, node, &host->switches->openflows) {
        if (!host->openflow && openflow->state == OPENFLOW_WAITING
            && !openflow->doom && host->database && host->datapath_id
            && openflow->datapath_id == host->datapath_id) {
            openflow_bind(openflow, host);
            return;
        }
    }
}

bool
host_claim(struct host *host, struct database *database)
{
    if (host->database) {
        database_probe(host->database);
        return false;
    }
    host->database = database;
    database->host = host;
    free(host->address);
    host->address = mem_text(database->address);
    VLOG_INFO("%s: database session is that of host %s", database->address,
              host->name);
    return true;
}

/* The datapath id of the bridge, 0 if there is none. */
static uint64_t
read_datapath_id(const struct host *host)
{
    const struct replica *replica = &host->database->replica;
    const struct row *bridge = replica_find_name(
        replica, C_BRIDGE_NAME, host->switches->settings.bridge);

    return (bridge ? strtoull(row_text(bridge, C_BRIDGE_DATAPATH_ID), NULL, 16)
                   : 0);
}

void
host_database_changed(struct host *host)
{
    uint64_t datapath_id = read_datapath_id(host);

    if (host->connected && !host->is_tell_wanted && !host->switches->is_closing
        && ports_tell_touched(host)) {
        return;
    }
    database_provision(host->database);
    if (datapath_id && datapath_id != host->datapath_id) {
        host->datapath_id = datapath_id;
        if (host->openflow && host->openflow->datapath_id != datapath_id) {
            openflow_doom(host->openflow, "the bridge has another datapath");
        }
    }
    if (!host->openflow) {
        bind_waiting(host);
    }
    tell(host, false);
}

void
host_lose_database(struct host *host, const char *reason)
{
    struct switches *switches = host->switches;
    struct database *other;

    host->database->host = NULL;
    host->database = NULL;
    set_connected(host, false, reason);
    if (switches->is_closing) {
        return;
    }

    LIST_FOR_EACH (other, node, &switches->databases) {
        if (other->is_rival && !other->doom && other->name
            && !strcmp(other->name, host->name)) {
            other->is_rival = !host_claim(host, other);
            host_database_changed(host);
            return;
        }
    }
}

void
host_lose_openflow(struct host *host, const char *reason)
{
    host->openflow = NULL;
    /* What its tables hold when it is back is to be seen again. */
    host->acknowledged = 0;
    set_connected(host, false, reason);
    bind_waiting(host);
    tell(host, true);
}

void
host_openflow_bound(struct host *host)
{
    tell(host, true);
}

void
host_packet(struct host *host, uint32_t in_port, uint32_t reason,
            const void *frame, size_t size)
{
    struct switches *switches = host->switches;

    switches->events->packet(&host->id, in_port, reason, frame, size,
                             switches->aux);
}

/* Scopes. */

static bool
is_tunnel(const struct item *const *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (items[i]->kind == ITEM_TUNNEL) {
            return true;
        }
    }
    return false;
}

static void
host_delta(const struct scope_delta *delta, void *host_)
{
    struct host *host = host_;

    switches_open_sequence(host->switches);
    if (host->openflow && host->openflow->reconcile) {
        reconcile_delta(host->openflow->reconcile, delta);
    }
    if (host->tunnels_known
        && (is_tunnel(delta->wanted, delta->n_wanted)
            || is_tunnel(delta->removed, delta->n_removed))) {
        host_update_tunnels(host);
    }
}

static void
visit_tunnel(const struct item *item, void *bits_)
{
    uint32_t *bits = bits_;

    if (item->kind == ITEM_TUNNEL && item->group < N_CARRIERS) {
        *bits |= 1u << item->group;
    }
}

void
host_update_tunnels(struct host *host)
{
    uint32_t bits = 0;

    audit_for_each_wanted(host->switches->scopes, &host->id, visit_tunnel,
                          &bits);
    if (!host->tunnels_known || host->tunnels != bits) {
        host->tunnels_known = true;
        host->tunnels = bits;
        if (host->database) {
            database_provision(host->database);
        }
    }
}

void
host_request_ready(struct host *host)
{
    if (!host->database) {
        /* Nothing can be told; what was told still holds. */
        reconcile_expect_ready(host->openflow->reconcile);
        return;
    }
    host->is_tell_wanted = true;
    switches_later(host->switches);
}

void
host_acknowledge(struct host *host, uint64_t sequence)
{
    struct switches *switches = host->switches;

    if (sequence > host->acknowledged) {
        host->acknowledged = sequence;
        if (!switches->is_closing) {
            switches->events->acknowledged(&host->id, sequence, switches->aux);
        }
    }
}

void
host_turn(struct host *host)
{
    if (host->is_tell_wanted) {
        tell(host, true);
    }
}
