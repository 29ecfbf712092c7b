#include "results.h"

#include "../support/checked.h"
#include "../support/failure.h"
#include "view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MATRIX_LABELS = 10, CELL = 10 };

/* ---- to people ---- */

void tc_results_line(const tc_score *score)
{
    printf("accuracy %.4f (%d of %d), macro-F1 %.4f, loss %.4f", tc_accuracy(score), score->right,
           score->rows, tc_macro_f1(score), score->loss);
}

static void print_matrix(const tc_score *score, const ex_names *labels)
{
    printf("\nrows: the true label; columns: the answer\n%*s", CELL, "");
    for (int32_t c = 0; c < score->labels; c++) {
        printf(" ");
        tc_view_cell(labels->items[c], CELL, true);
    }
    printf("\n");
    for (int32_t t = 0; t < score->labels; t++) {
        tc_view_cell(labels->items[t], CELL, false);
        for (int32_t c = 0; c < score->labels; c++)
            printf(" %*d", CELL, score->confusion[t * score->labels + c]);
        printf("\n");
    }
}

bool tc_results_confused(const tc_score *score, tc_confused *last)
{
    const int32_t C = score->labels;
    const int64_t before = last->rows ? (int64_t)last->label * C + last->answer : -1;
    tc_confused next = {0};
    for (int64_t i = 0; i < (int64_t)C * C; i++) {
        const int32_t n = score->confusion[i], below = last->rows ? last->rows : INT32_MAX;
        if (i / C == i % C || n <= next.rows || n > below || (n == below && i <= before)) continue;
        next = (tc_confused){(int32_t)(i / C), (int32_t)(i % C), n};
    }
    *last = next;
    return next.rows > 0;
}

static void print_confused(const tc_score *score, const ex_names *labels)
{
    tc_confused next = {0};
    printf("\nmost confused: true label, answer, rows\n");
    for (int shown = 0; shown < TC_MOST_CONFUSED && tc_results_confused(score, &next); shown++) {
        printf("  %s -> %s  %d\n", labels->items[next.label], labels->items[next.answer],
               next.rows);
    }
}

void tc_results_table(const tc_score *score, const ex_names *labels)
{
    printf("    rows  precision   recall       F1  label\n");
    for (int32_t c = 0; c < score->labels; c++) {
        const tc_label_score s = tc_score_label(score, c);
        printf("%8d ", s.rows);
        if (s.answers) printf(" %9.4f", s.precision);
        else printf(" %9s", "-");
        if (s.rows) printf("  %7.4f  %7.4f", s.recall, s.f1);
        else printf("  %7s  %7s", "-", "-");
        printf("  %s\n", labels->items[c]);
    }
    if (score->labels <= MATRIX_LABELS) print_matrix(score, labels);
    else print_confused(score, labels);
}

/* ---- to machines ---- */

/* Prints and frees an object. */
static bool print_object(json_t *object)
{
    char *text = ex_json_write(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    const bool good = text && puts(text) >= 0;
    ex_free(text);
    return good;
}

bool tc_results_json(const tc_score *score, const ex_names *labels, double unknown)
{
    json_t *by_label = json_array(), *confusion = json_array();
    for (int32_t t = 0; t < score->labels; t++) {
        const tc_label_score s = tc_score_label(score, t);
        json_t *row = json_array();
        for (int32_t c = 0; c < score->labels; c++) {
            json_array_append_new(row, json_integer(score->confusion[t * score->labels + c]));
        }
        json_array_append_new(confusion, row);
        json_array_append_new(by_label,
                              json_pack("{s:s, s:i, s:i, s:f, s:f, s:f}", "label", labels->items[t],
                                        "rows", s.rows, "answers", s.answers, "precision",
                                        s.precision, "recall", s.recall, "f1", s.f1));
    }
    return print_object(json_pack("{s:i, s:i, s:f, s:f, s:f, s:f, s:o, s:o}", "rows", score->rows,
                                  "right", score->right, "accuracy", tc_accuracy(score), "macro_f1",
                                  tc_macro_f1(score), "loss", score->loss, "unknown_words", unknown,
                                  "labels", by_label, "confusion", confusion));
}

/* ---- one answer ---- */

/* The label that comes after `before` (-1: none yet) when they are ordered by probability, then by number. */
static int32_t next_likely(const float *answer, int32_t count, int32_t before)
{
    int32_t best = -1;
    for (int32_t c = 0; c < count; c++) {
        const bool later = before < 0 || answer[c] < answer[before] ||
                           (answer[c] == answer[before] && c > before);
        if (later && (best < 0 || answer[c] > answer[best])) best = c;
    }
    return best;
}

bool tc_results_answer(const float *log_probabilities, const ex_names *labels, const char *text,
                       int32_t top, bool json)
{
    const float *answer = log_probabilities;
    const int32_t C = labels->count, best = tc_best_label(answer, C),
                  shown = top > 0 && top < C ? top : C;
    json_t *probabilities = json ? json_object() : NULL;
    if (!json) printf("%s\t%.4f\t", labels->items[best], exp((double)answer[best]));
    for (int32_t i = 0, c = -1; i < shown; i++) {
        c = top > 0 ? next_likely(answer, C, c) : i;
        if (json)
            json_object_set_new(probabilities, labels->items[c], json_real(exp((double)answer[c])));
        else printf("%s%s %.4f", i ? ", " : "", labels->items[c], exp((double)answer[c]));
    }
    if (json) {
        return print_object(json_pack("{s:s, s:f, s:o, s:s}", "label", labels->items[best],
                                      "probability", exp((double)answer[best]), "probabilities",
                                      probabilities, "text", text));
    }
    putchar('\t');
    tc_view_plain(text, strlen(text));
    putchar('\n');
    return true;
}
