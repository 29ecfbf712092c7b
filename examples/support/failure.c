#include "failure.h"

#include "checked.h"
#include "tapegrad.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static char text[1024];

bool ex_fail(const char *format, ...)
{
    if (text[0]) return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return false;
}

const char *ex_failure(void) { return text[0] ? text : NULL; }

void ex_failure_clear(void) { text[0] = 0; }

void ex_begin(void) { json_set_alloc_funcs(ex_checked_allocate, ex_checked_free); }

int ex_end(const char *program, int status, const char *help)
{
    if ((fflush(stdout) || ferror(stdout)) && !status) {
        ex_fail("standard output: %s", strerror(errno));
        status = 1;
    }
    if (text[0]) fprintf(stderr, "%s: %s%s\n", program, text, help ? help : "");
    return status;
}

void ex_append(char *string, size_t size, const char *format, ...)
{
    size_t used = strlen(string);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(string + used, size - used, format, arguments);
    va_end(arguments);
}

void *ex_allocate(void *block, size_t count, size_t size)
{
    if (!count) count = 1;
    void *larger = count <= SIZE_MAX / size ? tg_realloc(block, count * size) : NULL;
    if (!larger) ex_fail("out of memory: %zu times %zu bytes", count, size);
    return larger;
}

void ex_free(void *block) { tg_free(block); }

void *ex_grow(void *block, size_t used, size_t more, size_t *capacity, size_t size)
{
    if (*capacity - used >= more) return block;
    const bool fits = *capacity <= SIZE_MAX / 4 && more <= SIZE_MAX / 4;
    const size_t wanted = fits ? 2 * *capacity + more + 64 : SIZE_MAX;
    void *larger = ex_allocate(block, wanted, size);
    if (larger) *capacity = wanted;
    return larger;
}
