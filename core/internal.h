/* What the library's own sources share and no program sees. */
#ifndef TG_INTERNAL_H
#define TG_INTERNAL_H

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "op.h"
#include "ops.h"
#include "params.h"

enum { TG_ALIGNMENT = 64 }; /* of all arena memory: a cache line, and the widest vector */

/* ---- memory.c: the allocator entry point, and arenas ---- */

/* The bytes that this thread last asked for in vain: set it to 0 before a call of jansson's, which says only that it failed. */
extern _Thread_local size_t tg_refused;

/* A list of chunks, filled from the front. A reset keeps the memory; where it took several chunks, the next use gets one
 * that is as large as all of them, so that a steady loop ends with one chunk and no allocation. */
typedef struct tg_chunk {
    struct tg_chunk *next;
    size_t size, used; /* bytes of `memory` */
    unsigned char *memory;
} tg_chunk;

typedef struct tg_arena {
    tg_chunk *chunks;      /* the newest first */
    size_t wanted;         /* at least so many bytes for the next chunk */
    size_t used, reserved; /* bytes handed out since the reset; bytes of all chunks */
} tg_arena;

/* Aligned memory, not cleared; NULL when there is none. */
void *tg_arena_alloc(tg_arena *arena, size_t bytes);
void tg_arena_reset(tg_arena *arena);
void tg_arena_free(tg_arena *arena);

/* Bytes of so many numbers; where they are more than there can be, SIZE_MAX, which no arena has. */
static inline size_t tg_real_bytes(int64_t count)
{
    return (uint64_t)count <= SIZE_MAX / sizeof(tg_real) ? (size_t)count * sizeof(tg_real)
                                                         : SIZE_MAX;
}

/* Number of elements of a shape, or -1 where a size is negative, ndim out of range, or the bytes overflow. */
int64_t tg_shape_size(int ndim, const int64_t *shape);

bool tg_has_shape(const tg_tensor *tensor, int ndim, const int64_t *shape);

/* "[2, 3]"; what it returns lives until the expression that it stands in ends. */
typedef struct tg_shape_string {
    char text[160];
} tg_shape_string;
tg_shape_string tg_shape_str(int ndim, const int64_t *shape);

/* ---- sticky errors ---- */

/* What a tape or parameters say that are NULL. */
const char *tg_out_of_memory_text(const char *what, size_t bytes);

typedef struct tg_error {
    bool set;
    char text[512];
} tg_error;

/* Keeps the first error: does nothing when one is set. Returns NULL, which is false too. */
void *tg_fail(tg_error *error, const char *format, ...) TG_PRINTF(2, 3);
void tg_fail_v(tg_error *error, const char *prefix, const char *format, va_list arguments);

/* ---- the tape ---- */

struct tg_tape {
    tg_arena arena;   /* tensors and nodes, until the reset */
    tg_arena scratch; /* until the operator's call ends */
    tg_node *first, *last;
    int64_t length;
    bool training, recording, backward_done;
    struct tg_tape_scope {
        struct tg_tape_scope *outer;
        char path[TG_MAX_NAME];
    } * scope; /* that the caller opened last, of the arena, or NULL */
    /* Called after each pass of an operator; NULL without anomaly detection (inspect/anomaly.c). */
    void (*anomaly_hook)(tg_node *node, bool backward);
    char warning[320];
    tg_random random;
    tg_error error;
};

/* Arena memory of the tape, with the error set ("out of memory", the bytes) when there is none. */
void *tg_tape_alloc(tg_tape *tape, size_t bytes);
void *tg_scratch_bytes(tg_node *node, size_t bytes);

/* A tensor of the tape's without data, and with. */
tg_tensor *tg_tensor_new(tg_tape *tape, int ndim, const int64_t *shape);
tg_tensor *tg_tensor_alloc(tg_tape *tape, int ndim, const int64_t *shape);

/* Gradient memory of any tensor, made at need; see tg_input_grad_target. */
tg_real *tg_tensor_grad(tg_tape *tape, tg_tensor *tensor, bool *add);

/* ---- parameters ---- */

enum { TG_MAX_STATES = 4, TG_STATE_NAME = 24 };

/* A parameter, and what the optimizers keep beside it. */
typedef struct tg_param_entry {
    tg_tensor tensor;
    char name[TG_MAX_NAME];
    bool no_decay;
    int64_t steps;                   /* that Adam has taken with this parameter */
    _Atomic(const tg_real *) packed; /* see tg_prepacked */
    int64_t backward_passes; /* since its gradient was last cleared, under anomaly detection */
    struct tg_deferred *deferred; /* of a table whose rows take their steps late; otherwise NULL */
    struct {
        char name[TG_STATE_NAME]; /* "exp_avg", ...; empty where unused */
        tg_real *data;            /* of the tensor's size */
    } states[TG_MAX_STATES];
} tg_param_entry;

/* ---- deferred.c ---- */

typedef struct tg_deferred {
    int64_t *taken; /* [V] steps that a row has taken, of the entry's */
    int32_t *touched,
        *waiting; /* [V] rows that have a gradient; room for rows that are about to take their steps */
    bool *is_touched, *is_waiting;
    int64_t n_touched;
    bool whole; /* the gradient was added to by something that knows no rows */
    void (*take_steps)(tg_param_entry *entry,
                       int64_t row); /* the optimizer's: all that `taken` lacks */
    void *notes;                     /* the optimizer's, of the last `noted` steps */
    size_t room;                     /* bytes of them */
    int64_t noted;
} tg_deferred;

/* NULL of a tensor that is no such table. */
static inline tg_deferred *tg_deferred_of(const tg_tensor *tensor)
{
    return tensor->params ? ((const tg_param_entry *)tensor)->deferred : NULL;
}

/* No row waits any more: all of one table have taken their steps, or (restart) have values that count as such. */
void tg_deferred_catch_up(tg_param_entry *entry);
void tg_deferred_restart(tg_param_entry *entry);

/* tg_input_grad for rows of a table: `ids`, but for one that is left out. */
tg_real *tg_input_grad_rows(tg_node *node, int input, int64_t n, const int32_t *ids,
                            int32_t left_out);

/* The gradient is used up. */
void tg_param_drop_grad(tg_param_entry *entry);

/* U(-1/sqrt(n), 1/sqrt(n)), as PyTorch's nn.Linear starts what reads n numbers. */
static inline tg_init tg_init_by_width(int64_t n)
{
    return tg_init_uniform(n > 0 ? 1 / sqrt((double)n) : 0);
}

/* "name.part": a part of a layer, as the scope of its parameters; `text` is returned. */
static inline char *tg_join_scope(char text[TG_MAX_NAME], const char *name, const char *part)
{
    snprintf(text, TG_MAX_NAME, "%s.%s", name, part);
    return text;
}

/* A tensor of a loaded file that waits for its parameter. */
typedef struct tg_loaded {
    tg_tensor tensor; /* without data */
    const struct tg_number_format *format;
    const unsigned char *begin, *end; /* of its bytes */
    bool claimed;
} tg_loaded;

typedef struct tg_loaded_file {
    tg_arena arena; /* of all that was read */
    tg_loaded *tensors;
    size_t count;
} tg_loaded_file;

struct tg_params {
    uint64_t seed;
    tg_arena arena; /* tensors, gradients, states: all until tg_params_free */
    tg_param_entry **entries;
    int64_t count, capacity;
    struct json_t *metadata; /* an object of strings, or NULL */
    tg_loaded_file loaded;   /* from tg_params_load to tg_params_finish_load */
    bool from_file;          /* a parameter that the file lacks is an error */
    bool held;               /* nobody writes: what is packed of the weights is kept (held.c) */
    tg_arena packed;
    atomic_flag packing; /* by one thread at a time */
    tg_error error;
};

/* Memory that lives as long as `params`, cleared; the error is set when there is none. */
void *tg_params_alloc(tg_params *params, size_t bytes);

/* The optimizer's state of that name, cleared when new; NULL, with the error set, when there is no memory. */
tg_real *tg_param_state(tg_params *params, tg_param_entry *entry, const char *name);

/* Whether a file holds a parameter, and its tensors fit the parameter and its states: all have its shape, but the steps, one
 * whole number. False with the error set. Asked before there is memory for the numbers: what builds a model from a small file
 * must not be talked into a large one. */
bool tg_param_fits(tg_params *params, const tg_param_entry *entry, const tg_loaded_file *file);

/* Gives a parameter that fits the values, and the optimizers' state, that the loaded file holds for it. False, with the error
 * set, when there is no memory. */
bool tg_param_claim(tg_params *params, tg_param_entry *entry);

/* ---- operators among themselves ---- */

/* y = f(x) operators take one line each with these. */
static inline tg_tensor *tg_apply_1(tg_tape *tape, const tg_op *op, const void *attributes,
                                    tg_tensor *x)
{
    return tg_apply(tape, op, attributes, 1, &x, NULL);
}

/* Counts axes of x from 0 where they were counted from the end; false with the error set, in the operator's name, where one
 * is not there or is named twice. */
bool tg_check_axes(tg_tape *tape, const char *name, const tg_tensor *x, int count, int *axes);

/* tg_copy_lengths, of lengths that an error calls `what`. */
bool tg_copy_lengths_of(tg_node *node, const char *what, tg_ints *lengths, int64_t batch,
                        int64_t time);

/* C [m, n] = start + A B as tg_k_gemm has it, by way of scratch memory; nothing after an error. In op_matmul.c. */
struct tg_matrix;
void tg_node_matmul(tg_node *node, int64_t m, int64_t n, int64_t k, struct tg_matrix a,
                    struct tg_matrix b, const tg_real *start, tg_real *c);

/* dL/d(input) += A B, if it is wanted. */
void tg_input_grad_matmul(tg_node *node, int input, int64_t m, int64_t n, int64_t k,
                          struct tg_matrix a, struct tg_matrix b);

/* C [m, out] = A W^T + bias for a weight [out, in] and a bias [out] or NULL. */
void tg_node_linear(tg_node *node, int64_t m, struct tg_matrix a, const tg_tensor *weight,
                    const tg_tensor *bias, tg_real *c);

/* W^T of a parameter [out, in] as products read it, packed once and kept while the parameters are held (tg_params_set_inference);
 * NULL when they are not. In held.c. */
const tg_real *tg_prepacked(const tg_tensor *weight);

/* sum_j e^(x_j - m), in op_reduce.c. */
double tg_sum_exp(int64_t n, const tg_real *x, tg_real m);

/* ---- broadcast.c ---- */

/* Strides (0 along broadcast axes) for reading a small shape as if it were the larger one; false where it does not
 * broadcast to that. */
bool tg_broadcast_strides(int ndim, const int64_t *shape, int small_ndim,
                          const int64_t *small_shape, int64_t *strides);

/* The shape that n tensors broadcast to, and the strides of each; false where they do not. */
bool tg_broadcast(int n, const tg_tensor *const *x, int *ndim, int64_t *shape,
                  int64_t strides[][TG_MAX_DIMS]);

/* Walks a shape row by row (a row is the last axis), keeping for each of up to three operands the offset of its row. */
typedef struct tg_rows {
    int ndim, operands;
    const int64_t *shape, (*strides)[TG_MAX_DIMS];  /* the caller's */
    int64_t index[TG_MAX_DIMS], offset[3], step[3]; /* step: an operand's stride along a row */
    int64_t length, count, done;                    /* numbers in a row, rows, rows handed out */
} tg_rows;
tg_rows tg_rows_start(int ndim, const int64_t *shape, int operands,
                      const int64_t strides[][TG_MAX_DIMS]);
bool tg_rows_next(tg_rows *rows);

/* Strides of a contiguous tensor. */
void tg_contiguous_strides(int ndim, const int64_t *shape, int64_t *strides);

/* Copies (or adds) an array of a shape from one layout to another, each given by its strides. */
void tg_copy_strided(int ndim, const int64_t *shape, const tg_real *from,
                     const int64_t *from_strides, tg_real *to, const int64_t *to_strides, bool add);

/* Adds a gradient of the shape that an input was broadcast to, to the gradient of the input. */
void tg_input_grad_unbroadcast(tg_node *node, int input, int ndim, const int64_t *shape,
                               const tg_real *full);

#endif
