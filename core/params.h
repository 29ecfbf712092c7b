/* Parameters by name, with their gradients and optimizer state, saved and loaded as safetensors
 * files.
 *
 * Errors stick to a tg_params as they do to a tape (see tape.h). Several threads may read one
 * tg_params at once: tapes read it, and so do the functions that take a const tg_params or a const
 * tensor. A thread that changes a tg_params, or anything that it owns, must be the only one that
 * uses it. */
#ifndef TG_PARAMS_H
#define TG_PARAMS_H

#include "tensor.h"

TG_BEGIN_DECLS

/* A new, empty set. Initial values are drawn from (seed, name): they depend neither on the order
 * of registration nor on other parameters. NULL if there is no memory; every function here takes
 * NULL and does nothing. The caller frees it, after the tapes that used it. */
TG_EXPORT tg_params *tg_params_new(uint64_t seed);

/* Frees a set with its parameters, gradients, optimizer state and metadata. NULL does nothing. */
TG_EXPORT void tg_params_free(tg_params *params);

/* The sticky error as one line without a newline, or NULL; tg_params_take_error also clears it.
 * The error of a NULL tg_params is "out of memory", with the bytes that tg_params_new needs. */
TG_EXPORT const char *tg_params_error(const tg_params *params);
TG_EXPORT const char *tg_params_take_error(tg_params *params);

/* The distribution of a parameter's initial values. */
typedef enum tg_init_kind { TG_INIT_CONSTANT, TG_INIT_UNIFORM, TG_INIT_NORMAL } tg_init_kind;

/* A distribution and its number. */
typedef struct tg_init {
    tg_init_kind kind;
    double value; /* the constant, the bound a of U(-a, a), or the standard deviation */
} tg_init;

/* All elements are `value`; each element is drawn from U(-bound, bound); or each from N(0,
 * deviation^2). */
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

/* U(-1/sqrt(n), 1/sqrt(n)): how PyTorch starts a weight that reads n numbers (Linear), and the
 * weights of a recurrent layer with n hidden units. */
TG_EXPORT tg_init tg_init_fan_in(int64_t n);

/* Writes "name.part", the name of a layer inside a layer, into `text` and returns `text`. A longer
 * name is cut, and tg_param refuses it. */
TG_EXPORT char *tg_join_name(char text[TG_MAX_NAME], const char *name, const char *part);

/* Sets the sticky error, for layers and optimizers of your own; a first error stays. Returns
 * NULL, which is also false. */
TG_EXPORT void *tg_params_fail(tg_params *params, const char *format, ...) TG_PRINTF(2, 3);

/* Registers a parameter as "scope.name" (as "name" if scope is NULL or empty) and returns its
 * tensor. `params` owns the tensor, whose address does not change when more are registered. While
 * a file is loaded (see tg_params_load) the parameter takes its values from the file, otherwise
 * from `init`. To share a parameter between layers, register it once and copy the pointer.
 *
 * A name has 1 to TG_MAX_NAME - 1 bytes of UTF-8. It must not be "__metadata__" or start with
 * "optimizer/", which files reserve. NULL, with the error set, for another name, a name that is
 * already registered, a shape that is negative, too large or not the file's, a parameter that the
 * file does not contain, or if there is no memory. */
TG_EXPORT tg_tensor *tg_param(tg_params *params, const char *scope, const char *name, int ndim,
                              const int64_t *shape, tg_init init);

/* Parameters in the order of registration (index 0 .. count - 1), or by name; NULL if it does not
 * exist. */
TG_EXPORT int64_t tg_params_count(const tg_params *params);
TG_EXPORT tg_tensor *tg_params_at(const tg_params *params, int64_t index);
TG_EXPORT tg_tensor *tg_params_find(const tg_params *params, const char *name);

/* The sum of the sizes of all parameters, frozen ones included; 0 for NULL. */
TG_EXPORT int64_t tg_params_size(const tg_params *params);

/* Freezes or unfreezes each parameter called `prefix` or "prefix.*" (all of them if it is ""). A
 * frozen parameter gets no gradient, and optimizers leave it alone. Returns the number of
 * parameters with that prefix. */
TG_EXPORT int64_t tg_params_freeze(tg_params *params, const char *prefix, bool frozen);

/* Excludes each parameter called `prefix` or "prefix.*" from weight decay. Returns their number. */
TG_EXPORT int64_t tg_params_no_decay(tg_params *params, const char *prefix);

/* Clears all gradients, without a step of an optimizer. */
TG_EXPORT void tg_params_zero_grad(tg_params *params);

/* Makes a parameter [V, E] sparse, as in PyTorch's nn.Embedding(sparse=True): for a table of
 * which a batch reads few rows. Its gradient then consists of the rows that backward passes
 * touched. `grad` is zero elsewhere and can be read as usual. A step of Adam or SGD, clipping
 * and zeroing cost time in proportion to the touched rows; the other rows do not change. Adam is
 * then PyTorch's SparseAdam (see optim.h). tg_gather touches the rows that it read. An operator
 * that does not know rows, such as a product with the table, touches all of them. Takes memory
 * for the gradient and five bytes per row at once. A second call does nothing. Files do not
 * record this property. False, with the error set on the table's tg_params, if the parameter
 * does not have two axes or if there is no memory. */
TG_EXPORT bool tg_params_set_sparse(tg_tensor *table);

/* Marks the rows `ids` (any shape, each 0 .. V - 1) of a sparse parameter as touched: from now
 * on they have a gradient, which is zero if they had none, and the next step moves them.
 * Processes that each compute a part of a batch call this with the ids of the whole batch, so
 * that tg_grad_next takes all of them through the same rows. Does nothing for a dense or a
 * frozen parameter. False, with the error set, for an id outside the table. */
TG_EXPORT bool tg_params_touch_rows(tg_tensor *table, tg_ints ids);

/* ---- for optimizers of your own ---- */

/* Whether a parameter takes a step: it is not frozen, and it has a gradient. */
static inline bool tg_params_takes_step(const tg_tensor *parameter)
{
    return parameter->requires_grad && parameter->has_grad;
}

/* Whether weight decay applies to a parameter (see tg_params_no_decay). */
TG_EXPORT bool tg_params_decays(const tg_tensor *parameter);

/* Counts a step of a parameter, and returns the steps so far: 1 at the first. Files contain the
 * count if they are saved with TG_SAVE_STATE. */
TG_EXPORT int64_t tg_params_count_step(tg_tensor *parameter);

/* Clears the gradient of one parameter, as a step does when it has used it. */
TG_EXPORT void tg_params_use_grad(tg_tensor *parameter);

/* Whether a parameter is sparse, and its touched rows: an array of *count row numbers, each
 * once, in no particular order, good until the gradient changes. NULL and 0 for a dense
 * parameter. */
TG_EXPORT bool tg_params_is_sparse(const tg_tensor *parameter);
TG_EXPORT const int32_t *tg_params_touched_rows(const tg_tensor *parameter, int64_t *count);

/* The first touched row of a sparse parameter [V, E] from `row` on, or V; `row` itself if the
 * parameter is dense. */
TG_EXPORT int64_t tg_params_next_touched_row(const tg_tensor *parameter, int64_t row);

/* Whether the parameters are in inference mode. */
TG_EXPORT bool tg_params_in_inference(const tg_params *params);

/* ---- inference mode ---- */

/* Inference mode: the caller promises that nothing writes the parameters. Operators then keep
 * prepacked weights (weights in the order in which matrix products read them), which the first
 * pass packs and later passes reuse. That pays if little is computed at a time, such as one
 * sentence, takes as much memory again as the weights, and changes no bit of a result. An
 * optimizer's step and a load are errors in this mode. End it with `inference` false, while no
 * tape uses the parameters, before they are written again. */
TG_EXPORT void tg_params_set_inference(tg_params *params, bool inference);

/* Optimizer state: an array of the parameter's size and shape under a name, such as the moments of
 * an optimizer of your own, averaged weights, or the best weights so far. It starts as zeros; the
 * parameter's tg_params owns it, and files contain it if they are saved with TG_SAVE_STATE. `name`
 * has 1 to 23 bytes of UTF-8 without a slash; "steps" is reserved. A parameter has at most four
 * states; Adam uses "exp_avg" and "exp_avg_sq", SGD "momentum_buffer".
 * NULL, with the error set, for another name, a fifth state, or if there is no memory. */
TG_EXPORT tg_real *tg_params_state(tg_tensor *parameter, const char *name);

/* Sets a text that files contain beside the parameters, such as the vocabulary, labels and
 * settings of a model. Key and value are UTF-8 of any length and are copied; NULL as the value
 * removes the key. False, with the error set, for a NULL key, for text that is not UTF-8, or if
 * there is no memory. */
TG_EXPORT bool tg_params_set_metadata(tg_params *params, const char *key, const char *value);

/* The text of a key, or NULL. `params` owns it; it is valid until the key is set again or a file
 * is loaded. */
TG_EXPORT const char *tg_params_metadata(const tg_params *params, const char *key);

/* What tg_params_save writes: values and metadata, or optimizer state too. */
typedef enum tg_save_what { TG_SAVE_MODEL, TG_SAVE_STATE } tg_save_what;

/* Writes parameters and metadata to a safetensors file; with TG_SAVE_STATE optimizer state too, so
 * that training resumes from the file with the same bits. The file is written as "path.partial",
 * synced, renamed, and its folder synced: at any time `path` is the old file or the new one. A
 * partial file that a killed process left behind is overwritten. Saves to one folder wait for each
 * other. False, with the error set, if that fails: `path` is then unchanged, and the partial file
 * removed. */
TG_EXPORT bool tg_params_save(tg_params *params, const char *path, tg_save_what what);

/* Reads a safetensors file (dtypes F64, F32, F16, BF16). Its metadata are added to the present
 * ones and replace those of the same keys. Each tensor goes to the parameter of its name, now or
 * when that is registered: a program can load a file, read its settings from the metadata, and
 * then build the model. Until tg_params_finish_load, which ends this, registering a parameter that
 * the file does not contain is an error.
 *
 * The header is read strictly: what is wrong with it is said with the byte of the file, counted
 * from 0. Strings must be UTF-8 without NUL; no name or key may occur twice; the data must be
 * covered by the tensors without gap or overlap. False, with the error set and parameters and
 * metadata unchanged, if the file cannot be read, is not such a file, or does not fit the
 * registered parameters; if there is no memory for optimizer state, some parameters may have
 * changed. */
TG_EXPORT bool tg_params_load(tg_params *params, const char *path);

/* Whether a parameter that is registered now takes its values from a file. A layer that computes
 * some initial values itself writes them after tg_param, and only if this is false. False for
 * NULL. */
TG_EXPORT bool tg_params_is_loading(const tg_params *params);

/* Ends a load: frees the file's bytes; parameters that are registered from now on start from their
 * `init`. False, with the error set, which names the tensor, if the file contains a tensor that
 * belongs to no parameter. */
TG_EXPORT bool tg_params_finish_load(tg_params *params);

TG_END_DECLS
#endif
