/* The backprop stepper: one web page, which needs nothing else, that walks a tape forward and backward, operator by
 * operator, with every number as the library computed it. What it says of an operator stands in page/; one of a
 * program's own is shown too, by its shapes, values and gradients. */
#ifndef STEPPER_H
#define STEPPER_H

#include "tapegrad.h"

#include <stdio.h>

/* What stands along the axes of a matrix. */
enum { STEPPER_ROWS_ARE_WORDS = 1, STEPPER_COLUMNS_ARE_WORDS = 2, STEPPER_COLUMNS_ARE_LABELS = 4 };

/* Not stored whole are parameters of more numbers, and what is cut out of them: a row, a column and the norm are. */
enum { STEPPER_LARGE = 1024, STEPPER_MOST_WORDS = 64 };

typedef struct stepper_item { /* a tensor of the tape */
    const tg_tensor *tensor;
    char name[32]; /* as a formula has it, "h_3"; "": none */
    int axes;
    int64_t alike;       /* the item whose features these are, too: see features in stepper.c */
    int64_t unit;        /* of those features, the one that is looked at */
    int64_t row, column; /* that are stored; row -1: it is stored whole */
} stepper_item;

/* Start with {0}; what is not set is not shown. Everything pointed to is the caller's. stepper_free works at any time. */
typedef struct stepper {
    const char *title, *about; /* about: one sentence on what is computed */
    const char *const *words, *const *labels;
    const int32_t
        *ids; /* of the words: rows of the table that they are gathered from; 1: not a known one */
    int word_count, label_count, label;
    double agreement[3],
        agreed; /* differences to the fused path of loss, logits, gradients; the limit (0: unknown) */
    double rate;                    /* of the step of gradient descent at the end */
    double (*again)(void *context); /* the loss once more, after that step */
    void *context;
    stepper_item *items;
    int64_t count, room;
    size_t refused; /* bytes, where there was no memory for them */
} stepper;

/* Gives a tensor its name in formulas (printf's manner; what follows _ is an index), says what its axes are, returns it. */
tg_tensor *stepper_name(stepper *page, tg_tensor *tensor, int axes, const char *format, ...)
    __attribute__((__format__(__printf__, 4, 5)));

/* Writes the page of the tape that leads to `loss`, after tg_backward. The parameters have taken a step then, and their
 * gradients are used up. False when memory, the stream or the step failed. */
bool stepper_write(stepper *page, FILE *stream, const tg_tensor *loss, tg_params *params);

void stepper_free(stepper *page);

#endif
