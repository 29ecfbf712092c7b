/* Threads, the FMA peak, and the memory of the library. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "bench.h"

/* ---- threads ---- */

void bench_set_threads(int threads)
{
#ifdef _OPENMP
    omp_pause_resource_all(omp_pause_soft); /* ends idle threads: they may be spinning */
    omp_set_num_threads(threads);
#else
    (void)threads;
#endif
}

int bench_threads(void)
{
#ifdef _OPENMP
    return omp_get_num_procs();
#else
    return 1;
#endif
}

/* ---- the FMA peak ---- */

/* Enough sums that no multiply-add waits for an earlier one: a latency of 4 or 5 cycles and two
 * multiply-adds per cycle need 10. With the two constants they fit in 16 registers. */
enum { SUMS = 14, ROUNDS = 20000 };

#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* s = s x + y converges to y / (1 - x) = 1. */
#define PEAK_LOOP(vector, of, fma)                                        \
    vector x = of(0.5f), y = of(0.5f), sum[SUMS];                         \
    for (int i = 0; i < SUMS; i++) sum[i] = of((float)i);                 \
    for (int round = 0; round < ROUNDS; round++)                          \
        UNROLL for (int i = 0; i < SUMS; i++) sum[i] = fma(sum[i], x, y); \
    for (int i = 1; i < SUMS; i++) sum[0] += sum[i];                      \
    return (double)sum[0][0]

typedef float four __attribute__((vector_size(16)));
static inline four four_of(float a) { return a - (four){0}; }

static inline four four_fma(four a, four b, four c)
{
#ifdef __FP_FAST_FMAF
    for (int i = 0; i < 4; i++) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
#else
    return a * b + c;
#endif
}

static double loop_baseline(void) { PEAK_LOOP(four, four_of, four_fma); }

#ifdef __x86_64__
__attribute__((target("avx2,fma"))) static double loop_avx2(void)
{
    PEAK_LOOP(__m256, _mm256_set1_ps, _mm256_fmadd_ps);
}

__attribute__((target("avx512f"))) static double loop_avx512(void)
{
    PEAK_LOOP(__m512, _mm512_set1_ps, _mm512_fmadd_ps);
}
#endif

static volatile double sink; /* keeps the compiler from removing the loops */

double bench_peak(int threads, double seconds)
{
    enum { MAX_SAMPLES = 4000, MIN_SAMPLES = 5, LOOPS = 16 }; /* a sample: 1 to 2 ms */
    static double samples[MAX_SAMPLES];
    double (*loop)(void) = loop_baseline;
    double lanes = 4, results = 0;
#ifdef __x86_64__
    if (strcmp(tg_isa(), "avx2") == 0) {
        loop = loop_avx2;
        lanes = 8;
    }
    if (strcmp(tg_isa(), "avx512") == 0) {
        loop = loop_avx512;
        lanes = 16;
    }
#endif
    int64_t count = 0;
    double start = timing_now(), last = start;
    while (count < MIN_SAMPLES || (count < MAX_SAMPLES && last - start < seconds)) {
#pragma omp parallel num_threads(threads) reduction(+ : results)
        for (int i = 0; i < LOOPS; i++) results += loop();
        const double end = timing_now();
        samples[count++] = end - last;
        last = end;
    }
    sink = results;
    const double operations = 2 * lanes * SUMS * ROUNDS * LOOPS * threads;
    return operations / timing_of(samples, count).ms * 1e-6;
}

/* ---- memory ---- */

static atomic_size_t memory_now, peak_memory;

size_t bench_memory(void) { return memory_now; }
size_t bench_peak_memory(void) { return peak_memory; }
void bench_reset_peak_memory(void) { peak_memory = memory_now; }

/* The size is stored in front of a block, in enough bytes to preserve the alignment. */
void *bench_allocator(void *memory, size_t size)
{
    enum { FRONT = 64 };
    unsigned char *block = memory ? (unsigned char *)memory - FRONT : NULL;
    size_t old_size = 0;
    if (block) memcpy(&old_size, block, sizeof old_size);
    if (size == 0) {
        free(block);
        memory_now -= old_size;
        return NULL;
    }
    if (size > SIZE_MAX - FRONT) return NULL;
    block = realloc(block, size + FRONT);
    if (!block) return NULL;
    memcpy(block, &size, sizeof size);
    memory_now += size - old_size;
    if (memory_now > peak_memory) peak_memory = memory_now;
    return block + FRONT;
}
