/* Vectors of one instruction set, and the fused multiply-add; only for the kernel files. These are
 * compiled with -ffp-contract=off: a multiplication and an addition are fused only by vec_fma and
 * real_fma. Without a fused multiply-add in the instruction set, both round twice. */
#ifndef TG_SIMD_H
#define TG_SIMD_H

#include <math.h>
#include <string.h>

#include "kernels.h"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

/* The build compiles a kernel file once for each of _baseline, _avx2 and _avx512. Without the build
 * only the baseline is compiled, so that one command builds all sources:
 *
 *     cc -O2 -ffp-contract=off -I. core/?*.c layers/?*.c optim/?*.c inspect/?*.c app.c -lm
 */
#ifndef TG_ISA_SUFFIX
#define TG_ISA_SUFFIX _baseline
#endif
#define TG_PASTE_2(a, b) a##b
#define TG_PASTE(a, b) TG_PASTE_2(a, b)
#define TG_KERNEL(name) TG_PASTE(name, TG_ISA_SUFFIX)

#if defined(__AVX512F__)
enum { VEC_BYTES = 64 };
#elif defined(__AVX2__)
enum { VEC_BYTES = 32 };
#else
enum { VEC_BYTES = 16 };
#endif
enum { VEC_WIDTH = VEC_BYTES / (int)sizeof(tg_real), LANES = 16 };

typedef tg_real vec __attribute__((vector_size(VEC_BYTES)));

static inline vec vec_load(const tg_real *x)
{
    vec v;
    memcpy(&v, x, sizeof v);
    return v;
}

static inline void vec_store(tg_real *x, vec v) { memcpy(x, &v, sizeof v); }

static inline vec vec_of(tg_real a) { return a - (vec){0}; }

/* a b + c, rounded once */
#if defined(TG_DOUBLE) || \
    !(defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__FP_FAST_FMAF))
static inline tg_real real_fma(tg_real a, tg_real b, tg_real c) { return a * b + c; }
static inline vec vec_fma(vec a, vec b, vec c) { return a * b + c; }
#else
static inline tg_real real_fma(tg_real a, tg_real b, tg_real c) { return __builtin_fmaf(a, b, c); }
#if defined(__AVX512F__)
static inline vec vec_fma(vec a, vec b, vec c)
{
    return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
#elif defined(__AVX2__)
static inline vec vec_fma(vec a, vec b, vec c)
{
    return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
#else
static inline vec vec_fma(vec a, vec b, vec c)
{
    for (int l = 0; l < VEC_WIDTH; l++) c[l] = __builtin_fmaf(a[l], b[l], c[l]);
    return c;
}
#endif
#endif

/* e^x, tanh x and 1 / (1 + e^-x) of one number, in arithmetic that the compiler can vectorize. */
#ifdef TG_DOUBLE
static inline tg_real real_exp(tg_real x) { return exp(x); }
static inline tg_real real_tanh(tg_real x) { return tanh(x); }
#else

/* c[0] x^(n-1) + .. + c[n-1] by Horner's rule. */
static inline float polynomial(float x, int n, const float *c)
{
    float sum = c[0];
    for (int i = 1; i < n; i++) sum = real_fma(sum, x, c[i]);
    return sum;
}

/* 2^n for -126 <= n <= 127 */
static inline float power_of_two(uint32_t n)
{
    uint32_t bits = (n + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

/* e^x = 2^n e^r, n = round(x / ln 2), |r| <= ln 2 / 2. A polynomial of degree 6 gives e^r with a
 * relative error of 3e-9. ln 2 is split into two parts, so that n times the first part is exact.
 * 2^n is split into two factors, so that subnormal results are right. */
static inline float real_exp(float x)
{
    /* Adding 1.5 2^23 rounds to an integer, which is then in the low bits. */
    const float to_integer = 0x1.8p23f;
    const uint32_t to_integer_bits = 0x4B400000u;
    float clamped = x < -104.0f ? -104.0f : x;
    clamped = clamped > 89.0f ? 89.0f : clamped; /* NaN passes both */
    float shifted = real_fma(clamped, 1.44269504f, to_integer);
    float n = shifted - to_integer;
    float r = real_fma(n, -0x1.62ep-1f, clamped);
    r = real_fma(n, -0x1.0bfbe8p-15f, r);
    static const float c[] = {0.00138144662f, 0.00836878049f, 0.0416683942f, 0.166665201f,
                              0.499999934f};
    float p = real_fma(polynomial(r, 5, c) * r, r, r) + 1.0f;
    uint32_t power;
    memcpy(&power, &shifted, sizeof power);
    power -= to_integer_bits;
    uint32_t half = (uint32_t)((int32_t)power >> 1);
    return p * power_of_two(half) * power_of_two(power - half);
}

/* tanh x = x P(x^2) / Q(x^2) with polynomials P and Q of degrees 5 and 4. The relative error is
 * 2e-9 for |x| <= 9.02; beyond that tanh rounds to 1. */
static inline float real_tanh(float x)
{
    float a = x < -9.02f ? -9.02f : x;
    a = a > 9.02f ? 9.02f : a;
    float z = a * a;
    static const float p[] = {-1.22036203e-11f, 3.05852446e-08f, 2.80075554e-05f,
                              0.00386833263f,   0.13679919f,     1.0f};
    static const float q[] = {1.28737322e-06f, 0.000393863966f, 0.0272458568f, 0.470132511f, 1.0f};
    return a * polynomial(z, 6, p) / polynomial(z, 5, q);
}
#endif

/* 1 / (1 + e^-x), or e^x / (1 + e^x) for x < 0: nothing overflows, and small results keep their
 * digits. */
static inline tg_real real_sigmoid(tg_real x)
{
    tg_real e = real_exp(x < 0 ? x : -x);
    return (x < 0 ? e : 1) / (1 + e);
}

#endif
