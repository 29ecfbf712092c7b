#include "commands.h"
#include "../support/failure.h"
#include "look.h"
#include "page.h"

#include <stdio.h>

static void print_view(const tc_seen *view)
{
    const bool colour = tc_view_colour();
    const int widest = tc_view_widest(view);
    const double most = tc_view_most(view->weights, view->count);
    bool known = true;
    tc_view_head(view, colour);
    for (int32_t i = 0; i < view->count; i++) {
        known &= tc_view_word(view, i, widest);
        printf("%.3f ", view->weights[i]);
        tc_view_bar(view->weights[i] / most, colour);
    }
    if (!known) printf("? marks words that are not in the vocabulary\n");
}

bool tc_attend(tc_model *model, const tc_options *options)
{
    const char *path = options->arguments[0], *output = options->output;
    const bool picture = output && ex_has_suffix(output, ".png");
    tc_page page = {0};
    if (model->settings.attention == TC_NO_ATTENTION) {
        return ex_fail("%s: the model was trained with --attention none: it has no weights to show",
                       path);
    }
    if (output && !picture && !ex_has_suffix(output, ".html")) {
        return ex_fail(
            "%s: attend draws a picture or writes a page: give -o FILE.png or -o FILE.html",
            output);
    }
    if (picture && options->argument_count > 2) {
        return ex_fail("%s: a picture shows one text: give one, or -o FILE.html for a page of all",
                       output);
    }
    bool good = picture ? ex_output_check(output)
                        : tc_page_begin(&page, output, "Where the attention went");
    tc_page_put(&page,
                "<p class=\"quiet\">Model: %s. The bluer a word, the more of the attention it got; "
                "a dotted line: not in the "
                "vocabulary.</p>\n",
                path);
    for (int i = 1; good && i < options->argument_count; i++) {
        tc_seen seen = {0};
        good = tc_see(&seen, model, options->arguments[i], false);
        if (good) print_view(&seen);
        if (good) tc_page_view(&page, &seen);
        if (good && picture) good = tc_view_draw(&seen, options->font, output);
        tc_seen_free(&seen);
    }
    good = good && tc_page_save(&page);
    if (good && output) printf("%s: %s\n", picture ? "drawn" : "written", output);
    tc_page_free(&page);
    return good;
}
