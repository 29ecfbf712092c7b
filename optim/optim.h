/* What turns gradients into better parameters.
 *
 * A step works on every parameter that is not frozen and has a gradient, and uses the gradients up. A step when no
 * parameter has one (no backward pass since the last step) is an error, kept on the parameters. State such as Adam's
 * moments lives in the tg_params, by parameter, and is saved with it (TG_SAVE_STATE). Arithmetic is PyTorch's. */
#ifndef TG_OPTIM_H
#define TG_OPTIM_H

#include "../core/params.h"

TG_BEGIN_DECLS

/* Stochastic gradient descent: g += weight_decay p;  v = momentum v + g;  p -= lr v  (nesterov: p -= lr (g + momentum v)). */
typedef struct tg_sgd {
    double lr, momentum, weight_decay; /* momentum 0: v is g, and nothing is kept */
    bool nesterov;
} tg_sgd;

/* Takes a step. Of a sparse parameter (tg_params_set_sparse) the touched rows move. False, with
 * the error on `params` and no parameter moved, if there is no fresh gradient or no memory for
 * v, or if momentum or weight decay would reach a sparse parameter, whose other rows they would
 * have to move. */
TG_EXPORT bool tg_sgd_step(const tg_sgd *sgd, tg_params *params);

/* Adam (Kingma and Ba, 2015) and, with `decoupled`, AdamW (Loshchilov and Hutter, 2019). */
typedef struct tg_adam {
    double lr, beta1, beta2, eps, weight_decay; /* 0 <= beta < 1, eps > 0 */
    bool decoupled; /* AdamW: p -= lr weight_decay p, instead of g += weight_decay p */
} tg_adam;

/* Of a learning rate (1e-3 is usual) with betas 0.9 and 0.999, epsilon 1e-8 and no decay; tg_adamw_default is decoupled, with a
 * decay of 0.01. */
TG_EXPORT tg_adam tg_adam_default(double lr);
TG_EXPORT tg_adam tg_adamw_default(double lr);

/* Takes a step. Of a sparse parameter (tg_params_set_sparse) the touched rows and their moments
 * move, by the arithmetic of PyTorch's SparseAdam, with the parameter's count of steps:
 *     p -= lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps)
 * False, with the error on `params` and no parameter moved, if there is no fresh gradient or no
 * memory for the moments, or if weight decay would reach a sparse parameter, whose other rows it
 * would have to move: see tg_params_no_decay. */
TG_EXPORT bool tg_adam_step(const tg_adam *adam, tg_params *params);

/* The Euclidean norm of all gradients together; where it exceeds `limit` (0 or more), they are scaled down to it. A norm
 * that is not finite is an error that names the first parameter at fault, and so is that there is no fresh gradient.
 * Returns the norm before, or NaN after an error. */
TG_EXPORT double tg_clip_grad_norm(tg_params *params, double limit);

/* The Euclidean norm of one parameter's gradient; 0 where it has none, or is no parameter. It only reads. */
TG_EXPORT double tg_grad_norm(const tg_tensor *parameter);

/* The gradients that a step is going to use, piece by piece, to be read and changed between
 * tg_backward and the step: for who adds up those of several processes, or clips in a way of his
 * own.
 *
 *     for (tg_grad_piece g = {0}; tg_grad_next(params, &g);)
 *         for (int64_t k = 0; k < g.size; k++) g.grad[k] *= ..
 *
 * Of a sparse parameter they are the touched rows, in ascending order: processes of one model go
 * through the same pieces if each has touched the same rows (tg_params_touch_rows). */
typedef struct tg_grad_piece {
    tg_real *grad; /* [size] */
    int64_t size;
    int64_t parameter,
        at; /* where it stands: which of the parameters (tg_params_at), and from which of its numbers on */
} tg_grad_piece;

/* The next piece; false when there is none. Start with {0}. */
TG_EXPORT bool tg_grad_next(tg_params *params, tg_grad_piece *piece);

/* Learning rates for step 0, 1, ..: a linear rise over `warmup` steps to `peak`, then constant; or then half a cosine down
 * to `floor` at step `total` and after (Loshchilov and Hutter, 2017). Functions of their arguments alone. */
TG_EXPORT double tg_lr_warmup(double peak, int64_t step, int64_t warmup);
TG_EXPORT double tg_lr_cosine(double peak, double floor, int64_t step, int64_t warmup,
                              int64_t total);

TG_END_DECLS
#endif
