#include "training.h"

#include "../support/clock.h"
#include "../support/failure.h"
#include "ranks.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Steps from one look to the next: of the mean at the weights, and of the history at the gradients. */
enum { AVERAGE_EVERY = 16, NORMS_EVERY = 16 };

const char *const tc_class_weight_names[] = {"none", "balanced", NULL};
const char *const tc_layer_names[TC_LAYERS] = {"embedding", "encoder", "attention", "bag",
                                               "classify"};

static volatile sig_atomic_t interrupted; /* this process; all of them stop together */

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* Ctrl-C, and what a machine sends that shuts down. SA_RESETHAND: a second one ends the program at once. */
static const int signals[] = {SIGINT, SIGTERM};

static void catch_interrupt(struct sigaction before[2])
{
    struct sigaction action = {.sa_handler = on_interrupt,
                               .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    interrupted = 0;
    for (int i = 0; i < 2; i++) sigaction(signals[i], &action, &before[i]);
}

typedef struct training {
    tc_model *model;
    tc_part valid;
    const tc_schedule *schedule;
    tg_tape *tape;
    tg_adam adam;
    tc_batches batches;
    tg_real *class_weights;  /* [C], or NULL */
    tg_random order, hiding; /* what the epochs' orders and the hidden words are drawn from */
    tc_progress at;
    int64_t epoch_order; /* the counter of `order` before the epoch's was drawn */
    double saved;        /* when the last checkpoint was written */
    bool terminal;       /* standard error is one: show progress */
    bool stopped;        /* after Ctrl-C */
} training;

/* ---- what is kept beside the weights ---- */

typedef enum move { KEEP, RESTORE, EXCHANGE, AVERAGE } move;

/* Between the weights and the numbers kept beside them under a name. AVERAGE: kept += share (weights - kept). */
static bool move_weights(tg_params *params, const char *name, move what, tg_real share)
{
    tg_params_catch_up(params);
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        tg_tensor *p = tg_params_at(params, i);
        tg_real *kept = tg_params_state(p, name);
        for (int64_t j = 0; kept && j < p->size; j++) {
            const tg_real old = kept[j];
            if (what == AVERAGE) kept[j] += share * (p->data[j] - old);
            else if (what != RESTORE) kept[j] = p->data[j];
            if (what == RESTORE || what == EXCHANGE) p->data[j] = old;
        }
    }
    return !tg_params_error(params) || ex_fail("%s", tg_params_error(params));
}

/* The mean over all steps at first; then older ones count less and less. */
static bool average(training *t)
{
    const int64_t wanted = t->schedule->average / AVERAGE_EVERY,
                  taken = t->at.steps / AVERAGE_EVERY;
    if (!t->schedule->average || t->at.steps % AVERAGE_EVERY) return true;
    return move_weights(t->model->params, TC_MEAN, AVERAGE,
                        (tg_real)(1.0 / (double)(taken < wanted || !wanted ? taken : wanted)));
}

/* Writes the checkpoint, if there is one and its time has come or `now` is. Without room for it training goes on all the same. */
static void keep_checkpoint(training *t, bool now)
{
    const double time = ex_seconds_now();
    if (!t->schedule->checkpoint || tc_rank || (!now && time - t->saved < t->schedule->every))
        return;
    t->saved = time;
    t->at.order = t->epoch_order;
    t->at.hiding = (int64_t)t->hiding.counter;
    t->at.dropping = (int64_t)tg_tape_random(t->tape)->counter;
    tc_checkpoint_save(t->model, &t->at, t->schedule);
}

static bool resume(training *t)
{
    bool found = false;
    if (!t->schedule->resume) return true;
    if (!tc_checkpoint_load(t->model, &t->at, t->schedule, t->batches.count, &found)) return false;
    if (!found) {
        fprintf(stderr, "textclf: %s is not there: training starts from its beginning\n",
                t->schedule->checkpoint);
        return true;
    }
    fprintf(stderr, "textclf: %s: training goes on in epoch %lld, after step %lld\n",
            t->schedule->checkpoint, (long long)t->at.epoch, (long long)t->at.steps);
    t->order.counter = (uint64_t)t->at.order;
    t->hiding.counter = (uint64_t)t->at.hiding;
    tg_tape_random(t->tape)->counter = (uint64_t)t->at.dropping;
    return true;
}

/* ---- one epoch ---- */

static void hide_words(tc_batch *batch, const tc_schedule *schedule, tg_random *random)
{
    for (int64_t i = 0; i < (int64_t)batch->rows * batch->time; i++) {
        const double often = batch->tokens[i] >= schedule->rare ? 0.5 : schedule->word_dropout;
        const bool word = batch->tokens[i] != EX_PADDING && often > 0;
        if (word && tg_random_uniform(random) < often) batch->tokens[i] = EX_UNKNOWN;
    }
}

/* Rows / (labels rows of the label), so that the mean over the rows is 1. NULL after ex_fail. */
static tg_real *balance(tc_part part, int32_t labels)
{
    tg_real *weights = ex_allocate(NULL, (size_t)labels, sizeof *weights);
    for (int32_t c = 0; weights && c < labels; c++) {
        int32_t rows = 0;
        for (int32_t i = 0; i < part.count; i++) rows += part.rows[i].label == c;
        weights[c] = rows ? (tg_real)((double)part.count / ((double)labels * rows)) : 0;
    }
    return weights;
}

/* Adds the norm of each layer's gradient to the epoch's. */
static void look_at_gradients(training *t)
{
    for (int l = 0; l < TC_LAYERS; l++) {
        const size_t length = strlen(tc_layer_names[l]);
        double squares = 0;
        for (int64_t i = 0; i < tg_params_count(t->model->params); i++) {
            const tg_tensor *p = tg_params_at(t->model->params, i);
            if (strncmp(p->name, tc_layer_names[l], length) || p->name[length] != '.') continue;
            squares += tg_grad_norm(p) * tg_grad_norm(p);
        }
        t->at.norms[l] += sqrt(squares);
    }
    t->at.looks++;
}

/* Predicts, compares, goes back, and takes one step. */
static bool step(training *t, tc_batch *batch)
{
    tg_params *params = t->model->params;
    hide_words(batch, t->schedule, &t->hiding);
    tc_model_prepare(t->model, batch);
    tc_batch mine = *batch;
    const double share = tc_ranks_share(&mine, t->class_weights);
    if (tc_ranks > 1)
        tg_tape_random(t->tape)->counter = (uint64_t)t->at.steps
                                           << 40; /* a checkpoint has one for all processes */
    tg_tensor *logits = tc_model_forward(t->tape, t->model, &mine, NULL);
    tg_tensor *loss = tg_cross_entropy_weighted(t->tape, logits, tg_ints_1d(mine.labels, mine.rows),
                                                t->class_weights, t->schedule->smoothing);
    double mean = tg_backward(t->tape, loss) ? tg_item(loss) : 0;
    t->stopped = interrupted;
    if (!tg_tape_error(t->tape) && !tc_ranks_add(params, share, &mean, &t->stopped)) return false;
    if (t->schedule->norms && (t->at.place - 1) % NORMS_EVERY == 0) look_at_gradients(t);
    tg_clip_grad_norm(params, 5);
    t->adam.lr = tg_lr_warmup(t->schedule->rate, t->at.steps++, t->schedule->warmup);
    tg_adam_step(&t->adam, params);

    const char *error = tg_tape_error(t->tape);
    if (!error) error = tg_params_error(params);
    if (error) return ex_fail("training stops: %s", error);
    t->at.loss += mean * batch->rows;
    for (int32_t b = 0; b < batch->rows; b++) t->at.tokens += batch->lengths[b];
    tg_tape_reset(t->tape);
    if (!isfinite(t->at.loss))
        return ex_fail("training stops: the loss is not a finite number; try a smaller --rate");
    return average(t);
}

/* A line that is written over itself, and cut where the terminal ends: how far the epoch is, how fast, and the time that it still
 * takes. */
static void show_progress(const training *t)
{
    static const char bar[] = "====================";
    const double done = (double)t->at.place / t->batches.count;
    const int width = sizeof bar - 1, full = (int)(done * width);
    struct winsize window = {.ws_col = 80};
    char line[200];
    ioctl(STDERR_FILENO, TIOCGWINSZ, &window);
    snprintf(line, sizeof line, "epoch %lld [%.*s%*s] %3.0f %%  %.0f tokens/s  %.0f s left",
             (long long)t->at.epoch, full, bar, width - full, "", 100 * done,
             (double)t->at.tokens / t->at.seconds, t->at.seconds / done - t->at.seconds);
    fprintf(stderr, "\r\033[K%.*s", window.ws_col > 1 ? window.ws_col - 1 : 79, line);
}

static bool run_epoch(training *t)
{
    const double start = ex_seconds_now() - t->at.seconds;
    t->epoch_order = (int64_t)t->order.counter;
    tc_batches_shuffle(&t->batches, &t->order);
    while (t->at.place < t->batches.count && !t->stopped) {
        if (!step(t, tc_batches_get(&t->batches, (int32_t)t->at.place++))) return false;
        t->at.seconds = ex_seconds_now() - start;
        if (t->terminal && t->at.place % 8 == 0) show_progress(t);
        keep_checkpoint(t, false);
    }
    if (t->terminal) fprintf(stderr, "\r\033[K");
    return true;
}

/* ---- all epochs ---- */

static void print_epoch(const training *t, const tc_epoch *epoch, bool better)
{
    if (t->schedule->quiet) return;
    printf("%5lld  %10.4f", (long long)t->at.epoch, epoch->train_loss);
    if (t->valid.count) printf("  %10.4f  %8.4f", epoch->valid_loss, epoch->accuracy);
    printf("  %7.2f  %8.0f%s\n", t->at.seconds,
           t->at.seconds > 0 ? (double)t->at.tokens / t->at.seconds : 0.0,
           better && t->valid.count ? "  *" : "");
    fflush(stdout);
}

/* Measures the epoch, keeps its weights if it is the best, and turns to the next one. */
static bool finish_epoch(training *t)
{
    tc_progress *at = &t->at;
    tg_params *params = t->model->params;
    tc_score score = {0};
    const bool averaged = t->schedule->average > 0 && at->steps >= AVERAGE_EVERY;
    tg_params_catch_up(params);
    if (averaged && !move_weights(params, TC_MEAN, EXCHANGE, 0)) return false;
    if (t->valid.count && !tc_score_part(&score, t->model, t->valid)) return false;
    tc_epoch epoch = {.train_loss = at->loss / t->batches.part.count, .valid_loss = score.loss};
    if (t->valid.count) epoch.accuracy = tc_accuracy(&score);
    for (int l = 0; at->looks && l < TC_LAYERS; l++)
        epoch.norms[l] = at->norms[l] / (double)at->looks;
    tc_score_free(&score);

    const bool better = !at->best_epoch || !t->valid.count || epoch.accuracy > at->best_accuracy ||
                        (epoch.accuracy == at->best_accuracy && epoch.valid_loss < at->best_loss);
    if (better) {
        if (!move_weights(params, TC_BEST, KEEP, 0)) return false;
        at->best_epoch = at->epoch;
        at->best_accuracy = epoch.accuracy;
        at->best_loss = epoch.valid_loss;
    }
    if (averaged && !move_weights(params, TC_MEAN, EXCHANGE, 0)) return false;
    print_epoch(t, &epoch, better);
    at->history[at->epoch++ - 1] = epoch;
    at->place = at->tokens = at->looks = 0;
    at->loss = at->seconds = 0;
    memset(at->norms, 0, sizeof at->norms);
    t->epoch_order = (int64_t)t->order.counter;
    return true;
}

static bool run_epochs(training *t)
{
    const tc_schedule *schedule = t->schedule;
    if (!schedule->quiet)
        printf("epoch  train loss%s  seconds  tokens/s\n",
               t->valid.count ? "  valid loss  accuracy" : "");
    while (t->at.epoch <= schedule->epochs) {
        if (schedule->patience && t->at.epoch - 1 - t->at.best_epoch >= schedule->patience) {
            if (!schedule->quiet)
                printf("no better epoch in %lld: training ends\n", (long long)schedule->patience);
            return true;
        }
        if (!run_epoch(t)) return false;
        if (!t->stopped && !finish_epoch(t)) return false;
        keep_checkpoint(t, t->stopped);
        if (t->stopped) return true;
    }
    return true;
}

static bool begin(training *t, tc_part train)
{
    const tc_schedule *schedule = t->schedule;
    if (schedule->class_weight == TC_BALANCED &&
        !(t->class_weights = balance(train, t->model->labels.count)))
        return false;
    t->at.history = ex_allocate(NULL, (size_t)schedule->epochs, sizeof *t->at.history);
    if (!t->at.history || !tc_batches_init(&t->batches, train, (int32_t)schedule->batch))
        return false;
    tg_params_no_decay(t->model->params, "embedding");
    tg_params_no_decay(t->model->params, "bag");
    t->tape = tg_tape_new((uint64_t)schedule->seed +
                          ((uint64_t)tc_rank << 32)); /* dropout differs from process to process */
    if (!t->tape) return ex_fail("%s", tg_tape_error(NULL));
    t->saved = ex_seconds_now();
    return tc_model_defer(t->model) && resume(t);
}

bool tc_fit(tc_model *model, tc_part train, tc_part valid, const tc_schedule *schedule,
            tc_outcome *outcome)
{
    training t = {
        .model = model,
        .valid = valid,
        .schedule = schedule,
        .adam = schedule->decay > 0 ? tg_adamw_default(schedule->rate)
                                    : tg_adam_default(schedule->rate),
        .order = tg_random_new((uint64_t)schedule->seed, "order of the rows"),
        .hiding = tg_random_new((uint64_t)schedule->seed, "hidden words"),
        .at = {.epoch = 1},
        .terminal = isatty(STDERR_FILENO),
    };
    t.adam.weight_decay = schedule->decay;
    struct sigaction before[2];
    catch_interrupt(before);
    bool good = begin(&t, train) && run_epochs(&t);
    if (good && t.at.best_epoch) good = move_weights(model->params, TC_BEST, RESTORE, 0);
    *outcome = (tc_outcome){t.at.best_epoch, t.at.best_accuracy, t.stopped, t.at.history,
                            t.at.epoch - 1};
    for (int i = 0; i < 2; i++) sigaction(signals[i], &before[i], NULL);
    tg_tape_free(t.tape);
    tc_batches_free(&t.batches);
    ex_free(t.class_weights);
    return good;
}

void tc_outcome_free(tc_outcome *outcome)
{
    ex_free(outcome->history);
    *outcome = (tc_outcome){0};
}
