/* The layers' inner loops, compiled once an instruction set; see core/kernels.h. */
#ifndef TG_LAYERS_KERNELS_H
#define TG_LAYERS_KERNELS_H

#include "../core/kernels.h"

/* One row of one LSTM step. gates [4H] holds the sums of i, f, g, o without the bias [4H] and receives their activations;
 * c_before, c, h are [H]:
 *     i, f, o = sigmoid(..),  g = tanh(..),  c = f c_before + i g,  h = o tanh c */
TG_KERNEL_DECLARE(void, tg_k_lstm_gates, int64_t hidden, tg_real *gates, const tg_real *bias,
                  const tg_real *c_before, tg_real *c, tg_real *h);

/* Its derivative. gates holds the activations and receives dL/d(sums); dh is dL/dh; dc holds what later steps gave to dL/dc
 * and receives dL/dc_before. */
TG_KERNEL_DECLARE(void, tg_k_lstm_gates_backward, int64_t hidden, tg_real *gates,
                  const tg_real *c_before, const tg_real *c, const tg_real *dh, tg_real *dc);

/* Attention's online softmax over `rows` rows of n scores, each row `stride` numbers after the one before. Fold takes them
 * into what it has: m the largest, l = sum e^(s - m), and y [rows, width] in units of e^m; p = e^(s - m) with the new m,
 * all zeros where m is -infinity. Weights gives p = e^(s - kept[0]) kept[1], with two kept numbers a row. */
TG_KERNEL_DECLARE(void, tg_k_online_softmax, int64_t rows, int64_t n, int64_t stride,
                  const tg_real *s, tg_real *p, tg_real *m, tg_real *l, int64_t width,
                  int64_t y_row, tg_real *y);
TG_KERNEL_DECLARE(void, tg_k_softmax_from_stats, int64_t rows, int64_t n, int64_t stride,
                  const tg_real *s, const tg_real *kept, tg_real *p);

/* The additive score v . tanh(q + k) of a pair, and its derivative, added to dq, dk and dv. */
TG_KERNEL_DECLARE(tg_real, tg_k_additive_score, int64_t n, const tg_real *q, const tg_real *k,
                  const tg_real *v);
TG_KERNEL_DECLARE(void, tg_k_additive_score_backward, int64_t n, tg_real ds, const tg_real *q,
                  const tg_real *k, const tg_real *v, tg_real *dq, tg_real *dk, tg_real *dv);

/* |q - k|, and factor (q - k) added to dq and taken from dk. */
TG_KERNEL_DECLARE(tg_real, tg_k_distance, int64_t n, const tg_real *q, const tg_real *k);
TG_KERNEL_DECLARE(void, tg_k_distance_backward, int64_t n, tg_real factor, const tg_real *q,
                  const tg_real *k, tg_real *dq, tg_real *dk);

#endif
