/* The layers' inner loops; see kernels.h. */
#include <math.h>
#include <string.h>

#include "kernels.h"

#include "../core/simd.h"

void TG_KERNEL(tg_k_lstm_gates)(int64_t hidden, tg_real *gates, const tg_real *bias,
                                const tg_real *c_prev, tg_real *c, tg_real *h)
{
    tg_real *i = gates, *f = i + hidden, *g = f + hidden, *o = g + hidden; /* z at first */
#pragma omp simd
    for (int64_t j = 0; j < hidden; j++) {
        i[j] = real_sigmoid(i[j] + bias[j]);
        f[j] = real_sigmoid(f[j] + bias[hidden + j]);
        g[j] = real_tanh(g[j] + bias[2 * hidden + j]);
        o[j] = real_sigmoid(o[j] + bias[3 * hidden + j]);
        c[j] = real_fma(f[j], c_prev[j], i[j] * g[j]);
        h[j] = o[j] * real_tanh(c[j]);
    }
}

/* h = o t with t = tanh(c), and c = f c_prev + i g. With dc_total = dc + dh o (1 - t^2), where dc
 * is what later steps gave:
 *
 *     do = dh t,   di = dc_total g,   df = dc_total c_prev,   dg = dc_total i
 *     dc_prev = dc_total f
 *     dz_i = di i (1 - i), and the same for f and o;   dz_g = dg (1 - g^2) */
void TG_KERNEL(tg_k_lstm_gates_backward)(int64_t hidden, tg_real *gates, const tg_real *c_prev,
                                         const tg_real *c, const tg_real *dh, tg_real *dc)
{
    tg_real *dz_i = gates, *dz_f = dz_i + hidden, *dz_g = dz_f + hidden, *dz_o = dz_g + hidden;
#pragma omp simd
    for (int64_t j = 0; j < hidden; j++) {
        tg_real i = dz_i[j], f = dz_f[j], g = dz_g[j], o = dz_o[j], t = real_tanh(c[j]);
        tg_real dc_total = real_fma(dh[j] * o, 1 - t * t, dc[j]);
        dz_i[j] = dc_total * g * i * (1 - i);
        dz_f[j] = dc_total * c_prev[j] * f * (1 - f);
        dz_g[j] = dc_total * i * (1 - g * g);
        dz_o[j] = dh[j] * t * o * (1 - o);
        dc[j] = dc_total * f;
    }
}

void TG_KERNEL(tg_k_online_softmax)(int64_t rows, int64_t n, int64_t stride, const tg_real *s,
                                    tg_real *p, tg_online_rows so_far)
{
    tg_real *y = so_far.y;
    for (int64_t i = 0; i < rows; i++, s += stride, p += stride, y += so_far.row) {
        const tg_real m_old = so_far.m[i], m_tile = TG_KERNEL(tg_k_max)(n, s);
        const tg_real m_new = m_tile < m_old ? m_old : m_tile; /* NaN, if there is one in s */
        if (m_new == -(tg_real)INFINITY) {
            memset(p, 0, (size_t)n * sizeof *p);
            continue;
        }
        const tg_real scale = m_new == m_old ? 1 : real_exp(m_old - m_new);
        TG_KERNEL(tg_k_exp_shifted)(n, s, m_new, 1, p);
        so_far.l[i] = so_far.l[i] * scale + TG_KERNEL(tg_k_sum)(n, p);
        so_far.m[i] = m_new;
        if (scale == 1) continue;
        for (int64_t j = 0; j < so_far.width; j++) y[j] *= scale;
    }
}

void TG_KERNEL(tg_k_softmax_from_stats)(int64_t rows, int64_t n, int64_t stride, const tg_real *s,
                                        const tg_real *softmax_stats, tg_real *p)
{
    for (int64_t i = 0; i < rows; i++) {
        const tg_real m = softmax_stats[2 * i], inverse_l = softmax_stats[2 * i + 1];
        TG_KERNEL(tg_k_exp_shifted)(n, s + i * stride, m, inverse_l, p + i * stride);
    }
}

/* Long rows are taken in pieces, so that their terms fit into an array of fixed size. A piece is
 * summed over lanes, as tg_k_dot does, and the pieces one after the other. */
enum { PIECE = 256 };

tg_real TG_KERNEL(tg_k_additive_score)(int64_t n, const tg_real *q, const tg_real *k,
                                       const tg_real *w)
{
    tg_real t[PIECE], sum = 0;
    for (int64_t at = 0; at < n; at += PIECE) {
        int64_t m = n - at < PIECE ? n - at : PIECE;
#pragma omp simd
        for (int64_t j = 0; j < m; j++) t[j] = real_tanh(q[at + j] + k[at + j]);
        sum += TG_KERNEL(tg_k_dot)(m, t, w + at);
    }
    return sum;
}

void TG_KERNEL(tg_k_additive_score_backward)(int64_t n, tg_real ds, const tg_real *q,
                                             const tg_real *k, const tg_real *w,
                                             tg_pair_grads grads)
{
    tg_real *dq = grads.dq, *dk = grads.dk, *dw = grads.dw;
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        tg_real t = real_tanh(q[j] + k[j]), slope = ds * w[j] * (1 - t * t);
        dq[j] += slope;
        dk[j] += slope;
        dw[j] += ds * t;
    }
}

tg_real TG_KERNEL(tg_k_distance)(int64_t n, const tg_real *q, const tg_real *k)
{
    tg_real d[PIECE], sum = 0;
    for (int64_t at = 0; at < n; at += PIECE) {
        int64_t m = n - at < PIECE ? n - at : PIECE;
        for (int64_t j = 0; j < m; j++) d[j] = q[at + j] - k[at + j];
        sum += TG_KERNEL(tg_k_dot)(m, d, d);
    }
    return (tg_real)sqrt((double)sum);
}

void TG_KERNEL(tg_k_distance_backward)(int64_t n, tg_real factor, const tg_real *q,
                                       const tg_real *k, tg_pair_grads grads)
{
    tg_real *dq = grads.dq, *dk = grads.dk;
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        tg_real d = factor * (q[j] - k[j]);
        dq[j] += d;
        dk[j] -= d;
    }
}
