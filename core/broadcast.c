/* Broadcasting as in NumPy, and its reverse. Shapes are aligned at their last axes; an axis that is missing or has size 1
 * is read with stride 0, again and again. In the backward pass the gradient of what was read again is a sum: the gradient
 * of the output is added up over the axes that were broadcast. */
#include "internal.h"
#include "kernels.h"

void tg_broadcast_strides(int ndim, const int64_t *shape, int small_ndim, const int64_t *small_shape, int64_t *strides)
{
    int64_t stride = 1;
    for (int d = ndim - 1; d >= 0; d--) {
        int small = d - (ndim - small_ndim);
        int64_t size = small >= 0 ? small_shape[small] : 1;
        strides[d] = size == 1 && shape[d] != 1 ? 0 : stride;
        stride *= size;
    }
}

bool tg_broadcasts_to(int ndim, const int64_t *shape, int small_ndim, const int64_t *small_shape)
{
    if (small_ndim > ndim) return false;
    for (int d = 0; d < small_ndim; d++)
        if (small_shape[d] != 1 && small_shape[d] != shape[d + ndim - small_ndim]) return false;
    return true;
}

bool tg_broadcast_shape(const tg_tensor *a, const tg_tensor *b, int *ndim, int64_t *shape)
{
    *ndim = a->ndim > b->ndim ? a->ndim : b->ndim;
    for (int d = 0; d < *ndim; d++) {
        int in_a = d - (*ndim - a->ndim), in_b = d - (*ndim - b->ndim);
        int64_t size_a = in_a >= 0 ? a->shape[in_a] : 1, size_b = in_b >= 0 ? b->shape[in_b] : 1;
        if (size_a != size_b && size_a != 1 && size_b != 1) return false;
        shape[d] = size_a == 1 ? size_b : size_a;
    }
    return true;
}

tg_rows tg_rows_start(int ndim, const int64_t *shape)
{
    tg_rows rows = {.ndim = ndim, .length = ndim ? shape[ndim - 1] : 1};
    for (int d = 0; d < ndim; d++) rows.shape[d] = shape[d];
    int64_t size = tg_shape_size(ndim, shape);
    rows.left = rows.length ? size / rows.length : 0;
    return rows;
}

bool tg_rows_next(tg_rows *rows, int operands, const int64_t strides[][TG_MAX_DIMS])
{
    if (rows->left == 0) return false;
    rows->left--;
    if (!rows->started) {
        rows->started = true;
        return true;
    }
    for (int d = rows->ndim - 2; d >= 0; d--) {
        rows->index[d]++;
        for (int k = 0; k < operands; k++) rows->offset[k] += strides[k][d];
        if (rows->index[d] < rows->shape[d]) break;
        for (int k = 0; k < operands; k++) rows->offset[k] -= strides[k][d] * rows->shape[d];
        rows->index[d] = 0;
    }
    return true;
}

void tg_natural_strides(int ndim, const int64_t *shape, int64_t *strides)
{
    int64_t stride = 1;
    for (int d = ndim - 1; d >= 0; d--) strides[d] = stride, stride *= shape[d];
}

void tg_copy_strided(int ndim, const int64_t *shape, const tg_real *from, const int64_t *from_strides, tg_real *to,
                     const int64_t *to_strides, bool add)
{
    int64_t strides[2][TG_MAX_DIMS] = {{0}};
    for (int d = 0; d < ndim; d++) strides[0][d] = from_strides[d], strides[1][d] = to_strides[d];
    const int64_t from_step = ndim ? strides[0][ndim - 1] : 1, to_step = ndim ? strides[1][ndim - 1] : 1;
    tg_rows rows = tg_rows_start(ndim, shape);
    while (tg_rows_next(&rows, 2, (const int64_t(*)[TG_MAX_DIMS])strides)) {
        const tg_real *x = from + rows.offset[0];
        tg_real *y = to + rows.offset[1];
        if (from_step == 1 && to_step == 1 && !add) memcpy(y, x, (size_t)rows.length * sizeof *y);
        else if (from_step == 1 && to_step == 1) TG_RUN(tg_k_add_rows)(1, rows.length, x, 0, y);
        else
            for (int64_t i = 0; i < rows.length; i++)
                y[i * to_step] = add ? y[i * to_step] + x[i * from_step] : x[i * from_step];
    }
}

/* Adds `n` numbers: to each of y's where y runs along (stride 1), or all to one of y's (stride 0). */
static void add_row(int64_t n, const tg_real *x, tg_real *y, int64_t stride)
{
    if (stride == 0) y[0] += TG_RUN(tg_k_sum)(n, x);
    else TG_RUN(tg_k_add_rows)(1, n, x, 0, y);
}

void tg_grad_unbroadcast(tg_node *node, int input, int ndim, const int64_t *shape, const tg_real *full)
{
    const tg_tensor *to = node->inputs[input];
    tg_real *grad = tg_grad(node, input);
    if (!grad) return;
    int64_t strides[1][TG_MAX_DIMS];
    tg_broadcast_strides(ndim, shape, to->ndim, to->shape, strides[0]);
    tg_rows rows = tg_rows_start(ndim, shape);
    while (tg_rows_next(&rows, 1, (const int64_t(*)[TG_MAX_DIMS])strides)) {
        add_row(rows.length, full, grad + rows.offset[0], ndim ? strides[0][ndim - 1] : 1);
        full += rows.length;
    }
}
