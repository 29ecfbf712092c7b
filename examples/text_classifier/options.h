/* The command line. */
#ifndef TC_OPTIONS_H
#define TC_OPTIONS_H

#include "../support/option.h"
#include "fit.h"
#include "read.h"

typedef struct tc_options {
    const struct tc_command *command;
    char **words;     /* the whole command line, options before arguments; NULL ends it */
    char **arguments; /* what is no option */
    int argument_count;
    tc_reading reading;     /* of all data of the call */
    tc_tokenizer tokenizer; /* without its stop words */
    tc_settings settings;   /* of compare, an encoder or attention that is not given is -1 */
    tc_schedule schedule;
    const char *valid, *test, *output, *font, *vectors, *stopwords, *report,
        *step_label; /* NULL: not given */
    bool json, frozen;
    int64_t seeds, min_count, max_vocab, top; /* 0: choose, or all */
} tc_options;

typedef struct tc_command {
    const char *name, *arguments, *about;
    int least, most; /* arguments */
    int (*run)(const tc_options *options);
    bool (*ask)(
        tc_model *model,
        const tc_options *options); /* instead of `run`, where the first argument is a model */
    unsigned bit;
    const char *output; /* unless -o names another; may be NULL */
} tc_command;

/* The values of all options that shape a training, by name, as a JSON object of strings, which the caller frees; NULL without memory. */
struct json_t *tc_options_plan(const tc_options *options);

/* Whether nothing that is read would be written over, and no two files are to be the same. False after ex_fail. */
bool tc_options_files(const tc_options *options);

/* Reads the command and its options, checks their ranges and the number of arguments; EX_WRONG after ex_fail. Shows help and version.
 * The command stays NULL where none is named. */
ex_parsed tc_options_parse(tc_options *options, int argc, char **argv);

#endif
