/* Multi-head attention and transformer blocks: compositions of Linear, LayerNorm and the attention
 * operator. */
#include <math.h>

#include "transformer.h"

#include "../core/shape.h"

#include <string.h>

#include "attention_op.h"

bool tg_multihead_init(tg_multihead *layer, tg_params *params, const char *name, int64_t width,
                       int64_t heads)
{
    char scope[TG_MAX_NAME];
    *layer = (tg_multihead){.heads = heads};
    if (!params) return false;
    if (heads < 1 || width % heads || width > INT32_MAX)
        return tg_params_fail(
            params,
            "multihead %s: %lld heads do not divide the width %lld, or the width is too large",
            name, (long long)heads, (long long)width);
    layer->in_proj_weight = tg_param(params, name, "in_proj_weight", TG_SHAPE(3 * width, width),
                                     tg_init_uniform(width > 0 ? sqrt(6 / (4.0 * (double)width))
                                                               : 0));
    layer->in_proj_bias = tg_param(params, name, "in_proj_bias", TG_SHAPE(3 * width),
                                   tg_init_constant(0));
    if (!tg_linear_init(&layer->out_proj, params, tg_join_name(scope, name, "out_proj"), width,
                        width))
        return false;
    if (!tg_params_is_loading(params))
        memset(layer->out_proj.bias->data, 0, (size_t)width * sizeof(tg_real));
    return true;
}

tg_tensor *tg_multihead_forward(tg_tape *tape, const tg_multihead *layer, tg_tensor *x,
                                tg_tensor *memory, const tg_attention_mask *mask,
                                tg_tensor **attended)
{
    const int64_t width = layer->out_proj.weight ? layer->out_proj.weight->shape[1] : 0;
    tg_tensor *qkv[3];
    x = tg_zero_valid_padding(tape, x, mask ? mask->query_lengths : tg_full_length());
    memory = tg_zero_valid_padding(tape, memory, mask ? mask->lengths : tg_full_length());
    for (int i = 0; i < 3; i++) {
        const int64_t first = i * width, end = first + width;
        tg_linear in_proj = {tg_slice(tape, layer->in_proj_weight, 0, first, end),
                             tg_slice(tape, layer->in_proj_bias, 0, first, end)};
        qkv[i] = tg_linear_forward(tape, &in_proj, i == 0 ? x : memory);
        if (layer->tanh) qkv[i] = tg_tanh(tape, qkv[i]);
    }
    const double scale = sqrt((double)layer->heads / (double)width); /* 1 / sqrt(E / N) */
    tg_tensor *y = tg_dot_attention(tape, qkv[0], qkv[1], qkv[2], layer->heads, scale,
                                    layer->dropout, mask);
    if (attended) *attended = y;
    return tg_linear_forward(tape, &layer->out_proj, y);
}

bool tg_transformer_init(tg_transformer *layer, tg_params *params, const char *name, int64_t width,
                         int64_t heads, int64_t hidden, bool decoder)
{
    char scope[TG_MAX_NAME];
    *layer = (tg_transformer){.decoder = decoder};
    return tg_multihead_init(&layer->self_attn, params, tg_join_name(scope, name, "self_attn"),
                             width, heads) &&
           (!decoder ||
            tg_multihead_init(&layer->multihead_attn, params,
                              tg_join_name(scope, name, "multihead_attn"), width, heads)) &&
           tg_linear_init(&layer->linear1, params, tg_join_name(scope, name, "linear1"), width,
                          hidden) &&
           tg_linear_init(&layer->linear2, params, tg_join_name(scope, name, "linear2"), hidden,
                          width) &&
           tg_layer_norm_init(&layer->norm1, params, tg_join_name(scope, name, "norm1"), width) &&
           tg_layer_norm_init(&layer->norm2, params, tg_join_name(scope, name, "norm2"), width) &&
           (!decoder ||
            tg_layer_norm_init(&layer->norm3, params, tg_join_name(scope, name, "norm3"), width));
}

/* Each part of a block is norm(x + part(x)), or with pre_norm x + part(norm(x)). */
static tg_tensor *pre_norm(tg_tape *tape, const tg_transformer *layer,
                           const tg_layer_norm_layer *norm, tg_tensor *x)
{
    return layer->pre_norm ? tg_layer_norm_forward(tape, norm, x) : x;
}

static tg_tensor *add_and_norm(tg_tape *tape, const tg_transformer *layer,
                               const tg_layer_norm_layer *norm, tg_tensor *x, tg_tensor *part)
{
    tg_tensor *sum = tg_add(tape, x, tg_dropout(tape, part, layer->dropout));
    return layer->pre_norm ? sum : tg_layer_norm_forward(tape, norm, sum);
}

tg_tensor *tg_transformer_forward(tg_tape *tape, const tg_transformer *layer, tg_tensor *x,
                                  const tg_attention_mask *mask, tg_tensor *memory,
                                  const tg_attention_mask *memory_mask, tg_tensor **attended)
{
    const tg_layer_norm_layer *last = layer->decoder ? &layer->norm3 : &layer->norm2;
    x = tg_zero_valid_padding(tape, x, mask ? mask->query_lengths : tg_full_length());
    tg_tensor *y = pre_norm(tape, layer, &layer->norm1, x);
    y = tg_multihead_forward(tape, &layer->self_attn, y, y, mask, attended);
    x = add_and_norm(tape, layer, &layer->norm1, x, y);
    if (layer->decoder) {
        y = pre_norm(tape, layer, &layer->norm2, x);
        y = tg_multihead_forward(tape, &layer->multihead_attn, y, memory, memory_mask, attended);
        x = add_and_norm(tape, layer, &layer->norm2, x, y);
    }
    y = tg_linear_forward(tape, &layer->linear1, pre_norm(tape, layer, last, x));
    y = tg_dropout(tape, layer->gelu ? tg_gelu(tape, y) : tg_relu(tape, y), layer->dropout);
    return add_and_norm(tape, layer, last, x, tg_linear_forward(tape, &layer->linear2, y));
}

/* ---- positions ---- */

static bool has_positions(tg_tape *tape, const tg_tensor *x)
{
    if (!tape || tg_tape_error(tape) || !x) return false;
    if (x->ndim == 3 && x->shape[1] <= INT32_MAX) return true;
    return tg_tape_fail(tape, "positions: input %s is not [B, T, E]",
                        tg_shape_str(x->ndim, x->shape).text);
}

tg_tensor *tg_add_sinusoids(tg_tape *tape, tg_tensor *x)
{
    if (!has_positions(tape, x)) return NULL;
    const int64_t time = x->shape[1], width = x->shape[2];
    tg_tensor *waves = tg_constant(tape, NULL, TG_SHAPE(time, width));
    if (!waves) return NULL;
    for (int64_t i = 0; i < time * width; i++) {
        const int64_t t = i / width, feature = i % width, even = feature - feature % 2;
        const double angle = (double)t * pow(10000, -(double)even / (double)width);
        waves->data[i] = (tg_real)(feature % 2 ? cos(angle) : sin(angle));
    }
    return tg_add(tape, x, waves);
}

tg_tensor *tg_add_positions(tg_tape *tape, const tg_embedding *positions, tg_tensor *x)
{
    if (!has_positions(tape, x)) return NULL;
    const tg_tensor *table = positions->weight;
    const int64_t time = x->shape[1];
    if (table && x->shape[2] != table->shape[1]) /* a width of 1 would broadcast */
        return tg_tape_fail(tape, "positions: input %s does not fit the table %s",
                            tg_shape_str(3, x->shape).text, tg_shape_str(2, table->shape).text);
    int32_t *ids = tg_tape_alloc(tape, (size_t)time * sizeof *ids);
    if (!ids) return NULL;
    for (int32_t t = 0; t < time; t++) ids[t] = t;
    return tg_add(tape, x, tg_embedding_forward(tape, positions, tg_ints_1d(ids, time)));
}
