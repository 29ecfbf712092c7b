#include "commands.h"
#include "../support/clock.h"
#include "../support/failure.h"
#include "material.h"
#include "runs.h"

#include <stdio.h>

enum { DEFAULT_SEEDS = 3 };

/* Without a wish: every attention on the default encoder, and the other encoders with additive attention and without. */
static bool wanted(int encoder, int attention, const tc_settings *wish)
{
    if (wish->encoder >= 0 && encoder != wish->encoder) return false;
    if (wish->attention >= 0 && attention != wish->attention) return false;
    return wish->encoder >= 0 || wish->attention >= 0 || encoder == TC_BILSTM ||
           attention == TC_ADDITIVE || attention == TC_NO_ATTENTION;
}

static void print_head(const tc_material *m)
{
    const bool test = m->test.count;
    printf("accuracy on %d rows %s", test ? m->test.count : m->valid_part.count,
           test || m->valid.count ? "of " : "held out of ");
    printf("%s\nencoder      attention    accuracy  deviation    numbers   seconds\n",
           test             ? m->test.name
           : m->valid.count ? m->valid.name
                            : m->train.name);
    fflush(stdout);
}

/* One training, from reading the data on; the accuracy is that of the test part, or of the validation part without one. */
static int train_once(tc_runs *runs, int64_t *size, const tc_options *options)
{
    tc_material m = {0};
    tc_outcome outcome = {0};
    tc_score score = {0};
    bool good = tc_material_prepare(&m, options);
    if (good && !m.valid_part.count && !m.test.count)
        good = ex_fail("there is nothing to measure on: give --valid or --test");
    if (good && !options->reading.quiet) print_head(&m);
    const double start = ex_seconds_now();
    good = good && tc_fit(&m.model, m.train_part, m.valid_part, &m.options.schedule, &outcome);
    const double seconds = ex_seconds_now() - start;
    if (good && !outcome.interrupted) {
        good = !m.test.count || tc_score_part(&score, &m.model, m.test_part);
        if (good) tc_runs_add(runs, m.test.count ? tc_accuracy(&score) : outcome.accuracy, seconds);
        *size = tg_params_size(m.model.params);
    }
    tc_score_free(&score);
    tc_outcome_free(&outcome);
    tc_material_free(&m);
    if (outcome.interrupted) ex_fail("interrupted: the rows above are whole");
    return outcome.interrupted ? TC_INTERRUPTED : good ? TC_DONE : TC_FAILED;
}

static void print_row(const tc_runs *runs, int64_t size, const tc_settings *settings)
{
    printf("%-12s %-11s %8.4f  ", tc_encoder_names[settings->encoder],
           tc_attention_names[settings->attention], tc_runs_mean(runs));
    if (runs->count > 1) printf("%9.4f", tc_runs_deviation(runs));
    else printf("%9s", "-");
    printf("  %9lld  %8.1f\n", (long long)size, runs->seconds / (double)runs->count);
    fflush(stdout);
}

/* The trainings of one encoder and attention; the first of all says how the data is read. */
static int train_kind(const tc_options *options, int64_t seeds)
{
    tc_options run = *options;
    tc_runs runs = {0};
    int64_t size = 0;
    for (; runs.count < seeds; run.schedule.seed++, run.reading.quiet = true) {
        const int status = train_once(&runs, &size, &run);
        if (status != TC_DONE) return status;
    }
    print_row(&runs, size, &run.settings);
    return TC_DONE;
}

int tc_compare(const tc_options *options)
{
    const int64_t seeds = options->seeds ? options->seeds : DEFAULT_SEEDS;
    tc_options run = *options;
    int status = TC_DONE;
    run.schedule.quiet = true;
    printf("%s, %lld training%s of each kind, seeds from %lld on\n",
           options->argument_count ? options->arguments[0] : "builtin:reviews", (long long)seeds,
           seeds == 1 ? "" : "s", (long long)options->schedule.seed);
    for (int kind = 0; kind < TC_ENCODERS * TC_ATTENTIONS && status == TC_DONE; kind++) {
        run.settings.encoder = kind / TC_ATTENTIONS;
        run.settings.attention = kind % TC_ATTENTIONS;
        if (!wanted(run.settings.encoder, run.settings.attention, &options->settings)) continue;
        status = train_kind(&run, seeds);
        run.reading.quiet = true;
    }
    return status;
}
