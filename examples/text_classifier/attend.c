#include "commands.h"
#include "evaluate.h"
#include "failure.h"
#include "files.h"
#include "view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utf8proc.h>

/* ---- the terminal ---- */

/* Columns that a piece of text takes: Han characters take two. */
static int columns(const char *text, size_t length)
{
    int sum = 0, c;
    for (size_t at = 0; at < length; sum += utf8proc_charwidth(c)) at += tc_text_next(text + at, &c);
    return sum;
}

static void print_view(const tc_view *view)
{
    bool colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR"), unknown = false;
    int widest = 0;
    double most = 0;
    for (int32_t i = 0; i < view->count; i++) {
        int width = columns(view->text + view->tokens[i].start, view->tokens[i].length);
        if (width > widest) widest = width;
        most = fmax(most, (double)view->weights[i]);
    }
    printf("%s%s %.4f%s\n", colour ? "\033[1m" : "", view->labels->items[view->best], view->probabilities[view->best],
           colour ? "\033[0m" : "");
    for (int32_t i = 0; i < view->count; i++) {
        const tc_token *token = &view->tokens[i];
        const char *word = view->text + token->start;
        bool known = view->ids[i] != TC_UNKNOWN;
        unknown = unknown || !known;
        printf("  %.*s%*s %s %.3f ", (int)token->length, word, widest - columns(word, token->length), "",
               known ? " " : "?", (double)view->weights[i]);
        tc_view_bar(most > 0 ? (double)view->weights[i] / most : 0, colour);
    }
    if (unknown) printf("? marks words that are not in the vocabulary\n");
}

/* ---- the look ---- */

/* The weight of each of `count` words, the mean over the heads; the caller frees it. NULL after tc_fail. */
static float *mean_weights(tg_tape *tape, const tg_attention_detail *detail, int32_t count)
{
    const tg_tensor *all = tg_attention_look(tape, detail, TG_LOOK_WEIGHTS); /* [1, heads, 1, T] */
    float *weights = tc_allocate(NULL, (size_t)count, sizeof *weights);
    if (!all) tc_fail("%s", tg_tape_error(tape));
    if (!all || !weights) {
        free(weights);
        return NULL;
    }
    for (int32_t i = 0; i < count; i++) {
        weights[i] = 0;
        for (int64_t n = 0; n < all->shape[1]; n++) {
            weights[i] += all->data[n * all->shape[3] + i] / (float)all->shape[1];
        }
    }
    return weights;
}

/* Runs the model on the one row of `data` and shows what comes out. */
static bool show(const tc_model *model, const tc_data *data, const tc_tokens *tokens, tg_tape *tape,
                 double *probabilities, const tc_options *options)
{
    tc_batches batches;
    if (!tc_batches_init(&batches, (tc_part){data->rows, 1}, 1)) return false;
    tg_attention_detail detail = {NULL};
    tg_tensor *answer = tg_log_softmax(tape, tc_model_forward(tape, model, tc_batches_get(&batches, 0), &detail));
    tc_batches_free(&batches);
    if (!answer) return tc_fail("%s", tg_tape_error(tape));

    float *weights = mean_weights(tape, &detail, data->rows[0].length);
    if (!weights) return false;
    for (int32_t c = 0; c < model->labels.count; c++) probabilities[c] = exp((double)answer->data[c]);
    tc_view view = {
        .text = data->rows[0].text,
        .tokens = tokens->items,
        .ids = data->rows[0].ids,
        .weights = weights,
        .count = data->rows[0].length,
        .labels = &model->labels,
        .probabilities = probabilities,
        .best = tc_best_label(answer->data, model->labels.count),
    };
    print_view(&view);
    bool good = !options->output ||
                (tc_output_check(options->output) && tc_view_draw(&view, options->font, options->output));
    if (good && options->output) printf("drawn: %s\n", options->output);
    free(weights);
    return good;
}

static bool attend(tc_model *model, tc_data *data, tc_tokens *tokens, const tc_options *options)
{
    const char *path = options->arguments[0], *text = options->arguments[1];
    size_t bad;
    if (!tc_model_load(model, path)) return false;
    if (model->settings.attention == TC_NO_ATTENTION) {
        return tc_fail("%s: the model was trained with --attention none: it has no weights to show", path);
    }
    if (!tc_text_valid(text, strlen(text), &bad)) {
        return tc_fail("TEXT: byte %zu, 0x%02X, is not UTF-8", bad + 1, (unsigned)(unsigned char)text[bad]);
    }
    if (!tc_data_add_text(data, text) || !tc_model_encode(model, data) ||
        !tc_tokenize(&model->tokenizer, tokens, text)) {
        return false;
    }
    if (!data->rows[0].length) return tc_fail("TEXT: there is no word in it to look at%s", model->tokenizer.stopwords.count ? " but stop words" : "");

    double *probabilities = tc_allocate(NULL, (size_t)model->labels.count, sizeof *probabilities);
    tg_tape *tape = tg_tape_new(0);
    tg_tape_set_training(tape, false);
    tg_tape_set_recording(tape, false);
    bool good = probabilities && show(model, data, tokens, tape, probabilities, options);
    tg_tape_free(tape);
    free(probabilities);
    return good;
}

int tc_attend(const tc_options *options)
{
    tc_model model = {0};
    tc_data data = {.name = "TEXT"};
    tc_tokens tokens = {0};
    bool good = attend(&model, &data, &tokens, options);
    tc_tokens_free(&tokens);
    tc_data_free(&data);
    tc_model_free(&model);
    return good ? TC_DONE : TC_FAILED;
}
