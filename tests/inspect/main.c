/* The unit tests of inspect. */
#include "../support/support.h"

Suite *check_layer_suite(void), *gradcheck_suite(void), *looking_suite(void);

int main(void)
{
    Suite *(*const suites[])(void) = {check_layer_suite, gradcheck_suite, looking_suite};
    return test_main((int)COUNT(suites), suites);
}
