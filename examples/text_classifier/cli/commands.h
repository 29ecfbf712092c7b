/* The commands of textclf. Each returns its exit status, or whether it succeeded; on failure it
 * has called ex_fail. */
#ifndef TC_COMMANDS_H
#define TC_COMMANDS_H

#include "options.h"

enum { TC_EXIT_OK = 0, TC_EXIT_FAILED = 1, TC_EXIT_USAGE = 2, TC_EXIT_INTERRUPTED = 130 };

int tc_train(const tc_options *options);
int tc_compare(const tc_options *options);
int tc_check(const tc_options *options);

/* These get the model that the first argument names. */
bool tc_eval(tc_model *model, const tc_options *options);
bool tc_predict(tc_model *model, const tc_options *options);
bool tc_attend(tc_model *model, const tc_options *options);
bool tc_explain(tc_model *model, const tc_options *options);
bool tc_step(tc_model *model, const tc_options *options);
bool tc_tape(tc_model *model, const tc_options *options);

/* Prints the legend of tc_explain: its measures and the flags of words on which they disagree. */
void tc_explain_print_terms(void);

#endif
