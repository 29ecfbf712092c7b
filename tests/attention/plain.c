/* Plain attention: values by hand, the tiled operator that is held to it, lengths, errors. Its
 * gradient checks are among the cases of support/operators.c. */
#include "../support/support.h"

/* Of the largest magnitude of each tensor. In float both operators round some hundred terms. */
#ifdef TG_DOUBLE
static const double TOLERANCE = 1e-12;
#else
static const double TOLERANCE = 1e-5;
#endif

/* Two keys, whose weights are 1/4 and 3/4. */
START_TEST(values_by_hand)
    {
        tg_tape *tape = tg_tape_new(1);
        const tg_real numbers[] = {1, 0}, keys[] = {0, 5, (tg_real)(2 * log(3)), -7},
                      values[] = {4, 8};
        tg_tensor *q = tg_variable(tape, numbers, TG_SHAPE(1, 1, 2)),
                  *k = tg_variable(tape, keys, TG_SHAPE(1, 2, 2)),
                  *v = tg_variable(tape, values, TG_SHAPE(1, 2, 1));
        tg_tensor *y = tg_plain_attention(tape, q, k, v, 0.5, tg_full_length());
        TEST_TENSOR(y, TG_SHAPE(1, 1, 1), 7);
        ck_assert(tg_backward(tape, tg_sum(tape, y, TG_ALL_AXES, false)));
        /* dv = a; da = 4, 8 with the mean 7; ds = -3/4, 3/4; dq = ds k / 2; dk = ds q / 2 */
        test_assert_all_near("dv", v->grad, (const double[]){0.25, 0.75}, 2, TEST_TOLERANCE);
        test_assert_all_near("dq", q->grad, (const double[]){0.75 * log(3), -4.5}, 2,
                             TEST_TOLERANCE);
        test_assert_all_near("dk", k->grad, (const double[]){-0.375, 0, 0.375, 0}, 4,
                             TEST_TOLERANCE);
        test_end(tape, NULL);
    }
END_TEST

/* ---- the tiled operator ---- */

enum { B = 3 };
static const int64_t times[] = {1, 3, 63, 64, 65, 130, 193}; /* beside tiles of 64 and 192 */
static const int64_t widths[][2] = {{4, 4}, {1, 3}, {16, 32}, {17, 5}};

static void compare(int64_t Tq, int64_t Tk, int64_t D, int64_t Dv, bool by_lengths)
{
    char what[96];
    snprintf(what, sizeof what, "Tq %d, Tk %d, D %d, Dv %d%s", (int)Tq, (int)Tk, (int)D, (int)Dv,
             by_lengths ? ", lengths" : "");
    const int32_t some[B] = {(int32_t)Tk, 0, (int32_t)(Tk - Tk / 3)};
    const tg_ints lengths = by_lengths ? tg_ints_1d(some, B) : tg_full_length();
    const tg_attention_mask mask = {.lengths = lengths};
    const double scale = 1 / sqrt((double)D);
    tg_tape *tapes[] = {tg_tape_new(1), tg_tape_new(1)};
    tg_tensor *in[2][3], *y[2];
    for (int t = 0; t < 2; t++) {
        tg_tensor **x = in[t];
        x[0] = test_variable(tapes[t], 1, -2, 2, TG_SHAPE(B, Tq, D));
        x[1] = test_variable(tapes[t], 2, -2, 2, TG_SHAPE(B, Tk, D));
        x[2] = test_variable(tapes[t], 3, -2, 2, TG_SHAPE(B, Tk, Dv));
        y[t] = t ? tg_dot_attention(tapes[t], x[0], x[1], x[2], 1, scale, 0, &mask)
                 : tg_plain_attention(tapes[t], x[0], x[1], x[2], scale, lengths);
        ck_assert_msg(tg_backward(tapes[t], test_weighted_loss(tapes[t], y[t], 4)), "%s: %s", what,
                      tg_tape_error(tapes[t]));
    }
    test_assert_shape(what, y[1], TG_SHAPE(B, Tq, Dv));
    test_assert_reals_near(what, y[1]->data, y[0]->data, y[0]->size, TOLERANCE);
    double largest = 0; /* with one key dq and dk are 0, but for roundings of dv's size */
    for (int k = 0; k < 3; k++)
        for (int64_t i = 0; i < in[0][k]->size; i++)
            largest = fmax(largest, fabs((double)in[0][k]->grad[i]));
    for (int k = 0; k < 3; k++)
        for (int64_t i = 0; i < in[0][k]->size; i++)
            TEST_CHECK(test_near((double)in[1][k]->grad[i], (double)in[0][k]->grad[i],
                                 TOLERANCE * largest),
                       "%s: gradient of input %d, element %d: tiled %.12g, plain %.12g", what, k,
                       (int)i, (double)in[1][k]->grad[i], (double)in[0][k]->grad[i]);
    test_end(tapes[0], NULL);
    test_end(tapes[1], NULL);
}

START_TEST(the_tiled_operator)
    {
        for (size_t k = 0; k < COUNT(times); k++) {
            const int64_t *width = widths[((size_t)_i + k) % COUNT(widths)];
            compare(times[_i], times[k], width[0], width[1], false);
            compare(times[_i], times[k], width[0], width[1], true);
        }
    }
END_TEST

/* ---- lengths, large scores, errors ---- */

/* NaN past a length reaches no result and no gradient. */
START_TEST(padding_is_not_read)
    {
        tg_tape *tape = tg_tape_new(1);
        const int32_t lengths[] = {1, 0};
        tg_tensor *q = test_variable(tape, 1, -1, 1, TG_SHAPE(2, 2, 3)),
                  *k = test_variable(tape, 2, -1, 1, TG_SHAPE(2, 2, 3)),
                  *v = test_variable(tape, 3, -1, 1, TG_SHAPE(2, 2, 1));
        for (int i = 3; i < 12; i++) k->data[i] = (tg_real)QNAN;
        for (int i = 1; i < 4; i++) v->data[i] = (tg_real)QNAN;
        tg_tensor *y = tg_plain_attention(tape, q, k, v, 1, tg_ints_1d(lengths, 2));
        TEST_TENSOR(y, TG_SHAPE(2, 2, 1), (double)v->data[0], (double)v->data[0], 0, 0);
        ck_assert(tg_backward(tape, tg_sum(tape, y, TG_ALL_AXES, false)));
        for (int i = 0; i < 12; i++) ck_assert(q->grad[i] == 0 && k->grad[i] == 0);
        for (int i = 0; i < 4; i++) ck_assert(v->grad[i] == (i == 0 ? 2 : 0));
        test_end(tape, NULL);
    }
END_TEST

START_TEST(large_scores)
    {
        tg_tape *tape = tg_tape_new(1);
        const tg_real one[] = {1}, keys[] = {5000, -5000, 5000}, values[] = {1, 100, 3};
        tg_tensor *y = tg_plain_attention(tape, tg_constant(tape, one, TG_SHAPE(1, 1, 1)),
                                          tg_constant(tape, keys, TG_SHAPE(1, 3, 1)),
                                          tg_constant(tape, values, TG_SHAPE(1, 3, 1)), 1,
                                          tg_full_length());
        TEST_TENSOR(y, TG_SHAPE(1, 1, 1), 2);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(errors)
    {
        static const int64_t shapes[][3][3] = {{{2, 3, 4},
                                                {2, 5, 3},
                                                {2, 5, 4}}, /* widths, times, batches */
                                               {{2, 3, 4}, {2, 5, 4}, {2, 4, 4}},
                                               {{2, 3, 4}, {1, 5, 4}, {1, 5, 4}},
                                               {{2, 3, 4}, {2, 5, 4}, {1, 5, 4}}};
        static const int32_t lengths[] = {1, 6};
        tg_tape *tape = tg_tape_new(1);
        for (size_t i = 0; i < COUNT(shapes); i++) {
            tg_tensor *x[3];
            for (int k = 0; k < 3; k++) x[k] = tg_constant(tape, NULL, 3, shapes[i][k]);
            ck_assert_ptr_null(tg_plain_attention(tape, x[0], x[1], x[2], 1, tg_full_length()));
            test_expect_error(tape, "plain_attention: q [2, 3, 4], k [", "do not fit", NULL);
        }
        tg_tensor *flat = tg_constant(tape, NULL, TG_SHAPE(3, 4));
        ck_assert_ptr_null(tg_plain_attention(tape, flat, flat, flat, 1, tg_full_length()));
        test_expect_error(tape, "plain_attention", "[3, 4]", NULL);
        tg_tensor *x = tg_constant(tape, NULL, TG_SHAPE(2, 5, 4));
        ck_assert_ptr_null(tg_plain_attention(tape, x, x, x, 1, tg_ints_1d(lengths, 2)));
        test_expect_error(tape, "plain_attention", "lengths[1] is 6, outside 0 .. 5", NULL);
        tg_tensor *endless = tg_constant(tape, NULL, TG_SHAPE(2, (int64_t)1 << 31, 0));
        ck_assert_ptr_null(
            tg_plain_attention(tape, endless, endless, endless, 1, tg_full_length()));
        test_expect_error(tape, "plain_attention", "too many pairs", NULL);
        x = tg_constant(tape, NULL, TG_SHAPE(2, 5, 4));
        tg_tensor *y = tg_plain_attention(tape, x, x, x, 1, tg_full_length());
        ck_assert_ptr_nonnull(y);
        ck_assert_ptr_null(tg_attention_weights(tape, y));
        test_expect_error(tape, "not an attention's result", NULL);
        test_end(tape, NULL);
    }
END_TEST

Suite *plain_suite(void);
Suite *plain_suite(void)
{
    Suite *suite = suite_create("plain");
    TCase *tc = tcase_create("plain");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, values_by_hand);
    tcase_add_loop_test(tc, the_tiled_operator, 0, (int)COUNT(times));
    tcase_add_test(tc, padding_is_not_read);
    tcase_add_test(tc, large_scores);
    tcase_add_test(tc, errors);
    suite_add_tcase(suite, tc);
    return suite;
}
