/* What several trainings of one kind come to. */
#ifndef TC_RUNS_H
#define TC_RUNS_H

#include <stdint.h>

/* Start with {0}. */
typedef struct tc_runs {
    int64_t count;
    double sum, squares, seconds; /* of the accuracies, and the time of all */
} tc_runs;

void tc_runs_add(tc_runs *runs, double accuracy, double seconds);

double tc_runs_mean(const tc_runs *runs);

/* Of the sample; NaN of a single run. */
double tc_runs_deviation(const tc_runs *runs);

#endif
