/* The layers of random graphs. */
#include "graph.h"

enum { MAX_B = 4 };

/* A sequence [B, T, E]: x in another shape if it is small and its size fits, otherwise a new
 * value. */
static value sequence(graph *g, value x)
{
    const int64_t size = x.tensor->size, B = 1 + fuzz_choose(&g->input, 3),
                  T = 1 + fuzz_choose(&g->input, 4);
    if (size && size <= 60 && size % B == 0 && size / B % T == 0)
        return (value){tg_reshape(g->tape, x.tensor, TG_SHAPE(B, T, size / B / T)), x.bound};
    const test_shape shape = S(B, fuzz_choose(&g->input, 5), 1 + fuzz_choose(&g->input, 4));
    return graph_fresh(g, shape);
}

/* Fills the parameters of new layers. Some initial values are 0, at which relu has no
 * derivative. */
static void fill_parameters(graph *g)
{
    for (; g->filled < tg_params_count(g->params); g->filled++) {
        tg_tensor *p = tg_params_at(g->params, g->filled);
        test_fill(p->data, p->size, 1000 + (uint64_t)g->filled, -0.8, 0.8);
    }
}

/* The functions below initialize a layer of a kind, unless `name` is NULL, and apply it. */
typedef value (*layer_function)(graph *g, value x, layer *l, const char *name);

typedef struct masks {
    int32_t lengths[MAX_B], query_lengths[MAX_B];
    uint8_t bytes[MAX_NUMBERS];
} masks;

static tg_ints lengths_or_full(graph *g, int32_t lengths[MAX_B], int64_t B, int64_t T)
{
    if (B > MAX_B || fuzz_choose(&g->input, 2)) return tg_full_length();
    graph_lengths(g, lengths, B, T);
    return tg_ints_1d(lengths, B);
}

static tg_attention_mask any_mask(graph *g, masks *memory, int64_t B, int64_t Tq, int64_t Tk)
{
    const test_shape shape = S(B, Tq, Tk);
    tg_attention_mask mask = {.lengths = lengths_or_full(g, memory->lengths, B, Tk),
                              .query_lengths = lengths_or_full(g, memory->query_lengths, B, Tq)};
    if (fuzz_choose(&g->input, 2)) mask.mask = graph_mask(g, memory->bytes, &shape);
    mask.causal = fuzz_choose(&g->input, 3) == 2;
    return mask;
}

/* A bound on the result: that of the values for a weighted mean, otherwise that of the scores,
 * too. */
static double attention_bound(const tg_attention *l, double bound, int64_t Tk, int64_t D)
{
    double score = (double)D * bound * bound + 1;
    if (l->score == TG_SCORE_COSINE) score = 1;
    if (l->score == TG_SCORE_ADDITIVE) score = (double)D;
    return bound * (l->times_score ? score : 1) * (l->raw ? score * (double)(Tk + 1) : 1);
}

static value attend(graph *g, value x, layer *l, const char *name)
{
    masks memory;
    const int score = fuzz_choose(&g->input, 6), modes = fuzz_choose(&g->input, 8);
    const int64_t B = x.tensor->shape[0], T = x.tensor->shape[1], E = x.tensor->shape[2],
                  Tk = fuzz_choose(&g->input, 5);
    if (name) tg_attention_init(&l->attention, g->params, name, (tg_score)score, E, E, 2);
    fill_parameters(g);
    l->attention.raw = modes & 1;
    l->attention.times_score = modes & 2;
    l->attention.dropout = modes & 4 ? 0.25 : 0;
    const test_shape shape = S(B, Tk, E), of_values = S(B, Tk, 2);
    const bool self = fuzz_choose(&g->input, 2) && score != TG_SCORE_EUCLIDEAN;
    const value k = self ? x : graph_fresh(g, shape), v = self ? x : graph_fresh(g, of_values);
    const tg_attention_mask mask = any_mask(g, &memory, B, T, self ? T : Tk);
    /* read last, so that inputs without this choice keep their meaning */
    if (score == TG_SCORE_DOT && fuzz_choose(&g->input, 2))
        return (value){tg_plain_attention(g->tape, x.tensor, k.tensor, v.tensor, 0.5, mask.lengths),
                       fmax(x.bound, 1.5)};
    return (value){tg_attention_forward(g->tape, &l->attention, x.tensor, k.tensor, v.tensor, &mask,
                                        NULL),
                   attention_bound(&l->attention, fmax(x.bound, 1.5), self ? T : Tk, E)};
}

static value pool(graph *g, value x, layer *l, const char *name)
{
    int32_t lengths[MAX_B];
    const int score = fuzz_choose(&g->input, 6);
    const int64_t E = x.tensor->shape[2];
    if (name) tg_attention_pool_init(&l->pool, g->params, name, (tg_score)score, E, 2);
    fill_parameters(g);
    const tg_ints view = lengths_or_full(g, lengths, x.tensor->shape[0], x.tensor->shape[1]);
    return (value){tg_attention_pool_forward(g->tape, &l->pool, x.tensor, view, NULL), x.bound};
}

static value lstm(graph *g, value x, layer *l, const char *name)
{
    int32_t lengths[MAX_B];
    tg_lstm_state initial = {NULL, NULL}, final;
    const int layers = 1 + fuzz_choose(&g->input, 2), sides = 1 + fuzz_choose(&g->input, 2),
              what = fuzz_choose(&g->input, 3);
    const int64_t B = x.tensor->shape[0], T = x.tensor->shape[1], E = x.tensor->shape[2],
                  H = 1 + fuzz_choose(&g->input, 2);
    if (name) tg_lstm_init(&l->lstm, g->params, name, E, H, layers, sides == 2);
    fill_parameters(g);
    const test_shape state = S(layers * sides, B, H);
    if (fuzz_choose(&g->input, 2))
        initial = (tg_lstm_state){graph_fresh(g, state).tensor, graph_fresh(g, state).tensor};
    const tg_ints view = lengths_or_full(g, lengths, B, T);
    tg_tensor *y = tg_lstm_forward_state(g->tape, &l->lstm, x.tensor, view, &initial, &final);
    if (what == 0) return (value){y, 1};
    if (what == 1) return (value){final.h, 1.5};
    return (value){final.c, 1.5 + (double)T};
}

static value heads(graph *g, value x, layer *l, const char *name)
{
    masks memory;
    const int64_t B = x.tensor->shape[0], T = x.tensor->shape[1], E = x.tensor->shape[2];
    const bool block = fuzz_choose(&g->input, 2);
    const int64_t N = E % 2 == 0 ? 2 : 1;
    const bool pre_norm = fuzz_choose(&g->input, 2), tanh = fuzz_choose(&g->input, 2);
    if (name && block) tg_transformer_init(&l->block, g->params, name, E, N, 2, false);
    if (name && !block) tg_multihead_init(&l->multihead, g->params, name, E, N);
    fill_parameters(g);
    const tg_attention_mask mask = any_mask(g, &memory, B, T, T);
    l->block.pre_norm = pre_norm;
    l->block.gelu = true;
    l->multihead.tanh = tanh;
    if (block)
        return (
            value){tg_transformer_forward(g->tape, &l->block, x.tensor, &mask, NULL, NULL, NULL),
                   10 + 10 * x.bound};
    return (value){tg_multihead_forward(g->tape, &l->multihead, x.tensor, x.tensor, &mask, NULL),
                   10 + 10 * x.bound};
}

/* Sequential attention, a Linear, or positions. */
static value others(graph *g, value x, layer *l, const char *name)
{
    int32_t lengths[MAX_B];
    const int64_t B = x.tensor->shape[0], T = x.tensor->shape[1], E = x.tensor->shape[2];
    const int kind = fuzz_choose(&g->input, 3);
    if (name && kind == 0) tg_sequential_attention_init(&l->sequential, g->params, name, E, 2, 2);
    if (name && kind == 1) tg_linear_init(&l->linear, g->params, name, E, 3);
    fill_parameters(g);
    if (kind == 0) {
        const tg_ints view = lengths_or_full(g, lengths, B, T);
        return (
            value){tg_sequential_attention_forward(g->tape, &l->sequential, x.tensor, view, NULL),
                   3};
    }
    if (kind == 1)
        return (value){tg_linear_forward(g->tape, &l->linear, x.tensor),
                       sqrt((double)E) * x.bound + 1};
    return (value){tg_add_sinusoids(g->tape, x.tensor), x.bound + 1};
}

value graph_layer(graph *g, value x)
{
    static const layer_function kinds[] = {attend, pool, lstm, heads, others};
    char name[16];
    const int kind = fuzz_choose(&g->input, (int)COUNT(kinds));
    const bool made = g->next_layer < g->layers_made;
    x = graph_bounded(g, sequence(g, x), 2);
    if (!x.tensor || g->next_layer == MAX_LAYERS ||
        (!made && tg_params_size(g->params) > MAX_LEARNED))
        return x;
    snprintf(name, sizeof name, "l%d", g->next_layer);
    g->layers_made += !made;
    g->filled = tg_params_count(g->params);
    return kinds[kind](g, x, &g->layers[g->next_layer++], made ? NULL : name);
}
