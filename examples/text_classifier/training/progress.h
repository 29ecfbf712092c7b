/* The progress of a training and its checkpoints; shared by fit.c and checkpoint.c. */
#ifndef TC_PROGRESS_H
#define TC_PROGRESS_H

#include "fit.h"

/* Together with the weights and the optimizer state, everything that the rest of a training
 * depends on. */
typedef struct tc_progress {
    int64_t epoch;        /* the current epoch, from 1 */
    int64_t batches_done; /* of the current epoch */
    int64_t steps;        /* of all epochs */
    int64_t best_epoch;   /* 0: no epoch was completed */
    double best_accuracy, best_loss;
    double loss;             /* of the current epoch, summed over its rows */
    int64_t tokens;          /* of the current epoch */
    double seconds;          /* that the current epoch took so far */
    double norms[TC_LAYERS]; /* of its gradients, summed over norm_samples steps */
    int64_t norm_samples;
    int64_t shuffle_rng;      /* counter of the generator, as it was before this epoch's shuffle */
    int64_t word_dropout_rng; /* counter */
    int64_t dropout_rng;      /* counter */
    tc_epoch *history;        /* [epoch - 1] completed epochs; owned by fit.c */
} tc_progress;

/* The names of a parameter's optimizer state for the weights of the best epoch, and for the mean
 * of the weights over steps. */
#define TC_BEST "best"
#define TC_MEAN "mean"

/* Writes model and progress to the checkpoint of `config`. If that fails it keeps the old
 * checkpoint and prints a warning. */
void tc_checkpoint_save(tc_model *model, const tc_progress *progress,
                        const tc_train_config *config);

/* Loads model and progress from there; *found is false if there is no such file.
 * progress->history must have a capacity of config->epochs. `batches` is the number of batches in
 * an epoch. Returns false after ex_fail: the checkpoint is damaged, or belongs to another
 * training. */
bool tc_checkpoint_load(tc_model *model, tc_progress *progress, const tc_train_config *config,
                        int64_t batches, bool *found);

#endif
