/* Bytes as people have them, made UTF-8, and the records that they hold: rows of CSV (RFC 4180) or TSV, fastText's lines, and
 * lines of a label and a text. A scan only looks: what it finds are places in the bytes. */
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

extern const char *const tc_format_names[],
    *const tc_header_names[]; /* as --format and --header take them; NULL ends */

/* What the command line says about data; {0} has everything recognised. Strings are the caller's, NULL: not given. */
typedef struct tc_reading {
    const char *text;      /* columns, by names or numbers from 1, with commas between them */
    const char *label;     /* a column */
    const char *delimiter; /* a character, or the word tab */
    const char *encoding;  /* of which iconv knows the name */
    int format, header;    /* tc_format, tc_header */
    bool quiet;            /* nothing is said of how it was read */
} tc_reading;

/* The *size bytes of a file or of "-" as UTF-8 without NUL or byte order mark, with room for one more; the caller frees them.
 * NULL after ex_fail, which names line and byte of what is not UTF-8 (without an encoding), or not of the encoding. */
char *tc_read_text(const char *path, const char *encoding, size_t *size);

/* One field, without its quotes; in a quoted one two quotes stand for one. */
typedef struct tc_field {
    const char *start;
    size_t length;
    bool quoted;
} tc_field;

/* Start with the format, the delimiter and the bytes, at line 1; *stop is '\n'. End with tc_scan_free. */
typedef struct tc_scan {
    tc_format
        format; /* TC_CSV has quotes, TC_TSV has not; the other three give two fields, text and label */
    char
        delimiter; /* 0: the line is cut at its last tab into text and label, and a line without a tab is one field */
    const char *at, *stop;
    int32_t line; /* where `at` is, from 1 */
    const char *
        start; /* of the record that was found; it has the bytes up to `at`, its newline among them */
    int32_t start_line;
    tc_field *fields;
    int32_t count;
    size_t room;
    int32_t labels;    /* of a fastText line */
    const char *wrong; /* what is wrong in line `wrong_line`; NULL: nothing */
    int32_t wrong_line;
    int64_t quoted, doubled; /* so far: fields in quotes, and quotes that are doubled */
} tc_scan;

/* Finds the next record; lines of blanks are none. False at the end, at what is wrong, and after ex_fail. */
bool tc_scan_next(tc_scan *scan);
void tc_scan_free(tc_scan *scan);

static inline bool tc_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

#endif
