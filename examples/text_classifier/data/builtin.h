/* The data that the program carries, so that it needs no other: files, turned by embed.py into texts that end in 0. */
#ifndef TC_BUILTIN_H
#define TC_BUILTIN_H

#include <stddef.h>

extern const unsigned char textclf_page[], textclf_stopwords_en[],
    textclf_stopwords_zh[]; /* page: its style, in CSS */

typedef struct tc_builtin {
    const char *name; /* "builtin:reviews" */
    const char *test; /* the name of its held-out part, or NULL */
    const char *about;
    const unsigned char *text; /* TSV */
} tc_builtin;

extern const tc_builtin tc_builtins[];
extern const size_t tc_builtin_count;

/* NULL where there is none of that name. */
const tc_builtin *tc_builtin_find(const char *name);

#endif
