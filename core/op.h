/* The one mechanism by which operators exist: the built-in ones use it as a user's own do.
 *
 * An operator is a tg_op: a name, a shape rule, a forward pass and a backward pass, side by side in one place:
 *
 *     // y = x^3,   dL/dx = dL/dy 3 x^2
 *     static bool cube_shape(tg_node *node) { return tg_output_like(node, node->inputs[0]) != NULL; }
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
 *         for (int64_t i = 0; dx && i < node->inputs[0]->size; i++) dx[i] += dy[i] * 3 * x[i] * x[i];
 *     }
 *     TG_OP(cube, "cube", .shape = cube_shape, .forward = cube_forward, .backward = cube_backward);
 *
 *     tg_tensor *y = tg_apply(tape, &cube, NULL, 1, &x, NULL);
 */
#ifndef TG_OP_H
#define TG_OP_H

#include "tape.h"

TG_BEGIN_DECLS

typedef struct tg_op tg_op; /* an operator; a static constant */

/* One operator as it stands on a tape. Everything in it is owned by the tape. */
typedef struct tg_node {
    const tg_op *op;
    tg_tape *tape;
    struct tg_node *previous, *next; /* in the order of the tape */
    int n_inputs, n_outputs;
    tg_tensor **inputs; /* an optional input may be NULL */
    tg_tensor *outputs[TG_MAX_OUTPUTS];
    void *
        attributes; /* the tape's copy of what was passed to tg_apply; the operator may write to it */
    int64_t number;    /* on the tape, from 0 */
    const char *scope; /* that the caller opened (tg_scope_begin), "a/b", or NULL */
} tg_node;

/* What an operator is. */
struct tg_op {
    const char *name;
    size_t
        attribute_size; /* bytes that tg_apply copies from `attributes`; they may hold room for the operator's own */
    unsigned optional; /* bit i: input i may be NULL */

    /* Checks the inputs and makes each output with tg_output and its like. False after tg_node_fail. */
    bool (*shape)(tg_node *node);

    /* Computes the outputs' data. What the backward pass needs goes to tg_save memory, by a pointer in the attributes. */
    void (*forward)(tg_node *node);

    /* Adds to the gradients of the inputs (tg_input_grad) from outputs[k]->grad. With one output its gradient is there; with
     * several, an output that nothing used has a NULL gradient. NULL: the operator has no derivative, and applying it to
     * something that requires one is an error. */
    void (*backward)(tg_node *node);

    bool stops_gradient; /* its outputs require no gradient, on purpose (detach) */
    bool
        may_be_infinite; /* by its definition, as the logarithm of 0: tg_tape_detect_anomaly looks for NaN only */
    double (*flops)(
        const tg_node *node); /* floating-point operations of the forward pass; may be NULL */
};

/* TG_OP(identifier, "name", .shape = ..., ...); defines a static operator and enters it into the registry as the program
 * starts. In C++ it needs C++20, and the fields in their order. */
#define TG_OP(identifier, text, ...)                                        \
    static const tg_op identifier = {.name = text, __VA_ARGS__};            \
    __attribute__((constructor)) static void tg_register_##identifier(void) \
    {                                                                       \
        static tg_op_entry entry = {&identifier, NULL};                     \
        tg_op_register(&entry);                                             \
    }                                                                       \
    struct tg_op

/* The registry, a list of every operator of the library and of the program, by TG_OP. */
typedef struct tg_op_entry {
    const tg_op *op;
    struct tg_op_entry *next; /* NULL at the end */
} tg_op_entry;

/* Enters an operator, which TG_OP does by itself. The entry stays the caller's and has to stay where it is. Not
 * thread-safe. */
TG_EXPORT void tg_op_register(tg_op_entry *entry);

/* The first entry; those that follow it are in no order. */
TG_EXPORT const tg_op_entry *tg_op_first(void);

/* Runs an operator and writes it on the tape. `attributes` (op->attribute_size bytes, or NULL for zeros) is copied. Returns
 * the first output; `outputs`, unless NULL, receives all of them (room for TG_MAX_OUTPUTS). NULL after an error; it is one,
 * too, that an input is NULL which is not optional, or requires a gradient and is the result of another tape, or goes to an
 * operator without a derivative. */
TG_EXPORT tg_tensor *tg_apply(tg_tape *tape, const tg_op *op, const void *attributes, int n_inputs,
                              tg_tensor *const *inputs, tg_tensor **outputs);

/* ---- for shape rules ---- */

/* Sets the tape's error to "operator: text" and returns false. Shapes go into the text by %s and tg_shape_text. */
TG_EXPORT bool tg_node_fail(tg_node *node, const char *format, ...) TG_PRINTF(2, 3);

/* "[32, 10, 50]", a shape or that of a tensor, in memory of the tape's that is good until the call of the operator ends. */
TG_EXPORT const char *tg_shape_text(tg_node *node, int ndim, const int64_t *shape);
TG_EXPORT const char *tg_tensor_text(tg_node *node, const tg_tensor *tensor);

/* The next output (at most TG_MAX_OUTPUTS), of a shape or of that of another tensor, with memory of its own that is not
 * cleared; or NULL after an error. */
TG_EXPORT tg_tensor *tg_output(tg_node *node, int ndim, const int64_t *shape);
TG_EXPORT tg_tensor *tg_output_like(tg_node *node, const tg_tensor *tensor);

/* The next output as a view of an input's numbers in another shape of the same size. */
TG_EXPORT tg_tensor *tg_output_view(tg_node *node, tg_tensor *input, int ndim,
                                    const int64_t *shape);

/* Copies the numbers that a view shows into the tape, so that they are still there in the backward pass. False, with the
 * error set, when there is no memory. */
TG_EXPORT bool tg_copy_ints(tg_node *node, tg_ints *ints);
TG_EXPORT bool tg_copy_mask(tg_node *node, tg_mask *mask);

/* Checks `lengths` ([batch], each 0 .. time; or tg_full_length()) and replaces it by a copy of the tape's, full lengths
 * written out. False after an error. */
TG_EXPORT bool tg_copy_lengths(tg_node *node, tg_ints *lengths, int64_t batch, int64_t time);

/* ---- for forward and backward passes ---- */

/* `count` numbers, not cleared, that live until the tape's reset, or until this forward or backward call ends. NULL, with
 * the error set, when there is no memory: return then. */
TG_EXPORT tg_real *tg_save(tg_node *node, int64_t count);
TG_EXPORT tg_real *tg_scratch(tg_node *node, int64_t count);

/* Where to add dL/d(input i): cleared at its first use; NULL when nobody wants it. */
TG_EXPORT tg_real *tg_input_grad(tg_node *node, int input);

/* The same without clearing: `*add` false says that the memory holds nothing yet and is to be written, all of it. */
TG_EXPORT tg_real *tg_input_grad_target(tg_node *node, int input, bool *add);

/* tg_input_grad for an operator that adds to some rows of a table [V, E] alone: those that the n
 * ids name, each 0 .. V - 1, but for the row `padding` (-1: there is none). Of a sparse parameter
 * (tg_params_set_sparse) only these rows are touched. For any other input it is tg_input_grad. */
TG_EXPORT tg_real *tg_input_grad_rows(tg_node *node, int input, int64_t n, const int32_t *ids,
                                      int32_t padding);

TG_END_DECLS
#endif
