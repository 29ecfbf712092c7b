/* Files of word vectors: a letter chooses their width, 1 to 8, the rest is the file. */
#include "fuzz.h"

#include "../../examples/support/failure.h"
#include "../../examples/text_classifier/data/vectors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const words[] = {"<padding>", "<unknown>", "good",  "a b",
                                    "3",         "\u5F88",    "don't", "-"};
enum { WORDS = sizeof words / sizeof *words, WIDTHS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_input input = {bytes, size};
    const int32_t width = 1 + fuzz_choose(&input, WIDTHS);
    ex_names names;
    float embedding[WORDS * WIDTHS];
    FUZZ_CHECK(ex_names_set(&names, "words", words, WORDS), "%s", ex_failure());
    for (int32_t i = 0; i < WORDS * WIDTHS; i++) embedding[i] = (float)i;
    fuzz_write("vectors", input.bytes, input.size);
    char path[1024];
    snprintf(path, sizeof path, "%s", fuzz_path("vectors"));
    const bool good = tc_vectors_load(path, &names, embedding, width);
    FUZZ_CHECK(good == !ex_failure(), "%s", good ? ex_failure() : "it failed and did not say why");
    for (int32_t i = 0; i < WORDS * WIDTHS; i++) {
        const bool is_word = i >= EX_FIRST_WORD * width && i < WORDS * width;
        FUZZ_CHECK(isfinite(embedding[i]), "number %d of word %d is %g", i % width, i / width,
                   (double)embedding[i]);
        FUZZ_CHECK(is_word || embedding[i] == (float)i, "number %d, which is not a word's, changed",
                   i);
    }
    ex_failure_clear();
    ex_names_free(&names);
    return 0;
}
