/* Operators that work element by element: values against the C library, broadcasting, edges. */
#include "../support/support.h"

/* ---- two operands ---- */

typedef tg_tensor *(*binary_function)(tg_tape *tape, tg_tensor *a, tg_tensor *b);

static double add(double a, double b) { return a + b; }
static double sub(double a, double b) { return a - b; }
static double mul(double a, double b) { return a * b; }
static double quotient(double a, double b) { return a / b; }
static double larger(double a, double b)
{
    if (isnan(a) || isnan(b)) return QNAN;
    return a > b ? a : b;
}

static const struct {
    const char *name;
    binary_function apply;
    double (*reference)(double, double);
} binaries[] = {{"add", tg_add, add},
                {"sub", tg_sub, sub},
                {"mul", tg_mul, mul},
                {"div", tg_div, quotient},
                {"maximum", tg_maximum, larger}};

static const struct {
    test_shape a, b, result;
} broadcasts[] = {
    {S_SCALAR, S_SCALAR, S_SCALAR},
    {S(3), S_SCALAR, S(3)},
    {S_SCALAR, S(2, 3), S(2, 3)},
    {S(2, 3), S(3), S(2, 3)},
    {S(3), S(2, 3), S(2, 3)},
    {S(2, 1), S(1, 3), S(2, 3)},
    {S(2, 1), S(3), S(2, 3)},
    {S(4, 1, 3), S(2, 1), S(4, 2, 3)},
    {S(1), S(5), S(5)},
    {S(5), S(1), S(5)},
    {S(1, 1, 1), S(2), S(1, 1, 2)},
    {S(2, 3, 4), S(2, 3, 4), S(2, 3, 4)},
    {S(2, 3, 4), S(3, 1), S(2, 3, 4)},
    {S(2, 3, 4), S(2, 1, 1), S(2, 3, 4)},
    {S(2, 3, 4), S(2, 1, 4), S(2, 3, 4)},
    {S(0), S(1), S(0)},
    {S(0, 3), S(3), S(0, 3)},
    {S(2, 0), S(2, 1), S(2, 0)},
    {S(1, 0), S(2, 1), S(2, 0)},
    {S(0), S_SCALAR, S(0)},
    {S(2, 1, 2, 1, 2, 1), S(1, 2, 1, 2, 1, 2), S(2, 2, 2, 2, 2, 2)},
    {S(71), S(71), S(71)},
    {S(3, 71), S(71), S(3, 71)},
    {S(71, 3), S(71, 1), S(71, 3)},
    {S(2, 3, 1, 5), S(3, 4, 1), S(2, 3, 4, 5)},
};

static void check_binary(size_t op, size_t on)
{
    test_shape a = broadcasts[on].a, b = broadcasts[on].b, result = broadcasts[on].result;
    char what[64];
    snprintf(what, sizeof what, "%s, shapes %d", binaries[op].name, (int)on);
    tg_tape *tape = tg_tape_new(1);
    tg_tensor *x = test_variable(tape, 1, -2, 2, a.ndim, a.size),
              *y = test_variable(tape, 2, 0.5, 2, b.ndim, b.size);
    tg_tensor *z = binaries[op].apply(tape, x, y);
    test_assert_clean(tape);
    int64_t size = test_shape_size(result);
    double *want = malloc((size_t)(size + 1) * sizeof *want);
    for (int64_t i = 0; i < size; i++)
        want[i] = binaries[op].reference(
            (double)x->data[test_broadcast(i, result.ndim, result.size, a.ndim, a.size)],
            (double)y->data[test_broadcast(i, result.ndim, result.size, b.ndim, b.size)]);
    test_assert_shape(what, z, result.ndim, result.size);
    /* IEEE arithmetic rounds correctly: the tolerance is 0. */
    for (int64_t i = 0; i < size; i++)
        TEST_CHECK(z->data[i] == (tg_real)want[i], "%s: element %d is %.9g, not %.9g", what, (int)i,
                   (double)z->data[i], want[i]);
    free(want);
    test_end(tape, NULL);
}

START_TEST(two_operands)
    {
        for (size_t on = 0; on < COUNT(broadcasts); on++) check_binary((size_t)_i, on);
    }
END_TEST

static const struct {
    test_shape a, b;
    const char *texts[2];
} misfits[] = {{S(2, 3), S(2), {"[2, 3]", "[2]"}},
               {S(2, 3), S(3, 2), {"[2, 3]", "[3, 2]"}},
               {S(4), S(0), {"[4]", "[0]"}},
               {S(2, 0), S(2, 3), {"[2, 0]", "[2, 3]"}},
               {S(5, 1, 2), S(4, 1, 1), {"[5, 1, 2]", "[4, 1, 1]"}}};

START_TEST(two_operands_that_do_not_fit)
    {
        for (size_t m = 0; m < COUNT(misfits); m++) {
            tg_tape *tape = tg_tape_new(1);
            tg_tensor *a = test_variable(tape, 1, -2, 2, misfits[m].a.ndim, misfits[m].a.size);
            tg_tensor *b = test_variable(tape, 1, -2, 2, misfits[m].b.ndim, misfits[m].b.size);
            ck_assert_ptr_null(binaries[_i].apply(tape, a, b));
            test_expect_error(tape, binaries[_i].name, misfits[m].texts[0], misfits[m].texts[1],
                              NULL);
            test_end(tape, NULL);
        }
    }
END_TEST

START_TEST(two_operands_at_the_edges)
    {
        const tg_real inf = (tg_real)INFINITY, nan = (tg_real)NAN;
        const tg_real numbers[] = {0, 1, -1, inf, -inf, nan, (tg_real)1e30, (tg_real)-1e-30};
        enum { N = 8 };
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *z = binaries[_i].apply(tape, tg_constant(tape, numbers, TG_SHAPE(N, 1)),
                                          tg_constant(tape, numbers, TG_SHAPE(N)));
        test_assert_clean(tape);
        for (int a = 0; a < N; a++)
            for (int b = 0; b < N; b++) {
                const tg_real got = z->data[a * N + b];
                const tg_real want = (tg_real)binaries[_i].reference((double)numbers[a],
                                                                     (double)numbers[b]);
                ck_assert_msg(isnan((double)want) ? isnan((double)got) : got == want,
                              "%s(%g, %g) is %g, wanted %g", binaries[_i].name, (double)numbers[a],
                              (double)numbers[b], (double)got, (double)want);
            }
        test_end(tape, NULL);
    }
END_TEST

START_TEST(tied_maxima_share_evenly)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *a = tg_variable(tape, (const tg_real[]){1, 2, 3, 3}, TG_SHAPE(4));
        tg_tensor *b = tg_variable(tape, (const tg_real[]){1, 5, -2, 3}, TG_SHAPE(4));
        ck_assert(tg_backward(tape, tg_sum(tape, tg_maximum(tape, a, b), TG_ALL_AXES, false)));
        test_assert_all_near("da", a->grad, (const double[]){0.5, 0, 1, 0.5}, 4, 0);
        test_assert_all_near("db", b->grad, (const double[]){0.5, 1, 0, 0.5}, 4, 0);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(nan_in_a_maximum_shows_in_both_gradients)
    {
        const tg_real nan = (tg_real)NAN;
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *a = tg_variable(tape, (const tg_real[]){nan, 1, nan, 1}, TG_SHAPE(4));
        tg_tensor *b = tg_variable(tape, (const tg_real[]){1, nan, nan, 2}, TG_SHAPE(4));
        ck_assert(tg_backward(tape, tg_sum(tape, tg_maximum(tape, a, b), TG_ALL_AXES, false)));
        test_assert_all_near("da", a->grad, (const double[]){QNAN, QNAN, QNAN, 0}, 4, 0);
        test_assert_all_near("db", b->grad, (const double[]){QNAN, QNAN, QNAN, 1}, 4, 0);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(a_result_that_is_too_large)
    {
        /* Allowed beside a size of 0. */
        const int64_t large = PTRDIFF_MAX / (int64_t)sizeof(tg_real) / 8;
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *a = tg_constant(tape, NULL, TG_SHAPE(large, 0, 1)),
                  *b = tg_constant(tape, NULL, TG_SHAPE(1, 0, large));
        test_assert_clean(tape);
        ck_assert_ptr_null(binaries[_i].apply(tape, a, b));
        test_expect_error(tape, binaries[_i].name, "too large", ", 0, ", NULL);
        test_end(tape, NULL);
    }
END_TEST

/* ---- one operand ---- */

typedef tg_tensor *(*unary_function)(tg_tape *tape, tg_tensor *x);

static double negative(double x) { return -x; }
static double square(double x) { return x * x; }
static double sigmoid(double x) { return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)); }
static double relu(double x) { return isnan(x) || x > 0 ? x : 0; }
static double gelu(double x) { return 0.5 * x * erfc(-x / sqrt(2)); }
static tg_tensor *apply_affine(tg_tape *tape, tg_tensor *x)
{
    return tg_affine(tape, x, -2.5, 0.5);
}
static double affine(double x) { return -2.5 * x + 0.5; }

static const struct {
    const char *name;
    unary_function apply;
    double (*reference)(double);
    double low, high; /* a range in which the results are neither huge nor denormal in float */
} unaries[] = {
    {"neg", tg_neg, negative, -100, 100},
    {"exp", tg_exp, exp, -80, 80},
    {"log", tg_log, log, 1e-6, 50},
    {"log, near 1", tg_log, log, 0.9, 1.1},
    {"log, large", tg_log, log, 1, 1e30},
    {"sqrt", tg_sqrt, sqrt, 0, 1000},
    {"square", tg_square, square, -30, 30},
    {"tanh", tg_tanh, tanh, -12, 12},
    {"tanh, near 0", tg_tanh, tanh, -1e-3, 1e-3},
    {"tanh, small", tg_tanh, tanh, -1, 1},
    {"sigmoid", tg_sigmoid, sigmoid, -40, 40},
    {"relu", tg_relu, relu, -3, 3},
    {"gelu", tg_gelu, gelu, -4, 12},
    {"gelu, near 0", tg_gelu, gelu, -1e-2, 1e-2},
    {"affine", apply_affine, affine, -3, 3},
};

/* Relative to each element. The library's kernels promise an error of a few ulp; a wrong
 * coefficient makes a much larger one. */
#ifdef TG_DOUBLE
static const double unary_tolerance = 1e-14;
#else
static const double unary_tolerance = 1e-6;
#endif

START_TEST(one_operand)
    {
        double low = unaries[_i].low, high = unaries[_i].high;
        /* These sizes leave a vector register partly filled in every possible way. */
        for (int64_t n = 0; n <= 70; n++) {
            tg_tape *tape = tg_tape_new(1);
            tg_tensor *x = test_variable(tape, (uint64_t)n, low, high, TG_SHAPE(n)),
                      *y = unaries[_i].apply(tape, x);
            test_assert_clean(tape);
            test_assert_shape(unaries[_i].name, y, TG_SHAPE(n));
            for (int64_t i = 0; i < n; i++) {
                double want = unaries[_i].reference((double)x->data[i]);
                double cancelled = 0; /* magnitude of the terms that cancelled in a subtraction */
                if (unaries[_i].apply == apply_affine) cancelled = 5;
                if (unaries[_i].apply == tg_gelu) cancelled = fabs((double)x->data[i]);
                TEST_CHECK(test_near((double)y->data[i], want,
                                     unary_tolerance * (fabs(want) + cancelled)),
                           "%s(%.9g) is %.9g, wanted %.9g", unaries[_i].name, (double)x->data[i],
                           (double)y->data[i], want);
            }
            test_end(tape, NULL);
        }
    }
END_TEST

START_TEST(one_operand_preserves_the_shape)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = test_variable(tape, 1, 0.5, 1, TG_SHAPE(2, 1, 3, 1, 1, 2)),
                  *scalar = test_variable(tape, 2, 0.5, 1, TG_SCALAR);
        test_assert_shape(unaries[_i].name, unaries[_i].apply(tape, x), TG_SHAPE(2, 1, 3, 1, 1, 2));
        test_assert_shape(unaries[_i].name, unaries[_i].apply(tape, scalar), TG_SCALAR);
        test_end(tape, NULL);
    }
END_TEST

static const struct {
    const char *name;
    unary_function apply;
    double x, y;
} edges[] = {
    {"exp", tg_exp, 0, 1},
    {"exp", tg_exp, INF, INF},
    {"exp", tg_exp, -INF, 0},
    {"exp", tg_exp, QNAN, QNAN},
    {"exp", tg_exp, 1000, INF},
    {"exp", tg_exp, -1000, 0},
    {"log", tg_log, 1, 0},
    {"log", tg_log, 0, -INF},
    {"log", tg_log, -1, QNAN},
    {"log", tg_log, INF, INF},
    {"log", tg_log, QNAN, QNAN},
    {"sqrt", tg_sqrt, 0, 0},
    {"sqrt", tg_sqrt, 4, 2},
    {"sqrt", tg_sqrt, -1, QNAN},
    {"sqrt", tg_sqrt, INF, INF},
    {"sqrt", tg_sqrt, QNAN, QNAN},
    {"square", tg_square, -INF, INF},
    {"square", tg_square, QNAN, QNAN},
    {"square", tg_square, -3, 9},
    {"tanh", tg_tanh, 0, 0},
    {"tanh", tg_tanh, INF, 1},
    {"tanh", tg_tanh, -INF, -1},
    {"tanh", tg_tanh, QNAN, QNAN},
    {"tanh", tg_tanh, 1000, 1},
    {"tanh", tg_tanh, -1000, -1},
    {"sigmoid", tg_sigmoid, 0, 0.5},
    {"sigmoid", tg_sigmoid, INF, 1},
    {"sigmoid", tg_sigmoid, -INF, 0},
    {"sigmoid", tg_sigmoid, QNAN, QNAN},
    {"sigmoid", tg_sigmoid, 1000, 1},
    {"sigmoid", tg_sigmoid, -1000, 0},
    {"relu", tg_relu, 0, 0},
    {"relu", tg_relu, -1, 0},
    {"relu", tg_relu, INF, INF},
    {"relu", tg_relu, -INF, 0},
    {"relu", tg_relu, QNAN, QNAN},
    {"gelu", tg_gelu, 0, 0},
    {"gelu", tg_gelu, 100, 100},
    {"gelu", tg_gelu, -100, 0},
    {"gelu", tg_gelu, INF, INF},
    {"gelu", tg_gelu, QNAN, QNAN},
    {"neg", tg_neg, INF, -INF},
    {"neg", tg_neg, QNAN, QNAN},
    {"affine", apply_affine, QNAN, QNAN},
    {"affine", apply_affine, INF, -INF},
};

START_TEST(one_operand_at_the_edges)
    {
        enum { N = 35 }; /* fills vector registers and leaves a remainder */
        tg_real numbers[N];
        for (int i = 0; i < N; i++) numbers[i] = (tg_real)edges[_i].x;
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *y = edges[_i].apply(tape, tg_constant(tape, numbers, TG_SHAPE(N)));
        test_assert_clean(tape);
        for (int i = 0; i < N; i++) {
            double got = (double)y->data[i], want = edges[_i].y;
            ck_assert_msg(isnan(want) ? isnan(got) : got == want, "%s(%g) is %g at %d, wanted %g",
                          edges[_i].name, edges[_i].x, got, i, want);
        }
        test_end(tape, NULL);
    }
END_TEST

static const struct {
    const char *name;
    unary_function apply;
    double x, dx;
} slopes[] = {
    /* derivatives at the edges, as ops.h defines them */
    {"relu", tg_relu, 0, 0},           {"relu", tg_relu, -1, 0},
    {"relu", tg_relu, 1, 1},           {"sqrt", tg_sqrt, 0, INF},
    {"sqrt", tg_sqrt, 4, 0.25},        {"log", tg_log, 0, INF},
    {"log", tg_log, 4, 0.25},          {"tanh", tg_tanh, 100, 0},
    {"tanh", tg_tanh, -100, 0},        {"tanh", tg_tanh, 0, 1},
    {"sigmoid", tg_sigmoid, 1000, 0},  {"sigmoid", tg_sigmoid, -1000, 0},
    {"sigmoid", tg_sigmoid, 0, 0.25},  {"gelu", tg_gelu, 0, 0.5},
    {"gelu", tg_gelu, 100, 1},         {"gelu", tg_gelu, -100, 0},
    {"square", tg_square, 0, 0},       {"exp", tg_exp, -1000, 0},
    {"relu", tg_relu, QNAN, QNAN},     {"gelu", tg_gelu, QNAN, QNAN},
    {"tanh", tg_tanh, QNAN, QNAN},     {"sigmoid", tg_sigmoid, QNAN, QNAN},
    {"square", tg_square, QNAN, QNAN}, {"exp", tg_exp, QNAN, QNAN},
    {"log", tg_log, QNAN, QNAN},       {"sqrt", tg_sqrt, QNAN, QNAN},
};

START_TEST(slopes_at_the_edges)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = tg_variable(tape, (const tg_real[]){(tg_real)slopes[_i].x}, TG_SHAPE(1));
        ck_assert(tg_backward(tape, slopes[_i].apply(tape, x)));
        const double got = (double)x->grad[0], want = slopes[_i].dx;
        ck_assert_msg(isnan(want) ? isnan(got) : got == want, "%s'(%g) is %g, wanted %g",
                      slopes[_i].name, slopes[_i].x, got, want);
        test_end(tape, NULL);
    }
END_TEST

Suite *elementwise_suite(void);
Suite *elementwise_suite(void)
{
    Suite *suite = suite_create("elementwise");
    TCase *tc = tcase_create("elementwise");
    tcase_add_loop_test(tc, two_operands, 0, (int)COUNT(binaries));
    tcase_add_loop_test(tc, two_operands_that_do_not_fit, 0, (int)COUNT(binaries));
    tcase_add_loop_test(tc, two_operands_at_the_edges, 0, (int)COUNT(binaries));
    tcase_add_test(tc, tied_maxima_share_evenly);
    tcase_add_test(tc, nan_in_a_maximum_shows_in_both_gradients);
    tcase_add_loop_test(tc, a_result_that_is_too_large, 0, (int)COUNT(binaries));
    tcase_add_loop_test(tc, one_operand, 0, (int)COUNT(unaries));
    tcase_add_loop_test(tc, one_operand_preserves_the_shape, 0, (int)COUNT(unaries));
    tcase_add_loop_test(tc, one_operand_at_the_edges, 0, (int)COUNT(edges));
    tcase_add_loop_test(tc, slopes_at_the_edges, 0, (int)COUNT(slopes));
    suite_add_tcase(suite, tc);
    return suite;
}
