#include "model.h"

#include "../../support/failure.h"

#include <string.h>

enum { BAG_WIDTH = 16 }; /* small: the classifier reduces it to one number per label */

const char *const tc_encoder_names[] = {"lstm", "bilstm", "transformer", "none", NULL};
const char *const tc_attention_names[] = {"dot",       "scaled-dot", "bilinear",
                                          "additive",  "cosine",     "euclidean",
                                          "multihead", "none",       NULL};

/* Smaller than an embedding's usual N(0, 1), so that a rare word's vector depends more on its few
 * occurrences than on its random start. */
static const double embedding_deviation = 0.1;

static void scale_embedding(tg_tensor *weight)
{
    for (int64_t i = 0; weight && i < weight->size; i++)
        weight->data[i] *= (tg_real)embedding_deviation;
}

/* D, the width of the encoder's output. */
static int64_t encoded_width(const tc_settings *settings)
{
    if (settings->encoder == TC_LSTM) return settings->hidden;
    return settings->encoder == TC_BILSTM ? 2 * settings->hidden : settings->embedding;
}

/* Four heads, or fewer if the width is not a multiple of four. */
static int64_t heads_for(int64_t width)
{
    if (width % 4 == 0) return 4;
    return width % 2 == 0 ? 2 : 1;
}

bool tc_model_register(tc_model *model)
{
    const tc_settings *settings = &model->settings;
    tg_params *params = model->params;
    int64_t E = settings->embedding, H = settings->hidden, D = encoded_width(settings);
    tg_embedding_init(&model->embedding, params, "embedding", model->words.count, E, EX_PADDING);
    if (settings->encoder == TC_LSTM || settings->encoder == TC_BILSTM) {
        tg_lstm_init(&model->lstm, params, "encoder", E, H, 1, settings->encoder == TC_BILSTM);
    } else if (settings->encoder == TC_TRANSFORMER) {
        tg_transformer_init(&model->transformer, params, "encoder", E, heads_for(E), 2 * H, false);
        model->transformer.pre_norm = true; /* trains without warm-up */
    }
    if (settings->attention == TC_MULTIHEAD) {
        model->query = tg_param(params, "attention", "query", TG_SHAPE(1, D), tg_init_uniform(0.1));
        tg_multihead_init(&model->multihead, params, "attention", D, heads_for(D));
    } else if (settings->attention != TC_NO_ATTENTION) {
        tg_attention_pool_init(&model->attention, params, "attention",
                               (tg_score)settings->attention, D, D);
    }
    int64_t features = D;
    if (settings->max_pool) features += D;
    if (settings->ngrams) {
        tc_bag_init(&model->bag, params, model->words.count, settings->buckets, settings->ngrams,
                    BAG_WIDTH);
        features += BAG_WIDTH;
    }
    tg_linear_init(&model->classify, params, "classify", features, model->labels.count);
    return !tg_params_error(params);
}

bool tc_model_build(tc_model *model, int64_t seed)
{
    model->params = tg_params_new((uint64_t)seed);
    if (!tc_model_register(model)) return ex_fail("%s", tg_params_error(model->params));
    scale_embedding(model->embedding.weight);
    return true;
}

bool tc_model_set_sparse(tc_model *model)
{
    return (tg_params_set_sparse(model->embedding.weight) &&
            (!model->settings.ngrams || tg_params_set_sparse(model->bag.embedding.weight))) ||
           ex_fail("%s", tg_params_error(model->params));
}

bool tc_model_touch_rows(const tc_model *model, const tc_batch *batch)
{
    tg_params_touch_rows(model->embedding.weight,
                         tg_ints_2d(batch->tokens, batch->rows, batch->time));
    return !model->settings.ngrams || tc_bag_touch_rows(&model->bag, batch);
}

bool tc_model_encode(const tc_model *model, tc_dataset *data)
{
    return tc_dataset_encode_texts(data, &model->tokenizer, &model->words,
                                   model->settings.max_length);
}

/* Joins the final states of both LSTM directions: [directions, B, H] -> [B, D]. */
static tg_tensor *last_state(tg_tape *tape, const tc_model *model, const tg_lstm_state *final)
{
    tg_tensor *by_row = tg_permute(tape, final->h, TG_AXES(1, 0, 2));
    if (!by_row) return NULL;
    return tg_reshape(tape, by_row,
                      TG_SHAPE(by_row->shape[0], model->lstm.directions * model->lstm.hidden));
}

static tg_tensor *encode(tg_tape *tape, const tc_model *model, tg_tensor *x, tg_ints lengths,
                         tg_lstm_state *final)
{
    tg_attention_mask mask = {.lengths = lengths, .query_lengths = lengths};
    switch (model->settings.encoder) {
    case TC_LSTM:
    case TC_BILSTM: return tg_lstm_forward_state(tape, &model->lstm, x, lengths, NULL, final);
    case TC_TRANSFORMER: {
        tg_transformer block = model->transformer;
        block.dropout = 0.1;
        return tg_transformer_forward(tape, &block, tg_add_sinusoids(tape, x), &mask, NULL, NULL,
                                      NULL);
    }
    default: return x;
    }
}

/* Attends to h [B, T, D] with one query per sequence, [B, 1, D]. A query of zeros gives equal
 * weights, so the result is the mean over time. */
static tg_tensor *attend(tg_tape *tape, const tc_model *model, tg_tensor *h, tg_ints lengths,
                         tg_tensor **attended)
{
    if (!h) return NULL;
    const int64_t rows = h->shape[0], D = h->shape[2];
    tg_attention_mask mask = {.lengths = lengths};
    tg_tensor *query = tg_constant(tape, NULL, TG_SHAPE(rows, 1, D)), *y;
    if (model->settings.attention == TC_NO_ATTENTION)
        y = tg_dot_attention(tape, query, h, h, 1, 1, 0, &mask);
    else
        y = tg_multihead_forward(tape, &model->multihead, tg_add(tape, query, model->query), h,
                                 &mask, attended);
    return tg_reshape(tape, y, TG_SHAPE(rows, D));
}

/* The maximum of each feature over the words: h [B, T, D] -> [B, D]. A text without words takes
 * its first position, which is zeros. */
static tg_tensor *max_over_words(tg_tape *tape, tg_tensor *h, const tc_batch *batch)
{
    const size_t T = (size_t)batch->time;
    uint8_t *mask = ex_allocate(NULL, (size_t)batch->rows, T);
    if (!mask) return NULL;
    for (int32_t b = 0; b < batch->rows; b++) {
        for (size_t t = 0; t < T; t++)
            mask[(size_t)b * T + t] = t == 0 || t < (size_t)batch->lengths[b];
    }
    tg_mask words = tg_mask_nd(mask, TG_SHAPE(batch->rows, batch->time, 1));
    tg_tensor *masked = tg_where_scalar(tape, words, h, -1e30);
    ex_free(mask);
    return tg_max(tape, masked, TG_AXES(1), false);
}

tg_tensor *tc_model_forward(tg_tape *tape, const tc_model *model, const tc_batch *batch,
                            tc_activations *activations)
{
    tg_ints tokens = tg_ints_2d(batch->tokens, batch->rows, batch->time);
    tg_ints lengths = tg_ints_1d(batch->lengths, batch->rows);
    double p = model->settings.dropout;
    tg_lstm_state final = {NULL, NULL};
    tg_tensor **attended = activations ? &activations->attended : NULL;

    tg_tensor *embedded = tg_embedding_forward(tape, &model->embedding, tokens); /* [B, T, E] */
    if (activations) activations->embedded = embedded;
    tg_tensor *x = tg_dropout(tape, embedded, p);
    tg_tensor *h = encode(tape, model, x, lengths, &final); /* [B, T, D] */
    tg_tensor *c;                                           /* [B, D] */
    if (model->settings.attention == TC_NO_ATTENTION && final.h)
        c = last_state(tape, model, &final);
    else if (model->settings.attention >= TC_MULTIHEAD)
        c = attend(tape, model, h, lengths, attended);
    else c = tg_attention_pool_forward(tape, &model->attention, h, lengths, attended);
    tg_tensor *features[3] = {c}; /* [B, D] each */
    int count = 1;
    if (model->settings.max_pool) features[count++] = max_over_words(tape, h, batch);
    if (model->settings.ngrams) features[count++] = tc_bag_forward(tape, &model->bag, batch);
    if (count > 1) c = tg_concat(tape, count, features, 1);
    return tg_linear_forward(tape, &model->classify, tg_dropout(tape, c, p)); /* [B, C] */
}

void tc_model_free(tc_model *model)
{
    tg_params_free(model->params);
    tc_tokenizer_free(&model->tokenizer);
    ex_names_free(&model->words);
    ex_names_free(&model->labels);
    *model = (tc_model){0};
}
