/* Files, read and written whole. */
#ifndef EX_FILES_H
#define EX_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The *size bytes of a file, or of standard input where its name is -, with room for one more; the caller frees them. NULL
 * after tc_fail. */
char *tc_file_read(const char *path, size_t *size);

/* Whether a file of this name can be written, or an existing regular one replaced; nothing is left behind, neither what a killed
 * process left of a partial file. False after tc_fail. */
bool tc_output_check(const char *path);

/* Whether a name ends so, ".html" for one. */
bool tc_named(const char *path, const char *end);

/* Whether two names are of one file, be it there or not yet. */
bool tc_same_file(const char *a, const char *b);

/* A file that is put together in memory, and written whole or not at all: beside its place, as "path.partial", synced and renamed,
 * and the folder synced. */
typedef struct tc_output {
    const char *path; /* the caller's */
    FILE *stream;     /* NULL: it is not open */
    char *bytes;
    size_t size;
} tc_output;

/* Where to print it. NULL after tc_fail: it cannot be written there, or there is no memory. */
FILE *tc_output_open(tc_output *output, const char *path);

/* Writes the file, or, unless it is `good`, drops it. Returns whether it is written; false after tc_fail. */
bool tc_output_close(tc_output *output, bool good);

#endif
