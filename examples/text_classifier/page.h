/* A web page of texts and where the model looked in them: one file that needs nothing else. */
#ifndef TC_PAGE_H
#define TC_PAGE_H

#include "view.h"

#include <stdio.h>

/* Start with {0}; tc_page_free works at any time after that. */
typedef struct tc_page {
    FILE *stream; /* writes to `text` */
    char *text;
    size_t size;
} tc_page;

/* False after tc_fail: there is no memory. */
bool tc_page_begin(tc_page *page, const char *model);
void tc_page_add(tc_page *page, const tc_view *view);

/* Writes the file whole or not at all. False after tc_fail. */
bool tc_page_save(tc_page *page, const char *path);

void tc_page_free(tc_page *page);

#endif
