/* textclf explain: three measures of each word's contribution to the prediction, side by side,
 * and flags for words on which they disagree. */
#include "commands.h"

#include "../../support/failure.h"
#include "../model/evaluate.h"
#include "../output/page.h"
#include "../output/terminal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { VARIANTS = 256, CELLS = 9 }; /* texts per block of predictions; columns of a bar */

/* The measures come first; they index values too. The other terms flag disagreements. */
enum { ATTENTION, GRADIENT, LEFT_OUT, MEASURES, UNUSED = MEASURES, AGAINST, UNSEEN, SIGNS, TERMS };

static const struct {
    const char *term, *description;
} terms[TERMS] = {
    [ATTENTION] = {"attention", "the word's attention weight, the mean over the heads"},
    [GRADIENT] = {"gradient x input",
                  "the contribution of the word's vector to the log-odds, to first order"},
    [LEFT_OUT] = {"left out", "the fall of the log-odds if the word is left out"},
    [UNUSED] = {"unused",
                "attention is large, left out small: the prediction does not need the word"},
    [AGAINST] = {"against", "attention is large, left out negative and not small: the word speaks "
                            "against the prediction"},
    [UNSEEN] = {"unseen",
                "left out is large, attention small: the prediction needs the word, which "
                "has little attention"},
    [SIGNS] = {"signs", "gradient x input and left out are large and have opposite signs"},
};

static const char disagreements[] = "A flag marks a word on which the measures disagree (large: at "
                                    "least half of the text's largest "
                                    "value; small: less than a tenth of it).";

void tc_explain_print_terms(void)
{
    for (int i = 0; i < TERMS; i++) {
        if (i == MEASURES) printf("%s\n", disagreements);
        printf("  %-17s %s\n", terms[i].term, terms[i].description);
    }
}

typedef struct explanation {
    const tc_analysis *analysis;
    const double *values[MEASURES]; /* [count] each; NULL without attention */
    double max[MEASURES];           /* the largest magnitudes */
    const char **flags;             /* [count] the term of a disagreement, or NULL */
} explanation;

/* Returns a value divided by the text's largest magnitude, -1 to 1. */
static double share(const explanation *e, int measure, int32_t i)
{
    return e->values[measure] ? e->values[measure][i] / e->max[measure] : 0;
}

static const char *disagreement(const explanation *e, int32_t i)
{
    const double large = 0.5, small = 0.1;
    const double attention = share(e, ATTENTION, i), gradient = share(e, GRADIENT, i),
                 left_out = share(e, LEFT_OUT, i);
    if (attention >= large && fabs(left_out) < small) return terms[UNUSED].term;
    if (attention >= large && left_out < 0) return terms[AGAINST].term;
    if (e->values[ATTENTION] && attention < small && fabs(left_out) >= large)
        return terms[UNSEEN].term;
    const bool both_large = fabs(left_out) >= large && fabs(gradient) >= large;
    return both_large && (left_out > 0) != (gradient > 0) ? terms[SIGNS].term : NULL;
}

/* ---- one word left out ---- */

/* Computes the log-odds of the text's predicted label without each of the words first to first +
 * count - 1. */
static bool leave_out(double *odds, const tc_model *model, const tc_analysis *analysis,
                      int32_t first, int32_t count, int32_t *ids, tc_row *rows)
{
    const int32_t left = analysis->count - 1, C = model->labels.count;
    for (int32_t i = 0; i < count; i++) {
        int32_t *row = ids + (size_t)i * (size_t)left;
        const int32_t word = first + i;
        memcpy(row, analysis->ids, (size_t)word * sizeof *row);
        memcpy(row + word, analysis->ids + word + 1, (size_t)(left - word) * sizeof *row);
        rows[i] = (tc_row){.length = left, .ids = row};
    }
    float *log_p = tc_log_probabilities(model, (tc_slice){rows, count});
    for (int32_t i = 0; log_p && i < count; i++) {
        odds[first + i] = tc_log_odds(log_p + (size_t)i * (size_t)C, C, analysis->best);
    }
    ex_free(log_p);
    return log_p != NULL;
}

/* Returns the fall of the log-odds without each word, [count], or NULL after ex_fail. The caller
 * frees it. */
static double *left_out(const tc_model *model, const tc_analysis *analysis)
{
    const int32_t count = analysis->count, block = count < VARIANTS ? count : VARIANTS;
    int32_t *ids = ex_allocate(NULL, (size_t)block * (size_t)count, sizeof *ids);
    tc_row *rows = ex_allocate(NULL, (size_t)block, sizeof *rows);
    double *result = ex_allocate(NULL, (size_t)count, sizeof *result);
    bool good = ids && rows && result;
    for (int32_t first = 0; good && first < count; first += block) {
        const int32_t words = count - first < block ? count - first : block;
        good = leave_out(result, model, analysis, first, words, ids, rows);
    }
    for (int32_t i = 0; good && i < count; i++) result[i] = analysis->log_odds - result[i];
    ex_free(ids);
    ex_free(rows);
    if (good) return result;
    ex_free(result);
    return NULL;
}

/* ---- output ---- */

static void print_explanation(const explanation *e)
{
    const tc_analysis *analysis = e->analysis;
    const bool colour = tc_term_colour();
    const int widest = tc_term_widest(analysis);
    bool known = true;
    tc_term_heading(analysis, colour);
    printf("  %*s   ", widest, "");
    for (int m = 0; m < MEASURES; m++) {
        if (e->values[m]) printf("%-*s", CELLS + 9, terms[m].term);
    }
    printf("flag\n");
    for (int32_t i = 0; i < analysis->count; i++) {
        const char *flag = e->flags[i];
        int gap = 0; /* blanks up to the next column */
        known &= tc_term_word(analysis, i, widest);
        for (int m = 0; m < MEASURES; m++) {
            if (!e->values[m]) continue;
            printf("%*s", gap, "");
            printf(m == ATTENTION ? " %.3f " : "%+.3f ", e->values[m][i]);
            gap = CELLS + 2 - tc_term_blocks(share(e, m, i), CELLS, colour);
        }
        printf("%*s%s\n", flag ? gap : 0, "", flag ? flag : "");
    }
    if (!known) printf("?: not in the vocabulary\n");
}

static void put_explanation(tc_page *page, const explanation *e)
{
    const tc_analysis *analysis = e->analysis;
    int32_t shown = 0;
    tc_page_put(page, "<section>\n<h2><bdi>%s</bdi> %.1f %%</h2>\n",
                analysis->labels->items[analysis->best],
                100 * analysis->probabilities[analysis->best]);
    for (int m = 0; m < MEASURES; m++) {
        if (!e->values[m]) continue;
        tc_page_put(page, "<h3>%s</h3>\n", terms[m].term);
        tc_page_words(page, analysis, e->values[m], e->flags);
    }
    tc_page_put(page, "<h3>flags</h3>\n<table>\n");
    for (int32_t i = 0; i < analysis->count; i++) {
        const ex_token *token = &analysis->tokens.items[i];
        const char *flag = e->flags[i];
        if (!flag) continue;
        tc_page_put(page, "<tr><td><bdi>%.*s</bdi><td>%s\n", (int)token->length,
                    analysis->text + token->start, flag);
        shown++;
    }
    tc_page_put(page, shown ? "</table>\n</section>\n"
                            : "</table>\n<p class=\"quiet\">None.</p>\n</section>\n");
}

static bool explain_text(const tc_model *model, tc_page *page, const char *text)
{
    tc_analysis analysis = {0};
    const bool computed = tc_analysis_compute(&analysis, model, text, true);
    double *without = computed ? left_out(model, &analysis) : NULL;
    explanation e = {.analysis = &analysis,
                     .values = {analysis.weights, analysis.gradient, without}};
    if (without) e.flags = ex_allocate(NULL, (size_t)analysis.count, sizeof *e.flags);
    const bool good = e.flags != NULL;
    if (good) {
        for (int m = 0; m < MEASURES; m++)
            e.max[m] = e.values[m] ? tc_max_magnitude(e.values[m], analysis.count) : 1;
        for (int32_t i = 0; i < analysis.count; i++) e.flags[i] = disagreement(&e, i);
        print_explanation(&e);
        put_explanation(page, &e);
    }
    ex_free(e.flags);
    ex_free(without);
    tc_analysis_free(&analysis);
    return good;
}

bool tc_explain(tc_model *model, const tc_options *options)
{
    const char *path = options->arguments[0], *output = options->output;
    const char *attention = model->settings.attention == TC_NO_ATTENTION
                                ? "The model has no attention (--attention none).\n"
                                : "";
    const char *bag = model->settings.ngrams
                          ? "gradient x input does not cover the bag of --ngrams.\n"
                          : "";
    tc_page page = {0};
    if (output && !ex_has_suffix(output, ".html"))
        return ex_fail("%s: explain writes a web page; give -o FILE.html", output);
    bool good = tc_page_begin(&page, output, "What each word contributes");
    tc_page_put(
        &page,
        "<p class=\"quiet\">Model: <bdi>%s</bdi>. Blue words support the prediction, "
        "orange words contradict it. Words with a dotted line are not in the vocabulary; the "
        "measures disagree on framed words.</p>\n",
        path);
    for (int i = 1; good && i < options->argument_count; i++)
        good = explain_text(model, &page, options->arguments[i]);
    if (good) {
        putchar('\n');
        tc_explain_print_terms();
        printf("%s%s", attention, bag);
    }
    tc_page_put(&page, "<section>\n<h2>Legend</h2>\n<dl class=\"terms\">\n");
    for (int i = 0; i < TERMS; i++) {
        if (i == MEASURES)
            tc_page_put(&page, "</dl>\n<p class=\"quiet\">%s</p>\n<dl class=\"terms\">\n",
                        disagreements);
        tc_page_put(&page, "<div><dt>%s<dd>%s</div>\n", terms[i].term, terms[i].description);
    }
    tc_page_put(&page, "</dl>\n<p class=\"quiet\">%s%s</p>\n</section>\n", attention, bag);
    good = good && tc_page_save(&page);
    if (good && output) printf("written: %s\n", output);
    tc_page_free(&page);
    return good;
}
