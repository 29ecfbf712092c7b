/* A training that is resumed from a file ends in the same bits as one that was never stopped. */
#include "optimizers.h"

enum { BEFORE = 7, AFTER = 9 };

typedef struct model {
    tg_params *params;
    tg_tape *tape;
    tg_linear a, b;
} model;

static void build(model *m)
{
    if (!m->params) m->params = tg_params_new(3);
    m->tape = tg_tape_new(3);
    tg_linear_init(&m->a, m->params, "first", 5, 9);
    tg_linear_init(&m->b, m->params, "second", 9, 3);
    tg_params_no_decay(m->params, "first.bias");
    test_assert_params_clean(m->params);
}

static void train(model *m, const optimizer *o, int from, int to)
{
    for (int step = from; step < to; step++) {
        int32_t labels[6];
        for (int i = 0; i < 6; i++) labels[i] = (i + step) % 3;
        tg_tensor *x = tg_constant(m->tape, NULL, TG_SHAPE(6, 5));
        test_fill(x->data, x->size, (uint64_t)step, -1, 1);
        tg_tensor *h = tg_dropout(m->tape, tg_tanh(m->tape, tg_linear_forward(m->tape, &m->a, x)),
                                  0.2);
        tg_backward(m->tape, tg_cross_entropy(m->tape, tg_linear_forward(m->tape, &m->b, h),
                                              tg_ints_1d(labels, 6)));
        tg_clip_grad_norm(m->params, 0.5);
        ck_assert_msg(take_step(o, m->params), "%s", tg_params_error(m->params));
        test_assert_clean(m->tape);
        tg_tape_reset(m->tape);
    }
}

static void assert_same(tg_params *got, tg_params *want, bool same)
{
    bool differs = false;
    for (int64_t i = 0; i < tg_params_count(want); i++) {
        tg_tensor *w = tg_params_at(want, i), *g = tg_params_find(got, w->name);
        if (same) test_assert_same_bits(w->name, g->data, w->data, w->size);
        differs = differs || memcmp(g->data, w->data, (size_t)w->size * sizeof *w->data) != 0;
    }
    ck_assert(differs == !same);
}

static void end(model *m) { test_end(m->tape, m->params); }

/* way 0: loaded after the model is built; 1: loaded before; 2: without optimizer state, which must
 * change the result. */
START_TEST(a_resumed_training)
    {
        const optimizer *o = &optimizers[_i % OPTIMIZERS];
        int way = _i / OPTIMIZERS;
        test_folder_begin();
        model straight = {0}, stopped = {0}, resumed = {0};
        build(&straight);
        train(&straight, o, 0, BEFORE + AFTER);
        build(&stopped);
        train(&stopped, o, 0, BEFORE);
        ck_assert(tg_params_save(stopped.params, test_path("run"),
                                 way == 2 ? TG_SAVE_MODEL : TG_SAVE_STATE));
        if (way == 0) build(&resumed);
        else resumed.params = tg_params_new(99);
        ck_assert_msg(tg_params_load(resumed.params, test_path("run")), "%s",
                      tg_params_error(resumed.params));
        if (way != 0) build(&resumed);
        ck_assert_msg(tg_params_finish_load(resumed.params), "%s", tg_params_error(resumed.params));
        *tg_tape_random(resumed.tape) = *tg_tape_random(stopped.tape);
        train(&resumed, o, BEFORE, BEFORE + AFTER);
        bool has_state = o->is_adam || o->sgd.momentum != 0;
        assert_same(resumed.params, straight.params, way != 2 || !has_state);
        end(&straight);
        end(&stopped);
        end(&resumed);
        test_folder_end();
    }
END_TEST

/* Loading replaces the state of a model that has some already, step counts included. */
START_TEST(loaded_over_another_state)
    {
        const optimizer *o = &optimizers[_i];
        test_folder_begin();
        model straight = {0}, stopped = {0};
        build(&straight);
        train(&straight, o, 0, BEFORE + AFTER);
        build(&stopped);
        train(&stopped, o, 0, BEFORE);
        tg_random random = *tg_tape_random(stopped.tape);
        ck_assert(tg_params_save(stopped.params, test_path("run"), TG_SAVE_STATE));
        train(&stopped, o, 50, 54); /* the load must undo these steps */
        ck_assert(tg_params_load(stopped.params, test_path("run")) &&
                  tg_params_finish_load(stopped.params));
        *tg_tape_random(stopped.tape) = random;
        train(&stopped, o, BEFORE, BEFORE + AFTER);
        assert_same(stopped.params, straight.params, true);
        end(&straight);
        end(&stopped);
        test_folder_end();
    }
END_TEST

START_TEST(a_model_file_holds_no_state)
    {
        test_folder_begin();
        model m = {0};
        build(&m);
        train(&m, &optimizers[ADAMW], 0, 2);
        ck_assert(tg_params_save(m.params, test_path("model"), TG_SAVE_MODEL) &&
                  tg_params_save(m.params, test_path("state"), TG_SAVE_STATE));
        size_t model_size, state_size, numbers = (size_t)tg_params_size(m.params) * sizeof(tg_real);
        free(test_read_file(test_path("model"), &model_size));
        free(test_read_file(test_path("state"), &state_size));
        ck_assert(model_size > numbers && model_size < 2 * numbers + 4096 &&
                  state_size >= model_size + 2 * numbers);
        end(&m);
        test_folder_end();
    }
END_TEST

/* A program without an optimizer can load a file with optimizer state: the state does not count as
 * unused tensors. */
START_TEST(a_state_file_is_a_model_too)
    {
        test_folder_begin();
        model m = {0}, reader = {0};
        build(&m);
        train(&m, &optimizers[ADAM], 0, 2);
        ck_assert(tg_params_save(m.params, test_path("state"), TG_SAVE_STATE));
        reader.params = tg_params_new(5);
        ck_assert(tg_params_load(reader.params, test_path("state")));
        build(&reader);
        ck_assert_msg(tg_params_finish_load(reader.params), "%s", tg_params_error(reader.params));
        assert_same(reader.params, m.params, true);
        end(&m);
        end(&reader);
        test_folder_end();
    }
END_TEST

/* State that a program adds to a parameter is saved and loaded with it. */
START_TEST(state_of_a_program)
    {
        test_folder_begin();
        model m = {0}, reader = {0};
        build(&m);
        train(&m, &optimizers[ADAM], 0, 2);
        tg_tensor *p = tg_params_at(m.params, 0);
        tg_real *mean = tg_params_state(p, "mean");
        for (int64_t i = 0; i < p->size; i++) {
            ck_assert(mean[i] == 0);
            mean[i] = (tg_real)i + (tg_real)0.5;
        }
        ck_assert_ptr_eq(tg_params_state(p, "mean"), mean);
        ck_assert(tg_params_save(m.params, test_path("state"), TG_SAVE_STATE));
        build(&reader);
        ck_assert(tg_params_load(reader.params, test_path("state")) &&
                  tg_params_finish_load(reader.params));
        tg_tensor *q = tg_params_at(reader.params, 0);
        test_assert_same_bits("mean", tg_params_state(q, "mean"), mean, p->size);
        ck_assert(tg_params_state(q, "exp_avg") != NULL && tg_params_state(q, "fourth") != NULL);
        ck_assert_ptr_null(tg_params_state(q, "fifth"));
        test_expect_params_error(reader.params, q->name, NULL);
        const char *const bad_names[] = {"", "a/b", "a name of 24 bytes or so"};
        for (size_t i = 0; i < COUNT(bad_names); i++) {
            ck_assert_ptr_null(tg_params_state(q, bad_names[i]));
            test_expect_params_error(reader.params, q->name, "name", NULL);
        }
        ck_assert_ptr_null(tg_params_state(NULL, "mean"));
        end(&m);
        end(&reader);
        test_folder_end();
    }
END_TEST

Suite *resume_suite(void);
Suite *resume_suite(void)
{
    Suite *suite = suite_create("resume");
    TCase *tc = tcase_create("resume");
    tcase_add_loop_test(tc, a_resumed_training, 0, 3 * OPTIMIZERS);
    tcase_add_loop_test(tc, loaded_over_another_state, 0, OPTIMIZERS);
    tcase_add_test(tc, a_model_file_holds_no_state);
    tcase_add_test(tc, a_state_file_is_a_model_too);
    tcase_add_test(tc, state_of_a_program);
    suite_add_tcase(suite, tc);
    return suite;
}
