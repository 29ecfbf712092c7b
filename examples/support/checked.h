/* Memory for code that does not look whether it got any: stb, and jansson as it reads. Where there is none such code is left at
 * once. All of it comes from tapegrad's allocator. */
#ifndef EX_CHECKED_H
#define EX_CHECKED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* As malloc, realloc and free, but that NULL comes after tc_fail. Not thread-safe. */
void *tc_checked_allocate(size_t size);
void *tc_checked_reallocate(void *block, size_t old, size_t size);
void tc_checked_free(void *block);

/* Runs work(context), to which tc_checked_allocate never returns NULL: where there is no memory, all that it took is freed, and
 * it does not return. False then, after tc_fail. It must hold nothing but such memory. */
bool tc_checked_run(void (*work)(void *context), void *context);

/* JSON from a text that ends in 0; NULL where it is none, or after tc_fail. */
json_t *tc_json_read(const char *text);

/* As a text in one line, in json_dumps' manner; the caller frees it (tc_free). Frees the JSON. NULL after tc_fail, also when there
 * was no memory for a part of the JSON, or for all of it (NULL). */
char *tc_json_write(json_t *json, size_t flags);

#endif
