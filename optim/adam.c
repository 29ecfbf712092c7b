/* Adam (Kingma and Ba, 2015) and AdamW (Loshchilov and Hutter, 2019):
 *
 *     g += decay p  (Adam)   or   p -= lr decay p  (AdamW)
 *     m += (g - m) (1 - beta1)
 *     v = v beta2 + g^2 (1 - beta2)
 *     p -= lr / (1 - beta1^t)  m / (sqrt(v) / r + eps),   r = sqrt(1 - beta2^t)
 *
 * The last is computed as  lr r / (1 - beta1^t)  m / (sqrt(v) + r eps),  which saves a division
 * (section 2 of Adam's paper).
 * m and v are kept as "exp_avg" and "exp_avg_sq"; t counts the steps that a parameter has taken. */
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
        .epsilon = (tg_real)(adam->eps * correction),
        .gradient_decay = adam->decoupled ? 0 : (tg_real)decay,
        .weight_decay = adam->decoupled ? (tg_real)(adam->lr * decay) : 0,
    };
}

/* A step of pieces of `width` numbers each: of the first ones, or of those that are listed. */
static void update(tg_param_entry *entry, const tg_adam_constants *k, int64_t pieces,
                   const int32_t *listed, int64_t width)
{
    const tg_tensor *p = &entry->tensor;
    tg_real *m = tg_param_state(p->params, entry, "exp_avg"),
            *v = tg_param_state(p->params, entry, "exp_avg_sq");
#pragma omp parallel for if (pieces * width > TG_PARALLEL_WORK)
    for (int64_t i = 0; i < pieces; i++) {
        const int64_t at = (listed ? listed[i] : i) * width,
                      n = p->size - at < width ? p->size - at : width;
        TG_DISPATCH(tg_k_adam, n, k, p->grad + at, p->data + at, m + at, v + at);
    }
}

/* ---- rows that take their steps late ---- */

/* What is noted of the steps while rows wait; d->notes. */
typedef struct adam_notes {
    tg_adam_bounds bounds;
    tg_adam_constants of[]; /* [d->noted] */
} adam_notes;

static void note(tg_deferred *d, const tg_adam_constants *k)
{
    adam_notes *notes = d->notes;
    tg_adam_bounds *b = &notes->bounds;
    const double beta1 = 1 - (double)k->beta1_rest;
    notes->of[d->noted] = *k;
    if (d->noted++ == 0)
        *b = (tg_adam_bounds){beta1 >= 0 && beta1 * beta1 < 0.99 * (double)k->beta2, k->step,
                              k->epsilon};
    b->alike = b->alike && k->beta1_rest == notes->of[0].beta1_rest &&
               k->beta2 == notes->of[0].beta2;
    b->alike = b->alike && k->weight_decay == 0 && k->step >= 0 && k->epsilon > 0;
    b->step = k->step > b->step ? k->step : b->step;
    b->epsilon = k->epsilon < b->epsilon ? k->epsilon : b->epsilon;
}

/* A row takes all the steps that it missed, in which it had no gradient. */
static void take_steps(tg_param_entry *entry, int64_t row)
{
    const tg_deferred *d = entry->deferred;
    const tg_tensor *p = &entry->tensor;
    const adam_notes *notes = d->notes;
    const int64_t width = p->shape[1], at = row * width, missed = entry->steps - d->taken[row];
    tg_real *m = tg_param_state(p->params, entry, "exp_avg"),
            *v = tg_param_state(p->params, entry, "exp_avg_sq");
    TG_DISPATCH(tg_k_adam_catch_up, width, missed, notes->of + d->noted - missed, &notes->bounds,
                p->data + at, m + at, v + at);
}

/* Room for one more note; the notes start anew, with all rows caught up, when there are very
 * many. */
static bool has_room(tg_param_entry *entry)
{
    enum { MOST = 1 << 15 };
    tg_deferred *d = entry->deferred;
    if (d && d->noted == MOST) tg_deferred_catch_up(entry);
    const size_t wanted = d ? sizeof(adam_notes) +
                                  (size_t)(d->noted + 1) * sizeof(tg_adam_constants)
                            : 0;
    if (!d || wanted <= d->room) return true;
    void *notes = tg_realloc(d->notes, 2 * wanted);
    if (!notes)
        return tg_fail(&entry->tensor.params->error,
                       "out of memory: %zu bytes for notes of Adam's steps", 2 * wanted);
    d->notes = notes, d->room = 2 * wanted;
    return true;
}

bool tg_adam_step(const tg_adam *adam, tg_params *params)
{
    enum { RUN = 4096 };
    if (!tg_optim_ready(params, "adam", (const char *const[]){"exp_avg", "exp_avg_sq", NULL}))
        return false;
    for (int64_t i = 0; i < params->count; i++)
        if (!has_room(params->entries[i])) return false;
    for (int64_t i = 0; i < params->count; i++) {
        tg_param_entry *entry = params->entries[i];
        tg_deferred *d = entry->deferred;
        if (!tg_optim_takes_step(entry)) continue;
        const bool by_rows = d && !d->whole &&
                             (adam->decoupled || adam->weight_decay == 0 || entry->no_decay);
        if (by_rows) tg_params_prepare(&entry->tensor, tg_ints_1d(d->touched, d->n_touched));
        else tg_deferred_catch_up(entry);
        entry->steps++;
        const tg_adam_constants k = constants(adam, entry);
        if (by_rows) {
            note(d, &k);
            d->take_steps = take_steps;
            update(entry, &k, d->n_touched, d->touched, entry->tensor.shape[1]);
            for (int64_t j = 0; j < d->n_touched; j++) d->taken[d->touched[j]] = entry->steps;
        } else {
            update(entry, &k, (entry->tensor.size + RUN - 1) / RUN, NULL, RUN);
            tg_deferred_restart(entry);
        }
        tg_param_drop_grad(entry);
    }
    return true;
}
