/* What every other header needs: the number type, limits, shapes and the allocator.
 *
 * Dimension letters, the same in every file of the project:
 *
 *     B batch   T time (tokens of a sequence)   E embedding width   H hidden width
 *     C classes   V vocabulary   N attention heads   A width of an attention's score layer
 *
 * Shapes are written [B, T, E]; all tensors are contiguous and row-major. */
#ifndef TG_BASE_H
#define TG_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#include <initializer_list>
#define TG_BEGIN_DECLS extern "C" {
#define TG_END_DECLS }
#else
#define TG_BEGIN_DECLS /* C++ links the declarations after it as C */
#define TG_END_DECLS   /* ends what TG_BEGIN_DECLS began */
#endif

#ifdef __GNUC__
#define TG_EXPORT __attribute__((visibility("default")))
#define TG_PRINTF(format, first) __attribute__((__format__(__printf__, format, first)))
#else
#define TG_EXPORT                /* marks the functions that programs may call */
#define TG_PRINTF(format, first) /* `format` is as printf's, for the arguments from `first` on */
#endif

#define TG_VERSION "0.1.0" /* of these headers; README.md says what a version promises */

/* The library computes in float. Built with TG_DOUBLE, the same sources are the library
 * tapegrad-double, in which a gradient check is conclusive. There the functions that every program
 * needs have other names, so that a program compiled for one library does not link with the
 * other. */
#ifdef TG_DOUBLE
typedef double tg_real;
#define tg_tape_new tg_tape_new_double
#define tg_params_new tg_params_new_double
#define tg_apply tg_apply_double
#else
typedef float tg_real;
#endif

enum {
    TG_MAX_DIMS = 6,    /* axes of a tensor */
    TG_MAX_OUTPUTS = 4, /* outputs of an operator */
    TG_MAX_NAME = 128   /* bytes of a parameter's name, including the final 0 */
};

/* TG_SHAPE(2, 3) is the shape [2, 3] as two arguments, `int ndim, const int64_t *shape`, valid
 * during the call. */
#ifdef __cplusplus
#define TG_SHAPE(...)                                                     \
    static_cast<int>(std::initializer_list<int64_t>{__VA_ARGS__}.size()), \
        std::initializer_list<int64_t>{__VA_ARGS__}.begin()
#else
#define TG_SHAPE(...) \
    (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]) { __VA_ARGS__ }
#endif
#define TG_SCALAR 0, NULL /* the shape [] of a single number */

TG_BEGIN_DECLS

/* The library allocates all memory through one function, which behaves like realloc: `memory` NULL
 * allocates, `size` 0 frees and returns NULL, and a failure returns NULL and leaves `memory`
 * unchanged. Several threads may call it at once. */
typedef void *(*tg_allocator)(void *memory, size_t size);

/* Sets the library's allocator for the whole process; NULL restores realloc and free. Call it
 * before any other function of the library, or while the library has no memory allocated. Not
 * thread-safe. */
TG_EXPORT void tg_set_allocator(tg_allocator allocator);

/* Calls that allocator: programs may use it for their own memory. Thread-safe if the allocator
 * is. */
TG_EXPORT void *tg_realloc(void *memory, size_t size);
static inline void tg_free(void *memory) { tg_realloc(memory, 0); }

/* The instruction set in use: "baseline", "avx2" or "avx512". The best that the processor has is
 * chosen at first use; the environment variable TG_ISA can name a lower one. Thread-safe. */
TG_EXPORT const char *tg_isa(void);

TG_END_DECLS
#endif
