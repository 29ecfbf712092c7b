/* Learning rate schedules at selected steps. */
#include "../support/support.h"

static const struct {
    double peak;
    int64_t step, warmup;
    double want;
} warmups[] = {
    {1, 0, 4, 0.25},      {1, 1, 4, 0.5},     {1, 2, 4, 0.75},      {1, 3, 4, 1},
    {1, 4, 4, 1},         {1, 1000000, 4, 1}, {0.008, 0, 1, 0.008}, {0.008, 0, 0, 0.008},
    {0.008, 7, 0, 0.008}, {2, 499, 1000, 1},
};

START_TEST(warmup)
    {
        test_assert_number("rate",
                           tg_lr_warmup(warmups[_i].peak, warmups[_i].step, warmups[_i].warmup),
                           warmups[_i].want);
    }
END_TEST

static const struct {
    double peak, floor;
    int64_t step, warmup, total;
    double want;
} cosines[] = {
    {1, 0, 0, 0, 100, 1},
    {1, 0, 50, 0, 100, 0.5},
    {1, 0, 100, 0, 100, 0},
    {1, 0, 101, 0, 100, 0},
    {1, 0.2, 100, 0, 100, 0.2},
    {1, 0.2, 9999, 0, 100, 0.2},
    {1, 0.2, 50, 0, 100, 0.6},
    {1, 0, 25, 0, 100, 0.85355339059327378},
    {1, 0, 75, 0, 100, 0.14644660940672624},
    {1, 0.5, 0, 10, 30, 0.1},
    {1, 0.5, 9, 10, 30, 1},
    {1, 0.5, 10, 10, 30, 1},
    {1, 0.5, 20, 10, 30, 0.75},
    {1, 0.5, 30, 10, 30, 0.5},
    {3, 1, 40, 10, 70, 2},
    {1, 0.25, 5, 5, 5, 0.25},
    {1, 0.25, 0, 0, 0, 0.25},
    {1, 0.25, 4, 5, 5, 1},
};

START_TEST(cosine)
    {
        double got = tg_lr_cosine(cosines[_i].peak, cosines[_i].floor, cosines[_i].step,
                                  cosines[_i].warmup, cosines[_i].total);
        ck_assert_msg(test_near(got, cosines[_i].want, 1e-14), "%.17g, wanted %.17g", got,
                      cosines[_i].want);
    }
END_TEST

START_TEST(up_and_then_down)
    {
        double previous = 0;
        for (int64_t step = 0; step < 120; step++) {
            double rate = tg_lr_cosine(1, 0.1, step, 20, 100);
            ck_assert(rate > 0 && rate <= 1);
            if (step < 20) ck_assert(test_near(rate - previous, 0.05, 1e-14)); /* linear warmup */
            else ck_assert(rate <= previous && rate >= 0.1);
            previous = rate;
        }
    }
END_TEST

Suite *rates_suite(void);
Suite *rates_suite(void)
{
    Suite *suite = suite_create("rates");
    TCase *tc = tcase_create("rates");
    tcase_add_loop_test(tc, warmup, 0, (int)COUNT(warmups));
    tcase_add_loop_test(tc, cosine, 0, (int)COUNT(cosines));
    tcase_add_test(tc, up_and_then_down);
    suite_add_tcase(suite, tc);
    return suite;
}
