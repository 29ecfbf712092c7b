/* Tensors and views: the functions that need no tape. */
#include "tensor.h"

#include <math.h>
#include <string.h>

double tg_item(const tg_tensor *tensor)
{
    return tensor && tensor->size == 1 ? (double)tensor->data[0] : (double)NAN;
}

tg_ints tg_ints_1d(const int32_t *data, int64_t n)
{
    return (tg_ints){.data = data, .ndim = 1, .shape = {n}};
}

tg_ints tg_ints_2d(const int32_t *data, int64_t rows, int64_t columns)
{
    return (tg_ints){.data = data, .ndim = 2, .shape = {rows, columns}};
}

tg_mask tg_mask_nd(const uint8_t *data, int ndim, const int64_t *shape)
{
    tg_mask mask = {.data = data, .ndim = ndim};
    for (int d = 0; d < ndim && d < TG_MAX_DIMS; d++) mask.shape[d] = shape[d];
    return mask;
}
