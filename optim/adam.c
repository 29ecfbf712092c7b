/* Adam (Kingma and Ba, 2015) and AdamW (Loshchilov and Hutter, 2019):
 *
 *     g += decay p  (Adam)   or   p -= lr decay p  (AdamW)
 *     m += (g - m) (1 - beta1)
 *     v = v beta2 + g^2 (1 - beta2)
 *     p -= lr / (1 - beta1^t)  m / (sqrt(v) / r + eps),   r = sqrt(1 - beta2^t)
 *
 * The last is computed as  lr r / (1 - beta1^t)  m / (sqrt(v) + r eps),  which saves a division
 * (section 2 of Adam's paper).
 * m and v are kept as "exp_avg" and "exp_avg_sq"; t counts the steps of a parameter.
 *
 * For a sparse parameter this is PyTorch's SparseAdam: only the touched rows of p, m and v change,
 * t still counts the steps of the whole parameter, and eps is added to sqrt(v) without the factor r.
 */
#include "kernels.h"
#include "optim_internal.h"

tg_adam tg_adam_default(double lr)
{
    return (tg_adam){.lr = lr, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
}

tg_adam tg_adamw_default(double lr)
{
    tg_adam adam = tg_adam_default(lr);
    adam.weight_decay = 0.01;
    adam.decoupled = true;
    return adam;
}

static tg_adam_constants constants(const tg_adam *adam, const tg_param_entry *entry)
{
    const double decay = entry->no_decay ? 0 : adam->weight_decay, t = (double)entry->steps;
    const double correction = sqrt(1 - pow(adam->beta2, t));
    return (tg_adam_constants){
        .beta1_rest = (tg_real)(1 - adam->beta1),
        .beta2 = (tg_real)adam->beta2,
        .beta2_rest = (tg_real)(1 - adam->beta2),
        .step = (tg_real)(adam->lr * correction / (1 - pow(adam->beta1, t))),
        .epsilon = (tg_real)(entry->sparse ? adam->eps : adam->eps * correction),
        .gradient_decay = adam->decoupled ? 0 : (tg_real)decay,
        .weight_decay = adam->decoupled ? (tg_real)(adam->lr * decay) : 0,
    };
}

/* A step of a dense parameter in pieces, or of the touched rows of a sparse one. */
static void update(tg_param_entry *entry, const tg_adam_constants *k)
{
    enum { PIECE = 4096 };
    const tg_tensor *p = &entry->tensor;
    const tg_sparse *sparse = entry->sparse;
    const int64_t width = sparse ? p->shape[1] : PIECE,
                  pieces = sparse ? sparse->count : (p->size + PIECE - 1) / PIECE;
    tg_real *m = tg_param_state(p->params, entry, "exp_avg"),
            *v = tg_param_state(p->params, entry, "exp_avg_sq");
#pragma omp parallel for if (pieces * width > TG_PARALLEL_WORK)
    for (int64_t i = 0; i < pieces; i++) {
        const int64_t at = (sparse ? sparse->touched[i] : i) * width,
                      n = p->size - at < width ? p->size - at : width;
        TG_DISPATCH(tg_k_adam, n, k, p->grad + at, p->data + at, m + at, v + at);
    }
}

bool tg_adam_step(const tg_adam *adam, tg_params *params)
{
    if (!tg_optim_spares_rows(params, "adam", 0, adam->weight_decay) ||
        !tg_optim_ready(params, "adam", (const char *const[]){"exp_avg", "exp_avg_sq", NULL}))
        return false;
    for (int64_t i = 0; i < params->count; i++) {
        tg_param_entry *entry = params->entries[i];
        if (!tg_optim_takes_step(entry)) continue;
        entry->steps++;
        const tg_adam_constants k = constants(adam, entry);
        update(entry, &k);
        tg_param_drop_grad(entry);
    }
    return true;
}
