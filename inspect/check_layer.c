/* tg_check_layer: the order of the checks, and their report. The checks are in layer_checks.c.
 *
 * All checks but that of threads use one thread, so that a sum whose order depends on the number of
 * threads fails that check alone. */
#include "check_layer.h"

#ifdef _OPENMP
#include <stdio.h>
#include <omp.h>
#endif

#include "layer_pass.h"

static const char *const names[TG_LAYER_CHECKS] = {"runs",  "repeats", "threads", "gradients",
                                                   "files", "padding", "memory",  "errors"};

static bool passes(tg_checker *c, tg_layer_check check)
{
    c->check = check;
    tg_layer_checks[check](c);
    return c->report->lines[check].verdict != TG_LAYER_FAILED;
}

static void run_checks(tg_checker *c)
{
    for (int k = 0; k < TG_LAYER_CHECKS; k++) {
        c->check = (tg_layer_check)k;
        tg_layer_skip(c, "depends on a check that failed");
    }
    if (!passes(c, TG_LAYER_RUNS)) return;
    if (passes(c, TG_LAYER_REPEATS)) {
        passes(c, TG_LAYER_THREADS);
        passes(c, TG_LAYER_GRADIENTS);
        passes(c, TG_LAYER_FILES);
        passes(c, TG_LAYER_PADDING);
    }
    passes(c, TG_LAYER_MEMORY);
    passes(c, TG_LAYER_ERRORS);
}

bool tg_check_layer(const tg_checked_layer *layer, tg_layer_report *report)
{
    tg_layer_report *own = NULL;
    if (!report) report = own = tg_realloc(NULL, sizeof *own);
    if (!report) return false;
    tg_checker c = {.layer = layer, .report = report};
#ifdef _OPENMP
    const int threads = omp_get_max_threads();
    omp_set_num_threads(1);
#endif
    run_checks(&c);
#ifdef _OPENMP
    omp_set_num_threads(threads);
#endif
    tg_params_free(c.params);
    bool passed = true;
    for (int k = 0; k < TG_LAYER_CHECKS; k++)
        passed = passed && report->lines[k].verdict != TG_LAYER_FAILED;
    report->passed = passed;
    tg_free(own);
    return passed;
}

const char *tg_layer_check_name(tg_layer_check check)
{
    return check < TG_LAYER_CHECKS ? names[check] : "";
}

bool tg_layer_report_write(const tg_layer_report *report, FILE *stream)
{
    static const char *const verdicts[] = {"skipped", "passed", "FAILED"};
    int counts[3] = {0};
    for (int k = 0; k < TG_LAYER_CHECKS; k++) {
        const tg_layer_verdict verdict = report->lines[k].verdict;
        fprintf(stream, "%-9s  %-7s  %s\n", names[k], verdicts[verdict], report->lines[k].text);
        counts[verdict]++;
    }
    if (counts[TG_LAYER_FAILED])
        fprintf(stream, "%d of %d checks failed\n", counts[TG_LAYER_FAILED], TG_LAYER_CHECKS);
    else if (counts[TG_LAYER_SKIPPED])
        fprintf(stream, "%d checks passed, %d skipped\n", counts[TG_LAYER_PASSED],
                counts[TG_LAYER_SKIPPED]);
    else fprintf(stream, "all %d checks passed\n", TG_LAYER_CHECKS);
    return !ferror(stream);
}
