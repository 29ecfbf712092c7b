/* Who checks the checker: operators with planted faults, each of which must fail, by name and with
 * both numbers. */
#include "../support/support.h"

/* ---- y = x^2, right and wrong in every way ---- */

static bool test_square_shape(tg_node *node)
{
    return tg_output_like(node, node->inputs[0]) != NULL;
}

static void test_square_forward(tg_node *node)
{
    const tg_tensor *x = node->inputs[0];
    for (int64_t i = 0; i < x->size; i++) node->outputs[0]->data[i] = x->data[i] * x->data[i];
}

/* dx += factor * 2 x dy, in element `only` or, where that is -1, in all. */
static void backward_by(tg_node *node, double factor, int64_t only)
{
    const tg_real *x = node->inputs[0]->data, *dy = node->outputs[0]->grad;
    tg_real *dx = tg_input_grad(node, 0);
    for (int64_t i = 0; dx && i < node->inputs[0]->size; i++)
        dx[i] += (tg_real)(only < 0 || only == i ? factor : 1) * 2 * x[i] * dy[i];
}

static void test_right_backward(tg_node *node) { backward_by(node, 1, -1); }
static void test_flipped_backward(tg_node *node) { backward_by(node, -1, -1); }
static void test_one_flipped_backward(tg_node *node) { backward_by(node, -1, 2); }
static void test_scale_backward(tg_node *node) { backward_by(node, 1.05, -1); }
static void test_zero_backward(tg_node *node) { backward_by(node, 0, -1); }
static void test_nan_backward(tg_node *node) { backward_by(node, QNAN, 1); }
static void test_infinite_backward(tg_node *node) { backward_by(node, INF, 1); }
static void test_small_scale_backward(tg_node *node) { backward_by(node, 1 + 1e-5, -1); }

/* Writes where it should add: right as long as nobody else has a part in the input. */
static void test_overwriting_backward(tg_node *node)
{
    const tg_real *x = node->inputs[0]->data, *dy = node->outputs[0]->grad;
    tg_real *dx = tg_input_grad(node, 0);
    for (int64_t i = 0; dx && i < node->inputs[0]->size; i++) dx[i] = 2 * x[i] * dy[i];
}

/* Knows only of its first output's reader: it forgets the seed that comes in. */
static void test_deaf_backward(tg_node *node)
{
    const tg_real *x = node->inputs[0]->data;
    tg_real *dx = tg_input_grad(node, 0);
    for (int64_t i = 0; dx && i < node->inputs[0]->size; i++) dx[i] += 2 * x[i];
}

#define SQUARE(kind)                                           \
    static const tg_op kind = {.name = #kind,                  \
                               .shape = test_square_shape,     \
                               .forward = test_square_forward, \
                               .backward = kind##_backward}
SQUARE(test_right);
SQUARE(test_flipped);
SQUARE(test_one_flipped);
SQUARE(test_scale);
SQUARE(test_zero);
SQUARE(test_nan);
SQUARE(test_infinite);
SQUARE(test_small_scale);
SQUARE(test_overwriting);
SQUARE(test_deaf);

typedef struct model {
    const tg_op *op;
    bool twice; /* its input is read by another operator too, whose gradient arrives first */
    tg_tensor *x, *other;
    int calls;
} model;

static tg_tensor *apply_op(tg_tape *tape, void *context)
{
    model *m = context;
    tg_tensor *y = tg_apply(tape, m->op, NULL, 1, &m->x, NULL);
    if (m->twice) y = tg_mul(tape, y, m->x);
    return tg_add(tape, y, m->other);
}

static tg_params *model_params(model *m, int64_t size)
{
    tg_params *params = tg_params_new(3);
    m->other = tg_param(params, "layer", "innocent", TG_SHAPE(size), tg_init_uniform(1));
    m->x = tg_param(params, "layer", "guilty", TG_SHAPE(size), tg_init_constant(0));
    for (int64_t i = 0; i < size; i++) m->x->data[i] = (tg_real)(0.5 + 0.25 * (double)(i % 7));
    return params;
}

/* Somewhere in the text stands the number, to the digits that are printed. */
static bool holds_number(const char *text, double number)
{
    for (const char *c = text; *c; c++) {
        char *end;
        if (c > text && (c[-1] == '.' || (c[-1] >= '0' && c[-1] <= '9') || c[-1] == '-')) continue;
        double found = strtod(c, &end);
        if (end != c &&
            (isnan(number) ? isnan(found) : test_near(found, number, 1e-3 * fabs(number))))
            return true;
    }
    return false;
}

static const struct {
    const tg_op *op;
    bool twice;
    double ratio; /* of the analytic to the numeric derivative; 0: not asked */
    bool needs_double;
} faults[] = {
    {&test_flipped, false, -1, false},
    {&test_one_flipped, false, -1, false},
    {&test_scale, false, 1.05, false},
    {&test_zero, false, 0, false},
    {&test_nan, false, 0, false},
    {&test_infinite, false, 0, false},
    {&test_overwriting, true, 0, false},
    {&test_deaf, false, 0, false},
    {&test_flipped, true, 0, false},
    {&test_small_scale, false, 1 + 1e-5, true}, /* which float is too coarse for */
};

START_TEST(planted_faults_fail)
    {
#ifndef TG_DOUBLE
        if (faults[_i].needs_double) return;
#endif
        model m = {.op = faults[_i].op, .twice = faults[_i].twice};
        tg_params *params = model_params(&m, 5);
        tg_gradcheck_report report;
        ck_assert_msg(!tg_gradcheck(params, apply_op, &m, &report), "%s passed: %s", m.op->name,
                      report.message);
        ck_assert_msg(!report.passed && !(report.error <= 1), "%s: %s", m.op->name, report.message);
        ck_assert_str_eq(report.parameter, "layer.guilty");
        ck_assert_msg(report.index >= 0 && report.index < 5, "element %lld",
                      (long long)report.index);
        ck_assert_msg(strstr(report.message, "layer.guilty") &&
                          strstr(report.message, m.op->name) && !strchr(report.message, '\n'),
                      "%s: %s", m.op->name, report.message);
        ck_assert_msg(holds_number(report.message, report.analytic) &&
                          holds_number(report.message, report.numeric),
                      "%g and %g: %s", report.analytic, report.numeric, report.message);
        if (faults[_i].ratio != 0) {
#ifdef TG_DOUBLE
            double loose = 1e-6;
#else
            double loose = 1e-2;
#endif
            ck_assert_msg(test_near(report.analytic, faults[_i].ratio * report.numeric,
                                    loose * fabs(report.numeric)),
                          "%s: %g, %g", m.op->name, report.analytic, report.numeric);
        }
        if (m.op == &test_one_flipped) ck_assert_int_eq(report.index, 2);
        if (m.op == &test_nan)
            ck_assert(report.index == 1 && isnan(report.analytic) && isnan(report.error));
        tg_params_free(params);
    }
END_TEST

START_TEST(planted_faults_fail_in_large_parameters)
    {
        const tg_op *ops[] = {&test_flipped, &test_scale, &test_zero, &test_nan};
        model m = {.op = ops[_i]};
        tg_params *params = model_params(&m, 1000);
        tg_gradcheck_report report;
        ck_assert_msg(!tg_gradcheck(params, apply_op, &m, &report), "%s passed: %s", m.op->name,
                      report.message);
        ck_assert_str_eq(report.parameter, "layer.guilty");
        ck_assert_int_eq(report.index, -1);
        tg_params_free(params);
    }
END_TEST

START_TEST(what_is_right_passes)
    {
        const int64_t sizes[] = {1, 5, 512, 513, 1500};
        for (size_t s = 0; s < COUNT(sizes); s++)
            for (int twice = 0; twice < 2; twice++) {
                model m = {.op = &test_right, .twice = twice};
                tg_params *params = model_params(&m, sizes[s]);
                tg_gradcheck_report report;
                ck_assert_msg(tg_gradcheck(params, apply_op, &m, &report), "%s", report.message);
                ck_assert(report.passed && report.error <= 1 && report.message[0]);
                ck_assert_int_eq(report.checked, sizes[s] <= 512 ? 2 * sizes[s] : 64);
                ck_assert(tg_gradcheck(params, apply_op, &m, NULL));
                tg_params_free(params);
            }
    }
END_TEST

/* A fault that shows only when the input has another reader is no fault elsewhere: the test's own
 * premise. */
START_TEST(overwriting_is_right_alone)
    {
        model m = {.op = &test_overwriting};
        tg_params *params = model_params(&m, 5);
        ck_assert(tg_gradcheck(params, apply_op, &m, NULL));
        tg_params_free(params);
    }
END_TEST

START_TEST(everything_is_put_back)
    {
        model m = {.op = &test_right};
        tg_params *params = model_params(&m, 20);
        tg_real before[20];
        memcpy(before, m.x->data, sizeof before);
        tg_tape *tape = tg_tape_new(1);
        ck_assert(tg_backward(tape, tg_sum(tape, m.x, TG_ALL_AXES,
                                           false))); /* a gradient from elsewhere must not count */
        ck_assert(tg_gradcheck(params, apply_op, &m, NULL));
        test_assert_same_bits("parameter", m.x->data, before, 20);
        ck_assert(!m.x->has_grad && !m.other->has_grad);
        m.op = &test_flipped;
        ck_assert(!tg_gradcheck(params, apply_op, &m, NULL));
        test_assert_same_bits("parameter after a failure", m.x->data, before, 20);
        ck_assert(!m.x->has_grad && !m.other->has_grad);
        test_end(tape, params);
    }
END_TEST

START_TEST(frozen_parameters_are_left_alone)
    {
        model m = {.op = &test_flipped};
        tg_params *params = model_params(&m, 5);
        tg_params_freeze(params, "layer.guilty", true);
        tg_gradcheck_report report;
        ck_assert_msg(tg_gradcheck(params, apply_op, &m, &report), "%s", report.message);
        ck_assert_int_eq(report.checked, 5);
        tg_params_free(params);
    }
END_TEST

/* ---- functions that are at fault themselves ---- */

static tg_tensor *another_each_time(tg_tape *tape, void *context)
{
    model *m = context;
    return tg_affine(tape, tg_square(tape, m->x), 1, ++m->calls);
}

/* Right in every difference, and still not the function that the backward pass saw. */
static tg_tensor *another_after_the_first_time(tg_tape *tape, void *context)
{
    model *m = context;
    return tg_affine(tape, tg_add(tape, tg_square(tape, m->x), m->other), 1, m->calls++ > 0);
}

static tg_tensor *in_error(tg_tape *tape, void *context)
{
    model *m = context;
    return tg_matmul(tape, m->x, m->x);
}

static tg_tensor *nothing(tg_tape *tape, void *context)
{
    (void)tape, (void)context;
    return NULL;
}

static tg_tensor *no_parameter(tg_tape *tape, void *context)
{
    (void)context;
    return tg_constant(tape, NULL, TG_SHAPE(1));
}

static tg_tensor *not_finite(tg_tape *tape, void *context)
{
    model *m = context;
    return tg_log(tape, tg_affine(tape, m->x, -1, 0));
}

/* Finite where it stands, and not beside it. */
static tg_tensor *at_a_cliff(tg_tape *tape, void *context)
{
    model *m = context;
    return tg_sum(tape,
                  tg_sqrt(tape, tg_add(tape, tg_affine(tape, m->x, 1, -0.5),
                                       tg_affine(tape, m->other, 0, 0))),
                  TG_ALL_AXES, false);
}

static const struct {
    tg_gradcheck_function function;
    const char *part;
} bad_functions[] = {{another_each_time, ""}, {another_after_the_first_time, ""},
                     {in_error, "matmul"},    {nothing, ""},
                     {no_parameter, ""},      {not_finite, ""},
                     {at_a_cliff, ""}};

START_TEST(functions_at_fault_fail)
    {
        model m = {0};
        tg_params *params = model_params(&m, 5);
        tg_gradcheck_report report;
        ck_assert_msg(!tg_gradcheck(params, bad_functions[_i].function, &m, &report), "%s",
                      report.message);
        ck_assert_msg(!report.passed && report.message[0] &&
                          strstr(report.message, bad_functions[_i].part),
                      "%s", report.message);
        test_assert_params_clean(params);
        tg_params_free(params);
    }
END_TEST

/* ---- each call starts from one state ---- */

static tg_tensor *with_dropout(tg_tape *tape, void *context)
{
    model *m = context;
    ck_assert(tg_tape_training(tape) && tg_tape_recording(tape));
    return tg_dropout(tape, tg_square(tape, m->x), 0.5);
}

START_TEST(dropout_can_be_checked)
    {
        model m = {0};
        tg_params *params = model_params(&m, 50);
        tg_gradcheck_report report;
        ck_assert_msg(tg_gradcheck(params, with_dropout, &m, &report), "%s", report.message);
        tg_params_free(params);
    }
END_TEST

START_TEST(null_parameters)
    {
        model m = {0};
        tg_gradcheck_report report;
        ck_assert(!tg_gradcheck(NULL, nothing, &m, &report));
        ck_assert(report.message[0] && !report.passed);
    }
END_TEST

static tg_tensor *squares(tg_tape *tape, void *context)
{
    model *m = context;
    return tg_add(tape, tg_square(tape, m->x), m->other);
}

START_TEST(every_allocation_that_fails_is_an_error)
    {
        for (int n = 1;; n++) {
            test_memory_begin(0, false);
            model m = {0};
            tg_params *params = model_params(&m, 5);
            tg_gradcheck_report report;
            test_memory_refuse(n, false);
            const bool passed = tg_gradcheck(params, squares, &m, &report);
            const int64_t failed = test_memory_now().failed;
            ck_assert_msg(failed ? !passed && strstr(report.message, "out of memory") : passed,
                          "allocation %d: %s", n, report.message);
            tg_params_free(params);
            ck_assert_int_eq(test_memory_end().blocks, 0);
            if (!failed) break;
            ck_assert_int_lt(n, 1000);
        }
    }
END_TEST

Suite *gradcheck_suite(void);
Suite *gradcheck_suite(void)
{
    Suite *suite = suite_create("gradcheck");
    TCase *tc = tcase_create("gradcheck");
    tcase_add_loop_test(tc, planted_faults_fail, 0, (int)COUNT(faults));
    tcase_add_loop_test(tc, planted_faults_fail_in_large_parameters, 0, 4);
    tcase_add_test(tc, what_is_right_passes);
    tcase_add_test(tc, overwriting_is_right_alone);
    tcase_add_test(tc, everything_is_put_back);
    tcase_add_test(tc, frozen_parameters_are_left_alone);
    tcase_add_loop_test(tc, functions_at_fault_fail, 0, (int)COUNT(bad_functions));
    tcase_add_test(tc, dropout_can_be_checked);
    tcase_add_test(tc, null_parameters);
    tcase_add_test(tc, every_allocation_that_fails_is_an_error);
    suite_add_tcase(suite, tc);
    return suite;
}
