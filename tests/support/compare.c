/* Comparing numbers, and test data. */
#include "support.h"

bool test_near(double got, double want, double allowed)
{
    return got == want || fabs(got - want) <= allowed;
}

static double largest(const double *want, int64_t count)
{
    double magnitude = 0;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(want[i]) && fabs(want[i]) > magnitude) magnitude = fabs(want[i]);
    return magnitude;
}

void test_assert_all_near(const char *what, const tg_real *got, const double *want, int64_t count,
                          double tolerance)
{
    double allowed = tolerance * largest(want, count);
    for (int64_t i = 0; i < count; i++) {
        const double number = (double)got[i];
        const bool good = isnan(want[i]) ? isnan(number) : test_near(number, want[i], allowed);
        TEST_CHECK(good, "%s: element %lld is %.17g, expected %.17g +- %.3g", what, (long long)i,
                   number, want[i], allowed);
    }
}

void test_assert_reals_near(const char *what, const tg_real *got, const tg_real *want,
                            int64_t count, double tolerance)
{
    ck_assert_msg(got != NULL && want != NULL, "%s: no numbers", what);
    double *wanted = malloc((size_t)(count + 1) * sizeof *wanted);
    for (int64_t i = 0; i < count; i++) wanted[i] = (double)want[i];
    test_assert_all_near(what, got, wanted, count, tolerance);
    free(wanted);
}

void test_assert_number(const char *what, double got, double want)
{
    ck_assert_msg(test_near(got, want, TEST_TOLERANCE * fabs(want)), "%s is %.17g, expected %.17g",
                  what, got, want);
}

void test_assert_same_bits(const char *what, const tg_real *got, const tg_real *want, int64_t count)
{
    ck_assert_msg(count == 0 || (got != NULL && want != NULL), "%s: no numbers", what);
    for (int64_t i = 0; i < count; i++)
        TEST_CHECK(memcmp(got + i, want + i, sizeof *got) == 0,
                   "%s: element %lld of %lld is %.17g, and its bits are not those of %.17g", what,
                   (long long)i, (long long)count, (double)got[i], (double)want[i]);
}

void test_assert_shape(const char *what, const tg_tensor *got, int ndim, const int64_t *shape)
{
    ck_assert_msg(got != NULL, "%s is NULL", what);
    ck_assert_msg(got->ndim == ndim, "%s has %d axes, expected %d", what, got->ndim, ndim);
    int64_t size = 1;
    for (int d = 0; d < ndim; d++) {
        ck_assert_msg(got->shape[d] == shape[d], "%s: axis %d has size %lld, expected %lld", what,
                      d, (long long)got->shape[d], (long long)shape[d]);
        size *= shape[d];
    }
    ck_assert_msg(got->size == size, "%s: size %lld, expected %lld", what, (long long)got->size,
                  (long long)size);
}

void test_assert_tensor(const char *what, const tg_tensor *got, int ndim, const int64_t *shape,
                        const double *want)
{
    test_assert_shape(what, got, ndim, shape);
    test_assert_all_near(what, got->data, want, got->size, TEST_TOLERANCE);
}

/* SplitMix64 (Steele, Lea and Flood, 2014), computed from the position. */
double test_number(uint64_t seed, int64_t i, double low, double high)
{
    uint64_t z = (seed << 32) + (uint64_t)i * 0x9E3779B97F4A7C15u + 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return low + (high - low) * (double)(z >> 11) * 0x1p-53;
}

void test_fill(tg_real *data, int64_t count, uint64_t seed, double low, double high)
{
    for (int64_t i = 0; i < count; i++) data[i] = (tg_real)test_number(seed, i, low, high);
}

int64_t test_broadcast(int64_t flat, int ndim, const int64_t *shape, int small_ndim,
                       const int64_t *small_shape)
{
    int64_t position = 0, stride = 1;
    for (int d = ndim - 1; d >= 0; d--) {
        const int64_t index = flat % shape[d];
        flat /= shape[d];
        const int small = d - (ndim - small_ndim);
        if (small < 0) continue;
        if (small_shape[small] > 1) position += index * stride;
        stride *= small_shape[small];
    }
    return position;
}

int64_t test_shape_size(test_shape shape)
{
    int64_t size = 1;
    for (int d = 0; d < shape.ndim; d++) size *= shape.size[d];
    return size;
}
