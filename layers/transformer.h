/* Multi-head attention and transformer blocks (Vaswani et al., "Attention Is All You Need", 2017), with the names and
 * layouts of PyTorch's nn.MultiheadAttention, nn.TransformerEncoderLayer and nn.TransformerDecoderLayer (batch first). */
#ifndef TG_TRANSFORMER_H
#define TG_TRANSFORMER_H

#include "attention.h"
#include "embedding.h"
#include "layer_norm.h"

TG_BEGIN_DECLS

/* Multi-head attention. E is the width of queries, keys, values and result; each of the N heads has E / N of it. */
typedef struct tg_multihead {
    int64_t heads;
    bool tanh;      /* of the projected queries, keys and values, as one of the documents has it */
    double dropout; /* of the weights */
    tg_tensor *in_proj_weight, *in_proj_bias; /* [3E, E], [3E]: queries, keys, values */
    tg_linear out_proj;                       /* W^O */
} tg_multihead;

/* Registers "name.in_proj_weight" (Glorot's uniform), "name.in_proj_bias" (0), "name.out_proj.weight" and ".bias" (0). N
 * divides E; otherwise, and when a name is taken, false, with the error on `params`. Set tanh and dropout after. */
TG_EXPORT bool tg_multihead_init(tg_multihead *layer, tg_params *params, const char *name,
                                 int64_t width, int64_t heads);

/* x [B, Tq, E] attends to `memory` [B, Tk, E] -> [B, Tq, E]: to itself where memory is x. `mask`, `attended` may be NULL. */
TG_EXPORT tg_tensor *tg_multihead_forward(tg_tape *tape, const tg_multihead *layer, tg_tensor *x,
                                          tg_tensor *memory, const tg_attention_mask *mask,
                                          tg_tensor **attended);

/* An encoder block: self-attention, then a feed-forward part, each with a residual and a LayerNorm. A decoder block has
 * cross-attention to an encoder's memory between the two (the documents' "mixed" attention). */
typedef struct tg_transformer {
    tg_multihead self_attn, multihead_attn; /* the second in decoders */
    tg_linear linear1, linear2;
    tg_layer_norm_layer norm1, norm2, norm3; /* the third in decoders */
    bool decoder, pre_norm,
        gelu;       /* pre_norm: norms come before each part, not after the sum; gelu for relu */
    double dropout; /* of each part's result and of the hidden layer */
} tg_transformer;

/* Registers PyTorch's names under "name". `hidden` is the width of the feed-forward part. Dropout 0, post-norm, relu; set
 * other values after, and self_attn.dropout for the weights. False, with the error on `params`, when that fails. */
TG_EXPORT bool tg_transformer_init(tg_transformer *layer, tg_params *params, const char *name,
                                   int64_t width, int64_t heads, int64_t hidden, bool decoder);

/* x [B, T, E] -> [B, T, E]. `mask` is the self-attention's (causal in a decoder that generates); memory [B, Tk, E] and
 * `memory_mask` are a decoder's, otherwise NULL. Details of the (last) attention go to `attended`, unless NULL. */
TG_EXPORT tg_tensor *tg_transformer_forward(tg_tape *tape, const tg_transformer *layer,
                                            tg_tensor *x, const tg_attention_mask *mask,
                                            tg_tensor *memory, const tg_attention_mask *memory_mask,
                                            tg_tensor **attended);

/* x [B, T, E] plus the sinusoids of the paper: sin(t / 10000^(2i/E)) at 2i, cos at 2i + 1. */
TG_EXPORT tg_tensor *tg_add_sinusoids(tg_tape *tape, tg_tensor *x);

/* x [B, T, E] plus learned positions: the rows 0 .. T - 1 of an Embedding of width E, which has so many at least. */
TG_EXPORT tg_tensor *tg_add_positions(tg_tape *tape, const tg_embedding *positions, tg_tensor *x);

TG_END_DECLS
#endif
