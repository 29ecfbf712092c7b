/* A complete small model: a steady training step allocates nothing, and any allocation that fails
 * is a clean error. */
#include "layers.h"

enum { VOCABULARY = 30, E = 6, H = 5, B = 4, T = 7, CLASSES = 3 };

typedef struct classifier {
    tg_embedding words;
    tg_lstm encoder;
    tg_layer_norm_layer norm;
    tg_additive_attention attention;
    tg_linear classify;
} classifier;

static bool build(classifier *m, tg_params *params)
{
    *m = (classifier){.words = {0}};
    return tg_embedding_init(&m->words, params, "words", VOCABULARY, E, 0) &&
           tg_lstm_init(&m->encoder, params, "encoder", E, H, 2, true) &&
           tg_layer_norm_init(&m->norm, params, "norm", 2 * H) &&
           tg_additive_attention_init(&m->attention, params, "attention", 2 * H, H) &&
           tg_linear_init(&m->classify, params, "classify", 2 * H, CLASSES);
}

static bool train_step(tg_tape *tape, tg_params *params, const classifier *m, int step)
{
    int32_t ids[B * T], lengths[B], labels[B];
    for (int i = 0; i < B * T; i++) ids[i] = (int32_t)test_number((uint64_t)step, i, 0, VOCABULARY);
    for (int i = 0; i < B; i++) {
        lengths[i] = (i + step) % (T + 1);
        labels[i] = (i + step) % CLASSES;
    }
    tg_tensor *x = tg_dropout(tape, tg_embedding_forward(tape, &m->words, tg_ints_2d(ids, B, T)),
                              0.3);
    tg_tensor *h = tg_layer_norm_forward(tape, &m->norm,
                                         tg_lstm_forward(tape, &m->encoder, x,
                                                         tg_ints_1d(lengths, B)));
    tg_tensor *attended;
    tg_tensor *c = tg_additive_attention_forward(tape, &m->attention, h, tg_ints_1d(lengths, B),
                                                 &attended);
    tg_tensor *loss = tg_cross_entropy(tape, tg_linear_forward(tape, &m->classify, c),
                                       tg_ints_1d(labels, B));
    tg_adam adam = tg_adam_default(1e-2);
    tg_backward(tape, loss);
    tg_clip_grad_norm(params, 1);
    tg_adam_step(&adam, params);
    bool ok = tape && params && !tg_tape_error(tape) && !tg_params_error(params);
    tg_tape_reset(tape);
    return ok;
}

START_TEST(a_steady_training_step_allocates_nothing)
    {
        test_memory_begin(0, false);
        tg_params *params = tg_params_new(1);
        tg_tape *tape = tg_tape_new(1);
        classifier m;
        ck_assert(build(&m, params));
        /* Ten steps contain every length. */
        for (int i = 0; i < 10; i++) ck_assert(train_step(tape, params, &m, i));
        int64_t count_before = test_memory_now().asked;
        ck_assert_int_gt(count_before, 0);
        for (int i = 0; i < 50; i++) ck_assert(train_step(tape, params, &m, i));
        ck_assert_int_eq(test_memory_now().asked, count_before);
        test_end(tape, params);
        ck_assert_int_eq(test_memory_end().blocks, 0);
    }
END_TEST

/* ---- each allocation fails in turn ---- */

static bool has_error(tg_tape *tape, tg_params *params)
{
    return tg_tape_error(tape) || tg_params_error(params);
}

/* Builds, trains, saves; then loads, builds, and trains on. Returns whether all of it succeeded. */
static bool full_cycle(const char *path)
{
    tg_params *params = tg_params_new(1);
    tg_tape *tape = tg_tape_new(1);
    classifier m;
    bool ok = build(&m, params);
    for (int i = 0; i < 2; i++) ok = train_step(tape, params, &m, i) && ok;
    tg_params_set_metadata(params, "labels", "one two three");
    ok = tg_params_save(params, path, TG_SAVE_STATE) && ok;
    ck_assert_msg(ok || has_error(tape, params), "it failed without an error");
    tg_tape_free(tape);
    tg_params_free(params);
    if (!ok) return false;

    params = tg_params_new(2);
    tape = tg_tape_new(2);
    ok = tg_params_load(params, path);
    ok = build(&m, params) && ok;
    ok = tg_params_finish_load(params) && ok;
    ok = train_step(tape, params, &m, 3) && ok;
    ck_assert_msg(ok || has_error(tape, params), "it failed without an error");
    tg_tape_free(tape);
    tg_params_free(params);
    return ok;
}

START_TEST(each_allocation_fails_in_turn)
    {
        bool permanently = _i;
        test_folder_begin();
        for (int n = 1;; n++) {
            test_memory_begin(n, permanently);
            bool ok = full_cycle(test_path("model"));
            test_memory_counts counts = test_memory_end();
            ck_assert_msg(counts.blocks == 0, "failing call %d leaked %lld blocks", n,
                          (long long)counts.blocks);
            ck_assert_int_le(test_folder_count(), 1); /* the model or nothing: never a part */
            ck_assert_msg(ok == (counts.failed == 0), "failing call %d: the cycle returned %d", n,
                          ok);
            if (counts.failed == 0) break;
            ck_assert_int_lt(n, 5000);
        }
        test_folder_end();
    }
END_TEST

/* The tape's memory is exhausted at every point of a step in turn: the tape is filled up before. */
START_TEST(the_tape_runs_out_at_each_point_in_turn)
    {
        test_memory_begin(0, false);
        tg_params *params = tg_params_new(1);
        classifier m;
        ck_assert(build(&m, params));
        tg_tape *tape = tg_tape_new(1);
        /* allocates scratch memory, gradients and optimizer state */
        for (int i = 0; i < 3; i++) ck_assert(train_step(tape, params, &m, 1));
        int64_t asked = test_memory_now().asked;
        int capacity = 0;
        while (test_memory_now().asked == asked) {
            tg_constant(tape, NULL, TG_SHAPE(1));
            capacity++;
        }
        tg_tape_free(tape);
        int failures = 0;
        bool ok = false;
        for (int spare = 0; spare < capacity && !ok; spare += 3) {
            tape = tg_tape_new(1);
            for (int i = 0; i < 3; i++) ck_assert(train_step(tape, params, &m, 1));
            for (int i = 0; i < capacity - 1 - spare; i++) tg_constant(tape, NULL, TG_SHAPE(1));
            test_memory_refuse(1, true);
            ok = train_step(tape, params, &m, 1);
            failures += !ok;
            ck_assert_msg(ok || strstr(tg_tape_error(tape), "out of memory"), "%s",
                          tg_tape_error(tape));
            test_memory_refuse(0, false);
            tg_params_take_error(params);
            tg_params_zero_grad(params);
            tg_tape_free(tape);
        }
        ck_assert(ok && failures > 20);
        tg_params_free(params);
        ck_assert_int_eq(test_memory_end().blocks, 0);
    }
END_TEST

/* ---- one model, many tapes ---- */

START_TEST(two_tapes_read_one_model)
    {
        tg_params *params = tg_params_new(1);
        classifier m;
        ck_assert(build(&m, params));
        tg_tape *tapes[] = {tg_tape_new(1), tg_tape_new(1)};
        const int32_t ids[] = {3, 4, 5, 6, 7, 8};
        tg_tensor *x[2], *y[2];
        /* The tapes take turns, operator by operator. */
        for (int k = 0; k < 2; k++)
            x[k] = tg_embedding_forward(tapes[k], &m.words, tg_ints_2d(ids, 2, 3));
        for (int k = 0; k < 2; k++)
            y[k] = tg_lstm_forward(tapes[k], &m.encoder, x[k], tg_full_length());
        test_assert_same_bits("y", y[1]->data, y[0]->data, y[0]->size);
        for (int k = 0; k < 2; k++)
            ck_assert(tg_backward(tapes[k], test_weighted_loss(tapes[k], y[k], 1)));
        test_assert_same_bits("dx", x[1]->grad, x[0]->grad, x[0]->size);
        test_end(tapes[0], NULL);
        test_end(tapes[1], params);
    }
END_TEST

Suite *model_suite(void);
Suite *model_suite(void)
{
    Suite *suite = suite_create("model");
    TCase *tc = tcase_create("model");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_steady_training_step_allocates_nothing);
    tcase_add_loop_test(tc, each_allocation_fails_in_turn, 0, 2);
    tcase_add_test(tc, the_tape_runs_out_at_each_point_in_turn);
    tcase_add_test(tc, two_tapes_read_one_model);
    suite_add_tcase(suite, tc);
    return suite;
}
