/* Optimizer steps: which gradients they need and clear, which parameters they move; clipping at its
 * edges. */
#include "optimizers.h"

START_TEST(a_step_needs_a_fresh_gradient)
    {
        const optimizer *o = &optimizers[_i];
        tg_params *params = tg_params_new(1);
        tg_tensor *p = tg_param(params, NULL, "p", TG_SHAPE(2), tg_init_constant(1));
        const tg_real g[] = {1, -1};
        ck_assert(!take_step(o, params)); /* before any backward pass */
        test_expect_params_error(params, "gradient", NULL);
        TEST_TENSOR(p, TG_SHAPE(2), 1, 1);
        tg_tape *tape = tg_tape_new(1);
        give_gradient(tape, p, g);
        ck_assert(p->has_grad && take_step(o, params) && !p->has_grad);
        tg_real after[2];
        memcpy(after, p->data, sizeof after);
        ck_assert(after[0] < 1 &&
                  after[1] > (o->adam.weight_decay != 0 || o->sgd.weight_decay != 0 ? 0 : 1));
        ck_assert(!take_step(o, params)); /* the first step has cleared the gradient */
        test_expect_params_error(params, "gradient", NULL);
        test_assert_same_bits("after an error", p->data, after, 2);
        give_gradient(tape, p, g);
        tg_params_zero_grad(params);
        ck_assert(!take_step(o, params)); /* the gradient was zeroed */
        test_expect_params_error(params, "gradient", NULL);
        give_gradient(tape, p, g); /* nothing is left of the earlier gradients */
        test_assert_all_near("gradient", p->grad, (const double[]){1, -1}, 2, 0);
        ck_assert(take_step(o, params));
        ck_assert(!take_step(o, NULL));
        test_end(tape, params);
    }
END_TEST

START_TEST(a_step_after_an_error_does_nothing)
    {
        tg_params *params = tg_params_new(1);
        tg_tensor *p = tg_param(params, NULL, "p", TG_SHAPE(2), tg_init_constant(1));
        tg_tape *tape = tg_tape_new(1);
        give_gradient(tape, p, (const tg_real[]){1, 2});
        tg_param(params, NULL, "p", TG_SHAPE(2), tg_init_constant(1)); /* a name twice */
        ck_assert(!take_step(&optimizers[_i], params) && isnan(tg_clip_grad_norm(params, 1)));
        TEST_TENSOR(p, TG_SHAPE(2), 1, 1);
        test_expect_params_error(params, "p", NULL);
        ck_assert(take_step(&optimizers[_i], params)); /* the gradient is still there */
        test_end(tape, params);
    }
END_TEST

START_TEST(frozen_parameters_do_not_move)
    {
        const optimizer *o = &optimizers[_i];
        tg_params *params = tg_params_new(1);
        tg_tensor *p = tg_param(params, "a", "p", TG_SHAPE(2), tg_init_constant(1)),
                  *q = tg_param(params, "b", "q", TG_SHAPE(2), tg_init_constant(1));
        tg_tape *tape = tg_tape_new(1);
        const tg_real g[] = {1, 2};
        give_gradient(tape, p, g);
        give_gradient(tape, q, g);
        tg_params_freeze(params, "a", true); /* between the backward pass and the step */
        ck_assert(take_step(o, params));
        TEST_TENSOR(p, TG_SHAPE(2), 1, 1);
        ck_assert(q->data[0] < 1 && !q->has_grad);
        tg_params_freeze(params, "b", true);
        ck_assert(!take_step(o, params)); /* all are frozen */
        test_expect_params_error(params, NULL);
        tg_params_freeze(params, "", false);
        give_gradient(tape, p, g);
        /* Nothing is left of the earlier gradient. */
        test_assert_all_near("gradient", p->grad, (const double[]){1, 2}, 2, 0);
        ck_assert(take_step(o, params) && p->data[0] < 1);
        test_end(tape, params);
    }
END_TEST

/* A parameter that the loss does not depend on is not moved, neither by weight decay nor by
 * momentum. */
START_TEST(parameters_without_a_gradient_do_not_move)
    {
        const optimizer *o = &optimizers[_i];
        tg_params *params = tg_params_new(1);
        tg_tensor *p = tg_param(params, NULL, "p", TG_SHAPE(2), tg_init_constant(1)),
                  *q = tg_param(params, NULL, "q", TG_SHAPE(2), tg_init_constant(1));
        tg_tape *tape = tg_tape_new(1);
        const tg_real g[] = {1, 2};
        give_gradient(tape, p, g);
        give_gradient(tape, q, g);
        ck_assert(take_step(o, params));
        tg_real after_first[2];
        memcpy(after_first, q->data, sizeof after_first);
        give_gradient(tape, p, g);
        ck_assert(take_step(o, params));
        test_assert_same_bits("q", q->data, after_first, 2);
        ck_assert(p->data[0] < after_first[0]);
        test_end(tape, params);
    }
END_TEST

/* Adam counts the steps of each parameter: one that gets its first gradient later starts at step
 * 1. */
START_TEST(adam_counts_the_steps_of_each_parameter)
    {
        tg_params *params = tg_params_new(1);
        tg_tensor *p = tg_param(params, NULL, "p", TG_SHAPE(1), tg_init_constant(1)),
                  *late = tg_param(params, NULL, "late", TG_SHAPE(1), tg_init_constant(1));
        tg_tape *tape = tg_tape_new(1);
        const tg_real g[] = {(tg_real)0.3};
        tg_adam adam = tg_adam_default(0.125);
        give_gradient(tape, p, g);
        ck_assert(tg_adam_step(&adam, params));
        tg_real first = p->data[0];
        /* The length of the first step is the learning rate. */
        ck_assert_msg(test_near((double)first, 1 - 0.125, 1e-6), "%g", (double)first);
        for (int i = 0; i < 3; i++) {
            give_gradient(tape, p, g);
            if (i == 2) give_gradient(tape, late, g);
            ck_assert(tg_adam_step(&adam, params));
        }
        ck_assert(late->data[0] == first);
        test_end(tape, params);
    }
END_TEST

START_TEST(decay_groups)
    {
        tg_params *params = tg_params_new(1);
        tg_tensor *w = tg_param(params, "l", "weight", TG_SHAPE(1), tg_init_constant(2)),
                  *b = tg_param(params, "l", "bias", TG_SHAPE(1), tg_init_constant(2));
        ck_assert_int_eq(tg_params_no_decay(params, "l.bias"), 1);
        tg_tape *tape = tg_tape_new(1);
        const tg_real zero[] = {0};
        tg_adam adamw = tg_adamw_default(0.5), adam = tg_adam_default(0.5);
        tg_sgd sgd = {.lr = 0.5, .weight_decay = 0.25};
        ck_assert(adamw.decoupled && adamw.weight_decay == 0.01 && adamw.lr == 0.5 &&
                  adamw.beta1 == 0.9 && adamw.beta2 == 0.999 && adamw.eps == 1e-8);
        ck_assert(!adam.decoupled && adam.weight_decay == 0 && adam.beta1 == 0.9 &&
                  adam.beta2 == 0.999 && adam.eps == 1e-8);
        adamw.weight_decay = 0.25;
        give_gradient(tape, w, zero);
        give_gradient(tape, b, zero);
        ck_assert(tg_adam_step(&adamw, params)); /* p -= lr weight_decay p */
        ck_assert(w->data[0] == 2 - (tg_real)0.25 && b->data[0] == 2);
        give_gradient(tape, w, zero);
        give_gradient(tape, b, zero);
        ck_assert(tg_sgd_step(&sgd, params)); /* g += weight_decay p */
        ck_assert((double)w->data[0] == 1.75 - 0.5 * 0.25 * 1.75 && b->data[0] == 2);
        test_end(tape, params);
    }
END_TEST

/* The gradients of several backward passes add up until the step. */
START_TEST(accumulated_gradients)
    {
        const optimizer *o = &optimizers[_i];
        tg_params *a = tg_params_new(1), *b = tg_params_new(1);
        tg_tensor *p = tg_param(a, NULL, "p", TG_SHAPE(2), tg_init_constant(1)),
                  *q = tg_param(b, NULL, "p", TG_SHAPE(2), tg_init_constant(1));
        tg_tape *tape = tg_tape_new(1);
        for (int step = 0; step < 3; step++) {
            give_gradient(tape, p, (const tg_real[]){1, -2});
            give_gradient(tape, p, (const tg_real[]){2, (tg_real)0.5});
            give_gradient(tape, q, (const tg_real[]){3, (tg_real)-1.5});
            ck_assert(take_step(o, a) && take_step(o, b));
            test_assert_same_bits("p", p->data, q->data, 2);
        }
        test_end(NULL, b);
        test_end(tape, a);
    }
END_TEST

/* ---- clipping ---- */

START_TEST(clipping_at_the_edges)
    {
        tg_params *params = tg_params_new(1);
        tg_tensor *a = tg_param(params, NULL, "a", TG_SHAPE(1), tg_init_constant(0)),
                  *b = tg_param(params, NULL, "b", TG_SHAPE(1), tg_init_constant(0));
        tg_tensor *unused = tg_param(params, NULL, "unused", TG_SHAPE(1), tg_init_constant(0));
        tg_tape *tape = tg_tape_new(1);
        const tg_real three[] = {3}, four[] = {-4};
        give_gradient(tape, a, three);
        give_gradient(tape, b, four);
        ck_assert(tg_grad_norm(a) == 3 && tg_grad_norm(b) == 4 && tg_grad_norm(unused) == 0 &&
                  tg_grad_norm(NULL) == 0);
        ck_assert(test_near(tg_clip_grad_norm(params, 6), 5, TEST_TOLERANCE));
        ck_assert(a->grad[0] == 3 && b->grad[0] == -4); /* below the limit no bit changes */
        ck_assert(test_near(tg_clip_grad_norm(params, INF), 5, TEST_TOLERANCE) && a->grad[0] == 3);
        ck_assert(test_near(tg_clip_grad_norm(params, 2.5), 5, TEST_TOLERANCE));
        ck_assert(test_near((double)a->grad[0], 1.5, 1e-5) &&
                  test_near((double)b->grad[0], -2, 1e-5));
        ck_assert(!unused->has_grad);
        double norm = tg_clip_grad_norm(params, 2.5); /* clipped already */
        ck_assert(norm <= 2.5 * (1 + TEST_TOLERANCE) && norm > 2.4999);
        tg_params_freeze(params, "b", true); /* frozen parameters do not count */
        ck_assert(test_near(tg_clip_grad_norm(params, 100), (double)a->grad[0], TEST_TOLERANCE));
        tg_params_zero_grad(params);
        give_gradient(tape, a, (const tg_real[]){0});
        ck_assert(tg_clip_grad_norm(params, 1) == 0 && a->grad[0] == 0);
        test_end(tape, params);
    }
END_TEST

START_TEST(clipping_of_nan_and_infinity)
    {
        const tg_real bad[] = {(tg_real)NAN, (tg_real)INFINITY, (tg_real)-INFINITY};
        for (size_t k = 0; k < COUNT(bad); k++) {
            tg_params *params = tg_params_new(1);
            tg_tensor *a = tg_param(params, NULL, "fine", TG_SHAPE(2), tg_init_constant(1)),
                      *b = tg_param(params, NULL, "guilty", TG_SHAPE(3), tg_init_constant(1));
            tg_tensor *c = tg_param(params, NULL, "later", TG_SHAPE(1), tg_init_constant(1));
            tg_tape *tape = tg_tape_new(1);
            const tg_real g[] = {1, bad[k], 2};
            give_gradient(tape, a, (const tg_real[]){1, 2});
            give_gradient(tape, b, g);
            give_gradient(tape, c, bad + k);
            ck_assert(isnan(tg_clip_grad_norm(params, 1)));
            ck_assert(!take_step(&optimizers[ADAM], params)); /* the error stops the step */
            test_expect_params_error(params, "guilty", NULL);
            TEST_TENSOR(a, TG_SHAPE(2), 1, 1);
            test_end(tape, params);
        }
    }
END_TEST

/* The squares of these gradients overflow a float; the norm is right nevertheless. */
START_TEST(clipping_of_huge_gradients)
    {
        const double huge = sizeof(tg_real) == 4 ? 1e30 : 1e120;
        tg_params *params = tg_params_new(1);
        tg_tensor *a = tg_param(params, NULL, "a", TG_SHAPE(2000), tg_init_constant(0));
        tg_tape *tape = tg_tape_new(1);
        tg_real *g = malloc(2000 * sizeof *g);
        for (int i = 0; i < 2000; i++) g[i] = (tg_real)(i % 2 ? huge : -huge);
        give_gradient(tape, a, g);
        ck_assert(test_near(tg_grad_norm(a), huge * sqrt(2000), 1e-6 * huge));
        ck_assert(test_near(tg_clip_grad_norm(params, 5), huge * sqrt(2000), 1e-6 * huge));
        ck_assert(test_near((double)a->grad[1], 5 / sqrt(2000), 1e-6) &&
                  test_near(tg_grad_norm(a), 5, 1e-5));
        free(g);
        test_end(tape, params);
    }
END_TEST

START_TEST(clipping_to_an_invalid_limit)
    {
        const double limits[] = {-1, QNAN};
        for (size_t k = 0; k < COUNT(limits); k++) {
            tg_params *params = tg_params_new(1);
            tg_tensor *a = tg_param(params, NULL, "a", TG_SHAPE(1), tg_init_constant(0));
            tg_tape *tape = tg_tape_new(1);
            give_gradient(tape, a, (const tg_real[]){3});
            ck_assert(isnan(tg_clip_grad_norm(params, limits[k])) && a->grad[0] == 3);
            test_expect_params_error(params, "clip_grad_norm", "limit", NULL);
            test_end(tape, params);
        }
    }
END_TEST

START_TEST(clipping_without_gradients)
    {
        tg_params *params = tg_params_new(1);
        tg_param(params, NULL, "p", TG_SHAPE(2), tg_init_constant(1));
        ck_assert(isnan(tg_clip_grad_norm(params, 1))); /* an error as for a step */
        test_expect_params_error(params, "gradient", NULL);
        ck_assert(isnan(tg_clip_grad_norm(NULL, 1)));
        test_end(NULL, params);
    }
END_TEST

/* A running sum in one float would lose the small terms of so many. */
START_TEST(the_norm_of_many_numbers)
    {
        enum { LARGE = 1 << 20 };
        tg_params *params = tg_params_new(1);
        tg_tensor *p = tg_param(params, NULL, "p", TG_SHAPE(LARGE), tg_init_constant(0));
        tg_real *g = malloc(LARGE * sizeof *g);
        double sum = 0;
        for (int i = 0; i < LARGE; i++) {
            g[i] = (tg_real)test_number(4, i, -1, 1);
            sum += (double)g[i] * (double)g[i];
        }
        tg_tape *tape = tg_tape_new(1);
        give_gradient(tape, p, g);
        ck_assert(
            test_near(tg_clip_grad_norm(params, INF), sqrt(sum), TEST_TOLERANCE / 10 * sqrt(sum)));
        ck_assert(test_near(tg_grad_norm(p), sqrt(sum), TEST_TOLERANCE / 10 * sqrt(sum)));
        free(g);
        test_end(tape, params);
    }
END_TEST

Suite *steps_suite(void);
Suite *steps_suite(void)
{
    Suite *suite = suite_create("steps");
    TCase *tc = tcase_create("steps");
    tcase_add_loop_test(tc, a_step_needs_a_fresh_gradient, 0, OPTIMIZERS);
    tcase_add_loop_test(tc, a_step_after_an_error_does_nothing, 0, OPTIMIZERS);
    tcase_add_loop_test(tc, frozen_parameters_do_not_move, 0, OPTIMIZERS);
    tcase_add_loop_test(tc, parameters_without_a_gradient_do_not_move, 0, OPTIMIZERS);
    tcase_add_test(tc, adam_counts_the_steps_of_each_parameter);
    tcase_add_test(tc, decay_groups);
    tcase_add_loop_test(tc, accumulated_gradients, 0, OPTIMIZERS);
    tcase_add_test(tc, clipping_at_the_edges);
    tcase_add_test(tc, clipping_of_nan_and_infinity);
    tcase_add_test(tc, clipping_of_huge_gradients);
    tcase_add_test(tc, clipping_to_an_invalid_limit);
    tcase_add_test(tc, clipping_without_gradients);
    tcase_add_test(tc, the_norm_of_many_numbers);
    suite_add_tcase(suite, tc);
    return suite;
}
