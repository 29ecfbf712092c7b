/* Parameters: by name, with their gradients and the optimizers' state, saved and loaded as safetensors.
 *
 * Errors stick to a tg_params as they do to a tape (see tape.h). Whoever changes a tg_params or what it owns must be
 * alone with it; several threads may read one at once: tapes do, and the functions that take a const tg_params or a
 * const tensor. */
#ifndef TG_PARAMS_H
#define TG_PARAMS_H

#include "tensor.h"

TG_BEGIN_DECLS

/* A new, empty set. Initial values are drawn from (seed, name), so that they depend neither on the order of
 * registration nor on other parameters. NULL when there is no memory; every function here takes NULL and does nothing.
 * The caller frees it, after the tapes that used it. */
TG_EXPORT tg_params *tg_params_new(uint64_t seed);

/* Frees a set with every parameter, its gradient and what is kept beside it. NULL is taken. */
TG_EXPORT void tg_params_free(tg_params *params);

/* The sticky error as one line without a newline, or NULL; tg_params_take_error clears it as well. A NULL tg_params has the
 * error "out of memory: no parameters". */
TG_EXPORT const char *tg_params_error(const tg_params *params);
TG_EXPORT const char *tg_params_take_error(tg_params *params);

/* How a parameter starts. */
typedef enum tg_init_kind { TG_INIT_CONSTANT, TG_INIT_UNIFORM, TG_INIT_NORMAL } tg_init_kind;

/* How, and with which number. */
typedef struct tg_init {
    tg_init_kind kind;
    double value; /* the constant, the bound a of U(-a, a), or the standard deviation */
} tg_init;

/* All elements are `value`; each is drawn from U(-bound, bound); or from a normal distribution with mean 0. */
static inline tg_init tg_init_constant(double value)
{
    tg_init init = {TG_INIT_CONSTANT, value};
    return init;
}
static inline tg_init tg_init_uniform(double bound)
{
    tg_init init = {TG_INIT_UNIFORM, bound};
    return init;
}
static inline tg_init tg_init_normal(double deviation)
{
    tg_init init = {TG_INIT_NORMAL, deviation};
    return init;
}

/* Registers a parameter under "scope.name" (under "name" where scope is NULL or empty) and returns its tensor, which is
 * owned by `params` and stays where it is while more are registered. When a loaded file holds that name, the parameter
 * takes the file's values, otherwise it starts as `init` says. To share a parameter between layers, register it once and
 * copy the pointer. NULL, with the error set: the name is taken or too long, the shape is not the file's, the file lacks
 * it (see tg_params_load), or there is no memory. */
TG_EXPORT tg_tensor *tg_param(tg_params *params, const char *scope, const char *name, int ndim,
                              const int64_t *shape, tg_init init);

/* Parameters in the order of registration, or by name; NULL where there is none. */
TG_EXPORT int64_t tg_params_count(const tg_params *params);
TG_EXPORT tg_tensor *tg_params_at(const tg_params *params, int64_t index);
TG_EXPORT tg_tensor *tg_params_find(const tg_params *params, const char *name);

/* Number of trained and frozen numbers in all; 0 of NULL. */
TG_EXPORT int64_t tg_params_size(const tg_params *params);

/* Freezes or thaws every parameter called `prefix` or "prefix.*" ("" is all): a frozen one takes no gradient and no step.
 * Returns how many there were. */
TG_EXPORT int64_t tg_params_freeze(tg_params *params, const char *prefix, bool frozen);

/* Takes every parameter called `prefix` or "prefix.*" out of weight decay. Returns how many there were. */
TG_EXPORT int64_t tg_params_no_decay(tg_params *params, const char *prefix);

/* Drops the gradients added up so far, without a step. */
TG_EXPORT void tg_params_zero_grad(tg_params *params);

/* Makes a parameter [V, E] sparse, as PyTorch's nn.Embedding(sparse=True) is: for a table of
 * which a batch reads few rows. Its gradient is the rows that backward passes touched; `grad` is
 * zero elsewhere and can be read as any other. A step of Adam or SGD, clipping and zeroing cost
 * what was touched, and rows that were not touched stay as they are: Adam is then PyTorch's
 * SparseAdam (see optim.h). tg_gather touches the rows that it read; an operator that knows
 * nothing of rows, such as a product with the table, touches all. Memory for the gradient, and 5
 * bytes a row, is taken at once. Calling it twice is calling it once; files know nothing of it.
 * False, with the error set on the table's tg_params, if the parameter has not two axes or there
 * is no memory. */
TG_EXPORT bool tg_params_set_sparse(tg_tensor *table);

/* Touches the rows `ids` (of any shape, each 0 .. V - 1) of a sparse parameter: they have a
 * gradient from now on, of zeros if there is none yet, and the next step moves them. Processes
 * that each go through a part of a batch call it with the ids of the whole batch, so that
 * tg_grad_next takes all of them through the same rows. Nothing happens if the parameter is
 * dense or frozen. False, with the error set, for an id outside the table. */
TG_EXPORT bool tg_params_touch_rows(tg_tensor *table, tg_ints ids);

/* While parameters are held, the caller promises that nobody writes them, and passes keep what they make of them: weights
 * in the order in which products read them, which the first pass packs and the later ones find. It pays where little is
 * computed at a time, a sentence say, takes as much memory again as the weights, and changes no bit. An optimizer's step
 * and a load are errors meanwhile. Call it with `held` false, while no tape uses the parameters, before they are written
 * again. */
TG_EXPORT void tg_params_set_inference(tg_params *params, bool held);

/* As many numbers as the parameter has, of its shape, that are kept beside it under `name` (at
 * most 23 bytes, no slash): what an optimizer of one's own remembers, averages of the weights,
 * the best of them. Zeros at first; owned by the parameter's tg_params and saved with
 * TG_SAVE_STATE. A parameter has room for four; Adam takes "exp_avg" and "exp_avg_sq", SGD
 * "momentum_buffer". NULL, with the error set, for another name, a fifth state or want of
 * memory. */
TG_EXPORT tg_real *tg_params_state(tg_tensor *parameter, const char *name);

/* UTF-8 text that is saved with the parameters: vocabulary, labels, settings. The value is copied; NULL removes the key.
 * False, with the error set, for a key or a value that is no UTF-8, or without memory. */
TG_EXPORT bool tg_params_set_metadata(tg_params *params, const char *key, const char *value);

/* The text of a key, owned by `params` and good until the key is set again or a file is loaded; NULL where there is
 * none. */
TG_EXPORT const char *tg_params_metadata(const tg_params *params, const char *key);

/* What tg_params_save writes: values and metadata, or also what is kept beside the values. */
typedef enum tg_save_what { TG_SAVE_MODEL, TG_SAVE_STATE } tg_save_what;

/* Writes the parameters and metadata to a safetensors file; with TG_SAVE_STATE the optimizers' state too, so that
 * training goes on from it in the same bits. The file is written beside its place, as "path.partial", synced and renamed, and
 * the folder synced: at any time `path` holds the old file or the new one, never a part. A partial file that is left by a process
 * that was killed is overwritten by the next save; the saves to one folder wait for each other. False, with the error set, when
 * that fails: then `path` is as it was, and nothing lies beside it. */
TG_EXPORT bool tg_params_save(tg_params *params, const char *path, tg_save_what what);

/* Reads a safetensors file (F64, F32, F16, BF16): metadata is taken over, and each tensor goes to the parameter of its
 * name, or waits until one is registered. So a model can be loaded before it is built, its settings read from the
 * metadata, and its layers then find their values. From then on a parameter that the file lacks is an error. Call
 * tg_params_finish_load when the model is built. False, with the error set and no parameter changed, when the file cannot be
 * read, is no safetensors file, or holds a name in another shape. */
TG_EXPORT bool tg_params_load(tg_params *params, const char *path);

/* Whether parameters that are registered now take a loaded file's values. A layer that starts some of its numbers in a way
 * of its own writes them after tg_param, and only where this is false. False of NULL. */
TG_EXPORT bool tg_params_is_loading(const tg_params *params);

/* Ends a load: the file's bytes are freed, and parameters that are registered from now on start as they say. False, with
 * the error set, where the file holds a tensor that no parameter asked for, which it names. */
TG_EXPORT bool tg_params_finish_load(tg_params *params);

TG_END_DECLS
#endif
