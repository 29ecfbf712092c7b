/* A vector for each id. */
#ifndef TG_EMBEDDING_H
#define TG_EMBEDDING_H

#include "../core/ops.h"
#include "../core/params.h"

TG_BEGIN_DECLS

/* A table, a row for each id. */
typedef struct tg_embedding {
    tg_tensor *weight; /* [V, E] */
    int32_t
        padding; /* the id whose vector is zero, whatever its row holds, and takes no gradient; -1: none */
} tg_embedding;

/* Registers "name.weight" [count, width] from N(0, 1), as PyTorch's nn.Embedding starts it, the padding row zero. An
 * error where `padding` is outside -1 .. count - 1. */
TG_EXPORT bool tg_embedding_init(tg_embedding *layer, tg_params *params, const char *name,
                                 int64_t count, int64_t width, int32_t padding);

/* The same with a sparse weight (tg_params_set_sparse): a training step costs what the batch
 * touches, however large the table is, and tg_adam_step moves the touched rows alone, as
 * PyTorch's SparseAdam does. Also false if there is no memory for the gradient, which is taken
 * at once. */
TG_EXPORT bool tg_embedding_init_sparse(tg_embedding *layer, tg_params *params, const char *name,
                                        int64_t count, int64_t width, int32_t padding);

/* Copies a matrix [count, width], the weight's shape, into it, row-major; the padding row becomes zero. False, with the
 * error on the weight's tg_params, where the shape is another. */
TG_EXPORT bool tg_embedding_load(tg_embedding *layer, const tg_real *matrix, int64_t count,
                                 int64_t width);

/* ids of any shape of up to five axes, each 0 .. V - 1 -> [ids.., E]; an id out of range is an error that names its
 * place. */
TG_EXPORT tg_tensor *tg_embedding_forward(tg_tape *tape, const tg_embedding *layer, tg_ints ids);

TG_END_DECLS
#endif
