/* Shared by the tests of optimizers: one type for all of them. */
#ifndef TEST_OPTIMIZERS_H
#define TEST_OPTIMIZERS_H

#include "../support/support.h"

typedef struct optimizer {
    const char *name;
    bool is_adam;
    tg_sgd sgd;
    tg_adam adam;
} optimizer;

enum { ADAM, ADAM_L2, ADAMW, SGD, SGD_MOMENTUM, SGD_NESTEROV, OPTIMIZERS };
extern const optimizer optimizers[OPTIMIZERS];

static inline bool take_step(const optimizer *o, tg_params *params)
{
    return o->is_adam ? tg_adam_step(&o->adam, params) : tg_sgd_step(&o->sgd, params);
}

/* Adds g to the gradient of p, by the backward pass of the loss sum(p g). */
void give_gradient(tg_tape *tape, tg_tensor *p, const tg_real *g);

#endif
