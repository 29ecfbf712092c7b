/* The allocator, arenas, shapes with checked sizes, and sticky errors. */
#include <stdlib.h>

#include "memory.h"

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
