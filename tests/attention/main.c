/* The unit tests of attention and of the layers that use it. */
#include "../support/support.h"

Suite *golden_suite(void), *gradients_suite(void), *modules_suite(void), *plain_suite(void),
    *properties_suite(void), *sameness_suite(void), *tiled_suite(void), *weights_suite(void);

int main(void)
{
    Suite *(*const suites[])(void) = {golden_suite,  plain_suite, modules_suite,  properties_suite,
                                      weights_suite, tiled_suite, sameness_suite, gradients_suite};
    return test_main((int)COUNT(suites), suites);
}
