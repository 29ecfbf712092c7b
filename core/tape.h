/* The tape: operators write themselves on it as they run, and tg_backward walks it in reverse.
 *
 * Errors stick. The first error of a tape is kept with the operator, the shapes and the sizes at fault; from then on
 * every call on the tape does nothing and returns NULL (or false), and NULL tensors may be passed on. So a program calls
 * a whole step and checks once. An error outlives tg_tape_reset until tg_tape_take_error has taken it.
 *
 * A tape is used by one thread at a time. Tapes of several threads may read the same parameters; whoever writes
 * parameters or their gradients (tg_backward, an optimizer, tg_params_load) must be alone. */
#ifndef TG_TAPE_H
#define TG_TAPE_H

#include "random.h"
#include "tensor.h"

TG_BEGIN_DECLS

/* A new tape in training mode, recording. `seed` starts the generator that dropout draws from. NULL when there is no
 * memory; every function here takes a NULL tape and then does nothing. The caller frees it. */
TG_EXPORT tg_tape *tg_tape_new(uint64_t seed);

/* Frees a tape and every tensor made on it. NULL is taken. */
TG_EXPORT void tg_tape_free(tg_tape *tape);

/* Forgets all that was recorded, and every tensor made on the tape, in one move. The memory is kept for the next
 * step, so that a steady loop allocates nothing. Modes, generator and a sticky error stay. */
TG_EXPORT void tg_tape_reset(tg_tape *tape);

/* The sticky error as one line without a newline, or NULL. The text is good until the next call on the tape. A NULL tape
 * has the error "out of memory", with the bytes of one. */
TG_EXPORT const char *tg_tape_error(const tg_tape *tape);

/* Returns the sticky error like tg_tape_error and clears it, so that the tape can be used again after a reset. */
TG_EXPORT const char *tg_tape_take_error(tg_tape *tape);

/* Sets the sticky error, for layers of your own; a first error stays. Returns false. */
TG_EXPORT bool tg_tape_fail(tg_tape *tape, const char *format, ...) TG_PRINTF(2, 3);

/* Training mode (dropout drops; on in a new tape) or evaluation. */
TG_EXPORT void tg_tape_set_training(tg_tape *tape, bool training);
TG_EXPORT bool tg_tape_training(const tg_tape *tape);

/* Recording (on in a new tape), or only computing values: then nothing made requires a gradient. */
TG_EXPORT void tg_tape_set_recording(tg_tape *tape, bool recording);
TG_EXPORT bool tg_tape_recording(const tg_tape *tape);

/* The generator that dropout draws from, to be read, saved or set; owned by the tape. NULL for a NULL tape. */
TG_EXPORT tg_random *tg_tape_random(tg_tape *tape);

/* Number of operators recorded since the reset, and bytes of the arena in use; 0 of a NULL tape. */
TG_EXPORT int64_t tg_tape_length(const tg_tape *tape);
TG_EXPORT size_t tg_tape_bytes(const tg_tape *tape);

/* A tensor of a shape with a copy of the caller's numbers; `data` NULL fills it with zeros. A constant takes no gradient, a
 * variable on a recording tape does, for those who want dL/d(input): it is the tensor's `grad` after tg_backward. Sets an
 * error where a size is negative or the whole is too large. */
TG_EXPORT tg_tensor *tg_constant(tg_tape *tape, const tg_real *data, int ndim,
                                 const int64_t *shape);
TG_EXPORT tg_tensor *tg_variable(tg_tape *tape, const tg_real *data, int ndim,
                                 const int64_t *shape);

/* Walks the tape backwards from `loss` (one number): computes dL/d(tensor) of every recorded tensor that leads to a
 * parameter or variable, and adds dL/d(parameter) to the parameters' gradients. Gradients of several passes (several
 * tapes, or one that is reset in between) add up until an optimizer's step uses them. Returns false and sets an error
 * when the loss is not one number or depends on nothing that takes a gradient, or when this tape has been backward_done since
 * its last reset. When the pass breaks off for want of memory, the parameters' owner gets the error too, so that no step
 * uses half a gradient. */
TG_EXPORT bool tg_backward(tg_tape *tape, tg_tensor *loss);

TG_END_DECLS
#endif
