/* The layers' inner loops; see kernels.h. */
#include "kernels.h"

#include "../core/simd.h"

void TG_KERNEL(tg_k_lstm_gates)(int64_t hidden, tg_real *gates, const tg_real *bias,
                                const tg_real *c_before, tg_real *c, tg_real *h)
{
    tg_real *i = gates, *f = i + hidden, *g = f + hidden, *o = g + hidden;
#pragma omp simd
    for (int64_t j = 0; j < hidden; j++) {
        i[j] = real_sigmoid(i[j] + bias[j]);
        f[j] = real_sigmoid(f[j] + bias[hidden + j]);
        g[j] = real_tanh(g[j] + bias[2 * hidden + j]);
        o[j] = real_sigmoid(o[j] + bias[3 * hidden + j]);
        c[j] = real_fma(f[j], c_before[j], i[j] * g[j]);
        h[j] = o[j] * real_tanh(c[j]);
    }
}

/* With t = tanh c:   do = dh t          dc = dc + dh o (1 - t^2)     di = dc g    dg = dc i    df = dc c_before
 * and on to the sums: dsum = d(gate) gate (1 - gate), for g  d(gate) (1 - g^2);   dc_before = dc f */
void TG_KERNEL(tg_k_lstm_gates_backward)(int64_t hidden, tg_real *gates, const tg_real *c_before,
                                         const tg_real *c, const tg_real *dh, tg_real *dc)
{
    tg_real *i = gates, *f = i + hidden, *g = f + hidden, *o = g + hidden;
#pragma omp simd
    for (int64_t j = 0; j < hidden; j++) {
        tg_real t = real_tanh(c[j]), in = i[j], forget = f[j], candidate = g[j], out = o[j];
        tg_real d = real_fma(dh[j] * out, 1 - t * t, dc[j]);
        i[j] = d * candidate * in * (1 - in);
        f[j] = d * c_before[j] * forget * (1 - forget);
        g[j] = d * in * (1 - candidate * candidate);
        o[j] = dh[j] * t * out * (1 - out);
        dc[j] = d * forget;
    }
}

void TG_KERNEL(tg_k_online_softmax)(int64_t rows, int64_t n, int64_t stride, const tg_real *s,
                                    tg_real *p, tg_real *m, tg_real *l, int64_t width,
                                    int64_t y_row, tg_real *y)
{
    for (int64_t i = 0; i < rows; i++, s += stride, p += stride, y += y_row) {
        const tg_real before = m[i], here = TG_KERNEL(tg_k_max)(n, s),
                      now = here < before ? before : here;
        if (now == -(tg_real)INFINITY) {
            memset(p, 0, (size_t)n * sizeof *p);
            continue;
        }
        const tg_real scale = now == before ? 1 : real_exp(before - now);
        TG_KERNEL(tg_k_exp_shifted)(n, s, now, 1, p);
        l[i] = l[i] * scale + TG_KERNEL(tg_k_sum)(n, p);
        m[i] = now;
        for (int64_t j = 0; scale != 1 && j < width; j++) y[j] *= scale;
    }
}

void TG_KERNEL(tg_k_softmax_from_stats)(int64_t rows, int64_t n, int64_t stride, const tg_real *s,
                                        const tg_real *kept, tg_real *p)
{
    for (int64_t i = 0; i < rows; i++)
        TG_KERNEL(tg_k_exp_shifted)
        (n, s + i * stride, kept[2 * i], kept[2 * i + 1], p + i * stride);
}

/* Rows in pieces, so that a kernel needs no memory of its own: sums over a piece run over lanes, and pieces add up. */
enum { PIECE = 256 };

tg_real TG_KERNEL(tg_k_additive_score)(int64_t n, const tg_real *q, const tg_real *k,
                                       const tg_real *v)
{
    tg_real t[PIECE], sum = 0;
    for (int64_t at = 0; at < n; at += PIECE) {
        int64_t m = n - at < PIECE ? n - at : PIECE;
#pragma omp simd
        for (int64_t j = 0; j < m; j++) t[j] = real_tanh(q[at + j] + k[at + j]);
        sum += TG_KERNEL(tg_k_dot)(m, t, v + at);
    }
    return sum;
}

void TG_KERNEL(tg_k_additive_score_backward)(int64_t n, tg_real ds, const tg_real *q,
                                             const tg_real *k, const tg_real *v, tg_real *dq,
                                             tg_real *dk, tg_real *dv)
{
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        tg_real t = real_tanh(q[j] + k[j]), du = ds * v[j] * (1 - t * t);
        dq[j] += du;
        dk[j] += du;
        dv[j] += ds * t;
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
                                       const tg_real *k, tg_real *dq, tg_real *dk)
{
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        tg_real d = factor * (q[j] - k[j]);
        dq[j] += d;
        dk[j] -= d;
    }
}
