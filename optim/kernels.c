/* Adam's inner loop; see kernels.h and adam.c. */
#include <tgmath.h>

#include "kernels.h"

#include "../core/simd.h"

void TG_KERNEL(tg_k_adam)(int64_t n, const tg_adam_constants *k, const tg_real *g, tg_real *p,
                          tg_real *m, tg_real *v)
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
