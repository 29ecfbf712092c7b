/* Stochastic gradient descent with momentum (Polyak, 1964) and Nesterov's variant, in PyTorch's
 * order of operations:
 *
 *     g += decay p
 *     v = momentum v + g      (v = g at the first step)
 *     p -= lr v,  or, with Nesterov's momentum, p -= lr (g + momentum v)
 *
 * The optimizer state "momentum_buffer" is v. */
#include "optim_internal.h"

/* A new buffer is zeros, so that momentum 0 + g is the first step's g. */
static void update(const tg_sgd *sgd, tg_param_entry *entry, tg_real *v)
{
    const tg_tensor *p = &entry->tensor;
    tg_real lr = (tg_real)sgd->lr, momentum = (tg_real)sgd->momentum;
    tg_real decay = entry->no_decay ? 0 : (tg_real)sgd->weight_decay;
    for (int64_t i = 0; i < p->size; i++) {
        tg_real g = p->grad[i] + decay * p->data[i];
        if (v) {
            v[i] = momentum * v[i] + g;
            g = sgd->nesterov ? g + momentum * v[i] : v[i];
        }
        p->data[i] -= lr * g;
    }
}

bool tg_sgd_step(const tg_sgd *sgd, tg_params *params)
{
    bool remembers = sgd->momentum != 0;
    if (!tg_optim_ready(params, "sgd",
                        (const char *const[]){remembers ? "momentum_buffer" : NULL, NULL}))
        return false;
    for (int64_t i = 0; i < params->count; i++) {
        tg_param_entry *entry = params->entries[i];
        if (!tg_optim_takes_step(entry)) continue;
        tg_deferred_catch_up(entry);
        update(sgd, entry, remembers ? tg_param_state(params, entry, "momentum_buffer") : NULL);
        tg_param_drop_grad(entry);
    }
    return true;
}
