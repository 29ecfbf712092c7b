/* The network, what it needs to know besides its weights, and its file. */
#ifndef TC_MODEL_H
#define TC_MODEL_H

#include "bag.h"

/* Of embedding and hidden; of `longest`; of the bag's runs and buckets; of dropout. */
#define TC_MOST_DROPOUT 0.99
enum {
    TC_MOST_WIDTH = 4096,
    TC_MOST_LENGTH = 100000,
    TC_MOST_RUN = 5,
    TC_MOST_BUCKETS = 100000000
};

/* What reads the words' vectors, [B, T, E] -> [B, T, D]. */
typedef enum tc_encoder {
    TC_LSTM,
    TC_BILSTM,
    TC_TRANSFORMER,
    TC_NO_ENCODER,
    TC_ENCODERS
} tc_encoder;
extern const char *const tc_encoder_names[TC_ENCODERS + 1]; /* NULL at the end */

/* What makes one vector of them, [B, T, D] -> [B, D]: the first six are the library's scores, in its order. Without attention
 * it is the LSTM's last state, or the mean where there is no LSTM. */
typedef enum tc_attention {
    TC_ADDITIVE = TG_SCORE_ADDITIVE,
    TC_MULTIHEAD = 6,
    TC_NO_ATTENTION,
    TC_ATTENTIONS
} tc_attention;
extern const char *const tc_attention_names[TC_ATTENTIONS + 1];

typedef struct tc_settings {
    int64_t embedding,
        hidden; /* E; H of each direction of an LSTM, and half of a transformer's feed-forward part */
    int encoder, attention; /* of tc_encoder and tc_attention */
    double dropout;
    int64_t longest; /* tokens of a text; the rest is cut */
    int64_t ngrams,
        buckets; /* words of the longest run in the bag beside the attention, 0: no bag; and where runs go */
    bool max_pool; /* the largest of each feature over time, beside the attention */
} tc_settings;

/* Start with {0}; tc_model_free works at any time after that. */
typedef struct tc_model {
    tc_settings settings;
    tc_tokenizer tokenizer;
    tc_names words, labels;
    tg_params *params;
    tg_embedding embedding;
    tg_lstm lstm;
    tg_transformer transformer;
    tg_attention_pool attention;
    tg_tensor *query; /* [1, D] of multi-head attention */
    tg_multihead multihead;
    tc_bag bag;
    tg_linear classify;
} tc_model;

/* Builds the layers of a new model from its settings, words and labels. False after tc_fail. */
bool tc_model_build(tc_model *model, int64_t seed);

/* Registers the layers with model->params, where those of a loaded file find their values. False when the params have an
 * error. For tc_model_build and tc_model_load. */
bool tc_model_register(tc_model *model);

/* Makes the tables of words and runs sparse, for training: a step moves the rows of its batch
 * alone. False after tc_fail. */
bool tc_model_set_sparse(tc_model *model);

/* Touches the rows of a batch in both tables; see tg_params_touch_rows. False after tc_fail. */
bool tc_model_touch_rows(const tc_model *model, const tc_batch *batch);

/* Turns each text into the ids that the model reads. False after tc_fail. */
bool tc_model_encode(const tc_model *model, tc_data *data);

/* What a forward pass leaves to look at. */
typedef struct tc_look {
    tg_tensor *
        words; /* [B, T, E] the embedded words that the encoder reads; a bag has vectors of its own */
    tg_tensor *attended; /* where there is attention */
} tc_look;

/* The logits [B, C] of a batch; NULL after an error on the tape. `look` may be NULL. */
tg_tensor *tc_model_forward(tg_tape *tape, const tc_model *model, const tc_batch *batch,
                            tc_look *look);

/* One file for the weights and, in its metadata, vocabulary, labels and settings: all of it or, after tc_fail, none. What is
 * loaded is to be asked, not to be trained: its parameters are held.
 * A file that is not such a model, or whose parts do not fit each other, is a failure. */
bool tc_model_save(tc_model *model, const char *path);
bool tc_model_load(tc_model *model, const char *path);

/* Whether a model may be written there: there is no file, or one that looks like a model. False after tc_fail. */
bool tc_model_replaceable(const char *path);

void tc_model_free(tc_model *model);

#endif
