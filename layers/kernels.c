/* The layers' inner loops; see kernels.h. */
#include "kernels.h"

#include "../core/simd.h"

void TG_KERNEL(tg_k_lstm_gates)(int64_t hidden, tg_real *gates, const tg_real *c_before, tg_real *c, tg_real *h)
{
    tg_real *restrict i = gates, *restrict f = i + hidden, *restrict g = f + hidden, *restrict o = g + hidden;
    tg_real *restrict c_now = c, *restrict h_now = h;
    const tg_real *restrict before = c_before;
    for (int64_t j = 0; j < hidden; j++) {
        i[j] = real_sigmoid(i[j]);
        f[j] = real_sigmoid(f[j]);
        g[j] = real_tanh(g[j]);
        o[j] = real_sigmoid(o[j]);
        c_now[j] = real_fma(f[j], before[j], i[j] * g[j]);
        h_now[j] = o[j] * real_tanh(c_now[j]);
    }
}

/* With t = tanh c:   do = dh t          dc = dc + dh o (1 - t^2)     di = dc g    dg = dc i    df = dc c_before
 * and on to the sums: dsum = d(gate) gate (1 - gate), for g  d(gate) (1 - g^2);   dc_before = dc f */
void TG_KERNEL(tg_k_lstm_gates_backward)(int64_t hidden, tg_real *gates, const tg_real *c_before, const tg_real *c,
                                         const tg_real *dh, tg_real *dc)
{
    tg_real *restrict i = gates, *restrict f = i + hidden, *restrict g = f + hidden, *restrict o = g + hidden;
    const tg_real *restrict before = c_before, *restrict c_now = c, *restrict dh_now = dh;
    tg_real *restrict dc_now = dc;
    for (int64_t j = 0; j < hidden; j++) {
        tg_real t = real_tanh(c_now[j]), in = i[j], forget = f[j], candidate = g[j], out = o[j];
        tg_real d = real_fma(dh_now[j] * out, 1 - t * t, dc_now[j]);
        i[j] = d * candidate * in * (1 - in);
        f[j] = d * before[j] * forget * (1 - forget);
        g[j] = d * in * (1 - candidate * candidate);
        o[j] = dh_now[j] * t * out * (1 - out);
        dc_now[j] = d * forget;
    }
}

void TG_KERNEL(tg_k_tanh_score_backward)(int64_t n, tg_real ds, const tg_real *v, tg_real *u)
{
    for (int64_t j = 0; j < n; j++) u[j] = ds * v[j] * (1 - u[j] * u[j]);
}
