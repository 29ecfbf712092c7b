/* Broadcasting: how a small shape is read as if it were a larger one, and how its gradient is
 * summed back. Private. */
#ifndef TG_BROADCAST_H
#define TG_BROADCAST_H

#include "op.h"

/* The shape that n tensors broadcast to, and the strides of each. False if they do not
 * broadcast. */
bool tg_broadcast(int n, const tg_tensor *const *x, int *ndim, int64_t *shape,
                  int64_t strides[][TG_MAX_DIMS]);

/* Walks a shape row by row (a row is the last axis) with the offset of the current row in up to
 * three operands. */
typedef struct tg_rows {
    int ndim, operands;
    const int64_t *shape, (*strides)[TG_MAX_DIMS];  /* the caller's */
    int64_t index[TG_MAX_DIMS], offset[3], step[3]; /* step: an operand's stride along a row */
    int64_t length, count, done;                    /* numbers in a row, rows, rows handed out */
} tg_rows;
tg_rows tg_rows_start(int ndim, const int64_t *shape, int operands,
                      const int64_t strides[][TG_MAX_DIMS]);
bool tg_rows_next(tg_rows *rows);

/* Strides of a contiguous tensor. */
void tg_contiguous_strides(int ndim, const int64_t *shape, int64_t *strides);

/* Copies (or adds) an array of a shape from one layout to another, each given by its strides. */
void tg_copy_strided(int ndim, const int64_t *shape, const tg_real *from,
                     const int64_t *from_strides, tg_real *to, const int64_t *to_strides, bool add);

/* Adds a gradient of the shape that an input was broadcast to, to the gradient of the input. */
void tg_input_grad_unbroadcast(tg_node *node, int input, int ndim, const int64_t *shape,
                               const tg_real *full);

#endif
