/* Training steps of complete models, Adam on a large embedding, and textclf as a process. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { BATCHES = 64 }; /* made before the measurement and used in turn */

/* ---- classifiers: embedding, LSTM, additive attention, linear ---- */

typedef struct classifier_sizes {
    int64_t words, embedding, hidden, classes, batch, time;
    bool both_directions;
} classifier_sizes;

typedef struct classifier {
    classifier_sizes size;
    tg_params *params;
    tg_tape *tape;
    tg_embedding words;
    tg_lstm encoder;
    tg_additive_attention attention;
    tg_linear classify;
    tg_adam adam;
    int32_t *ids, *labels; /* [BATCHES, B, T], [BATCHES, B] */
    int64_t turn;
} classifier;

static int64_t directions(const classifier_sizes *size) { return size->both_directions ? 2 : 1; }

/* Two operations per weight and token; a training step has three passes: forward once, backward
 * twice. */
static double classifier_flops(const classifier_sizes *size, double passes)
{
    const double h = (double)size->hidden, e = (double)size->embedding,
                 d = (double)directions(size);
    return passes * 2 * (double)(size->batch * size->time) * (d * 4 * h * (e + h) + d * h * d * h);
}

static void classifier_free(classifier *c)
{
    tg_tape_free(c->tape);
    tg_params_free(c->params);
    free(c->ids);
    free(c->labels);
}

static bool classifier_init(classifier *c, classifier_sizes size)
{
    const int64_t width = directions(&size) * size.hidden, rows = BATCHES * size.batch;
    *c = (classifier){.size = size,
                      .params = tg_params_new(1),
                      .tape = tg_tape_new(1),
                      .adam = tg_adam_default(1e-3)};
    tg_embedding_init_sparse(&c->words, c->params, "embedding", size.words, size.embedding, 0);
    tg_lstm_init(&c->encoder, c->params, "encoder", size.embedding, size.hidden, 1,
                 size.both_directions);
    tg_additive_attention_init(&c->attention, c->params, "attention", width, width);
    tg_linear_init(&c->classify, c->params, "classify", width, size.classes);
    c->ids = malloc((size_t)(rows * size.time) * sizeof *c->ids);
    c->labels = malloc((size_t)rows * sizeof *c->labels);
    if (!c->ids || !c->labels) return bench_fail("out of memory");
    tg_random random = tg_random_new(1, "words");
    for (int64_t i = 0; i < rows * size.time; i++)
        c->ids[i] = 1 +
                    (int32_t)tg_random_below(&random, (uint32_t)size.words - 1); /* 0: padding */
    for (int64_t i = 0; i < rows; i++)
        c->labels[i] = (int32_t)tg_random_below(&random, (uint32_t)size.classes);
    return bench_good(c->tape, c->params);
}

static tg_tensor *classifier_forward(classifier *c, int64_t batch)
{
    const classifier_sizes *s = &c->size;
    const tg_ints ids = tg_ints_2d(c->ids + batch * s->batch * s->time, s->batch, s->time);
    tg_tensor *x = tg_embedding_forward(c->tape, &c->words, ids);
    tg_tensor *h = tg_lstm_forward(c->tape, &c->encoder, x, tg_full_length());
    tg_tensor *context = tg_additive_attention_forward(c->tape, &c->attention, h, tg_full_length(),
                                                       NULL);
    return tg_linear_forward(c->tape, &c->classify, context);
}

static bool classifier_train(void *state)
{
    classifier *c = state;
    const int64_t batch = c->turn++ % BATCHES;
    tg_tensor *logits = classifier_forward(c, batch);
    tg_tensor *loss = tg_cross_entropy(c->tape, logits,
                                       tg_ints_1d(c->labels + batch * c->size.batch,
                                                  c->size.batch));
    tg_backward(c->tape, loss);
    tg_clip_grad_norm(c->params, 5);
    tg_adam_step(&c->adam, c->params);
    tg_tape_reset(c->tape);
    return bench_good(c->tape, c->params);
}

static bool classifier_infer(void *state)
{
    classifier *c = state;
    tg_softmax(c->tape, classifier_forward(c, c->turn++ % BATCHES));
    tg_tape_reset(c->tape);
    return bench_good(c->tape, c->params);
}

static bool run_classifier(const bench *b, const char *name, classifier_sizes size, bool train)
{
    classifier c;
    bool good = classifier_init(&c, size);
    if (!train) {
        tg_params_set_inference(c.params, true);
        tg_tape_set_recording(c.tape, false);
        tg_tape_set_training(c.tape, false);
    }
    const timing_step step = train ? classifier_train : classifier_infer;
    good = good && bench_row(b, name, classifier_flops(&size, train ? 3 : 1), step, &c, NULL);
    classifier_free(&c);
    return good;
}

bool run_documents(const bench *b)
{
    return run_classifier(b, "documents", (classifier_sizes){20, 50, 50, 2, 4, 10, false}, true);
}

bool run_sst2(const bench *b)
{
    return run_classifier(b, "sst2", (classifier_sizes){15000, 128, 128, 2, 32, 32, true}, true);
}

bool run_large(const bench *b)
{
    return run_classifier(b, "large", (classifier_sizes){15000, 512, 512, 4, 64, 64, false}, true);
}

bool run_infer(const bench *b)
{
    return run_classifier(b, "infer", (classifier_sizes){15000, 128, 128, 2, 1, 20, true}, false);
}

/* ---- a transformer encoder block ---- */

typedef struct encoder {
    int64_t width, batch, time;
    tg_params *params;
    tg_tape *tape;
    tg_transformer block;
    tg_adam adam;
    tg_real *x, *target; /* [B, T, D] */
} encoder;

static bool encoder_train(void *state)
{
    encoder *e = state;
    tg_tensor *x = tg_variable(e->tape, e->x, TG_SHAPE(e->batch, e->time, e->width));
    tg_tensor *y = tg_transformer_forward(e->tape, &e->block, x, NULL, NULL, NULL, NULL);
    tg_tensor *target = tg_constant(e->tape, e->target, TG_SHAPE(e->batch, e->time, e->width));
    tg_backward(e->tape, tg_mean_squared_error(e->tape, y, target));
    tg_clip_grad_norm(e->params, 5);
    tg_adam_step(&e->adam, e->params);
    tg_tape_reset(e->tape);
    return bench_good(e->tape, e->params);
}

static tg_real *normal_numbers(int64_t count, const char *stream)
{
    tg_real *x = malloc((size_t)count * sizeof *x);
    tg_random random = tg_random_new(1, stream);
    for (int64_t i = 0; x && i < count; i++) x[i] = (tg_real)tg_random_normal(&random);
    return x;
}

static bool run_block(const bench *b, const char *name, int64_t width, int64_t feed, int64_t batch,
                      int64_t time)
{
    enum { HEADS = 4 };
    const int64_t tokens = batch * time;
    encoder e = {.width = width,
                 .batch = batch,
                 .time = time,
                 .params = tg_params_new(1),
                 .tape = tg_tape_new(1),
                 .adam = tg_adam_default(1e-3),
                 .x = normal_numbers(tokens * width, "x"),
                 .target = normal_numbers(tokens * width, "target")};
    tg_transformer_init(&e.block, e.params, "block", width, HEADS, feed, false);
    const double flops = 6 * (double)tokens *
                         (double)(4 * width * width + 2 * width * feed + 2 * time * width);
    bool good = e.x && e.target ? bench_good(e.tape, e.params) : bench_fail("out of memory");
    good = good && bench_row(b, name, flops, encoder_train, &e, NULL);
    tg_tape_free(e.tape);
    tg_params_free(e.params);
    free(e.x);
    free(e.target);
    return good;
}

bool run_encoder(const bench *b)
{
    return run_block(b, "encoder-256", 256, 1024, 16, 128) &&
           run_block(b, "encoder-64", 64, 256, 32, 32);
}

/* ---- Adam on an embedding of which a batch reads few rows ---- */

/* The 920 ids of a batch are about 600 different rows. */
enum { ADAM_ROWS = 200000, ADAM_WIDTH = 128, ADAM_IDS = 920, ADAM_PARTS = 10 };

/* Ids by Zipf's law: the frequency of id i is proportional to 1 / (i + 1). Inverts the cumulative
 * sums. */
static bool draw_zipf(int32_t *ids, int64_t count)
{
    double *below = malloc(ADAM_ROWS * sizeof *below), sum = 0;
    if (!below) return false;
    for (int i = 0; i < ADAM_ROWS; i++) {
        sum += 1.0 / (i + 1);
        below[i] = sum;
    }
    tg_random random = tg_random_new(1, "zipf");
    for (int64_t n = 0; n < count; n++) {
        const double u = tg_random_uniform(&random) * sum;
        int first = 0, last = ADAM_ROWS - 1;
        while (first < last) {
            const int middle = (first + last) / 2;
            if (below[middle] > u) last = middle;
            else first = middle + 1;
        }
        ids[n] = first;
    }
    free(below);
    return true;
}

static bool adam_step(tg_tape *tape, tg_params *params, const tg_embedding *words,
                      const tg_adam *adam, const int32_t *ids)
{
    tg_tensor *x = tg_embedding_forward(tape, words, tg_ints_1d(ids, ADAM_IDS));
    tg_backward(tape, tg_mean(tape, tg_square(tape, x), TG_ALL_AXES, false));
    tg_adam_step(adam, params);
    tg_tape_reset(tape);
    return bench_good(tape, params);
}

/* All steps are timed, with the memory that the first one takes; the parts show whether they
 * slow down. */
static bool time_adam(const bench *b, const char *name, tg_tape *tape, tg_params *params,
                      const tg_embedding *words, const int32_t *ids)
{
    const tg_adam adam = tg_adam_default(1e-3);
    double parts[ADAM_PARTS] = {0}, start = timing_now();
    int64_t done = 0;
    for (int part = 0; part < ADAM_PARTS; part++) {
        const int64_t until = (part + 1) * b->adam_steps / ADAM_PARTS, from = done;
        const double before = timing_now();
        for (; done < until; done++)
            if (!adam_step(tape, params, words, &adam, ids + done * ADAM_IDS)) return false;
        parts[part] = done > from ? (timing_now() - before) / (double)(done - from) : 0;
    }
    const double whole = timing_now() - start, last = parts[ADAM_PARTS - 1];
    timing time = timing_of(parts, ADAM_PARTS);
    char note[96];
    snprintf(note, sizeof note, "%lld steps, the last tenth %.3f ms each", (long long)b->adam_steps,
             last * 1e3);
    time.ms = whole / (double)b->adam_steps * 1e3;
    bench_print(b, name, time, 0, 0, note);
    return true;
}

static bool run_table(const bench *b, const char *name, bool sparse)
{
    const int64_t count = b->adam_steps * ADAM_IDS;
    tg_params *params = tg_params_new(1);
    tg_tape *tape = tg_tape_new(1);
    tg_embedding words;
    tg_embedding_init(&words, params, "embedding", ADAM_ROWS, ADAM_WIDTH, -1);
    if (sparse) tg_params_set_sparse(words.weight);
    int32_t *ids = malloc((size_t)count * sizeof *ids);
    bool good = ids && draw_zipf(ids, count) ? bench_good(tape, params)
                                             : bench_fail("out of memory");
    good = good && time_adam(b, name, tape, params, &words, ids);
    tg_tape_free(tape);
    tg_params_free(params);
    free(ids);
    return good;
}

bool run_adam(const bench *b)
{
    return run_table(b, "adam", false) && run_table(b, "adam-sparse", true);
}

/* ---- textclf train and textclf predict, as a user runs them ---- */

extern char **environ;

typedef struct job {
    char program[1100], folder[512], model[600];
} job;

/* Runs the program to its end and discards its output. */
static bool run_program(char *const *arguments)
{
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    const int failed = posix_spawn(&child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed) return bench_fail("%s: %s", arguments[0], strerror(failed));
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return bench_fail("waitpid: %s", strerror(errno));
    return status == 0 || bench_fail("%s %s failed", arguments[0], arguments[1]);
}

static bool job_step(void *state)
{
    job *j = state;
    char *train[] = {j->program,  "train",       "builtin:documents",
                     "--encoder", "lstm",        "--embedding",
                     "50",        "--hidden",    "50",
                     "--dropout", "0",           "--epochs",
                     "10",        "--attention", "additive",
                     "-o",        j->model,      NULL};
    char *predict[] = {j->program, "predict", j->model, "The movie is amazing", NULL};
    return run_program(train) && run_program(predict);
}

bool run_job(const bench *b)
{
    job j;
    const char *temporary = getenv("TMPDIR");
    snprintf(j.program, sizeof j.program, "%s/textclf", b->programs);
    snprintf(j.folder, sizeof j.folder, "%s/bench.XXXXXX",
             temporary && *temporary ? temporary : "/tmp");
    if (access(j.program, X_OK))
        return bench_fail("job: no %s (it is built with -Dexamples=enabled)", j.program);
    if (!mkdtemp(j.folder)) return bench_fail("%s: %s", j.folder, strerror(errno));
    snprintf(j.model, sizeof j.model, "%s/model", j.folder);
    char threads[16];
    snprintf(threads, sizeof threads, "%d", b->threads);
    setenv("OMP_NUM_THREADS", threads, 1); /* for the processes that it starts */
    const bool good = bench_row(b, "job", 0, job_step, &j, "train and predict, two processes");
    unlink(j.model);
    rmdir(j.folder);
    return good;
}
