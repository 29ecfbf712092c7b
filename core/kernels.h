/* The kernels: inner loops that are compiled once for each instruction set, from the same source.
 * The program chooses among them at first use. A kernel file includes simd.h and names its
 * functions TG_KERNEL(name); all other files call them by TG_DISPATCH(name, arguments..).
 *
 * The order of summation is fixed, so that every instruction set with a fused multiply-add gives
 * the same bits, whatever the tile or the number of threads:
 *
 *     an element of a matrix product   one chain of fused multiply-adds over ascending k
 *     a sum over a row                 16 lanes (element i in lane i mod 16), then added by halves
 *     a sum over columns               row after row */
#ifndef TG_KERNELS_H
#define TG_KERNELS_H

#include "matrix.h"

#ifdef _OPENMP
#include <omp.h>
#endif

/* The instruction set in use: the best that the processor has, or a lower one that the environment
 * variable TG_ISA names. */
enum tg_isa_level { TG_ISA_BASELINE, TG_ISA_AVX2, TG_ISA_AVX512 };
enum tg_isa_level tg_isa_level(void);

/* TG_DISPATCH(tg_k_sum, n, x) calls tg_k_sum as compiled for the instruction set in use. */
#ifdef TG_HAS_ISA_LEVELS
#define TG_KERNEL_DECLARE(result, name, ...) \
    result name##_baseline(__VA_ARGS__);     \
    result name##_avx2(__VA_ARGS__);         \
    result name##_avx512(__VA_ARGS__)
#define TG_DISPATCH(name, ...)                                    \
    (tg_isa_level() == TG_ISA_AVX512 ? name##_avx512(__VA_ARGS__) \
                                     : TG_DISPATCH_AVX2(name, __VA_ARGS__))
#define TG_DISPATCH_AVX2(name, ...) \
    (tg_isa_level() == TG_ISA_AVX2 ? name##_avx2(__VA_ARGS__) : name##_baseline(__VA_ARGS__))
#else
#define TG_KERNEL_DECLARE(result, name, ...) result name##_baseline(__VA_ARGS__)
#define TG_DISPATCH(name, ...) name##_baseline(__VA_ARGS__)
#endif

/* A loop with at least this much work (roughly, operations on single numbers) is shared among
 * threads. */
enum { TG_PARALLEL_WORK = 1 << 16 };

/* The number of threads to share a loop among: 1 if it is not worth while, or if the caller is
 * already inside a parallel region. */
static inline int64_t tg_threads(bool worth_while)
{
#ifdef _OPENMP
    return worth_while && !omp_in_parallel() ? omp_get_max_threads() : 1;
#else
    (void)worth_while;
    return 1;
#endif
}

/* Philox4x32-10 (Salmon et al., SC 2011): ten rounds of two 32 x 32 bit products over a 128-bit
 * counter.
 *
 *     round:  (x0, x1, x2, x3) -> (hi(M1 x2) ^ x1 ^ k0, lo(M1 x2), hi(M0 x0) ^ x3 ^ k1, lo(M0 x0))
 *             (k0, k1) -> (k0 + W0, k1 + W1)
 *
 * Computes `lanes` consecutive blocks. The four words of the block with counter first + l go to
 * x0[l], x1[l], x2[l] and x3[l]. */
static inline void tg_philox(uint64_t key, uint64_t first, int lanes, uint32_t *x0, uint32_t *x1,
                             uint32_t *x2, uint32_t *x3)
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int l = 0; l < lanes; l++) {
        const uint64_t counter = first + (uint64_t)l;
        x0[l] = (uint32_t)counter;
        x1[l] = (uint32_t)(counter >> 32);
        x2[l] = x3[l] = 0;
    }
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
        for (int l = 0; l < lanes; l++) {
            const uint64_t p0 = (uint64_t)0xD2511F53u * x0[l], p1 = (uint64_t)0xCD9E8D57u * x2[l];
            x0[l] = (uint32_t)(p1 >> 32) ^ x1[l] ^ k0;
            x1[l] = (uint32_t)p1;
            x2[l] = (uint32_t)(p0 >> 32) ^ x3[l] ^ k1;
            x3[l] = (uint32_t)p0;
        }
}

/* ---- element by element; y may be x ----
 * Largest errors over all floats, in units in the last place (tests/kernels sweeps them): exp 1.1,
 * tanh 6.5, sigmoid 2.5. The double build uses the C library's functions. */

/* y = tanh x */
TG_KERNEL_DECLARE(void, tg_k_tanh, int64_t n, const tg_real *x, tg_real *y);

/* y = 1 / (1 + e^-x) */
TG_KERNEL_DECLARE(void, tg_k_sigmoid, int64_t n, const tg_real *x, tg_real *y);

/* y = factor e^(x - shift) */
TG_KERNEL_DECLARE(void, tg_k_exp_shifted, int64_t n, const tg_real *x, tg_real shift,
                  tg_real factor, tg_real *y);

/* The gradient of softmax, in place: dy = factor y (dy - sum), for rows of n numbers that start
 * `stride` numbers apart. sums[r] is sum_j dy_j y_j of row r. */
TG_KERNEL_DECLARE(void, tg_k_softmax_backward, int64_t rows, int64_t n, int64_t stride,
                  const tg_real *y, const tg_real *sums, tg_real factor, tg_real *dy);

/* ---- rows and columns ---- */

/* sum_i x_i */
TG_KERNEL_DECLARE(tg_real, tg_k_sum, int64_t n, const tg_real *x);

/* sum_i x_i y_i */
TG_KERNEL_DECLARE(tg_real, tg_k_dot, int64_t n, const tg_real *x, const tg_real *y);

/* max_i x_i: -infinity if n is 0, NaN if any x_i is NaN. */
TG_KERNEL_DECLARE(tg_real, tg_k_max, int64_t n, const tg_real *x);

/* y += a x */
TG_KERNEL_DECLARE(void, tg_k_axpy, int64_t n, tg_real a, const tg_real *x, tg_real *y);

/* y[j] += sum_i x[i][j] over ascending i. Rows of x start `stride` numbers apart. */
TG_KERNEL_DECLARE(void, tg_k_add_rows, int64_t rows, int64_t n, const tg_real *x, int64_t stride,
                  tg_real *y);

/* mask[i] = `scale` if word start + i of the Philox stream (random.c) is at least `threshold`,
 * otherwise 0. */
TG_KERNEL_DECLARE(void, tg_k_dropout_mask, int64_t n, uint64_t key, uint64_t start,
                  uint32_t threshold, tg_real scale, tg_real *mask);

/* ---- matrix products ---- */

/* Whether every instruction set reads a right operand of n columns in place: its rows are whole
 * vectors and not far apart. Any other must be packed first. */
static inline bool tg_gemm_in_place(int64_t n, tg_matrix b)
{
    return b.column == 1 && n % 16 == 0 && b.row <= 512;
}

/* A transposed left operand is gathered (copied block by block) if its numbers are so far apart
 * that each is in its own cache line. A block has tg_gather_rows(n) rows of TG_GATHER_DEPTH
 * numbers. With more than TG_GATHER_COLUMNS columns the product reads a block several times, so a
 * block has more rows. */
enum { TG_GATHER_DEPTH = 512, TG_GATHER_COLUMNS = 576 };
static inline bool tg_gemm_gathers(int64_t n, tg_matrix a)
{
    return a.row == 1 && a.column > 256 && n >= 128;
}
static inline int64_t tg_gather_rows(int64_t n) { return n > TG_GATHER_COLUMNS ? 512 : 16; }
static inline int64_t tg_gather_size(int64_t n) { return tg_gather_rows(n) * TG_GATHER_DEPTH; }

/* The size of a packed [k, n] matrix, in numbers. Every layout of panels pads a row to whole
 * vectors, of at most 16 numbers. */
static inline int64_t tg_gemm_pack_size(int64_t k, int64_t n) { return k * ((n + 15) / 16 * 16); }

/* The size of a product's workspace, in numbers: the packed B, unless it is packed already or read
 * in place; then a block of A for each thread, if A is gathered. */
static inline int64_t tg_gemm_workspace_size(int64_t n, int64_t k, tg_matrix a, tg_matrix b)
{
    const bool packs = !tg_matrix_is_packed(b) && !tg_gemm_in_place(n, b);
    const int64_t gathered = tg_gemm_gathers(n, a) ? tg_threads(true) * tg_gather_size(n) : 0;
    return gathered + (packs ? tg_gemm_pack_size(k, n) : 0);
}

/* Packs a right operand [k, n] into tg_gemm_pack_size(k, n) numbers, to be read by any number of
 * products through tg_matrix_packed. */
TG_KERNEL_DECLARE(void, tg_k_gemm_pack, int64_t k, int64_t n, tg_matrix b, tg_real *packed);

/* Computes a product. `workspace` has tg_gemm_workspace_size numbers. NULL is allowed if B is
 * packed or read in place; A is then not gathered. A large product is shared among threads, unless
 * the caller is inside a parallel region. */
TG_KERNEL_DECLARE(void, tg_k_gemm, const tg_product *product, tg_real *workspace);

#endif
