/* The layer check: tests on your own layer everything that tapegrad promises of its layers.
 *
 *     static bool init(void *layer, tg_params *params, const char *name)
 *     {
 *         return tg_lstm_init(layer, params, name, 3, 5, 1, false);
 *     }
 *     static tg_tensor *forward(tg_tape *tape, const void *layer, tg_tensor *x, tg_ints lengths)
 *     {
 *         return tg_lstm_forward(tape, layer, x, lengths);
 *     }
 *
 *     tg_lstm lstm;
 *     tg_checked_layer checked = {.layer = &lstm, .init = init, .forward = forward, .input = 3,
 *                                 .file = "lstm.check"};
 *     tg_layer_report report;
 *     bool right = tg_check_layer(&checked, &report);
 *     tg_layer_report_write(&report, stdout);
 *
 * Compile it with -DTG_DOUBLE and link tapegrad-double: float is too coarse to check gradients.
 * layers/README.md writes a layer step by step and checks it. */
#ifndef TG_CHECK_LAYER_H
#define TG_CHECK_LAYER_H

#include "../core/params.h"
#include "../core/tape.h"

#include <stdio.h>

TG_BEGIN_DECLS

/* The layer to check. It reads x [B, T, I] and lengths [B], and returns [B, T, D], a vector for
 * each position, or [B, D], a vector for each sequence. Wrap a layer of another form in functions
 * of this form. Fields that are left out are 0. */
typedef struct tg_checked_layer {
    /* The layer's struct, owned by the caller. init fills it several times, forward reads it. */
    void *layer;

    /* Registers the parameters, each as "name.*", and fills the struct. False on an error. */
    bool (*init)(void *layer, tg_params *params, const char *name);

    /* `lengths` may be tg_full_length(); its array may change once forward has returned. */
    tg_tensor *(*forward)(tg_tape *tape, const void *layer, tg_tensor *x, tg_ints lengths);

    int64_t input; /* I, at least 1 */

    /* The layer computes each position by itself and ignores lengths, as Linear does: results in
     * the padding are not checked. */
    bool pointwise;

    /* Results past a length need not be 0, as in a transformer block. */
    bool nonzero_padding;

    /* A path for the check of files, which overwrites this file and removes it at the end. NULL
     * skips the check. */
    const char *file;

    /* Unless NULL: receives a line before each step, flushed. If the layer crashes the program, the
     * last line names the check and the step. */
    FILE *progress;
} tg_checked_layer;

/* The checks, in this order. If the first or the second fails, those that depend on it are
 * skipped. */
typedef enum tg_layer_check {
    /* Init and forward succeed, the result has a legal shape, each parameter is named "name.*" and
     * read by an operator. */
    TG_LAYER_RUNS,

    /* Results and gradients have the same bits on every pass: after another batch, if the array of
     * lengths changes after forward, and if x or the parameters require no gradient. */
    TG_LAYER_REPEATS,

    /* They have the same bits on 1, 2, 3 and 4 threads. Skipped without OpenMP. */
    TG_LAYER_THREADS,

    /* tg_gradcheck passes for the parameters and x, also if another operator reads them too.
     * Skipped in float. */
    TG_LAYER_GRADIENTS,

    /* Saved, and loaded before init, the layer computes the same bits. Skipped without a file. */
    TG_LAYER_FILES,

    /* Neither NaN past a length, nor more padding, nor the other sequences of the batch change a
     * bit. tg_full_length() means the same as lengths of T. */
    TG_LAYER_PADDING,

    /* From the second pass on, no pass uses more memory. The report says how it grows with T. */
    TG_LAYER_MEMORY,

    /* Inputs that do not fit set an error on the tape and give NULL; after an error, forward takes
     * x NULL and returns NULL. */
    TG_LAYER_ERRORS,

    TG_LAYER_CHECKS /* their number */
} tg_layer_check;

/* The outcome of a check. */
typedef enum tg_layer_verdict {
    TG_LAYER_SKIPPED,
    TG_LAYER_PASSED,
    TG_LAYER_FAILED
} tg_layer_verdict;

/* The outcome of all checks, in the order of tg_layer_check. */
typedef struct tg_layer_report {
    bool passed; /* no check failed */
    /* Of one check. */
    struct tg_layer_line {
        tg_layer_verdict verdict;
        char text[640]; /* one line: what the check found, and where */
    } lines[TG_LAYER_CHECKS];
} tg_layer_report;

/* Checks a layer on small batches, all passes in evaluation mode. init is called several times,
 * each time with a new tg_params; the check then adds a small random number to each parameter,
 * because errors can hide behind a bias of 0. Gradients are compared at up to three points, because
 * one may lie at a kink such as relu's; the text says if it took more than one. Sets the number of
 * OpenMP threads and restores it. It does not see memory that the layer allocates outside the tape.
 * A crash of the layer ends the program: set `progress` to see which check caused it. Returns
 * report->passed; `report` may be NULL. */
TG_EXPORT bool tg_check_layer(const tg_checked_layer *layer, tg_layer_report *report);

/* Writes the report: a line for each check and one that sums up. False on a write error. */
TG_EXPORT bool tg_layer_report_write(const tg_layer_report *report, FILE *stream);

/* The name of a check in the report, such as "gradients". A constant. */
TG_EXPORT const char *tg_layer_check_name(tg_layer_check check);

TG_END_DECLS
#endif
