/* Charts of extreme numbers. */
#include "../../examples/text_classifier/output/chart.h"
#include "test_text.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Three epochs of two lines. */
static void check_drawn(const double *values, bool log)
{
    const tc_chart chart = {.title = "loss",
                            .lines = {{"training", values}, {"validation", values + 1}},
                            .stride = 2,
                            .epochs = 3,
                            .best = 1,
                            .log = log};
    tc_page page = {0};
    page.stream = open_memstream(&page.bytes, &page.size);
    ck_assert_ptr_nonnull(page.stream);
    tc_chart_put(&page, &chart);
    ck_assert_int_eq(fflush(page.stream), 0);
    ck_assert_ptr_nonnull(strstr(page.bytes, "</figure>"));
    ck_assert_ptr_null(strstr(page.bytes, "inf"));
    ck_assert_ptr_null(strstr(page.bytes, "nan"));
    tc_page_free(&page);
}

START_TEST(odd_numbers)
    {
        static const double drawn[][6] = {
            {0.7, 0.6, 0.5, 0.4, 0.3, 0.2},
            {0},
            {2, 2, 2, 2, 2, 2},
            {(double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN},
            {1, (double)INFINITY, 2, -(double)INFINITY, 3, (double)NAN},
            {DBL_MAX, -DBL_MAX, 1, 2, 3, 4},
            {(double)FLT_MAX, -(double)FLT_MAX, 1, 2, 3, 4},
            {DBL_TRUE_MIN, DBL_MIN, 1, 2, 3, 4},
            {DBL_TRUE_MIN, DBL_TRUE_MIN, DBL_TRUE_MIN, DBL_TRUE_MIN, DBL_TRUE_MIN, DBL_TRUE_MIN},
            {(double)FLT_MIN, (double)FLT_MAX, 1, 2, 3, 4}};
        for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++) {
            check_drawn(drawn[i], false);
            check_drawn(drawn[i], true);
        }
    }
END_TEST

TCase *chart_cases(void)
{
    TCase *chart = tcase_create("chart");
    tcase_add_test(chart, odd_numbers);
    return chart;
}
