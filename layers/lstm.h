/* Long short-term memory (Hochreiter and Schmidhuber, 1997; with forget gates: Gers, Schmidhuber
 * and Cummins, 2000), over whole sequences, in one or both directions, in several layers. Names,
 * layouts and gate order (i, f, g, o) are those of PyTorch's nn.LSTM with batch_first. */
#ifndef TG_LSTM_H
#define TG_LSTM_H

#include "../core/ops.h"
#include "../core/params.h"

TG_BEGIN_DECLS

enum { TG_LSTM_MAX_LAYERS = 8 };

/* The parameters of one layer and direction. The input width I is E in layer 0, and directions * H
 * above it. */
typedef struct tg_lstm_weights {
    tg_tensor *weight_ih, *weight_hh; /* [4H, I], [4H, H] */
    tg_tensor *bias_ih, *bias_hh;     /* [4H], [4H] */
} tg_lstm_weights;

/* All layers and directions. */
typedef struct tg_lstm {
    int layers;                                     /* 1 .. TG_LSTM_MAX_LAYERS */
    int directions;                                 /* 1 or 2 */
    int64_t input, hidden;                          /* E, H */
    tg_lstm_weights weights[TG_LSTM_MAX_LAYERS][2]; /* [layer][0 forward, 1 reverse] */
} tg_lstm;

/* The state between two steps. */
typedef struct tg_lstm_state {
    tg_tensor *h, *c; /* each [layers * directions, B, H]: layer by layer, forward before reverse */
} tg_lstm_state;

/* Registers "name.weight_ih_l0", "name.weight_hh_l0", "name.bias_ih_l0" and "name.bias_hh_l0";
 * for a second direction the same with "_reverse" appended; for the layers above with l1, l2 and
 * so on for l0. Parameters start from U(-1/sqrt(H), 1/sqrt(H)). The forget gate's biases are the
 * exception, bias_ih 1 and bias_hh 0: a new model remembers (Jozefowicz, Zaremba and Sutskever,
 * 2015). `layers` is 1 .. TG_LSTM_MAX_LAYERS. Returns false, with the error on `params`, on
 * failure. */
TG_EXPORT bool tg_lstm_init(tg_lstm *layer, tg_params *params, const char *name, int64_t input,
                            int64_t hidden, int layers, bool bidirectional);

/* x [B, T, E], lengths [B] (any order, each 0 .. T) or tg_full_length() -> the top layer's h [B, T,
 * directions * H], zeros past each length. The reverse direction starts at each sequence's own last
 * token. */
TG_EXPORT tg_tensor *tg_lstm_forward(tg_tape *tape, const tg_lstm *layer, tg_tensor *x,
                                     tg_ints lengths);

/* The same from an initial state, and with the final state. `initial`, or a tensor in it, may be
 * NULL, which stands for zeros. `final`, unless NULL, receives tensors of the tape: each sequence's
 * state after its last token, or its initial state if its length is 0; NULL after an error. */
TG_EXPORT tg_tensor *tg_lstm_forward_state(tg_tape *tape, const tg_lstm *layer, tg_tensor *x,
                                           tg_ints lengths, const tg_lstm_state *initial,
                                           tg_lstm_state *final);

TG_END_DECLS
#endif
