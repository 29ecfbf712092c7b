/* Tensors, and the views by which integers and masks are passed. */
#ifndef TG_TENSOR_H
#define TG_TENSOR_H

#include "base.h"

TG_BEGIN_DECLS

typedef struct tg_params tg_params; /* see params.h */
typedef struct tg_tape tg_tape;     /* see tape.h */

/* A contiguous, row-major array of up to six dimensions. With 0 dimensions it holds one number.
 *
 * A tensor is owned by the tape that made it and valid until tg_tape_reset or tg_tape_free, or, if
 * it is a parameter, by its tg_params and valid until tg_params_free. It is never freed by itself.
 * Programs may read all fields. They may write only a parameter's `data`, while no tape uses it. */
typedef struct tg_tensor {
    int ndim;
    int64_t shape[TG_MAX_DIMS]; /* `ndim` sizes */
    int64_t size;               /* number of elements, the product of the shape */
    tg_real *data;              /* [size] */
    tg_real *grad;      /* [size] dL/d(data); NULL until a backward pass reaches the tensor */
    bool requires_grad; /* a backward pass computes `grad` */
    bool has_grad;      /* `grad` holds a gradient; an optimizer's step clears it */
    const char *name;   /* a parameter's name, or NULL */
    tg_params *params;  /* a parameter's owner, or NULL */
    struct tg_node
        *node; /* the operator that made it; NULL for a parameter, constant or variable */
} tg_tensor;

/* The number of a tensor that holds exactly one; NaN otherwise, also for NULL. Sets no error. */
TG_EXPORT double tg_item(const tg_tensor *tensor);

/* A view of int32 numbers: ids, labels, lengths. The memory stays the caller's and must be valid
 * during the call only: an operator copies what it needs later. */
typedef struct tg_ints {
    const int32_t *data;
    int ndim;
    int64_t shape[TG_MAX_DIMS];
} tg_ints;

/* A view of bytes as a mask, with memory as for tg_ints. A mask has one meaning everywhere: a
 * non-zero position takes part (may be attended to), a zero one does not. Its shape broadcasts
 * like a tensor's. */
typedef struct tg_mask {
    const uint8_t *data;
    int ndim;
    int64_t shape[TG_MAX_DIMS];
} tg_mask;

/* Views of integers as [n] and as [rows, columns], row-major. Nothing is checked here. The operator
 * that receives the view validates it. */
TG_EXPORT tg_ints tg_ints_1d(const int32_t *data, int64_t n);
TG_EXPORT tg_ints tg_ints_2d(const int32_t *data, int64_t rows, int64_t columns);

/* A view of bytes as a mask of a shape. Nothing is checked here either. */
TG_EXPORT tg_mask tg_mask_nd(const uint8_t *data, int ndim, const int64_t *shape);

/* Lengths for a batch in which every sequence fills the time axis. */
static inline tg_ints tg_full_length(void)
{
    tg_ints none = {NULL, 0, {0}};
    return none;
}

TG_END_DECLS
#endif
