/* Memory: a steady loop allocates nothing; any allocation that fails is a clean error and leaks
 * nothing. */
#include "../support/support.h"

/* One step over core's operators. The first step needs more memory than one chunk of the tape. */
static void step(tg_tape *tape, tg_tensor *w, tg_tensor *b)
{
    tg_tensor *x = test_variable(tape, 3, -1, 1, TG_SHAPE(64, 50));
    tg_tensor *h = tg_tanh(tape, tg_add(tape, tg_matmul(tape, x, w), b));
    h = tg_layer_norm(tape, tg_dropout(tape, h, 0.5), b, NULL, 1e-5);
    tg_tensor *a = tg_softmax(tape, tg_matmul_transposed(tape, h, h, TG_TRANSPOSE_B));
    h = tg_concat(tape, 2,
                  (tg_tensor *[]){tg_matmul(tape, a, h), tg_max(tape, h, TG_AXES(0), true)}, 0);
    static const int32_t labels[65];
    tg_backward(tape, tg_cross_entropy(tape, h, tg_ints_1d(labels, 65)));
    test_assert_clean(tape);
    tg_tape_reset(tape);
}

START_TEST(a_steady_loop_allocates_nothing)
    {
        test_memory_begin(0, false);
        tg_tape *tape = tg_tape_new(1);
        tg_params *params = tg_params_new(1);
        tg_tensor *w = tg_param(params, NULL, "w", TG_SHAPE(50, 70), tg_init_uniform(0.1));
        tg_tensor *b = tg_param(params, NULL, "b", TG_SHAPE(70), tg_init_uniform(0.1));
        for (int i = 0; i < 3; i++) step(tape, w, b); /* the first steps may allocate */
        int64_t count_before = test_memory_now().asked;
        ck_assert_int_gt(count_before, 0); /* otherwise the counting allocator is not in use */
        for (int i = 0; i < 20; i++) step(tape, w, b);
        ck_assert_int_eq(test_memory_now().asked, count_before);
        test_end(tape, params);
        ck_assert_int_eq(test_memory_end().blocks, 0);
    }
END_TEST

START_TEST(a_smaller_step_allocates_nothing)
    {
        test_memory_begin(0, false);
        tg_tape *tape = tg_tape_new(1);
        for (int i = 0; i < 3; i++) {
            test_variable(tape, 1, -1, 1, TG_SHAPE(100, 1000));
            tg_tape_reset(tape);
        }
        int64_t count_before = test_memory_now().asked;
        for (int64_t n = 1; n <= 100000; n *= 10) {
            tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(n));
            ck_assert_int_eq(x->size, n);
            tg_tape_reset(tape);
        }
        ck_assert_int_eq(test_memory_now().asked, count_before);
        test_end(tape, NULL);
        ck_assert_int_eq(test_memory_end().blocks, 0);
    }
END_TEST

/* Fills the rest of the tape's chunk with at most `count` small tensors; returns how many fitted
 * before the tape allocated again. */
static int fill(tg_tape *tape, int count)
{
    int64_t asked = test_memory_now().asked;
    for (int n = 0; n < count; n++) {
        tg_constant(tape, NULL, TG_SHAPE(1));
        if (test_memory_now().asked > asked) return n;
    }
    return count;
}

/* A tape that has recorded the case once: scratch memory and gradients are allocated. */
static tg_tape *warm_tape(test_case *c)
{
    tg_tape *tape = tg_tape_new(1);
    tg_backward(tape, test_weighted_loss(tape, test_core_case_build(tape, c), 1));
    test_assert_clean(tape);
    tg_tape_reset(tape);
    return tape;
}

/* A pass on a tape with space for `spare` small tensors, after which each allocation fails. Returns
 * whether the pass succeeded. */
static bool starved_pass(test_case *c, int capacity, int spare)
{
    tg_tape *tape = warm_tape(c);
    fill(tape, capacity - spare);
    tg_params_zero_grad(c->params);
    test_memory_refuse(1, true);
    bool done = tg_backward(tape, test_weighted_loss(tape, test_core_case_build(tape, c), 1));
    const char *error = tg_tape_error(tape);
    ck_assert_msg(done == (error == NULL), "%s: backward returned %d, the error is %s", c->what,
                  done, error);
    ck_assert_msg(done || strstr(error, "out of memory"), "%s: %s", c->what, error);
    if (done) test_assert_params_clean(c->params);
    tg_params_take_error(c->params);
    test_memory_refuse(0, false);
    tg_tape_free(tape);
    return done;
}

/* Every allocation of every operator, forward and backward, fails in turn. */
START_TEST(an_operator_without_memory_is_an_error)
    {
        test_memory_begin(0, false);
        test_case c;
        test_core_case_begin(&c, _i);
        tg_tape *tape = warm_tape(&c);
        int capacity = fill(tape, 1 << 20);
        tg_tape_free(tape);
        int spare = 0;
        while (spare < capacity && !starved_pass(&c, capacity, spare)) spare++;
        ck_assert_int_gt(spare, 0);
        tg_params_free(c.params);
        ck_assert_int_eq(test_memory_end().blocks, 0);
    }
END_TEST

/* A pass on a new tape, whose first chunk has space and which has no scratch memory yet.
 * Allocations fail from the start or, with `backward_only`, from the backward pass on. Returns
 * whether the pass succeeded. */
static bool pass_without_scratch(test_case *c, bool backward_only)
{
    tg_tape *tape = tg_tape_new(1);
    tg_constant(tape, NULL, TG_SHAPE(1));
    tg_params_zero_grad(c->params);
    if (!backward_only) test_memory_refuse(1, true);
    tg_tensor *loss = test_weighted_loss(tape, test_core_case_build(tape, c), 1);
    test_memory_refuse(1, true);
    const bool done = tg_backward(tape, loss);
    test_memory_refuse(0, false);
    const char *error = tg_tape_error(tape);
    ck_assert_msg(done == (error == NULL), "%s: backward returned %d, the error is %s", c->what,
                  done, error);
    ck_assert_msg(done || strstr(error, "out of memory"), "%s: %s", c->what, error);
    tg_params_take_error(c->params);
    tg_tape_free(tape);
    return done;
}

START_TEST(an_operator_without_scratch_memory_is_an_error)
    {
        int refused[2] = {0, 0};
        for (int i = 0; i < test_core_case_count(); i++) {
            test_memory_begin(0, false);
            test_case c;
            test_core_case_begin(&c, i);
            tg_tape_free(warm_tape(&c)); /* allocates the parameters' gradients */
            for (int backward = 0; backward < 2; backward++)
                refused[backward] += !pass_without_scratch(&c, backward);
            tg_params_free(c.params);
            ck_assert_int_eq(test_memory_end().blocks, 0);
        }
        ck_assert_msg(refused[0] > 10 && refused[1] > 10,
                      "only %d and %d passes failed for lack of scratch memory", refused[0],
                      refused[1]);
    }
END_TEST

static tg_tensor *large_product(tg_tape *tape, tg_tensor *p, tg_tensor *q)
{
    return tg_mul(tape, p, q);
}
static tg_tensor *large_norm(tg_tape *tape, tg_tensor *p, tg_tensor *q)
{
    return tg_layer_norm(tape, q, NULL, p, 1e-5);
}

/* Only the backward pass needs this large scratch memory. The small scratch memory of the sums is
 * left from an earlier pass. */
START_TEST(a_backward_pass_without_scratch_memory_is_an_error)
    {
        enum { LARGE = 1 << 16 };
        tg_tensor *(*const forward)(tg_tape *, tg_tensor *, tg_tensor *) = _i ? large_norm
                                                                              : large_product;
        test_memory_begin(0, false);
        tg_params *params = tg_params_new(1);
        tg_tensor *p = tg_param(params, NULL, "p", TG_SHAPE(_i ? LARGE : 1), tg_init_uniform(1));
        tg_tensor *q = tg_param(params, NULL, "q", TG_SHAPE(LARGE), tg_init_uniform(1));
        for (int starved = 0; starved < 2; starved++) {
            tg_tape *tape = tg_tape_new(1);
            tg_constant(tape, NULL, TG_SHAPE(16 * LARGE)); /* space for results and gradients */
            ck_assert(tg_backward(tape, tg_sum(tape, tg_variable(tape, NULL, TG_SHAPE(1)),
                                               TG_ALL_AXES, false)));
            tg_tape_reset(tape);
            tg_tensor *y = tg_reshape(tape, forward(tape, p, q), TG_SHAPE(256, LARGE / 256));
            tg_tensor *loss = tg_sum(tape, tg_sum(tape, y, TG_AXES(1), false), TG_ALL_AXES, false);
            test_memory_refuse(starved, true);
            ck_assert(tg_backward(tape, loss) == !starved);
            test_memory_refuse(0, false);
            if (starved)
                test_expect_error(tape, _i ? "layer_norm: out of memory" : "mul: out of memory",
                                  NULL);
            if (starved) test_expect_params_error(params, "out of memory", NULL);
            test_end(tape, NULL);
            tg_params_zero_grad(params);
        }
        test_end(NULL, params);
        ck_assert_int_eq(test_memory_end().blocks, 0);
    }
END_TEST

/* ---- parameters: the n-th allocation fails ---- */

static bool build_and_save(const char *path)
{
    tg_params *params = tg_params_new(1);
    for (int i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof name, "p%d", i);
        tg_param(params, "layer", name, TG_SHAPE(10, 100), tg_init_uniform(1));
    }
    for (int i = 0; i < 20; i++) {
        char key[32];
        snprintf(key, sizeof key, "key%d", i);
        tg_params_set_metadata(params, key, "a value");
    }
    tg_params_set_metadata(params, "key3", "another value, which is longer");
    tg_params_set_metadata(params, "key4", NULL);
    bool saved = tg_params_save(params, path, TG_SAVE_STATE);
    const char *error = tg_params_error(params);
    ck_assert_msg(saved == (error == NULL), "saved: %d, error: %s", saved, error);
    ck_assert_msg(saved || (strstr(error, "out of memory: ") && strstr(error, " bytes for ")),
                  "the error names no bytes: %s", error);
    tg_params_free(params);
    return saved;
}

static bool load_and_find(const char *path)
{
    tg_params *params = tg_params_new(2);
    tg_param(params, "layer", "p3", TG_SHAPE(10, 100), tg_init_constant(0));
    tg_params_load(params, path);
    for (int i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof name, "p%d", i);
        if (i != 3) tg_param(params, "layer", name, TG_SHAPE(10, 100), tg_init_constant(0));
    }
    bool loaded = tg_params_finish_load(params);
    const char *error = tg_params_error(params);
    ck_assert_msg(loaded == (error == NULL), "loaded: %d, error: %s", loaded, error);
    ck_assert_msg(loaded || (strstr(error, "out of memory: ") && strstr(error, " bytes ")),
                  "the error names no bytes: %s", error);
    tg_params_free(params);
    return loaded;
}

START_TEST(parameters_without_memory_are_an_error)
    {
        bool permanently = _i;
        test_folder_begin();
        for (int n = 1;; n++) {
            test_memory_begin(n, permanently);
            bool saved = build_and_save(test_path("model"));
            test_memory_counts counts = test_memory_end();
            ck_assert_msg(counts.blocks == 0, "failing call %d leaked %lld blocks", n,
                          (long long)counts.blocks);
            ck_assert_int_lt(n, 10000);
            ck_assert_int_eq(test_folder_count(), saved); /* no part of a file is left */
            if (counts.failed == 0) break;
            ck_assert(!saved);
        }
        for (int n = 1;; n++) {
            test_memory_begin(n, permanently);
            bool loaded = load_and_find(test_path("model"));
            test_memory_counts counts = test_memory_end();
            ck_assert_msg(counts.blocks == 0, "failing call %d leaked %lld blocks", n,
                          (long long)counts.blocks);
            ck_assert_int_lt(n, 10000);
            if (counts.failed == 0) break;
            ck_assert(!loaded);
        }
        test_folder_end();
    }
END_TEST

START_TEST(nothing_is_created_without_memory)
    {
        test_memory_begin(1, true);
        ck_assert_ptr_null(tg_tape_new(1));
        ck_assert_ptr_null(tg_params_new(1));
        ck_assert_ptr_null(tg_realloc(NULL, 12345));
        ck_assert_int_eq(test_memory_end().blocks, 0);
    }
END_TEST

/* The gradient of q arrives first, and its memory is allocated already. The allocation of the large
 * gradient of p fails. */
START_TEST(half_a_gradient_is_not_used)
    {
        enum { LARGE = 1 << 20 };
        test_memory_begin(0, false);
        tg_params *params = tg_params_new(1);
        tg_tensor *p = tg_param(params, NULL, "p", TG_SHAPE(LARGE), tg_init_constant(1));
        tg_tensor *q = tg_param(params, NULL, "q", TG_SHAPE(1), tg_init_constant(1));
        tg_tape *tape = tg_tape_new(1);
        ck_assert(tg_backward(tape, q));
        tg_params_zero_grad(params);
        tg_tape_reset(tape);
        tg_tensor *loss = tg_add(tape, tg_sum(tape, tg_exp(tape, p), TG_ALL_AXES, true), q);
        test_assert_clean(tape);
        test_memory_refuse(1, true);
        ck_assert(!tg_backward(tape, loss));
        ck_assert_msg(strstr(tg_tape_error(tape), "out of memory") != NULL, "%s",
                      tg_tape_error(tape));
        ck_assert(q->has_grad && !p->has_grad && tg_params_error(params));
        test_memory_refuse(0, false);
        tg_sgd sgd = {.lr = 1};
        ck_assert(!tg_sgd_step(&sgd, params));
        ck_assert(q->data[0] == 1);
        tg_tape_free(tape);
        tg_params_free(params);
        ck_assert_int_eq(test_memory_end().blocks, 0);
    }
END_TEST

Suite *memory_suite(void);
Suite *memory_suite(void)
{
    Suite *suite = suite_create("memory");
    TCase *tc = tcase_create("memory");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, NULL, test_memory_leave);
    tcase_add_test(tc, a_steady_loop_allocates_nothing);
    tcase_add_test(tc, a_smaller_step_allocates_nothing);
    tcase_add_loop_test(tc, an_operator_without_memory_is_an_error, 0, test_core_case_count());
    tcase_add_test(tc, an_operator_without_scratch_memory_is_an_error);
    tcase_add_loop_test(tc, a_backward_pass_without_scratch_memory_is_an_error, 0, 2);
    tcase_add_loop_test(tc, parameters_without_memory_are_an_error, 0, 2);
    tcase_add_test(tc, nothing_is_created_without_memory);
    tcase_add_test(tc, half_a_gradient_is_not_used);
    suite_add_tcase(suite, tc);
    return suite;
}
