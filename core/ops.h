/* The operators.
 *
 * Each takes the tape first and returns a tensor that the tape owns, valid until tg_tape_reset.
 * After an error it returns NULL, and the tape has the error, with the operator and the shapes at
 * fault (tape.h). Every operator sets an error if an input is NULL, if shapes do not fit as
 * stated, or if there is no memory; further errors are stated. Inputs may be constants, variables,
 * parameters or results of other operators, and a tensor may be used any number of times. Every
 * operator has a derivative with respect to each of its tensors unless stated otherwise.
 *
 * If a result is NaN, so are the gradients that depend on it. */
#ifndef TG_OPS_H
#define TG_OPS_H

#include "tape.h"

TG_BEGIN_DECLS

/* ---- of two tensors, element by element ----
 * The shapes of a and b broadcast as in NumPy, and the result has the shape that they broadcast
 * to. */

/* a + b */
TG_EXPORT tg_tensor *tg_add(tg_tape *tape, tg_tensor *a, tg_tensor *b);
/* a - b */
TG_EXPORT tg_tensor *tg_sub(tg_tape *tape, tg_tensor *a, tg_tensor *b);
/* a b */
TG_EXPORT tg_tensor *tg_mul(tg_tape *tape, tg_tensor *a, tg_tensor *b);
/* a / b; infinity or NaN if b is 0, as in C */
TG_EXPORT tg_tensor *tg_div(tg_tape *tape, tg_tensor *a, tg_tensor *b);
/* max(a, b); NaN if either is NaN; if a = b, each gets half the gradient */
TG_EXPORT tg_tensor *tg_maximum(tg_tape *tape, tg_tensor *a, tg_tensor *b);

/* ---- of one tensor, element by element; the result has the shape of x ---- */

/* -x */
TG_EXPORT tg_tensor *tg_neg(tg_tape *tape, tg_tensor *x);
/* e^x */
TG_EXPORT tg_tensor *tg_exp(tg_tape *tape, tg_tensor *x);
/* ln x; -infinity at 0, NaN below 0; gradient dy / x everywhere */
TG_EXPORT tg_tensor *tg_log(tg_tape *tape, tg_tensor *x);
/* sqrt x; NaN below 0; gradient infinity at 0 (NaN if dy is 0) */
TG_EXPORT tg_tensor *tg_sqrt(tg_tape *tape, tg_tensor *x);
/* x^2 */
TG_EXPORT tg_tensor *tg_square(tg_tape *tape, tg_tensor *x);
/* (e^x - e^-x) / (e^x + e^-x) */
TG_EXPORT tg_tensor *tg_tanh(tg_tape *tape, tg_tensor *x);
/* 1 / (1 + e^-x) */
TG_EXPORT tg_tensor *tg_sigmoid(tg_tape *tape, tg_tensor *x);
/* max(x, 0); gradient 0 at 0 */
TG_EXPORT tg_tensor *tg_relu(tg_tape *tape, tg_tensor *x);
/* x Phi(x), with the normal distribution Phi (Hendrycks and Gimpel, 2016; not the tanh formula) */
TG_EXPORT tg_tensor *tg_gelu(tg_tape *tape, tg_tensor *x);
/* scale x + shift */
TG_EXPORT tg_tensor *tg_affine(tg_tape *tape, tg_tensor *x, double scale, double shift);

/* ---- reductions ----
 * Over any axes: TG_AXES(0, -1) names the first and the last, TG_ALL_AXES takes all. Axes count
 * from 0, or from the end with -1. With `keepdim` a reduced axis stays in the shape with size 1;
 * otherwise it is removed. So [2, 3, 4] over TG_AXES(1) gives [2, 4], or [2, 1, 4] with keepdim.
 *
 * Errors: an axis is out of range, or is named twice; tg_mean and tg_max of no elements. */

/* The axes to reduce. */
typedef struct tg_axes {
    int count; /* -1: all axes */
    int axis[TG_MAX_DIMS];
} tg_axes;

/* Axes by their numbers. */
#ifdef __cplusplus
#define TG_AXES(...) \
    (tg_axes{static_cast<int>(std::initializer_list<int>{__VA_ARGS__}.size()), {__VA_ARGS__}})
#define TG_ALL_AXES (tg_axes{-1, {0}})
#else
#define TG_AXES(...) ((tg_axes){(int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), {__VA_ARGS__}})
#define TG_ALL_AXES ((tg_axes){-1, {0}}) /* every axis: the result is a single number */
#endif

/* sum x; 0 for no elements */
TG_EXPORT tg_tensor *tg_sum(tg_tape *tape, tg_tensor *x, tg_axes axes, bool keepdim);
/* sum x / n for n elements */
TG_EXPORT tg_tensor *tg_mean(tg_tape *tape, tg_tensor *x, tg_axes axes, bool keepdim);
/* max x; NaN if any is NaN; equal maxima share the gradient evenly */
TG_EXPORT tg_tensor *tg_max(tg_tape *tape, tg_tensor *x, tg_axes axes, bool keepdim);
/* ln sum e^x, without overflow; -infinity for no elements */
TG_EXPORT tg_tensor *tg_logsumexp(tg_tape *tape, tg_tensor *x, tg_axes axes, bool keepdim);

/* ---- matrix product ---- */

/* a b: a [.., M, K] and b [.., K, N] give [.., M, N]; the leading axes broadcast. Each element is
 * the sum over ascending k. 0 if K is 0. */
TG_EXPORT tg_tensor *tg_matmul(tg_tape *tape, tg_tensor *a, tg_tensor *b);

/* The operands of a product that are stored transposed; combine with |. */
typedef enum tg_transpose {
    TG_TRANSPOSE_NONE = 0,
    TG_TRANSPOSE_A = 1,
    TG_TRANSPOSE_B = 2,
    TG_TRANSPOSE_BOTH = 3
} tg_transpose;

/* The same with a stored as [.., K, M] (TG_TRANSPOSE_A), b as [.., N, K] (TG_TRANSPOSE_B), or both.
 * Nothing is copied. */
TG_EXPORT tg_tensor *tg_matmul_transposed(tg_tape *tape, tg_tensor *a, tg_tensor *b,
                                          tg_transpose transpose);

/* ---- shapes ---- */

/* A view of x in another shape of the same size. One size may be -1: it is computed. */
TG_EXPORT tg_tensor *tg_reshape(tg_tape *tape, tg_tensor *x, int ndim, const int64_t *shape);

/* x with its axes reordered: axis i of the result is axis order.axis[i] of x. `order` names each
 * axis of x once: with TG_AXES(1, 0, 2), [2, 3, 4] becomes [3, 2, 4]. */
TG_EXPORT tg_tensor *tg_permute(tg_tape *tape, tg_tensor *x, tg_axes order);

/* Joins 1 to 64 tensors along an axis. Their other axes must be equal. */
TG_EXPORT tg_tensor *tg_concat(tg_tape *tape, int count, tg_tensor *const *tensors, int axis);

/* Joins 1 to 64 tensors of one shape along a new axis: 0 .. ndim, or from the end with -1. */
TG_EXPORT tg_tensor *tg_stack(tg_tape *tape, int count, tg_tensor *const *tensors, int axis);

/* Positions start .. stop - 1 of an axis. Negative positions count from the end of the axis. An
 * error unless 0 <= start <= stop <= size then. */
TG_EXPORT tg_tensor *tg_slice(tg_tape *tape, tg_tensor *x, int axis, int64_t start, int64_t stop);

/* Rows of a table: table [V, E] and ids of any shape give [ids.., E]. A row with the id `padding`
 * (-1 for none) is zeros and takes no gradient. An id outside 0 .. V - 1 is an error that names
 * its position. */
TG_EXPORT tg_tensor *tg_gather(tg_tape *tape, tg_tensor *table, tg_ints ids, int32_t padding);

/* ---- choice ---- */

/* a if the mask is true, otherwise b, element by element; all three broadcast. */
TG_EXPORT tg_tensor *tg_where(tg_tape *tape, tg_mask mask, tg_tensor *a, tg_tensor *b);

/* x if the mask is true, otherwise `value`; the mask broadcasts to the shape of x. */
TG_EXPORT tg_tensor *tg_where_scalar(tg_tape *tape, tg_mask mask, tg_tensor *x, double value);

/* x [B, T, ..] with zeros at the padding: the positions t >= lengths[b], whatever x holds there,
 * even NaN. A layer that handles sequences calls it before operators that take no lengths, such as
 * tg_matmul, because in a gradient 0 times NaN is NaN. lengths [B], each 0 .. T; anything else is
 * an error. With tg_full_length() the result is x itself. */
TG_EXPORT tg_tensor *tg_zero_padding(tg_tape *tape, tg_tensor *x, tg_ints lengths);

/* ---- softmax and its logarithm, over the last axis; the result has the shape of x ----
 * With `_lengths`, x is [B, .., T] and lengths [B], and the first lengths[b] positions of a row
 * take part. With `_masked` the positions take part at which a mask, broadcast to x, is true. A
 * position that is left out has softmax 0 and log-softmax -infinity, whatever x holds there, even
 * NaN, and takes no gradient. A row in which no position takes part is zeros in both.
 *
 * Errors: x has no axis, or with `_lengths` no batch axis; lengths are not [B] or one is outside 0
 * .. T; the mask does not broadcast to x. */

/* e^x_i / sum_j e^x_j, over the positions j that take part */
TG_EXPORT tg_tensor *tg_softmax(tg_tape *tape, tg_tensor *x);
TG_EXPORT tg_tensor *tg_softmax_lengths(tg_tape *tape, tg_tensor *x, tg_ints lengths);
TG_EXPORT tg_tensor *tg_softmax_masked(tg_tape *tape, tg_tensor *x, tg_mask mask);

/* x_i - ln sum_j e^x_j */
TG_EXPORT tg_tensor *tg_log_softmax(tg_tape *tape, tg_tensor *x);
TG_EXPORT tg_tensor *tg_log_softmax_lengths(tg_tape *tape, tg_tensor *x, tg_ints lengths);
TG_EXPORT tg_tensor *tg_log_softmax_masked(tg_tape *tape, tg_tensor *x, tg_mask mask);

/* ---- normalisation, dropout, detaching ---- */

/* (x - mean) / sqrt(variance + eps) weight + bias, with mean and variance (divided by H) over the
 * last axis (Ba, Kiros and Hinton, "Layer Normalization", 2016). x [.., H]; weight and bias [H], or
 * NULL for 1 and 0. An error if H is 0. */
TG_EXPORT tg_tensor *tg_layer_norm(tg_tape *tape, tg_tensor *x, tg_tensor *weight, tg_tensor *bias,
                                   double eps);

/* x / |x|, with the Euclidean norm over the last axis. If |x| is 0, so are result and gradient. An
 * error if x has no axis. */
TG_EXPORT tg_tensor *tg_l2_normalize(tg_tape *tape, tg_tensor *x);

/* In training mode each element is 0 with probability p, otherwise x / (1 - p) (Srivastava et al.,
 * 2014). Draws one word of the tape's generator for each element. In evaluation mode, or if p is 0,
 * the result is x itself. An error unless 0 <= p < 1. */
TG_EXPORT tg_tensor *tg_dropout(tg_tape *tape, tg_tensor *x, double p);

/* A view of x that takes no gradient: the backward pass stops here. */
TG_EXPORT tg_tensor *tg_detach(tg_tape *tape, tg_tensor *x);

/* ---- losses; the result is a single number ---- */

/* Cross-entropy, the mean of -ln softmax(logits)_label over the rows: logits [.., C], labels [..],
 * each 0 .. C - 1, or -1 for a row that does not count.
 *
 * Errors: the shapes differ; a label is out of range (the error names its position); no row
 * counts. */
TG_EXPORT tg_tensor *tg_cross_entropy(tg_tape *tape, tg_tensor *logits, tg_ints labels);

/* The same, as PyTorch's, with class weights and label smoothing. class_weights [C], or NULL for
 * 1: class c's part of a row's loss is multiplied by its weight, and the mean divides by the sum
 * of the labels' weights. The weights are copied. label_smoothing s mixes the label, 1 - s, with
 * the uniform distribution, s / C for each class.
 *
 * Further errors: a weight is negative or not finite, all labels have weight 0, or s is outside 0
 * .. 1. */
TG_EXPORT tg_tensor *tg_cross_entropy_weighted(tg_tape *tape, tg_tensor *logits, tg_ints labels,
                                               const tg_real *class_weights,
                                               double label_smoothing);

/* The mean of -t ln sigmoid(x) - (1 - t) ln(1 - sigmoid(x)) for logits x and targets t of one
 * shape, without overflow. The targets take no gradient.
 *
 * Errors: the shapes differ (there is no broadcasting) or are empty; a target is outside 0 .. 1 or
 * requires a gradient. */
TG_EXPORT tg_tensor *tg_binary_cross_entropy_with_logits(tg_tape *tape, tg_tensor *logits,
                                                         tg_tensor *targets);

/* The mean of (x - y)^2. An error if the shapes differ (there is no broadcasting) or are empty. */
TG_EXPORT tg_tensor *tg_mean_squared_error(tg_tape *tape, tg_tensor *x, tg_tensor *y);

TG_END_DECLS
#endif
