/* textclf explain: three measures of what each word does to the answer, side by side, and where they disagree. */
#include "commands.h"
#include "evaluate.h"
#include "../support/failure.h"
#include "look.h"
#include "page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { VARIANTS = 256, CELLS = 9 };
enum {
    ATTENTION,
    GRADIENT,
    LEFT_OUT,
    MEASURES,
    SIZES = MEASURES,
    UNUSED,
    AGAINST,
    UNSEEN,
    SIGNS,
    TERMS
};

static const struct {
    const char *term, *about;
} terms[TERMS] = {
    [ATTENTION] = {"attention", "the word's weight, the mean over the heads"},
    [GRADIENT] = {"gradient x input",
                  "what the word's vector adds to the log-odds of the answer, to first order"},
    [LEFT_OUT] = {"left out",
                  "by how much the log-odds of the answer fall where the word is left out"},
    [SIZES] = {"large, small", "a value from half of the text's largest on; one below a tenth of "
                               "it. Where the measures disagree:"},
    [UNUSED] = {"unused",
                "attention is large, left out small: the answer does not need what was looked at"},
    [AGAINST] = {"against", "attention is large, left out negative and not small: what was looked "
                            "at speaks against it"},
    [UNSEEN] = {"unseen",
                "left out is large, attention small: the answer needs what was not looked at"},
    [SIGNS] = {"signs",
               "gradient x input and left out are large, and one is positive and one negative"},
};

void tc_explain_terms(void)
{
    for (int i = 0; i < TERMS; i++) printf("  %-17s %s\n", terms[i].term, terms[i].about);
}

typedef struct explanation {
    const tc_seen *view;
    const double *values[MEASURES]; /* [count] each; attention NULL without it */
    double most[MEASURES];
    const char **notes; /* [count] what the measures of a word disagree in, or NULL */
} explanation;

/* A value's share of the text's largest, -1 .. 1. */
static double share(const explanation *e, int measure, int32_t i)
{
    return e->values[measure] ? e->values[measure][i] / e->most[measure] : 0;
}

static const char *disagreement(const explanation *e, int32_t i)
{
    const double large = 0.5, small = 0.1;
    const double looked = share(e, ATTENTION, i), gradient = share(e, GRADIENT, i),
                 left = share(e, LEFT_OUT, i);
    if (looked >= large && fabs(left) < small) return terms[UNUSED].term;
    if (looked >= large && left < 0) return terms[AGAINST].term;
    if (e->values[ATTENTION] && looked < small && fabs(left) >= large) return terms[UNSEEN].term;
    return fabs(left) >= large && fabs(gradient) >= large && (left > 0) != (gradient > 0)
               ? terms[SIGNS].term
               : NULL;
}

/* ---- one word left out ---- */

/* The log-odds of the whole text's answer without each of the words `first` .. `first + count - 1`. */
static bool leave_out(double *odds, const tc_model *model, const tc_seen *view, int32_t first,
                      int32_t count, int32_t *ids, tc_row *rows)
{
    const int32_t left = view->count - 1, C = model->labels.count;
    for (int32_t i = 0; i < count; i++) {
        int32_t *row = ids + (size_t)i * (size_t)left;
        const int32_t word = first + i;
        memcpy(row, view->ids, (size_t)word * sizeof *row);
        memcpy(row + word, view->ids + word + 1, (size_t)(left - word) * sizeof *row);
        rows[i] = (tc_row){.length = left, .ids = row};
    }
    float *answers = tc_log_probabilities(model, (tc_part){rows, count});
    for (int32_t i = 0; answers && i < count; i++) {
        odds[first + i] = tc_log_odds(answers + (size_t)i * (size_t)C, C, view->best);
    }
    ex_free(answers);
    return answers != NULL;
}

/* By how much each word raises the log-odds, [count]; the caller frees it. NULL after ex_fail. */
static double *left_out(const tc_model *model, const tc_seen *seen)
{
    const int32_t count = seen->count, most = count < VARIANTS ? count : VARIANTS;
    int32_t *ids = ex_allocate(NULL, (size_t)most * (size_t)count, sizeof *ids);
    tc_row *rows = ex_allocate(NULL, (size_t)most, sizeof *rows);
    double *result = ex_allocate(NULL, (size_t)count, sizeof *result);
    bool good = ids && rows && result;
    for (int32_t first = 0; good && first < count; first += most) {
        good = leave_out(result, model, seen, first, count - first < most ? count - first : most,
                         ids, rows);
    }
    for (int32_t i = 0; good && i < count; i++) result[i] = seen->log_odds - result[i];
    ex_free(ids);
    ex_free(rows);
    if (good) return result;
    ex_free(result);
    return NULL;
}

/* ---- shown ---- */

static void print_explanation(const explanation *e)
{
    const tc_seen *view = e->view;
    const bool colour = tc_view_colour();
    const int widest = tc_view_widest(view);
    bool known = true;
    tc_view_head(view, colour);
    printf("  %*s   ", widest, "");
    for (int m = 0; m < MEASURES; m++) {
        if (e->values[m]) printf("%-*s", CELLS + 9, terms[m].term);
    }
    printf("disagree\n");
    for (int32_t i = 0; i < view->count; i++) {
        const char *note = e->notes[i];
        int gap = 0; /* up to the next column */
        known &= tc_view_word(view, i, widest);
        for (int m = 0; m < MEASURES; m++) {
            if (!e->values[m]) continue;
            printf("%*s", gap, "");
            printf(m == ATTENTION ? " %.3f " : "%+.3f ", e->values[m][i]);
            gap = CELLS + 2 - tc_view_cells(share(e, m, i), CELLS, colour);
        }
        printf("%*s%s\n", note ? gap : 0, "", note ? note : "");
    }
    if (!known) printf("? marks words that are not in the vocabulary\n");
}

static void put_explanation(tc_page *page, const explanation *e)
{
    const tc_seen *view = e->view;
    int32_t shown = 0;
    tc_page_put(page, "<section>\n<h2><bdi>%s</bdi> %.1f %%</h2>\n",
                view->labels->items[view->best], 100 * view->probabilities[view->best]);
    for (int m = 0; m < MEASURES; m++) {
        if (!e->values[m]) continue;
        tc_page_put(page, "<h3>%s</h3>\n", terms[m].term);
        tc_page_words(page, view, e->values[m], e->notes);
    }
    tc_page_put(page, "<h3>disagree</h3>\n<table>\n");
    for (int32_t i = 0; i < view->count; i++) {
        const ex_token *token = &view->tokens.items[i];
        const char *note = e->notes[i];
        if (!note) continue;
        tc_page_put(page, "<tr><td><bdi>%.*s</bdi><td>%s\n", (int)token->length,
                    view->text + token->start, note);
        shown++;
    }
    tc_page_put(page, shown ? "</table>\n</section>\n"
                            : "</table>\n<p class=\"quiet\">Nowhere.</p>\n</section>\n");
}

static bool explain_text(const tc_model *model, tc_page *page, const char *text)
{
    tc_seen seen = {0};
    double *left = tc_see(&seen, model, text, true) ? left_out(model, &seen) : NULL;
    explanation e = {&seen, {seen.weights, seen.gradient, left}, {0}, NULL};
    const bool good = left && (e.notes = ex_allocate(NULL, (size_t)seen.count, sizeof *e.notes));
    for (int m = 0; good && m < MEASURES; m++)
        e.most[m] = e.values[m] ? tc_view_most(e.values[m], seen.count) : 1;
    for (int32_t i = 0; good && i < seen.count; i++) e.notes[i] = disagreement(&e, i);
    if (good) print_explanation(&e);
    if (good) put_explanation(page, &e);
    ex_free(e.notes);
    ex_free(left);
    tc_seen_free(&seen);
    return good;
}

bool tc_explain(tc_model *model, const tc_options *options)
{
    const char *path = options->arguments[0], *output = options->output;
    const char *attention = model->settings.attention == TC_NO_ATTENTION
                                ? "The model has no attention (--attention none).\n"
                                : "";
    const char *bag = model->settings.ngrams ? "gradient x input leaves the bag of --ngrams out.\n"
                                             : "";
    tc_page page = {0};
    if (output && !ex_has_suffix(output, ".html"))
        return ex_fail("%s: explain writes a page: give -o FILE.html", output);
    bool good = tc_page_begin(&page, output, "What each word does to the answer");
    tc_page_put(&page,
                "<p class=\"quiet\">Model: <bdi>%s</bdi>. Blue speaks for the answer, orange "
                "against it; a dotted line: not in the "
                "vocabulary; a frame: the measures disagree.</p>\n",
                path);
    for (int i = 1; good && i < options->argument_count; i++)
        good = explain_text(model, &page, options->arguments[i]);
    if (good) putchar('\n'), tc_explain_terms(), printf("%s%s", attention, bag);
    tc_page_put(&page, "<section>\n<h2>How to read this</h2>\n<dl class=\"terms\">\n");
    for (int i = 0; i < TERMS; i++)
        tc_page_put(&page, "<div><dt>%s<dd>%s</div>\n", terms[i].term, terms[i].about);
    tc_page_put(&page, "</dl>\n<p class=\"quiet\">%s%s</p>\n</section>\n", attention, bag);
    good = good && tc_page_save(&page);
    if (good && output) printf("written: %s\n", output);
    tc_page_free(&page);
    return good;
}
