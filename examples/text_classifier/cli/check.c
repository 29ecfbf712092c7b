/* textclf check: describes data, its defects, and what two datasets share. */
#include "commands.h"

#include "../../support/failure.h"
#include "../output/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_EXAMPLES = 3, MAX_LABELS = 20 }; /* that are shown */

static const char *plural(int32_t count) { return count == 1 ? "" : "s"; }

/* ---- rows sorted by text or label ---- */

typedef struct entry {
    const char *key; /* the row's text or label */
    const tc_row *row;
} entry;

typedef struct entry_list {
    entry *items;
    int32_t count;
} entry_list;

static int compare_entries(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = strcmp(x->key, y->key);
    return order ? order : (x->row->line > y->row->line) - (x->row->line < y->row->line);
}

/* Returns the rows sorted by label or text, then by line. The caller frees them; NULL after
 * ex_fail. */
static entry *sort_rows(const tc_dataset *data, bool labels)
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

/* Returns the end of the entries with the key of entry i. */
static int32_t group_end(const entry *entries, int32_t i, int32_t count)
{
    int32_t end = i + 1;
    while (end < count && !strcmp(entries[i].key, entries[end].key)) end++;
    return end;
}

/* ---- labels ---- */

static bool check_labels(const tc_dataset *data)
{
    int32_t n = data->count, labels = 0, once = 0, changes = 0;
    entry *entries = sort_rows(data, true);
    char rare[300] = "";
    double same = 0;
    if (!entries) return false;
    for (int32_t i = 0, end; i < n; i = end) {
        end = group_end(entries, i, n);
        const double share = (double)(end - i) / n;
        same += share * share;
        bool shown = end == i + 1 && once++ < MAX_EXAMPLES;
        if (shown)
            ex_append(rare, sizeof rare, ", %s (line %d)", entries[i].key, entries[i].row->line);
        if (labels++ >= MAX_LABELS) continue;
        printf("%s%8d %5.1f %%  ", labels == 1 ? "label:   " : "         ", end - i, 100 * share);
        tc_term_cell(entries[i].key, 14, false);
        putchar(' ');
        tc_term_bar(share, false);
    }
    if (labels > MAX_LABELS) printf("         and %d more labels\n", labels - MAX_LABELS);
    if (labels < 2) printf("         training needs rows with at least two labels\n");
    if (once)
        printf("rare:    %8d label%s in only one row: %s%s\n", once, plural(once), rare + 2,
               once > MAX_EXAMPLES ? ", ..." : "");
    for (int32_t i = 1; i < n; i++)
        changes += strcmp(data->rows[i].label_name, data->rows[i - 1].label_name) != 0;
    double expected = (1 - same) * (n - 1);
    if (n >= 20 && changes < expected / 2) {
        printf("order:   %8d change%s of label between rows, about %.0f if shuffled: the rows are "
               "(nearly) sorted by label; shuffle them before you split the file\n",
               changes, plural(changes), expected);
    }
    ex_free(entries);
    return true;
}

/* ---- texts ---- */

/* Keeps the MAX_EXAMPLES entries that come first in the file; -1: no entry yet. */
static void insert_example(int32_t first[MAX_EXAMPLES], const entry *entries, int32_t i)
{
    for (int k = 0; k < MAX_EXAMPLES && i >= 0; k++) {
        if (first[k] >= 0 && entries[first[k]].row->line < entries[i].row->line) continue;
        int32_t later = first[k];
        first[k] = i;
        i = later;
    }
}

/* Prints groups of rows with the same text: their number, and the lines and labels of the first
 * groups. */
static void print_groups(const char *what, const char *labels, int32_t texts, int32_t rows,
                         const int32_t first[MAX_EXAMPLES], const entry_list *entries)
{
    printf("%-9s%8d text%s in %d rows, with %s", what, texts, plural(texts), rows, labels);
    for (int k = 0; k < MAX_EXAMPLES && first[k] >= 0; k++) {
        const int32_t end = group_end(entries->items, first[k], entries->count);
        printf("%s", k ? "; " : ": lines ");
        for (int32_t i = first[k]; i < end && i < first[k] + 5; i++) {
            const tc_row *row = entries->items[i].row;
            printf("%s%d (%s)", i > first[k] ? ", " : "", row->line, row->label_name);
        }
    }
    printf("%s\n", texts > MAX_EXAMPLES ? ", ..." : "");
}

static bool check_texts(const tc_dataset *data)
{
    /* [0]: groups with one label, [1]: groups with several labels */
    int32_t n = data->count, texts[2] = {0}, rows[2] = {0};
    int32_t first[2][MAX_EXAMPLES] = {{-1, -1, -1}, {-1, -1, -1}};
    entry *entries = sort_rows(data, false);
    if (!entries) return false;
    for (int32_t i = 0, end; i < n; i = end) {
        end = group_end(entries, i, n);
        if (end == i + 1 || !*entries[i].key) continue;
        int differ = 0;
        for (int32_t k = i + 1; k < end; k++)
            differ |= strcmp(entries[i].row->label_name, entries[k].row->label_name) != 0;
        texts[differ]++;
        rows[differ] += end - i;
        insert_example(first[differ], entries, i);
    }
    printf("empty:   %8d text%s", data->empty, plural(data->empty));
    if (data->empty) printf(", the first in line %d", data->empty_line);
    putchar('\n');
    print_groups("repeated:", "the same label", texts[0], rows[0], first[0],
                 &(entry_list){entries, n});
    print_groups("conflict:", "different labels", texts[1], rows[1], first[1],
                 &(entry_list){entries, n});
    ex_free(entries);
    return true;
}

/* Traces of other formats. A text has the defect if it contains one of the patterns or
 * characters. */
static const struct defect {
    const char *what, *patterns[10], *characters;
} defects[] = {
    {"control characters",
     {NULL},
     "\1\2\3\4\5\6\a\b\v\f\016\017\020\021\022\023\024\025\026\027\030\031\032\033\034\035\036\037"
     "\177"},
    {"U+FFFD, which a wrong encoding leaves", {"\xEF\xBF\xBD"}, ""},
    {"remains of HTML", {"&lt;", "&gt;", "&amp;", "&quot;", "&#", "#36;", "#39;", "<br", "</"}, ""},
    {"backslashes, which may be unresolved escapes", {NULL}, "\\"},
    {"several lines", {NULL}, "\n"},
    {"commas or full stops between blanks, which may be split tokens", {" , ", " . "}, ""},
};

static const char *find_defect(const struct defect *defect, const char *text)
{
    const char *found = strpbrk(text, defect->characters);
    for (const char *const *p = defect->patterns; !found && *p; p++) found = strstr(text, *p);
    return found;
}

static void print_defects(const tc_dataset *data)
{
    for (size_t k = 0; k < sizeof defects / sizeof *defects; k++) {
        int32_t rows = 0, line = 0;
        unsigned char byte = 0;
        for (int32_t i = 0; i < data->count; i++) {
            const char *found = find_defect(&defects[k], data->rows[i].text);
            if (!found || rows++) continue;
            line = data->rows[i].line;
            byte = (unsigned char)*found;
        }
        if (!rows) continue;
        printf("odd:     %8d text%s with %s (first in line %d", rows, plural(rows), defects[k].what,
               line);
        if (byte < ' ' && byte != '\n') printf(", byte 0x%02X", (unsigned)byte);
        printf(")\n");
    }
    if (data->quoted_fields) {
        printf("quoted:  %8lld fields, with %lld doubled quotes\n", (long long)data->quoted_fields,
               (long long)data->doubled_quotes);
    }
}

static int compare_numbers(const void *a, const void *b)
{
    const int32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Prints the quartiles of the lengths, and a histogram whose bins double in width. */
static bool print_lengths(const tc_dataset *data)
{
    int32_t n = data->count, max = 0, bins[33] = {0}, bin = 0, longest = 0;
    int32_t *lengths = ex_allocate(NULL, (size_t)n, sizeof *lengths);
    if (!lengths) return false;
    for (int32_t i = 0; i < n; i++) {
        lengths[i] = data->rows[i].length;
        if (lengths[i] > data->rows[longest].length) longest = i;
        for (bin = 0; lengths[i] >> bin;) bin++;
        if (++bins[bin] > max) max = bins[bin];
    }
    qsort(lengths, (size_t)n, sizeof *lengths, compare_numbers);
    printf("tokens:  %8lld, per text %d to %d (line %d), quartiles %d, %d, %d\n",
           (long long)data->tokens, lengths[0], lengths[n - 1], data->rows[longest].line,
           lengths[n / 4], lengths[n / 2], lengths[n - 1 - n / 4]);
    for (bin = 0; lengths[0] >> bin;) bin++; /* the bin of the shortest text */
    for (; bin == 0 || lengths[n - 1] >> (bin - 1); bin++) {
        printf("%7d to %-5lld %8d ", bin ? 1 << (bin - 1) : 0, bin ? (1LL << bin) - 1 : 0,
               bins[bin]);
        tc_term_bar((double)bins[bin] / max, false);
    }
    ex_free(lengths);
    return true;
}

/* ---- two files ---- */

/* Reports the texts that both datasets contain. */
static bool check_shared(const tc_dataset *data, const tc_dataset *other)
{
    entry *a = sort_rows(data, false), *b = a ? sort_rows(other, false) : NULL;
    int32_t texts = 0, rows = 0, differ = 0;
    char lines[200] = "";
    for (int32_t i = 0, k = 0; b && i < data->count && k < other->count;) {
        int order = strcmp(a[i].key, b[k].key);
        int32_t i_end = order ? i + 1 : group_end(a, i, data->count),
                k_end = order ? k + 1 : group_end(b, k, other->count);
        if (!order && *a[i].key) {
            rows += k_end - k;
            differ += strcmp(a[i].row->label_name, b[k].row->label_name) != 0;
            if (texts++ < MAX_EXAMPLES)
                ex_append(lines, sizeof lines, ", %d and %d", a[i].row->line, b[k].row->line);
        }
        if (order <= 0) i = i_end;
        if (order >= 0) k = k_end;
    }
    bool good = b != NULL;
    if (good) {
        printf("leakage: %8d text%s of the first in %d rows (%.1f %%) of the second, %d with "
               "another label%s%s%s\n",
               texts, plural(texts), rows, 100.0 * rows / other->count, differ,
               texts ? ": lines " : "", texts ? lines + 2 : "",
               texts > MAX_EXAMPLES ? ", ..." : "");
    }
    ex_free(a);
    ex_free(b);
    return good;
}

static void print_unknown(const ex_names *words, const ex_names *others, const tc_dataset *other)
{
    int32_t missing = 0;
    char examples[300] = "";
    for (int32_t i = EX_FIRST_WORD; i < others->count; i++) {
        if (ex_names_find(words, others->items[i]) >= 0) continue;
        if (missing++ < 8) ex_append(examples, sizeof examples, ", %.30s", others->items[i]);
    }
    printf("unknown: %8d of the %d words of the second, %.1f %% of its tokens, are not in the "
           "first%s%s\n",
           missing, others->count - EX_FIRST_WORD,
           other->tokens ? 100.0 * (double)other->unknown / (double)other->tokens : 0.0,
           missing ? "; the most frequent: " : "", missing ? examples + 2 : "");
}

/* ---- the command ---- */

static bool check_data(tc_dataset *data, const ex_names *words, const tc_tokenizer *tokenizer)
{
    if (!tc_dataset_encode_texts(data, tokenizer, words, INT32_MAX)) return false;
    printf("%s: ", data->name);
    tc_dataset_describe(data, stdout);
    printf("rows:    %8d\n", data->count);
    if (!check_labels(data) || !check_texts(data)) return false;
    print_defects(data);
    return print_lengths(data);
}

static bool check(tc_dataset data[2], ex_names words[2], tc_tokenizer *tokenizer,
                  const tc_options *options)
{
    int32_t count = options->argument_count, first_rare;
    if (!tc_tokenizer_init(tokenizer, &options->config.tokenizer)) return false;
    for (int32_t i = 0; i < count; i++) {
        if (!tc_dataset_read(&data[i], options->arguments[i], &options->config.read)) return false;
        if (!tc_dataset_vocabulary(&words[i], (tc_slice){data[i].rows, data[i].count}, tokenizer, 1,
                                   0, &first_rare))
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
    tc_dataset data[2] = {{0}};
    ex_names words[2] = {{0}};
    tc_tokenizer tokenizer = {0};
    bool good = check(data, words, &tokenizer, options);
    tc_tokenizer_free(&tokenizer);
    for (int i = 0; i < 2; i++) {
        tc_dataset_free(&data[i]);
        ex_names_free(&words[i]);
    }
    return good ? TC_EXIT_OK : TC_EXIT_FAILED;
}
