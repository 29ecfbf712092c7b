/* textclf compare: the accuracy of every encoder with every attention. */
#include "commands.h"

#include "../../support/clock.h"
#include "../../support/failure.h"
#include "../training/stats.h"

#include <stdio.h>

enum { DEFAULT_SEEDS = 3 };

/* Whether to train this kind: it matches the options, or, without options, it is every attention
 * on the default encoder, or any encoder with additive attention or without attention. -1: not
 * given. */
static bool is_wanted(int encoder, int attention, const tc_settings *given)
{
    if (given->encoder >= 0 && encoder != given->encoder) return false;
    if (given->attention >= 0 && attention != given->attention) return false;
    if (given->encoder >= 0 || given->attention >= 0) return true;
    return encoder == TC_BILSTM || attention == TC_ADDITIVE || attention == TC_NO_ATTENTION;
}

/* Accuracy is measured on the test data; without it, on the validation data. */
static void print_head(const tc_experiment *e)
{
    const bool test = e->test.count > 0, valid = e->valid.count > 0;
    const int32_t rows = test ? e->test_rows.count : e->valid_rows.count;
    const char *name = e->train.name;
    if (test) name = e->test.name;
    else if (valid) name = e->valid.name;
    printf("accuracy on %d rows %s%s\n", rows, test || valid ? "of " : "held out of ", name);
    printf("encoder      attention    accuracy  deviation  parameters  seconds\n");
    fflush(stdout);
}

/* Trains one model and adds its accuracy. Returns an exit status. */
static int train_once(tc_stats *stats, int64_t *size, const tc_experiment_config *config)
{
    tc_experiment e = {0};
    tc_train_result result = {0};
    tc_score score = {0};
    bool good = tc_experiment_init(&e, config);
    if (good && !e.valid_rows.count && !e.test.count)
        good = ex_fail("no data to measure accuracy on; give --valid or --test");
    if (good && !config->read.quiet) print_head(&e);
    const double start = ex_seconds_now();
    good = good && tc_fit(&e.model, e.train_rows, e.valid_rows, &e.config.training, &result);
    const double seconds = ex_seconds_now() - start;
    if (good && !result.interrupted) {
        good = !e.test.count || tc_score_rows(&score, &e.model, e.test_rows);
        if (good)
            tc_stats_add(stats, e.test.count ? tc_accuracy(&score) : result.accuracy, seconds);
        *size = tg_params_size(e.model.params);
    }
    const bool interrupted = result.interrupted;
    tc_score_free(&score);
    tc_train_result_free(&result);
    tc_experiment_free(&e);
    if (!interrupted) return good ? TC_EXIT_OK : TC_EXIT_FAILED;
    ex_fail("interrupted; the rows above are complete");
    return TC_EXIT_INTERRUPTED;
}

static void print_row(const tc_stats *stats, int64_t size, const tc_settings *settings)
{
    printf("%-12s %-11s %8.4f  ", tc_encoder_names[settings->encoder],
           tc_attention_names[settings->attention], tc_stats_mean(stats));
    if (stats->count > 1) printf("%9.4f", tc_stats_deviation(stats));
    else printf("%9s", "-");
    printf("  %10lld %8.1f\n", (long long)size, stats->seconds / (double)stats->count);
    fflush(stdout);
}

/* Trains one kind with several seeds. Only the first training of all says how the data was read. */
static int train_kind(tc_experiment_config config, int64_t seeds)
{
    tc_stats stats = {0};
    int64_t size = 0;
    for (int64_t i = 0; i < seeds; i++) {
        const int status = train_once(&stats, &size, &config);
        if (status != TC_EXIT_OK) return status;
        config.training.seed++;
        config.read.quiet = true;
    }
    print_row(&stats, size, &config.settings);
    return TC_EXIT_OK;
}

int tc_compare(const tc_options *options)
{
    const int64_t seeds = options->seeds ? options->seeds : DEFAULT_SEEDS;
    tc_experiment_config config = options->config;
    config.training.quiet = true;
    printf("%s, %lld training%s of each kind, seeds from %lld on\n", config.train, (long long)seeds,
           seeds == 1 ? "" : "s", (long long)config.training.seed);
    for (int encoder = 0; encoder < TC_ENCODERS; encoder++) {
        for (int attention = 0; attention < TC_ATTENTIONS; attention++) {
            if (!is_wanted(encoder, attention, &options->config.settings)) continue;
            config.settings.encoder = encoder;
            config.settings.attention = attention;
            const int status = train_kind(config, seeds);
            if (status != TC_EXIT_OK) return status;
            config.read.quiet = true;
        }
    }
    return TC_EXIT_OK;
}
