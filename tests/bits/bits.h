/* Shared by the workloads: the hash of their results, and random inputs. */
#ifndef BITS_H
#define BITS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <tapegrad.h>

/* FNV-1a over the bits of numbers, 32 at a time, with the workload's name. */
typedef struct digest {
    uint64_t hash;
    const char *name;
} digest;

digest digest_new(const char *name);
void digest_numbers(digest *d, int64_t n, const tg_real *x);
void digest_tensor(digest *d, const tg_tensor *x); /* numbers, and the gradient if there is one */
void digest_params(digest *d, tg_params *params);  /* values and optimizer state */
void digest_print(const digest *d, const char *what);

/* Ends the program with a message if the tape or the parameters have an error. */
void check_errors(const char *name, const tg_tape *tape, const tg_params *params);

/* Random numbers of a named stream: uniform over [low, high), also as a variable; integers of 0 ..
 * bound - 1. */
void fill(tg_real *x, int64_t n, const char *stream, uint64_t seed, double low, double high);
tg_tensor *filled(tg_tape *tape, const char *stream, uint64_t seed, double low, double high,
                  int ndim, const int64_t *shape);
void fill_ints(int32_t *x, int64_t n, const char *stream, uint64_t seed, uint32_t bound);

/* A training. The model is a struct of `size` bytes, all 0 before init. */
typedef struct training {
    const char *name;
    size_t size;
    void (*init)(void *model, tg_params *params);
    tg_tensor *(*loss)(tg_tape *tape, void *model, uint64_t step, digest *d);
    void (*take_step)(tg_params *params, int64_t step);
} training;

extern const training trainings[];
extern const int training_count;

/* Operators, and matrix products of many shapes, with their gradients. Each prints its lines. */
void run_operators(void);
void run_products(void);

#endif
