/* Operators that move numbers and change none: reshape, detach, permute, slice, concat, stack. Each
 * number of y is one of x, so its gradient in dy is added at the same place in dx. */
#include <string.h>

#include "broadcast.h"
#include "ops.h"
#include "tape_private.h"
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
    int64_t size = 1; /* of all axes but the unknown one */
    for (int d = 0; d < op->ndim; d++) {
        if (op->shape[d] == -1 && unknown < 0) {
            unknown = d;
            continue;
        }
        if (op->shape[d] < 0 || (op->shape[d] > 0 && size > INT64_MAX / op->shape[d]))
            return tg_node_fail(node, "%s to %s: a size is negative or too large",
                                tg_tensor_str(x).text, tg_shape_str(op->ndim, op->shape).text);
        size *= op->shape[d];
    }
    const bool fits = unknown < 0 ? size == x->size : size > 0 && x->size % size == 0;
    if (!fits)
        return tg_node_fail(node, "%s holds %lld numbers and cannot become %s",
                            tg_tensor_str(x).text, (long long)x->size,
                            tg_shape_str(op->ndim, op->shape).text);
    if (unknown >= 0) op->shape[unknown] = x->size / size;
    return tg_output_view(node, x, op->ndim, op->shape) != NULL;
}

static void no_forward(tg_node *node) { (void)node; }

static void reshape_backward(tg_node *node)
{
    tg_real *dx = tg_input_grad(node, 0);
    if (dx) TG_DISPATCH(tg_k_add_rows, 1, node->inputs[0]->size, node->outputs[0]->grad, 0, dx);
}

const tg_op tg_op_reshape = {.name = "reshape",
                             .attribute_size = sizeof(reshape_attributes),
                             .shape = reshape_shape,
                             .forward = no_forward,
                             .backward = reshape_backward};

tg_tensor *tg_reshape(tg_tape *tape, tg_tensor *x, int ndim, const int64_t *shape)
{
    reshape_attributes op = {.ndim = ndim};
    if (!tape) return NULL;
    if (ndim < 0 || ndim > TG_MAX_DIMS)
        return tg_fail(&tape->error, "reshape: %d axes; 0 .. %d are allowed", ndim, TG_MAX_DIMS);
    for (int d = 0; d < ndim; d++) op.shape[d] = shape[d];
    return tg_apply_unary(tape, &tg_op_reshape, &op, x);
}

static bool detach_shape(tg_node *node)
{
    tg_tensor *x = node->inputs[0];
    return tg_output_view(node, x, x->ndim, x->shape) != NULL;
}

const tg_op tg_op_detach = {.name = "detach",
                            .shape = detach_shape,
                            .forward = no_forward,
                            .stops_gradient = true};

tg_tensor *tg_detach(tg_tape *tape, tg_tensor *x)
{
    return tg_apply_unary(tape, &tg_op_detach, NULL, x);
}

/* ---- permute and slice: x read with other strides ---- */

typedef struct layout {
    int64_t first;                                /* position in x of y's first number */
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
    int64_t shape[TG_MAX_DIMS], contiguous[TG_MAX_DIMS];
    if (!tg_check_axes(node->tape, "permute", x, x->ndim, op->order)) return false;
    tg_contiguous_strides(x->ndim, x->shape, contiguous);
    for (int d = 0; d < x->ndim; d++) {
        shape[d] = x->shape[op->order[d]];
        op->layout.in_x[d] = contiguous[op->order[d]];
    }
    tg_contiguous_strides(x->ndim, shape, op->layout.in_y);
    return tg_output(node, x->ndim, shape) != NULL;
}

const tg_op tg_op_permute = {.name = "permute",
                             .attribute_size = sizeof(permute_attributes),
                             .shape = permute_shape,
                             .forward = layout_forward,
                             .backward = layout_backward};

tg_tensor *tg_permute(tg_tape *tape, tg_tensor *x, tg_axes order)
{
    permute_attributes op = {.order = {0}};
    if (tape && x && order.count != x->ndim)
        return tg_fail(&tape->error, "permute: the order names %d axes, but %s has %d", order.count,
                       tg_shape_str(x->ndim, x->shape).text, x->ndim);
    memcpy(op.order, order.axis, sizeof op.order);
    return tg_apply_unary(tape, &tg_op_permute, &op, x);
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
        return tg_node_fail(node, "%lld .. %lld is out of range for axis %d of %s",
                            (long long)op->start, (long long)op->stop, op->axis,
                            tg_tensor_str(x).text);
    int64_t shape[TG_MAX_DIMS];
    memcpy(shape, x->shape, sizeof shape);
    shape[op->axis] = stop - start;
    tg_contiguous_strides(x->ndim, x->shape, op->layout.in_x);
    tg_contiguous_strides(x->ndim, shape, op->layout.in_y);
    op->layout.first = start * op->layout.in_x[op->axis];
    return tg_output(node, x->ndim, shape) != NULL;
}

const tg_op tg_op_slice = {.name = "slice",
                           .attribute_size = sizeof(slice_attributes),
                           .shape = slice_shape,
                           .forward = layout_forward,
                           .backward = layout_backward};

tg_tensor *tg_slice(tg_tape *tape, tg_tensor *x, int axis, int64_t start, int64_t stop)
{
    slice_attributes op = {.axis = axis, .start = start, .stop = stop};
    return tg_apply_unary(tape, &tg_op_slice, &op, x);
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
            return tg_node_fail(node, "input 0 %s and input %d %s differ in more than axis %d",
                                tg_tensor_str(first).text, i, tg_tensor_str(x).text, *axis);
        const int64_t left = INT64_MAX - shape[*axis]; /* tg_output refuses such a sum */
        shape[*axis] += x->shape[*axis] < left ? x->shape[*axis] : left;
    }
    return tg_output(node, first->ndim, shape) != NULL;
}

/* Copies each x to its place in y, or, backward, adds that part of dy to its dx. */
static void each_part(tg_node *node, bool backward)
{
    const int *axis = node->attributes;
    const tg_tensor *y = node->outputs[0];
    int64_t in_x[TG_MAX_DIMS], in_y[TG_MAX_DIMS], first = 0;
    tg_contiguous_strides(y->ndim, y->shape, in_y);
    for (int i = 0; i < node->n_inputs; i++) {
        const tg_tensor *x = node->inputs[i];
        tg_real *dx = backward ? tg_input_grad(node, i) : NULL;
        tg_contiguous_strides(x->ndim, x->shape, in_x);
        if (!backward)
            tg_copy_strided(x->ndim, x->shape, x->data, in_x, y->data + first, in_y, false);
        else if (dx) tg_copy_strided(x->ndim, x->shape, y->grad + first, in_y, dx, in_x, true);
        first += x->shape[*axis] * in_y[*axis];
    }
}

static void concat_forward(tg_node *node) { each_part(node, false); }

static void concat_backward(tg_node *node) { each_part(node, true); }

const tg_op tg_op_concat = {.name = "concat",
                            .attribute_size = sizeof(int),
                            .shape = concat_shape,
                            .forward = concat_forward,
                            .backward = concat_backward};

enum { MAX_TENSORS = 64 };

static bool check_count(tg_tape *tape, const char *name, int count)
{
    if (!tape || tape->error.set) return false;
    if (count >= 1 && count <= MAX_TENSORS) return true;
    return tg_fail(&tape->error, "%s: %d tensors; 1 .. %d are allowed", name, count, MAX_TENSORS);
}

tg_tensor *tg_concat(tg_tape *tape, int n, tg_tensor *const *tensors, int axis)
{
    if (!check_count(tape, "concat", n)) return NULL;
    return tg_apply(tape, &tg_op_concat, &axis, n, tensors, NULL);
}

/* x with a new axis of size 1. The other inputs of a stack must have the shape of the first. */
static tg_tensor *add_axis(tg_tape *tape, tg_tensor *x, const tg_tensor *first, int axis)
{
    const int at = axis < 0 ? axis + first->ndim + 1 : axis;
    int64_t shape[TG_MAX_DIMS];
    if (!tg_has_shape(x, first->ndim, first->shape))
        return tg_fail(&tape->error, "stack: the shapes %s and %s differ",
                       tg_shape_str(first->ndim, first->shape).text,
                       tg_shape_str(x->ndim, x->shape).text);
    if (at < 0 || at > x->ndim || x->ndim == TG_MAX_DIMS)
        return tg_fail(&tape->error, "stack: %s cannot get a new axis %d",
                       tg_shape_str(x->ndim, x->shape).text, axis);
    for (int d = 0; d < at; d++) shape[d] = x->shape[d];
    shape[at] = 1;
    for (int d = at; d < x->ndim; d++) shape[d + 1] = x->shape[d];
    return tg_reshape(tape, x, x->ndim + 1, shape);
}

/* A stack is a concatenation along a new axis of size 1. */
tg_tensor *tg_stack(tg_tape *tape, int n, tg_tensor *const *tensors, int axis)
{
    if (!check_count(tape, "stack", n)) return NULL;
    tg_tensor *with_axis[MAX_TENSORS];
    for (int i = 0; i < n; i++) {
        if (!tensors[i]) return tg_fail(&tape->error, "stack: input %d is NULL", i);
        with_axis[i] = add_axis(tape, tensors[i], tensors[0], axis);
        if (!with_axis[i]) return NULL;
    }
    return tg_concat(tape, n, with_axis, axis);
}
