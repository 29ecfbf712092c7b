#include "page.h"

#include "../support/failure.h"
#include "../support/files.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LABELS = 8 }; /* that are shown beside a text */

/* The browser's own colours, light or dark. Blue and orange over them leave both legible. What is wider than a phone scrolls
 * in its own box. Lines of a chart differ in colour and in dashes. */
static const char head[] =
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<style>\n"
    ":root { color-scheme: light dark; --c0: #2563eb; --c1: #d9480f; --c2: #15803d; --c3: #9333ea; --c4: #57606a; }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "  :root { --c0: #74a9ff; --c1: #ff9a5c; --c2: #5fd38a; --c3: #cf9bff; --c4: #b4bcc6; }\n"
    "}\n"
    "body { font: 1.05rem/1.5 system-ui, sans-serif; max-width: 48rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }\n"
    "h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; }\n"
    "h2 { font-size: 1.15rem; margin: 0 0 .4rem; }\n"
    "h3 { font-size: 1rem; margin: 1.2rem 0 .2rem; }\n"
    "h1, h2, h3, td, th, dd { overflow-wrap: anywhere; }\n"
    "section { margin-top: 1.6rem; padding-top: 1.2rem; border-top: 1px solid #8885; }\n"
    ".text { font-size: 1.2rem; line-height: 2.1; margin: 0 0 .5rem; overflow-wrap: anywhere; white-space: pre-wrap;\n"
    "  max-height: 21rem; overflow-y: auto; }\n"
    ".w { background: rgb(37 99 235 / calc(var(--a) * .7)); border-radius: .25em; padding: .2em .07em; margin: 0"
    " -.07em; }\n"
    ".n { background: rgb(234 88 12 / calc(var(--a) * .7)); }\n"
    ".u { text-decoration: underline dotted; text-underline-offset: .25em; }\n"
    ".quiet + .text { margin-top: .1rem; } .text + .quiet { margin-top: 1rem; }\n"
    ".lines { white-space: pre-line; font-size: .95rem; }\n"
    ".quiet { opacity: .75; font-size: .95rem; margin: .3rem 0 0; }\n"
    ".wide { overflow: auto; max-height: 32rem; margin-top: .6rem; }\n"
    "table { border-collapse: collapse; font-size: .9rem; }\n"
    "td, th { padding: .05rem .8rem .05rem 0; font-variant-numeric: tabular-nums; font-weight: normal; text-align:"
    " start; }\n"
    "thead th, .cells th { opacity: .75; }\n"
    ".numbers td, .numbers th + th { text-align: end; overflow-wrap: normal; }\n"
    ".numbers th:first-child { min-width: 5.5rem; }\n"
    ".cells td { min-width: 2.6rem; padding: .45rem .6rem; text-align: center; border: 1px solid #8883;\n"
    "  background: rgb(37 99 235 / calc(var(--a) * .7)); }\n"
    ".cells td.n { background: rgb(234 88 12 / calc(var(--a) * .7)); }\n"
    ".cells th { padding: .2rem .6rem; max-width: 6rem; } .cells th + th { text-align: center; } code { white-space:"
    " nowrap; }\n"
    ".tiles { display: flex; flex-wrap: wrap; gap: .6rem clamp(.8rem, 5vw, 2.2rem); margin: .8rem 0 0; }\n"
    ".tiles div { font-size: .85rem; } .tiles b { display: block; font-size: clamp(1.5rem, 6vw, 2rem); line-height:"
    " 1.2; font-weight: 600; }\n"
    ".charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); gap: 1.4rem"
    " 1.6rem; }\n"
    "figure { margin: .6rem 0 0; max-width: 26rem; } svg { display: block; width: 100%; height: auto; }\n"
    "svg text { font-size: 12px; fill: currentColor; opacity: .8; }\n"
    ".axis { stroke: #8885; fill: none; } .best { stroke: currentColor; opacity: .55; stroke-dasharray: 2 3; }\n"
    ".line { fill: none; stroke-width: 2; stroke-linejoin: round; }\n"
    ".key { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; font-size: .9rem; } .key svg { display: inline; width:"
    " 26px; "
    "height: 8px; margin-right: .4em; }\n"
    ".s0 { stroke: var(--c0); } .s1 { stroke: var(--c1); stroke-dasharray: 7 3; } .s2 { stroke: var(--c2);"
    " stroke-dasharray: 2 3; }\n"
    ".s3 { stroke: var(--c3); stroke-dasharray: 9 3 2 3; } .s4 { stroke: var(--c4); stroke-dasharray: 12 4; }\n"
    "circle { fill: Canvas; stroke-width: 1.5; } circle[class] { stroke-dasharray: none; }\n"
    "dl { columns: 17rem auto; margin: .6rem 0 0; font-size: .9rem; } dl div { display: flex; gap: .6rem;"
    " break-inside: avoid; }\n"
    "dt { opacity: .75; flex: 0 0 8rem; } dd { margin: 0; }\n"
    "pre { background: #8882; border-radius: .4em; padding: .7rem .9rem; margin: .6rem 0 0; font-size: .9rem;"
    " white-space: pre-wrap;\n"
    "  overflow-wrap: anywhere; }\n"
    "</style>\n";

bool tc_page_named(const char *path)
{
    static const char end[] = ".html";
    const size_t length = strlen(path), tail = sizeof end - 1;
    return length >= tail && !strcmp(path + length - tail, end);
}

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
    va_start(values, format);
    for (const char *p = format; *p; p++) {
        char rule[16] = "%"; /* one conversion, such as %.1f */
        if (*p != '%') {
            fputc(*p, page->stream);
            continue;
        }
        size_t length = strcspn(++p, "%sdf");
        memcpy(rule + 1, p, length + 1);
        p += length;
        if (*p == '%') fputc('%', page->stream);
        else if (*p == 'f') fprintf(page->stream, rule, va_arg(values, double));
        else if (*p == 'd' && length) fprintf(page->stream, rule, va_arg(values, long long));
        else if (*p == 'd') fprintf(page->stream, rule, va_arg(values, int));
        else {
            const int most = length ? va_arg(values, int) : -1; /* %.*s */
            const char *text = va_arg(values, const char *);
            escape(page->stream, text, most < 0 ? strlen(text) : (size_t)most);
        }
    }
    va_end(values);
}

bool tc_page_begin(tc_page *page, const char *title)
{
    page->stream = open_memstream(&page->text, &page->size);
    if (!page->stream) return tc_fail("out of memory: a page");
    tc_page_put(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<title>%s</title>\n", title);
    fputs(head, page->stream);
    tc_page_put(page, "<h1>%s</h1>\n", title);
    return true;
}

void tc_page_words(tc_page *page, const tc_view *view, const double *values)
{
    const double most = values ? tc_view_most(values, view->count) : 1;
    size_t at = 0;
    tc_page_put(page, "<p class=\"text\" dir=\"auto\">");
    for (int32_t i = 0; i < view->count; i++) {
        const tc_token *token = &view->tokens[i];
        const double value = values ? values[i] : 0;
        tc_page_put(page, "%.*s<span class=\"w%s%s\" style=\"--a:%.3f\"", (int)(token->start - at), view->text + at,
                    value < 0 ? " n" : "", view->ids[i] == TC_UNKNOWN ? " u" : "", fabs(value) / most);
        if (values && values == view->weights) tc_page_put(page, " title=\"%.1f %%\"", 100 * value);
        else if (values) tc_page_put(page, " title=\"%+.3f\"", value);
        tc_page_put(page, ">%.*s</span>", (int)token->length, view->text + token->start);
        at = token->start + token->length;
    }
    tc_page_put(page, "%s</p>\n", view->text + at);
}

void tc_page_view(tc_page *page, const tc_view *view)
{
    tc_page_put(page, "<section>\n<h2><bdi>%s</bdi> %.1f %%</h2>\n", view->labels->items[view->best],
                100 * view->probabilities[view->best]);
    tc_page_words(page, view, view->weights);
    tc_page_put(page, "<table>\n");
    for (int32_t c = 0; c < view->labels->count && view->labels->count <= MOST_LABELS; c++) {
        tc_page_put(page, "<tr><td><bdi>%s</bdi><td>%.1f %%\n", view->labels->items[c], 100 * view->probabilities[c]);
    }
    tc_page_put(page, "</table>\n</section>\n");
}

bool tc_page_save(tc_page *page, const char *path)
{
    tc_page_put(page, "</html>\n");
    const bool whole = !fflush(page->stream) && !ferror(page->stream);
    return whole ? tc_file_write(path, page->text, page->size) : tc_fail("out of memory: a page");
}

void tc_page_free(tc_page *page)
{
    if (page->stream) fclose(page->stream);
    free(page->text);
    *page = (tc_page){0};
}
