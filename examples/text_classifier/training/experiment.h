/* One experiment: the data in its parts and the model before training. */
#ifndef TC_EXPERIMENT_H
#define TC_EXPERIMENT_H

#include "../data/read.h"
#include "../data/tokenizer.h"
#include "fit.h"

/* Without a number of epochs: enough for this many steps, within these limits. */
enum { TC_DEFAULT_STEPS = 1000, TC_MIN_EPOCHS = 8, TC_MAX_EPOCHS = 60 };

typedef struct tc_experiment_config {
    const char *train;        /* data, see tc_dataset_read */
    const char *valid, *test; /* data, or NULL */
    tc_read_options read;     /* for all three */
    tc_tokenizer_options tokenizer;
    int64_t min_count, max_vocab; /* 0: chosen by the number of rows; 0: all words */
    const char *vectors;          /* a file of word vectors, or NULL */
    bool freeze_embedding;
    tc_settings settings;
    tc_train_config training; /* epochs 0: chosen by the number of rows */
} tc_experiment_config;

/* Start with {0}; tc_experiment_free is valid at any time after that. */
typedef struct tc_experiment {
    tc_experiment_config config;   /* as given, with the open choices made */
    tc_dataset train, valid, test; /* valid and test may be empty */
    tc_slice train_rows, valid_rows, test_rows;
    tc_model model;
} tc_experiment;

/* Reads the data, builds the labels, the vocabulary and the model, loads word vectors, encodes
 * the texts and makes the open choices. A builtin is tested on its held-out part. Returns false
 * after ex_fail. */
bool tc_experiment_init(tc_experiment *experiment, const tc_experiment_config *config);

/* Returns a hash of the training and validation rows as the model sees them. */
uint64_t tc_experiment_hash(const tc_experiment *experiment);

void tc_experiment_free(tc_experiment *experiment);

#endif
