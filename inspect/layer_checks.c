/* The checks of tg_check_layer, in the order in which it makes them. */
#ifdef _OPENMP
#include <stdio.h>
#include <omp.h>
#endif

#include <math.h>
#include <string.h>

#include "../core/ops.h"
#include "gradcheck.h"
#include "layer_pass.h"

/* ---- runs ---- */

static bool is_read(const tg_tape *tape, const tg_tensor *p)
{
    for (const tg_node *node = tape->first; node; node = node->next)
        for (int i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] == p) return true;
    return false;
}

static bool parameters_are_used(tg_checker *c, const tg_tape *tape)
{
    for (int64_t k = 0; k < tg_params_count(c->params); k++) {
        const tg_tensor *p = tg_params_at(c->params, k);
        if (strncmp(p->name, "layer.", 6) != 0 && strcmp(p->name, "layer") != 0)
            return tg_layer_conclude(c, false,
                                     "init got the name \"layer\" and registered \"%s\", not "
                                     "\"layer.*\": two such layers would clash",
                                     p->name);
        if (!is_read(tape, p))
            return tg_layer_conclude(c, false, "no operator reads the parameter %s", p->name);
    }
    return true;
}

static void check_runs(tg_checker *c)
{
    tg_layer_progress(c, "init");
    if (!tg_layer_make(c, 1, NULL)) {
        tg_layer_conclude(c, false, "init: %s", tg_params_error(c->params));
        return;
    }
    const tg_layer_pass pass = tg_layer_new_pass(c, &tg_usual_batch, "forward and backward");
    const char *error = tg_layer_pass_error(&pass);
    if (error) {
        tg_layer_conclude(c, false, "%s", error);
    } else if (parameters_are_used(c, pass.tape)) {
        const tg_tensor *x = pass.x, *y = pass.y;
        tg_layer_conclude(c, true, "x %s -> %s; parameters: %lld, with %lld numbers",
                          tg_shape_str(x->ndim, x->shape).text,
                          tg_shape_str(y->ndim, y->shape).text,
                          (long long)tg_params_count(c->params),
                          (long long)tg_params_size(c->params));
    }
    tg_tape_free(pass.tape);
}

/* ---- repeats ---- */

static bool repeats(tg_checker *c, const tg_layer_pass *first)
{
    const tg_batch other = {.rows = 2, .time = 3, .first = 1, .lengths = {0, 0, 3}};
    tg_batch constant_x = tg_usual_batch, frozen = tg_usual_batch, overwritten = tg_usual_batch;
    constant_x.required = TG_GRADS_OF_PARAMS;
    frozen.required = TG_GRAD_OF_X;
    overwritten.lengths_kind = TG_LENGTHS_OVERWRITTEN;
    if (!tg_layer_same_bits(c, "second pass", first, &tg_usual_batch)) return false;
    tg_tape_free(tg_layer_new_pass(c, &other, "another batch").tape);
    if (!tg_layer_same_bits(c, "after another batch", first, &tg_usual_batch) ||
        !tg_layer_same_bits(c, "with lengths that change after forward (were they copied?)", first,
                            &overwritten) ||
        !tg_layer_same_bits(c, "with frozen parameters", first, &frozen))
        return false;
    return tg_params_size(c->params) == 0 ||
           tg_layer_same_bits(c, "with x a constant", first, &constant_x);
}

static void check_repeats(tg_checker *c)
{
    tg_layer_make(c, 1, NULL);
    const tg_layer_pass first = tg_layer_new_pass(c, &tg_usual_batch, "first pass");
    if (repeats(c, &first))
        tg_layer_conclude(c, true,
                          "same bits on every pass, also after another batch, with x a "
                          "constant, and with frozen parameters");
    tg_tape_free(first.tape);
}

/* ---- threads ---- */

#ifdef _OPENMP
enum { MAX_THREADS = 4, MANY_STEPS = 64 };

/* Twice for each number of threads, because threads may finish in another order. */
static bool threads_agree(tg_checker *c, const tg_layer_pass *one)
{
    for (int k = 0; k < 2 * (MAX_THREADS - 1); k++) {
        const int threads = 2 + k / 2;
        char step[64];
        snprintf(step, sizeof step, "with %d threads instead of 1", threads);
        omp_set_num_threads(threads);
        const bool same = tg_layer_same_bits(c, step, one, one->batch);
        omp_set_num_threads(1);
        if (!same) return false;
    }
    return true;
}

static void check_threads(tg_checker *c)
{
    tg_batch many = {.rows = TG_MAX_BATCH_ROWS, .time = MANY_STEPS};
    for (int row = 0; row < TG_MAX_BATCH_ROWS; row++)
        many.lengths[row] = (int32_t)(row * 37 % (MANY_STEPS + 1));
    tg_layer_make(c, 1, NULL);
    const tg_layer_pass one = tg_layer_new_pass(c, &many, "with 1 thread");
    const char *error = tg_layer_pass_error(&one);
    if (error)
        tg_layer_conclude(c, false, "x %s: %s",
                          tg_shape_str(TG_SHAPE(many.rows, many.time, c->layer->input)).text,
                          error);
    else if (threads_agree(c, &one))
        tg_layer_conclude(c, true, "same bits on 1, 2, 3 and 4 threads");
    tg_tape_free(one.tape);
}
#else
static void check_threads(tg_checker *c) { tg_layer_skip(c, "tapegrad was built without OpenMP"); }
#endif

/* ---- gradients ---- */

#ifdef TG_DOUBLE
enum { POINTS = 3, MAX_PARTS = 64 };

static const tg_batch small_batch = {.rows = 3, .time = 4, .lengths = {4, 0, 2}};

typedef struct layer_function {
    tg_checker *c;
    tg_tensor *x;
    bool second_reader; /* each input is read again, after the layer: that gradient comes first */
} layer_function;

static tg_tensor *layer_output(tg_tape *tape, void *context)
{
    const layer_function *f = context;
    tg_tensor *y = tg_layer_forward(f->c, tape, f->x, &small_batch), *parts[MAX_PARTS];
    if (!f->second_reader || !y || y->size == 0) return y;
    int count = 0;
    parts[count++] = tg_reshape(tape, y, TG_SHAPE(-1));
    for (int64_t k = 0; count < MAX_PARTS && k < tg_params_count(f->c->params); k++) {
        tg_tensor *p = tg_params_at(f->c->params, k);
        if (p->size > 0) parts[count++] = tg_reshape(tape, p, TG_SHAPE(-1));
    }
    return tg_concat(tape, count, parts, 0);
}

/* Compares the gradients at one point. x is a parameter here, so that tg_gradcheck sees it. Returns
 * how many derivatives agree, or -1 with the text of the first that does not. */
static int64_t compare_gradients(tg_checker *c, uint64_t point, char text[512])
{
    const tg_batch full = {.rows = 3, .time = 4, .lengths = {4, 4, 4}};
    tg_layer_make(c, point, NULL);
    layer_function f = {.c = c};
    f.x = tg_param(c->params, NULL, "x", TG_SHAPE(full.rows, full.time, c->layer->input),
                   tg_init_constant(0));
    if (f.x) tg_batch_fill(&full, f.x, 10 + point, 0);
    tg_gradcheck_report alone, together;
    if (!tg_gradcheck(c->params, layer_output, &f, &alone)) {
        const size_t prefix = strncmp(alone.message, "FAILED: ", 8) == 0 ? 8 : 0;
        snprintf(text, 512, "%s", alone.message + prefix);
        return -1;
    }
    f.second_reader = true;
    if (tg_gradcheck(c->params, layer_output, &f, &together)) return alone.checked;
    snprintf(text, 512, "if another operator reads the input too (is = used for +=?): %.400s",
             together.message);
    return -1;
}

static void check_gradients(tg_checker *c)
{
    char first[512] = "", text[512];
    for (uint64_t point = 1; point <= POINTS; point++) {
        tg_layer_progress(c, "comparison with finite differences");
        const int64_t checked = compare_gradients(c, point, point == 1 ? first : text);
        if (checked < 0) continue;
        tg_layer_conclude(c, true, "%lld derivatives agree with finite differences to 1e-6%s%s",
                          (long long)checked,
                          *first ? "; at another point (a kink?) one differs: " : "", first);
        return;
    }
    tg_layer_conclude(c, false, "%s", first);
}
#else
static void check_gradients(tg_checker *c)
{
    tg_layer_skip(c, "float is too coarse: compile with -DTG_DOUBLE and link tapegrad-double");
}
#endif

/* ---- files ---- */

/* Saves the parameters, makes the layer from the file and compares a pass. */
static bool reload(tg_checker *c, const tg_layer_pass *before)
{
    const char *file = c->layer->file;
    if (!tg_params_save(c->params, file, TG_SAVE_MODEL))
        return tg_layer_conclude(c, false, "saving: %s", tg_params_error(c->params));
    const bool made = tg_layer_make(c, 2, file);
    remove(file);
    if (!made) return tg_layer_conclude(c, false, "loading: %s", tg_params_error(c->params));
    return tg_layer_same_bits(c, "saved and loaded", before, &tg_usual_batch);
}

static void check_files(tg_checker *c)
{
    char list[400] = "";
    size_t used = 0;
    if (!c->layer->file) {
        tg_layer_skip(c, "tg_checked_layer.file names no file to write");
        return;
    }
    tg_layer_make(c, 1, NULL);
    const tg_layer_pass before = tg_layer_new_pass(c, &tg_usual_batch, "before saving");
    for (int64_t k = 0; k < tg_params_count(c->params) && used < sizeof list; k++) {
        const tg_tensor *p = tg_params_at(c->params, k);
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s %s", k ? ", " : "", p->name,
                                 tg_shape_str(p->ndim, p->shape).text);
    }
    if (reload(c, &before))
        tg_layer_conclude(c, true, "same bits after saving and loading %s",
                          *list ? list : "no parameters");
    tg_tape_free(before.tape);
}

/* ---- padding ---- */

static bool zero_past_lengths(tg_checker *c, const char *what, const tg_tensor *x,
                              const tg_real *data)
{
    if (!data || x->ndim != 3) return true;
    const int64_t time = x->shape[1], width = x->shape[2];
    for (int64_t i = 0; i < x->size; i++) {
        const int64_t t = i / width % time, row = i / width / time;
        const int32_t length = tg_usual_batch.lengths[row];
        if (t >= length && !(data[i] == 0))
            return tg_layer_conclude(c, false,
                                     "%s of sequence %lld (length %d), position %lld, is %.9g, "
                                     "not 0",
                                     what, (long long)row, length, (long long)t, (double)data[i]);
    }
    return true;
}

/* To a tolerance and not to the bit, for a layer may save itself work if no position is padding. */
static bool nearly_equal(tg_checker *c, const tg_tensor *expected, const tg_tensor *found)
{
    if (!tg_has_shape(found, expected->ndim, expected->shape))
        return tg_layer_conclude(
            c, false, "with tg_full_length(): the result is %s, and %s with lengths of T",
            tg_shape_str(found->ndim, found->shape).text,
            tg_shape_str(expected->ndim, expected->shape).text);
    for (int64_t i = 0; i < found->size; i++) {
        const double a = (double)expected->data[i], b = (double)found->data[i];
        if (!(fabs(b - a) <= 1e-4 * fmax(1, fabs(a))))
            return tg_layer_conclude(
                c, false, "with tg_full_length(): result %lld is %.9g, and %.9g with lengths of T",
                (long long)i, b, a);
    }
    return true;
}

static bool full_length_agrees(tg_checker *c)
{
    const tg_batch full = {.rows = TG_BATCH_ROWS,
                           .time = TG_BATCH_TIME,
                           .lengths = {TG_BATCH_TIME, TG_BATCH_TIME, TG_BATCH_TIME, TG_BATCH_TIME}};
    tg_batch no_lengths = full;
    no_lengths.lengths_kind = TG_LENGTHS_FULL;
    const tg_layer_pass a = tg_layer_new_pass(c, &full, "with lengths of T");
    const tg_layer_pass b = tg_layer_new_pass(c, &no_lengths, "with tg_full_length()");
    const char *error_a = tg_layer_pass_error(&a), *error_b = tg_layer_pass_error(&b);
    bool agrees = false;
    if (error_a) tg_layer_conclude(c, false, "with lengths of T: %s", error_a);
    else if (error_b) tg_layer_conclude(c, false, "with tg_full_length(): %s", error_b);
    else agrees = nearly_equal(c, a.y, b.y);
    tg_tape_free(a.tape);
    tg_tape_free(b.tape);
    return agrees;
}

/* A single sequence of the batch, as long as its length; of length 0, with 2 positions of
 * padding. */
static bool neighbours_do_not_matter(tg_checker *c, const tg_layer_pass *clean)
{
    for (int row = 0; row < TG_BATCH_ROWS; row++) {
        tg_batch alone = tg_usual_batch;
        alone.rows = 1;
        alone.first = row;
        alone.time = alone.lengths[row] ? alone.lengths[row] : 2;
        if (!tg_layer_same_bits(c, "without the other sequences", clean, &alone)) return false;
    }
    return true;
}

/* A pointwise layer may read the padding, so its padding holds numbers. */
static bool padding_does_not_matter(tg_checker *c, const tg_layer_pass *clean)
{
    const bool pointwise = c->layer->pointwise;
    tg_batch other_padding = tg_usual_batch, more_padding = tg_usual_batch;
    other_padding.padding = more_padding.padding = pointwise ? 1000 : (double)NAN;
    more_padding.time += 5;
    const char *step = pointwise ? "with 1000 past the lengths" : "with NaN past the lengths";
    return tg_layer_same_bits(c, step, clean, &other_padding) &&
           tg_layer_same_bits(c, "with more padding", clean, &more_padding) &&
           neighbours_do_not_matter(c, clean) && full_length_agrees(c);
}

static void check_padding(tg_checker *c)
{
    const tg_checked_layer *layer = c->layer;
    tg_layer_make(c, 1, NULL);
    const tg_layer_pass clean = tg_layer_new_pass(c, &tg_usual_batch, "first pass");
    bool passed = padding_does_not_matter(c, &clean);
    if (passed && !layer->nonzero_padding && !layer->pointwise)
        passed = zero_past_lengths(c, "the result", clean.y, clean.y->data);
    passed = passed && zero_past_lengths(c, "dL/dx", clean.x, clean.x->grad);
    if (passed)
        tg_layer_conclude(c, true,
                          "same bits with %s past the lengths, with more padding and without the "
                          "other sequences%s",
                          layer->pointwise ? "1000" : "NaN",
                          layer->nonzero_padding ? "; results past a length may be other than 0"
                                                 : "");
    tg_tape_free(clean.tape);
}

/* ---- memory ---- */

/* Whether no pass after the second one takes more. Stores the bytes of the tape in a pass. */
static bool memory_is_steady(tg_checker *c, size_t *bytes)
{
    enum { PASSES = 4 };
    tg_layer_pass pass = {.batch = &tg_usual_batch, .tape = tg_tape_new(1)};
    const int64_t parameters = tg_params_count(c->params);
    size_t reserved_by_second = 0;
    bool steady = true;
    for (int k = 1; steady && k <= PASSES; k++) {
        tg_layer_progress(c, "repeated pass");
        tg_layer_repeat(c, &pass);
        const size_t reserved = pass.tape ? pass.tape->arena.reserved + pass.tape->scratch.reserved
                                          : 0;
        if (k == 2) {
            *bytes = pass.bytes;
            reserved_by_second = reserved;
        }
        if (k <= 2) continue;
        if (pass.bytes > *bytes)
            steady = tg_layer_conclude(c, false,
                                       "pass %d uses %zu bytes of the tape, and pass 2 used %zu", k,
                                       pass.bytes, *bytes);
        else if (reserved > reserved_by_second)
            steady = tg_layer_conclude(c, false,
                                       "after pass %d the tape has reserved %zu bytes, and %zu "
                                       "after pass 2",
                                       k, reserved, reserved_by_second);
        else if (tg_params_count(c->params) > parameters)
            steady = tg_layer_conclude(c, false, "forward registers parameters, which init should");
    }
    tg_tape_free(pass.tape);
    return steady;
}

/* Bytes of a pass over two sequences of length `time`; 0 if the layer refuses them. */
static double bytes_at(tg_checker *c, int32_t time)
{
    const tg_batch full = {.rows = 2, .time = time, .lengths = {time, time}};
    const tg_layer_pass pass = tg_layer_new_pass(c, &full, "with longer sequences");
    const double bytes = tg_tape_error(pass.tape) ? 0 : (double)pass.bytes;
    tg_tape_free(pass.tape);
    return bytes;
}

static void check_memory(tg_checker *c)
{
    size_t bytes = 0;
    char growth[64] = "linear in T";
    tg_layer_make(c, 1, NULL);
    if (!memory_is_steady(c, &bytes)) return;
    const double at_64 = bytes_at(c, 64), at_128 = bytes_at(c, 128), at_256 = bytes_at(c, 256);
    const double power = log2((at_256 - at_128) / (at_128 - at_64));
    if (!(at_64 > 0 && at_128 > 0 && at_256 > 0))
        snprintf(growth, sizeof growth, "growth unknown: it refuses T = 64, 128 or 256");
    else if (at_128 <= at_64) snprintf(growth, sizeof growth, "the same for every T");
    else if (!(power <= 1.1))
        snprintf(growth, sizeof growth, "growing as T to the power %.1f", power);
    tg_layer_conclude(c, true, "a pass uses %.0f kB from the second one on, %s",
                      ceil((double)bytes / 1024), growth);
}

/* ---- errors ---- */

/* Whether forward sets an error, whose text is stored, and returns NULL. */
static bool is_refused(tg_checker *c, const char *what, const tg_tensor *like,
                       const tg_batch *batch, char text[200])
{
    tg_layer_progress(c, what);
    tg_tape *tape = tg_tape_new(1);
    tg_tensor *x = tg_constant(tape, NULL, like->ndim, like->shape);
    const tg_tensor *y = tg_layer_call(c, tape, x, batch);
    const bool refused = tg_tape_error(tape) && !y;
    if (refused) snprintf(text, 200, "%s", tg_tape_error(tape));
    else
        tg_layer_conclude(c, false, "%s, x %s, %s", what,
                          tg_shape_str(like->ndim, like->shape).text,
                          y ? "is accepted" : "gives NULL and sets no error on the tape");
    tg_tape_free(tape);
    return refused;
}

static bool wrong_inputs_are_refused(tg_checker *c, char example[200])
{
    const int64_t I = c->layer->input;
    const tg_tensor right = {.ndim = 3, .shape = {TG_BATCH_ROWS, TG_BATCH_TIME, I}};
    const tg_tensor wide = {.ndim = 3, .shape = {TG_BATCH_ROWS, TG_BATCH_TIME, I + 1}};
    const tg_tensor flat = {.ndim = 2, .shape = {TG_BATCH_ROWS, I}};
    tg_batch too_long = tg_usual_batch, negative = tg_usual_batch, too_many = tg_usual_batch;
    char text[200];
    too_long.lengths[1] = TG_BATCH_TIME + 1;
    negative.lengths[1] = -1;
    too_many.rows++;
    if (!is_refused(c, "a wrong width", &wide, &tg_usual_batch, example)) return false;
    if (c->layer->pointwise) return true;
    return is_refused(c, "a wrong number of axes", &flat, &tg_usual_batch, text) &&
           is_refused(c, "a length above T", &right, &too_long, text) &&
           is_refused(c, "a length below 0", &right, &negative, text) &&
           is_refused(c, "one length too many", &right, &too_many, text);
}

static bool null_passes_through(tg_checker *c)
{
    tg_tape *tape = tg_tape_new(1);
    tg_layer_progress(c, "x NULL after an error");
    if (tape) tg_fail(&tape->error, "an earlier error");
    const bool null = !tg_layer_call(c, tape, NULL, &tg_usual_batch);
    tg_tape_free(tape);
    return null || tg_layer_conclude(c, false, "x NULL after an error gives a result, not NULL");
}

static void check_errors(tg_checker *c)
{
    char example[200];
    tg_layer_make(c, 1, NULL);
    if (wrong_inputs_are_refused(c, example) && null_passes_through(c))
        tg_layer_conclude(c, true, "inputs that do not fit are errors, such as \"%s\"", example);
}

void (*const tg_layer_checks[TG_LAYER_CHECKS])(tg_checker *) = {
    [TG_LAYER_RUNS] = check_runs,       [TG_LAYER_REPEATS] = check_repeats,
    [TG_LAYER_THREADS] = check_threads, [TG_LAYER_GRADIENTS] = check_gradients,
    [TG_LAYER_FILES] = check_files,     [TG_LAYER_PADDING] = check_padding,
    [TG_LAYER_MEMORY] = check_memory,   [TG_LAYER_ERRORS] = check_errors};
