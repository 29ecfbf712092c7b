/* Operators that work element by element: on one tensor a (x), or on two that broadcast, a and b.
 *
 *     neg      y = -x               dx = -dy
 *     exp      y = e^x              dx = dy y
 *     log      y = ln x             dx = dy / x
 *     sqrt     y = sqrt x           dx = dy / (2 y)
 *     square   y = x^2              dx = dy 2 x
 *     tanh     y = tanh x           dx = dy (1 - y^2)
 *     sigmoid  y = 1 / (1 + e^-x)   dx = dy y (1 - y)
 *     relu     y = max(x, 0)        dx = dy [x > 0]
 *     gelu     y = x Phi(x)         dx = dy (Phi(x) + x phi(x)),   Phi, phi the normal distribution and density
 *     affine   y = s x + t          dx = dy s
 *
 *     add      y = a + b            da = dy                  db = dy
 *     sub      y = a - b            da = dy                  db = -dy
 *     mul      y = a b              da = dy b                db = dy a
 *     div      y = a / b            da = dy / b              db = -dy y / b
 *     maximum  y = max(a, b)        da = dy [a > b]          db = dy [b > a]      half to each where a = b
 *     where    y = mask ? a : b     da = mask ? dy : 0       db = mask ? 0 : dy
 *     dropout  y = a b,  b a constant that is drawn, 0 or 1 / (1 - p)
 *     binary_cross_entropy   y = max(a, 0) - a b + ln(1 + e^-|a|),  then its mean      da = dy (sigmoid(a) - b)
 *
 * Each operator is a function over a run of numbers for y, and one for the gradient of each operand. In a run an operand
 * is read with a stride of 1, or of 0 where it is broadcast along it; the walk over the runs is the same for all. Where
 * nothing is broadcast, the runs of a long tensor are shared among threads. */
#include <tgmath.h>

#include "internal.h"
#include "kernels.h"

typedef struct run {
    const struct elementwise *op;
    int64_t n;
    const tg_real *a, *b;  /* b is a where there is one operand */
    const uint8_t *mask;   /* where's mask */
    const int64_t *step;   /* of a, b, mask */
    const tg_real *y, *dy; /* in the forward pass both are `out` */
    tg_real *out;          /* y, or this run's gradient of a or b */
} run;

typedef void (*run_function)(const run *r);

typedef struct elementwise {
    run_function forward, gradient[2];
    tg_real scale, shift;            /* affine's */
    tg_mask mask;                    /* where's */
    int64_t strides[3][TG_MAX_DIMS]; /* of a, b and mask in y's shape */
} elementwise;

static bool elementwise_shape(tg_node *node)
{
    elementwise *op = node->attributes;
    const tg_tensor *a = node->inputs[0], *b = node->inputs[node->n_inputs - 1];
    tg_tensor mask = {.ndim = op->mask.ndim};
    int ndim;
    int64_t shape[TG_MAX_DIMS];
    memcpy(mask.shape, op->mask.shape, sizeof mask.shape);
    if (tg_broadcast(3, (const tg_tensor *[]){a, b, &mask}, &ndim, shape, op->strides))
        return tg_output(node, ndim, shape) != NULL;
    const char *pair[] = {tg_tensor_text(node, a), tg_tensor_text(node, b)};
    if (!op->mask.data) return tg_node_fail(node, "%s and %s do not broadcast", pair[0], pair[1]);
    return tg_node_fail(node, "mask %s, %s and %s do not broadcast", tg_tensor_text(node, &mask),
                        pair[0], pair[1]);
}

static void take_run(const tg_node *node, run_function function, const tg_rows *at, int64_t at_y,
                     const tg_real *dy, tg_real *out)
{
    const elementwise *op = node->attributes;
    const tg_tensor *a = node->inputs[0], *b = node->inputs[node->n_inputs - 1];
    const uint8_t *mask = op->mask.data ? op->mask.data + at->offset[2] : NULL;
    function(&(run){op, at->length, a->data + at->offset[0], b->data + at->offset[1], mask,
                    at->step, node->outputs[0]->data + at_y, dy + at_y, out + at_y});
}

static void walk(const tg_node *node, run_function function, const tg_real *dy, tg_real *out)
{
    enum { RUN = 4096 };
    const elementwise *op = node->attributes;
    const tg_tensor *a = node->inputs[0], *b = node->inputs[node->n_inputs - 1],
                    *y = node->outputs[0];
    const bool same = a->size == y->size && b->size == y->size && !op->mask.data;
    tg_rows rows = tg_rows_start(y->ndim, y->shape, 3, op->strides);
    for (int64_t i = 0; !same && tg_rows_next(&rows); i += rows.length)
        take_run(node, function, &rows, i, dy, out);
#pragma omp parallel for if (y->size > TG_PARALLEL_WORK)
    for (int64_t i = 0; i < (same ? y->size : 0); i += RUN) {
        const tg_rows piece = {.length = y->size - i < RUN ? y->size - i : RUN,
                               .offset = {i, i},
                               .step = {1, 1}};
        take_run(node, function, &piece, i, dy, out);
    }
}

static void elementwise_forward(tg_node *node)
{
    tg_real *y = node->outputs[0]->data;
    walk(node, ((const elementwise *)node->attributes)->forward, y, y);
}

static void elementwise_backward(tg_node *node)
{
    const elementwise *op = node->attributes;
    const tg_tensor *y = node->outputs[0];
    for (int i = 0; i < node->n_inputs; i++) {
        if (!node->inputs[i]->requires_grad) continue;
        bool add = true;
        tg_real *grad = node->inputs[i]->size == y->size ? tg_input_grad_target(node, i, &add)
                                                         : NULL;
        if (add) grad = tg_scratch(node, y->size);
        if (!grad) return;
        walk(node, op->gradient[i], y->grad, grad);
        if (add) tg_input_grad_unbroadcast(node, i, y->ndim, y->shape, grad);
    }
}

/* ---- runs ---- */

/* The expression of number i of a run, from a, b, y and dy. */
#define RUN_LOOP(a_step, b_step, expression)                                                      \
    for (int64_t i = 0; i < n; i++) {                                                             \
        const tg_real a = r->a[i * (a_step)], b = r->b[i * (b_step)], y = r->y[i], dy = r->dy[i]; \
        (void)a, (void)b, (void)y, (void)dy;                                                      \
        r->out[i] = (expression);                                                                 \
    }
#define RUN_FUNCTION(name, expression)                               \
    static void name(const run *r)                                   \
    {                                                                \
        const int64_t n = r->n, *step = r->step;                     \
        if (step[0] == 1 && step[1] == 1) RUN_LOOP(1, 1, expression) \
        else RUN_LOOP(step[0], step[1], expression)                  \
    }
#define MASK r->mask[i * r->step[2]]

#define OPERATOR_WITH_HINT(identifier, hint)                                   \
    TG_OP(identifier##_op, #identifier, .attribute_size = sizeof(elementwise), \
          .shape = elementwise_shape, .forward = elementwise_forward,          \
          .backward = elementwise_backward, .anomaly_hint = hint)
#define OPERATOR(identifier) OPERATOR_WITH_HINT(identifier, NULL)
#define UNARY_OPERATOR(identifier, hint)                                                     \
    OPERATOR_WITH_HINT(identifier, hint);                                                    \
    tg_tensor *tg_##identifier(tg_tape *tape, tg_tensor *x)                                  \
    {                                                                                        \
        elementwise op = {.forward = identifier##_forward, .gradient = {identifier##_grad}}; \
        return tg_apply_unary(tape, &identifier##_op, &op, x);                                   \
    }
#define BINARY_OPERATOR(identifier, grad_a, grad_b, hint)                                 \
    OPERATOR_WITH_HINT(identifier, hint);                                                 \
    tg_tensor *tg_##identifier(tg_tape *tape, tg_tensor *a, tg_tensor *b)                 \
    {                                                                                     \
        elementwise op = {.forward = identifier##_forward, .gradient = {grad_a, grad_b}}; \
        return tg_apply(tape, &identifier##_op, &op, 2, (tg_tensor *[]){a, b}, NULL);     \
    }

/* ---- on one tensor ---- */

RUN_FUNCTION(neg_forward, -a)
RUN_FUNCTION(neg_grad, -dy)
UNARY_OPERATOR(neg, NULL)

static void exp_forward(const run *r) { TG_DISPATCH(tg_k_exp_shifted, r->n, r->a, 0, 1, r->out); }
RUN_FUNCTION(exp_grad, dy *y)

static const char *exp_hint(const tg_node *node)
{
    const tg_tensor *x = node->inputs[0], *y = node->outputs[0];
    for (int64_t i = 0; i < x->size; i++)
        if (isinf(y->data[i]) && !isinf(x->data[i]))
            return "e^x overflows above 88 in float and above 709 in double; subtract the maximum "
                   "first, or use tg_softmax or tg_logsumexp";
    return NULL;
}
UNARY_OPERATOR(exp, exp_hint)

RUN_FUNCTION(log_forward, log(a))
RUN_FUNCTION(log_grad, dy / a)

static const char *log_hint(const tg_node *node)
{
    const tg_tensor *x = node->inputs[0];
    for (int64_t i = 0; i < x->size; i++)
        if (x->data[i] <= 0)
            return "the logarithm needs numbers above 0; add a small number first, or use "
                   "tg_log_softmax instead of the logarithm of a softmax";
    return NULL;
}
UNARY_OPERATOR(log, log_hint)

RUN_FUNCTION(sqrt_forward, sqrt(a))
RUN_FUNCTION(sqrt_grad, dy / (2 * y))

static const char *sqrt_hint(const tg_node *node)
{
    const tg_tensor *x = node->inputs[0];
    for (int64_t i = 0; i < x->size; i++) {
        if (x->data[i] < 0) return "the square root of a negative number is NaN";
        if (x->data[i] == 0 && node->outputs[0]->has_grad)
            return "the derivative of the square root is infinite at 0; add a small number first";
    }
    return NULL;
}
UNARY_OPERATOR(sqrt, sqrt_hint)

RUN_FUNCTION(square_forward, a *a)
RUN_FUNCTION(square_grad, dy * 2 * a)
UNARY_OPERATOR(square, NULL)

static void tanh_forward(const run *r) { TG_DISPATCH(tg_k_tanh, r->n, r->a, r->out); }
RUN_FUNCTION(tanh_grad, dy *(1 - y * y))
UNARY_OPERATOR(tanh, NULL)

static void sigmoid_forward(const run *r) { TG_DISPATCH(tg_k_sigmoid, r->n, r->a, r->out); }
RUN_FUNCTION(sigmoid_grad, dy *y *(1 - y))
UNARY_OPERATOR(sigmoid, NULL)

RUN_FUNCTION(relu_forward, a > 0 || a != a ? a : 0)
RUN_FUNCTION(relu_grad, a > 0 ? dy : a <= 0 ? 0 : a)
UNARY_OPERATOR(relu, NULL)

/* Phi(x) = erfc(-x / sqrt 2) / 2, which keeps its digits far below 0, and phi(x) = e^(-x^2 / 2) / sqrt(2 pi). In double, for C
 * libraries round erfc of a float each in their own way. */
static tg_real distribution(tg_real x)
{
    return (tg_real)(erfc((double)x * -0.7071067811865476) / 2);
}
static tg_real density(tg_real x) { return exp(-x * x / 2) * (tg_real)0.3989422804014327; }
RUN_FUNCTION(gelu_forward, a *distribution(a))
RUN_FUNCTION(gelu_grad, dy *(distribution(a) + a * density(a)))
UNARY_OPERATOR(gelu, NULL)

RUN_FUNCTION(affine_forward, r->op->scale *a + r->op->shift)
RUN_FUNCTION(affine_grad, dy * r->op->scale)
OPERATOR(affine);
tg_tensor *tg_affine(tg_tape *tape, tg_tensor *x, double scale, double shift)
{
    elementwise op = {.forward = affine_forward, .gradient = {affine_grad}};
    op.scale = (tg_real)scale, op.shift = (tg_real)shift;
    return tg_apply_unary(tape, &affine_op, &op, x);
}

/* ---- on two ---- */

RUN_FUNCTION(pass_dy, dy)
RUN_FUNCTION(add_forward, a + b)
BINARY_OPERATOR(add, pass_dy, pass_dy, NULL)

RUN_FUNCTION(sub_forward, a - b)
BINARY_OPERATOR(sub, pass_dy, neg_grad, NULL)

RUN_FUNCTION(mul_forward, a *b)
RUN_FUNCTION(mul_grad_a, dy *b)
RUN_FUNCTION(mul_grad_b, dy *a)
BINARY_OPERATOR(mul, mul_grad_a, mul_grad_b, NULL)

RUN_FUNCTION(div_forward, a / b)
RUN_FUNCTION(div_grad_a, dy / b)
RUN_FUNCTION(div_grad_b, -dy *y / b)

static const char *div_hint(const tg_node *node)
{
    const tg_tensor *b = node->inputs[1];
    for (int64_t i = 0; i < b->size; i++)
        if (b->data[i] == 0) return "a divisor is 0; add a small number to it first";
    return NULL;
}
BINARY_OPERATOR(div, div_grad_a, div_grad_b, div_hint)

RUN_FUNCTION(maximum_forward, a > b || a != a ? a : b)
RUN_FUNCTION(maximum_grad_a, a > b ? dy : a == b ? dy / 2 : a < b ? 0 : y)
RUN_FUNCTION(maximum_grad_b, b > a ? dy : a == b ? dy / 2 : b < a ? 0 : y)
BINARY_OPERATOR(maximum, maximum_grad_a, maximum_grad_b, NULL)

/* ---- by a mask ---- */

RUN_FUNCTION(choose, MASK ? a : b)
RUN_FUNCTION(where_grad_a, MASK ? dy : 0)
RUN_FUNCTION(where_grad_b, MASK ? 0 : dy)

/* Whole rows, where the mask chooses those. */
static void where_forward(const run *r)
{
    const bool whole = r->step[2] == 0 && r->step[*r->mask ? 0 : 1] == 1;
    if (whole) memcpy(r->out, *r->mask ? r->a : r->b, (size_t)r->n * sizeof *r->out);
    else choose(r);
}

static bool where_shape(tg_node *node)
{
    elementwise *op = node->attributes;
    return tg_copy_mask(node, &op->mask) && elementwise_shape(node);
}

TG_OP(where_op, "where", .may_be_infinite = true, .attribute_size = sizeof(elementwise),
      .shape = where_shape, .forward = elementwise_forward, .backward = elementwise_backward);

tg_tensor *tg_where(tg_tape *tape, tg_mask mask, tg_tensor *a, tg_tensor *b)
{
    elementwise op = {.forward = where_forward,
                      .gradient = {where_grad_a, where_grad_b},
                      .mask = mask};
    return tg_apply(tape, &where_op, &op, 2, (tg_tensor *[]){a, b}, NULL);
}

tg_tensor *tg_where_scalar(tg_tape *tape, tg_mask mask, tg_tensor *x, double value)
{
    tg_real number = (tg_real)value;
    int64_t strides[TG_MAX_DIMS];
    if (tape && x && !tg_broadcast_strides(x->ndim, x->shape, mask.ndim, mask.shape, strides))
        return tg_fail(&tape->error, "where_scalar: mask %s does not broadcast to %s",
                       tg_shape_str(mask.ndim, mask.shape).text,
                       tg_shape_str(x->ndim, x->shape).text);
    return tg_where(tape, mask, x, tg_constant(tape, &number, TG_SCALAR));
}

tg_tensor *tg_zero_padding(tg_tape *tape, tg_tensor *x, tg_ints lengths)
{
    if (!tape || tape->error.set) return NULL;
    if (x && lengths.ndim == 0) return x;
    if (!x || x->ndim < 2 || lengths.ndim != 1 || lengths.shape[0] != x->shape[0] ||
        (x->shape[0] && !lengths.data))
        return tg_fail(&tape->error, "zero_padding: lengths %s have no data or do not fit x %s",
                       tg_shape_str(lengths.ndim, lengths.shape).text,
                       x ? tg_shape_str(x->ndim, x->shape).text : "NULL");
    const int64_t B = x->shape[0], T = x->shape[1];
    tg_mask mask = {.ndim = x->ndim, .shape = {B, T, 1, 1, 1, 1}};
    uint8_t *bytes = tg_tape_alloc(tape, (size_t)(B * T));
    if (!bytes) return NULL;
    for (int64_t i = 0; i < B * T; i++) bytes[i] = i % T < lengths.data[i / T];
    for (int64_t b = 0; b < B; b++)
        if (lengths.data[b] < 0 || lengths.data[b] > T)
            return tg_fail(&tape->error, "zero_padding: lengths[%lld] is %d, outside 0 .. %lld",
                           (long long)b, lengths.data[b], (long long)T);
    mask.data = bytes;
    return tg_where_scalar(tape, mask, x, 0);
}

OPERATOR(dropout);

tg_tensor *tg_dropout(tg_tape *tape, tg_tensor *x, double p)
{
    enum { RUN = 4096 };
    elementwise op = {.forward = mul_forward, .gradient = {mul_grad_a}};
    if (!tape || tape->error.set) return NULL;
    if (p == 0 || (p > 0 && p < 1 && !tape->training)) return x;
    if (!(p > 0 && p < 1))
        return tg_fail(&tape->error, "dropout: the probability %g is outside 0 <= p < 1", p);
    tg_tensor *mask = x ? tg_tensor_alloc(tape, x->ndim, x->shape) : NULL;
    const int64_t size = mask ? mask->size : 0;
#pragma omp parallel for if (size > TG_PARALLEL_WORK)
    for (int64_t i = 0; i < size; i += RUN)
        TG_DISPATCH(tg_k_dropout_mask, size - i < RUN ? size - i : RUN, tape->random.key,
                    tape->random.counter + (uint64_t)i, (uint32_t)(p * 0x1p32),
                    (tg_real)(1 / (1 - p)), mask->data + i);
    tape->random.counter += (uint64_t)size;
    return tg_apply(tape, &dropout_op, &op, 2, (tg_tensor *[]){x, mask}, NULL);
}

/* ---- losses of two tensors of one shape: means over what is computed element by element ---- */

static bool pair_fits(tg_tape *tape, const char *loss, const tg_tensor *a, const tg_tensor *b)
{
    if (!tape || !a || !b) return true; /* the operators say it */
    if (!tg_has_shape(a, b->ndim, b->shape))
        return tg_fail(&tape->error, "%s: %s and %s differ", loss,
                       tg_shape_str(a->ndim, a->shape).text, tg_shape_str(b->ndim, b->shape).text);
    return a->size > 0 || tg_fail(&tape->error, "%s: the mean over nothing: %s", loss,
                                  tg_shape_str(a->ndim, a->shape).text);
}

RUN_FUNCTION(bce_forward, (a > 0 ? a : 0) - a * b + log1p(exp(-fabs(a))))
RUN_FUNCTION(bce_grad, dy *(1 / (1 + exp(-a)) - b))
OPERATOR(binary_cross_entropy_with_logits);

tg_tensor *tg_binary_cross_entropy_with_logits(tg_tape *tape, tg_tensor *logits, tg_tensor *targets)
{
    if (!pair_fits(tape, "binary_cross_entropy_with_logits", logits, targets)) return NULL;
    if (tape && targets && targets->requires_grad)
        return tg_fail(&tape->error, "binary_cross_entropy_with_logits: the targets require a "
                                     "gradient, and take none; detach them");
    for (int64_t i = 0; tape && targets && i < targets->size; i++)
        if (!(targets->data[i] >= 0 && targets->data[i] <= 1))
            return tg_fail(&tape->error,
                           "binary_cross_entropy_with_logits: target %g at position %lld of %s is "
                           "outside 0 .. 1",
                           (double)targets->data[i], (long long)i,
                           tg_shape_str(targets->ndim, targets->shape).text);
    elementwise op = {.forward = bce_forward, .gradient = {bce_grad}};
    tg_tensor *losses = tg_apply(tape, &binary_cross_entropy_with_logits_op, &op, 2,
                                 (tg_tensor *[]){logits, targets}, NULL);
    return tg_mean(tape, losses, TG_ALL_AXES, false);
}

tg_tensor *tg_mean_squared_error(tg_tape *tape, tg_tensor *x, tg_tensor *y)
{
    if (!pair_fits(tape, "mean_squared_error", x, y)) return NULL;
    return tg_mean(tape, tg_square(tape, tg_sub(tape, x, y)), TG_ALL_AXES, false);
}
