#include "commands.h"
#include "failure.h"
#include "material.h"
#include "results.h"
#include "files.h"

#include <stdio.h>

/* ---- what is said before training ---- */

static void print_part(const char *what, const char *name, tc_part part, const tc_names *labels)
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

static void warn_cut(const tc_data *data, int32_t longest)
{
    if (!data->cut) return;
    fprintf(stderr, "textclf: %s: %d texts are longer than %d tokens and are cut there (--longest)\n", data->name, data->cut,
            longest);
}

static void print_plan(const tc_material *m, const tc_model *model, int64_t epochs, const tc_options *options)
{
    const tc_settings *settings = &model->settings;
    print_part("training:", m->train.name, m->train_part, &model->labels);
    if (options->valid) print_part("validation:", m->valid.name, m->valid_part, &model->labels);
    else if (m->valid_part.count) print_part("validation:", "the same, held out", m->valid_part, &model->labels);
    else printf("validation: none, there are fewer than 20 rows: the last epoch is kept\n");
    if (m->test.count) print_part("test:", m->test.name, (tc_part){m->test.rows, m->test.count}, &model->labels);
    printf("vocabulary: %d words that occur at least %lld time%s\n", model->words.count - TC_FIRST_WORD,
           (long long)m->min_count, m->min_count == 1 ? "" : "s");
    printf("model:      embedding %d, encoder %s, hidden %d, attention %s, dropout %g: %lld numbers to learn\n",
           settings->embedding, tc_encoder_names[settings->encoder], settings->hidden,
           tc_attention_names[settings->attention], settings->dropout, (long long)tg_params_size(model->params));
    printf("steps:      %lld epochs in batches of %lld, Adam at %g, seed %lld\n", (long long)epochs,
           (long long)options->batch, options->rate, (long long)options->seed);
    fflush(stdout);
    warn_cut(&m->train, settings->longest);
    warn_cut(&m->valid, settings->longest);
    warn_cut(&m->test, settings->longest);
}

/* ---- the command ---- */

static bool print_test(const tc_model *model, const tc_data *test)
{
    tc_score score;
    if (!test->count) return true;
    if (!tc_score_part(&score, model, (tc_part){test->rows, test->count})) return false;
    printf("test:       ");
    tc_results_line(&score);
    printf("\n");
    tc_score_free(&score);
    return true;
}

static int train_and_save(tc_model *model, tc_material *m, const char *path, const tc_options *options)
{
    if (!tc_output_check(path) || !tc_material_prepare(m, model, options)) return TC_FAILED;
    tc_schedule schedule = tc_schedule_of(m, options);
    print_plan(m, model, schedule.epochs, options);

    tc_outcome outcome;
    if (!tc_fit(model, m->train_part, m->valid_part, &schedule, &outcome)) return TC_FAILED;
    if (!outcome.best_epoch) {
        tc_fail("interrupted before the first epoch was done: no model is saved");
        return TC_INTERRUPTED;
    }
    if (!tc_model_save(model, path)) return TC_FAILED;
    printf("saved:      epoch %lld in %s\n", (long long)outcome.best_epoch, path);
    if (outcome.interrupted) {
        tc_fail("interrupted: %s holds the best epoch so far, %lld", path, (long long)outcome.best_epoch);
        return TC_INTERRUPTED;
    }
    return print_test(model, &m->test) ? TC_DONE : TC_FAILED;
}

int tc_train(const tc_options *options)
{
    tc_material m = {0};
    tc_model model = {.settings = tc_settings_of(options)};
    const char *path = options->output ? options->output : "textclf.safetensors";
    int status = train_and_save(&model, &m, path, options);
    tc_model_free(&model);
    tc_material_free(&m);
    return status;
}
