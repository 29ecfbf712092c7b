/* A web page about a model: one file that needs nothing else, in light and dark, on a phone and on a desk. */
#ifndef TC_PAGE_H
#define TC_PAGE_H

#include "../support/files.h"
#include "view.h"

/* Start with {0}; tc_page_free works at any time after that. What fails while it is filled, tc_page_save reports. */
typedef ex_output tc_page;

/* With NULL there is to be no page: then nothing is put into it, and nothing written. False after ex_fail: it cannot be written there,
 * or there is no memory. */
bool tc_page_begin(tc_page *page, const char *path, const char *title);

/* Markup in printf's manner, of the conversions %s, %.*s, %d, %lld and %f alone. What stands for %s is text: it is escaped. */
void tc_page_put(tc_page *page, const char *format, ...)
    __attribute__((__format__(__printf__, 2, 3)));

/* A text with its words marked: blue for a value above 0, orange for one below, the more the larger (NULL: no marks); and a frame round
 * those that have a note (NULL: none has). */
void tc_page_words(tc_page *page, const tc_seen *view, const double *values,
                   const char *const *notes);

/* A section: the answer to a text, its words marked by their weights, and the probabilities of a few labels. */
void tc_page_view(tc_page *page, const tc_seen *view);

/* Writes the file whole or not at all. False after ex_fail. */
bool tc_page_save(tc_page *page);

void tc_page_free(tc_page *page);

#endif
