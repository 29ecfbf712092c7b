#include "layout.h"

#include "../support/failure.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SAMPLE = 1000 }; /* records that are looked at */

/* The first records, as far as they have as many columns as the first one, which may be a header. */
typedef struct sample {
    const char *name; /* of the file */
    tc_field *cells;  /* [rows, columns] */
    int32_t rows, columns;
    struct facts *measured; /* [columns] */
} sample;

static const tc_field *cell(const sample *s, int32_t row, int32_t column)
{
    return &s->cells[(size_t)row * (size_t)s->columns + (size_t)column];
}

/* ---- format and delimiter ---- */

/* Of those that read the sample equally well the first is taken: a tab is TSV's, whose quotes are plain marks, unless only
 * quotes make sense of the lines. */
static const struct candidate {
    tc_format format;
    char delimiter;
} candidates[] = {{TC_FASTTEXT, 0}, {TC_TSV, '\t'}, {TC_CSV, ','},
                  {TC_CSV, ';'},    {TC_CSV, '|'},  {TC_CSV, '\t'}};

tc_scan tc_layout_scan(const tc_layout *layout, const char *bytes, size_t size)
{
    return (tc_scan){.format = layout->format,
                     .delimiter = layout->delimiter,
                     .at = bytes,
                     .stop = bytes + size,
                     .line = 1};
}

/* The part of the sample that reads well as this: with a label, or with as many columns as the first record. */
static double share(const struct candidate *c, const char *bytes, size_t size)
{
    tc_scan scan = tc_layout_scan(&(tc_layout){.format = c->format, .delimiter = c->delimiter},
                                  bytes, size);
    int32_t records = 0, first = 0;
    double good = 0;
    while (records < SAMPLE && tc_scan_next(&scan)) {
        if (!records++) first = scan.count;
        if (c->format == TC_FASTTEXT) good += scan.labels > 0;
        else
            good += scan.count >= 2 && (scan.count == first || (c->format == TC_TSV && first >= 2));
    }
    if (scan.wrong) { /* there are quotes, if not good ones: that is said when the rows are read */
        records++;
        good += 0.5;
    }
    tc_scan_free(&scan);
    return records ? good / records : 0;
}

static void guess_format(tc_layout *layout, const char *bytes, size_t size, tc_format asked)
{
    double best = 0;
    layout->format = asked == TC_CSV ? TC_CSV : TC_TSV;
    layout->delimiter = asked == TC_CSV ? ',' : '\t';
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        const struct candidate *c = &candidates[i];
        if (asked != TC_AUTO && c->format != asked) continue;
        double found = share(c, bytes, size);
        if (found <= best) continue;
        best = found;
        layout->format = c->format;
        layout->delimiter = c->delimiter;
    }
}

static bool find_format(tc_layout *layout, const char *bytes, size_t size, const tc_reading *asked)
{
    layout->format = (tc_format)asked->format;
    if (!asked->delimiter) {
        if (layout->format < TC_FASTTEXT) guess_format(layout, bytes, size, layout->format);
        return true;
    }
    if (layout->format >= TC_FASTTEXT) {
        return ex_fail("--delimiter: --format %s has none, leave one of them out",
                       tc_format_names[layout->format]);
    }
    bool tab = !strcmp(asked->delimiter, "tab") || !strcmp(asked->delimiter, "\\t");
    layout->delimiter = tab ? '\t' : asked->delimiter[0];
    if (!tab && (asked->delimiter[1] || strchr("\"\n\r", layout->delimiter))) {
        return ex_fail("--delimiter %s: it takes one ASCII character, or the word tab",
                       asked->delimiter);
    }
    if (layout->format == TC_AUTO) layout->format = layout->delimiter == '\t' ? TC_TSV : TC_CSV;
    return true;
}

/* ---- what a sample tells ---- */

static int compare_fields(const void *a, const void *b)
{
    const tc_field *x = a, *y = b;
    int order = memcmp(x->start, y->start, x->length < y->length ? x->length : y->length);
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

/* What a column holds, the first row's cell included. */
typedef struct facts {
    int32_t values, once;  /* different ones, and those of them that stand there once */
    int32_t filled, words; /* rows that are not empty, and that hold several words */
    bool again;            /* the first row's value occurs below */
    size_t bytes;
} facts;

static bool measure(facts *m, const sample *s, int32_t c)
{
    size_t rows = (size_t)s->rows;
    tc_field *sorted = ex_allocate(NULL, rows, sizeof *sorted);
    *m = (facts){0};
    if (!sorted) return false;
    for (size_t i = 0; i < rows; i++) {
        sorted[i] = *cell(s, (int32_t)i, c);
        m->bytes += sorted[i].length;
        m->filled += sorted[i].length > 0;
        m->words += memchr(sorted[i].start, ' ', sorted[i].length) != NULL;
        m->again = m->again || (i && !compare_fields(&sorted[i], &sorted[0]));
    }
    qsort(sorted, rows, sizeof *sorted, compare_fields);
    for (size_t i = 0, end; i < rows; i = end, m->values++) {
        for (end = i + 1; end < rows && !compare_fields(&sorted[i], &sorted[end]);) end++;
        m->once += end == i + 1;
    }
    ex_free(sorted);
    return true;
}

static bool take_sample(sample *s, const tc_layout *layout, const char *bytes, size_t size)
{
    tc_scan scan = tc_layout_scan(layout, bytes, size);
    while (s->rows < SAMPLE && tc_scan_next(&scan)) {
        if (!s->rows) {
            s->columns = scan.count;
            s->cells = ex_allocate(NULL, SAMPLE * (size_t)s->columns, sizeof *s->cells);
            if (!s->cells) break;
        }
        if (scan.count != s->columns) continue;
        memcpy(&s->cells[(size_t)s->rows++ * (size_t)s->columns], scan.fields,
               (size_t)s->columns * sizeof *s->cells);
    }
    tc_scan_free(&scan);
    s->measured = ex_allocate(NULL, (size_t)s->columns, sizeof *s->measured);
    for (int32_t c = 0; s->rows && s->measured && c < s->columns; c++) {
        if (!measure(&s->measured[c], s, c)) break;
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

/* Blanks around it and case (of ASCII) do not count. */
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

/* The column of that name, or -1. */
static int32_t find_name(const sample *s, const char *name, size_t length)
{
    for (int32_t c = 0; c < s->columns; c++) {
        if (is_named(cell(s, 0, c), name, length)) return c;
    }
    return -1;
}

/* Appends the name that a column has in the first row, shortened where it is long, between characters. */
static void append_name(char *text, size_t size, const sample *s, int32_t column)
{
    const tc_field *f = cell(s, 0, column);
    size_t shown = f->length < 40 ? f->length : 40;
    while (shown < f->length && ((unsigned char)f->start[shown] & 0xC0) == 0x80) shown--;
    ex_append(text, size, "\"%.*s%s\"", (int)shown, f->start, shown < f->length ? ".." : "");
}

/* Finds the column that the first `length` bytes of `asked` name or number. A name means that there is a header. */
static bool find_column(int32_t *column, tc_layout *layout, const sample *s, const char *option,
                        const char *asked, size_t length, int header)
{
    char there[300] = "";
    bool number = strspn(asked, "0123456789") >= length;
    long value = number ? strtol(asked, NULL, 10) : 0;
    *column = number && value <= s->columns ? (int32_t)value - 1
              : number                      ? -1
                                            : find_name(s, asked, length);
    if (!number && header == TC_HEADER_NO) {
        return ex_fail(
            "%s: --%s %.*s: with --header no columns have no names, give a number from 1 to %d",
            s->name, option, (int)length, asked, s->columns);
    }
    if (*column >= 0) {
        layout->header = layout->header || !number;
        return true;
    }
    for (int32_t c = 0; c < s->columns && c < 8; c++) {
        ex_append(there, sizeof there, "%s%d ", c ? ", " : "", c + 1);
        append_name(there, sizeof there, s, c);
    }
    return ex_fail("%s: --%s %.*s: there is no such column; the first row has %s%s", s->name,
                   option, (int)length, asked, there, s->columns > 8 ? " .." : "");
}

/* ---- header and columns ---- */

static bool is_text(const tc_layout *layout, int32_t column)
{
    for (int32_t i = 0; i < layout->text_count; i++) {
        if (layout->texts[i] == column) return true;
    }
    return false;
}

static bool find_asked(tc_layout *layout, const sample *s, const tc_reading *asked)
{
    layout->header = asked->header == TC_HEADER_YES;
    layout->label = -1;
    for (const char *next = asked->text, *end; next; next = *end ? end + 1 : NULL) {
        int32_t column;
        end = next + strcspn(next, ",");
        if (!find_column(&column, layout, s, "text", next, (size_t)(end - next), asked->header))
            return false;
        if (is_text(layout, column))
            return ex_fail("--text %s: it names column %d twice", asked->text, column + 1);
        if (layout->text_count == TC_MOST_TEXTS)
            return ex_fail("--text %s: it takes at most %d", asked->text, TC_MOST_TEXTS);
        layout->texts[layout->text_count++] = column;
    }
    return !asked->label || find_column(&layout->label, layout, s, "label", asked->label,
                                        strlen(asked->label), asked->header);
}

/* The first row has a known name in it that is no value of the rows below. */
static bool has_known_name(const sample *s)
{
    for (int32_t c = 0; c < s->columns; c++) {
        const tc_field *f = cell(s, 0, c);
        if (!s->measured[c].again && (is_known(f, label_names) || is_known(f, text_names)))
            return true;
    }
    return false;
}

/* The first row reads like names, and its label never occurs again while every other does: in a sample that can tell. */
static bool has_strange_label(const sample *s, int32_t label)
{
    if (s->rows < 10 || s->measured[label].again || s->measured[label].once > 1 ||
        !cell(s, 0, label)->length)
        return false;
    for (int32_t c = 0; c < s->columns; c++) {
        const tc_field *f = cell(s, 0, c);
        if (f->length > 32 || memchr(f->start, ' ', f->length)) return false;
    }
    return true;
}

/* By name; else the last column that is mostly filled and no text, unless nearly each of its values is another: then the one
 * with fewest values. Few rows of TSV prove nothing: there the last column is what the label has always been. */
static int32_t guess_label(const tc_layout *layout, const sample *s)
{
    int32_t best = -1, rows = s->rows;
    bool proof = layout->format == TC_CSV || rows >= 10;
    for (const char *const *name = label_names; layout->header && *name; name++) {
        int32_t c = find_name(s, *name, strlen(*name));
        if (c >= 0 && !is_text(layout, c)) return c;
    }
    for (int32_t c = 0; c < s->columns; c++) {
        if (!is_text(layout, c) && (best < 0 || !proof || 2 * s->measured[c].filled > rows))
            best = c;
    }
    if (best < 0) return 0; /* all are texts, which is found out */
    bool telling = proof && 2 * s->measured[best].values > rows;
    for (int32_t c = 0; telling && c < s->columns; c++) {
        const facts *m = &s->measured[c];
        if (!is_text(layout, c) && 2 * m->filled > rows && m->values < s->measured[best].values)
            best = c;
    }
    return best;
}

/* By name; else the column with most bytes, and each that mostly holds several words. */
static void guess_texts(tc_layout *layout, const sample *s)
{
    int32_t longest = layout->label ? 0 : 1;
    bool named = false;
    for (int32_t c = 0; c < s->columns; c++) {
        if (c == layout->label) continue;
        named = named || (layout->header && is_known(cell(s, 0, c), text_names));
        if (s->measured[c].bytes > s->measured[longest].bytes) longest = c;
    }
    for (int32_t c = 0; c < s->columns && layout->text_count < TC_MOST_TEXTS; c++) {
        bool text = named ? is_known(cell(s, 0, c), text_names)
                          : c == longest || 2 * s->measured[c].words > s->rows;
        if (text && c != layout->label) layout->texts[layout->text_count++] = c;
    }
}

static bool find_columns(tc_layout *layout, const sample *s, const tc_reading *asked)
{
    layout->columns = s->columns;
    if (!s->rows || (s->columns == 1 && layout->format == TC_TSV && !asked->text && !asked->label))
        return true;
    if (s->columns == 1)
        return ex_fail(
            "%s:1: there is one column, and a text and a label are needed: --delimiter or --format "
            "says how it is written",
            s->name);
    if (!find_asked(layout, s, asked)) return false;
    bool automatic = asked->header == TC_HEADER_AUTO && !layout->header;
    if (automatic) layout->header = has_known_name(s);
    if (layout->label < 0) layout->label = guess_label(layout, s);
    if (automatic && !layout->header) layout->header = has_strange_label(s, layout->label);
    if (!layout->text_count) guess_texts(layout, s);
    return !is_text(layout, layout->label) ||
           ex_fail("%s: column %d is asked for as text and is the label too: a model would read "
                   "the answer",
                   s->name, layout->label + 1);
}

/* ---- all together ---- */

static void append_column(tc_layout *layout, const sample *s, int32_t column)
{
    if (layout->header) append_name(layout->about, sizeof layout->about, s, column);
    else ex_append(layout->about, sizeof layout->about, "%d", column + 1);
}

static void describe(tc_layout *layout, const sample *s)
{
    char *about = layout->about;
    const size_t size = sizeof layout->about;
    bool plain = layout->delimiter == (layout->format == TC_TSV ? '\t' : ',');
    ex_append(about, size, "%s", layout->format == TC_TSV ? "TSV" : "CSV");
    if (layout->delimiter == '\t' && !plain) ex_append(about, size, " split by tabs");
    else if (!plain) ex_append(about, size, " split by \"%c\"", layout->delimiter);
    ex_append(about, size, " %s a header, text is column%s ", layout->header ? "with" : "without",
              layout->text_count > 1 ? "s" : "");
    for (int32_t i = 0; i < layout->text_count; i++) {
        ex_append(about, size, "%s", !i ? "" : i + 1 < layout->text_count ? ", " : " and ");
        append_column(layout, s, layout->texts[i]);
    }
    ex_append(about, size, ", label is column ");
    append_column(layout, s, layout->label);
}

/* Formats without columns: each record is a text and a label. */
static void set_line_format(tc_layout *layout, bool header)
{
    static const char *const about[] = {
        [TC_TSV] = "TSV without a header, the label is what follows the last tab",
        [TC_FASTTEXT] = "fastText's lines, the label follows __label__",
        [TC_LABEL_TEXT] = "lines of a label and a text",
        [TC_TEXT_LABEL] = "lines of a text and a label",
    };
    *layout = (tc_layout){
        .format = layout->format, .header = header, .columns = 2, .text_count = 1, .label = 1};
    ex_append(layout->about, sizeof layout->about, "%s%s", about[layout->format],
              header ? ", below a header" : "");
}

bool tc_layout_find(tc_layout *layout, const char *name, const char *bytes, size_t size,
                    const tc_reading *asked)
{
    *layout = (tc_layout){.format = TC_AUTO};
    if (!find_format(layout, bytes, size, asked)) return false;
    if (layout->format >= TC_FASTTEXT) {
        if (asked->text || asked->label) {
            return ex_fail("%s: --text and --label choose columns, and there are none in %s lines",
                           name, tc_format_names[layout->format]);
        }
        set_line_format(layout, asked->header == TC_HEADER_YES);
        return true;
    }
    sample s = {.name = name};
    bool good = take_sample(&s, layout, bytes, size) && find_columns(layout, &s, asked);
    /* Of plain TSV nothing is asked but one tab, so that a text may hold others. */
    bool plain = layout->format == TC_TSV && layout->delimiter == '\t' && !layout->header &&
                 !asked->text && !asked->label;
    if (good && plain && (s.columns < 2 || layout->label == s.columns - 1))
        set_line_format(layout, false);
    else if (good) describe(layout, &s);
    ex_free(s.cells);
    ex_free(s.measured);
    return good;
}
