/* Composed twins of the fused layers, by the operators of ops.h, step by step as in the published
 * formulas. Slow and plain; the tests compare the fused operators with them. */
#include "support.h"

enum { MAX_MASK = 4096 };

/* keep[b, t] = t < lengths[b], as [B, T, 1]; all true if lengths is NULL. */
static tg_mask mask_of(uint8_t *keep, const int32_t *lengths, int64_t B, int64_t T)
{
    TEST_CHECK(B * T <= MAX_MASK, "%d positions", (int)(B * T));
    for (int64_t b = 0; b < B; b++)
        for (int64_t t = 0; t < T; t++) keep[b * T + t] = !lengths || t < lengths[b];
    return tg_mask_nd(keep, TG_SHAPE(B, T, 1));
}

/* The sequences that have a position t, as [B, 1]. */
static tg_mask mask_at(uint8_t *keep, const int32_t *lengths, int64_t B, int64_t t)
{
    for (int64_t b = 0; b < B; b++) keep[b] = !lengths || t < lengths[b];
    return tg_mask_nd(keep, TG_SHAPE(B, 1));
}

typedef struct cell_state {
    tg_tensor *h, *c; /* [B, H] */
} cell_state;

/* (i, f, g, o) = x W_ih^T + b_ih + h W_hh^T + b_hh;  c' = sigmoid(f) c + sigmoid(i) tanh(g);  h' =
 * sigmoid(o) tanh(c') */
static cell_state lstm_cell(tg_tape *tape, const tg_lstm_weights *w, tg_tensor *x, cell_state s,
                            int64_t H)
{
    tg_tensor *z = tg_add(
        tape, tg_add(tape, tg_matmul_transposed(tape, x, w->weight_ih, TG_TRANSPOSE_B), w->bias_ih),
        tg_add(tape, tg_matmul_transposed(tape, s.h, w->weight_hh, TG_TRANSPOSE_B), w->bias_hh));
    tg_tensor *i = tg_sigmoid(tape, tg_slice(tape, z, 1, 0, H));
    tg_tensor *f = tg_sigmoid(tape, tg_slice(tape, z, 1, H, 2 * H));
    tg_tensor *g = tg_tanh(tape, tg_slice(tape, z, 1, 2 * H, 3 * H));
    tg_tensor *o = tg_sigmoid(tape, tg_slice(tape, z, 1, 3 * H, 4 * H));
    tg_tensor *c = tg_add(tape, tg_mul(tape, f, s.c), tg_mul(tape, i, g));
    return (cell_state){tg_mul(tape, o, tg_tanh(tape, c)), c};
}

/* One layer in one direction over x [B, T, I]. Stores the output of each position, [B, H], in `at`,
 * and returns the last state. Past its length, a sequence keeps its state. */
static cell_state lstm_direction(tg_tape *tape, const tg_lstm_weights *w, tg_tensor *x,
                                 const int32_t *lengths, cell_state s, bool reverse, tg_tensor **at)
{
    int64_t B = x->shape[0], T = x->shape[1], I = x->shape[2];
    int64_t H = w->weight_hh->shape[1];
    uint8_t keep[MAX_MASK];
    for (int64_t step = 0; step < T; step++) {
        int64_t t = reverse ? T - 1 - step : step;
        tg_tensor *x_t = tg_reshape(tape, tg_slice(tape, x, 1, t, t + 1), TG_SHAPE(B, I));
        cell_state next = lstm_cell(tape, w, x_t, s, H);
        tg_mask active = mask_at(keep, lengths, B, t);
        at[t] = tg_where_scalar(tape, active, next.h, 0);
        s.h = tg_where(tape, active, next.h, s.h);
        s.c = tg_where(tape, active, next.c, s.c);
    }
    return s;
}

static tg_tensor *state_slice(tg_tape *tape, tg_tensor *all, int64_t k, int64_t B, int64_t H)
{
    if (!all) return tg_constant(tape, NULL, TG_SHAPE(B, H));
    return tg_reshape(tape, tg_slice(tape, all, 0, k, k + 1), TG_SHAPE(B, H));
}

enum { MAX_TIME = 32 };

tg_tensor *test_twin_lstm(tg_tape *tape, const tg_lstm *layer, tg_tensor *x, const int32_t *lengths,
                          const tg_lstm_state *initial, tg_lstm_state *final)
{
    if (!x) return NULL;
    int64_t B = x->shape[0], T = x->shape[1], H = layer->hidden;
    TEST_CHECK(T <= MAX_TIME, "%d times", (int)T);
    uint8_t keep[MAX_MASK];
    tg_mask tokens = mask_of(keep, lengths, B, T);
    tg_tensor *finals_h[2 * TG_LSTM_MAX_LAYERS], *finals_c[2 * TG_LSTM_MAX_LAYERS];
    int n = 0;
    for (int l = 0; l < layer->layers; l++) {
        /* NaN in the padding times 0 would be NaN in the gradients. */
        x = tg_where_scalar(tape, tokens, x, 0);
        tg_tensor *sides[2];
        for (int d = 0; d < layer->directions; d++, n++) {
            tg_tensor *at[MAX_TIME];
            cell_state start = {state_slice(tape, initial ? initial->h : NULL, n, B, H),
                                state_slice(tape, initial ? initial->c : NULL, n, B, H)};
            cell_state end = lstm_direction(tape, &layer->weights[l][d], x, lengths, start, d == 1,
                                            at);
            sides[d] = tg_stack(tape, (int)T, at, 1);
            finals_h[n] = end.h;
            finals_c[n] = end.c;
        }
        x = layer->directions == 2 ? tg_concat(tape, 2, sides, 2) : sides[0];
    }
    if (final) {
        final->h = tg_stack(tape, n, finals_h, 0);
        final->c = tg_stack(tape, n, finals_c, 0);
    }
    return x;
}

tg_tensor *test_twin_attention(tg_tape *tape, const tg_additive_attention *layer, tg_tensor *x,
                               const int32_t *lengths, test_attention_parts *parts)
{
    if (!x) return NULL;
    int64_t B = x->shape[0], T = x->shape[1];
    uint8_t keep[MAX_MASK] = {0}; /* set, because gcc for Arm warns */
    x = tg_where_scalar(tape, mask_of(keep, lengths, B, T), x, 0);
    tg_tensor *u = tg_matmul_transposed(tape, x, layer->proj_weight, TG_TRANSPOSE_B);
    u = tg_tanh(tape, tg_add(tape, u, layer->proj_bias));
    tg_tensor *s = tg_reshape(tape,
                              tg_matmul_transposed(tape, u, layer->score_weight, TG_TRANSPOSE_B),
                              TG_SHAPE(B, T));
    int32_t full[MAX_MASK];
    for (int64_t b = 0; b < B && !lengths; b++) full[b] = (int32_t)T;
    tg_tensor *a = tg_softmax_lengths(tape, s, tg_ints_1d(lengths ? lengths : full, B));
    if (parts) *parts = (test_attention_parts){a, s};
    tg_tensor *weighed = tg_mul(tape, tg_reshape(tape, a, TG_SHAPE(B, T, 1)), x);
    return tg_sum(tape, weighed, TG_AXES(1), false);
}
