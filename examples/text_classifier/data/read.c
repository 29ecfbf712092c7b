#include "read.h"

#include "../../support/failure.h"
#include "../../support/files.h"
#include "../../support/text.h"

#include <iconv.h>
#include <string.h>

const char *const tc_format_names[] = {"auto",       "tsv",        "csv", "fasttext",
                                       "label-text", "text-label", NULL};
const char *const tc_header_names[] = {"auto", "yes", "no", NULL};

/* ---- bytes and encodings ---- */

/* Advice for a file that is not UTF-8, by its first bytes. */
static const char *advice_for(const char *bytes, size_t size)
{
    static const struct {
        const char *start, *advice;
    } known[] = {
        {"\xFF\xFE", "this looks like UTF-16; add --encoding utf-16"},
        {"\xFE\xFF", "this looks like UTF-16; add --encoding utf-16"},
        {"\x1F\x8B",
         "this is a gzip file; unpack it, or pipe gunzip -c into textclf and give - as DATA"},
        {"PK\x03\x04", "this is a zip file or a spreadsheet; unpack it or save it as CSV"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t length = strlen(known[i].start);
        if (size >= length && !memcmp(bytes, known[i].start, length)) return known[i].advice;
    }
    return "save the file as UTF-8, or name its encoding with --encoding (latin1, gb18030, utf-16)";
}

/* Fails because of bytes[bad]: the message names its line and byte and gives advice. */
static char *refuse(const char *name, const char *bytes, size_t bad, const char *encoding,
                    const char *advice)
{
    int line = 1;
    size_t start = 0;
    for (size_t i = 0; i < bad && line < INT32_MAX; i++) {
        if (bytes[i] != '\n') continue;
        line++;
        start = i + 1;
    }
    ex_fail("%s:%d: byte %zu of the line, 0x%02X, is not valid %s; %s", name, line, bad - start + 1,
            (unsigned)(unsigned char)bytes[bad], encoding, advice);
    return NULL;
}

/* Returns the text in UTF-8, with capacity for one more byte. The caller frees it. */
static char *convert(iconv_t converter, const char *name, const char *encoding, char *from,
                     size_t *size)
{
    size_t left = *size;
    size_t capacity = 4 * (left + 1); /* one byte becomes at most three in UTF-8 */
    char *next = from, *result = ex_allocate(NULL, left + 1, 4), *to = result;
    if (!result) return NULL;
    if (iconv(converter, &next, &left, &to, &capacity) == (size_t)-1) {
        ex_free(result);
        return refuse(name, from, (size_t)(next - from), encoding,
                      "name the right encoding with --encoding");
    }
    *size = (size_t)(to - result);
    return result;
}

/* Some spreadsheets end lines with CR alone. */
static void replace_carriage_returns(char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '\r') bytes[i] = '\n';
    }
}

char *tc_read_text(const char *path, const char *encoding, size_t *size)
{
    const char *name = strcmp(path, "-") ? path : "standard input";
    iconv_t converter = encoding ? iconv_open("UTF-8", encoding) : (iconv_t)-1;
    if (encoding && converter == (iconv_t)-1) {
        ex_fail("--encoding %s: unknown encoding; iconv -l lists the known ones", encoding);
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
    if (bytes && !memchr(bytes, '\n', *size)) replace_carriage_returns(bytes, *size);
    size_t bad;
    if (!bytes || ex_text_valid(bytes, *size, &bad)) return bytes;
    refuse(name, bytes, bad, "UTF-8", advice_for(bytes, *size));
    ex_free(bytes);
    return NULL;
}

/* ---- records ---- */

enum { MAX_COLUMNS = 10000 };

static bool set_error(tc_scanner *s, int32_t line, const char *error)
{
    s->error = error;
    s->error_line = line;
    return false;
}

static bool add_field(tc_scanner *s, const char *start, const char *end, bool quoted)
{
    if (s->count == MAX_COLUMNS)
        return set_error(s, s->line,
                         "more than 10000 columns; name the right delimiter with --delimiter");
    tc_field *fields = ex_grow(s->fields, (size_t)s->count, 1, &s->capacity, sizeof *fields);
    if (!fields) return false;
    s->fields = fields;
    s->fields[s->count++] = (tc_field){start, (size_t)(end - start), quoted};
    return true;
}

/* Scans a field that starts with the quote at `open`. Blanks may surround the quotes. */
static bool scan_quoted(tc_scanner *s, const char *open)
{
    const char *p = open + 1;
    int32_t opened = s->line;
    for (; p < s->end && (*p != '"' || p[1] == '"'); p++) {
        if (*p == '\n') s->line++;
        if (*p == '"') {
            s->doubled_quotes++;
            p++;
        }
    }
    if (p >= s->end) {
        return set_error(
            s, opened,
            "the quote that opens a field here is never closed; write a quote inside a "
            "field twice");
    }
    const char *after = p + 1;
    while (tc_is_blank(*after) && *after != s->delimiter) after++;
    if (*after != s->delimiter && *after != '\n') {
        return set_error(
            s, s->line,
            "text follows a closing quote; put the field in quotes and write a quote inside "
            "it twice");
    }
    s->position = after;
    s->quoted_fields++;
    return add_field(s, open + 1, p, true);
}

static bool scan_field(tc_scanner *s)
{
    const char *start = s->position, *end = start;
    if (s->format == TC_CSV) {
        while (tc_is_blank(*end) && *end != s->delimiter) end++;
        if (*end == '"') return scan_quoted(s, end);
    }
    while (*end != s->delimiter && *end != '\n') end++;
    s->position = end;
    while (*end == '\n' && end > start && tc_is_blank(end[-1])) end--; /* the CR of CRLF, too */
    return add_field(s, start, end, false);
}

/* The end of the word that starts at `p`; the start of the word that ends at `end`. */
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

/* Labels come before or after the text; the first one counts. */
static bool scan_fasttext(tc_scanner *s, const char *start, const char *end)
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
    const bool label_first = s->labels > 0;
    for (const char *last; is_label(last = word_start(start, end), end); s->labels++) {
        if (!label_first) {
            label = last + PREFIX;
            label_end = end;
        }
        for (end = last; end > start && tc_is_blank(end[-1]);) end--;
    }
    return add_field(s, start, end, false) && add_field(s, label, label_end, false);
}

/* Splits a line of a format without columns into text and label. */
static bool scan_line(tc_scanner *s, const char *end)
{
    const char *start = s->position, *cut;
    s->position = end;
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

bool tc_scanner_next(tc_scanner *s)
{
    while (s->position < s->end) { /* skip blank lines */
        const char *end = s->position;
        while (tc_is_blank(*end)) end++;
        if (*end != '\n') break;
        s->position = end + 1;
        s->line++;
    }
    if (s->position >= s->end || s->error) return false;
    s->record = s->position;
    s->record_line = s->line;
    s->count = 0;
    if (s->delimiter) {
        while (scan_field(s) && *s->position == s->delimiter) s->position++;
    } else {
        scan_line(s, memchr(s->position, '\n', (size_t)(s->end - s->position) + 1));
    }
    if (s->error || ex_failure()) return false;
    if (s->line == INT32_MAX) return set_error(s, s->line, "more than 2147483647 lines");
    s->position++;
    s->line++;
    return true;
}

void tc_scanner_free(tc_scanner *s)
{
    ex_free(s->fields);
    s->fields = NULL;
    s->capacity = 0;
}
