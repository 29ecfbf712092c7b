/* A table of vectors, one for each id. */
#ifndef TG_EMBEDDING_H
#define TG_EMBEDDING_H

#include "../core/ops.h"
#include "../core/params.h"

TG_BEGIN_DECLS

/* A table of V rows, one for each id 0 .. V - 1. */
typedef struct tg_embedding {
    tg_tensor *weight; /* [V, E] */
    int32_t padding;   /* the id whose vector is zeros and takes no gradient, or -1 for none */
} tg_embedding;

/* Registers "name.weight" [count, width] from N(0, 1) as in PyTorch's nn.Embedding, the padding row
 * zeros. Returns false, with the error on `params`, on failure, or if `padding` is outside -1 ..
 * count - 1. */
TG_EXPORT bool tg_embedding_init(tg_embedding *layer, tg_params *params, const char *name,
                                 int64_t count, int64_t width, int32_t padding);

/* The same with a sparse weight (tg_params_set_sparse), as PyTorch's nn.Embedding(sparse=True): a
 * training step costs time in proportion to the rows that the batch reads, and tg_adam_step moves
 * only these rows, as PyTorch's SparseAdam does. */
TG_EXPORT bool tg_embedding_init_sparse(tg_embedding *layer, tg_params *params, const char *name,
                                        int64_t count, int64_t width, int32_t padding);

/* Copies a row-major matrix into the weight; the padding row becomes zeros. Returns false, with the
 * error on the weight's tg_params, if [count, width] is not the weight's shape. */
TG_EXPORT bool tg_embedding_load(tg_embedding *layer, const tg_real *matrix, int64_t count,
                                 int64_t width);

/* ids of up to five axes, each 0 .. V - 1 -> [ids.., E]. An id out of range is an error that names
 * its position. */
TG_EXPORT tg_tensor *tg_embedding_forward(tg_tape *tape, const tg_embedding *layer, tg_ints ids);

TG_END_DECLS
#endif
