/* Attention once more, composed of the operators of ops.h: what the tiled operator is held to. */
#ifndef TEST_SUPPORT_ATTENTION_H
#define TEST_SUPPORT_ATTENTION_H

#include "../../layers/attention_op.h"
#include "support.h"

/* May query i attend to key j? All of it written out: [B, Tq, Tk], freed by the caller. */
uint8_t *test_attention_keep(const tg_attention_mask *mask, int64_t B, int64_t Tq, int64_t Tk);

/* The matrices that the tiled operator never holds, on the tape and with their gradients: [B, heads, Tq, Tk]. */
typedef struct test_twin_matrices {
    tg_tensor *scores;  /* before the mask, times the scale */
    tg_tensor *weights; /* before dropout */
} test_twin_matrices;

/* What tg_attend computes. Dropout draws the same words. A distance of zero has no derivative here (it is inf 0). */
tg_tensor *test_twin_attend(tg_tape *tape, tg_tensor *q, tg_tensor *k, tg_tensor *v,
                            tg_tensor *score_weight, int64_t heads, tg_attention_config how,
                            const tg_attention_mask *mask, test_twin_matrices *matrices);

/* What tg_attention_forward computes. A zero vector has no cosine here (it is 0 / 0). */
tg_tensor *test_twin_attention_forward(tg_tape *tape, const tg_attention *layer, tg_tensor *q,
                                       tg_tensor *k, tg_tensor *v, const tg_attention_mask *mask,
                                       test_twin_matrices *matrices);

#endif
