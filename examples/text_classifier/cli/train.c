/* textclf train: trains a model, or several with different seeds, and saves the best one. */
#include "commands.h"

#include "../../support/checked.h"
#include "../../support/failure.h"
#include "../../support/files.h"
#include "../output/report.h"
#include "../output/results.h"
#include "../training/ranks.h"
#include "../training/stats.h"

#include <stdio.h>
#include <unistd.h>

/* ---- output before training ---- */

static void print_rows(const char *kind, const char *name, tc_slice slice, const ex_names *labels)
{
    int64_t tokens = 0;
    int32_t longest = 0;
    for (int32_t i = 0; i < slice.count; i++) {
        tokens += slice.rows[i].length;
        if (slice.rows[i].length > longest) longest = slice.rows[i].length;
    }
    printf("%-11s %d rows of %s (", kind, slice.count, name);
    for (int32_t label = 0; label < labels->count && label < 8; label++) {
        int32_t rows = 0;
        for (int32_t i = 0; i < slice.count; i++) rows += slice.rows[i].label == label;
        printf("%s%d %s", label ? ", " : "", rows, labels->items[label]);
    }
    printf("%s), %.1f tokens per text, at most %d\n", labels->count > 8 ? ", ..." : "",
           (double)tokens / slice.count, longest);
}

static void warn_truncated(const tc_dataset *data, int64_t max_length)
{
    if (!data->truncated) return;
    fprintf(stderr,
            "textclf: warning: %s: %d texts are longer than %lld tokens and are truncated; see "
            "--max-length\n",
            data->name, data->truncated, (long long)max_length);
}

static void print_experiment(const tc_experiment *e)
{
    const tc_train_config *training = &e->config.training;
    const tc_settings *settings = &e->config.settings;
    const ex_names *labels = &e->model.labels;
    const long long min_count = (long long)e->config.min_count;
    print_rows("training:", e->train.name, e->train_rows, labels);
    if (e->config.valid) print_rows("validation:", e->valid.name, e->valid_rows, labels);
    else if (e->valid_rows.count) print_rows("validation:", "the same data", e->valid_rows, labels);
    else printf("validation: none (fewer than 20 rows); the last epoch is saved\n");
    if (e->test.count) print_rows("test:", e->test.name, e->test_rows, labels);
    printf("vocabulary: %d words that occur at least %lld time%s\n",
           e->model.words.count - EX_FIRST_WORD, min_count, min_count == 1 ? "" : "s");
    printf("model:      encoder %s, attention %s, embedding %lld, hidden %lld, dropout %g; %lld "
           "parameters\n",
           tc_encoder_names[settings->encoder], tc_attention_names[settings->attention],
           (long long)settings->embedding, (long long)settings->hidden, settings->dropout,
           (long long)tg_params_size(e->model.params));
    printf("optimizer:  %s, learning rate %g, batch size %lld, at most %lld epochs, seed %lld\n",
           training->weight_decay > 0 ? "AdamW" : "Adam", training->lr,
           (long long)training->batch_size, (long long)training->epochs, (long long)training->seed);
    fflush(stdout);
    warn_truncated(&e->train, settings->max_length);
    warn_truncated(&e->valid, settings->max_length);
    warn_truncated(&e->test, settings->max_length);
}

/* Returns everything that the weights depend on as a JSON object of strings: the options, a hash
 * of the data, the number of processes and the instruction set. The caller frees it; NULL after
 * ex_fail. */
static char *settings_to_json(const tc_options *options, const tc_experiment *e)
{
    char data[80], processes[16];
    json_t *object = tc_options_to_json(options);
    snprintf(data, sizeof data, "%d and %d rows (%016llx)", e->train_rows.count,
             e->valid_rows.count, (unsigned long long)tc_experiment_hash(e));
    snprintf(processes, sizeof processes, "%d", tc_ranks);
    json_object_set_new(object, "data", json_string(data));
    json_object_set_new(object, "processes", json_string(processes));
    json_object_set_new(object, "instruction set", json_string(tg_isa()));
    return ex_json_write(object, 0);
}

/* ---- one training ---- */

/* The results of all trainings of one command. */
typedef struct totals {
    tc_stats valid, test;
    double best; /* accuracy on the validation data */
} totals;

static bool measure(const tc_experiment *e, const tc_options *options, totals *all)
{
    tc_score score;
    if (!e->test.count) return true;
    if (!tc_score_rows(&score, &e->model, e->test_rows)) return false;
    tc_stats_add(&all->test, tc_accuracy(&score), 0);
    if (options->seeds > 1) {
        printf(", test %.4f", tc_accuracy(&score));
    } else {
        printf("test:       ");
        tc_results_line(&score);
        printf("\n");
    }
    tc_score_free(&score);
    return true;
}

/* After Ctrl-C: saves the model of a single training; of several, only completed trainings are
 * saved. */
static int finish_interrupted(tc_experiment *e, const tc_options *options,
                              const tc_train_result *result, const totals *all)
{
    const char *path = options->output, *checkpoint = e->config.training.checkpoint;
    const bool several = options->seeds > 1, save = !several && result->best_epoch;
    if (save && !tc_model_save(&e->model, path)) return TC_EXIT_FAILED;
    if (checkpoint)
        ex_fail("interrupted; to continue from %s, add --resume to the command", checkpoint);
    else if (save)
        ex_fail(
            "interrupted; %s is the model of the best epoch so far; use --checkpoint FILE to be "
            "able to continue",
            path);
    else if (!several)
        ex_fail(
            "interrupted in the first epoch; no model is saved; use --checkpoint FILE to be able "
            "to continue");
    else if (all->valid.count)
        ex_fail("interrupted; %s is the best model of the trainings above", path);
    else ex_fail("interrupted in the first training; no model is saved");
    return TC_EXIT_INTERRUPTED;
}

static bool write_report(const tc_experiment *e, const tc_options *options,
                         const tc_train_result *result)
{
    json_t *settings = tc_options_to_json(options);
    const tc_report_source source = {e, result, settings, options->command_line};
    const bool good = settings && tc_report_write(options->report, &source);
    json_decref(settings);
    if (good) printf("report:     %s\n", options->report);
    return good;
}

/* Saves the model if it is the best so far, and measures it. */
static int finish(tc_experiment *e, const tc_options *options, const tc_train_result *result,
                  totals *all)
{
    const char *path = options->output, *checkpoint = e->config.training.checkpoint;
    const bool several = options->seeds > 1;
    const bool better = !all->valid.count || result->accuracy > all->best;
    const long long epoch = (long long)result->best_epoch;
    if (better && !tc_model_save(&e->model, path)) return TC_EXIT_FAILED;
    if (better) all->best = result->accuracy;
    if (checkpoint) remove(checkpoint);
    tc_stats_add(&all->valid, result->accuracy, 0);
    if (several)
        printf("seed %-6lld epoch %lld, validation %.4f", (long long)e->config.training.seed, epoch,
               result->accuracy);
    else printf("saved:      epoch %lld in %s\n", epoch, path);
    if (!measure(e, options, all)) return TC_EXIT_FAILED;
    if (several) printf("%s\n", better ? "  *" : "");
    fflush(stdout);
    if (options->report && !write_report(e, options, result)) return TC_EXIT_FAILED;
    return TC_EXIT_OK;
}

/* Trains the experiment and saves the model. `options` has its config with all choices made.
 * Process 0 alone prints and saves. */
static int train_experiment(tc_experiment *e, const tc_options *options, bool first, totals *all)
{
    tc_train_result result = {0};
    int status = TC_EXIT_FAILED;
    char *settings = settings_to_json(options, e);
    if (settings && tc_ranks_agree(settings)) {
        e->config.training.settings_json = settings;
        if (first) print_experiment(e);
        if (!tc_fit(&e->model, e->train_rows, e->valid_rows, &e->config.training, &result))
            status = TC_EXIT_FAILED;
        else if (tc_rank) status = result.interrupted ? TC_EXIT_INTERRUPTED : TC_EXIT_OK;
        else if (result.interrupted) status = finish_interrupted(e, options, &result, all);
        else status = finish(e, options, &result, all);
    }
    ex_free(settings);
    tc_train_result_free(&result);
    return status;
}

/* Trains with the number-th seed. */
static int train_seed(int64_t number, totals *all, const tc_options *given)
{
    tc_options options = *given;
    tc_experiment e = {0};
    int status = TC_EXIT_FAILED;
    options.config.training.seed += number;
    options.config.training.quiet = options.seeds > 1;
    options.config.training.record_norms = options.report != NULL;
    options.config.read.quiet = number > 0;
    if (tc_experiment_init(&e, &options.config)) {
        options.config = e.config;
        status = train_experiment(&e, &options, number == 0, all);
    }
    tc_experiment_free(&e);
    return status;
}

/* ---- the command ---- */

static bool check_files(const tc_options *options)
{
    const char *checkpoint = options->config.training.checkpoint;
    const bool resume = options->config.training.resume;
    if (resume && !checkpoint)
        return ex_fail("--resume needs the checkpoint to continue from; add --checkpoint FILE");
    if (options->seeds > 1 && checkpoint)
        return ex_fail("--checkpoint works for a single training; leave out --seeds");
    if (options->seeds > 1 && options->report)
        return ex_fail("--report works for a single training; leave out --seeds");
    if (checkpoint && !resume && !access(checkpoint, F_OK)) {
        return ex_fail(
            "%s: this checkpoint holds an interrupted training; add --resume to continue "
            "it, or remove the file",
            checkpoint);
    }
    if (options->report && !ex_has_suffix(options->report, ".html"))
        return ex_fail("%s: a report is a web page; give --report FILE.html", options->report);
    return ex_output_check(options->output) && tc_model_check_output(options->output) &&
           (!checkpoint || ex_output_check(checkpoint)) &&
           (!options->report || ex_output_check(options->report));
}

int tc_train(const tc_options *options)
{
    const int64_t seeds = options->seeds ? options->seeds : 1;
    totals all = {0};
    if (!check_files(options)) return TC_EXIT_FAILED;
    for (int64_t i = 0; i < seeds; i++) {
        const int status = train_seed(i, &all, options);
        if (status != TC_EXIT_OK) return status;
    }
    if (seeds < 2) return TC_EXIT_OK;
    if (all.best > 0) {
        printf("validation: mean %.4f, deviation %.4f\n", tc_stats_mean(&all.valid),
               tc_stats_deviation(&all.valid));
    }
    if (all.test.count) {
        printf("test:       mean %.4f, deviation %.4f\n", tc_stats_mean(&all.test),
               tc_stats_deviation(&all.test));
    }
    printf("saved:      the model that is best on the validation data, in %s\n", options->output);
    return TC_EXIT_OK;
}
