/* Every operator's derivative against differences; the table is in support/operators.c, and the test that no operator is
 * missing from it, which needs the layers' operators too, in tests/layers/gradients.c. */
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
