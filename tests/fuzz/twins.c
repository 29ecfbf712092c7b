/* Fused operators against their composed twins, with random sizes, masks and lengths: values, and
 * the gradients of every input and parameter. */
#include "fuzz.h"

#include "../support/attention.h"

enum { MAX_INPUTS = 40, MAX_B = 6, MAX_T = 140 };

/* A pair of passes; twin 0 is the fused one. Differences are relative to the largest result. The
 * terms of a gradient may cancel, so differences of gradients are relative to the largest of all
 * gradients. */
typedef struct pair {
    char what[200];
    tg_params *params;
    tg_tape *tapes[2];
    tg_tensor *results[2];
    tg_real *gradients[2][MAX_INPUTS]; /* of the parameters */
} pair;

static pair begin(void)
{
    return (pair){.params = tg_params_new(1), .tapes = {tg_tape_new(7), tg_tape_new(7)}};
}

static tg_tensor *parameter(pair *p, const char *name, uint64_t seed, test_shape shape)
{
    tg_tensor *x = tg_param(p->params, NULL, name, shape.ndim, shape.size, tg_init_constant(0));
    FUZZ_CHECK(x, "%s", tg_params_error(p->params));
    test_fill(x->data, x->size, seed, -1, 1);
    return x;
}

static void check_near(const pair *p, const char *which, const tg_real *got, const tg_real *want,
                       int64_t count, double scale)
{
    for (int64_t i = 0; i < count; i++)
        FUZZ_CHECK(test_near((double)got[i], (double)want[i], TEST_TOLERANCE * scale),
                   "%s: %s, element %lld is %.12g, twin %.12g", p->what, which, (long long)i,
                   (double)got[i], (double)want[i]);
}

static double largest(const tg_real *numbers, int64_t count)
{
    double result = 0;
    for (int64_t i = 0; i < count; i++) { /* not by fmax: gcc 12 for Arm crashes on such a loop */
        if (fabs((double)numbers[i]) > result) result = fabs((double)numbers[i]);
    }
    return result;
}

/* The backward pass of twin `t` from sum(y r); copies the gradients. */
static void backward(pair *p, int t, tg_tensor *y)
{
    p->results[t] = y;
    tg_tensor *loss = y && y->ndim == 0 ? y : test_weighted_loss(p->tapes[t], y, 6);
    FUZZ_CHECK(tg_backward(p->tapes[t], loss), "%s, twin %d: %s", p->what, t,
               tg_tape_error(p->tapes[t]));
    for (int64_t i = 0; i < tg_params_count(p->params); i++) {
        const tg_tensor *x = tg_params_at(p->params, i);
        tg_real *copy = calloc((size_t)x->size + 1, sizeof *copy);
        if (x->has_grad && x->size) memcpy(copy, x->grad, (size_t)x->size * sizeof *copy);
        p->gradients[t][i] = copy;
    }
    tg_params_zero_grad(p->params);
}

static void end(pair *p)
{
    const tg_tensor *y = p->results[0], *twin = p->results[1];
    double scale = 0;
    FUZZ_CHECK(y->ndim == twin->ndim &&
                   !memcmp(y->shape, twin->shape, (size_t)y->ndim * sizeof *y->shape),
               "%s: the shapes differ", p->what);
    check_near(p, "the result", y->data, twin->data, y->size, largest(twin->data, twin->size));
    for (int64_t i = 0; i < tg_params_count(p->params); i++)
        scale = fmax(scale, largest(p->gradients[1][i], tg_params_at(p->params, i)->size));
    for (int64_t i = 0; i < tg_params_count(p->params); i++) {
        const tg_tensor *x = tg_params_at(p->params, i);
        check_near(p, x->name, p->gradients[0][i], p->gradients[1][i], x->size, scale);
        free(p->gradients[0][i]);
        free(p->gradients[1][i]);
    }
    tg_tape_free(p->tapes[0]);
    tg_tape_free(p->tapes[1]);
    tg_params_free(p->params);
}

/* ---- random sizes, lengths and sequences ---- */

static int64_t size_to(fuzz_input *in, int limit) { return 1 + fuzz_byte(in) % limit; }

/* Lengths from 0 to T; a view without data if all are full. */
static tg_ints any_lengths(fuzz_input *in, int32_t lengths[MAX_B], int64_t B, int64_t T)
{
    if (fuzz_choose(in, 3) == 0) return tg_full_length();
    for (int64_t b = 0; b < B; b++) lengths[b] = (int32_t)(fuzz_byte(in) % (T + 1));
    return tg_ints_1d(lengths, B);
}

/* A sequence whose padding holds garbage. */
static tg_tensor *sequence(pair *p, fuzz_input *in, const char *name, int64_t B, int64_t T,
                           int64_t E, const int32_t *lengths)
{
    const test_shape shape = S(B, T, E);
    tg_tensor *x = parameter(p, name, fuzz_byte(in), shape);
    for (int64_t i = 0; lengths && i < x->size; i++)
        if (i / E % T >= lengths[i / E / T]) x->data[i] = i % 2 ? (tg_real)NAN : (tg_real)1e20;
    return x;
}

/* ---- LSTM ---- */

static void lstm(fuzz_input *in)
{
    pair p = begin();
    tg_lstm layer;
    tg_lstm_state initial = {NULL, NULL}, final[2];
    int32_t lengths[MAX_B];
    const int64_t B = size_to(in, MAX_B), T = size_to(in, 9), E = size_to(in, 20),
                  H = size_to(in, 20);
    const int layers = 1 + fuzz_choose(in, 2), sides = 1 + fuzz_choose(in, 2);
    const tg_ints view = any_lengths(in, lengths, B, T);
    const test_shape state = S(layers * sides, B, H);
    tg_lstm_init(&layer, p.params, "lstm", E, H, layers, sides == 2);
    tg_tensor *x = sequence(&p, in, "x", B, T, E, view.data);
    if (fuzz_choose(in, 2))
        initial = (tg_lstm_state){parameter(&p, "h0", 2, state), parameter(&p, "c0", 3, state)};
    snprintf(p.what, sizeof p.what, "lstm, B %d, T %d, E %d, H %d, %d layers, %d sides%s%s", (int)B,
             (int)T, (int)E, (int)H, layers, sides, view.data ? ", lengths" : "",
             initial.h ? ", a state" : "");
    for (int t = 0; t < 2; t++) {
        tg_tape *tape = p.tapes[t];
        tg_lstm_state *start = initial.h ? &initial : NULL;
        tg_tensor *y = t ? test_twin_lstm(tape, &layer, x, view.data, start, &final[1])
                         : tg_lstm_forward_state(tape, &layer, x, view, &initial, &final[0]);
        tg_tensor *ends[] = {tg_reshape(tape, y, TG_SHAPE(-1)),
                             tg_reshape(tape, final[t].h, TG_SHAPE(-1)),
                             tg_reshape(tape, final[t].c, TG_SHAPE(-1))};
        backward(&p, t, tg_concat(tape, 3, ends, 0));
    }
    end(&p);
}

/* ---- attention ---- */

typedef struct masks {
    int32_t lengths[MAX_B], query_lengths[MAX_B];
    uint8_t mask_bytes[2 * MAX_T * MAX_T];
} masks;

static tg_attention_mask any_mask(fuzz_input *in, masks *memory, int64_t B, int64_t Tq, int64_t Tk)
{
    const int kind = fuzz_choose(in, 5);
    const uint64_t seed = fuzz_byte(in);
    tg_attention_mask mask = {.lengths = any_lengths(in, memory->lengths, B, Tk),
                              .query_lengths = any_lengths(in, memory->query_lengths, B, Tq),
                              .causal = fuzz_choose(in, 3) == 2};
    for (size_t i = 0; kind && i < sizeof memory->mask_bytes; i++)
        memory->mask_bytes[i] = test_number(seed, (int64_t)i, 0, 1) < 0.5;
    if (kind == 1) mask.mask = tg_mask_nd(memory->mask_bytes, TG_SHAPE(B, 1, Tk));
    if (kind == 2) mask.mask = tg_mask_nd(memory->mask_bytes, TG_SHAPE(Tq, 1));
    if (kind == 3) mask.mask = tg_mask_nd(memory->mask_bytes, TG_SHAPE(1, Tq, Tk));
    if (kind == 4) mask.mask = tg_mask_nd(memory->mask_bytes, TG_SHAPE(Tk));
    return mask;
}

static tg_attention_config any_config(fuzz_input *in, tg_score score)
{
    const int modes = fuzz_choose(in, 8);
    return (tg_attention_config){.score = score,
                                 .raw = modes & 1,
                                 .times_score = modes & 2,
                                 .scale = score == TG_SCORE_DOT ? 0.5 : 1,
                                 .dropout = modes & 4 ? 0.3 : 0};
}

/* The tiled operator, for products and for scores of pairs; T is large enough for several tiles. */
static void tiled(fuzz_input *in)
{
    static const tg_score scores[] = {TG_SCORE_DOT, TG_SCORE_ADDITIVE, TG_SCORE_EUCLIDEAN};
    static masks memory;
    pair p = begin();
    tg_attention_config config = any_config(in, scores[fuzz_choose(in, 3)]);
    const bool pairs = config.score != TG_SCORE_DOT;
    const int max_T = pairs ? 40 : MAX_T;
    const int64_t B = size_to(in, 2), heads = size_to(in, 3), Tq = size_to(in, max_T),
                  Tk = size_to(in, max_T), d = size_to(in, pairs ? 5 : 20), dv = size_to(in, 20);
    const test_shape weight = S(heads * d);
    config.one_query = Tq == 1 && fuzz_choose(in, 2);
    const tg_attention_mask mask = any_mask(in, &memory, B, Tq, Tk);
    tg_tensor *q = sequence(&p, in, "q", B, Tq, heads * d, NULL),
              *k = sequence(&p, in, "k", B, Tk, heads * d, NULL),
              *v = sequence(&p, in, "v", B, Tk, heads * dv, NULL);
    tg_tensor *w = config.score == TG_SCORE_ADDITIVE ? parameter(&p, "w", 9, weight) : NULL;
    for (int64_t i = 0; config.score == TG_SCORE_EUCLIDEAN && i < k->size; i++)
        k->data[i] += (tg_real)2.5; /* the twin has no derivative at 0 */
    snprintf(p.what, sizeof p.what,
             "attention, score %d%s%s, dropout %g, B %d, heads %d, Tq %d, Tk %d, d %d, dv %d%s%s",
             config.score, config.raw ? ", raw" : "", config.times_score ? ", times the score" : "",
             config.dropout, (int)B, (int)heads, (int)Tq, (int)Tk, (int)d, (int)dv,
             mask.causal ? ", causal" : "", mask.mask.data ? ", a mask" : "");
    backward(&p, 0, tg_attend(p.tapes[0], q, k, v, w, heads, config, &mask));
    backward(&p, 1, test_twin_attend(p.tapes[1], q, k, v, w, heads, config, &mask, NULL));
    end(&p);
}

/* The layer: with projections, L2 normalization and scales. */
static void layers(fuzz_input *in)
{
    static masks memory;
    pair p = begin();
    tg_attention layer;
    const tg_score score = (tg_score)fuzz_choose(in, 6);
    const tg_attention_config config = any_config(in, score);
    const bool square = score != TG_SCORE_BILINEAR && score != TG_SCORE_ADDITIVE;
    const int64_t B = size_to(in, MAX_B), Tq = size_to(in, 20), Tk = size_to(in, 20),
                  Dq = size_to(in, 9), Dk = square ? Dq : size_to(in, 9);
    FUZZ_CHECK(tg_attention_init(&layer, p.params, "attention", score, Dq, Dk,
                                 1 + fuzz_choose(in, 9)),
               "%s", tg_params_error(p.params));
    layer.raw = config.raw;
    layer.times_score = config.times_score;
    layer.dropout = config.dropout;
    const tg_attention_mask mask = any_mask(in, &memory, B, Tq, Tk);
    tg_tensor *q = sequence(&p, in, "q", B, Tq, Dq, NULL),
              *k = sequence(&p, in, "k", B, Tk, Dk, NULL),
              *v = sequence(&p, in, "v", B, Tk, 3, NULL);
    /* The twin has no derivative at a distance of 0, and no cosine with a zero vector. */
    for (int64_t i = 0; i < k->size; i++) k->data[i] += (tg_real)2.5;
    for (int64_t i = 0; score == TG_SCORE_COSINE && i < q->size; i++) q->data[i] += (tg_real)2.5;
    snprintf(p.what, sizeof p.what,
             "attention layer, score %d, mode %d%d, dropout %g, B %d, Tq %d, Tk %d, Dq %d, Dk %d",
             score, config.raw, config.times_score, config.dropout, (int)B, (int)Tq, (int)Tk,
             (int)Dq, (int)Dk);
    backward(&p, 0, tg_attention_forward(p.tapes[0], &layer, q, k, v, &mask, NULL));
    backward(&p, 1, test_twin_attention_forward(p.tapes[1], &layer, q, k, v, &mask, NULL));
    end(&p);
}

static void pooling(fuzz_input *in)
{
    pair p = begin();
    tg_additive_attention layer;
    int32_t lengths[MAX_B];
    const int64_t B = size_to(in, MAX_B), T = size_to(in, MAX_T), H = size_to(in, 20),
                  A = size_to(in, 20);
    const tg_ints view = any_lengths(in, lengths, B, T);
    tg_additive_attention_init(&layer, p.params, "pool", H, A);
    tg_tensor *x = sequence(&p, in, "x", B, T, H, view.data);
    snprintf(p.what, sizeof p.what, "pooling, B %d, T %d, H %d, A %d%s", (int)B, (int)T, (int)H,
             (int)A, view.data ? ", lengths" : "");
    backward(&p, 0, tg_additive_attention_forward(p.tapes[0], &layer, x, view, NULL));
    backward(&p, 1, test_twin_attention(p.tapes[1], &layer, x, view.data, NULL));
    end(&p);
}

/* ---- cross-entropy, Linear, LayerNorm ---- */

/* The sum of K log_softmax(x) with K_rc = -w_c ((1 - s) [c = label] + s / C) / sum_r w_label; K is
 * 0 in rows whose label is ignored. */
static tg_tensor *twin_cross_entropy(tg_tape *tape, tg_tensor *x, const int32_t *labels,
                                     const tg_real *weights, double smoothing)
{
    const int64_t rows = x->shape[0], C = x->shape[1];
    tg_tensor *factors = tg_constant(tape, NULL, TG_SHAPE(rows, C));
    double sum = 0;
    for (int64_t r = 0; r < rows; r++) {
        if (labels[r] >= 0) sum += weights ? (double)weights[labels[r]] : 1;
    }
    for (int64_t i = 0; i < rows * C; i++) {
        const double share = smoothing / (double)C + (i % C == labels[i / C] ? 1 - smoothing : 0),
                     weight = weights ? (double)weights[i % C] : 1;
        if (labels[i / C] >= 0) factors->data[i] = (tg_real)(-share * weight / sum);
    }
    return tg_sum(tape, tg_mul(tape, factors, tg_log_softmax(tape, x)), TG_ALL_AXES, false);
}

static void cross_entropy(fuzz_input *in)
{
    enum { MAX_ROWS = 30, MAX_C = 40 };
    pair p = begin();
    int32_t labels[MAX_ROWS];
    tg_real weights[MAX_C];
    const int64_t rows = size_to(in, MAX_ROWS), C = size_to(in, MAX_C);
    const test_shape shape = S(rows, C);
    const double smoothing = fuzz_choose(in, 5) / 4.0;
    const bool weighted = fuzz_choose(in, 2);
    tg_tensor *x = parameter(&p, "x", fuzz_byte(in), shape);
    for (int64_t r = 0; r < rows; r++) labels[r] = (int32_t)(fuzz_byte(in) % (C + 1)) - (r > 0);
    labels[0] = labels[0] < C ? labels[0] : 0; /* at least one label is not ignored */
    test_fill(weights, C, 4, 0.1, 2);
    snprintf(p.what, sizeof p.what, "cross-entropy, %d rows, C %d, smoothing %g%s", (int)rows,
             (int)C, smoothing, weighted ? ", weights" : "");
    backward(&p, 0,
             tg_cross_entropy_weighted(p.tapes[0], x, tg_ints_1d(labels, rows),
                                       weighted ? weights : NULL, smoothing));
    backward(&p, 1,
             twin_cross_entropy(p.tapes[1], x, labels, weighted ? weights : NULL, smoothing));
    end(&p);
}

/* LayerNorm(Linear(x)). */
static void linear(fuzz_input *in)
{
    pair p = begin();
    tg_linear layer;
    const int64_t B = size_to(in, MAX_B), T = size_to(in, 9), E = size_to(in, 40),
                  H = size_to(in, 40);
    const test_shape wide = S(H);
    tg_linear_init(&layer, p.params, "linear", E, H);
    tg_tensor *x = sequence(&p, in, "x", B, T, E, NULL), *weight = parameter(&p, "weight", 5, wide),
              *bias = parameter(&p, "bias", 6, wide);
    snprintf(p.what, sizeof p.what, "linear and layer norm, B %d, T %d, E %d, H %d", (int)B, (int)T,
             (int)E, (int)H);
    backward(&p, 0,
             tg_layer_norm(p.tapes[0], tg_linear_forward(p.tapes[0], &layer, x), weight, bias,
                           0.1));
    tg_tape *tape = p.tapes[1];
    tg_tensor *y = tg_add(tape, tg_matmul_transposed(tape, x, layer.weight, TG_TRANSPOSE_B),
                          layer.bias);
    y = tg_sub(tape, y, tg_mean(tape, y, TG_AXES(-1), true));
    tg_tensor *deviation = tg_sqrt(
        tape, tg_affine(tape, tg_mean(tape, tg_square(tape, y), TG_AXES(-1), true), 1, 0.1));
    backward(&p, 1, tg_add(tape, tg_mul(tape, tg_div(tape, y, deviation), weight), bias));
    end(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static void (*const kinds[])(fuzz_input *) = {lstm,    tiled,         layers,
                                                  pooling, cross_entropy, linear};
    fuzz_input input = {bytes, size};
    fuzz_memory_limit(1 << 20, 127);
    kinds[fuzz_choose(&input, (int)COUNT(kinds))](&input);
    return 0;
}
