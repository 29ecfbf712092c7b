/* Operators on one tensor, element by element.
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
 *     affine   y = a x + b          dx = dy a
 *
 * Each operator is two functions over a run of n numbers; long tensors are shared among threads by runs. */
#include <tgmath.h>

#include "internal.h"
#include "kernels.h"

typedef struct unary {
    void (*forward)(const struct unary *op, int64_t n, const tg_real *x, tg_real *y);
    void (*backward)(const struct unary *op, int64_t n, const tg_real *x, const tg_real *y, const tg_real *dy,
                     tg_real *dx, bool add);
    tg_real scale, shift; /* affine's */
} unary;

static bool unary_shape(tg_node *node) { return tg_output_like(node, node->inputs[0]) != NULL; }

enum { RUN = 4096 };

static void unary_forward(tg_node *node)
{
    const unary *op = node->attributes;
    const tg_tensor *x = node->inputs[0];
    tg_real *y = node->outputs[0]->data;
#pragma omp parallel for if (x->size > TG_PARALLEL_WORK)
    for (int64_t i = 0; i < x->size; i += RUN)
        op->forward(op, x->size - i < RUN ? x->size - i : RUN, x->data + i, y + i);
}

static void unary_backward(tg_node *node)
{
    const unary *op = node->attributes;
    const tg_tensor *x = node->inputs[0], *y = node->outputs[0];
    bool add;
    tg_real *dx = tg_grad_target(node, 0, &add);
    if (!dx) return;
#pragma omp parallel for if (x->size > TG_PARALLEL_WORK)
    for (int64_t i = 0; i < x->size; i += RUN)
        op->backward(op, x->size - i < RUN ? x->size - i : RUN, x->data + i, y->data + i, y->grad + i, dx + i, add);
}

#define UNARY_FORWARD(name, expression)                                                                      \
    static void name(const unary *op, int64_t n, const tg_real *x, tg_real *y)                               \
    {                                                                                                        \
        (void)op;                                                                                            \
        for (int64_t i = 0; i < n; i++) y[i] = (expression);                                                 \
    }
#define KERNEL_FORWARD(name, kernel)                                                                         \
    static void name(const unary *op, int64_t n, const tg_real *x, tg_real *y)                               \
    {                                                                                                        \
        (void)op;                                                                                            \
        TG_RUN(kernel)(n, x, y);                                                                             \
    }
#define UNARY_BACKWARD(name, expression)                                                                     \
    static void name(const unary *op, int64_t n, const tg_real *x, const tg_real *y, const tg_real *dy,      \
                     tg_real *dx, bool add)                                                                  \
    {                                                                                                        \
        (void)op, (void)x, (void)y;                                                                          \
        for (int64_t i = 0; i < n; i++) {                                                                    \
            const tg_real d = dy[i];                                                                         \
            dx[i] = (add ? dx[i] : 0) + (expression);                                                        \
        }                                                                                                    \
    }
#define UNARY_OP(identifier)                                                                                 \
    TG_OP(identifier##_op, #identifier, .attribute_size = sizeof(unary), .shape = unary_shape,               \
          .forward = unary_forward, .backward = unary_backward);                                             \
    tg_tensor *tg_##identifier(tg_tape *tape, tg_tensor *x)                                                  \
    {                                                                                                        \
        unary runs = {.forward = identifier##_forward, .backward = identifier##_backward};                   \
        return tg_apply_1(tape, &identifier##_op, &runs, x);                                                      \
    }

/* Phi(x) = erfc(-x / sqrt 2) / 2, which keeps its digits far below 0, and phi(x) = e^(-x^2 / 2) / sqrt(2 pi) */
static tg_real distribution(tg_real x) { return erfc(x * (tg_real)-0.7071067811865476) / 2; }
static tg_real density(tg_real x) { return exp(-x * x / 2) * (tg_real)0.3989422804014327; }

UNARY_FORWARD(neg_forward, -x[i])
UNARY_BACKWARD(neg_backward, -d)
UNARY_OP(neg)

KERNEL_FORWARD(exp_forward, tg_k_exp)
UNARY_BACKWARD(exp_backward, d * y[i])
UNARY_OP(exp)

UNARY_FORWARD(log_forward, log(x[i]))
UNARY_BACKWARD(log_backward, d / x[i])
UNARY_OP(log)

UNARY_FORWARD(sqrt_forward, sqrt(x[i]))
UNARY_BACKWARD(sqrt_backward, d / (2 * y[i]))
UNARY_OP(sqrt)

UNARY_FORWARD(square_forward, x[i] * x[i])
UNARY_BACKWARD(square_backward, d * 2 * x[i])
UNARY_OP(square)

KERNEL_FORWARD(tanh_forward, tg_k_tanh)
UNARY_BACKWARD(tanh_backward, d * (1 - y[i] * y[i]))
UNARY_OP(tanh)

KERNEL_FORWARD(sigmoid_forward, tg_k_sigmoid)
UNARY_BACKWARD(sigmoid_backward, d * y[i] * (1 - y[i]))
UNARY_OP(sigmoid)

UNARY_FORWARD(relu_forward, x[i] > 0 || x[i] != x[i] ? x[i] : 0)
UNARY_BACKWARD(relu_backward, x[i] > 0 ? d : 0)
UNARY_OP(relu)

UNARY_FORWARD(gelu_forward, x[i] * distribution(x[i]))
UNARY_BACKWARD(gelu_backward, d * (distribution(x[i]) + x[i] * density(x[i])))
UNARY_OP(gelu)

UNARY_FORWARD(affine_forward, op->scale * x[i] + op->shift)
UNARY_BACKWARD(affine_backward, d * op->scale)
TG_OP(affine_op, "affine", .attribute_size = sizeof(unary), .shape = unary_shape, .forward = unary_forward,
      .backward = unary_backward);

tg_tensor *tg_affine(tg_tape *tape, tg_tensor *x, double scale, double shift)
{
    unary runs = {affine_forward, affine_backward, (tg_real)scale, (tg_real)shift};
    return tg_apply_1(tape, &affine_op, &runs, x);
}
