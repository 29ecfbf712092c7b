#include "data.h"

#include "builtin.h"
#include "../support/failure.h"
#include "tapegrad.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

/* With room for one byte more; the caller frees it. */
static char *copy_builtin(const tc_builtin *builtin, size_t *size)
{
    *size = strlen((const char *)builtin->text);
    char *bytes = ex_allocate(NULL, *size + 1, 1);
    return bytes ? memcpy(bytes, builtin->text, *size) : NULL;
}

static bool add_row(tc_data *data, tc_row row)
{
    if (data->count == INT32_MAX) return ex_fail("%s: more than 2^31 rows", data->name);
    tc_row *rows = ex_grow(data->rows, (size_t)data->count, 1, &data->room, sizeof *rows);
    if (!rows) return false;
    data->rows = rows;
    data->rows[data->count++] = row;
    return true;
}

bool tc_data_add_text(tc_data *data, const char *text)
{
    return add_row(data, (tc_row){.text = text, .line = data->count + 1, .label = -1});
}

/* Copies a field; returns where it ends. */
static char *put_field(char *to, const tc_field *field)
{
    for (size_t i = 0; i < field->length; i++) {
        *to++ = field->start[i];
        if (field->quoted && field->start[i] == '"') i++; /* two stand for one */
    }
    return to;
}

static bool check_columns(const tc_data *data, const tc_scan *scan)
{
    const tc_layout *layout = &data->layout;
    if (scan->count == layout->columns) return true;
    if (layout->format == TC_TSV && !layout->delimiter) {
        return ex_fail("%s:%d: no tab: a line is a text, a tab and its label; lines of a label and "
                       "a text need --format "
                       "label-text",
                       data->name, scan->start_line);
    }
    return ex_fail("%s:%d: %d column%s, and the first row has %d: %s (it is read as %s)",
                   data->name, scan->start_line, scan->count, scan->count == 1 ? "" : "s",
                   layout->columns,
                   scan->count < layout->columns ? "add what is missing, or take the line out"
                   : layout->format == TC_CSV
                       ? "a text that holds the delimiter has to stand in quotes"
                       : "a text must hold no tab",
                   layout->about);
}

/* The row's strings are put at *to, which moves on: the text and the label, each with a 0. */
static bool read_row(tc_data *data, const tc_scan *scan, char **to)
{
    const tc_layout *layout = &data->layout;
    tc_field label = scan->fields[layout->label];
    tc_row row = {.text = *to, .line = scan->start_line, .label = -1};
    for (int32_t i = 0; i < layout->text_count; i++) {
        if (*to > row.text) *(*to)++ = ' ';
        *to = put_field(*to, &scan->fields[layout->texts[i]]);
    }
    *(*to)++ = 0;
    while (label.length && tc_is_blank(label.start[label.length - 1])) label.length--;
    for (; label.length && tc_is_blank(*label.start); label.length--) label.start++;
    row.label_name = *to;
    *to = put_field(*to, &label);
    *(*to)++ = 0;
    if (!*row.label_name) {
        if (!data->no_label++) data->no_label_line = row.line;
        return true;
    }
    if (!row.text[strspn(row.text, " \t\r\n\v\f")] && !data->no_text++)
        data->no_text_line = row.line;
    data->several += layout->format == TC_FASTTEXT && scan->labels > 1;
    return add_row(data, row);
}

static const char json[] =
    "; it looks like JSON: make it CSV, by jq -r '[.text, .label] | @csv' for one";

static bool read_rows(tc_data *data, char *bytes, size_t size, const tc_reading *reading)
{
    bytes[size] = '\n';
    if (!tc_layout_find(&data->layout, data->name, bytes, size, reading)) return false;
    tc_scan scan = tc_layout_scan(&data->layout, bytes, size);
    char *to = data->strings =
        ex_allocate(NULL, size + 1, 2); /* a record of a byte and its newline may become three */
    bool good = to && (!data->layout.header || tc_scan_next(&scan) || !scan.wrong);
    while (good && tc_scan_next(&scan))
        good = check_columns(data, &scan) && read_row(data, &scan, &to);
    if (scan.wrong)
        ex_fail("%s:%d: %s%s", data->name, scan.wrong_line, scan.wrong,
                strchr("[{", *bytes) ? json : "");
    data->quoted = scan.quoted;
    data->doubled = scan.doubled;
    tc_scan_free(&scan);
    if (ex_failure()) return false;
    const bool columns = data->layout.format < TC_FASTTEXT;
    if (data->count && data->count == data->no_text) {
        return ex_fail("%s:%d: no usable row, each of %d texts is empty (%s): name another %s",
                       data->name, data->no_text_line, data->count, data->layout.about,
                       columns ? "column with --text" : "--format");
    }
    if (data->count) return true;
    if (data->no_label) {
        return ex_fail("%s:%d: no usable row, none of %d has a label (%s): name another %s",
                       data->name, data->no_label_line, data->no_label, data->layout.about,
                       columns ? "column with --label" : "--format");
    }
    return ex_fail("%s:1: no rows in it: a row is a text and its label, as in a line of a text, a "
                   "tab and a label",
                   data->name);
}

bool tc_data_read(tc_data *data, const char *name, const tc_reading *reading)
{
    static const tc_reading automatic = {0}, tsv = {.format = TC_TSV, .header = TC_HEADER_NO};
    *data = (tc_data){.name = strcmp(name, "-") ? name : "standard input"};
    const tc_builtin *builtin = tc_builtin_find(name);
    if (!builtin && !strncmp(name, "builtin:", 8)) {
        return ex_fail(
            "%s: there is no such data in the program; textclf train --help lists what is", name);
    }
    if (builtin || !reading) reading = builtin ? &tsv : &automatic;
    size_t size;
    char *bytes = builtin ? copy_builtin(builtin, &size)
                          : tc_read_text(name, reading->encoding, &size);
    const bool good = bytes && read_rows(data, bytes, size, reading);
    ex_free(bytes);
    if (!good) tc_data_free(data);
    return good;
}

void tc_data_print(const tc_data *data, FILE *stream)
{
    fprintf(stream, "%s", data->layout.about);
    if (data->no_label) {
        fprintf(stream, "; rows without a label left out: %d (first in line %d)", data->no_label,
                data->no_label_line);
    }
    if (data->no_text)
        fprintf(stream, "; empty texts kept: %d (first in line %d)", data->no_text,
                data->no_text_line);
    if (data->several)
        fprintf(stream, "; rows with several labels, of which the first counts: %d", data->several);
    fputc('\n', stream);
}

void tc_data_tell(const tc_data *data)
{
    if (!data->count || tc_builtin_find(data->name)) return;
    fprintf(stderr, "textclf: %s: ", data->name);
    tc_data_print(data, stderr);
    if (!data->single_labels) return;
    fprintf(stderr,
            "textclf: %s: labels that occur once: %d (\"%s\" for one): what is learned of them "
            "cannot be measured; give "
            "more rows or leave them out\n",
            data->name, data->single_labels, data->single_label);
}

void tc_data_free(tc_data *data)
{
    ex_free(data->strings);
    ex_free(data->rows);
    ex_free(data->ids);
    *data = (tc_data){0};
}

/* ---- labels ---- */

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool tc_data_labels(ex_names *labels, tc_data *data)
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
        good = ex_fail("%s:%d: every row has the label \"%s\": there is nothing to tell apart, "
                       "give rows of two labels or more "
                       "(%s)",
                       data->name, data->rows[0].line, names[0], data->layout.about);
    } else if (count >= 10 && distinct > count / 2) {
        good = ex_fail("%s:%d: %zu labels for %zu rows, so that is no column of labels: name it "
                       "with --label (%s)",
                       data->name, data->rows[0].line, distinct, count, data->layout.about);
    } else {
        good = ex_names_set(labels, "labels", names, distinct);
    }
    ex_free(names);
    return good;
}

bool tc_data_number_labels(tc_data *data, const ex_names *labels)
{
    for (int32_t i = 0; i < data->count; i++) {
        tc_row *row = &data->rows[i];
        row->label = ex_names_find(labels, row->label_name);
        if (row->label >= 0) continue;
        return ex_fail("%s:%d: the label \"%s\" does not occur in the training data, which has %d: "
                       "\"%s\", \"%s\"%s (%s)",
                       data->name, row->line, row->label_name, labels->count, labels->items[0],
                       labels->items[1], labels->count > 2 ? " .." : "", data->layout.about);
    }
    return true;
}

/* ---- ids ---- */

bool tc_data_encode(tc_data *data, const tc_tokenizer *tokenizer, const ex_names *words,
                    int64_t longest)
{
    ex_tokens tokens = {0};
    size_t room = 0;
    for (int32_t i = 0; i < data->count; i++)
        room += strlen(data->rows[i].text); /* a token has a byte or more */
    int32_t *next = data->ids = ex_allocate(NULL, room, sizeof *data->ids);
    bool good = next != NULL;
    for (int32_t i = 0; good && i < data->count; i++) {
        tc_row *row = &data->rows[i];
        ex_tokens_clear(&tokens);
        good = tc_tokenize(tokenizer, &tokens, row->text);
        const bool cut = tokens.count > (uint64_t)longest;
        row->length = (int32_t)(cut ? longest : (int64_t)tokens.count);
        row->ids = next;
        data->cut += cut;
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

bool tc_data_words(ex_names *words, tc_part part, const tc_tokenizer *tokenizer, int64_t least,
                   int64_t most, int32_t *rare)
{
    ex_tokens tokens = {0};
    bool good = true;
    for (int32_t i = 0; good && i < part.count; i++)
        good = tc_tokenize(tokenizer, &tokens, part.rows[i].text);
    good = good && ex_vocabulary_build(words, &tokens, least, most, rare);
    ex_tokens_free(&tokens);
    return good;
}

/* ---- splitting ---- */

bool tc_data_split(tc_data *data, const ex_names *labels, uint64_t seed, int32_t *held_out)
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
