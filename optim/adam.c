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
 * t still counts the steps of the whole parameter, and eps is added to sqrt(v) without r. */
#include "kernels.h"

#include <math.h>

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

static tg_adam_constants constants(const tg_adam *adam, tg_tensor *p)
{
    const bool sparse = tg_params_is_sparse(p);
    const double decay = tg_params_decays(p) ? adam->weight_decay : 0;
    const double lr = sparse && adam->sparse_lr > 0 ? adam->sparse_lr : adam->lr;
    const double t = (double)tg_params_count_step(p);
    const double correction = sqrt(1 - pow(adam->beta2, t));
    return (tg_adam_constants){
        .beta1_rest = (tg_real)(1 - adam->beta1),
        .beta2 = (tg_real)adam->beta2,
        .beta2_rest = (tg_real)(1 - adam->beta2),
        .step = (tg_real)(lr * correction / (1 - pow(adam->beta1, t))),
        .epsilon = (tg_real)(sparse ? adam->eps : adam->eps * correction),
        .gradient_decay = adam->decoupled ? 0 : (tg_real)decay,
        .weight_decay = adam->decoupled ? (tg_real)(lr * decay) : 0,
    };
}

/* A step of a dense parameter in pieces, or of the touched rows of a sparse one. */
static void update(tg_tensor *p, const tg_adam_constants *k)
{
    enum { PIECE = 4096 };
    int64_t pieces = (p->size + PIECE - 1) / PIECE, width = PIECE;
    const int32_t *rows = NULL;
    if (tg_params_is_sparse(p)) {
        rows = tg_params_touched_rows(p, &pieces);
        width = p->shape[1];
    }
    tg_real *m = tg_params_state(p, "exp_avg"), *v = tg_params_state(p, "exp_avg_sq");
#pragma omp parallel for if (tg_thread_count(pieces * width) > 1)
    for (int64_t i = 0; i < pieces; i++) {
        const int64_t at = (rows ? rows[i] : i) * width, rest = p->size - at;
        TG_DISPATCH(tg_k_adam, rest < width ? rest : width, k, p->grad + at, p->data + at, m + at,
                    v + at);
    }
}

bool tg_adam_step(const tg_adam *adam, tg_params *params)
{
    if (!tg_optim_spares_rows(params, "adam", 0, adam->weight_decay) ||
        !tg_optim_ready(params, "adam", (const char *const[]){"exp_avg", "exp_avg_sq", NULL}))
        return false;
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        tg_tensor *p = tg_params_at(params, i);
        if (!tg_params_takes_step(p)) continue;
        const tg_adam_constants k = constants(adam, p);
        update(p, &k);
        tg_params_use_grad(p);
    }
    return true;
}
