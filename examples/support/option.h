/* Reads a command line by a table of options. */
#ifndef EX_OPTION_H
#define EX_OPTION_H

#include <stdbool.h>
#include <stddef.h>

typedef enum ex_option_kind {
    EX_HEADING,
    EX_FLAG,
    EX_TEXT,
    EX_CHOICE,
    EX_INTEGER,
    EX_NUMBER
} ex_option_kind;

typedef struct ex_option {
    const char *name;  /* --name; for a heading, the line above the options that follow */
    char letter;       /* the short form, or 0 */
    unsigned commands; /* a bit for each command that has the option */
    ex_option_kind kind;
    size_t field;               /* offset of a bool, const char *, int, int64_t or double */
    double min, max;            /* the range of a number */
    const char *const *choices; /* ends in NULL; the field becomes the index of one */
    const char *argument;       /* its name in the help; NULL for a heading and for a flag */
    const char *about;
} ex_option;

/* A table ends with a name that is NULL. --help and -h are always recognized. */

typedef enum ex_parsed { EX_OK, EX_HELP, EX_WRONG } ex_parsed;

/* Stores the values of `command`'s options in `fields`; *argc and *argv become the other
 * arguments. EX_WRONG after ex_fail. */
ex_parsed ex_options_read(void *fields, const ex_option *options, unsigned command, int *argc,
                          char ***argv);

/* Prints a line of help for each option of a command. */
void ex_options_show(const ex_option *options, unsigned command);

/* The value of an option as text, which may be in `number`; NULL if it has none. */
const char *ex_option_value(const ex_option *option, const void *fields, char number[32]);

/* The index of a name in a list of choices, or -1. */
int ex_choice(const char *const *choices, const char *name);

#endif
