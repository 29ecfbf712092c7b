/* What compute.h offers to operators, on top of the kernels. */
#include "compute.h"

#include "op.h"
#include "params_private.h"
#include "kernels.h"

/* ---- matrix products ---- */

void tg_node_matmul(tg_node *node, const tg_product *product)
{
    const tg_product *p = product;
    tg_real *workspace = tg_scratch(node, tg_gemm_workspace_size(p->n, p->k, p->a, p->b));
    if (workspace) TG_DISPATCH(tg_k_gemm, p, workspace);
}

void tg_node_linear(tg_node *node, int64_t m, tg_matrix x, const tg_tensor *weight,
                    const tg_tensor *bias, tg_real *c)
{
    const int64_t n = weight->shape[0], k = weight->shape[1];
    const tg_real *packed = tg_prepacked(weight);
    const tg_product product = {.m = m,
                                .n = n,
                                .k = k,
                                .a = x,
                                .b = packed ? tg_matrix_packed(packed)
                                            : (tg_matrix){weight->data, 1, k},
                                .start = bias ? bias->data : NULL,
                                .c = c,
                                .c_row = n};
    if (packed) tg_matmul_packed(&product);
    else tg_node_matmul(node, &product);
}

void tg_input_grad_matmul(tg_node *node, int input, int64_t m, int64_t n, int64_t k, tg_matrix a,
                          tg_matrix b)
{
    bool add;
    tg_real *grad = tg_input_grad_target(node, input, &add);
    if (!grad) return;
    const tg_product product = {m, n, k, a, b, add ? grad : NULL, grad, n};
    tg_node_matmul(node, &product);
}

tg_matrix tg_node_pack(tg_node *node, int64_t k, int64_t n, tg_matrix b)
{
    if (tg_gemm_in_place(n, b)) return b;
    tg_real *memory = tg_scratch(node, tg_gemm_pack_size(k, n));
    return memory ? tg_pack(k, n, b, memory) : (tg_matrix){NULL, 0, 0};
}

tg_matrix tg_prepacked_weight(const tg_tensor *weight)
{
    return tg_matrix_packed(tg_prepacked(weight));
}

tg_matrix tg_node_pack_weight(tg_node *node, const tg_tensor *weight)
{
    const tg_matrix packed = tg_prepacked_weight(weight);
    if (packed.data) return packed;
    const int64_t n = weight->shape[0], k = weight->shape[1];
    return tg_node_pack(node, k, n, (tg_matrix){weight->data, 1, k});
}

int64_t tg_pack_size(int64_t k, int64_t n) { return tg_gemm_pack_size(k, n); }

tg_matrix tg_pack(int64_t k, int64_t n, tg_matrix b, tg_real *memory)
{
    TG_DISPATCH(tg_k_gemm_pack, k, n, b, memory);
    return tg_matrix_packed(memory);
}

tg_matrix tg_pack_if_needed(int64_t k, int64_t n, tg_matrix b, tg_real *memory)
{
    return tg_gemm_in_place(n, b) ? b : tg_pack(k, n, b, memory);
}

tg_matrix tg_packed_or_in_place(int64_t n, tg_matrix b, const tg_real *packed)
{
    return tg_gemm_in_place(n, b) ? b : tg_matrix_packed(packed);
}

void tg_matmul_packed(const tg_product *product) { TG_DISPATCH(tg_k_gemm, product, NULL); }

/* ---- arrays ---- */

void tg_array_tanh(int64_t n, const tg_real *x, tg_real *y) { TG_DISPATCH(tg_k_tanh, n, x, y); }

void tg_array_sigmoid(int64_t n, const tg_real *x, tg_real *y)
{
    TG_DISPATCH(tg_k_sigmoid, n, x, y);
}

tg_real tg_array_dot(int64_t n, const tg_real *x, const tg_real *y)
{
    return TG_DISPATCH(tg_k_dot, n, x, y);
}

void tg_array_add(int64_t n, const tg_real *x, tg_real *y)
{
    TG_DISPATCH(tg_k_add_rows, 1, n, x, 0, y);
}

void tg_array_add_scaled(int64_t n, tg_real a, const tg_real *x, tg_real *y)
{
    TG_DISPATCH(tg_k_axpy, n, a, x, y);
}

void tg_array_add_rows(int64_t rows, int64_t n, const tg_real *x, tg_real *y)
{
    TG_DISPATCH(tg_k_add_rows, rows, n, x, n, y);
}

void tg_array_dropout_mask(int64_t n, tg_random random, double p, tg_real *mask)
{
    const uint32_t threshold = (uint32_t)(p * 0x1p32);
    TG_DISPATCH(tg_k_dropout_mask, n, random.key, random.counter, threshold, (tg_real)(1 / (1 - p)),
                mask);
}

void tg_array_softmax_backward(int64_t rows, int64_t n, int64_t stride, const tg_real *y,
                               const tg_real *sums, tg_real factor, tg_real *dy)
{
    TG_DISPATCH(tg_k_softmax_backward, rows, n, stride, y, sums, factor, dy);
}

int64_t tg_thread_count(int64_t work) { return tg_threads(work > TG_PARALLEL_WORK); }
