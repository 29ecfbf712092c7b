/* Numbered names: a vocabulary, or the labels. */
#ifndef EX_NAMES_H
#define EX_NAMES_H

#include "text.h"

#include <stdint.h>

enum { EX_PADDING = 0, EX_UNKNOWN = 1, EX_FIRST_WORD = 2 }; /* ids of a vocabulary */

typedef struct ex_names {
    int32_t count;
    char **items;      /* by id; owned */
    int32_t *slots;    /* ids by the hash of their text; -1 in a free slot */
    size_t slot_count; /* a power of two, at least twice `count` */
} ex_names;

/* Copies `count` strings. False after ex_fail if two are the same or memory is short; the
 * message starts with `what`. */
bool ex_names_set(ex_names *names, const char *what, const char *const *strings, size_t count);
void ex_names_free(ex_names *names);

/* The id of a name, or -1. */
int32_t ex_names_find(const ex_names *names, const char *text);

/* A JSON array of the names in the order of their ids. The caller frees the text of
 * ex_names_to_json, which is NULL after ex_fail. The failure of ex_names_from_json starts with
 * `what`. */
char *ex_names_to_json(const ex_names *names);
bool ex_names_from_json(ex_names *names, const char *json, const char *what);

/* The vocabulary of `tokens`: id 0 is "<padding>", 1 is "<unknown>"; then come the words that
 * occur at least `min_count` times, the most frequent first, equally frequent ones in the order
 * of their first occurrence, at most `max_words` of them (0: all). *rare is the first id of the
 * words that occur once. */
bool ex_vocabulary_build(ex_names *words, const ex_tokens *tokens, int64_t min_count,
                         int64_t max_words, int32_t *rare);

/* Whether the names start as a vocabulary does. */
bool ex_vocabulary_valid(const ex_names *words);

#endif
