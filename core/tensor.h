/* Tensors, and the views through which integers and masks are passed. */
#ifndef TG_TENSOR_H
#define TG_TENSOR_H

#include "base.h"

TG_BEGIN_DECLS

typedef struct tg_params tg_params; /* see params.h */
typedef struct tg_tape tg_tape;     /* see tape.h */

/* A contiguous, row-major array of up to six dimensions; one of 0 dimensions holds one number. A tensor is owned by the
 * tape that made it (good until tg_tape_reset or tg_tape_free) or by the tg_params that it was registered with (good
 * until tg_params_free); it is never freed by itself. Read its fields as you like; write `data` only of parameters, and
 * only while no tape is using them. */
typedef struct tg_tensor {
    int ndim;
    int64_t shape[TG_MAX_DIMS]; /* the first `ndim` of them */
    int64_t size;               /* number of elements, the product of the shape */
    tg_real *data;              /* [size] */
    tg_real *grad; /* dL/d(data), same shape; NULL until a backward pass has reached the tensor */
    bool requires_grad; /* a backward pass computes `grad` */
    bool has_grad; /* `grad` holds a gradient; a parameter's is used up by the optimizer's step */
    const char *name;     /* of a parameter; otherwise NULL */
    tg_params *params;    /* the owner of a parameter; otherwise NULL */
    struct tg_node *node; /* the operator that made it; NULL of a parameter or constant */
} tg_tensor;

/* The one number of a tensor that holds one; NaN of any other tensor and of NULL. No error is set. */
TG_EXPORT double tg_item(const tg_tensor *tensor);

/* A view of somebody's int32 numbers: ids, labels, lengths. Whoever passes one keeps the memory; an operator that needs
 * the numbers later copies them. */
typedef struct tg_ints {
    const int32_t *data;
    int ndim;
    int64_t shape[TG_MAX_DIMS];
} tg_ints;

/* A view of the caller's bytes as a mask. A mask has one meaning everywhere: non-zero takes part (may be attended to), zero
 * does not. Its shape broadcasts as a tensor's does. */
typedef struct tg_mask {
    const uint8_t *data;
    int ndim;
    int64_t shape[TG_MAX_DIMS];
} tg_mask;

/* Views of the caller's integers as [n] and as [rows, columns], row-major. Nothing is checked: who is given the view does
 * that. */
TG_EXPORT tg_ints tg_ints_1d(const int32_t *data, int64_t n);
TG_EXPORT tg_ints tg_ints_2d(const int32_t *data, int64_t rows, int64_t columns);

/* A view of the caller's bytes as a mask of a shape. Nothing is checked: who is given the view does that. */
TG_EXPORT tg_mask tg_mask_nd(const uint8_t *data, int ndim, const int64_t *shape);

/* Passed as lengths: every sequence fills the whole time axis. */
static inline tg_ints tg_full_length(void)
{
    tg_ints none = {NULL, 0, {0}};
    return none;
}

TG_END_DECLS
#endif
