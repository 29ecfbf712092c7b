/* The layer and its operator:
 *
 *     y[t, d] = b[d] + sum over i, k of W[d, i, k] x[t + k - K / 2, i]
 *
 * where x is 0 outside 0 .. length - 1. */
#include "conv1d.h"

#include <math.h>
#include <string.h>

typedef struct conv1d_attributes {
    tg_ints lengths;
    int64_t B, T, I, D, K; /* set by the shape rule */
} conv1d_attributes;

static bool conv1d_shape(tg_node *node)
{
    conv1d_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0], *w = node->inputs[1];
    if (x->ndim != 3 || x->shape[2] != w->shape[1])
        return tg_node_fail(node, "x %s does not fit weight %s", tg_tensor_str(x).text,
                            tg_tensor_str(w).text);
    op->B = x->shape[0];
    op->T = x->shape[1];
    op->I = x->shape[2];
    op->D = w->shape[0];
    op->K = w->shape[2];
    return tg_copy_lengths(node, "lengths", &op->lengths, op->B, op->T) &&
           tg_output(node, TG_SHAPE(op->B, op->T, op->D));
}

static void conv1d_compute(tg_node *node)
{
    const conv1d_attributes *op = node->attributes;
    const tg_real *x = node->inputs[0]->data, *w = node->inputs[1]->data,
                  *b = node->inputs[2]->data;
    tg_real *y = node->outputs[0]->data;
    memset(y, 0, (size_t)node->outputs[0]->size * sizeof *y);
    for (int64_t row = 0; row < op->B; row++, x += op->T * op->I, y += op->T * op->D)
        for (int64_t t = 0, length = op->lengths.data[row]; t < length; t++)
            for (int64_t d = 0; d < op->D; d++) {
                y[t * op->D + d] = b[d];
                for (int64_t k = 0; k < op->K; k++) {
                    const int64_t from = t + k - op->K / 2;
                    if (from < 0 || from >= length) continue;
                    for (int64_t i = 0; i < op->I; i++)
                        y[t * op->D + d] += w[(d * op->I + i) * op->K + k] * x[from * op->I + i];
                }
            }
}

/* dx[from, i] += dy[t, d] W[d, i, k],   dW[d, i, k] += dy[t, d] x[from, i],   db[d] += dy[t, d] */
static void conv1d_backward(tg_node *node)
{
    const conv1d_attributes *op = node->attributes;
    const tg_real *x = node->inputs[0]->data, *w = node->inputs[1]->data,
                  *dy = node->outputs[0]->grad;
    /* NULL: this gradient is not needed */
    tg_real *dx = tg_input_grad(node, 0), *dw = tg_input_grad(node, 1);
    tg_real *db = tg_input_grad(node, 2);
    for (int64_t row = 0; row < op->B; row++)
        for (int64_t t = 0, length = op->lengths.data[row]; t < length; t++)
            for (int64_t d = 0; d < op->D; d++) {
                const tg_real g = dy[(row * op->T + t) * op->D + d];
                if (db) db[d] += g;
                for (int64_t k = 0; k < op->K; k++) {
                    const int64_t from = t + k - op->K / 2, at = (row * op->T + from) * op->I;
                    if (from < 0 || from >= length) continue;
                    for (int64_t i = 0; i < op->I; i++) {
                        if (dx) dx[at + i] += g * w[(d * op->I + i) * op->K + k];
                        if (dw) dw[(d * op->I + i) * op->K + k] += g * x[at + i];
                    }
                }
            }
}

static const tg_op conv1d_op = {.name = "conv1d",
                                .attribute_size = sizeof(conv1d_attributes),
                                .shape = conv1d_shape,
                                .forward = conv1d_compute,
                                .backward = conv1d_backward};

bool conv1d_init(conv1d *layer, tg_params *params, const char *name, int64_t input, int64_t output,
                 int64_t size)
{
    tg_init start = tg_init_uniform(1 / sqrt((double)(input * size)));
    layer->weight = tg_param(params, name, "weight", TG_SHAPE(output, input, size), start);
    layer->bias = tg_param(params, name, "bias", TG_SHAPE(output), start);
    return layer->weight && layer->bias;
}

tg_tensor *conv1d_forward(tg_tape *tape, const conv1d *layer, tg_tensor *x, tg_ints lengths)
{
    conv1d_attributes op = {.lengths = lengths};
    tg_tensor *y = tg_apply(tape, &conv1d_op, &op, 3,
                            (tg_tensor *[]){x, layer->weight, layer->bias}, NULL);
    return tg_relu(tape, y);
}
