/* What the fuzz targets share. Each target is one source with LLVMFuzzerTestOneInput, which libFuzzer calls with inputs of
 * its making, and driver.c with those in files. A target ends the process where something is wrong: by itself (FUZZ_CHECK),
 * or by a sanitizer. */
#ifndef TEST_FUZZ_H
#define TEST_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Set where the inputs are random bytes and not a fuzzer's choice, so that what is rare has to be rare. */
extern bool fuzz_random;

/* What is true whatever the input: else the message goes to standard error, and the process is aborted. */
#define FUZZ_CHECK(condition, ...)                                                \
    do                                                                            \
        if (!(condition)) fuzz_fail(__FILE__, __LINE__, #condition, __VA_ARGS__); \
    while (0)
_Noreturn void fuzz_fail(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((__format__(__printf__, 4, 5)));

/* ---- the input, taken from its front ---- */

typedef struct fuzz_input {
    const uint8_t *bytes;
    size_t size;
} fuzz_input;

/* The next byte; 0 past the end. */
uint8_t fuzz_byte(fuzz_input *input);

/* One of `count` choices, 0 .. count - 1. The letter a chooses the first, b the second and so on, so that seeds can be
 * typed. */
int fuzz_choose(fuzz_input *input, int count);

/* ---- files ---- */

/* A folder of the process's own, made at the first call and removed at the end. */
const char *fuzz_folder(void);

/* The path of a file in it, in a static text that the next call writes over; and the file with these contents. */
const char *fuzz_path(const char *name);
void fuzz_write(const char *name, const void *bytes, size_t size);

/* Removes everything from the folder but the names of a list that ends with NULL. */
void fuzz_clear_folder(const char *const *kept);

/* A file of parameters, out of what is left of an input. Most changes to such a file would leave a header of another
 * length, or data that do not fit it: so only the letter r takes the rest as it stands; else the text up to a zero byte is
 * the header, its length is put before it, and the rest, over and over, is the data, as many bytes as the header speaks of.
 * */
void fuzz_write_safetensors(const char *name, fuzz_input *input);

/* ---- memory ---- */

/* From now on the library may ask for no more at a time than a file of so many bytes gives reason to: 1 MB, and `factor`
 * bytes for each of its own. Asking for more is a failure: a size in a file was believed. */
void fuzz_memory_limit(size_t bytes, size_t factor);

#endif
