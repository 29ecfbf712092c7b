/* What the optimizers share: the checks before a step, gradient clipping and learning rates. */
#include <math.h>

#include "optim_internal.h"

bool tg_optim_ready(tg_params *params, const char *caller, const char *const *states)
{
    if (!params || tg_params_error(params)) return false;
    if (tg_params_in_inference(params))
        return tg_params_fail(params,
                              "%s: the parameters are in inference mode; call "
                              "tg_params_set_inference(params, false) before a step",
                              caller);
    bool fresh = false;
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        tg_tensor *p = tg_params_at(params, i);
        if (!tg_params_takes_step(p)) continue;
        fresh = true;
        for (const char *const *name = states; *name; name++)
            if (!tg_params_state(p, *name)) return false;
    }
    return fresh ||
           tg_params_fail(params, "%s: a step without a fresh gradient; call tg_backward first",
                          caller);
}

bool tg_optim_spares_rows(tg_params *params, const char *caller, double momentum,
                          double weight_decay)
{
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        const tg_tensor *p = tg_params_at(params, i);
        const bool decays = weight_decay != 0 && tg_params_decays(p);
        if (!tg_params_is_sparse(p) || !tg_params_takes_step(p)) continue;
        if (decays)
            return tg_params_fail(
                params,
                "%s: %s is sparse, and weight decay would move all its rows; call "
                "tg_params_no_decay on it, or leave it dense",
                caller, p->name);
        if (momentum != 0)
            return tg_params_fail(
                params,
                "%s: %s is sparse, and momentum would move all its rows; use Adam, "
                "or leave it dense",
                caller, p->name);
    }
    return true;
}

/* The size of the next piece of a gradient, from *at on; 0 at the end. For a sparse parameter, it
 * first moves *at past rows that were not touched, and a piece lies within one row. */
static int64_t next_piece(const tg_tensor *p, int64_t *at)
{
    enum { PIECE = 256 };
    int64_t end = p->size;
    if (tg_params_is_sparse(p) && *at < end) {
        const int64_t width = p->shape[1], row = tg_params_next_touched_row(p, *at / width);
        if (row > *at / width) *at = row * width;
        if (row < p->shape[0]) end = (row + 1) * width;
    }
    return end - *at < PIECE ? end - *at : PIECE;
}

bool tg_grad_next(tg_params *params, tg_grad_piece *piece)
{
    piece->at += piece->size;
    for (; piece->parameter < tg_params_count(params); piece->parameter++) {
        const tg_tensor *p = tg_params_at(params, piece->parameter);
        piece->size = tg_params_takes_step(p) ? next_piece(p, &piece->at) : 0;
        if (piece->size) return (piece->grad = p->grad + piece->at);
        piece->at = 0;
    }
    return false;
}

/* A piece is summed in float over lanes, and the pieces in double, so that a large parameter loses
 * no digits. If a square overflows a float, or a number is not finite, the piece is summed in
 * double. */
static double square_norm(const tg_tensor *p)
{
    const tg_real *grad = p->grad;
    double sum = 0;
    for (int64_t i = 0, n; (n = next_piece(p, &i)); i += n) {
        const double piece = (double)tg_array_dot(n, grad + i, grad + i);
        if (isfinite(piece)) sum += piece;
        else
            for (int64_t k = i; k < i + n; k++) sum += (double)grad[k] * (double)grad[k];
    }
    return sum;
}

double tg_grad_norm(const tg_tensor *parameter)
{
    if (!parameter || !parameter->params || !parameter->has_grad) return 0;
    return sqrt(square_norm(parameter));
}

double tg_clip_grad_norm(tg_params *params, double limit)
{
    if (!tg_optim_ready(params, "clip_grad_norm", (const char *const[]){NULL})) return (double)NAN;
    double sum = 0;
    if (!(limit >= 0))
        tg_params_fail(params, "clip_grad_norm: the limit is %g, and must be >= 0", limit);
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        const tg_tensor *p = tg_params_at(params, i);
        const double part = tg_params_takes_step(p) ? square_norm(p) : 0;
        if (!isfinite(part))
            tg_params_fail(params, "clip_grad_norm: the norm of the gradient of %s is not finite",
                           p->name);
        sum += part;
    }
    if (tg_params_error(params)) return (double)NAN;
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
