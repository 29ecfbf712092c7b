/* Gradient check: compares the gradients of the backward pass with finite differences.
 *
 *     typedef struct model {
 *         tg_linear linear;
 *         tg_real x[6];
 *     } model;
 *     static tg_tensor *output(tg_tape *tape, void *context)
 *     {
 *         model *m = context;
 *         return tg_linear_forward(tape, &m->linear, tg_constant(tape, m->x, TG_SHAPE(2, 3)));
 *     }
 *
 *     tg_gradcheck_report report;
 *     if (!tg_gradcheck(params, output, &m, &report)) puts(report.message);
 *
 * Compile it with -DTG_DOUBLE and link tapegrad-double: float is too coarse to prove a gradient.
 * To check the gradient of an input, register the input as a parameter. */
#ifndef TG_GRADCHECK_H
#define TG_GRADCHECK_H

#include "../core/params.h"
#include "../core/tape.h"

TG_BEGIN_DECLS

/* Computes the tensor to differentiate from the parameters, on `tape`. It is called many times,
 * each time on a tape in the same state (training mode, the generator at its start), and must
 * compute the same function each time. A result of several numbers is multiplied by fixed random
 * numbers and summed. NULL or an error on the tape fails the check. */
typedef tg_tensor *(*tg_gradcheck_function)(tg_tape *tape, void *context);

/* The outcome of a gradient check, with the comparison that had the largest error. */
typedef struct tg_gradcheck_report {
    bool passed;
    int64_t checked;             /* number of comparisons: elements, or random directions */
    char parameter[TG_MAX_NAME]; /* of the largest error */
    int64_t index;               /* element of that parameter; -1: a random direction */
    double analytic, numeric;    /* the derivative by the backward pass, by finite differences */
    double error;                /* |analytic - numeric| / tolerance: above 1 or NaN fails */
    char message[512];           /* all of this in one line, with the operators that read it */
} tg_gradcheck_report;

/* Checks dL/d(parameter) of every parameter that is not frozen. In double, an analytic derivative a
 * and a numeric one n pass if
 *     |a - n| <= 1e-6 max(|a|, |n|, 1e-3 max|g|),   g the gradients of all parameters.
 * Each element of a parameter is checked; of more than 512 elements, 32 random directions instead.
 * In float the factor is 2e-2 instead of 1e-6, plus an allowance for the rounding of L. A kink
 * (relu at 0, equal maxima) closer than 0.004 makes a right gradient fail: the caller chooses
 * values that avoid it. Values of parameters are changed and restored; gradients are cleared before
 * and after. These fail, too, with the reason in the message: an error of the function, a value
 * that is not finite, and a function that gives two values at one point. Returns report->passed;
 * `report` may be NULL. */
TG_EXPORT bool tg_gradcheck(tg_params *params, tg_gradcheck_function function, void *context,
                            tg_gradcheck_report *report);

TG_END_DECLS
#endif
