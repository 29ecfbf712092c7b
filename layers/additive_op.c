/* Additive attention pooling over time, as one operator.
 *
 *     u_t = tanh(W x_t + b)     s_t = v . u_t     a = softmax over t < length (s)     context = sum_t a_t x_t
 *
 * Backward, with da_t = dcontext . x_t (and whatever else asks for the weights):
 *     ds_t = a_t (da_t - sum_j a_j da_j)                         the softmax (core/op_softmax.c)
 *     dv = sum_t ds_t u_t     dz_t = ds_t v (1 - u_t^2)          z_t = W x_t + b
 *     dW = sum_t dz_t x_t^T   db = sum_t dz_t   dx_t = a_t dcontext + dz_t W
 *
 * Only the tokens of the sequences are computed: they are packed one after another, and padding is never read. */
#include "attention.h"

#include "../core/internal.h"
#include "kernels.h"

enum { X, PROJ_WEIGHT, PROJ_BIAS, SCORE_WEIGHT };
enum { CONTEXT, ATTENTION_WEIGHTS, SCORES };

typedef struct additive_attributes {
    tg_ints lengths;
    int64_t batch, time, hidden, width;
    int64_t n;        /* tokens of all sequences */
    int64_t *start;   /* [B + 1] each sequence's first packed token */
    const tg_real *x; /* [n, H] packed; the input itself where nothing is padded */
    tg_real *u;       /* [n, A] */
} additive_attributes;

static bool additive_shape(tg_node *node)
{
    additive_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[X], *w = node->inputs[PROJ_WEIGHT];
    const tg_tensor *b = node->inputs[PROJ_BIAS], *v = node->inputs[SCORE_WEIGHT];
    if (x->ndim != 3 || w->ndim != 2 || x->shape[2] != w->shape[1])
        return tg_node_fail(node, "input %s does not fit weight %s (A, H): wanted is [B, T, H]", tg_tensor_text(node, x),
                            tg_tensor_text(node, w));
    op->batch = x->shape[0], op->time = x->shape[1], op->hidden = x->shape[2], op->width = w->shape[0];
    if (b->size != op->width || v->size != op->width)
        return tg_node_fail(node, "bias %s and score weight %s do not fit weight %s", tg_tensor_text(node, b),
                            tg_tensor_text(node, v), tg_tensor_text(node, w));
    if (!tg_keep_lengths(node, &op->lengths, op->batch, op->time)) return false;
    op->start = tg_tape_alloc(node->tape, (size_t)(op->batch + 1) * sizeof *op->start);
    if (!op->start) return false;
    for (int64_t i = 0; i < op->batch; i++) {
        op->start[i] = op->n;
        op->n += op->lengths.data[i];
    }
    op->start[op->batch] = op->n;
    return tg_output(node, TG_SHAPE(op->batch, op->hidden)) && tg_output(node, TG_SHAPE(op->batch, op->time)) &&
           tg_output(node, TG_SHAPE(op->batch, op->time));
}

static double additive_flops(const tg_node *node)
{
    const additive_attributes *op = node->attributes;
    return 2.0 * (double)op->n * (double)op->hidden * (double)(op->width + 1) + 2.0 * (double)op->n * (double)op->width;
}

static const tg_real *pack_tokens(tg_node *node, const additive_attributes *op)
{
    const tg_real *x = node->inputs[X]->data;
    if (op->n == op->batch * op->time) return x;
    tg_real *packed = node->tape->recording ? tg_save(node, op->n * op->hidden) : tg_scratch(node, op->n * op->hidden);
    for (int64_t b = 0; packed && b < op->batch && op->hidden; b++)
        memcpy(packed + op->start[b] * op->hidden, x + b * op->time * op->hidden,
               (size_t)(op->lengths.data[b] * op->hidden) * sizeof *packed);
    return packed;
}

/* u and s of all tokens; s goes to its place in [B, T]. */
static bool score(tg_node *node, additive_attributes *op, tg_real *scores)
{
    const tg_real *bias = node->inputs[PROJ_BIAS]->data, *v = node->inputs[SCORE_WEIGHT]->data;
    const int64_t width = op->width;
    tg_real *packed = tg_scratch(node, tg_gemm_pack_size(op->hidden, width));
    op->u = node->tape->recording ? tg_save(node, op->n * width) : tg_scratch(node, op->n * width);
    if (!packed || !op->u) return false;
    for (int64_t i = 0; i < op->n && width; i++) memcpy(op->u + i * width, bias, (size_t)width * sizeof *bias);
    TG_RUN(tg_k_gemm_pack)(op->hidden, width, (tg_matrix){node->inputs[PROJ_WEIGHT]->data, 1, op->hidden}, packed);
    TG_RUN(tg_k_gemm)(op->n, width, op->hidden, (tg_matrix){op->x, op->hidden, 1}, packed, op->u, width, true);
    memset(scores, 0, (size_t)(op->batch * op->time) * sizeof *scores);
#pragma omp parallel for if (op->n * width > TG_PARALLEL_WORK)
    for (int64_t b = 0; b < op->batch; b++)
        for (int64_t t = 0; t < op->lengths.data[b]; t++) {
            tg_real *u = op->u + (op->start[b] + t) * width;
            TG_RUN(tg_k_tanh)(width, u, u);
            scores[b * op->time + t] = TG_RUN(tg_k_dot)(width, u, v);
        }
    return true;
}

static void additive_forward(tg_node *node)
{
    additive_attributes *op = node->attributes;
    tg_real *context = node->outputs[CONTEXT]->data, *weights = node->outputs[ATTENTION_WEIGHTS]->data;
    tg_real *scores = node->outputs[SCORES]->data;
    op->x = pack_tokens(node, op);
    if (!op->x || !score(node, op, scores)) return;
    memset(context, 0, (size_t)(op->batch * op->hidden) * sizeof *context);
    memset(weights, 0, (size_t)(op->batch * op->time) * sizeof *weights);
    for (int64_t b = 0; b < op->batch; b++) {
        const int64_t length = op->lengths.data[b];
        tg_real *a = weights + b * op->time;
        TG_RUN(tg_k_exp_shifted)(length, scores + b * op->time, TG_RUN(tg_k_max)(length, scores + b * op->time), a);
        tg_real inverse = 1 / TG_RUN(tg_k_sum)(length, a);
        for (int64_t t = 0; t < length; t++) {
            a[t] *= inverse;
            TG_RUN(tg_k_axpy)(op->hidden, a[t], op->x + (op->start[b] + t) * op->hidden, context + b * op->hidden);
        }
    }
}

/* dL/ds of every packed token. The outputs' own gradients, which hold what other operators gave, become the totals. */
static bool backward_scores(tg_node *node, const additive_attributes *op, tg_real *ds)
{
    const tg_real *dcontext = node->outputs[CONTEXT]->grad, *weights = node->outputs[ATTENTION_WEIGHTS]->data;
    bool add_a, add_s;
    tg_real *da_out = tg_tensor_grad(node->tape, node->outputs[ATTENTION_WEIGHTS], &add_a);
    tg_real *ds_out = tg_tensor_grad(node->tape, node->outputs[SCORES], &add_s);
    if (!da_out || !ds_out) return false;
    if (!add_a) memset(da_out, 0, (size_t)(op->batch * op->time) * sizeof *da_out);
    if (!add_s) memset(ds_out, 0, (size_t)(op->batch * op->time) * sizeof *ds_out);
    for (int64_t b = 0; b < op->batch; b++) {
        const int64_t length = op->lengths.data[b];
        const tg_real *a = weights + b * op->time;
        tg_real *da = da_out + b * op->time, *ds_row = ds_out + b * op->time;
        for (int64_t t = 0; dcontext && t < length; t++)
            da[t] += TG_RUN(tg_k_dot)(op->hidden, dcontext + b * op->hidden, op->x + (op->start[b] + t) * op->hidden);
        tg_real sum = TG_RUN(tg_k_dot)(length, a, da);
        for (int64_t t = 0; t < length; t++) {
            ds_row[t] += a[t] * (da[t] - sum);
            ds[op->start[b] + t] = ds_row[t];
        }
        for (int64_t t = length; t < op->time; t++) da[t] = ds_row[t] = 0; /* weights and scores of padding are constant */
    }
    return true;
}

/* dx_t = a_t dcontext + dz_t W */
static void backward_input(tg_node *node, const additive_attributes *op, const tg_real *dz, tg_real *packed)
{
    const int64_t hidden = op->hidden;
    const tg_real *dcontext = node->outputs[CONTEXT]->grad, *weights = node->outputs[ATTENTION_WEIGHTS]->data;
    tg_real *tokens = tg_scratch(node, op->n * hidden), *dx = tg_grad(node, X);
    if (!tokens || !dx) return;
    TG_RUN(tg_k_gemm_pack)(op->width, hidden, (tg_matrix){node->inputs[PROJ_WEIGHT]->data, hidden, 1}, packed);
    TG_RUN(tg_k_gemm)(op->n, hidden, op->width, (tg_matrix){dz, op->width, 1}, packed, tokens, hidden, false);
#pragma omp parallel for if (op->n * hidden > TG_PARALLEL_WORK)
    for (int64_t b = 0; b < op->batch; b++)
        for (int64_t t = 0; t < op->lengths.data[b]; t++) {
            tg_real *row = tokens + (op->start[b] + t) * hidden;
            if (dcontext) TG_RUN(tg_k_axpy)(hidden, weights[b * op->time + t], dcontext + b * hidden, row);
            TG_RUN(tg_k_add_rows)(1, hidden, row, 0, dx + (b * op->time + t) * hidden);
        }
}

static void additive_backward(tg_node *node)
{
    const additive_attributes *op = node->attributes;
    const int64_t width = op->width, hidden = op->hidden, n = op->n;
    tg_real *ds = tg_scratch(node, n), *packed = tg_scratch(node, tg_gemm_pack_size(n > width ? n : width, hidden));
    if (!ds || !packed || !backward_scores(node, op, ds)) return;
    tg_real *dv = tg_grad(node, SCORE_WEIGHT);
    for (int64_t i = 0; dv && i < n; i++) TG_RUN(tg_k_axpy)(width, ds[i], op->u + i * width, dv);
    tg_real *dz = op->u; /* u turns into dz: this is its last use */
#pragma omp parallel for if (n * width > TG_PARALLEL_WORK)
    for (int64_t i = 0; i < n; i++)
        TG_RUN(tg_k_tanh_score_backward)(width, ds[i], node->inputs[SCORE_WEIGHT]->data, dz + i * width);
    bool add;
    tg_real *dw = tg_grad_target(node, PROJ_WEIGHT, &add);
    if (dw) {
        TG_RUN(tg_k_gemm_pack)(n, hidden, (tg_matrix){op->x, hidden, 1}, packed);
        TG_RUN(tg_k_gemm)(width, hidden, n, (tg_matrix){dz, 1, width}, packed, dw, hidden, add);
    }
    tg_real *db = tg_grad(node, PROJ_BIAS);
    if (db) TG_RUN(tg_k_add_rows)(n, width, dz, width, db);
    if (node->inputs[X]->requires_grad) backward_input(node, op, dz, packed);
}

TG_OP(additive_attention_op, "additive_attention", .attribute_size = sizeof(additive_attributes),
      .shape = additive_shape, .forward = additive_forward, .backward = additive_backward, .flops = additive_flops);

tg_tensor *tg_additive_attention_forward(tg_tape *tape, const tg_additive_attention *layer, tg_tensor *x,
                                         tg_ints lengths, tg_attention_detail *detail)
{
    additive_attributes op = {.lengths = lengths};
    tg_tensor *inputs[] = {x, layer->proj_weight, layer->proj_bias, layer->score_weight}, *outputs[TG_MAX_OUTPUTS];
    tg_apply(tape, &additive_attention_op, &op, 4, inputs, outputs);
    if (detail) *detail = (tg_attention_detail){outputs[ATTENTION_WEIGHTS], outputs[SCORES], outputs[CONTEXT]};
    return outputs[CONTEXT];
}
