/* Seven faults of a training, and how the tape reports each. tg_tape_detect_anomaly finds the
 * first NaN or infinity, forward or backward, and warns of likely mistakes. Wrong uses of the
 * tape are errors in any case. Gradient norms show a layer that learns nothing. Returns non-zero
 * if a fault is not found. */
#include <stdio.h>
#include <string.h>
#include <tapegrad.h>

enum { B = 4, I = 3, H = 8, C = 2 };
static const tg_real numbers[B * I] = {1, 0, 2, 0, 1, 1, 2, 2, 0, 1, 1, 1};
static const int32_t labels[B] = {0, 1, 1, 0};

typedef struct model {
    tg_params *params;
    tg_tape *tape;
    tg_linear hidden, out;
} model;

/* Two linear layers with relu between them; returns logits [B, C]. */
static tg_tensor *logits(model *m)
{
    tg_tensor *x = tg_constant(m->tape, numbers, TG_SHAPE(B, I));
    return tg_linear_forward(m->tape, &m->out,
                             tg_relu(m->tape, tg_linear_forward(m->tape, &m->hidden, x)));
}

static tg_tensor *cross_entropy(model *m, tg_tensor *z)
{
    return tg_cross_entropy(m->tape, z, tg_ints_1d(labels, B));
}

/* exp(-1000) is 0 in float and in double, and log(0) is -inf. */
static void logarithm_of_zero(model *m)
{
    tg_scope_begin(m->tape, "entropy");
    tg_tensor *p = tg_softmax(m->tape, tg_affine(m->tape, logits(m), 1e4, 0));
    tg_sum(m->tape, tg_mul(m->tape, p, tg_log(m->tape, p)), TG_ALL_AXES, false);
}

/* The forward pass is right, for sqrt(0) = 0, but the derivative there is infinite. */
static void slope_at_zero(model *m)
{
    tg_tensor *z = logits(m), *gap = tg_sub(m->tape, z, z);
    tg_tensor *distance = tg_sqrt(m->tape,
                                  tg_sum(m->tape, tg_square(m->tape, gap), TG_AXES(1), false));
    tg_backward(m->tape, tg_sum(m->tape, distance, TG_ALL_AXES, false));
}

static void probabilities_for_logits(model *m)
{
    tg_backward(m->tape, cross_entropy(m, tg_softmax(m->tape, logits(m))));
}

static void step_without_backward(model *m)
{
    const tg_adam adam = tg_adam_default(0.01);
    cross_entropy(m, logits(m));
    tg_adam_step(&adam, m->params);
}

static void backward_twice(model *m)
{
    tg_tensor *loss = cross_entropy(m, logits(m));
    tg_backward(m->tape, loss);
    tg_backward(m->tape, loss);
}

static void never_cleared(model *m)
{
    for (int pass = 0; pass <= 1000; pass++) {
        tg_tape_reset(m->tape);
        tg_backward(m->tape, cross_entropy(m, logits(m)));
    }
}

/* The bias is so low that relu always gives 0: no value is wrong, but the gradients are 0. */
static void dead_layer(model *m)
{
    for (int64_t i = 0; i < H; i++) m->hidden.bias->data[i] = -100;
    tg_backward(m->tape, cross_entropy(m, logits(m)));
    for (int64_t k = 0; k < tg_params_count(m->params); k++) {
        const tg_tensor *p = tg_params_at(m->params, k);
        printf("  %-14s |gradient| %.4f\n", p->name, tg_grad_norm(p));
    }
}

static const struct fault {
    const char *what, *message; /* what is wrong; a part of the message */
    void (*cause)(model *m);
} faults[] = {
    {"the logarithm of a probability that is 0", "is -inf", logarithm_of_zero},
    {"the gradient of the distance of a vector to itself", "is inf", slope_at_zero},
    {"probabilities given to a loss that wants logits", "logits", probabilities_for_logits},
    {"a step without a backward pass", "tg_backward", step_without_backward},
    {"two backward passes over one tape", "had its backward pass", backward_twice},
    {"gradients that are never cleared", "1000 backward passes", never_cleared},
    {"a layer that learns nothing", "", dead_layer},
};

/* Causes the fault in a new model, and returns whether it is found. */
static bool is_found(const struct fault *fault)
{
    model m = {.params = tg_params_new(1), .tape = tg_tape_new(1)};
    tg_linear_init(&m.hidden, m.params, "hidden", I, H);
    tg_linear_init(&m.out, m.params, "out", H, C);
    tg_tape_detect_anomaly(m.tape, true);
    printf("%s\n", fault->what);
    fault->cause(&m);
    const char *said = tg_tape_error(m.tape) ? tg_tape_error(m.tape) : tg_tape_warning(m.tape);
    if (!said) said = tg_params_error(m.params) ? tg_params_error(m.params) : "";
    if (*said) printf("  %s\n", said);
    const bool found = strstr(said, fault->message) != NULL;
    tg_tape_free(m.tape);
    tg_params_free(m.params);
    return found;
}

int main(void)
{
    bool all = true;
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) all = is_found(&faults[k]) && all;
    return all ? 0 : 1;
}
