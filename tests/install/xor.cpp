// examples/xor.c in C++11, with the same output. In C++20, which has designated initializers, it
// also defines an operator and prints one more line.
#include <tapegrad.h>

#include <cstdio>
#include <memory>

namespace
{

#if __cplusplus >= 202002L
// y = x^3,   dL/dx = dL/dy 3 x^2
bool cube_shape(tg_node *node) { return tg_output_like(node, node->inputs[0]) != nullptr; }
void cube_forward(tg_node *node)
{
    const tg_tensor *x = node->inputs[0];
    tg_real *y = node->outputs[0]->data;
    for (int64_t i = 0; i < x->size; i++) y[i] = x->data[i] * x->data[i] * x->data[i];
}
void cube_backward(tg_node *node)
{
    const tg_tensor *x = node->inputs[0];
    const tg_real *dy = node->outputs[0]->grad;
    tg_real *dx = tg_input_grad(node, 0);
    for (int64_t i = 0; dx && i < x->size; i++) dx[i] += dy[i] * 3 * x->data[i] * x->data[i];
}
static const tg_op cube = {.name = "cube",
                           .shape = cube_shape,
                           .forward = cube_forward,
                           .backward = cube_backward};
#endif

using Params = std::unique_ptr<tg_params, decltype(&tg_params_free)>;
using Tape = std::unique_ptr<tg_tape, decltype(&tg_tape_free)>;

} // namespace

int main()
{
    const tg_real points[] = {0, 0, 0, 1, 1, 0, 1, 1};
    const int32_t labels[] = {0, 1, 1, 0};
    Params params(tg_params_new(1), tg_params_free);
    Tape tape(tg_tape_new(1), tg_tape_free);
    tg_linear hidden, out;
    tg_linear_init(&hidden, params.get(), "hidden", 2, 8);
    tg_linear_init(&out, params.get(), "out", 8, 2);
    tg_adam adam = tg_adam_default(0.05);
    for (int step = 0; step <= 100; step++) {
        tg_tensor *x = tg_constant(tape.get(), points, TG_SHAPE(4, 2));
        tg_tensor *h = tg_tanh(tape.get(), tg_linear_forward(tape.get(), &hidden, x));
        tg_tensor *logits = tg_linear_forward(tape.get(), &out, h);
        tg_tensor *loss = tg_cross_entropy(tape.get(), logits, tg_ints_1d(labels, 4));
        if (step % 25 == 0) std::printf("step %3d: loss %.3f\n", step, tg_item(loss));
        tg_backward(tape.get(), loss);
        tg_adam_step(&adam, params.get());
        tg_tape_reset(tape.get());
    }
    tg_tensor *x = tg_variable(tape.get(), points, TG_SHAPE(4, 2));
    tg_tensor *y = tg_square(tape.get(), x);
#if __cplusplus >= 202002L
    y = tg_apply(tape.get(), &cube, nullptr, 1, &x, nullptr);
#endif
    tg_tensor *sums = tg_sum(tape.get(), y, TG_AXES(0, -1), false);
    tg_backward(tape.get(), tg_sum(tape.get(), sums, TG_ALL_AXES, false));
#if __cplusplus >= 202002L
    std::printf("cube: %g, slope %g\n", double(y->data[3]), double(x->grad[3]));
#endif
    const char *error = tg_tape_error(tape.get());
    if (error) std::fprintf(stderr, "%s\n", error);
    return error != nullptr;
}
