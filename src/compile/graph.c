/* SPDX-License-Identifier: Apache-2.0 */

/* Nodes of the compiler's graph: see "compile/graph.h".
 *
 * Everything is O(1) but for the variants of one net entity (one, unless
 * sources disagree) and the members of one index key, which are sorted
 * arrays: finding is O(log n), inserting moves what follows. */

#include "compile/graph.h"

static uint32_t
node_hash(const void *space, const struct uuid *id)
{
    return hash64_mix((uintptr_t) space, uid_hash(id));
}

void
graph_init(struct graph *graph)
{
    hmap_init(&graph->nodes);
}

static void
node_destroy(struct graph *graph, struct node *node)
{
    hmap_remove(&graph->nodes, &node->hmap_node);
    for (size_t i = 0; i < node->n_variants; i++) {
        entity_destroy(node->variants[i].entity);
    }
    free(node->variants);
    free(node->members);
    free(node);
}

void
graph_uninit(struct graph *graph)
{
    struct node *node;
    HMAP_FOR_EACH_SAFE (node, hmap_node, &graph->nodes) {
        node_destroy(graph, node);
    }
    hmap_destroy(&graph->nodes);
}

struct node *
graph_find(const struct graph *graph, const void *space, const struct uuid *id)
{
    struct node *node;
    HMAP_FOR_EACH_WITH_HASH (node, hmap_node, node_hash(space, id),
                             &graph->nodes) {
        if (node->space == space && uid_equals(&node->id, id)) {
            return node;
        }
    }
    return NULL;
}

struct node *
graph_get(struct graph *graph, const void *space, const struct uuid *id)
{
    struct node *node = graph_find(graph, space, id);
    if (!node) {
        node = NEW(struct node);
        node->space = space;
        node->id = *id;
        ovs_list_init(&node->readers);
        hmap_insert(&graph->nodes, &node->hmap_node, node_hash(space, id));
    }
    return node;
}

void
graph_release(struct graph *graph, struct node *node)
{
    if (!node->n_variants && !node->n_members
        && ovs_list_is_empty(&node->readers)) {
        node_destroy(graph, node);
    }
}

struct entity *
node_claim(struct node *node, struct entity *entity)
{
    size_t i;
    for (i = 0; i < node->n_variants; i++) {
        int order = entity_compare(node->variants[i].entity, entity);
        if (!order) {
            entity_destroy(entity);
            node->variants[i].count++;
            return node->variants[i].entity;
        } else if (order > 0) {
            break;
        }
    }
    node->variants = mem_resize(node->variants, (node->n_variants + 1)
                                                    * sizeof *node->variants);
    memmove(&node->variants[i + 1], &node->variants[i],
            (node->n_variants - i) * sizeof *node->variants);
    node->variants[i] = (struct variant){ entity, 1 };
    node->n_variants++;
    return entity;
}

void
node_unclaim(struct node *node, const struct entity *entity,
             struct entity **keep)
{
    for (size_t i = 0; i < node->n_variants; i++) {
        struct variant *variant = &node->variants[i];
        if (variant->entity != entity) {
            continue;
        }
        if (!--variant->count) {
            if (keep) {
                *keep = variant->entity;
            } else {
                entity_destroy(variant->entity);
            }
            node->n_variants--;
            memmove(variant, variant + 1,
                    (node->n_variants - i) * sizeof *variant);
            if (!node->n_variants) {
                free(node->variants);
                node->variants = NULL;
            }
        }
        return;
    }
    ovs_assert(!"claimed entity is in its node");
}

/* Index of the first member not less than 'id'. */
static size_t
member_position(const struct node *node, const struct uuid *id)
{
    size_t low = 0, high = node->n_members;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (uid_compare(&node->members[middle], id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void
node_add_member(struct node *node, const struct uuid *id)
{
    size_t i = member_position(node, id);
    if (i < node->n_members && uid_equals(&node->members[i], id)) {
        return;
    }
    if (node->n_members == node->allocated_members) {
        node->allocated_members =
            node->allocated_members ? 2 * node->allocated_members : 1;
        node->members = mem_resize(node->members, node->allocated_members
                                                      * sizeof *node->members);
    }
    memmove(&node->members[i + 1], &node->members[i],
            (node->n_members - i) * sizeof *node->members);
    node->members[i] = *id;
    node->n_members++;
}

void
node_remove_member(struct node *node, const struct uuid *id)
{
    size_t i = member_position(node, id);
    if (i < node->n_members && uid_equals(&node->members[i], id)) {
        node->n_members--;
        memmove(&node->members[i], &node->members[i + 1],
                (node->n_members - i) * sizeof *node->members);
    }
}
