/* Attention: y_i = sum_j a_ij v_j, with a = softmax_j(s_ij) and a choice of scores s.
 *
 * One operator does the work of all (attention_op.c), in memory that grows with T:
 *
 *     tg_attention            any score, over queries, keys and values: self-attention, cross-attention
 *     tg_attention_pool       any score with a learned query: a sequence becomes one vector
 *     tg_additive_attention   the pooling of classifiers
 *     tg_dot_attention        products of several heads, the core of multi-head attention
 *     tg_sequential_attention, tg_parallel_attention   two modules of the documents by their names
 *
 * Multi-head attention is in transformer.h. Masks have one meaning everywhere: what is kept may be attended to. A query
 * with nothing to attend to gives zeros and zero gradients. What stands past a length changes no bit of a result or a
 * gradient. */
#ifndef TG_ATTENTION_H
#define TG_ATTENTION_H

#include "linear.h"

TG_BEGIN_DECLS

/* What may be attended to; all zeros (or a NULL pointer) is everything. */
typedef struct tg_attention_mask {
    tg_ints lengths;       /* [B] of the keys, 0 .. Tk, or tg_full_length() */
    tg_ints query_lengths; /* [B] of the queries, or tg_full_length(): later rows are zeros */
    tg_mask mask;          /* broadcasts to [B, Tq, Tk]; data NULL: everything */
    bool causal;           /* query i attends to the keys j <= i only */
} tg_attention_mask;

/* The scores of a query q and a key k. */
typedef enum tg_score {
    TG_SCORE_DOT,        /* q . k */
    TG_SCORE_SCALED_DOT, /* q . k / sqrt(D)          Vaswani et al., "Attention Is All You Need", 2017 */
    TG_SCORE_BILINEAR, /* q . W k                  Luong, Pham and Manning, 2015 ("general") */
    TG_SCORE_ADDITIVE, /* v . tanh(Wq q + Wk k + b)  Bahdanau, Cho and Bengio, 2015 */
    TG_SCORE_COSINE,   /* q . k / (|q| |k|), 0 where either is zero */
    TG_SCORE_EUCLIDEAN /* -|q - k|, with gradient 0 where q = k */
} tg_score;

/* The weights a and, after a backward pass, dL/da and dL/ds of an attention, each a constant [B, heads, Tq, Tk] with zeros
 * where nothing may be attended to. `attended` is the attention's own result: what tg_dot_attention returns, or what the
 * forward passes below store through their last argument. The numbers are computed on request from what the passes saved;
 * asking changes no bit of any result. An error if `attended` is not the result of an attention, or if gradients are asked
 * for before a backward pass. */
TG_EXPORT tg_tensor *tg_attention_weights(tg_tape *tape, const tg_tensor *attended);
TG_EXPORT tg_tensor *tg_attention_weight_grads(tg_tape *tape, const tg_tensor *attended);
TG_EXPORT tg_tensor *tg_attention_score_grads(tg_tape *tape, const tg_tensor *attended);

/* softmax(scale q k^T) v of several heads: q [B, Tq, heads * D], k [B, Tk, heads * D], v [B, Tk, heads * Dv] ->
 * [B, Tq, heads * Dv]. Exact, in tiles: no [Tq, Tk] matrix is held, forward or backward. `dropout` (0 <= p < 1) acts on the
 * weights; `mask` may be NULL. */
TG_EXPORT tg_tensor *tg_dot_attention(tg_tape *tape, tg_tensor *q, tg_tensor *k, tg_tensor *v,
                                      int64_t heads, double scale, double dropout,
                                      const tg_attention_mask *mask);

/* Any score, of one head. */
typedef struct tg_attention {
    tg_score score;
    bool raw; /* the scores themselves are the weights: no softmax */
    bool
        times_score; /* y_i = sum_j a_ij s_ij v_j, the general formula with the similarity inside the sum */
    double dropout;                       /* of the weights */
    tg_tensor *weight;                    /* bilinear: [Dq, Dk] */
    tg_tensor *query_weight, *key_weight; /* additive: [A, Dq], [A, Dk] */
    tg_tensor *bias, *score_weight;       /* additive: [A], [1, A] */
} tg_attention;

/* Sets the score, and registers what it learns: "name.weight", or "name.query.weight", "name.key.weight", "name.key.bias"
 * and "name.score.weight"; the others learn nothing. `width` is A, for additive alone. Set raw, times_score and dropout
 * after. False, with the error on `params`, when that fails. */
TG_EXPORT bool tg_attention_init(tg_attention *layer, tg_params *params, const char *name,
                                 tg_score score, int64_t query_width, int64_t key_width,
                                 int64_t width);

/* q [B, Tq, Dq], k [B, Tk, Dk], v [B, Tk, Dv] -> [B, Tq, Dv], with Dq = Dk but for bilinear and additive scores; `mask` and
 * `attended` may be NULL. */
TG_EXPORT tg_tensor *tg_attention_forward(tg_tape *tape, const tg_attention *layer, tg_tensor *q,
                                          tg_tensor *k, tg_tensor *v, const tg_attention_mask *mask,
                                          tg_tensor **attended);

/* Additive attention pooling with a learned query (Yang et al., "Hierarchical Attention Networks", 2016):
 *     s_t = v . tanh(W x_t + b),   a = softmax over t < length (s),   context = sum_t a_t x_t */
typedef struct tg_additive_attention {
    tg_tensor *proj_weight;  /* W [A, H] */
    tg_tensor *proj_bias;    /* b [A] */
    tg_tensor *score_weight; /* v [1, A] */
} tg_additive_attention;

/* Registers "name.proj.weight" [width, input], "name.proj.bias" [width] and "name.score.weight" [1, width], started as
 * PyTorch's nn.Linear starts them; A is `width`, H `input`. False, with the error on `params`, when that fails. */
TG_EXPORT bool tg_additive_attention_init(tg_additive_attention *layer, tg_params *params,
                                          const char *name, int64_t input, int64_t width);

/* x [B, T, H], lengths [B] or tg_full_length() -> context [B, H]; zeros for a sequence of length 0. `attended` may be
 * NULL. */
TG_EXPORT tg_tensor *tg_additive_attention_forward(tg_tape *tape,
                                                   const tg_additive_attention *layer, tg_tensor *x,
                                                   tg_ints lengths, tg_tensor **attended);

/* Pooling by any score: a learned query over the sequence; by additive scores as above. */
typedef struct tg_attention_pool {
    tg_attention attention;
    tg_additive_attention additive; /* for additive scores, instead of the others */
    tg_tensor *query;               /* [1, D]; NULL for additive scores */
} tg_attention_pool;

/* Registers "name.query" [1, input] and what the score learns, as tg_attention_init and tg_additive_attention_init do.
 * False, with the error on `params`, when that fails. */
TG_EXPORT bool tg_attention_pool_init(tg_attention_pool *layer, tg_params *params, const char *name,
                                      tg_score score, int64_t input, int64_t width);

/* x [B, T, D], lengths [B] or tg_full_length() -> [B, D]; zeros for a sequence of length 0. `attended` may be NULL. */
TG_EXPORT tg_tensor *tg_attention_pool_forward(tg_tape *tape, const tg_attention_pool *layer,
                                               tg_tensor *x, tg_ints lengths, tg_tensor **attended);

/* The documents' SequentialAttention(in, hidden, out): h_t = tanh(W1 x_t), a = softmax over t (w h_t), y = W2 sum_t a_t
 * h_t. */
typedef struct tg_sequential_attention {
    tg_linear input, score, output; /* W1, w, W2 */
} tg_sequential_attention;

/* Registers the Linears "name.linear1", "name.attention" (w; its bias would fall out of the softmax) and "name.linear2".
 * False, with the error on `params`, when that fails. */
TG_EXPORT bool tg_sequential_attention_init(tg_sequential_attention *layer, tg_params *params,
                                            const char *name, int64_t in, int64_t hidden,
                                            int64_t out);

/* x [B, T, in], lengths [B] or tg_full_length() -> [B, out]. `attended` may be NULL. */
TG_EXPORT tg_tensor *tg_sequential_attention_forward(tg_tape *tape,
                                                     const tg_sequential_attention *layer,
                                                     tg_tensor *x, tg_ints lengths,
                                                     tg_tensor **attended);

/* The documents' ParallelAttention: the same over R regions, x [B, in, R] -> [B, out]. `attended` may be NULL. */
TG_EXPORT tg_tensor *tg_parallel_attention_forward(tg_tape *tape,
                                                   const tg_sequential_attention *layer,
                                                   tg_tensor *x, tg_tensor **attended);

TG_END_DECLS
#endif
