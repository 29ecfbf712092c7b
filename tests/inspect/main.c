/* The unit tests of inspect. */
#include "../support/support.h"

Suite *anomaly_suite(void), *check_layer_suite(void), *gradcheck_suite(void);
Suite *library_layers_suite(void), *tape_suite(void);

int main(void)
{
    Suite *(*const suites[])(void) = {anomaly_suite, check_layer_suite, gradcheck_suite,
                                      library_layers_suite, tape_suite};
    return test_main((int)COUNT(suites), suites);
}
