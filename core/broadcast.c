/* Broadcasting as in NumPy, and its reverse. Shapes are aligned at their last axes. An axis that is
 * missing or has size 1 is read with stride 0, so its elements are read repeatedly. In the backward
 * pass the gradient of such an element is a sum: the output's gradient is added up over the axes
 * that were broadcast. */
#include <string.h>

#include "broadcast.h"
#include "kernels.h"

bool tg_broadcast_strides(int ndim, const int64_t *shape, int small_ndim,
                          const int64_t *small_shape, int64_t *strides)
{
    int64_t stride = 1;
    if (small_ndim > ndim) return false;
    for (int d = ndim - 1; d >= 0; d--) {
        const int small = d - (ndim - small_ndim);
        const int64_t size = small >= 0 ? small_shape[small] : 1;
        if (size != 1 && size != shape[d]) return false;
        strides[d] = size == 1 && shape[d] != 1 ? 0 : stride;
        stride *= size;
    }
    return true;
}

bool tg_broadcast(int n, const tg_tensor *const *x, int *ndim, int64_t *shape,
                  int64_t strides[][TG_MAX_DIMS])
{
    *ndim = 0;
    for (int k = 0; k < n; k++) *ndim = x[k]->ndim > *ndim ? x[k]->ndim : *ndim;
    for (int d = 0; d < *ndim; d++) {
        shape[d] = 1;
        for (int k = 0; k < n; k++) {
            const int at = d - (*ndim - x[k]->ndim);
            if (at >= 0 && x[k]->shape[at] != 1 && shape[d] == 1) shape[d] = x[k]->shape[at];
        }
    }
    for (int k = 0; k < n; k++)
        if (!tg_broadcast_strides(*ndim, shape, x[k]->ndim, x[k]->shape, strides[k])) return false;
    return true;
}

tg_rows tg_rows_start(int ndim, const int64_t *shape, int operands,
                      const int64_t strides[][TG_MAX_DIMS])
{
    tg_rows rows = {
        .ndim = ndim, .operands = operands, .shape = shape, .strides = strides, .length = 1};
    if (ndim) rows.length = shape[ndim - 1];
    if (rows.length) rows.count = tg_shape_size(ndim, shape) / rows.length;
    for (int k = 0; k < operands; k++) rows.step[k] = ndim ? strides[k][ndim - 1] : 1;
    return rows;
}

/* Counts the leading axes up like the digits of a number. An axis that is full goes back to 0 and
 * carries over to the axis before it. */
bool tg_rows_next(tg_rows *rows)
{
    if (rows->done == rows->count) return false;
    if (rows->done++ == 0) return true;
    for (int d = rows->ndim - 2; d >= 0; d--) {
        rows->index[d]++;
        for (int k = 0; k < rows->operands; k++) rows->offset[k] += rows->strides[k][d];
        if (rows->index[d] < rows->shape[d]) break;
        for (int k = 0; k < rows->operands; k++)
            rows->offset[k] -= rows->strides[k][d] * rows->shape[d];
        rows->index[d] = 0;
    }
    return true;
}

void tg_contiguous_strides(int ndim, const int64_t *shape, int64_t *strides)
{
    int64_t stride = 1;
    for (int d = ndim - 1; d >= 0; d--) {
        strides[d] = stride;
        stride *= shape[d];
    }
}

void tg_copy_strided(int ndim, const int64_t *shape, const tg_real *from,
                     const int64_t *from_strides, tg_real *to, const int64_t *to_strides, bool add)
{
    int64_t strides[2][TG_MAX_DIMS] = {{0}};
    for (int d = 0; d < ndim; d++) {
        strides[0][d] = from_strides[d];
        strides[1][d] = to_strides[d];
    }
    tg_rows rows = tg_rows_start(ndim, shape, 2, (const int64_t(*)[TG_MAX_DIMS])strides);
    const int64_t from_step = rows.step[0], to_step = rows.step[1];
    const bool contiguous = from_step == 1 && to_step == 1;
    while (tg_rows_next(&rows)) {
        const tg_real *x = from + rows.offset[0];
        tg_real *y = to + rows.offset[1];
        if (contiguous && !add) memcpy(y, x, (size_t)rows.length * sizeof *y);
        else if (contiguous) TG_DISPATCH(tg_k_add_rows, 1, rows.length, x, 0, y);
        else
            for (int64_t i = 0; i < rows.length; i++)
                y[i * to_step] = add ? y[i * to_step] + x[i * from_step] : x[i * from_step];
    }
}

void tg_input_grad_unbroadcast(tg_node *node, int input, int ndim, const int64_t *shape,
                               const tg_real *full)
{
    const tg_tensor *to = node->inputs[input];
    tg_real *grad = tg_input_grad(node, input);
    if (!grad) return;
    int64_t strides[1][TG_MAX_DIMS] = {{0}};
    tg_broadcast_strides(ndim, shape, to->ndim, to->shape, strides[0]);
    tg_rows rows = tg_rows_start(ndim, shape, 1, (const int64_t(*)[TG_MAX_DIMS])strides);
    for (; tg_rows_next(&rows); full += rows.length) {
        if (rows.step[0] == 0) grad[rows.offset[0]] += TG_DISPATCH(tg_k_sum, rows.length, full);
        else TG_DISPATCH(tg_k_add_rows, 1, rows.length, full, 0, grad + rows.offset[0]);
    }
}
