/* Gradient check. Compares the derivative along a direction d with the central difference of fourth
 * order
 *     (8 (f(x + h d) - f(x - h d)) - (f(x + 2h d) - f(x - 2h d))) / (12 h).
 * Its truncation error is h^4 f'''''/30 and its rounding error about eps f / h. In double with h =
 * 1e-3 both are near 1e-13. In float rounding dominates, so h is larger and the tolerance wide. */
#include "gradcheck.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../core/ops.h"
#include "../core/tape_private.h"

/* STEP is h. ROUNDING is the allowance for rounding errors of f, in units of f / h. */
#ifdef TG_DOUBLE
static const double STEP = 1e-3, TOLERANCE = 1e-6, ROUNDING = 0;
#else
static const double STEP = 3e-2, TOLERANCE = 2e-2, ROUNDING = 1e-6;
#endif

/* Derivatives below SMALL times the largest gradient are compared by their absolute error. */
static const double SMALL = 1e-3;

/* A parameter of more than MAX_ELEMENTS is checked along random directions. */
enum { MAX_ELEMENTS = 512, DIRECTIONS = 32 };

typedef struct check {
    tg_params *params;
    tg_tape *tape;
    tg_gradcheck_function function;
    void *context;
    tg_random start; /* the generator at the start of each evaluation */
    double rounding; /* allowance for the rounding of f, in a derivative */
    double largest;  /* |gradient| of all elements */
    tg_error error;  /* why the check could not be made */
    tg_gradcheck_report *report;
} check;

static tg_tensor *weighted_sum(tg_tape *tape, tg_tensor *y)
{
    tg_tensor *weights = tg_constant(tape, NULL, y->ndim, y->shape);
    tg_random random = tg_random_new(1, "gradcheck");
    for (int64_t i = 0; weights && i < y->size; i++)
        weights->data[i] = (tg_real)(2 * tg_random_uniform(&random) - 1);
    return tg_sum(tape, tg_mul(tape, y, weights), TG_ALL_AXES, false);
}

/* Calls the function and reduces its result to one number by fixed random weights. NULL after an
 * error, which is in c->error. */
static tg_tensor *evaluate(check *c)
{
    tg_tape_reset(c->tape);
    c->tape->random = c->start;
    tg_tensor *y = c->function(c->tape, c->context);
    if (y && y->size != 1) y = weighted_sum(c->tape, y);
    const char *error = tg_tape_error(c->tape);
    if (!error) error = tg_params_error(c->params);
    if (!error && !y) error = "it returned NULL";
    return error ? tg_fail(&c->error, "the function failed: %s", error) : y;
}

static double value(check *c) { return tg_item(evaluate(c)); }

/* Lists the operators on the tape that read a parameter, as "matmul, add". */
static void name_readers(const check *c, const tg_tensor *parameter, char *text, size_t size)
{
    size_t used = 0;
    for (const tg_node *node = c->tape->first; node; node = node->next) {
        bool reads = false;
        for (int i = 0; i < node->n_inputs; i++) reads = reads || node->inputs[i] == parameter;
        if (!reads || used >= size) continue;
        used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
                                 node->op->name);
    }
    if (!used) snprintf(text, size, "no operator");
}

/* Sets d to the unit vector of an element, or with `element` -1 to random signs. */
static void choose_direction(const tg_tensor *p, int64_t element, uint64_t number, tg_real *d)
{
    tg_random random = tg_random_new(number, "direction");
    for (int64_t i = 0; i < p->size; i++) {
        if (element >= 0) d[i] = i == element;
        else d[i] = tg_random_bits(&random) & 1 ? 1 : -1;
    }
}

/* `original` are the parameter's numbers, which are restored. */
static double numeric_derivative(check *c, tg_tensor *p, const tg_real *original, const tg_real *d)
{
    static const double steps[4] = {1, -1, 2, -2}, factors[4] = {8, -8, -1, 1};
    double sum = 0;
    for (int k = 0; k < 4; k++) {
        for (int64_t i = 0; i < p->size; i++)
            if (d[i] != 0)
                p->data[i] = (tg_real)((double)original[i] + steps[k] * STEP * (double)d[i]);
        sum += factors[k] * value(c);
    }
    memcpy(p->data, original, (size_t)p->size * sizeof *original);
    return sum / (12 * STEP);
}

static double analytic_derivative(const tg_tensor *p, const tg_real *d)
{
    double sum = 0;
    for (int64_t i = 0; p->has_grad && i < p->size; i++)
        if (d[i] != 0) sum += (double)d[i] * (double)p->grad[i];
    return sum;
}

/* Compares one derivative and reports it if its error, in units of the tolerance, is the largest so
 * far or the first NaN. */
static void compare(check *c, const tg_tensor *p, int64_t element, double analytic, double numeric)
{
    tg_gradcheck_report *report = c->report;
    const double largest = c->largest * (element < 0 ? sqrt((double)p->size) : 1);
    const double scale = fmax(fmax(fabs(analytic), fabs(numeric)), SMALL * largest);
    const double difference = fabs(analytic - numeric);
    const double error = difference == 0 ? 0 : difference / (TOLERANCE * scale + c->rounding);
    const bool larger = !(error <= report->error) && !isnan(report->error);
    report->checked++;
    if (report->checked > 1 && !larger) return;
    report->error = error;
    report->index = element;
    report->analytic = analytic;
    report->numeric = numeric;
    snprintf(report->parameter, sizeof report->parameter, "%s", p->name);
}

static bool check_parameter(check *c, tg_tensor *p)
{
    const size_t bytes = (size_t)p->size * sizeof(tg_real);
    tg_real *original = tg_realloc(NULL, 2 * bytes);
    if (!original) return tg_fail(&c->error, "out of memory: %zu bytes", 2 * bytes);
    tg_real *d = original + p->size;
    memcpy(original, p->data, bytes);
    const bool each = p->size <= MAX_ELEMENTS;
    const int64_t count = each ? p->size : DIRECTIONS;
    for (int64_t k = 0; k < count; k++) {
        const int64_t element = each ? k : -1;
        choose_direction(p, element, (uint64_t)k, d);
        compare(c, p, element, analytic_derivative(p, d), numeric_derivative(c, p, original, d));
        if (c->error.set) break;
    }
    tg_free(original);
    return !c->error.set;
}

/* The gradients to check, and the scale of the tolerances. */
static bool compute_gradients(check *c)
{
    tg_params_zero_grad(c->params);
    tg_tensor *loss = evaluate(c);
    if (!loss) return false;
    const double first = tg_item(loss);
    if (!tg_backward(c->tape, loss)) return tg_fail(&c->error, "%s", tg_tape_error(c->tape));
    c->rounding = ROUNDING * fabs(first) / STEP;
    for (int64_t k = 0; k < tg_params_count(c->params); k++) {
        const tg_tensor *p = tg_params_at(c->params, k);
        for (int64_t i = 0; p->has_grad && i < p->size; i++)
            c->largest = fmax(c->largest, fabs((double)p->grad[i]));
    }
    const double second = value(c);
    if (first == second) return true;
    return tg_fail(&c->error, "the function gives %.17g, and %.17g when called again", first,
                   second);
}

static void conclude(check *c)
{
    tg_gradcheck_report *report = c->report;
    char readers[160], place[32] = "a random direction";
    report->passed = report->error <= 1;
    if (report->checked == 0) {
        snprintf(report->message, sizeof report->message,
                 "passed: no parameter that requires a gradient has elements");
        return;
    }
    name_readers(c, tg_params_find(c->params, report->parameter), readers, sizeof readers);
    if (report->index >= 0) snprintf(place, sizeof place, "element %lld", (long long)report->index);
    snprintf(
        report->message, sizeof report->message,
        "%s: largest error of %lld derivatives: %s, %s, read by %s: backward pass %.9g, finite "
        "difference %.9g (%.3g times the tolerance)",
        report->passed ? "passed" : "FAILED", (long long)report->checked, report->parameter, place,
        readers, report->analytic, report->numeric, report->error);
}

bool tg_gradcheck(tg_params *params, tg_gradcheck_function function, void *context,
                  tg_gradcheck_report *report)
{
    tg_gradcheck_report own;
    if (!report) report = &own;
    *report = (tg_gradcheck_report){.index = -1};
    check c = {.params = params,
               .tape = tg_tape_new(1),
               .function = function,
               .context = context,
               .report = report};
    if (!c.tape || !params)
        tg_fail(&c.error, "%s",
                tg_params_error(params) ? tg_params_error(params) : "out of memory");
    else c.start = c.tape->random;
    if (!c.error.set && compute_gradients(&c)) {
        for (int64_t i = 0; i < tg_params_count(params); i++) {
            tg_tensor *p = tg_params_at(params, i);
            if (p->requires_grad && p->size > 0 && !check_parameter(&c, p)) break;
        }
    }
    if (c.error.set) snprintf(report->message, sizeof report->message, "%s", c.error.text);
    else conclude(&c);
    tg_params_zero_grad(params);
    tg_tape_free(c.tape);
    return report->passed;
}
