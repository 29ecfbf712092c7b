#include "evaluate.h"

#include "../support/failure.h"

#include <math.h>
#include <string.h>

enum { BATCH = 64 };

const tg_tensor *tc_answers(tg_tape *tape, tg_tensor *logits)
{
    const tg_tensor *answers = tg_log_softmax(tape, logits);
    if (!answers) ex_fail("%s", tg_tape_error(tape));
    for (int64_t i = 0; answers && i < answers->size; i++) {
        if (!isnan(answers->data[i])) continue;
        ex_fail("the model's answers are not numbers: its weights are too large, or not numbers "
                "themselves");
        return NULL;
    }
    return answers;
}

static bool fill(float *result, tg_tape *tape, const tc_model *model, tc_batches *batches)
{
    size_t C = (size_t)model->labels.count;
    for (int32_t i = 0; i < batches->count; i++) {
        const tc_batch *batch = tc_batches_get(batches, i);
        const tg_tensor *answer = tc_answers(tape, tc_model_forward(tape, model, batch, NULL));
        if (!answer) return false;
        for (int32_t b = 0; b < batch->rows; b++) {
            memcpy(result + (size_t)batch->index[b] * C, answer->data + (size_t)b * C,
                   C * sizeof *result);
        }
        tg_tape_reset(tape);
    }
    return true;
}

float *tc_log_probabilities(const tc_model *model, tc_part part)
{
    tc_batches batches;
    if (!tc_batches_init(&batches, part, BATCH)) return NULL;
    float *result = ex_allocate(NULL, (size_t)part.count,
                                (size_t)model->labels.count * sizeof *result);
    tg_tape *tape = tg_tape_new(0);
    tg_tape_set_training(tape, false);
    tg_tape_set_recording(tape, false);
    if (result && !fill(result, tape, model, &batches)) {
        ex_free(result);
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
    const int32_t C = model->labels.count;
    const size_t cells = (size_t)C * (size_t)C;
    *score = (tc_score){.rows = part.count, .labels = C};
    score->confusion = ex_allocate(NULL, cells, sizeof *score->confusion);
    float *answers = score->confusion ? tc_log_probabilities(model, part) : NULL;
    bool good = answers != NULL;
    if (good) memset(score->confusion, 0, cells * sizeof *score->confusion);
    for (int32_t i = 0; good && i < part.count; i++) {
        const float *answer = answers + (size_t)i * (size_t)C;
        const int32_t label = part.rows[i].label, best = tc_best_label(answer, C);
        score->loss -= (double)answer[label] / part.count;
        score->right += best == label;
        score->confusion[(size_t)label * (size_t)C + (size_t)best]++;
    }
    if (good && !isfinite(score->loss))
        good = ex_fail("the model's answers are not finite numbers");
    ex_free(answers);
    if (!good) tc_score_free(score);
    return good;
}

void tc_score_free(tc_score *score)
{
    ex_free(score->confusion);
    *score = (tc_score){0};
}

tc_label_score tc_score_label(const tc_score *score, int32_t label)
{
    const size_t C = (size_t)score->labels, at = (size_t)label;
    tc_label_score s = {.right = score->confusion[at * C + at]};
    for (size_t c = 0; c < C; c++) {
        s.rows += score->confusion[at * C + c];
        s.answers += score->confusion[c * C + at];
    }
    if (s.answers) s.precision = (double)s.right / s.answers;
    if (s.rows) s.recall = (double)s.right / s.rows;
    if (s.rows + s.answers) s.f1 = 2.0 * s.right / (s.rows + s.answers);
    return s;
}

double tc_macro_f1(const tc_score *score)
{
    double sum = 0;
    int32_t count = 0;
    for (int32_t c = 0; c < score->labels; c++) {
        const tc_label_score s = tc_score_label(score, c);
        sum += s.f1;
        count += s.rows + s.answers > 0;
    }
    return count ? sum / count : 0;
}
