/* Is a gradient right? The derivative along a direction d is compared with the central difference of fourth order
 *     (8 (f(x + h d) - f(x - h d)) - (f(x + 2h d) - f(x - 2h d))) / (12 h),
 * whose error is h^4 f'''''/30 from cutting off and about eps f / h from rounding: with h = 1e-3 both are near 1e-13 in double.
 * In float, where rounding rules, h is larger and the tolerance wide. */
#include "gradcheck.h"

#include "../core/internal.h"

#ifdef TG_DOUBLE
static const double STEP = 1e-3, TOLERANCE = 1e-6, ROUNDING = 0;
#else
static const double STEP = 3e-2, TOLERANCE = 2e-2, ROUNDING = 1e-6; /* of f, in units of f / h */
#endif
static const double SMALL =
    1e-3; /* times the largest gradient: below it, errors count absolutely */
enum {
    MAX_ELEMENTS = 512,
    DIRECTIONS = 32
}; /* of a parameter, before random directions take over */

typedef struct check {
    tg_params *params;
    tg_tape *tape;
    tg_gradcheck_function function;
    void *context;
    tg_random start; /* the generator at the start of each evaluation */
    double rounding; /* what a difference of float results may be off by */
    double largest;  /* gradient of all */
    tg_error error;  /* why nothing can be said */
    tg_gradcheck_report *report;
} check;

/* Runs the function and weighs its output by fixed random numbers; NULL after an error, which is reported. */
static tg_tensor *evaluate(check *c)
{
    tg_tape_reset(c->tape);
    c->tape->random = c->start;
    tg_tensor *y = c->function(c->tape, c->context);
    const char *error = tg_tape_error(c->tape);
    if (!error) error = tg_params_error(c->params);
    if (error || !y)
        return tg_fail(&c->error, "the function failed: %s", error ? error : "it returned NULL");
    if (y->size == 1) return y;
    tg_tensor *weights = tg_constant(c->tape, NULL, y->ndim, y->shape);
    tg_random random = tg_random_new(1, "gradcheck");
    for (int64_t i = 0; weights && i < y->size; i++)
        weights->data[i] = (tg_real)(2 * tg_random_uniform(&random) - 1);
    return tg_sum(c->tape, tg_mul(c->tape, y, weights), TG_ALL_AXES, false);
}

static double value(check *c) { return tg_item(evaluate(c)); }

/* The operators that read a parameter on the tape, as "matmul, add". */
static void name_readers(const check *c, const tg_tensor *parameter, char *text, size_t size)
{
    size_t used = 0;
    for (const tg_node *node = c->tape->first; node; node = node->next) {
        bool reads = false;
        for (int i = 0; i < node->n_inputs; i++) reads = reads || node->inputs[i] == parameter;
        if (reads && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
                                     node->op->name);
    }
    if (!used) snprintf(text, size, "nothing");
}

/* d: along one element, or (element -1) a random vector of signs. */
static void choose_direction(const tg_tensor *p, int64_t element, uint64_t number, tg_real *d)
{
    tg_random random = tg_random_new(number, "direction");
    for (int64_t i = 0; i < p->size; i++)
        d[i] = element >= 0 ? i == element : tg_random_bits(&random) & 1 ? 1 : -1;
}

static double numeric_derivative(check *c, tg_tensor *p, const tg_real *kept, const tg_real *d)
{
    static const double steps[4] = {1, -1, 2, -2}, factors[4] = {8, -8, -1, 1};
    double sum = 0;
    for (int k = 0; k < 4; k++) {
        for (int64_t i = 0; i < p->size; i++)
            if (d[i] != 0) p->data[i] = (tg_real)((double)kept[i] + steps[k] * STEP * (double)d[i]);
        sum += factors[k] * value(c);
    }
    memcpy(p->data, kept, (size_t)p->size * sizeof *kept);
    return sum / (12 * STEP);
}

static double analytic_derivative(const tg_tensor *p, const tg_real *d)
{
    double sum = 0;
    for (int64_t i = 0; p->has_grad && i < p->size; i++)
        if (d[i] != 0) sum += (double)d[i] * (double)p->grad[i];
    return sum;
}

/* Compares one derivative and keeps the worst. The error is measured in units of what is allowed. */
static void compare(check *c, const tg_tensor *p, int64_t element, double analytic, double numeric)
{
    tg_gradcheck_report *report = c->report;
    double largest = c->largest * (element < 0 ? sqrt((double)p->size) : 1);
    double scale = fmax(fmax(fabs(analytic), fabs(numeric)), SMALL * largest);
    double difference = fabs(analytic - numeric);
    double error = difference == 0 ? 0 : difference / (TOLERANCE * scale + c->rounding);
    report->checked++;
    bool worse = !(error <= report->error) &&
                 report->error == report->error; /* a NaN is worst, and stays */
    if (report->checked > 1 && !worse) return;
    report->error = error, report->index = element, report->analytic = analytic,
    report->numeric = numeric;
    snprintf(report->parameter, sizeof report->parameter, "%s", p->name);
}

static bool check_parameter(check *c, tg_tensor *p)
{
    size_t bytes = (size_t)p->size * sizeof(tg_real);
    tg_real *kept = tg_realloc(NULL, 2 * bytes);
    if (!kept) return tg_fail(&c->error, "out of memory: %zu bytes", 2 * bytes);
    tg_real *d = kept + p->size;
    memcpy(kept, p->data, bytes);
    bool each = p->size <= MAX_ELEMENTS;
    for (int64_t k = 0; k < (each ? p->size : DIRECTIONS) && !c->error.set; k++) {
        int64_t element = each ? k : -1;
        choose_direction(p, element, (uint64_t)k, d);
        compare(c, p, element, analytic_derivative(p, d), numeric_derivative(c, p, kept, d));
    }
    tg_free(kept);
    return !c->error.set;
}

static bool backward_once(check *c)
{
    tg_params_zero_grad(c->params);
    tg_tensor *loss = evaluate(c);
    if (!loss) return false;
    double first = tg_item(loss);
    if (!tg_backward(c->tape, loss)) return tg_fail(&c->error, "%s", tg_tape_error(c->tape));
    c->rounding = ROUNDING * fabs(first) / STEP;
    for (int64_t k = 0; k < tg_params_count(c->params); k++) {
        const tg_tensor *p = tg_params_at(c->params, k);
        for (int64_t i = 0; p->has_grad && i < p->size; i++)
            c->largest = fmax(c->largest, fabs((double)p->grad[i]));
    }
    double second = value(c);
    return first == second ||
           tg_fail(&c->error, "the function is not the same each time: %.17g, then %.17g", first,
                   second);
}

static void conclude(check *c)
{
    tg_gradcheck_report *report = c->report;
    char readers[160], place[32] = "along a random direction";
    report->passed = report->error <= 1;
    if (report->checked == 0) {
        snprintf(report->message, sizeof report->message,
                 "passed: no parameter that takes a gradient has elements");
        return;
    }
    name_readers(c, tg_params_find(c->params, report->parameter), readers, sizeof readers);
    if (report->index >= 0) snprintf(place, sizeof place, "element %lld", (long long)report->index);
    snprintf(report->message, sizeof report->message,
             "%s: worst of %lld: %s, %s, read by %s: backward pass %.9g, difference %.9g (%.3g of "
             "what is allowed)",
             report->passed ? "passed" : "FAILED", (long long)report->checked, report->parameter,
             place, readers, report->analytic, report->numeric, report->error);
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
    bool going = !c.error.set && backward_once(&c);
    for (int64_t i = 0; going && i < tg_params_count(params); i++) {
        tg_tensor *p = tg_params_at(params, i);
        if (p->requires_grad && p->size > 0) going = check_parameter(&c, p);
    }
    if (c.error.set) snprintf(report->message, sizeof report->message, "%s", c.error.text);
    else conclude(&c);
    tg_params_zero_grad(params);
    tg_tape_free(c.tape);
    return report->passed;
}
