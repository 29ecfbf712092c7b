/* The gradient checks of attention: every score in every mode under every mask, on awkward sizes,
 * and in every layer that uses it. */
#include "cases.h"

typedef struct sizes {
    const char *what;
    int64_t B, Tq, Tk, Dq, Dk, Dv, A; /* Dk: bilinear and additive scores only; A: additive only */
} sizes;

typedef enum mask_kind {
    EVERYTHING,
    LENGTHS,
    QUERY_LENGTHS,
    MASK,
    KEY_MASK,
    QUERY_MASK,
    CAUSAL,
    ALL_AT_ONCE,
    MASK_KINDS
} mask_kind;
static const char *const mask_names[] = {"no mask",     "lengths",          "query lengths",
                                         "a full mask", "a mask of keys",   "a mask of queries",
                                         "causal",      "all masks at once"};

enum { MAX_BATCH = 4 };

typedef struct model model;
typedef tg_tensor *(*forward_function)(tg_tape *tape, model *m);

struct model {
    sizes s;
    tg_params *params;
    tg_tensor *q, *k, *v; /* x and memory are q and k */
    tg_attention attention;
    tg_attention_pool pool;
    tg_sequential_attention sequential;
    tg_multihead multihead;
    tg_transformer block, second;
    tg_embedding positions;
    int64_t heads;
    tg_attention_mask mask, memory_mask;
    int32_t lengths[MAX_BATCH], query_lengths[MAX_BATCH];
    uint8_t mask_bytes[MAX_BATCH * 8 * 8];
    forward_function forward;
    char what[200];
};

/* ---- masks, and numbers ---- */

/* Fills m->mask. In a full mask and a mask of queries, the second query may attend to nothing. */
static void set_mask(model *m, mask_kind kind, int64_t Tq, int64_t Tk)
{
    const int64_t B = m->s.B;
    m->mask = (tg_attention_mask){.causal = kind == CAUSAL || kind == ALL_AT_ONCE};
    for (int64_t b = 0; b < B; b++) {
        m->lengths[b] = m->query_lengths[b] = 0;
        if (b % 2) {
            m->lengths[b] = (int32_t)(Tk - (Tk > 1));
            m->query_lengths[b] = (int32_t)(Tq - (Tq > 1));
        } else if (kind == ALL_AT_ONCE) {
            m->lengths[b] = (int32_t)Tk;
            m->query_lengths[b] = (int32_t)Tq;
        }
    }
    if (kind == LENGTHS || kind == ALL_AT_ONCE) m->mask.lengths = tg_ints_1d(m->lengths, B);
    if (kind == QUERY_LENGTHS || kind == ALL_AT_ONCE)
        m->mask.query_lengths = tg_ints_1d(m->query_lengths, B);
    if (kind < MASK || kind == CAUSAL) return;
    test_shape shape = S(B, Tq, Tk);
    if (kind == KEY_MASK) shape = (test_shape)S(B, 1, Tk);
    if (kind == QUERY_MASK) shape = (test_shape)S(Tq, 1);
    ck_assert_int_le(test_shape_size(shape), (int64_t)sizeof m->mask_bytes);
    for (int64_t at = 0; at < test_shape_size(shape); at++) {
        const int64_t j = at % shape.size[shape.ndim - 1],
                      i = at / shape.size[shape.ndim - 1] % shape.size[shape.ndim - 2];
        m->mask_bytes[at] = i != 1 && (kind == QUERY_MASK || (3 * i + 2 * j + at) % 4 != 0);
    }
    m->mask.mask = tg_mask_nd(m->mask_bytes, shape.ndim, shape.size);
}

/* Cosines and distances have kinks at 0 and at equal vectors: the numbers keep away from both. */
static void draw_parameters(tg_params *params, uint64_t seed)
{
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        tg_tensor *p = tg_params_at(params, i);
        for (int64_t e = 0; e < p->size; e++) {
            double x = test_number(seed * 100 + (uint64_t)i, e, -0.8, 0.8);
            p->data[e] = (tg_real)(x + copysign(0.2, x));
        }
    }
}

static tg_tensor *input(model *m, const char *name, int64_t T, int64_t width)
{
    return tg_param(m->params, NULL, name, TG_SHAPE(m->s.B, T, width), tg_init_constant(0));
}

/* ---- any score ---- */

static bool is_square(tg_score score)
{
    return score != TG_SCORE_BILINEAR && score != TG_SCORE_ADDITIVE;
}

static tg_tensor *forward_attention(tg_tape *tape, model *m)
{
    return tg_attention_forward(tape, &m->attention, m->q, m->k, m->v, &m->mask, NULL);
}

/* Separate queries, keys and values or, with `self`, one sequence that attends to itself. */
static void build_attention(model *m, tg_score score, bool raw, bool times_score, double dropout,
                            bool self)
{
    sizes *s = &m->s;
    const int64_t width = is_square(score) || self ? s->Dq : s->Dk;
    if (self) s->Tk = s->Tq;
    m->params = tg_params_new(1);
    m->q = input(m, "q", s->Tq, s->Dq);
    m->k = self ? m->q : input(m, "k", s->Tk, width);
    m->v = self ? m->q : input(m, "v", s->Tk, s->Dv);
    tg_attention_init(&m->attention, m->params, "attention", score, s->Dq, width, s->A);
    m->attention.raw = raw;
    m->attention.times_score = times_score;
    m->attention.dropout = dropout;
    m->forward = forward_attention;
    draw_parameters(m->params, 1);
    for (int64_t i = 0; score == TG_SCORE_EUCLIDEAN && !self && i < m->k->size; i++)
        m->k->data[i] += (tg_real)2.5;
    snprintf(m->what, sizeof m->what, "%s%s%s%s, %s",
             (const char *[]){"dot", "scaled dot", "bilinear", "additive", "cosine",
                              "euclidean"}[score],
             raw ? ", raw" : "", times_score ? ", times the score" : "",
             dropout != 0 ? ", dropout" : "", self ? "self" : "cross");
}

enum { SCORES = 6, MODES = 8, GRID = SCORES * MODES * MASK_KINDS };
static const sizes grid_sizes = {"", 2, 3, 4, 3, 2, 2, 3};

static void build_grid(model *m, int index)
{
    const int mode = index / MASK_KINDS % MODES, kind = index % MASK_KINDS;
    m->s = grid_sizes;
    build_attention(m, (tg_score)(index / MASK_KINDS / MODES), mode & 1, mode & 2,
                    mode & 4 ? 0.3 : 0, false);
    set_mask(m, (mask_kind)kind, m->s.Tq, m->s.Tk);
    snprintf(m->what + strlen(m->what), sizeof m->what - strlen(m->what), ", %s", mask_names[kind]);
}

static const sizes awkward[] = {
    {"B = 0", 0, 3, 4, 3, 2, 2, 3},     {"no queries", 2, 0, 3, 2, 3, 2, 3},
    {"no keys", 2, 3, 0, 2, 3, 2, 3},   {"T = 0", 2, 0, 0, 2, 2, 2, 2},
    {"T = 1", 2, 1, 1, 3, 2, 2, 3},     {"one key", 2, 3, 1, 3, 2, 2, 3},
    {"one query", 3, 1, 4, 3, 2, 2, 3}, {"D = 1", 2, 3, 4, 1, 1, 1, 1},
    {"wide", 1, 3, 4, 9, 17, 19, 11},   {"more queries than keys", 2, 5, 2, 3, 2, 2, 3},
};
enum { VARIANTS = 6, AWKWARD = SCORES * (int)COUNT(awkward) * VARIANTS };

static void build_awkward(model *m, int index)
{
    static const struct {
        bool raw, times_score, self;
        mask_kind mask;
    } variants[VARIANTS] = {{false, false, false, EVERYTHING}, {false, true, false, ALL_AT_ONCE},
                            {true, false, false, LENGTHS},     {false, false, true, EVERYTHING},
                            {true, true, true, CAUSAL},        {false, false, true, ALL_AT_ONCE}};
    const int variant = index % VARIANTS, size = index / VARIANTS % (int)COUNT(awkward);
    m->s = awkward[size];
    build_attention(m, (tg_score)(index / VARIANTS / (int)COUNT(awkward)), variants[variant].raw,
                    variants[variant].times_score, 0, variants[variant].self);
    set_mask(m, variants[variant].mask, m->s.Tq, m->s.Tk);
    snprintf(m->what + strlen(m->what), sizeof m->what - strlen(m->what), ", %s, %s", m->s.what,
             mask_names[variants[variant].mask]);
}

/* ---- the operator itself: several heads, sizes larger than a tile of 64 by 128 ---- */

static tg_tensor *forward_operator(tg_tape *tape, model *m)
{
    tg_attention_config config = {.score = m->attention.score,
                                  .scale = 1,
                                  .dropout = m->attention.dropout};
    if (config.score == TG_SCORE_DOT) config.scale = 0.7; /* only products have a scale */
    return tg_attend(tape, m->q, m->k, m->v, m->attention.score_weight, m->heads, config, &m->mask);
}

static const struct {
    int64_t heads, B, Tq, Tk, d, dv; /* d, dv of each head */
    tg_score score;
    mask_kind mask;
    double dropout;
} operators[] = {
    {2, 2, 3, 4, 2, 3, TG_SCORE_DOT, EVERYTHING, 0},
    {3, 2, 3, 4, 1, 2, TG_SCORE_DOT, ALL_AT_ONCE, 0.3},
    {2, 2, 3, 4, 2, 3, TG_SCORE_ADDITIVE, EVERYTHING, 0},
    {3, 2, 4, 4, 2, 1, TG_SCORE_ADDITIVE, ALL_AT_ONCE, 0.3},
    {2, 2, 3, 4, 2, 3, TG_SCORE_EUCLIDEAN, LENGTHS, 0},
    {3, 2, 4, 4, 2, 1, TG_SCORE_EUCLIDEAN, ALL_AT_ONCE, 0.3},
    {2, 1, 66, 131, 4, 5, TG_SCORE_DOT, CAUSAL, 0.2},
    {1, 1, 131, 66, 8, 9, TG_SCORE_DOT, EVERYTHING, 0},
    {2, 1, 66, 131, 4, 5, TG_SCORE_ADDITIVE, EVERYTHING, 0},
    {2, 1, 131, 150, 4, 5, TG_SCORE_EUCLIDEAN, CAUSAL, 0},
};

static void build_operator(model *m, int index)
{
    m->s = (sizes){"", operators[index].B, operators[index].Tq, operators[index].Tk, 0, 0, 0, 0};
    const int64_t heads = m->heads = operators[index].heads, width = heads * operators[index].d;
    m->params = tg_params_new(1);
    m->q = input(m, "q", m->s.Tq, width);
    m->k = input(m, "k", m->s.Tk, width);
    m->v = input(m, "v", m->s.Tk, heads * operators[index].dv);
    m->attention = (tg_attention){.score = operators[index].score,
                                  .dropout = operators[index].dropout};
    if (m->attention.score == TG_SCORE_ADDITIVE)
        m->attention.score_weight = tg_param(m->params, NULL, "w", TG_SHAPE(1, width),
                                             tg_init_constant(0));
    m->forward = forward_operator;
    draw_parameters(m->params, 1);
    for (int64_t i = 0; m->attention.score == TG_SCORE_EUCLIDEAN && i < m->k->size; i++)
        m->k->data[i] += (tg_real)2.5;
    set_mask(m, operators[index].mask, m->s.Tq, m->s.Tk);
    snprintf(m->what, sizeof m->what, "the operator, entry %d", index);
}

/* ---- pooling; sequential and parallel attention ---- */

static tg_tensor *forward_pool(tg_tape *tape, model *m)
{
    return tg_attention_pool_forward(tape, &m->pool, m->q, m->mask.lengths, NULL);
}

static tg_tensor *forward_sequential(tg_tape *tape, model *m)
{
    return tg_sequential_attention_forward(tape, &m->sequential, m->q, m->mask.lengths, NULL);
}

static tg_tensor *forward_parallel(tg_tape *tape, model *m)
{
    return tg_parallel_attention_forward(tape, &m->sequential, m->q, NULL);
}

static const sizes pooled[] = {{"", 3, 4, 4, 3, 0, 0, 4},
                               {"T = 1", 2, 1, 1, 2, 0, 0, 3},
                               {"B = 0", 0, 2, 2, 2, 0, 0, 2},
                               {"T = 0", 2, 0, 0, 2, 0, 0, 2},
                               {"D = 1", 2, 3, 3, 1, 0, 0, 1}};
enum { POOLS = SCORES + 2, POOLED = POOLS * (int)COUNT(pooled) * 2 };

static void build_pooled(model *m, int index)
{
    const int kind = index / 2 / (int)COUNT(pooled);
    m->s = pooled[index / 2 % (int)COUNT(pooled)];
    m->params = tg_params_new(1);
    const bool parallel = kind == SCORES + 1; /* attends to columns */
    m->q = parallel ? input(m, "x", m->s.Dq, m->s.Tq) : input(m, "x", m->s.Tq, m->s.Dq);
    if (kind < SCORES) {
        tg_attention_pool_init(&m->pool, m->params, "pool", (tg_score)kind, m->s.Dq, m->s.A);
        m->forward = forward_pool;
    } else {
        tg_sequential_attention_init(&m->sequential, m->params, "module", m->s.Dq, m->s.A, 2);
        m->forward = parallel ? forward_parallel : forward_sequential;
    }
    draw_parameters(m->params, 1);
    for (int64_t i = 0; kind == TG_SCORE_EUCLIDEAN && i < m->q->size; i++)
        m->q->data[i] += (tg_real)2.5;
    set_mask(m, index % 2 ? LENGTHS : EVERYTHING, m->s.Tq, m->s.Tq);
    snprintf(m->what, sizeof m->what, "pooling %d%s, %s", kind, index % 2 ? " by lengths" : "",
             m->s.what);
}

/* ---- multi-head attention, blocks, positions ---- */

static tg_tensor *forward_multihead(tg_tape *tape, model *m)
{
    return tg_multihead_forward(tape, &m->multihead, m->q, m->k, &m->mask, NULL);
}

static const struct {
    int64_t B, Tq, Tk, E, heads; /* Tk -1: self-attention */
    bool tanh;
    double dropout;
    mask_kind mask;
} multiheads[] = {
    {2, 3, -1, 4, 2, false, 0, EVERYTHING}, {2, 4, -1, 4, 2, false, 0, LENGTHS},
    {2, 3, -1, 6, 3, false, 0.3, CAUSAL},   {2, 3, -1, 3, 1, true, 0, ALL_AT_ONCE},
    {2, 3, 4, 4, 2, false, 0, EVERYTHING},  {2, 3, 4, 4, 2, true, 0.3, ALL_AT_ONCE},
    {2, 3, 2, 2, 2, false, 0, LENGTHS},     {2, 1, -1, 2, 1, false, 0, EVERYTHING},
    {0, 3, -1, 2, 1, false, 0, EVERYTHING}, {2, 0, -1, 2, 1, false, 0, EVERYTHING},
    {2, 3, 0, 2, 1, false, 0, EVERYTHING},  {1, 3, 1, 1, 1, true, 0, EVERYTHING},
};

static void build_multihead(model *m, int index)
{
    m->s = (sizes){"",
                   multiheads[index].B,
                   multiheads[index].Tq,
                   multiheads[index].Tk,
                   multiheads[index].E,
                   0,
                   0,
                   0};
    m->params = tg_params_new(1);
    m->q = input(m, "x", m->s.Tq, m->s.Dq);
    m->k = m->s.Tk < 0 ? m->q : input(m, "memory", m->s.Tk, m->s.Dq);
    tg_multihead_init(&m->multihead, m->params, "multihead", m->s.Dq, multiheads[index].heads);
    m->multihead.tanh = multiheads[index].tanh;
    m->multihead.dropout = multiheads[index].dropout;
    m->forward = forward_multihead;
    draw_parameters(m->params, 1);
    set_mask(m, multiheads[index].mask, m->s.Tq, m->s.Tk < 0 ? m->s.Tq : m->s.Tk);
    snprintf(m->what, sizeof m->what, "multi-head attention, entry %d", index);
}

static tg_tensor *forward_block(tg_tape *tape, model *m)
{
    return tg_transformer_forward(tape, &m->block, m->q, &m->mask, m->k, &m->memory_mask, NULL);
}

static tg_tensor *forward_two_blocks(tg_tape *tape, model *m)
{
    m->second.pre_norm = m->block.pre_norm;
    m->second.gelu = m->block.gelu;
    tg_tensor *x = tg_add_sinusoids(tape, m->q);
    x = tg_transformer_forward(tape, &m->block, x, &m->mask, m->k, &m->memory_mask, NULL);
    return tg_transformer_forward(tape, &m->second, x, &m->mask, m->k, &m->memory_mask, NULL);
}

/* Every combination of encoder or decoder, post- or pre-norm, relu or gelu; with masks and
 * dropout. */
static const struct {
    mask_kind mask;
    double dropout;
    bool two;
    int64_t B, T;
} blocks[] = {{EVERYTHING, 0, false, 1, 3}, {LENGTHS, 0, false, 2, 3},
              {CAUSAL, 0.3, false, 2, 3},   {ALL_AT_ONCE, 0, false, 2, 2},
              {CAUSAL, 0, true, 1, 3},      {EVERYTHING, 0, false, 1, 1},
              {EVERYTHING, 0, false, 0, 2}, {EVERYTHING, 0, false, 1, 0}};
enum { KINDS = 8, BLOCKS = KINDS * (int)COUNT(blocks) };

/* The smallest magnitude of an input of relu in the computation of y. */
static double nearest_kink(const tg_tensor *y)
{
    double nearest = INF;
    for (const tg_node *node = y->node; node; node = node->previous)
        for (int64_t i = 0; !strcmp(node->op->name, "relu") && i < node->inputs[0]->size; i++)
            nearest = fmin(nearest, fabs((double)node->inputs[0]->data[i]));
    return nearest;
}

/* Draws numbers until no input of relu is near its kink. A step of the numerical difference moves
 * an input by a few times the step. */
static void draw_away_from_kinks(model *m)
{
#ifdef TG_DOUBLE
    const double margin = 0.02;
#else
    const double margin = 0.3;
#endif
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        draw_parameters(m->params, seed);
        tg_tape *tape = tg_tape_new(1);
        /* tg_gradcheck uses a tape of seed 1, too: dropout draws the same numbers there. */
        tg_random *random = tg_tape_random(tape);
        ck_assert_uint_eq(random->counter, 0);
        double nearest = nearest_kink(m->forward(tape, m));
        test_end(tape, NULL);
        if (nearest > margin) return;
    }
    ck_abort_msg("%s: no numbers away from the kink", m->what);
}

static void build_block(model *m, int index)
{
    enum { E = 4, HEADS = 2, HIDDEN = 3 };
    const int kind = index % KINDS, entry = index / KINDS;
    const bool decoder = kind & 1;
    m->s = (sizes){"", blocks[entry].B, blocks[entry].T, 3, E, 0, 0, 0};
    m->params = tg_params_new(1);
    m->q = input(m, "x", m->s.Tq, E);
    m->k = decoder ? input(m, "memory", m->s.Tk, E) : NULL;
    tg_transformer_init(&m->block, m->params, "block", E, HEADS, HIDDEN, decoder);
    if (blocks[entry].two)
        tg_transformer_init(&m->second, m->params, "second", E, HEADS, HIDDEN, decoder);
    m->block.pre_norm = kind & 2;
    m->block.gelu = kind & 4;
    m->block.dropout = m->block.self_attn.dropout = blocks[entry].dropout;
    m->forward = blocks[entry].two ? forward_two_blocks : forward_block;
    set_mask(m, LENGTHS, m->s.Tq, m->s.Tk);
    if (blocks[entry].mask != EVERYTHING) { /* memory gets lengths 0 and 2, too */
        static int32_t memory_lengths[MAX_BATCH];
        memcpy(memory_lengths, m->lengths, sizeof memory_lengths);
        m->memory_mask.lengths = tg_ints_1d(memory_lengths, m->s.B);
    }
    set_mask(m, blocks[entry].mask, m->s.Tq, m->s.Tq);
    snprintf(m->what, sizeof m->what, "%s block, %s-norm, %s, entry %d",
             decoder ? "decoder" : "encoder", kind & 2 ? "pre" : "post", kind & 4 ? "gelu" : "relu",
             entry);
    draw_away_from_kinks(m);
}

static tg_tensor *forward_sinusoids(tg_tape *tape, model *m)
{
    return tg_square(tape, tg_add_sinusoids(tape, m->q));
}
static tg_tensor *forward_positions(tg_tape *tape, model *m)
{
    return tg_square(tape, tg_add_positions(tape, &m->positions, m->q));
}
enum { POSITIONS = 6 };

static void build_positions(model *m, int index)
{
    static const sizes position_sizes[] = {{"", 2, 3, 0, 4, 0, 0, 0},
                                           {"", 0, 3, 0, 2, 0, 0, 0},
                                           {"", 2, 1, 0, 5, 0, 0, 0}};
    m->s = position_sizes[index / 2];
    m->params = tg_params_new(1);
    m->q = input(m, "x", m->s.Tq, m->s.Dq);
    if (index % 2) tg_embedding_init(&m->positions, m->params, "positions", 4, m->s.Dq, -1);
    m->forward = index % 2 ? forward_positions : forward_sinusoids;
    draw_parameters(m->params, 1);
    snprintf(m->what, sizeof m->what, "%s positions", index % 2 ? "learned" : "sinusoidal");
}

/* ---- all cases ---- */

static const struct {
    int count;
    void (*build)(model *m, int index);
} groups[] = {{GRID, build_grid},
              {AWKWARD, build_awkward},
              {(int)COUNT(operators), build_operator},
              {POOLED, build_pooled},
              {(int)COUNT(multiheads), build_multihead},
              {BLOCKS, build_block},
              {POSITIONS, build_positions}};

static tg_tensor *forward_case(tg_tape *tape, void *context)
{
    model *m = context;
    return m->forward(tape, m);
}

int attention_case_count(void)
{
    int count = 0;
    for (size_t g = 0; g < COUNT(groups); g++) count += groups[g].count;
    return count;
}

void attention_case_run(int index)
{
    size_t g = 0;
    for (; index >= groups[g].count; g++) index -= groups[g].count;
    model *m = calloc(1, sizeof *m);
    groups[g].build(m, index);
#ifndef TG_DOUBLE
    /* The cosine of single numbers is a sign, whose derivative is 0: float compares only
     * roundings. */
    if (m->attention.score == TG_SCORE_COSINE && m->s.Dq == 1) {
        test_end(NULL, m->params);
        free(m);
        return;
    }
#endif
    test_assert_params_clean(m->params);
    test_gradients(m->what, m->params, forward_case, m);
    test_end(NULL, m->params);
    free(m);
}
