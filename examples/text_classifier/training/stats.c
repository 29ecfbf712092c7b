#include "stats.h"

#include <math.h>

void tc_runs_add(tc_runs *runs, double accuracy, double seconds)
{
    runs->count++;
    runs->sum += accuracy;
    runs->squares += accuracy * accuracy;
    runs->seconds += seconds;
}

double tc_runs_mean(const tc_runs *runs) { return runs->sum / (double)runs->count; }

double tc_runs_deviation(const tc_runs *runs)
{
    if (runs->count < 2) return (double)NAN;
    return sqrt(
        fmax((runs->squares - runs->sum * tc_runs_mean(runs)) / (double)(runs->count - 1), 0));
}
