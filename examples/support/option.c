#include "option.h"

#include "failure.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 100, NO_LETTER = 256 };

int ex_choice(const char *const *choices, const char *name)
{
    for (int i = 0; choices[i]; i++) {
        if (!strcmp(choices[i], name)) return i;
    }
    return -1;
}

static bool is_shown(const ex_option *option, unsigned command)
{
    return (option->commands & command) != 0;
}

/* The columns of the longest name that is shown, and two blanks. */
static int name_width(const ex_option *options, unsigned command)
{
    size_t width = 13;
    for (const ex_option *o = options; o->name; o++) {
        const size_t length = o->kind == EX_HEADING ? 0 : strlen(o->name);
        if (is_shown(o, command) && length > width) width = length;
    }
    return (int)width + 2;
}

void ex_options_show(const ex_option *options, unsigned command)
{
    const int width = name_width(options, command);
    for (const ex_option *o = options; o->name; o++) {
        if (!is_shown(o, command)) continue;
        if (o->kind == EX_HEADING) {
            printf("%s\n", o->name);
            continue;
        }
        if (o->letter) printf("  -%c,", o->letter);
        else printf("     ");
        printf(" --%-*s%-9s %s\n", width, o->name, o->argument ? o->argument : "", o->about);
    }
    printf("  -h, --%-*s%-9s show this help\n", width, "help", "");
}

static bool refuse_choice(const ex_option *option, const char *value)
{
    char all[300] = "";
    for (const char *const *c = option->choices; *c; c++) {
        const char *separator = c[1] ? ", " : " or ";
        ex_append(all, sizeof all, "%s%s", c == option->choices ? "" : separator, *c);
    }
    return ex_fail("--%s %s: it must be %s", option->name, value, all);
}

/* Stores the value of an option in its field. */
static bool store(void *fields, const ex_option *option, const char *value)
{
    void *field = (char *)fields + option->field;
    char *end;
    errno = 0;
    switch (option->kind) {
    case EX_HEADING: break;
    case EX_FLAG: *(bool *)field = true; break;
    case EX_TEXT:
        if (!*value) return ex_fail("--%s needs a value that is not empty", option->name);
        *(const char **)field = value;
        break;
    case EX_CHOICE:
        *(int *)field = ex_choice(option->choices, value);
        if (*(int *)field < 0) return refuse_choice(option, value);
        break;
    case EX_INTEGER: {
        const long long number = strtoll(value, &end, 10);
        if (end == value || *end || errno || (double)number < option->min ||
            (double)number > option->max) {
            return ex_fail("--%s %s: it must be an integer from %.0f to %.0f", option->name, value,
                           option->min, option->max);
        }
        *(int64_t *)field = number;
        break;
    }
    case EX_NUMBER: {
        const double number = strtod(value, &end);
        if (end == value || *end || !(number >= option->min && number <= option->max)) {
            return ex_fail("--%s %s: it must be a number from %g to %g", option->name, value,
                           option->min, option->max);
        }
        *(double *)field = number;
    }
    }
    return true;
}

/* The code by which getopt_long reports an option. */
static int code_of(const ex_option *options, const ex_option *option)
{
    return option->letter ? option->letter : NO_LETTER + (int)(option - options);
}

ex_parsed ex_options_read(void *fields, const ex_option *options, unsigned command, int *argc,
                          char ***argv)
{
    struct option known[MAX_OPTIONS + 2] = {{"help", no_argument, NULL, 'h'}};
    char letters[2 * MAX_OPTIONS + 3] = ":h";
    int count = 1, code;
    for (const ex_option *o = options; o->name && count <= MAX_OPTIONS; o++) {
        if (o->kind == EX_HEADING || !(o->commands & command)) continue;
        known[count++] = (struct option){o->name, o->argument ? required_argument : no_argument,
                                         NULL, code_of(options, o)};
        if (o->letter)
            ex_append(letters, sizeof letters, "%c%s", o->letter, o->argument ? ":" : "");
    }
    opterr = 0;
    while ((code = getopt_long(*argc, *argv, letters, known, NULL)) != -1) {
        const ex_option *o = options;
        if (code == 'h') return EX_HELP;
        if (code == ':') {
            ex_fail("%s needs a value", (*argv)[optind - 1]);
            return EX_WRONG;
        }
        while (o->name &&
               (o->kind == EX_HEADING || !(o->commands & command) || code_of(options, o) != code))
            o++;
        if (!o->name) {
            if (optopt > 0 && optopt < 128) ex_fail("-%c: no such option", optopt);
            else ex_fail("%s: no such option", (*argv)[optind - 1]);
            return EX_WRONG;
        }
        if (!store(fields, o, optarg)) return EX_WRONG;
    }
    *argc -= optind;
    *argv += optind;
    return EX_OK;
}

const char *ex_option_value(const ex_option *option, const void *fields, char number[32])
{
    const void *field = (const char *)fields + option->field;
    switch (option->kind) {
    case EX_HEADING: break;
    case EX_FLAG: return *(const bool *)field ? "on" : "off";
    case EX_TEXT: return *(const char *const *)field;
    case EX_CHOICE: return *(const int *)field < 0 ? NULL : option->choices[*(const int *)field];
    case EX_INTEGER:
        snprintf(number, 32, "%lld", (long long)*(const int64_t *)field);
        return number;
    case EX_NUMBER: snprintf(number, 32, "%.17g", *(const double *)field); return number;
    }
    return NULL;
}
