/* The library's layers as single operators, each result with a name on the page. They show step
 * by step what the fused operators do at once; the page compares the results of both. One
 * sequence at a time, of T words. */
#ifndef STEPPER_LAYERS_H
#define STEPPER_LAYERS_H

#include "stepper.h"

typedef struct stepper_walk {
    tg_tape *tape;
    stepper *page;
    int T; /* at most STEPPER_MAX_WORDS */
} stepper_walk;

/* The first layer of an LSTM: x [T, E] -> [T, D]. *last [1, D] becomes the last state of each
 * direction; `last` may be NULL. */
tg_tensor *stepper_lstm(const stepper_walk *w, const tg_lstm *lstm, tg_tensor *x, tg_tensor **last);

/* Attention pooling: the scores of h [T, D], their softmax, and the weighted sum [1, D]. */
tg_tensor *stepper_attention_pool(const stepper_walk *w, const tg_attention_pool *pool,
                                  tg_tensor *h);

/* Multi-head attention of x [Q, D] to memory [T, D] -> [Q, D]; `rows` is STEPPER_ROWS_ARE_WORDS
 * if the queries are words, else 0. */
tg_tensor *stepper_multihead(const stepper_walk *w, const tg_multihead *layer, tg_tensor *x,
                             tg_tensor *memory, int rows);

/* A pre-norm transformer block without dropout: x [T, D] -> [T, D]. */
tg_tensor *stepper_transformer(const stepper_walk *w, const tg_transformer *block, tg_tensor *x);

#endif
