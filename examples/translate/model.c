#include "model.h"

enum { EMBEDDING = 32, HIDDEN = 64, WIDTH = 64, HEADS = 4, FEED_FORWARD = 128 };

/* ---- the model ---- */

static void init_lstms(tr_model *model, tg_params *params)
{
    /* The decoder is as wide as both directions of the encoder, whose last states are its first
     * one. */
    tg_embedding_init(&model->text, params, "text", TR_TEXT_IDS, EMBEDDING, 0);
    tg_embedding_init(&model->iso, params, "iso", TR_ISO_IDS, EMBEDDING, -1);
    tg_lstm_init(&model->encoder, params, "encoder", EMBEDDING, HIDDEN, 1, true);
    tg_lstm_init(&model->decoder, params, "decoder", EMBEDDING, 2 * HIDDEN, 1, false);
    if (model->settings.attend)
        tg_attention_init(&model->attention, params, "attention", model->settings.score, 2 * HIDDEN,
                          2 * HIDDEN, HIDDEN);
    tg_linear_init(&model->output, params, "output", (model->settings.attend ? 4 : 2) * HIDDEN,
                   TR_START);
}

static void init_transformer(tr_model *model, tg_params *params)
{
    tg_embedding_init(&model->text, params, "text", TR_TEXT_IDS, WIDTH, 0);
    tg_embedding_init(&model->iso, params, "iso", TR_ISO_IDS, WIDTH, -1);
    for (int i = 0; i < TR_LAYERS; i++) {
        char encoder[] = "encoder.0", decoder[] = "decoder.0";
        encoder[sizeof encoder - 2] = decoder[sizeof decoder - 2] = (char)('0' + i);
        tg_transformer_init(&model->encoders[i], params, encoder, WIDTH, HEADS, FEED_FORWARD,
                            false);
        tg_transformer_init(&model->decoders[i], params, decoder, WIDTH, HEADS, FEED_FORWARD, true);
    }
    tg_linear_init(&model->output, params, "output", WIDTH, TR_START);
}

void tr_model_init(tr_model *model, tg_params *params, tr_settings settings)
{
    *model = (tr_model){.settings = settings};
    if (settings.transformer) init_transformer(model, params);
    else init_lstms(model, params);
}

/* The last states of both directions, side by side: [2, B, H] -> [1, B, 2H]. */
static tg_tensor *side_by_side(tg_tape *tape, tg_tensor *state, int64_t rows)
{
    tg_tensor *by_row = tg_permute(tape, state, TG_AXES(1, 0, 2));
    return tg_reshape(tape, by_row, TG_SHAPE(1, rows, -1));
}

/* Halves the embeddings, which start as N(0, 1), so that the positions weigh more. At full size
 * the last mistakes, swapped figures, take half as many steps again to disappear. */
static tg_tensor *with_positions(tg_tape *tape, tg_tensor *x)
{
    return tg_add_sinusoids(tape, tg_affine(tape, x, 0.5, 0));
}

tr_encoded tr_encode(tg_tape *tape, const tr_model *model, const tr_batch *batch)
{
    tr_encoded encoded = {0};
    tg_ints text = tg_ints_2d(batch->text, batch->rows, batch->time),
            lengths = tg_ints_1d(batch->lengths, batch->rows);
    tg_tensor *x = tg_embedding_forward(tape, &model->text, text); /* [B, T, E] */
    if (model->settings.transformer) {
        tg_attention_mask mask = {.lengths = lengths};
        x = with_positions(tape, x);
        for (int i = 0; i < TR_LAYERS; i++)
            x = tg_transformer_forward(tape, &model->encoders[i], x, &mask, NULL, NULL, NULL);
        encoded.memory = x;
        return encoded;
    }
    tg_lstm_state final = {NULL, NULL};
    encoded.memory = tg_lstm_forward_state(tape, &model->encoder, x, lengths, NULL, &final);
    encoded.state.h = side_by_side(tape, final.h, batch->rows);
    encoded.state.c = side_by_side(tape, final.c, batch->rows);
    return encoded;
}

tg_tensor *tr_decode(tg_tape *tape, const tr_model *model, const tr_batch *batch,
                     const tr_encoded *encoded, tg_tensor **attended)
{
    tg_attention_mask to_text = {.lengths = tg_ints_1d(batch->lengths, batch->rows)},
                      causal = {.causal = true};
    tg_ints previous = tg_ints_2d(batch->previous, batch->rows, TR_ISO);
    tg_tensor *y = tg_embedding_forward(tape, &model->iso, previous); /* [B, 10, E] */
    if (model->settings.transformer) {
        y = with_positions(tape, y);
        for (int i = 0; i < TR_LAYERS; i++)
            y = tg_transformer_forward(tape, &model->decoders[i], y, &causal, encoded->memory,
                                       &to_text, attended);
        return tg_linear_forward(tape, &model->output, y);
    }
    tg_tensor *state = tg_lstm_forward_state(tape, &model->decoder, y, tg_full_length(),
                                             &encoded->state, NULL);
    if (model->settings.attend) { /* the state is the query, the text is keys and values */
        tg_tensor *memory = encoded->memory;
        tg_tensor *context = tg_attention_forward(tape, &model->attention, state, memory, memory,
                                                  &to_text, attended);
        state = tg_concat(tape, 2, (tg_tensor *[]){state, context}, -1); /* [B, 10, 4H] */
    }
    return tg_linear_forward(tape, &model->output, state);
}

/* ---- translating ---- */

static int32_t likeliest(const tg_real *logits)
{
    int32_t best = 0;
    for (int32_t c = 1; c < TR_START; c++) {
        if (logits[c] > logits[best]) best = c;
    }
    return best;
}

bool tr_translate(tg_tape *tape, const tr_model *model, tr_batch *batch, tg_tensor **attended)
{
    tr_encoded encoded = tr_encode(tape, model, batch);
    /* It computes all ten positions each time. The unknown ones do not matter: a decoder sees
     * only the characters before a position. */
    for (int32_t t = 0; t < TR_ISO; t++) {
        tg_tensor *logits = tr_decode(tape, model, batch, &encoded, attended);
        if (!logits) return false;
        for (int32_t b = 0; b < batch->rows; b++) {
            int32_t at = b * TR_ISO + t;
            batch->iso[at] = likeliest(logits->data + (int64_t)at * TR_START);
            if (t + 1 < TR_ISO) batch->previous[at + 1] = batch->iso[at];
        }
    }
    return true;
}
