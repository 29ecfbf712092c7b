/* The allocator, arenas, shapes with checked sizes, and sticky errors. */
#include <stdlib.h>

#include "internal.h"

static void *libc_allocator(void *memory, size_t size)
{
    if (size == 0) {
        free(memory);
        return NULL;
    }
    return realloc(memory, size);
}

static tg_allocator allocator = libc_allocator;

void tg_set_allocator(tg_allocator chosen) { allocator = chosen ? chosen : libc_allocator; }

void *tg_realloc(void *memory, size_t size)
{
    if (size == 0 && memory == NULL) return NULL;
    return allocator(memory, size);
}

/* ---- arenas ---- */

enum { MIN_CHUNK = 64 * 1024 };

/* A block that is larger than the next chunk gets a chunk of its own. That one goes behind the
 * chunk in use, whose free part stays in use. */
static tg_chunk *add_chunk(tg_arena *arena, size_t bytes)
{
    const bool own = arena->chunks && bytes > arena->wanted;
    size_t size = bytes > arena->wanted ? bytes : arena->wanted;
    if (size < MIN_CHUNK) size = MIN_CHUNK;
    if (size > SIZE_MAX - sizeof(tg_chunk) - TG_ALIGNMENT) return NULL;
    tg_chunk *chunk = tg_realloc(NULL, sizeof(tg_chunk) + TG_ALIGNMENT + size);
    if (!chunk) return NULL;
    uintptr_t start = ((uintptr_t)(chunk + 1) + TG_ALIGNMENT - 1) / TG_ALIGNMENT * TG_ALIGNMENT;
    tg_chunk **place = own ? &arena->chunks->next : &arena->chunks;
    *chunk = (tg_chunk){.next = *place, .size = size, .memory = (unsigned char *)start};
    *place = chunk;
    arena->reserved += size;
    arena->wanted = arena->reserved / 8; /* so the number of chunks is logarithmic in the size */
    return chunk;
}

void *tg_arena_alloc(tg_arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX - TG_ALIGNMENT) return NULL;
    size_t rounded = (bytes + TG_ALIGNMENT - 1) / TG_ALIGNMENT * TG_ALIGNMENT;
    if (rounded == 0) rounded = TG_ALIGNMENT; /* each block has its own address */
    tg_chunk *chunk = arena->chunks;
    if (!chunk || chunk->size - chunk->used < rounded) chunk = add_chunk(arena, rounded);
    if (!chunk) return NULL;
    void *memory = chunk->memory + chunk->used;
    chunk->used += rounded;
    arena->used += rounded;
    return memory;
}

void tg_arena_reset(tg_arena *arena)
{
    if (arena->chunks && arena->chunks->next) {
        const size_t total = arena->reserved;
        tg_arena_free(arena);
        arena->wanted = total;
    } else if (arena->chunks) {
        arena->chunks->used = 0;
    }
    arena->used = 0;
}

void tg_arena_free(tg_arena *arena)
{
    while (arena->chunks) {
        tg_chunk *next = arena->chunks->next;
        tg_free(arena->chunks);
        arena->chunks = next;
    }
    *arena = (tg_arena){0};
}

/* ---- sizes and shapes ---- */

int64_t tg_shape_size(int ndim, const int64_t *shape)
{
    if (ndim < 0 || ndim > TG_MAX_DIMS) return -1;
    /* The bound leaves sizes of 0 out: the product of the others must fit too, since strides use
     * it. */
    const int64_t limit = (int64_t)(PTRDIFF_MAX / sizeof(tg_real)) / 4;
    int64_t size = 1, bound = 1;
    for (int d = 0; d < ndim; d++) {
        if (shape[d] < 0) return -1;
        int64_t at_least_one = shape[d] > 0 ? shape[d] : 1;
        if (bound > limit / at_least_one) return -1;
        bound *= at_least_one;
        size *= shape[d];
    }
    return size;
}

bool tg_has_shape(const tg_tensor *tensor, int ndim, const int64_t *shape)
{
    return tensor->ndim == ndim && memcmp(tensor->shape, shape, (size_t)ndim * sizeof *shape) == 0;
}

tg_shape_string tg_shape_str(int ndim, const int64_t *shape)
{
    tg_shape_string result = {"["};
    size_t used = 1, size = sizeof result.text;
    for (int d = 0; d < ndim && d < TG_MAX_DIMS; d++)
        used += (size_t)snprintf(result.text + used, size - used, "%s%lld", d ? ", " : "",
                                 (long long)shape[d]);
    snprintf(result.text + used, size - used, "]");
    return result;
}

tg_shape_string tg_tensor_str(const tg_tensor *tensor)
{
    return tensor ? tg_shape_str(tensor->ndim, tensor->shape) : (tg_shape_string){"NULL"};
}

/* ---- sticky errors ---- */

const char *tg_out_of_memory_text(const char *what, size_t bytes)
{
    static _Thread_local char text[64];
    snprintf(text, sizeof text, "out of memory: %zu bytes for %s", bytes, what);
    return text;
}

void tg_fail_v(tg_error *error, const char *prefix, const char *format, va_list arguments)
{
    if (error->set) return;
    error->set = true;
    int used = prefix ? snprintf(error->text, sizeof error->text, "%s: ", prefix) : 0;
    if (used >= 0 && (size_t)used < sizeof error->text)
        vsnprintf(error->text + used, sizeof error->text - (size_t)used, format, arguments);
    for (char *c = error->text; *c; c++) /* an error is one line, even if a name has line breaks */
        if ((unsigned char)*c < ' ' || *c == 127) *c = '?';
}

void *tg_fail(tg_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tg_fail_v(error, NULL, format, arguments);
    va_end(arguments);
    return NULL;
}
