/* Layer normalisation and unit vectors, over rows of n numbers (the last axis). dx is dL/dx, and so
 * on.
 *
 *     layer_norm    h = (x - mean) / s,   s = sqrt(variance + eps),   y = h w + b
 *                   dx = (g - mean(g) - h mean(g h)) / s,   g = dy w
 *                   dw = sum dy h,   db = sum dy   over rows, in their order
 *     l2_normalize  y = x / |x|
 *                   dx = (dy - y (y . dy)) / |x|
 *
 * Derivation. Write D_k for the partial derivative by x_k.
 *
 *     layer_norm    D_k mean = 1/n and D_k s = h_k / n, so
 *                   D_k h_i = ([i = k] - 1/n) / s - h_i h_k / (n s)
 *                   dx_k = sum_i g_i D_k h_i = (g_k - mean(g) - h_k mean(g h)) / s
 *     l2_normalize  D_k |x| = x_k / |x| = y_k, so D_k y_i = ([i = k] - y_i y_k) / |x|
 *                   dx_k = sum_i dy_i D_k y_i = (dy_k - y_k (y . dy)) / |x| */
#include <math.h>

#include "ops.h"
#include "op.h"
#include "kernels.h"

/* ---- layer normalisation ---- */

typedef struct layer_norm_attributes {
    double eps;
    int64_t rows, n;
    tg_real *h;         /* [rows, n] */
    tg_real *inverse_s; /* [rows] 1 / s */
} layer_norm_attributes;

static bool layer_norm_shape(tg_node *node)
{
    layer_norm_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0];
    if (x->ndim == 0 || x->shape[x->ndim - 1] == 0)
        return tg_node_fail(node, "the last axis of %s holds nothing to normalize over",
                            tg_tensor_str(x).text);
    op->n = x->shape[x->ndim - 1];
    op->rows = x->size / op->n;
    for (int i = 1; i < 3; i++) {
        const tg_tensor *w = node->inputs[i];
        if (w && !tg_has_shape(w, TG_SHAPE(op->n)))
            return tg_node_fail(node, "%s is %s for x %s, and must be [%lld]",
                                i == 1 ? "weight" : "bias", tg_tensor_str(w).text,
                                tg_tensor_str(x).text, (long long)op->n);
    }
    op->h = tg_save(node, x->size);
    op->inverse_s = tg_save(node, op->rows);
    return op->h && op->inverse_s && tg_output_like(node, x) != NULL;
}

static void layer_norm_forward(tg_node *node)
{
    const layer_norm_attributes *op = node->attributes;
    const tg_tensor *weight = node->inputs[1], *bias = node->inputs[2];
    const int64_t n = op->n;
#pragma omp parallel for if (op->rows * n > TG_PARALLEL_WORK)
    for (int64_t r = 0; r < op->rows; r++) {
        const tg_real *x = node->inputs[0]->data + r * n;
        tg_real *y = node->outputs[0]->data + r * n, *h = op->h + r * n;
        const tg_real mean = TG_DISPATCH(tg_k_sum, n, x) / (tg_real)n;
        for (int64_t i = 0; i < n; i++) h[i] = x[i] - mean;
        const tg_real variance = TG_DISPATCH(tg_k_dot, n, h, h) / (tg_real)n;
        const tg_real inverse_s = (tg_real)(1 / sqrt((double)variance + op->eps));
        op->inverse_s[r] = inverse_s;
        for (int64_t i = 0; i < n; i++) {
            h[i] *= inverse_s;
            y[i] = h[i] * (weight ? weight->data[i] : 1) + (bias ? bias->data[i] : 0);
        }
    }
}

/* dx = (g - mean(g) - h mean(g h)) / s,   g = dy w */
static void layer_norm_backward_x(tg_node *node)
{
    const layer_norm_attributes *op = node->attributes;
    const tg_tensor *weight = node->inputs[1];
    const int64_t n = op->n;
    bool add;
    tg_real *dx = tg_input_grad_target(node, 0, &add), *g = tg_scratch(node, n);
    if (!dx || !g) return;
    for (int64_t r = 0; r < op->rows; r++, dx += n) {
        const tg_real *h = op->h + r * n, *dy = node->outputs[0]->grad + r * n;
        for (int64_t i = 0; i < n; i++) g[i] = dy[i] * (weight ? weight->data[i] : 1);
        const tg_real mean_g = TG_DISPATCH(tg_k_sum, n, g) / (tg_real)n,
                      mean_gh = TG_DISPATCH(tg_k_dot, n, g, h) / (tg_real)n;
        for (int64_t i = 0; i < n; i++)
            dx[i] = (add ? dx[i] : 0) + (g[i] - mean_g - h[i] * mean_gh) * op->inverse_s[r];
    }
}

static void layer_norm_backward(tg_node *node)
{
    const layer_norm_attributes *op = node->attributes;
    const tg_real *dy = node->outputs[0]->grad;
    const int64_t n = op->n;
    layer_norm_backward_x(node);
    tg_real *dw = tg_input_grad(node, 1);
    if (dw)
        for (int64_t r = 0; r < op->rows; r++)
            for (int64_t i = 0; i < n; i++) dw[i] += dy[r * n + i] * op->h[r * n + i];
    tg_real *db = tg_input_grad(node, 2);
    if (db) TG_DISPATCH(tg_k_add_rows, op->rows, n, dy, n, db);
}

const tg_op tg_op_layer_norm = {.name = "layer_norm",
                                .attribute_size = sizeof(layer_norm_attributes),
                                .optional = 1 << 1 | 1 << 2,
                                .shape = layer_norm_shape,
                                .forward = layer_norm_forward,
                                .backward = layer_norm_backward};

tg_tensor *tg_layer_norm(tg_tape *tape, tg_tensor *x, tg_tensor *weight, tg_tensor *bias,
                         double eps)
{
    layer_norm_attributes op = {.eps = eps};
    return tg_apply(tape, &tg_op_layer_norm, &op, 3, (tg_tensor *[]){x, weight, bias}, NULL);
}

/* ---- unit vectors ---- */

typedef struct l2_normalize_attributes {
    int64_t rows, n;
    tg_real *inverse; /* [rows] 1 / |x|, or 0 if x is zero */
} l2_normalize_attributes;

static bool l2_normalize_shape(tg_node *node)
{
    l2_normalize_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0];
    if (x->ndim == 0) return tg_node_fail(node, "x [] is a single number and has no last axis");
    op->n = x->shape[x->ndim - 1];
    op->rows = op->n ? x->size / op->n : 0;
    op->inverse = tg_save(node, op->rows);
    return op->inverse && tg_output_like(node, x) != NULL;
}

static void l2_normalize_forward(tg_node *node)
{
    const l2_normalize_attributes *op = node->attributes;
    for (int64_t r = 0; r < op->rows; r++) {
        const tg_real *x = node->inputs[0]->data + r * op->n;
        tg_real *y = node->outputs[0]->data + r * op->n;
        double square = 0; /* in double, in which no square of a float overflows or vanishes */
        for (int64_t i = 0; i < op->n; i++) square += (double)x[i] * (double)x[i];
        const double norm = sqrt(square);
        op->inverse[r] = norm > 0 || norm != norm ? (tg_real)(1 / norm) : 0;
        for (int64_t i = 0; i < op->n; i++) y[i] = norm > 0 ? (tg_real)((double)x[i] / norm) : x[i];
    }
}

static void l2_normalize_backward(tg_node *node)
{
    const l2_normalize_attributes *op = node->attributes;
    tg_real *dx = tg_input_grad(node, 0);
    if (!dx) return;
    for (int64_t r = 0; r < op->rows; r++, dx += op->n) {
        const tg_real *y = node->outputs[0]->data + r * op->n;
        const tg_real *dy = node->outputs[0]->grad + r * op->n;
        const tg_real along = TG_DISPATCH(tg_k_dot, op->n, y, dy);
        for (int64_t i = 0; i < op->n; i++) dx[i] += (dy[i] - y[i] * along) * op->inverse[r];
    }
}

const tg_op tg_op_l2_normalize = {.name = "l2_normalize",
                                  .attribute_size = sizeof(l2_normalize_attributes),
                                  .shape = l2_normalize_shape,
                                  .forward = l2_normalize_forward,
                                  .backward = l2_normalize_backward};

tg_tensor *tg_l2_normalize(tg_tape *tape, tg_tensor *x)
{
    return tg_apply_unary(tape, &tg_op_l2_normalize, NULL, x);
}
