#include "../support/failure.h"
#include "model.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The version of what the metadata says; a change that older programs would misread raises it. */
static const char format_version[] = "1";

static const char *const tokenizers[] = {"words", "characters", NULL};

/* ---- saving ---- */

static char *settings_to_json(const tc_settings *settings, const tc_tokenizer *tokenizer)
{
    json_t *object = json_pack("{s:i, s:i, s:s, s:s, s:f, s:i, s:s, s:b, s:i, s:i, s:b}", "embedding", settings->embedding, "hidden",
                               settings->hidden, "encoder", tc_encoder_names[settings->encoder], "attention",
                               tc_attention_names[settings->attention], "dropout", settings->dropout, "longest",
                               settings->longest, "tokenizer", tokenizers[tokenizer->characters], "no_punctuation", tokenizer->plain,
                               "ngrams", settings->ngrams, "buckets", settings->buckets, "max_pool", settings->max_pool);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (!text) tc_fail("out of memory: the settings as JSON");
    return text;
}

bool tc_model_save(tc_model *model, const char *path)
{
    tg_params *params = model->params;
    char *words = tc_names_to_json(&model->words), *labels = tc_names_to_json(&model->labels);
    char *stopwords = tc_names_to_json(&model->tokenizer.stopwords), *settings = settings_to_json(&model->settings, &model->tokenizer);
    bool good = words && labels && stopwords && settings;
    if (good) {
        tg_params_set_metadata(params, "textclf.version", format_version);
        tg_params_set_metadata(params, "textclf.vocabulary", words);
        tg_params_set_metadata(params, "textclf.labels", labels);
        tg_params_set_metadata(params, "textclf.stopwords", stopwords);
        tg_params_set_metadata(params, "textclf.settings", settings);
        good = tg_params_save(params, path, TG_SAVE_MODEL);
        if (!good) tc_fail("the model is not saved: %s", tg_params_error(params));
    }
    free(words);
    free(labels);
    free(stopwords);
    free(settings);
    return good;
}

/* ---- loading ---- */

static bool check_version(const tg_params *params, const char *path)
{
    const char *version = tg_params_metadata(params, "textclf.version");
    if (!version) return tc_fail("%s: this is a safetensors file, but not a model of textclf", path);
    if (strcmp(version, format_version)) {
        return tc_fail("%s: the model has format %.20s and this program reads %s: use the program that wrote it", path, version,
                       format_version);
    }
    return true;
}

/* An integer between `least` and `most` of the settings. */
static bool read_size(const json_t *settings, const char *key, int32_t least, int32_t most, int32_t *value,
                      const char *path)
{
    const json_t *item = json_object_get(settings, key);
    json_int_t number = json_integer_value(item);
    if (!json_is_integer(item) || number < least || number > most) {
        return tc_fail("%s: the model's setting \"%s\" is not an integer from %d to %d", path, key, least, most);
    }
    *value = (int32_t)number;
    return true;
}

/* True or false; a model from before there was a choice has none of it. */
static bool read_flag(const json_t *settings, const char *key, bool *value, const char *path)
{
    const json_t *item = json_object_get(settings, key);
    *value = json_is_true(item);
    return !item || json_is_boolean(item) || tc_fail("%s: the model's setting \"%s\" is neither true nor false", path, key);
}

/* One of a list of names. */
static bool read_kind(const json_t *settings, const char *key, const char *const *names, int *kind, const char *path)
{
    const char *name = json_string_value(json_object_get(settings, key));
    *kind = name ? tc_kind(names, name) : -1;
    return *kind >= 0 || tc_fail("%s: the model's setting \"%s\" is none that this program knows", path, key);
}

static bool read_fields(tc_settings *settings, tc_tokenizer *tokenizer, const json_t *object, const char *path)
{
    int encoder, attention, tokens;
    const json_t *dropout = json_object_get(object, "dropout");
    if (!read_kind(object, "encoder", tc_encoder_names, &encoder, path) ||
        !read_kind(object, "attention", tc_attention_names, &attention, path) ||
        !read_kind(object, "tokenizer", tokenizers, &tokens, path)) {
        return false;
    }
    tokenizer->characters = tokens;
    settings->encoder = (tc_encoder)encoder;
    settings->attention = (tc_attention)attention;
    settings->dropout = json_number_value(dropout);
    if (!json_is_number(dropout) || !(settings->dropout >= 0 && settings->dropout < 1)) {
        return tc_fail("%s: the model's setting \"dropout\" is not a number from 0 to below 1", path);
    }
    const bool bag = json_object_get(object, "ngrams");
    return (!bag || read_size(object, "ngrams", 0, TC_MOST_RUN, &settings->ngrams, path)) &&
           (!bag || read_size(object, "buckets", 1, TC_MOST_BUCKETS, &settings->buckets, path)) &&
           read_flag(object, "no_punctuation", &tokenizer->plain, path) && read_flag(object, "max_pool", &settings->max_pool, path) &&
           read_size(object, "embedding", 1, TC_MOST_WIDTH, &settings->embedding, path) &&
           read_size(object, "hidden", 1, TC_MOST_WIDTH, &settings->hidden, path) &&
           read_size(object, "longest", 1, TC_MOST_LENGTH, &settings->longest, path);
}

static bool read_settings(tc_model *model, const char *path)
{
    const char *text = tg_params_metadata(model->params, "textclf.settings");
    json_t *object = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    bool good = json_is_object(object) ? read_fields(&model->settings, &model->tokenizer, object, path)
                                       : tc_fail("%s: the model's settings are not a JSON object", path);
    json_decref(object);
    return good;
}

static bool read_names(tc_names *names, const tc_model *model, const char *key, const char *path)
{
    char what[512];
    snprintf(what, sizeof what, "%s: the model's %s", path, strchr(key, '.') + 1);
    const char *text = tg_params_metadata(model->params, key);
    return text ? tc_names_from_json(names, text, what) : tc_fail("%s are missing", what);
}

static bool read_metadata(tc_model *model, const char *path)
{
    if (!check_version(model->params, path) || !read_settings(model, path) ||
        !read_names(&model->words, model, "textclf.vocabulary", path) ||
        !read_names(&model->labels, model, "textclf.labels", path) ||
        (tg_params_metadata(model->params, "textclf.stopwords") &&
         !read_names(&model->tokenizer.stopwords, model, "textclf.stopwords", path))) {
        return false;
    }
    if (!tc_vocabulary_valid(&model->words)) return tc_fail("%s: the model's vocabulary does not start as ours do", path);
    if (model->labels.count < 2) return tc_fail("%s: the model has fewer than two labels", path);
    return true;
}

bool tc_model_load(tc_model *model, const char *path)
{
    *model = (tc_model){.params = tg_params_new(0)};
    if (!tg_params_load(model->params, path)) return tc_fail("%s", tg_params_error(model->params));
    if (!read_metadata(model, path)) return false;
    tc_model_register(model);
    if (!tg_params_loaded(model->params)) {
        return tc_fail("%s: settings and weights do not fit: %s", path, tg_params_error(model->params));
    }
    tg_params_hold(model->params, true);
    return true;
}
