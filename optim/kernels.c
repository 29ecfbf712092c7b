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

enum { PIECE = 64 };

/* A piece of a row on its way through the steps that it missed. */
typedef struct lanes {
    tg_real p[PIECE], m[PIECE], v[PIECE];
} lanes;

static inline void take_steps(lanes *x, int64_t steps, const tg_adam_constants *k)
{
    for (const tg_adam_constants *c = k; c < k + steps; c++) {
#pragma omp simd
        for (int i = 0; i < PIECE; i++) {
            x->m[i] += (0 - x->m[i]) * c->beta1_rest;
            x->v[i] = x->v[i] * c->beta2;
            x->p[i] = x->p[i] - c->weight_decay * x->p[i] -
                      c->step * (x->m[i] / (sqrt(x->v[i]) + c->epsilon));
        }
    }
}

/* Whatever a step subtracts is at most U = S |m| / (sqrt(v beta2) + e), where S is the largest of
 * the steps' factors and e the smallest of their epsilons: m shrinks by beta1 at each, and sqrt(v)
 * by sqrt(beta2) at most, which is less, until |m| is as small as a rounding: then it is below
 * 1e-37. If p + U and p - U both round to p, so does p less anything smaller. */
static inline bool is_settled(const lanes *x, const tg_adam_bounds *b, tg_real beta2)
{
    const tg_real least = beta2 * (tg_real)(1 - 1e-6),
                  rest = b->step * ((tg_real)1e-37 / b->epsilon);
    int moves = 0;
#pragma omp simd reduction(| : moves)
    for (int i = 0; i < PIECE; i++) {
        tg_real u = b->step * (fabs(x->m[i]) / (sqrt(x->v[i] * least) + b->epsilon));
        u = u > rest ? u : rest;
        moves |= (!(x->p[i] + u == x->p[i])) | (!(x->p[i] - u == x->p[i]));
    }
    return !moves;
}

/* The steps of a piece that has settled: p stays. Once m has come to where rounding holds it, v
 * alone goes on. */
static inline void idle(lanes *x, int64_t steps, const tg_adam_constants *k)
{
    const tg_real beta1_rest = k->beta1_rest, beta2 = k->beta2;
    int falls = 1;
    for (int64_t s = 0; s < steps; s++) {
        if (s % 64 == 0) {
            falls = 0;
            for (int i = 0; i < PIECE; i++)
                falls |= x->m[i] + (0 - x->m[i]) * beta1_rest != x->m[i];
        }
#pragma omp simd
        for (int i = 0; i < PIECE; i++) x->v[i] = x->v[i] * beta2;
        if (!falls) continue;
#pragma omp simd
        for (int i = 0; i < PIECE; i++) x->m[i] += (0 - x->m[i]) * beta1_rest;
    }
}

void TG_KERNEL(tg_k_adam_catch_up)(int64_t n, int64_t steps, const tg_adam_constants *k,
                                   const tg_adam_bounds *bounds, tg_real *p, tg_real *m, tg_real *v)
{
    enum { AT_ONCE = 16 }; /* steps, between questions whether it has settled */
    for (int64_t at = 0; at < n; at += PIECE) {
        lanes x = {{0}, {0}, {0}};
        const int64_t count = n - at < PIECE ? n - at : PIECE;
        int any = 0;
        for (int64_t i = 0; i < count; i++) {
            x.p[i] = p[at + i], x.m[i] = m[at + i], x.v[i] = v[at + i];
            any |= x.m[i] != 0 || x.v[i] != 0;
        }
        if (!any && bounds->alike) continue; /* never touched */
        for (int64_t done = 0; done < steps; done += AT_ONCE) {
            if (bounds->alike && steps - done > AT_ONCE && is_settled(&x, bounds, k->beta2)) {
                idle(&x, steps - done, k);
                break;
            }
            take_steps(&x, steps - done < AT_ONCE ? steps - done : AT_ONCE, k + done);
        }
        for (int64_t i = 0; i < count; i++)
            p[at + i] = x.p[i], m[at + i] = x.m[i], v[at + i] = x.v[i];
    }
}
