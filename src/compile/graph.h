/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMPILE_GRAPH_H
#define COMPILE_GRAPH_H 1

/* Private to the compile layer: what units have read, and what they made.
 *
 *     unit ── edge ──► node "endpoint 6f0c"      variants: [{entity, 1}]
 *          ── edge ──► node "host h1"            (nothing: it dangles)
 *          ── edge ──► node plugs_by_endpoint[k] members: [id, id]
 *
 * A NODE is anything a unit may read: an entity slot, filled or empty, or one
 * key of an index.  It exists while somebody reads it or something is in it.
 * An EDGE joins a unit with a node it has read; 'existence' says that only
 * whether the entity is there, and its number, mattered. */

#include "compile/compile.h"

struct edge {
    struct ovs_list in_node; /* In node->readers. */
    struct unit *unit;
    struct node *node;
    bool existence;
};

/* One content of a net entity, made by 'count' units. */
struct variant {
    struct entity *entity;
    size_t count;
};

struct node {
    struct hmap_node hmap_node; /* In graph->nodes. */
    const void *space;          /* struct resource, or struct index_def. */
    struct uuid id;             /* Entity id; for an index, the key. */
    struct ovs_list readers;    /* Edges. */
    struct variant *variants;   /* Net entities, smallest content first. */
    struct uuid *members;       /* Index: entity ids, sorted. */
    uint32_t n_variants;
    uint32_t n_members, allocated_members;
};

struct graph {
    struct hmap nodes;
};

void graph_init(struct graph *);
void graph_uninit(struct graph *);

struct node *graph_find(const struct graph *, const void *space,
                        const struct uuid *id);
struct node *graph_get(struct graph *, const void *space,
                       const struct uuid *id);
/* Frees the node if nobody reads it and nothing is in it. */
void graph_release(struct graph *, struct node *);

static inline const struct entity *
node_entity(const struct node *node)
{
    return node && node->n_variants ? node->variants[0].entity : NULL;
}

/* Counts 'entity' (takes ownership) among the variants and returns the one
 * that stands for it. */
struct entity *node_claim(struct node *, struct entity *);
/* Undoes one node_claim().  The entity is freed with its last claim; if
 * 'keep' is given it is stored there instead, for the caller to free. */
void node_unclaim(struct node *, const struct entity *, struct entity **keep);

void node_add_member(struct node *, const struct uuid *);
void node_remove_member(struct node *, const struct uuid *);

static inline struct uuid
index_node_id(uint64_t key)
{
    return (struct uuid){ { key >> 32, key, 0, 0 } };
}

#endif /* compile/graph.h */
