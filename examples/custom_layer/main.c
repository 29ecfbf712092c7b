/* Checks the layer of conv1d.c, then trains one. custom_layer_double, in double, checks the
 * gradients, too; custom_layer is the same program in float. */
#include <stdio.h>

#include "conv1d.h"

static bool init(void *layer, tg_params *params, const char *name)
{
    return conv1d_init(layer, params, name, 3, 5, 3);
}

static tg_tensor *forward(tg_tape *tape, const void *layer, tg_tensor *x, tg_ints lengths)
{
    return conv1d_forward(tape, layer, x, lengths);
}

static bool check(void)
{
    conv1d layer;
    tg_checked_layer checked = {
        .layer = &layer, .init = init, .forward = forward, .input = 3, .file = "conv1d.check"};
    tg_layer_report report;
    bool right = tg_check_layer(&checked, &report);
    tg_layer_report_write(&report, stdout);
    return right;
}

enum { B = 32, T = 12, D = 8 };

/* Sequences of 1 and -1. The label says whether 1, 1, -1 occurs in the sequence. */
static void draw(tg_random *random, tg_real *x, int32_t *lengths, int32_t *labels)
{
    for (int b = 0; b < B; b++, x += T) {
        lengths[b] = 1 + (int32_t)tg_random_below(random, T);
        labels[b] = 0;
        for (int t = 0; t < T; t++) {
            x[t] = tg_random_below(random, 2) ? 1 : -1;
            if (t >= 2 && t < lengths[b] && x[t - 2] > 0 && x[t - 1] > 0 && x[t] < 0) labels[b] = 1;
        }
    }
}

/* Trains, and returns the share of right answers in the last hundred batches; 0 after an error. */
static double train(void)
{
    tg_params *params = tg_params_new(1);
    tg_tape *tape = tg_tape_new(1);
    tg_random random = tg_random_new(1, "batches");
    conv1d encoder;
    tg_linear classify;
    conv1d_init(&encoder, params, "encoder", 1, D, 3);
    tg_linear_init(&classify, params, "classify", D, 2);
    tg_adam adam = tg_adam_default(0.02);
    int right = 0;
    for (int step = 0; step < 500; step++) {
        tg_real numbers[B * T];
        int32_t lengths[B], labels[B];
        draw(&random, numbers, lengths, labels);
        tg_tensor *x = tg_constant(tape, numbers, TG_SHAPE(B, T, 1));
        tg_tensor *h = conv1d_forward(tape, &encoder, x, tg_ints_1d(lengths, B)); /* [B, T, D] */
        /* [B, D]; the padding is 0, which is never above a result of relu */
        tg_tensor *c = tg_max(tape, h, TG_AXES(1), false);
        tg_tensor *y = tg_linear_forward(tape, &classify, c); /* [B, 2] */
        tg_backward(tape, tg_cross_entropy(tape, y, tg_ints_1d(labels, B)));
        for (int b = 0; y && step >= 400 && b < B; b++)
            right += labels[b] == (y->data[2 * b + 1] > y->data[2 * b]);
        tg_adam_step(&adam, params);
        tg_tape_reset(tape);
    }
    const char *error = tg_tape_error(tape) ? tg_tape_error(tape) : tg_params_error(params);
    if (error) fprintf(stderr, "custom_layer: %s\n", error);
    tg_tape_free(tape);
    tg_params_free(params);
    return right / (100.0 * B);
}

int main(void)
{
    bool right = check();
    double share = train();
    printf("trained to see whether 1, 1, -1 occurs in a sequence: %.0f %% right\n", 100 * share);
    return right && share > 0.99 ? 0 : 1;
}
