#include "bag.h"

#include "../support/failure.h"

#include <math.h>
#include <string.h>

bool tc_bag_init(tc_bag *bag, tg_params *params, int64_t words, int64_t buckets, int64_t longest,
                 int64_t width)
{
    *bag = (tc_bag){.words = words, .buckets = buckets, .longest = longest};
    bag->embedding.padding = EX_PADDING;
    bag->embedding.weight = tg_param(params, "bag", "weight", TG_SHAPE(words + buckets, width),
                                     tg_init_constant(0));
    return bag->embedding.weight != NULL;
}

/* The rows of a batch's words and runs, [B, M], M the most that a text has. The caller frees them; NULL after ex_fail. */
static int32_t *rows_of(const tc_bag *bag, const tc_batch *batch, int64_t *most)
{
    *most = bag->longest * batch->time;
    int32_t *rows = ex_allocate(NULL, (size_t)batch->rows, (size_t)*most * sizeof *rows);
    for (int32_t b = 0; rows && b < batch->rows; b++) {
        int32_t *row = rows + b * *most;
        const int32_t *words = batch->tokens + (int64_t)b * batch->time;
        for (int32_t start = 0; start < batch->lengths[b]; start++) {
            uint64_t hash = 0;
            for (int32_t n = 0; n < bag->longest && start + n < batch->lengths[b]; n++) {
                hash = (hash ^ (uint64_t)words[start + n]) * 0x9E3779B97F4A7C15u;
                *row++ = n ? (int32_t)(bag->words + (int64_t)(hash >> 32) % bag->buckets)
                           : words[start];
            }
        }
        while (row < rows + (b + 1) * *most) *row++ = EX_PADDING;
    }
    return rows;
}

bool tc_bag_prepare(const tc_bag *bag, const tc_batch *batch)
{
    int64_t most;
    int32_t *rows = rows_of(bag, batch, &most);
    bool good = rows &&
                tg_params_prepare(bag->embedding.weight, tg_ints_2d(rows, batch->rows, most));
    ex_free(rows);
    return good;
}

tg_tensor *tc_bag_forward(tg_tape *tape, const tc_bag *bag, const tc_batch *batch)
{
    int64_t most;
    int32_t *rows = rows_of(bag, batch, &most);
    tg_tensor *vectors = rows ? tg_embedding_forward(tape, &bag->embedding,
                                                     tg_ints_2d(rows, batch->rows, most))
                              : NULL;
    tg_tensor *share = tg_constant(tape, NULL, TG_SHAPE(batch->rows, 1));
    for (int32_t b = 0; rows && share && b < batch->rows; b++) {
        int64_t count = 0;
        while (count < most && rows[b * most + count]) count++;
        share->data[b] = count ? (tg_real)(1 / sqrt((double)count)) : 0;
    }
    ex_free(rows);
    return tg_mul(tape, tg_sum(tape, vectors, TG_AXES(1), false), share); /* [B, width] */
}
