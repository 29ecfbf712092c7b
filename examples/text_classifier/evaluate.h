/* A model's answers, how many of them are right, and which are taken for which. */
#ifndef TC_EVALUATE_H
#define TC_EVALUATE_H

#include "model.h"

/* The logarithm of each label's probability, [rows, C], from the classifier's logits. NULL after ex_fail, as where one of them is NaN. */
const tg_tensor *tc_answers(tg_tape *tape, tg_tensor *logits);

/* The logarithm of each label's probability, [rows, C]; the caller frees it. NULL after ex_fail. */
float *tc_log_probabilities(const tc_model *model, tc_part part);

/* The likeliest of `count` labels. */
int32_t tc_best_label(const float *log_probabilities, int32_t count);

typedef struct tc_score {
    int32_t rows, right;
    double loss;        /* the mean of -log p(label) */
    int32_t labels;     /* C */
    int32_t *confusion; /* [C, C] rows by true label and by answer; tc_score_free */
} tc_score;

/* What a score says of one label. Precision is the share of its answers that are right, recall the share of its rows that are
 * found, F1 their harmonic mean; 0 where nothing can be right, and all of it without meaning where `rows` and `answers` are 0. */
typedef struct tc_label_score {
    int32_t rows, answers, right;
    double precision, recall, f1;
} tc_label_score;

/* Compares with the labels, which every row has. */
bool tc_score_part(tc_score *score, const tc_model *model, tc_part part);
void tc_score_free(tc_score *score);

static inline double tc_accuracy(const tc_score *score)
{
    return (double)score->right / score->rows;
}

tc_label_score tc_score_label(const tc_score *score, int32_t label);

/* The mean of F1 over the labels that occur among the rows or the answers. */
double tc_macro_f1(const tc_score *score);

#endif
