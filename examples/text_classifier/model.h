/* The network, what it needs to know besides its weights, and its file. */
#ifndef TC_MODEL_H
#define TC_MODEL_H

#include "batch.h"

enum { TC_MOST_WIDTH = 4096, TC_MOST_LENGTH = 100000 }; /* of embedding and hidden; of `longest` */

typedef struct tc_settings {
    int32_t embedding, hidden; /* E, and H of each direction */
    bool attention;            /* otherwise the last state of each direction is what is classified */
    double dropout;
    int32_t longest;           /* tokens of a text; the rest is cut */
} tc_settings;

/* Start with {0}; tc_model_free works at any time after that. */
typedef struct tc_model {
    tc_settings settings;
    tc_names words, labels;
    tg_params *params;
    tg_embedding embedding;
    tg_lstm encoder;
    tg_additive_attention attention;
    tg_linear classify;
} tc_model;

/* Builds the layers of a new model from its settings, words and labels. False after tc_fail. */
bool tc_model_build(tc_model *model, uint64_t seed);

/* Registers the layers with model->params, where those of a loaded file find their values. False when the params have an
 * error. For tc_model_build and tc_model_load. */
bool tc_model_register(tc_model *model);

/* The logits [B, C] of a batch; NULL after an error on the tape. With `detail` (attention only) its weights. */
tg_tensor *tc_model_forward(tg_tape *tape, const tc_model *model, const tc_batch *batch, tg_attention_detail *detail);

/* One file for the weights and, in its metadata, vocabulary, labels and settings: all of it or, after tc_fail, none.
 * A file that is not such a model, or whose parts do not fit each other, is a failure. */
bool tc_model_save(tc_model *model, const char *path);
bool tc_model_load(tc_model *model, const char *path);

void tc_model_free(tc_model *model);

#endif
