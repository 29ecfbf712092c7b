#include "model.h"

#include "failure.h"

/* Smaller than the N(0, 1) that an embedding starts with: a word seen a few times then is what was learned about it more
 * than what was drawn for it. */
static const double embedding_deviation = 0.1;

static void scale_embedding(tg_tensor *weight)
{
    for (int64_t i = 0; weight && i < weight->size; i++) weight->data[i] *= (tg_real)embedding_deviation;
}

bool tc_model_register(tc_model *model)
{
    const tc_settings *settings = &model->settings;
    tg_params *params = model->params;
    int64_t E = settings->embedding, H = settings->hidden, C = model->labels.count, V = model->words.count;
    tg_embedding_init(&model->embedding, params, "embedding", V, E, TC_PADDING);
    tg_lstm_init(&model->encoder, params, "encoder", E, H, 1, true);
    if (settings->attention) tg_additive_attention_init(&model->attention, params, "attention", 2 * H, 2 * H);
    tg_linear_init(&model->classify, params, "classify", 2 * H, C);
    return !tg_params_error(params);
}

bool tc_model_build(tc_model *model, uint64_t seed)
{
    model->params = tg_params_new(seed);
    if (!tc_model_register(model)) return tc_fail("%s", tg_params_error(model->params));
    scale_embedding(model->embedding.weight);
    return true;
}

/* What each direction ends with, side by side: [2, B, H] -> [B, 2H]. */
static tg_tensor *last_state(tg_tape *tape, const tc_model *model, tg_tensor *x, tg_ints lengths)
{
    tg_lstm_state final = {NULL, NULL};
    tg_lstm_forward_state(tape, &model->encoder, x, lengths, NULL, &final);
    tg_tensor *by_row = tg_permute(tape, final.h, (const int[]){1, 0, 2});
    return tg_reshape(tape, by_row, TG_SHAPE(lengths.shape[0], 2 * model->encoder.hidden));
}

tg_tensor *tc_model_forward(tg_tape *tape, const tc_model *model, const tc_batch *batch, tg_attention_detail *detail)
{
    tg_ints tokens = tg_ints_2d(batch->tokens, batch->rows, batch->time);
    tg_ints lengths = tg_ints_1d(batch->lengths, batch->rows);
    double p = model->settings.dropout;

    tg_tensor *x = tg_dropout(tape, tg_embedding_forward(tape, &model->embedding, tokens), p); /* [B, T, E] */
    tg_tensor *c;                                                                              /* [B, 2H] */
    if (model->settings.attention) {
        tg_tensor *h = tg_lstm_forward(tape, &model->encoder, x, lengths);                     /* [B, T, 2H] */
        c = tg_additive_attention_forward(tape, &model->attention, h, lengths, detail);
    } else {
        c = last_state(tape, model, x, lengths);
    }
    return tg_linear_forward(tape, &model->classify, tg_dropout(tape, c, p));                  /* [B, C] */
}

void tc_model_free(tc_model *model)
{
    tg_params_free(model->params);
    tc_names_free(&model->words);
    tc_names_free(&model->labels);
    *model = (tc_model){0};
}
