/* What a model makes of a text: the tokens of text.h without its stop words. */
#ifndef TC_TOKENIZER_H
#define TC_TOKENIZER_H

#include "../support/names.h"

/* What a token is: a word, or a character of Chinese or Japanese; or every character. */
enum { TC_WORDS, TC_CHARACTERS };
extern const char *const tc_token_names[]; /* NULL at the end */

/* Start with {0}: words and punctuation, none of them a stop word. */
typedef struct tc_tokenizer {
    int kind;           /* TC_WORDS or TC_CHARACTERS */
    bool plain;         /* punctuation and symbols are no tokens */
    ex_names stopwords; /* like a vocabulary, whose first two names no token has */
} tc_tokenizer;

/* Takes the stop words "en", "zh" (characters, as Chinese is cut into), or all the words of a text file. The first two are words of
 * grammar without negations (not, never, don't, 不, 没), which turn a text's meaning round. False after ex_fail. */
bool tc_tokenizer_set_stopwords(tc_tokenizer *tokenizer, const char *name);

/* Appends the tokens of a text; see ex_tokens_add. `tokens` is new or was filled by the same tokenizer. */
bool tc_tokenize(const tc_tokenizer *tokenizer, ex_tokens *tokens, const char *text);

void tc_tokenizer_free(tc_tokenizer *tokenizer);

#endif
