/* SPDX-License-Identifier: Apache-2.0 */

/* The oracle: random histories of a small cloud.
 *
 * Invariants 2, 3 and 4 of ARCHITECTURE.md, after every step or batch of
 * steps:
 *
 *     incremental = from scratch         engine_check()
 *     told = wanted                      a replica that only hears deltas has
 *                                        what its host's scopes hold
 *     published twice = nothing          and no delta says what is known
 *
 * and at the end of each history:
 *
 *     reload = running                   a fresh model and engine, filled
 *                                        with the same objects and numbers
 *     any order = the same               the same, one by one, shuffled
 *     all deleted = nothing is left
 *
 * Each history runs in a child process, so that a failed assertion is found
 * like any other difference.  A history that fails is shrunk: steps are left
 * out (in halves, quarters, ... one by one) while it still fails, and what
 * remains is printed in the form of tests/golden/cases.
 *
 * Environment: WEFT_ORACLE_STEPS, how many in all (default 10000, a tenth of
 * it under sanitizers); WEFT_ORACLE_SEED, a number or "random".
 *
 * usage: oracle [CASE.json]     (runs a printed history again) */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/lab.h"
#include "oracle/steps.h"

#define STEPS_PER_HISTORY 400
#define N_ORDERS          3
#define BATCH             "batch" /* Member of a step: more follows at once. */

static void OVS_NO_RETURN OVS_PRINTF_FORMAT(1, 2) fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

/* Replicas: what a switch would have that only hears deltas. */

struct held {
    struct hmap_node node;
    uint64_t identity, cookie;
};
struct replica {
    struct uuid host;
    struct hmap held;
    size_t n_heard; /* Items in deltas. */
};

static struct held *
replica_find(const struct replica *replica, uint64_t identity)
{
    struct held *held;
    HMAP_FOR_EACH_WITH_HASH (held, node, (uint32_t) identity, &replica->held) {
        if (held->identity == identity) {
            return held;
        }
    }
    return NULL;
}

static void
replica_heard(const struct scope_delta *delta, void *replica_)
{
    struct replica *replica = replica_;
    replica->n_heard += delta->n_removed + delta->n_wanted;
    for (size_t i = 0; i < delta->n_removed; i++) {
        struct held *held = replica_find(replica, delta->removed[i]->identity);
        if (!held) {
            AUTO_TEXT *text = item_to_text(delta->removed[i]);
            fail("told to remove what it does not have: %s", text);
        }
        hmap_remove(&replica->held, &held->node);
        free(held);
    }
    for (size_t i = 0; i < delta->n_wanted; i++) {
        const struct item *item = delta->wanted[i];
        struct held *held = replica_find(replica, item->identity);
        if (held && held->cookie == item->cookie) {
            AUTO_TEXT *text = item_to_text(item);
            fail("told what it knows: %s", text);
        } else if (!held) {
            held = NEW(struct held);
            held->identity = item->identity;
            hmap_insert(&replica->held, &held->node,
                        (uint32_t) held->identity);
        }
        held->cookie = item->cookie;
    }
}

static void
replica_check_item(const struct replica *replica, const struct scopes *scopes,
                   const struct item *item)
{
    const struct item *wanted =
        scopes_wanted(scopes, &replica->host, item->identity);
    const struct held *held = replica_find(replica, item->identity);
    AUTO_TEXT *text = item_to_text(item);
    if (!wanted) {
        fail("subscribed to but not wanted: %s", text);
    } else if (!held) {
        fail("was not told: %s", text);
    } else if (held->cookie != wanted->cookie) {
        fail("was told another content: %s", text);
    }
}

/* Has the replica what its host's scopes hold, and nothing else? */
static void
replica_check(const struct replica *replica, const struct scopes *scopes)
{
    size_t n_scopes;
    const struct scope **list =
        scopes_of_host(scopes, &replica->host, &n_scopes);
    size_t n_items = 0;
    for (size_t i = 0; i < n_scopes; i++) {
        const struct item *item;
        SCOPE_FOR_EACH_ITEM (item, list[i]) {
            const struct item *wanted =
                scopes_wanted(scopes, &replica->host, item->identity);
            replica_check_item(replica, scopes, item);
            n_items += wanted == item;
        }
    }
    free(list);
    if (n_items != hmap_count(&replica->held)) {
        fail("replica holds %zu items, wanted are %zu",
             hmap_count(&replica->held), n_items);
    }
}

/* Histories. */

struct world {
    struct lab *lab;
    struct replica replicas[N_STEP_HOSTS];
};

static void
world_init(struct world *world)
{
    world->lab = lab_create();
    for (size_t i = 0; i < N_STEP_HOSTS; i++) {
        struct replica *replica = &world->replicas[i];
        *replica = (struct replica){ .host = lab_host_id(step_host_name(i)) };
        hmap_init(&replica->held);
        scopes_listen(world->lab->scopes, &replica->host, replica_heard,
                      replica);
    }
}

static void
world_uninit(struct world *world)
{
    for (size_t i = 0; i < N_STEP_HOSTS; i++) {
        struct replica *replica = &world->replicas[i];
        struct held *held;
        scopes_unlisten(world->lab->scopes, &replica->host);
        HMAP_FOR_EACH_SAFE (held, node, &replica->held) {
            hmap_remove(&replica->held, &held->node);
            free(held);
        }
        hmap_destroy(&replica->held);
    }
    lab_destroy(world->lab);
}

static void
world_check(struct world *world)
{
    struct lab *lab = world->lab;
    AUTO_DS report = DS_EMPTY_INITIALIZER;
    if (!engine_run(lab->engine, SIZE_MAX)) {
        fail("the engine does not come to rest");
    }
    scopes_publish(lab->scopes);
    if (engine_check(lab->engine, &report)) {
        fail("incremental differs from scratch:\n%s", ds_cstr(&report));
    }
    for (size_t i = 0; i < N_STEP_HOSTS; i++) {
        replica_check(&world->replicas[i], lab->scopes);
        world->replicas[i].n_heard = 0;
    }
    scopes_publish(lab->scopes);
    for (size_t i = 0; i < N_STEP_HOSTS; i++) {
        if (world->replicas[i].n_heard) {
            fail("publishing twice told %zu items",
                 world->replicas[i].n_heard);
        }
    }
}

static void
run_step(struct lab *lab, const struct json *step)
{
    struct json *steps = json_object_create();
    AUTO(json) *owned = steps;
    json_object_put(steps, "steps", json_array_create_1(json_clone(step)));
    lab_steps(lab, owned);
}

/* All entities of a model, in a new array. */
static const struct entity **
list_entities(const struct model *model, size_t *np)
{
    const struct entity **all = NULL;
    size_t allocated = 0;
    *np = 0;
    for (size_t i = 0; i < model_n_resources(model); i++) {
        const struct resource *resource = model_resource_at(model, i);
        size_t n = 0;
        const struct entity **some =
            resource->volatile_ ? NULL : model_list(model, resource, &n);
        for (size_t j = 0; j < n; j++) {
            ARRAY_GROW(all, *np, allocated);
            all[(*np)++] = some[j];
        }
        free(some);
    }
    return all;
}

static void
load(struct lab *lab, const struct entity *entity)
{
    model_load(lab->model, entity_clone(entity), entity->number);
    struct change change = {
        .resource = entity->resource,
        .id = entity->id,
        .new_ = model_find(lab->model, entity->resource, &entity->id),
    };
    engine_changed(lab->engine, &change, 1);
}

static void
compare_labs(const struct lab *a, const struct lab *b, const char *what)
{
    AUTO_DS report = DS_EMPTY_INITIALIZER;
    if (scopes_compare(a->scopes, b->scopes, &report)) {
        fail("%s:\n%s", what, ds_cstr(&report));
    }
}

static void
check_reload(const struct lab *running)
{
    AUTO(lab) *lab = lab_create();
    size_t n;
    const struct entity **entities = list_entities(running->model, &n);
    for (size_t i = 0; i < n; i++) {
        load(lab, entities[i]);
    }
    free(entities);
    lab_run(lab);
    compare_labs(running, lab, "reload differs from running");
}

static void
check_order(const struct lab *running, struct dice *dice)
{
    AUTO(lab) *lab = lab_create();
    size_t n;
    const struct entity **entities = list_entities(running->model, &n);
    for (size_t i = n; i > 1; i--) {
        size_t j = dice_below(dice, i);
        const struct entity *other = entities[i - 1];
        entities[i - 1] = entities[j];
        entities[j] = other;
    }
    for (size_t i = 0; i < n; i++) {
        load(lab, entities[i]);
        if (dice_chance(dice, 50)) {
            (void) engine_run(lab->engine, SIZE_MAX);
        }
        if (dice_chance(dice, 20)) {
            scopes_publish(lab->scopes);
        }
    }
    free(entities);
    lab_run(lab);
    compare_labs(running, lab, "another order of arrival differs");
}

static void
check_nothing_left(struct world *world, struct dice *dice)
{
    struct lab *lab = world->lab;
    size_t n;
    const struct entity **entities;
    while (entities = list_entities(lab->model, &n), n) {
        const struct entity *entity = entities[dice_below(dice, n)];
        char id[UID_LENGTH + 1];
        uid_to_text(&entity->id, id);
        lab_delete(lab, entity->resource->shape.name, id);
        free(entities);
        if (dice_chance(dice, 30)) {
            world_check(world);
        }
    }
    free(entities);
    world_check(world);
    if (scopes_n_items(lab->scopes)) {
        AUTO_DS dump = DS_EMPTY_INITIALIZER;
        lab_dump(lab, &dump);
        fail("everything is deleted, but this is left:\n%s", ds_cstr(&dump));
    }
}

static void
run_history(const struct json_array *steps, uint64_t seed)
{
    struct world world;
    struct dice dice = { .seed = ~seed };
    world_init(&world);
    for (size_t i = 0; i < steps->n; i++) {
        run_step(world.lab, steps->elems[i]);
        if (!jget(steps->elems[i], BATCH) || i + 1 == steps->n) {
            world_check(&world);
        }
    }
    check_reload(world.lab);
    for (int i = 0; i < N_ORDERS; i++) {
        check_order(world.lab, &dice);
    }
    check_nothing_left(&world, &dice);
    world_uninit(&world);
}

static struct json *
random_history(uint64_t seed, size_t n_steps)
{
    struct dice dice = { .seed = seed };
    struct json *steps = json_array_create_empty();
    for (size_t i = 0; i < n_steps; i++) {
        struct json *step = step_random(&dice);
        if (dice_chance(&dice, 30)) {
            json_object_put(step, BATCH, json_boolean_create(true));
        }
        json_array_add(steps, step);
    }
    return steps;
}

/* Runs a history in a child; true if it holds. */
static bool
history_holds(const struct json_array *steps, uint64_t seed, bool quiet)
{
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        if (quiet) {
            int null = open("/dev/null", O_WRONLY);
            dup2(null, STDERR_FILENO);
        }
        run_history(steps, seed);
        exit(0);
    }
    int status;
    pid_t waited;
    do {
        waited = waitpid(pid, &status, 0);
    } while (waited < 0 && errno == EINTR);
    return waited == pid && WIFEXITED(status) && !WEXITSTATUS(status);
}

/* Delta debugging. */

static struct json_array
without(const struct json_array *steps, size_t start, size_t n)
{
    struct json_array rest = { .elems = mem_alloc((steps->n + 1)
                                                  * sizeof *rest.elems) };
    for (size_t i = 0; i < steps->n; i++) {
        if (i < start || i >= start + n) {
            rest.elems[rest.n++] = steps->elems[i];
        }
    }
    return rest;
}

/* Leaves out one chunk of 'size' steps after the other where the rest still
 * fails; true if any could be. */
static bool
shrink_by(struct json_array *steps, size_t size, uint64_t seed)
{
    bool shrunk = false;
    for (size_t end = steps->n; end > 0;) {
        size_t start = end > size ? end - size : 0;
        struct json_array rest = without(steps, start, end - start);
        if (history_holds(&rest, seed, true)) {
            free(rest.elems);
        } else {
            free(steps->elems);
            *steps = rest;
            shrunk = true;
        }
        end = start;
    }
    return shrunk;
}

static void
shrink_and_print(const struct json_array *steps, uint64_t seed)
{
    struct json_array small = without(steps, 0, 0);
    for (size_t size = small.n / 2; size > 0;) {
        bool shrunk = shrink_by(&small, size, seed);
        size = size > 1 ? size / 2 : shrunk;
    }
    struct json *history = json_object_create();
    AUTO(json) *owned = history;
    struct json *array = json_array_create_empty();
    for (size_t i = 0; i < small.n; i++) {
        json_array_add(array, json_clone(small.elems[i]));
    }
    json_object_put(history, "steps", array);
    AUTO_TEXT *text = json_to_string(owned, JSSF_PRETTY | JSSF_SORT);
    fprintf(stderr, "shrunk from %zu to %zu steps:\n%s\n", steps->n, small.n,
            text);
    (void) history_holds(&small, seed, false);
    free(small.elems);
}

/* Settings. */

static uint64_t
first_seed(void)
{
    const char *text = getenv("WEFT_ORACLE_SEED");
    uint64_t seed = 1;
    if (text && !strcmp(text, "random")) {
        ssize_t n = getrandom(&seed, 4, 0);
        ovs_assert(n == 4);
    } else if (text) {
        seed = strtoull(text, NULL, 0);
    }
    return seed;
}

static size_t
n_steps_wanted(void)
{
#if defined(__SANITIZE_ADDRESS__)
    size_t dflt = 1200;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    size_t dflt = 1200;
#else
    size_t dflt = 10000;
#endif
#else
    size_t dflt = 10000;
#endif
    const char *text = getenv("WEFT_ORACLE_STEPS");
    return text ? strtoull(text, NULL, 0) : dflt;
}

static int
run_file(const char *path)
{
    AUTO(json) *root = json_from_file(path);
    const struct json *steps =
        root->type == JSON_OBJECT ? jget(root, "steps") : NULL;
    if (!steps || steps->type != JSON_ARRAY) {
        fail("%s: no steps", path);
    }
    run_history(&steps->array, 0);
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc > 1) {
        return run_file(argv[1]);
    }
    uint64_t seed = first_seed();
    size_t n_left = n_steps_wanted();
    printf("oracle: %zu steps from WEFT_ORACLE_SEED=%" PRIu64 "\n", n_left,
           seed);
    for (; n_left > 0; seed++) {
        size_t n = n_left < STEPS_PER_HISTORY ? n_left : STEPS_PER_HISTORY;
        AUTO(json) *steps = random_history(seed, n);
        if (!history_holds(&steps->array, seed, false)) {
            fprintf(stderr,
                    "failed: WEFT_ORACLE_SEED=%" PRIu64
                    " WEFT_ORACLE_STEPS=%zu\n",
                    seed, n);
            shrink_and_print(&steps->array, seed);
            return 1;
        }
        n_left -= n;
    }
    return 0;
}
