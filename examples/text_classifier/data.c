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
    char *bytes = tc_allocate(NULL, *size + 1, 1);
    return bytes ? memcpy(bytes, builtin->text, *size) : NULL;
}

static bool add_row(tc_data *data, tc_row row)
{
    if (data->count == INT32_MAX) return tc_fail("%s: more than 2^31 rows", data->name);
    tc_row *rows = tc_grow(data->rows, (size_t)data->count, 1, &data->room, sizeof *rows);
    if (!rows) return false;
    data->rows = rows;
    data->rows[data->count++] = row;
    return true;
}

bool tc_data_add_text(tc_data *data, const char *text)
{
    return add_row(data, (tc_row){.text = text, .line = data->count + 1, .label = -1});
}

/* A text and a label as they are put together from their fields: the row's strings, one behind the other. */
typedef struct assembly {
    char *bytes;
    size_t used, room;
} assembly;

static bool put_field(assembly *out, const tc_field *field)
{
    char *bytes = tc_grow(out->bytes, out->used, field->length + 2, &out->room, 1);
    if (!bytes) return false;
    out->bytes = bytes;
    for (size_t i = 0; i < field->length; i++) {
        out->bytes[out->used++] = field->start[i];
        if (field->quoted && field->start[i] == '"') i++; /* two stand for one */
    }
    return true;
}

/* Text, 0, label, 0; the text's own 0 is left out where the text is empty, for which a line may have no room. */
static bool assemble(assembly *out, const tc_layout *layout, const tc_scan *scan, size_t *label)
{
    out->used = 0;
    for (int32_t i = 0; i < layout->text_count; i++) {
        if (out->used) out->bytes[out->used++] = ' ';
        if (!put_field(out, &scan->fields[layout->texts[i]])) return false;
    }
    if (out->used) out->bytes[out->used++] = 0;
    *label = out->used;
    tc_field trimmed = scan->fields[layout->label];
    while (trimmed.length && tc_is_blank(trimmed.start[trimmed.length - 1])) trimmed.length--;
    for (; trimmed.length && tc_is_blank(*trimmed.start); trimmed.length--) trimmed.start++;
    if (!put_field(out, &trimmed)) return false;
    out->bytes[out->used++] = 0;
    return true;
}

static bool check_columns(const tc_data *data, const tc_scan *scan)
{
    const tc_layout *layout = &data->layout;
    if (scan->count == layout->columns) return true;
    if (layout->format == TC_TSV && !layout->delimiter) {
        return tc_fail("%s:%d: no tab: a line is a text, a tab and its label; lines of a label and a text need --format "
                       "label-text", data->name, scan->start_line);
    }
    return tc_fail("%s:%d: %d column%s, and the first row has %d: %s (it is read as %s)", data->name, scan->start_line,
                   scan->count, scan->count == 1 ? "" : "s", layout->columns,
                   scan->count < layout->columns ? "add what is missing, or take the line out"
                   : layout->format == TC_CSV    ? "a text that holds the delimiter has to stand in quotes"
                                                 : "a text must hold no tab", layout->about);
}

/* The row takes the place of its record, which is longer: a delimiter for each 0, or quotes and prefixes besides. */
static bool read_row(tc_data *data, const tc_scan *scan, assembly *out)
{
    size_t label;
    if (!check_columns(data, scan) || !assemble(out, &data->layout, scan, &label)) return false;
    if (!out->bytes[label]) {
        if (!data->no_label++) data->no_label_line = scan->start_line;
        return true;
    }
    char *place = data->bytes + (scan->start - data->bytes);
    memcpy(place, out->bytes, out->used);
    const char *text = label ? place : place + out->used - 1;
    tc_row row = {.text = text, .label_name = place + label, .line = scan->start_line, .label = -1};
    if (!row.text[strspn(row.text, " \t\r\n\v\f")] && !data->no_text++) data->no_text_line = row.line;
    data->several += data->layout.format == TC_FASTTEXT && scan->labels > 1;
    return add_row(data, row);
}

static bool read_rows(tc_data *data, size_t size, const tc_reading *reading)
{
    data->bytes[size] = '\n';
    if (!tc_layout_find(&data->layout, data->name, data->bytes, size, reading)) return false;
    assembly out = {0};
    tc_scan scan = tc_layout_scan(&data->layout, data->bytes, size);
    bool good = !data->layout.header || tc_scan_next(&scan) || !scan.wrong;
    while (good && tc_scan_next(&scan)) good = read_row(data, &scan, &out);
    if (scan.wrong) tc_fail("%s:%d: %s", data->name, scan.wrong_line, scan.wrong);
    data->quoted = scan.quoted;
    data->doubled = scan.doubled;
    free(out.bytes);
    tc_scan_free(&scan);
    if (tc_failure() || data->count) return !tc_failure();
    if (data->no_label) {
        return tc_fail("%s:%d: no usable row, none of %d has a label (%s): name another column with --label, or another --format",
                       data->name, data->no_label_line, data->no_label, data->layout.about);
    }
    return tc_fail("%s:1: no rows in it: a row is a text and its label, as in a line of a text, a tab and a label", data->name);
}

bool tc_data_read(tc_data *data, const char *name, const tc_reading *reading)
{
    static const tc_reading automatic = {0}, tsv = {.format = TC_TSV, .header = TC_HEADER_NO};
    *data = (tc_data){.name = strcmp(name, "-") ? name : "standard input"};
    const tc_builtin *builtin = tc_builtin_find(name);
    if (!builtin && !strncmp(name, "builtin:", 8)) {
        return tc_fail("%s: there is no such data in the program; textclf train --help lists what is", name);
    }
    if (builtin || !reading) reading = builtin ? &tsv : &automatic;
    size_t size;
    data->bytes = builtin ? copy_builtin(builtin, &size) : tc_read_text(name, reading->encoding, &size);
    if (data->bytes && read_rows(data, size, reading)) return true;
    tc_data_free(data);
    return false;
}

void tc_data_print(const tc_data *data, FILE *stream)
{
    fprintf(stream, "%s", data->layout.about);
    if (data->no_label) {
        fprintf(stream, "; rows without a label left out: %d (first in line %d)", data->no_label, data->no_label_line);
    }
    if (data->no_text) fprintf(stream, "; empty texts kept: %d (first in line %d)", data->no_text, data->no_text_line);
    if (data->several) fprintf(stream, "; rows with several labels, of which the first counts: %d", data->several);
    fputc('\n', stream);
}

void tc_data_tell(const tc_data *data)
{
    if (!data->count || tc_builtin_find(data->name)) return;
    fprintf(stderr, "textclf: %s: ", data->name);
    tc_data_print(data, stderr);
    if (!data->single_labels) return;
    fprintf(stderr, "textclf: %s: labels that occur once: %d (\"%s\" for one): what is learned of them cannot be measured; give "
            "more rows or leave them out\n", data->name, data->single_labels, data->single_label);
}

void tc_data_free(tc_data *data)
{
    free(data->bytes);
    free(data->rows);
    free(data->ids);
    *data = (tc_data){0};
}

/* ---- labels ---- */

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool tc_data_labels(tc_names *labels, tc_data *data)
{
    *labels = (tc_names){0};
    size_t count = (size_t)data->count, distinct = 0;
    const char **names = tc_allocate(NULL, count, sizeof *names);
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
        good = tc_fail("%s:%d: every row has the label \"%s\": there is nothing to tell apart, give rows of two labels or more "
                       "(%s)", data->name, data->rows[0].line, names[0], data->layout.about);
    } else if (count >= 10 && distinct > count / 2) {
        good = tc_fail("%s:%d: %zu labels for %zu rows, so that is no column of labels: name it with --label (%s)", data->name,
                       data->rows[0].line, distinct, count, data->layout.about);
    } else {
        good = tc_names_set(labels, names, distinct);
    }
    free(names);
    return good;
}

bool tc_data_number_labels(tc_data *data, const tc_names *labels)
{
    for (int32_t i = 0; i < data->count; i++) {
        tc_row *row = &data->rows[i];
        row->label = tc_names_find(labels, row->label_name);
        if (row->label >= 0) continue;
        return tc_fail("%s:%d: the label \"%s\" does not occur in the training data, which has %d: \"%s\", \"%s\"%s (%s)",
                       data->name, row->line, row->label_name, labels->count, labels->items[0], labels->items[1],
                       labels->count > 2 ? " .." : "", data->layout.about);
    }
    return true;
}

/* ---- ids ---- */

/* Appends one row's ids to the pool, of which `used` are taken. */
static bool encode_row(tc_data *data, tc_row *row, const tc_tokens *tokens, const tc_names *words, int64_t longest,
                       size_t used, size_t *room)
{
    bool cut = tokens->count > (size_t)longest;
    row->length = (int32_t)(cut ? longest : (int64_t)tokens->count);
    data->cut += cut;
    int32_t *ids = tc_grow(data->ids, used, (size_t)row->length, room, sizeof *ids);
    if (!ids) return false;
    data->ids = ids;
    for (int32_t i = 0; i < row->length; i++) {
        int32_t id = tc_names_find(words, tc_token_word(tokens, (size_t)i));
        data->ids[used + (size_t)i] = id < TC_FIRST_WORD ? TC_UNKNOWN : id;
        data->unknown += id < TC_FIRST_WORD;
    }
    data->tokens += row->length;
    return true;
}

bool tc_data_encode(tc_data *data, const tc_tokenizer *tokenizer, const tc_names *words, int64_t longest)
{
    tc_tokens tokens = {0};
    size_t used = 0, room = 1024;
    data->ids = tc_allocate(NULL, room, sizeof *data->ids); /* even for texts without a token */
    bool good = data->ids != NULL;
    for (int32_t i = 0; good && i < data->count; i++) {
        tc_row *row = &data->rows[i];
        tc_tokens_clear(&tokens);
        good = tc_tokenize(tokenizer, &tokens, row->text) && encode_row(data, row, &tokens, words, longest, used, &room);
        used += (size_t)row->length;
    }
    tc_tokens_free(&tokens);
    const int32_t *ids = data->ids; /* only now does the pool stay where it is */
    for (int32_t i = 0; good && i < data->count; i++) {
        data->rows[i].ids = ids;
        ids += data->rows[i].length;
    }
    return good;
}

/* ---- splitting ---- */

bool tc_data_split(tc_data *data, const tc_names *labels, uint64_t seed, int32_t *held_out)
{
    int32_t count = data->count, wanted = count >= 20 ? count / 10 : 0, head = 0, tail = count;
    tc_row *rows = tc_allocate(NULL, (size_t)count, sizeof *rows);
    int32_t *order = tc_allocate(NULL, (size_t)count, sizeof *order);
    int32_t *left = tc_allocate(NULL, (size_t)labels->count, sizeof *left);
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
    free(rows);
    free(order);
    free(left);
    return good;
}
