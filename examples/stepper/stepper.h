/* The backprop stepper writes one self-contained web page. It steps through a tape, forward and
 * backward, operator by operator, with every number as the library computed it. The texts on
 * operators are in page/. An operator of your own is shown, too, by its shapes, values and
 * gradients. */
#ifndef STEPPER_H
#define STEPPER_H

#include "tapegrad.h"

#include <stdio.h>

/* What the axes of a matrix are. */
enum { STEPPER_ROWS_ARE_WORDS = 1, STEPPER_COLUMNS_ARE_WORDS = 2, STEPPER_COLUMNS_ARE_LABELS = 4 };

/* Of a parameter with more numbers than STEPPER_LARGE, and of its slices, the page has one row,
 * one column and the norm. */
enum { STEPPER_LARGE = 1024, STEPPER_MAX_WORDS = 64 };

typedef struct stepper_item { /* a tensor of the tape */
    const tg_tensor *tensor;
    char name[32]; /* in formulas, such as "h_3"; "": none */
    int axes;
    int64_t set;         /* an item with the same features: see find_set in stepper.c */
    int64_t unit;        /* the feature of this set that the page follows */
    int64_t row, column; /* the ones on the page; row -1: all of them */
} stepper_item;

/* Start with {0}; the page leaves out what is not set. The caller owns everything that it points
 * to. stepper_free may be called at any time. */
typedef struct stepper {
    const char *title, *about; /* about: a sentence on the computation */
    const char *const *words, *const *labels;
    const int32_t *ids; /* the words' rows in the embedding; 1: an unknown word */
    int word_count, label_count, label;
    double difference[3];  /* from the fused operators: of the loss, the logits, the gradients */
    double max_difference; /* the limit for them; 0: not compared */
    double lr;             /* learning rate of the step of gradient descent at the end */
    double (*loss_again)(void *context); /* computes the loss after that step */
    void *context;
    stepper_item *items;
    int64_t count, capacity;
    size_t failed_bytes; /* size of an allocation that failed; 0: none */
} stepper;

/* Gives a tensor its name in formulas (as printf; an index follows _) and the meaning of its
 * axes. Returns the tensor. */
tg_tensor *stepper_name(stepper *page, tg_tensor *tensor, int axes, const char *format, ...)
    __attribute__((__format__(__printf__, 4, 5)));

/* Writes the page of the tape that ends in `loss`; call it after tg_backward. It takes a step of
 * gradient descent, which changes the parameters and clears their gradients. False if memory,
 * the stream or the step failed. */
bool stepper_write(stepper *page, FILE *stream, const tg_tensor *loss, tg_params *params);

void stepper_free(stepper *page);

#endif
