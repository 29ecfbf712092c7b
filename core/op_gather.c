/* Rows of a table by their numbers: y_i = table[id_i],  dtable[id_i] += dy_i in the order of i. */
#include <string.h>

#include "ops.h"
#include "op.h"
#include "kernels.h"

typedef struct gather_attributes {
    tg_ints ids;
    int32_t padding;
    int64_t n; /* number of ids */
} gather_attributes;

static bool gather_shape(tg_node *node)
{
    gather_attributes *op = node->attributes;
    const tg_tensor *table = node->inputs[0];
    if (table->ndim != 2)
        return tg_node_fail(node, "the table %s must have two axes", tg_tensor_str(table).text);
    if (op->ids.ndim < 0 || op->ids.ndim >= TG_MAX_DIMS)
        return tg_node_fail(node, "ids of %d axes are too many", op->ids.ndim);
    if (!tg_copy_ints(node, &op->ids)) return false;
    op->n = tg_shape_size(op->ids.ndim, op->ids.shape);
    for (int64_t i = 0; i < op->n; i++)
        if (op->ids.data[i] < 0 || op->ids.data[i] >= table->shape[0])
            return tg_node_fail(node, "id %d at position %lld is outside the table %s",
                                op->ids.data[i], (long long)i, tg_tensor_str(table).text);
    int64_t shape[TG_MAX_DIMS];
    for (int d = 0; d < op->ids.ndim; d++) shape[d] = op->ids.shape[d];
    shape[op->ids.ndim] = table->shape[1];
    return tg_output(node, op->ids.ndim + 1, shape) != NULL;
}

static void gather_forward(tg_node *node)
{
    const gather_attributes *op = node->attributes;
    const tg_tensor *table = node->inputs[0];
    const int64_t width = table->shape[1];
    tg_real *y = node->outputs[0]->data;
    for (int64_t i = 0; i < op->n && width; i++) {
        if (op->ids.data[i] == op->padding) memset(y + i * width, 0, (size_t)width * sizeof *y);
        else
            memcpy(y + i * width, table->data + op->ids.data[i] * width, (size_t)width * sizeof *y);
    }
}

static void gather_backward(tg_node *node)
{
    const gather_attributes *op = node->attributes;
    const int64_t width = node->inputs[0]->shape[1];
    const tg_real *dy = node->outputs[0]->grad;
    tg_real *dtable = tg_input_grad_rows(node, 0, op->n, op->ids.data, op->padding);
    for (int64_t i = 0; dtable && i < op->n; i++)
        if (op->ids.data[i] != op->padding)
            TG_DISPATCH(tg_k_add_rows, 1, width, dy + i * width, 0,
                        dtable + op->ids.data[i] * width);
}

const tg_op tg_op_gather = {.name = "gather",
                            .attribute_size = sizeof(gather_attributes),
                            .shape = gather_shape,
                            .forward = gather_forward,
                            .backward = gather_backward};

tg_tensor *tg_gather(tg_tape *tape, tg_tensor *table, tg_ints ids, int32_t padding)
{
    gather_attributes op = {.ids = ids, .padding = padding};
    return tg_apply_unary(tape, &tg_op_gather, &op, table);
}
