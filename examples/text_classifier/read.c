#include "read.h"

#include "../support/failure.h"
#include "../support/files.h"
#include "../support/text.h"

#include <iconv.h>
#include <string.h>

const char *const tc_format_names[] = {"auto",       "tsv",        "csv", "fasttext",
                                       "label-text", "text-label", NULL};
const char *const tc_header_names[] = {"auto", "yes", "no", NULL};

/* ---- bytes ---- */

/* What helps with bytes that are no UTF-8, by how the file starts. */
static const char *hint(const char *bytes, size_t size)
{
    static const struct {
        const char *start, *hint;
    } known[] = {
        {"\xFF\xFE", "it starts as UTF-16 does: add --encoding utf-16"},
        {"\xFE\xFF", "it starts as UTF-16 does: add --encoding utf-16"},
        {"\x1F\x8B", "it starts as gzip does: unpack it first, or gunzip -c it and read -"},
        {"PK\x03\x04",
         "it starts as a spreadsheet or a zip file does: save it as CSV or unpack it"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t length = strlen(known[i].start);
        if (size >= length && !memcmp(bytes, known[i].start, length)) return known[i].hint;
    }
    return "save the file as UTF-8, or say what it is (--encoding latin1, gb18030, utf-16 ..)";
}

/* Fails because of bytes[bad]: says where it is, and what helps. */
static char *refuse(const char *name, const char *bytes, size_t bad, const char *encoding,
                    const char *help)
{
    int line = 1;
    size_t start = 0;
    for (size_t i = 0; i < bad && line < INT32_MAX; i++) {
        if (bytes[i] != '\n') continue;
        line++;
        start = i + 1;
    }
    ex_fail("%s:%d: byte %zu of the line, 0x%02X, is not %s: %s", name, line, bad - start + 1,
            (unsigned)(unsigned char)bytes[bad], encoding, help);
    return NULL;
}

/* The caller frees what it returns, which has room for one byte more. */
static char *convert(iconv_t converter, const char *name, const char *encoding, char *from,
                     size_t *size)
{
    size_t left = *size,
           room = 4 * (left + 1); /* what is one byte elsewhere is up to three in UTF-8 */
    char *next = from, *result = ex_allocate(NULL, left + 1, 4), *to = result;
    if (!result) return NULL;
    if (iconv(converter, &next, &left, &to, &room) == (size_t)-1) {
        ex_free(result);
        return refuse(name, from, (size_t)(next - from), encoding, "give another --encoding");
    }
    *size = (size_t)(to - result);
    return result;
}

char *tc_read_text(const char *path, const char *encoding, size_t *size)
{
    const char *name = strcmp(path, "-") ? path : "standard input";
    iconv_t converter = encoding ? iconv_open("UTF-8", encoding) : (iconv_t)-1;
    if (encoding && converter == (iconv_t)-1) {
        ex_fail("--encoding %s: no such encoding is known; iconv -l lists those that are",
                encoding);
        return NULL;
    }
    char *bytes = ex_file_read(path, size);
    if (encoding) {
        char *raw = bytes;
        bytes = raw ? convert(converter, name, encoding, raw, size) : NULL;
        ex_free(raw);
        iconv_close(converter);
    }
    if (bytes && *size >= 3 && !memcmp(bytes, "\xEF\xBB\xBF", 3))
        memmove(bytes, bytes + 3, *size -= 3);
    if (bytes && !memchr(bytes, '\n',
                         *size)) { /* lines that end in CR alone, as some spreadsheets write them */
        for (char *c = bytes; (c = memchr(c, '\r', (size_t)(bytes + *size - c)));) *c = '\n';
    }
    size_t bad;
    if (!bytes || ex_text_valid(bytes, *size, &bad)) return bytes;
    refuse(name, bytes, bad, "UTF-8 text", hint(bytes, *size));
    ex_free(bytes);
    return NULL;
}

/* ---- records ---- */

enum { MAX_COLUMNS = 10000 };

static bool wrong(tc_scan *s, int32_t line, const char *what)
{
    s->wrong = what;
    s->wrong_line = line;
    return false;
}

static bool add_field(tc_scan *s, const char *start, const char *end, bool quoted)
{
    if (s->count == MAX_COLUMNS)
        return wrong(s, s->line, "there are more than 10000 columns here: name the --delimiter");
    tc_field *fields = ex_grow(s->fields, (size_t)s->count, 1, &s->room, sizeof *fields);
    if (!fields) return false;
    s->fields = fields;
    s->fields[s->count++] = (tc_field){start, (size_t)(end - start), quoted};
    return true;
}

/* A field whose quote opens at `open`. Blanks may stand outside of the quotes. */
static bool scan_quoted(tc_scan *s, const char *open)
{
    const char *p = open + 1;
    int32_t opened = s->line;
    for (; p < s->stop && (*p != '"' || p[1] == '"'); p++) {
        if (*p == '\n') s->line++;
        if (*p == '"') {
            s->doubled++;
            p++;
        }
    }
    if (p >= s->stop) {
        return wrong(s, opened,
                     "the quote that opens a field here is never closed; one within a field is "
                     "written twice");
    }
    const char *after = p + 1;
    while (tc_is_blank(*after) && *after != s->delimiter) after++;
    if (*after != s->delimiter && *after != '\n') {
        return wrong(s, s->line,
                     "text follows a closing quote; a quote within a field is written twice, the "
                     "field in quotes");
    }
    s->at = after;
    s->quoted++;
    return add_field(s, open + 1, p, true);
}

static bool scan_field(tc_scan *s)
{
    const char *start = s->at, *end = start;
    if (s->format == TC_CSV) {
        while (tc_is_blank(*end) && *end != s->delimiter) end++;
        if (*end == '"') return scan_quoted(s, end);
    }
    while (*end != s->delimiter && *end != '\n') end++;
    s->at = end;
    while (*end == '\n' && end > start && tc_is_blank(end[-1])) end--; /* CRLF, for one */
    return add_field(s, start, end, false);
}

/* The end of the word at `p`, and the start of the word that ends at `end`. */
static const char *word_end(const char *p, const char *end)
{
    while (p < end && !tc_is_blank(*p)) p++;
    return p;
}

static const char *word_start(const char *start, const char *end)
{
    while (end > start && !tc_is_blank(end[-1])) end--;
    return end;
}

static const char prefix[] = "__label__";
enum { PREFIX = sizeof prefix - 1 };

static bool is_label(const char *word, const char *end)
{
    return end - word >= PREFIX && !memcmp(word, prefix, PREFIX);
}

/* Labels stand before the text or after it; the first one counts. */
static bool scan_fasttext(tc_scan *s, const char *start, const char *end)
{
    const char *label = end, *label_end = end;
    for (s->labels = 0; is_label(start, end); s->labels++) {
        const char *after = word_end(start, end);
        if (!s->labels) {
            label = start + PREFIX;
            label_end = after;
        }
        for (start = after; start < end && tc_is_blank(*start);) start++;
    }
    bool before = s->labels > 0;
    for (const char *last; is_label(last = word_start(start, end), end); s->labels++) {
        if (!before) {
            label = last + PREFIX;
            label_end = end;
        }
        for (end = last; end > start && tc_is_blank(end[-1]);) end--;
    }
    return add_field(s, start, end, false) && add_field(s, label, label_end, false);
}

/* A line that is a text and a label, not columns. */
static bool scan_line(tc_scan *s, const char *end)
{
    const char *start = s->at, *cut;
    s->at = end;
    while (end > start && tc_is_blank(end[-1]) && (s->format != TC_TSV || end[-1] != '\t')) end--;
    if (s->format == TC_TSV) {
        for (cut = end; cut > start && cut[-1] != '\t';) cut--;
        return cut == start ? add_field(s, start, end, false)
                            : add_field(s, start, cut - 1, false) && add_field(s, cut, end, false);
    }
    while (tc_is_blank(*start)) start++;
    if (s->format == TC_FASTTEXT) return scan_fasttext(s, start, end);
    if (s->format == TC_TEXT_LABEL) {
        cut = word_start(start, end);
        return add_field(s, start, cut > start ? cut - 1 : start, false) &&
               add_field(s, cut, end, false);
    }
    cut = word_end(start, end);
    return add_field(s, cut < end ? cut + 1 : end, end, false) && add_field(s, start, cut, false);
}

bool tc_scan_next(tc_scan *s)
{
    while (s->at < s->stop) { /* lines of blanks */
        const char *end = s->at;
        while (tc_is_blank(*end)) end++;
        if (*end != '\n') break;
        s->at = end + 1;
        s->line++;
    }
    if (s->at >= s->stop || s->wrong) return false;
    s->start = s->at;
    s->start_line = s->line;
    s->count = 0;
    if (s->delimiter) {
        while (scan_field(s) && *s->at == s->delimiter) s->at++;
    } else {
        scan_line(s, memchr(s->at, '\n', (size_t)(s->stop - s->at) + 1));
    }
    if (s->wrong || ex_failure()) return false;
    if (s->line == INT32_MAX) return wrong(s, s->line, "there are too many lines");
    s->at++;
    s->line++;
    return true;
}

void tc_scan_free(tc_scan *s)
{
    ex_free(s->fields);
    s->fields = NULL;
    s->room = 0;
}
