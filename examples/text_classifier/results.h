/* How results are shown: to people, and as JSON to machines. */
#ifndef TC_RESULTS_H
#define TC_RESULTS_H

#include "evaluate.h"

/* "accuracy 0.7462 (97 of 130), macro-F1 0.7459, loss 0.5637", without an end of line. */
void tc_results_line(const tc_score *score);

/* The labels' precision, recall and F1, and the confusion matrix, or, of more labels than fit in a line, what is confused most. */
void tc_results_table(const tc_score *score, const ex_names *labels);

/* Mistakes, the most frequent first: start with {0}; *last becomes the one that follows it. False: there is none. */
enum { TC_MOST_CONFUSED = 10 }; /* that are shown */
typedef struct tc_confused {
    int32_t label, answer, rows;
} tc_confused;
bool tc_results_confused(const tc_score *score, tc_confused *last);

/* All of it and the share of words that are not in the vocabulary as one JSON object on one line. False after ex_fail. */
bool tc_results_json(const tc_score *score, const ex_names *labels, double unknown);

/* One answer: the likeliest label and its probability, then the `top` likeliest with theirs (0: all, in the labels' order), then
 * the text; as a line of columns or, as JSON, an object on a line. False after ex_fail. */
bool tc_results_answer(const float *log_probabilities, const ex_names *labels, const char *text,
                       int32_t top, bool json);

#endif
