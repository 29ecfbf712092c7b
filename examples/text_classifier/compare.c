#include "commands.h"
#include "failure.h"
#include "material.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* What is measured of one kind of model. */
typedef struct result {
    double sum, squares; /* of the accuracies */
    double seconds;
    int64_t size;        /* numbers to learn */
    int64_t runs;
} result;

/* Without a wish: every attention on the default encoder, and the other encoders with additive attention and without. */
static bool wanted(tc_encoder encoder, tc_attention attention, const tc_options *options)
{
    if (options->encoder >= 0 && encoder != (tc_encoder)options->encoder) return false;
    if (options->attention >= 0 && attention != (tc_attention)options->attention) return false;
    return options->encoder >= 0 || options->attention >= 0 || encoder == TC_BILSTM || attention == TC_ADDITIVE ||
           attention == TC_NO_ATTENTION;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* One training, from reading the data on; the accuracy is that of the test part, or of the validation part without one. */
static int train_once(result *r, tc_settings settings, const tc_options *options)
{
    tc_material m = {0};
    tc_model model = {.settings = settings};
    tc_outcome outcome = {0};
    tc_score score = {0};
    bool good = tc_material_prepare(&m, &model, options);
    if (good && !m.valid_part.count && !m.test.count) good = tc_fail("there is nothing to measure on: give --valid or --test");
    tc_schedule schedule = tc_schedule_of(&m, options);
    schedule.quiet = true;
    double start = seconds_now();
    good = good && tc_fit(&model, m.train_part, m.valid_part, &schedule, &outcome);
    r->seconds += seconds_now() - start;
    if (good && !outcome.interrupted) {
        double accuracy = outcome.accuracy;
        good = !m.test.count || tc_score_part(&score, &model, (tc_part){m.test.rows, m.test.count});
        if (good && m.test.count) accuracy = tc_accuracy(&score);
        r->sum += accuracy;
        r->squares += accuracy * accuracy;
        r->size = tg_params_size(model.params);
        r->runs++;
    }
    tc_score_free(&score);
    tc_model_free(&model);
    tc_material_free(&m);
    return !good ? TC_FAILED : outcome.interrupted ? TC_INTERRUPTED : TC_DONE;
}

static void print_row(const result *r, tc_settings settings)
{
    double mean = r->sum / (double)r->runs;
    double variance = r->runs > 1 ? (r->squares - r->sum * mean) / (double)(r->runs - 1) : 0;
    printf("%-12s %-11s %8.4f  ", tc_encoder_names[settings.encoder], tc_attention_names[settings.attention], mean);
    if (r->runs > 1) printf("%9.4f", sqrt(fmax(variance, 0)));
    else printf("%9s", "-");
    printf("  %9lld  %8.1f\n", (long long)r->size, r->seconds / (double)r->runs);
    fflush(stdout);
}

int tc_compare(const tc_options *options)
{
    const char *data = options->argument_count ? options->arguments[0] : "builtin:reviews";
    printf("%s, %lld training%s of each kind, seeds from %lld on\n", data, (long long)options->seeds,
           options->seeds == 1 ? "" : "s", (long long)options->seed);
    printf("encoder      attention    accuracy  deviation    numbers   seconds\n");
    fflush(stdout);
    bool told = false; /* how the data is read, once */
    for (tc_encoder encoder = 0; encoder < TC_ENCODERS; encoder++) {
        for (tc_attention attention = 0; attention < TC_ATTENTIONS; attention++) {
            if (!wanted(encoder, attention, options)) continue;
            tc_settings settings = tc_settings_of(options);
            settings.encoder = encoder;
            settings.attention = attention;
            result r = {0};
            for (int64_t i = 0; i < options->seeds; i++) {
                tc_options run = *options;
                run.seed += i;
                run.reading.quiet = told;
                told = true;
                int status = train_once(&r, settings, &run);
                if (status != TC_DONE) return status;
            }
            print_row(&r, settings);
        }
    }
    return TC_DONE;
}
