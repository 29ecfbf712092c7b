#include "builtin.h"
#include "commands.h"
#include "failure.h"
#include "fit.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

/* What training works on. */
typedef struct material {
    tc_data train, valid, test;  /* valid and test may be empty */
    tc_part train_part, valid_part;
    int32_t rare;                /* the first word that occurs once */
    int64_t min_count;
} material;

static void material_free(material *m)
{
    tc_data_free(&m->train);
    tc_data_free(&m->valid);
    tc_data_free(&m->test);
}

/* ---- data ---- */

static bool read_labelled(tc_data *data, const char *name, const tc_names *labels)
{
    return !name || (tc_data_read(data, name) && tc_data_number_labels(data, labels));
}

static bool read_material(material *m, tc_names *labels, const tc_options *options)
{
    const char *name = options->argument_count ? options->arguments[0] : "builtin:reviews";
    const tc_builtin *builtin = tc_builtin_find(name);
    const char *test = options->test ? options->test : builtin ? builtin->test : NULL;
    if (!tc_data_read(&m->train, name) || !tc_data_labels(labels, &m->train) ||
        !tc_data_number_labels(&m->train, labels) || !read_labelled(&m->valid, options->valid, labels) ||
        !read_labelled(&m->test, test, labels)) {
        return false;
    }
    int32_t held_out = 0;
    if (!options->valid && !tc_data_split(&m->train, labels, (uint64_t)options->seed, &held_out)) return false;
    m->train_part = (tc_part){m->train.rows, m->train.count - held_out};
    m->valid_part = options->valid ? (tc_part){m->valid.rows, m->valid.count}
                                   : (tc_part){m->train.rows + m->train_part.count, held_out};
    return true;
}

/* The vocabulary of the rows that are trained on, not of those that validate. */
static bool build_vocabulary(tc_names *words, material *m, int64_t min_count)
{
    tc_tokens tokens = {0};
    bool good = true;
    for (int32_t i = 0; good && i < m->train_part.count; i++) good = tc_tokens_add(&tokens, m->train_part.rows[i].text);
    m->min_count = min_count ? min_count : m->train_part.count >= 1000 ? 2 : 1;
    good = good && tc_vocabulary_build(words, &tokens, m->min_count, &m->rare);
    tc_tokens_free(&tokens);
    return good;
}

static bool prepare(material *m, tc_model *model, const tc_options *options)
{
    int32_t longest = model->settings.longest;
    return read_material(m, &model->labels, options) && build_vocabulary(&model->words, m, options->min_count) &&
           tc_data_encode(&m->train, &model->words, longest) && tc_data_encode(&m->valid, &model->words, longest) &&
           tc_data_encode(&m->test, &model->words, longest);
}

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

static void print_plan(const material *m, const tc_model *model, int64_t epochs, const tc_options *options)
{
    const tc_settings *settings = &model->settings;
    print_part("training:", m->train.name, m->train_part, &model->labels);
    if (options->valid) print_part("validation:", m->valid.name, m->valid_part, &model->labels);
    else if (m->valid_part.count) print_part("validation:", "the same, held out", m->valid_part, &model->labels);
    else printf("validation: none, there are fewer than 20 rows: the last epoch is kept\n");
    if (m->test.count) print_part("test:", m->test.name, (tc_part){m->test.rows, m->test.count}, &model->labels);
    printf("vocabulary: %d words that occur at least %lld time%s\n", model->words.count - TC_FIRST_WORD,
           (long long)m->min_count, m->min_count == 1 ? "" : "s");
    printf("model:      embedding %d, LSTM of 2 x %d, %s, dropout %g: %lld numbers to learn\n", settings->embedding,
           settings->hidden, settings->attention ? "additive attention" : "its last state", settings->dropout,
           (long long)tg_params_size(model->params));
    printf("steps:      %lld epochs in batches of %lld, Adam at %g, seed %lld\n", (long long)epochs,
           (long long)options->batch, options->rate, (long long)options->seed);
    fflush(stdout);
    warn_cut(&m->train, settings->longest);
    warn_cut(&m->valid, settings->longest);
    warn_cut(&m->test, settings->longest);
}

static int64_t default_epochs(int32_t rows, int64_t batch)
{
    int64_t steps = (rows + batch - 1) / batch, epochs = (TC_DEFAULT_STEPS + steps - 1) / steps;
    return epochs < TC_LEAST_EPOCHS ? TC_LEAST_EPOCHS : epochs > TC_MOST_EPOCHS ? TC_MOST_EPOCHS : epochs;
}

/* ---- the command ---- */

static bool print_test(const tc_model *model, const tc_data *test)
{
    tc_score score;
    if (!test->count) return true;
    if (!tc_score_part(&score, model, (tc_part){test->rows, test->count})) return false;
    printf("test:       accuracy %.4f (%d of %d), loss %.4f\n", tc_accuracy(&score), score.right, score.rows, score.loss);
    tc_score_free(&score);
    return true;
}

static int train_and_save(tc_model *model, material *m, const char *path, const tc_options *options)
{
    if (!tc_output_check(path) || !prepare(m, model, options) || !tc_model_build(model, (uint64_t)options->seed)) {
        return TC_FAILED;
    }
    tc_schedule schedule = {
        .seed = (uint64_t)options->seed,
        .epochs = options->epochs ? options->epochs : default_epochs(m->train_part.count, options->batch),
        .patience = options->patience,
        .batch = (int32_t)options->batch,
        .rate = options->rate,
        .rare = m->rare,
    };
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
    material m = {0};
    tc_model model = {.settings = {
        .embedding = (int32_t)options->embedding,
        .hidden = (int32_t)options->hidden,
        .attention = !strcmp(options->attention, "additive"),
        .dropout = options->dropout,
        .longest = (int32_t)options->longest,
    }};
    const char *path = options->output ? options->output : "textclf.safetensors";
    int status = train_and_save(&model, &m, path, options);
    tc_model_free(&model);
    material_free(&m);
    return status;
}
