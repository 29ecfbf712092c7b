/* How a function says why it failed: it returns tc_fail("..."), which is false, and main prints the text as one line. */
#ifndef EX_FAILURE_H
#define EX_FAILURE_H

#include <stdbool.h>
#include <stddef.h>

/* Keeps the text unless there is one already: the first failure is the cause of those after it. Returns false. */
bool tc_fail(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* The text, or NULL when nothing failed; tc_failure_clear forgets it. */
const char *tc_failure(void);
void tc_failure_clear(void);

/* The start of a program: jansson's memory is what tc_checked_allocate gives. */
void tc_begin(void);

/* The end of a program: the failure on a line of its own, after the program's name and before `help` (NULL: nothing). What was
 * printed may be stuck in a full disk or a closed pipe: then a status of 0 becomes 1. Returns the exit status. */
int tc_end(const char *program, int status, const char *help);

/* Appends to a string in `size` bytes what there is room for: for messages that are put together. */
void tc_append(char *string, size_t size, const char *format, ...)
    __attribute__((__format__(__printf__, 3, 4)));

/* tapegrad's realloc (tg_realloc) for `count` items of `size` bytes; NULL after tc_fail. Where there is no memory, the old block
 * stays as it was. `count` 0 still gives a block. tc_free frees it. */
void *tc_allocate(void *block, size_t count, size_t size);
void tc_free(void *block);

/* The same for a list that grows: `used` of its *room items are taken, and there is to be room for `more`. */
void *tc_grow(void *block, size_t used, size_t more, size_t *room, size_t size);

#endif
