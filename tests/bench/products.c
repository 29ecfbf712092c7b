/* Single operators: matrix products and tiled attention. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/kernels.h"
#include "bench.h"

/* Numbers from a fixed seed, aligned to a cache line; NULL if out of memory. */
static tg_real *numbers(int64_t count, const char *stream)
{
    enum { LINE = 64 };
    const size_t bytes = ((size_t)count * sizeof(tg_real) + LINE - 1) / LINE * LINE;
    tg_real *x = aligned_alloc(LINE, bytes);
    tg_random random = tg_random_new(1, stream);
    for (int64_t i = 0; x && i < count; i++) x[i] = (tg_real)(2 * tg_random_uniform(&random) - 1);
    return x;
}

/* ---- matrix products: C [m, n] = A [m, k] B [k, n] ---- */

typedef struct product {
    int64_t m, n, k;
    bool transposed_a, transposed_b; /* as stored: [k, m], [n, k] */
    bool pack;                       /* whether each step packs, or only the preparation */
    tg_matrix a, b;
    tg_real *packed, *c, *workspace;
} product;

static bool product_step(void *state)
{
    const product *p = state;
    const tg_matrix b = p->pack ? p->b : tg_matrix_packed(p->packed);
    TG_DISPATCH(tg_k_gemm, &(tg_product){p->m, p->n, p->k, p->a, b, NULL, p->c, p->n},
                p->pack ? p->workspace : NULL);
    return true;
}

/* Compares some elements with sums in double: a fast but wrong product is worthless. */
static bool product_is_right(const product *p)
{
    for (int64_t trial = 0; trial < 16; trial++) {
        const int64_t i = trial * 7919 % p->m, j = trial * 104729 % p->n;
        const tg_real *a = p->a.data + i * p->a.row, *column = p->b.data + j * p->b.column;
        double sum = 0;
        for (int64_t l = 0; l < p->k; l++)
            sum += (double)a[l * p->a.column] * (double)column[l * p->b.row];
        if (!(fabs(sum - (double)p->c[i * p->n + j]) <=
              1e-5 * sqrt((double)p->k) + 1e-6 * (double)p->k))
            return bench_fail("gemm: element (%lld, %lld) is wrong", (long long)i, (long long)j);
    }
    return true;
}

static bool run_product(const bench *b, const char *name, product p, const char *note)
{
    tg_real *a_data = numbers(p.m * p.k, "a"), *b_data = numbers(p.k * p.n, "b");
    p.packed = numbers(tg_gemm_pack_size(p.k, p.n), "packed");
    p.c = numbers(p.m * p.n, "c");
    p.a = p.transposed_a ? (tg_matrix){a_data, 1, p.m} : (tg_matrix){a_data, p.k, 1};
    p.b = p.transposed_b ? (tg_matrix){b_data, 1, p.k} : (tg_matrix){b_data, p.n, 1};
    p.workspace = numbers(tg_gemm_workspace_size(p.n, p.k, p.a, p.b) + 1, "workspace");
    bool good = (a_data && b_data && p.packed && p.c && p.workspace) || bench_fail("out of memory");
    if (good) {
        TG_DISPATCH(tg_k_gemm_pack, p.k, p.n, p.b, p.packed);
        good = bench_row(b, name, 2 * (double)p.m * (double)p.n * (double)p.k, product_step, &p,
                         note);
        good = good && product_is_right(&p);
    }
    free(a_data);
    free(b_data);
    free(p.packed);
    free(p.c);
    free(p.workspace);
    return good;
}

bool run_gemm(const bench *b)
{
    bool good = true;
    for (int64_t n = 64; n <= 2048; n *= 2) {
        for (int t = 0; t < 4; t++) {
            const product p = {
                .m = n, .n = n, .k = n, .transposed_a = t & 2, .transposed_b = t & 1, .pack = true};
            char name[48];
            snprintf(name, sizeof name, "gemm-%lld-%c%c", (long long)n, t & 2 ? 't' : 'n',
                     t & 1 ? 't' : 'n');
            good = run_product(b, name, p, NULL) && good;
        }
    }
    /* An LSTM of 128 with B 32, T 32: gates = x W^T and dx = dgates W of one time step; dW =
     * dgates^T x of all time steps. */
    const product y = {.m = 32, .k = 128, .n = 512, .transposed_b = true},
                  dx = {.m = 32, .k = 512, .n = 128};
    product dw = {.m = 512, .k = 1024, .n = 128, .transposed_a = true};
    good = run_product(b, "gemm-lstm-y", y, "32 x 128 by 128 x 512, packed before") && good;
    good = run_product(b, "gemm-lstm-dx", dx, "32 x 512 by 512 x 128, packed before") && good;
    good = run_product(b, "gemm-lstm-dw", dw, "512 x 1024 by 1024 x 128, packed before") && good;
    dw.pack = true;
    return run_product(b, "gemm-lstm-dw-pack", dw, "the same, packing timed") && good;
}

/* ---- tiled attention ---- */

enum { HEADS = 4, HEAD_WIDTH = 64, WIDTH = HEADS * HEAD_WIDTH };

typedef struct attention {
    tg_tape *tape;
    int64_t time;
    const tg_real *q, *k, *v; /* [1, T, N D] */
} attention;

static bool attention_step(void *state)
{
    attention *a = state;
    tg_tensor *q = tg_variable(a->tape, a->q, TG_SHAPE(1, a->time, WIDTH));
    tg_tensor *k = tg_variable(a->tape, a->k, TG_SHAPE(1, a->time, WIDTH));
    tg_tensor *v = tg_variable(a->tape, a->v, TG_SHAPE(1, a->time, WIDTH));
    tg_tensor *y = tg_dot_attention(a->tape, q, k, v, HEADS, 1 / sqrt(HEAD_WIDTH), 0, NULL);
    tg_backward(a->tape, tg_sum(a->tape, y, TG_ALL_AXES, false));
    tg_tape_reset(a->tape);
    return bench_good(a->tape, NULL);
}

/* The peak memory of a first pass in MB, without q, k, v, y and their gradients; -1 after an
 * error. */
static double extra_memory(attention *a)
{
    const size_t tensors = 8 * (size_t)a->time * WIDTH * sizeof(tg_real), start = bench_memory();
    bench_reset_peak_memory();
    if (!attention_step(a)) return -1;
    return ((double)(bench_peak_memory() - start) - (double)tensors) / 1e6;
}

bool run_attention(const bench *b)
{
    const int64_t size = b->longest * WIDTH;
    tg_real *q = numbers(size, "q"), *k = numbers(size, "k"), *v = numbers(size, "v");
    bool good = (q && k && v) || bench_fail("out of memory");
    for (int64_t time = 512; good && time <= b->longest; time *= 2) {
        attention a = {tg_tape_new(1), time, q, k, v};
        const double square = (double)time * (double)time, flops = 12 * square * WIDTH,
                     extra = extra_memory(&a);
        const double peak_before = bench_peak(b->threads, b->seconds / 16);
        timing t = {0, 0};
        good = extra >= 0 && timing_measure(b->seconds, attention_step, &a, &t);
        const double peak = (peak_before + bench_peak(b->threads, b->seconds / 16)) / 2;
        char name[48], note[96];
        snprintf(name, sizeof name, "attention-%lld", (long long)time);
        snprintf(note, sizeof note, "%.2f ns / T^2, %.2f MB beyond the tensors",
                 t.ms * 1e6 / square, extra);
        if (good) bench_print(b, name, t, flops, peak, note);
        tg_tape_free(a.tape);
    }
    free(q);
    free(k);
    free(v);
    return good;
}
