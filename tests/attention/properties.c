/* Properties of attention for any numbers: the order of the keys does not matter; masked keys have
 * no influence; a query without keys gives zeros. */
#include "subjects.h"

enum { B = 3, D = 6 };

static tg_attention layer_of(tg_params *params, int score, int mode)
{
    tg_attention layer;
    ck_assert(tg_attention_init(&layer, params, "attention", (tg_score)score, D, D, D + 1));
    layer.raw = mode & 1;
    layer.times_score = mode & 2;
    return layer;
}

/* ---- the order of keys ---- */

START_TEST(keys_and_values_in_another_order)
    {
        enum { TQ = 9, TK = 150 };
        const int32_t lengths[B] = {150, 41, 0};
        tg_params *params = tg_params_new(1);
        tg_attention layer = layer_of(params, _i / MODES, _i % MODES);
        uint8_t mask_bytes[2][B * TQ * TK];
        tg_tape *tapes[] = {tg_tape_new(1), tg_tape_new(1)};
        tg_tensor *in[2][3], *y[2];
        for (int other = 0; other < 2; other++) {
            tg_tensor **x = in[other];
            for (int i = 0; i < 3; i++)
                x[i] = test_variable(tapes[other], (uint64_t)i + 1, -1, 1,
                                     TG_SHAPE(B, i ? TK : TQ, D));
            for (int64_t i = 0; i < B * TQ * TK; i++)
                mask_bytes[other][i] = test_number(8, i, 0, 1) < 0.7;
        }
#define MOVED(b, j) ((j) < lengths[b] ? ((j)*7 + 3) % lengths[b] : (j)) /* 7 divides no length */
        for (int64_t b = 0; b < B; b++)
            for (int64_t j = 0; j < TK; j++) {
                for (int i = 1; i < 3; i++)
                    memcpy(in[1][i]->data + (b * TK + MOVED(b, j)) * D,
                           in[0][i]->data + (b * TK + j) * D, D * sizeof(tg_real));
                for (int64_t q = 0; q < TQ; q++)
                    mask_bytes[1][(b * TQ + q) * TK + MOVED(b, j)] =
                        mask_bytes[0][(b * TQ + q) * TK + j];
            }
        for (int other = 0; other < 2; other++) {
            const tg_attention_mask mask = {.lengths = tg_ints_1d(lengths, B),
                                            .mask = tg_mask_nd(mask_bytes[other],
                                                               TG_SHAPE(B, TQ, TK))};
            y[other] = tg_attention_forward(tapes[other], &layer, in[other][0], in[other][1],
                                            in[other][2], &mask, NULL);
            ck_assert_msg(tg_backward(tapes[other], test_weighted_loss(tapes[other], y[other], 1)),
                          "%s", tg_tape_error(tapes[other]));
        }
        test_assert_reals_near("y", y[1]->data, y[0]->data, y[0]->size, TEST_TOLERANCE);
        test_assert_reals_near("dq", in[1][0]->grad, in[0][0]->grad, in[0][0]->size,
                               2 * TEST_TOLERANCE);
        for (int i = 1; i < 3; i++) /* the gradients move with the keys and values */
            for (int64_t b = 0; b < B; b++) {
                tg_real moved[TK * D];
                for (int64_t j = 0; j < TK; j++)
                    memcpy(moved + j * D, in[1][i]->grad + (b * TK + MOVED(b, j)) * D,
                           D * sizeof(tg_real));
                test_assert_reals_near("dk, dv", moved, in[0][i]->grad + b * TK * D, TK * D,
                                       2 * TEST_TOLERANCE);
            }
        test_end(tapes[0], NULL);
        test_end(tapes[1], params);
    }
END_TEST

/* ---- weights ---- */

/* Every kind of mask on [B, TQ, TK]. */
enum { TQ = 66, TK = 140, MASKS = 8 };

static tg_attention_mask mask_of(int kind, uint8_t mask_bytes[B * TQ * TK])
{
    static const int32_t lengths[B] = {140, 0, 129}, query_lengths[B] = {66, 65, 0};
    tg_attention_mask mask = {.causal = kind == 3 || kind == 7};
    if (kind == 1 || kind == 7) mask.lengths = tg_ints_1d(lengths, B);
    if (kind == 2 || kind == 7) mask.query_lengths = tg_ints_1d(query_lengths, B);
    const test_shape shapes[] = {S(B, TQ, TK), S(B, 1, TK), S(TQ, 1), S(1, TQ, TK)};
    const test_shape shape = shapes[kind % 4];
    for (int64_t i = 0; i < test_shape_size(shape); i++)
        mask_bytes[i] = test_number(4, i, 0, 1) < 0.3;
    if (kind >= 4) mask.mask = tg_mask_nd(mask_bytes, shape.ndim, shape.size);
    return mask;
}

/* The weights of each row sum to 1, unless all keys are masked; the weights of masked keys are
 * exactly 0. `open` holds the effective mask. */
static void assert_weights(const char *what, const tg_tensor *weights, const uint8_t *open,
                           int64_t heads)
{
    test_assert_shape(what, weights, TG_SHAPE(B, heads, TQ, TK));
    for (int64_t row = 0; row < B * heads * TQ; row++) {
        const int64_t b = row / heads / TQ, i = row % TQ;
        const tg_real *a = weights->data + row * TK;
        double sum = 0;
        bool any = false;
        for (int64_t j = 0; j < TK; j++) {
            const bool is_open = open[(b * TQ + i) * TK + j];
            TEST_CHECK(is_open ? a[j] >= 0 && (double)a[j] <= 1 + 1e-5 : a[j] == 0,
                       "%s: row %d, key %d has the weight %g", what, (int)row, (int)j,
                       (double)a[j]);
            sum += (double)a[j];
            any |= is_open;
        }
        TEST_CHECK(test_near(sum, any, TEST_TOLERANCE), "%s: row %d sums to %.9g", what, (int)row,
                   sum);
    }
}

START_TEST(weights_sum_to_one)
    {
        const int score = _i / MASKS;
        uint8_t *mask_bytes = malloc(B * TQ * TK);
        const tg_attention_mask mask = mask_of(_i % MASKS, mask_bytes);
        uint8_t *open = test_attention_keep(&mask, B, TQ, TK);
        tg_params *params = tg_params_new(1);
        for (int times_score = 0; times_score < 2; times_score++) {
            tg_tape *tape = tg_tape_new(1);
            tg_tensor *attended;
            tg_tensor *x[3];
            for (int i = 0; i < 3; i++)
                x[i] = test_variable(tape, (uint64_t)i + 1, -1, 1, TG_SHAPE(B, i ? TK : TQ, D));
            tg_attention layer;
            char name[2] = {(char)('a' + times_score), 0};
            ck_assert(tg_attention_init(&layer, params, name, (tg_score)score, D, D, D));
            layer.times_score = times_score;
            layer.dropout = times_score ? 0.4 : 0; /* the weights are those before dropout */
            tg_attention_forward(tape, &layer, x[0], x[1], x[2], &mask, &attended);
            assert_weights(score_names[score], tg_attention_weights(tape, attended), open, 1);
            test_end(tape, NULL);
        }
        tg_tape *tape = tg_tape_new(1);
        tg_multihead heads;
        ck_assert(tg_multihead_init(&heads, params, "heads", D, 3));
        tg_tensor *attended;
        tg_multihead_forward(tape, &heads, test_variable(tape, 1, -1, 1, TG_SHAPE(B, TQ, D)),
                             test_variable(tape, 2, -1, 1, TG_SHAPE(B, TK, D)), &mask, &attended);
        assert_weights("multi-head", tg_attention_weights(tape, attended), open, 3);
        free(mask_bytes);
        free(open);
        test_end(tape, params);
    }
END_TEST

/* Raw weights are the scores themselves. */
START_TEST(raw_weights_are_scores)
    {
        const int32_t lengths[2] = {2, 1};
        const tg_real q[] = {1, 2, 0, -1}, k[] = {3, 1, -2, 5, 4, 4, 7, 7},
                      v[] = {1, 10, 100, 1000};
        tg_params *params = tg_params_new(1);
        tg_attention layer = layer_of(params, TG_SCORE_DOT, 1);
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *attended;
        tg_tensor *y = tg_attention_forward(tape, &layer, tg_constant(tape, q, TG_SHAPE(2, 1, 2)),
                                            tg_constant(tape, k, TG_SHAPE(2, 2, 2)),
                                            tg_constant(tape, v, TG_SHAPE(2, 2, 1)),
                                            &(tg_attention_mask){.lengths = tg_ints_1d(lengths, 2)},
                                            &attended);
        TEST_TENSOR(y, TG_SHAPE(2, 1, 1), 5 * 1 + 8 * 10, -4 * 100);
        tg_tensor *weights = tg_attention_weights(tape, attended);
        TEST_TENSOR(weights, TG_SHAPE(2, 1, 1, 2), 5, 8, -4, 0);
        layer.times_score = true; /* sum_j s s v */
        y = tg_attention_forward(tape, &layer, tg_constant(tape, q, TG_SHAPE(2, 1, 2)),
                                 tg_constant(tape, k, TG_SHAPE(2, 2, 2)),
                                 tg_constant(tape, v, TG_SHAPE(2, 2, 1)),
                                 &(tg_attention_mask){.lengths = tg_ints_1d(lengths, 2)},
                                 &attended);
        TEST_TENSOR(y, TG_SHAPE(2, 1, 1), 25 * 1 + 64 * 10, 16 * 100);
        test_end(tape, params);
    }
END_TEST

/* The six scores of one pair, by hand, through raw weights. */
START_TEST(scores_by_hand)
    {
        const tg_real q[] = {3, 4}, k[] = {1, -2}, one[] = {1};
        tg_params *params = tg_params_new(1);
        tg_tape *tape = tg_tape_new(1);
        const double want[SCORES] = {-5,
                                     -5 / sqrt(2),
                                     3 * (2 * 1 + 1 * -2) + 4 * (-1 * 1 + 3 * -2),
                                     0.5 * tanh(3 - 4 + 1 + 0.25) - 2 * tanh(8 + 2 - 0.5),
                                     -5 / (5 * sqrt(5)),
                                     -sqrt(4 + 36)};
        for (int score = 0; score < SCORES; score++) {
            tg_attention layer;
            char name[2] = {(char)('a' + score), 0};
            ck_assert(tg_attention_init(&layer, params, name, (tg_score)score, 2, 2, 2));
            layer.raw = true;
            if (layer.weight) /* [Dq, Dk] */
                memcpy(layer.weight->data, (const tg_real[]){2, 1, -1, 3}, 4 * sizeof(tg_real));
            if (layer.bias) {
                memcpy(layer.query_weight->data, (const tg_real[]){1, -1, 0, 2},
                       4 * sizeof(tg_real));
                memcpy(layer.key_weight->data, (const tg_real[]){1, 0, 0, -1}, 4 * sizeof(tg_real));
                memcpy(layer.bias->data, (const tg_real[]){(tg_real)0.25, (tg_real)-0.5},
                       2 * sizeof(tg_real));
                memcpy(layer.score_weight->data, (const tg_real[]){(tg_real)0.5, -2},
                       2 * sizeof(tg_real));
            }
            tg_tensor *y = tg_attention_forward(tape, &layer,
                                                tg_constant(tape, q, TG_SHAPE(1, 1, 2)),
                                                tg_constant(tape, k, TG_SHAPE(1, 1, 2)),
                                                tg_constant(tape, one, TG_SHAPE(1, 1, 1)), NULL,
                                                NULL);
            test_assert_clean(tape);
            test_assert_number(score_names[score], tg_item(y), want[score]);
        }
        test_end(tape, params);
    }
END_TEST

/* ---- queries without keys ---- */

/* The row is finite, and all zeros exactly if `zero`. */
static void assert_row(const char *what, const tg_tensor *like, const tg_real *numbers, int64_t row,
                       bool zero)
{
    const int64_t width = like->shape[like->ndim - 1];
    bool any = false;
    for (int64_t i = 0; i < width; i++) {
        const double x = (double)numbers[row * width + i];
        TEST_CHECK(isfinite(x), "%s: row %d holds %g", what, (int)row, x);
        any |= x != 0;
    }
    ck_assert_msg(any != zero, "%s: row %d is %szero", what, (int)row, any ? "not " : "");
}

/* Query 1 of each sequence may attend to nothing, no query may attend to key 2, and sequence 2 has
 * no keys. */
START_TEST(queries_and_keys_without_partners)
    {
        enum { Q_ = 4, K_ = 5 };
        const int32_t lengths[B] = {5, 4, 0};
        uint8_t mask_bytes[B * Q_ * K_];
        for (int i = 0; i < B * Q_ * K_; i++) mask_bytes[i] = i / K_ % Q_ != 1 && i % K_ != 2;
        const tg_attention_mask mask = {.lengths = tg_ints_1d(lengths, B),
                                        .mask = tg_mask_nd(mask_bytes, TG_SHAPE(B, Q_, K_))};
        tg_params *params = tg_params_new(1);
        tg_attention layer = layer_of(params, _i / MODES, _i % MODES);
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x[3];
        for (int i = 0; i < 3; i++)
            x[i] = test_variable(tape, (uint64_t)i + 1, -1, 1, TG_SHAPE(B, i ? K_ : Q_, D));
        tg_tensor *attended;
        tg_tensor *y = tg_attention_forward(tape, &layer, x[0], x[1], x[2], &mask, &attended);
        ck_assert_msg(tg_backward(tape, test_weighted_loss(tape, y, 1)), "%s", tg_tape_error(tape));
        for (int64_t row = 0; row < B * Q_; row++) {
            const bool masked = row % Q_ == 1 || row / Q_ == 2;
            assert_row("y", y, y->data, row, masked);
            assert_row("dq", x[0], x[0]->grad, row, masked);
        }
        for (int64_t row = 0; row < B * K_; row++) {
            const bool masked = row % K_ == 2 || row % K_ >= lengths[row / K_];
            assert_row("dk", x[1], x[1]->grad, row, masked);
            assert_row("dv", x[2], x[2]->grad, row, masked);
        }
        for (int k = 0; k < 3; k++) {
            tg_tensor *matrix = test_attention_matrix[k](tape, attended);
            for (int64_t i = 0; i < matrix->size; i++) {
                const bool open = mask_bytes[i] && i % K_ < lengths[i / K_ / Q_];
                TEST_CHECK(isfinite((double)matrix->data[i]) && (open || matrix->data[i] == 0),
                           "matrix %d: element %d is %g", k, (int)i, (double)matrix->data[i]);
            }
        }
        test_end(tape, params);
    }
END_TEST

/* If all keys are masked, PyTorch's layers give NaN. Here the attention gives zeros: multi-head
 * attention returns the bias of its output projection, and blocks continue with that. */
START_TEST(sequences_without_keys)
    {
        enum { T = 3 };
        const int32_t lengths[B] = {0, 3, 0};
        for (int kind = MULTIHEAD; kind < SUBJECTS; kind++) {
            subject s = subject_new(kind, D);
            tg_tape *tape = tg_tape_new(1);
            tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(B, T, D)),
                      *memory = subject_has_memory(kind)
                                    ? test_variable(tape, 2, -1, 1, TG_SHAPE(B, T, D))
                                    : NULL;
            tg_tensor *y = subject_forward(tape, &s,
                                           &(subject_call){x, memory, tg_ints_1d(lengths, B),
                                                           tg_ints_1d(lengths, B), false, false},
                                           NULL);
            ck_assert_msg(tg_backward(tape, test_weighted_loss(tape, y, 1)), "%s",
                          tg_tape_error(tape));
            for (int64_t i = 0; i < y->size; i++) {
                TEST_CHECK(isfinite((double)y->data[i]) && isfinite((double)x->grad[i]),
                           "%s: not finite", s.name);
                const bool masked = i / D / T != 1;
                if (kind > MULTIHEAD_CROSS || !masked) continue;
                TEST_CHECK(y->data[i] == s.multihead.out_proj.bias->data[i % D],
                           "%s: element %d is %g, not the bias", s.name, (int)i,
                           (double)y->data[i]);
                TEST_CHECK(x->grad[i] == 0 && (!memory || memory->grad[i] == 0),
                           "%s: the gradient of element %d is not 0", s.name, (int)i);
            }
            for (int64_t i = 0; i < tg_params_count(s.params); i++) {
                const tg_tensor *p = tg_params_at(s.params, i);
                ck_assert_msg(p->has_grad, "%s: %s has no gradient", s.name, p->name);
                for (int64_t e = 0; e < p->size; e++)
                    TEST_CHECK(isfinite((double)p->grad[e]), "%s: d%s is not finite", s.name,
                               p->name);
            }
            test_end(tape, s.params);
        }
    }
END_TEST

/* Padded queries attend like others, unless there are query lengths. */
START_TEST(padded_queries)
    {
        enum { T = 4 };
        const int32_t lengths[B] = {4, 2, 0};
        for (int by_query = 0; by_query < 2; by_query++) {
            tg_attention_mask mask = {.query_lengths = by_query ? tg_ints_1d(lengths, B)
                                                                : tg_full_length()};
            tg_params *params = tg_params_new(1);
            tg_attention layer = layer_of(params, _i / MODES, _i % MODES);
            tg_tape *tape = tg_tape_new(1);
            tg_tensor *q = test_variable(tape, 1, -1, 1, TG_SHAPE(B, T, D)),
                      *k = test_variable(tape, 2, -1, 1, TG_SHAPE(B, T, D));
            tg_tensor *y = tg_attention_forward(tape, &layer, q, k, k, &mask, NULL);
            ck_assert(tg_backward(tape, test_weighted_loss(tape, y, 1)));
            for (int64_t row = 0; row < B * T; row++) {
                const bool padded = by_query && row % T >= lengths[row / T];
                assert_row("y", y, y->data, row, padded);
                assert_row("dq", q, q->grad, row, padded);
            }
            test_end(tape, params);
        }
    }
END_TEST

/* ---- kinks: the gradients that the documentation states ---- */

START_TEST(unit_vectors_of_zero)
    {
        const tg_real x[] = {3, 0, -4, 0, 0, 0, 0, -7, 0, -(tg_real)0.0, 0, 0};
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *in = tg_variable(tape, x, TG_SHAPE(2, 2, 3)), *y = tg_l2_normalize(tape, in);
        TEST_TENSOR(y, TG_SHAPE(2, 2, 3), 0.6, 0, -0.8, 0, 0, 0, 0, -1, 0, 0, 0, 0);
        const tg_real r[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3};
        ck_assert(
            tg_backward(tape, tg_sum(tape, tg_mul(tape, y, tg_constant(tape, r, TG_SHAPE(2, 2, 3))),
                                     TG_ALL_AXES, false)));
        const double along = 0.6 * 1 - 0.8 * 3; /* (dy - y (y . dy)) / |x| */
        const double want[] = {
            (1 - 0.6 * along) / 5, 0.4, (3 + 0.8 * along) / 5, 0, 0, 0, 1, 0, 9.0 / 7, 0, 0, 0};
        test_assert_all_near("dx", in->grad, want, 12, TEST_TOLERANCE);
        for (int i = 3; i < 6; i++)
            ck_assert(in->grad[i] == 0 && y->data[i] == 0 && in->grad[i + 6] == 0);
        test_end(tape, NULL);
    }
END_TEST

/* Of a single number the sign is left, whose derivative is 0. An empty row stays empty. */
START_TEST(unit_vectors_of_one)
    {
        const tg_real x[] = {5, -(tg_real)0.25, 0};
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *in = tg_variable(tape, x, TG_SHAPE(3, 1)), *y = tg_l2_normalize(tape, in);
        TEST_TENSOR(y, TG_SHAPE(3, 1), 1, -1, 0);
        ck_assert(tg_backward(tape, test_weighted_loss(tape, y, 1)));
        for (int i = 0; i < 3; i++)
            ck_assert_msg(fabs((double)in->grad[i]) < TEST_TOLERANCE, "%g", (double)in->grad[i]);
        test_assert_shape("empty", tg_l2_normalize(tape, tg_constant(tape, NULL, TG_SHAPE(2, 0))),
                          TG_SHAPE(2, 0));
        ck_assert_ptr_null(tg_l2_normalize(tape, tg_constant(tape, NULL, TG_SCALAR)));
        test_expect_error(tape, "l2_normalize", NULL);
        test_end(tape, NULL);
    }
END_TEST

/* The cosine with a zero vector is 0, and a distance of 0 has gradient 0: there is no NaN, and the
 * other vectors get their gradients. */
START_TEST(zero_vectors_and_distances)
    {
        const tg_score score = _i / MODES ? TG_SCORE_EUCLIDEAN : TG_SCORE_COSINE;
        const tg_real q[] = {0, 0, 1, 2}, k[] = {1, 2, 0, 0, 3, -1}, v[] = {1, 2, 4};
        tg_params *params = tg_params_new(1);
        tg_attention layer;
        ck_assert(tg_attention_init(&layer, params, "a", score, 2, 2, 2));
        layer.raw = _i % MODES & 1;
        layer.times_score = _i % MODES & 2;
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *in[] = {tg_variable(tape, q, TG_SHAPE(1, 2, 2)),
                           tg_variable(tape, k, TG_SHAPE(1, 3, 2)),
                           tg_variable(tape, v, TG_SHAPE(1, 3, 1))};
        tg_tensor *y = tg_attention_forward(tape, &layer, in[0], in[1], in[2], NULL, NULL);
        double s[2][3];
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 3; j++) {
                const double a = (double)q[2 * i], b = (double)q[2 * i + 1], c = (double)k[2 * j],
                             d = (double)k[2 * j + 1];
                s[i][j] = 0;
                if (score == TG_SCORE_EUCLIDEAN) s[i][j] = -hypot(a - c, b - d);
                else if (hypot(a, b) * hypot(c, d) > 0)
                    s[i][j] = (a * c + b * d) / hypot(a, b) / hypot(c, d);
            }
        double want[2] = {0, 0};
        for (int i = 0; i < 2; i++) {
            const double sum = exp(s[i][0]) + exp(s[i][1]) + exp(s[i][2]);
            for (int j = 0; j < 3; j++)
                want[i] += (layer.raw ? s[i][j] : exp(s[i][j]) / sum) *
                           (layer.times_score ? s[i][j] : 1) * (double)v[j];
        }
        test_assert_all_near("y", y->data, want, 2, TEST_TOLERANCE);
        ck_assert(tg_backward(tape, test_weighted_loss(tape, y, 1)));
        for (int i = 0; i < 3; i++)
            for (int64_t e = 0; e < in[i]->size; e++)
                ck_assert_msg(isfinite((double)in[i]->grad[e]), "input %d, element %d: %g", i,
                              (int)e, (double)in[i]->grad[e]);
        if (score == TG_SCORE_COSINE)
            ck_assert(in[0]->grad[0] == 0 && in[0]->grad[1] == 0 && in[1]->grad[2] == 0 &&
                      in[1]->grad[3] == 0);
        test_end(tape, NULL);
        /* The only key equals the query: the distance is 0, and so is the gradient. */
        tape = tg_tape_new(1);
        tg_tensor *x = tg_variable(tape, k, TG_SHAPE(1, 1, 2)),
                  *same = tg_variable(tape, k, TG_SHAPE(1, 1, 2)),
                  *one = tg_constant(tape, v, TG_SHAPE(1, 1, 1));
        if (score == TG_SCORE_EUCLIDEAN) {
            y = tg_attention_forward(tape, &layer, x, same, one, NULL, NULL);
            ck_assert(tg_backward(tape, tg_sum(tape, y, TG_ALL_AXES, false)));
            for (int i = 0; i < 2; i++) ck_assert(x->grad[i] == 0 && same->grad[i] == 0);
        }
        test_end(tape, params);
    }
END_TEST

/* Scores in the thousands do not overflow, and small differences between them are not lost. The
 * tolerance allows for an implementation that stores m + ln l as one number, whose float has an
 * error of 2.5e-4 at 5000. */
START_TEST(large_scores)
    {
        enum { T = 200 };
#ifdef TG_DOUBLE
        const double allowed = 1e-9 * T;
#else
        const double allowed = 2.5e-4 * T;
#endif
        tg_tape *tape = tg_tape_new(1);
        tg_real numbers[3][T];
        for (int j = 0; j < T; j++) {
            numbers[0][j] = 1;
            numbers[1][j] = (tg_real)(j == 150 || j == 20 ? 5000 : -4000 - 10 * j);
            numbers[2][j] = (tg_real)j;
        }
        tg_tensor *q = tg_variable(tape, numbers[0], TG_SHAPE(1, T, 1)),
                  *k = tg_variable(tape, numbers[1], TG_SHAPE(1, T, 1));
        tg_tensor *v = tg_variable(tape, numbers[2], TG_SHAPE(1, T, 1)),
                  *y = tg_dot_attention(tape, q, k, v, 1, 1, 0, NULL);
        for (int i = 0; i < T; i++) test_assert_number("y", (double)y->data[i], 85);
        ck_assert(tg_backward(tape, tg_sum(tape, y, TG_ALL_AXES, false)));
        for (int j = 0; j < T; j++) {
            TEST_CHECK(test_near((double)v->grad[j], j == 150 || j == 20 ? T / 2 : 0, allowed),
                       "dv %d is %g", j, (double)v->grad[j]);
            TEST_CHECK(isfinite((double)k->grad[j]) && isfinite((double)q->grad[j]),
                       "dq or dk %d is not finite", j);
        }
        test_end(tape, NULL);
    }
END_TEST

Suite *properties_suite(void);
Suite *properties_suite(void)
{
    Suite *suite = suite_create("properties");
    TCase *tc = tcase_create("properties");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, keys_and_values_in_another_order, 0, SCORES * MODES);
    tcase_add_loop_test(tc, weights_sum_to_one, 0, SCORES * MASKS);
    tcase_add_test(tc, raw_weights_are_scores);
    tcase_add_test(tc, scores_by_hand);
    tcase_add_loop_test(tc, queries_and_keys_without_partners, 0, SCORES * MODES);
    tcase_add_test(tc, sequences_without_keys);
    tcase_add_loop_test(tc, padded_queries, 0, SCORES * MODES);
    tcase_add_test(tc, unit_vectors_of_zero);
    tcase_add_test(tc, unit_vectors_of_one);
    tcase_add_loop_test(tc, zero_vectors_and_distances, 0, 2 * MODES);
    tcase_add_test(tc, large_scores);
    suite_add_tcase(suite, tc);
    return suite;
}
