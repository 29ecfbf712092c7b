/* Random graphs of operators, made from the bytes of an input. */
#ifndef TEST_FUZZ_GRAPH_H
#define TEST_FUZZ_GRAPH_H

#include "fuzz.h"

#include "../support/support.h"

enum { MAX_VALUES = 40, MAX_FRESH = 40, MAX_LAYERS = 4, MAX_NUMBERS = 400, MAX_LEARNED = 150 };

/* A tensor of the graph and a bound on the magnitude of its elements. The bound follows from the
 * operators: it does not depend on the values of the parameters. */
typedef struct value {
    tg_tensor *tensor;
    double bound;
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

/* The same bytes always give the same graph: every decision depends only on them and on shapes.
 * Parameters and layers are created when the graph is built for the first time. */
typedef struct graph {
    fuzz_input bytes, input; /* all bytes, and those that are not read yet */
    bool wild;               /* arguments may be wrong: errors are fine, crashes are not */
    tg_tape *tape;
    tg_params *params;
    tg_tensor *fresh[MAX_FRESH]; /* new tensors, in their order; NULL for a constant */
    int next_fresh, fresh_made;
    layer layers[MAX_LAYERS];
    int next_layer, layers_made;
    int64_t filled; /* parameters below this index have values of the graph's own */
    value values[MAX_VALUES];
    bool read[MAX_VALUES]; /* by an operator of the graph */
    int count;
} graph;

/* Adds an operator that reads existing and new values. */
void graph_step(graph *g);

/* A new parameter with values between -1.5 and 1.5, or a constant if there are many parameters
 * already. */
value graph_fresh(graph *g, test_shape shape);
test_shape graph_shape(graph *g);

/* Adds a layer (graph_layers.c). Returns x itself if it cannot be the layer's input. */
value graph_layer(graph *g, value x);

/* ---- shared by the sources ---- */

/* Whether to pass a wrong argument here. */
bool graph_odd(graph *g);

/* The value, scaled if its bound is larger than `bound`. */
value graph_bounded(graph *g, value x, double bound);

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
