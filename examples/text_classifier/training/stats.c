#include "stats.h"

#include <math.h>

void tc_stats_add(tc_stats *stats, double accuracy, double seconds)
{
    stats->count++;
    stats->sum += accuracy;
    stats->sum_of_squares += accuracy * accuracy;
    stats->seconds += seconds;
}

double tc_stats_mean(const tc_stats *stats) { return stats->sum / (double)stats->count; }

double tc_stats_deviation(const tc_stats *stats)
{
    if (stats->count < 2) return (double)NAN;
    const double spread = stats->sum_of_squares - stats->sum * tc_stats_mean(stats);
    return sqrt(fmax(spread / (double)(stats->count - 1), 0));
}
