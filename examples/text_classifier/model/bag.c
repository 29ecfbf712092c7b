#include "bag.h"

#include "../../support/failure.h"

#include <math.h>
#include <string.h>

bool tc_bag_init(tc_bag *bag, tg_params *params, int64_t words, int64_t buckets, int64_t max_ngram,
                 int64_t width)
{
    *bag = (tc_bag){.words = words, .buckets = buckets, .max_ngram = max_ngram};
    bag->embedding.padding = EX_PADDING;
    bag->embedding.weight = tg_param(params, "bag", "weight", TG_SHAPE(words + buckets, width),
                                     tg_init_constant(0));
    return bag->embedding.weight != NULL;
}

/* Returns the table rows of a batch's words and n-grams, [B, M], padded; *count is M. The caller
 * frees them. Returns NULL after ex_fail. */
static int32_t *table_rows(const tc_bag *bag, const tc_batch *batch, int64_t *count)
{
    *count = bag->max_ngram * batch->time;
    int32_t *rows = ex_allocate(NULL, (size_t)batch->rows, (size_t)*count * sizeof *rows);
    for (int32_t b = 0; rows && b < batch->rows; b++) {
        int32_t *row = rows + b * *count;
        const int32_t *words = batch->tokens + (int64_t)b * batch->time;
        for (int32_t start = 0; start < batch->lengths[b]; start++) {
            uint64_t hash = 0;
            for (int32_t n = 0; n < bag->max_ngram && start + n < batch->lengths[b]; n++) {
                hash = (hash ^ (uint64_t)words[start + n]) * 0x9E3779B97F4A7C15u;
                *row++ = n ? (int32_t)(bag->words + (int64_t)(hash >> 32) % bag->buckets)
                           : words[start];
            }
        }
        while (row < rows + (b + 1) * *count) *row++ = EX_PADDING;
    }
    return rows;
}

bool tc_bag_touch_rows(const tc_bag *bag, const tc_batch *batch)
{
    int64_t count;
    int32_t *rows = table_rows(bag, batch, &count);
    if (!rows) return false;
    tg_params_touch_rows(bag->embedding.weight, tg_ints_2d(rows, batch->rows, count));
    ex_free(rows);
    return true;
}

tg_tensor *tc_bag_forward(tg_tape *tape, const tc_bag *bag, const tc_batch *batch)
{
    int64_t count;
    int32_t *rows = table_rows(bag, batch, &count);
    if (!rows) return NULL;
    const tg_ints ids = tg_ints_2d(rows, batch->rows, count);
    tg_tensor *vectors = tg_embedding_forward(tape, &bag->embedding, ids);
    tg_tensor *share = tg_constant(tape, NULL, TG_SHAPE(batch->rows, 1));
    for (int32_t b = 0; share && b < batch->rows; b++) {
        int64_t used = 0;
        while (used < count && rows[b * count + used] != EX_PADDING) used++;
        share->data[b] = used ? (tg_real)(1 / sqrt((double)used)) : 0;
    }
    ex_free(rows);
    return tg_mul(tape, tg_sum(tape, vectors, TG_AXES(1), false), share); /* [B, width] */
}
