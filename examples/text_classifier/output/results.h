/* Prints results: tables for people, JSON for programs. */
#ifndef TC_RESULTS_H
#define TC_RESULTS_H

#include "../model/evaluate.h"

/* Prints "accuracy 0.7462 (97 of 130), macro-F1 0.7459, loss 0.5637" without a newline. */
void tc_results_line(const tc_score *score);

/* Prints each label's precision, recall and F1, and the confusion matrix. With more labels than
 * fit on a line it prints the most frequent confusions instead. */
void tc_results_table(const tc_score *score, const ex_names *labels);

/* Finds the confusions, the most frequent first: start with {0}; *confusion becomes the next one.
 * Returns false if there are no more. */
typedef struct tc_confusion {
    int32_t label, predicted, rows;
} tc_confusion;
bool tc_results_next_confusion(const tc_score *score, tc_confusion *confusion);

enum { TC_MAX_CONFUSIONS = 10 }; /* that are shown */

/* Prints a score and the share of unknown words as a JSON object on one line. Returns false after
 * ex_fail. */
bool tc_results_json(const tc_score *score, const ex_names *labels, double unknown);

/* Prints one prediction on one line: the most probable label and its probability, the `top` most
 * probable labels with theirs (0: all, in the labels' order), and the text; as columns separated
 * by tabs, or as a JSON object. Returns false after ex_fail. */
bool tc_results_prediction(const float *log_probabilities, const ex_names *labels, const char *text,
                           int32_t top, bool json);

#endif
