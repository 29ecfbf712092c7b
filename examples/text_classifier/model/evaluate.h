/* A model's predictions for rows, and how many of them are correct. */
#ifndef TC_EVALUATE_H
#define TC_EVALUATE_H

#include "model.h"

/* Returns the logarithms of the labels' probabilities, [rows, C], from the logits, or NULL after
 * ex_fail; NaN is a failure. The tape owns the result. */
const tg_tensor *tc_checked_log_softmax(tg_tape *tape, tg_tensor *logits);

/* Returns the logarithms of the labels' probabilities for some rows, [rows, C], or NULL after
 * ex_fail. The caller frees them. */
float *tc_log_probabilities(const tc_model *model, tc_slice rows);

/* Returns the most probable of `count` labels, the first one if there are several. */
int32_t tc_best_label(const float *log_probabilities, int32_t count);

typedef struct tc_score {
    int32_t rows, correct;
    double loss;        /* mean of -log p(true label) */
    int32_t labels;     /* C */
    int32_t *confusion; /* [C, C] rows by true label and predicted label */
} tc_score;

/* The score of one label: precision = correct / predicted, recall = correct / rows, F1 = their
 * harmonic mean. Each is 0 if its denominator is 0. */
typedef struct tc_label_score {
    int32_t rows, predicted, correct;
    double precision, recall, f1;
} tc_label_score;

/* Compares the predictions with the labels, which must be encoded. Returns false after ex_fail. */
bool tc_score_rows(tc_score *score, const tc_model *model, tc_slice rows);
void tc_score_free(tc_score *score);

static inline double tc_accuracy(const tc_score *score)
{
    return (double)score->correct / score->rows;
}

tc_label_score tc_score_label(const tc_score *score, int32_t label);

/* The mean F1 over the labels that occur among the true or predicted labels. */
double tc_macro_f1(const tc_score *score);

#endif
