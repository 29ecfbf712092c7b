/* Writes a web page: one file without external resources, for light and dark schemes, phones and
 * desks. */
#ifndef TC_PAGE_H
#define TC_PAGE_H

#include "../../support/files.h"
#include "../model/analysis.h"

/* Start with {0}; tc_page_free is valid at any time after that. tc_page_save reports the errors
 * of all calls before it. */
typedef ex_output tc_page;

/* Starts a page. With path NULL there is no page and all calls do nothing. Returns false after
 * ex_fail: the file cannot be written there, or memory ran out. */
bool tc_page_begin(tc_page *page, const char *path, const char *title);

/* Writes markup as printf does, with the conversions %s, %.*s, %d, %lld and %f alone. Escapes the
 * text of %s. */
void tc_page_put(tc_page *page, const char *format, ...)
    __attribute__((__format__(__printf__, 2, 3)));

/* Writes a text with its words shaded by values [count]: blue above 0, orange below (NULL: no
 * shades). flags [count] adds a frame and a tooltip to the words whose flag is not NULL (NULL: no
 * frames). */
void tc_page_words(tc_page *page, const tc_analysis *analysis, const double *values,
                   const char *const *flags);

/* Writes a section: the predicted label, the words shaded by their attention weights, and the
 * probabilities if there are at most eight labels. */
void tc_page_analysis(tc_page *page, const tc_analysis *analysis);

/* Writes the file, whole or not at all. Returns false after ex_fail. */
bool tc_page_save(tc_page *page);

void tc_page_free(tc_page *page);

#endif
