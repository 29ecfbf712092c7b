/* Dropout as a layer; the operator is in core/op_elementwise.c. */
#include "dropout.h"

tg_tensor *tg_dropout_forward(tg_tape *tape, const tg_dropout_layer *layer, tg_tensor *x)
{
    return tg_dropout(tape, x, layer->p);
}
