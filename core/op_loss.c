/* Cross-entropy: one number, the mean over the rows that count. (Losses of two tensors of one shape
 * are in op_elementwise.c.) For row r with C logits x, label t and class weights w:
 *
 *     p = softmax(x),   q_c = (1 - s) [c = t] + s / C,   l_r = -sum_c q_c w_c ln p_c
 *     y = sum_r l_r / W,   W = sum_r w_t
 *     dx_c = (p_c sum_k q_k w_k - q_c w_c) dy / W
 *
 * Derivation. With g_c = q_c w_c and ln p_c = x_c - ln sum_k e^x_k,
 * l = -sum_c g_c x_c + (sum_c g_c) ln sum_k e^x_k. The derivative of ln sum_k e^x_k by x_c is p_c,
 * so that of l is -g_c + (sum_k g_k) p_c.
 *
 * Sums over rows run in double, in the order of the rows. */
#include <math.h>

#include "ops.h"
#include "op.h"
#include "kernels.h"

typedef struct cross_entropy_attributes {
    tg_ints labels;
    const tg_real *weights; /* the caller's [C] or NULL; after the shape rule a copy, 1 for NULL */
    double smoothing;
    int64_t rows, classes;
    tg_real *p; /* [rows, C] */
    double weight_sum;
} cross_entropy_attributes;

static bool check_label_shape(tg_node *node)
{
    const cross_entropy_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0];
    bool fits = x->ndim >= 1 && op->labels.ndim == x->ndim - 1;
    for (int d = 0; fits && d < op->labels.ndim; d++) fits = op->labels.shape[d] == x->shape[d];
    if (fits) return true;
    if (x->ndim < 1) return tg_node_fail(node, "logits [] have no axis of classes");
    return tg_node_fail(node, "labels are %s for logits %s, and must be %s",
                        tg_shape_str(op->labels.ndim, op->labels.shape).text, tg_tensor_str(x).text,
                        tg_shape_str(x->ndim - 1, x->shape).text);
}

static bool copy_weights(tg_node *node)
{
    cross_entropy_attributes *op = node->attributes;
    tg_real *weights = tg_save(node, op->classes);
    if (!weights) return false;
    for (int64_t c = 0; c < op->classes; c++) {
        weights[c] = op->weights ? op->weights[c] : 1;
        if (!(weights[c] >= 0 && weights[c] < (tg_real)INFINITY))
            return tg_node_fail(node, "the weight of class %lld is %g, and must be finite and >= 0",
                                (long long)c, (double)weights[c]);
    }
    op->weights = weights;
    return true;
}

/* Copies the labels and sums their weights. */
static bool copy_labels(tg_node *node)
{
    cross_entropy_attributes *op = node->attributes;
    if (!tg_copy_ints(node, &op->labels)) return false;
    for (int64_t r = 0; r < op->rows; r++) {
        const int32_t label = op->labels.data[r];
        if (label < -1 || label >= op->classes)
            return tg_node_fail(node, "label %d at position %lld is outside 0 .. %lld", label,
                                (long long)r, (long long)op->classes - 1);
        if (label >= 0) op->weight_sum += (double)op->weights[label];
    }
    if (op->weight_sum > 0) return true;
    return tg_node_fail(node, "no row counts: every label is -1 or has the class weight 0");
}

static bool cross_entropy_shape(tg_node *node)
{
    cross_entropy_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0];
    if (!check_label_shape(node)) return false;
    if (!(op->smoothing >= 0 && op->smoothing <= 1))
        return tg_node_fail(node, "label_smoothing is %g, outside 0 .. 1", op->smoothing);
    op->classes = x->shape[x->ndim - 1];
    op->rows = op->classes ? x->size / op->classes : 0;
    op->p = tg_save(node, x->size);
    return op->p && copy_weights(node) && copy_labels(node) && tg_output(node, TG_SCALAR) != NULL;
}

/* The weighted target g_c = q_c w_c of a row. */
static tg_real target(const cross_entropy_attributes *op, int64_t c, int32_t label)
{
    const double q = op->smoothing / (double)op->classes + (c == label ? 1 - op->smoothing : 0);
    return (tg_real)q * op->weights[c];
}

static void cross_entropy_forward(tg_node *node)
{
    const cross_entropy_attributes *op = node->attributes;
    const int64_t n = op->classes;
    double total = 0;
    for (int64_t r = 0; r < op->rows; r++) {
        if (op->labels.data[r] < 0) continue;
        const tg_real *x = node->inputs[0]->data + r * n, m = TG_DISPATCH(tg_k_max, n, x);
        tg_real *p = op->p + r * n;
        TG_DISPATCH(tg_k_exp_shifted, n, x, m, 1, p);
        const tg_real sum = TG_DISPATCH(tg_k_sum, n, p);
        const double log_sum = log((double)sum);
        for (int64_t c = 0; c < n; c++) {
            p[c] /= sum;
            const tg_real g = target(op, c, op->labels.data[r]);
            if (g == 0) continue; /* 0 times an infinite logarithm counts as 0 */
            total += (double)g * (log_sum - (double)(x[c] - m));
        }
    }
    node->outputs[0]->data[0] = (tg_real)(total / op->weight_sum);
}

static void cross_entropy_backward(tg_node *node)
{
    const cross_entropy_attributes *op = node->attributes;
    const int64_t n = op->classes;
    const tg_real scale = (tg_real)((double)node->outputs[0]->grad[0] / op->weight_sum);
    tg_real *dx = tg_input_grad(node, 0);
    if (!dx) return;
    for (int64_t r = 0; r < op->rows; r++) {
        const int32_t label = op->labels.data[r];
        if (label < 0) continue;
        tg_real sum = 0; /* of g */
        for (int64_t c = 0; c < n; c++) sum += target(op, c, label);
        for (int64_t c = 0; c < n; c++)
            dx[r * n + c] += (op->p[r * n + c] * sum - target(op, c, label)) * scale;
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

const tg_op tg_op_cross_entropy = {.name = "cross_entropy",
                                   .attribute_size = sizeof(cross_entropy_attributes),
                                   .shape = cross_entropy_shape,
                                   .forward = cross_entropy_forward,
                                   .backward = cross_entropy_backward,
                                   .anomaly_hint = cross_entropy_hint};

tg_tensor *tg_cross_entropy_weighted(tg_tape *tape, tg_tensor *logits, tg_ints labels,
                                     const tg_real *class_weights, double label_smoothing)
{
    cross_entropy_attributes op = {.labels = labels,
                                   .weights = class_weights,
                                   .smoothing = label_smoothing};
    return tg_apply_unary(tape, &tg_op_cross_entropy, &op, logits);
}

tg_tensor *tg_cross_entropy(tg_tape *tape, tg_tensor *logits, tg_ints labels)
{
    return tg_cross_entropy_weighted(tape, logits, labels, NULL, 0);
}
