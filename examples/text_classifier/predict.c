#include "commands.h"
#include "../support/failure.h"
#include "results.h"

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
    printf(", %.1f %% of the words unknown\n", 100 * unknown);
    tc_results_table(score, labels);
}

bool tc_eval(tc_model *model, const tc_options *options)
{
    tc_data data = {0};
    tc_score score = {0};
    bool good = tc_data_read(&data, options->arguments[1], &options->reading) &&
                tc_data_number_labels(&data, &model->labels) && tc_model_encode(model, &data) &&
                tc_score_part(&score, model, (tc_part){data.rows, data.count});
    if (good) {
        const double unknown = data.tokens ? (double)data.unknown / (double)data.tokens : 0;
        tc_data_tell(&data);
        if (options->json) good = tc_results_json(&score, &model->labels, unknown);
        else print_score(&score, &model->labels, unknown);
    }
    tc_score_free(&score);
    tc_data_free(&data);
    return good;
}

/* ---- predict ---- */

/* Answers a block of texts in their order. */
static bool predict_block(const tc_model *model, tc_data *block, const tc_options *options)
{
    if (!tc_model_encode(model, block)) return false;
    float *answers = tc_log_probabilities(model, (tc_part){block->rows, block->count});
    if (!answers) return false;
    bool good = true;
    for (int32_t i = 0; good && i < block->count; i++) {
        good = tc_results_answer(answers + (size_t)i * (size_t)model->labels.count, &model->labels,
                                 block->rows[i].text, (int32_t)options->top, options->json);
    }
    ex_free(answers);
    return good;
}

static bool check_text(const char *text, size_t length, const char *name, int64_t number)
{
    size_t bad;
    if (ex_text_valid(text, length, &bad)) return true;
    return ex_fail("%s:%lld: byte %zu, 0x%02X, is not UTF-8 text: convert it with iconv", name,
                   (long long)number, bad + 1, (unsigned)(unsigned char)text[bad]);
}

static bool name_unknown_words(const tc_model *model, const tc_data *block)
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
    tc_data block = {.name = "TEXT"};
    bool good = true;
    for (int32_t i = 0; good && i < count; i++) {
        good = check_text(texts[i], strlen(texts[i]), block.name, i + 1) &&
               tc_data_add_text(&block, texts[i]);
    }
    good = good && predict_block(model, &block, options) && name_unknown_words(model, &block);
    tc_data_free(&block);
    return good;
}

/* ---- predict, standard input ---- */

enum { BLOCK = 1024 }; /* lines that are answered together */

typedef struct line_buffer {
    char *text;
    size_t room;
} line_buffer;

/* Reads one line; *end is set where there is none. */
static bool read_line(line_buffer *line, int64_t number, bool *end)
{
    errno = 0;
    ssize_t length = getline(&line->text, &line->room, stdin);
    *end = length < 0;
    if (*end) return feof(stdin) ? true : ex_fail("standard input: %s", strerror(errno));
    while (length && (line->text[length - 1] == '\n' || line->text[length - 1] == '\r')) length--;
    line->text[length] = 0;
    if (number == 1 && !strncmp(line->text, "\xEF\xBB\xBF", 3))
        memmove(line->text, line->text + 3, (size_t)(length -= 3) + 1);
    return check_text(line->text, (size_t)length, "standard input", number);
}

static bool predict_lines(const tc_model *model, const tc_options *options, line_buffer *lines)
{
    const bool typed = isatty(STDIN_FILENO);
    const int block_lines = typed ? 1 : BLOCK; /* whoever types wants an answer after each line */
    int64_t number = 0, tokens = 0, unknown = 0;
    bool good = true, end = false;
    if (typed) fprintf(stderr, "textclf: type a text a line; Ctrl-D ends\n");
    while (good && !end) {
        tc_data block = {.name = "standard input"};
        while (good && block.count < block_lines) {
            line_buffer *next = &lines[block.count];
            good = read_line(next, ++number, &end);
            if (end) break;
            good = good && tc_data_add_text(&block, next->text);
        }
        bool answered = !block.count ||
                        predict_block(model, &block,
                                      options); /* also what came before a bad line */
        good = good && answered;
        tokens += block.tokens;
        unknown += block.unknown;
        tc_data_free(&block);
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
    if (lines) memset(lines, 0, BLOCK * sizeof *lines);
    const bool good = lines ? predict_lines(model, options, lines)
                            : ex_fail("out of memory: %d lines", BLOCK);
    for (int i = 0; lines && i < BLOCK; i++) free(lines[i].text);
    ex_free(lines);
    return good;
}
