/* A checkpoint is a safetensors file: the weights and their optimizer state, and in its metadata
 * the settings and the progress of the training as JSON objects. */
#include "progress.h"

#include "../../support/checked.h"
#include "../../support/failure.h"
#include "../../support/fields.h"

#include <float.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char format_version[] = "2", version_key[] = "textclf.checkpoint",
                  settings_key[] = "textclf.training", progress_key[] = "textclf.progress";

#define INTEGER(name)                                                                    \
    {                                                                                    \
#name, EX_FIELD_INTEGER, offsetof(tc_progress, name), .min = 0, .max = 1LL << 53 \
    }
#define NUMBER(type, name)                                                            \
    {                                                                                 \
#name, EX_FIELD_NUMBER, offsetof(type, name), .min = -DBL_MAX, .max = DBL_MAX \
    }
#define NORMS(type)                                                         \
    NUMBER(type, norms[0]), NUMBER(type, norms[1]), NUMBER(type, norms[2]), \
        NUMBER(type, norms[3]), NUMBER(type, norms[4])
_Static_assert(TC_LAYERS == 5, "NORMS must list every layer");

/* The history is written separately, one object an epoch. */
static const ex_field progress_fields[] = {
    INTEGER(epoch),
    INTEGER(batches_done),
    INTEGER(steps),
    INTEGER(best_epoch),
    NUMBER(tc_progress, best_accuracy),
    NUMBER(tc_progress, best_loss),
    NUMBER(tc_progress, loss),
    INTEGER(tokens),
    NUMBER(tc_progress, seconds),
    NORMS(tc_progress),
    INTEGER(norm_samples),
    INTEGER(shuffle_rng),
    INTEGER(word_dropout_rng),
    INTEGER(dropout_rng),
    {.name = NULL},
};
static const ex_field epoch_fields[] = {
    NUMBER(tc_epoch, train_loss),
    NUMBER(tc_epoch, valid_loss),
    NUMBER(tc_epoch, accuracy),
    NORMS(tc_epoch),
    {.name = NULL},
};

/* ---- writing ---- */

static char *progress_to_json(const tc_progress *progress)
{
    json_t *object = ex_fields_to_json(progress_fields, progress), *history = json_array();
    for (int64_t i = 0; i < progress->epoch - 1; i++) {
        json_array_append_new(history, ex_fields_to_json(epoch_fields, &progress->history[i]));
    }
    json_object_set_new(object, "history", history);
    return ex_json_write(object, JSON_COMPACT);
}

/* Sets the metadata for the next file that is saved; NULL removes it again. */
static void set_metadata(tg_params *params, const char *version, const char *settings,
                         const char *progress)
{
    tg_params_set_metadata(params, version_key, version);
    tg_params_set_metadata(params, settings_key, settings);
    tg_params_set_metadata(params, progress_key, progress);
}

void tc_checkpoint_save(tc_model *model, const tc_progress *progress, const tc_train_config *config)
{
    char *text = progress_to_json(progress);
    set_metadata(model->params, format_version, config->settings_json, text);
    if (!text || !tg_params_save(model->params, config->checkpoint, TG_SAVE_STATE)) {
        const char *error = tg_params_take_error(model->params);
        fprintf(stderr, "textclf: warning: training continues without a new checkpoint: %s\n",
                error ? error : ex_failure());
        ex_failure_clear();
    }
    set_metadata(model->params, NULL, NULL, NULL);
    ex_free(text);
}

/* ---- reading ---- */

static bool read_fields(const ex_field *fields, void *into, const json_t *object, const char *what)
{
    for (const ex_field *f = fields; f->name; f++) {
        if (!ex_field_from_json(f, into, object, what)) return false;
    }
    return true;
}

static bool read_progress(const json_t *object, tc_progress *progress, int64_t epochs,
                          int64_t batches, const char *what)
{
    const json_t *history = json_object_get(object, "history");
    if (!read_fields(progress_fields, progress, object, what)) return false;
    if (progress->epoch < 1 || progress->epoch > epochs + 1 || progress->batches_done > batches ||
        progress->best_epoch >= progress->epoch ||
        json_array_size(history) != (size_t)(progress->epoch - 1)) {
        return ex_fail("%s its numbers contradict each other", what);
    }
    for (int64_t i = 0; i < progress->epoch - 1; i++) {
        const json_t *epoch = json_array_get(history, (size_t)i);
        if (!read_fields(epoch_fields, &progress->history[i], epoch, what)) return false;
    }
    return true;
}

/* Fails if a setting of this training (`wanted`) differs from the checkpoint's (`found`). */
static bool compare_settings(const char *wanted, const char *found, const char *path)
{
    json_t *ours = ex_json_read(wanted), *theirs = found ? ex_json_read(found) : NULL, *value;
    const char *name;
    bool good = json_is_object(theirs) ||
                ex_fail("%s: the checkpoint is damaged: its settings are missing; train without "
                        "--resume into another checkpoint",
                        path);
    json_object_foreach(ours, name, value)
    {
        const char *new_value = json_string_value(value);
        const char *old_value = json_string_value(json_object_get(theirs, name));
        if (!good || (old_value && !strcmp(new_value, old_value))) continue;
        good = ex_fail("%s: the checkpoint belongs to another training: %s was %s and is %s; give "
                       "the same settings, or train without --resume into another checkpoint",
                       path, name, old_value ? old_value : "unknown", new_value);
    }
    json_decref(ours);
    json_decref(theirs);
    return good;
}

bool tc_checkpoint_load(tc_model *model, tc_progress *progress, const tc_train_config *config,
                        int64_t batches, bool *found)
{
    const char *path = config->checkpoint;
    char what[512];
    *found = !access(path, F_OK);
    if (!*found) return true;
    tg_params *file = tg_params_new(0); /* checked before the model changes */
    bool good = tg_params_load(file, path) ||
                ex_fail("%s; train without --resume into another checkpoint",
                        tg_params_error(file));
    const char *version = tg_params_metadata(file, version_key),
               *text = tg_params_metadata(file, progress_key);
    if (good && (!version || !text)) {
        good = ex_fail(
            "%s: the file is not a checkpoint of textclf; give another name with --checkpoint",
            path);
    } else if (good && strcmp(version, format_version)) {
        good = ex_fail(
            "%s: the checkpoint has format %.20s, but this program reads %s; resume it with the "
            "program that wrote it, or train without --resume into another checkpoint",
            path, version, format_version);
    }
    good = good &&
           compare_settings(config->settings_json, tg_params_metadata(file, settings_key), path);
    json_t *object = good ? ex_json_read(text) : NULL;
    snprintf(what, sizeof what,
             "%s: the checkpoint is damaged; train without --resume into another:", path);
    good = good && read_progress(object, progress, config->epochs, batches, what);
    json_decref(object);
    tg_params_free(file);
    if (good && !(tg_params_load(model->params, path) && tg_params_finish_load(model->params))) {
        good = ex_fail("%s", tg_params_error(model->params));
    }
    if (good) set_metadata(model->params, NULL, NULL, NULL);
    return good;
}
