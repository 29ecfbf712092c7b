/* A command line, read by a table of rules. */
#ifndef EX_OPTION_H
#define EX_OPTION_H

#include <stdbool.h>
#include <stddef.h>

typedef enum tc_option_kind {
    EX_HEADING,
    EX_FLAG,
    EX_TEXT,
    EX_CHOICE,
    EX_INTEGER,
    EX_NUMBER
} tc_option_kind;

typedef struct tc_option {
    const char *name;  /* --name; of a heading, the line that stands over the options that follow */
    char letter;       /* of the short form, or 0 */
    unsigned commands; /* that have it, a bit each */
    tc_option_kind kind;
    size_t
        field; /* where the value goes: a bool, const char *, int, int64_t or double of the caller's struct */
    double least, most; /* of a number */
    const char *const
        *choices;         /* of a choice, whose field becomes the place of one; NULL ends them */
    const char *argument; /* in the help; NULL of a heading and of a flag */
    const char *about;
} tc_option;

/* A table ends with a name that is NULL. --help and -h are known besides. */

typedef enum tc_parsed { EX_RUN, EX_HELP, EX_WRONG } tc_parsed;

/* Stores the options that `command` has in `fields`; *argv and *argc become what is no option. EX_WRONG after tc_fail. */
tc_parsed tc_options_read(void *fields, const tc_option *options, unsigned command, int *argc,
                          char ***argv);

/* A line each. */
void tc_options_show(const tc_option *options, unsigned command);

/* The value of an option in words, in `number` or elsewhere; NULL where there is none. */
const char *tc_option_value(const tc_option *option, const void *fields, char number[32]);

/* The place of a name in such a list, or -1. */
int tc_choice(const char *const *choices, const char *name);

#endif
