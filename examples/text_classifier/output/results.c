#include "results.h"

#include "../../support/checked.h"
#include "../../support/failure.h"
#include "terminal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_MATRIX_LABELS = 10, CELL = 10 }; /* CELL: columns of a cell */

/* ---- tables ---- */

void tc_results_line(const tc_score *score)
{
    printf("accuracy %.4f (%d of %d), macro-F1 %.4f, loss %.4f", tc_accuracy(score), score->correct,
           score->rows, tc_macro_f1(score), score->loss);
}

static void print_matrix(const tc_score *score, const ex_names *labels)
{
    printf("\nconfusion matrix (rows: true label, columns: predicted label)\n%*s", CELL, "");
    for (int32_t c = 0; c < score->labels; c++) {
        printf(" ");
        tc_term_cell(labels->items[c], CELL, true);
    }
    printf("\n");
    for (int32_t t = 0; t < score->labels; t++) {
        tc_term_cell(labels->items[t], CELL, false);
        for (int32_t c = 0; c < score->labels; c++)
            printf(" %*d", CELL, score->confusion[t * score->labels + c]);
        printf("\n");
    }
}

bool tc_results_next_confusion(const tc_score *score, tc_confusion *confusion)
{
    const int32_t C = score->labels;
    const int32_t max_rows = confusion->rows ? confusion->rows : INT32_MAX;
    const int64_t last = confusion->rows ? (int64_t)confusion->label * C + confusion->predicted
                                         : -1;
    tc_confusion next = {0};
    for (int64_t i = 0; i < (int64_t)C * C; i++) {
        const int32_t rows = score->confusion[i];
        const bool shown = rows > max_rows || (rows == max_rows && i <= last);
        if (i / C == i % C || rows <= next.rows || shown) continue;
        next = (tc_confusion){(int32_t)(i / C), (int32_t)(i % C), rows};
    }
    *confusion = next;
    return next.rows > 0;
}

static void print_confusions(const tc_score *score, const ex_names *labels)
{
    tc_confusion next = {0};
    printf("\nmost frequent confusions (true label -> predicted label, rows)\n");
    for (int shown = 0; shown < TC_MAX_CONFUSIONS; shown++) {
        if (!tc_results_next_confusion(score, &next)) return;
        printf("  %s -> %s  %d\n", labels->items[next.label], labels->items[next.predicted],
               next.rows);
    }
}

void tc_results_table(const tc_score *score, const ex_names *labels)
{
    printf("    rows  precision   recall       F1  label\n");
    for (int32_t c = 0; c < score->labels; c++) {
        const tc_label_score s = tc_score_label(score, c);
        printf("%8d ", s.rows);
        if (s.predicted) printf(" %9.4f", s.precision);
        else printf(" %9s", "-");
        if (s.rows) printf("  %7.4f  %7.4f", s.recall, s.f1);
        else printf("  %7s  %7s", "-", "-");
        printf("  %s\n", labels->items[c]);
    }
    if (score->labels <= MAX_MATRIX_LABELS) print_matrix(score, labels);
    else print_confusions(score, labels);
}

/* ---- JSON ---- */

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
                                        "rows", s.rows, "predicted", s.predicted, "precision",
                                        s.precision, "recall", s.recall, "f1", s.f1));
    }
    return print_object(json_pack("{s:i, s:i, s:f, s:f, s:f, s:f, s:o, s:o}", "rows", score->rows,
                                  "correct", score->correct, "accuracy", tc_accuracy(score),
                                  "macro_f1", tc_macro_f1(score), "loss", score->loss,
                                  "unknown_words", unknown, "labels", by_label, "confusion",
                                  confusion));
}

/* ---- one prediction ---- */

/* Returns the label after `last` (-1: none yet) in the order of falling probability, then rising
 * number. */
static int32_t next_label(const float *log_p, int32_t count, int32_t last)
{
    int32_t best = -1;
    for (int32_t c = 0; c < count; c++) {
        const bool is_after = last < 0 || log_p[c] < log_p[last] ||
                              (log_p[c] == log_p[last] && c > last);
        if (is_after && (best < 0 || log_p[c] > log_p[best])) best = c;
    }
    return best;
}

static json_t *probabilities_to_json(const float *log_p, const ex_names *labels, int32_t top)
{
    json_t *object = json_object();
    const int32_t count = top > 0 && top < labels->count ? top : labels->count;
    for (int32_t i = 0, c = -1; i < count; i++) {
        c = top > 0 ? next_label(log_p, labels->count, c) : i;
        json_object_set_new(object, labels->items[c], json_real(exp((double)log_p[c])));
    }
    return object;
}

static void print_probabilities(const float *log_p, const ex_names *labels, int32_t top)
{
    const int32_t count = top > 0 && top < labels->count ? top : labels->count;
    for (int32_t i = 0, c = -1; i < count; i++) {
        c = top > 0 ? next_label(log_p, labels->count, c) : i;
        printf("%s%s %.4f", i ? ", " : "", labels->items[c], exp((double)log_p[c]));
    }
}

bool tc_results_prediction(const float *log_probabilities, const ex_names *labels, const char *text,
                           int32_t top, bool json)
{
    const int32_t best = tc_best_label(log_probabilities, labels->count);
    const double probability = exp((double)log_probabilities[best]);
    if (json) {
        return print_object(json_pack("{s:s, s:f, s:o, s:s}", "label", labels->items[best],
                                      "probability", probability, "probabilities",
                                      probabilities_to_json(log_probabilities, labels, top), "text",
                                      text));
    }
    printf("%s\t%.4f\t", labels->items[best], probability);
    print_probabilities(log_probabilities, labels, top);
    putchar('\t');
    tc_term_print(text, strlen(text));
    putchar('\n');
    return true;
}
