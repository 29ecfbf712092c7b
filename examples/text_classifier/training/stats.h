/* Mean and standard deviation of the accuracies of several trainings. */
#ifndef TC_STATS_H
#define TC_STATS_H

#include <stdint.h>

/* Start with {0}. */
typedef struct tc_stats {
    int64_t count;
    double sum, sum_of_squares; /* of the accuracies */
    double seconds;             /* of all trainings */
} tc_stats;

void tc_stats_add(tc_stats *stats, double accuracy, double seconds);

double tc_stats_mean(const tc_stats *stats);

/* The sample's standard deviation; NaN for a single training. */
double tc_stats_deviation(const tc_stats *stats);

#endif
