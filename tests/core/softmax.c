/* Softmax and log-softmax: values, lengths, masks; masked positions never influence a result. */
#include "../support/support.h"

/* Over one row. Without a mask (NULL) all positions take part. `logs` selects log-softmax. */
static void reference(const tg_real *x, const uint8_t *mask, int64_t T, bool logs, double *y)
{
    double top = -INF, sum = 0;
    bool any = false;
    for (int64_t t = 0; t < T; t++)
        if (!mask || mask[t]) {
            any = true;
            top = (double)x[t] > top ? (double)x[t] : top;
        }
    for (int64_t t = 0; t < T; t++)
        if (!mask || mask[t]) sum += exp((double)x[t] - top);
    for (int64_t t = 0; t < T; t++) {
        if (!mask || mask[t])
            y[t] = logs ? (double)x[t] - top - log(sum) : exp((double)x[t] - top) / sum;
        else y[t] = logs && any ? -INF : 0;
    }
}

static void check_rows(const char *what, const tg_tensor *x, const uint8_t *mask, bool logs,
                       const tg_tensor *y)
{
    int64_t T = x->shape[x->ndim - 1];
    double *want = malloc((size_t)(T + 1) * sizeof *want);
    test_assert_shape(what, y, x->ndim, x->shape);
    for (int64_t row = 0; T && row < x->size / T; row++) {
        reference(x->data + row * T, mask ? mask + row * T : NULL, T, logs, want);
        test_assert_all_near(what, y->data + row * T, want, T, TEST_TOLERANCE);
        /* A masked position is exactly 0. */
        for (int64_t t = 0; t < T; t++)
            if (mask && !mask[row * T + t])
                TEST_CHECK((double)y->data[row * T + t] == want[t],
                           "%s: masked position %lld is not exactly %g", what, (long long)t,
                           want[t]);
    }
    free(want);
}

START_TEST(every_width)
    {
        tg_tape *tape = tg_tape_new(1);
        for (int64_t T = 0; T <= 70; T++) {
            tg_tensor *x = test_variable(tape, (uint64_t)T, -6, 6, TG_SHAPE(3, T));
            tg_tensor *y = tg_softmax(tape, x), *z = tg_log_softmax(tape, x);
            test_assert_clean(tape);
            check_rows("softmax", x, NULL, false, y);
            check_rows("log_softmax", x, NULL, true, z);
            tg_tape_reset(tape);
        }
        test_end(tape, NULL);
    }
END_TEST

START_TEST(large_scores)
    {
        const tg_real inf = (tg_real)INFINITY;
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = tg_variable(tape,
                                   (const tg_real[]){1000, 1000, -1000, -1e5, -1e5, -1e5, 0, -inf,
                                                     0},
                                   TG_SHAPE(3, 3));
        TEST_TENSOR(tg_softmax(tape, x), TG_SHAPE(3, 3), 0.5, 0.5, 0, 1.0 / 3, 1.0 / 3, 1.0 / 3,
                    0.5, 0, 0.5);
        TEST_TENSOR(tg_log_softmax(tape, tg_slice(tape, x, 0, 0, 2)), TG_SHAPE(2, 3), -log(2),
                    -log(2), -2000 - log(2), -log(3), -log(3), -log(3));
        test_end(tape, NULL);
    }
END_TEST

/* Writes NaN, infinities and huge numbers into the masked positions. */
static void fill_masked_with_garbage(tg_tensor *x, const uint8_t *mask)
{
    const tg_real garbage[] = {(tg_real)NAN, (tg_real)INFINITY, (tg_real)-INFINITY, (tg_real)1e30,
                               (tg_real)-1e30};
    for (int64_t i = 0; i < x->size; i++)
        if (!mask[i]) x->data[i] = garbage[i % 5];
}

START_TEST(lengths_and_garbage)
    {
        enum { B = 5, N = 2, T = 19 };
        const int32_t lengths[B] = {19, 0, 1, 17, 8};
        uint8_t mask[B * N * T];
        for (int i = 0; i < B * N * T; i++) mask[i] = i % T < lengths[i / (N * T)];
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = test_variable(tape, 1, -3, 3, TG_SHAPE(B, N, T));
        fill_masked_with_garbage(x, mask);
        tg_tensor *y = tg_softmax_lengths(tape, x, tg_ints_1d(lengths, B)),
                  *z = tg_log_softmax_lengths(tape, x, tg_ints_1d(lengths, B));
        test_assert_clean(tape);
        check_rows("softmax_lengths", x, mask, false, y);
        check_rows("log_softmax_lengths", x, mask, true, z);
        tg_tensor *loss = tg_add(
            tape, test_weighted_loss(tape, y, 3),
            test_weighted_loss(tape,
                               tg_where_scalar(tape, tg_mask_nd(mask, TG_SHAPE(B, N, T)), z, 0),
                               4));
        ck_assert(tg_backward(tape, loss));
        for (int i = 0; i < B * N * T; i++) {
            ck_assert(isfinite((double)x->grad[i]));
            if (!mask[i]) ck_assert(x->grad[i] == 0);
        }
        test_end(tape, NULL);
    }
END_TEST

/* The incoming gradient of a masked position may be anything too: the position's value does not
 * influence the loss. */
START_TEST(garbage_in_the_incoming_gradient)
    {
        tg_tape *tape = tg_tape_new(1);
        const int32_t lengths[] = {2, 0};
        tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(2, 3));
        const tg_real nan = (tg_real)NAN;
        tg_tensor *r = tg_constant(tape, (const tg_real[]){1, 2, nan, nan, nan, nan},
                                   TG_SHAPE(2, 3));
        tg_tensor *y = tg_softmax_lengths(tape, x, tg_ints_1d(lengths, 2));
        ck_assert(tg_backward(tape, tg_sum(tape, tg_mul(tape, y, r), TG_ALL_AXES, false)));
        double p = (double)y->data[0], slope = -p * (1 - p);
        test_assert_all_near("dx", x->grad, (const double[]){slope, -slope, 0, 0, 0, 0}, 6,
                             TEST_TOLERANCE);
        test_end(tape, NULL);
    }
END_TEST

static const struct {
    test_shape x, mask;
} masks[] = {{S(2, 3, 5), S(2, 3, 5)}, {S(2, 3, 5), S(5)},
             {S(2, 3, 5), S(3, 5)},    {S(2, 3, 5), S(2, 1, 5)},
             {S(2, 3, 5), S(2, 3, 1)}, {S(2, 3, 5), S(3, 1)},
             {S(2, 3, 5), S_SCALAR},   {S(7), S(7)},
             {S(4, 33), S(4, 33)},     {S(0, 3), S(1, 3)}};

START_TEST(masks_broadcast)
    {
        test_shape shape = masks[_i].x, small = masks[_i].mask;
        int64_t size = test_shape_size(shape), small_size = test_shape_size(small);
        uint8_t small_mask[256] = {0}, full_mask[256] = {0};
        for (int64_t i = 0; i < small_size; i++) small_mask[i] = test_number(7, i, 0, 1) < 0.5;
        for (int64_t i = 0; i < size; i++)
            full_mask[i] =
                small_mask[test_broadcast(i, shape.ndim, shape.size, small.ndim, small.size)];
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = test_variable(tape, 1, -3, 3, shape.ndim, shape.size);
        fill_masked_with_garbage(x, full_mask);
        tg_mask mask = tg_mask_nd(small_mask, small.ndim, small.size);
        tg_tensor *y = tg_softmax_masked(tape, x, mask), *z = tg_log_softmax_masked(tape, x, mask);
        test_assert_clean(tape);
        check_rows("softmax_masked", x, full_mask, false, y);
        check_rows("log_softmax_masked", x, full_mask, true, z);
        memset(small_mask, 1, sizeof small_mask); /* the caller may reuse its array */
        ck_assert(tg_backward(tape, test_weighted_loss(tape, y, 3)));
        for (int64_t i = 0; i < size; i++)
            ck_assert(full_mask[i] ? isfinite((double)x->grad[i]) : x->grad[i] == 0);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(fully_masked_rows_are_zeros)
    {
        tg_tape *tape = tg_tape_new(1);
        const uint8_t mask[] = {0, 0, 1, 1};
        const int32_t lengths[] = {0, 2};
        tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(2, 2));
        tg_tensor *all[] = {tg_softmax_masked(tape, x, tg_mask_nd(mask, TG_SHAPE(2, 2))),
                            tg_softmax_lengths(tape, x, tg_ints_1d(lengths, 2)),
                            tg_log_softmax_masked(tape, x, tg_mask_nd(mask, TG_SHAPE(2, 2))),
                            tg_log_softmax_lengths(tape, x, tg_ints_1d(lengths, 2))};
        test_assert_clean(tape);
        tg_tensor *sum = tg_add(tape, tg_add(tape, all[0], all[1]), tg_add(tape, all[2], all[3]));
        for (size_t k = 0; k < COUNT(all); k++)
            ck_assert(all[k]->data[0] == 0 && all[k]->data[1] == 0 && all[k]->data[2] != 0);
        ck_assert(tg_backward(tape, test_weighted_loss(tape, sum, 3)));
        ck_assert(x->grad[0] == 0 && x->grad[1] == 0 && x->grad[2] != 0);
        test_end(tape, NULL);
    }
END_TEST

/* The number of masked positions does not change a bit at the others. */
START_TEST(padding_changes_no_bit)
    {
        enum { L = 11 };
        tg_tape *tape = tg_tape_new(1);
        const int32_t length = L;
        tg_tensor *first = NULL;
        for (int64_t T = L; T <= 70; T++) {
            /* The first numbers are the same for every T. */
            tg_tensor *x = test_variable(tape, 5, -3, 3, TG_SHAPE(1, T));
            tg_tensor *y = tg_softmax_lengths(tape, x, tg_ints_1d(&length, 1)),
                      *z = tg_log_softmax_lengths(tape, x, tg_ints_1d(&length, 1));
            tg_tensor *both = tg_concat(tape, 2,
                                        (tg_tensor *[]){tg_slice(tape, y, 1, 0, L),
                                                        tg_slice(tape, z, 1, 0, L)},
                                        1);
            if (!first) first = both;
            test_assert_same_bits("a longer row", both->data, first->data, 2 * L);
        }
        test_end(tape, NULL);
    }
END_TEST

START_TEST(softmax_errors)
    {
        tg_tape *tape = tg_tape_new(1);
        const int32_t good[] = {1, 2, 3}, bad[] = {1, 4, 0}, negative[] = {1, -1, 0};
        const uint8_t mask[9] = {0};
#define X test_variable(tape, 1, -1, 1, TG_SHAPE(3, 3))
        ck_assert_ptr_null(tg_softmax_lengths(tape, X, tg_ints_1d(good, 2)));
        test_expect_error(tape, "softmax", "[2]", NULL);
        ck_assert_ptr_null(tg_softmax_lengths(tape, X, tg_ints_1d(bad, 3)));
        test_expect_error(tape, "softmax", "4", "1", NULL);
        ck_assert_ptr_null(tg_log_softmax_lengths(tape, X, tg_ints_1d(negative, 3)));
        test_expect_error(tape, "log_softmax", "-1", NULL);
        ck_assert_ptr_null(tg_softmax_masked(tape, X, tg_mask_nd(mask, TG_SHAPE(2))));
        test_expect_error(tape, "softmax", "[2]", "[3, 3]", NULL);
        ck_assert_ptr_null(tg_softmax_masked(tape, X, tg_mask_nd(mask, TG_SHAPE(1, 3, 3))));
        test_expect_error(tape, "softmax", "[1, 3, 3]", "[3, 3]", NULL);
        ck_assert_ptr_null(tg_softmax_lengths(tape, test_variable(tape, 1, -1, 1, TG_SHAPE(3)),
                                              tg_ints_1d(good, 3)));
        test_expect_error(tape, "softmax: [3] has no batch axis", NULL);
        ck_assert_ptr_null(tg_softmax(tape, test_variable(tape, 1, -1, 1, TG_SCALAR)));
        test_expect_error(tape, "softmax", NULL);
        ck_assert_ptr_null(tg_log_softmax(tape, test_variable(tape, 1, -1, 1, TG_SCALAR)));
        test_expect_error(tape, "log_softmax", NULL);
        test_end(tape, NULL);
    }
END_TEST

Suite *softmax_suite(void);
Suite *softmax_suite(void)
{
    Suite *suite = suite_create("softmax");
    TCase *tc = tcase_create("softmax");
    tcase_add_test(tc, every_width);
    tcase_add_test(tc, large_scores);
    tcase_add_test(tc, lengths_and_garbage);
    tcase_add_test(tc, garbage_in_the_incoming_gradient);
    tcase_add_loop_test(tc, masks_broadcast, 0, (int)COUNT(masks));
    tcase_add_test(tc, fully_masked_rows_are_zeros);
    tcase_add_test(tc, padding_changes_no_bit);
    tcase_add_test(tc, softmax_errors);
    suite_add_tcase(suite, tc);
    return suite;
}
