/* The tiled operator against its composed twin, which holds complete matrices: values, gradients,
 * attention weights and their gradients, for T from 1 to 1000. */
#include "subjects.h"

/* Relative to the largest magnitude of each tensor. */
#ifdef TG_DOUBLE
static const double TOLERANCE = 1e-11;
#else
static const double TOLERANCE = 1e-5;
#endif

typedef enum mask_kind { EVERYTHING, LENGTHS, MASK, CAUSAL, ALL_AT_ONCE, MASK_KINDS } mask_kind;

typedef struct entry {
    tg_score score;
    int64_t heads, B, Tq, Tk, d, dv; /* of each head */
    mask_kind mask;
    bool raw, times_score;
    double scale, dropout;
} entry;

enum { MAX_B = 3, INPUTS = 4 }; /* q, k, v, score weight */

/* Lengths, one of which is 0, and a mask in which every 17th query may attend to nothing; `bytes`
 * is memory for the mask. */
static tg_attention_mask mask_of(const entry *e, int32_t lengths[2][MAX_B], uint8_t *bytes)
{
    tg_attention_mask mask = {.causal = e->mask == CAUSAL || e->mask == ALL_AT_ONCE};
    for (int64_t b = 0; b < e->B; b++) {
        lengths[0][b] = (int32_t)(b == 1 ? 0 : e->Tk - e->Tk / 3);
        lengths[1][b] = (int32_t)(b == 0 ? e->Tq : e->Tq - e->Tq / 4);
    }
    if (e->mask == LENGTHS || e->mask == ALL_AT_ONCE) {
        mask.lengths = tg_ints_1d(lengths[0], e->B);
        mask.query_lengths = tg_ints_1d(lengths[1], e->B);
    }
    if (e->mask != MASK && e->mask != ALL_AT_ONCE) return mask;
    for (int64_t i = 0; i < e->Tq * e->Tk; i++)
        bytes[i] = i / e->Tk % 17 != 3 && test_number(5, i, 0, 1) < 0.5;
    mask.mask = tg_mask_nd(bytes, TG_SHAPE(1, e->Tq, e->Tk));
    return mask;
}

static void fill_inputs(tg_tape *tape, const entry *e, tg_tensor *in[INPUTS])
{
    in[0] = test_variable(tape, 1, -1, 1, TG_SHAPE(e->B, e->Tq, e->heads * e->d));
    in[1] = test_variable(tape, 2, -1, 1, TG_SHAPE(e->B, e->Tk, e->heads * e->d));
    in[2] = test_variable(tape, 3, -1, 1, TG_SHAPE(e->B, e->Tk, e->heads * e->dv));
    in[3] = e->score == TG_SCORE_ADDITIVE
                ? test_variable(tape, 4, -1, 1, TG_SHAPE(1, e->heads * e->d))
                : NULL;
    for (int64_t i = 0; e->score == TG_SCORE_EUCLIDEAN && i < in[1]->size; i++)
        in[1]->data[i] += (tg_real)1.5; /* the twin has no derivative at 0 */
}

static void describe(const entry *e, char text[160])
{
    snprintf(text, 160,
             "score %d, %d heads, B %d, Tq %d, Tk %d, d %d, dv %d, mask %d%s%s, dropout %g",
             e->score, (int)e->heads, (int)e->B, (int)e->Tq, (int)e->Tk, (int)e->d, (int)e->dv,
             e->mask, e->raw ? ", raw" : "", e->times_score ? ", times the score" : "", e->dropout);
}

static double largest_of(const tg_real *numbers, int64_t count)
{
    double largest = 0;
    for (int64_t i = 0; i < count; i++) largest = fmax(largest, fabs((double)numbers[i]));
    return largest;
}

/* Gradients of the inputs. The terms of a gradient may cancel (with one key it is 0): its
 * difference is relative to at least a tenth of the largest of all gradients. Returns that
 * tenth. */
static double compare_gradients(const char *what, int count, tg_tensor *const *got,
                                tg_tensor *const *want)
{
    double scale = 0;
    for (int k = 0; k < count; k++)
        scale = fmax(scale, largest_of(want[k]->grad, want[k]->size) / 10);
    for (int k = 0; k < count; k++) {
        const double allowed = TOLERANCE * fmax(scale, largest_of(want[k]->grad, want[k]->size));
        for (int64_t i = 0; i < want[k]->size; i++)
            TEST_CHECK(test_near((double)got[k]->grad[i], (double)want[k]->grad[i], allowed),
                       "%s: gradient of input %d, element %lld: %.12g, twin %.12g", what, k,
                       (long long)i, (double)got[k]->grad[i], (double)want[k]->grad[i]);
    }
    return scale;
}

/* dw = sum over all pairs of ds tanh(q + k), added in double: a float twin is not accurate enough
 * over a million pairs. The difference is relative to at least `scale`. */
static void compare_score_weight(const char *what, const entry *e, tg_tensor *const *in,
                                 const tg_real *ds, double scale)
{
    for (int64_t at = 0; at < e->heads * e->d; at++) {
        const int64_t h = at / e->d, row = e->heads * e->d;
        double sum = 0, size = 0;
        for (int64_t n = 0; n < e->B * e->Tq * e->Tk; n++) {
            const int64_t b = n / (e->Tq * e->Tk), i = n / e->Tk % e->Tq, j = n % e->Tk;
            const double slope = (double)ds[((b * e->heads + h) * e->Tq + i) * e->Tk + j];
            if (slope == 0) continue;
            const double term = slope * tanh((double)(in[0]->data[(b * e->Tq + i) * row + at] +
                                                      in[1]->data[(b * e->Tk + j) * row + at]));
            sum += term;
            size += fabs(term);
        }
        TEST_CHECK(test_near((double)in[3]->grad[at], sum,
                             TOLERANCE * fmax(fmax(fabs(sum), 0.01 * size), scale)),
                   "%s: score weight, element %lld: %.12g, wanted %.12g of %g", what, (long long)at,
                   (double)in[3]->grad[at], sum, size);
    }
}

/* Weights or their gradients against the twin's. For masked pairs (`mask` 0) they must be 0; the
 * twin's may be anything. The difference is relative to at least `scale`. */
static void compare_matrix(const char *what, tg_tensor *matrix, const tg_real *twin, const entry *e,
                           const uint8_t *mask, double scale)
{
    const int64_t plane = e->Tq * e->Tk;
    ck_assert_msg(matrix != NULL, "%s: there is no matrix", what);
    test_assert_shape(what, matrix, TG_SHAPE(e->B, e->heads, e->Tq, e->Tk));
    const double allowed = TOLERANCE * fmax(scale, largest_of(twin, matrix->size));
    for (int64_t i = 0; i < matrix->size; i++) {
        const bool open = mask[i / (plane * e->heads) * plane + i % plane];
        const double got = (double)matrix->data[i];
        TEST_CHECK(open || got == 0, "%s: a masked pair has %g", what, got);
        TEST_CHECK(!open || test_near(got, (double)twin[i], allowed),
                   "%s: element %lld is %.12g, twin %.12g", what, (long long)i, got,
                   (double)twin[i]);
    }
}

/* Weights, dL/d(weight) and dL/d(score). The last is p (dp - sum p dp) with dp = dy . v. Both may
 * cancel, so its difference is relative to at least 0.1: the terms are of the order of 1. */
static void compare_matrices(const char *what, tg_tape *tape, tg_tensor *y,
                             const test_twin_matrices *twin, const entry *e, const uint8_t *mask)
{
    compare_matrix(what, tg_attention_weights(tape, y), twin->weights->data, e, mask, 0);
    compare_matrix(what, tg_attention_weight_grads(tape, y), twin->weights->grad, e, mask, 0);
    compare_matrix(what, tg_attention_score_grads(tape, y), twin->scores->grad, e, mask, 0.1);
}

static void compare(const entry *e)
{
    char text[160];
    describe(e, text);
    int32_t lengths[2][MAX_B];
    uint8_t *bytes = malloc((size_t)(e->Tq * e->Tk) + 1);
    const tg_attention_mask mask = mask_of(e, lengths, bytes);
    const bool one_query = e->Tq == 1 && e->Tk > 1; /* as pooling uses the operator */
    const tg_attention_config config = {e->score, e->raw,     e->times_score,
                                        e->scale, e->dropout, one_query};
    tg_tape *tapes[] = {tg_tape_new(7), tg_tape_new(7)};
    tg_tensor *in[2][INPUTS], *y[2];
    test_twin_matrices twin;
    for (int t = 0; t < 2; t++) {
        tg_tensor **x = in[t];
        fill_inputs(tapes[t], e, x);
        y[t] = t ? test_twin_attend(tapes[t], x[0], x[1], x[2], x[3], e->heads, config, &mask,
                                    &twin)
                 : tg_attend(tapes[t], x[0], x[1], x[2], x[3], e->heads, config, &mask);
        ck_assert_msg(tg_backward(tapes[t], test_weighted_loss(tapes[t], y[t], 6)), "%s: %s", text,
                      tg_tape_error(tapes[t]));
    }
    ck_assert_uint_eq(tg_tape_random(tapes[0])->counter, tg_tape_random(tapes[1])->counter);
    test_assert_shape(text, y[0], TG_SHAPE(e->B, e->Tq, e->heads * e->dv));
    test_assert_reals_near(text, y[0]->data, y[1]->data, y[0]->size, TOLERANCE);
    const double scale = compare_gradients(text, 3, in[0], in[1]);
    if (in[0][3]) compare_score_weight(text, e, in[0], twin.scores->grad, scale);
    uint8_t *effective = test_attention_keep(&mask, e->B, e->Tq, e->Tk);
    compare_matrices(text, tapes[0], y[0], &twin, e, effective);
    free(effective);
    free(bytes);
    test_end(tapes[0], NULL);
    test_end(tapes[1], NULL);
}

/* ---- products: every time, every mask, every mode ---- */

static const int64_t times[] = {1, 2, 3, 17, 63, 64, 65, 127, 128, 129, 200, 257};
static const int64_t widths[][2] = {{16, 8}, {1, 1}, {3, 17}, {9, 5}, {32, 33}};

START_TEST(products)
    {
        const int64_t T = times[_i];
        for (int mask = 0; mask < MASK_KINDS; mask++)
            for (int mode = 0; mode < 5; mode++) { /* the last with dropout */
                const int turn = _i + mask + mode;
                if (T > 100 && turn % 3) continue; /* a third of the large sizes */
                entry e = {TG_SCORE_DOT,
                           1 + turn % 3,
                           1 + (T < 200) * turn % 2,
                           T,
                           T,
                           widths[turn % 5][0],
                           widths[turn % 5][1],
                           (mask_kind)mask,
                           mode == 1 || mode == 3,
                           mode == 2 || mode == 3,
                           1 / sqrt((double)widths[turn % 5][0]),
                           mode == 4 ? 0.3 : 0};
                compare(&e);
            }
    }
END_TEST

START_TEST(unequal_times)
    {
        const int64_t T = times[_i];
        for (size_t k = 0; k < COUNT(times); k += 2) {
            const int turn = _i + (int)k;
            compare(&(entry){TG_SCORE_DOT, 1 + turn % 2, 2, T, times[k], widths[turn % 5][0],
                             widths[turn % 5][1], (mask_kind)(turn / 2 % MASK_KINDS), turn % 4 == 3,
                             turn % 3 == 2, 0.5, 0});
        }
    }
END_TEST

/* ---- scores of pairs ---- */

START_TEST(pairs)
    {
        for (int score = TG_SCORE_ADDITIVE; score <= TG_SCORE_EUCLIDEAN; score += 2)
            for (int mode = 0; mode < 5; mode++) {
                const int turn = _i + mode;
                compare(&(entry){(tg_score)score, 1 + turn % 2, 1 + (times[_i] < 100), times[_i],
                                 times[(size_t)(_i + mode) % COUNT(times)], 3, 4,
                                 (mask_kind)(turn % MASK_KINDS), mode == 1 || mode == 3,
                                 mode == 2 || mode == 3, 1, mode == 4 ? 0.3 : 0});
            }
    }
END_TEST

/* ---- a thousand ---- */

static const entry large[] = {
    {TG_SCORE_DOT, 3, 1, 1000, 1000, 16, 9, EVERYTHING, false, false, 0.25, 0},
    {TG_SCORE_DOT, 2, 1, 1000, 999, 5, 33, ALL_AT_ONCE, false, false, 1, 0.1},
    {TG_SCORE_DOT, 1, 2, 777, 1000, 64, 64, LENGTHS, false, false, 0.125, 0},
    {TG_SCORE_DOT, 2, 1, 1000, 1000, 8, 8, CAUSAL, true, true, 0.1, 0},
    {TG_SCORE_ADDITIVE, 1, 1, 1000, 1000, 2, 3, EVERYTHING, false, false, 1, 0},
    {TG_SCORE_EUCLIDEAN, 1, 1, 1000, 1000, 2, 3, CAUSAL, false, false, 1, 0},
};

START_TEST(a_thousand)
    {
        compare(&large[_i]);
    }
END_TEST

/* ---- the layer: with projections, L2 normalization and scales ---- */

START_TEST(layers_and_twins)
    {
        enum { B = 2, TQ = 70, TK = 131, DQ = 6, DK = 5, DV = 7, A = 9 };
        const tg_score score = (tg_score)(_i / MODES);
        const int64_t width = score == TG_SCORE_BILINEAR || score == TG_SCORE_ADDITIVE ? DK : DQ;
        const int32_t lengths[B] = {131, 100};
        const tg_attention_mask mask = {.lengths = tg_ints_1d(lengths, B)};
        tg_params *params = tg_params_new(1);
        tg_attention layer;
        ck_assert(tg_attention_init(&layer, params, "attention", score, DQ, width, A));
        layer.raw = _i % MODES & 1;
        layer.times_score = _i % MODES & 2;
        layer.dropout = 0.2;
        tg_tape *tapes[] = {tg_tape_new(7), tg_tape_new(7)};
        tg_tensor *in[2][3 + 4], *y[2]; /* inputs, then copies of the parameters' gradients */
        const int count = 3 + (int)tg_params_count(params);
        for (int t = 0; t < 2; t++) {
            tg_tensor **x = in[t];
            x[0] = test_variable(tapes[t], 1, -1, 1, TG_SHAPE(B, TQ, DQ));
            x[1] = test_variable(tapes[t], 2, 0.5, 2, TG_SHAPE(B, TK, width));
            x[2] = test_variable(tapes[t], 3, -1, 1, TG_SHAPE(B, TK, DV));
            y[t] = t ? test_twin_attention_forward(tapes[t], &layer, x[0], x[1], x[2], &mask, NULL)
                     : tg_attention_forward(tapes[t], &layer, x[0], x[1], x[2], &mask, NULL);
            ck_assert_msg(tg_backward(tapes[t], test_weighted_loss(tapes[t], y[t], 6)), "%s",
                          tg_tape_error(tapes[t]));
            for (int i = 3; i < count; i++) {
                const tg_tensor *p = tg_params_at(params, i - 3);
                x[i] = tg_constant(tapes[t], NULL, p->ndim, p->shape);
                x[i]->grad = tg_constant(tapes[t], p->grad, p->ndim, p->shape)->data;
            }
            tg_params_zero_grad(params);
        }
        test_assert_reals_near(score_names[score], y[0]->data, y[1]->data, y[0]->size, TOLERANCE);
        compare_gradients(score_names[score], count, in[0], in[1]);
        test_end(tapes[0], NULL);
        test_end(tapes[1], params);
    }
END_TEST

Suite *tiled_suite(void);
Suite *tiled_suite(void)
{
    Suite *suite = suite_create("tiled");
    TCase *tc = tcase_create("tiled");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, products, 0, (int)COUNT(times));
    tcase_add_loop_test(tc, unequal_times, 0, (int)COUNT(times));
    tcase_add_loop_test(tc, pairs, 0, (int)COUNT(times));
    tcase_add_loop_test(tc, a_thousand, 0, (int)COUNT(large));
    tcase_add_loop_test(tc, layers_and_twins, 0, SCORES * MODES);
    suite_add_tcase(suite, tc);
    return suite;
}
