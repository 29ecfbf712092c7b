/* textclf eval and textclf predict. */
#include "commands.h"

#include "../../support/failure.h"
#include "../output/results.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* ---- eval ---- */

static void print_score(const tc_score *score, const ex_names *labels, double unknown)
{
    tc_results_line(score);
    printf(", %.1f %% unknown words\n", 100 * unknown);
    tc_results_table(score, labels);
}

static bool eval(const tc_model *model, tc_dataset *data, tc_score *score,
                 const tc_options *options)
{
    if (!tc_dataset_read(data, options->arguments[1], &options->config.read) ||
        !tc_dataset_encode_labels(data, &model->labels) || !tc_model_encode(model, data) ||
        !tc_score_rows(score, model, (tc_slice){data->rows, data->count})) {
        return false;
    }
    const double unknown = data->tokens ? (double)data->unknown / (double)data->tokens : 0;
    tc_dataset_log(data);
    if (options->json) return tc_results_json(score, &model->labels, unknown);
    print_score(score, &model->labels, unknown);
    return true;
}

bool tc_eval(tc_model *model, const tc_options *options)
{
    tc_dataset data = {0};
    tc_score score = {0};
    const bool good = eval(model, &data, &score, options);
    tc_score_free(&score);
    tc_dataset_free(&data);
    return good;
}

/* ---- predict ---- */

/* Predicts a block of texts and prints the results in their order. */
static bool predict_block(const tc_model *model, tc_dataset *block, const tc_options *options)
{
    if (!tc_model_encode(model, block)) return false;
    float *log_probabilities = tc_log_probabilities(model, (tc_slice){block->rows, block->count});
    if (!log_probabilities) return false;
    bool good = true;
    for (int32_t i = 0; good && i < block->count; i++) {
        good = tc_results_prediction(log_probabilities + (size_t)i * (size_t)model->labels.count,
                                     &model->labels, block->rows[i].text, (int32_t)options->top,
                                     options->json);
    }
    ex_free(log_probabilities);
    return good;
}

static bool check_text(const char *text, size_t length, const char *name, int64_t number)
{
    size_t bad;
    if (ex_text_valid(text, length, &bad)) return true;
    return ex_fail("%s:%lld: byte %zu, 0x%02X, is not valid UTF-8; convert the text with iconv",
                   name, (long long)number, bad + 1, (unsigned)(unsigned char)text[bad]);
}

static bool print_unknown_words(const tc_model *model, const tc_dataset *block)
{
    ex_tokens tokens = {0};
    bool good = true;
    for (int32_t i = 0; good && i < block->count; i++) {
        good = tc_tokenize(&model->tokenizer, &tokens, block->rows[i].text);
    }
    int shown = 0;
    for (size_t i = 0; good && i < tokens.count; i++) {
        const char *word = ex_token_word(&tokens, i);
        if (ex_names_find(&model->words, word) >= 0) continue;
        fprintf(stderr, "%s%s", shown++ ? ", " : "textclf: not in the vocabulary: ", word);
    }
    if (shown) fputc('\n', stderr);
    ex_tokens_free(&tokens);
    return good;
}

static bool predict_arguments(const tc_model *model, const tc_options *options)
{
    char *const *texts = options->arguments + 1;
    const int32_t count = options->argument_count - 1;
    tc_dataset block = {.name = "TEXT"};
    bool good = true;
    for (int32_t i = 0; good && i < count; i++) {
        good = check_text(texts[i], strlen(texts[i]), block.name, i + 1) &&
               tc_dataset_add_text(&block, texts[i]);
    }
    good = good && predict_block(model, &block, options) && print_unknown_words(model, &block);
    tc_dataset_free(&block);
    return good;
}

/* ---- predict, standard input ---- */

enum { BLOCK = 1024 }; /* lines that are predicted together */

typedef struct line_buffer {
    char *text;
    size_t capacity;
} line_buffer;

/* Reads one line. *end becomes true if there is none. Returns false after ex_fail. */
static bool read_line(line_buffer *line, int64_t number, bool *end)
{
    errno = 0;
    ssize_t length = getline(&line->text, &line->capacity, stdin);
    *end = length < 0;
    if (*end) return feof(stdin) || ex_fail("standard input: %s", strerror(errno));
    while (length && (line->text[length - 1] == '\n' || line->text[length - 1] == '\r')) length--;
    line->text[length] = 0;
    if (number == 1 && !strncmp(line->text, "\xEF\xBB\xBF", 3)) {
        length -= 3;
        memmove(line->text, line->text + 3, (size_t)length + 1);
    }
    return check_text(line->text, (size_t)length, "standard input", number);
}

/* Reads up to `count` lines into a block. Returns false after ex_fail. */
static bool read_block(tc_dataset *block, line_buffer *lines, int count, int64_t *number, bool *end)
{
    while (block->count < count) {
        line_buffer *line = &lines[block->count];
        if (!read_line(line, ++*number, end)) return false;
        if (*end) return true;
        if (!tc_dataset_add_text(block, line->text)) return false;
    }
    return true;
}

static bool predict_lines(const tc_model *model, const tc_options *options, line_buffer *lines)
{
    const bool typed = isatty(STDIN_FILENO);
    const int block_lines = typed ? 1 : BLOCK; /* in a terminal each line is predicted at once */
    int64_t number = 0, tokens = 0, unknown = 0;
    bool good = true, end = false;
    if (typed) fprintf(stderr, "textclf: type one text per line; Ctrl-D ends\n");
    while (good && !end) {
        tc_dataset block = {.name = "standard input"};
        good = read_block(&block, lines, block_lines, &number, &end);
        /* the lines before a wrong one are predicted too */
        if (block.count && !predict_block(model, &block, options)) good = false;
        tokens += block.tokens;
        unknown += block.unknown;
        tc_dataset_free(&block);
        fflush(stdout);
    }
    if (unknown) {
        fprintf(stderr, "textclf: %lld of %lld words are not in the vocabulary\n",
                (long long)unknown, (long long)tokens);
    }
    return good;
}

bool tc_predict(tc_model *model, const tc_options *options)
{
    if (options->argument_count > 1) return predict_arguments(model, options);
    line_buffer *lines = ex_allocate(NULL, BLOCK, sizeof *lines);
    if (!lines) return false;
    memset(lines, 0, BLOCK * sizeof *lines);
    const bool good = predict_lines(model, options, lines);
    for (int i = 0; i < BLOCK; i++) free(lines[i].text);
    ex_free(lines);
    return good;
}
