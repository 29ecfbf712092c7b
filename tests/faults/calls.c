/* The linker's --wrap redirects the program's calls to the functions of this file. One call of one
 * of them fails. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "faults.h"

static struct {
    const char *function;
    fault kind;
    int error;
    int64_t at, calls;
    bool armed;
} planned;

void fault_begin(const char *function, fault kind, int error, int64_t at)
{
    planned.function = function;
    planned.kind = kind;
    planned.error = error;
    planned.at = at;
    planned.calls = 0;
}

void fault_arm(bool armed) { planned.armed = armed; }

bool fault_end(void)
{
    const bool happened = planned.calls >= planned.at;
    planned.function = NULL;
    return happened;
}

/* The fault of this call; sets errno if it fails. */
static fault next(const char *function)
{
    if (!planned.armed || !planned.function || strcmp(planned.function, function) ||
        ++planned.calls != planned.at)
        return NO_FAULT;
    if (planned.kind == CTRL_C) raise(SIGINT);
    errno = planned.kind == INTERRUPTED ? EINTR : planned.error;
    return planned.kind == CTRL_C ? NO_FAULT : planned.kind;
}

ssize_t __real_read(int file, void *bytes, size_t size),
    __wrap_read(int file, void *bytes, size_t size);
ssize_t __wrap_read(int file, void *bytes, size_t size)
{
    const fault kind = next("read");
    if (kind == ENDS) return 0;
    if (kind == NO_FAULT || kind == SHORT)
        return __real_read(file, bytes, kind == SHORT && size ? 1 : size);
    return -1;
}

ssize_t __real_write(int file, const void *bytes, size_t size),
    __wrap_write(int file, const void *bytes, size_t size);
ssize_t __wrap_write(int file, const void *bytes, size_t size)
{
    const fault kind = next("write");
    if (kind == NO_FAULT || kind == SHORT)
        return __real_write(file, bytes, kind == SHORT && size ? 1 : size);
    /* A disk that fills up takes a part of the bytes. */
    if (kind == FAILS && size > 1 && __real_write(file, bytes, size / 2) < 0) return -1;
    return -1;
}

/* With glibc, the names of the functions for large files end in 64. */
#ifdef __GLIBC__
#define OPEN(part) part##open64
#define FOPEN(part) part##fopen64
#else
#define OPEN(part) part##open
#define FOPEN(part) part##fopen
#endif

int OPEN(__real_)(const char *path, int flags, ...),
    OPEN(__wrap_)(const char *path, int flags, ...);
int OPEN(__wrap_)(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    const int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
    va_end(arguments);
    return next("open") ? -1 : OPEN(__real_)(path, flags, mode);
}

FILE *FOPEN(__real_)(const char *path, const char *mode),
    *FOPEN(__wrap_)(const char *path, const char *mode);
FILE *FOPEN(__wrap_)(const char *path, const char *mode)
{
    return next("fopen") ? NULL : FOPEN(__real_)(path, mode);
}

int __real_close(int file), __wrap_close(int file);
int __wrap_close(int file)
{
    const fault kind = next("close");
    const int error = errno, result = __real_close(file);
    if (!kind) return result;
    errno = error;
    return -1;
}

/* Does not sync: no test cuts the power, and thousands of syncs would take minutes. */
int __wrap_fsync(int file);
int __wrap_fsync(int file)
{
    (void)file;
    return next("fsync") ? -1 : 0;
}

int __real_flock(int file, int operation), __wrap_flock(int file, int operation);
int __wrap_flock(int file, int operation)
{
    return next("flock") ? -1 : __real_flock(file, operation);
}

int __real_rename(const char *from, const char *to),
    __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    return next("rename") ? -1 : __real_rename(from, to);
}

int __real_unlink(const char *path), __wrap_unlink(const char *path);
int __wrap_unlink(const char *path) { return next("unlink") ? -1 : __real_unlink(path); }

/* Makes the stream read from a folder, which the system refuses: its next read fails as a real one
 * would. */
static void break_stream(FILE *stream)
{
    const int folder = OPEN(__real_)(".", O_RDONLY | O_DIRECTORY);
    dup2(folder, fileno(stream));
    __real_close(folder);
}

size_t __real_fread(void *bytes, size_t size, size_t count, FILE *stream),
    __wrap_fread(void *bytes, size_t size, size_t count, FILE *stream);
size_t __wrap_fread(void *bytes, size_t size, size_t count, FILE *stream)
{
    if (next("fread")) break_stream(stream);
    return __real_fread(bytes, size, count, stream);
}

ssize_t __real_getline(char **line, size_t *capacity, FILE *stream),
    __wrap_getline(char **line, size_t *capacity, FILE *stream);
ssize_t __wrap_getline(char **line, size_t *capacity, FILE *stream)
{
    const fault kind = next("getline");
    if (kind == FAILS && errno == ENOMEM) return -1;
    if (kind) break_stream(stream);
    return __real_getline(line, capacity, stream);
}

FILE *__real_open_memstream(char **bytes, size_t *size),
    *__wrap_open_memstream(char **bytes, size_t *size);
FILE *__wrap_open_memstream(char **bytes, size_t *size)
{
    return next("open_memstream") ? NULL : __real_open_memstream(bytes, size);
}
