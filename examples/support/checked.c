#include "checked.h"

#include "failure.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

/* The header of each block: its links in the list of all blocks, the newest first. */
typedef struct block {
    alignas(max_align_t) struct block *next;
    struct block **link;
} block;

static block *blocks;
static jmp_buf *escape; /* out of the work that ex_checked_run is running; NULL: none */

static void link_block(block *b)
{
    *b = (block){blocks, &blocks};
    if (blocks) blocks->link = &b->next;
    blocks = b;
}

static void unlink_block(block *b)
{
    *b->link = b->next;
    if (b->next) b->next->link = b->link;
}

void ex_checked_free(void *memory)
{
    if (!memory) return;
    block *b = (block *)memory - 1;
    unlink_block(b);
    ex_free(b);
}

void *ex_checked_allocate(size_t size)
{
    block *b = size <= SIZE_MAX - sizeof *b ? ex_allocate(NULL, size + sizeof *b, 1) : NULL;
    if (!b && escape) longjmp(*escape, 1);
    if (!b) return NULL;
    link_block(b);
    return b + 1;
}

void *ex_checked_reallocate(void *memory, size_t old, size_t size)
{
    void *larger = ex_checked_allocate(size);
    if (memory && larger) memcpy(larger, memory, old < size ? old : size);
    if (larger) ex_checked_free(memory);
    return larger;
}

bool ex_checked_run(void (*work)(void *context), void *context)
{
    block start; /* all blocks before it in the list were allocated by the work */
    jmp_buf environment;
    escape = &environment;
    link_block(&start);
    if (!setjmp(environment)) {
        work(context);
        escape = NULL;
    }
    const bool done = !escape;
    while (!done && blocks != &start) ex_checked_free(blocks + 1);
    escape = NULL;
    unlink_block(&start);
    return done;
}

typedef struct reading {
    const char *text;
    json_t *json;
} reading;

static void read_json(void *context)
{
    reading *r = context;
    r->json = json_loads(r->text, JSON_REJECT_DUPLICATES, NULL);
}

json_t *ex_json_read(const char *text)
{
    reading r = {text, NULL};
    return ex_checked_run(read_json, &r) ? r.json : NULL;
}

char *ex_json_write(json_t *json, size_t flags)
{
    const size_t length = ex_failure() ? 0 : json_dumpb(json, NULL, 0, flags);
    char *text = length ? ex_allocate(NULL, length + 1, 1) : NULL;
    if (text) text[json_dumpb(json, text, length, flags)] = 0;
    json_decref(json);
    if (!text || !ex_failure()) return text;
    ex_free(text);
    return NULL;
}
