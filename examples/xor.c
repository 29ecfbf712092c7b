#include <stdio.h>
#include <tapegrad.h>

int main(void)
{
    const tg_real points[] = {0, 0, 0, 1, 1, 0, 1, 1};
    const int32_t labels[] = {0, 1, 1, 0}; /* exclusive or */
    tg_params *params = tg_params_new(1);  /* owns what is learned */
    tg_tape *tape = tg_tape_new(1);        /* owns what is computed */
    tg_linear hidden, out;
    tg_linear_init(&hidden, params, "hidden", 2, 8);
    tg_linear_init(&out, params, "out", 8, 2);
    tg_adam adam = tg_adam_default(0.05);
    for (int step = 0; step <= 100; step++) {
        tg_tensor *x = tg_constant(tape, points, TG_SHAPE(4, 2));
        tg_tensor *h = tg_tanh(tape, tg_linear_forward(tape, &hidden, x));
        tg_tensor *y = tg_linear_forward(tape, &out, h);
        tg_tensor *loss = tg_cross_entropy(tape, y, tg_ints_1d(labels, 4));
        if (step % 25 == 0) printf("step %3d: loss %.3f\n", step, tg_item(loss));
        tg_backward(tape, loss);
        tg_adam_step(&adam, params);
        tg_tape_reset(tape);
    }
    tg_tape_free(tape);
    tg_params_free(params);
}
