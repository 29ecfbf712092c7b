/* What every optimizer needs beside its step: whether there is a gradient, clipping, and learning rates. */
#include "optim_internal.h"

#include "../core/kernels.h"

bool tg_optim_ready(tg_params *params, const char *caller, const char *const *states)
{
    if (!params || params->error.set) return false;
    bool fresh = false;
    for (int64_t i = 0; i < params->count; i++) {
        if (!tg_optim_takes_step(params->entries[i])) continue;
        fresh = true;
        for (const char *const *name = states; *name; name++)
            if (!tg_param_state(params, params->entries[i], *name)) return false;
    }
    return fresh || tg_fail(&params->error, "%s: a step without a fresh gradient; call tg_backward first", caller);
}

/* Pieces are summed in float over lanes, and the pieces in double, so that no size of parameter overflows or loses digits.
 * Of a table whose rows are touched one by one, pieces without such a row are zero and need not be read. */
static double square_norm(const tg_param_entry *entry)
{
    enum { PIECE = 1024 };
    const tg_tensor *p = &entry->tensor;
    const tg_deferred *d = entry->deferred;
    double sum = 0;
    for (int64_t i = 0; i < p->size; i += PIECE) {
        const int64_t n = p->size - i < PIECE ? p->size - i : PIECE;
        if (d && !d->whole) {
            const int64_t first = i / p->shape[1], last = (i + n - 1) / p->shape[1];
            if (!memchr(d->is_touched + first, true, (size_t)(last - first + 1))) continue;
        }
        sum += (double)TG_RUN(tg_k_dot)(n, p->grad + i, p->grad + i);
    }
    return sum;
}

double tg_clip_grad_norm(tg_params *params, double limit)
{
    if (!tg_optim_ready(params, "clip_grad_norm", (const char *const[]){NULL})) return (double)NAN;
    double sum = 0;
    for (int64_t i = 0; i < params->count; i++) {
        const tg_param_entry *entry = params->entries[i];
        if (!tg_optim_takes_step(entry)) continue;
        double part = square_norm(entry);
        if (!(part - part == 0)) {
            tg_fail(&params->error, "clip_grad_norm: the gradient of %s is not finite", entry->name);
            return (double)NAN;
        }
        sum += part;
    }
    double norm = sqrt(sum), factor = limit / (norm + 1e-6); /* PyTorch's guard against 0 */
    for (int64_t i = 0; factor < 1 && i < params->count; i++) {
        const tg_tensor *p = &params->entries[i]->tensor;
        const tg_deferred *d = params->entries[i]->deferred;
        if (!tg_optim_takes_step(params->entries[i])) continue;
        const bool by_rows = d && !d->whole;
        const int64_t parts = by_rows ? d->n_touched : 1, width = by_rows ? p->shape[1] : p->size;
        for (int64_t j = 0; j < parts; j++) {
            tg_real *grad = p->grad + (by_rows ? d->touched[j] * width : 0);
            for (int64_t k = 0; k < width; k++) grad[k] *= (tg_real)factor;
        }
    }
    return norm;
}

double tg_rate_warmup(double peak, int64_t step, int64_t warmup)
{
    return step < warmup ? peak * (double)(step + 1) / (double)warmup : peak;
}

double tg_rate_cosine(double peak, double floor, int64_t step, int64_t warmup, int64_t total)
{
    const double pi = 3.141592653589793;
    if (step < warmup) return tg_rate_warmup(peak, step, warmup);
    if (step >= total) return floor;
    double done = (double)(step - warmup) / (double)(total - warmup);
    return floor + (peak - floor) * (1 + cos(pi * done)) / 2;
}
