/* The unit tests of attention and of what stands on it. */
#include "../support/support.h"

Suite *golden_suite(void), *gradients_suite(void), *looking_suite(void), *modules_suite(void),
    *plain_suite(void), *properties_suite(void), *sameness_suite(void), *tiled_suite(void);

int main(void)
{
    Suite *(*const suites[])(void) = {golden_suite,  plain_suite, modules_suite,  properties_suite,
                                      looking_suite, tiled_suite, sameness_suite, gradients_suite};
    return test_main((int)COUNT(suites), suites);
}
