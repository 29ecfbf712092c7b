/* Fast loops for the passes of operators: matrix products and arrays. The library's own layers are
 * written with them. They use the best instruction set that the processor has. Their results have
 * the same bits on any number of threads. */
#ifndef TG_COMPUTE_H
#define TG_COMPUTE_H

#include "matrix.h"
#include "op.h"

TG_BEGIN_DECLS

/* ---- matrix products of an operator's pass; call these from one thread ---- */

/* Computes a product. B is packed on the way if that pays, in the node's scratch memory. A large
 * product is shared among threads. Sets the error if there is no memory; C is then unchanged. */
TG_EXPORT void tg_node_matmul(tg_node *node, const tg_product *product);

/* C [m, out] = X [m, in] W^T + bias, C contiguous, for a weight [out, in] and a bias [out] or NULL.
 * In inference mode (tg_params_set_inference) the weight of a parameter is packed only once. */
TG_EXPORT void tg_node_linear(tg_node *node, int64_t m, tg_matrix x, const tg_tensor *weight,
                              const tg_tensor *bias, tg_real *c);

/* dL/d(input) += A [m, k] B [k, n], if somebody wants that gradient; input has m n elements. */
TG_EXPORT void tg_input_grad_matmul(tg_node *node, int input, int64_t m, int64_t n, int64_t k,
                                    tg_matrix a, tg_matrix b);

/* Prepares a right operand [k, n] that several products will read, such as the recurrent weight of
 * all time steps. Packs it into the node's scratch memory, or returns it as it is if products can
 * read it in place. `data` of the result is NULL, with the error set, if there is no memory. */
TG_EXPORT tg_matrix tg_node_pack(tg_node *node, int64_t k, int64_t n, tg_matrix b);

/* The same for the transpose of a weight [out, in]: the operand [in, out]. In inference mode the
 * weight of a parameter is packed only once. */
TG_EXPORT tg_matrix tg_node_pack_weight(tg_node *node, const tg_tensor *weight);

/* The transpose of a parameter [out, in], packed, in inference mode; otherwise `data` is NULL. */
TG_EXPORT tg_matrix tg_prepacked_weight(const tg_tensor *weight);

/* ---- matrix products in the caller's memory; call these from any thread ---- */

/* The size, in numbers, of the memory that tg_pack needs for a matrix [k, n]. */
TG_EXPORT int64_t tg_pack_size(int64_t k, int64_t n);

/* Packs a right operand [k, n] into `memory` and returns it as an operand; it is good as long as
 * the memory. tg_pack_if_needed does nothing if products can read b in place, and returns b. */
TG_EXPORT tg_matrix tg_pack(int64_t k, int64_t n, tg_matrix b, tg_real *memory);
TG_EXPORT tg_matrix tg_pack_if_needed(int64_t k, int64_t n, tg_matrix b, tg_real *memory);

/* What tg_pack_if_needed returned for a b of n columns and this memory. */
TG_EXPORT tg_matrix tg_packed_or_in_place(int64_t n, tg_matrix b, const tg_real *packed);

/* Computes a product whose B comes from one of the functions above. */
TG_EXPORT void tg_matmul_packed(const tg_product *product);

/* ---- arrays of n numbers; call these from any thread ---- */
TG_EXPORT void tg_array_tanh(int64_t n, const tg_real *x, tg_real *y);         /* y may be x */
TG_EXPORT void tg_array_sigmoid(int64_t n, const tg_real *x, tg_real *y);      /* y may be x */
TG_EXPORT tg_real tg_array_dot(int64_t n, const tg_real *x, const tg_real *y); /* sum x_i y_i */
TG_EXPORT void tg_array_add(int64_t n, const tg_real *x, tg_real *y);          /* y += x */
TG_EXPORT void tg_array_add_scaled(int64_t n, tg_real a, const tg_real *x,
                                   tg_real *y); /* y += a x */

/* y [n] += the sum of the rows of x [rows, n]: the gradient of a bias. */
TG_EXPORT void tg_array_add_rows(int64_t rows, int64_t n, const tg_real *x, tg_real *y);

/* mask[i] = 0 with probability p, otherwise 1 / (1 - p), from word i of the stream where `random`
 * stands; 0 <= p < 1. The generator is not advanced. */
TG_EXPORT void tg_array_dropout_mask(int64_t n, tg_random random, double p, tg_real *mask);

/* The backward pass of a softmax y of `rows` rows of n numbers, `stride` apart: replaces dy by
 * factor y (dy - sums[row]), where sums[row] is sum_j y_j dy_j. */
TG_EXPORT void tg_array_softmax_backward(int64_t rows, int64_t n, int64_t stride, const tg_real *y,
                                         const tg_real *sums, tg_real factor, tg_real *dy);

/* How many threads a loop with this much work (operations on single numbers) should use: 1 if it is
 * small, or if the caller is inside a parallel region already. */
TG_EXPORT int64_t tg_thread_count(int64_t work);

TG_END_DECLS
#endif
