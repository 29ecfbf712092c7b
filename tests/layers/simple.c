/* Linear, embedding, layer norm and dropout as layers: names, initial values, values, errors. */
#include "layers.h"

/* The parameters are exactly these, in any order. */
static void assert_names(tg_params *params, int count, const char *const names[])
{
    ck_assert_int_eq(tg_params_count(params), count);
    for (int i = 0; i < count; i++)
        ck_assert_msg(tg_params_find(params, names[i]) != NULL, "no %s", names[i]);
}

static void assert_uniform(const char *what, const tg_tensor *p, double bound)
{
    double largest = 0, sum = 0;
    for (int64_t i = 0; i < p->size; i++) {
        largest = fmax(largest, fabs((double)p->data[i]));
        sum += (double)p->data[i];
    }
    ck_assert_msg(largest <= bound * (1 + 1e-6) && largest > bound * 0.9,
                  "%s: the largest magnitude is %g, the bound %g", what, largest, bound);
    ck_assert_msg(fabs(sum / (double)p->size) < 5 * bound / sqrt(3 * (double)p->size),
                  "%s: the mean is %g", what, sum / (double)p->size);
}

/* ---- linear ---- */

START_TEST(initial_values_of_linear)
    {
        tg_params *params = tg_params_new(1);
        tg_linear a, b;
        ck_assert(tg_linear_init(&a, params, "a", 100, 300) &&
                  tg_linear_init_no_bias(&b, params, "b.c", 25, 40));
        assert_names(params, 3, (const char *[]){"a.weight", "a.bias", "b.c.weight"});
        test_assert_shape("weight", a.weight, TG_SHAPE(300, 100));
        test_assert_shape("bias", a.bias, TG_SHAPE(300));
        ck_assert_ptr_null(b.bias);
        assert_uniform("weight", a.weight, 0.1);
        assert_uniform("bias", a.bias, 0.1);
        assert_uniform("weight", b.weight, 0.2);
        ck_assert(!tg_linear_init(&a, params, "a", 1, 1));
        test_expect_params_error(params, "a.weight", NULL);
        ck_assert(!tg_linear_init(&a, params, "z", -1, 1));
        test_expect_params_error(params, "z.weight", NULL);
        ck_assert(!tg_linear_init(&a, NULL, "a", 1, 1));
        test_end(NULL, params);
    }
END_TEST

START_TEST(linear_values)
    {
        tg_params *params = tg_params_new(1);
        tg_linear layer;
        tg_linear_init(&layer, params, "l", 2, 3);
        memcpy(layer.weight->data, (const tg_real[]){1, 2, 3, 4, 5, 6}, 6 * sizeof(tg_real));
        memcpy(layer.bias->data, (const tg_real[]){10, 20, 30}, 3 * sizeof(tg_real));
        tg_tape *tape = tg_tape_new(1);
        const tg_real x[] = {1, 0, 0, 1, 2, -1, 1, 1};
        TEST_TENSOR(tg_linear_forward(tape, &layer, tg_constant(tape, x, TG_SHAPE(2))), TG_SHAPE(3),
                    11, 23, 35);
        TEST_TENSOR(tg_linear_forward(tape, &layer, tg_constant(tape, x, TG_SHAPE(2, 2))),
                    TG_SHAPE(2, 3), 11, 23, 35, 12, 24, 36);
        TEST_TENSOR(tg_linear_forward(tape, &layer, tg_constant(tape, x, TG_SHAPE(2, 1, 2, 2))),
                    TG_SHAPE(2, 1, 2, 3), 11, 23, 35, 12, 24, 36, 10, 22, 34, 13, 27, 41);
        layer.bias = NULL;
        TEST_TENSOR(tg_linear_forward(tape, &layer, tg_constant(tape, x, TG_SHAPE(2))), TG_SHAPE(3),
                    1, 3, 5);
        test_assert_shape("no rows",
                          tg_linear_forward(tape, &layer, tg_constant(tape, NULL, TG_SHAPE(0, 2))),
                          TG_SHAPE(0, 3));
        test_end(tape, params);
    }
END_TEST

/* The linear layer against matmul and add. */
START_TEST(linear_and_twin)
    {
        const int64_t sizes[] = {1, 3, 16, 33};
        for (int k = 0; k < 64; k++) {
            int64_t rows = sizes[k % 4], in = sizes[k / 4 % 4], out = sizes[k / 16];
            tg_params *params = tg_params_new(1);
            tg_linear layer;
            tg_linear_init(&layer, params, "l", in, out);
            tg_tape *tape = tg_tape_new(1), *other = tg_tape_new(1);
            tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(rows, in)),
                      *z = test_variable(other, 1, -1, 1, TG_SHAPE(rows, in));
            tg_tensor *y = tg_linear_forward(tape, &layer, x);
            ck_assert(tg_backward(tape, test_weighted_loss(tape, y, 5)));
            tg_real *dw = malloc((size_t)(out * in) * sizeof *dw),
                    *db = malloc((size_t)out * sizeof *db);
            memcpy(dw, layer.weight->grad, (size_t)(out * in) * sizeof *dw);
            memcpy(db, layer.bias->grad, (size_t)out * sizeof *db);
            tg_params_zero_grad(params);
            tg_tensor *twin = tg_add(other,
                                     tg_matmul_transposed(other, z, layer.weight, TG_TRANSPOSE_B),
                                     layer.bias);
            ck_assert(tg_backward(other, test_weighted_loss(other, twin, 5)));
            test_assert_reals_near("y", y->data, twin->data, rows * out, TEST_TOLERANCE);
            test_assert_reals_near("dx", x->grad, z->grad, rows * in, TEST_TOLERANCE);
            test_assert_reals_near("dw", dw, layer.weight->grad, out * in, TEST_TOLERANCE);
            test_assert_reals_near("db", db, layer.bias->grad, out, TEST_TOLERANCE);
            free(dw);
            free(db);
            test_end(other, NULL);
            test_end(tape, params);
        }
    }
END_TEST

START_TEST(linear_errors)
    {
        static const struct {
            test_shape shape;
            const char *text;
        } bad[] = {{S(3, 10, 2), "[3, 10, 2]"},
                   {S(3), "[3]"},
                   {S(10, 3), "[10, 3]"},
                   {S_SCALAR, "[]"}};
        for (size_t b = 0; b < COUNT(bad); b++) {
            tg_params *params = tg_params_new(1);
            tg_linear layer;
            tg_linear_init(&layer, params, "l", 10, 20);
            tg_tape *tape = tg_tape_new(1);
            ck_assert_ptr_null(tg_linear_forward(tape, &layer,
                                                 test_variable(tape, 1, -1, 1, bad[b].shape.ndim,
                                                               bad[b].shape.size)));
            test_expect_error(tape, "linear", bad[b].text, "[20, 10]", NULL);
            layer.bias = layer.weight;
            ck_assert_ptr_null(
                tg_linear_forward(tape, &layer, test_variable(tape, 1, -1, 1, TG_SHAPE(10))));
            test_expect_error(tape, "linear: bias [20, 10] does not fit weight [20, 10]", NULL);
            test_end(tape, params);
        }
    }
END_TEST

/* ---- embedding ---- */

START_TEST(initial_values_of_embedding)
    {
        tg_params *params = tg_params_new(1);
        tg_embedding layer, other;
        ck_assert(tg_embedding_init(&layer, params, "words", 200, 50, 3) &&
                  tg_embedding_init(&other, params, "tags", 5, 2, -1));
        assert_names(params, 2, (const char *[]){"words.weight", "tags.weight"});
        test_assert_shape("weight", layer.weight, TG_SHAPE(200, 50));
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < 200 * 50; i++) {
            double x = (double)layer.weight->data[i];
            if (i / 50 == 3) TEST_CHECK(x == 0, "the padding row holds %g", x);
            sum += x;
            squares += x * x;
        }
        ck_assert_msg(fabs(sum / 9950) < 0.05 && fabs(squares / 9950 - 1) < 0.08,
                      "mean %g, variance %g", sum / 9950, squares / 9950);
        ck_assert(!tg_embedding_init(&other, params, "bad", 5, 2, 5));
        test_expect_params_error(params, "bad", "5", NULL);
        ck_assert(!tg_embedding_init(&other, params, "bad", 5, 2, -2));
        test_expect_params_error(params, "bad", "-2", NULL);
        ck_assert(!tg_embedding_init(&other, NULL, "bad", 5, 2, -1));
        test_end(NULL, params);
    }
END_TEST

START_TEST(embedding_loads)
    {
        tg_params *params = tg_params_new(1);
        tg_embedding layer;
        tg_embedding_init(&layer, params, "words", 3, 2, 1);
        const tg_real matrix[] = {1, 2, 3, 4, 5, 6};
        ck_assert(tg_embedding_load(&layer, matrix, 3, 2));
        TEST_TENSOR(layer.weight, TG_SHAPE(3, 2), 1, 2, 0, 0, 5, 6);
        ck_assert(!tg_embedding_load(&layer, matrix, 2, 3));
        test_expect_params_error(params, "words.weight", "[3, 2]", "[2, 3]", NULL);
        TEST_TENSOR(layer.weight, TG_SHAPE(3, 2), 1, 2, 0, 0, 5, 6);
        tg_tape *tape = tg_tape_new(1);
        const int32_t ids[] = {2, 1, 0, 2}, bad[] = {0, 3};
        TEST_TENSOR(tg_embedding_forward(tape, &layer, tg_ints_2d(ids, 2, 2)), TG_SHAPE(2, 2, 2), 5,
                    6, 0, 0, 1, 2, 5, 6);
        ck_assert_ptr_null(tg_embedding_forward(tape, &layer, tg_ints_1d(bad, 2)));
        test_expect_error(tape, "3", "1", NULL);
        test_end(tape, params);
    }
END_TEST

START_TEST(the_padding_row_stays_zero)
    {
        tg_params *params = tg_params_new(1);
        tg_embedding layer;
        tg_embedding_init(&layer, params, "words", 4, 3, 0);
        tg_adam adam = tg_adamw_default(0.1);
        tg_tape *tape = tg_tape_new(1);
        const int32_t ids[] = {0, 2, 0, 1};
        tg_real before[12];
        memcpy(before, layer.weight->data, sizeof before);
        for (int step = 0; step < 5; step++) {
            ck_assert(tg_backward(
                tape, test_weighted_loss(tape,
                                         tg_exp(tape, tg_embedding_forward(tape, &layer,
                                                                           tg_ints_1d(ids, 4))),
                                         1)));
            /* Row 0 is the padding; id 3 does not occur. */
            for (int i = 0; i < 3; i++)
                ck_assert(layer.weight->grad[i] == 0 && layer.weight->grad[9 + i] == 0);
            ck_assert(tg_adam_step(&adam, params));
            tg_tape_reset(tape);
        }
        for (int i = 0; i < 3; i++) ck_assert(layer.weight->data[i] == 0);
        for (int i = 3; i < 9; i++) ck_assert(layer.weight->data[i] != before[i]);
        test_end(tape, params);
    }
END_TEST

/* ---- layer norm, dropout ---- */

START_TEST(initial_values_of_layer_norm)
    {
        tg_params *params = tg_params_new(1);
        tg_layer_norm_layer layer;
        ck_assert(tg_layer_norm_init(&layer, params, "norm", 3));
        assert_names(params, 2, (const char *[]){"norm.weight", "norm.bias"});
        TEST_TENSOR(layer.weight, TG_SHAPE(3), 1, 1, 1);
        TEST_TENSOR(layer.bias, TG_SHAPE(3), 0, 0, 0);
        ck_assert(layer.epsilon == 1e-5);
        tg_tape *tape = tg_tape_new(1);
        double s = 1 / sqrt(2.0 / 3 + 1e-5);
        TEST_TENSOR(tg_layer_norm_forward(tape, &layer,
                                          tg_constant(tape, (const tg_real[]){4, 5, 6},
                                                      TG_SHAPE(1, 3))),
                    TG_SHAPE(1, 3), -s, 0, s);
        ck_assert_ptr_null(
            tg_layer_norm_forward(tape, &layer, tg_constant(tape, NULL, TG_SHAPE(3, 4))));
        test_expect_error(tape, "[3, 4]", "[3]", NULL);
        test_end(tape, params);
    }
END_TEST

START_TEST(dropout_layer)
    {
        tg_tape *tape = tg_tape_new(1), *same = tg_tape_new(1);
        tg_dropout_layer layer = {0.5}, none = {0}, all = {1};
        tg_tensor *x = test_variable(tape, 1, 1, 2, TG_SHAPE(9, 9)),
                  *z = test_variable(same, 1, 1, 2, TG_SHAPE(9, 9));
        test_assert_same_bits("as tg_dropout", tg_dropout_forward(tape, &layer, x)->data,
                              tg_dropout(same, z, 0.5)->data, 81);
        test_assert_same_bits("p = 0", tg_dropout_forward(tape, &none, x)->data, x->data, 81);
        ck_assert_ptr_null(tg_dropout_forward(tape, &all, x));
        test_expect_error(tape, "dropout", "1", NULL);
        tg_tape_set_training(tape, false);
        x = test_variable(tape, 1, 1, 2, TG_SHAPE(9, 9));
        test_assert_same_bits("evaluation", tg_dropout_forward(tape, &layer, x)->data, x->data, 81);
        tg_tape_free(same);
        test_end(tape, NULL);
    }
END_TEST

/* ---- inference mode ---- */

/* Prepacked weights change no bit and are packed again after the weights have changed. In inference
 * mode, writing to the parameters is an error. */
START_TEST(inference_mode)
    {
        enum { B = 2, T = 3, I = 5, H = 7 };
        test_folder_begin();
        tg_params *params = tg_params_new(1);
        tg_tape *tape = tg_tape_new(1);
        tg_lstm lstm;
        tg_linear linear;
        tg_lstm_init(&lstm, params, "lstm", I, H, 2, true);
        tg_linear_init(&linear, params, "linear", 2 * H, 3);
        tg_real plain[B * T * 3];
        const tg_adam adam = tg_adam_default(0.1);
        /* One pass in training mode and two in inference mode; then again with other weights. */
        for (int pass = 0; pass < 6; pass++) {
            if (pass == 3) {
                ck_assert(!tg_adam_step(&adam, params));
                test_expect_params_error(params, "adam", "inference mode", NULL);
                ck_assert(tg_params_save(params, test_path("model"), TG_SAVE_MODEL));
                ck_assert(!tg_params_load(params, test_path("model")));
                test_expect_params_error(params, "inference mode", NULL);
                tg_params_set_inference(params, false);
                for (int64_t i = 0; i < tg_params_count(params); i++)
                    test_fill(tg_params_at(params, i)->data, tg_params_at(params, i)->size,
                              (uint64_t)i, -1, 1);
            }
            if (pass % 3 == 1) tg_params_set_inference(params, true);
            tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(B, T, I));
            tg_tensor *y = tg_linear_forward(tape, &linear,
                                             tg_lstm_forward(tape, &lstm, x, tg_full_length()));
            /* Inference mode allows backward passes. */
            ck_assert(tg_backward(tape, tg_sum(tape, y, TG_ALL_AXES, false)));
            if (pass % 3) test_assert_same_bits("prepacked", y->data, plain, COUNT(plain));
            else memcpy(plain, y->data, sizeof plain);
            tg_tape_reset(tape);
        }
        tg_params_set_inference(params, false);
        ck_assert(tg_adam_step(&adam, params));
        tg_params_set_inference(NULL, true);
        test_end(tape, params);
        test_folder_end();
    }
END_TEST

Suite *simple_suite(void);
Suite *simple_suite(void)
{
    Suite *suite = suite_create("simple layers");
    TCase *tc = tcase_create("simple layers");
    tcase_add_test(tc, initial_values_of_linear);
    tcase_add_test(tc, linear_values);
    tcase_add_test(tc, linear_and_twin);
    tcase_add_test(tc, linear_errors);
    tcase_add_test(tc, initial_values_of_embedding);
    tcase_add_test(tc, embedding_loads);
    tcase_add_test(tc, the_padding_row_stays_zero);
    tcase_add_test(tc, initial_values_of_layer_norm);
    tcase_add_test(tc, dropout_layer);
    tcase_add_test(tc, inference_mode);
    suite_add_tcase(suite, tc);
    return suite;
}
