#include "names.h"

#include "checked.h"
#include "failure.h"

#include <stdlib.h>
#include <string.h>

static const char padding_name[] = "<padding>",
                  unknown_name[] = "<unknown>"; /* no token contains both < and letters */

/* A hash table for `count` texts: free slots, at least half of which will stay free. NULL after
 * ex_fail. */
static int32_t *new_slots(size_t count, size_t *slot_count)
{
    *slot_count = 2;
    while (*slot_count < 2 * count) *slot_count *= 2;
    int32_t *slots = ex_allocate(NULL, *slot_count, sizeof *slots);
    if (slots) memset(slots, 0xFF, *slot_count * sizeof *slots); /* -1 each */
    return slots;
}

/* The slot of a text, or the free slot where it belongs: the first of either from its hash (FNV-1a)
 * on. */
static int32_t *find_slot(int32_t *slots, size_t slot_count, const char *const *texts,
                          const char *text)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (const char *c = text; *c; c++) hash = (hash ^ (unsigned char)*c) * 0x100000001B3u;
    size_t slot = (size_t)(hash ^ hash >> 32) & (slot_count - 1);
    while (slots[slot] >= 0 && strcmp(texts[slots[slot]], text) != 0)
        slot = (slot + 1) & (slot_count - 1);
    return &slots[slot];
}

void ex_names_free(ex_names *names)
{
    for (int32_t i = 0; i < names->count; i++) ex_free(names->items[i]);
    ex_free(names->items);
    ex_free(names->slots);
    *names = (ex_names){0};
}

static bool copy_all(ex_names *names, const char *what, const char *const *strings, size_t count)
{
    names->items = ex_allocate(NULL, count, sizeof *names->items);
    names->slots = new_slots(count, &names->slot_count);
    if (!names->items || !names->slots) return false;
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(strings[i]) + 1;
        char *copy = ex_allocate(NULL, size, 1);
        if (!copy) return false;
        memcpy(copy, strings[i], size);
        names->items[i] = copy;
        names->count++;
        int32_t *slot = find_slot(names->slots, names->slot_count,
                                  (const char *const *)names->items, copy);
        if (*slot >= 0) return ex_fail("%s: \"%s\" occurs twice", what, copy);
        *slot = (int32_t)i;
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
    return *find_slot(names->slots, names->slot_count, (const char *const *)names->items, text);
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
    int32_t number; /* in the order of first appearance */
    int64_t count;
} word_count;

static int by_count(const void *a, const void *b)
{
    const word_count *x = a, *y = b;
    int order = (x->count < y->count) - (x->count > y->count);
    return order ? order : (x->number > y->number) - (x->number < y->number);
}

/* Counts the words of all tokens and sorts them, the most frequent first. Returns their number.
 * `texts` is workspace. */
static size_t count_words(const ex_tokens *tokens, word_count *entries, const char **texts,
                          int32_t *slots, size_t slot_count)
{
    int32_t words = 0;
    for (size_t i = 0; i < tokens->count; i++) {
        const char *word = ex_token_word(tokens, i);
        int32_t *slot = find_slot(slots, slot_count, texts, word);
        if (*slot < 0) {
            entries[words] = (word_count){word, words, 0};
            texts[words] = word;
            *slot = words++;
        }
        entries[*slot].count++;
    }
    qsort(entries, (size_t)words, sizeof *entries, by_count);
    return (size_t)words;
}

static bool build(ex_names *words, size_t distinct, int64_t min_count, int32_t *rare,
                  const word_count *entries, const char **strings)
{
    size_t count = 0, repeated = 0;
    strings[EX_PADDING] = padding_name;
    strings[EX_UNKNOWN] = unknown_name;
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
    size_t slot_count;
    *words = (ex_names){0};
    word_count *entries = ex_allocate(NULL, tokens->count, sizeof *entries);
    const char **strings = ex_allocate(NULL, tokens->count + EX_FIRST_WORD, sizeof *strings);
    int32_t *slots = new_slots(tokens->count, &slot_count);
    bool good = entries && strings && slots;
    if (good) {
        size_t distinct = count_words(tokens, entries, strings, slots, slot_count);
        if (max_words && distinct > (size_t)max_words) distinct = (size_t)max_words;
        good = build(words, distinct, min_count, rare, entries, strings);
    }
    ex_free(entries);
    ex_free(strings);
    ex_free(slots);
    return good;
}

bool ex_vocabulary_valid(const ex_names *words)
{
    return words->count >= EX_FIRST_WORD && !strcmp(words->items[EX_PADDING], padding_name) &&
           !strcmp(words->items[EX_UNKNOWN], unknown_name);
}
