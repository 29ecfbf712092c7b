/* A model's look at one text: its answer, where the attention went, and what speaks for the answer. */
#ifndef TC_LOOK_H
#define TC_LOOK_H

#include "model.h"

/* Start with {0}; tc_seen_free works at any time after that. */
typedef struct tc_seen {
    const char *text;       /* the caller's */
    const ex_names *labels; /* the model's */
    int32_t best;           /* the likeliest of them */
    double *probabilities;  /* by label */
    double log_odds;        /* of the best, see tc_log_odds */
    int32_t count;          /* of the words */
    ex_tokens tokens;       /* [count], their places in the text */
    const int32_t *ids;     /* [count] */
    double *weights;        /* [count], their sum is 1; NULL of a model without attention */
    double *gradient;       /* [count] or NULL, see tc_see */
    tc_data data;           /* one row */
    tc_batches batches;
    tc_batch *batch; /* of it */
} tc_seen;

/* The answer to a text and, where the model has attention, each word's weight, the mean over the heads. With `gradient`
 * also, by word, sum over E of do/dx x, o the log-odds of the best label and x the embedded word (Shrikumar et al.,
 * "Learning important features through propagating activation differences", 2017). False after ex_fail: the text is not
 * UTF-8, or has no word. */
bool tc_see(tc_seen *seen, const tc_model *model, const char *text, bool gradient);
void tc_seen_free(tc_seen *seen);

/* log(p / (1 - p)) of a label, of the logarithms of all probabilities. */
double tc_log_odds(const float *log_probabilities, int32_t count, int32_t label);

#endif
