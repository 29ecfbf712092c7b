/* A training under way as a file: weights and what is kept beside them as tg_params_save writes them, and in the metadata the plan
 * and the progress as JSON. */
#include "training.h"

#include "../support/checked.h"
#include "../support/failure.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char format_version[] = "1", version_key[] = "textclf.checkpoint", plan_key[] = "textclf.plan",
                  progress_key[] = "textclf.progress";

/* Every number of tc_progress but the history. */
#define INTEGER(name) {#name, offsetof(tc_progress, name), 1, false}
#define REALS(name, count) {#name, offsetof(tc_progress, name), count, true}
static const struct field {
    const char *name;
    size_t offset;
    int count;
    bool real;
} fields[] = {
    INTEGER(epoch), INTEGER(place), INTEGER(steps), INTEGER(best_epoch), REALS(best_accuracy, 1), REALS(best_loss, 1),
    REALS(loss, 1), INTEGER(tokens), REALS(seconds, 1), REALS(norms, TC_LAYERS), INTEGER(looks), INTEGER(order), INTEGER(hiding),
    INTEGER(dropping),
};
enum { FIELDS = sizeof fields / sizeof *fields, EPOCH_NUMBERS = sizeof(tc_epoch) / sizeof(double) };

/* ---- writing ---- */

static json_t *reals_to_json(const double *numbers, int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++) json_array_append_new(array, json_real(numbers[i]));
    return array;
}

static char *progress_to_json(const tc_progress *progress)
{
    json_t *object = json_object(), *history = json_array();
    for (int f = 0; f < FIELDS; f++) {
        const void *at = (const char *)progress + fields[f].offset;
        json_object_set_new(object, fields[f].name, fields[f].real ? reals_to_json(at, fields[f].count)
                                                                   : json_integer(*(const int64_t *)at));
    }
    for (int64_t i = 0; i < progress->epoch - 1; i++) {
        json_array_append_new(history, reals_to_json((const double *)&progress->history[i], EPOCH_NUMBERS));
    }
    json_object_set_new(object, "history", history);
    return tc_json_write(object, JSON_COMPACT);
}

/* The values of these keys go into the file that is written next, or (NULL) out of the model's own. */
static void set_metadata(tg_params *params, const char *version, const char *plan, const char *progress)
{
    tg_params_set_metadata(params, version_key, version);
    tg_params_set_metadata(params, plan_key, plan);
    tg_params_set_metadata(params, progress_key, progress);
}

void tc_checkpoint_save(tc_model *model, const tc_progress *progress, const tc_schedule *schedule)
{
    char *text = progress_to_json(progress);
    set_metadata(model->params, format_version, schedule->plan, text);
    if (!text || !tg_params_save(model->params, schedule->checkpoint, TG_SAVE_STATE)) {
        const char *why = tg_params_take_error(model->params);
        fprintf(stderr, "textclf: training goes on without a new checkpoint: %s\n", why ? why : tc_failure());
        tc_failure_clear();
    }
    set_metadata(model->params, NULL, NULL, NULL);
    tc_free(text);
}

/* ---- reading ---- */

static bool read_reals(const json_t *array, double *numbers, int count)
{
    for (int i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, (size_t)i);
        if (!json_is_number(item)) return false;
        numbers[i] = json_number_value(item);
    }
    return json_array_size(array) == (size_t)count;
}

static bool read_progress(const json_t *object, tc_progress *progress, int64_t epochs, int64_t batches)
{
    bool good = true;
    for (int f = 0; good && f < FIELDS; f++) {
        void *at = (char *)progress + fields[f].offset;
        const json_t *item = json_object_get(object, fields[f].name);
        good = fields[f].real ? read_reals(item, at, fields[f].count) : json_is_integer(item) && json_integer_value(item) >= 0;
        if (good && !fields[f].real) *(int64_t *)at = json_integer_value(item);
    }
    const json_t *history = json_object_get(object, "history");
    good = good && progress->epoch >= 1 && progress->epoch <= epochs + 1 && progress->place <= batches &&
           progress->best_epoch < progress->epoch && json_array_size(history) == (size_t)(progress->epoch - 1);
    for (int64_t i = 0; good && i < progress->epoch - 1; i++) {
        good = read_reals(json_array_get(history, (size_t)i), (double *)&progress->history[i], EPOCH_NUMBERS);
    }
    return good;
}

/* Two plans hold the same keys in the same order. */
static bool compare_plans(const char *wanted, const char *found, const char *path)
{
    json_t *ours = tc_json_read(wanted), *theirs = found ? tc_json_read(found) : NULL, *value;
    const char *key;
    bool good = json_is_object(theirs) || tc_fail("%s: the checkpoint is damaged: it does not say what it is of", path);
    json_object_foreach(ours, key, value) {
        const char *now = json_string_value(value), *then = json_string_value(json_object_get(theirs, key));
        if (!good || (then && !strcmp(now, then))) continue;
        good = tc_fail("%s: the checkpoint is of another training: %s was %s and is %s; give the same, or train without --resume "
                       "into another checkpoint", path, key, then ? then : "unknown", now);
    }
    json_decref(ours);
    json_decref(theirs);
    return good;
}

bool tc_checkpoint_load(tc_model *model, tc_progress *progress, const tc_schedule *schedule, int64_t batches, bool *found)
{
    const char *path = schedule->checkpoint;
    *found = !access(path, F_OK);
    if (!*found) return true;
    tg_params *file = tg_params_new(0); /* looked at before the model changes */
    bool good = tg_params_load(file, path) || tc_fail("%s; train without --resume into another checkpoint", tg_params_error(file));
    const char *version = tg_params_metadata(file, version_key), *text = tg_params_metadata(file, progress_key);
    if (good && (!version || !text)) good = tc_fail("%s: this is no checkpoint of textclf: name another with --checkpoint", path);
    if (good && strcmp(version, format_version)) {
        good = tc_fail("%s: the checkpoint has format %.20s and this program reads %s: use the program that wrote it", path, version,
                       format_version);
    }
    good = good && compare_plans(schedule->plan, tg_params_metadata(file, plan_key), path);
    json_t *object = good ? tc_json_read(text) : NULL;
    if (good && !read_progress(object, progress, schedule->epochs, batches)) good = tc_fail("%s: the checkpoint is damaged: train without --resume into another", path);
    json_decref(object);
    tg_params_free(file);
    if (good && !(tg_params_load(model->params, path) && tg_params_loaded(model->params))) {
        good = tc_fail("%s", tg_params_error(model->params));
    }
    if (good) set_metadata(model->params, NULL, NULL, NULL);
    return good;
}
