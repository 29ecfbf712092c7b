/* Is a gradient right? Compared, element by element, with central differences of fourth order. */
#ifndef TG_GRADCHECK_H
#define TG_GRADCHECK_H

#include "../core/params.h"
#include "../core/tape.h"

TG_BEGIN_DECLS

/* Builds the tensor whose gradient is in question, from the parameters, on `tape`. It is called many times, each time on
 * a tape in the same state (training mode, the generator set back), and must compute the same each time. An output of
 * several numbers is weighed by fixed random numbers and added up. */
typedef tg_tensor *(*tg_gradcheck_function)(tg_tape *tape, void *context);

/* What a check found. */
typedef struct tg_gradcheck_report {
    bool passed;
    int64_t checked;             /* elements, or directions, compared */
    char parameter[TG_MAX_NAME]; /* of the worst one */
    int64_t index;               /* the element of it; -1: a random direction */
    double analytic, numeric;    /* the backward pass's and the difference's derivative */
    double error;                /* |a - n| over what is allowed: above 1 fails, NaN fails */
    char message[512]; /* one line that says all of it and the operators that read the parameter */
} tg_gradcheck_report;

/* Checks dL/d(parameter) of every parameter that is not frozen. Allowed is
 *     |a - n| <= 1e-6 max(|a|, |n|, 1e-3 max|g|),   g the gradients of all parameters,
 * in double; a parameter of more than 512 elements is checked along 32 random directions. In float, where differences are
 * too coarse to prove anything, 1e-6 becomes 2e-2 and the rounding of f is allowed for. Points within 0.004 of a kink (relu
 * at 0, equal maxima) are the caller's to avoid. Parameters are moved and put back; their gradients are dropped at the
 * start and at the end. Returns report->passed; `report` may be NULL. Errors of the function, a gradient or difference that
 * is not finite, and a function that gives two values at one point fail, with the message. */
TG_EXPORT bool tg_gradcheck(tg_params *params, tg_gradcheck_function function, void *context,
                            tg_gradcheck_report *report);

TG_END_DECLS
#endif
