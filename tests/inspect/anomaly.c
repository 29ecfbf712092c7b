/* Anomaly detection: the first NaN or infinity is found with its place, and hints say what is
 * likely wrong. */
#include "../support/support.h"

/* A tape with anomaly detection. */
static tg_tape *detecting_tape(void)
{
    tg_tape *tape = tg_tape_new(1);
    tg_tape_detect_anomaly(tape, true);
    return tape;
}

static tg_tensor *sum(tg_tape *tape, tg_tensor *x) { return tg_sum(tape, x, TG_ALL_AXES, false); }

static const tg_real numbers[] = {1, 2, 3, 0, 5, 6};

START_TEST(off_in_a_new_tape)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_log(tape, tg_constant(tape, numbers, TG_SHAPE(6)));
        ck_assert_ptr_null(tg_tape_error(tape));
        tg_tape_detect_anomaly(tape, true);
        tg_tape_detect_anomaly(tape, false);
        tg_log(tape, tg_constant(tape, numbers, TG_SHAPE(6)));
        test_end(tape, NULL);
        tg_tape_detect_anomaly(NULL, true);
        ck_assert_ptr_null(tg_tape_warning(NULL));
    }
END_TEST

START_TEST(the_first_result_that_is_not_finite)
    {
        tg_tape *tape = detecting_tape();
        tg_exp(tape, tg_log(tape, tg_constant(tape, numbers, TG_SHAPE(2, 3))));
        test_expect_error(tape, "log: the result", "[2, 3] is -inf at [1, 0]", "operator 0", NULL);
        tg_scope_begin(tape, "mine");
        tg_sqrt(tape, tg_constant(tape, (const tg_real[]){4, -1}, TG_SHAPE(2)));
        test_expect_error(tape, "sqrt: the result", "nan at [1]", "scope \"mine\"", NULL);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(the_first_gradient_that_is_not_finite)
    {
        tg_tape *tape = detecting_tape();
        tg_tensor *y = tg_sqrt(tape, tg_variable(tape, numbers, TG_SHAPE(6)));
        ck_assert(!tg_backward(tape, sum(tape, y)));
        test_expect_error(tape, "sqrt: the gradient of an input", "inf at [3]", "operator 0", NULL);
        tg_params *params = tg_params_new(1);
        tg_tensor *p = tg_param(params, "layer", "weight", TG_SHAPE(2), tg_init_constant(0));
        ck_assert(!tg_backward(tape, sum(tape, tg_sqrt(tape, p))));
        test_expect_error(tape, "sqrt: the gradient of a parameter", "inf at [0]",
                          "scope \"layer\"", NULL);
        tg_params_take_error(params);
        test_end(tape, params);
    }
END_TEST

START_TEST(results_that_may_be_infinite)
    {
        tg_tape *tape = detecting_tape();
        const uint8_t bytes[] = {1, 0, 1};
        const tg_mask mask = tg_mask_nd(bytes, TG_SHAPE(3));
        tg_tensor *row = tg_constant(tape, numbers, TG_SHAPE(3));
        tg_softmax(tape, tg_where_scalar(tape, mask, row, -INF));
        tg_log_softmax_masked(tape, row, mask);
        tg_logsumexp(tape, tg_constant(tape, numbers, TG_SHAPE(2, 0)), TG_AXES(1), false);
        ck_assert_ptr_null(tg_tape_warning(tape));
        test_end(tape, NULL);
    }
END_TEST

/* ---- hints ---- */

static tg_tensor *one_row(tg_tape *tape, double a, double b)
{
    return tg_variable(tape, (const tg_real[]){(tg_real)a, (tg_real)b}, TG_SHAPE(1, 2));
}

static void log_of_zero(tg_tape *tape) { tg_log(tape, one_row(tape, 0, 1)); }
static void log_of_negative(tg_tape *tape) { tg_log(tape, one_row(tape, -1, 1)); }
static void sqrt_of_negative(tg_tape *tape) { tg_sqrt(tape, one_row(tape, -1, 0)); }
static void slope_of_sqrt_at_zero(tg_tape *tape)
{
    tg_backward(tape, sum(tape, tg_sqrt(tape, one_row(tape, 0, 1))));
}
static void division_by_zero(tg_tape *tape)
{
    tg_div(tape, one_row(tape, 1, 0), one_row(tape, 1, 0));
}
static void exp_overflow(tg_tape *tape) { tg_exp(tape, one_row(tape, 1, 1000)); }
static void softmax_of_nothing(tg_tape *tape) { tg_softmax(tape, one_row(tape, -INF, -INF)); }
static void log_softmax_of_nothing(tg_tape *tape)
{
    tg_log_softmax(tape, one_row(tape, -INF, -INF));
}
static void infinite_loss(tg_tape *tape)
{
    const int32_t label = 1;
    tg_cross_entropy(tape, one_row(tape, 0, -INF), tg_ints_1d(&label, 1));
}

static const struct {
    void (*compute)(tg_tape *tape);
    const char *hint;
} hints[] = {
    {log_of_zero, "needs numbers above 0"},
    {log_of_negative, "needs numbers above 0"},
    {sqrt_of_negative, "the square root of a negative number"},
    {slope_of_sqrt_at_zero, "derivative of the square root is infinite at 0"},
    {division_by_zero, "a divisor is 0"},
    {exp_overflow, "subtract the maximum first"},
    {softmax_of_nothing, "all numbers of a row are -infinity"},
    {log_softmax_of_nothing, "all numbers of a row are -infinity"},
    {infinite_loss, "the logit of a label is -infinity"},
};

START_TEST(an_error_ends_in_a_hint)
    {
        tg_tape *tape = detecting_tape();
        hints[_i].compute(tape);
        test_expect_error(tape, "scope \"", ": ", hints[_i].hint, NULL);
        ck_assert_ptr_null(tg_tape_warning(tape));
        test_end(tape, NULL);
    }
END_TEST

/* An infinite input is not this operator's fault. */
START_TEST(no_hint_without_its_cause)
    {
        tg_tape *tape = detecting_tape();
        const tg_real infinite[] = {(tg_real)INFINITY, 1};
        tg_tensor *(*const operators[])(tg_tape *, tg_tensor *) = {tg_log, tg_sqrt, tg_exp,
                                                                   tg_softmax};
        for (size_t k = 0; k < COUNT(operators); k++) {
            tg_tape_reset(tape);
            operators[k](tape, tg_constant(tape, infinite, TG_SHAPE(1, 2)));
            const char *error = tg_tape_take_error(tape);
            ck_assert_ptr_nonnull(error);
            ck_assert_msg(strstr(error, "scope \"\")") && error[strlen(error) - 1] == ')', "%s",
                          error);
        }
        tg_tape_reset(tape);
        tg_sqrt(tape, one_row(tape, 0, 1)); /* no gradient arrives */
        tg_exp(tape, one_row(tape, -1000, 80));
        ck_assert_ptr_null(tg_tape_warning(tape));
        test_end(tape, NULL);
    }
END_TEST

/* ---- warnings ---- */

START_TEST(probabilities_instead_of_logits)
    {
        const int32_t labels[] = {0, 1};
        tg_tape *tape = detecting_tape();
        tg_tensor *logits = tg_constant(tape, numbers, TG_SHAPE(2, 3));
        tg_cross_entropy(tape, logits, tg_ints_1d(labels, 2));
        ck_assert_ptr_null(tg_tape_warning(tape));
        tg_cross_entropy(tape, tg_softmax(tape, logits), tg_ints_1d(labels, 2));
        const char *warning = tg_tape_warning(tape);
        ck_assert_ptr_nonnull(warning);
        ck_assert_msg(strstr(warning, "cross_entropy (operator 2") &&
                          strstr(warning, "pass logits, without a softmax"),
                      "%s", warning);
        test_end(tape, NULL);
    }
END_TEST

/* An operator of a program's own, whose hint is about its input. */
static bool test_hinted_shape(tg_node *node)
{
    return tg_output_like(node, node->inputs[0]) != NULL;
}
static void test_hinted_forward(tg_node *node)
{
    memcpy(node->outputs[0]->data, node->inputs[0]->data,
           (size_t)node->inputs[0]->size * sizeof(tg_real));
}
static const char *test_hinted_hint(const tg_node *node)
{
    return node->inputs[0]->data[0] == 7 ? "the input is 7" : NULL;
}
static const tg_op test_hinted = {.name = "test_hinted",
                                  .shape = test_hinted_shape,
                                  .forward = test_hinted_forward,
                                  .anomaly_hint = test_hinted_hint};

START_TEST(the_first_warning_stays)
    {
        tg_tape *tape = detecting_tape();
        for (int i = 5; i < 9; i++) {
            const tg_real number = (tg_real)i;
            tg_tensor *x = tg_constant(tape, &number, TG_SHAPE(1));
            tg_apply(tape, &test_hinted, NULL, 1, &x, NULL);
            const char *warning = tg_tape_warning(tape);
            if (i < 7) ck_assert_ptr_null(warning);
            else ck_assert_str_eq(warning, "test_hinted (operator 2, scope \"\"): the input is 7");
        }
        tg_tape_reset(tape);
        ck_assert_ptr_nonnull(tg_tape_warning(tape));
        test_end(tape, NULL);
    }
END_TEST

START_TEST(gradients_that_no_step_uses)
    {
        tg_tape *tape = detecting_tape();
        tg_params *params = tg_params_new(1);
        tg_tensor *p = tg_param(params, "layer", "weight", TG_SHAPE(1), tg_init_constant(1));
        for (int i = 0; i < 1100; i++) {
            ck_assert_msg(!tg_tape_warning(tape) || i > 1050, "after %d passes: %s", i,
                          tg_tape_warning(tape));
            tg_backward(tape, tg_square(tape, p));
            tg_tape_reset(tape);
            if (i == 50) tg_params_zero_grad(params);
        }
        ck_assert_ptr_nonnull(tg_tape_warning(tape));
        ck_assert_ptr_nonnull(strstr(tg_tape_warning(tape), "the gradient of layer.weight"));
        test_end(tape, params);
    }
END_TEST

Suite *anomaly_suite(void);
Suite *anomaly_suite(void)
{
    Suite *suite = suite_create("anomaly");
    TCase *tc = tcase_create("anomaly");
    tcase_add_test(tc, off_in_a_new_tape);
    tcase_add_test(tc, the_first_result_that_is_not_finite);
    tcase_add_test(tc, the_first_gradient_that_is_not_finite);
    tcase_add_test(tc, results_that_may_be_infinite);
    tcase_add_loop_test(tc, an_error_ends_in_a_hint, 0, (int)COUNT(hints));
    tcase_add_test(tc, no_hint_without_its_cause);
    tcase_add_test(tc, probabilities_instead_of_logits);
    tcase_add_test(tc, the_first_warning_stays);
    tcase_add_test(tc, gradients_that_no_step_uses);
    suite_add_tcase(suite, tc);
    return suite;
}
