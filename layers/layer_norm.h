/* Layer normalisation over the last axis (Ba, Kiros and Hinton, 2016). */
#ifndef TG_LAYER_NORM_H
#define TG_LAYER_NORM_H

#include "../core/ops.h"
#include "../core/params.h"

TG_BEGIN_DECLS

/* The normalised numbers are multiplied by `weight`, then `bias` is added. */
typedef struct tg_layer_norm_layer {
    tg_tensor *weight; /* [H], starts as 1 */
    tg_tensor *bias;   /* [H], starts as 0 */
    double epsilon;    /* added to the variance, 1e-5 */
} tg_layer_norm_layer;

/* Registers "name.weight" and "name.bias" [width]. Returns false, with the error on `params`, on
 * failure. */
TG_EXPORT bool tg_layer_norm_init(tg_layer_norm_layer *layer, tg_params *params, const char *name,
                                  int64_t width);

/* x [.., H] -> [.., H]; see tg_layer_norm. */
TG_EXPORT tg_tensor *tg_layer_norm_forward(tg_tape *tape, const tg_layer_norm_layer *layer,
                                           tg_tensor *x);

TG_END_DECLS
#endif
