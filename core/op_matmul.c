/* The batched matrix product: y = a b, with a [.., M, K] and b [.., K, N], each stored as it is or
 * transposed. With da = dL/da and so on:
 *
 *     da = dy b^T      db = a^T dy
 *
 * Derivation. y_ij = sum_k a_ik b_kj, so da_ik = sum_j dy_ij b_kj and db_kj = sum_i a_ik dy_ij.
 *
 * Transposition costs nothing, because a matrix is read through strides. A gradient is written row
 * by row, so if an operand is stored transposed, its transposed gradient is computed instead:
 * da^T = b dy^T, db^T = dy^T a. If a leading axis was broadcast, its gradients add up. */
#include <stdio.h>
#include <string.h>

#include "ops.h"
#include "broadcast.h"
#include "kernels.h"

enum { A, B, Y }; /* the operands */

typedef struct matmul_attributes {
    bool transposed[2]; /* a, b: as stored */
    int64_t m, n, k;
    int batch_ndim; /* the leading axes of y, then one axis of size 1 for the matrix */
    int64_t batch_shape[TG_MAX_DIMS];
    int64_t batch_strides[3][TG_MAX_DIMS]; /* of a, b and y, in numbers */
} matmul_attributes;

/* ---- the shape rule ---- */

static bool fail_shapes(tg_node *node, const char *reason)
{
    const matmul_attributes *op = node->attributes;
    return tg_node_fail(node, "%s%s x %s%s: %s", tg_tensor_str(node->inputs[A]).text,
                        op->transposed[A] ? "^T" : "", tg_tensor_str(node->inputs[B]).text,
                        op->transposed[B] ? "^T" : "", reason);
}

/* Sets m, n and k. */
static bool match_inner_sizes(tg_node *node)
{
    matmul_attributes *op = node->attributes;
    const tg_tensor *a = node->inputs[A], *b = node->inputs[B];
    if (a->ndim < 2 || b->ndim < 2) return fail_shapes(node, "both must have at least two axes");
    op->m = a->shape[a->ndim - (op->transposed[A] ? 1 : 2)];
    op->k = a->shape[a->ndim - (op->transposed[A] ? 2 : 1)];
    op->n = b->shape[b->ndim - (op->transposed[B] ? 2 : 1)];
    const int64_t b_k = b->shape[b->ndim - (op->transposed[B] ? 1 : 2)];
    if (op->k == b_k) return true;
    char text[80];
    snprintf(text, sizeof text, "inner sizes %lld and %lld differ", (long long)op->k,
             (long long)b_k);
    return fail_shapes(node, text);
}

/* A tensor's leading axes, then an axis of size 1. */
static tg_tensor batch_axes(const tg_tensor *x)
{
    tg_tensor batch = *x;
    batch.ndim--;
    batch.shape[batch.ndim - 1] = 1;
    return batch;
}

static bool matmul_shape(tg_node *node)
{
    if (!match_inner_sizes(node)) return false;
    matmul_attributes *op = node->attributes;
    const tg_tensor a = batch_axes(node->inputs[A]), b = batch_axes(node->inputs[B]);
    if (!tg_broadcast(2, (const tg_tensor *[]){&a, &b}, &op->batch_ndim, op->batch_shape,
                      op->batch_strides))
        return fail_shapes(node, "the leading axes do not broadcast");
    int64_t shape[TG_MAX_DIMS];
    memcpy(shape, op->batch_shape, sizeof shape);
    shape[op->batch_ndim - 1] = op->m;
    shape[op->batch_ndim] = op->n;
    if (!tg_output(node, op->batch_ndim + 1, shape)) return false;
    /* From here on no product of sizes overflows. With a single b, all rows of a are one
     * product. */
    if (b.ndim == 1 && !op->transposed[A])
        for (int d = 0; d < op->batch_ndim; d++) {
            op->m *= op->batch_shape[d];
            op->batch_shape[d] = 1;
        }
    tg_contiguous_strides(op->batch_ndim, op->batch_shape, op->batch_strides[Y]);
    const int64_t sizes[] = {op->m * op->k, op->k * op->n, op->m * op->n};
    for (int d = 0; d < op->batch_ndim; d++)
        for (int i = A; i <= Y; i++) op->batch_strides[i][d] *= sizes[i];
    return true;
}

static double matmul_flops(const tg_node *node)
{
    const matmul_attributes *op = node->attributes;
    return 2.0 * (double)node->outputs[0]->size * (double)op->k;
}

/* ---- the forward and the backward pass ---- */

/* An operand: its size, and how the first matrix of its batch is read. */
typedef struct operand {
    int which;
    int64_t rows, columns;
    tg_matrix first;
} operand;

static operand input(const tg_node *node, int which)
{
    const matmul_attributes *op = node->attributes;
    const tg_tensor *x = node->inputs[which];
    tg_matrix first = {x->data, x->shape[x->ndim - 1], 1};
    if (op->transposed[which]) first = tg_matrix_transposed(first);
    return which == A ? (operand){A, op->m, op->k, first} : (operand){B, op->k, op->n, first};
}

static operand transposed(operand x)
{
    return (operand){x.which, x.columns, x.rows, tg_matrix_transposed(x.first)};
}

/* The operand's matrix at the place in the batch that the walk has reached. */
static tg_matrix matrix_at(operand x, const tg_rows *walk)
{
    return (tg_matrix){x.first.data + walk->offset[x.which], x.first.row, x.first.column};
}

/* left right for the whole batch. The result goes to `c`, laid out as operand `which`: it is added,
 * or, without `add`, written. */
static void multiply(tg_node *node, operand left, operand right, int which, tg_real *c, bool add)
{
    const matmul_attributes *op = node->attributes;
    tg_product p = {.m = left.rows, .n = right.columns, .k = left.columns, .c_row = right.columns};
    tg_real *workspace = tg_scratch(node,
                                    tg_gemm_workspace_size(p.n, p.k, left.first, right.first));
    if (!workspace) return;
    tg_rows walk = tg_rows_start(op->batch_ndim, op->batch_shape, 3, op->batch_strides);
    while (tg_rows_next(&walk)) {
        p.a = matrix_at(left, &walk);
        p.b = matrix_at(right, &walk);
        p.c = c + walk.offset[which];
        p.start = add ? p.c : NULL;
        TG_DISPATCH(tg_k_gemm, &p, workspace);
    }
}

static void matmul_forward(tg_node *node)
{
    multiply(node, input(node, A), input(node, B), Y, node->outputs[0]->data, false);
}

static bool is_broadcast(const matmul_attributes *op, int which)
{
    for (int d = 0; d < op->batch_ndim; d++)
        if (op->batch_shape[d] != 1 && op->batch_strides[which][d] == 0) return true;
    return false;
}

/* Where an operand's gradient goes. If the operand was broadcast, several products add up there. */
static tg_real *gradient(tg_node *node, int which, bool *add)
{
    if (!is_broadcast(node->attributes, which)) return tg_input_grad_target(node, which, add);
    *add = true;
    return tg_input_grad(node, which);
}

static void matmul_backward(tg_node *node)
{
    const matmul_attributes *op = node->attributes;
    const operand a = input(node, A), b = input(node, B),
                  dy = {Y, op->m, op->n, {node->outputs[0]->grad, op->n, 1}};
    bool add;
    tg_real *da = gradient(node, A, &add);
    if (da && !op->transposed[A]) multiply(node, dy, transposed(b), A, da, add); /* da = dy b^T */
    if (da && op->transposed[A]) multiply(node, b, transposed(dy), A, da, add);  /* da^T = b dy^T */
    tg_real *db = gradient(node, B, &add);
    if (db && !op->transposed[B]) multiply(node, transposed(a), dy, B, db, add); /* db = a^T dy */
    if (db && op->transposed[B]) multiply(node, transposed(dy), a, B, db, add);  /* db^T = dy^T a */
}

const tg_op tg_op_matmul = {.name = "matmul",
                            .attribute_size = sizeof(matmul_attributes),
                            .shape = matmul_shape,
                            .forward = matmul_forward,
                            .backward = matmul_backward,
                            .flops = matmul_flops};

tg_tensor *tg_matmul_transposed(tg_tape *tape, tg_tensor *a, tg_tensor *b, tg_transpose transpose)
{
    matmul_attributes op = {
        .transposed = {(transpose & TG_TRANSPOSE_A) != 0, (transpose & TG_TRANSPOSE_B) != 0}};
    return tg_apply(tape, &tg_op_matmul, &op, 2, (tg_tensor *[]){a, b}, NULL);
}

tg_tensor *tg_matmul(tg_tape *tape, tg_tensor *a, tg_tensor *b)
{
    return tg_matmul_transposed(tape, a, b, TG_TRANSPOSE_NONE);
}
