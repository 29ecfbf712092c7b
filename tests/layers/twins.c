/* The fused LSTM and attention against their twins composed of primitive operators: values and gradients. */
#include "layers.h"

enum { MAX_PARAMETERS = 40 };

/* Gradients of a pass, so that the next may be compared. */
static void take_gradients(tg_params *params, tg_real *kept[MAX_PARAMETERS])
{
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        tg_tensor *p = tg_params_at(params, i);
        kept[i] = calloc((size_t)p->size + 1, sizeof **kept);
        if (p->has_grad && p->size) memcpy(kept[i], p->grad, (size_t)p->size * sizeof **kept);
    }
    tg_params_zero_grad(params);
}

/* A gradient that is the sum of many others may be small by cancellation: it is measured by the largest of all. */
static void assert_gradients_near(tg_params *params, tg_real *got[], tg_real *want[])
{
    double most = 0;
    for (int64_t i = 0; i < tg_params_count(params); i++)
        for (int64_t k = 0; k < tg_params_at(params, i)->size; k++)
            most = fmax(most, fabs((double)want[i][k]));
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        const tg_tensor *p = tg_params_at(params, i);
        for (int64_t k = 0; k < p->size; k++)
            TEST_CHECK(test_near((double)got[i][k], (double)want[i][k], TEST_TOLERANCE * most),
                       "d%s, element %lld: %.12g, twin %.12g", p->name, (long long)k,
                       (double)got[i][k], (double)want[i][k]);
        free(got[i]);
        free(want[i]);
    }
}

/* Garbage in x where a sequence has ended. */
static void spoil(const batch_shape *s, tg_tensor *x)
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
    if (s->T == 0 || s->B == 0) return; /* nothing for a twin to stack */
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
    spoil(s, x);
    tg_tape *tapes[] = {tg_tape_new(1), tg_tape_new(1)};
    tg_tensor *y[2];
    tg_real *gradients[2][MAX_PARAMETERS];
    for (int twin = 0; twin < 2; twin++) {
        tg_tape *tape = tapes[twin];
        const tg_lstm_state *start = state ? &initial : NULL;
        y[twin] = twin ? test_twin_lstm(tape, &lstm, x, s->ragged ? s->lengths : NULL, start,
                                        &final[1])
                       : tg_lstm_forward_state(tape, &lstm, x, batch_lengths(s), start, &final[0]);
        tg_tensor *loss = tg_add(tape, test_weighted_loss(tape, y[twin], 1),
                                 tg_add(tape, test_weighted_loss(tape, final[twin].h, 2),
                                        test_weighted_loss(tape, final[twin].c, 3)));
        ck_assert_msg(tg_backward(tape, loss), "%s", tg_tape_error(tape));
        take_gradients(params, gradients[twin]);
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

/* Sizes at which vectors and tiles are full, or one more. */
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
    spoil(s, x);
    tg_tape *tapes[] = {tg_tape_new(1), tg_tape_new(1)};
    tg_tensor *y[2];
    tg_tensor *attended;
    test_attention_parts parts;
    tg_real *gradients[2][MAX_PARAMETERS];
    for (int twin = 0; twin < 2; twin++) {
        tg_tape *tape = tapes[twin];
        y[twin] = twin ? test_twin_attention(tape, &attention, x, s->ragged ? s->lengths : NULL,
                                             &parts)
                       : tg_additive_attention_forward(tape, &attention, x, batch_lengths(s),
                                                       &attended);
        tg_tensor *loss = test_weighted_loss(tape, y[twin], 1);
        ck_assert_msg(tg_backward(tape, loss), "%s", tg_tape_error(tape));
        take_gradients(params, gradients[twin]);
    }
    test_assert_shape("context", y[0], y[1]->ndim, y[1]->shape);
    test_assert_reals_near("context", y[0]->data, y[1]->data, y[1]->size, TEST_TOLERANCE);
    tg_tensor *seen[3];
    for (int what = 0; what < 3; what++) {
        seen[what] = test_attention_matrix[what](tapes[0], attended);
        test_assert_shape("what is seen", seen[what], TG_SHAPE(s->B, 1, 1, s->T));
    }
    for (int64_t i = 0; i < s->B * s->T;
         i++) { /* all is shown as zero where padded; the twin's gradients are not */
        if (!s->ragged || i % s->T < s->lengths[i / s->T]) continue;
        ck_assert(seen[0]->data[i] == 0 && seen[1]->data[i] == 0 && seen[2]->data[i] == 0);
        parts.weights->grad[i] = 0;
    }
    test_assert_reals_near("weights", seen[0]->data, parts.weights->data, s->B * s->T,
                           TEST_TOLERANCE);
    test_assert_reals_near("dweights", seen[1]->data, parts.weights->grad, s->B * s->T,
                           TEST_TOLERANCE);
    /* a (da - sum a da) is a difference of like numbers: ten times the tolerance */
    test_assert_reals_near("dscores", seen[2]->data, parts.scores->grad, s->B * s->T,
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
