/* A small layer in which a fault can be planted: y = w mean over t < length (x_t), from x [B, T, 3]
 * to y [B, 3]. */
#ifndef TEST_FAULTY_LAYER_H
#define TEST_FAULTY_LAYER_H

#include "../support/support.h"

typedef enum test_fault {
    RIGHT, /* none */

    /* gradients */
    SIGN,        /* dw has the wrong sign */
    SCALE,       /* dw is too large by 1e-5 */
    ONE_ELEMENT, /* one element of dw is doubled */
    NO_DX,       /* dx is missing */
    SET_DX,      /* dx is set, not added to */
    SET_DW,
    LATE_DX, /* dx is one position too early */

    /* padding */
    MEAN_OVER_T,     /* divides by T */
    ONE_TOO_FAR,     /* reads one position past the length */
    NEIGHBOUR,       /* reads another sequence of the batch */
    BIAS_IN_PADDING, /* [B, T, 3] with results past the lengths */
    NO_EMPTY,        /* refuses a batch of empty sequences */
    NOT_FULL,        /* refuses tg_full_length() */
    OTHER_IN_FULL,   /* computes something else for it */
    NARROW_IN_FULL,  /* gives a narrower result for it */
    NOT_ALL_FULL,    /* refuses a batch without padding */
    NARROW_IF_LONG,  /* gives a narrower result if T > 7 */

    /* repeats */
    NOT_COPIED,   /* reads the caller's lengths in the backward pass */
    DX_AT_TIMES,  /* no dx from the third backward pass on */
    COUNTER,      /* adds the number of calls to a result */
    COUNTER_BACK, /* to a gradient */
    CARRIED,      /* adds a number of the previous batch */
    SECOND_FAILS, /* the second call is an error */

    /* threads */
    FEW_ROWS,     /* refuses more than 10 sequences */
    THREADS,      /* sums in an order that depends on the number of threads */
    THREADS_BACK, /* so does the backward pass */

    /* runs */
    MUTE,        /* forward returns NULL and sets no error */
    PARAMS_FAIL, /* forward sets an error on the parameters */
    WRONG_NAME,  /* a parameter has a name of its own */
    UNREAD,      /* a parameter that no operator reads */
    WRONG_SHAPE, /* [3, B] */
    NO_INIT,     /* init returns false */
    REGISTERS,   /* forward registers parameters */

    /* files */
    NOT_FROM_FILE, /* init returns false while loading */
    NOT_LOADED,    /* init overwrites what was loaded */

    /* memory */
    GROWS,          /* saves more in each call */
    REGISTERS_LATE, /* forward registers parameters from the second call on */
    SHORT_ONLY,     /* refuses T > 200, which is not a fault */

    /* errors */
    ANY_WIDTH,  /* accepts any width of x */
    ANY_AXES,   /* any number of axes */
    ANY_LENGTH, /* any lengths */
    SILENT,     /* returns NULL for a wrong width and sets no error */
    DEAF,       /* returns a result after an error */

    /* crashes */
    CRASH_DX,   /* writes dx though x requires no gradient */
    CRASH_DW,   /* the same for a frozen weight */
    CRASH_NULL, /* reads x without a check for NULL */
    CRASH_AXES, /* reads the third axis of x without a check */
    CRASH_INIT
} test_fault;

/* The layer with this fault, with all counters at 0. */
tg_checked_layer test_faulty_layer(test_fault fault);

#endif
