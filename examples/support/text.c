#include "text.h"

#include "failure.h"

#include <string.h>
#include <utf8proc.h>

enum kind {
    BLANK,  /* separates tokens */
    WORD,   /* joins other WORD characters */
    ALONE,  /* a token by itself */
    SIGN,   /* joins only the same character */
    EXTEND, /* belongs to the character before it */
};

static bool between(int c, int first, int last) { return c >= first && c <= last; }

/* Han characters (also the iteration mark and zero), Hiragana and Katakana: scripts written
 * without blanks. */
static bool is_han_or_kana(int c)
{
    return between(c, 0x4E00, 0x9FFF) || between(c, 0x3400, 0x4DBF) || between(c, 0xF900, 0xFAFF) ||
           between(c, 0x20000, 0x3FFFD) || c == 0x3005 || c == 0x3007 ||
           between(c, 0x3041, 0x3096) || between(c, 0x309D, 0x30FA) || between(c, 0x30FC, 0x30FF) ||
           between(c, 0x31F0, 0x31FF) || between(c, 0xFF66, 0xFF9D);
}

static bool is_apostrophe(int c) { return c == '\'' || c == 0x2019 || c == 0xFF07; }

static enum kind kind_of(int c)
{
    if (is_han_or_kana(c)) return ALONE;
    if (between(c, 0xFF9E, 0xFF9F)) return EXTEND;   /* half-width voicing marks */
    if (between(c, 0x1F3FB, 0x1F3FF)) return EXTEND; /* skin tones of emoji */
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return WORD;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF: return EXTEND;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC: return BLANK;
    default: return SIGN;
    }
}

size_t ex_text_next(const char *text, int *code_point)
{
    utf8proc_int32_t c;
    utf8proc_ssize_t size = utf8proc_iterate((const utf8proc_uint8_t *)text, -1, &c);
    *code_point = size > 0 ? c : 0;
    return size > 0 ? (size_t)size : 1;
}

bool ex_text_valid(const char *text, size_t length, size_t *bad)
{
    for (size_t at = 0; at < length;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t size = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
                                                 (utf8proc_ssize_t)(length - at), &c);
        if (size <= 0 || c == 0) {
            *bad = at;
            return false;
        }
        at += (size_t)size;
    }
    return true;
}

/* Returns the end of the token that starts with the character `first`, which ends at `end`.
 * Marks on a character beyond the limit of Unicode's stream-safe text (UAX #15) are dropped: the
 * time to sort them grows with the square of their number. */
static size_t token_end(const char *text, int first, size_t end, bool characters)
{
    enum { MAX_MARKS = 30 };
    enum kind kind = kind_of(first);
    int marks = 0;
    for (;;) {
        int c, after;
        size_t next = end + ex_text_next(text + end, &c);
        enum kind next_kind = kind_of(c);
        marks = next_kind == EXTEND ? marks + 1 : 0;
        bool joins = marks > 0 && marks <= MAX_MARKS;
        if (!characters)
            joins = joins || (kind == WORD && next_kind == WORD) || (kind == SIGN && c == first);
        if (!characters && kind == WORD && is_apostrophe(c)) {
            ex_text_next(text + next, &after);
            joins = kind_of(after) == WORD;
        }
        if (!joins) return end;
        end = next;
    }
}

static utf8proc_int32_t plain_apostrophe(utf8proc_int32_t c, void *unused)
{
    (void)unused;
    return c == 0x2019 ? '\'' : c;
}

/* Appends bytes and a final 0 to the words. */
static bool words_append(ex_tokens *tokens, const char *bytes, size_t length)
{
    char *words = ex_grow(tokens->words, tokens->words_used, length + 1, &tokens->words_capacity,
                          1);
    if (!words) return false;
    tokens->words = words;
    memcpy(tokens->words + tokens->words_used, bytes, length);
    tokens->words[tokens->words_used + length] = 0;
    tokens->words_used += length + 1;
    return true;
}

/* Appends the folded form of a token. It is empty if the token consists of invisible characters. */
static bool fold(ex_tokens *tokens, const char *start, size_t length)
{
    size_t word = tokens->words_used;
    bool ascii = true;
    for (size_t i = 0; i < length; i++) ascii = ascii && (unsigned char)start[i] < 0x80;
    if (ascii) { /* the same result, faster */
        if (!words_append(tokens, start, length)) return false;
        for (char *c = tokens->words + word; *c; c++) {
            if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
        }
        return true;
    }
    const utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT |
                                      UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
    utf8proc_ssize_t size = 0;
    /* If the buffer is too small, utf8proc returns the size that it needs, without the final 0. */
    do {
        int32_t *points = ex_grow(tokens->points, 0, (size_t)size + 1, &tokens->points_capacity,
                                  sizeof *points);
        if (!points) return false;
        tokens->points = points;
        size = utf8proc_decompose_custom((const utf8proc_uint8_t *)start, (utf8proc_ssize_t)length,
                                         points, (utf8proc_ssize_t)tokens->points_capacity - 1,
                                         options, plain_apostrophe, NULL);
    } while (size >= (utf8proc_ssize_t)tokens->points_capacity);
    if (size >= 0) size = utf8proc_reencode(tokens->points, size, options);
    if (size < 0) return ex_fail("folding a word: %s", utf8proc_errmsg(size));
    char *folded = (char *)tokens->points;
    size_t length_folded = 0;
    for (utf8proc_ssize_t i = 0; i < size; i++) {
        /* the compatible form of a mark by itself contains a blank */
        if (folded[i] != ' ') folded[length_folded++] = folded[i];
    }
    return words_append(tokens, folded, length_folded);
}

static void cut_word(ex_tokens *tokens, size_t word, int characters)
{
    size_t end = word;
    int c;
    while (tokens->words[end] && characters-- > 0) end += ex_text_next(tokens->words + end, &c);
    tokens->words[end] = 0;
    tokens->words_used = end + 1;
}

static bool tokens_push(ex_tokens *tokens, const char *text, size_t start, size_t end,
                        enum kind kind)
{
    ex_token *items = ex_grow(tokens->items, tokens->count, 1, &tokens->capacity, sizeof *items);
    if (!items) return false;
    tokens->items = items;
    size_t word = tokens->words_used;
    if (!fold(tokens, text + start, end - start)) return false;
    if (kind == SIGN) cut_word(tokens, word, 3);
    if (tokens->words[word]) tokens->items[tokens->count++] = (ex_token){start, end - start, word};
    else tokens->words_used = word;
    return true;
}

bool ex_tokens_add(ex_tokens *tokens, const char *text)
{
    for (size_t start = 0, end; text[start]; start = end) {
        int c;
        end = start + ex_text_next(text + start, &c);
        enum kind kind = kind_of(c);
        if (kind == BLANK || kind == EXTEND) continue;
        end = token_end(text, c, end, tokens->characters);
        if (kind == SIGN && tokens->plain) continue;
        if (!tokens_push(tokens, text, start, end, kind)) return false;
    }
    return true;
}

void ex_tokens_clear(ex_tokens *tokens) { tokens->count = tokens->words_used = 0; }

void ex_tokens_free(ex_tokens *tokens)
{
    ex_free(tokens->items);
    ex_free(tokens->words);
    ex_free(tokens->points);
    *tokens = (ex_tokens){0};
}
