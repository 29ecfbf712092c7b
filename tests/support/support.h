/* Shared by the unit tests of all folders. Every test is compiled twice: for the float library and,
 * with TG_DOUBLE, for the double library. */
#ifndef TEST_SUPPORT_H
#define TEST_SUPPORT_H

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../inspect/operators.h"
#include "../../tapegrad.h"

#define INF ((double)INFINITY)
#define QNAN ((double)NAN)
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- attention (attention.c) ---- */

/* tg_attention_weights, tg_attention_weight_grads and tg_attention_score_grads, for loops over all
 * three. */
extern tg_tensor *(*const test_attention_matrix[3])(tg_tape *tape, const tg_tensor *attended);

/* The transposed factors as one value. */
static inline tg_transpose test_transposed(bool a, bool b)
{
    return (tg_transpose)((a ? TG_TRANSPOSE_A : 0) | (b ? TG_TRANSPOSE_B : 0));
}

/* ---- numbers (compare.c) ---- */

/* Largest allowed difference from a reference, relative to the largest magnitude of the reference
 * tensor. In double the errors of sums of some hundred terms are below 1e-13: 1e-10 allows for
 * ill-conditioned formulas and not for wrong ones. In float one rounding error is up to 6e-8, and
 * an LSTM or a softmax adds up some tens of them. */
#ifdef TG_DOUBLE
#define TEST_TOLERANCE 1e-10
#else
#define TEST_TOLERANCE 1e-5
#endif

/* Every comparison of floating-point numbers uses this one. NaN is near nothing; an infinity is
 * near itself. */
bool test_near(double got, double want, double allowed);

/* ck_assert for loops over numbers: it reports to the runner only on a failure, and not at every
 * call. */
#define TEST_CHECK(condition, ...)                   \
    do                                               \
        if (!(condition)) ck_abort_msg(__VA_ARGS__); \
    while (0)

/* Each number is within `tolerance` times the largest finite magnitude of `want`; where want is
 * NaN, so is got. */
void test_assert_all_near(const char *what, const tg_real *got, const double *want, int64_t count,
                          double tolerance);

/* The same for expected numbers of type tg_real, and for one number. */
void test_assert_reals_near(const char *what, const tg_real *got, const tg_real *want,
                            int64_t count, double tolerance);
void test_assert_number(const char *what, double got, double want);

/* Each number has the same bits: -0 differs from 0, and NaN may equal NaN. */
void test_assert_same_bits(const char *what, const tg_real *got, const tg_real *want,
                           int64_t count);

/* The tensor is not NULL, has the shape, and is near `want`, as in TEST_TENSOR(y, TG_SHAPE(2), 1,
 * 2). */
void test_assert_tensor(const char *what, const tg_tensor *got, int ndim, const int64_t *shape,
                        const double *want);
void test_assert_shape(const char *what, const tg_tensor *got, int ndim, const int64_t *shape);
#define TEST_TENSOR(tensor, shape, ...) \
    test_assert_tensor(#tensor, tensor, shape, (const double[]){__VA_ARGS__})

/* Number i of the sequence of a seed, uniform over [low, high). Does not use the library's
 * generator. */
double test_number(uint64_t seed, int64_t i, double low, double high);
void test_fill(tg_real *data, int64_t count, uint64_t seed, double low, double high);

/* The position in a broadcast tensor from which element `flat` of the result comes. */
int64_t test_broadcast(int64_t flat, int ndim, const int64_t *shape, int small_ndim,
                       const int64_t *small_shape);

typedef struct test_shape {
    int ndim;
    int64_t size[TG_MAX_DIMS];
} test_shape;
#define S(...)                                                                     \
    {                                                                              \
        (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), { __VA_ARGS__ } \
    }
#define S_SCALAR \
    {            \
        0, { 0 } \
    }

int64_t test_shape_size(test_shape shape);

/* ---- tapes and errors (tapes.c) ---- */

/* A variable with random numbers of [low, high). */
tg_tensor *test_variable(tg_tape *tape, uint64_t seed, double low, double high, int ndim,
                         const int64_t *shape);

/* sum(y r) with fixed random r: a loss with another gradient for each element of y. */
tg_tensor *test_weighted_loss(tg_tape *tape, tg_tensor *y, uint64_t seed);

/* Fails with the tape's error if it has one. */
void test_assert_clean(tg_tape *tape);
void test_assert_params_clean(tg_params *params);

/* test_assert_clean, then tg_tape_free. */
void test_end(tg_tape *tape, tg_params *params);

/* There is an error in one line that contains each of the texts (the last argument is NULL). Clears
 * the error and resets the tape. */
__attribute__((sentinel)) void test_expect_error(tg_tape *tape, ...);
__attribute__((sentinel)) void test_expect_params_error(tg_params *params, ...);

/* ---- memory (memory.c) ---- */

typedef struct test_memory_counts {
    int64_t asked;  /* calls that requested memory */
    int64_t blocks; /* that are not freed yet */
    int64_t failed; /* calls that returned NULL */
    size_t largest; /* bytes requested in one call */
} test_memory_counts;

/* From now on an allocator counts the library's memory. Call number `fail_at` fails (1 is the next
 * one, 0 none), and with `for_good` every call after it. test_memory_end goes back to the C
 * library's allocator and returns the counts. */
void test_memory_begin(int64_t fail_at, bool for_good);
void test_memory_refuse(int64_t fail_at, bool for_good); /* a new `fail_at`, without new counts */
test_memory_counts test_memory_now(void);
test_memory_counts test_memory_end(void);
void test_memory_leave(void); /* for a fixture: goes back to malloc, also after a failed test */

/* ---- files (files.c) ---- */

/* Makes a new empty folder; gives the path of a file in it, good until the next call; counts its
 * files; removes it with its files. One folder at a time. */
const char *test_folder_begin(void);
const char *test_path(const char *name);
int test_folder_count(void);
void test_folder_end(void);

void test_write_file(const char *path, const void *data, size_t size);
char *test_read_file(const char *path, size_t *size); /* the caller frees it */

/* Loads a golden file of the folder $TG_GOLDEN. Its tensors are found by name, in any order. */
tg_params *test_golden_open(const char *name);
tg_tensor *test_golden(tg_params *golden, const char *name, int ndim, const int64_t *shape);
/* Copies a tensor of whole numbers into `ints`. */
void test_golden_ints(tg_params *golden, const char *name, int32_t *ints, int64_t count);
/* Compares numbers of the shape of `like` with a tensor of the file; and the gradient of every
 * "param.x" with "grad.x". */
void test_golden_near(tg_params *golden, const char *name, const tg_real *got,
                      const tg_tensor *like);
void test_golden_gradients(tg_params *golden);
/* A tensor of the file as a variable; and sum(y r) with a tensor r of the file. */
tg_tensor *test_golden_input(tg_tape *tape, tg_params *golden, const char *name, int ndim,
                             const int64_t *shape);
tg_tensor *test_golden_loss(tg_tape *tape, tg_params *golden, const char *name, tg_tensor *y);

/* ---- gradient checks (coverage.c) ---- */

/* One more operator for test_unchecked_operators beside the library's; NULL for none. */
void test_extra_operator(const tg_op *op);


/* tg_gradcheck must pass, also if another operator reads each parameter. Then one more pass records
 * the operators, and their inputs, that a gradient passed through. */
void test_gradients(const char *what, tg_params *params, tg_gradcheck_function function,
                    void *context);

/* Leaves out the check with a second reader, which takes most of the time. */
void test_gradients_alone(bool yes);

/* Lists the operators of which test_gradients has not checked every input in this process, and
 * returns their number. Ignores operators named test_*. */
int test_unchecked_operators(char *text, size_t size);

/* Clears what test_gradients recorded. */
void test_forget_coverage(void);

/* The gradient checks of core's operators (operators.c), as a table. */
typedef struct test_case {
    char what[256]; /* operator and shapes */
    const void *chosen;
    tg_params *params;
    tg_tensor *p[3];
} test_case;

int test_core_case_count(void);
void test_core_case_begin(test_case *self, int index);
tg_tensor *test_core_case_build(tg_tape *tape, void *self); /* a tg_gradcheck_function */
void test_core_case_run(int index);

/* ---- composed twins of fused layers (twins.c), written with the operators of ops.h alone ---- */

tg_tensor *test_twin_lstm(tg_tape *tape, const tg_lstm *layer, tg_tensor *x, const int32_t *lengths,
                          const tg_lstm_state *initial, tg_lstm_state *final);
typedef struct test_attention_parts {
    tg_tensor *weights, *scores; /* [B, T] */
} test_attention_parts;
tg_tensor *test_twin_attention(tg_tape *tape, const tg_additive_attention *layer, tg_tensor *x,
                               const int32_t *lengths, test_attention_parts *parts);

/* Runs suites; returns the exit status of the program. */
int test_main(int count, Suite *(*const suites[])(void));

#endif
