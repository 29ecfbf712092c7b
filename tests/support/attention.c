/* The composed twin of attention: the formulas at the head of layers/attention_op.c, line by line,
 * with full matrices [Tq, Tk]. Slow and plain. */
#include "attention.h"

tg_tensor *(*const test_attention_matrix[3])(tg_tape *,
                                             const tg_tensor *) = {tg_attention_weights,
                                                                   tg_attention_weight_grads,
                                                                   tg_attention_score_grads};

static int64_t length_of(tg_ints lengths, int64_t b, int64_t time)
{
    return lengths.data ? lengths.data[b] : time;
}

uint8_t *test_attention_keep(const tg_attention_mask *mask, int64_t B, int64_t Tq, int64_t Tk)
{
    const int64_t shape[] = {B, Tq, Tk};
    uint8_t *keep = malloc((size_t)(B * Tq * Tk) + 1);
    for (int64_t at = 0; at < B * Tq * Tk; at++) {
        const int64_t b = at / (Tq * Tk), i = at / Tk % Tq, j = at % Tk;
        keep[at] = 1;
        if (!mask) continue;
        if (j >= length_of(mask->lengths, b, Tk) || i >= length_of(mask->query_lengths, b, Tq))
            keep[at] = 0;
        if (mask->causal && j > i) keep[at] = 0;
        if (mask->mask.data &&
            !mask->mask.data[test_broadcast(at, 3, shape, mask->mask.ndim, mask->mask.shape)])
            keep[at] = 0;
    }
    return keep;
}

/* [B, T, heads * D] -> [B, heads, T, D] */
static tg_tensor *split(tg_tape *tape, tg_tensor *x, int64_t heads)
{
    x = tg_reshape(tape, x, TG_SHAPE(x->shape[0], x->shape[1], heads, x->shape[2] / heads));
    return tg_permute(tape, x, TG_AXES(0, 2, 1, 3));
}

/* Scores by pairs of a query and a key: q as [B, N, Tq, 1, D] and k as [B, N, 1, Tk, D]
 * broadcast. */
static tg_tensor *pairs(tg_tape *tape, tg_tensor *q, tg_tensor *k, tg_tensor *score_weight,
                        tg_score score)
{
    const int64_t B = q->shape[0], N = q->shape[1], D = q->shape[3];
    q = tg_reshape(tape, q, TG_SHAPE(B, N, q->shape[2], 1, D));
    k = tg_reshape(tape, k, TG_SHAPE(B, N, 1, k->shape[2], D));
    if (score == TG_SCORE_EUCLIDEAN)
        return tg_neg(tape, tg_sqrt(tape, tg_sum(tape, tg_square(tape, tg_sub(tape, q, k)),
                                                 TG_AXES(-1), false)));
    tg_tensor *w = tg_reshape(tape, score_weight, TG_SHAPE(N, 1, 1, D));
    return tg_sum(tape, tg_mul(tape, tg_tanh(tape, tg_add(tape, q, k)), w), TG_AXES(-1), false);
}

tg_tensor *test_twin_attend(tg_tape *tape, tg_tensor *const inputs[4], int64_t heads,
                            tg_attention_config config, const tg_attention_mask *mask,
                            test_twin_matrices *matrices)
{
    tg_tensor *q = inputs[0], *k = inputs[1], *v = inputs[2], *score_weight = inputs[3];
    const int64_t B = q->shape[0], Tq = q->shape[1], Tk = k->shape[1], width = v->shape[2];
    const bool by_pairs = config.score == TG_SCORE_ADDITIVE || config.score == TG_SCORE_EUCLIDEAN;
    q = split(tape, q, heads);
    k = split(tape, k, heads);
    v = split(tape, v, heads);
    tg_tensor *s = by_pairs ? pairs(tape, q, k, score_weight, config.score)
                            : tg_matmul_transposed(tape, q, k, TG_TRANSPOSE_B);
    s = tg_affine(tape, s, config.scale, 0);
    uint8_t *bytes = test_attention_keep(mask, B, Tq, Tk);
    const tg_mask keep = tg_mask_nd(bytes, TG_SHAPE(B, 1, Tq, Tk));
    tg_tensor *a = config.raw ? tg_where_scalar(tape, keep, s, 0)
                              : tg_softmax_masked(tape, s, keep);
    tg_tensor *e = tg_dropout(tape, a, config.dropout);
    if (config.times_score) e = tg_mul(tape, e, tg_where_scalar(tape, keep, s, 0));
    free(bytes); /* the tape has a copy */
    if (matrices) *matrices = (test_twin_matrices){s, a};
    tg_tensor *y = tg_permute(tape, tg_matmul(tape, e, v), TG_AXES(0, 2, 1, 3));
    return tg_reshape(tape, y, TG_SHAPE(B, Tq, width));
}

static tg_tensor *unit(tg_tape *tape, tg_tensor *x)
{
    return tg_div(tape, x, tg_sqrt(tape, tg_sum(tape, tg_square(tape, x), TG_AXES(-1), true)));
}

tg_tensor *test_twin_attention_forward(tg_tape *tape, const tg_attention *layer, tg_tensor *q,
                                       tg_tensor *k, tg_tensor *v, const tg_attention_mask *mask,
                                       test_twin_matrices *matrices)
{
    tg_attention_config config = {.score = layer->score,
                                  .raw = layer->raw,
                                  .times_score = layer->times_score,
                                  .scale = 1,
                                  .dropout = layer->dropout};
    if (layer->score == TG_SCORE_SCALED_DOT) config.scale = 1 / sqrt((double)q->shape[2]);
    if (layer->score == TG_SCORE_BILINEAR) q = tg_matmul(tape, q, layer->weight);
    if (layer->score == TG_SCORE_COSINE) {
        q = unit(tape, q);
        k = unit(tape, k);
    }
    if (layer->score == TG_SCORE_ADDITIVE) {
        q = tg_matmul_transposed(tape, q, layer->query_weight, TG_TRANSPOSE_B);
        k = tg_add(tape, tg_matmul_transposed(tape, k, layer->key_weight, TG_TRANSPOSE_B),
                   layer->bias);
    }
    return test_twin_attend(tape, (tg_tensor *[]){q, k, v, layer->score_weight}, 1, config, mask,
                            matrices);
}
