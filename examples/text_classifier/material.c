#include "material.h"

#include "builtin.h"
#include "commands.h"
#include "../support/checked.h"
#include "../support/failure.h"
#include "ranks.h"
#include "vectors.h"

#include <stdio.h>

void tc_material_free(tc_material *m)
{
    tc_data_free(&m->train);
    tc_data_free(&m->valid);
    tc_data_free(&m->test);
    tc_model_free(&m->model);
}

/* ---- data ---- */

static bool read_labelled(tc_data *data, const char *name, const ex_names *labels,
                          const tc_reading *reading)
{
    return !name || (tc_data_read(data, name, reading) && tc_data_number_labels(data, labels));
}

static bool read_material(tc_material *m)
{
    const tc_options *options = &m->options;
    const char *name = options->argument_count ? options->arguments[0] : "builtin:reviews";
    const tc_builtin *builtin = tc_builtin_find(name);
    const char *test = options->test ? options->test : builtin ? builtin->test : NULL;
    const tc_reading *reading = &options->reading;
    ex_names *labels = &m->model.labels;
    if (!tc_data_read(&m->train, name, reading) || !tc_data_labels(labels, &m->train) ||
        !tc_data_number_labels(&m->train, labels) ||
        !read_labelled(&m->valid, options->valid, labels, reading) ||
        !read_labelled(&m->test, test, labels, reading)) {
        return false;
    }
    if (!reading->quiet) {
        tc_data_tell(&m->train);
        tc_data_tell(&m->valid);
        tc_data_tell(&m->test);
    }
    int32_t held_out = 0;
    if (!options->valid &&
        !tc_data_split(&m->train, labels, (uint64_t)options->schedule.seed, &held_out))
        return false;
    m->train_part = (tc_part){m->train.rows, m->train.count - held_out};
    m->valid_part = options->valid ? (tc_part){m->valid.rows, m->valid.count}
                                   : (tc_part){m->train.rows + m->train_part.count, held_out};
    m->test_part = (tc_part){m->test.rows, m->test.count};
    return true;
}

bool tc_tokenizer_of(tc_tokenizer *tokenizer, const tc_options *options)
{
    *tokenizer = options->tokenizer;
    return !options->stopwords || tc_tokenizer_set_stopwords(tokenizer, options->stopwords);
}

/* What the options leave open. */
static void decide(tc_options *options, int32_t rows)
{
    tc_schedule *schedule = &options->schedule;
    const int64_t steps = (rows + schedule->batch - 1) / schedule->batch,
                  epochs = (TC_DEFAULT_STEPS + steps - 1) / steps;
    if (!options->min_count) options->min_count = rows >= 1000 ? 2 : 1;
    if (schedule->epochs) return;
    schedule->epochs = epochs < TC_LEAST_EPOCHS  ? TC_LEAST_EPOCHS
                       : epochs > TC_MOST_EPOCHS ? TC_MOST_EPOCHS
                                                 : epochs;
}

bool tc_material_prepare(tc_material *m, const tc_options *options)
{
    tc_model *model = &m->model;
    m->options = *options;
    model->settings = options->settings;
    if (!tc_tokenizer_of(&model->tokenizer, options) || !read_material(m)) return false;
    decide(&m->options, m->train_part.count);
    /* the vocabulary of the rows that are trained on, not of those that validate */
    if (!tc_data_words(&model->words, m->train_part, &model->tokenizer, m->options.min_count,
                       options->max_vocab, &m->options.schedule.rare)) {
        return false;
    }
    if (model->words.count == EX_FIRST_WORD) {
        return ex_fail("%s: no word is left to learn from: lower --min-count, or leave --stopwords "
                       "or --no-punctuation out",
                       m->train.name);
    }
    if (!tc_model_encode(model, &m->train) || !tc_model_encode(model, &m->valid) ||
        !tc_model_encode(model, &m->test) || !tc_model_build(model, options->schedule.seed) ||
        (options->vectors && !tc_vectors_load(model, options->vectors))) {
        return false;
    }
    if (options->frozen) tg_params_freeze(model->params, "embedding", true);
    return true;
}

/* ---- the plan ---- */

/* FNV-1a of what is learned from and what chooses the epoch, as the model sees it. */
static uint64_t hash_part(uint64_t hash, tc_part part)
{
    for (int32_t i = 0; i < part.count; i++) {
        const tc_row *row = &part.rows[i];
        hash = (hash ^ (uint64_t)row->label) * 0x100000001B3u;
        hash = (hash ^ (uint64_t)row->length) * 0x100000001B3u;
        for (int32_t t = 0; t < row->length; t++)
            hash = (hash ^ (uint64_t)row->ids[t]) * 0x100000001B3u;
    }
    return hash;
}

char *tc_material_plan(const tc_material *m)
{
    char data[80], processes[16];
    json_t *plan = tc_options_plan(&m->options);
    snprintf(data, sizeof data, "%d and %d rows (%016llx)", m->train_part.count,
             m->valid_part.count,
             (unsigned long long)hash_part(hash_part(0xCBF29CE484222325u, m->train_part),
                                           m->valid_part));
    snprintf(processes, sizeof processes, "%d", tc_ranks);
    json_object_set_new(plan, "data", json_string(data));
    json_object_set_new(plan, "processes", json_string(processes));
    json_object_set_new(plan, "instruction set", json_string(tg_isa()));
    return ex_json_write(plan, 0);
}
