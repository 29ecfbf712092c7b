/* The data that the program carries. embed.py turns the files into byte arrays at build time. */
#ifndef TC_BUILTIN_H
#define TC_BUILTIN_H

#include <stddef.h>

/* Texts that end in 0: one stop word per line. */
extern const unsigned char textclf_stopwords_en[], textclf_stopwords_zh[];

typedef struct tc_builtin {
    const char *name; /* such as "builtin:reviews" */
    const char *test; /* the name of its held-out part, or NULL */
    const char *description;
    const unsigned char *text; /* TSV without a header, ends in 0 */
} tc_builtin;

extern const tc_builtin tc_builtins[];
extern const size_t tc_builtin_count;

/* Returns NULL if no builtin has this name. */
const tc_builtin *tc_builtin_find(const char *name);

#endif
