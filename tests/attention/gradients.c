/* Every derivative of attention against numerical differences; the table is in cases.c. Gradients
 * at kinks, where numerical differences prove nothing, are tested in properties.c. */
#include "cases.h"

START_TEST(gradients)
    {
        attention_case_run(_i);
    }
END_TEST

Suite *gradients_suite(void);
Suite *gradients_suite(void)
{
    Suite *suite = suite_create("gradients");
    TCase *tc = tcase_create("gradients");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, gradients, 0, attention_case_count());
    suite_add_tcase(suite, tc);
    return suite;
}
