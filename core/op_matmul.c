/* The batched matrix product: y = a b, with a [.., M, K], b [.., K, N], either stored transposed.
 *
 *     da = dy b^T      db = a^T dy
 *
 * Transposition costs nothing: a matrix is read through strides, and where a gradient's matrix is stored transposed, the
 * product that is written is the transposed one: da^T = b dy^T, db^T = dy^T a. A leading axis that was broadcast adds
 * up. */
#include "internal.h"
#include "kernels.h"

typedef struct matmul_attributes {
    bool transpose[2];
    int64_t m, n, k;
    int batch_ndim; /* the leading axes of the result, and one of size 1 for each matrix */
    int64_t batch_shape[TG_MAX_DIMS], batch_strides[3][TG_MAX_DIMS]; /* of a, b and y, in numbers */
} matmul_attributes;

static bool fail_shapes(tg_node *node, const char *what)
{
    const matmul_attributes *op = node->attributes;
    return tg_node_fail(node, "%s%s x %s%s: %s", tg_tensor_text(node, node->inputs[0]),
                        op->transpose[0] ? "^T" : "", tg_tensor_text(node, node->inputs[1]),
                        op->transpose[1] ? "^T" : "", what);
}

static bool matmul_shape(tg_node *node)
{
    matmul_attributes *op = node->attributes;
    const tg_tensor *a = node->inputs[0], *b = node->inputs[1];
    if (a->ndim < 2 || b->ndim < 2) return fail_shapes(node, "both need two axes at least");
    op->m = a->shape[a->ndim - (op->transpose[0] ? 1 : 2)];
    op->k = a->shape[a->ndim - (op->transpose[0] ? 2 : 1)];
    op->n = b->shape[b->ndim - (op->transpose[1] ? 2 : 1)];
    int64_t b_k = b->shape[b->ndim - (op->transpose[1] ? 1 : 2)];
    if (op->k != b_k) {
        char text[80];
        snprintf(text, sizeof text, "inner sizes %lld and %lld differ", (long long)op->k,
                 (long long)b_k);
        return fail_shapes(node, text);
    }
    tg_tensor a_batch = *a, b_batch = *b;
    a_batch.shape[--a_batch.ndim - 1] = 1;
    b_batch.shape[--b_batch.ndim - 1] = 1;
    if (!tg_broadcast(2, (const tg_tensor *[]){&a_batch, &b_batch}, &op->batch_ndim,
                      op->batch_shape, op->batch_strides))
        return fail_shapes(node, "the leading axes do not broadcast");
    int64_t shape[TG_MAX_DIMS];
    memcpy(shape, op->batch_shape, sizeof shape);
    shape[op->batch_ndim - 1] = op->m, shape[op->batch_ndim] = op->n;
    if (!tg_output(node, op->batch_ndim + 1, shape))
        return false; /* from here on no product of sizes overflows */
    for (int d = 0; b->ndim == 2 && !op->transpose[0] && d < op->batch_ndim;
         d++) /* one b: all rows of a are one product */
        op->m *= op->batch_shape[d], op->batch_shape[d] = 1;
    const int64_t elements[3] = {op->m * op->k, op->k * op->n, op->m * op->n};
    tg_contiguous_strides(op->batch_ndim, op->batch_shape, op->batch_strides[2]);
    for (int d = 0; d < op->batch_ndim; d++)
        for (int i = 0; i < 3; i++) op->batch_strides[i][d] *= elements[i];
    return true;
}

static double matmul_flops(const tg_node *node)
{
    const matmul_attributes *op = node->attributes;
    return 2.0 * (double)node->outputs[0]->size * (double)op->k;
}

/* One of the three operands, 0, 1, 2 for a, b, y: how the batch's first matrix of it is read. */
typedef struct operand {
    int which;
    tg_matrix first;
} operand;

static operand input(const tg_node *node, int which)
{
    const tg_tensor *x = node->inputs[which];
    const tg_matrix stored = {x->data, x->shape[x->ndim - 1], 1};
    const matmul_attributes *op = node->attributes;
    return (operand){which, op->transpose[which] ? tg_matrix_transposed(stored) : stored};
}

static operand transposed(operand x) { return (operand){x.which, tg_matrix_transposed(x.first)}; }

/* The matrix of the batch at which the walk over it stands. */
static tg_matrix matrix(operand x, const tg_rows *at)
{
    return (tg_matrix){x.first.data + at->offset[x.which], x.first.row, x.first.column};
}

void tg_node_matmul(tg_node *node, int64_t m, int64_t n, int64_t k, tg_matrix a, tg_matrix b,
                    const tg_real *start, tg_real *c)
{
    tg_real *room = tg_scratch(node, tg_gemm_workspace_size(n, k, a, b));
    if (room) TG_DISPATCH(tg_k_gemm_once, m, n, k, a, b, start, c, n, room);
}

void tg_input_grad_matmul(tg_node *node, int input, int64_t m, int64_t n, int64_t k, tg_matrix a,
                          tg_matrix b)
{
    bool add;
    tg_real *grad = tg_input_grad_target(node, input, &add);
    if (grad) tg_node_matmul(node, m, n, k, a, b, add ? grad : NULL, grad);
}

void tg_node_linear(tg_node *node, int64_t m, tg_matrix a, const tg_tensor *weight,
                    const tg_tensor *bias, tg_real *c)
{
    const int64_t n = weight->shape[0], k = weight->shape[1];
    const tg_real *packed = tg_prepacked(weight), *start = bias ? bias->data : NULL;
    if (packed) TG_DISPATCH(tg_k_gemm, m, n, k, a, packed, 0, start, c, n);
    else tg_node_matmul(node, m, n, k, a, (tg_matrix){weight->data, 1, k}, start, c);
}

/* C [m, n] (+)= A B over the whole batch. */
static void run_batch(tg_node *node, int64_t m, int64_t n, int64_t k, operand left, operand right,
                      int which, tg_real *c, bool add)
{
    const matmul_attributes *op = node->attributes;
    tg_real *room = tg_scratch(node, tg_gemm_workspace_size(n, k, left.first, right.first));
    tg_rows rows = tg_rows_start(op->batch_ndim, op->batch_shape, 3, op->batch_strides);
    while (room && tg_rows_next(&rows)) {
        tg_real *at = c + rows.offset[which];
        TG_DISPATCH(tg_k_gemm_once, m, n, k, matrix(left, &rows), matrix(right, &rows),
                    add ? at : NULL, at, n, room);
    }
}

static bool is_broadcast(const matmul_attributes *op, int which)
{
    for (int d = 0; d < op->batch_ndim; d++)
        if (op->batch_shape[d] != 1 && op->batch_strides[which][d] == 0) return true;
    return false;
}

static void matmul_forward(tg_node *node)
{
    const matmul_attributes *op = node->attributes;
    run_batch(node, op->m, op->n, op->k, input(node, 0), input(node, 1), 2, node->outputs[0]->data,
              false);
}

/* Where a gradient goes: several matrices add up in one that was broadcast. */
static tg_real *gradient(tg_node *node, int which, bool *add)
{
    *add = true;
    return is_broadcast(node->attributes, which) ? tg_input_grad(node, which)
                                                 : tg_input_grad_target(node, which, add);
}

static void matmul_backward(tg_node *node)
{
    const matmul_attributes *op = node->attributes;
    const operand a = input(node, 0), b = input(node, 1),
                  dy = {2, {node->outputs[0]->grad, op->n, 1}};
    bool add;
    tg_real *da = gradient(node, 0, &add);
    if (da && !op->transpose[0])
        run_batch(node, op->m, op->k, op->n, dy, transposed(b), 0, da, add); /* da = dy b^T */
    if (da && op->transpose[0])
        run_batch(node, op->k, op->m, op->n, b, transposed(dy), 0, da, add); /* da^T = b dy^T */
    tg_real *db = gradient(node, 1, &add);
    if (db && !op->transpose[1])
        run_batch(node, op->k, op->n, op->m, transposed(a), dy, 1, db, add); /* db = a^T dy */
    if (db && op->transpose[1])
        run_batch(node, op->n, op->k, op->m, transposed(dy), a, 1, db, add); /* db^T = dy^T a */
}

TG_OP(matmul_op, "matmul", .attribute_size = sizeof(matmul_attributes), .shape = matmul_shape,
      .forward = matmul_forward, .backward = matmul_backward, .flops = matmul_flops);

tg_tensor *tg_matmul_transposed(tg_tape *tape, tg_tensor *a, tg_tensor *b, tg_transpose transpose)
{
    matmul_attributes op = {
        .transpose = {(transpose & TG_TRANSPOSE_A) != 0, (transpose & TG_TRANSPOSE_B) != 0}};
    return tg_apply(tape, &matmul_op, &op, 2, (tg_tensor *[]){a, b}, NULL);
}

tg_tensor *tg_matmul(tg_tape *tape, tg_tensor *a, tg_tensor *b)
{
    return tg_matmul_transposed(tape, a, b, TG_TRANSPOSE_NONE);
}
