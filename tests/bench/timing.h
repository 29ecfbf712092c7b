/* The clock and the statistics of the benchmark, also for OpenBLAS: they do not use the library. */
#ifndef BENCH_TIMING_H
#define BENCH_TIMING_H

#include <stdbool.h>
#include <stdint.h>

typedef struct timing {
    double ms;     /* the median, in milliseconds a step */
    double spread; /* the interquartile range, in percent of the median */
} timing;

/* One step of a workload; false after an error, which it has reported. */
typedef bool (*timing_step)(void *state);

double timing_now(void); /* seconds */

/* Median and spread of samples in seconds; sorts the samples. */
timing timing_of(double *samples, int64_t count);

/* Warms up, then takes samples for about `seconds`: at least three, each at least a tenth of a
 * millisecond long. False after an error of a step. */
bool timing_measure(double seconds, timing_step step, void *state, timing *time);

#endif
