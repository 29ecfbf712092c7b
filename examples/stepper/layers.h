/* Layers of the library in single operators, each with its name on the page: what the fused operators do at once, and the tests hold to
 * them, is here seen step by step. One sequence at a time; T are its words. */
#ifndef STEPPER_LAYERS_H
#define STEPPER_LAYERS_H

#include "stepper.h"

typedef struct stepper_walk {
    tg_tape *tape;
    stepper *page;
    int T; /* at most STEPPER_MOST_WORDS */
} stepper_walk;

/* The first layer of an LSTM: x [T, E] -> [T, D]. *last [1, D] is where each direction ends; NULL where it is not wanted. */
tg_tensor *stepper_lstm(const stepper_walk *w, const tg_lstm *lstm, tg_tensor *x, tg_tensor **last);

/* The scores of h [T, D], their softmax, and the sum that it weighs, [1, D]. */
tg_tensor *stepper_attention_pool(const stepper_walk *w, const tg_attention_pool *pool,
                                  tg_tensor *h);

/* x [Q, D] attends to memory [T, D] -> [Q, D]; `rows` is STEPPER_ROWS_ARE_WORDS where the queries are words, else 0. */
tg_tensor *stepper_multihead(const stepper_walk *w, const tg_multihead *layer, tg_tensor *x,
                             tg_tensor *memory, int rows);

/* A block with its norms before its parts, without dropout: x [T, D] -> [T, D]. */
tg_tensor *stepper_transformer(const stepper_walk *w, const tg_transformer *block, tg_tensor *x);

#endif
