/* Is a layer right? One function a check; each ends in say(), with what was found and where. All but the check of threads
 * run on one thread, so that a sum whose order depends on their number fails that check and no other, and in a process of
 * their own, so that a crash fails a check, too. (A process forked off has no threads but one.) */
#include "check_layer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "../core/internal.h"
#include "gradcheck.h"

enum { ROWS = 4, TIME = 7, MORE = 5, MANY_ROWS = 16, MANY = 64, FAR = 4096 }; /* sizes of batches */
enum { MAX_THREADS = 4, POINTS = 3, PASSES = 4, MAX_PARTS = 64 };

static const char *const names[TG_LAYER_CHECKS] = {"runs",  "repeats", "threads", "gradients",
                                                   "files", "padding", "memory",  "errors"};

typedef struct check {
    const tg_checked_layer *layer;
    tg_params *params;
    tg_layer_report *report;
    int out;                    /* of a process of its own: where its line goes; otherwise -1 */
    int32_t lengths[MANY_ROWS]; /* that forward was given last */
} check;

/* Sequences `first` .. of a fixed set: what stands at (sequence, time, feature) is the same in every batch. */
typedef struct batch {
    int64_t rows, time, first;
    double padding; /* what stands past the lengths */
    int32_t lengths[MANY_ROWS];
    enum { ALL, BUT_X, X_ALONE } wanted; /* which gradients */
    enum {
        STAY,
        CHANGE,
        UNSAID
    } said; /* lengths: their array is used for others after forward; or tg_full_length() */
} batch;

typedef struct run {
    tg_tape *tape;                /* owns the rest */
    tg_tensor *x, *y, *gradients; /* of all parameters, one after the other */
    size_t bytes;                 /* of a step */
} run;

TG_PRINTF(4, 5)
static bool say(check *c, tg_layer_check which, bool passed, const char *format, ...)
{
    struct tg_layer_line *line = &c->report->lines[which];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line->text, sizeof line->text, format, arguments);
    va_end(arguments);
    line->verdict = passed ? TG_LAYER_PASSED : TG_LAYER_FAILED;
    return passed;
}

static void end(check *c)
{
    tg_params_free(c->params);
    c->params = NULL;
}

/* What is known already, should the process end here. */
static void about_to(const check *c, const char *what)
{
    struct tg_layer_line line = {.verdict = TG_LAYER_FAILED};
    snprintf(line.text, sizeof line.text, "%s: crashed", what);
    if (c->out >= 0 && write(c->out, &line, sizeof line) < 0) _exit(1);
}

/* Runs a check in a process of its own, if there can be one. Returns whether it passed. */
static bool run_check(check *c, tg_layer_check which, void (*function)(check *))
{
    struct tg_layer_line *line = &c->report->lines[which];
    int ends[2] = {-1, -1};
    const pid_t child = pipe(ends) == 0 ? fork() : -1;
    if (child <= 0) {
        c->out = child == 0 ? ends[1] : -1;
        about_to(c, "at first");
        function(c);
        if (child == 0) _exit(write(ends[1], line, sizeof *line) < 0);
        end(c);
    }
    close(ends[1]);
    ssize_t got = child > 0;
    while (got > 0 || (got < 0 && errno == EINTR))
        got = read(ends[0], line, sizeof *line); /* the last line counts */
    close(ends[0]);
    if (child > 0) waitpid(child, NULL, 0);
    return line->verdict != TG_LAYER_FAILED;
}

static void leave_out(check *c, tg_layer_check which, const char *why)
{
    snprintf(c->report->lines[which].text, sizeof c->report->lines[which].text, "left out: %s",
             why);
}

static int set_threads(int threads)
{
#ifdef _OPENMP
    int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    return before;
#else
    return threads;
#endif
}

/* ---- a layer, a batch, a pass ---- */

/* Numbers of (-1, 1), with all the digits that a sum can lose, and past the lengths `padding`. */
static void draw(tg_tensor *x, const batch *in, uint64_t seed, double padding)
{
    const int64_t width = x->shape[x->ndim - 1], time = x->ndim == 3 ? x->shape[1] : 1;
    tg_random random = tg_random_new(seed, "check_layer");
    for (int64_t i = 0; i < x->size; i++) {
        const int64_t t = i / width % time, row = i / width / time;
        random.counter = (uint64_t)(((in->first + row) * FAR + t) * width + i % width);
        double number = (2 * tg_random_uniform(&random) - 1) / 1.01;
        x->data[i] = (tg_real)(x->ndim == 2 || t < in->lengths[in->first + row] ? number : padding);
    }
}

/* A fresh layer, off its start; from a file, unless that is NULL. False, with the error on c->params. */
static bool begin(check *c, uint64_t seed, const char *file)
{
    end(c);
    c->params = tg_params_new(seed);
    if (file) tg_params_load(c->params, file);
    const bool made = c->layer->init(c->layer->layer, c->params, "layer");
    if (file) tg_params_finish_load(c->params);
    if (c->params && !made) tg_fail(&c->params->error, "init returned false");
    tg_random random = tg_random_new(seed, "off its start");
    for (int64_t k = 0; !file && k < tg_params_count(c->params); k++) {
        tg_tensor *p = tg_params_at(c->params, k);
        for (int64_t i = 0; i < p->size; i++)
            p->data[i] += (tg_real)(0.6 * tg_random_uniform(&random) - 0.3);
    }
    return !tg_params_error(c->params);
}

static tg_tensor *call(check *c, tg_tape *tape, tg_tensor *x, const batch *in)
{
    const bool full = c->layer->pointwise || in->said == UNSAID;
    memcpy(c->lengths, in->lengths + in->first, (size_t)in->rows * sizeof *c->lengths);
    tg_tensor *y = c->layer->forward(tape, c->layer->layer, x,
                                     full ? tg_full_length() : tg_ints_1d(c->lengths, in->rows));
    for (int64_t k = 0; in->said == CHANGE && k < in->rows; k++)
        c->lengths[k] = (int32_t)in->time - c->lengths[k];
    return y;
}

static tg_tensor *forward(check *c, tg_tape *tape, tg_tensor *x, const batch *in)
{
    tg_tensor *y = call(c, tape, x, in);
    const char *error = tg_params_error(c->params);
    if (!tape || !x || tape->error.set) return NULL;
    if (error || !y)
        return tg_fail(&tape->error, "%s",
                       error ? error : "forward returned NULL and set no error");
    const bool each = y->ndim == 3 && y->shape[1] == in->time,
               pooled = y->ndim == 2 && !c->layer->pointwise;
    if (y->shape[0] == in->rows && (each || pooled)) return y;
    return tg_fail(&tape->error, "x %s gave %s, neither [B, T, D] nor [B, D]",
                   tg_shape_str(x->ndim, x->shape).text, tg_shape_str(y->ndim, y->shape).text);
}

/* Forward, backward, and what they gave. False after an error on the tape. */
static bool step(check *c, const batch *in, run *r)
{
    tg_tape_reset(r->tape);
    tg_tape_set_training(r->tape, false);
    r->x = tg_variable(r->tape, NULL, TG_SHAPE(in->rows, in->time, c->layer->input));
    if (r->x) draw(r->x, in, 1, in->padding), r->x->requires_grad = in->wanted != BUT_X;
    tg_params_freeze(c->params, "", in->wanted == X_ALONE);
    r->y = forward(c, r->tape, r->x, in);
    tg_tensor *weights = r->y ? tg_constant(r->tape, NULL, r->y->ndim, r->y->shape) : NULL;
    if (weights) draw(weights, in, 2, 0);
    tg_backward(r->tape, tg_sum(r->tape, tg_mul(r->tape, r->y, weights), TG_ALL_AXES, false));
    r->bytes = tg_tape_bytes(r->tape);
    r->gradients = tg_constant(r->tape, NULL, TG_SHAPE(tg_params_size(c->params)));
    tg_real *next = r->gradients ? r->gradients->data : NULL;
    for (int64_t k = 0; next && k < tg_params_count(c->params); k++) {
        const tg_tensor *p = tg_params_at(c->params, k);
        if (p->has_grad) memcpy(next, p->grad, (size_t)p->size * sizeof *next);
        next += p->size;
    }
    tg_params_zero_grad(c->params);
    return !tg_tape_error(r->tape);
}

/* Why a run gave nothing; NULL: it has all that a run has. */
static const char *error_of(const run *r)
{
    const char *error = tg_tape_error(r->tape);
    assert(error || (r->x && r->y && r->gradients));
    return error;
}

static run pass(check *c, const batch *in, const char *when)
{
    run r = {.tape = tg_tape_new(1)};
    about_to(c, when);
    step(c, in, &r);
    return r;
}

static const batch ordinary = {ROWS, TIME, 0, 0, {5, 0, 7, 1}, ALL, STAY};

/* ---- comparing ---- */

static bool same_bits(tg_real a, tg_real b) { return memcmp(&a, &b, sizeof a) == 0; }

/* "1.5, not 2", with as many digits as show a difference. */
static tg_shape_string differ(tg_real is, tg_real was)
{
    tg_shape_string text;
    const int digits = fabs((double)(is - was)) <= 1e-8 * fabs((double)was) ? 17 : 9;
    snprintf(text.text, sizeof text.text, "%.*g, not %.*g", digits, (double)is, digits,
             (double)was);
    return text;
}

/* Which parameter holds number `i` of all. */
static const tg_tensor *parameter_of(const check *c, int64_t *i)
{
    int64_t k = 0;
    while (*i >= tg_params_at(c->params, k)->size) *i -= tg_params_at(c->params, k++)->size;
    return tg_params_at(c->params, k);
}

/* Row `row` of a [B, T, D] or [B, D] and row `other` of b, as far as the sequence goes. */
static bool same_row(check *c, tg_layer_check which, const char *when, const char *what,
                     const tg_tensor *like, const tg_real *a, int64_t row, const tg_tensor *like_b,
                     const tg_real *b, int64_t other, int64_t length)
{
    const int64_t width = like->shape[like->ndim - 1],
                  count = like->ndim == 3 ? length * width : width;
    if (!a || !b)
        return a == b || say(c, which, false, "%s: %s is there once, and once not", when, what);
    if (like->ndim != like_b->ndim || width != like_b->shape[like_b->ndim - 1])
        return say(c, which, false, "%s: %s is %s, not %s", when, what,
                   tg_shape_str(like_b->ndim, like_b->shape).text,
                   tg_shape_str(like->ndim, like->shape).text);
    a += row * (like->size / like->shape[0]), b += other * (like_b->size / like_b->shape[0]);
    for (int64_t i = 0; i < count; i++)
        if (!same_bits(a[i], b[i]))
            return say(c, which, false,
                       "%s: %s of sequence %lld (length %lld), position %lld, feature %lld: %s",
                       when, what, (long long)row, (long long)length, (long long)(i / width),
                       (long long)(i % width), differ(b[i], a[i]).text);
    return true;
}

/* A pass over batch `in_b` gives what run a, over batch `in`, gave. */
static bool same_run(check *c, tg_layer_check which, const char *when, const run *a,
                     const batch *in, const batch *in_b)
{
    const char *error = error_of(a);
    if (error) return say(c, which, false, "at first: %s", error);
    run b = pass(c, in_b, when);
    error = error_of(&b);
    bool same = !error || say(c, which, false, "%s: %s", when, error);
    for (int64_t k = 0; same && k < in_b->rows; k++) {
        const int64_t row = in_b->first + k;
        same = same_row(c, which, when, "the result", a->y, a->y->data, row, b.y, b.y->data, k,
                        in->lengths[row]) &&
               (in_b->wanted == BUT_X || same_row(c, which, when, "dL/dx", a->x, a->x->grad, row,
                                                  b.x, b.x->grad, k, in->lengths[row]));
    }
    for (int64_t i = 0;
         same && in_b->wanted != X_ALONE && in_b->rows == in->rows && i < a->gradients->size; i++) {
        tg_real was = a->gradients->data[i], is = b.gradients->data[i];
        if (same_bits(was, is)) continue;
        const tg_tensor *p = parameter_of(c, &i);
        same = say(c, which, false, "%s: the gradient of %s, element %lld: %s", when, p->name,
                   (long long)i, differ(is, was).text);
    }
    tg_tape_free(b.tape);
    return same;
}

/* ---- the checks ---- */

static bool is_read(const tg_tape *tape, const tg_tensor *p)
{
    for (const tg_node *node = tape->first; node; node = node->next)
        for (int i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] == p) return true;
    return false;
}

static void check_runs(check *c)
{
    const tg_layer_check me = TG_LAYER_RUNS;
    about_to(c, "init");
    if (!begin(c, 1, NULL)) {
        say(c, me, false, "init: %s", tg_params_error(c->params));
        return;
    }
    run r = pass(c, &ordinary, "forward or backward pass");
    const char *error = error_of(&r);
    bool fine = !error || say(c, me, false, "%s", error);
    for (int64_t k = 0; fine && k < tg_params_count(c->params); k++) {
        const tg_tensor *p = tg_params_at(c->params, k);
        if (strncmp(p->name, "layer.", 6) != 0 && strcmp(p->name, "layer") != 0)
            fine =
                say(c, me, false,
                    "\"%s\" is not called by the layer's name, \"layer.*\": two such layers clash",
                    p->name);
        else if (!is_read(r.tape, p))
            fine = say(c, me, false, "%s is read by no operator", p->name);
    }
    if (fine)
        say(c, me, true, "x %s -> %s; parameters: %lld, of %lld numbers",
            tg_shape_str(r.x->ndim, r.x->shape).text, tg_shape_str(r.y->ndim, r.y->shape).text,
            (long long)tg_params_count(c->params), (long long)tg_params_size(c->params));
    tg_tape_free(r.tape);
}

static void check_repeats(check *c)
{
    const batch other = {2, 3, 1, 0, {0, 0, 3}, ALL, STAY};
    batch constant = ordinary, frozen = ordinary, changed = ordinary;
    constant.wanted = BUT_X, frozen.wanted = X_ALONE, changed.said = CHANGE;
    begin(c, 1, NULL);
    run first = pass(c, &ordinary, "at first");
    bool same = same_run(c, TG_LAYER_REPEATS, "once more", &first, &ordinary, &ordinary);
    tg_tape_free(pass(c, &other, "with another batch").tape);
    same = same &&
           same_run(c, TG_LAYER_REPEATS, "after another batch", &first, &ordinary, &ordinary) &&
           same_run(c, TG_LAYER_REPEATS, "with lengths that change after forward (are they kept?)",
                    &first, &ordinary, &changed) &&
           same_run(c, TG_LAYER_REPEATS, "with frozen parameters", &first, &ordinary, &frozen) &&
           (!tg_params_size(c->params) ||
            same_run(c, TG_LAYER_REPEATS, "with x a constant", &first, &ordinary, &constant));
    if (same)
        say(c, TG_LAYER_REPEATS, true,
            "the same bits each time, after another batch, and where x or the parameters take no "
            "gradient");
    tg_tape_free(first.tape);
}

#ifdef _OPENMP
static void check_threads(check *c)
{
    batch many = {MANY_ROWS, MANY, 0, 0, {0}, ALL, STAY};
    for (int row = 0; row < MANY_ROWS; row++) many.lengths[row] = (int32_t)(row * 37 % (MANY + 1));
    bool same = true;
    char when[64];
    begin(c, 1, NULL);
    run one = pass(c, &many, "at first");
    const char *error = error_of(&one);
    if (error)
        same = say(c, TG_LAYER_THREADS, false, "x %s: %s",
                   tg_shape_str(TG_SHAPE(many.rows, many.time, c->layer->input)).text, error);
    for (int threads = 2; same && threads <= MAX_THREADS; threads++)
        for (int again = 0; same && again < 2; again++) {
            snprintf(when, sizeof when, "with %d threads, not one", threads);
            set_threads(threads);
            same = same_run(c, TG_LAYER_THREADS, when, &one, &many, &many);
            set_threads(1);
        }
    if (same) say(c, TG_LAYER_THREADS, true, "the same bits with 1, 2, 3 and 4 threads");
    tg_tape_free(one.tape);
}
#else
static void check_threads(check *c)
{
    leave_out(c, TG_LAYER_THREADS, "tapegrad was built without OpenMP");
}
#endif

#ifdef TG_DOUBLE
typedef struct question {
    check *check;
    tg_tensor *x;
    bool company; /* everything is read once more, after the layer: that gradient arrives first */
} question;

static const batch small = {3, 4, 0, 0, {4, 0, 2}, ALL, STAY},
                   whole = {3, 4, 0, 0, {4, 4, 4}, ALL, STAY};

static tg_tensor *ask(tg_tape *tape, void *context)
{
    const question *q = context;
    tg_tensor *y = forward(q->check, tape, q->x, &small), *parts[MAX_PARTS];
    if (!q->company || !y || !y->size) return y;
    int count = 0;
    parts[count++] = tg_reshape(tape, y, TG_SHAPE(-1));
    for (int64_t k = 0; count < MAX_PARTS && k < tg_params_count(q->check->params); k++) {
        tg_tensor *p = tg_params_at(q->check->params, k);
        if (p->size) parts[count++] = tg_reshape(tape, p, TG_SHAPE(-1));
    }
    return tg_concat(tape, count, parts, 0);
}

static void check_gradients(check *c)
{
    char first[512] = "", found[512];
    for (uint64_t point = 1; point <= POINTS; point++) {
        begin(c, point, NULL);
        question q = {.check = c};
        q.x = tg_param(c->params, NULL, "x", TG_SHAPE(small.rows, small.time, c->layer->input),
                       tg_init_constant(0));
        if (q.x) draw(q.x, &whole, 10 + point, 0);
        tg_gradcheck_report report, both;
        const bool passed = tg_gradcheck(c->params, ask, &q, &report);
        q.company = true;
        if (passed && tg_gradcheck(c->params, ask, &q, &both)) {
            say(c, TG_LAYER_GRADIENTS, true,
                "%lld derivatives agree with differences to a part in a million%s%s",
                (long long)report.checked, point > 1 ? "; not everywhere (a kink?): " : "", first);
            return;
        }
        snprintf(found, sizeof found, "%s%.400s",
                 passed ? "where others read the same input (is it set, not added to?): " : "",
                 passed ? both.message : report.message);
        if (point == 1) memcpy(first, found, sizeof first);
    }
    say(c, TG_LAYER_GRADIENTS, false, "%s", strncmp(first, "FAILED: ", 8) ? first : first + 8);
}
#else
static void check_gradients(check *c)
{
    leave_out(c, TG_LAYER_GRADIENTS, "float is too coarse for differences: link tapegrad-double");
}
#endif

static void check_files(check *c)
{
    const tg_layer_check me = TG_LAYER_FILES;
    const char *folder = getenv("TMPDIR");
    char path[256], list[400] = "", when[] = "saved and loaded";
    size_t used = 0;
    if (snprintf(path, sizeof path, "%s/tapegrad-XXXXXX", folder ? folder : "/tmp") >=
        (int)sizeof path)
        path[0] = 0;
    begin(c, 1, NULL);
    const int file = mkstemp(path);
    if (file >= 0) close(file);
    run before = pass(c, &ordinary, "before saving");
    for (int64_t k = 0; k < tg_params_count(c->params) && used < sizeof list; k++) {
        const tg_tensor *p = tg_params_at(c->params, k);
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s %s", k ? ", " : "", p->name,
                                 tg_shape_str(p->ndim, p->shape).text);
    }
    bool same = tg_params_save(c->params, path, TG_SAVE_MODEL) ||
                say(c, me, false, "saving: %s", tg_params_error(c->params));
    same = same &&
           (begin(c, 2, path) || say(c, me, false, "loading: %s", tg_params_error(c->params)));
    unlink(path);
    if (same && same_run(c, me, when, &before, &ordinary, &ordinary))
        say(c, me, true, "saved and loaded, the same bits: %s", *list ? list : "no parameters");
    tg_tape_free(before.tape);
}

/* Past the lengths stand zeros: results, unless they are open, and dL/dx. */
static bool zeros_past(check *c, const char *what, const tg_tensor *x, const tg_real *data)
{
    for (int64_t i = 0; data && x->ndim == 3 && i < x->size; i++) {
        const int64_t width = x->shape[2], t = i / width % x->shape[1],
                      row = i / width / x->shape[1];
        if (t >= ordinary.lengths[row] && !(data[i] == 0))
            return say(c, TG_LAYER_PADDING, false,
                       "%s of sequence %lld (length %d), position %lld, is %.9g, not 0", what,
                       (long long)row, ordinary.lengths[row], (long long)t, (double)data[i]);
    }
    return true;
}

/* tg_full_length() says the same as lengths that are all T; not to the bit, for a layer may then save itself some work. */
static bool full_length(check *c)
{
    const batch said = {ROWS, TIME, 0, 0, {TIME, TIME, TIME, TIME}, ALL, STAY};
    batch unsaid = said;
    unsaid.said = UNSAID;
    run a = pass(c, &said, "at full length"), b = pass(c, &unsaid, "with tg_full_length()");
    const char *said_error = error_of(&a), *error = error_of(&b);
    bool same = (!said_error ||
                 say(c, TG_LAYER_PADDING, false, "at full length: %s", said_error)) &&
                (!error || say(c, TG_LAYER_PADDING, false, "with tg_full_length(): %s", error));
    if (same && !tg_has_shape(b.y, a.y->ndim, a.y->shape))
        same = say(c, TG_LAYER_PADDING, false,
                   "with tg_full_length(): the result is %s, and %s where lengths say so",
                   tg_shape_str(b.y->ndim, b.y->shape).text,
                   tg_shape_str(a.y->ndim, a.y->shape).text);
    for (int64_t i = 0; same && i < a.y->size; i++) {
        const double was = (double)a.y->data[i], is = (double)b.y->data[i];
        if (!(fabs(is - was) <= 1e-4 * fmax(1, fabs(was))))
            same = say(c, TG_LAYER_PADDING, false,
                       "with tg_full_length(): result %lld is %.9g, and %.9g where lengths say so",
                       (long long)i, is, was);
    }
    tg_tape_free(a.tape);
    tg_tape_free(b.tape);
    return same;
}

static void check_padding(check *c)
{
    const tg_layer_check me = TG_LAYER_PADDING;
    const char *dirt = c->layer->pointwise ? "with 1000 past the lengths"
                                           : "with NaN past the lengths";
    begin(c, 1, NULL);
    run clean = pass(c, &ordinary, "at first");
    batch dirty = ordinary, longer = ordinary;
    dirty.padding = longer.padding = c->layer->pointwise ? 1000 : (double)NAN;
    longer.time += MORE;
    bool same = same_run(c, me, dirt, &clean, &ordinary, &dirty) &&
                same_run(c, me, "with more padding", &clean, &ordinary, &longer);
    for (int row = 0; same && row < ROWS; row++) {
        batch alone = ordinary;
        alone.rows = 1, alone.first = row,
        alone.time = ordinary.lengths[row] ? ordinary.lengths[row] : 2;
        same = same_run(c, me, "without the sequences beside it", &clean, &ordinary, &alone);
    }
    same = same && full_length(c);
    same = same &&
           (c->layer->open_padding || c->layer->pointwise ||
            zeros_past(c, "the result", clean.y, clean.y->data)) &&
           zeros_past(c, "dL/dx", clean.x, clean.x->grad);
    if (same)
        say(c, me, true, "%s, with more of it and without the sequences beside it: the same bits%s",
            dirt, c->layer->open_padding ? "; past a length the results are no zeros" : "");
    tg_tape_free(clean.tape);
}

/* Bytes of a step of two sequences of length `time`; 0 where the layer refuses them. */
static double bytes_at(check *c, int32_t time)
{
    const batch full = {2, time, 0, 0, {time, time}, ALL, STAY};
    run r = pass(c, &full, "with longer sequences");
    const double bytes = tg_tape_error(r.tape) ? 0 : (double)r.bytes;
    tg_tape_free(r.tape);
    return bytes;
}

static void check_memory(check *c)
{
    const tg_layer_check me = TG_LAYER_MEMORY;
    begin(c, 1, NULL);
    run r = {.tape = tg_tape_new(1)};
    size_t bytes[PASSES], reserved[PASSES];
    const int64_t parameters = tg_params_count(c->params);
    bool steady = true;
    for (int k = 0; k < PASSES; k++) {
        step(c, &ordinary, &r);
        bytes[k] = r.bytes,
        reserved[k] = r.tape ? r.tape->arena.reserved + r.tape->scratch.reserved : 0;
    }
    for (int k = 2; steady && k < PASSES; k++) {
        if (bytes[k] > bytes[1] || reserved[k] > reserved[1])
            steady = say(c, me, false, "pass %d takes %zu bytes of the tape, pass 2 took %zu",
                         k + 1, bytes[k], bytes[1]);
        else if (tg_params_count(c->params) > parameters)
            steady = say(c, me, false, "forward registers parameters");
    }
    tg_tape_free(r.tape);
    const double a = bytes_at(c, 64), b = bytes_at(c, 128), d = bytes_at(c, 256),
                 power = log2((d - b) / (b - a));
    char growth[64] = "linear in T";
    if (!(a > 0 && b > 0 && d > 0))
        snprintf(growth, sizeof growth, "growing as nobody knows: T = 256 is refused");
    else if (b <= a) snprintf(growth, sizeof growth, "the same for every T");
    else if (!(power <= 1.1))
        snprintf(growth, sizeof growth, "growing as T to the power %.1f", power);
    if (steady)
        say(c, me, true, "a step takes %.0f kB from the second pass on, %s",
            ceil((double)bytes[1] / 1024), growth);
}

/* Whether an input is refused; the error's text goes to `text`. */
static bool refused(check *c, const char *what, int ndim, const int64_t *shape, const batch *in,
                    char text[200])
{
    about_to(c, what);
    tg_tape *tape = tg_tape_new(1);
    tg_tensor *x = tg_constant(tape, NULL, ndim, shape), *y = call(c, tape, x, in);
    const bool is = tg_tape_error(tape) && !y;
    if (!is)
        say(c, TG_LAYER_ERRORS, false, "%s, x %s, %s", what, tg_shape_str(ndim, shape).text,
            y ? "is accepted" : "gives NULL, but no error on the tape");
    else snprintf(text, 200, "%s", tg_tape_error(tape));
    tg_tape_free(tape);
    return is;
}

static void check_errors(check *c)
{
    const int64_t I = c->layer->input;
    char text[200], example[200];
    batch too_long = ordinary, negative = ordinary, too_many = ordinary;
    too_long.lengths[1] = TIME + 1, negative.lengths[1] = -1, too_many.rows++;
    begin(c, 1, NULL);
    bool fine = refused(c, "a wrong width", TG_SHAPE(ROWS, TIME, I + 1), &ordinary, example);
    if (!c->layer->pointwise)
        fine = fine && refused(c, "a wrong number of axes", TG_SHAPE(ROWS, I), &ordinary, text) &&
               refused(c, "a length above T", TG_SHAPE(ROWS, TIME, I), &too_long, text) &&
               refused(c, "a length below 0", TG_SHAPE(ROWS, TIME, I), &negative, text) &&
               refused(c, "one length too many", TG_SHAPE(ROWS, TIME, I), &too_many, text);
    about_to(c, "after an error, x NULL");
    tg_tape *tape = tg_tape_new(1);
    if (tape) tg_fail(&tape->error, "an earlier error");
    if (call(c, tape, NULL, &ordinary))
        fine = say(c, TG_LAYER_ERRORS, false, "after an error, x NULL gives a result");
    tg_tape_free(tape);
    if (fine)
        say(c, TG_LAYER_ERRORS, true, "what does not fit is refused, such as \"%s\"", example);
}

bool tg_check_layer(const tg_checked_layer *layer, tg_layer_report *report)
{
    tg_layer_report *own = NULL;
    if (!report) report = own = tg_realloc(NULL, sizeof *own);
    if (!report) return false;
    *report = (tg_layer_report){.passed = true};
    check c = {.layer = layer, .report = report, .out = -1};
    for (int k = 0; k < TG_LAYER_CHECKS; k++)
        leave_out(&c, (tg_layer_check)k, "it rests on what failed");
    const int threads = set_threads(1);
    if (run_check(&c, TG_LAYER_RUNS, check_runs)) {
        if (run_check(&c, TG_LAYER_REPEATS, check_repeats)) {
            check_threads(&c);
            run_check(&c, TG_LAYER_GRADIENTS, check_gradients);
            run_check(&c, TG_LAYER_FILES, check_files);
            run_check(&c, TG_LAYER_PADDING, check_padding);
        }
        run_check(&c, TG_LAYER_MEMORY, check_memory);
        run_check(&c, TG_LAYER_ERRORS, check_errors);
    }
    end(&c);
    set_threads(threads);
    for (int k = 0; k < TG_LAYER_CHECKS; k++)
        report->passed = report->passed && report->lines[k].verdict != TG_LAYER_FAILED;
    const bool passed = report->passed;
    tg_free(own);
    return passed;
}

const char *tg_layer_check_name(tg_layer_check which)
{
    return which < TG_LAYER_CHECKS ? names[which] : "";
}

bool tg_layer_report_write(const tg_layer_report *report, FILE *stream)
{
    static const char *const verdicts[] = {"-", "passed", "FAILED"};
    int failed = 0;
    for (int k = 0; k < TG_LAYER_CHECKS; k++) {
        fprintf(stream, "%-9s  %-6s  %s\n", names[k], verdicts[report->lines[k].verdict],
                report->lines[k].text);
        failed += report->lines[k].verdict == TG_LAYER_FAILED;
    }
    if (failed) fprintf(stream, "%d of %d checks failed\n", failed, TG_LAYER_CHECKS);
    else fprintf(stream, "the layer is right, as far as these checks can tell\n");
    return !ferror(stream);
}
