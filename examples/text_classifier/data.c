#include "data.h"

#include "builtin.h"
#include "failure.h"
#include "files.h"
#include "tapegrad.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static char *copy_builtin(const tc_builtin *builtin, size_t *size)
{
    size_t first = *builtin->parts[0].size, second = builtin->parts[1].bytes ? *builtin->parts[1].size : 0;
    char *bytes = tc_allocate(NULL, first + second + 1, 1);
    if (!bytes) return NULL;
    memcpy(bytes, builtin->parts[0].bytes, first);
    if (second) memcpy(bytes + first, builtin->parts[1].bytes, second);
    *size = first + second;
    return bytes;
}

static bool add_row(tc_data *data, tc_row row)
{
    if (data->count == data->room) {
        if (data->room > INT32_MAX / 2 - 1024) return tc_fail("%s: more than 2^30 rows", data->name);
        int32_t room = 2 * data->room + 1024;
        tc_row *rows = tc_allocate(data->rows, (size_t)room, sizeof *rows);
        if (!rows) return false;
        data->rows = rows;
        data->room = room;
    }
    data->rows[data->count++] = row;
    return true;
}

bool tc_data_add_text(tc_data *data, const char *text)
{
    return add_row(data, (tc_row){.text = text, .line = data->count + 1, .label = -1});
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* `line` has its newline replaced by 0 at `end`. */
static bool parse_line(tc_data *data, char *line, char *end, int32_t number)
{
    size_t bad;
    if (!tc_text_valid(line, (size_t)(end - line), &bad)) {
        if (!line[bad]) {
            return tc_fail("%s:%d: byte %zu of the line is NUL: this is not UTF-8 text; is it UTF-16? Save it as UTF-8",
                           data->name, number, bad + 1);
        }
        return tc_fail("%s:%d: byte %zu of the line, 0x%02X, is not UTF-8: save the file as UTF-8", data->name, number,
                       bad + 1, (unsigned)(unsigned char)line[bad]);
    }
    while (end > line && is_blank(end[-1]) && end[-1] != '\t') end--;
    *end = 0;
    if (strspn(line, " \t\r\v\f") == (size_t)(end - line)) return true;
    char *tab = strrchr(line, '\t');
    if (!tab) return tc_fail("%s:%d: no tab: a line is a text, a tab and its label", data->name, number);
    *tab = 0;
    char *label = tab + 1;
    while (is_blank(*label)) label++;
    if (!*label) return tc_fail("%s:%d: no label after the last tab: a line is a text, a tab and its label", data->name,
                                number);
    return add_row(data, (tc_row){.text = line, .label_name = label, .line = number, .label = -1});
}

static bool parse(tc_data *data, size_t size)
{
    char *line = data->bytes, *stop = data->bytes + size;
    *stop = '\n';
    if (size >= 3 && !memcmp(line, "\xEF\xBB\xBF", 3)) line += 3;
    for (int32_t number = 1; line < stop; number++) {
        char *end = memchr(line, '\n', (size_t)(stop - line) + 1);
        if (!parse_line(data, line, end, number)) return false;
        if (number == INT32_MAX) return tc_fail("%s: too many lines", data->name);
        line = end + 1;
    }
    if (!data->count) return tc_fail("%s:1: no rows in it: a line is a text, a tab and its label", data->name);
    return true;
}

bool tc_data_read(tc_data *data, const char *name)
{
    *data = (tc_data){.name = name};
    const tc_builtin *builtin = tc_builtin_find(name);
    if (!builtin && !strncmp(name, "builtin:", 8)) {
        return tc_fail("%s: there is no such data in the program; textclf train --help lists what is", name);
    }
    size_t size;
    data->bytes = builtin ? copy_builtin(builtin, &size) : tc_file_read(name, &size);
    if (data->bytes && parse(data, size)) return true;
    tc_data_free(data);
    return false;
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

bool tc_data_labels(tc_names *labels, const tc_data *data)
{
    *labels = (tc_names){0};
    size_t count = (size_t)data->count, distinct = 0;
    const char **names = tc_allocate(NULL, count, sizeof *names);
    if (!names) return false;
    for (size_t i = 0; i < count; i++) names[i] = data->rows[i].label_name;
    qsort(names, count, sizeof *names, compare_strings);
    for (size_t i = 0; i < count; i++) {
        if (!distinct || strcmp(names[distinct - 1], names[i])) names[distinct++] = names[i];
    }
    bool good;
    if (distinct < 2) {
        good = tc_fail("%s:%d: every row has the label \"%s\": there is nothing to tell apart, give rows of two labels or more",
                       data->name, data->rows[0].line, names[0]);
    } else if (count >= 10 && distinct > count / 2) {
        good = tc_fail("%s:%d: %zu labels for %zu rows: the label has to be the last column", data->name,
                       data->rows[0].line, distinct, count);
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
        return tc_fail("%s:%d: the label \"%s\" does not occur in the training data (which has %d: \"%s\", \"%s\"%s)", data->name,
                       row->line, row->label_name, labels->count, labels->items[0], labels->items[1],
                       labels->count > 2 ? " .." : "");
    }
    return true;
}

/* ---- ids ---- */

/* Appends one row's ids to the pool, of which `used` are taken. */
static bool encode_row(tc_data *data, tc_row *row, const tc_tokens *tokens, const tc_names *words, int32_t longest,
                       size_t used, size_t *room)
{
    bool cut = tokens->count > (size_t)longest;
    row->length = cut ? longest : (int32_t)tokens->count;
    data->cut += cut;
    if (*room - used < (size_t)row->length) {
        size_t more = 2 * *room + (size_t)row->length + 1024;
        int32_t *ids = tc_allocate(data->ids, more, sizeof *ids);
        if (!ids) return false;
        data->ids = ids;
        *room = more;
    }
    for (int32_t i = 0; i < row->length; i++) {
        int32_t id = tc_names_find(words, tc_token_word(tokens, (size_t)i));
        data->ids[used + (size_t)i] = id < TC_FIRST_WORD ? TC_UNKNOWN : id;
        data->unknown += id < TC_FIRST_WORD;
    }
    data->tokens += row->length;
    return true;
}

bool tc_data_encode(tc_data *data, const tc_tokenizer *tokenizer, const tc_names *words, int32_t longest)
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
