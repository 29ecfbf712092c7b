/* Sparse parameters (tg_params_set_sparse): which rows have a gradient. */
#ifndef TG_SPARSE_H
#define TG_SPARSE_H

#include "params_private.h"

/* The gradient of the parameter is zero outside the touched rows at any time, so that it can be
 * read and added to as a dense one, and clearing it costs what was touched. */
typedef struct tg_sparse {
    int64_t rows;     /* V */
    int64_t count;    /* of the touched rows */
    int32_t *touched; /* [V] their numbers, each once, in the order of touching */
    bool *is_touched; /* [V] */
} tg_sparse;

/* NULL for a tensor that is not a sparse parameter. */
static inline tg_sparse *tg_sparse_of(const tg_tensor *tensor)
{
    return tensor->params ? ((const tg_param_entry *)tensor)->sparse : NULL;
}

/* Touches all rows, for a gradient that does not come by rows. */
void tg_sparse_touch_all(tg_sparse *sparse);

/* Zeros the gradient. No row is touched after it. */
void tg_sparse_clear(tg_tensor *table);

#endif
