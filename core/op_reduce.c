/* Reductions over any axes.
 *
 *     sum         y = sum_j x_j               dx_j = dy
 *     mean        y = sum_j x_j / n           dx_j = dy / n
 *     max         y = max_j x_j               dx_j = dy / k where x_j = y, k the number of such j; else 0
 *     logsumexp   y = m + ln sum_j e^(x_j-m)  dx_j = dy e^(x_j - y),   m = max_j x_j
 *
 * The axes that stay are brought to the front and the reduced ones to the back, each group in its order: then every
 * result is a function of one row of n numbers. Where the reduced axes are the last ones already, nothing is moved. */
#include "internal.h"
#include "kernels.h"

typedef struct reduction {
    tg_axes axes;
    bool keep;
    tg_real (*reduce)(int64_t n, const tg_real *x);
    void (*gradient)(int64_t n, const tg_real *x, tg_real y, tg_real dy, tg_real *dx); /* writes dx */
    bool needs_some;      /* nothing to reduce is an error */
    bool reduced[TG_MAX_DIMS];
    int64_t n, rows;
    int64_t shape[TG_MAX_DIMS], in_x[TG_MAX_DIMS], in_rows[TG_MAX_DIMS]; /* reordered: sizes, strides */
    bool in_place;        /* nothing is to be moved */
} reduction;

static bool reduce_shape(tg_node *node)
{
    reduction *op = node->attributes;
    const tg_tensor *x = node->inputs[0];
    if (op->axes.count > TG_MAX_DIMS) return tg_node_fail(node, "%d axes are too many", op->axes.count);
    if (!tg_node_axes(node, op->axes.count, op->axes.axis)) return false;
    for (int k = 0; k < op->axes.count; k++) op->reduced[op->axes.axis[k]] = true;
    int ndim = 0;
    int64_t shape[TG_MAX_DIMS], natural[TG_MAX_DIMS];
    op->n = op->rows = 1;
    for (int d = 0; d < x->ndim; d++) {
        if (op->axes.count < 0) op->reduced[d] = true;
        if (op->reduced[d]) op->n *= x->shape[d];
        else op->rows *= x->shape[d];
        if (!op->reduced[d]) shape[ndim++] = x->shape[d];
        else if (op->keep) shape[ndim++] = 1;
    }
    if (op->n == 0 && op->rows > 0 && op->needs_some)
        return tg_node_fail(node, "the axes to reduce of %s hold nothing", tg_tensor_text(node, x));
    int at = 0;
    tg_natural_strides(x->ndim, x->shape, natural);
    for (int last = 0; last < 2; last++)
        for (int d = 0; d < x->ndim; d++)
            if (op->reduced[d] == last) op->shape[at] = x->shape[d], op->in_x[at++] = natural[d];
    tg_natural_strides(x->ndim, op->shape, op->in_rows);
    op->in_place = memcmp(op->in_x, op->in_rows, sizeof op->in_x) == 0;
    return tg_output(node, ndim, shape) != NULL;
}

static const tg_real *input_rows(tg_node *node)
{
    const reduction *op = node->attributes;
    const tg_tensor *x = node->inputs[0];
    if (op->in_place) return x->data;
    tg_real *rows = tg_scratch(node, x->size);
    if (rows) tg_copy_strided(x->ndim, op->shape, x->data, op->in_x, rows, op->in_rows, false);
    return rows;
}

static void reduce_forward(tg_node *node)
{
    const reduction *op = node->attributes;
    const tg_real *x = input_rows(node);
    if (!x) return;
    tg_real *y = node->outputs[0]->data;
#pragma omp parallel for if (op->rows > 1 && op->rows * op->n > TG_PARALLEL_WORK)
    for (int64_t r = 0; r < op->rows; r++) y[r] = op->reduce(op->n, x + r * op->n);
}

static void reduce_backward(tg_node *node)
{
    const reduction *op = node->attributes;
    const tg_tensor *y = node->outputs[0];
    tg_real *dx = tg_grad(node, 0);
    if (!dx) return;
    const tg_real *x = input_rows(node);
    tg_real *rows = tg_scratch(node, node->inputs[0]->size);
    if (!x || !rows) return;
    for (int64_t r = 0; r < op->rows; r++) op->gradient(op->n, x + r * op->n, y->data[r], y->grad[r], rows + r * op->n);
    tg_copy_strided(node->inputs[0]->ndim, op->shape, rows, op->in_rows, dx, op->in_x, true);
}

/* Pieces are summed over lanes and the pieces in double, so that a long sum keeps its digits. */
static tg_real sum_row(int64_t n, const tg_real *x)
{
    enum { PIECE = 4096 };
    double sum = 0;
    for (int64_t j = 0; j < n; j += PIECE) sum += (double)TG_RUN(tg_k_sum)(n - j < PIECE ? n - j : PIECE, x + j);
    return (tg_real)sum;
}

static void sum_gradient(int64_t n, const tg_real *x, tg_real y, tg_real dy, tg_real *dx)
{
    (void)x, (void)y;
    for (int64_t j = 0; j < n; j++) dx[j] = dy;
}

static tg_real mean_row(int64_t n, const tg_real *x) { return sum_row(n, x) / (tg_real)n; }

static void mean_gradient(int64_t n, const tg_real *x, tg_real y, tg_real dy, tg_real *dx)
{
    sum_gradient(n, x, y, dy / (tg_real)n, dx);
}

static tg_real max_row(int64_t n, const tg_real *x) { return TG_RUN(tg_k_max)(n, x); }

static void max_gradient(int64_t n, const tg_real *x, tg_real y, tg_real dy, tg_real *dx)
{
    int64_t ties = 0;
    for (int64_t j = 0; j < n; j++) ties += x[j] == y;
    for (int64_t j = 0; j < n; j++) dx[j] = x[j] == y ? dy / (tg_real)ties : 0;
}

double tg_sum_exp(int64_t n, const tg_real *x, tg_real m)
{
    enum { PIECE = 256 };
    tg_real piece[PIECE];
    double sum = 0;
    for (int64_t j = 0; j < n; j += PIECE) {
        int64_t length = n - j < PIECE ? n - j : PIECE;
        TG_RUN(tg_k_exp_shifted)(length, x + j, m, 1, piece);
        sum += (double)TG_RUN(tg_k_sum)(length, piece);
    }
    return sum;
}

/* An infinite maximum is the result itself: infinity - infinity must not come up. */
static tg_real logsumexp_row(int64_t n, const tg_real *x)
{
    tg_real m = max_row(n, x);
    return m - m == 0 ? m + (tg_real)log(tg_sum_exp(n, x, m)) : m;
}

static void logsumexp_gradient(int64_t n, const tg_real *x, tg_real y, tg_real dy, tg_real *dx)
{
    if (!(y - y == 0)) { /* all of it went to what was infinite, or nothing was there */
        max_gradient(n, x, y, dy, dx);
        return;
    }
    TG_RUN(tg_k_exp_shifted)(n, x, y, 1, dx);
    for (int64_t j = 0; j < n; j++) dx[j] *= dy;
}

#define REDUCE_OP(identifier, some)                                                                          \
    TG_OP(identifier##_op, #identifier, .attribute_size = sizeof(reduction), .shape = reduce_shape,          \
          .forward = reduce_forward, .backward = reduce_backward);                                           \
    tg_tensor *tg_##identifier(tg_tape *tape, tg_tensor *x, tg_axes axes, bool keep)                         \
    {                                                                                                        \
        reduction op = {.axes = axes, .keep = keep, .needs_some = some};                                     \
        op.reduce = identifier##_row, op.gradient = identifier##_gradient;                                   \
        return tg_apply_1(tape, &identifier##_op, &op, x);                                                        \
    }

REDUCE_OP(sum, false)
REDUCE_OP(mean, true)
REDUCE_OP(max, true)
REDUCE_OP(logsumexp, false)
