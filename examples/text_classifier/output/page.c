#include "page.h"

#include "../../support/failure.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

extern const unsigned char textclf_page[]; /* page.css */

enum { MAX_LABELS = 8 }; /* for which probabilities are shown */

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
        char conversion[16] = "%"; /* such as %.1f */
        if (*p != '%') {
            fputc(*p, stream);
            continue;
        }
        size_t length = strcspn(++p, "%sdf");
        memcpy(conversion + 1, p, length + 1);
        p += length;
        if (*p == '%') fputc('%', stream);
        else if (*p == 'f') fprintf(stream, conversion, va_arg(values, double));
        else if (*p == 'd')
            fprintf(stream, "%lld",
                    length ? va_arg(values, long long) : va_arg(values, int)); /* %lld, %d */
        else {
            const int max = length ? va_arg(values, int) : -1; /* %.*s, or %s */
            const char *text = va_arg(values, const char *);
            escape(stream, text, max < 0 ? strlen(text) : (size_t)max);
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

void tc_page_words(tc_page *page, const tc_analysis *analysis, const double *values,
                   const char *const *flags)
{
    const double max = values ? tc_max_magnitude(values, analysis->count) : 1;
    size_t end = 0;
    tc_page_put(page, "<p class=\"text\" dir=\"auto\">");
    for (int32_t i = 0; i < analysis->count; i++) {
        const ex_token *token = &analysis->tokens.items[i];
        const double value = values ? values[i] : 0;
        const char *flag = flags && flags[i] ? flags[i] : "", *gap = *flag ? " " : "";
        tc_page_put(page, "%.*s<span class=\"w%s%s%s\" style=\"--a:%.3f\"",
                    (int)(token->start - end), analysis->text + end, value < 0 ? " n" : "",
                    analysis->ids[i] == EX_UNKNOWN ? " u" : "", *flag ? " d" : "",
                    fabs(value) / max);
        if (values && values == analysis->weights)
            tc_page_put(page, " title=\"%.1f %%%s%s\"", 100 * value, gap, flag);
        else if (values) tc_page_put(page, " title=\"%+.3f%s%s\"", value, gap, flag);
        tc_page_put(page, ">%.*s</span>", (int)token->length, analysis->text + token->start);
        end = token->start + token->length;
    }
    tc_page_put(page, "%s</p>\n", analysis->text + end);
}

void tc_page_analysis(tc_page *page, const tc_analysis *analysis)
{
    tc_page_put(page, "<section>\n<h2><bdi>%s</bdi> %.1f %%</h2>\n",
                analysis->labels->items[analysis->best],
                100 * analysis->probabilities[analysis->best]);
    tc_page_words(page, analysis, analysis->weights, NULL);
    tc_page_put(page, "<table>\n");
    for (int32_t c = 0; c < analysis->labels->count && analysis->labels->count <= MAX_LABELS; c++) {
        tc_page_put(page, "<tr><td><bdi>%s</bdi><td>%.1f %%\n", analysis->labels->items[c],
                    100 * analysis->probabilities[c]);
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
