/* Rows in batches of similar lengths. */
#ifndef TC_BATCH_H
#define TC_BATCH_H

#include "dataset.h"
#include "tapegrad.h"

typedef struct tc_batch {
    int32_t rows, time;        /* B, and T: the longest of them, at least 1 */
    int32_t *tokens;           /* [B, T], padded with EX_PADDING; and behind it in one block: */
    int32_t *lengths, *labels; /* [B] */
    int32_t *index;            /* [B] their places in the part */
} tc_batch;

typedef struct tc_slot {
    int32_t length, place, row;
} tc_slot;

typedef struct tc_batches {
    tc_part part;
    int32_t size, count; /* rows of a batch, batches */
    tc_slot *slots;      /* the rows, batch by batch */
    int32_t *order;      /* in which the batches come */
    tc_batch batch;
} tc_batches;

/* Batches of `size` rows (the last one may have fewer), shortest first over the whole part. */
bool tc_batches_init(tc_batches *batches, tc_part part, int32_t size);
void tc_batches_free(tc_batches *batches);

/* A new order for an epoch: rows shuffled, sorted by length within windows of 20 batches, and the batches shuffled. */
void tc_batches_shuffle(tc_batches *batches, tg_random *random);

/* Batch `number`; its memory is used again for the next. */
tc_batch *tc_batches_get(tc_batches *batches, int32_t number);

#endif
