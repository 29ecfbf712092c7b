/* Files, read and written whole. */
#ifndef TC_FILES_H
#define TC_FILES_H

#include <stdbool.h>
#include <stddef.h>

/* The *size bytes of a file, or of standard input where its name is -, with room for one more; the caller frees them. NULL
 * after tc_fail. */
char *tc_file_read(const char *path, size_t *size);

/* Writes a file whole or not at all: beside its place, then renamed. False after tc_fail. */
bool tc_file_write(const char *path, const char *bytes, size_t size);

/* Whether a file of this name can be written, or an existing regular one replaced; nothing is left behind. False after
 * tc_fail. */
bool tc_output_check(const char *path);

#endif
