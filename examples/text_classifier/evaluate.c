#include "evaluate.h"

#include "failure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 64 };

static bool fill(float *result, tg_tape *tape, const tc_model *model, tc_batches *batches)
{
    size_t C = (size_t)model->labels.count;
    for (int32_t i = 0; i < batches->count; i++) {
        const tc_batch *batch = tc_batches_get(batches, i);
        tg_tensor *answer = tg_log_softmax(tape, tc_model_forward(tape, model, batch, NULL));
        if (!answer) return tc_fail("%s", tg_tape_error(tape));
        for (int32_t b = 0; b < batch->rows; b++) {
            memcpy(result + (size_t)batch->index[b] * C, answer->data + (size_t)b * C, C * sizeof *result);
        }
        tg_tape_reset(tape);
    }
    return true;
}

float *tc_log_probabilities(const tc_model *model, tc_part part)
{
    tc_batches batches;
    if (!tc_batches_init(&batches, part, BATCH)) return NULL;
    float *result = tc_allocate(NULL, (size_t)part.count, (size_t)model->labels.count * sizeof *result);
    tg_tape *tape = tg_tape_new(0);
    tg_tape_set_training(tape, false);
    tg_tape_set_recording(tape, false);
    if (result && !fill(result, tape, model, &batches)) {
        free(result);
        result = NULL;
    }
    tg_tape_free(tape);
    tc_batches_free(&batches);
    return result;
}

int32_t tc_best_label(const float *log_probabilities, int32_t count)
{
    int32_t best = 0;
    for (int32_t c = 1; c < count; c++) {
        if (log_probabilities[c] > log_probabilities[best]) best = c;
    }
    return best;
}

bool tc_score_part(tc_score *score, const tc_model *model, tc_part part)
{
    int32_t C = model->labels.count;
    *score = (tc_score){.rows = part.count};
    score->label_rows = tc_allocate(NULL, (size_t)C, sizeof *score->label_rows);
    score->label_right = tc_allocate(NULL, (size_t)C, sizeof *score->label_right);
    float *answers = tc_log_probabilities(model, part);
    bool good = score->label_rows && score->label_right && answers;
    if (good) {
        memset(score->label_rows, 0, (size_t)C * sizeof *score->label_rows);
        memset(score->label_right, 0, (size_t)C * sizeof *score->label_right);
        for (int32_t i = 0; i < part.count; i++) {
            const float *answer = answers + (size_t)i * (size_t)C;
            int32_t label = part.rows[i].label;
            bool right = tc_best_label(answer, C) == label;
            score->loss -= (double)answer[label] / part.count;
            score->right += right;
            score->label_rows[label]++;
            score->label_right[label] += right;
        }
        if (!isfinite(score->loss)) good = tc_fail("the model's answers are not finite numbers");
    }
    free(answers);
    if (!good) tc_score_free(score);
    return good;
}

void tc_score_free(tc_score *score)
{
    free(score->label_rows);
    free(score->label_right);
    *score = (tc_score){0};
}
