#include "files.h"

#include "failure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char *read_all(int file, const char *name, size_t *size)
{
    char *bytes = NULL;
    size_t used = 0, room = 0;
    for (ssize_t got = 1; got;) {
        char *larger = tc_grow(bytes, used, 65536, &room, 1);
        if (!larger) break;
        bytes = larger;
        got = read(file, bytes + used, room - used - 1);
        if (got > 0) used += (size_t)got;
        if (got >= 0 || errno == EINTR) continue;
        tc_fail("%s: %s", name, strerror(errno)); /* a folder, for one, can be opened */
        break;
    }
    *size = used;
    if (!tc_failure()) return bytes;
    tc_free(bytes);
    return NULL;
}

/* It can be read once, and is asked for again by what trains several times: it is kept until the program ends. */
static char *read_standard_input(size_t *size)
{
    static char *kept;
    static size_t kept_size;
    if (!kept) kept = read_all(STDIN_FILENO, "standard input", &kept_size);
    char *bytes = kept ? tc_allocate(NULL, kept_size + 1, 1) : NULL;
    if (!bytes) return NULL;
    *size = kept_size;
    return memcpy(bytes, kept, kept_size);
}

char *tc_file_read(const char *path, size_t *size)
{
    if (!strcmp(path, "-")) return read_standard_input(size);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        tc_fail("%s: %s", path, strerror(errno));
        return NULL;
    }
    char *bytes = read_all(file, path, size);
    close(file);
    return bytes;
}

static bool write_all(int file, const char *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t put = write(file, bytes + done, size - done);
        if (put == 0) errno = EIO;
        if (put == 0 || (put < 0 && errno != EINTR)) return false;
        if (put > 0) done += (size_t)put;
    }
    return true;
}

/* As tg_params_save writes: `path` holds the old file or the new one at any time, and what a killed process left of a partial one
 * beside it is overwritten. NULL for the bytes: only whether it could be done. Returns 0 or errno's value. */
static int replace(const char *path, const char *bytes, size_t size)
{
    const char *slash = strrchr(path, '/');
    const size_t length = strlen(path) + sizeof ".partial";
    char *name = tc_allocate(NULL, length, 1);
    if (!name) return ENOMEM;
    snprintf(name, length, "%.*s", slash && slash != path ? (int)(slash - path) : 1,
             slash ? path : ".");
    const int folder = open(name, O_RDONLY | O_CLOEXEC);
    flock(folder, LOCK_EX); /* so that nobody else is writing it */
    snprintf(name, length, "%s.partial", path);
    const int file = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    const bool written = file >= 0 && bytes && write_all(file, bytes, size) && !fsync(file) &&
                         !rename(name, path);
    const int reason = written || (file >= 0 && !bytes) ? 0 : errno;
    if (file >= 0) close(file);
    if (written) fsync(folder);
    else if (file >= 0) unlink(name);
    if (folder >= 0) close(folder);
    tc_free(name);
    return reason;
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
    const bool whole = !fflush(output->stream) && !ferror(output->stream),
               closed = !fclose(output->stream);
    if (good && (!whole || !closed)) good = tc_fail("%s: out of memory", output->path);
    const int reason = good ? replace(output->path, output->bytes, output->size) : 0;
    if (reason) good = tc_fail("%s: it is not saved: %s", output->path, strerror(reason));
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
    if (name) snprintf(name, length + 2, "%.*s.", (int)length, path);
    if (!name || stat(name, folder)) *folder = (struct stat){0};
    tc_free(name);
    return path + length;
}

bool tc_same_file(const char *a, const char *b)
{
    struct stat x, y;
    const bool found = !stat(a, &x) && !stat(b, &y);
    const bool names = found || !strcmp(place_of(a, &x), place_of(b, &y));
    return names && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Permission bits do not tell (root, read-only file systems). */
bool tc_output_check(const char *path)
{
    struct stat there;
    if (!stat(path, &there) && !S_ISREG(there.st_mode)) {
        return tc_fail("%s: it is there and no regular file: give another name with -o", path);
    }
    const int reason = replace(path, NULL, 0);
    return !reason || tc_fail("%s: no file can be written there: %s", path, strerror(reason));
}
