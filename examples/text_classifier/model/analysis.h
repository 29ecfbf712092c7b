/* The analysis of one text: the model's prediction, the attention weights, and how much each word
 * contributes to the prediction. */
#ifndef TC_ANALYSIS_H
#define TC_ANALYSIS_H

#include "model.h"

/* Start with {0}; tc_analysis_free is valid at any time after that. */
typedef struct tc_analysis {
    const char *text;       /* owned by the caller */
    const ex_names *labels; /* owned by the model */
    int32_t best;           /* the most probable label */
    double *probabilities;  /* [labels] */
    double log_odds;        /* of `best`, see tc_log_odds */
    int32_t count;          /* number of words */
    ex_tokens tokens;       /* [count] with their positions in the text */
    const int32_t *ids;     /* [count] */
    double *weights;        /* [count] attention weights, which sum to 1; NULL without attention */
    double *gradient;       /* [count] gradient x input, or NULL */
    tc_dataset data;        /* the text as its only row */
    tc_batches batches;
    tc_batch *batch; /* of that row */
} tc_analysis;

/* Predicts the label of a text. With attention it also computes each word's weight, averaged over
 * the heads. With `gradient` it computes, for each word, sum over E of (do/dx) x, with o the
 * log-odds of the predicted label and x the word's vector (Shrikumar et al., "Learning important
 * features through propagating activation differences", 2017). Returns false after ex_fail: the
 * text is not UTF-8 or has no words. */
bool tc_analysis_compute(tc_analysis *analysis, const tc_model *model, const char *text,
                         bool gradient);
void tc_analysis_free(tc_analysis *analysis);

/* Returns log(p / (1 - p)) of a label, from the logarithms of all probabilities. */
double tc_log_odds(const float *log_probabilities, int32_t count, int32_t label);

/* Returns the largest magnitude of `count` values, or 1 if all are 0. */
double tc_max_magnitude(const double *values, int32_t count);

#endif
