/* Labelled texts from a file in one of the formats of read.h, or from the built-in data. Reading
 * accepts CRLF and a byte order mark and skips blank lines. It counts rows without a label and
 * leaves them out; it counts rows without a text and keeps them. */
#ifndef TC_DATASET_H
#define TC_DATASET_H

#include "dialect.h"
#include "tokenizer.h"

#include <stdio.h>

typedef struct tc_row {
    const char *text;       /* owned by the dataset or the caller */
    const char *label_name; /* NULL: no label */
    int32_t line;           /* the line of the file in which the row starts, from 1 */
    int32_t label;          /* its id after tc_dataset_encode_labels; -1 before */
    int32_t length;         /* number of tokens, after tc_dataset_encode_texts */
    const int32_t *ids;     /* [length], owned by the dataset */
} tc_row;

typedef struct tc_dataset {
    const char *name; /* as given, or "standard input"; owned by the caller */
    tc_dialect dialect;
    char *strings; /* of all rows */
    tc_row *rows;
    int32_t count;
    size_t capacity;
    int32_t *ids;       /* of all rows */
    int32_t truncated;  /* rows that were longer than the maximum length */
    int32_t unlabelled; /* rows left out because they have no label */
    int32_t unlabelled_line;
    int32_t empty; /* rows without a text */
    int32_t empty_line;
    int32_t multi_labelled;   /* fastText rows with more than one label */
    int32_t single_labels;    /* labels that occur once, after tc_dataset_labels */
    const char *single_label; /* the first of these */
    int64_t quoted_fields, doubled_quotes;
    int64_t tokens, unknown; /* tokens of all rows; those that are not in the vocabulary */
} tc_dataset;

/* Consecutive rows of a dataset. */
typedef struct tc_slice {
    const tc_row *rows;
    int32_t count;
} tc_slice;

/* Reads `name`: a file, "-" for standard input, or a builtin (which ignores the options). With
 * options NULL it detects everything. Returns false after ex_fail, which names file and line. */
bool tc_dataset_read(tc_dataset *data, const char *name, const tc_read_options *options);

/* Prints one line: how the file was read and which rows were left out. */
void tc_dataset_describe(const tc_dataset *data, FILE *stream);

/* Prints the same on standard error, and warns of labels that occur once. Prints nothing for a
 * builtin or an empty dataset. */
void tc_dataset_log(const tc_dataset *data);

/* Appends a text without a label. The caller keeps owning the string. Returns false after
 * ex_fail. */
bool tc_dataset_add_text(tc_dataset *data, const char *text);

void tc_dataset_free(tc_dataset *data);

/* Collects the distinct labels, sorted by bytes. Returns false after ex_fail: there is only one,
 * or so many that the column cannot be a label. */
bool tc_dataset_labels(ex_names *labels, tc_dataset *data);

/* Sets each row's label id. Returns false after ex_fail, which names file and line of a label
 * that is not in `labels`. */
bool tc_dataset_encode_labels(tc_dataset *data, const ex_names *labels);

/* Turns each text into ids and truncates it to max_length tokens. Returns false after ex_fail. */
bool tc_dataset_encode_texts(tc_dataset *data, const tc_tokenizer *tokenizer, const ex_names *words,
                             int64_t max_length);

/* Builds the vocabulary of some rows; see ex_vocabulary_build. */
bool tc_dataset_vocabulary(ex_names *words, tc_slice rows, const tc_tokenizer *tokenizer,
                           int64_t min_count, int64_t max_vocab, int32_t *first_rare);

/* Shuffles the rows and moves a tenth of them to the end, for validation. *held_out is their
 * number, 0 if there are fewer than 20 rows. Each label keeps at least one row for training. The
 * labels must be encoded. Returns false after ex_fail. */
bool tc_dataset_hold_out(tc_dataset *data, const ex_names *labels, uint64_t seed,
                         int32_t *held_out);

#endif
