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
static void update(const tg_sgd *sgd, tg_tensor *p, int64_t at, int64_t n, tg_real *v)
{
    const tg_real lr = (tg_real)sgd->lr, momentum = (tg_real)sgd->momentum;
    const tg_real decay = tg_params_decays(p) ? (tg_real)sgd->weight_decay : 0;
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
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        tg_tensor *p = tg_params_at(params, i);
        int64_t count;
        const int32_t *rows = tg_params_touched_rows(p, &count);
        if (!tg_params_takes_step(p)) continue;
        if (!rows) update(sgd, p, 0, p->size, buffer ? tg_params_state(p, buffer) : NULL);
        for (int64_t k = 0; k < count; k++)
            update(sgd, p, rows[k] * p->shape[1], p->shape[1], NULL);
        tg_params_use_grad(p);
    }
    return true;
}
