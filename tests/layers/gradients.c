/* Every layer's derivative against numerical differences, on batches of every kind. Every operator
 * of the library must have such a check. */
#include "layers.h"

START_TEST(gradients)
    {
        layer_case_run(_i);
    }
END_TEST

/* All checks once more in one process, in which coverage.c records the operators they reach. */
START_TEST(every_operator_is_checked)
    {
        test_forget_coverage();
        test_gradients_alone(true);
        for (int i = 0; i < test_core_case_count(); i++) test_core_case_run(i);
        for (int i = 0; i < layer_case_count(); i++) layer_case_run(i);
        test_gradients_alone(false);
        char missing[4096];
        int count = test_unchecked_operators(missing, sizeof missing);
        ck_assert_msg(count == 0, "%d operators lack a gradient check of some input:%s", count,
                      missing);
    }
END_TEST

/* ---- the test above fails when a check is missing ---- */

static bool planted_shape(tg_node *node) { return tg_output_like(node, node->inputs[0]) != NULL; }
static void planted_forward(tg_node *node)
{
    for (int64_t i = 0; i < node->outputs[0]->size; i++)
        node->outputs[0]->data[i] = node->inputs[0]->data[i] + node->inputs[1]->data[i];
}
static void planted_backward(tg_node *node)
{
    for (int k = 0; k < 2; k++) {
        tg_real *dx = tg_input_grad(node, k);
        for (int64_t i = 0; dx && i < node->outputs[0]->size; i++)
            dx[i] += node->outputs[0]->grad[i];
    }
}
static const tg_op planted = {.name = "planted",
                              .shape = planted_shape,
                              .forward = planted_forward,
                              .backward = planted_backward};

static tg_tensor *with_a_constant(tg_tape *tape, void *context)
{
    tg_tensor *const *p = context;
    return tg_apply(tape, &planted, NULL, 2,
                    (tg_tensor *[]){p[0], tg_constant(tape, NULL, TG_SHAPE(2))}, NULL);
}

static tg_tensor *with_both(tg_tape *tape, void *context)
{
    return tg_apply(tape, &planted, NULL, 2, context, NULL);
}

static void assert_planted(bool missing)
{
    char text[16384];
    test_unchecked_operators(text, sizeof text);
    ck_assert_msg((strstr(text, " planted ") != NULL) == missing, "%s", text);
}

START_TEST(an_unchecked_operator_is_found)
    {
        test_forget_coverage();
        test_extra_operator(&planted);
        assert_planted(true);
        tg_params *params = tg_params_new(1);
        tg_tensor *p[] = {tg_param(params, NULL, "a", TG_SHAPE(2), tg_init_constant(1)),
                          tg_param(params, NULL, "b", TG_SHAPE(2), tg_init_constant(1))};
        tg_params_freeze(params, "b", true);
        test_gradients("planted", params, with_a_constant, p);
        assert_planted(true); /* its second input has not been checked yet */
        tg_params_freeze(params, "b", false);
        test_gradients("planted", params, with_both, p);
        assert_planted(false);
        test_extra_operator(NULL);
        test_end(NULL, params);
    }
END_TEST

Suite *gradients_suite(void);
Suite *gradients_suite(void)
{
    Suite *suite = suite_create("gradients");
    TCase *tc = tcase_create("gradients");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, gradients, 0, layer_case_count());
    tcase_add_test(tc, every_operator_is_checked);
    tcase_add_test(tc, an_unchecked_operator_is_found);
    suite_add_tcase(suite, tc);
    return suite;
}
