/* One hundred steps of each optimizer, and clipping, against PyTorch. */
#include "optimizers.h"

/* As in tests/golden/make_golden.py. */
const optimizer optimizers[OPTIMIZERS] = {
    {.name = "adam",
     .is_adam = true,
     .adam = {.lr = 1e-2, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8}},
    {.name = "adam_l2",
     .is_adam = true,
     .adam = {.lr = 1e-2, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.1}},
    {.name = "adamw",
     .is_adam = true,
     .adam = {.lr = 1e-2,
              .beta1 = 0.9,
              .beta2 = 0.999,
              .eps = 1e-8,
              .weight_decay = 0.1,
              .decoupled = true}},
    {.name = "sgd", .sgd = {.lr = 1e-2}},
    {.name = "sgd_momentum", .sgd = {.lr = 1e-2, .momentum = 0.9}},
    {.name = "sgd_nesterov",
     .sgd = {.lr = 1e-2, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true}},
};

void give_gradient(tg_tape *tape, tg_tensor *p, const tg_real *g)
{
    tg_tensor *loss = tg_sum(tape, tg_mul(tape, p, tg_constant(tape, g, p->ndim, p->shape)),
                             TG_ALL_AXES, false);
    ck_assert_msg(tg_backward(tape, loss), "%s", tg_tape_error(tape));
    tg_tape_reset(tape);
}

enum { STEPS = 100, N = 7 };

/* Relative to the largest magnitude of each column: a hundred roundings of 6e-8 in float, of 1e-16
 * in double. */
#ifdef TG_DOUBLE
static const double tolerance = 1e-13;
#else
static const double tolerance = 1e-6;
#endif

START_TEST(trajectories)
    {
        const optimizer *o = &optimizers[_i];
        char name[64];
        snprintf(name, sizeof name, "traj.%s", o->name);
        tg_params *golden = test_golden_open("optim"), *params = tg_params_new(1);
        const tg_real *start = test_golden(golden, "in.p", TG_SHAPE(N))->data,
                      *g = test_golden(golden, "in.g", TG_SHAPE(STEPS, N))->data;
        const tg_real *want = test_golden(golden, name, TG_SHAPE(STEPS, N))->data;
        tg_tensor *p = tg_param(params, NULL, "p", TG_SHAPE(N), tg_init_constant(0));
        memcpy(p->data, start, N * sizeof *start);
        double largest[N] = {0};
        for (int i = 0; i < STEPS * N; i++)
            largest[i % N] = fmax(largest[i % N], fabs((double)want[i]));
        tg_tape *tape = tg_tape_new(1);
        for (int step = 0; step < STEPS; step++) {
            give_gradient(tape, p, g + step * N);
            ck_assert(take_step(o, params));
            for (int i = 0; i < N; i++)
                TEST_CHECK(test_near((double)p->data[i], (double)want[step * N + i],
                                     tolerance * largest[i]),
                           "%s, step %d, element %d: %.17g, PyTorch %.17g", o->name, step, i,
                           (double)p->data[i], (double)want[step * N + i]);
        }
        test_end(NULL, golden);
        test_end(tape, params);
    }
END_TEST

/* A large parameter with the same number in each element: full vectors, the remainder, and the
 * blocks of all threads agree to the bit. */
START_TEST(every_element_moves_alike)
    {
        enum { LARGE = 100003 };
        const optimizer *o = &optimizers[_i];
        tg_params *params = tg_params_new(1);
        tg_tensor *p = tg_param(params, NULL, "p", TG_SHAPE(LARGE), tg_init_constant(0.7));
        tg_real *g = malloc(LARGE * sizeof *g);
        tg_tape *tape = tg_tape_new(1);
        for (int step = 0; step < 3; step++) {
            for (int i = 0; i < LARGE; i++) g[i] = (tg_real)test_number(3, step, -1, 1);
            give_gradient(tape, p, g);
            ck_assert(take_step(o, params));
            for (int i = 1; i < LARGE; i++)
                TEST_CHECK(p->data[i] == p->data[0], "%s, element %d", o->name, i);
        }
        free(g);
        test_end(tape, params);
    }
END_TEST

START_TEST(clipping)
    {
        tg_params *golden = test_golden_open("optim"), *params = tg_params_new(1);
        const tg_real *ga = test_golden(golden, "in.clip_a", TG_SHAPE(4))->data,
                      *gb = test_golden(golden, "in.clip_b", TG_SHAPE(2, 3))->data;
        tg_tensor *a = tg_param(params, NULL, "a", TG_SHAPE(4), tg_init_constant(0)),
                  *b = tg_param(params, NULL, "b", TG_SHAPE(2, 3), tg_init_constant(0));
        double limit = (double)test_golden(golden, "in.clip_max_norm", TG_SHAPE(1))->data[0];
        double want = (double)test_golden(golden, "out.clip_norm", TG_SHAPE(1))->data[0];
        tg_tape *tape = tg_tape_new(1);
        give_gradient(tape, a, ga);
        give_gradient(tape, b, gb);
        test_assert_number("norm", tg_clip_grad_norm(params, limit), want);
        test_assert_reals_near("a", a->grad, test_golden(golden, "out.clip_a", TG_SHAPE(4))->data,
                               4, TEST_TOLERANCE);
        test_assert_reals_near("b", b->grad,
                               test_golden(golden, "out.clip_b", TG_SHAPE(2, 3))->data, 6,
                               TEST_TOLERANCE);
        test_end(NULL, golden);
        test_end(tape, params);
    }
END_TEST

Suite *golden_suite(void);
Suite *golden_suite(void)
{
    Suite *suite = suite_create("golden");
    TCase *tc = tcase_create("golden");
    tcase_add_loop_test(tc, trajectories, 0, OPTIMIZERS);
    tcase_add_loop_test(tc, every_element_moves_alike, 0, OPTIMIZERS);
    tcase_add_test(tc, clipping);
    suite_add_tcase(suite, tc);
    return suite;
}
