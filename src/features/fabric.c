/* SPDX-License-Identifier: Apache-2.0 */

/* The fabric: what switches report becomes facts of the model, and what they
 * acknowledge becomes the status of endpoints.
 *
 *     switch says   ──► host, plug, physnet entities (stored)
 *     engine says   ──► this endpoint's attachment or placement changed
 *     switch says   ──► everything up to sequence n is in my tables
 *                                 │
 *                                 ▼
 *     status of an endpoint:
 *       down      not plugged where it is placed, or its host is lost
 *       waiting   plugged; its rules were published in sequence n, which the
 *                 host has not acknowledged yet
 *       wired     acknowledged
 *
 * A host whose sessions end is lost after HOST_GRACE_US, not at once: its
 * switch goes on forwarding, and sessions end for harmless reasons too.
 *
 * Costs: a plug is O(1); a host that comes or is lost visits all statuses. */

#include "features/fabric.h"

#include "openvswitch/vlog.h"

VLOG_DEFINE_THIS_MODULE(fabric);

#define HOST_GRACE_US UINT64_C(60000000)

struct status {
    struct hmap_node node;   /* In fabric->statuses, by endpoint. */
    struct ovs_list waiting; /* In fabric->waiting, or empty. */
    struct uuid endpoint;
    struct uuid host;
    uint64_t sequence; /* Waiting for its acknowledgement. */
    bool wired;
};

struct touched {
    struct hmap_node node; /* In fabric->touched, by endpoint. */
    struct uuid endpoint;
};

struct lost_host {
    struct hmap_node node; /* In fabric->lost, by host. */
    struct uuid host;
    uint64_t since;
    bool given_up; /* Its endpoints are down. */
};

struct observer {
    void (*changed)(const struct uuid *, bool wired, void *aux);
    void (*host_changed)(const struct uuid *, void *aux);
    void *aux;
};

struct fabric {
    struct loop *loop;
    struct model *model;
    struct engine *engine;
    struct switches *switches;
    struct timer *timer;
    struct hmap statuses;
    struct hmap touched;
    struct hmap lost;
    struct ovs_list waiting;
    struct observer *observers;
    size_t n_observers, allocated_observers;
};

static void fabric_give_up_lost(void *fabric);
static void fabric_net_changed(const struct entity *, const struct entity *,
                               void *fabric);

struct fabric *
fabric_create(struct loop *loop, struct model *model, struct engine *engine)
{
    struct fabric *fabric = NEW(struct fabric);
    fabric->loop = loop;
    fabric->model = model;
    fabric->engine = engine;
    fabric->timer = loop_timer_create(loop, fabric_give_up_lost, fabric);
    hmap_init(&fabric->statuses);
    hmap_init(&fabric->touched);
    hmap_init(&fabric->lost);
    ovs_list_init(&fabric->waiting);
    engine_observe(engine, fabric_net_changed, fabric);
    return fabric;
}

void
fabric_attach(struct fabric *fabric, struct switches *switches)
{
    fabric->switches = switches;
}

struct engine *
fabric_engine(const struct fabric *fabric)
{
    return fabric->engine;
}

struct switches *
fabric_switches(const struct fabric *fabric)
{
    return fabric->switches;
}

const struct scopes *
fabric_scopes(const struct fabric *fabric)
{
    return engine_scopes(fabric->engine);
}

static void
touched_clear(struct fabric *fabric)
{
    struct touched *touched;
    HMAP_FOR_EACH_SAFE (touched, node, &fabric->touched) {
        hmap_remove(&fabric->touched, &touched->node);
        free(touched);
    }
}

void
fabric_destroy(struct fabric *fabric)
{
    if (!fabric) {
        return;
    }
    engine_observe(fabric->engine, NULL, NULL);
    loop_timer_destroy(fabric->timer);
    struct status *status;
    HMAP_FOR_EACH_SAFE (status, node, &fabric->statuses) {
        hmap_remove(&fabric->statuses, &status->node);
        free(status);
    }
    hmap_destroy(&fabric->statuses);
    touched_clear(fabric);
    hmap_destroy(&fabric->touched);
    struct lost_host *lost;
    HMAP_FOR_EACH_SAFE (lost, node, &fabric->lost) {
        hmap_remove(&fabric->lost, &lost->node);
        free(lost);
    }
    hmap_destroy(&fabric->lost);
    free(fabric->observers);
    free(fabric);
}

void
fabric_observe(struct fabric *fabric,
               void (*changed)(const struct uuid *, bool wired, void *aux),
               void (*host_changed)(const struct uuid *, void *aux), void *aux)
{
    ARRAY_GROW(fabric->observers, fabric->n_observers,
               fabric->allocated_observers);
    fabric->observers[fabric->n_observers++] =
        (struct observer){ changed, host_changed, aux };
}

static void
tell_host_changed(struct fabric *fabric, const struct uuid *host)
{
    for (size_t i = 0; i < fabric->n_observers; i++) {
        if (fabric->observers[i].host_changed) {
            fabric->observers[i].host_changed(host, fabric->observers[i].aux);
        }
    }
}

/* Facts. */

static void
put_if_changed(struct txn *txn, struct entity *entity)
{
    const struct entity *old = txn_find(txn, entity->resource, &entity->id);
    if (old) {
        entity->number = old->number;
        if (entity_equals(old, entity)) {
            entity_destroy(entity);
            return;
        }
    }
    txn_put(txn, entity);
}

static struct texts
texts_clone(const char *const *items, size_t n)
{
    struct texts texts = { n ? mem_alloc(n * sizeof *texts.items) : NULL, n };
    for (size_t i = 0; i < n; i++) {
        texts.items[i] = mem_text(items[i]);
    }
    return texts;
}

static void
host_fill_lists(struct host *host, const struct switch_facts *facts)
{
    host->tunnels.n = facts->n_tunnels;
    host->tunnels.items =
        mem_zalloc((facts->n_tunnels + 1) * sizeof *host->tunnels.items);
    for (size_t i = 0; i < facts->n_tunnels; i++) {
        struct host_tunnel *tunnel = &host->tunnels.items[i];
        tunnel->carrier = mem_text(carrier_name(facts->tunnels[i].carrier));
        tunnel->ofport = facts->tunnels[i].ofport;
        SET(host_tunnel, tunnel, carrier);
        SET(host_tunnel, tunnel, ofport);
    }
    host->physnets.n = facts->n_physnets;
    host->physnets.items =
        mem_zalloc((facts->n_physnets + 1) * sizeof *host->physnets.items);
    for (size_t i = 0; i < facts->n_physnets; i++) {
        struct host_physnet *physnet = &host->physnets.items[i];
        physnet->name = mem_text(facts->physnets[i].name);
        physnet->target = mem_text(facts->physnets[i].target);
        physnet->ofport = facts->physnets[i].ofport;
        SET(host_physnet, physnet, name);
        SET(host_physnet, physnet, target);
        SET(host_physnet, physnet, ofport);
    }
    host->configs.n = facts->n_configs;
    host->configs.items =
        mem_zalloc((facts->n_configs + 1) * sizeof *host->configs.items);
    for (size_t i = 0; i < facts->n_configs; i++) {
        struct host_config *config = &host->configs.items[i];
        config->type = mem_text(facts->configs[i].type);
        config->config = mem_text(facts->configs[i].config);
        SET(host_config, config, type);
        SET(host_config, config, config);
    }
    SET(host, host, tunnels);
    SET(host, host, physnets);
    SET(host, host, configs);
}

static struct entity *
host_from_facts(const struct switch_facts *facts)
{
    struct host *host = MAKE(host, &facts->host);
    host->name = mem_text(facts->name);
    SET(host, host, name);
    host->aliases = texts_clone(facts->aliases, facts->n_aliases);
    SET(host, host, aliases);
    if (memcmp(&facts->tunnel_address, &in6addr_any,
               sizeof facts->tunnel_address)) {
        host->tunnel_address = facts->tunnel_address;
        SET(host, host, tunnel_address);
    }
    host->ovs_version = mem_text(facts->ovs_version);
    host->ovs_uuid = mem_text(facts->ovs_uuid);
    host->datapath_type = mem_text(facts->datapath_type);
    if (facts->ovs_version) {
        SET(host, host, ovs_version);
    }
    if (facts->ovs_uuid) {
        SET(host, host, ovs_uuid);
    }
    if (facts->datapath_type) {
        SET(host, host, datapath_type);
    }
    host->interface_types =
        texts_clone(facts->interface_types, facts->n_interface_types);
    SET(host, host, interface_types);
    host_fill_lists(host, facts);
    return &host->entity;
}

static struct entity *
plug_from_facts(const struct uuid *host, const struct switch_plug *facts)
{
    struct uuid id = plug_id(host, &facts->endpoint);
    struct plug *plug = MAKE(plug, &id);
    plug->host = *host;
    plug->endpoint = facts->endpoint;
    plug->name = mem_text(facts->name);
    plug->ofport = facts->ofport;
    plug->mtu = facts->mtu;
    SET(plug, plug, host);
    SET(plug, plug, endpoint);
    SET(plug, plug, ofport);
    SET(plug, plug, mtu);
    if (facts->name) {
        SET(plug, plug, name);
    }
    return &plug->entity;
}

struct facts_edit {
    struct fabric *fabric;
    const struct uuid *host;
    const struct switch_facts *facts;
    const struct switch_plug *plugs;
    size_t n_plugs;
};

static void
edit_put_plugs(struct txn *txn, const struct facts_edit *edit)
{
    for (size_t i = 0; i < edit->n_plugs; i++) {
        put_if_changed(txn, plug_from_facts(edit->host, &edit->plugs[i]));
    }
}

static int
compare_uuids(const void *a, const void *b)
{
    return uid_compare(a, b);
}

/* Deletes the host's stored plugs that are not among those reported. */
static void
edit_sweep_plugs(struct txn *txn, const struct facts_edit *edit)
{
    struct uuid *reported = mem_alloc((edit->n_plugs + 1) * sizeof *reported);
    for (size_t i = 0; i < edit->n_plugs; i++) {
        reported[i] = plug_id(edit->host, &edit->plugs[i].endpoint);
    }
    if (edit->n_plugs) {
        qsort(reported, edit->n_plugs, sizeof *reported, compare_uuids);
    }

    size_t n;
    const struct entity **stored =
        engine_lookup(edit->fabric->engine, &plugs_by_host,
                      hash64(edit->host, sizeof *edit->host, 0), &n);
    for (size_t i = 0; i < n; i++) {
        const struct plug *plug = plug_cast(stored[i]);
        if (uid_equals(&plug->host, edit->host)
            && !bsearch(&plug->entity.id, reported, edit->n_plugs,
                        sizeof *reported, compare_uuids)) {
            struct uuid id = plug->entity.id;
            txn_delete(txn, &plug_resource, &id);
        }
    }
    free(stored);
    free(reported);
}

static void
edit_facts(struct txn *txn, void *edit_)
{
    const struct facts_edit *edit = edit_;
    for (size_t i = 0; i < edit->facts->n_physnets; i++) {
        const char *name = edit->facts->physnets[i].name;
        struct uuid id = physnet_id_from_name(name);
        if (!txn_find(txn, &physnet_resource, &id)) {
            struct physnet *physnet = MAKE(physnet, &id);
            physnet->name = mem_text(name);
            SET(physnet, physnet, name);
            txn_put(txn, &physnet->entity);
        }
    }
    put_if_changed(txn, host_from_facts(edit->facts));
    edit_put_plugs(txn, edit);
    edit_sweep_plugs(txn, edit);
}

static void
fabric_facts(const struct switch_facts *facts, const struct switch_plug *plugs,
             size_t n_plugs, void *fabric_)
{
    struct fabric *fabric = fabric_;
    struct facts_edit edit = { fabric, &facts->host, facts, plugs, n_plugs };
    model_write_facts(fabric->model, edit_facts, &edit);
    tell_host_changed(fabric, &facts->host);
}

static void
edit_plug(struct txn *txn, void *edit)
{
    edit_put_plugs(txn, edit);
}

static void
fabric_plugged(const struct uuid *host, const struct switch_plug *plug,
               void *fabric_)
{
    struct fabric *fabric = fabric_;
    struct facts_edit edit = {
        .fabric = fabric, .host = host, .plugs = plug, .n_plugs = 1
    };
    model_write_facts(fabric->model, edit_plug, &edit);
}

static void
edit_unplug(struct txn *txn, void *id_)
{
    const struct uuid *id = id_;
    if (txn_find(txn, &plug_resource, id)) {
        txn_delete(txn, &plug_resource, id);
    }
}

static void
fabric_unplugged(const struct uuid *host, const struct uuid *endpoint,
                 void *fabric_)
{
    struct fabric *fabric = fabric_;
    struct uuid id = plug_id(host, endpoint);
    model_write_facts(fabric->model, edit_unplug, &id);
}

/* Status. */

static struct status *
status_find(const struct fabric *fabric, const struct uuid *endpoint)
{
    struct status *status;
    HMAP_FOR_EACH_WITH_HASH (status, node, uid_hash(endpoint),
                             &fabric->statuses) {
        if (uid_equals(&status->endpoint, endpoint)) {
            return status;
        }
    }
    return NULL;
}

static struct lost_host *
lost_find(const struct fabric *fabric, const struct uuid *host)
{
    struct lost_host *lost;
    HMAP_FOR_EACH_WITH_HASH (lost, node, uid_hash(host), &fabric->lost) {
        if (uid_equals(&lost->host, host)) {
            return lost;
        }
    }
    return NULL;
}

static void
touch(struct fabric *fabric, const struct uuid *endpoint)
{
    struct touched *touched;
    HMAP_FOR_EACH_WITH_HASH (touched, node, uid_hash(endpoint),
                             &fabric->touched) {
        if (uid_equals(&touched->endpoint, endpoint)) {
            return;
        }
    }
    touched = NEW(struct touched);
    touched->endpoint = *endpoint;
    hmap_insert(&fabric->touched, &touched->node, uid_hash(endpoint));
}

static void
fabric_net_changed(const struct entity *old, const struct entity *new_,
                   void *fabric)
{
    const struct entity *any = new_ ? new_ : old;
    if (any->resource == &attachment_resource) {
        touch(fabric, &attachment_cast(any)->endpoint);
    } else if (any->resource == &placement_resource) {
        touch(fabric, &placement_cast(any)->endpoint);
    }
}

static void
status_set_wired(struct fabric *fabric, struct status *status, bool wired)
{
    if (status->wired == wired) {
        return;
    }
    status->wired = wired;
    VLOG_DBG("port " UID_FMT " is %s", UID_ARGS(&status->endpoint),
             wired ? "ACTIVE" : "DOWN");
    for (size_t i = 0; i < fabric->n_observers; i++) {
        if (fabric->observers[i].changed) {
            fabric->observers[i].changed(&status->endpoint, wired,
                                         fabric->observers[i].aux);
        }
    }
}

static void
status_stop_waiting(struct status *status)
{
    if (!ovs_list_is_empty(&status->waiting)) {
        ovs_list_remove(&status->waiting);
        ovs_list_init(&status->waiting);
    }
}

static void
status_drop(struct fabric *fabric, struct status *status)
{
    status_stop_waiting(status);
    status_set_wired(fabric, status, false);
    hmap_remove(&fabric->statuses, &status->node);
    free(status);
}

/* The host where the endpoint is placed, if it is plugged there and the host
 * is not lost; else null. */
static const struct uuid *
plugged_host(const struct fabric *fabric, const struct uuid *endpoint)
{
    const struct placement *placement = placement_cast(
        engine_find(fabric->engine, &placement_resource, endpoint));
    if (!placement) {
        return NULL;
    }
    struct uuid id = uid_from_pair(endpoint, &placement->host);
    const struct attachment *attachment = attachment_cast(
        engine_find(fabric->engine, &attachment_resource, &id));
    if (!attachment || !attachment->ofport) {
        return NULL;
    }
    const struct lost_host *lost = lost_find(fabric, &placement->host);
    return lost && lost->given_up ? NULL : &placement->host;
}

/* Wired now, or to be asked again when the host acknowledges. */
static void
status_wait(struct fabric *fabric, struct status *status)
{
    status_stop_waiting(status);
    if (switches_acknowledged(fabric->switches, &status->host)
        >= status->sequence) {
        status_set_wired(fabric, status, true);
    } else {
        ovs_list_push_back(&fabric->waiting, &status->waiting);
    }
}

static void
status_evaluate(struct fabric *fabric, const struct uuid *endpoint)
{
    const struct uuid *host = plugged_host(fabric, endpoint);
    struct status *status = status_find(fabric, endpoint);
    if (!host) {
        if (status) {
            status_drop(fabric, status);
        }
        return;
    }
    if (status && uid_equals(&status->host, host)) {
        return;
    }
    if (!status) {
        status = NEW(struct status);
        status->endpoint = *endpoint;
        ovs_list_init(&status->waiting);
        hmap_insert(&fabric->statuses, &status->node, uid_hash(endpoint));
    }
    status_set_wired(fabric, status, false);
    status->host = *host;
    status->sequence = switches_sequence(fabric->switches);
    status_wait(fabric, status);
}

void
fabric_run(struct fabric *fabric)
{
    if (!fabric->switches) {
        return;
    }
    struct touched *touched;
    HMAP_FOR_EACH (touched, node, &fabric->touched) {
        status_evaluate(fabric, &touched->endpoint);
    }
    touched_clear(fabric);
}

static void
fabric_acknowledged(const struct uuid *host, uint64_t sequence, void *fabric_)
{
    struct fabric *fabric = fabric_;
    struct status *status, *next;
    LIST_FOR_EACH_SAFE (status, next, waiting, &fabric->waiting) {
        if (uid_equals(&status->host, host) && sequence >= status->sequence) {
            status_stop_waiting(status);
            status_set_wired(fabric, status, true);
        }
    }
}

bool
fabric_is_wired(const struct fabric *fabric, const struct uuid *endpoint)
{
    const struct status *status = status_find(fabric, endpoint);
    return status && status->wired;
}

/* Hosts that come and go. */

/* Looks again at all endpoints placed on 'host'. */
static void
touch_host(struct fabric *fabric, const struct uuid *host)
{
    size_t n;
    const struct entity **plugs = engine_lookup(
        fabric->engine, &plugs_by_host, hash64(host, sizeof *host, 0), &n);
    for (size_t i = 0; i < n; i++) {
        touch(fabric, &plug_cast(plugs[i])->endpoint);
    }
    free(plugs);
    fabric_run(fabric);
}

static void
fabric_give_up_lost(void *fabric_)
{
    struct fabric *fabric = fabric_;
    uint64_t now = loop_now(fabric->loop), next = UINT64_MAX;
    struct lost_host *lost;
    HMAP_FOR_EACH (lost, node, &fabric->lost) {
        uint64_t due = lost->since + HOST_GRACE_US;
        if (lost->given_up) {
            continue;
        } else if (due <= now) {
            lost->given_up = true;
            touch_host(fabric, &lost->host);
        } else if (due < next) {
            next = due;
        }
    }
    if (next != UINT64_MAX) {
        loop_timer_set(fabric->timer, next - now);
    }
}

static void
fabric_connected(const struct uuid *host, bool up, const char *reason,
                 void *fabric_)
{
    struct fabric *fabric = fabric_;
    struct lost_host *lost = lost_find(fabric, host);
    if (up && lost) {
        hmap_remove(&fabric->lost, &lost->node);
        free(lost);
        touch_host(fabric, host);
    } else if (!up && !lost) {
        lost = NEW(struct lost_host);
        lost->host = *host;
        lost->since = loop_now(fabric->loop);
        hmap_insert(&fabric->lost, &lost->node, uid_hash(host));
        fabric_give_up_lost(fabric);
    }
    tell_host_changed(fabric, host);
}

const struct switches_events fabric_events = {
    .facts = fabric_facts,
    .plugged = fabric_plugged,
    .unplugged = fabric_unplugged,
    .acknowledged = fabric_acknowledged,
    .connected = fabric_connected,
};

/* Forgetting a host. */

struct forgetting {
    struct fabric *fabric;
    char *name;
    model_done done;
    void *aux;
};

static const struct host *
find_host_by_name(const struct fabric *fabric, const char *name)
{
    size_t n;
    const struct entity **hosts = engine_lookup(fabric->engine, &hosts_by_name,
                                                hash64_text(name, 0), &n);
    const struct host *host = n ? host_cast(hosts[0]) : NULL;
    free(hosts);
    return host;
}

static struct err *
edit_forget(struct txn *txn, void *forgetting_)
{
    struct forgetting *f = forgetting_;
    const struct host *host = find_host_by_name(f->fabric, f->name);
    if (!host) {
        return err_about(err_new(ERR_MISSING, NULL, "no such host"), "host %s",
                         f->name);
    }
    if (switches_is_connected(f->fabric->switches, &host->entity.id)) {
        return err_about(err_new(ERR_IN_USE, NULL,
                                 "it is connected; run there first: "
                                 "ovs-vsctl del-manager"),
                         "host %s", f->name);
    }
    struct uuid id = host->entity.id;
    size_t n;
    const struct entity **plugs = engine_lookup(
        f->fabric->engine, &plugs_by_host, hash64(&id, sizeof id, 0), &n);
    for (size_t i = 0; i < n; i++) {
        struct uuid plug = plugs[i]->id;
        txn_delete(txn, &plug_resource, &plug);
    }
    free(plugs);
    txn_delete(txn, &host_resource, &id);
    return NULL;
}

static void
forget_done(struct err *err, void *forgetting_)
{
    struct forgetting *f = forgetting_;
    f->done(err, f->aux);
    free(f->name);
    free(f);
}

void
fabric_forget_host(struct fabric *fabric, const char *name, model_done done,
                   void *aux)
{
    struct forgetting *f = NEW(struct forgetting);
    *f = (struct forgetting){ fabric, mem_text(name), done, aux };
    model_write(fabric->model, edit_forget, forget_done, f);
}
