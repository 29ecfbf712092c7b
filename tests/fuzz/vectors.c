/* Files of word vectors: a letter chooses their width, 1 to 8, the rest is the file. */
#include "textclf.h"

#include "../../examples/text_classifier/vectors.h"

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
    tc_model model = {.settings = {.embedding = width,
                                   .hidden = 1,
                                   .encoder = TC_NO_ENCODER,
                                   .attention = TC_NO_ATTENTION,
                                   .longest = 9}};
    float before[WORDS * WIDTHS];
    fuzz_build_model(&model, words, WORDS);
    const float *row = model.embedding.weight->data;
    memcpy(before, row, sizeof *row * WORDS * (size_t)width);
    fuzz_write("vectors", input.bytes, input.size);
    char path[1024];
    snprintf(path, sizeof path, "%s", fuzz_path("vectors"));
    const bool good = tc_vectors_load(&model, path);
    FUZZ_CHECK(good == !ex_failure(), "%s", good ? ex_failure() : "it failed and did not say why");
    for (int32_t i = 0; i < WORDS * width; i++) {
        FUZZ_CHECK(isfinite(row[i]), "number %d of word %d is %g", i % width, i / width,
                   (double)row[i]);
        FUZZ_CHECK(i >= EX_FIRST_WORD * width || row[i] == before[i],
                   "a word that is none got a vector");
    }
    ex_failure_clear();
    tc_model_free(&model);
    return 0;
}
