#include "look.h"

#include "evaluate.h"
#include "../support/failure.h"

#include <math.h>
#include <string.h>

/* The sum of the probabilities of all labels but one; never 0, so that its logarithm is a number. */
static double others(const float *log_probabilities, int32_t count, int32_t label)
{
    double sum = 0;
    for (int32_t c = 0; c < count; c++) sum += c == label ? 0 : exp((double)log_probabilities[c]);
    return fmax(sum, 1e-300);
}

double tc_log_odds(const float *log_probabilities, int32_t count, int32_t label)
{
    return (double)log_probabilities[label] - log(others(log_probabilities, count, label));
}

static bool take_weights(tc_seen *seen, tg_tape *tape, const tg_tensor *attended)
{
    const int32_t count = seen->count;
    const tg_tensor *all = tg_attention_weights(tape, attended); /* [1, heads, 1, T] */
    if (!all) return ex_fail("%s", tg_tape_error(tape));
    seen->weights = ex_allocate(NULL, (size_t)count, sizeof *seen->weights);
    for (int32_t i = 0; seen->weights && i < count; i++) {
        seen->weights[i] = 0;
        for (int64_t n = 0; n < all->shape[1]; n++) {
            seen->weights[i] += (double)all->data[n * all->shape[3] + i] / (double)all->shape[1];
        }
    }
    return seen->weights != NULL;
}

/* With z the logits, o = z_best - log sum over the others of exp z_c, so that do/dz is 1 for the best label and
 * -p_c / (1 - p_best) for each other one. As constants they make a sum that has o's gradient. */
static bool take_gradient(tc_seen *seen, tg_tape *tape, tg_tensor *logits, const float *answer,
                          const tg_tensor *words, tg_params *params)
{
    const int32_t C = seen->labels->count, best = seen->best;
    tg_tensor *slopes = tg_constant(tape, NULL, TG_SHAPE(1, C));
    const double rest = others(answer, C, best);
    for (int32_t c = 0; slopes && c < C; c++) {
        slopes->data[c] = c == best ? 1 : (tg_real)(-exp((double)answer[c]) / rest);
    }
    const bool walked = tg_backward(tape,
                                    tg_sum(tape, tg_mul(tape, logits, slopes), TG_ALL_AXES, false));
    tg_params_zero_grad(params);
    if (!walked) return ex_fail("%s", tg_tape_error(tape));
    seen->gradient = ex_allocate(NULL, (size_t)seen->count, sizeof *seen->gradient);
    const int64_t E = words->shape[2];
    for (int32_t i = 0; seen->gradient && i < seen->count; i++) {
        seen->gradient[i] = 0;
        for (int64_t e = i * E; e < (i + 1) * E; e++)
            seen->gradient[i] += (double)words->grad[e] * (double)words->data[e];
    }
    return seen->gradient != NULL;
}

static bool run(tc_seen *seen, tg_tape *tape, const tc_model *model, bool gradient)
{
    const int32_t C = model->labels.count;
    tc_look look = {0};
    if (!tc_batches_init(&seen->batches, (tc_part){seen->data.rows, 1}, 1)) return false;
    seen->batch = tc_batches_get(&seen->batches, 0);
    tg_tensor *logits = tc_model_forward(tape, model, seen->batch, &look);
    const tg_tensor *answer = tc_answers(tape, logits);
    if (!answer) return false;
    seen->probabilities = ex_allocate(NULL, (size_t)C, sizeof *seen->probabilities);
    if (!seen->probabilities) return false;
    for (int32_t c = 0; c < C; c++) seen->probabilities[c] = exp((double)answer->data[c]);
    seen->best = tc_best_label(answer->data, C);
    seen->log_odds = tc_log_odds(answer->data, C, seen->best);
    return (model->settings.attention == TC_NO_ATTENTION ||
            take_weights(seen, tape, look.attended)) &&
           (!gradient ||
            take_gradient(seen, tape, logits, answer->data, look.words, model->params));
}

bool tc_see(tc_seen *seen, const tc_model *model, const char *text, bool gradient)
{
    const tc_tokenizer *tokenizer = &model->tokenizer;
    size_t bad;
    if (!ex_text_valid(text, strlen(text), &bad)) {
        return ex_fail("TEXT: byte %zu, 0x%02X, is not UTF-8", bad + 1,
                       (unsigned)(unsigned char)text[bad]);
    }
    seen->text = text;
    seen->labels = &model->labels;
    seen->data.name = "TEXT";
    if (!tc_data_add_text(&seen->data, text) || !tc_model_encode(model, &seen->data) ||
        !tc_tokenize(tokenizer, &seen->tokens, text)) {
        return false;
    }
    seen->ids = seen->data.rows[0].ids;
    seen->count = seen->data.rows[0].length;
    if (!seen->count) {
        return ex_fail("TEXT: there is no word in it to look at%s",
                       tokenizer->stopwords.count ? " but stop words" : "");
    }
    tg_tape *tape = tg_tape_new(0);
    tg_tape_set_training(tape, false);
    tg_tape_set_recording(tape, gradient);
    const bool good = run(seen, tape, model, gradient);
    tg_tape_free(tape);
    return good;
}

void tc_seen_free(tc_seen *seen)
{
    ex_tokens_free(&seen->tokens);
    tc_data_free(&seen->data);
    tc_batches_free(&seen->batches);
    ex_free(seen->weights);
    ex_free(seen->probabilities);
    ex_free(seen->gradient);
    *seen = (tc_seen){0};
}
