/* Cross-entropy, binary cross-entropy, mean squared error: PyTorch's numbers, ignored labels,
 * errors. */
#include "../support/support.h"

/* ---- PyTorch's numbers ---- */

static const struct {
    const char *name;
    bool weighted;
    double smoothing;
} golden_cases[] = {{"plain", false, 0},
                    {"weighted", true, 0},
                    {"smoothed", false, 0.1},
                    {"weighted_smoothed", true, 0.1}};

START_TEST(golden_cross_entropy)
    {
        tg_params *golden = test_golden_open("cross_entropy");
        char out[64], grad[64];
        snprintf(out, sizeof out, "out.%s", golden_cases[_i].name);
        snprintf(grad, sizeof grad, "grad.%s", golden_cases[_i].name);
        int32_t labels[6];
        test_golden_ints(golden, "in.labels", labels, 6);
        const tg_real *weights = test_golden(golden, "in.class_weights", TG_SHAPE(4))->data;
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *logits = tg_variable(tape,
                                        test_golden(golden, "in.logits", TG_SHAPE(6, 4))->data,
                                        TG_SHAPE(6, 4));
        tg_tensor *loss = tg_cross_entropy_weighted(tape, logits, tg_ints_1d(labels, 6),
                                                    golden_cases[_i].weighted ? weights : NULL,
                                                    golden_cases[_i].smoothing);
        ck_assert(tg_backward(tape, loss));
        ck_assert_int_eq(loss->size, 1);
        test_assert_reals_near(out, loss->data, test_golden(golden, out, TG_SHAPE(1))->data, 1,
                               TEST_TOLERANCE);
        test_assert_reals_near(grad, logits->grad, test_golden(golden, grad, TG_SHAPE(6, 4))->data,
                               24, TEST_TOLERANCE);
        if (_i == 0) {
            tg_tape_reset(tape);
            logits = tg_variable(tape, test_golden(golden, "in.logits", TG_SHAPE(6, 4))->data,
                                 TG_SHAPE(2, 3, 4));
            loss = tg_cross_entropy(tape, logits, tg_ints_2d(labels, 2, 3)); /* with more axes */
            test_assert_reals_near(out, loss->data, test_golden(golden, out, TG_SHAPE(1))->data, 1,
                                   TEST_TOLERANCE);
        }
        test_end(tape, golden);
    }
END_TEST

START_TEST(golden_pairs)
    {
        tg_params *golden = test_golden_open("cross_entropy");
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *z = tg_variable(tape, test_golden(golden, "in.bce_logits", TG_SHAPE(5, 3))->data,
                                   TG_SHAPE(5, 3));
        tg_tensor *targets = tg_constant(
            tape, test_golden(golden, "in.bce_targets", TG_SHAPE(5, 3))->data, TG_SHAPE(5, 3));
        tg_tensor *loss = tg_binary_cross_entropy_with_logits(tape, z, targets);
        ck_assert(tg_backward(tape, loss));
        test_assert_reals_near("bce", loss->data, test_golden(golden, "out.bce", TG_SHAPE(1))->data,
                               1, TEST_TOLERANCE);
        test_assert_reals_near("dbce", z->grad,
                               test_golden(golden, "grad.bce", TG_SHAPE(5, 3))->data, 15,
                               TEST_TOLERANCE);
        tg_tape_reset(tape);
        tg_tensor *x = tg_variable(tape, test_golden(golden, "in.mse_x", TG_SHAPE(4, 3))->data,
                                   TG_SHAPE(4, 3));
        tg_tensor *y = tg_variable(tape, test_golden(golden, "in.mse_y", TG_SHAPE(4, 3))->data,
                                   TG_SHAPE(4, 3));
        loss = tg_mean_squared_error(tape, x, y);
        ck_assert(tg_backward(tape, loss));
        test_assert_reals_near("mse", loss->data, test_golden(golden, "out.mse", TG_SHAPE(1))->data,
                               1, TEST_TOLERANCE);
        test_assert_reals_near("dmse", x->grad,
                               test_golden(golden, "grad.mse_x", TG_SHAPE(4, 3))->data, 12,
                               TEST_TOLERANCE);
        for (int i = 0; i < 12; i++) ck_assert(y->grad[i] == -x->grad[i]);
        test_end(tape, golden);
    }
END_TEST

/* ---- ignored labels ---- */

/* Mean over the rows whose label is not ignored, as PyTorch documents CrossEntropyLoss:
 *     sum_i [(1 - s) w_y (-log p_y) + s / C sum_c w_c (-log p_c)] / sum_i w_y */
static double reference(const tg_tensor *logits, const int32_t *labels, const tg_real *weights,
                        double s)
{
    int64_t C = logits->shape[logits->ndim - 1];
    double loss = 0, total = 0;
    for (int64_t i = 0; i < logits->size / C; i++) {
        if (labels[i] < 0) continue;
        const tg_real *z = logits->data + i * C;
        double sum = 0, even = 0;
        for (int64_t c = 0; c < C; c++) sum += exp((double)z[c]);
        for (int64_t c = 0; c < C; c++)
            even += (weights ? (double)weights[c] : 1) * (log(sum) - (double)z[c]);
        double w = weights ? (double)weights[labels[i]] : 1;
        loss += (1 - s) * w * (log(sum) - (double)z[labels[i]]) + s / (double)C * even;
        total += w;
    }
    return loss / total;
}

static const struct {
    int32_t labels[5];
    bool weighted;
    double smoothing;
} label_cases[] = {{{0, 1, 2, 0, 1}, false, 0},       {{-1, 1, -1, 0, -1}, false, 0},
                   {{-1, -1, 2, -1, -1}, false, 0.3}, {{2, -1, 0, 0, -1}, true, 0},
                   {{2, -1, 0, 1, 1}, true, 0.25},    {{0, 1, 2, 0, 1}, false, 1}};

START_TEST(labels_below_zero_are_ignored)
    {
        const tg_real weights[] = {(tg_real)0.5, 2, (tg_real)1.5};
        const int32_t *labels = label_cases[_i].labels;
        const tg_real *given = label_cases[_i].weighted ? weights : NULL;
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *logits = test_variable(tape, 5, -3, 3, TG_SHAPE(5, 3));
        double want = reference(logits, labels, given, label_cases[_i].smoothing);
        /* The logits of an ignored row may hold anything. */
        for (int i = 0; i < 15; i++)
            if (labels[i / 3] < 0) logits->data[i] = (tg_real)NAN;
        tg_tensor *loss = tg_cross_entropy_weighted(tape, logits, tg_ints_1d(labels, 5), given,
                                                    label_cases[_i].smoothing);
        test_assert_clean(tape);
        test_assert_number("loss", tg_item(loss), want);
        ck_assert(tg_backward(tape, loss));
        for (int i = 0; i < 15; i++)
            ck_assert(labels[i / 3] < 0 ? logits->grad[i] == 0 : isfinite((double)logits->grad[i]));
        test_end(tape, NULL);
    }
END_TEST

START_TEST(one_class_has_no_loss)
    {
        tg_tape *tape = tg_tape_new(1);
        const int32_t labels[] = {0, 0};
        tg_tensor *z = test_variable(tape, 5, -3, 3, TG_SHAPE(2, 1)),
                  *loss = tg_cross_entropy(tape, z, tg_ints_1d(labels, 2));
        ck_assert(tg_item(loss) == 0);
        ck_assert(tg_backward(tape, loss) && z->grad[0] == 0 && z->grad[1] == 0);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(a_confident_mistake_has_a_finite_loss)
    {
        tg_tape *tape = tg_tape_new(1);
        const int32_t labels[] = {1};
        tg_tensor *z = tg_variable(tape, (const tg_real[]){10000, 0}, TG_SHAPE(1, 2));
        tg_tensor *loss = tg_cross_entropy(tape, z, tg_ints_1d(labels, 1));
        test_assert_number("loss", tg_item(loss), 10000);
        ck_assert(tg_backward(tape, loss));
        test_assert_all_near("dz", z->grad, (const double[]){1, -1}, 2, TEST_TOLERANCE);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(labels_are_copied)
    {
        tg_tape *tape = tg_tape_new(1);
        int32_t labels[] = {0, 1};
        tg_real weights[] = {1, 3};
        tg_tensor *z = tg_variable(tape, NULL, TG_SHAPE(2, 2));
        tg_tensor *loss = tg_cross_entropy_weighted(tape, z, tg_ints_1d(labels, 2), weights, 0);
        /* The caller may reuse its arrays. */
        labels[0] = 1;
        labels[1] = 0;
        weights[0] = weights[1] = (tg_real)NAN;
        ck_assert(tg_backward(tape, loss));
        test_assert_all_near("dz", z->grad, (const double[]){-0.125, 0.125, 0.375, -0.375}, 4,
                             TEST_TOLERANCE);
        test_end(tape, NULL);
    }
END_TEST

/* ---- errors ---- */

START_TEST(cross_entropy_errors)
    {
        tg_tape *tape = tg_tape_new(1);
        const int32_t good[] = {0, 1, 2, 0, 1, 2}, beyond[] = {0, 3, 0}, below[] = {0, 0, -2},
                      none[] = {-1, -1, -1};
        const tg_real zero[] = {0, 1, 1};
#define Z test_variable(tape, 5, -3, 3, TG_SHAPE(3, 3))
        ck_assert_ptr_null(tg_cross_entropy(tape, Z, tg_ints_1d(beyond, 3)));
        test_expect_error(tape, "cross_entropy", "1", "3", NULL);
        ck_assert_ptr_null(tg_cross_entropy(tape, Z, tg_ints_1d(below, 3)));
        test_expect_error(tape, "cross_entropy", "-2", NULL);
        ck_assert_ptr_null(tg_cross_entropy(tape, Z, tg_ints_1d(none, 3)));
        test_expect_error(tape, "cross_entropy", NULL);
        ck_assert_ptr_null(tg_cross_entropy(tape, Z, tg_ints_1d(good, 2)));
        test_expect_error(tape, "cross_entropy", "[3, 3]", "[2]", NULL);
        ck_assert_ptr_null(tg_cross_entropy(tape, Z, tg_ints_2d(good, 3, 1)));
        test_expect_error(tape, "cross_entropy", "[3, 3]", "[3, 1]", NULL);
        ck_assert_ptr_null(tg_cross_entropy(tape, test_variable(tape, 1, 0, 1, TG_SCALAR),
                                            (tg_ints){good, 0, {0}}));
        test_expect_error(tape, "cross_entropy", "[]", NULL);
        ck_assert_ptr_null(
            tg_cross_entropy(tape, tg_variable(tape, NULL, TG_SHAPE(0, 3)), tg_ints_1d(good, 0)));
        test_expect_error(tape, "cross_entropy", NULL); /* the mean over no row */
        const double smoothings[] = {-0.1, 1.1, QNAN};
        for (size_t s = 0; s < COUNT(smoothings); s++) {
            ck_assert_ptr_null(
                tg_cross_entropy_weighted(tape, Z, tg_ints_1d(good, 3), NULL, smoothings[s]));
            test_expect_error(tape, "cross_entropy", NULL);
        }
        ck_assert_ptr_null(tg_cross_entropy_weighted(tape, Z, tg_ints_1d(none, 3), zero, 0));
        test_expect_error(tape, "cross_entropy", NULL);
        const tg_real bad_weights[] = {-1, (tg_real)NAN, (tg_real)INFINITY};
        for (size_t w = 0; w < COUNT(bad_weights); w++) {
            const tg_real weights[] = {1, 1, bad_weights[w]};
            ck_assert_ptr_null(tg_cross_entropy_weighted(tape, Z, tg_ints_1d(good, 3), weights, 0));
            test_expect_error(tape, "cross_entropy", "weight", "class 2", NULL);
        }
        const int32_t first[] = {0, 0, 0};
        /* The weights sum to 0: the mean would be 0 / 0. */
        ck_assert_ptr_null(tg_cross_entropy_weighted(tape, Z, tg_ints_1d(first, 3), zero, 0));
        test_expect_error(tape, "cross_entropy", NULL);
        test_end(tape, NULL);
    }
END_TEST

typedef tg_tensor *(*pair_loss)(tg_tape *tape, tg_tensor *x, tg_tensor *y);
static const struct {
    const char *name;
    pair_loss apply;
} pairs[] = {{"binary_cross_entropy_with_logits", tg_binary_cross_entropy_with_logits},
             {"mean_squared_error", tg_mean_squared_error}};

START_TEST(pairs_of_other_shapes_are_errors)
    {
        tg_tape *tape = tg_tape_new(1);
        /* Losses do not broadcast: different shapes are a mistake here. */
        ck_assert_ptr_null(pairs[_i].apply(tape, test_variable(tape, 1, 0, 1, TG_SHAPE(2, 3)),
                                           tg_constant(tape, NULL, TG_SHAPE(3))));
        test_expect_error(tape, pairs[_i].name, "[2, 3]", "[3]", NULL);
        ck_assert_ptr_null(pairs[_i].apply(tape, tg_variable(tape, NULL, TG_SHAPE(0)),
                                           tg_constant(tape, NULL, TG_SHAPE(0))));
        test_expect_error(tape, pairs[_i].name, NULL); /* the mean over nothing */
        test_end(tape, NULL);
    }
END_TEST

START_TEST(targets_are_probabilities)
    {
        const tg_real bad[] = {(tg_real)-0.25, (tg_real)1.5, (tg_real)NAN};
        tg_tape *tape = tg_tape_new(1);
        for (size_t k = 0; k < COUNT(bad); k++) {
            tg_tensor *targets = tg_constant(tape, (const tg_real[]){0, 1, bad[k]}, TG_SHAPE(3));
            ck_assert_ptr_null(tg_binary_cross_entropy_with_logits(
                tape, test_variable(tape, 1, -1, 1, TG_SHAPE(3)), targets));
            test_expect_error(tape, "binary_cross_entropy_with_logits", "target", "position 2",
                              "[3]", NULL);
        }
        test_end(tape, NULL);
    }
END_TEST

START_TEST(targets_take_no_gradient)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *z = test_variable(tape, 1, -1, 1, TG_SHAPE(2)),
                  *targets = test_variable(tape, 2, 0, 1, TG_SHAPE(2));
        /* A target that requires a gradient is an error; it is never silently a constant. */
        ck_assert_ptr_null(tg_binary_cross_entropy_with_logits(tape, z, targets));
        test_expect_error(tape, "binary_cross_entropy_with_logits", "target", NULL);
        z = test_variable(tape, 1, -1, 1, TG_SHAPE(2));
        targets = test_variable(tape, 2, 0, 1, TG_SHAPE(2));
        ck_assert(tg_backward(tape, tg_binary_cross_entropy_with_logits(tape, z,
                                                                        tg_detach(tape, targets))));
        ck_assert(z->has_grad && !targets->has_grad);
        test_end(tape, NULL);
    }
END_TEST

Suite *losses_suite(void);
Suite *losses_suite(void)
{
    Suite *suite = suite_create("losses");
    TCase *tc = tcase_create("losses");
    tcase_add_loop_test(tc, golden_cross_entropy, 0, (int)COUNT(golden_cases));
    tcase_add_test(tc, golden_pairs);
    tcase_add_loop_test(tc, labels_below_zero_are_ignored, 0, (int)COUNT(label_cases));
    tcase_add_test(tc, one_class_has_no_loss);
    tcase_add_test(tc, a_confident_mistake_has_a_finite_loss);
    tcase_add_test(tc, labels_are_copied);
    tcase_add_test(tc, cross_entropy_errors);
    tcase_add_loop_test(tc, pairs_of_other_shapes_are_errors, 0, (int)COUNT(pairs));
    tcase_add_test(tc, targets_are_probabilities);
    tcase_add_test(tc, targets_take_no_gradient);
    suite_add_tcase(suite, tc);
    return suite;
}
