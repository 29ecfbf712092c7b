/* A sum that reductions and softmax share. Private. */
#ifndef TG_REDUCE_H
#define TG_REDUCE_H

#include "base.h"

/* sum_j e^(x_j - m), in op_reduce.c. */
double tg_sum_exp(int64_t n, const tg_real *x, tg_real m);

#endif
