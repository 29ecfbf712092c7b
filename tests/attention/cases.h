/* The gradient checks of attention, as a table; see cases.c. */
#ifndef TEST_ATTENTION_CASES_H
#define TEST_ATTENTION_CASES_H

#include "../support/attention.h"

int attention_case_count(void);
void attention_case_run(int index);

#endif
