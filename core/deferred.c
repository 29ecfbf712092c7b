/* Tables whose rows take their steps late (tg_params_defer). The optimizer notes what each step does and moves the rows
 * that have a gradient; the others take, before they are read next, the steps that they missed, one after the other: the
 * same bits.
 *
 * The gradient of such a table is zero outside the rows that were touched, at any time: it can be read and added to whole,
 * and clearing it costs what was touched. */
#include "internal.h"

enum { SHARED_ROWS = 64 }; /* from so many on threads share the work */

bool tg_params_defer(tg_tensor *table)
{
    tg_params *params = table ? table->params : NULL;
    if (!params || params->error.set) return false;
    tg_param_entry *entry = (tg_param_entry *)table; /* its first member */
    if (table->ndim != 2)
        return tg_fail(&params->error, "defer: %s is not a table of rows", entry->name);
    if (entry->deferred) return true;
    const size_t rows = (size_t)table->shape[0], bytes = (size_t)table->size * sizeof(tg_real);
    tg_deferred *d = tg_params_alloc(params, sizeof *d);
    if (!d) return false;
    *d = (tg_deferred){.whole = table->has_grad,
                       .taken = tg_params_alloc(params, rows * sizeof *d->taken),
                       .touched = tg_params_alloc(params, rows * sizeof *d->touched),
                       .waiting = tg_params_alloc(params, rows * sizeof *d->waiting),
                       .is_touched = tg_params_alloc(params, rows),
                       .is_waiting = tg_params_alloc(params, rows)};
    if (!table->grad) table->grad = tg_params_alloc(params, bytes);
    if (!d->taken || !d->touched || !d->waiting || !d->is_touched || !d->is_waiting || !table->grad)
        return false;
    if (!table->has_grad) memset(table->grad, 0, bytes);
    entry->deferred = d;
    tg_deferred_restart(entry);
    return true;
}

void tg_deferred_restart(tg_param_entry *entry)
{
    tg_deferred *d = entry->deferred;
    for (int64_t row = 0; d && row < entry->tensor.shape[0]; row++) d->taken[row] = entry->steps;
    if (d) d->noted = 0;
}

/* The first `count` rows of d->waiting take their steps. */
static void take_steps(tg_param_entry *entry, int64_t count)
{
    tg_deferred *d = entry->deferred;
#pragma omp parallel for schedule(dynamic, 16) if (count > SHARED_ROWS)
    for (int64_t i = 0; i < count; i++) {
        d->take_steps(entry, d->waiting[i]);
        d->taken[d->waiting[i]] = entry->steps;
    }
}

/* The next step moves these rows, be their gradient zero: to the same bits as a step that they would take late. */
bool tg_params_prepare(tg_tensor *table, tg_ints ids)
{
    if (!table || !table->params || table->params->error.set) return false;
    tg_param_entry *entry = (tg_param_entry *)table;
    tg_deferred *d = entry->deferred;
    const int64_t n = d && ids.data ? tg_shape_size(ids.ndim, ids.shape)
                                    : 0; /* the operator says what is wrong with ids */
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        if (ids.data[i] < 0 || ids.data[i] >= table->shape[0])
            return tg_fail(&table->params->error, "prepare: id %d is outside %s %s", ids.data[i],
                           table->name, tg_shape_str(2, table->shape).text);
    for (int64_t i = 0; i < n; i++) {
        const int32_t row = ids.data[i];
        if (!d->is_touched[row]) d->is_touched[row] = true, d->touched[d->n_touched++] = row;
        if (d->taken[row] == entry->steps || d->is_waiting[row]) continue;
        d->is_waiting[row] = true;
        d->waiting[count++] = row;
    }
    take_steps(entry, count);
    for (int64_t i = 0; i < count; i++) d->is_waiting[d->waiting[i]] = false;
    return true;
}

void tg_deferred_catch_up(tg_param_entry *entry)
{
    tg_deferred *d = entry->deferred;
    int64_t count = 0;
    for (int64_t row = 0; d && d->noted && row < entry->tensor.shape[0]; row++)
        if (d->taken[row] != entry->steps) d->waiting[count++] = (int32_t)row;
    if (count) take_steps(entry, count);
    tg_deferred_restart(entry);
}

void tg_params_catch_up(tg_params *params)
{
    for (int64_t i = 0; i < tg_params_count(params); i++) tg_deferred_catch_up(params->entries[i]);
}

/* ---- gradients ---- */

tg_real *tg_input_grad_rows(tg_node *node, int input, int64_t n, const int32_t *ids,
                            int32_t left_out)
{
    tg_tensor *table = node->inputs[input];
    tg_deferred *d = tg_deferred_of(table);
    if (!d || !table->requires_grad) return tg_input_grad(node, input);
    for (int64_t i = 0; i < n; i++) {
        if (ids[i] == left_out || d->is_touched[ids[i]]) continue;
        d->is_touched[ids[i]] = true;
        d->touched[d->n_touched++] = ids[i];
    }
    table->has_grad = true;
    return table->grad;
}

void tg_param_drop_grad(tg_param_entry *entry)
{
    tg_tensor *table = &entry->tensor;
    tg_deferred *d = entry->deferred;
    table->has_grad = false;
    entry->backward_passes = 0;
    if (!d) return;
    if (d->whole) memset(table->grad, 0, (size_t)table->size * sizeof *table->grad);
    for (int64_t i = 0; i < d->n_touched; i++) {
        memset(table->grad + d->touched[i] * table->shape[1], 0,
               (size_t)table->shape[1] * sizeof *table->grad);
        d->is_touched[d->touched[i]] = false;
    }
    d->n_touched = 0;
    d->whole = false;
}
