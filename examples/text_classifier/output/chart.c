#include "chart.h"

#include <float.h>
#include <math.h>

/* In units of the drawing: about a pixel if two charts are side by side. */
enum { WIDTH = 360, HEIGHT = 216, LEFT = 46, RIGHT = 12, TOP = 24, BOTTOM = 34 };
enum { TICKS = 5, MAX_POINTS = 400, MAX_DOTS = 40 };

typedef struct axis {
    double low, high, step; /* step: the distance of ticks */
    int first, last;        /* of a logarithmic axis: the numbers of the ticks at low and high */
    bool log;
} axis;

/* Returns 1, 2, 5, 10, 20 ... for k = 0, 1, 2 ..., and 0.5, 0.2, 0.1 ... for k = -1, -2, -3 ... */
static double tick(int k)
{
    static const double mantissas[] = {1, 2, 5};
    const int decade = k >= 0 ? k / 3 : (k - 2) / 3;
    return mantissas[k - 3 * decade] * pow(10, decade);
}

/* Returns the number of the first tick at or above the value. */
static int tick_above(double value)
{
    int k = 3 * (int)floor(log10(value));
    while (tick(k) < value * (1 - 1e-9)) k++;
    return k;
}

/* Returns a step that divides the range into at most TICKS parts. */
static double nice_step(double range) { return tick(tick_above(range / TICKS)); }

/* Returns NaN for a point that is not drawn. A damaged checkpoint may hold numbers whose
 * difference would be infinite. */
static double value_at(const tc_chart *chart, int line, int64_t i)
{
    const double value = chart->lines[line].first[(size_t)i * chart->stride];
    return fabs(value) <= (double)FLT_MAX && (!chart->log || value >= (double)FLT_MIN)
               ? value
               : (double)NAN;
}

/* Returns an axis from a tick at or below the smallest value to one at or above the largest. */
static axis fit_axis(const tc_chart *chart)
{
    axis a = {.low = HUGE_VAL, .high = -HUGE_VAL, .log = chart->log};
    for (int l = 0; l < TC_CHART_LINES; l++) {
        for (int64_t i = 0; chart->lines[l].name && i < chart->epochs; i++) {
            a.low = fmin(a.low, value_at(chart, l, i));
            a.high = fmax(a.high, value_at(chart, l, i));
        }
    }
    if (a.low > a.high) a.low = a.high = 1; /* there are no points */
    if (a.log) {
        a.first = tick_above(a.low * (1 + 1e-6)) - 1;
        a.last = tick_above(a.high);
        if (a.last - a.first < 3) a.last = a.first + 3;
        a.low = tick(a.first);
        a.high = tick(a.last);
        return a;
    }
    if (a.high - a.low < 1e-6 * fabs(a.high) + 1e-9) {
        const double margin = fmax(0.1 * fabs(a.high), 0.01);
        a.low -= margin;
        a.high += margin;
    }
    a.step = nice_step(a.high - a.low);
    a.low = a.step * floor(a.low / a.step + 1e-6);
    a.high = a.step * ceil(a.high / a.step - 1e-6);
    if (chart->percent) a.high = fmin(a.high, 1);
    return a;
}

static double x_of(const tc_chart *chart, double epoch)
{
    const double share = chart->epochs > 1 ? (epoch - 1) / (double)(chart->epochs - 1) : 0.5;
    return LEFT + share * (WIDTH - LEFT - RIGHT);
}

static double y_of(const axis *a, double value)
{
    const double share = a->log ? log(value / a->low) / log(a->high / a->low)
                                : (value - a->low) / (a->high - a->low);
    return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP);
}

static void put_tick(tc_page *page, const tc_chart *chart, const axis *a, double value)
{
    char text[32];
    const double y = y_of(a, value);
    snprintf(text, sizeof text, "%.4g%s", chart->percent ? 100 * value : value,
             chart->percent ? " %" : "");
    tc_page_put(page,
                "<path class=\"axis\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" "
                "text-anchor=\"end\">%s</text>\n",
                LEFT, y, WIDTH - RIGHT, LEFT - 6, y + 4, text);
}

static void put_axes(tc_page *page, const tc_chart *chart, const axis *a)
{
    const int bottom = HEIGHT - BOTTOM;
    for (int i = 0; !a->log && a->low + i * a->step < a->high + a->step / 2; i++) {
        const double value = a->low + i * a->step;
        put_tick(page, chart, a, fabs(value) < a->step / 2 ? 0 : value);
    }
    for (int k = a->first; a->log && k <= a->last; k++) {
        if (k % 3 == 0 || a->last - a->first < 8) put_tick(page, chart, a, tick(k));
    }
    const int64_t step = (int64_t)fmax(nice_step((double)chart->epochs), 1);
    for (int64_t e = step; e <= chart->epochs; e += step) {
        tc_page_put(page, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%lld</text>\n",
                    x_of(chart, (double)e), bottom + 16, (long long)e);
    }
    tc_page_put(page, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">epoch</text>\n", WIDTH - RIGHT,
                bottom + 31);
    if (!chart->best) return;
    const double x = x_of(chart, (double)chart->best);
    const char *anchor = "middle";
    if (x < LEFT + 24) anchor = "start";
    else if (x > WIDTH - RIGHT - 24) anchor = "end";
    tc_page_put(page, "<path class=\"best\" d=\"M%.1f %dV%d\"/>", x, TOP - 4, bottom);
    tc_page_put(page, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">best: %lld</text>\n", x,
                TOP - 9, anchor, (long long)chart->best);
}

/* Thins a long history but keeps its last point. */
static void put_line(tc_page *page, const tc_chart *chart, const axis *a, int line)
{
    const int64_t step = 1 + (chart->epochs - 1) / MAX_POINTS, first = (chart->epochs - 1) % step;
    bool drawing = false;
    tc_page_put(page, "<path class=\"line s%d\" d=\"", line);
    for (int64_t i = first; i < chart->epochs; i += step) {
        const double value = value_at(chart, line, i);
        if (isnan(value)) continue;
        tc_page_put(page, "%s%.1f %.1f", drawing ? "L" : "M", x_of(chart, (double)(i + 1)),
                    y_of(a, value));
        drawing = true;
    }
    tc_page_put(page, "\"/>\n");
    for (int64_t i = 0; chart->epochs <= MAX_DOTS && i < chart->epochs; i++) {
        const double value = value_at(chart, line, i);
        if (isnan(value)) continue;
        tc_page_put(page, "<circle class=\"s%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\">", line,
                    x_of(chart, (double)(i + 1)), y_of(a, value), i + 1 == chart->best ? 4.5 : 2.5);
        tc_page_put(page, "<title>%s, epoch %lld: %.4f</title></circle>\n", chart->lines[line].name,
                    (long long)(i + 1), value);
    }
}

void tc_chart_put(tc_page *page, const tc_chart *chart)
{
    const axis a = fit_axis(chart);
    tc_page_put(page, "<figure>\n<figcaption>%s\n<div class=\"key\">", chart->title);
    for (int l = 0; l < TC_CHART_LINES; l++) {
        if (!chart->lines[l].name) continue;
        tc_page_put(page,
                    "<span><svg viewBox=\"0 0 26 8\"><path class=\"line s%d\" d=\"M0 "
                    "4H26\"/></svg>%s</span>\n",
                    l, chart->lines[l].name);
    }
    tc_page_put(page,
                "</div></figcaption>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n",
                WIDTH, HEIGHT, chart->title);
    put_axes(page, chart, &a);
    for (int l = 0; l < TC_CHART_LINES; l++) {
        if (chart->lines[l].name) put_line(page, chart, &a, l);
    }
    tc_page_put(page, "</svg>\n</figure>\n");
}
