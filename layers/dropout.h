/* Dropout as a layer. */
#ifndef TG_DROPOUT_H
#define TG_DROPOUT_H

#include "../core/ops.h"

TG_BEGIN_DECLS

/* It has no parameters and no init function: set p. */
typedef struct tg_dropout_layer {
    double p; /* the probability that a number becomes 0; 0 <= p < 1 */
} tg_dropout_layer;

/* x of any shape -> the same shape; see tg_dropout. */
TG_EXPORT tg_tensor *tg_dropout_forward(tg_tape *tape, const tg_dropout_layer *layer, tg_tensor *x);

TG_END_DECLS
#endif
