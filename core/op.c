/* tg_apply, and the functions that shape rules and passes call. */
#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "tape_private.h"

/* ---- running an operator ---- */

static bool check_inputs(tg_tape *tape, const tg_op *op, int n_inputs, tg_tensor *const *inputs)
{
    for (int i = 0; i < n_inputs; i++) {
        const tg_tensor *x = inputs[i];
        if (!x && (i >= 32 || !(op->optional >> i & 1)))
            return tg_fail(&tape->error, "%s: input %d is NULL", op->name, i);
        if (!x) continue;
        if (!x->requires_grad || !tape->recording || op->stops_gradient) continue;
        if (!op->backward)
            return tg_fail(
                &tape->error,
                "%s: input %d requires a gradient, but %s has no derivative; detach the input",
                op->name, i, op->name);
        if (x->node && x->node->tape != tape)
            return tg_fail(
                &tape->error,
                "%s: input %d requires a gradient, and is the result of another tape; detach it",
                op->name, i);
    }
    return true;
}

static tg_node *new_node(tg_tape *tape, const tg_op *op, const void *attributes, int n_inputs,
                         tg_tensor *const *inputs)
{
    tg_node *node = tg_tape_alloc(tape, sizeof *node);
    if (!node) return NULL;
    *node = (tg_node){.op = op,
                      .tape = tape,
                      .n_inputs = n_inputs,
                      .number = tape->length,
                      .scope = tape->scope ? tape->scope->path : NULL};
    node->inputs = tg_tape_alloc(tape, (size_t)n_inputs * sizeof *inputs);
    node->attributes = tg_tape_alloc(tape, op->attribute_size);
    if (!node->inputs || !node->attributes) return NULL;
    if (n_inputs) memcpy(node->inputs, inputs, (size_t)n_inputs * sizeof *inputs);
    if (attributes) memcpy(node->attributes, attributes, op->attribute_size);
    else memset(node->attributes, 0, op->attribute_size);
    return node;
}

static void record(tg_tape *tape, tg_node *node)
{
    bool required = false;
    for (int i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] && node->inputs[i]->requires_grad) required = true;
    for (int k = 0; k < node->n_outputs; k++)
        node->outputs[k]->requires_grad = required && !node->op->stops_gradient;
    node->previous = tape->last;
    if (tape->last) tape->last->next = node;
    else tape->first = node;
    tape->last = node;
    tape->length++;
}

tg_tensor *tg_apply(tg_tape *tape, const tg_op *op, const void *attributes, int n_inputs,
                    tg_tensor *const *inputs, tg_tensor **outputs)
{
    if (outputs) memset(outputs, 0, TG_MAX_OUTPUTS * sizeof *outputs);
    if (!tape || tape->error.set || !check_inputs(tape, op, n_inputs, inputs)) return NULL;
    tg_node *node = new_node(tape, op, attributes, n_inputs, inputs);
    if (!node) return NULL;
    bool fits = op->shape(node) && node->n_outputs > 0;
    if (!fits && !tape->error.set)
        tg_node_fail(node, "the shape rule failed and did not say why, or made no output");
    if (fits) op->forward(node);
    if (tape->anomaly_hook && !tape->error.set) tape->anomaly_hook(node, false);
    tg_arena_reset(&tape->scratch);
    if (tape->error.set) return NULL;
    if (tape->recording) record(tape, node);
    if (outputs) memcpy(outputs, node->outputs, sizeof node->outputs);
    return node->outputs[0];
}

/* ---- for shape rules ---- */

bool tg_node_fail(tg_node *node, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tg_fail_v(&node->tape->error, node->op->name, format, arguments);
    va_end(arguments);
    return false;
}

/* Room for one more, of a shape that can be. */
static bool output_fits(tg_node *node, int ndim, const int64_t *shape)
{
    if (node->n_outputs == TG_MAX_OUTPUTS)
        return tg_node_fail(node, "an operator has at most %d outputs", TG_MAX_OUTPUTS);
    if (tg_shape_size(ndim, shape) >= 0) return true;
    return tg_node_fail(node,
                        "the result %s has a negative size, is too large or has more than %d axes",
                        tg_shape_str(ndim, shape).text, TG_MAX_DIMS);
}

static tg_tensor *enter_output(tg_node *node, tg_tensor *tensor)
{
    if (!tensor) return NULL;
    tensor->node = node;
    return node->outputs[node->n_outputs++] = tensor;
}

tg_tensor *tg_output(tg_node *node, int ndim, const int64_t *shape)
{
    return output_fits(node, ndim, shape)
               ? enter_output(node, tg_tensor_alloc(node->tape, ndim, shape))
               : NULL;
}

tg_tensor *tg_output_like(tg_node *node, const tg_tensor *tensor)
{
    return tg_output(node, tensor->ndim, tensor->shape);
}

tg_tensor *tg_output_view(tg_node *node, tg_tensor *input, int ndim, const int64_t *shape)
{
    tg_tensor *tensor = output_fits(node, ndim, shape) ? tg_tensor_new(node->tape, ndim, shape)
                                                       : NULL;
    if (!tensor) return NULL;
    if (tensor->size != input->size)
        return tg_fail(&node->tape->error, "%s: a view of %s cannot be %s", node->op->name,
                       tg_tensor_str(input).text, tg_shape_str(ndim, shape).text);
    tensor->data = input->data;
    return enter_output(node, tensor);
}

/* A copy of what a view shows; NULL after an error. */
static void *copy_view(tg_node *node, const char *what, const void *data, int ndim,
                       const int64_t *shape, size_t bytes)
{
    int64_t size = tg_shape_size(ndim, shape);
    if (size < 0 || (size > 0 && !data))
        return tg_fail(&node->tape->error, "%s: the %s has no data or a bad shape", node->op->name,
                       what);
    void *copy = tg_tape_alloc(node->tape, (size_t)size * bytes);
    if (copy && size) memcpy(copy, data, (size_t)size * bytes);
    return copy;
}

bool tg_copy_ints(tg_node *node, tg_ints *ints)
{
    return (ints->data = copy_view(node, "array of integers", ints->data, ints->ndim, ints->shape,
                                   sizeof *ints->data));
}

bool tg_copy_mask(tg_node *node, tg_mask *mask)
{
    return (mask->data = copy_view(node, "mask", mask->data, mask->ndim, mask->shape,
                                   sizeof *mask->data));
}

bool tg_copy_lengths(tg_node *node, const char *what, tg_ints *lengths, int64_t batch, int64_t time)
{
    if (time > INT32_MAX)
        return tg_node_fail(node, "%lld time steps are too many", (long long)time);
    if (!lengths->data && lengths->ndim == 0) {
        int32_t *full = tg_tape_alloc(node->tape, (size_t)batch * sizeof *full);
        if (!full) return false;
        for (int64_t b = 0; b < batch; b++) full[b] = (int32_t)time;
        *lengths = tg_ints_1d(full, batch);
        return true;
    }
    if (lengths->ndim != 1 || lengths->shape[0] != batch)
        return tg_node_fail(node, "%s are %s, and the batch has %lld sequences", what,
                            tg_shape_str(lengths->ndim, lengths->shape).text, (long long)batch);
    if (!tg_copy_ints(node, lengths)) return false;
    for (int64_t b = 0; b < batch; b++)
        if (lengths->data[b] < 0 || lengths->data[b] > time)
            return tg_node_fail(node, "%s[%lld] is %d, outside 0 .. %lld", what, (long long)b,
                                lengths->data[b], (long long)time);
    return true;
}

bool tg_check_axes(tg_tape *tape, const char *name, const tg_tensor *x, int count, int *axes)
{
    const tg_shape_string shape = tg_shape_str(x->ndim, x->shape);
    for (int k = 0; k < count; k++) {
        const int axis = axes[k] < 0 ? axes[k] + x->ndim : axes[k];
        if (axis < 0 || axis >= x->ndim)
            return tg_fail(&tape->error, "%s: axis %d of %s is not there", name, axes[k],
                           shape.text);
        axes[k] = axis;
        for (int before = 0; before < k; before++)
            if (axes[before] == axis)
                return tg_fail(&tape->error, "%s: axis %d of %s is named twice", name, axis,
                               shape.text);
    }
    return true;
}

/* ---- for forward and backward passes ---- */

tg_real *tg_save(tg_node *node, int64_t count)
{
    assert(count >= 0);
    return tg_tape_alloc(node->tape, tg_real_bytes(count));
}

void *tg_save_bytes(tg_node *node, size_t bytes) { return tg_tape_alloc(node->tape, bytes); }

void *tg_scratch_bytes(tg_node *node, size_t bytes)
{
    void *memory = tg_arena_alloc(&node->tape->scratch, bytes);
    if (!memory) tg_node_fail(node, "out of memory: %zu bytes of scratch", bytes);
    return memory;
}

void tg_scratch_free(tg_node *node) { tg_arena_reset(&node->tape->scratch); }

tg_real *tg_scratch(tg_node *node, int64_t count)
{
    assert(count >= 0);
    return tg_scratch_bytes(node, tg_real_bytes(count));
}

tg_real *tg_input_grad_target(tg_node *node, int input, bool *add)
{
    return tg_tensor_grad(node->tape, node->inputs[input], add);
}

tg_real *tg_input_grad(tg_node *node, int input)
{
    bool add;
    tg_real *grad = tg_input_grad_target(node, input, &add);
    if (grad && !add) memset(grad, 0, (size_t)node->inputs[input]->size * sizeof(tg_real));
    return grad;
}
