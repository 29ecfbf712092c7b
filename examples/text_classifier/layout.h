/* How a file of data is laid out: its format, whether a header stands above it, which columns are text and which is the label.
 * What the command line does not say is recognised, from the first thousand records. */
#ifndef TC_LAYOUT_H
#define TC_LAYOUT_H

#include "read.h"

enum { TC_MOST_TEXTS = 16 };

typedef struct tc_layout {
    tc_format format;
    char delimiter; /* as a scan takes it */
    bool header;
    int32_t columns;                                 /* of every record */
    int32_t texts[TC_MOST_TEXTS], text_count, label; /* columns, from 0 */
    char about[400];                                 /* all this in words */
} tc_layout;

/* bytes[size] is '\n'. False after ex_fail, which names the file: what is asked for is not there, or goes not together. */
bool tc_layout_find(tc_layout *layout, const char *name, const char *bytes, size_t size,
                    const tc_reading *asked);

/* A scan that starts at the first record, the header where there is one. */
tc_scan tc_layout_scan(const tc_layout *layout, const char *bytes, size_t size);

#endif
