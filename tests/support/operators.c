/* The gradient checks of core's operators: a function that applies each of them, and the shapes of
 * its inputs. */
#include "support.h"

typedef tg_tensor *(*build_function)(tg_tape *tape, tg_tensor *const *p);

typedef struct operands {
    int count;
    test_shape shapes[3];
} operands;

typedef struct op_case {
    const char *name;
    build_function build;
    const operands *operands;
    int n_operands;
    double low, high; /* range of the inputs' numbers */
} op_case;

/* ---- element by element ---- */

#define BINARY(op) \
    static tg_tensor *op##_build(tg_tape *t, tg_tensor *const *p) { return tg_##op(t, p[0], p[1]); }
BINARY(add)
BINARY(sub)
BINARY(mul)
BINARY(div)
BINARY(maximum)

#define UNARY(op) \
    static tg_tensor *op##_build(tg_tape *t, tg_tensor *const *p) { return tg_##op(t, p[0]); }
UNARY(neg)
UNARY(exp)
UNARY(log)
UNARY(sqrt)
UNARY(square)
UNARY(tanh)
UNARY(sigmoid)
UNARY(relu)
UNARY(gelu)
UNARY(softmax)
UNARY(log_softmax)

#define BUILD(name, expression) \
    static tg_tensor *name(tg_tape *t, tg_tensor *const *p) { return expression; }
BUILD(affine_build, tg_affine(t, p[0], -1.5, 0.25))
BUILD(affine_zero, tg_affine(t, p[0], 0, 2))

/* One tensor as two inputs of an operator, or as the input of several operators. */
BUILD(add_shared, tg_add(t, p[0], p[0]))
BUILD(sub_shared, tg_sub(t, p[0], p[0]))
BUILD(mul_shared, tg_mul(t, p[0], p[0]))
BUILD(maximum_shared, tg_maximum(t, p[0], p[0]))

/* In statements, because C leaves the order open in which arguments are evaluated. */
static tg_tensor *chain_shared(tg_tape *t, tg_tensor *const *p)
{
    tg_tensor *power = tg_exp(t, p[0]);
    return tg_mul(t, power, tg_add(t, p[0], tg_tanh(t, p[0])));
}

/* Finite differences see through a detach, so the detached tensor must not depend on x: 0 x + 3. */
BUILD(detach_build, tg_mul(t, p[0], tg_detach(t, tg_affine(t, p[0], 0, 3))))

/* ---- reductions ---- */

#define REDUCE(op)                                         \
    BUILD(op##_all, tg_##op(t, p[0], TG_ALL_AXES, false))  \
    BUILD(op##_first, tg_##op(t, p[0], TG_AXES(0), false)) \
    BUILD(op##_middle, tg_##op(t, p[0], TG_AXES(1), true)) \
    BUILD(op##_last, tg_##op(t, p[0], TG_AXES(-1), false)) \
    BUILD(op##_outer, tg_##op(t, p[0], TG_AXES(-1, 0), true))
REDUCE(sum)
REDUCE(mean)
REDUCE(max)
REDUCE(logsumexp)

/* ---- matrix products ---- */

BUILD(matmul_nn, tg_matmul(t, p[0], p[1]))
BUILD(matmul_tn, tg_matmul_transposed(t, p[0], p[1], TG_TRANSPOSE_A))
BUILD(matmul_nt, tg_matmul_transposed(t, p[0], p[1], TG_TRANSPOSE_B))
BUILD(matmul_tt, tg_matmul_transposed(t, p[0], p[1], TG_TRANSPOSE_A | TG_TRANSPOSE_B))
BUILD(matmul_shared, tg_matmul(t, p[0], p[0]))
BUILD(matmul_gram, tg_matmul_transposed(t, p[0], p[0], TG_TRANSPOSE_B))

/* ---- shapes ---- */

BUILD(reshape_build, tg_reshape(t, tg_square(t, p[0]), TG_SHAPE(-1, 2)))
BUILD(reshape_direct, tg_reshape(t, p[0], TG_SHAPE(2, -1)))
BUILD(reshape_scalar, tg_reshape(t, p[0], TG_SCALAR))
BUILD(permute_3, tg_permute(t, p[0], TG_AXES(2, 0, 1)))
BUILD(permute_4, tg_permute(t, p[0], TG_AXES(3, 1, 0, 2)))
BUILD(permute_1, tg_permute(t, p[0], TG_AXES(0)))
BUILD(concat_0, tg_concat(t, 3, p, 0))
BUILD(concat_last, tg_concat(t, 2, p, -1))
BUILD(concat_one, tg_concat(t, 1, p, 0))
BUILD(concat_shared, tg_concat(t, 3, (tg_tensor *[]){p[0], p[1], p[0]}, 1))
BUILD(stack_0, tg_stack(t, 2, p, 0))
BUILD(stack_1, tg_stack(t, 3, p, 1))
BUILD(stack_last, tg_stack(t, 2, p, -1))
BUILD(stack_shared, tg_stack(t, 2, (tg_tensor *[]){p[0], p[0]}, 0))
BUILD(slice_0, tg_slice(t, p[0], 0, 1, 3))
BUILD(slice_last, tg_slice(t, p[0], -1, -2, -1))
BUILD(slice_all, tg_slice(t, p[0], 1, 0, 2))
BUILD(slice_none, tg_add(t, tg_sum(t, tg_slice(t, p[0], 0, 2, 2), TG_ALL_AXES, false),
                         tg_mean(t, p[0], TG_ALL_AXES, false)))
BUILD(slice_nothing, tg_slice(t, p[0], 0, 1, 3))
BUILD(slice_overlapping, tg_mul(t, tg_slice(t, p[0], 0, 0, 2), tg_slice(t, p[0], 0, 1, 3)))

static const int32_t ids[] = {2, 0, 2, 1, 3, 2};
BUILD(gather_1d, tg_gather(t, p[0], tg_ints_1d(ids, 6), -1))
BUILD(gather_padding, tg_gather(t, p[0], tg_ints_2d(ids, 2, 3), 2))
BUILD(gather_none,
      tg_add(t, tg_sum(t, tg_gather(t, p[0], tg_ints_1d(ids, 0), -1), TG_ALL_AXES, true),
             tg_mean(t, p[0], TG_ALL_AXES, false)))

/* ---- where, softmax, dropout ---- */

static const uint8_t bits[] = {1, 0, 1, 0, 0, 1, 1, 1, 0, 1, 1, 0,
                               0, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0, 1};
BUILD(where_full, tg_where(t, tg_mask_nd(bits, TG_SHAPE(2, 3)), p[0], p[1]))
BUILD(where_column, tg_where(t, tg_mask_nd(bits, TG_SHAPE(2, 1)), p[0], p[1]))
BUILD(where_nothing, tg_where(t, tg_mask_nd(bits, TG_SHAPE(1, 3)), p[0], p[1]))
BUILD(where_shared, tg_where(t, tg_mask_nd(bits, TG_SHAPE(2, 3)), p[0], p[0]))
BUILD(where_scalar_row, tg_where_scalar(t, tg_mask_nd(bits, TG_SHAPE(3)), p[0], -7))
BUILD(where_scalar_nothing, tg_where_scalar(t, tg_mask_nd(bits, TG_SHAPE(1)), p[0], 4))
BUILD(where_scalar_full, tg_where_scalar(t, tg_mask_nd(bits, TG_SHAPE(2, 3)), p[0], 4))

static const int32_t lengths[] = {3, 0, 1, 4};
#define LENGTHS tg_ints_1d(lengths, 4)
#define MASK tg_mask_nd(bits, TG_SHAPE(2, 1, 4)) /* the second row has one true position */
/* The second of three rows has none. */
static const uint8_t full_mask[] = {1, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1};
#define FULL tg_mask_nd(full_mask, TG_SHAPE(3, 4))

BUILD(softmax_lengths, tg_softmax_lengths(t, p[0], LENGTHS))
static const int32_t no_lengths[4] = {0};
BUILD(softmax_no_width, tg_softmax_lengths(t, p[0], tg_ints_1d(no_lengths, 4)))
BUILD(softmax_no_batch, tg_softmax_masked(t, p[0], tg_mask_nd(bits, TG_SHAPE(1, 4))))
BUILD(softmax_masked, tg_softmax_masked(t, p[0], MASK))
BUILD(softmax_dead, tg_softmax_masked(t, p[0], FULL))
/* Masked positions are -infinity; a loss can sum them only after they are replaced. */
BUILD(log_softmax_masked, tg_where_scalar(t, MASK, tg_log_softmax_masked(t, p[0], MASK), 0))
BUILD(log_softmax_dead, tg_where_scalar(t, FULL, tg_log_softmax_masked(t, p[0], FULL), 0))
static const uint8_t length_mask[] = {1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1};
BUILD(log_softmax_lengths, tg_where_scalar(t, tg_mask_nd(length_mask, TG_SHAPE(4, 4)),
                                           tg_log_softmax_lengths(t, p[0], LENGTHS), 0))

BUILD(dropout_some, tg_dropout(t, p[0], 0.4))
BUILD(dropout_none, tg_dropout(t, p[0], 0))
BUILD(layer_norm_full, tg_layer_norm(t, p[0], p[1], p[2], 1e-5))
BUILD(layer_norm_bare, tg_layer_norm(t, p[0], NULL, NULL, 1e-3))
BUILD(layer_norm_weight, tg_layer_norm(t, p[0], p[1], NULL, 1e-5))
BUILD(layer_norm_bias, tg_layer_norm(t, p[0], NULL, p[1], 1e-5))

BUILD(l2_normalize_build, tg_l2_normalize(t, p[0]))

/* ---- plain attention ---- */

BUILD(plain_attention, tg_plain_attention(t, p[0], p[1], p[2], 0.7, tg_full_length()))
BUILD(plain_attention_lengths, tg_plain_attention(t, p[0], p[1], p[2], 0.7, LENGTHS))
BUILD(plain_attention_self, tg_plain_attention(t, p[0], p[0], p[0], 0.7, tg_full_length()))

/* ---- losses ---- */

static const int32_t labels[] = {2, 0, -1, 1, 1, 2};
static const tg_real class_weights[] = {(tg_real)0.5, 2, (tg_real)1.25};
BUILD(cross_entropy, tg_cross_entropy(t, p[0], tg_ints_1d(labels, 6)))
BUILD(cross_entropy_2d, tg_cross_entropy(t, p[0], tg_ints_2d(labels, 2, 3)))
BUILD(cross_entropy_weights,
      tg_cross_entropy_weighted(t, p[0], tg_ints_1d(labels, 6), class_weights, 0))
BUILD(cross_entropy_smooth, tg_cross_entropy_weighted(t, p[0], tg_ints_1d(labels, 6), NULL, 0.2))
BUILD(cross_entropy_both,
      tg_cross_entropy_weighted(t, p[0], tg_ints_1d(labels, 6), class_weights, 1))
BUILD(mse_build, tg_mean_squared_error(t, p[0], p[1]))
BUILD(mse_shared, tg_mean_squared_error(t, p[0], p[0]))

static tg_tensor *bce_build(tg_tape *t, tg_tensor *const *p)
{
    static const tg_real targets[] = {0, 1, (tg_real)0.25, 1, (tg_real)0.5, 0};
    return tg_binary_cross_entropy_with_logits(t, p[0],
                                               tg_constant(t, targets, p[0]->ndim, p[0]->shape));
}

/* ---- shapes of the inputs ---- */

static const operands pairs[] = {
    {2, {S(3), S(3)}},          {2, {S_SCALAR, S_SCALAR}},
    {2, {S(3), S_SCALAR}},      {2, {S_SCALAR, S(2, 3)}},
    {2, {S(2, 3), S(3)}},       {2, {S(3), S(2, 3)}},
    {2, {S(2, 3), S(2, 1)}},    {2, {S(2, 1), S(1, 3)}},
    {2, {S(4, 1, 3), S(2, 1)}}, {2, {S(2, 3, 4), S(2, 3, 4)}},
    {2, {S(2, 3, 4), S(3, 1)}}, {2, {S(1), S(1)}},
    {2, {S(1, 1), S(3)}},       {2, {S(0, 3), S(3)}},
    {2, {S(2, 0), S(1, 1)}},    {2, {S(0), S(1)}},
    {2, {S(1, 0), S(2, 1)}},    {2, {S(2, 1, 2, 1, 2, 1), S(1, 2, 1, 2, 1, 2)}},
    {2, {S(19), S(19)}},        {2, {S(5, 9), S(5, 1)}}};
static const operands singles[] = {{1, {S_SCALAR}},   {1, {S(1)}},    {1, {S(7)}},
                                   {1, {S(3, 1, 4)}}, {1, {S(0, 2)}}, {1, {S(2, 1, 2, 1, 3, 1)}},
                                   {1, {S(67)}}};
static const operands reduced[] = {
    {1, {S(2, 3, 4)}}, {1, {S(1, 1, 1)}}, {1, {S(3, 1, 2)}}, {1, {S(1, 5, 9)}}, {1, {S(2, 3, 17)}}};
static const operands with_nothing[] = {{1, {S(2, 0, 3)}}, {1, {S(0, 1, 0)}}};
static const operands products_nn[] = {
    {2, {S(2, 3), S(3, 4)}},    {2, {S(1, 1), S(1, 1)}},          {2, {S(5, 2, 3), S(3, 4)}},
    {2, {S(2, 3), S(4, 3, 2)}}, {2, {S(2, 1, 2, 3), S(3, 3, 1)}}, {2, {S(2, 0), S(0, 3)}},
    {2, {S(0, 3), S(3, 2)}},    {2, {S(2, 3), S(3, 0)}},          {2, {S(0, 2, 3), S(3, 2)}},
    {2, {S(7, 9), S(9, 5)}},    {2, {S(1, 17), S(17, 1)}},        {2, {S(3, 1, 2), S(1, 2, 3)}}};
static const operands products_tn[] = {{2, {S(3, 2), S(3, 4)}},
                                       {2, {S(2, 3, 2), S(3, 4)}},
                                       {2, {S(3, 2), S(2, 3, 1)}},
                                       {2, {S(0, 2), S(0, 3)}},
                                       {2, {S(9, 7), S(9, 5)}}};
static const operands products_nt[] = {{2, {S(2, 3), S(4, 3)}},
                                       {2, {S(2, 2, 3), S(4, 3)}},
                                       {2, {S(2, 3), S(2, 1, 3)}},
                                       {2, {S(2, 0), S(3, 0)}},
                                       {2, {S(7, 9), S(5, 9)}}};
static const operands products_tt[] = {{2, {S(3, 2), S(4, 3)}},
                                       {2, {S(2, 3, 2), S(4, 3)}},
                                       {2, {S(3, 2), S(2, 1, 3)}},
                                       {2, {S(0, 2), S(3, 0)}},
                                       {2, {S(9, 7), S(5, 9)}}};
static const operands squares[] = {{1, {S(3, 3)}}, {1, {S(2, 3, 3)}}};
static const operands vector[] = {{1, {S(6)}}};
static const operands one[] = {{1, {S(1, 1)}}};
static const operands matrix[] = {{1, {S(3, 4)}}, {1, {S(3, 2)}}};
static const operands four_by_two[] = {{1, {S(4, 2)}}, {1, {S(5, 1)}}, {1, {S(4, 19)}}};
static const operands cube[] = {{1, {S(2, 3, 4)}}, {1, {S(1, 0, 3)}}, {1, {S(3, 1, 1)}}};
static const operands four[] = {{1, {S(2, 3, 1, 4)}}};
static const operands joined_0[] = {{3, {S(2, 3), S(1, 3), S(4, 3)}},
                                    {3, {S(2), S(0), S(1)}},
                                    {3, {S(1), S(1), S(1)}}};
static const operands joined_last[] = {{2, {S(2, 3), S(2, 1)}}, {2, {S(2, 1, 2), S(2, 1, 3)}}};
static const operands equal_two[] = {{2, {S(2, 3), S(2, 3)}},
                                     {2, {S_SCALAR, S_SCALAR}},
                                     {2, {S(0, 2), S(0, 2)}}};
static const operands equal_three[] = {{3, {S(2, 3), S(2, 3), S(2, 3)}}, {3, {S(1), S(1), S(1)}}};
static const operands two_matrices[] = {{2, {S(2, 3), S(2, 3)}}};
static const operands choices[] = {{2, {S(2, 3), S(2, 3)}},
                                   {2, {S_SCALAR, S(3)}},
                                   {2, {S(4, 1, 1), S(1, 3)}}};
static const operands nothing_and_row[] = {{2, {S(0, 3), S(3)}}, {2, {S(3), S(0, 1)}}};
static const operands no_rows[] = {{1, {S(0, 3)}}, {1, {S(2, 0, 1)}}};
static const operands no_width[] = {{1, {S(4, 0)}}, {1, {S(4, 2, 0)}}};
static const operands no_batch[] = {{1, {S(0, 4)}}, {1, {S(0, 2, 4)}}};
static const operands two_rows[] = {{1, {S(2, 3)}}};
static const operands rows[] = {{1, {S(5)}},    {1, {S(1)}},    {1, {S(3, 4)}},
                                {1, {S(2, 1)}}, {1, {S(0, 3)}}, {1, {S(2, 2, 19)}}};
static const operands by_lengths[] = {{1, {S(4, 4)}}, {1, {S(4, 2, 4)}}};
static const operands log_by_lengths[] = {{1, {S(4, 4)}}};
static const operands by_mask[] = {{1, {S(2, 3, 4)}}, {1, {S(2, 1, 4)}}};
static const operands by_full_mask[] = {{1, {S(3, 4)}}, {1, {S(2, 3, 4)}}};
static const operands normal_full[] = {{3, {S(3, 5), S(5), S(5)}},
                                       {3, {S(2, 1, 17), S(17), S(17)}},
                                       {3, {S(2, 1), S(1), S(1)}},
                                       {3, {S(0, 3), S(3), S(3)}}};
static const operands long_rows[] = {{1, {S(5)}},
                                     {1, {S(3, 4)}},
                                     {1, {S(0, 3)}},
                                     {1, {S(2, 2, 19)}}};
static const operands normal_two[] = {{2, {S(3, 5), S(5)}}};
static const operands six_rows[] = {{1, {S(6, 3)}}};
static const operands two_by_three[] = {{1, {S(2, 3, 3)}}};
static const operands attention_shapes[] = {{3, {S(2, 3, 4), S(2, 5, 4), S(2, 5, 2)}},
                                            {3, {S(1, 1, 1), S(1, 1, 1), S(1, 1, 1)}},
                                            {3, {S(0, 3, 2), S(0, 2, 2), S(0, 2, 2)}},
                                            {3, {S(2, 0, 2), S(2, 3, 2), S(2, 3, 1)}},
                                            {3, {S(2, 3, 2), S(2, 0, 2), S(2, 0, 1)}}};
static const operands attention_by_lengths[] = {{3, {S(4, 3, 2), S(4, 4, 2), S(4, 4, 3)}}};
static const operands bce_shapes[] = {{1, {S(2, 3)}}, {1, {S(5)}}, {1, {S_SCALAR}}};
static const operands mse_shapes[] = {{2, {S(2, 3), S(2, 3)}},
                                      {2, {S_SCALAR, S_SCALAR}},
                                      {2, {S(1), S(1)}}};

#define ON(operands) operands, COUNT(operands)
#define REDUCTION(op, ...)                                               \
    {#op " of all", op##_all, ON(reduced), __VA_ARGS__},                 \
        {#op " axis 0", op##_first, ON(reduced), __VA_ARGS__},           \
        {#op " axis 1, kept", op##_middle, ON(reduced), __VA_ARGS__},    \
        {#op " last axis", op##_last, ON(reduced), __VA_ARGS__},         \
    {                                                                    \
#op " axes 0 and -1, kept", op##_outer, ON(reduced), __VA_ARGS__ \
    }
/* For operators with kinks: the numbers are further apart than the steps of the differences in
 * float. */
#define FAR -10, 10

static const op_case cases[] = {
    {"add", add_build, ON(pairs), -2, 2},
    {"sub", sub_build, ON(pairs), -2, 2},
    {"mul", mul_build, ON(pairs), -2, 2},
    {"div", div_build, ON(pairs), 0.5, 2.5},
    {"div, negative", div_build, ON(pairs), -2.5, -0.5},
    {"maximum", maximum_build, ON(pairs), FAR},
    {"neg", neg_build, ON(singles), -2, 2},
    {"exp", exp_build, ON(singles), -2, 2},
    {"log", log_build, ON(singles), 0.3, 3},
    {"sqrt", sqrt_build, ON(singles), 0.3, 3},
    {"square", square_build, ON(singles), -2, 2},
    {"tanh", tanh_build, ON(singles), -2, 2},
    {"sigmoid", sigmoid_build, ON(singles), -3, 3},
    {"relu", relu_build, ON(singles), FAR},
    {"gelu", gelu_build, ON(singles), -3, 3},
    {"affine", affine_build, ON(singles), -2, 2},
    {"affine by 0", affine_zero, ON(singles), -2, 2},
    {"add(x, x)", add_shared, ON(singles), -2, 2},
    {"sub(x, x)", sub_shared, ON(singles), -2, 2},
    {"mul(x, x)", mul_shared, ON(singles), -2, 2},
    {"maximum(x, x)", maximum_shared, ON(singles), -2, 2},
    {"x in four places", chain_shared, ON(singles), -1, 1},
    {"detach", detach_build, ON(singles), -2, 2},
    REDUCTION(sum, -2, 2),
    REDUCTION(mean, -2, 2),
    REDUCTION(max, FAR),
    REDUCTION(logsumexp, -2, 2),
    {"sum over nothing", sum_middle, ON(with_nothing), -2, 2},
    {"mean of no rows", mean_last, ON(no_rows), -2, 2},
    {"max of no rows", max_last, ON(no_rows), FAR},
    {"logsumexp of no rows", logsumexp_last, ON(no_rows), -2, 2},
    {"matmul", matmul_nn, ON(products_nn), -2, 2},
    {"matmul, a transposed", matmul_tn, ON(products_tn), -2, 2},
    {"matmul, b transposed", matmul_nt, ON(products_nt), -2, 2},
    {"matmul, both transposed", matmul_tt, ON(products_tt), -2, 2},
    {"matmul(x, x)", matmul_shared, ON(squares), -2, 2},
    {"matmul(x, x^T)", matmul_gram, ON(matrix), -2, 2},
    {"reshape", reshape_build, ON(vector), -2, 2},
    {"reshape of a parameter", reshape_direct, ON(vector), -2, 2},
    {"reshape to a scalar", reshape_scalar, ON(one), -2, 2},
    {"permute of 3", permute_3, ON(cube), -2, 2},
    {"permute of 4", permute_4, ON(four), -2, 2},
    {"permute of 1", permute_1, ON(vector), -2, 2},
    {"concat axis 0", concat_0, ON(joined_0), -2, 2},
    {"concat axis -1", concat_last, ON(joined_last), -2, 2},
    {"concat of one", concat_one, ON(vector), -2, 2},
    {"concat(x, y, x)", concat_shared, ON(two_matrices), -2, 2},
    {"stack axis 0", stack_0, ON(equal_two), -2, 2},
    {"stack axis 1", stack_1, ON(equal_three), -2, 2},
    {"stack axis -1", stack_last, ON(equal_two), -2, 2},
    {"stack(x, x)", stack_shared, ON(matrix), -2, 2},
    {"slice axis 0", slice_0, ON(matrix), -2, 2},
    {"slice axis -1, from the end", slice_last, ON(matrix), -2, 2},
    {"slice, all of an axis", slice_all, matrix + 1, 1, -2, 2},
    {"slice, empty", slice_none, ON(matrix), -2, 2},
    {"slice of nothing", slice_nothing, ON(no_width), -2, 2},
    {"slices that overlap", slice_overlapping, ON(matrix), -2, 2},
    {"gather", gather_1d, ON(four_by_two), -2, 2},
    {"gather of no width", gather_1d, no_width, 1, -2, 2},
    {"gather with padding", gather_padding, ON(four_by_two), -2, 2},
    {"gather of no ids", gather_none, ON(four_by_two), -2, 2},
    {"where", where_full, ON(choices), -2, 2},
    {"where, mask broadcast", where_column, ON(choices), -2, 2},
    {"where over nothing", where_nothing, ON(nothing_and_row), -2, 2},
    {"where(m, x, x)", where_shared, ON(two_rows), -2, 2},
    {"where_scalar, mask broadcast", where_scalar_row, ON(two_rows), -2, 2},
    {"where_scalar over nothing", where_scalar_nothing, ON(no_rows), -2, 2},
    {"where_scalar", where_scalar_full, ON(two_rows), -2, 2},
    {"softmax", softmax_build, ON(rows), -2, 2},
    {"log_softmax", log_softmax_build, ON(rows), -2, 2},
    {"softmax_lengths", softmax_lengths, ON(by_lengths), -2, 2},
    {"softmax_lengths of no width", softmax_no_width, ON(no_width), -2, 2},
    {"softmax_masked", softmax_masked, ON(by_mask), -2, 2},
    {"softmax_masked, no batch", softmax_no_batch, ON(no_batch), -2, 2},
    {"softmax_masked, a dead row", softmax_dead, ON(by_full_mask), -2, 2},
    {"log_softmax_lengths", log_softmax_lengths, ON(log_by_lengths), -2, 2},
    {"log_softmax_masked", log_softmax_masked, ON(by_mask), -2, 2},
    {"log_softmax_masked, a dead row", log_softmax_dead, ON(by_full_mask), -2, 2},
    {"dropout", dropout_some, ON(singles), -2, 2},
    {"dropout of nothing", dropout_none, ON(singles), -2, 2},
    {"layer_norm", layer_norm_full, ON(normal_full), -2, 2},
    {"layer_norm, no weight, no bias", layer_norm_bare, ON(rows), -2, 2},
    {"layer_norm, weight only", layer_norm_weight, ON(normal_two), -2, 2},
    {"layer_norm, bias only", layer_norm_bias, ON(normal_two), -2, 2},
    {"l2_normalize", l2_normalize_build, ON(long_rows), -2, 2},
    {"plain_attention", plain_attention, ON(attention_shapes), -2, 2},
    {"plain_attention, lengths", plain_attention_lengths, ON(attention_by_lengths), -2, 2},
    {"plain_attention(x, x, x)", plain_attention_self, ON(cube), -2, 2},
    {"cross_entropy", cross_entropy, ON(six_rows), -3, 3},
    {"cross_entropy, labels [2, 3]", cross_entropy_2d, ON(two_by_three), -3, 3},
    {"cross_entropy, class weights", cross_entropy_weights, ON(six_rows), -3, 3},
    {"cross_entropy, smoothing", cross_entropy_smooth, ON(six_rows), -3, 3},
    {"cross_entropy, weights and all smoothing", cross_entropy_both, ON(six_rows), -3, 3},
    {"binary_cross_entropy_with_logits", bce_build, ON(bce_shapes), -3, 3},
    {"mean_squared_error", mse_build, ON(mse_shapes), -2, 2},
    {"mean_squared_error(x, x)", mse_shared, ON(matrix), -2, 2},
};

/* ---- checking one ---- */

/* Evenly spaced numbers, shuffled. No two are closer than range / count and, because the count is
 * even, none is the middle of the range: relu and maxima are checked away from their kinks. */
static void spread_parameters(tg_params *params, double low, double high, uint64_t seed)
{
    int64_t count = tg_params_size(params), next = 0;
    if (count % 2) count++;
    int64_t *order = malloc((size_t)(count + 1) * sizeof *order);
    for (int64_t i = 0; i < count; i++) order[i] = i;
    for (int64_t i = count - 1; i > 0; i--) {
        const int64_t j = (int64_t)test_number(seed, i, 0, (double)i + 1), other = order[i];
        order[i] = order[j];
        order[j] = other;
    }
    for (int64_t k = 0; k < tg_params_count(params); k++) {
        tg_tensor *p = tg_params_at(params, k);
        for (int64_t i = 0; i < p->size; i++)
            p->data[i] = (tg_real)(low +
                                   (high - low) * ((double)order[next++] + 0.5) / (double)count);
    }
    free(order);
}

int test_core_case_count(void)
{
    int count = 0;
    for (size_t c = 0; c < COUNT(cases); c++) count += cases[c].n_operands;
    return count;
}

void test_core_case_begin(test_case *self, int index)
{
    const op_case *chosen = cases;
    int within = index;
    while (within >= chosen->n_operands) {
        within -= chosen->n_operands;
        chosen++;
    }
    const operands *on = &chosen->operands[within];
    *self = (test_case){.chosen = chosen, .params = tg_params_new(1)};
    int used = snprintf(self->what, sizeof self->what, "%s on", chosen->name);
    for (int k = 0; k < on->count; k++) {
        test_shape shape = on->shapes[k];
        self->p[k] = tg_param(self->params, NULL, (const char *[]){"a", "b", "c"}[k], shape.ndim,
                              shape.size, tg_init_constant(0));
        used += snprintf(self->what + used, sizeof self->what - (size_t)used, " [");
        for (int d = 0; d < shape.ndim; d++)
            used += snprintf(self->what + used, sizeof self->what - (size_t)used, d ? ", %d" : "%d",
                             (int)shape.size[d]);
        used += snprintf(self->what + used, sizeof self->what - (size_t)used, "]");
    }
    test_assert_params_clean(self->params);
    spread_parameters(self->params, chosen->low, chosen->high, (uint64_t)index + 1);
}

tg_tensor *test_core_case_build(tg_tape *tape, void *self)
{
    test_case *c = self;
    const op_case *chosen = c->chosen;
    return chosen->build(tape, c->p);
}

void test_core_case_run(int index)
{
    test_case c;
    test_core_case_begin(&c, index);
    test_gradients(c.what, c.params, test_core_case_build, &c);
    test_end(NULL, c.params);
}
