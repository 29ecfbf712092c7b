/* The workload `gru`: a layer written as layers/README.md teaches, beside the library's LSTM. */
#include <stdio.h>

#include "../../examples/custom_layer/gru.h"
#include "bench.h"

typedef struct recurrent {
    tg_params *params;
    tg_tape *tape;
    tg_tensor *loss;
    gru gru;
    tg_lstm lstm;
    bool is_gru;
    int64_t batch, time, input, hidden;
} recurrent;

/* Forward and backward, without an optimizer. */
static bool recurrent_step(void *state)
{
    recurrent *r = state;
    tg_tensor *x = tg_variable(r->tape, NULL, TG_SHAPE(r->batch, r->time, r->input));
    for (int64_t i = 0; x && i < x->size; i++) x->data[i] = (tg_real)(i * 7919 % 1000) / 1000;
    tg_tensor *y = r->is_gru ? gru_forward(r->tape, &r->gru, x, tg_full_length())
                             : tg_lstm_forward(r->tape, &r->lstm, x, tg_full_length());
    tg_backward(r->tape, tg_sum(r->tape, y, TG_ALL_AXES, false));
    const bool good = bench_good(r->tape, r->params);
    tg_params_zero_grad(r->params);
    tg_tape_reset(r->tape);
    return good;
}

static bool run_recurrent(const bench *b, const char *name, recurrent r)
{
    r.params = tg_params_new(1);
    r.tape = tg_tape_new(1);
    if (r.is_gru) gru_init(&r.gru, r.params, "gru", r.input, r.hidden);
    else tg_lstm_init(&r.lstm, r.params, "lstm", r.input, r.hidden, 1, false);
    const double gates = r.is_gru ? 3 : 4;
    const double cells = (double)(r.batch * r.time * r.hidden);
    const double flops = 3 * 2 * gates * cells * (double)(r.input + r.hidden);
    const bool good = bench_good(r.tape, r.params) &&
                      bench_row(b, name, flops, recurrent_step, &r, NULL);
    tg_tape_free(r.tape);
    tg_params_free(r.params);
    return good;
}

bool run_gru(const bench *b)
{
    const recurrent small = {.is_gru = true, .batch = 4, .time = 10, .input = 50, .hidden = 50};
    const recurrent medium = {.is_gru = true, .batch = 32, .time = 32, .input = 128, .hidden = 128};
    const recurrent large = {.is_gru = true, .batch = 64, .time = 64, .input = 512, .hidden = 512};
    const recurrent *const sizes[] = {&small, &medium, &large};
    for (int i = 0; i < 3; i++) {
        recurrent lstm = *sizes[i];
        char name[2][32];
        lstm.is_gru = false;
        snprintf(name[0], sizeof name[0], "gru, H %lld", (long long)lstm.hidden);
        snprintf(name[1], sizeof name[1], "tg_lstm, H %lld", (long long)lstm.hidden);
        if (!run_recurrent(b, name[0], *sizes[i]) || !run_recurrent(b, name[1], lstm)) return false;
    }
    return true;
}
