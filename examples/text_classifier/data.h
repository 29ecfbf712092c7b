/* Labelled texts, from a file or from what is built in. A line is TEXT, a tab and LABEL; where it has several tabs, the last
 * one counts. No header. CRLF and a byte order mark are tolerated, blank lines skipped. */
#ifndef TC_DATA_H
#define TC_DATA_H

#include "tokenizer.h"

typedef struct tc_row {
    const char *text;       /* a string of the data's, or of the caller's */
    const char *label_name; /* NULL: it has none */
    int32_t line;           /* of the file, from 1 */
    int32_t label;          /* id, once tc_data_number_labels has found it, or -1 */
    int32_t length;         /* tokens, once tc_data_encode has run */
    const int32_t *ids;     /* [length], the data's */
} tc_row;

typedef struct tc_data {
    const char *name; /* as given; the caller's */
    char *bytes;
    tc_row *rows;
    int32_t count, room;
    int32_t *ids;
    int32_t cut;      /* rows that were longer than allowed */
    int64_t tokens, unknown; /* of all rows, and how many of them are not in the vocabulary */
} tc_data;

/* Some of its rows, in one piece. */
typedef struct tc_part {
    const tc_row *rows;
    int32_t count;
} tc_part;

/* Reads `name`, a file or a builtin:... False after tc_fail, which names file and line. */
bool tc_data_read(tc_data *data, const char *name);

/* Appends a text without a label; the string stays the caller's. */
bool tc_data_add_text(tc_data *data, const char *text);

void tc_data_free(tc_data *data);

/* The labels that occur, in the order of their bytes. False after tc_fail: there is one only, or so many that the last
 * column cannot be the label. */
bool tc_data_labels(tc_names *labels, const tc_data *data);

/* Looks up each row's label. One that is not in `labels` is a failure that names file and line. */
bool tc_data_number_labels(tc_data *data, const tc_names *labels);

/* Turns each text into ids, at most `longest` of them. */
bool tc_data_encode(tc_data *data, const tc_tokenizer *tokenizer, const tc_names *words, int32_t longest);

/* Shuffles the rows and puts a tenth of them, which are to validate, at the end: *held_out is their number, 0 where there
 * are fewer than 20 rows. No label loses its last row to them. Labels are numbered before. */
bool tc_data_split(tc_data *data, const tc_names *labels, uint64_t seed, int32_t *held_out);

#endif
