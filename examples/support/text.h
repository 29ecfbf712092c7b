/* Splits text into tokens, by Unicode's classes of characters (utf8proc):
 *
 *   letters, digits, marks   a run of them is a word; an apostrophe between two is part of it
 *   Han and Kana             each character is a token
 *   punctuation and symbols  each is a token; repeated, it is one token of at most three marks
 *   blanks, controls         separate tokens
 *
 * Words are folded: compatible forms become one (NFKC), case is removed, a typographic
 * apostrophe becomes a plain one. */
#ifndef EX_TEXT_H
#define EX_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ex_token {
    size_t start, length; /* its bytes in the original text */
    size_t word;          /* offset of its folded form, ending in 0, in `words` */
} ex_token;

/* A growing list. Start with {0}. ex_tokens_clear empties it, and it reuses its memory. */
typedef struct ex_tokens {
    ex_token *items;
    size_t count, capacity;
    char *words;
    size_t words_used, words_capacity;
    int32_t *points; /* code points of the word that is being folded */
    size_t points_capacity;
    bool characters; /* make every character a token */
    bool plain;      /* leave out punctuation and symbols */
} ex_tokens;

/* Appends the tokens of `text`, which must be valid UTF-8. False after ex_fail if memory is
 * short. */
bool ex_tokens_add(ex_tokens *tokens, const char *text);

static inline const char *ex_token_word(const ex_tokens *tokens, size_t index)
{
    return tokens->words + tokens->items[index].word;
}

void ex_tokens_clear(ex_tokens *tokens);
void ex_tokens_free(ex_tokens *tokens);

/* Whether `length` bytes are UTF-8 without a 0 byte. If not, *bad is the offset of the first
 * wrong byte. */
bool ex_text_valid(const char *text, size_t length, size_t *bad);

/* Stores the code point at the start of valid UTF-8, and returns the number of its bytes. */
size_t ex_text_next(const char *text, int *code_point);

#endif
