/* Operators on two tensors that broadcast, element by element.
 *
 *     add      y = a + b         da = dy                    db = dy
 *     sub      y = a - b         da = dy                    db = -dy
 *     mul      y = a b           da = dy b                  db = dy a
 *     div      y = a / b         da = dy / b                db = -dy y / b
 *     maximum  y = max(a, b)     da = dy [a > b]            db = dy [b > a]      half to each where a = b
 *
 * Each operator is three functions over a row, in which a and b are read with a stride of 1, or of 0 where they are
 * broadcast along it; the walk over the rows is the same for all. */
#include "internal.h"
#include "kernels.h"

typedef struct binary_row {
    int64_t n;
    const tg_real *a, *b;
    int64_t a_step, b_step;
    const tg_real *dy; /* NULL in the forward pass */
    tg_real *out;      /* y, or this row's gradient of a or b */
} binary_row;

typedef struct binary {
    void (*forward)(const binary_row *row);
    void (*grad_a)(const binary_row *row);
    void (*grad_b)(const binary_row *row);
    int64_t strides[2][TG_MAX_DIMS];
} binary;

#define ROW_FUNCTION(name, expression)                                                                       \
    static void name(const binary_row *row)                                                                  \
    {                                                                                                        \
        const tg_real *a = row->a, *b = row->b;                                                              \
        const int64_t n = row->n, a_step = row->a_step, b_step = row->b_step;                                \
        if (a_step == 1 && b_step == 1)                                                                      \
            for (int64_t i = 0; i < n; i++, a++, b++) row->out[i] = (expression);                            \
        else                                                                                                 \
            for (int64_t i = 0; i < n; i++, a += a_step, b += b_step) row->out[i] = (expression);            \
    }
#define DY row->dy[i]

ROW_FUNCTION(add_forward, *a + *b)
ROW_FUNCTION(sub_forward, *a - *b)
ROW_FUNCTION(mul_forward, *a * *b)
ROW_FUNCTION(div_forward, *a / *b)
ROW_FUNCTION(maximum_forward, *a > *b || *a != *a ? *a : *b)

ROW_FUNCTION(pass_dy, DY)
ROW_FUNCTION(minus_dy, -DY)
ROW_FUNCTION(mul_grad_a, DY * *b)
ROW_FUNCTION(mul_grad_b, DY * *a)
ROW_FUNCTION(div_grad_a, DY / *b)
ROW_FUNCTION(div_grad_b, -DY * (*a / *b) / *b)
ROW_FUNCTION(maximum_grad_a, *a > *b ? DY : *a == *b ? DY / 2 : 0)
ROW_FUNCTION(maximum_grad_b, *b > *a ? DY : *a == *b ? DY / 2 : 0)

static bool binary_shape(tg_node *node)
{
    tg_tensor *a = node->inputs[0], *b = node->inputs[1];
    binary *op = node->attributes;
    int ndim;
    int64_t shape[TG_MAX_DIMS];
    if (!tg_broadcast(2, (const tg_tensor *[]){a, b}, &ndim, shape, op->strides))
        return tg_node_fail(node, "%s and %s do not broadcast", tg_tensor_text(node, a), tg_tensor_text(node, b));
    return tg_output(node, ndim, shape) != NULL;
}

/* Runs one of the row functions over all rows of the output's shape. */
static void walk(tg_node *node, void (*function)(const binary_row *row), const tg_real *dy, tg_real *out)
{
    const binary *op = node->attributes;
    const tg_tensor *a = node->inputs[0], *b = node->inputs[1], *y = node->outputs[0];
    const bool same = a->size == y->size && b->size == y->size; /* nothing is broadcast: one long row */
    static const int64_t along[2][TG_MAX_DIMS] = {{1}, {1}};
    tg_rows rows = same ? tg_rows_start(1, &y->size, 2, along) : tg_rows_start(y->ndim, y->shape, 2, op->strides);
    binary_row row = {rows.length, NULL, NULL, rows.step[0], rows.step[1], dy, out};
    while (tg_rows_next(&rows)) {
        row.a = a->data + rows.offset[0];
        row.b = b->data + rows.offset[1];
        function(&row);
        row.out += row.n;
        if (row.dy) row.dy += row.n;
    }
}

static void binary_forward(tg_node *node)
{
    walk(node, ((const binary *)node->attributes)->forward, NULL, node->outputs[0]->data);
}

static void binary_backward(tg_node *node)
{
    const binary *op = node->attributes;
    const tg_tensor *y = node->outputs[0];
    tg_real *full = tg_scratch(node, y->size);
    for (int i = 0; full && i < 2; i++) {
        if (!node->inputs[i]->requires_grad) continue;
        bool add = true;
        tg_real *grad = node->inputs[i]->size == y->size ? tg_grad_target(node, i, &add) : NULL;
        walk(node, i == 0 ? op->grad_a : op->grad_b, y->grad, add ? full : grad);
        if (add) tg_grad_unbroadcast(node, i, y->ndim, y->shape, full);
    }
}

#define BINARY_OP(identifier, forward_row, grad_a_row, grad_b_row)                                           \
    TG_OP(identifier##_op, #identifier, .attribute_size = sizeof(binary), .shape = binary_shape,             \
          .forward = binary_forward, .backward = binary_backward);                                           \
    tg_tensor *tg_##identifier(tg_tape *tape, tg_tensor *a, tg_tensor *b)                                    \
    {                                                                                                        \
        binary rows = {.forward = forward_row, .grad_a = grad_a_row, .grad_b = grad_b_row};                  \
        return tg_apply(tape, &identifier##_op, &rows, 2, (tg_tensor *[]){a, b}, NULL);                           \
    }

BINARY_OP(add, add_forward, pass_dy, pass_dy)
BINARY_OP(sub, sub_forward, pass_dy, minus_dy)
BINARY_OP(mul, mul_forward, mul_grad_a, mul_grad_b)
BINARY_OP(div, div_forward, div_grad_a, div_grad_b)
BINARY_OP(maximum, maximum_forward, maximum_grad_a, maximum_grad_b)
