/* Reductions over any axes. dx is dL/dx, and so on.
 *
 *     sum         y = sum_j x_j               dx_j = dy
 *     mean        y = sum_j x_j / n           dx_j = dy / n
 *     max         y = max_j x_j               dx_j = dy / k if x_j = y, for the k such j; else 0
 *     logsumexp   y = m + ln sum_j e^(x_j-m)  dx_j = dy e^(x_j - y),   m = max_j x_j
 *
 * The last: y = ln s with s = sum_j e^x_j, so the derivative of y by x_j is e^x_j / s = e^(x_j -
 * y). If y is NaN, the gradient of max is NaN.
 *
 * Every result is a function of one row of n numbers. If the reduced axes are not the last ones, x
 * is permuted first. */
#include <math.h>

#include "ops.h"
#include "reduce.h"
#include "tape_private.h"
#include "kernels.h"

typedef struct reduction {
    tg_real (*reduce)(int64_t n, const tg_real *x);
    /* Writes dx. */
    void (*gradient)(int64_t n, const tg_real *x, tg_real y, tg_real dy, tg_real *dx);
    bool needs_elements; /* a reduction over nothing is an error */
    int64_t n;           /* numbers in a row */
    int ndim;            /* of the result, and its shape */
    int64_t shape[TG_MAX_DIMS];
} reduction;

static bool reduce_shape(tg_node *node)
{
    const reduction *op = node->attributes;
    return tg_output(node, op->ndim, op->shape) != NULL;
}

static void reduce_forward(tg_node *node)
{
    const reduction *op = node->attributes;
    const tg_real *x = node->inputs[0]->data;
    const tg_tensor *y = node->outputs[0];
#pragma omp parallel for if (y->size > 1 && y->size * op->n > TG_PARALLEL_WORK)
    for (int64_t r = 0; r < y->size; r++) y->data[r] = op->reduce(op->n, x + r * op->n);
}

static void reduce_backward(tg_node *node)
{
    const reduction *op = node->attributes;
    const tg_real *x = node->inputs[0]->data;
    const tg_tensor *y = node->outputs[0];
    tg_real *dx = tg_input_grad(node, 0), *row = tg_scratch(node, op->n);
    if (!dx || !row) return;
    for (int64_t r = 0; r < y->size; r++) {
        op->gradient(op->n, x + r * op->n, y->data[r], y->grad[r], row);
        TG_DISPATCH(tg_k_add_rows, 1, op->n, row, 0, dx + r * op->n);
    }
}

/* Sets the reduction's n and its result's shape; `order` becomes the axes of x with the reduced
 * ones last. Returns whether x has that order already. */
static bool plan(reduction *op, const tg_tensor *x, tg_axes axes, bool keepdim, tg_axes *order)
{
    bool reduced[TG_MAX_DIMS] = {false}, in_order = true;
    for (int d = 0; d < x->ndim; d++) reduced[d] = axes.count < 0;
    for (int k = 0; k < axes.count; k++) reduced[axes.axis[k]] = true;
    op->n = 1;
    for (int d = 0; d < x->ndim; d++) {
        if (reduced[d]) op->n *= x->shape[d];
        else order->axis[order->count++] = d;
        if (keepdim || !reduced[d]) op->shape[op->ndim++] = reduced[d] ? 1 : x->shape[d];
    }
    for (int d = 0; d < x->ndim; d++)
        if (reduced[d]) order->axis[order->count++] = d;
    for (int d = 0; d < x->ndim; d++) in_order = in_order && order->axis[d] == d;
    return in_order;
}

static tg_tensor *reduce(tg_tape *tape, const tg_op *op, reduction how, tg_tensor *x, tg_axes axes,
                         bool keepdim)
{
    if (!tape || tape->error.set || !x) return tg_apply_unary(tape, op, &how, x);
    const tg_shape_string shape = tg_shape_str(x->ndim, x->shape);
    if (axes.count > TG_MAX_DIMS)
        return tg_fail(&tape->error, "%s: %d axes are too many for %s", op->name, axes.count,
                       shape.text);
    if (!tg_check_axes(tape, op->name, x, axes.count, axes.axis)) return NULL;
    tg_axes order = {0};
    const bool in_order = plan(&how, x, axes, keepdim, &order);
    if (how.n == 0 && how.needs_elements && tg_shape_size(how.ndim, how.shape) > 0)
        return tg_fail(&tape->error, "%s: the reduced axes of %s hold no elements", op->name,
                       shape.text);
    return tg_apply_unary(tape, op, &how, in_order ? x : tg_permute(tape, x, order));
}

/* Pieces are summed over lanes, and the pieces in double, so that a long sum keeps its digits. */
static tg_real sum_row(int64_t n, const tg_real *x)
{
    enum { PIECE = 4096 };
    double sum = 0;
    for (int64_t j = 0; j < n; j += PIECE)
        sum += (double)TG_DISPATCH(tg_k_sum, n - j < PIECE ? n - j : PIECE, x + j);
    return (tg_real)sum;
}

static void sum_gradient(int64_t n, const tg_real *x, tg_real y, tg_real dy, tg_real *dx)
{
    (void)x;
    (void)y;
    for (int64_t j = 0; j < n; j++) dx[j] = dy;
}

static tg_real mean_row(int64_t n, const tg_real *x) { return sum_row(n, x) / (tg_real)n; }

static void mean_gradient(int64_t n, const tg_real *x, tg_real y, tg_real dy, tg_real *dx)
{
    sum_gradient(n, x, y, dy / (tg_real)n, dx);
}

static tg_real max_row(int64_t n, const tg_real *x) { return TG_DISPATCH(tg_k_max, n, x); }

static void max_gradient(int64_t n, const tg_real *x, tg_real y, tg_real dy, tg_real *dx)
{
    const tg_real otherwise = y == y ? 0 : y;
    int64_t ties = 0;
    for (int64_t j = 0; j < n; j++) ties += x[j] == y;
    for (int64_t j = 0; j < n; j++) dx[j] = x[j] == y ? dy / (tg_real)ties : otherwise;
}

double tg_sum_exp(int64_t n, const tg_real *x, tg_real m)
{
    enum { PIECE = 256 };
    tg_real piece[PIECE];
    double sum = 0;
    for (int64_t j = 0; j < n; j += PIECE) {
        int64_t length = n - j < PIECE ? n - j : PIECE;
        TG_DISPATCH(tg_k_exp_shifted, length, x + j, m, 1, piece);
        sum += (double)TG_DISPATCH(tg_k_sum, length, piece);
    }
    return sum;
}

/* An infinite maximum is the result. It must not be subtracted: infinity - infinity is NaN. */
static tg_real logsumexp_row(int64_t n, const tg_real *x)
{
    const tg_real m = max_row(n, x);
    return isfinite(m) ? m + (tg_real)log(tg_sum_exp(n, x, m)) : m;
}

/* If y is infinite, the gradient goes to the elements that are. */
static void logsumexp_gradient(int64_t n, const tg_real *x, tg_real y, tg_real dy, tg_real *dx)
{
    if (!isfinite(y)) {
        max_gradient(n, x, y, dy, dx);
        return;
    }
    TG_DISPATCH(tg_k_exp_shifted, n, x, y, 1, dx);
    for (int64_t j = 0; j < n; j++) dx[j] *= dy;
}

/* needs: a reduction over nothing is an error; infinite: a reduction over nothing is -infinity. */
#define REDUCE_OP(identifier, needs, infinite)                                          \
    const tg_op tg_op_##identifier = {.name = #identifier,                              \
                                      .attribute_size = sizeof(reduction),              \
                                      .shape = reduce_shape,                            \
                                      .forward = reduce_forward,                        \
                                      .backward = reduce_backward,                      \
                                      .may_be_infinite = infinite};                     \
    tg_tensor *tg_##identifier(tg_tape *tape, tg_tensor *x, tg_axes axes, bool keepdim) \
    {                                                                                   \
        reduction how = {.reduce = identifier##_row,                                    \
                         .gradient = identifier##_gradient,                             \
                         .needs_elements = needs};                                      \
        return reduce(tape, &tg_op_##identifier, how, x, axes, keepdim);                \
    }

REDUCE_OP(sum, false, false)
REDUCE_OP(mean, true, false)
REDUCE_OP(max, true, false)
REDUCE_OP(logsumexp, false, true)
