/* SPDX-License-Identifier: Apache-2.0 */

/* The one generic difference.
 *
 * Rules, groups, meters, OVSDB rows and the outputs of compilation units are
 * all compared the same way: both sides as arrays of pointers sorted by key,
 * merged in one walk.
 *
 *     old   a b   d          ONLY_OLD  a
 *     new     b c d    ->    BOTH      b
 *                            ONLY_NEW  c
 *                            BOTH      d
 *
 * 'compare' looks at keys only; whether two elements with the same key differ
 * in content is for 'visit' to find out. */

#include "base/base.h"

void
diff_sorted(const void *const *olds, size_t n_olds, const void *const *news,
            size_t n_news, int (*compare)(const void *a, const void *b),
            void (*visit)(enum diff_side, const void *old, const void *new_,
                          void *aux),
            void *aux)
{
    size_t i = 0;
    size_t j = 0;

    while (i < n_olds || j < n_news) {
        int order = (i >= n_olds   ? 1
                     : j >= n_news ? -1
                                   : compare(olds[i], news[j]));
        if (order < 0) {
            visit(DIFF_ONLY_OLD, olds[i++], NULL, aux);
        } else if (order > 0) {
            visit(DIFF_ONLY_NEW, NULL, news[j++], aux);
        } else {
            visit(DIFF_BOTH, olds[i++], news[j++], aux);
        }
    }
}
