/* Training a model: epochs of steps, the best epoch kept. */
#ifndef TC_FIT_H
#define TC_FIT_H

#include "evaluate.h"

typedef struct tc_schedule {
    uint64_t seed;
    int64_t epochs, patience; /* patience 0: none */
    int32_t batch;
    double rate;
    int64_t warmup;       /* steps in which the rate rises to its height */
    double decay;         /* AdamW's, of all weights but the words' vectors */
    double smoothing;     /* of the labels */
    bool balanced;        /* every label weighs as much, however rare it is */
    double word_dropout;  /* how often a word is shown as unknown */
    int32_t rare; /* words from this id on occur once: half of the time they are shown as unknown, so that there is
                     something to learn about unknown words */
    bool quiet;   /* no line an epoch */
} tc_schedule;

typedef struct tc_outcome {
    int64_t best_epoch; /* from 1; 0: none was finished */
    double accuracy;    /* its, on the validation part */
    bool interrupted;
} tc_outcome;

/* Trains on one part and prints a line an epoch. The model ends with the weights of the epoch that was best on `valid`
 * (accuracy, then loss), or, where that is empty, of the last one. Ctrl-C ends it after the step that is under way. False
 * after tc_fail. */
bool tc_fit(tc_model *model, tc_part train, tc_part valid, const tc_schedule *schedule, tc_outcome *outcome);

#endif
