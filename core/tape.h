/* The tape: operators record themselves on it as they run, and tg_backward walks it in reverse.
 *
 * Errors are sticky. A tape remembers its first error, with the operator, the shapes and the sizes
 * at fault. From then on every call on the tape does nothing and returns NULL or false, and NULL
 * tensors may be passed on. So a program calls all operators of a step and checks for an error
 * once. tg_tape_reset does not clear an error; tg_tape_take_error does.
 *
 * Only one thread at a time may use a tape. Tapes of several threads may read the same parameters.
 * A call that writes parameters or their gradients (tg_backward, an optimizer's step,
 * tg_params_load) must not run at the same time as any other call that uses the parameters. */
#ifndef TG_TAPE_H
#define TG_TAPE_H

#include "random.h"
#include "tensor.h"

TG_BEGIN_DECLS

/* A new tape, recording and in training mode. `seed` seeds the generator that dropout draws from.
 * The caller frees the tape with tg_tape_free. Returns NULL if there is no memory. Every function
 * here accepts a NULL tape and then does nothing. */
TG_EXPORT tg_tape *tg_tape_new(uint64_t seed);

/* Frees a tape and every tensor made on it. NULL is allowed. */
TG_EXPORT void tg_tape_free(tg_tape *tape);

/* Removes every recorded operator and every tensor made on the tape. The tape reuses their memory,
 * so that training steps of equal size allocate nothing. The modes, the generator and a sticky
 * error stay. */
TG_EXPORT void tg_tape_reset(tg_tape *tape);

/* The sticky error as one line without a newline, or NULL if there is none. The text is valid
 * until the next call on the tape. A NULL tape has the error "out of memory", with the bytes of a
 * tape. */
TG_EXPORT const char *tg_tape_error(const tg_tape *tape);

/* Returns the sticky error like tg_tape_error and clears it. After a reset the tape can be used
 * again. */
TG_EXPORT const char *tg_tape_take_error(tg_tape *tape);

/* Memory that lives until the tape is reset, not cleared, for layers of your own. NULL, with the
 * error set, if there is none. */
TG_EXPORT void *tg_tape_alloc(tg_tape *tape, size_t bytes);

/* Sets the sticky error, for layers of your own; a first error stays. Returns
 * NULL, which is also false. */
TG_EXPORT void *tg_tape_fail(tg_tape *tape, const char *format, ...) TG_PRINTF(2, 3);

/* Training mode or evaluation mode. In training mode, which a new tape has, dropout drops. */
TG_EXPORT void tg_tape_set_training(tg_tape *tape, bool training);
TG_EXPORT bool tg_tape_training(const tg_tape *tape);

/* Recording, which a new tape does, or only computing values. A tape that does not record makes no
 * tensor that requires a gradient. */
TG_EXPORT void tg_tape_set_recording(tg_tape *tape, bool recording);
TG_EXPORT bool tg_tape_recording(const tg_tape *tape);

/* The generator that dropout draws from. Programs may read, save and set it. It belongs to the
 * tape. NULL for a NULL tape. */
TG_EXPORT tg_random *tg_tape_random(tg_tape *tape);

/* The number of operators recorded since the last reset, and the bytes that they and their tensors
 * take. 0 for a NULL tape. */
TG_EXPORT int64_t tg_tape_length(const tg_tape *tape);
TG_EXPORT size_t tg_tape_bytes(const tg_tape *tape);

/* A tensor of a shape, with a copy of the numbers at `data`, or zeros if `data` is NULL. The tape
 * owns it. A constant takes no gradient. A variable on a recording tape does: after tg_backward
 * its `grad` is dL/d(variable). Returns NULL and sets an error if a size is negative, if the
 * tensor is too large, or if there is no memory. */
TG_EXPORT tg_tensor *tg_constant(tg_tape *tape, const tg_real *data, int ndim,
                                 const int64_t *shape);
TG_EXPORT tg_tensor *tg_variable(tg_tape *tape, const tg_real *data, int ndim,
                                 const int64_t *shape);

/* The backward pass from `loss`, a single number L. Computes dL/d(tensor) for every recorded
 * tensor that depends on a parameter or variable, and adds dL/d(parameter) to the parameters'
 * gradients. Gradients of several passes (on several tapes, or on one that is reset in between)
 * add up until an optimizer's step uses them.
 *
 * Returns false and sets an error if the loss is not a single number, if it depends on nothing
 * that takes a gradient, or if there was a backward pass on this tape since its last reset. If the
 * pass fails halfway, the tg_params of the parameters get the error too, so that no step uses an
 * incomplete gradient. */
TG_EXPORT bool tg_backward(tg_tape *tape, tg_tensor *loss);

TG_END_DECLS
#endif
