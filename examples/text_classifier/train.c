#include "commands.h"
#include "../support/failure.h"
#include "ranks.h"
#include "report.h"
#include "results.h"
#include "runs.h"
#include "../support/files.h"

#include <stdio.h>
#include <unistd.h>

/* ---- what is said before training ---- */

static void print_part(const char *what, const char *name, tc_part part, const ex_names *labels)
{
    int64_t tokens = 0;
    int32_t longest = 0;
    for (int32_t i = 0; i < part.count; i++) {
        tokens += part.rows[i].length;
        if (part.rows[i].length > longest) longest = part.rows[i].length;
    }
    printf("%-11s %d rows of %s (", what, part.count, name);
    for (int32_t label = 0; label < labels->count && label < 8; label++) {
        int32_t rows = 0;
        for (int32_t i = 0; i < part.count; i++) rows += part.rows[i].label == label;
        printf("%s%d %s", label ? ", " : "", rows, labels->items[label]);
    }
    printf("%s), %.1f tokens on the mean, %d at most\n", labels->count > 8 ? ", .." : "",
           (double)tokens / part.count, longest);
}

static void warn_cut(const tc_data *data, int64_t longest)
{
    if (!data->cut) return;
    fprintf(stderr,
            "textclf: %s: %d texts are longer than %lld tokens and are cut there (--longest)\n",
            data->name, data->cut, (long long)longest);
}

static void print_plan(const tc_material *m)
{
    const tc_options *options = &m->options;
    const tc_settings *settings = &options->settings;
    const ex_names *labels = &m->model.labels;
    const long long min_count = (long long)options->min_count;
    print_part("training:", m->train.name, m->train_part, labels);
    if (options->valid) print_part("validation:", m->valid.name, m->valid_part, labels);
    else if (m->valid_part.count)
        print_part("validation:", "the same, held out", m->valid_part, labels);
    else printf("validation: none, there are fewer than 20 rows: the last epoch is kept\n");
    if (m->test.count) print_part("test:", m->test.name, m->test_part, labels);
    printf("vocabulary: %d words that occur at least %lld time%s\n",
           m->model.words.count - EX_FIRST_WORD, min_count, min_count == 1 ? "" : "s");
    printf("model:      embedding %lld, encoder %s, hidden %lld, attention %s, dropout %g: %lld "
           "numbers to learn\n",
           (long long)settings->embedding, tc_encoder_names[settings->encoder],
           (long long)settings->hidden, tc_attention_names[settings->attention], settings->dropout,
           (long long)tg_params_size(m->model.params));
    printf("steps:      %lld epochs in batches of %lld, Adam at %g, seed %lld\n",
           (long long)options->schedule.epochs, (long long)options->schedule.batch,
           options->schedule.rate, (long long)options->schedule.seed);
    fflush(stdout);
    warn_cut(&m->train, settings->longest);
    warn_cut(&m->valid, settings->longest);
    warn_cut(&m->test, settings->longest);
}

/* ---- the command ---- */

/* What the trainings of one command come to. */
typedef struct totals {
    tc_runs valid, test;
    double best; /* accuracy on the validation part */
} totals;

static bool measure(const tc_material *m, totals *all)
{
    tc_score score;
    if (!m->test.count) return true;
    if (!tc_score_part(&score, &m->model, m->test_part)) return false;
    tc_runs_add(&all->test, tc_accuracy(&score), 0);
    if (m->options.seeds > 1) {
        printf(", test %.4f", tc_accuracy(&score));
    } else {
        printf("test:       ");
        tc_results_line(&score);
        printf("\n");
    }
    tc_score_free(&score);
    return true;
}

/* After Ctrl-C: what there is of a single training is saved, of several only what was finished. */
static int stop(tc_material *m, const tc_outcome *outcome, const totals *all)
{
    const char *path = m->options.output, *checkpoint = m->options.schedule.checkpoint;
    const bool several = m->options.seeds > 1, save = !several && outcome->best_epoch;
    if (save && !tc_model_save(&m->model, path)) return TC_FAILED;
    if (checkpoint)
        ex_fail("interrupted: the same command with --resume goes on from %s", checkpoint);
    else if (save)
        ex_fail("interrupted: %s holds the best epoch so far; with --checkpoint FILE it could have "
                "gone on",
                path);
    else if (!several)
        ex_fail("interrupted before the first epoch was done: no model is saved; with --checkpoint "
                "FILE it could have gone on");
    else if (all->valid.count)
        ex_fail("interrupted: %s holds the best of the trainings above", path);
    else ex_fail("interrupted before the first training was done: no model is saved");
    return TC_INTERRUPTED;
}

/* Saves the model if it is the best so far, and measures it. */
static int finish(tc_material *m, const tc_outcome *outcome, totals *all)
{
    const tc_options *options = &m->options;
    const char *path = options->output;
    const bool several = options->seeds > 1,
               better = !all->valid.count || outcome->accuracy > all->best;
    const long long epoch = (long long)outcome->best_epoch;
    if (better && !tc_model_save(&m->model, path)) return TC_FAILED;
    if (better) all->best = outcome->accuracy;
    if (options->schedule.checkpoint) remove(options->schedule.checkpoint);
    tc_runs_add(&all->valid, outcome->accuracy, 0);
    if (several)
        printf("seed %-6lld epoch %lld, validation %.4f", (long long)options->schedule.seed, epoch,
               outcome->accuracy);
    else printf("saved:      epoch %lld in %s\n", epoch, path);
    if (!measure(m, all)) return TC_FAILED;
    if (several) printf("%s\n", better ? "  *" : "");
    fflush(stdout);
    if (!options->report) return TC_DONE;
    if (!tc_report_write(options->report, m, outcome)) return TC_FAILED;
    printf("report:     %s\n", options->report);
    return TC_DONE;
}

/* One training from reading the data on. */
static int train_seed(int64_t number, totals *all, const tc_options *options)
{
    tc_options run = *options;
    tc_material m = {0};
    tc_outcome outcome = {0};
    char *plan = NULL;
    int status = TC_FAILED;
    run.schedule.seed += number;
    run.schedule.quiet = options->seeds > 1;
    run.schedule.norms = options->report != NULL;
    run.reading.quiet = number > 0;
    if (tc_material_prepare(&m, &run) && (plan = tc_material_plan(&m)) && tc_ranks_agree(plan)) {
        m.options.schedule.plan = plan;
        if (!number) print_plan(&m);
        if (tc_fit(&m.model, m.train_part, m.valid_part, &m.options.schedule, &outcome)) {
            if (tc_rank)
                status = outcome.interrupted ? TC_INTERRUPTED
                                             : TC_DONE; /* process 0 does the rest */
            else status = outcome.interrupted ? stop(&m, &outcome, all) : finish(&m, &outcome, all);
        }
    }
    ex_free(plan);
    tc_outcome_free(&outcome);
    tc_material_free(&m);
    return status;
}

static bool check_files(const tc_options *options)
{
    const char *checkpoint = options->schedule.checkpoint;
    const bool resume = options->schedule.resume;
    if (resume && !checkpoint)
        return ex_fail("--resume goes on from a checkpoint: name it with --checkpoint FILE");
    if (options->seeds > 1 && (checkpoint || options->report)) {
        return ex_fail("a checkpoint and a report are of one training: leave --seeds out");
    }
    if (checkpoint && !resume && !access(checkpoint, F_OK)) {
        return ex_fail("%s: there is a training in it: go on with --resume, or remove the file",
                       checkpoint);
    }
    if (options->report && !ex_has_suffix(options->report, ".html")) {
        return ex_fail("%s: a report is a page: give --report FILE.html", options->report);
    }
    return ex_output_check(options->output) && tc_model_replaceable(options->output) &&
           (!checkpoint || ex_output_check(checkpoint)) &&
           (!options->report || ex_output_check(options->report));
}

int tc_train(const tc_options *options)
{
    totals all = {0};
    int status = check_files(options) ? TC_DONE : TC_FAILED;
    for (int64_t i = 0; status == TC_DONE && i < (options->seeds ? options->seeds : 1); i++)
        status = train_seed(i, &all, options);
    if (status != TC_DONE || options->seeds < 2) return status;
    if (all.best > 0) {
        printf("validation: mean %.4f, deviation %.4f\n", tc_runs_mean(&all.valid),
               tc_runs_deviation(&all.valid));
    }
    if (all.test.count)
        printf("test:       mean %.4f, deviation %.4f\n", tc_runs_mean(&all.test),
               tc_runs_deviation(&all.test));
    printf("saved:      the best on the validation part, %s\n", options->output);
    return status;
}
