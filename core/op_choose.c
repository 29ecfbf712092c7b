/* Operators that choose by integers or masks: gather, where, masked fill, detach.
 *
 *     gather   y_i = table[id_i]      dtable[id_i] += dy_i, in the order of i
 *     where    y = keep ? a : b       da = keep ? dy : 0,  db = keep ? 0 : dy
 *     detach   y = x, as a constant */
#include "internal.h"
#include "kernels.h"

/* ---- gather ---- */

typedef struct gather_attributes {
    tg_ints ids;
    int32_t padding;
    int64_t n; /* number of ids */
} gather_attributes;

static bool gather_shape(tg_node *node)
{
    gather_attributes *op = node->attributes;
    const tg_tensor *table = node->inputs[0];
    const tg_deferred *deferred = tg_deferred_of(table);
    if (table->ndim != 2) return tg_node_fail(node, "the table %s must have two axes", tg_tensor_text(node, table));
    if (op->ids.ndim < 0 || op->ids.ndim >= TG_MAX_DIMS)
        return tg_node_fail(node, "ids of %d axes are too many", op->ids.ndim);
    if (!tg_keep_ints(node, &op->ids)) return false;
    op->n = tg_shape_size(op->ids.ndim, op->ids.shape);
    for (int64_t i = 0; i < op->n; i++)
        if (op->ids.data[i] < 0 || op->ids.data[i] >= table->shape[0])
            return tg_node_fail(node, "id %d at position %lld is outside the table %s", op->ids.data[i], (long long)i,
                                tg_tensor_text(node, table));
    for (int64_t i = 0; deferred && i < op->n; i++)
        if (deferred->taken[op->ids.data[i]] != ((const tg_param_entry *)table)->steps)
            return tg_node_fail(node, "row %d of %s waits for its steps; call tg_params_prepare first", op->ids.data[i],
                                table->name);
    int64_t shape[TG_MAX_DIMS];
    for (int d = 0; d < op->ids.ndim; d++) shape[d] = op->ids.shape[d];
    shape[op->ids.ndim] = table->shape[1];
    return tg_output(node, op->ids.ndim + 1, shape) != NULL;
}

static void gather_forward(tg_node *node)
{
    const gather_attributes *op = node->attributes;
    const tg_tensor *table = node->inputs[0];
    const int64_t width = table->shape[1];
    tg_real *y = node->outputs[0]->data;
    for (int64_t i = 0; i < op->n && width; i++) {
        if (op->ids.data[i] == op->padding) memset(y + i * width, 0, (size_t)width * sizeof *y);
        else memcpy(y + i * width, table->data + op->ids.data[i] * width, (size_t)width * sizeof *y);
    }
}

static void gather_backward(tg_node *node)
{
    const gather_attributes *op = node->attributes;
    const int64_t width = node->inputs[0]->shape[1];
    const tg_real *dy = node->outputs[0]->grad;
    tg_real *dtable = tg_grad_rows(node, 0, op->n, op->ids.data, op->padding);
    for (int64_t i = 0; dtable && i < op->n; i++)
        if (op->ids.data[i] != op->padding)
            TG_RUN(tg_k_add_rows)(1, width, dy + i * width, 0, dtable + op->ids.data[i] * width);
}

TG_OP(gather_op, "gather", .reads_rows = true, .attribute_size = sizeof(gather_attributes), .shape = gather_shape,
      .forward = gather_forward, .backward = gather_backward);

tg_tensor *tg_gather(tg_tape *tape, tg_tensor *table, tg_ints ids, int32_t padding)
{
    gather_attributes op = {.ids = ids, .padding = padding};
    return tg_apply_1(tape, &gather_op, &op, table);
}

/* ---- where ---- */

typedef struct where_attributes {
    tg_mask mask;
    int64_t strides[3][TG_MAX_DIMS]; /* of the mask, a and b in the result's shape */
} where_attributes;

static bool where_shape(tg_node *node)
{
    where_attributes *op = node->attributes;
    const tg_tensor *a = node->inputs[0], *b = node->inputs[1];
    tg_tensor masked = {.ndim = op->mask.ndim};
    int ndim;
    int64_t shape[TG_MAX_DIMS];
    if (!tg_keep_mask(node, &op->mask)) return false;
    memcpy(masked.shape, op->mask.shape, sizeof masked.shape);
    if (!tg_broadcast(3, (const tg_tensor *[]){&masked, a, b}, &ndim, shape, op->strides))
        return tg_node_fail(node, "mask %s, %s and %s do not broadcast", tg_tensor_text(node, &masked),
                            tg_tensor_text(node, a), tg_tensor_text(node, b));
    return tg_output(node, ndim, shape) != NULL;
}

static void where_forward(tg_node *node)
{
    const where_attributes *op = node->attributes;
    const tg_tensor *out = node->outputs[0];
    tg_real *y = out->data;
    tg_rows rows = tg_rows_start(out->ndim, out->shape, 3, op->strides);
    const int64_t *step = rows.step;
    while (tg_rows_next(&rows)) {
        const uint8_t *keep = op->mask.keep + rows.offset[0];
        const tg_real *a = node->inputs[0]->data + rows.offset[1], *b = node->inputs[1]->data + rows.offset[2];
        const bool whole = step[0] == 0 && rows.length && step[*keep ? 1 : 2] == 1; /* the mask chooses rows */
        if (whole) memcpy(y, *keep ? a : b, (size_t)rows.length * sizeof *y);
        for (int64_t i = 0; !whole && i < rows.length; i++) y[i] = keep[i * step[0]] ? a[i * step[1]] : b[i * step[2]];
        y += rows.length;
    }
}

static void where_backward(tg_node *node)
{
    const where_attributes *op = node->attributes;
    const tg_tensor *out = node->outputs[0];
    tg_real *full = tg_scratch(node, out->size);
    for (int which = 0; full && which < 2; which++) {
        if (!node->inputs[which]->requires_grad) continue;
        tg_real *g = full;
        const tg_real *dy = out->grad;
        tg_rows rows = tg_rows_start(out->ndim, out->shape, 1, op->strides);
        while (tg_rows_next(&rows)) {
            const uint8_t *keep = op->mask.keep + rows.offset[0];
            for (int64_t i = 0; i < rows.length; i++, dy++) *g++ = (keep[i * rows.step[0]] != 0) == (which == 0) ? *dy : 0;
        }
        tg_grad_unbroadcast(node, which, out->ndim, out->shape, full);
    }
}

TG_OP(where_op, "where", .may_be_infinite = true, .attribute_size = sizeof(where_attributes), .shape = where_shape,
      .forward = where_forward, .backward = where_backward);

tg_tensor *tg_where(tg_tape *tape, tg_mask keep, tg_tensor *a, tg_tensor *b)
{
    where_attributes op = {.mask = keep};
    return tg_apply(tape, &where_op, &op, 2, (tg_tensor *[]){a, b}, NULL);
}

tg_tensor *tg_masked_fill(tg_tape *tape, tg_tensor *x, tg_mask keep, double value)
{
    tg_real number = (tg_real)value;
    int64_t strides[TG_MAX_DIMS];
    if (tape && x && !tg_broadcast_strides(x->ndim, x->shape, keep.ndim, keep.shape, strides))
        return tg_fail(&tape->error, "masked_fill: mask %s does not broadcast to %s",
                       tg_text_of(keep.ndim, keep.shape).text, tg_text_of(x->ndim, x->shape).text);
    return tg_where(tape, keep, x, tg_constant(tape, &number, TG_SCALAR));
}

/* ---- detach ---- */

static bool detach_shape(tg_node *node)
{
    tg_tensor *x = node->inputs[0];
    return tg_output_view(node, x, x->ndim, x->shape) != NULL;
}

static void detach_forward(tg_node *node) { (void)node; }

TG_OP(detach_op, "detach", .shape = detach_shape, .forward = detach_forward, .stops_gradient = true);

tg_tensor *tg_detach(tg_tape *tape, tg_tensor *x) { return tg_apply_1(tape, &detach_op, NULL, x); }
