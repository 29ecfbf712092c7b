/* What the optimizers share. */
#ifndef TG_OPTIM_INTERNAL_H
#define TG_OPTIM_INTERNAL_H

#include "../core/sparse.h"
#include "optim.h"

static inline bool tg_optim_takes_step(const tg_param_entry *entry)
{
    return entry->tensor.requires_grad && entry->tensor.has_grad;
}

/* Whether momentum and weight decay (0: there is none) leave the untouched rows of sparse
 * parameters alone. False with the error set, in the name of `caller`: they would move them. */
bool tg_optim_spares_rows(tg_params *params, const char *caller, double momentum,
                          double weight_decay);

/* Whether a step may be taken, with the states it needs (a list that ends with NULL) there for every parameter, so that it
 * is taken whole or not at all; otherwise the error is set, and says why in the name of `caller`. */
bool tg_optim_ready(tg_params *params, const char *caller, const char *const *states);

#endif
