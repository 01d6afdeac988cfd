/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes: items that several switches share, and who is told what changed.
 *
 *   scopes ── scope "segment 6f0c" ── items, by identity
 *     │         │                       item ─variant► item   (lost: higher
 *     │         │                                              cookie)
 *     │         └─ subscriptions ◄──┐
 *     ├────── host ── subscriptions ┘   (counted)
 *     │        └── listener
 *     ├────── shared: items in force outside host scopes, by identity
 *     └────── touches: (scope, identity) ─► item before the first change
 *
 * IN FORCE is the item of an identity with the lowest cookie in its scope,
 * whatever the order of arrival; only that one is in the scope's table.
 * Several additions of the same content are several items of equal cookie.
 *
 * A host WANTS, for an identity, the item in force in its own scope, else the
 * one with the lowest cookie among the other scopes it subscribes to.  (There
 * should be one at most; if a bug or a user's nonsense makes it two, the
 * choice is still a function of the present state.)  'shared' answers "who
 * else holds this identity?" without a walk over a host's scopes; items of
 * host scopes are not in it, because a thousand hosts hold the same identity
 * there.
 *
 * DELTAS.  The first change of an identity in a scope that somebody
 * subscribes to leaves a touch, with a reference to what was in force before;
 * a subscription remembers whether it was there at the last publish.  So both
 * states, before and now, can be asked for any (host, identity), and
 * publishing is: collect the pairs that may differ, ask both, tell.
 *
 * Cost: adding and removing are O(1); publishing is proportional to touches
 * times subscribers, plus the items of scopes that were joined or left.
 * Nothing costs in proportion to all hosts or all items. */

#include "pipeline/private.h"

struct scope {
    struct hmap_node node; /* In scopes->scopes. */
    struct scope_id id;
    struct hmap items; /* In force. */
    struct ovs_list subscriptions;
    size_t n_subscribers; /* Subscriptions with a positive count. */
    size_t n_touches;
};

struct host {
    struct hmap_node node; /* In scopes->hosts. */
    struct uuid id;
    struct hmap subscriptions;
    struct subscription *own; /* To its own scope, or null. */
    size_t n_wants;           /* Subscriptions with a positive count. */
    void (*changed)(const struct scope_delta *, void *aux); /* Or null. */
    void *aux;

    /* Only during scopes_publish(). */
    struct ovs_list pending_node; /* Empty: not pending. */
    uint64_t *identities;         /* That may have changed; may repeat. */
    size_t n_identities, allocated_identities;
};

struct subscription {
    struct hmap_node node;        /* In host->subscriptions. */
    struct ovs_list scope_node;   /* In scope->subscriptions. */
    struct ovs_list changed_node; /* In scopes->changed, or empty. */
    struct host *host;
    struct scope *scope;
    uint32_t count;
    bool was; /* At the last publish. */
};

struct touch {
    struct hmap_node node; /* In scopes->touches; see touch_hash(). */
    struct scope *scope;
    uint64_t identity;
    struct item *before; /* A reference, or null. */
};

struct scopes {
    struct hmap scopes;
    struct hmap hosts;
    struct hmap shared; /* item->shared_node by identity. */
    struct hmap touches;
    struct ovs_list changed; /* Subscriptions that were made or ended. */
    size_t n_items;
    bool publishing;
};

static const struct item *find_now(const struct scopes *, const struct host *,
                                   uint64_t identity);

struct scopes *
scopes_create(void)
{
    struct scopes *scopes = NEW(struct scopes);
    hmap_init(&scopes->scopes);
    hmap_init(&scopes->hosts);
    hmap_init(&scopes->shared);
    hmap_init(&scopes->touches);
    ovs_list_init(&scopes->changed);
    return scopes;
}

/* Lookup and life of scopes, hosts and subscriptions. */

static size_t
scope_id_hash(const struct scope_id *id)
{
    return hash64_mix(hash64(&id->id, sizeof id->id, 0), id->kind);
}

static bool
scope_id_equals(const struct scope_id *a, const struct scope_id *b)
{
    return a->kind == b->kind && uid_equals(&a->id, &b->id);
}

static struct scope *
find_scope(const struct scopes *scopes, const struct scope_id *id)
{
    struct scope *scope;
    HMAP_FOR_EACH_WITH_HASH (scope, node, scope_id_hash(id), &scopes->scopes) {
        if (scope_id_equals(&scope->id, id)) {
            return scope;
        }
    }
    return NULL;
}

static struct scope *
get_scope(struct scopes *scopes, const struct scope_id *id)
{
    struct scope *scope = find_scope(scopes, id);
    if (!scope) {
        scope = NEW(struct scope);
        scope->id = *id;
        hmap_init(&scope->items);
        ovs_list_init(&scope->subscriptions);
        hmap_insert(&scopes->scopes, &scope->node, scope_id_hash(id));
    }
    return scope;
}

static void
drop_scope_if_unused(struct scopes *scopes, struct scope *scope)
{
    if (hmap_is_empty(&scope->items) && !scope->n_touches
        && ovs_list_is_empty(&scope->subscriptions)) {
        hmap_remove(&scopes->scopes, &scope->node);
        hmap_destroy(&scope->items);
        free(scope);
    }
}

static struct host *
find_host(const struct scopes *scopes, const struct uuid *id)
{
    struct host *host;
    HMAP_FOR_EACH_WITH_HASH (host, node, uid_hash(id), &scopes->hosts) {
        if (uid_equals(&host->id, id)) {
            return host;
        }
    }
    return NULL;
}

static struct host *
get_host(struct scopes *scopes, const struct uuid *id)
{
    struct host *host = find_host(scopes, id);
    if (!host) {
        host = NEW(struct host);
        host->id = *id;
        hmap_init(&host->subscriptions);
        ovs_list_init(&host->pending_node);
        hmap_insert(&scopes->hosts, &host->node, uid_hash(id));
    }
    return host;
}

static void
drop_host_if_unused(struct scopes *scopes, struct host *host)
{
    if (hmap_is_empty(&host->subscriptions) && !host->changed) {
        hmap_remove(&scopes->hosts, &host->node);
        hmap_destroy(&host->subscriptions);
        free(host);
    }
}

static struct subscription *
find_subscription(const struct host *host, const struct scope *scope)
{
    struct subscription *sub;
    HMAP_FOR_EACH_WITH_HASH (sub, node, scope->node.hash,
                             &host->subscriptions) {
        if (sub->scope == scope) {
            return sub;
        }
    }
    return NULL;
}

static void
drop_subscription(struct subscription *sub)
{
    if (sub->host->own == sub) {
        sub->host->own = NULL;
    }
    hmap_remove(&sub->host->subscriptions, &sub->node);
    ovs_list_remove(&sub->scope_node);
    ovs_list_remove(&sub->changed_node);
    free(sub);
}

/* Puts 'sub' on the list of changes, or takes it off if it is again what it
 * was. */
static void
note_subscription(struct scopes *scopes, struct subscription *sub)
{
    ovs_list_remove(&sub->changed_node);
    ovs_list_init(&sub->changed_node);
    if (sub->was != (sub->count > 0)) {
        ovs_list_push_back(&scopes->changed, &sub->changed_node);
    } else if (!sub->count) {
        struct host *host = sub->host;
        struct scope *scope = sub->scope;
        drop_subscription(sub);
        drop_scope_if_unused(scopes, scope);
        drop_host_if_unused(scopes, host);
    }
}

void
scopes_want(struct scopes *scopes, const struct uuid *host_id,
            struct scope_id id)
{
    ovs_assert(!scopes->publishing);
    /* A host's scope wins over others only on that host. */
    ovs_assert(id.kind != SCOPE_HOST || uid_equals(&id.id, host_id));

    struct host *host = get_host(scopes, host_id);
    struct scope *scope = get_scope(scopes, &id);
    struct subscription *sub = find_subscription(host, scope);
    if (!sub) {
        sub = NEW(struct subscription);
        sub->host = host;
        sub->scope = scope;
        hmap_insert(&host->subscriptions, &sub->node, scope->node.hash);
        ovs_list_push_back(&scope->subscriptions, &sub->scope_node);
        ovs_list_init(&sub->changed_node);
        if (id.kind == SCOPE_HOST) {
            host->own = sub;
        }
    }
    if (!sub->count++) {
        scope->n_subscribers++;
        host->n_wants++;
        note_subscription(scopes, sub);
    }
}

void
scopes_unwant(struct scopes *scopes, const struct uuid *host_id,
              struct scope_id id)
{
    ovs_assert(!scopes->publishing);

    struct host *host = find_host(scopes, host_id);
    struct scope *scope = find_scope(scopes, &id);
    struct subscription *sub =
        host && scope ? find_subscription(host, scope) : NULL;
    ovs_assert(sub && sub->count);
    if (!--sub->count) {
        scope->n_subscribers--;
        host->n_wants--;
        note_subscription(scopes, sub);
    }
}

/* Adding and removing. */

static bool
is_shared(const struct scope *scope)
{
    return scope->id.kind != SCOPE_HOST;
}

/* Touches of shared scopes are found by identity alone, over all scopes;
 * those of host scopes, where thousands have the same identity, only with
 * their scope. */
static size_t
touch_hash(const struct scope *scope, uint64_t identity)
{
    return (is_shared(scope) ? identity
                             : hash64_mix(identity, scope->node.hash));
}

static struct touch *
find_touch(const struct scopes *scopes, const struct scope *scope,
           uint64_t identity)
{
    struct touch *touch;
    HMAP_FOR_EACH_WITH_HASH (touch, node, touch_hash(scope, identity),
                             &scopes->touches) {
        if (touch->scope == scope && touch->identity == identity) {
            return touch;
        }
    }
    return NULL;
}

/* Notes that 'before', possibly null, is about to be in force no more.
 * Where nobody subscribes or did, nobody needs to know. */
static void
touch_identity(struct scopes *scopes, struct scope *scope, uint64_t identity,
               const struct item *before)
{
    if (ovs_list_is_empty(&scope->subscriptions)
        || find_touch(scopes, scope, identity)) {
        return;
    }
    struct touch *touch = NEW(struct touch);
    touch->scope = scope;
    touch->identity = identity;
    touch->before = item_ref(before);
    hmap_insert(&scopes->touches, &touch->node, touch_hash(scope, identity));
    scope->n_touches++;
}

static struct item *
find_in_force(const struct scope *scope, uint64_t identity)
{
    struct item *item;
    HMAP_FOR_EACH_WITH_HASH (item, node, identity, &scope->items) {
        if (item->identity == identity) {
            return item;
        }
    }
    return NULL;
}

static void
put_in_force(struct scopes *scopes, struct scope *scope, struct item *item)
{
    hmap_insert(&scope->items, &item->node, item->identity);
    if (is_shared(scope)) {
        hmap_insert(&scopes->shared, &item->shared_node, item->identity);
    }
    scopes->n_items++;
}

static void
take_out_of_force(struct scopes *scopes, struct scope *scope,
                  struct item *item)
{
    hmap_remove(&scope->items, &item->node);
    if (is_shared(scope)) {
        hmap_remove(&scopes->shared, &item->shared_node);
    }
    scopes->n_items--;
}

static void
link_after(struct item *previous, struct item *item, struct item *next)
{
    item->previous = previous;
    item->variant = next;
    if (previous) {
        previous->variant = item;
    }
    if (next) {
        next->previous = item;
    }
}

static struct item *
add_item(struct scopes *scopes, const struct scope_id *id, struct item *item,
         const void *owner)
{
    ovs_assert(!scopes->publishing);

    struct scope *scope = get_scope(scopes, id);
    item->scope = scope;
    item->owner = owner;

    struct item *head = find_in_force(scope, item->identity);
    if (!head || item->cookie < head->cookie) {
        touch_identity(scopes, scope, item->identity, head);
        if (head) {
            take_out_of_force(scopes, scope, head);
        }
        link_after(NULL, item, head);
        put_in_force(scopes, scope, item);
    } else {
        struct item *below = head;
        while (below->variant && below->variant->cookie < item->cookie) {
            below = below->variant;
        }
        link_after(below, item, below->variant);
    }
    return item;
}

struct item *
scope_add(struct scopes *scopes, const struct draft *draft, const void *owner)
{
    draft_check(draft);
    return add_item(scopes, &draft->scope, item_from_draft(draft), owner);
}

struct item *
scope_add_group(struct scopes *scopes, struct scope_id id, uint32_t group,
                const void *owner)
{
    return add_item(scopes, &id, item_from_group(group), owner);
}

struct item *
scope_add_tunnel(struct scopes *scopes, struct scope_id id,
                 enum carrier carrier, const void *owner)
{
    return add_item(scopes, &id, item_from_carrier(carrier), owner);
}

void
scope_remove(struct scopes *scopes, struct item *item)
{
    ovs_assert(!scopes->publishing);

    struct scope *scope = item->scope;
    struct item *next = item->variant;
    if (next) {
        next->previous = item->previous;
    }
    if (item->previous) {
        item->previous->variant = next;
    } else {
        if (!next || next->cookie != item->cookie) {
            touch_identity(scopes, scope, item->identity, item);
        }
        take_out_of_force(scopes, scope, item);
        if (next) {
            put_in_force(scopes, scope, next);
        }
    }
    item->scope = NULL;
    item->owner = NULL;
    item->variant = item->previous = NULL;
    item_unref(item);
    drop_scope_if_unused(scopes, scope);
}

bool
item_is_contested(const struct item *item)
{
    const struct item *head =
        item->scope ? find_in_force(item->scope, item->identity) : NULL;
    for (const struct item *v = head; v; v = v->variant) {
        if (v->cookie != item->cookie) {
            return true;
        }
    }
    return false;
}

/* Reading. */

/* A scope that exists only because a change is not published yet is none. */
static bool
is_visible(const struct scope *scope)
{
    return !hmap_is_empty(&scope->items) || scope->n_subscribers;
}

const struct scope *
scopes_find(const struct scopes *scopes, struct scope_id id)
{
    const struct scope *scope = find_scope(scopes, &id);
    return scope && is_visible(scope) ? scope : NULL;
}

const struct hmap *
scope_items(const struct scope *scope)
{
    return &scope->items;
}

struct scope_id
scope_id(const struct scope *scope)
{
    return scope->id;
}

size_t
scope_n_subscribers(const struct scope *scope)
{
    return scope->n_subscribers;
}

static int
compare_uuids(const void *a_, const void *b_)
{
    const struct uuid *const *a = a_;
    const struct uuid *const *b = b_;
    return uid_compare(*a, *b);
}

const struct uuid **
scope_subscribers(const struct scope *scope, size_t *np)
{
    size_t n = 0;
    const struct uuid **array =
        mem_alloc((scope->n_subscribers + 1) * sizeof *array);
    const struct subscription *sub;
    LIST_FOR_EACH (sub, scope_node, &scope->subscriptions) {
        if (sub->count) {
            array[n++] = &sub->host->id;
        }
    }
    qsort(array, n, sizeof *array, compare_uuids);
    *np = n;
    return array;
}

const struct item *
scope_find(const struct scope *scope, uint64_t identity)
{
    return find_in_force(scope, identity);
}

const struct item *
scopes_wanted(const struct scopes *scopes, const struct uuid *host_id,
              uint64_t identity)
{
    const struct host *host = find_host(scopes, host_id);
    return host ? find_now(scopes, host, identity) : NULL;
}

const struct scope **
scopes_of_host(const struct scopes *scopes, const struct uuid *host_id,
               size_t *np)
{
    const struct host *host = find_host(scopes, host_id);
    size_t n = 0;
    const struct scope **array =
        mem_alloc((host ? host->n_wants + 1 : 1) * sizeof *array);
    if (host) {
        const struct subscription *sub;
        HMAP_FOR_EACH (sub, node, &host->subscriptions) {
            if (sub->count) {
                array[n++] = sub->scope;
            }
        }
    }
    *np = n;
    return array;
}

const struct item *
scopes_find_cookie(const struct scopes *scopes, uint64_t cookie)
{
    const struct scope *scope;
    HMAP_FOR_EACH (scope, node, &scopes->scopes) {
        const struct item *item;
        SCOPE_FOR_EACH_ITEM (item, scope) {
            if (item->cookie == cookie) {
                return item;
            }
        }
    }
    return NULL;
}

int
scope_id_compare(const struct scope_id *a, const struct scope_id *b)
{
    return (a->kind != b->kind ? (a->kind < b->kind ? -1 : 1)
                               : uid_compare(&a->id, &b->id));
}

static int
compare_scopes(const void *a_, const void *b_)
{
    const struct scope *const *a = a_;
    const struct scope *const *b = b_;
    return scope_id_compare(&(*a)->id, &(*b)->id);
}

const struct scope **
scopes_list(const struct scopes *scopes, size_t *np)
{
    size_t n = 0;
    const struct scope **array =
        mem_alloc((hmap_count(&scopes->scopes) + 1) * sizeof *array);
    const struct scope *scope;
    HMAP_FOR_EACH (scope, node, &scopes->scopes) {
        if (is_visible(scope)) {
            array[n++] = scope;
        }
    }
    qsort(array, n, sizeof *array, compare_scopes);
    *np = n;
    return array;
}

size_t
scopes_n_items(const struct scopes *scopes)
{
    return scopes->n_items;
}

/* What a host wants, now and at the last publish. */

static const struct item *
lower(const struct item *a, const struct item *b)
{
    return !a || (b && b->cookie < a->cookie) ? b : a;
}

static const struct item *
find_now(const struct scopes *scopes, const struct host *host,
         uint64_t identity)
{
    const struct subscription *own = host->own;
    if (own && own->count) {
        const struct item *item = find_in_force(own->scope, identity);
        if (item) {
            return item;
        }
    }

    const struct item *found = NULL;
    const struct item *item;
    HMAP_FOR_EACH_WITH_HASH (item, shared_node, identity, &scopes->shared) {
        if (item->identity == identity) {
            const struct subscription *sub =
                find_subscription(host, item->scope);
            if (sub && sub->count) {
                found = lower(found, item);
            }
        }
    }
    return found;
}

static const struct item *
find_before_in(const struct scopes *scopes, const struct scope *scope,
               uint64_t identity)
{
    const struct touch *touch = find_touch(scopes, scope, identity);
    return touch ? touch->before : find_in_force(scope, identity);
}

static const struct item *
find_before(const struct scopes *scopes, const struct host *host,
            uint64_t identity)
{
    const struct subscription *own = host->own;
    if (own && own->was) {
        const struct item *item = find_before_in(scopes, own->scope, identity);
        if (item) {
            return item;
        }
    }

    const struct item *found = NULL;
    const struct item *item;
    HMAP_FOR_EACH_WITH_HASH (item, shared_node, identity, &scopes->shared) {
        if (item->identity == identity) {
            const struct subscription *sub =
                find_subscription(host, item->scope);
            if (sub && sub->was
                && !find_touch(scopes, item->scope, identity)) {
                found = lower(found, item);
            }
        }
    }
    const struct touch *touch;
    HMAP_FOR_EACH_WITH_HASH (touch, node, identity, &scopes->touches) {
        if (touch->identity == identity && touch->before
            && is_shared(touch->scope)) {
            const struct subscription *sub =
                find_subscription(host, touch->scope);
            if (sub && sub->was) {
                found = lower(found, touch->before);
            }
        }
    }
    return found;
}

/* Deltas. */

void
scopes_listen(struct scopes *scopes, const struct uuid *host_id,
              void (*changed)(const struct scope_delta *, void *aux),
              void *aux)
{
    ovs_assert(!scopes->publishing && changed);

    struct host *host = get_host(scopes, host_id);
    host->changed = changed;
    host->aux = aux;
}

void
scopes_unlisten(struct scopes *scopes, const struct uuid *host_id)
{
    ovs_assert(!scopes->publishing);

    struct host *host = find_host(scopes, host_id);
    if (host) {
        host->changed = NULL;
        host->aux = NULL;
        drop_host_if_unused(scopes, host);
    }
}

static void
add_pending(struct ovs_list *pending, struct host *host, uint64_t identity)
{
    if (!host->changed) {
        return;
    }
    if (ovs_list_is_empty(&host->pending_node)) {
        ovs_list_push_back(pending, &host->pending_node);
    }
    ARRAY_GROW(host->identities, host->n_identities,
               host->allocated_identities);
    host->identities[host->n_identities++] = identity;
}

static bool
is_same(const struct item *a, const struct item *b)
{
    return a == b || (a && b && a->cookie == b->cookie);
}

/* Finds the pairs of host and identity whose item may have changed. */
static void
collect_pending(struct scopes *scopes, struct ovs_list *pending)
{
    const struct touch *touch;
    HMAP_FOR_EACH (touch, node, &scopes->touches) {
        if (is_same(touch->before,
                    find_in_force(touch->scope, touch->identity))) {
            continue;
        }
        struct subscription *sub;
        LIST_FOR_EACH (sub, scope_node, &touch->scope->subscriptions) {
            add_pending(pending, sub->host, touch->identity);
        }
    }

    struct subscription *sub;
    LIST_FOR_EACH (sub, changed_node, &scopes->changed) {
        const struct item *item;
        SCOPE_FOR_EACH_ITEM (item, sub->scope) {
            add_pending(pending, sub->host, item->identity);
        }
    }
}

static int
compare_u64(const void *a_, const void *b_)
{
    const uint64_t *a = a_;
    const uint64_t *b = b_;
    return *a < *b ? -1 : *a > *b;
}

static void
tell_host(const struct scopes *scopes, struct host *host)
{
    size_t n = host->n_identities;
    uint64_t *identities = host->identities;
    qsort(identities, n, sizeof *identities, compare_u64);

    const struct item **removed = mem_alloc(n * sizeof *removed);
    const struct item **wanted = mem_alloc(n * sizeof *wanted);
    struct scope_delta delta = {
        .host = &host->id,
        .removed = removed,
        .wanted = wanted,
    };
    for (size_t i = 0; i < n; i++) {
        if (i && identities[i] == identities[i - 1]) {
            continue;
        }
        const struct item *before = find_before(scopes, host, identities[i]);
        const struct item *now = find_now(scopes, host, identities[i]);
        if (is_same(before, now)) {
            continue;
        }
        if (now) {
            wanted[delta.n_wanted++] = now;
        } else {
            removed[delta.n_removed++] = before;
        }
    }
    if (delta.n_removed || delta.n_wanted) {
        host->changed(&delta, host->aux);
    }
    free(removed);
    free(wanted);
}

/* Makes the present state the one that was published. */
static void
forget_changes(struct scopes *scopes)
{
    struct touch *touch;
    HMAP_FOR_EACH_POP (touch, node, &scopes->touches) {
        touch->scope->n_touches--;
        item_unref(touch->before);
        drop_scope_if_unused(scopes, touch->scope);
        free(touch);
    }
    hmap_shrink(&scopes->touches);

    struct subscription *sub;
    LIST_FOR_EACH_SAFE (sub, changed_node, &scopes->changed) {
        sub->was = sub->count > 0;
        note_subscription(scopes, sub);
    }
}

void
scopes_publish(struct scopes *scopes)
{
    ovs_assert(!scopes->publishing);
    scopes->publishing = true;

    struct ovs_list pending;
    ovs_list_init(&pending);
    collect_pending(scopes, &pending);

    struct host *host;
    LIST_FOR_EACH (host, pending_node, &pending) {
        tell_host(scopes, host);
    }
    LIST_FOR_EACH_SAFE (host, pending_node, &pending) {
        ovs_list_remove(&host->pending_node);
        ovs_list_init(&host->pending_node);
        free(host->identities);
        host->identities = NULL;
        host->n_identities = host->allocated_identities = 0;
    }
    scopes->publishing = false;
    forget_changes(scopes);
}

static void
drop_items(struct scope *scope)
{
    struct item *item;
    HMAP_FOR_EACH_POP (item, node, &scope->items) {
        for (struct item *v = item, *next; v; v = next) {
            next = v->variant;
            v->variant = v->previous = NULL;
            v->scope = NULL;
            v->owner = NULL;
            item_unref(v);
        }
    }
}

void
scopes_destroy(struct scopes *scopes)
{
    if (!scopes) {
        return;
    }
    struct touch *touch;
    HMAP_FOR_EACH_POP (touch, node, &scopes->touches) {
        item_unref(touch->before);
        free(touch);
    }
    hmap_destroy(&scopes->touches);

    struct host *host;
    HMAP_FOR_EACH_POP (host, node, &scopes->hosts) {
        struct subscription *sub;
        HMAP_FOR_EACH_POP (sub, node, &host->subscriptions) {
            free(sub);
        }
        hmap_destroy(&host->subscriptions);
        free(host);
    }
    hmap_destroy(&scopes->hosts);

    struct scope *scope;
    HMAP_FOR_EACH_POP (scope, node, &scopes->scopes) {
        drop_items(scope);
        hmap_destroy(&scope->items);
        free(scope);
    }
    hmap_destroy(&scopes->scopes);
    hmap_destroy(&scopes->shared);
    free(scopes);
}
