/* One pass of a checked layer over a batch, and the comparison of two passes. */
#include "layer_pass.h"

#include <stdio.h>
#include <stdarg.h>
#include <assert.h>
#include <math.h>
#include <string.h>

#include "../core/ops.h"

enum { MAX_TIME = 4096 }; /* sets the numbers of one sequence apart from those of the next */

const tg_batch tg_usual_batch = {.rows = TG_BATCH_ROWS,
                                 .time = TG_BATCH_TIME,
                                 .lengths = {5, 0, 7, 1}};

bool tg_layer_conclude(tg_checker *c, bool passed, const char *format, ...)
{
    struct tg_layer_line *line = &c->report->lines[c->check];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line->text, sizeof line->text, format, arguments);
    va_end(arguments);
    line->verdict = passed ? TG_LAYER_PASSED : TG_LAYER_FAILED;
    return passed;
}

void tg_layer_skip(tg_checker *c, const char *reason)
{
    struct tg_layer_line *line = &c->report->lines[c->check];
    line->verdict = TG_LAYER_SKIPPED;
    snprintf(line->text, sizeof line->text, "%s", reason);
}

void tg_layer_progress(const tg_checker *c, const char *step)
{
    FILE *progress = c->layer->progress;
    if (!progress) return;
    fprintf(progress, "%s: %s\n", tg_layer_check_name(c->check), step);
    fflush(progress);
}

/* ---- a layer, and a pass ---- */

/* With all digits, so that another order of a sum shows. */
void tg_batch_fill(const tg_batch *batch, tg_tensor *x, uint64_t seed, double padding)
{
    const int64_t width = x->shape[x->ndim - 1], time = x->ndim == 3 ? x->shape[1] : 1;
    tg_random random = tg_random_new(seed, "check_layer");
    for (int64_t i = 0; i < x->size; i++) {
        const int64_t t = i / width % time, sequence = batch->first + i / width / time;
        const bool padded = x->ndim == 3 && t >= batch->lengths[sequence];
        random.counter = (uint64_t)((sequence * MAX_TIME + t) * width + i % width);
        const double number = (2 * tg_random_uniform(&random) - 1) / 1.01;
        x->data[i] = (tg_real)(padded ? padding : number);
    }
}

static void move_off_start(tg_params *params, uint64_t seed)
{
    tg_random random = tg_random_new(seed, "off its start");
    for (int64_t k = 0; k < tg_params_count(params); k++) {
        tg_tensor *p = tg_params_at(params, k);
        for (int64_t i = 0; i < p->size; i++)
            p->data[i] += (tg_real)(0.6 * tg_random_uniform(&random) - 0.3);
    }
}

bool tg_layer_make(tg_checker *c, uint64_t seed, const char *file)
{
    tg_params_free(c->params);
    c->params = tg_params_new(seed);
    if (file) tg_params_load(c->params, file);
    const bool made = c->layer->init(c->layer->layer, c->params, "layer");
    if (file) tg_params_finish_load(c->params);
    else move_off_start(c->params, seed);
    if (!made) tg_params_fail(c->params, "init returned false");
    return !tg_params_error(c->params);
}

tg_tensor *tg_layer_call(tg_checker *c, tg_tape *tape, tg_tensor *x, const tg_batch *batch)
{
    const bool full = c->layer->pointwise || batch->lengths_kind == TG_LENGTHS_FULL;
    memcpy(c->lengths, batch->lengths + batch->first, (size_t)batch->rows * sizeof *c->lengths);
    const tg_ints lengths = full ? tg_full_length() : tg_ints_1d(c->lengths, batch->rows);
    tg_tensor *y = c->layer->forward(tape, c->layer->layer, x, lengths);
    if (batch->lengths_kind == TG_LENGTHS_OVERWRITTEN)
        for (int64_t k = 0; k < batch->rows; k++)
            c->lengths[k] = (int32_t)batch->time - c->lengths[k];
    return y;
}

tg_tensor *tg_layer_forward(tg_checker *c, tg_tape *tape, tg_tensor *x, const tg_batch *batch)
{
    tg_tensor *y = tg_layer_call(c, tape, x, batch);
    if (!tape || !x || tape->error.set) return NULL;
    if (tg_params_error(c->params)) return tg_fail(&tape->error, "%s", tg_params_error(c->params));
    if (!y) return tg_fail(&tape->error, "forward returned NULL and set no error");
    const bool each_position = y->ndim == 3 && y->shape[1] == batch->time;
    const bool each_sequence = y->ndim == 2 && !c->layer->pointwise;
    if (y->shape[0] == batch->rows && (each_position || each_sequence)) return y;
    return tg_fail(&tape->error, "x %s gives the result %s, which is neither [B, T, D] nor [B, D]",
                   tg_shape_str(x->ndim, x->shape).text, tg_shape_str(y->ndim, y->shape).text);
}

/* Copies the gradients of all parameters, 0 for those that have none. */
static tg_tensor *copy_gradients(const tg_checker *c, tg_tape *tape)
{
    tg_tensor *copy = tg_constant(tape, NULL, TG_SHAPE(tg_params_size(c->params)));
    if (!copy) return NULL;
    tg_real *next = copy->data;
    for (int64_t k = 0; k < tg_params_count(c->params); k++) {
        const tg_tensor *p = tg_params_at(c->params, k);
        if (p->has_grad) memcpy(next, p->grad, (size_t)p->size * sizeof *next);
        next += p->size;
    }
    return copy;
}

/* The loss weighs the results by fixed random numbers, so that each gradient is different. */
void tg_layer_repeat(tg_checker *c, tg_layer_pass *pass)
{
    const tg_batch *batch = pass->batch;
    tg_tape *tape = pass->tape;
    tg_tape_reset(tape);
    tg_tape_set_training(tape, false);
    pass->x = tg_variable(tape, NULL, TG_SHAPE(batch->rows, batch->time, c->layer->input));
    if (pass->x) {
        tg_batch_fill(batch, pass->x, 1, batch->padding);
        pass->x->requires_grad = batch->required != TG_GRADS_OF_PARAMS;
    }
    tg_params_freeze(c->params, "", batch->required == TG_GRAD_OF_X);
    tg_tensor *y = pass->y = tg_layer_forward(c, tape, pass->x, batch);
    tg_tensor *weights = y ? tg_constant(tape, NULL, y->ndim, y->shape) : NULL;
    if (weights) tg_batch_fill(batch, weights, 2, 0);
    tg_backward(tape, tg_sum(tape, tg_mul(tape, y, weights), TG_ALL_AXES, false));
    pass->bytes = tg_tape_bytes(tape);
    pass->gradients = copy_gradients(c, tape);
    tg_params_zero_grad(c->params);
}

tg_layer_pass tg_layer_new_pass(tg_checker *c, const tg_batch *batch, const char *step)
{
    tg_layer_pass pass = {.batch = batch, .tape = tg_tape_new(1)};
    tg_layer_progress(c, step);
    tg_layer_repeat(c, &pass);
    return pass;
}

const char *tg_layer_pass_error(const tg_layer_pass *pass)
{
    const char *error = tg_tape_error(pass->tape);
    assert(error || (pass->x && pass->y && pass->gradients));
    return error;
}

/* ---- comparing two passes ---- */

static bool same_bits(tg_real a, tg_real b) { return memcmp(&a, &b, sizeof a) == 0; }

/* "1.5, not 2", with enough digits to show the difference. */
static tg_shape_string difference(tg_real value, tg_real expected)
{
    tg_shape_string text;
    const bool close = fabs((double)(value - expected)) <= 1e-8 * fabs((double)expected);
    const int digits = close ? 17 : 9;
    snprintf(text.text, sizeof text.text, "%.*g, not %.*g", digits, (double)value, digits,
             (double)expected);
    return text;
}

/* One sequence of a result or of dL/dx, [B, T, D] or [B, D]. */
typedef struct sequence {
    const tg_tensor *tensor;
    const tg_real *data; /* the tensor's numbers or gradient; NULL if it has none */
    int64_t row;
} sequence;

/* Compares two of them up to the length. */
static bool same_sequence(tg_checker *c, const char *step, const char *what, sequence expected,
                          sequence found, int64_t length)
{
    const tg_tensor *e = expected.tensor, *f = found.tensor;
    const int64_t width = e->shape[e->ndim - 1];
    if (!expected.data && !found.data) return true;
    if (!expected.data || !found.data)
        return tg_layer_conclude(c, false, "%s: %s exists in only one of two passes", step, what);
    if (e->ndim != f->ndim || width != f->shape[f->ndim - 1])
        return tg_layer_conclude(c, false, "%s: %s is %s, not %s", step, what,
                                 tg_shape_str(f->ndim, f->shape).text,
                                 tg_shape_str(e->ndim, e->shape).text);
    const tg_real *a = expected.data + expected.row * (e->size / e->shape[0]);
    const tg_real *b = found.data + found.row * (f->size / f->shape[0]);
    const int64_t count = e->ndim == 3 ? length * width : width;
    for (int64_t i = 0; i < count; i++)
        if (!same_bits(a[i], b[i]))
            return tg_layer_conclude(
                c, false, "%s: %s of sequence %lld (length %lld), position %lld, feature %lld: %s",
                step, what, (long long)expected.row, (long long)length, (long long)(i / width),
                (long long)(i % width), difference(b[i], a[i]).text);
    return true;
}

static bool same_sequences(tg_checker *c, const char *step, const tg_layer_pass *expected,
                           const tg_layer_pass *found)
{
    const tg_tensor *x = expected->x, *y = expected->y;
    for (int64_t k = 0; k < found->batch->rows; k++) {
        const int64_t row = found->batch->first + k;
        const int64_t length = expected->batch->lengths[row];
        const sequence y_expected = {y, y->data, row}, y_found = {found->y, found->y->data, k};
        if (!same_sequence(c, step, "the result", y_expected, y_found, length)) return false;
        if (found->batch->required == TG_GRADS_OF_PARAMS) continue;
        const sequence dx_expected = {x, x->grad, row}, dx_found = {found->x, found->x->grad, k};
        if (!same_sequence(c, step, "dL/dx", dx_expected, dx_found, length)) return false;
    }
    return true;
}

static bool same_gradients(tg_checker *c, const char *step, const tg_layer_pass *expected,
                           const tg_layer_pass *found)
{
    const tg_real *a = expected->gradients->data, *b = found->gradients->data;
    int64_t at = 0;
    for (int64_t k = 0; k < tg_params_count(c->params); k++) {
        const tg_tensor *p = tg_params_at(c->params, k);
        for (int64_t i = 0; i < p->size && at < expected->gradients->size; i++, at++)
            if (!same_bits(a[at], b[at]))
                return tg_layer_conclude(c, false, "%s: the gradient of %s, element %lld: %s", step,
                                         p->name, (long long)i, difference(b[at], a[at]).text);
    }
    return true;
}

bool tg_layer_same_bits(tg_checker *c, const char *step, const tg_layer_pass *expected,
                        const tg_batch *batch)
{
    const char *error = tg_layer_pass_error(expected);
    if (error) return tg_layer_conclude(c, false, "first pass: %s", error);
    const tg_layer_pass found = tg_layer_new_pass(c, batch, step);
    error = tg_layer_pass_error(&found);
    const bool all_rows = batch->rows == expected->batch->rows;
    bool same = !error || tg_layer_conclude(c, false, "%s: %s", step, error);
    same = same && same_sequences(c, step, expected, &found);
    if (same && all_rows && batch->required != TG_GRAD_OF_X)
        same = same_gradients(c, step, expected, &found);
    tg_tape_free(found.tape);
    return same;
}
