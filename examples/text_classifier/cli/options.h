/* The command line. */
#ifndef TC_OPTIONS_H
#define TC_OPTIONS_H

#include "../../support/option.h"
#include "../training/experiment.h"

#include <jansson.h>

typedef struct tc_options {
    const struct tc_command *command; /* NULL: none was named */
    char **command_line;              /* ends with NULL */
    char **arguments;                 /* those that are not options */
    int argument_count;
    /* Data, settings and training. For compare, an encoder or attention that is not given is -1. */
    tc_experiment_config config;
    const char *output, *report, *font; /* NULL: not given */
    const char *step_label;             /* NULL: the predicted label */
    bool json;
    int64_t seeds; /* 0: the command's default */
    int64_t top;   /* 0: all labels */
} tc_options;

typedef struct tc_command {
    const char *name, *arguments, *description;
    int min_arguments, max_arguments;
    /* One of them: a command of its own, or one that uses the model that the first argument
     * names. */
    int (*execute)(const tc_options *options);
    bool (*use_model)(tc_model *model, const tc_options *options);
    unsigned bit;
    const char *output; /* the default of -o, or NULL */
} tc_command;

/* Parses the command and its options, and checks their ranges and the number of arguments. Prints
 * the help or the version if asked. Returns EX_WRONG after ex_fail. */
ex_parsed tc_options_parse(tc_options *options, int argc, char **argv);

/* Returns the values of all options that the trained model depends on, as a JSON object of
 * strings, or NULL after ex_fail. The caller frees it. */
json_t *tc_options_to_json(const tc_options *options);

/* Checks that no file is both read and written, and that no two files are written to one name.
 * Returns false after ex_fail. */
bool tc_options_check_files(const tc_options *options);

#endif
