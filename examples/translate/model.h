/* Two translators from characters to characters: LSTMs with attention or without, and a transformer. */
#ifndef TR_MODEL_H
#define TR_MODEL_H

#include "batch.h"

enum { TR_LAYERS = 2 }; /* of the transformer, in the encoder and in the decoder */

typedef struct tr_settings {
    bool transformer;
    bool attend;    /* the decoder of the LSTMs looks back at the text */
    tg_score score; /* of its attention */
} tr_settings;

typedef struct tr_model {
    tr_settings settings;
    tg_embedding text, iso;
    tg_linear output;
    tg_lstm encoder, decoder;
    tg_attention attention;
    tg_transformer encoders[TR_LAYERS], decoders[TR_LAYERS];
} tr_model;

/* Registers the parameters; an error is on `params`. */
void tr_model_init(tr_model *model, tg_params *params, tr_settings settings);

/* What the encoder made of a batch. */
typedef struct tr_encoded {
    tg_tensor *memory;   /* [B, T, W] */
    tg_lstm_state state; /* of the LSTMs: where the decoder starts, [1, B, W] */
} tr_encoded;
tr_encoded tr_encode(tg_tape *tape, const tr_model *model, const tr_batch *batch);

/* Logits [B, 10, TR_START] of each character, given those before it: teacher forcing, all ten in one go. `attended` lets the
 * attention be looked at; it may be NULL. */
tg_tensor *tr_decode(tg_tape *tape, const tr_model *model, const tr_batch *batch,
                     const tr_encoded *encoded, tg_tensor **attended);

/* Translates: fills batch->iso and batch->before, each character the likeliest after those before it. Leaves what was
 * recorded on the tape. False after an error on the tape. */
bool tr_translate(tg_tape *tape, const tr_model *model, tr_batch *batch, tg_tensor **attended);

#endif
