/* Batches for training and testing: dates as text, with a number for each character. */
#ifndef TR_BATCH_H
#define TR_BATCH_H

#include "dates.h"

#include <stdbool.h>
#include <tapegrad.h>

enum {
    TR_ROWS = 32,                    /* in a full batch */
    TR_POOL = 4,                     /* batches drawn at a time */
    TR_TEXT_IDS = 1 + '~' - ' ' + 1, /* 0 is padding; then the printable ASCII characters */
    TR_START = 11,                   /* the decoder's input before the first character */
    TR_ISO_IDS = TR_START + 1        /* 0 .. 9: figures, 10: '-', 11: the start */
};

typedef struct tr_batch {
    int32_t rows, time;                  /* B, and T of the longest text */
    int32_t text[TR_ROWS * TR_MAX_TEXT]; /* [B, T] */
    int32_t lengths[TR_ROWS];            /* [B] */
    int32_t iso[TR_ROWS * TR_ISO];       /* [B, 10] the answers */
    int32_t previous[TR_ROWS * TR_ISO]; /* [B, 10] the decoder's input: the character before each */
} tr_batch;

typedef struct tr_row {
    char text[TR_MAX_TEXT], iso[TR_ISO + 1];
} tr_row;

/* The days of the calendar in two parts, held out and to learn from, and rows drawn from the
 * second. */
typedef struct tr_days {
    int32_t held_out, days[TR_DAYS]; /* the first `held_out` are never drawn */
    tg_random random;
    tr_row pool[TR_POOL * TR_ROWS]; /* sorted by the length of the text */
    int32_t order[TR_POOL], next;   /* the batches of the pool, and how many are used */
} tr_days;

void tr_days_init(tr_days *days, int32_t held_out, uint64_t seed);

/* Writes a day in a random format. */
void tr_row_write(tr_row *row, int32_t day, tg_random *random);

/* The next batch to learn from, of texts of about the same length. */
void tr_days_next(tr_days *days, tr_batch *batch);

/* Whether a text has 1 to TR_MAX_TEXT - 1 printable ASCII characters. */
bool tr_text_valid(const char *text);

/* Fills a batch from rows; without `answers`, its answers are 0. */
void tr_batch_set(tr_batch *batch, const tr_row *rows, int32_t count, bool answers);

/* The answer in a row of the batch; `text` has TR_ISO + 1 bytes. */
void tr_batch_answer(char *text, const tr_batch *batch, int32_t row);

#endif
