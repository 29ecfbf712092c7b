#include "checked.h"

#include "failure.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

/* What stands before each block: its neighbours in the list of all, the newest first. */
typedef struct block {
    alignas(max_align_t) struct block *next;
    struct block **link;
} block;

static block *blocks;
static jmp_buf *way_out; /* of the work that is under way */

static void enter(block *b)
{
    *b = (block){blocks, &blocks};
    if (blocks) blocks->link = &b->next;
    blocks = b;
}

static void leave(block *b)
{
    *b->link = b->next;
    if (b->next) b->next->link = b->link;
}

void tc_checked_free(void *memory)
{
    if (!memory) return;
    block *b = (block *)memory - 1;
    leave(b);
    tc_free(b);
}

void *tc_checked_allocate(size_t size)
{
    block *b = size <= SIZE_MAX - sizeof *b ? tc_allocate(NULL, size + sizeof *b, 1) : NULL;
    if (!b && way_out) longjmp(*way_out, 1);
    if (!b) return NULL;
    enter(b);
    return b + 1;
}

void *tc_checked_reallocate(void *memory, size_t old, size_t size)
{
    void *larger = tc_checked_allocate(size);
    if (memory && larger) memcpy(larger, memory, old < size ? old : size);
    if (larger) tc_checked_free(memory);
    return larger;
}

bool tc_checked_run(void (*work)(void *context), void *context)
{
    block start; /* what is newer is the work's */
    jmp_buf here;
    way_out = &here;
    enter(&start);
    if (!setjmp(here)) {
        work(context);
        way_out = NULL;
    }
    const bool done = !way_out;
    while (!done && blocks != &start) tc_checked_free(blocks + 1);
    way_out = NULL;
    leave(&start);
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

json_t *tc_json_read(const char *text)
{
    reading r = {text, NULL};
    return tc_checked_run(read_json, &r) ? r.json : NULL;
}

char *tc_json_write(json_t *json, size_t flags)
{
    const size_t length = tc_failure() ? 0 : json_dumpb(json, NULL, 0, flags);
    char *text = length ? tc_allocate(NULL, length + 1, 1) : NULL;
    if (text) text[json_dumpb(json, text, length, flags)] = 0;
    json_decref(json);
    if (!text || !tc_failure()) return text;
    tc_free(text);
    return NULL;
}
