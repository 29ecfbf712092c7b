/* Attention as layers: any score over queries, keys and values; pooling with a learned query; a
 * classifier's module around it. attention_plain.c is attention to read first; attention_op.c is
 * the operator behind all layers. */
#include <math.h>
#include <string.h>

#include "attention.h"

#include "../core/shape.h"
#include "attention_op.h"

/* ---- any score ---- */

bool tg_attention_init(tg_attention *layer, tg_params *params, const char *name, tg_score score,
                       int64_t query_width, int64_t key_width, int64_t width)
{
    *layer = (tg_attention){.score = score};
    tg_init by_query = tg_init_fan_in(query_width), by_key = tg_init_fan_in(key_width);
    if (score == TG_SCORE_BILINEAR)
        layer->weight = tg_param(params, name, "weight", TG_SHAPE(query_width, key_width),
                                 by_query);
    if (score == TG_SCORE_ADDITIVE) {
        layer->query_weight = tg_param(params, name, "query.weight", TG_SHAPE(width, query_width),
                                       by_query);
        layer->key_weight = tg_param(params, name, "key.weight", TG_SHAPE(width, key_width),
                                     by_key);
        layer->bias = tg_param(params, name, "key.bias", TG_SHAPE(width), by_key);
        layer->score_weight = tg_param(params, name, "score.weight", TG_SHAPE(1, width),
                                       tg_init_fan_in(width));
    }
    return params && !tg_params_error(params);
}

tg_tensor *tg_zero_valid_padding(tg_tape *tape, tg_tensor *x, tg_ints lengths)
{
    if (!x || x->ndim != 3 || lengths.ndim != 1 || lengths.shape[0] != x->shape[0] || !lengths.data)
        return x;
    for (int64_t b = 0; b < x->shape[0]; b++)
        if (lengths.data[b] < 0 || lengths.data[b] > x->shape[1]) return x;
    return tg_zero_padding(tape, x, lengths);
}

static tg_tensor *forward(tg_tape *tape, const tg_attention *layer, tg_tensor *q, tg_tensor *k,
                          tg_tensor *v, const tg_attention_mask *mask, bool one_query)
{
    tg_attention_config config = {layer->score,   layer->raw, layer->times_score, 1,
                                  layer->dropout, one_query};
    q = tg_zero_valid_padding(tape, q, mask ? mask->query_lengths : tg_full_length());
    k = tg_zero_valid_padding(tape, k, mask ? mask->lengths : tg_full_length());
    if (layer->score == TG_SCORE_SCALED_DOT && q && q->ndim)
        config.scale = 1 / sqrt((double)q->shape[q->ndim - 1]);
    if (layer->score == TG_SCORE_BILINEAR) q = tg_matmul(tape, q, layer->weight);
    if (layer->score == TG_SCORE_COSINE) {
        q = tg_l2_normalize(tape, q);
        k = tg_l2_normalize(tape, k);
    }
    if (layer->score == TG_SCORE_ADDITIVE) {
        q = tg_linear_forward(tape, &(tg_linear){layer->query_weight, NULL}, q);
        k = tg_linear_forward(tape, &(tg_linear){layer->key_weight, layer->bias}, k);
    }
    return tg_attend(tape, q, k, v, layer->score_weight, 1, config, mask);
}

tg_tensor *tg_attention_forward(tg_tape *tape, const tg_attention *layer, tg_tensor *q,
                                tg_tensor *k, tg_tensor *v, const tg_attention_mask *mask,
                                tg_tensor **attended)
{
    tg_tensor *y = forward(tape, layer, q, k, v, mask, false);
    if (attended) *attended = y;
    return y;
}

tg_tensor *tg_dot_attention(tg_tape *tape, tg_tensor *q, tg_tensor *k, tg_tensor *v, int64_t heads,
                            double scale, double dropout, const tg_attention_mask *mask)
{
    tg_attention_config config = {.score = TG_SCORE_DOT, .scale = scale, .dropout = dropout};
    return tg_attend(tape, q, k, v, NULL, heads, config, mask);
}

/* ---- pooling ---- */

bool tg_additive_attention_init(tg_additive_attention *layer, tg_params *params, const char *name,
                                int64_t input, int64_t width)
{
    layer->proj_weight = tg_param(params, name, "proj.weight", TG_SHAPE(width, input),
                                  tg_init_fan_in(input));
    layer->proj_bias = tg_param(params, name, "proj.bias", TG_SHAPE(width),
                                tg_init_fan_in(input));
    layer->score_weight = tg_param(params, name, "score.weight", TG_SHAPE(1, width),
                                   tg_init_fan_in(width));
    return layer->score_weight != NULL;
}

bool tg_attention_pool_init(tg_attention_pool *layer, tg_params *params, const char *name,
                            tg_score score, int64_t input, int64_t width)
{
    *layer = (tg_attention_pool){.query = NULL};
    if (score == TG_SCORE_ADDITIVE)
        return tg_additive_attention_init(&layer->additive, params, name, input, width);
    layer->query = tg_param(params, name, "query", TG_SHAPE(1, input), tg_init_fan_in(input));
    return tg_attention_init(&layer->attention, params, name, score, input, input, width) &&
           layer->query;
}

/* Whether x has, along an axis (2, or 1 for regions), the width that a layer's weight reads. Sets
 * *attended to NULL, for the case that the layer fails. */
static bool input_fits(tg_tape *tape, const char *layer, const tg_tensor *x,
                       const tg_tensor *weight, int axis, tg_tensor **attended)
{
    if (attended) *attended = NULL;
    if (!tape || tg_tape_error(tape) || !x || !weight) return false;
    if (x->ndim == 3 && x->shape[axis] == weight->shape[1]) return true;
    return tg_tape_fail(tape, "%s: input %s does not fit weight %s; expected %s", layer,
                        tg_shape_str(x->ndim, x->shape).text, tg_shape_str(2, weight->shape).text,
                        axis == 2 ? "[B, T, in]" : "[B, in, R]");
}

/* The result of attention with one query, [B, 1, D] -> [B, D]. */
static tg_tensor *drop_query_axis(tg_tape *tape, tg_tensor *y, tg_tensor **attended)
{
    if (attended) *attended = y;
    return y ? tg_reshape(tape, y, TG_SHAPE(y->shape[0], y->shape[2])) : NULL;
}

tg_tensor *tg_additive_attention_forward(tg_tape *tape, const tg_additive_attention *layer,
                                         tg_tensor *x, tg_ints lengths, tg_tensor **attended)
{
    if (!input_fits(tape, "additive_attention", x, layer->proj_weight, 2, attended)) return NULL;
    tg_attention_mask mask = {.lengths = lengths};
    tg_attention_config config = {.score = TG_SCORE_ADDITIVE, .scale = 1, .one_query = true};
    x = tg_zero_valid_padding(tape, x, lengths);
    tg_tensor *k = tg_linear_forward(tape, &(tg_linear){layer->proj_weight, layer->proj_bias}, x);
    /* The learned query is k's bias; the operator's own is 0. */
    tg_tensor *q = k ? tg_constant(tape, NULL, TG_SHAPE(k->shape[0], 1, k->shape[2])) : NULL;
    return drop_query_axis(tape, tg_attend(tape, q, k, x, layer->score_weight, 1, config, &mask),
                           attended);
}

/* A query [1, D], repeated for every sequence: [B, 1, D]. */
static tg_tensor *repeat_query(tg_tape *tape, tg_tensor *query, int64_t batch)
{
    int32_t *first = tg_tape_alloc(tape, (size_t)batch * sizeof *first);
    if (!first) return NULL;
    memset(first, 0, (size_t)batch * sizeof *first);
    return tg_gather(tape, query, tg_ints_2d(first, batch, 1), -1);
}

tg_tensor *tg_attention_pool_forward(tg_tape *tape, const tg_attention_pool *layer, tg_tensor *x,
                                     tg_ints lengths, tg_tensor **attended)
{
    if (!layer->query)
        return tg_additive_attention_forward(tape, &layer->additive, x, lengths, attended);
    if (!input_fits(tape, "attention_pool", x, layer->query, 2, attended)) return NULL;
    tg_attention_mask mask = {.lengths = lengths};
    tg_tensor *q = repeat_query(tape, layer->query, x->shape[0]);
    return drop_query_axis(tape, forward(tape, &layer->attention, q, x, x, &mask, true), attended);
}

/* ---- sequential and parallel attention ---- */

bool tg_sequential_attention_init(tg_sequential_attention *layer, tg_params *params,
                                  const char *name, int64_t in, int64_t hidden, int64_t out)
{
    char scope[TG_MAX_NAME];
    tg_join_name(scope, name, "linear1");
    if (!tg_linear_init(&layer->input, params, scope, in, hidden)) return false;
    tg_join_name(scope, name, "attention");
    if (!tg_linear_init_no_bias(&layer->score, params, scope, hidden, 1)) return false;
    tg_join_name(scope, name, "linear2");
    return tg_linear_init(&layer->output, params, scope, hidden, out);
}

tg_tensor *tg_sequential_attention_forward(tg_tape *tape, const tg_sequential_attention *layer,
                                           tg_tensor *x, tg_ints lengths, tg_tensor **attended)
{
    if (!input_fits(tape, "sequential_attention", x, layer->input.weight, 2, attended)) return NULL;
    tg_attention_mask mask = {.lengths = lengths};
    tg_attention_config config = {.score = TG_SCORE_DOT, .scale = 1, .one_query = true};
    x = tg_zero_valid_padding(tape, x, lengths);
    tg_tensor *h = tg_tanh(tape, tg_linear_forward(tape, &layer->input, x)); /* [B, T, hidden] */
    tg_tensor *q = repeat_query(tape, layer->score.weight, x ? x->shape[0] : 0);
    tg_tensor *y = tg_attend(tape, q, h, h, NULL, 1, config, &mask);
    return tg_linear_forward(tape, &layer->output, drop_query_axis(tape, y, attended));
}

tg_tensor *tg_parallel_attention_forward(tg_tape *tape, const tg_sequential_attention *layer,
                                         tg_tensor *x, tg_tensor **attended)
{
    if (!input_fits(tape, "parallel_attention", x, layer->input.weight, 1, attended)) return NULL;
    tg_tensor *by_region = tg_permute(tape, x, TG_AXES(0, 2, 1)); /* [B, R, in] */
    return tg_sequential_attention_forward(tape, layer, by_region, tg_full_length(), attended);
}
