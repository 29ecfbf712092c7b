/* The fused LSTM and attention against their composed twins: values and gradients. */
#include "layers.h"

enum { MAX_PARAMETERS = 40 };

/* Copies the gradients of a pass, then clears them for the next. */
static void move_gradients(tg_params *params, tg_real *copies[MAX_PARAMETERS])
{
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        tg_tensor *p = tg_params_at(params, i);
        copies[i] = calloc((size_t)p->size + 1, sizeof **copies);
        if (p->has_grad && p->size) memcpy(copies[i], p->grad, (size_t)p->size * sizeof **copies);
    }
    tg_params_zero_grad(params);
}

/* The terms of a gradient may cancel: differences are relative to the largest of all gradients. */
static void assert_gradients_near(tg_params *params, tg_real *got[], tg_real *want[])
{
    double largest = 0;
    for (int64_t i = 0; i < tg_params_count(params); i++)
        for (int64_t k = 0; k < tg_params_at(params, i)->size; k++)
            largest = fmax(largest, fabs((double)want[i][k]));
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        const tg_tensor *p = tg_params_at(params, i);
        for (int64_t k = 0; k < p->size; k++)
            TEST_CHECK(test_near((double)got[i][k], (double)want[i][k], TEST_TOLERANCE * largest),
                       "d%s, element %lld: %.12g, twin %.12g", p->name, (long long)k,
                       (double)got[i][k], (double)want[i][k]);
        free(got[i]);
        free(want[i]);
    }
}

/* Writes garbage into the padding of x. */
static void fill_padding(const batch_shape *s, tg_tensor *x)
{
    for (int64_t i = 0; s->ragged && i < x->size; i++)
        if (i / s->E % s->T >= s->lengths[i / s->E / s->T])
            x->data[i] = i % 2 ? (tg_real)NAN : (tg_real)1e20;
}

static const struct {
    int layers;
    bool both, state;
} kinds[] = {{1, false, false}, {1, false, true}, {1, true, false},
             {1, true, true},   {2, true, true},  {3, false, true}};

static void compare_lstm(const batch_shape *s, int layers, bool both, bool state)
{
    if (s->T == 0 || s->B == 0) return; /* the twin would stack no tensors */
    tg_params *params = tg_params_new(3);
    tg_lstm lstm;
    tg_lstm_init(&lstm, params, "lstm", s->E, s->H, layers, both);
    int64_t all = layers * (both ? 2 : 1);
    tg_tensor *x = tg_param(params, NULL, "x", TG_SHAPE(s->B, s->T, s->E), tg_init_normal(1));
    tg_lstm_state initial = {NULL, NULL}, final[2];
    if (state) {
        initial.h = tg_param(params, NULL, "h0", TG_SHAPE(all, s->B, s->H), tg_init_normal(0.5));
        initial.c = tg_param(params, NULL, "c0", TG_SHAPE(all, s->B, s->H), tg_init_normal(0.5));
    }
    fill_padding(s, x);
    tg_tape *tapes[] = {tg_tape_new(1), tg_tape_new(1)};
    tg_tensor *y[2];
    tg_real *gradients[2][MAX_PARAMETERS];
    for (int twin = 0; twin < 2; twin++) {
        tg_tape *tape = tapes[twin];
        const tg_lstm_state *start = state ? &initial : NULL;
        const int32_t *lengths = s->ragged ? s->lengths : NULL;
        if (twin) y[1] = test_twin_lstm(tape, &lstm, x, lengths, start, &final[1]);
        else y[0] = tg_lstm_forward_state(tape, &lstm, x, batch_lengths(s), start, &final[0]);
        tg_tensor *loss = tg_add(tape, test_weighted_loss(tape, y[twin], 1),
                                 tg_add(tape, test_weighted_loss(tape, final[twin].h, 2),
                                        test_weighted_loss(tape, final[twin].c, 3)));
        ck_assert_msg(tg_backward(tape, loss), "%s", tg_tape_error(tape));
        move_gradients(params, gradients[twin]);
    }
    test_assert_shape("y", y[0], y[1]->ndim, y[1]->shape);
    test_assert_shape("h", final[0].h, TG_SHAPE(all, s->B, s->H));
    test_assert_reals_near("y", y[0]->data, y[1]->data, y[1]->size, TEST_TOLERANCE);
    test_assert_reals_near("h", final[0].h->data, final[1].h->data, final[1].h->size,
                           TEST_TOLERANCE);
    test_assert_reals_near("c", final[0].c->data, final[1].c->data, final[1].c->size,
                           TEST_TOLERANCE);
    assert_gradients_near(params, gradients[0], gradients[1]);
    test_end(tapes[1], NULL);
    test_end(tapes[0], params);
}

START_TEST(lstm_and_twin)
    {
        for (size_t k = 0; k < COUNT(kinds); k++)
            compare_lstm(&batch_shapes[_i], kinds[k].layers, kinds[k].both, kinds[k].state);
    }
END_TEST

/* Sizes that fill vectors and tiles, or have one more. */
static const batch_shape larger[] = {{"8 and 16", 8, 5, 8, 16, true, {5, 4, 3, 2, 1, 0, 5, 5}},
                                     {"9 and 17", 7, 6, 9, 17, true, {6, 1, 6, 2, 6, 3, 0}},
                                     {"33 and 31", 3, 9, 33, 31, false, {0}}};

START_TEST(larger_lstm_and_twin)
    {
        compare_lstm(&larger[_i], 2, true, true);
    }
END_TEST

static void compare_attention(const batch_shape *s)
{
    if (s->T == 0 || s->B == 0) return;
    tg_params *params = tg_params_new(3);
    tg_additive_attention attention;
    tg_additive_attention_init(&attention, params, "attention", s->E, s->H);
    tg_tensor *x = tg_param(params, NULL, "x", TG_SHAPE(s->B, s->T, s->E), tg_init_normal(1));
    fill_padding(s, x);
    tg_tape *tapes[] = {tg_tape_new(1), tg_tape_new(1)};
    tg_tensor *y[2];
    tg_tensor *attended;
    test_attention_parts parts;
    tg_real *gradients[2][MAX_PARAMETERS];
    for (int twin = 0; twin < 2; twin++) {
        tg_tape *tape = tapes[twin];
        const int32_t *lengths = s->ragged ? s->lengths : NULL;
        if (twin) y[1] = test_twin_attention(tape, &attention, x, lengths, &parts);
        else y[0] = tg_additive_attention_forward(tape, &attention, x, batch_lengths(s), &attended);
        tg_tensor *loss = test_weighted_loss(tape, y[twin], 1);
        ck_assert_msg(tg_backward(tape, loss), "%s", tg_tape_error(tape));
        move_gradients(params, gradients[twin]);
    }
    test_assert_shape("context", y[0], y[1]->ndim, y[1]->shape);
    test_assert_reals_near("context", y[0]->data, y[1]->data, y[1]->size, TEST_TOLERANCE);
    tg_tensor *matrices[3]; /* weights, and the gradients of weights and scores */
    for (int k = 0; k < 3; k++) {
        matrices[k] = test_attention_matrix[k](tapes[0], attended);
        test_assert_shape("attention matrix", matrices[k], TG_SHAPE(s->B, 1, 1, s->T));
    }
    /* The library gives zeros for padded positions; the gradients of the twin's weights are not
     * 0. */
    for (int64_t i = 0; i < s->B * s->T; i++) {
        if (!s->ragged || i % s->T < s->lengths[i / s->T]) continue;
        for (int k = 0; k < 3; k++) ck_assert(matrices[k]->data[i] == 0);
        parts.weights->grad[i] = 0;
    }
    test_assert_reals_near("weights", matrices[0]->data, parts.weights->data, s->B * s->T,
                           TEST_TOLERANCE);
    test_assert_reals_near("dweights", matrices[1]->data, parts.weights->grad, s->B * s->T,
                           TEST_TOLERANCE);
    /* a (da - sum a da) is a difference of similar numbers: ten times the tolerance */
    test_assert_reals_near("dscores", matrices[2]->data, parts.scores->grad, s->B * s->T,
                           10 * TEST_TOLERANCE);
    assert_gradients_near(params, gradients[0], gradients[1]);
    test_end(tapes[1], NULL);
    test_end(tapes[0], params);
}

START_TEST(attention_and_twin)
    {
        compare_attention(&batch_shapes[_i]);
    }
END_TEST

START_TEST(larger_attention_and_twin)
    {
        compare_attention(&larger[_i]);
    }
END_TEST

Suite *twins_suite(void);
Suite *twins_suite(void)
{
    Suite *suite = suite_create("twins");
    TCase *tc = tcase_create("twins");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, lstm_and_twin, 0, batch_shape_count());
    tcase_add_loop_test(tc, larger_lstm_and_twin, 0, (int)COUNT(larger));
    tcase_add_loop_test(tc, attention_and_twin, 0, batch_shape_count());
    tcase_add_loop_test(tc, larger_attention_and_twin, 0, (int)COUNT(larger));
    suite_add_tcase(suite, tc);
    return suite;
}
