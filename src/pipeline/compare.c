/* SPDX-License-Identifier: Apache-2.0 */
/* Differences between two sets of scopes: the permanent oracle.
 *
 * One set was kept up to date step by step, the other made from scratch; they
 * must be the same.  Compared are items in force, by scope and identity, and
 * who subscribes to what.  How often a subscription or the same content is
 * held does not matter: it has no effect on a switch.
 *
 * Lines are sorted by scope and then stable, so that reports can be compared.
 * Cost: all items of both sides. */

#include "pipeline/private.h"

struct comparison {
    struct ds *report;
    size_t n_differences;
};

static int
compare_items(const void *a_, const void *b_)
{
    const struct item *const *a = a_;
    const struct item *const *b = b_;
    return ((*a)->identity < (*b)->identity ? -1
                                            : (*a)->identity > (*b)->identity);
}

static void
report_item(struct comparison *c, const char *side, const struct item *item)
{
    struct scope_id id = scope_id(item->scope);
    AUTO_TEXT *where = scope_id_to_text(&id);
    AUTO_TEXT *what = item_to_text(item);
    ds_put_format(c->report, "%s %s: %s\n", side, where, what);
    c->n_differences++;
}

/* Reports what is in force in 'scope' and not the same in 'other', which may
 * be null. */
static void
compare_scope_items(struct comparison *c, const char *side,
                    const struct scope *scope, const struct scope *other)
{
    size_t n = 0;
    const struct item **differing =
        mem_alloc((hmap_count(scope_items(scope)) + 1) * sizeof *differing);
    const struct item *item;
    SCOPE_FOR_EACH_ITEM (item, scope) {
        const struct item *twin =
            other ? scope_find(other, item->identity) : NULL;
        if (!twin || twin->cookie != item->cookie) {
            differing[n++] = item;
        }
    }
    qsort(differing, n, sizeof *differing, compare_items);
    for (size_t i = 0; i < n; i++) {
        report_item(c, side, differing[i]);
    }
    free(differing);
}

static void
report_subscriber(struct comparison *c, const char *side,
                  const struct scope *scope, const struct uuid *host)
{
    struct scope_id id = scope_id(scope);
    AUTO_TEXT *where = scope_id_to_text(&id);
    ds_put_format(c->report, "%s %s: wanted by host " UID_FMT "\n", side,
                  where, UID_ARGS(host));
    c->n_differences++;
}

static const struct uuid **
subscribers(const struct scope *scope, size_t *np)
{
    *np = 0;
    return scope ? scope_subscribers(scope, np) : NULL;
}

static void
compare_subscribers(struct comparison *c, const struct scope *a,
                    const struct scope *b)
{
    size_t n_a, n_b;
    const struct uuid **as = subscribers(a, &n_a);
    const struct uuid **bs = subscribers(b, &n_b);
    size_t i = 0, j = 0;
    while (i < n_a || j < n_b) {
        int order = (i >= n_a ? 1 : j >= n_b ? -1 : uid_compare(as[i], bs[j]));
        if (order < 0) {
            report_subscriber(c, "-", a, as[i]);
        } else if (order > 0) {
            report_subscriber(c, "+", b, bs[j]);
        }
        i += order <= 0;
        j += order >= 0;
    }
    free(as);
    free(bs);
}

static void
compare_scope(struct comparison *c, const struct scope *a,
              const struct scope *b)
{
    if (a) {
        compare_scope_items(c, "-", a, b);
    }
    if (b) {
        compare_scope_items(c, "+", b, a);
    }
    compare_subscribers(c, a, b);
}

size_t
scopes_compare(const struct scopes *a, const struct scopes *b,
               struct ds *report)
{
    struct comparison c = { .report = report };
    size_t n_a, n_b;
    const struct scope **as = scopes_list(a, &n_a);
    const struct scope **bs = scopes_list(b, &n_b);
    size_t i = 0, j = 0;
    while (i < n_a || j < n_b) {
        int order = -1;
        if (i >= n_a) {
            order = 1;
        } else if (j < n_b) {
            struct scope_id id_a = scope_id(as[i]);
            struct scope_id id_b = scope_id(bs[j]);
            order = scope_id_compare(&id_a, &id_b);
        }
        compare_scope(&c, order <= 0 ? as[i] : NULL,
                      order >= 0 ? bs[j] : NULL);
        i += order <= 0;
        j += order >= 0;
    }
    free(as);
    free(bs);
    return c.n_differences;
}
