/* Additive attention pooling over time (Bahdanau, Cho and Bengio, 2015, with a learned query; Yang et al., "Hierarchical
 * Attention Networks", 2016):
 *     s_t = v . tanh(W x_t + b),   a = softmax over t < length (s),   context = sum_t a_t x_t */
#ifndef TG_ATTENTION_H
#define TG_ATTENTION_H

#include "../core/ops.h"
#include "../core/params.h"

TG_BEGIN_DECLS

typedef struct tg_additive_attention {
    tg_tensor *proj_weight;  /* W [A, H] */
    tg_tensor *proj_bias;    /* b [A] */
    tg_tensor *score_weight; /* v [1, A] */
} tg_additive_attention;

/* Registers "name.proj.weight", "name.proj.bias" and "name.score.weight", started as PyTorch's nn.Linear starts them. */
TG_EXPORT bool tg_additive_attention_init(tg_additive_attention *layer, tg_params *params, const char *name,
                                          int64_t input, int64_t width);

/* What can be looked at, or used further: both [B, T], zero where padded. After a backward pass weights->grad and
 * scores->grad hold dL/d(weight) and dL/d(score). */
typedef struct tg_attention_detail {
    tg_tensor *weights, *scores;
} tg_attention_detail;

/* x [B, T, H], lengths [B] or tg_full_length() -> context [B, H]; zeros for a sequence of length 0. `detail` may be NULL. */
TG_EXPORT tg_tensor *tg_additive_attention_forward(tg_tape *tape, const tg_additive_attention *layer, tg_tensor *x,
                                                   tg_ints lengths, tg_attention_detail *detail);

TG_END_DECLS
#endif
