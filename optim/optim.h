/* Optimizers, gradient clipping and learning rates. The arithmetic is PyTorch's.
 *
 * A step changes every parameter that is not frozen and has a gradient, and clears those
 * gradients. A step without any gradient (no backward pass since the last step) is an error.
 * Errors are sticky and belong to the tg_params. Optimizer state, such as Adam's moments, is part
 * of the tg_params and is saved with it (TG_SAVE_STATE). */
#ifndef TG_OPTIM_H
#define TG_OPTIM_H

#include "../core/params.h"

TG_BEGIN_DECLS

/* Stochastic gradient descent:
 *
 *     g += weight_decay p
 *     v = momentum v + g      (v = g at the first step)
 *     p -= lr v,  or, with Nesterov's momentum, p -= lr (g + momentum v)
 */
typedef struct tg_sgd {
    double lr, momentum, weight_decay; /* with momentum 0, v is g and takes no memory */
    bool nesterov;
} tg_sgd;

/* Takes a step. Only the touched rows of a sparse parameter (tg_params_set_sparse) move. False,
 * with the error on `params` and no parameter moved, if there is no fresh gradient or no memory for
 * v, or if momentum or weight decay applies to a sparse parameter: they would move all rows. */
TG_EXPORT bool tg_sgd_step(const tg_sgd *sgd, tg_params *params);

/* Adam (Kingma and Ba, 2015) and, with `decoupled`, AdamW (Loshchilov and Hutter, 2019). */
typedef struct tg_adam {
    double lr, beta1, beta2, eps, weight_decay; /* 0 <= beta < 1, eps > 0 */
    double sparse_lr; /* the learning rate of sparse parameters; 0 for lr */
    bool decoupled;   /* AdamW: p -= lr weight_decay p, instead of g += weight_decay p */
} tg_adam;

/* Adam with the given learning rate (1e-3 is usual), beta1 0.9, beta2 0.999, eps 1e-8 and no weight
 * decay; and AdamW with the same, and a weight decay of 0.01. */
TG_EXPORT tg_adam tg_adam_default(double lr);
TG_EXPORT tg_adam tg_adamw_default(double lr);

/* Takes a step. Only the touched rows of a sparse parameter (tg_params_set_sparse) and of their
 * moments change, as in PyTorch's SparseAdam; t counts the parameter's steps:
 *
 *     p -= lr sqrt(1 - beta2^t) / (1 - beta1^t)  m / (sqrt(v) + eps)
 *
 * False, with the error on `params` and no parameter moved, if there is no fresh gradient, if there
 * is no memory for the moments, or if weight decay applies to a sparse parameter (it would move all
 * rows; see tg_params_no_decay). */
TG_EXPORT bool tg_adam_step(const tg_adam *adam, tg_params *params);

/* Gradient clipping: if the gradient norm, the Euclidean norm of all gradients together, is larger
 * than `limit` (0 or more), the gradients are scaled down to it. Returns the gradient norm before
 * clipping. Returns NaN and sets an error if there is no fresh gradient, if `limit` is negative or
 * NaN, or if a gradient is not finite; the error names its parameter. */
TG_EXPORT double tg_clip_grad_norm(tg_params *params, double limit);

/* The Euclidean norm of one parameter's gradient; 0 if it has none, or if it is not a parameter. */
TG_EXPORT double tg_grad_norm(const tg_tensor *parameter);

/* The gradients that the next step will use, piece by piece. Programs may read and change them
 * between tg_backward and the step, for example to add up those of several processes.
 *
 *     for (tg_grad_piece g = {0}; tg_grad_next(params, &g);)
 *         for (int64_t k = 0; k < g.size; k++) g.grad[k] *= ..
 *
 * For a sparse parameter they are the touched rows, in ascending order. Processes of one model go
 * through the same pieces if all of them touch the same rows (tg_params_touch_rows). */
typedef struct tg_grad_piece {
    tg_real *grad; /* [size] */
    int64_t size;
    int64_t parameter, at; /* the parameter's index (tg_params_at), and the piece's first element */
} tg_grad_piece;

/* Moves on to the next piece, or, from {0}, to the first. False if there is none. */
TG_EXPORT bool tg_grad_next(tg_params *params, tg_grad_piece *piece);

/* Learning rates for the steps 0, 1, .. Both rise linearly to `peak` over `warmup` steps. Then
 * tg_lr_warmup is constant. tg_lr_cosine falls along half a cosine to `floor`, which it has from
 * step `total` on (Loshchilov and Hutter, 2017). */
TG_EXPORT double tg_lr_warmup(double peak, int64_t step, int64_t warmup);
TG_EXPORT double tg_lr_cosine(double peak, double floor, int64_t step, int64_t warmup,
                              int64_t total);

TG_END_DECLS
#endif
