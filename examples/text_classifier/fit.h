/* Training a model: epochs of steps, the best epoch kept. */
#ifndef TC_FIT_H
#define TC_FIT_H

#include "evaluate.h"

/* Every row weighs as much, or every label, however rare it is. */
enum { TC_EVEN, TC_BALANCED };
extern const char *const tc_class_weight_names[]; /* NULL at the end */

typedef struct tc_schedule {
    int64_t seed;
    int64_t epochs, patience; /* patience 0: none */
    int64_t batch;
    double rate;
    int64_t warmup;      /* steps in which the rate rises to its height */
    double decay;        /* AdamW's, of all weights but the words' vectors */
    double smoothing;    /* of the labels */
    int class_weight;    /* TC_EVEN or TC_BALANCED */
    double word_dropout; /* how often a word is shown as unknown */
    int64_t
        average; /* what is measured and kept is the mean of the weights over about as many steps; 0: the weights */
    int32_t
        rare; /* words from this id on occur once: half of the time they are shown as unknown, so that there is
                     something to learn about unknown words */
    bool quiet; /* no line an epoch */
    bool norms; /* of the gradients, for the history */
    const char *
        checkpoint; /* a file that holds the training under way, or NULL; it is gone once the training has ended */
    double every; /* seconds from one checkpoint to the next */
    bool resume;  /* goes on where the checkpoint stands */
    const char *
        plan; /* all else that the weights depend on, as a JSON object of strings: a checkpoint of another is refused */
} tc_schedule;

enum { TC_LAYERS = 5 };
extern const char *const tc_layer_names[TC_LAYERS]; /* the first parts of the parameters' names */

/* What is known of an epoch: means over its rows, and, of some of its steps, of the norms of the layers' gradients. */
typedef struct tc_epoch {
    double train_loss, valid_loss, accuracy, norms[TC_LAYERS];
} tc_epoch;

/* Start with {0}; tc_outcome_free works at any time after that. */
typedef struct tc_outcome {
    int64_t best_epoch; /* from 1; 0: none was finished */
    double accuracy;    /* its, on the validation part */
    bool interrupted;
    tc_epoch *history;
    int64_t epochs; /* in the history */
} tc_outcome;

/* Trains on one part and prints a line an epoch. The model ends with the weights of the epoch that was best on `valid`
 * (accuracy, then loss), or, where that is empty, of the last one. Ctrl-C ends it after the step that is under way. False
 * after ex_fail. */
bool tc_fit(tc_model *model, tc_part train, tc_part valid, const tc_schedule *schedule,
            tc_outcome *outcome);

void tc_outcome_free(tc_outcome *outcome);

#endif
