/* Attention's memory. An allocator counts every byte, and the largest sum is compared with the
 * bytes of queries, keys, values, result and their gradients. Attention composed of matmul and
 * softmax would need several tensors [heads, T, T], of 4 GB each at T = 16,384 with 4 heads. */
#ifdef _OPENMP
#include <omp.h>
#endif
#include <time.h>

#include "../support/support.h"

enum { HEADER = 64, HEADS = 4, D = 64, TENSORS = 8 }; /* q, k, v, y and their gradients */
static size_t allocated, max_allocated;

static void *measuring_allocator(void *memory, size_t size)
{
    unsigned char *block = memory ? (unsigned char *)memory - HEADER : NULL;
    size_t old_size = 0;
    if (block) memcpy(&old_size, block, sizeof old_size);
    if (size == 0) {
        allocated -= old_size;
        free(block);
        return NULL;
    }
    unsigned char *grown = realloc(block, size + HEADER);
    if (!grown) return NULL;
    memcpy(grown, &size, sizeof size);
    allocated += size - old_size;
    if (allocated > max_allocated) max_allocated = allocated;
    return grown + HEADER;
}

typedef struct cost {
    double beyond; /* megabytes of 2^20 bytes, without the eight tensors */
    double seconds;
} cost;

static double seconds_now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double tensor_bytes(int64_t T, int64_t d)
{
    return (double)TENSORS * (double)(T * HEADS * d) * sizeof(tg_real);
}

/* The cost of a forward and a backward pass on a new tape. `reserve`: the arena first grows to the
 * size of the tensors and 2 MB, in one chunk; otherwise the unused ends of its chunks would count,
 * too. */
static cost measure(int64_t T, int64_t d, bool causal, bool reserve)
{
    allocated = 0;
    max_allocated = 0;
    tg_set_allocator(measuring_allocator);
    tg_tape *tape = tg_tape_new(1);
    if (reserve) {
        tg_constant(tape, NULL,
                    TG_SHAPE(TENSORS * T * HEADS * d + (2 << 20) / (int64_t)sizeof(tg_real)));
        tg_tape_reset(tape);
    }
    tg_tensor *x[3];
    for (int i = 0; i < 3; i++)
        x[i] = test_variable(tape, (uint64_t)i + 1, -1, 1, TG_SHAPE(1, T, HEADS * d));
    const double start = seconds_now();
    tg_tensor *y = tg_dot_attention(tape, x[0], x[1], x[2], HEADS, 1 / sqrt((double)d), 0,
                                    &(tg_attention_mask){.causal = causal});
    /* Of the last positions only, because sum copies its input. */
    tg_tensor *last = tg_slice(tape, y, 1, T - 16, T);
    tg_backward(tape, tg_sum(tape, last, TG_ALL_AXES, false));
    const double beyond = (double)max_allocated - tensor_bytes(T, d);
    const cost c = {beyond / 0x1p20, seconds_now() - start};
    ck_assert(x[0]->has_grad && x[1]->has_grad && x[2]->has_grad);
    test_end(tape, NULL);
    ck_assert_uint_eq(allocated, 0);
    tg_set_allocator(NULL);
    return c;
}

/* The arena's own 2 MB, tiles, packed keys, and a few numbers for each row: no [T, T], which would
 * be 64 MB and 256 MB here. */
START_TEST(grows_with_time)
    {
        const cost small = measure(1024, D, _i, true), large = measure(2048, D, _i, true);
        printf("T = 1,024: %.2f MB beyond the tensors, %.2f s; T = 2,048: %.2f MB, %.2f s\n",
               small.beyond, small.seconds, large.beyond, large.seconds);
        const double allowed = 1.5 * sizeof(tg_real);
        ck_assert_msg(small.beyond < allowed && large.beyond < allowed, "%.2f MB and %.2f MB",
                      small.beyond, large.beyond);
        ck_assert_msg(large.beyond - small.beyond < 0.03 * sizeof(tg_real),
                      "it grew from %.2f MB to %.2f MB", small.beyond, large.beyond);
    }
END_TEST

/* Packed keys grow with the width of a head, not with its square, which would be four times as
 * much. */
START_TEST(grows_with_width)
    {
        const cost small = measure(192, 1024, false, true);
        const cost large = measure(192, 2048, false, true);
        printf("d = 1,024: %.2f MB beyond the tensors; d = 2,048: %.2f MB\n", small.beyond,
               large.beyond);
        ck_assert_msg(large.beyond < 2 * small.beyond, "it grew from %.2f MB to %.2f MB",
                      small.beyond, large.beyond);
    }
END_TEST

#ifndef TG_DOUBLE
static const char long_tests[] = "TG_LONG_TESTS";

START_TEST(sixteen_thousand)
    {
        enum { T = 16384 };
        const char *setting = getenv(long_tests);
        const bool wanted = setting && *setting && strcmp(setting, "0") != 0;
        const double expected = measure(2048, D, false, true).seconds * (T / 2048) * (T / 2048);
        if (expected > 20 && !wanted) {
            printf("SKIPPED: T = 16,384, which would take about %.0f s here; set %s=1 to run it\n",
                   expected, long_tests);
            return;
        }
        const cost c = measure(T, D, false, false);
        printf("T = 16,384: %.1f MB beyond the tensors' %.0f MB, %.1f s\n", c.beyond,
               tensor_bytes(T, D) / 0x1p20, c.seconds);
        ck_assert_msg(c.beyond < 64, "%.1f MB beyond the tensors' %.0f MB", c.beyond,
                      tensor_bytes(T, D) / 0x1p20);
    }
END_TEST
#endif

static Suite *memory_suite(void)
{
    Suite *suite = suite_create("memory of attention");
    TCase *tc = tcase_create("memory of attention");
    tcase_set_timeout(tc, 600);
    tcase_add_loop_test(tc, grows_with_time, 0, 2);
    tcase_add_test(tc, grows_with_width);
#ifndef TG_DOUBLE
    tcase_add_test(tc, sixteen_thousand);
#endif
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
#ifdef _OPENMP
    if (omp_get_max_threads() > 2)
        omp_set_num_threads(2); /* each thread has its own tiles: 0.5 MB in float */
#endif
    Suite *(*const suites[])(void) = {memory_suite};
    return test_main((int)COUNT(suites), suites);
}
