/* What the program can be told to do. Each returns the exit status, TC_FAILED after tc_fail. */
#ifndef TC_COMMANDS_H
#define TC_COMMANDS_H

#include "options.h"

enum { TC_DONE = 0, TC_FAILED = 1, TC_USAGE = 2, TC_INTERRUPTED = 130 };

/* Without --epochs: as many as make this many steps, within these bounds. */
enum { TC_DEFAULT_STEPS = 1000, TC_LEAST_EPOCHS = 8, TC_MOST_EPOCHS = 60 };

int tc_train(const tc_options *options);
int tc_compare(const tc_options *options);
int tc_check(const tc_options *options);
int tc_eval(const tc_options *options);
int tc_predict(const tc_options *options);
int tc_attend(const tc_options *options);
int tc_explain(const tc_options *options);
int tc_step(const tc_options *options);
int tc_tape(const tc_options *options);

/* What tc_explain shows, and when it says that its measures disagree: lines of text. */
extern const char tc_explain_rule[];

#endif
