/* Operators that move numbers and change none: reshape, detach, permute, slice, concat, stack. Each number of y is one of
 * x, so the gradient dx is dy brought back to its place. */
#include "internal.h"
#include "kernels.h"

/* ---- views: reshape, and detach, which stops the gradient ---- */

typedef struct reshape_attributes {
    int ndim;
    int64_t shape[TG_MAX_DIMS];
} reshape_attributes;

static bool reshape_shape(tg_node *node)
{
    reshape_attributes *op = node->attributes;
    tg_tensor *x = node->inputs[0];
    int unknown = -1;
    int64_t known = 1;
    for (int d = 0; d < op->ndim; d++) {
        if (op->shape[d] == -1 && unknown < 0) unknown = d;
        else if (op->shape[d] < 0 || (op->shape[d] > 0 && known > INT64_MAX / op->shape[d]))
            return tg_node_fail(node, "%s into %s: a size is negative or too large",
                                tg_tensor_text(node, x), tg_shape_text(node, op->ndim, op->shape));
        else known *= op->shape[d];
    }
    if (unknown >= 0 && known > 0 && x->size % known == 0)
        op->shape[unknown] = x->size / known, known = x->size;
    if (known != x->size || (unknown >= 0 && op->shape[unknown] < 0))
        return tg_node_fail(node, "%s does not fit into %s", tg_tensor_text(node, x),
                            tg_shape_text(node, op->ndim, op->shape));
    return tg_output_view(node, x, op->ndim, op->shape) != NULL;
}

static void no_forward(tg_node *node) { (void)node; }

static void reshape_backward(tg_node *node)
{
    tg_real *dx = tg_input_grad(node, 0);
    if (dx) TG_DISPATCH(tg_k_add_rows, 1, node->inputs[0]->size, node->outputs[0]->grad, 0, dx);
}

TG_OP(reshape_op, "reshape", .attribute_size = sizeof(reshape_attributes), .shape = reshape_shape,
      .forward = no_forward, .backward = reshape_backward);

tg_tensor *tg_reshape(tg_tape *tape, tg_tensor *x, int ndim, const int64_t *shape)
{
    reshape_attributes op = {.ndim = ndim};
    if (!tape) return NULL;
    if (ndim < 0 || ndim > TG_MAX_DIMS)
        return tg_fail(&tape->error, "reshape: %d axes are not 0 .. %d", ndim, TG_MAX_DIMS);
    for (int d = 0; d < ndim; d++) op.shape[d] = shape[d];
    return tg_apply_unary(tape, &reshape_op, &op, x);
}

static bool detach_shape(tg_node *node)
{
    tg_tensor *x = node->inputs[0];
    return tg_output_view(node, x, x->ndim, x->shape) != NULL;
}

TG_OP(detach_op, "detach", .shape = detach_shape, .forward = no_forward, .stops_gradient = true);

tg_tensor *tg_detach(tg_tape *tape, tg_tensor *x) { return tg_apply_unary(tape, &detach_op, NULL, x); }

/* ---- permute and slice: x read in another layout ---- */

typedef struct layout {
    int64_t first;                                /* number of x that y begins with */
    int64_t in_x[TG_MAX_DIMS], in_y[TG_MAX_DIMS]; /* strides, in the order of y's axes */
} layout;

static void layout_forward(tg_node *node)
{
    const layout *op = node->attributes;
    const tg_tensor *y = node->outputs[0];
    tg_copy_strided(y->ndim, y->shape, node->inputs[0]->data + op->first, op->in_x, y->data,
                    op->in_y, false);
}

static void layout_backward(tg_node *node)
{
    const layout *op = node->attributes;
    const tg_tensor *y = node->outputs[0];
    tg_real *dx = tg_input_grad(node, 0);
    if (dx) tg_copy_strided(y->ndim, y->shape, y->grad, op->in_y, dx + op->first, op->in_x, true);
}

typedef struct permute_attributes {
    layout layout;
    int order[TG_MAX_DIMS];
} permute_attributes;

static bool permute_shape(tg_node *node)
{
    permute_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0];
    int64_t shape[TG_MAX_DIMS], natural[TG_MAX_DIMS];
    if (!tg_check_axes(node->tape, "permute", x, x->ndim, op->order)) return false;
    tg_contiguous_strides(x->ndim, x->shape, natural);
    for (int d = 0; d < x->ndim; d++)
        shape[d] = x->shape[op->order[d]], op->layout.in_x[d] = natural[op->order[d]];
    tg_contiguous_strides(x->ndim, shape, op->layout.in_y);
    return tg_output(node, x->ndim, shape) != NULL;
}

TG_OP(permute_op, "permute", .attribute_size = sizeof(permute_attributes), .shape = permute_shape,
      .forward = layout_forward, .backward = layout_backward);

tg_tensor *tg_permute(tg_tape *tape, tg_tensor *x, tg_axes order)
{
    permute_attributes op = {.order = {0}};
    if (tape && x && order.count != x->ndim)
        return tg_fail(&tape->error, "permute: the order names %d axes, and %s has %d", order.count,
                       tg_shape_str(x->ndim, x->shape).text, x->ndim);
    for (int d = 0; x && d < x->ndim; d++) op.order[d] = order.axis[d];
    return tg_apply_unary(tape, &permute_op, &op, x);
}

typedef struct slice_attributes {
    layout layout;
    int axis;
    int64_t start, stop;
} slice_attributes;

static bool slice_shape(tg_node *node)
{
    slice_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[0];
    if (!tg_check_axes(node->tape, "slice", x, 1, &op->axis)) return false;
    int64_t size = x->shape[op->axis], start = op->start < 0 ? op->start + size : op->start;
    int64_t stop = op->stop < 0 ? op->stop + size : op->stop;
    if (start < 0 || stop < start || stop > size)
        return tg_node_fail(node, "positions %lld .. %lld of axis %d of %s are not there",
                            (long long)op->start, (long long)op->stop, op->axis,
                            tg_tensor_text(node, x));
    int64_t shape[TG_MAX_DIMS];
    memcpy(shape, x->shape, sizeof shape);
    shape[op->axis] = stop - start;
    tg_contiguous_strides(x->ndim, x->shape, op->layout.in_x);
    tg_contiguous_strides(x->ndim, shape, op->layout.in_y);
    op->layout.first = start * op->layout.in_x[op->axis];
    return tg_output(node, x->ndim, shape) != NULL;
}

TG_OP(slice_op, "slice", .attribute_size = sizeof(slice_attributes), .shape = slice_shape,
      .forward = layout_forward, .backward = layout_backward);

tg_tensor *tg_slice(tg_tape *tape, tg_tensor *x, int axis, int64_t start, int64_t stop)
{
    slice_attributes op = {.axis = axis, .start = start, .stop = stop};
    return tg_apply_unary(tape, &slice_op, &op, x);
}

/* ---- concat and stack ---- */

static bool concat_shape(tg_node *node)
{
    int *axis = node->attributes;
    const tg_tensor *first = node->inputs[0];
    if (!tg_check_axes(node->tape, "concat", first, 1, axis)) return false;
    int64_t shape[TG_MAX_DIMS] = {0};
    memcpy(shape, first->shape, sizeof shape);
    for (int i = 1; i < node->n_inputs; i++) {
        const tg_tensor *x = node->inputs[i];
        bool fits = x->ndim == first->ndim;
        for (int d = 0; fits && d < x->ndim; d++)
            fits = d == *axis || x->shape[d] == first->shape[d];
        if (!fits)
            return tg_node_fail(node, "%s and %s differ in more than axis %d",
                                tg_tensor_text(node, first), tg_tensor_text(node, x), *axis);
        const int64_t left = INT64_MAX - shape[*axis]; /* more than that is too large anyway */
        shape[*axis] += x->shape[*axis] < left ? x->shape[*axis] : left;
    }
    return tg_output(node, first->ndim, shape) != NULL;
}

/* Copies each x into its place in y; or adds to each dx what stands there in dy. */
static void each_part(tg_node *node, bool back)
{
    const int *axis = node->attributes;
    const tg_tensor *y = node->outputs[0];
    int64_t in_x[TG_MAX_DIMS], in_y[TG_MAX_DIMS], first = 0;
    tg_contiguous_strides(y->ndim, y->shape, in_y);
    for (int i = 0; i < node->n_inputs; i++) {
        const tg_tensor *x = node->inputs[i];
        tg_real *dx = back ? tg_input_grad(node, i) : NULL;
        tg_contiguous_strides(x->ndim, x->shape, in_x);
        if (!back) tg_copy_strided(x->ndim, x->shape, x->data, in_x, y->data + first, in_y, false);
        else if (dx) tg_copy_strided(x->ndim, x->shape, y->grad + first, in_y, dx, in_x, true);
        first += x->shape[*axis] * in_y[*axis];
    }
}

static void concat_forward(tg_node *node) { each_part(node, false); }

static void concat_backward(tg_node *node) { each_part(node, true); }

TG_OP(concat_op, "concat", .attribute_size = sizeof(int), .shape = concat_shape,
      .forward = concat_forward, .backward = concat_backward);

enum { MAX_TENSORS = 64 };

static bool count_fits(tg_tape *tape, const char *name, int count)
{
    if (!tape || tape->error.set) return false;
    if (count >= 1 && count <= MAX_TENSORS) return true;
    return tg_fail(&tape->error, "%s: %d tensors are not 1 .. %d", name, count, MAX_TENSORS);
}

tg_tensor *tg_concat(tg_tape *tape, int n, tg_tensor *const *tensors, int axis)
{
    return count_fits(tape, "concat", n) ? tg_apply(tape, &concat_op, &axis, n, tensors, NULL)
                                         : NULL;
}

/* A stack is a concatenation of tensors that have an axis of size 1 more. */
tg_tensor *tg_stack(tg_tape *tape, int n, tg_tensor *const *tensors, int axis)
{
    if (!count_fits(tape, "stack", n)) return NULL;
    tg_tensor *wider[MAX_TENSORS];
    for (int i = 0; i < n; i++) {
        const tg_tensor *x = tensors[i], *first = tensors[0];
        if (!x) return tg_fail(&tape->error, "stack: input %d is NULL", i);
        int at = axis < 0 ? axis + x->ndim + 1 : axis;
        if (!tg_has_shape(x, first->ndim, first->shape) || at < 0 || at > x->ndim ||
            x->ndim == TG_MAX_DIMS)
            return tg_fail(&tape->error, "stack: %s and %s along a new axis %d do not fit",
                           tg_shape_str(first->ndim, first->shape).text,
                           tg_shape_str(x->ndim, x->shape).text, axis);
        int64_t shape[TG_MAX_DIMS];
        for (int d = 0; d <= x->ndim; d++)
            shape[d] = d < at ? x->shape[d] : d == at ? 1 : x->shape[d - 1];
        wider[i] = tg_reshape(tape, tensors[i], x->ndim + 1, shape);
    }
    return tg_concat(tape, n, wider, axis);
}
