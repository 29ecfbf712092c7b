/* Arenas, in which a tape or a tg_params keeps everything that it owns. Private. */
#ifndef TG_MEMORY_H
#define TG_MEMORY_H

#include "base.h"

enum { TG_ALIGNMENT = 64 }; /* of all arena memory: a cache line, and the widest vector */

/* A list of chunks, filled from the front. A reset keeps the memory. If an arena needed several
 * chunks, the next use gets one chunk as large as all of them together, so that a steady loop
 * ends with one chunk and no allocation. */
typedef struct tg_chunk {
    struct tg_chunk *next;
    size_t size, used; /* bytes of `memory` */
    unsigned char *memory;
} tg_chunk;

typedef struct tg_arena {
    tg_chunk *chunks;      /* the newest first */
    size_t wanted;         /* bytes of the next chunk, at least */
    size_t used, reserved; /* bytes handed out since the reset; bytes of all chunks */
} tg_arena;

/* Memory aligned to TG_ALIGNMENT, not cleared; NULL if there is none. */
void *tg_arena_alloc(tg_arena *arena, size_t bytes);
void tg_arena_reset(tg_arena *arena);
void tg_arena_free(tg_arena *arena);

/* Bytes of `count` numbers; SIZE_MAX, which no arena has, if they overflow. */
static inline size_t tg_real_bytes(int64_t count)
{
    const bool fits = (uint64_t)count <= SIZE_MAX / sizeof(tg_real);
    return fits ? (size_t)count * sizeof(tg_real) : SIZE_MAX;
}

#endif
