/* A model as a safetensors file: the weights under PyTorch's names, and in its metadata the
 * settings as a JSON object and vocabulary, labels and stop words as JSON arrays. */
#include "model.h"

#include "../../support/checked.h"
#include "../../support/failure.h"
#include "../../support/fields.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* The version of the metadata. It rises if an older program would misread them. Version 1 called
 * the setting max_length "longest". */
static const char format_version[] = "2", version_key[] = "textclf.version",
                  settings_key[] = "textclf.settings";

#define SETTING(name) offsetof(tc_model, settings.name)
static const ex_field settings_fields[] = {
    {"embedding", EX_FIELD_INTEGER, SETTING(embedding), .min = 1, .max = TC_MAX_WIDTH},
    {"hidden", EX_FIELD_INTEGER, SETTING(hidden), .min = 1, .max = TC_MAX_WIDTH},
    {"encoder", EX_FIELD_CHOICE, SETTING(encoder), .choices = tc_encoder_names},
    {"attention", EX_FIELD_CHOICE, SETTING(attention), .choices = tc_attention_names},
    {"dropout", EX_FIELD_NUMBER, SETTING(dropout), .min = 0, .max = TC_MAX_DROPOUT},
    {"max_length", EX_FIELD_INTEGER, SETTING(max_length), .min = 1, .max = TC_MAX_LENGTH},
    {"tokenizer", EX_FIELD_CHOICE, offsetof(tc_model, tokenizer.kind), .choices = tc_token_names},
    {.name = "no_punctuation",
     .kind = EX_FIELD_BOOL,
     .offset = offsetof(tc_model, tokenizer.no_punctuation)},
    {"ngrams", EX_FIELD_INTEGER, SETTING(ngrams), .min = 0, .max = TC_MAX_NGRAM},
    {"buckets", EX_FIELD_INTEGER, SETTING(buckets), .min = 1, .max = TC_MAX_BUCKETS},
    {.name = "max_pool", .kind = EX_FIELD_BOOL, .offset = SETTING(max_pool)},
    {.name = NULL},
};

static const struct {
    const char *key;
    size_t offset; /* in tc_model */
} lists[] = {
    {"textclf.vocabulary", offsetof(tc_model, words)},
    {"textclf.labels", offsetof(tc_model, labels)},
    {"textclf.stopwords", offsetof(tc_model, tokenizer.stopwords)},
};
enum { LISTS = sizeof lists / sizeof *lists };

static ex_names *list_of(tc_model *model, int i)
{
    return (ex_names *)(void *)((char *)model + lists[i].offset);
}

/* ---- saving ---- */

static char *settings_to_json(const tc_model *model)
{
    return ex_json_write(ex_fields_to_json(settings_fields, model), JSON_COMPACT);
}

bool tc_model_save(tc_model *model, const char *path)
{
    tg_params *params = model->params;
    tg_params_set_metadata(params, version_key, format_version);
    for (int i = 0; i <= LISTS; i++) {
        char *text = i < LISTS ? ex_names_to_json(list_of(model, i)) : settings_to_json(model);
        if (!text) return false;
        tg_params_set_metadata(params, i < LISTS ? lists[i].key : settings_key, text);
        ex_free(text);
    }
    return tg_params_save(params, path, TG_SAVE_MODEL) ||
           ex_fail("the model is not saved: %s", tg_params_error(params));
}

bool tc_model_check_output(const char *path)
{
    char start[9] = ""; /* the length of the header and its first byte */
    FILE *file = fopen(path, "rb");
    const size_t size = file ? fread(start, 1, sizeof start, file) : 0;
    if (file) fclose(file);
    return !size || start[8] == '{' ||
           ex_fail("%s: the file exists and is not a model; give another name with -o", path);
}

/* ---- loading ---- */

/* Returns the version, 1 or 2, or 0 after ex_fail. */
static int read_version(const tg_params *params, const char *path)
{
    const char *version = tg_params_metadata(params, version_key);
    if (!version) {
        ex_fail("%s: this is a safetensors file, but not a model of textclf", path);
        return 0;
    }
    if (!strcmp(version, "1")) return 1;
    if (!strcmp(version, format_version)) return 2;
    ex_fail("%s: the model has format %.20s, but this program reads 1 and %s; use the program that "
            "wrote it",
            path, version, format_version);
    return 0;
}

/* Whether a model made elsewhere may omit this setting, which then is false or 0. */
static bool is_optional(const tc_model *model, const ex_field *f)
{
    return f->kind == EX_FIELD_BOOL || f->offset == SETTING(ngrams) ||
           (f->offset == SETTING(buckets) && !model->settings.ngrams);
}

static bool read_settings(tc_model *model, const char *path, int version)
{
    char what[512];
    const char *text = tg_params_metadata(model->params, settings_key);
    json_t *object = text ? ex_json_read(text) : NULL;
    bool good = json_is_object(object) ||
                ex_fail("%s: the model's settings are not a JSON object", path);
    snprintf(what, sizeof what, "%s: the model's setting", path);
    if (good && version == 1)
        json_object_set(object, "max_length", json_object_get(object, "longest"));
    for (const ex_field *f = settings_fields; good && f->name; f++) {
        if (json_object_get(object, f->name) || !is_optional(model, f))
            good = ex_field_from_json(f, model, object, what);
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
    const int version = read_version(model->params, path);
    if (!version || !read_settings(model, path, version)) return false;
    for (int i = 0; i < LISTS; i++) {
        if (!read_list(model, i, path)) return false;
    }
    if (!ex_vocabulary_valid(&model->words))
        return ex_fail("%s: the model's vocabulary does not start with <padding> and <unknown>",
                       path);
    return model->labels.count > 1 || ex_fail("%s: the model has fewer than two labels", path);
}

static bool check_weights(const tc_model *model, const char *path)
{
    for (int64_t i = 0; i < tg_params_count(model->params); i++) {
        const tg_tensor *p = tg_params_at(model->params, i);
        for (int64_t j = 0; j < p->size; j++) {
            if (!isfinite(p->data[j]))
                return ex_fail("%s: %s contains NaN or infinity; train the model again", path,
                               p->name);
        }
    }
    return true;
}

bool tc_model_load(tc_model *model, const char *path)
{
    /* a model without a bag need not name its buckets, but saving it writes them */
    *model = (tc_model){.settings.buckets = 1, .params = tg_params_new(0)};
    if (!tg_params_load(model->params, path)) {
        return ex_fail("%s; MODEL must be a file that textclf train wrote",
                       tg_params_error(model->params));
    }
    if (!read_metadata(model, path)) return false;
    tc_model_register(model);
    if (!tg_params_finish_load(model->params)) {
        return ex_fail("%s: the settings and the weights do not fit together: %s", path,
                       tg_params_error(model->params));
    }
    tg_params_set_inference(model->params, true);
    return check_weights(model, path);
}
