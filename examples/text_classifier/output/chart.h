/* A chart of lines over epochs, drawn as SVG into a page. */
#ifndef TC_CHART_H
#define TC_CHART_H

#include "page.h"

typedef struct tc_line {
    const char *name;
    const double *first; /* the value of epoch 1; the next one is `stride` further on */
} tc_line;

enum { TC_CHART_LINES = 5 };

typedef struct tc_chart {
    const char *title;
    tc_line lines
        [TC_CHART_LINES]; /* those that have a name; a point whose value no float can have, or that cannot be on
                                      the axis, is left out */
    size_t stride;
    int64_t epochs, best; /* at least 1; the epoch that is marked, 0: none */
    bool log, percent;    /* the axis of values: logarithmic; shares shown in percent */
} tc_chart;

void tc_chart_put(tc_page *page, const tc_chart *chart);

#endif
