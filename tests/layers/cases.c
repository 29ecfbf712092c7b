/* Batches of every awkward shape, and the gradient checks of the layers on them. */
#include "layers.h"

const batch_shape batch_shapes[] = {
    {"full", 3, 4, 2, 3, false, {0}},
    {"ragged", 4, 5, 3, 2, true, {4, 2, 5, 1}},
    {"with a length of 0", 4, 4, 2, 3, true, {3, 0, 4, 1}},
    {"only the last has tokens", 3, 3, 2, 2, true, {0, 0, 2}},
    {"all of length 0", 2, 3, 2, 2, true, {0, 0}},
    {"T longer than any", 2, 6, 2, 2, true, {2, 3}},
    {"H = 1", 2, 3, 2, 1, true, {3, 2}},
    {"E = 1", 2, 3, 1, 2, true, {1, 3}},
    {"one token", 1, 1, 1, 1, false, {0}},
    {"B = 1", 1, 5, 2, 2, true, {4}},
    {"T = 0", 2, 0, 2, 2, false, {0}},
    {"B = 0", 0, 3, 2, 2, false, {0}},
    {"wide", 3, 3, 9, 11, true, {3, 0, 2}},
};

int batch_shape_count(void) { return (int)COUNT(batch_shapes); }

tg_ints batch_lengths(const batch_shape *shape)
{
    return shape->ragged ? tg_ints_1d(shape->lengths, shape->B) : tg_full_length();
}

/* ---- models of one layer ---- */

typedef struct model {
    const batch_shape *shape;
    tg_params *params;
    tg_tensor *x;
    tg_lstm lstm;
    tg_lstm_state initial;
    tg_additive_attention attention;
    tg_attention scores;
    tg_tensor *query, *values;
    tg_linear linear;
    tg_embedding embedding;
    tg_layer_norm_layer norm;
} model;

typedef tg_tensor *(*model_function)(tg_tape *tape, model *m);

static tg_tensor *flat(tg_tape *tape, tg_tensor *x) { return tg_reshape(tape, x, TG_SHAPE(-1)); }

/* The output and the final states. */
static tg_tensor *lstm_everything(tg_tape *tape, model *m)
{
    tg_lstm_state final;
    const tg_lstm_state *initial = m->initial.h ? &m->initial : NULL;
    tg_tensor *y = tg_lstm_forward_state(tape, &m->lstm, m->x, batch_lengths(m->shape), initial,
                                         &final);
    return tg_concat(tape, 3,
                     (tg_tensor *[]){flat(tape, y), flat(tape, final.h), flat(tape, final.c)}, 0);
}

static tg_tensor *lstm_output(tg_tape *tape, model *m)
{
    return tg_lstm_forward(tape, &m->lstm, m->x, batch_lengths(m->shape));
}

static tg_tensor *lstm_final_c(tg_tape *tape, model *m)
{
    tg_lstm_state final;
    tg_lstm_forward_state(tape, &m->lstm, m->x, batch_lengths(m->shape), NULL, &final);
    return final.c;
}

static tg_tensor *attention(tg_tape *tape, model *m)
{
    return tg_additive_attention_forward(tape, &m->attention, m->x, batch_lengths(m->shape), NULL);
}

/* Queries that do not come from the sequence. */
static tg_tensor *attention_of_scores(tg_tape *tape, model *m)
{
    tg_attention_mask mask = {.lengths = batch_lengths(m->shape),
                              .query_lengths = tg_full_length()};
    return tg_attention_forward(tape, &m->scores, m->query, m->x, m->values, &mask, NULL);
}

static tg_tensor *attention_of_heads(tg_tape *tape, model *m)
{
    tg_attention_mask mask = {.lengths = batch_lengths(m->shape),
                              .query_lengths = tg_full_length(),
                              .causal = true};
    /* E heads of one number each */
    return tg_dot_attention(tape, m->query, m->x, m->values, m->shape->E, 0.7, 0.2, &mask);
}

static tg_tensor *linear(tg_tape *tape, model *m)
{
    return tg_linear_forward(tape, &m->linear, m->x);
}
static tg_tensor *layer_norm(tg_tape *tape, model *m)
{
    return tg_layer_norm_forward(tape, &m->norm, m->x);
}

static tg_tensor *embedding(tg_tape *tape, model *m)
{
    static const int32_t ids[] = {1, 4, 0, 1, 3, 4};
    return tg_embedding_forward(tape, &m->embedding, tg_ints_2d(ids, 3, 2));
}

/* All layers in a row, with dropout between them. */
static tg_tensor *stack(tg_tape *tape, model *m)
{
    tg_dropout_layer dropout = {0.3};
    tg_tensor *h = tg_lstm_forward(tape, &m->lstm, m->x, batch_lengths(m->shape));
    h = tg_dropout_forward(tape, &dropout, h);
    tg_tensor *c = tg_additive_attention_forward(tape, &m->attention, h, batch_lengths(m->shape),
                                                 NULL);
    return tg_linear_forward(tape, &m->linear, c);
}

/* ---- their parameters ---- */

/* The layers' own initial values are not used: small weights make small gradients, and a zero bias
 * hides that the bias is missing. */
static void draw_parameters(tg_params *params, double bound)
{
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        tg_tensor *p = tg_params_at(params, i);
        test_fill(p->data, p->size, (uint64_t)i + 11, -bound, bound);
    }
}

static void build_x(model *m)
{
    const batch_shape *s = m->shape;
    m->x = tg_param(m->params, NULL, "x", TG_SHAPE(s->B, s->T, s->E), tg_init_constant(0));
}

static void build_lstm(model *m, int layers, bool both, bool state)
{
    const batch_shape *s = m->shape;
    build_x(m);
    tg_lstm_init(&m->lstm, m->params, "lstm", s->E, s->H, layers, both);
    if (!state) return;
    int64_t all = layers * (both ? 2 : 1);
    m->initial.h = tg_param(m->params, NULL, "h0", TG_SHAPE(all, s->B, s->H), tg_init_constant(0));
    m->initial.c = tg_param(m->params, NULL, "c0", TG_SHAPE(all, s->B, s->H), tg_init_constant(0));
}

static void build_lstm_1(model *m) { build_lstm(m, 1, false, false); }
static void build_lstm_1_state(model *m) { build_lstm(m, 1, false, true); }
static void build_lstm_2(model *m) { build_lstm(m, 1, true, true); }
static void build_lstm_2_deep(model *m) { build_lstm(m, 2, true, true); }
static void build_lstm_deep(model *m) { build_lstm(m, 3, false, false); }

static void build_attention(model *m)
{
    build_x(m);
    tg_additive_attention_init(&m->attention, m->params, "attention", m->shape->E, m->shape->H);
}

static void build_scores(model *m, tg_score score)
{
    const batch_shape *s = m->shape;
    build_x(m);
    m->query = tg_param(m->params, NULL, "query", TG_SHAPE(s->B, 3, s->E), tg_init_constant(0));
    m->values = tg_param(m->params, NULL, "values", TG_SHAPE(s->B, s->T, s->E),
                         tg_init_constant(0));
    tg_attention_init(&m->scores, m->params, "scores", score, s->E, s->E, s->H);
}

static void build_dot(model *m) { build_scores(m, TG_SCORE_DOT); }
static void build_scaled_dot(model *m) { build_scores(m, TG_SCORE_SCALED_DOT); }
static void build_bilinear(model *m) { build_scores(m, TG_SCORE_BILINEAR); }
static void build_additive(model *m) { build_scores(m, TG_SCORE_ADDITIVE); }
static void build_cosine(model *m) { build_scores(m, TG_SCORE_COSINE); }
static void build_euclidean(model *m) { build_scores(m, TG_SCORE_EUCLIDEAN); }

static void build_raw(model *m)
{
    build_scores(m, TG_SCORE_DOT);
    m->scores.raw = true;
}

static void build_times_score(model *m)
{
    build_scores(m, TG_SCORE_SCALED_DOT);
    m->scores.times_score = true;
}

static void build_linear(model *m)
{
    build_x(m);
    tg_linear_init(&m->linear, m->params, "linear", m->shape->E, m->shape->H);
}

static void build_linear_no_bias(model *m)
{
    build_x(m);
    tg_linear_init_no_bias(&m->linear, m->params, "linear", m->shape->E, m->shape->H);
}

static void build_norm(model *m)
{
    build_x(m);
    tg_layer_norm_init(&m->norm, m->params, "norm", m->shape->E);
}

static void build_embedding(model *m)
{
    tg_embedding_init(&m->embedding, m->params, "embedding", 5, m->shape->E, -1);
}
static void build_embedding_padding(model *m)
{
    tg_embedding_init(&m->embedding, m->params, "embedding", 5, m->shape->E, 4);
}

static void build_stack(model *m)
{
    build_lstm(m, 1, true, false);
    tg_additive_attention_init(&m->attention, m->params, "attention", 2 * m->shape->H, 3);
    tg_linear_init(&m->linear, m->params, "linear", 2 * m->shape->H, 2);
}

static const struct {
    const char *name;
    void (*build)(model *m);
    model_function forward;
} layers[] = {
    {"linear", build_linear, linear},
    {"linear without bias", build_linear_no_bias, linear},
    {"embedding", build_embedding, embedding},
    {"embedding with padding", build_embedding_padding, embedding},
    {"layer norm", build_norm, layer_norm},
    {"lstm, the output", build_lstm_1, lstm_output},
    {"lstm, output and states", build_lstm_1, lstm_everything},
    {"lstm, the last cell only", build_lstm_1, lstm_final_c},
    {"lstm from a state", build_lstm_1_state, lstm_everything},
    {"lstm in both directions", build_lstm_2, lstm_everything},
    {"lstm of two layers in both directions", build_lstm_2_deep, lstm_everything},
    {"lstm of three layers", build_lstm_deep, lstm_everything},
    {"additive attention", build_attention, attention},
    {"attention, product", build_dot, attention_of_scores},
    {"attention, scaled product", build_scaled_dot, attention_of_scores},
    {"attention, bilinear", build_bilinear, attention_of_scores},
    {"attention, additive", build_additive, attention_of_scores},
    {"attention, cosine", build_cosine, attention_of_scores},
    {"attention, distance", build_euclidean, attention_of_scores},
    {"attention, raw", build_raw, attention_of_scores},
    {"attention, times the score", build_times_score, attention_of_scores},
    {"attention, heads, causal, with dropout", build_dot, attention_of_heads},
    {"lstm, dropout, attention, linear", build_stack, stack},
};

typedef struct case_context {
    model m;
    model_function forward;
} case_context;

static tg_tensor *forward_case(tg_tape *tape, void *context)
{
    case_context *c = context;
    return c->forward(tape, &c->m);
}

int layer_case_count(void) { return (int)COUNT(layers) * batch_shape_count(); }

void layer_case_run(int index)
{
    size_t layer = (size_t)(index / batch_shape_count());
    const batch_shape *shape = &batch_shapes[index % batch_shape_count()];
    /* Gradients too small for a check: two numbers are normalized to +-1, and so is the cosine of
     * single numbers; attention over two numbers has gradients near 1e-8. */
    if (layers[layer].forward == layer_norm && shape->E == 2) return;
    if (layers[layer].build == build_cosine && shape->E == 1) return;
    if (layers[layer].forward == stack && shape->H == 1) return;
    case_context c = {.m = {.shape = shape, .params = tg_params_new(1)},
                      .forward = layers[layer].forward};
    layers[layer].build(&c.m);
    test_assert_params_clean(c.m.params);
    /* Cosines and distances have a large curvature near 0, and the numerical differences take wide
     * steps in float. Larger numbers keep away from 0. */
    bool is_curved = layers[layer].build == build_cosine || layers[layer].build == build_euclidean;
    draw_parameters(c.m.params, is_curved ? 4 : 0.8);
    char what[128];
    snprintf(what, sizeof what, "%s, batch %s", layers[layer].name, shape->what);
    test_gradients(what, c.m.params, forward_case, &c);
    test_end(NULL, c.m.params);
}
