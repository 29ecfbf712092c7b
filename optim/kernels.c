/* Adam's inner loop; see kernels.h and adam.c. */
#include <tgmath.h>

#include "kernels.h"

#include "../core/simd.h"

void TG_KERNEL(tg_k_adam)(int64_t n, const tg_adam_constants *k, const tg_real *g, tg_real *p, tg_real *m, tg_real *v)
{
    const tg_adam_constants c = *k;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        tg_real weight = p[i] - c.weight_decay * p[i], grad = g[i] + c.gradient_decay * p[i];
        m[i] += (grad - m[i]) * c.beta1_rest;
        v[i] = v[i] * c.beta2 + grad * grad * c.beta2_rest;
        p[i] = weight - c.step * (m[i] / (sqrt(v[i]) + c.epsilon));
    }
}

bool TG_KERNEL(tg_k_adam_settled)(int64_t n, tg_real step, tg_real epsilon, tg_real bound, const tg_real *p,
                                  const tg_real *m, const tg_real *v)
{
    int moves = 0;
#pragma omp simd reduction(| : moves)
    for (int64_t i = 0; i < n; i++) {
        tg_real least = v[i] * bound;
        least = least > (tg_real)1e-30 ? least : 0;
        tg_real most = step * (fabs(m[i]) / (sqrt(least) + epsilon));
        moves |= !(p[i] + most == p[i]) | !(p[i] - most == p[i]);
    }
    return !moves;
}

void TG_KERNEL(tg_k_adam_idle)(int64_t n, int64_t steps, const tg_adam_constants *k, tg_real *m, tg_real *v)
{
    const tg_adam_constants c = *k;
    int any = 0;
    for (int64_t i = 0; i < n; i++) any |= m[i] != 0 || v[i] != 0;
    for (int64_t s = 0; any && s < steps; s++) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            m[i] += (0 - m[i]) * c.beta1_rest;
            v[i] = v[i] * c.beta2;
        }
    }
}
