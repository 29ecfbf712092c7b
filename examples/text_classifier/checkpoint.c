/* A training under way as a file: weights and what is kept beside them as tg_params_save writes them, and in the metadata the plan
 * and the progress as JSON. */
#include "training.h"

#include "../support/checked.h"
#include "../support/failure.h"
#include "../support/fields.h"

#include <float.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char format_version[] = "1", version_key[] = "textclf.checkpoint",
                  plan_key[] = "textclf.plan", progress_key[] = "textclf.progress";

/* Every number of tc_progress but the history, and those of an epoch in it. */
#define INTEGER(name)                                                                     \
    {                                                                                     \
#name, .kind = EX_INTEGER, .field = offsetof(tc_progress, name), .max = 1LL << 53 \
    }
#define REAL(type, name)                                                                         \
    {                                                                                            \
#name, .kind = EX_NUMBER, .field = offsetof(type, name), .min = -DBL_MAX, .max = DBL_MAX \
    }
#define NORMS(type)                                                                         \
    REAL(type, norms[0]), REAL(type, norms[1]), REAL(type, norms[2]), REAL(type, norms[3]), \
        REAL(type, norms[4])
static const ex_option progress_fields[] = {
    INTEGER(epoch),
    INTEGER(place),
    INTEGER(steps),
    INTEGER(best_epoch),
    REAL(tc_progress, best_accuracy),
    REAL(tc_progress, best_loss),
    REAL(tc_progress, loss),
    INTEGER(tokens),
    REAL(tc_progress, seconds),
    NORMS(tc_progress),
    INTEGER(looks),
    INTEGER(order),
    INTEGER(hiding),
    INTEGER(dropping),
    {.name = NULL},
};
static const ex_option epoch_fields[] = {
    REAL(tc_epoch, train_loss),
    REAL(tc_epoch, valid_loss),
    REAL(tc_epoch, accuracy),
    NORMS(tc_epoch),
    {.name = NULL},
};
_Static_assert(TC_LAYERS == 5, "NORMS names each of them");

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

/* The values of these keys go into the file that is written next, or (NULL) out of the model's own. */
static void set_metadata(tg_params *params, const char *version, const char *plan,
                         const char *progress)
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
        fprintf(stderr, "textclf: training goes on without a new checkpoint: %s\n",
                why ? why : ex_failure());
        ex_failure_clear();
    }
    set_metadata(model->params, NULL, NULL, NULL);
    ex_free(text);
}

/* ---- reading ---- */

static bool read_fields(const ex_option *fields, void *into, const json_t *object, const char *what)
{
    bool good = true;
    for (const ex_option *f = fields; good && f->name; f++)
        good = ex_field_from_json(f, into, object, what);
    return good;
}

static bool read_progress(const json_t *object, tc_progress *progress, int64_t epochs,
                          int64_t batches, const char *what)
{
    const json_t *history = json_object_get(object, "history");
    bool good = read_fields(progress_fields, progress, object, what);
    if (good && (progress->epoch < 1 || progress->epoch > epochs + 1 || progress->place > batches ||
                 progress->best_epoch >= progress->epoch ||
                 json_array_size(history) != (size_t)(progress->epoch - 1))) {
        good = ex_fail("%s its numbers do not fit each other", what);
    }
    for (int64_t i = 0; good && i < progress->epoch - 1; i++) {
        good = read_fields(epoch_fields, &progress->history[i], json_array_get(history, (size_t)i),
                           what);
    }
    return good;
}

/* Two plans hold the same keys in the same order. */
static bool compare_plans(const char *wanted, const char *found, const char *path)
{
    json_t *ours = ex_json_read(wanted), *theirs = found ? ex_json_read(found) : NULL, *value;
    const char *key;
    bool good = json_is_object(theirs) ||
                ex_fail("%s: the checkpoint is damaged: it does not say what it is of", path);
    json_object_foreach(ours, key, value)
    {
        const char *now = json_string_value(value),
                   *then = json_string_value(json_object_get(theirs, key));
        if (!good || (then && !strcmp(now, then))) continue;
        good = ex_fail("%s: the checkpoint is of another training: %s was %s and is %s; give the "
                       "same, or train without --resume "
                       "into another checkpoint",
                       path, key, then ? then : "unknown", now);
    }
    json_decref(ours);
    json_decref(theirs);
    return good;
}

bool tc_checkpoint_load(tc_model *model, tc_progress *progress, const tc_schedule *schedule,
                        int64_t batches, bool *found)
{
    const char *path = schedule->checkpoint;
    char what[512];
    *found = !access(path, F_OK);
    if (!*found) return true;
    tg_params *file = tg_params_new(0); /* looked at before the model changes */
    bool good = tg_params_load(file, path) ||
                ex_fail("%s; train without --resume into another checkpoint",
                        tg_params_error(file));
    const char *version = tg_params_metadata(file, version_key),
               *text = tg_params_metadata(file, progress_key);
    if (good && (!version || !text)) {
        good = ex_fail("%s: this is no checkpoint of textclf: name another with --checkpoint",
                       path);
    } else if (good && strcmp(version, format_version)) {
        good = ex_fail("%s: the checkpoint has format %.20s and this program reads %s: use the "
                       "program that wrote it",
                       path, version, format_version);
    }
    good = good && compare_plans(schedule->plan, tg_params_metadata(file, plan_key), path);
    json_t *object = good ? ex_json_read(text) : NULL;
    snprintf(what, sizeof what,
             "%s: the checkpoint is damaged, train without --resume into another:", path);
    good = good && read_progress(object, progress, schedule->epochs, batches, what);
    json_decref(object);
    tg_params_free(file);
    if (good && !(tg_params_load(model->params, path) && tg_params_finish_load(model->params))) {
        good = ex_fail("%s", tg_params_error(model->params));
    }
    if (good) set_metadata(model->params, NULL, NULL, NULL);
    return good;
}
