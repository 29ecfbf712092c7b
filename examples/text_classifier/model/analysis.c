#include "analysis.h"

#include "../../support/failure.h"
#include "evaluate.h"

#include <math.h>
#include <string.h>

/* The sum of the probabilities of all other labels; at least 1e-300, so its logarithm is finite. */
static double other_probability(const float *log_probabilities, int32_t count, int32_t label)
{
    double sum = 0;
    for (int32_t c = 0; c < count; c++) sum += c == label ? 0 : exp((double)log_probabilities[c]);
    return fmax(sum, 1e-300);
}

double tc_log_odds(const float *log_probabilities, int32_t count, int32_t label)
{
    return (double)log_probabilities[label] -
           log(other_probability(log_probabilities, count, label));
}

static bool store_weights(tc_analysis *analysis, tg_tape *tape, const tg_tensor *attended)
{
    const int32_t count = analysis->count;
    const tg_tensor *all = tg_attention_weights(tape, attended); /* [1, heads, 1, T] */
    if (!all) return ex_fail("%s", tg_tape_error(tape));
    analysis->weights = ex_allocate(NULL, (size_t)count, sizeof *analysis->weights);
    for (int32_t i = 0; analysis->weights && i < count; i++) {
        analysis->weights[i] = 0;
        for (int64_t n = 0; n < all->shape[1]; n++) {
            analysis->weights[i] += (double)all->data[n * all->shape[3] + i] /
                                    (double)all->shape[1];
        }
    }
    return analysis->weights != NULL;
}

/* With logits z the log-odds are o = z_best - log(sum of exp(z_c) over the other labels c), so
 * do/dz is 1 for the best label and -p_c / (1 - p_best) for each other one. The sum of z * do/dz,
 * with do/dz constant, has the gradient of o. */
static bool store_gradient(tc_analysis *analysis, tg_tape *tape, tg_tensor *logits,
                           const float *log_p, const tg_tensor *words, tg_params *params)
{
    const int32_t C = analysis->labels->count, best = analysis->best;
    tg_tensor *do_dz = tg_constant(tape, NULL, TG_SHAPE(1, C));
    const double rest = other_probability(log_p, C, best);
    for (int32_t c = 0; do_dz && c < C; c++) {
        do_dz->data[c] = c == best ? 1 : (tg_real)(-exp((double)log_p[c]) / rest);
    }
    tg_tensor *sum = tg_sum(tape, tg_mul(tape, logits, do_dz), TG_ALL_AXES, false);
    const bool good = tg_backward(tape, sum);
    tg_params_zero_grad(params);
    if (!good) return ex_fail("%s", tg_tape_error(tape));
    analysis->gradient = ex_allocate(NULL, (size_t)analysis->count, sizeof *analysis->gradient);
    const int64_t E = words->shape[2];
    for (int32_t i = 0; analysis->gradient && i < analysis->count; i++) {
        analysis->gradient[i] = 0;
        for (int64_t e = i * E; e < (i + 1) * E; e++)
            analysis->gradient[i] += (double)words->grad[e] * (double)words->data[e];
    }
    return analysis->gradient != NULL;
}

static bool compute(tc_analysis *analysis, tg_tape *tape, const tc_model *model, bool gradient)
{
    const int32_t C = model->labels.count;
    tc_activations activations = {0};
    if (!tc_batches_init(&analysis->batches, (tc_slice){analysis->data.rows, 1}, 1)) return false;
    analysis->batch = tc_batches_get(&analysis->batches, 0);
    tg_tensor *logits = tc_model_forward(tape, model, analysis->batch, &activations);
    const tg_tensor *log_p = tc_checked_log_softmax(tape, logits);
    if (!log_p) return false;
    analysis->probabilities = ex_allocate(NULL, (size_t)C, sizeof *analysis->probabilities);
    if (!analysis->probabilities) return false;
    for (int32_t c = 0; c < C; c++) analysis->probabilities[c] = exp((double)log_p->data[c]);
    analysis->best = tc_best_label(log_p->data, C);
    analysis->log_odds = tc_log_odds(log_p->data, C, analysis->best);
    const bool attention = model->settings.attention != TC_NO_ATTENTION;
    if (attention && !store_weights(analysis, tape, activations.attended)) return false;
    return !gradient ||
           store_gradient(analysis, tape, logits, log_p->data, activations.embedded, model->params);
}

bool tc_analysis_compute(tc_analysis *analysis, const tc_model *model, const char *text,
                         bool gradient)
{
    const tc_tokenizer *tokenizer = &model->tokenizer;
    size_t bad;
    if (!ex_text_valid(text, strlen(text), &bad)) {
        return ex_fail("TEXT: byte %zu, 0x%02X, is not valid UTF-8", bad + 1,
                       (unsigned)(unsigned char)text[bad]);
    }
    analysis->text = text;
    analysis->labels = &model->labels;
    analysis->data.name = "TEXT";
    if (!tc_dataset_add_text(&analysis->data, text) || !tc_model_encode(model, &analysis->data) ||
        !tc_tokenize(tokenizer, &analysis->tokens, text)) {
        return false;
    }
    analysis->ids = analysis->data.rows[0].ids;
    analysis->count = analysis->data.rows[0].length;
    if (!analysis->count) {
        return ex_fail("TEXT: the text has no words%s",
                       tokenizer->stopwords.count ? " other than stop words" : "");
    }
    tg_tape *tape = tg_tape_new(0);
    tg_tape_set_training(tape, false);
    tg_tape_set_recording(tape, gradient);
    const bool good = compute(analysis, tape, model, gradient);
    tg_tape_free(tape);
    return good;
}

void tc_analysis_free(tc_analysis *analysis)
{
    ex_tokens_free(&analysis->tokens);
    tc_dataset_free(&analysis->data);
    tc_batches_free(&analysis->batches);
    ex_free(analysis->weights);
    ex_free(analysis->probabilities);
    ex_free(analysis->gradient);
    *analysis = (tc_analysis){0};
}

double tc_max_magnitude(const double *values, int32_t count)
{
    double max = 0;
    for (int32_t i = 0; i < count; i++) max = fmax(max, fabs(values[i]));
    return max > 0 ? max : 1;
}
