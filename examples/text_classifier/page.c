#include "page.h"

#include "builtin.h"
#include "../support/failure.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LABELS = 8 }; /* that are shown beside a text */

static void escape(FILE *to, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        switch (text[i]) {
        case '&': fputs("&amp;", to); break;
        case '<': fputs("&lt;", to); break;
        case '>': fputs("&gt;", to); break;
        case '"': fputs("&quot;", to); break;
        default: fputc(text[i], to);
        }
    }
}

void tc_page_put(tc_page *page, const char *format, ...)
{
    va_list values;
    FILE *const stream = page->stream;
    va_start(values, format);
    for (const char *p = format; stream && *p; p++) {
        char rule[16] = "%"; /* one conversion, such as %.1f */
        if (*p != '%') {
            fputc(*p, stream);
            continue;
        }
        size_t length = strcspn(++p, "%sdf");
        memcpy(rule + 1, p, length + 1);
        p += length;
        if (*p == '%') fputc('%', stream);
        else if (*p == 'f') fprintf(stream, rule, va_arg(values, double));
        else if (*p == 'd')
            fprintf(stream, "%lld",
                    length ? va_arg(values, long long) : va_arg(values, int)); /* %lld, %d */
        else {
            const int most = length ? va_arg(values, int) : -1; /* %.*s */
            const char *text = va_arg(values, const char *);
            escape(stream, text, most < 0 ? strlen(text) : (size_t)most);
        }
    }
    va_end(values);
}

bool tc_page_begin(tc_page *page, const char *path, const char *title)
{
    if (!path) return true;
    FILE *stream = ex_output_open(page, path);
    if (!stream) return false;
    tc_page_put(
        page, "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>%s</title>\n",
        title);
    tc_page_put(
        page,
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>\n");
    fputs((const char *)textclf_page, stream);
    tc_page_put(page, "</style>\n<h1>%s</h1>\n", title);
    return true;
}

void tc_page_words(tc_page *page, const tc_seen *view, const double *values,
                   const char *const *notes)
{
    const double most = values ? tc_view_most(values, view->count) : 1;
    size_t at = 0;
    tc_page_put(page, "<p class=\"text\" dir=\"auto\">");
    for (int32_t i = 0; i < view->count; i++) {
        const ex_token *token = &view->tokens.items[i];
        const double value = values ? values[i] : 0;
        const char *note = notes && notes[i] ? notes[i] : "", *gap = *note ? " " : "";
        tc_page_put(page, "%.*s<span class=\"w%s%s%s\" style=\"--a:%.3f\"",
                    (int)(token->start - at), view->text + at, value < 0 ? " n" : "",
                    view->ids[i] == EX_UNKNOWN ? " u" : "", *note ? " d" : "", fabs(value) / most);
        if (values && values == view->weights)
            tc_page_put(page, " title=\"%.1f %%%s%s\"", 100 * value, gap, note);
        else if (values) tc_page_put(page, " title=\"%+.3f%s%s\"", value, gap, note);
        tc_page_put(page, ">%.*s</span>", (int)token->length, view->text + token->start);
        at = token->start + token->length;
    }
    tc_page_put(page, "%s</p>\n", view->text + at);
}

void tc_page_view(tc_page *page, const tc_seen *view)
{
    tc_page_put(page, "<section>\n<h2><bdi>%s</bdi> %.1f %%</h2>\n",
                view->labels->items[view->best], 100 * view->probabilities[view->best]);
    tc_page_words(page, view, view->weights, NULL);
    tc_page_put(page, "<table>\n");
    for (int32_t c = 0; c < view->labels->count && view->labels->count <= MAX_LABELS; c++) {
        tc_page_put(page, "<tr><td><bdi>%s</bdi><td>%.1f %%\n", view->labels->items[c],
                    100 * view->probabilities[c]);
    }
    tc_page_put(page, "</table>\n</section>\n");
}

bool tc_page_save(tc_page *page)
{
    if (!page->stream) return true;
    tc_page_put(page, "</html>\n");
    return ex_output_close(page, true);
}

void tc_page_free(tc_page *page) { ex_output_close(page, false); }
