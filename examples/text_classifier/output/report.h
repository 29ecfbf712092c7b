/* The report of a training as a web page: its results and curves, examples with their attention
 * weights, all settings, and the command that trains the same model again. */
#ifndef TC_REPORT_H
#define TC_REPORT_H

#include "../training/experiment.h"

#include <jansson.h>

typedef struct tc_report_source {
    const tc_experiment *experiment;
    const tc_train_result *result; /* of at least one epoch */
    const json_t *settings;        /* an object of strings, in the order in which they are shown */
    char *const *command_line;     /* ends with NULL */
} tc_report_source;

/* Writes the page, whole or not at all. Returns false after ex_fail. */
bool tc_report_write(const char *path, const tc_report_source *source);

#endif
