/* Operators that move numbers: reshape, permute, concat, stack, slice, gather, where, detach. */
#include "../support/support.h"

/* 0, 1, 2, .. */
static tg_tensor *counting(tg_tape *tape, int ndim, const int64_t *shape)
{
    tg_tensor *x = tg_variable(tape, NULL, ndim, shape);
    for (int64_t i = 0; x && i < x->size; i++) x->data[i] = (tg_real)i;
    return x;
}

/* ---- reshape ---- */

static const struct {
    test_shape from, to, result;
} reshapes[] = {{S(6), S(2, 3), S(2, 3)},
                {S(2, 3), S(-1), S(6)},
                {S(2, 3, 4), S(4, -1), S(4, 6)},
                {S(1), S_SCALAR, S_SCALAR},
                {S_SCALAR, S(1, 1), S(1, 1)},
                {S(0, 3), S(3, 0), S(3, 0)},
                {S(4), S(2, 2, 1, 1, -1), S(2, 2, 1, 1, 1)},
                {S(0, 3), S(-1, 3), S(0, 3)}};

START_TEST(reshape_preserves_the_numbers)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = counting(tape, reshapes[_i].from.ndim, reshapes[_i].from.size);
        tg_tensor *y = tg_reshape(tape, x, reshapes[_i].to.ndim, reshapes[_i].to.size);
        test_assert_clean(tape);
        test_assert_shape("reshape", y, reshapes[_i].result.ndim, reshapes[_i].result.size);
        for (int64_t i = 0; i < y->size; i++) ck_assert(y->data[i] == (tg_real)i);
        if (y->size) ck_assert_ptr_eq(y->data, x->data); /* a view */
        test_end(tape, NULL);
    }
END_TEST

static const struct {
    test_shape from, to;
} bad_reshapes[] = {{S(6), S(4)},        {S(6), S(-1, 4)},
                    {S(6), S(-1, -1)},   {S(6), S(-2, -3)},
                    {S(0, 3), S(-1, 0)}, {S(6), S_SCALAR},
                    {S(6), S(0, -1)},    {S(6), S((int64_t)1 << 62, 4, 6)}};

START_TEST(reshape_errors)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = counting(tape, bad_reshapes[_i].from.ndim, bad_reshapes[_i].from.size);
        ck_assert_ptr_null(tg_reshape(tape, x, bad_reshapes[_i].to.ndim, bad_reshapes[_i].to.size));
        test_expect_error(tape, "reshape", bad_reshapes[_i].from.size[0] ? "[6]" : "[0, 3]", NULL);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(reshape_to_too_many_axes)
    {
        tg_tape *tape = tg_tape_new(1);
        const int counts[] = {TG_MAX_DIMS + 1, -1};
        for (size_t c = 0; c < COUNT(counts); c++) {
            ck_assert_ptr_null(tg_reshape(tape, counting(tape, TG_SHAPE(1)), counts[c],
                                          (const int64_t[]){1, 1, 1, 1, 1, 1, 1}));
            test_expect_error(tape, c ? "reshape: -1 axes" : "reshape: 7 axes", NULL);
        }
        test_end(tape, NULL);
    }
END_TEST

/* A view has a gradient of its own. The gradients of both consumers arrive, once each. */
START_TEST(a_view_and_its_source)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = counting(tape, TG_SHAPE(4)), *y = tg_reshape(tape, x, TG_SHAPE(2, 2)),
                  *z = tg_reshape(tape, y, TG_SHAPE(4));
        tg_tensor *sum = tg_add(tape, tg_sum(tape, tg_square(tape, y), TG_ALL_AXES, false),
                                tg_sum(tape, tg_affine(tape, x, 10, 0), TG_ALL_AXES, false));
        ck_assert(tg_backward(tape, tg_add(tape, sum, tg_sum(tape, z, TG_ALL_AXES, false))));
        test_assert_all_near("dx", x->grad, (const double[]){11, 13, 15, 17}, 4, 0);
        test_assert_all_near("dy", y->grad, (const double[]){1, 3, 5, 7}, 4, 0);
        test_end(tape, NULL);
    }
END_TEST

/* ---- permute ---- */

static const struct {
    test_shape from;
    int order[6];
} permutes[] = {{S_SCALAR, {0}},
                {S(5), {0}},
                {S(2, 3), {1, 0}},
                {S(2, 3), {0, 1}},
                {S(2, 3, 4), {2, 0, 1}},
                {S(2, 3, 4), {1, 2, 0}},
                {S(2, 3, 4), {0, 2, 1}},
                {S(3, 1, 2, 4), {3, 1, 0, 2}},
                {S(2, 1, 3, 2, 1, 2), {5, 3, 0, 4, 2, 1}},
                {S(2, 0, 3), {2, 1, 0}},
                {S(33, 17), {1, 0}},
                {S(2, 33, 3, 17), {0, 2, 1, 3}}};

START_TEST(permute_moves)
    {
        test_shape from = permutes[_i].from, to = from;
        const int *order = permutes[_i].order;
        tg_axes axes = {.count = from.ndim};
        for (int d = 0; d < from.ndim; d++) axes.axis[d] = order[d];
        int64_t strides[TG_MAX_DIMS] = {0}, stride = 1;
        for (int d = from.ndim - 1; d >= 0; d--) {
            strides[d] = stride;
            stride *= from.size[d];
        }
        for (int d = 0; d < from.ndim; d++) to.size[d] = from.size[order[d]];
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *y = tg_permute(tape, counting(tape, from.ndim, from.size), axes);
        test_assert_clean(tape);
        test_assert_shape("permute", y, to.ndim, to.size);
        for (int64_t i = 0; i < y->size; i++) {
            int64_t rest = i, source = 0;
            for (int d = to.ndim - 1; d >= 0; d--) {
                source += rest % to.size[d] * strides[order[d]];
                rest /= to.size[d];
            }
            ck_assert_msg(y->data[i] == (tg_real)source, "element %d is %g", (int)i,
                          (double)y->data[i]);
        }
        test_end(tape, NULL);
    }
END_TEST

START_TEST(permute_errors)
    {
        const tg_axes orders[] = {TG_AXES(0, 1, 1), TG_AXES(0, 1, 3), TG_AXES(0, 0, 0),
                                  TG_AXES(7, 8, 9), TG_AXES(0, 1),    TG_AXES(0, 1, 2, 3),
                                  TG_ALL_AXES};
        for (size_t o = 0; o < COUNT(orders); o++) {
            tg_tape *tape = tg_tape_new(1);
            ck_assert_ptr_null(tg_permute(tape, counting(tape, TG_SHAPE(2, 3, 4)), orders[o]));
            test_expect_error(tape, "permute", "[2, 3, 4]", NULL);
            test_end(tape, NULL);
        }
    }
END_TEST

/* ---- concat and stack ---- */

START_TEST(concat_joins)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *a = counting(tape, TG_SHAPE(2, 2)),
                  *b = tg_affine(tape, counting(tape, TG_SHAPE(2, 1)), 1, 10);
        tg_tensor *c = tg_affine(tape, counting(tape, TG_SHAPE(1, 2)), 1, 20),
                  *none = counting(tape, TG_SHAPE(0, 2));
        TEST_TENSOR(tg_concat(tape, 2, (tg_tensor *[]){a, b}, 1), TG_SHAPE(2, 3), 0, 1, 10, 2, 3,
                    11);
        TEST_TENSOR(tg_concat(tape, 2, (tg_tensor *[]){a, b}, -1), TG_SHAPE(2, 3), 0, 1, 10, 2, 3,
                    11);
        TEST_TENSOR(tg_concat(tape, 3, (tg_tensor *[]){c, none, a}, 0), TG_SHAPE(3, 2), 20, 21, 0,
                    1, 2, 3);
        TEST_TENSOR(tg_concat(tape, 1, &a, 0), TG_SHAPE(2, 2), 0, 1, 2, 3);
        TEST_TENSOR(tg_concat(tape, 2, (tg_tensor *[]){none, none}, 0), TG_SHAPE(0, 2), 0);
        tg_tensor *many[64];
        for (int i = 0; i < 64; i++) many[i] = tg_affine(tape, counting(tape, TG_SHAPE(1)), 1, i);
        tg_tensor *joined = tg_concat(tape, 64, many, 0), *stacked = tg_stack(tape, 64, many, 1);
        test_assert_shape("stacked", stacked, TG_SHAPE(1, 64));
        for (int i = 0; i < 64; i++)
            ck_assert(joined->data[i] == (tg_real)i && stacked->data[i] == (tg_real)i);
        ck_assert(tg_backward(tape, test_weighted_loss(tape, joined, 1)));
        for (int i = 0; i < 64; i++) ck_assert(many[i]->grad[0] == joined->grad[i]);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(stack_joins)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *a = counting(tape, TG_SHAPE(2, 2)),
                  *b = tg_affine(tape, counting(tape, TG_SHAPE(2, 2)), 1, 10);
        tg_tensor *both[] = {a, b}, *points[] = {counting(tape, TG_SCALAR),
                                                 tg_affine(tape, counting(tape, TG_SCALAR), 1, 5)};
        TEST_TENSOR(tg_stack(tape, 2, both, 0), TG_SHAPE(2, 2, 2), 0, 1, 2, 3, 10, 11, 12, 13);
        TEST_TENSOR(tg_stack(tape, 2, both, 1), TG_SHAPE(2, 2, 2), 0, 1, 10, 11, 2, 3, 12, 13);
        TEST_TENSOR(tg_stack(tape, 2, both, 2), TG_SHAPE(2, 2, 2), 0, 10, 1, 11, 2, 12, 3, 13);
        TEST_TENSOR(tg_stack(tape, 2, both, -1), TG_SHAPE(2, 2, 2), 0, 10, 1, 11, 2, 12, 3, 13);
        TEST_TENSOR(tg_stack(tape, 2, points, 0), TG_SHAPE(2), 0, 5);
        TEST_TENSOR(tg_stack(tape, 1, both, 0), TG_SHAPE(1, 2, 2), 0, 1, 2, 3);
        test_end(tape, NULL);
    }
END_TEST

typedef tg_tensor *(*joining)(tg_tape *tape, int count, tg_tensor *const *tensors, int axis);
static const struct {
    const char *name;
    joining apply;
    test_shape a, b;
    int axis;
    const char *part;
} bad_joins[] = {
    {"concat", tg_concat, S(2, 3), S(3, 3), 1, "[3, 3]"},
    {"concat", tg_concat, S(2, 3), S(2), 0, "[2]"},
    {"concat", tg_concat, S(2, 3), S(2, 3), 2, "[2, 3]"},
    {"concat", tg_concat, S(2, 3), S(2, 3), -3, "[2, 3]"},
    {"concat", tg_concat, S_SCALAR, S_SCALAR, 0, "[]"},
    {"stack", tg_stack, S(2, 3), S(2, 4), 0, "[2, 4]"},
    {"stack", tg_stack, S(2, 3), S(3, 2), 0, "[3, 2]"},
    {"stack", tg_stack, S(2, 3), S(2, 3), 3, "[2, 3]"},
    {"stack", tg_stack, S(2, 3), S(2, 3), -4, "[2, 3]"},
    {"stack", tg_stack, S(1, 1, 1, 1, 1, 2), S(1, 1, 1, 1, 1, 2), 0, "[1, 1, 1, 1, 1, 2]"},
};

START_TEST(join_errors)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *both[] = {counting(tape, bad_joins[_i].a.ndim, bad_joins[_i].a.size),
                             counting(tape, bad_joins[_i].b.ndim, bad_joins[_i].b.size)};
        ck_assert_ptr_null(bad_joins[_i].apply(tape, 2, both, bad_joins[_i].axis));
        test_expect_error(tape, bad_joins[_i].name, bad_joins[_i].part, NULL);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(joins_of_too_few_or_too_many_inputs)
    {
        /* Allowed beside a size of 0. */
        const int64_t large = PTRDIFF_MAX / (int64_t)sizeof(tg_real) / 8;
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *many[65];
        for (int i = 0; i < 65; i++) many[i] = tg_constant(tape, NULL, TG_SHAPE(0, large));
        ck_assert_ptr_null(tg_concat(tape, 64, many, 1)); /* 64 such sizes would overflow */
        test_expect_error(tape, "concat", "too large", NULL);
        for (int i = 0; i < 65; i++) many[i] = tg_constant(tape, NULL, TG_SHAPE(1));
        ck_assert_ptr_null(tg_concat(tape, 50, (tg_tensor *[50]){many[0]}, 0));
        test_expect_error(tape, "concat", "input 1 is NULL", NULL);
        many[40] = NULL;
        ck_assert_ptr_null(tg_concat(tape, 64, many, 0));
        test_expect_error(tape, "concat", "input 40 is NULL", NULL);
        ck_assert_ptr_null(
            tg_stack(tape, 2, (tg_tensor *[2]){tg_constant(tape, NULL, TG_SHAPE(1))}, 0));
        test_expect_error(tape, "stack", "input 1 is NULL", NULL);
        for (int i = 0; i < 65; i++) many[i] = tg_constant(tape, NULL, TG_SHAPE(1));
        const int counts[] = {0, 65, -1};
        for (size_t c = 0; c < COUNT(counts); c++) {
            ck_assert_ptr_null(tg_concat(tape, counts[c], many, 0));
            ck_assert_ptr_nonnull(strstr(tg_tape_take_error(tape), "concat"));
            ck_assert_ptr_null(tg_stack(tape, counts[c], many, 0));
            ck_assert_ptr_nonnull(strstr(tg_tape_take_error(tape), "stack"));
        }
        test_end(tape, NULL);
    }
END_TEST

/* ---- slice ---- */

START_TEST(slices)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = counting(tape, TG_SHAPE(2, 3, 2));
        TEST_TENSOR(tg_slice(tape, x, 0, 1, 2), TG_SHAPE(1, 3, 2), 6, 7, 8, 9, 10, 11);
        TEST_TENSOR(tg_slice(tape, x, 1, 1, 3), TG_SHAPE(2, 2, 2), 2, 3, 4, 5, 8, 9, 10, 11);
        TEST_TENSOR(tg_slice(tape, x, 2, 0, 1), TG_SHAPE(2, 3, 1), 0, 2, 4, 6, 8, 10);
        TEST_TENSOR(tg_slice(tape, x, -2, -2, -1), TG_SHAPE(2, 1, 2), 2, 3, 8, 9);
        TEST_TENSOR(tg_slice(tape, x, -1, -1, 2), TG_SHAPE(2, 3, 1), 1, 3, 5, 7, 9, 11);
        TEST_TENSOR(tg_slice(tape, x, 1, 2, 2), TG_SHAPE(2, 0, 2), 0);
        TEST_TENSOR(tg_slice(tape, x, 1, 3, 3), TG_SHAPE(2, 0, 2), 0);
        TEST_TENSOR(tg_slice(tape, x, 0, 0, 2), TG_SHAPE(2, 3, 2), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
                    11);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(slices_out_of_range)
    {
        const int64_t bad[][3] = {{1, 0, 4}, {1, -4, 2}, {1, 2, 1},  {1, 4, 4},
                                  {3, 0, 1}, {-4, 0, 1}, {0, -3, 1}, {1, INT64_MIN, INT64_MAX}};
        for (size_t b = 0; b < COUNT(bad); b++) {
            tg_tape *tape = tg_tape_new(1);
            ck_assert_ptr_null(tg_slice(tape, counting(tape, TG_SHAPE(2, 3, 2)), (int)bad[b][0],
                                        bad[b][1], bad[b][2]));
            test_expect_error(tape, "slice", "[2, 3, 2]", NULL);
            test_end(tape, NULL);
        }
    }
END_TEST

/* ---- gather ---- */

START_TEST(gathers)
    {
        tg_tape *tape = tg_tape_new(1);
        int32_t ids[] = {2, 0, 2, 1};
        tg_tensor *table = counting(tape, TG_SHAPE(3, 2));
        tg_tensor *y = tg_gather(tape, table, tg_ints_2d(ids, 2, 2), -1);
        TEST_TENSOR(y, TG_SHAPE(2, 2, 2), 4, 5, 0, 1, 4, 5, 2, 3);
        TEST_TENSOR(tg_gather(tape, table, tg_ints_1d(ids, 4), 2), TG_SHAPE(4, 2), 0, 0, 0, 1, 0, 0,
                    2, 3);
        TEST_TENSOR(tg_gather(tape, table, tg_ints_1d(NULL, 0), -1), TG_SHAPE(0, 2), 0);
        /* A single id has no axis. */
        TEST_TENSOR(tg_gather(tape, table, (tg_ints){ids, 0, {0}}, -1), TG_SHAPE(2), 4, 5);
        ids[0] = ids[1] = ids[2] = ids[3] = 0; /* the tape has its own copy */
        ck_assert(tg_backward(tape, tg_sum(tape, y, TG_ALL_AXES, false)));
        test_assert_all_near("dtable", table->grad, (const double[]){1, 1, 1, 1, 2, 2}, 6, 0);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(a_padding_row_may_hold_anything)
    {
        tg_tape *tape = tg_tape_new(1);
        const int32_t ids[] = {1, 0, 1};
        tg_tensor *table = tg_variable(tape,
                                       (const tg_real[]){5, 6, (tg_real)NAN, (tg_real)INFINITY},
                                       TG_SHAPE(2, 2));
        tg_tensor *y = tg_gather(tape, table, tg_ints_1d(ids, 3), 1);
        TEST_TENSOR(y, TG_SHAPE(3, 2), 0, 0, 5, 6, 0, 0);
        ck_assert(tg_backward(tape, tg_sum(tape, tg_exp(tape, y), TG_ALL_AXES, false)));
        test_assert_all_near("dtable", table->grad, (const double[]){exp(5), exp(6), 0, 0}, 4,
                             TEST_TOLERANCE);
        ck_assert(table->grad[2] == 0 && table->grad[3] == 0);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(ids_out_of_range)
    {
        static const struct {
            int32_t ids[4], padding;
            const char *place, *value;
        } bad[] = {{{0, 1, 3, 0}, -1, "2", "3"},
                   {{0, 1, 2, -1}, -1, "3", "-1"},
                   {{0, 1, 2, -1}, 0, "3", "-1"},
                   {{INT32_MAX, 0, 0, 0}, -1, "0", "2147483647"},
                   {{0, INT32_MIN, 0, 0}, -1, "1", "-2147483648"}};
        for (size_t b = 0; b < COUNT(bad); b++) {
            tg_tape *tape = tg_tape_new(1);
            ck_assert_ptr_null(tg_gather(tape, counting(tape, TG_SHAPE(3, 2)),
                                         tg_ints_1d(bad[b].ids, 4), bad[b].padding));
            test_expect_error(tape, "gather", bad[b].place, bad[b].value, NULL);
            test_end(tape, NULL);
        }
        tg_tape *tape = tg_tape_new(1);
        const int32_t zero[] = {0};
        /* one axis: not a table */
        ck_assert_ptr_null(tg_gather(tape, counting(tape, TG_SHAPE(3)), tg_ints_1d(zero, 1), -1));
        test_expect_error(tape, "gather", "[3]", NULL);
        /* a table without rows */
        ck_assert_ptr_null(
            tg_gather(tape, counting(tape, TG_SHAPE(0, 2)), tg_ints_1d(zero, 1), -1));
        test_expect_error(tape, "gather", NULL);
        /* a result of seven axes */
        ck_assert_ptr_null(tg_gather(tape, counting(tape, TG_SHAPE(3, 2)),
                                     (tg_ints){zero, 6, {1, 1, 1, 1, 1, 1}}, -1));
        test_expect_error(tape, "gather", NULL);
        test_end(tape, NULL);
    }
END_TEST

/* ---- where, detach ---- */

START_TEST(choices)
    {
        tg_tape *tape = tg_tape_new(1);
        uint8_t mask[] = {1, 0, 255};
        tg_tensor *a = counting(tape, TG_SHAPE(2, 3)),
                  *b = tg_affine(tape, counting(tape, TG_SHAPE(2, 1)), 1, 10);
        tg_tensor *y = tg_where(tape, tg_mask_nd(mask, TG_SHAPE(3)), a, b);
        TEST_TENSOR(y, TG_SHAPE(2, 3), 0, 10, 2, 3, 11, 5);
        tg_tensor *z = tg_where_scalar(tape, tg_mask_nd(mask, TG_SHAPE(2, 1)), a, -INF);
        TEST_TENSOR(z, TG_SHAPE(2, 3), 0, 1, 2, -INF, -INF, -INF);
        /* The mask may have the most axes. */
        tg_tensor *row = tg_slice(tape, a, 0, 0, 1);
        TEST_TENSOR(tg_where(tape, tg_mask_nd(mask, TG_SHAPE(2, 1, 1)), row, b), TG_SHAPE(2, 2, 3),
                    0, 1, 2, 0, 1, 2, 10, 10, 10, 11, 11, 11);
        TEST_TENSOR(tg_where(tape, tg_mask_nd(mask, TG_SCALAR), a, b), TG_SHAPE(2, 3), 0, 1, 2, 3,
                    4, 5);
        memset(mask, 1, sizeof mask); /* the caller may reuse its array */
        ck_assert(tg_backward(tape, tg_sum(tape, y, TG_ALL_AXES, false)));
        test_assert_all_near("da", a->grad, (const double[]){1, 0, 1, 1, 0, 1}, 6, 0);
        test_end(tape, NULL);
    }
END_TEST

/* Elements that are not selected may be NaN: they influence neither the values nor the
 * gradients. */
START_TEST(nan_that_is_not_selected)
    {
        tg_tape *tape = tg_tape_new(1);
        const uint8_t mask[] = {1, 0};
        tg_tensor *a = tg_variable(tape, (const tg_real[]){1, (tg_real)NAN}, TG_SHAPE(2));
        tg_tensor *b = tg_variable(tape, (const tg_real[]){(tg_real)NAN, 2}, TG_SHAPE(2));
        tg_tensor *y = tg_where(tape, tg_mask_nd(mask, TG_SHAPE(2)), a, b);
        tg_tensor *z = tg_where_scalar(tape, tg_mask_nd(mask, TG_SHAPE(2)), a, 7);
        TEST_TENSOR(y, TG_SHAPE(2), 1, 2);
        TEST_TENSOR(z, TG_SHAPE(2), 1, 7);
        ck_assert(tg_backward(tape, tg_sum(tape, tg_mul(tape, tg_square(tape, y), z), TG_ALL_AXES,
                                           false)));
        test_assert_all_near("da", a->grad, (const double[]){3, 0}, 2, 0);
        test_assert_all_near("db", b->grad, (const double[]){0, 28}, 2, 0);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(choice_errors)
    {
        tg_tape *tape = tg_tape_new(1);
        const uint8_t mask[6] = {1};
        ck_assert_ptr_null(tg_where(tape, tg_mask_nd(mask, TG_SHAPE(2)),
                                    counting(tape, TG_SHAPE(2, 3)), counting(tape, TG_SHAPE(3))));
        test_expect_error(tape, "where", "[2]", "[2, 3]", NULL);
        ck_assert_ptr_null(tg_where(tape, tg_mask_nd(mask, TG_SHAPE(1)),
                                    counting(tape, TG_SHAPE(2, 3)), counting(tape, TG_SHAPE(2))));
        test_expect_error(tape, "where", "[2, 3]", "[2]", NULL);
        /* The mask is broadcast to x; x is not broadcast. */
        ck_assert_ptr_null(tg_where_scalar(tape, tg_mask_nd(mask, TG_SHAPE(2, 3)),
                                           counting(tape, TG_SHAPE(3)), 0));
        test_expect_error(tape, "where_scalar", "[3]", "[2, 3]", NULL);
        ck_assert_ptr_null(
            tg_where_scalar(tape, tg_mask_nd(mask, TG_SHAPE(2)), counting(tape, TG_SHAPE(3)), 0));
        test_expect_error(tape, "where_scalar", "[3]", "[2]", NULL);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(detach_stops_gradients)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = tg_variable(tape, (const tg_real[]){2, 3}, TG_SHAPE(2)),
                  *d = tg_detach(tape, x);
        TEST_TENSOR(d, TG_SHAPE(2), 2, 3);
        ck_assert(!d->requires_grad);
        ck_assert(tg_backward(tape, tg_sum(tape, tg_mul(tape, x, d), TG_ALL_AXES, false)));
        test_assert_all_near("dx", x->grad, (const double[]){2, 3}, 2, 0); /* not 2 x */
        ck_assert(!d->has_grad);
        test_end(tape, NULL);
    }
END_TEST

Suite *shapes_suite(void);
Suite *shapes_suite(void)
{
    Suite *suite = suite_create("shapes");
    TCase *tc = tcase_create("shapes");
    tcase_add_loop_test(tc, reshape_preserves_the_numbers, 0, (int)COUNT(reshapes));
    tcase_add_loop_test(tc, reshape_errors, 0, (int)COUNT(bad_reshapes));
    tcase_add_test(tc, reshape_to_too_many_axes);
    tcase_add_test(tc, a_view_and_its_source);
    tcase_add_loop_test(tc, permute_moves, 0, (int)COUNT(permutes));
    tcase_add_test(tc, permute_errors);
    tcase_add_test(tc, concat_joins);
    tcase_add_test(tc, stack_joins);
    tcase_add_loop_test(tc, join_errors, 0, (int)COUNT(bad_joins));
    tcase_add_test(tc, joins_of_too_few_or_too_many_inputs);
    tcase_add_test(tc, slices);
    tcase_add_test(tc, slices_out_of_range);
    tcase_add_test(tc, gathers);
    tcase_add_test(tc, a_padding_row_may_hold_anything);
    tcase_add_test(tc, ids_out_of_range);
    tcase_add_test(tc, choices);
    tcase_add_test(tc, nan_that_is_not_selected);
    tcase_add_test(tc, choice_errors);
    tcase_add_test(tc, detach_stops_gradients);
    suite_add_tcase(suite, tc);
    return suite;
}
