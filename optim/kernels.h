/* The optimizers' inner loops, compiled once for each instruction set. They use no fused
 * multiply-add, so that every instruction set gives the same bits. */
#ifndef TG_OPTIM_KERNELS_H
#define TG_OPTIM_KERNELS_H

#include "../core/kernels.h"

/* One step's numbers, the same for all elements of a parameter. */
typedef struct tg_adam_constants {
    tg_real beta1_rest, beta2, beta2_rest; /* 1 - beta1, beta2, 1 - beta2, each rounded once */
    tg_real step, epsilon;  /* rate r / (1 - beta1^t) and r epsilon, with r = sqrt(1 - beta2^t) */
    tg_real gradient_decay; /* g += gradient_decay p */
    tg_real weight_decay;   /* p -= weight_decay p, before the step: rate decay with AdamW */
} tg_adam_constants;

TG_KERNEL_DECLARE(void, tg_k_adam, int64_t n, const tg_adam_constants *k, const tg_real *g,
                  tg_real *p, tg_real *m, tg_real *v);

/* What is known of all the steps that a row may have missed: whether they differ in step and
 * epsilon alone, without decay, and with beta1^2 below beta2; the largest of their steps, and the
 * smallest of their epsilons. */
typedef struct tg_adam_bounds {
    bool alike;
    tg_real step, epsilon;
} tg_adam_bounds;

/* The n numbers of a row take steps k[0], k[1], .. without a gradient: to the bits of as many
 * tg_k_adam. */
TG_KERNEL_DECLARE(void, tg_k_adam_catch_up, int64_t n, int64_t steps, const tg_adam_constants *k,
                  const tg_adam_bounds *bounds, tg_real *p, tg_real *m, tg_real *v);

#endif
