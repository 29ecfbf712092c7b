/* Tokens, words and ids of a text. Five letters choose the options, the rest is the text, one row
 * per line. */
#include "fuzz.h"

#include "../../examples/support/failure.h"
#include "../../examples/text_classifier/model/bag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 5, MAX_NGRAM = 5, MAX_LENGTH = 7 };

/* UTF-8 by the table of the Unicode Standard (3-7, well-formed byte sequences), and without NUL:
 * the offset of the first character that is none, or `size`. */
static size_t first_bad(const uint8_t *text, size_t size)
{
    static const struct {
        uint8_t first, last, low, high; /* ranges of the first and of the second byte */
        size_t length;
    } forms[] = {{0x01, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2},
                 {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
                 {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
                 {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4},
                 {0xF4, 0xF4, 0x80, 0x8F, 4}};
    for (size_t at = 0, length; at < size; at += length) {
        size_t f = 0;
        while (f < sizeof forms / sizeof *forms &&
               (text[at] < forms[f].first || text[at] > forms[f].last))
            f++;
        if (f == sizeof forms / sizeof *forms) return at;
        length = forms[f].length;
        if (at + length > size) return at;
        for (size_t i = 1; i < length; i++) {
            const uint8_t low = i == 1 ? forms[f].low : 0x80, high = i == 1 ? forms[f].high : 0xBF;
            if (text[at + i] < low || text[at + i] > high) return at;
        }
    }
    return size;
}

/* Places rise and lie in the text; words are UTF-8, are not empty and hold no blank. */
static void check_tokens(const ex_tokens *tokens, const char *text)
{
    size_t end = 0, bad;
    const size_t length = strlen(text);
    for (size_t i = 0; i < tokens->count; i++) {
        const ex_token *token = &tokens->items[i];
        const char *word = ex_token_word(tokens, i);
        FUZZ_CHECK(token->start >= end && token->length > 0,
                   "token %zu starts at %zu, the one before ends at %zu", i, token->start, end);
        end = token->start + token->length;
        FUZZ_CHECK(end <= length, "token %zu ends at %zu of %zu", i, end, length);
        FUZZ_CHECK(ex_text_valid(text + token->start, token->length, &bad),
                   "token %zu cuts a character", i);
        FUZZ_CHECK(*word && ex_text_valid(word, strlen(word), &bad),
                   "token %zu has the word \"%s\"", i, word);
        FUZZ_CHECK(!strpbrk(word, " \t\r\n"), "token %zu contains white space", i);
    }
}

/* Lines do not see each other: cut at its newlines a text has the same words. The lines become
 * rows of `data`. */
static void check_lines(tc_dataset *data, const tc_tokenizer *tokenizer, const ex_tokens *whole,
                        char *text)
{
    ex_tokens tokens = {0};
    size_t at = 0;
    for (char *line = text, *end; line; line = end ? end + 1 : NULL) {
        end = strchr(line, '\n');
        if (end) *end = 0;
        FUZZ_CHECK(tc_dataset_add_text(data, line), "%s", ex_failure());
        ex_tokens_clear(&tokens);
        FUZZ_CHECK(tc_tokenize(tokenizer, &tokens, line), "%s", ex_failure());
        for (size_t i = 0; i < tokens.count; i++, at++) {
            FUZZ_CHECK(at < whole->count &&
                           !strcmp(ex_token_word(&tokens, i), ex_token_word(whole, at)),
                       "token %zu, \"%s\", is another in the whole text", at,
                       ex_token_word(&tokens, i));
        }
    }
    FUZZ_CHECK(at == whole->count, "%zu tokens are %zu in lines", whole->count, at);
    ex_tokens_free(&tokens);
}

/* The bag of a batch of all rows. The embedding refuses rows that its table does not have. */
static void check_bag(const tc_dataset *data, const ex_names *words, int32_t max_ngram)
{
    tc_bag bag;
    tc_batches batches;
    tg_params *params = tg_params_new(1);
    tg_tape *tape = tg_tape_new(1);
    FUZZ_CHECK(tc_bag_init(&bag, params, words->count, BUCKETS, max_ngram, 2), "%s",
               tg_params_error(params));
    FUZZ_CHECK(tc_batches_init(&batches, (tc_slice){data->rows, data->count}, data->count), "%s",
               ex_failure());
    tc_batch *batch = tc_batches_get(&batches, 0);
    FUZZ_CHECK(tc_bag_forward(tape, &bag, batch), "%s", tg_tape_error(tape));
    tc_batches_free(&batches);
    tg_tape_free(tape);
    tg_params_free(params);
}

/* Names survive the way through a model's metadata. */
static void check_json(const ex_names *words)
{
    ex_names again;
    char *json = ex_names_to_json(words);
    FUZZ_CHECK(json && ex_names_from_json(&again, json, "words"), "%s", ex_failure());
    FUZZ_CHECK(again.count == words->count, "%d words are %d as JSON", words->count, again.count);
    for (int32_t i = 0; i < words->count; i++)
        FUZZ_CHECK(!strcmp(again.items[i], words->items[i]), "word %d changed in JSON", i);
    free(json);
    ex_names_free(&again);
}

static void check_text(const tc_tokenizer *tokenizer, char *text, int64_t min_count,
                       int32_t max_ngram)
{
    tc_dataset data = {.name = "text"};
    ex_tokens tokens = {0};
    ex_names words = {0};
    int32_t first_rare;
    FUZZ_CHECK(tc_tokenize(tokenizer, &tokens, text), "%s", ex_failure());
    check_tokens(&tokens, text);
    FUZZ_CHECK(ex_vocabulary_build(&words, &tokens, min_count, 0, &first_rare) &&
                   ex_vocabulary_valid(&words),
               "%s", ex_failure());
    FUZZ_CHECK(first_rare >= EX_FIRST_WORD && first_rare <= words.count,
               "the first rare word is %d of %d", first_rare, words.count);
    for (size_t i = 0; min_count == 1 && i < tokens.count; i++) {
        FUZZ_CHECK(ex_names_find(&words, ex_token_word(&tokens, i)) >= EX_FIRST_WORD,
                   "\"%s\" is not found", ex_token_word(&tokens, i));
    }
    check_json(&words);
    check_lines(&data, tokenizer, &tokens, text);
    FUZZ_CHECK(tc_dataset_encode_texts(&data, tokenizer, &words, MAX_LENGTH), "%s", ex_failure());
    check_bag(&data, &words, max_ngram);
    tc_dataset_free(&data);
    ex_names_free(&words);
    ex_tokens_free(&tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_input input = {bytes, size};
    static char path[1024];
    static const char *const lists[] = {NULL, "en", "zh", path};
    const int kind = fuzz_choose(&input, 2) ? TC_CHARACTERS : TC_WORDS;
    const bool no_punctuation = fuzz_choose(&input, 2);
    const char *stopwords = lists[fuzz_choose(&input, 4)];
    const int min_count = 1 + fuzz_choose(&input, 2),
              max_ngram = 1 + fuzz_choose(&input, MAX_NGRAM);
    size_t bad = input.size;
    const bool valid = ex_text_valid((const char *)input.bytes, input.size, &bad);
    FUZZ_CHECK(bad == first_bad(input.bytes, input.size) && valid == (bad == input.size),
               "the first bad byte is %zu, not %zu", first_bad(input.bytes, input.size), bad);
    fuzz_write("stopwords", input.bytes, input.size);
    snprintf(path, sizeof path, "%s", fuzz_path("stopwords"));
    tc_tokenizer tokenizer;
    const tc_tokenizer_options options = {kind, no_punctuation, stopwords};
    const bool good = tc_tokenizer_init(&tokenizer, &options);
    FUZZ_CHECK(good == !ex_failure(), "%s", good ? ex_failure() : "it failed and did not say why");
    ex_failure_clear();
    char *text = malloc(input.size + 1);
    FUZZ_CHECK(text, "no memory");
    if (input.size) memcpy(text, input.bytes, input.size);
    text[input.size] = 0;
    if (valid) check_text(&tokenizer, text, min_count, max_ngram);
    tc_tokenizer_free(&tokenizer);
    free(text);
    return 0;
}
