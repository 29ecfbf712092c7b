/* Layer normalisation and unit vectors.
 *
 *     layer_norm    h = (x - mean) / s,  s = sqrt(variance + epsilon),  y = h w + b
 *                dx = (g - mean(g) - h mean(g h)) / s,  g = dy w       dw = sum dy h       db = sum dy
 *     l2_normalize  y = x / |x|                                          dx = (dy - y (y . dy)) / |x|
 *
 * Derivation of the first, over a row of n numbers: dh_i/dx_k = ([i = k] - 1/n) / s - h_i h_k / (n s), as dmean/dx_k = 1/n
 * and ds/dx_k = h_k / n. So dx_k = sum_i g_i dh_i/dx_k = (g_k - mean(g) - h_k mean(g h)) / s. */
#include "internal.h"
#include "kernels.h"

/* ---- layer normalisation ---- */

typedef struct layer_norm_attributes {
    double epsilon;
    int64_t rows, n;
    tg_real *h;         /* [rows, n] */
    tg_real *inverse_s; /* [rows] */
} layer_norm_attributes;

static bool layer_norm_shape(tg_node *node)
{
    layer_norm_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0];
    if (x->ndim == 0 || x->shape[x->ndim - 1] == 0)
        return tg_node_fail(node, "%s has nothing to normalise over", tg_tensor_text(node, x));
    op->n = x->shape[x->ndim - 1];
    op->rows = x->size / op->n;
    for (int i = 1; i < 3; i++) {
        const tg_tensor *w = node->inputs[i];
        if (w && !tg_has_shape(w, TG_SHAPE(op->n)))
            return tg_node_fail(node, "%s wants weight and bias of [%lld], and got %s",
                                tg_tensor_text(node, x), (long long)op->n, tg_tensor_text(node, w));
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
        tg_real mean = TG_DISPATCH(tg_k_sum, n, x) / (tg_real)n;
        for (int64_t i = 0; i < n; i++) h[i] = x[i] - mean;
        tg_real variance = TG_DISPATCH(tg_k_dot, n, h, h) / (tg_real)n;
        tg_real inverse_s = (tg_real)(1 / sqrt((double)variance + op->epsilon));
        op->inverse_s[r] = inverse_s;
        for (int64_t i = 0; i < n; i++) {
            h[i] *= inverse_s;
            y[i] = h[i] * (weight ? weight->data[i] : 1) + (bias ? bias->data[i] : 0);
        }
    }
}

static void layer_norm_backward(tg_node *node)
{
    const layer_norm_attributes *op = node->attributes;
    const tg_tensor *weight = node->inputs[1];
    const int64_t n = op->n;
    const tg_real *dy = node->outputs[0]->grad;
    bool add;
    tg_real *dx = tg_input_grad_target(node, 0, &add), *dw = tg_input_grad(node, 1),
            *db = tg_input_grad(node, 2);
    tg_real *g = tg_scratch(node, n);
    if (!g) return;
    for (int64_t r = 0; dx && r < op->rows; r++, dx += n) {
        const tg_real *h = op->h + r * n, *dy_row = dy + r * n, inverse_s = op->inverse_s[r];
        for (int64_t i = 0; i < n; i++) g[i] = dy_row[i] * (weight ? weight->data[i] : 1);
        tg_real mean_g = TG_DISPATCH(tg_k_sum, n, g) / (tg_real)n,
                mean_gh = TG_DISPATCH(tg_k_dot, n, g, h) / (tg_real)n;
        for (int64_t i = 0; i < n; i++)
            dx[i] = (add ? dx[i] : 0) + (g[i] - mean_g - h[i] * mean_gh) * inverse_s;
    }
    for (int64_t r = 0; dw && r < op->rows; r++)
        for (int64_t i = 0; i < n; i++) dw[i] += dy[r * n + i] * op->h[r * n + i];
    if (db) TG_DISPATCH(tg_k_add_rows, op->rows, n, dy, n, db);
}

TG_OP(layer_norm_op, "layer_norm", .attribute_size = sizeof(layer_norm_attributes),
      .optional = 1 << 1 | 1 << 2, .shape = layer_norm_shape, .forward = layer_norm_forward,
      .backward = layer_norm_backward);

tg_tensor *tg_layer_norm(tg_tape *tape, tg_tensor *x, tg_tensor *weight, tg_tensor *bias,
                         double epsilon)
{
    layer_norm_attributes op = {.epsilon = epsilon};
    return tg_apply(tape, &layer_norm_op, &op, 3, (tg_tensor *[]){x, weight, bias}, NULL);
}

/* ---- unit vectors ---- */

typedef struct l2_normalize_attributes {
    tg_real *inverse;
} l2_normalize_attributes; /* [rows] 1 / |x|, 0 for a zero row */

static bool l2_normalize_shape(tg_node *node)
{
    l2_normalize_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0];
    if (x->ndim == 0) return tg_node_fail(node, "a single number has no last axis");
    const int64_t n = x->shape[x->ndim - 1];
    op->inverse = tg_save(node, n ? x->size / n : 0);
    return op->inverse && tg_output_like(node, x) != NULL;
}

static void l2_normalize_forward(tg_node *node)
{
    const l2_normalize_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0];
    const int64_t n = x->shape[x->ndim - 1];
    for (int64_t r = 0; n && r < x->size / n; r++) {
        const tg_real *row = x->data + r * n;
        double norm = 0; /* in double, where no square of a float overflows or vanishes */
        for (int64_t i = 0; i < n; i++) norm += (double)row[i] * (double)row[i];
        norm = sqrt(norm);
        op->inverse[r] = norm > 0 || norm != norm ? (tg_real)(1 / norm) : 0;
        tg_real *y = node->outputs[0]->data + r * n;
        for (int64_t i = 0; i < n; i++) y[i] = norm > 0 ? (tg_real)((double)row[i] / norm) : row[i];
    }
}

static void l2_normalize_backward(tg_node *node)
{
    const l2_normalize_attributes *op = node->attributes;
    const tg_tensor *out = node->outputs[0];
    const int64_t n = out->shape[out->ndim - 1];
    tg_real *dx = tg_input_grad(node, 0);
    for (int64_t r = 0; dx && n && r < out->size / n; r++) {
        const tg_real *y = out->data + r * n, *dy = out->grad + r * n;
        tg_real along = TG_DISPATCH(tg_k_dot, n, y, dy);
        for (int64_t i = 0; i < n; i++) dx[r * n + i] += (dy[i] - y[i] * along) * op->inverse[r];
    }
}

TG_OP(l2_normalize_op, "l2_normalize", .attribute_size = sizeof(l2_normalize_attributes),
      .shape = l2_normalize_shape, .forward = l2_normalize_forward,
      .backward = l2_normalize_backward);

tg_tensor *tg_l2_normalize(tg_tape *tape, tg_tensor *x)
{
    return tg_apply_unary(tape, &l2_normalize_op, NULL, x);
}
