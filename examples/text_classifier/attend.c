#include "commands.h"
#include "../support/failure.h"
#include "../support/files.h"
#include "look.h"
#include "page.h"

#include <stdio.h>

static void print_view(const tc_view *view)
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

/* Where it goes besides the terminal: a page of all texts, or (no page) a picture of one. */
static bool show(const tc_view *view, tc_page *page, const tc_options *options)
{
    print_view(view);
    if (page) tc_page_view(page, view);
    if (page || !options->output) return true;
    return tc_view_draw(view, options->font, options->output) && printf("drawn: %s\n", options->output) > 0;
}

static bool attend(tc_model *model, tc_page *page, const tc_options *options)
{
    const char *path = options->arguments[0], *output = options->output;
    if (!tc_model_load(model, path)) return false;
    if (model->settings.attention == TC_NO_ATTENTION) {
        return tc_fail("%s: the model was trained with --attention none: it has no weights to show", path);
    }
    if (output && !tc_page_named(output)) page = NULL;
    if (output && !page && options->argument_count > 2) {
        return tc_fail("%s: a picture shows one text: give one, or -o FILE.html for a page of all", output);
    }
    if ((output && !tc_output_check(output)) || (page && !tc_page_begin(page, "Where the attention went"))) return false;
    if (page) {
        tc_page_put(page, "<p class=\"quiet\">Model: %s. The bluer a word, the more of the attention it got; a dotted line: "
                          "not in the vocabulary.</p>\n", path);
    }
    bool good = true;
    for (int32_t i = 1; good && i < options->argument_count; i++) {
        tc_seen seen = {0};
        good = tc_see(&seen, model, options->arguments[i], false) && show(&seen.view, page, options);
        tc_seen_free(&seen);
    }
    return good && (!page || (tc_page_save(page, output) && printf("written: %s\n", output) > 0));
}

int tc_attend(const tc_options *options)
{
    tc_model model = {0};
    tc_page page = {0};
    bool good = attend(&model, options->output ? &page : NULL, options);
    tc_page_free(&page);
    tc_model_free(&model);
    return good ? TC_DONE : TC_FAILED;
}
