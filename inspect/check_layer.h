/* Is a layer right? The layer lint: everything that this library promises of its own layers, asked of any. */
#ifndef TG_CHECK_LAYER_H
#define TG_CHECK_LAYER_H

#include "../core/params.h"
#include "../core/tape.h"

#include <stdio.h>

TG_BEGIN_DECLS

/* A layer as the lint sees it. It reads x [B, T, I] and lengths [B], and gives [B, T, D], a vector for each position, or
 * [B, D], one for each sequence. A layer of another form is wrapped in a forward function that has this one. */
typedef struct tg_checked_layer {
    void *layer; /* the struct that init fills and forward reads, to be filled several times */
    bool (*init)(void *layer, tg_params *params, const char *name);
    tg_tensor *(*forward)(tg_tape *tape, const void *layer, tg_tensor *x, tg_ints lengths);
    int64_t input; /* I */
    bool
        pointwise; /* sees each position by itself and takes no lengths, as Linear: nothing is asked of padded results */
    bool
        open_padding; /* its results past a length are not zeros (as a transformer block's): nothing may read them */
} tg_checked_layer;

/* The checks, in this order. Where the first or the second fails, those that rest on it are left out. */
typedef enum tg_layer_check {
    TG_LAYER_RUNS, /* the result has a legal shape; parameters are called "name.*", and each is read */
    TG_LAYER_REPEATS, /* the same bits each time, after another batch, where the lengths' array changes after forward, and where
                         * x or the parameters take no gradient */
    TG_LAYER_THREADS, /* and with 1, 2, 3 and 4 threads, result and gradients; left out in a library without OpenMP */
    TG_LAYER_GRADIENTS, /* tg_gradcheck of parameters and x, also where others read them; left out in float */
    TG_LAYER_FILES, /* saved, and loaded before init, it gives the same bits */
    TG_LAYER_PADDING, /* neither NaN past a length, nor more padding, nor other sequences beside it change a bit;
                         * tg_full_length() says the same as lengths of T */
    TG_LAYER_MEMORY, /* a step takes no more from the second pass on; how it grows with T is told */
    TG_LAYER_ERRORS, /* what does not fit gives NULL and an error on the tape; NULL passes through after an error */
    TG_LAYER_CHECKS
} tg_layer_check;

/* What became of a check. */
typedef enum tg_layer_verdict {
    TG_LAYER_LEFT_OUT,
    TG_LAYER_PASSED,
    TG_LAYER_FAILED
} tg_layer_verdict;

/* What they found, in the order of tg_layer_check. */
typedef struct tg_layer_report {
    bool passed; /* no check failed */
    /* Of one check. */
    struct tg_layer_line {
        tg_layer_verdict verdict;
        char text[640]; /* one line: what was found, and where */
    } lines[TG_LAYER_CHECKS];
} tg_layer_report;

/* Runs the checks on small batches; init is called several times, each time with a fresh tg_params, and what it registered
 * is moved a little off its start, so that no bias hides at 0. Returns report->passed; `report` may be NULL. Gradients are
 * compared in the double library only, at up to three points, for one may lie at a kink: the text says so where it took
 * more. All other passes are in evaluation mode. Sets the number of OpenMP threads and puts it back; an operator that
 * another OpenMP runtime runs is not reached. All checks but that of threads run in a process forked off, so that a crash
 * fails a check, with what it was about. Memory that the layer takes from elsewhere than the tape is not seen. */
TG_EXPORT bool tg_check_layer(const tg_checked_layer *layer, tg_layer_report *report);

/* Writes the report, a line for each check and one for the whole. False when the stream failed. */
TG_EXPORT bool tg_layer_report_write(const tg_layer_report *report, FILE *stream);

/* "gradients", ...; a constant. */
TG_EXPORT const char *tg_layer_check_name(tg_layer_check check);

TG_END_DECLS
#endif
