/* What the workloads share: the hash of all that they compute, and numbers to compute it from. */
#ifndef BITS_H
#define BITS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <tapegrad.h>

/* FNV-1a over the bits of numbers, 32 at a time, and what it is of. */
typedef struct digest {
    uint64_t hash;
    const char *name;
} digest;

digest digest_new(const char *name);
void digest_numbers(digest *d, int64_t n, const tg_real *x);
void digest_tensor(digest *d, const tg_tensor *x); /* its numbers, and its gradient if it has one */
void digest_params(digest *d, tg_params *params); /* values, and what optimizers keep beside them */
void digest_print(const digest *d, const char *what);

/* Ends the program with the error on the tape or the parameters, if there is one. */
void check_errors(const char *name, const tg_tape *tape, const tg_params *params);

/* Uniform over [low, high), from a stream of its own; a variable on the tape; integers from 0 to below `bound`. */
void fill(tg_real *x, int64_t n, const char *stream, uint64_t seed, double low, double high);
tg_tensor *filled(tg_tape *tape, const char *stream, uint64_t seed, double low, double high,
                  int ndim, const int64_t *shape);
void fill_ints(int32_t *x, int64_t n, const char *stream, uint64_t seed, uint32_t bound);

/* A training. A model is one block of memory, which starts as zeros. */
typedef struct training {
    const char *name;
    size_t size;
    void (*init)(void *model, tg_params *params);
    tg_tensor *(*loss)(tg_tape *tape, void *model, uint64_t step, digest *d);
    void (*take_step)(tg_params *params, int64_t step);
} training;

extern const training trainings[];
extern const int training_count;

/* Each operator, and products of many shapes, with their gradients; prints lines of its own. */
void run_operators(void);
void run_products(void);

#endif
