/* The tiled attention operator, which the layers of attention.c and transformer.c call. */
#ifndef TG_ATTENTION_OP_H
#define TG_ATTENTION_OP_H

#include "attention.h"

/* How weights are computed from q, k and v. Bilinear and cosine scores are products here: their
 * layer has multiplied q by its weight, or normalised q and k. */
typedef struct tg_attention_config {
    tg_score score;
    bool raw, times_score;
    double scale, dropout;
    bool one_query; /* Tq is always 1, as in pooling: nothing is packed, and sums run in lanes */
} tg_attention_config;

/* q [B, Tq, heads * D], k [B, Tk, heads * D], v [B, Tk, heads * Dv] -> [B, Tq, heads * Dv].
 * score_weight [heads * D] is for additive scores, otherwise NULL. `mask` may be NULL. */
tg_tensor *tg_attend(tg_tape *tape, tg_tensor *q, tg_tensor *k, tg_tensor *v,
                     tg_tensor *score_weight, int64_t heads, tg_attention_config config,
                     const tg_attention_mask *mask);

/* tg_zero_padding if the lengths are valid for x [B, T, E]; otherwise x itself, because the
 * operator that reads the lengths reports them under its own name. A layer calls it before a
 * projection, whose backward pass multiplies the padding by 0: 0 times NaN is NaN. It is called
 * whatever the padding holds, so that the graph and the order of every sum are always the same. */
tg_tensor *tg_zero_valid_padding(tg_tape *tape, tg_tensor *x, tg_ints lengths);

#endif
