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
    size_t used = 0, capacity = 0;
    for (ssize_t got = 1; got;) {
        char *larger = ex_grow(bytes, used, 65536, &capacity, 1);
        if (!larger) break;
        bytes = larger;
        got = read(file, bytes + used, capacity - used - 1);
        if (got > 0) used += (size_t)got;
        if (got >= 0 || errno == EINTR) continue;
        ex_fail("%s: %s", name, strerror(errno)); /* a folder can be opened, but not read */
        break;
    }
    *size = used;
    if (!ex_failure()) return bytes;
    ex_free(bytes);
    return NULL;
}

/* Standard input can be read only once, but a program that trains several times reads its data
 * several times: so a copy is kept. */
static char *read_standard_input(size_t *size)
{
    static char *input;
    static size_t input_size;
    if (!input) input = read_all(STDIN_FILENO, "standard input", &input_size);
    char *bytes = input ? ex_allocate(NULL, input_size + 1, 1) : NULL;
    if (!bytes) return NULL;
    *size = input_size;
    return memcpy(bytes, input, input_size);
}

char *ex_file_read(const char *path, size_t *size)
{
    if (!strcmp(path, "-")) return read_standard_input(size);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        ex_fail("%s: %s", path, strerror(errno));
        return NULL;
    }
    char *bytes = read_all(file, path, size);
    close(file);
    return bytes;
}

static bool write_all(int file, const char *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t written = write(file, bytes + done, size - done);
        if (written == 0) errno = EIO;
        if (written == 0 || (written < 0 && errno != EINTR)) return false;
        if (written > 0) done += (size_t)written;
    }
    return true;
}

/* Replaces a file as tg_params_save does: at any time `path` is the old file or the new one, and
 * a partial file that a killed process left is overwritten. With bytes NULL it only finds out
 * whether that is possible. Returns 0 or a value of errno. */
static int replace(const char *path, const char *bytes, size_t size)
{
    const char *slash = strrchr(path, '/');
    const size_t length = strlen(path) + sizeof ".partial";
    char *name = ex_allocate(NULL, length, 1);
    if (!name) return ENOMEM;
    snprintf(name, length, "%.*s", slash && slash != path ? (int)(slash - path) : 1,
             slash ? path : ".");
    const int folder = open(name, O_RDONLY | O_CLOEXEC);
    flock(folder, LOCK_EX); /* one writer at a time */
    snprintf(name, length, "%s.partial", path);
    const int file = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    const bool written = file >= 0 && bytes && write_all(file, bytes, size) && !fsync(file) &&
                         !rename(name, path);
    const int reason = written || (file >= 0 && !bytes) ? 0 : errno;
    if (file >= 0) close(file);
    if (written) fsync(folder);
    else if (file >= 0) unlink(name);
    if (folder >= 0) close(folder);
    ex_free(name);
    return reason;
}

FILE *ex_output_open(ex_output *output, const char *path)
{
    *output = (ex_output){.path = path};
    if (!ex_output_check(path)) return NULL;
    output->stream = open_memstream(&output->bytes, &output->size);
    if (!output->stream) ex_fail("%s: out of memory", path);
    return output->stream;
}

bool ex_output_close(ex_output *output, bool good)
{
    if (!output->stream) return false;
    const bool whole = !fflush(output->stream) && !ferror(output->stream),
               closed = !fclose(output->stream);
    if (good && (!whole || !closed)) good = ex_fail("%s: out of memory", output->path);
    const int reason = good ? replace(output->path, output->bytes, output->size) : 0;
    if (reason) good = ex_fail("%s: not saved: %s", output->path, strerror(reason));
    free(output->bytes);
    *output = (ex_output){0};
    return good;
}

bool ex_has_suffix(const char *path, const char *end)
{
    const size_t length = strlen(path), tail = strlen(end);
    return length > tail && !strcmp(path + length - tail, end);
}

/* Finds out the folder of a path, and returns the file's name in it. */
static const char *split_path(const char *path, struct stat *folder)
{
    const char *slash = strrchr(path, '/');
    const size_t length = slash ? (size_t)(slash - path) + 1 : 0;
    char *name = ex_allocate(NULL, length + 2, 1);
    if (name) snprintf(name, length + 2, "%.*s.", (int)length, path);
    if (!name || stat(name, folder)) *folder = (struct stat){0};
    ex_free(name);
    return path + length;
}

bool ex_same_file(const char *a, const char *b)
{
    struct stat x, y;
    const bool found = !stat(a, &x) && !stat(b, &y);
    const bool names = found || !strcmp(split_path(a, &x), split_path(b, &y));
    return names && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Permission bits are not enough to know (root, read-only file systems), so it tries. */
bool ex_output_check(const char *path)
{
    struct stat found;
    if (!stat(path, &found) && !S_ISREG(found.st_mode)) {
        return ex_fail("%s: not a regular file: give another name with -o", path);
    }
    const int reason = replace(path, NULL, 0);
    return !reason || ex_fail("%s: cannot write this file: %s", path, strerror(reason));
}
