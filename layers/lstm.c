/* The LSTM: one layer over whole sequences, in one or both directions, as one operator; then its
 * parameters under PyTorch's names, and several layers on top of each other.
 *
 * x_t, h_t, c_t and z_t are rows, as they lie in memory:
 *
 *     z_t = x_t W_ih^T + b_ih + h_(t-1) W_hh^T + b_hh        [4H], in four parts z_i, z_f, z_g, z_o
 *     i = sigmoid(z_i),  f = sigmoid(z_f),  g = tanh(z_g),  o = sigmoid(z_o)
 *     c_t = f c_(t-1) + i g,   h_t = o tanh(c_t)
 *
 * Backward, from the last step to the first, dz_t comes from dh_t and dc_t, and so does the part of
 * dc_(t-1) that step t gives (layers/kernels.c). Then
 *
 *     dh_(t-1) = dy_(t-1) + dz_t W_hh,   dx_t = dz_t W_ih        y is the output, h of all steps
 *     dW_ih = sum_t dz_t^T x_t,   dW_hh = sum_t dz_t^T h_(t-1),   db_ih = db_hh = sum_t dz_t
 *
 * Sequences are packed: sorted by length, longest first, and laid out step by step. Step t is the
 * rows offset[t] .. offset[t] + active[t] - 1, one for each sequence that is longer than t, and no
 * padding is computed. In the reverse direction step t reads token length - 1 - t. x W_ih^T of all
 * steps is one product, as are the weights' gradients at the end. Between them each thread takes
 * some sequences through all steps without waiting for the others. */
#include <stdio.h>
#include <string.h>

#include "lstm.h"

#include "../core/compute.h"
#include "kernels.h"

enum { X, H0, C0, FIRST_WEIGHT };  /* inputs; then W_ih, W_hh, b_ih, b_hh of each direction */
enum { Y, H_FINAL = H0, C_FINAL }; /* outputs */
enum { W_IH, W_HH, B_IH, B_HH, WEIGHTS };

/* The memory of one direction. A rank is a sequence's place in the order of lengths. */
typedef struct direction {
    tg_real *x;     /* [n, I] packed input */
    tg_real *gates; /* [n, 4H] z without biases; after the step i, f, g, o; after its backward dz */
    tg_real *h_prev;  /* [n, H] h_(t-1) */
    tg_real *c;       /* [n, H] c_t */
    tg_real *c0;      /* [B, H] by rank */
    tg_real *packed;  /* memory for w_hh */
    tg_matrix w_hh;   /* packed: W_hh^T in the forward pass, W_hh in the backward pass */
    tg_real *bias;    /* [4H] b_ih + b_hh, in the forward pass */
    tg_real *dh, *dc; /* [B, H] by rank: what later steps give to this one, in the backward pass */
} direction;

typedef struct lstm_attributes {
    tg_ints lengths;
    int directions;
    int64_t batch, time, input, hidden;
    int64_t n;            /* tokens of all sequences */
    int32_t *sequence_at; /* [B] the sequence at each rank */
    int32_t *active;      /* [T] number of sequences longer than t */
    int64_t *offset;      /* [T] */
    direction direction[2];
} lstm_attributes;

static const tg_tensor *weight(const tg_node *node, int d, int which)
{
    return node->inputs[FIRST_WEIGHT + d * WEIGHTS + which];
}

/* ---- shapes ---- */

/* Sorts by counting: by length, longest first, and sequences of one length in the order of the
 * batch. */
static bool sort_by_length(tg_node *node, lstm_attributes *op)
{
    op->sequence_at = tg_save_bytes(node, (size_t)op->batch * sizeof *op->sequence_at);
    op->active = tg_save_bytes(node, (size_t)op->time * sizeof *op->active);
    op->offset = tg_save_bytes(node, (size_t)op->time * sizeof *op->offset);
    int32_t *next_rank = tg_scratch_bytes(node, (size_t)(op->time + 1) * sizeof *next_rank);
    if (!op->sequence_at || !op->active || !op->offset || !next_rank) return false;
    memset(op->active, 0, (size_t)op->time * sizeof *op->active);
    for (int64_t b = 0; b < op->batch; b++)
        if (op->lengths.data[b] > 0) op->active[op->lengths.data[b] - 1]++;
    next_rank[op->time] = 0;
    for (int64_t t = op->time - 1; t >= 0; t--) {
        next_rank[t] = next_rank[t + 1] + op->active[t]; /* of a sequence of length t */
        op->active[t] = next_rank[t];
    }
    for (int64_t t = 0; t < op->time; t++) {
        op->offset[t] = op->n;
        op->n += op->active[t];
    }
    for (int64_t b = 0; b < op->batch; b++)
        op->sequence_at[next_rank[op->lengths.data[b]]++] = (int32_t)b;
    return true;
}

static bool weights_fit(const tg_node *node, int d)
{
    const lstm_attributes *op = node->attributes;
    const int64_t width = 4 * op->hidden;
    return tg_has_shape(weight(node, d, W_IH), TG_SHAPE(width, op->input)) &&
           tg_has_shape(weight(node, d, W_HH), TG_SHAPE(width, op->hidden)) &&
           tg_has_shape(weight(node, d, B_IH), TG_SHAPE(width)) &&
           tg_has_shape(weight(node, d, B_HH), TG_SHAPE(width));
}

static bool lstm_shape(tg_node *node)
{
    lstm_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[X], *w = weight(node, 0, W_IH), *r = weight(node, 0, W_HH);
    if (x->ndim != 3 || w->ndim != 2 || r->ndim != 2 || x->shape[2] != w->shape[1])
        return tg_node_fail(node,
                            "input %s does not fit weight %s [4H, input]; expected [B, T, input]",
                            tg_tensor_str(x).text, tg_tensor_str(w).text);
    op->batch = x->shape[0];
    op->time = x->shape[1];
    op->input = x->shape[2];
    op->hidden = r->shape[1];
    const int64_t state[3] = {op->directions, op->batch, op->hidden};
    for (int d = 0; d < op->directions; d++)
        if (!weights_fit(node, d))
            return tg_node_fail(
                node,
                "the weights of direction %d are not [4H, %lld], [4H, H], [4H], [4H] with H %lld",
                d, (long long)op->input, (long long)op->hidden);
    for (int i = H0; i <= C0; i++)
        if (node->inputs[i] && !tg_has_shape(node->inputs[i], 3, state))
            return tg_node_fail(node, "the initial state is %s; expected %s",
                                tg_tensor_str(node->inputs[i]).text, tg_shape_str(3, state).text);
    return tg_copy_lengths(node, "lengths", &op->lengths, op->batch, op->time) &&
           sort_by_length(node, op) &&
           tg_output(node, TG_SHAPE(op->batch, op->time, op->directions * op->hidden)) &&
           tg_output(node, 3, state) && tg_output(node, 3, state);
}

static double lstm_flops(const tg_node *node)
{
    const lstm_attributes *op = node->attributes;
    return 8.0 * op->directions * (double)op->n * (double)op->hidden *
           (double)(op->input + op->hidden);
}

/* ---- packing ---- */

/* The row of [B, T] that the sequence at a rank reads at step t. */
static int64_t token_row(const lstm_attributes *op, int d, int64_t rank, int64_t t)
{
    const int64_t b = op->sequence_at[rank];
    return b * op->time + (d == 0 ? t : op->lengths.data[b] - 1 - t);
}

static void gather_input(const lstm_attributes *op, int d, const tg_real *x, tg_real *packed)
{
    const size_t bytes = (size_t)op->input * sizeof *x;
    if (!bytes) return;
    for (int64_t t = 0; t < op->time; t++)
        for (int64_t rank = 0; rank < op->active[t]; rank++)
            memcpy(packed + (op->offset[t] + rank) * op->input,
                   x + token_row(op, d, rank, t) * op->input, bytes);
}

static void scatter_add_input(const lstm_attributes *op, int d, const tg_real *packed, tg_real *x)
{
    for (int64_t t = 0; t < op->time; t++)
        for (int64_t rank = 0; rank < op->active[t]; rank++)
            tg_array_add(op->input, packed + (op->offset[t] + rank) * op->input,
                         x + token_row(op, d, rank, t) * op->input);
}

/* Rows of a [directions, B, H] state, or zeros for NULL, in the order of ranks. */
static void gather_state(const lstm_attributes *op, int d, const tg_real *state, int64_t ranks,
                         tg_real *by_rank)
{
    const size_t bytes = (size_t)op->hidden * sizeof *by_rank;
    if (!bytes) return;
    for (int64_t rank = 0; rank < ranks; rank++) {
        const int64_t row = d * op->batch + op->sequence_at[rank];
        if (state) memcpy(by_rank + rank * op->hidden, state + row * op->hidden, bytes);
        else memset(by_rank + rank * op->hidden, 0, bytes);
    }
}

/* ---- threads: each takes a block of ranks of one direction through all steps ---- */

static int64_t count_blocks(const lstm_attributes *op)
{
    const int64_t threads = tg_thread_count(op->n * op->hidden * op->hidden / 4);
    const int64_t blocks = (threads + op->directions - 1) / op->directions;
    const int64_t limit = op->batch > 0 ? op->batch : 1;
    return blocks < limit ? blocks : limit;
}

typedef void (*block_function)(const tg_node *node, int d, int64_t first, int64_t last);

/* The forward pass multiplies by W_hh^T, the backward pass by W_hh. */
static void pack(const tg_node *node, int d, bool backward)
{
    lstm_attributes *op = node->attributes;
    direction *dir = &op->direction[d];
    const int64_t H = op->hidden;
    const tg_matrix w = {weight(node, d, W_HH)->data, H, 1};
    if (backward) dir->w_hh = tg_pack(4 * H, H, w, dir->packed);
    else if (dir->packed) dir->w_hh = tg_pack(H, 4 * H, tg_matrix_transposed(w), dir->packed);
}

/* If one thread alone reads a direction's weights, it packs them as well. */
static void each_block(const tg_node *node, bool backward, block_function function)
{
    const lstm_attributes *op = node->attributes;
    const int64_t blocks = count_blocks(op), tasks = blocks * op->directions;
    if (blocks > 1)
        for (int d = 0; d < op->directions; d++) pack(node, d, backward);
#pragma omp parallel for if (tasks > op->directions || blocks > 1 || op->n * op->hidden > 4096) \
    schedule(dynamic, 1)
    for (int64_t i = 0; i < tasks; i++) {
        const int64_t block = i / op->directions;
        const int d = (int)(i % op->directions);
        if (blocks == 1) pack(node, d, backward);
        function(node, d, block * op->batch / blocks, (block + 1) * op->batch / blocks);
    }
}

/* The place of a rank's h_t in the output [B, T, directions * H], or of dy_t in its gradient. */
static tg_real *output_row(const lstm_attributes *op, tg_real *y, int d, int64_t rank, int64_t t)
{
    return y + (token_row(op, d, rank, t) * op->directions + d) * op->hidden;
}

/* c_(t-1) of a rank. */
static const tg_real *c_prev(const lstm_attributes *op, int d, int64_t rank, int64_t t)
{
    const direction *dir = &op->direction[d];
    return t ? dir->c + (op->offset[t - 1] + rank) * op->hidden : dir->c0 + rank * op->hidden;
}

/* ---- forward ---- */

/* gates = x W_ih^T of all steps, and bias = b_ih + b_hh. */
static void project_input(tg_node *node, int d)
{
    const lstm_attributes *op = node->attributes;
    const direction *dir = &op->direction[d];
    const tg_real *b_ih = weight(node, d, B_IH)->data, *b_hh = weight(node, d, B_HH)->data;
    gather_input(op, d, node->inputs[X]->data, dir->x);
    for (int64_t j = 0; j < 4 * op->hidden; j++) dir->bias[j] = b_ih[j] + b_hh[j];
    tg_node_linear(node, op->n, (tg_matrix){dir->x, op->input, 1}, weight(node, d, W_IH), NULL,
                   dir->gates);
}

/* Hands h and c of step t to the next step, or to the final state. */
static void store_state(const tg_node *node, int d, int64_t t, int64_t rank, const tg_real *h,
                        const tg_real *c)
{
    const lstm_attributes *op = node->attributes;
    const int64_t final = (d * op->batch + op->sequence_at[rank]) * op->hidden;
    const size_t bytes = (size_t)op->hidden * sizeof *h;
    if (t + 1 < op->time && rank < op->active[t + 1]) {
        memcpy(op->direction[d].h_prev + (op->offset[t + 1] + rank) * op->hidden, h, bytes);
        return;
    }
    memcpy(node->outputs[H_FINAL]->data + final, h, bytes);
    memcpy(node->outputs[C_FINAL]->data + final, c, bytes);
}

static void forward_block(const tg_node *node, int d, int64_t first, int64_t last)
{
    const lstm_attributes *op = node->attributes;
    const direction *dir = &op->direction[d];
    const int64_t hidden = op->hidden, width = 4 * hidden;
    for (int64_t t = 0; t < op->time; t++) {
        const int64_t end = last < op->active[t] ? last : op->active[t];
        if (end <= first) return; /* and no later step has more sequences */
        const int64_t row = op->offset[t] + first;
        tg_real *z = dir->gates + row * width;
        if (t > 0 || node->inputs[H0]) /* z += h_(t-1) W_hh^T */
            tg_matmul_packed(&(tg_product){.m = end - first,
                                           .n = width,
                                           .k = hidden,
                                           .a = {dir->h_prev + row * hidden, hidden, 1},
                                           .b = dir->w_hh,
                                           .start = z,
                                           .c = z,
                                           .c_row = width});
        for (int64_t rank = first; rank < end; rank++, z += width) {
            tg_real *h = output_row(op, node->outputs[Y]->data, d, rank, t);
            tg_real *c = dir->c + (op->offset[t] + rank) * hidden;
            TG_DISPATCH(tg_k_lstm_gates, hidden, z, dir->bias, c_prev(op, d, rank, t), c, h);
            store_state(node, d, t, rank, h, c);
        }
    }
}

/* Fills what no step writes: zeros past each sequence's end, and the initial state as the final one
 * of a sequence of length 0. */
static void fill_outputs(const tg_node *node)
{
    const lstm_attributes *op = node->attributes;
    const int64_t width = op->directions * op->hidden;
    for (int64_t b = 0; b < op->batch; b++) {
        const int64_t length = op->lengths.data[b];
        tg_real *rest = node->outputs[Y]->data + (b * op->time + length) * width;
        memset(rest, 0, (size_t)((op->time - length) * width) * sizeof *rest);
    }
    for (int i = H_FINAL; i <= C_FINAL; i++) {
        const size_t bytes = (size_t)node->outputs[i]->size * sizeof(tg_real);
        if (node->inputs[i]) memcpy(node->outputs[i]->data, node->inputs[i]->data, bytes);
        else memset(node->outputs[i]->data, 0, bytes);
    }
}

static bool allocate(tg_node *node, int d)
{
    lstm_attributes *op = node->attributes;
    direction *dir = &op->direction[d];
    tg_real *(*memory)(tg_node *, int64_t) = tg_tape_recording(node->tape) ? tg_save : tg_scratch;
    dir->x = memory(node, op->n * op->input);
    dir->gates = memory(node, op->n * 4 * op->hidden);
    dir->h_prev = memory(node, op->n * op->hidden);
    dir->c = memory(node, op->n * op->hidden);
    dir->c0 = memory(node, op->batch * op->hidden);
    dir->bias = tg_scratch(node, 4 * op->hidden);
    dir->w_hh = tg_prepacked_weight(weight(node, d, W_HH));
    if (!dir->w_hh.data) dir->packed = tg_scratch(node, tg_pack_size(op->hidden, 4 * op->hidden));
    return dir->x && dir->gates && dir->h_prev && dir->c && dir->c0 && dir->bias &&
           (dir->packed || dir->w_hh.data);
}

static void lstm_forward(tg_node *node)
{
    lstm_attributes *op = node->attributes;
    fill_outputs(node);
    for (int d = 0; d < op->directions; d++) {
        direction *dir = &op->direction[d];
        if (!allocate(node, d)) return;
        project_input(node, d);
        gather_state(op, d, node->outputs[H_FINAL]->data, op->time ? op->active[0] : 0,
                     dir->h_prev);
        gather_state(op, d, node->outputs[C_FINAL]->data, op->batch, dir->c0);
    }
    each_block(node, false, forward_block);
}

/* ---- backward ---- */

static void backward_block(const tg_node *node, int d, int64_t first, int64_t last)
{
    const lstm_attributes *op = node->attributes;
    const direction *dir = &op->direction[d];
    const int64_t hidden = op->hidden, width = 4 * hidden;
    tg_real *dy = node->outputs[Y]->grad;
    for (int64_t t = op->time - 1; t >= 0; t--) {
        const int64_t end = last < op->active[t] ? last : op->active[t];
        tg_real *dz = dir->gates + (op->offset[t] + first) * width;
        if (end <= first) continue;
        for (int64_t rank = first; rank < end; rank++) {
            tg_real *dh = dir->dh + rank * hidden, *gates = dz + (rank - first) * width;
            const tg_real *c = dir->c + (op->offset[t] + rank) * hidden;
            if (dy) tg_array_add(hidden, output_row(op, dy, d, rank, t), dh);
            TG_DISPATCH(tg_k_lstm_gates_backward, hidden, gates, c_prev(op, d, rank, t), c, dh,
                        dir->dc + rank * hidden);
        }
        if (t > 0 || node->inputs[H0]) /* dh_(t-1) = dz_t W_hh, to which step t - 1 adds dy */
            tg_matmul_packed(&(tg_product){.m = end - first,
                                           .n = hidden,
                                           .k = width,
                                           .a = {dz, width, 1},
                                           .b = dir->w_hh,
                                           .c = dir->dh + first * hidden,
                                           .c_row = hidden});
    }
}

static void bias_backward(tg_node *node, int d, const tg_real *dz)
{
    const lstm_attributes *op = node->attributes;
    const int64_t width = 4 * op->hidden;
    tg_real *sum = tg_scratch(node, width);
    if (!sum) return;
    memset(sum, 0, (size_t)width * sizeof *sum);
    tg_array_add_rows(op->n, width, dz, sum);
    for (int bias = B_IH; bias <= B_HH; bias++) {
        tg_real *db = tg_input_grad(node, FIRST_WEIGHT + d * WEIGHTS + bias);
        if (db) tg_array_add(width, sum, db); /* db = sum_t dz_t */
    }
}

/* From dz of all steps to the weights and the input, one product each. */
static void backward_products(tg_node *node, int d)
{
    const lstm_attributes *op = node->attributes;
    const direction *dir = &op->direction[d];
    const int first = FIRST_WEIGHT + d * WEIGHTS;
    const int64_t width = 4 * op->hidden;
    const tg_matrix dz = {dir->gates, width, 1}, x = {dir->x, op->input, 1},
                    h_prev = {dir->h_prev, op->hidden, 1},
                    w_ih = {weight(node, d, W_IH)->data, op->input, 1};
    tg_input_grad_matmul(node, first + W_IH, width, op->input, op->n, tg_matrix_transposed(dz), x);
    tg_input_grad_matmul(node, first + W_HH, width, op->hidden, op->n, tg_matrix_transposed(dz),
                         h_prev);
    bias_backward(node, d, dir->gates);
    tg_real *dx = tg_input_grad(node, X), *dx_packed = dir->x; /* x is not needed any more */
    if (!dx || tg_tape_error(node->tape)) return;
    tg_node_matmul(node, &(tg_product){.m = op->n,
                                       .n = op->input,
                                       .k = width,
                                       .a = dz,
                                       .b = w_ih,
                                       .c = dx_packed,
                                       .c_row = op->input});
    scatter_add_input(op, d, dx_packed, dx);
}

/* The gradients that are left after the first step are those of the initial state. */
static void add_to_initial(tg_node *node, int input, int d, const tg_real *by_rank)
{
    const lstm_attributes *op = node->attributes;
    tg_real *grad = tg_input_grad(node, input);
    if (!grad) return;
    for (int64_t rank = 0; rank < op->batch; rank++)
        tg_array_add(op->hidden, by_rank + rank * op->hidden,
                     grad + (d * op->batch + op->sequence_at[rank]) * op->hidden);
}

static void lstm_backward(tg_node *node)
{
    lstm_attributes *op = node->attributes;
    for (int d = 0; d < op->directions; d++) {
        direction *dir = &op->direction[d];
        dir->packed = tg_scratch(node, tg_pack_size(4 * op->hidden, op->hidden));
        dir->dh = tg_scratch(node, op->batch * op->hidden);
        dir->dc = tg_scratch(node, op->batch * op->hidden);
        if (!dir->packed || !dir->dh || !dir->dc) return;
        gather_state(op, d, node->outputs[H_FINAL]->grad, op->batch, dir->dh);
        gather_state(op, d, node->outputs[C_FINAL]->grad, op->batch, dir->dc);
    }
    each_block(node, true, backward_block);
    for (int d = 0; d < op->directions; d++) {
        backward_products(node, d);
        add_to_initial(node, H0, d, op->direction[d].dh);
        add_to_initial(node, C0, d, op->direction[d].dc);
    }
}

const tg_op tg_op_lstm = {.name = "lstm",
                          .attribute_size = sizeof(lstm_attributes),
                          .shape = lstm_shape,
                          .forward = lstm_forward,
                          .backward = lstm_backward,
                          .flops = lstm_flops,
                          .optional = 1 << H0 | 1 << C0};

/* One layer: x [B, T, I] -> [B, T, directions * H]; states are [directions, B, H], and NULL in
 * `initial` stands for 0. */
static tg_tensor *layer_forward(tg_tape *tape, const tg_lstm_weights *weights, int directions,
                                tg_tensor *x, tg_ints lengths, tg_lstm_state initial,
                                tg_lstm_state *final)
{
    lstm_attributes op = {.lengths = lengths, .directions = directions};
    tg_tensor *inputs[FIRST_WEIGHT + 2 * WEIGHTS] = {x, initial.h, initial.c};
    tg_tensor *outputs[TG_MAX_OUTPUTS];
    for (int d = 0; d < directions; d++) {
        tg_tensor **to = inputs + FIRST_WEIGHT + d * WEIGHTS;
        to[W_IH] = weights[d].weight_ih;
        to[W_HH] = weights[d].weight_hh;
        to[B_IH] = weights[d].bias_ih;
        to[B_HH] = weights[d].bias_hh;
    }
    tg_apply(tape, &tg_op_lstm, &op, FIRST_WEIGHT + directions * WEIGHTS, inputs, outputs);
    *final = (tg_lstm_state){outputs[H_FINAL], outputs[C_FINAL]};
    return outputs[Y];
}

/* ---- layers ---- */

/* A parameter of layer l and direction d, whose shape begins with 4H. */
static tg_tensor *parameter(tg_params *params, const char *scope, const char *kind, int l, int d,
                            int ndim, const int64_t *shape)
{
    char name[48];
    snprintf(name, sizeof name, "%s_l%d%s", kind, l, d ? "_reverse" : "");
    return tg_param(params, scope, name, ndim, shape, tg_init_fan_in(shape[0] / 4));
}

static bool init_weights(tg_lstm *layer, tg_params *params, const char *name, int l, int d)
{
    const int64_t hidden = layer->hidden, width = 4 * hidden;
    const int64_t input = l ? layer->directions * hidden : layer->input;
    tg_lstm_weights *w = &layer->weights[l][d];
    w->weight_ih = parameter(params, name, "weight_ih", l, d, TG_SHAPE(width, input));
    w->weight_hh = parameter(params, name, "weight_hh", l, d, TG_SHAPE(width, hidden));
    w->bias_ih = parameter(params, name, "bias_ih", l, d, TG_SHAPE(width));
    w->bias_hh = parameter(params, name, "bias_hh", l, d, TG_SHAPE(width));
    if (!w->bias_hh || tg_params_is_loading(params)) return w->bias_hh;
    for (int64_t j = hidden; j < 2 * hidden; j++) { /* the forget gates of a new model are open */
        w->bias_ih->data[j] = 1;
        w->bias_hh->data[j] = 0;
    }
    return true;
}

bool tg_lstm_init(tg_lstm *layer, tg_params *params, const char *name, int64_t input,
                  int64_t hidden, int layers, bool bidirectional)
{
    *layer = (tg_lstm){.layers = layers,
                       .directions = bidirectional ? 2 : 1,
                       .input = input,
                       .hidden = hidden};
    if (!params) return false;
    if (layers < 1 || layers > TG_LSTM_MAX_LAYERS || input < 0 || hidden < 1)
        return tg_params_fail(
            params,
            "lstm %s: %d layers, input width %lld, hidden width %lld; expected 1 .. %d "
            "layers, an input width >= 0 and a hidden width >= 1",
            name, layers, (long long)input, (long long)hidden, TG_LSTM_MAX_LAYERS);
    for (int l = 0; l < layers; l++)
        for (int d = 0; d < layer->directions; d++)
            if (!init_weights(layer, params, name, l, d)) return false;
    return true;
}

tg_tensor *tg_lstm_forward(tg_tape *tape, const tg_lstm *layer, tg_tensor *x, tg_ints lengths)
{
    return tg_lstm_forward_state(tape, layer, x, lengths, NULL, NULL);
}

/* The part of a state that belongs to layer l. */
static tg_tensor *state_of(tg_tape *tape, tg_tensor *state, const tg_lstm *layer, int l)
{
    if (!state || layer->layers == 1) return state;
    const int all = layer->layers * layer->directions;
    if (tape && (state->ndim != 3 || state->shape[0] != all))
        return tg_tape_fail(tape, "lstm: the initial state is %s; expected [%d, B, H]",
                            tg_shape_str(state->ndim, state->shape).text, all);
    return tg_slice(tape, state, 0, (int64_t)l * layer->directions,
                    (int64_t)(l + 1) * layer->directions);
}

tg_tensor *tg_lstm_forward_state(tg_tape *tape, const tg_lstm *layer, tg_tensor *x, tg_ints lengths,
                                 const tg_lstm_state *initial, tg_lstm_state *final)
{
    const tg_lstm_state zeros = {NULL, NULL};
    tg_tensor *h[TG_LSTM_MAX_LAYERS], *c[TG_LSTM_MAX_LAYERS];
    if (final) *final = zeros;
    if (!initial) initial = &zeros;
    for (int l = 0; l < layer->layers; l++) {
        tg_lstm_state begin = {state_of(tape, initial->h, layer, l), NULL}, end;
        begin.c = state_of(tape, initial->c, layer, l);
        x = layer_forward(tape, layer->weights[l], layer->directions, x, lengths, begin, &end);
        h[l] = end.h;
        c[l] = end.c;
    }
    if (!final || !x) return x;
    final->h = layer->layers == 1 ? h[0] : tg_concat(tape, layer->layers, h, 0);
    final->c = layer->layers == 1 ? c[0] : tg_concat(tape, layer->layers, c, 0);
    return x;
}
