/* How functions report failure: a function returns ex_fail("..."), which is false, and main
 * prints the text as one line. */
#ifndef EX_FAILURE_H
#define EX_FAILURE_H

#include <stdbool.h>
#include <stddef.h>

/* Stores the text of the first failure; later ones are its consequences and are dropped. Returns
 * false. */
bool ex_fail(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* The text of the failure, or NULL if nothing failed; ex_failure_clear forgets it. */
const char *ex_failure(void);
void ex_failure_clear(void);

/* Call it at the start of a program: makes jansson allocate by ex_checked_allocate. */
void ex_begin(void);

/* Call it at the end of a program: prints the failure, if any, as "PROGRAM: FAILURE HELP" on
 * standard error (help may be NULL), and returns the exit status. A status of 0 becomes 1 if
 * standard output could not be written (full disk, closed pipe). */
int ex_end(const char *program, int status, const char *help);

/* Appends to a string in a buffer of `size` bytes, and cuts off what does not fit. */
void ex_append(char *string, size_t size, const char *format, ...)
    __attribute__((__format__(__printf__, 3, 4)));

/* Resizes a block (NULL: a new one) to `count` items of `size` bytes, by tg_realloc; free it
 * with ex_free. NULL after ex_fail; the old block is unchanged then. A count of 0 gives a block,
 * too. */
void *ex_allocate(void *block, size_t count, size_t size);
void ex_free(void *block);

/* The same for a growing list that has `used` items: makes sure that *capacity is at least used
 * + more. */
void *ex_grow(void *block, size_t used, size_t more, size_t *capacity, size_t size);

#endif
