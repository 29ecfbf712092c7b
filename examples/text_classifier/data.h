/* Labelled texts, from a file in one of the formats of read.h or from what is built in. CRLF and a byte order mark are
 * tolerated, blank lines skipped. Rows without a label are left out, those without a text stay: both are counted. */
#ifndef TC_DATA_H
#define TC_DATA_H

#include "layout.h"
#include "tokenizer.h"

#include <stdio.h>

typedef struct tc_row {
    const char *text;       /* a string of the data's, or of the caller's */
    const char *label_name; /* NULL: it has none */
    int32_t line;           /* of the file where it starts, from 1 */
    int32_t label;          /* id, once tc_data_number_labels has found it, or -1 */
    int32_t length;         /* tokens, once tc_data_encode has run */
    const int32_t *ids;     /* [length], the data's */
} tc_row;

typedef struct tc_data {
    const char *name; /* as given, or "standard input"; the caller's */
    tc_layout layout;
    char *strings; /* of the rows */
    tc_row *rows;
    int32_t count;
    size_t room;
    int32_t *ids;
    int32_t cut; /* rows that were longer than allowed */
    int32_t no_label, no_label_line, no_text,
        no_text_line;      /* how many, and the line of the first one */
    int32_t several;       /* rows with labels beside the one that counts, in fastText's format */
    int32_t single_labels; /* labels that occur once, once tc_data_labels has run */
    const char *single_label; /* the first of them */
    int64_t quoted, doubled;  /* fields in quotes, and doubled quotes in them */
    int64_t tokens, unknown;  /* of all rows, and how many of them are not in the vocabulary */
} tc_data;

/* Some of its rows, in one piece. */
typedef struct tc_part {
    const tc_row *rows;
    int32_t count;
} tc_part;

/* Reads `name`, a file, - or a builtin:... (which is TSV, whatever `reading` says; NULL: all is recognised). False after
 * ex_fail, which names file and line. */
bool tc_data_read(tc_data *data, const char *name, const tc_reading *reading);

/* Says in one line how a file was read and what was left out. */
void tc_data_print(const tc_data *data, FILE *stream);

/* The same on standard error, and what labels occur once; of a builtin, and of no data, nothing. */
void tc_data_tell(const tc_data *data);

/* Appends a text without a label; the string stays the caller's. */
bool tc_data_add_text(tc_data *data, const char *text);

void tc_data_free(tc_data *data);

/* The labels that occur, in the order of their bytes. False after ex_fail: there is one only, or so many that the column can
 * be no label. */
bool tc_data_labels(ex_names *labels, tc_data *data);

/* Looks up each row's label. One that is not in `labels` is a failure that names file and line. */
bool tc_data_number_labels(tc_data *data, const ex_names *labels);

/* Turns each text into ids, at most `longest` of them. */
bool tc_data_encode(tc_data *data, const tc_tokenizer *tokenizer, const ex_names *words,
                    int64_t longest);

/* The vocabulary of some rows; see ex_vocabulary_build. */
bool tc_data_words(ex_names *words, tc_part part, const tc_tokenizer *tokenizer, int64_t least,
                   int64_t most, int32_t *rare);

/* Shuffles the rows and puts a tenth of them, which are to validate, at the end: *held_out is their number, 0 where there
 * are fewer than 20 rows. No label loses its last row to them. Labels are numbered before. */
bool tc_data_split(tc_data *data, const ex_names *labels, uint64_t seed, int32_t *held_out);

#endif
