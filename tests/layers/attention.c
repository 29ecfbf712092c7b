/* Additive attention pooling as a layer: names, initial values, values by hand, attention weights,
 * errors. */
#include "layers.h"

START_TEST(names_and_initial_values)
    {
        tg_params *params = tg_params_new(1);
        tg_additive_attention layer;
        ck_assert(tg_additive_attention_init(&layer, params, "attention", 16, 25));
        ck_assert_int_eq(tg_params_count(params), 3);
        ck_assert(tg_params_find(params, "attention.proj.weight") == layer.proj_weight &&
                  tg_params_find(params, "attention.proj.bias") == layer.proj_bias &&
                  tg_params_find(params, "attention.score.weight") == layer.score_weight);
        test_assert_shape("proj.weight", layer.proj_weight, TG_SHAPE(25, 16));
        test_assert_shape("proj.bias", layer.proj_bias, TG_SHAPE(25));
        test_assert_shape("score.weight", layer.score_weight, TG_SHAPE(1, 25));
        const tg_tensor *all[] = {layer.proj_weight, layer.proj_bias, layer.score_weight};
        for (int k = 0; k < 3; k++) {
            double largest = 0, bound = k == 2 ? 0.2 : 0.25; /* 1 / sqrt(inputs) */
            for (int64_t i = 0; i < all[k]->size; i++)
                largest = fmax(largest, fabs((double)all[k]->data[i]));
            ck_assert_msg(largest <= bound * (1 + 1e-6) && largest > 0.8 * bound,
                          "%s: the largest magnitude is %g, the bound %g", all[k]->name, largest,
                          bound);
        }
        ck_assert(!tg_additive_attention_init(&layer, params, "attention", 16, 25));
        test_expect_params_error(params, "attention.proj.weight", NULL);
        ck_assert(!tg_additive_attention_init(&layer, NULL, "attention", 16, 25));
        test_end(NULL, params);
    }
END_TEST

START_TEST(values_by_hand)
    {
        tg_params *params = tg_params_new(1);
        tg_additive_attention layer;
        tg_additive_attention_init(&layer, params, "a", 2, 1);
        memcpy(layer.proj_weight->data, (const tg_real[]){1, -1}, 2 * sizeof(tg_real));
        layer.proj_bias->data[0] = (tg_real)0.5;
        layer.score_weight->data[0] = 2;
        tg_tape *tape = tg_tape_new(1);
        const int32_t lengths[] = {2, 1, 0};
        const tg_real x[] = {1, 0, 0, 1, 9, 9, 3, 4, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9};
        tg_tensor *attended;
        tg_tensor *y = tg_additive_attention_forward(tape, &layer,
                                                     tg_constant(tape, x, TG_SHAPE(3, 3, 2)),
                                                     tg_ints_1d(lengths, 3), &attended);
        double s0 = 2 * tanh(1.5), s1 = 2 * tanh(-0.5), a0 = 1 / (1 + exp(s1 - s0));
        TEST_TENSOR(y, TG_SHAPE(3, 2), a0, 1 - a0, 3, 4, 0, 0);
        tg_tensor *weights = tg_attention_weights(tape, attended);
        TEST_TENSOR(weights, TG_SHAPE(3, 1, 1, 3), a0, 1 - a0, 0, 1, 0, 0, 0, 0, 0);
        test_end(tape, params);
    }
END_TEST

START_TEST(reading_the_weights_changes_no_bit)
    {
        enum { B = 5, T = 7, H = 19 };
        const int32_t lengths[B] = {7, 0, 3, 1, 6};
        tg_params *params = tg_params_new(1);
        tg_additive_attention layer;
        tg_additive_attention_init(&layer, params, "a", H, 11);
        tg_tensor *y[3], *x[2];
        tg_real dw[11 * H];
        tg_tape *tapes[3];
        /* k = 0: without weights; 1: with weights and their gradients; 2: without recording */
        for (int k = 0; k < 3; k++) {
            tg_tensor *attended;
            tapes[k] = tg_tape_new(1);
            tg_tape_set_recording(tapes[k], k < 2);
            tg_tensor *input = test_variable(tapes[k], 1, -1, 1, TG_SHAPE(B, T, H));
            y[k] = tg_additive_attention_forward(tapes[k], &layer, input, tg_ints_1d(lengths, B),
                                                 k ? &attended : NULL);
            if (k == 2) break;
            x[k] = input;
            ck_assert(tg_backward(tapes[k], test_weighted_loss(tapes[k], y[k], 1)));
            if (k == 0) memcpy(dw, layer.proj_weight->grad, sizeof dw);
            else test_assert_same_bits("dW", layer.proj_weight->grad, dw, 11 * H);
            tg_params_zero_grad(params);
            if (k == 0) continue;
            double sum = 0; /* the score gradients of each row of a softmax sum to 0 */
            tg_tensor *dscores = tg_attention_score_grads(tapes[k], attended);
            for (int t = 0; t < T; t++) sum += (double)dscores->data[t];
            ck_assert(fabs(sum) < TEST_TOLERANCE);
        }
        test_assert_same_bits("with weights", y[1]->data, y[0]->data, B * H);
        test_assert_same_bits("not recorded", y[2]->data, y[0]->data, B * H);
        test_assert_same_bits("dx", x[1]->grad, x[0]->grad, B * T * H);
        for (int k = 0; k < 3; k++) test_end(tapes[k], NULL);
        test_end(NULL, params);
    }
END_TEST

/* Scores in the thousands do not overflow, and small differences between them are not lost. */
START_TEST(large_scores)
    {
        tg_params *params = tg_params_new(1);
        tg_additive_attention layer;
        tg_additive_attention_init(&layer, params, "a", 1, 1);
        layer.proj_weight->data[0] = 100;
        layer.score_weight->data[0] = 5000;
        tg_tape *tape = tg_tape_new(1);
        const tg_real x[] = {1, 2, -1, -1, -1, -2};
        tg_tensor *y = tg_additive_attention_forward(tape, &layer,
                                                     tg_variable(tape, x, TG_SHAPE(2, 3, 1)),
                                                     tg_full_length(), NULL);
        TEST_TENSOR(y, TG_SHAPE(2, 1), 1.5, -4.0 / 3);
        ck_assert(tg_backward(tape, test_weighted_loss(tape, y, 1)));
        test_end(tape, params);
    }
END_TEST

static const struct {
    test_shape x;
    const char *text;
} documents[] = {{S(3, 10), "[3, 10]"},
                 {S(3, 10, 2), "[3, 10, 2]"},
                 {S(10), "[10]"},
                 {S(2, 3, 4, 10), "[2, 3, 4, 10]"}};

START_TEST(the_documents_wrong_shapes)
    {
        tg_params *params = tg_params_new(1);
        tg_additive_attention layer;
        tg_additive_attention_init(&layer, params, "a", 10, 20);
        tg_tape *tape = tg_tape_new(1);
        ck_assert_ptr_null(tg_additive_attention_forward(
            tape, &layer, test_variable(tape, 1, -1, 1, documents[_i].x.ndim, documents[_i].x.size),
            tg_full_length(), NULL));
        test_expect_error(tape, "attention", documents[_i].text, "[20, 10]", NULL);
        test_end(tape, params);
    }
END_TEST

START_TEST(invalid_lengths)
    {
        tg_params *params = tg_params_new(1);
        tg_additive_attention layer;
        tg_additive_attention_init(&layer, params, "a", 2, 3);
        tg_tape *tape = tg_tape_new(1);
        const int32_t lengths[] = {1, 4, 2}, negative[] = {1, -1};
        tg_tensor *attended = {(tg_tensor *)tape};
#define X test_variable(tape, 1, -1, 1, TG_SHAPE(2, 3, 2))
        ck_assert_ptr_null(
            tg_additive_attention_forward(tape, &layer, X, tg_ints_1d(lengths, 2), &attended));
        ck_assert_ptr_null(attended);
        test_expect_error(tape, "attention", "4", "3", NULL);
        ck_assert_ptr_null(
            tg_additive_attention_forward(tape, &layer, X, tg_ints_1d(lengths, 3), NULL));
        test_expect_error(tape, "attention", "[3]", NULL);
        ck_assert_ptr_null(
            tg_additive_attention_forward(tape, &layer, X, tg_ints_1d(negative, 2), NULL));
        test_expect_error(tape, "attention", "-1", NULL);
        test_end(tape, params);
    }
END_TEST

Suite *attention_suite(void);
Suite *attention_suite(void)
{
    Suite *suite = suite_create("attention");
    TCase *tc = tcase_create("attention");
    tcase_add_test(tc, names_and_initial_values);
    tcase_add_test(tc, values_by_hand);
    tcase_add_test(tc, reading_the_weights_changes_no_bit);
    tcase_add_test(tc, large_scores);
    tcase_add_loop_test(tc, the_documents_wrong_shapes, 0, (int)COUNT(documents));
    tcase_add_test(tc, invalid_lengths);
    suite_add_tcase(suite, tc);
    return suite;
}
