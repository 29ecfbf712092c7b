/* The operator interface, used as in a program: several outputs, attributes, optional inputs,
 * operators without a derivative. */
#include "../support/support.h"

/* ---- two outputs and attributes: (k x, x^2) ---- */

typedef struct split_attributes {
    double k;
    int backward_calls;
    tg_real *saved; /* a copy of x */
} split_attributes;

static split_attributes *last_split;

static bool test_split_shape(tg_node *node)
{
    const tg_tensor *x = node->inputs[0];
    if (x->ndim != 1) return tg_node_fail(node, "%s is not a vector", tg_tensor_str(x).text);
    return tg_output_like(node, x) && tg_output(node, TG_SHAPE(x->size, 1));
}

static void test_split_forward(tg_node *node)
{
    split_attributes *a = node->attributes;
    const tg_tensor *x = node->inputs[0];
    a->saved = tg_save(node, x->size);
    tg_real *scratch = tg_scratch(node, x->size);
    if (!a->saved || !scratch) return;
    for (int64_t i = 0; i < x->size; i++) {
        scratch[i] = x->data[i];
        a->saved[i] = scratch[i];
        node->outputs[0]->data[i] = (tg_real)a->k * x->data[i];
        node->outputs[1]->data[i] = x->data[i] * x->data[i];
    }
    last_split = a;
}

static void test_split_backward(tg_node *node)
{
    split_attributes *a = node->attributes;
    a->backward_calls++;
    const tg_real *d0 = node->outputs[0]->grad, *d1 = node->outputs[1]->grad;
    tg_real *dx = tg_input_grad(node, 0);
    for (int64_t i = 0; dx && i < node->inputs[0]->size; i++) {
        if (d0) dx[i] += (tg_real)a->k * d0[i];
        if (d1) dx[i] += 2 * a->saved[i] * d1[i];
    }
}

static const tg_op test_split = {.name = "test_split",
                                 .attribute_size = sizeof(split_attributes),
                                 .shape = test_split_shape,
                                 .forward = test_split_forward,
                                 .backward = test_split_backward};

START_TEST(several_outputs)
    {
        for (int used = 1; used <= 3; used++) { /* bits: the outputs that the loss uses */
            tg_tape *tape = tg_tape_new(1);
            split_attributes attributes = {.k = 10};
            tg_tensor *x = tg_variable(tape, (const tg_real[]){1, 2, 3}, TG_SHAPE(3)),
                      *outputs[TG_MAX_OUTPUTS];
            tg_tensor *first = tg_apply(tape, &test_split, &attributes, 1, &x, outputs);
            attributes.k = -1; /* the tape has its own copy */
            test_assert_clean(tape);
            ck_assert(first == outputs[0] && outputs[1] && !outputs[2] && !outputs[3]);
            TEST_TENSOR(outputs[0], TG_SHAPE(3), 10, 20, 30);
            TEST_TENSOR(outputs[1], TG_SHAPE(3, 1), 1, 4, 9);
            tg_tensor *loss = tg_constant(tape, NULL, TG_SCALAR);
            for (int k = 0; k < 2; k++)
                if (used & (k + 1))
                    loss = tg_add(tape, loss, tg_sum(tape, outputs[k], TG_ALL_AXES, false));
            ck_assert(tg_backward(tape, loss));
            double want[3];
            for (int i = 0; i < 3; i++)
                want[i] = (used & 1 ? 10 : 0) + (used & 2 ? 2 * (i + 1) : 0);
            test_assert_all_near("dx", x->grad, want, 3, 0);
            ck_assert_int_eq(last_split->backward_calls, 1);
            ck_assert_int_eq(attributes.backward_calls, 0);
            test_end(tape, NULL);
        }
    }
END_TEST

START_TEST(a_shape_rule_sets_the_error)
    {
        tg_tape *tape = tg_tape_new(1);
        split_attributes attributes = {.k = 10};
        tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(2, 2)),
                  *outputs[TG_MAX_OUTPUTS] = {x, x, x, x};
        ck_assert_ptr_null(tg_apply(tape, &test_split, &attributes, 1, &x, outputs));
        for (int k = 0; k < TG_MAX_OUTPUTS; k++) ck_assert_ptr_null(outputs[k]);
        ck_assert_str_eq(tg_tape_error(tape), "test_split: [2, 2] is not a vector");
        ck_assert_int_eq(tg_tape_length(tape), 0);
        test_expect_error(tape, "test_split", NULL);
        test_end(tape, NULL);
    }
END_TEST

static bool test_silent_shape(tg_node *node)
{
    (void)node;
    return false;
}
static void test_nothing(tg_node *node) { (void)node; }
static const tg_op test_silent = {.name = "test_silent",
                                  .shape = test_silent_shape,
                                  .forward = test_nothing,
                                  .backward = test_nothing};

START_TEST(a_shape_rule_that_fails_without_an_error)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(2));
        ck_assert_ptr_null(tg_apply(tape, &test_silent, NULL, 1, &x, NULL));
        test_expect_error(tape, "test_silent", NULL);
        test_end(tape, NULL);
    }
END_TEST

static bool test_none_shape(tg_node *node)
{
    (void)node;
    return true;
}
static const tg_op test_none = {.name = "test_none",
                                .shape = test_none_shape,
                                .forward = test_nothing,
                                .backward = test_nothing};

static bool test_many_shape(tg_node *node)
{
    for (int k = 0; k < TG_MAX_OUTPUTS; k++)
        if (!tg_output_like(node, node->inputs[0])) return false;
    return tg_output_like(node, node->inputs[0]) != NULL;
}
static const tg_op test_many = {.name = "test_many",
                                .shape = test_many_shape,
                                .forward = test_nothing,
                                .backward = test_nothing};

static bool test_wide_shape(tg_node *node)
{
    return tg_output_view(node, node->inputs[0], TG_SHAPE(3)) != NULL;
}
static const tg_op test_wide = {.name = "test_wide",
                                .shape = test_wide_shape,
                                .forward = test_nothing,
                                .backward = test_nothing};

START_TEST(invalid_outputs)
    {
        tg_tape *tape = tg_tape_new(1);
#define X test_variable(tape, 1, -1, 1, TG_SHAPE(2))
        tg_tensor *x = X;
        ck_assert_ptr_null(tg_apply(tape, &test_none, NULL, 1, &x, NULL));
        test_expect_error(tape, "test_none", "no output", NULL);
        x = X;
        ck_assert_ptr_null(tg_apply(tape, &test_many, NULL, 1, &x, NULL));
        test_expect_error(tape, "test_many", "at most 4", NULL);
        x = X;
        ck_assert_ptr_null(tg_apply(tape, &test_wide, NULL, 1, &x, NULL));
        test_expect_error(tape, "test_wide", "[2]", "[3]", NULL);
        test_end(tape, NULL);
    }
END_TEST

/* ---- memory whose size in bytes does not fit a size_t ---- */

static bool test_like_shape(tg_node *node) { return tg_output_like(node, node->inputs[0]) != NULL; }

typedef struct greedy_attributes {
    tg_real *(*allocate)(tg_node *node, int64_t count);
    int64_t count;
} greedy_attributes;

static void test_greedy_forward(tg_node *node)
{
    const greedy_attributes *a = node->attributes;
    a->allocate(node, a->count);
}
static const tg_op test_greedy = {.name = "test_greedy",
                                  .attribute_size = sizeof(greedy_attributes),
                                  .shape = test_like_shape,
                                  .forward = test_greedy_forward};

START_TEST(sizes_in_bytes_that_overflow)
    {
        const int64_t max_count = (int64_t)(SIZE_MAX / sizeof(tg_real));
        /* A size_t of 32 bits would turn this count into 1. */
        const int64_t wraps = SIZE_MAX < INT64_MAX ? (int64_t)SIZE_MAX + 2 : INT64_MAX;
        const int64_t counts[] = {max_count, max_count + 1, max_count + 2, wraps, INT64_MAX};
        tg_tape *tape = tg_tape_new(1);
        for (int k = 0; k < 2 * (int)COUNT(counts); k++) {
            greedy_attributes attributes = {k % 2 ? tg_save : tg_scratch, counts[k / 2]};
            tg_tensor *x = tg_constant(tape, NULL, TG_SHAPE(1));
            ck_assert_ptr_null(tg_apply(tape, &test_greedy, &attributes, 1, &x, NULL));
            test_expect_error(tape, "out of memory", NULL);
        }
        test_end(tape, NULL);
    }
END_TEST

/* ---- no derivative: the sign ---- */

static void test_sign_forward(tg_node *node)
{
    const tg_tensor *x = node->inputs[0];
    for (int64_t i = 0; i < x->size; i++)
        node->outputs[0]->data[i] = (tg_real)((x->data[i] > 0) - (x->data[i] < 0));
}
static const tg_op test_sign = {.name = "test_sign",
                                .shape = test_like_shape,
                                .forward = test_sign_forward};

START_TEST(an_operator_without_a_derivative)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *c = tg_constant(tape, (const tg_real[]){-2, 3, 0}, TG_SHAPE(3)),
                  *x = tg_variable(tape, NULL, TG_SHAPE(3));
        TEST_TENSOR(tg_apply(tape, &test_sign, NULL, 1, &c, NULL), TG_SHAPE(3), -1, 1, 0);
        tg_tensor *detached = tg_detach(tape, x);
        ck_assert_ptr_nonnull(tg_apply(tape, &test_sign, NULL, 1, &detached, NULL));
        /* An input that requires a gradient is an error; it is never silently a constant. */
        ck_assert_ptr_null(tg_apply(tape, &test_sign, NULL, 1, &x, NULL));
        test_expect_error(tape, "test_sign", "derivative", NULL);
        x = tg_variable(tape, NULL, TG_SHAPE(3));
        /* Without recording nothing requires a gradient. */
        tg_tape_set_recording(tape, false);
        ck_assert_ptr_nonnull(tg_apply(tape, &test_sign, NULL, 1, &x, NULL));
        test_end(tape, NULL);
    }
END_TEST

/* ---- optional inputs: a x (+ b) ---- */

static void test_maybe_forward(tg_node *node)
{
    const tg_tensor *a = node->inputs[0], *b = node->n_inputs > 1 ? node->inputs[1] : NULL;
    for (int64_t i = 0; i < a->size; i++)
        node->outputs[0]->data[i] = 2 * a->data[i] + (b ? b->data[i] : 0);
}

static void test_maybe_backward(tg_node *node)
{
    const tg_real *dy = node->outputs[0]->grad;
    bool add;
    tg_real *da = tg_input_grad_target(node, 0, &add);
    for (int64_t i = 0; da && i < node->inputs[0]->size; i++) da[i] = 2 * dy[i] + (add ? da[i] : 0);
    tg_real *db = node->n_inputs > 1 ? tg_input_grad(node, 1) : NULL;
    for (int64_t i = 0; db && i < node->inputs[1]->size; i++) db[i] += dy[i];
}
static const tg_op test_maybe = {.name = "test_maybe",
                                 .optional = 1 << 1,
                                 .shape = test_like_shape,
                                 .forward = test_maybe_forward,
                                 .backward = test_maybe_backward};

START_TEST(optional_inputs)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *a = tg_variable(tape, (const tg_real[]){1, 2}, TG_SHAPE(2)),
                  *b = tg_variable(tape, (const tg_real[]){10, 20}, TG_SHAPE(2));
        tg_tensor *y = tg_apply(tape, &test_maybe, NULL, 2, (tg_tensor *[]){a, b}, NULL);
        tg_tensor *z = tg_apply(tape, &test_maybe, NULL, 2, (tg_tensor *[]){y, NULL}, NULL);
        TEST_TENSOR(y, TG_SHAPE(2), 12, 24);
        TEST_TENSOR(z, TG_SHAPE(2), 24, 48);
        tg_tensor *w = tg_apply(tape, &test_maybe, NULL, 1, &a, NULL);
        ck_assert(tg_backward(tape, tg_sum(tape, tg_add(tape, z, w), TG_ALL_AXES, false)));
        test_assert_all_near("da", a->grad, (const double[]){6, 6}, 2, 0);
        test_assert_all_near("db", b->grad, (const double[]){2, 2}, 2, 0);
        tg_tape_reset(tape);
        ck_assert_ptr_null(tg_apply(tape, &test_maybe, NULL, 2,
                                    (tg_tensor *[]){NULL, tg_constant(tape, NULL, TG_SHAPE(2))},
                                    NULL));
        test_expect_error(tape, "test_maybe", "NULL", NULL);
        test_end(tape, NULL);
    }
END_TEST

START_TEST(a_constant_input_gets_no_gradient)
    {
        tg_tape *tape = tg_tape_new(1);
        tg_tensor *a = tg_constant(tape, NULL, TG_SHAPE(2)),
                  *b = tg_variable(tape, NULL, TG_SHAPE(2));
        tg_tensor *y = tg_apply(tape, &test_maybe, NULL, 2, (tg_tensor *[]){a, b}, NULL);
        ck_assert(tg_backward(tape, tg_sum(tape, y, TG_ALL_AXES, false)));
        ck_assert(a->grad == NULL && !a->has_grad && b->has_grad);
        test_end(tape, NULL);
    }
END_TEST

/* ---- views, integers, lengths ---- */

typedef struct copy_attributes {
    tg_ints ints, lengths;
    int64_t sum;
} copy_attributes;

static copy_attributes *last_copy;

static bool test_copy_shape(tg_node *node)
{
    copy_attributes *a = node->attributes;
    const tg_tensor *x = node->inputs[0];
    if (!tg_copy_ints(node, &a->ints) ||
        !tg_copy_lengths(node, "lengths", &a->lengths, x->shape[0], x->shape[1]))
        return false;
    return tg_output_view(node, node->inputs[0], TG_SHAPE(x->size)) != NULL;
}

static void test_copy_forward(tg_node *node) { last_copy = node->attributes; }

static void test_copy_backward(tg_node *node)
{
    tg_real *dx = tg_input_grad(node, 0);
    for (int64_t i = 0; dx && i < node->inputs[0]->size; i++) dx[i] += node->outputs[0]->grad[i];
}
static const tg_op test_copy = {.name = "test_copy",
                                .attribute_size = sizeof(copy_attributes),
                                .shape = test_copy_shape,
                                .forward = test_copy_forward,
                                .backward = test_copy_backward};

START_TEST(integers_and_lengths_are_copied)
    {
        tg_tape *tape = tg_tape_new(1);
        int32_t ints[] = {5, 6, 7}, lengths[] = {2, 0};
        tg_tensor *x = test_variable(tape, 1, -1, 1, TG_SHAPE(2, 3));
        copy_attributes a = {.ints = tg_ints_1d(ints, 3), .lengths = tg_ints_1d(lengths, 2)};
        tg_tensor *y = tg_apply(tape, &test_copy, &a, 1, &x, NULL);
        ints[1] = lengths[0] = 99;
        ck_assert(y && y->data == x->data && y->ndim == 1);
        ck_assert(last_copy->ints.data != ints && last_copy->ints.data[1] == 6 &&
                  last_copy->lengths.data[0] == 2);
        a.lengths = tg_full_length();
        tg_apply(tape, &test_copy, &a, 1, &x, NULL);
        ck_assert(last_copy->lengths.data[0] == 3 && last_copy->lengths.data[1] == 3 &&
                  last_copy->lengths.shape[0] == 2);
        lengths[0] = 4;
        lengths[1] = 0;
        a.lengths = tg_ints_1d(lengths, 2);
        ck_assert_ptr_null(tg_apply(tape, &test_copy, &a, 1, &x, NULL));
        test_expect_error(tape, "test_copy", "4", NULL);
        x = test_variable(tape, 1, -1, 1, TG_SHAPE(3, 3));
        /* two lengths for three rows */
        ck_assert_ptr_null(tg_apply(tape, &test_copy, &a, 1, &x, NULL));
        test_expect_error(tape, "test_copy", "[2]", "3", NULL);
        a.lengths = tg_full_length();
        a.ints = tg_ints_1d(NULL, 3);
        ck_assert_ptr_null(tg_apply(tape, &test_copy, &a, 1, &x, NULL));
        test_expect_error(tape, "test_copy: the array of integers has no data", NULL);
        a.ints = (tg_ints){ints, 1, {-1}};
        ck_assert_ptr_null(tg_apply(tape, &test_copy, &a, 1, &x, NULL));
        test_expect_error(tape, "test_copy: the array of integers has no data or a bad shape",
                          NULL);
        a.ints = tg_ints_1d(ints, 3);
        x = tg_constant(tape, NULL, TG_SHAPE(0, (int64_t)INT32_MAX + 1));
        if (!x) test_expect_error(tape, "too large", NULL); /* pointers of 32 bits */
        else {
            ck_assert_ptr_null(tg_apply(tape, &test_copy, &a, 1, &x, NULL));
            test_expect_error(tape, "test_copy: 2147483648 time steps are too many", NULL);
        }
        test_end(tape, NULL);
    }
END_TEST

START_TEST(the_operator_table)
    {
        for (int i = 0; i < tg_operator_count; i++) {
            const tg_op *op = tg_operators[i];
            ck_assert_msg(op->shape && op->forward, "%s lacks a function", op->name);
            for (int k = 0; k < i; k++)
                ck_assert_msg(strcmp(op->name, tg_operators[k]->name) != 0, "%s twice", op->name);
        }
        ck_assert_int_ge(tg_operator_count, 37);
    }
END_TEST

Suite *op_suite(void);
Suite *op_suite(void)
{
    Suite *suite = suite_create("op");
    TCase *tc = tcase_create("op");
    tcase_add_test(tc, several_outputs);
    tcase_add_test(tc, a_shape_rule_sets_the_error);
    tcase_add_test(tc, a_shape_rule_that_fails_without_an_error);
    tcase_add_test(tc, invalid_outputs);
    tcase_add_test(tc, sizes_in_bytes_that_overflow);
    tcase_add_test(tc, an_operator_without_a_derivative);
    tcase_add_test(tc, optional_inputs);
    tcase_add_test(tc, a_constant_input_gets_no_gradient);
    tcase_add_test(tc, integers_and_lengths_are_copied);
    tcase_add_test(tc, the_operator_table);
    suite_add_tcase(suite, tc);
    return suite;
}
