/* Adam (Kingma and Ba, 2015) and AdamW (Loshchilov and Hutter, 2019):
 *     g += decay p  (Adam)   or   p -= rate decay p  (AdamW)
 *     m += (g - m) (1 - beta1)          v = v beta2 + g^2 (1 - beta2)
 *     p -= rate / (1 - beta1^t)  m / (sqrt(v) / r + epsilon),   r = sqrt(1 - beta2^t)
 * the last as  rate r / (1 - beta1^t)  m / (sqrt(v) + r epsilon),  which saves a division (section 2 of the paper).
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

static tg_adam_constants constants(const tg_adam *adam, const tg_param_entry *entry)
{
    const double decay = entry->no_decay ? 0 : adam->decay, t = (double)entry->steps;
    const double correction = sqrt(1 - pow(adam->beta2, t));
    return (tg_adam_constants){
        .beta1_rest = (tg_real)(1 - adam->beta1),
        .beta2 = (tg_real)adam->beta2,
        .beta2_rest = (tg_real)(1 - adam->beta2),
        .step = (tg_real)(adam->rate * correction / (1 - pow(adam->beta1, t))),
        .epsilon = (tg_real)(adam->epsilon * correction),
        .gradient_decay = adam->decoupled ? 0 : (tg_real)decay,
        .weight_decay = adam->decoupled ? (tg_real)(adam->rate * decay) : 0,
    };
}

static void update(tg_params *params, tg_param_entry *entry, const tg_adam_constants *k)
{
    const tg_tensor *p = &entry->tensor;
    tg_real *m = tg_param_state(params, entry, "exp_avg"), *v = tg_param_state(params, entry, "exp_avg_sq");
    enum { RUN = 4096 };
#pragma omp parallel for if (p->size > TG_PARALLEL_WORK)
    for (int64_t i = 0; i < p->size; i += RUN)
        TG_RUN(tg_k_adam)(p->size - i < RUN ? p->size - i : RUN, k, p->grad + i, p->data + i, m + i, v + i);
}

/* ---- rows that take their steps late ---- */

/* Whether the steps from `from` on, up to the last, leave the n numbers p as they are when there is no gradient: whatever they
 * subtract is at most U = S |m| / (sqrt(w) + e), where S is the largest of their factors, e the smallest of their epsilons, and w
 * a lower bound of v after k of them, v beta2^k less the roundings; if p + U and p - U both round to p, so does p less any of
 * it. |m| and v only fall, and every rounded operation is monotone. */
static bool is_settled(int64_t n, const tg_adam_constants *from, const tg_adam_constants *last, const tg_real *p,
                       const tg_real *m, const tg_real *v)
{
    const double k = (double)(last - from + 1), lost = 1.2e-7 * k;
    tg_real largest = 0, epsilon = last->epsilon;
    bool alike = true;
    for (const tg_adam_constants *c = from; c <= last; c++) {
        alike = alike && c->beta1_rest == last->beta1_rest && c->beta2 == last->beta2 && c->weight_decay == 0 && c->step >= 0;
        largest = c->step > largest ? c->step : largest;
        epsilon = c->epsilon < epsilon ? c->epsilon : epsilon;
    }
    const double bound = lost < 1 ? pow((double)last->beta2, k) * (1 - lost) * (1 - 1e-6) : 0;
    return alike && epsilon > 0 && TG_RUN(tg_k_adam_settled)(n, largest, epsilon, (tg_real)bound, p, m, v);
}

/* A row takes all the steps that it missed, in which it had no gradient. */
static void take_steps(tg_param_entry *entry, int64_t row)
{
    enum { STEPS = 16, PIECE = 256 }; /* after so many it may have settled; numbers at a time */
    static const tg_real zeros[PIECE];
    const tg_deferred *d = entry->deferred;
    const tg_adam_constants *notes = d->notes, *last = notes + d->noted - 1;
    const int64_t width = entry->tensor.shape[1], missed = entry->steps - d->taken[row];
    tg_real *all_m = tg_param_state(entry->tensor.params, entry, "exp_avg");
    tg_real *all_v = tg_param_state(entry->tensor.params, entry, "exp_avg_sq");
    for (int64_t at = row * width; at < (row + 1) * width; at += PIECE) {
        const int64_t n = (row + 1) * width - at < PIECE ? (row + 1) * width - at : PIECE;
        tg_real *p = entry->tensor.data + at, *m = all_m + at, *v = all_v + at;
        for (const tg_adam_constants *k = last - missed + 1; k <= last;) {
            if (last - k >= STEPS && is_settled(n, k, last, p, m, v)) {
                TG_RUN(tg_k_adam_idle)(n, last - k + 1, last, m, v);
                break;
            }
            for (int i = 0; i < STEPS && k <= last; i++, k++) TG_RUN(tg_k_adam)(n, k, zeros, p, m, v);
        }
    }
}

/* Room for one more note; the notes start anew, with all rows caught up, when there are very many. */
static bool has_room(tg_param_entry *entry)
{
    enum { MOST = 1 << 15 };
    tg_deferred *d = entry->deferred;
    if (d && d->noted == MOST) tg_deferred_catch_up(entry);
    const size_t wanted = d ? (size_t)(d->noted + 1) * sizeof(tg_adam_constants) : 0;
    if (!d || wanted <= d->room) return true;
    void *notes = tg_realloc(d->notes, 2 * wanted);
    if (!notes) return tg_params_fail(entry->tensor.params, "out of memory: %zu bytes for notes of Adam's steps", 2 * wanted);
    d->notes = notes, d->room = 2 * wanted;
    return true;
}

static void update_rows(tg_param_entry *entry, const tg_adam_constants *k)
{
    tg_deferred *d = entry->deferred;
    const tg_tensor *p = &entry->tensor;
    const int64_t width = p->shape[1];
    tg_real *m = tg_param_state(p->params, entry, "exp_avg"), *v = tg_param_state(p->params, entry, "exp_avg_sq");
    ((tg_adam_constants *)d->notes)[d->noted++] = *k;
    d->take_steps = take_steps;
#pragma omp parallel for if (d->n_touched * width > TG_PARALLEL_WORK)
    for (int64_t i = 0; i < d->n_touched; i++) {
        const int64_t at = d->touched[i] * width;
        TG_RUN(tg_k_adam)(width, k, p->grad + at, p->data + at, m + at, v + at);
        d->taken[d->touched[i]] = entry->steps;
    }
}

bool tg_adam_step(const tg_adam *adam, tg_params *params)
{
    if (!tg_optim_ready(params, "adam", (const char *const[]){"exp_avg", "exp_avg_sq", NULL})) return false;
    for (int64_t i = 0; i < params->count; i++)
        if (!has_room(params->entries[i])) return false;
    for (int64_t i = 0; i < params->count; i++) {
        tg_param_entry *entry = params->entries[i];
        tg_deferred *d = entry->deferred;
        if (!tg_optim_takes_step(entry)) continue;
        const bool by_rows = d && !d->whole && (adam->decoupled || adam->decay == 0 || entry->no_decay);
        if (by_rows) tg_params_prepare(&entry->tensor, tg_ints_1d(d->touched, d->n_touched));
        else tg_deferred_catch_up(entry);
        entry->steps++;
        const tg_adam_constants k = constants(adam, entry);
        if (by_rows) update_rows(entry, &k);
        else update(params, entry, &k);
        if (!by_rows) tg_deferred_restart(entry);
        tg_param_drop_grad(entry);
    }
    return true;
}
