/* The optimizers' inner loops, compiled once for each instruction set. They use no fused
 * multiply-add, so that every instruction set gives the same bits. */
#ifndef TG_OPTIM_KERNELS_H
#define TG_OPTIM_KERNELS_H

#include "../core/kernels.h"

/* One step's numbers, the same for all elements of a parameter. */
typedef struct tg_adam_constants {
    tg_real beta1_rest, beta2, beta2_rest; /* 1 - beta1, beta2, 1 - beta2, each rounded once */
    tg_real step;                          /* rate r / (1 - beta1^t), with r = sqrt(1 - beta2^t) */
    tg_real epsilon;                       /* r eps; of a sparse parameter eps */
    tg_real gradient_decay;                /* g += gradient_decay p */
    tg_real weight_decay; /* p -= weight_decay p, before the step: rate decay with AdamW */
} tg_adam_constants;

TG_KERNEL_DECLARE(void, tg_k_adam, int64_t n, const tg_adam_constants *k, const tg_real *g,
                  tg_real *p, tg_real *m, tg_real *v);

#endif
