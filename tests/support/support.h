/* What the unit tests of all folders share. Every test source is compiled twice, against the float library and, with
 * TG_DOUBLE, against the double library. */
#ifndef TEST_SUPPORT_H
#define TEST_SUPPORT_H

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tapegrad.h"

#define INF ((double)INFINITY)
#define QNAN ((double)NAN)
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- attention (attention.c) ---- */

/* tg_attention_weights, tg_attention_weight_grads and tg_attention_score_grads, for loops over all three. */
extern tg_tensor *(*const test_attention_matrix[3])(tg_tape *tape, const tg_tensor *attended);

/* The sides that are transposed, as one value. */
static inline tg_transpose test_transposed(bool a, bool b)
{
    return (tg_transpose)((a ? TG_TRANSPOSE_A : 0) | (b ? TG_TRANSPOSE_B : 0));
}

/* ---- numbers (compare.c) ---- */

/* What a result may differ from its reference by, as a part of the largest magnitude of the reference tensor. In double,
 * sums of some hundred terms stay below 1e-13, so 1e-10 leaves room for condition and none for a wrong formula; in float
 * a rounding is 6e-8, and the chains of an LSTM or a softmax gather some tens of them. */
#ifdef TG_DOUBLE
#define TEST_TOLERANCE 1e-10
#else
#define TEST_TOLERANCE 1e-5
#endif

/* The one comparison of floating point: a NaN is near nothing, an infinity near itself. */
bool test_near(double got, double want, double allowed);

/* ck_assert sends a message at every call, which in a loop over numbers takes longer than the numbers: this one only when
 * it fails. */
#define TEST_CHECK(condition, ...)                   \
    do                                               \
        if (!(condition)) ck_abort_msg(__VA_ARGS__); \
    while (0)

/* Each number is within `tolerance` times the largest finite magnitude of `want`; where want is NaN, so is got. */
void test_assert_all_near(const char *what, const tg_real *got, const double *want, int64_t count,
                          double tolerance);

/* The same with an expected tensor's numbers, and for one number. */
void test_assert_reals_near(const char *what, const tg_real *got, const tg_real *want,
                            int64_t count, double tolerance);
void test_assert_number(const char *what, double got, double want);

/* The same bits, so that -0 is not 0 and NaN is itself. */
void test_assert_same_bits(const char *what, const tg_real *got, const tg_real *want,
                           int64_t count);

/* The tensor is there, has the shape, and is near `want`. TEST_TENSOR(y, TG_SHAPE(2), 1, 2) writes the numbers out. */
void test_assert_tensor(const char *what, const tg_tensor *got, int ndim, const int64_t *shape,
                        const double *want);
void test_assert_shape(const char *what, const tg_tensor *got, int ndim, const int64_t *shape);
#define TEST_TENSOR(tensor, shape, ...) \
    test_assert_tensor(#tensor, tensor, shape, (const double[]){__VA_ARGS__})

/* Number i of a sequence that a seed names, uniform over [low, high): independent of the library's own generator. */
double test_number(uint64_t seed, int64_t i, double low, double high);
void test_fill(tg_real *data, int64_t count, uint64_t seed, double low, double high);

/* The position, in a tensor that is broadcast, of element `flat` of the result. */
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

/* A variable of numbers between low and high. */
tg_tensor *test_variable(tg_tape *tape, uint64_t seed, double low, double high, int ndim,
                         const int64_t *shape);

/* sum(y r) with fixed random r: a loss in which every element of y counts differently. */
tg_tensor *test_weighted_loss(tg_tape *tape, tg_tensor *y, uint64_t seed);

/* Fails with the tape's error if it has one. */
void test_assert_clean(tg_tape *tape);
void test_assert_params_clean(tg_params *params);

/* test_assert_clean, then tg_tape_free. */
void test_end(tg_tape *tape, tg_params *params);

/* The error is there, is one line, and holds each of the texts (up to a NULL); it is taken, and the tape reset. */
__attribute__((sentinel)) void test_expect_error(tg_tape *tape, ...);
__attribute__((sentinel)) void test_expect_params_error(tg_params *params, ...);

/* ---- memory (memory.c) ---- */

typedef struct test_memory_counts {
    int64_t asked;  /* calls that asked for memory */
    int64_t blocks; /* now held */
    int64_t failed; /* calls that were refused */
    size_t largest; /* bytes asked for in one call */
} test_memory_counts;

/* From now on the library's memory is counted. Call `fail_at` (1 is the next) is refused, and, with `for_good`, every one
 * after it; 0 refuses none. test_memory_end goes back to the C library and returns the counts. */
void test_memory_begin(int64_t fail_at, bool for_good);
void test_memory_refuse(int64_t fail_at, bool for_good); /* counted from now; the counts go on */
test_memory_counts test_memory_now(void);
test_memory_counts test_memory_end(void);
void test_memory_leave(
    void); /* for a fixture: the C library's again, also after a test that failed */

/* ---- files (files.c) ---- */

/* A new empty folder, and the path of a file in it; test_folder_end removes both. One folder at a time. */
const char *test_folder_begin(void);
const char *test_path(const char *name);
int test_folder_count(void);
void test_folder_end(void);

void test_write_file(const char *path, const void *data, size_t size);
char *test_read_file(const char *path, size_t *size); /* the caller frees it */

/* A golden file of $TG_GOLDEN, loaded; its tensors by name, in any order. */
tg_params *test_golden_open(const char *name);
tg_tensor *test_golden(tg_params *golden, const char *name, int ndim, const int64_t *shape);
/* A tensor of small whole numbers as int32, into `ints`. */
void test_golden_ints(tg_params *golden, const char *name, int32_t *ints, int64_t count);
/* Numbers against the file's tensor of the same shape; and every "param.x" that a layer has claimed against "grad.x". */
void test_golden_near(tg_params *golden, const char *name, const tg_real *got,
                      const tg_tensor *like);
void test_golden_gradients(tg_params *golden);
/* An input of the file as a variable; and sum(y r), r a tensor of the file. */
tg_tensor *test_golden_input(tg_tape *tape, tg_params *golden, const char *name, int ndim,
                             const int64_t *shape);
tg_tensor *test_golden_loss(tg_tape *tape, tg_params *golden, const char *name, tg_tensor *y);

/* ---- gradient checks (coverage.c) ---- */

/* tg_gradcheck must pass, also where another operator reads each parameter; then one more pass notes which operators, and
 * which of their inputs, a gradient went through. */
void test_gradients(const char *what, tg_params *params, tg_gradcheck_function function,
                    void *context);

/* Whether to leave out the check in company, which takes the most time. */
void test_gradients_alone(bool yes);

/* Writes the names of registered operators whose derivative no test_gradients of this process has checked, or of which an
 * input was never checked, and returns how many. Operators named test_* belong to the tests themselves. */
int test_unchecked_operators(char *text, size_t size);

/* As if no gradient check had run. */
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

/* Runs the suites of an executable: what main returns. */
int test_main(int count, Suite *(*const suites[])(void));

#endif
