#include "tokenizer.h"

#include "builtin.h"
#include "../support/failure.h"
#include "../support/files.h"

#include <string.h>

const char *const tc_token_names[] = {"words", "characters", NULL};

bool tc_tokenizer_set_stopwords(tc_tokenizer *tokenizer, const char *name)
{
    const unsigned char *list = !strcmp(name, "en")   ? textclf_stopwords_en
                                : !strcmp(name, "zh") ? textclf_stopwords_zh
                                                      : NULL;
    const char *words = (const char *)list;
    size_t size, bad;
    char *bytes = words ? NULL : ex_file_read(name, &size);
    if (!words && !bytes) return false;
    if (bytes) bytes[size] = 0;
    ex_tokens tokens = {0};
    int32_t rare;
    bool good = words || ex_text_valid(bytes, size, &bad) ||
                ex_fail("%s: byte %zu is not UTF-8 text", name, bad + 1);
    good = good && ex_tokens_add(&tokens, words ? words : bytes);
    if (good && !tokens.count)
        good = ex_fail("%s: there is no stop word in it: give en, zh, or a file of words", name);
    good = good && ex_vocabulary_build(&tokenizer->stopwords, &tokens, 1, 0, &rare);
    ex_tokens_free(&tokens);
    ex_free(bytes);
    return good;
}

bool tc_tokenize(const tc_tokenizer *tokenizer, ex_tokens *tokens, const char *text)
{
    size_t kept = tokens->count;
    tokens->characters = tokenizer->kind == TC_CHARACTERS;
    tokens->plain = tokenizer->plain;
    if (!ex_tokens_add(tokens, text)) return false;
    for (size_t i = kept; i < tokens->count; i++) {
        if (ex_names_find(&tokenizer->stopwords, ex_token_word(tokens, i)) < 0)
            tokens->items[kept++] = tokens->items[i];
    }
    tokens->count = kept;
    return true;
}

void tc_tokenizer_free(tc_tokenizer *tokenizer) { ex_names_free(&tokenizer->stopwords); }
