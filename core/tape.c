/* The tape: it owns every tensor that an operator makes, and tg_backward walks back over them. */
#include <string.h>
#include <stdarg.h>

#include "sparse.h"
#include "random.h"
#include "tape_private.h"

tg_tape *tg_tape_new(uint64_t seed)
{
    tg_tape *tape = tg_realloc(NULL, sizeof *tape);
    if (tape)
        *tape = (tg_tape){.training = true,
                          .recording = true,
                          .random = tg_random_new(seed, "tape")};
    return tape;
}

void tg_tape_free(tg_tape *tape)
{
    if (!tape) return;
    tg_arena_free(&tape->arena);
    tg_arena_free(&tape->scratch);
    tg_free(tape);
}

void tg_tape_reset(tg_tape *tape)
{
    if (!tape) return;
    tg_arena_reset(&tape->arena);
    tg_arena_reset(&tape->scratch);
    tape->first = tape->last = NULL;
    tape->length = 0;
    tape->scope = NULL;
    tape->backward_done = false;
}

/* ---- errors ---- */

const char *tg_tape_error(const tg_tape *tape)
{
    if (!tape) return tg_out_of_memory_text("a tape", sizeof *tape);
    return tape->error.set ? tape->error.text : NULL;
}

const char *tg_tape_take_error(tg_tape *tape)
{
    const char *text = tg_tape_error(tape);
    if (tape) tape->error.set = false;
    return text;
}

void *tg_tape_fail(tg_tape *tape, const char *format, ...)
{
    va_list arguments;
    if (!tape) return NULL;
    va_start(arguments, format);
    tg_fail_v(&tape->error, NULL, format, arguments);
    va_end(arguments);
    return NULL;
}

/* ---- modes ---- */

void tg_tape_set_training(tg_tape *tape, bool training)
{
    if (tape) tape->training = training;
}

bool tg_tape_training(const tg_tape *tape) { return tape && tape->training; }

void tg_tape_set_recording(tg_tape *tape, bool recording)
{
    if (tape) tape->recording = recording;
}

bool tg_tape_recording(const tg_tape *tape) { return tape && tape->recording; }

tg_random *tg_tape_random(tg_tape *tape) { return tape ? &tape->random : NULL; }

int64_t tg_tape_length(const tg_tape *tape) { return tape ? tape->length : 0; }

size_t tg_tape_bytes(const tg_tape *tape) { return tape ? tape->arena.used : 0; }

/* ---- tensors ---- */

void *tg_tape_alloc(tg_tape *tape, size_t bytes)
{
    void *memory = tg_arena_alloc(&tape->arena, bytes);
    if (!memory) tg_fail(&tape->error, "out of memory: %zu bytes for the tape", bytes);
    return memory;
}

tg_tensor *tg_tensor_new(tg_tape *tape, int ndim, const int64_t *shape)
{
    int64_t size = tg_shape_size(ndim, shape);
    if (size < 0)
        return tg_fail(&tape->error,
                       "tensor %s: a size is negative or too large, or there are more than %d axes",
                       tg_shape_str(ndim, shape).text, TG_MAX_DIMS);
    tg_tensor *tensor = tg_tape_alloc(tape, sizeof *tensor);
    if (!tensor) return NULL;
    *tensor = (tg_tensor){.ndim = ndim, .size = size};
    for (int d = 0; d < ndim; d++) tensor->shape[d] = shape[d];
    return tensor;
}

tg_tensor *tg_tensor_alloc(tg_tape *tape, int ndim, const int64_t *shape)
{
    tg_tensor *tensor = tg_tensor_new(tape, ndim, shape);
    if (tensor) tensor->data = tg_tape_alloc(tape, (size_t)tensor->size * sizeof(tg_real));
    return tensor && tensor->data ? tensor : NULL;
}

tg_tensor *tg_constant(tg_tape *tape, const tg_real *data, int ndim, const int64_t *shape)
{
    if (!tape || tape->error.set) return NULL;
    tg_tensor *tensor = tg_tensor_alloc(tape, ndim, shape);
    if (!tensor) return NULL;
    size_t bytes = (size_t)tensor->size * sizeof(tg_real);
    if (data && bytes) memcpy(tensor->data, data, bytes);
    else memset(tensor->data, 0, bytes);
    return tensor;
}

tg_tensor *tg_variable(tg_tape *tape, const tg_real *data, int ndim, const int64_t *shape)
{
    tg_tensor *tensor = tg_constant(tape, data, ndim, shape);
    if (tensor) tensor->requires_grad = tape->recording;
    return tensor;
}

/* ---- the backward pass ---- */

tg_real *tg_tensor_grad(tg_tape *tape, tg_tensor *tensor, bool *add)
{
    if (!tensor || !tensor->requires_grad) return NULL;
    if (!tensor->grad) {
        size_t bytes = (size_t)tensor->size * sizeof(tg_real);
        tensor->grad = tensor->params ? tg_params_alloc(tensor->params, bytes)
                                      : tg_tape_alloc(tape, bytes);
        if (!tensor->grad)
            return tg_fail(&tape->error, "out of memory: %zu bytes for the gradient of %s", bytes,
                           tensor->name ? tensor->name : "a tensor");
    }
    tg_sparse *sparse = tg_sparse_of(tensor);
    if (sparse) tg_sparse_touch_all(sparse);
    *add = tensor->has_grad || sparse; /* a sparse gradient starts as zeros */
    tensor->has_grad = true;
    return tensor->grad;
}

static bool wants_backward(const tg_node *node)
{
    if (!node->op->backward || node->op->stops_gradient) return false;
    for (int k = 0; k < node->n_outputs; k++)
        if (node->outputs[k]->has_grad) return true;
    return false;
}

/* A pass that failed halfway may have left half a sum in a parameter's gradient. Their tg_params
 * get the error. */
static void pass_error_on(tg_tape *tape)
{
    for (tg_node *node = tape->first; node; node = node->next)
        for (int i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] && node->inputs[i]->params)
                tg_fail(&node->inputs[i]->params->error, "the backward pass failed: %s",
                        tape->error.text);
}

bool tg_backward(tg_tape *tape, tg_tensor *loss)
{
    if (!tape || tape->error.set) return false;
    if (!loss) return tg_fail(&tape->error, "backward: the loss is NULL");
    if (loss->size != 1)
        return tg_fail(&tape->error, "backward: the loss is %s, and must be a single number",
                       tg_shape_str(loss->ndim, loss->shape).text);
    if (tape->backward_done)
        return tg_fail(&tape->error,
                       "backward: this tape has had its backward pass; call tg_tape_reset and run "
                       "the forward pass again");
    if (!loss->requires_grad)
        return tg_fail(&tape->error,
                       "backward: the loss depends on nothing that requires a gradient%s",
                       tape->recording ? "" : " (the tape is not recording)");
    tape->backward_done = true;
    bool add = false;
    tg_real *seed = tg_tensor_grad(tape, loss, &add);
    if (seed) seed[0] = add ? seed[0] + 1 : 1;
    for (tg_node *node = tape->last; node; node = node->previous) {
        if (tape->error.set) break;
        if (!wants_backward(node)) continue;
        node->op->backward(node);
        if (tape->anomaly_hook && !tape->error.set) tape->anomaly_hook(node, true);
        tg_arena_reset(&tape->scratch);
    }
    if (tape->error.set) pass_error_on(tape);
    return !tape->error.set;
}
