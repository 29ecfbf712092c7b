/* Texts into tokens, words and ids: five letters choose how, the rest is the text, a row a line. */
#include "fuzz.h"

#include "../../examples/support/failure.h"
#include "../../examples/text_classifier/bag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 5, MAX_RUN = 5, SHORTEST_CUT = 7 };

/* UTF-8 by the table of the Unicode Standard (3-7, well-formed byte sequences), and without NUL: the offset of the first
 * character that is none, or `size`. */
static size_t first_bad(const uint8_t *text, size_t size)
{
    static const struct {
        uint8_t first, last, least, most; /* of the first byte, and of the second */
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
        if (f == sizeof forms / sizeof *forms || at + (length = forms[f].length) > size) return at;
        for (size_t i = 1; i < length; i++) {
            const uint8_t least = i == 1 ? forms[f].least : 0x80,
                          most = i == 1 ? forms[f].most : 0xBF;
            if (text[at + i] < least || text[at + i] > most) return at;
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
        FUZZ_CHECK(!strpbrk(word, " \t\r\n"), "token %zu has a blank in it", i);
    }
}

/* Lines do not see each other: cut at its newlines a text has the same words. The lines become rows of `data`. */
static void check_lines(tc_data *data, const tc_tokenizer *tokenizer, const ex_tokens *whole,
                        char *text)
{
    ex_tokens tokens = {0};
    size_t at = 0;
    for (char *line = text, *end; line; line = end ? end + 1 : NULL) {
        end = strchr(line, '\n');
        if (end) *end = 0;
        FUZZ_CHECK(tc_data_add_text(data, line), "%s", ex_failure());
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

/* The bag of words and runs of a batch of all rows: tg_gather refuses rows that are not there. */
static void check_bag(const tc_data *data, const ex_names *words, int32_t longest_run)
{
    tc_bag bag;
    tc_batches batches;
    tg_params *params = tg_params_new(1);
    tg_tape *tape = tg_tape_new(1);
    FUZZ_CHECK(tc_bag_init(&bag, params, words->count, BUCKETS, longest_run, 2), "%s",
               tg_params_error(params));
    FUZZ_CHECK(tc_batches_init(&batches, (tc_part){data->rows, data->count}, data->count), "%s",
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
        FUZZ_CHECK(!strcmp(again.items[i], words->items[i]), "word %d is another as JSON", i);
    free(json);
    ex_names_free(&again);
}

static void check_text(const tc_tokenizer *tokenizer, char *text, int64_t least, int32_t run)
{
    tc_data data = {.name = "text"};
    ex_tokens tokens = {0};
    ex_names words = {0};
    int32_t rare;
    FUZZ_CHECK(tc_tokenize(tokenizer, &tokens, text), "%s", ex_failure());
    check_tokens(&tokens, text);
    FUZZ_CHECK(ex_vocabulary_build(&words, &tokens, least, 0, &rare) && ex_vocabulary_valid(&words),
               "%s", ex_failure());
    FUZZ_CHECK(rare >= EX_FIRST_WORD && rare <= words.count, "the first rare word is %d of %d",
               rare, words.count);
    for (size_t i = 0; least == 1 && i < tokens.count; i++) {
        FUZZ_CHECK(ex_names_find(&words, ex_token_word(&tokens, i)) >= EX_FIRST_WORD,
                   "\"%s\" is not found", ex_token_word(&tokens, i));
    }
    check_json(&words);
    check_lines(&data, tokenizer, &tokens, text);
    FUZZ_CHECK(tc_data_encode(&data, tokenizer, &words, SHORTEST_CUT), "%s", ex_failure());
    check_bag(&data, &words, run);
    tc_data_free(&data);
    ex_names_free(&words);
    ex_tokens_free(&tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_input input = {bytes, size};
    tc_tokenizer tokenizer = {.kind = fuzz_choose(&input, 2) ? TC_CHARACTERS : TC_WORDS,
                              .plain = fuzz_choose(&input, 2)};
    const int stopwords = fuzz_choose(&input, 4), least = 1 + fuzz_choose(&input, 2);
    const int run = 1 + fuzz_choose(&input, MAX_RUN);
    size_t bad = input.size;
    const bool valid = ex_text_valid((const char *)input.bytes, input.size, &bad);
    FUZZ_CHECK(bad == first_bad(input.bytes, input.size) && valid == (bad == input.size),
               "byte %zu is wrong, and found was %zu", first_bad(input.bytes, input.size), bad);
    fuzz_write("stopwords", input.bytes, input.size);
    char path[1024], *text = malloc(input.size + 1);
    FUZZ_CHECK(text, "no memory");
    snprintf(path, sizeof path, "%s", fuzz_path("stopwords"));
    if (stopwords)
        tc_tokenizer_set_stopwords(&tokenizer, stopwords == 1   ? "en"
                                               : stopwords == 2 ? "zh"
                                                                : path);
    ex_failure_clear();
    if (input.size) memcpy(text, input.bytes, input.size);
    text[input.size] = 0;
    if (valid) check_text(&tokenizer, text, least, run);
    tc_tokenizer_free(&tokenizer);
    free(text);
    return 0;
}
