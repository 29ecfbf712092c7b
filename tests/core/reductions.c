/* sum, mean, max and logsumexp over any axes. */
#include "../support/support.h"

typedef tg_tensor *(*reduction)(tg_tape *tape, tg_tensor *x, tg_axes axes, bool keepdim);

static const struct {
    const char *name;
    reduction apply;
} reductions[] = {{"sum", tg_sum}, {"mean", tg_mean}, {"max", tg_max}, {"logsumexp", tg_logsumexp}};
enum { SUM, MEAN, MAX, LOGSUMEXP };

static const struct {
    test_shape x;
    tg_axes axes;
    test_shape without_keepdim, with_keepdim; /* the results' shapes */
} cases[] = {
    {S(5), {1, {0}}, S_SCALAR, S(1)},
    {S(1), {1, {-1}}, S_SCALAR, S(1)},
    {S_SCALAR, {-1, {0}}, S_SCALAR, S_SCALAR},
    {S(2, 3), {1, {0}}, S(3), S(1, 3)},
    {S(2, 3), {1, {1}}, S(2), S(2, 1)},
    {S(2, 3), {1, {-2}}, S(3), S(1, 3)},
    {S(2, 3), {2, {1, 0}}, S_SCALAR, S(1, 1)},
    {S(2, 3, 4), {-1, {0}}, S_SCALAR, S(1, 1, 1)},
    {S(2, 3, 4), {1, {0}}, S(3, 4), S(1, 3, 4)},
    {S(2, 3, 4), {1, {1}}, S(2, 4), S(2, 1, 4)},
    {S(2, 3, 4), {1, {-1}}, S(2, 3), S(2, 3, 1)},
    {S(2, 3, 4), {2, {0, 2}}, S(3), S(1, 3, 1)},
    {S(2, 3, 4), {2, {-1, 1}}, S(2), S(2, 1, 1)},
    {S(2, 3, 4), {2, {0, 1}}, S(4), S(1, 1, 4)},
    {S(3, 1, 4), {1, {1}}, S(3, 4), S(3, 1, 4)},
    {S(2, 1, 2, 3, 1, 2), {3, {0, 3, 5}}, S(1, 2, 1), S(1, 1, 2, 1, 1, 1)},
    {S(2, 1, 2, 3, 1, 2), {3, {2, 1, 4}}, S(2, 3, 2), S(2, 1, 1, 3, 1, 2)},
    {S(1000), {-1, {0}}, S_SCALAR, S(1)},
    {S(3, 333), {1, {1}}, S(3), S(3, 1)},
    {S(333, 3), {1, {0}}, S(3), S(1, 3)},
    {S(17, 19, 23), {1, {1}}, S(17, 23), S(17, 1, 23)},
    {S(17, 19, 23), {2, {0, 2}}, S(19), S(1, 19, 1)},
    {S(0, 3), {1, {1}}, S(0), S(0, 1)}, /* an empty result */
};

/* The element of the reduced shape (with keepdim) that element `flat` of x goes into. */
static int64_t target(int64_t flat, test_shape x, test_shape reduced)
{
    return test_broadcast(flat, x.ndim, x.size, reduced.ndim, reduced.size);
}

static void reference(int which, const tg_tensor *x, test_shape shape, test_shape reduced,
                      double *out)
{
    int64_t results = test_shape_size(reduced), share = results ? x->size / results : 0;
    double *top = malloc((size_t)(results + 1) * sizeof *top);
    for (int64_t r = 0; r < results; r++) {
        out[r] = 0;
        top[r] = -INF;
    }
    for (int64_t i = 0; i < x->size; i++) {
        int64_t r = target(i, shape, reduced);
        top[r] = fmax(top[r], (double)x->data[i]);
    }
    for (int64_t i = 0; i < x->size; i++) {
        int64_t r = target(i, shape, reduced);
        out[r] += which == LOGSUMEXP ? exp((double)x->data[i] - top[r]) : (double)x->data[i];
    }
    for (int64_t r = 0; r < results; r++) {
        if (which == MEAN) out[r] /= (double)share;
        if (which == MAX) out[r] = top[r];
        if (which == LOGSUMEXP) out[r] = top[r] + log(out[r]);
    }
    free(top);
}

START_TEST(values)
    {
        test_shape shape = cases[_i].x, reduced = cases[_i].with_keepdim,
                   shorter = cases[_i].without_keepdim;
        for (int which = 0; which < (int)COUNT(reductions); which++) {
            tg_tape *tape = tg_tape_new(1);
            tg_tensor *x = test_variable(tape, (uint64_t)_i, -3, 3, shape.ndim, shape.size);
            double *want = malloc((size_t)(test_shape_size(reduced) + 1) * sizeof *want);
            reference(which, x, shape, reduced, want);
            tg_tensor *y = reductions[which].apply(tape, x, cases[_i].axes, true);
            tg_tensor *z = reductions[which].apply(tape, x, cases[_i].axes, false);
            test_assert_clean(tape);
            test_assert_shape(reductions[which].name, y, reduced.ndim, reduced.size);
            test_assert_shape(reductions[which].name, z, shorter.ndim, shorter.size);
            /* Terms of a sum cancel: its tolerance is relative to the terms, not to the result. */
            if (which == SUM)
                for (int64_t i = 0; i < y->size; i++)
                    TEST_CHECK(test_near((double)y->data[i], want[i],
                                         TEST_TOLERANCE * 3 * (double)(x->size / y->size)),
                               "sum %lld is %.9g", (long long)i, (double)y->data[i]);
            else
                test_assert_all_near(reductions[which].name, y->data, want, y->size,
                                     TEST_TOLERANCE);
            test_assert_same_bits("without keepdim", z->data, y->data, y->size);
            free(want);
            test_end(tape, NULL);
        }
    }
END_TEST

START_TEST(over_nothing)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = tg_variable(tape, NULL, TG_SHAPE(2, 0, 3)),
                  *none = tg_variable(tape, NULL, TG_SHAPE(0));
        TEST_TENSOR(tg_sum(tape, x, TG_AXES(1), false), TG_SHAPE(2, 3), 0, 0, 0, 0, 0, 0);
        TEST_TENSOR(tg_sum(tape, none, TG_ALL_AXES, false), TG_SCALAR, 0);
        tg_tensor *y = tg_logsumexp(tape, x, TG_AXES(1), true);
        test_assert_shape("logsumexp", y, TG_SHAPE(2, 1, 3));
        for (int i = 0; i < 6; i++) ck_assert((double)y->data[i] == -INF);
        test_assert_clean(tape);
        ck_assert_ptr_null(tg_max(tape, x, TG_AXES(1), false));
        test_expect_error(tape, "max", "[2, 0, 3]", NULL);
        ck_assert_ptr_null(
            tg_mean(tape, tg_variable(tape, NULL, TG_SHAPE(2, 0, 3)), TG_AXES(1), true));
        test_expect_error(tape, "mean", "[2, 0, 3]", NULL);
        ck_assert_ptr_null(tg_mean(tape, tg_variable(tape, NULL, TG_SHAPE(0)), TG_ALL_AXES, true));
        test_expect_error(tape, "mean", "[0]", NULL);
        tg_tensor *rows = tg_max(tape, tg_variable(tape, NULL, TG_SHAPE(2, 0, 3)), TG_AXES(2),
                                 false);
        /* no row, hence no maximum over nothing */
        test_assert_shape("max of no rows", rows, TG_SHAPE(2, 0));
        test_end(tape, NULL);
    }
END_TEST

static const struct {
    tg_axes axes;
    const char *part;
} bad_axes[] = {{{1, {2}}, "2"},
                {{1, {-3}}, "-3"},
                {{2, {0, 0}}, "0"},
                {{2, {1, -1}}, "[2, 3]"},
                {{3, {0, 1, 0}}, "[2, 3]"}};

START_TEST(axes_out_of_range_or_given_twice)
    {
        for (size_t which = 0; which < COUNT(reductions); which++) {
            tg_tape *tape = tg_tape_new(1);
            tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(2, 3));
            ck_assert_ptr_null(reductions[which].apply(tape, x, bad_axes[_i].axes, false));
            test_expect_error(tape, reductions[which].name, "[2, 3]", bad_axes[_i].part, NULL);
            test_end(tape, NULL);
        }
    }
END_TEST

START_TEST(too_many_axes)
    {
        tg_tape *tape = tg_tape_new(1);
        const tg_axes axes = {.count = TG_MAX_DIMS + 1};
        for (size_t which = 0; which < COUNT(reductions); which++) {
            ck_assert_ptr_null(
                reductions[which].apply(tape, test_variable(tape, 1, -1, 1, TG_SHAPE(2, 3)), axes,
                                        false));
            test_expect_error(tape, reductions[which].name, "7 axes are too many", NULL);
        }
        test_end(tape, NULL);
    }
END_TEST

START_TEST(a_scalar_has_no_axis)
    {
        tg_tape *tape = tg_tape_new(1);
        ck_assert_ptr_null(
            tg_sum(tape, test_variable(tape, 1, -1, 1, TG_SCALAR), TG_AXES(0), false));
        test_expect_error(tape, "sum", NULL);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(tied_maxima_share_evenly)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = tg_variable(tape, (const tg_real[]){1, 4, 4, 4, 2, 2, 2, 2, 5, 1, 3, 4},
                                   TG_SHAPE(3, 4));
        ck_assert(
            tg_backward(tape,
                        tg_sum(tape, tg_affine(tape, tg_max(tape, x, TG_AXES(1), false), 12, 0),
                               TG_ALL_AXES, false)));
        test_assert_all_near("dx", x->grad, (const double[]){0, 4, 4, 4, 3, 3, 3, 3, 12, 0, 0, 0},
                             12, TEST_TOLERANCE);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(infinities_and_nan)
    {
        const tg_real inf = (tg_real)INFINITY, nan = (tg_real)NAN;
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = tg_variable(tape,
                                   (const tg_real[]){-inf, -inf, -inf, 0, inf, 1, nan, 1, 2, 1000,
                                                     1000, -inf},
                                   TG_SHAPE(4, 3));
        TEST_TENSOR(tg_logsumexp(tape, x, TG_AXES(1), false), TG_SHAPE(4), -INF, INF, QNAN,
                    1000 + log(2));
        TEST_TENSOR(tg_max(tape, x, TG_AXES(1), false), TG_SHAPE(4), -INF, INF, QNAN, 1000);
        test_end(tape, NULL);
    }
END_TEST

/* Rows as above. If the maximum is infinite, the gradient goes to the infinite elements. A NaN
 * makes the gradient of its row NaN. */
START_TEST(gradients_of_infinities_and_nan)
    {
        const tg_real inf = (tg_real)INFINITY, nan = (tg_real)NAN;
        const tg_real numbers[] = {-inf, -inf, 0, inf, nan, 1, 3, -inf};
        const double want[] = {0.5, 0.5, 0, 1, QNAN, QNAN, 1, 0};
        for (size_t which = 0; which < COUNT(reductions); which++) {
            if (which != MAX && which != LOGSUMEXP) continue;
            tg_tape *tape = tg_tape_new(1);
            tg_tensor *x = tg_variable(tape, numbers, TG_SHAPE(4, 2));
            ck_assert(
                tg_backward(tape, tg_sum(tape, reductions[which].apply(tape, x, TG_AXES(1), false),
                                         TG_ALL_AXES, false)));
            test_assert_all_near(reductions[which].name, x->grad, want, 8, TEST_TOLERANCE);
            test_end(tape, NULL);
        }
    }
END_TEST

/* A NaN shows at any position, in full vectors and in the remainder. */
START_TEST(nan_is_never_lost)
    {
        tg_tape *tape = tg_tape_new(1);
        for (int64_t n = 1; n <= 40; n++)
            for (int64_t at = 0; at < n; at++) {
                tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(n));
                x->data[at] = (tg_real)NAN;
                for (size_t which = 0; which < COUNT(reductions); which++)
                    TEST_CHECK(isnan(tg_item(reductions[which].apply(tape, x, TG_ALL_AXES, false))),
                               "%s of %d numbers, NaN at %d", reductions[which].name, (int)n,
                               (int)at);
                tg_tape_reset(tape);
            }
        test_end(tape, NULL);
    }
END_TEST

/* A running sum in one float would differ by far more than this tolerance. */
START_TEST(a_long_sum_is_accurate)
    {
        enum { N = 1 << 20 };
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = test_variable(tape, 9, 0, 1, TG_SHAPE(N));
        double sum = 0;
        for (int64_t i = 0; i < N; i++) sum += (double)x->data[i];
        double got = tg_item(tg_sum(tape, x, TG_ALL_AXES, false));
        ck_assert_msg(test_near(got, sum, TEST_TOLERANCE / 10 * sum), "%.9g, wanted %.9g", got,
                      sum);
        test_assert_number("mean", tg_item(tg_mean(tape, x, TG_ALL_AXES, false)), sum / N);
        test_end(tape, NULL);
    }
END_TEST

Suite *reductions_suite(void);
Suite *reductions_suite(void)
{
    Suite *suite = suite_create("reductions");
    TCase *tc = tcase_create("reductions");
    tcase_add_loop_test(tc, values, 0, (int)COUNT(cases));
    tcase_add_test(tc, over_nothing);
    tcase_add_loop_test(tc, axes_out_of_range_or_given_twice, 0, (int)COUNT(bad_axes));
    tcase_add_test(tc, too_many_axes);
    tcase_add_test(tc, a_scalar_has_no_axis);
    tcase_add_test(tc, tied_maxima_share_evenly);
    tcase_add_test(tc, infinities_and_nan);
    tcase_add_test(tc, gradients_of_infinities_and_nan);
    tcase_add_test(tc, nan_is_never_lost);
    tcase_add_test(tc, a_long_sum_is_accurate);
    suite_add_tcase(suite, tc);
    return suite;
}
