/* JSON (RFC 8259) as a safetensors header needs it: a strict scanner without recursion, and a
 * writer. core/header.c says what may stand in a header. Private to core. */
#ifndef TG_JSON_H
#define TG_JSON_H

#include "params_private.h"

/* ---- reading ---- */

/* A text that is being read. The byte after it is 0, which no token contains, so no loop runs past
 * the end. After an error nothing more is read: each function returns false or NULL. */
typedef struct tg_json {
    const char *text, *end; /* the end is the zero byte */
    char *next;             /* the first byte that is not read yet */
    size_t offset;          /* of the text in its file, for errors */
    const char *tensor;     /* whose value is being read, for errors; or NULL */
    tg_error *error;
} tg_json;

/* Sets the error: where, and what. Bytes of the file are counted from 0, as a hex dump does. */
void *tg_json_fail(tg_json *json, const char *format, ...) TG_PRINTF(2, 3);
void *tg_json_fail_expected(tg_json *json, const char *what);

/* Skips white space and reads a character, or a word, if it comes next. */
bool tg_json_accept(tg_json *json, char character);
bool tg_json_accept_word(tg_json *json, const char *word);

/* Steps through an array or an object whose opening bracket is read: whether another item follows
 * the `count` that are read. Reads the commas and the closing bracket. An error makes it false, so
 * the error is checked after the loop. */
bool tg_json_next_item(tg_json *json, size_t count, char close);

/* A string, decoded in place (no character is longer than its escape) and ended by a zero byte. NUL
 * (\u0000) is refused. tg_json_key reads the colon too. `what` names the string in an error. */
char *tg_json_string(tg_json *json, const char *what);
char *tg_json_key(tg_json *json);

/* An integer from 0 to 2^63 - 1. */
bool tg_json_integer(tg_json *json, int64_t *value);

/* Any value, which is read and forgotten. */
bool tg_json_skip(tg_json *json);

/* ---- writing ---- */

/* A text is written twice: first with `text` NULL, which only counts the bytes, then into a block
 * of that size. */
typedef struct tg_json_writer {
    char *text;
    size_t size; /* bytes so far */
} tg_json_writer;

void tg_json_put(tg_json_writer *writer, const char *text);

/* In quotes and with escapes; `text` must be UTF-8. */
void tg_json_put_string(tg_json_writer *writer, const char *text);

/* ---- UTF-8 ---- */

/* Bytes of the first character (the zero byte that ends the text is one), or 0 if the text does not
 * start with UTF-8. */
int tg_utf8_size(const char *text);
bool tg_is_utf8(const char *text);

#endif
