/* Prints a hash of the results of many workloads. Two outputs are equal if two builds, numbers of
 * threads or machines compute the same bits; bits.sh compares them. Each training runs twice:
 * without a stop, and saved half way, loaded into a new model and resumed. The program fails if the
 * two differ, or if a number is not finite, because then equal hashes would prove little. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "bits.h"

enum { STEPS = 8, HALF = 4 };

static void fail(const char *name, const char *why)
{
    fprintf(stderr, "bits: %s: %s\n", name, why);
    exit(1);
}

digest digest_new(const char *name) { return (digest){0xCBF29CE484222325u, name}; }

void digest_numbers(digest *d, int64_t n, const tg_real *x)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        if (!isfinite(x[i])) fail(d->name, "a number is not finite");
        memcpy(&bits, &x[i], sizeof bits);
        d->hash = (d->hash ^ bits) * 0x100000001B3u;
    }
}

void digest_tensor(digest *d, const tg_tensor *x)
{
    if (!x) return; /* check_errors reports the tape's error */
    digest_numbers(d, x->size, x->data);
    if (x->has_grad) digest_numbers(d, x->size, x->grad);
}

void digest_params(digest *d, tg_params *params)
{
    static const char *const states[] = {"exp_avg", "exp_avg_sq", "momentum_buffer"};
    for (int64_t i = 0; i < tg_params_count(params); i++) {
        tg_tensor *p = tg_params_at(params, i);
        digest_numbers(d, p->size, p->data);
        for (int s = 0; s < 3; s++) {
            const tg_real *state = tg_params_state(p, states[s]);
            if (state) digest_numbers(d, p->size, state);
        }
    }
}

void digest_print(const digest *d, const char *what)
{
    printf("%016llx  %s%s%s\n", (unsigned long long)d->hash, d->name, what ? ", " : "",
           what ? what : "");
}

void check_errors(const char *name, const tg_tape *tape, const tg_params *params)
{
    if (tg_tape_error(tape)) fail(name, tg_tape_error(tape));
    if (params && tg_params_error(params)) fail(name, tg_params_error(params));
}

void fill(tg_real *x, int64_t n, const char *stream, uint64_t seed, double low, double high)
{
    tg_random random = tg_random_new(seed, stream);
    for (int64_t i = 0; i < n; i++)
        x[i] = (tg_real)(low + (high - low) * tg_random_uniform(&random));
}

tg_tensor *filled(tg_tape *tape, const char *stream, uint64_t seed, double low, double high,
                  int ndim, const int64_t *shape)
{
    tg_tensor *x = tg_variable(tape, NULL, ndim, shape);
    if (x) fill(x->data, x->size, stream, seed, low, high);
    return x;
}

void fill_ints(int32_t *x, int64_t n, const char *stream, uint64_t seed, uint32_t bound)
{
    tg_random random = tg_random_new(seed, stream);
    for (int64_t i = 0; i < n; i++) x[i] = (int32_t)tg_random_below(&random, bound);
}

/* One execution of a training. */
typedef struct run {
    const training *what;
    void *model;
    tg_params *params;
    tg_tape *tape;
    digest d;
} run;

static run run_new(const training *what, uint64_t seed)
{
    run r = {what, calloc(1, what->size), tg_params_new(seed), tg_tape_new(seed),
             digest_new(what->name)};
    if (!r.model) fail(what->name, "out of memory");
    what->init(r.model, r.params);
    check_errors(what->name, r.tape, r.params);
    return r;
}

static void run_free(run *r)
{
    tg_tape_free(r->tape);
    tg_params_free(r->params);
    free(r->model);
}

static void steps(run *r, int from, int to)
{
    for (int step = from; step < to; step++) {
        tg_tensor *loss = r->what->loss(r->tape, r->model, (uint64_t)step, &r->d);
        tg_backward(r->tape, loss);
        digest_tensor(&r->d, loss);
        for (tg_grad_piece g = {0}; tg_grad_next(r->params, &g);)
            digest_numbers(&r->d, g.size, g.grad);
        r->what->take_step(r->params, step);
        check_errors(r->what->name, r->tape, r->params);
        tg_tape_reset(r->tape);
    }
}

/* The results of a trained model, without and with inference mode. */
static void evaluate(run *r)
{
    tg_tape_set_training(r->tape, false);
    tg_tape_set_recording(r->tape, false);
    for (int inference = 0; inference < 2; inference++) {
        tg_params_set_inference(r->params, inference);
        digest_tensor(&r->d, r->what->loss(r->tape, r->model, STEPS, &r->d));
        check_errors(r->what->name, r->tape, r->params);
        tg_tape_reset(r->tape);
    }
    tg_params_set_inference(r->params, false);
    digest_params(&r->d, r->params);
}

static void run_training(const training *what, const char *path)
{
    run straight = run_new(what, 1), resumed = run_new(what, 99), stopped = run_new(what, 1);
    steps(&straight, 0, STEPS);
    evaluate(&straight);
    digest_print(&straight.d, NULL);
    steps(&stopped, 0, HALF);
    tg_params_save(stopped.params, path, TG_SAVE_STATE);
    tg_params_load(resumed.params, path);
    tg_params_finish_load(resumed.params);
    check_errors(what->name, stopped.tape, stopped.params);
    *tg_tape_random(resumed.tape) = *tg_tape_random(stopped.tape);
    resumed.d = stopped.d;
    steps(&resumed, HALF, STEPS);
    evaluate(&resumed);
    digest_print(&resumed.d, "resumed");
    if (resumed.d.hash != straight.d.hash)
        fail(what->name, "the resumed training ends in other bits");
    run_free(&straight);
    run_free(&stopped);
    run_free(&resumed);
}

int main(void)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];
    snprintf(path, sizeof path, "%s/tapegrad-bits-XXXXXX", folder && *folder ? folder : "/tmp");
    int file = mkstemp(path);
    if (file < 0) fail(path, "cannot create a file");
    close(file);
    printf("%s\n", tg_isa());
    run_operators();
    run_products();
    for (int i = 0; i < training_count; i++) run_training(&trainings[i], path);
    unlink(path);
}
