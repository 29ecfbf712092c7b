/* Sticky errors. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

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
