/* Runs a fuzz target without libFuzzer, with any compiler. Arguments: files, and folders of files;
 * -n COUNT: then COUNT inputs of random bytes, the same in every run; -s FIRST: the first of them.
 * The environment variable TG_FUZZ_INPUTS replaces COUNT, unless that is 0. If a check fails, the
 * last input named on standard error is the cause. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct input_file {
    char path[1024];
    uint8_t *bytes;
    size_t size;
} input_file;

static input_file *files;
static size_t count;

/* All files are read before the first one runs: a target may change the working folder. */
static void add_file(const char *path)
{
    struct stat status;
    FILE *stream = fopen(path, "rb");
    FUZZ_CHECK(stream && !fstat(fileno(stream), &status), "cannot read %s", path);
    files = realloc(files, (count + 1) * sizeof *files);
    FUZZ_CHECK(files, "out of memory for %zu files", count + 1);
    input_file *file = &files[count++];
    snprintf(file->path, sizeof file->path, "%s", path);
    file->size = (size_t)status.st_size;
    file->bytes = malloc(file->size); /* exactly: AddressSanitizer finds reads past the end */
    FUZZ_CHECK((file->bytes || !file->size) &&
                   fread(file->bytes, 1, file->size, stream) == file->size,
               "cannot read %s", path);
    fclose(stream);
}

static void add_folder(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    FUZZ_CHECK(directory, "%s is neither a file nor a folder", path);
    while ((entry = readdir(directory)) != NULL) {
        char name[1024];
        if (entry->d_name[0] == '.') continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        add_file(name);
    }
    closedir(directory);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const input_file *)a)->path, ((const input_file *)b)->path);
}

/* Random input `seed`: 1 to 600 bytes of SplitMix64, each length equally likely. */
static void run_random(uint64_t seed)
{
    uint8_t bytes[600];
    uint64_t state = seed * 0x9E3779B97F4A7C15u;
    for (size_t i = 0; i < sizeof bytes; i++) {
        uint64_t z = state += 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        bytes[i] = (uint8_t)(z >> 56);
    }
    LLVMFuzzerTestOneInput(bytes, 1 + (size_t)(state >> 32) % sizeof bytes);
}

int main(int argc, char **argv)
{
    unsigned long long random = 0, first = 0;
    for (int i = 1; i < argc; i++) {
        struct stat status;
        if (!strcmp(argv[i], "-n") && i + 1 < argc) random = strtoull(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "-s") && i + 1 < argc) first = strtoull(argv[++i], NULL, 10);
        else if (!stat(argv[i], &status) && S_ISREG(status.st_mode)) add_file(argv[i]);
        else add_folder(argv[i]);
    }
    if (count) qsort(files, count, sizeof *files, by_path);
    const char *inputs = getenv("TG_FUZZ_INPUTS");
    if (random && inputs) random = strtoull(inputs, NULL, 10);
    for (size_t i = 0; i < count; i++) {
        fprintf(stderr, "%s\n", files[i].path);
        LLVMFuzzerTestOneInput(files[i].bytes, files[i].size);
        free(files[i].bytes);
    }
    fuzz_random = random > 0;
    for (unsigned long long seed = first; seed < first + random; seed++) {
        fprintf(stderr, "random input %llu\n", seed);
        run_random(seed);
    }
    printf("%zu files and %llu random inputs\n", count, random);
    free(files);
    return count + random == 0;
}
