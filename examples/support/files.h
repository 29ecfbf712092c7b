/* Reads and writes whole files. */
#ifndef EX_FILES_H
#define EX_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Reads a file, or standard input if the path is "-". The block has *size bytes and one more,
 * for a final 0; the caller frees it with ex_free. NULL after ex_fail. */
char *ex_file_read(const char *path, size_t *size);

/* Whether a file of this name can be created, or an existing regular file replaced. Leaves
 * nothing behind, and removes a partial file that a killed process left. False after ex_fail. */
bool ex_output_check(const char *path);

/* Whether a file name has this ending, such as ".html". */
bool ex_has_suffix(const char *path, const char *end);

/* Whether two paths mean the same file. It need not exist yet. */
bool ex_same_file(const char *a, const char *b);

/* A file that is collected in memory, then written whole or not at all: to "path.partial", which
 * is synced and renamed; then the folder is synced. */
typedef struct ex_output {
    const char *path; /* the caller's */
    FILE *stream;     /* print the contents here; NULL: not open */
    char *bytes;
    size_t size;
} ex_output;

/* Opens the output and returns its stream. NULL after ex_fail: the file cannot be written, or
 * memory is short. */
FILE *ex_output_open(ex_output *output, const char *path);

/* Writes the file if `good`, else drops the contents. True if the file is written; false after
 * ex_fail, or if not good. */
bool ex_output_close(ex_output *output, bool good);

#endif
