/* The random generator: known answers, independent streams, distributions. */
#include "../support/support.h"

/* Philox4x32-10, written from the paper (Salmon, Moraes, Dror and Shaw, SC 2011). It is tested with
 * the known answers of Random123. The library is compared with it: the upper half of a stream's
 * counter is 0, so most of the known answers cannot be reached through the library. */
static void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]}, k[2] = {key[0], key[1]};
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
        uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k[0], (uint32_t)b,
                            (uint32_t)(a >> 32) ^ c[3] ^ k[1], (uint32_t)a};
        memcpy(c, next, sizeof c);
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
    memcpy(out, c, sizeof c);
}

/* kat_vectors of Random123 1.14, "philox4x32 10". */
static const struct {
    uint32_t counter[4], key[2], answer[4];
} known[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

START_TEST(known_answers)
    {
        uint32_t out[4];
        philox(known[_i].counter, known[_i].key, out);
        for (int i = 0; i < 4; i++) ck_assert_uint_eq(out[i], known[_i].answer[i]);
    }
END_TEST

START_TEST(a_stream_is_philox)
    {
        tg_random zero = {0, 0};
        for (int i = 0; i < 4; i++) ck_assert_uint_eq(tg_random_bits(&zero), known[0].answer[i]);
        ck_assert_uint_eq(zero.counter, 4);
        const uint64_t keys[] = {0, 1, UINT64_MAX, 0x299f31d0a4093822u, (uint64_t)1 << 32};
        const uint64_t starts[] = {0, 1, 2, 3, 5, 1000003, ((uint64_t)1 << 34) - 3, UINT64_MAX / 2};
        for (size_t k = 0; k < COUNT(keys); k++)
            for (size_t s = 0; s < COUNT(starts); s++) {
                tg_random random = {keys[k], starts[s]};
                for (uint64_t word = starts[s]; word < starts[s] + 9; word++) {
                    uint64_t block = word / 4;
                    uint32_t out[4];
                    philox((uint32_t[]){(uint32_t)block, (uint32_t)(block >> 32), 0, 0},
                           (uint32_t[]){(uint32_t)keys[k], (uint32_t)(keys[k] >> 32)}, out);
                    TEST_CHECK(tg_random_bits(&random) == out[word % 4], "word %llu",
                               (unsigned long long)word);
                }
            }
    }
END_TEST

START_TEST(streams)
    {
        tg_random a = tg_random_new(1, "weights"), same = tg_random_new(1, "weights");
        tg_random others[] = {tg_random_new(2, "weights"), tg_random_new(1, "weightt"),
                              tg_random_new(1, NULL), tg_random_new(1, "weight"),
                              tg_random_new((uint64_t)1 << 32 | 1, "weights")};
        ck_assert(a.key == same.key && a.counter == 0 && same.counter == 0);
        for (size_t o = 0; o < COUNT(others); o++) {
            int equal = 0;
            for (int i = 0; i < 1000; i++) {
                tg_random mine = {a.key, (uint64_t)i}, its = {others[o].key, (uint64_t)i};
                equal += tg_random_bits(&mine) == tg_random_bits(&its);
            }
            ck_assert_msg(equal <= 1, "stream %d agrees in %d of 1000 words", (int)o, equal);
        }
        for (int i = 0; i < 100; i++) ck_assert_uint_eq(tg_random_bits(&a), tg_random_bits(&same));
    }
END_TEST

START_TEST(uniform_numbers)
    {
        enum { N = 200000, CELLS = 100 };
        tg_random random = tg_random_new(5, "uniform"), words = random;
        int cells[CELLS] = {0};
        double sum = 0;
        for (int i = 0; i < N; i++) {
            double u = tg_random_uniform(&random);
            /* multiples of 2^-32 */
            TEST_CHECK(u >= 0 && u < 1 && u == tg_random_bits(&words) / 4294967296.0, "%.17g", u);
            cells[(int)(u * CELLS)]++;
            sum += u;
        }
        double chi = 0, expected = (double)N / CELLS;
        for (int c = 0; c < CELLS; c++)
            chi += (cells[c] - expected) * (cells[c] - expected) / expected;
        /* 99 degrees of freedom: 99 +- 5 * 14 (five standard deviations) */
        ck_assert_msg(chi > 50 && chi < 165, "chi squared is %g, wanted about 99", chi);
        ck_assert_msg(test_near(sum / N, 0.5, 5 * 0.289 / sqrt(N)), "the mean is %g", sum / N);
    }
END_TEST

START_TEST(normal_numbers)
    {
        enum { N = 200000 };
        tg_random random = tg_random_new(6, "normal");
        double sums[4] = {0};
        int beyond = 0;
        for (int i = 0; i < N; i++) {
            double x = tg_random_normal(&random), power = 1;
            TEST_CHECK(isfinite(x), "number %d is %g", i, x);
            for (int k = 0; k < 4; k++) {
                power *= x;
                sums[k] += power;
            }
            beyond += fabs(x) > 1.959964;
        }
        ck_assert_uint_eq(random.counter, 2 * (uint64_t)N); /* two random words per number */
        const double moments[] = {0, 1, 0, 3}, deviations[] = {1, 1.42, 3.88, 9.8};
        for (int k = 0; k < 4; k++)
            ck_assert_msg(test_near(sums[k] / N, moments[k], 5 * deviations[k] / sqrt(N)),
                          "moment %d is %g", k + 1, sums[k] / N);
        ck_assert_msg(test_near((double)beyond / N, 0.05, 5 * sqrt(0.05 * 0.95 / N)),
                      "%d of %d numbers are beyond +-1.96", beyond, N);
    }
END_TEST

START_TEST(below)
    {
        tg_random random = tg_random_new(7, "below");
        ck_assert_uint_eq(tg_random_below(&random, 0), 0);
        const uint32_t bounds[] = {1, 2, 3, 7, 1000, 0x80000001u, UINT32_MAX};
        for (size_t b = 0; b < COUNT(bounds); b++) {
            double sum = 0;
            for (int i = 0; i < 20000; i++) {
                uint32_t x = tg_random_below(&random, bounds[b]);
                TEST_CHECK(x < bounds[b], "%u of %u", x, bounds[b]);
                sum += x / (double)bounds[b];
            }
            double mean = ((double)bounds[b] - 1) / 2 / bounds[b];
            ck_assert_msg(test_near(sum / 20000, mean, 5 * 0.289 / sqrt(20000)),
                          "below %u: mean %g", bounds[b], sum / 20000);
        }
        /* A plain remainder by 3 * 2^30 would give the lowest third twice as often as the
         * others. */
        int counts[3] = {0};
        for (int i = 0; i < 30000; i++)
            counts[tg_random_below(&random, 0xC0000000u) / 0x40000000u]++;
        for (int k = 0; k < 3; k++)
            ck_assert_msg(abs(counts[k] - 10000) < 500, "third %d has %d", k, counts[k]);
    }
END_TEST

START_TEST(shuffles)
    {
        tg_random random = tg_random_new(8, "shuffle"), again = random;
        int32_t items[100], repeated[100];
        for (int i = 0; i < 100; i++) items[i] = repeated[i] = i;
        tg_random_shuffle(&random, items, 100);
        tg_random_shuffle(&again, repeated, 100);
        int seen[100] = {0}, fixed = 0;
        for (int i = 0; i < 100; i++) {
            ck_assert_int_eq(items[i], repeated[i]);
            ck_assert(items[i] >= 0 && items[i] < 100);
            seen[items[i]]++;
            fixed += items[i] == i;
        }
        for (int i = 0; i < 100; i++) ck_assert_int_eq(seen[i], 1);
        ck_assert_int_lt(fixed, 10); /* one on average */
        int orders[6] = {0};
        for (int round = 0; round < 6000;
             round++) { /* the six orders of three are equally likely */
            int32_t three[] = {0, 1, 2};
            tg_random_shuffle(&random, three, 3);
            orders[three[0] * 2 + (three[1] > three[2])]++;
        }
        for (int k = 0; k < 6; k++)
            ck_assert_msg(abs(orders[k] - 1000) < 150, "order %d came %d times", k, orders[k]);
        tg_random_shuffle(&random, items, 0);
        tg_random_shuffle(&random, items, 1);
        tg_random_shuffle(&random, NULL, 0);
    }
END_TEST

Suite *random_suite(void);
Suite *random_suite(void)
{
    Suite *suite = suite_create("random");
    TCase *tc = tcase_create("random");
    tcase_add_loop_test(tc, known_answers, 0, (int)COUNT(known));
    tcase_add_test(tc, a_stream_is_philox);
    tcase_add_test(tc, streams);
    tcase_add_test(tc, uniform_numbers);
    tcase_add_test(tc, normal_numbers);
    tcase_add_test(tc, below);
    tcase_add_test(tc, shuffles);
    suite_add_tcase(suite, tc);
    return suite;
}
