/* The products of `bench gemm` by OpenBLAS, with the same shapes, clock and statistics. compare.sh
 * builds and runs it:
 *
 *     cc -O2 -D_POSIX_C_SOURCE=200809L openblas_gemm.c timing.c \
 *         $(pkg-config --cflags --libs openblas) -o openblas_gemm
 *     openblas_gemm SECONDS THREADS
 *
 * It prints the tab-separated lines of bench: workload, threads, median ms, spread, GFLOP/s, "-", a
 * note. OpenBLAS packs in every product: its interface has no matrices that are packed once. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>

#include "timing.h"

typedef struct product {
    int m, n, k;
    bool transposed_a, transposed_b; /* as stored: [k, m], [n, k] */
    float *a, *b, *c;
} product;

static bool product_step(void *state)
{
    const product *p = state;
    cblas_sgemm(CblasRowMajor, p->transposed_a ? CblasTrans : CblasNoTrans,
                p->transposed_b ? CblasTrans : CblasNoTrans, p->m, p->n, p->k, 1, p->a,
                p->transposed_a ? p->m : p->k, p->b, p->transposed_b ? p->k : p->n, 0, p->c, p->n);
    return true;
}

/* Numbers from -1 to 1, aligned to a cache line. */
static float *numbers(int rows, int columns)
{
    const size_t count = (size_t)rows * (size_t)columns;
    float *x = aligned_alloc(64, (count * sizeof *x + 63) / 64 * 64);
    for (size_t i = 0; x && i < count; i++) x[i] = (float)rand() / (float)RAND_MAX * 2 - 1;
    return x;
}

static void run_product(double seconds, int threads, const char *name, product p)
{
    timing time;
    p.a = numbers(p.m, p.k);
    p.b = numbers(p.k, p.n);
    p.c = numbers(p.m, p.n);
    if (p.a && p.b && p.c && timing_measure(seconds, product_step, &p, &time))
        printf("%s\t%d\t%.6g\t%.2f\t%.4f\t-\tOpenBLAS with %s\n", name, threads, time.ms,
               time.spread, 2.0 * p.m * p.n * p.k / time.ms * 1e-6,
               openblas_get_parallel() == OPENBLAS_OPENMP
                   ? "OpenMP"
                   : "its own threads, which ignore OMP_WAIT_POLICY");
    fflush(stdout);
    free(p.a);
    free(p.b);
    free(p.c);
}

int main(int argc, char **argv)
{
    const double seconds = argc == 3 ? strtod(argv[1], NULL) : 0;
    const int threads = argc == 3 ? atoi(argv[2]) : 0;
    if (!(seconds > 0) || threads < 1) {
        fprintf(stderr, "usage: openblas_gemm SECONDS THREADS\n");
        return 2;
    }
    openblas_set_num_threads(threads);
    for (int n = 64; n <= 2048; n *= 2) {
        for (int t = 0; t < 4; t++) {
            char name[48];
            snprintf(name, sizeof name, "gemm-%d-%c%c", n, t & 2 ? 't' : 'n', t & 1 ? 't' : 'n');
            run_product(
                seconds, threads, name,
                (product){.m = n, .n = n, .k = n, .transposed_a = t & 2, .transposed_b = t & 1});
        }
    }
    run_product(seconds, threads, "gemm-lstm-y",
                (product){.m = 32, .k = 128, .n = 512, .transposed_b = true});
    run_product(seconds, threads, "gemm-lstm-dx", (product){.m = 32, .k = 512, .n = 128});
    const product dw = {.m = 512, .k = 1024, .n = 128, .transposed_a = true};
    run_product(seconds, threads, "gemm-lstm-dw", dw);
    run_product(seconds, threads, "gemm-lstm-dw-pack", dw);
    return 0;
}
