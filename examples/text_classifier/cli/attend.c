/* textclf attend: the attention weight of each word of a text. */
#include "commands.h"

#include "../../support/failure.h"
#include "../output/page.h"
#include "../output/picture.h"
#include "../output/terminal.h"

#include <stdio.h>

static void print_analysis(const tc_analysis *analysis)
{
    const bool colour = tc_term_colour();
    const int widest = tc_term_widest(analysis);
    const double max = tc_max_magnitude(analysis->weights, analysis->count);
    bool known = true;
    tc_term_heading(analysis, colour);
    for (int32_t i = 0; i < analysis->count; i++) {
        known &= tc_term_word(analysis, i, widest);
        printf("%.3f ", analysis->weights[i]);
        tc_term_bar(analysis->weights[i] / max, colour);
    }
    if (!known) printf("?: not in the vocabulary\n");
}

bool tc_attend(tc_model *model, const tc_options *options)
{
    const char *path = options->arguments[0], *output = options->output;
    const bool picture = output && ex_has_suffix(output, ".png");
    tc_page page = {0};
    if (model->settings.attention == TC_NO_ATTENTION) {
        return ex_fail("%s: the model was trained with --attention none, so it has no attention "
                       "weights; try textclf explain",
                       path);
    }
    if (output && !picture && !ex_has_suffix(output, ".html")) {
        return ex_fail(
            "%s: unknown kind of file; give -o FILE.png for a picture or -o FILE.html for a page",
            output);
    }
    if (picture && options->argument_count > 2) {
        return ex_fail(
            "%s: a picture shows one text; give one TEXT, or -o FILE.html for a page of all",
            output);
    }
    bool good = picture ? ex_output_check(output)
                        : tc_page_begin(&page, output, "Attention weights");
    tc_page_put(
        &page,
        "<p class=\"quiet\">Model: <bdi>%s</bdi>. The bluer a word, the larger its attention "
        "weight; words with a dotted line are not in the vocabulary.</p>\n",
        path);
    for (int i = 1; good && i < options->argument_count; i++) {
        tc_analysis analysis = {0};
        good = tc_analysis_compute(&analysis, model, options->arguments[i], false);
        if (good) print_analysis(&analysis);
        if (good) tc_page_analysis(&page, &analysis);
        if (good && picture) good = tc_picture_draw(&analysis, options->font, output);
        tc_analysis_free(&analysis);
    }
    good = good && tc_page_save(&page);
    if (good && output) printf("written: %s\n", output);
    tc_page_free(&page);
    return good;
}
