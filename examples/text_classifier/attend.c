#include "commands.h"
#include "evaluate.h"
#include "failure.h"
#include "files.h"
#include "page.h"

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

/* What the text's words got, and where it goes besides the terminal. */
typedef struct look {
    const tc_model *model;
    const tc_options *options;
    tc_page *page; /* NULL: no page */
    tg_tape *tape;
    double *probabilities; /* [C] */
} look;

static bool draw(const look *l, const tc_view *view)
{
    const char *path = l->options->output;
    print_view(view);
    if (l->page) tc_page_add(l->page, view);
    if (l->page || !path) return true;
    if (!tc_view_draw(view, l->options->font, path)) return false;
    printf("drawn: %s\n", path);
    return true;
}

/* Runs the model on the one row of `data` and shows what comes out. */
static bool show(const look *l, const tc_data *data, const tc_tokens *tokens)
{
    const tc_model *model = l->model;
    tc_batches batches;
    if (!tc_batches_init(&batches, (tc_part){data->rows, 1}, 1)) return false;
    tg_attention_detail detail = {NULL};
    tg_tensor *answer = tg_log_softmax(l->tape, tc_model_forward(l->tape, model, tc_batches_get(&batches, 0), &detail));
    tc_batches_free(&batches);
    if (!answer) return tc_fail("%s", tg_tape_error(l->tape));

    float *weights = mean_weights(l->tape, &detail, data->rows[0].length);
    if (!weights) return false;
    for (int32_t c = 0; c < model->labels.count; c++) l->probabilities[c] = exp((double)answer->data[c]);
    tc_view view = {
        .text = data->rows[0].text,
        .tokens = tokens->items,
        .ids = data->rows[0].ids,
        .weights = weights,
        .count = data->rows[0].length,
        .labels = &model->labels,
        .probabilities = l->probabilities,
        .best = tc_best_label(answer->data, model->labels.count),
    };
    bool good = draw(l, &view);
    free(weights);
    tg_tape_reset(l->tape);
    return good;
}

static bool attend_text(const look *l, const char *text)
{
    const tc_tokenizer *tokenizer = &l->model->tokenizer;
    tc_data data = {.name = "TEXT"};
    tc_tokens tokens = {0};
    size_t bad;
    if (!tc_text_valid(text, strlen(text), &bad)) {
        return tc_fail("TEXT: byte %zu, 0x%02X, is not UTF-8", bad + 1, (unsigned)(unsigned char)text[bad]);
    }
    bool good = tc_data_add_text(&data, text) && tc_model_encode(l->model, &data) && tc_tokenize(tokenizer, &tokens, text);
    if (good && !data.rows[0].length) {
        good = tc_fail("TEXT: there is no word in it to look at%s", tokenizer->stopwords.count ? " but stop words" : "");
    }
    good = good && show(l, &data, &tokens);
    tc_tokens_free(&tokens);
    tc_data_free(&data);
    return good;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

static bool attend(tc_model *model, tc_page *page, const tc_options *options)
{
    const char *path = options->arguments[0], *output = options->output;
    const bool paged = output && ends_with(output, ".html");
    if (!tc_model_load(model, path)) return false;
    if (model->settings.attention == TC_NO_ATTENTION) {
        return tc_fail("%s: the model was trained with --attention none: it has no weights to show", path);
    }
    if (output && !paged && options->argument_count > 2) {
        return tc_fail("%s: a picture shows one text: give one, or -o FILE.html for a page of all", output);
    }
    if ((output && !tc_output_check(output)) || (paged && !tc_page_begin(page, path))) return false;

    look l = {model, options, paged ? page : NULL, tg_tape_new(0), NULL};
    l.probabilities = tc_allocate(NULL, (size_t)model->labels.count, sizeof *l.probabilities);
    tg_tape_set_training(l.tape, false);
    tg_tape_set_recording(l.tape, false);
    bool good = l.probabilities != NULL;
    for (int32_t i = 1; good && i < options->argument_count; i++) good = attend_text(&l, options->arguments[i]);
    if (good && paged) good = tc_page_save(page, output) && printf("written: %s\n", output) > 0;
    tg_tape_free(l.tape);
    free(l.probabilities);
    return good;
}

int tc_attend(const tc_options *options)
{
    tc_model model = {0};
    tc_page page = {0};
    bool good = attend(&model, &page, options);
    tc_page_free(&page);
    tc_model_free(&model);
    return good ? TC_DONE : TC_FAILED;
}
