/* The dialect of a data file: its format, whether it has a header, and which columns hold the
 * text and the label. What the options leave open is detected from the first thousand records. */
#ifndef TC_DIALECT_H
#define TC_DIALECT_H

#include "read.h"

enum { TC_MAX_TEXTS = 16 };

typedef struct tc_dialect {
    tc_format format;
    char delimiter; /* as in tc_scanner */
    bool header;
    int32_t columns;             /* of every record */
    int32_t texts[TC_MAX_TEXTS]; /* [text_count] columns, from 0 */
    int32_t text_count, label;   /* the label's column, from 0 */
    char description[400];       /* all of this in words */
} tc_dialect;

/* bytes[size] must be '\n'. Returns false after ex_fail, which names the file: a column does not
 * exist, or options contradict each other. */
bool tc_dialect_detect(tc_dialect *dialect, const char *name, const char *bytes, size_t size,
                       const tc_read_options *options);

/* Returns a scanner at the first record, which is the header if there is one. */
tc_scanner tc_dialect_scanner(const tc_dialect *dialect, const char *bytes, size_t size);

#endif
