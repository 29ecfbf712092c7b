/* Random graphs of operators, made of the bytes of an input. */
#ifndef TEST_FUZZ_GRAPH_H
#define TEST_FUZZ_GRAPH_H

#include "fuzz.h"

#include "../support/support.h"

enum { MAX_VALUES = 40, MAX_FRESH = 40, MAX_LAYERS = 4, MAX_NUMBERS = 400, MAX_LEARNED = 150 };

/* A tensor of the graph, and what no number of it exceeds: worked out from the operators, so that it is the same whatever
 * the parameters hold. */
typedef struct value {
    tg_tensor *tensor;
    double most;
} value;

typedef struct layer {
    tg_linear linear;
    tg_lstm lstm;
    tg_attention attention;
    tg_attention_pool pool;
    tg_sequential_attention sequential;
    tg_multihead multihead;
    tg_transformer block;
} layer;

/* The same bytes give the same graph each time, as every decision depends on them and on shapes alone; parameters and
 * layers are made when it is built first. */
typedef struct graph {
    fuzz_input whole, input; /* all bytes, and those that this building has not read yet */
    bool wild;               /* arguments may be wrong: errors are fine, crashes are not */
    tg_tape *tape;
    tg_params *params;
    tg_tensor *fresh[MAX_FRESH]; /* what was made new, in its order; NULL for a constant */
    int next_fresh, fresh_made;
    layer layers[MAX_LAYERS];
    int next_layer, layers_made;
    int64_t spread; /* parameters of layers up to this one have the graph's own numbers */
    value values[MAX_VALUES];
    bool read[MAX_VALUES]; /* by an operator of the graph */
    int count;
} graph;

/* One more operator on values that are there and on new ones. */
void graph_step(graph *g);

/* A new parameter (or, when the parameters are many already, a constant) of numbers between -1.5 and 1.5. */
value graph_fresh(graph *g, test_shape shape);
test_shape graph_shape(graph *g);

/* Layers with parameters of their own (graph_layers.c). `x` is given back where nothing can be done with it. */
value graph_layer(graph *g, value x);

/* ---- what both sources use ---- */

/* Whether this is one of the few places where something wrong is tried. */
bool graph_odd(graph *g);

/* The value of a smaller magnitude, by a factor. */
value graph_bounded(graph *g, value x, double most);

/* `count` lengths from 0 to `time`. */
void graph_lengths(graph *g, int32_t *lengths, int64_t count, int64_t time);

/* A mask that broadcasts to a shape. */
tg_mask graph_mask(graph *g, uint8_t bytes[MAX_NUMBERS], const test_shape *to);

static inline test_shape shape_of(const tg_tensor *x)
{
    test_shape shape = {.ndim = x->ndim};
    memcpy(shape.size, x->shape, sizeof shape.size);
    return shape;
}

#endif
