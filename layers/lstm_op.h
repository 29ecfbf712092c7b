/* The operator behind layers/lstm.c. */
#ifndef TG_LSTM_OP_H
#define TG_LSTM_OP_H

#include "lstm.h"

/* One layer: x [B, T, I] -> [B, T, directions * H]; states are [directions, B, H], the initial ones may be NULL. */
tg_tensor *tg_lstm_layer(tg_tape *tape, const tg_lstm_weights *weights, int directions, tg_tensor *x, tg_ints lengths,
                         const tg_lstm_state *initial, tg_lstm_state *final);

#endif
