/* Is a gradient right? The derivative along a direction d is compared with the central difference of fourth order
 *     (8 (f(x + h d) - f(x - h d)) - (f(x + 2h d) - f(x - 2h d))) / (12 h),
 * whose error is h^4 f'''''/30 from cutting off and about eps f / h from rounding: with h = 1e-3 both are near 1e-13 in double.
 * In float, where rounding rules, h is larger and the tolerance wide. */
#include "gradcheck.h"

#include "internal.h"

#ifdef TG_DOUBLE
static const double STEP = 1e-3, TOLERANCE = 1e-6, ROUNDING = 0;
#else
static const double STEP = 3e-2, TOLERANCE = 2e-2, ROUNDING = 1e-6; /* of f, in units of f / h */
#endif
static const double SMALL = 1e-3;              /* times the largest gradient: below it, errors count absolutely */
enum { MOST_ELEMENTS = 512, DIRECTIONS = 32 }; /* of a parameter, before random directions take over */

typedef struct check {
    tg_params *params;
    tg_tape *tape;
    tg_gradcheck_function function;
    void *context;
    tg_random start; /* the generator at the start of each evaluation */
    double rounding; /* what a difference of float results may be off by */
    double largest;  /* gradient of all */
    tg_gradcheck_report *report;
} check;

static bool give_up(check *c, const char *format, ...) TG_PRINTF(2, 3);
static bool give_up(check *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->report->message, sizeof c->report->message, format, arguments);
    va_end(arguments);
    c->report->passed = false;
    return false;
}

/* Runs the function and weighs its output by fixed random numbers; NULL after an error, which is reported. */
static tg_tensor *evaluate(check *c)
{
    tg_tape_reset(c->tape);
    c->tape->random = c->start;
    tg_tensor *y = c->function(c->tape, c->context);
    const char *error = tg_tape_error(c->tape);
    if (!error) error = tg_params_error(c->params);
    if (error || !y) {
        give_up(c, "the function failed: %s", error ? error : "it returned NULL");
        return NULL;
    }
    if (y->size == 1) return y;
    tg_tensor *weights = tg_constant(c->tape, NULL, y->ndim, y->shape);
    tg_random random = tg_random_new(1, "gradcheck");
    for (int64_t i = 0; weights && i < y->size; i++) weights->data[i] = (tg_real)(2 * tg_random_uniform(&random) - 1);
    return tg_sum(c->tape, tg_mul(c->tape, y, weights), TG_ALL_AXES, false);
}

static double value(check *c) { return tg_item(evaluate(c)); }

/* The operators that read a parameter on the tape, as "matmul, add". */
static void name_readers(const check *c, const tg_tensor *parameter, char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (const tg_node *node = c->tape->first; node; node = node->next)
        for (int i = 0; i < node->n_inputs; i++) {
            if (node->inputs[i] != parameter || used >= size) continue;
            int written = snprintf(text + used, size - used, "%s%s", used ? ", " : "", node->op->name);
            used += written > 0 ? (size_t)written : 0;
            break;
        }
    if (!used) snprintf(text, size, "nothing");
}

/* Moves the parameter by `step` along a direction: one element, or a random vector of signs (element -1). */
static void move(tg_tensor *p, const tg_real *kept, int64_t element, uint64_t direction, double step)
{
    tg_random random = tg_random_new(direction, "direction");
    for (int64_t i = 0; element < 0 && i < p->size; i++)
        p->data[i] = (tg_real)((double)kept[i] + (tg_random_bits(&random) & 1 ? step : -step));
    if (element >= 0) p->data[element] = (tg_real)((double)kept[element] + step);
}

static double numeric_derivative(check *c, tg_tensor *p, const tg_real *kept, int64_t element, uint64_t direction)
{
    static const double steps[4] = {1, -1, 2, -2}, factors[4] = {8, -8, -1, 1};
    double sum = 0;
    for (int k = 0; k < 4; k++) {
        move(p, kept, element, direction, steps[k] * STEP);
        sum += factors[k] * value(c);
    }
    memcpy(p->data, kept, (size_t)p->size * sizeof *kept);
    return sum / (12 * STEP);
}

static double analytic_derivative(const tg_tensor *p, const tg_real *grad, int64_t element, uint64_t direction)
{
    if (element >= 0) return (double)grad[element];
    tg_random random = tg_random_new(direction, "direction");
    double sum = 0;
    for (int64_t i = 0; i < p->size; i++) sum += tg_random_bits(&random) & 1 ? (double)grad[i] : -(double)grad[i];
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
    bool worse = !(error <= report->error) && report->error == report->error; /* a NaN is worst, and stays */
    if (report->checked > 1 && !worse) return;
    report->error = error, report->index = element, report->analytic = analytic, report->numeric = numeric;
    snprintf(report->parameter, sizeof report->parameter, "%s", p->name);
}

static bool check_parameter(check *c, tg_tensor *p)
{
    size_t bytes = (size_t)p->size * sizeof(tg_real);
    tg_real *kept = tg_realloc(NULL, 2 * bytes);
    if (!kept) return give_up(c, "out of memory: %zu bytes", 2 * bytes);
    tg_real *grad = kept + p->size;
    memcpy(kept, p->data, bytes);
    if (p->has_grad) memcpy(grad, p->grad, bytes);
    else memset(grad, 0, bytes);
    bool each = p->size <= MOST_ELEMENTS;
    for (int64_t k = 0; k < (each ? p->size : DIRECTIONS) && !c->report->message[0]; k++) {
        int64_t element = each ? k : -1;
        double numeric = numeric_derivative(c, p, kept, element, (uint64_t)k);
        compare(c, p, element, analytic_derivative(p, grad, element, (uint64_t)k), numeric);
    }
    tg_free(kept);
    return !c->report->message[0];
}

static bool backward_once(check *c)
{
    tg_params_clear_grads(c->params);
    tg_tensor *loss = evaluate(c);
    if (!loss) return false;
    double first = tg_item(loss);
    if (!tg_backward(c->tape, loss)) return give_up(c, "%s", tg_tape_error(c->tape));
    c->rounding = ROUNDING * fabs(first) / STEP;
    for (int64_t k = 0; k < tg_params_count(c->params); k++) {
        const tg_tensor *p = tg_params_at(c->params, k);
        for (int64_t i = 0; p->has_grad && i < p->size; i++) c->largest = fmax(c->largest, fabs((double)p->grad[i]));
    }
    double second = value(c);
    if (first != second) return give_up(c, "the function is not the same each time: %.17g, then %.17g", first, second);
    return true;
}

static void conclude(check *c)
{
    tg_gradcheck_report *report = c->report;
    char readers[160], place[32] = "along a random direction";
    if (report->message[0]) return;
    report->passed = report->error <= 1;
    if (report->checked == 0) {
        snprintf(report->message, sizeof report->message, "passed: no parameter that takes a gradient has elements");
        return;
    }
    name_readers(c, tg_params_find(c->params, report->parameter), readers, sizeof readers);
    if (report->index >= 0) snprintf(place, sizeof place, "element %lld", (long long)report->index);
    snprintf(report->message, sizeof report->message,
             "%s: worst of %lld: %s, %s, read by %s: backward pass %.9g, difference %.9g (%.3g of what is allowed)",
             report->passed ? "passed" : "FAILED", (long long)report->checked, report->parameter, place, readers,
             report->analytic, report->numeric, report->error);
}

bool tg_gradcheck(tg_params *params, tg_gradcheck_function function, void *context, tg_gradcheck_report *report)
{
    tg_gradcheck_report own;
    if (!report) report = &own;
    *report = (tg_gradcheck_report){.index = -1};
    check c = {.params = params, .tape = tg_tape_new(1), .function = function, .context = context, .report = report};
    if (!c.tape || !params) give_up(&c, "%s", tg_params_error(params) ? tg_params_error(params) : "out of memory");
    else c.start = c.tape->random;
    bool going = !report->message[0] && backward_once(&c);
    for (int64_t i = 0; going && i < tg_params_count(params); i++) {
        tg_tensor *p = tg_params_at(params, i);
        if (p->requires_grad && p->size > 0) going = check_parameter(&c, p);
    }
    conclude(&c);
    tg_params_clear_grads(params);
    tg_tape_free(c.tape);
    return report->passed;
}
