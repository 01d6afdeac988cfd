/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes: contested identities, subscriptions, deltas.
 *
 * The random tests keep a second, naive model beside the scopes (a list of
 * everything added, a table of counts) and recompute from it what each host
 * should want; what the listeners were told, step by step, must add up to
 * that.  The seed is printed; WEFT_SEED=n repeats a run. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#include "pipeline/pipeline.h"

static struct uuid
name_uuid(const char *kind, int i)
{
    AUTO_TEXT *name = mem_textf("%d", i);
    return uid_from_name(kind, name);
}

static struct item *
add_rule(struct scopes *scopes, struct scope_id scope, uint32_t identity,
         uint32_t content, const void *owner)
{
    struct draft draft;
    draft_init_rule(&draft, scope, T_LOCAL, 100);
    when_register(&draft, R_SEGMENT, identity);
    then_set(&draft, R_TARGET, content);
    then_goto(&draft, T_EGRESS);
    struct item *item = scope_add(scopes, &draft, owner);
    draft_uninit(&draft);
    return item;
}

/* A small generator, so that a seed means the same everywhere. */
static uint32_t
next_random(uint64_t *seed, uint32_t below)
{
    *seed = hash64_mix(*seed, 0x9e3779b9);
    return (*seed >> 32) % below;
}

static uint64_t
first_seed(void)
{
    const char *text = getenv("WEFT_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t) time(NULL);
    print_message("WEFT_SEED=%llu\n", (unsigned long long) seed);
    return seed;
}

/* What a listener was told, as a set of cookies by identity. */

#define MAX_HELD 256
struct held {
    size_t n;
    struct {
        uint64_t identity, cookie;
    } items[MAX_HELD];
    size_t n_calls;
    struct uuid host;
};

static size_t
held_find(const struct held *held, uint64_t identity)
{
    size_t i = 0;
    while (i < held->n && held->items[i].identity != identity) {
        i++;
    }
    return i;
}

static void
held_apply(const struct scope_delta *delta, void *held_)
{
    struct held *held = held_;
    assert_true(uid_equals(delta->host, &held->host));
    assert_true(delta->n_removed + delta->n_wanted > 0);
    held->n_calls++;
    for (size_t i = 0; i < delta->n_removed; i++) {
        const struct item *item = delta->removed[i];
        size_t at = held_find(held, item->identity);
        assert_true(at < held->n);
        assert_true(held->items[at].cookie == item->cookie);
        held->items[at] = held->items[--held->n];
    }
    for (size_t i = 0; i < delta->n_wanted; i++) {
        const struct item *item = delta->wanted[i];
        assert_non_null(item->scope);
        size_t at = held_find(held, item->identity);
        if (at == held->n) {
            held->n++;
            assert_true(held->n <= MAX_HELD);
        } else {
            assert_true(held->items[at].cookie != item->cookie);
        }
        held->items[at].identity = item->identity;
        held->items[at].cookie = item->cookie;
    }
}

static void
held_listen(struct scopes *scopes, struct held *held, const struct uuid *host)
{
    memset(held, 0, sizeof *held);
    held->host = *host;
    scopes_listen(scopes, host, held_apply, held);
}

/* Plain cases. */

static void
test_lowest_cookie_is_in_force(void **state OVS_UNUSED)
{
    AUTO(scopes) *scopes = scopes_create();
    int owners[2];
    struct item *a = add_rule(scopes, scope_all(), 1, 1, &owners[0]);
    assert_false(item_is_contested(a));
    struct item *b = add_rule(scopes, scope_all(), 1, 2, &owners[1]);
    struct item *low = a->cookie < b->cookie ? a : b;
    struct item *high = low == a ? b : a;
    const struct scope *scope = scopes_find(scopes, scope_all());
    assert_ptr_equal(scope_find(scope, a->identity), low);
    assert_true(item_is_contested(a) && item_is_contested(b));
    assert_int_equal(scopes_n_items(scopes), 1);
    assert_ptr_equal(low->owner, &owners[low == b]);

    scope_remove(scopes, low);
    assert_ptr_equal(scope_find(scope, high->identity), high);
    assert_false(item_is_contested(high));
    scope_remove(scopes, high);
    assert_null(scopes_find(scopes, scope_all()));
}

static void
test_same_content_counts_once(void **state OVS_UNUSED)
{
    struct uuid host = name_uuid("host", 1);
    AUTO(scopes) *scopes = scopes_create();
    struct held held;
    held_listen(scopes, &held, &host);
    scopes_want(scopes, &host, scope_all());
    struct item *a = add_rule(scopes, scope_all(), 1, 1, NULL);
    struct item *b = add_rule(scopes, scope_all(), 1, 1, NULL);
    assert_false(item_is_contested(a));
    scopes_publish(scopes);
    assert_int_equal(held.n, 1);
    assert_int_equal(held.n_calls, 1);
    scope_remove(scopes, a);
    scopes_publish(scopes);
    assert_int_equal(held.n_calls, 1);
    scope_remove(scopes, b);
    scopes_publish(scopes);
    assert_int_equal(held.n_calls, 2);
    assert_int_equal(held.n, 0);
}

static void
test_own_scope_wins(void **state OVS_UNUSED)
{
    struct uuid host = name_uuid("host", 1);
    struct uuid id = name_uuid("segment", 1);
    AUTO(scopes) *scopes = scopes_create();
    struct held held;
    held_listen(scopes, &held, &host);
    scopes_want(scopes, &host, scope_host(&host));
    scopes_want(scopes, &host, scope_segment(&id));
    struct item *shared = add_rule(scopes, scope_segment(&id), 1, 1, NULL);
    struct item *own = add_rule(scopes, scope_host(&host), 1, 2, NULL);
    scopes_publish(scopes);
    assert_int_equal(held.n, 1);
    assert_true(held.items[0].cookie == own->cookie);
    assert_ptr_equal(scopes_wanted(scopes, &host, own->identity), own);

    /* What it would not have anyway is no news. */
    struct item *more = add_rule(scopes, scope_segment(&id), 1, 3, NULL);
    scope_remove(scopes, shared);
    scopes_publish(scopes);
    assert_int_equal(held.n_calls, 1);

    uint64_t cookie = more->cookie;
    scope_remove(scopes, own);
    scopes_publish(scopes);
    assert_int_equal(held.n_calls, 2);
    assert_int_equal(held.n, 1);
    assert_true(held.items[0].cookie == cookie);
}

static void
test_net_changes_only(void **state OVS_UNUSED)
{
    struct uuid host = name_uuid("host", 1);
    AUTO(scopes) *scopes = scopes_create();
    struct held held;
    held_listen(scopes, &held, &host);
    scopes_want(scopes, &host, scope_all());
    struct item *item = add_rule(scopes, scope_all(), 1, 1, NULL);
    scopes_publish(scopes);
    assert_int_equal(held.n_calls, 1);

    /* Gone and back. */
    scope_remove(scopes, item);
    item = add_rule(scopes, scope_all(), 1, 1, NULL);
    scopes_publish(scopes);
    /* Come and gone. */
    scope_remove(scopes, add_rule(scopes, scope_all(), 2, 1, NULL));
    scopes_publish(scopes);
    /* Left and joined. */
    scopes_unwant(scopes, &host, scope_all());
    scopes_want(scopes, &host, scope_all());
    scopes_publish(scopes);
    assert_int_equal(held.n_calls, 1);

    /* Counted. */
    scopes_want(scopes, &host, scope_all());
    scopes_unwant(scopes, &host, scope_all());
    scopes_publish(scopes);
    assert_int_equal(held.n_calls, 1);
    scopes_unwant(scopes, &host, scope_all());
    scopes_publish(scopes);
    assert_int_equal(held.n, 0);
    assert_non_null(item->scope);
}

static void
test_item_moves_between_scopes(void **state OVS_UNUSED)
{
    struct uuid host = name_uuid("host", 1);
    struct uuid ids[] = { name_uuid("segment", 1), name_uuid("segment", 2) };
    AUTO(scopes) *scopes = scopes_create();
    struct held held;
    held_listen(scopes, &held, &host);
    scopes_want(scopes, &host, scope_segment(&ids[0]));
    scopes_want(scopes, &host, scope_segment(&ids[1]));
    struct item *item = add_rule(scopes, scope_segment(&ids[0]), 1, 1, NULL);
    scopes_publish(scopes);
    scope_remove(scopes, item);
    add_rule(scopes, scope_segment(&ids[1]), 1, 1, NULL);
    scopes_publish(scopes);
    assert_int_equal(held.n_calls, 1);
}

static void
test_references_outlive_removal(void **state OVS_UNUSED)
{
    struct scopes *scopes = scopes_create();
    int owner;
    struct item *item = add_rule(scopes, scope_all(), 1, 1, &owner);
    struct item *mine = item_ref(item);
    assert_ptr_equal(scopes_find_cookie(scopes, item->cookie), item);
    scope_remove(scopes, item);
    assert_null(scopes_find_cookie(scopes, mine->cookie));
    assert_null(mine->scope);
    assert_null(mine->owner);
    struct item *other = item_ref(add_rule(scopes, scope_all(), 2, 1, NULL));
    scopes_destroy(scopes);
    assert_null(other->scope);
    AUTO_TEXT *text = item_to_text(other);
    assert_string_equal(text, "LOCAL 100 SEGMENT=2 -> TARGET=1,goto EGRESS");
    item_unref(mine);
    item_unref(other);
}

static void
test_listening_late_and_no_more(void **state OVS_UNUSED)
{
    struct uuid host = name_uuid("host", 1);
    AUTO(scopes) *scopes = scopes_create();
    scopes_want(scopes, &host, scope_all());
    struct item *item = add_rule(scopes, scope_all(), 1, 1, NULL);
    scopes_publish(scopes);
    struct held held;
    held_listen(scopes, &held, &host);
    scopes_publish(scopes);
    assert_int_equal(held.n_calls, 0);

    size_t n;
    const struct scope **array = scopes_of_host(scopes, &host, &n);
    assert_int_equal(n, 1);
    assert_int_equal(scope_id(array[0]).kind, SCOPE_ALL);
    assert_int_equal(scope_n_subscribers(array[0]), 1);
    free(array);

    scopes_unlisten(scopes, &host);
    scope_remove(scopes, item);
    scopes_publish(scopes);
    assert_int_equal(held.n_calls, 0);
}

static void
test_compare_reports(void **state OVS_UNUSED)
{
    struct uuid host = name_uuid("host", 1);
    AUTO(scopes) *a = scopes_create();
    AUTO(scopes) *b = scopes_create();
    AUTO_DS report = DS_EMPTY_INITIALIZER;
    assert_int_equal(scopes_compare(a, b, &report), 0);
    assert_int_equal(report.length, 0);

    add_rule(a, scope_all(), 1, 1, NULL);
    add_rule(b, scope_all(), 1, 1, NULL);
    add_rule(b, scope_all(), 1, 1, NULL);
    add_rule(a, scope_all(), 2, 1, NULL);
    add_rule(b, scope_host(&host), 3, 1, NULL);
    scopes_want(a, &host, scope_all());
    scopes_want(a, &host, scope_all());
    scopes_want(b, &host, scope_host(&host));
    AUTO_TEXT *want = mem_textf(
        "- all: LOCAL 100 SEGMENT=2 -> TARGET=1,goto EGRESS\n"
        "- all: wanted by host " UID_FMT "\n"
        "+ host " UID_FMT ": LOCAL 100 SEGMENT=3 -> TARGET=1,goto EGRESS\n"
        "+ host " UID_FMT ": wanted by host " UID_FMT "\n",
        UID_ARGS(&host), UID_ARGS(&host), UID_ARGS(&host), UID_ARGS(&host));
    assert_int_equal(scopes_compare(a, b, &report), 4);
    assert_string_equal(ds_cstr(&report), want);
}

/* The order of arrival does not matter. */
static void
test_any_order(void **state OVS_UNUSED)
{
    enum { N = 40 };
    uint64_t seed = first_seed();
    for (int round = 0; round < 200; round++) {
        AUTO(scopes) *a = scopes_create();
        AUTO(scopes) *b = scopes_create();
        struct {
            uint32_t identity, content;
            bool stays;
        } what[N];
        for (int i = 0; i < N; i++) {
            what[i].identity = next_random(&seed, 6);
            what[i].content = next_random(&seed, 4);
            what[i].stays = next_random(&seed, 2);
            if (what[i].stays) {
                add_rule(a, scope_all(), what[i].identity, what[i].content,
                         NULL);
            }
        }
        struct item *items[N] = { NULL };
        for (int n = 0; n < 10 * N; n++) {
            int i = next_random(&seed, N);
            if (!items[i]) {
                items[i] = add_rule(b, scope_all(), what[i].identity,
                                    what[i].content, NULL);
            } else {
                scope_remove(b, items[i]);
                items[i] = NULL;
            }
        }
        for (int i = 0; i < N; i++) {
            if (what[i].stays && !items[i]) {
                add_rule(b, scope_all(), what[i].identity, what[i].content,
                         NULL);
            } else if (!what[i].stays && items[i]) {
                scope_remove(b, items[i]);
            }
        }
        AUTO_DS report = DS_EMPTY_INITIALIZER;
        if (scopes_compare(a, b, &report)) {
            fail_msg("%s", ds_cstr(&report));
        }
        assert_int_equal(scopes_n_items(a), scopes_n_items(b));
    }
}

/* Random histories against the naive model. */

enum {
    N_HOSTS = 4,
    N_SEGMENTS = 4,
    N_SCOPES = 1 + N_HOSTS + N_SEGMENTS,
    N_IDENTITIES = 8,
    N_CONTENTS = 3,
    MAX_ADDED = 120
};

struct world {
    struct scopes *scopes;
    struct uuid hosts[N_HOSTS];
    struct scope_id ids[N_SCOPES]; /* All, hosts, segments. */
    struct {
        int scope;
        struct item *item;
    } added[MAX_ADDED];
    int n_added;
    int wants[N_HOSTS][N_SCOPES];
    bool listening[N_HOSTS];
    struct held held[N_HOSTS];
};

static struct world *
world_create(void)
{
    struct world *w = NEW(struct world);
    w->scopes = scopes_create();
    w->ids[0] = scope_all();
    for (int i = 0; i < N_HOSTS; i++) {
        w->hosts[i] = name_uuid("host", i);
        w->ids[1 + i] = scope_host(&w->hosts[i]);
        held_listen(w->scopes, &w->held[i], &w->hosts[i]);
        w->listening[i] = true;
    }
    for (int i = 0; i < N_SEGMENTS; i++) {
        struct uuid id = name_uuid("segment", i);
        w->ids[1 + N_HOSTS + i] = scope_segment(&id);
    }
    return w;
}

/* The lowest cookie somebody added to a scope for an identity, or 0. */
static uint64_t
naive_in_force(const struct world *w, int scope, uint64_t identity)
{
    uint64_t cookie = 0;
    for (int i = 0; i < w->n_added; i++) {
        const struct item *item = w->added[i].item;
        if (w->added[i].scope == scope && item->identity == identity
            && (!cookie || item->cookie < cookie)) {
            cookie = item->cookie;
        }
    }
    return cookie;
}

static uint64_t
naive_wanted(const struct world *w, int host, uint64_t identity)
{
    int own = 1 + host;
    uint64_t cookie =
        (w->wants[host][own] ? naive_in_force(w, own, identity) : 0);
    for (int s = 0; !cookie && s < N_SCOPES; s++) {
        if (w->wants[host][s]) {
            uint64_t other = naive_in_force(w, s, identity);
            cookie = other;
            for (int t = s + 1; t < N_SCOPES; t++) {
                other =
                    (w->wants[host][t] ? naive_in_force(w, t, identity) : 0);
                cookie = other && (!cookie || other < cookie) ? other : cookie;
            }
        }
    }
    return cookie;
}

static void
check_host(const struct world *w, int host, const uint64_t *identities)
{
    const struct held *held = &w->held[host];
    size_t n = 0;
    for (int i = 0; i < N_IDENTITIES; i++) {
        uint64_t cookie = naive_wanted(w, host, identities[i]);
        const struct item *wanted =
            scopes_wanted(w->scopes, &w->hosts[host], identities[i]);
        assert_true((wanted ? wanted->cookie : 0) == cookie);
        n += cookie != 0;
        if (w->listening[host]) {
            size_t at = held_find(held, identities[i]);
            assert_true((at < held->n ? held->items[at].cookie : 0) == cookie);
        }
    }
    if (w->listening[host]) {
        assert_int_equal(held->n, n);
    }
}

/* As a session does when it starts: reads the present state. */
static void
start_listening(struct world *w, int host, const uint64_t *identities)
{
    scopes_publish(w->scopes);
    struct held *held = &w->held[host];
    held_listen(w->scopes, held, &w->hosts[host]);
    w->listening[host] = true;
    for (int i = 0; i < N_IDENTITIES; i++) {
        const struct item *item =
            scopes_wanted(w->scopes, &w->hosts[host], identities[i]);
        if (item) {
            held->items[held->n].identity = item->identity;
            held->items[held->n++].cookie = item->cookie;
        }
    }
}

static void
random_step(struct world *w, uint64_t *seed, const uint64_t *identities)
{
    int host = next_random(seed, N_HOSTS);
    int scope = next_random(seed, N_SCOPES);
    uint32_t dice = next_random(seed, 100);
    if (dice < 45 && w->n_added < MAX_ADDED) {
        struct item *item =
            add_rule(w->scopes, w->ids[scope], next_random(seed, N_IDENTITIES),
                     next_random(seed, N_CONTENTS), w);
        w->added[w->n_added].scope = scope;
        w->added[w->n_added++].item = item;
    } else if (dice < 80 && w->n_added) {
        int i = next_random(seed, w->n_added);
        scope_remove(w->scopes, w->added[i].item);
        w->added[i] = w->added[--w->n_added];
    } else if (dice < 90) {
        if (w->ids[scope].kind != SCOPE_HOST || scope == 1 + host) {
            scopes_want(w->scopes, &w->hosts[host], w->ids[scope]);
            w->wants[host][scope]++;
        }
    } else if (dice < 98) {
        if (w->wants[host][scope]) {
            scopes_unwant(w->scopes, &w->hosts[host], w->ids[scope]);
            w->wants[host][scope]--;
        }
    } else if (w->listening[host]) {
        scopes_unlisten(w->scopes, &w->hosts[host]);
        w->listening[host] = false;
    } else {
        start_listening(w, host, identities);
    }
}

static void
check_published(const struct world *w, const uint64_t *identities)
{
    size_t before[N_HOSTS];
    for (int h = 0; h < N_HOSTS; h++) {
        before[h] = w->held[h].n_calls;
    }
    scopes_publish(w->scopes);
    for (int h = 0; h < N_HOSTS; h++) {
        assert_true(w->held[h].n_calls - before[h] <= 1);
        check_host(w, h, identities);
    }
}

static void
world_destroy(struct world *w)
{
    for (int i = 0; i < w->n_added; i++) {
        scope_remove(w->scopes, w->added[i].item);
    }
    w->n_added = 0;
    for (int h = 0; h < N_HOSTS; h++) {
        for (int s = 0; s < N_SCOPES; s++) {
            while (w->wants[h][s]) {
                scopes_unwant(w->scopes, &w->hosts[h], w->ids[s]);
                w->wants[h][s]--;
            }
        }
    }
    scopes_publish(w->scopes);
    size_t n;
    const struct scope **list = scopes_list(w->scopes, &n);
    assert_int_equal(n, 0);
    free(list);
    assert_int_equal(scopes_n_items(w->scopes), 0);
    scopes_destroy(w->scopes);
    free(w);
}

static void
test_random_histories(void **state OVS_UNUSED)
{
    uint64_t seed = first_seed();
    struct world *w = world_create();
    uint64_t identities[N_IDENTITIES];
    for (int i = 0; i < N_IDENTITIES; i++) {
        struct item *item = add_rule(w->scopes, scope_all(), i, 0, NULL);
        identities[i] = item->identity;
        scope_remove(w->scopes, item);
    }
    for (int step = 0; step < 20000; step++) {
        random_step(w, &seed, identities);
        if (!next_random(&seed, 4)) {
            check_published(w, identities);
        }
    }
    world_destroy(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lowest_cookie_is_in_force),
        cmocka_unit_test(test_same_content_counts_once),
        cmocka_unit_test(test_own_scope_wins),
        cmocka_unit_test(test_net_changes_only),
        cmocka_unit_test(test_item_moves_between_scopes),
        cmocka_unit_test(test_references_outlive_removal),
        cmocka_unit_test(test_listening_late_and_no_more),
        cmocka_unit_test(test_compare_reports),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_random_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
