#include "../support/checked.h"
#include "../support/failure.h"
#include "../support/fields.h"
#include "model.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* The version of what the metadata says; a change that older programs would misread raises it. */
static const char format_version[] = "1", version_key[] = "textclf.version",
                  settings_key[] = "textclf.settings";

/* What the settings are called in the file, and what they may be; fields of tc_model. */
#define SETTING(name) offsetof(tc_model, settings.name)
static const ex_option settings[] = {
    {"embedding", .kind = EX_INTEGER, .field = SETTING(embedding), .min = 1, .max = TC_MOST_WIDTH},
    {"hidden", .kind = EX_INTEGER, .field = SETTING(hidden), .min = 1, .max = TC_MOST_WIDTH},
    {"encoder", .kind = EX_CHOICE, .field = SETTING(encoder), .choices = tc_encoder_names},
    {"attention", .kind = EX_CHOICE, .field = SETTING(attention), .choices = tc_attention_names},
    {"dropout", .kind = EX_NUMBER, .field = SETTING(dropout), .min = 0, .max = TC_MOST_DROPOUT},
    {"longest", .kind = EX_INTEGER, .field = SETTING(longest), .min = 1, .max = TC_MOST_LENGTH},
    {"tokenizer", .kind = EX_CHOICE, .field = offsetof(tc_model, tokenizer.kind),
     .choices = tc_token_names},
    {"no_punctuation", .kind = EX_FLAG, .field = offsetof(tc_model, tokenizer.plain)},
    {"ngrams", .kind = EX_INTEGER, .field = SETTING(ngrams), .min = 0, .max = TC_MOST_RUN},
    {"buckets", .kind = EX_INTEGER, .field = SETTING(buckets), .min = 1, .max = TC_MOST_BUCKETS},
    {"max_pool", .kind = EX_FLAG, .field = SETTING(max_pool)},
    {.name = NULL},
};

static const struct {
    const char *key;
    size_t field;
} lists[] = {
    {"textclf.vocabulary", offsetof(tc_model, words)},
    {"textclf.labels", offsetof(tc_model, labels)},
    {"textclf.stopwords", offsetof(tc_model, tokenizer.stopwords)},
};
enum { LISTS = sizeof lists / sizeof *lists };

static ex_names *list_of(tc_model *model, int i)
{
    return (ex_names *)(void *)((char *)model + lists[i].field);
}

/* ---- saving ---- */

static char *settings_to_json(const tc_model *model)
{
    return ex_json_write(ex_fields_to_json(settings, model), JSON_COMPACT);
}

bool tc_model_save(tc_model *model, const char *path)
{
    tg_params *params = model->params;
    char *text = NULL;
    bool good = true;
    tg_params_set_metadata(params, version_key, format_version);
    for (int i = 0; good && i <= LISTS; i++) {
        text = i < LISTS ? ex_names_to_json(list_of(model, i)) : settings_to_json(model);
        good = text != NULL;
        tg_params_set_metadata(params, i < LISTS ? lists[i].key : settings_key, text);
        ex_free(text);
    }
    return good && (tg_params_save(params, path, TG_SAVE_MODEL) ||
                    ex_fail("the model is not saved: %s", tg_params_error(params)));
}

bool tc_model_replaceable(const char *path)
{
    char start[9] = ""; /* the length of the header, and its first byte */
    FILE *file = fopen(path, "rb");
    const size_t size = file ? fread(start, 1, sizeof start, file) : 0;
    if (file) fclose(file);
    return !size || start[8] == '{' ||
           ex_fail("%s: it is there and no model: give another name with -o", path);
}

/* ---- loading ---- */

static bool check_version(const tg_params *params, const char *path)
{
    const char *version = tg_params_metadata(params, version_key);
    if (!version)
        return ex_fail("%s: this is a safetensors file, but not a model of textclf", path);
    if (strcmp(version, format_version)) {
        return ex_fail("%s: the model has format %.20s and this program reads %s: use the program "
                       "that wrote it",
                       path, version, format_version);
    }
    return true;
}

/* What a model made elsewhere need not say, for false or 0 is what it means. */
static bool may_be_left_out(const tc_model *model, const ex_option *s)
{
    return s->kind == EX_FLAG || s->field == SETTING(ngrams) ||
           (s->field == SETTING(buckets) && !model->settings.ngrams);
}

static bool read_settings(tc_model *model, const char *path)
{
    char what[512];
    const char *text = tg_params_metadata(model->params, settings_key);
    json_t *object = text ? ex_json_read(text) : NULL;
    bool good = json_is_object(object) ||
                ex_fail("%s: the model's settings are not a JSON object", path);
    snprintf(what, sizeof what, "%s: the model's setting", path);
    for (const ex_option *s = settings; good && s->name; s++) {
        if (json_object_get(object, s->name) || !may_be_left_out(model, s))
            good = ex_field_from_json(s, model, object, what);
    }
    json_decref(object);
    return good;
}

static bool read_list(tc_model *model, int i, const char *path)
{
    char what[512];
    const char *text = tg_params_metadata(model->params, lists[i].key);
    if (!text && list_of(model, i) == &model->tokenizer.stopwords) return true;
    snprintf(what, sizeof what, "%s: the model's %s", path, strchr(lists[i].key, '.') + 1);
    return text ? ex_names_from_json(list_of(model, i), text, what)
                : ex_fail("%s are missing", what);
}

static bool read_metadata(tc_model *model, const char *path)
{
    bool good = check_version(model->params, path) && read_settings(model, path);
    for (int i = 0; good && i < LISTS; i++) good = read_list(model, i, path);
    if (good && !ex_vocabulary_valid(&model->words))
        good = ex_fail("%s: the model's vocabulary does not start as ours do", path);
    return good &&
           (model->labels.count > 1 || ex_fail("%s: the model has fewer than two labels", path));
}

static bool check_weights(const tc_model *model, const char *path)
{
    for (int64_t i = 0; i < tg_params_count(model->params); i++) {
        const tg_tensor *p = tg_params_at(model->params, i);
        for (int64_t j = 0; j < p->size; j++) {
            if (!isfinite(p->data[j]))
                return ex_fail("%s: %s has a number that is not finite: train the model again",
                               path, p->name);
        }
    }
    return true;
}

bool tc_model_load(tc_model *model, const char *path)
{
    *model = (tc_model){.settings.buckets = 1,
                        .params = tg_params_new(
                            0)}; /* in which a model without a bag is saved again */
    if (!tg_params_load(model->params, path)) {
        return ex_fail("%s; MODEL is what textclf train has written",
                       tg_params_error(model->params));
    }
    if (!read_metadata(model, path)) return false;
    tc_model_register(model);
    if (!tg_params_finish_load(model->params)) {
        return ex_fail("%s: settings and weights do not fit: %s", path,
                       tg_params_error(model->params));
    }
    tg_params_set_inference(model->params, true);
    return check_weights(model, path);
}
