/* The layers as single operators, each result with its name in formulas. */
#include "layers.h"

#include <math.h>

enum { T_ROWS = STEPPER_ROWS_ARE_WORDS, T_COLUMNS = STEPPER_COLUMNS_ARE_WORDS };

/* ---- LSTM ---- */

static const char gate_letters[] = "ifgo";
static const char *const gate_scopes[] = {"input gate", "forget gate", "candidate", "output gate"};

typedef struct gate {
    tg_linear word, state; /* applied to x_t and to h_(t-1) */
} gate;

/* The library stores the parameters of all gates in one matrix. This slices it, so that each
 * gate is a step of its own. */
static void slice_gates(const stepper_walk *w, const tg_lstm_weights *weights, int64_t H,
                        gate gates[4])
{
    tg_tensor *const all[] = {weights->weight_ih, weights->bias_ih, weights->weight_hh,
                              weights->bias_hh},
                     *part[4];
    tg_scope_begin(w->tape, "weights");
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < 4; i++) {
            part[i] = tg_slice(w->tape, all[i], 0, k * H, (k + 1) * H);
            stepper_name(w->page, part[i], 0, "%c_%c", "WbUd"[i], gate_letters[k]);
        }
        gates[k] = (gate){{part[0], part[1]}, {part[2], part[3]}};
    }
    tg_scope_end(w->tape);
}

/* i, f, o = sigmoid(z), g = tanh(z) with z = W x_t + b + U h_(t-1) + d */
static tg_tensor *gate_forward(const stepper_walk *w, const gate *gates, int k, int t, tg_tensor *x,
                               tg_tensor *h)
{
    const char letter = gate_letters[k];
    tg_scope_begin(w->tape, gate_scopes[k]);
    tg_tensor *word = stepper_name(w->page, tg_linear_forward(w->tape, &gates[k].word, x), 0,
                                   "p_%c,%d", letter, t);
    tg_tensor *state = stepper_name(w->page, tg_linear_forward(w->tape, &gates[k].state, h), 0,
                                    "r_%c,%d", letter, t);
    tg_tensor *z = stepper_name(w->page, tg_add(w->tape, word, state), 0, "z_%c,%d", letter, t);
    tg_tensor *y = letter == 'g' ? tg_tanh(w->tape, z) : tg_sigmoid(w->tape, z);
    tg_scope_end(w->tape);
    return stepper_name(w->page, y, 0, "%c_%d", letter, t);
}

/* One direction over x [T, E]: returns its states [T, H]. c_t = f c_(t-1) + i g,  h_t = o tanh
 * c_t */
static tg_tensor *direction_forward(const stepper_walk *w, const tg_lstm_weights *weights,
                                    int64_t H, tg_tensor *x, bool reverse, const char *arrow)
{
    const int T = w->T, step = reverse ? -1 : 1, start = reverse ? T : 1;
    tg_tensor *at[STEPPER_MAX_WORDS], *gated[4];
    gate gates[4];
    slice_gates(w, weights, H, gates);
    tg_tensor *h = stepper_name(w->page, tg_constant(w->tape, NULL, TG_SHAPE(1, H)), 0, "h%s_%d",
                                arrow, start - step);
    tg_tensor *c = stepper_name(w->page, tg_constant(w->tape, NULL, TG_SHAPE(1, H)), 0, "c%s_%d",
                                arrow, start - step);
    for (int t = start; t >= 1 && t <= T; t += step) {
        char scope[16];
        snprintf(scope, sizeof scope, "word %d", t);
        tg_scope_begin(w->tape, scope);
        tg_tensor *x_t = stepper_name(w->page, tg_slice(w->tape, x, 0, t - 1, t), 0, "x_%d", t);
        for (int k = 0; k < 4; k++) gated[k] = gate_forward(w, gates, k, t, x_t, h);
        tg_scope_begin(w->tape, "memory");
        tg_tensor *kept = stepper_name(w->page, tg_mul(w->tape, gated[1], c), 0, "kept_%d", t);
        tg_tensor *added = stepper_name(w->page, tg_mul(w->tape, gated[0], gated[2]), 0, "new_%d",
                                        t);
        c = stepper_name(w->page, tg_add(w->tape, kept, added), 0, "c%s_%d", arrow, t);
        tg_scope_end(w->tape);
        tg_scope_begin(w->tape, "state");
        tg_tensor *out = stepper_name(w->page, tg_tanh(w->tape, c), 0, "m_%d", t);
        h = at[t - 1] = stepper_name(w->page, tg_mul(w->tape, gated[3], out), 0, "h%s_%d", arrow,
                                     t);
        tg_scope_end(w->tape);
        tg_scope_end(w->tape);
    }
    return stepper_name(w->page, tg_concat(w->tape, T, at, 0), T_ROWS, "H%s", arrow);
}

tg_tensor *stepper_lstm(const stepper_walk *w, const tg_lstm *lstm, tg_tensor *x, tg_tensor **last)
{
    const bool both = lstm->directions == 2;
    static const char *const directions[] = {"left to right", "right to left"};
    static const char *const arrows[] = {"→", "←"};
    tg_tensor *states[2] = {NULL}, *ends[2] = {NULL}, *y;
    for (int d = 0; d < lstm->directions; d++) {
        tg_scope_begin(w->tape, both ? directions[d] : "LSTM");
        states[d] = direction_forward(w, &lstm->weights[0][d], lstm->hidden, x, d == 1,
                                      both ? arrows[d] : "");
        if (last) ends[d] = tg_slice(w->tape, states[d], 0, d ? 0 : w->T - 1, d ? 1 : w->T);
        tg_scope_end(w->tape);
    }
    y = both ? stepper_name(w->page, tg_concat(w->tape, 2, states, 1), T_ROWS, "h") : states[0];
    if (last)
        *last = stepper_name(w->page, both ? tg_concat(w->tape, 2, ends, 1) : ends[0], 0, "c");
    return y;
}

/* ---- attention ---- */

/* softmax(scale s) h, for scores s [Q, T]; `mark` is appended to the names, to distinguish
 * heads. */
static tg_tensor *weigh(const stepper_walk *w, tg_tensor *s, double scale, tg_tensor *h, int axes,
                        const char *mark)
{
    if (scale != 1) {
        const tg_real number = (tg_real)scale;
        tg_tensor *root = stepper_name(w->page, tg_constant(w->tape, &number, TG_SHAPE(1)), 0,
                                       "1/√D");
        s = stepper_name(w->page, tg_mul(w->tape, s, root), axes, "s%s", mark);
    }
    tg_tensor *a = stepper_name(w->page, tg_softmax(w->tape, s), axes, "a%s", mark);
    return stepper_name(w->page, tg_matmul(w->tape, a, h), axes & T_ROWS, "c%s", mark);
}

/* The scores [1, T] of the query q [1, D] and each row of h [T, D]. */
static tg_tensor *score(const stepper_walk *w, const tg_attention_pool *pool, tg_tensor *h,
                        double *scale)
{
    tg_tape *tape = w->tape;
    tg_tensor *q = pool->query;
    const tg_score kind = pool->attention.score;
    if (!q) { /* additive */
        const tg_additive_attention *layer = &pool->additive;
        tg_linear side = {layer->proj_weight, layer->proj_bias};
        stepper_name(w->page, side.weight, 0, "W_a");
        stepper_name(w->page, side.bias, 0, "b_a");
        tg_tensor *z = stepper_name(w->page, tg_linear_forward(tape, &side, h), T_ROWS, "z");
        tg_tensor *u = stepper_name(w->page, tg_tanh(tape, z), T_ROWS, "u");
        return tg_matmul_transposed(tape, stepper_name(w->page, layer->score_weight, 0, "v"), u,
                                    TG_TRANSPOSE_B);
    }
    if (kind == TG_SCORE_EUCLIDEAN) {
        tg_tensor *gap = stepper_name(w->page, tg_sub(tape, h, q), T_ROWS, "δ");
        tg_tensor *squares = stepper_name(w->page, tg_square(tape, gap), T_ROWS, "δ²");
        tg_tensor *distance = tg_sqrt(tape, tg_sum(tape, squares, TG_AXES(1), false));
        return tg_reshape(tape, tg_neg(tape, distance), TG_SHAPE(1, w->T));
    }
    if (kind == TG_SCORE_BILINEAR)
        q = stepper_name(w->page, tg_matmul(tape, q, pool->attention.weight), 0, "qW");
    if (kind == TG_SCORE_COSINE) {
        q = stepper_name(w->page, tg_l2_normalize(tape, q), 0, "q̂");
        h = stepper_name(w->page, tg_l2_normalize(tape, h), T_ROWS, "ĥ");
    }
    if (kind == TG_SCORE_SCALED_DOT) *scale = 1 / sqrt((double)pool->query->shape[1]);
    return tg_matmul_transposed(tape, q, h, TG_TRANSPOSE_B);
}

tg_tensor *stepper_attention_pool(const stepper_walk *w, const tg_attention_pool *pool,
                                  tg_tensor *h)
{
    double scale = 1;
    if (pool->query) stepper_name(w->page, pool->query, 0, "q");
    tg_tensor *s = score(w, pool, h, &scale);
    return weigh(w, stepper_name(w->page, s, T_COLUMNS, scale == 1 ? "s" : "qh"), scale, h,
                 T_COLUMNS, "");
}

tg_tensor *stepper_multihead(const stepper_walk *w, const tg_multihead *layer, tg_tensor *x,
                             tg_tensor *memory, int rows)
{
    static const char *const names[] = {"q", "k", "v"};
    tg_tape *tape = w->tape;
    const int64_t D = layer->out_proj.weight->shape[1], N = layer->heads, width = D / N;
    tg_tensor *part[3], *heads[STEPPER_MAX_WORDS];
    for (int i = 0; i < 3; i++) {
        tg_linear side = {tg_slice(tape, layer->in_proj_weight, 0, i * D, (i + 1) * D),
                          tg_slice(tape, layer->in_proj_bias, 0, i * D, (i + 1) * D)};
        stepper_name(w->page, side.weight, 0, "W_%s", names[i]);
        stepper_name(w->page, side.bias, 0, "b_%s", names[i]);
        part[i] = stepper_name(w->page, tg_linear_forward(tape, &side, i ? memory : x),
                               i ? T_ROWS : rows, "%s", names[i]);
    }
    for (int64_t n = 0; n < N; n++) {
        char scope[16], mark[8];
        snprintf(scope, sizeof scope, "head %d", (int)n + 1);
        snprintf(mark, sizeof mark, "_%d", (int)n + 1);
        tg_scope_begin(tape, scope);
        tg_tensor *cut[3];
        for (int i = 0; i < 3; i++) {
            cut[i] = tg_slice(tape, part[i], 1, n * width, (n + 1) * width);
            stepper_name(w->page, cut[i], i ? T_ROWS : rows, "%s%s", names[i], mark);
        }
        tg_tensor *s = tg_matmul_transposed(tape, cut[0], cut[1], TG_TRANSPOSE_B);
        stepper_name(w->page, s, rows | T_COLUMNS, "qk%s", mark);
        heads[n] = weigh(w, s, sqrt((double)N / (double)D), cut[2], rows | T_COLUMNS, mark);
        tg_scope_end(tape);
    }
    stepper_name(w->page, layer->out_proj.weight, 0, "W_out");
    stepper_name(w->page, layer->out_proj.bias, 0, "b_out");
    tg_tensor *all = stepper_name(w->page, tg_concat(tape, (int)N, heads, 1), rows, "heads");
    return stepper_name(w->page, tg_linear_forward(tape, &layer->out_proj, all), rows, "c");
}

tg_tensor *stepper_transformer(const stepper_walk *w, const tg_transformer *block, tg_tensor *x)
{
    tg_tape *tape = w->tape;
    tg_scope_begin(tape, "self-attention");
    tg_tensor *y = stepper_name(w->page, tg_layer_norm_forward(tape, &block->norm1, x), T_ROWS,
                                "n");
    x = stepper_name(w->page,
                     tg_add(tape, x, stepper_multihead(w, &block->self_attn, y, y, T_ROWS)), T_ROWS,
                     "y");
    tg_scope_end(tape);
    tg_scope_begin(tape, "feed-forward");
    y = stepper_name(w->page, tg_layer_norm_forward(tape, &block->norm2, x), T_ROWS, "n′");
    y = stepper_name(w->page, tg_linear_forward(tape, &block->linear1, y), T_ROWS, "z");
    y = stepper_name(w->page, tg_relu(tape, y), T_ROWS, "u");
    y = stepper_name(w->page, tg_linear_forward(tape, &block->linear2, y), T_ROWS, "r");
    x = stepper_name(w->page, tg_add(tape, x, y), T_ROWS, "h");
    tg_scope_end(tape);
    return x;
}
