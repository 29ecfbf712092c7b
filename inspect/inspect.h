/* Looking at a tape: in words, as a graph, and while it runs, at where a NaN began. Looking changes no bit of a result. */
#ifndef TG_INSPECT_H
#define TG_INSPECT_H

#include "../core/op.h"

#include <stdio.h>

TG_BEGIN_DECLS

/* Every operator stands in a scope, such as encoder/self_attn: that of the parameters that it reads, by their names, or
 * else the one that what it reads and what reads it have in common, or else that of the latter. tg_scope_begin opens one
 * round it (its name is copied, up to 60 bytes), until tg_scope_end or a reset; they nest. */
TG_EXPORT void tg_scope_begin(tg_tape *tape, const char *name);
TG_EXPORT void tg_scope_end(tg_tape *tape);

/* Writes a row for each recorded operator: its number, name and scope, the shape of its result, what it reads (by number or
 * name), the bytes of the result, the floating-point operations that it tells of (-: none), and the range of the values
 * and, after the backward pass, of the gradients. Below it stand the sums. False if the stream failed, or, with
 * the tape's error set, if there is no memory. */
TG_EXPORT bool tg_tape_print(tg_tape *tape, FILE *stream);

/* The same as a graph for Graphviz (dot -Tsvg): operators grouped by scope, with the parameters that they read; what
 * repeats, as the steps of an unrolled LSTM do, is drawn once, with how often. False as above. */
TG_EXPORT bool tg_tape_write_dot(tg_tape *tape, FILE *stream);

/* From now on each result and each gradient is looked through as it is made, and the first NaN or infinity is the tape's
 * error, with operator, scope, shapes and place. An operator whose result may be infinite by its definition
 * (op->may_be_infinite) is asked for NaN only. Off in a new tape. */
TG_EXPORT void tg_tape_detect_anomaly(tg_tape *tape, bool on);

/* The first thing that a watched tape took for a mistake, though it is no error, such as probabilities where a loss wants
 * logits; one line, good as long as the tape. NULL: there was none. */
TG_EXPORT const char *tg_tape_warning(const tg_tape *tape);

TG_END_DECLS
#endif
