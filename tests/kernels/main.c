/* The kernels of every instruction set that this processor has. The transcendentals are compared
 * with the C library, everything else with plain loops in double, over all sizes from 1 to 70;
 * instruction sets with a fused multiply-add also with each other, bit for bit. Float only, and
 * linked statically, because kernels are not exported. */
#include "../../core/kernels.h"
#include "../../layers/kernels.h"
#include "../../optim/kernels.h"
#include "../support/support.h"

enum { MAX_SIZE = 70 };

/* ck_assert reports to the runner at every call, which takes too long for millions of
 * comparisons. */
#define expect(condition, ...)                       \
    do {                                             \
        if (!(condition)) ck_abort_msg(__VA_ARGS__); \
    } while (0)

/* Every kernel, compiled for one instruction set. */
typedef struct kernel_set {
    const char *name;
    enum tg_isa_level level;
    void (*exp)(int64_t, const tg_real *, tg_real *);
    void (*tanh)(int64_t, const tg_real *, tg_real *);
    void (*sigmoid)(int64_t, const tg_real *, tg_real *);
    void (*exp_shifted)(int64_t, const tg_real *, tg_real, tg_real, tg_real *);
    void (*softmax_backward)(int64_t, int64_t, int64_t, const tg_real *, const tg_real *, tg_real,
                             tg_real *);
    tg_real (*sum)(int64_t, const tg_real *);
    tg_real (*dot)(int64_t, const tg_real *, const tg_real *);
    tg_real (*max)(int64_t, const tg_real *);
    void (*axpy)(int64_t, tg_real, const tg_real *, tg_real *);
    void (*add_rows)(int64_t, int64_t, const tg_real *, int64_t, tg_real *);
    void (*dropout_mask)(int64_t, uint64_t, uint64_t, uint32_t, tg_real, tg_real *);
    void (*gemm_pack)(int64_t, int64_t, tg_matrix, tg_real *);
    void (*gemm)(const tg_product *, tg_real *);
    void (*lstm_gates)(int64_t, tg_real *, const tg_real *, const tg_real *, tg_real *, tg_real *);
    void (*lstm_gates_backward)(int64_t, tg_real *, const tg_real *, const tg_real *,
                                const tg_real *, tg_real *);
    tg_real (*additive_score)(int64_t, const tg_real *, const tg_real *, const tg_real *);
    void (*additive_score_backward)(int64_t, tg_real, const tg_real *, const tg_real *,
                                    const tg_real *, tg_pair_grads);
    tg_real (*distance)(int64_t, const tg_real *, const tg_real *);
    void (*distance_backward)(int64_t, tg_real, const tg_real *, const tg_real *, tg_pair_grads);
    void (*online_softmax)(int64_t, int64_t, int64_t, const tg_real *, tg_real *, tg_online_rows);
    void (*softmax_from_stats)(int64_t, int64_t, int64_t, const tg_real *, const tg_real *,
                               tg_real *);
    void (*adam)(int64_t, const tg_adam_constants *, const tg_real *, tg_real *, tg_real *,
                 tg_real *);
} kernel_set;

/* e^x by the kernel that shifts and scales: shift 0, scale 1. */
#define EXP(suffix)                                                   \
    static void exp_##suffix(int64_t n, const tg_real *x, tg_real *y) \
    {                                                                 \
        tg_k_exp_shifted_##suffix(n, x, 0, 1, y);                     \
    }
EXP(baseline)
#ifdef TG_HAS_ISA_LEVELS
EXP(avx2)
EXP(avx512)
#endif

#define SET(suffix, level)                                                                         \
    {                                                                                              \
#suffix, level, exp_##suffix, tg_k_tanh_##suffix, tg_k_sigmoid_##suffix,                   \
            tg_k_exp_shifted_##suffix, tg_k_softmax_backward_##suffix, tg_k_sum_##suffix,          \
            tg_k_dot_##suffix, tg_k_max_##suffix, tg_k_axpy_##suffix, tg_k_add_rows_##suffix,      \
            tg_k_dropout_mask_##suffix, tg_k_gemm_pack_##suffix, tg_k_gemm_##suffix,               \
            tg_k_lstm_gates_##suffix, tg_k_lstm_gates_backward_##suffix,                           \
            tg_k_additive_score_##suffix, tg_k_additive_score_backward_##suffix,                   \
            tg_k_distance_##suffix, tg_k_distance_backward_##suffix, tg_k_online_softmax_##suffix, \
            tg_k_softmax_from_stats_##suffix, tg_k_adam_##suffix                                   \
    }

static const kernel_set sets[] = {
    SET(baseline, TG_ISA_BASELINE),
#ifdef TG_HAS_ISA_LEVELS
    SET(avx2, TG_ISA_AVX2),
    SET(avx512, TG_ISA_AVX512),
#endif
};

/* The level in use is the best of the processor, unless TG_ISA sets a lower one. */
static bool available(const kernel_set *set) { return set->level <= tg_isa_level(); }

#define EACH_SET(set) \
    for (const kernel_set *set = sets; set < sets + COUNT(sets) && available(set); set++)

/* ---- transcendentals ---- */

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* |got - want| in units of the last place of a float near want. */
static double ulps(float got, double want)
{
    if (isnan(want)) return isnan(got) ? 0 : (double)INFINITY;
    if (isinf((float)want) || isinf(got)) return got == (float)want ? 0 : (double)INFINITY;
    int exponent;
    frexp(want, &exponent);
    double unit = ldexp(1, exponent - 24 > -149 ? exponent - 24 : -149);
    return fabs((double)got - want) / unit;
}

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

/* The largest error, in ulp, over floats of all exponents and signs, with NaN and infinity: over
 * every 64th block of 4,096, or over all with TG_FULL_SWEEP=1. */
static double sweep(void (*kernel)(int64_t, const tg_real *, tg_real *),
                    double (*reference)(double))
{
    enum { BLOCK = 4096 };
    static tg_real x[BLOCK], y[BLOCK];
    const uint64_t step = getenv("TG_FULL_SWEEP") ? BLOCK : 64 * BLOCK + BLOCK;
    double worst = 0;
    for (uint64_t first = 0; first < (uint64_t)1 << 32; first += step) {
        for (uint32_t i = 0; i < BLOCK; i++) x[i] = from_bits((uint32_t)first + i);
        kernel(BLOCK, x, y);
        for (int i = 0; i < BLOCK; i++) {
            double error = ulps(y[i], reference((double)x[i]));
            if (!(error <= worst)) worst = error;
        }
    }
    return worst;
}

/* core/kernels.h states these bounds. */
START_TEST(transcendentals)
    {
        EACH_SET(set)
        {
            double e = sweep(set->exp, exp), t = sweep(set->tanh, tanh),
                   s = sweep(set->sigmoid, sigmoid);
            printf("%s: largest errors in ulp: exp %.2f, tanh %.2f, sigmoid %.2f\n", set->name, e,
                   t, s);
            ck_assert_msg(e <= 1.1, "%s: exp %g ulp", set->name, e);
            ck_assert_msg(t <= 6.5, "%s: tanh %g ulp", set->name, t);
            ck_assert_msg(s <= 2.5, "%s: sigmoid %g ulp", set->name, s);
        }
    }
END_TEST

/* ---- rows ---- */

static tg_real a[MAX_SIZE * MAX_SIZE], b[MAX_SIZE * MAX_SIZE], c[MAX_SIZE * MAX_SIZE + 1],
    packed[MAX_SIZE * 96];

static void fill_all(void)
{
    test_fill(a, MAX_SIZE * MAX_SIZE, 1, -1, 1);
    test_fill(b, MAX_SIZE * MAX_SIZE, 2, -1, 1);
}

/* Tolerance for a sum of n terms of size 1 in float: each rounding adds half of 1.2e-7. */
static double allowed(int64_t n) { return 1e-7 * (double)(n + 4); }

START_TEST(row_kernels)
    {
        fill_all();
        EACH_SET(set)
        for (int64_t n = 1; n <= MAX_SIZE; n++) {
            double sum = 0, dot = 0, max = -(double)INFINITY;
            for (int64_t i = 0; i < n; i++) {
                sum += (double)a[i];
                dot += (double)a[i] * (double)b[i];
                max = fmax(max, (double)a[i]);
            }
            expect(test_near((double)set->sum(n, a), sum, allowed(n)), "%s, size %d", set->name,
                   (int)n);
            expect(test_near((double)set->dot(n, a, b), dot, allowed(n)), "%s, size %d", set->name,
                   (int)n);
            expect((double)set->max(n, a) == max, "%s, size %d", set->name, (int)n);
            memcpy(c, b, sizeof b);
            set->axpy(n, 0.5f, a, c);
            for (int64_t i = 0; i < n; i++)
                expect(test_near((double)c[i], 0.5 * (double)a[i] + (double)b[i], allowed(1)),
                       "%s, size %d", set->name, (int)n);
            expect(c[n] == b[n], "%s, size %d", set->name, (int)n);
            memcpy(c, b, sizeof b);
            set->add_rows(3, n, a, MAX_SIZE, c);
            for (int64_t i = 0; i < n; i++)
                expect(test_near((double)c[i],
                                 (double)b[i] + (double)a[i] + (double)a[MAX_SIZE + i] +
                                     (double)a[2 * MAX_SIZE + i],
                                 allowed(4)),
                       "%s, size %d", set->name, (int)n);
            expect(c[n] == b[n], "%s, size %d", set->name, (int)n);
            set->exp_shifted(n, a, 0.25f, 0.5f, c);
            for (int64_t i = 0; i < n; i++)
                expect(test_near((double)c[i], 0.5 * exp((double)a[i] - 0.25), allowed(1)),
                       "%s, size %d", set->name, (int)n);
            memcpy(c, b, sizeof b);
            set->softmax_backward(1, n, n, a, &(tg_real){0.25f}, 0.5f, c);
            for (int64_t i = 0; i < n; i++)
                expect(test_near((double)c[i], 0.5 * (double)a[i] * ((double)b[i] - 0.25),
                                 allowed(2)),
                       "%s, size %d", set->name, (int)n);
            expect(c[n] == b[n], "%s, size %d", set->name, (int)n);
        }
    }
END_TEST

START_TEST(max_keeps_nan)
    {
        EACH_SET(set)
        for (int64_t n = 1; n <= MAX_SIZE; n++)
            for (int64_t at = 0; at < n; at++) {
                fill_all();
                a[at] = NAN;
                expect(isnan(set->max(n, a)), "%s loses a NaN at %d of %d", set->name, (int)at,
                       (int)n);
            }
    }
END_TEST

START_TEST(dropout_masks)
    {
        tg_random random = tg_random_new(7, "kernels");
        EACH_SET(set)
        for (int64_t n = 1; n <= MAX_SIZE; n++) {
            tg_random at = {random.key, (uint64_t)(3 * n)};
            set->dropout_mask(n, at.key, at.counter, 1u << 31, 2, c);
            for (int64_t i = 0; i < n; i++)
                expect(c[i] == (tg_random_bits(&at) >= 1u << 31 ? 2 : 0), "%s, size %d", set->name,
                       (int)n);
        }
    }
END_TEST

/* ---- matrix products ---- */

/* How a product is computed. */
enum { FROM_ZERO, FROM_C, FROM_ROW };

typedef struct product_case {
    bool transpose_a, transpose_b;
    int from;      /* the product is added to these numbers */
    bool in_place; /* b is neither packed nor gathered */
} product_case;

/* Case 0 .. 11: each transposition and each start. */
static product_case product_case_of(int index)
{
    return (product_case){.transpose_a = index & 1, .transpose_b = index & 2, .from = index / 4};
}

static void check_gemm(const kernel_set *set, int64_t m, int64_t n, int64_t k, product_case how)
{
    const tg_real *const starts[] = {NULL, c, b + 7}, *start = starts[how.from];
    const bool in_place = how.in_place;
    tg_matrix left = {a, how.transpose_a ? 1 : k, how.transpose_a ? m : 1};
    tg_matrix right = {b, how.transpose_b ? 1 : n, how.transpose_b ? k : 1};
    expect(tg_gemm_pack_size(k, n) <= (int64_t)COUNT(packed), "%s, size %d", set->name, (int)n);
    set->gemm_pack(k, n, right, packed);
    for (int64_t i = 0; i < m * n; i++) c[i] = 1;
    c[m * n] = 42;
    tg_product product = {m, n, k, left, right, start, c, n};
    if (!in_place && m % 2) product.b = tg_matrix_packed(packed);
    set->gemm(&product, in_place || m % 2 ? NULL : packed);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double want = how.from == FROM_C ? 1 : 0;
            if (how.from == FROM_ROW) want = (double)start[j];
            for (int64_t p = 0; p < k; p++)
                want += (double)left.data[i * left.row + p * left.column] *
                        (double)right.data[p * right.row + j * right.column];
            expect(test_near((double)c[i * n + j], want, allowed(k)),
                   "%s %dx%dx%d: [%d, %d] is %g, not %g", set->name, (int)m, (int)n, (int)k, (int)i,
                   (int)j, (double)c[i * n + j], want);
        }
    expect(c[m * n] == 42, "%s, size %d", set->name, (int)n);
}

START_TEST(products)
    {
        static const int64_t some[] = {1,  2,  3,  5,  7,  8,  9,  15, 16,
                                       17, 31, 33, 47, 48, 49, 64, 65, 70};
        fill_all();
        EACH_SET(set)
        for (int64_t n = 1; n <= MAX_SIZE; n++)
            for (size_t i = 0; i < COUNT(some); i++)
                for (int index = 0; index < 12; index++) {
                    product_case how = product_case_of(index);
                    check_gemm(set, n, some[i], some[(i * 5 + 3) % COUNT(some)], how);
                    check_gemm(set, some[i], n, some[(i * 7 + 1) % COUNT(some)], how);
                    if (some[i] % 16 != 0 || how.transpose_b) continue;
                    how.in_place = true;
                    check_gemm(set, n, some[i], some[(i * 5 + 3) % COUNT(some)], how);
                }
    }
END_TEST

/* Gathering A^T before the product changes no bit, for any sizes, and nothing is written beyond the
 * workspace. */
START_TEST(gathered_products)
    {
        enum { M = 531, N = 700, K = 520, GUARD = 16 };
        static tg_real left[K * M], right[K * N], plain[M * N], gathered[M * N];
        static const int64_t rows[] = {9, 300, 512, M}, columns[] = {128, 150, 592, N},
                             depths[] = {1, 17, 512, K};
        test_fill(left, COUNT(left), 3, -1, 1);
        test_fill(right, COUNT(right), 4, -1, 1);
        EACH_SET(set)
        for (size_t i = 0; i < COUNT(rows) * COUNT(columns); i++) {
            const int64_t m = rows[i % 4], n = columns[i / 4], k = depths[(i + i / 4) % 4];
            const tg_matrix at = {left, 1, M}, b_of = {right, i % 2 ? n : 1, i % 2 ? 1 : k};
            const int64_t size = tg_gemm_workspace_size(n, k, at, b_of),
                          pack = tg_gemm_pack_size(k, n);
            tg_real *workspace = malloc(sizeof *workspace * (size_t)(size + pack + GUARD));
            tg_real *to_pack = workspace + size + GUARD;
            ck_assert(size >= tg_gather_size(n));
            for (int64_t j = 0; j < GUARD; j++) workspace[size + j] = 42;
            set->gemm_pack(k, n, b_of, to_pack);
            set->gemm(&(tg_product){m, n, k, at, tg_matrix_packed(to_pack), NULL, plain, n}, NULL);
            set->gemm(&(tg_product){m, n, k, at, b_of, NULL, gathered, n}, workspace);
            expect(memcmp(plain, gathered, sizeof *plain * (size_t)(m * n)) == 0, "%s, case %d",
                   set->name, (int)i);
            for (int64_t j = 0; j < GUARD; j++)
                expect(workspace[size + j] == 42, "%s, case %d wrote beyond the workspace",
                       set->name, (int)i);
            free(workspace);
        }
    }
END_TEST

/* ---- layers and optimizers ---- */

START_TEST(lstm_rows)
    {
        tg_real gates[4 * MAX_SIZE], bias[4 * MAX_SIZE], activations[4 * MAX_SIZE], cell[MAX_SIZE],
            h[MAX_SIZE], dc[MAX_SIZE];
        fill_all();
        test_fill(bias, 4 * MAX_SIZE, 9, -1, 1);
        EACH_SET(set)
        for (int64_t n = 1; n <= MAX_SIZE; n++) {
            memcpy(gates, a, sizeof gates);
            set->lstm_gates(n, gates, bias, b, cell, h);
            memcpy(activations, gates, sizeof gates);
            memcpy(dc, b + MAX_SIZE, sizeof dc);
            set->lstm_gates_backward(n, gates, b, cell, h, dc);
            for (int64_t j = 0; j < n; j++) {
                double z[4]; /* the sums of the gates */
                for (int64_t k = 0; k < 4; k++)
                    z[k] = (double)a[k * n + j] + (double)bias[k * n + j];
                double i = sigmoid(z[0]), f = sigmoid(z[1]), g = tanh(z[2]), o = sigmoid(z[3]);
                double c_new = f * (double)b[j] + i * g, t = tanh(c_new), few = 1e-6;
                double dh = (double)h[j], d = (double)b[MAX_SIZE + j] + dh * o * (1 - t * t);
                expect(test_near((double)cell[j], c_new, few) &&
                           test_near((double)h[j], o * t, few),
                       "%s, size %d", set->name, (int)n);
                expect(test_near((double)activations[3 * n + j], o, few), "%s, size %d", set->name,
                       (int)n);
                expect(test_near((double)gates[j], d * g * i * (1 - i), few), "%s, size %d",
                       set->name, (int)n);
                expect(test_near((double)gates[n + j], d * (double)b[j] * f * (1 - f), few),
                       "%s, size %d", set->name, (int)n);
                expect(test_near((double)gates[2 * n + j], d * i * (1 - g * g), few), "%s, size %d",
                       set->name, (int)n);
                expect(test_near((double)gates[3 * n + j], dh * t * o * (1 - o), few),
                       "%s, size %d", set->name, (int)n);
                expect(test_near((double)dc[j], d * f, few), "%s, size %d", set->name, (int)n);
            }
        }
    }
END_TEST

START_TEST(pairs)
    {
        tg_real dq[MAX_SIZE], dk[MAX_SIZE], dv[MAX_SIZE];
        fill_all();
        EACH_SET(set)
        for (int64_t n = 1; n <= MAX_SIZE; n++) {
            const tg_real *v = a + MAX_SIZE;
            double score = 0, squares = 0;
            memcpy(dq, b, sizeof dq);
            memcpy(dk, b, sizeof dk);
            memcpy(dv, b, sizeof dv);
            set->additive_score_backward(n, 0.5f, a, b, v, (tg_pair_grads){dq, dk, dv});
            for (int64_t j = 0; j < n; j++) {
                double t = tanh((double)a[j] + (double)b[j]), du = 0.5 * (double)v[j] * (1 - t * t);
                score += (double)v[j] * t;
                squares += ((double)a[j] - (double)b[j]) * ((double)a[j] - (double)b[j]);
                expect(test_near((double)dq[j], (double)b[j] + du, 1e-6) &&
                           test_near((double)dk[j], (double)b[j] + du, 1e-6) &&
                           test_near((double)dv[j], (double)b[j] + 0.5 * t, 1e-6),
                       "%s, size %d", set->name, (int)n);
            }
            expect(test_near((double)set->additive_score(n, a, b, v), score, 5 * allowed(n)),
                   "%s, size %d", set->name, (int)n);
            expect(test_near((double)set->distance(n, a, b), sqrt(squares), 5 * allowed(n)),
                   "%s, size %d", set->name, (int)n);
            memcpy(dq, b, sizeof dq);
            memcpy(dk, b, sizeof dk);
            set->distance_backward(n, 0.5f, a, b, (tg_pair_grads){dq, dk, NULL});
            for (int64_t j = 0; j < n; j++) {
                double d = 0.5 * ((double)a[j] - (double)b[j]);
                expect(test_near((double)dq[j], (double)b[j] + d, 1e-6) &&
                           test_near((double)dk[j], (double)b[j] - d, 1e-6),
                       "%s, size %d", set->name, (int)n);
            }
        }
    }
END_TEST

/* Scores in two tiles, one after the other, give the softmax over both; a row of -infinity stays
 * without a sum. */
START_TEST(online_softmax)
    {
        enum { ROWS = 3, WIDTH = 5, Y_ROW = 7 };
        EACH_SET(set)
        for (int64_t n = 1; n <= MAX_SIZE; n++) {
            tg_real m[ROWS], l[ROWS] = {0}, y[ROWS * Y_ROW], *p = c;
            fill_all();
            for (int64_t i = 0; i < ROWS; i++) m[i] = -(tg_real)INFINITY;
            for (int64_t i = 0; i < ROWS * Y_ROW; i++) y[i] = i % Y_ROW < WIDTH ? 0 : 42;
            for (int64_t j = 0; j < n; j++)
                a[MAX_SIZE + j] = -(tg_real)INFINITY; /* row 1, in the first tile */
            for (int tile = 0; tile < 2; tile++) {
                const tg_real *s = tile ? b : a;
                set->online_softmax(ROWS, n, MAX_SIZE, s, p,
                                    (tg_online_rows){m, l, y, WIDTH, Y_ROW});
                expect(tile || (m[1] == -(tg_real)INFINITY && l[1] == 0 && p[MAX_SIZE] == 0),
                       "%s, size %d", set->name, (int)n);
                for (int64_t i = 0; i < ROWS * WIDTH; i++) /* y += sum of p, in five columns */
                    for (int64_t j = 0; j < n; j++)
                        y[i / WIDTH * Y_ROW + i % WIDTH] += p[i / WIDTH * MAX_SIZE + j];
            }
            for (int64_t i = 0; i < ROWS; i++) {
                double sum = 0;
                const tg_real stats[2] = {m[i], 1 / l[i]};
                for (int64_t j = 0; j < n; j++)
                    sum += exp((double)a[i * MAX_SIZE + j]) + exp((double)b[i * MAX_SIZE + j]);
                expect(test_near(log((double)l[i]) + (double)m[i], log(sum), allowed(n)),
                       "%s, size %d", set->name, (int)n);
                expect(test_near((double)y[i * Y_ROW + 4], (double)l[i],
                                 4 * allowed(n) * (double)n),
                       "%s, size %d", set->name, (int)n);
                expect(y[i * Y_ROW + WIDTH] == 42, "%s, size %d", set->name, (int)n);
                set->softmax_from_stats(1, n, MAX_SIZE, b + i * MAX_SIZE, stats, p);
                for (int64_t j = 0; j < n; j++)
                    expect(test_near((double)p[j], exp((double)b[i * MAX_SIZE + j]) / sum,
                                     allowed(n)),
                           "%s, size %d", set->name, (int)n);
            }
        }
    }
END_TEST

/* ---- the same bits ---- */

/* FNV-1a. */
static uint64_t hash(uint64_t h, const void *data, size_t bytes)
{
    for (const unsigned char *p = data, *end = p + bytes; p < end; p++)
        h = (h ^ *p) * 0x100000001B3u;
    return h;
}

/* A hash of what the kernels of a set compute from fixed numbers. */
static uint64_t fingerprint(const kernel_set *set, int64_t n)
{
    tg_real p[MAX_SIZE], m[MAX_SIZE], v[MAX_SIZE], one;
    uint64_t h = 0xCBF29CE484222325u;
    fill_all();
    set->exp(n, a, c);
    h = hash(h, c, (size_t)n * sizeof *c);
    set->tanh(n, a, c);
    h = hash(h, c, (size_t)n * sizeof *c);
    set->sigmoid(n, a, c);
    h = hash(h, c, (size_t)n * sizeof *c);
    one = set->sum(n, a);
    h = hash(h, &one, sizeof one);
    one = set->dot(n, a, b);
    h = hash(h, &one, sizeof one);
    set->gemm_pack(n, MAX_SIZE, (tg_matrix){b, MAX_SIZE, 1}, packed);
    set->gemm(
        &(tg_product){
            MAX_SIZE, MAX_SIZE, n, {a, MAX_SIZE, 1}, tg_matrix_packed(packed), NULL, c, MAX_SIZE},
        NULL);
    h = hash(h, c, sizeof(tg_real) * MAX_SIZE * MAX_SIZE);
    memcpy(p, b, sizeof p);
    set->lstm_gates(n, a, b, b, c, c + MAX_SIZE);
    h = hash(hash(h, a, sizeof a), c, (size_t)n * sizeof *c);
    set->lstm_gates_backward(n, a, b, c, c + MAX_SIZE, p);
    h = hash(h, a, sizeof a);
    memcpy(p, b, sizeof p);
    memcpy(m, b + MAX_SIZE, sizeof m);
    for (int i = 0; i < MAX_SIZE; i++) v[i] = b[i] * b[i];
    const tg_adam_constants k = {0.1f, 0.999f, 0.001f, 0.01f, 1e-8f, 0.01f, 0.99f};
    set->adam(n, &k, a, p, m, v);
    return hash(hash(hash(h, p, sizeof p), m, sizeof m), v, sizeof v);
}

START_TEST(instruction_sets_agree)
    {
        if (tg_isa_level() < TG_ISA_AVX512) {
            printf("skipped: this machine has fewer than two instruction sets with a fused "
                   "multiply-add\n");
            return;
        }
        for (size_t s = TG_ISA_AVX2; s + 1 < COUNT(sets); s++)
            for (int64_t n = 1; n <= MAX_SIZE; n++) {
                memset(c, 0, sizeof c);
                uint64_t lower = fingerprint(&sets[s], n);
                memset(c, 0, sizeof c);
                ck_assert_msg(lower == fingerprint(&sets[s + 1], n),
                              "size %d: sets %d and %d differ", (int)n, (int)s, (int)s + 1);
            }
    }
END_TEST

static Suite *kernels_suite(void)
{
    Suite *suite = suite_create("kernels");
    TCase *tests = tcase_create("kernels");
    tcase_set_timeout(tests, 1800);
    tcase_add_test(tests, transcendentals);
    tcase_add_test(tests, row_kernels);
    tcase_add_test(tests, max_keeps_nan);
    tcase_add_test(tests, dropout_masks);
    tcase_add_test(tests, products);
    tcase_add_test(tests, gathered_products);
    tcase_add_test(tests, lstm_rows);
    tcase_add_test(tests, pairs);
    tcase_add_test(tests, online_softmax);
    tcase_add_test(tests, instruction_sets_agree);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    Suite *(*const suites[])(void) = {kernels_suite};
    return test_main(1, suites);
}
