#include "output.h"

#include "failure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
