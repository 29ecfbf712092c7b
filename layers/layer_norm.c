/* Layer normalisation as a layer; the operator and its derivation are in core/op_norm.c. */
#include "layer_norm.h"

bool tg_layer_norm_init(tg_layer_norm_layer *layer, tg_params *params, const char *name,
                        int64_t width)
{
    *layer = (tg_layer_norm_layer){.epsilon = 1e-5};
    layer->weight = tg_param(params, name, "weight", TG_SHAPE(width), tg_init_constant(1));
    layer->bias = tg_param(params, name, "bias", TG_SHAPE(width), tg_init_constant(0));
    return layer->weight && layer->bias;
}

tg_tensor *tg_layer_norm_forward(tg_tape *tape, const tg_layer_norm_layer *layer, tg_tensor *x)
{
    return tg_layer_norm(tape, x, layer->weight, layer->bias, layer->epsilon);
}
