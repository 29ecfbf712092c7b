/* The operator behind layers/attention.c. */
#ifndef TG_ATTENTION_OP_H
#define TG_ATTENTION_OP_H

#include "attention.h"

/* What is computed from queries, keys and values that are ready: bilinear and cosine scores are products by now. */
typedef struct tg_attention_config {
    tg_score score;
    bool raw, times_score;
    double scale, dropout;
    bool
        one_query; /* by design, as in pooling, and not because a batch happens to be short: another order of summation */
} tg_attention_config;

/* q [B, Tq, heads * D], k [B, Tk, heads * D], v [B, Tk, heads * Dv], score_weight [heads * D] for additive scores, else
 * NULL -> [B, Tq, heads * Dv]. */
tg_tensor *tg_attend(tg_tape *tape, tg_tensor *q, tg_tensor *k, tg_tensor *v,
                     tg_tensor *score_weight, int64_t heads, tg_attention_config how,
                     const tg_attention_mask *mask);

/* tg_zero_padding, which leaves lengths that do not fit to the operator that reads them: a projection multiplies what
 * stands in the padding by 0, and must not meet NaN or infinity. Done whatever stands there, so that the graph, and with it
 * the order of every sum, is the same. */
tg_tensor *tg_clean(tg_tape *tape, tg_tensor *x, tg_ints lengths);

#endif
