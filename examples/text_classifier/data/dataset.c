#include "dataset.h"

#include "builtin.h"
#include "../../support/failure.h"
#include "tapegrad.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

/* Returns a copy with capacity for one more byte. The caller frees it. */
static char *copy_builtin(const tc_builtin *builtin, size_t *size)
{
    *size = strlen((const char *)builtin->text);
    char *bytes = ex_allocate(NULL, *size + 1, 1);
    return bytes ? memcpy(bytes, builtin->text, *size) : NULL;
}

static bool add_row(tc_dataset *data, tc_row row)
{
    if (data->count == INT32_MAX) return ex_fail("%s: more than 2147483647 rows", data->name);
    tc_row *rows = ex_grow(data->rows, (size_t)data->count, 1, &data->capacity, sizeof *rows);
    if (!rows) return false;
    data->rows = rows;
    data->rows[data->count++] = row;
    return true;
}

bool tc_dataset_add_text(tc_dataset *data, const char *text)
{
    return add_row(data, (tc_row){.text = text, .line = data->count + 1, .label = -1});
}

/* Copies a field and returns the end of the copy. */
static char *copy_field(char *to, const tc_field *field)
{
    for (size_t i = 0; i < field->length; i++) {
        *to++ = field->start[i];
        if (field->quoted && field->start[i] == '"') i++; /* "" stands for one quote */
    }
    return to;
}

static bool check_columns(const tc_dataset *data, const tc_scanner *record)
{
    const tc_dialect *dialect = &data->dialect;
    if (record->count == dialect->columns) return true;
    if (dialect->format == TC_TSV && !dialect->delimiter) {
        return ex_fail("%s:%d: the line has no tab; write a text, a tab and its label, or give "
                       "--format label-text if the label comes first",
                       data->name, record->record_line);
    }
    const char *advice = "fields that contain the delimiter must be in quotes";
    if (record->count < dialect->columns) advice = "add the missing columns or remove the line";
    else if (dialect->format != TC_CSV) advice = "a text must not contain a tab";
    return ex_fail("%s:%d: the row has %d column%s, but the first row has %d; %s (read as %s)",
                   data->name, record->record_line, record->count, record->count == 1 ? "" : "s",
                   dialect->columns, advice, dialect->description);
}

/* Copies the row's text and label, each with its 0, to *to and advances it. */
static bool read_row(tc_dataset *data, const tc_scanner *record, char **to)
{
    const tc_dialect *dialect = &data->dialect;
    tc_field label = record->fields[dialect->label];
    tc_row row = {.text = *to, .line = record->record_line, .label = -1};
    for (int32_t i = 0; i < dialect->text_count; i++) {
        if (*to > row.text) *(*to)++ = ' ';
        *to = copy_field(*to, &record->fields[dialect->texts[i]]);
    }
    *(*to)++ = 0;
    while (label.length && tc_is_blank(label.start[label.length - 1])) label.length--;
    for (; label.length && tc_is_blank(*label.start); label.length--) label.start++;
    row.label_name = *to;
    *to = copy_field(*to, &label);
    *(*to)++ = 0;
    if (!*row.label_name) {
        if (!data->unlabelled++) data->unlabelled_line = row.line;
        return true;
    }
    if (!row.text[strspn(row.text, " \t\r\n\v\f")] && !data->empty++) data->empty_line = row.line;
    data->multi_labelled += dialect->format == TC_FASTTEXT && record->labels > 1;
    return add_row(data, row);
}

/* Says why no row can be used. */
static bool fail_without_rows(const tc_dataset *data)
{
    const char *description = data->dialect.description;
    const bool columns = data->dialect.format < TC_FASTTEXT;
    if (data->count) {
        return ex_fail("%s:%d: 0 of %d rows have a text (%s); name the right %s", data->name,
                       data->empty_line, data->count, description,
                       columns ? "column with --text" : "--format");
    }
    if (data->unlabelled) {
        return ex_fail("%s:%d: 0 of %d rows have a label (%s); name the right %s", data->name,
                       data->unlabelled_line, data->unlabelled, description,
                       columns ? "column with --label" : "--format");
    }
    return ex_fail("%s:1: the file has no rows; it needs one text and one label per row",
                   data->name);
}

static bool read_rows(tc_dataset *data, char *bytes, size_t size, const tc_read_options *options)
{
    bytes[size] = '\n';
    if (!tc_dialect_detect(&data->dialect, data->name, bytes, size, options)) return false;
    tc_scanner scanner = tc_dialect_scanner(&data->dialect, bytes, size);
    /* enough: a record of one byte and its newline can become three bytes, "x", 0 and 0 */
    char *to = data->strings = ex_allocate(NULL, size + 1, 2);
    bool good = to && (!data->dialect.header || tc_scanner_next(&scanner) || !scanner.error);
    while (good && tc_scanner_next(&scanner))
        good = check_columns(data, &scanner) && read_row(data, &scanner, &to);
    if (scanner.error) {
        const char *json = strchr("[{", *bytes) ? "; this looks like JSON: convert it to CSV, for "
                                                  "example with jq -r '[.text, .label] | @csv'"
                                                : "";
        ex_fail("%s:%d: %s%s", data->name, scanner.error_line, scanner.error, json);
    }
    data->quoted_fields = scanner.quoted_fields;
    data->doubled_quotes = scanner.doubled_quotes;
    tc_scanner_free(&scanner);
    if (ex_failure()) return false;
    return data->count > data->empty || fail_without_rows(data);
}

bool tc_dataset_read(tc_dataset *data, const char *name, const tc_read_options *options)
{
    static const tc_read_options detect = {0}, tsv = {.format = TC_TSV, .header = TC_HEADER_NO};
    *data = (tc_dataset){.name = strcmp(name, "-") ? name : "standard input"};
    const tc_builtin *builtin = tc_builtin_find(name);
    if (!builtin && !strncmp(name, "builtin:", 8)) {
        return ex_fail("%s: unknown built-in data; textclf train --help lists the names", name);
    }
    if (builtin) options = &tsv;
    else if (!options) options = &detect;
    size_t size;
    char *bytes = builtin ? copy_builtin(builtin, &size)
                          : tc_read_text(name, options->encoding, &size);
    const bool good = bytes && read_rows(data, bytes, size, options);
    ex_free(bytes);
    if (!good) tc_dataset_free(data);
    return good;
}

void tc_dataset_describe(const tc_dataset *data, FILE *stream)
{
    fprintf(stream, "%s", data->dialect.description);
    if (data->unlabelled) {
        fprintf(stream, "; left out rows without a label: %d (first in line %d)", data->unlabelled,
                data->unlabelled_line);
    }
    if (data->empty)
        fprintf(stream, "; empty texts: %d (first in line %d)", data->empty, data->empty_line);
    if (data->multi_labelled)
        fprintf(stream, "; rows with several labels (the first one counts): %d",
                data->multi_labelled);
    fputc('\n', stream);
}

void tc_dataset_log(const tc_dataset *data)
{
    if (!data->count || tc_builtin_find(data->name)) return;
    fprintf(stderr, "textclf: %s: ", data->name);
    tc_dataset_describe(data, stderr);
    if (!data->single_labels) return;
    fprintf(stderr,
            "textclf: %s: labels that occur once: %d (for example \"%s\"); accuracy on them cannot "
            "be measured: add rows or remove them\n",
            data->name, data->single_labels, data->single_label);
}

void tc_dataset_free(tc_dataset *data)
{
    ex_free(data->strings);
    ex_free(data->rows);
    ex_free(data->ids);
    *data = (tc_dataset){0};
}

/* ---- labels ---- */

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool tc_dataset_labels(ex_names *labels, tc_dataset *data)
{
    *labels = (ex_names){0};
    size_t count = (size_t)data->count, distinct = 0;
    const char **names = ex_allocate(NULL, count, sizeof *names);
    if (!names) return false;
    for (size_t i = 0; i < count; i++) names[i] = data->rows[i].label_name;
    qsort(names, count, sizeof *names, compare_strings);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && !strcmp(names[i], names[end]);) end++;
        if (end == i + 1 && !data->single_labels++) data->single_label = names[i];
        names[distinct++] = names[i];
    }
    bool good;
    if (distinct < 2) {
        good = ex_fail("%s:%d: every row has the label \"%s\"; a classifier needs at least two "
                       "labels (%s)",
                       data->name, data->rows[0].line, names[0], data->dialect.description);
    } else if (count >= 10 && distinct > count / 2) {
        good = ex_fail("%s:%d: %zu different labels in %zu rows; name the column of labels with "
                       "--label (%s)",
                       data->name, data->rows[0].line, distinct, count, data->dialect.description);
    } else {
        good = ex_names_set(labels, "labels", names, distinct);
    }
    ex_free(names);
    return good;
}

bool tc_dataset_encode_labels(tc_dataset *data, const ex_names *labels)
{
    for (int32_t i = 0; i < data->count; i++) {
        tc_row *row = &data->rows[i];
        row->label = ex_names_find(labels, row->label_name);
        if (row->label >= 0) continue;
        return ex_fail("%s:%d: the label \"%s\" does not occur in the training data, which has %d "
                       "labels: \"%s\", \"%s\"%s (%s)",
                       data->name, row->line, row->label_name, labels->count, labels->items[0],
                       labels->items[1], labels->count > 2 ? ", ..." : "",
                       data->dialect.description);
    }
    return true;
}

/* ---- ids ---- */

bool tc_dataset_encode_texts(tc_dataset *data, const tc_tokenizer *tokenizer, const ex_names *words,
                             int64_t max_length)
{
    ex_tokens tokens = {0};
    size_t max_tokens = 0; /* a token has at least one byte */
    for (int32_t i = 0; i < data->count; i++) max_tokens += strlen(data->rows[i].text);
    int32_t *next = data->ids = ex_allocate(NULL, max_tokens, sizeof *data->ids);
    bool good = next != NULL;
    for (int32_t i = 0; good && i < data->count; i++) {
        tc_row *row = &data->rows[i];
        ex_tokens_clear(&tokens);
        good = tc_tokenize(tokenizer, &tokens, row->text);
        const bool too_long = tokens.count > (uint64_t)max_length;
        row->length = (int32_t)(too_long ? max_length : (int64_t)tokens.count);
        row->ids = next;
        data->truncated += too_long;
        data->tokens += row->length;
        for (int32_t t = 0; good && t < row->length; t++) {
            const int32_t id = ex_names_find(words, ex_token_word(&tokens, (size_t)t));
            *next++ = id < EX_FIRST_WORD ? EX_UNKNOWN : id;
            data->unknown += id < EX_FIRST_WORD;
        }
    }
    ex_tokens_free(&tokens);
    return good;
}

bool tc_dataset_vocabulary(ex_names *words, tc_slice rows, const tc_tokenizer *tokenizer,
                           int64_t min_count, int64_t max_vocab, int32_t *first_rare)
{
    ex_tokens tokens = {0};
    bool good = true;
    for (int32_t i = 0; good && i < rows.count; i++)
        good = tc_tokenize(tokenizer, &tokens, rows.rows[i].text);
    good = good && ex_vocabulary_build(words, &tokens, min_count, max_vocab, first_rare);
    ex_tokens_free(&tokens);
    return good;
}

/* ---- holding out rows ---- */

bool tc_dataset_hold_out(tc_dataset *data, const ex_names *labels, uint64_t seed, int32_t *held_out)
{
    int32_t count = data->count, wanted = count >= 20 ? count / 10 : 0, head = 0, tail = count;
    tc_row *rows = ex_allocate(NULL, (size_t)count, sizeof *rows);
    int32_t *order = ex_allocate(NULL, (size_t)count, sizeof *order);
    int32_t *left = ex_allocate(NULL, (size_t)labels->count, sizeof *left);
    bool good = rows && order && left;
    if (good) {
        memset(left, 0, (size_t)labels->count * sizeof *left);
        for (int32_t i = 0; i < count; i++) {
            order[i] = i;
            left[data->rows[i].label]++;
        }
        tg_random random = tg_random_new(seed, "validation part");
        tg_random_shuffle(&random, order, count);
        for (int32_t i = 0; i < count; i++) {
            const tc_row *row = &data->rows[order[i]];
            bool out = count - tail < wanted && left[row->label] > 1;
            left[row->label] -= out;
            rows[out ? --tail : head++] = *row;
        }
        memcpy(data->rows, rows, (size_t)count * sizeof *rows);
        *held_out = count - tail;
    }
    ex_free(rows);
    ex_free(order);
    ex_free(left);
    return good;
}
