/* Text into tokens, by Unicode's classes of characters (utf8proc).
 *
 *   letters, digits, marks   together are a word; an apostrophe between two of them belongs to it (don't)
 *   Han and Kana             one token a character
 *   punctuation and symbols  one token; the same mark repeated is still one, of at most three marks (...)
 *   blanks, controls         nothing
 *
 * Words are folded: compatible forms made one (NFKC), case removed, a typographic apostrophe made a plain one. */
#ifndef EX_TEXT_H
#define EX_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tc_token {
    size_t start, length; /* its place in the text as written, in bytes */
    size_t word;          /* where its folded form, ending in 0, starts in `words` */
} tc_token;

/* A growing list. Start with {0}; fill it again after tc_tokens_clear, and its memory is used again. */
typedef struct tc_tokens {
    tc_token *items;
    size_t count, room;
    char *words;
    size_t words_used, words_room;
    int32_t *points; /* of the word that is being folded */
    size_t points_room;
    bool characters; /* every character is a token */
    bool plain;      /* punctuation and symbols are none */
} tc_tokens;

/* Appends the tokens of `text`, which is valid UTF-8 ending in 0. False after tc_fail, when there is no memory. */
bool tc_tokens_add(tc_tokens *tokens, const char *text);

static inline const char *tc_token_word(const tc_tokens *tokens, size_t index)
{
    return tokens->words + tokens->items[index].word;
}

void tc_tokens_clear(tc_tokens *tokens);
void tc_tokens_free(tc_tokens *tokens);

/* Whether `length` bytes are UTF-8 without NUL; otherwise *bad is the offset of the first byte that is not. */
bool tc_text_valid(const char *text, size_t length, size_t *bad);

/* The code point at the start of valid UTF-8, and the number of its bytes. */
size_t tc_text_next(const char *text, int *code_point);

#endif
