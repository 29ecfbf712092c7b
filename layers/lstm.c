/* The LSTM: one layer over whole sequences, in one or both directions, as one operator; then its parameters under PyTorch's
 * names, and layers one upon another.
 *
 *     z_t = W_ih x_t + b_ih + W_hh h_(t-1) + b_hh         (i, f, g, o) = z_t in four parts
 *     c_t = sigmoid(f) c_(t-1) + sigmoid(i) tanh(g)       h_t = sigmoid(o) tanh(c_t)
 *
 * Backward, from the last step to the first, with dh and dc carried along:
 *     dz_t from dh, dc (layers/kernels.c)     dh_(t-1) = dz_t W_hh     dx_t = dz_t W_ih
 *     dW_ih = sum_t dz_t x_t^T     dW_hh = sum_t dz_t h_(t-1)^T     db_ih = db_hh = sum_t dz_t
 *
 * Sequences are packed: sorted by length, longest first, and laid out step by step, so that step t is the rows
 * offset[t] .. offset[t] + active[t] - 1 and no padding is computed. In the reverse direction step t reads token
 * length - 1 - t. The input's part of all steps is one product, as are the weights' gradients at the end; between them each
 * thread takes rows of the batch through all steps without waiting for another. */
#include "lstm.h"

#include "../core/internal.h"
#include "kernels.h"

enum { X, H0, C0, FIRST_WEIGHT };  /* inputs; then W_ih, W_hh, b_ih, b_hh of each direction */
enum { Y, H_FINAL = H0, C_FINAL }; /* outputs */
enum { W_IH, W_HH, B_IH, B_HH, WEIGHTS };

typedef struct direction {
    tg_real *x;          /* [n, I] packed input */
    tg_real *gates;      /* [n, 4H] z, then the activations, then dz */
    tg_real *before;     /* [n, H] h_(t-1) */
    tg_real *c;          /* [n, H] c_t */
    tg_real *c0;         /* [B, H] by rank */
    tg_real *packed;     /* W_hh, packed for the pass that runs */
    const tg_real *held; /* or kept of an earlier one */
    tg_real *bias;       /* [4H] the sum of both, in the forward pass */
    tg_real *dh, *dc;    /* [B, H] by rank: carried in the backward pass */
} direction;

typedef struct lstm_attributes {
    tg_ints lengths;
    int directions;
    int64_t batch, time, input, hidden;
    int64_t n;                 /* tokens of all sequences */
    int32_t *rank_of, *active; /* [B] sequence at each rank; [T] sequences longer than t */
    int64_t *offset;           /* [T] */
    direction d[2];
} lstm_attributes;

static const tg_tensor *weight(const tg_node *node, int d, int which)
{
    return node->inputs[FIRST_WEIGHT + d * WEIGHTS + which];
}

/* ---- shapes ---- */

/* Sorts by counting: ranks in the order of length, longest first, equals in the order of the batch. */
static bool plan(tg_node *node, lstm_attributes *op)
{
    op->rank_of = tg_tape_alloc(node->tape, (size_t)op->batch * sizeof *op->rank_of);
    op->active = tg_tape_alloc(node->tape, (size_t)op->time * sizeof *op->active);
    op->offset = tg_tape_alloc(node->tape, (size_t)op->time * sizeof *op->offset);
    int32_t *next = tg_scratch_bytes(node, (size_t)(op->time + 1) *
                                               sizeof *next); /* the next free rank of a length */
    if (!op->rank_of || !op->active || !op->offset || !next) return false;
    memset(op->active, 0, (size_t)op->time * sizeof *op->active);
    for (int64_t b = 0; b < op->batch; b++)
        if (op->lengths.data[b] > 0) op->active[op->lengths.data[b] - 1]++;
    next[op->time] = 0;
    for (int64_t t = op->time - 1; t >= 0; t--) {
        next[t] = next[t + 1] + op->active[t];
        op->active[t] = next[t];
    }
    for (int64_t t = 0; t < op->time; t++) {
        op->offset[t] = op->n;
        op->n += op->active[t];
    }
    for (int64_t b = 0; b < op->batch; b++) op->rank_of[next[op->lengths.data[b]]++] = (int32_t)b;
    return true;
}

static bool lstm_shape(tg_node *node)
{
    lstm_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[X], *w = weight(node, 0, W_IH), *r = weight(node, 0, W_HH);
    if (x->ndim != 3 || w->ndim != 2 || r->ndim != 2 || x->shape[2] != w->shape[1])
        return tg_node_fail(node,
                            "input %s does not fit weight %s (4H, input): wanted is [B, T, input]",
                            tg_tensor_text(node, x), tg_tensor_text(node, w));
    op->batch = x->shape[0], op->time = x->shape[1], op->input = x->shape[2],
    op->hidden = r->shape[1];
    const int64_t width = 4 * op->hidden;
    for (int d = 0; d < op->directions; d++)
        if (!tg_has_shape(weight(node, d, W_IH), TG_SHAPE(width, op->input)) ||
            !tg_has_shape(weight(node, d, W_HH), TG_SHAPE(width, op->hidden)) ||
            !tg_has_shape(weight(node, d, B_IH), TG_SHAPE(width)) ||
            !tg_has_shape(weight(node, d, B_HH), TG_SHAPE(width)))
            return tg_node_fail(
                node,
                "the weights of direction %d are not [4H, %lld], [4H, H], [4H], [4H] with H %lld",
                d, (long long)op->input, (long long)op->hidden);
    for (int i = H0; i <= C0; i++)
        if (node->inputs[i] &&
            !tg_has_shape(node->inputs[i], TG_SHAPE(op->directions, op->batch, op->hidden)))
            return tg_node_fail(node, "the initial state is %s, wanted is [%d, %lld, %lld]",
                                tg_tensor_text(node, node->inputs[i]), op->directions,
                                (long long)op->batch, (long long)op->hidden);
    if (!tg_copy_lengths(node, &op->lengths, op->batch, op->time) || !plan(node, op)) return false;
    return tg_output(node, TG_SHAPE(op->batch, op->time, op->directions * op->hidden)) &&
           tg_output(node, TG_SHAPE(op->directions, op->batch, op->hidden)) &&
           tg_output(node, TG_SHAPE(op->directions, op->batch, op->hidden));
}

static double lstm_flops(const tg_node *node)
{
    const lstm_attributes *op = node->attributes;
    return 8.0 * op->directions * (double)op->n * (double)op->hidden *
           (double)(op->input + op->hidden);
}

/* ---- packing ---- */

/* The row of [B, T] that the sequence at a rank reads at a step. */
static int64_t token(const lstm_attributes *op, int d, int64_t rank, int64_t t)
{
    int64_t b = op->rank_of[rank];
    return b * op->time + (d == 0 ? t : op->lengths.data[b] - 1 - t);
}

static void gather_input(const lstm_attributes *op, int d, const tg_real *x, tg_real *packed)
{
    for (int64_t t = 0; t < op->time; t++)
        for (int64_t rank = 0; rank < op->active[t] && op->input; rank++)
            memcpy(packed + (op->offset[t] + rank) * op->input,
                   x + token(op, d, rank, t) * op->input, (size_t)op->input * sizeof *x);
}

static void scatter_add_input(const lstm_attributes *op, int d, const tg_real *packed, tg_real *x)
{
    for (int64_t t = 0; t < op->time; t++)
        for (int64_t rank = 0; rank < op->active[t]; rank++)
            TG_DISPATCH(tg_k_add_rows, 1, op->input, packed + (op->offset[t] + rank) * op->input, 0,
                        x + token(op, d, rank, t) * op->input);
}

/* Rows of a [directions, B, H] state by rank; zeros for no state. */
static void gather_state(const lstm_attributes *op, int d, const tg_real *state, int64_t ranks,
                         tg_real *by_rank)
{
    const size_t bytes = (size_t)op->hidden * sizeof *by_rank;
    for (int64_t rank = 0; bytes && rank < ranks; rank++) {
        tg_real *to = by_rank + rank * op->hidden;
        if (state) memcpy(to, state + (d * op->batch + op->rank_of[rank]) * op->hidden, bytes);
        else memset(to, 0, bytes);
    }
}

/* ---- threads: each takes rows of one direction through all steps ---- */

static int64_t row_blocks(const lstm_attributes *op)
{
    const int64_t threads = tg_threads(op->n * op->hidden * op->hidden > 4 * TG_PARALLEL_WORK);
    const int64_t blocks = (threads + op->directions - 1) / op->directions;
    return blocks < op->batch ? blocks : op->batch > 0 ? op->batch : 1;
}

typedef void (*block_function)(const tg_node *node, int d, int64_t first, int64_t last);

/* The recurrent weights: the forward pass multiplies by W_hh^T, the backward pass by W_hh. */
static void pack(const tg_node *node, int d, bool back)
{
    const lstm_attributes *op = node->attributes;
    const tg_matrix w = {weight(node, d, W_HH)->data, op->hidden, 1};
    if (back) TG_DISPATCH(tg_k_gemm_pack, 4 * op->hidden, op->hidden, w, op->d[d].packed);
    else if (!op->d[d].held)
        TG_DISPATCH(tg_k_gemm_pack, op->hidden, 4 * op->hidden, tg_matrix_transposed(w),
                    op->d[d].packed);
}

/* A direction's weights are packed by the thread that reads them, if it is one alone. */
static void each_block(const tg_node *node, bool back, block_function function)
{
    const lstm_attributes *op = node->attributes;
    const int64_t blocks = row_blocks(op), tasks = blocks * op->directions;
    for (int d = 0; blocks > 1 && d < op->directions; d++) pack(node, d, back);
#pragma omp parallel for if (tasks > op->directions || blocks > 1 || op->n * op->hidden > 4096) \
    schedule(dynamic, 1)
    for (int64_t i = 0; i < tasks; i++) {
        int64_t block = i / op->directions;
        if (blocks == 1) pack(node, (int)i, back);
        function(node, (int)(i % op->directions), block * op->batch / blocks,
                 (block + 1) * op->batch / blocks);
    }
}

/* ---- forward ---- */

/* z of all steps but for the recurrent part and the biases, which the gates add: one product. */
static void project_input(tg_node *node, int k)
{
    const lstm_attributes *op = node->attributes;
    const direction *d = &op->d[k];
    const int64_t width = 4 * op->hidden;
    const tg_real *b_ih = weight(node, k, B_IH)->data, *b_hh = weight(node, k, B_HH)->data;
    gather_input(op, k, node->inputs[X]->data, d->x);
    for (int64_t j = 0; j < width; j++) d->bias[j] = b_ih[j] + b_hh[j];
    tg_node_linear(node, op->n, (tg_matrix){d->x, op->input, 1}, weight(node, k, W_IH), NULL,
                   d->gates);
}

/* Where h of a step goes besides y: to the next step, or to the final state. */
static void pass_on(const tg_node *node, int k, int64_t t, int64_t rank, const tg_real *h,
                    const tg_real *c)
{
    const lstm_attributes *op = node->attributes;
    const size_t bytes = (size_t)op->hidden * sizeof *h;
    if (t + 1 < op->time && rank < op->active[t + 1]) {
        memcpy(op->d[k].before + (op->offset[t + 1] + rank) * op->hidden, h, bytes);
        return;
    }
    int64_t row = (k * op->batch + op->rank_of[rank]) * op->hidden;
    memcpy(node->outputs[H_FINAL]->data + row, h, bytes);
    memcpy(node->outputs[C_FINAL]->data + row, c, bytes);
}

static void forward_block(const tg_node *node, int k, int64_t first, int64_t last)
{
    const lstm_attributes *op = node->attributes;
    const direction *d = &op->d[k];
    const int64_t hidden = op->hidden;
    for (int64_t t = 0; t < op->time && first < op->active[t]; t++) {
        int64_t end = last < op->active[t] ? last : op->active[t], row = op->offset[t] + first;
        tg_real *gates = d->gates + row * 4 * hidden;
        if (t > 0 || node->inputs[H0])
            TG_DISPATCH(tg_k_gemm,
                        &(tg_product){.m = end - first,
                                      .n = 4 * hidden,
                                      .k = hidden,
                                      .a = {d->before + row * hidden, hidden, 1},
                                      .b = tg_matrix_packed(d->held ? d->held : d->packed),
                                      .start = gates,
                                      .c = gates,
                                      .c_row = 4 * hidden},
                        NULL);
        for (int64_t rank = first; rank < end; rank++, row++) {
            tg_real *h = node->outputs[Y]->data +
                         (token(op, k, rank, t) * op->directions + k) * hidden;
            tg_real *c = d->c + row * hidden;
            const tg_real *c_before = t ? d->c + (op->offset[t - 1] + rank) * hidden
                                        : d->c0 + rank * hidden;
            TG_DISPATCH(tg_k_lstm_gates, hidden, d->gates + row * 4 * hidden, d->bias, c_before, c,
                        h);
            pass_on(node, k, t, rank, h, c);
        }
    }
}

/* What stays where no step writes: zeros after each sequence's end, and the initial states as the final ones of a sequence
 * of length 0. */
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

static void lstm_forward(tg_node *node)
{
    lstm_attributes *op = node->attributes;
    fill_outputs(node);
    tg_real *(*memory)(tg_node *, int64_t) = node->tape->recording ? tg_save : tg_scratch;
    for (int k = 0; k < op->directions; k++) {
        direction *d = &op->d[k];
        d->x = memory(node, op->n * op->input);
        d->gates = memory(node, op->n * 4 * op->hidden);
        d->before = memory(node, op->n * op->hidden);
        d->c = memory(node, op->n * op->hidden);
        d->c0 = memory(node, op->batch * op->hidden);
        d->bias = tg_scratch(node, 4 * op->hidden);
        d->held = tg_prepacked(weight(node, k, W_HH));
        d->packed = tg_scratch(node, d->held ? 0 : tg_gemm_pack_size(op->hidden, 4 * op->hidden));
        if (!d->x || !d->gates || !d->before || !d->c || !d->c0 || !d->bias || !d->packed) return;
        project_input(node, k);
        gather_state(op, k, node->outputs[H_FINAL]->data, op->time ? op->active[0] : 0, d->before);
        gather_state(op, k, node->outputs[C_FINAL]->data, op->batch, d->c0);
    }
    each_block(node, false, forward_block);
}

/* ---- backward ---- */

static void backward_block(const tg_node *node, int k, int64_t first, int64_t last)
{
    const lstm_attributes *op = node->attributes;
    const direction *d = &op->d[k];
    const int64_t hidden = op->hidden;
    const tg_real *dy = node->outputs[Y]->grad;
    for (int64_t t = op->time - 1; t >= 0; t--) {
        int64_t end = last < op->active[t] ? last : op->active[t], row = op->offset[t] + first;
        if (end <= first) continue;
        for (int64_t rank = first; rank < end; rank++, row++) {
            tg_real *dh = d->dh + rank * hidden;
            const tg_real *c_before = t ? d->c + (op->offset[t - 1] + rank) * hidden
                                        : d->c0 + rank * hidden;
            if (dy)
                TG_DISPATCH(tg_k_add_rows, 1, hidden,
                            dy + (token(op, k, rank, t) * op->directions + k) * hidden, 0, dh);
            TG_DISPATCH(tg_k_lstm_gates_backward, hidden, d->gates + row * 4 * hidden, c_before,
                        d->c + row * hidden, dh, d->dc + rank * hidden);
        }
        if (t > 0 || node->inputs[H0]) /* dh_(t-1) = dz_t W_hh */
            TG_DISPATCH(tg_k_gemm,
                        &(tg_product){.m = end - first,
                                      .n = hidden,
                                      .k = 4 * hidden,
                                      .a = {d->gates + (op->offset[t] + first) * 4 * hidden,
                                            4 * hidden, 1},
                                      .b = tg_matrix_packed(d->packed),
                                      .c = d->dh + first * hidden,
                                      .c_row = hidden},
                        NULL);
    }
}

/* From dz of all steps to the input and the weights, one product each. */
static void backward_products(tg_node *node, int k)
{
    const lstm_attributes *op = node->attributes;
    const direction *d = &op->d[k];
    const int64_t width = 4 * op->hidden, first = FIRST_WEIGHT + k * WEIGHTS;
    const tg_matrix dz_t = {d->gates, 1, width};
    tg_input_grad_matmul(node, (int)first + W_IH, width, op->input, op->n, dz_t,
                         (tg_matrix){d->x, op->input, 1});
    tg_input_grad_matmul(node, (int)first + W_HH, width, op->hidden, op->n, dz_t,
                         (tg_matrix){d->before, op->hidden, 1});
    tg_real *sum = tg_scratch(node, width);
    if (!sum) return;
    memset(sum, 0, (size_t)width * sizeof *sum);
    TG_DISPATCH(tg_k_add_rows, op->n, width, d->gates, width, sum);
    for (int bias = B_IH; bias <= B_HH; bias++) {
        tg_real *db = tg_input_grad(node, (int)first + bias);
        if (db) TG_DISPATCH(tg_k_add_rows, 1, width, sum, 0, db);
    }
    tg_real *dx = tg_input_grad(node, X);
    if (!dx) return;
    tg_node_matmul(node, &(tg_product){.m = op->n,
                                       .n = op->input,
                                       .k = width,
                                       .a = {d->gates, width, 1},
                                       .b = {weight(node, k, W_IH)->data, op->input, 1},
                                       .c = d->x,
                                       .c_row = op->input});
    scatter_add_input(op, k, d->x, dx); /* d->x has served its turn */
}

/* The gradients that are left when all steps are through are those of the initial state. */
static void add_to_initial(tg_node *node, int input, int k, const tg_real *by_rank)
{
    const lstm_attributes *op = node->attributes;
    tg_real *grad = tg_input_grad(node, input);
    for (int64_t rank = 0; grad && rank < op->batch; rank++)
        TG_DISPATCH(tg_k_add_rows, 1, op->hidden, by_rank + rank * op->hidden, 0,
                    grad + (k * op->batch + op->rank_of[rank]) * op->hidden);
}

static void lstm_backward(tg_node *node)
{
    lstm_attributes *op = node->attributes;
    for (int k = 0; k < op->directions; k++) {
        direction *d = &op->d[k];
        d->packed = tg_scratch(node, tg_gemm_pack_size(4 * op->hidden, op->hidden));
        d->dh = tg_scratch(node, op->batch * op->hidden);
        d->dc = tg_scratch(node, op->batch * op->hidden);
        if (!d->packed || !d->dh || !d->dc) return;
        gather_state(op, k, node->outputs[H_FINAL]->grad, op->batch, d->dh);
        gather_state(op, k, node->outputs[C_FINAL]->grad, op->batch, d->dc);
    }
    each_block(node, true, backward_block);
    for (int k = 0; k < op->directions; k++) {
        backward_products(node, k);
        add_to_initial(node, H0, k, op->d[k].dh);
        add_to_initial(node, C0, k, op->d[k].dc);
    }
}

TG_OP(lstm_op, "lstm", .attribute_size = sizeof(lstm_attributes), .shape = lstm_shape,
      .forward = lstm_forward, .backward = lstm_backward, .flops = lstm_flops,
      .optional = 1 << H0 | 1 << C0);

/* One layer: x [B, T, I] -> [B, T, directions * H]; states are [directions, B, H], the initial ones may be NULL. */
static tg_tensor *layer_forward(tg_tape *tape, const tg_lstm_weights *weights, int directions,
                                tg_tensor *x, tg_ints lengths, tg_lstm_state initial,
                                tg_lstm_state *final)
{
    lstm_attributes op = {.lengths = lengths, .directions = directions};
    tg_tensor *inputs[FIRST_WEIGHT + 2 * WEIGHTS] = {x, initial.h, initial.c},
                                         *outputs[TG_MAX_OUTPUTS];
    for (int d = 0; d < directions; d++) {
        tg_tensor **of = inputs + FIRST_WEIGHT + d * WEIGHTS;
        of[W_IH] = weights[d].weight_ih, of[W_HH] = weights[d].weight_hh;
        of[B_IH] = weights[d].bias_ih, of[B_HH] = weights[d].bias_hh;
    }
    tg_apply(tape, &lstm_op, &op, FIRST_WEIGHT + directions * WEIGHTS, inputs, outputs);
    *final = (tg_lstm_state){outputs[H_FINAL], outputs[C_FINAL]};
    return outputs[Y];
}

/* ---- layers ---- */

static tg_tensor *parameter(tg_params *params, const char *scope, const char *kind, int l, int d,
                            int ndim, const int64_t *shape, tg_init init)
{
    char name[48];
    snprintf(name, sizeof name, "%s_l%d%s", kind, l, d ? "_reverse" : "");
    return tg_param(params, scope, name, ndim, shape, init);
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
        return tg_fail(
            &params->error,
            "lstm %s: %d layers of %lld over %lld are outside 1 .. %d layers of 1 or more", name,
            layers, (long long)hidden, (long long)input, TG_LSTM_MAX_LAYERS);
    tg_init uniform = tg_init_fan_in(hidden);
    for (int l = 0; l < layers; l++)
        for (int d = 0; d < layer->directions; d++) {
            tg_lstm_weights *w = &layer->weights[l][d];
            int64_t in = l ? layer->directions * hidden : input;
            w->weight_ih = parameter(params, name, "weight_ih", l, d, TG_SHAPE(4 * hidden, in),
                                     uniform);
            w->weight_hh = parameter(params, name, "weight_hh", l, d, TG_SHAPE(4 * hidden, hidden),
                                     uniform);
            w->bias_ih = parameter(params, name, "bias_ih", l, d, TG_SHAPE(4 * hidden), uniform);
            w->bias_hh = parameter(params, name, "bias_hh", l, d, TG_SHAPE(4 * hidden), uniform);
            if (!w->bias_hh) return false;
            for (int64_t j = hidden; !params->from_file && j < 2 * hidden;
                 j++) /* a new model's forget gates start open */
                w->bias_ih->data[j] = 1, w->bias_hh->data[j] = 0;
        }
    return true;
}

tg_tensor *tg_lstm_forward(tg_tape *tape, const tg_lstm *layer, tg_tensor *x, tg_ints lengths)
{
    return tg_lstm_forward_state(tape, layer, x, lengths, NULL, NULL);
}

/* The part of a state that belongs to one layer. */
static tg_tensor *state_of(tg_tape *tape, tg_tensor *state, const tg_lstm *layer, int l)
{
    if (!state || layer->layers == 1) return state;
    const int all = layer->layers * layer->directions;
    if (tape && (state->ndim != 3 || state->shape[0] != all))
        return tg_fail(&tape->error, "lstm: the initial state is %s, wanted is [%d, B, H]",
                       tg_shape_str(state->ndim, state->shape).text, all);
    return tg_slice(tape, state, 0, (int64_t)l * layer->directions,
                    (int64_t)(l + 1) * layer->directions);
}

tg_tensor *tg_lstm_forward_state(tg_tape *tape, const tg_lstm *layer, tg_tensor *x, tg_ints lengths,
                                 const tg_lstm_state *initial, tg_lstm_state *final)
{
    tg_tensor *h[TG_LSTM_MAX_LAYERS], *c[TG_LSTM_MAX_LAYERS];
    if (final) *final = (tg_lstm_state){NULL, NULL};
    for (int l = 0; l < layer->layers; l++) {
        tg_lstm_state before = initial ? *initial : (tg_lstm_state){NULL, NULL}, after;
        before.h = state_of(tape, before.h, layer, l);
        before.c = state_of(tape, before.c, layer, l);
        x = layer_forward(tape, layer->weights[l], layer->directions, x, lengths, before, &after);
        h[l] = after.h, c[l] = after.c;
    }
    if (final && x) {
        bool one = layer->layers == 1;
        final->h = one ? h[0] : tg_concat(tape, layer->layers, h, 0);
        final->c = one ? c[0] : tg_concat(tape, layer->layers, c, 0);
    }
    return x;
}
