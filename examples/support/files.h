/* Reads and writes whole files. */
#ifndef EX_FILES_H
#define EX_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Reads a file, or standard input if the path is "-". The block has *size bytes and one more,
 * for a final 0; the caller frees it with tc_free. NULL after tc_fail. */
char *tc_file_read(const char *path, size_t *size);

/* Whether a file of this name can be created, or an existing regular file replaced. Leaves
 * nothing behind, and removes a partial file that a killed process left. False after tc_fail. */
bool tc_output_check(const char *path);

/* Whether a file name has this ending, such as ".html". */
bool tc_named(const char *path, const char *end);

/* Whether two paths mean the same file. It need not exist yet. */
bool tc_same_file(const char *a, const char *b);

/* A file that is collected in memory, then written whole or not at all: to "path.partial", which
 * is synced and renamed; then the folder is synced. */
typedef struct tc_output {
    const char *path; /* the caller's */
    FILE *stream;     /* print the contents here; NULL: not open */
    char *bytes;
    size_t size;
} tc_output;

/* Opens the output and returns its stream. NULL after tc_fail: the file cannot be written, or
 * memory is short. */
FILE *tc_output_open(tc_output *output, const char *path);

/* Writes the file if `good`, else drops the contents. True if the file is written; false after
 * tc_fail, or if not good. */
bool tc_output_close(tc_output *output, bool good);

#endif
