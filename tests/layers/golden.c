/* LSTM and additive attention against PyTorch: values and gradients. The golden files hold the
 * parameters under PyTorch's names, and the layers load them as from any model. */
#include "layers.h"

static const struct {
    const char *file;
    int64_t B, T;
    int layers;
    bool both, explicit_lengths, zero_state;
} lstms[] = {{"lstm", 5, 6, 2, true, true, false},
             {"lstm_one", 3, 5, 1, false, true, false},
             {"lstm_one", 3, 5, 1, false, false, true}};

START_TEST(golden_lstm)
    {
        const int64_t B = lstms[_i].B, T = lstms[_i].T, E = 3, H = 4, D = lstms[_i].both ? 2 : 1,
                      all = lstms[_i].layers * D;
        tg_params *golden = test_golden_open(lstms[_i].file);
        tg_lstm lstm;
        ck_assert_msg(tg_lstm_init(&lstm, golden, "param", E, H, lstms[_i].layers, lstms[_i].both),
                      "%s", tg_params_error(golden));
        int32_t lengths[8];
        test_golden_ints(golden, "in.lengths", lengths, B);
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = test_golden_input(tape, golden, "in.x", TG_SHAPE(B, T, E));
        for (int64_t i = 0; i < x->size; i++) /* the padding may hold anything */
            if (i / E % T >= lengths[i / E / T]) x->data[i] = (tg_real)NAN;
        tg_lstm_state initial = {test_golden_input(tape, golden, "in.h0", TG_SHAPE(all, B, H)),
                                 test_golden_input(tape, golden, "in.c0", TG_SHAPE(all, B, H))},
                      final;
        tg_tensor *y = tg_lstm_forward_state(tape, &lstm, x,
                                             lstms[_i].explicit_lengths ? tg_ints_1d(lengths, B)
                                                                        : tg_full_length(),
                                             lstms[_i].zero_state ? NULL : &initial, &final);
        tg_tensor *loss = tg_add(tape, test_golden_loss(tape, golden, "in.r_output", y),
                                 tg_add(tape, test_golden_loss(tape, golden, "in.r_h", final.h),
                                        test_golden_loss(tape, golden, "in.r_c", final.c)));
        ck_assert_msg(tg_backward(tape, loss), "%s", tg_tape_error(tape));
        test_golden_near(golden, "out.output", y->data, y);
        test_golden_near(golden, "out.h_n", final.h->data, final.h);
        test_golden_near(golden, "out.c_n", final.c->data, final.c);
        test_assert_reals_near("loss", loss->data,
                               test_golden(golden, "out.loss", TG_SHAPE(1))->data, 1,
                               10 * TEST_TOLERANCE); /* its terms cancel */
        test_golden_near(golden, "grad.x", x->grad, x);
        if (!lstms[_i].zero_state) {
            test_golden_near(golden, "grad.h0", initial.h->grad, initial.h);
            test_golden_near(golden, "grad.c0", initial.c->grad, initial.c);
        }
        test_golden_gradients(golden);
        test_end(tape, golden);
    }
END_TEST

START_TEST(golden_attention)
    {
        const int64_t B = 4, T = 5, H = 6, A = 3;
        tg_params *golden = test_golden_open("additive_attention");
        tg_additive_attention attention;
        ck_assert_msg(tg_additive_attention_init(&attention, golden, "param", H, A), "%s",
                      tg_params_error(golden));
        int32_t lengths[4];
        test_golden_ints(golden, "in.lengths", lengths, B);
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = test_golden_input(tape, golden, "in.x", TG_SHAPE(B, T, H));
        for (int64_t i = 0; i < x->size; i++)
            if (i / H % T >= lengths[i / H / T]) x->data[i] = (tg_real)NAN;
        tg_tensor *attended;
        tg_tensor *y = tg_additive_attention_forward(tape, &attention, x, tg_ints_1d(lengths, B),
                                                     &attended);
        tg_tensor *loss = test_golden_loss(tape, golden, "in.r_context", y);
        ck_assert_msg(tg_backward(tape, loss), "%s", tg_tape_error(tape));
        test_golden_near(golden, "out.context", y->data, y);
        /* in the order of test_attention_matrix */
        static const char *const names[] = {"out.weights", "grad.weights", "grad.scores"};
        for (int k = 0; k < 3; k++) {
            tg_tensor *got = test_attention_matrix[k](tape, attended);
            test_assert_shape(names[k], got, TG_SHAPE(B, 1, 1, T));
            test_golden_near(golden, names[k], got->data, tg_reshape(tape, got, TG_SHAPE(B, T)));
        }
        test_assert_reals_near("loss", loss->data,
                               test_golden(golden, "out.loss", TG_SHAPE(1))->data, 1,
                               10 * TEST_TOLERANCE);
        test_golden_near(golden, "grad.x", x->grad, x);
        test_golden_gradients(golden);
        test_end(tape, golden);
    }
END_TEST

Suite *golden_suite(void);
Suite *golden_suite(void)
{
    Suite *suite = suite_create("golden");
    TCase *tc = tcase_create("golden");
    tcase_add_loop_test(tc, golden_lstm, 0, (int)COUNT(lstms));
    tcase_add_test(tc, golden_attention);
    suite_add_tcase(suite, tc);
    return suite;
}
