#include "evaluate.h"

#include "../../support/failure.h"

#include <math.h>
#include <string.h>

enum { BATCH = 64 };

const tg_tensor *tc_checked_log_softmax(tg_tape *tape, tg_tensor *logits)
{
    const tg_tensor *result = tg_log_softmax(tape, logits);
    if (!result) {
        ex_fail("%s", tg_tape_error(tape));
        return NULL;
    }
    for (int64_t i = 0; i < result->size; i++) {
        if (!isnan(result->data[i])) continue;
        ex_fail("the model's probabilities are not numbers: a weight is too large or not a number; "
                "train the model again");
        return NULL;
    }
    return result;
}

static bool fill(float *result, tg_tape *tape, const tc_model *model, tc_batches *batches)
{
    size_t C = (size_t)model->labels.count;
    for (int32_t i = 0; i < batches->count; i++) {
        const tc_batch *batch = tc_batches_get(batches, i);
        const tg_tensor *log_p = tc_checked_log_softmax(tape,
                                                        tc_model_forward(tape, model, batch, NULL));
        if (!log_p) return false;
        for (int32_t b = 0; b < batch->rows; b++) {
            memcpy(result + (size_t)batch->index[b] * C, log_p->data + (size_t)b * C,
                   C * sizeof *result);
        }
        tg_tape_reset(tape);
    }
    return true;
}

float *tc_log_probabilities(const tc_model *model, tc_slice rows)
{
    tc_batches batches;
    if (!tc_batches_init(&batches, rows, BATCH)) return NULL;
    float *result = ex_allocate(NULL, (size_t)rows.count,
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

bool tc_score_rows(tc_score *score, const tc_model *model, tc_slice rows)
{
    const int32_t C = model->labels.count;
    const size_t cells = (size_t)C * (size_t)C;
    *score = (tc_score){.rows = rows.count, .labels = C};
    score->confusion = ex_allocate(NULL, cells, sizeof *score->confusion);
    float *log_probabilities = score->confusion ? tc_log_probabilities(model, rows) : NULL;
    bool good = log_probabilities != NULL;
    if (good) memset(score->confusion, 0, cells * sizeof *score->confusion);
    for (int32_t i = 0; good && i < rows.count; i++) {
        const float *log_p = log_probabilities + (size_t)i * (size_t)C;
        const int32_t label = rows.rows[i].label, best = tc_best_label(log_p, C);
        score->loss -= (double)log_p[label] / rows.count;
        score->correct += best == label;
        score->confusion[(size_t)label * (size_t)C + (size_t)best]++;
    }
    if (good && !isfinite(score->loss))
        good = ex_fail("the model's loss is not finite; train the model again");
    ex_free(log_probabilities);
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
    const size_t C = (size_t)score->labels, index = (size_t)label;
    tc_label_score s = {.correct = score->confusion[index * C + index]};
    for (size_t c = 0; c < C; c++) {
        s.rows += score->confusion[index * C + c];
        s.predicted += score->confusion[c * C + index];
    }
    if (s.predicted) s.precision = (double)s.correct / s.predicted;
    if (s.rows) s.recall = (double)s.correct / s.rows;
    if (s.rows + s.predicted) s.f1 = 2.0 * s.correct / (s.rows + s.predicted);
    return s;
}

double tc_macro_f1(const tc_score *score)
{
    double sum = 0;
    int32_t count = 0;
    for (int32_t c = 0; c < score->labels; c++) {
        const tc_label_score s = tc_score_label(score, c);
        sum += s.f1;
        count += s.rows + s.predicted > 0;
    }
    return count ? sum / count : 0;
}
