/* Adam (Kingma and Ba, 2015) and AdamW (Loshchilov and Hutter, 2019), in PyTorch's order of operations:
 *     g += decay p  (Adam)   or   p -= rate decay p  (AdamW)
 *     m += (g - m) (1 - beta1)          v = v beta2 + g^2 (1 - beta2)
 *     p -= rate / (1 - beta1^t)  m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
 * m and v are kept as "exp_avg" and "exp_avg_sq"; t counts the steps that a parameter has taken. */
#include "kernels.h"
#include "optim_internal.h"

tg_adam tg_adam_default(double rate)
{
    return (tg_adam){.rate = rate, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
}

tg_adam tg_adamw_default(double rate)
{
    tg_adam adam = tg_adam_default(rate);
    adam.decay = 0.01;
    adam.decoupled = true;
    return adam;
}

static void update(const tg_adam *adam, tg_param_entry *entry, tg_real *m, tg_real *v)
{
    double decay = entry->no_decay ? 0 : adam->decay, t = (double)++entry->steps;
    tg_adam_constants k = {
        .beta1_rest = (tg_real)(1 - adam->beta1),
        .beta2 = (tg_real)adam->beta2,
        .beta2_rest = (tg_real)(1 - adam->beta2),
        .step = (tg_real)(adam->rate / (1 - pow(adam->beta1, t))),
        .root_correction = (tg_real)sqrt(1 - pow(adam->beta2, t)),
        .epsilon = (tg_real)adam->epsilon,
        .gradient_decay = adam->decoupled ? 0 : (tg_real)decay,
        .weight_decay = adam->decoupled ? (tg_real)(adam->rate * decay) : 0,
    };
    const tg_tensor *p = &entry->tensor;
    enum { RUN = 4096 };
#pragma omp parallel for if (p->size > TG_PARALLEL_WORK)
    for (int64_t i = 0; i < p->size; i += RUN)
        TG_RUN(tg_k_adam)(p->size - i < RUN ? p->size - i : RUN, &k, p->grad + i, p->data + i, m + i, v + i);
}

bool tg_adam_step(const tg_adam *adam, tg_params *params)
{
    if (!tg_optim_ready(params, "adam", (const char *const[]){"exp_avg", "exp_avg_sq", NULL})) return false;
    for (int64_t i = 0; i < params->count; i++) {
        tg_param_entry *entry = params->entries[i];
        if (!tg_optim_takes_step(entry)) continue;
        update(adam, entry, tg_param_state(params, entry, "exp_avg"), tg_param_state(params, entry, "exp_avg_sq"));
        entry->tensor.has_grad = false;
    }
    return true;
}
