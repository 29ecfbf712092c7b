/* Reads a command line by a table of options. */
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
    const char *name;  /* --name; for a heading, the line above the options that follow */
    char letter;       /* the short form, or 0 */
    unsigned commands; /* a bit for each command that has the option */
    tc_option_kind kind;
    size_t field;               /* offset of a bool, const char *, int, int64_t or double */
    double least, most;         /* the range of a number */
    const char *const *choices; /* ends in NULL; the field becomes the index of one */
    const char *argument;       /* its name in the help; NULL for a heading and for a flag */
    const char *about;
} tc_option;

/* A table ends with a name that is NULL. --help and -h are always recognized. */

typedef enum tc_parsed { EX_RUN, EX_HELP, EX_WRONG } tc_parsed;

/* Stores the values of `command`'s options in `fields`; *argc and *argv become the other
 * arguments. EX_WRONG after tc_fail. */
tc_parsed tc_options_read(void *fields, const tc_option *options, unsigned command, int *argc,
                          char ***argv);

/* Prints a line of help for each option of a command. */
void tc_options_show(const tc_option *options, unsigned command);

/* The value of an option as text, which may be in `number`; NULL if it has none. */
const char *tc_option_value(const tc_option *option, const void *fields, char number[32]);

/* The index of a name in a list of choices, or -1. */
int tc_choice(const char *const *choices, const char *name);

#endif
