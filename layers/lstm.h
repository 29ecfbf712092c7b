/* Long short-term memory (Hochreiter and Schmidhuber, 1997; with forget gates: Gers, Schmidhuber and Cummins, 2000), over
 * whole sequences, in one or both directions, in several layers. Names, layouts and gate order (i, f, g, o) are those of
 * PyTorch's nn.LSTM with batch_first. */
#ifndef TG_LSTM_H
#define TG_LSTM_H

#include "../core/ops.h"
#include "../core/params.h"

TG_BEGIN_DECLS

enum { TG_LSTM_MAX_LAYERS = 8 };

/* Of one layer and direction; its input I is E, or directions * H above layer 0. */
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

/* Where a sequence stands. */
typedef struct tg_lstm_state {
    tg_tensor *h, *c; /* each [layers * directions, B, H], layer by layer, forward before reverse */
} tg_lstm_state;

/* Registers "name.weight_ih_l0", "name.weight_hh_l0", "name.bias_ih_l0", "name.bias_hh_l0", the same with "_reverse", and
 * with _l1 .. above. All start from U(-1/sqrt(H), 1/sqrt(H)), but the forget gate's bias is 1 (bias_ih 1, bias_hh 0), so
 * that a new model remembers (Jozefowicz, Zaremba and Sutskever, 2015). False, with the error on `params`, when that fails,
 * or for other numbers of layers than 1 .. TG_LSTM_MAX_LAYERS. */
TG_EXPORT bool tg_lstm_init(tg_lstm *layer, tg_params *params, const char *name, int64_t input,
                            int64_t hidden, int layers, bool bidirectional);

/* x [B, T, E], lengths [B] (any order, 0 .. T) or tg_full_length(): the top layer's output [B, T, directions * H], zeros
 * after each sequence's end. The reverse direction starts at each sequence's own last token. */
TG_EXPORT tg_tensor *tg_lstm_forward(tg_tape *tape, const tg_lstm *layer, tg_tensor *x,
                                     tg_ints lengths);

/* The same from an initial state (NULL, or NULL in it: zeros), and with the final state, tensors of the tape: each
 * sequence's own at its end, the initial one for a sequence of length 0. `final` may be NULL; after an error it holds
 * NULL. */
TG_EXPORT tg_tensor *tg_lstm_forward_state(tg_tape *tape, const tg_lstm *layer, tg_tensor *x,
                                           tg_ints lengths, const tg_lstm_state *initial,
                                           tg_lstm_state *final);

TG_END_DECLS
#endif
