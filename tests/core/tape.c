/* Tapes: constants, modes, sticky errors, the backward pass. */
#include "../support/support.h"

START_TEST(constants_are_copies)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_real numbers[] = {1, 2, 3, 4, 5, 6};
        tg_tensor *c = tg_constant(tape, numbers, TG_SHAPE(2, 3));
        tg_tensor *v = tg_variable(tape, numbers, TG_SHAPE(3, 2));
        numbers[0] = 99;
        TEST_TENSOR(c, TG_SHAPE(2, 3), 1, 2, 3, 4, 5, 6);
        TEST_TENSOR(v, TG_SHAPE(3, 2), 1, 2, 3, 4, 5, 6);
        ck_assert(!c->requires_grad && v->requires_grad);
        ck_assert(c->grad == NULL && c->name == NULL && c->params == NULL && !c->has_grad);
        TEST_TENSOR(tg_constant(tape, NULL, TG_SHAPE(2)), TG_SHAPE(2), 0, 0);
        TEST_TENSOR(tg_constant(tape, NULL, TG_SHAPE(0, 5)), TG_SHAPE(0, 5), 0);
        tg_tensor *s = tg_constant(tape, (const tg_real[]){7}, TG_SCALAR);
        ck_assert_int_eq(s->ndim, 0);
        ck_assert_int_eq(s->size, 1);
        test_assert_number("item", tg_item(s), 7);
        test_assert_number("item of [1, 1]",
                           tg_item(tg_constant(tape, (const tg_real[]){8}, TG_SHAPE(1, 1))), 8);
        ck_assert(isnan(tg_item(c)) && isnan(tg_item(NULL)));
        test_end(tape, NULL);
    }
END_TEST

START_TEST(an_empty_tensor_is_legal)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *empty = tg_constant(tape, NULL, TG_SHAPE(0));
        ck_assert_int_eq(empty->size, 0);
        ck_assert(isnan(tg_item(empty)));
        test_end(tape, NULL);
    }
END_TEST

static const struct {
    test_shape shape;
    const char *part;
} bad_shapes[] = {
    {S(2, -1), "-1"},
    {S(-3), "-3"},
    {S((int64_t)1 << 40, (int64_t)1 << 40), "1099511627776"},
    {S(INT64_MAX), "9223372036854775807"},
    {S((int64_t)1 << 32, (int64_t)1 << 32, 0), "4294967296"}, /* empty; the strides overflow */
    {S((int64_t)1 << 61), "2305843009213693952"},             /* the count fits, the bytes do not */
};

START_TEST(bad_sizes_are_errors)
    {
        tg_tape *tape = tg_tape_new(1);
        test_shape shape = bad_shapes[_i].shape;
        ck_assert_ptr_null(tg_constant(tape, NULL, shape.ndim, shape.size));
        test_expect_error(tape, bad_shapes[_i].part, NULL);
        ck_assert_ptr_null(tg_variable(tape, NULL, shape.ndim, shape.size));
        test_expect_error(tape, bad_shapes[_i].part, NULL);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(seven_axes_are_an_error)
    {
        tg_tape *tape = tg_tape_new(1);
        ck_assert_ptr_null(tg_constant(tape, NULL, TG_SHAPE(1, 1, 1, 1, 1, 1, 1)));
        test_expect_error(tape, NULL);
        ck_assert_ptr_nonnull(tg_constant(tape, NULL, TG_SHAPE(1, 1, 1, 1, 1, 1)));
        test_end(tape, NULL);
    }
END_TEST

START_TEST(out_of_memory)
    {
        test_memory_begin(0, false);
        tg_tape *tape = tg_tape_new(1);
        ck_assert_ptr_null(tg_constant(tape, NULL, TG_SHAPE((int64_t)1 << 50)));
        if (sizeof(void *) < 8) test_expect_error(tape, "1125899906842624", "too large", NULL);
        else
            test_expect_error(tape, "out of memory",
                              sizeof(tg_real) == 8 ? "9007199254740992" : "4503599627370496", NULL);
        ck_assert_ptr_nonnull(tg_constant(tape, NULL, TG_SHAPE(3)));
        test_end(tape, NULL);
        ck_assert_int_eq(test_memory_end().blocks, 0);
    }
END_TEST

START_TEST(modes)
    {
        tg_tape *tape = tg_tape_new(1);
        ck_assert(tg_tape_training(tape) && tg_tape_recording(tape));
        tg_tape_set_training(tape, false);
        tg_tape_set_recording(tape, false);
        tg_tape_reset(tape);
        ck_assert(!tg_tape_training(tape) && !tg_tape_recording(tape));
        tg_tape_set_training(tape, true);
        ck_assert(tg_tape_training(tape) && !tg_tape_recording(tape));
        test_end(tape, NULL);
    }
END_TEST

START_TEST(the_generator_survives_a_reset)
    {
        tg_tape *tape = tg_tape_new(7), *same = tg_tape_new(7), *other = tg_tape_new(8);
        ck_assert(tg_tape_random(tape)->key == tg_tape_random(same)->key);
        ck_assert(tg_tape_random(tape)->key != tg_tape_random(other)->key);
        tg_random_bits(tg_tape_random(tape));
        tg_tape_reset(tape);
        ck_assert_uint_eq(tg_tape_random(tape)->counter, 1);
        tg_tape_free(same);
        tg_tape_free(other);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(length_and_bytes)
    {
        tg_tape *tape = tg_tape_new(1);
        ck_assert_int_eq(tg_tape_length(tape), 0);
        tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(100));
        ck_assert_int_eq(tg_tape_length(tape), 0);
        tg_exp(tape, tg_neg(tape, x));
        ck_assert_int_eq(tg_tape_length(tape), 2);
        ck_assert_uint_ge(tg_tape_bytes(tape), 300 * sizeof(tg_real));
        tg_tape_reset(tape);
        ck_assert_int_eq(tg_tape_length(tape), 0);
        ck_assert_uint_eq(tg_tape_bytes(tape), 0);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(without_recording_nothing_requires_a_gradient)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_params *params = tg_params_new(1);
        tg_tensor *p = tg_param(params, NULL, "p", TG_SHAPE(3), tg_init_constant(2));
        tg_tape_set_recording(tape, false);
        tg_tensor *y = tg_sum(tape, tg_square(tape, p), TG_ALL_AXES, false);
        test_assert_number("value", tg_item(y), 12);
        ck_assert(!y->requires_grad);
        ck_assert_int_eq(tg_tape_length(tape), 0);
        ck_assert(!tg_backward(tape, y));
        test_expect_error(tape, "backward", NULL);
        ck_assert(!p->has_grad);
        tg_tape_set_recording(tape, true);
        ck_assert(tg_backward(tape, tg_sum(tape, tg_square(tape, p), TG_ALL_AXES, false)));
        ck_assert(p->has_grad);
        test_end(tape, params);
    }
END_TEST

/* ---- errors ---- */

START_TEST(the_first_error_sticks)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(2, 3)),
                  *y = test_variable(tape, 2, -1, 1, TG_SHAPE(4));
        int64_t length = tg_tape_length(tape);
        ck_assert_ptr_null(tg_mul(tape, x, y));
        char first[512];
        snprintf(first, sizeof first, "%s", tg_tape_error(tape));
        ck_assert_msg(strstr(first, "mul") && strstr(first, "[2, 3]") && strstr(first, "[4]"), "%s",
                      first);
        ck_assert_ptr_null(tg_matmul(tape, x, y)); /* a second error does not replace the first */
        ck_assert_ptr_null(tg_exp(tape, x));       /* a valid call does nothing */
        ck_assert_ptr_null(tg_constant(tape, NULL, TG_SHAPE(1)));
        ck_assert(!tg_backward(tape, x));
        ck_assert_int_eq(tg_tape_length(tape), length);
        ck_assert_str_eq(tg_tape_error(tape), first);
        tg_tape_reset(tape);
        ck_assert_str_eq(tg_tape_error(tape), first);
        ck_assert_ptr_null(tg_constant(tape, NULL, TG_SHAPE(1)));
        ck_assert_str_eq(tg_tape_take_error(tape), first);
        ck_assert_ptr_null(tg_tape_error(tape));
        ck_assert_ptr_null(tg_tape_take_error(tape));
        ck_assert_ptr_nonnull(tg_constant(tape, NULL, TG_SHAPE(1)));
        test_end(tape, NULL);
    }
END_TEST

START_TEST(a_null_input_is_an_error)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(2));
        ck_assert_ptr_null(tg_add(tape, x, NULL));
        ck_assert(!tg_backward(tape, NULL));
        test_expect_error(tape, "add", NULL);
        ck_assert(!tg_backward(tape, NULL));
        test_expect_error(tape, "backward", NULL);
        test_end(tape, NULL);
    }
END_TEST

static void every_operator(tg_tape *t, tg_tensor *x)
{
    const int32_t ids[] = {0};
    const uint8_t mask_bytes[] = {1};
    tg_ints ints = tg_ints_1d(ids, 1);
    tg_mask mask = tg_mask_nd(mask_bytes, TG_SHAPE(1));
    tg_tensor *results[] = {
        tg_add(t, x, x),
        tg_sub(t, x, x),
        tg_mul(t, x, x),
        tg_div(t, x, x),
        tg_maximum(t, x, x),
        tg_neg(t, x),
        tg_exp(t, x),
        tg_log(t, x),
        tg_sqrt(t, x),
        tg_square(t, x),
        tg_tanh(t, x),
        tg_sigmoid(t, x),
        tg_relu(t, x),
        tg_gelu(t, x),
        tg_affine(t, x, 1, 2),
        tg_sum(t, x, TG_ALL_AXES, false),
        tg_mean(t, x, TG_AXES(0), true),
        tg_max(t, x, TG_ALL_AXES, false),
        tg_logsumexp(t, x, TG_ALL_AXES, false),
        tg_matmul(t, x, x),
        tg_matmul_transposed(t, x, x, TG_TRANSPOSE_A),
        tg_reshape(t, x, TG_SHAPE(1)),
        tg_permute(t, x, TG_AXES(0)),
        tg_concat(t, 2, (tg_tensor *[]){x, x}, 0),
        tg_stack(t, 2, (tg_tensor *[]){x, x}, 0),
        tg_slice(t, x, 0, 0, 1),
        tg_gather(t, x, ints, -1),
        tg_where(t, mask, x, x),
        tg_where_scalar(t, mask, x, 0),
        tg_softmax(t, x),
        tg_softmax_lengths(t, x, ints),
        tg_softmax_masked(t, x, mask),
        tg_log_softmax(t, x),
        tg_log_softmax_lengths(t, x, ints),
        tg_log_softmax_masked(t, x, mask),
        tg_layer_norm(t, x, x, x, 1e-5),
        tg_l2_normalize(t, x),
        tg_zero_padding(t, x, tg_full_length()),
        tg_dropout(t, x, 0.5),
        tg_dropout(t, x, 0),
        tg_detach(t, x),
        tg_cross_entropy(t, x, ints),
        tg_cross_entropy_weighted(t, x, ints, NULL, 0),
        tg_binary_cross_entropy_with_logits(t, x, x),
        tg_mean_squared_error(t, x, x),
        tg_constant(t, NULL, TG_SHAPE(1)),
        tg_variable(t, NULL, TG_SHAPE(1)),
    };
    for (size_t i = 0; i < COUNT(results); i++)
        ck_assert_msg(results[i] == NULL, "result %d is not NULL", (int)i);
}

START_TEST(every_function_accepts_null)
    {
        tg_tensor *outputs[TG_MAX_OUTPUTS];
        every_operator(NULL, NULL); /* no tape, no tensors */
        tg_tape_free(NULL);
        tg_tape_reset(NULL);
        size_t bytes;
        ck_assert_int_eq(sscanf(tg_tape_error(NULL), "out of memory: %zu bytes for a tape", &bytes),
                         1);
        ck_assert_int_eq(sscanf(tg_tape_take_error(NULL), "out of memory: %zu bytes for a tape",
                                &bytes),
                         1);
        tg_tape_set_training(NULL, true);
        tg_tape_set_recording(NULL, true);
        tg_tape_training(NULL); /* returns; the value means nothing */
        tg_tape_recording(NULL);
        ck_assert_ptr_null(tg_tape_random(NULL));
        ck_assert_int_eq(tg_tape_length(NULL), 0);
        ck_assert_uint_eq(tg_tape_bytes(NULL), 0);
        ck_assert(!tg_backward(NULL, NULL));
        ck_assert_ptr_null(tg_apply(NULL, tg_operators[0], NULL, 0, NULL, outputs));

        tg_tape *tape = tg_tape_new(1); /* with an error: every operator returns NULL */
        tg_tensor *real = tg_constant(tape, NULL, TG_SHAPE(1));
        ck_assert_ptr_null(tg_constant(tape, NULL, TG_SHAPE(-1)));
        every_operator(tape, NULL);
        every_operator(tape, real);
        test_expect_error(tape, "-1", NULL);
        test_end(tape, NULL);
    }
END_TEST

/* ---- the backward pass ---- */

START_TEST(gradients_of_intermediates_can_be_read)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = tg_variable(tape, (const tg_real[]){1, 2, 3}, TG_SHAPE(3));
        tg_tensor *y = tg_square(tape, x), *z = tg_affine(tape, y, 5, 0);
        tg_tensor *loss = tg_sum(tape, z, TG_ALL_AXES, false);
        tg_tensor *unused = tg_exp(tape, x);
        ck_assert_ptr_null(y->grad);
        ck_assert(tg_backward(tape, loss));
        test_assert_all_near("dz", z->grad, (const double[]){1, 1, 1}, 3, 0);
        test_assert_all_near("dy", y->grad, (const double[]){5, 5, 5}, 3, 0);
        test_assert_all_near("dx", x->grad, (const double[]){10, 20, 30}, 3, 0);
        test_assert_all_near("dloss", loss->grad, (const double[]){1}, 1, 0);
        ck_assert(y->has_grad && !unused->has_grad);
        ck_assert_ptr_null(unused->grad);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(a_second_backward_is_refused)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_params *params = tg_params_new(1);
        tg_tensor *p = tg_param(params, NULL, "p", TG_SHAPE(2), tg_init_constant(3));
        tg_tensor *loss = tg_sum(tape, tg_square(tape, p), TG_ALL_AXES, false);
        ck_assert(tg_backward(tape, loss));
        ck_assert(!tg_backward(tape, loss));
        test_assert_all_near("dp", p->grad, (const double[]){6, 6}, 2, 0);
        test_expect_error(tape, "backward", NULL); /* resets the tape, too */
        ck_assert(tg_backward(tape, tg_sum(tape, p, TG_ALL_AXES, false)));
        test_assert_all_near("dp", p->grad, (const double[]){7, 7}, 2, 0);
        test_end(tape, params);
    }
END_TEST

START_TEST(invalid_losses)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(2, 3));
        ck_assert(!tg_backward(tape, tg_exp(tape, x)));
        test_expect_error(tape, "[2, 3]", NULL);
        tg_tensor *c = tg_constant(tape, NULL, TG_SHAPE(2));
        ck_assert(!tg_backward(tape, tg_sum(tape, c, TG_ALL_AXES, false)));
        test_expect_error(tape, "gradient", NULL);
        ck_assert(!tg_backward(tape, tg_constant(tape, NULL, TG_SHAPE(0))));
        test_expect_error(tape, "[0]", NULL);
        /* A single number of any rank is a valid loss, also without an operator. */
        x = test_variable(tape, 1, -1, 1, TG_SHAPE(1, 1));
        ck_assert(tg_backward(tape, x));
        test_assert_all_near("dx", x->grad, (const double[]){1}, 1, 0);
        test_end(tape, NULL);
    }
END_TEST

/* The gradient would be lost: this backward pass does not walk the other tape. */
START_TEST(a_result_of_another_tape)
    {
        tg_tape *tape = tg_tape_new(1), *other = tg_tape_new(1);
        tg_tensor *x = tg_variable(tape, NULL, TG_SHAPE(2)),
                  *y = tg_exp(other, tg_variable(other, NULL, TG_SHAPE(2)));
        ck_assert_ptr_null(tg_add(tape, x, y));
        test_expect_error(tape, "add: input 1", "another tape", NULL);
        x = tg_variable(tape, NULL, TG_SHAPE(2));
        TEST_TENSOR(tg_add(tape, x, tg_detach(tape, y)), TG_SHAPE(2), 1, 1);
        tg_tape_set_recording(tape, false);
        TEST_TENSOR(tg_add(tape, x, y), TG_SHAPE(2), 1, 1);
        test_end(tape, NULL);
        test_end(other, NULL);
    }
END_TEST

START_TEST(gradients_add_up_over_passes)
    {
        tg_tape *tapes[] = {tg_tape_new(1), tg_tape_new(2)};
        tg_params *params = tg_params_new(1);
        tg_tensor *p = tg_param(params, NULL, "p", TG_SHAPE(2), tg_init_constant(1));
        for (int pass = 1; pass <= 4; pass++) {
            tg_tape *tape = tapes[pass % 2];
            tg_tensor *c = tg_constant(tape, (const tg_real[]){(tg_real)pass, 10}, TG_SHAPE(2));
            ck_assert(tg_backward(tape, tg_sum(tape, tg_mul(tape, p, c), TG_ALL_AXES, false)));
            tg_tape_reset(tape);
        }
        test_assert_all_near("dp", p->grad, (const double[]){1 + 2 + 3 + 4, 40}, 2, 0);
        tg_params_zero_grad(params);
        ck_assert(!p->has_grad);
        ck_assert(tg_backward(tapes[0], tg_sum(tapes[0], p, TG_ALL_AXES, false)));
        test_assert_all_near("dp, cleared before", p->grad, (const double[]){1, 1}, 2, 0);
        test_end(tapes[1], NULL);
        test_end(tapes[0], params);
    }
END_TEST

START_TEST(one_tensor_in_many_places)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = tg_variable(tape, (const tg_real[]){3}, TG_SHAPE(1));
        tg_tensor *y = tg_add(tape, tg_mul(tape, x, x),
                              tg_mul(tape, x, tg_square(tape, x))); /* x^2 + x^3 */
        ck_assert(tg_backward(tape, y));
        test_assert_all_near("dx", x->grad, (const double[]){2 * 3 + 3 * 9}, 1, 0);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(a_long_chain)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = tg_variable(tape, NULL, TG_SHAPE(1)), *y = x;
        /* Recursion would overflow the stack; quadratic time would be too slow. */
        for (int i = 0; i < 20000; i++) y = tg_affine(tape, y, -1, 1);
        ck_assert_int_eq(tg_tape_length(tape), 20000);
        ck_assert(tg_backward(tape, y));
        test_assert_all_near("dx", x->grad, (const double[]){1}, 1, 0);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(integer_views)
    {
        const int32_t numbers[] = {1, 2, 3, 4, 5, 6};
        tg_ints one = tg_ints_1d(numbers, 6), two = tg_ints_2d(numbers, 2, 3);
        ck_assert(one.data == numbers && one.ndim == 1 && one.shape[0] == 6);
        ck_assert(two.data == numbers && two.ndim == 2 && two.shape[0] == 2 && two.shape[1] == 3);
        const uint8_t mask_bytes[] = {1, 0};
        tg_mask mask = tg_mask_nd(mask_bytes, TG_SHAPE(2, 1));
        ck_assert(mask.data == mask_bytes && mask.ndim == 2 && mask.shape[0] == 2 &&
                  mask.shape[1] == 1);
        const char *isa = tg_isa();
        ck_assert(!strcmp(isa, "baseline") || !strcmp(isa, "avx2") || !strcmp(isa, "avx512"));
    }
END_TEST

Suite *tape_suite(void);
Suite *tape_suite(void)
{
    Suite *suite = suite_create("tape");
    TCase *tc = tcase_create("tape");
    tcase_add_test(tc, constants_are_copies);
    tcase_add_test(tc, an_empty_tensor_is_legal);
    tcase_add_loop_test(tc, bad_sizes_are_errors, 0, (int)COUNT(bad_shapes));
    tcase_add_test(tc, seven_axes_are_an_error);
    tcase_add_test(tc, out_of_memory);
    tcase_add_test(tc, modes);
    tcase_add_test(tc, the_generator_survives_a_reset);
    tcase_add_test(tc, length_and_bytes);
    tcase_add_test(tc, without_recording_nothing_requires_a_gradient);
    tcase_add_test(tc, the_first_error_sticks);
    tcase_add_test(tc, a_null_input_is_an_error);
    tcase_add_test(tc, every_function_accepts_null);
    tcase_add_test(tc, gradients_of_intermediates_can_be_read);
    tcase_add_test(tc, a_second_backward_is_refused);
    tcase_add_test(tc, invalid_losses);
    tcase_add_test(tc, a_result_of_another_tape);
    tcase_add_test(tc, gradients_add_up_over_passes);
    tcase_add_test(tc, one_tensor_in_many_places);
    tcase_add_test(tc, a_long_chain);
    tcase_add_test(tc, integer_views);
    suite_add_tcase(suite, tc);
    return suite;
}
