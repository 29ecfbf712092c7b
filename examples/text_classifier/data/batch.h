/* Mini-batches of rows with similar lengths. */
#ifndef TC_BATCH_H
#define TC_BATCH_H

#include "dataset.h"
#include "tapegrad.h"

typedef struct tc_batch {
    int32_t rows, time; /* B; T, the length of the longest row, at least 1 */
    int32_t *tokens;    /* [B, T], padded with EX_PADDING; owns the arrays below too */
    int32_t *lengths;   /* [B] */
    int32_t *labels;    /* [B] */
    int32_t *index;     /* [B] each row's index in the slice */
} tc_batch;

/* Sorts rows by length; rows of equal length by position. */
typedef struct tc_sort_entry {
    int32_t length, position, row;
} tc_sort_entry;

typedef struct tc_batches {
    tc_slice slice;
    int32_t size, count;    /* rows per batch; number of batches */
    tc_sort_entry *entries; /* all rows in batch order: batch i starts at entry i * size */
    int32_t *order;         /* [count] the order in which tc_batches_get returns the batches */
    tc_batch batch;         /* the memory of the current batch */
} tc_batches;

/* Makes batches of `size` rows (the last one may have fewer), sorted by length over the whole
 * slice. Returns false after ex_fail. */
bool tc_batches_init(tc_batches *batches, tc_slice slice, int32_t size);
void tc_batches_free(tc_batches *batches);

/* Draws the order of one epoch: shuffles the rows, sorts them by length within windows of 20
 * batches and shuffles the batches. */
void tc_batches_shuffle(tc_batches *batches, tg_random *random);

/* Returns batch `number`. The next call reuses its memory. */
tc_batch *tc_batches_get(tc_batches *batches, int32_t number);

#endif
