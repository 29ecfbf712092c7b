#include "fuzz.h"

#include "../../tapegrad.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool fuzz_random;

void fuzz_fail(const char *file, int line, const char *condition, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: check failed: %s: ", file, line, condition);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    abort();
}

/* ---- the input ---- */

uint8_t fuzz_byte(fuzz_input *input)
{
    if (!input->size) return 0;
    input->size--;
    return *input->bytes++;
}

int fuzz_choose(fuzz_input *input, int count) { return (uint8_t)(fuzz_byte(input) - 'a') % count; }

/* ---- files ---- */

static char folder[512], path_text[1024];

static void remove_folder(void)
{
    fuzz_clear_folder((const char *const[]){NULL});
    rmdir(folder);
}

const char *fuzz_folder(void)
{
    const char *root = getenv("TMPDIR");
    if (folder[0]) return folder;
    snprintf(folder, sizeof folder, "%s/tapegrad-fuzz-XXXXXX", root && *root ? root : "/tmp");
    FUZZ_CHECK(mkdtemp(folder), "cannot create the folder %s", folder);
    atexit(remove_folder);
    return folder;
}

const char *fuzz_path(const char *name)
{
    snprintf(path_text, sizeof path_text, "%s/%s", fuzz_folder(), name);
    return path_text;
}

void fuzz_write(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(fuzz_path(name), "wb");
    FUZZ_CHECK(file && fwrite(bytes, 1, size, file) == size, "cannot write %s", fuzz_path(name));
    FUZZ_CHECK(!fclose(file), "cannot write %s", fuzz_path(name));
}

void fuzz_clear_folder(const char *const *except)
{
    DIR *directory = opendir(fuzz_folder());
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        const char *const *name = except;
        while (*name && strcmp(*name, entry->d_name)) name++;
        if (!*name) unlink(fuzz_path(entry->d_name));
    }
    if (directory) closedir(directory);
}

/* ---- parameters in a file ---- */

enum { MAX_DATA = 1 << 20 };

/* The largest end of a tensor's data that a header names, if it is at most MAX_DATA: the largest
 * second number of a pair [begin, end]. Pairs that are shapes count too; a header with a larger
 * shape than its data then gets too much. */
static size_t data_size(const char *header, size_t length)
{
    size_t largest = 0;
    for (size_t i = 0; i < length; i++) {
        size_t end = 0;
        if (header[i] != ',') continue;
        while (i + 1 < length && header[i + 1] == ' ') i++;
        while (i + 1 < length && header[i + 1] >= '0' && header[i + 1] <= '9' && end <= MAX_DATA)
            end = 10 * end + (size_t)(header[++i] - '0');
        if (i + 1 < length && header[i + 1] == ']' && end > largest && end <= MAX_DATA)
            largest = end;
    }
    return largest;
}

void fuzz_write_safetensors(const char *name, fuzz_input *input)
{
    if (fuzz_byte(input) == 'r') {
        fuzz_write(name, input->bytes, input->size);
        return;
    }
    const uint8_t *end = input->size ? memchr(input->bytes, 0, input->size) : NULL;
    const size_t length = end ? (size_t)(end - input->bytes) : input->size;
    const uint64_t stored = length; /* 8 bytes in the file, also on 32-bit machines */
    const size_t size = data_size((const char *)input->bytes, length),
                 given = end ? input->size - length - 1 : 0;
    char *file = malloc(8 + length + size);
    FUZZ_CHECK(file, "no memory for a file");
    memcpy(file, &stored, 8);
    if (length) memcpy(file + 8, input->bytes, length);
    for (size_t i = 0; i < size; i++) file[8 + length + i] = given ? (char)end[1 + i % given] : 0;
    fuzz_write(name, file, 8 + length + size);
    free(file);
}

/* ---- memory ---- */

static size_t max_bytes;

static void *limited_allocator(void *memory, size_t size)
{
    FUZZ_CHECK(size <= max_bytes, "an allocation of %zu bytes", size);
    if (size) return realloc(memory, size);
    free(memory);
    return NULL;
}

void fuzz_memory_limit(size_t bytes, size_t factor)
{
    max_bytes = (1 << 20) + factor * bytes;
    tg_set_allocator(limited_allocator);
}
