/* Attention composed of the operators of ops.h, with which the tests compare the tiled operator. */
#ifndef TEST_SUPPORT_ATTENTION_H
#define TEST_SUPPORT_ATTENTION_H

#include "../../layers/attention_op.h"
#include "support.h"

/* Whether query i may attend to key j, by all parts of the mask: [B, Tq, Tk], freed by the
 * caller. */
uint8_t *test_attention_keep(const tg_attention_mask *mask, int64_t B, int64_t Tq, int64_t Tk);

/* Tensors [B, heads, Tq, Tk] of the composed attention, with their gradients after the backward
 * pass. */
typedef struct test_twin_matrices {
    tg_tensor *scores;  /* before the mask, times the scale */
    tg_tensor *weights; /* before dropout */
} test_twin_matrices;

/* Computes what tg_attend computes, with the same dropout mask. The inputs are q, k, v and the
 * weight of the score or NULL. At a distance of zero its gradient is NaN (inf 0). */
tg_tensor *test_twin_attend(tg_tape *tape, tg_tensor *const inputs[4], int64_t heads,
                            tg_attention_config config, const tg_attention_mask *mask,
                            test_twin_matrices *matrices);

/* Computes what tg_attention_forward computes. The cosine with a zero vector is NaN here (0
 * / 0). */
tg_tensor *test_twin_attention_forward(tg_tape *tape, const tg_attention *layer, tg_tensor *q,
                                       tg_tensor *k, tg_tensor *v, const tg_attention_mask *mask,
                                       test_twin_matrices *matrices);

#endif
