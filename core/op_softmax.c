/* Softmax and log-softmax over the last axis, of the positions that take part. dx is dL/dx, and dy
 * is dL/dy.
 *
 *     softmax      y_i = e^(x_i - m) / sum_j e^(x_j - m)   dx_i = y_i (dy_i - sum_j dy_j y_j)
 *     log_softmax  y_i = x_i - m - ln sum_j e^(x_j - m)    dx_i = dy_i - e^(y_i) sum_j dy_j
 *
 * with m = max_j x_j, which changes no value and keeps e^(x_j - m) from overflowing.
 *
 * Derivation. Write p for the softmax: p_i = e^x_i / s, s = sum_j e^x_j, and D_k for the partial
 * derivative by x_k. Then D_k s = e^x_k, so D_k p_i = p_i ([i = k] - p_k), and for l_i = ln p_i
 * D_k l_i = [i = k] - p_k. By the chain rule
 *
 *     softmax      dx_k = sum_i dy_i D_k p_i = sum_i dy_i p_i ([i = k] - p_k)
 *                       = dy_k p_k - p_k sum_i dy_i p_i
 *     log_softmax  dx_k = sum_i dy_i D_k l_i = sum_i dy_i ([i = k] - p_k)
 *                       = dy_k - p_k sum_i dy_i
 *
 * The positions that take part are first gathered into a row of their own. So a position that is
 * left out is in no sum, and neither a NaN there nor a longer row changes a bit. */
#include <math.h>

#include "broadcast.h"
#include "ops.h"
#include "reduce.h"
#include "kernels.h"

typedef struct softmax_attributes {
    bool logarithm;
    enum { EVERYTHING, BY_LENGTHS, BY_MASK } how;
    tg_ints lengths;
    tg_mask mask;
    int64_t n;                       /* positions of the last axis */
    int64_t strides[1][TG_MAX_DIMS]; /* of the mask in x's shape */
} softmax_attributes;

static bool softmax_shape(tg_node *node)
{
    softmax_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0];
    if (x->ndim == 0) return tg_node_fail(node, "x [] is a single number and has no last axis");
    op->n = x->shape[x->ndim - 1];
    if (op->how == BY_LENGTHS) {
        if (x->ndim < 2)
            return tg_node_fail(node, "%s has no batch axis for lengths", tg_tensor_str(x).text);
        if (!tg_copy_lengths(node, "lengths", &op->lengths, x->shape[0], op->n)) return false;
    }
    if (op->how == BY_MASK) {
        tg_mask *mask = &op->mask;
        if (!tg_copy_mask(node, mask)) return false;
        if (!tg_broadcast_strides(x->ndim, x->shape, mask->ndim, mask->shape, op->strides[0]))
            return tg_node_fail(node, "mask %s does not broadcast to %s",
                                tg_shape_str(mask->ndim, mask->shape).text, tg_tensor_str(x).text);
    }
    return tg_output_like(node, x) != NULL;
}

/* Works on one row, of which `count` positions take part: at[0], at[1], .. in ascending order.
 * `workspace` has two rows of numbers. */
typedef void (*row_function)(tg_node *node, int64_t row, int64_t count, const int64_t *at,
                             tg_real *workspace);

static void each_row(tg_node *node, row_function function)
{
    const softmax_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0];
    int64_t *at = tg_scratch_bytes(node, (size_t)op->n * sizeof *at);
    tg_real *workspace = tg_scratch(node, 2 * op->n);
    if (!at || !workspace) return;
    tg_rows rows = tg_rows_start(x->ndim, x->shape, 1, op->strides);
    for (int64_t row = 0; tg_rows_next(&rows); row++) {
        const uint8_t *mask = op->how == BY_MASK ? op->mask.data + rows.offset[0] : NULL;
        const int64_t n = op->how == BY_LENGTHS ? op->lengths.data[rows.index[0]] : op->n;
        int64_t count = 0;
        for (int64_t i = 0; i < n; i++)
            if (!mask || mask[i * rows.step[0]]) at[count++] = i;
        function(node, row, count, at, workspace);
    }
}

static void forward_row(tg_node *node, int64_t row, int64_t count, const int64_t *at, tg_real *x)
{
    const softmax_attributes *op = node->attributes;
    tg_real *y = node->outputs[0]->data + row * op->n;
    for (int64_t i = 0; i < count; i++) x[i] = node->inputs[0]->data[row * op->n + at[i]];
    const tg_real m = TG_DISPATCH(tg_k_max, count, x);
    if (op->logarithm) {
        const tg_real log_sum = (tg_real)log(tg_sum_exp(count, x, m));
        for (int64_t i = 0; i < count; i++) x[i] = x[i] - m - log_sum;
    } else {
        TG_DISPATCH(tg_k_exp_shifted, count, x, m, 1, x);
        const tg_real inverse = 1 / TG_DISPATCH(tg_k_sum, count, x);
        for (int64_t i = 0; i < count; i++) x[i] *= inverse;
    }
    const tg_real left_out = op->logarithm && count ? -(tg_real)INFINITY : 0;
    for (int64_t i = 0; i < op->n; i++) y[i] = left_out;
    for (int64_t i = 0; i < count; i++) y[at[i]] = x[i];
}

static void softmax_forward(tg_node *node) { each_row(node, forward_row); }

static void backward_row(tg_node *node, int64_t row, int64_t count, const int64_t *at, tg_real *dy)
{
    const softmax_attributes *op = node->attributes;
    const tg_tensor *out = node->outputs[0];
    tg_real *y = dy + op->n, *dx = node->inputs[0]->grad + row * op->n;
    for (int64_t i = 0; i < count; i++) {
        dy[i] = out->grad[row * op->n + at[i]];
        y[i] = out->data[row * op->n + at[i]];
    }
    if (op->logarithm) { /* dx_i = dy_i - e^(y_i) sum_j dy_j */
        const tg_real sum = TG_DISPATCH(tg_k_sum, count, dy);
        TG_DISPATCH(tg_k_exp_shifted, count, y, 0, 1, y);
        for (int64_t i = 0; i < count; i++) dy[i] -= y[i] * sum;
    } else { /* dx_i = y_i (dy_i - sum_j dy_j y_j) */
        const tg_real sum = TG_DISPATCH(tg_k_dot, count, dy, y);
        TG_DISPATCH(tg_k_softmax_backward, 1, count, count, y, &sum, 1, dy);
    }
    for (int64_t i = 0; i < count; i++) dx[at[i]] += dy[i];
}

static void softmax_backward(tg_node *node)
{
    if (tg_input_grad(node, 0)) each_row(node, backward_row);
}

/* Such a row gives NaN, because -infinity minus its maximum is NaN. */
static const char *softmax_hint(const tg_node *node)
{
    const softmax_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0];
    int64_t infinite = 0;
    for (int64_t i = 0; op->how == EVERYTHING && i < x->size; i++) {
        infinite = x->data[i] == -(tg_real)INFINITY ? infinite + 1 : 0;
        if (i % op->n != op->n - 1) continue;
        if (infinite == op->n)
            return "all numbers of a row are -infinity; use tg_softmax_masked or "
                   "tg_log_softmax_masked, which give 0 for a row that is masked out";
        infinite = 0;
    }
    return NULL;
}

const tg_op tg_op_softmax = {.name = "softmax",
                             .attribute_size = sizeof(softmax_attributes),
                             .shape = softmax_shape,
                             .forward = softmax_forward,
                             .backward = softmax_backward,
                             .anomaly_hint = softmax_hint};
const tg_op tg_op_log_softmax = {.name = "log_softmax",
                                 .may_be_infinite = true,
                                 .attribute_size = sizeof(softmax_attributes),
                                 .shape = softmax_shape,
                                 .forward = softmax_forward,
                                 .backward = softmax_backward,
                                 .anomaly_hint = softmax_hint};

static tg_tensor *apply(tg_tape *tape, tg_tensor *x, softmax_attributes attributes)
{
    return tg_apply_unary(tape, attributes.logarithm ? &tg_op_log_softmax : &tg_op_softmax,
                          &attributes, x);
}

tg_tensor *tg_softmax(tg_tape *tape, tg_tensor *x)
{
    return apply(tape, x, (softmax_attributes){.how = EVERYTHING});
}

tg_tensor *tg_softmax_lengths(tg_tape *tape, tg_tensor *x, tg_ints lengths)
{
    return apply(tape, x, (softmax_attributes){.how = BY_LENGTHS, .lengths = lengths});
}

tg_tensor *tg_softmax_masked(tg_tape *tape, tg_tensor *x, tg_mask mask)
{
    return apply(tape, x, (softmax_attributes){.how = BY_MASK, .mask = mask});
}

tg_tensor *tg_log_softmax(tg_tape *tape, tg_tensor *x)
{
    return apply(tape, x, (softmax_attributes){.logarithm = true, .how = EVERYTHING});
}

tg_tensor *tg_log_softmax_lengths(tg_tape *tape, tg_tensor *x, tg_ints lengths)
{
    return apply(tape, x,
                 (softmax_attributes){.logarithm = true, .how = BY_LENGTHS, .lengths = lengths});
}

tg_tensor *tg_log_softmax_masked(tg_tape *tape, tg_tensor *x, tg_mask mask)
{
    return apply(tape, x, (softmax_attributes){.logarithm = true, .how = BY_MASK, .mask = mask});
}
