/* Memory for libraries that do not check whether an allocation failed: stb, and jansson while it
 * parses. If one fails, such code is left at once, with longjmp. The memory comes from
 * tapegrad's allocator. */
#ifndef EX_CHECKED_H
#define EX_CHECKED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* As malloc, realloc and free; they return NULL only after tc_fail. Not thread-safe. */
void *tc_checked_allocate(size_t size);
void *tc_checked_reallocate(void *block, size_t old, size_t size);
void tc_checked_free(void *block);

/* Runs work(context). If an allocation in it fails, tc_checked_run frees all memory that work
 * allocated, and returns false after tc_fail; work does not continue. So work must not own
 * anything else that has to be released. */
bool tc_checked_run(void (*work)(void *context), void *context);

/* Parses JSON. Returns NULL if the text is not JSON, or after tc_fail. */
json_t *tc_json_read(const char *text);

/* Writes JSON as text, with the flags of json_dumps, and frees the JSON. The caller frees the
 * text with tc_free. NULL after tc_fail, also if an allocation failed while the JSON was built. */
char *tc_json_write(json_t *json, size_t flags);

#endif
