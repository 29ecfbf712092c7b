/* Matrices as products read them. core/compute.h has the products. */
#ifndef TG_MATRIX_H
#define TG_MATRIX_H

#include "base.h"

TG_BEGIN_DECLS

/* A view of the caller's numbers as a matrix: element (i, j) is data[i row + j column]. The strides
 * of a contiguous matrix with n columns are {n, 1}. A right operand may also be packed (tg_pack);
 * then both strides are 0. */
typedef struct tg_matrix {
    const tg_real *data;
    int64_t row, column; /* strides */
} tg_matrix;

static inline tg_matrix tg_matrix_transposed(tg_matrix a)
{
    tg_matrix transposed = {a.data, a.column, a.row};
    return transposed;
}

/* What a call of tg_pack wrote, as an operand. */
static inline tg_matrix tg_matrix_packed(const tg_real *packed)
{
    tg_matrix b = {packed, 0, 0};
    return b;
}

static inline bool tg_matrix_is_packed(tg_matrix a) { return a.row == 0 && a.column == 0; }

/* One product C [m, n] = start + A [m, k] B [k, n]. Each element of C is one chain of fused
 * multiply-adds over ascending k, so its bits depend on nothing else. */
typedef struct tg_product {
    int64_t m, n, k;
    tg_matrix a, b;
    const tg_real *start; /* NULL for 0; C itself, to add to it; or a row [n] for every row of C */
    tg_real *c;
    int64_t c_row; /* C's row stride, at least n */
} tg_product;

TG_END_DECLS
#endif
