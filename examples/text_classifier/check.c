/* textclf check: what is in the data, and what is odd about it. */
#include "commands.h"
#include "material.h"
#include "../support/failure.h"
#include "view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 3, LABELS_SHOWN = 20 };

static const char *plural(int32_t count) { return count == 1 ? "" : "s"; }

/* ---- rows in the order of their texts or labels ---- */

typedef struct entry {
    const char *key; /* the text or the label of: */
    const tc_row *row;
} entry;

static int compare_entries(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = strcmp(x->key, y->key);
    return order ? order : (x->row->line > y->row->line) - (x->row->line < y->row->line);
}

/* The caller frees it; NULL after ex_fail. */
static entry *sort_rows(const tc_data *data, bool labels)
{
    entry *entries = ex_allocate(NULL, (size_t)data->count, sizeof *entries);
    if (!entries) return NULL;
    for (int32_t i = 0; i < data->count; i++) {
        entries[i] = (entry){labels ? data->rows[i].label_name : data->rows[i].text,
                             &data->rows[i]};
    }
    qsort(entries, (size_t)data->count, sizeof *entries, compare_entries);
    return entries;
}

/* Where the entries end that have the key of entry i. */
static int32_t run_end(const entry *entries, int32_t i, int32_t count)
{
    int32_t end = i + 1;
    while (end < count && !strcmp(entries[i].key, entries[end].key)) end++;
    return end;
}

/* ---- labels ---- */

static bool check_labels(const tc_data *data)
{
    int32_t n = data->count, labels = 0, once = 0, changes = 0;
    entry *entries = sort_rows(data, true);
    char rare[300] = "";
    double same = 0;
    if (!entries) return false;
    for (int32_t i = 0, end; i < n; i = end) {
        end = run_end(entries, i, n);
        double part = (double)(end - i) / n;
        same += part * part;
        bool shown = end == i + 1 && once++ < SHOWN;
        if (shown)
            ex_append(rare, sizeof rare, ", %s (line %d)", entries[i].key, entries[i].row->line);
        if (labels++ >= LABELS_SHOWN) continue;
        printf("%s%8d %5.1f %%  ", labels == 1 ? "label:   " : "         ", end - i, 100 * part);
        tc_view_cell(entries[i].key, 14, false);
        putchar(' ');
        tc_view_bar(part, false);
    }
    if (labels > LABELS_SHOWN) printf("         and %d labels more\n", labels - LABELS_SHOWN);
    if (labels < 2)
        printf("         there is nothing to tell apart: a training needs rows of two labels\n");
    if (once)
        printf("rare:    %8d label%s in one row only: %s%s\n", once, plural(once), rare + 2,
               once > SHOWN ? " .." : "");
    for (int32_t i = 1; i < n; i++)
        changes += strcmp(data->rows[i].label_name, data->rows[i - 1].label_name) != 0;
    double expected = (1 - same) * (n - 1);
    if (n >= 20 && changes < expected / 2) {
        printf("order:   %8d change%s of label from row to row, shuffled about %.0f: (nearly) "
               "sorted; shuffle before you cut "
               "parts off, as train does\n",
               changes, plural(changes), expected);
    }
    ex_free(entries);
    return true;
}

/* ---- texts ---- */

/* Puts entry i among the SHOWN that stand first in the file; -1 is a free place. */
static void keep_first(int32_t first[SHOWN], const entry *entries, int32_t i)
{
    for (int k = 0; k < SHOWN && i >= 0; k++) {
        if (first[k] >= 0 && entries[first[k]].row->line < entries[i].row->line) continue;
        int32_t later = first[k];
        first[k] = i;
        i = later;
    }
}

/* Rows of the same text, or of one text with different labels. */
static void print_runs(const char *what, const char *labels, int32_t texts, int32_t rows,
                       const int32_t first[SHOWN], const entry *entries, int32_t n)
{
    printf("%-9s%8d text%s in %d rows, with %s", what, texts, plural(texts), rows, labels);
    for (int k = 0; k < SHOWN && first[k] >= 0; k++) {
        int32_t end = run_end(entries, first[k], n);
        for (int32_t i = first[k]; i < end && i < first[k] + 5; i++) {
            const tc_row *row = entries[i].row;
            printf("%s%d (%s)",
                   i > first[k] ? ", "
                   : k          ? "; "
                                : ": lines ",
                   row->line, row->label_name);
        }
    }
    printf("%s\n", texts > SHOWN ? " .." : "");
}

static bool check_texts(const tc_data *data)
{
    int32_t n = data->count, texts[2] = {0}, rows[2] = {0},
            first[2][SHOWN] = {{-1, -1, -1}, {-1, -1, -1}};
    entry *entries = sort_rows(data, false);
    if (!entries) return false;
    for (int32_t i = 0, end; i < n; i = end) {
        end = run_end(entries, i, n);
        if (end == i + 1 || !*entries[i].key) continue;
        int differ = 0;
        for (int32_t k = i + 1; k < end; k++)
            differ |= strcmp(entries[i].row->label_name, entries[k].row->label_name) != 0;
        texts[differ]++;
        rows[differ] += end - i;
        keep_first(first[differ], entries, i);
    }
    printf("empty:   %8d text%s", data->no_text, plural(data->no_text));
    if (data->no_text) printf(", the first in line %d", data->no_text_line);
    putchar('\n');
    print_runs("repeated:", "the same label", texts[0], rows[0], first[0], entries, n);
    print_runs("clash:", "different labels", texts[1], rows[1], first[1], entries, n);
    ex_free(entries);
    return true;
}

/* What files are left with that came through other formats; a text has one of the patterns, or of the characters. */
static const struct odd {
    const char *what, *patterns[10], *characters;
} oddities[] = {
    {"control characters",
     {NULL},
     "\1\2\3\4\5\6\a\b\v\f\016\017\020\021\022\023\024\025\026\027\030\031\032\033\034\035\036\037"
     "\177"},
    {"U+FFFD, the sign of an encoding gone wrong", {"\xEF\xBF\xBD"}, ""},
    {"remains of HTML", {"&lt;", "&gt;", "&amp;", "&quot;", "&#", "#36;", "#39;", "<br", "</"}, ""},
    {"backslashes, perhaps escapes that were not undone", {NULL}, "\\"},
    {"several lines", {NULL}, "\n"},
    {"commas or full stops between blanks: cut into tokens already?", {" , ", " . "}, ""},
};

static const char *find_odd(const struct odd *odd, const char *text)
{
    const char *found = strpbrk(text, odd->characters);
    for (const char *const *p = odd->patterns; !found && *p; p++) found = strstr(text, *p);
    return found;
}

static void print_oddities(const tc_data *data)
{
    for (size_t k = 0; k < sizeof oddities / sizeof *oddities; k++) {
        int32_t rows = 0, line = 0;
        unsigned char byte = 0;
        for (int32_t i = 0; i < data->count; i++) {
            const char *found = find_odd(&oddities[k], data->rows[i].text);
            if (!found || rows++) continue;
            line = data->rows[i].line;
            byte = (unsigned char)*found;
        }
        if (!rows) continue;
        printf("odd:     %8d text%s with %s (first in line %d", rows, plural(rows),
               oddities[k].what, line);
        if (byte < ' ' && byte != '\n') printf(", byte 0x%02X", (unsigned)byte);
        printf(")\n");
    }
    if (data->quoted) {
        printf("quoted:  %8lld fields, with %lld doubled quotes in them\n", (long long)data->quoted,
               (long long)data->doubled);
    }
}

static int compare_numbers(const void *a, const void *b)
{
    const int32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Quartiles, and a histogram whose bins double. */
static bool print_lengths(const tc_data *data)
{
    int32_t n = data->count, most = 0, bins[33] = {0}, bin = 0, longest = 0;
    int32_t *lengths = ex_allocate(NULL, (size_t)n, sizeof *lengths);
    if (!lengths) return false;
    for (int32_t i = 0; i < n; i++) {
        lengths[i] = data->rows[i].length;
        if (lengths[i] > data->rows[longest].length) longest = i;
        for (bin = 0; lengths[i] >> bin;) bin++;
        if (++bins[bin] > most) most = bins[bin];
    }
    qsort(lengths, (size_t)n, sizeof *lengths, compare_numbers);
    printf("tokens:  %8lld, a text %d to %d (line %d), quartiles %d, %d, %d\n",
           (long long)data->tokens, lengths[0], lengths[n - 1], data->rows[longest].line,
           lengths[n / 4], lengths[n / 2], lengths[n - 1 - n / 4]);
    for (bin = 0; lengths[0] >> bin;) bin++; /* the shortest text's */
    for (; bin == 0 || lengths[n - 1] >> (bin - 1); bin++) {
        printf("%7d to %-5lld %8d ", bin ? 1 << (bin - 1) : 0, bin ? (1LL << bin) - 1 : 0,
               bins[bin]);
        tc_view_bar((double)bins[bin] / most, false);
    }
    ex_free(lengths);
    return true;
}

/* ---- two files ---- */

/* Texts of `data` that stand in `other` too. */
static bool check_shared(const tc_data *data, const tc_data *other)
{
    entry *a = sort_rows(data, false), *b = a ? sort_rows(other, false) : NULL;
    int32_t texts = 0, rows = 0, differ = 0;
    char lines[200] = "";
    for (int32_t i = 0, k = 0; b && i < data->count && k < other->count;) {
        int order = strcmp(a[i].key, b[k].key);
        int32_t i_end = order ? i + 1 : run_end(a, i, data->count),
                k_end = order ? k + 1 : run_end(b, k, other->count);
        if (!order && *a[i].key) {
            rows += k_end - k;
            differ += strcmp(a[i].row->label_name, b[k].row->label_name) != 0;
            if (texts++ < SHOWN)
                ex_append(lines, sizeof lines, ", %d and %d there", a[i].row->line, b[k].row->line);
        }
        if (order <= 0) i = i_end;
        if (order >= 0) k = k_end;
    }
    bool good = b != NULL;
    if (good) {
        printf("leakage: %8d text%s of the first in %d rows (%.1f %%) of the second, %d with "
               "another label%s%s%s\n",
               texts, plural(texts), rows, 100.0 * rows / other->count, differ,
               texts ? ": lines " : "", texts ? lines + 2 : "", texts > SHOWN ? " .." : "");
    }
    ex_free(a);
    ex_free(b);
    return good;
}

static void print_unknown(const ex_names *words, const ex_names *others, const tc_data *other)
{
    int32_t missing = 0;
    char most[300] = "";
    for (int32_t i = EX_FIRST_WORD; i < others->count; i++) {
        if (ex_names_find(words, others->items[i]) >= 0) continue;
        if (missing++ < 8) ex_append(most, sizeof most, ", %.30s", others->items[i]);
    }
    printf("unknown: %8d of the second's %d words, %.1f %% of its tokens, not in the first%s%s\n",
           missing, others->count - EX_FIRST_WORD,
           other->tokens ? 100.0 * (double)other->unknown / (double)other->tokens : 0.0,
           missing ? ", most often " : "", missing ? most + 2 : "");
}

/* ---- the command ---- */

static bool check_data(tc_data *data, const ex_names *words, const tc_tokenizer *tokenizer)
{
    if (!tc_data_encode(data, tokenizer, words, INT32_MAX)) return false;
    printf("%s: ", data->name);
    tc_data_print(data, stdout);
    printf("rows:    %8d\n", data->count);
    if (!check_labels(data) || !check_texts(data)) return false;
    print_oddities(data);
    return print_lengths(data);
}

static bool check(tc_data data[2], ex_names words[2], tc_tokenizer *tokenizer,
                  const tc_options *options)
{
    int32_t count = options->argument_count, rare;
    if (!tc_tokenizer_of(tokenizer, options)) return false;
    for (int32_t i = 0; i < count; i++) {
        if (!tc_data_read(&data[i], options->arguments[i], &options->reading)) return false;
        if (!tc_data_words(&words[i], (tc_part){data[i].rows, data[i].count}, tokenizer, 1, 0,
                           &rare))
            return false;
    }
    for (int32_t i = 0; i < count; i++) {
        if (i) putchar('\n');
        if (!check_data(&data[i], &words[0], tokenizer)) return false;
    }
    if (count < 2) return true;
    putchar('\n');
    if (!check_shared(&data[0], &data[1])) return false;
    print_unknown(&words[0], &words[1], &data[1]);
    return true;
}

int tc_check(const tc_options *options)
{
    tc_data data[2] = {{0}};
    ex_names words[2] = {{0}};
    tc_tokenizer tokenizer = {0};
    bool good = check(data, words, &tokenizer, options);
    tc_tokenizer_free(&tokenizer);
    for (int i = 0; i < 2; i++) {
        tc_data_free(&data[i]);
        ex_names_free(&words[i]);
    }
    return good ? TC_DONE : TC_FAILED;
}
