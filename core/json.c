/* A scanner for JSON and a writer of its strings. The scanner takes exactly what RFC 8259 allows,
 * but for two points: a string must not contain NUL, and an integer must fit in 63 bits. */
#include <string.h>
#include <stdio.h>
#include <stdarg.h>

#include "json.h"

enum { MAX_DEPTH = 125 }; /* of a value that is skipped, as in the reference implementation */

/* ---- errors ---- */

void *tg_json_fail(tg_json *json, const char *format, ...)
{
    char place[192];
    va_list arguments;
    const size_t byte = json->offset + (size_t)(json->next - json->text);
    if (json->tensor)
        snprintf(place, sizeof place, "bad header at byte %zu (tensor %.100s)", byte, json->tensor);
    else snprintf(place, sizeof place, "bad header at byte %zu", byte);
    va_start(arguments, format);
    tg_fail_v(json->error, place, format, arguments);
    va_end(arguments);
    return NULL;
}

void *tg_json_fail_expected(tg_json *json, const char *what)
{
    const unsigned char c = (unsigned char)*json->next;
    if (json->next == json->end)
        return tg_json_fail(json, "expected %s, found the end of the header", what);
    if (c <= ' ' || c >= 127)
        return tg_json_fail(json, "expected %s, found byte 0x%02X", what, (unsigned)c);
    return tg_json_fail(json, "expected %s, found '%c'", what, c);
}

/* ---- UTF-8 ---- */

/* The Unicode Standard, table 3-7, "Well-Formed UTF-8 Byte Sequences": no overlong forms, no
 * surrogates, nothing above U+10FFFF. Bytes from the third on are 80 .. BF. */
static const struct {
    unsigned char first_min, first_max, second_min, second_max;
    int size;
} utf8_forms[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

int tg_utf8_size(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    if (c[0] < 0x80) return 1;
    for (size_t i = 0; i < sizeof utf8_forms / sizeof *utf8_forms; i++) {
        if (c[0] < utf8_forms[i].first_min || c[0] > utf8_forms[i].first_max) continue;
        if (c[1] < utf8_forms[i].second_min || c[1] > utf8_forms[i].second_max) return 0;
        for (int k = 2; k < utf8_forms[i].size; k++)
            if (c[k] < 0x80 || c[k] > 0xBF) return 0;
        return utf8_forms[i].size;
    }
    return 0;
}

bool tg_is_utf8(const char *text)
{
    while (*text) {
        const int size = tg_utf8_size(text);
        if (size == 0) return false;
        text += size;
    }
    return true;
}

/* Writes a code point; returns the place after it. */
static char *put_utf8(char *to, unsigned code)
{
    static const unsigned marks[] = {0, 0xC0, 0xE0, 0xF0}; /* in the first of 1 .. 4 bytes */
    const int more = (code >= 0x80) + (code >= 0x800) + (code >= 0x10000);
    to[0] = (char)(marks[more] | code >> 6 * more);
    for (int k = 1; k <= more; k++) to[k] = (char)(0x80 | (code >> 6 * (more - k) & 0x3F));
    return to + more + 1;
}

/* ---- tokens ---- */

static char skip_space(tg_json *json)
{
    while (*json->next == ' ' || *json->next == '\t' || *json->next == '\n' || *json->next == '\r')
        json->next++;
    return *json->next;
}

bool tg_json_accept(tg_json *json, char character)
{
    if (skip_space(json) != character) return false;
    json->next++;
    return true;
}

bool tg_json_accept_word(tg_json *json, const char *word)
{
    skip_space(json);
    if (strncmp(json->next, word, strlen(word)) != 0) return false;
    json->next += strlen(word);
    return true;
}

bool tg_json_next_item(tg_json *json, size_t count, char close)
{
    if (tg_json_accept(json, close)) return false;
    if (count == 0 || tg_json_accept(json, ',')) return true;
    return tg_json_fail_expected(json, close == ']' ? "',' or ']'" : "',' or '}'");
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool tg_json_integer(tg_json *json, int64_t *value)
{
    const char first = skip_space(json);
    *value = 0;
    if (!is_digit(first)) return tg_json_fail_expected(json, "an integer that is not negative");
    while (is_digit(*json->next)) {
        const int digit = *json->next - '0';
        if (*value > (INT64_MAX - digit) / 10)
            return tg_json_fail(json, "an integer exceeds 9223372036854775807");
        *value = 10 * *value + digit;
        json->next++;
        if (first == '0') break; /* nothing may follow a leading 0: the caller expects no digit */
    }
    return true;
}

/* The code unit of \uXXXX, or -1 if the text does not start with that. */
static int utf16_unit(const char *text)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    int unit = 0;
    if (text[0] != '\\' || text[1] != 'u') return -1;
    for (int k = 2; k < 6; k++) {
        const char *digit = text[k] ? strchr(digits, text[k]) : NULL;
        if (!digit) return -1;
        const int value = (int)(digit - digits);
        unit = 16 * unit + (value < 16 ? value : value - 6);
    }
    return unit;
}

/* Reads an escape and writes its character to *to. A character above U+FFFF is two escapes, a high
 * surrogate (D800 .. DBFF) and a low one (DC00 .. DFFF), with ten bits each. */
static bool read_escape(tg_json *json, char **to)
{
    static const char letters[] = "\"\\/bfnrt", characters[] = "\"\\/\b\f\n\r\t";
    const char *letter = json->next[1] ? strchr(letters, json->next[1]) : NULL;
    if (letter) {
        *(*to)++ = characters[letter - letters];
        json->next += 2;
        return true;
    }
    int code = utf16_unit(json->next), low = -1;
    if (code < 0) return tg_json_fail(json, "this backslash does not start an escape of JSON");
    if (code == 0) return tg_json_fail(json, "a string must not contain \\u0000");
    if (code >= 0xD800 && code <= 0xDBFF) low = utf16_unit(json->next + 6);
    if (low >= 0xDC00 && low <= 0xDFFF) {
        code = 0x10000 + (code - 0xD800) * 0x400 + (low - 0xDC00);
        json->next += 6;
    }
    if (code >= 0xD800 && code <= 0xDFFF)
        return tg_json_fail(json, "\\u%04X is half of a surrogate pair", (unsigned)code);
    *to = put_utf8(*to, (unsigned)code);
    json->next += 6;
    return true;
}

char *tg_json_string(tg_json *json, const char *what)
{
    if (!tg_json_accept(json, '"')) return tg_json_fail_expected(json, what);
    char *start = json->next, *to = start;
    while (*json->next != '"') {
        const unsigned char c = (unsigned char)*json->next;
        const int size = tg_utf8_size(json->next);
        if (json->next == json->end) return tg_json_fail(json, "a string is not closed");
        if (c < ' ') return tg_json_fail(json, "a string contains the control character 0x%02X", c);
        if (size == 0) return tg_json_fail(json, "a string is not UTF-8 (byte 0x%02X)", c);
        if (c == '\\') {
            if (!read_escape(json, &to)) return NULL;
            continue;
        }
        memmove(to, json->next, (size_t)size);
        to += size;
        json->next += size;
    }
    json->next++;
    *to = 0;
    return start;
}

char *tg_json_key(tg_json *json)
{
    char *key = tg_json_string(json, "a key in quotes");
    if (key && !tg_json_accept(json, ':')) return tg_json_fail_expected(json, "':' after a key");
    return key;
}

/* ---- values that are skipped ---- */

static bool skip_digits(tg_json *json)
{
    if (!is_digit(*json->next)) return tg_json_fail_expected(json, "a digit");
    while (is_digit(*json->next)) json->next++;
    return true;
}

/* -? (0 | 1 .. 9 digits) (. digits)? ((e | E) (+ | -)? digits)? */
static bool skip_number(tg_json *json)
{
    if (*json->next == '-') json->next++;
    if (*json->next == '0') json->next++;
    else if (!skip_digits(json)) return false;
    if (*json->next == '.') {
        json->next++;
        if (!skip_digits(json)) return false;
    }
    if (*json->next != 'e' && *json->next != 'E') return true;
    json->next++;
    if (*json->next == '+' || *json->next == '-') json->next++;
    return skip_digits(json);
}

static bool skip_scalar(tg_json *json)
{
    const char c = skip_space(json);
    if (c == '"') return tg_json_string(json, "a string") != NULL;
    if (c == '-' || is_digit(c)) return skip_number(json);
    if (tg_json_accept_word(json, "true") || tg_json_accept_word(json, "false")) return true;
    return tg_json_accept_word(json, "null") || tg_json_fail_expected(json, "a value");
}

/* The brackets that will close the open ones are a stack. `count` is 0 right after a bracket opens,
 * then 1: tg_json_next_item only asks whether a comma is due. */
bool tg_json_skip(tg_json *json)
{
    char closing[MAX_DEPTH];
    int depth = 0;
    do {
        const char c = skip_space(json);
        const bool opens = c == '{' || c == '[';
        size_t count = opens ? 0 : 1;
        if (opens && depth == MAX_DEPTH)
            return tg_json_fail(json, "a value is nested deeper than %d levels", MAX_DEPTH);
        if (opens) {
            json->next++;
            closing[depth++] = c == '{' ? '}' : ']';
        } else if (!skip_scalar(json)) {
            return false;
        }
        while (depth > 0 && !tg_json_next_item(json, count, closing[depth - 1])) {
            if (json->error->set) return false;
            depth--;
            count = 1;
        }
        if (depth > 0 && closing[depth - 1] == '}' && !tg_json_key(json)) return false;
    } while (depth > 0);
    return true;
}

/* ---- writing ---- */

static void put_bytes(tg_json_writer *writer, const char *bytes, size_t size)
{
    if (writer->text) memcpy(writer->text + writer->size, bytes, size);
    writer->size += size;
}

void tg_json_put(tg_json_writer *writer, const char *text)
{
    put_bytes(writer, text, strlen(text));
}

void tg_json_put_string(tg_json_writer *writer, const char *text)
{
    static const char characters[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    put_bytes(writer, "\"", 1);
    for (; *text; text++) {
        const char *special = strchr(characters, *text);
        char escape[8] = {'\\'};
        if (special) escape[1] = letters[special - characters];
        else if ((unsigned char)*text < ' ')
            snprintf(escape, sizeof escape, "\\u%04X", (unsigned)*text);
        if (escape[1]) tg_json_put(writer, escape);
        else put_bytes(writer, text, 1);
    }
    put_bytes(writer, "\"", 1);
}
