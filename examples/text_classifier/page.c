#include "page.h"

#include "failure.h"
#include "files.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LABELS = 8 }; /* that are shown beside a text */

/* The browser's own colours, light or dark; blue over them, more for more weight, leaves both legible. */
static const char head[] =
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<style>\n"
    ":root { color-scheme: light dark; }\n"
    "body { font: 1.05rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }\n"
    "h1 { font-size: 1.5rem; margin: 0; }\n"
    "h2 { font-size: 1.15rem; margin: 0 0 .4rem; }\n"
    "section { margin-top: 1.6rem; padding-top: 1.2rem; border-top: 1px solid #8885; }\n"
    ".text { font-size: 1.2rem; line-height: 2.1; margin: 0 0 .5rem; overflow-wrap: anywhere; white-space: pre-wrap; }\n"
    ".w { background: rgb(37 99 235 / calc(var(--a) * .7)); border-radius: .3em; padding: .2em .15em; }\n"
    ".u { text-decoration: underline dotted; text-underline-offset: .25em; }\n"
    ".quiet { opacity: .75; font-size: .95rem; margin: .3rem 0 0; }\n"
    "table { border-collapse: collapse; font-size: .9rem; }\n"
    "td { padding: .05rem .8rem .05rem 0; font-variant-numeric: tabular-nums; }\n"
    "</style>\n";

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

bool tc_page_begin(tc_page *page, const char *model)
{
    page->stream = open_memstream(&page->text, &page->size);
    if (!page->stream) return tc_fail("out of memory: a page");
    fprintf(page->stream, "<!DOCTYPE html>\n<html lang=\"en\">\n<title>Where the attention went</title>\n%s<h1>Where the attention "
                          "went</h1>\n<p class=\"quiet\">Model: ", head);
    escape(page->stream, model, strlen(model));
    fputs(". The bluer a word, the more of the attention it got; a dotted line: not in the vocabulary.</p>\n", page->stream);
    return true;
}

static void add_words(FILE *to, const tc_view *view)
{
    double most = 0;
    size_t at = 0;
    for (int32_t i = 0; i < view->count; i++) most = fmax(most, (double)view->weights[i]);
    for (int32_t i = 0; i < view->count; i++) {
        const tc_token *token = &view->tokens[i];
        const double weight = (double)view->weights[i];
        escape(to, view->text + at, token->start - at);
        fprintf(to, "<span class=\"w%s\" style=\"--a:%.3f\" title=\"%.1f %%\">", view->ids[i] == TC_UNKNOWN ? " u" : "",
                most > 0 ? weight / most : 0, 100 * weight);
        escape(to, view->text + token->start, token->length);
        fputs("</span>", to);
        at = token->start + token->length;
    }
    escape(to, view->text + at, strlen(view->text + at));
}

void tc_page_add(tc_page *page, const tc_view *view)
{
    FILE *to = page->stream;
    const char *best = view->labels->items[view->best];
    fputs("<section>\n<h2>", to);
    escape(to, best, strlen(best));
    fprintf(to, " %.1f %%</h2>\n<p class=\"text\" dir=\"auto\">", 100 * view->probabilities[view->best]);
    add_words(to, view);
    fputs("</p>\n<table>\n", to);
    for (int32_t c = 0; c < view->labels->count && view->labels->count <= MOST_LABELS; c++) {
        const char *label = view->labels->items[c];
        fputs("<tr><td>", to);
        escape(to, label, strlen(label));
        fprintf(to, "<td>%.1f %%\n", 100 * view->probabilities[c]);
    }
    fputs("</table>\n</section>\n", to);
}

bool tc_page_save(tc_page *page, const char *path)
{
    fputs("</html>\n", page->stream);
    const bool whole = !fflush(page->stream) && !ferror(page->stream);
    return whole ? tc_file_write(path, page->text, page->size) : tc_fail("out of memory: a page");
}

void tc_page_free(tc_page *page)
{
    if (page->stream) fclose(page->stream);
    free(page->text);
    *page = (tc_page){0};
}
