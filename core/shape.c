/* Sizes and texts of shapes. */
#include "shape.h"

#include <stdio.h>
#include <string.h>

int64_t tg_shape_size(int ndim, const int64_t *shape)
{
    if (ndim < 0 || ndim > TG_MAX_DIMS) return -1;
    /* The bound leaves sizes of 0 out: the product of the others must fit too, since strides use
     * it. */
    const int64_t limit = (int64_t)(PTRDIFF_MAX / sizeof(tg_real)) / 4;
    int64_t size = 1, bound = 1;
    for (int d = 0; d < ndim; d++) {
        if (shape[d] < 0) return -1;
        int64_t at_least_one = shape[d] > 0 ? shape[d] : 1;
        if (bound > limit / at_least_one) return -1;
        bound *= at_least_one;
        size *= shape[d];
    }
    return size;
}

bool tg_has_shape(const tg_tensor *tensor, int ndim, const int64_t *shape)
{
    return tensor->ndim == ndim && memcmp(tensor->shape, shape, (size_t)ndim * sizeof *shape) == 0;
}

tg_shape_string tg_shape_str(int ndim, const int64_t *shape)
{
    tg_shape_string result = {"["};
    size_t used = 1, size = sizeof result.text;
    for (int d = 0; d < ndim && d < TG_MAX_DIMS; d++)
        used += (size_t)snprintf(result.text + used, size - used, "%s%lld", d ? ", " : "",
                                 (long long)shape[d]);
    snprintf(result.text + used, size - used, "]");
    return result;
}

tg_shape_string tg_tensor_str(const tg_tensor *tensor)
{
    return tensor ? tg_shape_str(tensor->ndim, tensor->shape) : (tg_shape_string){"NULL"};
}
