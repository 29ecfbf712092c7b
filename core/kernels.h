/* The kernels: inner loops that are compiled once for each instruction set, from the same source, and chosen as the program
 * starts. A kernel file includes simd.h and names its functions TG_KERNEL(name); everybody else calls them through TG_DISPATCH.
 *
 * One order of summation, so that every instruction set with a fused multiply-add gives the same bits, whatever the tile
 * or the thread: an element of a matrix product is one chain of fused multiply-adds over ascending k; a sum over a row
 * runs over 16 lanes (element i in lane i mod 16), which are then added by halves; sums over columns add row after row. */
#ifndef TG_KERNELS_H
#define TG_KERNELS_H

#include "base.h"

#ifdef _OPENMP
#include <omp.h>
#endif

enum tg_isa_level { TG_ISA_BASELINE, TG_ISA_AVX2, TG_ISA_AVX512 };

/* The level in use: the processor's, or a lower one that TG_ISA names. */
enum tg_isa_level tg_isa_level(void);

#ifdef TG_HAS_ISA_LEVELS
#define TG_KERNEL_DECLARE(result, name, ...) \
    result name##_baseline(__VA_ARGS__);     \
    result name##_avx2(__VA_ARGS__);         \
    result name##_avx512(__VA_ARGS__)
/* Calls a kernel as compiled for the instruction set in use: TG_DISPATCH(tg_k_sum, n, x). */
#define TG_DISPATCH(name, ...)                                    \
    (tg_isa_level() == TG_ISA_AVX512 ? name##_avx512(__VA_ARGS__) \
     : tg_isa_level() == TG_ISA_AVX2 ? name##_avx2(__VA_ARGS__)   \
                                     : name##_baseline(__VA_ARGS__))
#else
#define TG_KERNEL_DECLARE(result, name, ...) result name##_baseline(__VA_ARGS__)
#define TG_DISPATCH(name, ...) name##_baseline(__VA_ARGS__)
#endif

/* Work (roughly, element operations) from which on a loop is shared among threads. */
enum { TG_PARALLEL_WORK = 1 << 16 };

/* How many share it: one where it is not worth while, or where several are at work already. */
static inline int64_t tg_threads(bool worth_while)
{
#ifdef _OPENMP
    return worth_while && !omp_in_parallel() ? omp_get_max_threads() : 1;
#else
    (void)worth_while;
    return 1;
#endif
}

/* Philox4x32-10 (Salmon et al., SC 2011): ten rounds of two 32 x 32 bit products over a 128-bit counter.
 *     round:  (x0, x1, x2, x3) -> (hi(M1 x2) ^ x1 ^ k0, lo(M1 x2), hi(M0 x0) ^ x3 ^ k1, lo(M0 x0)),  k += W
 * Of `lanes` blocks in a row, the four words of the block with counter first + l are x0[l] .. x3[l]. */
static inline void tg_philox(uint64_t key, uint64_t first, int lanes, uint32_t *x0, uint32_t *x1,
                             uint32_t *x2, uint32_t *x3)
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int l = 0; l < lanes; l++) {
        x0[l] = (uint32_t)(first + (uint64_t)l), x1[l] = (uint32_t)((first + (uint64_t)l) >> 32);
        x2[l] = x3[l] = 0;
    }
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
        for (int l = 0; l < lanes; l++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * x0[l], p1 = (uint64_t)0xCD9E8D57u * x2[l];
            x0[l] = (uint32_t)(p1 >> 32) ^ x1[l] ^ k0, x1[l] = (uint32_t)p1;
            x2[l] = (uint32_t)(p0 >> 32) ^ x3[l] ^ k1, x3[l] = (uint32_t)p0;
        }
}

/* ---- element by element, y may be x ----
 * Largest errors over all floats, in units of the last place (swept in tests/kernels): exp 1.1, tanh 6.5, sigmoid 2.5. In
 * the double build they are the C library's. */
TG_KERNEL_DECLARE(void, tg_k_tanh, int64_t n, const tg_real *x, tg_real *y);
TG_KERNEL_DECLARE(void, tg_k_sigmoid, int64_t n, const tg_real *x, tg_real *y);

/* y = factor e^(x - shift); and of rows of n numbers, `stride` apart, a softmax's dx = factor y (dy - sum), in dy's
 * place. */
TG_KERNEL_DECLARE(void, tg_k_exp_shifted, int64_t n, const tg_real *x, tg_real shift,
                  tg_real factor, tg_real *y);
TG_KERNEL_DECLARE(void, tg_k_softmax_backward, int64_t rows, int64_t n, int64_t stride,
                  const tg_real *y, const tg_real *sums, tg_real factor, tg_real *dy);

/* ---- rows and columns ---- */
TG_KERNEL_DECLARE(tg_real, tg_k_sum, int64_t n, const tg_real *x);
TG_KERNEL_DECLARE(tg_real, tg_k_dot, int64_t n, const tg_real *x, const tg_real *y);
TG_KERNEL_DECLARE(tg_real, tg_k_max, int64_t n,
                  const tg_real *x); /* -infinity for n 0; NaN if there is one */

/* y += a x */
TG_KERNEL_DECLARE(void, tg_k_axpy, int64_t n, tg_real a, const tg_real *x, tg_real *y);

/* y[j] (+)= sum_i x[i][j] over ascending i; a row of x starts `stride` numbers after the one before. */
TG_KERNEL_DECLARE(void, tg_k_add_rows, int64_t rows, int64_t n, const tg_real *x, int64_t stride,
                  tg_real *y);

/* mask[i] = `scale` where word start + i of a Philox stream (random.c) is at least the threshold, otherwise 0. */
TG_KERNEL_DECLARE(void, tg_k_dropout_mask, int64_t n, uint64_t key, uint64_t start,
                  uint32_t threshold, tg_real scale, tg_real *mask);

/* ---- matrix products ----
 * A matrix is read through strides: element (i, j) is data[i row + j column]. The right side is read where it stands if its
 * rows are whole vectors, one after the other and not far apart; any other is packed first, into panels of columns. A
 * packed matrix can be used many times. */
typedef struct tg_matrix {
    const tg_real *data;
    int64_t row, column;
} tg_matrix;

static inline tg_matrix tg_matrix_transposed(tg_matrix a)
{
    return (tg_matrix){a.data, a.column, a.row};
}

/* Whether a right side of n columns can be read where it stands, on every instruction set. */
static inline bool tg_gemm_in_place(int64_t n, tg_matrix b)
{
    return b.column == 1 && n % 16 == 0 && b.row <= 512;
}

/* Numbers that the packed form of a [k, n] matrix takes. */
int64_t tg_gemm_pack_size(int64_t k, int64_t n);

/* A left side is gathered, given the room, if it is transposed and its numbers lie so far apart that each is in a cache line of
 * its own: a block of [rows, depth] at a time, with more rows where the product comes back to them for more columns. */
enum { TG_GATHER_DEPTH = 512, TG_GATHER_COLUMNS = 576 };
static inline bool tg_gemm_gathers(int64_t n, tg_matrix a)
{
    return a.row == 1 && a.column > 256 && n >= 128;
}
static inline int64_t tg_gather_rows(int64_t n) { return n > TG_GATHER_COLUMNS ? 512 : 16; }
static inline int64_t tg_gather_size(int64_t n) { return tg_gather_rows(n) * TG_GATHER_DEPTH; }

/* Numbers that a product needs on the way: first for B, unless that is read in place, then for a block of A of each thread. */
int64_t tg_gemm_workspace_size(int64_t n, int64_t k, tg_matrix a, tg_matrix b);

TG_KERNEL_DECLARE(void, tg_k_gemm_pack, int64_t k, int64_t n, tg_matrix b, tg_real *packed);

/* C [m, n] = start + A [m, k] B [k, n]; b_row is the row stride of B, or 0 where it is packed, and c_row is C's. `start` is NULL
 * for 0, C itself to add to it, or a row [n] for every row of C. Shared among threads when it is large enough and the caller is
 * not inside a parallel region. */
TG_KERNEL_DECLARE(void, tg_k_gemm, int64_t m, int64_t n, int64_t k, tg_matrix a, const tg_real *b,
                  int64_t b_row, const tg_real *start, tg_real *c, int64_t c_row);

/* The same from any B, packed by the threads that read it, and A gathered; `room` is tg_gemm_workspace_size numbers. */
TG_KERNEL_DECLARE(void, tg_k_gemm_once, int64_t m, int64_t n, int64_t k, tg_matrix a, tg_matrix b,
                  const tg_real *start, tg_real *c, int64_t c_row, tg_real *room);

#endif
