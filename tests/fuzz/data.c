/* Data files: six letters choose the options (a: not given), the rest is the file. What is read
 * must be as dataset.h says, must be read back from a CSV file, and must become batches. */
#include "fuzz.h"

#include "../../examples/support/failure.h"
#include "../../examples/text_classifier/data/batch.h"
#include "../../examples/text_classifier/cli/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const delimiters[] = {NULL, ",", ";",  "|",  "tab", "\\t",
                                         " ",  "x", "\"", "ab", "\v",  "1"};
static const char *const texts[] = {NULL,    "text", "1",
                                    "2",     "1,2",  "text,title",
                                    "3,1,2", "no",   "99999999999999999999",
                                    ",",     "0",    "2,text"};
static const char *const labels[] = {NULL, "label", "1", "2", "3", "text", "no", "-1", "0", " "};
static const char *const encodings[] = {NULL,          "utf-8",      "latin1",    "utf-16",
                                        "utf-16le",    "utf-32",     "gb18030",   "gbk",
                                        "big5",        "big5-hkscs", "shift_jis", "euc-jp",
                                        "iso-2022-jp", "euc-kr",     "utf-7",     "cp1252",
                                        "cp1255",      "cp1258",     "tcvn",      "ucs-2",
                                        "none such"};
#define CHOOSE(list) (list)[fuzz_choose(input, sizeof list / sizeof *list)]

static tc_read_options choose_options(fuzz_input *input)
{
    tc_read_options options = {.quiet = true};
    options.format = fuzz_choose(input, 6);
    options.header = fuzz_choose(input, 3);
    options.delimiter = CHOOSE(delimiters);
    options.text = CHOOSE(texts);
    options.label = CHOOSE(labels);
    options.encoding = CHOOSE(encodings);
    return options;
}

static void check_rows(const tc_dataset *data)
{
    size_t bad;
    FUZZ_CHECK(data->count > 0, "%d rows were read", data->count);
    for (int32_t i = 0; i < data->count; i++) {
        const tc_row *row = &data->rows[i];
        FUZZ_CHECK(row->label_name && row->label_name[0], "row %d has no label", i);
        FUZZ_CHECK(ex_text_valid(row->text, strlen(row->text), &bad),
                   "row %d has a text that is no UTF-8", i);
        FUZZ_CHECK(ex_text_valid(row->label_name, strlen(row->label_name), &bad),
                   "row %d has a label that is no UTF-8", i);
        FUZZ_CHECK(row->line > (i ? row[-1].line : 0), "row %d starts in line %d", i, row->line);
    }
    FUZZ_CHECK(ex_text_valid(data->dialect.description, strlen(data->dialect.description), &bad),
               "the dialect in words is no UTF-8");
}

/* ---- written as RFC 4180 defines CSV and read again ---- */

static void put_quoted(FILE *file, const char *text)
{
    putc('"', file);
    for (; *text; text++) {
        if (*text == '"') putc('"', file);
        putc(*text, file);
    }
    putc('"', file);
}

static void check_csv(const tc_dataset *data)
{
    const tc_read_options csv = {.format = TC_CSV,
                                 .header = TC_HEADER_YES,
                                 .text = "text",
                                 .label = "label",
                                 .delimiter = ",",
                                 .quiet = true};
    FILE *file = fopen(fuzz_path("again.csv"), "wb");
    FUZZ_CHECK(file, "cannot write again.csv");
    fprintf(file, "text,label\n");
    for (int32_t i = 0; i < data->count; i++) {
        put_quoted(file, data->rows[i].text);
        putc(',', file);
        put_quoted(file, data->rows[i].label_name);
        putc('\n', file);
    }
    fclose(file);
    tc_dataset again;
    char path[1024];
    snprintf(path, sizeof path, "%s", fuzz_path("again.csv"));
    FUZZ_CHECK(tc_dataset_read(&again, path, &csv), "what was read does not come back: %s",
               ex_failure());
    FUZZ_CHECK(again.count == data->count, "%d rows come back as %d", data->count, again.count);
    for (int32_t i = 0; i < data->count; i++) {
        const tc_row *was = &data->rows[i], *is = &again.rows[i];
        FUZZ_CHECK(!strcmp(was->text, is->text), "row %d: the text \"%s\" became \"%s\"", i,
                   was->text, is->text);
        FUZZ_CHECK(!strcmp(was->label_name, is->label_name),
                   "row %d: the label \"%s\" became \"%s\"", i, was->label_name, is->label_name);
    }
    tc_dataset_free(&again);
}

/* ---- labels, words, ids, parts, batches ---- */

static bool words_of(ex_names *words, const tc_dataset *data)
{
    const tc_tokenizer tokenizer = {0};
    ex_tokens tokens = {0};
    int32_t first_rare;
    bool good = true;
    for (int32_t i = 0; good && i < data->count; i++)
        good = tc_tokenize(&tokenizer, &tokens, data->rows[i].text);
    good = good && ex_vocabulary_build(words, &tokens, 1, 0, &first_rare);
    ex_tokens_free(&tokens);
    return good;
}

static void check_batches(const tc_dataset *data)
{
    tc_batches batches;
    int32_t rows = 0;
    FUZZ_CHECK(tc_batches_init(&batches, (tc_slice){data->rows, data->count}, 3), "%s",
               ex_failure());
    for (int32_t i = 0; i < batches.count; i++) rows += tc_batches_get(&batches, i)->rows;
    FUZZ_CHECK(rows == data->count, "the batches of %d rows have %d", data->count, rows);
    tc_batches_free(&batches);
}

static void prepare(tc_dataset *data)
{
    const tc_tokenizer tokenizer = {0};
    ex_names names = {0}, words = {0};
    int32_t held_out;
    if (tc_dataset_labels(&names, data)) {
        FUZZ_CHECK(tc_dataset_encode_labels(data, &names) && words_of(&words, data), "%s",
                   ex_failure());
        FUZZ_CHECK(tc_dataset_encode_texts(data, &tokenizer, &words, 5) &&
                       tc_dataset_hold_out(data, &names, 1, &held_out),
                   "%s", ex_failure());
        FUZZ_CHECK(!data->unknown, "of the rows' own words %lld are unknown",
                   (long long)data->unknown);
        check_batches(data);
    }
    ex_names_free(&words);
    ex_names_free(&names);
    ex_failure_clear();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_input input = {bytes, size};
    const tc_read_options options = choose_options(&input);
    char path[1024], *arguments[] = {path, NULL};
    tc_dataset data;
    fuzz_write("data", input.bytes, input.size);
    snprintf(path, sizeof path, "%s", fuzz_path("data"));
    const bool good = tc_dataset_read(&data, path, &options);
    FUZZ_CHECK(good == !ex_failure(), "%s", good ? ex_failure() : "it failed and did not say why");
    ex_failure_clear();
    if (good) {
        check_rows(&data);
        check_csv(&data);
        prepare(&data);
        tc_dataset_free(&data);
    }
    const tc_options check = {.config.read = options, .arguments = arguments, .argument_count = 1};
    FUZZ_CHECK(tc_check(&check) == (good ? TC_EXIT_OK : TC_EXIT_FAILED),
               "check and options do not agree");
    ex_failure_clear();
    return 0;
}
