/* Numbered names: the vocabulary and the labels. */
#ifndef EX_NAMES_H
#define EX_NAMES_H

#include "text.h"

#include <stdint.h>

enum { EX_PADDING = 0, EX_UNKNOWN = 1, EX_FIRST_WORD = 2 }; /* ids of a vocabulary */

typedef struct tc_names {
    int32_t count;
    char **items;      /* by id; owned */
    int32_t *slots;    /* ids by the hash of their text; -1 in a free slot */
    size_t slot_count; /* a power of two, at least twice `count` */
} tc_names;

/* Copies `count` strings. False after tc_fail: two of `what` (a few words) are the same, or there is no memory. */
bool tc_names_set(tc_names *names, const char *what, const char *const *strings, size_t count);
void tc_names_free(tc_names *names);

/* The id, or -1. */
int32_t tc_names_find(const tc_names *names, const char *text);

/* As a JSON array of strings in the order of ids. tc_names_to_json returns what the caller frees, or NULL after tc_fail;
 * tc_names_from_json says in its failure that `what` (a few words) is at fault. */
char *tc_names_to_json(const tc_names *names);
bool tc_names_from_json(tc_names *names, const char *json, const char *what);

/* The vocabulary of `tokens`: id 0 "<padding>", 1 "<unknown>", then the words that stand there at least `least` times, the
 * most frequent first, equally frequent ones in the order of their first appearance, `most` of them or (0) all. *rare is the first id of the words
 * that stand there once. */
bool tc_vocabulary_build(tc_names *words, const tc_tokens *tokens, int64_t least, int64_t most,
                         int32_t *rare);

/* Whether the names start as a vocabulary does. */
bool tc_vocabulary_valid(const tc_names *words);

#endif
