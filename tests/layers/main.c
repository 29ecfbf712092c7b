/* The unit tests of layers. */
#include "../support/support.h"

Suite *simple_suite(void), *lstm_suite(void), *attention_suite(void), *gradients_suite(void),
    *golden_suite(void), *twins_suite(void), *sameness_suite(void), *model_suite(void),
    *interop_suite(void);

int main(void)
{
    Suite *(*const suites[])(void) = {simple_suite,   lstm_suite,    attention_suite,
                                      golden_suite,   interop_suite, twins_suite,
                                      sameness_suite, model_suite,   gradients_suite};
    return test_main((int)COUNT(suites), suites);
}
