/* What goes wrong in training, and how the tape says where. Each fault is planted here and found, with nothing but the tape:
 * tg_tape_detect_anomaly stops at the first NaN or infinity, forward or backward, and keeps a warning for what is likely a mistake; what
 * cannot be meant is an error; the norms of the gradients show which layer learns nothing. Returns non-zero if one is not found. */
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

/* relu between two layers: the logits [B, C]. */
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

/* e^-1000 is 0 in float, and in double: its logarithm is no number to train with. */
static void logarithm_of_zero(model *m)
{
    tg_scope_begin(m->tape, "entropy");
    tg_tensor *p = tg_softmax(m->tape, tg_affine(m->tape, logits(m), 1e4, 0));
    tg_sum(m->tape, tg_mul(m->tape, p, tg_log(m->tape, p)), TG_ALL_AXES, false);
}

/* The forward pass is right: the root of 0 is 0. Its slope is infinite. */
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

/* A bias so low that relu lets nothing through: no number is wrong, and nothing is learned. */
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
    const char *what, *found; /* what is done; what has to be said of it */
    void (*run)(model *m);
} faults[] = {
    {"the logarithm of a probability that is 0", "log: the result [4, 2] is -inf",
     logarithm_of_zero},
    {"the distance of a vector to itself, backward", "sqrt: the gradient of an input [4] is inf",
     slope_at_zero},
    {"probabilities where the loss wants logits", "pass logits, without a softmax", probabilities_for_logits},
    {"a step without a backward pass", "call tg_backward first", step_without_backward},
    {"backward twice over one tape", "walked already", backward_twice},
    {"gradients that nobody clears", "1000 backward passes", never_cleared},
    {"a layer that learns nothing", "", dead_layer},
};

/* Runs it on a fresh model; whether it was found. */
static bool run(const struct fault *fault)
{
    model m = {.params = tg_params_new(1), .tape = tg_tape_new(1)};
    tg_linear_init(&m.hidden, m.params, "hidden", I, H);
    tg_linear_init(&m.out, m.params, "out", H, C);
    tg_tape_detect_anomaly(m.tape, true);
    printf("%s\n", fault->what);
    fault->run(&m);
    const char *said = tg_tape_error(m.tape) ? tg_tape_error(m.tape) : tg_tape_warning(m.tape);
    if (!said) said = tg_params_error(m.params) ? tg_params_error(m.params) : "";
    if (*said) printf("  %s\n", said);
    const bool found = strstr(said, fault->found) != NULL;
    tg_tape_free(m.tape);
    tg_params_free(m.params);
    return found;
}

int main(void)
{
    bool all = true;
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) all = run(&faults[k]) && all;
    return all ? 0 : 1;
}
