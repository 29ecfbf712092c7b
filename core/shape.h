/* Shapes: their sizes, checked for overflow, and their texts in errors. */
#ifndef TG_SHAPE_H
#define TG_SHAPE_H

#include "tensor.h"

TG_BEGIN_DECLS

/* Number of elements of a shape; -1 if a size is negative, ndim is not in 0 .. TG_MAX_DIMS, or
 * the bytes of a tensor of that shape would overflow. */
TG_EXPORT int64_t tg_shape_size(int ndim, const int64_t *shape);

/* Whether a tensor has this shape, which may be written as TG_SHAPE(2, 3). */
TG_EXPORT bool tg_has_shape(const tg_tensor *tensor, int ndim, const int64_t *shape);

/* A text such as "[2, 3]". It is passed by value, so nobody has to free it. */
typedef struct tg_shape_string {
    char text[160];
} tg_shape_string;

/* The text of a shape, and of a tensor's shape ("NULL" if the tensor is NULL). Use the field
 * `text` of the result within the same expression, for example as an argument of tg_node_fail. */
TG_EXPORT tg_shape_string tg_shape_str(int ndim, const int64_t *shape);
TG_EXPORT tg_shape_string tg_tensor_str(const tg_tensor *tensor);

/* The strides (0 along broadcast axes) that read a small shape as if it were the larger `shape`;
 * both broadcast as in NumPy. False if the small shape does not broadcast to the larger one. */
TG_EXPORT bool tg_broadcast_strides(int ndim, const int64_t *shape, int small_ndim,
                                    const int64_t *small_shape, int64_t *strides);

TG_END_DECLS
#endif
