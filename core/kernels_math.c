/* Kernels over rows of numbers: exponentials, sums, masks of dropout. Compiled once for each
 * instruction set; see kernels.h. `omp simd` tells the compiler that two rows do not overlap unless
 * they are the same row. It needs -fopenmp-simd, but not OpenMP's library. */
#include <math.h>
#include <string.h>

#include "simd.h"

void TG_KERNEL(tg_k_exp_shifted)(int64_t n, const tg_real *x, tg_real shift, tg_real factor,
                                 tg_real *y)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = factor * real_exp(x[i] - shift);
}

void TG_KERNEL(tg_k_softmax_backward)(int64_t rows, int64_t n, int64_t stride, const tg_real *y,
                                      const tg_real *sums, tg_real factor, tg_real *dy)
{
    for (int64_t r = 0; r < rows; r++, y += stride, dy += stride) {
        const tg_real sum = sums[r];
#pragma omp simd
        for (int64_t i = 0; i < n; i++) dy[i] = factor * y[i] * (dy[i] - sum);
    }
}

void TG_KERNEL(tg_k_tanh)(int64_t n, const tg_real *x, tg_real *y)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = real_tanh(x[i]);
}

void TG_KERNEL(tg_k_sigmoid)(int64_t n, const tg_real *x, tg_real *y)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = real_sigmoid(x[i]);
}

/* ---- sums over 16 lanes ---- */

enum { PARTS = LANES / VEC_WIDTH };

static inline tg_real add_lanes(tg_real lanes[LANES])
{
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++) lanes[l] += lanes[l + width];
    return lanes[0];
}

/* sum_i x_i y_i. If y is NULL every y_i is 1, and the fused multiply-add is a plain addition. */
static inline tg_real sum_products(int64_t n, const tg_real *x, const tg_real *y)
{
    vec sum[PARTS] = {{0}};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int p = 0; p < PARTS; p++) {
            const int64_t at = i + p * VEC_WIDTH;
            sum[p] = vec_fma(vec_load(x + at), y ? vec_load(y + at) : vec_of(1), sum[p]);
        }
    tg_real lanes[LANES];
    memcpy(lanes, sum, sizeof lanes);
    for (int l = 0; i < n; i++, l++) lanes[l] = real_fma(x[i], y ? y[i] : 1, lanes[l]);
    return add_lanes(lanes);
}

tg_real TG_KERNEL(tg_k_sum)(int64_t n, const tg_real *x) { return sum_products(n, x, NULL); }

tg_real TG_KERNEL(tg_k_dot)(int64_t n, const tg_real *x, const tg_real *y)
{
    return sum_products(n, x, y);
}

/* The result of comparing two vectors: an element has all bits set if the comparison holds. */
#ifdef TG_DOUBLE
typedef int64_t bits __attribute__((vector_size(VEC_BYTES)));
#else
typedef int32_t bits __attribute__((vector_size(VEC_BYTES)));
#endif

tg_real TG_KERNEL(tg_k_max)(int64_t n, const tg_real *x)
{
    tg_real max = -(tg_real)INFINITY;
    vec maxima = vec_of(max); /* each lane's */
    bits nan = {0};
    int64_t i = 0;
    for (; i + VEC_WIDTH <= n; i += VEC_WIDTH) {
        const vec v = vec_load(x + i);
        const bits larger = (bits)(v > maxima);
        maxima = (vec)(((bits)v & larger) | ((bits)maxima & ~larger));
        nan |= (bits)(v != v);
    }
    for (; i < n; i++) max = !(x[i] <= max) && max == max ? x[i] : max;
    for (int l = 0; l < VEC_WIDTH; l++) {
        max = maxima[l] > max ? maxima[l] : max;
        if (nan[l]) return (tg_real)NAN;
    }
    return max + 0; /* turns -0 into 0: the maximum of 0 and -0 depends on the lanes */
}

void TG_KERNEL(tg_k_axpy)(int64_t n, tg_real a, const tg_real *x, tg_real *y)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = real_fma(a, x[i], y[i]);
}

void TG_KERNEL(tg_k_add_rows)(int64_t rows, int64_t n, const tg_real *x, int64_t stride, tg_real *y)
{
    for (int64_t i = 0; i < rows; i++) {
#pragma omp simd
        for (int64_t j = 0; j < n; j++) y[j] += x[i * stride + j];
    }
}

/* ---- dropout ---- */

void TG_KERNEL(tg_k_dropout_mask)(int64_t n, uint64_t key, uint64_t start, uint32_t threshold,
                                  tg_real scale, tg_real *mask)
{
    uint32_t words[4][LANES];
    uint64_t first = start / 4 * 4; /* the first word of LANES blocks */
    for (; first < start + (uint64_t)n; first += 4 * LANES) {
        tg_philox(key, first / 4, LANES, words[0], words[1], words[2], words[3]);
        for (int w = 0; w < 4; w++)
            for (int l = 0; l < LANES; l++) {
                int64_t i = (int64_t)(first + 4 * (uint64_t)l + (uint64_t)w - start);
                if (i >= 0 && i < n) mask[i] = words[w][l] >= threshold ? scale : 0;
            }
    }
}
