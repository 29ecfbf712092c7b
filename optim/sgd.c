/* Stochastic gradient descent with momentum (Polyak, 1964) and Nesterov's variant, in PyTorch's
 * order of operations:
 *
 *     g += decay p
 *     v = momentum v + g      (v = g at the first step)
 *     p -= lr v,  or, with Nesterov's momentum, p -= lr (g + momentum v)
 *
 * The optimizer state "momentum_buffer" is v. */
#include "optim_internal.h"

/* `n` numbers from `at` on. A new buffer is zeros, so that momentum 0 + g is the first step's g. */
static void update(const tg_sgd *sgd, tg_param_entry *entry, int64_t at, int64_t n, tg_real *v)
{
    const tg_tensor *p = &entry->tensor;
    tg_real lr = (tg_real)sgd->lr, momentum = (tg_real)sgd->momentum;
    tg_real decay = entry->no_decay ? 0 : (tg_real)sgd->weight_decay;
    for (int64_t i = at; i < at + n; i++) {
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
    const char *buffer = sgd->momentum != 0 ? "momentum_buffer" : NULL;
    if (!tg_optim_spares_rows(params, "sgd", sgd->momentum, sgd->weight_decay) ||
        !tg_optim_ready(params, "sgd", (const char *const[]){buffer, NULL}))
        return false;
    for (int64_t i = 0; i < params->count; i++) {
        tg_param_entry *entry = params->entries[i];
        const tg_sparse *sparse = entry->sparse;
        if (!tg_optim_takes_step(entry)) continue;
        const int64_t width = sparse ? entry->tensor.shape[1] : entry->tensor.size;
        tg_real *v = buffer ? tg_param_state(params, entry, buffer) : NULL;
        for (int64_t k = 0; k < (sparse ? sparse->count : 1); k++)
            update(sgd, entry, sparse ? sparse->touched[k] * width : 0, width, v);
        tg_param_drop_grad(entry);
    }
    return true;
}
