/* Rows to learn from and to be measured on: days of the calendar, written and numbered character by character. */
#ifndef TR_BATCH_H
#define TR_BATCH_H

#include "dates.h"

#include <stdbool.h>
#include <tapegrad.h>

enum {
    TR_ROWS = 32,                    /* of a full batch */
    TR_POOL = 4,                     /* batches drawn at a time */
    TR_TEXT_IDS = 1 + '~' - ' ' + 1, /* 0 fills up; then the printable ASCII characters */
    TR_START = 11,                   /* what the decoder reads before the first character */
    TR_ISO_IDS = TR_START + 1        /* 0 .. 9 the figures, 10 '-', and the start */
};

typedef struct tr_batch {
    int32_t rows, time;                   /* B, and T of the longest text */
    int32_t text[TR_ROWS * TR_MOST_TEXT]; /* [B, T] */
    int32_t lengths[TR_ROWS];             /* [B] */
    int32_t iso[TR_ROWS * TR_ISO];        /* [B, 10] what to answer */
    int32_t before[TR_ROWS *
                   TR_ISO]; /* [B, 10] the same one later: what the decoder has read by then */
} tr_batch;

typedef struct tr_row {
    char text[TR_MOST_TEXT], iso[TR_ISO + 1];
} tr_row;

/* The days of the calendar in two parts, and rows drawn from the one to learn from. */
typedef struct tr_days {
    int32_t held_out, days[TR_DAYS]; /* the first `held_out` are never drawn */
    tg_random random;
    tr_row pool[TR_POOL * TR_ROWS]; /* sorted by the texts' lengths */
    int32_t order[TR_POOL], next;   /* the batches of the pool, and how many were given */
} tr_days;

void tr_days_init(tr_days *days, int32_t held_out, uint64_t seed);

/* A day in some format. */
void tr_row_write(tr_row *row, int32_t day, tg_random *random);

/* The next batch to learn from: rows of about the same length. */
void tr_days_next(tr_days *days, tr_batch *batch);

/* Whether every character is known, and the text not too long. */
bool tr_text_valid(const char *text);

/* Fills a batch; without `answers` the answers are left open. */
void tr_batch_set(tr_batch *batch, const tr_row *rows, int32_t count, bool answers);

/* What is answered in row `row`; `text` has room for TR_ISO + 1. */
void tr_batch_answer(char *text, const tr_batch *batch, int32_t row);

#endif
