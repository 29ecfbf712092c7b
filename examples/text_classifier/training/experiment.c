#include "experiment.h"

#include "../../support/failure.h"
#include "../data/builtin.h"
#include "../data/vectors.h"

void tc_experiment_free(tc_experiment *experiment)
{
    tc_dataset_free(&experiment->train);
    tc_dataset_free(&experiment->valid);
    tc_dataset_free(&experiment->test);
    tc_model_free(&experiment->model);
}

/* ---- data ---- */

/* Reads data with known labels. `name` may be NULL. */
static bool read_labelled(tc_dataset *data, const char *name, const ex_names *labels,
                          const tc_read_options *options)
{
    if (!name) return true;
    return tc_dataset_read(data, name, options) && tc_dataset_encode_labels(data, labels);
}

static bool read_data(tc_experiment *e)
{
    const tc_experiment_config *config = &e->config;
    const tc_read_options *options = &config->read;
    const tc_builtin *builtin = tc_builtin_find(config->train);
    const char *test = config->test;
    ex_names *labels = &e->model.labels;
    if (!test && builtin) test = builtin->test;
    if (!tc_dataset_read(&e->train, config->train, options) ||
        !tc_dataset_labels(labels, &e->train) || !tc_dataset_encode_labels(&e->train, labels) ||
        !read_labelled(&e->valid, config->valid, labels, options) ||
        !read_labelled(&e->test, test, labels, options)) {
        return false;
    }
    if (!options->quiet) {
        tc_dataset_log(&e->train);
        tc_dataset_log(&e->valid);
        tc_dataset_log(&e->test);
    }
    return true;
}

/* Divides the rows into training, validation and test rows. */
static bool divide_rows(tc_experiment *e)
{
    const uint64_t seed = (uint64_t)e->config.training.seed;
    int32_t held_out = 0;
    if (!e->config.valid && !tc_dataset_hold_out(&e->train, &e->model.labels, seed, &held_out))
        return false;
    e->train_rows = (tc_slice){e->train.rows, e->train.count - held_out};
    e->valid_rows = (tc_slice){e->train.rows + e->train_rows.count, held_out};
    if (e->config.valid) e->valid_rows = (tc_slice){e->valid.rows, e->valid.count};
    e->test_rows = (tc_slice){e->test.rows, e->test.count};
    return true;
}

/* ---- the whole experiment ---- */

/* Makes the choices that the config leaves open. */
static void choose(tc_experiment_config *config, int32_t rows)
{
    tc_train_config *training = &config->training;
    const int64_t steps = (rows + training->batch_size - 1) / training->batch_size; /* per epoch */
    if (!config->min_count) config->min_count = rows >= 1000 ? 2 : 1;
    if (training->epochs) return;
    training->epochs = (TC_DEFAULT_STEPS + steps - 1) / steps;
    if (training->epochs < TC_MIN_EPOCHS) training->epochs = TC_MIN_EPOCHS;
    if (training->epochs > TC_MAX_EPOCHS) training->epochs = TC_MAX_EPOCHS;
}

/* The vocabulary comes from the training rows alone, not from the validation rows. */
static bool build_vocabulary(tc_experiment *e)
{
    tc_experiment_config *config = &e->config;
    tc_model *model = &e->model;
    if (!tc_dataset_vocabulary(&model->words, e->train_rows, &model->tokenizer, config->min_count,
                               config->max_vocab, &config->training.first_rare_word)) {
        return false;
    }
    return model->words.count > EX_FIRST_WORD ||
           ex_fail("%s: the vocabulary is empty; lower --min-count, or leave out --stopwords or "
                   "--no-punctuation",
                   e->train.name);
}

bool tc_experiment_init(tc_experiment *e, const tc_experiment_config *config)
{
    tc_model *model = &e->model;
    e->config = *config;
    model->settings = config->settings;
    if (!tc_tokenizer_init(&model->tokenizer, &config->tokenizer) || !read_data(e) ||
        !divide_rows(e)) {
        return false;
    }
    choose(&e->config, e->train_rows.count);
    if (!build_vocabulary(e) || !tc_model_encode(model, &e->train) ||
        !tc_model_encode(model, &e->valid) || !tc_model_encode(model, &e->test) ||
        !tc_model_build(model, config->training.seed)) {
        return false;
    }
    if (config->vectors &&
        !tc_vectors_load(config->vectors, &model->words, model->embedding.weight->data,
                         config->settings.embedding))
        return false;
    if (config->freeze_embedding) tg_params_freeze(model->params, "embedding", true);
    return true;
}

/* ---- hash ---- */

/* One step of FNV-1a. */
static uint64_t hash_number(uint64_t hash, int32_t number)
{
    return (hash ^ (uint64_t)number) * 0x100000001B3u;
}

static uint64_t hash_rows(uint64_t hash, tc_slice slice)
{
    for (int32_t i = 0; i < slice.count; i++) {
        const tc_row *row = &slice.rows[i];
        hash = hash_number(hash, row->label);
        hash = hash_number(hash, row->length);
        for (int32_t t = 0; t < row->length; t++) hash = hash_number(hash, row->ids[t]);
    }
    return hash;
}

uint64_t tc_experiment_hash(const tc_experiment *e)
{
    return hash_rows(hash_rows(0xCBF29CE484222325u, e->train_rows), e->valid_rows);
}
