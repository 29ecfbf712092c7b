/* The choice of the instruction set whose kernels run. */
#include <string.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "kernels.h"

static const char *const level_names[] = {"baseline", "avx2", "avx512"};

static enum tg_isa_level best_level(void)
{
#ifdef TG_HAS_ISA_LEVELS
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return TG_ISA_BASELINE;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        return TG_ISA_AVX512;
    return TG_ISA_AVX2;
#else
    return TG_ISA_BASELINE;
#endif
}

static enum tg_isa_level choose_level(void)
{
    const enum tg_isa_level best = best_level();
    const char *name = getenv("TG_ISA");
    if (!name) return best;
    for (int level = 0; level < (int)best; level++)
        if (strcmp(name, level_names[level]) == 0) return (enum tg_isa_level)level;
    return best;
}

enum tg_isa_level tg_isa_level(void)
{
    static atomic_int chosen; /* the level + 1; two threads that choose at once choose the same */
    int level = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (level == 0) {
        level = (int)choose_level() + 1;
        atomic_store_explicit(&chosen, level, memory_order_relaxed);
    }
    return (enum tg_isa_level)(level - 1);
}

const char *tg_isa(void) { return level_names[tg_isa_level()]; }
