/* The LSTM as a layer: PyTorch's names, initial values, states, errors. */
#include "layers.h"

START_TEST(names_and_shapes)
    {
        tg_params *params = tg_params_new(1);
        tg_lstm lstm;
        ck_assert(tg_lstm_init(&lstm, params, "encoder.rnn", 3, 4, 2, true));
        int count = 0;
        for (int l = 0; l < 2; l++)
            for (int d = 0; d < 2; d++) {
                const char *kinds[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
                const tg_tensor *tensors[] = {lstm.weights[l][d].weight_ih,
                                              lstm.weights[l][d].weight_hh,
                                              lstm.weights[l][d].bias_ih,
                                              lstm.weights[l][d].bias_hh};
                for (int k = 0; k < 4; k++, count++) {
                    char name[64];
                    snprintf(name, sizeof name, "encoder.rnn.%s_l%d%s", kinds[k], l,
                             d ? "_reverse" : "");
                    ck_assert_msg(tg_params_find(params, name) == tensors[k], "%s", name);
                    int64_t inputs = l ? 8 : 3, columns = k == 1 ? 4 : inputs;
                    if (k < 2) test_assert_shape(name, tensors[k], TG_SHAPE(16, columns));
                    else test_assert_shape(name, tensors[k], TG_SHAPE(16));
                }
            }
        ck_assert_int_eq(tg_params_count(params), count);
        ck_assert(lstm.layers == 2 && lstm.directions == 2 && lstm.input == 3 && lstm.hidden == 4);
        test_end(NULL, params);
    }
END_TEST

START_TEST(initial_values)
    {
        enum { H = 64 };
        tg_params *params = tg_params_new(1);
        tg_lstm lstm;
        tg_lstm_init(&lstm, params, "l", 10, H, 2, true);
        for (int64_t i = 0; i < tg_params_count(params); i++) {
            const tg_tensor *p = tg_params_at(params, i);
            bool bias = p->ndim == 1;
            double largest = 0;
            for (int64_t k = 0; k < p->size; k++) {
                bool forget = bias && k >= H && k < 2 * H;
                if (forget) ck_assert((double)p->data[k] == (strstr(p->name, "bias_ih") ? 1 : 0));
                else largest = fmax(largest, fabs((double)p->data[k]));
            }
            /* 1 / sqrt(64) = 0.125 */
            ck_assert_msg(largest <= 0.125 * (1 + 1e-6) && largest > 0.12,
                          "%s: the largest magnitude is %g", p->name, largest);
        }
        test_end(NULL, params);
    }
END_TEST

/* One step of one cell, computed by hand. The order of the gates is i, f, g, o. */
START_TEST(one_step_by_hand)
    {
        tg_params *params = tg_params_new(1);
        tg_lstm lstm;
        tg_lstm_init(&lstm, params, "l", 1, 1, 1, false);
        tg_lstm_weights *w = &lstm.weights[0][0];
        memcpy(w->weight_ih->data, (const tg_real[]){1, 2, 3, 4}, 4 * sizeof(tg_real));
        memcpy(w->weight_hh->data, (const tg_real[]){(tg_real)0.5, (tg_real)0.25, -1, -2},
               4 * sizeof(tg_real));
        memcpy(w->bias_ih->data, (const tg_real[]){(tg_real)0.125, -1, 0, 1}, 4 * sizeof(tg_real));
        memcpy(w->bias_hh->data, (const tg_real[]){0, (tg_real)0.5, 1, -1}, 4 * sizeof(tg_real));
        tg_tape *tape = tg_tape_new(1);
        tg_lstm_state start = {tg_constant(tape, (const tg_real[]){2}, TG_SHAPE(1, 1, 1)),
                               tg_constant(tape, (const tg_real[]){3}, TG_SHAPE(1, 1, 1))},
                      end;
        tg_tensor *y = tg_lstm_forward_state(tape, &lstm,
                                             tg_constant(tape, (const tg_real[]){(tg_real)0.5},
                                                         TG_SHAPE(1, 1, 1)),
                                             tg_full_length(), &start, &end);
        double i = 0.5 + 1 + 0.125, f = 1 + 0.5 - 0.5, g = 1.5 - 2 + 1, o = 2 - 4;
        double c = 3 / (1 + exp(-f)) + tanh(g) / (1 + exp(-i)), h = tanh(c) / (1 + exp(-o));
        TEST_TENSOR(y, TG_SHAPE(1, 1, 1), h);
        TEST_TENSOR(end.h, TG_SHAPE(1, 1, 1), h);
        TEST_TENSOR(end.c, TG_SHAPE(1, 1, 1), c);
        test_end(tape, params);
    }
END_TEST

/* The final states of sequences of different lengths, in both directions. */
START_TEST(final_states)
    {
        enum { B = 4, T = 5, E = 2, H = 3 };
        const int32_t lengths[B] = {3, 0, 5, 1};
        tg_params *params = tg_params_new(1);
        tg_lstm lstm;
        tg_lstm_init(&lstm, params, "l", E, H, 1, true);
        tg_tape *tape = tg_tape_new(1);
        tg_lstm_state start = {test_variable(tape, 1, -1, 1, TG_SHAPE(2, B, H)),
                               test_variable(tape, 2, -1, 1, TG_SHAPE(2, B, H))},
                      end;
        tg_tensor *x = test_variable(tape, 3, -1, 1, TG_SHAPE(B, T, E));
        tg_tensor *y = tg_lstm_forward_state(tape, &lstm, x, tg_ints_1d(lengths, B), &start, &end);
        test_assert_clean(tape);
        for (int b = 0; b < B; b++)
            for (int t = 0; t < T; t++)
                for (int j = 0; j < 2 * H; j++) {
                    tg_real out = y->data[(b * T + t) * 2 * H + j];
                    if (t >= lengths[b]) ck_assert(out == 0);
                    else ck_assert(out != 0);
                    /* The forward direction ends at the last token, the reverse at the first. */
                    if (j < H && t == lengths[b] - 1) ck_assert(out == end.h->data[b * H + j]);
                    if (j >= H && t == 0 && lengths[b])
                        ck_assert(out == end.h->data[(B + b) * H + j - H]);
                }
        /* The final state of a sequence of length 0 is its initial state. */
        for (int d = 0; d < 2; d++)
            for (int j = 0; j < H; j++) {
                int at = (d * B + 1) * H + j;
                ck_assert(end.h->data[at] == start.h->data[at] &&
                          end.c->data[at] == start.c->data[at]);
            }
        test_end(tape, params);
    }
END_TEST

/* A missing half of the initial state is zeros. */
START_TEST(half_a_state)
    {
        tg_params *params = tg_params_new(1);
        tg_lstm lstm;
        tg_lstm_init(&lstm, params, "l", 2, 3, 2, true);
        tg_tape *tapes[2];
        for (int half = 0; half < 2; half++) {
            tg_tensor *y[2], *given[2];
            for (int k = 0; k < 2; k++) {
                tapes[k] = tg_tape_new(1);
                given[k] = test_variable(tapes[k], 1, -1, 1, TG_SHAPE(4, 2, 3));
                tg_tensor *zeros = k ? tg_constant(tapes[k], NULL, TG_SHAPE(4, 2, 3)) : NULL;
                tg_lstm_state start = {half ? zeros : given[k], half ? given[k] : zeros};
                y[k] = tg_lstm_forward_state(tapes[k], &lstm,
                                             test_variable(tapes[k], 3, -1, 1, TG_SHAPE(2, 4, 2)),
                                             tg_full_length(), &start, NULL);
                ck_assert(tg_backward(tapes[k], test_weighted_loss(tapes[k], y[k], 1)));
            }
            test_assert_reals_near("y", y[0]->data, y[1]->data, y[1]->size, TEST_TOLERANCE);
            test_assert_reals_near("dstate", given[0]->grad, given[1]->grad, given[1]->size,
                                   TEST_TOLERANCE);
            test_end(tapes[0], NULL);
            test_end(tapes[1], NULL);
        }
        test_end(NULL, params);
    }
END_TEST

/* A sequence in two parts gives the same result as the undivided sequence, if the state is passed
 * on. */
START_TEST(a_sequence_in_parts)
    {
        tg_params *params = tg_params_new(1);
        tg_lstm lstm;
        tg_lstm_init(&lstm, params, "l", 3, 5, 2, false);
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = test_variable(tape, 3, -1, 1, TG_SHAPE(2, 7, 3));
        tg_lstm_state end, middle, last;
        tg_tensor *undivided = tg_lstm_forward_state(tape, &lstm, x, tg_full_length(), NULL, &end);
        tg_tensor *first = tg_lstm_forward_state(tape, &lstm, tg_slice(tape, x, 1, 0, 3),
                                                 tg_full_length(), NULL, &middle);
        tg_tensor *second = tg_lstm_forward_state(tape, &lstm, tg_slice(tape, x, 1, 3, 7),
                                                  tg_full_length(), &middle, &last);
        test_assert_clean(tape);
        tg_tensor *joined = tg_concat(tape, 2, (tg_tensor *[]){first, second}, 1);
        test_assert_reals_near("y", joined->data, undivided->data, undivided->size, TEST_TOLERANCE);
        test_assert_reals_near("h", last.h->data, end.h->data, end.h->size, TEST_TOLERANCE);
        test_assert_reals_near("c", last.c->data, end.c->data, end.c->size, TEST_TOLERANCE);
        test_end(tape, params);
    }
END_TEST

/* ---- errors ---- */

static const struct {
    test_shape x;
    const char *text;
} bad_inputs[] = {{S(3, 10), "[3, 10]"},
                  {S(3, 10, 2), "[3, 10, 2]"},
                  {S(10), "[10]"},
                  {S(1, 2, 3, 10), "[1, 2, 3, 10]"}};

START_TEST(inputs_of_other_shapes)
    {
        tg_params *params = tg_params_new(1);
        tg_lstm lstm;
        tg_lstm_init(&lstm, params, "l", 10, 4, 1, true);
        tg_tape *tape = tg_tape_new(1);
        ck_assert_ptr_null(tg_lstm_forward(tape, &lstm,
                                           test_variable(tape, 1, -1, 1, bad_inputs[_i].x.ndim,
                                                         bad_inputs[_i].x.size),
                                           tg_full_length()));
        test_expect_error(tape, "lstm", bad_inputs[_i].text, "[16, 10]", NULL);
        test_end(tape, params);
    }
END_TEST

START_TEST(invalid_lengths_and_states)
    {
        tg_params *params = tg_params_new(1);
        tg_lstm lstm, bad;
        tg_lstm_init(&lstm, params, "l", 2, 4, 2, true);
        tg_tape *tape = tg_tape_new(1);
        const int32_t lengths[] = {1, 4, 2}, negative[] = {1, -1};
        tg_lstm_state final = {(tg_tensor *)tape, (tg_tensor *)tape};
#define X test_variable(tape, 1, -1, 1, TG_SHAPE(2, 3, 2))
        ck_assert_ptr_null(
            tg_lstm_forward_state(tape, &lstm, X, tg_ints_1d(lengths, 2), NULL, &final));
        ck_assert(final.h == NULL && final.c == NULL);
        test_expect_error(tape, "lstm", "4", "3", NULL);
        ck_assert_ptr_null(tg_lstm_forward(tape, &lstm, X, tg_ints_1d(lengths, 3)));
        test_expect_error(tape, "lstm", "[3]", "2", NULL);
        ck_assert_ptr_null(tg_lstm_forward(tape, &lstm, X, tg_ints_1d(negative, 2)));
        test_expect_error(tape, "lstm", "-1", NULL);
        tg_lstm_state start = {test_variable(tape, 1, -1, 1, TG_SHAPE(4, 3, 4)), NULL};
        ck_assert_ptr_null(tg_lstm_forward_state(tape, &lstm, X, tg_full_length(), &start, NULL));
        test_expect_error(tape, "3, 4]", NULL); /* not [.., 2, 4] */
        /* the states of one layer for two layers */
        start.h = test_variable(tape, 1, -1, 1, TG_SHAPE(2, 2, 4));
        ck_assert_ptr_null(tg_lstm_forward_state(tape, &lstm, X, tg_full_length(), &start, NULL));
        test_expect_error(tape, "2, 4]", NULL);
        /* Layers are plain structs: a program may assemble one from tensors that do not fit. */
        bad = lstm;
        bad.weights[0][1].bias_hh = lstm.weights[0][1].weight_hh;
        ck_assert_ptr_null(tg_lstm_forward(tape, &bad, X, tg_full_length()));
        test_expect_error(tape, "lstm: the weights of direction 1 are not [4H, 2]", "H 4", NULL);
        ck_assert(!tg_lstm_init(&bad, params, "bad", 2, 4, 0, false));
        test_expect_params_error(params, "bad", NULL);
        ck_assert(!tg_lstm_init(&bad, params, "bad", 2, 4, TG_LSTM_MAX_LAYERS + 1, false));
        test_expect_params_error(params, "bad", NULL);
        ck_assert(!tg_lstm_init(&bad, params, "bad", 2, 0, 1, false));
        test_expect_params_error(params, "bad", NULL);
        ck_assert(!tg_lstm_init(&bad, NULL, "bad", 2, 4, 1, false));
        test_end(tape, params);
    }
END_TEST

START_TEST(states_for_too_many_layers)
    {
        tg_params *params = tg_params_new(1);
        tg_lstm lstm;
        tg_lstm_init(&lstm, params, "l", 2, 4, 2, false);
        tg_tape *tape = tg_tape_new(1);
        /* The states of three layers for two layers are an error: none is silently ignored. */
        tg_lstm_state start = {test_variable(tape, 1, -1, 1, TG_SHAPE(3, 2, 4)), NULL};
        ck_assert_ptr_null(tg_lstm_forward_state(tape, &lstm, X, tg_full_length(), &start, NULL));
        test_expect_error(tape, "[3, 2, 4]", NULL);
        test_end(tape, params);
    }
END_TEST

Suite *lstm_suite(void);
Suite *lstm_suite(void)
{
    Suite *suite = suite_create("lstm");
    TCase *tc = tcase_create("lstm");
    tcase_add_test(tc, names_and_shapes);
    tcase_add_test(tc, initial_values);
    tcase_add_test(tc, one_step_by_hand);
    tcase_add_test(tc, final_states);
    tcase_add_test(tc, half_a_state);
    tcase_add_test(tc, a_sequence_in_parts);
    tcase_add_loop_test(tc, inputs_of_other_shapes, 0, (int)COUNT(bad_inputs));
    tcase_add_test(tc, invalid_lengths_and_states);
    tcase_add_test(tc, states_for_too_many_layers);
    suite_add_tcase(suite, tc);
    return suite;
}
