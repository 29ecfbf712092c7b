/* Reads a data file as UTF-8 and splits it into records: rows of CSV (RFC 4180) or TSV,
 * fastText's lines, or lines that hold a label and a text. Records point into the file's bytes. */
#ifndef TC_READ_H
#define TC_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum tc_format {
    TC_AUTO,
    TC_TSV,
    TC_CSV,
    TC_FASTTEXT,
    TC_LABEL_TEXT,
    TC_TEXT_LABEL
} tc_format;
typedef enum tc_header { TC_HEADER_AUTO, TC_HEADER_YES, TC_HEADER_NO } tc_header;

/* The values of --format and --header; both lists end with NULL. */
extern const char *const tc_format_names[];
extern const char *const tc_header_names[];

/* How to read data. {0} detects everything. The caller owns the strings; NULL means not given. */
typedef struct tc_read_options {
    const char *text;      /* columns, as names or numbers from 1, separated by commas */
    const char *label;     /* one column */
    const char *delimiter; /* one character, or the word tab */
    const char *encoding;  /* a name that iconv knows */
    int format, header;    /* tc_format, tc_header */
    bool quiet;            /* do not report how the data was read */
} tc_read_options;

/* Returns the *size bytes of a file (or of standard input if path is "-") as UTF-8 without NUL
 * and without byte order mark, with capacity for one more byte. The caller frees them. Returns
 * NULL after ex_fail, which names the line and byte that is not valid in the encoding. */
char *tc_read_text(const char *path, const char *encoding, size_t *size);

/* One field of a record without its enclosing quotes. In a quoted field "" stands for one quote. */
typedef struct tc_field {
    const char *start;
    size_t length;
    bool quoted;
} tc_field;

/* Finds records one by one. Set format, delimiter, position, end and line = 1; *end must be '\n'.
 * tc_scanner_free frees it. */
typedef struct tc_scanner {
    /* TC_CSV knows quotes, TC_TSV does not. The other formats give two fields: text and label. */
    tc_format format;
    /* 0: the last tab of a line separates text and label; a line without a tab is one field. */
    char delimiter;
    const char *position, *end;
    int32_t line; /* of `position`, from 1 */
    /* The current record: its bytes from `record` to `position`, with its newline. */
    const char *record;
    int32_t record_line;
    tc_field *fields;
    int32_t count;
    size_t capacity;
    int32_t labels;    /* of a fastText line */
    const char *error; /* what is wrong in line `error_line`, or NULL */
    int32_t error_line;
    int64_t quoted_fields, doubled_quotes; /* so far */
} tc_scanner;

/* Finds the next record; skips blank lines. Returns false at the end, on an error, and after
 * ex_fail. */
bool tc_scanner_next(tc_scanner *scanner);
void tc_scanner_free(tc_scanner *scanner);

static inline bool tc_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

#endif
