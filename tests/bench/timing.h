/* How the benchmark takes time, the same for ours and for OpenBLAS; it needs nothing of the library. */
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

/* Median and spread of seconds, which are sorted. */
timing timing_of(double *samples, int64_t count);

/* Warms up, then takes samples of a tenth of a millisecond at least for about `seconds`, three at least. */
bool timing_measure(double seconds, timing_step step, void *state, timing *time);

#endif
