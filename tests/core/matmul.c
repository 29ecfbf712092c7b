/* The matrix product: values over all sizes, the order of summation, batches, shape errors. */
#include "../support/support.h"

/* Sizes around the widths of registers, tiles and blocks. */
static const int64_t sizes[] = {1, 2, 3, 5, 8, 13, 17, 31, 49, 70};

/* A matrix of rows x columns elements, stored row by row or, transposed, column by column. */
typedef struct matrix {
    const tg_real *data;
    bool transposed;
    int64_t rows, columns;
} matrix;

static tg_real element(matrix x, int64_t row, int64_t column)
{
    return x.data[x.transposed ? column * x.rows + row : row * x.columns + column];
}

/* One element of the product as the library defines it: a chain of fused multiply-adds over
 * ascending k. */
static tg_real chain(matrix a, matrix b, int64_t m, int64_t n)
{
    tg_real sum = 0;
    for (int64_t k = 0; k < a.columns; k++) {
        tg_real x = element(a, m, k), y = element(b, k, n);
#ifdef TG_DOUBLE
        sum = fma(x, y, sum);
#else
        sum = fmaf(x, y, sum);
#endif
    }
    return sum;
}

/* Whether the kernels must match the chain to the bit. The baseline kernels round twice: they have
 * no fused multiply-add. */
static bool is_fused(void)
{
#ifdef TG_DOUBLE
    return false;
#else
    return strcmp(tg_isa(), "baseline") != 0;
#endif
}

static void check_element(const char *what, matrix a, matrix b, int64_t m, int64_t n, tg_real got)
{
    const int M = (int)a.rows, K = (int)a.columns, N = (int)b.columns;
    double sum = 0, magnitude = 0;
    for (int64_t k = 0; k < a.columns; k++) {
        double term = (double)element(a, m, k) * (double)element(b, k, n);
        sum += term;
        magnitude += fabs(term);
    }
    TEST_CHECK(test_near((double)got, sum, TEST_TOLERANCE * magnitude),
               "%s [%d, %d, %d] at %d, %d: %.9g, wanted %.9g", what, M, K, N, (int)m, (int)n,
               (double)got, sum);
    if (!is_fused()) return;
    tg_real bits = chain(a, b, m, n);
    TEST_CHECK(memcmp(&bits, &got, sizeof bits) == 0,
               "%s [%d, %d, %d] at %d, %d: %.9g is not the chain's %.9g (%s)", what, M, K, N,
               (int)m, (int)n, (double)got, (double)bits, tg_isa());
}

/* c holds a x b. */
static void check_product(const char *what, const tg_real *c, matrix a, matrix b)
{
    for (int64_t m = 0; m < a.rows; m++)
        for (int64_t n = 0; n < b.columns; n++)
            check_element(what, a, b, m, n, c[m * b.columns + n]);
}

START_TEST(every_size)
    {
        int64_t M = sizes[_i];
        tg_tape *tape = tg_tape_new(1);
        for (size_t n = 0; n < COUNT(sizes); n++)
            for (size_t k = 0; k < COUNT(sizes); k++)
                for (int t = 0; t < 4; t++) {
                    int64_t N = sizes[n], K = sizes[k];
                    bool ta = t & 1, tb = t & 2;
                    tg_tensor *a = test_variable(tape, 1, -1, 1, TG_SHAPE(ta ? K : M, ta ? M : K));
                    tg_tensor *b = test_variable(tape, 2, -1, 1, TG_SHAPE(tb ? N : K, tb ? K : N));
                    tg_tensor *c = t == 0
                                       ? tg_matmul(tape, a, b)
                                       : tg_matmul_transposed(tape, a, b, test_transposed(ta, tb));
                    test_assert_clean(tape);
                    test_assert_shape("matmul", c, TG_SHAPE(M, N));
                    check_product("matmul", c->data, (matrix){a->data, ta, M, K},
                                  (matrix){b->data, tb, K, N});
                    tg_tape_reset(tape);
                }
        test_end(tape, NULL);
    }
END_TEST

/* Longer than any block along each axis: partial sums are carried from block to block. */
static const int64_t large[][3] = {
    {3, 5, 3000}, {700, 3, 5}, {3, 2100, 7}, {130, 140, 700}, {533, 208, 521}};

START_TEST(large_sizes)
    {
        int64_t M = large[_i][0], N = large[_i][1], K = large[_i][2];
        tg_tape *tape = tg_tape_new(1);
        for (int t = 0; t < 4; t++) {
            bool ta = t & 1, tb = t & 2;
            tg_tensor *a = test_variable(tape, 1, -1, 1, TG_SHAPE(ta ? K : M, ta ? M : K));
            tg_tensor *b = test_variable(tape, 2, -1, 1, TG_SHAPE(tb ? N : K, tb ? K : N));
            tg_tensor *c = tg_matmul_transposed(tape, a, b, test_transposed(ta, tb));
            test_assert_clean(tape);
            check_product("matmul", c->data, (matrix){a->data, ta, M, K},
                          (matrix){b->data, tb, K, N});
            tg_tape_reset(tape);
        }
        test_end(tape, NULL);
    }
END_TEST

static const struct {
    test_shape a, b, c; /* of the batch axes */
} batches[] = {{S(4), S(4), S(4)},
               {S(4), S_SCALAR, S(4)},
               {S_SCALAR, S(4), S(4)},
               {S(1), S(3), S(3)},
               {S(2, 1), S(3), S(2, 3)},
               {S(2, 3), S(2, 3), S(2, 3)},
               {S(2, 1, 2, 1), S(3, 1, 2), S(2, 3, 2, 2)},
               {S(0), S(1), S(0)}};

static test_shape with_matrix(test_shape batch, int64_t rows, int64_t columns)
{
    batch.size[batch.ndim++] = rows;
    batch.size[batch.ndim++] = columns;
    return batch;
}

START_TEST(batches_broadcast)
    {
        const int64_t M = 3, N = 5, K = 9;
        for (int t = 0; t < 4; t++) {
            bool ta = t & 1, tb = t & 2;
            test_shape sa = with_matrix(batches[_i].a, ta ? K : M, ta ? M : K),
                       sb = with_matrix(batches[_i].b, tb ? N : K, tb ? K : N);
            test_shape batch = batches[_i].c, sc = with_matrix(batch, M, N);
            tg_tape *tape = tg_tape_new(1);
            tg_tensor *a = test_variable(tape, 1, -1, 1, sa.ndim, sa.size),
                      *b = test_variable(tape, 2, -1, 1, sb.ndim, sb.size);
            tg_tensor *c = tg_matmul_transposed(tape, a, b, test_transposed(ta, tb));
            test_assert_clean(tape);
            test_assert_shape("matmul", c, sc.ndim, sc.size);
            for (int64_t i = 0; i < test_shape_size(batch); i++) {
                const tg_real *x = a->data + M * K *
                                                 test_broadcast(i, batch.ndim, batch.size,
                                                                batches[_i].a.ndim,
                                                                batches[_i].a.size);
                const tg_real *y = b->data + K * N *
                                                 test_broadcast(i, batch.ndim, batch.size,
                                                                batches[_i].b.ndim,
                                                                batches[_i].b.size);
                check_product("batch", c->data + i * M * N, (matrix){x, ta, M, K},
                              (matrix){y, tb, K, N});
            }
            test_end(tape, NULL);
        }
    }
END_TEST

/* The bits of a row do not depend on the other rows, on the other matrices, or on its position. */
START_TEST(neighbours_change_no_bit)
    {
        const int64_t B = 5, M = 11, N = 23, K = 37;
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *a = test_variable(tape, 1, -1, 1, TG_SHAPE(B, M, K)),
                  *b = test_variable(tape, 2, -1, 1, TG_SHAPE(B, K, N));
        tg_tensor *w = test_variable(tape, 3, -1, 1, TG_SHAPE(N, K));
        tg_tensor *c = tg_matmul(tape, a, b), *d = tg_matmul_transposed(tape, a, w, TG_TRANSPOSE_B);
        for (int64_t i = 0; i < B; i++) {
            tg_tensor *x = tg_reshape(tape, tg_slice(tape, a, 0, i, i + 1), TG_SHAPE(M, K));
            tg_tensor *y = tg_reshape(tape, tg_slice(tape, b, 0, i, i + 1), TG_SHAPE(K, N));
            test_assert_same_bits("a matrix alone", tg_matmul(tape, x, y)->data,
                                  c->data + i * M * N, M * N);
            for (int64_t m = 0; m < M; m++) {
                tg_tensor *row = tg_slice(tape, x, 0, m, m + 1);
                test_assert_same_bits("a row alone", tg_matmul(tape, row, y)->data,
                                      c->data + (i * M + m) * N, N);
                test_assert_same_bits("a row alone, transposed",
                                      tg_matmul_transposed(tape, row, w, TG_TRANSPOSE_B)->data,
                                      d->data + (i * M + m) * N, N);
            }
        }
        test_end(tape, NULL);
    }
END_TEST

START_TEST(transposed_storage_changes_no_bit)
    {
        const int64_t M = 19, N = 21, K = 67;
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *a = test_variable(tape, 1, -1, 1, TG_SHAPE(M, K)),
                  *b = test_variable(tape, 2, -1, 1, TG_SHAPE(K, N));
        tg_tensor *c = tg_matmul(tape, a, b);
        tg_tensor *at = tg_permute(tape, a, TG_AXES(1, 0)),
                  *bt = tg_permute(tape, b, TG_AXES(1, 0));
        test_assert_same_bits("a transposed",
                              tg_matmul_transposed(tape, at, b, TG_TRANSPOSE_A)->data, c->data,
                              M * N);
        test_assert_same_bits("b transposed",
                              tg_matmul_transposed(tape, a, bt, TG_TRANSPOSE_B)->data, c->data,
                              M * N);
        test_assert_same_bits(
            "both transposed",
            tg_matmul_transposed(tape, at, bt, TG_TRANSPOSE_A | TG_TRANSPOSE_B)->data, c->data,
            M * N);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(an_empty_sum_is_zero)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *a = tg_variable(tape, NULL, TG_SHAPE(2, 0)),
                  *b = tg_variable(tape, NULL, TG_SHAPE(0, 3));
        TEST_TENSOR(tg_matmul(tape, a, b), TG_SHAPE(2, 3), 0, 0, 0, 0, 0, 0);
        test_assert_shape("no rows", tg_matmul(tape, b, tg_variable(tape, NULL, TG_SHAPE(3, 4))),
                          TG_SHAPE(0, 4));
        test_end(tape, NULL);
    }
END_TEST

START_TEST(nan_and_infinity_propagate)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *a = tg_variable(tape, (const tg_real[]){1, 0, 0, (tg_real)INFINITY},
                                   TG_SHAPE(2, 2));
        tg_tensor *b = tg_variable(tape, (const tg_real[]){1, 2, (tg_real)NAN, 3}, TG_SHAPE(2, 2));
        TEST_TENSOR(tg_matmul(tape, a, b), TG_SHAPE(2, 2), QNAN, 2, QNAN, INF);
        test_end(tape, NULL);
    }
END_TEST

static const struct {
    test_shape a, b;
    bool ta, tb;
    const char *parts[3];
} misfits[] = {
    {S(32, 10, 50),
     S(64, 1),
     false,
     false,
     {"matmul: [32, 10, 50] x [64, 1]: inner sizes 50 and 64 differ", "", ""}},
    {S(2, 3), S(2, 3), false, false, {"inner sizes 3 and 2 differ", "[2, 3] x [2, 3]", ""}},
    {S(2, 3), S(3, 4), true, false, {"[2, 3]", "[3, 4]", "inner sizes 2 and 3 differ"}},
    {S(2, 3), S(3, 4), false, true, {"[2, 3]", "[3, 4]", "inner sizes 3 and 4 differ"}},
    {S(2, 3), S(3, 4), true, true, {"[2, 3]", "[3, 4]", "inner sizes 2 and 4 differ"}},
    {S(2, 5, 3), S(4, 3, 5), false, false, {"[2, 5, 3]", "[4, 3, 5]", ""}},
    {S(3), S(3, 2), false, false, {"[3]", "[3, 2]", ""}},
    {S(2, 3), S(3), false, false, {"[2, 3]", "[3]", ""}},
    {S_SCALAR, S_SCALAR, false, false, {"[]", "", ""}},
    {S(0, 2, 3), S(2, 3, 2), false, false, {"[0, 2, 3]", "[2, 3, 2]", ""}},
};

START_TEST(sizes_that_do_not_fit)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *a = test_variable(tape, 1, -1, 1, misfits[_i].a.ndim, misfits[_i].a.size);
        tg_tensor *b = test_variable(tape, 1, -1, 1, misfits[_i].b.ndim, misfits[_i].b.size);
        ck_assert_ptr_null(
            tg_matmul_transposed(tape, a, b, test_transposed(misfits[_i].ta, misfits[_i].tb)));
        test_expect_error(tape, "matmul", misfits[_i].parts[0], misfits[_i].parts[1],
                          misfits[_i].parts[2], NULL);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(a_product_that_is_too_large)
    {
        /* Allowed beside a size of 0. */
        const int64_t huge = PTRDIFF_MAX / (int64_t)sizeof(tg_real) / 8;
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *a = tg_constant(tape, NULL, TG_SHAPE(huge, 0)),
                  *b = tg_constant(tape, NULL, TG_SHAPE(0, huge));
        test_assert_clean(tape);
        ck_assert_ptr_null(tg_matmul(tape, a, b));
        test_expect_error(tape, "matmul", "too large", NULL);
        test_end(tape, NULL);
    }
END_TEST

/* An operator that a user could write to learn the cost of the node before it. */
static const tg_node *probe;
static bool test_cost_shape(tg_node *node) { return tg_output_like(node, node->inputs[0]) != NULL; }
static void test_cost_forward(tg_node *node) { probe = node; }
static const tg_op test_cost = {.name = "test_cost",
                                .shape = test_cost_shape,
                                .forward = test_cost_forward,
                                .stops_gradient = true};

START_TEST(a_product_reports_its_flops)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *c = tg_matmul(tape, test_variable(tape, 1, -1, 1, TG_SHAPE(6, 5, 7)),
                                 test_variable(tape, 1, -1, 1, TG_SHAPE(7, 4)));
        tg_apply(tape, &test_cost, NULL, 1, &c, NULL);
        test_assert_clean(tape);
        ck_assert(probe->previous && probe->previous->op->flops);
        ck_assert(probe->previous->op->flops(probe->previous) == 2.0 * 6 * 5 * 7 * 4);
        test_end(tape, NULL);
    }
END_TEST

Suite *matmul_suite(void);
Suite *matmul_suite(void)
{
    Suite *suite = suite_create("matmul");
    TCase *tc = tcase_create("matmul");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, every_size, 0, (int)COUNT(sizes));
    tcase_add_loop_test(tc, large_sizes, 0, (int)COUNT(large));
    tcase_add_loop_test(tc, batches_broadcast, 0, (int)COUNT(batches));
    tcase_add_test(tc, neighbours_change_no_bit);
    tcase_add_test(tc, transposed_storage_changes_no_bit);
    tcase_add_test(tc, an_empty_sum_is_zero);
    tcase_add_test(tc, nan_and_infinity_propagate);
    tcase_add_loop_test(tc, sizes_that_do_not_fit, 0, (int)COUNT(misfits));
    tcase_add_test(tc, a_product_that_is_too_large);
    tcase_add_test(tc, a_product_reports_its_flops);
    suite_add_tcase(suite, tc);
    return suite;
}
