/* A small model of textclf for the targets that need one. */
#ifndef TEST_FUZZ_TEXTCLF_H
#define TEST_FUZZ_TEXTCLF_H

#include "fuzz.h"

#include "../../examples/support/failure.h"
#include "../../examples/text_classifier/model/model.h"

/* Builds a model of two labels and `count` words, the first two of which are <padding> and
 * <unknown>. Its settings must be set. */
static inline void fuzz_build_model(tc_model *model, const char *const *words, size_t count)
{
    static const char *const labels[] = {"no", "yes"};
    FUZZ_CHECK(ex_names_set(&model->words, "words", words, count) &&
                   ex_names_set(&model->labels, "labels", labels, 2) && tc_model_build(model, 1),
               "%s", ex_failure());
}

#endif
