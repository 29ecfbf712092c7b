/* A training under way, shared by fit.c and checkpoint.c. */
#ifndef TC_TRAINING_H
#define TC_TRAINING_H

#include "fit.h"

/* Where it stands. With the weights and what is kept beside them it is all that the rest of the training depends on. */
typedef struct tc_progress {
    int64_t epoch, place; /* the epoch under way, from 1, and how many of its batches are done */
    int64_t steps;        /* of all epochs */
    int64_t best_epoch;   /* 0: none was finished */
    double best_accuracy, best_loss;
    double loss;             /* of the epoch, summed over its rows */
    int64_t tokens;          /* of the epoch */
    double seconds;          /* that the epoch has taken */
    double norms[TC_LAYERS]; /* of its gradients, summed over `looks` of its steps */
    int64_t looks;
    int64_t order, hiding,
        dropping; /* counters of what orders (as before this epoch's), hidden words and dropout are drawn from */
    tc_epoch *history; /* [epoch - 1] of the finished ones; fit.c's */
} tc_progress;

/* The names under which numbers are kept beside a parameter's: of the best epoch, and their mean over steps. */
#define TC_BEST "best"
#define TC_MEAN "mean"

/* Writes model and progress to the schedule's checkpoint, whole or not at all: then the old one stays, and a line says why. */
void tc_checkpoint_save(tc_model *model, const tc_progress *progress, const tc_schedule *schedule);

/* Takes model and progress from there; *found is false where there is no such file. `history` has room for all epochs, of so many
 * `batches`. False after ex_fail: it is damaged, or of another training. */
bool tc_checkpoint_load(tc_model *model, tc_progress *progress, const tc_schedule *schedule,
                        int64_t batches, bool *found);

#endif
