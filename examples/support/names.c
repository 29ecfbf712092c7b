#include "names.h"

#include "checked.h"
#include "failure.h"

#include <stdlib.h>
#include <string.h>

static const char padding_name[] = "<padding>",
                  unknown_name[] = "<unknown>"; /* no token contains both < and letters */

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const ex_name *)a)->text, ((const ex_name *)b)->text);
}

void ex_names_free(ex_names *names)
{
    for (int32_t i = 0; i < names->count; i++) ex_free(names->items[i]);
    ex_free(names->items);
    ex_free(names->sorted);
    *names = (ex_names){0};
}

static bool copy_all(ex_names *names, const char *what, const char *const *strings, size_t count)
{
    names->items = ex_allocate(NULL, count, sizeof *names->items);
    names->sorted = ex_allocate(NULL, count, sizeof *names->sorted);
    if (!names->items || !names->sorted) return false;
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(strings[i]) + 1;
        char *copy = ex_allocate(NULL, size, 1);
        if (!copy) return false;
        memcpy(copy, strings[i], size);
        names->items[i] = copy;
        names->sorted[i] = (ex_name){copy, (int32_t)i};
        names->count++;
    }
    qsort(names->sorted, count, sizeof *names->sorted, compare_names);
    for (size_t i = 1; i < count; i++) {
        if (!strcmp(names->sorted[i - 1].text, names->sorted[i].text)) {
            return ex_fail("%s: \"%s\" occurs twice", what, names->sorted[i].text);
        }
    }
    return true;
}

bool ex_names_set(ex_names *names, const char *what, const char *const *strings, size_t count)
{
    *names = (ex_names){0};
    if (count > INT32_MAX) return ex_fail("%s: %zu are too many", what, count);
    if (copy_all(names, what, strings, count)) return true;
    ex_names_free(names);
    return false;
}

int32_t ex_names_find(const ex_names *names, const char *text)
{
    if (!names->count) return -1;
    ex_name key = {text, 0};
    const ex_name *found = bsearch(&key, names->sorted, (size_t)names->count, sizeof key,
                                   compare_names);
    return found ? found->id : -1;
}

char *ex_names_to_json(const ex_names *names)
{
    json_t *array = json_array();
    for (int32_t i = 0; i < names->count; i++)
        json_array_append_new(array, json_string(names->items[i]));
    return ex_json_write(array, JSON_COMPACT);
}

static bool set_from_array(ex_names *names, const json_t *array, const char *what)
{
    size_t count = json_array_size(array);
    const char **strings = ex_allocate(NULL, count, sizeof *strings);
    if (!strings) return false;
    bool good = true;
    for (size_t i = 0; good && i < count; i++) {
        strings[i] = json_string_value(json_array_get(array, i));
        if (!strings[i]) good = ex_fail("%s: item %zu is not a string", what, i);
    }
    good = good && ex_names_set(names, what, strings, count);
    ex_free(strings);
    return good;
}

bool ex_names_from_json(ex_names *names, const char *json, const char *what)
{
    *names = (ex_names){0};
    json_t *array = ex_json_read(json);
    const bool good = json_is_array(array) ? set_from_array(names, array, what)
                                           : ex_fail("%s: not a JSON array", what);
    json_decref(array);
    return good;
}

typedef struct word_count {
    const char *word;
    size_t first; /* index of the first token that is this word */
    int64_t count;
} word_count;

static int by_word(const void *a, const void *b)
{
    const word_count *x = a, *y = b;
    int order = strcmp(x->word, y->word);
    return order ? order : (x->first > y->first) - (x->first < y->first);
}

static int by_count(const void *a, const void *b)
{
    const word_count *x = a, *y = b;
    int order = (x->count < y->count) - (x->count > y->count);
    return order ? order : (x->first > y->first) - (x->first < y->first);
}

/* Turns one entry for each token into one for each word, and returns their number. */
static size_t merge_equal(word_count *entries, size_t count)
{
    size_t words = 0;
    qsort(entries, count, sizeof *entries, by_word);
    for (size_t i = 0; i < count; i++) {
        if (words && !strcmp(entries[words - 1].word, entries[i].word)) entries[words - 1].count++;
        else entries[words++] = entries[i];
    }
    return words;
}

static bool build(ex_names *words, const ex_tokens *tokens, int64_t min_count, int64_t max_words,
                  int32_t *rare, word_count *entries, const char **strings)
{
    for (size_t i = 0; i < tokens->count; i++)
        entries[i] = (word_count){ex_token_word(tokens, i), i, 1};
    size_t distinct = merge_equal(entries, tokens->count), count = 0, repeated = 0;
    qsort(entries, distinct, sizeof *entries, by_count);
    strings[EX_PADDING] = padding_name;
    strings[EX_UNKNOWN] = unknown_name;
    if (max_words && distinct > (size_t)max_words) distinct = (size_t)max_words;
    while (count < distinct && entries[count].count >= min_count) {
        strings[EX_FIRST_WORD + count] = entries[count].word;
        if (entries[count].count > 1) repeated++;
        count++;
    }
    *rare = EX_FIRST_WORD + (int32_t)repeated;
    return ex_names_set(words, "vocabulary", strings, EX_FIRST_WORD + count);
}

bool ex_vocabulary_build(ex_names *words, const ex_tokens *tokens, int64_t min_count,
                         int64_t max_words, int32_t *rare)
{
    *words = (ex_names){0};
    word_count *entries = ex_allocate(NULL, tokens->count, sizeof *entries);
    const char **strings = ex_allocate(NULL, tokens->count + EX_FIRST_WORD, sizeof *strings);
    bool good = entries && strings &&
                build(words, tokens, min_count, max_words, rare, entries, strings);
    ex_free(entries);
    ex_free(strings);
    return good;
}

bool ex_vocabulary_valid(const ex_names *words)
{
    return words->count >= EX_FIRST_WORD && !strcmp(words->items[EX_PADDING], padding_name) &&
           !strcmp(words->items[EX_UNKNOWN], unknown_name);
}
