/* Multi-head attention and transformer blocks (Vaswani et al., "Attention Is All You Need", 2017),
 * with the names and layouts of PyTorch's nn.MultiheadAttention, nn.TransformerEncoderLayer and
 * nn.TransformerDecoderLayer (batch first). */
#ifndef TG_TRANSFORMER_H
#define TG_TRANSFORMER_H

#include "attention.h"
#include "embedding.h"
#include "layer_norm.h"

TG_BEGIN_DECLS

/* Multi-head attention. E is the width of queries, keys, values and result; each of the N heads has
 * the width E / N. */
typedef struct tg_multihead {
    int64_t heads;
    bool tanh;      /* applies tanh to the projected queries, keys and values */
    double dropout; /* of the attention weights, 0 <= p < 1 */
    tg_tensor *in_proj_weight, *in_proj_bias; /* [3E, E], [3E]: queries, keys, values */
    tg_linear out_proj;                       /* W^O */
} tg_multihead;

/* Registers "name.in_proj_weight" (Glorot's uniform), "name.in_proj_bias" (0),
 * "name.out_proj.weight" and "name.out_proj.bias" (0). `heads` must divide `width`. tanh and
 * dropout start as false and 0: set them afterwards. Returns false, with the error on `params`, on
 * failure. */
TG_EXPORT bool tg_multihead_init(tg_multihead *layer, tg_params *params, const char *name,
                                 int64_t width, int64_t heads);

/* x [B, Tq, E] attends to `memory` [B, Tk, E] -> [B, Tq, E]. With x as `memory` it is
 * self-attention. `mask` may be NULL. `attended`, unless NULL, receives the tensor for
 * tg_attention_weights, or NULL after an error. */
TG_EXPORT tg_tensor *tg_multihead_forward(tg_tape *tape, const tg_multihead *layer, tg_tensor *x,
                                          tg_tensor *memory, const tg_attention_mask *mask,
                                          tg_tensor **attended);

/* An encoder block: self-attention, then a feed-forward part, each with a residual connection and a
 * LayerNorm. A decoder block has cross-attention to an encoder's output, its memory, between the
 * two. */
typedef struct tg_transformer {
    tg_multihead self_attn, multihead_attn; /* the second in decoders only */
    tg_linear linear1, linear2;
    tg_layer_norm_layer norm1, norm2, norm3; /* the third in decoders only */
    bool decoder;
    bool pre_norm;  /* a norm comes before each part, instead of after the sum */
    bool gelu;      /* instead of relu */
    double dropout; /* of each part's result and of the feed-forward part's hidden layer */
} tg_transformer;

/* Registers PyTorch's names under "name". `hidden` is the width inside the feed-forward part. A
 * block starts with post-norm, relu and dropout 0: set other values afterwards, and
 * self_attn.dropout for the attention weights. Returns false, with the error on `params`, on
 * failure. */
TG_EXPORT bool tg_transformer_init(tg_transformer *layer, tg_params *params, const char *name,
                                   int64_t width, int64_t heads, int64_t hidden, bool decoder);

/* x [B, T, E] -> [B, T, E]. `mask` is for self-attention (causal in a decoder that generates).
 * `memory` [B, Tk, E] and `memory_mask` are for a decoder's cross-attention, otherwise NULL. Masks
 * may be NULL. `attended`, unless NULL, receives the tensor for tg_attention_weights: the decoder's
 * cross-attention, or the encoder's self-attention. */
TG_EXPORT tg_tensor *tg_transformer_forward(tg_tape *tape, const tg_transformer *layer,
                                            tg_tensor *x, const tg_attention_mask *mask,
                                            tg_tensor *memory, const tg_attention_mask *memory_mask,
                                            tg_tensor **attended);

/* x [B, T, E] plus the paper's sinusoids: sin(t / 10000^(2i/E)) at feature 2i, cos of the same at
 * 2i + 1. */
TG_EXPORT tg_tensor *tg_add_sinusoids(tg_tape *tape, tg_tensor *x);

/* x [B, T, E] plus learned positions: rows 0 .. T - 1 of an Embedding of width E, which must have
 * at least T rows. */
TG_EXPORT tg_tensor *tg_add_positions(tg_tape *tape, const tg_embedding *positions, tg_tensor *x);

TG_END_DECLS
#endif
