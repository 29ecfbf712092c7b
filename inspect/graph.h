/* The recorded operators as a list, with the scope of each. */
#ifndef TG_GRAPH_H
#define TG_GRAPH_H

#include "../core/op.h"
#include "../core/shape.h"

/* The first `length` bytes of a parameter's name. */
typedef struct tg_scope_name {
    const char *name;
    int length; /* -1: unknown */
} tg_scope_name;

typedef struct tg_graph_row {
    const tg_node *node;
    tg_scope_name scope;
    tg_scope_name first_reader; /* scope of the first operator that reads the results */
    bool reads_parameter;
} tg_graph_row;

typedef struct tg_graph {
    int64_t count;
    tg_graph_row *rows; /* by the nodes' numbers; the caller frees them (tg_free) */
} tg_graph;

/* False without memory. */
bool tg_graph_of(tg_graph *graph, const tg_tape *tape);

/* "encoder/self_attn": the caller's own scopes (tg_scope_begin), then the one by parameters. */
tg_shape_string tg_graph_scope(const tg_graph *graph, int64_t row);

/* The scope as far as the operator's own parameters tell, without the rest of the tape. */
tg_shape_string tg_graph_own_scope(const tg_node *node);

#endif
