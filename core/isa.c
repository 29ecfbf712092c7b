/* Which instruction set's kernels run. */
#include <stdatomic.h>
#include <stdlib.h>

#include "internal.h"
#include "kernels.h"

static const char *const level_names[] = {"baseline", "avx2", "avx512"};

static enum tg_isa_level best_level(void)
{
#ifdef TG_HAS_ISA_LEVELS
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    return avx2 && avx512 ? TG_ISA_AVX512 : avx2 ? TG_ISA_AVX2 : TG_ISA_BASELINE;
#else
    return TG_ISA_BASELINE;
#endif
}

enum tg_isa_level tg_isa_level(void)
{
    static atomic_int chosen; /* the level + 1; two threads that choose at once choose the same */
    int known = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (known) return (enum tg_isa_level)(known - 1);
    enum tg_isa_level level = best_level();
    const char *name = getenv("TG_ISA");
    for (int l = 0; name && l < (int)level; l++)
        if (strcmp(name, level_names[l]) == 0) level = (enum tg_isa_level)l;
    atomic_store_explicit(&chosen, (int)level + 1, memory_order_relaxed);
    return level;
}

const char *tg_isa(void) { return level_names[tg_isa_level()]; }

/* Any panel layout fills each column up to whole vectors, of at most 16 numbers. */
int64_t tg_gemm_pack_size(int64_t k, int64_t n) { return k * ((n + 15) / 16 * 16); }

int64_t tg_gemm_workspace_size(int64_t n, int64_t k, tg_matrix a, tg_matrix b)
{
    const int64_t of_a = tg_gemm_gathers(n, a) ? tg_threads(true) * tg_gather_size(n) : 0;
    return of_a + (tg_gemm_in_place(n, b) ? 0 : tg_gemm_pack_size(k, n));
}
