/* The one mechanism by which operators exist. The built-in operators use it exactly as your own do.
 *
 * An operator is a tg_op: a name, a shape rule, a forward pass and a backward pass, side by side:
 *
 *     // y = x^3,   dL/dx = dL/dy 3 x^2
 *     static bool cube_shape(tg_node *node)
 *     {
 *         return tg_output_like(node, node->inputs[0]) != NULL;
 *     }
 *     static void cube_forward(tg_node *node)
 *     {
 *         const tg_real *x = node->inputs[0]->data;
 *         tg_real *y = node->outputs[0]->data;
 *         for (int64_t i = 0; i < node->inputs[0]->size; i++) y[i] = x[i] * x[i] * x[i];
 *     }
 *     static void cube_backward(tg_node *node)
 *     {
 *         const tg_real *x = node->inputs[0]->data, *dy = node->outputs[0]->grad;
 *         tg_real *dx = tg_input_grad(node, 0);
 *         if (!dx) return;
 *         for (int64_t i = 0; i < node->inputs[0]->size; i++) dx[i] += dy[i] * 3 * x[i] * x[i];
 *     }
 *     static const tg_op cube = {
 *         .name = "cube", .shape = cube_shape, .forward = cube_forward, .backward = cube_backward};
 *
 *     tg_tensor *y = tg_apply(tape, &cube, NULL, 1, &x, NULL);
 *
 * Matrix products and fast loops for the passes are in compute.h. layers/README.md builds a
 * layer on them, step by step. */
#ifndef TG_OP_H
#define TG_OP_H

#include "shape.h"
#include "tape.h"

TG_BEGIN_DECLS

typedef struct tg_op tg_op; /* an operator; a static constant */

/* One call of an operator, as the tape records it. The tape owns everything in it. */
typedef struct tg_node {
    const tg_op *op;
    tg_tape *tape;
    struct tg_node *previous, *next; /* in the order of the tape */
    int n_inputs, n_outputs;
    tg_tensor **inputs; /* an optional input may be NULL */
    tg_tensor *outputs[TG_MAX_OUTPUTS];
    void *attributes;  /* the tape's copy of what the caller passed; the passes may write to it */
    int64_t number;    /* on the tape, from 0 */
    const char *scope; /* the scope that the caller opened (tg_scope_begin), "a/b", or NULL */
} tg_node;

/* What an operator is. */
struct tg_op {
    const char *name;
    size_t attribute_size; /* bytes of the attributes, its own fields included */
    unsigned optional;     /* bit i: input i may be NULL */

    /* Checks the inputs and creates each output with tg_output or a relative. Returns false
     * after tg_node_fail. */
    bool (*shape)(tg_node *node);

    /* Computes the data of the outputs. Keeps what the backward pass needs in tg_save memory,
     * through a pointer in the attributes. */
    void (*forward)(tg_node *node);

    /* Adds to the gradients of the inputs (tg_input_grad) what follows from outputs[k]->grad. A
     * single output always has its gradient here; of several outputs, one that nothing used has
     * a NULL gradient. NULL instead of a function: the operator has no derivative, and it is an
     * error to apply it to an input that requires one. */
    void (*backward)(tg_node *node);

    bool stops_gradient;  /* its outputs never require a gradient, on purpose (detach) */
    bool may_be_infinite; /* infinity is a proper result, as for log: not an anomaly */

    /* Floating-point operations of the forward pass, for reports; may be NULL. */
    double (*flops)(const tg_node *node);

    /* For anomaly detection (tg_tape_detect_anomaly); may be NULL. Reads the inputs and returns
     * a constant text that says what is likely wrong with them and what to do, or NULL. Called
     * when a result or gradient is NaN or infinite: the text ends the error message. Also called
     * after every other forward pass: then the text is the tape's warning. */
    const char *(*anomaly_hint)(const tg_node *node);
};

/* Runs an operator and records it. Copies `attributes` (op->attribute_size bytes; NULL for
 * zeros). Returns the first output; `outputs`, unless NULL, receives all of them (it has
 * TG_MAX_OUTPUTS elements). Returns NULL on error: besides what the operator itself refuses, an
 * input that is NULL and not optional, an input that requires a gradient and belongs to another
 * tape, or an input that requires a gradient when the operator has no derivative. */
TG_EXPORT tg_tensor *tg_apply(tg_tape *tape, const tg_op *op, const void *attributes, int n_inputs,
                              tg_tensor *const *inputs, tg_tensor **outputs);

/* The same for an operator with one input. */
static inline tg_tensor *tg_apply_unary(tg_tape *tape, const tg_op *op, const void *attributes,
                                        tg_tensor *x)
{
    return tg_apply(tape, op, attributes, 1, &x, NULL);
}

/* ---- for shape rules ---- */

/* Sets the tape's error to "operator: text" and returns false. For shapes in the text see
 * tg_tensor_str. */
TG_EXPORT bool tg_node_fail(tg_node *node, const char *format, ...) TG_PRINTF(2, 3);

/* Creates the next output (at most TG_MAX_OUTPUTS) with a given shape, or with the shape of
 * another tensor. Its memory is not cleared. Returns NULL on error. */
TG_EXPORT tg_tensor *tg_output(tg_node *node, int ndim, const int64_t *shape);
TG_EXPORT tg_tensor *tg_output_like(tg_node *node, const tg_tensor *tensor);

/* Creates the next output as a view of an input's numbers in another shape of the same size. */
TG_EXPORT tg_tensor *tg_output_view(tg_node *node, tg_tensor *input, int ndim,
                                    const int64_t *shape);

/* Copies the numbers behind a view to the tape, so that they still exist in the backward pass.
 * Returns false on error. */
TG_EXPORT bool tg_copy_ints(tg_node *node, tg_ints *ints);
TG_EXPORT bool tg_copy_mask(tg_node *node, tg_mask *mask);

/* Checks `lengths` ([batch], each 0 .. time, or tg_full_length()) and replaces it by a copy on
 * the tape, in which full lengths are written out. `what` names it in errors: "lengths". Returns
 * false on error. */
TG_EXPORT bool tg_copy_lengths(tg_node *node, const char *what, tg_ints *lengths, int64_t batch,
                               int64_t time);

/* Replaces axes of x that are counted from the end (-1 is the last) by their numbers from 0.
 * Returns false, with the error set in the name of `caller`, if an axis is out of range or named
 * twice. */
TG_EXPORT bool tg_check_axes(tg_tape *tape, const char *caller, const tg_tensor *x, int count,
                             int *axes);

/* ---- for forward and backward passes ---- */

/* Memory for `count` numbers, or for bytes, not cleared. Saved memory lives until the tape is
 * reset; scratch memory lives until the current forward or backward pass of the operator
 * returns. Both are aligned to 64 bytes and may be asked for by one thread only. They return
 * NULL, with the error set, if there is no memory: return then. */
TG_EXPORT tg_real *tg_save(tg_node *node, int64_t count);
TG_EXPORT void *tg_save_bytes(tg_node *node, size_t bytes);
TG_EXPORT tg_real *tg_scratch(tg_node *node, int64_t count);
TG_EXPORT void *tg_scratch_bytes(tg_node *node, size_t bytes);

/* Frees the scratch memory. tg_apply and tg_backward do this after each pass; call it after using
 * scratch memory elsewhere. */
TG_EXPORT void tg_scratch_free(tg_node *node);

/* The memory to which a backward pass adds dL/d(input i); it is cleared at its first use. NULL
 * if nobody wants the gradient: the input is a constant, or a frozen parameter. */
TG_EXPORT tg_real *tg_input_grad(tg_node *node, int input);

/* The same without clearing. If *add is false, the memory holds nothing yet: write all of it
 * instead of adding. */
TG_EXPORT tg_real *tg_input_grad_target(tg_node *node, int input, bool *add);

/* The same for an operator that adds only to the rows ids[0] .. ids[n - 1] of a table [V, E],
 * each 0 .. V - 1, and not to the row `padding` (-1 for none). These rows of a sparse parameter
 * (tg_params_set_sparse) count as touched. For any other input it does what tg_input_grad does. */
TG_EXPORT tg_real *tg_input_grad_rows(tg_node *node, int input, int64_t n, const int32_t *ids,
                                      int32_t padding);

TG_END_DECLS
#endif
