/* The unit tests of core. */
#include "../support/support.h"

Suite *tape_suite(void), *memory_suite(void), *random_suite(void), *elementwise_suite(void),
    *reductions_suite(void), *matmul_suite(void), *shapes_suite(void), *softmax_suite(void),
    *losses_suite(void), *norms_suite(void), *op_suite(void), *gradients_suite(void),
    *params_suite(void), *safetensors_suite(void);

int main(void)
{
    Suite *(*const suites[])(void) = {
        tape_suite,   memory_suite,    random_suite,  elementwise_suite, reductions_suite,
        matmul_suite, shapes_suite,    softmax_suite, losses_suite,      norms_suite,
        op_suite,     gradients_suite, params_suite,  safetensors_suite,
    };
    return test_main((int)COUNT(suites), suites);
}
