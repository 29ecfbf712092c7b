/* y = x W^T + b. */
#ifndef TG_LINEAR_H
#define TG_LINEAR_H

#include "../core/ops.h"
#include "../core/params.h"

TG_BEGIN_DECLS

/* Good as long as its tg_params, as every layer is. */
typedef struct tg_linear {
    tg_tensor *weight; /* [out, in] */
    tg_tensor *bias;   /* [out], or NULL */
} tg_linear;

/* Registers "name.weight" and "name.bias", both from U(-1/sqrt(in), 1/sqrt(in)) as PyTorch's nn.Linear starts them. False,
 * with the error on `params`, when that fails (see tg_param), as of every layer's init. */
TG_EXPORT bool tg_linear_init(tg_linear *layer, tg_params *params, const char *name, int64_t in,
                              int64_t out);

/* The same without "name.bias", which is NULL. */
TG_EXPORT bool tg_linear_init_no_bias(tg_linear *layer, tg_params *params, const char *name,
                                      int64_t in, int64_t out);

/* x [.., in] -> [.., out] */
TG_EXPORT tg_tensor *tg_linear_forward(tg_tape *tape, const tg_linear *layer, tg_tensor *x);

TG_END_DECLS
#endif
