/* Attention as layers: any score over queries, keys and values; pooling; the documents' modules. The operators are in
 * attention_op.c, and for additive pooling in additive_op.c. */
#include "attention.h"

#include "../core/internal.h"
#include "attention_op.h"

/* ---- any score ---- */

bool tg_attention_init(tg_attention *layer, tg_params *params, const char *name, tg_score score, int64_t query_width,
                       int64_t key_width, int64_t width)
{
    *layer = (tg_attention){.score = score};
    tg_init by_query = tg_init_uniform(query_width > 0 ? 1 / sqrt((double)query_width) : 0);
    tg_init by_key = tg_init_uniform(key_width > 0 ? 1 / sqrt((double)key_width) : 0);
    tg_init by_width = tg_init_uniform(width > 0 ? 1 / sqrt((double)width) : 0);
    if (score == TG_SCORE_BILINEAR)
        layer->weight = tg_param(params, name, "weight", TG_SHAPE(query_width, key_width), by_query);
    if (score == TG_SCORE_ADDITIVE) {
        layer->query_weight = tg_param(params, name, "query.weight", TG_SHAPE(width, query_width), by_query);
        layer->key_weight = tg_param(params, name, "key.weight", TG_SHAPE(width, key_width), by_key);
        layer->bias = tg_param(params, name, "key.bias", TG_SHAPE(width), by_key);
        layer->score_weight = tg_param(params, name, "score.weight", TG_SHAPE(1, width), by_width);
    }
    return params && !params->error.set;
}

tg_tensor *tg_attention_forward(tg_tape *tape, const tg_attention *layer, tg_tensor *q, tg_tensor *k, tg_tensor *v,
                                const tg_attention_mask *mask, tg_attention_detail *detail)
{
    tg_attention_how how = {layer->score, layer->raw, layer->times_score, 1, layer->dropout};
    if (layer->score == TG_SCORE_SCALED_DOT && q && q->ndim) how.scale = 1 / sqrt((double)q->shape[q->ndim - 1]);
    if (layer->score == TG_SCORE_BILINEAR) q = tg_matmul(tape, q, layer->weight);
    if (layer->score == TG_SCORE_COSINE) q = tg_unit(tape, q), k = tg_unit(tape, k);
    if (layer->score == TG_SCORE_ADDITIVE) {
        q = tg_linear_forward(tape, &(tg_linear){layer->query_weight, NULL}, q);
        k = tg_linear_forward(tape, &(tg_linear){layer->key_weight, layer->bias}, k);
    }
    tg_tensor *y = tg_attend(tape, q, k, v, layer->score_weight, 1, how, mask);
    if (detail) *detail = (tg_attention_detail){NULL, NULL, y};
    return y;
}

tg_tensor *tg_dot_attention(tg_tape *tape, tg_tensor *q, tg_tensor *k, tg_tensor *v, int64_t heads, double scale,
                            double dropout, const tg_attention_mask *mask)
{
    tg_attention_how how = {.score = TG_SCORE_DOT, .scale = scale, .dropout = dropout};
    return tg_attend(tape, q, k, v, NULL, heads, how, mask);
}

tg_tensor *tg_attention_look(tg_tape *tape, const tg_attention_detail *detail, tg_look what)
{
    if (!tape || tape->error.set) return NULL;
    if (!detail->weights) return tg_attend_look(tape, detail->result, what);
    const tg_tensor *of = what == TG_LOOK_SCORE_GRADS ? detail->scores : detail->weights;
    const int64_t batch = of->shape[0], tq = of->ndim == 3 ? of->shape[1] : 1;
    if (what != TG_LOOK_WEIGHTS && !of->has_grad) {
        tg_tape_fail(tape, "attention: gradients are there after a backward pass only");
        return NULL;
    }
    return tg_constant(tape, what == TG_LOOK_WEIGHTS ? of->data : of->grad, TG_SHAPE(batch, 1, tq, of->shape[of->ndim - 1]));
}

/* ---- pooling ---- */

bool tg_additive_attention_init(tg_additive_attention *layer, tg_params *params, const char *name, int64_t input,
                                int64_t width)
{
    tg_init into = tg_init_uniform(input > 0 ? 1 / sqrt((double)input) : 0);
    tg_init onto = tg_init_uniform(width > 0 ? 1 / sqrt((double)width) : 0);
    layer->proj_weight = tg_param(params, name, "proj.weight", TG_SHAPE(width, input), into);
    layer->proj_bias = tg_param(params, name, "proj.bias", TG_SHAPE(width), into);
    layer->score_weight = tg_param(params, name, "score.weight", TG_SHAPE(1, width), onto);
    return layer->score_weight != NULL;
}

bool tg_attention_pool_init(tg_attention_pool *layer, tg_params *params, const char *name, tg_score score, int64_t input,
                            int64_t width)
{
    *layer = (tg_attention_pool){.query = NULL};
    if (score == TG_SCORE_ADDITIVE) return tg_additive_attention_init(&layer->additive, params, name, input, width);
    layer->query = tg_param(params, name, "query", TG_SHAPE(1, input), tg_init_uniform(input > 0 ? 1 / sqrt((double)input) : 0));
    return tg_attention_init(&layer->attention, params, name, score, input, input, width) && layer->query;
}

/* One query [1, D] for every sequence: [B, 1, D]. */
static tg_tensor *same_query(tg_tape *tape, tg_tensor *query, int64_t batch)
{
    int32_t *first = tg_tape_alloc(tape, (size_t)batch * sizeof *first);
    if (!first) return NULL;
    memset(first, 0, (size_t)batch * sizeof *first);
    return tg_gather(tape, query, tg_ints_2d(first, batch, 1), -1);
}

tg_tensor *tg_attention_pool_forward(tg_tape *tape, const tg_attention_pool *layer, tg_tensor *x, tg_ints lengths,
                                     tg_attention_detail *detail)
{
    if (!layer->query) return tg_additive_attention_forward(tape, &layer->additive, x, lengths, detail);
    if (!tape || tape->error.set || !x) return NULL;
    const int64_t batch = x->ndim ? x->shape[0] : 0;
    tg_attention_mask mask = {.lengths = lengths};
    tg_tensor *q = same_query(tape, layer->query, batch);
    tg_tensor *y = tg_attention_forward(tape, &layer->attention, q, x, x, &mask, detail);
    return y ? tg_reshape(tape, y, TG_SHAPE(batch, y->shape[2])) : NULL;
}

/* ---- the documents' modules ---- */

bool tg_sequential_attention_init(tg_sequential_attention *layer, tg_params *params, const char *name, int64_t in,
                                  int64_t hidden, int64_t out)
{
    char scope[3][TG_MAX_NAME];
    static const char *const parts[] = {"linear1", "attention", "linear2"};
    for (int i = 0; i < 3; i++) snprintf(scope[i], TG_MAX_NAME, "%s.%s", name, parts[i]);
    return tg_linear_init(&layer->input, params, scope[0], in, hidden) &&
           tg_linear_init_no_bias(&layer->score, params, scope[1], hidden, 1) &&
           tg_linear_init(&layer->output, params, scope[2], hidden, out);
}

tg_tensor *tg_sequential_attention_forward(tg_tape *tape, const tg_sequential_attention *layer, tg_tensor *x,
                                           tg_ints lengths, tg_attention_detail *detail)
{
    if (!tape || tape->error.set || !x) return NULL;
    const int64_t batch = x->ndim ? x->shape[0] : 0;
    tg_attention_mask mask = {.lengths = lengths};
    tg_tensor *h = tg_tanh(tape, tg_linear_forward(tape, &layer->input, x)); /* [B, T, hidden] */
    tg_tensor *pooled = tg_dot_attention(tape, same_query(tape, layer->score.weight, batch), h, h, 1, 1, 0, &mask);
    if (detail) *detail = (tg_attention_detail){NULL, NULL, pooled};
    tg_tensor *y = tg_linear_forward(tape, &layer->output, pooled); /* [B, 1, out] */
    return y ? tg_reshape(tape, y, TG_SHAPE(batch, y->shape[2])) : NULL;
}

tg_tensor *tg_parallel_attention_forward(tg_tape *tape, const tg_sequential_attention *layer, tg_tensor *x,
                                         tg_attention_detail *detail)
{
    tg_tensor *by_region = x && x->ndim == 3 ? tg_permute(tape, x, (const int[]){0, 2, 1}) : x; /* [B, R, in] */
    return tg_sequential_attention_forward(tape, layer, by_region, tg_full_length(), detail);
}
