#include "files.h"

#include "failure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *read_stream(FILE *file, const char *name, size_t *size)
{
    char *bytes = NULL;
    size_t used = 0, room = 0;
    for (;;) {
        char *larger = tc_grow(bytes, used, 65536, &room, 1);
        if (!larger) break;
        bytes = larger;
        size_t got = fread(bytes + used, 1, room - used - 1, file);
        used += got;
        if (got) continue;
        if (ferror(file)) tc_fail("%s: %s", name, strerror(errno)); /* a folder, for one, can be opened */
        break;
    }
    *size = used;
    if (!tc_failure()) return bytes;
    free(bytes);
    return NULL;
}

/* It can be read once, and is asked for again by what trains several times: it is kept until the program ends. */
static char *read_standard_input(size_t *size)
{
    static char *kept;
    static size_t kept_size;
    if (!kept) kept = read_stream(stdin, "standard input", &kept_size);
    char *bytes = kept ? tc_allocate(NULL, kept_size + 1, 1) : NULL;
    if (!bytes) return NULL;
    *size = kept_size;
    return memcpy(bytes, kept, kept_size);
}

char *tc_file_read(const char *path, size_t *size)
{
    if (!strcmp(path, "-")) return read_standard_input(size);
    FILE *file = fopen(path, "rb");
    if (!file) {
        tc_fail("%s: %s", path, strerror(errno));
        return NULL;
    }
    char *bytes = read_stream(file, path, size);
    fclose(file);
    return bytes;
}

static int write_all(FILE *file, const char *bytes, size_t size)
{
    if (!file) return errno;
    int reason = fwrite(bytes, 1, size, file) == size ? 0 : errno;
    if (fclose(file) && !reason) reason = errno;
    return reason;
}

static bool write_file(const char *path, const char *bytes, size_t size)
{
    const size_t length = strlen(path) + sizeof ".partial";
    char *partial = tc_allocate(NULL, length, 1);
    if (!partial) return false;
    snprintf(partial, length, "%s.partial", path);
    int reason = write_all(fopen(partial, "wb"), bytes, size);
    if (!reason && rename(partial, path)) reason = errno;
    if (reason) {
        remove(partial);
        tc_fail("%s: it is not saved: %s", path, strerror(reason));
    }
    free(partial);
    return !reason;
}

FILE *tc_output_open(tc_output *output, const char *path)
{
    *output = (tc_output){.path = path};
    if (!tc_output_check(path)) return NULL;
    output->stream = open_memstream(&output->bytes, &output->size);
    if (!output->stream) tc_fail("%s: out of memory", path);
    return output->stream;
}

bool tc_output_close(tc_output *output, bool good)
{
    if (!output->stream) return false;
    const bool whole = !fflush(output->stream) && !ferror(output->stream), closed = !fclose(output->stream);
    if (good && (!whole || !closed)) good = tc_fail("%s: out of memory", output->path);
    good = good && write_file(output->path, output->bytes, output->size);
    free(output->bytes);
    *output = (tc_output){0};
    return good;
}

bool tc_named(const char *path, const char *end)
{
    const size_t length = strlen(path), tail = strlen(end);
    return length > tail && !strcmp(path + length - tail, end);
}

/* The folder of a file, and its name there. */
static const char *place_of(const char *path, struct stat *folder)
{
    const char *slash = strrchr(path, '/');
    const size_t length = slash ? (size_t)(slash - path) + 1 : 0;
    char *name = tc_allocate(NULL, length + 2, 1);
    if (!name) return path;
    snprintf(name, length + 2, "%.*s.", (int)length, path);
    if (stat(name, folder)) *folder = (struct stat){0};
    free(name);
    return path + length;
}

bool tc_same_file(const char *a, const char *b)
{
    struct stat x, y;
    const bool found = !stat(a, &x) && !stat(b, &y);
    const bool names = found || !strcmp(place_of(a, &x), place_of(b, &y));
    return names && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Permission bits do not tell (root, read-only file systems): a file is made beside the place, and removed. */
bool tc_output_check(const char *path)
{
    struct stat there;
    if (!stat(path, &there) && !S_ISREG(there.st_mode)) {
        return tc_fail("%s: it is there and no regular file: give another name with -o", path);
    }
    size_t size = strlen(path) + sizeof ".XXXXXX";
    char *probe = tc_allocate(NULL, size, 1);
    if (!probe) return false;
    snprintf(probe, size, "%s.XXXXXX", path);
    int file = mkstemp(probe);
    if (file < 0) tc_fail("%s: no file can be written there: %s", path, strerror(errno));
    else unlink(probe);
    if (file >= 0) close(file);
    free(probe);
    return file >= 0;
}
