#include "tokenizer.h"

#include "../../support/failure.h"
#include "../../support/files.h"
#include "builtin.h"

#include <string.h>

const char *const tc_token_names[] = {"words", "characters", NULL};

/* The built-in list of this name, or NULL. */
static const char *builtin_stopwords(const char *name)
{
    if (!strcmp(name, "en")) return (const char *)textclf_stopwords_en;
    if (!strcmp(name, "zh")) return (const char *)textclf_stopwords_zh;
    return NULL;
}

/* Adds the words of `text`, which may be NULL after ex_fail. */
static bool set_stopwords(tc_tokenizer *tokenizer, const char *name, const char *text)
{
    ex_tokens tokens = {0};
    int32_t first_rare;
    bool good = text && ex_tokens_add(&tokens, text);
    if (good && !tokens.count)
        good = ex_fail("--stopwords %s: the file has no words; give en, zh or a file of words",
                       name);
    good = good && ex_vocabulary_build(&tokenizer->stopwords, &tokens, 1, 0, &first_rare);
    ex_tokens_free(&tokens);
    return good;
}

/* Returns the text of a file, which the caller frees, or NULL after ex_fail. */
static char *read_words(const char *path)
{
    size_t size, bad;
    char *bytes = ex_file_read(path, &size);
    if (!bytes) return NULL;
    bytes[size] = 0;
    if (ex_text_valid(bytes, size, &bad)) return bytes;
    ex_fail("%s: byte %zu, 0x%02X, is not valid UTF-8; save the stop words as UTF-8", path, bad + 1,
            (unsigned)(unsigned char)bytes[bad]);
    ex_free(bytes);
    return NULL;
}

bool tc_tokenizer_init(tc_tokenizer *tokenizer, const tc_tokenizer_options *options)
{
    const char *name = options->stopwords;
    *tokenizer = (tc_tokenizer){.kind = options->kind, .no_punctuation = options->no_punctuation};
    if (!name) return true;
    const char *list = builtin_stopwords(name);
    if (list) return set_stopwords(tokenizer, name, list);
    char *bytes = read_words(name);
    const bool good = set_stopwords(tokenizer, name, bytes);
    ex_free(bytes);
    return good;
}

bool tc_tokenize(const tc_tokenizer *tokenizer, ex_tokens *tokens, const char *text)
{
    size_t count = tokens->count;
    tokens->characters = tokenizer->kind == TC_CHARACTERS;
    tokens->plain = tokenizer->no_punctuation;
    if (!ex_tokens_add(tokens, text)) return false;
    for (size_t i = count; i < tokens->count; i++) {
        if (ex_names_find(&tokenizer->stopwords, ex_token_word(tokens, i)) < 0)
            tokens->items[count++] = tokens->items[i];
    }
    tokens->count = count;
    return true;
}

void tc_tokenizer_free(tc_tokenizer *tokenizer) { ex_names_free(&tokenizer->stopwords); }
