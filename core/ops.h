/* The operators. Every one takes the tape first and returns a tensor owned by it, good until tg_tape_reset; NULL after
 * an error, which is on the tape with the operator and the shapes at fault. Inputs may be constants, parameters or the
 * results of other operators. Each has a derivative unless its line says otherwise.
 *
 * Edges: the sum over nothing is 0, the maximum and the mean over nothing are errors, the logsumexp over nothing is
 * -infinity. relu has gradient 0 at 0; where two maxima tie, the gradient is shared evenly; sqrt's gradient at 0 and
 * log's outside their domain are what IEEE arithmetic gives (infinity or NaN). A result that is NaN has the gradient NaN,
 * where the gradient depends on it. A tensor may be the input of any number of operators, and several times of one. */
#ifndef TG_OPS_H
#define TG_OPS_H

#include "tape.h"

TG_BEGIN_DECLS

/* ---- element by element, shapes broadcast as in NumPy ---- */
TG_EXPORT tg_tensor *tg_add(tg_tape *tape, tg_tensor *a, tg_tensor *b); /* a + b */
TG_EXPORT tg_tensor *tg_sub(tg_tape *tape, tg_tensor *a, tg_tensor *b); /* a - b */
TG_EXPORT tg_tensor *tg_mul(tg_tape *tape, tg_tensor *a, tg_tensor *b); /* a b */
TG_EXPORT tg_tensor *tg_div(tg_tape *tape, tg_tensor *a, tg_tensor *b); /* a / b */
TG_EXPORT tg_tensor *tg_maximum(tg_tape *tape, tg_tensor *a,
                                tg_tensor *b); /* the larger; NaN if either is */

/* ---- element by element ---- */
TG_EXPORT tg_tensor *tg_neg(tg_tape *tape, tg_tensor *x);     /* -x */
TG_EXPORT tg_tensor *tg_exp(tg_tape *tape, tg_tensor *x);     /* e^x */
TG_EXPORT tg_tensor *tg_log(tg_tape *tape, tg_tensor *x);     /* the natural logarithm */
TG_EXPORT tg_tensor *tg_sqrt(tg_tape *tape, tg_tensor *x);    /* the square root */
TG_EXPORT tg_tensor *tg_square(tg_tape *tape, tg_tensor *x);  /* x^2 */
TG_EXPORT tg_tensor *tg_tanh(tg_tape *tape, tg_tensor *x);    /* (e^x - e^-x) / (e^x + e^-x) */
TG_EXPORT tg_tensor *tg_sigmoid(tg_tape *tape, tg_tensor *x); /* 1 / (1 + e^-x) */
TG_EXPORT tg_tensor *tg_relu(tg_tape *tape, tg_tensor *x);    /* the larger of x and 0 */
TG_EXPORT tg_tensor *tg_gelu(
    tg_tape *tape, tg_tensor *x); /* x Phi(x), the exact form of Hendrycks and Gimpel, 2016 */
TG_EXPORT tg_tensor *tg_affine(tg_tape *tape, tg_tensor *x, double scale,
                               double shift); /* scale x + shift */

/* ---- reductions ----
 * Axes are counted from 0, or from the end with -1; TG_AXES(0, -1) names two, TG_ALL_AXES takes all. With `keepdim` a reduced
 * axis stays with size 1, otherwise it falls out of the shape. Naming an axis twice, or one that is not there, is an
 * error. */

/* Which axes. */
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
#define TG_ALL_AXES ((tg_axes){-1, {0}}) /* every axis: one number is left */
#endif

TG_EXPORT tg_tensor *tg_sum(tg_tape *tape, tg_tensor *x, tg_axes axes,
                            bool keepdim); /* 0 over nothing */
TG_EXPORT tg_tensor *tg_mean(tg_tape *tape, tg_tensor *x, tg_axes axes,
                             bool keepdim); /* an error over nothing */
TG_EXPORT tg_tensor *tg_max(tg_tape *tape, tg_tensor *x, tg_axes axes,
                            bool keepdim); /* an error over nothing */
TG_EXPORT tg_tensor *tg_logsumexp(tg_tape *tape, tg_tensor *x, tg_axes axes,
                                  bool keepdim); /* ln sum e^x */

/* ---- matrix product ---- */
/* a [.., M, K] times b [.., K, N] gives [.., M, N]; the leading axes broadcast. An error where one has fewer than two axes
 * or the inner sizes differ. */
TG_EXPORT tg_tensor *tg_matmul(tg_tape *tape, tg_tensor *a, tg_tensor *b);
/* Which sides of a product are stored transposed; combine with |. */
typedef enum tg_transpose {
    TG_TRANSPOSE_NONE = 0,
    TG_TRANSPOSE_A = 1,
    TG_TRANSPOSE_B = 2,
    TG_TRANSPOSE_BOTH = 3
} tg_transpose;

/* The same with a stored as [.., K, M] (TG_TRANSPOSE_A), b as [.., N, K] (TG_TRANSPOSE_B), or both. No copy is made. */
TG_EXPORT tg_tensor *tg_matmul_transposed(tg_tape *tape, tg_tensor *a, tg_tensor *b,
                                          tg_transpose transpose);

/* ---- shapes ---- */
/* The same numbers in another shape of the same size, as a view; one size may be -1 and is worked out. */
TG_EXPORT tg_tensor *tg_reshape(tg_tape *tape, tg_tensor *x, int ndim, const int64_t *shape);
/* Axis i of the result is axis order.axis[i] of x. `order` names each axis of x once: TG_AXES(1, 0, 2). */
TG_EXPORT tg_tensor *tg_permute(tg_tape *tape, tg_tensor *x, tg_axes order);
/* Joins tensors that agree on all other axes along an axis that they have; `count` from 1 to 64. */
TG_EXPORT tg_tensor *tg_concat(tg_tape *tape, int count, tg_tensor *const *tensors, int axis);
/* Joins tensors of one shape along a new axis, 0 .. ndim, or from the end with -1; `count` from 1 to 64. */
TG_EXPORT tg_tensor *tg_stack(tg_tape *tape, int count, tg_tensor *const *tensors, int axis);
/* Positions start .. stop - 1 of an axis; negative positions count from the end, 0 <= start <= stop <= size after that. */
TG_EXPORT tg_tensor *tg_slice(tg_tape *tape, tg_tensor *x, int axis, int64_t start, int64_t stop);
/* Rows of a table: table [V, E], ids of any shape, each 0 .. V - 1, result [ids.., E]. Rows with the id `padding` (-1:
 * none) come out as zeros and take no gradient. An id out of range is an error that names its place. */
TG_EXPORT tg_tensor *tg_gather(tg_tape *tape, tg_tensor *table, tg_ints ids, int32_t padding);

/* ---- choice ---- */
/* a where the mask is true, b elsewhere; all three broadcast. */
TG_EXPORT tg_tensor *tg_where(tg_tape *tape, tg_mask mask, tg_tensor *a, tg_tensor *b);
/* x where the mask is true, `value` elsewhere; the mask broadcasts to x. */
TG_EXPORT tg_tensor *tg_where_scalar(tg_tape *tape, tg_mask mask, tg_tensor *x, double value);
/* x [B, T, ..] with zeros past each length, whatever stands there: what a layer composed of operators that know no lengths,
 * such as Linear, does first, for in a gradient 0 times NaN is NaN. lengths [B], each 0 .. T; with tg_full_length() it is x
 * itself. */
TG_EXPORT tg_tensor *tg_zero_padding(tg_tape *tape, tg_tensor *x, tg_ints lengths);

/* ---- normalised exponentials, over the last axis ----
 * _lengths: x [B, .., T], lengths [B]: of each row the first lengths[b] positions take part. _masked: a mask that
 * broadcasts to x. Positions left out have the softmax 0 and the log-softmax -infinity, whatever x holds there, NaN
 * included, and take no gradient; a row in which nothing takes part is zeros in both. A single number without an axis is an
 * error. */

/* e^x_i / sum_j e^x_j, of the positions that take part; of the shape of x. */
TG_EXPORT tg_tensor *tg_softmax(tg_tape *tape, tg_tensor *x);
TG_EXPORT tg_tensor *tg_softmax_lengths(tg_tape *tape, tg_tensor *x, tg_ints lengths);
TG_EXPORT tg_tensor *tg_softmax_masked(tg_tape *tape, tg_tensor *x, tg_mask mask);

/* Its logarithm, x_i - ln sum_j e^x_j; of the shape of x. */
TG_EXPORT tg_tensor *tg_log_softmax(tg_tape *tape, tg_tensor *x);
TG_EXPORT tg_tensor *tg_log_softmax_lengths(tg_tape *tape, tg_tensor *x, tg_ints lengths);
TG_EXPORT tg_tensor *tg_log_softmax_masked(tg_tape *tape, tg_tensor *x, tg_mask mask);

/* ---- what else layers are made of ---- */
/* (x - mean) / sqrt(variance + epsilon) * weight + bias over the last axis, the variance over its size (Ba, Kiros and
 * Hinton, "Layer Normalization", 2016). x [.., H], weight and bias [H], or NULL for 1 and 0. */
TG_EXPORT tg_tensor *tg_layer_norm(tg_tape *tape, tg_tensor *x, tg_tensor *weight, tg_tensor *bias,
                                   double epsilon);

/* x / |x| over the last axis; zero, with zero gradient, where x is zero. */
TG_EXPORT tg_tensor *tg_l2_normalize(tg_tape *tape, tg_tensor *x);

/* In training each element is 0 with probability p, otherwise x / (1 - p) (Srivastava et al., 2014); in evaluation x
 * itself. 0 <= p < 1. Draws one word of the tape's generator an element. */
TG_EXPORT tg_tensor *tg_dropout(tg_tape *tape, tg_tensor *x, double p);

/* x as a constant, a view of the same numbers: no gradient goes back through it. */
TG_EXPORT tg_tensor *tg_detach(tg_tape *tape, tg_tensor *x);

/* ---- losses: one number, the mean ---- */
/* Cross-entropy of logits [.., C] and labels [..], each 0 .. C - 1, or -1 for a position that does not count. As in
 * PyTorch, `class_weights` ([C], each 0 or more; may be NULL) weighs each row and the mean divides by the weights' sum;
 * `label_smoothing` (0 <= s <= 1) mixes the label with the uniform distribution. No row that counts is an error. */
TG_EXPORT tg_tensor *tg_cross_entropy(tg_tape *tape, tg_tensor *logits, tg_ints labels);
TG_EXPORT tg_tensor *tg_cross_entropy_weighted(tg_tape *tape, tg_tensor *logits, tg_ints labels,
                                               const tg_real *class_weights,
                                               double label_smoothing);
/* Of logits and targets of one shape; a target outside 0 .. 1 is an error, and none takes a gradient. */
TG_EXPORT tg_tensor *tg_binary_cross_entropy_with_logits(tg_tape *tape, tg_tensor *logits,
                                                         tg_tensor *targets);
/* mean (x - y)^2; shapes are equal. */
TG_EXPORT tg_tensor *tg_mean_squared_error(tg_tape *tape, tg_tensor *x, tg_tensor *y);

TG_END_DECLS
#endif
