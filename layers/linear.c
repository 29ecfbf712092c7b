/* y = x W^T + b, as one operator over all rows of x.
 *
 *     dx = dy W,   dW = dy^T x,   db = sum of the rows of dy */
#include "linear.h"

#include "../core/compute.h"

typedef struct linear_attributes {
    int64_t rows, in, out;
} linear_attributes;

static bool linear_shape(tg_node *node)
{
    linear_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0], *w = node->inputs[1], *b = node->inputs[2];
    if (w->ndim != 2 || x->ndim < 1 || x->shape[x->ndim - 1] != w->shape[1])
        return tg_node_fail(node, "input %s does not fit weight %s [out, in]",
                            tg_tensor_str(x).text, tg_tensor_str(w).text);
    op->out = w->shape[0];
    op->in = w->shape[1];
    if (b && !tg_has_shape(b, TG_SHAPE(op->out)))
        return tg_node_fail(node, "bias %s does not fit weight %s", tg_tensor_str(b).text,
                            tg_tensor_str(w).text);
    op->rows = 1;
    int64_t shape[TG_MAX_DIMS];
    for (int d = 0; d < x->ndim - 1; d++) {
        shape[d] = x->shape[d];
        op->rows *= shape[d];
    }
    shape[x->ndim - 1] = op->out;
    return tg_output(node, x->ndim, shape) != NULL;
}

static double linear_flops(const tg_node *node)
{
    const linear_attributes *op = node->attributes;
    return 2.0 * (double)op->rows * (double)op->in * (double)op->out;
}

static void linear_forward(tg_node *node)
{
    const linear_attributes *op = node->attributes;
    const tg_matrix x = {node->inputs[0]->data, op->in, 1};
    tg_node_linear(node, op->rows, x, node->inputs[1], node->inputs[2], node->outputs[0]->data);
}

static void linear_backward(tg_node *node)
{
    const linear_attributes *op = node->attributes;
    const tg_matrix x = {node->inputs[0]->data, op->in, 1}, w = {node->inputs[1]->data, op->in, 1},
                    dy = {node->outputs[0]->grad, op->out, 1}, dy_t = tg_matrix_transposed(dy);
    tg_input_grad_matmul(node, 0, op->rows, op->in, op->out, dy, w);   /* dx = dy W */
    tg_input_grad_matmul(node, 1, op->out, op->in, op->rows, dy_t, x); /* dW = dy^T x */
    tg_real *db = tg_input_grad(node, 2);
    if (db) tg_array_add_rows(op->rows, op->out, dy.data, db);
}

const tg_op tg_op_linear = {.name = "linear",
                            .attribute_size = sizeof(linear_attributes),
                            .optional = 1 << 2,
                            .shape = linear_shape,
                            .forward = linear_forward,
                            .backward = linear_backward,
                            .flops = linear_flops};

bool tg_linear_init_no_bias(tg_linear *layer, tg_params *params, const char *name, int64_t in,
                            int64_t out)
{
    *layer = (tg_linear){
        .weight = tg_param(params, name, "weight", TG_SHAPE(out, in), tg_init_fan_in(in))};
    return layer->weight != NULL;
}

bool tg_linear_init(tg_linear *layer, tg_params *params, const char *name, int64_t in, int64_t out)
{
    if (!tg_linear_init_no_bias(layer, params, name, in, out)) return false;
    layer->bias = tg_param(params, name, "bias", TG_SHAPE(out), tg_init_fan_in(in));
    return layer->bias != NULL;
}

tg_tensor *tg_linear_forward(tg_tape *tape, const tg_linear *layer, tg_tensor *x)
{
    linear_attributes op = {0};
    return tg_apply(tape, &tg_op_linear, &op, 3, (tg_tensor *[]){x, layer->weight, layer->bias},
                    NULL);
}
