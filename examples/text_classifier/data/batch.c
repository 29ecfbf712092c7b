#include "batch.h"

#include "../../support/failure.h"

#include <stdlib.h>

/* Batches per sorting window: enough to give the rows of a batch similar lengths, few enough to
 * mix the rows differently in every epoch. */
enum { WINDOW = 20 };

static int by_length(const void *a, const void *b)
{
    const tc_sort_entry *x = a, *y = b;
    if (x->length != y->length) return (x->length > y->length) - (x->length < y->length);
    return (x->position > y->position) - (x->position < y->position);
}

bool tc_batches_init(tc_batches *batches, tc_slice slice, int32_t size)
{
    size_t rows = (size_t)slice.count, batch_rows = (size_t)size;
    int32_t longest = 1;
    for (int32_t i = 0; i < slice.count; i++) {
        if (slice.rows[i].length > longest) longest = slice.rows[i].length;
    }
    *batches = (tc_batches){.slice = slice,
                            .size = size,
                            .count = slice.count / size + (slice.count % size != 0)};
    batches->entries = ex_allocate(NULL, rows, sizeof *batches->entries);
    batches->order = ex_allocate(NULL, rows, sizeof *batches->order);
    int32_t *numbers = batches->batch.tokens = ex_allocate(NULL, batch_rows,
                                                           ((size_t)longest + 3) * sizeof *numbers);
    if (!batches->entries || !batches->order || !numbers) {
        tc_batches_free(batches);
        return false;
    }
    batches->batch.lengths = numbers + batch_rows * (size_t)longest;
    batches->batch.labels = batches->batch.lengths + batch_rows;
    batches->batch.index = batches->batch.labels + batch_rows;
    for (int32_t i = 0; i < slice.count; i++) {
        batches->entries[i] = (tc_sort_entry){slice.rows[i].length, i, i};
        batches->order[i] = i;
    }
    qsort(batches->entries, rows, sizeof *batches->entries, by_length);
    return true;
}

void tc_batches_free(tc_batches *batches)
{
    ex_free(batches->entries);
    ex_free(batches->order);
    ex_free(batches->batch.tokens);
    *batches = (tc_batches){0};
}

void tc_batches_shuffle(tc_batches *batches, tg_random *random)
{
    int32_t count = batches->slice.count,
            window = batches->size <= INT32_MAX / WINDOW ? WINDOW * batches->size : count;
    int32_t *order =
        batches->order; /* holds the order of the rows first, then that of the batches */
    for (int32_t i = 0; i < count; i++) order[i] = i;
    tg_random_shuffle(random, order, count);
    for (int32_t i = 0; i < count; i++) {
        batches->entries[i] = (tc_sort_entry){batches->slice.rows[order[i]].length, i, order[i]};
    }
    for (int32_t start = 0, n; start < count; start += n) {
        n = count - start < window ? count - start : window;
        qsort(batches->entries + start, (size_t)n, sizeof *batches->entries, by_length);
    }
    for (int32_t i = 0; i < batches->count; i++) order[i] = i;
    tg_random_shuffle(random, order, batches->count);
}

tc_batch *tc_batches_get(tc_batches *batches, int32_t number)
{
    tc_batch *batch = &batches->batch;
    int32_t start = batches->order[number] * batches->size, left = batches->slice.count - start;
    const tc_sort_entry *entries = batches->entries + start;
    batch->rows = left < batches->size ? left : batches->size;
    batch->time = 1;
    for (int32_t b = 0; b < batch->rows; b++) {
        const tc_row *row = &batches->slice.rows[entries[b].row];
        if (row->length > batch->time) batch->time = row->length;
        batch->lengths[b] = row->length;
        batch->labels[b] = row->label;
        batch->index[b] = entries[b].row;
    }
    for (int32_t b = 0; b < batch->rows; b++) {
        const int32_t *ids = batches->slice.rows[entries[b].row].ids;
        int32_t *tokens = batch->tokens + (size_t)b * (size_t)batch->time;
        for (int32_t t = 0; t < batch->time; t++)
            tokens[t] = t < batch->lengths[b] ? ids[t] : EX_PADDING;
    }
    return batch;
}
