#include "fit.h"

#include "failure.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* SA_RESETHAND: a second Ctrl-C ends the program at once. */
static void catch_interrupt(struct sigaction *before)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    interrupted = 0;
    sigaction(SIGINT, &action, before);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- the best weights ---- */

typedef struct best_epoch {
    tg_real *weights; /* of all parameters, one after the other */
    int64_t epoch;
    double accuracy, loss;
} best_epoch;

static void copy_weights(tg_params *params, tg_real *copy, bool back)
{
    tg_params_catch_up(params);
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        tg_tensor *p = tg_params_at(params, i);
        size_t bytes = (size_t)p->size * sizeof *copy;
        if (back) memcpy(p->data, copy, bytes);
        else memcpy(copy, p->data, bytes);
        copy += p->size;
    }
}

/* ---- one epoch ---- */

typedef struct training {
    tc_model *model;
    const tc_schedule *schedule;
    tg_tape *tape;
    tg_adam adam;
    tc_batches batches;
    tg_real *class_weights;  /* [C], or NULL */
    int64_t steps;           /* taken so far */
    tg_random order, hiding; /* what the epochs' orders and the hidden words are drawn from */
    bool terminal;           /* standard error is one: show progress */
    double loss;             /* of the epoch, summed over its rows */
    int64_t tokens;
} training;

static void hide_words(tc_batch *batch, const tc_schedule *schedule, tg_random *random)
{
    for (int64_t i = 0; i < (int64_t)batch->rows * batch->time; i++) {
        const double often = batch->tokens[i] >= schedule->rare ? 0.5 : schedule->word_dropout;
        const bool word = batch->tokens[i] != TC_PADDING && often > 0;
        if (word && tg_random_uniform(random) < often) batch->tokens[i] = TC_UNKNOWN;
    }
}

/* Rows / (labels rows of the label), so that the mean over the rows is 1. NULL after tc_fail. */
static tg_real *balance(tc_part part, int32_t labels)
{
    tg_real *weights = tc_allocate(NULL, (size_t)labels, sizeof *weights);
    for (int32_t c = 0; weights && c < labels; c++) {
        int32_t rows = 0;
        for (int32_t i = 0; i < part.count; i++) rows += part.rows[i].label == c;
        weights[c] = rows ? (tg_real)((double)part.count / ((double)labels * rows)) : 0;
    }
    return weights;
}

/* Predicts, compares, goes back, and takes one step. */
static bool step(training *t, tc_batch *batch)
{
    tg_params *params = t->model->params;
    hide_words(batch, t->schedule, &t->hiding);
    tg_params_prepare(t->model->embedding.weight, tg_ints_2d(batch->tokens, batch->rows, batch->time));
    tg_tensor *logits = tc_model_forward(t->tape, t->model, batch, NULL);
    tg_tensor *loss = tg_cross_entropy_weighted(t->tape, logits, tg_ints_1d(batch->labels, batch->rows), t->class_weights,
                                                t->schedule->smoothing);
    tg_backward(t->tape, loss);
    tg_clip_grad_norm(params, 5);
    t->adam.rate = tg_rate_warmup(t->schedule->rate, t->steps++, t->schedule->warmup);
    tg_adam_step(&t->adam, params);

    const char *error = tg_tape_error(t->tape);
    if (!error) error = tg_params_error(params);
    if (error) return tc_fail("training stops: %s", error);
    t->loss += tg_item(loss) * batch->rows;
    for (int32_t b = 0; b < batch->rows; b++) t->tokens += batch->lengths[b];
    tg_tape_reset(t->tape);
    if (!isfinite(t->loss)) return tc_fail("training stops: the loss is not a finite number; try a smaller --rate");
    return true;
}

static bool run_epoch(training *t, int64_t epoch)
{
    t->loss = 0;
    t->tokens = 0;
    tc_batches_shuffle(&t->batches, &t->order);
    for (int32_t i = 0; i < t->batches.count && !interrupted; i++) {
        if (!step(t, tc_batches_get(&t->batches, i))) return false;
        if (t->terminal && i % 16 == 0) {
            fprintf(stderr, "\repoch %lld: %d of %d steps ", (long long)epoch, i + 1, t->batches.count);
        }
    }
    if (t->terminal) fprintf(stderr, "\r%40s\r", "");
    return true;
}

/* ---- all epochs ---- */

/* Measures the epoch and keeps its weights if it is the best; `seconds` is the time it took to train. */
static bool finish_epoch(training *t, tc_part valid, best_epoch *best, int64_t epoch, double seconds)
{
    tc_score score = {0};
    tg_params_catch_up(t->model->params);
    if (valid.count && !tc_score_part(&score, t->model, valid)) return false;
    double accuracy = valid.count ? tc_accuracy(&score) : 0;
    bool better = !best->epoch || !valid.count || accuracy > best->accuracy ||
                  (accuracy == best->accuracy && score.loss < best->loss);
    if (better) {
        copy_weights(t->model->params, best->weights, false);
        best->epoch = epoch;
        best->accuracy = accuracy;
        best->loss = score.loss;
    }
    if (!t->schedule->quiet) {
        printf("%5lld  %10.4f", (long long)epoch, t->loss / t->batches.part.count);
        if (valid.count) printf("  %10.4f  %8.4f", score.loss, accuracy);
        printf("  %7.2f  %8.0f%s\n", seconds, seconds > 0 ? (double)t->tokens / seconds : 0.0,
               better && valid.count ? "  *" : "");
        fflush(stdout);
    }
    tc_score_free(&score);
    return true;
}

static bool run_epochs(training *t, tc_part valid, best_epoch *best)
{
    const tc_schedule *schedule = t->schedule;
    if (!schedule->quiet) printf("epoch  train loss%s  seconds  tokens/s\n", valid.count ? "  valid loss  accuracy" : "");
    for (int64_t epoch = 1; epoch <= schedule->epochs; epoch++) {
        double start = seconds_now();
        if (!run_epoch(t, epoch)) return false;
        if (interrupted) return true;
        if (!finish_epoch(t, valid, best, epoch, seconds_now() - start)) return false;
        if (interrupted) return true;
        if (schedule->patience && epoch - best->epoch >= schedule->patience) {
            if (!schedule->quiet) printf("no better epoch in %lld: training ends\n", (long long)schedule->patience);
            return true;
        }
    }
    return true;
}

bool tc_fit(tc_model *model, tc_part train, tc_part valid, const tc_schedule *schedule, tc_outcome *outcome)
{
    training t = {
        .model = model,
        .schedule = schedule,
        .adam = schedule->decay > 0 ? tg_adamw_default(schedule->rate) : tg_adam_default(schedule->rate),
        .order = tg_random_new(schedule->seed, "order of the rows"),
        .hiding = tg_random_new(schedule->seed, "hidden words"),
        .terminal = isatty(STDERR_FILENO),
    };
    best_epoch best = {.weights = tc_allocate(NULL, (size_t)tg_params_size(model->params), sizeof *best.weights)};
    if (schedule->balanced) t.class_weights = balance(train, model->labels.count);
    if (!best.weights || (schedule->balanced && !t.class_weights) || !tc_batches_init(&t.batches, train, schedule->batch)) {
        free(best.weights);
        free(t.class_weights);
        return false;
    }
    t.adam.decay = schedule->decay;
    tg_params_no_decay(model->params, "embedding");
    tg_params_defer(model->embedding.weight);
    struct sigaction before;
    catch_interrupt(&before);
    t.tape = tg_tape_new(schedule->seed);
    bool good = run_epochs(&t, valid, &best);
    if (best.epoch) copy_weights(model->params, best.weights, true);
    *outcome = (tc_outcome){best.epoch, best.accuracy, interrupted != 0};
    sigaction(SIGINT, &before, NULL);
    tg_tape_free(t.tape);
    tc_batches_free(&t.batches);
    free(best.weights);
    free(t.class_weights);
    return good;
}
