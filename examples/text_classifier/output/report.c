#include "report.h"

#include "../../support/failure.h"
#include "../model/analysis.h"
#include "chart.h"
#include "page.h"
#include "results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MATRIX_LABELS = 12, EXAMPLES = 5 };

typedef struct named_rows {
    const char *kind, *name; /* "test"; the name of its data */
    tc_slice rows;
} named_rows;

typedef struct report {
    tc_page page;
    const tc_report_source *source;
    const tc_experiment *experiment;
    const tc_model *model;
    const tc_train_result *result;
    named_rows scored;   /* for the results: test, else validation, else training rows */
    named_rows examples; /* for the examples: validation, else test, else training rows */
} report;

static report begin_report(const tc_report_source *source)
{
    const tc_experiment *e = source->experiment;
    const named_rows test = {"test", e->test.name, e->test_rows};
    const named_rows train = {"training", e->train.name, e->train_rows};
    const char *valid_name = e->valid.count ? e->valid.name : "held out";
    const named_rows valid = {"validation", valid_name, e->valid_rows};
    report r = {.source = source,
                .experiment = e,
                .model = &e->model,
                .result = source->result,
                .scored = train,
                .examples = train};
    if (test.rows.count) r.examples = r.scored = test;
    if (valid.rows.count) r.examples = valid;
    if (valid.rows.count && !test.rows.count) r.scored = valid;
    return r;
}

/* ---- results ---- */

static void put_headline(report *r, const tc_score *score)
{
    tc_page *page = &r->page;
    const tc_settings *s = &r->model->settings;
    tc_page_put(page, "<p class=\"quiet\"><bdi>%s</bdi>, encoder %s, attention %s</p>\n",
                r->experiment->train.name, tc_encoder_names[s->encoder],
                tc_attention_names[s->attention]);
    tc_page_put(page, "<div class=\"tiles\">\n<div><b>%.1f %%</b>accuracy, %d of %d</div>\n",
                100 * tc_accuracy(score), score->correct, score->rows);
    tc_page_put(page, "<div><b>%.3f</b>macro-F1</div>\n<div><b>%.3f</b>loss</div>\n</div>\n",
                tc_macro_f1(score), score->loss);
    tc_page_put(page,
                "<p class=\"quiet\">Measured on the %s data (<bdi>%s</bdi>) with the weights of "
                "epoch %lld of %lld, ",
                r->scored.kind, r->scored.name, (long long)r->result->best_epoch,
                (long long)r->result->epochs);
    if (r->experiment->valid_rows.count) {
        tc_page_put(page, "the best on the validation data (%.1f %% of %d rows correct).</p>\n",
                    100 * r->result->accuracy, r->experiment->valid_rows.count);
    } else {
        tc_page_put(page, "the last one, because there was no validation data.</p>\n");
    }
}

static void put_labels(report *r, const tc_score *score)
{
    tc_page *page = &r->page;
    tc_page_put(page,
                "<section>\n<h2>Labels</h2>\n<p class=\"quiet\">Measured on the %s data.</p>\n",
                r->scored.kind);
    tc_page_put(page, "<div class=\"wide many\"><table class=\"numbers\">\n"
                      "<thead><tr><th>label<th>rows<th>precision<th>recall<th>F1</thead>\n");
    for (int32_t c = 0; c < score->labels; c++) {
        const tc_label_score s = tc_score_label(score, c);
        tc_page_put(page, "<tr><th><bdi>%s</bdi><td>%d", r->model->labels.items[c], s.rows);
        if (s.predicted) tc_page_put(page, "<td>%.3f", s.precision);
        else tc_page_put(page, "<td>-");
        if (s.rows) tc_page_put(page, "<td>%.3f<td>%.3f\n", s.recall, s.f1);
        else tc_page_put(page, "<td>-<td>-\n");
    }
    tc_page_put(page, "</table></div>\n</section>\n");
}

/* Shades each cell by its share of its row: correct predictions blue, wrong ones orange. */
static void put_matrix(report *r, const tc_score *score)
{
    tc_page *page = &r->page;
    char **const labels = r->model->labels.items;
    tc_page_put(page, "<p class=\"quiet\">Rows: true label; columns: predicted label.</p>\n"
                      "<div class=\"wide\"><table class=\"cells\">\n<tr><th>");
    for (int32_t c = 0; c < score->labels; c++) tc_page_put(page, "<th><bdi>%s</bdi>", labels[c]);
    for (int32_t t = 0; t < score->labels; t++) {
        const int32_t *row = score->confusion + (size_t)t * (size_t)score->labels,
                      rows = tc_score_label(score, t).rows;
        tc_page_put(page, "\n<tr><th><bdi>%s</bdi>", labels[t]);
        for (int32_t c = 0; c < score->labels; c++) {
            tc_page_put(page, "<td class=\"%s\" style=\"--a:%.3f\">%d", c == t ? "" : "n",
                        rows ? (double)row[c] / rows : 0, row[c]);
        }
    }
    tc_page_put(page, "\n</table></div>\n");
}

static void put_confusions(report *r, const tc_score *score)
{
    tc_page *page = &r->page;
    char **const labels = r->model->labels.items;
    tc_page_put(page, "<section>\n<h2>Confusion matrix</h2>\n");
    if (score->labels <= MAX_MATRIX_LABELS) {
        put_matrix(r, score);
    } else if (score->correct == score->rows) {
        tc_page_put(page, "<p class=\"quiet\">There are no wrong predictions.</p>\n");
    } else {
        tc_confusion next = {0};
        tc_page_put(page, "<div class=\"wide\"><table>\n<thead><tr><th>true label<th>predicted "
                          "label<th>rows</thead>\n");
        for (int shown = 0; shown < TC_MAX_CONFUSIONS && tc_results_next_confusion(score, &next);
             shown++) {
            tc_page_put(page, "<tr><td><bdi>%s</bdi><td><bdi>%s</bdi><td>%d\n", labels[next.label],
                        labels[next.predicted], next.rows);
        }
        tc_page_put(
            page,
            "</table></div>\n<p class=\"quiet\">The most frequent of %d wrong predictions.</p>\n",
            score->rows - score->correct);
    }
    tc_page_put(page, "</section>\n");
}

/* ---- curves ---- */

static void put_curves(report *r)
{
    const tc_epoch *first = r->result->history;
    const bool valid = r->experiment->valid_rows.count;
    tc_chart chart = {
        .title = "loss",
        .lines = {{"training", &first->train_loss},
                  {valid ? "validation" : NULL, &first->valid_loss}},
        .stride = sizeof *first / sizeof(double),
        .epochs = r->result->epochs,
        .best = valid ? r->result->best_epoch : 0,
    };
    tc_page_put(&r->page, "<section>\n<h2>Training curves</h2>\n<div class=\"charts\">\n");
    tc_chart_put(&r->page, &chart);
    if (valid) {
        chart.title = "accuracy";
        chart.percent = true;
        memset(chart.lines, 0, sizeof chart.lines);
        chart.lines[1] = (tc_line){"validation", &first->accuracy};
        tc_chart_put(&r->page, &chart);
    }
    chart.title = "gradient norm, by layer";
    chart.percent = false;
    chart.log = true;
    for (int l = 0; l < TC_LAYERS; l++) {
        double sum = 0;
        for (int64_t i = 0; i < chart.epochs; i++) sum += first[i].norms[l];
        chart.lines[l] = (tc_line){sum > 0 ? tc_layer_names[l] : NULL, &first->norms[l]};
    }
    tc_chart_put(&r->page, &chart);
    tc_page_put(&r->page, "</div>\n</section>\n");
}

/* ---- examples ---- */

/* Returns the row to show next among those that are predicted correctly (or wrongly) and were not
 * shown: of the true label shown least often, the row with the most probable prediction. -1:
 * there is none. */
static int32_t next_example(tc_slice slice, const float *log_probabilities, int32_t C, bool correct,
                            const int32_t *shown, int count)
{
    int32_t found = -1, min_shown = INT32_MAX;
    double max_log_p = 0;
    for (int32_t i = 0; i < slice.count; i++) {
        const tc_row *row = &slice.rows[i];
        const float *log_p = log_probabilities + (size_t)i * (size_t)C;
        const int32_t best = tc_best_label(log_p, C);
        int32_t same_label = 0;
        bool is_shown = false;
        for (int j = 0; j < count; j++) {
            is_shown |= shown[j] == i;
            same_label += slice.rows[shown[j]].label == row->label;
        }
        if (is_shown || !row->length || (best == row->label) != correct) continue;
        if (same_label > min_shown) continue;
        if (same_label == min_shown && (double)log_p[best] <= max_log_p) continue;
        found = i;
        min_shown = same_label;
        max_log_p = (double)log_p[best];
    }
    return found;
}

static bool put_example(report *r, const tc_row *row)
{
    tc_analysis analysis = {0};
    const bool good = tc_analysis_compute(&analysis, r->model, row->text, false);
    if (good) {
        char **const labels = analysis.labels->items;
        tc_page_put(&r->page, "<p class=\"quiet\"><b><bdi>%s</bdi> %.1f %%</b>",
                    labels[analysis.best], 100 * analysis.probabilities[analysis.best]);
        if (analysis.best != row->label) {
            tc_page_put(&r->page, "; true label: <bdi>%s</bdi>, %.1f %%", labels[row->label],
                        100 * analysis.probabilities[row->label]);
        }
        tc_page_put(&r->page, "</p>\n");
        tc_page_words(&r->page, &analysis, analysis.weights, NULL);
    }
    tc_analysis_free(&analysis);
    return good;
}

/* Up to EXAMPLES rows that are predicted correctly, or wrongly. */
static bool put_some_examples(report *r, const float *log_probabilities, bool correct)
{
    const tc_slice slice = r->examples.rows;
    int32_t shown[EXAMPLES];
    int count = 0;
    tc_page_put(&r->page,
                correct ? "<h3>Correct predictions</h3>\n" : "<h3>Wrong predictions</h3>\n");
    for (; count < EXAMPLES; count++) {
        shown[count] = next_example(slice, log_probabilities, r->model->labels.count, correct,
                                    shown, count);
        if (shown[count] < 0) break;
        if (!put_example(r, &slice.rows[shown[count]])) return false;
    }
    if (!count) tc_page_put(&r->page, "<p class=\"quiet\">None.</p>\n");
    return true;
}

static bool put_examples(report *r)
{
    const bool attention = r->model->settings.attention != TC_NO_ATTENTION;
    float *log_probabilities = tc_log_probabilities(r->model, r->examples.rows);
    tc_page_put(&r->page,
                "<section>\n<h2>%s</h2>\n<p class=\"quiet\">From the %s data: for each label the "
                "most probable predictions. ",
                attention ? "Attention weights" : "Texts", r->examples.kind);
    tc_page_put(&r->page, attention
                              ? "The bluer a word, the larger its weight; words with a dotted "
                                "line are not in the vocabulary.</p>\n"
                              : "The model has no attention (<code>--attention none</code>), so "
                                "no word is shaded.</p>\n");
    const bool good = log_probabilities && put_some_examples(r, log_probabilities, true) &&
                      put_some_examples(r, log_probabilities, false);
    tc_page_put(&r->page, "</section>\n");
    ex_free(log_probabilities);
    return good;
}

/* ---- settings ---- */

/* Quotes a word for a shell. */
static void put_word(tc_page *page, const char *word)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=+,@%-";
    if (*word && strspn(word, plain) == strlen(word)) {
        tc_page_put(page, "%s", word);
        return;
    }
    tc_page_put(page, "'");
    for (; *word; word++) {
        if (*word == '\'') tc_page_put(page, "'\\''");
        else tc_page_put(page, "%.*s", 1, word);
    }
    tc_page_put(page, "'");
}

static void put_setting(tc_page *page, const char *name, const char *value)
{
    char *end, number[32];
    const double x = strtod(value, &end);
    if (!*end && strchr(value, '.')) { /* 0.10000000000000001 becomes 0.1 */
        snprintf(number, sizeof number, "%g", x);
        value = number;
    }
    tc_page_put(page, "<div><dt>%s<dd><bdi>%s</bdi></div>\n", name, value);
}

static void put_settings(report *r)
{
    tc_page *page = &r->page;
    const tc_experiment *e = r->experiment;
    const char *name;
    json_t *value;
    tc_page_put(page,
                "<section>\n<h2>Settings</h2>\n<p class=\"quiet\">%d training rows, %d validation "
                "rows, %d test rows; ",
                e->train_rows.count, e->valid_rows.count, e->test.count);
    tc_page_put(page, "%d labels, %d words, %lld parameters.</p>\n<dl>\n", r->model->labels.count,
                r->model->words.count - EX_FIRST_WORD, (long long)tg_params_size(r->model->params));
    json_object_foreach((json_t *)r->source->settings, name, value)
    {
        put_setting(page, name, json_string_value(value));
    }
    tc_page_put(page, "</dl>\n</section>\n<section>\n<h2>Command</h2>\n"
                      "<p class=\"quiet\">It trains the same model again.</p>\n<pre>");
    for (char *const *word = r->source->command_line; *word; word++) {
        if (word > r->source->command_line) tc_page_put(page, " ");
        put_word(page, *word);
    }
    tc_page_put(page, "</pre>\n</section>\n");
}

bool tc_report_write(const char *path, const tc_report_source *source)
{
    report r = begin_report(source);
    tc_score score = {0};
    bool good = tc_page_begin(&r.page, path, "Training report") &&
                tc_score_rows(&score, r.model, r.scored.rows);
    if (good) {
        put_headline(&r, &score);
        put_curves(&r);
        put_labels(&r, &score);
        put_confusions(&r, &score);
        good = put_examples(&r);
    }
    if (good) put_settings(&r);
    good = good && tc_page_save(&r.page);
    tc_score_free(&score);
    tc_page_free(&r.page);
    return good;
}
