#include "dialect.h"

#include "../../support/failure.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_SAMPLE = 1000 }; /* records */

/* Those of the first records that have as many columns as the first one, which may be a header. */
typedef struct sample {
    const char *name; /* of the file */
    tc_field *cells;  /* [rows, columns] */
    int32_t rows, columns;
    struct statistics *statistics; /* [columns] */
} sample;

static const tc_field *cell(const sample *s, int32_t row, int32_t column)
{
    return &s->cells[(size_t)row * (size_t)s->columns + (size_t)column];
}

/* ---- format and delimiter ---- */

/* The first candidate that reads the sample best wins. A tab means TSV, in which quotes are plain
 * characters, unless the lines make sense only with quotes. */
static const struct candidate {
    tc_format format;
    char delimiter;
} candidates[] = {{TC_FASTTEXT, 0}, {TC_TSV, '\t'}, {TC_CSV, ','},
                  {TC_CSV, ';'},    {TC_CSV, '|'},  {TC_CSV, '\t'}};

tc_scanner tc_dialect_scanner(const tc_dialect *dialect, const char *bytes, size_t size)
{
    return (tc_scanner){.format = dialect->format,
                        .delimiter = dialect->delimiter,
                        .position = bytes,
                        .end = bytes + size,
                        .line = 1};
}

/* The share of the sample that the candidate reads well: records with a label, or with as many
 * columns as the first record. */
static double readable_share(const struct candidate *c, const char *bytes, size_t size)
{
    tc_scanner scanner = tc_dialect_scanner(&(tc_dialect){.format = c->format,
                                                          .delimiter = c->delimiter},
                                            bytes, size);
    int32_t records = 0, first = 0;
    double good = 0;
    while (records < MAX_SAMPLE && tc_scanner_next(&scanner)) {
        if (!records++) first = scanner.count;
        if (c->format == TC_FASTTEXT) good += scanner.labels > 0;
        else
            good += scanner.count >= 2 &&
                    (scanner.count == first || (c->format == TC_TSV && first >= 2));
    }
    if (scanner.error) { /* it has quotes, though wrong ones; reading the rows reports the error */
        records++;
        good += 0.5;
    }
    tc_scanner_free(&scanner);
    return records ? good / records : 0;
}

static void guess_format(tc_dialect *dialect, const char *bytes, size_t size, tc_format format)
{
    double best = 0;
    dialect->format = format == TC_CSV ? TC_CSV : TC_TSV;
    dialect->delimiter = format == TC_CSV ? ',' : '\t';
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        const struct candidate *c = &candidates[i];
        if (format != TC_AUTO && c->format != format) continue;
        const double share = readable_share(c, bytes, size);
        if (share <= best) continue;
        best = share;
        dialect->format = c->format;
        dialect->delimiter = c->delimiter;
    }
}

static bool find_format(tc_dialect *dialect, const char *bytes, size_t size,
                        const tc_read_options *options)
{
    dialect->format = (tc_format)options->format;
    if (!options->delimiter) {
        if (dialect->format < TC_FASTTEXT) guess_format(dialect, bytes, size, dialect->format);
        return true;
    }
    if (dialect->format >= TC_FASTTEXT) {
        return ex_fail("--delimiter: --format %s has no delimiter; leave out one of them",
                       tc_format_names[dialect->format]);
    }
    bool tab = !strcmp(options->delimiter, "tab") || !strcmp(options->delimiter, "\\t");
    dialect->delimiter = tab ? '\t' : options->delimiter[0];
    if (!tab && (options->delimiter[1] || strchr("\"\n\r", dialect->delimiter))) {
        return ex_fail("--delimiter %s: must be one ASCII character or the word tab",
                       options->delimiter);
    }
    if (dialect->format == TC_AUTO) dialect->format = dialect->delimiter == '\t' ? TC_TSV : TC_CSV;
    return true;
}

/* ---- statistics of the sample ---- */

static int compare_fields(const void *a, const void *b)
{
    const tc_field *x = a, *y = b;
    int order = memcmp(x->start, y->start, x->length < y->length ? x->length : y->length);
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

/* Of one column, including its cell in the first row. */
typedef struct statistics {
    int32_t values, unique; /* distinct values; those that occur once */
    int32_t filled, words;  /* rows that are not empty; rows with several words */
    bool first_recurs;      /* the first row's value occurs again */
    size_t bytes;
} statistics;

static bool measure(statistics *m, const sample *s, int32_t c)
{
    size_t rows = (size_t)s->rows;
    tc_field *sorted = ex_allocate(NULL, rows, sizeof *sorted);
    *m = (statistics){0};
    if (!sorted) return false;
    for (size_t i = 0; i < rows; i++) {
        sorted[i] = *cell(s, (int32_t)i, c);
        m->bytes += sorted[i].length;
        m->filled += sorted[i].length > 0;
        m->words += memchr(sorted[i].start, ' ', sorted[i].length) != NULL;
        m->first_recurs = m->first_recurs || (i && !compare_fields(&sorted[i], &sorted[0]));
    }
    qsort(sorted, rows, sizeof *sorted, compare_fields);
    for (size_t i = 0, end; i < rows; i = end, m->values++) {
        for (end = i + 1; end < rows && !compare_fields(&sorted[i], &sorted[end]);) end++;
        m->unique += end == i + 1;
    }
    ex_free(sorted);
    return true;
}

static bool take_sample(sample *s, const tc_dialect *dialect, const char *bytes, size_t size)
{
    tc_scanner scanner = tc_dialect_scanner(dialect, bytes, size);
    while (s->rows < MAX_SAMPLE && tc_scanner_next(&scanner)) {
        if (!s->rows) {
            s->columns = scanner.count;
            s->cells = ex_allocate(NULL, MAX_SAMPLE * (size_t)s->columns, sizeof *s->cells);
            if (!s->cells) break;
        }
        if (scanner.count != s->columns) continue;
        memcpy(&s->cells[(size_t)s->rows++ * (size_t)s->columns], scanner.fields,
               (size_t)s->columns * sizeof *s->cells);
    }
    tc_scanner_free(&scanner);
    s->statistics = ex_allocate(NULL, (size_t)s->columns, sizeof *s->statistics);
    for (int32_t c = 0; s->rows && s->statistics && c < s->columns; c++) {
        if (!measure(&s->statistics[c], s, c)) break;
    }
    return !ex_failure();
}

/* ---- names ---- */

static const char *const label_names[] = {"label",  "labels",   "class", "category", "sentiment",
                                          "target", "polarity", "stars", "rating",   "score",
                                          "topic",  "intent",   "tag",   "标签",     "类别",
                                          "分类",   NULL};
static const char *const text_names[] = {"text",        "review", "sentence", "content",  "comment",
                                         "message",     "tweet",  "title",    "headline", "summary",
                                         "description", "body",   "document", "question", "phrase",
                                         "utterance",   "文本",   "评论",     "内容",     "标题",
                                         NULL};

/* Ignores surrounding blanks and the case of ASCII letters. */
static bool is_named(const tc_field *field, const char *name, size_t length)
{
    const char *start = field->start, *end = start + field->length;
    while (start < end && tc_is_blank(*start)) start++;
    while (end > start && tc_is_blank(end[-1])) end--;
    return (size_t)(end - start) == length && !strncasecmp(start, name, length);
}

static bool is_known(const tc_field *field, const char *const *names)
{
    while (*names && !is_named(field, *names, strlen(*names))) names++;
    return *names != NULL;
}

/* Returns the column of this name, or -1. */
static int32_t find_name(const sample *s, const char *name, size_t length)
{
    for (int32_t c = 0; c < s->columns; c++) {
        if (is_named(cell(s, 0, c), name, length)) return c;
    }
    return -1;
}

/* Appends a column's name from the first row. Cuts a long name between two characters. */
static void append_name(char *text, size_t size, const sample *s, int32_t column)
{
    const tc_field *f = cell(s, 0, column);
    size_t shown = f->length < 40 ? f->length : 40;
    while (shown < f->length && ((unsigned char)f->start[shown] & 0xC0) == 0x80) shown--;
    ex_append(text, size, "\"%.*s%s\"", (int)shown, f->start, shown < f->length ? "..." : "");
}

/* Finds the column that the first `length` bytes of `value` name or number. A name implies a
 * header. */
static bool find_column(int32_t *column, tc_dialect *dialect, const sample *s, const char *option,
                        const char *value, size_t length, int header)
{
    char names[300] = "";
    const bool is_number = strspn(value, "0123456789") >= length;
    const long number = is_number ? strtol(value, NULL, 10) : 0;
    if (!is_number && header == TC_HEADER_NO) {
        return ex_fail(
            "%s: --%s %.*s: with --header no, columns have no names; give a number from 1 "
            "to %d",
            s->name, option, (int)length, value, s->columns);
    }
    if (!is_number) *column = find_name(s, value, length);
    else *column = number <= s->columns ? (int32_t)number - 1 : -1;
    if (*column >= 0) {
        dialect->header = dialect->header || !is_number;
        return true;
    }
    for (int32_t c = 0; c < s->columns && c < 8; c++) {
        ex_append(names, sizeof names, "%s%d ", c ? ", " : "", c + 1);
        append_name(names, sizeof names, s, c);
    }
    return ex_fail("%s: --%s %.*s: no such column; the first row has %s%s", s->name, option,
                   (int)length, value, names, s->columns > 8 ? ", ..." : "");
}

/* ---- header and columns ---- */

static bool is_text(const tc_dialect *dialect, int32_t column)
{
    for (int32_t i = 0; i < dialect->text_count; i++) {
        if (dialect->texts[i] == column) return true;
    }
    return false;
}

static bool find_given_columns(tc_dialect *dialect, const sample *s, const tc_read_options *options)
{
    dialect->header = options->header == TC_HEADER_YES;
    dialect->label = -1;
    for (const char *next = options->text, *end; next; next = *end ? end + 1 : NULL) {
        int32_t column;
        end = next + strcspn(next, ",");
        if (!find_column(&column, dialect, s, "text", next, (size_t)(end - next), options->header))
            return false;
        if (is_text(dialect, column))
            return ex_fail("--text %s: names column %d twice", options->text, column + 1);
        if (dialect->text_count == TC_MAX_TEXTS)
            return ex_fail("--text %s: takes at most %d columns", options->text, TC_MAX_TEXTS);
        dialect->texts[dialect->text_count++] = column;
    }
    return !options->label || find_column(&dialect->label, dialect, s, "label", options->label,
                                          strlen(options->label), options->header);
}

/* Whether the first row has a known column name that does not occur below it. */
static bool has_known_name(const sample *s)
{
    for (int32_t c = 0; c < s->columns; c++) {
        const tc_field *f = cell(s, 0, c);
        if (!s->statistics[c].first_recurs && (is_known(f, label_names) || is_known(f, text_names)))
            return true;
    }
    return false;
}

/* Whether the first row looks like names: short cells without blanks, and a label that never
 * occurs again although every other label does. Needs ten rows to decide. */
static bool has_unique_label(const sample *s, int32_t label)
{
    if (s->rows < 10 || s->statistics[label].first_recurs || s->statistics[label].unique > 1 ||
        !cell(s, 0, label)->length)
        return false;
    for (int32_t c = 0; c < s->columns; c++) {
        const tc_field *f = cell(s, 0, c);
        if (f->length > 32 || memchr(f->start, ' ', f->length)) return false;
    }
    return true;
}

/* Guesses by name; otherwise takes the last column that is mostly filled and is not a text. If
 * most of its values are distinct, takes the mostly filled column with the fewest values. A TSV
 * file of few rows proves nothing: its label is the last column. */
static int32_t guess_label(const tc_dialect *dialect, const sample *s)
{
    int32_t best = -1, rows = s->rows;
    const bool enough_rows = dialect->format == TC_CSV || rows >= 10;
    for (const char *const *name = label_names; dialect->header && *name; name++) {
        int32_t c = find_name(s, *name, strlen(*name));
        if (c >= 0 && !is_text(dialect, c)) return c;
    }
    for (int32_t c = 0; c < s->columns; c++) {
        if (!is_text(dialect, c) &&
            (best < 0 || !enough_rows || 2 * s->statistics[c].filled > rows))
            best = c;
    }
    if (best < 0) return 0; /* all columns are texts, which the caller reports */
    const bool mostly_distinct = enough_rows && 2 * s->statistics[best].values > rows;
    for (int32_t c = 0; mostly_distinct && c < s->columns; c++) {
        const statistics *m = &s->statistics[c];
        if (!is_text(dialect, c) && 2 * m->filled > rows && m->values < s->statistics[best].values)
            best = c;
    }
    return best;
}

/* Guesses by name; otherwise takes the column with most bytes and every column that mostly holds
 * several words. */
static void guess_texts(tc_dialect *dialect, const sample *s)
{
    int32_t longest = dialect->label ? 0 : 1;
    bool named = false;
    for (int32_t c = 0; c < s->columns; c++) {
        if (c == dialect->label) continue;
        named = named || (dialect->header && is_known(cell(s, 0, c), text_names));
        if (s->statistics[c].bytes > s->statistics[longest].bytes) longest = c;
    }
    for (int32_t c = 0; c < s->columns && dialect->text_count < TC_MAX_TEXTS; c++) {
        bool text = named ? is_known(cell(s, 0, c), text_names)
                          : c == longest || 2 * s->statistics[c].words > s->rows;
        if (text && c != dialect->label) dialect->texts[dialect->text_count++] = c;
    }
}

static bool find_columns(tc_dialect *dialect, const sample *s, const tc_read_options *options)
{
    dialect->columns = s->columns;
    if (!s->rows ||
        (s->columns == 1 && dialect->format == TC_TSV && !options->text && !options->label))
        return true;
    if (s->columns == 1)
        return ex_fail(
            "%s:1: the file has one column, but a text and a label are needed; name the right "
            "--delimiter or --format",
            s->name);
    if (!find_given_columns(dialect, s, options)) return false;
    bool automatic = options->header == TC_HEADER_AUTO && !dialect->header;
    if (automatic) dialect->header = has_known_name(s);
    if (dialect->label < 0) dialect->label = guess_label(dialect, s);
    if (automatic && !dialect->header) dialect->header = has_unique_label(s, dialect->label);
    if (!dialect->text_count) guess_texts(dialect, s);
    return !is_text(dialect, dialect->label) ||
           ex_fail("%s: column %d is both text and label, so the model would read the answer; "
                   "give --text or --label another column",
                   s->name, dialect->label + 1);
}

/* ---- the whole dialect ---- */

static void append_column(tc_dialect *dialect, const sample *s, int32_t column)
{
    if (dialect->header) append_name(dialect->description, sizeof dialect->description, s, column);
    else ex_append(dialect->description, sizeof dialect->description, "%d", column + 1);
}

static void describe(tc_dialect *dialect, const sample *s)
{
    char *text = dialect->description;
    const size_t size = sizeof dialect->description;
    const bool tsv = dialect->format == TC_TSV;
    ex_append(text, size, "%s", tsv ? "TSV" : "CSV");
    if (dialect->delimiter != (tsv ? '\t' : ',')) {
        if (dialect->delimiter == '\t') ex_append(text, size, " (delimiter: tab)");
        else ex_append(text, size, " (delimiter: \"%c\")", dialect->delimiter);
    }
    ex_append(text, size, " %s a header, text is column%s ", dialect->header ? "with" : "without",
              dialect->text_count > 1 ? "s" : "");
    for (int32_t i = 0; i < dialect->text_count; i++) {
        if (i) ex_append(text, size, "%s", i + 1 < dialect->text_count ? ", " : " and ");
        append_column(dialect, s, dialect->texts[i]);
    }
    ex_append(text, size, ", label is column ");
    append_column(dialect, s, dialect->label);
}

/* For formats without columns: each record is a text and a label. */
static void set_line_format(tc_dialect *dialect, bool header)
{
    static const char *const descriptions[] = {
        [TC_TSV] = "TSV without a header, the label follows the last tab",
        [TC_FASTTEXT] = "fastText lines, the label follows __label__",
        [TC_LABEL_TEXT] = "lines of label and text",
        [TC_TEXT_LABEL] = "lines of text and label",
    };
    *dialect = (tc_dialect){
        .format = dialect->format, .header = header, .columns = 2, .text_count = 1, .label = 1};
    ex_append(dialect->description, sizeof dialect->description, "%s%s",
              descriptions[dialect->format], header ? ", with a header" : "");
}

bool tc_dialect_detect(tc_dialect *dialect, const char *name, const char *bytes, size_t size,
                       const tc_read_options *options)
{
    *dialect = (tc_dialect){.format = TC_AUTO};
    if (!find_format(dialect, bytes, size, options)) return false;
    if (dialect->format >= TC_FASTTEXT) {
        if (options->text || options->label) {
            return ex_fail("%s: --text and --label choose columns, but %s lines have no columns",
                           name, tc_format_names[dialect->format]);
        }
        set_line_format(dialect, options->header == TC_HEADER_YES);
        return true;
    }
    sample s = {.name = name};
    bool good = take_sample(&s, dialect, bytes, size) && find_columns(dialect, &s, options);
    /* A plain TSV line needs only its last tab, so its text may contain others. */
    bool plain = dialect->format == TC_TSV && dialect->delimiter == '\t' && !dialect->header &&
                 !options->text && !options->label;
    if (good && plain && (s.columns < 2 || dialect->label == s.columns - 1))
        set_line_format(dialect, false);
    else if (good) describe(dialect, &s);
    ex_free(s.cells);
    ex_free(s.statistics);
    return good;
}
