/* Tapes, losses and expected errors. */
#include <stdarg.h>

#include "support.h"

tg_tensor *test_variable(tg_tape *tape, uint64_t seed, double low, double high, int ndim,
                         const int64_t *shape)
{
    tg_tensor *x = tg_variable(tape, NULL, ndim, shape);
    if (x) test_fill(x->data, x->size, seed, low, high); /* before an operator reads it */
    return x;
}

tg_tensor *test_weighted_loss(tg_tape *tape, tg_tensor *y, uint64_t seed)
{
    if (!y) return NULL;
    tg_tensor *r = tg_constant(tape, NULL, y->ndim, y->shape);
    if (r) test_fill(r->data, r->size, seed, -1, 1);
    return tg_sum(tape, tg_mul(tape, y, r), TG_ALL_AXES, false);
}

void test_assert_clean(tg_tape *tape)
{
    const char *error = tg_tape_error(tape);
    ck_assert_msg(error == NULL, "the tape has the error: %s", error ? error : "");
}

void test_assert_params_clean(tg_params *params)
{
    const char *error = tg_params_error(params);
    ck_assert_msg(error == NULL, "the parameters have the error: %s", error ? error : "");
}

void test_end(tg_tape *tape, tg_params *params)
{
    if (tape) test_assert_clean(tape);
    if (params) test_assert_params_clean(params);
    tg_tape_free(tape);
    tg_params_free(params);
}

static void assert_error_text(const char *error, va_list parts)
{
    ck_assert_msg(error != NULL, "there is no error");
    ck_assert_msg(*error && !strchr(error, '\n'), "the error is not one line: %s", error);
    const char *part = va_arg(parts, const char *);
    while (part) {
        ck_assert_msg(strstr(error, part) != NULL, "the error \"%s\" lacks \"%s\"", error, part);
        part = va_arg(parts, const char *);
    }
}

void test_expect_error(tg_tape *tape, ...)
{
    va_list parts;
    va_start(parts, tape);
    assert_error_text(tg_tape_take_error(tape), parts);
    va_end(parts);
    ck_assert_ptr_null(tg_tape_error(tape));
    tg_tape_reset(tape);
}

void test_expect_params_error(tg_params *params, ...)
{
    va_list parts;
    va_start(parts, params);
    assert_error_text(tg_params_take_error(params), parts);
    va_end(parts);
    ck_assert_ptr_null(tg_params_error(params));
}

int test_main(int count, Suite *(*const suites[])(void))
{
    SRunner *runner = srunner_create(NULL);
    for (int i = 0; i < count; i++) srunner_add_suite(runner, suites[i]());
    srunner_run_all(runner, CK_ENV); /* CK_FORK and CK_VERBOSITY choose */
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
