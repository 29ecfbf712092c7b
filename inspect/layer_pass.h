/* What check_layer.c, layer_pass.c and layer_checks.c share: the state of tg_check_layer, a pass of
 * the layer over a batch, the comparison of two passes, and the checks themselves. */
#ifndef TG_LAYER_PASS_H
#define TG_LAYER_PASS_H

#include "../core/shape.h"
#include "../core/tape_private.h"
#include "check_layer.h"

enum { TG_BATCH_ROWS = 4, TG_BATCH_TIME = 7, TG_MAX_BATCH_ROWS = 16 };

/* The state of tg_check_layer. */
typedef struct tg_checker {
    const tg_checked_layer *layer;
    tg_layer_report *report;
    tg_layer_check check;               /* the current one */
    tg_params *params;                  /* those that the layer's struct points into */
    int32_t lengths[TG_MAX_BATCH_ROWS]; /* the array that forward received last */
} tg_checker;

/* Sequences `first`, `first` + 1, ... of one fixed set. Up to its length, a sequence has the same
 * numbers in every batch. */
typedef struct tg_batch {
    int64_t rows, time, first;
    double padding;                     /* x past the lengths */
    int32_t lengths[TG_MAX_BATCH_ROWS]; /* of the set, from sequence 0 on */
    enum { TG_GRADS_ALL, TG_GRADS_OF_PARAMS, TG_GRAD_OF_X } required;
    enum {
        TG_LENGTHS_STAY,
        TG_LENGTHS_OVERWRITTEN, /* their array changes after forward */
        TG_LENGTHS_FULL         /* tg_full_length() */
    } lengths_kind;
} tg_batch;

/* The batch of most checks: [4, 7, I] with lengths 5, 0, 7, 1. */
extern const tg_batch tg_usual_batch;

typedef struct tg_layer_pass {
    const tg_batch *batch;
    tg_tape *tape; /* owns the tensors */
    tg_tensor *x, *y;
    tg_tensor *gradients; /* of all parameters, one after the other */
    size_t bytes;         /* of the tape in use, at the end of the backward pass */
} tg_layer_pass;

/* ---- layer_pass.c ---- */

/* Sets the current check's line and verdict; returns `passed`. */
bool tg_layer_conclude(tg_checker *c, bool passed, const char *format, ...) TG_PRINTF(3, 4);

/* Leaves the current check out, for this reason. */
void tg_layer_skip(tg_checker *c, const char *reason);

/* Writes the step that comes next to the caller's `progress`. */
void tg_layer_progress(const tg_checker *c, const char *step);

/* A new tg_params, from `file` unless that is NULL, and the layer in it. Parameters that are not
 * from a file are moved off their start. False with the error on c->params. */
bool tg_layer_make(tg_checker *c, uint64_t seed, const char *file);

/* Fills x with numbers of (-1, 1) that depend on the sequence, position, feature and seed; past the
 * lengths with `padding`. */
void tg_batch_fill(const tg_batch *batch, tg_tensor *x, uint64_t seed, double padding);

/* The caller's forward; and the same with an error on the tape if the result has an illegal
 * shape. */
tg_tensor *tg_layer_call(tg_checker *c, tg_tape *tape, tg_tensor *x, const tg_batch *batch);
tg_tensor *tg_layer_forward(tg_checker *c, tg_tape *tape, tg_tensor *x, const tg_batch *batch);

/* A forward and a backward pass on pass->tape, after a reset. */
void tg_layer_repeat(tg_checker *c, tg_layer_pass *pass);

/* The same on a new tape, which the caller frees (tg_tape_free). */
tg_layer_pass tg_layer_new_pass(tg_checker *c, const tg_batch *batch, const char *step);

/* Why a pass failed, or NULL: then all its tensors exist. */
const char *tg_layer_pass_error(const tg_layer_pass *pass);

/* Whether a pass over `batch` gives the bits that `expected` gave, for the sequences and gradients
 * that both have. If not, concludes the check with the first difference. */
bool tg_layer_same_bits(tg_checker *c, const char *step, const tg_layer_pass *expected,
                        const tg_batch *batch);

/* ---- layer_checks.c ---- */

/* A function for each check, which calls tg_layer_conclude or tg_layer_skip. */
extern void (*const tg_layer_checks[TG_LAYER_CHECKS])(tg_checker *c);

#endif
