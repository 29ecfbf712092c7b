/* Trains a model for several epochs and keeps the weights of the best one. */
#ifndef TC_FIT_H
#define TC_FIT_H

#include "../model/evaluate.h"

/* TC_NO_CLASS_WEIGHT: every row has weight 1. TC_BALANCED: every label has the same total. */
enum { TC_NO_CLASS_WEIGHT, TC_BALANCED };
extern const char *const tc_class_weight_names[]; /* ends with NULL */

typedef struct tc_train_config {
    int64_t seed;
    int64_t epochs;
    int64_t patience; /* stop after this many epochs without a better one; 0: never */
    int64_t batch_size;
    double lr;
    int64_t warmup_steps;   /* steps in which the learning rate rises to lr */
    double weight_decay;    /* AdamW's, of all weights except the word and bag embeddings */
    double label_smoothing; /* the share of a label that is spread over all labels */
    int class_weight;       /* TC_NO_CLASS_WEIGHT or TC_BALANCED */
    double word_dropout;    /* the probability that a word is replaced by <unknown> */
    /* Evaluate and save the mean of the weights over about this many steps; 0: no mean. */
    int64_t average_steps;
    /* Ids from here on occur once in the training data. Half of the time they are replaced by
     * <unknown>, which learns its vector from them. */
    int32_t first_rare_word;
    bool quiet;                 /* print nothing */
    bool record_norms;          /* record the gradients' norms in the history */
    const char *checkpoint;     /* its file, which is removed when training has ended; NULL: none */
    double checkpoint_interval; /* seconds */
    bool resume;                /* continue from the checkpoint */
    /* Everything that the weights depend on, as a JSON object of strings. A checkpoint with other
     * settings is refused. */
    const char *settings_json;
} tc_train_config;

enum { TC_LAYERS = 5 };
extern const char *const tc_layer_names[TC_LAYERS]; /* the first parts of the parameters' names */

/* The means of one epoch: over its rows, and, for the gradients' norms, over some of its steps. */
typedef struct tc_epoch {
    double train_loss, valid_loss, accuracy, norms[TC_LAYERS];
} tc_epoch;

/* Start with {0}; tc_train_result_free is valid at any time after that. */
typedef struct tc_train_result {
    int64_t best_epoch; /* from 1; 0: no epoch was completed */
    double accuracy;    /* of the best epoch on the validation data */
    bool interrupted;
    tc_epoch *history; /* [epochs] */
    int64_t epochs;
} tc_train_result;

/* Trains on `train` and prints a line for each epoch. The model ends with the weights of the
 * epoch that was best on `valid` (by accuracy, then by loss), or of the last epoch if `valid` is
 * empty. Ctrl-C ends training after the current step. Returns false after ex_fail. */
bool tc_fit(tc_model *model, tc_slice train, tc_slice valid, const tc_train_config *config,
            tc_train_result *result);

void tc_train_result_free(tc_train_result *result);

#endif
