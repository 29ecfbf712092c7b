/* Cross-entropy: one number, the mean over what counts. (Losses of two tensors of one shape are in op_elementwise.c.)
 *
 *     cross_entropy  l_r = -sum_c q_c w_c ln p_c,  p = softmax(x),  q = (1 - s) [c = label] + s / C,
 *                    y = sum_r l_r / sum_r w_label
 *                    dx_c = (p_c sum_k q_k w_k - q_c w_c) dy / sum_r w_label
 *
 * The gradient: with g_c = q_c w_c, l = -sum_c g_c x_c + (sum_c g_c) ln sum e^x, and d(ln sum e^x)/dx_c = p_c. Sums over
 * rows run in double, in their order. */
#include "internal.h"
#include "kernels.h"

typedef struct cross_entropy_attributes {
    tg_ints labels;
    const tg_real *weights; /* [C], or NULL; the tape's copy then, all 1 for NULL */
    double smoothing;
    int64_t rows, classes;
    tg_real *p; /* [rows, C] */
    double weight_sum;
} cross_entropy_attributes;

static bool check_labels(tg_node *node)
{
    cross_entropy_attributes *op = node->attributes;
    if (!tg_copy_ints(node, &op->labels)) return false;
    for (int64_t r = 0; r < op->rows; r++) {
        int32_t label = op->labels.data[r];
        if (label < -1 || label >= op->classes)
            return tg_node_fail(node, "label %d at position %lld is outside 0 .. %lld", label,
                                (long long)r, (long long)op->classes - 1);
        if (label >= 0) op->weight_sum += (double)op->weights[label];
    }
    if (!(op->weight_sum > 0))
        return tg_node_fail(node, "no row counts: every label is -1, or has the weight 0");
    return true;
}

static bool cross_entropy_shape(tg_node *node)
{
    cross_entropy_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0];
    bool fits = x->ndim >= 1 && op->labels.ndim == x->ndim - 1;
    for (int d = 0; fits && d < op->labels.ndim; d++) fits = op->labels.shape[d] == x->shape[d];
    if (!fits)
        return tg_node_fail(
            node, "logits %s want labels of their shape without the last axis, and got %s",
            tg_tensor_text(node, x), tg_shape_text(node, op->labels.ndim, op->labels.shape));
    if (!(op->smoothing >= 0 && op->smoothing <= 1))
        return tg_node_fail(node, "the smoothing %g is outside 0 .. 1", op->smoothing);
    op->classes = x->shape[x->ndim - 1];
    op->rows = op->classes ? x->size / op->classes : 0;
    tg_real *weights = tg_save(node, op->classes);
    for (int64_t c = 0; weights && c < op->classes; c++) {
        weights[c] = op->weights ? op->weights[c] : 1;
        if (!(weights[c] >= 0 && weights[c] < (tg_real)INFINITY))
            return tg_node_fail(node, "the weight %g of class %lld is no number from 0 on",
                                (double)weights[c], (long long)c);
    }
    op->weights = weights;
    op->p = tg_save(node, x->size);
    return weights && op->p && check_labels(node) && tg_output(node, TG_SCALAR) != NULL;
}

/* The weighted target q_c w_c of a row. */
static tg_real target(const cross_entropy_attributes *op, int64_t c, int32_t label)
{
    double q = op->smoothing / (double)op->classes + (c == label ? 1 - op->smoothing : 0);
    return (tg_real)q * op->weights[c];
}

static void cross_entropy_forward(tg_node *node)
{
    const cross_entropy_attributes *op = node->attributes;
    const int64_t n = op->classes;
    double total = 0;
    for (int64_t r = 0; r < op->rows; r++) {
        if (op->labels.data[r] < 0) continue;
        const tg_real *x = node->inputs[0]->data + r * n;
        tg_real *p = op->p + r * n, m = TG_DISPATCH(tg_k_max, n, x);
        TG_DISPATCH(tg_k_exp_shifted, n, x, m, 1, p);
        tg_real sum = TG_DISPATCH(tg_k_sum, n, p);
        double log_sum = log((double)sum);
        for (int64_t c = 0; c < n; c++) {
            p[c] /= sum;
            tg_real q = target(op, c, op->labels.data[r]);
            if (q != 0)
                total += (double)q *
                         (log_sum - (double)(x[c] - m)); /* 0 times an infinite logarithm is 0 */
        }
    }
    node->outputs[0]->data[0] = (tg_real)(total / op->weight_sum);
}

static void cross_entropy_backward(tg_node *node)
{
    const cross_entropy_attributes *op = node->attributes;
    const int64_t n = op->classes;
    tg_real scale = (tg_real)((double)node->outputs[0]->grad[0] / op->weight_sum),
            *dx = tg_input_grad(node, 0);
    for (int64_t r = 0; dx && r < op->rows; r++) {
        int32_t label = op->labels.data[r];
        if (label < 0) continue;
        tg_real mass = 0;
        for (int64_t c = 0; c < n; c++) mass += target(op, c, label);
        for (int64_t c = 0; c < n; c++)
            dx[r * n + c] += (op->p[r * n + c] * mass - target(op, c, label)) * scale;
    }
}

/* Whether each row lies in 0 .. 1 and sums to 1, as probabilities do and logits do not. */
static bool looks_like_probabilities(const tg_tensor *x, int64_t classes)
{
    double sum = 0;
    for (int64_t i = 0; i < x->size; i++) {
        if (!(x->data[i] >= 0 && x->data[i] <= 1)) return false;
        sum += (double)x->data[i];
        const double expected = (double)(i / classes + 1);
        if (i % classes == classes - 1 && !(fabs(sum - expected) <= 1e-3)) return false;
    }
    return classes > 1 && x->size > 0;
}

static const char *cross_entropy_hint(const tg_node *node)
{
    const cross_entropy_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0];
    for (int64_t r = 0; r < op->rows; r++) {
        const int32_t label = op->labels.data[r];
        if (label >= 0 && x->data[r * op->classes + label] == -(tg_real)INFINITY)
            return "the logit of a label is -infinity, which makes the loss infinite";
    }
    if (!looks_like_probabilities(x, op->classes)) return NULL;
    return "each row of the logits sums to 1, as probabilities do; pass logits, without a softmax";
}

TG_OP(cross_entropy_op, "cross_entropy", .attribute_size = sizeof(cross_entropy_attributes),
      .shape = cross_entropy_shape, .forward = cross_entropy_forward,
      .backward = cross_entropy_backward, .anomaly_hint = cross_entropy_hint);

tg_tensor *tg_cross_entropy_weighted(tg_tape *tape, tg_tensor *logits, tg_ints labels,
                                     const tg_real *class_weights, double smoothing)
{
    cross_entropy_attributes op = {.labels = labels,
                                   .weights = class_weights,
                                   .smoothing = smoothing};
    return tg_apply_unary(tape, &cross_entropy_op, &op, logits);
}

tg_tensor *tg_cross_entropy(tg_tape *tape, tg_tensor *logits, tg_ints labels)
{
    return tg_cross_entropy_weighted(tape, logits, labels, NULL, 0);
}
