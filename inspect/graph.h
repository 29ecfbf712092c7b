/* The recorded operators as a list, with the scope of each. */
#ifndef TG_GRAPH_H
#define TG_GRAPH_H

#include "../core/internal.h"

typedef struct tg_scope_name {
    const char *name; /* the scope is its first `length` bytes, of a parameter's name */
    int length;       /* -1: not known yet */
} tg_scope_name;

typedef struct tg_graph_row {
    const tg_node *node;
    tg_scope_name scope,
        first_reader; /* the latter: of the first operator that reads its results */
    bool reads;       /* a parameter */
} tg_graph_row;

typedef struct tg_graph {
    int64_t count;
    tg_graph_row *rows; /* by the nodes' numbers; tg_free */
} tg_graph;

/* False when there is no memory. */
bool tg_graph_of(tg_graph *graph, const tg_tape *tape);

/* "encoder/self_attn", the caller's own scopes before what the parameters say. */
tg_shape_string tg_graph_scope(const tg_graph *graph, int64_t row);

/* What is known of an operator alone, that nothing reads yet. */
tg_shape_string tg_graph_own_scope(const tg_node *node);

#endif
