/* The operator table: every operator of the library, in one list. The tests use it to refuse an
 * operator without a gradient check. Private. */
#ifndef TG_OPERATORS_H
#define TG_OPERATORS_H

#include "../core/op.h"

/* clang-format off */
#define TG_OPERATORS(X) \
    X(add) X(affine) X(attention) X(binary_cross_entropy_with_logits) X(concat) X(cross_entropy) \
    X(detach) X(div) X(dropout) X(exp) X(gather) X(gelu) X(l2_normalize) X(layer_norm) X(linear) \
    X(log) X(log_softmax) X(logsumexp) X(lstm) X(matmul) X(max) X(maximum) X(mean) X(mul) X(neg) \
    X(permute) X(plain_attention) X(relu) X(reshape) X(sigmoid) X(slice) X(softmax) X(sqrt) \
    X(square) X(sub) X(sum) X(tanh) X(where)
/* clang-format on */

#define TG_DECLARE_OPERATOR(name) extern const tg_op tg_op_##name;
TG_OPERATORS(TG_DECLARE_OPERATOR)

/* The operators, and their number. */
extern const tg_op *const tg_operators[];
extern const int tg_operator_count;

#endif
