/* Operators that work element by element: on one tensor a (x), or on two that broadcast, a and b.
 * dx is dL/dx, and so on; [c] is 1 if c holds, otherwise 0.
 *
 *     neg      y = -x               dx = -dy
 *     exp      y = e^x              dx = dy y
 *     log      y = ln x             dx = dy / x
 *     sqrt     y = sqrt x           dx = dy / (2 y)
 *     square   y = x^2              dx = dy 2 x
 *     tanh     y = tanh x           dx = dy (1 - y^2)
 *     sigmoid  y = 1 / (1 + e^-x)   dx = dy y (1 - y)
 *     relu     y = max(x, 0)        dx = dy [x > 0]
 *     gelu     y = x Phi(x)         dx = dy (Phi(x) + x phi(x)),   Phi and phi the standard normal
 *                                                                  distribution and density
 *     affine   y = s x + t          dx = dy s
 *
 *     add      y = a + b            da = dy                  db = dy
 *     sub      y = a - b            da = dy                  db = -dy
 *     mul      y = a b              da = dy b                db = dy a
 *     div      y = a / b            da = dy / b              db = -dy y / b
 *     maximum  y = max(a, b)        da = dy [a > b]          db = dy [b > a];  dy / 2 if a = b
 *     where    y = mask ? a : b     da = mask ? dy : 0       db = mask ? 0 : dy
 *     dropout  y = a b              da = dy b,   b drawn: 0 or 1 / (1 - p)
 *
 *     binary_cross_entropy_with_logits, before the mean
 *              y = max(a, 0) - a b + ln(1 + e^-|a|)          da = dy (sigmoid(a) - b)
 *
 * An operator is one function that computes a span of y, and one for the gradient of each operand.
 * A span is a stretch of consecutive elements of y; an operand is read along it with a stride of
 * 1, or of 0 if it is broadcast. If something is broadcast, a span is a row of y. Otherwise it is
 * MAX_SPAN elements, and threads share the spans. */
#include <math.h>
#include <string.h>
#include <tgmath.h>

#include "broadcast.h"
#include "ops.h"
#include "tape_private.h"
#include "kernels.h"

enum { MAX_SPAN = 4096 };

typedef struct span {
    const struct elementwise *op;
    int64_t n;
    const tg_real *a, *b;  /* an operator of one operand has b = a */
    const uint8_t *mask;   /* of where */
    const int64_t *step;   /* strides of a, b and mask */
    const tg_real *y, *dy; /* in the forward pass both are `out` */
    tg_real *out;          /* y, or the gradient of a or b, of the shape of y */
} span;

typedef void (*span_function)(const span *s);

typedef struct elementwise {
    span_function forward, gradient[2];
    tg_real scale, shift;            /* of affine */
    double p;                        /* of dropout */
    tg_mask mask;                    /* of where */
    int64_t strides[3][TG_MAX_DIMS]; /* of a, b and mask in y's shape */
} elementwise;

/* ---- the passes, the same for all ---- */

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
    const char *a_text = tg_tensor_str(a).text, *b_text = tg_tensor_str(b).text;
    if (!op->mask.data) return tg_node_fail(node, "%s and %s do not broadcast", a_text, b_text);
    return tg_node_fail(node, "mask %s, %s and %s do not broadcast", tg_tensor_str(&mask).text,
                        a_text, b_text);
}

/* Applies a function to the span of y that begins at element `at`. */
static void apply_to_span(const tg_node *node, span_function function, const tg_rows *rows,
                          int64_t at, const tg_real *dy, tg_real *out)
{
    const elementwise *op = node->attributes;
    const tg_tensor *a = node->inputs[0], *b = node->inputs[node->n_inputs - 1];
    const uint8_t *mask = op->mask.data ? op->mask.data + rows->offset[2] : NULL;
    function(&(span){op, rows->length, a->data + rows->offset[0], b->data + rows->offset[1], mask,
                     rows->step, node->outputs[0]->data + at, dy + at, out + at});
}

static void apply_to_spans(const tg_node *node, span_function function, const tg_real *dy,
                           tg_real *out)
{
    const elementwise *op = node->attributes;
    const tg_tensor *a = node->inputs[0], *b = node->inputs[node->n_inputs - 1];
    const tg_tensor *y = node->outputs[0];
    if (a->size != y->size || b->size != y->size || op->mask.data) {
        tg_rows rows = tg_rows_start(y->ndim, y->shape, 3, op->strides);
        for (int64_t i = 0; tg_rows_next(&rows); i += rows.length)
            apply_to_span(node, function, &rows, i, dy, out);
        return;
    }
#pragma omp parallel for if (y->size > TG_PARALLEL_WORK)
    for (int64_t i = 0; i < y->size; i += MAX_SPAN) {
        const int64_t n = y->size - i < MAX_SPAN ? y->size - i : MAX_SPAN;
        const tg_rows rows = {.length = n, .offset = {i, i}, .step = {1, 1}};
        apply_to_span(node, function, &rows, i, dy, out);
    }
}

static void elementwise_forward(tg_node *node)
{
    const elementwise *op = node->attributes;
    tg_real *y = node->outputs[0]->data;
    apply_to_spans(node, op->forward, y, y);
}

/* A gradient is computed in the shape of y. It is written to its place directly if nothing has to
 * be added. */
static void elementwise_backward(tg_node *node)
{
    const elementwise *op = node->attributes;
    const tg_tensor *y = node->outputs[0];
    for (int i = 0; i < node->n_inputs; i++) {
        const tg_tensor *x = node->inputs[i];
        if (!x->requires_grad) continue;
        bool add = true;
        tg_real *grad = x->size == y->size ? tg_input_grad_target(node, i, &add) : NULL;
        if (add) grad = tg_scratch(node, y->size);
        if (!grad) return;
        apply_to_spans(node, op->gradient[i], y->grad, grad);
        if (add) tg_input_grad_unbroadcast(node, i, y->ndim, y->shape, grad);
    }
}

/* ---- how an operator is defined ----
 * SPAN_FUNCTION(name, formula) defines the function that sets every element of out to a formula of
 * the elements a, b, y and dy. SPAN_FUNCTION(mul_grad_a, (dy * b)) is
 *
 *     static void mul_grad_a(const span *s)
 *     {
 *         for (int64_t i = 0; i < s->n; i++) {
 *             const tg_real a = s->a[i * s->step[0]], b = s->b[i * s->step[1]];
 *             const tg_real y = s->y[i], dy = s->dy[i];
 *             s->out[i] = dy * b;
 *         }
 *     }
 *
 * with a second loop for strides of 1, which the compiler turns into vector instructions. */
#define SPAN_FUNCTION(name, formula)                                \
    static void name(const span *s)                                 \
    {                                                               \
        if (s->step[0] == 1 && s->step[1] == 1) {                   \
            SPAN_LOOP(1, 1, formula)                                \
        } else {                                                    \
            const int64_t a_step = s->step[0], b_step = s->step[1]; \
            SPAN_LOOP(a_step, b_step, formula)                      \
        }                                                           \
    }
#define SPAN_LOOP(a_step, b_step, formula)                                   \
    for (int64_t i = 0, n = s->n; i < n; i++) {                              \
        UNUSED const tg_real a = s->a[i * (a_step)], b = s->b[i * (b_step)]; \
        UNUSED const tg_real y = s->y[i], dy = s->dy[i];                     \
        s->out[i] = (formula);                                               \
    }
#define UNUSED __attribute__((unused))
#define MASK s->mask[i * s->step[2]]

/* UNARY_OPERATOR(exp, exp_hint) defines tg_op_exp and tg_exp from exp_forward and exp_grad. The
 * hint is for anomaly detection; most operators have none. */
#define OPERATOR(identifier) OPERATOR_WITH_HINT(identifier, NULL)
#define OPERATOR_WITH_HINT(identifier, hint)                                 \
    const tg_op tg_op_##identifier = {.name = #identifier,                   \
                                      .attribute_size = sizeof(elementwise), \
                                      .shape = elementwise_shape,            \
                                      .forward = elementwise_forward,        \
                                      .backward = elementwise_backward,      \
                                      .anomaly_hint = hint}
#define OPERATOR(identifier) OPERATOR_WITH_HINT(identifier, NULL)
#define OPERATOR_WITH_HINT(identifier, hint)                                 \
    const tg_op tg_op_##identifier = {.name = #identifier,                   \
                                      .attribute_size = sizeof(elementwise), \
                                      .shape = elementwise_shape,            \
                                      .forward = elementwise_forward,        \
                                      .backward = elementwise_backward,      \
                                      .anomaly_hint = hint}
#define UNARY_OPERATOR(identifier, hint)                                                     \
    OPERATOR_WITH_HINT(identifier, hint);                                                    \
    tg_tensor *tg_##identifier(tg_tape *tape, tg_tensor *x)                                  \
    {                                                                                        \
        elementwise op = {.forward = identifier##_forward, .gradient = {identifier##_grad}}; \
        return tg_apply_unary(tape, &tg_op_##identifier, &op, x);                            \
    }
#define BINARY_OPERATOR(identifier, grad_a, grad_b, hint)                                 \
    OPERATOR_WITH_HINT(identifier, hint);                                                 \
    tg_tensor *tg_##identifier(tg_tape *tape, tg_tensor *a, tg_tensor *b)                 \
    {                                                                                     \
        elementwise op = {.forward = identifier##_forward, .gradient = {grad_a, grad_b}}; \
        return tg_apply(tape, &tg_op_##identifier, &op, 2, (tg_tensor *[]){a, b}, NULL);  \
    }

/* ---- of one tensor ---- */

SPAN_FUNCTION(neg_forward, -a)
SPAN_FUNCTION(neg_grad, -dy)
UNARY_OPERATOR(neg, NULL)

static void exp_forward(const span *s) { TG_DISPATCH(tg_k_exp_shifted, s->n, s->a, 0, 1, s->out); }
SPAN_FUNCTION(exp_grad, (dy * y))

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

SPAN_FUNCTION(log_forward, log(a))
SPAN_FUNCTION(log_grad, dy / a)

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

SPAN_FUNCTION(sqrt_forward, sqrt(a))
SPAN_FUNCTION(sqrt_grad, dy / (2 * y))

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

SPAN_FUNCTION(square_forward, (a * a))
SPAN_FUNCTION(square_grad, dy * 2 * a)
UNARY_OPERATOR(square, NULL)

static void tanh_forward(const span *s) { TG_DISPATCH(tg_k_tanh, s->n, s->a, s->out); }
SPAN_FUNCTION(tanh_grad, (dy * (1 - y * y)))
UNARY_OPERATOR(tanh, NULL)

static void sigmoid_forward(const span *s) { TG_DISPATCH(tg_k_sigmoid, s->n, s->a, s->out); }
SPAN_FUNCTION(sigmoid_grad, (dy * y * (1 - y)))
UNARY_OPERATOR(sigmoid, NULL)

/* NaN if a is NaN. */
static inline tg_real relu_part(tg_real a, tg_real dy)
{
    const tg_real otherwise = a <= 0 ? 0 : a;
    return a > 0 ? dy : otherwise;
}
SPAN_FUNCTION(relu_forward, a > 0 || a != a ? a : 0)
SPAN_FUNCTION(relu_grad, relu_part(a, dy))
UNARY_OPERATOR(relu, NULL)

/* Phi(x) = erfc(-x / sqrt 2) / 2, which keeps its digits far below 0, and
 * phi(x) = e^(-x^2 / 2) / sqrt(2 pi). erfc is taken in double, because C libraries round the float
 * function differently. */
static tg_real distribution(tg_real x)
{
    return (tg_real)(erfc((double)x * -0.7071067811865476) / 2);
}
static tg_real density(tg_real x) { return exp(-x * x / 2) * (tg_real)0.3989422804014327; }
SPAN_FUNCTION(gelu_forward, (a * distribution(a)))
SPAN_FUNCTION(gelu_grad, (dy * (distribution(a) + a * density(a))))
UNARY_OPERATOR(gelu, NULL)

SPAN_FUNCTION(affine_forward, s->op->scale *a + s->op->shift)
SPAN_FUNCTION(affine_grad, dy * s->op->scale)
OPERATOR(affine);
tg_tensor *tg_affine(tg_tape *tape, tg_tensor *x, double scale, double shift)
{
    elementwise op = {.forward = affine_forward,
                      .gradient = {affine_grad},
                      .scale = (tg_real)scale,
                      .shift = (tg_real)shift};
    return tg_apply_unary(tape, &tg_op_affine, &op, x);
}

/* ---- of two tensors ---- */

SPAN_FUNCTION(pass_dy, dy)
SPAN_FUNCTION(add_forward, a + b)
BINARY_OPERATOR(add, pass_dy, pass_dy, NULL)

SPAN_FUNCTION(sub_forward, a - b)
BINARY_OPERATOR(sub, pass_dy, neg_grad, NULL)

SPAN_FUNCTION(mul_forward, (a * b))
SPAN_FUNCTION(mul_grad_a, (dy * b))
SPAN_FUNCTION(mul_grad_b, (dy * a))
BINARY_OPERATOR(mul, mul_grad_a, mul_grad_b, NULL)

SPAN_FUNCTION(div_forward, a / b)
SPAN_FUNCTION(div_grad_a, dy / b)
SPAN_FUNCTION(div_grad_b, (-dy * y / b))

static const char *div_hint(const tg_node *node)
{
    const tg_tensor *b = node->inputs[1];
    for (int64_t i = 0; i < b->size; i++)
        if (b->data[i] == 0) return "a divisor is 0; add a small number to it first";
    return NULL;
}
BINARY_OPERATOR(div, div_grad_a, div_grad_b, div_hint)

/* The part of dy that goes to a; NaN if a or b is NaN. */
static inline tg_real maximum_part(tg_real a, tg_real b, tg_real y, tg_real dy)
{
    if (a > b) return dy;
    if (a == b) return dy / 2;
    return a < b ? 0 : y;
}
SPAN_FUNCTION(maximum_forward, a > b || a != a ? a : b)
SPAN_FUNCTION(maximum_grad_a, maximum_part(a, b, y, dy))
SPAN_FUNCTION(maximum_grad_b, maximum_part(b, a, y, dy))
BINARY_OPERATOR(maximum, maximum_grad_a, maximum_grad_b, NULL)

/* ---- where ---- */

SPAN_FUNCTION(choose, MASK ? a : b)
SPAN_FUNCTION(where_grad_a, MASK ? dy : 0)
SPAN_FUNCTION(where_grad_b, MASK ? 0 : dy)

/* If the mask is broadcast along the span, the span is a copy of a or of b. */
static void where_forward(const span *s)
{
    const bool copies = s->step[2] == 0 && s->step[*s->mask ? 0 : 1] == 1;
    if (copies) memcpy(s->out, *s->mask ? s->a : s->b, (size_t)s->n * sizeof *s->out);
    else choose(s);
}

static bool where_shape(tg_node *node)
{
    elementwise *op = node->attributes;
    return tg_copy_mask(node, &op->mask) && elementwise_shape(node);
}

const tg_op tg_op_where = {.name = "where",
                           .may_be_infinite = true,
                           .attribute_size = sizeof(elementwise),
                           .shape = where_shape,
                           .forward = elementwise_forward,
                           .backward = elementwise_backward};

tg_tensor *tg_where(tg_tape *tape, tg_mask mask, tg_tensor *a, tg_tensor *b)
{
    elementwise op = {.forward = where_forward,
                      .gradient = {where_grad_a, where_grad_b},
                      .mask = mask};
    return tg_apply(tape, &tg_op_where, &op, 2, (tg_tensor *[]){a, b}, NULL);
}

tg_tensor *tg_where_scalar(tg_tape *tape, tg_mask mask, tg_tensor *x, double value)
{
    const tg_real number = (tg_real)value;
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
    if (!x) return tg_fail(&tape->error, "zero_padding: x is NULL");
    if (lengths.ndim == 0) return x;
    if (x->ndim < 2 || lengths.ndim != 1 || lengths.shape[0] != x->shape[0])
        return tg_fail(&tape->error, "zero_padding: x %s and lengths %s must be [B, T, ..] and [B]",
                       tg_shape_str(x->ndim, x->shape).text,
                       tg_shape_str(lengths.ndim, lengths.shape).text);
    const int64_t B = x->shape[0], T = x->shape[1];
    if (B && !lengths.data)
        return tg_fail(&tape->error, "zero_padding: lengths [%lld] have no data", (long long)B);
    for (int64_t b = 0; b < B; b++)
        if (lengths.data[b] < 0 || lengths.data[b] > T)
            return tg_fail(&tape->error, "zero_padding: lengths[%lld] is %d, outside 0 .. %lld",
                           (long long)b, lengths.data[b], (long long)T);
    uint8_t *takes_part = tg_tape_alloc(tape, (size_t)(B * T));
    if (!takes_part) return NULL;
    for (int64_t i = 0; i < B * T; i++) takes_part[i] = i % T < lengths.data[i / T];
    const tg_mask mask = {.data = takes_part, .ndim = x->ndim, .shape = {B, T, 1, 1, 1, 1}};
    return tg_where_scalar(tape, mask, x, 0);
}

/* ---- dropout: a product with a constant that the forward pass draws ---- */

/* Element i of b is drawn with word i after the generator's counter. The counter moves here, after
 * everything has been checked, so that a refused call draws nothing. */
static void dropout_forward(tg_node *node)
{
    const elementwise *op = node->attributes;
    const tg_tensor *b = node->inputs[1];
    tg_random *random = &node->tape->random;
    const uint32_t threshold = (uint32_t)(op->p * 0x1p32);
    const tg_real scale = (tg_real)(1 / (1 - op->p));
#pragma omp parallel for if (b->size > TG_PARALLEL_WORK)
    for (int64_t i = 0; i < b->size; i += MAX_SPAN) {
        const int64_t n = b->size - i < MAX_SPAN ? b->size - i : MAX_SPAN;
        TG_DISPATCH(tg_k_dropout_mask, n, random->key, random->counter + (uint64_t)i, threshold,
                    scale, b->data + i);
    }
    random->counter += (uint64_t)b->size;
    elementwise_forward(node);
}

const tg_op tg_op_dropout = {.name = "dropout",
                             .attribute_size = sizeof(elementwise),
                             .shape = elementwise_shape,
                             .forward = dropout_forward,
                             .backward = elementwise_backward};

tg_tensor *tg_dropout(tg_tape *tape, tg_tensor *x, double p)
{
    elementwise op = {.forward = mul_forward, .gradient = {mul_grad_a}, .p = p};
    if (!tape || tape->error.set) return NULL;
    if (!(p >= 0 && p < 1))
        return tg_fail(&tape->error, "dropout: p is %g, and must be in 0 <= p < 1", p);
    if (p == 0 || !tape->training) return x;
    tg_tensor *b = x ? tg_tensor_alloc(tape, x->ndim, x->shape) : NULL;
    return tg_apply(tape, &tg_op_dropout, &op, 2, (tg_tensor *[]){x, b}, NULL);
}

/* ---- losses: the mean over two tensors of one shape ---- */

static bool check_pair(tg_tape *tape, const char *loss, const tg_tensor *a, const tg_tensor *b)
{
    if (!tape || !a || !b) return true; /* the operators report it */
    if (!tg_has_shape(a, b->ndim, b->shape))
        return tg_fail(&tape->error, "%s: the shapes %s and %s differ", loss,
                       tg_shape_str(a->ndim, a->shape).text, tg_shape_str(b->ndim, b->shape).text);
    if (a->size > 0) return true;
    return tg_fail(&tape->error, "%s: %s holds no numbers to take the mean of", loss,
                   tg_shape_str(a->ndim, a->shape).text);
}

SPAN_FUNCTION(bce_forward, (a > 0 ? a : 0) - a * b + log1p(exp(-fabs(a))))
SPAN_FUNCTION(bce_grad, (dy * (1 / (1 + exp(-a)) - b)))
OPERATOR(binary_cross_entropy_with_logits);

static bool check_targets(tg_tape *tape, const tg_tensor *targets)
{
    if (!tape || !targets) return true;
    if (targets->requires_grad)
        return tg_fail(&tape->error, "binary_cross_entropy_with_logits: the targets require a "
                                     "gradient, but take none; pass tg_detach of them");
    for (int64_t i = 0; i < targets->size; i++)
        if (!(targets->data[i] >= 0 && targets->data[i] <= 1))
            return tg_fail(&tape->error,
                           "binary_cross_entropy_with_logits: target %g at position %lld of %s is "
                           "outside 0 .. 1",
                           (double)targets->data[i], (long long)i,
                           tg_shape_str(targets->ndim, targets->shape).text);
    return true;
}

tg_tensor *tg_binary_cross_entropy_with_logits(tg_tape *tape, tg_tensor *logits, tg_tensor *targets)
{
    if (!check_pair(tape, "binary_cross_entropy_with_logits", logits, targets) ||
        !check_targets(tape, targets))
        return NULL;
    elementwise op = {.forward = bce_forward, .gradient = {bce_grad}};
    tg_tensor *losses = tg_apply(tape, &tg_op_binary_cross_entropy_with_logits, &op, 2,
                                 (tg_tensor *[]){logits, targets}, NULL);
    return tg_mean(tape, losses, TG_ALL_AXES, false);
}

tg_tensor *tg_mean_squared_error(tg_tape *tape, tg_tensor *x, tg_tensor *y)
{
    if (!check_pair(tape, "mean_squared_error", x, y)) return NULL;
    return tg_mean(tape, tg_square(tape, tg_sub(tape, x, y)), TG_ALL_AXES, false);
}
