/* The layers' inner loops, compiled once for each instruction set; see core/kernels.h. */
#ifndef TG_LAYERS_KERNELS_H
#define TG_LAYERS_KERNELS_H

#include "../core/kernels.h"

/* One row of one LSTM step. gates [4H] holds x W_ih^T + h_prev W_hh^T, to which the bias [4H] is
 * added:
 *
 *     z = gates + bias, in four parts of H
 *     i = sigmoid(z_i),  f = sigmoid(z_f),  g = tanh(z_g),  o = sigmoid(z_o)
 *     c = f c_prev + i g,  h = o tanh(c)
 *
 * i, f, g, o are written to gates; c_prev, c, h are [H]. */
TG_KERNEL_DECLARE(void, tg_k_lstm_gates, int64_t hidden, tg_real *gates, const tg_real *bias,
                  const tg_real *c_prev, tg_real *c, tg_real *h);

/* Its derivative. gates holds i, f, g, o and receives dz; dh is dL/dh; dc holds the part of dL/dc
 * that comes from later steps, and receives dL/dc_prev. */
TG_KERNEL_DECLARE(void, tg_k_lstm_gates_backward, int64_t hidden, tg_real *gates,
                  const tg_real *c_prev, const tg_real *c, const tg_real *dh, tg_real *dc);

/* What some queries of attention have computed from the keys so far. */
typedef struct tg_online_rows {
    tg_real *m, *l; /* [rows] the largest score, -infinity at first; sum of e^(s - m), 0 at first */
    tg_real *y;     /* [rows, width] sum of e^(s - m) v */
    int64_t width, row; /* numbers in a row of y; from the start of one row to the next */
} tg_online_rows;

/* One step of an online softmax over n more scores of each row; rows of s and p are `stride`
 * numbers apart. m grows to the largest score of all, l and y are converted to the new m, p = e^(s
 * - m), and l gains the sum of p. (The caller adds p v to y.) A row whose m is still -infinity gets
 * p = 0. */
TG_KERNEL_DECLARE(void, tg_k_online_softmax, int64_t rows, int64_t n, int64_t stride,
                  const tg_real *s, tg_real *p, tg_online_rows so_far);

/* p = e^(s - m) / l again, from the two numbers m and 1 / l of each row. */
TG_KERNEL_DECLARE(void, tg_k_softmax_from_stats, int64_t rows, int64_t n, int64_t stride,
                  const tg_real *s, const tg_real *softmax_stats, tg_real *p);

/* Where the gradients of a pair of a query and a key are added: [n] each. */
typedef struct tg_pair_grads {
    tg_real *dq, *dk, *dw;
} tg_pair_grads;

/* The additive score w . tanh(q + k) of a pair; and ds times its derivatives, added to dq, dk and
 * dw. */
TG_KERNEL_DECLARE(tg_real, tg_k_additive_score, int64_t n, const tg_real *q, const tg_real *k,
                  const tg_real *w);
TG_KERNEL_DECLARE(void, tg_k_additive_score_backward, int64_t n, tg_real ds, const tg_real *q,
                  const tg_real *k, const tg_real *w, tg_pair_grads grads);

/* The distance |q - k| of a pair; and factor (q - k), added to dq and subtracted from dk. */
TG_KERNEL_DECLARE(tg_real, tg_k_distance, int64_t n, const tg_real *q, const tg_real *k);
TG_KERNEL_DECLARE(void, tg_k_distance_backward, int64_t n, tg_real factor, const tg_real *q,
                  const tg_real *k, tg_pair_grads grads);

#endif
