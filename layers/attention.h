/* Attention: y_i = sum_j a_ij v_j, with a = softmax_j(s_ij) and a choice of scores s.
 *
 *     tg_plain_attention            one head in plain loops, to read
 *     tg_attention                  any score: self-attention, cross-attention
 *     tg_attention_pool             any score with a learned query: a sequence becomes a vector
 *     tg_additive_attention         the pooling of classifiers
 *     tg_dot_attention              products of several heads, the core of multi-head attention
 *     tg_sequential_attention,
 *     tg_parallel_attention         pooling between two Linears, over positions or regions
 *
 * Multi-head attention is in transformer.h. All but the first run on one operator, whose memory
 * grows with T and not with T squared. A mask is true at what may be attended to. A query that may
 * attend to nothing gives zeros and zero gradients. The numbers past a length change no bit of a
 * result or a gradient. */
#ifndef TG_ATTENTION_H
#define TG_ATTENTION_H

#include "linear.h"

TG_BEGIN_DECLS

/* What may be attended to. A struct of zeros, or a NULL pointer to one, leaves nothing out. */
typedef struct tg_attention_mask {
    tg_ints lengths;       /* [B] of the keys, 0 .. Tk, or tg_full_length() */
    tg_ints query_lengths; /* [B] of the queries, or tg_full_length(): later rows are zeros */
    tg_mask mask;          /* broadcasts to [B, Tq, Tk]; nothing is left out if its data is NULL */
    bool causal;           /* query i attends to the keys j <= i only */
} tg_attention_mask;

/* The score of a query q and a key k. */
typedef enum tg_score {
    TG_SCORE_DOT,        /* q . k */
    TG_SCORE_SCALED_DOT, /* q . k / sqrt(D)   Vaswani et al., "Attention Is All You Need", 2017 */
    TG_SCORE_BILINEAR,   /* q . W k   Luong, Pham and Manning, 2015 ("general") */
    TG_SCORE_ADDITIVE,   /* w . tanh(Wq q + Wk k + b)   Bahdanau, Cho and Bengio, 2015 */
    TG_SCORE_COSINE,     /* q . k / (|q| |k|); 0 if q or k is zero */
    TG_SCORE_EUCLIDEAN   /* -|q - k|, with gradient 0 if q = k */
} tg_score;

/* softmax(scale q k^T) v of one head: q [B, Tq, D], k [B, Tk, D], v [B, Tk, Dv], the lengths [B] of
 * the keys or tg_full_length() -> [B, Tq, Dv]. To read (layers/attention_plain.c), not for speed:
 * it is tg_dot_attention in plain loops, and saves the weights [B, Tq, Tk]. */
TG_EXPORT tg_tensor *tg_plain_attention(tg_tape *tape, tg_tensor *q, tg_tensor *k, tg_tensor *v,
                                        double scale, tg_ints lengths);

/* The attention weights a, before dropout, and their gradients dL/da and dL/ds: each a new constant
 * [B, heads, Tq, Tk], zero for a pair that may not attend. `attended` is the result of the
 * attention operator: what tg_dot_attention returns, or what a layer below stores in *attended.
 * Each call computes its matrix anew, and changes no bit of any result. It is an error if
 * `attended` is another tensor, tg_plain_attention's among them, or if a gradient is asked for
 * before the backward pass. */
TG_EXPORT tg_tensor *tg_attention_weights(tg_tape *tape, const tg_tensor *attended);
TG_EXPORT tg_tensor *tg_attention_weight_grads(tg_tape *tape, const tg_tensor *attended);
TG_EXPORT tg_tensor *tg_attention_score_grads(tg_tape *tape, const tg_tensor *attended);

/* softmax(scale q k^T) v of several heads: q [B, Tq, heads * D], k [B, Tk, heads * D], v [B, Tk,
 * heads * Dv] -> [B, Tq, heads * Dv]. Exact, in tiles: neither pass holds a [Tq, Tk] matrix.
 * `dropout` (0 <= p < 1) acts on the weights, in training only; `mask` may be NULL. The result can
 * be passed to tg_attention_weights. */
TG_EXPORT tg_tensor *tg_dot_attention(tg_tape *tape, tg_tensor *q, tg_tensor *k, tg_tensor *v,
                                      int64_t heads, double scale, double dropout,
                                      const tg_attention_mask *mask);

/* Any score, of one head. */
typedef struct tg_attention {
    tg_score score;
    bool raw;                             /* a_ij = s_ij: no softmax */
    bool times_score;                     /* y_i = sum_j a_ij s_ij v_j */
    double dropout;                       /* of the weights, 0 <= p < 1 */
    tg_tensor *weight;                    /* bilinear: [Dq, Dk] */
    tg_tensor *query_weight, *key_weight; /* additive: [A, Dq], [A, Dk] */
    tg_tensor *bias, *score_weight;       /* additive: [A], [1, A] */
} tg_attention;

/* Sets the score and registers its parameters: "name.weight" for bilinear scores;
 * "name.query.weight", "name.key.weight", "name.key.bias" and "name.score.weight" for additive
 * ones; none for the others. `width` is A, used by additive scores only. raw, times_score and
 * dropout start as false and 0: set them afterwards. Returns false, with the error on `params`, on
 * failure. */
TG_EXPORT bool tg_attention_init(tg_attention *layer, tg_params *params, const char *name,
                                 tg_score score, int64_t query_width, int64_t key_width,
                                 int64_t width);

/* q [B, Tq, Dq], k [B, Tk, Dk], v [B, Tk, Dv] -> [B, Tq, Dv]. Dq and Dk may differ for bilinear and
 * additive scores only. `mask` may be NULL. `attended`, unless NULL, receives the tensor for
 * tg_attention_weights, or NULL after an error. */
TG_EXPORT tg_tensor *tg_attention_forward(tg_tape *tape, const tg_attention *layer, tg_tensor *q,
                                          tg_tensor *k, tg_tensor *v, const tg_attention_mask *mask,
                                          tg_tensor **attended);

/* Additive attention pooling with a learned query (Yang et al., "Hierarchical Attention Networks",
 * 2016):
 *     s_t = w . tanh(W x_t + b),   a = softmax over t < length (s),   context = sum_t a_t x_t */
typedef struct tg_additive_attention {
    tg_tensor *proj_weight;  /* W [A, H] */
    tg_tensor *proj_bias;    /* b [A] */
    tg_tensor *score_weight; /* w [1, A] */
} tg_additive_attention;

/* Registers "name.proj.weight" [width, input], "name.proj.bias" [width] and "name.score.weight" [1,
 * width], initialised as PyTorch's nn.Linear does; A is `width`, H is `input`. Returns false, with
 * the error on `params`, on failure. */
TG_EXPORT bool tg_additive_attention_init(tg_additive_attention *layer, tg_params *params,
                                          const char *name, int64_t input, int64_t width);

/* x [B, T, H], lengths [B] or tg_full_length() -> context [B, H]; zeros for a sequence of length 0.
 * `attended` is as in tg_attention_forward. */
TG_EXPORT tg_tensor *tg_additive_attention_forward(tg_tape *tape,
                                                   const tg_additive_attention *layer, tg_tensor *x,
                                                   tg_ints lengths, tg_tensor **attended);

/* Pooling by any score: a learned query attends to the sequence. Additive scores are those of
 * tg_additive_attention. */
typedef struct tg_attention_pool {
    tg_attention attention;
    tg_tensor *query;               /* [1, D]; NULL for additive scores */
    tg_additive_attention additive; /* for additive scores, instead of the other two */
} tg_attention_pool;

/* Registers "name.query" [1, input] and the score's parameters, as tg_attention_init does; for
 * additive scores only what tg_additive_attention_init registers. Returns false, with the error on
 * `params`, on failure. */
TG_EXPORT bool tg_attention_pool_init(tg_attention_pool *layer, tg_params *params, const char *name,
                                      tg_score score, int64_t input, int64_t width);

/* x [B, T, D], lengths [B] or tg_full_length() -> [B, D]; zeros for a sequence of length 0.
 * `attended` is as in tg_attention_forward. */
TG_EXPORT tg_tensor *tg_attention_pool_forward(tg_tape *tape, const tg_attention_pool *layer,
                                               tg_tensor *x, tg_ints lengths, tg_tensor **attended);

/* Pooling between two Linears:
 *
 *     h_t = tanh(W1 x_t + b1)
 *     a   = softmax over t < length (w . h_t)
 *     y   = W2 sum_t a_t h_t + b2 */
typedef struct tg_sequential_attention {
    tg_linear input, score, output; /* W1, w, W2 */
} tg_sequential_attention;

/* Registers the Linears "name.linear1" (W1, b1), "name.attention" (w; without a bias, which no
 * softmax would notice) and "name.linear2" (W2, b2). Returns false, with the error on `params`, on
 * failure. */
TG_EXPORT bool tg_sequential_attention_init(tg_sequential_attention *layer, tg_params *params,
                                            const char *name, int64_t in, int64_t hidden,
                                            int64_t out);

/* x [B, T, in], lengths [B] or tg_full_length() -> [B, out]. `attended` is as in
 * tg_attention_forward. */
TG_EXPORT tg_tensor *tg_sequential_attention_forward(tg_tape *tape,
                                                     const tg_sequential_attention *layer,
                                                     tg_tensor *x, tg_ints lengths,
                                                     tg_tensor **attended);

/* The same over R regions, such as the places of a feature map: x [B, in, R] -> [B, out]. All
 * regions take part. */
TG_EXPORT tg_tensor *tg_parallel_attention_forward(tg_tape *tape,
                                                   const tg_sequential_attention *layer,
                                                   tg_tensor *x, tg_tensor **attended);

TG_END_DECLS
#endif
