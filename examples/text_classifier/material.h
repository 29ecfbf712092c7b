/* What a training works on: its data in parts, and the model as it starts. */
#ifndef TC_MATERIAL_H
#define TC_MATERIAL_H

#include "options.h"

/* Start with {0}; tc_material_free works at any time after that. */
typedef struct tc_material {
    tc_options options;         /* as they were given, and what they leave open decided */
    tc_data train, valid, test; /* valid and test may be empty */
    tc_part train_part, valid_part, test_part;
    tc_model model;
} tc_material;

/* Sets up a tokenizer, which is {0}, as the options say. False after ex_fail. */
bool tc_tokenizer_of(tc_tokenizer *tokenizer, const tc_options *options);

/* Reads the data, builds labels, vocabulary and layers with the vectors that the options name, turns texts into ids, and chooses
 * epochs that make enough steps. False after ex_fail. */
bool tc_material_prepare(tc_material *m, const tc_options *options);

/* All that the training's result depends on, as a JSON object of strings: the options that shape it, a hash of the data, the
 * instruction set. The caller frees it; NULL after ex_fail. */
char *tc_material_plan(const tc_material *m);

void tc_material_free(tc_material *m);

#endif
