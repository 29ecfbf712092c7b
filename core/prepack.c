/* Weights in the order in which products read them, kept from one pass to the next while nobody
 * writes the parameters. */
#include "params_private.h"
#include "kernels.h"

void tg_params_set_inference(tg_params *params, bool held)
{
    if (!params) return;
    for (int64_t i = 0; i < params->count; i++) atomic_store(&params->entries[i]->packed, NULL);
    tg_arena_reset(&params->packed);
    params->inference = held;
}

/* Passes of several threads may be the first to want it: one packs, the others wait. */
static const tg_real *pack(tg_param_entry *entry)
{
    const tg_tensor *w = &entry->tensor;
    tg_params *params = w->params;
    while (atomic_flag_test_and_set(&params->packing)) {}
    if (!atomic_load(&entry->packed)) {
        tg_real *packed = tg_arena_alloc(&params->packed,
                                         tg_real_bytes(
                                             tg_gemm_pack_size(w->shape[1], w->shape[0])));
        if (packed)
            TG_DISPATCH(tg_k_gemm_pack, w->shape[1], w->shape[0],
                        (tg_matrix){w->data, 1, w->shape[1]}, packed);
        atomic_store(&entry->packed, packed);
    }
    atomic_flag_clear(&params->packing);
    return atomic_load(&entry->packed);
}

const tg_real *tg_prepacked(const tg_tensor *weight)
{
    if (!weight->params || !weight->params->inference || weight->ndim != 2) return NULL;
    tg_param_entry *entry = (tg_param_entry *)weight;
    const tg_real *packed = atomic_load(&entry->packed);
    return packed ? packed : pack(entry);
}
