/* Layer normalization, gelu against PyTorch, L2 normalization, and dropout. */
#include "../support/support.h"

START_TEST(golden_layer_norm)
    {
        tg_params *golden = test_golden_open("layer_norm");
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = tg_variable(tape, test_golden(golden, "in.x", TG_SHAPE(2, 3, 5))->data,
                                   TG_SHAPE(2, 3, 5));
        tg_tensor *weight = tg_variable(tape,
                                        test_golden(golden, "param.weight", TG_SHAPE(5))->data,
                                        TG_SHAPE(5));
        tg_tensor *bias = tg_variable(tape, test_golden(golden, "param.bias", TG_SHAPE(5))->data,
                                      TG_SHAPE(5));
        tg_tensor *r = tg_constant(tape, test_golden(golden, "in.r", TG_SHAPE(2, 3, 5))->data,
                                   TG_SHAPE(2, 3, 5));
        tg_tensor *y = tg_layer_norm(tape, x, weight, bias, 1e-5);
        tg_tensor *loss = tg_sum(tape, tg_mul(tape, y, r), TG_ALL_AXES, false);
        ck_assert(tg_backward(tape, loss));
        test_assert_reals_near("y", y->data, test_golden(golden, "out.y", TG_SHAPE(2, 3, 5))->data,
                               30, TEST_TOLERANCE);
        test_assert_reals_near("loss", loss->data,
                               test_golden(golden, "out.loss", TG_SHAPE(1))->data, 1,
                               TEST_TOLERANCE);
        test_assert_reals_near("dx", x->grad,
                               test_golden(golden, "grad.x", TG_SHAPE(2, 3, 5))->data, 30,
                               TEST_TOLERANCE);
        test_assert_reals_near("dw", weight->grad,
                               test_golden(golden, "grad.weight", TG_SHAPE(5))->data, 5,
                               TEST_TOLERANCE);
        test_assert_reals_near("db", bias->grad,
                               test_golden(golden, "grad.bias", TG_SHAPE(5))->data, 5,
                               TEST_TOLERANCE);
        test_end(tape, golden);
    }
END_TEST

START_TEST(golden_gelu)
    {
        tg_params *golden = test_golden_open("layer_norm");
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = tg_variable(tape, test_golden(golden, "in.gelu", TG_SHAPE(15))->data,
                                   TG_SHAPE(15)),
                  *y = tg_gelu(tape, x);
        ck_assert(tg_backward(tape, tg_sum(tape, y, TG_ALL_AXES, false)));
        test_assert_reals_near("gelu", y->data, test_golden(golden, "out.gelu", TG_SHAPE(15))->data,
                               15, TEST_TOLERANCE);
        test_assert_reals_near("dgelu", x->grad,
                               test_golden(golden, "grad.gelu", TG_SHAPE(15))->data, 15,
                               TEST_TOLERANCE);
        test_end(tape, golden);
    }
END_TEST

START_TEST(every_width)
    {
        tg_tape *tape = tg_tape_new(1);
        for (int64_t H = 1; H <= 70; H++) {
            tg_tensor *x = test_variable(tape, (uint64_t)H, -3, 9, TG_SHAPE(2, H)),
                      *w = test_variable(tape, 2, -1, 1, TG_SHAPE(H));
            tg_tensor *b = test_variable(tape, 3, -1, 1, TG_SHAPE(H)),
                      *y = tg_layer_norm(tape, x, w, b, 1e-3);
            test_assert_clean(tape);
            double want[2 * 70];
            for (int64_t r = 0; r < 2; r++) {
                double mean = 0, variance = 0;
                for (int64_t h = 0; h < H; h++) mean += (double)x->data[r * H + h] / (double)H;
                for (int64_t h = 0; h < H; h++)
                    variance += pow((double)x->data[r * H + h] - mean, 2) / (double)H;
                for (int64_t h = 0; h < H; h++)
                    want[r * H + h] = ((double)x->data[r * H + h] - mean) / sqrt(variance + 1e-3) *
                                          (double)w->data[h] +
                                      (double)b->data[h];
            }
            test_assert_tensor("layer_norm", y, TG_SHAPE(2, H), want);
            tg_tape_reset(tape);
        }
        test_end(tape, NULL);
    }
END_TEST

START_TEST(constant_rows_and_far_means)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = tg_variable(tape, (const tg_real[]){7, 7, 7, 7, 4096, 4097, 4098, 4099},
                                   TG_SHAPE(2, 4));
        /* E[x^2] - E[x]^2 would lose the variance of the second row. */
        tg_tensor *y = tg_layer_norm(tape, x, NULL, NULL, 1e-5);
        double s = 1 / sqrt(1.25 + 1e-5);
        TEST_TENSOR(y, TG_SHAPE(2, 4), 0, 0, 0, 0, -1.5 * s, -0.5 * s, 0.5 * s, 1.5 * s);
        ck_assert(tg_backward(tape, test_weighted_loss(tape, y, 1)));
        for (int i = 0; i < 8; i++) ck_assert(isfinite((double)x->grad[i]));
        test_end(tape, NULL);
    }
END_TEST

START_TEST(layer_norm_errors)
    {
        tg_tape *tape = tg_tape_new(1);
#define V(...) test_variable(tape, 1, -1, 1, TG_SHAPE(__VA_ARGS__))
        ck_assert_ptr_null(tg_layer_norm(tape, V(2, 3), V(2), NULL, 1e-5));
        test_expect_error(tape, "layer_norm", "[2, 3]", "[2]", NULL);
        ck_assert_ptr_null(tg_layer_norm(tape, V(2, 3), NULL, V(1, 3), 1e-5));
        test_expect_error(tape, "layer_norm", "[2, 3]", "[1, 3]", NULL);
        ck_assert_ptr_null(
            tg_layer_norm(tape, test_variable(tape, 1, -1, 1, TG_SCALAR), NULL, NULL, 1e-5));
        test_expect_error(tape, "layer_norm", NULL);
        /* the mean over nothing */
        ck_assert_ptr_null(tg_layer_norm(tape, V(2, 0), NULL, NULL, 1e-5));
        test_expect_error(tape, "layer_norm", "[2, 0]", NULL);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(unit_vectors)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = tg_variable(tape, (const tg_real[]){3, 4, 0, 0, -5, 0}, TG_SHAPE(3, 2)),
                  *y = tg_l2_normalize(tape, x);
        TEST_TENSOR(y, TG_SHAPE(3, 2), 0.6, 0.8, 0, 0, -1, 0);
        tg_tensor *r = tg_constant(tape, (const tg_real[]){1, 2, 3, 4, 5, 6}, TG_SHAPE(3, 2));
        ck_assert(tg_backward(tape, tg_sum(tape, tg_mul(tape, y, r), TG_ALL_AXES, false)));
        /* dx = (dy - y (y . dy)) / |x|, with y . dy = 2.2 in the first row; the gradient of a zero
         * vector is 0. */
        test_assert_all_near("dx", x->grad,
                             (const double[]){(1 - 0.6 * 2.2) / 5, (2 - 0.8 * 2.2) / 5, 0, 0, 0,
                                              1.2},
                             6, TEST_TOLERANCE);
        for (int64_t n = 1; n <= 40; n++) {
            double want[40], squares = 0;
            x = test_variable(tape, (uint64_t)n, -2, 2, TG_SHAPE(n));
            for (int64_t i = 0; i < n; i++) squares += (double)x->data[i] * (double)x->data[i];
            for (int64_t i = 0; i < n; i++) want[i] = (double)x->data[i] / sqrt(squares);
            test_assert_tensor("l2_normalize", tg_l2_normalize(tape, x), TG_SHAPE(n), want);
        }
        ck_assert_ptr_null(tg_l2_normalize(tape, test_variable(tape, 1, -1, 1, TG_SCALAR)));
        test_expect_error(tape, "l2_normalize", NULL);
        test_end(tape, NULL);
    }
END_TEST

/* ---- dropout ---- */

START_TEST(dropout_preserves_the_mean)
    {
        enum { N = 200000 };
        const double ps[] = {0.1, 0.5, 0.9};
        for (size_t k = 0; k < COUNT(ps); k++) {
            double p = ps[k], nonzero = 0, mean = 0;
            tg_tape *tape = tg_tape_new(3);
            tg_tensor *x = test_variable(tape, 1, 0.5, 1.5, TG_SHAPE(N)),
                      *y = tg_dropout(tape, x, p);
            test_assert_clean(tape);
            for (int i = 0; i < N; i++) {
                double want = (double)x->data[i] / (1 - p);
                TEST_CHECK(y->data[i] == 0 ||
                               test_near((double)y->data[i], want, TEST_TOLERANCE * want),
                           "%g", (double)y->data[i]);
                nonzero += y->data[i] != 0;
                mean += (double)y->data[i] / N;
            }
            ck_assert_msg(test_near(nonzero / N, 1 - p, 5 * sqrt(p * (1 - p) / N)),
                          "with p = %g, a share of %g is not dropped", p, nonzero / N);
            ck_assert_msg(test_near(mean, 1, 6 * sqrt(p / (1 - p) / N) + 5 * 0.3 / sqrt(N)),
                          "with p = %g, the mean is %g", p, mean);
            ck_assert_uint_eq(tg_tape_random(tape)->counter, N); /* one random word per element */
            test_end(tape, NULL);
        }
    }
END_TEST

START_TEST(dropout_backward_has_the_same_mask)
    {
        tg_tape *tape = tg_tape_new(3);
        tg_tensor *x = test_variable(tape, 1, 1, 2, TG_SHAPE(37, 11)),
                  *y = tg_dropout(tape, x, 0.3);
        tg_dropout(tape, x, 0.3); /* advances the generator before the backward pass */
        ck_assert(tg_backward(tape, test_weighted_loss(tape, y, 5)));
        for (int64_t i = 0; i < x->size; i++) {
            double factor = (double)(y->data[i] / x->data[i]), want = factor * (double)y->grad[i];
            ck_assert(test_near((double)x->grad[i], want, TEST_TOLERANCE * fabs(want)));
            if (y->data[i] == 0) ck_assert(x->grad[i] == 0);
        }
        test_end(tape, NULL);
    }
END_TEST

START_TEST(the_same_generator_repeats_dropout)
    {
        tg_tape *tape = tg_tape_new(3), *same = tg_tape_new(3), *other = tg_tape_new(4);
        tg_random start = *tg_tape_random(tape);
        tg_tensor *results[4];
        for (int k = 0; k < 3; k++) {
            tg_tape *on = (tg_tape *[]){tape, same, other}[k];
            results[k] = tg_dropout(on, test_variable(on, 1, 1, 2, TG_SHAPE(1000)), 0.5);
        }
        tg_tensor *next = tg_dropout(tape, test_variable(tape, 1, 1, 2, TG_SHAPE(1000)), 0.5);
        *tg_tape_random(tape) = start;
        results[3] = tg_dropout(tape, test_variable(tape, 1, 1, 2, TG_SHAPE(1000)), 0.5);
        test_assert_same_bits("the same seed", results[1]->data, results[0]->data, 1000);
        test_assert_same_bits("the generator set back", results[3]->data, results[0]->data, 1000);
        ck_assert(memcmp(results[2]->data, results[0]->data, 1000 * sizeof(tg_real)) != 0);
        ck_assert(memcmp(next->data, results[0]->data, 1000 * sizeof(tg_real)) != 0);
        tg_tape_free(same);
        tg_tape_free(other);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(a_refused_dropout_draws_nothing)
    {
        tg_tape *tape = tg_tape_new(1), *other = tg_tape_new(1);
        const uint64_t counter = tg_tape_random(tape)->counter;
        tg_tensor *x = tg_exp(other, tg_variable(other, NULL, TG_SHAPE(2)));
        ck_assert_ptr_null(tg_dropout(tape, x, 0.5));
        test_expect_error(tape, "dropout", "another tape", NULL);
        ck_assert_uint_eq(tg_tape_random(tape)->counter, counter);
        ck_assert_ptr_nonnull(tg_dropout(tape, tg_variable(tape, NULL, TG_SHAPE(2)), 0.5));
        ck_assert_uint_eq(tg_tape_random(tape)->counter, counter + 2);
        test_end(other, NULL);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(dropout_is_off_in_evaluation_and_for_p_0)
    {
        tg_tape *tape = tg_tape_new(3);
        tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(50));
        test_assert_same_bits("p = 0", tg_dropout(tape, x, 0)->data, x->data, 50);
        tg_tape_set_training(tape, false);
        test_assert_same_bits("evaluation", tg_dropout(tape, x, 0.9)->data, x->data, 50);
        const double bad[] = {-0.1, 1, 1.5, QNAN};
        for (size_t b = 0; b < COUNT(bad); b++) {
            /* p is checked in evaluation too. */
            ck_assert_ptr_null(
                tg_dropout(tape, test_variable(tape, 1, -1, 1, TG_SHAPE(5)), bad[b]));
            test_expect_error(tape, "dropout", NULL);
        }
        test_end(tape, NULL);
    }
END_TEST

Suite *norms_suite(void);
Suite *norms_suite(void)
{
    Suite *suite = suite_create("layer_norm");
    TCase *tc = tcase_create("layer_norm");
    tcase_add_test(tc, golden_layer_norm);
    tcase_add_test(tc, golden_gelu);
    tcase_add_test(tc, every_width);
    tcase_add_test(tc, constant_rows_and_far_means);
    tcase_add_test(tc, layer_norm_errors);
    tcase_add_test(tc, unit_vectors);
    tcase_add_test(tc, dropout_preserves_the_mean);
    tcase_add_test(tc, dropout_backward_has_the_same_mask);
    tcase_add_test(tc, the_same_generator_repeats_dropout);
    tcase_add_test(tc, a_refused_dropout_draws_nothing);
    tcase_add_test(tc, dropout_is_off_in_evaluation_and_for_p_0);
    suite_add_tcase(suite, tc);
    return suite;
}
