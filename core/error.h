/* Sticky errors: a tape or a tg_params keeps the first one as one line of text. Private. */
#ifndef TG_ERROR_H
#define TG_ERROR_H

#include <stdarg.h>

#include "base.h"

typedef struct tg_error {
    bool set;
    char text[512];
} tg_error;

/* Keeps the error unless one is set already. Returns NULL, which is also false. */
void *tg_fail(tg_error *error, const char *format, ...) TG_PRINTF(2, 3);

/* The same with "prefix: " in front (prefix may be NULL). */
void tg_fail_v(tg_error *error, const char *prefix, const char *format, va_list arguments);

/* "out of memory: 64 bytes for a tape", in memory of this thread that the next call overwrites. */
const char *tg_out_of_memory_text(const char *what, size_t bytes);

#endif
