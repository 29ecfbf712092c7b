/* The unit tests of optim. */
#include "../support/support.h"

Suite *sparse_suite(void), *golden_suite(void), *steps_suite(void), *rates_suite(void),
    *resume_suite(void);

int main(void)
{
    Suite *(*const suites[])(void) = {sparse_suite, golden_suite, steps_suite, rates_suite,
                                      resume_suite};
    return test_main((int)COUNT(suites), suites);
}
