/* y = x W^T + b. */
#ifndef TG_LINEAR_H
#define TG_LINEAR_H

#include "../core/ops.h"
#include "../core/params.h"

TG_BEGIN_DECLS

/* A struct of pointers into a tg_params, as every layer is: valid until tg_params_free, with
 * nothing to free. */
typedef struct tg_linear {
    tg_tensor *weight; /* [out, in] */
    tg_tensor *bias;   /* [out], or NULL */
} tg_linear;

/* Registers "name.weight" and "name.bias", both from U(-1/sqrt(in), 1/sqrt(in)) as in PyTorch's
 * nn.Linear. Returns false, with the error on `params`, on failure (see tg_param); so does the init
 * function of every layer. */
TG_EXPORT bool tg_linear_init(tg_linear *layer, tg_params *params, const char *name, int64_t in,
                              int64_t out);

/* The same without a bias: `bias` is NULL. */
TG_EXPORT bool tg_linear_init_no_bias(tg_linear *layer, tg_params *params, const char *name,
                                      int64_t in, int64_t out);

/* x [.., in] -> [.., out] */
TG_EXPORT tg_tensor *tg_linear_forward(tg_tape *tape, const tg_linear *layer, tg_tensor *x);

TG_END_DECLS
#endif
