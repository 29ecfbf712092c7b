/* The data that the program carries, so that it needs no other: examples/data, turned into arrays by embed.py. */
#ifndef TC_BUILTIN_H
#define TC_BUILTIN_H

#include <stddef.h>

typedef struct tc_builtin {
    const char *name;  /* "builtin:reviews" */
    const char *test;  /* the name of its held-out part, or NULL */
    const char *about;
    struct {
        const unsigned char *bytes;
        const size_t *size;
    } parts[2];        /* one file after the other; the second may be absent */
} tc_builtin;

extern const tc_builtin tc_builtins[];
extern const size_t tc_builtin_count;

/* NULL where there is none of that name. */
const tc_builtin *tc_builtin_find(const char *name);

#endif
