/* Shared by the fuzz targets. Each target is one source file with LLVMFuzzerTestOneInput. libFuzzer
 * calls it with generated inputs; driver.c calls it with the contents of files. If a check fails,
 * FUZZ_CHECK or a sanitizer ends the process. */
#ifndef TEST_FUZZ_H
#define TEST_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whether the inputs are random bytes, not chosen by a fuzzer: then rare events must be rare. */
extern bool fuzz_random;

/* A condition that must hold for every input. If it fails, the message is printed to standard error
 * and the process is aborted. */
#define FUZZ_CHECK(condition, ...)                                                \
    do                                                                            \
        if (!(condition)) fuzz_fail(__FILE__, __LINE__, #condition, __VA_ARGS__); \
    while (0)
_Noreturn void fuzz_fail(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((__format__(__printf__, 4, 5)));

/* ---- the input, read from its front ---- */

typedef struct fuzz_input {
    const uint8_t *bytes;
    size_t size;
} fuzz_input;

/* The next byte; 0 after the end. */
uint8_t fuzz_byte(fuzz_input *input);

/* One of `count` choices, 0 .. count - 1. The letter a chooses the first, b the second and so on:
 * seeds can be typed. */
int fuzz_choose(fuzz_input *input, int count);

/* ---- files ---- */

/* The process's temporary folder, created at the first call and removed at exit. */
const char *fuzz_folder(void);

/* The path of a file in the folder, valid until the next call; and writes such a file. */
const char *fuzz_path(const char *name);
void fuzz_write(const char *name, const void *bytes, size_t size);

/* Removes all files of the folder, except the names in a list that ends with NULL. */
void fuzz_clear_folder(const char *const *except);

/* Writes a safetensors file made from the rest of the input. After the letter r the rest is the
 * file. After any other letter the bytes up to a zero byte are the header: its length is written
 * before it, and the bytes after it are repeated to give as much data as the header describes.
 * Random changes of a complete file would almost always break the length of the header or of the
 * data. */
void fuzz_write_safetensors(const char *name, fuzz_input *input);

/* ---- memory ---- */

/* From now on an allocation of the library above 1 MB + `factor` * `bytes` is a failure: it shows
 * that the library trusted a size in a file of that many bytes. */
void fuzz_memory_limit(size_t bytes, size_t factor);

#endif
