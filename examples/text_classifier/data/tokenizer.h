/* Splits a text into the tokens that a model sees: those of text.h without stop words. */
#ifndef TC_TOKENIZER_H
#define TC_TOKENIZER_H

#include "../../support/names.h"

/* TC_WORDS: a token is a word, or one character of Chinese or Japanese. TC_CHARACTERS: a token is
 * one character. */
enum { TC_WORDS, TC_CHARACTERS };
extern const char *const tc_token_names[]; /* ends with NULL */

/* {0}: words and punctuation, no stop words. */
typedef struct tc_tokenizer_options {
    int kind;              /* TC_WORDS or TC_CHARACTERS */
    bool no_punctuation;   /* drop punctuation and symbols */
    const char *stopwords; /* "en", "zh", or the path of a file of words; NULL: none */
} tc_tokenizer_options;

typedef struct tc_tokenizer {
    int kind;
    bool no_punctuation;
    ex_names stopwords; /* built like a vocabulary; no token equals its first two names */
} tc_tokenizer;

/* Sets up a tokenizer. The lists "en" and "zh" hold function words but no negations (not, never,
 * don't, 不, 没), because negations reverse the meaning of a text. Returns false after ex_fail. */
bool tc_tokenizer_init(tc_tokenizer *tokenizer, const tc_tokenizer_options *options);

/* Appends the tokens of a text. `tokens` is {0} or was filled by the same tokenizer. Returns
 * false after ex_fail. */
bool tc_tokenize(const tc_tokenizer *tokenizer, ex_tokens *tokens, const char *text);

void tc_tokenizer_free(tc_tokenizer *tokenizer);

#endif
