/* A gated recurrent unit: a layer as layers/README.md teaches it, on the public headers alone. */
#ifndef GRU_H
#define GRU_H

#include <tapegrad.h>

/* PyTorch's nn.GRU, one layer, one direction. The rows of the weights are the gates r, z, n. */
typedef struct gru {
    tg_tensor *weight_ih, *weight_hh; /* [3H, I], [3H, H] */
    tg_tensor *bias_ih, *bias_hh;     /* [3H] each */
} gru;

/* Registers "name.weight_ih_l0" and so on, from U(-1/sqrt(H), 1/sqrt(H)) as PyTorch starts them.
 * Returns false, with the error on `params`, if that fails. */
bool gru_init(gru *layer, tg_params *params, const char *name, int64_t input, int64_t hidden);

/* x [B, T, I], lengths [B] or tg_full_length() -> [B, T, H], starting from h_0 = 0; zeros past each
 * length. */
tg_tensor *gru_forward(tg_tape *tape, const gru *layer, tg_tensor *x, tg_ints lengths);

#endif
