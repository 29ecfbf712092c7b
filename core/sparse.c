/* Sparse parameters: a table [V, E] of which a batch reads few rows, such as the weight of an
 * embedding. */
#include <string.h>

#include "op.h"
#include "sparse.h"
#include "params_private.h"

bool tg_params_set_sparse(tg_tensor *table)
{
    tg_params *params = table ? table->params : NULL;
    if (!params || params->error.set) return false;
    tg_param_entry *entry = (tg_param_entry *)table; /* its first member */
    if (entry->sparse) return true;
    if (table->ndim != 2 || table->shape[0] > INT32_MAX)
        return tg_fail(&params->error,
                       "set_sparse: %s is %s; a sparse parameter has two axes, and at most %d rows",
                       table->name, tg_shape_str(table->ndim, table->shape).text, INT32_MAX);
    const size_t rows = (size_t)table->shape[0], bytes = (size_t)table->size * sizeof *table->grad;
    tg_sparse *sparse = tg_params_alloc(params, sizeof *sparse);
    if (!sparse) return false;
    sparse->rows = table->shape[0];
    sparse->touched = tg_params_alloc(params, rows * sizeof *sparse->touched);
    sparse->is_touched = tg_params_alloc(params, rows * sizeof *sparse->is_touched);
    if (!table->grad) table->grad = tg_params_alloc(params, bytes);
    if (!sparse->touched || !sparse->is_touched || !table->grad) return false;
    if (table->has_grad) tg_sparse_touch_all(sparse);
    else memset(table->grad, 0, bytes);
    entry->sparse = sparse;
    return true;
}

static void touch(tg_sparse *sparse, int32_t row)
{
    if (sparse->is_touched[row]) return;
    sparse->is_touched[row] = true;
    sparse->touched[sparse->count++] = row;
}

bool tg_params_touch_rows(tg_tensor *table, tg_ints ids)
{
    tg_params *params = table ? table->params : NULL;
    if (!params || params->error.set) return false;
    const int64_t n = tg_shape_size(ids.ndim, ids.shape);
    if (n < 0 || (n > 0 && !ids.data))
        return tg_fail(&params->error, "touch_rows: the ids have no data or a bad shape");
    for (int64_t i = 0; i < n; i++)
        if (ids.data[i] < 0 || table->ndim != 2 || ids.data[i] >= table->shape[0])
            return tg_fail(&params->error, "touch_rows: id %d at position %lld is outside %s %s",
                           ids.data[i], (long long)i, table->name,
                           tg_shape_str(table->ndim, table->shape).text);
    tg_sparse *sparse = tg_sparse_of(table);
    if (!sparse || !table->requires_grad || n == 0) return true;
    for (int64_t i = 0; i < n; i++) touch(sparse, ids.data[i]);
    table->has_grad = true;
    return true;
}

tg_real *tg_input_grad_rows(tg_node *node, int input, int64_t n, const int32_t *ids,
                            int32_t padding)
{
    tg_tensor *table = node->inputs[input];
    tg_sparse *sparse = tg_sparse_of(table);
    if (!sparse || !table->requires_grad) return tg_input_grad(node, input);
    for (int64_t i = 0; i < n; i++)
        if (ids[i] != padding) touch(sparse, ids[i]);
    table->has_grad = true;
    return table->grad;
}

void tg_sparse_touch_all(tg_sparse *sparse)
{
    for (int64_t row = 0; sparse->count < sparse->rows; row++) touch(sparse, (int32_t)row);
}

void tg_sparse_clear(tg_tensor *table)
{
    tg_sparse *sparse = tg_sparse_of(table);
    const int64_t width = table->shape[1];
    for (int64_t i = 0; i < sparse->count; i++) {
        const int32_t row = sparse->touched[i];
        memset(table->grad + row * width, 0, (size_t)width * sizeof *table->grad);
        sparse->is_touched[row] = false;
    }
    sparse->count = 0;
}

/* ---- for optimizers ---- */

bool tg_params_is_sparse(const tg_tensor *parameter) { return tg_sparse_of(parameter) != NULL; }

const int32_t *tg_params_touched_rows(const tg_tensor *parameter, int64_t *count)
{
    const tg_sparse *sparse = tg_sparse_of(parameter);
    *count = sparse ? sparse->count : 0;
    return sparse ? sparse->touched : NULL;
}

int64_t tg_params_next_touched_row(const tg_tensor *parameter, int64_t row)
{
    const tg_sparse *sparse = tg_sparse_of(parameter);
    if (!sparse || row >= sparse->rows) return row;
    const bool *from = sparse->is_touched + row;
    const bool *next = memchr(from, 1, (size_t)(sparse->rows - row));
    return next ? next - sparse->is_touched : sparse->rows;
}
