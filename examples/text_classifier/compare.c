#include "commands.h"
#include "../support/failure.h"
#include "material.h"
#include "runs.h"

#include <stdio.h>
#include <stdlib.h>

enum { DEFAULT_SEEDS = 3 };

/* Without a wish: every attention on the default encoder, and the other encoders with additive attention and without. */
static bool wanted(tc_encoder encoder, tc_attention attention, const tc_options *options)
{
    if (options->encoder >= 0 && encoder != (tc_encoder)options->encoder) return false;
    if (options->attention >= 0 && attention != (tc_attention)options->attention) return false;
    return options->encoder >= 0 || options->attention >= 0 || encoder == TC_BILSTM || attention == TC_ADDITIVE ||
           attention == TC_NO_ATTENTION;
}

/* One training, from reading the data on; the accuracy is that of the test part, or of the validation part without one. */
static int train_once(tc_runs *runs, int64_t *size, tc_settings settings, const tc_options *options)
{
    tc_material m = {0};
    tc_model model = {.settings = settings};
    tc_outcome outcome = {0};
    tc_score score = {0};
    bool good = tc_material_prepare(&m, &model, options);
    if (good && !m.valid_part.count && !m.test.count) good = tc_fail("there is nothing to measure on: give --valid or --test");
    tc_schedule schedule = tc_schedule_of(&m, options);
    schedule.quiet = true;
    const double start = tc_seconds_now();
    good = good && tc_fit(&model, m.train_part, m.valid_part, &schedule, &outcome);
    const double seconds = tc_seconds_now() - start;
    if (good && !outcome.interrupted) {
        double accuracy = outcome.accuracy;
        good = !m.test.count || tc_score_part(&score, &model, (tc_part){m.test.rows, m.test.count});
        if (good && m.test.count) accuracy = tc_accuracy(&score);
        tc_runs_add(runs, accuracy, seconds);
        *size = tg_params_size(model.params);
    }
    tc_score_free(&score);
    tc_outcome_free(&outcome);
    tc_model_free(&model);
    tc_material_free(&m);
    return !good ? TC_FAILED : outcome.interrupted ? TC_INTERRUPTED : TC_DONE;
}

static void print_row(const tc_runs *runs, int64_t size, tc_settings settings)
{
    printf("%-12s %-11s %8.4f  ", tc_encoder_names[settings.encoder], tc_attention_names[settings.attention], tc_runs_mean(runs));
    if (runs->count > 1) printf("%9.4f", tc_runs_deviation(runs));
    else printf("%9s", "-");
    printf("  %9lld  %8.1f\n", (long long)size, runs->seconds / (double)runs->count);
    fflush(stdout);
}

int tc_compare(const tc_options *options)
{
    const int64_t seeds = options->seeds ? options->seeds : DEFAULT_SEEDS;
    const char *data = options->argument_count ? options->arguments[0] : "builtin:reviews";
    printf("%s, %lld training%s of each kind, seeds from %lld on\n", data, (long long)seeds,
           seeds == 1 ? "" : "s", (long long)options->seed);
    printf("encoder      attention    accuracy  deviation    numbers   seconds\n");
    fflush(stdout);
    bool told = false; /* how the data is read, once */
    for (tc_encoder encoder = 0; encoder < TC_ENCODERS; encoder++) {
        for (tc_attention attention = 0; attention < TC_ATTENTIONS; attention++) {
            if (!wanted(encoder, attention, options)) continue;
            tc_settings settings = tc_settings_of(options);
            settings.encoder = encoder;
            settings.attention = attention;
            tc_runs runs = {0};
            int64_t size = 0;
            for (int64_t i = 0; i < seeds; i++) {
                tc_options run = *options;
                run.seed += i;
                run.reading.quiet = told;
                told = true;
                int status = train_once(&runs, &size, settings, &run);
                if (status != TC_DONE) return status;
            }
            print_row(&runs, size, settings);
        }
    }
    return TC_DONE;
}
