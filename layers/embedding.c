/* The embedding: a gather from a table of parameters. */
#include "embedding.h"

#include "../core/shape.h"

#include <string.h>

static void clear_padding(const tg_embedding *layer)
{
    tg_tensor *w = layer->weight;
    if (layer->padding >= 0)
        memset(w->data + layer->padding * w->shape[1], 0, (size_t)w->shape[1] * sizeof *w->data);
}

bool tg_embedding_init(tg_embedding *layer, tg_params *params, const char *name, int64_t count,
                       int64_t width, int32_t padding)
{
    *layer = (tg_embedding){.padding = padding};
    if (params && (padding < -1 || padding >= count))
        return tg_params_fail(params, "embedding %s: padding %d is outside -1 .. %lld", name,
                              padding, (long long)count - 1);
    layer->weight = tg_param(params, name, "weight", TG_SHAPE(count, width), tg_init_normal(1));
    if (!layer->weight) return false;
    if (!tg_params_is_loading(params)) clear_padding(layer);
    return true;
}

bool tg_embedding_init_sparse(tg_embedding *layer, tg_params *params, const char *name,
                              int64_t count, int64_t width, int32_t padding)
{
    return tg_embedding_init(layer, params, name, count, width, padding) &&
           tg_params_set_sparse(layer->weight);
}

bool tg_embedding_load(tg_embedding *layer, const tg_real *matrix, int64_t count, int64_t width)
{
    tg_tensor *w = layer->weight;
    if (!w) return false;
    if (!tg_has_shape(w, TG_SHAPE(count, width)))
        return tg_params_fail(w->params, "%s is %s, but the matrix to load is %s", w->name,
                              tg_shape_str(2, w->shape).text,
                              tg_shape_str(TG_SHAPE(count, width)).text);
    if (w->size) memcpy(w->data, matrix, (size_t)w->size * sizeof *matrix);
    clear_padding(layer);
    return true;
}

tg_tensor *tg_embedding_forward(tg_tape *tape, const tg_embedding *layer, tg_ints ids)
{
    return tg_gather(tape, layer->weight, ids, layer->padding);
}
