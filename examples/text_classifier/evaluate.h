/* A model's answers, and how many of them are right. */
#ifndef TC_EVALUATE_H
#define TC_EVALUATE_H

#include "model.h"

/* The logarithm of each label's probability, [rows, C]; the caller frees it. NULL after tc_fail. */
float *tc_log_probabilities(const tc_model *model, tc_part part);

/* The likeliest of `count` labels. */
int32_t tc_best_label(const float *log_probabilities, int32_t count);

typedef struct tc_score {
    int32_t rows, right;
    double loss;  /* the mean of -log p(label) */
    int32_t *label_rows, *label_right; /* [C] by true label; tc_score_free */
} tc_score;

/* Compares with the labels, which every row has. */
bool tc_score_part(tc_score *score, const tc_model *model, tc_part part);
void tc_score_free(tc_score *score);

static inline double tc_accuracy(const tc_score *score)
{
    return (double)score->right / score->rows;
}

#endif
