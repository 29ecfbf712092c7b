/* Attention of one head with whole [Tq, Tk] matrices, in plain loops: the formulas to read before
 * attention_op.c, which computes the same in tiles and is held to this operator by a test.
 *
 *     s_ij = scale q_i . k_j          the score of query i and key j
 *     a_ij = e^s_ij / sum_k e^s_ik    the weights of query i: positive, with the sum 1
 *     y_i  = sum_j a_ij v_j           a mean of the values
 *
 * The backward pass takes dy = dL/dy back through these three lines, the last one first; da stands
 * for dL/da, and so on.
 *
 *     y_i = sum_j a_ij v_j     da_ij = dy_i . v_j: how far v_j points along what y_i wants
 *                              dv_j = sum_i a_ij dy_i
 *     a_i = softmax(s_i)       ds_ij = a_ij (da_ij - sum_k a_ik da_ik): s_ij moves every weight of
 *                              its query, a_ik by a_ik ([j = k] - a_ij); this is summed over k
 *     s_ij = scale q_i . k_j   dq_i = scale sum_j ds_ij k_j
 *                              dk_j = scale sum_i ds_ij q_i
 *
 * The softmax's step compares da_ij with its mean over the keys, weighted by a: raising one weight
 * lowers the others. The ds_ij of a query therefore have the sum 0. (core/op_softmax.c derives the
 * step in full.)
 *
 * Keys and values past a sequence's length are not read. A sequence of length 0 has y = 0 and no
 * gradient. */
#include <math.h>
#include <string.h>

#include "../core/op.h"
#include "attention.h"

typedef struct plain_attributes {
    double scale;
    tg_ints lengths;
    tg_real *a; /* [B, Tq, Tk] weights; undefined past a length */
} plain_attributes;

static bool plain_shape(tg_node *node)
{
    plain_attributes *op = node->attributes;
    const tg_tensor *q = node->inputs[0], *k = node->inputs[1], *v = node->inputs[2];
    if (q->ndim != 3 || k->ndim != 3 || v->ndim != 3 || q->shape[0] != k->shape[0] ||
        k->shape[0] != v->shape[0] || k->shape[1] != v->shape[1] || q->shape[2] != k->shape[2])
        return tg_node_fail(node,
                            "q %s, k %s and v %s do not fit; expected [B, Tq, D], [B, Tk, D] and "
                            "[B, Tk, Dv]",
                            tg_tensor_str(q).text, tg_tensor_str(k).text, tg_tensor_str(v).text);
    const int64_t B = q->shape[0], Tq = q->shape[1], Tk = k->shape[1];
    if ((double)B * (double)Tq * (double)Tk > 0x1p60) /* which is possible if D and Dv are 0 */
        return tg_node_fail(node, "q %s and k %s have too many pairs", tg_tensor_str(q).text,
                            tg_tensor_str(k).text);
    op->a = tg_save(node, B * Tq * Tk);
    return op->a && tg_copy_lengths(node, "lengths", &op->lengths, B, Tk) &&
           tg_output(node, TG_SHAPE(B, Tq, v->shape[2]));
}

/* x . y */
static tg_real dot(int64_t n, const tg_real *x, const tg_real *y)
{
    tg_real sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

/* y += a x */
static void add_scaled(int64_t n, tg_real a, const tg_real *x, tg_real *y)
{
    for (int64_t i = 0; i < n; i++) y[i] += a * x[i];
}

/* x_j = e^x_j / sum_k e^x_k. Subtracting the maximum changes no weight and keeps e^x from
 * overflowing. */
static void softmax(int64_t n, tg_real *x)
{
    tg_real max = -(tg_real)INFINITY, sum = 0;
    for (int64_t j = 0; j < n; j++) max = x[j] > max ? x[j] : max;
    for (int64_t j = 0; j < n; j++) {
        x[j] = (tg_real)exp((double)(x[j] - max));
        sum += x[j];
    }
    for (int64_t j = 0; j < n; j++) x[j] /= sum;
}

static void plain_forward(tg_node *node)
{
    const plain_attributes *op = node->attributes;
    const tg_tensor *q = node->inputs[0], *k = node->inputs[1], *v = node->inputs[2];
    const int64_t Tq = q->shape[1], Tk = k->shape[1], D = q->shape[2], Dv = v->shape[2];
    for (int64_t row = 0; row < q->shape[0] * Tq; row++) { /* query i of sequence b */
        const int64_t b = row / Tq, n = op->lengths.data[b];
        const tg_real *q_i = q->data + row * D, *k_b = k->data + b * Tk * D,
                      *v_b = v->data + b * Tk * Dv;
        tg_real *a_i = op->a + row * Tk, *y_i = node->outputs[0]->data + row * Dv;
        for (int64_t j = 0; j < n; j++)
            a_i[j] = (tg_real)op->scale * dot(D, q_i, k_b + j * D); /* s_ij = scale q_i . k_j */
        softmax(n, a_i);                                            /* a_i = softmax(s_i) */
        memset(y_i, 0, (size_t)Dv * sizeof *y_i);
        for (int64_t j = 0; j < n; j++)
            add_scaled(Dv, a_i[j], v_b + j * Dv, y_i); /* y_i = sum_j a_ij v_j */
    }
}

static void plain_backward(tg_node *node)
{
    const plain_attributes *op = node->attributes;
    const tg_tensor *q = node->inputs[0], *k = node->inputs[1], *v = node->inputs[2];
    const int64_t Tq = q->shape[1], Tk = k->shape[1], D = q->shape[2], Dv = v->shape[2];
    tg_real *dq = tg_input_grad(node, 0), *dk = tg_input_grad(node, 1),
            *dv = tg_input_grad(node, 2);
    tg_real *da_i = tg_scratch(node, Tk), *ds_i = tg_scratch(node, Tk);
    if (!da_i || !ds_i) return;
    for (int64_t row = 0; row < q->shape[0] * Tq; row++) {
        const int64_t b = row / Tq, n = op->lengths.data[b];
        const tg_real *q_i = q->data + row * D, *k_b = k->data + b * Tk * D,
                      *v_b = v->data + b * Tk * Dv;
        const tg_real *a_i = op->a + row * Tk, *dy_i = node->outputs[0]->grad + row * Dv;
        for (int64_t j = 0; j < n; j++)
            da_i[j] = dot(Dv, dy_i, v_b + j * Dv); /* da_ij = dy_i . v_j */
        const tg_real mean = dot(n, a_i, da_i);    /* sum_k a_ik da_ik */
        for (int64_t j = 0; j < n; j++)
            ds_i[j] = a_i[j] * (da_i[j] - mean); /* ds_ij = a_ij (da_ij - sum_k a_ik da_ik) */
        for (int64_t j = 0; j < n; j++) {
            const int64_t key = b * Tk + j;
            const tg_real slope = (tg_real)op->scale * ds_i[j];
            if (dv) add_scaled(Dv, a_i[j], dy_i, dv + key * Dv);     /* dv_j += a_ij dy_i */
            if (dq) add_scaled(D, slope, k_b + j * D, dq + row * D); /* dq_i += scale ds_ij k_j */
            if (dk) add_scaled(D, slope, q_i, dk + key * D);         /* dk_j += scale ds_ij q_i */
        }
    }
}

static double plain_flops(const tg_node *node)
{
    const tg_tensor *q = node->inputs[0], *v = node->inputs[2];
    return 2.0 * (double)q->size * (double)v->shape[1] +
           2.0 * (double)v->size * (double)q->shape[1];
}

const tg_op tg_op_plain_attention = {.name = "plain_attention",
                                     .attribute_size = sizeof(plain_attributes),
                                     .shape = plain_shape,
                                     .forward = plain_forward,
                                     .backward = plain_backward,
                                     .flops = plain_flops};

tg_tensor *tg_plain_attention(tg_tape *tape, tg_tensor *q, tg_tensor *k, tg_tensor *v, double scale,
                              tg_ints lengths)
{
    plain_attributes op = {.scale = scale, .lengths = lengths};
    return tg_apply(tape, &tg_op_plain_attention, &op, 3, (tg_tensor *[]){q, k, v}, NULL);
}
