/* What the optimizers share. */
#ifndef TG_OPTIM_INTERNAL_H
#define TG_OPTIM_INTERNAL_H

#include "../core/internal.h"
#include "optim.h"

static inline bool tg_optim_takes_step(const tg_param_entry *entry)
{
    return entry->tensor.requires_grad && entry->tensor.has_grad;
}

/* Checks that a step is possible and allocates the optimizer state that it needs, named by a list
 * that ends with NULL, for every parameter. So a step either changes all parameters or none. False
 * with the error set, in the name of `caller`. */
bool tg_optim_ready(tg_params *params, const char *caller, const char *const *states);

#endif
