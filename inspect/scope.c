/* The scopes that the caller opens. graph.c finds those that come from parameters' names. */
#include <stdio.h>

#include "../core/tape_private.h"
#include "inspect.h"

void tg_scope_begin(tg_tape *tape, const char *name)
{
    if (!tape || tape->error.set) return;
    struct tg_tape_scope *scope = tg_tape_alloc(tape, sizeof *scope);
    if (!scope) return;
    scope->outer = tape->scope;
    snprintf(scope->path, sizeof scope->path, "%.60s%s%.60s", tape->scope ? tape->scope->path : "",
             tape->scope ? "/" : "", name);
    tape->scope = scope;
}

void tg_scope_end(tg_tape *tape)
{
    if (tape && tape->scope) tape->scope = tape->scope->outer;
}
