/* Clock and statistics; see timing.h. */
#include <stdlib.h>
#include <time.h>

#include "timing.h"

double timing_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- statistics ---- */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Interpolates between neighbours. */
static double quantile(const double *sorted, int64_t count, double q)
{
    const double at = q * (double)(count - 1);
    const int64_t below = (int64_t)at, above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
}

timing timing_of(double *samples, int64_t count)
{
    qsort(samples, (size_t)count, sizeof *samples, ascending);
    const double median = quantile(samples, count, 0.5);
    const double range = quantile(samples, count, 0.75) - quantile(samples, count, 0.25);
    return (timing){median * 1e3, 100 * range / median};
}

bool timing_measure(double seconds, timing_step step, void *state, timing *time)
{
    enum { MAX_SAMPLES = 50000, MIN_SAMPLES = 3 };
    static double samples[MAX_SAMPLES];
    const double shortest =
        1e-4; /* of a sample: reading the clock takes some tens of nanoseconds */
    const double warm_up = timing_now();
    double start, last = warm_up;
    int64_t warm = 0, count = 0;
    /* Two steps, unless they take too long: the first one allocates memory, and the second may
     * still rearrange it. */
    do {
        start = last;
        if (!step(state)) return false;
        last = timing_now();
        warm++;
    } while (last - warm_up < seconds / 5 || (warm < 2 && last - warm_up < seconds));
    const int64_t steps = 1 + (int64_t)(shortest / (last - start));
    start = last = timing_now();
    while (count < MIN_SAMPLES || (count < MAX_SAMPLES && last - start < seconds)) {
        for (int64_t i = 0; i < steps; i++)
            if (!step(state)) return false;
        const double end = timing_now();
        samples[count++] = (end - last) / (double)steps;
        last = end;
    }
    *time = timing_of(samples, count);
    return true;
}
