/* train --report: a web page of one training, how it went, what came of it, where the model looks, and how to have it
 * again. */
#ifndef TC_REPORT_H
#define TC_REPORT_H

#include "material.h"

/* Written whole or not at all; the outcome has at least one epoch. False after ex_fail. */
bool tc_report_write(const char *path, const tc_material *m, const tc_outcome *outcome);

#endif
