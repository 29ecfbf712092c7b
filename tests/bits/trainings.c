/* The trainings. They are small, but each kind of product and loop is in one place large enough for
 * several threads. */
#include "bits.h"

enum { B = 12, T = 24, V = 300, C = 7 };

/* Lengths of 0 .. max, with both ends. */
static void some_lengths(int32_t *lengths, int64_t n, uint64_t step, int32_t max)
{
    fill_ints(lengths, n, "lengths", step, (uint32_t)max + 1);
    lengths[0] = max;
    lengths[n - 1] = 0;
}

/* ---- LSTMs in both directions, additive attention, a sparse embedding; clipping and Adam ---- */

typedef struct classifier {
    tg_embedding words;
    tg_lstm encoder;
    tg_additive_attention attention;
    tg_linear classify;
} classifier;

static void classifier_init(void *model, tg_params *params)
{
    classifier *m = model;
    tg_embedding_init_sparse(&m->words, params, "words", V, 40, 0);
    tg_lstm_init(&m->encoder, params, "encoder", 40, 48, 2, true);
    tg_additive_attention_init(&m->attention, params, "attention", 96, 32);
    tg_linear_init(&m->classify, params, "classify", 96, C);
}

static tg_tensor *classifier_loss(tg_tape *tape, void *model, uint64_t step, digest *d)
{
    classifier *m = model;
    int32_t ids[B * T], lengths[B], labels[B];
    tg_real class_weights[C];
    fill_ints(ids, B * T, "ids", step, V);
    fill_ints(labels, B, "labels", step, C);
    fill(class_weights, C, "class weights", 0, 0.5, 2);
    some_lengths(lengths, B, step, T);
    tg_tensor *x = tg_dropout(tape, tg_embedding_forward(tape, &m->words, tg_ints_2d(ids, B, T)),
                              0.2);
    tg_tensor *h = tg_lstm_forward(tape, &m->encoder, x, tg_ints_1d(lengths, B));
    tg_tensor *attended;
    tg_tensor *c = tg_additive_attention_forward(tape, &m->attention, h, tg_ints_1d(lengths, B),
                                                 &attended);
    digest_tensor(d, tg_attention_weights(tape, attended));
    tg_tensor *logits = tg_linear_forward(tape, &m->classify, tg_dropout(tape, c, 0.5));
    digest_tensor(d, logits);
    return tg_cross_entropy_weighted(tape, logits, tg_ints_1d(labels, B), class_weights, 0.1);
}

static void clip_and_adam(tg_params *params, int64_t step)
{
    const tg_adam adam = tg_adam_default(tg_lr_warmup(0.01, step, 3));
    tg_clip_grad_norm(params, 0.5);
    tg_adam_step(&adam, params);
}

/* ---- a transformer's encoder and decoder; AdamW ---- */

typedef struct translator {
    tg_embedding source, target, positions;
    tg_transformer encoder, decoder;
    tg_linear out;
} translator;

static void translator_init(void *model, tg_params *params)
{
    translator *m = model;
    tg_embedding_init(&m->source, params, "source", V, 48, -1);
    tg_embedding_init(&m->target, params, "target", V, 48, -1);
    tg_embedding_init(&m->positions, params, "positions", T, 48, -1);
    tg_transformer_init(&m->encoder, params, "encoder", 48, 4, 128, false);
    tg_transformer_init(&m->decoder, params, "decoder", 48, 3, 128, true);
    tg_linear_init(&m->out, params, "out", 48, V);
    tg_params_no_decay(params, "positions");
    m->encoder.pre_norm = m->encoder.gelu = true;
    m->encoder.dropout = m->decoder.dropout = 0.1;
    m->encoder.self_attn.dropout = m->decoder.multihead_attn.dropout = 0.1;
}

static tg_tensor *translator_loss(tg_tape *tape, void *model, uint64_t step, digest *d)
{
    translator *m = model;
    int32_t ids[B * T], lengths[B], labels[B * T];
    fill_ints(ids, B * T, "ids", step, V);
    fill_ints(labels, B * T, "labels", step, V);
    for (int i = 0; i < B * T; i += 5) labels[i] = -1; /* is left out of the mean */
    some_lengths(lengths, B, step, T);
    const tg_attention_mask source = {.lengths = tg_ints_1d(lengths, B)}, target = {.causal = true};
    tg_tensor *x = tg_add_sinusoids(tape,
                                    tg_embedding_forward(tape, &m->source, tg_ints_2d(ids, B, T)));
    tg_tensor *memory = tg_transformer_forward(tape, &m->encoder, x, &source, NULL, NULL, NULL);
    tg_tensor *y = tg_add_positions(tape, &m->positions,
                                    tg_embedding_forward(tape, &m->target, tg_ints_2d(ids, B, T)));
    y = tg_transformer_forward(tape, &m->decoder, y, &target, memory, &source, NULL);
    digest_tensor(d, memory);
    return tg_cross_entropy(tape, tg_linear_forward(tape, &m->out, y), tg_ints_2d(labels, B, T));
}

static void adamw(tg_params *params, int64_t step)
{
    const tg_adam adam = tg_adamw_default(tg_lr_cosine(0.01, 1e-4, step, 2, 10));
    tg_adam_step(&adam, params);
}

/* ---- long multi-head attention, in tiles, and every score; SGD with momentum ---- */

enum { LONG = 300, WIDTH = 32, SCORES = TG_SCORE_EUCLIDEAN + 1 };

typedef struct attender {
    tg_multihead heads;
    tg_attention scores[SCORES];
    tg_attention_pool pool;
    tg_sequential_attention sequential;
} attender;

static void attender_init(void *model, tg_params *params)
{
    static const char *const names[SCORES] = {"dot",      "scaled", "bilinear",
                                              "additive", "cosine", "euclidean"};
    attender *m = model;
    tg_multihead_init(&m->heads, params, "heads", WIDTH, 2);
    for (int s = 0; s < SCORES; s++) {
        tg_attention_init(&m->scores[s], params, names[s], (tg_score)s, WIDTH, WIDTH, 20);
        m->scores[s].times_score = s == TG_SCORE_SCALED_DOT;
        m->scores[s].raw = s == TG_SCORE_COSINE;
    }
    m->scores[TG_SCORE_ADDITIVE].dropout = 0.1;
    tg_attention_pool_init(&m->pool, params, "pool", TG_SCORE_BILINEAR, WIDTH, 0);
    tg_sequential_attention_init(&m->sequential, params, "sequential", WIDTH, 24, WIDTH);
    m->heads.dropout = 0.1;
}

static tg_tensor *attender_loss(tg_tape *tape, void *model, uint64_t step, digest *d)
{
    attender *m = model;
    enum { ROWS = 2, SHORT = 60 };
    int32_t lengths[ROWS];
    fill_ints(lengths, ROWS, "lengths", step, LONG / 2);
    lengths[0] += LONG / 2;
    tg_attention_mask causal = {.causal = true}, by_length = {.lengths = tg_ints_1d(lengths, ROWS)};
    tg_tensor *x = filled(tape, "attended", step, -1, 1, TG_SHAPE(ROWS, LONG, WIDTH));
    tg_tensor *attended;
    tg_tensor *y = tg_multihead_forward(tape, &m->heads, x, x, step % 2 ? &causal : &by_length,
                                        &attended);
    digest_tensor(d, tg_attention_weights(tape, attended));
    tg_tensor *q = tg_slice(tape, y, 1, 0, SHORT), *sum = q;
    for (int s = 0; s < SCORES; s++)
        sum = tg_add(tape, sum,
                     tg_attention_forward(tape, &m->scores[s], q, y, x, &by_length, NULL));
    tg_tensor *pooled = tg_attention_pool_forward(tape, &m->pool, y, by_length.lengths, NULL);
    tg_tensor *last = tg_sequential_attention_forward(tape, &m->sequential, y, by_length.lengths,
                                                      NULL);
    tg_tensor *all = tg_add(tape, tg_mean(tape, sum, TG_AXES(1), false),
                            tg_add(tape, pooled, last));
    digest_tensor(d, all);
    return tg_mean(tape, tg_square(tape, all), TG_ALL_AXES, false);
}

static void momentum(tg_params *params, int64_t step)
{
    (void)step;
    const tg_sgd sgd = {.lr = 0.001, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true};
    tg_sgd_step(&sgd, params);
}

/* ---- a convolution as a product, LayerNorm, the maximum over time; plain SGD ---- */

enum { FRAMES = 64, CHANNELS = 24, KERNEL = 5, FILTERS = 64 };

typedef struct convolution {
    tg_linear filters, out;
    tg_layer_norm_layer norm;
} convolution;

static void convolution_init(void *model, tg_params *params)
{
    convolution *m = model;
    tg_linear_init(&m->filters, params, "filters", KERNEL * CHANNELS, FILTERS);
    tg_layer_norm_init(&m->norm, params, "norm", FILTERS);
    tg_linear_init(&m->out, params, "out", FILTERS, 3);
}

static tg_tensor *convolution_loss(tg_tape *tape, void *model, uint64_t step, digest *d)
{
    convolution *m = model;
    tg_tensor *x = filled(tape, "frames", step, -1, 1, TG_SHAPE(B, FRAMES, CHANNELS)),
              *windows[KERNEL];
    for (int k = 0; k < KERNEL; k++) windows[k] = tg_slice(tape, x, 1, k, FRAMES - KERNEL + 1 + k);
    tg_tensor *h = tg_linear_forward(tape, &m->filters, tg_concat(tape, KERNEL, windows, -1));
    h = tg_max(tape, tg_relu(tape, tg_layer_norm_forward(tape, &m->norm, h)), TG_AXES(1), false);
    tg_tensor *y = tg_linear_forward(tape, &m->out, h);
    digest_tensor(d, y);
    return tg_mean_squared_error(tape, y, filled(tape, "wanted", step, -1, 1, TG_SHAPE(B, 3)));
}

static void plain_sgd(tg_params *params, int64_t step)
{
    const tg_sgd sgd = {.lr = 0.01 / (double)(step + 1)};
    tg_sgd_step(&sgd, params);
}

const training trainings[] = {
    {"LSTM and additive attention, Adam", sizeof(classifier), classifier_init, classifier_loss,
     clip_and_adam},
    {"transformer, AdamW", sizeof(translator), translator_init, translator_loss, adamw},
    {"attention of every score, SGD with momentum", sizeof(attender), attender_init, attender_loss,
     momentum},
    {"convolution, SGD", sizeof(convolution), convolution_init, convolution_loss, plain_sgd},
};
const int training_count = sizeof trainings / sizeof trainings[0];
