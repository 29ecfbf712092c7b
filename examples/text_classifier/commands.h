/* What the program can be told to do. Each command returns the exit status, or whether it is done, after ex_fail where it is not. */
#ifndef TC_COMMANDS_H
#define TC_COMMANDS_H

#include "options.h"

enum { TC_DONE = 0, TC_FAILED = 1, TC_USAGE = 2, TC_INTERRUPTED = 130 };

/* Without --epochs: as many as make this many steps, within these bounds. */
enum { TC_DEFAULT_STEPS = 1000, TC_LEAST_EPOCHS = 8, TC_MOST_EPOCHS = 60 };

int tc_train(const tc_options *options);
int tc_compare(const tc_options *options);
int tc_check(const tc_options *options);

/* These ask a model, which is the first of the arguments, and loaded. */
bool tc_eval(tc_model *model, const tc_options *options);
bool tc_predict(tc_model *model, const tc_options *options);
bool tc_attend(tc_model *model, const tc_options *options);
bool tc_explain(tc_model *model, const tc_options *options);
bool tc_step(tc_model *model, const tc_options *options);
bool tc_tape(tc_model *model, const tc_options *options);

/* Prints what tc_explain shows, and when it says that its measures disagree. */
void tc_explain_terms(void);

#endif
