/* Two models that translate characters to characters: LSTMs, with attention or without, and a
 * transformer. */
#ifndef TR_MODEL_H
#define TR_MODEL_H

#include "batch.h"

enum { TR_LAYERS = 2 }; /* of the transformer, in the encoder and in the decoder */

typedef struct tr_settings {
    bool transformer;
    bool attend;    /* the LSTM decoder has attention */
    tg_score score; /* of that attention */
} tr_settings;

typedef struct tr_model {
    tr_settings settings;
    tg_embedding text, iso;
    tg_linear output;
    tg_lstm encoder, decoder;
    tg_attention attention;
    tg_transformer encoders[TR_LAYERS], decoders[TR_LAYERS];
} tr_model;

/* Registers the parameters; errors are on `params`. */
void tr_model_init(tr_model *model, tg_params *params, tr_settings settings);

/* The result of the encoder for a batch. */
typedef struct tr_encoded {
    tg_tensor *memory;   /* [B, T, W] */
    tg_lstm_state state; /* the LSTM decoder's first state, [1, B, W] */
} tr_encoded;
tr_encoded tr_encode(tg_tape *tape, const tr_model *model, const tr_batch *batch);

/* Logits [B, 10, TR_START] of each character, given the ones before it (teacher forcing).
 * *attended becomes the result of the attention, for tg_attention_weights; `attended` may be
 * NULL. */
tg_tensor *tr_decode(tg_tape *tape, const tr_model *model, const tr_batch *batch,
                     const tr_encoded *encoded, tg_tensor **attended);

/* Translates by greedy decoding: fills batch->iso and batch->previous, with the likeliest
 * character at each step. Does not reset the tape. False after an error on the tape. */
bool tr_translate(tg_tape *tape, const tr_model *model, tr_batch *batch, tg_tensor **attended);

#endif
