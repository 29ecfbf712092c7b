/* Every operator's derivative against numerical differences. The table of cases is in
 * support/operators.c. tests/layers/gradients.c checks that no operator is missing from it. */
#include "../support/support.h"

START_TEST(gradients)
    {
        test_core_case_run(_i);
    }
END_TEST

Suite *gradients_suite(void);
Suite *gradients_suite(void)
{
    Suite *suite = suite_create("gradients");
    TCase *tc = tcase_create("gradients");
    tcase_add_loop_test(tc, gradients, 0, test_core_case_count());
    suite_add_tcase(suite, tc);
    return suite;
}
