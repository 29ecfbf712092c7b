#include "report.h"

#include "chart.h"
#include "../support/failure.h"
#include "look.h"
#include "results.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MATRIX_LABELS = 12, EXAMPLES = 5 };

typedef struct named_part {
    const char *kind, *name;
    tc_part part;
} named_part;

typedef struct report {
    tc_page page;
    const tc_material *m;
    const tc_model *model; /* the material's */
    const tc_outcome *outcome;
    named_part measured, looked_at;
} report;

/* The first of the parts that has rows: the test part, validation and training, in the order that is wanted. */
static named_part choose(const tc_material *m, bool test_first)
{
    const named_part test = {"test", m->test.name, m->test_part};
    const named_part valid = {"validation", m->valid.count ? m->valid.name : "held out",
                              m->valid_part};
    if (test_first && test.part.count) return test;
    if (valid.part.count) return valid;
    return test.part.count ? test : (named_part){"training", m->train.name, m->train_part};
}

/* ---- results ---- */

static void put_headline(report *r, const tc_score *score)
{
    tc_page *page = &r->page;
    const tc_settings *s = &r->model->settings;
    tc_page_put(page, "<p class=\"quiet\"><bdi>%s</bdi>, encoder %s, attention %s</p>\n",
                r->m->train.name, tc_encoder_names[s->encoder], tc_attention_names[s->attention]);
    tc_page_put(page, "<div class=\"tiles\">\n<div><b>%.1f %%</b>accuracy, %d of %d</div>\n",
                100 * tc_accuracy(score), score->right, score->rows);
    tc_page_put(page, "<div><b>%.3f</b>macro-F1</div>\n<div><b>%.3f</b>loss</div>\n</div>\n",
                tc_macro_f1(score), score->loss);
    tc_page_put(
        page,
        "<p class=\"quiet\">On the %s data (<bdi>%s</bdi>), by the weights of epoch %lld of %lld, ",
        r->measured.kind, r->measured.name, (long long)r->outcome->best_epoch,
        (long long)r->outcome->epochs);
    if (r->m->valid_part.count) {
        tc_page_put(page, "the best on the validation data (%.1f %% of %d right).</p>\n",
                    100 * r->outcome->accuracy, r->m->valid_part.count);
    } else {
        tc_page_put(page, "the last one: there was no validation data to choose by.</p>\n");
    }
}

static void put_labels(report *r, const tc_score *score)
{
    tc_page *page = &r->page;
    tc_page_put(page, "<section>\n<h2>Labels</h2>\n<p class=\"quiet\">On the %s data.</p>\n",
                r->measured.kind);
    tc_page_put(page, "<div class=\"wide many\"><table class=\"numbers\">\n"
                      "<thead><tr><th>label<th>rows<th>precision<th>recall<th>F1</thead>\n");
    for (int32_t c = 0; c < score->labels; c++) {
        const tc_label_score s = tc_score_label(score, c);
        tc_page_put(page, "<tr><th><bdi>%s</bdi><td>%d", r->model->labels.items[c], s.rows);
        if (s.answers) tc_page_put(page, "<td>%.3f", s.precision);
        else tc_page_put(page, "<td>-");
        if (s.rows) tc_page_put(page, "<td>%.3f<td>%.3f\n", s.recall, s.f1);
        else tc_page_put(page, "<td>-<td>-\n");
    }
    tc_page_put(page, "</table></div>\n</section>\n");
}

/* Each row is shaded by the share that a cell has of it: right answers blue, wrong ones orange. */
static void put_matrix(report *r, const tc_score *score)
{
    tc_page *page = &r->page;
    char **const labels = r->model->labels.items;
    tc_page_put(page, "<p class=\"quiet\">Rows: the true label; columns: the answer.</p>\n"
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
    tc_page_put(page, "<section>\n<h2>What is taken for what</h2>\n");
    if (score->labels <= MATRIX_LABELS) {
        put_matrix(r, score);
    } else if (score->right == score->rows) {
        tc_page_put(page, "<p class=\"quiet\">No answer is wrong.</p>\n");
    } else {
        tc_confused next = {0};
        tc_page_put(
            page,
            "<div class=\"wide\"><table>\n<thead><tr><th>true label<th>answer<th>rows</thead>\n");
        for (int shown = 0; shown < TC_MOST_CONFUSED && tc_results_confused(score, &next);
             shown++) {
            tc_page_put(page, "<tr><td><bdi>%s</bdi><td><bdi>%s</bdi><td>%d\n", labels[next.label],
                        labels[next.answer], next.rows);
        }
        tc_page_put(page,
                    "</table></div>\n<p class=\"quiet\">The most frequent mistakes of %d.</p>\n",
                    score->rows - score->right);
    }
    tc_page_put(page, "</section>\n");
}

/* ---- the course of the training ---- */

static void put_curves(report *r)
{
    const tc_epoch *first = r->outcome->history;
    const bool valid = r->m->valid_part.count;
    tc_chart chart = {
        .title = "loss",
        .lines = {{"training", &first->train_loss},
                  {valid ? "validation" : NULL, &first->valid_loss}},
        .stride = sizeof *first / sizeof(double),
        .epochs = r->outcome->epochs,
        .best = valid ? r->outcome->best_epoch : 0,
    };
    tc_page_put(&r->page,
                "<section>\n<h2>The course of the training</h2>\n<div class=\"charts\">\n");
    tc_chart_put(&r->page, &chart);
    if (valid) {
        chart.title = "accuracy";
        chart.percent = true;
        memset(chart.lines, 0, sizeof chart.lines);
        chart.lines[1] = (tc_line){"validation", &first->accuracy};
        tc_chart_put(&r->page, &chart);
    }
    chart.title = "norm of the gradient, by layer";
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

/* ---- texts ---- */

/* The next row that is right (or wrong) and not yet shown: of the true labels shown least the surest answer. -1: none. */
static int32_t next_example(const tc_part *part, const float *answers, int32_t C, bool right,
                            const int32_t *shown, int count)
{
    int32_t found = -1, least = INT32_MAX;
    double surest = 0;
    for (int32_t i = 0; i < part->count; i++) {
        const tc_row *row = &part->rows[i];
        const float *answer = answers + (size_t)i * (size_t)C;
        const int32_t best = tc_best_label(answer, C);
        int32_t alike = 0;
        for (int j = 0; j < count && alike >= 0; j++) {
            if (shown[j] == i) alike = -1;
            else alike += part->rows[shown[j]].label == row->label;
        }
        if (alike < 0 || !row->length || (best == row->label) != right) continue;
        if (alike > least || (alike == least && (double)answer[best] <= surest)) continue;
        found = i, least = alike, surest = (double)answer[best];
    }
    return found;
}

static bool put_example(report *r, const tc_row *row)
{
    tc_seen seen = {0};
    const bool good = tc_see(&seen, r->model, row->text, false);
    if (good) {
        const tc_seen *view = &seen;
        const char *answer = view->labels->items[view->best],
                   *label = view->labels->items[row->label];
        tc_page_put(&r->page, "<p class=\"quiet\"><b><bdi>%s</bdi> %.1f %%</b>", answer,
                    100 * view->probabilities[view->best]);
        if (view->best != row->label) {
            tc_page_put(&r->page, "; it is <bdi>%s</bdi>, %.1f %%", label,
                        100 * view->probabilities[row->label]);
        }
        tc_page_put(&r->page, "</p>\n");
        tc_page_words(&r->page, view, view->weights, NULL);
    }
    tc_seen_free(&seen);
    return good;
}

static bool put_examples(report *r)
{
    const tc_part part = r->looked_at.part;
    const int32_t C = r->model->labels.count;
    float *answers = tc_log_probabilities(r->model, part);
    bool good = answers != NULL;
    const bool blind = r->model->settings.attention == TC_NO_ATTENTION;
    tc_page_put(&r->page,
                "<section>\n<h2>%s</h2>\n<p class=\"quiet\">Of the %s data, for each label in turn "
                "the surest "
                "answers. ",
                blind ? "Texts" : "Where the attention went", r->looked_at.kind);
    tc_page_put(
        &r->page,
        blind
            ? "The model has no attention (<code>--attention none</code>): no word is marked.</p>\n"
            : "The bluer a word, the more of the attention it got; a dotted line: not in the "
              "vocabulary.</p>\n");
    for (int wrong = 0; good && wrong < 2; wrong++) {
        int32_t shown[EXAMPLES];
        int count = 0;
        tc_page_put(&r->page, wrong ? "<h3>Wrong answers</h3>\n" : "<h3>Right answers</h3>\n");
        while (good && count < EXAMPLES &&
               (shown[count] = next_example(&part, answers, C, !wrong, shown, count)) >= 0) {
            good = put_example(r, &part.rows[shown[count++]]);
        }
        if (!count) tc_page_put(&r->page, "<p class=\"quiet\">There is none.</p>\n");
    }
    tc_page_put(&r->page, "</section>\n");
    ex_free(answers);
    return good;
}

/* ---- how to have it again ---- */

/* As a shell reads it. */
static void put_word(tc_page *page, const char *word)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=+,@%-";
    if (*word && strspn(word, plain) == strlen(word)) {
        tc_page_put(page, "%s", word);
        return;
    }
    tc_page_put(page, "'");
    for (; *word; word++) tc_page_put(page, *word == '\'' ? "'\\''" : "%.*s", 1, word);
    tc_page_put(page, "'");
}

static bool put_settings(report *r)
{
    tc_page *page = &r->page;
    json_t *plan = tc_options_plan(&r->m->options), *value;
    if (!plan) return false;
    tc_page_put(page,
                "<section>\n<h2>Settings</h2>\n<p class=\"quiet\">%d rows to train on, %d to "
                "validate, %d to test; ",
                r->m->train_part.count, r->m->valid_part.count, r->m->test.count);
    tc_page_put(page, "%d labels, %d words, %lld numbers to learn.</p>\n<dl>\n",
                r->model->labels.count, r->model->words.count - EX_FIRST_WORD,
                (long long)tg_params_size(r->model->params));
    const char *name;
    json_object_foreach(plan, name, value)
    {
        const char *text = json_string_value(value);
        char *end, number[32];
        const double x = strtod(text, &end);
        if (!*end && strchr(text, '.')) snprintf(number, sizeof number, "%g", x), text = number;
        tc_page_put(page, "<div><dt>%s<dd><bdi>%s</bdi></div>\n", name, text);
    }
    json_decref(plan);
    tc_page_put(page, "</dl>\n</section>\n<section>\n<h2>The same again</h2>\n<pre>");
    for (char **word = r->m->options.words; *word; word++) {
        if (word > r->m->options.words) tc_page_put(page, " ");
        put_word(page, *word);
    }
    tc_page_put(page, "</pre>\n</section>\n");
    return true;
}

bool tc_report_write(const char *path, const tc_material *m, const tc_outcome *outcome)
{
    report r = {{0}, m, &m->model, outcome, choose(m, true), choose(m, false)};
    tc_score score = {0};
    bool good = tc_page_begin(&r.page, path, "A training of textclf") &&
                tc_score_part(&score, &m->model, r.measured.part);
    if (good) {
        put_headline(&r, &score);
        put_curves(&r);
        put_labels(&r, &score);
        put_confusions(&r, &score);
    }
    good = good && put_examples(&r) && put_settings(&r) && tc_page_save(&r.page);
    tc_score_free(&score);
    tc_page_free(&r.page);
    return good;
}
