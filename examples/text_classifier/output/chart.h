/* Draws lines over epochs as an SVG chart in a page. */
#ifndef TC_CHART_H
#define TC_CHART_H

#include "page.h"

typedef struct tc_line {
    const char *name;    /* NULL: no line */
    const double *first; /* the value of epoch 1; each further value is `stride` doubles later */
} tc_line;

enum { TC_CHART_LINES = 5 };

/* A point is left out if its value is not finite, is beyond float's range, or does not fit the
 * axis. */
typedef struct tc_chart {
    const char *title;
    tc_line lines[TC_CHART_LINES];
    size_t stride;
    int64_t epochs; /* at least 1 */
    int64_t best;   /* the epoch to mark; 0: none */
    bool log;       /* logarithmic axis of values */
    bool percent;   /* show values as percentages */
} tc_chart;

void tc_chart_put(tc_page *page, const tc_chart *chart);

#endif
