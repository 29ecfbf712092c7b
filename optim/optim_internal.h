/* What the optimizers share. */
#ifndef TG_OPTIM_INTERNAL_H
#define TG_OPTIM_INTERNAL_H

#include "../core/compute.h"
#include "optim.h"

/* Whether a step may be taken; otherwise sets the error, in the name of `caller`. Creates the
 * states that the step needs (a list that ends with NULL) for every parameter first, so that a step
 * is taken as a whole or not at all. */
bool tg_optim_ready(tg_params *params, const char *caller, const char *const *states);

/* Whether momentum and weight decay (0 for none) leave the untouched rows of sparse parameters
 * alone. They would move them: then sets the error, in the name of `caller`. */
bool tg_optim_spares_rows(tg_params *params, const char *caller, double momentum,
                          double weight_decay);

#endif
