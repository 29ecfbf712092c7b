/* A convolution over time, as an example of a layer of your own. layers/README.md walks through
 * it. */
#ifndef CONV1D_H
#define CONV1D_H

#include <tapegrad.h>

typedef struct conv1d {
    tg_tensor *weight; /* [D, I, K], as in PyTorch's nn.Conv1d */
    tg_tensor *bias;   /* [D] */
} conv1d;

/* Registers "name.weight" and "name.bias"; K = size. False if that fails; the error is on
 * `params`. */
bool conv1d_init(conv1d *layer, tg_params *params, const char *name, int64_t input, int64_t output,
                 int64_t size);

/* relu of the convolution: x [B, T, I], lengths [B] or tg_full_length() -> [B, T, D]; zeros past
 * each length. */
tg_tensor *conv1d_forward(tg_tape *tape, const conv1d *layer, tg_tensor *x, tg_ints lengths);

#endif
