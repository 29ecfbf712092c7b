/* What a training works on: its data in parts, the model as it starts, and the settings and schedule that the options ask for. */
#ifndef TC_MATERIAL_H
#define TC_MATERIAL_H

#include "fit.h"
#include "options.h"

/* Start with {0}; tc_material_free works at any time after that. */
typedef struct tc_material {
    tc_data train, valid, test;  /* valid and test may be empty */
    tc_part train_part, valid_part;
    int32_t rare;                /* the first word that occurs once */
    int64_t min_count;
} tc_material;

/* The settings of a new model. An encoder or attention that is not given is the default, bilstm and additive. */
tc_settings tc_settings_of(const tc_options *options);

/* Sets up a tokenizer, which is {0}, as the options say. False after tc_fail. */
bool tc_tokenizer_of(tc_tokenizer *tokenizer, const tc_options *options);

/* Reads the data, builds labels, vocabulary and layers in `model`, whose settings are there, with the vectors that the options
 * name, and turns texts into ids. False after tc_fail. */
bool tc_material_prepare(tc_material *m, tc_model *model, const tc_options *options);

/* The epochs that the options ask for, or that make enough steps, and all else that tc_fit wants to know. */
tc_schedule tc_schedule_of(const tc_material *m, const tc_options *options);

/* All that the training's result depends on, as a JSON object of strings: the options that shape it, a hash of the data, the
 * instruction set. The caller frees it; NULL after tc_fail. */
char *tc_material_plan(const tc_material *m, const tc_options *options);

void tc_material_free(tc_material *m);

#endif
