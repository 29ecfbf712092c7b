/* The network: its settings, vocabulary, labels, layers and forward pass, and its file. */
#ifndef TC_MODEL_H
#define TC_MODEL_H

#include "bag.h"

/* Upper limits of the settings below. */
#define TC_MAX_DROPOUT 0.99
enum { TC_MAX_WIDTH = 4096, TC_MAX_LENGTH = 100000, TC_MAX_NGRAM = 5, TC_MAX_BUCKETS = 100000000 };

/* The encoder: [B, T, E] -> [B, T, D]. */
typedef enum tc_encoder {
    TC_LSTM,
    TC_BILSTM,
    TC_TRANSFORMER,
    TC_NO_ENCODER,
    TC_ENCODERS
} tc_encoder;
extern const char *const tc_encoder_names[TC_ENCODERS + 1]; /* ends with NULL */

/* The pooling over time: [B, T, D] -> [B, D]. The first six are the library's scores, in its
 * order. Without attention it is the LSTM's last state, or the mean if the encoder is not an
 * LSTM. */
typedef enum tc_attention {
    TC_ADDITIVE = TG_SCORE_ADDITIVE,
    TC_MULTIHEAD = 6,
    TC_NO_ATTENTION,
    TC_ATTENTIONS
} tc_attention;
extern const char *const tc_attention_names[TC_ATTENTIONS + 1]; /* ends with NULL */

typedef struct tc_settings {
    int64_t embedding; /* E */
    int64_t hidden;    /* H of each LSTM direction; a transformer's feed-forward layer has 2 H */
    int encoder, attention; /* tc_encoder, tc_attention */
    double dropout;
    int64_t max_length; /* tokens of a text; longer texts are truncated */
    int64_t ngrams;     /* the longest n-gram of the bag beside the attention; 0: no bag */
    int64_t buckets;    /* rows that the bag's n-grams are hashed into */
    bool max_pool;      /* adds the maximum of each feature over time beside the attention */
} tc_settings;

/* Start with {0}; tc_model_free is valid at any time after that. */
typedef struct tc_model {
    tc_settings settings;
    tc_tokenizer tokenizer;
    ex_names words, labels;
    tg_params *params;
    tg_embedding embedding;
    tg_lstm lstm;
    tg_transformer transformer;
    tg_attention_pool attention;
    tg_tensor *query; /* [1, D], the learned query of multi-head attention */
    tg_multihead multihead;
    tc_bag bag;
    tg_linear classify;
} tc_model;

/* Builds the layers of a new model from its settings, words and labels. Returns false after
 * ex_fail. */
bool tc_model_build(tc_model *model, int64_t seed);

/* Registers the layers with model->params; after loading a file they take their values from it.
 * Returns false if the params have an error. For tc_model_build and tc_model_load. */
bool tc_model_register(tc_model *model);

/* Makes the tables of words and n-grams sparse for training: a step moves only the rows that its
 * batch reads. Returns false after ex_fail. */
bool tc_model_set_sparse(tc_model *model);

/* Marks the rows that a batch reads in both tables as touched; see tg_params_touch_rows. Returns
 * false after ex_fail. */
bool tc_model_touch_rows(const tc_model *model, const tc_batch *batch);

/* Turns each text into the model's ids. Returns false after ex_fail. */
bool tc_model_encode(const tc_model *model, tc_dataset *data);

/* Intermediate results of a forward pass. */
typedef struct tc_activations {
    tg_tensor *embedded; /* [B, T, E] the words' vectors that the encoder reads, without the bag */
    tg_tensor *attended; /* for tg_attention_weights; NULL without attention */
} tc_activations;

/* Returns the logits [B, C] of a batch, or NULL after an error on the tape. `activations` may be
 * NULL. */
tg_tensor *tc_model_forward(tg_tape *tape, const tc_model *model, const tc_batch *batch,
                            tc_activations *activations);

/* Saves weights, vocabulary, labels and settings in one file. Returns false after ex_fail; the
 * old file, if any, is unchanged then. */
bool tc_model_save(tc_model *model, const char *path);

/* Loads a model for inference: its parameters are prepacked, see tg_params_set_inference. Returns
 * false after ex_fail: the file is not a model, or its parts do not fit together. */
bool tc_model_load(tc_model *model, const char *path);

/* Whether a model may be written to `path`: there is no file yet, or a model. Returns false after
 * ex_fail. */
bool tc_model_check_output(const char *path);

void tc_model_free(tc_model *model);

#endif
