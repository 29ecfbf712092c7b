/* What the unit tests of text, data and charts share. */
#ifndef TEST_TEXT_H
#define TEST_TEXT_H

#include "../../examples/text_classifier/tokenizer.h"

#include <check.h>

/* The vocabulary of a text: the words that occur at least so often; `rare` counts the others. */
void build_vocabulary(ex_names *words, const char *text, int64_t least, int32_t *rare);

TCase *chart_cases(void);
TCase *data_cases(void);

#endif
