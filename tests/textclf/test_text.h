/* Shared by the unit tests of text, data and charts. */
#ifndef TEST_TEXT_H
#define TEST_TEXT_H

#include "../../examples/text_classifier/data/tokenizer.h"

#include <check.h>

/* Builds the vocabulary of a text; see ex_vocabulary_build. */
void build_vocabulary(ex_names *words, const char *text, int64_t min_count, int32_t *first_rare);

TCase *chart_cases(void);
TCase *data_cases(void);

#endif
