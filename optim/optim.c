/* What the optimizers share: the checks before a step, gradient clipping and learning rates. */
#include "optim_internal.h"

#include "../core/kernels.h"

bool tg_optim_ready(tg_params *params, const char *caller, const char *const *states)
{
    if (!params || params->error.set) return false;
    if (params->held)
        return tg_fail(&params->error,
                       "%s: the parameters are in inference mode; call "
                       "tg_params_set_inference(params, false) before a step",
                       caller);
    bool fresh = false;
    for (int64_t i = 0; i < params->count; i++) {
        if (!tg_optim_takes_step(params->entries[i])) continue;
        fresh = true;
        for (const char *const *name = states; *name; name++)
            if (!tg_param_state(params, params->entries[i], *name)) return false;
    }
    return fresh || tg_fail(&params->error,
                            "%s: a step without a fresh gradient; call tg_backward first", caller);
}

bool tg_optim_spares_rows(tg_params *params, const char *caller, double momentum,
                          double weight_decay)
{
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        const tg_param_entry *entry = params->entries[i];
        const bool decays = weight_decay != 0 && !entry->no_decay;
        if (!entry->sparse || !tg_optim_takes_step(entry) || (momentum == 0 && !decays)) continue;
        return tg_fail(
            &params->error,
            "%s: %s is sparse, and %s would move rows that have no gradient; %s, or leave it dense",
            caller, entry->name, decays ? "weight decay" : "momentum",
            decays ? "call tg_params_no_decay on it" : "use Adam");
    }
    return true;
}

/* The size of the next piece of a gradient, from *at on; 0 at the end. For a sparse parameter, moves
 * *at past the rows that were not touched; a piece then lies within one row. */
static int64_t next_piece(const tg_param_entry *entry, int64_t *at)
{
    enum { PIECE = 256 };
    const tg_tensor *p = &entry->tensor;
    int64_t end = p->size;
    if (entry->sparse && *at < end) {
        const int64_t width = p->shape[1], row = tg_sparse_next(entry->sparse, *at / width);
        if (row > *at / width) *at = row * width;
        if (row < p->shape[0]) end = (row + 1) * width;
    }
    return end - *at < PIECE ? end - *at : PIECE;
}

bool tg_grad_next(tg_params *params, tg_grad_piece *piece)
{
    for (piece->at += piece->size; piece->parameter < tg_params_count(params);
         piece->parameter++, piece->at = 0) {
        const tg_param_entry *entry = params->entries[piece->parameter];
        piece->size = tg_optim_takes_step(entry) ? next_piece(entry, &piece->at) : 0;
        if (piece->size) return (piece->grad = entry->tensor.grad + piece->at);
    }
    return false;
}

/* A piece is summed in float over lanes, and the pieces in double, so that a large parameter loses
 * no digits. If a square overflows a float, or a number is not finite, the piece is summed in
 * double. */
static double square_norm(const tg_param_entry *entry)
{
    const tg_real *grad = entry->tensor.grad;
    double sum = 0;
    for (int64_t i = 0, n; (n = next_piece(entry, &i)); i += n) {
        const double piece = (double)TG_DISPATCH(tg_k_dot, n, grad + i, grad + i);
        if (isfinite(piece)) sum += piece;
        else
            for (int64_t k = i; k < i + n; k++) sum += (double)grad[k] * (double)grad[k];
    }
    return sum;
}

double tg_grad_norm(const tg_tensor *parameter)
{
    if (!parameter || !parameter->params || !parameter->has_grad) return 0;
    return sqrt(square_norm((const tg_param_entry *)parameter));
}

double tg_clip_grad_norm(tg_params *params, double limit)
{
    if (!tg_optim_ready(params, "clip_grad_norm", (const char *const[]){NULL})) return (double)NAN;
    double sum = 0;
    if (!(limit >= 0))
        tg_fail(&params->error, "clip_grad_norm: the limit is %g, and must be >= 0", limit);
    for (int64_t i = 0; i < params->count; i++) {
        const tg_param_entry *entry = params->entries[i];
        const double part = tg_optim_takes_step(entry) ? square_norm(entry) : 0;
        if (!isfinite(part))
            tg_fail(&params->error, "clip_grad_norm: the norm of the gradient of %s is not finite",
                    entry->name);
        sum += part;
    }
    if (params->error.set) return (double)NAN;
    const double norm = sqrt(sum), factor = limit / (norm + 1e-6); /* as PyTorch's, never 0 / 0 */
    if (!(factor < 1)) return norm;
    for (tg_grad_piece g = {0}; tg_grad_next(params, &g);)
        for (int64_t k = 0; k < g.size; k++) g.grad[k] *= (tg_real)factor;
    return norm;
}

double tg_lr_warmup(double peak, int64_t step, int64_t warmup)
{
    return step < warmup ? peak * (double)(step + 1) / (double)warmup : peak;
}

double tg_lr_cosine(double peak, double floor, int64_t step, int64_t warmup, int64_t total)
{
    const double pi = 3.141592653589793;
    if (step < warmup) return tg_lr_warmup(peak, step, warmup);
    if (step >= total) return floor;
    double done = (double)(step - warmup) / (double)(total - warmup);
    return floor + (peak - floor) * (1 + cos(pi * done)) / 2;
}
