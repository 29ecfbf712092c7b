/* Inspecting a tape: as a table, as a graph, and for the operator where a NaN began.
 *
 *     tg_tape_detect_anomaly(tape, true);
 *     tg_tensor *loss = forward(tape, &model);
 *     tg_backward(tape, loss);
 *     if (tg_tape_error(tape)) fprintf(stderr, "%s\n", tg_tape_error(tape));
 *     if (tg_tape_warning(tape)) fprintf(stderr, "%s\n", tg_tape_warning(tape));
 *     tg_tape_print(tape, stdout);
 *
 * None of these functions changes a bit of a result or gradient. */
#ifndef TG_INSPECT_H
#define TG_INSPECT_H

#include "../core/op.h"

#include <stdio.h>

TG_BEGIN_DECLS

/* Each operator has a scope, such as "encoder/self_attn", which tg_tape_print, tg_tape_write_dot
 * and errors of anomaly detection show. It comes from the names of parameters: of those that the
 * operator reads, otherwise of those around it on the tape. tg_scope_begin puts a scope of your own
 * before it, for all operators up to tg_scope_end or a reset of the tape. Such scopes nest: "a" and
 * then "b" give "a/b". The name is copied; at most 60 bytes of it count. Without memory for it,
 * tg_scope_begin sets the tape's error. */
TG_EXPORT void tg_scope_begin(tg_tape *tape, const char *name);
TG_EXPORT void tg_scope_end(tg_tape *tape);

/* Writes the tape as a table with a row for each operator: its number, name and scope; the shape
 * of its result; its inputs (#3 is the result of operator 3); the bytes of the result (0 for a
 * view); the floating-point operations of the forward pass (- if the operator does not state
 * them); the smallest and largest value and, after the backward pass, gradient. The last line
 * has the sums. False if `tape` is NULL, on a write error, or, with the tape's error set, if
 * there is no memory. */
TG_EXPORT bool tg_tape_print(tg_tape *tape, FILE *stream);

/* Writes the tape as a graph for Graphviz (dot -Tsvg): operators grouped by scope, with the
 * parameters that they read. A group of operators that repeats, such as a step of an LSTM, is drawn
 * once, with the number of times. False as for tg_tape_print. */
TG_EXPORT bool tg_tape_write_dot(tg_tape *tape, FILE *stream);

/* Turns anomaly detection on or off. It is off in a new tape. While it is on, the first NaN or
 * infinity in a result or gradient sets the tape's error, which names the operator, its scope, the
 * shape and the position, and says what is likely wrong if the operator knows (op->anomaly_hint):
 *     sqrt: the gradient of an input [4] is inf at [0] (operator 6, scope "out"): the deriva...
 * Results of an operator that may be infinite by definition (op->may_be_infinite) are checked for
 * NaN only. */
TG_EXPORT void tg_tape_detect_anomaly(tg_tape *tape, bool on);

/* The first likely mistake that anomaly detection found and that is not an error, such as
 * probabilities passed to tg_cross_entropy, or NULL. One line, owned by the tape, which keeps it
 * until it is freed. */
TG_EXPORT const char *tg_tape_warning(const tg_tape *tape);

TG_END_DECLS
#endif
