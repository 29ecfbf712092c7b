/* Files to be written. */
#ifndef TC_OUTPUT_H
#define TC_OUTPUT_H

#include <stdbool.h>

/* Whether a file of this name can be written, or an existing regular one replaced; nothing is left behind. False after
 * tc_fail. */
bool tc_output_check(const char *path);

#endif
