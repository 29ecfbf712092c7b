/* Memory for libraries that do not check whether an allocation failed: stb, and jansson while it
 * parses. If one fails, such code is left at once, with longjmp. The memory comes from
 * tapegrad's allocator. */
#ifndef EX_CHECKED_H
#define EX_CHECKED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* As malloc, realloc and free; they return NULL only after ex_fail. Not thread-safe. */
void *ex_checked_allocate(size_t size);
void *ex_checked_reallocate(void *block, size_t old, size_t size);
void ex_checked_free(void *block);

/* Runs work(context). If an allocation in it fails, ex_checked_run frees all memory that work
 * allocated, and returns false after ex_fail; work does not continue. So work must not own
 * anything else that has to be released. */
bool ex_checked_run(void (*work)(void *context), void *context);

/* Parses JSON. Returns NULL if the text is not JSON, or after ex_fail. */
json_t *ex_json_read(const char *text);

/* Writes JSON as text, with the flags of json_dumps, and frees the JSON. The caller frees the
 * text with ex_free. NULL after ex_fail, also if an allocation failed while the JSON was built. */
char *ex_json_write(json_t *json, size_t flags);

#endif
